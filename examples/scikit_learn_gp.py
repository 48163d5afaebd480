"""A Gaussian process of scikit-learn, its kernel fitted by a gradient descent method.

scikit-learn asks for a function ``(objective, start, bounds) -> (theta, value)``, and its objective
returns value and gradient together.
"""

import numpy as np
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from scipy_gd import lbfgs


def optimizer(objective, start, bounds):
    result = minimize(objective, start, jac=True, bounds=bounds, method=lbfgs)
    return result.x, result.fun


def fitted(optimizer):
    rng = np.random.default_rng(0)
    X = np.linspace(0, 10, 40)[:, None]
    y = np.sin(X[:, 0]) + 0.1 * rng.standard_normal(40)
    kernel = RBF(length_scale=5.0) + WhiteKernel(noise_level=1.0)
    return GaussianProcessRegressor(kernel, optimizer=optimizer).fit(X, y)


def main():
    ours, theirs = fitted(optimizer), fitted("fmin_l_bfgs_b")
    for name, process in (("lbfgs", ours), ("scikit-learn", theirs)):
        print(f"{name:<12} {process.kernel_}, {process.log_marginal_likelihood_value_:.6f}")
    return ours, theirs


if __name__ == "__main__":
    main()
