"""Access to the internals of a run; no other module of `bench` imports them."""

import numpy as np

from scipy_gd._core.bits import POINTS
from scipy_gd._core.kernel import lift
from scipy_gd._core.machine import tell
from scipy_gd._core.state import named
from scipy_gd._options import settings
from scipy_gd._run.layout import lay_out

__all__ = ["kernel", "machine"]


def laid_out(method, n, **options):
    """The arrays and the record of a run that begins at 1, 1, ..., 1."""
    V, s, _ = lay_out(method, np.ones(n), None, settings(method, options, n))
    return V, s


def kernel(method, g, **options):
    """A function that runs the compiled formula on the state of its first step, at gradient g."""
    V, s = laid_out(method, g.size, **options)
    s["trial"], s["t"] = 1, 1.0
    V[POINTS] = g
    return lift(method, False, False, ()).bound(V, s)


def machine(method, g, **options):
    """A function that hands the machine the gradient g once more, as the Python driver does."""
    V, s = laid_out(method, g.size, **options)
    s["stall_after"] = 2**60
    r, gradients, at = named(s), list(V[POINTS : 2 * POINTS]), (V.ctypes.data, s.ctypes.data)

    def step():
        gradients[r.trial][:] = g
        return tell(*at, 1.0)

    return step
