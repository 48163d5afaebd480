"""Finite differences with SciPy's steps, one component at a time, for both drivers.

A step is relative to ``max(1, |x|)``; if `rel_step` is given (not NaN), to ``|x|``, or to 1 at x =
0; if `abs_step` is given, that is the step. Steps lead away from zero. Every point stays in the
box; a component that cannot move at all has the step 0.
"""

from __future__ import annotations

import numpy as np

from .._core.jit import compiled, local

EPS = float(np.finfo(float).eps)
ROOTS = EPS**0.5, EPS ** (1.0 / 3.0)  # here, since compilers and libraries round differently
POINTS_OF = {"2-point": 1, "3-point": 2, "cs": 1}
"""Evaluations per component of the gradient, besides the one at x."""


@local
def difference_step(x, rel_step, abs_step, lower, upper, points):
    """The step, and whether it is one-sided; `points` is 1 or 2."""
    sign = 1.0 if x >= 0.0 else -1.0
    default = sign * ROOTS[points - 1] * max(1.0, abs(x))
    h = default
    if not np.isnan(abs_step):
        h = sign * abs_step
    elif not np.isnan(rel_step):
        h = rel_step * sign * (abs(x) if x != 0.0 else 1.0)
    if (x + h) - x == 0.0:
        h = default
    h = (x + h) - x  # as it will be in floating point
    below, above = x - lower, upper - x
    one_sided = points == 1
    if points == 2:
        h = abs(h)
        one_sided = h > below or h > above
    if one_sided:
        room, other = (above, below) if h > 0.0 else (below, above)
        if points * abs(h) > room and other > room:  # the other way
            h, room = -h, other
        h = np.sign(h) * min(abs(h), room / points)  # never further than the room there is
    return h, one_sided


@local
def difference_point(x, h, one_sided, k, lower, upper, points):
    """The component in the k-th evaluation."""
    offset = h
    if points == 2:
        offset = (k + 1.0) * h if one_sided else (2.0 * k - 1.0) * h
    return min(max(x + offset, lower), upper)  # rounding may lead just outside


@local
def difference_quotient(f, first, second, h, one_sided, points):
    """The derivative, from the value at x and the values at the points."""
    if points == 1:
        return (first - f) / h
    if one_sided:
        return (-3.0 * f + 4.0 * first - second) / (2.0 * h)
    return (second - first) / (2.0 * h)


@local
def hessian_step(x, lower, upper, points):
    """The step between two gradients: twice as long, since they have a larger error."""
    h = 2.0 * abs(difference_step(x, np.nan, np.nan, -np.inf, np.inf, points)[0])
    up = upper - x >= x - lower
    return min(h, upper - x) if up else -min(h, x - lower)


# --- for Python, all components at once


@compiled()
def difference_points(x, rel_step, abs_step, lower, upper, points, h, one_sided, out):
    """The steps, whether they are one-sided, and the points; return how many these are."""
    row = 0
    for i in range(x.size):
        h[i], one_sided[i] = difference_step(
            x[i], rel_step[i], abs_step[i], lower[i], upper[i], points
        )
        for k in range(points if h[i] != 0.0 else 0):
            for j in range(x.size):
                out[row, j] = x[j]
            out[row, i] = difference_point(x[i], h[i], one_sided[i], k, lower[i], upper[i], points)
            row += 1
    return row


@compiled()
def difference_quotients(f, values, h, one_sided, points, g):
    row = 0
    for i in range(g.size):
        g[i] = 0.0
        if h[i] != 0.0:
            second = values[row + points - 1]
            g[i] = difference_quotient(f, values[row], second, h[i], one_sided[i], points)
            row += points


@compiled()
def hessian_steps(x, lower, upper, points, h):
    for i in range(x.size):
        h[i] = hessian_step(x[i], lower[i], upper[i], points)


@compiled()
def difference_column(f, first, second, h, one_sided, points, column):
    """The derivatives of several values by one component of x."""
    for k in range(f.size):
        column[k] = difference_quotient(f[k], first[k], second[k], h, one_sided, points)
