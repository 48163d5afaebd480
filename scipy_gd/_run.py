"""One run, from what the user gave to the result: check, lay out the state, drive, report."""

from __future__ import annotations

import contextlib
import copy
import functools
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

from . import _options, _state
from ._drive import Halt, drive
from ._endings import CONVERGED, ENDINGS, MAXITER
from ._inputs import Vector, limits, listener, starting_point
from ._kernel import lift
from ._objective import Objective, OutOfBudget, mapping
from ._scheduled import Scheduled
from ._state import GRADIENT, HESSIAN, NOISE, POINTS, blank, named
from .history import History

if TYPE_CHECKING:
    from ._method import Method

LOW_LEVEL = (CFunc, LowLevelCallable)

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
        from ._low_level import as_functions

        fun, jac, args = as_functions(fun, jac, args)
    if box is not None:
        x = np.clip(x, *box)
    V, s, scheduled = lay_out(method, x, box, opts)
    if opts["check_grad"] and not isinstance(jac, str):
        from .check import check_grad

        rng = copy.deepcopy(opts["rng"])  # the run must not depend on the check
        given = None if box is None else np.transpose(box)
        check_grad(fun, jac, x, args=args, bounds=given, rng=rng).raise_if_wrong()

    rng = np.random.default_rng(opts["rng"]) if method.needs & NOISE else None
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

        rows, r = list(V[:POINTS]), named(s)
        history = History() if opts["history"] else None
        for kept in (history, callback):
            if isinstance(kept, History):
                kept.label = kept.label or method.__name__
        first = 0 if isinstance(callback, History) else 1
        intermediate = _intermediate(V, s, objective, opts["learning_rate"], scheduled)

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

        try:
            drive(
                V,
                s,
                objective,
                scheduled=scheduled,
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
) -> tuple[Vector, Any, list[Scheduled]]:
    """The state before the first evaluation, and what schedules change in it."""
    s = blank()
    r = named(s)
    needs = method.needs
    rule = _rule(method, opts)
    searching = rule >= _state.ARMIJO
    values, scheduled = _hyper_parameters(method, rule, x, opts)
    arrays = tuple(name for name, value in values.items() if isinstance(value, np.ndarray))

    rows = 2 * POINTS

    def reserve(count: int) -> int:
        nonlocal rows
        first, rows = rows, rows + count
        return first

    if needs & NOISE:
        r.z = reserve(1)
    if searching:
        r.d = reserve(2)
        r.p = reserve(1) if method.preconditioned else -1
    if needs & HESSIAN:
        r.hess = reserve(x.size)
    if box is not None:
        r.bounds = reserve(2)
    if "free" in method.supplied:
        r.free = reserve(1)
    if arrays:
        r.arrays = reserve(len(arrays))
    if method.states:
        r.states, r.state_rows = reserve(len(method.states)), len(method.states)
    if method.memory:
        r.memory = reserve(len(method.memory) * int(values["maxcor"]))
    r.rows, r.n = rows, x.size

    V = np.zeros((rows, x.size))
    V[:POINTS], V[POINTS : 2 * POINTS] = x, np.nan
    for row in (r.p, r.free):
        if row >= 0:
            V[row] = 1.0
    if box is not None:
        V[r.bounds : r.bounds + 2] = box
    for k, name in enumerate(arrays):
        V[r.arrays + k] = values[name]
    for name, value in method.init.items():
        k = method.states.index(name)
        V[r.states + k] = r.init[k] = value
    for k, name in enumerate(method.hyper):
        if name not in arrays:
            r.h[k] = values[name]
    r.alpha = 1.0 if "learning_rate" in arrays else values["learning_rate"]
    for each in scheduled:
        _place(each, method, arrays, V, s)
    r.rule, r.unit, r.c2 = rule, method.unit, method.c2
    r.kernel = lift(method, searching, box is not None, arrays).address
    r.needs = r.ask = needs
    r.patience = 2**62 if scheduled or not needs & GRADIENT else 1000
    for name in ("maxiter", "gtol", "ftol", "xtol", "target"):
        setattr(r, name, opts[name])
    return V, s, scheduled


