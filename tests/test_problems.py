"""The test problems: values, derivatives, minima, data and the checking of arguments."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba.core.dispatcher import Dispatcher
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess, rosen_hess_prod

from scipy_gd.problems import (
    PROBLEMS,
    Problem,
    beale,
    himmelblau,
    linear_regression,
    logistic_regression,
    quadratic,
    rosenbrock,
    saddle,
)

pytestmark = pytest.mark.filterwarnings("error")

FUNCTIONS = ("fun", "jac", "fun_and_jac", "hess", "hessp")

# Flights before Challenger, as published: temperature in deg F, and whether there was distress.
TEMPERATURE = np.array(
    [[66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58]]
).T
DISTRESS = np.isin(np.arange(23), [1, 8, 9, 10, 13, 20, 22])

FIVE = np.random.default_rng(5).standard_normal((40, 5))
LABELS = np.where(FIVE @ [1, -1, 2, 0, 0] + np.sin(np.arange(40)) > 0, 1, -1)

ALL = [
    rosenbrock(),
    rosenbrock(5),
    quadratic(),
    quadratic(1),
    quadratic(6, condition=1e6, rng=1),
    saddle(),
    beale(),
    himmelblau(),
    linear_regression(),
    linear_regression(FIVE, LABELS),
    logistic_regression(),
    logistic_regression(FIVE, LABELS, l2=0.5),
]

# The formulas as their sources print them, also valid for complex x.
TEXTBOOK = {
    "rosenbrock": rosen,
    "quadratic": lambda x, A, c: np.einsum("i,ij,j", x - c, A, x - c) / 2,
    "saddle": lambda x: (x[0] - x[1]) * (x[0] + x[1]),
    "beale": lambda x: (
        (1.5 - x[0] + x[0] * x[1]) ** 2
        + (2.25 - x[0] + x[0] * x[1] ** 2) ** 2
        + (2.625 - x[0] + x[0] * x[1] ** 3) ** 2
    ),
    "himmelblau": lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2,
    "linear_regression": lambda w, A, y: np.mean((A @ w - y) ** 2) / 2,
    "logistic_regression": lambda w, A, y, penalty: (
        np.mean(np.log(1 + np.exp(-y * (A @ w)))) + sum(penalty * w**2) / 2
    ),
}

each_problem = pytest.mark.parametrize("problem", ALL, ids=lambda p: f"{p.name}-{p.n}")
few_examples = settings(max_examples=20, deadline=None)


def points(problem: Problem, count: int = 1):
    within_bounds = st.floats(-2, 2, allow_subnormal=False)
    return st.tuples(*[arrays(float, problem.n, elements=within_bounds)] * count)


def calls(problem: Problem, x, p):
    """The values of the five functions."""
    return [
        getattr(problem, name)(x, *([p] if name == "hessp" else []), *problem.args)
        for name in FUNCTIONS
    ]


def assert_close(actual, expected, tolerance=1e-12):
    """Compare to the greatest entry, since entries that cancel have no digits of their own."""
    assert_allclose(actual, expected, rtol=0, atol=tolerance * (1 + np.max(np.abs(expected))))


# ------------------------------------------------------------------------- values, derivatives


@each_problem
@few_examples
@given(data=st.data())
def test_value_and_gradient_are_those_of_the_textbook_formula(problem, data):
    (x,) = data.draw(points(problem))
    formula = TEXTBOOK[problem.name]
    assert_close(problem.fun(x, *problem.args), formula(x, *problem.args))
    complex_step = [formula(x + 1e-20j * e, *problem.args).imag / 1e-20 for e in np.eye(problem.n)]
    assert_close(problem.jac(x, *problem.args), complex_step)


@each_problem
@few_examples
@given(data=st.data())
def test_hessian_is_the_derivative_of_the_gradient(problem, data):
    x, p = data.draw(points(problem, 2))
    h = 1e-4
    differences = [
        (problem.jac(x + h * e, *problem.args) - problem.jac(x - h * e, *problem.args)) / (2 * h)
        for e in np.eye(problem.n)
    ]
    hess = problem.hess(x, *problem.args)
    assert_close(hess, differences, 1e-7)
    assert_close(hess, hess.T, 1e-14)
    assert_close(problem.hessp(x, p, *problem.args), hess @ p)


@each_problem
@few_examples
@given(data=st.data())
def test_value_and_gradient_together_are_those_apart(problem, data):
    (x,) = data.draw(points(problem))
    f, g = problem.fun_and_jac(x, *problem.args)
    assert_close(f, problem.fun(x, *problem.args), 1e-15)
    assert_close(g, problem.jac(x, *problem.args), 1e-15)


@each_problem
@few_examples
@given(data=st.data())
def test_plain_functions_agree_with_compiled_ones(problem, data):
    x, p = data.draw(points(problem, 2))
    for compiled, plain in zip(calls(problem, x, p), calls(problem.plain, x, p), strict=True):
        if isinstance(compiled, tuple):
            assert_close(compiled[0], plain[0])
            compiled, plain = compiled[1], plain[1]
        assert_close(compiled, plain)


@each_problem
def test_plain_functions_are_plain_throughout(problem):
    for name in FUNCTIONS:
        assert isinstance(getattr(problem, name), Dispatcher)
        function = getattr(problem.plain, name)
        assert isinstance(function, types.FunctionType)
        called = [function.__globals__.get(name) for name in function.__code__.co_names]
        assert not any(isinstance(c, Dispatcher) for c in called)
    assert problem.plain.plain.fun is problem.plain.fun
    assert problem.plain.args is problem.args


@each_problem
def test_functions_return_new_arrays_and_leave_x_alone(problem):
    x, p = problem.x0, np.ones(problem.n)
    first, second = calls(problem, x, p), calls(problem, x, p)
    for i in (1, 3, 4):
        assert not np.shares_memory(first[i], second[i])
        assert not any(np.shares_memory(first[i], a) for a in (x, p, *problem.args))
    assert_array_equal(x, problem.starts[0])
    assert_array_equal(p, 1)


@pytest.mark.parametrize("n", [2, 3, 8])
@few_examples
@given(data=st.data())
def test_rosenbrock_is_scipys(n, data):
    problem = rosenbrock(n)
    x, p = data.draw(points(problem, 2))
    assert_close(problem.fun(x), rosen(x))
    assert_close(problem.jac(x), rosen_der(x))
    assert_close(problem.hess(x), rosen_hess(x))
    assert_close(problem.hessp(x, p), rosen_hess_prod(x, p))


# ---------------------------------------------------------------------------------- the minima


@each_problem
def test_minima_are_minima(problem):
    for x in problem.minima:
        x = x.copy()
        f, g = problem.fun_and_jac(x, *problem.args)
        hess = problem.hess(x, *problem.args)
        assert_close(f, problem.f_min)
        if problem.bounds is None:
            assert np.max(np.abs(g)) <= 2e-14 * np.max(np.abs(hess)) * (1 + np.max(np.abs(x)))
            assert np.linalg.eigvalsh(hess)[0] > 0
        else:
            projected = x - np.clip(x - g, problem.bounds.lb, problem.bounds.ub)
            assert_array_equal(projected, 0)


@each_problem
@few_examples
@given(data=st.data())
def test_nothing_lies_below_the_minimum(problem, data):
    (x,) = data.draw(points(problem))
    assert problem.fun(x, *problem.args) >= problem.f_min


@each_problem
def test_scipy_finds_the_minima_from_the_starts(problem):
    if problem.bounds is None:
        way = {"method": "trust-exact", "hess": problem.hess, "options": {"gtol": 1e-7}}
        starts = problem.starts
    else:
        way = {"method": "L-BFGS-B", "bounds": problem.bounds}
        starts = problem.starts[:1]
    for start in starts:
        result = minimize(problem.fun_and_jac, start, problem.args, jac=True, **way)
        assert problem.distance(result.x) < 1e-5
        assert result.fun == pytest.approx(problem.f_min, abs=1e-9)


def test_himmelblau_has_its_four_minima_and_no_more():
    problem = himmelblau()
    found = [
        minimize(problem.fun_and_jac, x, jac=True, method="BFGS").x
        for x in np.random.default_rng(0).uniform(-6, 6, (40, 2))
    ]
    assert max(problem.distance(x) for x in found) < 1e-5
    nearest = [np.argmin(np.linalg.norm(x - np.array(problem.minima), axis=1)) for x in found]
    assert set(nearest) == {0, 1, 2, 3}
    # correctly rounded: the next doubles are no nearer to the roots
    for x in problem.minima:
        a, b = x.astype(np.longdouble)
        u, v, det = a * a + b - 11, a + b * b - 7, 4 * a * b - 1
        error = np.abs([(2 * b * u - v) / det, (2 * a * v - u) / det])
        assert np.all(error <= 0.51 * np.spacing(np.abs(x)))


def test_saddle_on_its_ridge_stays_there():
    problem = saddle()
    beside, ridge = problem.starts
    assert beside[1] != 0
    assert problem.jac(ridge.copy())[1] == 0
    assert np.all((problem.bounds.lb < beside) & (beside < problem.bounds.ub))


# ------------------------------------------------------------------------------------ the data


def test_linear_regression_has_the_values_nist_certifies():
    problem = linear_regression()
    assert_allclose(problem.minima[0], [1.00211681802045, -0.262323073774029], rtol=1e-11)
    A, y = problem.args
    assert A.shape == (36, 2)
    sum_of_squares = 2 * len(y) * problem.f_min
    assert sum_of_squares == pytest.approx(26.6173985294224, rel=1e-12)
    assert np.sqrt(sum_of_squares / 34) == pytest.approx(0.884796396144373, rel=1e-12)
    explained = 1 - sum_of_squares / np.sum((y - y.mean()) ** 2)
    assert explained == pytest.approx(0.999993745883712, rel=1e-13)


def test_linear_regression_takes_other_data():
    x = np.arange(6)
    y = x**2
    problem = linear_regression(np.asfortranarray(np.column_stack([x, x**3])), y)
    assert problem.args[0].flags.c_contiguous
    assert_array_equal(problem.args[0][:, -1], 1)
    assert "caller" in problem.source
    line = linear_regression(x[:, None], y.astype(np.longdouble))
    assert_allclose(line.minima[0], np.polyfit(x, y, 1), rtol=1e-12)
    twice = linear_regression(np.column_stack([x, x]), y).minima[0]
    assert_allclose(twice, [line.minima[0][0] / 2] * 2 + [line.minima[0][1]], rtol=1e-12)


def test_logistic_regression_without_penalty_is_the_published_fit():
    """R's glm: intercept 15.0429, temperature -0.2322, residual deviance 20.315."""
    problem = logistic_regression(TEMPERATURE, DISTRESS, l2=0)
    assert_allclose(problem.minima[0], [-0.2322, 15.0429], atol=5e-5)
    assert 2 * 23 * problem.f_min == pytest.approx(20.315, abs=5e-4)


