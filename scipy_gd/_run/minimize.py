"""One run, from what the user gave to the result: check, lay out the state, drive, report."""

from __future__ import annotations

import copy
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
from scipy import LowLevelCallable
from scipy.optimize import OptimizeResult, OptimizeWarning

from .. import _options
from .._core.bits import GRADIENT, HESSIAN, NOISE, VALUE
from .._core.endings import BROKEN
from .._core.proximal import Placed
from .._evaluate import scale as scales
from .._evaluate import undefined
from .._evaluate.adaptive import Adaptive
from .._evaluate.blocks import Blocks
from .._evaluate.decayed import Decayed
from .._evaluate.evaluator import Evaluator, OutOfBudget
from .._evaluate.gradients import Box, Perturbed, Source
from .._evaluate.hessians import hessian_of
from .._evaluate.low_level import as_functions
from .._evaluate.penalized import Penalized
from .._evaluate.residuals import as_sum
from .._evaluate.sizes import scale_for
from .._evaluate.sources import Squares, source_of
from .._formula import Formula
from ..arguments import Vector, limits, listener, starting_point
from ..history import History
from .batches import held_out_arguments
from .drive import drive
from .epochs import Epochs
from .layout import lay_out, ungrouped
from .observers import Observers, bar, keeps_history, keeps_points, tells
from .outcome import outcome, so_far
from .penalties import admitted
from .reduction import blocks_of, evaluating, functions
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
    _check(method, fun, constraints, callback, hess, hessp, options)
    x = starting_point(x0)
    box = limits(bounds, x.size)
    opts = _options.settings(method, options, x.size)
    problem = problem_of(method, opts, fun, args, jac, hess, hessp)
    x = admitted(method, opts, box, x)
    random = method.needs & NOISE or method.probes or opts["batch_size"] is not None
    # a fresh generator takes longer than a short run
    rng = np.random.default_rng(opts["rng"]) if random or opts["check_grad"] else None
    epochs = _epochs(problem.args, options, opts, rng)
    if opts["check_grad"] and not isinstance(problem.jac, str):
        _check_gradient(problem, x, box, rng)
    plain = problem.blocks is None and not opts["workers"]
    with nullcontext(map) if plain else evaluating(problem.blocks, opts["workers"]) as map_:
        run = begin(method, problem, x, box, opts, epochs, rng, map_)
        if opts["resume"] is not None:
            run.load(opts["resume"], rate_is_given=not isinstance(opts["learning_rate"], str))
        observers, log = _observers(method.__name__, callback, opts)
        result = _driven(run, observers, opts)
    result.update(log, state=run.save())
    if opts["disp"]:
        _display(result)
    return result


class Problem(NamedTuple):
    """The user's functions; `jac` may be True or the name of a scheme, the Hessian's None."""

    fun: Any
    jac: Any
    hess: Any
    hessp: Any
    args: tuple[Any, ...]
    squares: Squares | None
    blocks: Blocks | None


def problem_of(
    method: Formula, opts: dict[str, Any], fun: Any, args: Any, jac: Any, hess: Any, hessp: Any
) -> Problem:
    squares = _squares(method, opts)
    fun, jac = _gradient(fun, jac, _options.scheme(opts))
    if squares is not None and isinstance(fun, LowLevelCallable):
        raise TypeError("`fun` must be a Python function, to return residuals")
    hess, hessp = _hessian(hess, hessp) if method.needs & HESSIAN else (None, None)
    args = args if isinstance(args, tuple) else (args,)
    blocks = blocks_of(opts, fun, jac, args, squares)
    fun, jac = _defined(fun, jac, opts["undefined"], squares)
    fun, jac, args = as_functions(fun, jac, args)
    return Problem(fun, jac, hess, hessp, args, squares, blocks)


def _squares(method: Formula, opts: dict[str, Any]) -> Squares | None:
    """How residuals make an objective, if `fun` returns them."""
    if not (method.residuals or opts["residuals"]):
        return None
    return Squares(opts["loss"], opts["f_scale"], opts["batch_size"] is not None)


