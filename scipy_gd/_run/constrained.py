"""A run with constraints: an outer loop of ordinary runs, with one budget for all of them."""

from __future__ import annotations

import weakref
from contextlib import nullcontext, suppress
from time import perf_counter
from typing import Any

import numpy as np
from numba.extending import is_jitted
from scipy.optimize import OptimizeResult

from .._constraints import lagrangian, linear
from .._constraints.compiled import compiled_rows, measured
from .._constraints.linear import Simplified
from .._constraints.objective import Objective, Remembered
from .._constraints.outer import Found, Outer, Request
from .._constraints.point import Problem as Constrained
from .._constraints.point import largest
from .._constraints.rows import Rows, read
from .._core import endings
from .._evaluate.evaluator import OutOfBudget
from .._evaluate.gradients import Box
from .._evaluate.residuals import as_sum
from .._formula import Formula
from ..arguments import Vector
from .begin import Problem, begin, calibrate
from .drive import drive
from .observers import Observers, bar, intermediate_result, observers_of
from .outcome import outcome
from .reduction import evaluating
from .run_state import RunState

REFUSED = "batch_size", "reduce", "averaging", "penalty", "resume"
INNER = {"gtol_rel": -1.0, "disp": False, "check_grad": False, "resume": None, "progress": False}
"""Options of the inner runs."""
WAIT = 1.0
"""Seconds that a run spends in Python before its functions are compiled together."""
STALL = 200
"""Iterations without progress that end an inner run."""
_READY: weakref.WeakSet[Any] = weakref.WeakSet()
"""Those of which this has been done."""


def constrained(
    method: Formula,
    problem: Problem,
    given: list[Any],
    x: Vector,
    box: Box,
    callback: Any,
    options: dict[str, Any],
    opts: dict[str, Any],
) -> OptimizeResult:
    """What `minimize` does where there are constraints."""
    for name in REFUSED:
        if options.get(name) is not None:
            raise ValueError(f"`{name}` does not go together with `constraints`")
    if problem.squares is not None and opts["loss"] != "linear":
        raise ValueError("`loss` does not go together with `constraints`")
    rows = read(given, x, box, opts["undefined"])
    with nullcontext(map) if not opts["workers"] else evaluating(None, opts["workers"]) as map_:
        run = ConstrainedRun(method, problem, rows, x, box, opts, map_)
        observers, log = observers_of(method.__name__, callback, opts, run.seen)
        with run.bar() as shown:
            observers.now_and_then += [shown] if shown else []
            result = run.go(observers)
    result.update(log)
    return result


