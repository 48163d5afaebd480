"""The machine: given one evaluation, it moves on to the next point to evaluate.

    ask = tell(address of V, address of s, f)

`tell` is everything that happens between two evaluations of the user's functions. It never calls
them: it receives the value at the point it asked for (row `s.trial` of `V`; the gradient there is
in the corresponding row) and returns what it wants next, as bits (`VALUE | GRADIENT`, ...; `DONE`
when the run has ended). `V` and `s` are its entire memory. All drivers go through this one
function.

The formula and the step rule are compiled separately, and called by their addresses in `s`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import types

from . import endings
from .addresses import address_of, from_python, pointers_of
from .bits import ACCEPT, ANEW, BETTER, DONE, GRADIENT, POINTS, RECENT, RETRY, STAY, VALUE
from .composite import finish_step, residual
from .jit import call, call_for_number, call_native, compiled, inlined, largest, local, norm, opened
from .noise import (
    CLEAR,
    at_a_standstill,
    fallen,
    give_up,
    invisible,
    single,
    small,
    uncertain,
    weigh,
    within,
)
from .trials import forget

WORTH = 1e-4
"""The least progress that counts, relative to f, or to its decrease if that is smaller."""


@inlined
def arrive(V, r, memory, record):
    """Make the trial the current point, and keep track of the best one."""
    r.old = r.x if r.nit >= 0 else r.trial
    r.x = r.trial
    r.f_old, r.f = r.f, r.f_trial
    r.rate_old = r.rate
    if r.clip:
        call(r.clip, (memory, record))
    if r.follow:
        call(r.follow, (memory, record))
    if r.nit < 0:
        r.f_start = r.f
        r.extent = largest(V[r.x])
        r.far = 1e10 * (1.0 + r.extent)
        r.f_early = r.f_then = r.f_later = r.f
    elif r.gtol_rel >= 0.0 and (r.nit + 1) & r.nit == 0:  # after 1, 2, 4, ...
        r.f_early, r.f_then, r.f_later = r.f_then, r.f_later, r.f
    # the values of samples do not compare: the best point is the last one with a value
    if r.nit < 0 or ((r.f < r.f_best or r.sampled) and np.isfinite(r.f) and not r.ahead):
        r.f_best = r.f
        r.best = r.x
    r.recent[(r.nit + 1) & (RECENT - 1)] = r.f
    r.trial = another_row(r)


@local
def another_row(r):
    """The one of the three rows that holds neither the current nor the best point."""
    return (r.x + 1) % POINTS if r.x == r.best else POINTS - r.x - r.best


@local
def stay(V, r):
    """Make the trial (the current point with a better gradient) the current point."""
    if r.best == r.x and r.f_trial == r.f:
        r.best = r.trial
    r.old = r.x = r.trial
    r.f = r.f_trial
    if r.f < r.f_best:
        r.f_best, r.best = r.f, r.x
    r.trial = another_row(r)
    r.trials = 0
    if r.forget:
        forget(V, r)
    r.forget = 0


@local
def largest_outside(V, r):
    """The largest component of the (projected) gradient, in the user's units."""
    top = 0.0
    for i in range(r.n):
        scale, p = V[r.scale, i], V[r.x + POINTS, i]
        if p != p:
            return p
        p /= scale
        if r.bounds >= 0:
            p = min(p, (V[r.x, i] - V[r.bounds, i]) * scale)
            p = max(p, (V[r.x, i] - V[r.bounds + 1, i]) * scale)
        top = max(top, abs(p))
    return top


@local
def look_at_penalty(V, r):
    """Finish the step of a formula that took one, and measure how far x is from stationary."""
    if not r.searches:
        finish_step(V, r)
    r.gnorm, r.dnorm = residual(V, r, r.x)
    r.penalty_here = r.penalty_trial


