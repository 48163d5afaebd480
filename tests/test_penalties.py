"""Runs with a penalty: their steps, their endings, what they are told and what is refused."""

import pickle

import numpy as np
import pytest
from numba import njit
from scipy.optimize import minimize, nnls

from scipy_gd import (
    METHODS,
    adgd,
    gd,
    minimize_many,
    momentum,
    multistart,
    nesterov_restart,
    prox,
    schedules,
    spg,
    start,
)
from scipy_gd._options import PROXIMAL

N = 12
TAKE = [m for m in METHODS.values() if m.proximal]
taking = pytest.mark.parametrize("each", TAKE, ids=lambda m: m.__name__)
fixed = pytest.mark.parametrize("each", [gd, momentum], ids=lambda m: m.__name__)


def length(x):
    return np.linalg.norm(x)


def shorter(v, step):
    return v * max(1 - step / max(np.linalg.norm(v), 1e-300), 0)


PENALTIES = [
    prox.l1(2.0),
    prox.elastic_net(np.linspace(0, 3, N), 0.5),
    prox.group_l1(2.0, 3),
    prox.total_variation(2.0),
    prox.nuclear_norm(2.0, (3, 4)),
    prox.nonnegative(),
    prox.simplex(1.5),
    prox.l1_ball(1.0),
    prox.l2_ball(0.7),
    prox.half_space(np.arange(1.0, N + 1), -1.0),
    prox.groups((slice(1, 6), prox.l1(1.0)), ([7, 9, 11], prox.simplex())),
    prox.custom(length, shorter),
]


class Lasso:
    """Least squares with random data."""

    def __init__(self, seed=0, m=30, n=N):
        rng = np.random.default_rng(seed)
        self.A, self.x0 = rng.normal(size=(m, n)), rng.normal(size=n)
        self.b = self.A @ (rng.normal(size=n) * (rng.random(n) < 0.4)) + 0.1 * rng.normal(size=m)
        self.L = np.linalg.norm(self.A, 2) ** 2

    def f(self, x):
        r = self.A @ x - self.b
        return 0.5 * float(r @ r)

    def g(self, x):
        return self.A.T @ (self.A @ x - self.b)

    def solve(self, method, penalty, *, jac="jac", bounds=None, **options):
        jac = self.g if jac == "jac" else jac
        options = {"penalty": penalty} | options
        return minimize(self.f, self.x0, jac=jac, method=method, bounds=bounds, options=options)


def residual(res, penalty, low=-np.inf, high=np.inf):
    y = np.clip(penalty.prox(res.x - res.jac, 1.0), low, high)
    return np.abs(res.x - y).max()


# --- what a run comes to


@taking
@pytest.mark.parametrize(
    ("penalty", "gradient"),
    [(each, "jac") for each in PENALTIES]
    + [(each, jac) for each in PENALTIES[::4] for jac in (None, "2-point")],
    ids=repr,
)
def test_success_is_a_small_residual(each, penalty, gradient):
    problem = Lasso()
    res = problem.solve(each, penalty, jac=gradient)
    assert res.success
    if gradient == "jac":
        assert res.status == 0
        np.testing.assert_array_equal(res.jac, problem.g(res.x))
    assert residual(res, penalty) <= (1e-5 if res.status == 0 else 1e-3)
    assert res.penalty == penalty.value(res.x)
    assert res.fun == problem.f(res.x) + res.penalty
    if penalty.is_set:
        np.testing.assert_allclose(penalty.prox(res.x), res.x, rtol=1e-12, atol=1e-14)


@taking
def test_closed_forms(each):
    b = np.array([3.0, -0.2, 0.4, -2.0])

    def solve(penalty, **options):
        options = {"penalty": penalty, "gtol": 1e-10, **options}
        return minimize(
            lambda x: 0.5 * (x - b) @ (x - b), np.ones(4), jac=lambda x: x - b,
            method=each, options=options,
        )  # fmt: skip

    for penalty in (prox.l1(0.5), prox.simplex(), prox.total_variation(0.3), prox.l2_ball(1.0)):
        np.testing.assert_allclose(solve(penalty).x, penalty.prox(b, 1.0), atol=1e-9)
    assert solve(prox.l1(0.5)).x[1:3].tolist() == [0.0, 0.0]