class ConstrainedRun:
    """The inner runs, and what they share."""

    def __init__(
        self,
        method: Formula,
        problem: Problem,
        rows: Rows,
        x: Vector,
        box: Box,
        opts: dict[str, Any],
        map_: Any,
    ) -> None:
        self.method, self.problem, self.opts, self.map = method, problem, opts, map_
        self.rng = np.random.default_rng(opts["rng"])
        self.begun, self.nit = perf_counter(), 0
        self.linear = Simplified(rows, bounded=box is not None)
        plane = self.linear.plane
        x = np.clip(x, *self.linear.box) if plane is None else plane.point(x)
        self.rows = rows = self.linear.rows
        self.sums = problem.squares is not None
        fun = Remembered(problem.fun, opts["maxfev"])
        jac = Remembered(problem.jac) if callable(problem.jac) else problem.jac
        steps = opts["finite_diff_rel_step"]
        rel_step = np.broadcast_to(np.nan if steps is None else steps, x.shape).astype(float)
        near = (1, rel_step, *self.linear.box)
        f, slope, alone = fun, jac, problem.fun
        if self.sums:
            (f, g), (alone, _) = as_sum(fun, jac), as_sum(problem.fun, jac)
            slope = jac if isinstance(jac, str) else g
        self.objective = Objective(fun, f, alone, slope, problem.args, near, map_)
        self.fun, self.jac, self.data = fun, jac, ()
        self.plain = self._lagrangian((fun, jac, _Slope(self.objective), _Values(rows), _Slopes(rows)))
        self.fast: Problem | None = None
        target = Constrained(self.objective, rows, self.linear.box, x)
        self.outer = Outer(target, x, opts["ctol"], opts["gtol"] or 1e-5, plane)

    # --- what the inner runs minimize

    def _lagrangian(self, parts: tuple[Any, ...]) -> Problem:
        L, dL = lagrangian.functions(*parts, self.sums)
        if self.linear.plane is not None:
            L, dL = linear.functions(L, dL, self.sums)
        return self.problem._replace(fun=L, jac=dL, hess=None, hessp=None)

    def _chosen(self) -> Problem:
        """Compiled functions as soon as they are worth it, or there from an earlier call."""
        fun = self.problem.fun
        if self.fast is None and is_jitted(fun) and self.opts["compiled"] is not False:
            late = perf_counter() - self.begun > WAIT
            if (self.opts["compiled"] or fun in _READY or late) and (parts := self._compiled()):
                self.fast = self._lagrangian(parts)
                _READY.add(fun)
        return self.fast or self.plain

    def _compiled(self) -> Any:
        """The functions of the augmented Lagrangian, if all of the user's are Numba functions."""
        fun, jac, unlimited = self.problem.fun, self.problem.jac, self.opts["maxfev"] >= 2**62
        if callable(jac) and not is_jitted(jac):
            return None
        if isinstance(jac, str) and (jac == "cs" or not (self.sums or unlimited)):
            return None
        found = compiled_rows(self.rows)
        if found is None:
            return None
        values, derivatives, self.data = found
        return fun, jac, measured(fun), values, derivatives

    def _options(self, request: Request) -> dict[str, Any]:
        limits = {
            "maxiter": min(request.maxiter, self.opts["maxiter"] - self.nit),
            "maxfev": max(self.opts["maxfev"] - self.fun.calls, 1) if self.fast else 2**62,
            "gtol": request.gtol,
            "target": request.target,
        }
        return self.opts | INNER | limits

    def _begin(self) -> tuple[RunState, dict[str, Any]]:
        problem = self._chosen()
        request = self.outer.request(self.data if problem is self.fast else ())
        args, box, plane = (*problem.args, request.terms), request.box, self.linear.plane
        if plane is not None:
            args, box = (*args, plane), None
        opts = self._options(request)
        problem = problem._replace(args=args)
        run = begin(self.method, problem, request.x, box, opts, None, self.rng, self.map)
        if request.maxiter < 2**62:
            run.r.stall_after = STALL
        return run, opts

    # --- the outer loop

    def go(self, observers: Observers) -> OptimizeResult:
        """Run to the end; an error takes the best point along."""
        try:
            return self._result(self._ended(observers))
        except BaseException as error:
            with suppress(Exception):
                result = self._result(endings.RUNNING)
                result.message = f"Stopped by {type(error).__name__}: {error}"
                error.optimize_result = result  # type: ignore[attr-defined]
            raise

    def _ended(self, observers: Observers) -> int:
        ending = self._budget()
        while not ending:
            run, opts = self._begin()
            if run.perturbed is not None and isinstance(opts["learning_rate"], str):
                calibrate(run, opts)
            left = self.begun + self.opts["maxtime"] - perf_counter()
            drive(run, self._passing(observers), maxtime=left, compiled=opts["compiled"])
            result = outcome(run, opts)
            self._count(run)
            ending = run.r.ending
            if not self._over(ending):
                found = Found(self._outside(result.x), result.get("jac"), ending)
                try:
                    ending = self.outer.take(found) or self._budget()
                except OutOfBudget:
                    ending = endings.MAXFEV
        return ending

    def _passing(self, observers: Observers) -> Observers:
        """The same observers, who are told of the start only once."""
        passing = Observers()
        passing.now_and_then = observers.now_and_then
        if observers.each:
            first = self.nit == 0 and self.outer.now.nouter == 0
            passing.each = [lambda run: (first or run.r.nit > 0) and observers.iteration(run)]
        return passing

    def _budget(self) -> int:
        """The ending of a run that may not go on."""
        if self.nit >= self.opts["maxiter"]:
            return endings.MAXITER
        late = perf_counter() - self.begun >= self.opts["maxtime"]
        return endings.MAXTIME if late else endings.RUNNING

    def _over(self, ending: int) -> bool:
        """Whether a budget of all inner runs has ended one."""
        if ending == endings.MAXITER:
            return bool(self.nit >= self.opts["maxiter"])
        return ending in (endings.MAXFEV, endings.MAXTIME, endings.CALLBACK)

    def _outside(self, z: Vector) -> Vector:
        plane = self.linear.plane
        return z if plane is None else plane.point(z)

    # --- what there is to tell

    def _count(self, run: RunState) -> None:
        """What the inner run has done; functions in Python count their calls themselves."""
        evaluator, n = run.evaluator, run.r.n
        self.nit += max(run.r.nit, 0)
        if not is_jitted(evaluator.fun):
            return
        self.fun.calls += evaluator.nfev
        if isinstance(self.jac, Remembered):
            self.jac.calls += evaluator.njev
        elif isinstance(self.jac, str) and not self.sums:
            self.fun.calls += evaluator.njev * (self.objective.near[0] * n + 1)
        for part in self.rows.parts:
            part.nfev += evaluator.nfev + evaluator.njev
            part.njev += evaluator.njev

    @property
    def njev(self) -> int:
        if self.jac is True:
            return self.fun.calls
        return self.jac.calls if isinstance(self.jac, Remembered) else self.objective.slope.calls

    def seen(self, run: RunState) -> OptimizeResult:
        """What a callback is told."""
        told = intermediate_result(run)
        told.x = self._outside(told.x)
        told.fun = self.objective.value(told.x)
        told.constr_violation = self._violation(told.x)
        told.nit += self.nit
        told.nfev, told.njev = self.fun.calls, self.njev
        return told

    def _violation(self, x: Vector) -> float:
        rows = self.linear.all
        return largest(rows.violation(self.linear.values(x, self.rows.value(x))))

    def bar(self) -> Any:
        """A progress bar for all inner runs, a context."""
        if not self.opts["progress"]:
            return nullcontext()
        return bar(self.opts["maxiter"], self.method.__name__, self.seen)

    def _result(self, ending: int) -> OptimizeResult:
        p, rows, opts = self.outer.best_point, self.linear.all, self.opts
        status, success, message, _ = endings.ENDINGS[ending]
        if ending == endings.MAXITER:
            success = opts["maxiter_is_success"]
        if ending == endings.NOISE_REACHED:
            success = opts["noise_is_success"]
        g = self.objective.gradient(p.x)
        y = self.linear.multipliers(p.x, p.y, g + self.rows.jacobian(p.x).T @ p.y)
        return OptimizeResult(
            x=p.x,
            fun=p.f,
            jac=g,
            multipliers=rows.split(y),
            constr_violation=self._violation(p.x),
            nit=self.nit,
            nouter=self.outer.now.nouter,
            nfev=self.fun.calls,
            njev=self.njev,
            nhev=0,
            constr_nfev=[part.nfev for part in rows.parts],
            constr_njev=[part.njev for part in rows.parts],
            status=status,
            success=success,
            message=message,
        )


class _Values:
    """All rows in Python, as the augmented Lagrangian calls them."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __call__(self, x: Vector, data: Any) -> Vector:
        return self.rows.value(x)


class _Slopes(_Values):
    """Their Jacobian."""

    def __call__(self, x: Vector, data: Any) -> Any:
        return self.rows.jacobian(x)


class _Slope:
    """The gradient of f by differences."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __call__(self, x: Vector, near: Any, *args: Any) -> Vector:
        return self.objective.gradient(x)
