"""Data larger than memory: one logistic regression, with its rows in different places.

The data are ten million rows of 20 features in double precision (1.7 GB). lbfgs with `reduce`
minimizes a logistic loss with an L2 penalty, starting at zero. The rows are in a memory map, which
this process reads block by block, or in Dask arrays, which two workers with one thread each keep in
memory; in one run, a worker is killed after five iterations. For comparison, the same run uses
arrays in memory, and dask-glm's lbfgs uses the same penalty with its data on the same workers. Its
`tol` corresponds to the same gradient, but SciPy's L-BFGS-B, which it calls, also stops if f falls
by less than 2e-9 of itself. Creating and loading the data and compilation are not included. The
ratios are based on the fastest iteration (usually one evaluation) of each run and of some short
runs made in turn, so other load on the machine hardly affects them.
"""

import contextlib
import os
import signal
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from bench._learning import PENALTY, logistic
from bench._report import Table
from scipy_gd import lbfgs, newton

ROWS, FEATURES, BLOCK, GTOL = 10_000_000, 20, 100_000, 1e-10
KILLED_AFTER = 5
ROUNDS, SHORT = 3, 4  # in a short run, none is killed
SCALES = np.geomspace(1.0, 0.1, FEATURES)


@numba.njit
def fused(w, X, y):
    """What `logistic` is, one row after the other."""
    rows, features = X.shape
    f, g = 0.0, np.zeros(features)
    for i in range(rows):
        margin = 0.0
        for j in range(features):
            margin += X[i, j] * w[j]
        margin *= y[i]
        small = np.exp(-abs(margin))
        f += max(-margin, 0.0) + np.log1p(small)
        weight = y[i] * (small if margin > 0 else 1.0) / (1.0 + small)
        for j in range(features):
            g[j] -= weight * X[i, j]
    return f / rows + 0.5 * PENALTY * (w @ w), g / rows + PENALTY * w


FUNCTIONS = {"Numba": fused, "NumPy": logistic}


class Run(NamedTuple):
    """A run that is finished: how long it took, and its quickest iteration; calls; its point."""

    seconds: float
    quickest: float
    nfev: int
    x: np.ndarray


class Clock:
    """A callback that takes the time of every iteration, and may do something in the middle."""

    def __init__(self, in_the_middle=None):
        self.times, self.in_the_middle = [time.perf_counter()], in_the_middle

    def __call__(self, x):
        self.times.append(time.perf_counter())
        if len(self.times) == KILLED_AFTER + 1 and self.in_the_middle:
            self.in_the_middle()

    def run(self, nfev, x):
        seconds = time.perf_counter() - self.times[0]
        return Run(seconds, min(np.diff(self.times)), nfev, x)


def rows_of(first, count):
    """Features of different size, and labels 1 and -1 drawn from a model that is true."""
    rng = np.random.default_rng(first)
    X = rng.normal(size=(count, FEATURES)) * SCALES
    up = rng.uniform(size=count) < expit(X @ np.linspace(-2.0, 2.0, FEATURES))
    return X, np.where(up, 1.0, -1.0)


def mapped(folder, rows, mode="r"):
    """The two memory maps."""
    shapes = {"X": (rows, FEATURES), "y": (rows,)}
    return [np.memmap(folder / name, float, mode, shape=shape) for name, shape in shapes.items()]


def make(folder, rows):
    X, y = mapped(folder, rows, "w+")
    for first in range(0, rows, BLOCK):
        some = slice(first, first + BLOCK)
        X[some], y[some] = rows_of(first, len(y[some]))


def loaded(folder, rows, which, first, count):
    return np.array(mapped(folder, rows)[which][first : first + count])


def chunked(folder, rows):
    """The same in Dask arrays, which the workers load themselves."""
    import dask
    import dask.array as da

    def array(which, *more):
        parts = []
        for first in range(0, rows, BLOCK):
            count = min(BLOCK, rows - first)
            part = dask.delayed(loaded)(folder, rows, which, first, count)
            parts.append(da.from_delayed(part, (count, *more), float))
        return da.concatenate(parts)

    return array(0, FEATURES), array(1)


@contextlib.contextmanager
def cluster():
    """Two workers with a thread each, in processes of their own."""
    from distributed import Client, LocalCluster

    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**how, silence_logs=50) as local, Client(local) as client:
        yield client


def ours(fun, args, in_the_middle=None, **options):
    """A run of our lbfgs."""
    clock, x0 = Clock(in_the_middle), np.zeros(FEATURES)
    options = {"gtol": GTOL, "compiled": False} | options
    res = minimize(fun, x0, args, lbfgs, jac=True, callback=clock, options=options)
    return clock.run(res.nfev, res.x)


