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
from scipy.optimize import OptimizeResult, OptimizeWarning

from . import _options, _state
from ._drive import Halt, Schedules, drive
from ._endings import CONVERGED, ENDINGS, MAXITER
from ._inputs import Vector, limits, listener, starting_point
from ._kernel import lift
from ._objective import Objective, OutOfBudget, mapping
from ._state import GRADIENT, HESSIAN, NOISE, POINTS, RECORD, Rows
from .history import History

if TYPE_CHECKING:
    from ._method import Method

RULES = {
    "fixed": _state.FIXED,
    "fifth": _state.FIFTH,
    "armijo": _state.ARMIJO,
    "wolfe": _state.WOLFE,
    "spectral": _state.SPECTRAL,
    "bold": _state.BOLD,
    "restart": _state.RESTART,
}


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
    if not callable(fun):
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
    if box is not None:
        x = np.clip(x, *box)
    V, s, schedules = lay_out(method, x, box, opts)
    if opts["check_grad"] and not isinstance(jac, str):
        from .check import check_grad

        rng = copy.deepcopy(opts["rng"])  # the run must not depend on the check
        given = None if box is None else np.transpose(box)
        check_grad(fun, jac, x, args=args, bounds=given, rng=rng).raise_if_wrong()

    rng = np.random.default_rng(opts["rng"]) if s["needs"][0] & NOISE else None
    with mapping(opts["workers"]) as map_:
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
        )
        allvecs: list[Vector] | None = [] if opts["return_all"] else None

        history = History() if opts["history"] else None
        for kept in (history, callback):
            if isinstance(kept, History):
                kept.label = kept.label or method.__name__
        first = 0 if isinstance(callback, History) else 1
        intermediate = _intermediate(V, s, objective, opts["learning_rate"], schedules)
        rows, here, nit = list(V[:POINTS]), s["x"], s["nit"]

        def watch() -> None:
            if allvecs is not None:
                allvecs.append(rows[here.item()].copy())
            if history is not None:
                history(intermediate())
            if told is not None and nit.item() >= first:
                try:
                    told(intermediate())
                except StopIteration as stop:
                    raise Halt from stop

        try:
            drive(
                V,
                s,
                objective,
                schedules=schedules,
                rng=rng,
                watch=watch if told or opts["return_all"] or opts["history"] else None,
                maxtime=opts["maxtime"],
                compiled=opts["compiled"],
            )
        except BaseException as error:
            with contextlib.suppress(AttributeError, TypeError):
                error.optimize_result = _so_far(V, s, objective, error)  # type: ignore[attr-defined]
            raise
        result = _result(V, s, objective, box, opts)
    if allvecs is not None:
        result.allvecs = allvecs
    if history is not None:
        result.history = history
    if opts["disp"]:
        _display(result)
    return result


