"""Sums of squares: gradients from residuals and their Jacobian.

The objective is ``1/2 sum C^2 rho((r / C)^2)`` with a loss rho, as in SciPy's `least_squares`; its
gradient is J'(w r) with the weights w = rho', and J'(w J) takes the place of the Hessian (Gauss and
Newton; the term with rho'' is left out, so that the matrix has no negative eigenvalue).

`Residuals` is a source of gradients, one class for each way in which Jacobians come. It keeps the
residuals of the last value, and those and the Jacobian of the last gradient. `GaussNewton` is the
source of Hessians that goes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.bits import GRADIENT, POINTS, VALUE
from .._core.jit import FAST, compiled, local
from .._options import LOSSES
from ..arguments import (
    Vector,
    jacobian,
    residuals,
    residuals_and_jacobian,
)
from . import differences
from .evaluator import Evaluator, Matrix
from .gradients import Args, Values, value_in_loop
from .loop_parts import part, read

TINY = 1e-280
"""A square whose inverse would overflow: no part of the column."""
ROWS = 256
"""Of a block of the Jacobian that is factorized at once."""


@local
def rho(loss, z):
    """The loss of a square, and its derivative."""
    if loss == 1:
        root = np.sqrt(1.0 + z)
        return 2.0 * (root - 1.0), 1.0 / root
    if loss == 2 and z > 1.0:
        root = np.sqrt(z)
        return 2.0 * root - 1.0, 1.0 / root
    if loss == 3:
        return np.log1p(z), 1.0 / (1.0 + z)
    if loss == 4:
        return np.arctan(z), 1.0 / (1.0 + z * z)
    return z, 1.0


@local
def weigh(loss, scale, r, w):
    """The objective; the weights of the residuals into `w`."""
    total = 0.0
    for k in range(r.size):
        cost, w[k] = rho(loss, (r[k] / scale) ** 2)
        total += cost
    return 0.5 * scale * scale * total


@local
def slope(J, w, r, g):
    """J'(w r)."""
    m, n = J.shape
    for i in range(n):
        g[i] = 0.0
    for k in range(m):
        weighted = w[k] * r[k]
        for i in range(n):
            g[i] += J[k, i] * weighted


@local
def curvature(J, w, V, row):
    """J'(w J), into the rows from `row` on; four rows of J at a time, which is faster."""
    m, n = J.shape
    for i in range(n):
        for j in range(n):
            V[row + i, j] = 0.0
    whole = m - m % 4
    for k in range(0, whole, 4):
        for i in range(n):
            a, b = w[k] * J[k, i], w[k + 1] * J[k + 1, i]
            c, d = w[k + 2] * J[k + 2, i], w[k + 3] * J[k + 3, i]
            for j in range(i + 1):
                first, second = a * J[k, j] + b * J[k + 1, j], c * J[k + 2, j] + d * J[k + 3, j]
                V[row + i, j] += first + second
    for k in range(whole, m):
        for i in range(n):
            for j in range(i + 1):
                V[row + i, j] += w[k] * J[k, i] * J[k, j]
    for i in range(n):
        for j in range(i):
            V[row + j, i] = V[row + i, j]


@compiled()
def cost_of(loss, scale, r, w):
    return weigh(loss, scale, r, w)


@compiled()
def slope_of(J, w, r, g):
    slope(J, w, r, g)


@compiled()
def curvature_of(J, w, H):
    curvature(J, w, H, 0)


@compiled(_nrt=True, **FAST)
def triangle(J, w):
    """R of the QR factors of J with its rows times sqrt(w): Householder's, block after block.

    (LAPACK's copies a large J several times.)
    """
    m, n = J.shape
    R, block, unit = np.zeros((n, n)), np.empty((n, ROWS)), np.zeros(n)
    for k in range(m):
        for i in range(n):
            unit[i] = max(unit[i], abs(J[k, i]))
    for first in range(0, m, ROWS):
        count = min(ROWS, m - first)
        for k in range(count):
            root = np.sqrt(w[first + k])
            for i in range(n):
                block[i, k] = root * J[first + k, i] / unit[i] if unit[i] > 0.0 else 0.0
        for i in range(n):
            square = 0.0
            for k in range(count):
                square += block[i, k] ** 2
            if square < TINY:
                continue
            length = np.sqrt(R[i, i] ** 2 + square)
            length = -length if R[i, i] > 0.0 else length
            top, factor = R[i, i] - length, 1.0 / (length * (length - R[i, i]))
            R[i, i] = length
            for j in range(i + 1, n):
                along = top * R[i, j]
                for k in range(count):
                    along += block[i, k] * block[j, k]
                along *= factor
                R[i, j] -= along * top
                for k in range(count):
                    block[j, k] -= along * block[i, k]
    for i in range(n):
        for j in range(i, n):
            R[i, j] *= unit[j]
    return R


