"""Units: the options `x_scale` and `gtol_rel`, and the remark about a start that passes `gtol`."""

import pickle

import numpy as np
import pytest
from numba import njit
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess

from scipy_gd import adam, cg_descent, gd, lbfgs, newton, random_search, spg, spsa, start
from scipy_gd._evaluate.scale import of_gradient, of_value, wrapped

START = np.array([-1.2, 1.0, 0.5])
BOX = np.array([[-1.5, 0.8], [-0.5, 2.0], [-1.0, 3.0]])
SEVERAL = [lbfgs, cg_descent, adam, newton, spg, spsa, random_search]
ESTIMATED = [spsa, random_search]  # with a `jac`, their last test is that of `gtol`
CASES = [(m, jac) for m in SEVERAL for jac in (False, True) if not (jac and m in ESTIMATED)]
UNITS = [2.0**-30, 2.0**30, np.array([2.0**-10, 1.0, 2.0**8])]


class InUnits:
    """Rosenbrock's function of x / unit, times a factor, and where it was evaluated."""

    def __init__(self, unit=1.0, factor=1.0):
        self.unit, self.factor = np.broadcast_to(unit, 3), factor
        self.points = []

    def fun(self, x, *args):
        self.points.append(x / self.unit)
        return self.factor * rosen(x / self.unit)

    def jac(self, x, *args):
        return self.factor * rosen_der(x / self.unit) / self.unit

    def both(self, x):
        return self.fun(x), self.jac(x)

    def hess(self, x):
        return self.factor * rosen_hess(x / self.unit) / np.outer(self.unit, self.unit)

    def hessp(self, x, p):
        return self.hess(x) @ p

    def run(self, method, jac=None, bounds=None, call=None, **options):
        options = {"x_scale": "auto", "maxiter": 60, "rng": 0} | options
        bounds = None if bounds is None else bounds * self.unit[:, np.newaxis]
        given = {"jac": jac, "bounds": bounds, "options": options, "callback": call}
        given |= {"hess": self.hess} if method is newton and callable(jac) else {}
        return minimize(self.fun, START * self.unit, method=method, **given)


@pytest.mark.parametrize("unit", UNITS, ids=["2^-30", "2^30", "mixed"])
@pytest.mark.parametrize("bounds", [None, BOX], ids=["free", "bounded"])
@pytest.mark.parametrize(("tested", "jac"), CASES)
def test_powers_of_two_change_no_bit(tested, jac, bounds, unit):
    plain, other = InUnits(), InUnits(unit)
    a = plain.run(tested, plain.jac if jac else None, bounds)
    b = other.run(tested, other.jac if jac else None, bounds)
    np.testing.assert_array_equal(other.points, plain.points)
    np.testing.assert_array_equal(b.x / unit, a.x)
    assert (a.nit, a.nfev, a.njev, a.nhev, a.fun) == (b.nit, b.nfev, b.njev, b.nhev, b.fun)
    assert (a.status, a.message) == (b.status, b.message)
    if "jac" in a:
        np.testing.assert_array_equal(b.jac * unit, a.jac)


@pytest.mark.parametrize("tested", [lbfgs, cg_descent, newton, spg])
@pytest.mark.parametrize("jac", [True, False], ids=["jac", "no jac"])
@pytest.mark.parametrize("factor", [2.0**-30, 2.0**30])
def test_the_unit_of_f_changes_no_bit(tested, jac, factor):
    plain, other = InUnits(), InUnits(1.0, factor)
    a = plain.run(tested, plain.jac if jac else None, maxiter=300)
    b = other.run(tested, other.jac if jac else None, maxiter=300)
    np.testing.assert_array_equal(other.points, plain.points)
    assert a.status == b.status and b.fun == factor * a.fun


@pytest.mark.parametrize("scheme", ["2-point", "3-point", "cs"])
def test_plain_differences_too(scheme):
    plain, other = InUnits(), InUnits(2.0**-20)
    a = plain.run(lbfgs, finite_diff_scheme=scheme)
    b = other.run(lbfgs, finite_diff_scheme=scheme)
    np.testing.assert_array_equal(other.points, plain.points)
    np.testing.assert_array_equal(b.x / 2.0**-20, a.x)


