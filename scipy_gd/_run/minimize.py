"""One run, from the user's input to the result: check, lay out the state, drive, report."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from scipy import LowLevelCallable
from scipy.optimize import OptimizeResult, OptimizeWarning

from .. import _options
from .._checkpoint import blamed
from .._core.bits import HESSIAN, NOISE
from .._core.endings import BROKEN
from .._formula import Formula
from ..arguments import limits, listener, starting_point
from .batches import held_out_arguments
from .begin import begin, calibrate, check_gradient, problem_of
from .drive import drive
from .epochs import Epochs
from .observers import Observers, bar, observers_of
from .outcome import outcome, so_far
from .penalties import admitted
from .reduction import evaluating
from .run_state import RunState

EPOCHS_BY_DEFAULT = 100


def minimize(
    method: Formula,
    fun: Callable[..., Any],
    x0: Any,
    args: Any,
    jac: Any,
    hess: Any,
    hessp: Any,
    bounds: Any,
    constraints: Any,
    callback: Any,
    options: dict[str, Any],
) -> OptimizeResult:
    """What every method does when it is called."""
    _check(method, fun, callback, hess, hessp, options)
    x = starting_point(x0)
    box = limits(bounds, x.size)
    opts = _options.settings(method, options, x.size)
    if opts["checkpoint"] is not None and opts["resume"] is None:
        _warn_of_loss(*opts["checkpoint"])
    problem = problem_of(method, opts, fun, args, jac, hess, hessp)
    x = admitted(method, opts, box, x)
    if constraints is not None and not (isinstance(constraints, tuple | list) and not constraints):
        from .._constraints.rows import listed  # what a plain run does not wait for
        from .constrained import constrained

        if given := listed(constraints):
            result = constrained(method, problem, given, x, box, callback, options, opts)
            if opts["disp"]:
                _display(result)
            return result
    random = method.needs & NOISE or method.probes or opts["batch_size"] is not None
    # a fresh generator takes longer than a short run
    rng = np.random.default_rng(opts["rng"]) if random or opts["check_grad"] else None
    epochs = _epochs(problem.args, options, opts, rng)
    if opts["check_grad"] and not isinstance(problem.jac, str):
        check_gradient(problem, x, box, rng)
    plain = problem.blocks is None and not opts["workers"]
    with nullcontext(map) if plain else evaluating(problem.blocks, opts["workers"]) as map_:
        run = begin(method, problem, x, box, opts, epochs, rng, map_)
        if opts["resume"] is not None:
            with blamed(opts["resume"]):
                run.load(opts["resume"], rate_is_given=not isinstance(opts["learning_rate"], str))
        observers, log = observers_of(method.__name__, callback, opts)
        result = _driven(run, observers, opts)
    result.update(log)
    if opts["disp"]:
        _display(result)
    return result


def _check(
    method: Formula,
    fun: Any,
    callback: Any,
    hess: Any,
    hessp: Any,
    options: dict[str, Any],
) -> None:
    """Raise errors and warnings that need no work."""
    if not (callable(fun) or isinstance(fun, LowLevelCallable)):
        raise TypeError(f"`fun` must be callable, got {fun!r}")
    listener(callback)
    for name, given in (("hess", hess), ("hessp", hessp)):
        if given is not None and not method.needs & HESSIAN:
            warn(f"{method.__name__} does not use Hessian information (`{name}`).", RuntimeWarning)
    if unknown := _options.unknown(method, options):
        warn(f"Unknown solver options: {unknown}")


def _warn_of_loss(path: Path, there: str) -> None:
    """Warn if a checkpoint of a run that could continue is about to be overwritten."""
    if there:
        warn(
            f"`checkpoint`: {path} has {there}, and will be overwritten. To continue that run, "
            f"pass `resume={str(path)!r}`."
        )


def _driven(run: RunState, observers: Observers, opts: dict[str, Any]) -> OptimizeResult:
    """The result of the run; an exception carries the best point."""
    label, unknown_rate = run.method.__name__, isinstance(opts["learning_rate"], str)
    try:
        if run.perturbed and unknown_rate and opts["resume"] is None and opts["maxiter"] > 0:
            calibrate(run, opts)
        limits = max(run.r.nit, 0), run.r.maxiter, opts["maxtime"]
        with bar(*limits, label) if opts["progress"] else nullcontext() as shown:
            observers.now_and_then += [shown] if shown else []
            try:
                drive(run, observers, maxtime=opts["maxtime"], compiled=opts["compiled"])
            finally:
                observers.report(run)
        before = run.evaluator.nfev
        result = outcome(run, opts)
        run.closing = run.evaluator.nfev - before
        result.state = run.save(ended=True)
    except BaseException as error:
        with suppress(AttributeError, TypeError):
            result = so_far(run, f"Stopped by {type(error).__name__}: {error}")
            # spsa may not have found its rate before the first iteration
            if (run.r.nit >= 0 or run.perturbed is None) and run.r.ending != BROKEN:
                result.state = run.save()
            observers.interrupted(error, result, opts["resume"] is not None)
        raise
    observers.keep({**result.state, "since": run.since}, result)
    return result


def _epochs(
    args: tuple[Any, ...],
    given: dict[str, Any],
    opts: dict[str, Any],
    rng: np.random.Generator | None,
) -> Epochs | None:
    """The data stream, if there is one; its number of steps goes into `opts`."""
    if opts["batch_size"] is None:
        alone = {"epochs", "shuffle", "batch_args", "validation", "patience"}
        for name in given.keys() & alone:
            if given[name] is not None and not (name == "batch_args" and opts["reduce"]):
                raise ValueError(f"`{name}` needs `batch_size`")
        return None
    assert rng is not None
    stream = Epochs(args, opts["batch_size"], rng, opts["shuffle"], opts["batch_args"])
    most = opts["epochs"]
    if most is None:
        most = EPOCHS_BY_DEFAULT if given.get("maxiter") is None else 2**62
    stream.planned = min(most * stream.steps, 2**62)
    unlimited = given.get("maxiter") is None
    opts["maxiter"] = stream.planned if unlimited else min(opts["maxiter"], stream.planned)
    if opts["validation"] is not None:
        held_out = held_out_arguments(args, stream.which, opts["validation"])
        stream.hold_out(held_out, opts["patience"])
    elif given.get("patience") is not None:
        raise ValueError("`patience` needs `validation`")
    return stream


def _display(result: OptimizeResult) -> None:
    """What SciPy's BFGS prints."""
    if result.success:
        print(result.message)
    else:
        warn(result.message)
    print(f"         Current function value: {result.fun:f}")
    print(f"         Iterations: {result.nit:d}")
    print(f"         Function evaluations: {result.nfev:d}")
    print(f"         Gradient evaluations: {result.njev:d}")
    if result.nhev:
        print(f"         Hessian evaluations: {result.nhev:d}")


def warn(message: str, category: type[Warning] = OptimizeWarning) -> None:
    """A warning on the caller's line: the first frame outside SciPy and this package."""
    here = Path(__file__).parent
    inside = tuple(f"{folder}{os.sep}" for folder in (here.parent, Path(scipy.__file__).parent))
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(inside):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