def test_logistic_regression_has_the_standardised_flights():
    problem = logistic_regression()
    A, y, penalty = problem.args
    assert_allclose(A[:, 0], (TEMPERATURE[:, 0] - TEMPERATURE.mean()) / TEMPERATURE.std())
    assert_array_equal(y, np.where(DISTRESS, 1, -1))
    assert_array_equal(penalty, [1e-2, 0])
    assert np.max(np.abs(problem.jac(problem.minima[0].copy(), *problem.args))) < 1e-13


def test_logistic_regression_takes_either_labels():
    zero_one = logistic_regression(FIVE, (LABELS + 1) / 2)
    assert_array_equal(zero_one.minima[0], logistic_regression(FIVE, LABELS).minima[0])


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("size", [30.0, 1e3, 1e100])
def test_logistic_regression_does_not_overflow(size, plain):
    problem = logistic_regression(l2=0)
    problem = problem.plain if plain else problem
    A, y, _ = problem.args
    for w in (np.array([size, 0.0]), np.array([-size, 0.0]), np.array([size, -size])):
        z = y * (A @ w)
        expected = np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))
        f, g = problem.fun_and_jac(w, *problem.args)
        assert_allclose(f, np.mean(expected), rtol=1e-14)
        slope = np.where(z > 0, np.exp(-np.abs(z)), 1) / (1 + np.exp(-np.abs(z)))
        assert_close(g, -A.T @ (y * slope) / len(y), 1e-13)
        hess = problem.hess(w, *problem.args)
        assert np.all(np.isfinite(hess))
        assert np.all(np.diag(hess) >= 0)


