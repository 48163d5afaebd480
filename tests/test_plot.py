"""The pictures, by what they have drawn."""

import base64
import re
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from scipy.optimize import OptimizeResult, minimize, rosen, rosen_der

from scipy_gd import (
    METHODS,
    History,
    adam,
    check_grad,
    gd,
    lbfgs,
    multistart,
    plot,
    random_search,
)
from scipy_gd import schedules as s
from scipy_gd.plot._landscape import landscape
from scipy_gd.problems import beale, himmelblau, quadratic, rosenbrock, saddle

mpl.use("agg")
import matplotlib.pyplot as plt

START = np.array([-1.2, 1.0])
INF = float("inf")


def run(method, x0=START, **options):
    options = {"history": True, "maxiter": 60} | options
    return minimize(rosen, x0, jac=rosen_der, method=method, options=options)


def scipys(name="BFGS", x0=START):
    history = History()
    history(OptimizeResult(x=x0, fun=rosen(x0), nit=0))
    minimize(rosen, x0, jac=rosen_der, method=name, callback=history)
    return history


def lines(ax):
    """The first line of each label: ends and best points are drawn after their curves."""
    found = {}
    for line in ax.get_lines():
        found.setdefault(line.get_label(), line)
    return found


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def equal(line, x, y):
    np.testing.assert_array_equal(line.get_xdata(), x)
    np.testing.assert_array_equal(line.get_ydata(), y)


# --- what they take


def test_one_or_several_results_or_histories_named_or_not():
    results = [run(adam), run(lbfgs)]
    histories = [result.history for result in results]
    for given in (results, tuple(histories), {"adam": results[0], "lbfgs": histories[1]}):
        assert labels(plot.convergence(given)) == ["adam", "lbfgs"]
    for given in (results[0], histories[0], {"mine": results[0]}):
        (line,) = plot.convergence(given).get_lines()
        assert line.get_xdata().size == len(histories[0])
    assert labels(plot.convergence([scipys(), scipys("CG")])) == ["run 0", "run 1"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (OptimizeResult(x=START), ValueError, "use options={'history': True}"),
        ([], ValueError, "must contain at least one history, got none"),
        ({"a": History()}, ValueError, "got 'a' with no points"),
        ({"a": 3}, (TypeError, ValueError), "`?histories"),
    ],
)
def test_no_history(given, error, message):
    for draw in (plot.convergence, lambda h: plot.path(h, rosen)):
        with pytest.raises(error, match=message):
            draw(given)


def test_two_of_the_same_method_want_names():
    with pytest.raises(ValueError, match="got 'adam' twice: pass a dict"):
        plot.convergence([run(adam), run(adam, learning_rate=0.1)])


def many(**how):
    p = himmelblau()
    return multistart(p.fun, [(-5, 5)] * 2, jac=p.jac, rng=1, **how)


DRAW = {
    "path": lambda ax=None: plot.path([run(adam), run(gd)], rosen, ax=ax),
    "slice": lambda ax=None: plot.slice(rosen, np.zeros(3), ax=ax),
    "convergence": lambda ax=None: plot.convergence([run(adam), run(gd)], ax=ax),
    "sensitivity": lambda ax=None: plot.sensitivity({"gd": ([1, 2], [3, 4])}, ax=ax),
    "multistart": lambda ax=None: plot.multistart(many(), ax=ax),
    "schedules": lambda ax=None: plot.schedules(s.exponential(1.0, 0.9), ax=ax),
    "performance_profile": lambda ax=None: plot.performance_profile({"a": [1], "b": [2]}, ax=ax),
    "data_profile": lambda ax=None: plot.data_profile({"a": [1], "b": [2]}, ax=ax),
    "gradient_check": lambda ax=None: plot.gradient_check(
        check_grad(rosen, rosen_der, START, points=1), ax=ax
    ),
}