def begin(
    method: Formula,
    problem: Problem,
    x: Vector,
    box: Box,
    opts: dict[str, Any],
    epochs: Epochs | None = None,
    rng: np.random.Generator | None = None,
    map_: Any = map,
) -> RunState:
    """A run before its first evaluation."""
    fun, jac, hess, hessp, args, squares, blocks = problem
    n, sampled = x.size, epochs is not None or method.probes
    laid_out = ungrouped(method, opts, n)
    decay = _penalty(method, laid_out, n)
    if decay is not None:
        laid_out = laid_out | {str(method.penalty): 0.0}
    with_gradient = bool(method.needs & GRADIENT)
    measured = jac == "adaptive" and with_gradient and not sampled and decay is None
    measured = measured and squares is None
    plain = "2-point" if jac == "adaptive" and squares is None else jac
    steps = opts["finite_diff_rel_step"], opts["finite_diff_abs_step"]
    scale, nfev, njev = None, 0, 0
    if opts["x_scale"] is not None:
        f, j, _, _, known = functions(blocks, method, fun, plain, None, None, args, squares)
        looks = Evaluator(f, known, source_of(f, j, n, squares=squares), maxfev=opts["maxfev"])
        scale = scale_for(opts, x, box, None if sampled else looks)
        nfev, njev = looks.nfev, looks.njev
        x, box, steps = scale.inside(x), scale.inside(box), (steps[0], scale.inside(steps[1]))
        fun, plain, hess, hessp = scales.functions(fun, plain, hess, hessp, squares is not None)
        args = scale.known_by(args)
        if epochs is not None:
            epochs.args = args
            epochs.held_out = epochs.held_out and scale.known_by(epochs.held_out)
    fun, plain, hess, hessp, args = functions(
        blocks, method, fun, plain, hess, hessp, args, squares
    )
    D = None if scale is None else scale.D
    placed = None if opts["penalty"] is None else Placed(opts["penalty"], n)
    V, s, scheduled = lay_out(method, x, box, laid_out, sampled, measured, D, placed)
    exact = source_of(fun, plain, n, box, *steps, squares)
    source: Source = Adaptive(opts["noise"]) if measured else exact
    if placed is not None:
        source, exact = Penalized(source, placed), Penalized(exact, placed)
    if decay is not None:
        exact = source = Decayed(exact, decay if D is None else decay * D * D)
    if method.probes and rng is not None:
        source = Perturbed(rng, opts["c"], opts["gamma"], exact, box)
    hessian = None
    if method.needs & HESSIAN:
        hessian = hessian_of(hess, hessp, n, box, exact, measured)
    evaluator = Evaluator(fun, args, source, exact, hessian, map=map_, maxfev=opts["maxfev"])
    evaluator.nfev, evaluator.njev = nfev, njev
    run = RunState(
        method, V, s, evaluator, scheduled, rng, epochs, noise=opts["noise"], scale=scale
    )
    if run.r.sampled:  # kept for the value, and perhaps the gradient, on all data
        evaluator.keep(1 if run.perturbed else exact.calls(VALUE) + exact.calls(GRADIENT))
    return run


def _check(
    method: Formula,
    fun: Any,
    constraints: Any,
    callback: Any,
    hess: Any,
    hessp: Any,
    options: dict[str, Any],
) -> None:
    """What can be refused, or warned of, before any work is done."""
    if not (callable(fun) or isinstance(fun, LowLevelCallable)):
        raise TypeError(f"`fun` must be callable, got {fun!r}")
    _refuse_constraints(constraints)
    listener(callback)
    for name, given in (("hess", hess), ("hessp", hessp)):
        if given is not None and not method.needs & HESSIAN:
            warn(f"{method.__name__} does not use Hessian information (`{name}`).", RuntimeWarning)
    if unknown := _options.unknown(method, options):
        warn(f"Unknown solver options: {unknown}")


def _driven(run: RunState, observers: Observers, opts: dict[str, Any]) -> OptimizeResult:
    """The result of the run; an error takes the best point along."""
    label, unknown_rate = run.method.__name__, isinstance(opts["learning_rate"], str)
    try:
        if run.perturbed and unknown_rate and opts["resume"] is None and opts["maxiter"] > 0:
            _calibrate(run, opts)
        with bar(run, label) if opts["progress"] else nullcontext() as shown:
            observers.now_and_then += [shown] if shown else []
            drive(run, observers, maxtime=opts["maxtime"], compiled=opts["compiled"])
        return outcome(run, opts)
    except BaseException as error:
        with suppress(AttributeError, TypeError):
            result = so_far(run, f"Stopped by {type(error).__name__}: {error}")
            # spsa may not have found its rate before the first iteration
            if (run.r.nit >= 0 or run.perturbed is None) and run.r.ending != BROKEN:
                result.state = run.save()
            error.optimize_result = result  # type: ignore[attr-defined]
        raise


def _check_gradient(problem: Problem, x: Vector, box: Box, rng: np.random.Generator | None) -> None:
    """The option `check_grad`; the run must not depend on it."""
    from ..gradient_check import check_grad

    fun, jac, *_, args, squares, blocks = problem
    if squares is not None:
        fun, jac = as_sum(fun, jac)
    if blocks is not None:
        fun, jac, args = *blocks.objective(fun, jac, args, False), ()
    bounds = None if box is None else np.transpose(box)
    check_grad(fun, jac, x, args=args, bounds=bounds, rng=copy.deepcopy(rng)).raise_if_wrong()


