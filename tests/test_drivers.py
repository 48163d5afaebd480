"""The compiled driver does, bit for bit, what the Python driver does."""

import ctypes
import gc
import subprocess
import sys
import time
import weakref
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import carray, cfunc, jit, njit
from scipy import LowLevelCallable
from scipy.optimize import minimize

from scipy_gd import adam, gd, lbfgs, newton, random_search, schedules


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


def rosen_hess(x):
    return np.array([[1200.0 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]])


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
    for key in a.keys() - {"allvecs", "state"}:
        one, other = (x[key].todense() if hasattr(x[key], "todense") else x[key] for x in (a, b))
        np.testing.assert_array_equal(one, other, key)
    assert np.array_equal(a.state["V"], b.state["V"], equal_nan=True)
    assert a.state["s"].tobytes() == b.state["s"].tobytes()


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


@pytest.mark.parametrize("scheme", ["2-point", "3-point", "cs"])
@pytest.mark.parametrize("bounds", [None, [(-2, 0.5), (1.0, 1.0)]])
@pytest.mark.parametrize("solver", [gd, lbfgs], ids=["gd", "lbfgs"])
def test_differences_agree(solver, scheme, bounds):
    for extra in ({}, {"finite_diff_rel_step": [1e-6, 1e-5]}, {"maxfev": 40}, {"maxfev": 41}):
        options = {"finite_diff_scheme": scheme, "maxiter": 50} | extra
        a, b = both_ways(rosen, START, None, solver, bounds=bounds, args=(90.0,), **options)
        assert_equal(a, b)
        assert a.nfev > a.nit


@pytest.mark.parametrize("how", ["hess", "hessp", "differences", "pair"])
@pytest.mark.parametrize("bounds", [None, [(-2, 0.5), (-1, 2)]])
def test_newton_agrees(how, bounds):
    fun, jac = (rosen_both, True) if how == "pair" else (rosen, rosen_grad)
    hess = njit(rosen_hess) if how == "hess" else None
    hessp = (
        njit(lambda x, p: np.array([[802.0, -400.0], [-400.0, 200.0]]) @ p)
        if how == "hessp"
        else None
    )
    runs = [
        minimize(
            fun,
            START,
            jac=jac,
            hess=hess,
            hessp=hessp,
            bounds=bounds,
            method=newton,
            options={"compiled": compiled, "return_all": True, "maxiter": 60},
        )
        for compiled in (True, False)
    ]
    assert_equal(*runs)
    assert runs[0].nit > 5


@pytest.mark.parametrize("rate", ["auto", 0.1])
def test_random_search_agrees(rate):
    options = {"rng": 3, "maxiter": 300, "learning_rate": rate}
    a, b = both_ways(rosen, START, None, random_search, **options)
    assert_equal(a, b)
    assert a.fun < rosen(START)


SCHEDULED = {
    "object": {"learning_rate": schedules.cosine(0.1, 0.01, steps=50)},
    "array object": {"learning_rate": schedules.linear([0.1, 0.2], [0.01, 0.0], 50)},
    "function": {"learning_rate": lambda t: 0.1 / t},
    "array function": {"learning_rate": lambda t: np.array([0.1, 0.2]) / t},
    "two": {"learning_rate": lambda t: 0.1 / t, "beta1": schedules.linear(0.5, 0.9, 30)},
    "rate and decay": {"weight_decay": lambda t: [0.0, 1e-3 * t], "learning_rate": 0.1},
}


@pytest.mark.parametrize("name", SCHEDULED)
@pytest.mark.parametrize("callback", [None, lambda x: None])
def test_schedules_agree(name, callback):
    options = SCHEDULED[name] | {"maxiter": 200}
    assert_equal(*both_ways(rosen, START, rosen_grad, adam, callback, **options))


