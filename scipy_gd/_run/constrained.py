"""A run with constraints: an outer loop of ordinary runs, with one budget for all of them."""

from __future__ import annotations

from contextlib import nullcontext
from time import perf_counter
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from .._constraints.lagrangian import functions
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
from .run_state import RunState, State

REFUSED = "batch_size", "reduce", "averaging", "penalty"
BUDGETS = {1: endings.MAXITER}
OFF = {"gtol_rel": -1.0, "disp": False, "check_grad": False, "resume": None}


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
            raise ValueError(f"`{name}` and `constraints` do not go together")
    rows = read(given, x, box, opts["undefined"])
    rng = np.random.default_rng(opts["rng"])
    with nullcontext(map) if not opts["workers"] else evaluating(None, opts["workers"]) as map_:
        run = _Run(method, problem, rows, x, opts, rng, map_)
        observers, log = observers_of(method.__name__, callback, opts, run.seen)
        with bar(opts["maxiter"], method.__name__, run.seen) if opts["progress"] else nullcontext() as shown:
            observers.now_and_then += [shown] if shown else []
            result = run.go(observers)
    result.update(log)
    return result


class _Run:
    """The inner runs, and what they share."""

    def __init__(
        self,
        method: Formula,
        problem: Problem,
        rows: Rows,
        x: Vector,
        opts: dict[str, Any],
        rng: np.random.Generator,
        map_: Any,
    ) -> None:
        self.method, self.rows, self.opts, self.rng, self.map = method, rows, opts, rng, map_
        self.deadline = perf_counter() + opts["maxtime"]
        self.nit = 0
        fun, jac = problem.fun, problem.jac
        squares = problem.squares
        fun = Remembered(fun)
        jac = Remembered(jac) if callable(jac) else jac
        value, slope = as_sum(fun, jac) if squares is not None else (fun, jac)
        self.objective = Objective(value, slope, problem.args, (1, np.full(x.size, np.nan), *rows.box), opts["maxfev"])
        self.memory = [each for each in (fun, jac) if isinstance(each, Remembered)]
        if isinstance(jac, str) and squares is None:
            jac = self.objective.slope
        L, dL = functions(fun, jac, rows.values_at, rows.derivatives_at, squares is not None)
        self.problem = problem._replace(fun=L, jac=dL, hess=None, hessp=None)
        gtol = opts["gtol"] or 1e-5
        self.constrained = Constrained(self.objective, rows, x)
        self.outer = Outer(self.constrained, x, 1e-6, gtol)

    def go(self, observers: Observers) -> OptimizeResult:
        ending = endings.RUNNING
        while not ending:
            request = self.outer.request()
            run = self._begin(request)
            left = self.deadline - perf_counter()
            drive(run, observers, maxtime=left, compiled=self.opts["compiled"])
            result = outcome(run, self._options(request))
            self._count(run)
            ending = run.r.ending if self._over(run) else endings.RUNNING
            if not ending:
                found = Found(result.x, result.get("jac"), run.r.ending)
                try:
                    ending = self.outer.take(found)
                except OutOfBudget:
                    ending = endings.MAXFEV
        return self._result(ending)

    def _over(self, run: RunState) -> bool:
        """Whether a budget has ended it."""
        ending = run.r.ending
        if ending == endings.MAXITER:
            return self.nit >= self.opts["maxiter"]
        return ending in (endings.MAXFEV, endings.MAXTIME, endings.CALLBACK)

    def _options(self, request: Request) -> dict[str, Any]:
        limits = {
            "maxiter": min(request.maxiter, self.opts["maxiter"] - self.nit),
            "maxfev": max(self.objective.left, 1),
            "gtol": request.gtol,
            "target": request.target,
        }
        return self.opts | OFF | limits

    def _begin(self, request: Request) -> RunState:
        problem = self.problem._replace(args=(*self.problem.args, request.terms))
        opts = self._options(request)
        run = begin(self.method, problem, request.x, request.box, opts, None, self.rng, self.map)
        run.r.stall_after = 200
        return run

    def _count(self, run: RunState) -> None:
        """What the inner run has called, except for what was known."""
        self.nit += max(run.r.nit, 0)
        evaluator = run.evaluator
        self.objective.nfev += evaluator.nfev - self.memory[0].hits
        if self.objective.given: self.objective.njev += evaluator.njev - (self.memory[1].hits if len(self.memory) > 1 else 0)
        self.objective.nhev += evaluator.nhev
        for each in self.memory:
            each.hits = 0

    def seen(self, run: RunState) -> OptimizeResult:
        """What a callback is told."""
        told = intermediate_result(run)
        told.fun = self.objective.value(told.x)
        told.constr_violation = largest(self.rows.violation(self.rows.value(told.x)))
        told.nit += self.nit
        told.nfev += self.objective.nfev
        told.njev += self.objective.njev
        return told

    def _result(self, ending: int) -> OptimizeResult:
        (_, p), rows = self.outer.best, self.rows
        status, success, message, _ = endings.ENDINGS[ending]
        return OptimizeResult(
            x=p.x,
            fun=p.f,
            jac=p.slope - rows.jacobian(p.x).T @ p.y,
            multipliers=rows.split(p.y),
            constr_violation=largest(rows.violation(p.c)),
            nit=self.nit,
            nouter=self.outer.now.nouter,
            nfev=self.objective.nfev,
            njev=self.objective.njev,
            nhev=self.objective.nhev,
            constr_nfev=[part.nfev for part in rows.parts],
            constr_njev=[part.njev for part in rows.parts],
            status=status,
            success=success,
            message=message,
        )
