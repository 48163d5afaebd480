"""Every promise of a SciPy solver, for every method of the registry, through `minimize`."""

import copy
import gc
import pickle
import threading
import warnings
import weakref

import numpy as np
import pytest
from numba import njit
from scipy.optimize import Bounds, OptimizeResult, OptimizeWarning, minimize, rosen, rosen_der

from scipy_gd import adam, adopt, gd, lion

SHORT = {"maxiter": 8, "rng": 7}


def small_rate(method, rate):
    """A rate for any method: those that find their own want their factor of 1."""
    return method.constant if method.auto == "fixed" else rate


def same(a, b):
    assert a.x.tolist() == b.x.tolist()
    assert (a.fun, a.nit, a.nfev, a.njev, a.status) == (b.fun, b.nit, b.nfev, b.njev, b.status)


def test_result_has_what_scipy_promises(method, valley):
    res = minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options=SHORT)
    assert type(res) is OptimizeResult
    assert res.x.shape == (3,)
    assert res.x.dtype == np.float64
    assert type(res.fun) is float
    assert res.fun == valley.fun(res.x)
    assert res.jac.tolist() == valley.jac(res.x).tolist()
    assert type(res.message) is str
    assert type(res.success) is bool
    assert {type(res[k]) for k in ("nit", "nfev", "njev", "nhev", "status")} == {int}
    assert (res.nit, res.nhev, res.status) == (8, 0, 1)
    assert "maxiter" in res.message


def test_example_of_the_documentation_converges(method, bowl):
    options = {"maxiter": 100_000} | method.example
    res = minimize(bowl.fun, bowl.x0, jac=bowl.jac, method=method, options=options)
    assert res.success
    limit = method.example.get("gtol", 1e-5)
    assert np.abs(res.jac).max() <= limit or "target" in method.example


@pytest.mark.parametrize("gradient", ["callable", "pair", "differences"])
def test_counts_are_real_calls(method, valley, gradient):
    fun, jac = {
        "callable": (valley.fun, valley.jac),
        "pair": (valley.both, True),
        "differences": (valley.fun, None),
    }[gradient]
    res = minimize(fun, valley.x0, jac=jac, method=method, options=SHORT)
    assert res.nfev == valley.values
    if gradient == "callable":
        assert res.njev == valley.gradients
    if gradient == "pair" and "g" in method.supplied:
        assert res.njev == valley.values


def test_a_fixed_rate_costs_one_evaluation_a_step(descent, valley):
    if "hess" in descent.supplied:
        return
    options = SHORT | {"learning_rate": 1e-4}

    def counts(jac=None, **more):
        res = minimize(valley.fun, valley.x0, jac=jac, method=descent, options=options | more)
        return res.nfev, res.njev

    assert counts(valley.jac) == (9, 9)
    assert counts() == (9 * 4 + 1, 9)  # one value more at the start: is it noisy?
    assert counts(noise=0) == (9 * 4, 9)
    assert counts(finite_diff_scheme="2-point") == (9 * 4, 9)
    res = descent(valley.fun, valley.x0, jac="2-point", **options)
    assert (res.nfev, res.njev) == (9 * 4, 9)


def test_ways_to_give_the_gradient_agree(descent, valley):
    def run(fun, jac, **options):
        return minimize(fun, valley.x0, jac=jac, method=descent, options=SHORT | options).x

    exact = run(valley.fun, valley.jac)
    assert run(valley.both, True).tolist() == exact.tolist()
    assert descent(valley.both, valley.x0, jac=True, **SHORT).x.tolist() == exact.tolist()
    if "hess" in descent.supplied:
        return  # its Hessian is a difference of differences
    forward = run(valley.fun, None, finite_diff_scheme="2-point")
    np.testing.assert_allclose(forward, exact, rtol=1e-3)
    if descent.auto == "wolfe":  # with a search of its own, on values
        best = minimize(valley.fun, valley.x0, method=descent)
        assert best.success
        np.testing.assert_allclose(best.x, 1, atol=1e-4)
    else:
        np.testing.assert_allclose(run(valley.fun, None), exact, rtol=1e-3)
    central = run(valley.fun, None, finite_diff_scheme="3-point")
    np.testing.assert_allclose(central, exact, rtol=1e-5)
    assert descent(valley.fun, valley.x0, jac="3-point", **SHORT).x.tolist() == central.tolist()
    complex_step = run(rosen, None, finite_diff_scheme="cs")
    np.testing.assert_allclose(complex_step, exact, rtol=1e-8)


