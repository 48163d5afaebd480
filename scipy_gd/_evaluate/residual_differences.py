"""Finite differences of residuals, one column of the Jacobian after the other.

Their steps are relative to |x|, or to a hundredth of what that was at the gradient before: fits
have parameters of any unit, and a parameter on its way through 0 keeps its size. One that has been
0 from the start has the size 1. By default, two values more at the start tell whether the residuals
have more noise than rounding; then the steps are longer, so that the differences show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.bits import VALUE
from .._core.jit import local
from ..arguments import Vector, complex_residuals, residuals
from . import differences
from .gradients import Args, Box, Values, differences_in_loop
from .loop_parts import part, read
from .residuals import Residuals, keep, residuals_in_loop

LONGEST = 1e-2
"""The longest step, relative to x."""
PLAIN = 1e-3
"""The noise, relative to a difference, that is small enough."""

quotient = differences.difference_quotient.py_func


@local
def lengthen(x, size, rel_step, abs_step):
    """The step, relative to the size of x; where there is no size, it is given."""
    for i in range(x.size):
        if size[i] == size[i]:
            size[i] = max(abs(x[i]), 0.01 * size[i])
            if size[i] == 0.0:
                size[i] = 1.0
            abs_step[i] = rel_step[i] * size[i]


@local
def seen(J):
    """Whether anything has changed."""
    for k in range(J.shape[0]):
        for i in range(J.shape[1]):
            if J[k, i] != 0.0:
                return True
    return False


class ResidualDifferences(Residuals):
    """Finite differences of the residuals; "adaptive" ones look for noise at the start."""

    given = False

    def __init__(
        self, scheme: str, n: int, box: Box, rel_step: Any, abs_step: Any, *more: Any
    ) -> None:
        super().__init__(None, n, *more)
        self.looking = scheme == "adaptive"
        self.scheme = "2-point" if self.looking else scheme
        self.name = f"{self.scheme} of residuals"
        self.each = differences.POINTS_OF[self.scheme]
        usual = differences.EPS ** (1.0 / (self.each + 1.0))
        self.steps = np.empty((5, n))
        self.steps[0] = usual if rel_step is None else rel_step
        self.steps[1] = np.nan if abs_step is None else abs_step
        self.steps[2:4] = (-np.inf,), (np.inf,)
        if box is not None and scheme != "cs":
            self.steps[2:4] = box
        self.steps[4] = 0.0 if rel_step is None and abs_step is None else np.nan

    @property
    def room(self) -> Any:
        return self.kept, tuple(self.steps)

    @property
    def error(self) -> float:
        exact = super().error
        return exact if self.scheme == "cs" else max(float(self.steps[0].max()) ** self.each, exact)

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        first = super().points(x, part)
        return first if part == VALUE else [*first, *self.around(x)]

    def around(self, x: Vector) -> Sequence[NDArray[Any]]:
        """The points of the differences, or those that tell the noise."""
        rel_step, abs_step, lower, upper, size = self.steps
        lengthen.py_func(x, size, rel_step, abs_step)
        n, each = x.size, self.each
        h, one_sided = self.taken = np.empty(n), np.empty(n, bool)
        near = np.empty((each * n, n))
        room = rel_step, abs_step, lower, upper
        count = differences.difference_points(x, *room, each, h, one_sided, near)
        if self.looking:
            return [x + h, x + 0.5 * h]
        return list(x + 1j * np.diag(h) if self.scheme == "cs" else near[:count])

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool:
        h, one_sided = self.taken
        more = len(values) - (2 if self.looking else self.each * int(np.count_nonzero(h)))
        if more:
            self.value(values[:1], g)
        told = [self._told(each) for each in values[more:]]
        if self.looking:
            self._look(*seen_at(self.r, *told))
            return True
        J = quotients(self.r, told, h, one_sided, self.each, self.scheme)
        self._keep(x, J, g)
        self.record.error_most = 0.0 if J.any() or f == 0.0 else np.inf
        return False

    def _look(self, change: float, bend: float) -> None:
        """Make the steps longer if the change at the whole of one is not twice that at its half."""
        noisy = bend > PLAIN * change or change == 0.0
        if noisy and self.steps[0].max() < LONGEST:
            self.steps[0] = np.minimum(10.0 * self.steps[0], LONGEST)
        else:
            self.looking = False

    def _told(self, found: Any) -> NDArray[Any]:
        r = complex_residuals(found) if self.scheme == "cs" else residuals(found)
        if r is None:
            return np.full(self.r.size, np.nan)
        self._same(r.size)
        return r

    def save(self) -> dict[str, Vector]:
        return super().save() | {"steps": self.steps.copy()}

    def load(self, kept: Any) -> None:
        super().load(kept)
        self.looking = False

    def in_loop(self, fun: Any) -> tuple[Any, Any]:  # type: ignore[override]
        column = complex_column(fun) if self.scheme == "cs" else real_column(fun, self.each)

        @part
        def component(V, r, x, i, h, one_sided, lower, upper, args, kept):
            if h == 0.0:
                kept[-1][:, i] = 0.0
            else:
                column(V, r, x, i, h, one_sided, lower, upper, args, kept[2], kept[-1])

        measure = differences_in_loop(component, self.each)

        @part
        def gradient(V, r, x, args, budget, room):
            kept, steps = room
            rel_step, abs_step, lower, upper, size = steps
            lengthen(V[r.trial], size, rel_step, abs_step)
            if measure(V, r, x, args, budget, (rel_step, abs_step, lower, upper), kept):
                return True
            keep(V, r, kept)
            r.error_most = 0.0 if seen(kept[-1]) or r.f_trial == 0.0 else np.inf
            return False

        return residuals_in_loop(fun), gradient


def seen_at(r: Vector, far: Vector, near: Vector) -> tuple[float, float]:
    """How much residuals change by a step, and how far from straight; as norms."""
    with np.errstate(invalid="ignore"):
        change, bend = far - r, far - 2.0 * near + r
    return float(np.linalg.norm(change)), float(np.linalg.norm(bend))


def quotients(
    r: Vector,
    told: Sequence[NDArray[Any]],
    h: Vector,
    one_sided: NDArray[np.bool_],
    each: int,
    scheme: str,
) -> NDArray[np.float64]:
    """The Jacobian, from the residuals at x and around it."""
    J, following = np.zeros((r.size, h.size)), iter(told)
    for i in np.flatnonzero(h):
        if scheme == "cs":
            J[:, i] = np.imag(next(following)) / h[i]
        else:
            first = next(following)
            second = next(following) if each == 2 else first
            J[:, i] = quotient(r, first, second, h[i], one_sided[i], each)
    return J


def real_column(fun: Any, each: int) -> Any:
    """A column of the Jacobian, by real differences."""

    @part
    def column(V, r, x, i, h, one_sided, lower, upper, args, told, J):
        read(V, r.trial, x)
        x[i] = differences.difference_point(x[i], h, one_sided, 0, lower, upper, each)
        r.nfev += 1
        first = fun(x, *args)
        second = first
        if each == 2:
            read(V, r.trial, x)
            x[i] = differences.difference_point(x[i], h, one_sided, 1, lower, upper, each)
            r.nfev += 1
            second = fun(x, *args)
        if first.size != told.size or second.size != told.size:
            raise ValueError("`fun` must return the same number of residuals at every point")
        for k in range(told.size):
            J[k, i] = differences.difference_quotient(
                told[k], first[k], second[k], h, one_sided, each
            )

    return column


def complex_column(fun: Any) -> Any:
    """The same by a complex step."""

    @part
    def column(V, r, x, i, h, one_sided, lower, upper, args, told, J):
        read(V, r.trial, x)
        z = x + 0j
        z[i] = complex(x[i], h)
        r.nfev += 1
        found = fun(z, *args)
        for k in range(told.size):
            J[k, i] = found[k].imag / h

    return column
