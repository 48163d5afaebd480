"""Many starts: the minima, when it ends, and what is said of it."""

import re

import numpy as np
import pytest
from numba import njit
from scipy.optimize import Bounds, OptimizeResult, minimize

from scipy_gd import lbfgs, levenberg_marquardt, multistart, random_search
from scipy_gd.many_starts import _expected, _unseen
from scipy_gd.problems import himmelblau

BOX = [(-5.0, 5.0), (-5.0, 5.0)]
FOUR = [[-3.78, -3.28], [-2.81, 3.13], [3.0, 2.0], [3.58, -1.85]]


@pytest.fixture(scope="module")
def p():
    return himmelblau().plain


@pytest.fixture(scope="module")
def four(p):
    return multistart(p.fun, BOX, jac=p.jac, rng=1)


def rastrigin(x):
    return 10.0 * x.size + float(np.sum(x * x - 10 * np.cos(2 * np.pi * x)))


def rastrigin_jac(x):
    return 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)


class Counted:
    def __init__(self, call):
        self.call, self.calls = call, 0

    def __call__(self, x, *args):
        self.calls += 1
        return self.call(x, *args)


# --- what it finds


def test_minima_are_distinct_sorted_and_counted(four):
    assert sorted(m.x.round(2).tolist() for m in four.minima) == FOUR
    assert (np.diff(four.minima.fun) >= 0).all()
    assert four.minima.found.sum() == four.n_starts == len(four.runs.x)
    for i, minimum in enumerate(four.minima):
        mine = four.runs.minimum == i
        assert mine.sum() == minimum.found
        assert four.runs.fun[mine].min() == minimum.fun
        assert np.abs(four.runs.x[mine] - minimum.x).max() < 1e-3


def test_the_result_is_that_of_the_best_run(four, p):
    best = int(np.argmin(four.runs.fun))
    alone = minimize(p.fun, four.runs.x0[best], jac=p.jac, bounds=BOX, method=lbfgs)
    np.testing.assert_array_equal(four.x, alone.x)
    np.testing.assert_array_equal(four.jac, alone.jac)
    assert four.fun == alone.fun == four.minima[0].fun


@pytest.mark.parametrize("jac", ["given", "pair", None])
def test_every_call_is_counted(p, jac):
    if jac == "pair":
        fun = Counted(lambda x: (p.fun(x), p.jac(x)))
        res = multistart(fun, BOX, jac=True, rng=2, n_starts=20)
        assert fun.calls == res.nfev == res.njev
        return
    fun, slope = Counted(p.fun), Counted(p.jac)
    res = multistart(fun, BOX, jac=slope if jac else None, rng=2, n_starts=20)
    assert fun.calls == res.nfev
    assert slope.calls == (res.njev if jac else 0)


def test_the_same_seed_leads_to_the_same_result(p):
    def run(rng, **how):
        return multistart(p.fun, BOX, jac=p.jac, rng=rng, n_starts=30, **how)

    first, again, by_map = run(3), run(np.random.default_rng(3)), run(3, workers=map)
    for other in (again, by_map):
        np.testing.assert_array_equal(first.runs.x0, other.runs.x0)
        np.testing.assert_array_equal(first.runs.x, other.runs.x)
    assert not np.array_equal(first.runs.x0, run(4).runs.x0)


def test_compiled_equals_plain():
    def fun(x):
        return (x[0] * x[0] - 1) ** 2 + x[1] * x[1] + 0.1 * x[0]

    def jac(x):
        return np.array([4 * x[0] * (x[0] * x[0] - 1) + 0.1, 2 * x[1]])

    box = Bounds([-2, -2], [2, 3])
    compiled = multistart(njit(fun), box, jac=njit(jac), rng=0)
    plain = multistart(fun, box, jac=jac, rng=0)
    np.testing.assert_array_equal(compiled.runs.x, plain.runs.x)
    assert len(plain.minima) == 2
    assert plain.minima[0].x[0] < 0


def test_residuals():
    """Two decays: each minimum has a twin, with the decays in the other order."""
    t = np.linspace(0, 4, 30)
    y = 3 * np.exp(-2 * t) + np.exp(-t / 4)

    def residuals(p, t):
        return p[0] * np.exp(-p[1] * t) + p[2] * np.exp(-p[3] * t) - y

    res = multistart(residuals, [(0, 5)] * 4, args=t, method=levenberg_marquardt, rng=0)
    assert res.fun < 1e-20
    assert res.stderr.shape == (4,)
    both = [m.x.round(3).tolist() for m in res.minima if m.fun < 1e-20]
    assert sorted(both) == [[1, 0.25, 3, 2], [3, 2, 1, 0.25]]


def test_more_minima_than_can_be_counted():
    """11 ** 5 of them: uniform starts do not find the lowest, leaps from minimum to minimum do."""
    box = [(-5.12, 5.5)] * 5
    res = multistart(rastrigin, box, jac=rastrigin_jac, n_starts=400, maxfev=10_000, rng=1)
    assert np.abs(res.x).max() < 1e-5
    uniform = np.random.default_rng(1).uniform(*np.transpose(box), (400, 5))
    given = multistart(rastrigin, box, jac=rastrigin_jac, starts=uniform)
    assert given.fun > 1
    assert not res.success
    assert res.unseen == 1


# --- when it ends


def test_boender_and_rinnooy_kan():
    """By hand: w (k - 1) / (k - w - 2) and w (w + 1) / (k (k - 1))."""
    assert _expected(3, 9) == 3 * 8 / 4
    assert _expected(3, 5) == np.inf
    assert _unseen(3, 9) == 12 / 72
    assert _unseen(9, 9) == _unseen(0, 0) == 1