def test_absolute_steps_are_in_the_units_of_x():
    seen = []
    minimize(
        lambda x: seen.append(x[0]) or (x[0] - 2e-6) ** 2,
        [1e-6],
        method=gd,
        options={"finite_diff_abs_step": 3e-9, "x_scale": 1e-6, "maxiter": 0},
    )
    np.testing.assert_allclose(np.ptp(seen), 3e-9)


def test_pairs_and_products_of_hessians():
    plain, unit = InUnits(), 2.0**-30
    other = InUnits(unit)
    options = {"x_scale": "auto"}
    a = minimize(plain.both, START, jac=True, hessp=plain.hessp, method=newton, options=options)
    start = START * unit
    b = minimize(other.both, start, jac=True, hessp=other.hessp, method=newton, options=options)
    assert b.success and b.nit == a.nit
    np.testing.assert_allclose(b.x / unit, 1.0, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e9])
@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e9])
def test_all_units_are_solved(unit, factor):
    plain, other = InUnits(), InUnits(unit, factor)
    a, b = plain.run(lbfgs, maxiter=1000), other.run(lbfgs, maxiter=1000)
    assert a.success and b.success
    np.testing.assert_allclose(b.x / unit, 1.0, rtol=1e-4)
    assert b.nfev < 2.0 * a.nfev


@pytest.mark.parametrize("jac", [True, False], ids=["jac", "no jac"])
def test_a_small_and_a_large_parameter_in_one_fit(jac):
    t = np.linspace(0.0, 5e-9, 40)
    y = 3e6 * np.exp(-t / 1e-9)

    def misfit(p):
        return np.sum((p[1] * np.exp(-t / p[0]) - y) ** 2)

    def slope(p):
        e = np.exp(-t / p[0])
        residual = 2.0 * (p[1] * e - y)
        return np.array([residual @ (p[1] * e * t / p[0] ** 2), residual @ e])

    given = {"method": lbfgs, "jac": slope if jac else None}
    res = minimize(misfit, [2e-9, 1e6], options={"x_scale": "auto"}, **given)
    assert res.success
    np.testing.assert_allclose(res.x, [1e-9, 3e6], rtol=1e-4)


# --- what is known of the sizes


@pytest.mark.parametrize("unit", [1e-9, 1e-4, 1.0, 1e6])
def test_a_start_at_zero_looks_where_f_changes(unit):
    res = minimize(
        lambda x: rosen(x / unit), np.zeros(3), method=lbfgs, options={"x_scale": "auto"}
    )
    assert res.success and res.nfev < 500
    np.testing.assert_allclose(res.x / unit, 1.0, rtol=1e-3)


def test_zero_beside_a_small_one():
    unit = np.array([1e3, 1e-7])
    options = {"x_scale": "auto"}
    res = minimize(lambda x: rosen(x / unit), [0.0, 0.5e-7], method=lbfgs, options=options)
    assert res.success
    np.testing.assert_allclose(res.x / unit, 1.0, rtol=1e-3)


@pytest.mark.parametrize("x0", [[1e-20, 1e-20, 1e-20], [1e-20, 0.5, 2.0], [0.5, 0.0, 1e-15]])
def test_a_start_that_is_tiny_by_chance(x0):
    res = minimize(rosen, x0, method=lbfgs, options={"x_scale": "auto"})
    assert res.success and res.nfev < 600
    np.testing.assert_allclose(res.x, 1.0, rtol=1e-3)


def test_bounds_tell_the_size_of_a_zero():
    seen = []
    minimize(
        lambda x: seen.append(x.copy()) or float(np.sum((x * [1e6, 1e-6] - 0.3) ** 2)),
        [0.0, 0.0],
        method=lbfgs,
        bounds=[(-1e-6, 1e-6), (0, 2e6)],
        options={"x_scale": "auto", "maxiter": 1},
    )
    assert (abs(np.array(seen)) <= [1e-6, 2e6]).all()


