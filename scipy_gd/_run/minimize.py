"""One run, from what the user gave to the result: check, lay out the state, drive, report."""

from __future__ import annotations

import contextlib
import copy
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numba.core.ccallback import CFunc
from scipy import LowLevelCallable
from scipy.optimize import OptimizeResult, OptimizeWarning

from .. import _options
from .._core.endings import (
    BROKEN,
    CALLBACK,
    CONVERGED,
    EARLY,
    ENDINGS,
    EPOCHS,
    MAXFEV,
    MAXITER,
    MAXTIME,
)
from .._core.state import GRADIENT, HESSIAN, NOISE, POINTS, VALUE
from .._evaluate.evaluator import Objective, OutOfBudget, Probe, mapping
from ..arguments import Vector, limits, listener, starting_point
from ..history import History
from .batches import Batches, Sampling, held_out_arguments
from .drive import Halt, Run, drive
from .layout import lay_out
from .progress import shown
from .saved import restore, save

if TYPE_CHECKING:
    from .._method import Method

LOW_LEVEL = (CFunc, LowLevelCallable)
EPOCHS_BY_DEFAULT = 100


def run(
    method: Method,
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
    if not (callable(fun) or isinstance(fun, LowLevelCallable)):
        raise TypeError(f"`fun` must be callable, got {fun!r}")
    x = starting_point(x0)
    box = limits(bounds, x.size)
    _refuse_constraints(constraints)
    told = listener(callback)
    for name, given in {"hess": hess, "hessp": hessp}.items():
        if given is not None and not method.needs & HESSIAN:
            warn(f"{method.__name__} does not use Hessian information (`{name}`).", RuntimeWarning)
    if unknown := _options.unknown(method, options):
        warn(f"Unknown solver options: {', '.join(unknown)}")
    opts = _options.settings(method, options, x.size)
    fun, jac = _gradient(fun, jac, opts["finite_diff_scheme"])
    if method.needs & HESSIAN:
        hess, hessp = _hessian(hess, hessp)
    args = args if isinstance(args, tuple) else (args,)
    if isinstance(fun, LOW_LEVEL) or isinstance(jac, LOW_LEVEL):
        from .._evaluate.low_level import as_functions

        fun, jac, args = as_functions(fun, jac, args)
    if box is not None:
        x = np.clip(x, *box)
    random = method.needs & NOISE or method.probes or opts["batch_size"] is not None
    # a fresh generator takes longer than a short run
    rng = np.random.default_rng(opts["rng"]) if random or opts["check_grad"] else None
    sampling = _sampling(method, args, options, opts, rng)
    V, s, scheduled = lay_out(method, x, box, opts, sampling is not None)
    if opts["check_grad"] and not isinstance(jac, str):
        from ..gradient_check import check_grad

        given = None if box is None else np.transpose(box)
        # the run must not depend on the check
        check_grad(fun, jac, x, args=args, bounds=given, rng=copy.deepcopy(rng)).raise_if_wrong()

    pool = contextlib.nullcontext(map) if opts["workers"] is None else mapping(opts["workers"])
    with pool as map_:
        objective = Objective(
            fun,
            jac,
            args,
            box=box,
            hess=hess,
            hessp=hessp,
            rel_step=opts["finite_diff_rel_step"],
            map=map_,
            maxfev=opts["maxfev"],
            probe=Probe(rng, opts["c"], opts["gamma"]) if rng and method.probes else None,
        )
        this = Run(V, s, objective, scheduled, rng, sampling)
        if sampling is not None:
            differing = isinstance(jac, str) and not method.probes
            objective.reserve = 1 + differing * x.size * (2 if jac == "3-point" else 1)
        found = isinstance(opts["learning_rate"], str)
        if opts["resume"] is not None:
            restore(this, method, opts["resume"], rate_is_given=not found)
        log = _watch(this, method, callback, told, opts)
        bar = shown(this, method.__name__) if opts["progress"] else contextlib.nullcontext()
        try:
            if method.probes and found and opts["resume"] is None and opts["maxiter"] > 0:
                _calibrate(this, opts)
            with bar:
                drive(this, maxtime=opts["maxtime"], compiled=opts["compiled"])
            result = result_of(this, box, opts)
        except BaseException as error:
            with contextlib.suppress(AttributeError, TypeError):
                message = f"Stopped by {type(error).__name__}: {error}"
                result = so_far(this, message)
                if this.r.nit >= 0 and this.r.ending != BROKEN:
                    result.state = save(this, method)
                error.optimize_result = result  # type: ignore[attr-defined]
            raise
    result.update(log, state=save(this, method))
    if opts["disp"]:
        _display(result)
    return result


def _calibrate(run: Run, opts: dict[str, Any]) -> None:
    """A rate that makes the first step of spsa a fifth of the size of x, from four estimates.

    No later step is longer: estimates that are larger by far come from a rate that is too high.
    """
    objective, x = run.objective, run.V[run.r.trial]
    sizes = []
    with contextlib.suppress(OutOfBudget):
        for _ in range(4):
            objective(x, VALUE)
            sizes.append(np.linalg.norm(objective.estimate))
            objective.probe.t = 0  # type: ignore[union-attr]
    size = np.mean(sizes) if sizes else np.nan
    if size > 0 and np.isfinite(size):
        slowed = (opts["A"] + 1.0) ** opts["alpha"]
        run.r.clip_norm = min(run.r.clip_norm, size)
        run.r.alpha = 0.2 * (1.0 + np.linalg.norm(x)) * slowed / size


def _watch(
    run: Run,
    method: Method,
    callback: Any,
    told: Callable[[OptimizeResult], Any] | None,
    opts: dict[str, Any],
) -> dict[str, list[Vector] | History]:
    """Let the run be watched, if anybody wants it; what it will have logged, for the result."""
    log: dict[str, Any] = {}
    if opts["return_all"]:
        log["allvecs"] = []
    if opts["history"]:
        log["history"] = History(label=method.__name__)
    first = 1
    if isinstance(callback, History):  # it wants the start as well
        callback.label, first = callback.label or method.__name__, 0
    if told is None and not log:
        return log

    rows, r = list(run.V[:POINTS]), run.r
    allvecs, history = log.get("allvecs"), log.get("history")
    intermediate = _intermediate(run, opts["learning_rate"])

    def watch() -> None:
        if allvecs is not None:
            allvecs.append(rows[r.x].copy())
        if history is not None:
            history(intermediate())
        if told is not None and r.nit >= first:
            try:
                told(intermediate())
            except StopIteration as stop:
                raise Halt from stop

    run.watch = watch
    return log


def _sampling(
    method: Method,
    args: tuple[Any, ...],
    given: dict[str, Any],
    opts: dict[str, Any],
    rng: np.random.Generator | None,
) -> Sampling | None:
    """Batches and epochs, if there are any; `opts` gets the number of steps they make."""
    if opts["batch_size"] is None:
        for name in given.keys() & {"epochs", "shuffle", "batch_args", "validation", "patience"}:
            if given[name] is not None:
                raise ValueError(f"`{name}` needs a `batch_size`")
        return Sampling(None) if method.probes else None
    assert rng is not None
    batches = Batches(args, opts["batch_size"], rng, opts["shuffle"], opts["batch_args"])
    epochs = opts["epochs"]
    if epochs is None:
        epochs = EPOCHS_BY_DEFAULT if given.get("maxiter") is None else 2**62
    steps = min(epochs * batches.in_an_epoch, 2**62)
    opts["maxiter"] = steps if given.get("maxiter") is None else min(opts["maxiter"], steps)
    opts["steps"] = steps
    held_out = None
    if opts["validation"] is not None:
        held_out = held_out_arguments(args, batches.which, opts["validation"])
    elif given.get("patience") is not None:
        raise ValueError("`patience` needs a `validation`")
    return Sampling(batches, held_out, opts["patience"])


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


def _hessian(hess: Any, hessp: Any) -> tuple[Any, Any]:
    """Where the Hessian comes from; a difference scheme by name counts as none."""
    if isinstance(hess, str):
        hess = None
    for name, given in {"hess": hess, "hessp": hessp}.items():
        if given is not None and not callable(given):
            raise TypeError(f"`{name}` must be callable, got {given!r}")
    return hess, hessp


def _refuse_constraints(constraints: Any) -> None:
    given = constraints is not None
    with contextlib.suppress(TypeError):
        given = given and len(constraints) > 0
    if given:
        raise ValueError(
            "`constraints` are not supported by gradient descent methods; use `bounds`, or one of "
            "SciPy's constrained solvers (SLSQP, trust-constr, COBYQA)"
        )


def _intermediate(run: Run, given: Any) -> Callable[[], OptimizeResult]:
    """What a callback is told, when it is called; a rate for each parameter is no number."""
    V, r, objective = run.V, run.r, run.objective
    rows = list(V[:POINTS])
    slots = [each.slot for each in run.scheduled if each.name == "learning_rate"]
    number = np.ndim(given) == 0 and not any(np.shares_memory(V, slot) for slot in slots)
    slope = bool(r.needs & GRADIENT)

    def result() -> OptimizeResult:
        return OptimizeResult(
            x=rows[r.x].copy(),
            fun=r.f,
            nit=r.nit,
            gnorm=r.gnorm if slope else np.nan,
            learning_rate=r.rate_old if number else np.nan,
            nfev=objective.nfev,
            njev=objective.njev,
        )

    return result


def so_far(run: Run, message: str) -> OptimizeResult:
    """The best point of a run that has not ended."""
    V, r = run.V, run.r
    started = r.nit >= 0
    return OptimizeResult(
        x=V[r.best if started else r.trial].copy(),
        fun=r.f_best if started else np.nan,
        **_counts(run),
        success=False,
        status=-1,
        message=message,
    )


def _counts(run: Run) -> dict[str, int]:
    objective = run.objective
    return {
        "nit": max(run.r.nit, 0),
        "nfev": objective.nfev,
        "njev": objective.njev,
        "nhev": objective.nhev,
    }


def result_of(run: Run, box: tuple[Vector, Vector] | None, opts: dict[str, Any]) -> OptimizeResult:
    """The result of a run that has ended."""
    V, r, objective, sampling = run.V, run.r, run.objective, run.sampling
    ending, started, probed = r.ending, r.nit >= 0, objective.probe is not None
    on_the_way = sampling is not None and not sampling.last
    x, f, g = _on_all_data(run) if on_the_way else _told(run)
    if (sampling is None or probed) and started and ending != CONVERGED:
        # an average, or a gradient that the user has and the method has no use for
        averaged = opts["averaging"] is not None and r.nit > 0 and not probed
        unused = probed or not r.needs & GRADIENT
        if averaged or (unused and not isinstance(objective.jac, str) and np.isfinite(f)):
            f, x, g = _other_point(objective, V[r.average].copy() if averaged else x, f, x, g)
            if g is not None and _gnorm(x, g, box) <= opts["gtol"]:
                ending = CONVERGED
    if ending == MAXITER and sampling is not None and sampling.batches is not None:
        complete = opts["maxiter"] == opts["steps"]
        ending = EARLY if sampling.stopped else EPOCHS if complete else MAXITER
    status, success, message = ENDINGS[ending]
    return OptimizeResult(
        x=x,
        fun=f,
        **({} if g is None else {"jac": g}),
        **_counts(run),
        status=status,
        success=success or (ending == MAXITER and opts["maxiter_is_success"]),
        message=message,
        **({"validation_losses": sampling.losses} if sampling and sampling.held_out else {}),
    )


def _told(run: Run) -> tuple[Vector, float, Vector | None]:
    """Point, value and gradient of the result, as the run has been told them."""
    V, r, objective, sampling = run.V, run.r, run.objective, run.sampling
    if r.nit < 0:
        return V[r.trial].copy(), objective.f, None
    here = r.ending == CONVERGED or (sampling is not None and sampling.last)
    row = r.x if here else r.best
    slope = r.needs & GRADIENT and objective.probe is None
    return V[row].copy(), r.f if here else r.f_best, V[row + POINTS].copy() if slope else None


def _on_all_data(run: Run) -> tuple[Vector, float, Vector | None]:
    """The same of a sampled run that was stopped on the way, with the calls reserved for this."""
    V, r, objective, sampling = run.V, run.r, run.objective, run.sampling
    assert sampling is not None
    started, g = r.nit >= 0, None
    x = V[r.best if started else r.trial].copy()
    if started and (sampling.x_best is not None or r.ending in (MAXFEV, MAXTIME, CALLBACK)):
        x = sampling.chosen(V, r, r.x)
    objective.sample(sampling.batches.args if sampling.batches else None, True)
    f = objective(x, VALUE)[0]
    if started and r.needs & GRADIENT and objective.probe is None:
        with contextlib.suppress(OutOfBudget):
            g = objective(x, GRADIENT)[1].copy()
    return x, f, g


def _other_point(
    objective: Objective, y: Vector, f: float, x: Vector, g: Vector | None
) -> tuple[float, Vector, Vector | None]:
    """Value, point and gradient at `y` if it is x or better than x, as far as `maxfev` allows."""
    with contextlib.suppress(OutOfBudget):
        if np.array_equal(x, y):
            return f, x, objective.gradient_at(x).copy()
        f_y, g_y = objective(y, VALUE | GRADIENT)
        if f_y < f:
            return f_y, y, g_y.copy()
    return f, x, g


def _gnorm(x: Vector, g: Vector, box: tuple[Vector, Vector] | None) -> float:
    projected = g if box is None else np.clip(g, x - box[1], x - box[0])
    return float(abs(projected).max())


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
