"""Step rules: how far to go along a direction.

A rule is two functions over the record: `first` places the first trial along a new direction,
`judge` says of an evaluated trial whether it is accepted; if not, it has placed the next one. A
line search is therefore no loop, and never calls anything. Trials are projected on the bounds; a
value that is not finite is only a bad one.

FIXED      the rate is known beforehand, and every trial is the next point
KEEP_BEST  the same, but the point moves only downhill
FIFTH      and the rate follows the successes: one of five trials should be one
ARMIJO     backtracking until the decrease is a share of the promised one
WOLFE      and the slope has fallen enough, with a bracket
SPECTRAL   Barzilai and Borwein's rate in the formula's own metric, backtracking now and then
BOLD       longer steps as long as they succeed; a failure starts the formula's averages anew
RESTART    accelerated gradient: the trial is extrapolated, until f rises
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .endings import PRECISION
from .kernel import EXACT, local, norm
from .state import (
    ARMIJO,
    BOLD,
    DONE,
    FIFTH,
    FIXED,
    GRADIENT,
    HESSIAN,
    POINTS,
    RECENT,
    RESTART,
    SPECTRAL,
    VALUE,
    WOLFE,
)

# What `judge` says of a trial. STAY: count the iteration, but keep the point. ANEW: keep the point,
# and let the formula begin again without its states.
ACCEPT, STAY, RETRY, ANEW = range(4)

C1 = 1e-4
TRIALS = 40

inlined = njit(forceinline=True, **EXACT)  # what a step at a fixed rate passes through


@local
def largest(a):
    """The inf-norm; NaN if any element is."""
    top = 0.0
    for i in range(a.size):
        size = abs(a[i])
        if not size <= top:
            top = size
            if size != size:
                break
    return top


@local
def copy(V, to, row):
    for i in range(V.shape[1]):
        V[to, i] = V[row, i]


@local
def place(V, r, alpha):
    """Put the trial at x - alpha d, projected on the bounds."""
    x, d, trial, g = V[r.x], V[r.d], V[r.trial], V[r.x + POINTS]
    r.alpha = alpha
    square = promised = 0.0
    for i in range(r.n):
        y = x[i] - alpha * d[i]
        if r.bounds >= 0:
            y = min(max(y, V[r.bounds, i]), V[r.bounds + 1, i])
        trial[i] = y
        square += (y - x[i]) ** 2
        promised += g[i] * (x[i] - y)
    r.snorm = np.sqrt(square)
    r.promised = promised


@local
def blocked(V, r, i, slope):
    """Whether a bound keeps x[i] from moving against `slope`."""
    if r.bounds < 0:
        return False
    lower, upper, x = V[r.bounds, i], V[r.bounds + 1, i], V[r.x, i]
    return (x <= lower and slope > 0.0) or (x >= upper and slope < 0.0)


@local
def along_gradient(V, r):
    """Forget the formula's direction: d = g / P."""
    d, g = V[r.d], V[r.x + POINTS]
    slope = square = 0.0
    for i in range(r.n):
        e = g[i] / V[r.p, i] if r.p >= 0 else g[i]
        d[i] = 0.0 if blocked(V, r, i, e) else e
        slope += g[i] * d[i]
        square += d[i] * d[i]
    r.slope, r.dnorm = slope, np.sqrt(square)


@local
def descend(V, r):
    """Make sure that d leads downhill."""
    if not r.slope > 0.0:
        along_gradient(V, r)


@local
def first_rate(V, r):
    """A step of a tenth of the size of x."""
    return 0.1 * (1.0 + norm(V[r.x])) / r.dnorm


@local
def unit_rate(r):
    """The step of a direction that comes with its length; a tenth of it after a failure."""
    return 0.1 if r.fresh and r.nit > 0 else 1.0


@local
def highest(r, count):
    """The highest of the last `count` values."""
    top = r.f
    for k in range(max(r.nit - count + 1, 0), r.nit):
        top = max(top, r.recent[k % RECENT])
    return top