def test_values_far_out_may_be_undefined():
    def fun(x):
        if abs(x[0]) > 1e-7:
            raise OverflowError
        return (1e8 * x[0] - 1.0) ** 2 if x[0] < 5e-8 else np.nan

    res = minimize(fun, [0.0], method=lbfgs, options={"x_scale": "auto"})
    assert res.success
    np.testing.assert_allclose(res.x, 1e-8, rtol=1e-3)


def test_what_is_not_known_is_said():
    options = {"x_scale": "auto"}
    res = minimize(lambda x: (x[0] - 1.0) ** 2, [0.5, 0.0], method=lbfgs, options=options)
    assert res.success and "parameter" not in res.message  # it has that of its neighbour
    res = minimize(lambda x: (x[0] - 1.0) ** 2, [0.0, 0.0], method=lbfgs, options=options)
    assert "no scale for parameter 1" in res.message


def test_looking_counts_and_keeps_to_the_budget():
    calls = []
    res = minimize(
        lambda x: calls.append(1) or rosen(x / 1e-9),
        np.zeros(3),
        method=lbfgs,
        options={"x_scale": "auto", "maxfev": 5},
    )
    assert res.nfev == len(calls) == 5 and res.status == 1


# --- the gradient test


@pytest.mark.parametrize("factor", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_gtol_rel_means_the_same_in_all_units(factor, offset):
    res = minimize(
        lambda x: factor * (rosen(x) + offset),
        START,
        jac=lambda x: factor * rosen_der(x),
        method=lbfgs,
        options={"gtol": 0, "gtol_rel": 1e-8, "x_scale": 1.0},
    )
    assert res.status == 0
    np.testing.assert_allclose(res.x, 1.0, rtol=1e-4)


def test_gtol_is_in_the_units_of_the_user():
    for unit in (1e-3, 1e3):
        p = InUnits(unit)
        res = p.run(cg_descent, p.jac, gtol=1e-4 / unit, maxiter=1000)
        assert res.status == 0 and abs(res.jac).max() <= 1e-4 / unit
        assert abs(p.jac(res.x) - res.jac).max() < 1e-9 / unit


def test_a_zero_gradient_is_enough():
    res = minimize(lambda x: x @ x, [0.0, 0.0], jac=lambda x: 2 * x, method=lbfgs, options={
        "x_scale": "auto"})  # fmt: skip
    assert res.success and res.nit == 0


def test_a_start_that_passes_gtol_is_remarked_upon():
    p = InUnits(1e9)
    res = minimize(p.fun, START * 1e9, jac=p.jac, method=lbfgs)
    assert res.success and res.nit == 0
    assert "`gtol_rel`" in res.message and "`x_scale`" in res.message and "times f" in res.message


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_a_minimum_at_the_start_is_not(offset):
    near = np.ones(3) + 1e-9
    for jac in (rosen_der, None):
        res = minimize(lambda x: rosen(x) + offset, near, jac=jac, method=lbfgs)
        assert res.success and "gtol_rel" not in res.message


# --- where x leaves the run


def test_all_that_users_see_is_in_their_units():
    p, unit, seen = InUnits(np.array([1e-9, 1.0, 1e6])), np.array([1e-9, 1.0, 1e6]), []

    def callback(intermediate_result):
        seen.append(intermediate_result.x)

    res = p.run(lbfgs, p.jac, call=callback, return_all=True, history=True, maxiter=20)
    np.testing.assert_array_equal(res.allvecs[0], START * unit)
    np.testing.assert_array_equal(res.allvecs[1:], seen)
    np.testing.assert_array_equal(res.history.x, res.allvecs)
    assert p.fun(res.x) == res.fun
    np.testing.assert_allclose(res.jac, p.jac(res.x), rtol=1e-12)
    np.testing.assert_allclose(res.history.gnorm[-1], abs(p.jac(res.allvecs[-1])).max())


def test_an_error_takes_the_best_point_along_in_the_units_of_x():
    p = InUnits(1e-9)

    def fun(x):
        if len(p.points) > 30:
            raise RuntimeError
        return p.fun(x)

    with pytest.raises(RuntimeError) as caught:
        minimize(fun, START * 1e-9, method=lbfgs, options={"x_scale": "auto"})
    found = caught.value.optimize_result
    assert found.fun == p.fun(found.x)


def test_held_out_data_and_averages():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 2)) * [1.0, 1e-6]
    y = X @ [2.0, 3e6]

    def loss(w, X, y):
        return np.mean((X @ w - y) ** 2)

    def slope(w, X, y):
        return 2.0 * X.T @ (X @ w - y) / len(y)

    res = minimize(
        loss,
        [1.0, 1e6],
        args=(X[:40], y[:40]),
        jac=slope,
        method=adam,
        options={
            "batch_size": 10, "epochs": 300, "learning_rate": 0.05, "x_scale": "auto", "rng": 0,
            "validation": (X[40:], y[40:]), "averaging": 0.9,
        },
    )  # fmt: skip
    np.testing.assert_allclose(res.x, [2.0, 3e6], rtol=0.02)
    np.testing.assert_allclose(min(res.validation_losses), loss(res.x, X[40:], y[40:]))


