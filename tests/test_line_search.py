"""The line searches on their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import rosen, rosen_der

from scipy_gd import line_search

X = np.array([-1.2, 1.0, 0.3])


@settings(max_examples=100, deadline=None)
@given(
    scale=st.floats(1e-8, 1e4),
    seed=st.integers(0, 1000),
    rule=st.sampled_from(["wolfe", "armijo"]),
    c2=st.sampled_from([0.9, 0.3]),
)
def test_the_step_fulfils_the_conditions(scale, seed, rule, c2):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=3)
    p = -scale * rng.uniform(0.1, 2, 3) * rosen_der(x)
    res = line_search(rosen, rosen_der, x, p, rule=rule, c2=c2)
    assert res.success
    np.testing.assert_allclose(res.x, x + res.alpha * p, rtol=1e-12, atol=1e-12)
    assert res.fun == rosen(res.x)
    assert res.jac.tolist() == rosen_der(res.x).tolist()
    before, after = rosen_der(x) @ p, res.jac @ p
    assert res.fun <= rosen(x) + 1e-4 * res.alpha * before + 1e-10 * abs(rosen(x))
    if rule == "wolfe":
        assert after >= c2 * before
        if c2 < 0.5:
            assert after <= -c2 * before


def test_nothing_is_evaluated_outside_the_bounds():
    seen = []

    def fun(x):
        seen.append(x)
        return rosen(x)

    box = [(-1.3, -1.1), (0.5, 1.05), (None, 0.5)]
    for rule in ("wolfe", "armijo"):
        res = line_search(fun, rosen_der, X, -100 * rosen_der(X), rule=rule, bounds=box)
        assert res.success
        assert res.fun < rosen(X)
    points = np.array(seen)
    assert (points >= [-1.3, 0.5, -np.inf]).all()
    assert (points <= [-1.1, 1.05, 0.5]).all()


def test_steps_out_of_the_domain_are_too_long():
    def fun(x):
        with np.errstate(all="ignore"):
            return float(x[0] - np.log(x[0]))

    for rule in ("wolfe", "armijo"):
        res = line_search(fun, lambda x: 1 - 1 / x, [3.0], [-1e4], rule=rule)
        assert res.success
        assert 0 < res.x[0] < 3


def test_uphill_is_a_failure_without_a_step():
    res = line_search(rosen, rosen_der, X, rosen_der(X))
    assert (res.success, res.alpha, res.nfev, res.njev) == (False, 0.0, 1, 1)
    assert "descent direction" in res.message
    assert res.x.tolist() == X.tolist()
    assert res.fun == rosen(X)
    assert res.jac.tolist() == rosen_der(X).tolist()


def test_a_wrong_slope_and_a_small_budget_end_cleanly():
    wrong = line_search(rosen, lambda x: -rosen_der(x), X, rosen_der(X))
    assert not wrong.success
    assert wrong.alpha == 0.0
    assert wrong.nfev <= 60
    short = line_search(rosen, rosen_der, X, -1e6 * rosen_der(X), maxfev=2)
    assert (short.success, short.nfev) == (False, 2)
    assert "maxfev" in short.message


def test_a_search_stops_at_the_rounding_of_f():
    x = np.array([1.0 + 1e-9, 1.0])
    res = line_search(lambda x: 1e8 + rosen(x), rosen_der, x, -1e-3 * rosen_der(x))
    assert res.nfev < 60


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"direction": [1.0]}, ValueError, "`direction` must have shape"),
        ({"direction": [np.nan, 1, 1]}, ValueError, "finite"),
        ({"x": []}, ValueError, "`x0` must not be empty"),
        ({"rule": "exact"}, ValueError, "`rule` must be one of"),
        ({"c2": 1.0}, ValueError, "`c2` must be"),
        ({"c2": "a"}, TypeError, "`c2` must be"),
        ({"maxfev": 0}, ValueError, "`maxfev` must be"),
        ({"jac": lambda x: None}, TypeError, "`jac` must return"),
    ],
)
def test_bad_input(change, error, message):
    given = {"fun": rosen, "jac": rosen_der, "x": X, "direction": -rosen_der(X)} | change
    with pytest.raises(error, match=message):
        line_search(**given)
