"""The bar of `progress` tells how far a run is, and costs nothing in between."""

import io
import re
import sys

import numpy as np
import pytest
from numba import njit
from scipy.optimize import minimize, rosen, rosen_der

from scipy_gd import adam, gd, random_search
from scipy_gd._run import drive as _drive

tqdm = pytest.importorskip("tqdm.auto")


def bars(monkeypatch):
    """The bars that are made, writing nowhere."""
    made = []

    class Recorded(tqdm.tqdm):
        def __init__(self, **options):
            super().__init__(file=io.StringIO(), mininterval=0.0, **options)
            self.seen = []
            made.append(self)

        def update(self, n=1):
            self.seen.append(n)
            return super().update(n)

    monkeypatch.setattr("tqdm.auto.tqdm", Recorded)
    return made


@pytest.mark.parametrize("compiled", [False, True])
def test_bar_ends_at_the_last_iteration(monkeypatch, compiled):
    made = bars(monkeypatch)
    monkeypatch.setattr(_drive, "REPORT", 0.0)
    fun = njit(lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)
    jac = njit(
        lambda x: np.array(
            [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]
        )
    )
    options = {"learning_rate": 1e-3, "maxiter": 200, "compiled": compiled}
    plain = minimize(fun, [-1.2, 1.0], jac=jac, method=adam, options=options)
    res = minimize(fun, [-1.2, 1.0], jac=jac, method=adam, options=options | {"progress": True})
    (bar,) = made
    assert (bar.n, bar.total, bar.desc) == (200, 200, "adam")
    assert f"f {res.fun:.6g}, |g| {abs(res.jac).max():.2e}, rate 1.00e-03" in bar.postfix
    assert sum(bar.seen) == 200
    assert res.x.tolist() == plain.x.tolist()  # it changes nothing


def test_a_resumed_bar_begins_where_the_run_goes_on(monkeypatch):
    made = bars(monkeypatch)
    options = {"maxiter": 30, "learning_rate": 1e-3}
    half = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=adam, options=options)
    options |= {"maxiter": 50, "resume": half.state, "progress": True}
    minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=adam, options=options)
    assert (made[0].initial, made[0].n, made[0].total) == (30, 80, 80)


def test_the_time_that_is_left(monkeypatch):
    made = bars(monkeypatch)
    options = {"maxiter": 30, "maxtime": 1000.0, "progress": True}
    minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=adam, options=options)
    assert re.search(r", (1000|9\d\d) s left", made[0].postfix)


def test_a_run_without_gradients_shows_none(monkeypatch):
    made = bars(monkeypatch)
    options = {"maxiter": 30, "progress": True, "rng": 0}
    minimize(rosen, [0.0, 0.0], method=random_search, options=options)
    assert "|g|" not in made[0].postfix


def test_bar_is_closed_when_the_function_fails(monkeypatch):
    made = bars(monkeypatch)

    def fun(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        minimize(fun, [1.0], jac=lambda x: x, method=gd, options={"progress": True})
    assert made[0].disable  # what tqdm says of a closed bar


def test_missing_tqdm_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"pip install tqdm"):
        minimize(rosen, [0.0, 0.0], jac=rosen_der, method=gd, options={"progress": True})
