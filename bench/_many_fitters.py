"""All fits of a case by each solver, on one core: how long they take, and how many arrive."""

import functools
import importlib.util
import inspect
import time
import types
import warnings
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import curve_fit, least_squares, minimize

from bench._many_models import cases
from scipy_gd import lbfgs, levenberg_marquardt, minimize_many

TOLERANCE = 1e-8
RELATIVE = {"ftol": TOLERANCE, "xtol": TOLERANCE}
AXES = (None, 0)
OURS = "levenberg_marquardt, r and J in one"
JAXS = ("optimistix", "jaxopt")


class Row(NamedTuple):
    seconds: float  # of a fit
    arrived: int
    first: float  # seconds of the first call, which compiles


class Measured(NamedTuple):
    name: str  # of the case
    fits: int
    rows: dict[str, Row]
    floors: dict[str, float]  # seconds of what one of our fits evaluates, by solver


def measured(k=2000, seconds=1.0):
    """Of each case. To be called in a process with one core."""
    return [of_case(case, seconds) for case in cases(k)]


def of_case(case, seconds):
    calls, k = ours(case), len(case.Y)
    contestants = calls | {"a loop of single calls": lambda: singly(case)} | peers(case)
    firsts, reached, floors = {}, {}, {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, call in contestants.items():
            firsts[name], result = timed(call)
            if name in calls:
                floors[name] = floor(case, name, result)
                floors[name]()
            reached[name] = case.costs(result.x if name in calls else result)
        times = {name: [] for name in contestants}
        bare = {name: [] for name in floors}
        for name in [*contestants] * 9:
            if len(times[name]) < 2 or sum(times[name]) < seconds:
                times[name].append(timed(contestants[name])[0])
                if name in floors:
                    bare[name].append(timed(floors[name])[0])
    best = np.min([*reached.values()], axis=0)
    rows = {
        name: Row(min(times[name]) / k, int(np.sum(costs - best <= 1e-6 * best)), firsts[name])
        for name, costs in reached.items()
    }
    return Measured(case.name, k, rows, {name: min(spent) / k for name, spent in bare.items()})


def timed(call):
    begun = time.perf_counter()
    result = call()
    return time.perf_counter() - begun, result


# --- ours


def ours(case):
    """The functions of each of our contestants, and a call of `minimize_many` with them."""
    fs = case.functions
    contestants = {
        OURS: (fs.both, True, levenberg_marquardt, RELATIVE),
        "levenberg_marquardt, r and J apart": (
            fs.residuals, fs.jacobian, levenberg_marquardt, RELATIVE,
        ),
        "levenberg_marquardt, differences": (fs.residuals, None, levenberg_marquardt, RELATIVE),
        "levenberg_marquardt, own tolerances": (fs.both, True, levenberg_marquardt, None),
        "lbfgs, the sum of squares and its gradient": (fs.cost, True, lbfgs, {"gtol": TOLERANCE}),
    }  # fmt: skip

    def call(fun, jac, method, options):
        return lambda: minimize_many(
            fun, case.x0, (case.t, case.Y), AXES, jac=jac, method=method, options=options
        )

    return {name: call(*given) for name, given in contestants.items()}


def singly(case):
    method, options = levenberg_marquardt, RELATIVE
    return [
        minimize(case.functions.both, case.x0, (case.t, y), method, True, options=options).x
        for y in case.Y
    ]


def floor(case, name, result):
    """A call of the evaluations that our fits have made, in compiled loops without fits."""
    fs = case.functions
    nfev, njev = (np.asarray(counts, np.int64) for counts in (result.nfev, result.njev))
    parts = {
        OURS: [(values_of_pairs, fs.both, nfev)],
        "levenberg_marquardt, r and J apart": [
            (values, fs.residuals, nfev),
            (values, fs.jacobian, njev),
        ],
        "levenberg_marquardt, differences": [(values, fs.residuals, nfev)],
        "levenberg_marquardt, own tolerances": [(values_of_pairs, fs.both, nfev)],
        "lbfgs, the sum of squares and its gradient": [(values_of_pairs, fs.cost, nfev)],
    }[name]
    return lambda: [
        loop(fun, case.x0, result.x, case.t, case.Y, counts) for loop, fun, counts in parts
    ]


@njit
def values(fun, x0, X, t, Y, counts):
    """Calls on the way from the start to the ends, which nothing can take out of the loop."""
    total = 0.0
    for i in range(len(X)):
        for c in range(counts[i]):
            total += fun(x0 + (c + 1) / counts[i] * (X[i] - x0), t, Y[i]).flat[0]
    return total


@njit
def values_of_pairs(fun, x0, X, t, Y, counts):
    total = 0.0
    for i in range(len(X)):
        for c in range(counts[i]):
            _, second = fun(x0 + (c + 1) / counts[i] * (X[i] - x0), t, Y[i])
            total += second.flat[0]
    return total


# --- peers, at the same tolerance


def peers(case):
    fs, t, Y, x0 = case.functions, case.t, case.Y, case.x0

    def loop(fit):
        return lambda: [fit(y) for y in Y]

    def squares(method):
        return loop(
            lambda y: (
                least_squares(
                    fs.residuals, x0, fs.jacobian, method=method, args=(t, y), **RELATIVE
                ).x
            )
        )

    return {
        "curve_fit, jitted model": loop(lambda y: curve_fit(case.curve, t, y, x0, **RELATIVE)[0]),
        "curve_fit, jitted model and J": loop(
            lambda y: curve_fit(case.curve, t, y, x0, jac=fs.slopes, **RELATIVE)[0]
        ),
        "least_squares lm, jitted r and J": squares("lm"),
        "least_squares trf, jitted r and J": squares("trf"),
        **(by_xarray(case) if installed("xarray") else {}),
        **(by_jax(case) if installed(*JAXS) else {}),
    }


def installed(*packages):
    return all(map(importlib.util.find_spec, packages))


def by_xarray(case):
    import xarray

    shape = [np.unique(axis).size for axis in np.atleast_2d(case.t)]
    axes = {f"t{k}": np.unique(axis) for k, axis in enumerate(np.atleast_2d(case.t))}
    data = xarray.DataArray(case.Y.reshape(-1, *shape), dims=("fit", *axes), coords=axes)
    names = [*inspect.signature(case.curve).parameters][1:]
    start = dict(zip(names, case.x0, strict=True))

    def fits():
        found = data.curvefit([*axes], case.curve, p0=start, kwargs=RELATIVE)
        return found.curvefit_coefficients.values

    return {"xarray curvefit, jitted model": fits}


def by_jax(case):
    """One compiled function for all fits: with `vmap`, and one after the other with `lax.map`.

    The normal equations by Cholesky are the quickest of the linear solvers that each offers.
    """
    import jax
    import jaxopt
    import lineax
    import optimistix

    jax.config.update("jax_enable_x64", True)
    model = types.FunctionType(case.curve.py_func.__code__, {"np": jax.numpy})
    t, Y, x0 = map(jax.numpy.array, (case.t, case.Y, case.x0))

    def residuals(p, y):
        return model(t, *p) - y

    cholesky = lineax.Normal(lineax.Cholesky())
    solver = optimistix.LevenbergMarquardt(TOLERANCE, TOLERANCE, linear_solver=cholesky)
    given = {"implicit_diff": False, "unroll": False}  # else all take the most iterations
    lm = jaxopt.LevenbergMarquardt(
        residuals, stop_criterion="madsen-nielsen", xtol=TOLERANCE, gtol=TOLERANCE,
        solver="cholesky", materialize_jac=True, **given,
    )  # fmt: skip
    gauss_newton = jaxopt.GaussNewton(residuals, tol=TOLERANCE, **given)
    fits = {
        "optimistix LM": lambda y: (
            optimistix.least_squares(
                residuals, solver, x0, args=y, max_steps=256, throw=False
            ).value
        ),
        "jaxopt LM": lambda y: lm.run(x0, y).params,
        "jaxopt GaussNewton": lambda y: gauss_newton.run(x0, y).params,
    }

    ways = {"vmap": jax.vmap, "lax.map": lambda fit: functools.partial(jax.lax.map, fit)}

    def compiled(fit, way):
        many = jax.jit(way(fit))
        return lambda: many(Y).block_until_ready()

    return {
        f"{name}, {how}": compiled(fit, way)
        for name, fit in fits.items()
        for how, way in ways.items()
    }
