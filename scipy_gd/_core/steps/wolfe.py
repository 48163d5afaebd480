"""A bracketing search until both the decrease and the change of slope are sufficient.

Bracketing after Lewis and Overton (2013), with cubic and quadratic interpolation.
"""

from __future__ import annotations

import numpy as np

from ..bits import ACCEPT, POINTS, RETRY, VALUE, fields
from ..jit import local, opened
from ..noise import hides
from ..trials import (
    C1,
    arrived,
    as_promising,
    descend,
    enough,
    fail,
    first_rate,
    place,
    unit_rate,
    want_gradient,
)

# whether the trial is a guess from the last search; the bracket: steps, values and slopes at its
# ends, and its last width
SCRATCH = fields("i8", "guessed") + fields("f8", "low f_low slope_low high f_high width")


def first(memory, record):
    V, r = opened(memory, record)
    descend(V, r)
    r.low, r.f_low, r.slope_low = 0.0, r.f, r.slope
    r.high = r.width = np.inf
    r.guessed = 0
    if r.unit:
        alpha = unit_rate(r)
    elif r.fresh:
        alpha = first_rate(V, r)
    else:
        r.guessed = 1
        alpha = min(as_promising(r), 100.0 * first_rate(V, r))
    r.slope_last = r.slope
    place(V, r, alpha)
    return VALUE


@local
def slope_at_trial(V, r):
    """How fast f falls on at the trial, along the projected path."""
    slope, g = 0.0, V[r.trial + POINTS]
    for i in range(r.n):
        d = V[r.d, i]
        if r.bounds >= 0:
            lower, upper, y = V[r.bounds, i], V[r.bounds + 1, i], V[r.trial, i]
            if (y <= lower and d > 0.0) or (y >= upper and d < 0.0):
                continue
        slope += g[i] * d
    return slope


def judge(memory, record):
    V, r = opened(memory, record)
    if r.guessed == 1:  # the value of a guessed step tells a better one; near enough is good enough
        r.guessed = 0
        better = parabola(r) if told(r) else r.alpha
        if abs(better - r.alpha) > 0.2 * r.alpha or not enough(r, r.f):
            place(V, r, better)
            r.ask = VALUE
            return RETRY
    if r.ask == VALUE:
        if r.snorm > 0.0 and (enough(r, r.f) or r.f_trial <= r.f + 1e-10 * abs(r.f)):
            return want_gradient(r)
        alpha = too_far(r, np.nan)
    else:
        slope = slope_at_trial(V, r)
        if not np.isfinite(slope) or arrived(V, r) == RETRY:
            alpha = too_far(r, np.nan)
        elif enough(r, r.f):
            if r.low < 0.0 or hides(r):  # the bracket's best point, after a failed search
                return ACCEPT
            if slope <= r.c2 * r.slope and (r.c2 > 0.5 or slope >= -r.c2 * r.slope):
                return ACCEPT
            if slope < 0.0:
                alpha = too_far(r, slope)
            else:
                alpha = too_short(r, slope)
        elif slope >= (2.0 * C1 - 1.0) * r.slope and slope <= r.c2 * r.slope:
            return ACCEPT  # f has no more digits, but the slope has
        else:
            alpha = too_far(r, slope)
    if r.trials > 30 or alpha == r.low or r.snorm == 0.0:
        if r.low > 0.0:
            place(V, r, r.low)
            r.low = -1.0
            r.ask = VALUE
            return RETRY
        return fail(V, r)
    place(V, r, alpha)
    r.ask = VALUE
    return RETRY


@local
def told(r):
    """Whether the values say more about the step than their rounding; slopes always do."""
    return not r.promised <= 1e-10 * abs(r.f)


@local
def parabola(r):
    """The minimum of the parabola through the slope and the value at the trial, near the trial."""
    curvature = (r.f_trial - r.f + r.alpha * r.slope) / r.alpha**2
    factor = 0.5 * r.slope / curvature / r.alpha if curvature > 0.0 else 10.0
    if not np.isfinite(r.f_trial):
        factor = 0.1
    return r.alpha * min(max(factor, 0.01), 10.0)


@local
def too_short(r, slope):
    """The trial becomes the lower end; go on, by a cubic through both if there is no upper end."""
    a, b = r.low, r.alpha
    f_a, slope_a = r.f_low, r.slope_low
    r.low, r.f_low, r.slope_low = r.alpha, r.f_trial, slope
    if r.high < np.inf:
        return between(r)
    alpha = b + (b - a) * slope / (slope_a - slope)
    if told(r):
        alpha = cubic(a, f_a, -slope_a, b, r.f_trial, -slope)
    if not np.isfinite(alpha) or alpha <= b:
        alpha = np.inf
    return min(max(alpha, b + 1.1 * (b - a)), b + 4.0 * (b - a))


@local
def too_far(r, slope):
    """The trial becomes the upper end; interpolate."""
    r.high, r.f_high = r.alpha, r.f_trial
    if not np.isfinite(r.f_high):
        return r.low + 0.1 * (r.high - r.low)
    if slope == slope:
        alpha = r.low + (r.high - r.low) * r.slope_low / (r.slope_low - slope)
        if told(r):
            alpha = cubic(r.low, r.f_low, -r.slope_low, r.high, r.f_high, -slope)
        return inside(r, alpha)
    return between(r)


@local
def between(r):
    width = r.high - r.low
    rise = r.f_high - r.f_low + r.slope_low * width
    return inside(r, r.low + 0.5 * r.slope_low * width**2 / rise)


@local
def inside(r, alpha):
    """Within the inner 90 % of the bracket; its middle, when that has not shrunk by a third."""
    width = r.high - r.low
    bisect = not np.isfinite(alpha) or width > 0.67 * r.width
    r.width = width
    if bisect:
        return r.low + 0.5 * width
    return min(max(alpha, r.low + 0.05 * width), r.high - 0.05 * width)


@local
def cubic(a, f_a, d_a, b, f_b, d_b):
    """The minimum of the cubic with these values and derivatives (Nocedal and Wright, 3.59)."""
    u = d_a + d_b - 3.0 * (f_a - f_b) / (a - b)
    w = u * u - d_a * d_b
    if w < 0.0:
        return np.nan
    w = np.sqrt(w) if b > a else -np.sqrt(w)
    return b - (b - a) * (d_b + w - u) / (d_b - d_a + 2.0 * w)
