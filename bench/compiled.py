"""The compiled loop against C, against SciPy's solvers, and against the Python loop.

All runs use one thread and alternate in one process; the figures are the minimum of several runs.
Compilation is not included (see `latency`). All solvers minimize the same Numba functions through
`scipy.optimize.minimize`, with everything that it and the methods add: checks, counts, best point,
result.

The C code is compiled with ``gcc -O3 -march=native``, and its kernels with ``-ffast-math`` as well.
One kernel only takes the step; the other also measures the step and the gradient, as ours do. There
are two C loops. The bare loop evaluates and steps. The other also does what a result needs: tests
for finite values and convergence, best point, counts. Both call the function through a pointer. The
custom methods are textbook code, with and without a stopping test. The curve fit minimizes the sum
of squares by `lbfgs` with finite differences; `curve_fit` calls the compiled model. If gcc is
missing, its rows are missing too.
"""

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from numba import cfunc, njit
from scipy import LowLevelCallable
from scipy.optimize import OptimizeResult, curve_fit, minimize

from bench._inside import kernel
from bench._report import Table, seconds_each
from scipy_gd import METHODS, adam, gd, lbfgs
from scipy_gd.problems import rosenbrock

C_LOOPS = r"""
#include <math.h>
#include <string.h>

typedef double (*function)(int, double *, double *);

double rosen(int n, double *x, double *g) {
    double a = x[1] - x[0] * x[0], b = 1 - x[0];
    g[0] = -400 * x[0] * a - 2 * b;
    g[1] = 200 * a;
    return 100 * a * a + b * b;
}

void bare(function fun, int n, double *x, double *g, double rate, long steps) {
    for (long k = 0; k < steps; k++) {
        fun(n, x, g);
        for (int i = 0; i < n; i++) x[i] -= rate * g[i];
    }
}

long complete(function fun, int n, double *x, double *g, double *best, double *f_best, double rate,
              double gtol, long steps, long *nfev) {
    for (long k = 0;; k++) {
        double f = fun(n, x, g), gnorm = 0;
        ++*nfev;
        for (int i = 0; i < n; i++) if (!(fabs(g[i]) <= gnorm)) gnorm = fabs(g[i]);
        if (!isfinite(f) || !isfinite(gnorm)) return -1;
        if (f < *f_best) { *f_best = f; memcpy(best, x, n * sizeof *x); }
        if (gnorm <= gtol || k >= steps) return k;
        for (int i = 0; i < n; i++) x[i] -= rate * g[i];
    }
}

"""
C_KERNELS = r"""
#include <math.h>

#define KERNEL(name, prepare, update) \
    void name(long n, const double *restrict x, const double *restrict g, double *restrict to, \
              double *restrict m, double *restrict v, double a, double t, double *norms) { \
        prepare; \
        for (long i = 0; i < n; i++) { double d; update; to[i] = x[i] - a * d; } \
    } \
    void name##_measured(long n, const double *restrict x, const double *restrict g, \
                         double *restrict to, double *restrict m, double *restrict v, double a, \
                         double t, double *norms) { \
        prepare; \
        double step = 0, gradient = 0; \
        for (long i = 0; i < n; i++) { \
            double d; update; \
            double y = x[i] - a * d; \
            to[i] = y; \
            step += (y - x[i]) * (y - x[i]); \
            gradient = gradient > fabs(g[i]) ? gradient : fabs(g[i]); \
        } \
        norms[0] = sqrt(step), norms[1] = gradient; \
    }

KERNEL(gd, , d = g[i])
KERNEL(momentum, , d = m[i] = 0.9 * m[i] + g[i])
KERNEL(adam, double c = 1 / (1 - pow(0.9, t)); double e = 1 / (1 - pow(0.999, t)),
       m[i] = 0.9 * m[i] + 0.1 * g[i]; v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
       d = m[i] * c / (sqrt(v[i] * e) + 1e-8))
"""
STEPS = 100_000
START = np.array([4.0, -4.1])
DOUBLES = ctypes.POINTER(ctypes.c_double)
TEXTBOOK = {"learning_rate": 2e-4, "maxiter": STEPS, "gtol": 1e-12}