@inlined
def progressed(r):
    """Whether the best value or the best gradient has improved lately."""
    best = r.f_kept if r.ahead else r.f_best
    if best < r.f_mark - 1e-8 * abs(r.f_mark) or r.gnorm < 0.99 * r.g_mark:
        r.f_mark = min(best, r.f_mark)
        r.g_mark = min(r.gnorm, r.g_mark)
        r.nit_mark = r.nit
    return r.nit - r.nit_mark < r.stall_after


@inlined
def stagnates(r):
    """Whether the best value (on samples, the running mean) has hardly fallen."""
    f = r.f_kept if r.ahead else r.f_best
    if r.sampled:
        r.f_mean += (r.f - r.f_mean) / min(max(r.nit, 1), r.stagnation)
        f = r.f_mean
    if r.nit == 0 or (r.sampled and r.nit <= r.stagnation):  # a mean of few values is no mean
        r.f_first = r.f_lowest = f
        r.nit_lowest = r.nit
    elif f < r.f_lowest - WORTH * min(abs(r.f_lowest), r.f_first - r.f_lowest):
        r.f_lowest, r.nit_lowest = f, r.nit
    r.risen = f - r.f_lowest
    return r.nit - r.nit_lowest >= r.stagnation


@local
def idle(r):
    """Whether a step rule is going around in circles within the rounding errors of f."""
    moved = abs(r.f - r.f_old) > r.rounding * abs(r.f)
    r.idle = 0 if moved or r.nit_mark == r.nit else r.idle + 1
    return r.idle >= 50


@inlined
def ran_away(V, r, moved):
    # the values of samples may be of any size
    if not r.sampled and r.f > r.f_start + 1e4 * (1.0 + abs(r.f_start)):
        return True
    r.extent += moved  # never below max |x|; measured anew only when it looks far
    if r.extent > r.far:
        r.extent = largest(V[r.x])
    return r.extent > r.far


@inlined
def ending_at(V, r, arrived, moved):
    """Whether the run ends at the current point, and how."""
    if r.needs & VALUE and not np.isfinite(r.f):
        return endings.NONFINITE
    if r.needs & GRADIENT and not np.isfinite(r.gnorm):
        return endings.NONFINITE
    if not r.sampled or r.nit >= r.maxiter:  # a sampled run has all data at its end, only there
        if r.gnorm <= r.gtol and r.error_most <= r.gtol:
            return endings.CONVERGED
        if r.gtol_rel >= 0.0 and small(V, r, r.gtol_rel * fallen(r, r.f)):
            return endings.CONVERGED
        if (r.f_kept if r.ahead else r.f) <= r.target:
            return endings.TARGET
    if arrived and r.closing:
        return r.closing
    if arrived and r.nit > 1:  # the first step may be a probe
        scale = max(abs(r.f), abs(r.f_old), 1.0)
        if r.ftol >= 0.0 and abs(r.f_old - r.f) <= r.ftol * scale:
            return endings.FTOL
        if r.xtol >= 0.0 and moved <= r.xtol * (r.xtol + norm(V[r.x])):
            return endings.XTOL
    if arrived and r.nit > 0 and ran_away(V, r, moved):
        return endings.DIVERGED
    if r.nit >= r.maxiter:
        return endings.MAXITER
    if r.stagnation and stagnates(r):
        return endings.STAGNATED
    if not progressed(r):
        return endings.STALLED
    if r.searches and idle(r):
        return endings.PRECISION
    if arrived and uncertain(r) and at_a_standstill(r):
        return endings.PRECISION
    if not np.isfinite(r.snorm + r.dnorm):  # a square that overflows, or a formula's NaN
        return endings.PRECISION if r.searches else endings.DIVERGED
    return endings.RUNNING


@local
def comes_later(ending):
    """Whether the run should end at a point that a step reached, if that is a different one."""
    here = ending == endings.NONFINITE or ending == endings.MAXITER
    return ending != endings.RUNNING and not here