def test_every_plot_is_tested_here():
    assert set(DRAW) == set(plot.__all__) - {"animate", "comparison", "style", "uncertainty"}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_on_axes_of_ones_own_and_on_given_ones(draw):
    ax = draw()
    figure, panels = plt.subplots(1, 2)
    assert draw(panels[1]) is panels[1]
    assert figure.axes == list(panels)
    assert not panels[0].has_data()
    for picture in (ax, panels[1]):
        assert picture.has_data()
        assert picture.get_xlabel()
        picture.figure.draw_without_rendering()
    legend = ax.get_legend()
    if legend:  # beside the axes, not on them, and inside the figure
        box = legend.get_window_extent()
        assert box.x0 >= ax.get_window_extent().x1
        assert box.x1 <= ax.figure.bbox.x1 + 1
    if panels[1].get_legend():
        assert panels[1].bbox.padded(1).contains(*panels[1].get_legend().get_window_extent().p0)


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_without_matplotlib_the_error_says_what_to_install(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        draw()
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        plot.animate(["gd"], rosenbrock())


# --- landscapes


def test_path():
    results = {"adam": run(adam), "quick": run(lbfgs), "BFGS": scipys()}
    ax = plot.path(results, rosenbrock())
    assert labels(ax) == ["adam", "quick", "BFGS", "start", "minimum"]
    drawn = lines(ax)
    equal(drawn["adam"], *results["adam"].history.x.T)
    equal(drawn["BFGS"], *results["BFGS"].x.T)
    equal(drawn["start"], [-1.2], [1.0])
    equal(drawn["minimum"], [1.0], [1.0])
    ends = [line.get_xydata() for line in ax.get_lines() if len(line.get_xydata()) == 1]
    for result in (results["adam"].history, results["quick"].history, results["BFGS"]):
        assert any(np.array_equal(end[0], result.x[-1]) for end in ends)
    assert drawn["adam"].get_color() == plot.style("adam")["color"]
    assert len(ax.collections) == 2  # filled, and the lines between
    for x in (START, [1, 1]):
        assert ax.get_xlim()[0] < x[0] < ax.get_xlim()[1]
        assert ax.get_ylim()[0] < x[1] < ax.get_ylim()[1]


def test_path_of_points_within_a_window_with_minima_given():
    track = np.array([[0.0, 0.0], [1.0, 0.5], [INF, 0.0]])
    window = [(-1, 2), (-3, 4)]
    ax = plot.path(track, lambda x: x @ x, window=window, minima=[[0, 0], [1, 1]])
    assert (ax.get_xlim(), ax.get_ylim()) == (window[0], window[1])
    equal(lines(ax)["minimum"], [0, 1], [0, 1])
    ax = plot.path(track, lambda x: x @ x)
    assert ax.get_xlim()[1] < 3
    assert "minimum" not in lines(ax)


def test_starts_are_marked_once_each():
    tracks = {"a": np.eye(2), "b": np.eye(2)[::-1], "c": np.eye(2)}
    assert len(lines(plot.path(tracks, lambda x: x @ x))["start"].get_xdata()) == 2


def test_landscape_is_the_function():
    def fun(x):
        return 3 * x[0] ** 2 + x[1] - 5 if x[1] > -0.5 else np.nan

    land = landscape(fun, [(-1, 2), (-1, 1)], scale="linear", grid=31)
    for i, j in ((10, 9), (30, 30), (20, 12)):
        assert land.values[j, i] == fun([land.x[i], land.y[j]])
    assert land.values.mask[0].all()
    assert not land.values.mask[-1].any()
    np.testing.assert_allclose(np.diff(land.levels), np.ptp(land.levels) / 14)

    land = landscape(rosen, [(-1, 2), (-1, 1)], [np.ones(2)], grid=31)
    assert land.values[7, 9] == rosen([land.x[9], land.y[7]])
    np.testing.assert_allclose(land.levels[1:] / land.levels[:-1], land.levels[1] / land.levels[0])
    below = landscape(lambda x: rosen(x) - 7, [(-1, 2), (-1, 1)], [np.ones(2)], grid=31)
    np.testing.assert_allclose(below.levels, land.levels)
    assert np.all(np.diff(land.height([0, 0.1, 1, 10, 1000])) > 0)


def test_flat_and_undefined_functions_are_drawn_too():
    for value in (0.0, np.nan):
        ax = plot.path(np.eye(2), lambda x: value)  # noqa: B023
        ax.figure.draw_without_rendering()
        assert not ax.collections

    def raises(x):
        raise ZeroDivisionError

    plot.path(np.eye(2), raises)

    def bug(x):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):  # not a matter of the domain
        plot.path(np.eye(2), bug)


