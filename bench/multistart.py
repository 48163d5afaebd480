"""The global minimum among many: how often it is found, and with how many evaluations.

Rastrigin's, Ackley's, Griewank's and Levy's functions have 2, 5 and 10 variables, and their minimum
at a random place in the middle half of the bounds. There are ten places, each with its own seed.
"rotated" means that the axes are rotated, because some solvers move along them. Schwefel's and
Michalewicz's functions are sums of functions of one variable, and have no common slope.

A value counts as one evaluation, and so does a gradient. Found: a value within 0.001 of the
minimum, which is less than the difference to the next minimum, before the budget of 2,000
evaluations per variable is spent. Mean: the evaluations of all ten runs, divided by the number of
successes.

`multistart` uses its defaults except for `n_starts`. optimagic's multistart (scipy_lbfgsb, with its
defaults except for the stop after two discoveries) and differential_evolution start again when they
end. The others have no limits of their own. basinhopping takes steps of 5 % of the widths. SHGO
samples with simplices and gets 1 s per run, because its own work grows without limit. With 10
variables, it needs longer than that before its first value, so it is left out.
"""

import time
import warnings

import numpy as np
import optimagic
from scipy.optimize import basinhopping, differential_evolution, dual_annealing, shgo

from bench._landscapes import landscape
from bench._recorder import work
from bench._report import Table
from scipy_gd import multistart

NAMES = ["Rastrigin", "Ackley", "Griewank", "Levy"]
OTHERS = ["rotated Rastrigin", "Schwefel", "Michalewicz"]
ROWS = [(name, n) for name in NAMES for n in (2, 5, 10)] + [(name, 5) for name in OTHERS]
SEEDS = range(10)
BUDGET = 2000
NEAR = 1e-3
SECONDS = {"SHGO": 1.0}
ENDLESS = 10**6


class _Over(BaseException):
    """The minimum is found, or the budget spent; solvers do not swallow it."""


class Watched:
    """A landscape whose evaluations are counted, until it is over."""

    def __init__(self, problem, with_gradient, seconds):
        self.problem, self.box = problem, problem.bounds
        self.calls, self.found, self.end = 0, False, time.process_time() + seconds
        self.gradient = self.jac if with_gradient else None

    def _count(self):
        if self.calls >= BUDGET * self.problem.n or time.process_time() > self.end:
            raise _Over
        self.calls += 1

    def fun(self, x):
        self._count()
        f = self.problem.fun(np.ascontiguousarray(x, float), *self.problem.args)
        if f < self.problem.f_min + NEAR:
            self.found = True
            raise _Over
        return f

    def jac(self, x):
        self._count()
        return self.problem.jac(np.ascontiguousarray(x, float), *self.problem.args)

    def local(self):
        """What SciPy's solvers minimise locally with."""
        jac = {"jac": self.jac} if self.gradient else {}
        return {"method": "L-BFGS-B", "bounds": self.box} | jac


def ours(watched, rng):
    while True:  # it ends where it expects no more minima
        multistart(watched.fun, watched.box, jac=watched.gradient, n_starts=ENDLESS, rng=rng)


def theirs(watched, rng):
    low, high = watched.box.T
    bounds = optimagic.Bounds(lower=low, upper=high)
    while True:
        optimagic.minimize(
            watched.fun,
            params=rng.uniform(low, high),
            algorithm="scipy_lbfgsb",
            jac=watched.gradient,
            bounds=bounds,
            multistart=optimagic.MultistartOptions(seed=rng, convergence_max_discoveries=ENDLESS),
        )


def homology(watched, rng):
    options = {"jac": watched.jac} if watched.gradient else {}
    shgo(
        watched.fun,
        watched.box,
        iters=ENDLESS,
        minimizer_kwargs={"method": "L-BFGS-B"},
        options=options,
    )


def annealing(watched, rng):
    dual_annealing(
        watched.fun,
        watched.box,
        maxiter=ENDLESS,
        maxfun=ENDLESS,
        rng=rng,
        minimizer_kwargs=watched.local(),
    )


def evolution(watched, rng):
    while True:  # it ends where its population has contracted
        differential_evolution(watched.fun, watched.box, maxiter=ENDLESS, rng=rng)


def hopping(watched, rng):
    low, high = watched.box.T
    basinhopping(
        watched.fun,
        rng.uniform(low, high),
        niter=ENDLESS,
        stepsize=0.05 * (high - low)[0],
        minimizer_kwargs=watched.local(),
        rng=rng,
    )


SOLVERS = {
    "multistart": ours,
    "optimagic": theirs,
    "SHGO": homology,
    "dual_annealing": annealing,
    "differential_evolution": evolution,
    "basinhopping": hopping,
}


def run(cell):
    """Whether the minimum was found, and the evaluations."""
    solver, name, n, with_gradient, seed = cell
    if solver == "SHGO" and n > 5:
        return False, 0
    seconds = SECONDS.get(solver, np.inf)
    watched = Watched(landscape(name, n, seed), with_gradient, seconds)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            SOLVERS[solver](watched, np.random.default_rng(seed))
    except _Over:
        pass
    return watched.found, watched.calls


def shown(successes, mean):
    if np.isnan(mean):
        return "-"
    share = f"{int(successes)}/{len(SEEDS)}"
    return f"{share}, {mean:,.0f}" if successes else share


def table(with_gradient):
    solvers = [name for name in SOLVERS if not (with_gradient and name == "differential_evolution")]
    cells = [(s, *row, with_gradient, seed) for row in ROWS for s in solvers for seed in SEEDS]
    found = np.reshape(work(run, cells), (len(ROWS), len(solvers), len(SEEDS), 2))
    successes, calls = found.sum(axis=2)[..., 0], found.sum(axis=2)[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = calls / successes
    best = [np.nanmin(row[1:]) / row[0] if np.isfinite(row[0]) else np.nan for row in mean]
    title = "With the gradient" if with_gradient else "Values only"
    figures = zip(ROWS, successes, mean, best, strict=True)
    return Table(
        f"{title}: found, mean evaluations for each success",
        ["function", "n", *solvers, "best peer / ours"],
        [[*row, *map(shown, ks, ms), b] for row, ks, ms, b in figures],
    )


def measure():
    return [table(True), table(False)]
