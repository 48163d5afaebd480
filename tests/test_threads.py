"""The option `threads`: the same run up to the rounding of sums, and the same one each time."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import njit
from scipy.optimize import minimize

from scipy_gd import METHODS, adam, cg_descent, lbfgs, spg, start
from scipy_gd._run import layout

N = 1003


@njit
def fun(x):
    total = 0.0
    for i in range(x.size):
        total += (1.0 + i % 7) * (x[i] - 0.3) ** 2 + 0.1 * (x[i] - 0.3) ** 4
    return total


@njit
def jac(x):
    return 2.0 * (1.0 + np.arange(x.size) % 7) * (x - 0.3) + 0.4 * (x - 0.3) ** 3


@pytest.fixture
def shared(monkeypatch):
    monkeypatch.setattr(layout, "SMALLEST", 1)


def run(method, threads, *, bounds=None, **options):
    x0 = np.linspace(-1.0, 2.0, N)
    options = {"maxiter": 12, "threads": threads} | options
    return minimize(fun, x0, jac=jac, bounds=bounds, method=method, options=options)


@pytest.mark.parametrize("shares", [lbfgs, cg_descent, adam, spg], ids=lambda m: m.__name__)
@pytest.mark.parametrize("bounded", [False, True])
def test_only_sums_are_rounded_differently(shared, shares, bounded):
    bounds = [(-2.0, 0.3 + 0.1 * (i % 3 - 1)) for i in range(N)] if bounded else None
    one, three, again = (run(shares, k, bounds=bounds) for k in (1, 3, 3))
    assert (three.nit, three.nfev, three.status) == (one.nit, one.nfev, one.status)
    np.testing.assert_allclose(three.x, one.x, rtol=1e-9, atol=1e-11)
    assert three.x.tobytes() == again.x.tobytes()
    compiled = run(shares, 3, bounds=bounds, compiled=True)
    assert compiled.x.tobytes() == three.x.tobytes()


def test_small_problems_stay_in_one_thread():
    assert run(lbfgs, 1).x.tobytes() == run(lbfgs, 2).x.tobytes()


def test_helpers_leave_with_the_run(shared):
    before = threading.active_count()
    seen = []

    def fails(x):
        seen.append(threading.active_count())
        if len(seen) == 5:
            raise KeyboardInterrupt
        return fun(x)

    options = {"threads": 3}
    with pytest.raises(KeyboardInterrupt) as caught:
        minimize(fails, np.ones(N), jac=jac, method=lbfgs, options=options)
    assert max(seen) == before + 2
    assert threading.active_count() == before
    options["resume"] = pickle.loads(pickle.dumps(caught.value.optimize_result.state))
    res = minimize(fun, np.ones(N), jac=jac, method=lbfgs, options=options)
    whole = minimize(fun, np.ones(N), jac=jac, method=lbfgs, options={"threads": 3})
    assert res.success and res.x.tobytes() == whole.x.tobytes()


def test_a_run_may_go_on_with_other_threads(shared):
    begun = run(lbfgs, 3, maxiter=4)
    res = run(lbfgs, 1, resume=pickle.loads(pickle.dumps(begun.state)), maxiter=100)
    assert res.success
    np.testing.assert_allclose(res.x, 0.3, atol=1e-5)


def test_several_runs_at_a_time(shared):
    alone = run(lbfgs, 2).x.tobytes()
    with ThreadPoolExecutor(3) as pool:
        assert {res.x.tobytes() for res in pool.map(lambda _: run(lbfgs, 2), range(6))} == {alone}


@pytest.mark.parametrize("name", ["newton", "swats", "dowg", "prodigy"])
def test_formulas_that_threads_cannot_share(name):
    with pytest.raises(ValueError, match=f"`threads` must be 1 for {name}"):
        minimize(fun, np.ones(3), jac=jac, method=METHODS[name], options={"threads": 2})


def test_bad_values():
    for bad in (0, -1, 1.5, "two"):
        with pytest.raises((TypeError, ValueError), match="`threads`"):
            minimize(fun, np.ones(3), jac=jac, method=lbfgs, options={"threads": bad})
    with pytest.raises((TypeError, ValueError), match="threads"):
        start(lbfgs, [1.0], threads=2)