@pytest.mark.parametrize("tested", [lbfgs, adam])
def test_resumed_is_uninterrupted(tested):
    p = InUnits(np.array([1e-9, 1.0, 1e6]))
    whole = p.run(tested, maxiter=30, gtol_rel=0)
    half = p.run(tested, maxiter=12, gtol_rel=0)
    state = pickle.loads(pickle.dumps(half.state))
    rest = p.run(tested, maxiter=18, gtol_rel=0, resume=state)
    np.testing.assert_array_equal(rest.x, whole.x)
    assert rest.nfev == whole.nfev
    with pytest.raises(ValueError, match="a different `x_scale`"):
        p.run(tested, resume=state, x_scale=4.0)
    with pytest.raises(ValueError, match="with different options"):
        p.run(tested, resume=state, x_scale=None)


@pytest.mark.parametrize("jac", [True, "3-point"])
def test_ask_and_tell(jac):
    p = InUnits(2.0**-30)
    run = start(lbfgs, START * p.unit, jac=jac, x_scale="auto", maxiter=15)
    plain = InUnits()
    other = start(lbfgs, START, jac=jac, x_scale="auto", maxiter=15)
    while not run.done:
        if run.nit == 5:
            run = pickle.loads(pickle.dumps(run))
        for each, q in ((run, p), (other, plain)):
            x = each.ask()
            each.tell(q.fun(x), q.jac(x)) if jac is True else each.tell([q.fun(y) for y in x])
        np.testing.assert_array_equal(run.x, other.x * 2.0**-30)
    np.testing.assert_array_equal(p.points, plain.points)
    np.testing.assert_array_equal(run.result().x, other.result().x * 2.0**-30)
    np.testing.assert_array_equal(run.result().jac, other.result().jac * 2.0**30)


# --- compiled


def compiled_functions():
    @njit
    def fun(x, unit):
        total = 0.0
        for i in range(x.size - 1):
            a, b = x[i] / unit[i], x[i + 1] / unit[i + 1]
            total += 100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2
        return total

    @njit
    def jac(x, unit):
        g = np.zeros(x.size)
        for i in range(x.size - 1):
            a, b = x[i] / unit[i], x[i + 1] / unit[i + 1]
            g[i] += (-400.0 * a * (b - a * a) - 2.0 * (1.0 - a)) / unit[i]
            g[i + 1] += 200.0 * (b - a * a) / unit[i + 1]
        return g

    return fun, jac


FUN, JAC = compiled_functions()


