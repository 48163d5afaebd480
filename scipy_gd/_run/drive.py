"""The drivers fetch the evaluations that the machine asks for, and do nothing else.

`interpret` calls Python functions; `Loop` in `_compiled.py` does the same with Numba functions,
compiled. The algorithm is in `_machine.py`. A run may change from one to the other between two
evaluations, since all it remembers is in `V` and `s`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from .._core.endings import BROKEN, CALLBACK, MAXFEV, MAXTIME
from .._core.machine import tell
from .._core.state import DONE, HESSIAN, NOISE, POINTS, VALUE, named, record
from .._evaluate.evaluator import Objective, OutOfBudget
from ..arguments import Vector
from .batches import Sampling
from .scheduled import Scheduled

PATIENCE = 0.1
"""Seconds that the runs of an objective spend in Python, all together, before a loop is compiled
for it: about what that takes, so that waiting and compiling never cost more than twice the better
choice."""
REPORT = 0.1
"""Seconds between two reports of a run in Python."""
WORTHWHILE = 1.0
"""Seconds that must be left for a compilation to be begun."""


class Halt(Exception):
    """Raised by a watch to end the run: the user's callback has raised `StopIteration`."""


@dataclass
class Run:
    """All that a run is made of.

    Attributes
    ----------
    V, s : arrays
        The state; it is changed in place, and holds the reason for the end in ``s["ending"]``.
    objective : Objective
        Evaluates.
    scheduled : sequence of Scheduled
        What is set before each step.
    rng : Generator
        Draws the noise, where the method needs some.
    sampling : Sampling
        Batches, if the values are noisy.
    watch : callable, optional
        Called at the start and after every iteration; may raise `Halt`.
    report : callable, optional
        Called several times a second, between two evaluations.
    saved : dict, optional
        The state before the last evaluation, where a run cannot be continued after it: the step
        that follows would follow from all data, and from a schedule's value that is not known.
    """

    V: Vector
    s: Any
    objective: Objective
    scheduled: Sequence[Scheduled] = ()
    rng: np.random.Generator | None = None
    sampling: Sampling | None = None
    watch: Callable[[], None] | None = None
    report: Callable[[], None] | None = None
    saved: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.r = named(self.s)
        self.pending = DONE  # what a run that was stopped from outside would have asked for

    @property
    def at_its_end(self) -> bool:
        """Whether the next evaluation may be one that `saved` must precede."""
        return (bool(self.scheduled) or self.sampling is not None) and (
            self.r.nit + 2 > self.r.maxiter
        )

    def save(self) -> None:
        self.saved = {"V": self.V.copy(), "s": record(self.s.base)}
        if self.rng is not None:
            self.saved["rng"] = copy.deepcopy(self.rng.bit_generator.state)

    def prepare(self) -> None:
        """What precedes an evaluation: its batch, a state to go on from, its noise."""
        if self.sampling is not None:
            args = self.sampling.arguments(self)
            self.objective.sample(args, self.sampling.last)
        elif self.at_its_end:
            self.save()
        if self.r.ask & NOISE:
            assert self.rng is not None
            self.rng.standard_normal(out=self.V[self.r.z])
            self.r.ask &= ~NOISE  # drawn, should the evaluation fail

    def follow(self, f: float) -> None:
        """Set what is scheduled for the step that follows an evaluation with the value `f`."""
        t = self.r.nit + 2
        if t <= self.r.maxiter:
            for each in self.scheduled:
                each.set(t, f)

    def undo(self) -> None:
        """Be ready to prepare an evaluation again that has failed."""
        if self.sampling is not None and self.sampling.batches is not None:
            self.sampling.batches.give_back()
        if self.objective.probe is not None:
            self.objective.probe.undo()

    def end(self, ending: int) -> None:
        self.pending = self.r.ask
        self.r.ending, self.r.ask = ending, DONE


def drive(run: Run, *, maxtime: float = float("inf"), compiled: bool | None = None) -> None:
    """Run the machine to its end.

    Parameters
    ----------
    run : Run
        What to run.
    maxtime : float
        Seconds.
    compiled : bool, optional
        Whether a compiled loop may (None), must (True) or must not (False) be used.

    Raises
    ------
    ValueError
        If `compiled` is True and the run cannot be compiled; the message says why.
    """
    r, objective = run.r, run.objective
    batches = run.sampling.batches if run.sampling else None
    args = objective.args if batches is None else batches.args
    begun = perf_counter()
    deadline = begun + maxtime
    loop = None
    if compiled or (compiled is None and isinstance(objective.fun, Dispatcher)):
        try:
            loop = _compiled().loop_for(run)
        except ValueError as reason:
            if compiled:
                raise ValueError(f"`compiled=True` is not possible: {reason}") from reason
    try:
        if r.ask and not r.ask & VALUE:  # a run that goes on at the gradient of a known value
            interpret(run, begun)
        if loop and not loop.ready(args):
            if not compiled:
                # the first evaluation may compile the user's functions
                interpret(run, begun)
                begun = perf_counter()
                if r.ask and loop.spent < PATIENCE:
                    interpret(run, min(begun + PATIENCE - loop.spent, deadline))
                loop.spent += perf_counter() - begun
            worthwhile = r.ask and deadline - perf_counter() > WORTHWHILE
            if not (compiled or worthwhile):
                loop = None
            elif error := loop.compile(args):
                if compiled:
                    raise ValueError(f"`compiled=True` is not possible: {error}") from error
                loop = None
        if loop and r.ask:
            loop.run(run, deadline)
        while r.ask and (r.nit < 0 or perf_counter() < deadline):
            until = min(perf_counter() + REPORT, deadline) if run.report else deadline
            interpret(run, until)
            if run.report:
                run.report()
        if r.ask:
            run.end(MAXTIME)
        if r.ending == BROKEN:
            raise ValueError(
                "the formula of the method has raised an error, or returned a direction or a state "
                "of the wrong shape"
            )
    except OutOfBudget:
        run.end(MAXFEV)
    except Halt:
        run.end(CALLBACK)


@functools.cache
def _compiled() -> Any:
    from . import compiled as module  # plain Python functions do not wait for it

    return module


def interpret(run: Run, until: float) -> None:
    """The driver for Python functions: to the end, or `until` a time of `perf_counter`.

    At least one evaluation is made.
    """
    V, s, r, objective, scheduled = run.V, run.s, run.r, run.objective, run.scheduled
    prepared = bool(scheduled) or run.sampling is not None or r.needs & NOISE
    rows, ask, seen = list(V[:POINTS]), r.ask, r.nit
    hess = V[r.hess : r.hess + r.n]
    batches = run.sampling.batches if run.sampling is not None else None
    while ask:
        try:
            if prepared:
                run.prepare()
            f, g = objective(x := rows[r.trial], ask)
            if ask & HESSIAN:
                g = g.copy()  # `jac` may return one array again and again
                hess[:] = objective.hessian(x, g)
            if scheduled:
                run.follow(f)
        except BaseException:
            run.undo()
            raise
        ask = tell(V, s, f, g)
        if batches is not None:
            batches.keep()
        if r.nit != seen:
            seen += 1
            if run.watch is not None:
                run.watch()
        if ask & VALUE and perf_counter() >= until:  # never between a value and its gradient
            break
