"""Error bars, against certified values, other programs and what is known in closed form."""

import pickle
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import (
    Bounds,
    OptimizeResult,
    OptimizeWarning,
    brentq,
    curve_fit,
    least_squares,
    minimize,
)
from scipy.special import expit

from scipy_gd import lbfgs, plot, uncertainty
from scipy_gd._covariance import rounded
from scipy_gd.curvature import jacobian

mpl.use("agg")
import matplotlib.pyplot as plt

RNG = np.random.default_rng(0)
SIZES = 10.0 ** np.array([-9, -4, 0, 5, 9])
MIXED = RNG.normal(size=(8, 5))
T = np.linspace(0, 10, 60)
Y = 5 * np.exp(-T / 3) + 0.5 + 0.02 * RNG.normal(size=T.size)
COUNTS = RNG.poisson(20 * np.exp(-T / 3) + 2 * np.exp(-0.5 * ((T - 5) / 0.5) ** 2) + 1)
X = RNG.normal(size=(300, 10))
LABELS = RNG.random(300) < expit(X @ RNG.normal(size=10) / 2)

MISRA = np.array([
    [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760],
    [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.4, 75.47,
     81.78],
])  # fmt: skip
CERTIFIED = np.array([[2.3894212918e02, 5.5015643181e-04], [2.7070075241e00, 7.2668688436e-06]])


class Counted:
    def __init__(self, fun):
        self.fun, self.calls = fun, 0

    def __call__(self, x, *args):
        self.calls += 1
        return self.fun(x, *args)


def decay(x, a, b, c):
    return a * np.exp(-x / b) + c


def residuals(p):
    return (decay(T, *p) - Y) / 0.02


def residuals_jac(p):
    e = np.exp(-T / p[1])
    return np.column_stack([e, p[0] * e * T / p[1] ** 2, np.ones_like(T)]) / 0.02


def half_chi2(p):
    return residuals(p) @ residuals(p) / 2


def misra(b):
    return b[0] * (1 - np.exp(-b[1] * MISRA[0])) - MISRA[1]


def misra_jac(b):
    e = np.exp(-b[1] * MISRA[0])
    return np.column_stack([1 - e, b[0] * MISRA[0] * e])


def poisson(p):
    mu = p[0] * np.exp(-T / p[1]) + p[2] * np.exp(-0.5 * ((T - 5) / 0.5) ** 2) + p[3]
    return np.sum(mu - COUNTS * np.log(mu)) if np.all(mu > 0) else np.inf


def logistic(w):
    z = X[:, : w.size] @ w
    return np.sum(np.logaddexp(0, z) - LABELS * z)


def logistic_jac(w):
    return X[:, : w.size].T @ (expit(X[:, : w.size] @ w) - LABELS)


def logistic_hess(w):
    p = expit(X[:, : w.size] @ w)
    return X[:, : w.size].T @ (X[:, : w.size] * (p * (1 - p))[:, np.newaxis])


def parabola(x, sizes=SIZES, curved=MIXED.T @ MIXED):
    z = x / sizes - 10.0
    return 50.0 + z @ curved @ z / 2


BEST = least_squares(residuals, [5, 3, 0.5], xtol=1e-14, ftol=1e-14, gtol=1e-14).x


def exact(H, sizes):
    """The inverse of a matrix in mixed units."""
    return np.linalg.inv(H * np.outer(sizes, sizes)) * np.outer(sizes, sizes)


def fitted(fun, start, **options):
    return minimize(fun, start, method=lbfgs, tol=1e-7, **options)


# Closed form, certified values


@pytest.mark.parametrize("which", ["values", "jac", "both", "hess", "jac, hess"])
def test_a_parabola_in_all_units(which):
    H = MIXED.T @ MIXED / np.outer(SIZES, SIZES)
    x = 10 * SIZES

    def jac(x):
        return H @ (x - 10 * SIZES)

    options = {"jac": jac} if "jac" in which else {}
    options |= {"hess": lambda x: H} if "hess" in which else {}
    fun = parabola
    if which == "both":
        options, fun = {"jac": True}, lambda x: (parabola(x), jac(x))
    fit = uncertainty(fun, x, **options)
    known = exact(H, SIZES)
    assert_allclose(fit.stderr, np.sqrt(np.diag(known)), rtol=1e-6)
    assert_allclose(fit.covariance / np.outer(fit.stderr, fit.stderr), fit.correlation, atol=1e-12)
    assert_allclose(fit.correlation, known / np.sqrt(np.outer(*2 * [np.diag(known)])), atol=1e-6)
    assert_allclose(fit.hessian / H, 1, rtol=1e-4)
    assert fit.edm < 1e-10
    assert fit.notes == ()
    assert fit.nhev == ("hess" in which)
    assert (fit.njev > 0) == (which in ("jac", "both", "jac, hess"))
    assert_allclose((fit.profile() - fit.interval()) / fit.stderr[:, np.newaxis], 0, atol=1e-3)


def test_a_gradient_is_enough_and_costs_two_calls_for_each_parameter():
    fun, jac = Counted(logistic), Counted(logistic_jac)
    w = minimize(logistic, np.zeros(10), jac=logistic_jac, method=lbfgs, tol=1e-8).x
    fit = uncertainty(fun, w, jac=jac)
    assert_allclose(fit.covariance, np.linalg.inv(logistic_hess(w)), rtol=1e-6, atol=1e-9)
    assert fit.nfev == fun.calls == 1
    assert fit.njev == jac.calls <= 22


