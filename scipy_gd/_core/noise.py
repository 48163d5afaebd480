"""What a run knows about the noise of f, and when it cannot see any further.

The noise is the size of the errors of f: ``max(noise_abs, noise_rel |f|)``. It is 0 until it has
been measured. Measured gradients have the errors of their components in the row `error`.
"""

from __future__ import annotations

import numpy as np

from .bits import BETTER, DONE, GRADIENT, HESSIAN, POINTS, RECENT, RETRY, fields
from .composite import residual_of_step
from .endings import KINK, NOISE_REACHED, PRECISION, RUNNING
from .jit import copy, largest, local

# `noisy`: f is known to have more noise than rounding; `central`: differences are central. How
# often a better gradient has been asked for without success, and whether there is one (`better`);
# whether the formula is to forget its states when that comes. Iterations without a visible
# decrease; gradients in a row that cannot be told from zero; whether x is a minimum at
# a kink; whether single precision has been seen.
SCRATCH = fields("i8", "noisy central failures better forget flat hidden kink asked") + fields(
    "f8", "noise_abs noise_rel f_visible error_most pair_noise"
)
TELLING = 8.0
"""A component of the gradient is nonzero if it is this many times as large as its error. With the
intervals used, the decrease that a smaller one promises, g^2 / (2 f''), is less than a third of the
noise of f."""
CLEAR = 1e6
"""The promise of a component this many times its error is not hidden by rounding."""
VISIBLE = 20.0
"""A decrease of this many times the noise is visible in the values."""


@local
def noise(r, f):
    """The size of the errors of f where it is about `f`."""
    return max(r.noise_abs, r.noise_rel * abs(f))


@local
def uncertain(r):
    """Whether the errors of f and of the gradient count: it is measured, or f is noisy."""
    return r.measure >= 0 or r.noisy != 0


@local
def tolerance(r):
    """How much higher a trial may be: the noise, if it hides the promised decrease."""
    e = noise(r, r.f)
    least = 1e-14 * abs(r.f)
    if r.measure >= 0:
        least = min(least, 3.0 * e)
    return max(e, least) if r.promised <= VISIBLE * e else least


@local
def hides(r):
    """Whether the noise hides what a trial promises, so that its value is useless."""
    return r.noisy and r.promised <= VISIBLE * noise(r, r.f)


@local
def fallen(r, f):
    """The decrease in f: the mean of that since the start and that since an early iteration.

    The geometric mean is less sensitive to a start that is far too high.
    """
    return np.sqrt(max(r.f_start - f, 0.0) * max(r.f_early - f, 0.0))


@local
def unit(V, r):
    """One unit of f: the change in f when x changes by its scale."""
    if r.gtol_rel < 0.0:
        return 1.0
    f = fallen(r, r.f)
    if r.diagonal < 0:
        return f
    bent = 0.0
    for i in range(r.n):
        bent = max(bent, max(1.0, V[r.x, i] ** 2) / V[r.diagonal, i])
    return min(f, bent)


@local
def rounding(V, r):
    """The rounding of f, as for an exact function where f itself is small."""
    return 2.2e-16 * max(abs(r.f), min(unit(V, r), abs(r.f_start)))


@local
def invisible(V, r):
    """Whether the expected decrease along the direction is hopelessly small.

    With noise, the gradient sees further than the values: steps are worthwhile as long as they
    promise a hundredth of the noise.
    """
    least = 0.0
    if r.noisy and r.measure >= 0:
        least = 0.04 * noise(r, r.f)
    elif r.central:
        least = 2.0 * rounding(V, r)
    return least > 0.0 and 0.0 <= r.promised <= least


@local
def single(r):
    """Whether f turns out to be in single precision, once that starts to matter."""
    if r.asked or r.noisy or r.better == 0 or r.measure >= 0 or not r.promised <= 1e-4 * abs(r.f):
        return False
    different = False
    for k in range(max(r.nit - 15, 0), r.nit + 1):
        f = r.recent[k % RECENT]
        if np.float64(np.float32(f)) != f:
            return False
        different = different or f != r.f
    r.asked = different
    return different


@local
def at_a_standstill(r):
    """Whether nothing more is visible: no decrease, or no gradient."""
    if r.measure < 0:
        return r.hidden > 0 or flat(r)
    return flat(r) if r.unit else r.hidden >= 5


