"""How step rules handle trials: place one along the direction, compare it, shorten it."""

from __future__ import annotations

import numpy as np

from .bits import ACCEPT, ANEW, GRADIENT, HESSIAN, POINTS, RECENT, RETRY, VALUE, fields
from .composite import proximal_step, remember_step
from .jit import copy, largest, local, norm
from .noise import give_up, tolerance

# the lowest value of a trial that was not kept; the slope along the last direction
SCRATCH = fields("f8", "f_seen slope_last")

C1 = 1e-4
"""The fraction of the promised decrease that Armijo's condition requires."""
TRIALS = 40
"""The most values in a search."""


@local
def remember(V, r):
    """Keep a trial that is about to be overwritten, if it is the best point so far."""
    if r.trials > 0 and r.f_trial < min(r.f_best, r.f_seen):
        r.f_seen = r.f_trial
        copy(V, r.seen, r.trial)


@local
def place(V, r, alpha):
    """Put the trial at x - alpha d, projected onto the bounds."""
    remember(V, r)
    if r.prox:
        place_composite(V, r, alpha)
        return
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
def place_composite(V, r, alpha):
    """Put the trial at prox(x - alpha d); a direction that promises nothing is the gradient's."""
    r.alpha, r.placed = alpha, 1
    r.penalty_trial = proximal_step(V, r, r.trial, r.d, alpha)
    if r.velocity >= 0 and not r.promised > 0.0:
        copy(V, r.d, r.x + POINTS)
        r.penalty_trial = proximal_step(V, r, r.trial, r.d, alpha)
    remember_step(V, r, alpha)


@local
def blocked(V, r, i, slope):
    """Whether a bound keeps x[i] from moving against `slope`."""
    if r.bounds < 0 or r.prox:
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
    if not (r.slope > 0.0 or r.prox):
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
def as_promising(r):
    """The step that promises as much as the last one."""
    return r.alpha * r.slope_last / r.slope


@local
def highest(r, count):
    """The highest of the last `count` values."""
    top = r.f
    for k in range(max(r.nit - count + 1, 0), r.nit):
        top = max(top, r.recent[k % RECENT])
    return top


@local
def enough(r, reference):
    """Armijo's condition, up to the errors of f, by a trial that moved x."""
    return r.snorm > 0.0 and r.f_trial <= reference - C1 * r.promised + tolerance(r)


@local
def shorter(V, r):
    """The minimum of the parabola through what is known, within [0.1, 0.5] of the step."""
    shrink = 0.5 * r.promised / (r.f_trial - r.f + r.promised)
    if not np.isfinite(r.f_trial):
        shrink = 0.1
    place(V, r, r.alpha * min(max(shrink, 0.1), 0.5))
    r.ask = VALUE


@local
def arrived(V, r):
    """Accept the trial now that its gradient is known, unless the gradient is useless."""
    if np.isfinite(largest(V[r.trial + POINTS])):
        return ACCEPT
    r.f_trial = np.inf
    return RETRY


@local
def want_gradient(r):
    r.ask = GRADIENT | (r.needs & HESSIAN)
    return RETRY


@local
def forget(V, r):
    """Let the formula start as in its first step."""
    for k in range(r.state_rows):
        for i in range(r.n):
            V[r.states + k, i] = r.init[k]
    r.t = 1.0


@local
def anew(V, r):
    """Keep the point; let the formula start as in its first step."""
    forget(V, r)
    r.t = 0.0
    return ANEW


@local
def fail(V, r):
    """No trial is good: restart along the gradient, or give up."""
    if not r.fresh and r.states >= 0:
        r.trials = 0
        return anew(V, r)
    return give_up(V, r)
