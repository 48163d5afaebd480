"""What is compiled for a run, and what notices an edit of the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import scipy_gd

PROGRAM = """
from scipy.optimize import minimize, rosen, rosen_der
from scipy_gd import {method}
res = minimize(rosen, [-1.2, 1], jac=rosen_der, method={method}, options={options})
print(res.status, res.message.split(" ")[0])
"""


def run(folder, method, **options):
    environment = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    program = PROGRAM.format(method=method, options=options)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_run_compiles_what_it_uses_and_an_edit_is_noticed(tmp_path):
    shutil.copytree(
        Path(scipy_gd.__file__).parent,
        tmp_path / "scipy_gd",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    assert run(tmp_path, "adam", learning_rate=0.1, maxiter=3) == ["1", "Maximum"]
    names = {path.name.partition("-")[0] for path in (tmp_path / "cache").rglob("*.nbi")}
    modules = {name.partition(".")[0] for name in names}
    assert modules == {"machine", "adaptive"}  # no step rule, no other formula, nothing twice
    assert len(names) == 2

    endings = tmp_path / "scipy_gd" / "_core" / "endings.py"
    text = endings.read_text()
    swapped = text.replace(
        "MAXITER, MAXFEV, MAXTIME, PRECISION", "PRECISION, MAXFEV, MAXTIME, MAXITER"
    )
    assert swapped != text
    endings.write_text(swapped)
    assert run(tmp_path, "adam", learning_rate=0.1, maxiter=3) == ["1", "Maximum"]
