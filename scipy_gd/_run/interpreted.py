"""The driver for Python functions: it makes the evaluations that the machine asks for."""

from __future__ import annotations

from time import perf_counter

from .._core.bits import VALUE
from .._core.machine import tell
from .observers import Observers
from .run_state import RunState

FOREVER = float("inf")


def interpret(
    run: RunState, observers: Observers, until: float = FOREVER, *, to_the_end: bool = False
) -> None:
    """Continue to the end, or `until` a time of `perf_counter`; make at least one evaluation.

    A run
    that could not continue after its last evaluation stops before it, unless `to_the_end` is set.
    """
    (memory, record), r, evaluate = run.at, run.r, run.evaluator
    points, gradients, H, scheduled = run.points, run.gradients, run.H, run.scheduled
    ask, seen, prepared = r.ask, r.nit, run.prepared
    timed, each = until < FOREVER, observers.each
    tell_them = each[0] if len(each) == 1 else observers.iteration
    while ask and (not prepared or to_the_end or run.ready()):
        try:
            if prepared:
                run.begin()
            row = r.trial
            f = evaluate(points[row], ask, gradients[row], H)
            if scheduled:
                run.follow(f)
        except BaseException:
            run.rollback()
            if ask & VALUE:
                r.f_trial = run.tried = run.evaluator.f
            raise
        ask = tell(memory, record, f)
        if prepared:
            run.commit()
        if each and r.nit != seen:
            seen = r.nit
            tell_them(run)
        if timed and ask & VALUE and perf_counter() >= until:  # not between value and gradient
            break
