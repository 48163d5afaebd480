"""The option `stagnation`: where a run stops is what an implementation of its own says."""

import numpy as np
import pytest
from numba import njit
from scipy.optimize import LinearConstraint, minimize, rosen, rosen_der

from scipy_gd import adam, gd, lbfgs, momentum, nesterov_restart, prox, sgd, spsa


def stops_at(values, most, mean):
    """The iteration at which nothing worth the name has happened for so many; the last if none."""
    first = lowest = np.inf
    since, average, best = 0, 0.0, np.inf
    for nit, f in enumerate(values):
        average += (f - average) / min(max(nit, 1), most)
        best = min(best, f)
        f = average if mean else best
        if nit == 0 or (mean and nit <= most):
            first, lowest, since = f, f, nit
        elif f < lowest - 1e-4 * min(abs(lowest), first - lowest):
            lowest, since = f, nit
        if nit - since >= most:
            return nit
    return len(values) - 1


@pytest.mark.parametrize("each", [gd, momentum, adam, lbfgs], ids=lambda m: m.__name__)
@pytest.mark.parametrize("most", [1, 7, 40])
@pytest.mark.parametrize(("unit", "offset"), [(1.0, 0.0), (1e-9, 0.0), (1e6, -3e9)])
def test_the_best_value(each, most, unit, offset):
    def run(**options):
        options = {"maxiter": 400, "gtol": 1e-9, "history": True} | options
        return minimize(
            lambda x: unit * rosen(x) + offset, [-1.2, 1.0], jac=lambda x: unit * rosen_der(x),
            method=each, options=options,
        )  # fmt: skip

    whole, res = run(), run(stagnation=most)
    expected = stops_at(whole.history.fun, most, mean=False)
    assert res.nit == expected
    if res.nit < whole.nit:
        assert (res.success, res.status) == (False, 11)
        assert "`stagnation`" in res.message
        assert f"In the last {most} iteration{'s' * (most > 1)}, the best value" in res.message
        assert res.fun == min(whole.history.fun[: expected + 1])


DATA = np.random.default_rng(0).normal(size=(200, 3))


@njit
def loss(w, rows):
    r = rows @ w - 1.0
    return r @ r / len(r), 2.0 * (rows.T @ r) / len(r)


@pytest.mark.parametrize("most", [5, 60])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_running_mean_of_values_on_samples(most, compiled):
    def run(**options):
        options = {"batch_size": 10, "epochs": 60, "rng": 0, "learning_rate": 0.02} | options
        options |= {"compiled": compiled}
        values.clear()
        return minimize(
            loss, np.full(3, 9.0), (DATA,), sgd, jac=True, options=options,
            callback=lambda intermediate_result: values.append(intermediate_result.fun),
        )  # fmt: skip

    values = []
    res, whole = run(stagnation=most), run()
    start = loss(np.full(3, 9.0), DATA[np.random.default_rng(0).permutation(200)[:10]])[0]
    assert res.nit == stops_at([start, *values[:-1]], most, mean=True) < whole.nit
    assert res.status == 11
    assert "the running mean of the values" in res.message
    assert res.fun == loss(res.x, DATA)[0]


def test_estimates_of_spsa():
    noise = np.random.default_rng(0)
    res = minimize(
        lambda x: x @ x + 0.1 * noise.normal(), [3.0, 3.0], method=spsa,
        options={"stagnation": 300, "rng": 0},
    )  # fmt: skip
    assert res.status == 11
    assert abs(res.x).max() < 0.3


def test_what_is_reached_ahead_of_an_extrapolation():
    A = np.random.default_rng(0).normal(size=(30, 8))
    res = minimize(
        lambda x: 0.5 * np.sum((A @ x - 1) ** 2), np.full(8, 3.0), jac=lambda x: A.T @ (A @ x - 1),
        method=nesterov_restart,
        options={"penalty": prox.l1(1.0), "stagnation": 5, "gtol": 0.0},
    )  # fmt: skip
    assert res.status == 11
    best = minimize(
        lambda x: 0.5 * np.sum((A @ x - 1) ** 2), np.full(8, 3.0), jac=lambda x: A.T @ (A @ x - 1),
        method=nesterov_restart, options={"penalty": prox.l1(1.0)},
    )  # fmt: skip
    assert best.fun <= res.fun <= best.fun * 1.001


def test_a_resumed_run_counts_on():
    def run(**options):
        options = {"stagnation": 9, "gtol": 0.0} | options
        return minimize(rosen, [-1.2, 1], jac=rosen_der, method=momentum, options=options)

    whole = run()
    for cut in (1, whole.nit - 4):
        rest = run(resume=run(maxiter=cut).state)
        assert (rest.nit, rest.x.tolist()) == (whole.nit, whole.x.tolist())


@pytest.mark.parametrize("bad", [0, -3, 1.5, "long"])
def test_what_is_no_number_of_iterations(bad):
    with pytest.raises((ValueError, TypeError), match="`stagnation` must be a whole number"):
        minimize(rosen, [0, 0], jac=rosen_der, method=gd, options={"stagnation": bad})


def test_constraints_have_a_stop_of_their_own():
    with pytest.raises(ValueError, match="`stagnation` cannot be combined with `constraints`"):
        minimize(
            rosen, [0, 0], jac=rosen_der, method=gd, options={"stagnation": 9},
            constraints=LinearConstraint([1, 1], 0, 1),
        )  # fmt: skip
