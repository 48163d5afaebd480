"""What a user's type checker says, with scipy-stubs installed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import scipy_gd
from scipy_gd import METHODS

pytest.importorskip("mypy")
pytest.importorskip("scipy-stubs", reason="the stubs make `minimize` typed")

ROOT = Path(scipy_gd.__file__).parent.parent
HEAD = """
import functools
from typing import Any
import numpy as np
from scipy.optimize import minimize
from typing_extensions import assert_type
"""
GOOD = """
import scipy_gd
from scipy_gd import METHODS, Method, Option, elementwise, vector
from scipy_gd import NAMES

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]

def f(x: Vector) -> float:
    return float(x @ x)

def g(x: Vector) -> Vector:
    return 2 * x

x0 = np.array([3.0, -4.0])
minimize(f, x0, jac=g, method=adam)
minimize(f, [3.0, -4.0], jac=g, method=functools.partial(adam, learning_rate=0.1))
minimize(f, x0, method=lbfgs, bounds=[(-1, 1), (-1, 1)], options={"maxiter": 3})
assert_type(minimize(f, x0, jac=g, method=METHODS["gd"], tol=1e-3).x, Vector)
assert_type(adam(f, x0, jac=g, learning_rate=0.1).x, Vector)

@elementwise(learning_rate=0.5, auto=None)
def sign_descent(g: Any) -> Any:
    return np.sign(g)

assert_type(sign_descent, Method)
assert_type(sign_descent.summary, str)
assert_type(sign_descent.options["learning_rate"], Option)
minimize(f, x0, jac=g, method=sign_descent)
scipy_gd.start(adam, x0).ask().sum()
"""
BAD = """
from scipy_gd import adam, adamm
adam.learning_rate = 3
adam([1.0])
"""


def test_methods_fit_the_type_of_minimize_and_what_is_wrong_is_an_error(tmp_path, request):
    names = [name for name in scipy_gd.__all__ if name not in {"METHODS", "Method", "Option"}]
    good = GOOD.replace("NAMES", ", ".join(names))
    good += "".join(f"assert_type({name}, Method)\n" for name in METHODS)
    (tmp_path / "good.py").write_text(HEAD + good)
    (tmp_path / "bad.py").write_text(HEAD + BAD)
    kept = getattr(request.config, "cache", None)  # pytest may have been told to keep nothing
    cache = kept.mkdir("types") if kept else tmp_path / "types"  # the stubs take a while
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file="),
            *("--follow-imports=silent", f"--cache-dir={cache}"),
            *(str(tmp_path / "good.py"), str(tmp_path / "bad.py")),
        ],
        capture_output=True,
        text=True,
        env={"MYPYPATH": str(ROOT), "PATH": ""},
        check=False,
    )
    assert "good.py" not in done.stdout, done.stdout + done.stderr
    found = re.findall(r"bad.py:(\d+): error: .*\[([\w-]+)\]", done.stdout)
    first = HEAD.count("\n") + 2
    assert found == [
        (str(first), "attr-defined"),
        (str(first + 1), "misc"),
        (str(first + 2), "call-arg"),
        (str(first + 2), "arg-type"),
    ], done.stdout + done.stderr