class Residuals:
    """The user's residual function, with its Jacobian from `jac`.

    `f_scale` is the C of the loss. Where the data change from one evaluation to the next
    (`varying`), so may their number.

    Attributes
    ----------
    at, r, w : ndarray
        The point of the last value, the residuals there, shape (m,), and their weights.
    x, residuals, weights, J : ndarray
        The same of the last gradient, and the Jacobian, shape (m, n).
    """

    parts, given = VALUE | GRADIENT, True
    gradients, counts, near = 0, True, True
    name, whole = "jacobian", True  # whether residuals and J are those of all data

    @property
    def error(self) -> float:
        """About how large the errors of the Jacobian are, relative to its columns."""
        return differences.EPS * max(self.J.shape)

    def __init__(
        self, jac: Any, n: int, loss: str = "linear", f_scale: float = 1.0, varying: bool = False
    ) -> None:
        self.jac, self.functions = jac, {} if jac is None else {"jac": jac}
        self.settings, self.varying = np.array([LOSSES.index(loss), f_scale]), varying
        self.at, self.x = np.full(n, np.nan), np.full(n, np.nan)
        self._resize(0)

    def _resize(self, m: int) -> None:
        self.r, self.w, self.residuals, self.weights = (np.empty(m) for _ in range(4))
        self.J = np.empty((m, self.x.size))

    @property
    def kept(self) -> Any:
        """What the compiled loop reads and writes."""
        told = self.settings, self.at, self.r, self.w
        return *told, self.x, self.residuals, self.weights, self.J

    @property
    def room(self) -> Any:
        return (self.kept,)

    def calls(self, part: int) -> int:
        return int(part == VALUE)

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        if part == VALUE:
            self.at[:] = x
            return (x.copy(),)
        return () if np.array_equal(self.at, x) else self.points(x, VALUE)

    def value(self, values: Values, g: Vector) -> float:
        found = residuals(values[0])
        if found is None:  # undefined as a whole
            return float("nan")
        if self.varying or not self.r.size:
            self._resize(found.size)
        self._same(found.size)
        self.r[:] = found
        return float(cost_of(*self.settings, self.r, self.w))

    def _same(self, m: int) -> None:
        same_number(m, self.r.size)

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool | None:
        if values:
            self.value(values[:1], g)
        self._keep(x, jacobian(self.jac(x.copy(), *args), self.r.size, x.size), g)
        return None

    def _keep(self, x: Vector, J: Matrix | float, g: Vector) -> None:
        """The Jacobian, with all that belongs to it; the gradient into `g`."""
        self.x[:], self.J[:] = x, J
        self.residuals[:], self.weights[:] = self.r, self.w
        slope_of(self.J, self.weights, self.residuals, g)

    def bind(self, record: Any) -> None:
        """The record of the run."""
        self.record = record

    @property
    def count(self) -> int:
        """How many residuals there are."""
        return self.residuals.size

    def complete(self, evaluator: Evaluator, x: Vector) -> None:
        """The residuals and the Jacobian at x, if they are not known."""
        if not np.array_equal(self.x, x):
            evaluator.elsewhere(x, VALUE | GRADIENT, np.empty(x.size))

    def curvature(self, H: Matrix) -> None:
        """J'(w J), into H."""
        curvature_of(self.J, self.weights, H)

    def carried(self, g: Vector) -> None:
        """J'(w r) with the last residuals and the last Jacobian, which is of another point."""
        slope_of(self.J, self.weights, self.r, g)

    def save(self) -> dict[str, Vector]:
        """What the next step needs: for an acceleration, the last Jacobian and its residuals."""
        names = ("x", "residuals", "weights", "J") if self.record.accelerate else ()
        return {name: getattr(self, name).copy() for name in names}

    def load(self, kept: Any) -> None:
        if "J" in kept:
            self._resize(len(kept["J"]))
        for name, value in kept.items():
            getattr(self, name)[:] = value

    def in_loop(self, fun: Any, jac: Any) -> tuple[Any, Any]:
        @part
        def gradient(V, r, x, args, budget, room):
            r.njev += 1
            read(V, r.trial, x)
            store_jacobian(room[0], jac(x, *args))
            keep(V, r, room[0])
            return False

        return residuals_in_loop(fun), gradient