def test_a_schedule_that_fails_does_so_at_its_step():
    def rate(t):
        if t == 40:
            raise ValueError("no such step")
        return 0.01

    for compiled in (True, False):
        seen = []
        options = {"compiled": compiled, "learning_rate": rate}
        with pytest.raises(
            ValueError, match=r"no such step \(in the schedule, at step 40\)"
        ) as got:
            minimize(rosen, START, jac=rosen_grad, method=adam, options=options)
        assert got.value.optimize_result.nit == 38
        with pytest.raises(ValueError, match="at step 40"):
            minimize(
                rosen, START, jac=rosen_grad, method=adam, options=options, callback=seen.append
            )
        assert len(seen) == 38


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
    from scipy_gd._run import compiled as _compiled
    from scipy_gd._run import drive as _drive

    ran = []
    original = _compiled.Loop.run
    monkeypatch.setattr(
        _compiled.Loop, "run", lambda self, *a, **k: (ran.append(1), original(self, *a, **k))
    )

    @njit
    def fun(x):
        return rosen(x)

    options = {"learning_rate": 1e-4, "maxiter": 10}
    minimize(fun, START, jac=rosen_grad, method=gd, options=options)
    assert ran == []  # too short to be worth a compilation
    monkeypatch.setattr(_drive, "WAIT", 0.0)
    monkeypatch.setattr(_drive, "WORTHWHILE", 0.0)
    long = minimize(fun, START, jac=rosen_grad, method=gd, options=options | {"maxiter": 500})
    assert ran == [1]
    plain = minimize(
        fun, START, jac=rosen_grad, method=gd, options=options | {"maxiter": 500, "compiled": False}
    )
    assert long.x.tolist() == plain.x.tolist()
    assert long.nfev == plain.nfev
    monkeypatch.setattr(_drive, "WAIT", 1e9)
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


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", ["jac", "hess", "hessp"])
@pytest.mark.parametrize("size", [1, 3])
def test_a_wrong_size_is_named_by_the_function_that_returned_it(compiled, name, size):
    wrong = {
        "jac": njit(lambda x: np.ones(size)),
        "hess": njit(lambda x: np.eye(size)),
        "hessp": njit(lambda x, p: np.ones(size)),
    }
    given = {"jac": rosen_grad} | {name: wrong[name]}
    with pytest.raises(ValueError, match=f"`{name}` must return"):
        minimize(rosen, START, method=newton, options={"compiled": compiled}, **given)


def test_maxtime_ends_a_compiled_run():
    def run(**limits):
        options = {"learning_rate": 1e-9, "maxiter": 1e12, "compiled": True} | limits
        return minimize(rosen, START, jac=rosen_grad, method=gd, options=options)

    run(maxiter=1)  # the loop is compiled now, which takes its time
    start = time.perf_counter()
    res = run(maxtime=0.3)
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

    def run(fun, jac, method=gd, hess=None, **options):
        options = {"compiled": True} | options
        return minimize(fun, START, jac=jac, hess=hess, method=method, options=options)

    with pytest.raises(ValueError, match="`fun` is not a Numba function"):
        run(plain, rosen_grad)
    with pytest.raises(ValueError, match="`jac` is not a Numba function"):
        run(rosen, lambda x: x)
    with pytest.raises(ValueError, match="`hess` is not a Numba function"):
        run(rosen, rosen_grad, newton, hess=rosen_hess)
    with pytest.raises(ValueError, match="differences of differences"):
        run(rosen, None, newton, finite_diff_scheme="2-point")
    with pytest.raises(ValueError, match="depends on the function values"):
        run(rosen, rosen_grad, learning_rate=schedules.reduce_on_plateau(0.1, 0.5, 10))
    with pytest.raises(ValueError, match="`workers` run in Python"):
        run(rosen, None, workers=lambda f, points: [f(x) for x in points])

    @njit
    def untypable(x):
        return x.no_such_attribute

    for _ in range(2):  # the failure is remembered, and told again
        with pytest.raises(ValueError, match=r"(?s)not possible: .*no_such_attribute"):
            run(untypable, rosen_grad)


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
        with pytest.raises(ValueError, match="`jac` must return a"):
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


def test_many_short_epochs():
    """A chunk that ends with its epoch does not make the next one longer without end."""
    args = np.ones((4, 2)), 1.0
    fun = njit(lambda x, rows, scale: scale * np.mean((rows - x) ** 2))
    jac = njit(lambda x, rows, scale: scale * (x - rows[0]))
    options = {"batch_size": 2, "epochs": 60, "learning_rate": 0.1, "compiled": True, "gtol": 0}
    assert minimize(fun, START, args=args, jac=jac, method=gd, options=options).nit == 120


# --- C functions


@cfunc("float64(intc, CPointer(float64))")
def c_value(n, x):
    return rosen(carray(x, n))