def lay_out(
    method: Method, x: Vector, box: tuple[Vector, Vector] | None, opts: dict[str, Any]
) -> tuple[Vector, Any, Schedules]:
    """The state before the first evaluation, and the slots that schedules fill."""
    s = np.zeros(1, RECORD)
    r = s[0]
    rows = Rows(x.size)
    needs = method.needs
    rule = _rule(method, opts)
    searching = rule >= _state.ARMIJO

    rows.add(*[x] * POINTS, *[np.nan] * POINTS)
    r["z"] = rows.add(0.0) if needs & NOISE else -1
    r["d"] = rows.reserve(2) if searching else -1
    r["p"] = rows.add(1.0) if searching and method.preconditioned else -1
    r["hess"] = rows.reserve(x.size) if needs & HESSIAN else -1
    r["bounds"] = rows.add(*box) if box is not None else -1
    r["free"] = rows.add(1.0) if "free" in method.supplied else -1

    scheduled: list[tuple[Any, Callable[[int, float], Any]]] = []
    arrays: list[str] = []
    values = {name: opts[name] for name in ("learning_rate", *method.hyper)}
    if values.get("maxcor") == 0:
        values["maxcor"] = memory_for(x.size)
    if isinstance(values["learning_rate"], str):
        values["learning_rate"] = _first_rate(method, rule, x)
    for name, value in list(values.items()):
        if callable(value):
            check = _options.check(method, name)
            if name == "learning_rate":
                check = _options.per_parameter(_options.scheduled_rate)
            schedule = _checked(name, value, check, x.size)
            values[name] = schedule(1, np.nan)
            scheduled.append((name, schedule))
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            row = rows.add(value)
            r["arrays"] = row if not arrays else r["arrays"]
            arrays.append(name)
    for k, name in enumerate(method.states):
        r["init"][k] = method.init.get(name, 0.0)
    r["states"] = rows.add(*r["init"][: len(method.states)])
    r["state_rows"] = len(method.states)
    r["memory"] = rows.reserve(len(method.memory) * int(values.get("maxcor", 0)))
    V = rows.stack()
    r["rows"], r["n"] = V.shape

    slots: dict[str, Any] = {name: V[r["arrays"] + k] for k, name in enumerate(arrays)}
    for k, name in enumerate(method.hyper):
        if name not in arrays:
            slots[name] = s["h"][0, k : k + 1]
            slots[name][0] = values[name]
    if "learning_rate" not in arrays:
        slots["learning_rate"] = s["alpha"]
    r["alpha"] = 1.0 if "learning_rate" in arrays else values["learning_rate"]
    r["rule"], r["unit"], r["c2"] = rule, method.unit, method.c2
    r["kernel"] = lift(method, searching, box is not None, tuple(arrays)).address
    r["needs"] = r["ask"] = needs
    patient = scheduled or not needs & GRADIENT
    r["patience"] = 2**62 if patient else 1000
    r["maxiter"] = opts["maxiter"]
    for name in ("gtol", "ftol", "xtol", "target"):
        r[name] = opts[name]
    r["nit"] = -1
    r["f"] = r["f_old"] = r["f_trial"] = r["rate"] = np.nan
    r["f_start"] = r["f_best"] = r["f_mark"] = r["g_mark"] = r["gnorm"] = np.inf
    r["reach"] = abs(x).max()
    r["far"] = 1e10 * (1.0 + r["reach"])
    return V, s, [(slots[name], schedule) for name, schedule in scheduled]


def _rule(method: Method, opts: dict[str, Any]) -> int:
    """The step rule behind `learning_rate`."""
    rate = opts["learning_rate"]
    if not isinstance(rate, str):
        return _state.FIXED if method.needs & GRADIENT else _state.KEEP_BEST
    name = method.auto if rate == "auto" else rate
    if name is None:
        raise ValueError(f"`learning_rate` must be a number for {method!r}: it has no 'auto'")
    rule = RULES[name]
    if rule >= _state.ARMIJO and not method.needs & GRADIENT:
        raise ValueError(f"`learning_rate` must be a number or 'auto' for {method!r}, got {rate!r}")
    return rule


def _first_rate(method: Method, rule: int, x: Vector) -> float:
    """The rate before the first step; 0 where the rule finds it from the direction."""
    if rule == _state.FIFTH:
        return float(0.1 * (1.0 + np.linalg.norm(x)) / np.sqrt(x.size))
    return method.constant if rule == _state.FIXED else 0.0  # type: ignore[return-value]


def memory_for(n: int) -> int:
    """How many steps a limited-memory method remembers, by the number of parameters."""
    sizes = {50: 300, 150: 150, 2000: 100, 100_000: 30}
    return next((m for limit, m in sizes.items() if n <= limit), 10)


def _checked(name: str, schedule: Any, check: Any, n: int) -> Callable[[int, float], Any]:
    """A schedule whose values are held to the option's limits.

    One with `needs_value` (reduce_on_plateau) is told the function value, and begins anew in every
    run.
    """
    if getattr(schedule, "needs_value", False):
        evaluate = schedule.start()
    else:
        last: list[Any] = [None, None]

        def evaluate(t: int, f: float) -> Any:
            if t != last[0]:  # a line search has several trials in one step
                last[:] = t, schedule(t)
            return last[1]

    def value(t: int, f: float) -> Any:
        try:
            given = evaluate(t, f)
            if isinstance(given, str) or callable(given):
                raise TypeError(f"`{name}` must be a number or an array, got {given!r}")
            return check(name, given, n)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{error} (from the schedule, at step {t})") from error

    return value


