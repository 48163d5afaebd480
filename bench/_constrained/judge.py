"""What a point is worth: violation, a solution, another stationary point, or none of these."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

VIOLATION = 1e-5
TOLERANCE = 1e-4


class Verdict(NamedTuple):
    fun: float
    violation: float
    solved: bool
    stationary: bool


def judged(problem, x):
    """A `Verdict`; all of it is NaN and false where x is not finite."""
    x = np.asarray(x, float)
    values, slopes = problem.values(x), problem.slopes(x)
    if not (np.isfinite(values).all() and np.isfinite(slopes).all()):
        return Verdict(np.nan, np.inf, False, False)
    worst = violation(problem, x, values, slopes)
    feasible = worst <= VIOLATION
    solved = feasible and values[0] <= problem.best + TOLERANCE * max(1, abs(problem.best))
    stationary = feasible and residual(problem, x, values, slopes) <= 1e-3
    return Verdict(values[0], worst, bool(solved), bool(stationary))


def violation(problem, x, values, slopes):
    """The greatest, each row in its own size: its limit or its greatest term, or 1."""
    (low, high), c = problem.limits, values[1:]
    size = sizes(x, low, high, slopes[1:])
    worst = np.max(np.maximum(low - c, c - high) / size, initial=0)
    return worst if problem.bounds is None else max(worst, *_outside(problem.bounds, x))


def sizes(x, low, high, jacobian):
    """max(1, |limit|, |J_ij x_j|) of each row."""
    limits = [np.where(np.isfinite(side), abs(side), 0) for side in (low, high)]
    return np.maximum.reduce([np.ones(low.size), *limits, abs(jacobian * x).max(1, initial=0)])


def _outside(bounds, x):
    size = np.maximum(1, abs(x))
    return np.max((bounds.lb - x) / size), np.max((x - bounds.ub) / size)


def residual(problem, x, values, slopes, near=1e-4):
    """How much of the gradient no multipliers of the right signs can balance, by least squares.

    Rows and bounds within `near` of their limit may have multipliers; all in their own sizes. The
    multipliers are found without those of any solver.
    """
    (low, high), c = problem.limits, values[1:]
    size = sizes(x, low, high, slopes[1:])
    at_low, at_high = c - low <= near * size, high - c <= near * size
    columns = [slopes[1:][at_high], -slopes[1:][at_low]]
    if problem.bounds is not None:
        unit, scale = np.eye(x.size), near * np.maximum(1, abs(x))
        columns += [unit[problem.bounds.ub - x <= scale], -unit[x - problem.bounds.lb <= scale]]
    normals = np.concatenate(columns).T
    normals = normals / np.maximum(np.linalg.norm(normals, axis=0), 1e-300)
    g = slopes[0] / max(1, np.linalg.norm(slopes[0]))
    if not normals.size:
        return abs(g).max()
    multipliers, _ = nnls(normals, -g, maxiter=100 * normals.shape[1])
    return abs(g + normals @ multipliers).max()
