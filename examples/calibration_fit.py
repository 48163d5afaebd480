"""A calibration curve that goes through the origin and rises: a fit with linear constraints.

The curve is a polynomial of degree 6. Fitted freely, it follows the scatter of the data and falls
between some of them, so that a signal belongs to several doses. One equation and 41 inequalities,
the slope on a grid, make it a curve that can be inverted.
"""

import numpy as np
from numpy.polynomial import chebyshev
from scipy.optimize import LinearConstraint, minimize

from scipy_gd import levenberg_marquardt

DEGREE, END = 6, 10.0
dose = np.linspace(0, END, 15)
signal = 8 * dose / (dose + 1) + 0.4 * np.random.default_rng(0).standard_normal(dose.size)
grid = np.linspace(0, END, 41)


def values(dose):
    """One column for each coefficient; Chebyshev polynomials keep these of one size."""
    return chebyshev.chebvander(2 * dose / END - 1, DEGREE)


def slopes(dose):
    """The derivatives of these columns."""
    lowered = chebyshev.chebder(np.eye(DEGREE + 1)) * 2 / END
    return chebyshev.chebvander(2 * dose / END - 1, DEGREE - 1) @ lowered


A = values(dose)


def residuals(c):
    return A @ c - signal


def jacobian(c):
    return A


def fit(constraints=()):
    return minimize(
        residuals,
        x0=np.zeros(DEGREE + 1),
        jac=jacobian,
        method=levenberg_marquardt,
        constraints=constraints,
    )


def main():
    free = fit()
    through_origin = LinearConstraint(values(np.zeros(1)), 0, 0)
    rising = LinearConstraint(slopes(grid), 0, np.inf)
    rises = fit([through_origin, rising])
    for name, res in (("free", free), ("rising", rises)):
        lowest = round((slopes(grid) @ res.x).min(), 2) + 0.0  # no minus before a zero
        print(f"{name:6}  sum of squares {2 * res.fun:.3f}, lowest slope {lowest:.2f}")
    held = grid[rises.multipliers[1] != 0]
    print("the curve is level at the doses", ", ".join(f"{d:g}" for d in held))
    return free, rises


if __name__ == "__main__":
    main()
