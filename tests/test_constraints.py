"""`constraints`: every form and method, the formulas, budgets, endings, resume, and bad input."""

import itertools
import pickle
import re
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import sparse
from scipy.optimize import (
    LinearConstraint,
    NonlinearConstraint,
    OptimizeResult,
    basinhopping,
    minimize,
)

from scipy_gd import METHODS, adam, cg_descent, gd, lbfgs, levenberg_marquardt, newton, spg
from scipy_gd._constraints import lagrangian
from scipy_gd._constraints.compiled import compiled_rows
from scipy_gd._constraints.rows import read
from scipy_gd.gradient_check import GradientError
from scipy_gd.history import History

CENTER = np.array([2.0, 1.0])
X0 = [0.3, 0.2]
ON_CIRCLE = CENTER / np.sqrt(5)
PULL = np.sqrt(5) - 1  # the multiplier of x'x <= 1
CORNER = np.array([0.25 + (np.sqrt(7.75) - 0.5) / 4, (np.sqrt(7.75) - 0.5) / 4])


def fun(x):
    return float((x - CENTER) @ (x - CENTER))


def jac(x):
    return 2 * (x - CENTER)


def square(x):
    return x @ x


def doubled(x):
    return 2 * x


def disk(**how):
    return NonlinearConstraint(square, -np.inf, 1, **{"jac": doubled} | how)


def circle(**how):
    return NonlinearConstraint(square, 1, 1, **{"jac": doubled} | how)


def linear(A, low, high, **how):
    return LinearConstraint(A, low, high, **how)


CORNER_Y = np.linalg.solve(np.transpose([2 * CORNER, [1, -1]]), -jac(CORNER))
FORMS = {
    "linear": (linear([[1, 1]], -np.inf, 1), [1, 0], [2]),
    "linear, two-sided": (linear([[1, 1], [1, -1]], [-5, -2], [1, 2]), [1, 0], [2, 0]),
    "linear, at its lower limit": (linear([[1, 1]], 4, 6), [2.5, 1.5], [-1]),
    "linear, sparse": (linear(sparse.csr_array([[1.0, 1.0]]), -np.inf, 1), [1, 0], [2]),
    "an equation": (linear([[1, 1]], 1, 1), [1, 0], [2]),
    "a sparse equation": (linear(sparse.csc_array([[1, 1]]), 1, 1), [1, 0], [2]),
    "a bound": (linear([[2, 0]], -4, 2), [1, 1], [1]),
    "nonlinear": (disk(), ON_CIRCLE, [PULL]),
    "nonlinear, two-sided": (
        NonlinearConstraint(square, 0.2, 1, jac=doubled),
        ON_CIRCLE,
        [PULL],
    ),
    "differences": (disk(jac="2-point"), ON_CIRCLE, [PULL]),
    "central differences": (disk(jac="3-point"), ON_CIRCLE, [PULL]),
    "complex steps": (disk(jac="cs"), ON_CIRCLE, [PULL]),
    "a sparse Jacobian": (
        disk(jac=lambda x: sparse.csr_array(2 * x[np.newaxis])),
        ON_CIRCLE,
        [PULL],
    ),
    "a column": (
        NonlinearConstraint(lambda x: x[:, np.newaxis], -9, [1, 9], jac=lambda x: np.eye(2)),
        [1, 1],
        [2, 0],
    ),
    "nonlinear equality": (circle(), ON_CIRCLE, [PULL]),
    "dict": (
        {"type": "ineq", "fun": lambda x, r: r - x @ x, "args": (1.0,), "jac": lambda x, r: -2 * x},
        ON_CIRCLE,
        [-PULL],
    ),
    "dict, differences": (
        {"type": "INEQ", "fun": lambda x, r: r - x @ x, "args": 1.0},
        ON_CIRCLE,
        [-PULL],
    ),
    "dict, equality": ({"type": "eq", "fun": lambda x: [x @ x - 1]}, ON_CIRCLE, [PULL]),
    "list": ([disk(), linear([1, -1], -np.inf, 0.25)], CORNER, CORNER_Y),
    "tuple with rows that do not matter": (
        ({"type": "ineq", "fun": lambda x: x + 3}, linear([[1, 1]], 1, 1)),
        [1, 0],
        [0, 0, 2],
    ),
}
each_form = pytest.mark.parametrize("form", FORMS)


def solve(constraints, method=lbfgs, *, f=fun, g=jac, x0=X0, bounds=None, callback=None, **options):
    return minimize(
        f,
        x0,
        jac=g,
        method=method,
        bounds=bounds,
        constraints=constraints,
        callback=callback,
        options={"rng": 0} | options,
    )


def residuals(method):
    """What makes the same objective, but for its factor, of residuals."""
    return {"f": lambda x: x - CENTER, "g": lambda x: np.eye(2)} if method.residuals else {}


def right(res, x, y, factor=1.0, tol=1e-4):
    assert res.success
    assert res.status == 0
    np.testing.assert_allclose(res.x, x, atol=tol)
    np.testing.assert_allclose(np.concatenate(res.multipliers), factor * np.array(y), atol=10 * tol)
    assert res.constr_violation <= 1e-6 * max(1, abs(res.x).max())


# --- forms and methods


@each_form
@pytest.mark.parametrize(
    "each", [lbfgs, gd, adam, newton, levenberg_marquardt], ids=lambda m: m.__name__
)
def test_every_form(each, form):
    constraints, x, y = FORMS[form]
    res = solve(constraints, each, **residuals(each))
    right(res, x, y, 0.5 if each.residuals else 1.0)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("form", ["nonlinear", "an equation", "list"])
def test_every_method(name, form):
    constraints, x, y = FORMS[form]
    method = METHODS[name]
    res = solve(constraints, method, maxiter=4000, **residuals(method))
    if name in ("spsa", "prodigy", "random_search") and not res.success:  # slow, or at random
        assert res.status in (1, 2)
        return
    right(res, x, y, 0.5 if method.residuals else 1.0)


@pytest.mark.filterwarnings("ignore:delta_grad == 0.0")
@pytest.mark.parametrize(
    "form",
    ["linear", "linear, two-sided", "an equation", "a bound", "nonlinear", "dict", "list"],
)
def test_multipliers_have_the_sign_of_trust_constr(form):
    constraints, *_ = FORMS[form]
    res = solve(constraints)
    peer = minimize(
        fun,
        X0,
        jac=jac,
        constraints=constraints,
        method="trust-constr",
        options={"gtol": 1e-9, "xtol": 1e-12, "barrier_tol": 1e-9},
    )
    v = np.concatenate([np.atleast_1d(each) for each in peer.v])
    np.testing.assert_allclose(np.concatenate(res.multipliers), v, atol=1e-3)
    count = len(constraints) if isinstance(constraints, list | tuple) else 1
    assert len(res.multipliers) == len(res.constr_nfev) == len(res.constr_njev) == count


