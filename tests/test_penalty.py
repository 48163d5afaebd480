"""The L2 penalty of `weight_decay`: the objective that is minimised, and what is told of it."""

import pickle

import numpy as np
import pytest
from numba import njit
from scipy.optimize import minimize

from scipy_gd import METHODS, adam, adamw, adan, lion, schedule_free_sgd, schedules

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))
Y = X @ np.array([0.7, -1.2, 0.4]) + 0.1 * RNG.normal(size=50)
LEAST = np.linalg.lstsq(X, Y)[0]
PENALISED = [m for m in METHODS.values() if m.penalty]
SEPARATE = [m for m in METHODS.values() if "weight_decay" in m.hyper and not m.penalty]


def fun(w):
    r = X @ w - Y
    return 0.5 * (r @ r) / 50


def jac(w):
    return X.T @ (X @ w - Y) / 50


def ridge(weight):
    return np.linalg.solve(X.T @ X / 50 + np.diag(np.broadcast_to(weight, 3)), X.T @ Y / 50)


def solve(method, weight, fun=fun, jac=jac, **options):
    options = {"weight_decay": weight} | options
    return minimize(fun, np.zeros(3), jac=jac, method=method, options=options)


@pytest.mark.parametrize("each", PENALISED, ids=lambda m: m.__name__)
@pytest.mark.parametrize("rate", [None, "armijo", "wolfe"])
@pytest.mark.parametrize("weight", [1e-3, 0.5, 20.0, [0.0, 0.5, 3.0]])
@pytest.mark.parametrize("gradient", ["given", "pair", "2-point", "3-point"])
def test_the_run_ends_at_the_ridge_solution(each, rate, weight, gradient):
    given = {"given": (fun, jac), "pair": (lambda w: (fun(w), jac(w)), True)}
    f, g = given.get(gradient, (fun, gradient))
    res = solve(each, weight, f, g, learning_rate=rate)
    np.testing.assert_allclose(res.x, ridge(weight), atol=1e-3)
    if gradient != "2-point" or res.success:
        assert res.success
        assert "`weight_decay`/2 |x|^2" in res.message
    assert res.fun == pytest.approx(fun(res.x), rel=1e-14, abs=1e-14)
    np.testing.assert_allclose(res.jac, jac(res.x), atol=1e-6)


@pytest.mark.parametrize("rate", [0.01, 0.001])
def test_a_constant_rate_gets_there_too(rate):
    res = solve(adam, 0.5, learning_rate=rate)
    assert res.success
    np.testing.assert_allclose(res.x, ridge(0.5), atol=1e-4)


def test_groups_say_which_parameters_are_penalised():
    groups = [(slice(1, 3), {"weight_decay": 0.5})]
    res = solve(adam, None, groups=groups)
    assert res.success
    np.testing.assert_allclose(res.x, ridge([0.0, 0.5, 0.5]), atol=1e-4)


def test_no_penalty_changes_nothing():
    assert solve(adam, 0.0).x.tolist() == solve(adam, None).x.tolist()
    assert "weight_decay" not in solve(adam, 0.0).message


def test_the_steps_are_those_of_the_formula():
    """At a constant rate they do not depend on who adds the penalty."""
    seen = []
    options = {"weight_decay": 0.3, "learning_rate": 0.05, "maxiter": 20, "return_all": True}
    res = minimize(fun, np.ones(3), jac=jac, method=adam, options=options)
    x, m, v = np.ones(3), 0.0, 0.0
    for t in range(1, 21):
        seen.append(x)
        g = jac(x) + 0.3 * x
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - 0.05 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(res.allvecs, [*seen, x], rtol=1e-12)


def test_everybody_is_told_the_values_of_fun():
    told = []

    def callback(intermediate_result):
        told.append(intermediate_result.fun - fun(intermediate_result.x))

    options = {"weight_decay": 0.5, "history": True}
    res = minimize(fun, np.ones(3), jac=jac, method=adam, callback=callback, options=options)
    np.testing.assert_allclose(told, 0.0, atol=1e-14)
    np.testing.assert_allclose(res.history.fun[0], fun(np.ones(3)), rtol=1e-14)


# compiled once for all tests
jit_f = njit(lambda x: np.sum(x**4) + np.sum((x - 1) ** 2))
jit_g = njit(lambda x: 4 * x**3 + 2 * (x - 1))
jit_both = njit(lambda x: (np.sum(x**4) + np.sum((x - 1) ** 2), 4 * x**3 + 2 * (x - 1)))


@pytest.mark.parametrize("each", PENALISED, ids=lambda m: m.__name__)
@pytest.mark.parametrize("gradient", ["given", "pair", "2-point", "cs"])
@pytest.mark.parametrize("weight", [0.5, [0.0, 0.5, 3.0]])
def test_compiled_runs_are_the_same(each, gradient, weight):
    given = {"given": (jit_f, jit_g), "pair": (jit_both, True)}.get(gradient, (jit_f, gradient))
    runs = [solve(each, weight, *given, compiled=compiled) for compiled in (True, False)]
    assert runs[0].x.tolist() == runs[1].x.tolist()
    assert (runs[0].nfev, runs[0].njev, runs[0].fun) == (runs[1].nfev, runs[1].njev, runs[1].fun)
    assert runs[0].success or gradient == "2-point"


def test_the_run_goes_on_from_its_state():
    whole, half = solve(adam, 0.5, maxiter=40), solve(adam, 0.5, maxiter=15)
    state = pickle.loads(pickle.dumps(half.state))
    rest = solve(adam, 0.5, maxiter=25, resume=state)
    assert rest.x.tolist() == whole.x.tolist()


@pytest.mark.parametrize("each", SEPARATE, ids=lambda m: m.__name__)
def test_a_separate_decay_is_no_penalty(each):
    """Without noise it only holds the parameters within a box, and the message says so."""
    if each.auto == "bold":
        res = solve(each, 0.5)
        assert res.success
        np.testing.assert_allclose(res.x, LEAST, atol=1e-3)
    held = solve(each, 4.0, learning_rate=0.01, maxiter=5000)
    if each in (adamw, adan, lion):
        assert abs(held.x).max() < 0.26
    if held.status in (2, 5):
        assert "in a box around 0" in held.message


def test_batches_and_schedules_leave_the_penalty_to_the_formula():
    def loss(w, X, Y):
        r = X @ w - Y
        return 0.5 * (r @ r) / len(Y), X.T @ r / len(Y)

    options = {"batch_size": 10, "rng": 0, "epochs": 300, "weight_decay": 0.5}
    res = minimize(loss, np.zeros(3), (X, Y), adam, jac=True, options=options)
    np.testing.assert_allclose(res.x, ridge(0.5), atol=0.05)
    assert res.fun == loss(res.x, X, Y)[0]
    for weight in (lambda t: 0.5, schedules.constant(0.5)):
        res = solve(adam, weight, learning_rate=0.01)
        np.testing.assert_allclose(res.x, ridge(0.5), atol=0.01)
    assert schedule_free_sgd.penalty == adam.penalty == "weight_decay"
    assert adamw.penalty is None
