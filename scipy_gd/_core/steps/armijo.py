"""Backtracking until the decrease is a fraction of the promised one (Armijo 1966)."""

from __future__ import annotations

from ..bits import ACCEPT, RETRY, VALUE
from ..jit import opened
from ..trials import (
    TRIALS,
    arrived,
    descend,
    enough,
    fail,
    first_rate,
    place,
    shorter,
    unit_rate,
    want_gradient,
)


def first(memory, record):
    V, r = opened(memory, record)
    descend(V, r)
    if r.unit:
        alpha = unit_rate(r)
    elif r.fresh:
        alpha = first_rate(V, r)
    else:
        alpha = 2.0 * r.alpha
    place(V, r, alpha)
    return VALUE


def judge(memory, record):
    V, r = opened(memory, record)
    if r.ask == VALUE and enough(r, r.f):
        return want_gradient(r)
    if r.ask != VALUE and arrived(V, r) == ACCEPT:
        return ACCEPT
    if r.trials > TRIALS or r.snorm == 0.0:
        return fail(V, r)
    shorter(V, r)
    return RETRY
