"""
Fit a Gaussian process
======================

The length scale and the noise of a Gaussian process are found by maximizing the likelihood of the
data. Here this is done twice: from scratch, in a dozen lines with a gradient, and inside
scikit-learn, which takes the optimizer as an argument.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from scipy_gd import lbfgs

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(0, 10, 40))
y = np.sin(x) + 0.5 * np.sin(2.5 * x) + 0.2 * rng.standard_normal(40)

# %%
# The likelihood
# --------------
#
# The parameters are logarithms, so that amplitude, length scale and noise are positive. With the
# covariance matrix K of the data and ``alpha = inv(K) @ y``, the derivative of the negative
# log-likelihood with respect to a parameter is half the trace of ``(inv(K) - outer(alpha, alpha))
# @ dK``.


def kernel(a, b, amplitude, length):
    return amplitude**2 * np.exp(-0.5 * ((a[:, None] - b) / length) ** 2)


def nll(theta, x, y):
    amplitude, length, noise = np.exp(theta)
    signal = kernel(x, x, amplitude, length)
    factor = cho_factor(signal + noise**2 * np.eye(x.size))
    alpha = cho_solve(factor, y)
    value = 0.5 * y @ alpha + np.log(np.diag(factor[0])).sum() + 0.5 * x.size * np.log(2 * np.pi)
    W = cho_solve(factor, np.eye(x.size)) - np.outer(alpha, alpha)
    distances = ((x[:, None] - x) / length) ** 2
    slopes = [2 * signal, signal * distances, 2 * noise**2 * np.eye(x.size)]
    return value, np.array([0.5 * np.sum(W * slope) for slope in slopes])


# %%
# The fit
# -------
#
# ``check_grad`` compares the gradient with finite differences before the first step. It costs a
# few evaluations, which are well spent on any new gradient. The bounds keep the factorization from
# failing.

bounds = np.log([(1e-2, 1e2), (1e-1, 1e2), (1e-3, 1e1)])
res = minimize(
    nll,
    x0=np.log([1, 3, 0.5]),
    args=(x, y),
    jac=True,
    method=lbfgs,
    bounds=bounds,
    options={"check_grad": True, "rng": 0},
)
amplitude, length, noise = np.exp(res.x)
print(res.message)
print(f"amplitude {amplitude:.3f}, length scale {length:.3f}, noise {noise:.3f}")
print(f"negative log-likelihood {res.fun:.6f}")

# %%
# The plot
# --------

line = np.linspace(0, 12, 300)
factor = cho_factor(kernel(x, x, amplitude, length) + noise**2 * np.eye(x.size))
across = kernel(line, x, amplitude, length)
mean = across @ cho_solve(factor, y)
error = np.sqrt(amplitude**2 - np.sum(across * cho_solve(factor, across.T).T, axis=1))

figure, ax = plt.subplots(layout="constrained")
ax.plot(x, y, ".", color="black", label="data")
ax.plot(line, mean, label="mean")
ax.fill_between(line, mean - 2 * error, mean + 2 * error, alpha=0.3, label="2 standard deviations")
ax.set(xlabel="x", ylabel="y")
figure.legend(loc="outside upper center", ncols=3)
plt.show()

# %%
# Inside scikit-learn
# -------------------
#
# scikit-learn expects a function of the objective, the start and the bounds. Its objective returns
# the value and the gradient, and its parameters are logarithms as well.


def optimizer(objective, start, bounds):
    res = minimize(objective, start, jac=True, bounds=bounds, method=lbfgs)
    return res.x, res.fun


process = GaussianProcessRegressor(
    ConstantKernel(1) * RBF(3) + WhiteKernel(0.25), optimizer=optimizer
)
process.fit(x[:, None], y)
print(process.kernel_)
print(f"negative log-likelihood {-process.log_marginal_likelihood_value_:.6f}")

# %%
# The answer is the same. A negative log-likelihood like this can have several minima: use
# `multistart` to look for the others (:doc:`/guides/multistart`).
