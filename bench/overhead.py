"""The cost of one iteration on top of the user's functions, with a Python objective.

Every solver minimizes the same function. The cost of the same calls of `fun` and `jac` alone is
subtracted; it is measured in the same run. Everything in our loop is on: counts, best point,
stopping tests, `maxtime`. Our second row also has a callback. The pasted Adam is a NumPy loop as
found in many scripts, without any of this. Figures for SciPy's own solvers are per evaluation. The
second table is for limited-memory methods on Rosenbrock's function, with compiled functions called
from Python and at most 500 iterations. The third table shows the cost of a progress bar (on a
terminal with 80 columns) and of a history, for adam with an objective of about 20 us. Runs with and
without alternate, and the minima are compared.
"""

import contextlib
import os
import time
import warnings

import numba
import numpy as np
from scipy.optimize import minimize

from bench._report import Table
from scipy_gd import adam, gd, lbfgs
from scipy_gd.problems import rosenbrock

STEPS = 20_000


def pasted_adam(fun, x0, jac, maxiter):
    x = np.array(x0, float)
    m = np.zeros_like(x)
    v = np.zeros_like(x)
    for t in range(1, maxiter + 1):
        g = jac(x)
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g**2
        m_hat = m / (1 - 0.9**t)
        v_hat = v / (1 - 0.999**t)
        x = x - 1e-5 * m_hat / (np.sqrt(v_hat) + 1e-8)
        fun(x)
    return maxiter


def ours(method, callback=None):
    def solve(fun, x0, jac):
        options = {"learning_rate": 1e-5, "maxiter": STEPS, "maxtime": 1e3}
        res = minimize(fun, x0, jac=jac, method=method, callback=callback, options=options)
        assert res.nit == STEPS, res.message
        return res.nit

    return solve


def scipys(name):
    def solve(fun, x0, jac):
        total = 0
        while total < 2000:
            total += minimize(fun, x0, jac=jac, method=name, tol=1e-12).nfev
        return total

    return solve


def measure():
    warnings.simplefilter("ignore")
    contestants = {
        "scipy_gd adam": ours(adam),
        "scipy_gd adam, with a callback": ours(adam, lambda intermediate_result: None),
        "scipy_gd gd": ours(gd),
        "pasted NumPy Adam": lambda f, x0, g: pasted_adam(f, x0, g, STEPS),
        "SciPy BFGS": scipys("BFGS"),
        "SciPy L-BFGS-B": scipys("L-BFGS-B"),
        "SciPy CG": scipys("CG"),
    }
    rows = {name: [name] for name in contestants}
    for n in (2, 100):
        weights = np.linspace(1, 2, n)

        def fun(x, weights=weights):
            return float(weights @ (x * x))

        def jac(x, weights=weights):
            return 2 * weights * x

        x0 = np.full(n, 3.0)
        for name, solve in contestants.items():
            together = alone = np.inf
            for _ in range(5):
                start = time.perf_counter()
                steps = solve(fun, x0, jac)
                together = min(together, (time.perf_counter() - start) / steps)
                start = time.perf_counter()
                for _ in range(5000):
                    fun(x0)
                    jac(x0)
                alone = min(alone, (time.perf_counter() - start) / 5000)
            rows[name].append(1e6 * (together - alone))
    reference = rows["scipy_gd adam"]
    for row in rows.values():
        row += [row[1] / reference[1], row[2] / reference[2]]
    return [first(rows), limited_memory(), watched()]


def first(rows):
    columns = ["solver", "n = 2", "n = 100", "ratio, n = 2", "ratio, n = 100"]
    return Table("Microseconds an iteration (least of 5)", columns, list(rows.values()))


def limited_memory():
    solvers = {
        "scipy_gd lbfgs": (lbfgs, {"compiled": False}),
        "scipy_gd lbfgs, maxcor 10": (lbfgs, {"compiled": False, "maxcor": 10}),
        "SciPy L-BFGS-B (maxcor 10)": ("L-BFGS-B", {"ftol": 0.0}),
    }
    rows = {name: [name] for name in solvers}
    for n in (2, 100, 10_000):
        p = rosenbrock(n)
        for name, (method, options) in solvers.items():
            options = options | {"gtol": 1e-5, "maxiter": 500}
            together = value = slope = np.inf
            for _ in range(5):
                start = time.perf_counter()
                res = minimize(p.fun, p.x0, jac=p.jac, method=method, options=options)
                together = min(together, time.perf_counter() - start)
                value = min(value, seconds(p.fun, p.x0))
                slope = min(slope, seconds(p.jac, p.x0))
            rows[name].append(1e6 * (together - res.nfev * value - res.njev * slope) / res.nit)
    theirs = rows["SciPy L-BFGS-B (maxcor 10)"]
    for row in rows.values():
        row += [a / b for a, b in zip(row[1:4], theirs[1:4], strict=True)]
    columns = ["solver", "n = 2", "n = 100", "n = 10,000", "ratio", "ratio", "ratio"]
    return Table("Microseconds an iteration, limited memory", columns, list(rows.values()))


def watched():
    data = np.linspace(0, 1, 1200)

    def fun(x):
        return x @ x + 1e-3 * np.sin(data * x[0]).sum(), 2 * x + 1e-3

    options = {"learning_rate": 1e-6, "maxiter": STEPS}
    rows = []
    for label, objective, compiled in (
        ("Python", fun, False),
        ("compiled", numba.njit(fun), True),
    ):
        x0 = np.full(10, 3.0)
        objective(x0)
        runs = {"plain": [], "progress": [], "history": []}
        for _ in range(9):
            for watch, found in runs.items():
                on = {} if watch == "plain" else {watch: True}
                found.append(run_of(objective, x0, options | {"compiled": compiled} | on))
        plain, bar, history = (min(found) for found in runs.values())
        more = (100 * (watched / plain - 1) for watched in (bar, history))
        rows.append([label, 1e6 * plain / STEPS, *more])
    columns = ["objective", "us an iteration", "a bar, % more", "a history, % more"]
    return Table("A run that is watched", columns, rows)


def run_of(fun, x0, options):
    """Seconds of a run whose bar is written to a terminal that nobody looks at."""
    reader, writer = os.openpty()
    with os.fdopen(writer, "w") as terminal, contextlib.redirect_stderr(terminal):
        start = time.perf_counter()
        res = minimize(fun, x0, jac=True, method=adam, options=options)
        spent = time.perf_counter() - start
    os.close(reader)
    assert res.nit == STEPS, res.message
    return spent


def seconds(function, x):
    start = time.perf_counter()
    for _ in range(1000):
        function(x)
    return (time.perf_counter() - start) / 1000
