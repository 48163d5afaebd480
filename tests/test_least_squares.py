"""Residuals: Levenberg-Marquardt step by step, sources, losses, bounds, errors of parameters."""

import copy
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy.optimize import (
    Bounds,
    LbfgsInvHessProduct,
    OptimizeResult,
    check_grad,
    curve_fit,
    least_squares,
    leastsq,
    lsq_linear,
    minimize,
    rosen,
    rosen_der,
    rosen_hess,
)

from scipy_gd import (
    adam,
    cg_descent,
    gd,
    lbfgs,
    levenberg_marquardt,
    newton,
    random_search,
    spg,
    uncertainty,
)
from scipy_gd._evaluate.squares import weigh

LM = levenberg_marquardt
OTHERS = [lbfgs, cg_descent, newton, spg, gd]
T = np.linspace(0.0, 4.0, 40)
TRUE = np.array([2.5, 1.3, 0.5])
START = np.array([1.0, 1.0, 1.0])
LOSSES = ["linear", "soft_l1", "huber", "cauchy", "arctan"]
NAMES = ["amplitude", "rate", "offset"]


def decay(p, t, y):
    return p[0] * np.exp(-p[1] * t) + p[2] - y


def decay_jac(p, t, y):
    e = np.exp(-p[1] * t)
    return np.stack((e, -p[0] * t * e, np.ones_like(t)), axis=1)


def decay_both(p, t, y):
    return decay(p, t, y), decay_jac(p, t, y)


def data(noise=0.02, outliers=0, seed=0):
    rng = np.random.default_rng(seed)
    y = decay(TRUE, T, 0.0) + noise * rng.standard_normal(T.size)
    y[: 3 * outliers : 3] += 3.0
    return T, y


def valley(x):
    """Rosenbrock's function as residuals."""
    return np.sqrt(2) * np.concatenate((10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]))


def valley_jac(x):
    n = x.size
    J = np.zeros((2 * n - 2, n))
    for i in range(n - 1):
        J[i, i], J[i, i + 1], J[n - 1 + i, i] = -20 * x[i], 10, -1
    return np.sqrt(2) * J


def fit(fun=decay, x0=START, method=LM, args=None, jac=decay_jac, bounds=None, **options):
    args = data() if args is None else args
    return minimize(fun, x0, args, jac=jac, method=method, bounds=bounds, options=options)


def same(a, b):
    assert a.x.tolist() == b.x.tolist()
    assert (a.fun, a.nit, a.nfev, a.njev, a.status) == (b.fun, b.nit, b.nfev, b.njev, b.status)
    for key in ("jac", "residuals", "jacobian", "covariance"):
        assert np.array_equal(a[key], b[key], equal_nan=True), key


# --- the steps


class Points:
    """A function and the points it is called at."""

    def __init__(self, fun):
        self.fun, self.seen = fun, []

    def __call__(self, x, *args):
        self.seen.append(x.copy())
        return self.fun(x, *args)


def exponentials(p, t, y):
    return p[0] * np.exp(-p[1] * t) + p[2] * np.exp(-p[3] * t) - y


def exponentials_jac(p, t, y):
    a, b = np.exp(-p[1] * t), np.exp(-p[3] * t)
    return np.stack((a, -p[0] * t * a, b, -p[2] * t * b), axis=1)


