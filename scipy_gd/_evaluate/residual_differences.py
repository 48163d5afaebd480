"""Finite differences of residuals, one column of the Jacobian at a time.

The steps are relative to |x|, or to a hundredth of its value at the previous gradient: fits have
parameters in any unit, and a parameter that passes through 0 keeps its size. One that has been 0
from the start has the size 1. By default, two extra values at the start show whether the residuals
have more noise than rounding; if so, the steps are longer, so that the differences are visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from .._core.addresses import address_of
from .._core.bits import POINTS, VALUE
from .._core.jit import call_for_number, compiled, local, opened, vector_at
from .._core.native import address_of_record
from ..arguments import Vector, complex_residuals, residuals
from . import differences
from .gradients import Args, Box, Values
from .loop_parts import part
from .residuals import Residuals, residuals_in_loop, store
from .squares import finish, kept_at

LONGEST = 1e-2
"""The longest step, relative to x."""
PLAIN = 1e-3
"""The noise, relative to a difference, that is small enough."""

quotient = differences.difference_quotient.py_func


@local
def lengthen(x, size, rel_step, abs_step):
    """The step, relative to the size of x; if there is no size, it is set."""
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


@compiled()
def seen_at(r, far, near):
    """How much residuals change in a step, and how far from linearly; both squared."""
    change = bend = 0.0
    for k in range(r.size):
        change += (far[k] - r[k]) ** 2
        bend += (far[k] - 2.0 * near[k] + r[k]) ** 2
    return change, bend


@compiled()
def lengthen_if_noisy(change, bend, rel_step, looks):
    """Make the steps longer if the change at the whole of one is not twice that at its half."""
    longest = 0.0
    for i in range(rel_step.size):
        longest = max(longest, rel_step[i])
    noisy = bend > PLAIN * PLAIN * change or change == 0.0
    for i in range(rel_step.size):
        if noisy and longest < LONGEST:
            rel_step[i] = min(10.0 * rel_step[i], LONGEST)
        else:
            looks[i] = 0.0


class ResidualDifferences(Residuals):
    """Finite differences of the residuals; "adaptive" looks for noise at the start."""

    given, rows, bounds_at = False, 8, 4

    def __init__(
        self, scheme: str, n: int, box: Box, rel_step: Any, abs_step: Any, *more: Any
    ) -> None:
        self.scheme = "2-point" if scheme == "adaptive" else scheme
        self.name = f"{self.scheme} of residuals"
        self.each = differences.POINTS_OF[self.scheme]
        self.order = 0 if scheme == "cs" else self.each
        super().__init__(None, n, *more)
        usual = differences.EPS ** (1.0 / (self.each + 1.0))
        self.steps[0] = usual if rel_step is None else rel_step
        self.steps[1] = np.nan if abs_step is None else abs_step
        self.steps[2:4] = (-np.inf,), (np.inf,)
        if box is not None and scheme != "cs":
            self.steps[2:4] = box
        self.steps[4] = 0.0 if rel_step is None and abs_step is None else np.nan
        self.steps[5] = scheme == "adaptive"

    @property
    def looking(self) -> bool:
        return bool(self.steps[5, 0])

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        first = super().points(x, part)
        return first if part == VALUE else [*first, *self.around(x)]

    def around(self, x: Vector) -> Sequence[NDArray[Any]]:
        """The points of the differences, or those that reveal the noise."""
        rel_step, abs_step, lower, upper, size, _ = self.steps
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
            self.look(*seen_at(self.r, *told))
            return True
        J = quotients(self.r, told, h, one_sided, self.each, self.scheme)
        self._keep(x, J, g)
        self.record.error_most = 0.0 if J.any() or f == 0.0 else np.inf
        return False

    def look(self, change: float, bend: float) -> None:
        """Judge what was seen at the whole of a step, and at its half."""
        lengthen_if_noisy(change, bend, self.steps[0], self.steps[5])

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
        self.steps[5] = False

    def in_loop(self, fun: Any) -> tuple[Any, Any]:  # type: ignore[override]
        evaluate = complex_in_loop(fun) if self.scheme == "cs" else real_in_loop(fun)
        following = address_of(FOLLOWING[self.scheme], types.int64, *[types.int64] * 3)

        @part
        def gradient(V, r, x, args, budget, room):
            _, _, latest, kept, walk, shift, _ = room
            at = V.ctypes.data, address_of_record(r), kept, x.ctypes.data, budget
            verdict = call_for_number(following, at)
            while verdict == EVALUATE:
                evaluate(x, args, latest, walk, shift)
                verdict = call_for_number(following, at)
            return verdict == SPENT

        return residuals_in_loop(fun), gradient


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


# --- in the compiled loop: from one point to the next, so that `fun` is called in one place

FINISHED, EVALUATE, SPENT = range(3)
BEGIN, FAR, NEAR, ALONG = range(4)
"""What was evaluated last: nothing; the whole of all steps, or half of it; a column's point."""


