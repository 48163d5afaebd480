"""The Barzilai-Borwein rate (1988) in the formula's own metric, with occasional backtracking.

The ABBmin rule of Frassoldati et al. (2008) chooses between the long and the short rate. With a
penalty, the rates are computed from the parameters that move (Crisci, Ruggiero and Zanni 2019).
"""

from __future__ import annotations

from ..bits import ACCEPT, POINTS, RETRY, VALUE
from ..jit import local, opened, summing
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
    rows = V[r.x], V[r.old], V[r.x + POINTS], V[r.old + POINTS]
    sPs, sy, yPy = of_moved(*rows) if r.prox else products(V, r, *rows)
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


@local
def products(V, r, x, x_old, g, g_old):
    sPs = sy = yPy = 0.0
    for i in range(r.n):
        P = V[r.p, i] if r.p >= 0 else 1.0
        s, y = x[i] - x_old[i], g[i] - g_old[i]
        sPs += P * s * s
        sy += s * y
        yPy += y * y / P
    return sPs, sy, yPy


@summing
def of_moved(x, x_old, g, g_old):
    """The same without those that a penalty or a set holds, whose gradients change all the same."""
    ss = sy = yy = 0.0
    for i in range(x.size):
        s, y = x[i] - x_old[i], g[i] - g_old[i]
        y = y if s != 0.0 else 0.0
        ss += s * s
        sy += s * y
        yy += y * y
    return ss, sy, yy


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