CASES = {
    "valley": (valley, valley_jac, np.array([-1.2, 1.0]), ()),
    "long valley": (valley, valley_jac, np.array([-1.2, 1.0, 1.5, -0.5]), ()),
    "decay": (decay, decay_jac, np.array([10.0, 0.1, -3.0]), data()),
    "decay in other units": (
        lambda p, *args: 1e6 * decay(p * [1e6, 1e-9, 1.0], *args),
        lambda p, *args: 1e6 * decay_jac(p * [1e6, 1e-9, 1.0], *args) * [1e6, 1e-9, 1.0],
        np.array([1e-6, 3e9, 0.1]),
        data(),
    ),
    "exponentials": (
        exponentials,
        exponentials_jac,
        np.array([1.0, 0.3, 1.0, 5.0]),
        data(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_trials_are_those_of_minpack(case):
    """Moré's algorithm from QR factors, with the same first radius, evaluates the same points."""
    fun, jac, x0, args = CASES[case]
    theirs, mine = Points(fun), Points(fun)
    with np.errstate(all="ignore"):
        leastsq(theirs, x0, args, Dfun=jac, factor=1.0, full_output=True, ftol=1e-8)
        fit(mine, x0, args=args, jac=jac)
    ours = np.array(mine.seen)
    # MINPACK's wrapper looks at the shapes first
    reference = [x for k, x in enumerate(theirs.seen) if k == 0 or not np.array_equal(x, x0)]
    count = min(len(ours), len(reference), 15)
    assert count >= 6
    scale = np.abs(np.array(reference[:count])).max(axis=0)
    assert np.abs((ours[:count] - reference[:count]) / scale).max() < 1e-6


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans())
def test_a_first_step_solves_its_equations(seed, n, free):
    """From any start: (J'J + lambda D^2) p = -J'r, with |D p| the radius, or less and lambda 0."""
    rng = np.random.default_rng(seed)
    m = n + int(rng.integers(0, 4))
    J, r0 = rng.standard_normal((m, n)) * 10.0 ** rng.uniform(-3, 3, n), rng.standard_normal(m)
    x0 = np.zeros(n) if free else rng.standard_normal(n) * 1e-3
    points = Points(lambda x: r0 + J @ (x - x0))
    fit(points, x0, args=(), jac=lambda x: J, maxiter=1)
    p = points.seen[1] - x0
    D = np.linalg.norm(J, axis=0)
    radius = np.linalg.norm(D * x0) or 1.0
    gauss_newton = np.linalg.lstsq(J * (1 / D), -r0, rcond=None)[0] / D
    if np.linalg.norm(D * gauss_newton) <= 1.1 * radius:
        np.testing.assert_allclose(D * p, D * gauss_newton, atol=1e-6 * radius)
        return
    assert np.linalg.norm(D * p) <= 1.1 * radius * (1 + 1e-9)
    # the multiplier that explains one component explains all of them
    left, right = (J.T @ (r0 + J @ p)) / D, -D * p
    shift = left @ right / (right @ right)
    assert shift >= -1e-9
    np.testing.assert_allclose(left, shift * right, atol=1e-6 * np.linalg.norm(left))


def test_acceleration_bends_the_step_by_the_second_derivative():
    """v + a, with a = -(J'J + lambda D^2)^-1 J' r_vv / 2 (Transtrum and Sethna 2012)."""
    x0 = np.array([-1.2, 1.0])
    points = Points(valley)
    fit(points, x0, args=(), jac=valley_jac, accelerate=True, maxiter=1)
    v = (points.seen[1] - x0) / 0.1
    J, r = valley_jac(x0), valley(x0)
    D = np.linalg.norm(J, axis=0)
    shift = np.mean((J.T @ (r + J @ v)) / (-D * D * v))
    assert shift > 0
    second = np.array([-20 * np.sqrt(2) * v[0] ** 2, 0.0])  # of the residuals, along v
    a = -np.linalg.solve(J.T @ J + shift * np.diag(D * D), J.T @ second) / 2
    bent = 2 * np.linalg.norm(D * a) <= 0.75 * np.linalg.norm(D * v)
    if bent:
        np.testing.assert_allclose(points.seen[2], x0 + v + a, rtol=1e-6)
    else:  # another, shorter step
        assert np.linalg.norm(points.seen[2] - x0) < 0.1 * np.linalg.norm(D * v)


def test_acceleration_saves_evaluations_in_a_bent_valley():
    costs = []
    for accelerate in (False, True):
        res = fit(
            valley, [-1.2, 1.0, -0.5, 2.0, 1.5], args=(), jac=valley_jac, accelerate=accelerate
        )
        assert res.success
        np.testing.assert_allclose(res.x, 1, rtol=1e-8)
        costs.append(res.nfev + 5 * res.njev)
    assert costs[1] < costs[0]


# --- newton in a trust region


@pytest.mark.parametrize("n", [2, 4])
def test_newton_takes_the_step_of_the_model(n):
    """From where the Hessian is positive definite and the radius is large enough."""
    x0 = np.linspace(1.1, 1.2, n)
    points = Points(rosen)
    minimize(points, x0, jac=rosen_der, hess=rosen_hess, method=newton, options={"maxiter": 1})
    p = np.linalg.solve(rosen_hess(x0), -rosen_der(x0))
    np.testing.assert_allclose(points.seen[1], x0 + p, rtol=1e-10)


def test_newton_leaves_a_saddle_downhill():
    """x^2 - y^2 + y^4/4 from a point where the Hessian is indefinite."""
    res = minimize(
        lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4,
        [1.0, 1e-3],
        jac=lambda x: np.array([2 * x[0], -2 * x[1] + x[1] ** 3]),
        hess=lambda x: np.diag([2.0, -2 + 3 * x[1] ** 2]),
        method=newton,
    )
    assert res.success
    np.testing.assert_allclose(res.x, [0, np.sqrt(2)], atol=1e-6)


@pytest.mark.parametrize("option", ["ftol", "xtol"])
def test_tolerances_of_newton_are_those_of_every_method(option):
    shift = 1e3  # relative to f they would hold at once
    res = minimize(
        lambda x: rosen(x) + shift, [-1.2, 1.0], jac=rosen_der, hess=rosen_hess, method=newton,
        options={option: 1e-6, "gtol": 0.0},
    )  # fmt: skip
    assert res.success
    assert option in res.message
    assert res.fun - shift < 1e-2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_hessian_that_is_not_finite_is_left_out(bad):
    def hess(x):
        return np.full((2, 2), bad) if x[0] < 0 else rosen_hess(x)

    res = minimize(rosen, [-1.2, 1.0], jac=rosen_der, hess=hess, method=newton)
    assert res.success
    np.testing.assert_allclose(res.x, 1, atol=1e-6)


# --- where residuals and Jacobians come from


@pytest.mark.parametrize("solver", [LM, *OTHERS, adam])
@pytest.mark.parametrize("loss", LOSSES)
def test_all_sources_agree(solver, loss):
    options = {"loss": loss, "f_scale": 0.1, "maxiter": 6}
    if solver is not LM:
        options["residuals"] = True
    if solver is adam:
        options["learning_rate"] = 0.05
    args = data(outliers=3)
    exact = fit(args=args, method=solver, **options)
    same(exact, exact)
    assert fit(decay_both, args=args, jac=True, method=solver, **options).x.tolist() == (
        exact.x.tolist()
    )
    sparse = pytest.importorskip("scipy.sparse").csr_array
    wrapped = fit(args=args, jac=lambda *a: sparse(decay_jac(*a)), method=solver, **options)
    assert wrapped.x.tolist() == exact.x.tolist()
    for scheme, digits in (("2-point", 1e-4), ("3-point", 1e-6), ("cs", 1e-7)):
        near = fit(args=args, jac=None, method=solver, finite_diff_scheme=scheme, **options)
        np.testing.assert_allclose(near.x, exact.x, rtol=digits)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_objective_and_its_gradient(loss):
    args, scale = data(outliers=3), 0.1
    res = fit(args=args, loss=loss, f_scale=scale, maxiter=2)
    reference = least_squares(
        decay, res.x, jac=decay_jac, args=args, loss=loss, f_scale=scale, max_nfev=1
    )
    np.testing.assert_allclose(res.fun, reference.cost, rtol=1e-13)
    np.testing.assert_allclose(res.jac, reference.grad, rtol=1e-10)
    np.testing.assert_allclose(res.residuals, decay(res.x, *args), rtol=1e-15)
    np.testing.assert_allclose(res.jacobian, decay_jac(res.x, *args), rtol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("solver", [LM, lbfgs, newton])
def test_losses_are_minimised(solver, loss):
    args, options = data(outliers=3), {} if solver is LM else {"residuals": True}
    res = fit(args=args, method=solver, loss=loss, f_scale=0.1, **options)
    best = least_squares(
        decay, TRUE, jac=decay_jac, args=args, loss=loss, f_scale=0.1, xtol=1e-15, ftol=1e-15
    )
    assert res.success
    assert res.fun <= best.cost * (1 + 1e-9)


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("scheme", [None, "pair", "2-point", "3-point", "cs"])
def test_counts_are_real_calls(scheme, accelerate):
    calls = {"fun": 0, "jac": 0}

    def fun(p, *args):
        calls["fun"] += 1
        found = decay(p, *args)
        return (found, decay_jac(p, *args)) if scheme == "pair" else found

    def jac(p, *args):
        calls["jac"] += 1
        return decay_jac(p, *args)

    given = {None: jac, "pair": True}.get(scheme)
    options = {"finite_diff_scheme": scheme} if given is None else {}
    res = fit(fun, jac=given, accelerate=accelerate, **options)
    assert res.success
    assert res.nfev == calls["fun"]
    if scheme is None:
        assert res.njev == calls["jac"]
    if scheme == "pair":
        assert res.njev == calls["fun"]


def test_steps_of_differences_are_relative_to_x():
    points = Points(decay)
    x0 = np.array([1e-6, 2.0, 0.0])
    fit(points, x0, jac=None, maxiter=0, finite_diff_scheme="2-point")
    steps = [np.abs(x - x0).max() for x in points.seen[1:]]
    eps = np.sqrt(np.finfo(float).eps)
    np.testing.assert_allclose(steps, [1e-6 * eps, 2 * eps, eps], rtol=1e-6)
    points = Points(decay)
    fit(points, x0, jac=None, maxiter=0, finite_diff_abs_step=[1e-9, 1e-3, 1e-2])
    steps = [np.abs(x - x0).max() for x in points.seen[1:]]
    np.testing.assert_allclose(steps, [1e-9, 1e-3, 1e-2], rtol=1e-6)


@pytest.mark.parametrize("solver", [LM, newton, lbfgs])
@pytest.mark.parametrize("options", [{}, {"x_scale": "auto"}, {"x_scale": [1e-9, 1.0, 1e9]}])
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_any_units(solver, options, unit):
    """Time in nanoseconds, and the rest in another unit each."""
    if solver is not LM:
        if not options or (solver is lbfgs and options["x_scale"] != "auto"):
            return  # an absolute test of the gradient, and units that are wrong
        options = options | {"residuals": True}
    t, y = data()
    units = np.array([unit, 1 / unit, 1.0])
    res = fit(
        lambda p, *args: decay(p / units, *args), START * units,
        jac=lambda p, *args: decay_jac(p / units, *args) / units, method=solver, **options,
    )  # fmt: skip
    best = fit(args=(t, y))
    assert res.success
    np.testing.assert_allclose(res.x / units, best.x, rtol=1e-5)
    np.testing.assert_allclose(res.stderr / units, best.stderr, rtol=1e-4)


def test_mini_batches_cut_residual_functions():
    args = data(noise=0.001)
    options = {"residuals": True, "batch_size": 7, "epochs": 300, "rng": 0, "learning_rate": 0.02}
    res = fit(method=adam, args=args, **options)
    best = fit(args=args)
    assert res.success
    np.testing.assert_allclose(res.x, best.x, atol=0.1)
    np.testing.assert_allclose(res.fun, np.sum(decay(res.x, *args) ** 2) / 2, rtol=1e-12)
    assert res.residuals.shape == T.shape
    with pytest.raises(ValueError, match="batch"):
        fit(args=args, batch_size=7)


def test_workers_evaluate_the_columns():
    asked = []

    def several(function, points):
        asked.append(len(points))
        return list(map(function, points))

    res = fit(jac=None, workers=several, finite_diff_scheme="3-point")
    same(res, fit(jac=None, finite_diff_scheme="3-point"))
    assert set(asked) == {6}


def test_random_search_and_undefined_functions():
    class Failed(Exception):
        pass

    def fun(p, *args):
        if p[0] > 2.2 and p[1] > 1.8:
            raise Failed
        return decay(p, *args)

    res = fit(fun, undefined=Failed)
    assert res.success
    np.testing.assert_allclose(res.x, fit().x, rtol=1e-6)
    found = fit(method=random_search, residuals=True, rng=0, maxiter=3000)
    assert found.fun < 1.1 * res.fun + 0.01


# --- honesty


def rounded_to(kind):
    if kind == "float32":
        t, y = (each.astype(np.float32) for each in data())

        def fun(p):
            a, b, c = np.float32(p)
            return a * np.exp(-b * t) + c - y

        return fun
    return lambda p: np.round(decay(p, *data()), 4)


@pytest.mark.parametrize("kind", ["float32", "four digits"])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_rounded_residuals_are_fitted_to_their_rounding(kind, given, unit):
    fun = rounded_to(kind)
    jac = (lambda p: decay_jac(p / unit, *data()) / unit) if given else None
    res = fit(lambda p: fun(p / unit), START * unit, args=(), jac=jac)
    best = fit()
    assert np.abs((res.x / unit - best.x) / best.stderr).max() < 0.1
    assert res.nfev < 600


@pytest.mark.parametrize("fun", [
    lambda x: np.array([1.0, 2.0]),  # nothing changes
    lambda x: np.floor(x) + 0.3,
    lambda x: np.array([x[0] ** 2 + 1, 1.0]),  # symmetric about the start
])  # fmt: skip
def test_differences_that_are_all_zero_are_no_success(fun):
    res = fit(fun, [0.0], args=(), jac=None, finite_diff_scheme="3-point")
    assert not res.success
    res = fit(fun, [0.0], args=(), jac=None)
    assert not res.success or abs(res.x[0]) < 1e-6


@pytest.mark.parametrize("factor", [-1.0, np.array([1.0, -1.0, 1.0])])
def test_a_wrong_jacobian_is_no_success(factor):
    res = fit(jac=lambda p, *args: factor * decay_jac(p, *args))
    assert not res.success
    assert "check_grad" in res.message


def test_a_parameter_on_its_way_through_zero_keeps_its_size():
    """arctan(x - 3) from afar: the first step leads to 0, nearly."""
    res = fit(lambda x: np.arctan(x[0] - np.array([3.0, 3.1])), [1e6], args=(), jac=None)
    assert res.success
    assert res.x[0] == pytest.approx(3.05)


@pytest.mark.parametrize("size", [1e-150, 1e-9, 1e9, 1e60])
def test_residuals_in_any_unit(size):
    res = fit(lambda p, *args: size * decay(p, *args), jac=None)
    best = fit()
    assert res.success
    np.testing.assert_allclose(res.x, best.x, rtol=1e-6)
    np.testing.assert_allclose(res.stderr, best.stderr, rtol=1e-5)


# --- bounds


@given(st.integers(0, 2**32 - 1))
def test_boxed_linear_least_squares(seed):
    rng = np.random.default_rng(seed)
    m, n = 8, 4
    A, b = rng.standard_normal((m, n)), rng.standard_normal(m)
    low = rng.uniform(-1, 0.2, n)
    high = low + rng.uniform(0.05, 1, n)
    res = fit(
        lambda x: A @ x - b, (low + high) / 2, args=(), jac=lambda x: A, bounds=Bounds(low, high)
    )
    assert res.success
    best = lsq_linear(A, b, (low, high), tol=1e-14)
    assert ((low <= res.x) & (res.x <= high)).all()
    assert res.fun <= best.cost + 1e-10 * (1 + best.cost)
    assert res.at_bound.tolist() == ((res.x == low) | (res.x == high)).tolist()


@pytest.mark.parametrize("accelerate", [False, True])
def test_nothing_is_evaluated_outside(accelerate):
    points = Points(decay)
    bounds = [(0.5, 2.0), (0, 1.1), (None, 0.6)]
    res = fit(points, bounds=bounds, jac=None, accelerate=accelerate)
    low, high = np.array([(0.5, 0.0, -np.inf), (2.0, 1.1, 0.6)])
    assert res.success
    assert all(((low <= x) & (x <= high)).all() for x in points.seen)
    reference = least_squares(
        decay, [1, 1, 0.5], args=data(), bounds=(low, high), xtol=1e-15, ftol=1e-15
    )
    assert res.fun <= reference.cost * (1 + 1e-8)


def test_a_parameter_that_is_held():
    res = fit(bounds=[(None, None), (1.0, 1.0), (None, None)])
    t, y = data()
    best = np.linalg.lstsq(np.stack((np.exp(-t), np.ones_like(t)), 1), y, rcond=None)[0]
    np.testing.assert_allclose(res.x, [best[0], 1.0, best[1]], rtol=1e-7)
    assert res.stderr[1] == 0.0
    assert (res.covariance[1] == 0.0).all()
    assert "held at the bound" in res.message
    assert "x[1]" in res.message


# --- errors of parameters


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("solver", [LM, lbfgs, newton])
def test_errors_are_those_of_curve_fit(solver, absolute):
    t, y = data()
    sigma = np.linspace(0.01, 0.03, t.size)
    more = {} if solver is LM else {"residuals": True, "gtol": 1e-8}
    res = fit(
        lambda p: decay(p, t, y) / sigma,
        args=(),
        jac=lambda p: decay_jac(p, t, y) / sigma[:, None],
        method=solver,
        absolute_sigma=absolute,
        **more,
    )
    popt, pcov = curve_fit(
        lambda t, a, b, c: decay((a, b, c), t, 0.0), t, y, START, sigma, absolute, ftol=1e-15
    )
    np.testing.assert_allclose(res.x, popt, rtol=1e-6)
    np.testing.assert_allclose(res.covariance, pcov, rtol=1e-5)
    np.testing.assert_allclose(res.stderr, np.sqrt(np.diag(pcov)), rtol=1e-5)
    assert res.dof == t.size - 3


@pytest.mark.parametrize("scheme", [None, "2-point", "3-point", "cs"])
def test_what_the_data_do_not_determine(scheme):
    def fun(p, t, y):
        return p[0] * p[2] * np.exp(-p[1] * t) - y

    def jac(p, t, y):
        e = np.exp(-p[1] * t)
        return np.stack((p[2] * e, -p[0] * p[2] * t * e, p[0] * e), 1)

    options = {} if scheme is None else {"finite_diff_scheme": scheme}
    res = fit(fun, jac=None if scheme else jac, parameter_names=["a", "b", "c"], **options)
    assert np.isinf(res.stderr[[0, 2]]).all()
    assert np.isfinite(res.stderr[1])
    assert "do not determine" in res.message
    assert "a - " in res.message
    assert "b" not in res.message.split("determine")[1]
    assert "not determined" in str(res)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_what_is_not_determined_does_not_depend_on_units(unit):
    res = fit(
        lambda p, t, y: p[0] / unit * (p[2] * unit) * np.exp(-p[1] * t) - y,
        START * [unit, 1.0, 1.0 / unit],
        jac=None,
        parameter_names=["a", "b", "c"],
    )
    assert np.isinf(res.stderr).tolist() == [True, False, True]
    assert np.isfinite(res.covariance[1, 1])
    assert " a - " in res.message and " c." in res.message


def test_fewer_residuals_than_parameters():
    res = fit(lambda x: np.array([x[0] + x[1] - 2, x[2]]), args=(), jac=None)
    assert res.success
    assert res.fun < 1e-20
    assert np.isinf(res.stderr[:2]).all()
    res = fit(lambda x: np.array([x[0] - 3]), [1.0], args=(), jac=None)
    assert res.success
    assert res.x == pytest.approx(3)


def test_a_fit_is_printed_as_a_table():
    res = fit(parameter_names=NAMES)
    assert isinstance(res, OptimizeResult)
    text = str(res)
    lines = [line.split() for line in text.splitlines()]
    for name, value, error in zip(NAMES, res.x, res.stderr, strict=True):
        (row,) = [line for line in lines if line[:1] == [name]]
        assert row[2] == "+-"
        assert float(row[1]) == pytest.approx(value, abs=error / 5)
        assert float(row[3]) == pytest.approx(error, rel=0.06)
    assert "degrees of freedom: 37" in text
    assert f"{2 * res.fun:.8g}" in text
    assert res.message in " ".join(text.split())
    assert pickle.loads(pickle.dumps(res)).stderr.tolist() == res.stderr.tolist()
    assert copy.deepcopy(res).parameter_names == tuple(NAMES)


def test_what_the_table_says_of_losses_and_of_exact_fits():
    assert "twice the loss" in str(fit(args=data(outliers=2), loss="cauchy", f_scale=0.05))
    text = str(fit(lambda x: np.array([x[0] - 1, x[1] - 2]), [0.0, 0.0], args=(), jac=None))
    assert "no degrees of freedom" in text


def test_names_go_with_the_history_and_the_error_bars():
    res = fit(parameter_names=NAMES, history=True)
    assert [*res.history.to_pandas()][-3:] == NAMES
    found = uncertainty(decay, res, args=data(), kind="least_squares")
    assert found.parameter_names == tuple(NAMES)
    np.testing.assert_allclose(found.stderr, res.stderr, rtol=1e-6)
    with pytest.raises(ValueError, match="3 different strings"):
        fit(parameter_names=["a", "a", "b"])


def test_hess_inv_of_newton_and_of_a_limited_memory():
    res = minimize(rosen, [-1.2, 1.0], jac=rosen_der, hess=rosen_hess, method=newton)
    np.testing.assert_allclose(res.hess_inv, np.linalg.inv(rosen_hess(res.x)), rtol=1e-6)
    res = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=lbfgs)
    assert isinstance(res.hess_inv, LbfgsInvHessProduct)
    again = pickle.loads(pickle.dumps(res)).hess_inv
    assert again.todense().tolist() == res.hess_inv.todense().tolist()
    assert res.hess_inv(np.ones(2)).shape == (2,)


@pytest.mark.parametrize("maxcor", [2, 3, 30])
def test_the_pairs_of_hess_inv_are_in_order(maxcor):
    """The newest pair fulfils the secant equation, whichever row it is in."""
    points = []
    res = minimize(
        rosen, [-1.2, 1.0, 1.5], jac=rosen_der, method=lbfgs, callback=lambda x: points.append(x),
        options={"maxcor": maxcor, "maxiter": 9},
    )  # fmt: skip
    s, y = points[-1] - points[-2], rosen_der(points[-1]) - rosen_der(points[-2])
    np.testing.assert_allclose(res.hess_inv @ y, s, rtol=1e-6, atol=1e-9)


# --- compiled


@njit
def decay_numba(p, t, y):
    return p[0] * np.exp(-p[1] * t) + p[2] - y


@njit
def decay_jac_numba(p, t, y):
    e = np.exp(-p[1] * t)
    return np.stack((e, -p[0] * t * e, np.ones_like(t)), axis=1)


@njit
def decay_both_numba(p, t, y):
    return decay_numba(p, t, y), decay_jac_numba(p, t, y)


COMPILED = [
    *[(LM, source, {}) for source in ("jac", "pair", "2-point", "3-point")],
    (LM, "jac", {"accelerate": True}),
    (LM, "jac", {"loss": "cauchy", "f_scale": 0.05, "x_scale": "auto"}),
    (LM, "2-point", {"bounds": True}),
    (lbfgs, "2-point", {"residuals": True, "loss": "huber", "f_scale": 0.05}),
    (newton, "pair", {"residuals": True}),
    (adam, "jac", {"residuals": True, "learning_rate": 0.05, "maxiter": 300}),
]


@pytest.mark.parametrize(("solver", "source", "options"), COMPILED)
def test_the_compiled_loop_does_the_same(solver, source, options):
    options = dict(options)
    bounds = [(0, 2.2), (0, 9), (0, 9)] if options.pop("bounds", None) else None
    fun, jac = decay_numba, {"jac": decay_jac_numba}.get(source)
    if source == "pair":
        fun, jac = decay_both_numba, True
    if source.endswith("point"):
        options["finite_diff_scheme"] = source
    args = data(outliers=2)
    runs = [
        fit(fun, args=args, jac=jac, method=solver, bounds=bounds, compiled=c, **options)
        for c in (False, True)
    ]
    same(*runs)
    assert runs[0].nit > 3


def test_compiled_callbacks_and_limits():
    seen = [[], []]
    for compiled, points in zip((False, True), seen, strict=True):
        minimize(
            decay_numba, START, data(), jac=decay_jac_numba, method=LM,
            callback=lambda x, points=points: points.append(x.tolist()),
            options={"compiled": compiled},
        )  # fmt: skip
    assert seen[0] == seen[1]
    runs = [fit(decay_numba, jac=None, maxfev=14, compiled=c) for c in (False, True)]
    assert runs[0].x.tolist() == runs[1].x.tolist()
    assert runs[0].nfev == runs[1].nfev <= 14
    assert "maxfev" in runs[0].message


def test_compiled_functions_are_checked():
    @njit
    def shrinking(p, t, y):
        return decay_numba(p, t, y)[: 40 if p[0] < 2 else 39]

    with pytest.raises(ValueError, match="same number of residuals"):
        fit(shrinking, jac=None, compiled=True)

    @njit
    def transposed(p, t, y):
        return decay_jac_numba(p, t, y).T

    with pytest.raises(ValueError, match="transposed"):
        fit(decay_numba, jac=transposed, compiled=True)


# --- SciPy's contract


@pytest.mark.parametrize("limit", [{"maxiter": 3}, {"maxfev": 5}, {"maxtime": 0.0}])
def test_limits(limit):
    res = fit(x0=[10.0, 0.1, -3.0], **limit)
    (name,) = limit
    assert (res.success, res.status) == (False, 1)
    assert name in res.message
    np.testing.assert_allclose(res.fun, np.sum(decay(res.x, *data()) ** 2) / 2, rtol=1e-12)


def test_tolerances():
    tight = fit(x0=[10.0, 0.1, -3.0])
    loose = fit(x0=[10.0, 0.1, -3.0], ftol=1e-3)
    assert loose.success
    assert loose.nit < tight.nit
    assert tight.fun <= loose.fun <= 1.01 * tight.fun
    res = minimize(decay, [10.0, 0.1, -3.0], data(), jac=decay_jac, method=LM, tol=1e-3)
    assert res.nit == loose.nit
    res = fit(gtol=1e3)
    assert (res.success, res.nit) == (True, 0)
    res = fit(target=1.0)
    assert res.success
    assert tight.fun < res.fun <= 1.0


def test_resumed_is_uninterrupted():
    whole = fit(x0=[10.0, 0.1, -3.0], accelerate=True)
    for k in (1, 4, 7):
        part = fit(x0=[10.0, 0.1, -3.0], accelerate=True, maxiter=k)
        rest = fit(x0=[10.0, 0.1, -3.0], accelerate=True, resume=part.state)
        assert rest.x.tolist() == whole.x.tolist()
        assert rest.nit == whole.nit


def test_an_exception_takes_the_best_point_along():
    points = []

    def fun(p, *args):
        points.append(p.copy())
        if len(points) == 6:
            raise RuntimeError("instrument lost")
        return decay(p, *args)

    with pytest.raises(RuntimeError, match="instrument") as caught:
        fit(fun)
    res = caught.value.optimize_result
    costs = [np.sum(decay(p, *data()) ** 2) / 2 for p in points[:-1]]
    assert res.fun == pytest.approx(min(costs), rel=1e-12)


def test_nothing_of_the_users_is_modified_and_arrays_may_be_reused():
    buffer_r, buffer_J = np.empty(T.size), np.empty((T.size, 3))

    def fun(p, *args):
        buffer_r[:] = decay(p, *args)
        p[:] = np.nan
        return buffer_r

    def jac(p, *args):
        buffer_J[:] = decay_jac(p, *args)
        p[:] = np.nan
        return buffer_J

    x0 = START.copy()
    res = fit(fun, x0, jac=jac)
    same(res, fit())
    buffer_r[:] = buffer_J[:] = 0
    assert res.residuals.any()
    assert res.jacobian.any()
    assert x0.tolist() == START.tolist()


def test_threads_do_not_meet():
    alone = fit()
    found = []
    threads = [threading.Thread(target=lambda: found.append(fit())) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in found:
        same(each, alone)


@pytest.mark.parametrize(
    ("fun", "jac", "options", "error", "message"),
    [
        (lambda p, t, y: float(p[0]), None, {}, ValueError, "`fun` must return residuals"),
        (lambda p, t, y: "residuals", None, {}, TypeError, "`fun` must return residuals"),
        (lambda p, t, y: np.ones((3, 2)), None, {}, ValueError, r"got shape \(3, 2\)"),
        (lambda p, t, y: np.array([]), None, {}, ValueError, "`fun` must return residuals"),
        (decay_both, None, {}, (TypeError, ValueError), "`fun` must return residuals"),
        (decay, True, {}, TypeError, r"\(residuals, Jacobian\)"),
        (decay, lambda *a: decay_jac(*a).T, {}, ValueError, "transposed"),
        (decay, lambda p, t, y: p, {}, ValueError, r"shape \(40, 3\), got shape \(3,\)"),
        (decay, None, {"loss": "squared"}, ValueError, "`loss` must be"),
        (decay, None, {"learning_rate": 0.1}, ValueError, "`learning_rate` must be 'auto'"),
        (decay, None, {"learning_rate": "wolfe"}, ValueError, "`learning_rate` must be 'auto'"),
        (decay, None, {"f_scale": 0.0}, ValueError, "`f_scale` must be"),
        (decay, None, {"parameter_names": ["a"]}, ValueError, "`parameter_names` must be 3"),
    ],
)
def test_errors_say_what_was_expected(fun, jac, options, error, message):
    with pytest.raises(error, match=message):
        fit(fun, jac=jac, **options)


def test_a_vector_without_the_option_is_hinted_at():
    with pytest.raises(ValueError, match="use levenberg_marquardt or the option `residuals`"):
        fit(method=lbfgs)


def test_a_length_that_changes():
    with pytest.raises(ValueError, match="same number of residuals at every point, got 40, then"):
        fit(lambda p, t, y: decay(p, t, y)[: 40 if p[0] < 2 else 39], jac=None)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite(bad):
    t, y = data()
    holes = y.copy()
    holes[[3, 7]] = bad
    res = fit(args=(t, holes))
    assert (res.success, res.status) == (False, 3)
    assert "not finite" in res.message
    # away from the start they only make a trial a bad one
    res = fit(
        lambda p, t, y: np.where(p[0] > 2.2, np.where(p[1] > 1.8, bad, 1), 1) * decay(p, t, y)
    )
    assert res.success
    np.testing.assert_allclose(res.x, fit().x, rtol=1e-6)


def test_a_jacobian_is_checked():
    def wrong(p, t, y):
        return decay_jac(p, t, y) * [1, -1, 1]

    with pytest.raises(ValueError, match="gradient"):
        fit(jac=wrong, check_grad=True)
    same(fit(check_grad=True), fit())
    assert (
        check_grad(
            lambda p: np.sum(decay(p, *data()) ** 2) / 2, lambda p: fit(x0=p, maxiter=0).jac, START
        )
        < 1e-5
    )


@pytest.mark.parametrize("loss", range(5))
def test_a_sum_of_squares_does_not_depend_on_where_its_arrays_are(loss):
    """Vectorized code looks how far they are apart, and adds in another order if that is little."""

    @njit
    def weighed(settings, room, r, w, m):
        return weigh(settings, room[r : r + m], room[w : w + m])

    rng, m, room = np.random.default_rng(0), 20, np.zeros(200)
    for _ in range(5):
        residuals, found = rng.normal(size=m), set()
        for w in range(m, 70):
            for place in (100 - w, 100 + w):
                room[100 : 100 + m] = residuals
                found.add(weighed(np.array([loss, 1.0, 1.0]), room, 100, place, m))
        assert len(found) == 1
