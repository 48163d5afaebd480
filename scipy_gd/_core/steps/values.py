"""A search on values alone, for costly gradients, which are only evaluated at its end.

Backtracking by Armijo's condition, then extending the step as long as f falls and the parabola
through the last value has its minimum much further out (for a `c2` below 1/2: elsewhere).
"""

from __future__ import annotations

import numpy as np

from ..bits import ACCEPT, RETRY, VALUE, fields
from ..jit import local, opened
from ..noise import noise
from ..trials import (
    arrived,
    as_promising,
    descend,
    enough,
    fail,
    first_rate,
    place,
    shorter,
    unit_rate,
    want_gradient,
)

FIRST = 0.3
"""The first step, in units of the direction, of which no curvature is known yet."""
FURTHER = 6
"""Maximum number of values after one that is low enough."""

# the best step so far (0: none) and its value; how often the search went on from it, how many
# values were not finite
SCRATCH = fields("i8", "further unfinite") + fields("f8", "kept f_reached")


def first(memory, record):
    V, r = opened(memory, record)
    descend(V, r)
    r.kept, r.further, r.unfinite = 0.0, 0, 0
    if r.unit:
        alpha = FIRST if r.nit == 0 else unit_rate(r)
    elif r.fresh:
        alpha = first_rate(V, r)
    else:
        alpha = as_promising(r)
    r.slope_last = r.slope
    place(V, r, alpha)
    return VALUE


def judge(memory, record):
    V, r = opened(memory, record)
    if r.ask != VALUE:
        if arrived(V, r) == ACCEPT:
            return ACCEPT
        r.kept = 0.0
    elif r.kept > 0.0 and not r.f_trial < r.f_reached:  # back to the best step
        place(V, r, r.kept)
        r.f_trial = r.f_reached
        return want_gradient(r)
    elif r.kept > 0.0 or enough(r, r.f):
        return go_on(V, r)
    if r.snorm == 0.0 or given_up(r):
        return fail(V, r)
    if np.isfinite(r.f_trial):
        shorter(V, r)
        return RETRY
    r.unfinite += 1
    place(V, r, r.alpha * (0.8 if r.unfinite == 1 else 0.5 if r.unfinite == 2 else 0.1))
    r.ask = VALUE
    return RETRY


@local
def go_on(V, r):
    """Keep the trial, and try a better step if there seems to be one."""
    alpha = r.alpha
    curvature = (r.f_trial - r.f + r.promised) / alpha**2
    best = 0.5 * r.promised / (alpha * curvature) if curvature > 0.0 else np.inf
    far = best > 3.0 * alpha
    if r.c2 < 0.5:
        far = far or (r.further == 0 and abs(best - alpha) > 0.2 * alpha)
    if not far or r.further == FURTHER or r.f_trial > r.f:
        return want_gradient(r)
    r.kept, r.f_reached = alpha, r.f_trial
    r.further += 1
    if best > alpha:
        best = min(max(best, 2.0 * alpha) if r.c2 > 0.5 else best, 10.0 * alpha)
    place(V, r, best)
    r.ask = VALUE
    if r.snorm == 0.0:
        place(V, r, r.kept)
        return want_gradient(r)
    return RETRY


@local
def given_up(r):
    """Whether shorter steps would promise less than is visible."""
    hidden = r.trials > 2 and r.promised < 0.01 * noise(r, r.f)
    return hidden or r.trials > (12 if r.noisy else 25)
