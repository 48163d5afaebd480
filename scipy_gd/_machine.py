"""The machine: told one evaluation, it moves on to the next point to evaluate.

    ask = tell(V, s, f, g)

`tell` is all that happens between two evaluations of the user's functions. It never calls them: it
is told the value and the gradient at the point it asked for (row `s.trial` of `V`) and returns what
it wants to know next, as bits (`VALUE | GRADIENT`, ...; `DONE` when the run has ended). Its whole
memory is `V` and `s`. Both drivers go through this one function.

A step rule is two small functions over the record: *judge* the trial, place the *next* one.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

from ._endings import (
    CONVERGED,
    DIVERGED,
    FTOL,
    MAXITER,
    NONFINITE,
    PRECISION,
    RUNNING,
    STALLED,
    TARGET,
    XTOL,
)
from ._kernel import EXACT, STAMP, V_type, cached, call_kernel, compiled, g_type, record, s_type
from ._state import DONE, G_ROWS, GRADIENT, VALUE, X_ROWS

# Step rules. FIXED: the rate is known beforehand, every trial is the next point, and the formula's
# kernel takes the step itself. KEEP_BEST: the same, but the point moves only downhill. The others
# search: the kernel leaves its direction in row `s.d` and they choose the rate.
FIXED, KEEP_BEST, ARMIJO = range(3)

ACCEPT, STAY, RETRY = range(3)

C1 = 1e-4
TRIALS = 40

local = njit(**EXACT)  # compiled into `tell`


@local
def dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@local
def largest(a):
    """The inf-norm; NaN if any element is."""
    top = 0.0
    for i in range(a.size):
        size = abs(a[i])
        if not size <= top:
            top = size
            if size != size:
                break
    return top


@local
def place(V, r, alpha):
    """Put the trial at x - alpha d, projected on the bounds."""
    x, d, trial, g = V[r.x], V[r.d], V[r.trial], V[r.g]
    r.alpha = alpha
    square = promised = 0.0
    for i in range(r.n):
        y = x[i] - alpha * d[i]
        if r.bounds >= 0:
            y = min(max(y, V[r.bounds, i]), V[r.bounds + 1, i])
        trial[i] = y
        square += (y - x[i]) ** 2
        promised += g[i] * (x[i] - y)
    r.snorm = np.sqrt(square)
    r.slope = promised


@local
def descend(V, r):
    """Make sure that d is a direction of descent: else go along the gradient."""
    if not r.slope > 0.0:
        V[r.d] = V[r.g]
        r.snorm = np.sqrt(dot(V[r.g], V[r.g]))


# --- Armijo's rule: halve the step, more or less, until the decrease is a share of the promised one


@local
def armijo_first(V, r):
    descend(V, r)
    if r.nit == 0:
        alpha = 0.1 * (1.0 + np.sqrt(dot(V[r.x], V[r.x]))) / r.snorm
    else:
        alpha = 2.0 * r.alpha
    place(V, r, alpha)
    return VALUE


@local
def armijo_judge(V, r, f, g):
    if r.ask == VALUE:
        r.f_trial = f
        if f <= r.f - C1 * r.slope + 1e-15 * abs(r.f):
            r.ask = GRADIENT
            return RETRY
    elif np.isfinite(largest(g)):
        return ACCEPT
    armijo_next(V, r)
    return RETRY


@local
def armijo_next(V, r):
    """A shorter step: the minimum of the parabola through what is known, within [0.1, 0.5]."""
    shrink = 0.5 * r.slope / (r.f_trial - r.f + r.slope)
    if not np.isfinite(r.f_trial):
        shrink = 0.1
    place(V, r, r.alpha * min(max(shrink, 0.1), 0.5))
    r.ask = VALUE


# --- what every step rule goes through


@local
def judge(V, r, f, g):
    """The step rule's verdict on the trial."""
    if r.rule >= ARMIJO and r.nit >= 0:
        r.trials += 1
        if r.trials > TRIALS or r.snorm == 0.0:
            r.ending = PRECISION
            r.ask = DONE
            return RETRY
        return armijo_judge(V, r, f, g)
    r.f_trial = f
    if r.rule == KEEP_BEST and r.nit >= 0 and not f < r.f:
        return STAY
    return ACCEPT


@local
def arrive(V, r, g):
    """Make the trial the current point, and remember the best one."""
    r.x = r.trial
    r.f = r.f_trial
    if r.needs & GRADIENT:
        if r.g == r.g_best:
            r.g = 2 * G_ROWS + 1 - r.g  # the other one of the two
        V[r.g] = g
    if r.nit < 0:
        r.f_start = r.f
    if r.nit < 0 or (r.f < r.f_best and np.isfinite(r.f)):
        r.f_best = r.f
        r.best = r.x
        r.g_best = r.g
    # of the three rows one that is neither
    r.trial = (r.x + 1) % X_ROWS if r.x == r.best else X_ROWS - r.x - r.best


