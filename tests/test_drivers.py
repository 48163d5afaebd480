"""The compiled driver does, bit for bit, what the Python driver does."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.optimize import minimize

from scipy_gd import adam, gd, lbfgs, newton, random_search


@njit
def rosen(x, a=100.0):
    return a * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


@njit
def rosen_grad(x, a=100.0):
    return np.array(
        [-4 * a * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 2 * a * (x[1] - x[0] ** 2)]
    )


@njit
def rosen_both(x, a=100.0):
    return rosen(x, a), rosen_grad(x, a)


@njit
def bowl(x, center, scale):
    return scale * np.sum((x - center) ** 2)


@njit
def bowl_grad(x, center, scale):
    return 2 * scale * (x - center)


START = np.array([-1.2, 1.0])


def both_ways(fun, x0, jac, method, callback=None, args=(), bounds=None, **options):
    return [
        minimize(
            fun,
            x0,
            args=args,
            jac=jac,
            bounds=bounds,
            method=method,
            callback=callback,
            options=options | {"compiled": compiled, "return_all": True},
        )
        for compiled in (True, False)
    ]


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert np.array_equal(a.allvecs, b.allvecs)
    for key in a.keys() - {"allvecs"}:
        assert np.array_equal(a[key], b[key]), key


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("rate", [1e-3, np.array([1e-3, 2e-3]), "armijo", "wolfe", "auto"])
@pytest.mark.parametrize("bounds", [None, [(-2, 0.5), (-1, 2)]])
def test_200_steps_agree(descent, rate, bounds, pair):
    if "hess" in descent.supplied:
        return
    fun, jac = (rosen_both, True) if pair else (rosen, rosen_grad)
    assert_equal(
        *both_ways(
            fun, START, jac, descent, learning_rate=rate, maxiter=200, bounds=bounds, gtol=1e-8
        )
    )


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(0.01, 10),
    bounded=st.booleans(),
    rate=st.sampled_from([1e-3, 0.1, 1.0, "armijo", "auto"]),
    method=st.sampled_from([gd, adam, lbfgs]),
    maxiter=st.integers(0, 60),
    maxfev=st.integers(1, 80),
)
def test_any_bowl_agrees(n, seed, scale, bounded, rate, method, maxiter, maxfev):
    rng = np.random.default_rng(seed)
    bounds = np.sort(rng.normal(size=(n, 2)), axis=1) if bounded else None
    a, b = both_ways(
        bowl,
        rng.normal(size=n),
        bowl_grad,
        method,
        args=(rng.normal(size=n), scale),
        bounds=bounds,
        learning_rate=rate,
        maxiter=maxiter,
        maxfev=maxfev,
    )
    assert_equal(a, b)


def test_callbacks_are_called_once_per_iteration_in_both():
    seen = ([], [])
    for compiled, log in zip((True, False), seen, strict=True):

        def listen(intermediate_result):
            log.append((intermediate_result.nit, intermediate_result.fun))  # noqa: B023
            if len(log) == 30:  # noqa: B023
                raise StopIteration

        options = {"compiled": compiled}
        res = minimize(rosen, START, jac=rosen_grad, method=adam, callback=listen, options=options)
        assert (res.status, res.nit) == (99, 30)
    assert seen[0] == seen[1]
    assert [nit for nit, _ in seen[0]] == list(range(1, 31))


def test_long_runs_change_to_the_compiled_driver_by_themselves(monkeypatch):
    from scipy_gd import _drive

    ran = []
    original = _drive.Loop.run
    monkeypatch.setattr(
        _drive.Loop, "run", lambda self, *a, **k: (ran.append(1), original(self, *a, **k))
    )

    @njit
    def fun(x):
        return rosen(x)

    options = {"learning_rate": 1e-4, "maxiter": 10}
    minimize(fun, START, jac=rosen_grad, method=gd, options=options)
    assert ran == []  # too short to be worth a compilation
    monkeypatch.setattr(_drive, "TIER_UP", 0.0)
    monkeypatch.setattr(_drive, "WORTHWHILE", 0.0)
    long = minimize(fun, START, jac=rosen_grad, method=gd, options=options | {"maxiter": 500})
    assert ran == [1]
    plain = minimize(
        fun, START, jac=rosen_grad, method=gd, options=options | {"maxiter": 500, "compiled": False}
    )
    assert long.x.tolist() == plain.x.tolist()
    assert long.nfev == plain.nfev
    monkeypatch.setattr(_drive, "TIER_UP", 1e9)
    minimize(fun, START, jac=rosen_grad, method=gd, options=options | {"maxiter": 3})
    assert ran == [1, 1]  # the loop is there now


@pytest.mark.parametrize("after", [0, 57])
def test_an_exception_in_a_compiled_function_surfaces_as_itself(after):
    @njit
    def fails(x, calls):
        calls[0] += 1
        if calls[0] > after:
            raise ZeroDivisionError("in the user's function")
        return np.sum(x**2)

    @njit
    def gradient(x, calls):
        return 2 * x

    for compiled in (True, False):
        calls = np.zeros(1, np.int64)
        with pytest.raises(ZeroDivisionError, match="in the user's function") as caught:
            minimize(
                fails,
                np.ones(2),
                args=(calls,),
                jac=gradient,
                method=gd,
                options={"compiled": compiled, "learning_rate": 1e-3},
            )
        assert calls[0] == after + 1  # nothing was evaluated after it
        res = caught.value.optimize_result
        assert res.nfev == after + 1
        if after:
            assert res.fun == pytest.approx(2 * 0.998 ** (2 * res.nit))


def test_maxtime_ends_a_compiled_run():
    start = time.perf_counter()
    res = minimize(
        rosen,
        START,
        jac=rosen_grad,
        method=gd,
        options={"learning_rate": 1e-9, "maxtime": 0.3, "maxiter": 1e12, "compiled": True},
    )
    assert "maxtime" in res.message
    assert 0.2 < time.perf_counter() - start < 30
    assert res.nit > 1000


def test_nan_ends_a_compiled_run():
    @njit
    def fun(x):
        return np.sqrt(x[0])

    @njit
    def jac(x):
        return np.ones(1)

    a, b = both_ways(fun, [1.0], jac, gd, learning_rate=0.3)
    assert_equal(a, b)
    assert a.status == 3


def test_reasons_against_compiling_are_told():
    def plain(x):
        return float(x @ x)

    def run(fun, jac, method=gd, **options):
        return minimize(fun, START, jac=jac, method=method, options={"compiled": True} | options)

    with pytest.raises(ValueError, match="`fun` is not a Numba function"):
        run(plain, rosen_grad)
    with pytest.raises(ValueError, match="`jac` is not a Numba function"):
        run(rosen, lambda x: x)
    with pytest.raises(ValueError, match="a schedule is a Python function"):
        run(rosen, rosen_grad, learning_rate=lambda t: 0.1)
    with pytest.raises(ValueError, match="draws random numbers"):
        run(rosen, rosen_grad, random_search)
    with pytest.raises(ValueError, match="needs a Hessian"):
        run(rosen, rosen_grad, newton)


def test_what_numba_cannot_compile_stays_in_python():
    @njit
    def jac(x):
        return [2 * x[0], 2 * x[1]]  # a reflected list cannot be assigned to an array

    @njit
    def fun(x):
        return x[0] ** 2 + x[1] ** 2

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        res = minimize(fun, START, jac=jac, method=gd, options={"learning_rate": 0.1})
    assert res.success


@pytest.mark.parametrize("shape", ["number", "short", "long"])
def test_a_gradient_of_the_wrong_shape_is_refused_in_both(shape):
    @njit
    def number(x):
        return 2 * x[0]

    @njit
    def short(x):
        return 2 * x[:1]

    @njit
    def long(x):
        return np.zeros(5)

    jac = {"number": number, "short": short, "long": long}[shape]
    for compiled in (True, False):
        with pytest.raises(ValueError, match="`jac` must return an array"):
            minimize(rosen, START, jac=jac, method=gd, options={"compiled": compiled, "maxiter": 3})


def test_columns_are_gradients_in_both():
    @njit
    def column(x):
        return rosen_grad(x).reshape(2, 1)

    assert_equal(*both_ways(rosen, START, column, gd, maxiter=20))


def test_the_users_functions_keep_their_own_flags():
    @njit
    def pole(x):
        return 1 / (x[0] - 1.0)

    @njit
    def jac(x):
        return np.ones(1)

    with pytest.raises(ZeroDivisionError):
        minimize(pole, [1.0], jac=jac, method=gd, options={"compiled": True})
    with pytest.raises(ZeroDivisionError):
        pole(np.array([1.0]))


def test_maxtime_is_kept_by_slow_compiled_functions():
    @njit
    def slow(x):
        total = 0.0
        for k in range(3_000_000):
            total += np.sin(k * x[0])
        return total

    options = {"compiled": True, "maxtime": 0.2, "learning_rate": 1e-9, "maxiter": 1000}
    minimize(slow, START, jac=rosen_grad, method=gd, options=options | {"maxiter": 1})
    res = minimize(slow, START, jac=rosen_grad, method=gd, options=options)
    assert "maxtime" in res.message
    assert res.nfev < 30
