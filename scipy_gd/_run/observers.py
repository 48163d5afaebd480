"""Observers of a run in progress: a new observer is one function of the run.

Those in `each` are called at the start and after every iteration, those in `now_and_then` several
times per second, between evaluations.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from .. import _checkpoint
from .._core.bits import GRADIENT
from ..arguments import Vector, listener
from ..history import History
from .run_state import RunState, State

Observer = Callable[[RunState], None]
Save = Callable[[RunState], State]
SHARE = 0.01
"""The largest fraction of a run's time that checkpoints may take."""


class Halt(Exception):
    """An observer ends the run: the user's callback raised `StopIteration`."""


class Observers:
    """All observers of one run."""

    def __init__(self) -> None:
        self.each: list[Observer] = []
        self.now_and_then: list[Observer] = []
        self.file: Path | None = None

    def iteration(self, run: RunState) -> None:
        for observer in self.each:
            observer(run)

    def report(self, run: RunState) -> None:
        for observer in self.now_and_then:
            observer(run)

    def interrupted(self, error: BaseException, result: OptimizeResult, resumed: bool) -> None:
        """Let an exception carry the result; write its state, unless the run has hardly begun."""
        if "state" in result and (result.nit or resumed):
            with suppress(OSError):  # what has happened before is what matters
                self.keep(result.state, result)
        error.optimize_result = result  # type: ignore[attr-defined]

    def keep(self, state: Any, result: OptimizeResult) -> None:
        """Write the last checkpoint; an error carries the result."""
        if self.file is None:
            return
        try:
            _checkpoint.write(self.file, state)
        except OSError as error:
            error.optimize_result = result  # type: ignore[attr-defined]
            raise


class IntermediateResult(OptimizeResult):  # type: ignore[misc]
    """What a callback receives, with the state of the run on request."""

    def state(self) -> State:
        """A copy of the state of the run, for the option `resume`.

        Raises
        ------
        RuntimeError
            If the callback has returned: the run has then moved on.
        """
        if "save" not in self.__dict__:
            raise RuntimeError("`state()` must be called while the callback runs")
        saved: State = self.__dict__["save"]()
        return copy.deepcopy(saved)

    def __reduce__(self) -> tuple[Any, ...]:
        return OptimizeResult, (dict(self),)


def intermediate_result(run: RunState, save: Save = RunState.save) -> IntermediateResult:
    """What a callback receives; an array of rates is shown as NaN."""
    r, evaluator = run.r, run.evaluator
    told = IntermediateResult(
        x=run.x,
        fun=run.value(run.points[r.x], r.f),
        nit=r.nit,
        gnorm=r.gnorm if r.needs & GRADIENT else np.nan,
        learning_rate=r.rate_old if r.one_rate else np.nan,
        nfev=evaluator.nfev,
        njev=evaluator.njev,
    )
    told.__dict__["save"] = lambda: save(run)
    return told


Seen = Callable[[RunState], OptimizeResult]
At = Callable[[RunState], Vector]


def observers_of(
    label: str,
    callback: Any,
    opts: dict[str, Any],
    seen: Seen = intermediate_result,
    at: At = attrgetter("x"),
    save: Save = RunState.save,
) -> tuple[Observers, dict[str, Any]]:
    """The observers of a run, and what they log for the result."""
    observers, log = Observers(), dict[str, Any]()
    if opts["return_all"]:
        log["allvecs"] = []
        observers.each.append(keeps_points(log["allvecs"], at))
    if opts["history"]:
        log["history"] = History(label=label, parameter_names=opts["parameter_names"] or ())
        observers.each.append(keeps_history(log["history"], seen))
    if told := tells(callback, label, seen):
        observers.each.append(told)
    if opts["checkpoint"] is not None:
        path, every = opts["checkpoint"].path, opts["checkpoint_every"]
        observers.file = Path(os.path.abspath(path))  # `fun` may change the folder
        observers.now_and_then.append(writes_checkpoints(observers.file, every, save))
    return observers, log


def keeps_points(points: list[Vector], at: At) -> Observer:
    """Store every iterate in a list."""
    return lambda run: points.append(at(run))


def keeps_history(history: Any, seen: Seen) -> Observer:
    """Record every iteration in a `History`, including the starting point."""
    return lambda run: history(seen(run))


def tells(callback: Any, label: str, seen: Seen) -> Observer | None:
    """Call the user's callback, of either of SciPy's styles, after every iteration.

    A `History` first receives the name of the method, and then the starting point too.
    """
    told = listener(callback)
    if told is None:
        return None
    first = 1
    if start := getattr(callback, "__scipy_gd_start__", None):
        start(label)
        first = 0

    def observer(run: RunState) -> None:
        if run.r.nit >= first:
            result = seen(run)
            try:
                told(result)
            except StopIteration as stop:
                raise Halt from stop
            finally:
                result.__dict__.pop("save", None)

    return observer


def writes_checkpoints(path: Path, every: float, save: Save) -> Observer:
    """Write the state to a file every few seconds."""
    due = perf_counter() + every

    def observer(run: RunState) -> None:
        nonlocal due
        begun = perf_counter()
        if begun >= due:
            _checkpoint.write(path, save(run))
            taken = perf_counter() - begun
            due = begun + taken + max(every, taken / SHARE)

    return observer


def progress_bar(**how: Any) -> Any:
    """A tqdm progress bar.

    Raises
    ------
    ImportError
        If tqdm is missing.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("`progress` needs tqdm: pip install tqdm", name="tqdm") from error
    return tqdm(**how)


@contextmanager
def bar(
    begun: int,
    most: int,
    maxtime: float,
    label: str,
    seen: Seen = intermediate_result,
) -> Iterator[Observer]:
    """A bar in a terminal or a notebook: iterations, f, the gradient norm, the rate, the time left.

    It is full when the iterations get from `begun` to `most`.

    Raises
    ------
    ImportError
        If tqdm is missing.
    """
    total, until = most if most < 2**62 else None, perf_counter() + maxtime
    with progress_bar(initial=begun, total=total, desc=label, unit="it") as shown:

        def observer(run: RunState) -> None:
            told = seen(run)
            slope = "" if np.isnan(told.gnorm) else f", |g| {told.gnorm:.2e}"
            text = f"f {told.fun:.6g}{slope}, rate {run.r.rate_old:.2e}"
            if until < np.inf:
                text += f", {max(until - perf_counter(), 0.0):.0f} s left"
            shown.set_postfix_str(text, refresh=False)
            shown.update(max(told.nit, 0) - shown.n)

        yield observer
