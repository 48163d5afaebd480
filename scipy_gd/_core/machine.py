"""The machine: told one evaluation, it moves on to the next point to evaluate.

    ask = tell(V, s, f, g)

`tell` is all that happens between two evaluations of the user's functions. It never calls them: it
is told the value and the gradient at the point it asked for (row `s.trial` of `V`) and returns what
it wants to know next, as bits (`VALUE | GRADIENT`, ...; `DONE` when the run has ended). Its whole
memory is `V` and `s`. Both drivers go through this one function.

The step rules are in `_steps.py`, the endings in `_endings.py`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, types
from numba.extending import intrinsic

from .endings import (
    BROKEN,
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
from .kernel import (
    STAMP,
    V_type,
    cached,
    call_kernel,
    compiled,
    g_type,
    local,
    norm,
    record,
    s_type,
)
from .state import ARMIJO, DONE, GRADIENT, POINTS, RECENT, VALUE, WOLFE
from .steps import ACCEPT, ANEW, RETRY, first, inlined, judge, largest


@local
def clip(V, r):
    """The gradient that the formula is given: no component, and no norm, above its limit."""
    row = r.x + POINTS
    for i in range(r.n):
        V[r.clipped, i] = min(max(V[row, i], -r.clip_value), r.clip_value)
    size = length(V[r.clipped])
    if size > r.clip_norm:
        for i in range(r.n):
            V[r.clipped, i] *= r.clip_norm / size


@local
def length(a):
    """The 2-norm, also where squares are too large for a float."""
    size = norm(a)
    if size == np.inf:
        top, square = largest(a), 0.0
        for i in range(a.size):
            square += (a[i] / top) ** 2
        size = top * np.sqrt(square)
    return size


@local
def share(r):
    """The next point's weight in the average: uniform (1), or exponential, bias-corrected."""
    k = r.nit + 1.0
    return 1.0 / k if r.averaging == 1.0 else (1.0 - r.averaging) / (1.0 - r.averaging**k)


@local
def average(V, r):
    """The running average of the points after x0."""
    weight = share(r)
    for i in range(r.n):
        V[r.average, i] += weight * (V[r.x, i] - V[r.average, i])


@inlined
def arrive(V, r, g):
    """Make the trial the current point, and remember the best one."""
    r.old = r.x if r.nit >= 0 else r.trial
    r.x = r.trial
    r.f_old, r.f = r.f, r.f_trial
    r.rate_old = r.rate
    if r.needs & GRADIENT:
        row = r.x + POINTS
        for i in range(r.n):
            V[row, i] = g[i]
        if r.clipped >= 0:
            clip(V, r)
    if r.averaging > 0.0 and r.nit >= 0:
        average(V, r)
    if r.nit < 0:
        r.f_start = r.f
        r.reach = largest(V[r.x])
        r.far = 1e10 * (1.0 + r.reach)
    # the values of samples do not compare: the best point is the last one with a value
    if r.nit < 0 or ((r.f < r.f_best or r.sampled) and np.isfinite(r.f)):
        r.f_best = r.f
        r.best = r.x
    r.recent[(r.nit + 1) & (RECENT - 1)] = r.f
    # of the three rows one that is neither
    r.trial = (r.x + 1) % POINTS if r.x == r.best else POINTS - r.x - r.best


@local
def begin_anew(V, r):
    """Let the formula start as in its first step."""
    for k in range(r.state_rows):
        for i in range(r.n):
            V[r.states + k, i] = r.init[k]
    r.t = 0.0


@inlined
def progressed(r):
    """Whether the best value or the best gradient improved in the last `patience` iterations."""
    if r.f_best < r.f_mark - 1e-8 * abs(r.f_mark) or r.gnorm < 0.99 * r.g_mark:
        r.f_mark = min(r.f_best, r.f_mark)
        r.g_mark = min(r.gnorm, r.g_mark)
        r.nit_mark = r.nit
    return r.nit - r.nit_mark < r.patience


@local
def idle(r):
    """Whether a step rule goes round in the rounding errors of f."""
    moved = abs(r.f - r.f_old) > (1e-10 if r.rule == WOLFE else 1e-14) * abs(r.f)
    r.idle = 0 if moved or r.nit_mark == r.nit else r.idle + 1
    return r.idle >= 50


@inlined
def ran_away(V, r, moved):
    # the values of samples may be of any size
    if not r.sampled and r.f > r.f_start + 1e4 * (1.0 + abs(r.f_start)):
        return True
    r.reach += moved  # never below max |x|; measured anew only when it looks far
    if r.reach > r.far:
        r.reach = largest(V[r.x])
    return r.reach > r.far


@inlined
def judge_point(V, r, arrived, moved):
    """Whether the run ends at the current point, and how."""
    if r.needs & VALUE and not np.isfinite(r.f):
        return NONFINITE
    if r.needs & GRADIENT and not np.isfinite(r.gnorm):
        return NONFINITE
    if not r.sampled or r.nit >= r.maxiter:  # a sampled run has all data at its end, only there
        if r.gnorm <= r.gtol:
            return CONVERGED
        if r.f <= r.target:
            return TARGET
    if arrived and r.nit > 0:
        scale = max(abs(r.f), abs(r.f_old), 1.0)
        if r.ftol >= 0.0 and abs(r.f_old - r.f) <= r.ftol * scale:
            return FTOL
        if r.xtol >= 0.0 and moved <= r.xtol * (r.xtol + norm(V[r.x])):
            return XTOL
        if ran_away(V, r, moved):
            return DIVERGED
    if r.nit >= r.maxiter:
        return MAXITER
    if not progressed(r):
        return STALLED
    if r.rule >= ARMIJO and idle(r):
        return PRECISION
    if not np.isfinite(r.snorm + r.dnorm):  # a square that overflows, or a formula's NaN
        return DIVERGED if r.rule < ARMIJO else PRECISION
    return RUNNING


@compiled(types.int64(V_type, s_type, types.float64, g_type), forceinline=True)
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
        r.rate = r.alpha
        return r.ask
    moved = r.snorm
    if verdict == ANEW:
        begin_anew(V, r)
    else:
        if verdict == ACCEPT:
            arrive(V, r, g)
        r.nit += 1
        r.trials = 0
    r.t += 1.0
    r.fresh = r.t == 1.0
    call_kernel(r.kernel, V.ctypes.data, s.ctypes.data)
    if verdict != ANEW and r.ending != BROKEN:
        r.ending = judge_point(V, r, verdict == ACCEPT, moved)
    r.ask = first(V, r) if r.ending == RUNNING else DONE
    r.rate = r.alpha
    return r.ask


@compiled(types.void(V_type, s_type))
def go_on(V, s):
    """Continue a run that has ended after an iteration, as if it had not."""
    r = s[0]
    r.ending = RUNNING
    r.ask = first(V, r)
    r.rate = r.alpha


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
    return cached(functools.partial(cfunc, signature), _tell, error_model="numpy")
