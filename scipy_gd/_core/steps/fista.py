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
from ..composite import proximal_step
from ..jit import copy, inlined, largest, local, opened, summing
from ..noise import give_up, noise, tolerance, uncertain
from ..trials import TRIALS, first_rate

SCRATCH = fields("i8", "ahead land back bent") + fields("f8", "beta penalty_kept penalty_reached")
"""`ahead`: whether the point is beyond what a step has reached, and not to be returned. `land`: the
next one is to be one that is reached; `back`: it is the last one once more. `bent`: a step has been
too long for the curvature."""

ROUNDING = 1e-15
SLACK = 1e-12
"""The relative error of the values of long sums."""
SURPRISE = 1e-6
"""Relative differences of values that more than rounding to single precision must explain."""


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
    if r.beta > 0.0 and not (finite and as_told(V, r)):
        r.theta = 1.0
        extrapolate(V, r)
        return RETRY
    bend, rounded, change, slope = along(
        V[r.x], V[r.d], V[r.d + 1], V[r.x + POINTS], V[r.trial + POINTS], V[r.own], r.beta
    )
    if not finite or too_long(V, r, bend, rounded):
        if r.trials > TRIALS or r.snorm == 0.0:
            return fail(V, r)
        r.bent = 1
        step(V, r, 0.5 * r.alpha)
    elif r.beta > 0.0 and uphill(r, change, slope):
        go_back(V, r)
    else:
        reach(V, r, bend)
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


@inlined
def between(last, new, beta):
    """The gradient at z, from those at the last one and at the trial."""
    return (new + beta * last) / (1.0 + beta)


@summing
def along(y, z, kept, g, new, last, beta):
    """The curvature from y to z, and what errors of g add to it if they are as large as g itself;
    by how much f changes from the last z to this one, and the slope of that way at y."""
    bend = size = change = slope = 0.0
    for i in range(z.size):
        s, w, h = z[i] - y[i], z[i] - kept[i], between(last[i], new[i], beta)
        bend += s * (h - g[i])
        size += abs(s * g[i])
        change += w * (h + last[i])
        slope -= w * s
    return bend, size, 0.5 * change, slope


@summing
def weighed(y, z, errors):
    total = 0.0
    for i in range(z.size):
        total += abs(z[i] - y[i]) * errors[i]
    return total


@summing
def both_slopes(x, y, g, new):
    total = 0.0
    for i in range(x.size):
        total += (g[i] + new[i]) * (y[i] - x[i])
    return total


@local
def size_of_values(r):
    return abs(r.f - r.penalty_here) + abs(r.penalty_here)


@local
def as_told(V, r):
    """Whether f at the trial is what its gradients say, more or less: f may not be convex."""
    told = 0.5 * both_slopes(V[r.x], V[r.trial], V[r.x + POINTS], V[r.trial + POINTS])
    rise = (r.f_trial - r.penalty_trial) - (r.f - r.penalty_here)
    return rise - told <= max(abs(told), SURPRISE * size_of_values(r)) + 2.0 * noise(r, r.f)


@local
def too_long(V, r, bend, size):
    """Whether the curvature of f on the way to z is above 1/alpha; by values too, if z is told."""
    error = weighed(V[r.x], V[r.d], V[r.error]) if uncertain(r) else ROUNDING * size
    most = r.snorm**2 / r.alpha
    if bend > most + 2.0 * error:
        return True
    slack = max(tolerance(r), SLACK * size_of_values(r))
    return r.beta == 0.0 and not r.f_trial <= r.f - r.promised + 0.5 * most + slack


@local
def uphill(r, change, slope):
    """Whether F has risen from the last z to this one; where that is hidden, the momentum's way."""
    rise = change + (r.penalty_reached - r.penalty_kept)
    hidden = ROUNDING * (abs(r.penalty_reached) + abs(r.penalty_kept)) + noise(r, r.f)
    return rise > 0.0 if abs(rise) > hidden else slope > 0.0


@summing
def keep(z, kept, new, last, beta):
    """Make z, and its gradient, the last one."""
    for i in range(z.size):
        kept[i] = z[i]
        last[i] = between(last[i], new[i], beta)


@local
def reach(V, r, bend):
    """What the step has reached is what is kept."""
    r.theta, r.ahead = longer(r.theta), r.beta > 0.0
    if r.ahead:
        keep(V[r.d], V[r.d + 1], V[r.trial + POINTS], V[r.own], r.beta)
        r.penalty_kept, r.f_kept = r.penalty_reached, r.f - r.promised + 0.5 * bend


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
