"""A global search by annealing, polished by a gradient descent method.

`dual_annealing` hands the bounds to its local minimizer only if they are in `minimizer_kwargs`.
"""

import numpy as np
from scipy.optimize import dual_annealing

from scipy_gd import spg

BOUNDS = [(-5.12, 5.12)] * 3


def rastrigin(x):
    """A grid of local minima; the lowest is f = 0 at the origin."""
    return np.sum(x * x - 10 * np.cos(2 * np.pi * x) + 10)


def slope(x):
    return 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)


def main():
    result = dual_annealing(
        rastrigin,
        BOUNDS,
        rng=1,
        maxiter=100,
        minimizer_kwargs={"method": spg, "jac": slope, "bounds": BOUNDS},
    )
    print(f"|x| = {abs(result.x).round(6)}, f = {result.fun:.1e}, {result.nfev} evaluations")
    return result


if __name__ == "__main__":
    main()
