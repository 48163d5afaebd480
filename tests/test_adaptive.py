"""Runs without a gradient: what is asked, what is found out, and what is claimed in the end."""

import functools
import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.optimize import minimize, rosen, rosen_der

import scipy_gd
from scipy_gd import METHODS, adam, cg_descent, gd, lbfgs, newton, spg
from scipy_gd._core.addresses import from_python
from scipy_gd._core.bits import ACCEPT, ANEW, GRADIENT, POINTS, RETRY, VALUE
from scipy_gd._core.state import named
from scipy_gd._evaluate.noise import EPS
from scipy_gd._options import settings as settled
from scipy_gd._run.layout import lay_out

DIRECT = [lbfgs, cg_descent, newton, gd, adam, spg, METHODS["adgd"], METHODS["rprop"]]
START = np.array([-1.2, 1.0])


def run(fun, x0, method=lbfgs, bounds=None, **options):
    with np.errstate(all="ignore"):
        return minimize(fun, x0, method=method, bounds=bounds, options=options)


def at(fun, x0, **options):
    """The gradient at the start."""
    return run(fun, x0, maxiter=0, **options)


class Seen:
    """A function that remembers where it was called, and what it said."""

    def __init__(self, fun):
        self.fun, self.points, self.values = fun, [], []

    def __call__(self, x):
        self.points.append(x.copy())
        self.values.append(float(self.fun(x)))
        return self.values[-1]


def float32(fun):
    return lambda x: float(np.float32(fun(x)))


def float16(fun):
    return lambda x: float(np.float16(fun(x)))


def six_digits(fun):
    return lambda x: float(f"{fun(x):.5e}")


def relative(size):
    def rough(fun):
        return lambda x: fun(x) * (1 + size * np.sin(1e9 * np.sum(np.cos(1e4 * np.asarray(x)))))

    return rough


def absolute(size):
    def rough(fun):
        return lambda x: fun(x) + size * np.sin(1e9 * np.sum(np.cos(1e4 * np.asarray(x))))

    return rough


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


KINDS = {
    "float32": (float32, lambda f: 2**-25 * f),
    "float16": (float16, lambda f: 2**-12 * f),
    "six digits": (six_digits, lambda f: 2e-6 * f),
    **{f"relative {e:.0e}": (relative(e), lambda f, e=e: 0.7 * e * f) for e in (1e-3, 1e-6, 1e-9)},
    **{f"absolute {e:.0e}": (absolute(e), lambda f, e=e: 0.7 * e) for e in (1e-3, 1e-6, 1e-9)},
}
"""What makes a function noisy, and how large its errors are."""


# --- exact functions are taken for exact