class ResidualsPair(Residuals):
    """`fun` returns the residuals and their Jacobian."""

    name, parts, gradients, counts = "residuals, jacobian", VALUE, 1, False

    def __init__(self, n: int, *more: Any) -> None:
        super().__init__(None, n, *more)

    def _resize(self, m: int) -> None:
        super()._resize(m)
        self.found = np.empty_like(self.J)

    @property
    def room(self) -> Any:
        return self.kept, self.found

    def value(self, values: Values, g: Vector) -> float:
        r, J = residuals_and_jacobian(values[0])
        f = super().value((r,), g)
        self.found[:] = jacobian(J, self.r.size, self.x.size)
        return f

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool | None:
        if values:
            self.value(values, g)
        self._keep(x, self.found, g)
        return None

    def in_loop(self, fun: Any) -> tuple[Any, Any]:  # type: ignore[override]
        @part
        def evaluate(V, r, x, args, room):
            found, jacobian = fun(x, *args)
            r.f_trial = store(room[0], V[r.trial], found)
            room[1][:] = jacobian

        @part
        def gradient(V, r, x, args, budget, room):
            store_jacobian(room[0], room[1])
            keep(V, r, room[0])
            return False

        return value_in_loop(evaluate, 1), gradient


def same_number(m: int, first: int) -> None:
    if m != first:
        raise ValueError(
            f"`fun` must return the same number of residuals at every point: {first} at first, "
            f"now {m}"
        )


class GaussNewton:
    """J'(w J), from what the gradient has left."""

    name = "Gauss-Newton"

    def __init__(self, source: Residuals) -> None:
        self.source = source
        self.functions: dict[str, Any] = {}

    @property
    def room(self) -> Any:
        return self.source.kept

    def at(self, evaluator: Evaluator, x: Vector, g: Vector, H: Matrix) -> None:
        self.source.curvature(H)

    def in_loop(self, near: Any) -> Any:
        @part
        def hessian(V, r, x, args, budget, room):
            curvature(room[-1], room[-2], V, r.hess)
            return False

        return hessian


def as_sum(fun: Any, jac: Any) -> tuple[Any, Any]:
    """Half of the sum of squares as `fun`, and its gradient as `jac`."""

    def value(x: Vector, *args: Any) -> float:
        r = np.asarray(fun(x, *args)[0] if jac is True else fun(x, *args))
        return 0.5 * float(r @ r)

    def gradient(x: Vector, *args: Any) -> Vector:
        r, J = fun(x, *args) if jac is True else (fun(x, *args), jac(x, *args))
        return np.asarray(J.T @ np.asarray(r))

    return value, gradient


# --- in the compiled loop; its `room` is a tuple that begins with `Residuals.kept`


@part
def store(kept, at, found):
    """The residuals at a point; the objective."""
    settings, point, r, w = kept[:4]
    if found.size != r.size:
        raise ValueError("`fun` must return the same number of residuals at every point")
    for i in range(point.size):
        point[i] = at[i]
    for k in range(r.size):
        r[k] = found[k]
    return weigh(settings[0], settings[1], r, w)


def residuals_in_loop(fun: Any) -> Any:
    @part
    def evaluate(V, r, x, args, room):
        r.f_trial = store(room[0], V[r.trial], fun(x, *args))

    return value_in_loop(evaluate)


@part
def store_jacobian(kept, found):
    J = kept[-1]
    if found.shape != J.shape:
        raise ValueError("`jac` must return an array of shape (m, n), for m residuals")
    J[:] = found


@part
def keep(V, r, kept):
    """What belongs to a new Jacobian; the gradient."""
    _, at, told, w, x, residuals, weights, J = kept
    for i in range(r.n):
        x[i] = at[i]
    for k in range(told.size):
        residuals[k], weights[k] = told[k], w[k]
    slope(J, weights, residuals, V[r.trial + POINTS])


@part
def carried_in_loop(V, r, room):
    kept = room[0]
    slope(kept[-1], kept[-2], kept[2], V[r.trial + POINTS])
