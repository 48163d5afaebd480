"""Many problems in one call: each must be, to the bit, what it is by itself."""

from __future__ import annotations

import functools
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import njit
from scipy.optimize import Bounds, minimize

from scipy_gd import METHODS, adam, lbfgs, levenberg_marquardt, minimize_many, newton

K = 7
T = np.linspace(0.0, 4.0, 15)
RNG = np.random.default_rng(0)
TRUTH = np.c_[RNG.uniform(1, 3, K), RNG.uniform(0.5, 2, K)]
Y = TRUTH[:, :1] * np.exp(-TRUTH[:, 1:] * T) + 0.01 * RNG.standard_normal((K, T.size))


def residuals(p, t, y):
    return p[0] * np.exp(-p[1] * t) - y


def jacobian(p, t, y):
    J = np.empty((t.size, 2))
    J[:, 0] = np.exp(-p[1] * t)
    J[:, 1] = -p[0] * t * J[:, 0]
    return J


def valley(x, a):
    return (1.0 - x[0]) ** 2 + a * (x[1] - x[0] ** 2) ** 2


def valley_slope(x, a):
    up = 2.0 * a * (x[1] - x[0] ** 2)
    return np.array([-2.0 * (1.0 - x[0]) - 2.0 * x[0] * up, up])


RESIDUALS, JACOBIAN = njit(residuals), njit(jacobian)
VALLEY, SLOPE = njit(valley), njit(valley_slope)
BOTH = njit(lambda p, t, y: (RESIDUALS(p, t, y), JACOBIAN(p, t, y)))
WIDTHS = np.linspace(1.0, 30.0, K)


def as_alone(many, fun, x0, arguments, bounds=None, **how):
    """Every member against its run by itself."""
    k = len(many.fun)
    for i in range(k):
        box = bounds[i] if np.ndim(bounds) == 3 else bounds
        start = x0[i] if np.ndim(x0) == 2 else x0
        single = minimize(fun, start, args=arguments(i), bounds=box, **how)
        assert many.messages[i] == single.message
        for name in ("x", "fun", "jac", "nit", "nfev", "njev", "nhev", "status", "success"):
            if name in single:
                assert np.array_equal(many[name][i], single[name], equal_nan=True), name
        if "stderr" in single:
            assert np.array_equal(many[i].covariance, single.covariance)
            assert np.array_equal(many[i].stderr, single.stderr)
            assert many.dof[i] == single.dof


@pytest.mark.parametrize("tol", [None, 1e-6])
@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
@pytest.mark.parametrize(
    ("fun", "jac"),
    [
        (residuals, jacobian),
        (RESIDUALS, JACOBIAN),
        (BOTH, True),
        (RESIDUALS, None),
        (RESIDUALS, "3-point"),
        (RESIDUALS, "cs"),
    ],
)
def test_fits(fun, jac, loss, tol):
    options = {"loss": loss, "compiled": None if fun is residuals else True}
    if jac in ("3-point", "cs"):
        options["finite_diff_scheme"] = jac
    how = {"jac": jac, "method": levenberg_marquardt, "tol": tol}
    many = minimize_many(fun, [1.0, 1.0], (T, Y), (None, 0), options=options, **how)
    assert many.success.all() and np.abs(many.x - TRUTH).max() < 0.1
    as_alone(many, fun, [1.0, 1.0], lambda i: (T, Y[i]), options=options, **how)


@pytest.mark.parametrize("jac", [JACOBIAN, None])
def test_fits_at_their_bounds(jac):
    """Of each its own box: one that holds a parameter, one that fixes it, one without a bound."""
    bounds = np.tile([[0.0, 5.0], [0.0, 5.0]], (K, 1, 1))
    bounds[1, 1] = 0.0, 0.4
    bounds[2, 0] = 1.5, 1.5
    bounds[3] = [-np.inf, np.inf]
    how = {"jac": jac, "method": levenberg_marquardt, "options": {"compiled": True}}
    many = minimize_many(RESIDUALS, [2.0, 1.0], (T, Y), (None, 0), bounds=bounds, **how)
    as_alone(many, RESIDUALS, [2.0, 1.0], lambda i: (T, Y[i]), bounds, **how)
    assert many.x[1, 1] == 0.4 and "held at the bound" in many.messages[1]
    assert many.x[2, 0] == 1.5


def test_parameters_that_the_data_do_not_determine():
    twice = njit(lambda p, y: (p[0] + p[1]) * np.ones(y.size) - y)
    many = minimize_many(twice, [1.0, 2.0], (Y,), 0, method=levenberg_marquardt)
    as_alone(many, twice, [1.0, 2.0], lambda i: (Y[i],), method=levenberg_marquardt)
    assert np.isinf(many.stderr).all() and "do not determine" in many.messages[0]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", METHODS)
