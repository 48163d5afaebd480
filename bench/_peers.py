"""Solvers for noisy values from other packages, if installed, as `method=` of SciPy."""

import importlib.util

import numpy as np
from scipy.optimize import OptimizeResult

from bench._recorder import Ended

PLENTY = 10**6


def py_bobyqa(fun, x0, noise=False, **unused):
    import pybobyqa

    found = pybobyqa.solve(fun, x0, maxfun=PLENTY, objfun_has_noise=noise, do_logging=False)
    return OptimizeResult(
        x=x0 if found.x is None else found.x,
        success=found.flag == found.EXIT_SUCCESS,
        status=found.flag,
        message=found.msg,
    )


def nomad(fun, x0, noise=False, **unused):
    import PyNomad

    ended = []

    def evaluate(point):
        try:
            value = fun(np.array([point.get_coord(i) for i in range(point.size())]))
        except Ended as end:  # nothing is raised through the C++ code
            ended.append(end)
            return 0
        point.setBBO(str(value).encode())
        return int(np.isfinite(value))

    parameters = [
        f"DIMENSION {x0.size}", "BB_OUTPUT_TYPE OBJ", "DISPLAY_DEGREE 0", "SEED 0",
        "MAX_BB_EVAL 5000",
    ]  # fmt: skip
    found = PyNomad.optimize(evaluate, list(x0), [], [], parameters)
    if ended:
        raise ended[0]
    x = found["x_single_best"]
    return OptimizeResult(
        x=np.array(x) if len(x) else x0,
        success=found["run_flag"] == 1,
        status=found["run_flag"],
        message=found["stop_reason"],
    )


def noisyopt(fun, x0, noise=False, **unused):
    from noisyopt import minimizeCompass

    found = minimizeCompass(fun, x0, errorcontrol=noise, paired=False)
    return OptimizeResult(x=found.x, success=found.success, status=0, message=str(found.message))


PEERS = {
    name: method
    for name, package, method in (
        ("Py-BOBYQA", "pybobyqa", py_bobyqa),
        ("NOMAD", "PyNomad", nomad),
        ("noisyopt", "noisyopt", noisyopt),
    )
    if importlib.util.find_spec(package)
}