@local
def progressed(r):
    """Whether the best value or the best gradient improved in the last `patience` iterations."""
    if r.f_best < r.f_mark - 1e-8 * abs(r.f_mark) or r.gnorm < 0.99 * r.g_mark:
        r.f_mark = min(r.f_best, r.f_mark)
        r.g_mark = min(r.gnorm, r.g_mark)
        r.nit_mark = r.nit
    return r.nit - r.nit_mark < r.patience


@local
def ran_away(V, r, moved):
    if r.f > r.f_start + 1e4 * (1.0 + abs(r.f_start)):
        return True
    r.reach += moved  # never below max |x|; measured anew only when it looks far
    if r.reach > r.far:
        r.reach = largest(V[r.x])
    return r.reach > r.far


@local
def judge_point(V, r, arrived, moved):
    """Whether the run ends at the current point, and how."""
    if r.needs & VALUE and not np.isfinite(r.f):
        return NONFINITE
    if r.needs & GRADIENT and not np.isfinite(r.gnorm):
        return NONFINITE
    if r.gnorm <= r.gtol:
        return CONVERGED
    if r.f <= r.target:
        return TARGET
    if arrived and r.nit > 0:
        scale = max(abs(r.f), abs(r.f_old), 1.0)
        if r.ftol >= 0.0 and abs(r.f_old - r.f) <= r.ftol * scale:
            return FTOL
        if r.xtol >= 0.0 and moved <= r.xtol * (r.xtol + np.sqrt(dot(V[r.x], V[r.x]))):
            return XTOL
        if ran_away(V, r, moved):
            return DIVERGED
    if r.nit >= r.maxiter:
        return MAXITER
    if not progressed(r):
        return STALLED
    if not np.isfinite(r.snorm):
        return NONFINITE
    return RUNNING


@compiled(types.int64(V_type, s_type, types.float64, g_type))
def tell(V, s, f, g):
    """Take the evaluation at the trial point; return what is wanted at the next one.

    Parameters
    ----------
    V : (rows, n) float64 array
        The vectors of the run; the point that was evaluated is row ``s[0].trial``.
    s : (1,) array of `RECORD`
        The scalars of the run.
    f : float
        The value there (ignored unless it was asked for).
    g : (n,) float64 array
        The gradient there (ignored unless it was asked for).

    Returns
    -------
    int
        What to evaluate at the new ``s[0].trial``, as bits; `DONE` when the run has ended, with the
        reason in ``s[0].ending``.
    """
    r = s[0]
    verdict = judge(V, r, f, g)
    if verdict == RETRY:
        return r.ask
    moved = r.snorm
    f_old = r.f
    if verdict == ACCEPT:
        arrive(V, r, g)
        r.f_old = f_old
    r.nit += 1
    r.t += 1.0
    r.trials = 0
    call_kernel(r.kernel, V.ctypes.data, s.ctypes.data)
    r.ending = judge_point(V, r, verdict == ACCEPT, moved)
    if r.ending != RUNNING:
        r.ask = DONE
    elif r.rule >= ARMIJO:
        r.ask = armijo_first(V, r)
    else:
        r.ask = r.needs
    return r.ask


# --- for compiled callers


@intrinsic
def call_tell(typing: Any, address: Any, V: Any, s: Any, f: Any, g: Any) -> Any:
    """Call `tell` at `address`, with the addresses of the arrays.

    What calls it so is compiled by itself: the machine is neither linked in nor optimised again.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        function = ir.FunctionType(word, [word, word, ir.DoubleType(), word]).as_pointer()
        return builder.call(builder.inttoptr(args[0], function), args[1:])

    i8, f8 = types.int64, types.float64
    return i8(i8, i8, i8, f8, i8), codegen


def _tell(V_pointer, s_pointer, f, g_pointer):
    s = carray(s_pointer, 1)
    n = s[0].n
    return tell(carray(V_pointer, (s[0].rows, n)), s, f, carray(g_pointer, n))


@functools.cache
def tell_by_address() -> Any:
    """`tell` as a C function, made at its first use."""
    vector = types.CPointer(types.float64)
    signature = types.int64(vector, types.CPointer(record), types.float64, vector)
    _tell.__qualname__ += f"_{STAMP:08x}"
    return cached(functools.partial(cfunc, signature), _tell, **EXACT)