@taking
def test_nonnegative_least_squares(each):
    problem = Lasso(1)
    expected, _ = nnls(problem.A, problem.b)
    for given in ({"penalty": prox.nonnegative()}, {"penalty": prox.l1(0.0), "bounds": (0, None)}):
        bounds = [given.pop("bounds")] * N if "bounds" in given else None
        res = problem.solve(each, **given, bounds=bounds, gtol=1e-9)
        assert res.success
        np.testing.assert_allclose(res.x, expected, atol=1e-8)
        assert ((res.x == 0) == (expected == 0)).all()


@taking
@pytest.mark.parametrize("bounds", [(0, None), (-0.1, 0.3), (0.2, 0.5)])
def test_bounds_come_after_the_proximal_operator(each, bounds):
    problem, penalty = Lasso(2), prox.l1(3.0)
    res = problem.solve(each, penalty, bounds=[bounds] * N)
    low, high = bounds[0], np.inf if bounds[1] is None else bounds[1]
    assert res.success
    assert residual(res, penalty, low, high) <= 1e-5
    assert res.x.min() >= low
    assert res.x.max() <= high


@taking
def test_a_penalty_of_zero_changes_no_solution(each):
    problem = Lasso(3)
    plain = minimize(problem.f, problem.x0, jac=problem.g, method=each, options={"gtol": 1e-7})
    with_penalty = problem.solve(each, prox.l1(0.0), gtol=1e-7)
    assert with_penalty.success
    np.testing.assert_allclose(with_penalty.x, plain.x, atol=1e-6)


@taking
def test_a_start_outside_is_projected_and_nothing_infeasible_returned(each):
    problem, penalty = Lasso(4), prox.simplex()
    points = []
    for most in range(12):
        res = problem.solve(each, penalty, maxiter=most, gtol=0.0)
        points.append(res.x)
        assert res.x.min() >= 0.0
        assert res.x.sum() == pytest.approx(1.0, abs=1e-12)
        assert res.fun == problem.f(res.x)
    assert points[0].tolist() == penalty.prox(problem.x0).tolist()


@taking
def test_a_start_where_the_gradient_vanishes(each):
    """The penalty alone pulls there."""
    res = minimize(
        lambda x: x @ x, np.zeros(2), jac=lambda x: 2 * x, method=each,
        options={"penalty": prox.half_space([1.0, 0.0], -1.0)},
    )  # fmt: skip
    assert res.success
    np.testing.assert_allclose(res.x, [-1.0, 0.0], atol=1e-5)
    target = np.array([1.0, -2.0])
    pull = prox.custom(
        lambda x: np.abs(x - target).sum(),
        lambda v, step: target + prox.l1(1.0).prox(v - target, step),
    )
    res = minimize(
        lambda x: x @ x, np.zeros(2), jac=lambda x: 2 * x, method=each, options={"penalty": pull}
    )
    assert res.success
    np.testing.assert_allclose(res.x, [0.5, -0.5], atol=1e-5)


@taking
def test_functions_that_are_not_convex(each):
    res = minimize(
        lambda x: np.sum((x**2 - 1) ** 2), [0.3, -1.7], jac=lambda x: 4 * x * (x**2 - 1),
        method=each, options={"penalty": prox.l1(0.1)},
    )  # fmt: skip
    assert res.success
    assert residual(res, prox.l1(0.1)) <= 1e-5
    assert abs(res.x).min() > 0.9


def test_fista_takes_little_more_than_one_evaluation_an_iteration():
    problem = Lasso(m=60, n=40)
    res = problem.solve(nesterov_restart, prox.l1(2.0), gtol=1e-9)
    assert res.success
    assert res.nfev <= 1.2 * res.nit + 10


@njit
def decaying(x, A, b):
    r = A @ x - b
    return 0.5 * (r @ r), A.T @ r


@pytest.mark.parametrize("each", [nesterov_restart, spg], ids=lambda m: m.__name__)
def test_slow_progress_is_progress(each):
    """A sum of decays: thousands of iterations, and a value that falls in all of them."""
    A = np.exp(-np.outer(np.geomspace(0.01, 10, 60), np.geomspace(0.1, 100, 20)))
    b = A @ (np.arange(20) % 7 == 3) + 1e-3 * np.cos(np.arange(60.0))
    options = {"penalty": prox.nonnegative(), "gtol": 1e-6, "maxiter": 30_000, "compiled": True}
    res = minimize(decaying, np.zeros(20), (A, b), each, True, options=options)
    assert res.status == 0
    np.testing.assert_allclose(res.fun, 0.5 * nnls(A, b)[1] ** 2, rtol=0.01)


