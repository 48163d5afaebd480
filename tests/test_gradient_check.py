import pickle
from collections import Counter

import numpy as np
import pytest
from scipy import optimize
from scipy.optimize import Bounds, rosen, rosen_der
from scipy.special import expit, logsumexp, softmax

from scipy_gd.gradient_check import GradientError, check_grad

SCALES = 10.0 ** np.array([-8, -4, 0, 4, 8])
RATES = 10.0 ** np.array([-2, -1, 0, 1])


def square(x):
    return float(x @ x)


def double(x):
    return 2 * x


def spoiled(jac, change):
    """jac with `change(g, x)` made to a copy of its gradient."""

    def wrong(x):
        g = np.array(jac(x))
        change(g, x)
        return g

    return wrong


def verdicts(check):
    return set(check.verdict.ravel().tolist())


# Right gradients pass


@pytest.mark.parametrize(
    ("fun", "jac", "x0", "options"),
    [
        pytest.param(rosen, rosen_der, [-1.2, 1.0, 0.7], {}, id="rosen"),
        pytest.param(rosen, rosen_der, np.full(10, 1e3), {}, id="rosen at 1e3"),
        pytest.param(rosen, rosen_der, np.ones(4), {}, id="rosen at its minimum"),
        pytest.param(rosen, rosen_der, np.ones(4), {"points": 1}, id="rosen, minimum only"),
        pytest.param(rosen, rosen_der, [1 + 1e-9, 1 - 1e-9], {"points": 1}, id="near the minimum"),
        pytest.param(square, double, np.zeros(3), {"points": 1}, id="0 = f = g"),
        pytest.param(
            lambda x: np.sum(np.exp(RATES * x)),
            lambda x: RATES * np.exp(RATES * x),
            np.full(4, 0.3),
            {},
            id="sum of exponentials",
        ),
        pytest.param(
            lambda x: np.sum(np.cosh(x / SCALES - 1)),
            lambda x: np.sinh(x / SCALES - 1) / SCALES,
            2.3 * SCALES,
            {"radius": 1e-9},
            id="x from 1e-8 to 1e8",
        ),
        pytest.param(
            lambda x: np.sum(np.cos(x / SCALES)),
            lambda x: -np.sin(x / SCALES) / SCALES,
            2.3 * SCALES,
            {},
            id="waves of 1e-8 to 1e8",
        ),
        pytest.param(
            lambda x: np.cos(x[0]), lambda x: -np.sin(x), [1e8], {}, id="waves of 1 at 1e8"
        ),
        pytest.param(lambda x: 1e8 + rosen(x), rosen_der, [-1.2, 1.0, 0.5], {}, id="offset 1e8"),
        pytest.param(
            lambda x: 1e8 + x[0] ** 2, lambda x: 2 * x * [1, 0], [-1.2, 1.0], {}, id="zero slope"
        ),
        pytest.param(
            lambda x: (1e8 + square(x)) - 1e8, double, [0.3, 1.0, 2.0], {}, id="cancellation"
        ),
        pytest.param(
            lambda x: np.sum(np.maximum(x, 0)),
            lambda x: np.where(x > 0, 1.0, 0.0),
            [0.5, -0.5, 1e-6, -1e-6],
            {"points": 1},
            id="near kinks, half of it flat",
        ),
        pytest.param(lambda x: 3.0, lambda x: 0 * x, [1.0, 2.0], {}, id="constant"),
        pytest.param(lambda x: 0.0, lambda x: 0 * x, [1.0, 2.0], {}, id="zero"),
    ],
)
def test_right_gradients_are_ok_in_every_component(fun, jac, x0, options):
    check = check_grad(fun, jac, x0, rng=0, **options)
    assert verdicts(check) == {"ok"}, str(check)
    assert check.ok
    assert check.pattern == ""
    assert check.raise_if_wrong() is check
    assert np.all(check.rel_error <= check.rtol)
    assert np.all(check.rel_error[check.uncertainty == 0] == 0)


