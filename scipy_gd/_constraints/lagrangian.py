"""The augmented Lagrangian: what an inner run minimizes.

    L(x) = weight f(x) + sum_i rho_i r_i^2 / 2,    r = t - P(t),    t = c(x) + y / rho

P projects onto the limits of the rows, so that one formula covers equations, inequalities and
ranges (R. T. Rockafellar, "Augmented Lagrange multiplier functions and duality in nonconvex
programming", SIAM J. Control 12, 268-285, 1974, https://doi.org/10.1137/0312021). Its gradient is
that of the Lagrangian ``weight f + y'c`` with the multipliers ``rho r``, the next y. Sums of
squares remain sums of squares: each row adds one residual.

A row that must stay feasible has a barrier instead, ``-mu (log(upper - c) + log(c - lower))``, and
f is never called beyond its limits.

Only `Terms`, the last of `args`, changes from one inner run to the next, so functions are compiled
once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from .._core.jit import compiled
from .._evaluate.wrapped import dense, wrapped
from ..arguments import Vector, pair, scalar, vector
from .derivatives import Near
from .products import pulled


class Terms(NamedTuple):
    """``(y, rho, mu, lower, upper)``; the weight of f; of differences, their points.

    `data` is the content of compiled rows.
    """

    rows: tuple[Vector, Vector, Vector, Vector, Vector]
    weight: float
    near: Near
    data: Any


@compiled()
def multipliers(c: Any, rows: Any, following: Any) -> Any:
    """The next multipliers; return the penalty, NaN beyond a strict limit."""
    y, rho, mu, lower, upper = rows
    total = 0.0
    for i in range(c.size):
        if mu[i] > 0.0:
            above, below = c[i] - lower[i], upper[i] - c[i]
            if not (above > 0.0 and below > 0.0):
                return np.nan
            following[i] = mu[i] / below - mu[i] / above  # 0 for a limit that is infinite
            logs = np.log(above) if above < np.inf else 0.0
            logs += np.log(below) if below < np.inf else 0.0
            total -= 2.0 * mu[i] * logs
            continue
        t = c[i] + y[i] / rho[i]
        r = t - min(max(t, lower[i]), upper[i])
        following[i] = rho[i] * r
        total += following[i] * r
    return 0.5 * total


@register_jitable  # type: ignore[untyped-decorator]
def following(c: Any, rows: Any) -> Any:
    """The penalty, and the next multipliers."""
    y = np.empty(c.size)
    penalty = multipliers(c, rows, y)
    return penalty, y


def bend(c: Vector, rows: Any, y: Vector) -> Vector:
    """The second derivatives of the penalty with respect to c."""
    _, rho, mu, lower, upper = rows
    kept = mu > 0.0
    above, below = np.where(kept, c - lower, 1.0), np.where(kept, upper - c, 1.0)
    return np.asarray(np.where(kept, mu / above**2 + mu / below**2, rho * (y != 0.0)))


def functions(
    fun: Any, jac: Any, slope: Any, rows: Any, derivatives: Any, residuals: bool
) -> tuple[Any, Any]:
    """L and its gradient as functions of ``(x, *args, terms)``.

    `slope(x, near, *args)` finds the gradient of f by differences, if `jac` is the name of a
    scheme; rows(x, data) and derivatives(x, data) are c and its Jacobian.
    """
    both, value, gradient = of_pair, of_value, of_gradient
    if residuals:
        both, value, gradient = of_residuals_pair, of_residuals, of_jacobian
    if jac is True:
        return wrapped(both, fun, rows, derivatives), True
    if callable(jac):
        return wrapped(value, fun, rows), wrapped(gradient, jac, rows, derivatives)
    if residuals:  # differences of residuals have a source of their own
        return wrapped(value, fun, rows), jac
    return wrapped(value, fun, rows), wrapped(of_measured, slope, rows, derivatives)


# --- for Python and Numba


def of_value(fun: Any, rows: Any) -> Any:
    def value(x: Any, *args: Any) -> Any:
        terms = args[-1]
        penalty, _ = following(rows(x, terms.data), terms.rows)
        if np.isnan(penalty):
            return penalty
        return terms.weight * scalar(fun(x, *args[:-1])) + penalty

    return value


def of_gradient(jac: Any, rows: Any, derivatives: Any) -> Any:
    def gradient(x: Any, *args: Any) -> Any:
        terms = args[-1]
        _, y = following(rows(x, terms.data), terms.rows)
        g = vector(jac(x, *args[:-1]), x.size)
        return terms.weight * g + pulled(derivatives(x, terms.data), y)

    return gradient


def of_measured(slope: Any, rows: Any, derivatives: Any) -> Any:
    def gradient(x: Any, *args: Any) -> Any:
        terms = args[-1]
        _, y = following(rows(x, terms.data), terms.rows)
        g = slope(x, terms.near, *args[:-1])
        return terms.weight * g + pulled(derivatives(x, terms.data), y)

    return gradient


def of_pair(fun: Any, rows: Any, derivatives: Any) -> Any:
    def value_and_gradient(x: Any, *args: Any) -> Any:
        terms = args[-1]
        penalty, y = following(rows(x, terms.data), terms.rows)
        f, g = pair(fun(x, *args[:-1]), x.size)
        return terms.weight * f + penalty, terms.weight * g + pulled(derivatives(x, terms.data), y)

    return value_and_gradient


@register_jitable  # type: ignore[untyped-decorator]
def with_rows(r: Any, y: Any, terms: Any) -> Any:
    """The residuals, followed by one for each row."""
    own = y / np.sqrt(terms.rows[1])
    return np.concatenate((np.sqrt(terms.weight) * np.asarray(r), own))


@register_jitable  # type: ignore[untyped-decorator]
def with_slopes(J: Any, C: Any, y: Any, terms: Any) -> Any:
    """Their Jacobian, from those of the residuals and of the rows."""
    own = np.sqrt(terms.rows[1]) * (y != 0.0)
    return np.concatenate((np.sqrt(terms.weight) * dense(J), (dense(C).T * own).T))


def of_residuals(fun: Any, rows: Any) -> Any:
    def residuals(x: Any, *args: Any) -> Any:
        terms = args[-1]
        _, y = following(rows(x, terms.data), terms.rows)
        return with_rows(fun(x, *args[:-1]), y, terms)

    return residuals


def of_jacobian(jac: Any, rows: Any, derivatives: Any) -> Any:
    def jacobian(x: Any, *args: Any) -> Any:
        terms = args[-1]
        _, y = following(rows(x, terms.data), terms.rows)
        return with_slopes(jac(x, *args[:-1]), derivatives(x, terms.data), y, terms)

    return jacobian


def of_residuals_pair(fun: Any, rows: Any, derivatives: Any) -> Any:
    def residuals_and_jacobian(x: Any, *args: Any) -> Any:
        terms = args[-1]
        _, y = following(rows(x, terms.data), terms.rows)
        r, J = fun(x, *args[:-1])
        return with_rows(r, y, terms), with_slopes(J, derivatives(x, terms.data), y, terms)

    return residuals_and_jacobian