def dask_glms(X, y, maxiter=1000):
    """A run of dask-glm's, with labels 0 and 1."""
    from dask_glm import algorithms

    clock, calls, scipys = Clock(), [], algorithms.fmin_l_bfgs_b

    def watched(*args, **kwargs):
        found = scipys(*args, **kwargs, callback=clock)
        calls.append(found[2]["funcalls"])
        return found

    algorithms.fmin_l_bfgs_b = watched
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of settings that have new names
            rows = X.shape[0]
            how = {"regularizer": "l2", "lamduh": rows * PENALTY, "tol": rows * GTOL}
            x = algorithms.lbfgs(X, y, **how, max_iter=maxiter, normalize=False)
    finally:
        algorithms.fmin_l_bfgs_b = scipys
    return clock.run(calls[0], x)


def killer(client):
    """Something that kills a worker."""
    pid = next(iter(client.run(os.getpid).values()))
    return lambda: os.kill(pid, signal.SIGKILL)


def in_this_process(folder, rows):
    """The runs without Dask, as functions of the number of iterations."""
    maps = mapped(folder, rows)
    arrays = [np.array(each) for each in maps]
    for X, y in (maps, arrays):  # compiled for each: one is read-only
        fused(np.zeros(FEATURES), np.asarray(X[:BLOCK]), np.asarray(y[:BLOCK]))

    def run(fun, args, **how):
        return lambda maxiter=None: ours(fun, tuple(args), maxiter=maxiter, **how)

    runs = {}
    for kind, fun in FUNCTIONS.items():
        runs[f"memory map, in blocks, {kind}"] = run(fun, maps, reduce="mean")
        runs[f"arrays in memory, {kind}"] = run(fun, arrays)
    return runs


def on_workers(client, folder, rows):
    """The same with Dask."""
    from distributed import wait

    X, y = client.persist(chunked(folder, rows))
    zero_or_one = client.persist((y + 1.0) / 2.0)
    wait([X, y, zero_or_one])

    def run(fun):
        ours(fun, (X, y), reduce="mean", maxiter=1)  # compiled there
        return lambda maxiter=None: ours(fun, (X, y), reduce="mean", maxiter=maxiter)

    runs = {f"two Dask workers, {kind}": run(fun) for kind, fun in FUNCTIONS.items()}
    dask_glms(X[:BLOCK], zero_or_one[:BLOCK])
    runs["dask-glm lbfgs, the same workers"] = lambda maxiter=1000: dask_glms(
        X, zero_or_one, maxiter
    )
    runs["two Dask workers, Numba, one killed in the middle"] = lambda maxiter=None: ours(
        fused, (X, y), killer(client), reduce="mean", maxiter=maxiter
    )
    return runs


def finished(contestants):
    """A run of each, with the quickest iteration that it and short ones have."""
    quickest = dict.fromkeys(contestants, np.inf)
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            quickest[name] = min(quickest[name], run(SHORT).quickest)
    runs = {}
    for name, run in contestants.items():
        whole = run()
        runs[name] = whole._replace(quickest=min(whole.quickest, quickest[name]))
    return runs


def minimum(args, near):
    """The point with the least loss that Newton's steps from `near` reach, and a value anywhere."""

    def at(x, method=newton, **options):
        options = {"reduce": "mean", **options}
        return minimize(fused, x, args, method, jac=True, options=options)

    return at(near, gtol=1e-14, maxiter=5), lambda x: at(x, lbfgs, maxiter=0).fun


def measure(rows=ROWS):
    """One table, of a regression with so many rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows)
        with cluster() as client:
            runs = finished(in_this_process(folder, rows) | on_workers(client, folder, rows))
        least, value = minimum((*mapped(folder, rows),), runs["arrays in memory, Numba"].x)
        gaps = {name: value(run.x) - least.fun for name, run in runs.items()}
    map_, glm = runs["memory map, in blocks, Numba"], runs["dask-glm lbfgs, the same workers"]
    shown = [
        [
            name,
            run.seconds,
            run.nfev,
            1e3 * run.quickest,
            map_.quickest / run.quickest,
            glm.quickest / run.quickest,
            glm.seconds / run.seconds,
            f"{gaps[name]:.0e}",
            f"{abs(run.x - least.x).max():.0e}",
        ]
        for name, run in runs.items()
    ]
    columns = ["run", "s", "evaluations", "ms, quickest iteration", "memory map, Numba : this"]
    columns += ["dask-glm : this", "dask-glm : this, whole run", "f - minimum", "x - minimum"]
    title = f"Logistic regression, {rows:,} x {FEATURES}"
    return [Table(title, columns, shown)]