@pytest.mark.parametrize("given", ["jac", "pair", "differences"])
@pytest.mark.parametrize("tested", [lbfgs, adam])
def test_the_compiled_loop_does_the_same(tested, given):
    unit = np.array([1e-9, 1.0, 1e6])
    fun, jac = (FUN, JAC) if given == "jac" else (FUN, None)
    if given == "pair":
        fun, jac = njit(lambda x, unit: (FUN(x, unit), JAC(x, unit))), True
    found = [
        minimize(fun, START * unit, args=(unit,), jac=jac, method=tested, options={
            "x_scale": "auto", "maxiter": 40, "compiled": compiled}, bounds=BOX * unit[:, None])
        for compiled in (False, True)
    ]  # fmt: skip
    np.testing.assert_allclose(found[0].x, found[1].x, rtol=1e-6)
    assert abs(found[0].nit - found[1].nit) <= 2


def test_compiled_loops_are_found_again():
    assert wrapped(of_value, FUN) is wrapped(of_value, FUN)
    assert wrapped(of_value, FUN) is not wrapped(of_gradient, FUN)


def test_wrapped_functions_can_be_sent_to_another_process():
    there = pickle.loads(pickle.dumps(wrapped(of_value, rosen)))
    assert there(START, (np.full(3, 2.0),)) == rosen(2.0 * START)


# --- what is given


@pytest.mark.parametrize(
    ("x_scale", "error", "message"),
    [
        ([1.0, 2.0], ValueError, "`x_scale` must be a number or an array with one for each"),
        ([1.0, 0.0, 1.0], ValueError, "`x_scale` must be above 0"),
        ([1.0, -1.0, 1.0], ValueError, "`x_scale` must be above 0"),
        ([1.0, np.inf, 1.0], ValueError, "`x_scale` must be above 0"),
        ([1.0, np.nan, 1.0], ValueError, "`x_scale` must be above 0"),
        (0.0, ValueError, "`x_scale` must be above 0"),
        ("jac", ValueError, "`x_scale` must be one of 'auto'"),
        (lambda t: 1.0, TypeError, "`x_scale` must be"),
    ],
)
def test_scales_are_checked(x_scale, error, message):
    with pytest.raises(error, match=message):
        minimize(rosen, START, method=lbfgs, options={"x_scale": x_scale})


def test_samples_have_no_relative_test():
    with pytest.raises(ValueError, match="`gtol_rel` compares values"):
        adam(lambda w, X: np.mean((X @ w) ** 2), [1.0], args=(np.ones((8, 1)),), batch_size=2,
             gtol_rel=1e-8, epochs=1)  # fmt: skip


def test_a_scale_of_one_changes_nothing():
    plain = minimize(rosen, START, jac=rosen_der, method=cg_descent)
    other = minimize(rosen, START, jac=rosen_der, method=cg_descent, options={"x_scale": 1.0})
    np.testing.assert_array_equal(plain.x, other.x)
    assert plain.nfev == other.nfev and plain.message == other.message


# --- noise, kinks, penalties


def test_errors_are_in_the_users_units():
    large = np.array([1e-6, 1.0, 1e4])
    lowest = 3.0 * large

    def rounded(x):
        z = (x - lowest) / large
        return float(np.float32(1.0 + z @ z))

    result = minimize(rounded, large, method=lbfgs, options={"x_scale": "auto"})
    assert result.status == 6
    assert (abs(result.x - lowest) < result.x_error).all()
    assert (result.x_error > 1e-5 * large).all() and (result.x_error < 1e-2 * large).all()
    assert (result.jac_error > 1e-7 / large).all() and (result.jac_error < 1e-2 / large).all()


SIZES = np.array([1e-6, 1.0, 1e5])


def least_absolute(x):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((40, 3)), rng.standard_normal(40)
    e = A @ (x / SIZES) - b
    return abs(e).sum(), A.T @ np.sign(e) / SIZES


