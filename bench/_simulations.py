"""Fits of simulations: values that jump slightly, with exact counterparts.

Differential equations are integrated with adaptive steps and a loose tolerance. The number of steps
changes with the parameters, and then the value jumps. The exact counterpart uses a tolerance of
1e-7. The other simulations count among many draws, always with the same random numbers. The value
is a step function, and its exact counterpart uses the probabilities.

All are sums of squares: `rough` and `exact` return the residuals at a point.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from scipy.special import ndtr

LOOSE, TIGHT = 5e-4, 1e-7
DRAWS = 10_000


class Simulation(NamedTuple):
    name: str
    rough: Callable[[Any], Any]
    exact: Callable[[Any], Any]
    x0: Any


# --- differential equations


@numba.njit
def integrate(slope, p, y, times, rtol):
    """The states at some times, by the pair of Bogacki and Shampine."""
    found = np.empty((times.size, y.size))
    t, h, k1 = 0.0, 1e-2, slope(y, p)
    for row in range(times.size):
        steps = 0
        while t < times[row]:
            steps += 1
            if steps > 200_000 or not np.isfinite(y).all():
                found[row:] = np.nan
                return found
            last = t + h >= times[row]
            step = times[row] - t if last else h
            k2 = slope(y + step / 2 * k1, p)
            k3 = slope(y + step * 3 / 4 * k2, p)
            new = y + step * (2 * k1 + 3 * k2 + 4 * k3) / 9
            k4 = slope(new, p)
            error = step * np.abs(-5 * k1 / 72 + k2 / 12 + k3 / 9 - k4 / 8)
            ratio = np.max(error / (rtol * (1e-3 + np.maximum(np.abs(y), np.abs(new)))))
            if ratio <= 1:
                t, y, k1 = times[row] if last else t + step, new, k4
            if not last or ratio > 1:
                h = step * min(5.0, max(0.2, 0.9 * max(ratio, 1e-10) ** (-1 / 3)))
        found[row] = y
    return found


@numba.njit
def lotka_volterra(y, p):
    return np.array([p[0] * y[0] - p[1] * y[0] * y[1], -p[2] * y[1] + p[3] * y[0] * y[1]])


@numba.njit
def epidemic(y, p):
    caught = p[0] * y[0] * y[1]
    return np.array([-caught, caught - p[1] * y[1]])


@numba.njit
def fitzhugh_nagumo(y, p):
    return np.array([p[2] * (y[0] - y[0] ** 3 / 3 + y[1]), -(y[0] - p[0] + p[1] * y[1]) / p[2]])


@numba.njit
def pendulum(y, p):
    return np.array([y[1], -p[0] * np.sin(y[0]) - p[1] * y[1]])


@numba.njit
def reactions(y, p):
    forth, on = p[0] * y[0] - p[1] * y[1], p[2] * y[1]
    return np.array([-forth, forth - on, on])


EQUATIONS = {  # the slope, the state at the start, the end, the truth, where the search starts
    "Lotka-Volterra": (lotka_volterra, [1.0, 0.5], 10, [1.0, 1.2, 1.0, 0.8], [0.8, 1.0, 1.2, 1.0]),
    "epidemic": (epidemic, [0.99, 0.01], 20, [1.2, 0.3], [0.8, 0.5]),
    "FitzHugh-Nagumo": (fitzhugh_nagumo, [-1.0, 1.0], 10, [0.2, 0.2, 3.0], [0.4, 0.4, 2.5]),
    "pendulum": (pendulum, [1.0, 0.0], 10, [2.0, 0.15], [1.8, 0.4]),
    "reactions": (reactions, [1.0, 0.0, 0.0], 6, [1.0, 0.4, 0.7], [0.3, 0.1, 0.3]),
}


def equation(name):
    slope, state, end, truth, x0 = EQUATIONS[name]
    state, times = np.array(state), np.linspace(0, end, 21)[1:]
    disturbance = 0.02 * np.random.default_rng(7).standard_normal((times.size, state.size))
    data = integrate(slope, np.array(truth), state, times, TIGHT) + disturbance

    def residuals(x, rtol):
        return (integrate(slope, np.array(x, float), state, times, rtol) - data).ravel()

    return Simulation(
        name,
        functools.partial(residuals, rtol=LOOSE),
        functools.partial(residuals, rtol=TIGHT),
        np.array(x0),
    )


# --- draws


def waiting_times():
    """Location and scale of logarithms, from the shares that are done by five times."""
    ordered = np.sort(np.random.default_rng(1).standard_normal(DRAWS))
    times = np.log([0.5, 1, 2, 4, 8])
    shares = ndtr((times - 0.7) / 0.9)

    def rough(x):
        limits = (times - x[0]) / abs(x[1])
        return np.searchsorted(ordered, limits, side="right") / DRAWS - shares

    def exact(x):
        return ndtr((times - x[0]) / abs(x[1])) - shares

    return Simulation("waiting times", rough, exact, np.array([0.0, 2.0]))


def choices():
    """What three properties are worth, from the shares that each of six offers is chosen."""
    rng = np.random.default_rng(2)
    offers = rng.standard_normal((4, 6, 3))  # four markets
    taste = rng.gumbel(size=(DRAWS // 4, 6))

    def exact_shares(x):
        worth = np.exp(offers @ x - (offers @ x).max(1, keepdims=True))
        return worth / worth.sum(1, keepdims=True)

    observed = exact_shares(np.array([1.0, -0.5, 0.3]))

    def rough(x):
        best = [np.argmax(worth + taste, axis=1) for worth in offers @ x]
        shares = np.stack([np.bincount(b, minlength=6) for b in best]) / len(taste)
        return (shares - observed).ravel()

    return Simulation("choices", rough, lambda x: (exact_shares(x) - observed).ravel(), np.zeros(3))


def defaults():
    """Thresholds of three grades and their common risk, from shares in five economies."""
    ordered = np.sort(np.random.default_rng(3).standard_normal(DRAWS))
    economies = np.array([-2, -1, 0, 1, 2])[:, None]

    def exact_shares(x):
        return ndtr(x[:3] - x[3] * economies)

    observed = exact_shares(np.array([-1.5, -1.0, -0.3, 0.4]))

    def rough(x):
        limits = (x[:3] - x[3] * economies).ravel()
        return np.searchsorted(ordered, limits, side="right") / DRAWS - observed.ravel()

    return Simulation(
        "defaults", rough, lambda x: (exact_shares(x) - observed).ravel(), np.zeros(4)
    )


def simulations():
    return [*map(equation, EQUATIONS), waiting_times(), choices(), defaults()]