@pytest.mark.parametrize("jac", [None, misra_jac])
def test_misra1a_has_the_certified_standard_deviations(jac):
    b, deviations = CERTIFIED
    fit = uncertainty(misra, b, jac=jac, kind="least_squares")
    assert_allclose(fit.stderr, deviations, rtol=1e-8)
    assert np.sqrt(fit.up) == pytest.approx(1.0187876330e-01, rel=1e-9)  # certified, too
    assert fit.dof == 12
    assert fit.fun == pytest.approx(1.2455138894e-01, rel=1e-9)


def test_a_poisson_mean():
    """N +- sqrt(N), and the ends of the profile from their equation."""
    N = 9
    fit = uncertainty(lambda p: p[0] - N * np.log(p[0]), [9.0], bounds=[(1e-3, None)])
    assert fit.stderr[0] == pytest.approx(3, rel=1e-6)

    def rise(mu):
        return mu - N - N * np.log(mu / N) - 0.5

    ends = [brentq(rise, 1, 9), brentq(rise, 9, 20)]
    assert_allclose(fit.profile(0.6826894921)[0], ends, atol=1e-3)
    assert_allclose(fit.interval(0.6826894921)[0], [6, 12], rtol=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.6827, 0.95, 0.999])
def test_the_profile_of_a_lifetime(level):
    """n (log u + 1 / u - 1) = q**2 / 2 with u = tau / mean."""
    from scipy.stats import chi2

    n, mean = 20, 3e-6
    fit = uncertainty(lambda p: n * np.log(p[0]) + n * mean / p[0], [mean], bounds=[(1e-9, None)])

    def rise(u):
        return n * (np.log(u) + 1 / u - 1) - chi2.ppf(level, 1) / 2

    ends = [mean * brentq(rise, 0.1, 1), mean * brentq(rise, 1, 20)]
    assert_allclose(fit.profile(level)[0], ends, rtol=2e-4)


# Other programs


@pytest.mark.parametrize("jac", [None, lambda x, a, b, c: residuals_jac([a, b, c]) * 0.02])
def test_curve_fit(jac):
    for absolute in (False, True):
        best, covariance = curve_fit(
            decay, T, Y, [5, 3, 0.5], np.full(60, 0.02), absolute, jac=jac, xtol=1e-12, method="trf"
        )
        fit = uncertainty(residuals, best, kind="chi2" if absolute else "least_squares")
        # chi2 has the curvature of the model, too; the differences of curve_fit are coarse
        assert_allclose(
            fit.covariance, covariance, rtol=0.03 if absolute else 1e-6 if jac else 1e-3
        )


def test_curve_fit_of_a_straight_line_in_both_kinds():
    line = lambda x, a, b: a + b * x  # noqa: E731
    x, y = T, 3 + 2 * T + RNG.normal(size=60)
    for absolute, kind in ((True, "chi2"), (False, "least_squares")):
        best, covariance = curve_fit(line, x, y, sigma=np.full(60, 0.7), absolute_sigma=absolute)
        fit = uncertainty(lambda p: (line(x, *p) - y) / 0.7, best, kind=kind)
        assert_allclose(fit.covariance, covariance, rtol=1e-6)
        total = uncertainty(lambda p: np.sum((line(x, *p) - y) ** 2) / 0.49, best, kind="chi2")
        if absolute:
            assert_allclose(total.covariance, covariance, rtol=1e-6)
            assert fit.fun == pytest.approx(total.fun)


def minuit(fun, x, errordef=0.5):
    iminuit = pytest.importorskip("iminuit")
    m = iminuit.Minuit(lambda p: fun(p), x)
    m.errordef, m.strategy, m.tol = errordef, 2, 1e-5
    m.migrad()
    return m


SMOOTH = {
    "decay": (half_chi2, BEST),
    "poisson": (poisson, np.array([20, 3, 2, 1.0])),
    "logistic, 3": (logistic, np.zeros(3)),
    "logistic, 10": (logistic, np.zeros(10)),
    "parabola": (parabola, 10 * SIZES),
}


@pytest.mark.parametrize(("fun", "start"), SMOOTH.values(), ids=SMOOTH)
def test_hesse_with_no_more_calls(fun, start):
    m = minuit(fun, start)
    x = np.array(m.values)
    again = minuit(fun, x)
    m.strategy = 1
    cold = type(m)(lambda p: fun(p), x)
    cold.errordef = 0.5
    cold.hesse()
    fit = uncertainty(Counted(fun), x)
    assert fit.nfev == fit._fit.objective.fun.calls <= cold.nfcn
    again.hesse()
    assert_allclose(fit.stderr, again.errors, rtol=1e-2)  # as accurate as HESSE is
    assert_allclose(fit.correlation, again.covariance.correlation(), atol=0.01)


@pytest.mark.parametrize(("fun", "start"), [*SMOOTH.values()][:3], ids=[*SMOOTH][:3])
@pytest.mark.parametrize("kind", ["nll", "chi2"])
def test_minos(fun, start, kind):
    m = minuit(fun, start)
    m.minos(cl=0.9)
    x = np.array(m.values)
    ends = [[v + e.lower, v + e.upper] for v, e in zip(x, m.merrors.values(), strict=True)]
    c = fun if kind == "nll" else lambda p: 2 * fun(p)
    found = uncertainty(c, x, kind=kind).profile(0.9)
    scale = np.array(m.errors)[:, np.newaxis]
    assert_allclose(found / scale, np.array(ends) / scale, atol=2e-3)


