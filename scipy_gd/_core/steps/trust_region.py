"""The minimum of the quadratic model within an ellipsoid: |D p| <= radius.

The multiplier of the ellipsoid is found as in MINPACK (Moré 1978), from the normal equations, whose
matrix may be any Hessian. Parameters that hit a bound are placed there, and the rest is solved for
again. With `accelerate`, steps are bent along the geodesic of the model (Transtrum and Sethna
2012), using the residuals at a tenth of the step.
"""

from __future__ import annotations

import numpy as np

from .. import endings
from ..bits import ACCEPT, CARRIED, DONE, POINTS, RETRY, VALUE, fields
from ..cholesky import entry, factorize, keep, least_pivot, solve, solve_lower
from ..jit import local, opened
from ..noise import give_up, tolerance
from ..trials import arrived, blocked, remember, want_gradient

# the ellipsoid's radius and multiplier; the length of the step in its units, and that of x; the
# slope along the step; relative changes of f and x that end the run (-1: none does)
SCRATCH = fields("f8", "radius multiplier length size slope_p least_f least_x") + fields(
    "i8", "accelerate"
)

# rows behind those of the matrix and its factor
DIAGONAL, UNITS, D, FREE, STEP, WORK, BENT = range(7)
ENOUGH = 1e-4
"""The fraction of the promised decrease that a step must bring."""
SINGULAR = 3e-8
"""Below this pivot, the model has no minimum of its own."""
PROBE = 0.1
"""The share of a step at which its curvature is seen."""
BEND = 0.75
"""The longest bend, relative to half of the step."""
ROUNDING = 1e-14
"""A promised decrease, relative to f, that cannot be distinguished from rounding."""
NOTHING = 1e-20
"""A sum of squares, relative to that at the start, that is made of rounding errors."""


def rows(n: int) -> int:
    """The number of rows it needs."""
    return n + 7


def settle(r, method, opts):
    """It tests `ftol` and `xtol` of sums of squares itself, relative to f and to x in its units."""
    r.accelerate = bool(opts.get("accelerate"))
    r.least_f = r.least_x = -1.0
    if method.residuals:
        r.least_f, r.least_x = opts["ftol"], opts["xtol"]
        r.ftol = r.xtol = -1.0


def first(memory, record):
    V, r = opened(memory, record)
    own = r.own + r.n
    finite = keep(V, r.own, own + DIAGONAL, r.hess)
    size = 0.0
    for i in range(r.n):
        c = np.sqrt(abs(V[own + DIAGONAL, i]))
        V[own + UNITS, i] = 1.0 / c if c > 0.0 else 1.0
        if r.nit == 0 and not (finite and c > 0.0):
            V[own + D, i] = 1.0
        elif finite:
            V[own + D, i] = max(V[own + D, i], c)
        size += (V[own + D, i] * V[r.x, i]) ** 2
    r.size = np.sqrt(size)
    set_free(V, r)
    if r.nit == 0 or r.old == r.x:  # where more has become known of the same point
        r.radius = r.size if r.size > 0.0 else 1.0
        r.multiplier = 0.0
    return propose(V, r)


def judge(memory, record):
    V, r = opened(memory, record)
    if r.ask & CARRIED:
        return bend(V, r)
    if r.ask != VALUE:
        if arrived(V, r) == ACCEPT:
            return ACCEPT
        return worse(V, r, False)
    finite = np.isfinite(r.f_trial)
    e = tolerance(r)
    decrease = r.f - r.f_trial
    ratio = (decrease + e) / (r.promised + e) if finite and r.promised > 0.0 else -1.0
    if r.nit == 0 and r.trials == 1:
        r.radius = min(r.radius, r.length)
    if ratio <= 0.25:
        shrink(r, decrease, finite)
    elif r.multiplier == 0.0 or ratio >= 0.75:
        r.radius = 2.0 * r.length
        r.multiplier *= 0.5
    small = max(abs(decrease), r.promised) <= r.least_f * abs(r.f) and ratio <= 2.0
    settled = r.least_f >= 0.0 and cosine(V, r) <= 10.0 * np.sqrt(max(r.least_f, ROUNDING))
    settled = settled and r.error_most < np.inf
    if ratio > ENOUGH:
        if small and settled:
            r.closing = endings.FTOL
        elif r.length <= r.least_x * r.size and (settled or r.f <= NOTHING * r.f_start):
            r.closing = endings.XTOL
        return want_gradient(r)
    if settled and (small or 0.0 <= r.promised <= ROUNDING * abs(r.f)):
        r.ending, r.ask = endings.FTOL, DONE
        return RETRY
    return worse(V, r, finite)


