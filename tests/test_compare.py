"""The comparison: honest counts and figures, exact budgets, and what is shown of them."""

import functools
import html.parser
import json
import math
import os
import sys
import time

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import Bounds, OptimizeResult, OptimizeWarning, minimize

from scipy_gd import adam, compare, gd, momentum, plot
from scipy_gd.gradient_check import GradientError
from scipy_gd.methods import GENERAL
from scipy_gd.plot._style import FAMILIAR
from scipy_gd.problems import linear_regression, rosenbrock, saddle
from scipy_gd.solvers import SCIPY, USUAL

mpl.use("agg")
GRADIENTS = ["BFGS", "CG", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-constr"]


class Counted:
    """Rosenbrock's function in two variables, with counters of its own."""

    def __init__(self):
        self.problem = rosenbrock()
        self.nfev = self.njev = self.nhev = 0

    def fun(self, x):
        self.nfev += 1
        return self.problem.fun(x)

    def jac(self, x):
        self.njev += 1
        return self.problem.jac(x)

    def hess(self, x):
        self.nhev += 1
        return self.problem.hess(x)


def bowl(x):
    return x @ x


def bowl_jac(x):
    return 2 * x


def run_bowl(methods, x0=(3.0, 4.0), **options):
    return compare(bowl, x0, jac=bowl_jac, methods=methods, **options)


def boaster(fun, x0, args=(), **_):
    return OptimizeResult(x=x0, fun=-1.0, success=True, message="never better", nit=7, nfev=1)


def raiser(fun, x0, args=(), **_):
    fun(x0 / 2, *args)
    raise RuntimeError("no luck")


# --- counts and figures


@pytest.mark.parametrize("solver", [*USUAL, "TNC", "trust-exact", gd, momentum])
def test_counts_are_those_of_a_run_without_the_recorder(solver):
    counted, p = Counted(), rosenbrock()
    hess = counted.hess if solver in ("Newton-CG", "trust-exact") else None
    jac = None if solver == "Nelder-Mead" else counted.jac
    options = {} if isinstance(solver, str) else {"maxiter": 300}
    result = minimize(counted.fun, p.x0, method=solver, jac=jac, hess=hess, options=options)
    (row,) = compare(p, methods=[("it", solver, options)], check=False)
    assert (row.nfev, row.njev, row.nhev) == (counted.nfev, counted.njev, counted.nhev)
    assert row.nit == result.nit
    assert row.success == result.success
    assert row.message == str(result.message)
    np.testing.assert_array_equal(row.x, result.x)


def test_uncounted_calls_are_really_made_outside_the_counts():
    counted = Counted()
    (row,) = compare(counted.fun, [-1.2, 1.0], jac=counted.jac, methods="BFGS", check=False)
    assert counted.nfev == row.nfev + 1
    assert counted.njev == row.njev + 1


def test_figures_are_taken_at_the_returned_point_whatever_the_solver_says():
    p = rosenbrock()
    row = compare(p, methods=[boaster])["boaster"]
    assert row.success
    assert row.message == "never better"
    assert row.nit == 7
    assert row.nfev == row.njev == 0
    assert row.f == p.fun(p.x0)
    assert row.gnorm == np.max(np.abs(p.jac(p.x0)))
    assert row.distance == pytest.approx(2.2)


def test_a_solver_of_scipy_that_claims_success_shows_its_gradient():
    row = compare(rosenbrock(10), methods=["L-BFGS-B"])[0]
    assert row.success
    assert row.gnorm > 1e-5
    assert compare(rosenbrock(10), methods=["L-BFGS-B"], gtol_only=True)[0].gnorm <= 1e-5


def test_gradient_is_projected_where_there_are_bounds():
    for bounds in ([(1, 5), (None, None)], Bounds([1, -np.inf], [5, np.inf])):
        row = run_bowl("L-BFGS-B", bounds=bounds)[0]
        np.testing.assert_allclose(row.x, [1, 0], atol=1e-6)
        assert row.gnorm <= 1e-5


def test_a_solver_that_cannot_handle_bounds_is_a_failed_row():
    rows = run_bowl(["BFGS", "L-BFGS-B", "gd"], bounds=[(1, 5), (1, 5)])
    assert [row.success for row in rows] == [False, True, True]
    assert "cannot handle" in rows["BFGS"].message


def test_without_a_gradient_the_figure_comes_from_differences():
    rows = compare(bowl, [3.0, 4.0], methods=["Nelder-Mead", "BFGS", boaster])
    assert rows["boaster"].gnorm == pytest.approx(8, rel=1e-6)
    assert rows["BFGS"].njev == 0
    assert math.isnan(rows["BFGS"].distance)


def test_value_and_gradient_in_one_function():
    p, calls = rosenbrock(), []

    def both(x):
        calls.append(x)
        return p.fun_and_jac(x)

    rows = compare(both, p.x0, jac=True, methods=["BFGS", "gd"], maxfev=101, check=False)
    assert rows["BFGS"].gnorm <= 1e-5
    assert rows["gd"].nfev == rows["gd"].njev == 50
    assert "budget" in rows["gd"].message
    assert rows["BFGS"].nfev == rows["BFGS"].njev


def test_args_reach_every_function():
    p = linear_regression()
    rows = compare(p.fun, p.x0, jac=p.jac, hess=p.hess, args=p.args, methods=["BFGS", "Newton-CG"])
    for row in rows:
        assert p.distance(row.x) < 1e-3
    assert rows["Newton-CG"].nhev > 0


def test_a_mini_batch_is_not_taken_for_the_objective():
    data = np.array([0.0, 10.0])

    def fun(x, d):
        return float(np.mean((x - d) ** 2))

    def halves(fun, x0, args=(), jac=None, **_):
        fun(x0, args[0][:1])
        return OptimizeResult(x=x0, success=False, message="", nit=1)

    (row,) = compare(fun, [0.0], args=(data,), methods=[halves])
    assert row.nfev == 1
    np.testing.assert_array_equal(row.best, 50)


def test_the_run_is_remembered():
    p = rosenbrock()
    for row in compare(p, methods=["gd", "BFGS", "Nelder-Mead"], maxfev=400):
        assert np.all(np.diff(row.evaluations) >= 0)
        assert row.evaluations[-1] == row.nfev + row.njev
        assert np.all(np.diff(row.best) <= 0)
        assert row.best[0] == p.fun(p.x0)
        assert row.best[-1] <= row.f
        np.testing.assert_array_equal(row.path[0], p.x0)
        np.testing.assert_array_equal(row.path[-1], row.x)
        assert row.gradients[-1] == row.gnorm


def test_a_method_that_asks_for_gradients_only_has_a_curve_all_the_same():
    def blind(fun, x0, args=(), jac=None, maxiter=10, **_):
        x = x0
        for _ in range(maxiter):
            x = x - 0.1 * jac(x, *args)
        return OptimizeResult(x=x, success=False, message="", nit=maxiter)

    row = run_bowl(blind, maxfev=6)[0]
    assert (row.nfev, row.njev) == (0, 6)
    np.testing.assert_allclose(row.best, 25 * 0.64 ** np.array([0, 1, 2, 3, 4, 5, 5]))
    np.testing.assert_allclose(row.x, np.array([3, 4]) * 0.8**5)
    assert len(row.path) == 7


SLOW = ("gd", gd, {"learning_rate": 1e-3})


def test_what_is_remembered_of_a_long_run_is_bounded():
    row = compare(rosenbrock(), methods=[SLOW], maxfev=30_000)[0]
    assert row.nfev + row.njev == 30_000
    assert len(row.best) < 1200
    assert len(row.path) < 1200
    assert row.evaluations[50] < 110


# --- budgets


@pytest.mark.parametrize("solver", [*SCIPY, *GENERAL])
@pytest.mark.parametrize("maxfev", [1, 2, 17])
def test_budget_of_evaluations_is_exact(solver, maxfev):
    counted = Counted()
    row = compare(
        counted.fun,
        [-1.2, 1.0],
        jac=counted.jac,
        hess=counted.hess,
        methods=[solver],
        maxfev=maxfev,
        check=False,
    )[0]
    assert row.nfev + row.njev <= maxfev
    if row.nhev == 0 and solver not in ("dogleg",):
        assert row.nfev + row.njev == maxfev
        assert row.message == f"budget: {maxfev} evaluations"
    if row.message.startswith("budget"):
        assert not row.success
        assert row.f == row.best[-1] <= 24.2 + 1e-9
    else:
        assert solver in ("dogleg", *GRADIENTS)


@pytest.mark.parametrize("solver", ["BFGS", "adam", "Nelder-Mead"])
def test_budget_of_time_holds(solver):
    def slow(x):
        time.sleep(0.01)
        return float(np.sum(np.abs(x) ** 1.5))

    began = time.perf_counter()
    row = compare(
        slow, [3.0, 4.0], jac=lambda x: 1.5 * np.sign(x) * np.sqrt(np.abs(x)), methods=[solver],
        maxtime=0.08, check=False,
    )[0]  # fmt: skip
    assert row.message == "budget: 0.08 s"
    assert 0.08 < row.time < 1
    assert time.perf_counter() - began < 3


def test_no_solver_stops_at_its_own_limit():
    rows = compare(rosenbrock(), methods=["Nelder-Mead", SLOW], maxfev=60)
    assert {row.message for row in rows} == {"budget: 60 evaluations"}
    assert rows["gd"].nit == 29
    assert compare(rosenbrock(), methods=["BFGS"], maxfev=None)[0].success


# --- who takes part


def test_methods_of_every_kind():
    rows = run_bowl(
        [
            gd,
            "adam",
            "bfgs",
            functools.partial(adam, learning_rate=0.1),
            ("mine", momentum),
            ("short", "BFGS", {"maxiter": 1}),
            boaster,
        ]
    )
    labels = ["gd", "adam", "BFGS", "adam(learning_rate=0.1)", "mine", "short", "boaster"]
    assert [row.method for row in rows] == labels
    assert rows["short"].nit == 1
    assert rows["mine"].success
    assert [row.method for row in run_bowl({"a": gd, "b": "CG"})] == ["a", "b"]


def test_all_of_ours_and_five_of_scipys_by_default():
    rows = compare(rosenbrock(), maxfev=20)
    assert [row.method for row in rows] == [*GENERAL, *USUAL]


def test_options_from_special_to_general():
    preset = functools.partial(gd, learning_rate=0.25, maxiter=3)
    rows = run_bowl(
        [("preset", preset), ("own", gd, {"learning_rate": 0.4, "maxiter": 1}), gd],
        options={"learning_rate": 0.5, "maxiter": 2},
    )
    np.testing.assert_allclose(rows["preset"].x, [3 / 8, 4 / 8])
    np.testing.assert_allclose(rows["own"].x, [3 / 5, 4 / 5])
    np.testing.assert_allclose(rows["gd"].x, 0)


def test_a_misspelt_option_is_heard_of():
    with pytest.warns(OptimizeWarning, match="Unknown solver options: learnin_rate"):
        run_bowl([("it", gd, {"learnin_rate": 0.5})])


def test_random_methods_repeat_themselves():
    first, second = (
        compare(rosenbrock(), methods=["random_search"], maxfev=50)[0].x for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_who_raises_becomes_a_row_and_the_others_go_on():
    rows = run_bowl([raiser, "BFGS"])
    assert not rows["raiser"].success
    assert rows["raiser"].message == "RuntimeError: no luck"
    np.testing.assert_array_equal(rows["raiser"].x, [1.5, 2])  # the best point it evaluated
    assert rows["BFGS"].success


def test_an_objective_that_raises_is_no_end_either():
    def broken(x):
        raise ZeroDivisionError("oh")

    row = compare(broken, [1.0], methods=["Nelder-Mead"])[0]
    assert row.message == "ZeroDivisionError: oh"
    assert math.isnan(row.f)


def test_interrupt_ends_the_comparison():
    def interrupted(fun, x0, args=(), **_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_bowl([interrupted, "BFGS"])


def test_problem_gives_what_is_not_given():
    p = saddle()
    rows = compare(p, methods=["L-BFGS-B"])
    assert rows[0].distance < 1e-5
    assert rows.f_min == -4
    moved = compare(p, [1.0, -1.0], methods=["L-BFGS-B"])
    np.testing.assert_allclose(moved[0].x, [0, -2], atol=1e-5)


def test_wrong_gradient_is_reported_before_any_run():
    with pytest.raises(GradientError, match=r"analytic = 0.5 \* numeric"):
        compare(bowl, [3.0, 4.0], jac=lambda x: x, methods=[raiser])
    assert compare(bowl, [3.0, 4.0], jac=lambda x: x, methods="BFGS", check=False)[0].nfev


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"methods": ["adamm"]},
            ValueError,
            "`methods` must be among those of scipy_gd .gd, .*BFGS.*, got 'adamm'",
        ),
        ({"methods": [3]}, TypeError, "a method must be a callable or a name, got 3"),
        ({"methods": []}, ValueError, "`methods` must contain at least one method, got none"),
        (
            {"methods": [gd, "gd"]},
            ValueError,
            "`methods` must have different labels, got 'gd' twice",
        ),
        ({"methods": [("a", gd, {}, 1)]}, TypeError, "in `methods` must be .label, method. or"),
        ({"x0": None}, TypeError, "`x0` must be given with a function"),
        ({"methods": 3}, TypeError, "`methods` must be a method or a sequence of methods, got 3"),
        ({"methods": [("a", gd, [1])]}, TypeError, "in `methods` must be .*dict of options"),
        ({"x0": [[1.0]]}, ValueError, "`x0` must be one-dimensional"),
        ({"x0": [1.0, math.nan]}, ValueError, "`x0` must be finite"),
        ({"maxfev": 0}, ValueError, "`maxfev` must be a whole number, at least 1"),
        ({"maxfev": "9"}, TypeError, "`maxfev` must be a whole number"),
        ({"maxtime": 0}, ValueError, "`maxtime` must be above 0"),
        ({"maxtime": math.nan}, ValueError, "`maxtime` must be"),
        ({"gtol": math.nan}, ValueError, "`gtol` must be at least 0"),
        ({"gtol": -1}, ValueError, "`gtol` must be at least 0"),
        ({"rng": "q"}, TypeError, "`rng` must be"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        compare(bowl, **({"x0": [1.0, 2.0], "methods": ["BFGS"]} | changes))


def test_progress_goes_to_stderr_line_by_line_where_there_is_no_terminal(capsys):
    run_bowl(["BFGS", "gd"], progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "bowl, n = 2: 1/2 BFGS\nbowl, n = 2: 2/2 gd\n"


def test_progress_is_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    run_bowl(["BFGS", "gd"], progress=True)
    err = capsys.readouterr().err
    assert "0/2" in err
    assert "gd]" in err


# --- what is shown


def test_table_is_aligned_and_clipped_to_the_terminal(monkeypatch):
    rows = compare(rosenbrock(), methods=["L-BFGS-B", SLOW, "Nelder-Mead"], maxfev=500)
    for width in (100, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        title, head, rule, *body = str(rows).splitlines()
        assert title == "rosenbrock, n = 2, min f = 0"
        columns = ["method", "nit", "nfev", "njev", "nhev", "time/s", "f", "|g|", "|x-x*|", "ok"]
        assert head.split() == [*columns, "message"]
        assert set(rule) == {"-"}
        assert len(body) == 3
        assert max(map(len, (head, rule, *body))) <= width
        assert ("…" in body[0]) == (width == 100)
        for column in ("nit", "nfev", "time/s", "|g|", "ok"):
            end = head.index(column) + len(column)
            assert all(line[end - 1] != " " and line[end] == " " for line in body)
    assert body[1].split()[:4] == ["gd", "249", "250", "250"]
    assert repr(rows) == str(rows)


@pytest.mark.parametrize("width", [20, 50, 66, 73, 79, 80, 81, 93, 120, 200])
def test_table_fits_any_terminal(width, monkeypatch):
    name = "a_method_with_a_name_that_is_longer_than_most"
    rows = compare(
        rosenbrock(), methods=[(f"{name}_1", *SLOW[1:]), (f"{name}_2", *SLOW[1:])], maxfev=500
    )
    monkeypatch.setenv("COLUMNS", str(width))
    title, head, rule, *lines = str(rows).splitlines()
    assert max(map(len, (title, head, rule, *lines))) <= width
    body, notes = lines[:2], "\n".join(lines[2:])
    if width >= 50:
        assert {"method", "nfev", "njev", "f", "ok"} <= set(head.split())
        assert [line.split()[0][-2:] for line in body] == ["_1", "_2"]  # they stay different
    assert (name in body[0]) == (width > 120)
    assert ("message" in head) == ("budget" not in notes)
    assert ("message" in head) == (width >= 120)


def test_table_without_a_terminal_has_80_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda handle: os.terminal_size((0, 0)))
    lines = str(compare(rosenbrock(), methods=["BFGS", SLOW], maxfev=500)).splitlines()
    assert 60 < max(map(len, lines)) <= 80


def test_another_minimum_is_marked_and_explained():
    def double_well(x):  # minima near -1 (lower) and 1
        return (x[0] ** 2 - 1) ** 2 + 0.1 * x[0]

    def ends_at(x, success=True):
        def method(fun, x0, args=(), **_):
            fun(x0, *args)
            return OptimizeResult(x=np.array([x]), success=success, message="", nit=1)

        return method

    low, high = (minimize(double_well, [x], method="BFGS").x[0] for x in (-1, 1))
    methods = {
        "best": ends_at(low),
        "other": ends_at(high),
        "early": ends_at(low + 1e-2),  # higher, but its gradient says so
        "rounded": ends_at(low + 1e-9),
        "lost": ends_at(high, success=False),
    }
    table = compare(double_well, [0.5], methods=methods)
    assert [row.method for row in table if table.another_minimum(row)] == ["other"]
    assert [row["another_minimum"] for row in table.to_dicts()] == [False, True, *3 * [False]]
    text = str(table)
    assert text.count("yes*") == 1 and text.count("* found another minimum") == 1
    page = table._repr_html_()
    assert page.count("yes*") == 1 and "<p>* found another minimum" in page
    del methods["other"]
    assert "*" not in str(compare(double_well, [0.5], methods=methods)).split("ok", 1)[1]


def test_what_only_rounding_has_made_higher_is_the_same_minimum():
    def rounded(x):
        return (x[0] - 1) ** 2 + 1e-9 * (x[0] > 1)

    def ends_at(x):
        return lambda fun, x0, args=(), **_: OptimizeResult(x=np.array([x]), success=True, nit=1)

    methods = {"best": ends_at(1.0), "other": ends_at(1 + 2e-16), "BFGS": "BFGS"}
    table = compare(rounded, [3.0], jac=lambda x: 2 * (x - 1), methods=methods, check=False)
    assert table["other"].f == 1e-9 and table["other"].gnorm < 1e-15
    assert not any(map(table.another_minimum, table))


def test_ranked_has_success_and_then_few_calls_first():
    def counts(calls, f, success):
        def method(fun, x0, args=(), **_):
            for _ in range(calls):
                fun(x0, *args)
            return OptimizeResult(x=np.array([f, 0.0]), success=success, message="", nit=1)

        return method

    def square(x):
        return x @ x

    methods = {
        "c": counts(9, 0.0, True),
        "e": counts(5, 1.0, False),
        "f": counts(5, np.nan, False),
        "d": counts(3, 2.0, False),
        "a": counts(2, 0.5, True),
        "b": counts(2, 1.0, True),
    }
    table = compare(square, [3.0, 4.0], methods=methods)
    assert [row.method for row in table.ranked()] == ["a", "b", "c", "d", "e", "f"]
    assert [row.method for row in table] == [*methods]


def test_table_in_a_notebook_is_well_formed():
    class Cells(html.parser.HTMLParser):
        opened, closed = 0, 0

        def handle_starttag(self, tag, attrs):
            self.opened += tag == "td"

        def handle_endtag(self, tag):
            self.closed += tag == "td"

    text = run_bowl([("<b>", "BFGS"), raiser])._repr_html_()
    parser = Cells()
    parser.feed(text)
    assert parser.opened == parser.closed == 22
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


def test_dicts_are_plain_and_json_takes_them():
    dicts = run_bowl(["BFGS", boaster]).to_dicts()
    back = json.loads(json.dumps(dicts, allow_nan=False))
    assert back == dicts
    assert list(back[0])[:5] == ["method", "nit", "nfev", "njev", "nhev"]
    assert back[0]["distance"] is None
    assert back[1]["x"] == [3.0, 4.0]


def test_rows_by_index_label_and_slice_and_in_order():
    rows = run_bowl(["BFGS", boaster, "Nelder-Mead"])
    assert len(rows) == 3
    assert rows[1] is rows["boaster"]
    assert rows[-1] in rows
    assert rows[:2] == (rows[0], rows[1])
    assert [r.method for r in rows.sort("nfev")] == ["boaster", "BFGS", "Nelder-Mead"]
    assert rows.sort(lambda r: -r.f)[0].method == "boaster"
    assert rows.sort("distance").rows == rows.rows  # all nan
    with pytest.raises(KeyError, match="no row 'adam'; available: BFGS, boaster"):
        rows["adam"]
    with pytest.raises(ValueError, match=r"`key` must be one of method, .*, got 'speed'"):
        rows.sort("speed")


# --- pictures


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_picture_of_two_variables(tmp_path):
    rows = compare(rosenbrock(), methods=["gd", "BFGS", "Nelder-Mead"], maxfev=200)
    figure = rows.plot(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    paths, curves = figure.axes
    names = ["gd", "BFGS", "Nelder-Mead"]
    assert list(lines(paths)) == [*names, "start", "minimum"]
    assert list(lines(curves)) == names
    assert legend(figure) == [*names, "start", "minimum"]
    assert len(paths.collections) == 2  # filled, and their edges
    assert curves.get_xscale() == curves.get_yscale() == "log"
    assert curves.get_xlabel().startswith("evaluations")
    assert "min $f$" in curves.get_ylabel()
    np.testing.assert_array_equal(lines(curves)["BFGS"].get_ydata()[:-1], rows["BFGS"].best[:-1])
    np.testing.assert_array_equal(lines(paths)["gd"].get_xydata(), rows["gd"].path)
    for x in (rows.x0, *rows.minima):
        low, high = np.transpose([paths.get_xlim(), paths.get_ylim()])
        assert np.all((low < x) & (x < high))


def test_picture_of_several_sizes_has_one_panel_each_and_one_legend():
    every = [compare(rosenbrock(n), methods=["gd", "CG"], maxfev=100) for n in (2, 5, 10)]
    figure = plot.comparison(every)
    titles = [f"rosenbrock, n = {n}" for n in (2, 5, 10)]
    assert [ax.get_title() for ax in figure.axes] == ["rosenbrock, n = 2: paths", *titles]
    assert legend(figure) == ["gd", "CG", "start", "minimum"]
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes] + [figure.legends[0].get_window_extent()]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert figure.bbox.padded(1).containsx(box.x0)
        assert figure.bbox.padded(1).containsx(box.x1)
        assert figure.bbox.padded(1).containsy(box.y0)
        assert figure.bbox.padded(1).containsy(box.y1)


def test_picture_of_more_variables_on_given_axes():
    rows = compare(rosenbrock(5), methods=["gd", "CG"], maxfev=50)
    _, ax = plt.subplots()
    figure = rows.plot(axes=ax)
    assert figure is ax.figure
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["gd", "CG"]
    with pytest.raises(ValueError, match="`axes` must contain 1 axes, got 2"):
        rows.plot(axes=plt.subplots(1, 2)[1])
    with pytest.raises(ValueError, match="at least one"):
        plot.comparison([])


def test_picture_of_a_crowd_shows_the_familiar_ones_before_the_others():
    rows = compare(rosenbrock(), maxfev=60)
    figure = rows.plot()
    names = legend(figure)
    others = [name for name in GENERAL if name not in names]
    assert {"gd", "adam", "lbfgs", "BFGS", "L-BFGS-B"} < set(names) > {"start", "minimum"}
    assert len(names) == len(GENERAL) - len(others) + 5 + 3
    assert f"{len(others)} others" in names
    paths, curves = figure.axes
    assert len(paths.get_lines()) == len(names) - 1
    pale = [line for line in curves.get_lines() if line.get_label().endswith("others")]
    assert len(pale) == len(others)
    assert {line.get_color() for line in pale} == {"0.85"}
    values = rows["lion"].best[:-1]
    assert any(np.array_equal(line.get_ydata()[:-1], values) for line in pale)


def test_picture_leaves_out_who_never_ran_and_copes_with_little():
    rows = run_bowl(["BFGS", "L-BFGS-B", "gd"], bounds=[(1, 5), (1, 5)], maxfev=30)
    assert legend(rows.plot()) == ["L-BFGS-B", "gd", "start"]
    flat = compare(lambda x: 0.0, [0.0, 0.0], methods=["Nelder-Mead"], maxfev=20)
    flat.plot().draw_without_rendering()
    nowhere = compare(lambda x: math.nan, [0.0, 0.0], methods=["Nelder-Mead"], maxfev=20)
    nowhere.plot().draw_without_rendering()


def test_every_style_is_different_and_stays_the_same():
    names = [*GENERAL, *SCIPY]
    keys = ("color", "linestyle", "marker", "markerfacecolor")
    looks = {name: tuple(plot.style(name)[key] for key in keys) for name in names}
    assert len(set(looks.values())) == len(names)
    in_grey = {tuple(plot.style(name)[key] for key in keys[1:3]) for name in GENERAL}
    assert len(in_grey) == len(GENERAL)
    assert len({plot.style(name)["color"] for name in FAMILIAR}) == len(FAMILIAR)
    assert set(FAMILIAR) < set(GENERAL)
    figure = run_bowl(["CG", ("mine", gd), "adam", ("yours", gd)], maxfev=20).plot()
    drawn = lines(figure.axes[1])
    assert drawn["CG"].get_color() == plot.style("CG")["color"]
    assert drawn["adam"].get_marker() == plot.style("adam")["marker"]
    assert drawn["mine"].get_marker() != drawn["yours"].get_marker()
    grey = {mpl.colors.to_rgb(plot.style(name)["color"]) for name in SCIPY}
    assert all(r == g == b for r, g, b in grey)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        run_bowl(["BFGS"]).plot()