@pytest.mark.parametrize("args", [(3.0,), 3.0])
def test_args_are_passed_on(method, valley, args):
    res = method(valley.fun, valley.x0, args=args, jac=valley.jac, **SHORT)
    assert res.fun == valley.fun(res.x, 3.0)
    assert res.jac.tolist() == valley.jac(res.x, 3.0).tolist()


def test_nothing_of_the_users_is_modified(method, valley):
    x0 = np.array([0.0, 5.0, 1.0])
    options = dict(SHORT)
    bounds = [(None, 4.0), (0, 3), (0, None)]
    weights = np.ones(3)
    before = copy.deepcopy((x0, options, bounds, weights))
    minimize(
        lambda x, w: w @ (x - 1) ** 2,
        x0,
        args=(weights,),
        bounds=bounds,
        method=method,
        options=options,
    )
    for was, now in zip(before, (x0, options, bounds, weights), strict=True):
        assert np.array_equal(was, now) if isinstance(was, np.ndarray) else was == now


def test_functions_may_write_to_their_x(method, valley):
    def fun(x):
        value = valley.fun(x.copy())
        x[:] = np.nan
        return value

    def jac(x):
        gradient = valley.jac(x.copy())
        x[:] = np.nan
        return gradient

    wild = minimize(
        fun, valley.x0, jac=jac, callback=lambda x: x.fill(9), method=method, options=SHORT
    )
    same(wild, minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options=SHORT))


def test_points_handed_out_stay_as_they_were(exact, valley):
    minimize(valley.fun, valley.x0, jac=valley.jac, method=exact, options=SHORT)
    first = valley.points[0]
    assert first.tolist() == valley.x0.tolist()
    assert len({id(p) for p in valley.points}) == len(valley.points)
    assert len({tuple(p) for p in valley.points}) > 8


@pytest.mark.parametrize(
    "kind", ["own buffer", "read-only", "float32", "list", "column", "row", "integers", "strided"]
)
def test_unusual_gradients_work(descent, bowl, kind):
    buffer = np.empty(3)

    def jac(x):
        g = np.round(8 * bowl.jac(x)) / 8  # exact in float32, too
        if kind == "own buffer":
            buffer[:] = g
            return buffer
        if kind == "read-only":
            g.flags.writeable = False
        if kind == "integers":
            g = np.round(g)
        return {
            "float32": g.astype(np.float32),
            "list": g.tolist(),
            "column": g[:, None],
            "row": g[None, :],
            "integers": g.astype(int),
            "strided": np.repeat(g, 2)[::2],
        }.get(kind, g)

    def plain(x):
        g = np.round(8 * bowl.jac(x)) / 8
        return np.round(g) if kind == "integers" else g

    options = SHORT | {"learning_rate": 0.07}
    for rate in (0.07, "armijo"):
        options["learning_rate"] = rate
        odd = minimize(bowl.fun, bowl.x0, jac=jac, method=descent, options=options)
        same(odd, minimize(bowl.fun, bowl.x0, jac=plain, method=descent, options=options))
        assert odd.jac.tolist() == plain(odd.x).tolist()


@pytest.mark.parametrize("x0", [[0, 0, 0], np.zeros(3, np.float32), np.zeros(6)[::2]])
def test_unusual_starts_work(method, valley, x0):
    same(
        minimize(valley.fun, x0, jac=valley.jac, method=method, options=SHORT),
        minimize(valley.fun, np.zeros(3), jac=valley.jac, method=method, options=SHORT),
    )


def test_scalar_start(method):
    res = method(lambda x: float((x[0] - 2) ** 2), 1.0, **SHORT)
    assert res.x.shape == (1,)