@taking
def test_many_parameters(each):
    """More than a block of them; of each there is a closed form."""
    rng = np.random.default_rng(0)
    d, b = rng.uniform(1, 9, 9000), rng.normal(size=9000)
    res = minimize(
        lambda x: 0.5 * d @ (x - b) ** 2, np.zeros(9000), jac=lambda x: d * (x - b), method=each,
        options={"penalty": prox.l1(1.5), "gtol": 1e-9},
    )  # fmt: skip
    assert res.success
    np.testing.assert_allclose(res.x, np.sign(b) * np.maximum(abs(b) - 1.5 / d, 0), atol=1e-8)
    assert res.fun == 0.5 * d @ (res.x - b) ** 2 + prox.l1(1.5).value(res.x)


@taking
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_a_relative_tolerance_in_any_unit_of_the_function(each, unit):
    """Where the gradient is much larger than x, all of a residual of step one is below it."""
    problem = Lasso(6)
    for penalty, best in (
        (prox.simplex(), problem.solve(spg, prox.simplex(), gtol=1e-10)),
        (prox.l1(2.0 * unit), problem.solve(spg, prox.l1(2.0), gtol=1e-10)),
    ):
        res = minimize(
            lambda x: unit * problem.f(x), problem.x0, jac=lambda x: unit * problem.g(x),
            method=each, options={"penalty": penalty, "gtol": 0.0, "gtol_rel": 1e-7},
        )  # fmt: skip
        assert res.success
        np.testing.assert_allclose(res.x, best.x, atol=1e-4)


@taking
def test_no_component_of_a_gradient_that_is_nan_is_lost(each):
    def jac(x):
        return np.array([np.nan, 1.0, 1.0]) if x[1] < 1 else 2 * x

    rate = {"learning_rate": 0.1} if each in (gd, momentum) else {}
    res = minimize(
        lambda x: x @ x, np.full(3, 1.05), jac=jac, method=each,
        options={"penalty": prox.l1(0.1), **rate},
    )  # fmt: skip
    assert not res.success
    assert np.isfinite(res.x).all()


# --- the steps, against implementations of their own


@pytest.fixture(params=range(3))
def problem(request):
    return Lasso(request.param)


def iterates(problem, method, penalty, **options):
    return np.array(problem.solve(method, penalty, return_all=True, gtol=0.0, **options).allvecs)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "penalty", [prox.l1(2.0), prox.simplex(), prox.total_variation(1.0)], ids=repr
)
def test_gradient_descent_is_ista(problem, penalty):
    a = 1 / problem.L
    for rate in (a, schedules.exponential(a, 0.9)):
        X = iterates(problem, gd, penalty, learning_rate=rate, maxiter=30)
        x = penalty.projected(problem.x0)
        for t, found in enumerate(X):
            close(found, x)
            step = rate if rate is a else a * 0.9**t
            x = penalty.prox(x - step * problem.g(x), step)


@pytest.mark.parametrize("penalty", [prox.l1(2.0), prox.simplex(), prox.group_l1(1.0, 4)], ids=repr)
def test_momentum_is_ipiano(problem, penalty):
    """Ochs, Chen, Brox and Pock (2014), Algorithm 1; the inertial term is not in the velocity."""
    a, beta = 0.1 / problem.L, 0.8
    X = iterates(problem, momentum, penalty, learning_rate=a, momentum=beta, maxiter=40)
    x_old = x = penalty.projected(problem.x0)
    for found in X:
        close(found, x)
        x_old, x = x, penalty.prox(x - a * problem.g(x) + beta * (x - x_old), a)


@fixed
def test_a_given_rate_has_the_right_fixed_point(each):
    """With the velocity in the place of the gradient, momentum's would be another one."""
    problem = Lasso(5)
    best = problem.solve(spg, prox.l1(4.0), gtol=1e-10)
    res = problem.solve(each, prox.l1(4.0), learning_rate=0.2 / problem.L, gtol=1e-8)
    assert res.success
    np.testing.assert_allclose(res.x, best.x, atol=1e-8)


