"""A run with constraints: an outer loop of ordinary runs, with one budget for all of them."""

from __future__ import annotations

import functools
import weakref
from contextlib import nullcontext, suppress
from time import perf_counter
from typing import Any

import numpy as np
from numba.extending import is_jitted
from scipy.optimize import OptimizeResult

from .._checkpoint import blamed
from .._constraints import lagrangian, linear
from .._constraints.compiled import compiled_rows, measured
from .._constraints.derivatives import Near, complex_steps, of_differences
from .._constraints.linear import Simplified
from .._constraints.objective import Objective, Remembered
from .._constraints.outer import Found, Outer, Request
from .._constraints.point import Point, largest
from .._constraints.point import Problem as Constrained
from .._constraints.rows import Nonlinear, Rows, read
from .._core import endings
from .._evaluate.differences import POINTS_OF
from .._evaluate.evaluator import OutOfBudget
from .._evaluate.gradients import Box
from .._evaluate.residuals import as_sum
from .._evaluate.wrapped import dense
from .._formula import Formula
from ..arguments import Vector, matrix, shown
from .begin import Problem, begin, calibrate, check_gradient
from .drive import drive
from .fit import FitResult, errors_along
from .layout import lay_out
from .observers import Observers, bar, intermediate_result, observers_of
from .outcome import outcome, where_to_go_on
from .reduction import evaluating
from .run_state import SAME, RunState, State, check_value

