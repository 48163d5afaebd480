"""Fit a certified data set: Misra1a of the NIST Statistical Reference Datasets.

The model is y = b1 (1 - exp(-b2 x)), monomolecular adsorption (D. Misra, NIST, 1978), 14 points.
https://www.itl.nist.gov/div898/strd/nls/data/misra1a.shtml certifies the answer to 11 digits:
parameters and their standard deviations. The parameters differ by a factor of a million, which does
not matter to this method.
"""

import numpy as np
from scipy.optimize import minimize

from scipy_gd import levenberg_marquardt

x = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1,
              689.1, 760.0])  # fmt: skip
y = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40,
              75.47, 81.78])  # fmt: skip
CERTIFIED = np.array([2.3894212918e02, 5.5015643181e-04])
DEVIATIONS = np.array([2.7070075241e00, 7.2668688436e-06])


def residuals(b, x, y):
    return b[0] * (1 - np.exp(-b[1] * x)) - y


def jacobian(b, x, y):
    decay = np.exp(-b[1] * x)
    return np.stack([1 - decay, b[0] * x * decay], axis=1)


def main():
    result = minimize(
        residuals,
        x0=[500, 0.0001],  # NIST's first start, the one further away
        args=(x, y),
        jac=jacobian,
        method=levenberg_marquardt,
        options={"parameter_names": ["b1", "b2"]},
    )
    print(result)
    rows = zip(result.parameter_names, result.x, CERTIFIED, result.stderr, DEVIATIONS, strict=True)
    for name, value, certified, error, deviation in rows:
        print(f"{name} = {value:.11g}   certified {certified:.11g}")
        print(f"  +- {error:.11g}   certified {deviation:.11g}")
    return result


if __name__ == "__main__":
    main()
