"""Solvers for the problems with penalties, each with a ladder of settings from loose to tight."""

import functools
import importlib.util
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize, nnls

from bench import _penalty_problems as problems
from bench._penalty_problems import L1, GroupL1, Nonnegative, Simplex, TotalVariation
from scipy_gd import METHODS, prox

OURS = ("spg", "nesterov_restart", "adgd")
RIVALS = ("jaxopt", "PyProximal")
LENT = ", lent an exact prox"
MANY = 100_000  # iterations
RELATIVE = 10.0 ** -np.arange(1, 17)
ONCE = (None,)


class Contestant(NamedTuple):
    """`run` returns, for a setting, the point and whether it claims to be a minimum, or None."""

    ladder: Sequence[Any]
    run: Callable[[Any], tuple[np.ndarray, bool | None]]
    of_gradients: bool = False  # the ladder is one of absolute tolerances


def contestants(problem):
    """All that solve it, by name."""
    found = ours(problem)
    for package, peers in PEERS.items():
        if importlib.util.find_spec(package):
            found |= peers(problem)
    return found


def absolute(problem, run):
    """With tolerances in half decades, from the residual at the start on."""
    return Contestant(problem.residual(problem.x0) * 10.0 ** -np.arange(1, 13, 0.5), run, True)


def quiet(run):
    """Without warnings that the tolerance was not reached: what is returned says so."""

    @functools.wraps(run)
    def wrapped(setting):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run(setting)

    return wrapped


# --- ours


PENALTIES = {
    L1: prox.l1,
    GroupL1: prox.group_l1,
    Nonnegative: prox.nonnegative,
    Simplex: lambda: prox.simplex(1.0),
    TotalVariation: prox.total_variation,
}


def ours(problem):
    penalty = PENALTIES[type(problem.penalty)](*problem.penalty)

    def run(name, gtol):
        options = {"penalty": penalty, "gtol": gtol, "maxiter": MANY, "compiled": True}
        given = (problem.A, problem.b), METHODS[name], True
        res = minimize(problem.loss.both, problem.x0, *given, options=options)
        return res.x, res.success

    return {name: absolute(problem, functools.partial(run, name)) for name in OURS}


# --- jaxopt


def jaxopts(problem):
    """With its line search, and with steps of 1 / L."""
    import jax
    from jaxopt import ProximalGradient

    jax.config.update("jax_enable_x64", True)
    if type(problem.penalty) not in JAX_PROXES:
        return {}
    prox, hyper = JAX_PROXES[type(problem.penalty)](*problem.penalty)
    x0, fun = jax.numpy.array(problem.x0), by_jax(problem)

    def contestant(stepsize):
        @jax.jit
        def solve(x, tol):
            how = {"implicit_diff": False, "unroll": False, "maxiter": MANY}
            found = ProximalGradient(fun, prox, stepsize=stepsize, tol=tol, **how).run(x, hyper)
            return found.params, found.state.error

        def run(tol):
            x, error = solve(x0, tol)
            return np.asarray(x), bool(error <= tol)

        return absolute(problem, run)

    steps = {"jaxopt": 0.0, "jaxopt, steps of 1 / L": 1 / problem.lipschitz}
    return {name: contestant(step) for name, step in steps.items()}


def by_jax(problem):
    """The smooth part."""
    import jax.numpy as jnp

    A, b = map(jnp.array, (problem.A, problem.b))

    def half_mean_square(x):
        r = A @ x - b
        return 0.5 * (r @ r) / b.size

    def mean_loss(x):
        return jnp.mean(jnp.logaddexp(0.0, -b * (A @ x)))

    return mean_loss if problem.loss is problems.LOGISTIC else half_mean_square


def jax_lasso(weight):
    from jaxopt.prox import prox_lasso

    return prox_lasso, weight


def jax_group_lasso(weight, size):
    import jax
    from jaxopt.prox import prox_group_lasso

    each = jax.vmap(prox_group_lasso, in_axes=(0, None, None))
    return lambda v, weight, t: each(v.reshape(-1, size), weight, t).ravel(), weight


def jax_nonnegative():
    from jaxopt import projection, prox

    return prox.make_prox_from_projection(projection.projection_non_negative), None


def jax_simplex():
    from jaxopt import projection, prox

    return prox.make_prox_from_projection(projection.projection_simplex), 1.0


JAX_PROXES = {
    L1: jax_lasso,
    GroupL1: jax_group_lasso,
    Nonnegative: jax_nonnegative,
    Simplex: jax_simplex,
}


# --- PyProximal