REFUSED = "batch_size", "reduce", "averaging", "penalty", "stagnation"
INNER = {"gtol_rel": -1.0, "disp": False, "check_grad": False, "resume": None, "progress": False}
"""Options of the inner runs."""
TOLERANCES = "ctol", "gtol", "target"
WAIT = 3.0
"""Seconds that a run spends in Python before its functions are compiled together."""
STALL = 200
"""Iterations without progress that end an inner run."""
_READY: weakref.WeakSet[Any] = weakref.WeakSet()
"""The objectives for which this has been done."""


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
    """What `minimize` does if there are constraints."""
    for name in REFUSED:
        if options.get(name) is not None:
            raise ValueError(f"`{name}` cannot be combined with `constraints`")
    if isinstance(opts["learning_rate"], str) and opts["learning_rate"] == "polyak":
        raise ValueError("`learning_rate='polyak'` cannot be combined with `constraints`")
    if method.penalty and np.any(opts[method.penalty]):
        raise ValueError(f"`{method.penalty}` cannot be combined with `constraints`")
    if problem.squares is not None and opts["loss"] != "linear":
        raise ValueError("`loss` cannot be combined with `constraints`")
    rows = read(given, x, box, opts["undefined"])
    if opts["gtol"] == 0.0 and options.get("gtol") is None:
        opts["gtol"] = 1e-5  # tolerances that are relative to f do not tell of the multipliers
    if opts["check_grad"]:
        _check_derivatives(problem, rows, x, box, opts)
    with nullcontext(map) if not opts["workers"] else evaluating(None, opts["workers"]) as map_:
        run = ConstrainedRun(method, problem, rows, x, box, opts, map_)
        if opts["resume"] is not None:
            with blamed(opts["resume"]):
                run.load(opts["resume"])
        watch = run.seen, run.point, run.saved_at
        observers, log = observers_of(method.__name__, callback, opts, *watch)
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
        self.begun, self.nit, self.nhev = perf_counter(), 0, 0
        self.started = False  # whether the start has been looked at
        self.linear = Simplified(rows, bounded=box is not None)
        plane = self.linear.plane
        x = np.clip(x, *self.linear.box) if plane is None else plane.point(x)
        self.rows = rows = self.linear.rows
        self.sums = problem.squares is not None
        fun = Remembered(problem.fun, opts["maxfev"])
        jac = Remembered(problem.jac) if callable(problem.jac) else problem.jac
        f, slope, alone = fun, jac, problem.fun
        if self.sums:
            if jac == "cs":  # the rows need not take complex x
                jac = Remembered(_ComplexSteps(fun))
            if rows.kept.any():
                raise ValueError("`keep_feasible` cannot be combined with residuals")
            (f, g), (alone, _) = as_sum(fun, jac), as_sum(problem.fun, jac)
            slope = g if callable(jac) or jac is True else "2-point" if jac == "adaptive" else jac
        rel_step, abs_step = (
            np.full(x.shape, np.nan if opts[name] is None else opts[name], float)
            for name in ("finite_diff_rel_step", "finite_diff_abs_step")
        )
        near: Near = POINTS_OF.get(str(slope), 1), rel_step, abs_step, *self.linear.box
        self.objective = Objective(fun, f, alone, slope, problem.args, near, map_, opts["noise"])
        self.fun, self.jac, self.data = fun, jac, ()
        self.plain: Problem | None = None
        self.fast: Problem | None = None
        self.inner: RunState | None = None  # the run that goes on
        self.noise = 0.0  # of f, as the last run has found it
        self.counted = 0, 0, 0, 0  # values, gradients, Hessians and iterations of it, so far
        self.ending = endings.RUNNING
        self.since = 0, 0  # iterations and values that do not count against the budgets
        self.saved: Any = None  # its state, if it was begun elsewhere
        self.found: Found | None = None  # what has become of it, if the outer loop does not know
        self.limit = opts["maxiter"]
        target = Constrained(self.objective, rows, self.linear.box)
        self.outer = Outer(target, x, opts["ctol"], opts["gtol"], opts["target"], plane)
        self._check_options(x)

    def _check_options(self, x: Vector) -> None:
        """Reject, before any work, what inner runs would reject."""
        lay_out(self.method, x, self.linear.box, self.opts, sampled=self.method.probes)
        if self.opts["compiled"] and self._compiled() is None:
            raise ValueError(
                "`compiled=True` is not possible: `fun`, `jac` and all functions of `constraints` "
                "must be Numba functions, matrices must be dense, and `maxfev` needs `jac`"
            )

    # --- what the inner runs minimize

    def _lagrangian(
        self, fun: Any, jac: Any, slope: Any, values: Any, slopes: Any, hess: Any = None
    ) -> Problem:
        L, dL = lagrangian.functions(fun, jac, slope, values, slopes, self.sums)
        dL = jac if self.objective.noisy else dL
        if self.linear.plane is not None:
            L, dL = linear.functions(L, dL, self.sums)
        return self.problem._replace(fun=L, jac=dL, hess=hess, hessp=None)

    def _chosen(self) -> Problem:
        """Compiled functions, once they are worth it or available from an earlier call."""
        fun = self.problem.fun
        if self.fast is None and is_jitted(fun) and self.opts["compiled"] is not False:
            late = perf_counter() - self.begun > WAIT
            if (self.opts["compiled"] or fun in _READY or late) and (parts := self._compiled()):
                self.fast = self._lagrangian(*parts)
                _READY.add(fun)
        if self.fast is not None:
            return self.fast
        if self.plain is None:
            rows, hess = self.rows, self.problem.hess
            known = callable(hess) and self.linear.plane is None
            of_f = self.fun, self.jac, _Slope(self.objective)
            of_rows = _Values(rows), _Slopes(rows)
            self.plain = self._lagrangian(*of_f, *of_rows, _Hessian(hess, rows) if known else None)
        return self.plain

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
        done = 0 if self.saved is None else self.saved["nit"]
        limits = {
            "maxiter": min(request.maxiter - done, self.limit - self.nit),
            "maxfev": int(self.fun.limit - self.fun.calls - 1) if self.fast else 2**62,
            "gtol": request.gtol,
            "target": request.target,
            "noise": self.opts["noise"] and self.opts["noise"] * request.terms.weight,
        }
        return self.opts | INNER | limits

    def _begin(self) -> tuple[RunState, dict[str, Any]]:
        problem = self._chosen()
        request = self.outer.request(self.data if problem is self.fast else ())
        args, plane = (*problem.args, request.terms), self.linear.plane
        args = args if plane is None else (*args, plane)
        box = request.box if plane is None else None
        opts = self._options(request)
        problem = problem._replace(args=args)
        run = begin(self.method, problem, request.x, box, opts, None, self.rng, self.map)
        if request.maxiter < 2**62:
            run.r.stall_after = STALL
        if self.saved is not None:
            run.load(self.saved, rate_is_given=not isinstance(opts["learning_rate"], str))
            self.nit += max(run.r.nit, 0) - self.saved["nit"]  # the last one may be done again
        self.inner, self.saved, self.counted = run, None, _counts(run)
        return run, opts

    # --- the outer loop

    def go(self, observers: Observers) -> OptimizeResult:
        """Run to the end; an exception carries the best point."""
        try:
            self.ending = self.ending or self._ended(observers)
            result = self._result(self.ending)
            result.state = self.save(ended=True)
        except BaseException as error:
            with suppress(AttributeError, TypeError):
                result = self._so_far(f"Stopped by {type(error).__name__}: {error}")
                result.state = self.save()
                observers.interrupted(error, result, self.opts["resume"] is not None)
            raise
        observers.keep({**result.state, "since": self.since}, result)
        return result

    def _start(self) -> int:
        """Evaluate the starting point, unless this run was resumed."""
        if not self.started:
            try:
                ending = self.outer.begin()
            except OutOfBudget:
                return endings.MAXFEV
            self.started = True
            return ending
        return self._take()

    def _ended(self, observers: Observers) -> int:
        ending = self._start() or self._budget()
        while not ending:
            run, opts = self._begin()
            if (
                run.perturbed is not None
                and isinstance(opts["learning_rate"], str)
                and run.r.nit < 0
            ):
                calibrate(run, opts)
            left = self.begun + self.opts["maxtime"] - perf_counter()
            self.fun.limit -= 1  # a call for the end
            try:
                drive(run, self._passing(observers), maxtime=left, compiled=opts["compiled"])
                result = outcome(run, opts)
            except OutOfBudget:
                return endings.MAXFEV
            finally:
                self.fun.limit += 1
                self._count(run)
                self._look(run)
            ending = run.r.ending
            if not self._over(ending):
                noise, error = _errors(run)
                self.noise = noise / self.outer.weight
                self.found = Found(self._outside(result.x), result.get("jac"), ending, noise, error)
                ending = self._take() or self._budget()
        return ending

    def _look(self, run: RunState) -> None:
        """Evaluate where the inner run is, in case it ends everything, with the reserved call."""
        with suppress(Exception):
            x = self._outside(run.outside(run.V[run.lowest[0]]))
            self.outer.consider(x, self.objective.value(x), self.rows.value(x))

    def _take(self) -> int:
        """Report to the outer loop; if it runs out of budget, report again later."""
        if self.found is None:
            return endings.RUNNING
        before = self.outer.save()
        try:
            ending = self.outer.take(self.found)
        except BaseException as error:
            self.outer.load(before)
            if isinstance(error, OutOfBudget):
                return endings.MAXFEV
            raise
        self.inner = self.found = self.outer.passing = None
        return ending

    def _passing(self, observers: Observers) -> Observers:
        """The same observers, told about the starting point only once."""
        passing = Observers()
        passing.now_and_then = observers.now_and_then
        first = self.nit == 0 and self.outer.now.nouter == 0

        def pass_on(run: RunState) -> None:
            if self.fast is None and not run.r.sampled:
                x = self.point(run)
                if self.fun.knows(x):
                    self.outer.pass_by(x, self.objective.value(x), self.rows.value(x))
            if first or run.r.nit > 0:
                observers.iteration(run)

        if observers.each or self.fast is None:
            passing.each = [pass_on]
        return passing

    def _budget(self) -> int:
        """The ending of a run that may not continue."""
        if self.nit >= self.limit:
            return endings.MAXITER
        late = perf_counter() - self.begun >= self.opts["maxtime"]
        return endings.MAXTIME if late else endings.RUNNING

    def _over(self, ending: int) -> bool:
        """Whether an inner run ended because of a shared budget."""
        if ending == endings.MAXITER:
            return bool(self.nit >= self.limit)
        return ending in (endings.MAXFEV, endings.MAXTIME, endings.CALLBACK)

    def _outside(self, z: Vector) -> Vector:
        plane = self.linear.plane
        return z if plane is None else plane.point(z)

    # --- what there is to tell

    def _count(self, run: RunState) -> None:
        """Count the work of the inner run since; Python functions count their own calls."""
        counts = _counts(run)
        values, slopes, hessians, iterations = np.subtract(counts, self.counted).tolist()
        self.counted = counts
        self.nit += iterations
        self.nhev += hessians
        if not is_jitted(run.evaluator.fun):
            return
        self.fun.calls += values
        if isinstance(self.jac, Remembered):
            self.jac.calls += slopes
        elif isinstance(self.jac, str) and not self.sums:
            self.fun.calls += slopes * (self.objective.near[0] * run.r.n + 1)
        for part in self.rows.parts:
            part.nfev += values + slopes
            part.njev += slopes

    @property
    def njev(self) -> int:
        if self.jac is True:
            return self.fun.calls
        return self.jac.calls if isinstance(self.jac, Remembered) else self.objective.slope.calls

    def point(self, run: RunState) -> Vector:
        """The current point of an inner run."""
        return self._outside(run.x)

    def seen(self, run: RunState) -> OptimizeResult:
        """What a callback receives."""
        told = intermediate_result(run, self.saved_at)
        told.x = self._outside(told.x)
        told.fun = self.objective.value(told.x)
        told.constr_violation = self._violation(told.x)
        self._count(run)
        told.nit, told.nfev, told.njev = self.nit, self.fun.calls, self.njev
        return told

    # --- resume

    @property
    def _counters(self) -> list[Any]:
        return [
            each
            for each in (self.fun, self.jac, self.objective.slope)
            if isinstance(each, Remembered)
        ]

    def saved_at(self, run: RunState) -> State:
        """The complete state, in the middle of an inner run."""
        self._count(run)
        return self.save()

    def save(self, *, ended: bool = False) -> State:
        """The run as arrays and numbers, ready for pickling, like that of a plain run."""
        saved = State()
        inner = self.saved if self.inner is None else self.inner.save(ended=True)
        saved.data = {
            "method": self.method.__name__,
            "nit": self.nit,
            "since": (self.nit, self.fun.calls) if ended else self.since,
            "ending": (self.ending, *(self.opts[name] for name in TOLERANCES)),
            "bounds": np.array(self.linear.box),
            "outer": self.outer.save() if self.started else None,
            "inner": None if inner is None else dict(inner),
            "found": None if self.found is None else tuple(self.found),
            "calls": [each.calls for each in self._counters],
            "nhev": self.nhev,
            "rows": [(part.nfev, part.njev, part.nhev) for part in self.linear.all.parts],
        }
        return saved

    def load(self, state: Any) -> None:
        """Continue where another run stopped.

        Raises
        ------
        TypeError, ValueError
            If `state` is not a state, or belongs to another method or other constraints.
        """
        try:
            method, nit, outer, found, since, (ending, *tolerances) = (
                state[name] for name in ("method", "nit", "outer", "found", "since", "ending")
            )
            sizes = outer and (outer["now"]["x"].shape, outer["now"]["y"].shape)
        except (TypeError, KeyError, IndexError):
            raise TypeError("`resume` must be the `state` of a run with `constraints`") from None
        now = self.outer.now
        if method != self.method.__name__:
            raise ValueError(f"`resume` is the state of {method}, not of {self.method.__name__}")
        if sizes not in (None, (now.x.shape, now.y.shape)):
            raise ValueError("`resume` is the state of a run with different `constraints`")
        if not np.array_equal(state["bounds"], self.linear.box):
            raise ValueError("`resume` is the state of a run with different `bounds`")
        if len(state["calls"]) != len(self._counters):
            raise ValueError("`resume` is the state of a run with a different `jac`")
        if outer is not None:
            self.outer.load(outer)
            self.started = True
        self.saved, self.nit, self.since = state["inner"], nit, since
        self.limit += since[0]
        self.nhev = state["nhev"]
        self.found = None if found is None else Found(*found)
        for each, calls in zip(self._counters, state["calls"], strict=True):
            each.calls, each.limit = calls, each.limit + since[1]
        final = ending and ending not in endings.OF_A_BUDGET
        same = tolerances == [self.opts[name] for name in TOLERANCES]
        if final:
            self._recognize()
            self.ending = ending if same else endings.RUNNING
        for part, counts in zip(self.linear.all.parts, state["rows"], strict=True):
            part.nfev, part.njev, part.nhev = (
                now + before
                for now, before in zip((part.nfev, part.njev, part.nhev), counts, strict=True)
            )

    def _recognize(self) -> None:
        """Check that the functions still have the values that the run ended with.

        Raises
        ------
        ValueError
            If the difference is more than rounding.
        """
        p = self.outer.best_point
        if self.objective.noisy or self.noise or not np.isfinite(p.f):
            return
        with suppress(OutOfBudget):
            check_value(self.objective.value(p.x), p.f, p.f)
            c = self.rows.value(p.x)
            if not np.allclose(c, p.c, rtol=SAME, atol=SAME * max(1.0, largest(p.x))):
                raise ValueError("`resume` is the state of a run with different `constraints`")

    def _violation(self, x: Vector) -> float:
        rows = self.linear.all
        return largest(rows.violation(self.linear.values(x, self.rows.value(x))))

    def bar(self) -> Any:
        """A progress bar for all inner runs, as a context manager."""
        if not self.opts["progress"]:
            return nullcontext()
        maxtime, label = self.opts["maxtime"], self.method.__name__
        return bar(self.nit, self.limit, maxtime, label, self.seen)

    def _so_far(self, message: str) -> OptimizeResult:
        """The best point of an unfinished run, without further calls."""
        p, rows = self.outer.best_point, self.linear.all
        c = self.linear.values(p.x, p.c)
        return OptimizeResult(
            x=p.x,
            fun=p.f,
            constr_violation=largest(rows.violation(c)) if np.isfinite(c).all() else np.nan,
            nit=self.nit,
            nouter=self.outer.now.nouter,
            nfev=self.fun.calls,
            njev=self.njev,
            nhev=self.nhev,
            constr_nfev=[part.nfev for part in rows.parts],
            constr_njev=[part.njev for part in rows.parts],
            constr_nhev=[part.nhev for part in rows.parts],
            status=-1,
            success=False,
            message=message,
        )

    def _result(self, ending: int) -> OptimizeResult:
        p, opts = self.outer.best_point, self.opts
        status, success, message, _ = endings.ENDINGS[ending]
        if ending == endings.MAXITER:
            success = opts["maxiter_is_success"]
        if ending == endings.NOISE_REACHED:
            success = opts["noise_is_success"]
        known, said, kind = dict[str, Any](), "", OptimizeResult
        if ending == endings.UNDEFINED:
            message = self._undefined(p)
        elif self.started and np.isfinite(g := self._gradient(p)).all():
            J = self.rows.jacobian(p.x)
            y = self.linear.multipliers(p.x, p.y, g + J.T @ p.y)
            known, said = self._fit(p, y)
            kind = FitResult if "stderr" in known else OptimizeResult
            known |= {"jac": g, "multipliers": self.linear.all.split(y)}
        said += where_to_go_on(ending, opts)
        return kind(self._so_far(message + said), status=status, success=success, **known)

    def _gradient(self, p: Point) -> Vector:
        """The gradient of f at the returned point."""
        objective = self.objective
        found = np.asarray(p.slope - self.rows.jacobian(p.x).T @ p.y)
        if objective.noisy:
            if np.isfinite(found).all() and self.linear.plane is None:
                return found
            objective.widen(self.noise)
        try:
            return objective.gradient(p.x)
        except OutOfBudget:
            return found

    def _undefined(self, p: Point) -> str:
        """A sentence saying which function has no value at the starting point."""
        what = "A derivative of the function or of `constraints`"
        if not np.isfinite(p.f):
            what = "The function"
        elif (bad := ~np.isfinite(p.c)).any():
            what = self.rows.name_of(np.argmax(bad))
        return (
            f"{what} is not finite (inf or NaN) at the starting point x0 = {shown(p.x.tolist())}: "
            "start where all of them are finite."
        )

    def _fit(self, p: Point, y: Vector) -> tuple[dict[str, Any], str]:
        """The outcome of a fit: errors along changes that the active constraints allow."""
        if not self.sums or not np.isfinite(p.f):
            return {}, ""
        x, rows, (lower, upper) = p.x, self.linear.all, self.linear.box
        fun, args, jac = self.fun, self.problem.args, self.problem.jac
        try:
            r, J = fun(x, *args) if jac is True else (fun(x, *args), None)
            r = np.asarray(r, float)
            if callable(jac):
                J = jac(x.copy(), *args)
            elif J is None:
                near = (2, *self.objective.near[1:])
                J = of_differences(lambda point: np.asarray(fun(point, *args), float))(x, r, near)
        except OutOfBudget:
            return {}, ""
        J, active = dense(J), rows.equal | (y != 0.0)
        C = dense(rows.jacobian(x))[active]
        known, said = errors_along(J, C, (lower < x) & (x < upper), p.f, self.opts)
        return {"residuals": r, "jacobian": J, **known}, said


