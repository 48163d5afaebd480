"""Bad input: a clear error that names the argument, before any work is done."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, OptimizeWarning, minimize

from scipy_gd import METHODS, adam, gd, lbfgs, momentum, newton, random_search, start
from scipy_gd._options import MEANT
from scipy_gd.arguments import limits, starting_point

X0 = [1.0, 2.0]
MISMATCH = "The number of bounds is not compatible with the length of `x0`."
CROSSING = "An upper bound is less than the corresponding lower bound."


def fun(x):
    return float(np.sum(np.square(x)))


def never(x):
    raise AssertionError("the function was called before the input was checked")


BAD_ARGUMENTS = [
    ({"fun": None}, TypeError, "`fun` must be callable"),
    ({"fun": 3.0}, TypeError, "`fun` must be callable"),
    ({"x0": []}, ValueError, "`x0` must not be empty"),
    ({"x0": [[1.0, 2.0]]}, ValueError, "`x0` must be one-dimensional"),
    ({"x0": [np.nan, 1]}, ValueError, "`x0` must be finite"),
    ({"x0": [np.inf, 1]}, ValueError, "`x0` must be finite"),
    ({"x0": [1j, 1]}, TypeError, "`x0` must be real numbers"),
    ({"x0": "ab"}, TypeError, "`x0` must be real numbers"),
    ({"x0": [None, 1.0]}, TypeError, "`x0` must be real numbers"),
    ({"x0": ["a", 1.0]}, TypeError, "`x0` must be real numbers"),
    ({"x0": np.array(["1", 1.0], object)}, TypeError, "`x0` must be real numbers"),
    ({"x0": np.array([1 + 0j, np.complex128(1)], object)}, TypeError, "`x0` must be real"),
    ({"x0": np.array([10**400, 1], object)}, TypeError, "`x0` must be real numbers"),
    ({"jac": 3}, ValueError, "`jac` must be callable"),
    ({"jac": "4-point"}, ValueError, "`jac` must be callable"),
    ({"callback": 3}, TypeError, "`callback` must be callable"),
    ({"bounds": [(0, 1)]}, ValueError, MISMATCH),
    ({"bounds": []}, ValueError, MISMATCH),
    ({"bounds": Bounds([0, 0, 0], 1)}, ValueError, MISMATCH),
    ({"bounds": [(0, 1), (3, 2)]}, ValueError, CROSSING),
    ({"bounds": Bounds(2, 1)}, ValueError, CROSSING),
    ({"bounds": [(0, np.nan), (0, 1)]}, ValueError, "`bounds` must not contain NaN"),
    ({"bounds": [(np.inf, np.inf), (0, 1)]}, ValueError, "`bounds` must leave room"),
    ({"bounds": 3}, TypeError, "`bounds` must be"),
    ({"bounds": [1, 2]}, TypeError, "`bounds` must be"),
    ({"bounds": [("a", 1), (0, 1)]}, ValueError, "bounds"),
    ({"constraints": 3}, TypeError, "`constraints` must be a LinearConstraint, a NonlinearC"),
    ({"constraints": {"type": "le", "fun": fun}}, ValueError, "`constraints`: 'type' must be 'eq'"),
    ({"learning_rate": 0}, ValueError, "`learning_rate` must be above 0"),
    ({"learning_rate": -1e-3}, ValueError, "`learning_rate` must be above 0"),
    ({"learning_rate": np.nan}, ValueError, "`learning_rate` must be above 0"),
    (
        {"learning_rate": "fast"},
        ValueError,
        "`learning_rate` must be one of 'auto', ",
    ),
    (
        {"learning_rate": [0.1, 0.2, 0.3]},
        ValueError,
        "`learning_rate` must be a number or an array",
    ),
    ({"learning_rate": [0.1, -0.2]}, ValueError, "`learning_rate` must be at least 0"),
    ({"learning_rate": [0.1, np.nan]}, ValueError, "`learning_rate` must be at least 0"),
    ({"learning_rate": [[0.1, 0.1]]}, ValueError, "`learning_rate` must be a number or an array"),
    ({"learning_rate": True}, TypeError, "`learning_rate` must be a number"),
    ({"learning_rate": {}}, TypeError, "`learning_rate` must be a number"),
    ({"learning_rate": lambda t: np.nan}, ValueError, "`learning_rate` .* at step 1"),
    ({"learning_rate": lambda t: -1.0}, ValueError, "`learning_rate` .* at step 1"),
    ({"learning_rate": lambda t: "armijo"}, TypeError, "`learning_rate` .* at step 1"),
    ({"learning_rate": lambda t: np.ones(5)}, ValueError, "`learning_rate` .* at step 1"),
    ({"beta1": 1.0}, ValueError, "`beta1` must be at least 0 and below 1"),
    ({"beta1": -0.1}, ValueError, "`beta1` must be at least 0 and below 1"),
    ({"beta2": np.nan}, ValueError, "`beta2` must be at least 0 and below 1"),
    ({"beta2": "0.9x"}, TypeError, "`beta2` must be a number"),
    ({"beta1": [0.9]}, ValueError, "`beta1` must be a number or an array with one"),
    ({"eps": -1e-8}, ValueError, "`eps` must be at least 0"),
    ({"eps": np.inf}, ValueError, "`eps` must be at least 0"),
    ({"weight_decay": -1}, ValueError, "`weight_decay` must be at least 0"),
    ({"maxiter": -1}, ValueError, "`maxiter` must be a whole number, at least 0"),
    ({"maxiter": -0.5}, ValueError, "`maxiter` must be a whole number, at least 0"),
    ({"batch_size": 1.5}, ValueError, "`batch_size` must be a whole number"),
    ({"maxiter": "100"}, TypeError, "`maxiter` must be a whole number"),
    ({"maxiter": np.nan}, ValueError, "`maxiter` must be a whole number"),
    ({"maxfev": 0}, ValueError, "`maxfev` must be a whole number, at least 1"),
    ({"maxfev": 0.9}, ValueError, "`maxfev` must be a whole number, at least 1"),
    ({"maxtime": -1}, ValueError, "`maxtime` must be at least 0"),
    ({"maxtime": "1"}, TypeError, "`maxtime` must be a number"),
    ({"gtol": -1e-5}, ValueError, "`gtol` must be at least 0"),
    ({"gtol": np.nan}, ValueError, "`gtol` must be at least 0"),
    ({"gtol": [1e-5, 1e-5]}, TypeError, "`gtol` must be a number"),
    ({"ftol": -1}, ValueError, "`ftol` must be at least 0"),
    ({"xtol": "x"}, TypeError, "`xtol` must be a number"),
    ({"tol": -1}, ValueError, "`tol` must be at least 0"),
    ({"target": "low"}, TypeError, "`target` must be a number"),
    ({"target": np.nan}, ValueError, "`target` must be a finite number"),
    ({"rng": "seed"}, TypeError, "`rng` must be None, a seed"),
    ({"rng": -1}, ValueError, "`rng` must be None, a seed"),
    ({"disp": "yes"}, TypeError, "`disp` must be True or False"),
    ({"return_all": "yes"}, TypeError, "`return_all` must be True or False"),
    ({"finite_diff_scheme": "4-point"}, ValueError, "`finite_diff_scheme` must be one of"),
    ({"finite_diff_rel_step": -1e-8}, ValueError, "`finite_diff_rel_step` must be above 0"),
    ({"finite_diff_rel_step": [1e-8]}, ValueError, "`finite_diff_rel_step` must be a number"),
    ({"workers": 0}, ValueError, "`workers` must be a positive int"),
    ({"workers": 1.5}, TypeError, "`workers` must be an int or a map-like"),
    ({"compiled": "yes"}, ValueError, "`compiled` must be one of None, True, False"),
]


def cases(table):
    return [pytest.param(*row, id=f"{k} {next(iter(row[0]))}") for k, row in enumerate(table)]


@pytest.mark.parametrize(("bad", "error", "message"), cases(BAD_ARGUMENTS))
def test_bad_argument(bad, error, message):
    with pytest.raises(error, match=re.escape(message).replace(r"\.\*", ".*")):
        adam(**({"fun": never, "x0": X0} | bad))


BAD_FUNCTIONS = [
    ({"fun": lambda x: None}, TypeError, "`fun` must return a scalar value"),
    ({"fun": lambda x: x}, ValueError, "`fun` must return a scalar value, got shape (2,)"),
    ({"fun": lambda x: 1j}, TypeError, "`fun` must return a scalar value"),
    ({"fun": lambda x: "1"}, TypeError, "`fun` must return a scalar value"),
    ({"fun": lambda x: []}, ValueError, "`fun` must return a scalar value"),
    ({"fun": lambda x: [1.0, [2.0]]}, TypeError, "`fun` must return a scalar value"),
    ({"fun": lambda x: (fun(x), 2 * x)}, TypeError, "pass `jac=True`"),
    ({"fun": lambda x: (fun(x), 2.0)}, ValueError, "pass `jac=True`"),
    ({"fun": lambda x: (fun(x), x), "jac": lambda x: x}, TypeError, "pass `jac=True`"),
    ({"fun": lambda x: np.array([None])}, TypeError, "`fun` must return a scalar value"),
    ({"jac": lambda x: np.array([1j, 1], object)}, TypeError, "`jac` must return 2 real"),
    ({"fun": lambda: 1.0}, TypeError, "positional argument"),
    ({"jac": lambda x: None}, TypeError, "`jac` must return 2 real numbers"),
    ({"jac": lambda x: x[:1]}, ValueError, "`jac` must return an array of shape (2,)"),
    ({"jac": lambda x: 1.0}, ValueError, "`jac` must return an array of shape (2,)"),
    ({"jac": lambda x: np.eye(2)}, ValueError, "`jac` must return an array of shape (2,)"),
    ({"jac": lambda x: x * 1j}, TypeError, "`jac` must return 2 real numbers"),
    ({"jac": lambda x: ["a", "b"]}, TypeError, "`jac` must return 2 real numbers"),
    ({"jac": True}, TypeError, "`fun` must return (value, gradient) when `jac` is True"),
    (
        {"fun": lambda x: (1.0, 2.0, 3.0), "jac": True},
        TypeError,
        "`fun` must return (value, gradient) when `jac` is True",
    ),
    ({"fun": lambda x: (None, x), "jac": True}, TypeError, "`fun` must return a scalar value"),
    ({"fun": lambda x: (1.0, x[:1]), "jac": True}, ValueError, "`jac` must return an array"),
    (
        {"fun": lambda x: abs(x[0]), "jac": "cs"},
        TypeError,
        "`fun` must return a complex number for a complex x",
    ),
]


@pytest.mark.parametrize(("bad", "error", "message"), cases(BAD_FUNCTIONS))
def test_functions_that_return_nonsense(bad, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        adam(**({"fun": fun, "x0": X0} | bad))
    assert caught.value.optimize_result.x.tolist() == X0
    assert not caught.value.optimize_result.success


class Extended:
    """A number as SymPy's and mpmath's are: what it is as a float is all that is known of it."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return float(self.value)


