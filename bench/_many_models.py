"""Three models that people fit thousands of times, in the form that each solver needs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

numpys = njit(error_model="numpy")  # x / 0 is inf, as for NumPy, and loops become SIMD


class Functions(NamedTuple):
    """What is minimized, of parameters p to observations y at the places t. Numba's."""

    residuals: Callable[..., Any]  # (p, t, y) -> r
    jacobian: Callable[..., Any]  # (p, t, y) -> J
    both: Callable[..., Any]  # (p, t, y) -> r, J
    cost: Callable[..., Any]  # (p, t, y) -> half the sum of squares, and its gradient
    slopes: Callable[..., Any]  # (t, *p) -> J, as curve_fit wants it


class Case(NamedTuple):
    """A model, and the observations of one fit in each row of `Y`."""

    name: str
    functions: Functions
    curve: Callable[..., Any]  # (t, *p) -> y, of arrays: NumPy's, Numba's or JAX's
    t: Any  # (m,), or (2, m) of a picture
    Y: Any  # (k, m)
    x0: Any
    truth: Any  # (k, n)

    def costs(self, X):
        """Half the sums of squares at the rows of X; inf where there is none."""
        with np.errstate(all="ignore"):
            r = self.curve.py_func(self.t, *np.asarray(X, float).T[:, :, None]) - self.Y
            costs = 0.5 * np.sum(r * r, axis=1)
        return np.where(np.isfinite(costs), costs, np.inf)


def cases(k=2000, seed=0):
    return [make(k, np.random.default_rng(seed)) for make in (decays, peak, spot)]


def functions(at):
    """Of a function `at` that gives the curve and its slopes at one place."""

    @njit
    def residuals(p, t, y):
        r = np.empty(y.size)
        for i in range(y.size):
            r[i] = at(p, t, i)[0] - y[i]
        return r

    @njit
    def jacobian(p, t, y):
        J = np.empty((y.size, p.size))
        for i in range(y.size):
            slopes = at(p, t, i)[1]
            for j in range(len(slopes)):
                J[i, j] = slopes[j]
        return J

    @njit
    def both(p, t, y):
        r, J = np.empty(y.size), np.empty((y.size, p.size))
        for i in range(y.size):
            value, slopes = at(p, t, i)
            r[i] = value - y[i]
            for j in range(len(slopes)):
                J[i, j] = slopes[j]
        return r, J

    @njit
    def cost(p, t, y):
        f, g = 0.0, np.zeros(p.size)
        for i in range(y.size):
            value, slopes = at(p, t, i)
            r = value - y[i]
            f += 0.5 * r * r
            for j in range(len(slopes)):
                g[j] += r * slopes[j]
        return f, g

    @njit
    def slopes(t, *p):
        return jacobian(np.array(p), t, t.ravel()[: t.shape[-1]])

    return Functions(residuals, jacobian, both, cost, slopes)


# --- two decays


@numpys
def decays_at(p, t, i):
    e, s = np.exp(-p[1] * t[i]), np.exp(-p[3] * t[i])
    return p[0] * e + p[2] * s, (e, -p[0] * t[i] * e, s, -p[2] * t[i] * s)


@numpys
def decays_curve(t, a, b, c, d):
    return a * np.exp(-b * t) + c * np.exp(-d * t)


def decays(k, rng):
    truth = rng.uniform([1, 0.8, 1, 0.1], [4, 2, 4, 0.4], (k, 4))
    t = np.linspace(0, 10, 30)
    Y = decays_curve.py_func(t, *truth.T[:, :, None]) + 0.01 * rng.standard_normal((k, t.size))
    x0 = np.array([2, 1.2, 2, 0.2])
    return Case("two decays", functions(decays_at), decays_curve, t, Y, x0, truth)


# --- a peak on a ground


@numpys
def peak_at(p, t, i):
    z = (t[i] - p[1]) / p[2]
    e = np.exp(-0.5 * z * z)
    slope = p[0] * e * z / p[2]
    return p[0] * e + p[3], (e, slope, slope * z, 1.0)


@numpys
def peak_curve(t, height, center, width, ground):
    return height * np.exp(-0.5 * ((t - center) / width) ** 2) + ground


def peak(k, rng, m=30):
    truth = rng.uniform([1, 3, 0.7, 0.2], [4, 7, 1.5, 1], (k, 4))
    t = np.linspace(0, 10, m)
    Y = peak_curve.py_func(t, *truth.T[:, :, None]) + 0.05 * rng.standard_normal((k, m))
    x0 = np.array([2, 5, 1.2, 0.5])
    return Case("a peak on a ground", functions(peak_at), peak_curve, t, Y, x0, truth)


# --- a spot in a picture, counted


@numpys
def spot_at(p, t, i):
    u, v = (t[0, i] - p[1]) / p[3], (t[1, i] - p[2]) / p[4]
    e = np.exp(-0.5 * (u * u + v * v))
    x, y = p[0] * e * u / p[3], p[0] * e * v / p[4]
    return p[0] * e + p[5], (e, x, y, x * u, y * v, 1.0)


@numpys
def spot_curve(t, height, x, y, wide, high, ground):
    u, v = (t[0] - x) / wide, (t[1] - y) / high
    return height * np.exp(-0.5 * (u * u + v * v)) + ground


def spot(k, rng, side=13):
    truth = rng.uniform([50, 5, 5, 1, 1, 5], [200, 7, 7, 2, 2, 15], (k, 6))
    t = np.indices((side, side), float).reshape(2, -1)
    Y = rng.poisson(spot_curve.py_func(t, *truth.T[:, :, None])).astype(float)
    x0 = np.array([100, 6, 6, 1.5, 1.5, 10])
    return Case("a spot of 13 x 13", functions(spot_at), spot_curve, t, Y, x0, truth)
