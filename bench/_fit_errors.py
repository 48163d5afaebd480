"""Whether errors of parameters are right: intervals on simulated data, and NIST's deviations."""

import importlib.util
import math
import re
import warnings

import numpy as np
from scipy.optimize import curve_fit, least_squares, minimize
from scipy.stats import norm, t

import scipy_gd
from bench import _nist
from bench._recorder import work
from scipy_gd import METHODS

HERE = {
    "levenberg_marquardt": "levenberg_marquardt" in METHODS,
    "uncertainty": hasattr(scipy_gd, "uncertainty"),
    "lmfit": bool(importlib.util.find_spec("lmfit")),
    "iminuit": bool(importlib.util.find_spec("iminuit")),
}


def here(contestants):
    """Those that are installed."""
    return {k: v for k, v in contestants.items() if HERE.get(re.split("[ ,]", k)[0], True)}


# --- coverage

LEVELS = (0.68, 0.95)
TRUTH = np.array([2.0, 1.0, 0.5])
X = np.linspace(0, 5, 20)
NOISE = 0.1
EXPOSURE = 30  # counts are so many times the curve


def decay(b, x):
    return b[0] * np.exp(-b[1] * x) + b[2]


def decay_slopes(b, x):
    e = np.exp(-b[1] * x)
    return e, -b[0] * x * e, np.ones_like(x)


def coverage(draws=1000):
    """The shares of intervals with the truth inside, all parameters: (kind, contestant) -> levels.

    An interval is x -/+ a quantile times the standard error: Student's where the noise is
    estimated with the parameters, else the normal one.
    """
    kinds = {"Gaussian": (gaussian_data, gaussian()), "Poisson": (poisson_data, poisson())}

    def inside(cell):
        kind, draw = cell
        make, contestants = kinds[kind]
        y = make(np.random.default_rng([68, draw]))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return {
                name: [(lo <= TRUTH) & (hi >= TRUTH) for lo, hi in intervals(y)]
                for name, intervals in contestants.items()
            }

    found = {}
    for kind, (_, contestants) in kinds.items():
        rows = work(inside, [(kind, draw) for draw in range(draws)])
        for name in contestants:
            found[kind, name] = np.mean([row[name] for row in rows], axis=(0, 2))
    return found


def gaussian_data(rng):
    return decay(TRUTH, X) + NOISE * rng.standard_normal(X.size)


def poisson_data(rng):
    return rng.poisson(EXPOSURE * decay(TRUTH, X)).astype(float)


def by_errors(x, errors, freedom=None):
    quantile = norm.ppf if freedom is None else lambda p: t.ppf(p, freedom)
    for level in LEVELS:
        half = quantile(0.5 + level / 2) * np.array(errors, float)
        yield x - half, x + half


def gaussian():
    """Contestants for normal noise of an unknown size."""
    residuals, jacobian = _nist.residuals(decay), _nist.jacobian(decay_slopes)
    start, freedom = np.array([1.0, 0.5, 0.0]), X.size - TRUTH.size

    def curve_fits(y):
        x, covariance = curve_fit(lambda x, *b: decay(b, x), X, y, start)
        return by_errors(x, np.sqrt(np.diag(covariance)), freedom)

    def lmfits(y):
        import lmfit

        model = lmfit.Model(lambda x, a, b, c: decay((a, b, c), x))
        found = model.fit(y, x=X, **dict(zip("abc", start, strict=True)))
        return by_errors(
            [p.value for p in found.params.values()],
            [p.stderr for p in found.params.values()],
            freedom,
        )

    def minuits(y):
        from iminuit import Minuit, cost

        squares = cost.LeastSquares(X, y, NOISE, lambda x, *b: decay(b, x), name=("a", "b", "c"))
        minuit = Minuit(squares, *start)
        minuit.migrad()
        minuit.hesse()
        errors = np.array(minuit.errors) * math.sqrt(minuit.fval / freedom)
        return by_errors(np.array(minuit.values), errors, freedom)

    def mine(y):
        res = minimize(residuals, start, (X, y), METHODS["levenberg_marquardt"], jacobian)
        return by_errors(res.x, res.stderr, freedom)

    return here(
        {
            "levenberg_marquardt": mine,
            "curve_fit": curve_fits,
            "lmfit": lmfits,
            "iminuit HESSE": minuits,
        }
    )