class Seen:
    def __init__(self):
        self.points = []

    def __call__(self, x):
        self.points.append(x)
        return float(rosen(x))

    @property
    def x(self):
        return np.array(self.points)


def test_slice_along_two_parameters():
    fun, x = Seen(), np.array([0.5, -1.0, 2.0, 0.0, 1.0])
    ax = plot.slice(fun, x, parameters=(3, 1))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x[3]", "x[1]")
    assert ax.get_xlim() == (-1, 1)
    assert ax.get_ylim() == (-3, 1)
    assert np.all(fun.x[:, [0, 2, 4]] == x[[0, 2, 4]])
    assert np.ptp(fun.x[:, 3]) == 2
    assert np.ptp(fun.x[:, 1]) == 4
    equal(lines(ax)["point"], [0.0], [-1.0])
    assert plot.slice(fun, x).get_xlabel() == "x[0]"


@pytest.mark.parametrize("third", ["point", "direction"])
def test_slice_through_points(third):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 6))
    fun = Seen()
    if third == "point":
        ax = plot.slice(fun, points)
    else:
        ax = plot.slice(fun, points[:2], direction=points[2] - points[0])
    basis = points[1:] - points[0]
    beside = fun.x - points[0]
    inside = beside @ np.linalg.pinv(basis) @ basis
    np.testing.assert_allclose(beside, inside, atol=1e-9)  # all in the plane
    assert np.linalg.matrix_rank(beside, tol=1e-9) == 2
    marks = lines(ax)["points"].get_xydata()
    np.testing.assert_allclose(marks[:2], [[0, 0], [np.linalg.norm(basis[0]), 0]], atol=1e-12)
    if third == "point":  # distances are kept
        np.testing.assert_allclose(np.linalg.norm(marks[2]), np.linalg.norm(basis[1]))
        assert marks[2, 1] > 0
    assert "point 2" in ax.get_ylabel() or third == "direction"


def test_slice_projects_histories():
    x0 = np.zeros(4)
    h = run(lbfgs, x0=x0).history
    ax = plot.slice(rosen, x0, parameters=(1, 2), histories={"lbfgs": h})
    equal(lines(ax)["lbfgs"], h.x[:, 1], h.x[:, 2])
    assert ax.get_xlim()[0] < 0 < 1 < ax.get_xlim()[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.path(np.ones((4, 3)), rosen), "`histories` must have 2 .* `slice`"),
        (lambda: plot.path(np.eye(2), rosen, scale="cubic"), "`scale` must be one of 'log'"),
        (lambda: plot.path(np.eye(2), rosen, window=[(1, 0), (0, 1)]), "`window` must be two"),
        (lambda: plot.path(np.eye(2), rosen, window=3), "`window` must be numbers of shape"),
        (lambda: plot.path(np.eye(2), rosen, minima=[1, 2, 3]), "`minima` must be numbers"),
        (lambda: plot.slice(rosen, np.ones(3), parameters=(1, 3)), "`parameters` must be two"),
        (lambda: plot.path(np.eye(2), rosen, window=[(0, np.inf), (0, 1)]), "`window` must be two"),
        (lambda: plot.path(np.full((3, 2), np.nan), rosen), "`histories` must have finite points"),
        (lambda: plot.path(np.zeros((0, 2)), rosen), "`histories` must have finite points"),
        (lambda: plot.slice(rosen, np.ones(3), parameters=(1, 1)), "`parameters` must be two"),
        (lambda: plot.slice(rosen, np.ones(3), parameters=1), "`parameters` must be two"),
        (lambda: plot.slice(rosen, np.ones(3), parameters=(0, 1, 2)), "`parameters` must be two"),
        (lambda: plot.slice(rosen, np.ones(3), parameters=(0, 0.5)), "`parameters` must be two"),
        (lambda: plot.slice(rosen, [1.0, np.nan]), "`points` must be finite"),
        (lambda: plot.slice(rosen, np.eye(3)[:2]), "`direction` and two points"),
        (lambda: plot.slice(rosen, np.eye(3), direction=[1, 0, 0]), "`direction` and two"),
        (
            lambda: plot.slice(rosen, np.eye(3), parameters=(0, 1)),
            "`parameters` must come with one",
        ),
        (lambda: plot.slice(rosen, [[0, 0], [1, 1], [3, 3]]), "must not lie on one line"),
        (lambda: plot.slice(rosen, [[1, 1], [1, 1], [3, 4]]), "must not lie on one line"),
        (lambda: plot.slice(rosen, np.ones((4, 3))), "`points` must be numbers of shape"),
        (lambda: plot.slice(rosen, np.ones(3), histories=np.eye(2)), "must have 3 parameters"),
    ],
)
def test_bad_landscapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    with pytest.raises(TypeError, match="`fun` must be callable or a Problem"):
        plot.path(np.eye(2), 3)