@pytest.mark.parametrize("kind", [Fraction, Decimal, float, int, np.float32, Extended])
@pytest.mark.parametrize("each", [adam, lbfgs, newton], ids=lambda m: m.__name__)
def test_numbers_of_any_kind_are_taken(kind, each):
    """As x0, value, gradient, Hessian and bounds, alone or in arrays of objects."""

    def objects(values):
        given = np.empty(np.shape(values), object)
        given.flat = [kind(value) for value in np.ravel(values)]
        return given

    def run(number, array, value):
        curvature = {"hess": lambda x: array(2 * np.eye(2))} if each is newton else {}
        return minimize(
            lambda x: value(float(round(fun(x)))),
            array([1.0, 2.0]),
            jac=lambda x: array(np.round(2 * x)),
            bounds=[(number(-5.0), number(5.0)), (None, number(7.0))],
            method=each,
            options={"maxiter": 3},
            **curvature,
        )

    usual = run(float, np.array, float).x.tolist()
    assert run(kind, objects, kind).x.tolist() == usual
    assert run(kind, objects, lambda f: objects([f])).x.tolist() == usual


@pytest.mark.parametrize("most", [20, 20.0, 20.1, 20.9, np.float32(20.5)])
def test_budgets_are_rounded_down(most):
    res = gd(fun, X0, jac=lambda x: 2 * x, maxiter=most, learning_rate=1e-3)
    assert res.nit == 20
    assert gd(fun, X0, jac=lambda x: 2 * x, maxfev=most, learning_rate=1e-3).nfev == 20


