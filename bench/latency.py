"""What the first result costs: import, compilation, loading from the cache.

Whole processes, in turn, least of 7; the figures beyond `import scipy.optimize` are what a user
waits longer than with SciPy alone. A cold cache is an empty directory.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench._report import Table

FIRST = """
from scipy.optimize import minimize
from scipy_gd import adam
minimize(lambda x: x @ x, [3.0, 4.0], jac=lambda x: 2 * x, method=adam, options={"maxiter": 10})
"""
PROGRAMS = {
    "import scipy.optimize": "import scipy.optimize",
    "import scipy_gd": "import scipy_gd",
    "import scipy.optimize, scipy_gd": "import scipy.optimize, scipy_gd",
    "import scipy.optimize, numba": "import scipy.optimize, numba",
    "first adam result, warm cache": FIRST,
}


def seconds(program, cache):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return time.perf_counter() - start


def run():
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        cold = seconds(FIRST, cache)
        times = {name: [] for name in PROGRAMS}
        for _ in range(7):
            for name, program in PROGRAMS.items():
                times[name].append(seconds(program, cache))
    least = {name: min(ts) for name, ts in times.items()} | {"first adam result, cold cache": cold}
    base = least["import scipy.optimize"]
    rows = [[name, t, t - base, t / base] for name, t in least.items()]
    return [Table("Seconds of a whole process", ["program", "seconds", "beyond", "ratio"], rows)]