@local
def enough(r, reference):
    """Armijo's condition, up to the rounding of f, by a trial that moved x."""
    return r.snorm > 0.0 and r.f_trial <= reference - C1 * r.promised + 1e-14 * abs(r.f)


@local
def shorter(V, r):
    """The minimum of the parabola through what is known, within [0.1, 0.5] of the step."""
    shrink = 0.5 * r.promised / (r.f_trial - r.f + r.promised)
    if not np.isfinite(r.f_trial):
        shrink = 0.1
    place(V, r, r.alpha * min(max(shrink, 0.1), 0.5))
    r.ask = VALUE


@local
def arrived(r, g):
    """The gradient has come: accept, unless it is useless."""
    if np.isfinite(largest(g)):
        return ACCEPT
    r.f_trial = np.inf
    return RETRY


@local
def want_gradient(r):
    r.ask = GRADIENT | (r.needs & HESSIAN)
    return RETRY


@local
def fail(V, r):
    """No trial is any good: begin anew along the gradient, or else give up."""
    if not r.fresh and r.states >= 0:
        r.trials = 0
        return ANEW
    r.ending, r.ask = PRECISION, DONE
    return RETRY


# --- ARMIJO


@local
def armijo_first(V, r):
    descend(V, r)
    if r.unit:
        alpha = unit_rate(r)
    elif r.fresh:
        alpha = first_rate(V, r)
    else:
        alpha = 2.0 * r.alpha
    place(V, r, alpha)


@local
def armijo_judge(V, r, g):
    if r.ask == VALUE and enough(r, r.f):
        return want_gradient(r)
    if r.ask != VALUE and arrived(r, g) == ACCEPT:
        return ACCEPT
    if r.trials > TRIALS or r.snorm == 0.0:
        return fail(V, r)
    shorter(V, r)
    return RETRY


# --- SPECTRAL: Barzilai and Borwein (1988); the choice is the ABBmin of Frassoldati et al. (2008)


@local
def spectral_first(V, r):
    descend(V, r)
    if r.fresh:
        r.tau = 0.5
        place(V, r, first_rate(V, r))
        return
    x, x_old = V[r.x], V[r.old]
    g, g_old = V[r.x + POINTS], V[r.old + POINTS]
    sPs = sy = yPy = 0.0
    for i in range(r.n):
        P = V[r.p, i] if r.p >= 0 else 1.0
        s, y = x[i] - x_old[i], g[i] - g_old[i]
        sPs += P * s * s
        sy += s * y
        yPy += y * y / P
    if sy > 0.0:
        long, short = sPs / sy, sy / yPy
        r.short[r.pairs % 6] = short
        r.pairs += 1
        if short < r.tau * long:
            alpha = short
            for k in range(min(r.pairs, 6)):
                alpha = min(alpha, r.short[k])
            r.tau *= 0.9
        else:
            alpha = long
            r.tau *= 1.1
    else:
        alpha = 10.0 * r.alpha
    place(V, r, alpha)


@local
def spectral_judge(V, r, g):
    if r.ask == VALUE and enough(r, highest(r, 30)):
        return want_gradient(r)
    if r.ask != VALUE and arrived(r, g) == ACCEPT:
        return ACCEPT
    if r.trials > TRIALS or r.snorm == 0.0:
        return fail(V, r)
    if r.trials == 4:
        along_gradient(V, r)
    shorter(V, r)
    return RETRY


# --- BOLD: the bold driver of Vogl et al. (1988)


@local
def bold_first(V, r):
    if r.alpha == 0.0:
        r.alpha = first_rate(V, r)
    elif not r.fresh:
        r.alpha *= 1.05
    place(V, r, r.alpha)