def test_every_method(name, compiled):
    method = METHODS[name]
    if method.residuals:
        return
    fun, jac = (VALLEY, SLOPE) if compiled else (valley, valley_slope)
    starts = np.random.default_rng(1).uniform(-2, 2, (K, 2))
    how = {"jac": jac, "method": method, "options": {"maxiter": 60, "rng": 3}}
    many = minimize_many(fun, starts, (WIDTHS,), (0,), **how)
    as_alone(many, fun, starts, lambda i: (WIDTHS[i],), **how)


@pytest.mark.parametrize(
    "options",
    [
        {"maxfev": 9},
        {"x_scale": [1.0, 2.0]},
        {"noise": 1e-3},
        {"averaging": 0.1},
        {"gtol": 1e-14},
        {"target": 0.5},
        {"maxcor": 3},
    ],
)
@pytest.mark.parametrize("jac", [SLOPE, None])
def test_options(options, jac):
    starts = np.random.default_rng(2).uniform(-2, 2, (K, 2))
    how = {"jac": jac, "method": lbfgs, "options": options}
    many = minimize_many(VALLEY, starts, (WIDTHS,), 0, **how)
    as_alone(many, VALLEY, starts, lambda i: (WIDTHS[i],), **how)


def test_hessians_and_partials():
    hess = njit(lambda x, a: np.array(
        [[2 - 4 * a * (x[1] - 3 * x[0] ** 2), -4 * a * x[0]], [-4 * a * x[0], 2 * a]]
    ))  # fmt: skip
    starts = np.full((K, 2), 3.0)
    how = {"jac": SLOPE, "hess": hess, "method": newton}
    many = minimize_many(VALLEY, starts, (WIDTHS,), 0, **how)
    as_alone(many, VALLEY, starts, lambda i: (WIDTHS[i],), **how)
    slow = functools.partial(adam, learning_rate=0.01)
    found = minimize_many(valley, starts, (WIDTHS,), 0, method=slow, options={"maxiter": 5})
    assert np.allclose(np.abs(found.x - 3.0), 0.05, rtol=0.3)


# --- members that fail


def test_members_that_fail_harm_no_other():
    @njit
    def fun(x, a):
        if a == 2.0:
            raise ZeroDivisionError("two")
        return np.sum((x - a) ** 2) if a != 3.0 else np.nan

    slope = njit(lambda x, a: 2 * (x - a))
    for f, jac in ((fun, slope), (fun.py_func, slope.py_func)):
        starts = np.zeros((6, 2))
        starts[5] = np.nan
        res = minimize_many(f, starts, (np.arange(6.0),), 0, jac=jac)
        assert res.success.tolist() == [True, True, False, False, True, False]
        assert res.status.tolist() == [0, 0, -1, 3, 0, -1]
        assert res.messages[2] == "Stopped by ZeroDivisionError: two"
        assert "`x0` must be finite" in res.messages[5]
        assert np.array_equal(res.x[[0, 1, 4]], np.array([[0.0] * 2, [1.0] * 2, [4.0] * 2]))
        assert np.array_equal(res.x[2], [0.0, 0.0])


def test_an_error_of_every_member_is_raised():
    def fun(x, a):
        raise NameError("nothing is right")

    with pytest.raises(NameError, match="nothing is right"):
        minimize_many(fun, [1.0], (np.arange(4.0),), 0)


def test_ctrl_c_keeps_what_is_there():
    def fun(x, a):
        if a == 3.0:
            raise KeyboardInterrupt
        return (x[0] - a) ** 2

    with pytest.raises(KeyboardInterrupt) as caught:
        minimize_many(fun, [9.0], (np.arange(6.0),), 0)
    res = caught.value.optimize_result
    assert res.success.tolist() == [True] * 3 + [False] * 3
    assert res.messages[5] == "Not started: the run was interrupted."
    assert np.allclose(res.x[:3, 0], [0, 1, 2], atol=1e-4)


def test_time_is_that_of_all():
    def slow(x, a):
        threading.Event().wait(0.02)
        return (x[0] - a) ** 2

    res = minimize_many(slow, [9.0], (np.arange(50.0),), 0, options={"maxtime": 0.3})
    assert res.success[0] and not res.success[-1]
    assert res.messages[49].startswith("Maximum time") and res.x[49] == 9.0


# --- where and how much


@pytest.mark.parametrize("workers", [2, lambda f, items: [f(each) for each in items]])
def test_workers_change_nothing(workers):
    y = np.resize(Y, (200, T.size))
    for fun in (residuals, RESIDUALS):
        how = {"method": levenberg_marquardt}
        one = minimize_many(fun, [1.0, 1.0], (T, y), (None, 0), **how)
        two = minimize_many(fun, [1.0, 1.0], (T, y), (None, 0), workers=workers, **how)
        for name in ("x", "fun", "jac", "nfev", "success", "upper"):
            assert np.array_equal(one[name], two[name]), name
        assert [*one.messages] == [*two.messages]


