import os
import sys

os.environ.setdefault("MPLBACKEND", "agg")  # pictures need no screen; read when it is loaded

import numpy as np
import pytest
from hypothesis import settings
from scipy.optimize import rosen, rosen_der

from scipy_gd.methods import GENERAL

settings.register_profile("default", deadline=None)  # the first example may compile
settings.load_profile("default")

DETERMINISTIC = [m for m in GENERAL.values() if "z" not in m.supplied and not m.probes]


def named(methods):
    return [pytest.param(m, id=m.__name__) for m in methods]


def pytest_generate_tests(metafunc):
    """A test that takes `method` runs for all of the registry but those for residuals alone;
    `descent` leaves out random ones, `exact` those that evaluate elsewhere than at their iterates.
    """
    if "method" in metafunc.fixturenames:
        metafunc.parametrize("method", named(GENERAL.values()))
    if "exact" in metafunc.fixturenames:
        metafunc.parametrize("exact", named(m for m in GENERAL.values() if not m.probes))
    if "descent" in metafunc.fixturenames:
        metafunc.parametrize("descent", named(DETERMINISTIC))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


class Recorded:
    """A function with its gradient, times a scale, that remembers every evaluation."""

    def __init__(self, f, g, x0):
        self.f, self.g = f, g
        self.x0 = np.array(x0)
        self.points, self.values, self.gradients = [], 0, 0

    def fun(self, x, scale=1.0):
        self.points.append(x)
        self.values += 1
        return scale * float(self.f(x))

    def jac(self, x, scale=1.0):
        self.points.append(x)
        self.gradients += 1
        return scale * self.g(x)

    def both(self, x, scale=1.0):
        self.points.append(x)
        self.values += 1
        return scale * float(self.f(x)), scale * self.g(x)


@pytest.fixture
def bowl():
    """A round bowl with its minimum at 1, 2, 3."""
    center = np.arange(1.0, 4.0)
    return Recorded(lambda x: (x - center) @ (x - center), lambda x: 2 * (x - center), np.zeros(3))


@pytest.fixture
def valley():
    """Rosenbrock's function: nobody is through with it in a few steps."""
    return Recorded(rosen, rosen_der, [-1.2, 1.0, -0.5])