def _hyper_parameters(
    method: Method, rule: int, x: Vector, opts: dict[str, Any]
) -> tuple[dict[str, Any], list[Scheduled]]:
    """Learning rate and hyper-parameters before the first step, and those that will change."""
    values = {name: opts[name] for name in ("learning_rate", *method.hyper)}
    if values.get("maxcor") == 0:
        values["maxcor"] = memory_for(x.size)
    if isinstance(values["learning_rate"], str):
        values["learning_rate"] = _first_rate(method, rule, x)
    scheduled = []
    for name, value in values.items():
        if callable(value):
            check = _options.check(method, name)
            if name == "learning_rate":
                check = _options.per_parameter(_options.scheduled_rate)
            each = Scheduled(name, value, functools.partial(_held, check, name, x.size))
            values[name] = each.value(1)
            scheduled.append(each)
    return values, scheduled


def _held(check: Any, name: str, n: int, value: Any) -> Any:
    return check(name, value, n)


def _place(each: Scheduled, method: Method, arrays: tuple[str, ...], V: Vector, s: Any) -> None:
    """Where a scheduled value belongs."""
    if each.name in arrays:
        k = arrays.index(each.name)
        each.slot = V[s[0]["arrays"] + k]
        each.place = f"for i in range(n): V[r.arrays + {k}, i] = {{table}}[k, i]"
    elif each.name == "learning_rate":
        each.slot, each.place = s["alpha"], "r.alpha = {table}[k]"
    else:
        k = [*method.hyper].index(each.name)
        each.slot, each.place = s["h"][0, k : k + 1], f"r.h[{k}] = {{table}}[k]"


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
    V: Vector, s: Any, objective: Objective, given: Any, scheduled: list[Scheduled]
) -> Callable[[], OptimizeResult]:
    """What a callback is told, when it is called; a rate for each parameter is no number."""
    rows, r = list(V[:POINTS]), named(s)
    slots = [each.slot for each in scheduled if each.name == "learning_rate"]
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


def _so_far(V: Vector, s: Any, objective: Objective, error: BaseException) -> OptimizeResult:
    """The best point when something was raised."""
    r = named(s)
    started = r.nit >= 0
    return OptimizeResult(
        x=V[r.best if started else r.trial].copy(),
        fun=r.f_best if started else np.nan,
        nit=max(r.nit, 0),
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
    r = named(s)
    ending = r.ending
    status, success, message = ENDINGS[ending]
    started = r.nit >= 0
    here = ending == CONVERGED
    x = V[(r.x if here else r.best) if started else r.trial].copy()
    f = (r.f if here else r.f_best) if started else objective.f
    g = V[(r.x if here else r.best) + POINTS].copy() if r.needs & GRADIENT and started else None
    if not r.needs & GRADIENT and not isinstance(objective.jac, str) and np.isfinite(f):
        # the method uses no gradient, but the user has one: it decides about success
        with contextlib.suppress(OutOfBudget):
            g = objective.gradient_at(x).copy()
            projected = g if box is None else np.clip(g, x - box[1], x - box[0])
            if abs(projected).max() <= opts["gtol"]:
                status, success, message = ENDINGS[CONVERGED]
    return OptimizeResult(
        x=x,
        fun=f,
        **({} if g is None else {"jac": g}),
        nit=max(r.nit, 0),
        nfev=objective.nfev,
        njev=objective.njev,
        nhev=objective.nhev,
        status=status,
        success=success or (ending == MAXITER and opts["maxiter_is_success"]),
        message=message,
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
    inside = tuple(f"{Path(module).parent}{os.sep}" for module in (__file__, scipy.__file__))
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(inside):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