@cfunc("void(intc, CPointer(float64), CPointer(float64))")
def c_gradient(n, x, g):
    carray(g, n)[:] = rosen_grad(carray(x, n))


@cfunc("float64(intc, CPointer(float64), CPointer(float64))")
def c_pair(n, x, g):
    carray(g, n)[:] = rosen_grad(carray(x, n))
    return rosen(carray(x, n))


@cfunc("float64(intc, CPointer(float64), voidptr)")
def c_scaled(n, x, data):
    return rosen(carray(x, n), carray(data, 1, dtype=np.float64)[0])


def low_level(how):
    user_data = ctypes.cast(ctypes.pointer(ctypes.c_double(100.0)), ctypes.c_void_p)
    return {
        "cfunc": (c_value, c_gradient),
        "pair": (c_pair, True),
        "LowLevelCallable pair": (LowLevelCallable(c_pair.ctypes), True),
        "differences": (LowLevelCallable(c_value.ctypes), None),
        "user data": (LowLevelCallable(c_scaled.ctypes, user_data), None),
    }[how]


@pytest.mark.parametrize(
    "how", ["cfunc", "pair", "LowLevelCallable pair", "differences", "user data"]
)
@pytest.mark.parametrize("solver", [gd, lbfgs], ids=["gd", "lbfgs"])
def test_c_functions_agree_with_python_ones(how, solver):
    fun, jac = low_level(how)
    a, b = both_ways(fun, START, jac, solver, maxiter=60)
    assert_equal(a, b)
    c, _ = both_ways(rosen, START, None if jac is None else rosen_grad, solver, maxiter=60)
    assert np.array_equal(a.x, c.x)
    assert (a.nfev, a.nit) == (c.nfev, c.nit)


def test_two_low_level_callables():
    """Called by itself: minimize drops a `jac` that is not callable."""
    fun, jac = LowLevelCallable(c_value.ctypes), LowLevelCallable(c_gradient.ctypes)
    res = lbfgs(fun, START, jac=jac)
    assert res.success
    assert np.array_equal(res.x, minimize(rosen, START, jac=rosen_grad, method=lbfgs).x)


def test_c_functions_of_another_kind_are_refused():
    for fun, jac, message in [
        (c_value, rosen_grad, "must both be C functions"),
        (rosen, c_gradient, "must both be C functions"),
        (c_value, True, r"`fun with jac=True` must be `double \(int, double \*, double \*\)`"),
        (c_value, c_pair, r"`jac` must be `void .*, got `double \(int, double \*, double \*\)`"),
    ]:
        with pytest.raises(TypeError, match=message):
            minimize(fun, START, jac=jac, method=gd)
    with pytest.raises(ValueError, match="`user_data`"):
        minimize(c_value, START, args=(1.0,), jac=c_gradient, method=gd)


# --- what is remembered


def test_one_loop_serves_all_data_and_dies_with_the_function(monkeypatch):
    from scipy_gd._run import compiled as _compiled

    compilations = []
    original = _compiled.Entry
    monkeypatch.setattr(
        _compiled, "Entry", lambda *given: (compilations.append(1), original(*given))[1]
    )
    fun = njit(lambda x, a, b: np.sum((x - a) ** 2) * b)
    jac = njit(lambda x, a, b: 2 * b * (x - a))
    rng = np.random.default_rng(0)
    for _ in range(100):
        a = rng.normal(size=rng.integers(2, 5))
        args = (a, rng.uniform(1, 2))
        options = {"compiled": True, "learning_rate": 0.1}
        res = minimize(fun, np.zeros(a.size), args=args, jac=jac, method=gd, options=options)
        np.testing.assert_allclose(res.x, a, atol=1e-5)
    assert len(compilations) == 1
    args = (np.zeros(3, np.float32), 1.0)  # another type
    minimize(fun, np.ones(3), args=args, jac=jac, method=gd, options=options)
    assert len(compilations) == 2

    remembered = weakref.ref(fun), weakref.ref(jac)
    del fun, jac
    gc.collect()
    assert [ref() for ref in remembered] == [None, None]


def test_names_of_a_namedtuple_matter():
    one, other = namedtuple("One", "a b"), namedtuple("Other", "b a")
    fun = njit(lambda x, p: (x[0] - p.a) ** 2)
    jac = njit(lambda x, p: 2 * (x - p.a))
    for p in (one(1.0, 2.0), other(1.0, 2.0)):
        res = minimize(fun, [0.0], (p,), jac=jac, method=gd, options={"compiled": True})
        assert res.x[0] == pytest.approx(p.a)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
