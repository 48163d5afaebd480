"""The sweep: every setting runs as it would alone; the table and the best say what came of it."""

import functools
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import Bounds, OptimizeResult, minimize, rosen, rosen_der

from scipy_gd import METHODS, adam, gd, lbfgs, momentum, newton, random_search, schedules, sweep
from scipy_gd.gradient_check import GradientError
from scipy_gd.problems import linear_regression, rosenbrock, saddle

mpl.use("agg")
START = [-1.2, 1.0]


@pytest.fixture(autouse=True)
def _wide_terminal_and_no_figures_left(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    yield
    plt.close("all")


def run(method=gd, **options):
    return sweep(rosen, START, method, jac=rosen_der, check=False, **options)


def placed(result):
    return [(row.method, row.options) for row in result]


# --- the grid


def test_lists_and_arrays_are_axes_and_all_else_is_one_value():
    rate = schedules.cosine(0.1, 0.01, steps=10)
    result = run(adam, learning_rate=[rate, 0.5], beta1=np.array([0.5, 0.9]), beta2=0.99, maxiter=2)
    assert result.axes == {"learning_rate": [rate, 0.5], "beta1": [0.5, 0.9]}
    assert placed(result) == [
        ("adam", {"learning_rate": a, "beta1": b, "beta2": 0.99, "maxiter": 2})
        for a in (rate, 0.5)
        for b in (0.5, 0.9)
    ]


def test_a_wrapped_array_is_one_rate_for_each_parameter():
    rates = np.array([1e-3, 2e-3])
    (row,) = run(learning_rate=[rates], maxiter=5)
    alone = minimize(
        rosen, START, jac=rosen_der, method=gd, options={"learning_rate": rates, "maxiter": 5}
    )
    np.testing.assert_array_equal(row.x[0], alone.x)
    two = run(learning_rate=np.array([[1e-3, 2e-3], [1e-3, 1e-3]]), maxiter=5)
    assert len(two) == 2
    np.testing.assert_array_equal(two[0].x, row.x)


def test_each_method_is_given_what_it_knows():
    result = run([adam, momentum], learning_rate=[1e-3], beta1=[0.5, 0.9], momentum=0.5, maxiter=1)
    assert placed(result) == [
        ("adam", {"learning_rate": 1e-3, "beta1": 0.5, "maxiter": 1}),
        ("adam", {"learning_rate": 1e-3, "beta1": 0.9, "maxiter": 1}),
        ("momentum", {"learning_rate": 1e-3, "momentum": 0.5, "maxiter": 1}),
    ]


def test_methods_of_every_kind():
    preset = functools.partial(adam, learning_rate=0.1)
    methods = ["gd", preset, ("mine", momentum, {"momentum": 0.1}), "BFGS"]
    result = run(methods, maxiter=[3], momentum=[0.5], learning_rate=[1e-3])
    assert [row.method for row in result] == ["gd", "adam(learning_rate=0.1)", "mine", "BFGS"]
    assert result[1].options == {"maxiter": 3}
    assert result[2].options["momentum"] == 0.1


# --- what a row says


@pytest.mark.parametrize("rate", [1e-3, "auto", "armijo"])
def test_a_row_is_the_run_alone(rate):
    row = run(momentum, learning_rate=[0.1, rate], momentum=[0.5], maxiter=300)[1]
    options = {"learning_rate": rate, "momentum": 0.5, "maxiter": 300}
    alone = minimize(rosen, START, jac=rosen_der, method=momentum, options=options)
    np.testing.assert_array_equal(row.x[0], alone.x)
    assert row.options == options
    assert (row.nit[0], row.nfev[0], row.njev[0]) == (alone.nit, alone.nfev, alone.njev)
    assert (row.f[0], row.gnorm[0]) == (alone.fun, abs(alone.jac).max())
    assert (row.success[0], row.message) == (alone.success, alone.message)


def test_seeds_reach_the_random_numbers():
    result = run(random_search, learning_rate=[0.1, 1.0], maxfev=50, seeds=[3, 5, 8])
    for row in result:
        for k, seed in enumerate((3, 5, 8)):
            alone = minimize(
                rosen, START, method=random_search, options=row.options | {"rng": seed}
            )
            np.testing.assert_array_equal(row.x[k], alone.x)
        assert len(set(row.f)) == 3
    again = run(random_search, learning_rate=[0.1, 1.0], maxfev=50, seeds=9)
    np.testing.assert_array_equal(again[0].seeds, np.arange(9))
    np.testing.assert_array_equal(again[0].f[[3, 5, 8]], result[0].f)


def test_figures_are_taken_at_the_returned_point_whatever_the_method_says():
    def boaster(fun, x0, args=(), **_):
        return OptimizeResult(x=x0, fun=-1.0, success=True, message="never better", nit=7, nfev=1)

    (row,) = run(boaster, strength=[1])
    assert row.f[0] == rosen(START)
    assert row.gnorm[0] == abs(rosen_der(START)).max()
    assert (row.nit[0], row.nfev[0], row.njev[0]) == (7, 1, 0)


def test_who_diverges_or_raises_is_a_row_and_the_others_go_on():
    def picky(x):
        if x[0] > 5:
            raise ArithmeticError("too far")
        return x @ x

    rates = [-1.0, 0.1, 1.2, 1e9]
    result = sweep(picky, [1.0, 2.0], gd, jac=lambda x: 2 * x, learning_rate=rates, maxiter=300)
    negative, good, far, diverged = result
    assert "ValueError: `learning_rate` must be above 0" in negative.message
    assert good.success[0]
    assert far.message == "ArithmeticError: too far"
    assert np.isnan(far.f[0]) and np.isnan(far.x).all() and not far.success[0]
    assert "diverge" in diverged.message or "ArithmeticError" in diverged.message
    assert result.best is good


def test_interrupt_ends_the_sweep():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(interrupted, START, gd, jac=rosen_der, learning_rate=[0.1], check=False)


def test_a_problem_gives_what_is_not_given():
    p = linear_regression()
    result = sweep(p, method=[lbfgs, newton], learning_rate=["auto"])
    assert result.name == "linear_regression"
    assert result.n == p.n
    assert all(row.success[0] and p.distance(row.x[0]) < 1e-4 for row in result), result
    assert sweep(p, np.ones(p.n), gd, maxiter=0)[0].x[0].tolist() == [1.0] * p.n


def test_gradient_is_projected_where_there_are_bounds():
    p = saddle()
    (row,) = sweep(p, method=lbfgs)
    assert row.gnorm[0] < 1e-5 < abs(p.jac(row.x[0])).max()
    (row,) = sweep(lambda x: x @ x, [3.0], bounds=Bounds(1, 4), learning_rate=[0.1])
    assert (row.x[0, 0], row.gnorm[0], row.success[0]) == (1.0, 0.0, True)


def test_value_and_gradient_in_one_function_and_args():
    def both(x, scale):
        return scale * rosen(x), scale * rosen_der(x)

    (row,) = sweep(both, START, lbfgs, jac=True, args=(2.0,))
    (plain,) = sweep(lambda x: 2 * rosen(x), START, lbfgs, jac=lambda x: 2 * rosen_der(x))
    np.testing.assert_array_equal(row.x, plain.x)


def test_nothing_of_the_users_is_changed():
    x0, rates, options = np.array(START), np.array([1e-3, 1e-2]), {"momentum": 0.1}
    sweep(rosen, x0, [("a", momentum, options)], jac=rosen_der, learning_rate=rates, maxiter=3)
    assert x0.tolist() == START and rates.tolist() == [1e-3, 1e-2] and options == {"momentum": 0.1}


# --- the best


def fixed(**results):
    """A method that returns what is written down for it, as f and the number of evaluations."""

    def method(fun, x0, args=(), case=0, **_):
        f, nfev, success = results[case]
        return OptimizeResult(x=np.array([f]), nit=1, nfev=nfev, success=success)

    return method


@pytest.mark.parametrize(
    ("results", "best"),
    [
        ({"a": (0.0, 10, False), "b": (1.0, 1, True)}, "a"),  # a lower value first of all
        ({"a": (1e-9, 90, True), "b": (1e-8, 80, True)}, "b"),  # as good as equal: cheaper
        ({"a": (0.0, 10, False), "b": (1e-9, 90, True)}, "b"),  # as good as equal: success
        ({"a": (np.nan, 1, True), "b": (7.0, 99, False)}, "b"),
        ({"a": (np.nan, 1, False), "b": (np.nan, 1, False)}, "a"),
        ({"a": (30.0, 1, False), "b": (20.0, 1, False), "c": (25.0, 1, True)}, "b"),
    ],
)
def test_the_best_is_low_then_sure_then_cheap(results, best):
    case = [*results]
    result = sweep(lambda x: float(x[0]), [10.0], fixed(**results), jac=lambda x: 1, case=case)
    assert result.best.options["case"] == best


def test_the_best_is_so_in_the_median():
    def method(fun, x0, args=(), rng=None, case="", **_):
        f = {"lucky": [0.0, 5.0, 5.0], "steady": [1.0, 1.0, 9.0]}[case][rng]
        return OptimizeResult(x=np.array([f]), nit=1, nfev=1, success=False)

    result = sweep(
        lambda x: float(x[0]), [10.0], method, jac=lambda x: 1, case=["lucky", "steady"], seeds=3
    )
    assert result.best.options == {"case": "steady"}


# --- held-out data


DATA = np.random.default_rng(0).normal(size=(40, 3))
HELD_OUT = np.random.default_rng(1).normal(size=(9, 3))


def loss(w, X):
    r = X @ w - X[:, 0] - 0.3 * np.sin(9 * X[:, 1])
    return r @ r / len(X), 2 * X.T @ r / len(X)


def fitted(**options):
    options = {"batch_size": 8, "validation": (HELD_OUT,), "epochs": 4} | options
    return sweep(loss, np.zeros(3), "sgd", args=(DATA,), jac=True, check=False, **options)


def test_held_out_losses_are_those_of_the_runs():
    result = fitted(learning_rate=[1e-3, 1e-2, 0.1], seeds=2)
    for row in result:
        for k in range(2):
            options = row.options | {"rng": k}
            alone = minimize(loss, np.zeros(3), (DATA,), METHODS["sgd"], True, options=options)
            assert row.held_out[k] == min(alone.validation_losses)
            assert row.held_out[k] == loss(row.x[k], HELD_OUT)[0]
            assert row.f[k] == loss(row.x[k], DATA)[0]
    assert result.held_out_start == loss(np.zeros(3), HELD_OUT)[0]
    assert result.f_start == loss(np.zeros(3), DATA)[0]
    head = str(result).splitlines()[1].split()
    assert head.index("held-out") > head.index("f")
    assert f"  {np.median(result[1].held_out):.5g}  " in str(result).splitlines()[4]
    runs = result.to_dicts()
    assert [run["held_out"] for run in runs] == [*np.ravel([row.held_out for row in result])]
    assert json.loads(json.dumps(runs)) == runs
    assert "validation" not in runs[0]  # the data would be in every run
    assert [*result.sort("held_out")] == sorted(result, key=lambda row: np.median(row.held_out))


def validated(**results):
    """A method that returns what is written down for it, as f and the held-out losses."""

    def method(fun, x0, args=(), case=0, **_):
        f, losses, success = results[case]
        x = np.array([f])
        found = {"validation_losses": losses} if losses else {}
        return OptimizeResult(x=x, nit=1, nfev=1, success=success, **found)

    return method


@pytest.mark.parametrize(
    ("results", "best"),
    [
        ({"a": (0.0, [9, 5.0], True), "b": (1.0, [9, 4.0], True)}, "b"),  # not by f
        ({"a": (0.0, [9, 5.0, 8.0], True), "b": (1.0, [9, 6.0], True)}, "a"),  # lowest, not last
        ({"a": (0.0, [9, 5.0], False), "b": (1.0, [9, 5.0 + 1e-9], True)}, "b"),
        ({"a": (0.0, [9, np.nan], False), "b": (1.0, [9, 8.0], True)}, "b"),
        ({"a": (0.0, [], True), "b": (1.0, [9, 8.0], False)}, "b"),  # without: cannot be judged
        ({"a": (0.0, [np.nan], True), "b": (1.0, [np.nan], False)}, "a"),  # all without: by f
    ],
)
def test_the_best_is_so_on_held_out_data(results, best):
    result = sweep(
        lambda x: float(x[0]), [10.0], validated(**results), jac=lambda x: 1, case=[*results]
    )
    assert result.best.options["case"] == best


def test_the_picture_has_the_held_out_losses():
    result = fitted(learning_rate=[1e-3, 1e-2, 50.0])
    (ax,) = result.plot().axes
    assert ax.get_ylabel() == "lowest held-out loss"
    values = ax.get_lines()[0].get_ydata()
    np.testing.assert_array_equal(values[:2], [row.held_out[0] for row in result[:2]])
    assert np.isnan(values[2])  # not below the start
    fitted(learning_rate=[50.0, 60.0]).plot().draw_without_rendering()  # none is


def test_without_held_out_data_there_is_no_such_column():
    result = run(learning_rate=[1e-3], maxiter=5)
    assert np.isnan(result[0].held_out).all() and np.isnan(result.held_out_start)
    assert "held" not in str(result)
    assert result.to_dicts()[0]["held_out"] is None
    assert "held" not in result.plot().axes[0].get_ylabel()


# --- many processes


def test_processes_give_what_one_gives():
    settings = {"learning_rate": [1e-4, 1e-3, 0.1], "momentum": [0.5, 0.9], "maxiter": 50}
    alone = run([gd, momentum], **settings)
    together = run([gd, momentum], workers=2, **settings)
    assert alone.to_dicts() == together.to_dicts()


def test_a_map_of_the_users_gets_tasks_that_can_travel():
    sent = []

    def pickled_map(function, items):
        for item in items:
            call, item = pickle.loads(pickle.dumps((function, item)))
            sent.append(item)
            yield call(item)

    result = sweep(rosenbrock(), method=[lbfgs, gd], workers=pickled_map, maxiter=[5, 50], seeds=2)
    assert len(sent) == 8
    assert (
        result.to_dicts()
        == sweep(rosenbrock(), method=[lbfgs, gd], maxiter=[5, 50], seeds=2).to_dicts()
    )


def test_threads():
    with ThreadPoolExecutor(2) as pool:
        rates = [1e-3, 1e-2, "auto"]
        assert (
            run(learning_rate=rates, workers=pool.map).to_dicts()
            == run(learning_rate=rates).to_dicts()
        )


def test_what_cannot_travel_is_named():
    with pytest.raises(
        TypeError, match="`workers` the objective and the options must be picklable"
    ):
        sweep(lambda x: x @ x, [1.0], learning_rate=[0.1], workers=2)


# --- what is shown


def test_table_of_one_seed():
    text = str(run([adam, gd], learning_rate=[1e-3, "auto"], beta1=[0.5], maxiter=3000))
    lines = text.splitlines()
    assert lines[0] == "rosen, n = 2, best: gd, learning_rate=auto"
    head = "method learning_rate beta1 nit nfev njev f |g| ok message"
    assert lines[1].split() == head.split()
    assert lines[3].split()[:3] == ["adam", "0.001", "0.5"]
    assert lines[6].split()[:3] == ["gd", "auto", "-"]
    assert " yes  Optimization terminated" in lines[6]


def test_table_of_several_seeds_has_the_range():
    result = run(random_search, learning_rate=[0.1], maxfev=500, target=1e-2, seeds=[0, 1, 2, 3])
    (row,) = result
    line = str(result).splitlines()[3]
    assert f"{np.median(row.f):.2e}" in line
    assert f"{row.f.min():.1e} to {row.f.max():.1e}" in line
    assert 0 < row.success.sum() < 4
    assert f"  {row.success.sum()}/4  Maximum number" in line


def test_html_has_every_cell_escaped():
    result = run([("<b>", gd)], learning_rate=[1e-3], maxiter=1)
    page = result._repr_html_()
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert page.count("<td") == len(result.columns) == page.count("<th ")


def test_dicts_are_plain_one_for_each_run():
    rate = schedules.constant(0.1)
    result = run(adam, learning_rate=[rate, np.float64(0.1), -1.0], maxiter=np.int64(4), seeds=2)
    runs = result.to_dicts()
    assert json.loads(json.dumps(runs, allow_nan=False)) == runs
    assert [(r["learning_rate"], r["seed"]) for r in runs] == [
        (rate, seed) for rate in ("constant(value=0.1)", 0.1, -1.0) for seed in (0, 1)
    ]
    assert runs[0]["f"] == runs[2]["f"] == result[0].f[0]
    assert runs[-1]["f"] is None and runs[-1]["x"] == [None, None]


def test_rows_in_order():
    result = run(learning_rate=[1e-3, 1e-4, "auto"], maxiter=100)
    assert [r.options["learning_rate"] for r in result.sort("f")] == ["auto", 1e-3, 1e-4]
    assert result.sort("f").best is result.best
    assert result[-1].options["learning_rate"] == "auto"


def test_picture_has_a_curve_for_all_but_the_rate(tmp_path):
    rates = [1e-3, "auto", 1e-2, 10.0]
    result = run([adam, gd], learning_rate=rates, beta1=[0.5, 0.9], maxiter=5, seeds=2)
    figure = result.plot(tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").stat().st_size > 1000
    (ax,) = figure.axes
    lines = {line.get_label(): line for line in ax.get_lines()}
    named = {label: line for label, line in lines.items() if not label.startswith("_")}
    assert [*named] == ["adam, beta1=0.5", "adam, beta1=0.9", "gd"]
    line = named["adam, beta1=0.9"]
    assert line.get_xdata().tolist() == [1e-3, 1e-2, 10.0]
    np.testing.assert_array_equal(line.get_ydata()[:2], [result[1].f[0], result[5].f[0]])
    assert np.isnan(line.get_ydata()[2])  # it has diverged
    assert len(result.plot(ax=ax).axes) == 1
    with pytest.raises(ValueError, match="`learning_rate` must be a number in some"):
        run(learning_rate=["auto"], maxiter=5).plot()


def test_progress_tells_each_run_when_it_is_done(capsys):
    said = []

    def fun(x):
        said.append(capsys.readouterr().err)
        return x @ x

    sweep(fun, [1.0], gd, jac=lambda x: 2 * x, maxiter=[0, 1], seeds=2, progress=True, check=False)
    lines = "".join([*said, capsys.readouterr().err]).splitlines()
    assert lines == [
        f"fun, n = 1: {i}/4 gd, maxiter={m}, seed {s}"
        for i, (m, s) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)], 1)
    ]
    assert said[0] == "" and any(said)