# --- curves


def test_convergence_of_the_value():
    h, theirs = run(adam).history, scipys()
    ax = plot.convergence({"adam": h, "BFGS": theirs}, minimum=0)
    equal(lines(ax)["adam"], h.nit, h.fun)
    equal(lines(ax)["BFGS"], theirs.nit, np.maximum(theirs.fun, 1e-16))
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == "iteration"
    assert "min $f$" in ax.get_ylabel()


def test_convergence_without_a_minimum_leaves_the_lowest_out():
    h, theirs = run(adam).history, scipys()
    ax = plot.convergence({"adam": h, "BFGS": theirs})
    lowest = theirs.fun.min()
    np.testing.assert_array_equal(lines(ax)["adam"].get_ydata(), h.fun - lowest)
    assert np.isnan(lines(ax)["BFGS"].get_ydata()[-1])
    assert "smallest $f$ found" in ax.get_ylabel()


def test_convergence_of_the_gradient_and_other_clocks():
    h = run(lbfgs).history
    ax = plot.convergence(h, x="evaluations", y="gnorm")
    equal(lines(ax)["lbfgs"], h.nfev + h.njev, h.gnorm)
    assert "nabla" in ax.get_ylabel()
    assert ax.get_xlabel().startswith("evaluations")
    equal(lines(plot.convergence(h, x="seconds", y="gnorm"))["lbfgs"], h.seconds, h.gnorm)


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        (scipys, {"x": "evaluations"}, "must record 'evaluations', which that of 'run 0' does not"),
        (scipys, {"y": "gnorm"}, "must record 'gnorm'"),
        (lambda: run(random_search, rng=1), {"y": "gnorm"}, "that of 'random_search' does not"),
        (scipys, {"x": "hours"}, "`x` must be one of 'nit', 'evaluations', 'seconds'"),
        (scipys, {"y": "f"}, "`y` must be one of 'fun', 'gnorm'"),
    ],
)
def test_convergence_says_what_it_cannot_draw(history, options, message):
    with pytest.raises(ValueError, match=message):
        plot.convergence(history(), **options)


def test_convergence_is_of_the_finite_values():
    h, other = History(), run(lbfgs)
    for nit, f in enumerate([3.0, -INF, 2.0, 1.0]):
        h(OptimizeResult(x=np.ones(2), fun=f, nit=nit))
    drawn = lines(plot.convergence({"h": h, "lbfgs": other}))
    assert np.isfinite(drawn["lbfgs"].get_ydata()).sum() == len(other.history) - 1
    assert np.isfinite(drawn["h"].get_ydata()).sum() == 3


@pytest.mark.parametrize("minimum", [5.0, np.nan, [1.0]])
def test_a_minimum_that_is_none_is_refused(minimum):
    with pytest.raises(ValueError, match="`minimum`"):
        plot.convergence(run(lbfgs), minimum=minimum)


