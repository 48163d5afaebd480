"""Fit a certified data set: Misra1a of the NIST Statistical Reference Datasets.

The model is y = b1 (1 - exp(-b2 x)), monomolecular adsorption (D. Misra, NIST, 1978), 14 points.
https://www.itl.nist.gov/div898/strd/nls/data/misra1a.shtml certifies the answer to 11 digits.

The parameters differ by a factor of a million. The fit is made in units in which both are about 1:
then one learning rate serves both, and momentum carries the method along the narrow valley.
"""

import numpy as np
from scipy.optimize import minimize

from scipy_gd import nesterov

x = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1,
              689.1, 760.0])  # fmt: skip
y = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40,
              75.47, 81.78])  # fmt: skip
UNITS = np.array([250.0, 5e-4])  # NIST's second start
CERTIFIED = np.array([2.3894212918e02, 5.5015643181e-04])


def residual_sum(u, x, y):
    """Sum of squares and its gradient, for ``jac=True``."""
    b1, b2 = u * UNITS
    decay = np.exp(-b2 * x)
    residual = b1 * (1 - decay) - y
    gradient = 2 * np.array([residual @ (1 - decay), residual @ (b1 * x * decay)])
    return residual @ residual, gradient * UNITS


def main():
    result = minimize(
        residual_sum,
        x0=[1.0, 1.0],
        args=(x, y),
        jac=True,
        method=nesterov,
        options={"learning_rate": 5e-6, "momentum": 0.99, "maxiter": 100_000},
    )
    b = result.x * UNITS
    print(result.message)
    print(f"iterations {result.nit}, residual sum of squares {result.fun:.10f} (0.12455138894)")
    for name, value, certified in zip(("b1", "b2"), b, CERTIFIED, strict=True):
        print(f"{name} = {value:.8g}   certified {certified:.8g}")
    return result, b


if __name__ == "__main__":
    main()