EXACT = {
    "a plane": lambda x: np.arange(1, x.size + 1) @ x,
    "a sum": np.sum,
    "a paraboloid": lambda x: x @ x,
    "a shifted one": lambda x: 1 + 0.5 * np.sum(x) + 0.25 * (x @ x),
    "a cubic": lambda x: np.sum(x**3) + x[0] * x[-1],
    "an exponential": lambda x: np.exp(x.sum() / 999),
    "one component": lambda x: x[0] ** 2,
    "distances": lambda x: np.sum(np.abs(x)),
    "a large offset": lambda x: 1e4 + x @ x,
    "a large factor": lambda x: 2.0**20 * (x @ x),
}
PLACES = {
    "ones": np.ones,
    "whole": lambda n: np.arange(1.0, n + 1),
    "halves": lambda n: np.full(n, 0.5),
    "dyadic": lambda n: 2.0 ** (3 - np.arange(n) % 5),
    "tenths": lambda n: np.full(n, 0.3),
    "large": lambda n: np.full(n, 1e3),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("place", PLACES)
def test_short_numbers_of_exact_functions_are_not_taken_for_rounded_ones(name, place):
    """One value, one for each component, and one to see that there is no noise."""
    for n in range(1, 21):
        x0 = PLACES[place](n)
        for bounds in (None, [(0, 2**20)] * n):
            res = at(EXACT[name], x0, bounds=bounds)
            assert res.nfev == n + 2, n
            assert res.noise == 2 * EPS * abs(res.fun), n


def test_no_problem_of_more_and_wild_is_taken_for_noisy():
    pytest.importorskip("optimagic")
    from bench import _problems as problems

    for problem in problems.more_wild():
        res = at(problem.fun, problem.x0)
        assert res.nfev == problem.x0.size + 2, problem
        assert res.noise == 2 * EPS * abs(res.fun), problem


@pytest.mark.parametrize("n", [2, 5, 10])
def test_runs_on_exact_functions_stay_exact(n):
    for method in (lbfgs, cg_descent):
        res = run(rosen, np.linspace(-1, 2, n), method)
        assert res.success and res.status == 0
        assert res.noise <= 1e-13 * abs(res.fun)
        assert abs(rosen_der(res.x)).max() < 2e-5


@pytest.mark.parametrize(
    ("x0", "most"), [([-1.2, 1.0], 200), ([1.3, 0.7, 0.8, 1.9, 1.2], 400), ([1.5, 8.0], 200)]
)
def test_lbfgs_does_not_go_on_in_the_rounding_errors_of_differences(x0, most):
    res = run(rosen, x0)
    assert res.success
    assert res.nfev < most


# --- noise is found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 10])
@pytest.mark.parametrize("solver", [lbfgs, adam], ids=["lbfgs", "adam"])
def test_noise_is_found_at_the_start_within_a_factor_of_ten(kind, n, solver):
    """Also in few dimensions, where few values are all the same."""
    rough, size = KINDS[kind]
    rng, found = np.random.default_rng(n), []
    for _ in range(20):
        center, x0 = rng.normal(size=(2, n))
        fun = rough(lambda x, c=center: 3.0 + (x - c) @ (x - c) / n + np.mean(np.sin(x)))
        res = at(fun, x0, method=solver)
        found.append(size(res.fun) / 10 < res.noise < 10 * size(res.fun))
    # small noise may by chance look like a value that was promised
    assert sum(found) >= (12 if kind.endswith("e-09") else 17)


@pytest.mark.parametrize("held", [0, 1, 4])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("kind", ["float32", "six digits", "relative 1e-06"])
def test_noise_is_found_where_one_parameter_can_move_and_only_to_one_side(held, side, kind):
    """The value that looks for noise must not be one that is known."""
    rough, size = KINDS[kind]
    x0 = np.linspace(0.3, 1, held + 1)
    bounds = np.column_stack([x0, x0])
    bounds[0, side] += 10 * (2 * side - 1)
    res = at(rough(lambda x: 3 + x @ x), x0, bounds=bounds)
    assert size(res.fun) / 10 < res.noise < 10 * size(res.fun)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("height", [1e-6, 1.0, 1e6])
def test_noise_is_found_in_any_units(unit, height):
    fun = relative(1e-5)(lambda x: height * (5 + rosen(np.asarray(x) / unit)))
    res = at(fun, unit * START)
    assert 1e-6 < res.noise / abs(res.fun) < 1e-4


@pytest.mark.parametrize("solver", DIRECT, ids=lambda m: m.__name__)
def test_noise_that_is_told_is_believed_and_costs_nothing(solver):
    fun = relative(1e-4)(lambda x: 5 + rosen(x))
    found, told, denied = (
        at(fun, START, method=solver, noise=noise) for noise in ("auto", 2e-3, 0)
    )
    assert told.noise == 2e-3
    assert denied.noise <= 2 * EPS * denied.fun
    assert denied.nfev == (5 if solver is newton else 3) + (solver is newton)
    assert 1e-5 < found.noise / found.fun < 1e-3
    assert found.nfev > told.nfev
    exact = at(lambda x: 5 + rosen(x), START, method=solver, noise=1e-3)
    assert exact.noise == 1e-3
    assert exact.jac_error.max() > 1e-3
    np.testing.assert_allclose(exact.jac, rosen_der(START), atol=1)


@pytest.mark.parametrize("noise", [-1.0, math.nan, "none", [1.0]])
def test_bad_noise_is_named(noise):
    with pytest.raises((TypeError, ValueError), match="`noise` must be"):
        at(rosen, START, noise=noise)


# --- the errors of the gradient


def curved(seed, n, unit):
    """A smooth function with its gradient, and a point, in some unit."""
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(n + 1, n)), rng.normal(size=n + 1)

    def fun(x):
        return 2.0 + float(np.sum(np.sqrt(1 + (A @ (x / unit) - b) ** 2)))

    def jac(x):
        r = A @ (x / unit) - b
        return A.T @ (r / np.sqrt(1 + r * r)) / unit

    return fun, jac, unit * rng.normal(size=n)


