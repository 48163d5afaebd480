"""What is solved and by whom: the problem and the solvers, as `compare` and `sweep` take them."""

from __future__ import annotations

import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import LowLevelCallable
from scipy.optimize import OptimizeResult, approx_fprime, minimize

from .arguments import limits, starting_point
from .check import check_grad
from .methods import METHODS
from .problems import Problem

Array = NDArray[np.float64]
Method = str | Callable[..., Any]
T = TypeVar("T")

# SciPy's methods: their options that bound the work, test the gradient, or stop otherwise.
SCIPY: dict[str, tuple[str, ...]] = {
    "Nelder-Mead": ("maxiter", "maxfev", "xatol", "fatol"),
    "BFGS": ("maxiter", "gtol"),
    "Newton-CG": ("maxiter", "xtol"),
    "CG": ("maxiter", "gtol"),
    "L-BFGS-B": ("maxiter", "maxfun", "gtol", "ftol"),
    "TNC": ("maxfun", "gtol", "ftol", "xtol"),
    "SLSQP": ("maxiter", "ftol"),
    "Powell": ("maxiter", "maxfev", "ftol", "xtol"),
    "COBYLA": ("maxiter",),
    "COBYQA": ("maxiter", "maxfev"),
    "trust-constr": ("maxiter", "gtol", "xtol"),
    "dogleg": ("maxiter", "gtol"),
    "trust-ncg": ("maxiter", "gtol"),
    "trust-exact": ("maxiter", "gtol"),
    "trust-krylov": ("maxiter", "gtol"),
}
CONTRACT = ("fun", "x0", "args", "jac", "hess", "hessp", "bounds", "constraints", "callback")
DEFAULT = ("Nelder-Mead", "BFGS", "Newton-CG", "CG", "L-BFGS-B")


@dataclass(frozen=True)
class Task:
    """What every solver is given."""

    name: str
    fun: Callable[..., Any]
    x0: Array
    args: tuple[Any, ...]
    bounds: Any
    jac: Any
    hess: Any
    hessp: Any

    @classmethod
    def of(
        cls, problem: Any, x0: Any, jac: Any, hess: Any, hessp: Any, args: Any, bounds: Any
    ) -> Task:
        """Fill what is not given from the problem, and check the start."""
        given = {"jac": jac, "hess": hess, "hessp": hessp, "bounds": bounds}
        args = args if isinstance(args, tuple) else (args,)
        if isinstance(problem, Problem):
            given = {k: getattr(problem, k) if v is None else v for k, v in given.items()}
            args = args or problem.args
            x0 = problem.x0 if x0 is None else x0
            name, fun = problem.name, problem.fun
        elif x0 is None:
            raise TypeError("x0: a plain function needs a start")
        else:
            name, fun = getattr(problem, "__name__", "objective").strip("<>"), problem
        if not (callable(fun) or isinstance(fun, LowLevelCallable)):
            raise TypeError(f"the objective must be callable or a Problem, got {fun!r:.60}")
        return cls(name, fun, starting_point(x0), args=args, **given)

    def check(self) -> None:
        """Raise `GradientError` if there is a gradient and it is wrong."""
        if callable(self.jac) or self.jac is True:
            check_grad(
                self.fun, self.jac, self.x0, args=self.args, bounds=self.bounds, rng=0
            ).raise_if_wrong()

    def minimize(
        self, solver: Solver, *, tol: float | None = None, **replaced: Any
    ) -> OptimizeResult:
        """Let a solver loose on the task, with other functions in place of its own."""
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
        """Return f(x), uncounted; nan where the objective fails."""
        try:
            with np.errstate(all="ignore"):
                f = self.fun(np.copy(x), *self.args)
            return scalar(f[0] if self.jac is True else f)
        except Exception:
            return math.nan

    def gradient(self, x: Array) -> Any:
        """Return the gradient, uncounted; nan where the objective fails."""
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
        return float(np.max(np.abs(g if self.bounds is None else x - self.clip(x - g))))

    def clip(self, x: Array) -> Any:
        box = limits(self.bounds, x.size)
        return x if box is None else np.clip(x, *box)

    def inside(self, x: Array) -> bool:
        return self.bounds is None or np.array_equal(self.clip(x), x)