@pytest.mark.parametrize(
    "penalty", [prox.l1(2.0), prox.simplex(), prox.elastic_net(1.0, 2.0)], ids=repr
)
def test_adgd_is_adproxgd(problem, penalty):
    """Malitsky and Mishchenko (2024), Algorithm 3, after a probe."""
    X = iterates(problem, adgd, penalty, maxiter=40)
    x_old = penalty.projected(problem.x0)
    g_old = problem.g(x_old)
    longest = 0.1 * (1 + np.linalg.norm(x_old)) / np.linalg.norm(g_old)
    x = penalty.prox(x_old - 1e-5 * longest * g_old, 1e-5 * longest)
    close(X[:2], [x_old, x])
    a, theta = None, 1 / 3
    for found in X[2:]:
        if np.abs(x - x_old).max() < 1e-7:
            break
        g = problem.g(x)
        L = np.linalg.norm(g - g_old) / np.linalg.norm(x - x_old)
        if a is None:
            a = min(0.1 * (1 + np.linalg.norm(x)) / np.linalg.norm(g), np.sqrt(0.5) / L)
        steps = [np.sqrt(2 / 3 + theta) * a]
        if 2 * a**2 * L**2 > 1:
            steps.append(a / np.sqrt(2 * a**2 * L**2 - 1))
        theta, a = min(steps) / a, min(steps)
        x_old, g_old, x = x, g, penalty.prox(x - a * g, a)
        close(found, x)


@pytest.mark.parametrize(
    "penalty", [prox.l1(2.0), prox.simplex(), prox.total_variation(1.0)], ids=repr
)
def test_nesterov_restart_is_fista(problem, penalty):
    """Beck and Teboulle (2009) with backtracking, function restarts of O'Donoghue and Candes; the
    estimate of L is halved until it is too small, and then falls by a tenth in each iteration.

    What is known of f at z, without an evaluation, is exact for squares."""
    f, g = problem.f, problem.g
    x = y = penalty.projected(problem.x0)
    t, F, restarts, shrink = 1.0, f(x) + penalty.value(x), 0, 0.5
    X = iterates(problem, nesterov_restart, penalty, maxiter=60)
    close(X[0], y)
    first = y - penalty.prox(y - g(y), 1.0)
    a = 0.5 * 0.1 * (1 + np.linalg.norm(y)) / np.linalg.norm(first)
    for found in X[1:]:
        a /= shrink
        while True:
            z = penalty.prox(y - a * g(y), a)
            if f(z) <= f(y) + g(y) @ (z - y) + (z - y) @ (z - y) / (2 * a) + 1e-13 * f(y):
                break
            a, shrink = 0.5 * a, 0.9
        if f(z) + penalty.value(z) > F:
            t, y = 1.0, x
            restarts += 1
        else:
            t_next = (1 + np.sqrt(1 + 4 * t**2)) / 2
            y = z + (t - 1) / t_next * (z - x)
            t, x, F = t_next, z, f(z) + penalty.value(z)
        close(found, y)
        if np.abs(y - penalty.prox(y - g(y), 1.0)).max() < 1e-3:
            break
    assert restarts or isinstance(penalty, prox.simplex)


@pytest.mark.parametrize(
    "penalty", [prox.l1(2.0), prox.simplex(), prox.total_variation(1.0)], ids=repr
)
def test_spg_is_sparsa(problem, penalty):
    """Wright, Nowak and Figueiredo (2009): the rate of Barzilai and Borwein (here ABBmin, of the
    parameters that move), and backtracking within the last values; the proximal operator is inside
    the trial."""
    f, g = problem.f, problem.g

    def F(x):
        return f(x) + penalty.value(x)

    X = iterates(problem, spg, penalty, maxiter=60)
    x, values, shorts, tau, x_old = penalty.projected(problem.x0), [], [], 0.5, None
    for found in X:
        close(found, x)
        values.append(F(x))
        if x_old is None:
            a = 0.1 * (1 + np.linalg.norm(x)) / np.linalg.norm(x - penalty.prox(x - g(x), 1.0))
        else:
            s, y = x - x_old, g(x) - g(x_old)
            if not s @ y > 1e-20:
                break
            a, short = s @ s / (s @ y), s @ y / (y[s != 0] @ y[s != 0])
            shorts.append(short)
            if short < tau * a:
                a, tau = min(shorts[-6:]), 0.9 * tau
            else:
                tau *= 1.1
        while True:
            z = penalty.prox(x - a * g(x), a)
            promised = g(x) @ (x - z) + penalty.value(x) - penalty.value(z)
            if F(z) <= max(values[-30:]) - 1e-4 * promised + 1e-14 * abs(values[-1]):
                break
            a *= np.clip(0.5 * promised / (F(z) - values[-1] + promised), 0.1, 0.5)
        x_old, x = x, z
        if np.abs(x - x_old).max() < 1e-7:
            break


