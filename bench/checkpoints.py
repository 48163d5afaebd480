"""Checkpoints: runs that are killed at random moments and resumed, and the cost of writing.

The first table kills each run with SIGKILL at 30 random moments, in a separate process, and resumes
it from the file. It must end with the same bits as the uninterrupted run. Checkpoints are written
as often as the library allows, at 1 % of the time. The second table shows the size of a checkpoint,
the seconds it takes on this machine's disk, and their share of a run with the default interval of
60 s.
"""

import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from numba import njit
from scipy.optimize import NonlinearConstraint, minimize, rosen, rosen_der

from bench._report import Table
from scipy_gd import _checkpoint, adam, lbfgs, sgd, spsa

KILLS = 30
X0 = np.tile([-1.2, 1.0], 4)
DATA = np.random.default_rng(0).normal(size=(640, 4))


def loss(w, rows):
    error = rows @ w - 1.0
    return error @ error / len(rows), 2.0 * rows.T @ error / len(rows)


@njit
def quartic(x):
    return np.sum((x - 1.0) ** 4), 4.0 * (x - 1.0) ** 3


def plain(**options):
    options |= {"maxiter": 60_000, "gtol": 0.0, "learning_rate": 1e-5}
    return minimize(rosen, X0, jac=rosen_der, method=adam, options=options)


def batches(**options):
    options |= {"batch_size": 32, "epochs": 1000, "averaging": 0.99, "rng": 0}
    return minimize(loss, np.zeros(4), (DATA,), sgd, True, options=options)


def validated(**options):
    options |= {"validation": (DATA[:99],), "patience": 1600, "learning_rate": 1e-5}
    return batches(**options)


def estimated(**options):
    options |= {"maxiter": 10_000, "rng": 0}
    return minimize(rosen, X0, method=spsa, options=options)


def compiled(**options):
    options |= {"maxiter": 60_000, "gtol": 0.0, "compiled": True, "learning_rate": 1e-5}
    return minimize(quartic, np.zeros(2000), method=adam, jac=True, options=options)


def constrained(**options):
    ball = NonlinearConstraint(lambda x: x @ x, -np.inf, 4.0, jac=lambda x: 2 * x)
    options |= {"maxiter": 4000, "gtol": 1e-12, "learning_rate": 1e-5}
    return minimize(rosen, X0, jac=rosen_der, method=adam, constraints=ball, options=options)


RUNS = {
    "adam": plain,
    "sgd, mini-batches, averaging": batches,
    "sgd, mini-batches, validation": validated,
    "spsa": estimated,
    "adam, compiled": compiled,
    "adam, a constraint": constrained,
}


def kill(run, path, after):
    """Begin a run in another process, and kill it after so many seconds."""
    if (process := os.fork()) == 0:
        try:
            run(checkpoint=path, checkpoint_every=0.01)
        finally:
            os._exit(0)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def survived(run, kills, rng):
    """How many runs of those that were killed had a file; how many of all had the right end."""
    run()  # compiles
    begun = time.perf_counter()
    whole = run()
    taken = time.perf_counter() - begun
    found = right = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.npz")
        for after in rng.uniform(0.0, taken, kills):
            path.unlink(missing_ok=True)
            kill(run, path, after)
            found += path.exists()
            rest = run(resume=path) if path.exists() else run()
            right += rest.x.tobytes() == whole.x.tobytes() and rest.nit == whole.nit
    return [taken, kills, found, right]


@njit
def ill(x, d):
    return 0.5 * np.sum(d * x * x), d * x


def cost(n):
    """Of one checkpoint of lbfgs."""
    options = {"maxiter": 30}
    res = minimize(ill, np.ones(n), (np.geomspace(1, 1e4, n),), lbfgs, True, options=options)
    with tempfile.TemporaryDirectory() as folder:
        path, times = Path(folder, "run.npz"), []
        for _ in range(5):
            begun = time.perf_counter()
            _checkpoint.write(path, res.state)
            times.append(time.perf_counter() - begun)
        size = path.stat().st_size
    seconds = float(np.median(times))
    return [n, size / 1e6, seconds, 100.0 * seconds / max(60.0, 100.0 * seconds)]


def measure():
    rng = np.random.default_rng(0)
    rows = [[name, *survived(run, KILLS, rng)] for name, run in RUNS.items()]
    head = ["run", "seconds", "killed", "with a file", "ended with the same bits"]
    costs = [cost(n) for n in (10, 10_000, 1_000_000)]
    return [
        Table("Killed and resumed", head, rows),
        Table("A checkpoint of lbfgs", ["n", "MB", "seconds", "% of a run"], costs),
    ]
