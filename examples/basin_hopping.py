"""A global search with a gradient descent method as the local one.

`basinhopping` keeps a local minimum only if its minimizer reports success: an honest flag matters.
"""

import numpy as np
from scipy.optimize import basinhopping

from scipy_gd import adam


def ripples(x):
    """Many local minima; the lowest is at -0.195, where f = -1.0009 (SciPy's own example)."""
    return np.cos(14.5 * x[0] - 0.3) + (x[0] + 0.2) * x[0]


def slope(x):
    return np.array([-14.5 * np.sin(14.5 * x[0] - 0.3) + 2 * x[0] + 0.2])


def main():
    result = basinhopping(
        ripples,
        x0=[1.0],
        niter=100,
        rng=1,
        minimizer_kwargs={"method": adam, "jac": slope, "options": {"learning_rate": 0.01}},
    )
    print(f"x = {result.x[0]:.4f}, f = {result.fun:.4f}, {result.nfev} evaluations")
    return result


if __name__ == "__main__":
    main()
