"""The outcome of a run: its last iteration, the point to return, and the ending."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from .._core import endings
from .._core.bits import GRADIENT, POINTS, VALUE
from .._core.machine import tell
from .._core.noise import fallen
from .._evaluate.evaluator import OutOfBudget
from .._evaluate.gradients import Told
from ..arguments import Vector, shown
from .fit import FitResult, fitted, inverse_hessian
from .interpreted import interpret
from .observers import Observers
from .run_state import RunState

Found = tuple[Vector, float, Vector | None]
SUSPICIOUS = 1e-3
"""If x times the gradient, relative to f, is this large, a gradient test passed at the start is
suspicious."""


def last_iteration(run: RunState, observers: Observers) -> None:
    """The last iteration that the run can make; if sampled, on all data."""
    if not run.r.sampled:
        interpret(run, observers, to_the_end=True)
        return
    r = run.r
    run.keep()  # before it sees all data
    run.chosen = _chosen(run, r.trial)
    x, g = run.points[r.trial], run.gradients[r.trial]
    r.maxiter = r.nit + 1
    _see_all_data(run)
    estimated = run.perturbed is not None
    f = run.evaluator(x, VALUE if estimated else r.ask, g, run.H)
    if estimated:  # there is no gradient to judge the point by
        g[:] = 0.0
    tell(*run.at, f)
    observers.iteration(run)


def outcome(run: RunState, opts: dict[str, Any]) -> OptimizeResult:
    """The result of a run that has ended."""
    r, epochs, exact = run.r, run.epochs, run.evaluator.exact
    ending, probed = r.ending, run.perturbed is not None
    x, f, g = _told(run) if run.whole or not r.sampled else _on_the_way(run)
    if run.chosen is not None and not np.array_equal(x, run.chosen):
        x, f, g = _at(run, run.chosen)
        ending = endings.MAXITER
        if g is not None and _converged(run, x, f, g, opts["gtol"]):
            ending = endings.CONVERGED
    if r.ahead:
        x, f, g = _reached(run, (x, f, g))
    if r.nit >= 0 and (probed or not r.sampled) and ending != endings.CONVERGED:
        # an average, or a gradient that the user has and the method has no use for
        averaged = opts["averaging"] is not None and r.nit > 0 and not probed
        unused = probed or not r.needs & GRADIENT
        if averaged or (unused and exact.given and np.isfinite(f)):
            x, f, g = _better(run, run.V[r.average].copy() if averaged else x, (x, f, g))
            if g is not None and _converged(run, x, f, g, opts["gtol"]):
                ending = endings.CONVERGED
    if ending == endings.MAXITER and epochs is not None:
        complete = opts["maxiter"] == epochs.planned
        ending = epochs.ending or (endings.EPOCHS if complete else endings.MAXITER)
    remarks = _remarks(run, ending, x, f, g)
    known, said = fitted(run, x, f, opts)
    known, remarks = known or inverse_hessian(run, x), remarks + said
    if run.decayed is not None:
        f = run.value(x, f)
        g = None if g is None else g - run.decayed.weights * x
    status, success, *_ = endings.ENDINGS[ending]
    if ending == endings.NOISE_REACHED:
        success = opts["noise_is_success"]
    if ending == endings.MAXITER:
        success = opts["maxiter_is_success"]
    kind = FitResult if "stderr" in known else OptimizeResult
    return kind(
        x=run.outside(x),
        fun=f,
        **({} if g is None else {"jac": run.gradient_outside(g)}),
        **_counts(run),
        status=status,
        success=success,
        message=message_of(run, opts, ending) + remarks,
        **_precision(run),
        **_penalty(run, x),
        **known,
        **_losses(run),
    )


def message_of(run: RunState, opts: dict[str, Any], ending: int) -> str:
    """What happened, and the advice that applies to this run."""
    r, known = run.r, set[str]()
    if ending == endings.NONFINITE and r.nit <= 0:
        start = shown(run.outside(run.points[r.trial if r.nit < 0 else r.x]).tolist())
        return endings.ENDINGS[endings.UNDEFINED].message.replace("x0", f"x0 = {start}")
    if run.evaluator.exact.given:
        known.add(endings.WITH_JAC)
    elif run.evaluator.source.near:
        known.add(endings.DIFFERENCES)
    if run.decayed is not None:
        known.add(endings.PENALTY)
    elif not run.method.penalty:
        pull = opts.get("weight_decay", 0.0)
        known |= {endings.PULL} if callable(pull) or np.any(pull) else set()
    if not r.first:
        known.add(endings.GIVEN_RATE)
    else:
        known.add(endings.POLYAK if opts["learning_rate"] == "polyak" else endings.SEARCH)
    text = endings.ENDINGS[ending].text(known)
    if r.noisy and ending in (endings.NOISE_REACHED, endings.PRECISION):
        errors = {
            "f": run.noise,
            "its gradient": run.gradient_outside(run.V[r.error]).max(),
            "x": run.uncertainty.max(),
        }
        sizes = [f"{e:.1e} in {what}" for what, e in errors.items() if not np.isnan(e)]
        text += f" The errors are about {', '.join(sizes)}."
    if ending == endings.STAGNATED:
        what = "the running mean of the values" if r.sampled else "the best value"
        below = f"did not fall below {r.f_lowest:.6g}"
        change = f"fell by {-r.risen:.1e}" if r.risen < 0.0 else below
        count = r.nit - r.nit_lowest
        text += f" In the last {count} iteration{'s' * (count > 1)}, {what} {change}."
    return text + where_to_go_on(ending, opts)


def where_to_go_on(ending: int, opts: dict[str, Any]) -> str:
    """A hint on how to resume from a checkpoint, if a budget ended the run."""
    target = opts.get("checkpoint") if ending in endings.OF_A_BUDGET else None
    return "" if target is None else f" To continue the run, pass `resume={str(target.path)!r}`."


def so_far(run: RunState, message: str) -> OptimizeResult:
    """The best point of an unfinished run; with held-out data, its `fun` is not known."""
    row, f = run.lowest
    x, best = run.V[row], None if run.epochs is None else run.epochs.x_best
    if best is not None and not np.array_equal(x, best):
        x, f = best, np.nan
    return OptimizeResult(
        x=run.outside(x),
        fun=run.value(x, f),
        **_counts(run),
        success=False,
        status=-1,
        message=message,
        **_losses(run),
    )


def _losses(run: RunState) -> dict[str, list[float]]:
    held_out = run.epochs is not None and run.epochs.held_out is not None
    return {"validation_losses": list(run.epochs.losses)} if run.epochs and held_out else {}


def _precision(run: RunState) -> dict[str, Any]:
    """What is known about the errors of f, the gradient and x."""
    r = run.r
    if not 0.0 < run.noise < np.inf or r.nit < 0:
        return {}
    return {
        "noise": run.noise,
        "jac_error": run.gradient_outside(run.V[r.error]),
        "x_error": run.uncertainty,
    }


def _penalty(run: RunState, x: Vector) -> dict[str, float]:
    """The penalty at the point of the result."""
    return {} if run.penalty is None else {"penalty": run.penalty.value(x)}


def _counts(run: RunState) -> dict[str, int]:
    evaluator = run.evaluator
    return {
        "nit": max(run.r.nit, 0),
        "nfev": evaluator.nfev,
        "njev": evaluator.njev,
        "nhev": evaluator.nhev,
    }


def _told(run: RunState) -> Found:
    """Point, value and gradient of the result, as evaluated during the run."""
    r = run.r
    if r.nit < 0:
        row, f = run.lowest
        return run.V[row].copy(), f, None
    slope = r.needs & GRADIENT and run.perturbed is None
    here = r.ending == endings.CONVERGED or r.sampled
    here |= run.penalty is not None and r.ending == endings.NOISE_REACHED  # it is said of this one
    # the lowest of noisy values is low by chance
    here |= r.noisy and r.f <= r.f_best + 3.0 * run.noise
    row, f = (r.x, r.f) if here else run.lowest
    if not slope:
        return run.V[row].copy(), f, None
    x, g = run.V[row].copy(), np.full(r.n, np.nan)
    if row in (r.x, r.best):
        g[:] = run.V[row + POINTS]
    elif run.evaluator.source.given:  # the lowest trial was not kept, its gradient not asked for
        with contextlib.suppress(OutOfBudget):
            run.evaluator(x, run.evaluator.source.parts | GRADIENT, g, run.H)
    return x, f, g


def _on_the_way(run: RunState) -> Found:
    """The same for a sampled run that was stopped early, using the calls reserved for this."""
    r, started = run.r, run.r.nit >= 0
    x = run.points[r.best if started else r.trial].copy()
    found = run.epochs is not None and run.epochs.x_best is not None
    if started and (found or r.ending in (endings.MAXFEV, endings.MAXTIME, endings.CALLBACK)):
        x = _chosen(run, r.x)
    _see_all_data(run)
    return _at(run, x, slope=started)


def _at(run: RunState, x: Vector, slope: bool = True) -> Found:
    """Value and gradient on all data, using the calls reserved for this."""
    evaluator, g = run.evaluator, np.empty(x.size)
    f = evaluator(x, VALUE, g, run.H)
    if slope and run.r.needs & GRADIENT and run.perturbed is None:
        with contextlib.suppress(OutOfBudget):
            evaluator(x, GRADIENT, g, run.H)
            return x, f, g
    return x, f, None


def _see_all_data(run: RunState) -> None:
    """From now on, evaluate the full function instead of samples."""
    evaluator = run.evaluator
    evaluator.args, evaluator.source = run.args, evaluator.exact
    evaluator.keep(0)
    run.whole = True


def _chosen(run: RunState, row: int) -> Vector:
    """The point to return: the best on held-out data, an average, or the iterate in `row`."""
    best = None if run.epochs is None else run.epochs.x_best
    return run.current(row) if best is None else best.copy()


def _better(run: RunState, y: Vector, found: Found) -> Found:
    """The evaluation at `y`, if that is x or better than x, as far as `maxfev` allows."""
    x, f, _ = found
    evaluator, g = run.evaluator, np.empty(y.size)
    with contextlib.suppress(OutOfBudget):
        if np.array_equal(x, y):
            evaluator.elsewhere(x, evaluator.exact.parts, g)
            return x, f, g
        f_y = evaluator.elsewhere(y, VALUE | GRADIENT, g)
        if f_y < f:
            return y, f_y, g
    return found


def _reached(run: RunState, found: Found) -> Found:
    """The end of the last step, if it is lower; the run was stopped beyond it."""
    evaluator, x, g = run.evaluator, run.V[run.r.d + 1].copy(), np.full(run.r.n, np.nan)
    if evaluator.exact.name.startswith(Told.name):
        return found
    evaluator.keep(0)
    with contextlib.suppress(OutOfBudget):
        f = evaluator.elsewhere(x, VALUE | GRADIENT if evaluator.exact.given else VALUE, g)
        if f < found[1]:
            return x, f, g
    return found


def _projected(run: RunState, x: Vector, g: Vector, unit: Vector | float) -> Vector:
    """The gradient test's gradient, in the run's units (1) or the user's (the scale)."""
    V, r = run.V, run.r
    if run.penalty is not None:
        y = run.penalty.apply(x - g, 1.0)
        return x - (y if r.bounds < 0 else np.clip(y, *V[r.bounds : r.bounds + 2]))
    lower, upper = (-np.inf, np.inf) if r.bounds < 0 else V[r.bounds : r.bounds + 2]
    return np.clip(g / unit, unit * (x - upper), unit * (x - lower))


def _converged(run: RunState, x: Vector, f: float, g: Vector, gtol: float) -> bool:
    """Whether the gradient test passes at a point other than the run's own."""
    r = run.r
    absolute = abs(_projected(run, x, g, run.unit)).max()
    relative = abs(_projected(run, x, g, 1.0)).max()
    return bool(absolute <= gtol or relative <= r.gtol_rel * fallen.py_func(r, f))


def _remarks(run: RunState, ending: int, x: Vector, f: float, g: Vector | None) -> str:
    """Remarks to add to the message of an ending."""
    said = "" if run.scale is None else run.scale.note
    if ending == endings.CONVERGED and run.r.nit == 0 and g is not None and f != 0.0:
        p = _projected(run, x, g, run.unit)
        share = abs(run.outside(x) * p).max() / abs(f)
        if SUSPICIOUS <= share <= 1.0 / SUSPICIOUS:  # more is a zero of f that is near
            said += (
                f" The gradient at the starting point, {abs(p).max():.1e}, is below `gtol`, but "
                f"its product with x is {share:.2g} times f: if f or x is measured in very small "
                "or very large units, use `gtol_rel` or `x_scale`."
            )
    return said