def test_threads_may_share_a_function():
    def run(_):
        return minimize_many(RESIDUALS, [1.0, 1.0], (T, Y), (None, 0), method=levenberg_marquardt).x

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(run, range(8))
    assert all(np.array_equal(first, other) for other in others)


def test_data_of_any_kind(tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    np.save(tmp_path / "y.npy", Y)
    mapped = np.load(tmp_path / "y.npy", mmap_mode="r")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["y"] = Y
        kinds = [
            mapped,
            file["y"],
            zarr.array(Y),
            Y.tolist(),
            np.asfortranarray(Y),
            Y[:, ::-1][:, ::-1],
        ]
        for fun in (residuals, RESIDUALS):
            found = [
                minimize_many(fun, [1.0, 1.0], (T, y), (None, 0), method=levenberg_marquardt).x
                for y in kinds
            ]
            assert all(np.array_equal(found[0], other) for other in found)


def test_results_as_a_whole_and_one_by_one():
    res = minimize_many(
        RESIDUALS, [1.0, 1.0], (T, Y), (None, 0), method=levenberg_marquardt,
        options={"parameter_names": ("height", "rate")},
    )  # fmt: skip
    assert res.x.shape == (K, 2) and res.covariance.shape == (K, 2, 2)
    assert np.array_equal(res[-1].x, res.x[-1]) and np.array_equal(res[2:4].x, res.x[2:4])
    assert res[2:4].messages[1] == res.messages[3] and res[3].message == res.messages[3]
    with pytest.raises(IndexError):
        res[K]
    again = pickle.loads(pickle.dumps(res))
    assert np.array_equal(again.stderr, res.stderr) and [*again.messages] == [*res.messages]
    lines = res.summary().splitlines()
    assert lines[1].split()[:2] == [str(K), "True"]
    frame = res.to_pandas()
    assert [*frame.columns[:5]] == ["height", "rate", "height_stderr", "rate_stderr", "dof"]
    assert f"{K} problems with 2 parameters: {K} solved" in repr(res)


def loss(x, rows):
    return float(np.mean((rows - x) ** 2))


def test_generators_have_children():
    data = RNG.normal(size=(4, 30, 2))
    options = {"learning_rate": 0.1, "batch_size": 10, "epochs": 3, "batch_args": (0,)}
    runs = [
        minimize_many(loss, np.zeros(2), (data,), 0, method=adam,
                      options=options | {"rng": np.random.default_rng(5)}, workers=workers).x
        for workers in (None, 2)
    ]  # fmt: skip
    assert np.array_equal(*runs) and len({*runs[0][:, 0]}) == 4


# --- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"in_axes": (None,)}, "`in_axes` must have one entry for each of the 2 arguments"),
        ({"in_axes": (None, 1)}, r"`in_axes\[1\]` must be 0 or None, got 1"),
        ({"in_axes": (0, 0)}, r"`args\[0\]` 15, `args\[1\]` 7"),
        ({"x0": np.ones((3, 2))}, r"`x0` 3, `args\[1\]` 7"),
        ({"x0": np.ones((0, 2)), "in_axes": None}, "`x0` must have at least one row"),
        ({"x0": np.ones((1, 2, 2))}, "`x0` must have shape"),
        ({"bounds": np.zeros((K, 3, 2))}, r"`bounds` must have shape \(k, 2, 2\)"),
        ({"bounds": np.where(np.arange(K)[:, None, None] == 4, [1.0, 0.0], [0.0, 1.0])
          * np.ones((K, 2, 2))}, r"`bounds\[4\]` has an upper bound below its lower bound"),
        ({"bounds": Bounds(np.full((K, 2), np.nan), 1.0)}, r"`bounds\[0\]` must not contain NaN"),
        ({"options": {"history": True}}, "`history` is an option for single runs"),
        ({"options": {"maxiter": -1}}, "`maxiter`"),
        ({"jac": "4-point"}, "`jac` must be callable"),
        ({"workers": 0}, "`workers`"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_any_work(change, message):
    def fun(*_):
        raise AssertionError("no work was to be done")

    given = {"x0": [1.0, 1.0], "args": (T, Y), "in_axes": (None, 0)} | change
    with pytest.raises((ValueError, TypeError), match=message):
        minimize_many(fun, **given)


def test_types_that_are_refused():
    with pytest.raises(TypeError, match="`method` must be a method of scipy_gd"):
        minimize_many(valley, [1.0, 1.0], (WIDTHS,), 0, method="BFGS")
    with pytest.raises(TypeError, match=r"`args\[0\]` must have one row per problem"):
        minimize_many(valley, [1.0, 1.0], (3.0,), 0)
    with pytest.raises(TypeError, match="`x0` must be real numbers"):
        minimize_many(valley, ["a"], (WIDTHS,), 0)
    with pytest.warns(match="Unknown solver options: lr"):
        minimize_many(valley, [1.0, 1.0], (WIDTHS,), 0, options={"lr": 1})
