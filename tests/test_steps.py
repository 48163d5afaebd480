"""Step rules and the methods that live by them, against independent references."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import (
    BFGS,
    SR1,
    minimize,
    rosen,
    rosen_der,
    rosen_hess,
    rosen_hess_prod,
)
from scipy.sparse import coo_matrix, csr_array
from scipy.sparse.linalg import aslinearoperator

from scipy_gd import (
    METHODS,
    adam,
    adan,
    ademamix,
    adgd,
    cg_descent,
    gd,
    lbfgs,
    lion,
    nesterov_restart,
    newton,
    schedule_free_adamw,
    spg,
    spsa,
)
from scipy_gd._core.steps import RULES
from scipy_gd.methods import GENERAL
from scipy_gd.problems import quadratic

SEARCHES = [rule.name for rule in RULES.values() if rule.offered and not rule.needs]
START = np.array([-1.2, 1.0, -0.5, 0.8])
A, c = (np.array(a) for a in quadratic(8, 50.0).args)


def bowl(x):
    return 0.5 * float((x - c) @ A @ (x - c))


def slope(x):
    return A @ (x - c)


def iterates(method, fun=rosen, jac=rosen_der, x0=START, **options):
    options = {"maxiter": 30, "return_all": True} | options
    return np.array(minimize(fun, x0, jac=jac, method=method, options=options).allvecs)


# --- the line searches keep their promises


@pytest.mark.parametrize("rate", ["armijo", "wolfe", "auto"])
def test_accepted_steps_fulfil_the_conditions(descent, rate):
    weak = {"wolfe": 0.2 if descent is cg_descent else 0.9}.get(rate)
    if rate == "auto" and descent not in (lbfgs, cg_descent):
        return
    if rate == "auto":
        weak = {lbfgs: 0.9, cg_descent: 0.2}[descent]
    xs = iterates(descent, learning_rate=rate)
    assert len(xs) > 3
    for x, y in pairwise(xs):
        promised = rosen_der(x) @ (x - y)
        assert promised > 0
        assert rosen(y) <= rosen(x) - 1e-4 * promised + 1e-10 * abs(rosen(x))
        if weak:
            assert rosen_der(y) @ (x - y) <= weak * promised * (1 + 1e-8)
            if weak < 0.5:
                assert rosen_der(y) @ (x - y) >= -weak * promised * (1 + 1e-8)


@pytest.mark.parametrize("rate", ["auto", *SEARCHES])
def test_rules_survive_points_where_the_function_is_not_defined(descent, rate):
    if descent.auto == "fixed" and rate == "auto":
        return

    def fun(x):
        with np.errstate(all="ignore"):
            return float(np.sum(x - 2 * np.log(x)))

    def jac(x):
        with np.errstate(all="ignore"):
            return 1 - 2 / x

    res = minimize(fun, [1e-3, 3.0, 50.0], jac=jac, method=descent, options={"learning_rate": rate})
    assert np.isfinite(res.fun)
    if rate == "wolfe" and descent in (lion, schedule_free_adamw, adan, ademamix):
        return  # along signs or long averages, an exact search soon makes no progress
    assert res.success
    np.testing.assert_allclose(res.x, 2, atol=1e-3)


@pytest.mark.parametrize("rate", ["auto", *SEARCHES])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("jac", [True, False])
def test_steps_turn_back_where_an_exponential_overflows(descent, rate, scale, jac):
    """log(1 + exp(x)), as it stands: inf just beyond the start, NaN where that is subtracted."""
    if rate == "auto" and descent.auto == "fixed":
        return  # it looks at no values
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2)) * [1.0, scale]
    y = rng.random(50) < 0.5 + 0.2 * np.sign(X[:, 0])
    x0 = [0.0, 700.0 / abs(X[:, 1]).max()]

    def fun(w):
        return np.sum(np.log(1 + np.exp(X @ w)) - y * (X @ w))

    def slope(w):
        return X.T @ (1 / (1 + np.exp(-X @ w)) - y)

    options = {"learning_rate": rate, "maxiter": 300}
    with np.errstate(over="ignore", invalid="ignore"):
        res = minimize(fun, x0, jac=slope if jac else None, method=descent, options=options)
        assert res.status != 3
        assert res.fun < 0.5 * fun(x0)


def test_bounds_hold_under_every_rule(descent):
    for rate in ("auto", *SEARCHES):
        seen = []

        def fun(x, seen=seen):
            seen.append(x)
            return bowl(x)

        box = np.column_stack([c - 0.1, c + np.linspace(-0.05, 1, 8)])
        res = minimize(
            fun,
            np.zeros(8),
            jac=slope,
            bounds=box,
            method=descent,
            options={"learning_rate": rate, "maxiter": 500},
        )
        points = np.array(seen)
        assert (points >= box[:, 0]).all()
        assert (points <= box[:, 1]).all()
        if res.success:
            g = res.jac
            projected = np.clip(res.x - g, *box.T) - res.x
            assert abs(projected).max() <= 1.0001e-5


@pytest.mark.parametrize("seed", range(5))
def test_small_boxed_quadratics_are_solved(descent, seed):
    rng = np.random.default_rng(seed)
    B = rng.normal(size=(5, 5))
    H, b = B @ B.T + 0.1 * np.eye(5), 3 * rng.normal(size=5)
    exact = minimize(
        lambda x: x @ H @ x / 2 - b @ x,
        np.full(5, 0.5),
        jac=lambda x: H @ x - b,
        bounds=[(0, 1)] * 5,
        options={"ftol": 0, "gtol": 1e-10},
    )
    res = minimize(
        lambda x: x @ H @ x / 2 - b @ x,
        np.full(5, 0.5),
        jac=lambda x: H @ x - b,
        bounds=[(0, 1)] * 5,
        method=descent,
        options={"maxiter": 20_000},
    )
    if descent.auto == "fixed":
        return  # no values are looked at, and no projection is thought of
    assert res.success
    assert res.fun == pytest.approx(exact.fun, abs=1e-6)


# --- success is never wrong


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from([m for m in GENERAL.values() if "g" in m.supplied]),
    n=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([1e-6, 1.0, 1e5]),
    bounded=st.booleans(),
    rate=st.sampled_from(["auto", *SEARCHES, 0.01]),
)
def test_success_means_that_the_gradient_vanishes(method, n, seed, scale, bounded, rate):
    rng = np.random.default_rng(seed)
    B, b = rng.normal(size=(n + 1, n)), rng.normal(size=n + 1)

    def fun(x):
        return scale * float(np.sum(np.sqrt(1 + (B @ x - b) ** 2)))

    def jac(x):
        r = B @ x - b
        return scale * (B.T @ (r / np.sqrt(1 + r * r)))

    if method.probes and isinstance(rate, str):
        rate = "auto"
    box = np.sort(rng.normal(size=(n, 2)), axis=1) if bounded else None
    res = minimize(
        fun,
        rng.normal(size=n),
        jac=jac,
        bounds=box,
        method=method,
        options={"learning_rate": rate, "maxiter": 300, "rng": 0},
    )
    g = jac(res.x)
    assert res.jac.tolist() == g.tolist()
    assert res.fun == fun(res.x)
    if bounded:
        g = np.clip(g, res.x - box[:, 1], res.x - box[:, 0])
    assert res.success == (abs(g).max() <= 1e-5)


# --- the methods


def test_lbfgs_is_bfgs_with_a_scaled_start():
    """The two-loop recursion, against the matrices of the product form."""
    xs = iterates(lbfgs, bowl, slope, np.zeros(8), maxiter=6)
    for k in range(1, len(xs) - 1):
        s = np.diff(xs[: k + 1], axis=0)
        y = s @ A
        H = np.eye(8) * (s[-1] @ y[-1]) / (y[-1] @ y[-1])
        for sk, yk in zip(s, y, strict=True):
            W = np.eye(8) - np.outer(yk, sk) / (sk @ yk)
            H = W.T @ H @ W + np.outer(sk, sk) / (sk @ yk)
        d, step = H @ slope(xs[k]), xs[k] - xs[k + 1]
        cosine = d @ step / np.linalg.norm(d) / np.linalg.norm(step)
        assert cosine == pytest.approx(1, abs=1e-9)


def test_lbfgs_forgets_all_but_the_last_pairs():
    long = iterates(lbfgs, bowl, slope, np.zeros(8), maxcor=50)
    short = iterates(lbfgs, bowl, slope, np.zeros(8), maxcor=2)
    assert long[:4].tolist() == short[:4].tolist()
    assert long[5].tolist() != short[5].tolist()


@pytest.mark.parametrize(("count", "pairs"), [(3, 4), (400, 5), (503, 5), (509, 10), (900, 20)])
def test_lbfgs_lets_more_pairs_count_on_long_runs(count, pairs):
    rng = np.random.default_rng(count)
    x, g, x_old = rng.normal(size=(3, 40))
    S, Y = rng.normal(size=(2, 20, 40))
    Y = S * np.linspace(1, 9, 40)
    g_old = g - (x - x_old) * np.linspace(1, 9, 40)

    def direction(mincor):
        ones = np.ones(40)
        given = x, g, x_old, g_old, 9.0, ones, False, ones, 0.0, S.copy(), Y.copy()
        given = *given, count * ones
        return lbfgs.formula(*given, maxcor=20, mincor=mincor)[0].tolist()

    assert direction(5) == direction(pairs)
    if pairs > 4:
        assert direction(5) != direction(pairs + 1) or pairs == 20


@pytest.mark.parametrize("held", [(), (1, 4)])
def test_lbfgs_starts_with_the_diagonal_and_leaves_out_pairs_in_the_noise(held):
    """The matrix of the product form, from diag(1 / curvatures) in the last pair's scale."""
    rng = np.random.default_rng(len(held))
    n = 6
    x, g, x_old = rng.normal(size=(3, n))
    free, diagonal = np.ones(n), rng.uniform(0.01, 100, n)
    free[list(held)] = 0.0
    B = rng.normal(size=(n, n))
    B = B @ B.T + np.eye(n)
    g_old = g - B @ (x - x_old)
    S = rng.normal(size=(3, n))
    S /= np.sqrt(np.einsum("ij,jk,ik->i", S, B, S))[:, None]
    Y = S @ B
    s, y = x - x_old, g - g_old
    for share in (0.0, 0.99, 1.01):  # of s'y
        given = x, g, x_old, g_old, 9.0, free, bool(held), diagonal, share * (s @ y)
        given = *given, S.copy(), Y.copy()
        d, count = lbfgs.formula(*given, np.full(n, 2.0), maxcor=3, mincor=3)
        assert count == (3 if share < 1 else 2)
        pairs = [(S[0], Y[0] * free), (S[1], Y[1] * free)] + [(s, y * free)] * (share < 1)
        s_k, y_k = pairs[-1]
        H = np.diag(diagonal) * (s_k @ y_k) / (y_k @ (diagonal * y_k))
        for s_k, y_k in pairs:
            W = np.eye(n) - np.outer(y_k, s_k) / (s_k @ y_k)
            H = W.T @ H @ W + np.outer(s_k, s_k) / (s_k @ y_k)
        np.testing.assert_allclose(d, free * (H @ (free * g)), rtol=1e-9)
    d, _ = lbfgs.formula(*given[:4], 1.0, *given[5:], np.zeros(n), maxcor=3, mincor=3)
    first = g * free * diagonal
    longest = max(1.0, np.linalg.norm(x)) / np.linalg.norm(first)
    np.testing.assert_allclose(d, first * min(1.0, longest), rtol=1e-14)