def poisson():
    """Contestants for counts, which are given the log-likelihood and its gradient."""
    start = np.array([1.5, 0.7, 0.4])

    def likelihood(k):
        def nll(b):
            mean = EXPOSURE * decay(b, X)
            return np.sum(mean - k * np.log(mean))

        def slope(b):
            mean = EXPOSURE * decay(b, X)
            return EXPOSURE * (1 - k / mean) @ np.column_stack(decay_slopes(b, X))

        return nll, slope

    def uncertainties(k):
        nll, slope = likelihood(k)
        res = minimize(nll, start, jac=slope, method=METHODS["lbfgs"])
        found = scipy_gd.uncertainty(nll, res, kind="nll")
        return [found.interval(level).T for level in LEVELS]

    def bfgs(k):
        nll, slope = likelihood(k)
        res = minimize(nll, start, jac=slope, method="BFGS")
        return by_errors(res.x, np.sqrt(np.diag(res.hess_inv)))

    def minuit(k):
        from iminuit import Minuit

        found = Minuit(likelihood(k)[0], start)
        found.errordef = Minuit.LIKELIHOOD
        return found.migrad()

    def hesse(k):
        found = minuit(k).hesse()
        return by_errors(np.array(found.values), np.array(found.errors))

    def minos(k):
        found = minuit(k)
        for level in LEVELS:
            found.minos(cl=level)
            lower, upper = np.transpose([parameter.merror for parameter in found.params])
            x = np.array(found.values)
            yield x + lower, x + upper

    return here(
        {
            "uncertainty": uncertainties,
            "iminuit HESSE": hesse,
            "iminuit MINOS": minos,
            "BFGS hess_inv": bfgs,
        }
    )


# --- NIST's deviations, from values of a function alone


def deviations():
    """By contestant, for each set but Lanczos1: digits of the exact ones and of NIST's, and calls.

    f is half the sum of squares over the certified variance, a negative log-likelihood. The exact
    deviations are those of its Hessian, NIST's those of J'J.
    """
    fits = [fit for fit in _nist.fits().values() if fit.name != "Lanczos1"]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        rows = work(deviations_of, fits)
    return {name: [row[name] for row in rows] for name in rows[0]}


def deviations_of(fit):
    minimum = least_squares(
        fit.residuals, fit.certified, fit.jacobian, args=fit.data, x_scale="jac",
        xtol=1e-15, ftol=1e-15, gtol=1e-15,
    ).x  # fmt: skip
    exact = np.sqrt(np.diag(np.linalg.inv(hessian(fit, minimum))))
    found = {}
    for name, errors_of in at_a_minimum().items():
        values = Values(fit)
        try:
            errors = errors_of(values, minimum)
        except Exception:  # a contestant that gives up has no digits
            errors = np.full(minimum.size, np.nan)
        digits = (_nist.digits(errors, known) for known in (exact, fit.deviations))
        found[name] = (*digits, values.count)
    return found


def hessian(fit, b, step=1e-30):
    """Of f, by complex steps of its gradient: exact to rounding."""
    points = b + 1j * step * np.eye(b.size)
    gradients = [fit.jacobian(z, *fit.data).T @ fit.residuals(z, *fit.data) for z in points]
    H = np.imag(gradients) / step / fit.deviation**2
    return (H + H.T) / 2


class Values:
    """f, and the residuals that it is made of: an evaluation of either counts 1."""

    def __init__(self, fit):
        self.fit, self.count = fit, 0

    def residuals(self, b):
        self.count += 1
        return self.fit.residuals(np.array(b), *self.fit.data)

    def __call__(self, b):
        r = self.residuals(b)
        return 0.5 * (r @ r) / self.fit.deviation**2


def at_a_minimum():
    def uncertainties(f, x):
        return scipy_gd.uncertainty(f, x, kind="nll").stderr

    def of_residuals(f, x):
        return scipy_gd.uncertainty(f.residuals, x, kind="least_squares").stderr

    def hesse(f, x):
        from iminuit import Minuit

        minuit = Minuit(f, x)
        minuit.errordef = Minuit.LIKELIHOOD
        minuit.migrad()  # finds the steps that suit
        f.count = 0
        return np.array(minuit.hesse().errors)

    def curve_fits(f, x):
        zeros = np.zeros(f.fit.y.size)
        _, covariance = curve_fit(lambda x, *b: f.residuals(b), f.fit.y, zeros, x)
        return np.sqrt(np.diag(covariance))

    def bfgs(f, x):
        start = f.fit.starts[1]
        return np.sqrt(np.diag(minimize(f, start, method="BFGS").hess_inv))

    def differentiated(f, x):
        from scipy.differentiate import hessian

        def many(points):
            return np.apply_along_axis(lambda u: f(u * x), 0, points)

        H = hessian(many, np.ones(x.size), initial_step=0.01).ddf
        return abs(x) * np.sqrt(np.diag(np.linalg.inv(H)))

    return here(
        {
            "uncertainty": uncertainties,
            "uncertainty, residuals": of_residuals,
            "iminuit HESSE": hesse,
            "curve_fit": curve_fits,
            "scipy.differentiate": differentiated,
            "BFGS hess_inv": bfgs,
        }
    )
