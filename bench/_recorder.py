"""One recorder for all solvers: it counts, detects when a problem is solved, and ends the run."""

import contextlib
import math
import multiprocessing
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from scipy_gd import METHODS
from scipy_gd.methods import GENERAL

GTOL = 1e-5
ENDLESS = 2**31 - 1


class Solver(NamedTuple):
    name: str
    method: Any
    options: Mapping[str, Any] = {}

    @property
    def takes_gradients(self) -> bool:
        if isinstance(self.method, str):
            return self.method != "Nelder-Mead"
        supplied = getattr(self.method, "supplied", ("g",))
        return "g" in supplied and not getattr(self.method, "probes", False)


# Nothing but a vanishing gradient ends these runs: SciPy's other criteria are off.
OFF = {
    "Nelder-Mead": {"xatol": 0, "fatol": 0, "maxiter": ENDLESS, "maxfev": ENDLESS},
    "BFGS": {"gtol": 0, "xrtol": 0, "maxiter": ENDLESS},
    "L-BFGS-B": {"ftol": 0, "gtol": 0, "maxiter": ENDLESS, "maxfun": ENDLESS},
    "CG": {"gtol": 0, "maxiter": ENDLESS},
    "Newton-CG": {"xtol": 0, "maxiter": ENDLESS},
    "TNC": {"ftol": 0, "xtol": 0, "gtol": 0, "maxfun": ENDLESS},
}


PUBLISHED = {
    "gd": 1e-3, "momentum": 1e-3, "nesterov": 1e-3, "adagrad": 1e-2,
    "rmsprop": 1e-3, "adadelta": 1.0, "adam": 1e-3, "adamw": 1e-3,
}  # fmt: skip
TEXTBOOK = (*PUBLISHED, "rmsprop_nesterov")
BOUNDED = ("Nelder-Mead", "L-BFGS-B", "TNC")
MODERN = (
    "amsgrad", "nadam", "radam", "adamax", "adabelief", "yogi", "adabound", "swats", "lion",
    "dowg", "prodigy", "schedule_free_sgd", "schedule_free_adamw",
)  # fmt: skip
NOT_LARGE = (*TEXTBOOK, *MODERN, "random_search", "spsa", "Nelder-Mead")
DENSE = ("newton", "BFGS")  # hold an n x n matrix


def ours() -> list[Solver]:
    """Every method at its default; the random ones always with the same numbers.

    (But sgd, which is gd where there are no batches.)
    """
    return [
        Solver(name, method, {"rng": 0} if "z" in method.supplied or method.probes else {})
        for name, method in GENERAL.items()
        if name != "sgd"
    ]


def published() -> list[Solver]:
    """The textbook's methods with the learning rates that are handed down."""
    return [
        Solver(f"{name}, {rate:g}", METHODS[name], {"learning_rate": rate})
        for name, rate in PUBLISHED.items()
        if name in METHODS
    ]


def scipys() -> list[Solver]:
    return [Solver(name, name) for name in OFF]


def suits(solver, problem) -> bool:
    """Whether the solver is made for such a problem, and can be expected to end."""
    family, n = solver.name.split(",")[0], problem.x0.size
    return not (
        (problem.bounds is not None and family in OFF and family not in BOUNDED)
        or (n >= 1000 and family in NOT_LARGE)
        or (n > 1000 and family in DENSE)
    )


def budget(problem) -> int:
    return 10_000 if problem.x0.size < 1000 else 100_000


class Ended(Exception):
    """The problem is solved, or the budget is spent."""


class Recorder:
    """A problem's functions with the count of their evaluations: of f or of g, each is one.

    Solved at the first point with a projected gradient of at most GTOL. Of a solver that takes no
    gradients, every point is looked at, free of charge.
    """

    def __init__(self, problem, budget=math.inf, gradients=True, until=GTOL):
        self.problem, self.budget, self.gradients, self.until = problem, budget, gradients, until
        self.count, self.solved = 0, math.inf

    def fun(self, x):
        self._charge()
        f = self.problem.fun(x)
        if not self.gradients:
            self._look(x, self.problem.jac(x))
        return f

    def jac(self, x):
        self._charge()
        g = self.problem.jac(x)
        self._look(x, g)
        return g

    def _charge(self):
        if self.count >= self.budget:
            raise Ended
        self.count += 1

    def _look(self, x, g):
        if norm(self.problem, x, g) <= self.until:
            self.solved = self.count
            raise Ended


def norm(problem, x, g=None):
    """The greatest component of the projected gradient."""
    with np.errstate(all="ignore"):
        return abs(problem.projected(x, problem.jac(x) if g is None else g)).max()


def solve(solver, problem, recorder) -> OptimizeResult | None:
    """What `minimize` returns; None if the recorder ended the run."""
    jac = recorder.jac if solver.takes_gradients else None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return minimize(
                recorder.fun, problem.x0.copy(), jac=jac, method=solver.method,
                bounds=problem.bounds, options=dict(solver.options),
            )  # fmt: skip
        except Ended:
            return None


def evaluations(solver, problem, budget=10_000) -> float:
    """Evaluations until the problem is solved; inf if it is not, within the budget."""
    recorder = Recorder(problem, budget, solver.takes_gradients)
    solve(solver, problem, recorder)
    return recorder.solved


def evaluate(solver, problems, budget=10_000, options=None, workers=2) -> list[float]:
    """Evaluations until each problem is solved; inf if it is not, within the budget.

    `solver` is a `Solver`, or any `method=` with its `options`. SciPy's get `OFF`, all others a
    `maxiter` without end.
    """
    solver = endless(solver, options)
    return work(lambda problem: evaluations(solver, problem, budget), problems, workers)


def endless(solver, options=None):
    if not isinstance(solver, Solver):
        solver = Solver(str(solver), solver, options or {})
    off = OFF.get(solver.method, {}) if isinstance(solver.method, str) else {"maxiter": math.inf}
    return solver._replace(options=off | dict(solver.options))


def _one_thread():
    with contextlib.suppress(ImportError):  # too late for the variables that OpenBLAS reads
        import threadpoolctl

        threadpoolctl.threadpool_limits(1)


_job: tuple[Callable[[Any], Any], list[Any]]


def _call(index):
    function, tasks = _job
    return index, function(tasks[index])


def work(function, tasks, workers=2) -> list[Any]:
    """A parallel map. Workers are forked and told an index: nothing has to be picklable."""
    global _job
    _job = function, tasks = function, list(tasks)
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [function(task) for task in tasks]
    answers = [None] * len(tasks)
    with multiprocessing.get_context("fork").Pool(workers, _one_thread) as pool:
        for index, answer in pool.imap_unordered(_call, range(len(tasks))):
            answers[index] = answer
    return answers