def _gradient(fun: Any, jac: Any, scheme: str) -> tuple[Any, Any]:
    """The function and where its gradient comes from: a callable, True or a difference scheme."""
    inner = getattr(fun, "fun", None)
    if inner and type(fun).__name__ == "MemoizeJac" and getattr(jac, "__self__", None) is fun:
        # minimize(jac=True): its memo compares x only; the user's own function returns both
        return inner, True
    if jac is None or jac is False:
        return fun, scheme
    if callable(jac) or jac is True:
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


def _intermediate(
    V: Vector, s: Any, objective: Objective, given: Any, schedules: Schedules
) -> Callable[[], OptimizeResult]:
    """What a callback is told, when it is called; the rate `given` as an array is no number."""
    rows, here, f, nit = list(V[:POINTS]), s["x"], s["f"], s["nit"]
    unknown = np.full(1, np.nan)
    gnorm = s["gnorm"] if s["needs"][0] & GRADIENT else unknown
    array = np.shares_memory(V, schedules[0][0]) if callable(given) else np.ndim(given) > 0
    rate = unknown if array else s["rate_old"]

    def result() -> OptimizeResult:
        return OptimizeResult(
            x=rows[here.item()].copy(),
            fun=f.item(),
            nit=nit.item(),
            gnorm=gnorm.item(),
            learning_rate=rate.item(),
            nfev=objective.nfev,
            njev=objective.njev,
        )

    return result


def _so_far(V: Vector, s: Any, objective: Objective, error: BaseException) -> OptimizeResult:
    """The best point when something was raised."""
    r = s[0]
    started = r["nit"] >= 0
    return OptimizeResult(
        x=V[r["best"] if started else r["trial"]].copy(),
        fun=r["f_best"].item() if started else np.nan,
        nit=max(r["nit"].item(), 0),
        nfev=objective.nfev,
        njev=objective.njev,
        nhev=objective.nhev,
        success=False,
        status=-1,
        message=f"Stopped by {type(error).__name__}: {error}",
    )


def _result(
    V: Vector,
    s: Any,
    objective: Objective,
    box: tuple[Vector, Vector] | None,
    opts: dict[str, Any],
) -> OptimizeResult:
    r = s[0]
    ending = r["ending"].item()
    status, success, message = ENDINGS[ending]
    started = r["nit"] >= 0
    here = ending == CONVERGED
    x = V[(r["x"] if here else r["best"]) if started else r["trial"]].copy()
    f = (r["f"] if here else r["f_best"]).item() if started else objective.f
    result = OptimizeResult(x=x, fun=f)
    if r["needs"] & GRADIENT:
        if started:
            result.jac = V[(r["x"] if here else r["best"]) + POINTS].copy()
    elif not isinstance(objective.jac, str) and np.isfinite(f):
        # the method uses no gradient, but the user has one: it decides about success
        with contextlib.suppress(OutOfBudget):
            result.jac = objective.gradient_at(x).copy()
            g = result.jac if box is None else np.clip(result.jac, x - box[1], x - box[0])
            if abs(g).max() <= opts["gtol"]:
                status, success, message = ENDINGS[CONVERGED]
    if ending == MAXITER and opts["maxiter_is_success"]:
        success = True
    result.update(
        nit=max(r["nit"].item(), 0),
        nfev=objective.nfev,
        njev=objective.njev,
        nhev=objective.nhev,
        status=status,
        success=success,
        message=message,
    )
    return result


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
    inside = tuple(f"{Path(module).parent}{os.sep}" for module in (__file__, scipy.__file__))
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(inside):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