@pytest.mark.parametrize(("w", "k"), [(1, 8), (2, 17), (4, 47)])
def test_it_ends_when_no_more_are_expected(w, k, p):
    """As the documentation says: not at k - 1 starts, but at k."""
    shallow = {1: lambda x: (x[0] - 1) ** 2, 2: lambda x: (x[0] ** 2 - 1) ** 2}
    fun, box = (p.fun, BOX) if w == 4 else (shallow[w], [(-2.0, 3.0)])
    res = multistart(fun, box, rng=0, round_size=1)
    assert len(res.minima) == w
    assert res.n_uniform == k
    assert res.success
    assert "No more minima are expected" in res.message


def test_starts_used_up(p):
    res = multistart(p.fun, BOX, jac=p.jac, n_starts=13, rng=1)
    assert (res.n_starts, res.status, res.success) == (13, 1, False)
    assert f"{res.unseen:.2g}" in res.message


def test_maxfev_ends_it_after_a_round(p):
    res = multistart(p.fun, BOX, jac=p.jac, maxfev=30, rng=1)
    assert (res.n_starts, res.status) == (10, 1)


def test_given_starts_are_all_of_them(p):
    starts = np.array([[3.0, 2.1], [2.9, 2.0], [-3.0, 3.0]])
    kept = starts.copy()
    res = multistart(p.fun, None, jac=p.jac, starts=starts)
    np.testing.assert_array_equal(res.runs.x0, kept)
    assert res.minima.found.tolist() in ([2, 1], [1, 2])
    assert res.success
    assert "3 given starts" in res.message


def test_the_tolerance_is_in_units_of_x_scale():
    """Minima at -0.01 and 0.01."""
    fun = lambda x: ((1e4 * x[0] ** 2 - 1) ** 2).item()  # noqa: E731
    starts = [[-0.02], [0.02]]
    for options, minima in [({}, 1), ({"x_scale": 0.01}, 2)]:
        res = multistart(fun, [(-30, 30)], starts=starts, options=options, rng=0)
        assert len(res.minima) == minima, options


# --- what goes wrong


def test_runs_that_do_not_arrive_are_no_minima(p):
    res = multistart(p.fun, BOX, jac=p.jac, n_starts=10, options={"maxiter": 1}, rng=1)
    assert (res.success, res.status, len(res.minima)) == (False, 2, 0)
    assert "did not reach" in res.message
    assert list(res.endings.values()) == [10]
    assert (res.runs.minimum == -1).all()
    assert np.isfinite(res.fun)


def test_where_the_function_is_undefined_there_is_no_start():
    def fun(x):
        if x[0] < 0:
            raise ValueError("a logarithm")
        return (x[0] - 1) ** 2

    res = multistart(fun, [(-1.0, 3.0)], rng=0)
    assert res.success
    assert (res.runs.x0 >= 0).all()


def test_nothing_is_finite():
    res = multistart(lambda x: np.nan, [(0, 1)], n_starts=5, rng=0)
    assert (res.success, res.status, len(res.minima)) == (False, 3, 0)
    assert "finite" in res.message
    assert repr(res).endswith("0 minima")


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        (
            {"bounds": [(0, 1), (0, np.inf)]},
            ValueError,
            r"`bounds` .*finite.*\(0, inf\).*parameter 1",
        ),
        ({"bounds": [(None, None)]}, ValueError, "`bounds` must be finite"),
        ({"bounds": Bounds([0, 0], [1, np.inf])}, ValueError, "`bounds` .*parameter 1"),
        ({"bounds": None}, ValueError, "`bounds` must be given"),
        ({"bounds": 3}, TypeError, "`bounds`"),
        ({"fun": 3}, TypeError, "`fun`"),
        ({"starts": "random"}, ValueError, '`starts` must be "sobol"'),
        ({"starts": [1.0, 2.0]}, ValueError, "`starts`.*shape"),
        ({"starts": [[np.nan]]}, ValueError, "`starts` must be finite"),
        ({"n_starts": 0}, ValueError, "`n_starts`"),
        ({"round_size": 0}, ValueError, "`round_size`"),
        ({"maxfev": 0}, ValueError, "`maxfev`"),
        ({"xtol": -1}, ValueError, "`xtol`"),
        ({"rng": "x"}, (TypeError, ValueError), "`rng`"),
        ({"progress": "x"}, TypeError, "`progress`"),
        ({"options": {"x_scale": -1}}, ValueError, "`x_scale`"),
    ],
)
def test_bad_input_is_named_before_anything_is_run(how, error, message):
    fun = Counted(lambda x: x @ x)
    given = {"fun": fun, "bounds": [(0, 1)]} | how
    with pytest.raises(error, match=message):
        multistart(given.pop("fun"), given.pop("bounds"), **given)
    assert fun.calls == 0


def test_a_wrong_return_value_is_named():
    with pytest.raises(TypeError, match="`fun` must return real numbers"):
        multistart(lambda x: "x", [(0, 1)], rng=0)


# --- how it looks


def test_what_is_printed(four):
    text = repr(four)
    assert "No more minima are expected" in text
    assert "4 minima" in text
    assert re.search(r"runs: 50, nfev: \d+", text)
    assert isinstance(four, OptimizeResult)


def test_progress(p, capsys):
    multistart(p.fun, BOX, jac=p.jac, n_starts=20, rng=1, progress=True)
    assert "start 11" in capsys.readouterr().err


def test_a_method_that_draws_random_numbers_follows_rng(p):
    def run(rng):
        how = {"method": random_search, "starts": [[0, 0], [1, -1]], "options": {"maxiter": 20}}
        return multistart(p.fun, BOX, rng=rng, **how)

    np.testing.assert_array_equal(run(5).runs.x, run(5).runs.x)
    assert not np.array_equal(run(5).runs.x, run(6).runs.x)