def test_the_profile_of_residuals_is_that_of_their_sum():
    for options in ({}, {"jac": residuals_jac}):
        vector = uncertainty(residuals, BEST, kind="chi2", **options)
        assert_allclose(vector.stderr, uncertainty(half_chi2, BEST).stderr, rtol=1e-4)
        assert_allclose(vector.profile(0.95), uncertainty(half_chi2, BEST).profile(0.95), rtol=1e-4)


@pytest.mark.parametrize("jac", [None, misra_jac])
def test_lmfit_finds_the_same_profile(jac):
    lmfit = pytest.importorskip("lmfit")
    p = lmfit.Parameters()
    p.add("b1", 250)
    p.add("b2", 5e-4)
    minimizer = lmfit.Minimizer(lambda p: misra([p["b1"].value, p["b2"].value]), p)
    intervals = lmfit.conf_interval(minimizer, minimizer.leastsq(), sigmas=[0.95])
    theirs = [[ends[0][1], ends[-1][1]] for ends in intervals.values()]
    fit = uncertainty(misra, CERTIFIED[0], jac=jac, kind="least_squares")
    assert_allclose(fit.profile(0.95), theirs, rtol=2e-5)
    t = 2.178812829667  # of Student's distribution, 12 degrees of freedom
    assert_allclose(fit.interval(0.95).T, fit.x + np.outer([-t, t], fit.stderr), rtol=1e-9)


def test_the_profile_is_that_of_bates_and_watts():
    """At its ends the sum of squares, minimised over the other parameter, is up t**2 higher."""
    fit = uncertainty(misra, CERTIFIED[0], kind="least_squares", parameter_names=["b1", "b2"])
    t = 2.178812829667
    for b2 in fit.profile(0.95, "b2")[0]:
        basis = 1 - np.exp(-b2 * MISRA[0])
        least = np.sum((MISRA[1] - basis * (basis @ MISRA[1]) / (basis @ basis)) ** 2)
        assert least == pytest.approx(fit.fun + fit.up * t**2, rel=1e-4)


# Accuracy where it is difficult


def test_a_polynomial_with_large_correlations():
    """Eigenvalues from 1e-7 to 5: second differences alone would see noise."""
    P = np.vander(np.linspace(0, 1, 40), 7)
    y = P @ RNG.normal(size=7) + 0.1 * RNG.normal(size=40)
    best = np.linalg.lstsq(P, y, rcond=None)[0]
    known = np.sqrt(np.diag(0.01 * np.linalg.inv(P.T @ P)))
    for fun, kind in (
        (lambda p: np.sum((P @ p - y) ** 2) / 0.02, "nll"),
        (lambda p: (P @ p - y) / 0.1, "chi2"),
    ):
        fit = uncertainty(fun, best, kind=kind)
        assert_allclose(fit.stderr, known, rtol=1e-3)
        assert fit.notes == ()


def test_residuals_that_are_nearly_zero():
    """NIST's Lanczos problems: data of 12 digits, and three exponentials."""
    t = np.linspace(0, 1.15, 24)
    b = np.array([0.0951, 1, 0.8607, 3, 1.5576, 5])
    y = np.round(b[0::2] @ np.exp(-np.outer(b[1::2], t)), 9)

    def r(b):
        return b[0::2] @ np.exp(-np.outer(b[1::2], t)) - y

    def jac(b):
        e = np.exp(-np.outer(b[1::2], t))
        return np.stack([e, -b[0::2, np.newaxis] * t * e], axis=1).reshape(6, -1).T

    b = least_squares(r, b, jac, xtol=1e-15, ftol=1e-15, gtol=1e-15).x
    fits = [uncertainty(r, b, kind="least_squares", jac=j) for j in (None, jac)]
    R = np.linalg.qr(jac(b))[1]
    known = np.linalg.norm(np.linalg.inv(R), axis=1) * np.sqrt(r(b) @ r(b) / 18)
    for fit in fits:
        assert_allclose(fit.stderr, known, rtol=1e-6)


def test_a_perfect_fit_has_no_errors():
    fit = uncertainty(lambda p: p[0] * T - 2 * T, [2.0], kind="least_squares")
    assert fit.up == fit.stderr[0] == 0
    assert_array_equal(fit.profile(), [[2, 2]])


def test_an_offset_of_the_parameters_does_no_harm():
    """A time in seconds since 1970, known to a millisecond."""
    start = 1.7e9
    fit = uncertainty(lambda p: 3.0 + ((p[0] - start) / 1e-3) ** 2 / 2, [start])
    assert fit.stderr[0] == pytest.approx(1e-3, rel=1e-3)
    t = np.linspace(-0.01, 0.01, 50)
    slope, rest = 1e3 * np.cos(1e3 * t), 0.01 * np.sin(np.arange(50.0) ** 2)
    rest -= slope * (slope @ rest) / (slope @ slope)
    fit = uncertainty(
        lambda p: np.sin(1e3 * (t + (p[0] - start))) - np.sin(1e3 * t) + rest,
        [start],
        kind="least_squares",
    )
    assert fit.stderr[0] == pytest.approx(np.sqrt(fit.up / (slope @ slope)), rel=1e-2)


@pytest.mark.parametrize("size", [1e-9, 1e-4, 1, 1e5, 1e9])
@pytest.mark.parametrize("jac", [False, True])
def test_a_parameter_of_which_the_start_tells_nothing(size, jac):
    """At 0, and an odd gradient: three values on a line, however far apart."""
    fit = uncertainty(
        lambda p: 3 * np.sin(p[0] / size) ** 2 + 0.1,
        [0.0],
        jac=(lambda p: 3 * np.sin(2 * p / size) / size) if jac else None,
    )
    assert fit.stderr[0] == pytest.approx(size / 6**0.5, rel=1e-3)


