"""One run of a solver on values, judged with the exact function."""

import contextlib
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize, nnls

from bench._recorder import GTOL, Ended

TAUS = (1e-1, 1e-3, 1e-5, 1e-6)


class Row(NamedTuple):
    name: str
    n: int
    solved: dict[float, float]  # calls until this share of the possible decrease is left, or inf
    calls: int  # to the end
    claimed: bool
    false: bool
    at_start: bool  # a false claim of x0
    status: Any
    message: str
    fun: float  # exact, at the point that is returned
    left: float  # there, of the possible decrease

    def __repr__(self):
        reached = " ".join(f"{tau:g}:{calls:g}" for tau, calls in self.solved.items())
        words = [w for w in ("claimed", "false", "at_start") if getattr(self, w)]
        return (
            f"{self.name:34} n={self.n:<3} {reached:44} end {self.calls:<6} left {self.left:8.1e} "
            f"{' '.join(words):16} [{self.status}] {self.message[:60]}"
        )


class Watch:
    """The values of a task: counted, and the exact ones looked at. Gradients are counted apart."""

    def __init__(self, task, budget):
        self.task, self.budget = task, budget
        self.count, self.gradients = 0, 0
        self.solved = dict.fromkeys(TAUS, math.inf)
        self.best, self.x = math.inf, None

    def fun(self, y):
        self._charge()
        y = np.array(y, float)
        value, exact = self.task.values(y)
        if exact < self.best and math.isfinite(value):
            self.best, self.x = exact, y
            left = self.task.case.left(exact)
            for tau in TAUS:
                if left <= tau and self.solved[tau] == math.inf:
                    self.solved[tau] = self.count
        return value

    def jac(self, y):
        return self.task.jac(np.array(y, float))

    def _charge(self):
        if self.count >= self.budget:
            raise Ended
        self.count += 1


def judged(solver, kind, case, seed, budget):
    """One run: a `Row`."""
    task = kind.make(case, seed)
    watch = Watch(task, budget)
    y0 = case.x0 / task.unit
    claimed, status, message, y = False, "cut off", "", None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = minimize(
                watch.fun, y0.copy(), jac=watch.jac if task.jac else None,
                method=solver.method, options=dict(solver.options),
            )  # fmt: skip
        except Ended:
            pass
        except Exception as error:  # some solvers fall over NaN
            status, message = type(error).__name__, str(error)
        else:
            y, claimed = np.array(result.x, float), bool(result.success)
            status, message = result.status, str(result.message)
        if y is None:
            y = y0 if watch.x is None else watch.x
        x = y * task.unit
        f = case.fun(x)
        left = case.left(f)
        false = claimed and not left <= kind.tolerance and not stationary(kind, case, x)
    at_start = false and np.array_equal(y, y0)
    return Row(
        case.name, case.x0.size, watch.solved, watch.count, claimed, false, at_start, status,
        message, f, left,
    )  # fmt: skip


def stationary(kind, case, x):
    if not case.fun(x) < case.fun(case.x0):
        return False
    return kink_stationary(case, x) if case.kinked else smooth_stationary(kind, case, x)


def smooth_stationary(kind, case, x):
    """Whether the gradient is as small as can be asked, with such values.

    No component above GTOL; or a step of Newton's method (with the absolute values of the Hessian's
    eigenvalues) promises less than ten times the error of the values about there, which is taken
    as 1e-12 |f| at least: differences do not see more.
    """
    g = case.jac(x)
    if not np.isfinite(g).all():
        return False
    if abs(g).max() <= GTOL:
        return True
    steps = 1e-4 * np.maximum(1, abs(x)) * np.eye(x.size)
    H = np.array([(case.jac(x + h) - case.jac(x - h)) / (2 * h.sum()) for h in steps])
    if not np.isfinite(H).all():
        return False
    curvatures, axes = np.linalg.eigh((H + H.T) / 2)
    curvatures = np.maximum(abs(curvatures), 1e-8 * abs(curvatures).max())
    with contextlib.suppress(FloatingPointError):
        promised = ((axes.T @ g) ** 2 / curvatures).sum() / 2
        return bool(promised <= 10 * error_of_values(kind, case, x))
    return False


def error_of_values(kind, case, x):
    """The greatest difference between given and exact values at ten points about x."""
    task = kind.make(case, 2**20)  # other noise than the solver has seen
    rng = np.random.default_rng(0)
    greatest = 1e-12 * abs(case.fun(x))
    for _ in range(10):
        near = x + 1e-6 * np.maximum(1, abs(x)) * rng.standard_normal(x.size)
        value, exact = task.values(near / task.unit)
        greatest = np.fmax(greatest, abs(value / task.factor - exact))
    return greatest


def kink_stationary(case, x, radius=1e-4):
    """Whether a convex combination of the subgradients about x nearly vanishes: to 1e-3."""
    rng = np.random.default_rng(0)
    reach = radius * max(1, abs(x).max())
    near = x + reach * rng.uniform(-1, 1, (20 * x.size + 20, x.size))
    slopes = np.array([case.jac(point) for point in near]).T
    slopes /= np.linalg.norm(slopes, axis=0).max() or 1
    weight = 100.0  # the sum of the coefficients is 1
    system = np.vstack([slopes, np.full(slopes.shape[1], weight)])
    coefficients, _ = nnls(system, np.append(np.zeros(x.size), weight))
    return bool(np.linalg.norm(slopes @ coefficients) <= 1e-3)
