"""Sums of squares over blocks: residuals and Jacobian are never in one place.

For each block, a pass keeps the objective, the gradient J'(w r) and, if wanted, the matrix J'(w J);
these add up. At the end, the triangles R of the blocks' QR factors give that of the whole J, so
that the errors of the parameters do not suffer from the square of its condition number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.bits import GRADIENT, VALUE
from .._core.many import FACTOR, FOR_PYTHON
from .._options import LOSSES
from ..arguments import Vector, complex_residuals, jacobian, residuals, residuals_and_jacobian
from .differences import EPS
from .evaluator import Evaluator, Matrix
from .gradients import Args, Values
from .residual_differences import ResidualDifferences, quotients, seen_at
from .residuals import Residuals, same_number
from .squares import triangle_of, weighed

COST, NOISE, SLOPE, CURVATURE, TRIANGLE = range(5)
"""What a pass finds: the last three the gradient, and the squares of J's columns, J'(w J) or R."""

Points = Sequence[NDArray[Any]]


class Asked(NamedTuple):
    """What is to be found, at the first point with the help of the others."""

    what: int
    points: Points
    differences: tuple[Any, ...]  # the last arguments of `quotients`


class Triangle:
    """R of the QR factors of a block's Jacobian; a sum has that of both blocks."""

    def __init__(self, R: Matrix) -> None:
        self.R = R

    def __add__(self, other: Triangle) -> Triangle:
        both = np.vstack([self.R, other.R])
        return Triangle(triangle_of(both.T.copy(), np.ones(len(both))))


class SquaresOf:
    """What is asked, for one block: the number of residuals, the cost, the gradient, and more.

    `jac` is a function, True, or the name of a scheme of differences.
    """

    def __init__(self, fun: Any, jac: Any, loss: str, f_scale: float) -> None:
        self.fun, self.jac, self.settings = fun, jac, np.array([LOSSES.index(loss), f_scale])

    def __call__(self, asked: Asked, *args: Any) -> tuple[Any, ...]:
        what, points, differences = asked
        if what == COST:
            told = [self.told(x, args) for x in points]
            return told[0].size, np.array([self.weighed(r)[1] for r in told])
        if what == NOISE:
            r = self.told(points[0], args)
            change, bend = seen_at(r, *(self.told(x, args, r.size) for x in points[1:]))
            return change, bend
        r, J = self.linearized(points, differences, args)
        w, cost = self.weighed(r)
        with np.errstate(all="ignore"):
            g = J.T @ (w * r)
            if what == SLOPE:
                return r.size, cost, g, np.einsum("ij,ij->j", J, J)
            if what == TRIANGLE:
                return r.size, cost, g, Triangle(triangle_of(J.T.copy(), w))
            root = J if self.settings[0] == 0.0 else np.sqrt(w)[:, np.newaxis] * J
            return r.size, cost, g, root.T @ root

    def told(self, x: NDArray[Any], args: Args, like: int = 1) -> NDArray[Any]:
        """The residuals, as many as elsewhere; a single NaN if they are undefined."""
        found = self.fun(x.copy(), *args)
        if np.iscomplexobj(x):
            r = complex_residuals(found)
        else:
            real = residuals(residuals_and_jacobian(found)[0] if self.jac is True else found)
            r = np.full(1, np.nan) if real is None else np.ascontiguousarray(real)
        if 1 not in (like, r.size):
            same_number(r.size, like)
        return r

    def weighed(self, r: Vector) -> tuple[Vector, float]:
        """The weights of residuals, and the objective."""
        w = np.empty(r.size)
        return w, float(weighed(self.settings, r, w))

    def linearized(
        self, points: Points, differences: tuple[Any, ...], args: Args
    ) -> tuple[Vector, Matrix]:
        """Residuals and Jacobian; both are NaN if a residual is not finite."""
        x = points[0]
        if self.jac is True:
            found, J = residuals_and_jacobian(self.fun(x.copy(), *args))
            r = residuals(found)
        else:
            r, J = self.told(x, args), None
        if r is None or not np.isfinite(r).all():
            return np.full(1, np.nan), np.full((1, x.size), np.nan)
        if callable(self.jac):
            J = self.jac(x.copy(), *args)
        elif J is None:
            around = [self.told(y, args, r.size) for y in points[1:]]
            return r, quotients(r, around, *differences)
        return np.ascontiguousarray(r), np.ascontiguousarray(jacobian(J, r.size, x.size))