def smooth_problems(rng):
    n = int(rng.integers(1, 7))
    x, b, s = rng.normal(size=n), rng.normal(size=n), 10 ** rng.uniform(-8, 8, n)
    A, c = rng.normal(size=(n + 2, n)), rng.normal(size=n + 2)
    H, offset, size = A.T @ A, rng.choice([0, 1, 1e4, 1e8]), 10 ** rng.uniform(-6, 6)
    yield lambda x: size * (x @ H @ x / 2 - b @ x) + offset, lambda x: size * (H @ x - b), x
    yield lambda x: np.sum(np.cosh(x / s)) + offset, lambda x: np.sinh(x / s) / s, x * s
    yield lambda x: logsumexp(A @ x - c) + offset, lambda x: A.T @ softmax(A @ x - c), x
    yield lambda x: size * np.sum(np.logaddexp(0, A @ x)), lambda x: size * A.T @ expit(A @ x), x
    yield lambda x: np.sum(np.log(x)) + offset, lambda x: 1 / x, np.exp(3 * x)
    yield (
        lambda x: size * np.sqrt(1e-6 + x @ x) + offset,
        lambda x: size * x / np.sqrt(1e-6 + x @ x),
        x * 10 ** rng.uniform(-6, 1),
    )
    yield (
        lambda x: size * (b @ x) / (1 + x @ x),
        lambda x: size * (b / (1 + x @ x) - 2 * (b @ x) * x / (1 + x @ x) ** 2),
        x,
    )


def test_no_false_alarm_on_random_smooth_functions():
    rng = np.random.default_rng(0)
    count = Counter()
    for seed in range(8):
        for fun, jac, x0 in smooth_problems(rng):
            check = check_grad(fun, jac, x0, rng=seed, points=3)
            count.update(check.verdict.ravel().tolist())
            assert "wrong" not in verdicts(check), str(check)
    assert count["ok"] > 0.85 * count.total()  # the offset hides some: unsure


# Wrong ones are found, and their pattern is named


def swap(g, x):
    g[[0, 2]] = g[[2, 0]]


def test_a_component_off_by_a_thousandth_is_found_alone():
    check = check_grad(
        rosen,
        spoiled(rosen_der, lambda g, x: g.__setitem__(1, 1.001 * g[1])),
        [-1.2, 1.0, 0.7, 2.0],
        rng=0,
    )
    assert not check.ok
    assert np.all(check.verdict[:, 1] == "wrong")
    assert np.all(np.delete(check.verdict, 1, axis=1) == "ok")
    assert check.worst[1] == 1
    np.testing.assert_allclose(check.rel_error[:, 1], 1e-3 / 1.001, rtol=1e-4)
    assert check.pattern == "only component 1 is wrong, by a factor of 1.001"


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda g, x: np.negative(g, out=g), "analytic = -numeric: the sign is wrong"),
        (lambda g, x: np.multiply(g, 2, out=g), "analytic = 2 * numeric on every component"),
        (lambda g, x: np.divide(g, 7, out=g), "analytic = 0.142857 * numeric on every component"),
        (lambda g, x: np.multiply(g, 0, out=g), "analytic = 0 where fun has a slope"),
        (lambda g, x: g.__setitem__(2, -g[2]), "only component 2 is wrong, by a factor of -1"),
        (lambda g, x: g.__setitem__(2, g[2] + 1), "only component 2 is wrong"),
        (lambda g, x: g.__setitem__([0, 3], [1, 1]), "only 2 of 4 components are wrong"),
        (swap, "components are permuted: analytic[0] = numeric[2], analytic[2] = numeric[0]"),
        (lambda g, x: g.__setitem__(slice(None), g[::-1].copy()), "components are permuted"),
        (lambda g, x: np.subtract(g, 0.01 * x, out=g), "analytic = numeric - 0.01 * x"),
        (lambda g, x: g.__setitem__(1, np.nan), "only component 1 is wrong"),
        (lambda g, x: g.__setitem__(slice(None), np.inf), ""),
    ],
)
def test_patterns(change, pattern):
    check = check_grad(rosen, spoiled(rosen_der, change), [-1.2, 1.0, 0.7, 2.0], rng=0)
    assert not check.ok
    assert pattern in check.pattern
    assert (f"pattern: {pattern}" if pattern else "wrong") in str(check)


def test_a_single_number_shows_a_factor_only_if_it_is_telling():
    for factor, shown in ((-1, "sign"), (2, "= 2 *"), (1.234, "")):
        check = check_grad(square, lambda x, k=factor: 2 * k * x, [3.0], points=1)
        assert not check.ok
        assert (shown in check.pattern) if shown else (check.pattern == "")