# --- how they are driven


@njit
def jit_f(x, A, b):
    r = A @ x - b
    return 0.5 * np.sum(r * r)


@njit
def jit_g(x, A, b):
    return A.T @ (A @ x - b)


@njit
def jit_both(x, A, b):
    return jit_f(x, A, b), jit_g(x, A, b)


def same(a, b):
    assert a.x.tolist() == b.x.tolist()
    assert (a.fun, a.penalty) == (b.fun, b.penalty)
    np.testing.assert_array_equal(a.jac, b.jac)
    assert (a.nit, a.nfev, a.status) == (b.nit, b.nfev, b.status)


@taking
@pytest.mark.parametrize(
    "given",
    [(jit_f, jit_g), (jit_both, True), (jit_f, None)],
    ids=["jac", "pair", "differences"],
)
@pytest.mark.parametrize("penalty", [PENALTIES[0], PENALTIES[6], PENALTIES[-2]], ids=repr)
def test_compiled_runs_are_the_same(each, given, penalty):
    problem = Lasso()
    runs = [
        minimize(
            given[0], problem.x0, (problem.A, problem.b), each, given[1],
            options={"penalty": penalty, "compiled": compiled},
        )
        for compiled in (True, False)
    ]  # fmt: skip
    same(*runs)
    assert runs[0].njev == runs[1].njev
    assert runs[0].success


@taking
@pytest.mark.parametrize("penalty", [prox.l1(2.0), prox.simplex(9.0)], ids=repr)
@pytest.mark.parametrize("gradient", ["jac", None])
def test_a_run_goes_on_from_its_state(each, penalty, gradient):
    problem = Lasso()
    whole = problem.solve(each, penalty, jac=gradient, maxiter=9)
    assert whole.status == 1
    for cut in (1, 5):
        half = problem.solve(each, penalty, jac=gradient, maxiter=cut)
        state = pickle.loads(pickle.dumps(half.state))
        rest = problem.solve(each, penalty, jac=gradient, maxiter=9 - cut, resume=state)
        if each is nesterov_restart and rest.nfev == whole.nfev + 1:
            rest.nfev = whole.nfev  # what the last step had reached was evaluated
        same(rest, whole)
    with pytest.raises(ValueError, match="different options"):
        problem.solve(each, prox.l1(2.5), jac=gradient, resume=half.state)
    with pytest.raises(ValueError, match="different options"):
        minimize(problem.f, problem.x0, jac=problem.g, method=each, options={"resume": half.state})


@taking
@pytest.mark.parametrize("penalty", [prox.l1(2.0), prox.simplex()], ids=repr)
def test_ask_and_tell_takes_the_same_way(each, penalty):
    problem = Lasso()
    whole = problem.solve(each, penalty)
    run = start(each, problem.x0, penalty=penalty)
    while not run.done:
        x = run.ask()
        run.tell(problem.f(x), problem.g(x))
        run = pickle.loads(pickle.dumps(run)) if run.nit == 3 else run
    result = run.result()
    assert result.x.tolist() == whole.x.tolist()
    assert (result.fun, result.penalty, result.success) == (whole.fun, whole.penalty, True)
    for jac in ("adaptive", "2-point"):
        whole = problem.solve(each, penalty, jac=None, finite_diff_scheme=jac, maxiter=30)
        run = start(each, problem.x0, jac=jac, penalty=penalty, maxiter=30)
        while not run.done:
            run.tell([problem.f(x) for x in run.ask()])
        assert run.result().x.tolist() == whole.x.tolist()


@fixed
@pytest.mark.parametrize("compiled", [True, False])
def test_mini_batches_are_proximal_sgd(each, compiled):
    problem, penalty, rate = Lasso(m=30), prox.l1(0.4), 0.01
    options = {"batch_size": 7, "epochs": 3, "rng": 5, "shuffle": False, "penalty": penalty}
    options |= {"learning_rate": rate, "compiled": compiled, "return_all": True}
    res = minimize(jit_f, problem.x0, (problem.A, problem.b), each, jit_g, options=options)
    x_old = x = problem.x0
    beta = 0.9 if each is momentum else 0.0
    for k, found in enumerate(res.allvecs):
        close(found, x)
        rows = slice(7 * (k % 5), 7 * (k % 5) + 7)
        g = problem.A[rows].T @ (problem.A[rows] @ x - problem.b[rows])
        x_old, x = x, penalty.prox(x - rate * g + beta * (x - x_old), rate)
    assert res.nit == 15
    assert res.fun == jit_f(res.x, problem.A, problem.b) + penalty.value(res.x)


