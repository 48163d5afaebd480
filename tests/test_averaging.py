"""Averages of the iterates, clipped gradients, groups of parameters."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from scipy_gd import adam, adamw, cg_descent, gd, momentum, schedule_free_sgd, schedules, sgd

X = np.random.default_rng(1).normal(size=(40, 3))


def noisy(w, X):
    r = X @ w - 1
    return r @ r / len(X), 2 * X.T @ r / len(X)


def fit(method=sgd, **options):
    options = {"batch_size": 4, "epochs": 5, "rng": 0, "learning_rate": 0.1} | options
    return minimize(noisy, np.zeros(3), (X,), jac=True, method=method, options=options)


@pytest.mark.parametrize("averaging", ["polyak", 0.9, 0.5])
def test_averages_by_hand(averaging):
    """Of all points after x0, the last one too."""
    points = np.array(fit(return_all=True).allvecs)[1:]
    res = fit(averaging=averaging)
    if averaging == "polyak":
        expected = points.mean(axis=0)
    else:
        weights = averaging ** np.arange(len(points))[::-1]
        expected = weights @ points / weights.sum()
    np.testing.assert_allclose(res.x, expected, rtol=1e-10)
    f, g = noisy(res.x, X)
    assert res.fun == f
    assert res.jac.tolist() == g.tolist()


def test_the_average_of_schedule_free_is_what_it_returns():
    res = fit(schedule_free_sgd, return_all=True)
    points = np.array(res.allvecs)
    assert res.x.tolist() != points[-1].tolist()  # where the gradients are taken
    assert np.ptp(points[-8:], axis=0).max() > abs(points[-1] - res.x).max()


def test_on_a_deterministic_function_the_better_point_is_returned():
    def solve(**options):
        options |= {"learning_rate": 1.9e-3, "maxiter": 60}
        return minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=gd, options=options)

    plain, averaged = solve(), solve(averaging="polyak")
    assert averaged.fun <= plain.fun
    assert averaged.fun == rosen(averaged.x)
    assert averaged.jac.tolist() == rosen_der(averaged.x).tolist()


@pytest.mark.parametrize("bad", ["mean", 0.0, 1.0, 2])
def test_other_averages_are_refused(bad):
    with pytest.raises(ValueError, match="`averaging` must be"):
        fit(averaging=bad)


def test_a_method_with_an_average_of_its_own_takes_no_other():
    with pytest.raises(ValueError, match="schedule_free_sgd, which averages"):
        fit(schedule_free_sgd, averaging="polyak")


# --- clipping


@pytest.mark.parametrize("method_", [gd, momentum, adam], ids=lambda m: m.__name__)
@pytest.mark.parametrize("how", [{"clip_value": 3.0}, {"clip_norm": 5.0}])
def test_the_formula_sees_clipped_gradients(method_, how):
    def clipped(x):
        g = rosen_der(x)
        g = np.clip(g, -how.get("clip_value", np.inf), how.get("clip_value", np.inf))
        return g * min(1.0, how.get("clip_norm", np.inf) / np.linalg.norm(g))

    def path(jac, **options):
        options |= {"learning_rate": 1e-3, "maxiter": 30, "return_all": True}
        return minimize(rosen, [-1.2, 1.0], jac=jac, method=method_, options=options)

    res = path(rosen_der, **how)
    np.testing.assert_allclose(res.allvecs, path(clipped).allvecs, rtol=1e-12)
    assert res.jac.tolist() == rosen_der(res.x).tolist()  # the result is about the true one


def test_gradients_whose_squares_overflow_are_clipped():
    def huge(x):
        return 1e300 * (x @ x), 2e300 * x

    options = {"clip_norm": 1.0, "learning_rate": 0.1, "maxiter": 1}
    res = minimize(huge, [3.0, 4.0], jac=True, method=gd, options=options)
    np.testing.assert_allclose(res.x, [2.94, 3.92], rtol=1e-12)


def test_clipping_does_not_make_a_gradient_small():
    options = {"clip_norm": 1e-9, "learning_rate": 1.0, "maxiter": 5}
    res = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=gd, options=options)
    assert not res.success


@pytest.mark.parametrize("name", ["clip_value", "clip_norm"])
def test_clips_are_positive_and_not_for_all(name):
    with pytest.raises(ValueError, match=f"`{name}` must be above 0"):
        fit(**{name: 0})
    with pytest.raises(ValueError, match="which compares gradients"):
        minimize(rosen, [0.0, 0.0], jac=rosen_der, method=cg_descent, options={name: 1.0})


# --- groups


def path(method, **options):
    options = {"learning_rate": 1e-3, "maxiter": 20, "return_all": True} | options
    return minimize(rosen, np.arange(4.0), jac=rosen_der, method=method, options=options).allvecs


def test_groups_are_arrays_in_short():
    rates = [1e-3, 1e-3, 1e-4, 1e-4]
    groups = [(slice(2, None), {"learning_rate": 1e-4})]
    np.testing.assert_array_equal(path(gd, groups=groups), path(gd, learning_rate=rates))
    groups = [([1, 3], {"weight_decay": 0.1}), (0, {"beta1": 0.5})]
    expected = path(adamw, weight_decay=[0.0, 0.1, 0.0, 0.1], beta1=[0.5, 0.9, 0.9, 0.9])
    np.testing.assert_array_equal(path(adamw, groups=groups), expected)


def test_a_rate_of_a_group_is_taken_by_methods_at_auto():
    groups = [(slice(0, 2), {"learning_rate": 1e-3}), (slice(2, 4), {"learning_rate": 1e-4})]
    expected = path(adam, learning_rate=[1e-3, 1e-3, 1e-4, 1e-4])
    np.testing.assert_array_equal(path(adam, learning_rate="auto", groups=groups), expected)


def test_groups_may_follow_schedules():
    schedule = schedules.exponential(1e-3, 0.9)
    groups = [(slice(0, 2), {"momentum": lambda t: 1 - 1 / t, "learning_rate": schedule})]
    expected = path(
        momentum,
        momentum=lambda t: np.array([1 - 1 / t] * 2 + [0.9] * 2),
        learning_rate=lambda t: np.array([schedule(t)] * 2 + [1e-3] * 2),
    )
    np.testing.assert_array_equal(path(momentum, groups=groups), expected)


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (3, TypeError, "`groups` must be a sequence"),
        ([3], ValueError, "`groups` must be pairs"),
        ([(slice(0, 2), {"lr": 1})], ValueError, "`groups` can only set learning_rate, beta1"),
        ([(17, {"learning_rate": 1})], ValueError, "`groups` must be pairs"),
        ([(slice(0, 2), {"beta1": 3.0})], ValueError, "`beta1` must be"),
        ([(slice(0, 2), {"learning_rate": -1.0})], ValueError, "`learning_rate` must be"),
    ],
)
def test_other_groups_are_refused(groups, error, message):
    with pytest.raises(error, match=message):
        path(adam, groups=groups)
