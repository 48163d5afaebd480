"""Accelerated gradient: the trial is extrapolated, until f rises.

Beck and Teboulle (2009) with the restart of O'Donoghue and Candes (2015). The current point is the
extrapolated one; the ends of the steps are kept in the row after d.
"""

from __future__ import annotations

import numpy as np

from ..bits import ACCEPT, GRADIENT, RETRY, VALUE, fields
from ..jit import copy, local, opened
from ..noise import give_up, tolerance
from ..trials import TRIALS, arrived, first_rate, place, remember

SCRATCH = fields("i8", "extrapolated") + fields("f8", "theta f_kept")


def first(memory, record):
    V, r = opened(memory, record)
    if r.nit == 0:
        r.alpha, r.snorm = 0.9 * first_rate(V, r), np.inf
        copy(V, r.d + 1, r.x)
        r.theta, r.f_kept = 1.0, r.f
    r.extrapolated = 0
    place(V, r, r.alpha / 0.9)
    return VALUE


def judge(memory, record):
    V, r = opened(memory, record)
    if r.extrapolated == 1:
        if np.isfinite(r.f_trial) and arrived(V, r) == ACCEPT:
            return ACCEPT
        begin_again(V, r)
        return RETRY
    if not r.f_trial <= r.f - 0.5 * r.promised + tolerance(r):
        if r.trials > TRIALS or r.snorm == 0.0:
            return give_up(V, r)
        place(V, r, 0.5 * r.alpha)
        r.ask = VALUE
        return RETRY
    r.extrapolated = 1
    remember(V, r)
    kept, trial = V[r.d + 1], V[r.trial]
    if r.f_trial > r.f_kept:
        begin_again(V, r)
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


@local
def begin_again(V, r):
    """Go back to what the last step reached, without momentum."""
    r.theta = 1.0
    copy(V, r.trial, r.d + 1)
    r.ask = VALUE | GRADIENT
