"""What a run knows of the noise of f, and when it can see no further.

The noise is the size of the errors of f: ``max(noise_abs, noise_rel |f|)``. It is 0 as long as
nobody has looked. Whoever measures gradients keeps the errors of their components in the row
`error`.
"""

from __future__ import annotations

import numpy as np

from .bits import BETTER, DONE, GRADIENT, HESSIAN, POINTS, RETRY, fields
from .endings import NOISE_REACHED, PRECISION
from .jit import largest, local

# `noisy`: f is known to have more noise than rounding; `central`: differences are central. How
# often a better gradient has been asked for without success, and whether there is one (`better`);
# whether the formula is to forget its states when that comes. Iterations without a visible
# decrease; gradients in a row that cannot be told from zero.
SCRATCH = fields("i8", "noisy central failures better forget flat hidden") + fields(
    "f8", "noise_abs noise_rel f_visible error_most pair_noise"
)
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
    rounding = 1e-14 * abs(r.f)
    return max(e, rounding) if r.promised <= VISIBLE * e else rounding


@local
def fallen(r, f):
    """By how much f has fallen: the mean of that since the start and since an early iteration.

    It is a geometric mean, which a start that is far too high spoils less.
    """
    return np.sqrt(max(r.f_start - f, 0.0) * max(r.f_early - f, 0.0))


@local
def unit(r):
    """What counts as one unit of f."""
    return fallen(r, r.f) if r.gtol_rel >= 0.0 else 1.0


@local
def invisible(r):
    """Whether the decrease to be expected along the direction is less than the noise."""
    e = noise(r, r.f)
    if r.noisy == 0:
        e = 0.5 * r.noise_rel * max(abs(r.f), min(unit(r), abs(r.f_start))) if r.central else 0.0
    return 0.5 * r.promised <= e and e > 0.0


@local
def flat(r):
    """Whether several iterations have brought no visible decrease."""
    if r.f < r.f_visible - noise(r, r.f):
        r.f_visible = r.f
        r.flat = r.failures = 0
        return False
    r.flat += abs(r.f - r.f_old) <= 3.0 * noise(r, r.f)  # some rules let f rise for a while
    if r.flat < (5 if r.noisy else 2):
        return False
    r.flat = 0
    return True


@local
def small(V, r, limit):
    """Whether the gradient is below a limit in units of the scale, and known that well."""
    if not (r.gnorm if r.scale < 0 else r.gnorm_scaled) <= limit:
        return False
    return r.noisy == 0 or r.error < 0 or largest(V[r.error]) <= limit


@local
def resolved(V, r):
    """Whether the gradient cannot be told from zero."""
    x, g, error = V[r.x], V[r.x + POINTS], V[r.error]
    for i in range(r.n):
        p = g[i]
        if r.bounds >= 0:
            p = max(min(p, x[i] - V[r.bounds, i]), x[i] - V[r.bounds + 1, i])
        if not abs(p) <= 10.0 * error[i]:
            return False
    return True


@local
def last_ending(V, r):
    """How a run ends that finds no way down."""
    e = noise(r, r.f)
    if r.error < 0 or e == 0.0:
        return PRECISION
    is_zero = (r.searches and 0.5 * r.promised <= 10.0 * e) or resolved(V, r)
    far_down = r.f_start - r.f >= 3e4 * e or r.gnorm + r.error_most <= r.gtol
    return NOISE_REACHED if is_zero and far_down else PRECISION


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
