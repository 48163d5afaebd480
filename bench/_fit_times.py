"""The time of a fit: NIST's data sets, and a million observations."""

import functools
import statistics
import time
import types
import warnings

import numpy as np
from numba import njit
from scipy.optimize import least_squares, minimize

from bench import _nist
from bench._fitters import OURS, SOLVERS, Functions, Task, compiled_optimistix
from bench._report import seconds_each
from scipy_gd import METHODS

# --- NIST's


def of_nist():
    """Seconds of a fit from the second start, at the defaults: by contestant, for each set."""
    return [seconds_of(fit) for fit in _nist.fits().values()]


def seconds_of(fit):
    task = Task(fit, fit.starts[1], tight=False)
    plain = Functions(fit.residuals, fit.jacobian, fit.data)
    numbas = Functions(*compiled(fit.model, fit.slopes), fit.data)
    calls = {
        name + suffix: (lambda fit=solver.fit, given=given: fit(task, given))
        for name, solver in SOLVERS.items()
        if name != "optimistix"
        for suffix, given in (("", plain), (", Numba", numbas))
        if not suffix or name in (*OURS, "lm", "trf")
    }
    if "optimistix" in SOLVERS:
        calls["optimistix, JAX"] = with_jax(fit)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return seconds_each(calls, rounds=3, least=0.01)


@functools.cache
def compiled(model, slopes):
    return njit(_nist.residuals(njit(model))), njit(_nist.jacobian(njit(slopes)))


def with_jax(fit):
    import jax

    jax.config.update("jax_enable_x64", True)
    model = types.FunctionType(fit.model.__code__, {"np": jax.numpy})
    x, y, start = jax.numpy.array(fit.x), jax.numpy.array(fit.y), jax.numpy.array(fit.starts[1])
    solve = compiled_optimistix(lambda b: model(b, x) - y, tight=False)
    return lambda: solve(start).value.block_until_ready()


# --- a million observations: three peaks and a constant

TRUTH = np.array([3.0, -2.0, 0.6, 2.0, 0.5, 0.9, 4.0, 2.5, 0.4, 1.0])


@njit
def residuals(b, x, y):
    r = np.empty(x.size)
    for i in range(x.size):
        r[i] = b[9] - y[i]
        for k in range(0, 9, 3):
            r[i] += b[k] * np.exp(-(((x[i] - b[k + 1]) / b[k + 2]) ** 2))
    return r


@njit
def jacobian(b, x, y):
    J = np.empty((x.size, 10))
    for i in range(x.size):
        for k in range(0, 9, 3):
            u = (x[i] - b[k + 1]) / b[k + 2]
            J[i, k] = np.exp(-(u**2))
            J[i, k + 1] = 2 * b[k] * u * J[i, k] / b[k + 2]
            J[i, k + 2] = u * J[i, k + 1]
        J[i, 9] = 1.0
    return J


def of_many(m=10**6, rounds=3):
    """Seconds of an iteration and the iterations of a fit, by contestant, in turn; and of r, J."""
    start = 1.2 * TRUTH
    contestants = {
        "lm": lambda args: least_squares(residuals, start, jacobian, method="lm", args=args),
        "trf": lambda args: least_squares(residuals, start, jacobian, method="trf", args=args),
    }
    if "levenberg_marquardt" in METHODS:
        method = METHODS["levenberg_marquardt"]
        contestants = {
            "levenberg_marquardt": lambda args: minimize(residuals, start, args, method, jacobian),
            **contestants,
        }
    found = {name: [] for name in (*contestants, "residuals", "Jacobian")}
    for size in (1000, *[m] * rounds):  # the first compiles
        args = observations(size)
        for name, fit in contestants.items():
            begun = time.perf_counter()
            result = fit(args)
            assert abs(result.x / TRUTH - 1).max() < 0.1, name
            found[name].append(((time.perf_counter() - begun) / result.njev, result.njev))
        for name, function in (("residuals", residuals), ("Jacobian", jacobian)):
            begun = time.perf_counter()
            function(start, *args)
            found[name].append((time.perf_counter() - begun, 1))
    return {
        name: (statistics.median(seconds for seconds, _ in runs[1:]), runs[-1][1])
        for name, runs in found.items()
    }


def observations(m):
    x = np.linspace(-5, 5, m)
    noise = 0.1 * np.random.default_rng(1).standard_normal(m)
    return x, residuals(TRUTH, x, -noise)