def test_a_value_without_its_differences_is_known(jac):
    fun = njit(lambda x: np.sum(x * x))
    for compiled in (False, True):
        options = {"maxfev": 3, "compiled": compiled}
        res = minimize(fun, [3.0, -4.0, 1.0], jac=jac, method=lbfgs, options=options)
        assert res.fun == 26.0


def test_pairs_for_a_method_without_gradients_stay_in_python():
    pair = njit(lambda x: (np.sum(x * x), 2 * x))
    options = {"rng": 0, "maxiter": 20}
    with pytest.raises(ValueError, match="the method does not use"):
        minimize(pair, [1.0], jac=True, method=random_search, options=options | {"compiled": True})
    assert minimize(pair, [1.0], jac=True, method=random_search, options=options).nit == 20


def test_many_short_runs_change_to_the_compiled_driver_together(monkeypatch):
    from scipy_gd._run import compiled as _compiled
    from scipy_gd._run import drive as _drive

    fun = njit(lambda x, a: np.sum((x - a) ** 2))
    jac = njit(lambda x, a: 2 * (x - a))
    monkeypatch.setattr(_drive, "WAIT", 0.01)
    for k in range(3000):
        minimize(fun, [3.0], args=(float(k),), jac=jac, method=gd, options={"learning_rate": 0.3})
        (loop,) = _compiled._LOOPS[fun].values()
        if loop.entries:
            break
    assert 0 < k < 2999


def test_data_may_be_large_after_it_was_small():
    """The first chunk of a run must not be as long as the last one of another."""

    @njit
    def fun(x, repeat):
        total = 0.0
        for k in range(repeat):
            total += np.sin(k * x[0])
        return total

    @njit
    def jac(x, repeat):
        return np.ones(1)

    def run(repeat, **more):
        options = {"learning_rate": 1e-9, "compiled": True} | more
        return minimize(fun, [1.0], args=(repeat,), jac=jac, method=gd, options=options)

    run(1, maxiter=200_000)
    assert run(1_000_000, maxtime=0.1, maxiter=10_000).nfev < 300


def test_ctrl_c_stops_a_compiled_run():
    code = """if True:
        import signal, threading, time, _thread
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has none
        import numpy as np
        from numba import njit
        from scipy.optimize import minimize
        from scipy_gd import gd
        f, g = njit(lambda x: x[0]), njit(lambda x: np.ones(1))
        options = {"learning_rate": 1e-6, "maxiter": 10**12, "compiled": True}
        minimize(f, [1.0], jac=g, method=gd, options=options | {"maxiter": 10})
        threading.Timer(0.5, _thread.interrupt_main).start()
        try:
            minimize(f, [1.0], jac=g, method=gd, options=options)
        except KeyboardInterrupt as stop:
            print(stop.optimize_result.nit > 1000, stop.optimize_result.fun < 1)
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert out.stdout.split() == ["True", "True"], out.stderr


def test_a_value_that_is_an_array_is_refused():
    """Numba would store its first element."""
    jac = njit(lambda x: 2 * (x - 1))
    for fun in (njit(lambda x: (x - 1) ** 2), njit(lambda x: ((x - 1) ** 2, 2 * (x - 1)))):
        pair = len(fun.py_func(np.ones(2))) == 2 and isinstance(fun.py_func(np.ones(2)), tuple)
        with pytest.raises(ValueError, match="`compiled=True` is not possible"):
            minimize(
                fun, [3.0, 4.0], jac=True if pair else jac, method=gd, options={"compiled": True}
            )


def test_arguments_that_numba_does_not_know_stay_in_python():
    fun = jit(forceobj=True)(lambda x, d: float(((x - d["a"]) ** 2).sum()))
    jac = jit(forceobj=True)(lambda x, d: 2 * (x - d["a"]))
    res = minimize(fun, [3.0, 4.0], args=({"a": 1.0},), jac=jac, method=gd)
    np.testing.assert_allclose(res.x, 1.0, atol=1e-4)
    with pytest.raises(ValueError, match="`compiled=True` is not possible: `args`"):
        minimize(fun, [3.0], args=({"a": 1.0},), jac=jac, method=gd, options={"compiled": True})