def _check_derivatives(
    problem: Problem, rows: Rows, x: Vector, box: Box, opts: dict[str, Any]
) -> None:
    """The option `check_grad`, for the objective and for each row of each constraint."""
    from ..gradient_check import check_grad

    if not isinstance(problem.jac, str):
        check_gradient(problem, x, box, np.random.default_rng(opts["rng"]))
    bounds = None if box is None else np.transpose(box)
    for part in rows.parts:
        if isinstance(part, Nonlinear) and callable(part.jac):
            values = Remembered(part.value, kept=64)
            slopes = Remembered(functools.partial(_rows_at, part), kept=64)
            for k in range(part.size):
                check = check_grad(
                    lambda y, values=values, k=k: values(y)[k],
                    lambda y, slopes=slopes, k=k: slopes(y)[k],
                    x,
                    bounds=bounds,
                    rng=np.random.default_rng(0),
                )
                check.raise_if_wrong(f"{part.name}: the Jacobian, row {k}")
            part.nfev = part.njev = 0


def _counts(run: RunState) -> tuple[int, int, int, int]:
    evaluator = run.evaluator
    return evaluator.nfev, evaluator.njev, evaluator.nhev, max(run.r.nit, 0)


def _errors(run: RunState) -> tuple[float, float]:
    r = run.r
    return run.noise, float(run.V[r.error].max()) if r.error >= 0 else 0.0