@local
def cosine(V, r):
    """The largest cosine between the residuals and a column of the Jacobian that may change them.

    A step that promises little because it is short proves nothing.
    """
    top, own = 0.0, r.own + r.n
    for i in range(r.n):
        top = max(top, abs(V[r.x + POINTS, i]) * V[own + UNITS, i] * V[own + FREE, i])
    return top / np.sqrt(2.0 * abs(r.f)) if r.f != 0.0 else 0.0


@local
def shrink(r, decrease, finite):
    """The radius after a step that gained too little."""
    t = 0.5
    if not finite:
        t = 0.1
    elif decrease < 0.0:
        t = 0.5 * r.slope_p / (r.slope_p + decrease)
    if t < 0.1 or not 0.01 * r.f_trial < r.f:
        t = 0.1
    r.radius = t * min(r.radius, 10.0 * r.length)
    r.multiplier /= t


@local
def worse(V, r, finite):
    """Another step from the same point."""
    r.closing = endings.RUNNING
    if not finite:
        r.radius = 0.25 * min(r.radius, r.length)
        r.multiplier *= 4.0
    if r.snorm == 0.0 or r.radius <= 2.2e-16 * r.size or r.trials > 60:
        if r.least_f >= 0.0 and r.f <= NOTHING * r.f_start:
            r.ending, r.ask = endings.FTOL, DONE
            return RETRY
        return give_up(V, r)
    r.ask = propose(V, r)
    return RETRY


@local
def weighted(V, r, row):
    """The length of a row in units of the ellipsoid."""
    square = 0.0
    for i in range(r.n):
        square += (V[r.own + r.n + D, i] * V[row, i]) ** 2
    return np.sqrt(square)


@local
def solved(V, r, shift, b, to):
    own = r.own + r.n
    if not factorize(V, r.own, own + DIAGONAL, own + UNITS, own + FREE, own + D, shift):
        return False
    solve(V, r.own, own + UNITS, own + FREE, b, to)
    return True


@local
def stepped(V, r, shift):
    """p = -(H + shift D^2)^-1 g; whether there is one."""
    p = r.own + r.n + STEP
    if not solved(V, r, shift, r.x + POINTS, p):
        return False
    for i in range(r.n):
        V[p, i] = -V[p, i]
    return True


@local
def steepness(V, r, length):
    """|U'^-1 D^2 p / |D p||^2: how fast the step gets shorter with the multiplier."""
    own = r.own + r.n
    for i in range(r.n):
        V[own + BENT, i] = V[own + D, i] ** 2 * V[own + STEP, i] / length
    return solve_lower(V, r.own, own + UNITS, own + FREE, own + BENT, own + WORK)


@local
def fit_radius(V, r):
    """The step whose length is the radius, within a tenth, or that to the minimum of the model."""
    own, g = r.own + r.n, V[r.x + POINTS]
    slope = 0.0
    for i in range(r.n):
        slope += (g[i] * V[own + FREE, i] / V[own + D, i]) ** 2
    slope = np.sqrt(slope)
    if not 0.0 < slope < np.inf:
        stand(V, r)
        return
    low, length = 0.0, 0.0
    regular = stepped(V, r, 0.0) and least_pivot(V, r.own) > SINGULAR
    if regular:
        length = weighted(V, r, own + STEP)
        if length <= 1.1 * r.radius:
            r.multiplier = 0.0
            return
        low = (length - r.radius) / r.radius / steepness(V, r, length)
    high = slope / r.radius
    if high == 0.0:
        high = 1e-300 / min(r.radius, 0.1)
    shift = min(max(r.multiplier, low), high)
    if shift == 0.0:
        shift = slope / length if regular else 1e-3 * high
    over_old = np.inf
    for _ in range(10):
        if shift == 0.0:
            shift = max(2e-308, 1e-3 * high)
        while not stepped(V, r, shift):
            shift *= 10.0
            if not shift < np.inf:
                stand(V, r)
                return
        length = weighted(V, r, own + STEP)
        over = length - r.radius
        if abs(over) <= 0.1 * r.radius or (low == 0.0 and over <= over_old and over_old < 0.0):
            break
        if over > 0.0:
            low = max(low, shift)
        else:
            high = min(high, shift)
        shift = max(low, shift + over / r.radius / steepness(V, r, length))
        over_old = over
    r.multiplier = shift


@local
def stand(V, r):
    """Take no step: numbers are too large, or all of them 0."""
    for i in range(r.n):
        V[r.own + r.n + STEP, i] = 0.0
    r.multiplier = 0.0


