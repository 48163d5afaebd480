"""What has once gone wrong with many problems at once, and with the loop that they share."""

import numpy as np
import pytest
from numba import njit
from numba.typed import Dict, List
from scipy.optimize import minimize

import scipy_gd._run.members as members
from scipy_gd import gd, lbfgs, levenberg_marquardt, minimize_many
from scipy_gd._evaluate.squares import weighed

T = np.linspace(0.0, 3.0, 8)


@njit
def decay(x, t, y):
    return x[0] * np.exp(-x[1] * t) - y


@njit
def bowl(x, a):
    return ((x - a) ** 2).sum() + 0.1 * (x**4).sum()


@njit
def by_length(x, text):
    return ((x - len(text)) ** 2).sum()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Compile whatever can be compiled."""
    monkeypatch.setattr(members, "WAIT", -1.0)


@pytest.fixture
def alone(monkeypatch):
    """Which problems were run by themselves."""
    seen, run_alone = [], members.run_alone

    def counted(some, i, *more):
        seen.append(some.first + i)
        run_alone(some, i, *more)

    monkeypatch.setattr(members, "run_alone", counted)
    return seen


def decays(k):
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 3.0, (k, 2, 1))
    return p[:, 0] * np.exp(-p[:, 1] * T) + 0.03 * rng.standard_normal((k, T.size))


def test_the_order_of_a_sum_does_not_depend_on_where_its_arrays_are():
    room, r = np.empty(400), np.random.default_rng(0).standard_normal(8)
    room[200:208] = r
    found = {
        weighed(np.array([0.0, 1.0, 0.0]), room[200:208], room[200 + gap : 208 + gap])
        for gap in range(8, 100)
    }
    assert len(found) == 1


@pytest.mark.parametrize("scheme", ["2-point", "3-point", "cs"])
def test_differences_have_the_same_steps_in_both_drivers(scheme):
    for a in np.linspace(-1.0, 1.0, 9):
        options = {"finite_diff_scheme": scheme, "maxiter": 3}
        plain, compiled = (
            minimize(bowl, [1.0, 1.0], (a,), lbfgs, options=options | {"compiled": c})
            for c in (False, True)
        )
        assert plain.jac.tolist() == compiled.jac.tolist()


def typed_dict():
    given = Dict()
    given["a"] = 2.0
    return given


@njit
def of_dict(x, given):
    return ((x - given["a"]) ** 2).sum()


@njit
def of_sequence(x, given):
    total = 0.0
    for each in given:
        total += ((x - each) ** 2).sum()
    return total


@pytest.mark.parametrize(
    ("fun", "given"),
    [(of_sequence, [1.0, 2.0]), (of_sequence, List([1.0, 2.0])), (of_dict, typed_dict())],
)
@pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPendingDeprecationWarning")
def test_a_long_run_with_containers_goes_to_its_end(monkeypatch, fun, given):
    monkeypatch.setattr("scipy_gd._run.drive.WAIT", -1.0)
    options = {"learning_rate": 1e-3, "maxiter": 50}
    run = minimize(fun, [5.0], (given,), gd, options=options)
    plain = minimize(fun, [5.0], (given,), gd, options=options | {"compiled": False})
    assert run.nit == 50
    assert run.x == plain.x


@pytest.mark.parametrize("kind", [list, np.array])
def test_rows_that_compiled_code_would_take_differently(kind):
    texts = kind(["a", "bb", "ccc"])
    options = {"finite_diff_scheme": "3-point"}
    run = minimize_many(by_length, [0.0, 0.0], (texts,), 0, options=options)
    np.testing.assert_allclose(run.x[:, 0], [1.0, 2.0, 3.0], rtol=1e-6)


def test_ragged_data():
    times = [T[: 5 + i] for i in range(3)]
    run = minimize_many(decay, [1.0, 1.0], (times, [2.0 * np.exp(-t) for t in times]), 0,
                        method=levenberg_marquardt)  # fmt: skip
    np.testing.assert_allclose(run.x, [[2.0, 1.0]] * 3, rtol=1e-6)
    assert run.dof.tolist() == [3, 4, 5]


@pytest.mark.parametrize("fun", [bowl, bowl.py_func])
def test_what_every_problem_raises_is_raised(fun):
    with pytest.raises(Exception, match=r"boundary|broadcast|shape"):
        minimize_many(fun, [1.0, 1.0], (np.ones((3, 5)),), 0)


def test_a_fit_whose_last_jacobian_is_elsewhere_is_completed_in_the_loop(alone):
    y = decays(100)
    run = minimize_many(decay, [1.0, 1.0], (T, y), (None, 0), method=levenberg_marquardt)
    assert alone == [0]
    for i in range(0, 100, 7):
        one = minimize(decay, [1.0, 1.0], (T, y[i]), levenberg_marquardt)
        assert run.nfev[i] == one.nfev
        assert run.njev[i] == one.njev
        assert run.covariance[i].tolist() == one.covariance.tolist()


def test_a_problem_that_fails_first_does_not_slow_down_the_others(alone):
    y, x0 = decays(100), np.ones((100, 2))
    y[0], x0[1] = np.nan, np.nan
    run = minimize_many(decay, x0, (T, y), (None, 0), method=levenberg_marquardt)
    assert run.success.sum() == 98
    assert len(alone) < 10


def test_an_interrupted_block_keeps_what_is_done(monkeypatch):
    calls, compiled = [], members.many

    def interrupted(*given):
        compiled(*given)
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(members, "many", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        minimize_many(decay, [1.0, 1.0], (T, decays(4000)), (None, 0), method=levenberg_marquardt)
    run = caught.value.optimize_result
    assert 1 < run.success.sum() < 4000
    assert np.isnan(run.x[~run.success]).all()


def test_a_start_of_any_kind():
    pandas = pytest.importorskip("pandas")
    y = decays(2)
    run = minimize_many(
        decay, pandas.Series([1.0, 1.0]), (T, y), (None, 0), method=levenberg_marquardt
    )
    assert run.success.all()
