"""A task: an objective with everything that `minimize` needs, checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import LowLevelCallable
from scipy.optimize import OptimizeResult, approx_fprime, minimize

from .arguments import limits, starting_point
from .gradient_check import GradientCheck, check_grad
from .problems import Problem
from .solvers import Solver

__all__ = ["Task"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """An objective with its derivatives, starting point and bounds."""

    name: str
    fun: Callable[..., Any]
    x0: Array
    args: tuple[Any, ...]
    bounds: Any
    box: tuple[Array, Array] | None
    jac: Any
    hess: Any
    hessp: Any

    @classmethod
    def of(
        cls, fun: Any, x0: Any, *, args: Any = (), bounds: Any = None, **derivatives: Any
    ) -> Task:
        """Fill in what is missing from a `Problem`, and check the starting point and the bounds."""
        args = args if isinstance(args, tuple) else (args,)
        given = dict.fromkeys(("jac", "hess", "hessp")) | derivatives | {"bounds": bounds}
        name = getattr(fun, "__name__", "objective").strip("<>")
        if isinstance(fun, Problem):
            known = fun
            given = {k: getattr(known, k) if v is None else v for k, v in given.items()}
            name, fun, args = known.name, known.fun, args or known.args
            x0 = known.x0 if x0 is None else x0
        if not (callable(fun) or isinstance(fun, LowLevelCallable)):
            raise TypeError(f"`fun` must be callable or a Problem, got {fun!r:.60}")
        if x0 is None:
            raise TypeError(
                "`x0` must be given with a function, which has no starting point of its own"
            )
        start = starting_point(x0)
        return cls(name, fun, start, args, box=limits(given["bounds"], start.size), **given)

    @property
    def title(self) -> str:
        return f"{self.name}, n = {self.x0.size}"

    def check(self, **options: Any) -> GradientCheck | None:
        """Check the gradient, if there is one."""
        if not (callable(self.jac) or self.jac is True):
            return None
        given = {"args": self.args, "bounds": self.bounds} | options
        return check_grad(self.fun, self.jac, self.x0, **given)

    def minimize(
        self, solver: Solver, *, tol: float | None = None, **replaced: Any
    ) -> OptimizeResult:
        """Run a solver on the task, optionally with other functions in place of its own."""
        functions = {"fun": self.fun, "jac": self.jac, "hess": self.hess, "hessp": self.hessp}
        functions |= replaced
        if not solver.second_order:
            functions |= {"hess": None, "hessp": None}
        return minimize(
            x0=np.copy(self.x0),
            args=self.args,
            method=solver.method,
            bounds=self.bounds,
            tol=tol,
            options=dict(solver.options),
            **functions,
        )

    def value(self, x: Array) -> float:
        """Return f(x), uncounted; NaN if the objective fails."""
        try:
            with np.errstate(all="ignore"):
                f = self.fun(np.copy(x), *self.args)
            return scalar(f[0] if self.jac is True else f)
        except Exception:
            return math.nan

    def gradient(self, x: Array) -> Any:
        """Return the gradient, uncounted; NaN if the objective fails."""
        try:
            with np.errstate(all="ignore"):
                if self.jac is True:
                    return self.fun(np.copy(x), *self.args)[1]
                if callable(self.jac):
                    return self.jac(np.copy(x), *self.args)
                return approx_fprime(x, self.value)
        except Exception:
            return math.nan

    def gnorm(self, x: Array, g: Any = None) -> float:
        """Return the largest component of the projected gradient."""
        g = self.gradient(x) if g is None else np.asarray(g)
        return float(np.abs(g if self.box is None else x - np.clip(x - g, *self.box)).max())

    def inside(self, x: Array) -> bool:
        return self.box is None or bool(np.all((self.box[0] <= x) & (x <= self.box[1])))


def scalar(value: Any) -> float:
    return value if type(value) is float else float(np.asarray(value).item())