def test_mini_batches_with_an_average_and_held_out_data():
    problem, penalty = Lasso(m=60), prox.l1(0.4)
    options = {"batch_size": 10, "epochs": 5, "rng": 0, "penalty": penalty, "learning_rate": 0.005}
    for more in ({"averaging": "polyak"}, {"validation": (problem.A[:9], problem.b[:9])}):
        res = minimize(
            jit_both, problem.x0, (problem.A, problem.b), gd, True, options=options | more
        )
        assert res.fun == jit_f(res.x, problem.A, problem.b) + penalty.value(res.x)
        assert res.success
    x, held_out = res.x, (problem.A[:9], problem.b[:9])
    assert min(res.validation_losses) == jit_f(x, *held_out) + penalty.value(x)


@taking
def test_many_problems_are_each_as_alone(each):
    problem = Lasso()
    B = np.random.default_rng(0).normal(size=(8, 30))
    options = {"penalty": prox.l1(2.0)}
    many = minimize_many(
        jit_f,
        problem.x0,
        (problem.A, B),
        (None, 0),
        jac=jit_g,
        method=each,
        options=options,
        workers=2,
    )
    for k, b in enumerate(B):
        alone = minimize(jit_f, problem.x0, (problem.A, b), each, jit_g, options=options)
        assert many.x[k].tolist() == alone.x.tolist()
        assert many.fun[k] == alone.fun
    assert many.success.all()


def test_many_starts():
    found = multistart(
        lambda x: np.sum((x**2 - 1) ** 2), [(-2, 2)] * 2, jac=lambda x: 4 * x * (x**2 - 1),
        method=spg, options={"penalty": prox.l1(0.1)}, rng=0,
    )  # fmt: skip
    assert found.success
    assert len(found.minima) == 4


@taking
def test_watchers_are_told_the_sum(each):
    problem, penalty, told = Lasso(), prox.l1(2.0), []

    def callback(intermediate_result):
        x = intermediate_result.x
        told.append(intermediate_result.fun - problem.f(x) - penalty.value(x))
        y = penalty.prox(x - problem.g(x), 1.0)
        assert intermediate_result.gnorm == pytest.approx(abs(x - y).max(), rel=1e-9)

    res = minimize(
        problem.f, problem.x0, jac=problem.g, method=each, callback=callback,
        options={"penalty": penalty, "history": True},
    )  # fmt: skip
    assert len(told) == res.nit
    np.testing.assert_allclose(told, 0.0, atol=1e-12)
    assert res.history.fun[0] == problem.f(problem.x0) + penalty.value(problem.x0)


@taking
@pytest.mark.parametrize("noise", [1e-6, 1e-3])
def test_noise_of_the_function_is_not_that_of_the_penalty(each, noise):
    problem, rng = Lasso(), np.random.default_rng(0)
    penalty = prox.l1(2.0)
    best = problem.solve(spg, penalty)

    def noisy(x):
        return problem.f(x) + noise * rng.normal()

    res = minimize(noisy, problem.x0, method=each, options={"penalty": penalty, "maxiter": 300})
    fun = problem.f(res.x) + penalty.value(res.x)
    if each in (gd, spg, momentum) or res.success:
        assert fun - best.fun <= 100 * noise
    if res.status == 6:
        assert noise / 5 <= res.noise <= 5 * noise


