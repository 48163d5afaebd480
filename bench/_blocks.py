"""Data larger than memory: one logistic regression, wherever its rows are.

Ten million rows of 20 features in double precision (1.7 GB), an L2 penalty, lbfgs from zero with
`reduce`: on a memory map, block after block in this process; and in Dask arrays, kept by two
workers with one thread each, also with one of them killed after five iterations. Against them the
same run on arrays in memory, and dask-glm's lbfgs with the same penalty, its data kept by the same
workers; `tol` there is the same gradient, but SciPy's L-BFGS-B, which it calls, also ends where f
falls by less than 2e-9 of itself. Making, loading and compiling comes before.
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
    """A run that is finished: how long it took, its evaluations, its point."""

    seconds: float
    nfev: int
    x: np.ndarray


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


def ours(fun, args, callback=None, **options):
    """A run of our lbfgs."""
    begun = time.perf_counter()
    options = {"gtol": GTOL, "compiled": False} | options
    res = minimize(
        fun, np.zeros(FEATURES), args, lbfgs, jac=True, callback=callback, options=options
    )
    return Run(time.perf_counter() - begun, res.nfev, res.x)


def dask_glms(X, y):
    """A run of dask-glm's, with labels 0 and 1."""
    from dask_glm import algorithms

    counts, scipys = [], algorithms.fmin_l_bfgs_b

    def counting(*args, **kwargs):
        found = scipys(*args, **kwargs)
        counts.append(found[2]["funcalls"])
        return found

    algorithms.fmin_l_bfgs_b = counting
    begun = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of settings that have new names
            rows = X.shape[0]
            how = {"regularizer": "l2", "lamduh": rows * PENALTY, "tol": rows * GTOL}
            x = algorithms.lbfgs(X, y, **how, max_iter=1000, normalize=False)
    finally:
        algorithms.fmin_l_bfgs_b = scipys
    return Run(time.perf_counter() - begun, counts[0], x)


class Killer:
    """A callback that kills a worker, once."""

    def __init__(self, client):
        self.pid = next(iter(client.run(os.getpid).values()))
        self.iterations = 0

    def __call__(self, x):
        self.iterations += 1
        if self.iterations == KILLED_AFTER:
            os.kill(self.pid, signal.SIGKILL)


def in_this_process(folder, rows):
    """The runs without Dask."""
    runs, maps = {}, mapped(folder, rows)
    arrays = [np.array(each) for each in maps]
    for X, y in (maps, arrays):  # compiled for each: one is read-only
        fused(np.zeros(FEATURES), np.asarray(X[:BLOCK]), np.asarray(y[:BLOCK]))
    for kind, fun in FUNCTIONS.items():
        runs[f"memory map, in blocks, {kind}"] = ours(fun, (*maps,), reduce="mean")
    for kind, fun in FUNCTIONS.items():
        runs[f"arrays in memory, {kind}"] = ours(fun, (*arrays,))
    return runs


def on_workers(folder, rows):
    """The runs with Dask."""
    from distributed import wait

    runs = {}
    with cluster() as client:
        X, y = client.persist(chunked(folder, rows))
        wait([X, y])
        for kind, fun in FUNCTIONS.items():
            ours(fun, (X, y), reduce="mean", maxiter=1)
            runs[f"two Dask workers, {kind}"] = ours(fun, (X, y), reduce="mean")
        zero_or_one = client.persist((y + 1.0) / 2.0)
        wait(zero_or_one)
        dask_glms(X[:BLOCK], zero_or_one[:BLOCK])
        runs["dask-glm lbfgs, the same workers"] = dask_glms(X, zero_or_one)
        killer = Killer(client)
        name = "two Dask workers, Numba, one killed in the middle"
        runs[name] = ours(fused, (X, y), killer, reduce="mean")
    return runs


def minimum(args, near):
    """The point with the least loss that Newton's steps from `near` reach, and a value anywhere."""

    def at(x, method=newton, **options):
        options = {"reduce": "mean", **options}
        return minimize(fused, x, args, method, jac=True, options=options)

    return at(near, gtol=1e-14, maxiter=5), lambda x: at(x, lbfgs, maxiter=0).fun


def tables(rows=ROWS):
    """One table, of a regression with so many rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows)
        runs = in_this_process(folder, rows) | on_workers(folder, rows)
        least, value = minimum((*mapped(folder, rows),), runs["arrays in memory, Numba"].x)
        gaps = {name: value(run.x) - least.fun for name, run in runs.items()}
    map_, glm = runs["memory map, in blocks, Numba"], runs["dask-glm lbfgs, the same workers"]
    shown = [
        [
            name,
            run.seconds,
            run.nfev,
            1e3 * run.seconds / run.nfev,
            map_.seconds / run.seconds,
            glm.seconds / run.seconds,
            f"{gaps[name]:.0e}",
            f"{abs(run.x - least.x).max():.0e}",
        ]
        for name, run in runs.items()
    ]
    columns = ["run", "s", "evaluations", "ms each", "memory map, Numba : this"]
    columns += ["dask-glm : this", "f - minimum", "x - minimum"]
    title = f"Logistic regression, {rows:,} x {FEATURES}"
    return [Table(title, columns, shown)]


if __name__ == "__main__":
    import sys

    print(*tables(int(float(sys.argv[1])) if sys.argv[1:] else ROWS), sep="\n\n")
