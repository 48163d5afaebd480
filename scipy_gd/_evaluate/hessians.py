"""Where Hessians come from: one class per source, as for gradients.

``at(evaluator, x, g, H)`` puts the Hessian at x, where the gradient is g, into H; `in_loop` is the
same for the compiled loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core.bits import POINTS
from .._core.jit import local
from ..arguments import Vector, matrix, vector
from . import differences
from .adaptive import OFFSET, SECOND, VALUE_AT, point_at
from .evaluator import Evaluator, Hessian, Matrix
from .gradients import Box, Source
from .loop_parts import part, read, store_hessian, store_product, symmetrize
from .residuals import GaussNewton, Residuals


def hessian_of(
    hess: Any, hessp: Any, n: int, box: Box, source: Source, measured: bool = False
) -> Hessian:
    """The source for `hess` and `hessp`; without them, it depends on the source of gradients."""
    if hess is not None:
        return GivenHessian(hess)
    if isinstance(source, Residuals) and hessp is None:
        return GaussNewton(source)
    if measured and hessp is None:
        return ValueDifferences()
    return Products(hessp) if hessp is not None else GradientDifferences(n, box)


class GivenHessian:
    """The user's function `hess`."""

    name, room = "hess", ()

    def __init__(self, hess: Callable[..., Any]) -> None:
        self.hess = hess
        self.functions = {"hess": hess}

    def at(self, evaluator: Evaluator, x: Vector, g: Vector, H: Matrix) -> None:
        """Raise TypeError or ValueError unless it is a symmetric matrix of real numbers."""
        evaluator.nhev += 1
        H[:] = matrix(self.hess(x.copy(), *evaluator.args), x.size)

    def in_loop(self, near: Any, hess: Any) -> Any:
        @part
        def hessian(V, r, x, args, budget, room):
            r.nhev += 1
            read(V, r.trial, x)
            store_hessian(V, r.hess, hess(x, *args))
            return False

        return hessian


class Products:
    """The user's function `hessp`, with every unit vector."""

    name, room = "hessp", ()

    def __init__(self, hessp: Callable[..., Any]) -> None:
        self.hessp = hessp
        self.functions = {"hessp": hessp}

    def at(self, evaluator: Evaluator, x: Vector, g: Vector, H: Matrix) -> None:
        n = x.size
        evaluator.nhev += n
        rows = [self.hessp(x.copy(), e, *evaluator.args) for e in np.eye(n)]
        H[:] = [vector(row, n, "hessp") for row in rows]
        H[:] = 0.5 * (H + H.T)

    def in_loop(self, near: Any, hessp: Any) -> Any:
        @part
        def hessian(V, r, x, args, budget, room):
            for i in range(r.n):
                read(V, r.trial, x)
                e = np.zeros(r.n)
                e[i] = 1.0
                r.nhev += 1
                store_product(V, r.hess + i, hessp(x, e, *args))
            symmetrize(V, r.hess)
            return False

        return hessian


class GradientDifferences:
    """Differences of gradients, which may be differences themselves."""

    name = "differences"

    def __init__(self, n: int, box: Box) -> None:
        self.functions: dict[str, Any] = {}
        self.room = (np.full(n, -np.inf), np.full(n, np.inf)) if box is None else box

    def at(self, evaluator: Evaluator, x: Vector, g: Vector, H: Matrix) -> None:
        steps = np.empty(x.size)
        # differences of differences: a step that suits their larger error
        order = 1 if evaluator.exact.given else 2
        differences.hessian_steps(x, *self.room, order, steps)
        H[:] = 0.0
        for i in np.flatnonzero(steps):
            point = x.copy()
            point[i] = point[i] + steps[i]
            evaluator.elsewhere(point, evaluator.exact.parts, H[i])
            with np.errstate(invalid="ignore"):
                H[i] = (H[i] - g) / steps[i]
        H[:] = 0.5 * (H + H.T)

    def in_loop(self, near: Any) -> Any:
        if near is None:
            raise ValueError("the Hessian is estimated by differences of differences")

        @part
        def hessian(V, r, x, args, budget, room):
            lower, upper = room
            for i in range(r.n):
                H = V[r.hess + i]
                H[:] = 0.0
                read(V, r.trial, x)
                h = differences.hessian_step(x[i], lower[i], upper[i], 1)
                if h != 0.0:
                    x[i] = x[i] + h
                    if near(V, r, r.hess + i, x, args, budget):
                        return True
                    for j in range(r.n):
                        H[j] = (H[j] - V[r.trial + POINTS, j]) / h
            symmetrize(V, r.hess)
            return False

        return hessian


@local
def mixed(V, r, i, j, f):
    """The mixed derivative, from the value at x + a e_i + b e_j and those at x + a e_i, ..."""
    m = r.measure
    a, b = V[m + OFFSET, i], V[m + OFFSET, j]
    second = (f - V[m + VALUE_AT, i] - V[m + VALUE_AT, j] + r.f_trial) / (a * b)
    return second if np.isfinite(second) else 0.0


@local
def movable(V, r, i):
    """Whether this parameter has a second difference."""
    return V[r.measure + OFFSET, i] != 0.0


class ValueDifferences:
    """Second differences of `fun`, around the points left by a measured gradient."""

    name, room = "values", ()

    def __init__(self) -> None:
        self.functions: dict[str, Any] = {}

    def bind(self, V: Vector, r: Any) -> None:
        """The memory of the run."""
        self.V, self.r = V, r

    def at(self, evaluator: Evaluator, x: Vector, g: Vector, H: Matrix) -> None:
        V, r = self.V, self.r
        free = [i for i in range(r.n) if movable.py_func(V, r, i)]
        pairs = [(i, j) for k, i in enumerate(free) for j in free[:k]]
        points = []
        for i, j in pairs:
            point = x.copy()
            point[i], point[j] = point_at.py_func(V, r, i, 0), point_at.py_func(V, r, j, 0)
            points.append(point)
        H[:] = np.diag(V[r.measure + SECOND])
        for (i, j), f in zip(pairs, evaluator.values(points), strict=True):
            H[i, j] = H[j, i] = mixed.py_func(V, r, i, j, f)

    def in_loop(self, value: Any) -> Any:
        @part
        def hessian(V, r, x, args, budget, room):
            count = 0
            for i in range(r.n):
                for j in range(i):
                    count += movable(V, r, i) and movable(V, r, j)
            if r.nfev + count > budget:
                return True
            for i in range(r.n):
                for j in range(r.n):
                    V[r.hess + i, j] = 0.0
                V[r.hess + i, i] = V[r.measure + SECOND, i]
                for j in range(i):
                    if movable(V, r, i) and movable(V, r, j):
                        second = mixed(V, r, i, j, value(V, r, x, i, j, args))
                        V[r.hess + i, j] = V[r.hess + j, i] = second
            return False

        return hessian