@local
def flat(r):
    """Whether several iterations brought no visible decrease."""
    if r.f < r.f_visible - noise(r, r.f):
        r.f_visible = r.f
        r.flat = r.failures = 0
        return False
    r.flat += abs(r.f - r.f_old) <= 3.0 * noise(r, r.f)  # some rules let f rise for a while
    most = 10 if r.measure < 0 else 3 if r.noisy and r.failures == 0 else 2
    if r.flat < most:
        return False
    r.flat = 0
    return True


@local
def room(V, r, i):
    """Whether x[i] is inside its bounds."""
    return r.bounds < 0 or V[r.bounds, i] < V[r.x, i] < V[r.bounds + 1, i]


@local
def comparable(a, b):
    return 1e-3 * abs(b) <= a <= 1e6 * abs(b) and a > 0.0


@local
def small(V, r, limit):
    """Whether the gradient is below a limit in units of the scale, and known that accurately.

    Not if f is still decreasing: the gradient, times x, is comparable to f or to its last change,
    or this change is much larger than what is left.
    """
    g = r.gnorm if r.scale < 0 else r.gnorm_scaled
    if not g <= limit or r.error_most == np.inf:
        return False
    if r.prox:  # where g is much larger than x, a step of length one tells nothing
        longest = max(1.0, largest(V[r.x])) / max(largest(V[r.x + POINTS]), 1e-300)
        g, _ = residual_of_step(V, r, r.x, min(1.0, longest))
        if not g <= limit:
            return False
    last = r.f_old - r.f if r.nit > 0 else 0.0
    row = r.residual if r.prox else r.x + POINTS
    for i in range(r.n):
        g = max(g, abs(V[row, i] * V[r.x, i]) if room(V, r, i) else 0.0)
    if comparable(g, r.f) or comparable(g, last) or last > 10.0 * abs(r.f):
        return False
    return r.noisy == 0 or r.error < 0 or largest(V[r.error]) <= limit


@local
def weigh(V, r):
    """Judge the errors of the gradient at the trial."""
    r.error_most = r.pair_noise = 0.0
    for i in range(r.n):
        error = V[r.error, i]
        r.error_most = max(r.error_most, error if r.scale < 0 else error / V[r.scale, i])
        if r.noisy and error < np.inf and r.nit >= 0:
            r.pair_noise += 1.4 * error * abs(V[r.trial, i] - V[r.x, i])
    r.pair_noise /= np.sqrt(r.n)
    r.hidden = r.hidden + 1 if within(V, r, r.trial, TELLING) else 0


@local
def within(V, r, row, factor):
    """Whether no component of the gradient at a point exceeds this multiple of its error."""
    slopes = r.residual if r.prox and row == r.x else row + POINTS
    x, g, error = V[row], V[slopes], V[r.error]
    for i in range(r.n):
        p = g[i]
        if r.bounds >= 0:
            p = max(min(p, x[i] - V[r.bounds, i]), x[i] - V[r.bounds + 1, i])
        if not abs(p) <= factor * error[i]:
            return False
    return True


@local
def last_ending(V, r):
    """The ending of a run that finds no way down."""
    e = noise(r, r.f)
    if r.kink:
        return KINK
    if r.error < 0 or e == 0.0:
        return PRECISION
    far_down = r.f_start - r.f >= 1e4 * e or r.gnorm + r.error_most <= r.gtol
    # intervals that suit the noise leave no more than it hides, those of exact functions may
    hidden = r.searches and invisible(V, r) and within(V, r, r.x, CLEAR)
    reached = within(V, r, r.x, TELLING) if r.noisy else hidden
    return NOISE_REACHED if far_down and reached and r.error_most < np.inf else PRECISION


@local
def give_up(V, r):
    """Ask for a better gradient at the current point; without one, the run ends."""
    if r.better:
        copy(V, r.trial, r.x)
        r.f_trial, r.penalty_trial = r.f, r.penalty_here
        r.ending = RUNNING
        r.ask = BETTER | GRADIENT | (r.needs & HESSIAN)
    else:
        r.ending, r.ask = last_ending(V, r), DONE
    return RETRY
