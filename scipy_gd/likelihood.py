"""A fit as a likelihood: the function that was minimized, and its profile along one parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import brentq, least_squares, minimize

from .arguments import matrix, real_numbers, scalar, vector
from .methods import lbfgs

__all__ = ["Objective", "Profile"]

Array = NDArray[np.float64]
STRIDES = 12  # ever longer ones, if the profile does not rise
XTOL = 3e-4  # of the way, and of its height
GTOL = 3e-4  # with the parameters in units of their errors, and c in that of the variance
FTOL = 1e-7  # in units of the variance
QUIET = 1e-12  # and in those of c: noise that is rounding
DEEPER = 1e-3  # in units of the variance: what is lower than that is another minimum


class Objective:
    """The user's functions, with counts: c is fun, half a chi-square, or half a sum of squares.

    A call returns how much higher c is than at `x`, or inf if it has no value. For residuals, this
    is ``(r - r0) @ (r + r0) / 2``, which loses fewer digits than a difference of sums.
    """

    def __init__(
        self, fun: Any, jac: Any, hess: Any, args: tuple[Any, ...], kind: str, x: Array
    ) -> None:
        self.fun, self.jac, self.hess, self.args, self.kind = fun, jac, hess, args, kind
        self.nfev = self.njev = self.nhev = 0
        self.half = 1.0 if kind == "nll" else 0.5
        self.count: int | None = None  # of the residuals
        self.origin = self._parts(self._call(x))[0]
        if not np.isfinite(self.origin).all():
            raise ValueError("`fun` must be finite at `res`, got inf or NaN")
        self.count = self.origin.size if isinstance(self.origin, np.ndarray) else None

    @property
    def f(self) -> float:
        """The value at the origin; for residuals, the sum of their squares."""
        return float(self.origin if self.count is None else self.origin @ self.origin)

    def __call__(self, x: Array) -> float:
        value = self.value(x)
        if self.count is None:
            rise = self.half * (value - self.origin)
        else:
            rise = (value - self.origin) @ (value + self.origin) / 2
        return float(rise) if np.isfinite(rise) else np.inf

    def value(self, x: Array) -> Any:
        """What `fun` returns; NaN if it has no value."""
        try:
            found = self._call(x)
        except (ArithmeticError, ValueError):  # the domain of math.log, an indefinite matrix
            return np.full(np.shape(self.origin), np.nan)
        return self._parts(found)[0]

    def gradient(self, x: Array) -> Array:
        """The gradient of c, by `jac`."""
        value, derivative = self._derived(x)
        if self.count is None:
            return self.half * vector(derivative, x.size)
        value = self.value(x) if value is None else value
        return np.asarray(self._matrix(derivative, x.size).T @ value)

    def jacobian(self, x: Array) -> Array:
        """The Jacobian of the residuals, by `jac`."""
        return self._matrix(self._derived(x)[1], x.size)

    def hessian(self, x: Array) -> Array:
        """The Hessian of c, by `hess`."""
        self.nhev += 1
        return self.half * np.asarray(matrix(self.hess(x.copy(), *self.args), x.size))

    def _call(self, x: Array) -> Any:
        self.nfev += 1
        return self.fun(x.copy(), *self.args)

    def _parts(self, found: Any) -> tuple[Any, Any]:
        """The value, checked, and the derivative if `fun` returns it too."""
        if self.jac is not True:
            return self._checked(found), None
        if not (isinstance(found, tuple | list) and len(found) == 2):
            raise TypeError(
                f"`fun` must return (value, derivative) when `jac` is True, got {found!r:.60}"
            )
        return self._checked(found[0]), found[1]

    def _checked(self, found: Any) -> Any:
        """A float, or a vector of as many residuals as at the origin."""
        given = real_numbers(found)
        single = given is None or given.size == 1
        if self.kind == "nll" or (self.kind == "chi2" and single):
            return scalar(found)
        if given is None or single or given.ndim != 1 or self.count not in (None, given.size):
            got = f"{found!r:.60}" if given is None else f"shape {given.shape}"
            number = "m > 1" if self.count is None else self.count
            raise ValueError(
                f"`fun` must return a vector of {number} residuals for kind={self.kind!r}, "
                f"got {got}"
            )
        return np.array(given, float)

    def _derived(self, x: Array) -> tuple[Any, Any]:
        """The derivative, and the value if `fun` returns both."""
        self.njev += 1
        return (
            self._parts(self._call(x))
            if self.jac is True
            else (None, self.jac(x.copy(), *self.args))
        )

    def _matrix(self, derivative: Any, n: int) -> Array:
        given = real_numbers(derivative.toarray() if hasattr(derivative, "toarray") else derivative)
        if given is None or given.shape != (self.count, n):
            got = "something else" if given is None else f"shape {given.shape}"
            raise ValueError(
                f"`jac` must return the Jacobian of the residuals, shape ({self.count}, {n}), "
                f"got {got}"
            )
        return np.array(given, float)


@dataclass
class Profile:
    """The lowest c at each value of one parameter, and where it has risen to a given height.

    Parameters
    ----------
    objective, x, box
        What was minimized, where, and within which bounds.
    hessian : ndarray, shape (n, n)
        The Hessian of c; 0 in the rows of parameters for which it is not known.
    unit : ndarray, shape (n,)
        The step length along each parameter.
    variance : float
        c rises by half of this at one standard error.
    noise : float
        The errors of c; 0 if they are not known.
    """

    objective: Objective
    x: Array
    box: tuple[Array, Array]
    hessian: Array
    unit: Array
    variance: float
    noise: float
    lowest: float = 0.0
    where: Array | None = None

    def curve(self, i: int, values: Array) -> Array:
        """The heights, in units of the variance, at values of a parameter; inf outside the box."""
        heights = np.full(values.size, np.inf)
        inside = (self.box[0][i] <= values) & (values <= self.box[1][i])
        for side in (inside & (values >= self.x[i]), inside & (values < self.x[i])):
            point = self.x
            for k in sorted(np.flatnonzero(side), key=lambda k: abs(values[k] - self.x[i])):
                heights[k], point = self._best(i, values[k], point)
        return heights

    def crossing(self, i: int, side: int, z: float, first: float) -> float:
        """Where the height is ``z**2 / 2``, above or below x; infinite if there is no such point.

        `first` is where it is expected. The signed square root of the height is nearly linear.
        """
        middle = float(self.x[i])
        limit = float(self.box[(side + 1) // 2][i])
        known: dict[float, tuple[float, Array]] = {middle: (0.0, self.x)}

        def excess(v: float) -> float:
            if v not in known:
                start = known[min(known, key=lambda u: abs(u - v))][1]
                height, point = self._best(i, v, start)
                known[v] = math.sqrt(2 * max(height, 0.0)), point
            return min(known[v][0], 4 * z) - z

        inside, stride = middle, first
        for _ in range(STRIDES):
            outside = side * min(side * (middle + side * stride), side * limit)
            missing = excess(outside)
            if abs(missing) < XTOL * z:
                return outside
            if missing > 0:
                tolerance = XTOL * abs(outside - middle)
                return float(brentq(excess, inside, outside, xtol=tolerance))
            if outside == limit:
                break
            inside = outside
            stride *= min(max(1.1 * z / (z + missing + 1e-3 * z), 1.2), 4.0)
        return side * np.inf

    def _best(self, i: int, v: float, near: Array) -> tuple[float, Array]:
        """Minimize over the other parameters, from a nearby point; the height, and where."""
        free = self.box[0] < self.box[1]
        free[i] = False
        others = np.flatnonzero(free)
        start = near.copy()
        start[others] += self._slope(i, others) * (v - near[i])
        start = np.clip(start, *self.box)
        start[i] = v
        height = self.objective(start)
        if others.size and height < np.inf:
            start = self._minimum(start, others)
            height = self.objective(start)
        height /= self.variance
        if height < self.lowest - DEEPER:
            self.lowest, self.where = height, start
        return height, start

    def _scaled(self) -> Array:
        return np.asarray(self.hessian * np.outer(self.unit, self.unit))

    def _slope(self, i: int, others: NDArray[np.intp]) -> Array:
        """How the others move with one parameter."""
        H = self._scaled()
        slope = np.linalg.lstsq(H[np.ix_(others, others)], -H[others, i], rcond=1e-12)[0]
        return np.asarray(slope * self.unit[others] / self.unit[i])

    def _frame(self, others: NDArray[np.intp]) -> Array:
        """Axes of equal curvature; with bounds, the axes of the parameters."""
        unit = self.unit[others]
        if all(np.isinf(side[others]).all() for side in self.box):
            try:
                R = np.linalg.cholesky(self._scaled()[np.ix_(others, others)])
            except np.linalg.LinAlgError:
                pass
            else:
                return np.asarray(
                    unit[:, np.newaxis] * solve_triangular(R, np.eye(unit.size), lower=True).T
                )
        return np.diag(unit)

    def _minimum(self, start: Array, others: NDArray[np.intp]) -> Array:
        c, frame = self.objective, self._frame(others)
        low, high = ((side[others] - start[others]) / self.unit[others] for side in self.box)
        zeros = np.zeros(others.size)
        root = math.sqrt(self.variance)

        def at(y: Array) -> Array:
            x = start.copy()
            x[others] += frame @ y
            return np.clip(x, *self.box)

        if c.count is not None:

            def residual_slopes(y: Array) -> Array:
                return np.asarray(c.jacobian(at(y))[:, others] @ frame / root)

            y = least_squares(
                lambda y: c.value(at(y)) / root,
                zeros,
                jac=residual_slopes if c.jac else "2-point",
                bounds=(low, high),
                ftol=FTOL / (c.f / self.variance + 1),
                gtol=FTOL,
            ).x
        else:
            noise = "auto" if self.noise == 0 else 0.0 if self.noise < QUIET else self.noise

            def slopes(y: Array) -> Array:
                return np.asarray(frame.T @ c.gradient(at(y))[others] / self.variance)

            y = minimize(
                lambda y: c(at(y)) / self.variance,
                zeros,
                jac=slopes if c.jac else None,
                method=lbfgs,
                bounds=list(zip(low, high, strict=True)),
                options={"gtol": GTOL, "noise": noise},
            ).x
        return at(y)