@local
def bold_judge(V, r, g):
    if r.ask == VALUE and r.f_trial <= highest(r, 10):
        return want_gradient(r)
    if r.ask != VALUE and arrived(r, g) == ACCEPT:
        return ACCEPT
    if r.trials > TRIALS or (r.fresh and r.snorm == 0.0):
        r.ending, r.ask = PRECISION, DONE
        return RETRY
    r.alpha *= 0.5
    return ANEW


# --- WOLFE: bracketing, after Lewis and Overton (2013), with cubic and quadratic interpolation


@local
def wolfe_first(V, r):
    descend(V, r)
    r.low, r.f_low, r.slope_low = 0.0, r.f, r.slope
    r.high = r.width = np.inf
    r.probe = 0
    if r.unit:
        alpha = unit_rate(r)
    elif r.fresh:
        alpha = first_rate(V, r)
    else:
        r.probe = 1
        alpha = r.alpha * r.slope_last / r.slope
    r.slope_last = r.slope
    place(V, r, alpha)


@local
def slope_at_trial(V, r, g):
    """How fast f falls on at the trial, along the projected path."""
    slope = 0.0
    for i in range(r.n):
        d = V[r.d, i]
        if r.bounds >= 0:
            lower, upper, y = V[r.bounds, i], V[r.bounds + 1, i], V[r.trial, i]
            if (y <= lower and d > 0.0) or (y >= upper and d < 0.0):
                continue
        slope += g[i] * d
    return slope


@local
def wolfe_judge(V, r, g):
    if r.probe == 1:  # the value of a guessed step tells a better one; near enough is good enough
        r.probe = 0
        better = parabola(r)
        if abs(better - r.alpha) > 0.2 * r.alpha or not enough(r, r.f):
            place(V, r, better)
            r.ask = VALUE
            return RETRY
    if r.ask == VALUE:
        if r.snorm > 0.0 and (enough(r, r.f) or r.f_trial <= r.f + 1e-10 * abs(r.f)):
            return want_gradient(r)
        alpha = wolfe_too_far(r, np.nan)
    else:
        slope = slope_at_trial(V, r, g)
        if not np.isfinite(slope) or arrived(r, g) == RETRY:
            alpha = wolfe_too_far(r, np.nan)
        elif enough(r, r.f):
            if r.low < 0.0:  # the bracket's best point, after a failed search
                return ACCEPT
            if slope <= r.c2 * r.slope and (r.c2 > 0.5 or slope >= -r.c2 * r.slope):
                return ACCEPT
            if slope < 0.0:
                alpha = wolfe_too_far(r, slope)
            else:
                alpha = wolfe_too_short(r, slope)
        elif slope >= (2.0 * C1 - 1.0) * r.slope and slope <= r.c2 * r.slope:
            return ACCEPT  # f has no more digits, but the slope has
        else:
            alpha = wolfe_too_far(r, slope)
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
def parabola(r):
    """The minimum of the parabola through the slope and the value at the trial, near the trial."""
    curvature = (r.f_trial - r.f + r.alpha * r.slope) / r.alpha**2
    factor = 0.5 * r.slope / curvature / r.alpha if curvature > 0.0 else 10.0
    if not np.isfinite(r.f_trial):
        factor = 0.1
    return r.alpha * min(max(factor, 0.01), 10.0)


@local
def wolfe_too_short(r, slope):
    """The trial becomes the lower end; go on, by a cubic through both if there is no upper end."""
    a, b = r.low, r.alpha
    f_a, slope_a = r.f_low, r.slope_low
    r.low, r.f_low, r.slope_low = r.alpha, r.f_trial, slope
    if r.high < np.inf:
        return wolfe_between(r)
    alpha = cubic(a, f_a, -slope_a, b, r.f_trial, -slope)
    if not np.isfinite(alpha) or alpha <= b:
        alpha = np.inf
    return min(max(alpha, b + 1.1 * (b - a)), b + 4.0 * (b - a))


