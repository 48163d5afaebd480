"""Longer steps as long as they succeed; a failure restarts the formula's averages.

The bold driver of Vogl et al. (1988).
"""

from __future__ import annotations

from ..bits import ACCEPT, VALUE
from ..jit import opened
from ..noise import give_up, noise
from ..trials import TRIALS, anew, arrived, first_rate, highest, place, want_gradient


def first(memory, record):
    V, r = opened(memory, record)
    if r.alpha == 0.0:
        r.alpha = first_rate(V, r)
    elif not r.fresh:
        r.alpha *= 1.05
    place(V, r, r.alpha)
    return VALUE


def judge(memory, record):
    V, r = opened(memory, record)
    if r.ask == VALUE and r.f_trial <= highest(r, 10) + noise(r, r.f):
        return want_gradient(r)
    if r.ask != VALUE and arrived(V, r) == ACCEPT:
        return ACCEPT
    if r.trials > TRIALS or (r.fresh and r.snorm == 0.0):
        return give_up(V, r)
    r.alpha *= 0.5
    return anew(V, r)