def test_a_missing_term_that_vanishes_at_x0_shows_at_the_other_points():
    def fun(x):
        return square(x) + (x[0] - 1) ** 2 * x[1]

    check = check_grad(fun, double, [1.0, 0.0, 2.0], rng=0)
    assert np.all(check.verdict[0] == "ok")
    assert np.all(check.verdict[1:, 0] == "wrong")
    assert "nothing is wrong at x0" in check.pattern
    assert check_grad(fun, double, [1.0, 0.0, 2.0], points=1).ok


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_one_percent_is_found_under_a_large_offset_too(offset):
    check = check_grad(
        lambda x: offset + rosen(x), lambda x: 1.01 * rosen_der(x), [-1.2, 1.0], rng=0
    )
    assert verdicts(check) == {"wrong"}


def test_a_forgotten_mask_is_found_where_fun_is_flat():
    check = check_grad(
        lambda x: 1 + np.sum(np.maximum(x, 0)), np.ones_like, [-0.1, 0.5], radius=0.01, rng=0
    )
    assert np.all(check.verdict == ["wrong", "ok"])


def test_a_nan_gradient_is_wrong_where_the_numeric_one_is_certain():
    check = check_grad(square, lambda x: np.array([np.nan, 2 * x[1]]), [1.0, 2.0], points=1)
    assert check.verdict.tolist() == [["wrong", "ok"]]
    assert check.rel_error[0, 0] == np.inf
    assert check.worst == (0, 0)


def test_values_that_are_not_finite_do_not_widen_the_tolerance_elsewhere():
    x0 = np.array([1.0, 2.0])
    check = check_grad(
        lambda x: square(x) if np.all(x == x0) else square(x) + np.inf * (x[0] > 1.01),
        lambda x: 3 * x if np.all(x == x0) else np.array([np.inf, np.nan]),
        x0,
        rng=0,
    )
    assert np.all(check.verdict[0] != "ok")
    assert not check.ok
    assert "wrong" in str(check)


# Unsure, not wrong


@pytest.mark.parametrize("side", [-1.0, 0.0, 0.5, 1.0])
def test_a_kink_is_unsure_for_every_slope_in_between(side):
    def jac(x):
        return np.array([side, 2 * x[1]])

    check = check_grad(lambda x: abs(x[0]) + x[1] ** 2, jac, [0.0, 1.0], points=1)
    assert check.verdict.tolist() == [["unsure", "ok"]]
    assert check.uncertainty[0, 0] == pytest.approx(1)
    assert check.ok


def test_a_slope_beyond_both_sides_of_a_kink_is_wrong():
    check = check_grad(lambda x: abs(x[0]), lambda x: np.array([5.0]), [0.0], points=1)
    assert check.verdict.tolist() == [["wrong"]]


def test_a_kink_nearby_is_no_kink():
    check = check_grad(lambda x: np.sum(np.abs(x)), np.sign, [1e-7, -1e-12], points=1)
    assert verdicts(check) == {"ok"}


def test_an_infinite_slope_is_unsure():
    for slope in (np.inf, np.nan, 0.0, 1.0):
        check = check_grad(
            lambda x: np.sqrt(abs(x[0])), lambda x, s=slope: np.array([s]), [0.0], points=1
        )
        assert verdicts(check) == {"unsure"}


@pytest.mark.parametrize("size", [1e-5, 1e-2, 10.0])
def test_a_noisy_objective_is_unsure(size):
    noise = np.random.default_rng(0)
    check = check_grad(lambda x: square(x) + size * noise.normal(), double, [1, 2, 3], rng=0)
    assert verdicts(check) == {"unsure"}
    assert not check.ok
    assert check.pattern == ""
    assert str(check).startswith("gradient check: unsure")
    check.raise_if_wrong()


def test_a_wrong_sign_is_found_in_spite_of_some_noise():
    noise = np.random.default_rng(0)
    check = check_grad(
        lambda x: square(x) + 1e-3 * noise.normal(), lambda x: -2 * x, [1.0, 2.0], rng=0
    )
    assert verdicts(check) == {"wrong"}


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_single_precision_gives_no_false_alarm_but_finds_errors(kind):
    def fun(x):
        return float(np.sum(np.cos(x.astype(kind)), dtype=kind))

    def jac(x):
        return -np.sin(x.astype(kind))

    assert "wrong" not in verdicts(check_grad(fun, jac, [0.3, 1.0, 2.0], rng=0))
    wrong = check_grad(fun, lambda x: 3 * jac(x), [0.3, 1.0, 2.0], rng=0)
    assert not wrong.ok
    assert "wrong" in verdicts(wrong)
    if kind is np.float32:
        assert check_grad(fun, jac, [0.3, 1.0, 2.0], rng=0, rtol=1e-3).ok


