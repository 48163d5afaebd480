"""The history: what every iteration was, of our methods and of SciPy's, in bounded memory."""

import csv
import pickle
import sys

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, minimize, rosen, rosen_der, rosen_hess

from scipy_gd import History, adam, gd, lbfgs, schedules
from scipy_gd.history import Thinned
from scipy_gd.problems import rosenbrock
from scipy_gd.solvers import SCIPY

START = np.array([-1.2, 1.0])
SECOND_ORDER = ["Newton-CG", "trust-constr", "dogleg", "trust-ncg", "trust-exact", "trust-krylov"]


def run(method, x0=START, callback=None, bounds=None, jac=rosen_der, **options):
    return minimize(
        rosen, x0, jac=jac, method=method, callback=callback, bounds=bounds, options=options
    )


def same(a, b):
    """All but the time."""
    for name, column in a.to_dict().items():
        if name != "seconds":
            np.testing.assert_array_equal(column, getattr(b, name), err_msg=name)


# --- our methods


def test_every_method_keeps_its_iterates_at_no_further_evaluations(exact, valley):
    options = {"maxiter": 25, "rng": 1}
    jac = valley.jac
    bare = minimize(valley.fun, valley.x0, jac=jac, method=exact, options=options)
    options |= {"history": True, "return_all": True}
    res = minimize(valley.fun, valley.x0, jac=jac, method=exact, options=options)
    h = res.history
    np.testing.assert_array_equal(h.x, res.allvecs)
    np.testing.assert_array_equal(h.nit, range(res.nit + 1))
    assert h.fun.tolist() == [valley.fun(x) for x in h.x]
    if "g" in exact.supplied:
        np.testing.assert_allclose(h.gnorm, [abs(valley.jac(x)).max() for x in h.x], rtol=1e-12)
        assert h.njev[-1] == res.njev
    else:
        assert np.isnan(h.gnorm).all()
    assert (res.nfev, res.njev) == (bare.nfev, bare.njev)
    assert h.nfev[0] == 1
    assert h.nfev[-1] == res.nfev
    assert np.all(np.diff(h.nfev) >= 1)
    assert h.seconds[0] == 0
    assert np.all(np.diff(h.seconds) >= 0)
    assert h.label == exact.__name__
    assert "history" not in bare


def test_callback_and_option_keep_the_same():
    history = History()
    res = run(lbfgs, callback=history, history=True)
    same(history, res.history)
    assert history.nit[0] == 0


def test_the_rate_is_the_one_that_the_step_was_made_with():
    """x_old - x = rate * g, for gd: also of schedules and line searches, which look ahead."""
    for rate in (1e-3, schedules.exponential(1e-3, 0.9), "armijo", "wolfe", "auto"):
        h = run(gd, learning_rate=rate, maxiter=30, history=True).history
        assert np.isnan(h.learning_rate[0])
        steps = h.x[:-1] - h.x[1:]
        gradients = np.array([rosen_der(x) for x in h.x[:-1]])
        expected = np.sum(steps * gradients, axis=1) / np.sum(gradients**2, axis=1)
        np.testing.assert_allclose(h.learning_rate[1:], expected, rtol=1e-5)


@pytest.mark.parametrize("rate", [[1e-3, 2e-3], lambda t: np.array([1e-3, 2e-3]) / t])
def test_a_rate_for_each_parameter_is_no_number(rate):
    assert np.isnan(
        run(gd, learning_rate=rate, maxiter=3, history=True).history.learning_rate
    ).all()


def test_gradient_is_projected_on_the_bounds():
    res = run(lbfgs, bounds=[(-2, 0.5), (-1, 2)], history=True)
    h = res.history
    g = np.array([rosen_der(x) for x in h.x])
    projected = np.clip(g, h.x - [0.5, 2], h.x - [-2, -1])
    np.testing.assert_allclose(h.gnorm, abs(projected).max(axis=1), rtol=1e-10, atol=1e-12)
    assert h.gnorm[-1] <= 1e-5 < abs(g[-1]).max()


def test_compiled_loop_tells_the_same():
    p = rosenbrock()
    both = [
        minimize(p.fun, p.x0, jac=p.jac, method=adam, options={"compiled": c, "history": True})
        for c in (True, False)
    ]
    same(both[0].history, both[1].history)


def test_a_callback_of_the_users_own_is_told_it_too():
    told = []

    def listen(intermediate_result):
        told.append(intermediate_result)

    h = run(adam, callback=listen, maxiter=5, history=True).history
    assert [r.nit for r in told] == [1, 2, 3, 4, 5]
    for name in ("fun", "gnorm", "learning_rate", "nfev", "njev"):
        assert [r[name] for r in told] == getattr(h, name)[1:].tolist()


def test_a_history_serves_one_run_after_the_other():
    history = History()
    run(adam, callback=history, maxiter=7)
    run(gd, callback=history, maxiter=3)
    assert history.nit.tolist() == [0, 1, 2, 3]


# --- SciPy's solvers