def real_in_loop(fun: Any) -> Any:
    @part
    def evaluate(x, args, latest, walk, shift):
        store(latest, fun(x, *args))

    return evaluate


def complex_in_loop(fun: Any) -> Any:
    @part
    def evaluate(x, args, latest, walk, shift):
        z = x + 0j
        z[walk[1]] = complex(x[walk[1]], shift[0])
        store(latest, fun(z, *args).imag)

    return evaluate


@local
def step_of(V, r, steps, i, each):
    return differences.difference_step(
        V[r.trial, i], steps[0, i], steps[1, i], steps[2, i], steps[3, i], each
    )


@local
def calls_of(V, r, steps, each):
    calls = 0
    for i in range(r.n):
        h, _ = step_of(V, r, steps, i, each)
        calls += each * (h != 0.0)
    return calls


@local
def follow(V, r, kept, x, budget, each, imaginary):
    """Process the result at the last point; go to the next one."""
    steps, latest, earlier, walk = kept.steps, kept.latest, kept.earlier, kept.walk
    stage, i, k = walk[0], walk[1], walk[2]
    if stage == ALONG:
        if k == 0:
            copy_values(earlier, latest)
        if k == each - 1:
            h, one_sided = step_of(V, r, steps, i, each)
            column(kept.J, i, kept.r, earlier, latest, h, one_sided, each, imaginary)
        return next_point(V, r, kept, x, each, imaginary)
    if stage == FAR:
        copy_values(earlier, latest)
        return look_from(V, r, x, steps, walk, NEAR, 0.5)
    if stage == NEAR:
        change, bend = seen_at(kept.r, earlier, latest)
        lengthen_if_noisy(change, bend, steps[0], steps[5])
    walk[0], walk[1], walk[2] = BEGIN, -1, each - 1
    lengthen(V[r.trial], steps[4], steps[0], steps[1])
    looks = steps[5, 0] != 0.0
    if r.nfev + (2 if looks else calls_of(V, r, steps, each)) > budget:
        return SPENT
    if looks:
        return look_from(V, r, x, steps, walk, FAR, 1.0)
    r.njev += 1
    return next_point(V, r, kept, x, each, imaginary)


@local
def copy_values(to, values):
    for k in range(to.size):
        to[k] = values[k]


@local
def look_from(V, r, x, steps, walk, stage, share):
    """A fraction of the sum of all steps."""
    for i in range(r.n):
        h, _ = step_of(V, r, steps, i, 1)
        x[i] = V[r.trial, i] + share * h
    walk[0] = stage
    r.nfev += 1
    return EVALUATE


@local
def next_point(V, r, kept, x, each, imaginary):
    J, steps, walk = kept.J, kept.steps, kept.walk
    i, k = walk[1], walk[2] + 1
    if k == each:
        i, k = next_column(V, r, J, steps, i + 1, each), 0
    if i == r.n:
        walk[0] = BEGIN
        finish(kept, V[r.trial + POINTS])
        r.error_most = 0.0 if seen(J) or r.f_trial == 0.0 else np.inf
        return FINISHED
    for j in range(r.n):
        x[j] = V[r.trial, j]
    h, one_sided = step_of(V, r, steps, i, each)
    kept.shift[0] = h
    if not imaginary:
        x[i] = differences.difference_point(x[i], h, one_sided, k, steps[2, i], steps[3, i], each)
    walk[0], walk[1], walk[2] = ALONG, i, k
    r.nfev += 1
    return EVALUATE


@local
def next_column(V, r, J, steps, i, each):
    """The first from i on whose parameter can move; those that cannot are 0."""
    while i < r.n:
        h, _ = step_of(V, r, steps, i, each)
        if h != 0.0:
            break
        for k in range(J.shape[1]):
            J[i, k] = 0.0
        i += 1
    return i


@local
def column(J, i, told, first, second, h, one_sided, each, imaginary):
    for k in range(told.size):
        if imaginary:
            J[i, k] = second[k] / h
        else:
            J[i, k] = differences.difference_quotient(
                told[k], first[k], second[k], h, one_sided, each
            )


def following(each: int, imaginary: bool) -> Any:
    def to_the_next_point(memory, record, address, x, budget):
        V, r = opened(memory, record)
        return follow(V, r, kept_at(address), vector_at(x, r.n), budget, each, imaginary)

    return to_the_next_point


FOLLOWING = {
    "2-point": following(1, False),
    "3-point": following(2, False),
    "cs": following(1, True),
}