@pytest.mark.parametrize("gradient", ["pair", None, "2-point", "3-point", "cs"])
@pytest.mark.parametrize("form", ["nonlinear equality", "an equation", "list"])
@pytest.mark.parametrize("sums", [False, True])
def test_where_the_gradient_comes_from(gradient, form, sums):
    constraints, x, y = FORMS[form]
    options = {}
    if sums:
        options["residuals"] = True

        def f(x):
            return x - CENTER

        def g(x):
            return np.eye(2)
    else:

        def f(x):
            return np.sum((x - CENTER) ** 2)

        g = jac
    if gradient == "pair":
        res = lbfgs(lambda x: (f(x), g(x)), X0, jac=True, constraints=constraints, **options)
    else:
        res = lbfgs(f, X0, jac=gradient, constraints=constraints, **options)
    right(res, x, y, 0.5 if sums else 1.0)


def test_more_points_make_central_differences():
    """Which a cubic tells from others: forward differences are off by h."""

    def f(x):
        return np.sum((x - CENTER) ** 2) + 1e3 * (x[0] - 1) ** 3

    def g(x):
        return jac(x) + [3e3 * (x[0] - 1) ** 2, 0]

    steps = {"finite_diff_rel_step": 1e-4, "constraints": circle(), "maxiter": 0}
    for scheme, least, most in (("2-point", 0.1, 1), ("3-point", 1e-7, 1e-3), ("cs", 0, 1e-12)):
        res = lbfgs(f, [2.0, 1.0], jac=scheme, **steps)
        assert least <= abs(res.jac - g(res.x)).max() <= most


def test_steps_of_differences_are_those_of_the_user():
    seen = []

    def f(x):
        seen.append(x)
        return fun(x)

    solve(circle(), f=f, g=None, finite_diff_abs_step=[1e-3, 1e-2], maxiter=0)
    np.testing.assert_allclose(seen[1:3], [[0.301, 0.2], [0.3, 0.21]])


def test_equations_are_kept_by_every_point_that_is_evaluated():
    """With a gradient; and also where the rows depend on each other."""
    A = np.array([[1.0, 2, 0, 1], [0, 1, 1, 0], [1, 3, 1, 1]])
    b = A @ [1.0, 2, 3, 4]
    target = np.array([3.0, -1, 2, 0])
    for each in (lbfgs, adam, gd, newton):
        seen = []

        def f(x, seen=seen):
            seen.append(x)
            return np.sum(np.cosh(x - target))

        res = solve(
            linear(A, b, b),
            each,
            f=f,
            g=lambda x: np.sinh(x - target),
            x0=np.zeros(4),
            history=True,
        )
        assert res.success
        assert abs(A @ np.array(seen).T - b[:, np.newaxis]).max() < 1e-12
        assert abs(A @ np.array(res.history.x).T - b[:, np.newaxis]).max() < 1e-12
        np.testing.assert_allclose(res.jac + A.T @ res.multipliers[0], 0, atol=1e-4)


def test_iterates_are_those_of_x_whatever_the_variables_inside():
    for constraints in (linear([[1, 1]], 1, 1), circle()):
        told = []
        res = solve(
            constraints, adam, callback=lambda x, told=told: told.append(x), return_all=True
        )
        assert np.array(told).tolist() == np.array(res.allvecs[1:]).tolist()
        assert res.allvecs[-1] == pytest.approx(res.x, abs=0.05)


@pytest.mark.parametrize(
    ("A", "b"),
    [
        ([[1e-9, 1e-9], [1e-9, 1e-9]], [1e-9, 2e-9]),
        ([[1e9, 1e9], [1e9, 1e9]], [1e9, 1e9 + 1]),
        ([[1, 1], [2, 2]], [1, 2.1]),
        ([[1, 1], [1, -1], [2, 1]], [0, 0, 1]),
    ],
)
def test_equations_that_contradict_each_other(A, b):
    with pytest.raises(ValueError, match="the equations of `constraints` contradict each other"):
        solve(linear(A, b, b), f=never, g=never)


def test_equations_of_any_size_are_all_kept():
    A, b = np.array([[1, 0, 1], [0, 1e-13, 1e-13], [0, 1e9, 1e9]]), np.array([1, 1e-13, 1e9])
    res = solve(linear(A, b, b), f=lambda x: fun(x[:2]) + x[2] ** 2, g=None, x0=np.zeros(3))
    np.testing.assert_allclose(A @ res.x, b, rtol=1e-12)


@pytest.mark.parametrize("method_of", ["bounds", "rows"])
def test_rows_that_are_bounds_have_multipliers(method_of):
    """2 x0 <= 2, -x1 >= -1/2: half and once the slope; and they hold throughout."""
    seen = []

    def f(x):
        seen.append(x)
        return fun(x)

    rows = linear([[2, 0], [0, -1], [1, 0]], [-np.inf, -0.5, -9], [2, np.inf, 9])
    more = [disk(jac="2-point")] if method_of == "rows" else []
    wide = NonlinearConstraint(square, -np.inf, 9)
    res = solve([rows, wide] if more else rows, f=f)
    right(res, [1, 0.5], [1, -1, 0, 0] if more else [1, -1, 0])
    assert (np.array(seen) <= [1, 0.5]).all()


def test_an_equation_that_is_a_bound():
    right(solve(linear([[2, 0]], 1, 1)), [0.5, 1], [1.5])


@pytest.mark.parametrize("gradient", [jac, None])
@pytest.mark.parametrize(
    "bounds",
    [
        [(0, 0.5), (0, 0.2)],
        [(0.3, 0.3), (0, 5)],
        [(0.3, 0.3 + 1e-7), (0, 5)],
        [(0, 1e-9), (0, 3)],
        [(0.8, 0.8 + 1e-13), (0.1, 3)],
        [(ON_CIRCLE[0] - 1e-6, ON_CIRCLE[0] + 1e-6), (0, 3)],
        [(0.1, 0.1), (0.2, 0.2)],
    ],
)
@pytest.mark.parametrize("each", [lbfgs, gd, newton], ids=lambda m: m.__name__)
def test_no_evaluation_leaves_the_bounds(each, bounds, gradient):
    seen = []

    def watched(function):
        def f(x):
            seen.append(x.copy())
            return function(x)

        return f

    constraint = NonlinearConstraint(watched(square), -np.inf, 1)
    g = watched(jac) if gradient else None
    res = solve(constraint, each, f=watched(fun), g=g, x0=[9, -9], bounds=bounds)
    low, high = np.transpose(bounds)
    assert (low <= np.array(seen)).all()
    assert (np.array(seen) <= high).all()
    assert res.success
    x = np.clip(ON_CIRCLE, low, high)
    room = np.sqrt(1 - np.clip(x, low, high) ** 2)[::-1]
    best = np.clip(np.minimum(CENTER, np.maximum(x, room)), low, high)
    if low[0] == high[0] or high[0] - low[0] < 1e-5:
        np.testing.assert_allclose(res.x, best, atol=1e-5)