def test_logistic_loss_keeps_its_digits_where_it_is_tiny():
    problem = logistic_regression([[-1.0], [1.0]], [0, 1], l2=1.0)
    A, y, _ = problem.args
    f, g = problem.fun_and_jac(np.array([600.0, 0.0]), A, y, np.zeros(2))
    assert f == pytest.approx(np.exp(-600), rel=1e-12)
    assert g[0] == pytest.approx(-np.exp(-600), rel=1e-12)


@pytest.mark.parametrize("y", [[0, 0, 1, 1], [0, 1, 1, 1]])
def test_logistic_regression_needs_a_penalty_for_separable_labels(y):
    X = np.arange(4.0)[:, None]
    with pytest.raises(ValueError, match="l2"):
        logistic_regression(X, y, l2=0)
    assert np.isfinite(logistic_regression(X, y, l2=1e-6).minima[0]).all()


def test_logistic_regression_needs_a_penalty_for_dependent_columns():
    with pytest.raises(ValueError, match="l2"):
        logistic_regression(np.ones((4, 1)), [0, 1, 0, 1], l2=0)


@pytest.mark.parametrize(("n", "condition"), [(1, 1e3), (2, 1.0), (7, 1e3)])
def test_quadratic_has_the_eigenvalues_it_promises(n, condition):
    A, _ = quadratic(n, condition, rng=3).args
    assert_array_equal(A, A.T)
    assert_allclose(np.linalg.eigvalsh(A), np.geomspace(1, condition, n), rtol=1e-11)
    assert n < 3 or np.count_nonzero(np.abs(A) > 1e-3) == n * n  # not diagonal