# --- what is refused


def test_a_wrong_gradient_is_reported_before_any_run():
    with pytest.raises(GradientError):
        sweep(rosen, START, jac=lambda x: -rosen_der(x), learning_rate=[0.1])
    assert len(sweep(rosen, START, jac=lambda x: -rosen_der(x), maxiter=3, check=False)) == 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"lerning_rate": [0.1]}, TypeError, "`lerning_rate` is not an option of gd"),
        ({"beta1": 0.9}, TypeError, "`beta1` is not an option of gd"),
        ({"learning_rate": []}, ValueError, "`learning_rate` must have at least one value"),
        ({"rng": 1}, TypeError, "`rng` .*`seeds`"),
        ({"seeds": []}, ValueError, "`seeds` must be .* whole numbers"),
        ({"seeds": 0}, ValueError, "`seeds` must be .* whole numbers"),
        ({"seeds": [0.5]}, ValueError, "`seeds` must be .* whole numbers"),
        ({"seeds": [-1]}, ValueError, "`seeds` must be .* whole numbers"),
        ({"seeds": None}, TypeError, "`seeds` must be a number of seeds"),
        ({"seeds": 2.0}, TypeError, "`seeds` must be a number of seeds"),
        ({"seeds": True}, TypeError, "`seeds` must be a number of seeds"),
        ({"callback": print}, TypeError, "`callback` is not an option of gd"),
        ({"workers": 0}, ValueError, "`workers` must be a positive int"),
        ({"workers": "two"}, TypeError, "`workers` must be an int or a map-like"),
        ({"method": "gradient"}, ValueError, "got 'gradient'"),
        ({"method": [gd, gd]}, ValueError, "got 'gd' twice"),
        ({"x0": None}, TypeError, "`x0` must be given with a function"),
        ({"x0": [[1.0]]}, ValueError, "`x0` must be one-dimensional"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    def never(x):
        raise AssertionError("no work before the arguments are checked")

    given = {"fun": never, "x0": START, "method": gd} | changes
    with pytest.raises(error, match=message):
        sweep(**given)


@pytest.mark.parametrize(("answer", "error"), [([], ValueError), (None, TypeError)])
def test_a_map_that_loses_results_is_named(answer, error):
    with pytest.raises(error, match="a map in `workers` must return"):
        sweep(rosen, START, gd, learning_rate=[1e-4, 1e-3], workers=lambda f, items: answer)


def test_numbers_of_numpy_are_numbers_and_arrays_may_be_among_the_values():
    rates = [np.float32(1e-3), np.array([1e-3, 1e-4]), "auto", np.int64(1) * 1e-4]
    result = sweep(rosen, START, gd, jac=rosen_der, learning_rate=rates, maxiter=5)
    assert [type(row.options["learning_rate"]) for row in result] == [float, np.ndarray, str, float]
    numbers = sweep(rosen, START, gd, jac=rosen_der, learning_rate=[rates[0], "auto"], maxiter=5)
    (line, *_) = numbers.plot().axes[0].get_lines()
    assert line.get_xdata().tolist() == [float(rates[0])]


def test_rates_are_sorted_before_words():
    rates = ["auto", 1e-3, 1e-4, "wolfe"]
    result = sweep(rosen, START, gd, jac=rosen_der, learning_rate=rates, maxiter=5)
    order = [row.options["learning_rate"] for row in result.sort("learning_rate")]
    assert order == [1e-4, 1e-3, "auto", "wolfe"]
    assert [
        row.options["learning_rate"] for row in result.sort("learning_rate", reverse=True)
    ] == order[::-1]
