import numpy as np
import pytest

from scipy_gd import METHODS

DETERMINISTIC = [m for m in METHODS.values() if "z" not in m.supplied]


def named(methods):
    return [pytest.param(m, id=m.__name__) for m in methods]


def pytest_generate_tests(metafunc):
    """A test that takes `method` runs for the whole registry; `descent` leaves out random ones."""
    if "method" in metafunc.fixturenames:
        metafunc.parametrize("method", named(METHODS.values()))
    if "descent" in metafunc.fixturenames:
        metafunc.parametrize("descent", named(DETERMINISTIC))


class Bowl:
    """A quadratic bowl with its minimum at 1, 2, 3, ..., that records every evaluation."""

    def __init__(self, n=3):
        self.center = np.arange(1.0, n + 1)
        self.x0 = np.zeros(n)
        self.points, self.values, self.gradients = [], 0, 0

    def fun(self, x, scale=1.0):
        self.points.append(x)
        self.values += 1
        return scale * float((x - self.center) @ (x - self.center))

    def jac(self, x, scale=1.0):
        self.points.append(x)
        self.gradients += 1
        return 2.0 * scale * (x - self.center)

    def both(self, x, scale=1.0):
        self.points.append(x)
        self.values += 1
        r = x - self.center
        return scale * float(r @ r), 2.0 * scale * r


@pytest.fixture
def bowl():
    return Bowl()