def test_the_memory_of_lbfgs_when_it_is_not_given():
    def run(**options):
        options = {"maxiter": 700, "gtol": 0.0} | options
        return minimize(rosen, np.zeros(100), jac=rosen_der, method=lbfgs, options=options)

    default = run()
    assert default.x.tolist() == run(maxcor=201, mincor=12).x.tolist()
    assert default.x.tolist() != run(maxcor=12).x.tolist()
    assert run(maxcor=12).x.tolist() == run(maxcor=12, mincor=12).x.tolist()


def test_cg_descent_is_the_formula_of_the_paper():
    rng = np.random.default_rng(0)
    for _ in range(20):
        g, g_old, p = rng.normal(size=(3, 5))
        ours, _ = cg_descent.formula(g, g_old, 3.0, np.ones(5), p)
        d, y = -p, g - g_old
        if abs(g @ g_old) > 0.2 * g @ g:
            assert ours.tolist() == g.tolist()
        elif d @ y > 0:
            beta = (y - 2 * d * (y @ y) / (d @ y)) @ g / (d @ y)
            beta = max(beta, 0.4 * (d @ g) / (d @ d))
            np.testing.assert_allclose(ours, g - beta * d, rtol=1e-12)
            assert ours @ g >= 7 / 8 * (g @ g) * (1 - 1e-12) or beta == 0.4 * (d @ g) / (d @ d)