def test_second_run_equals_the_first(method, valley):
    def run():
        return minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options=SHORT)

    same(run(), run())


def test_threads_do_not_disturb_each_other(method, valley):
    def run(k):
        return minimize(
            lambda x: float(((x - k) ** 2).sum()), valley.x0, method=method, options=SHORT
        )

    alone = [run(k) for k in range(4)]
    together = [None] * 4
    threads = [
        threading.Thread(target=lambda k=k: together.__setitem__(k, run(k))) for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(alone, together, strict=True):
        same(a, b)


def test_method_is_pickled_by_name_and_immutable_between_runs(method):
    assert pickle.loads(pickle.dumps(method)) is method
    assert copy.deepcopy(method) is method
    assert repr(method).startswith(f"<method {method.__name__}(learning_rate=")


def test_callback_gets_a_point_or_a_result(exact, valley):
    points, results = [], []
    options = SHORT | {"return_all": True}
    res = minimize(
        valley.fun,
        valley.x0,
        jac=valley.jac,
        method=exact,
        options=options,
        callback=points.append,
    )

    def listen(intermediate_result):
        results.append(intermediate_result)

    minimize(valley.fun, valley.x0, jac=valley.jac, method=exact, options=options, callback=listen)
    assert len(points) == len(results) == res.nit == len(res.allvecs) - 1
    assert np.array_equal(points, res.allvecs[1:])
    assert res.allvecs[0].tolist() == valley.x0.tolist()
    for result, x in zip(results, points, strict=True):
        assert result.x.tolist() == x.tolist()
        assert result.fun == valley.fun(x)


def test_callback_stops_where_maxiter_does(exact, valley):
    seen = []

    def stop(intermediate_result):
        seen.append(1)
        if len(seen) == 10:
            raise StopIteration

    def run(callback=None, **options):
        return minimize(
            valley.fun, valley.x0, jac=valley.jac, method=exact, callback=callback, options=options
        )

    stopped = run(stop, rng=7)
    counted = run(rng=7, maxiter=10.0)
    assert (stopped.status, stopped.success) == (99, False)
    assert stopped.message == "`callback` raised `StopIteration`."
    assert stopped.x.tolist() == counted.x.tolist()
    assert (stopped.nit, stopped.nfev, stopped.njev) == (10, counted.nfev, counted.njev)
    assert counted.nit == 10


def test_maxiter_zero_returns_the_start(method, valley):
    res = minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options={"maxiter": 0})
    assert (res.x.tolist(), res.nit, res.nfev, res.success) == (valley.x0.tolist(), 0, 1, False)


def test_maxiter_is_success_when_asked(method, valley):
    options = SHORT | {"maxiter_is_success": True}
    res = minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options=options)
    assert (res.success, res.status) == (True, 1)


@pytest.mark.parametrize("gradient", ["callable", "differences", "pair"])
@pytest.mark.parametrize("maxfev", [1, 2, 7, 8, 9])
def test_maxfev_is_never_exceeded(method, valley, maxfev, gradient):
    fun, jac = {
        "callable": (valley.fun, valley.jac),
        "pair": (valley.both, True),
        "differences": (valley.fun, None),
    }[gradient]
    res = minimize(fun, valley.x0, jac=jac, method=method, options={"maxfev": maxfev, "rng": 0})
    assert valley.values == res.nfev <= maxfev
    assert (res.success, res.status) == (False, 1)
    assert "maxfev" in res.message
    assert res.fun == valley.fun(res.x)


def test_maxtime(method, valley):
    res = minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options={"maxtime": 0.0})
    assert (res.success, res.status) == (False, 1)
    assert "maxtime" in res.message


def test_target_ftol_xtol_are_successes_that_were_asked_for(descent, bowl):
    def run(**options):
        rate = small_rate(descent, 0.01)
        given = {"learning_rate": rate, "gtol": 0.0, "maxiter": 20_000} | options
        return minimize(bowl.fun, bowl.x0, jac=bowl.jac, method=descent, options=given)

    reached = run(target=10.0)
    assert reached.success
    assert "target" in reached.message
    assert reached.fun <= 10.0
    assert run(ftol=1e-3, learning_rate=1e-4).message.count("ftol") == 1
    assert run(xtol=0.5, learning_rate=1e-4).message.count("xtol") == 1
    assert not run(maxiter=10).success