def test_rounded_values_are_no_false_alarm():
    for digits in (2, 4, 6):
        check = check_grad(lambda x, d=digits: round(square(x), d), double, [1.0, 2.3], rng=0)
        assert "wrong" not in verdicts(check), str(check)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_unsure(value):
    check = check_grad(lambda x: value, double, [1.0, 2.0], rng=0)
    assert verdicts(check) == {"unsure"}
    assert not check.ok
    assert np.all(np.isnan(check.numeric))
    assert np.all(check.uncertainty == np.inf)
    assert np.all(np.isnan(check.scipy))
    assert "unsure" in str(check)


# Domains and bounds


def logs(x):
    return np.sum(np.log(x))


@pytest.mark.parametrize(
    "x0", [[2e-12, 1e-10, 1e-3], [1.5e-12, 1.0, 5.0], [1.01e-12, 2.0, 1e-12 + 1e-20]]
)
def test_no_evaluation_leaves_the_bounds(x0):
    points = []

    def fun(x):
        points.append(x)
        return logs(x)

    lower, upper = np.full(3, 1e-12), np.array([np.inf, 2.0, np.inf])
    x0 = np.minimum(x0, upper)
    check = check_grad(fun, lambda x: 1 / x, x0, bounds=Bounds(lower, upper), rng=0)
    assert np.all((np.array(points) >= lower) & (np.array(points) <= upper))
    assert np.all((check.x >= lower) & (check.x <= upper))
    assert "wrong" not in verdicts(check), str(check)
    assert check.ok


def test_at_a_bound_the_differences_are_one_sided_and_scipys_figure_is_left_out():
    check = check_grad(
        rosen, rosen_der, [2.0, 0.5, 3.0], bounds=[(None, 2), (0.5, None), (3, 3)], points=1
    )
    assert check.verdict.tolist() == [["ok", "ok", "unsure"]]  # the last one is fixed
    assert np.isnan(check.scipy[0])
    assert check.ok
    double_it = spoiled(rosen_der, lambda g, x: np.multiply(g, 1.001, out=g))
    check = check_grad(rosen, double_it, [2.0, 0.5], bounds=[(None, 2), (0.5, None)], points=1)
    assert verdicts(check) == {"wrong"}


def test_points_outside_the_domain_move_towards_x0():
    def log_or_error(x):
        if np.any(x <= 0):
            raise ValueError("math domain error")
        return logs(x)

    for fun in (logs, log_or_error):
        check = check_grad(fun, lambda x: 1 / x, [1e-6, 1e-3, 10.0], rng=0)
        assert verdicts(check) == {"ok"}
        assert np.all(check.x > 0)


@pytest.mark.parametrize("bounds", [[(0, None)] * 2, Bounds(0, np.inf), np.array([[0, 9]] * 2)])
def test_forms_of_bounds(bounds):
    check = check_grad(square, double, [0.0, 1.0], bounds=bounds, rng=0)
    assert check.ok
    assert np.all(check.x >= 0)


# What is handed on, what is left alone


def test_reproducible_with_rng_and_the_global_state_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, generator = (
        check_grad(rosen, rosen_der, [1.0, 2.0], rng=rng)
        for rng in (0, 0, np.random.default_rng(0))
    )
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.x, generator.x)
    np.testing.assert_array_equal(first.numeric, again.numeric)
    assert str(first) == str(again)
    assert np.any(check_grad(rosen, rosen_der, [1.0, 2.0], rng=1).x != first.x)
    check_grad(rosen, rosen_der, [1.0, 2.0])
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_points_lie_within_the_radius():
    x0 = np.array([1e3, 1e-3, -5.0])
    check = check_grad(square, double, x0, points=20, radius=0.5, rng=0)
    moved = np.abs(check.x - x0) / (1 + np.abs(x0))
    np.testing.assert_array_equal(check.x[0], x0)
    assert np.all(moved <= 0.5)
    assert moved.max() > 0.3
    assert len(np.unique(check.x, axis=0)) == 20


@pytest.mark.parametrize("args", [(3.0, "x"), 3.0])
def test_args_are_forwarded(args):
    def fun(x, k, name="x"):
        assert name == "x"
        return k * square(x)

    check = check_grad(fun, lambda x, k, name="x": 2 * k * x, [1.0, 2.0], args=args, rng=0)
    assert check.ok
    np.testing.assert_array_equal(check.analytic, 6 * check.x)