def _rows_at(part: Nonlinear, x: Vector) -> Any:
    return dense(part.jacobian(x, part.value(x)))


class _Values:
    """All rows in Python, as the augmented Lagrangian calls them."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __call__(self, x: Vector, data: Any) -> Vector:
        return self.rows.value(x)


class _ComplexSteps:
    """The Jacobian of residuals."""

    def __init__(self, fun: Remembered) -> None:
        self.fun = fun

    def __call__(self, x: Vector, *args: Any) -> Vector:
        self.fun.count(x.size)
        return complex_steps(lambda z: np.asarray(self.fun.function(z, *args)), x)


class _Slopes(_Values):
    """Their Jacobian."""

    def __call__(self, x: Vector, data: Any) -> Any:
        return self.rows.jacobian(x)


class _Hessian(_Values):
    """The Hessian of the augmented Lagrangian, if f has one."""

    def __init__(self, hess: Any, rows: Rows) -> None:
        super().__init__(rows)
        self.hess = hess

    def __call__(self, x: Vector, *args: Any) -> Any:
        terms, rows = args[-1], self.rows
        c, J = rows.value(x), dense(rows.jacobian(x))
        _, y = lagrangian.following(c, terms.rows)
        steep = lagrangian.bend(c, terms.rows, y)
        H = terms.weight * matrix(self.hess(x.copy(), *args[:-1]), x.size)
        return H + rows.hessian(x, y) + (J.T * steep) @ J


class _Slope:
    """The gradient of f by differences."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __call__(self, x: Vector, near: Any, *args: Any) -> Vector:
        return self.objective.gradient(x)