def test_tol_means_gtol_unless_that_is_given(descent, valley):
    def run(tol=None, **options):
        given = {"maxiter": 3} | options
        return minimize(
            valley.fun, valley.x0, jac=valley.jac, method=descent, tol=tol, options=given
        )

    g = abs(valley.jac(valley.x0)).max()
    assert (run(tol=g).nit, run(tol=g).success) == (0, True)
    assert run(tol=0.99 * g).nit > 0
    assert run(tol=g, gtol=0.99 * g).nit > 0


@pytest.mark.parametrize(
    "bounds",
    [
        [(0.5, None), (None, 1.5), (-1, 1)],
        np.array([[0.5, np.inf], [-np.inf, 1.5], [-1, 1]]),
        Bounds([0.5, -np.inf, -1], [np.inf, 1.5, 1]),
        Bounds([0.5, -np.inf, -1], [np.inf, 1.5, 1], keep_feasible=True),
    ],
)
@pytest.mark.parametrize("scheme", [None, "2-point", "3-point"])
def test_bounds_hold_at_every_evaluated_point(method, valley, bounds, scheme):
    options = SHORT | {"finite_diff_scheme": scheme or "2-point", "learning_rate": 0.3}
    jac = valley.jac if scheme is None else None
    res = minimize(valley.fun, valley.x0, jac=jac, bounds=bounds, method=method, options=options)
    points = np.array(valley.points)
    assert points[:, 0].min() >= 0.5
    assert points[:, 1].max() <= 1.5
    assert abs(points[:, 2]).max() <= 1.0
    assert res.nit > 0


def test_bounded_minimum_is_a_success(descent, bowl):
    res = minimize(
        bowl.fun,
        bowl.x0,
        jac=bowl.jac,
        bounds=Bounds(-1, [0.5, 9, 1]),
        method=descent,
        options={"learning_rate": "armijo"},
    )
    assert res.success
    np.testing.assert_allclose(res.x, [0.5, 2, 1], atol=1e-5)
    assert np.abs(res.jac).max() > 1  # the projected gradient is what vanishes


def test_fixed_parameters_do_not_move(method, valley):
    bounds = [(0, 0), (None, None), (0.5, 0.5)]
    for jac in (valley.jac, None):
        res = minimize(valley.fun, valley.x0, jac=jac, bounds=bounds, method=method, options=SHORT)
        assert (res.x[0], res.x[2]) == (0, 0.5)
        assert res.x[1] != 0


def test_unknown_options_warn_on_the_callers_line(method, valley):
    with pytest.warns(OptimizeWarning, match="Unknown solver options: lerning_rate") as caught:
        minimize(valley.fun, valley.x0, method=method, options=SHORT | {"lerning_rate": 1})
    assert caught[0].filename == __file__
    with pytest.warns(OptimizeWarning, match="Unknown solver options: nonsense") as caught:
        method(valley.fun, valley.x0, nonsense=1, **SHORT)
    assert caught[0].filename == __file__


def test_hessians_are_said_to_be_unused(method, valley):
    if "hess" in method.supplied:
        return
    with pytest.warns(RuntimeWarning, match="does not use Hessian information"):
        minimize(valley.fun, valley.x0, method=method, hess=lambda x: np.eye(3), options=SHORT)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["fun", "jac", "both", "start"])
def test_non_finite_values_end_the_run_at_the_best_point(descent, bowl, bad, where):
    calls = []

    def spoiled(kind, value):
        calls.append(kind)
        late = len(calls) > 10 or where == "start"
        return bad * np.ones_like(value) if late and where in (kind, "both", "start") else value

    res = minimize(
        lambda x: spoiled("fun", bowl.fun(x)),
        bowl.x0,
        jac=lambda x: spoiled("jac", bowl.jac(x)),
        method=descent,
        options={"learning_rate": 1e-3},
    )
    assert (res.success, res.status) == (False, 3)
    assert "not finite" in res.message
    if where != "start":
        assert np.isfinite(res.fun)
        assert res.fun == bowl.fun(res.x)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["everywhere", "at the start"])
