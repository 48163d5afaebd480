"""The cost of `minimize_many`: with lbfgs, with growing sizes, the first time, in memory."""

import time

import numpy as np
from numba import njit
from scipy.optimize import minimize

from bench._many_fitters import AXES, OURS, RELATIVE, floor, timed
from bench._many_models import cases, decays_at, functions, numpys, peak
from bench._report import seconds_each
from scipy_gd import lbfgs, levenberg_marquardt, minimize_many

MANY = 100_000


def tiled(Y, k):
    """As many rows, again and again."""
    return np.resize(Y, (k, Y.shape[1]))


def fitted(case, Y, workers=None):
    """The rows of Y, with residuals and Jacobian in one function."""
    return minimize_many(
        case.functions.both, case.x0, (case.t, Y), AXES, jac=True,
        method=levenberg_marquardt, options=RELATIVE, workers=workers,
    )  # fmt: skip


# --- lbfgs


@njit
def rosenbrock(x, c):
    """Its valley is as narrow as c says."""
    f, g = 0.0, np.zeros(x.size)
    for i in range(x.size - 1):
        a, b = x[i + 1] - x[i] ** 2, 1 - x[i]
        f += c[0] * a**2 + b**2
        g[i] -= 4 * c[0] * x[i] * a + 2 * b
        g[i + 1] += 2 * c[0] * a
    return f, g


def of_lbfgs(k=2000):
    """Microseconds of a run by way, and how many end with the same bits in one call: by name."""
    return {f"Rosenbrock's function, n = {n}": of_rosenbrocks(k, n) for n in (2, 10)}


def of_rosenbrocks(k, n):
    rng = np.random.default_rng(0)
    C, X0 = rng.uniform(1, 100, (k, 1)), rng.uniform(-2, 2, (k, n))
    few = k // 10  # of a solver that takes long

    def loop(method, runs):
        pairs = zip(X0[:runs], C[:runs], strict=True)
        return [minimize(rosenbrock, x, (c,), method, True).x for x, c in pairs]

    ways = {
        "one call": lambda: minimize_many(rosenbrock, X0, (C,), (0,), jac=True, method=lbfgs).x,
        "loop": lambda: loop(lbfgs, k),
        "L-BFGS-B": lambda: loop("L-BFGS-B", few),
    }
    times = seconds_each(ways, rounds=5)
    same = np.all(ways["one call"]() == ways["loop"](), axis=1)
    us = {name: 1e6 * s / (few if name == "L-BFGS-B" else k) for name, s in times.items()}
    return us, int(same.sum())


# --- growth


@njit
def heights_and_centers(p, t, y):
    """Residuals and Jacobian of peaks as wide as 1, with two parameters each."""
    r, J = np.empty(y.size), np.empty((y.size, p.size))
    for i in range(y.size):
        r[i] = -y[i]
        for j in range(0, p.size, 2):
            z = t[i] - p[j + 1]
            J[i, j] = np.exp(-z * z)
            J[i, j + 1] = 2 * p[j] * z * J[i, j]
            r[i] += p[j] * J[i, j]
    return r, J