@settings(max_examples=120)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 8),
    # less noise may be missed, more hides third derivatives
    kind=st.sampled_from([None, "float32", "six digits", "relative 1e-06", "absolute 1e-06"]),
    unit=st.sampled_from([1.0, 100.0]),  # in smaller ones there are third derivatives
    near=st.sampled_from([None, 0.0, 1e-12, 1e-5]),
    held=st.booleans(),
)
def test_the_gradient_is_within_a_few_of_its_errors(seed, n, kind, unit, near, held):
    """Of exact, rounded and noisy functions, with bounds next to x, and held components."""
    smooth, jac, x0 = curved(seed, n, unit)
    fun = smooth if kind is None else KINDS[kind][0](smooth)
    bounds = None
    if near is not None:
        room = np.random.default_rng(seed).permutation([near, 10 * unit] * n)[: 2 * n]
        bounds = np.column_stack([x0 - room[:n], x0 + room[n:]])
        if held:
            bounds[0] = x0[0]
    seen = Seen(fun)
    # the curvatures of an exact function are known from the second gradient on
    res = run(seen, x0, bounds=bounds, maxiter=0 if kind else 1)
    if bounds is not None:
        points = np.array(seen.points)
        assert (points >= bounds[:, 0]).all()
        assert (points <= bounds[:, 1]).all()
    fixed = np.zeros(n, bool) if bounds is None else bounds[:, 0] == bounds[:, 1]
    assert not res.jac[fixed].any()
    assert not res.jac_error[fixed].any()
    if np.isnan(res.jac).all():  # a trial that was not kept is lower
        assert res.fun < smooth(x0)
        return
    off = abs(res.jac - jac(res.x))[~fixed]
    assert (off <= 15 * res.jac_error[~fixed] + 1e-9 / unit).all()


@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_the_gradient_are_not_too_large_either(kind):
    rough, _ = KINDS[kind]
    off, errors = [], []
    for seed in range(30):
        smooth, jac, x0 = curved(seed, 4, 1.0)
        res = at(rough(smooth), x0)
        off += abs(res.jac - jac(x0)).tolist()
        errors += res.jac_error.tolist()
    assert np.median(errors) < 30 * np.median(off)
    assert np.mean(np.array(off) < 4 * np.array(errors)) > 0.85


# --- holes


HOLES = {"nan": np.nan, "inf": np.inf, "-nan": -np.nan}


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("kind", [None, "float32", "relative 1e-06"])
def test_a_side_without_values_is_avoided(hole, side, kind):
    """A wall at x[0], and one a little further off."""
    for distance in (0.0, 3e-7):
        smooth, jac, x0 = curved(3, 3, 1.0)
        wall = x0[0] + side * distance

        f = smooth if kind is None else KINDS[kind][0](smooth)

        def fun(x, wall=wall, f=f):
            return HOLES[hole] if side * (x[0] - wall) > 0 else f(x)

        res = at(fun, x0)
        assert np.isfinite(res.jac).all()
        slack = 1e-6 if kind is None else 10 * res.jac_error.max() + 1e-6
        np.testing.assert_allclose(res.jac, jac(x0), atol=slack)


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("solver", DIRECT, ids=lambda m: m.__name__)
def test_a_component_without_any_value_is_never_taken_for_zero(hole, solver):
    """f is at its minimum in the other one, or gets there."""

    def fun(x):
        return 1 + (x[0] - 3) ** 2 if x[1] == 2 else HOLES[hole]

    for x0 in ([3.0, 2.0], [1.0, 2.0]):
        res = run(fun, x0, solver, maxfev=2000)
        assert not res.success
        assert res.fun <= fun(np.array(x0))
        assert res.x[1] == 2
    alone = run(lambda x: 1.0 if (x == 2).all() else HOLES[hole], [2.0, 2.0], solver, maxfev=2000)
    assert not alone.success
    assert alone.x.tolist() == [2, 2]
    assert (alone.jac_error == np.inf).all()