def test_a_start_that_is_not_finite_is_named(exact, bad, where):
    """Whoever chooses the rate: it is not to blame."""
    only = where == "at the start"

    def fun(x):
        return bad if x[0] == 1.5 or not only else x[0] ** 2

    for jac, rate in ((lambda x: 2 * x, None), (None, None), (lambda x: 2 * x, 0.1)):
        res = minimize(fun, [1.5], jac=jac, method=exact, options={"learning_rate": rate})
        assert (res.success, res.status, res.nit) == (False, 3, 0)
        assert "not finite" in res.message
        assert "at the starting point x0 = [1.5]" in res.message
        assert "learning_rate" not in res.message


def test_a_gradient_that_is_not_finite_at_the_start_is_named(descent):
    res = minimize(lambda x: x @ x, [1.5], jac=lambda x: np.nan * x, method=descent)
    assert "at the starting point x0 = [1.5]" in res.message


@pytest.mark.parametrize("compiled", [True, None])
def test_a_start_where_a_compiled_function_is_not_finite_is_named(compiled):
    for jac in (None, njit(lambda x: 2 * x)):
        res = minimize(
            njit(lambda x: np.nan * x[0]), [1.5], jac=jac, method=gd, options={"compiled": compiled}
        )
        assert "at the starting point x0 = [1.5]" in res.message


def test_random_search_walks_past_non_finite_values(bowl):
    from scipy_gd import random_search

    def fun(x):
        return np.nan if x[0] < 0 else bowl.fun(x)

    res = minimize(fun, bowl.x0, method=random_search, options={"rng": 0, "target": 0.05})
    assert res.success


def test_best_point_is_returned_not_the_last(bowl):
    values = []
    res = minimize(
        bowl.fun,
        bowl.x0,
        jac=bowl.jac,
        method=gd,
        options={"learning_rate": 1.01, "maxiter": 50, "return_all": True},
        callback=lambda x: values.append(bowl.fun(x)),
    )
    assert values[-1] > values[0] > bowl.fun(bowl.x0)
    assert res.fun == bowl.fun(bowl.x0)
    assert res.x.tolist() == [0, 0, 0]
    assert res.jac.tolist() == bowl.jac(res.x).tolist()


def test_divergence_has_its_own_ending(bowl):
    res = minimize(bowl.fun, bowl.x0, jac=bowl.jac, method=gd, options={"learning_rate": 5.0})
    assert (res.success, res.status) == (False, 4)
    assert "lower `learning_rate`" in res.message
    assert res.fun <= bowl.fun(bowl.x0)


def test_running_away_downhill_is_divergence_too(descent):
    res = minimize(
        lambda x: -float(x @ x),
        [1.0, 1.0],
        jac=lambda x: -2 * x,
        method=descent,
        options={"learning_rate": 1e9},
    )
    assert not res.success
    assert res.status in (3, 4)


@pytest.mark.parametrize("jac", [True, False])
def test_advice_is_about_what_there_is(descent, jac):
    """`check_grad` needs a `jac`, and a rate can be lowered where it was given."""
    rng = np.random.default_rng(0)
    slope = lambda x: 2 * x + rng.normal(size=x.size)  # noqa: E731
    noisy = lambda x: float(x @ x + rng.normal())  # noqa: E731
    falling = lambda x: -float(np.sum(x**3))  # noqa: E731
    for rate in (None, 1e-3, 10.0):
        for fun, gradient in ((noisy, slope), (falling, lambda x: -3 * x * x)):
            options = {"learning_rate": rate, "maxiter": 1500}
            res = minimize(
                fun, [1.0, 2.0], jac=gradient if jac else None, method=descent, options=options
            )
            assert not res.success
            assert "check_grad" not in res.message or jac
            if rate is None and descent.auto != "fixed":
                assert "lower `learning_rate`" not in res.message
            if rate is not None and res.status in (4, 5):
                assert "lower `learning_rate`" in res.message