@local
def propose(V, r):
    """Place the next trial; what to ask there."""
    p = r.own + r.n + STEP
    fit_radius(V, r)
    keep_inside(V, r)
    r.promised, r.slope_p = promise(V, r, p), along(V, r, p)
    r.length = weighted(V, r, p)
    if r.accelerate and r.multiplier > 0.0:
        move(V, r, PROBE)
        return VALUE | CARRIED
    move(V, r, 1.0)
    return VALUE


@local
def move(V, r, share):
    """The trial at so much of the step."""
    remember(V, r)
    p, square = r.own + r.n + STEP, 0.0
    for i in range(r.n):
        y = V[r.x, i] + share * V[p, i]
        if r.bounds >= 0:
            y = min(max(y, V[r.bounds, i]), V[r.bounds + 1, i])
        V[r.trial, i] = y
        square += (y - V[r.x, i]) ** 2
    r.snorm = np.sqrt(square)


@local
def along(V, r, row):
    slope = 0.0
    for i in range(r.n):
        slope += V[r.x + POINTS, i] * V[row, i]
    return slope


@local
def product(V, r, i, row):
    """A component of H times a row."""
    total = 0.0
    for j in range(r.n):
        total += entry(V, r.own, r.own + r.n + DIAGONAL, i, j) * V[row, j]
    return total


@local
def promise(V, r, row):
    """The decrease in the model."""
    curvature = 0.0
    for i in range(r.n):
        curvature += product(V, r, i, row) * V[row, i]
    return -(along(V, r, row) + 0.5 * curvature)


@local
def keep_inside(V, r):
    """Put what would leave the box on its bound, and solve for the others again.

    What a bound holds that the model, at the step of the others, would rather move inwards is let
    go, one after the other.
    """
    if r.bounds < 0:
        return
    own, n = r.own + r.n, r.n
    for _ in range(3 * n):
        changed = False
        for i in range(n):
            y = V[r.x, i] + V[own + STEP, i]
            low, high = V[r.bounds, i], V[r.bounds + 1, i]
            if V[own + FREE, i] == 1.0 and (y < low or y > high):
                V[own + STEP, i] = (low if y < low else high) - V[r.x, i]
                V[own + FREE, i] = 0.0
                changed = True
        if not (changed or let_go(V, r)):
            break
        for i in range(n):
            V[own + WORK, i] = V[r.x + POINTS, i]
            for j in range(n):
                if V[own + FREE, j] == 0.0:
                    V[own + WORK, i] += entry(V, r.own, own + DIAGONAL, i, j) * V[own + STEP, j]
        if not solved(V, r, r.multiplier, own + WORK, own + BENT):
            break
        for i in range(n):
            if V[own + FREE, i] == 1.0:
                V[own + STEP, i] = -V[own + BENT, i]
    set_free(V, r)


@local
def let_go(V, r):
    """Free the parameter that the model pushes inwards most; whether there is one."""
    own = r.own + r.n
    p, most, which = own + STEP, 0.0, -1
    for i in range(r.n):
        low, high = V[r.bounds, i], V[r.bounds + 1, i]
        if V[own + FREE, i] == 1.0 or low == high:
            continue
        slope = V[r.x + POINTS, i] + product(V, r, i, p)
        slope += r.multiplier * V[own + D, i] ** 2 * V[p, i]
        y = V[r.x, i] + V[p, i]
        inwards = (-slope if y <= low else slope) / V[own + D, i]
        if inwards > most:
            most, which = inwards, i
    if which >= 0:
        V[own + FREE, which] = 1.0
    return which >= 0


@local
def set_free(V, r):
    """Which parameters no bound holds at x."""
    own = r.own + r.n
    for i in range(r.n):
        held = blocked(V, r, i, V[r.x + POINTS, i])
        held = held or (r.bounds >= 0 and V[r.bounds, i] == V[r.bounds + 1, i])
        V[own + FREE, i] = 0.0 if held else 1.0


@local
def bend(V, r):
    """The residuals at a share of the step have told its acceleration: bend it, or go shorter."""
    own, n = r.own + r.n, r.n
    p, a = own + STEP, own + BENT
    for i in range(n):
        change = (V[r.trial + POINTS, i] - V[r.x + POINTS, i]) / PROBE
        V[own + WORK, i] = (change - product(V, r, i, p)) / PROBE
    solve(V, r.own, own + UNITS, own + FREE, own + WORK, a)
    if not 2.0 * weighted(V, r, a) <= BEND * r.length:
        return worse(V, r, False)
    for i in range(n):
        V[p, i] -= V[a, i]
    move(V, r, 1.0)
    r.ask = VALUE
    return RETRY