@pytest.mark.parametrize("options", [{"x_scale": "auto"}, {"x_scale": SIZES}])
def test_a_minimum_at_a_kink(options):
    result = minimize(least_absolute, SIZES, jac=True, method=lbfgs, options=options)
    assert result.status == 7

    told = start(lbfgs, SIZES, **options)
    while not told.done:
        told.tell(*least_absolute(told.ask()))
    assert told.result().status == 7
    assert told.result().fun == result.fun
    assert np.array_equal(told.result().x, result.x)


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
def test_a_penalty_weighs_the_users_parameters(scale):
    def bowl(x):
        y = x / scale - np.array([1.0, 2.0])
        return y @ y

    options = {"weight_decay": 2.0 / scale**2, "x_scale": scale, "gtol": 1e-6 / scale}
    result = minimize(bowl, np.zeros(2), method=adam, options=options)
    assert result.success
    np.testing.assert_allclose(result.x / scale, [0.5, 1.0], rtol=1e-5)
    np.testing.assert_allclose(result.fun, bowl(result.x), rtol=1e-12)
    np.testing.assert_allclose(result.jac * scale, [-1.0, -2.0], rtol=1e-4)


def test_where_a_function_is_undefined():
    def half(x):
        if x[0] <= 0.0:
            raise ArithmeticError
        y = x[0] / 1e-6
        return y - np.log(y)

    options = {"undefined": ArithmeticError, "x_scale": 1e-6}
    result = minimize(half, [5e-6], method=lbfgs, options=options)
    assert result.success
    np.testing.assert_allclose(result.x, [1e-6], rtol=1e-4)


@pytest.mark.parametrize("decay", [0.5, lambda t: 0.5 / t], ids=["number", "schedule"])
def test_a_penalty_in_the_formula_weighs_the_users_parameters(decay):
    scale = 2.0**-3

    def run(unit, **options):
        told = start(adam, [3.0, -1.0], learning_rate=0.5 / unit, maxiter=5, **options)
        while not told.done:
            x = told.ask()
            told.tell(x @ x, 2.0 * x)
        return told.x

    a = run(1.0, weight_decay=decay, eps=0.0)
    b = run(scale, weight_decay=decay, eps=0.0, x_scale=scale)
    np.testing.assert_allclose(b, a, rtol=1e-12)


@pytest.mark.parametrize("x_scale", [None, "auto"])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("rate", "start"), [(1e3, 0.1), (1e3, 0.6), (50.0, 3.0), (7.0, 20.0)])
def test_a_start_that_is_too_high_by_far_is_no_reason_for_success(rate, start, given, x_scale):
    """exp(rate x) - 20 rate x from where f is 1e43 and more: a small gradient is relative there."""

    @np.errstate(over="ignore")
    def fun(x):
        return np.exp(rate * x[0]) - 20 * rate * x[0]

    @np.errstate(over="ignore")
    def jac(x):
        return rate * np.exp(rate * x) - 20 * rate

    res = minimize(
        fun, [start], jac=jac if given else None, method=lbfgs, options={"x_scale": x_scale}
    )
    lowest = 20 - 20 * np.log(20)
    close = res.fun - lowest < 1e-5
    assert close or not res.success
    assert close or res.fun < 0.5 * fun([start]) or rate * start > 500  # squares overflow


@pytest.mark.parametrize("width", [0.01, 1.0, 300.0])
@pytest.mark.parametrize("given", [False, True])
def test_an_exponential_regression_from_afar(width, given):
    """Poisson's likelihood, where the linear predictor is far too large at the start."""
    t = np.linspace(0, width, 50)
    X = np.column_stack([np.ones(50), t])
    y = np.round(np.exp(1 + t / width))

    @np.errstate(over="ignore")
    def fun(b):
        return np.sum(np.exp(X @ b) - y * (X @ b))

    @np.errstate(over="ignore")
    def jac(b):
        return X.T @ (np.exp(X @ b) - y)

    best = minimize(fun, [1.0, 1 / width], jac=jac, method=lbfgs, options={"x_scale": "auto"})
    for far in (50, 200):
        res = minimize(
            fun, [0.0, far / width], jac=jac if given else None, method=lbfgs,
            options={"x_scale": "auto"},
        )  # fmt: skip
        assert res.fun < best.fun + 1e-6 or not res.success
        assert res.fun < best.fun + 1e-3