@taking
@pytest.mark.parametrize("size", ["float32", 1e-3])
@pytest.mark.parametrize("penalty", [prox.l1(2.0), prox.simplex()], ids=repr)
def test_noise_of_a_function_with_its_gradient(each, size, penalty):
    """Success is only claimed where the residual is as small as the errors of the gradient."""
    problem, rng = Lasso(m=60, n=30), np.random.default_rng(0)
    if size == "float32":
        A, b = problem.A.astype("f"), problem.b.astype("f")
        res = minimize(
            lambda x: float(np.sum((A @ x.astype("f") - b) ** 2) / np.float32(2)), problem.x0,
            jac=lambda x: A.T @ (A @ x.astype("f") - b), method=each,
            options={"penalty": penalty, "gtol": 1e-7},
        )  # fmt: skip
        most = 1e-3
    else:
        res = minimize(
            lambda x: problem.f(x) + size * rng.normal(), problem.x0,
            jac=lambda x: problem.g(x) + size * rng.normal(size=30), method=each,
            options={"penalty": penalty},
        )  # fmt: skip
        most = 0.02
        if each in (gd, spg):
            assert res.status == 6
            assert size / 5 <= res.noise <= 5 * size
    x = res.x
    if res.success:
        assert np.abs(x - penalty.prox(x - problem.g(x))).max() <= most


@pytest.mark.parametrize("each", [gd, spg, momentum, nesterov_restart], ids=lambda m: m.__name__)
@pytest.mark.parametrize("penalty", [prox.l1(2.0), prox.simplex()], ids=repr)
def test_a_gradient_of_the_wrong_sign_is_no_success(each, penalty):
    problem = Lasso()
    res = problem.solve(each, penalty, jac=lambda x: -problem.g(x))
    assert not res.success


@pytest.mark.parametrize("most", range(2, 14))
def test_what_fista_returns_is_what_a_step_has_reached(most):
    """Also where it is stopped beyond: then that is evaluated, within the budget."""
    problem, penalty = Lasso(4), prox.simplex()

    def stop(intermediate_result):
        if intermediate_result.nit == most:
            raise StopIteration

    start_at = penalty.projected(problem.x0)
    for res in (
        problem.solve(nesterov_restart, penalty, maxfev=most, gtol=0.0),
        minimize(
            problem.f, problem.x0, jac=problem.g, method=nesterov_restart, callback=stop,
            options={"penalty": penalty, "gtol": 0.0},
        ),
    ):  # fmt: skip
        assert res.nfev <= most or res.status == 99
        assert res.x.min() >= 0.0
        assert res.x.sum() == pytest.approx(1.0, abs=1e-12)
        assert res.fun == problem.f(res.x)
        assert res.fun < problem.f(start_at) or most < 5


# --- functions of the user's that fail


class Failed(Exception):
    pass


@taking
@pytest.mark.parametrize("wrong", ["value", "prox"])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_errors_of_a_custom_penalty_are_raised(each, wrong, compiled, inside):
    problem = Lasso()
    for most in range(9):
        calls = []

        def fail(name, most=most, calls=calls):
            calls.append(name)
            if len(calls) > most and name == wrong:
                raise Failed(most)

        def value(x, fail=fail):
            fail("value")
            return length(x)

        def operator(v, step, fail=fail):
            fail("prox")
            return shorter(v, step)

        penalty = prox.custom(value, operator)
        if inside:
            penalty = prox.groups((slice(4), prox.l1(1.0)), (slice(4, N), penalty))
        with pytest.raises(Failed) as caught:
            minimize(
                jit_f, problem.x0, (problem.A, problem.b), each, jit_g,
                options={"penalty": penalty, "compiled": compiled},
            )  # fmt: skip
        assert caught.value.optimize_result.x.shape == (N,) or most < 2


@njit
def jit_value(x):
    if x[0] > 1e3:
        raise ValueError("value of a large one")
    return np.sum(np.abs(x))


@njit
def jit_prox(v, step):
    if v[0] > 1e3:
        raise ValueError("prox of a large one")
    return np.sign(v) * np.maximum(np.abs(v) - step, 0.0)


@njit
def too_short(v, step):
    return v[1:]


@pytest.mark.parametrize("compiled", [True, False])
def test_numba_functions_as_a_penalty(compiled):
    problem = Lasso()
    problem.b = problem.b * 5

    def solve(penalty):
        options = {"penalty": penalty, "compiled": compiled}
        return minimize(jit_f, problem.x0, (problem.A, problem.b), spg, jit_g, options=options)

    own, built_in = solve(prox.custom(jit_value, jit_prox)), solve(prox.l1(1.0))
    np.testing.assert_allclose(own.x, built_in.x, atol=1e-6)
    assert own.success
    same(own, solve(prox.custom(jit_value.py_func, jit_prox.py_func)))
    with pytest.raises(ValueError, match="`prox` must return an array of shape"):
        solve(prox.custom(jit_value, too_short))
    for wrong, inner in (("value", 2000.0), ("prox", 2000.0)):
        bad = prox.custom(
            jit_value if wrong == "value" else jit_one, jit_shift if wrong == "value" else jit_prox
        )
        problem.x0 = np.full(N, inner)
        with pytest.raises(ValueError, match=f"{wrong} of a large one"):
            solve(bad)
        with pytest.raises(ValueError, match=f"{wrong} of a large one"):
            solve(prox.groups((slice(N), bad)))