MISSPELT = [
    (adam, "lr", "`learning_rate`"),
    (gd, "learning_rte", "`learning_rate`"),
    (gd, "Learning_Rate", "`learning_rate`"),
    (adam, "step_size", "`learning_rate`"),
    (adam, "b1", "`beta1`"),
    (adam, "betas", "`beta1` or `beta2`"),
    (adam, "epsilon", "`eps`"),
    (adam, "wd", "`weight_decay`"),
    (lbfgs, "m", "`maxcor`"),
    (lbfgs, "maxfun", "`maxfev`"),
    (lbfgs, "max_iter", "`maxiter`"),
    (gd, "gtoll", "`gtol`"),
    (gd, "seed", "`rng`"),
]


@pytest.mark.parametrize(("each", "name", "meant"), MISSPELT)
def test_what_an_unknown_option_may_mean_is_said(each, name, meant):
    with pytest.warns(OptimizeWarning, match=re.escape(f"{name} (did you mean {meant}")):
        each(fun, X0, **{name: 1})
    with pytest.raises(ValueError, match=re.escape(f"{name} (did you mean {meant}")):
        start(each, X0, **{name: 1})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("momentum", "gd has none"),
        ("maxcor", "gd has none"),
        ("amsgrad", "use the method `amsgrad`"),
        ("scheduler", "give `learning_rate` a schedule"),
    ],
)
def test_what_a_method_has_not_is_said(name, said):
    warning = f"Unknown solver options: {name} ({said})"
    with pytest.warns(OptimizeWarning, match=f"^{re.escape(warning)}$"):
        gd(fun, X0, **{name: 0.9})