def _calibrate(run: RunState, opts: dict[str, Any]) -> None:
    """A rate that makes the first step of spsa a fifth of |x| + 10 c, from four estimates.

    No later step is longer: estimates that are larger by far come from a rate that is too high.
    """
    perturbed, r = run.perturbed, run.r
    assert perturbed is not None
    x, g = run.points[r.trial], run.gradients[r.trial]
    sizes = []
    try:
        for _ in range(4):
            run.evaluator(x, VALUE, g, run.H)
            sizes.append(np.linalg.norm(g))
            perturbed.commit()
            perturbed.t = 0
    except OutOfBudget:
        perturbed.rollback()
    size = np.mean(sizes) if sizes else np.nan
    if size > 0 and np.isfinite(size):
        slowed = (opts["A"] + 1.0) ** opts["alpha"]
        r.clip_norm = min(r.clip_norm, size)
        r.alpha = 0.2 * (10.0 * opts["c"] + np.linalg.norm(x)) * slowed / size


def _observers(label: str, callback: Any, opts: dict[str, Any]) -> tuple[Observers, dict[str, Any]]:
    """Those who watch the run; what it will have logged, for the result."""
    observers, log = Observers(), dict[str, Any]()
    if opts["return_all"]:
        log["allvecs"] = []
        observers.each.append(keeps_points(log["allvecs"]))
    if opts["history"]:
        log["history"] = History(label=label, parameter_names=opts["parameter_names"] or ())
        observers.each.append(keeps_history(log["history"]))
    if told := tells(callback, label):
        observers.each.append(told)
    return observers, log


def _penalty(method: Formula, opts: dict[str, Any], n: int) -> Vector | None:
    """The weights of the penalty that is a part of the objective, if there is one.

    On mini-batches, and where its weight changes, it is a matter of the formula alone.
    """
    weight = opts[method.penalty] if method.penalty else 0.0
    if callable(weight) or opts["batch_size"] is not None or not np.any(weight):
        return None
    return np.broadcast_to(weight, (n,)).copy()


def _epochs(
    args: tuple[Any, ...],
    given: dict[str, Any],
    opts: dict[str, Any],
    rng: np.random.Generator | None,
) -> Epochs | None:
    """The data stream, if there is one; `opts` gets the number of steps it makes."""
    if opts["batch_size"] is None:
        alone = {"epochs", "shuffle", "batch_args", "validation", "patience"}
        for name in given.keys() & alone:
            if given[name] is not None and not (name == "batch_args" and opts["reduce"]):
                raise ValueError(f"`{name}` needs a `batch_size`")
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
        stream.held_out = held_out_arguments(args, stream.which, opts["validation"])
        stream.patience = opts["patience"]
    elif given.get("patience") is not None:
        raise ValueError("`patience` needs a `validation`")
    return stream


def _gradient(fun: Any, jac: Any, scheme: str) -> tuple[Any, Any]:
    """The function and where its gradient comes from: a callable, True or a difference scheme."""
    inner = getattr(fun, "fun", None)
    if inner and type(fun).__name__ == "MemoizeJac" and getattr(jac, "__self__", None) is fun:
        # minimize(jac=True): its memo compares x only; the user's own function returns both
        return inner, True
    if jac is None or jac is False:
        return fun, scheme
    if callable(jac) or jac is True or isinstance(jac, LowLevelCallable):
        return fun, jac
    if jac in ("2-point", "3-point", "cs"):
        return fun, jac
    raise ValueError(
        f"`jac` must be callable, True, None or one of '2-point', '3-point', 'cs', got {jac!r}"
    )


def _defined(
    fun: Any, jac: Any, exceptions: tuple[type[Exception], ...], squares: Squares | None
) -> tuple[Any, Any]:
    """The same functions, with NaN in the place of some exceptions."""
    if exceptions:
        like = undefined.pair if jac is True else undefined.number
        slope = undefined.gradient if squares is None else undefined.number
        fun = undefined.Undefined(fun, exceptions, like)
        jac = undefined.Undefined(jac, exceptions, slope) if callable(jac) else jac
    return fun, jac


def _hessian(hess: Any, hessp: Any) -> tuple[Any, Any]:
    """The functions that the Hessian comes from; a difference scheme by name counts as none."""
    if isinstance(hess, str):
        hess = None
    if hasattr(hess, "get_matrix"):
        raise TypeError(
            f"`hess` must be callable, got the update strategy {type(hess).__name__}: use lbfgs, "
            "which updates its Hessian, or leave `hess` out, for differences"
        )
    for name, given in {"hess": hess, "hessp": hessp}.items():
        if given is not None and not callable(given):
            raise TypeError(f"`{name}` must be callable, got {given!r}")
    return hess, hessp


def _refuse_constraints(constraints: Any) -> None:
    given = constraints is not None
    with suppress(TypeError):
        given = given and len(constraints) > 0
    if given:
        raise ValueError(
            "`constraints` are not supported by gradient descent methods; use `bounds`, or one of "
            "SciPy's constrained solvers (SLSQP, trust-constr, COBYQA)"
        )


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