def noisy(size):
    rng = np.random.default_rng(1)
    return lambda p: half_chi2(p) + size * rng.normal()


def in_float32(p):
    p, t, y = np.float32(p), np.float32(T), np.float32(Y)
    return float(np.sum(((p[0] * np.exp(-t / p[1]) + p[2] - y) / np.float32(0.02)) ** 2) / 2)


ROUGH = {
    "float32": (in_float32, 1e-2),
    "float32 value": (lambda p: float(np.float32(half_chi2(p))), 2e-3),
    "six digits": (lambda p: float(f"{half_chi2(p):.6g}"), 4e-2),
    "six digits of another size": (lambda p: float(f"{half_chi2(p) - 250:.6g}"), 8e-2),
    "1e-6": (noisy(1e-6), 2e-3),
    "1e-4": (noisy(1e-4), 2e-2),
    "1e-2": (noisy(1e-2), 0.2),
}


@pytest.mark.parametrize(("fun", "accuracy"), ROUGH.values(), ids=ROUGH)
def test_values_with_errors(fun, accuracy):
    exact = uncertainty(half_chi2, BEST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        fit = uncertainty(fun, BEST)
    off = np.abs(fit.stderr - exact.stderr)
    assert np.all(off < accuracy * exact.stderr)
    assert np.all(off < 3 * fit.stderr_error)  # and said so
    assert fit.noise > 1e-7
    ends = np.abs(fit.profile() - exact.profile())
    assert np.all(ends < 0.05 * exact.stderr[:, np.newaxis])


@pytest.mark.parametrize("seed", range(12))
def test_noise_of_a_fiftieth_of_what_counts(seed):
    """However it falls: neither undetermined, nor more certain than it is."""
    rng = np.random.default_rng(seed)
    fit = uncertainty(lambda p: half_chi2(p) + 1e-2 * rng.normal(), BEST)
    off = np.abs(fit.stderr / uncertainty(half_chi2, BEST).stderr - 1)
    assert np.all(off < 0.15)
    assert np.all(off < 3 * fit.stderr_error / fit.stderr)


@pytest.mark.parametrize("digits", [5, 6, 7, 8])
def test_rounding_is_found_however_large_the_value(digits):
    """Near the minimum, all values are the same."""
    x = fitted(poisson, [20, 3, 2, 1]).x
    assert 500 < -poisson(x) < 600
    fit = uncertainty(lambda p: float(f"{poisson(p):.{digits}g}"), x)
    assert fit.noise == pytest.approx(0.5 * 10.0 ** (3 - digits), rel=0.5)


def test_noise_that_is_known_is_not_looked_for():
    fun = Counted(noisy(1e-4))
    uncertainty(fun, BEST)
    told, asked = Counted(noisy(1e-4)), fun.calls
    fit = uncertainty(told, BEST, noise=1e-4)
    assert told.calls <= asked - 6
    assert fit.noise == 1e-4
    res = OptimizeResult(x=BEST, fun=half_chi2(BEST), noise=1e-5)
    assert uncertainty(half_chi2, res).noise == 1e-5
    other = uncertainty(lambda p: half_chi2(p) + 1.0, res)  # not what was minimised
    assert other.noise < 1e-10


def test_much_noise_is_told_of():
    rng = np.random.default_rng(0)
    with pytest.warns(OptimizeWarning, match=r"noise of `fun`, 3.0e-02, makes the error of x\["):
        fit = uncertainty(lambda p: p @ p / 2 + 0.03 * rng.normal(), np.zeros(2), noise=0.03)
    assert_allclose(fit.stderr, 1, rtol=0.3)


def test_noise_that_hides_a_parameter():
    with pytest.warns(OptimizeWarning, match="as far as can be seen through noise of 1.0e.00"):
        fit = uncertainty(half_chi2, BEST, noise=1.0)
    assert np.isinf(fit.stderr).any()


# What is not determined


def twins(p):
    return residuals([p[0] + p[3], p[1], p[2]])


@pytest.mark.parametrize("kind", ["nll", "chi2", "least_squares", "jac", "hess"])
def test_a_combination_that_is_not_determined(kind):
    names = ["a", "tau", "floor", "b"]
    options = {"parameter_names": names}
    fun = twins
    if kind in ("nll", "jac", "hess"):
        fun = lambda p: twins(p) @ twins(p) / 2  # noqa: E731
    if kind == "jac":
        options["jac"] = lambda p: (
            np.column_stack([residuals_jac([p[0] + p[3], *p[1:3]]), np.exp(-T / p[1]) / 0.02]).T
            @ twins(p)
        )
    if kind == "hess":
        J = residuals_jac(BEST)
        J = np.column_stack([J, J[:, 0]])
        options["hess"] = lambda p: J.T @ J
    options["kind"] = kind if kind in ("chi2", "least_squares") else "nll"
    x = [3.0, BEST[1], BEST[2], BEST[0] - 3]
    message = "a and b are determined only in combination: 0.71 a - 0.71 b can take any value"
    with pytest.warns(OptimizeWarning, match=message):
        fit = uncertainty(fun, x, **options)
    assert fit.notes == (message,)
    assert_array_equal(np.isinf(fit.stderr), [True, False, False, True])
    single = uncertainty(
        residuals if options["kind"] != "nll" else half_chi2, BEST, kind=options["kind"]
    )
    assert_allclose(fit.stderr[1:3], single.stderr[1:3], rtol=0.02 if kind == "hess" else 1e-3)
    assert_allclose(abs(fit.undetermined), [[0.5**0.5, 0, 0, 0.5**0.5]], atol=1e-9)
    assert fit.correlation[0, 3] == -1
    assert fit.covariance[0, 3] == -np.inf
    assert not np.isnan(fit.covariance).any()
    together = fit.propagate(lambda p: [p[0] + p[3], p[0], p[1]])
    assert_allclose(
        together.stderr[[0, 2]], single.stderr[:2], rtol=0.02 if kind == "hess" else 1e-3
    )
    assert together.stderr[1] == np.inf
    assert_array_equal(fit.profile(parameters="a"), [[-np.inf, np.inf]])
    assert_allclose(fit.profile(parameters=1), single.profile(parameters=1), rtol=1e-3)
    assert "not determined" in str(fit) and message in str(fit)


def test_a_curved_ridge_is_no_minimum_in_all_directions():
    """a b = 1: a step along the tangent leaves the ridge, so that f rises, but not by curvature."""
    with pytest.warns(OptimizeWarning, match="a and b are determined only in combination"):
        fit = uncertainty(
            lambda p: (p[0] * p[1] - 1) ** 2 / 2e-4 + p[2] ** 2 / 2,
            [1.0, 1.0, 0.0],
            parameter_names=["a", "b", "c"],
        )
    assert_array_equal(np.isinf(fit.stderr), [True, True, False])
    assert fit.stderr[2] == pytest.approx(1, rel=1e-5)
    assert fit.propagate(lambda p: p[0] * p[1]).stderr == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("kind", ["nll", "least_squares"])
def test_a_parameter_without_influence(kind):
    fun = residuals if kind == "least_squares" else half_chi2
    with pytest.warns(OptimizeWarning, match=r"^x\[3\] is not determined: `fun` does not change"):
        fit = uncertainty(lambda p: fun(p[:3]), [*BEST, 0.0], kind=kind)
    assert_array_equal(np.isinf(fit.stderr), [False, False, False, True])
    assert_allclose(fit.stderr[:3], uncertainty(fun, BEST, kind=kind).stderr, rtol=1e-6)


def test_a_saddle_is_no_minimum():
    with pytest.warns(
        OptimizeWarning, match=r"`res` is not at a minimum: `fun` falls along x\[1\]"
    ):
        fit = uncertainty(lambda p: p[0] ** 2 - p[1] ** 2, [0.0, 0.0])
    assert fit.stderr[0] == pytest.approx(0.5**0.5, rel=1e-5)
    assert fit.stderr[1] == np.inf
    with pytest.warns(OptimizeWarning, match=r"falls along 0.71 x\[0\] - 0.71 x\[1\]"):
        uncertainty(lambda p: p[0] ** 2 + p[1] ** 2 + 4 * p[0] * p[1], [0.0, 0.0])


@pytest.mark.parametrize("kind", ["nll", "jac", "least_squares"])
def test_a_point_that_is_not_the_minimum_is_told_of_with_its_distance(kind):
    off = uncertainty(half_chi2, BEST).stderr * [1, 0, 0]
    fun = residuals if kind == "least_squares" else half_chi2
    options = {"jac": lambda p: residuals_jac(p).T @ residuals(p)} if kind == "jac" else {}
    options["kind"] = "least_squares" if kind == "least_squares" else "nll"
    with pytest.warns(OptimizeWarning, match="`res` is not at a minimum: `fun` can fall by about"):
        fit = uncertainty(fun, BEST + off, **options)
    assert fit.edm == pytest.approx(fit.fun - uncertainty(fun, BEST, kind=fit.kind).fun, rel=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        uncertainty(fun, BEST + 0.03 * off, **options)


def test_a_lower_minimum_on_the_way_is_told_of():
    def two(p):
        return 20 * (p[0] ** 2 - 1) ** 2 + p[0] + (p[1] - p[0]) ** 2

    right = fitted(two, [1.0, 1.0])
    fit = uncertainty(two, right)
    assert fit.profile(0.68).shape == (2, 2)
    with pytest.warns(OptimizeWarning, match="`fun` is lower by 2"):
        fit.profile_curve(0, [-1.0, 1.0])


# Bounds


def test_a_parameter_at_its_bound_is_held():
    bounds = [(0, None), (None, None), (0.6, None)]
    res = fitted(half_chi2, [5, 3, 0.7], bounds=bounds)
    assert res.x[2] == 0.6
    names = ["a", "tau", "floor"]
    fit = uncertainty(half_chi2, res, bounds=bounds, parameter_names=names)
    held = uncertainty(lambda p: half_chi2([*p, 0.6]), res.x[:2])
    assert_array_equal(fit.at_bound, [False, False, True])
    assert_allclose(fit.stderr, [*held.stderr, 0], rtol=1e-5)
    assert_array_equal(fit.hessian[2], 0)
    assert_array_equal(fit.correlation[2], [0, 0, 1])
    assert "at its bound" in str(fit)
    lower, upper = fit.profile(0.95, "floor")[0]
    assert lower == -np.inf
    assert 0.6 < upper < 0.62
    assert fit.profile_curve("floor", [upper, 0.5])[0] == pytest.approx(1.96**2, rel=1e-2)
    assert fit.profile_curve("floor", [0.5])[0] == np.inf


@pytest.mark.parametrize("kind", ["nll", "chi2", "least_squares"])
def test_no_evaluation_leaves_the_bounds(kind):
    lower, upper = BEST - [1e-4, 0.5, 2e-2], BEST + [1.0, 1e-3, 3e-3]

    def inside(p):
        assert np.all((lower <= p) & (p <= upper))
        return residuals(p) if kind != "nll" else half_chi2(p)

    bounds = Bounds(lower, upper)
    fit = uncertainty(inside, BEST, bounds=bounds, kind=kind)
    free = uncertainty(residuals if kind != "nll" else half_chi2, BEST, kind=kind)
    assert_allclose(fit.stderr, free.stderr, rtol=2e-3)
    ends = fit.profile()
    assert_array_equal(np.isinf(ends), [[True, False], [False, True], [False, True]])


@pytest.mark.parametrize("kind", ["nll", "least_squares"])
def test_what_interior_solvers_leave_at_a_bound_is_held(kind):
    """Trust-region methods stay off the bound by a little."""
    res = least_squares(residuals, [5, 3, 0.7], bounds=([0, 0, 0.6], np.inf))
    assert 0.6 < res.x[2] < 0.6 + 1e-6
    fun = residuals if kind == "least_squares" else half_chi2
    fit = uncertainty(fun, res, bounds=[(0, None), (0, None), (0.6, None)], kind=kind)
    assert_array_equal(fit.at_bound, [False, False, True])
    assert fit.stderr[2] == 0
    if kind == "least_squares":
        assert fit.dof == 58


@pytest.mark.parametrize("kind", ["nll", "jac", "least_squares"])
def test_a_parameter_much_nearer_to_a_bound_than_its_error_is_held(kind):
    """Its size says nothing: 1e-7, above a bound of 0."""
    y = 3.0 * T + np.sin(7 * T)
    r = lambda p: p[0] * T + p[1] - y  # noqa: E731
    jac = lambda p: np.array([T, np.ones_like(T)]) @ r(p)  # noqa: E731
    slope = (T @ (y - 1e-7)) / (T @ T)
    options = {"kind": "least_squares"} if kind == "least_squares" else {}
    options |= {"jac": jac} if kind == "jac" else {}
    fun = r if kind == "least_squares" else lambda p: r(p) @ r(p) / 2
    fit = uncertainty(fun, [slope, 1e-7], bounds=[(None, None), (0, None)], **options)
    assert_array_equal(fit.at_bound, [False, True])
    assert fit.stderr[0] == pytest.approx(np.sqrt(2 * fit.up * fit._fit.objective.half / (T @ T)))


def test_the_profile_of_a_parameter_while_another_is_at_its_bound():
    """The true floor is negative: along the whole profile it stays where it is."""
    y = decay(T, 5, 3, -0.5) + 0.02 * np.cos(9 * T)

    def fun(p):
        return np.sum((decay(T, *p) - y) ** 2) / 0.0008

    bounds = [(0, 10), (0, 10), (0, None)]
    res = fitted(fun, [5, 3, 0.1], bounds=bounds)
    fit = uncertainty(fun, res, bounds=bounds)
    assert_array_equal(fit.at_bound, [False, False, True])
    held = uncertainty(lambda p: fun([*p, 0.0]), res.x[:2])
    assert_allclose(fit.profile(0.9, [0, 1]), held.profile(0.9), atol=1e-3 * held.stderr.min())


@pytest.mark.parametrize("which", ["values", "noise", "jac"])
def test_second_differences_beside_a_bound(which):
    """0.05 and 0.011 errors from it, alone and along an axis that is 1000 times as long.

    With noise, the room of the latter would not be enough.
    """
    r = 1 - (1e-4 if which == "noise" else 1e-6)
    H = np.array([[1, r, 0], [r, 1, 0], [0, 0, 1]])
    bounds = [(-0.011, 9), (-9, 0.05), (-0.05, 1)]
    bounds[:2] = [(-np.inf, np.inf)] * 2 if which == "noise" else bounds[:2]
    lower, upper = np.transpose(bounds)

    def inside(p):
        assert np.all((lower <= p) & (p <= upper))
        return p

    fit = uncertainty(
        lambda p: inside(p) @ H @ p / 2,
        np.zeros(3),
        bounds=bounds,
        jac=(lambda p: H @ inside(p)) if which == "jac" else None,
        noise=1e-4 if which == "noise" else None,
    )
    assert not fit.at_bound.any()
    assert_allclose(fit.stderr, np.sqrt(np.diag(np.linalg.inv(H))), rtol=1e-3)


def test_differences_at_a_bound_are_as_accurate():
    for low, high in ((1.0, 2.0), (0.0, 1.0), (1.0 - 1e-6, 2.0), (0.0, 1.0 + 1e-6)):
        box = np.array([low]), np.array([high])
        seen = []

        def f(x, seen=seen):
            seen.append(x[0])
            return np.exp(100 * (x - 1))

        (slope,) = jacobian(f, np.ones(1), np.ones(1), box)
        assert slope[0] == pytest.approx(100, rel=1e-6)
        assert low <= min(seen) and max(seen) <= high


def test_fixed_parameters():
    fit = uncertainty(half_chi2, BEST, bounds=[(None, None), (BEST[1], BEST[1]), (None, None)])
    assert fit.stderr[1] == 0
    assert "fixed" in str(fit)
    assert_array_equal(fit.profile(parameters=1), [[BEST[1], BEST[1]]])
    J = residuals_jac(BEST)[:, [0, 2]]
    known = np.sqrt(np.diag(np.linalg.inv(J.T @ J)))
    assert_allclose(fit.stderr[[0, 2]], known, rtol=1e-5)
    every = uncertainty(half_chi2, BEST, bounds=np.column_stack([BEST, BEST]))
    assert_array_equal(every.covariance, 0)
    assert every.propagate(np.sum).stderr == 0


def test_a_domain_is_respected_without_bounds():
    """Exceptions and NaN outside of it are no obstacle."""
    import math

    N = 1
    fit = uncertainty(lambda p: p[0] - N * math.log(p[0]), [1.0])
    assert fit.stderr[0] == pytest.approx(1, rel=1e-4)
    assert_allclose(fit.profile()[0], [0.3018, 2.3579], atol=1e-3)


# Propagation


def test_propagation():
    fit = uncertainty(half_chi2, BEST)
    value, error, variance = fit.propagate(lambda p: p[0] * np.exp(-1 / p[1]) + p[2])
    e = np.exp(-1 / BEST[1])
    g = np.array([e, BEST[0] * e / BEST[1] ** 2, 1])
    assert value == decay(1, *BEST)
    assert error == pytest.approx(np.sqrt(g @ fit.covariance @ g), rel=1e-6)
    assert variance == pytest.approx(error**2)
    same = fit.propagate(lambda p: p)
    assert_allclose(same.covariance, fit.covariance, rtol=1e-6)
    assert_allclose(same.stderr, fit.stderr, rtol=1e-6)
    scaled = uncertainty(parabola, 10 * SIZES).propagate(lambda p: p / SIZES)
    assert_allclose(scaled.covariance, np.linalg.inv(MIXED.T @ MIXED), rtol=1e-5)
    for wrong, message in (
        (lambda p: "a", "`f` must return"),
        (lambda p: np.eye(3), "`f` must return"),
        (lambda p: np.nan, "`f` must be finite"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            fit.propagate(wrong)
    with pytest.raises(TypeError, match="`f` must be callable, got 3"):
        fit.propagate(3)


# Arguments


@pytest.mark.parametrize("solver", ["BFGS", "Nelder-Mead", "L-BFGS-B", lbfgs])
def test_the_result_of_any_solver(solver):
    res = minimize(half_chi2, [5, 3, 0.5], method=solver, options={"maxiter": 2000})
    before = res.x.copy()
    fit = uncertainty(half_chi2, res)
    assert_allclose(fit.stderr, uncertainty(half_chi2, list(res.x)).stderr, rtol=1e-5)
    assert_array_equal(res.x, before)
    assert res.x.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        fit.x[0] = 3


def test_args_are_passed_on_and_nothing_is_changed():
    def fun(x, size, name):
        assert name == "n"
        x[:] = size * (x - 1)
        return x @ x / 2

    fit = uncertainty(fun, np.ones(2), args=(4.0, "n"))
    assert_allclose(fit.stderr, 0.25, rtol=1e-6)
    assert_allclose(fit.profile(), [[0.75, 1.25]] * 2, rtol=1e-3)
    fit = uncertainty(lambda x, s: s * x @ x, np.zeros(2), args=2.0)
    assert_allclose(fit.stderr, 0.5, rtol=1e-6)


BAD = [
    (("fun", 3), TypeError, "`fun` must be callable, got 3"),
    (("jac", "2-point"), TypeError, "`jac` must be callable, True or None, got '2-point'"),
    (("hess", True), TypeError, "`hess` must be callable or None, got True"),
    (("kind", "mle"), ValueError, "`kind` must be one of 'nll', 'chi2', 'least_squares', got"),
    (("res", "a"), TypeError, "`res` must be real numbers, got 'a'"),
    (("res", [[1.0]]), ValueError, "`res` must be one-dimensional"),
    (("res", [1.0, np.nan, 0]), ValueError, "`res` must be finite"),
    (("bounds", [(0, 1)]), ValueError, "number of bounds"),
    (("bounds", [(9, None)] + 2 * [(None, None)]), ValueError, r"`res` is outside the bounds"),
    (("parameter_names", ["a", "b"]), ValueError, "`parameter_names` must be 3 different strings"),
    (("parameter_names", "abc"), ValueError, "`parameter_names` must be 3 different strings"),
    (("parameter_names", ["a", "a", "b"]), ValueError, "`parameter_names` must be 3 different"),
    (("noise", -1), ValueError, "`noise` must be at least 0"),
    (("noise", "no"), TypeError, "`noise` must be a number"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD)
def test_bad_arguments_are_named_before_any_work(bad, error, message):
    fun = Counted(half_chi2)
    given = {"fun": fun, "res": BEST} | {bad[0]: bad[1]}
    with pytest.raises(error, match=message):
        uncertainty(given.pop("fun"), given.pop("res"), **given)
    assert fun.calls == 0


@pytest.mark.parametrize(
    ("fun", "options", "error", "message"),
    [
        (residuals, {}, ValueError, "must return a scalar"),
        (half_chi2, {"kind": "least_squares"}, ValueError, "vector of m > 1 residuals"),
        (lambda p: np.eye(3), {"kind": "chi2"}, ValueError, r"got shape \(3, 3\)"),
        (lambda p: "a", {"kind": "chi2"}, TypeError, "must return a scalar"),
        (lambda p: residuals(p)[:3], {"kind": "least_squares"}, ValueError, "more residuals than"),
        (lambda p: np.inf, {}, ValueError, "`fun` must be finite at `res`"),
        (half_chi2, {"jac": lambda p: p[:2]}, ValueError, r"`jac` must return .* shape \(3,\)"),
        (half_chi2, {"hess": lambda p: p}, ValueError, r"`hess` must return a real matrix"),
        (half_chi2, {"jac": True}, TypeError, r"`fun` must return \(value, derivative\)"),
        (
            residuals,
            {"jac": lambda p: np.eye(3), "kind": "least_squares"},
            ValueError,
            r"`jac` must return the Jacobian of the residuals, shape \(60, 3\), got shape \(3, 3\)",
        ),
        (
            residuals,
            {"hess": lambda p: np.eye(3), "kind": "least_squares"},
            ValueError,
            "`hess` is not used",
        ),
    ],
)
def test_what_functions_return_is_checked(fun, options, error, message):
    with pytest.raises(error, match=message):
        uncertainty(fun, BEST, **options)


def test_what_fun_raises_at_the_minimum_passes_through():
    def fun(p):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        uncertainty(fun, BEST)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda fit: fit.interval(1), ValueError, "`level` must be above 0 and below 1, got 1"),
        (lambda fit: fit.profile("a"), TypeError, "`level` must be a number"),
        (lambda fit: fit.profile(parameters="z"), ValueError, r"one of x\[0\], .* got 'z'"),
        (lambda fit: fit.profile(parameters=[3]), ValueError, "an index or one of .*, got 3"),
        (lambda fit: fit.profile_curve(0, "a"), TypeError, "`values` must be real numbers"),
        (lambda fit: plot.uncertainty(3), TypeError, "`fit` must be an Uncertainty, got 3"),
        (
            lambda fit: plot.uncertainty(fit, axes=[1]),
            ValueError,
            "`axes` must contain 3 x 3 axes, got 1",
        ),
    ],
)
def test_bad_arguments_of_methods(call, error, message):
    with pytest.raises(error, match=message):
        call(uncertainty(half_chi2, BEST))


# What is shown


def test_pickle():
    fit = uncertainty(half_chi2, BEST)
    again = pickle.loads(pickle.dumps(fit))
    assert str(again) == str(fit)
    assert_array_equal(again.profile(), fit.profile())


def test_the_table():
    fit = uncertainty(half_chi2, BEST, parameter_names=["a", "tau", "floor"])
    lines = str(fit).splitlines()
    assert lines[0].startswith(f"negative log-likelihood {fit.fun:.8g}, errors at a rise of 0.5")
    assert lines[0].endswith(f"calls: {fit.nfev} of fun")
    assert lines[1].split() == ["parameter", "value", "error"]
    for line, name, x, error in zip(
        lines[2:], fit.parameter_names, fit.x, fit.stderr, strict=False
    ):
        assert line.split()[0] == name
        value, shown = map(float, line.split()[1:])
        assert shown == pytest.approx(error, rel=0.05)
        assert abs(value - x) <= 0.05 * error
    r = fit.correlation
    assert f"tau, floor {r[1, 2]:+.2f}; a, " in lines[5]
    assert "<td" in fit._repr_html_()
    rows = fit.to_dicts()
    assert rows[1]["name"] == "tau"
    assert rows[1]["stderr"] == fit.stderr[1]


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (1.23456, 0.01234, ("1.235", "0.012")),
        (1.23456, 0.0996, ("1.23", "0.10")),
        (1.23456, 0.00996, ("1.235", "0.010")),
        (123456.0, 23.4, ("123456", "23")),
        (123456.0, 1234.0, ("1.235e+05", "0.012e+05")),
        (3.0, 99.6, ("0.0e+02", "1.0e+02")),
        (-2.5e-9, 1.04e-10, ("-2.50e-09", "0.10e-09")),
        (3e-12, 1.5, ("0.0", "1.5")),
        (1.23456789, 0.0, ("1.23457", "0")),
        (1.0, np.inf, ("1", "inf")),
    ],
)
def test_two_digits_of_the_error(value, error, shown):
    assert rounded(value, error) == shown