def scalar(value: Any) -> float:
    return float(np.asarray(value).item())


@dataclass(frozen=True)
class Solver:
    """A method with a label and options of its own."""

    label: str
    method: Method
    options: Mapping[str, Any]

    def with_options(self, limits: Mapping[str, Any], common: Mapping[str, Any]) -> Solver:
        """Add the limits that the solver knows and the common options; its own go first."""
        if isinstance(self.method, str):
            names: Iterable[str] = SCIPY[self.method]
        else:
            names = {"maxiter", "gtol", "rng"} & self.parameters.keys()
        options = {name: limits[name] for name in names if name in limits} | dict(common)
        free = {name: value for name, value in options.items() if name not in self.preset}
        return replace(self, options=free | dict(self.options))

    @property
    def preset(self) -> Mapping[str, Any]:
        return self.method.keywords if isinstance(self.method, partial) else {}

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.method).parameters  # type: ignore[arg-type]

    @property
    def second_order(self) -> bool:
        """Whether it may want a Hessian; our methods say so."""
        method = self.method.func if isinstance(self.method, partial) else self.method
        return "hess" in getattr(method, "supplied", ("hess",))

    def takes(self, option: str) -> bool:
        """Whether an option means something to the solver and is still open."""
        if option in self.options or option in self.preset:
            return False
        if isinstance(self.method, str):  # SciPy warns of those that it does not know
            return True
        parameters = self.parameters
        if option in CONTRACT:
            return False
        return option in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def contestants(methods: Any) -> list[Solver]:
    """The solvers that `methods` names, each with a label of its own."""
    if methods is None:
        methods = [*METHODS.values(), *DEFAULT]
    elif isinstance(methods, str) or callable(methods):
        methods = [methods]
    elif not isinstance(methods, Iterable):
        raise TypeError(f"methods: a method or several expected, got {methods!r}")
    entries = methods.items() if isinstance(methods, Mapping) else methods
    found: dict[str, Solver] = {}
    for entry in entries:
        if not isinstance(entry, tuple):
            entry = (None, entry)
        if len(entry) not in (2, 3):
            raise TypeError(f"methods: (label, method) or (label, method, options), not {entry!r}")
        label, method, options = (*entry, {})[:3]
        if not isinstance(options, Mapping):
            raise TypeError(f"methods: the options must be a dict, got {options!r}")
        method = _method(method)
        label = label or label_of(method)
        if label in found:
            raise ValueError(f"methods: two are called {label!r}; give one a label of its own")
        found[label] = Solver(label, method, options)
    if not found:
        raise ValueError("methods: none given")
    return list(found.values())


def _method(method: Any) -> Method:
    if not isinstance(method, str):
        if callable(method):
            return method  # type: ignore[no-any-return]
        raise TypeError(f"methods: a callable or a name expected, got {method!r}")
    found = METHODS.get(method) or {name.lower(): name for name in SCIPY}.get(method.lower())
    if found is None:
        raise ValueError(
            f"methods: no method {method!r}; ours are {', '.join(METHODS)}; "
            f"SciPy's are {', '.join(SCIPY)}"
        )
    return found


def label_of(method: Any) -> str:
    if isinstance(method, partial):
        options = ", ".join(f"{name}={value!r}" for name, value in method.keywords.items())
        return f"{label_of(method.func)}({options})"
    return method if isinstance(method, str) else getattr(method, "__name__", repr(method))


def announce(items: Iterable[T], labels: Sequence[str], title: str, unit: str) -> Iterator[T]:
    """Pass the items on, each label on stderr: as a bar on a terminal, else line by line."""
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        with tqdm(zip(labels, items, strict=True), title, len(labels), False, unit=unit) as bar:
            for label, item in bar:
                bar.set_postfix_str(label)
                yield item
    else:
        for i, (label, item) in enumerate(zip(labels, items, strict=True), 1):
            sys.stderr.write(f"{title}: {i}/{len(labels)} {label}\n")
            yield item
