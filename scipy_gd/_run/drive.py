"""What drives a run, and until when: the Python driver, a compiled loop, or both in turn.

The algorithm is in the machine. A run can switch drivers between evaluations, since everything it
remembers is in its state.
"""

from __future__ import annotations

import functools
from time import perf_counter
from typing import Any

from numba.core.dispatcher import Dispatcher

from .._core.bits import VALUE
from .._core.endings import BROKEN, CALLBACK, MAXFEV, MAXTIME
from .._evaluate.evaluator import OutOfBudget
from .interpreted import interpret
from .observers import Halt, Observers
from .outcome import last_iteration
from .run_state import RunState

WAIT = 0.1
"""Seconds that all runs of an objective spend in Python before a loop is compiled for it: about as
long as compiling takes, so that waiting and compiling never cost more than twice the better
choice."""
REPORT = 0.1
"""Seconds between two reports of a run in Python."""
WORTHWHILE = 1.0
"""Seconds that must be left to start a compilation."""


def drive(
    run: RunState,
    observers: Observers,
    *,
    maxtime: float = float("inf"),
    compiled: bool | None = None,
) -> None:
    """Run the machine to its end.

    Parameters
    ----------
    run : RunState
        What to run.
    observers : Observers
        The observers to notify.
    maxtime : float
        Seconds.
    compiled : bool, optional
        Whether a compiled loop may (None), must (True) or must
        not (False) be used.

    Raises
    ------
    ValueError
        If `compiled` is True but the run cannot be compiled; the message says why.
    """
    r = run.r
    begun = perf_counter()
    deadline = begun + maxtime
    loop = _loop_for(run, compiled)
    try:
        with run.team:
            _driven(run, observers, loop, bool(compiled), deadline)
        if r.ask:
            run.end(MAXTIME)
        run.raise_error()
        if r.ending == BROKEN:
            raise ValueError(
                "the method's formula raised an error, or returned a direction or state of the "
                "wrong shape"
            )
    except OutOfBudget:
        run.raise_error()
        run.end(MAXFEV)
    except Halt:
        run.end(CALLBACK)


def _driven(run: RunState, observers: Observers, loop: Any, must: bool, deadline: float) -> None:
    r = run.r
    if loop and r.ask:
        _compiled(run, observers, loop, must, deadline)
    while r.ask and (r.nit < 0 or perf_counter() < deadline) and (not run.prepared or run.ready()):
        until = min(perf_counter() + REPORT, deadline) if observers.now_and_then else deadline
        interpret(run, observers, until)
        observers.report(run)
    if r.ask and (r.nit < 0 or perf_counter() < deadline):
        last_iteration(run, observers)


def _loop_for(run: RunState, compiled: bool | None) -> Any:
    """The compiled loop for the user's functions, if allowed."""
    if compiled is False or not (compiled or isinstance(run.evaluator.fun, Dispatcher)):
        return None
    try:
        return _loops().loop_for(run)
    except ValueError as reason:
        if compiled:
            raise ValueError(f"`compiled=True` is not possible: {reason}") from reason
        return None


def _compiled(run: RunState, observers: Observers, loop: Any, must: bool, deadline: float) -> None:
    """Continue in the compiled loop, once compiling is worthwhile."""
    r, begun, args = run.r, perf_counter(), _loops().sample(run)
    if not r.ask & VALUE:  # a run that goes on at the gradient of a known value
        interpret(run, observers, begun)
    if not loop.ready(args):
        if not must:
            interpret(run, observers, begun)  # may compile the user's functions
            begun = perf_counter()
            if r.ask and loop.spent < WAIT:
                interpret(run, observers, min(begun + WAIT - loop.spent, deadline))
            loop.spent += perf_counter() - begun
        if not must and not (r.ask and deadline - perf_counter() > WORTHWHILE):
            return
        if error := loop.compile(run, args):
            if must:
                raise ValueError(f"`compiled=True` is not possible: {error}") from error
            return
    loop.run(run, observers, deadline)


@functools.cache
def _loops() -> Any:
    from . import compiled  # plain Python functions do not wait for it

    return compiled