def test_sensitivity():
    rates = np.array([0.1, 0.001, 0.01, 1.0])
    sweeps = {"gd": (rates, [2.0, 5.0, 3.0, np.nan]), "adam": (rates, [7.0, 1.5, 2.5, 100.0])}
    ax = plot.sensitivity(sweeps, minimum=1.0, worst=50)
    drawn = lines(ax)
    equal(drawn["gd"], [0.001, 0.01, 0.1, 1.0], [4.0, 2.0, 1.0, np.nan])
    equal(drawn["adam"], [0.001, 0.01, 0.1, 1.0], [0.5, 1.5, 6.0, np.nan])
    assert ax.get_xscale() == ax.get_yscale() == "log"
    crosses = [line for line in ax.get_lines() if line.get_marker() == "x"]
    assert [line.get_xdata().tolist() for line in crosses] == [[1.0], [1.0]]
    best = [line.get_xydata()[0].tolist() for line in ax.get_lines() if line.get_markersize() == 10]
    assert best == [[0.1, 1.0], [0.001, 0.5]]
    assert labels(ax) == ["gd", "adam"]


def test_sensitivity_of_repeated_runs_and_of_negative_values():
    values = np.array([[1.0, 2.0, 6.0], [1.0, -3.0, 2.0], [1.0, np.nan, np.nan]])
    ax = plot.sensitivity(([1.0, 2.0, 3.0], values))
    equal(ax.get_lines()[0], [1, 2, 3], [2.0, 1.0, np.nan])
    assert ax.get_yscale() == "linear"
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (-3, 6)
    nothing = plot.sensitivity(([1.0, 2.0], [np.nan, INF]))
    nothing.figure.draw_without_rendering()


def test_bad_sweeps_are_named():
    for sweep in (([1, 2],), ([1, 2], [1, 2, 3]), ([[1]], [2])):
        with pytest.raises(ValueError, match=r"`sweeps` must (be|have|contain)"):
            plot.sensitivity({"gd": sweep})
    for sweeps in ({}, 5, {"a": 5}, ([], []), ([-1.0, 0.1], [1, 2]), ([np.nan, 1.0], [1, 2])):
        with pytest.raises(ValueError, match=r"`sweeps` must (be|have|contain)"):
            plot.sensitivity(sweeps)