def test_counts_are_real():
    calls = Counter()

    def fun(x):
        calls["fun"] += 1
        return rosen(x)

    def jac(x):
        calls["jac"] += 1
        return rosen_der(x)

    def both(x):
        calls["both"] += 1
        return rosen(x), rosen_der(x)

    check = check_grad(fun, jac, np.linspace(-1, 2, 30), rng=0)
    assert (check.nfev, check.njev) == (calls["fun"], calls["jac"])
    assert check.njev == 5
    assert check.nfev <= 5 * (7 * 30 + 27)
    same = check_grad(both, True, np.linspace(-1, 2, 30), rng=0)
    assert (same.nfev, same.njev) == (calls["both"], 5)
    assert same.nfev == check.nfev
    np.testing.assert_array_equal(same.verdict, check.verdict)


def test_the_worst_case_costs_no_more_than_documented():
    check = check_grad(square, lambda x: 0 * x, np.ones(10), points=1)
    assert verdicts(check) == {"wrong"}
    assert check.nfev <= 51 * 10 + 30
    kinks = check_grad(lambda x: np.sum(np.abs(x)), np.sign, np.zeros(10), points=1)
    assert kinks.nfev <= 51 * 10 + 30


def test_nothing_of_the_users_is_modified_or_shared():
    x0, kept = np.array([1.0, 2.0, 3.0]), []
    gradient = np.empty(3)

    def fun(x):
        kept.append(x)
        value = square(x)
        x[:] = np.nan
        return value

    def jac(x):
        gradient[:] = 2 * x
        x[:] = np.nan
        return gradient

    check = check_grad(fun, jac, x0, rng=0)
    assert verdicts(check) == {"ok"}
    np.testing.assert_array_equal(x0, [1, 2, 3])
    assert len({id(x) for x in kept}) == len(kept)
    for name in ("x", "analytic", "numeric", "uncertainty", "rel_error", "verdict", "scipy"):
        assert not getattr(check, name).flags.writeable
        assert not np.shares_memory(getattr(check, name), gradient)
    with pytest.raises(AttributeError):
        check.ok = False


def test_integers_scalars_and_lists_are_taken():
    assert check_grad(lambda x: [x[0] ** 2][0], lambda x: 2 * x[0], 3, points=2, rng=0).ok
    assert check_grad(lambda x: np.array([square(x)]), lambda x: list(2 * x), [1, 2], rng=0).ok
    assert check_grad(square, double, [1, 2], points=np.int64(2), rng=0).x.shape == (2, 2)


def test_scipys_figure_is_scipys():
    def jac(x):
        return 1.001 * rosen_der(x)

    check = check_grad(rosen, jac, [-1.2, 1.0, 3.0], rng=0)
    for p, x in enumerate(check.x):
        assert check.scipy[p] == optimize.check_grad(rosen, jac, x)


def test_rtol_and_atol():
    def jac(x):
        return 1.001 * double(x)

    assert not check_grad(square, jac, [1.0, 2.0], rng=0).ok
    assert check_grad(square, jac, [1.0, 2.0], rng=0, rtol=1e-2).ok
    assert check_grad(square, jac, [1.0, 2.0], rng=0, atol=1e-2).ok
    assert not check_grad(square, jac, [1.0, 2.0], rng=0, atol=1e-4).ok


# What is shown


def test_the_table_shows_the_worst_twenty_and_counts_the_rest():
    def jac(x):
        return rosen_der(x) * (1 + 0.5 * (np.arange(30) == 29))

    check = check_grad(rosen, jac, np.linspace(-1, 2, 30), rng=0)
    lines = str(check).splitlines()
    assert lines[0] == "gradient check: wrong (5 wrong, 145 ok; points x components: 5 x 30)"
    assert lines[2].split() == ["index", "x", "analytic", "numeric", "rel.", "error", "verdict"]
    rows = [line.split() for line in lines[3:23]]
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)
    assert rows[-1][0] == "29"
    assert rows[-1][-2:] == ["3.3e-01", "wrong"]
    assert lines[23] == "(10 components with smaller errors not shown)"
    assert lines[24].startswith("other points: 4 wrong, 0 unsure, largest rel. error 3.3e-01")
    assert lines[25].startswith(f"worst: component 29 at point {check.worst[0]}, analytic ")
    assert f"scipy.optimize.check_grad there: {check.scipy[check.worst[0]]:.2e}" in lines[25]
    assert lines[26] == "pattern: only component 29 is wrong, by a factor of 1.5"
    assert len(lines) == 27
    assert repr(check) == str(check)
    assert max(map(len, lines[2:23])) < 80


