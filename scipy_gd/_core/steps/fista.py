"""Accelerated proximal gradient: `restart` with a penalty, at one gradient an iteration.

FISTA with backtracking (Beck and Teboulle 2009) and restarts (O'Donoghue and Candes 2015). The
current point y is extrapolated, and may be outside of a set; what the steps reach, z, is evaluated
only where it is the current point as well. In between, z lies on the line from the last one to the
next y, and so does its gradient if f is quadratic. That gradient tells the curvature along the step
without the cancellation of values (Becker, Candes and Grant 2011, section 5.3), and by the
trapezoidal rule how F changes from one z to the next.
"""

from __future__ import annotations

import numpy as np

from ..bits import ACCEPT, GRADIENT, POINTS, RETRY, VALUE, fields
from ..composite import proximal_step, way
from ..jit import copy, largest, local, opened
from ..noise import give_up, noise, uncertain
from ..trials import TRIALS, first_rate

SCRATCH = fields("i8", "ahead land back bent") + fields("f8", "beta penalty_kept penalty_reached")
"""`ahead`: whether the point is beyond what a step has reached, and not to be returned. `land`: the
next one is to be one that is reached; `back`: it is the last one once more. `bent`: a step has been
too long for the curvature."""

ROUNDING = 1e-15
GUARD = 1e-10
"""Relative changes of f below which only its curvature is looked at."""


def rows(n: int) -> int:
    """One for the gradient at what the last step has reached."""
    return 1


def first(memory, record):
    V, r = opened(memory, record)
    if r.nit == 0:
        r.alpha, r.theta = 0.5 * first_rate(V, r), 1.0
    if not r.ahead:
        copy(V, r.d + 1, r.x)
        copy(V, r.own, r.x + POINTS)
        r.f_kept, r.penalty_kept = r.f, r.penalty_here
    if r.land:
        r.theta, r.land = 1.0, 0
    r.back = 0
    step(V, r, r.alpha / (0.9 if r.bent else 0.5))
    return VALUE | GRADIENT


def judge(memory, record):
    V, r = opened(memory, record)
    finite = np.isfinite(r.f_trial) and np.isfinite(largest(V[r.trial + POINTS]))
    if r.back:
        return ACCEPT if finite else give_up(V, r)
    if not finite and r.beta > 0.0:
        r.theta = 1.0
        extrapolate(V, r)
    elif not finite or too_long(V, r):
        if r.trials > TRIALS or r.snorm == 0.0:
            return fail(V, r)
        r.bent = 1
        step(V, r, 0.5 * r.alpha)
    elif r.beta > 0.0 and uphill(V, r):
        go_back(V, r)
    else:
        reach(V, r)
        return ACCEPT
    return RETRY


@local
def step(V, r, alpha):
    """A proximal step from y, to z in row d, and on from there."""
    r.alpha = alpha
    r.penalty_reached = proximal_step(V, r, r.d, r.x + POINTS, alpha)
    extrapolate(V, r)


@local
def extrapolate(V, r):
    """The trial is z, and as much of the last way to z as theta says, within the bounds."""
    z, kept, y = V[r.d], V[r.d + 1], V[r.trial]
    r.beta = (r.theta - 1.0) / longer(r.theta)
    if r.beta == 0.0:
        r.placed, r.penalty_trial = 1, r.penalty_reached
    for i in range(r.n):
        y[i] = z[i] + r.beta * (z[i] - kept[i])
    if r.bounds >= 0:
        for i in range(r.n):
            y[i] = min(max(y[i], V[r.bounds, i]), V[r.bounds + 1, i])
    r.ask = VALUE | GRADIENT


@local
def longer(theta):
    return 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * theta**2))


@local
def slope_at(V, r, i):
    """The gradient at z, between those at the last one and at the trial."""
    return (V[r.trial + POINTS, i] + r.beta * V[r.own, i]) / (1.0 + r.beta)


@local
def too_long(V, r):
    """Whether the curvature of f is above 1/alpha: on the way to z, or, by values, to the trial."""
    x, z, g, y = V[r.x], V[r.d], V[r.x + POINTS], V[r.trial]
    bend = error = 0.0
    for i in range(r.n):
        s = z[i] - x[i]
        bend += s * (slope_at(V, r, i) - g[i])
        error += abs(s) * (V[r.error, i] if uncertain(r) else ROUNDING * abs(g[i]))
    if bend > r.snorm**2 / r.alpha + 2.0 * error:
        return True
    square, fall = way(x, y, g)
    rise = (r.f_trial - r.penalty_trial) - (r.f - r.penalty_here) + fall
    size = abs(r.f - r.penalty_here) + abs(r.penalty_here)
    return rise > 0.5 * square / r.alpha + GUARD * size + 2.0 * noise(r, r.f)


@local
def uphill(V, r):
    """Whether F has risen from the last z to this one; where that is hidden, the momentum's way."""
    x, z, kept = V[r.x], V[r.d], V[r.d + 1]
    change = slope = 0.0
    for i in range(r.n):
        s = z[i] - kept[i]
        change += s * 0.5 * (slope_at(V, r, i) + V[r.own, i])
        slope += s * (x[i] - z[i])
    rise = change + (r.penalty_reached - r.penalty_kept)
    hidden = ROUNDING * (abs(r.penalty_reached) + abs(r.penalty_kept)) + noise(r, r.f)
    return rise > 0.0 if abs(rise) > hidden else slope > 0.0


@local
def reach(V, r):
    """What the step has reached is what is kept."""
    r.theta, r.ahead = longer(r.theta), r.beta > 0.0
    if not r.ahead:
        return
    fall = 0.0
    for i in range(r.n):
        g = slope_at(V, r, i)
        fall += 0.5 * (V[r.x, i] - V[r.d, i]) * (V[r.x + POINTS, i] + g)
        V[r.own, i] = g
    copy(V, r.d + 1, r.d)
    r.penalty_kept = r.penalty_reached
    r.f_kept = r.f - r.penalty_here - fall + r.penalty_reached


@local
def go_back(V, r):
    """The next point is what the last step has reached, without momentum."""
    r.theta, r.ahead, r.back = 1.0, 0, 1
    copy(V, r.trial, r.d + 1)
    r.ask = VALUE | GRADIENT


@local
def fail(V, r):
    """Where no step is good, the run ends at a point that one has reached."""
    if r.ahead:
        go_back(V, r)
        return RETRY
    return give_up(V, r)
