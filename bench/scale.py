"""Large problems: the cost of an iteration, and which methods converge, at n = 1e4 to 1e6.

Numba compiles the functions, with one thread. The first table shows what lbfgs, with its 10 pairs,
does besides calling them: the difference in time between two lengths of the same run, minus the
time of its evaluations. In the other tables, a run arrives when no component of the gradient is
above 1e-6 of the largest one at the start. A run that has not arrived within the time limit is
stopped, and the table shows the remaining share of that component instead of the calls. All methods
get the same two functions, and SciPy's solvers get a tolerance that only the gradient can meet.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import minimize

from bench._report import Table
from scipy_gd import cg_descent, lbfgs, spg

LIMIT = {100_000: 5.0, 1_000_000: 20.0}
"""Seconds for a run, by the number of parameters."""
ARRIVED = 1e-6


class Problem(NamedTuple):
    name: str
    fun: Callable[..., float]
    jac: Callable[..., Any]
    x0: Any
    args: tuple[Any, ...] = ()


# --- functions


@njit
def rosenbrock(x):
    total = 0.0
    for i in range(0, x.size, 2):
        total += (1.0 - x[i]) ** 2 + 100.0 * (x[i + 1] - x[i] ** 2) ** 2
    return total


@njit
def rosenbrock_gradient(x):
    g = np.empty_like(x)
    for i in range(0, x.size, 2):
        b = x[i + 1] - x[i] ** 2
        g[i] = -2.0 * (1.0 - x[i]) - 400.0 * x[i] * b
        g[i + 1] = 200.0 * b
    return g


@njit
def quadratic(x, a):
    """Neighbours pull at each other; a are the curvatures along the axes."""
    total = 0.5 * a[0] * x[0] ** 2 - x[0]
    for i in range(1, x.size):
        total += 0.5 * a[i] * x[i] ** 2 - x[i] + 0.5 * (x[i] - x[i - 1]) ** 2
    return total


@njit
def quadratic_gradient(x, a):
    g = a * x - 1.0
    for i in range(1, x.size):
        b = x[i] - x[i - 1]
        g[i] += b
        g[i - 1] -= b
    return g


@njit
def scores(w, columns, values, y):
    """Of rows with equally many entries that are not zero: label times scalar product."""
    z = np.zeros(y.size)
    for i in range(y.size):
        for k in range(columns.shape[1]):
            z[i] += values[i, k] * w[columns[i, k]]
        z[i] *= y[i]
    return z


@njit
def logistic(w, columns, values, y, penalty):
    total = 0.5 * penalty * np.sum(w * w)
    for z in scores(w, columns, values, y):
        total += np.log1p(np.exp(-abs(z))) + max(-z, 0.0)
    return total


@njit
def logistic_gradient(w, columns, values, y, penalty):
    g = penalty * w
    z = scores(w, columns, values, y)
    for i in range(y.size):
        share = -y[i] / (1.0 + np.exp(z[i]))
        for k in range(columns.shape[1]):
            g[columns[i, k]] += share * values[i, k]
    return g


@njit
def heights(u, edge):
    """Those inside a square, and those on its edge."""
    m = edge.shape[1]
    z = np.empty((m, m))
    z[0], z[-1], z[:, 0], z[:, -1] = edge[0], edge[1], edge[2], edge[3]
    for i in range(m - 2):
        for j in range(m - 2):
            z[i + 1, j + 1] = u[i * (m - 2) + j]
    return z


@njit
def surface(u, edge):
    """The area, in units of that of a cell."""
    z = heights(u, edge)
    m, total = len(z), 0.0
    scale = 0.5 * (m - 1) ** 2
    for i in range(m - 1):
        for j in range(m - 1):
            a, b = z[i, j] - z[i + 1, j + 1], z[i + 1, j] - z[i, j + 1]
            total += np.sqrt(1.0 + scale * (a * a + b * b))
    return total


@njit
def surface_gradient(u, edge):
    z = heights(u, edge)
    m, g = len(z), np.zeros(z.shape)
    scale = 0.5 * (m - 1) ** 2
    for i in range(m - 1):
        for j in range(m - 1):
            a, b = z[i, j] - z[i + 1, j + 1], z[i + 1, j] - z[i, j + 1]
            slope = scale / np.sqrt(1.0 + scale * (a * a + b * b))
            g[i, j] += a * slope
            g[i + 1, j + 1] -= a * slope
            g[i + 1, j] += b * slope
            g[i, j + 1] -= b * slope
    return g[1:-1, 1:-1].copy().ravel()


# --- problems


def problems(n: int) -> list[Problem]:
    rng = np.random.default_rng(0)
    classical = np.tile([-1.2, 1.0], n // 2)
    banana = rosenbrock, rosenbrock_gradient
    return [
        Problem("Rosenbrock, random start", *banana, rng.uniform(-2.0, 2.0, n)),
        Problem("Rosenbrock, its own start", *banana, classical),
        Problem(
            "quadratic, curvatures 1 to 1e4",
            *(quadratic, quadratic_gradient, np.zeros(n), (10.0 ** rng.uniform(0.0, 4.0, n),)),
        ),
        logistic_regression(n, rng),
        minimal_surface(n),
    ]


def logistic_regression(n: int, rng: np.random.Generator) -> Problem:
    """Five parameters for a row, which has 20 entries; the first ones occur far more often."""
    rows = n // 5
    columns = (n * rng.random((rows, 20)) ** 3).astype(np.int64)
    values = rng.normal(size=(rows, 20))
    y = np.where(scores(rng.normal(size=n), columns, values, np.ones(rows)) > 0.0, 1.0, -1.0)
    data = columns, values, y, 1e-2
    return Problem("sparse logistic regression", logistic, logistic_gradient, np.zeros(n), data)


def minimal_surface(n: int) -> Problem:
    side = round(n**0.5)
    t = np.linspace(0.0, 1.0, side + 2)
    edge = np.array([t * (1 - t), t * (1 - t), -t * (1 - t), -t * (1 - t)])
    return Problem("minimal surface", surface, surface_gradient, np.zeros(side * side), (edge,))


# --- what an iteration costs


def cost() -> Table:
    """Nanoseconds an element and iteration of lbfgs beyond the evaluations."""
    rows = []
    for n in (10_000, 100_000, 1_000_000):
        problem = problems_of_cost(n)
        for threads in (1, 2):
            rows.append([f"{n:,}", threads, *(beyond(each, threads) for each in problem)])
    columns = ["n", "threads", "Rosenbrock", "quadratic"]
    return Table("lbfgs: nanoseconds an element and iteration", columns, rows)


def problems_of_cost(n: int) -> list[Problem]:
    return [problems(n)[0], problems(n)[2]]


def beyond(problem: Problem, threads: int, rounds: int = 5) -> float:
    """From the shortest times of some rounds."""
    n = problem.x0.size
    short, long = 12, 12 + max(30, 1_000_000 // n)
    each = [least(call, (problem.x0, *problem.args)) for call in (problem.fun, problem.jac)]
    times: dict[int, float] = {short: np.inf, long: np.inf}
    calls = {}
    for _ in range(rounds):
        for maxiter in times:
            options = {"maxiter": maxiter, "gtol": 0.0, "threads": threads, "compiled": True}
            start = time.perf_counter()
            res = minimize(
                *(problem.fun, problem.x0, problem.args, lbfgs, problem.jac), options=options
            )
            times[maxiter] = min(times[maxiter], time.perf_counter() - start)
            calls[maxiter] = np.array([res.nfev, res.njev])
    rest = times[long] - times[short] - (calls[long] - calls[short]) @ each
    return float(1e9 * rest / ((long - short) * n))


def least(call: Callable[..., Any], args: tuple[Any, ...], rounds: int = 20) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call(*args)
        times.append(time.perf_counter() - start)
    return min(times)


# --- which method arrives

METHODS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lbfgs": (lbfgs, {}),
    "lbfgs, 2 threads": (lbfgs, {"threads": 2}),
    "lbfgs, maxcor 5": (lbfgs, {"maxcor": 5}),
    "lbfgs, maxcor 20": (lbfgs, {"maxcor": 20}),
    "cg_descent": (cg_descent, {}),
    "spg": (spg, {}),
    "L-BFGS-B": ("L-BFGS-B", {"ftol": 0.0, "maxiter": 10**6, "maxfun": 10**7}),
    "CG": ("CG", {"maxiter": 10**6}),
}


def methods(n: int) -> list[Table]:
    """Seconds, and calls of the two functions, of every method on every problem."""
    times, calls = [], []
    for problem in problems(n):
        found = [arrival(problem, *each) for each in METHODS.values()]
        times.append([problem.name, *(seconds for seconds, _ in found)])
        calls.append([problem.name, *(count for _, count in found)])
    columns = ["function", *METHODS]
    return [
        Table(f"Seconds to arrive, n = {n:,}", columns, times),
        Table(f"Values and gradients to arrive, n = {n:,}", columns, calls),
    ]


def arrival(problem: Problem, method: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """Seconds and calls; where it does not arrive, the time it was given, and how it ended."""
    limit = LIMIT[min(LIMIT, key=lambda n: abs(n - problem.x0.size))]
    most = ARRIVED * np.abs(problem.jac(problem.x0, *problem.args)).max()
    given = {"gtol": most} | options
    start = time.perf_counter()

    def stop(intermediate_result: Any) -> None:
        if time.perf_counter() - start > limit:
            raise StopIteration

    callback = stop if isinstance(method, str) else None
    if callback is None:
        given |= {"maxtime": limit, "maxiter": 10**6, "compiled": True}
    res = minimize(
        *(problem.fun, problem.x0, problem.args, method, problem.jac),
        callback=callback,
        options=given,
    )
    seconds = time.perf_counter() - start
    g = problem.jac(res.x, *problem.args)
    if np.abs(g).max() <= most:
        return seconds, int(res.nfev + res.njev)
    ended = f"> {limit:.0f}" if seconds > limit else "stops"
    return ended, f"{np.abs(g).max() / most * ARRIVED:.0e}"


def compile_all() -> None:
    """Nobody's time includes a compilation."""
    for problem in problems(10_000):
        for method, options in METHODS.values():
            arrival(problem, method, options)


def measure() -> list[Table]:
    compile_all()
    return [cost(), *methods(100_000), *methods(1_000_000)]