@njit
def fun(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


@njit
def jac(x):
    a = x[1] - x[0] ** 2
    return np.array([-400.0 * x[0] * a - 2 * (1 - x[0]), 200.0 * a])


@cfunc("float64(intc, CPointer(float64), CPointer(float64))")
def low_level(n, x, g):
    a, b = x[1] - x[0] ** 2, 1 - x[0]
    g[0] = -400.0 * x[0] * a - 2 * b
    g[1] = 200.0 * a
    return 100.0 * a**2 + b**2


def custom(fun, x0, args=(), jac=None, learning_rate=1e-3, maxiter=1000, gtol=1e-5, **options):
    """A custom method as textbooks write it."""
    x = np.array(x0)
    for nit in range(maxiter):  # noqa: B007
        g = jac(x, *args)
        if np.linalg.norm(g) <= gtol:
            break
        x = x - learning_rate * g
    return OptimizeResult(x=x, fun=fun(x, *args), nit=nit, success=True)


def custom_without_test(fun, x0, args=(), jac=None, learning_rate=1e-3, maxiter=1000, **options):
    x = np.array(x0)
    for _ in range(maxiter):
        x = x - learning_rate * jac(x, *args)
    return OptimizeResult(x=x, fun=fun(x, *args), nit=maxiter, success=True)


def least(contestants, rounds=9, seconds=4.0):
    """Least seconds of a call of each, in turn, and what each has returned.

    Every timed call follows another one of the same contestant, which warms the caches.
    """
    results = {name: call() for name, call in contestants.items()}
    times = dict.fromkeys(contestants, np.inf)
    begun = time.perf_counter()
    for k in range(rounds):
        for name, call in contestants.items():
            call()
            start = time.perf_counter()
            call()
            times[name] = min(times[name], time.perf_counter() - start)
        if k >= 2 and time.perf_counter() - begun > seconds * len(contestants):
            break
    return times, results


def c_library(folder):
    """The C code, compiled; None without gcc."""
    if shutil.which("gcc") is None:
        return None
    for name, code, flags in (("loops", C_LOOPS, []), ("kernels", C_KERNELS, ["-ffast-math"])):
        source = Path(folder) / f"{name}.c"
        source.write_text(code)
        flags = ["-O3", "-march=native", *flags, "-fPIC"]
        subprocess.run(["gcc", *flags, "-c", source, "-o", source.with_suffix(".o")], check=True)
    target = Path(folder) / "peers.so"
    objects = [Path(folder) / f"{name}.o" for name in ("loops", "kernels")]
    subprocess.run(["gcc", "-shared", *objects, "-o", target, "-lm"], check=True)
    return ctypes.CDLL(str(target))


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def measure():
    with tempfile.TemporaryDirectory() as folder:
        c = c_library(folder)
        tables = [kernels(c)] if c else []
        return [*tables, textbook(c), limited_memory(), python_loop(), curve_fits()]


def kernels(c):
    """One step to another point; C alone, and C when it measures the step and the gradient too."""
    rows = [
        [f"{name}, n = {n:,}", *against_c(c, name, n)]
        for name in ("gd", "momentum", "adam")
        for n in (10_000, 1_000_000)
    ]
    columns = ["kernel", "ours", "C, the same work", "ratio", "C, the step alone", "ratio"]
    return Table("Nanoseconds an element of a step", columns, rows)


def against_c(c, name, n):
    g = np.random.default_rng(0).normal(size=n)
    ours = kernel(METHODS[name], g, learning_rate=1e-9)
    vectors = [np.ones(n), g, *(np.zeros(n) for _ in range(3)), np.zeros(2)]
    *pointers, norms = map(pointer, vectors)
    arguments = (ctypes.c_long(n), *pointers, ctypes.c_double(1e-9), ctypes.c_double(1.0), norms)
    repeat = range(max(1, 2_000_000 // n))

    def c_kernel(function):
        return lambda: [function(*arguments) for _ in repeat]

    times, _ = least(
        {
            "ours": lambda: [ours() for _ in repeat],
            "the same work": c_kernel(getattr(c, f"{name}_measured")),
            "alone": c_kernel(getattr(c, name)),
        },
        rounds=60,
    )
    each, same, alone = (1e9 * t / len(repeat) / n for t in times.values())
    return each, same, each / same, alone, each / alone


def textbook(c):
    """Gradient descent on Rosenbrock's function in two variables."""

    def solve(fun, jac, method):
        return lambda: minimize(fun, START, jac=jac, method=method, options=TEXTBOOK)

    def c_loop(complete):
        x, g, best, f_best = START.copy(), np.zeros(2), np.zeros(2), np.full(1, np.inf)
        rate, tol, steps = ctypes.c_double(2e-4), ctypes.c_double(1e-12), ctypes.c_long(STEPS)
        if complete:
            nfev = ctypes.c_long(0)
            pointers = map(pointer, (x, g, best, f_best))
            c.complete(c.rosen, 2, *pointers, rate, tol, steps, ctypes.byref(nfev))
        else:
            c.bare(c.rosen, 2, pointer(x), pointer(g), rate, steps)
        return OptimizeResult(x=x)

    contestants = {
        "scipy_gd gd, jitted fun and jac": solve(fun, jac, gd),
        "scipy_gd gd, C-like function": solve(LowLevelCallable(low_level.ctypes), True, gd),
        "custom method, same fun and jac": solve(fun, jac, custom),
        "custom method without stop test": solve(fun, jac, custom_without_test),
    }
    if c:
        contestants["C loop, bare"] = lambda: c_loop(False)
        contestants["C loop, complete"] = lambda: c_loop(True)
    minimize(fun, START, jac=jac, method=gd, options=TEXTBOOK | {"compiled": True})
    times, results = least(contestants)
    ours, function = list(times.values())[:2]
    assert all(np.allclose(res.x, [0.9998971, 0.99979381], atol=1e-7) for res in results.values())
    rows = [[name, 1e9 * t / STEPS, t / ours, t / function] for name, t in times.items()]
    columns = ["100,000 steps", "ns a step", "against the first", "against the second"]
    return Table("Gradient descent, n = 2, the same x for all", columns, rows)


def limited_memory():
    """To the gradient test at 1e-5, SciPy's other tests off."""
    rows = []
    for n in (2, 10, 100, 1000):
        p = rosenbrock(n)

        def solve(method, p=p, **options):
            options = {"gtol": 1e-5, "maxiter": 100_000} | options
            return lambda: minimize(p.fun, p.x0, jac=p.jac, method=method, options=options)

        contestants = {
            "lbfgs": solve(lbfgs, compiled=True),
            "L-BFGS-B": solve("L-BFGS-B", ftol=0.0, maxfun=200_000),
        }
        if n <= 100:
            contestants["BFGS"] = solve("BFGS")
        results = {name: call() for name, call in contestants.items()}
        for name, res in results.items():
            assert abs(res.jac).max() <= 1e-5, (n, name, res)
        us = [1e6 * t for t in seconds_each(contestants).values()]
        row = [f"{n:,}", us[0], us[1], us[1] / us[0]]
        row += [us[2], us[2] / us[0]] if n <= 100 else [np.nan, np.nan]
        rows.append([*row, results["lbfgs"].nfev, results["L-BFGS-B"].nfev])
    columns = ["n", "lbfgs", "L-BFGS-B", "ratio", "BFGS", "ratio", "nfev", "nfev L-BFGS-B"]
    return Table("Microseconds to ||g|| <= 1e-5 on Rosenbrock's function", columns, rows)


def python_loop():
    """The compiled loop against the Python loop, on the same jitted functions."""
    rows = []
    for name, options in {
        "adam, rate 1e-3": {"method": adam, "learning_rate": 1e-3},
        "gd, rate 1e-3": {"method": gd, "learning_rate": 1e-3},
        "lbfgs": {"method": lbfgs},
    }.items():
        for n in (2, 100):
            p = rosenbrock(n)
            method = options["method"]
            limits = {k: v for k, v in options.items() if k != "method"}
            limits |= {"maxiter": 5000, "gtol": 1e-9}

            def solve(compiled, p=p, method=method, limits=limits):
                return minimize(
                    p.fun, p.x0, jac=p.jac, method=method, options=limits | {"compiled": compiled}
                )

            times, results = least({"yes": lambda: solve(True), "no": lambda: solve(False)})
            assert results["yes"].x.tolist() == results["no"].x.tolist()
            us = [1e6 * t / results["yes"].nit for t in times.values()]
            rows.append([f"{name}, n = {n}", *us, us[1] / us[0]])
    columns = ["method", "compiled", "Python", "ratio"]
    return Table("Microseconds an iteration, the same iterates", columns, rows)


@njit
def decays(t, a, b, c, d):
    return a * np.exp(-b * t) + c * np.exp(-d * t)


@njit
def decays_squares(p, t, y):
    total = 0.0
    for k in range(t.size):
        total += (p[0] * np.exp(-p[1] * t[k]) + p[2] * np.exp(-p[3] * t[k]) - y[k]) ** 2
    return total


@njit
def peak(t, height, center, width, ground):
    return height * np.exp(-0.5 * ((t - center) / width) ** 2) + ground


@njit
def peak_squares(p, t, y):
    total = 0.0
    for k in range(t.size):
        total += (p[0] * np.exp(-0.5 * ((t[k] - p[1]) / p[2]) ** 2) + p[3] - y[k]) ** 2
    return total


MODELS = {
    "two decays": (decays, decays_squares, (3.0, 1.5, 1.5, 0.3), (2.0, 2.0, 1.0, 0.2)),
    "a peak on a ground": (peak, peak_squares, (3.0, 2.8, 0.7, 1.0), (1.0, 2.5, 1.0, 0.0)),
}


def curve_fits(fits=1000):
    """4 parameters, 30 points, 1,000 data sets with noise, differences for both."""
    rows = []
    for name, (model, squares, truth, p0) in MODELS.items():
        rng = np.random.default_rng(0)
        t, p0 = np.linspace(0.0, 6.0, 30), np.array(p0)
        data = [model(t, *truth) + 0.01 * rng.normal(size=30) for _ in range(fits)]

        def ours(squares=squares, t=t, p0=p0, data=data):
            return [minimize(squares, p0, (t, y), lbfgs) for y in data]

        def theirs(model=model, t=t, p0=p0, data=data):
            return [curve_fit(model, t, y, p0)[0] for y in data]

        begun = time.perf_counter()
        ours()
        first = time.perf_counter() - begun
        times, results = least({"ours": ours, "curve_fit": theirs}, rounds=5)
        worst = max(
            squares(res.x, t, y) / squares(p, t, y) - 1
            for res, p, y in zip(results["ours"], results["curve_fit"], data, strict=True)
        )
        us = [1e6 * s / fits for s in times.values()]
        solved = sum(res.success for res in results["ours"])
        rows.append([name, us[0], us[1], us[1] / us[0], 1e6 * first / fits, solved, worst])
    columns = ["1,000 fits", "lbfgs", "curve_fit", "ratio", "lbfgs, the first 1,000"]
    columns += ["converged", "sum of squares, at most larger by"]
    return Table("Microseconds a curve fit", columns, rows)