def test_bad_schedules_are_named():
    same = s.exponential(1.0, 0.9)
    for rates, options, message in [
        ([same, same], {}, "`rates` must have different labels"),
        ([], {}, "`rates` must contain at least one"),
        (same, {"steps": 0}, "`steps` must be a whole number, at least 1"),
        (same, {"steps": 2.5}, "`steps` must be a whole number"),
        (same, {"steps": ["a"]}, "`steps` must be numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            plot.schedules(rates, **options)


def test_many_labels_do_not_hide_the_curves():
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    h = run(lbfgs)
    plot.convergence({f"run {k}": h for k in range(12)}, ax=left)
    plot.convergence(h, ax=right)
    left.figure.draw_without_rendering()
    assert not left.get_legend().get_window_extent().overlaps(left.get_window_extent())


def test_schedules():
    fall, rise = s.exponential(1.0, 0.9), s.linear(0.0, 1.0, steps=5)

    def mine(t):
        return 1 / t

    ax = plot.schedules([fall, rise, mine], steps=10)
    t = np.arange(1, 11)
    assert labels(ax) == ["exponential", "linear", "mine"]
    equal(lines(ax)["exponential"], t, fall(t))
    equal(lines(ax)["mine"], t, 1 / t)
    ax = plot.schedules({"a": rise}, steps=[1, 4])
    equal(lines(ax)["a"], [1, 4], rise([1, 4]))
    both = plot.schedules([s.constant(1.0), s.constant(2.0)], steps=2)
    assert labels(both) == ["constant(value=1.0)", "constant(value=2.0)"]
    each = plot.schedules({"r": s.exponential(np.array([1.0, 2.0]), 0.5)}, steps=3)
    equal(lines(each)["r[1]"], [1, 2, 3], [2.0, 1.0, 0.5])
    with pytest.raises(TypeError, match="`rates` must be callables"):
        plot.schedules({"a": 0.1})


# --- profiles


COSTS = {"a": [10, 40, 30, INF], "b": [20, 10, 30, np.nan], "c": [5, INF, 60, 80]}


def share(ax, label, x):
    """What the staircase says at x."""
    line = lines(ax)[label]
    assert line.get_drawstyle() == "steps-post"
    return line.get_ydata()[np.searchsorted(line.get_xdata(), x, side="right") - 1]


def test_performance_profile():
    """Ratios: a 2 4 1 -, b 4 1 1 -, c 1 - 2 1."""
    ax = plot.performance_profile(COSTS, limit=10)
    assert labels(ax) == ["a", "b", "c"]
    found = {name: [share(ax, name, x) for x in (1, 1.9, 2, 3.9, 4, 10)] for name in COSTS}
    assert found["a"] == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75]
    assert found["b"] == [0.5, 0.5, 0.5, 0.5, 0.75, 0.75]
    assert found["c"] == [0.5, 0.5, 0.75, 0.75, 0.75, 0.75]
    assert ax.get_xlim() == (1, 10)
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[0] == 0
    assert plot.performance_profile(COSTS).get_xlim() == (1, 4)


def test_performance_profile_against_a_reference():
    """Against a and b, c has the ratios 1/2, -, 2 and none where they have none."""
    ax = plot.performance_profile(COSTS, reference=["a", "b"])
    assert [share(ax, "c", x) for x in (0.5, 1, 2, 4)] == [0.25, 0.25, 0.5, 0.5]
    assert ax.get_xlim()[0] == 0.5
    with pytest.raises(ValueError, match="`reference` must be solvers in `costs`, got d"):
        plot.performance_profile(COSTS, reference=["d"])


def test_data_profile():
    ax = plot.data_profile(COSTS)
    assert [share(ax, "a", x) for x in (5, 10, 30, 39, 40)] == [0, 0.25, 0.5, 0.5, 0.75]
    assert share(ax, "c", 80) == 0.75
    assert ax.get_xlim() == (5, 80)
    ax = plot.data_profile(COSTS, sizes=[1, 3, 2, 7], limit=15)
    assert [share(ax, "a", x) for x in (4, 5, 10, 15)] == [0, 0.25, 0.75, 0.75]
    assert share(ax, "c", 15) == 0.5
    assert "n + 1" in ax.get_xlabel()


def test_profiles_of_a_data_frame():
    pandas = pytest.importorskip("pandas")
    a, b = (plot.data_profile(costs) for costs in (COSTS, pandas.DataFrame(COSTS)))
    for name in COSTS:
        equal(lines(b)[name], *lines(a)[name].get_xydata().T)


def test_bad_costs_are_named():
    for costs in ({"a": [1, 0]}, {"a": [1], "b": [1, 2]}, {}, {"a": []}):
        with pytest.raises(ValueError, match=r"`costs` must (be|contain)"):
            plot.performance_profile(costs)
    with pytest.raises(TypeError, match="`costs` must be a dict"):
        plot.data_profile([[1, 2]])
    for sizes in ([1, 2], [-2] * len(next(iter(COSTS.values())))):
        with pytest.raises(ValueError, match="`sizes` must be"):
            plot.data_profile(COSTS, sizes=sizes)
    for limit in (-1, 0.5, np.nan, INF, "x"):
        with pytest.raises(ValueError, match="`limit` must be"):
            plot.performance_profile(COSTS, limit=limit)


# --- gradient checks


def test_gradient_check():
    def jac(x):
        g = rosen_der(x)
        g[1] *= 2
        return g

    report = check_grad(lambda x: rosen(x) + abs(x[2]), jac, [0.5, 2.0, 0.0, 1.0], rng=0, points=3)
    ax = plot.gradient_check(report)
    drawn = lines(ax)
    for verdict in ("ok", "unsure", "wrong"):
        chosen = report.verdict == verdict
        if chosen.any():
            line = drawn[f"{verdict} ({chosen.sum()})"]
            np.testing.assert_array_equal(line.get_xdata(), np.nonzero(chosen)[1])
            y = np.clip(report.rel_error[chosen], 1e-17, 1e2)
            np.testing.assert_array_equal(line.get_ydata(), y)
    assert {label.split()[0] for label in drawn} >= {"ok", "wrong", "tolerance"}
    assert set(drawn["tolerance"].get_ydata()) == {report.rtol}
    assert ax.get_title().startswith("gradient check: wrong\n")
    assert report.pattern in ax.get_title()
    with pytest.raises(TypeError, match="`report` must be a GradientCheck"):
        plot.gradient_check(0.1)


# --- races


def colored(image, name):
    """How many pixels have the colour of a method."""
    color = 255 * np.array(mpl.colors.to_rgb(plot.style(name)["color"]))
    return np.sum(np.abs(np.array(image.convert("RGB")) - color).max(axis=2) < 5)


def frames(path):
    with Image.open(path) as image:
        for k in range(image.n_frames):
            image.seek(k)
            yield image.copy()


@pytest.mark.parametrize("view", ["2d", "3d"])
def test_race_of_methods_to_a_gif(tmp_path, view):
    path = tmp_path / "race.gif"
    methods = ["gd", "nesterov", "adam", "BFGS"]
    plot.animate(methods, beale(), path=path, view=view, frames=6, fps=4)
    pictures = list(frames(path))
    assert len(pictures) == 6
    assert path.stat().st_size < 300_000
    seen = [colored(picture, "adam") for picture in pictures]
    assert seen[-1] > seen[0] + 100  # a trail has grown
    assert min(colored(picture, name) for picture in pictures for name in methods[:3]) > 15
    assert pictures[0].convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert pictures[0].info["duration"] == 250
    assert pictures[-1].info["duration"] == 250 + 1000
    assert not plt.get_fignums()


@pytest.mark.parametrize("view", ["2d", "3d"])
def test_race_of_histories_by_iteration(view):
    histories = {"adam": run(adam).history, "gd": run(gd).history}
    window = [(-3, 3), (-3, 3)]
    animation = plot.animate(histories, rosen, view=view, minima=[1, 1], frames=9, window=window)
    html = animation.to_jshtml()
    assert len(re.findall("data:image/png", html)) == 9
    (ax,) = (ax for ax in plt.gcf().axes if ax.get_title())
    assert ax.get_title() == "iteration 60"
    color = plot.style("adam")["color"]
    trail, head = (line for line in ax.lines if line.get_color() == color)
    assert head.get_marker() == plot.style("adam")["marker"]
    points = [np.array(getattr(line, "get_data_3d", line.get_data)()) for line in (trail, head)]
    x = histories["adam"].x
    between = 1 if view == "2d" else 10
    np.testing.assert_allclose(points[0][:2, ::between].T, x)
    np.testing.assert_allclose(points[1][:2, 0], x[-1])
    if view == "3d":
        z = points[0][2]
        order = np.argsort([rosen(p) for p in points[0][:2].T])
        assert np.all(np.diff(z[order]) >= 0)  # the heights are those of the function


def test_race_by_evaluations_stops_each_at_its_own():
    histories = {"a": run(lbfgs, maxiter=5), "b": run(gd, learning_rate="armijo", maxiter=20)}
    animation = plot.animate(histories, rosen, clock="evaluations", frames=4)
    animation.to_jshtml()
    (ax,) = (ax for ax in plt.gcf().axes if ax.get_title())
    assert ax.get_title() == f"evaluation {histories['b'].nfev + histories['b'].njev}"
    with pytest.raises(ValueError, match=r"must record 'evaluations', .*'BFGS' does not"):
        plot.animate(["adam", "BFGS"], rosenbrock(), clock="evaluations")


def test_race_to_a_page(tmp_path):
    path = tmp_path / "race.html"
    plot.animate(["gd", "adam"], himmelblau(), path=path, frames=5, maxiter=20)
    page = path.read_text()
    pictures = re.findall(r'data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == 5
    assert base64.b64decode(pictures[0].replace("\\\n", "")).startswith(b"\xff\xd8")
    assert len(page) < 300_000


def test_race_to_a_film(tmp_path, monkeypatch):
    from matplotlib.animation import writers

    if writers.is_available("ffmpeg"):
        plot.animate(["gd"], himmelblau(), path=tmp_path / "race.mp4", frames=3)
        assert (tmp_path / "race.mp4").stat().st_size > 1000
    monkeypatch.setattr(type(writers), "is_available", lambda self, name: False)
    with pytest.raises(RuntimeError, match=r"\.mp4 needs the ffmpeg program"):
        plot.animate(["gd"], himmelblau(), path=tmp_path / "other.mp4")
    assert not (tmp_path / "other.mp4").exists()


def test_methods_start_together_within_the_bounds_and_with_their_own_options(tmp_path):
    """On the saddle: outside the box f has no minimum."""
    methods = {"gd": METHODS["gd"], "Nelder-Mead": "Nelder-Mead"}
    animation = plot.animate(methods, saddle(), [1.0, 0.5], frames=4, scale="linear")
    animation.to_jshtml()
    (ax,) = (ax for ax in plt.gcf().axes if ax.get_title())
    assert ax.get_title().startswith("saddle: iteration")
    trails = [np.array(line.get_data()) for line in ax.lines if line.get_linestyle() != "None"]
    assert len(trails) == 2
    for trail in trails:
        assert trail[:, 0].tolist() == [1.0, 0.5]
        assert np.abs(trail).max() <= 2
    own = [("still", "gd", {"learning_rate": 1e-9, "maxiter": 3})]
    animation = plot.animate(own, quadratic(2), frames=4)
    animation.to_jshtml()
    (ax,) = (ax for ax in plt.gcf().axes if ax.get_title())
    assert ax.get_title() == "quadratic: iteration 3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"view": "4d"}, "`view` must be one of '2d', '3d'"),
        ({"clock": "seconds"}, "`clock` must be one of 'nit', 'evaluations'"),
        ({"path": "race.avi"}, r"`path` must end in \.gif, \.html, \.mp4, got 'race.avi'"),
        ({"frames": 1}, "`frames` must be a whole number, at least 2"),
        ({"fun": rosen}, "`x0` must be given"),
        ({"fun": rosenbrock(6)}, "`fun` must have 2 parameters, got 6"),
        ({"runs": ["adamm"]}, "got 'adamm'"),
        ({"runs": []}, "at least one method, got none"),
    ],
)
def test_bad_races_are_named(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        plot.animate(**{"runs": ["gd"], "fun": himmelblau()} | arguments)


def test_steps_are_as_wide_as_a_minimum_was_found_often():
    res = many(options={"maxiter": 9})  # some do not arrive
    assert 0 < (res.runs.minimum < 0).sum() < res.n_starts
    lines_ = {label: line for label, line in lines(plot.multistart(res)).items() if line}
    widths = [line.get_xdata().size for label, line in lines_.items() if "found" in label]
    assert widths == res.minima.found.tolist()
    assert lines_["not at a minimum"].get_marker() == "x"
    values = np.concatenate([line.get_xydata() for line in lines_.values()])
    values = values[np.argsort(values[:, 0])]
    np.testing.assert_array_equal(values[:, 0], np.arange(1, res.n_starts + 1))
    np.testing.assert_array_equal(values[:, 1], np.sort(res.runs.fun) - res.fun)


def test_starts_on_the_landscape():
    res = many()
    drawn = lines(plot.multistart(res, himmelblau()))
    first = res.minima[0]
    (line,) = (drawn[label] for label in drawn if label.startswith(f"{first.fun:.4g}"))
    np.testing.assert_array_equal(line.get_xydata(), res.runs.x0[res.runs.minimum == 0])
    np.testing.assert_array_equal(drawn["minimum"].get_xydata(), res.minima.x)


def test_what_cannot_be_drawn_of_many_starts():
    with pytest.raises(TypeError, match="`result` must be a result of multistart"):
        plot.multistart(run(adam))
    three = multistart(lambda x: x @ x, [(-1, 1)] * 3, n_starts=2, rng=0)
    with pytest.raises(ValueError, match="`fun` can only be drawn for 2 parameters, got 3"):
        plot.multistart(three, rosen)