def test_the_picture(tmp_path):
    fit = uncertainty(half_chi2, BEST, parameter_names=["a", "tau", "floor"])
    figure = fit.plot(tmp_path / "corner.png")
    assert (tmp_path / "corner.png").stat().st_size > 10_000
    axes = np.reshape(figure.axes, (3, 3))
    assert [ax.get_xlabel() for ax in axes[2]] == ["a", "tau", "floor"]
    one, two = axes[1, 0].get_lines()[:2]
    for sigmas, line in ((1, one), (2, two)):  # the extents are the errors
        for data, x, s in zip(line.get_data(), fit.x, fit.stderr, strict=False):
            assert np.ptp(data) == pytest.approx(2 * sigmas * s, rel=1e-3)
            assert np.mean([data.min(), data.max()]) == pytest.approx(x, rel=1e-6)
    a, tau = one.get_data() - fit.x[:2, np.newaxis]
    assert np.sign(np.sum(a * tau)) == np.sign(fit.correlation[0, 1])
    parabola, profile, points = axes[1, 1].get_lines()[:3]
    where, height = points.get_data()
    assert_allclose(height, fit.profile_curve("tau", where), rtol=1e-6)
    assert_allclose(height, np.interp(where, *profile.get_data()), atol=0.02)
    assert_allclose(height, np.interp(where, *parabola.get_data()), atol=0.2)
    chosen = plot.uncertainty(fit, parameters=["floor", "a"], points=0)
    assert len(chosen.axes) == 4
    grid = plt.figure().subplots(2, 2)
    assert plot.uncertainty(fit, parameters=[0, 1], points=0, axes=grid) is grid[0, 0].figure
    plt.close("all")


def test_what_cannot_be_drawn():
    fit = uncertainty(half_chi2, BEST, bounds=[(None, None), (BEST[1], BEST[1]), (None, None)])
    assert len(plot.uncertainty(fit, points=0).axes) == 4
    with pytest.raises(ValueError, match="`parameters` must have finite, nonzero errors"):
        plot.uncertainty(fit, parameters=[1])
    plt.close("all")