def test_html_is_the_same_table():
    check = check_grad(square, lambda x: x, [1.0, 2.0], rng=0)
    html = check._repr_html_()
    assert html.count("<tr>") == html.count("</tr>") == 3
    assert html.count("<td ") == 12
    assert "analytic = 0.5 * numeric" in html


def test_to_dicts_has_a_plain_row_for_every_component():
    check = check_grad(rosen, rosen_der, [1.0, 2.0], points=3, rng=0)
    rows = check.to_dicts()
    assert [(row["point"], row["component"]) for row in rows] == list(np.ndindex(3, 2))
    assert {type(v) for row in rows for v in row.values()} == {int, float, str}
    assert rows[3]["numeric"] == check.numeric[1, 1]


def test_the_error_carries_the_check_and_its_table():
    check = check_grad(square, lambda x: -2 * x, [1.0, 2.0], rng=0)
    with pytest.raises(GradientError, match="the sign is wrong") as caught:
        check.raise_if_wrong()
    assert isinstance(caught.value, ValueError)
    assert caught.value.check is check
    assert str(caught.value) == str(check)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(check)


# Bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x0": []}, ValueError, "`x0`"),
        ({"x0": [1.0, np.nan]}, ValueError, "`x0`"),
        ({"x0": [1.0, np.inf]}, ValueError, "`x0`"),
        ({"x0": [[1.0, 2.0]]}, ValueError, "`x0`"),
        ({"x0": [1.0, 2j]}, TypeError, "`x0`"),
        ({"x0": ["a", "b"]}, TypeError, "`x0`"),
        ({"x0": [[1.0], [2.0, 3.0]]}, TypeError, "`x0`"),
        ({"points": 0}, ValueError, "`points`"),
        ({"points": 2.5}, ValueError, "`points`"),
        ({"points": True}, TypeError, "`points`"),
        ({"radius": 0}, ValueError, "`radius`"),
        ({"rtol": 0}, ValueError, "`rtol`"),
        ({"rtol": "small"}, TypeError, "`rtol`"),
        ({"atol": -1}, ValueError, "`atol`"),
        ({"atol": np.nan}, ValueError, "`atol`"),
        ({"fun": 3}, TypeError, "`fun`"),
        ({"fun": lambda x: x}, ValueError, "`fun`"),
        ({"fun": lambda x: None}, TypeError, "`fun`"),
        ({"fun": lambda x: 1j}, TypeError, "`fun`"),
        ({"fun": lambda x: (square(x), 2 * x)}, ValueError, "jac=True"),
        ({"jac": True}, ValueError, "`fun` must return \\(value, gradient\\)"),
        ({"jac": None}, TypeError, "`jac`"),
        ({"jac": "2-point"}, TypeError, "`jac`"),
        ({"jac": lambda x: x[:1]}, ValueError, "`jac`"),
        ({"jac": lambda x: 1.0}, ValueError, "`jac`"),
        ({"jac": lambda x: None}, TypeError, "`jac`"),
        ({"jac": lambda x: 1j * x}, TypeError, "`jac`"),
        ({"jac": lambda x: [[1.0], [1.0, 2.0]]}, TypeError, "`jac`"),
        ({"bounds": [(0, 1)]}, ValueError, "number of bounds"),
        ({"bounds": [(0, 1)] * 3}, ValueError, "number of bounds"),
        ({"bounds": [0, 1]}, TypeError, "`bounds`"),
        ({"bounds": 3}, TypeError, "`bounds`"),
        ({"bounds": [(2, 1), (0, 9)]}, ValueError, "upper bound is less"),
        ({"bounds": [(np.nan, 1), (0, 9)]}, ValueError, "`bounds`"),
        ({"bounds": [(np.inf, None), (0, 9)]}, ValueError, "`bounds`"),
        ({"bounds": [(0, 9), (0, 1)]}, ValueError, r"outside .* \[1\]"),
    ],
)
def test_bad_input_is_named(change, error, message):
    given = {"fun": square, "jac": double, "x0": [1.0, 2.0]} | change
    with pytest.raises(error, match=message):
        check_grad(**given)


def test_errors_of_the_users_pass_through():
    def broken(x):
        raise RuntimeError("mine")

    for fun, jac in ((broken, double), (square, broken)):
        with pytest.raises(RuntimeError, match="mine"):
            check_grad(fun, jac, [1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        check_grad(lambda x: 1 / 0, double, [1.0])