@pytest.mark.parametrize("kind", ["collinear", "units", "both"])
@pytest.mark.parametrize("unit", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("seed", range(3))
def test_cg_descent_does_not_zigzag(kind, unit, seed):
    """Without restarts it falls into a cycle of two steps on such regressions."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, 200))
    columns = {
        "collinear": (a, a + 1e-3 * b, unit * b, c),
        "units": (a, unit * (a + c), b, c / unit),
        "both": (unit * a, unit * (a + 0.1 * c), a + 0.1 * b, b),
    }[kind]
    X = np.column_stack([np.ones(200), *columns])
    y = rng.random(200) < 0.5 + 0.3 * np.sign(a)
    fun = lambda w: np.mean(np.logaddexp(0, X @ w) - y * (X @ w))  # noqa: E731
    jac = lambda w: X.T @ (1 / (1 + np.exp(-X @ w)) - y) / 200  # noqa: E731
    res = minimize(fun, np.zeros(5), jac=jac, method=cg_descent)
    assert res.success
    assert res.nfev < 2000


@pytest.mark.parametrize("steepness", [10.0, 20.0, 50.0, 100.0])
@pytest.mark.parametrize("jac", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_cg_descent_survives_exponentials(steepness, jac, seed):
    """Slopes fall by tens of orders from one step to the next: no product is too large, no guess
    leads out of sight, and where the values are rounded the slopes still tell."""
    t = np.linspace(0, steepness, 40)
    y = 2 * np.exp(0.05 * t) + 0.1 * np.random.default_rng(seed).normal(size=40)

    def fun(p):
        return np.sum((p[0] * np.exp(p[1] * t) - y) ** 2)

    def slope(p):
        e = np.exp(p[1] * t)
        r = p[0] * e - y
        return 2 * np.array([r @ e, r @ (p[0] * t * e)])

    with np.errstate(over="ignore", invalid="ignore"):
        res = minimize(fun, np.ones(2), jac=slope if jac else None, method=cg_descent)
    assert abs(slope(res.x)).max() < 1e-8 * abs(slope(np.ones(2))).max()
    assert res.fun <= y @ y
    if jac:
        assert res.success
        assert res.nfev < 200


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_cg_descent_makes_the_same_steps_for_values_of_any_size(scale):
    options = {"gtol": 1e-5 * scale, "maxiter": 200}
    res = minimize(
        lambda x: scale * rosen(x),
        START,
        jac=lambda x: scale * rosen_der(x),
        method=cg_descent,
        options=options,
    )
    assert res.success
    assert res.nfev < 400


def test_adgd_is_the_recursion_of_the_paper():
    xs = iterates(adgd, bowl, slope, np.zeros(8), maxiter=40)
    x_old, g_old = xs[0], slope(xs[0])
    a_old, theta = 1e-6 * (1 + np.linalg.norm(x_old)) / np.linalg.norm(g_old), 1 / 3
    x = x_old - a_old * g_old
    for k in range(1, 40):
        np.testing.assert_allclose(xs[k], x, rtol=1e-10)
        g = slope(x)
        L = np.linalg.norm(g - g_old) / np.linalg.norm(x - x_old)
        if k == 1:  # the first step was a probe
            a_old = min(0.1 * (1 + np.linalg.norm(x)) / np.linalg.norm(g), np.sqrt(0.5) / L)
        a = np.sqrt(2 / 3 + theta) * a_old
        if 2 * a_old**2 * L**2 > 1:
            a = min(a, a_old / np.sqrt(2 * a_old**2 * L**2 - 1))
        theta, a_old, x_old, g_old = a / a_old, a, x, g
        x = x - a * g


@pytest.mark.parametrize("x0", [[-1.2, 1.0], [1e3, -2e3], [1e-5, 1e-5]])
@pytest.mark.parametrize("stop", [{"ftol": 1e-4}, {"ftol": 1e-10}, {"xtol": 1e-3}, {"xtol": 1e-8}])
def test_a_probe_is_no_sign_of_a_minimum(stop, x0):
    """A first step of a millionth of x changes little, wherever it is made."""
    res = minimize(rosen, x0, jac=rosen_der, method=adgd, options=stop)
    assert res.success
    assert res.nit > 5
    assert res.fun < 0.2 * rosen(x0)


def test_spg_takes_one_of_barzilai_and_borweins_steps():
    xs = iterates(spg, bowl, slope, np.zeros(8))
    shorts = []
    for old, x, new in zip(xs, xs[1:], xs[2:], strict=False):
        s, y = x - old, slope(x) - slope(old)
        shorts.append((s @ y) / (y @ y))
        rate = np.linalg.norm(new - x) / np.linalg.norm(slope(x))
        known = [(s @ s) / (s @ y), *shorts[-6:]]
        assert min(abs(rate / k - 1) for k in known) < 1e-9 or rate < min(known)


def test_nesterov_restart_extrapolates_as_fista():
    xs = iterates(nesterov_restart, bowl, slope, np.zeros(8), maxiter=12)
    theta, kept = 1.0, xs[0]
    for y, y_next in pairwise(xs):
        # y_next = x + beta (x - kept), where x = y - a g: a is the unknown
        theta_next = (1 + np.sqrt(1 + 4 * theta**2)) / 2
        beta = (theta - 1) / theta_next
        x = (y_next + beta * kept) / (1 + beta)
        step = y - x
        g = slope(y)
        assert step @ g / np.linalg.norm(step) / np.linalg.norm(g) == pytest.approx(1, abs=1e-8)
        a = np.linalg.norm(step) / np.linalg.norm(g)
        assert bowl(x) <= bowl(y) - a / 2 * (g @ g) + 1e-12
        theta, kept = theta_next, x


def test_newton_needs_one_step_on_a_quadratic():
    res = minimize(bowl, np.full(8, 100.0), jac=slope, hess=lambda x: A, method=newton)
    assert (res.success, res.nit, res.nhev) == (True, 1, 2)


def test_newton_goes_downhill_where_the_hessian_is_indefinite():
    def fun(x):
        return float(x[0] ** 4 / 4 - x[0] ** 2 / 2 + x[1] ** 2)

    def jac(x):
        return np.array([x[0] ** 3 - x[0], 2 * x[1]])

    res = minimize(fun, [0.1, 1.0], jac=jac, method=newton)
    assert res.success
    assert res.x[0] == pytest.approx(1, abs=1e-4)


FLAT = {
    "a wall and a slope": (lambda x: x + np.exp(-10 * x), lambda x: 1 - 10 * np.exp(-10 * x), 0.23),
    "log cosh": (lambda x: np.logaddexp(x, -x), np.tanh, 0.0),
    "Huber": (
        lambda x: np.where(abs(x) < 1, x * x / 2, abs(x) - 0.5),
        lambda x: np.clip(x, -1, 1),
        0.0,
    ),
}


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("x0", [[50.0], [400.0], [50.0, 0.2, -3.0], [30.0, 31.0]])
@pytest.mark.parametrize("mixed", [False, True])
def test_newton_leaves_where_there_is_no_curvature(name, unit, x0, mixed):
    """The curvature underflows, or is 0: a step is neither infinite nor too short to arrive."""
    f, slope, least = FLAT[name]
    if name == "a wall and a slope":
        x0 = np.abs(x0)  # on the slope: the wall has values that are not finite
    n = len(x0)
    M = np.eye(n) + 0.3 * mixed * np.tri(n, k=-1)
    with np.errstate(over="ignore"):
        res = minimize(
            lambda x: np.sum(f(M @ x / unit)),
            unit * np.linalg.solve(M, x0),
            jac=lambda x: M.T @ slope(M @ x / unit) / unit,
            method=newton,
            options={"gtol": 1e-5 / unit},
        )
    assert res.success
    np.testing.assert_allclose(M @ res.x / unit, least, atol=0.01)
    assert res.nfev < 300


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_newton_does_not_leave_its_domain_for_ever(unit):
    fun = lambda x: x[0] / unit + unit / x[0] if x[0] > 0 else np.inf  # noqa: E731
    jac = lambda x: 1 / unit - unit / x**2  # noqa: E731
    for x0 in (1e8, 1e-4):
        res = minimize(fun, [unit * x0], jac=jac, method=newton, options={"gtol": 1e-6 / unit})
        assert res.success
        assert res.x[0] == pytest.approx(unit, rel=1e-4)


@pytest.mark.parametrize("largest", [1e6, 1e11, 1e15, 1e20])
@pytest.mark.parametrize("turned", [0.0, 0.3])
def test_newton_is_free_of_the_units_of_the_parameters(largest, turned):
    """A quadratic is a few steps away, however much its curvatures differ by the units."""
    units = np.array([np.sqrt(largest), 1.0, 1.0 / np.sqrt(largest)])
    H = units * (np.eye(3) + turned) * units[:, np.newaxis]
    least = np.array([3.0, 5.0, -2.0]) / units
    res = minimize(
        lambda x: 0.5 * (x - least) @ H @ (x - least),
        np.zeros(3),
        jac=lambda x: H @ (x - least),
        hess=lambda x: H,
        method=newton,
        options={"gtol": 0.0, "maxiter": 6},
    )
    np.testing.assert_allclose(res.x * units, [3.0, 5.0, -2.0], rtol=1e-4)


@pytest.mark.parametrize("jac", [rosen_der, None])
@pytest.mark.parametrize("hess", [rosen_hess, None])
@pytest.mark.parametrize("unit", [1.0, 1e3])
def test_newton_steps_with_the_parameters_that_are_free(jac, hess, unit):
    """The Hessian of those that no bound holds decides: as many steps as without the others."""
    start = unit * np.array([-1.2, 1.0, -0.5, 2.0])
    free = (-100 * unit, 100 * unit)
    bounds = np.array([free, (unit, unit), free, (2 * unit, 2 * unit)])
    scaled = {
        "jac": jac and (lambda x: jac(x / unit) / unit),
        "hess": hess and (lambda x: hess(x / unit) / unit**2),
    }
    res = minimize(lambda x: rosen(x / unit), start, bounds=bounds, method=newton, **scaled)
    assert res.success
    assert res.nit < 12
    best = minimize(rosen, start / unit, jac=rosen_der, bounds=bounds / unit)  # SciPy's
    assert res.fun == pytest.approx(best.fun, rel=1e-6)


def test_newton_is_quick_between_active_bounds():
    bounds = [(-0.5, 0.5)] * 6
    res = minimize(rosen, np.full(6, -0.5), jac=rosen_der, bounds=bounds, method=newton)
    assert res.success
    assert res.nfev < 40


def test_newton_takes_hessians_that_are_not_arrays():
    dense = minimize(rosen, START, jac=rosen_der, method=newton, hess=rosen_hess)
    for form in (csr_array, coo_matrix, aslinearoperator, np.ndarray.tolist):
        res = minimize(
            rosen, START, jac=rosen_der, method=newton, hess=lambda x, f=form: f(rosen_hess(x))
        )
        np.testing.assert_array_equal(res.x, dense.x)


def test_sources_of_the_hessian_agree():
    runs = [
        minimize(rosen, START, jac=rosen_der, method=newton, hess=rosen_hess),
        minimize(rosen, START, jac=rosen_der, method=newton, hessp=rosen_hess_prod),
        minimize(rosen, START, jac=rosen_der, method=newton),
        minimize(rosen, START, method=newton),
    ]
    for run in runs:
        assert run.success
        np.testing.assert_allclose(run.x, runs[0].x, atol=2e-4)
    assert runs[1].nhev == 4 * (runs[1].nit + 1)
    assert runs[2].nhev == 0


def test_a_hessian_that_is_not_finite_is_no_error():
    hess = lambda x: np.array([[np.nan, 1.0], [1 + 1e-12, 2.0]])  # noqa: E731
    options = {"maxiter": 3}
    res = minimize(rosen, [-1.2, 1.0], jac=rosen_der, hess=hess, method=newton, options=options)
    assert res.nit == 3
    assert res.fun < rosen([-1.2, 1.0])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"hess": lambda x: np.eye(3)}, ValueError, "`hess` must return a real matrix of shape"),
        ({"hess": lambda x: None}, ValueError, "`hess` must return a real matrix"),
        ({"hess": lambda x: np.triu(np.ones((4, 4)))}, ValueError, "symmetric"),
        ({"hess": lambda x: csr_array(np.eye(3))}, ValueError, r"shape \(4, 4\), got shape"),
        ({"hess": lambda x: aslinearoperator(np.eye(3))}, ValueError, r"shape \(4, 4\)"),
        ({"hess": 3}, TypeError, "`hess` must be callable"),
        ({"hess": BFGS()}, TypeError, "`hess` must be callable, .* update strategy BFGS"),
        ({"hess": SR1()}, TypeError, "`hess` must be callable, .* update strategy SR1"),
        ({"hessp": 3}, TypeError, "`hessp` must be callable"),
        ({"hessp": lambda x, p: p[:2]}, ValueError, "`hessp` must return an array of shape"),
    ],
)
def test_bad_hessians_are_named(given, error, message):
    with pytest.raises(error, match=message):
        minimize(rosen, START, jac=rosen_der, method=newton, **given)


# --- endings


def test_a_wrong_gradient_ends_in_precision_loss_with_advice(descent):
    if descent.auto == "fixed":
        return
    res = minimize(bowl, np.zeros(8), jac=lambda x: -slope(x), method=descent)
    assert (res.success, res.status) == (False, 2)
    assert "check_grad=True" in res.message
    assert "schedule" in res.message


def test_a_noisy_objective_is_told_about_schedules(descent):
    rng = np.random.default_rng(0)
    res = minimize(
        lambda x: bowl(x) + rng.normal(),
        np.zeros(8),
        jac=lambda x: slope(x) + rng.normal(size=8),
        method=descent,
        options={"maxiter": 5000},
    )
    assert not res.success
    if res.status in (2, 5):
        assert "schedule" in res.message


def test_auto_is_the_default_and_the_constant_an_option():
    auto = minimize(rosen, START, jac=rosen_der, method=adam)
    fixed = minimize(rosen, START, jac=rosen_der, method=adam, options={"learning_rate": 1e-3})
    assert auto.success
    assert 3 * auto.nit < fixed.nit
    assert gd.learning_rate == "auto"
    assert gd.constant == 1e-3


def test_the_random_step_follows_the_successes():
    search = METHODS["random_search"]
    options = {"rng": 0, "target": 1e-12, "maxiter": 20_000}
    auto = minimize(bowl, np.zeros(8), method=search, options=options)
    assert auto.success
    fixed = minimize(bowl, np.zeros(8), method=search, options=options | {"learning_rate": 0.1})
    assert not fixed.success


@pytest.mark.parametrize("each", [gd, lbfgs], ids=lambda m: m.__name__)
def test_a_square_that_overflows_is_not_taken_for_a_value_that_is_not_finite(each):
    with np.errstate(over="ignore"):
        res = minimize(lambda x: 1e200 * (x @ x), [1.0, 2.0], jac=lambda x: 2e200 * x, method=each)
    assert (res.success, res.status) == (False, 2)
    assert res.x.tolist() == [1.0, 2.0]


# --- no step at all, and any units


@pytest.mark.parametrize("rate", ["auto", *SEARCHES])
@pytest.mark.parametrize("x0", [[-1.2, 1.0], [1.3, 0.7, 0.8, 1.9, 1.2], [1.5, 8.0]])
def test_a_trial_that_leaves_x_where_it_is_is_no_step(rate, x0):
    """Differences end in rounding: steps along such gradients may be shorter than a last digit."""
    xs = iterates(lbfgs, jac=None, x0=x0, maxiter=20_000, learning_rate=rate)
    assert len(xs) < 1000 or rate == "armijo"
    assert all((x != y).any() for x, y in pairwise(xs))


@pytest.mark.parametrize("unit", [1e-9, 1e-7, 1e-3, 1e3])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e16])
def test_lbfgs_remembers_its_steps_in_any_units(unit, scale):
    """Curvature of any size enters the memory: the same steps, up to the first one's length."""
    res = minimize(
        lambda x: scale * rosen(x / unit),
        unit * START,
        jac=lambda x: scale / unit * rosen_der(x / unit),
        method=lbfgs,
        options={"gtol": 1e-5 * scale / unit},
    )
    assert res.success
    assert res.nfev < 120
    assert rosen(res.x / unit) < 1e-9


@pytest.mark.parametrize("A", [[1.0, 100.0, 1e6], [3.0, 2.0], [1.0]])
def test_newton_is_not_fooled_by_a_jac_that_fills_one_array(A):
    A, filled = np.array(A), np.empty(len(A))

    def jac(x):
        filled[:] = A * x + x**3
        return filled

    res = minimize(
        lambda x: 0.5 * A @ x**2 + 0.25 * (x**4).sum(), np.ones(A.size), jac=jac, method=newton
    )
    fresh = minimize(
        lambda x: 0.5 * A @ x**2 + 0.25 * (x**4).sum(),
        np.ones(A.size),
        jac=lambda x: A * x + x**3,
        method=newton,
    )
    assert res.success
    np.testing.assert_array_equal(res.x, fresh.x)
    np.testing.assert_array_equal(res.jac, A * res.x + res.x**3)


# --- simultaneous perturbation


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("height", [1e-3, 1e6])
def test_the_first_step_of_spsa_has_the_unit_of_c_and_x(unit, start, n, height):
    """Noise as large as the change of f over a perturbation; never worse than the start."""
    rng = np.random.default_rng(n)

    def fun(x):
        return height * (np.sum((x / unit - 3) ** 2) + 0.3 * rng.normal())

    x0 = np.full(n, start * unit)
    options = {"rng": 1, "c": 0.1 * unit, "maxiter": 2000}
    res = minimize(fun, x0, method=spsa, options=options)
    assert np.abs(res.x / unit - 3).max() < 0.5


# --- Polyak's step


def polyak_steps(x, fun, jac, direction, steps, c=1.0, longest=np.inf, target=0.0):
    """x, and the points after it, by the formula of the book."""
    points = [x]
    for k in range(steps):
        g = jac(x, k)
        d = direction(g)
        x = x - min((fun(x, k) - target) / (c * (g @ d)), longest) * d
        points.append(x)
    return np.array(points)


def test_polyak_steps_are_those_of_the_book():
    def fun(x, k=0):
        return bowl(x) + 3.0

    options = {"learning_rate": "polyak", "target": 3.0, "maxiter": 15}
    found = iterates(gd, fun, slope, np.zeros(8), **options)
    wanted = polyak_steps(np.zeros(8), fun, lambda x, k: slope(x), lambda g: g, 15, target=3.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_polyak_steps_in_the_metric_of_the_method():
    r = np.zeros(8)

    def direction(g):
        r[:] = r + g * g
        return g / (np.sqrt(r) + 1e-10)

    options = {"learning_rate": "polyak", "target": 0.0}
    found = iterates(METHODS["adagrad"], bowl, slope, np.zeros(8), **options)
    wanted = polyak_steps(np.zeros(8), lambda x, k: bowl(x), lambda x, k: slope(x), direction, 30)
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


@pytest.mark.parametrize("longest", [np.inf, 0.01])
def test_polyak_steps_on_batches_are_sps_max(longest):
    """Loizou et al. (2021): c = 1/2, and a bound."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 3)), rng.normal(size=12)

    def fun(w, X, y):
        return 0.5 * np.mean((X @ w - y) ** 2)

    def jac(w, X, y):
        return X.T @ (X @ w - y) / len(y)

    options = {"batch_size": 4, "epochs": 3, "shuffle": False, "return_all": True}
    options |= {"learning_rate": "polyak", "target": 0.0, "max_learning_rate": longest}
    found = minimize(fun, np.zeros(3), (X, y), METHODS["sgd"], jac=jac, options=options)
    rows = [slice(4 * (k % 3), 4 * (k % 3) + 4) for k in range(9)]
    wanted = polyak_steps(
        np.zeros(3),
        lambda w, k: fun(w, X[rows[k]], y[rows[k]]),
        lambda w, k: jac(w, X[rows[k]], y[rows[k]]),
        lambda g: g,
        9,
        0.5,
        longest,
    )
    np.testing.assert_allclose(found.allvecs, wanted, rtol=1e-9)
    assert found.fun == fun(found.x, X, y)


def test_polyak_needs_to_know_the_lowest_value():
    with pytest.raises(ValueError, match="`learning_rate='polyak'` needs the option `target`"):
        minimize(bowl, np.zeros(8), jac=slope, method=gd, options={"learning_rate": "polyak"})
    with pytest.raises(ValueError, match="`learning_rate` must be a number or 'auto'"):
        minimize(
            bowl,
            np.zeros(8),
            method=METHODS["random_search"],
            options={"learning_rate": "polyak", "target": 0.0},
        )


def test_polyak_stays_where_a_batch_has_no_slope():
    X = np.vstack([np.zeros((10, 2)), np.random.default_rng(0).normal(size=(10, 2))])
    options = {"learning_rate": "polyak", "target": 0.0, "batch_size": 5, "shuffle": False}
    res = minimize(
        lambda w, X: np.logaddexp(0, -X @ w).mean(),
        np.zeros(2),
        (X,),
        METHODS["sgd"],
        jac=lambda w, X: -(X / (1 + np.exp(X @ w))[:, None]).mean(0),
        options=options | {"epochs": 3, "max_learning_rate": 0.1},
    )
    assert res.success
    assert res.fun < np.log(2)


def test_polyak_is_not_for_an_estimate_of_the_gradient():
    options = {"learning_rate": "polyak", "target": 0.0}
    with pytest.raises(ValueError, match="`learning_rate` must be a number or 'auto'"):
        minimize(bowl, np.zeros(8), method=METHODS["spsa"], options=options)