class SquaresSum:
    """`fun` of an evaluator: what a pass finds, for each of its points.

    The source sets `what` the next pass should find; otherwise that is the cost.
    """

    def __init__(self, summed: Callable[[Asked], Any], along: bool, curved: bool) -> None:
        self.summed, self.along = summed, along
        self.linear = CURVATURE if curved else SLOPE
        self.what, self.differences = COST, tuple[Any, ...]()

    def __call__(self, x: Vector) -> Any:
        return self.at([x])[0]

    def at(self, points: Points) -> Sequence[Any]:
        what, self.what = self.what, COST
        found = self.summed(Asked(what, points, self.differences))
        if what == COST:
            return [(found[0], cost) for cost in found[1]]
        return [found] * len(points)


class ResidualSums(Residuals):
    """Sums over the blocks; `jac` is given. `found` is from the last pass, if it has a gradient.

    In the end there is R, which has the covariance of the whole Jacobian.
    """

    name, whole, count = "residual sums", False, 0
    passes: SquaresSum
    found: tuple[Any, ...] | None = None

    def __init__(self, passes: SquaresSum, *how: Any) -> None:
        super().__init__(None, *how)
        self.passes, self.linear, self.R = passes, passes.linear, np.empty((0, 0))

    def errors(self, run: Any, x: Vector) -> tuple[int, Matrix]:
        if not (np.array_equal(self.x, x) and np.isfinite(self.R).all()):
            return FOR_PYTHON, self.R
        error = max(
            float(self.steps[0].max()) ** self.order if self.order else 0.0, EPS * self.count
        )
        return FACTOR, np.vstack([self.R, np.full((1, x.size), error)])

    def points(self, x: Vector, part: int) -> Points:
        if part == GRADIENT and np.array_equal(self.at, x) and self.found is not None:
            return ()
        self.at[:], self.found = x, None
        if part == GRADIENT or self.passes.along:
            self.passes.what = self.linear
        return (x.copy(),)

    def value(self, values: Values, g: Vector) -> float:
        count, cost, *linear = values[0]
        if np.isfinite(cost):
            self._same(count)
        self.found = values[0] if linear else None
        return float(cost)

    def _same(self, m: int) -> None:
        same_number(m, self.count or m)
        self.count = m

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool | None:
        if values:
            self.value(values, g)
        assert self.found is not None
        *_, g[:], square = self.found
        if isinstance(square, Triangle):
            self.x[:], self.R = x, square.R
        self.square = square
        return None

    def complete(self, evaluator: Evaluator, x: Vector) -> None:
        self.linear, self.found = TRIANGLE, None
        evaluator.elsewhere(x, GRADIENT, np.empty(x.size))

    def curvature(self, H: Matrix) -> None:
        H[:] = self.square


class ResidualPairSums(ResidualSums):
    """The same, of `fun` that returns residuals and Jacobian."""

    parts, gradients, counts = VALUE, 1, False


class ResidualDifferenceSums(ResidualSums, ResidualDifferences):
    """The same by differences, all of whose points are evaluated in one pass."""

    def __init__(self, passes: SquaresSum, *how: Any) -> None:
        ResidualDifferences.__init__(self, *how)
        self.passes, self.linear, self.R = passes, passes.linear, np.empty((0, 0))

    def points(self, x: Vector, part: int) -> Points:
        self.at[:], self.found = x, None
        if part == VALUE:
            return (x.copy(),)
        around, looking = self.around(x), self.looking
        self.passes.what = NOISE if looking else self.linear
        self.passes.differences = (*self.taken, self.each, self.scheme)
        return [x.copy(), *around]

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool:
        if self.looking:
            self.look(*values[0])
            return True
        super().gradient(values, x, f, g, args)
        if self.linear != TRIANGLE:
            self.record.error_most = 0.0 if np.any(self.square) or f == 0.0 else np.inf
        return False