@local
def wolfe_too_far(r, slope):
    """The trial becomes the upper end; interpolate."""
    r.high, r.f_high = r.alpha, r.f_trial
    if not np.isfinite(r.f_high):
        return r.low + 0.1 * (r.high - r.low)
    if slope == slope:
        alpha = cubic(r.low, r.f_low, -r.slope_low, r.high, r.f_high, -slope)
        return wolfe_inside(r, alpha)
    return wolfe_between(r)


@local
def wolfe_between(r):
    width = r.high - r.low
    rise = r.f_high - r.f_low + r.slope_low * width
    return wolfe_inside(r, r.low + 0.5 * r.slope_low * width**2 / rise)


@local
def wolfe_inside(r, alpha):
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


# --- RESTART: Beck and Teboulle (2009) with O'Donoghue and Candes's (2015) restart. The current
# --- point is the extrapolated one; what the steps reach is kept in the row after d.


@local
def restart_first(V, r):
    if r.nit == 0:
        r.alpha = 0.9 * first_rate(V, r)
        copy(V, r.d + 1, r.x)
        r.theta, r.f_kept = 1.0, r.f
    r.probe = 0
    place(V, r, r.alpha / 0.9)


@local
def restart_judge(V, r, g):
    if r.probe == 1:
        if np.isfinite(r.f_trial) and arrived(r, g) == ACCEPT:
            return ACCEPT
        r.theta = 1.0
        copy(V, r.trial, r.d + 1)
        r.ask = VALUE | GRADIENT
        return RETRY
    if not r.f_trial <= r.f - 0.5 * r.promised + 1e-14 * abs(r.f):
        if r.trials > TRIALS or r.snorm == 0.0:
            r.ending, r.ask = PRECISION, DONE
            return RETRY
        place(V, r, 0.5 * r.alpha)
        r.ask = VALUE
        return RETRY
    r.probe = 1
    kept, trial = V[r.d + 1], V[r.trial]
    if r.f_trial > r.f_kept:
        r.theta = 1.0
        copy(V, r.trial, r.d + 1)
    else:
        theta = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * r.theta**2))
        beta = (r.theta - 1.0) / theta
        r.theta, r.f_kept = theta, r.f_trial
        for i in range(r.n):
            y = trial[i] + beta * (trial[i] - kept[i])
            kept[i] = trial[i]
            if r.bounds >= 0:
                y = min(max(y, V[r.bounds, i]), V[r.bounds + 1, i])
            trial[i] = y
    r.ask = VALUE | GRADIENT
    return RETRY


# --- the two questions


@inlined
def judge(V, r, f, g):
    """The rule's verdict on the evaluated trial; after RETRY the next one is in place."""
    if r.ask & VALUE:
        r.f_trial = f
        r.trials += 1
    if r.nit < 0 or r.rule == FIXED:
        return ACCEPT
    if r.rule == ARMIJO:
        return armijo_judge(V, r, g)
    if r.rule == WOLFE:
        return wolfe_judge(V, r, g)
    if r.rule == SPECTRAL:
        return spectral_judge(V, r, g)
    if r.rule == BOLD:
        return bold_judge(V, r, g)
    if r.rule == RESTART:
        return restart_judge(V, r, g)
    better = f < r.f
    if r.rule == FIFTH:
        r.alpha *= 1.5 if better else 1.5**-0.25
    return ACCEPT if better else STAY


@inlined
def first(V, r):
    """Place the first trial along a new direction; return what to ask there."""
    if r.rule < ARMIJO:  # the kernel has taken the step already
        return r.needs
    if r.rule == ARMIJO:
        armijo_first(V, r)
    elif r.rule == WOLFE:
        wolfe_first(V, r)
    elif r.rule == SPECTRAL:
        spectral_first(V, r)
    elif r.rule == BOLD:
        bold_first(V, r)
    elif r.rule == RESTART:
        restart_first(V, r)
    return VALUE