def test_oscillation_has_its_own_ending(bowl):
    res = minimize(bowl.fun, bowl.x0, jac=bowl.jac, method=gd, options={"learning_rate": 1.0})
    assert (res.success, res.status) == (False, 5)
    assert "oscillate" in res.message
    assert 1000 <= res.nit <= 1010


def test_a_schedule_is_never_called_oscillating(bowl):
    res = minimize(
        bowl.fun,
        bowl.x0,
        jac=bowl.jac,
        method=gd,
        options={"learning_rate": lambda t: 1.0 if t < 3000 else 0.1},
    )
    assert res.success


class Trouble(Exception):
    pass


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt, StopIteration])
@pytest.mark.parametrize("where", ["fun", "jac"])
def test_what_the_functions_raise_comes_out_with_the_best_point(descent, bowl, error, where):
    def maybe(kind, value):
        if kind == where and bowl.values == 6:
            raise error("from inside")
        return value

    with pytest.raises(error, match="from inside") as caught:
        minimize(
            lambda x: maybe("fun", bowl.fun(x)),
            bowl.x0,
            jac=lambda x: maybe("jac", bowl.jac(x)),
            method=descent,
            options={"learning_rate": 1e-3},
        )
    res = caught.value.optimize_result
    assert (res.nfev, res.nit, res.success) == (6, 4, False)
    assert 0 < res.fun == bowl.fun(res.x) < bowl.fun(bowl.x0)


def test_a_run_lets_the_data_go_when_it_ends(method, valley):
    data = np.ones(3)
    remembered = weakref.ref(data)
    gc.disable()
    try:
        options = SHORT | {"history": True}
        args = (data,)
        minimize(lambda x, a: valley.fun(x), valley.x0, args, method=method, options=options)
        del data, args
        assert remembered() is None
    finally:
        gc.enable()


def test_what_the_callback_raises_comes_out(method, valley):
    def callback(x):
        raise Trouble("in the callback")

    with pytest.raises(Trouble) as caught:
        minimize(valley.fun, valley.x0, method=method, callback=callback, options=SHORT)
    assert caught.value.optimize_result.nit == 1


def test_disp_prints_what_bfgs_prints(exact, bowl, valley, capsys):
    options = {"disp": True, "gtol": 1e9, "target": 1e9, "rng": 0}
    minimize(bowl.fun, bowl.x0, jac=bowl.jac, method=exact, options=options)
    ours = capsys.readouterr().out
    minimize(bowl.fun, bowl.x0, jac=bowl.jac, method="BFGS", options={"disp": True, "gtol": 1e9})
    theirs = capsys.readouterr().out
    if "hess" not in exact.supplied:
        assert ours == theirs
    with pytest.warns(OptimizeWarning, match="maxiter") as caught:
        minimize(valley.fun, valley.x0, method=exact, options=SHORT | {"disp": True})
    assert caught[0].filename == __file__
    assert "Function evaluations" in capsys.readouterr().out


def test_silent_by_default(method, valley, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        minimize(valley.fun, valley.x0, method=method, options=SHORT)
    assert capfd.readouterr() == ("", "")


def test_random_state_is_the_callers(method, valley):
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    a = minimize(valley.fun, valley.x0, method=method, options={"maxiter": 20, "rng": 1})
    b = minimize(
        valley.fun,
        valley.x0,
        method=method,
        options={"maxiter": 20, "rng": np.random.default_rng(1)},
    )
    same(a, b)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_learning_rate_as_number_array_and_schedule_agree(method, valley):
    def run(rate):
        options = SHORT | {"learning_rate": rate}
        return minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options=options)

    same(run(1e-4), run(np.full(3, 1e-4)))
    same(run(1e-4), run(lambda t: 1e-4))
    same(run(1e-4), run(lambda t: np.full(3, 1e-4)))


def test_array_of_rates_is_one_rate_per_parameter(method, valley):
    options = SHORT | {"learning_rate": [1e-4, 0.0, 2e-4]}
    res = minimize(valley.fun, valley.x0, jac=valley.jac, method=method, options=options)
    assert (
        ((res.x == valley.x0) == [False, True, False]).all()
        or res.nit == 0
        or (method.needs == 9 and res.x[1] == valley.x0[1])
    )


