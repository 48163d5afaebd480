"""First and second derivatives at a minimum, by differences adapted to the function there.

The function sets its own yardstick: along a parameter, one standard error is where c has risen by
1/2. The steps of second differences are a fraction of it that depends on the noise of c, and nearly
undetermined combinations are measured separately, along steps of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Axes",
    "Curvature",
    "axes",
    "by_factors",
    "by_gradients",
    "by_hessian",
    "by_values",
    "jacobian",
    "near",
    "slopes",
    "stride",
]

Array = NDArray[np.float64]
Box = tuple[Array, Array]
Values = Callable[[Array], float]
Vectors = Callable[[Array], Array]

EPS = float(np.finfo(float).eps)
FIRST = EPS ** (1 / 3)  # of the size of x: the first step of a difference
SEARCHES = 12  # values may be flat, or not finite, over many orders of magnitude
STRAIGHT = 1e-3  # three values that bend by less show a slope well enough
SHORT = 0.01  # so many standard errors are short enough for any function
NEAR = 0.01  # so many are near to a bound
ROUNDS, LEAST = 3, 1e-3  # of measurements of what is nearly undetermined; less is nothing then
CENTRAL = 8  # parameters up to which mixed differences are central: two values, not one


def jacobian(f: Vectors, x: Array, size: Array, box: Box, first: float = FIRST) -> Array:
    """The Jacobian of a vector function at x, shape (m, n), by central differences.

    The first steps are a fraction of `size`, 6e-6 by default. If three values do not lie on a line,
    shorter steps are tried, then longer ones. Near a bound they are one-sided: no point leaves the
    box.
    """
    here = f(x)

    def column(i: int) -> Array:
        def line(t: float) -> Array:
            return here if t == x[i] else f(_moved(x, i, t))

        return _slope(line, here, float(x[i]), first * size[i], box[0][i], box[1][i])

    return np.array([column(i) for i in range(x.size)]).reshape(x.size, here.size).T


def _moved(x: Array, i: int, t: float) -> Array:
    moved = x.copy()
    moved[i] = t
    return moved


def _three(x: Any, h: float, low: Any, high: Any) -> tuple[float, float, float]:
    """Points h apart, with x in the middle if the bounds permit."""
    middle = min(max(x, low + h), high - h)
    return max(middle - h, low), middle, min(middle + h, high)


def _slope(
    line: Callable[[float], Array], here: Array, x: float, first: float, low: float, high: float
) -> Array:
    def at(h: float) -> tuple[float, Array]:
        """The slope, and how far the three values bend; infinite if there is no visible slope."""
        h = min(h, (high - low) / 2)
        points = _three(x, h, low, high)
        behind, middle, ahead = (line(t) for t in points)
        bend, change = ahead - 2 * middle + behind, ahead - behind
        moves = np.linalg.norm(change)
        if not 0 < moves < np.inf:
            return np.inf, np.zeros_like(here)
        slope = change / (points[2] - points[0]) - (points[1] - x) / h**2 * bend
        return float(np.linalg.norm(bend) / moves), slope

    least, slope = at(first)
    for factor in (0.01, 100.0):
        h = first
        for _ in range(SEARCHES // 2):
            if least <= STRAIGHT:
                return slope
            h *= factor
            bend, other = at(h)
            if bend < least:
                least, slope = bend, other
            elif least < 10 * STRAIGHT:
                break
    return slope


class Curvature(NamedTuple):
    """The derivatives of c: a 0 on the diagonal of the Hessian means no visible change in c.

    `error` is the error of the Hessian's elements, scaled to a unit diagonal. Anything as small as
    that is measured separately: `measure(rows)` returns ``rows @ hessian @ rows.T`` along
    directions expected to be one standard error long, with the errors of its diagonal.
    """

    gradient: Array
    hessian: Array
    error: float
    measure: Callable[[Array], tuple[Array, Array]] | None = None
    doubt: float = 0.0
    """The error of the slope along an axis, for a step of one standard error."""


def slopes(c: Values, x: Array, rows: Array) -> Array:
    """How much c changes along steps, by central differences."""
    return np.array([(c(x + d) - c(x - d)) / 2 for d in rows])


def near(hessian: Array, x: Array, box: Box) -> NDArray[np.bool_]:
    """Which parameters are so close to a bound that they count as held by it."""
    room = np.minimum(x - box[0], box[1] - x)
    with np.errstate(invalid="ignore"):  # of infinite room where nothing is seen
        return np.asarray((np.diag(hessian) > 0) & (room**2 * np.diag(hessian) < NEAR**2))


def by_hessian(H: Array, gradient: Array) -> Curvature:
    """The curvature from the Hessian itself."""
    return Curvature(gradient, H, 100 * gradient.size * EPS)


def by_factors(J: Array, gradient: Array, error: float) -> Curvature:
    """The curvature from J, where the Hessian is ``J.T @ J``, with twice its digits.

    `error` is the
    error of J, relative to its columns.
    """
    lengths = np.linalg.norm(J, axis=0)

    def measure(rows: Array) -> tuple[Array, Array]:
        along = J @ rows.T
        return along.T @ along, 10 * np.sum((error * lengths * rows) ** 2, axis=1)

    return Curvature(gradient, J.T @ J, gradient.size * EPS, measure)


def by_gradients(gradient: Vectors, x: Array, size: Array, box: Box) -> Curvature:
    """The curvature from differences of the gradient, with steps that are also short for c."""
    steps = FIRST * size
    for _ in range(ROUNDS):
        H = jacobian(gradient, x, steps, box, 1.0)
        sigma = 1 / np.sqrt(np.abs(np.diag(H)))
        if np.all(steps <= 3 * SHORT * sigma):
            break
        steps = np.minimum(steps, SHORT * sigma)

    def measure(rows: Array) -> tuple[Array, Array]:
        part = SHORT * _room(SHORT * rows, x, box)[:, np.newaxis]
        change = np.array([gradient(x + d) - gradient(x - d) for d in part * rows])
        M = change / (2 * part) @ rows.T
        return (M + M.T) / 2, np.full(len(rows), 1e-6)

    return Curvature(gradient(x), (H + H.T) / 2, 1e-8, measure)


def stride(c: Values, x: Array, size: Array, box: Box) -> Array:
    """A step along all parameters at once by which c rises by about 1/2; usually costs one value.

    It is only a guess at a standard error of the parameters that matter most.
    """
    part, rise = SHORT, 0.0
    for _ in range(SEARCHES):
        step = np.where(box[1] - x >= x - box[0], part, -part) * size
        rise = abs(c(np.clip(x + step, *box)))
        if 1e-4 < rise < 1:
            return np.asarray(part * size / math.sqrt(2 * rise))
        part *= math.sqrt(0.02 / max(rise, 1e-6)) if rise < np.inf else 0.01
    return SHORT * size


def by_values(c: Values, x: Array, sigma: Array, box: Box, noise: float) -> Curvature:
    """The curvature from values with c(x) = 0 and errors `noise`; `sigma` is a guess."""
    known: dict[bytes, float] = {}

    def value(y: Array) -> float:
        y = np.clip(y, *box)  # rounding may lead just outside
        key = y.tobytes()
        if key not in known:
            known[key] = c(y)
        return known[key]

    n, part = x.size, _part(noise)
    steps, H, g = np.empty(n), np.zeros((n, n)), np.zeros(n)
    for i in range(n):
        steps[i], H[i, i] = _step(value, x, i, part * sigma[i], (box[0][i], box[1][i]), noise)
    seen = (np.diag(H) != 0) & ~near(H, x, box)
    middle = np.where(seen, np.clip(x, box[0] + steps, box[1] - steps), x)
    rows, lengths = np.diag(steps)[seen], (steps * np.sqrt(np.abs(np.diag(H))))[seen]
    # one-sided differences are shorter: the third derivative is an error
    shorter = min((8 * noise) ** (1 / 3) / part, 1.0)
    second = _second(value, middle, rows, shorter)
    H[np.ix_(seen, seen)] = second / np.outer(steps[seen], steps[seen])
    g[seen] = slopes(value, middle, rows) / steps[seen]
    g += H @ (x - middle)
    shortest, longest = lengths.min(initial=1.0), lengths.max(initial=0.0)
    error = longest**2 / 10 + 3 * noise / shortest**2
    if len(rows) > CENTRAL:
        error += shorter * longest / 2 + 3 * noise / (shorter * shortest) ** 2

    def measure(rows: Array) -> tuple[Array, Array]:
        parts = part * _room(part * rows, middle, box)
        M = _second(value, middle, parts[:, np.newaxis] * rows, 1.0) / np.outer(parts, parts)
        return M, part**2 / 10 + 5 * noise / parts**2

    return Curvature(g, H, error, measure, noise / part)


def _part(noise: float) -> float:
    """The step, in standard errors, that balances noise against the fourth derivative."""
    return min(math.sqrt(math.sqrt(48 * noise)), 2.0)


def _room(rows: Array, x: Array, box: Box) -> Array:
    """The fraction of each row, at most 1, of which twice as much fits between the bounds."""
    nearest = np.minimum(x - box[0], box[1] - x)
    parts = np.divide(nearest, np.abs(rows), out=np.full(rows.shape, np.inf), where=rows != 0)
    return np.asarray(np.minimum(1.0, parts.min(axis=1, initial=np.inf) / 2))


def _step(
    c: Values, x: Array, i: int, h: float, limits: tuple[float, float], noise: float
) -> tuple[float, float]:
    """A step along a parameter by which c rises by the right amount, and the curvature along it."""
    low, high = limits
    goal = _part(noise) ** 2 / 2
    least, most = goal / 4, max(4 * goal, SHORT**2 / 20)
    short, long, reached, rise = 0.0, np.inf, 0.0, 0.0
    for _ in range(SEARCHES):
        h = min(h, (high - low) / 2)
        if h == reached:  # no more room
            break
        behind, middle, ahead = (c(_moved(x, i, t)) for t in _three(x[i], h, low, high))
        bend, factor = (behind - 2 * middle + ahead) / 2, 0.01
        if abs(bend) < np.inf:
            reached, rise = h, bend
            factor = math.sqrt(2 * goal / max(abs(bend), noise))
        if least <= abs(bend) <= most:
            break
        if abs(bend) < least:
            short, factor = h, max(factor, 2.0)
        else:
            long = h
        h = factor * h if short < factor * h < long else math.sqrt(max(short, 1e-6 * long) * long)
    return reached, 2 * rise / reached**2 if abs(rise) > 3 * noise else 0.0


def _second(c: Values, x: Array, rows: Array, part: float) -> Array:
    """``rows @ hessian @ rows.T``; mixed differences of many rows from one value, at `part`."""
    signs, part = ((1, -1), 1.0) if len(rows) <= CENTRAL else ((1,), part)
    middle = c(x)

    def rise(d: Array) -> float:
        return c(x + d) - middle

    H = np.diag([rise(d) + rise(-d) for d in rows])
    for i, j in combinations(range(len(rows)), 2):
        a, b = part * rows[i], part * rows[j]
        rises = [rise(s * (a + b)) - rise(s * a) - rise(s * b) for s in signs]
        H[i, j] = H[j, i] = np.mean(rises) / part**2
    return H


class Axes(NamedTuple):
    """The principal axes of the region in which c rises by less than 1/2.

    Columns of `root` are those that c determines, one standard error long: the covariance is
    ``root @ root.T``. Along the columns of `loose`, c does not change; along those of `falling`, it
    falls. `error` is the error of the standard errors.
    """

    root: Array
    loose: Array
    falling: Array
    error: Array


def axes(curvature: Curvature, free: Any) -> Axes:
    """Rotate the curvature of the free parameters to its axes, and remeasure the long ones.

    Along rows about one standard error long, the curvature is 1. An axis whose curvature cannot be
    distinguished from 0 becomes longer with each round.
    """
    n = curvature.gradient.size
    diagonal = np.diag(curvature.hessian)
    flat, used = (np.flatnonzero(free & known) for known in (diagonal == 0, diagonal != 0))
    rows = np.eye(n)[used] / np.sqrt(np.abs(diagonal[used]))[:, np.newaxis]
    M = rows @ curvature.hessian @ rows.T
    error, least = np.full(used.size, curvature.error), curvature.error
    loose = np.eye(n)[flat]
    for _ in range(ROUNDS):
        height, V = np.linalg.eigh(M)
        error = (V**2).T @ error
        weak = np.flatnonzero(np.abs(height) < np.maximum(10 * error, np.minimum(1e3 * error, 0.3)))
        size = np.maximum(np.abs(height), np.maximum(error, least))
        rows = V.T @ rows / np.sqrt(size)[:, np.newaxis]
        M, error, least = np.diag(height / size), error / size, 0.01
        if not (weak.size and curvature.measure):
            break
        own, errors = curvature.measure(rows[weak])
        own = np.nan_to_num(own, nan=0.0, posinf=0.0, neginf=0.0)
        # where a long step meets what a shorter one did not, that is no curvature
        bent = weak[np.diag(own) > 10 * (np.abs(np.diag(M)) + error)[weak]]
        # what they have in common with the others is not measured: that is an error of second order
        errors += error[weak] * np.delete(error, weak).max(initial=0.0)
        M[np.ix_(weak, weak)], error[weak] = own, errors
        loose = np.vstack([loose, rows[bent]])
        rows, error = np.delete(rows, bent, 0), np.delete(error, bent)
        M = np.delete(np.delete(M, bent, 0), bent, 1)
    height, V = np.linalg.eigh(M)
    along, doubt = V.T @ rows, 3 * (V**2).T @ error
    doubt = np.maximum(doubt, LEAST)
    sure = height > doubt
    root = along[sure] / np.sqrt(height[sure])[:, np.newaxis]
    # the first-order change of the covariance with every element of M
    parts = (V[:, sure] / height[sure] @ along[sure]).T ** 2
    variance = np.sum(root**2, axis=0)
    return Axes(
        root.T,
        np.vstack([loose, along[np.abs(height) <= doubt]]).T,
        along[height < -doubt].T,
        np.divide(parts @ error, 2 * np.sqrt(variance), out=np.zeros(n), where=variance > 0),
    )
