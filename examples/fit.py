"""A fit as the command line takes it: functions of an array, the data in the module."""

import numpy as np

t = np.linspace(0, 10, 50)
y = 3 * np.exp(-t / 2) + 0.02 * np.random.default_rng(0).standard_normal(t.size)


def both(p):
    """The sum of squares and its gradient."""
    height, rate = p
    decay = np.exp(-rate * t)
    r = height * decay - y
    return r @ r, 2 * np.array([r @ decay, -r @ (height * t * decay)])


def cost(p):
    return both(p)[0]


def slope(p):
    return both(p)[1]