@pytest.mark.parametrize("name", SCIPY)
def test_scipys_solvers_tell_their_points(name):
    history = History()
    hess = {"hess": rosen_hess} if name in SECOND_ORDER else {}
    jac = None if name in ("Nelder-Mead", "Powell", "COBYLA", "COBYQA") else rosen_der
    points = []

    def listen(x, *_):
        points.append(np.copy(x))

    options = {"maxfun" if name == "TNC" else "maxiter": 40}
    for callback in (listen, history):
        res = minimize(
            rosen, START, jac=jac, method=name, callback=callback, options=options, **hess
        )
    np.testing.assert_array_equal(history.x, points)
    assert len(history) > 5
    assert np.all(np.diff(history.nit) == 1)
    if name == "TNC":
        assert np.isnan(history.fun).all()
    else:
        np.testing.assert_allclose(history.fun, [rosen(x) for x in history.x])
    assert res.fun <= history.fun[0] or name == "TNC"


def test_the_start_by_hand():
    history = History()
    for _ in range(2):
        history(OptimizeResult(x=START, fun=rosen(START), nit=0))
        res = run("BFGS", callback=history)
    assert history.nit.tolist() == list(range(res.nit + 1))
    assert history.fun[0] == rosen(START)


# --- bounded


@pytest.mark.parametrize("size", [64, 100, 1000])
@pytest.mark.parametrize("count", [1, 64, 65, 5000, 300_000])
def test_thinned_keeps_the_start_in_full_and_then_every_power_of_two(size, count):
    kept = Thinned(size)
    for k in range(count):
        kept.offer(k)
    assert len(kept) == min(count, size) or size / 3 < len(kept) <= size
    assert kept[0] == 0
    gaps = np.diff(kept)
    assert np.all(np.diff(gaps) >= 0)
    assert set(gaps) <= {2**k for k in range(30)}
    # resolution of a logarithmic axis: no gap is more than a share of the count
    assert np.all(gaps <= np.maximum(1, 64 * np.array(kept[1:]) / size))


def test_long_history_is_thinned_and_says_so():
    history = History(size=64)
    res = run(gd, callback=history, learning_rate=1e-4, maxiter=3001, gtol=0, return_all=True)
    assert res.nit == 3001
    assert history.thinned
    assert len(history) <= 65
    assert history.nit[:5].tolist() == [0, 1, 2, 3, 4]
    assert history.nit[-1] == 3001
    np.testing.assert_array_equal(history.x, np.array(res.allvecs)[history.nit])
    assert "iterations 0 to 3001" in repr(history)
    assert "thinned" in repr(history)
    short = run(gd, learning_rate=1e-4, maxiter=10, history=True).history
    assert not short.thinned
    assert "thinned" not in repr(short)


def test_every():
    history = History(every=10)
    run(gd, callback=history, learning_rate=1e-4, maxiter=25)
    assert history.nit.tolist() == [0, 10, 20, 25]
    assert not history.thinned


def test_large_points_are_fewer():
    history = History()
    for _ in range(300):
        history(np.zeros(100_000))
    assert len(history) <= 101


def test_points_are_copies():
    history, x = History(), np.ones(2)
    history(x)
    x[:] = 5
    assert history.x.tolist() == [[1, 1]]


# --- how it is read


def test_repr_is_a_short_table():
    h = run(adam, maxiter=100, history=True).history
    title, names, *rows = repr(h).splitlines()
    assert title == "History of adam: iterations 0 to 100, 101 kept"
    assert names.split() == ["nit", "fun", "gnorm", "learning_rate", "nfev", "njev", "seconds"]
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "...", "98", "99", "100"]
    assert len({len(line) for line in (names, *rows)}) == 1
    assert repr(History()) == "History: empty"


def test_dict_csv_and_pandas_agree(tmp_path):
    h = run(adam, maxiter=12, history=True).history
    columns = h.to_dict()
    assert list(columns)[:3] == ["nit", "x", "fun"]
    assert columns["x"].shape == (13, 2)
    h.to_csv(tmp_path / "run.csv")
    with open(tmp_path / "run.csv", newline="") as file:
        head, *rows = csv.reader(file)
    read = dict(zip(head, np.array(rows, float).T, strict=True))
    frame = h.to_pandas()
    assert list(frame.columns) == head
    for name, column in columns.items():
        parts = {"x[0]": column[:, 0], "x[1]": column[:, 1]} if name == "x" else {name: column}
        for key, values in parts.items():
            np.testing.assert_array_equal(read[key], values)  # every digit
            np.testing.assert_array_equal(frame[key], values)
    assert frame["nit"].dtype == frame["nfev"].dtype == np.int64


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas"):
        History().to_pandas()


def test_pickle_and_go_on():
    history = History()
    run(adam, callback=history, maxiter=5)
    copy = pickle.loads(pickle.dumps(history))
    same(history, copy)
    copy([3.0, 4.0])
    assert copy.nit[-1] == 6
    assert history.nit[-1] == 5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"every": 0}, ValueError, "`every` must be a whole number, at least 1"),
        ({"every": "2"}, TypeError, "`every` must be a whole number"),
        ({"size": 10}, ValueError, "`size` must be a whole number, at least 64"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        History(**arguments)
    with pytest.raises(TypeError, match="`history` must be True or False"):
        run(adam, history="yes")