@pytest.mark.parametrize("solver", DIRECT, ids=lambda m: m.__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_start_without_a_value_is_returned_as_it_is(solver, value):
    res = run(lambda x: value, [1.0, 2.0], solver)
    assert (res.success, res.status) == (False, 3)
    assert "x0 = [1.0, 2.0]" in res.message
    assert res.x.tolist() == [1, 2]
    np.testing.assert_equal(res.fun, value)


@pytest.mark.parametrize("solver", [lbfgs, cg_descent, newton, spg], ids=lambda m: m.__name__)
def test_runs_get_along_a_wall(solver):
    fun = lambda x: x[0] - np.log(x[0]) + (x[1] - x[0]) ** 2 if x[0] > 0 else np.nan  # noqa: E731
    res = run(fun, [1e-6, 3.0], solver)
    assert res.success
    np.testing.assert_allclose(res.x, 1, atol=1e-4)


# --- the same to the bit


@njit
def rough(x, size, edge):
    """Rosenbrock's function with a ripple, undefined beyond an edge."""
    f = 0.0
    for i in range(x.size - 1):
        f += 100.0 * (x[i + 1] - x[i] * x[i]) ** 2 + (1.0 - x[i]) ** 2
    if x[0] + x[1] > edge:
        return np.nan
    return f * (1.0 + size * np.sin(1e9 * np.sum(np.cos(1e4 * x))))


FIELDS = ("x", "fun", "jac", "nit", "nfev", "njev", "status", "message", "noise", "jac_error")
CASES = {"exact": (0.0, 1e9), "noisy": (1e-6, 1e9), "holes": (0.0, 2.5), "both": (1e-4, 2.5)}


def same(one, other, *but):
    for field in (*FIELDS, "x_error"):
        if field not in but:
            np.testing.assert_equal(one.get(field), other.get(field), field)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("solver", [lbfgs, newton], ids=["lbfgs", "newton"])
def test_compiled_runs_are_the_interpreted_ones(solver, case):
    x0 = np.array([-1.2, 1.0, 0.8])
    for bounds in (None, [(-2, 0.9), (0.5, 0.5), (None, None)]):
        for budget in (10**6, 61):
            interpreted, compiled = (
                minimize(
                    rough,
                    x0,
                    args=CASES[case],
                    method=solver,
                    bounds=bounds,
                    options={"compiled": each, "maxfev": budget, "maxiter": 300},
                )
                for each in (False, True)
            )
            same(interpreted, compiled)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("solver", [lbfgs, newton, adam], ids=lambda m: m.__name__)
def test_values_side_by_side_are_those_one_by_one(solver, case):
    asked = []

    def workers(fun, points):
        asked.append(len(points))
        return [fun(x) for x in points]

    fun = lambda x: rough(x, *CASES[case])  # noqa: E731
    options = {"maxiter": 25, "maxfev": 400}
    alone = run(fun, [-1.2, 1.0, 0.8], solver, **options)
    same(alone, run(fun, [-1.2, 1.0, 0.8], solver, workers=workers, **options))
    assert max(asked) >= 3  # all components in one round


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("solver", [lbfgs, newton, adam], ids=lambda m: m.__name__)
def test_a_run_can_be_stopped_after_every_value_and_goes_on_as_if_it_had_not(solver, case):
    fun = lambda x: rough(x, *CASES[case])  # noqa: E731
    most = {"maxiter": 12}
    whole = run(fun, [-1.2, 1.0, 0.8], solver, **most)
    for budget in [*range(1, min(60, whole.nfev)), *range(60, whole.nfev, 13)]:
        half = run(fun, [-1.2, 1.0, 0.8], solver, maxfev=budget, **most)
        assert half.nfev <= budget
        state = pickle.loads(pickle.dumps(half.state))
        left = {"maxiter": 12 - half.nit}
        res = run(fun, [9.0, 9.0, 9.0], solver, resume=state, **left)
        same(res, whole, "nfev", "njev")
        assert whole.nfev <= res.nfev <= whole.nfev + 60  # of a dialogue that began anew


def test_ask_and_tell_measure_gradients_too():
    try:
        steps = scipy_gd.start(lbfgs, START, jac="adaptive")
    except (ValueError, TypeError):
        pytest.skip("ask and tell have no such gradients")
    fun = relative(1e-6)(lambda x: 1 + rosen(x))
    while not steps.done:
        points = np.atleast_2d(steps.ask())
        steps.tell([fun(x) for x in points] if len(points) > 1 else fun(points[0]))
    same(steps.result(), run(fun, START))


# --- endings


def misclassified(x):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    labels = np.sign(X @ [1.0, 2.0] + 0.3 * rng.normal(size=100))
    return np.sum(np.sign(X @ x) != labels)


NO_MINIMUM = {
    "misclassified rows": (misclassified, [1.0, 0.0]),
    "steps": (lambda x: math.floor(x[0]) + 0.0, [1.5]),
    "a constant": (lambda x: 3.0, [1.0, 2.0, 3.0]),
    "zero": (lambda x: 0.0, [1.0, 2.0]),
    "a constant in float32": (lambda x: np.float32(0.1), [1.0]),
    "float32 square": (lambda x: np.float32(x[0]) * np.float32(x[0]), [1.0]),
    "float32 Himmelblau": (lambda x: himmelblau(np.asarray(x, np.float32)), [1.0, 1.0]),
    "float16 square": (lambda x: np.float16(x[0]) * np.float16(x[0]), [1.0]),
    "rounded to cents": (lambda x: round(float(rosen(x)), 2), START),
}


@pytest.mark.parametrize("name", NO_MINIMUM)
@pytest.mark.parametrize("solver", DIRECT, ids=lambda m: m.__name__)
def test_a_function_that_shows_no_slope_is_not_at_its_minimum(name, solver):
    """All differences are 0 at the start, which is none."""
    fun, x0 = NO_MINIMUM[name]
    res = run(fun, x0, solver, maxfev=1500)
    assert not (res.success and res.x.tolist() == list(x0))
    if "const" in name or name == "zero":
        assert (res.success, res.status) == (False, 2)
    if name == "float32 Himmelblau" and res.success:
        assert res.fun < 1e-4
    if name == "float32 square":
        assert res.success
        assert abs(res.x[0]) < 1e-3


def test_parameters_that_nothing_depends_on_are_no_obstacle():
    for method in DIRECT:
        res = run(lambda x: 1 + (x[1] - 3) ** 2, [1.0, 1.0, 1.0], method, maxfev=5000)
        assert res.success
        assert res.x[0] == res.x[2] == 1
        res = run(lambda x: 1.0, [1.0, 2.0], method, bounds=[(1, 1), (2, 2)])
        assert res.success  # nothing can be moved


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", DIRECT[:6], ids=lambda m: m.__name__)
def test_noise_is_an_ending_only_far_down_and_where_the_gradient_is_within_its_errors(kind, solver):
    rough, size = KINDS[kind]
    for name, smooth, x0 in (
        ("rosen", lambda x: 1 + rosen(x), START),
        ("bowl", lambda x: 1 + np.arange(1.0, 6) @ (x - 1) ** 2, np.zeros(5)),
        ("at the minimum", lambda x: 1 + np.sum((x - 1) ** 2), np.ones(3)),
    ):
        fun = rough(smooth)
        res = run(fun, x0, solver, maxfev=3000)
        if res.status == 6:
            assert (res.success, name) != (True, "at the minimum")
            assert fun(x0) - res.fun >= 8e3 * res.noise
            # a point that a method has left behind may be lower: not where the errors are those of
            if solver is not adam:
                assert (abs(res.jac) <= 8 * res.jac_error).all()
        if res.status in (2, 6) and res.noise > 1e-12 * res.fun:
            assert f"errors are about {res.noise:.1e} in f" in res.message
        if res.success and name == "bowl":
            assert smooth(res.x) - 1 < 1e-2 * smooth(x0)
        if solver is lbfgs and name == "bowl" and size(1.0) < 1e-5:
            assert res.status in (0, 2, 6)
            assert smooth(res.x) - 1 < 1000 * size(1.0)


def test_noise_as_an_ending_need_not_be_a_success():
    fun = relative(1e-7)(lambda x: 1 + np.arange(1.0, 6) @ (x - 1) ** 2)
    res = run(fun, np.zeros(5))
    assert (res.success, res.status) == (True, 6)
    if "noise_is_success" in lbfgs.options:
        res = run(fun, np.zeros(5), noise_is_success=False)
        assert (res.success, res.status) == (False, 6)


@pytest.mark.parametrize("kind", ["float32", "six digits", "relative 1e-06", "absolute 1e-06"])
@pytest.mark.parametrize("x0", [[-1.2, 1.0], [1.3, 0.7, 0.8, 1.9, 1.2], [0.0, 2.0, -1.0]])
def test_lbfgs_solves_to_the_noise(kind, x0):
    res = run(KINDS[kind][0](lambda x: 1 + rosen(x)), x0)
    assert rosen(res.x) < 1e-3
    assert res.nfev < 600 * len(x0)


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("x0", [[-1.2, 1.0], [1.5, 8.0], [0.0, 2.0]])
def test_a_float32_model_with_its_gradient_is_solved(pair, x0):
    def f(x):
        x = np.asarray(x, np.float32)
        return np.float32(100) * (x[1] - x[0] ** 2) ** 2 + (np.float32(1) - x[0]) ** 2

    def g(x):
        x = np.asarray(x, np.float32)
        d = np.float32(200) * (x[1] - x[0] ** 2)
        return np.array([-2 * x[0] * d - 2 * (1 - x[0]), d], np.float32)

    fun, jac = ((lambda x: (f(x), g(x))), True) if pair else (f, g)
    for method in (lbfgs, cg_descent):
        res = minimize(fun, x0, jac=jac, method=method)
        assert res.status in (0, 6)
        np.testing.assert_allclose(res.x, 1, atol=2e-2)
        assert rosen(res.x) < 1e-4


def test_kinks_are_an_ending_of_their_own():
    def fun(x):
        return np.abs(x).sum() + (x[0] - 3) ** 2, np.sign(x) + [2 * (x[0] - 3), 0.0]

    res = minimize(fun, [1.0, 2.3], jac=True, method=lbfgs)
    assert (res.success, res.status) == (True, 7)
    np.testing.assert_allclose(res.x, [2.5, 0], atol=1e-6)


# --- the best point


def belongs(res, fun, seen):
    """The value is that of the point, and no trial was lower; points of differences do not count,
    which are next to a trial."""
    assert res.fun == fun(res.x)
    trials, values = [], []
    for x, f in zip(seen.points, seen.values, strict=True):
        if all(abs(x - y).max() > 2e-5 for y in trials):
            trials.append(x)
            values.append(f)
    assert res.fun <= min(values) * (1 + 1e-6)


@pytest.mark.parametrize("jac", [None, rosen_der])
@pytest.mark.parametrize("solver", [lbfgs, cg_descent, newton, gd], ids=lambda m: m.__name__)
def test_the_best_point_is_returned_whenever_the_budget_ends(solver, jac):
    x0 = [1.3, 0.7, 0.8, 1.9]
    for budget in range(1, 90):
        seen = Seen(rosen)
        res = minimize(seen, x0, jac=jac, method=solver, options={"maxfev": budget})
        assert res.nfev == len(seen.values) <= budget
        belongs(res, rosen, seen)
        if "jac" in res and np.isfinite(res.jac).all():
            np.testing.assert_allclose(res.jac, rosen_der(res.x), atol=1e-2)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("solver", [lbfgs, cg_descent, gd], ids=lambda m: m.__name__)
def test_the_best_point_comes_with_an_error(solver):
    for k in range(2, 60):
        seen = Seen(rosen)

        def fun(x, seen=seen, k=k):
            if len(seen.values) == k:
                raise Stopped
            return seen(x)

        with pytest.raises(Stopped) as caught:
            minimize(fun, [1.3, 0.7, 0.8, 1.9], method=solver)
        belongs(caught.value.optimize_result, rosen, seen)


@pytest.mark.parametrize("solver", [lbfgs, cg_descent, adam], ids=lambda m: m.__name__)
def test_the_best_point_is_returned_to_a_callback_that_stops(solver):
    for k in range(1, 8):
        seen = Seen(rosen)

        def stop(intermediate_result, told=[], k=k):  # noqa: B006
            told.append(intermediate_result)
            if len(told) % k == 0:
                raise StopIteration

        res = minimize(seen, [1.3, 0.7, 0.8, 1.9], method=solver, callback=stop)
        assert res.status == 99
        belongs(res, rosen, seen)


def test_the_best_point_is_returned_when_the_time_is_up():
    seen = Seen(rosen)
    res = minimize(seen, [1.3, 0.7, 0.8, 1.9] * 5, method=lbfgs, options={"maxtime": 0.02})
    belongs(res, rosen, seen)


# --- the search on values


def search(value, x, d, g, f, alpha, *, weak, e, noisy):
    """The rule in plain Python: all steps it tries, and the one it ends with (None: none)."""
    tried, kept, further, holes = [], None, 0, 0
    while True:
        y = x - alpha * d
        promised, f_y = g @ (x - y), value(y)
        tried.append(alpha)
        if kept and not f_y < kept[1]:
            return tried, kept[0]
        slack = max(e, 1e-14 * abs(f)) if promised <= 20 * e else 1e-14 * abs(f)
        if kept or ((y != x).any() and f_y <= f - 1e-4 * promised + slack):
            curvature = (f_y - f + promised) / alpha**2
            best = promised / (2 * alpha * curvature) if curvature > 0 else np.inf
            elsewhere = best > 3 * alpha
            if weak < 0.5 and further == 0:
                elsewhere |= abs(best - alpha) > 0.2 * alpha
            if not elsewhere or further == 6 or f_y > f:
                return tried, alpha
            kept, further = (alpha, f_y), further + 1
            if best > alpha:
                best = min(max(best, 2 * alpha) if weak > 0.5 else best, 10 * alpha)
            alpha = best
            continue
        too_many = len(tried) > (12 if noisy else 25)
        if too_many or (len(tried) > 2 and promised < 0.01 * e):
            return tried, None
        if math.isfinite(f_y):
            alpha *= min(max(0.5 * promised / (f_y - f + promised), 0.1), 0.5)
        else:
            holes += 1
            alpha *= {1: 0.8, 2: 0.5}.get(holes, 0.1)


@settings(max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    solver=st.sampled_from([lbfgs, cg_descent]),
    length=st.floats(-6, 4),
    e=st.sampled_from([0.0, 1e-6, 1e-2, 10.0]),
    edge=st.sampled_from([np.inf, 1.0, 0.01]),
)
def test_the_search_on_values_makes_the_steps_of_the_rule(seed, solver, length, e, edge):
    """From a random state in mid-run, along a random direction, on a function with holes."""
    rng = np.random.default_rng(seed)
    n = 4
    x, d, old = rng.normal(size=(3, n))
    H = np.diag(10.0 ** rng.uniform(-3, 3, n))
    ripple = rng.choice([0.0, 0.1, 1.0])

    def value(y):
        far = np.linalg.norm(y - x)
        return y @ H @ y + ripple * np.cos(9 * y).sum() if far < edge else np.nan

    g = 2 * H @ x - ripple * 9 * np.sin(9 * x)
    d *= np.sign(g @ d)
    V, s, _ = lay_out(solver, x, None, settled(solver, {}, n), False, True)
    r = named(s)
    r.x, r.trial, r.old, r.best = 0, 1, 2, 0
    V[0], V[2], V[POINTS], V[r.d] = x, old, g, d
    r.nit, r.t, r.fresh, r.ask, r.needs = 17, 18.0, 0, VALUE, GRADIENT
    r.f = r.f_old = r.f_best = value(x)
    r.slope, r.dnorm = g @ d, np.linalg.norm(d)
    r.alpha, r.slope_last = 10.0**length, rng.uniform(0.5, 2) * r.slope
    r.noise_abs, r.noisy, r.better = e, int(e > 0), 1
    r.kept, r.further, r.unfinite, r.f_reached = 0.3, 4, 2, -1e9  # of the last search
    alpha = 1.0 if solver is lbfgs else r.alpha * r.slope_last / r.slope
    weak = solver.c2
    slope = r.slope

    tried, end = search(value, x, d, g, r.f, alpha, weak=weak, e=e, noisy=e > 0)
    first, judge = (functools.partial(from_python, address) for address in (r.first, r.judge))
    place = V.ctypes.data, s.ctypes.data
    assert first(*place) == VALUE
    assert r.slope_last == slope
    found, trials = [], 0
    while True:
        np.testing.assert_array_equal(V[1], x - r.alpha * d)
        found.append(r.alpha)
        r.f_trial, r.trials = value(V[1]), trials + 1
        trials += 1
        verdict = judge(*place)
        if r.ask != VALUE or verdict != RETRY:
            break
    np.testing.assert_allclose(found, tried, rtol=1e-9)
    if end is None:
        assert verdict == ANEW  # along the gradient, before anything else
        return
    assert (verdict, r.ask) == (RETRY, GRADIENT)  # it is asked for at the end only
    assert r.alpha == pytest.approx(end, rel=1e-9)
    assert r.f_trial == value(V[1])
    V[1 + POINTS] = 1.0
    assert judge(*place) == ACCEPT
    V[1 + POINTS, 2] = np.nan  # useless: a shorter step
    r.ask = GRADIENT
    assert judge(*place) != ACCEPT


@pytest.mark.parametrize("solver", [lbfgs, cg_descent], ids=["lbfgs", "cg_descent"])
def test_searches_on_values_ask_for_one_gradient_in_an_iteration(solver):
    res = run(rosen, [1.3, 0.7, 0.8, 1.9, 1.2], solver, maxiter=15)
    assert res.njev == res.nit + 1 == 16


# --- steps that are given


STEPS = {
    "finite_diff_abs_step": (1e-3, np.array([1e-3, -1e-3, 1e-3])),
    "eps": (1e-3, np.array([1e-3, -1e-3, 1e-3])),
    "finite_diff_rel_step": (1e-3, np.array([2e-3, -4e-3, 1e-3])),
}


@pytest.mark.parametrize("option", STEPS)
@pytest.mark.parametrize("solver", [lbfgs, cg_descent, spg], ids=lambda m: m.__name__)
def test_steps_that_are_given_are_made_and_no_others(option, solver):
    """Exactly these, also at 0; no value looks for noise, and no step follows the curvature."""
    size, steps = STEPS[option]
    seen = Seen(lambda x: float(x @ x))
    res = run(seen, [2.0, -4.0, 0.0], solver, maxiter=0, **{option: size})
    assert res.nfev == 4
    offsets = np.array(seen.points[1:]) - seen.points[0]
    np.testing.assert_allclose(offsets, np.diag(steps), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(res.jac, 2 * seen.points[0] + steps, rtol=1e-6)
    central = run(seen, [2.0, -4.0, 0.0], maxiter=0, finite_diff_scheme="3-point", **{option: size})
    assert central.nfev == 7
    each = run(Seen(rosen), [2.0, -4.0, 0.0], solver, maxiter=0, **{option: np.full(3, size)})
    assert each.nfev == 4


def test_given_steps_cross_the_noise():
    """The way of those who know it: central differences over long steps."""
    fun = absolute(1e-4)(lambda x: 1 + np.sum((x - 1) ** 2))
    options = {"finite_diff_scheme": "3-point", "finite_diff_abs_step": 0.1, "gtol": 1e-2}
    res = run(fun, [3.0, -2.0], **options)
    np.testing.assert_allclose(res.x, 1, atol=0.02)
    assert all(a <= b + 1e-3 for a, b in pairwise([res.fun, fun(np.array([3.0, -2.0]))]))


# --- of what is known


@pytest.mark.parametrize("solver", DIRECT[:5], ids=lambda m: m.__name__)
def test_errors_of_x_are_how_far_it_can_move_in_the_noise(solver):
    curvature = np.array([1.0, 100.0, 1e4])
    fun = relative(1e-6)(lambda x: 5 + 0.5 * curvature @ (x - 1) ** 2)
    res = run(fun, np.zeros(3), solver, maxfev=3000)
    wanted = np.sqrt(2 * res.noise / curvature)
    assert (res.x_error < 30 * wanted).all()
    assert (res.x_error > 0.1 * wanted).all()
    if res.success:
        assert (abs(res.x - 1) < 10 * wanted).all()


def test_advice_applies_to_runs_without_a_gradient():
    res = run(lambda x: 3.0, [1.0, 2.0])
    assert res.status == 2
    assert "check_grad" not in res.message
    assert "`jac`" in res.message
