"""The time to the first result: import, compilation, loading from the cache.

The figures are for whole processes, run in turn, minimum of 7. The time beyond `import
scipy.optimize` is the extra wait compared with SciPy alone. A cold cache is an empty directory. The
second table is within one process. It shows what the compiled loop takes, beyond compiling the
user's functions themselves, for a new function, for arguments of a new type, and for other data of
the same types. The third table counts the files in the cache after one process and after 20
processes that each compile a loop.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numba import njit
from scipy.optimize import minimize

from bench._report import Table
from scipy_gd import gd

FIRST = """
from scipy.optimize import minimize
from scipy_gd import adam
minimize(lambda x: x @ x, [3.0, 4.0], jac=lambda x: 2 * x, method=adam, options={"maxiter": 10})
"""
NUMBA = """
import numpy as np
from numba import njit
from scipy.optimize import minimize
fun = njit(lambda x: x[0] ** 2 + 2 * x[1] ** 2)
jac = njit(lambda x: np.array([2 * x[0], 4 * x[1]]))
x = np.ones(2)
fun(x), jac(x)
"""
COMPILED = f"""{NUMBA}
from scipy_gd import adam
minimize(fun, [3.0, 4.0], jac=jac, method=adam, options={{"maxiter": 10, "compiled": True}})
"""
PROGRAMS = {
    "import scipy.optimize": "import scipy.optimize",
    "import scipy_gd": "import scipy_gd",
    "import scipy.optimize, scipy_gd": "import scipy.optimize, scipy_gd",
    "import scipy.optimize, numba": "import scipy.optimize, numba",
    "first adam result, warm cache": FIRST,
    "two Numba functions, called": NUMBA,
    "first compiled adam result of them, warm cache": COMPILED,
}


def seconds(program, cache):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return time.perf_counter() - start


def measure():
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        cold = seconds(FIRST, cache)
        cold_loop = seconds(COMPILED, cache)
        once = files(cache)
        times = {name: [] for name in PROGRAMS}
        for _ in range(7):
            for name, program in PROGRAMS.items():
                times[name].append(seconds(program, cache))
        for _ in range(13):
            seconds(COMPILED, cache)
        growth = [["after the first processes", *once], ["after 20 more", *files(cache)]]
    least = {name: min(ts) for name, ts in times.items()}
    least["first adam result, cold cache"] = cold
    least["first compiled result, cold cache for its loop"] = cold_loop
    base = least["import scipy.optimize"]
    rows = [[name, t, t - base, t / base] for name, t in least.items()]
    return [
        Table("Seconds of a whole process", ["program", "seconds", "beyond", "ratio"], rows),
        within(),
        Table("The cache on disk", ["", "files", "kilobytes"], growth),
    ]


def files(cache):
    found = [path for path in cache.rglob("*") if path.is_file()]
    return len(found), sum(path.stat().st_size for path in found) // 1024


def within():
    """Seconds until 10 compiled iterations are done, on new functions and new data."""

    def made():
        fun = njit(lambda x, a, b: b * np.sum((x - a) ** 2))
        jac = njit(lambda x, a, b: 2 * b * (x - a))
        return fun, jac

    def timed(fun, jac, *args):
        options = {"compiled": True, "learning_rate": 0.1, "maxiter": 10}
        start = time.perf_counter()
        minimize(fun, np.ones(3), args, jac=jac, method=gd, options=options)
        return time.perf_counter() - start

    kinds = {"new function": [], "new type of arguments": [], "other data": []}
    for k in range(6):
        fun, jac = made()
        for args in ((np.zeros(3), 1.0), (np.zeros(3, np.float32), 1.0)):
            fun(np.ones(3), *args), jac(np.ones(3), *args)
        spent = [
            timed(fun, jac, np.zeros(3), 1.0),
            timed(fun, jac, np.zeros(3, np.float32), 1.0),
            timed(fun, jac, np.ones(3), 2.0),
        ]
        if k:  # the first one compiles what is compiled once
            for name, t in zip(kinds, spent, strict=True):
                kinds[name].append(t)
    rows = [[name, min(ts), np.median(ts)] for name, ts in kinds.items()]
    return Table("Seconds of a first call in a process", ["call", "least", "median"], rows)