def test_nothing_of_the_users_is_touched():
    A, low, high = np.array([[1.0, 1.0]]), np.array([-np.inf]), np.array([1.0])
    x0, weights = np.array([3.0, -2.0]), np.array([1.0, 2.0])
    before = [each.copy() for each in (A, low, high, x0, weights)]

    def c(x, w):
        value = w @ x**2
        x[:] = np.nan  # a copy
        return value

    def J(x, w):
        value = 2 * w * x
        x[:] = np.nan
        return value

    def f(x):
        value = fun(x)
        x[:] = np.nan
        return value

    bounded = {"type": "ineq", "fun": lambda x, w: 3 - c(x, w), "args": (weights,)}
    bounded["jac"] = lambda x, w: -J(x, w)
    given = dict(bounded)
    res = minimize(
        f,
        x0,
        jac=lambda x: jac(x),
        method=lbfgs,
        constraints=[linear(A, low, high), bounded],
    )
    assert res.success
    assert bounded == given
    for was, now in zip(before, (A, low, high, x0, weights), strict=True):
        assert was.tolist() == now.tolist()


def test_args_are_those_of_fun_alone():
    res = minimize(
        lambda x, c: (x - c) @ (x - c),
        X0,
        args=(CENTER,),
        jac=lambda x, c: 2 * (x - c),
        method=lbfgs,
        constraints=[
            {"type": "eq", "fun": lambda x, a, b: a * x[0] + b * x[1] - 1, "args": (1.0, 1.0)},
        ],
    )
    right(res, [1, 0], [2])


@pytest.mark.parametrize("nothing", [None, (), [], np.array([]), iter(())])
def test_no_constraints_are_an_ordinary_run(nothing):
    plain, res = (minimize(fun, X0, jac=jac, method=lbfgs, constraints=c) for c in ((), nothing))
    assert res.x.tobytes() == plain.x.tobytes()
    assert set(res) == set(plain)
    assert "multipliers" not in res


@pytest.mark.parametrize(
    "empty",
    [
        linear(np.zeros((0, 2)), [], []),
        NonlinearConstraint(lambda x: [], [], []),
        linear([[1, 1]], -np.inf, np.inf),
    ],
)
def test_constraints_that_constrain_nothing(empty):
    res = solve(empty)
    assert res.success
    np.testing.assert_allclose(res.x, CENTER, atol=1e-5)
    assert (np.concatenate(res.multipliers) == 0).all()


def test_rows_that_say_the_same_share_a_multiplier():
    res = solve([disk(), disk(), linear([[1, 1], [1, 1], [2, 2]], -np.inf, [5, 5, 10])])
    right(res, ON_CIRCLE, np.r_[res.multipliers[0], res.multipliers[1], 0, 0, 0])
    assert res.multipliers[0] + res.multipliers[1] == pytest.approx(PULL, abs=1e-4)


# --- formulas


def penalty_of(c, y, rho, mu, low, high):
    """By definition: the least rho/2 (c + y/rho - z)^2 of all z within the limits; or a barrier."""
    if mu > 0:
        parts = [c - low if low > -np.inf else 1.0, high - c if high < np.inf else 1.0]
        return -mu * np.log(parts).sum() if min(parts) > 0 else np.nan
    t = c + y / rho
    ends = [z for z in (low, high) if np.isfinite(z)] + ([t] if low <= t <= high else [])
    return min(rho / 2 * (t - z) ** 2 for z in ends)


numbers = st.floats(-3, 3).map(lambda v: round(v, 3))
sizes = st.floats(0.1, 10).map(lambda v: round(v, 3))
rows = st.tuples(
    numbers,
    numbers,
    sizes,
    st.sampled_from([0.0, 0.0, 0.5]),
    st.sampled_from(["equal", "range", "lower", "upper", "none"]),
)


def limits_of(kind):
    return {
        "equal": (0.5, 0.5),
        "range": (-1.0, 2.0),
        "lower": (0.25, np.inf),
        "upper": (-np.inf, -0.5),
        "none": (-np.inf, np.inf),
    }[kind]


@given(st.lists(rows, min_size=1, max_size=5))
@settings(max_examples=60)
def test_multipliers_are_the_slope_of_the_penalty(drawn):
    low, high = np.transpose([limits_of(kind) for *_, kind in drawn])
    c, y, rho, mu = (np.array([row[k] for row in drawn]) for k in range(4))
    mu = np.where(low == high, 0.0, mu)
    following = np.empty(c.size)

    def penalty(c):
        return lagrangian.multipliers(c, (y, rho, mu, low, high), following)

    found = penalty(c)
    expected = [penalty_of(*row) for row in zip(c, y, rho, mu, low, high, strict=True)]
    assert found == pytest.approx(np.sum(expected), rel=1e-12, abs=1e-12, nan_ok=True)
    if np.isnan(found):
        return
    slopes = following.copy()
    bends = lagrangian.bend(c, (y, rho, mu, low, high), slopes)
    at = np.where(mu > 0, c, c + y / rho)
    room = np.fmin(abs(at - low), abs(at - high))
    for i in np.flatnonzero(room > 1e-2):
        h = 1e-5 * np.eye(c.size)[i]
        up, down = penalty(c + h), penalty(c - h)
        steep = [penalty(c + k * h) and following[i] for k in (1, -1)]
        assert (up - down) / 2e-5 == pytest.approx(slopes[i], rel=1e-4, abs=1e-6)
        assert (steep[0] - steep[1]) / 2e-5 == pytest.approx(bends[i], rel=1e-4, abs=1e-5)


@njit
def cosh(x):
    return np.sum(np.cosh(x - 0.3)) + x[0] * x[1]


@njit
def cosh_slope(x):
    g = np.sinh(x - 0.3)
    g[0] += x[1]
    g[1] += x[0]
    return g


@njit
def cosh_pair(x):
    return cosh(x), cosh_slope(x)


@njit
def curve(x):
    return np.array([x[0] * x[1] - x[2], np.sum(x * x)])


@njit
def curve_slopes(x):
    J = np.zeros((2, 3))
    J[0] = np.array([x[1], x[0], -1.0])
    J[1] = 2.0 * x
    return J


@njit
def misfit(x):
    return np.array([x[0] - 1.0, np.exp(x[1]), x[2] * x[0], x[1] + 2.0])


@njit
def misfit_slopes(x):
    J = np.zeros((4, 3))
    J[0, 0] = 1.0
    J[1, 1] = np.exp(x[1])
    J[2, 0], J[2, 2] = x[2], x[0]
    J[3, 1] = 1.0
    return J


@njit
def misfit_pair(x):
    return misfit(x), misfit_slopes(x)


A = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 1.0]])
NUMBA = [
    NonlinearConstraint(curve, [-np.inf, 0.5], [0.1, 2.0], jac=curve_slopes),
    linear(A, [-1.0, 0.2], [1.0, 0.2]),
    {"type": "ineq", "fun": njit(lambda x, a: a - x[0] ** 2 - x[1]), "args": (1.5,)},
]


class Python:
    def __init__(self, rows):
        self.rows = rows

    def values(self, x, data):
        return self.rows.value(x)

    def slopes(self, x, data):
        return self.rows.jacobian(x)


def both_ways(f, g, sums):
    """L and its gradient, in Python and compiled; what is in the place of the terms' data."""
    rows = read(NUMBA, np.array([0.1, 0.2, 0.3]), None)
    plain = Python(rows)

    def slope(x, near, *args):
        raise AssertionError

    values, derivatives, data = compiled_rows(rows)
    return (
        lagrangian.functions(f, g, slope, plain.values, plain.slopes, sums),
        lagrangian.functions(f, g, slope, values, derivatives, sums),
        rows,
        data,
    )


