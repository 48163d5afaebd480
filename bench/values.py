"""Calls of f where only values are known: exact, rounded, noisy, undefined, scaled, or with kinks.

PLACEHOLDER
"""

import functools
import math

from bench import _peers
from bench._judge import judged
from bench._recorder import ENDLESS, Solver, work
from bench._values import KINDS, SCALED
from scipy_gd import METHODS

OURS = (
    "lbfgs", "cg_descent", "spg", "newton", "gd", "adam", "nesterov_restart", "spsa",
    "random_search",
)  # fmt: skip
LIFTED = {
    "BFGS": {"maxiter": ENDLESS},
    "L-BFGS-B": {"maxiter": ENDLESS, "maxfun": ENDLESS},
    "CG": {"maxiter": ENDLESS},
    "TNC": {"maxfun": ENDLESS},
    "Nelder-Mead": {"maxiter": ENDLESS, "maxfev": ENDLESS, "adaptive": True},
    "Powell": {"maxiter": ENDLESS, "maxfev": ENDLESS},
    "COBYQA": {"maxiter": 10**6, "maxfev": 10**6},
    "COBYLA": {"maxiter": 10**6},
}


def solver_of(name, kind):
    """A solver by its name, with the options that suit the kind."""
    if name in METHODS:
        method = METHODS[name]
        options = {"maxiter": math.inf}
        if "z" in method.supplied or method.probes:
            options["rng"] = 0
        if kind in SCALED and "x_scale" in method.options:
            options["x_scale"] = "auto"
        return Solver(name, method, options)
    if name in LIFTED:
        return Solver(name, name, LIFTED[name])
    return Solver(name, _peers.PEERS[name], {"noise": KINDS[kind].noise})


def budget(case):
    return min(1000 * (case.x0.size + 1), 20_000)


def run(kind, solver, seed=0, half="all", workers=2):
    """One solver on one kind: a `Row` for each problem (see bench/_judge.py).

    `half="even"` are the problems to tune on. Printed, a row shows the calls until each share of
    the possible decrease was left.
    """
    cases = KINDS[kind].cases()[HALVES[half]]
    solver = solver_of(solver, kind)
    warm(solver, KINDS[kind])
    return work(lambda case: one(kind, solver, case, seed), cases, workers)


def one(kind, solver, case, seed=0):
    return judged(solver, KINDS[kind], case, seed, budget(case))


@functools.cache
def _warmed(name, with_jac):
    return True


def warm(solver, kind):
    """Compiled before the workers are forked."""
    case = kind.cases()[0]
    judged(solver, kind, case, 0, 50)


HALVES = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
