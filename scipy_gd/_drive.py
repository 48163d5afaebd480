"""The drivers fetch the evaluations that the machine asks for, and do nothing else.

`interpret` calls Python functions; `Loop` in `_compiled.py` does the same with Numba functions,
compiled. The algorithm is in `_machine.py`. A run may change from one to the other between two
evaluations, since all it remembers is in `V` and `s`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from ._endings import BROKEN, CALLBACK, MAXFEV, MAXTIME
from ._inputs import Vector
from ._machine import tell
from ._objective import Objective, OutOfBudget
from ._scheduled import Scheduled
from ._state import DONE, HESSIAN, NOISE, POINTS, VALUE, named

PATIENCE = 0.1
"""Seconds that the runs of an objective spend in Python, all together, before a loop is compiled
for it: about what that takes, so that waiting and compiling never cost more than twice the better
choice."""
WORTHWHILE = 1.0
"""Seconds that must be left for a compilation to be begun."""


class Halt(Exception):
    """Raised by a watch to end the run: the user's callback has raised `StopIteration`."""


Watch = Callable[[], None]


def drive(
    V: Vector,
    s: Any,
    objective: Objective,
    *,
    scheduled: Sequence[Scheduled] = (),
    rng: np.random.Generator | None = None,
    watch: Watch | None = None,
    maxtime: float = float("inf"),
    compiled: bool | None = None,
) -> None:
    """Run the machine to its end.

    Parameters
    ----------
    V, s : arrays
        The state; it is changed in place, and holds the reason for the end in ``s["ending"]``.
    objective : Objective
        Evaluates.
    scheduled : sequence of Scheduled
        What is set before each step.
    rng : Generator
        Draws the noise, where the method needs some.
    watch : callable, optional
        Called at the start and after every iteration; may raise `Halt`.
    maxtime : float
        Seconds.
    compiled : bool, optional
        Whether a compiled loop may (None), must (True) or must not (False) be used.

    Raises
    ------
    ValueError
        If `compiled` is True and the run cannot be compiled; the message says why.
    """
    r = named(s)
    begun = perf_counter()
    deadline = begun + maxtime
    loop = None
    if compiled or (compiled is None and isinstance(objective.fun, Dispatcher)):
        try:
            loop = _compiled().loop_for(objective, scheduled, r.needs)
        except ValueError as reason:
            if compiled:
                raise ValueError(f"`compiled=True` is not possible: {reason}") from reason
    try:
        if loop and not loop.ready(objective.args):
            if not compiled:
                # the first evaluation may compile the user's functions
                interpret(V, s, objective, scheduled, rng, watch, begun)
                begun = perf_counter()
                if r.ask and loop.spent < PATIENCE:
                    until = min(begun + PATIENCE - loop.spent, deadline)
                    interpret(V, s, objective, scheduled, rng, watch, until)
                loop.spent += perf_counter() - begun
            worthwhile = r.ask and deadline - perf_counter() > WORTHWHILE
            if not (compiled or worthwhile):
                loop = None
            elif error := loop.compile(objective.args):
                if compiled:
                    raise ValueError(f"`compiled=True` is not possible: {error}") from error
                loop = None
        if loop and r.ask:
            loop.run(V, s, objective, scheduled, rng, watch, deadline)
        if r.ask and (r.nit < 0 or perf_counter() < deadline):
            interpret(V, s, objective, scheduled, rng, watch, deadline)
        if r.ask:
            end(s, MAXTIME)
        if r.ending == BROKEN:
            raise ValueError(
                "the formula of the method has raised an error, or returned a direction or a state "
                "of the wrong shape"
            )
    except OutOfBudget:
        end(s, MAXFEV)
    except Halt:
        end(s, CALLBACK)


@functools.cache
def _compiled() -> Any:
    from . import _compiled as module  # plain Python functions do not wait for it

    return module


def end(s: Any, ending: int) -> None:
    s["ending"], s["ask"] = ending, DONE


def interpret(
    V: Vector,
    s: Any,
    objective: Objective,
    scheduled: Sequence[Scheduled],
    rng: np.random.Generator | None,
    watch: Watch | None,
    until: float,
) -> None:
    """The driver for Python functions: to the end, or `until` a time of `perf_counter`.

    At least one evaluation is made.
    """
    r, rows = named(s), list(V[:POINTS])
    ask, seen, maxiter = r.ask, r.nit, r.maxiter
    hess = V[r.hess : r.hess + r.n]
    while ask:
        if ask & NOISE:
            assert rng is not None
            rng.standard_normal(out=V[r.z])
        f, g = objective(x := rows[r.trial], ask)
        if ask & HESSIAN:
            hess[:] = objective.hessian(x, g)
        if seen + 2 <= maxiter:
            for each in scheduled:
                each.set(seen + 2, f)
        ask = tell(V, s, f, g)
        if r.nit != seen:
            seen += 1
            if watch is not None:
                watch()
        if ask & VALUE and perf_counter() >= until:  # never between a value and its gradient
            break