def peaks(k, n, rng):
    """Like a case: n / 2 peaks, four widths from each other."""
    base = peak(1, rng)
    t, x0 = np.linspace(0, 2 * n, 100), np.ravel([[2, 4 * j + 2] for j in range(n // 2)]) * 1.0
    X = x0 + rng.uniform(-0.3, 0.3, (k, n))
    heights, centers = X[:, ::2, None], X[:, 1::2, None]
    Y = np.sum(heights * np.exp(-((t - centers) ** 2)), axis=1) + 0.02 * rng.normal(size=(k, 100))
    fs = base.functions._replace(both=heights_and_centers)
    return base._replace(functions=fs, t=t, Y=Y, x0=x0, truth=X)


def of_growth():
    """By what grows: microseconds a fit, iterations, microseconds of the evaluations."""
    rng, many = np.random.default_rng(0), peak(10_000, np.random.default_rng(0))
    found = {}
    for k in (100, 1000, 10_000, 100_000, 1_000_000):
        rounds = 7 if k < 100_000 else 1
        found[f"k = {k:,}"] = cost_of(many._replace(Y=tiled(many.Y, k)), rounds)
    for n in (2, 4, 10, 20):
        found[f"n = {n}"] = cost_of(peaks(2000, n, rng))
    for m in (10, 30, 100, 300, 1000):
        found[f"m = {m:,}"] = cost_of(peak(2000, rng, m))
    return found


def cost_of(case, rounds=5):
    k = len(case.Y)
    res = fitted(case, case.Y)
    bare = floor(case, OURS, res)
    bare()
    ways = [lambda: fitted(case, case.Y), bare]
    spent = [[timed(way)[0] for way in ways] for _ in range(rounds)]
    us, evaluations = (1e6 * np.min(spent, axis=0) / k).tolist()
    return us, float(np.mean(res.nit)), evaluations


def of_workers(k=MANY):
    """Seconds of so many fits with one thread and with two, by case."""
    found = {}
    for case in cases(2000):
        Y = tiled(case.Y, k)
        ways = {w: lambda Y=Y, w=w, case=case: fitted(case, Y, workers=w) for w in (1, 2)}
        spent = {w: [] for w in ways}
        for w in [*ways] * 3:
            spent[w].append(timed(ways[w])[0])
        found[case.name] = [min(times) for times in spent.values()]
    return found


# --- the first call


KINDS = {
    "r and J in one": (lambda fs: (fs.both, True), levenberg_marquardt, RELATIVE),
    "r and J apart": (lambda fs: (fs.residuals, fs.jacobian), levenberg_marquardt, RELATIVE),
    "residuals alone": (lambda fs: (fs.residuals, None), levenberg_marquardt, RELATIVE),
    "value and gradient, lbfgs": (lambda fs: (fs.cost, True), lbfgs, None),
}


def warm():
    """Fill the cache on disk."""
    for kind in KINDS:
        of_first_calls(kind, 2)


def of_first_calls(kind, number=4):
    """Seconds until 2,000 fits are done, of so many functions: to be asked in a fresh process.

    Of a function that was never called; what calling another, equal one by itself takes, and the
    difference; of that one, which was not minimized; and of the first again, on other data. These
    for the first function of the process, and the least for the others.
    """
    case = cases(4000)[0]
    rows = np.array([first_call(case, *KINDS[kind]) for _ in range(number)])
    first, others = rows[0], rows[1:].min(axis=0)
    return [[*row[:2], row[0] - row[1], *row[2:]] for row in (first.tolist(), others.tolist())]


def first_call(case, chosen, method, options):
    def many(pair, Y):
        fun, jac = pair
        given = fun, case.x0, (case.t, Y), AXES
        return timed(lambda: minimize_many(*given, jac=jac, method=method, options=options))[0]

    new, called = (chosen(functions(numpys(decays_at.py_func))) for _ in range(2))
    first, other_data = many(new, case.Y[:2000]), many(new, case.Y[2000:])
    by_itself, _ = timed(lambda: [f(case.x0, case.t, case.Y[0]) for f in called if callable(f)])
    return first, by_itself, many(called, case.Y[:2000]), other_data


# --- data in a file


def write(path, k, seed=0):
    """The observations of so many peaks, as doubles."""
    case = peak(10_000, np.random.default_rng(seed))
    shape = k, case.t.size
    tiled(case.Y, k).tofile(path)
    return case, shape


def of_memmap(path, case, shape, ready):
    """Seconds of a call on data in a file, how many fits have ended well, and the result's bytes.

    To be watched.
    """
    Y = np.memmap(path, float, "r", shape=shape)
    fitted(case, Y[:5000])
    begun = ready()
    res = fitted(case, Y)
    seconds = time.perf_counter() - begun
    return seconds, int(np.sum(res.success)), sum(getattr(a, "nbytes", 0) for a in res.values())