def test_quadratic_follows_its_rng():
    def c(rng):
        return quadratic(3, rng=rng).args[1]

    assert_array_equal(c(7), c(7))
    assert_array_equal(c(7), c(np.random.default_rng(7)))
    assert not np.array_equal(c(7), c(8))
    assert not np.array_equal(c(None), c(None))
    generator = np.random.default_rng(7)
    assert not np.array_equal(c(generator), c(generator))
    assert not np.array_equal(quadratic().x0, quadratic().minima[0])


# ---------------------------------------------------------------------------------- the record


def test_starts_begin_with_the_classic_ones():
    assert_array_equal(rosenbrock(5).starts, [[-1.2, 1, -1.2, 1, -1.2], [4, -4.1, 4, -4.1, 4]])
    assert_array_equal(beale().x0, [1, 1])
    assert rosenbrock().fun(rosenbrock().x0) == pytest.approx(24.2)


@each_problem
def test_record_cannot_be_changed(problem):
    for a in (*problem.starts, *problem.minima, *problem.args):
        with pytest.raises(ValueError, match="read-only"):
            a[...] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.f_min = 0.0
    x = problem.x0
    x[:] = 99
    assert not np.array_equal(problem.x0, x)


def test_caller_keeps_his_data():
    X, y = FIVE.copy(), LABELS.astype(float)
    A = linear_regression(X, y).args[0]
    X[:] = 0
    assert_array_equal(A[:, :-1], FIVE)
    y[:] = 0  # still writable


@each_problem
def test_record_is_complete(problem):
    shapes = {a.shape for a in (*problem.starts, *problem.minima)}
    assert shapes == {(problem.n,)}
    assert problem.title
    assert "\n" not in problem.title
    assert problem.source
    assert problem.name in repr(problem)
    assert len(repr(problem)) < 120
    assert problem != dataclasses.replace(problem)


def test_distance_is_to_the_nearest_minimum():
    problem = himmelblau()
    assert problem.distance([3, 6]) == 4
    assert problem.distance(problem.minima[2]) == 0
    unbounded = dataclasses.replace(saddle(), minima=(), f_min=-np.inf, bounds=None)
    assert np.isnan(unbounded.distance([0, 0]))


def test_problems_lists_every_factory():
    assert list(PROBLEMS) == list(TEXTBOOK)
    for name, factory in PROBLEMS.items():
        assert factory().name == name == factory.__name__


# ------------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("error", "name", "call"),
    [
        (ValueError, "n", lambda: rosenbrock(2.5)),
        (TypeError, "n", lambda: rosenbrock("2")),
        (ValueError, "n", lambda: rosenbrock(1)),
        (ValueError, "n", lambda: quadratic(2.5)),
        (ValueError, "n", lambda: quadratic(0)),
        (ValueError, "condition", lambda: quadratic(condition=0.5)),
        (ValueError, "condition", lambda: quadratic(condition=np.inf)),
        (ValueError, "condition", lambda: quadratic(condition=np.nan)),
        (TypeError, "condition", lambda: quadratic(condition="10")),
        (ValueError, "X` and `y", lambda: linear_regression(FIVE)),
        (ValueError, "X` and `y", lambda: logistic_regression(y=LABELS)),
        (ValueError, "X", lambda: linear_regression(LABELS, LABELS)),
        (ValueError, "X", lambda: linear_regression(np.empty((0, 2)), [])),
        (ValueError, "X", lambda: linear_regression([[np.inf]], [1])),
        (TypeError, "X", lambda: linear_regression([["a"]], [1])),
        (TypeError, "X", lambda: linear_regression([[1j]], [1])),
        (ValueError, "y", lambda: linear_regression(FIVE, LABELS[1:])),
        (ValueError, "y", lambda: linear_regression(FIVE, LABELS[:, None])),
        (ValueError, "y", lambda: linear_regression([[1]], [np.nan])),
        (ValueError, "y", lambda: logistic_regression(FIVE, LABELS * 2)),
        (ValueError, "y", lambda: logistic_regression(FIVE, np.ones(40))),
        (ValueError, "y", lambda: logistic_regression(FIVE, np.arange(40) % 3 - 1)),
        (ValueError, "l2", lambda: logistic_regression(l2=-1)),
        (ValueError, "l2", lambda: logistic_regression(l2=np.nan)),
        (TypeError, "l2", lambda: logistic_regression(l2=None)),
    ],
)
def test_bad_arguments_are_named(error, name, call):
    with pytest.raises(error, match=f"^`{name}` must"):
        call()


def test_numbers_of_numpy_are_numbers():
    assert rosenbrock(np.int64(3)).n == 3
    assert quadratic(np.int32(2), np.float32(4)).n == 2