def state(rows, seed):
    rng = np.random.default_rng(seed)
    y, rho = rng.normal(size=rows.m), rng.uniform(0.1, 10, rows.m)
    own = y, rho, np.zeros(rows.m), rows.lower, rows.upper
    box = np.full(3, -np.inf), np.full(3, np.inf)
    near = (1, np.full(3, np.nan), np.full(3, np.nan), *box)
    return rng.normal(size=3), own, rng.uniform(0.1, 1), near


@pytest.mark.parametrize(
    ("f", "g", "sums"),
    [
        (cosh, cosh_slope, False),
        (cosh_pair, True, False),
        (misfit, misfit_slopes, True),
        (misfit_pair, True, True),
    ],
    ids=["gradient", "pair", "residuals", "residuals, pair"],
)
def test_gradient_of_the_lagrangian(f, g, sums):
    """Against its definition and differences of it; and compiled code has the same bits."""
    (L, dL), (fast, dfast), rows, data = both_ways(f, g, sums)

    def of(found):
        return 0.5 * found @ found if sums else found

    for seed in range(20):
        x, own, weight, near = state(rows, seed)
        terms = lagrangian.Terms(own, weight, near, ())
        compiled = lagrangian.Terms(own, weight, near, data)

        def value(x, terms=terms):
            found = L(x, terms)
            return of(found[0] if g is True else found)

        slope = L(x, terms)[1] if g is True else dL(x, terms)
        if sums:
            r = L(x, terms)[0] if g is True else L(x, terms)
            slope = slope.T @ r
        own_value = 0.5 * misfit(x) @ misfit(x) if sums else cosh(x)
        c = rows.value(x)
        penalties = [penalty_of(*row) for row in zip(c, *own, strict=True)]
        assert value(x) == pytest.approx(weight * own_value + np.sum(penalties), rel=1e-12)
        h = 1e-6
        steep = [(value(x + h * e) - value(x - h * e)) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(slope, steep, rtol=1e-4, atol=1e-4)

        pairs = (L(x, terms), fast(x, compiled)) if g is True else ()
        pairs = pairs or ((L(x, terms), dL(x, terms)), (fast(x, compiled), dfast(x, compiled)))
        for a, b in zip(*pairs, strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize(
    ("each", "f", "g"),
    [
        (lbfgs, cosh, cosh_slope),
        (adam, cosh, cosh_slope),
        (gd, cosh_pair, True),
        (lbfgs, cosh, None),
        (levenberg_marquardt, misfit, misfit_slopes),
    ],
    ids=["lbfgs", "adam", "gd, pair", "differences", "residuals"],
)
def test_compiled_runs_end_alike(each, f, g):
    a, b = (
        each(f, [0.1, 0.2, 0.3], jac=g, constraints=NUMBA, compiled=compiled, maxiter=400)
        for compiled in (True, False)
    )
    assert a.success
    assert (a.status, a.nouter, a.nit) == (b.status, b.nouter, b.nit)
    assert a.x.tobytes() == b.x.tobytes()
    assert np.concatenate(a.multipliers).tobytes() == np.concatenate(b.multipliers).tobytes()


def test_compiled_true_says_what_it_needs():
    for constraints in (disk(), [NUMBA[0], linear(sparse.csr_array(A), -9, 9)]):
        with pytest.raises(ValueError, match=r"all functions of `constraints` must be Numba func"):
            lbfgs(cosh, np.zeros(3), jac=cosh_slope, constraints=constraints, compiled=True)


# --- counts and budgets


class Counted:
    """The functions of a problem, with their calls."""

    def __init__(self, two=False):
        self.calls = dict.fromkeys(("f", "g", "c", "J"), 0)
        self.two = two

    def of(self, name, function):
        def counted(x):
            self.calls[name] += 1
            return function(x)

        return counted

    def problem(self, gradient="given", slopes="given"):
        f = self.of("f", lambda x: np.sum((x - CENTER) ** 2))
        g = self.of("g", jac) if gradient == "given" else gradient
        J = self.of("J", doubled) if slopes == "given" else slopes
        return f, g, NonlinearConstraint(self.of("c", square), 1, 1, jac=J)


@pytest.mark.parametrize("gradient", ["given", None, "2-point", "3-point", "cs"])
@pytest.mark.parametrize("slopes", ["given", "2-point", "3-point", "cs"])
def test_counts_are_calls(gradient, slopes):
    for each in (lbfgs, newton, METHODS["random_search"]):
        made = Counted()
        f, g, constraint = made.problem(gradient, slopes)
        most = 30 if each.__name__ == "random_search" else 500
        res = each(f, X0, jac=g, constraints=constraint, maxiter=most, rng=0)
        calls = made.calls
        assert res.nfev == calls["f"]
        assert res.constr_nfev == [calls["c"]]
        if gradient == "given":
            assert res.njev == calls["g"]
        if slopes == "given":
            assert res.constr_njev == [calls["J"]]


@pytest.mark.parametrize("gradient", ["given", None, "3-point"])
@pytest.mark.parametrize("name", ["lbfgs", "gd", "newton", "spsa", "random_search"])
def test_maxfev_is_never_exceeded(gradient, name):
    for most in (*range(1, 25), 40):
        made = Counted()
        f, g, constraint = made.problem(gradient)
        res = METHODS[name](f, X0, jac=g, constraints=constraint, maxfev=most, rng=0)
        assert made.calls["f"] == res.nfev <= most
        assert res.success or res.status == 1
        assert np.isfinite(res.x).all()
        assert res.fun == np.sum((res.x - CENTER) ** 2)


def test_maxfev_holds_in_compiled_runs():
    for most in range(1, 20):
        options = {"constraints": NUMBA, "maxfev": most, "compiled": True}
        res = lbfgs(cosh, np.ones(3), jac=cosh_slope, **options)
        assert res.nfev <= most


@pytest.mark.parametrize("most", [0, 1, 3, 11, 12])
def test_maxiter_is_over_all(most):
    told = []
    res = solve(circle(), gd, callback=lambda x: told.append(x), maxiter=most, gtol=1e-13)
    assert (res.status, res.success) == (1, False)
    assert res.nit == len(told) == most
    again = solve(circle(), gd, maxiter=most, gtol=1e-13, maxiter_is_success=True)
    assert again.success


def test_maxtime_is_over_all():
    assert solve(circle(), maxtime=0).status == 1
    assert "maxtime" in solve(circle(), maxtime=0).message


# --- who is told


def test_a_callback_is_called_once_an_iteration():
    seen = []

    def callback(intermediate_result):
        told = intermediate_result
        seen.append(told)
        assert isinstance(told, OptimizeResult)
        assert told.fun == fun(told.x)
        assert told.constr_violation == pytest.approx(abs(told.x @ told.x - 1), abs=1e-15)

    res = solve(circle(), gd, callback=callback)
    assert [told.nit for told in seen] == [*range(1, res.nit + 1)]
    assert all(a.nfev <= b.nfev for a, b in itertools.pairwise(seen))
    points = []
    again = solve(circle(), gd, callback=points.append)
    assert np.array(points).tolist() == [told.x.tolist() for told in seen]
    assert again.x.tobytes() == res.x.tobytes() == solve(circle(), gd).x.tobytes()
    assert again.nfev == res.nfev == solve(circle(), gd).nfev


@pytest.mark.parametrize("stop", [1, 5, 11, 12])
def test_stop_iteration_ends_all(stop):
    def callback(intermediate_result):
        if intermediate_result.nit == stop:
            raise StopIteration

    res = solve(circle(), gd, callback=callback, gtol=1e-13)
    assert (res.status, res.success, res.nit) == (99, False, stop)


def test_histories_know_of_all_inner_runs(capsys):
    own = History()
    res = solve(circle(), gd, callback=own, history=True, return_all=True, progress=True)
    assert own.nit.tolist() == res.history.nit.tolist() == [*range(res.nit + 1)]
    assert np.array(res.history.x).tolist() == np.array(res.allvecs).tolist()
    assert res.history.x[0].tolist() == X0
    assert "gd" in capsys.readouterr().err


def test_disp_prints(capsys):
    solve(circle(), disp=True)
    assert "Optimization terminated successfully." in capsys.readouterr().out
    with pytest.warns(UserWarning, match="maxiter"):
        solve(circle(), gd, disp=True, maxiter=1)


# --- to be continued

RESUMED = ["lbfgs", "gd", "adam", "newton", "random_search", "nesterov_restart", "spsa"]


def gone_on(half, run, **options):
    return run(resume=pickle.loads(pickle.dumps(half.state)), **options)


def same(a, b):
    assert a.x.tobytes() == b.x.tobytes()
    assert np.concatenate(a.multipliers).tobytes() == np.concatenate(b.multipliers).tobytes()
    assert (a.status, a.nit, a.nouter, a.fun) == (b.status, b.nit, b.nouter, b.fun)


@pytest.mark.parametrize("gradient", [jac, None])
@pytest.mark.parametrize("form", ["list", "an equation", "differences"])
@pytest.mark.parametrize("name", RESUMED)
def test_going_on_is_as_never_stopped(name, form, gradient):
    constraints, *_ = FORMS[form]

    def run(**options):
        return solve(constraints, METHODS[name], g=gradient, x0=[1.3, -0.4], **options)

    most = 60
    whole = run(maxiter=most)
    for stop in (0, 1, 7, 10, 11, 25):
        if stop < whole.nit:
            half = run(maxiter=stop)
            assert half.nit == stop
            same(gone_on(half, run, maxiter=most - stop), whole)
    for stop in (1, 2, 5, 9, 14, 30):
        if name == "spsa" and stop < 14:
            continue  # its rate is what the calls were enough for
        half = run(maxfev=stop, maxiter=most)
        if half.status == 1 and half.nit < most:
            same(gone_on(half, run, maxiter=most - half.nit), whole)


@pytest.mark.parametrize("how", ["rounded", "exact"])
def test_what_is_known_of_differences_goes_on(how):
    """That they measure noise, or are to be more exact; from another x0, which does not count."""
    if how == "rounded":

        def f(x):
            return float(f"{fun(x):.6g}")

        options = {}
    else:
        f, options = fun, {"gtol": 1e-13}

    def run(x0=X0, **more):
        return solve(circle(jac="2-point"), gd, f=f, g=None, x0=x0, **options | more)

    most = 150
    whole = run(maxiter=most)
    for stop in (3, 20, 70, 110):
        half = run(maxiter=stop)
        assert half.nit == stop < whole.nit
        same(gone_on(half, run, x0=half.x, maxiter=most - stop), whole)


def test_a_state_can_be_used_again():
    half = solve(circle(), gd, maxiter=5)
    kept = pickle.dumps(half.state)
    first, second = (solve(circle(), gd, resume=half.state) for _ in range(2))
    same(first, second)
    assert pickle.dumps(half.state) == kept


def test_counts_go_on():
    made = Counted()
    f, g, constraint = made.problem()
    half = gd(f, X0, jac=g, constraints=constraint, maxiter=5)
    told = []
    res = gd(
        f,
        X0,
        jac=g,
        constraints=constraint,
        resume=half.state,
        callback=lambda intermediate_result: told.append(intermediate_result.nit),
    )
    assert (res.nfev, res.njev) == (made.calls["f"], made.calls["g"])
    assert (res.constr_nfev, res.constr_njev) == ([made.calls["c"]], [made.calls["J"]])
    assert told == [*range(6, res.nit + 1)]


@pytest.mark.parametrize("how", ["callback", "function", "constraint", "jacobian"])
def test_runs_that_were_broken_off_go_on(how):
    whole = solve(circle(), gd)
    calls, at = [0], 8

    def breaking(function, name):
        def f(x):
            calls[0] += name == how
            if calls[0] == at and name == how:
                raise KeyboardInterrupt
            return function(x)

        return f

    def run(**options):
        c = NonlinearConstraint(
            breaking(square, "constraint"), 1, 1, jac=breaking(doubled, "jacobian")
        )
        f, stop = breaking(fun, "function"), breaking(lambda x: None, "callback")
        return solve(c, gd, f=f, callback=stop, **options)

    with pytest.raises(KeyboardInterrupt) as caught:
        run()
    half = caught.value.optimize_result
    assert half.message.startswith("Stopped by KeyboardInterrupt")
    assert (half.success, half.status) == (False, -1)
    res = gone_on(half, run)
    assert res.x.tobytes() == whole.x.tobytes()
    assert (res.nit, res.status) == (whole.nit, 0)


def test_states_of_other_runs_are_refused():
    half = solve(circle(), gd, maxiter=3)
    with pytest.raises(ValueError, match="`resume` is the state of gd, not of lbfgs"):
        solve(circle(), lbfgs, resume=half.state)
    with pytest.raises(ValueError, match="a run with different `constraints`"):
        solve([circle(), disk()], gd, resume=half.state)
    plain = minimize(fun, X0, jac=jac, method=gd, options={"maxiter": 1})
    with pytest.raises(TypeError, match="of a run with `constraints`"):
        solve(circle(), gd, resume=plain.state)
    with pytest.raises((TypeError, ValueError), match="`resume`"):
        minimize(fun, X0, jac=jac, method=gd, options={"resume": half.state})


def test_results_can_be_pickled():
    res = solve(FORMS["list"][0], history=True)
    again = pickle.loads(pickle.dumps(res))
    same(again, res)


# --- endings


def test_infeasible():
    far = NonlinearConstraint(lambda x: x[0] + x[1] ** 2, 5, np.inf)
    cases = (
        [disk(), far],
        {"type": "eq", "fun": lambda x: x @ x + 1, "jac": doubled},
        linear([[1, 1], [1, 1]], [3, -np.inf], [np.inf, 2]),
    )
    for constraints in cases:
        for each in (lbfgs, gd):
            res = solve(constraints, each)
            assert (res.status, res.success) == (8, False)
            assert res.constr_violation > 0.4
            assert "No feasible point" in res.message


def test_fixed_where_nothing_is_feasible():
    res = solve(disk(), bounds=[(3, 3), (0.2, 0.2)])
    assert (res.status, res.success, res.x.tolist()) == (8, False, [3, 0.2])


@pytest.mark.parametrize(
    "constraints",
    [
        NonlinearConstraint(lambda x: x[1], 0, 1, jac=lambda x: np.array([[0, 1.0]])),
        linear([[0, 1]], 0, 1),
        linear([[1, 1]], 1, 1),
    ],
)
@pytest.mark.parametrize("each", [lbfgs, gd], ids=lambda m: m.__name__)
def test_unbounded(each, constraints):
    res = solve(constraints, each, f=lambda x: -x[0], g=lambda x: np.array([-1.0, 0]))
    assert (res.status, res.success) == (10, False)
    assert res.fun < -1e6


def test_no_multipliers():
    """The constraints' gradients vanish or depend on each other at the solution, 0."""

    def c(x):
        return [x[1] - x[0] ** 3, x[1]]

    cusp = NonlinearConstraint(
        c, [-np.inf, 0], [0, np.inf], jac=lambda x: np.array([[-3 * x[0] ** 2, 1], [0, 1]])
    )
    res = solve(cusp, f=lambda x: x[0], g=lambda x: np.array([1.0, 0]), x0=[1, 1])
    assert (res.status, res.success) == (9, False)
    np.testing.assert_allclose(res.x, 0, atol=0.05)


@each_form
def test_start_at_the_solution(form):
    constraints, x, y = FORMS[form]
    res = solve(constraints, x0=x)
    right(res, x, y)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("f", "The function is not finite"),
        ("g", "A derivative of the function or of `constraints` is not finite"),
        ("c", "`constraints` is not finite"),
        ("J", "A derivative of the function or of `constraints` is not finite"),
    ],
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_start_that_is_not_defined(where, said, bad):
    def spoiled(name, function):
        return (lambda x: bad * np.ones_like(function(x))) if name == where else function

    constraint = NonlinearConstraint(spoiled("c", square), -np.inf, 1, jac=spoiled("J", doubled))
    res = solve(constraint, f=lambda x: float(spoiled("f", fun)(x)), g=spoiled("g", jac))
    assert (res.status, res.success) == (3, False)
    assert res.x.tolist() == X0
    assert (
        res.message == f"{said} (inf or NaN) at the starting point x0 = [0.3, 0.2]: "
        "start where all of them are finite."
    )


class Outside(Exception):
    pass


@pytest.mark.parametrize("how", ["nan", "raises", "scalar"])
@pytest.mark.parametrize("where", ["f", "c", "both"])
def test_undefined_in_places(where, how):
    """Beyond the circle of radius 1.2; the first step of all leads there."""

    def guarded(name, function):
        def f(x):
            if where in (name, "both") and x @ x > 1.44:
                if how == "raises":
                    raise Outside
                return function(x) * np.nan if how == "nan" else np.nan
            return function(x)

        return f

    constraint = NonlinearConstraint(
        guarded("c", lambda x: np.array([x @ x, x[0]])),
        [-np.inf, -9],
        [1, 9],
        jac=guarded("c", lambda x: np.array([2 * x, [1, 0]])),
    )
    options = {"undefined": Outside} if how == "raises" else {}
    g = guarded("f", jac) if how != "scalar" else jac
    res = solve(constraint, f=guarded("f", fun), g=g, **options)
    right(res, ON_CIRCLE, [PULL, 0])


def test_undefined_at_the_start_by_an_exception():
    def c(x):
        raise Outside

    res = solve(NonlinearConstraint(c, [0, 0, 0], 1), undefined=Outside)
    assert res.status == 3


@pytest.mark.parametrize("after", [0, 1, 2, 6])
@pytest.mark.parametrize("where", ["f", "g", "c", "J"])
def test_errors_take_the_best_point_along(where, after):
    calls = [0]

    def failing(name, function):
        def f(x):
            calls[0] += name == where
            if name == where and calls[0] > after:
                raise Outside("here")
            return function(x)

        return f

    constraint = NonlinearConstraint(failing("c", square), 1, 1, jac=failing("J", doubled))
    with pytest.raises(Outside, match="here") as caught:
        solve(constraint, gd, f=failing("f", fun), g=failing("g", jac), gtol=1e-13)
    if where == "c" and after == 0:
        return  # before there is a run
    res = caught.value.optimize_result
    assert (res.success, res.status) == (False, -1)
    assert res.x.tolist() == X0 or abs(res.constr_violation) < 0.91 - 1e-6
    if np.isfinite(res.fun):
        assert res.fun == fun(res.x)
    assert res.message == "Stopped by Outside: here"


def test_target_is_for_feasible_points():
    res = solve(circle(), gd, target=1.53, gtol=1e-14, ctol=1e-4)
    assert res.fun <= 1.53
    assert res.constr_violation <= 1e-4
    assert solve(circle(), gd, target=1.5).status == 0


# --- units and noise

UNITS = (1e-6, 1e-3, 1.0, 1e3, 1e6)


@pytest.mark.parametrize("form", ["disk", "circle", "row", "equation"])
@pytest.mark.parametrize("of_x", [1e-3, 1.0, 1e3])
def test_units(form, of_x):
    """The same solution, and multipliers in units of f over those of c."""
    for of_f, of_c in itertools.product(UNITS, UNITS):

        def f(z, of_f=of_f):
            return of_f * fun(z / of_x)

        def g(z, of_f=of_f):
            return of_f * jac(z / of_x) / of_x

        rows = of_c * np.array([[1, 1]]) / of_x
        ball = {
            "fun": lambda z, of_c=of_c: of_c * square(z / of_x),
            "jac": lambda z, of_c=of_c: of_c * 2 * z / of_x**2,
        }
        constraint, x, y = {
            "disk": (NonlinearConstraint(lb=-np.inf, ub=of_c, **ball), ON_CIRCLE, PULL),
            "circle": (NonlinearConstraint(lb=of_c, ub=of_c, **ball), ON_CIRCLE, PULL),
            "row": (linear(rows, -np.inf, of_c), [1, 0], 2),
            "equation": (linear(rows, of_c, of_c), [1, 0], 2),
        }[form]
        res = solve(constraint, f=f, g=g, x0=np.array(X0) * of_x)
        assert res.success
        np.testing.assert_allclose(res.x / of_x, x, atol=1e-3)
        assert res.multipliers[0][0] * of_c / of_f == pytest.approx(y, rel=1e-2)


@pytest.mark.parametrize("of_x", [1e-9, 1e9])
def test_extreme_units_make_no_false_success(of_x):
    for of_f, of_c in itertools.product((1e-9, 1.0, 1e9), repeat=2):
        constraint = NonlinearConstraint(
            lambda z, of_c=of_c: of_c * square(z / of_x),
            of_c,
            of_c,
            jac=lambda z, of_c=of_c: of_c * 2 * z / of_x**2,
        )
        res = solve(
            constraint,
            f=lambda z, of_f=of_f: of_f * fun(z / of_x),
            g=lambda z, of_f=of_f: of_f * jac(z / of_x) / of_x,
            x0=np.array(X0) * of_x,
        )
        assert not res.success or np.allclose(res.x / of_x, ON_CIRCLE, atol=1e-2)


NOISES = {
    "1e-6": lambda rng: lambda x: fun(x) + 1e-6 * rng.standard_normal(),
    "1e-3": lambda rng: lambda x: fun(x) + 1e-3 * rng.standard_normal(),
    "float32": lambda rng: lambda x: np.float32(np.sum((np.float32(x) - np.float32(CENTER)) ** 2)),
    "six digits": lambda rng: lambda x: float(f"{fun(x):.6g}"),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("form", ["nonlinear", "nonlinear equality", "an equation"])
def test_noise_makes_no_false_success(noise, form):
    constraints, x, y = FORMS[form]
    for seed in range(3):
        f = NOISES[noise](np.random.default_rng(seed))
        res = solve(constraints, f=f, g=None, maxfev=5000)
        assert abs(res.x - x).max() < 0.2
        assert not res.success or abs(res.x - x).max() < 0.04
        if res.success:
            np.testing.assert_allclose(np.concatenate(res.multipliers), y, atol=0.3)


def test_noise_that_is_known():
    seen = []

    def f(x):
        seen.append(x)
        return fun(x) + 1e-3 * np.sin(1e7 * x.sum())

    solve(circle(), f=f, g=None, noise=1e-3, maxfev=100)
    steps = abs(np.diff(seen, axis=0)).max(axis=1)
    assert np.median(steps[steps > 0]) > 1e-3
    seen.clear()
    solve(circle(), f=f, g=None, noise=0, maxfev=100)
    steps = abs(np.diff(seen, axis=0)).max(axis=1)
    assert np.median(steps[steps > 0]) < 1e-3


# --- kept feasible, second derivatives


@pytest.mark.parametrize("name", ["lbfgs", "gd", "adam", "newton", "spsa", "random_search"])
def test_values_are_never_asked_for_beyond_rows_that_are_kept(name):
    seen = []

    def f(x):
        seen.append(x)
        return fun(x)

    ring = NonlinearConstraint(square, 0.1, 1, jac=doubled, keep_feasible=True)
    res = solve([ring, linear([[1, -1]], 0.1, 0.1)], METHODS[name], f=f, maxiter=1000)
    sizes = np.sum(np.square(seen), axis=1)
    assert (sizes > 0.1).all()
    assert (sizes < 1).all()
    x1 = (np.sqrt(1.99) - 0.1) / 2
    assert not res.success or res.x == pytest.approx([x1 + 0.1, x1], abs=1e-4)
    if name in ("lbfgs", "gd"):
        assert res.success


def test_hessians_that_are_given():
    made = []

    def hess(x, v):
        made.append(v)
        return 2 * v[0] * np.eye(2)

    more = linear([1, -1], -np.inf, 0.25)
    constraints = [NonlinearConstraint(square, -np.inf, 1, jac=doubled, hess=hess), more]
    res = minimize(
        fun,
        X0,
        jac=jac,
        hess=lambda x: 2 * np.eye(2),
        method=newton,
        constraints=constraints,
    )
    right(res, CORNER, CORNER_Y)
    assert made
    assert res.constr_nhev == [len(made), 0]
    assert res.nit < 20


# --- least squares


@pytest.mark.parametrize("gradient", ["given", None, "pair", "sparse"])
@pytest.mark.parametrize("form", ["nonlinear", "nonlinear equality", "an equation", "list"])
def test_least_squares(form, gradient):
    constraints, x, y = FORMS[form]

    def r(x):
        return x - CENTER

    f, g = {
        "given": (r, lambda x: np.eye(2)),
        None: (r, None),
        "pair": (lambda x: (r(x), np.eye(2)), True),
        "sparse": (r, lambda x: sparse.eye_array(2, format="csr")),
    }[gradient]
    res = levenberg_marquardt(f, X0, jac=g, constraints=constraints)
    right(res, x, y, 0.5)
    assert res.fun == pytest.approx(0.5 * fun(res.x), rel=1e-12)
    np.testing.assert_allclose(res.jac, 0.5 * jac(res.x), atol=1e-6)


def test_errors_of_a_fit_are_along_the_constraint():
    """y = a + b t with a + b = 3 is a fit of b alone."""
    t, rng = np.linspace(0, 1, 30), np.random.default_rng(1)
    data = 1 + 2 * t + 0.1 * rng.standard_normal(30)
    design = np.column_stack([np.ones(30), t])

    def run(constraints):
        return levenberg_marquardt(
            lambda p: design @ p - data, [0, 0], jac=lambda p: design, constraints=constraints
        )

    slope = t - 1
    b = slope @ (data - 3) / (slope @ slope)
    left = data - 3 - slope * b
    error = np.sqrt(left @ left / 29 / (slope @ slope))
    same_line = NonlinearConstraint(lambda p: p[0] + p[1], 3, 3)
    for constraints in (linear([[1, 1]], 3, 3), same_line):
        res = run(constraints)
        np.testing.assert_allclose(res.x, [3 - b, b], atol=1e-6)
        np.testing.assert_allclose(res.stderr, error, rtol=1e-5)
    loose = run(linear([[1, 1]], -np.inf, 9))
    plain = levenberg_marquardt(lambda p: design @ p - data, [0, 0], jac=lambda p: design)
    np.testing.assert_allclose(loose.stderr, plain.stderr, rtol=1e-5)


# --- bad input


def never(x):
    raise AssertionError("the function was called before the input was checked")


LC, NC = LinearConstraint, NonlinearConstraint
BAD = [
    (3, TypeError, "`constraints` must be a LinearConstraint, a NonlinearConstraint, a dict, or"),
    ([3], TypeError, "`constraints` must be a LinearConstraint, a NonlinearConstraint or a dict"),
    ([disk(), None], TypeError, "`constraints[1]` must be a LinearConstraint"),
    (LC([[1, 1, 1]], 0, 1), ValueError, "`constraints`: `A` must have 2 columns"),
    ([disk(), LC([[1]], 0, 1)], ValueError, "`constraints[1]`: `A` must have 2 columns"),
    (LC([[np.nan, 1]], 0, 1), ValueError, "`constraints`: `A` must be finite"),
    (LC(sparse.csr_array([[np.inf, 1]]), 0, 1), ValueError, "`constraints`: `A` must be finite"),
    (LC([[1, 1]], 1, 0), ValueError, "`lb` must not be above `ub`, got 1 and 0 for row 0"),
    (LC([[1, 1]], np.nan, 0), ValueError, "`constraints`: `lb` must not contain NaN"),
    (
        NC(square, 0, [1, 2]),
        ValueError,
        "`constraints`: `ub` must be a number or an array with one for",
    ),
    (NC(square, "a", 1), TypeError, "`constraints`: `lb` must be real numbers"),
    (LC([[1, 1]], np.inf, np.inf), ValueError, "`constraints` cannot be satisfied"),
    (NC(3, 0, 1), TypeError, "`constraints`: `fun` must be callable"),
    (NC(square, 0, 1, jac="4-point"), ValueError, "`constraints`: `jac` must be callable or one"),
    (
        NC(square, 0, 1, finite_diff_rel_step=[1, 2, 3]),
        ValueError,
        "`constraints`: `finite_diff_rel_step` must be a number or an array with one per parameter",
    ),
    ({"fun": square}, ValueError, "`constraints`: 'type' must be 'eq' or 'ineq', got None"),
    ({"type": "le", "fun": square}, ValueError, "`constraints`: 'type' must be 'eq' or 'ineq'"),
    ({"type": "eq"}, TypeError, "`constraints`: `fun` must be callable"),
    ([disk(), NC(lambda x: "a", 0, 1)], TypeError, "`constraints[1]` must return real numbers"),
    (NC(lambda x: 1j * x[0], 0, 1), TypeError, "`constraints` must return real numbers"),
    (
        NC(lambda x: np.eye(2), 0, 1),
        ValueError,
        "`constraints` must return a number or a one-dimensional array",
    ),
    (LC([[1, 0], [2, 0]], [1, 4], [1, 4]), ValueError, "`constraints` contradicts other bounds"),
    ([disk(), LC([0, 0], 1, 1)], ValueError, "`constraints[1]` contradicts `bounds`"),
    (
        [LC([[1, 1]], 1, 1), LC([[1, 1]], 2, 2)],
        ValueError,
        "the equations of `constraints[0]`, `constraints[1]` contradict each other",
    ),
    (NC(square, 1, 2, keep_feasible=True), ValueError, "`x0` must be strictly feasible for"),
    (
        NC(square, 0, 2, keep_feasible=[True, False]),
        ValueError,
        "`constraints`: `keep_feasible` must be True or False, or an array with one for",
    ),
]


@pytest.mark.parametrize(
    ("constraints", "error", "message"),
    [pytest.param(*row, id=f"{k}") for k, row in enumerate(BAD)],
)
def test_bad_constraints(constraints, error, message):
    with pytest.raises(error, match=re.escape(message)):
        solve(constraints, f=never, g=never)


def test_rows_that_no_point_within_the_bounds_can_meet():
    message = r"`constraints\[1\]` contradicts `bounds`: within them, row 1 lies between"
    rows = LC([[1, 0.5], [1, 1]], [-9, 3], 9)
    with pytest.raises(ValueError, match=message):
        solve([disk(), rows], f=never, g=never, bounds=[(0, 1), (0, 1)])
    with pytest.raises(ValueError, match=r"x\[0\] would have to be at least 2 and at most 1"):
        solve(LC([[1, 0]], 2, 9), f=never, g=never, bounds=[(0, 1), (0, 1)])


@pytest.mark.parametrize(
    ("J", "error", "message"),
    [
        (lambda x: np.ones((1, 3)), ValueError, r"must have shape \(2, 2\), got shape \(1, 3\)$"),
        (lambda x: np.ones((2, 3)), ValueError, r"must have shape \(2, 2\), got shape \(2, 3\)$"),
        (lambda x: sparse.eye_array(3), ValueError, r"must have shape \(2, 2\), got shape \(3, 3"),
        (lambda x: "a", TypeError, r"the Jacobian of `constraints\[1\]` must be real"),
        (lambda x: 1j * np.eye(2), TypeError, r"the Jacobian of `constraints\[1\]` must be real"),
    ],
)
def test_bad_jacobians(J, error, message):
    c = NonlinearConstraint(lambda x: [x[0], x[1] ** 2], -9, 9, jac=J)
    with pytest.raises(error, match=message):
        solve([disk(), c])


def test_a_jacobian_that_is_transposed_is_told():
    c = NonlinearConstraint(lambda x: [x[0], x[1], x @ x], -9, 9, jac=lambda x: np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"`constraints` must have shape \(3, 2\).*\(transposed\?\)$"
    ):
        solve(c)


def test_values_that_change_in_number():
    calls = []

    def c(x):
        calls.append(x)
        return np.ones(1 + (len(calls) > 3))

    with pytest.raises(ValueError, match="`constraints` must always return the same number"):
        solve(NonlinearConstraint(c, 0, 0.5))


def test_check_grad_names_constraint_and_row():
    wrong = NonlinearConstraint(
        lambda x: [x[0], x[1] ** 2], -9, 9, jac=lambda x: np.array([[1, 0], [0, x[1]]])
    )
    with pytest.raises(GradientError, match=r"`constraints\[1\]`: the Jacobian, row 1"):
        solve([disk(), wrong], check_grad=True)
    with pytest.raises(GradientError, match="gradient check: wrong"):
        solve(disk(), g=lambda x: -jac(x), check_grad=True)
    plain, checked = (solve([disk(), circle()], check_grad=check) for check in (False, True))
    assert plain.x.tobytes() == checked.x.tobytes()


@pytest.mark.parametrize(
    ("each", "options", "message"),
    [
        (gd, {"batch_size": 2}, "`batch_size` cannot be combined with `constraints`"),
        (gd, {"averaging": "polyak"}, "`averaging` cannot be combined with `constraints`"),
        (adam, {"weight_decay": 0.1}, "`weight_decay` cannot be combined with `constraints`"),
        (gd, {"learning_rate": "polyak", "target": 0}, "polyak.* with `constraints`"),
        (levenberg_marquardt, {"loss": "huber"}, "`loss` cannot be combined with `constr"),
        (lbfgs, {"clip_norm": 1.0}, "`clip_norm` cannot be used with lbfgs"),
        (lbfgs, {"ctol": 0}, "`ctol` must be above 0"),
        (gd, {"compiled": True}, "`compiled=True` is not possible"),
    ],
)
def test_options_that_do_not_go_together(each, options, message):
    with pytest.raises(ValueError, match=message):
        each(never, X0, jac=never, constraints=disk(), **options)


# --- around it


@pytest.mark.parametrize("how", [{"x_scale": [1, 100.0]}, {"x_scale": "auto"}, {"workers": map}])
@pytest.mark.parametrize("form", ["list", "an equation", "nonlinear"])
def test_with_other_options(form, how):
    constraints, x, y = FORMS[form]
    for gradient in (jac, None):
        right(solve(constraints, g=gradient, **how), x, y)


def test_basinhopping():
    def f(x):
        return fun(x) + 0.5 * np.sin(8 * x).sum()

    res = basinhopping(
        f,
        X0,
        niter=4,
        rng=0,
        minimizer_kwargs={"method": lbfgs, "constraints": [disk(), linear([[1, 1]], 0, 9)]},
    )
    assert res.x @ res.x <= 1 + 1e-5
    assert res.lowest_optimization_result.success


def test_runs_do_not_know_of_each_other():
    alone = [solve(FORMS[form][0], g=None) for form in FORMS]
    found = {}

    def run(k, form):
        found[k] = solve(FORMS[form][0], g=None)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(FORMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, res in enumerate(alone):
        same(found[k], res)


@pytest.mark.parametrize("each", [cg_descent, spg, lbfgs], ids=lambda m: m.__name__)
def test_the_middle_of_the_circle_is_a_start(each):
    """There the gradient of the constraint vanishes, and tells nothing of its size."""
    for one in (disk(), disk(jac="2-point")):
        right(solve(one, each, x0=[0, 0]), ON_CIRCLE, [PULL])
    res = solve(disk(), adam, x0=[0, 0])
    right(res, ON_CIRCLE, [PULL])
    assert res.nfev < 1000
