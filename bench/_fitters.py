"""A common interface to least-squares solvers, ours and others, and the tasks for them."""

import functools
import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, curve_fit, least_squares, minimize

from bench._nist import Fit
from bench._recorder import Ended
from scipy_gd import METHODS

LOSSES = {
    "linear": lambda z: z,
    "soft_l1": lambda z: 2 * ((1 + z) ** 0.5 - 1),
    "huber": lambda z: np.where(z <= 1, z, 2 * np.maximum(z, 1) ** 0.5 - 1),
    "cauchy": np.log1p,
    "arctan": np.arctan,
}
RELATIVE = {"2-point": 2.0**-26, "3-point": 2.0 ** (-52 / 3)}  # not with |x| < 1, as by default
TOLERANCES = ("ftol", "xtol", "gtol")
TIGHT = 1e-15
PLENTY = 10**6


class Task(NamedTuple):
    fit: Fit
    start: Any
    jac: str = "given"  # or a scheme of differences
    tight: bool = True  # or with the solver's own tolerances
    bounds: tuple[Any, Any] = (-np.inf, np.inf)
    loss: str = "linear"
    scale: float = 1.0

    @property
    def bounded(self):
        return bool(np.isfinite(self.bounds).any())

    def cost(self, b):
        r = self.fit.residuals(b, *self.fit.data)
        return 0.5 * self.scale**2 * np.sum(LOSSES[self.loss]((r / self.scale) ** 2))


class Functions(NamedTuple):
    """What a solver is given: Python's functions, or compiled ones, for it to be timed."""

    residuals: Callable[..., Any]
    jacobian: Callable[..., Any]
    args: tuple[Any, ...]


class Watch:
    """The functions of a task, counted, and the best cost after so many evaluations.

    An evaluation of the residuals is 1, a Jacobian n: 1 for each direction.
    """

    args = ()

    def __init__(self, task):
        self.task, self.count, self.budget = task, 0, 3000 * (task.start.size + 1)
        self.path, self.x = [(0, math.inf)], task.start

    def residuals(self, b):
        self.charge(1)
        b = np.array(b, float)
        low, high = self.task.bounds
        if (low <= b).all() and (b <= high).all():
            cost = self.task.cost(b)
            if cost < self.path[-1][1]:
                self.path.append((self.count, cost))
                self.x = b
        return self.task.fit.residuals(b, *self.task.fit.data)

    def jacobian(self, b):
        return self.products(b, np.eye(len(b))).T

    def products(self, b, directions):
        """Of the Jacobian with the rows of a matrix, or with one vector."""
        self.charge(len(np.atleast_2d(directions)))
        return (
            directions @ self.task.fit.jacobian(np.array(b, float).ravel(), *self.task.fit.data).T
        )

    def charge(self, evaluations):
        if self.count >= self.budget:
            raise Ended
        self.count += evaluations


class Row(NamedTuple):
    x: Any
    claimed: bool
    count: int  # to the end
    path: list[tuple[int, float]]
    deviations: Any
    error: str  # what the solver raised

    def until(self, cost):
        """Evaluations until a cost is reached; inf if it is not."""
        return next((count for count, reached in self.path if reached <= cost), math.inf)


def run(name, task):
    """One solver on one task. Where it ends early, x is the best point that it has seen."""
    watch = Watch(task)
    x, claimed, deviations, error = None, False, None, ""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            x, claimed, errors = SOLVERS[name].fit(task, watch)
            count = watch.count
            deviations = errors()
        except Exception as raised:  # some fall over NaN
            count, error = watch.count, repr(raised)
    x = watch.x if x is None else np.array(x, float)
    return Row(x, bool(claimed), count, watch.path, deviations, error)


# --- solvers: each returns x, whether it claims success, and a function for the deviations


def scipys(method, task, given):
    options = {"loss": task.loss, "f_scale": task.scale, "args": given.args}
    if task.tight:
        options |= dict.fromkeys(TOLERANCES, TIGHT) | {"x_scale": "jac", "max_nfev": PLENTY}
        options["diff_step"] = RELATIVE.get(task.jac)
    jac = given.jacobian if task.jac == "given" else task.jac
    found = least_squares(given.residuals, task.start, jac, task.bounds, method, **options)
    return found.x, found.success, lambda: None


def scipys_curve_fit(task, given):
    """MINPACK's lm, but for `jac="3-point"`, which trf takes."""
    trf = task.jac == "3-point"
    options: dict[str, Any] = {}
    if task.tight:
        options |= dict.fromkeys(TOLERANCES, TIGHT)
        options |= {"x_scale": "jac", "max_nfev": PLENTY} if trf else {"maxfev": PLENTY}
        options |= {"diff_step": RELATIVE.get(task.jac)} if trf else {}
    if task.jac == "given":
        options["jac"] = lambda x, *b: given.jacobian(np.array(b), *given.args)
    elif trf:
        options["jac"] = task.jac
    x, covariance = curve_fit(
        lambda x, *b: given.residuals(np.array(b), *given.args),
        task.fit.y, np.zeros(task.fit.y.size), task.start,
        method="trf" if trf else "lm", **options,
    )  # fmt: skip
    return x, True, lambda: np.sqrt(np.diag(covariance))


