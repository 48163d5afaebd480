"""What a run knows of the noise of f, and when it can see no further.

The noise is the size of the errors of f: ``max(noise_abs, noise_rel |f|)``. It is 0 as long as
nobody has looked. Whoever measures gradients keeps the errors of their components in the row
`error`.
"""

from __future__ import annotations

import numpy as np

from .bits import BETTER, DONE, GRADIENT, HESSIAN, POINTS, RETRY, fields
from .endings import KINK, NOISE_REACHED, PRECISION
from .jit import local

# `noisy`: f is known to have more noise than rounding; `central`: differences are central. How
# often a better gradient has been asked for without success, and whether there is one (`better`);
# whether the formula is to forget its states when that comes. Iterations without a visible
# decrease; gradients in a row that cannot be told from zero; whether x is a minimum at
# a kink.
SCRATCH = fields("i8", "noisy central failures better forget flat hidden kink") + fields(
    "f8", "noise_abs noise_rel f_visible error_most pair_noise"
)
TELLING = 4.0
"""A component of the gradient so many times as large as its error is not zero."""
VISIBLE = 20.0
"""A decrease of so many times the noise shows in the values."""


@local
def noise(r, f):
    """The size of the errors of f where it is about `f`."""
    return max(r.noise_abs, r.noise_rel * abs(f))


@local
def tolerance(r):
    """By how much a trial may be higher: the noise, where it hides what was promised."""
    e = noise(r, r.f)
    least = 1e-14 * abs(r.f)
    return max(e, least) if r.promised <= VISIBLE * e else least


@local
def rounding(r):
    """The rounding of f, as an exact function has it where f itself is small."""
    return 2.2e-16 * max(abs(r.f), min(1.0, abs(r.f_start)))


@local
def invisible(r):
    """Whether the decrease to be expected along the direction is hopelessly small.

    Under noise the gradient sees further than the values: steps are worth it as long as they
    promise a hundredth of the noise.
    """
    least = 0.0
    if r.noisy:
        least = 0.04 * noise(r, r.f)
    elif r.central:
        least = 2.0 * rounding(r)
    return least > 0.0 and 0.0 <= r.promised <= least


@local
def flat(r):
    """Whether several iterations have brought no visible decrease."""
    if r.f < r.f_visible - noise(r, r.f):
        r.f_visible = r.f
        r.flat = r.failures = 0
        return False
    r.flat += abs(r.f - r.f_old) <= 3.0 * noise(r, r.f)  # some rules let f rise for a while
    if r.flat < (3 if r.noisy and r.failures == 0 else 2):
        return False
    r.flat = 0
    return True


@local
def weigh(V, r):
    """What the errors of the gradient at the trial mean."""
    r.error_most = r.pair_noise = 0.0
    for i in range(r.n):
        error = V[r.error, i]
        if r.noisy or error == np.inf:
            r.error_most = max(r.error_most, error)
        if r.noisy and error < np.inf and r.nit >= 0:
            r.pair_noise += 1.4 * error * abs(V[r.trial, i] - V[r.x, i])
    r.pair_noise /= np.sqrt(r.n)
    r.hidden = r.hidden + 1 if is_zero(V, r, r.trial) else 0


@local
def is_zero(V, r, row):
    """Whether the gradient at a point cannot be told from zero."""
    x, g, error = V[row], V[row + POINTS], V[r.error]
    for i in range(r.n):
        p = g[i]
        if r.bounds >= 0:
            p = max(min(p, x[i] - V[r.bounds, i]), x[i] - V[r.bounds + 1, i])
        if not abs(p) <= TELLING * error[i]:
            return False
    return True


@local
def last_ending(V, r):
    """How a run ends that finds no way down."""
    e = noise(r, r.f)
    if r.kink:
        return KINK
    if r.error < 0 or e == 0.0:
        return PRECISION
    far_down = r.f_start - r.f >= 3e4 * e or r.gnorm + r.error_most <= r.gtol
    reached = is_zero(V, r, r.x) or (r.noisy == 0 and r.searches and invisible(r))
    return NOISE_REACHED if far_down and reached and r.error_most < np.inf else PRECISION


@local
def give_up(V, r):
    """Ask for a better gradient where we are; without one the run ends."""
    if r.better:
        for i in range(r.n):
            V[r.trial, i] = V[r.x, i]
        r.f_trial = r.f
        r.ending = 0
        r.ask = BETTER | GRADIENT | (r.needs & HESSIAN)
    else:
        r.ending, r.ask = last_ending(V, r), DONE
    return RETRY