@inlined
def stop_if_broken(r):
    if r.ending == endings.BROKEN:
        r.ask = DONE
    return r.ask


@inlined
def advance(V, r, memory, record, f):
    if r.ask & VALUE:
        r.f_trial = f
        r.trials += 1
    r.placed = 0
    if r.ask & GRADIENT and uncertain(r):
        weigh(V, r)
    again = r.ask & BETTER
    verdict = ACCEPT
    if again:
        stay(V, r)
        verdict = STAY
    elif r.judge and r.nit >= 0:
        verdict = call_for_number(r.judge, (memory, record))
    if verdict == RETRY:
        r.rate = r.alpha
        return stop_if_broken(r)
    moved = r.snorm
    if not again:
        if verdict == ACCEPT:
            arrive(V, r, memory, record)
        if verdict != ANEW:
            r.nit += 1
            r.trials = 0
        r.t += 1.0
    r.fresh = r.t == 1.0
    if call_native(r.kernel, memory, record):
        r.ending = endings.BROKEN
    if r.prox:
        look_at_penalty(V, r)
    if r.scale >= 0 and r.needs & GRADIENT:
        r.gnorm_scaled, r.gnorm = r.gnorm, largest_outside(V, r)
    if verdict != ANEW and r.ending != endings.BROKEN:
        r.ending = ending_at(V, r, verdict == ACCEPT, moved)
        if r.ahead and comes_later(r.ending):
            r.ending, r.land = endings.RUNNING, 1
    r.ask = DONE
    if r.ending == endings.RUNNING:
        doubtful = r.searches and uncertain(r)
        if doubtful and r.gnorm == 0.0:  # within its errors only: there is no direction
            r.ending = endings.PRECISION
        else:
            r.ask = call_for_number(r.first, (memory, record)) if r.first else r.needs
            plain = doubtful and not r.noisy and not within(V, r, r.x, CLEAR)
            if plain and invisible(V, r) and not r.fresh:
                forget(V, r)  # what it remembers hides a gradient that is plain to see
                r.fresh = 1
                call_native(r.kernel, memory, record)
                if r.prox:
                    look_at_penalty(V, r)
                r.ask = call_for_number(r.first, (memory, record))
            if doubtful and not plain and invisible(V, r):
                r.ending = endings.PRECISION
                r.better = r.better if r.noisy else 0  # nothing is better than exact
        if (again and not r.better) or (r.searches and single(r)):
            r.ending = endings.PRECISION
    if r.ending == endings.PRECISION:
        give_up(V, r)
    r.rate = r.alpha
    return stop_if_broken(r)


@compiled(types.int64(types.int64, types.int64, types.float64))
def tell(memory, record, f):
    """Process the evaluation at the trial point; return what is wanted at the next one.

    Parameters
    ----------
    memory : int
        The address of `V`, the vectors of the run. The evaluated point is row `trial`, and the
        gradient there, if asked for, is `POINTS` rows further down.
    record : int
        The address of `s`, the scalars of the run. (Numbers reach compiled code faster than
        arrays.)
    f : float
        The value at that point (ignored unless it was asked for).

    Returns
    -------
    int
        What to evaluate at the new `trial`, as bits; `DONE` when the run has ended, with the reason
        in `ending`.
    """
    at_memory, at_record = pointers_of(memory, record)
    V, r = opened(at_memory, at_record)
    return advance(V, r, memory, record, f)


def go_on(memory: int, record: int, r: Any) -> None:
    """Continue a run that ended after an iteration, as if it had not."""
    r.ending, r.ask = endings.RUNNING, r.needs
    if r.first:
        r.ask = from_python(r.first, memory, record)
    r.rate = r.alpha


def _tell(memory, record, f):
    V, r = opened(memory, record)
    return advance(V, r, memory, record, f)


@functools.cache
def tell_at() -> int:
    """The address of `tell`, for compiled callers."""
    return address_of(_tell, types.int64, types.float64)