def test_no_more_is_said_than_is_known():
    with pytest.warns(OptimizeWarning, match="^Unknown solver options: nonsense$"):
        gd(fun, X0, nonsense=0.9)


def test_every_name_that_may_be_meant_is_an_option():
    every = {name for method in METHODS.values() for name in method.options}
    assert set(MEANT) <= every


@pytest.mark.parametrize("given", [(), (fun,)])
def test_a_method_that_is_called_like_a_class_says_how_presets_are_made(method, given):
    name = method.__name__
    with pytest.raises(TypeError, match=rf"functools.partial\({name}, learning_rate=0.1\)"):
        method(*given, learning_rate=0.1)


def test_numpy_scalars_and_one_element_arrays_are_values():
    for wrap in (np.float64, np.float32, np.array, int, lambda f: np.array([[f]]), lambda f: [f]):
        res = gd(lambda x, wrap=wrap: wrap(round(fun(x))), X0, jac=lambda x: 2 * x, maxiter=3)
        assert type(res.fun) is float


def test_other_methods_name_their_own_options():
    with pytest.raises(ValueError, match="`momentum` must be at least 0 and below 1"):
        momentum(never, X0, momentum=1.0)
    with pytest.raises(ValueError, match="`dampening` must be at least 0 and below 1"):
        momentum(never, X0, dampening=1.5)
    with pytest.raises(
        ValueError, match="`learning_rate` must be a number or 'auto' for <method random_s"
    ):
        random_search(never, X0, learning_rate="armijo")


def test_a_schedule_that_breaks_later_is_named_with_its_step():
    with pytest.raises(
        ValueError, match=r"`learning_rate` must be at least 0.*at step 5"
    ) as caught:
        gd(fun, X0, jac=lambda x: 2 * x, learning_rate=lambda t: 0.1 if t < 5 else np.nan)
    assert caught.value.optimize_result.nit == 3
    assert caught.value.optimize_result.fun < fun(np.array(X0))


def test_none_means_the_default():
    plain = gd(fun, X0, jac=lambda x: 2 * x)
    given = gd(fun, X0, jac=lambda x: 2 * x, learning_rate=None, maxiter=None, gtol=None, tol=None)
    assert given.x.tolist() == plain.x.tolist()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_starting_points_are_fresh_vectors(x):
    given_x = np.array(x)
    start = starting_point(given_x)
    assert start.tolist() == x
    assert not np.shares_memory(start, given_x)


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(-1e9, 0, allow_nan=False),
            st.none() | st.floats(0, 1e9, allow_nan=False),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_all_forms_of_bounds_mean_the_same(pairs):
    n = len(pairs)
    low = [-np.inf if a is None else a for a, _ in pairs]
    high = [np.inf if b is None else b for _, b in pairs]
    expected = None if all(p == (None, None) for p in pairs) else (low, high)
    for form in (pairs, np.column_stack([low, high]), Bounds(low, high), iter(pairs)):
        box = limits(form, n)
        assert box == expected if expected is None else [b.tolist() for b in box] == [low, high]
