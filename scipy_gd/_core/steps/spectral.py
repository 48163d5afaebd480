"""Barzilai and Borwein's rate (1988) in the formula's own metric, backtracking now and then.

Between the long and the short rate chooses the ABBmin of Frassoldati et al. (2008).
"""

from __future__ import annotations

from ..bits import ACCEPT, POINTS, RETRY, VALUE
from ..jit import opened
from ..trials import (
    TRIALS,
    along_gradient,
    arrived,
    descend,
    enough,
    fail,
    first_rate,
    highest,
    place,
    shorter,
    want_gradient,
)

SCRATCH = [("tau", "f8"), ("short", "f8", (6,)), ("pairs", "i8")]


def first(memory, record):
    V, r = opened(memory, record)
    descend(V, r)
    if r.fresh:
        r.tau = 0.5
        place(V, r, first_rate(V, r))
        return VALUE
    x, x_old = V[r.x], V[r.old]
    g, g_old = V[r.x + POINTS], V[r.old + POINTS]
    sPs = sy = yPy = 0.0
    for i in range(r.n):
        P = V[r.p, i] if r.p >= 0 else 1.0
        s, y = x[i] - x_old[i], g[i] - g_old[i]
        sPs += P * s * s
        sy += s * y
        if s != 0.0 or r.prox == 0:
            yPy += y * y / P
    if sy > 0.0:
        long, short = sPs / sy, sy / yPy
        r.short[r.pairs % 6] = short
        r.pairs += 1
        if short < r.tau * long:
            alpha = short
            for k in range(min(r.pairs, 6)):
                alpha = min(alpha, r.short[k])
            r.tau *= 0.9
        else:
            alpha = long
            r.tau *= 1.1
    else:
        alpha = 10.0 * r.alpha
    place(V, r, alpha)
    return VALUE


def judge(memory, record):
    V, r = opened(memory, record)
    if r.ask == VALUE and enough(r, highest(r, 30)):
        return want_gradient(r)
    if r.ask != VALUE and arrived(V, r) == ACCEPT:
        return ACCEPT
    if r.trials > TRIALS or r.snorm == 0.0:
        return fail(V, r)
    if r.trials == 4:
        along_gradient(V, r)
    shorter(V, r)
    return RETRY