def lmfits(task, given):
    """MINPACK's lm, with bounds by transformed parameters."""
    import lmfit

    parameters = lmfit.Parameters()
    for k, (value, low, high) in enumerate(np.broadcast(task.start, *task.bounds)):
        parameters.add(f"b{k}", value, min=low, max=high)

    def vector(parameters):
        return np.array([parameter.value for parameter in parameters.values()])

    options: dict[str, Any] = {}
    if task.tight:
        options |= dict.fromkeys(TOLERANCES, TIGHT) | {"max_nfev": PLENTY}
    if task.jac == "given":
        options["Dfun"] = lambda parameters: given.jacobian(vector(parameters), *given.args)
    found = lmfit.minimize(
        lambda parameters: given.residuals(vector(parameters), *given.args), parameters,
        nan_policy="propagate", **options,
    )  # fmt: skip
    deviations = [parameter.stderr for parameter in found.params.values()]
    return vector(found.params), found.success, lambda: np.array(deviations, float)


def minuits(task, given):
    """MIGRAD, and HESSE for the deviations. It is told the standard deviation of the data."""
    from iminuit import Minuit, cost

    fit, loss = task.fit, task.loss
    squares = cost.LeastSquares(
        fit.y, np.zeros(fit.y.size), fit.deviation if loss == "linear" else task.scale,
        lambda x, *b: given.residuals(np.array(b), *given.args),
        loss=loss if loss in ("linear", "soft_l1") else LOSSES[loss],
        grad=(lambda x, *b: given.jacobian(np.array(b), *given.args).T)
        if task.jac == "given" else None,
        name=[f"b{k}" for k in range(task.start.size)],
    )  # fmt: skip
    minuit = Minuit(squares, *task.start)
    if task.bounded:
        minuit.limits = list(np.broadcast(*task.bounds))
    if task.tight:
        minuit.tol = 1e-9
    minuit.migrad(ncall=PLENTY if task.tight else None)

    def errors():
        minuit.hesse()
        return np.array(minuit.errors)

    return np.array(minuit.values), minuit.valid, errors


def optimistixs(task, given):
    import optimistix

    given.budget = math.inf  # nothing can be raised through it
    solve, calling = watched_optimistix(task.fit.y.size, task.tight)
    calling[:] = [given]
    found = solve(task.start)
    return found.value, found.result == optimistix.RESULTS.successful, lambda: None


@functools.cache
def watched_optimistix(m, tight):
    """A solver of m residuals that calls back, and where it finds what to call."""
    import jax

    jax.config.update("jax_enable_x64", True)
    calling: list[Watch] = []
    back = functools.partial(jax.pure_callback, vmap_method="expand_dims")
    shape = jax.ShapeDtypeStruct((m,), float)

    @jax.custom_jvp
    def residuals(b):
        return back(lambda b: calling[-1].residuals(b), shape, b)

    @residuals.defjvp
    def derivative(primals, tangents):
        products = back(lambda b, d: calling[-1].products(b, d), shape, primals[0], tangents[0])
        return residuals(*primals), products

    return compiled_optimistix(residuals, tight), calling


def compiled_optimistix(residuals, tight):
    import equinox
    import optimistix

    tolerance, steps = (1e-13, 5000) if tight else (1e-8, 256)
    solver = optimistix.LevenbergMarquardt(tolerance, tolerance)

    @equinox.filter_jit
    def solve(b):
        return optimistix.least_squares(
            lambda b, _: residuals(b), solver, b, max_steps=steps, throw=False
        )

    return solve


def ours(name, options, task, given):
    options = options | {"loss": task.loss, "f_scale": task.scale}
    jac = given.jacobian
    if task.jac != "given":
        options, jac = options | {"finite_diff_scheme": task.jac}, None
    if task.tight:
        options |= dict.fromkeys(TOLERANCES, TIGHT) | {"maxiter": math.inf}
    found = minimize(
        given.residuals, task.start, given.args, METHODS[name], jac,
        bounds=Bounds(*task.bounds) if task.bounded else None, options=options,
    )  # fmt: skip
    return found.x, found.success, lambda: found.stderr


class Solver(NamedTuple):
    fit: Callable[[Task, Any], tuple[Any, bool, Callable[[], Any]]]
    jacs: tuple[str, ...] = ("given", "3-point", "2-point")
    bounds: bool = True
    losses: bool = True
    deviations: bool = False
    package: str = "scipy"
    forks: bool = True

    def suits(self, task):
        return (
            task.jac in self.jacs
            and (self.losses or task.loss == "linear")
            and (self.bounds or not task.bounded)
        )


part = functools.partial
OURS = {
    "levenberg_marquardt": Solver(part(ours, "levenberg_marquardt", {}), deviations=True),
    "accelerate": Solver(part(ours, "levenberg_marquardt", {"accelerate": True})),
    "lbfgs": Solver(part(ours, "lbfgs", {"residuals": True})),
}
THEIRS = {
    "lm": Solver(part(scipys, "lm"), bounds=False, losses=False),
    "trf": Solver(part(scipys, "trf")),
    "dogbox": Solver(part(scipys, "dogbox")),
    "curve_fit": Solver(scipys_curve_fit, bounds=False, losses=False, deviations=True),
    "lmfit": Solver(lmfits, ("given", "2-point"), losses=False, deviations=True, package="lmfit"),
    "iminuit": Solver(minuits, ("given", "3-point"), deviations=True, package="iminuit"),
    "optimistix": Solver(
        optimistixs, ("given",), bounds=False, losses=False, package="optimistix", forks=False
    ),
}
SOLVERS = {name: solver for name, solver in OURS.items() if "levenberg_marquardt" in METHODS} | {
    name: solver for name, solver in THEIRS.items() if importlib.util.find_spec(solver.package)
}