def pyproximals(problem):
    """With steps of 1 / L, and told how many iterations suffice: its tests cost values of f."""
    import pyproximal
    from pyproximal.optimization import primal

    class Smooth(pyproximal.ProxOperator):
        def __call__(self, x):
            return problem.smooth(x)[0]

        def grad(self, x):
            return problem.smooth(x)[1]

    class Exact(pyproximal.ProxOperator):
        def __call__(self, x):
            return problem.penalty.value(x)

        def prox(self, x, tau):
            return problem.penalty.prox(x, np.max(tau))

    ladder = np.unique(np.geomspace(1, MANY, 80).astype(int))
    smooth, tau = Smooth(None, True), 1 / problem.lipschitz
    accelerated = functools.partial(primal.ProximalGradient, acceleration="fista")
    ways = {"accelerated": accelerated, "Anderson": primal.AndersonProximalGradient}
    proxes = {"": pyproximal_prox(problem)}
    if isinstance(problem.penalty, TotalVariation):
        proxes[LENT] = Exact()

    def contestant(solve, prox):
        return Contestant(
            ladder, lambda niter: (solve(smooth, prox, problem.x0, tau=tau, niter=niter), None)
        )

    return {
        f"PyProximal {way}{lent}": contestant(solve, prox)
        for lent, prox in proxes.items()
        for way, solve in ways.items()
    }


def pyproximal_prox(problem):
    import pyproximal

    class Groups(pyproximal.L21):
        """It has the members of a group in a column."""

        def prox(self, x, tau):
            columns = x.reshape(-1, self.ndim).T.ravel()
            return super().prox(columns, tau).reshape(self.ndim, -1).T.ravel()

    penalty, n = problem.penalty, problem.x0.size
    match penalty:
        case L1():
            return pyproximal.L1(penalty.weight)
        case GroupL1():
            return Groups(penalty.size, penalty.weight)
        case Nonnegative():
            return pyproximal.Box(lower=0)
        case Simplex():
            how = {"engine": "numba", "call": False, "ftol": 1e-15, "xtol": 1e-15}
            return pyproximal.Simplex(n, 1.0, **how)
        case TotalVariation():
            return pyproximal.TV((n,), penalty.weight, niter=100, rtol=0.0)


# --- made for one kind of problem


def scikit_learns(problem):
    from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression

    A, b, penalty = problem.A, problem.b, problem.penalty

    def contestant(model, ladder=RELATIVE):
        @quiet
        def run(tol):
            fitted = model.set_params(tol=tol).fit(A, b)
            return fitted.coef_.ravel(), bool(np.max(fitted.n_iter_) < model.max_iter)

        return Contestant(ladder, run)

    def active_sets(_):
        return LinearRegression(fit_intercept=False, positive=True).fit(A, b).coef_, None

    if isinstance(penalty, Nonnegative):
        return {"scikit-learn": Contestant(ONCE, active_sets)}
    if not isinstance(penalty, L1):
        return {}
    if problem.loss is problems.SQUARES:
        how = {"fit_intercept": False, "max_iter": MANY, "precompute": A.shape[0] > A.shape[1]}
        return {"scikit-learn": contestant(Lasso(penalty.weight, **how))}
    how = {"C": 1 / (b.size * penalty.weight), "l1_ratio": 1, "fit_intercept": False}
    solvers = {
        f"scikit-learn {solver}": LogisticRegression(solver=solver, max_iter=MANY, **how)
        for solver in ("liblinear", "saga")
    }
    return {name: contestant(model) for name, model in solvers.items()}


def skglms(problem):
    """Coordinate descent in working sets with Anderson's acceleration; Newton for logistic."""
    from skglm import datafits, penalties, solvers

    penalty, n = problem.penalty, problem.x0.size
    how = {"max_iter": 1000, "fit_intercept": False}
    solve, datafit = functools.partial(solvers.AndersonCD, **how), datafits.Quadratic()
    match penalty:
        case L1():
            term = penalties.L1(penalty.weight)
        case Nonnegative():
            term = penalties.PositiveConstraint()
        case GroupL1():
            count, order = n // penalty.size, np.arange(n, dtype=np.int32)
            groups = np.arange(0, n + 1, penalty.size, dtype=np.int32), order
            term = penalties.WeightedGroupL2(penalty.weight, np.ones(count), *groups)
            datafit = datafits.QuadraticGroup(*groups)
            solve = functools.partial(solvers.GroupBCD, max_epochs=10_000, **how)
        case _:
            return {}
    if problem.loss is problems.LOGISTIC:
        solve, datafit = functools.partial(solvers.ProxNewton, **how), datafits.Logistic()
    A = np.asfortranarray(problem.A)

    @quiet
    def run(tol):
        x, _, error = solve(tol=tol).solve(A, problem.b, datafit, term)
        return x, bool(error <= tol)

    return {"skglm": absolute(problem, run)}


def scipys(problem):
    if not isinstance(problem.penalty, Nonnegative):
        return {}
    return {"SciPy nnls": Contestant(ONCE, lambda _: (nnls(problem.A, problem.b)[0], None))}


def denoisers(problem):
    """The prox by itself, where there is nothing else to be done."""
    if problem.A.size > 1:
        return {}
    direct = Contestant(ONCE, lambda _: (problem.penalty.prox(problem.b), None))
    return {"Condat's algorithm, one call": direct}


PEERS = {
    "jaxopt": jaxopts,
    "pyproximal": pyproximals,
    "sklearn": scikit_learns,
    "skglm": skglms,
    "scipy": scipys,
    "numba": denoisers,
}