def test_schedule_is_asked_for_steps_1_2_3(descent, valley):
    asked = []

    def schedule(t):
        asked.append(t)
        return 1e-4

    res = minimize(
        valley.fun,
        valley.x0,
        jac=valley.jac,
        method=descent,
        options={"learning_rate": schedule, "maxiter": 5},
    )
    assert res.nit == 5
    assert sorted(set(asked))[:5] == [1, 2, 3, 4, 5]


def test_hyper_parameters_may_be_arrays_and_schedules(descent, bowl):
    for name, default in descent.hyper.items():
        if name in ("maxcor", "mincor", "eta_minus", "step_min", "step_max"):
            continue  # not for each parameter; not felt in so few steps
        if descent is adopt and name == "eps":
            continue  # a limit that no gradient here comes near
        value = default * 0.9 + 1e-3
        rate = 0.9 if descent is lion else small_rate(descent, 1e-3)  # long enough for other signs

        def run(value, name=name, rate=rate):
            options = SHORT | {"learning_rate": rate, name: value, "return_all": True}
            return minimize(bowl.fun, bowl.x0, jac=bowl.jac, method=descent, options=options)

        plain = run(value)
        assert plain.allvecs[-1].tolist() != run(default).allvecs[-1].tolist()
        np.testing.assert_allclose(run(np.full(3, value)).allvecs, plain.allvecs, rtol=1e-13)
        same(plain, run(lambda t, value=value: value))


def test_check_grad_changes_nothing_but_the_calls(method, valley):
    def run(**options):
        return minimize(
            valley.fun, valley.x0, jac=valley.jac, method=method, options=SHORT | options
        )

    assert run(check_grad=True).x.tolist() == run().x.tolist()
    bounds = zip([-2, -2, -2], [2, 2, 2], strict=True)
    options = SHORT | {"check_grad": True, "rng": np.random.default_rng(0)}
    bounded = minimize(
        valley.fun, valley.x0, jac=valley.jac, bounds=bounds, method=method, options=options
    )
    assert bounded.nit > 0


def test_an_object_with_an_attribute_fun_is_no_memo_of_scipys(method):
    class Model:
        def fun(self, x):
            return float(x @ x)

        def jac(self, x):
            return 2 * x

        __call__ = fun

    model = Model()
    assert minimize(model, [1.0, 2.0], jac=model.jac, method=method, options=SHORT).fun <= 5


def test_gradients_at_large_parameters_are_not_rounded_away(descent):
    res = minimize(
        lambda x: 0.5 * x[0],
        [1e17],
        jac=lambda x: np.array([0.5]),
        bounds=[(0, None)],
        method=descent,
        options={"maxiter": 5},
    )
    assert res.success == (res.x[0] == 0)


def test_a_schedule_is_not_asked_beyond_the_last_step(descent):
    rates = [1e-4, 2e-4, 1e-4]
    res = minimize(
        lambda x: float(x @ x),
        [1.0],
        jac=lambda x: 2 * x,
        method=descent,
        options={"learning_rate": lambda t: rates[t - 1], "maxiter": 3},
    )
    assert res.nit == 3


def test_huge_maxiter_and_stopiteration_in_differences(valley):
    res = minimize(valley.fun, valley.x0, jac=valley.jac, method=gd, options={"maxiter": 1e20})
    assert res.success

    def stops(x):
        if valley.values > 2:
            raise StopIteration("from fun")
        return valley.fun(x)

    with pytest.raises(StopIteration, match="from fun"):
        minimize(stops, valley.x0, method=gd)


def test_a_callback_is_a_callback_whatever_else_it_has():
    class Watcher:
        nits = ()

        def on_start(self):
            raise AssertionError("this is the user's own")

        def __call__(self, intermediate_result):
            self.nits += (intermediate_result.nit,)

    watcher = Watcher()
    options = {"maxiter": 3}
    minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=adam, callback=watcher, options=options)
    assert watcher.nits == (1, 2, 3)