@njit
def jit_one(x):
    return 1.0


@njit
def jit_shift(v, step):
    return v + 0.0


# --- what is refused


def never(x, *args):
    raise AssertionError("no evaluation is needed to refuse this")


def refused(message, method=gd, x0=None, **given):
    options = {"penalty": prox.l1(1.0)} | given.pop("options", {})
    x0 = np.ones(N) if x0 is None else x0
    with pytest.raises((TypeError, ValueError), match=message):
        minimize(never, x0, jac=never, method=method, options=options, **given)


@pytest.mark.parametrize(
    "other", [m for m in METHODS.values() if not m.proximal], ids=lambda m: m.__name__
)
def test_other_methods_say_which_take_penalties(other):
    refused(f"`penalty` cannot be used with {other.__name__}, .* use {PROXIMAL}", other)


def test_the_methods_that_are_named_are_those_of_the_registry():
    assert sorted(PROXIMAL.replace(" or", ",").split(", ")) == sorted(m.__name__ for m in TAKE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x_scale": "auto"}, "combined with `x_scale`"),
        ({"x_scale": np.ones(N)}, "combined with `x_scale`"),
        ({"clip_norm": 1.0}, "combined with `clip_norm`"),
        ({"clip_value": 1.0}, "combined with `clip_value`"),
        ({"residuals": True}, "combined with `residuals`"),
        ({"learning_rate": np.ones(N)}, "a single `learning_rate`"),
        ({"learning_rate": lambda t: np.ones(N)}, "a single `learning_rate`"),
        ({"groups": [(slice(2), {"learning_rate": 0.1})]}, "a single `learning_rate`"),
        ({"learning_rate": "wolfe"}, "`learning_rate='wolfe'` cannot be combined with a `penalty`"),
        ({"learning_rate": "polyak", "target": 0.0}, "`learning_rate='polyak'` cannot"),
        ({"penalty": prox.l1([1.0, 2.0])}, "`weight` of l1 must have one value for each of the 12"),
        ({"penalty": prox.group_l1(1.0, 5)}, "`groups` of 5"),
        ({"penalty": 0.1}, "`penalty` must be a penalty from scipy_gd.prox"),
        ({"penalty": prox.l1}, "`penalty` must be a penalty from scipy_gd.prox"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(options, message):
    refused(message, options=options)
    if "penalty" in options:
        with pytest.raises((TypeError, ValueError), match=message):
            start(gd, np.ones(N), **options)


def test_momentum_refuses_what_is_not_inertial():
    refused("combined with `dampening`", momentum, options={"dampening": 0.5})
    refused(
        "`learning_rate='armijo'` cannot be combined with",
        momentum,
        options={"learning_rate": "armijo"},
    )


def test_bounds_need_a_term_for_each_parameter():
    for penalty in (prox.simplex(), prox.group_l1(1.0, 3), prox.custom(length, shorter)):
        refused(
            "`bounds` need a `penalty` that is separable",
            bounds=[(0, 1)] * N,
            options={"penalty": penalty},
        )
    refused(
        "`bounds` and the sets of `penalty` have no point",
        bounds=[(2, 3)] * N,
        options={"penalty": prox.box(0.0, 1.0)},
    )


def test_armijo_is_for_gradients():
    problem = Lasso()
    for method in (gd, spg):
        assert problem.solve(method, prox.l1(2.0), learning_rate="armijo").success


def test_a_run_goes_on_with_the_same_functions_only():
    problem = Lasso()

    def weighed(w):
        def value(x):
            return w * np.abs(x).sum()

        def operator(v, step):
            return prox.l1(1.0).prox(v, step * w)

        return prox.custom(value, operator)

    half = problem.solve(spg, weighed(2.0), maxiter=3)
    assert problem.solve(spg, weighed(2.0), resume=half.state).success
    with pytest.raises(ValueError, match="different options"):
        problem.solve(spg, weighed(2.5), resume=half.state)
