"""
Fit counts with a Poisson likelihood
====================================

A histogram with few counts in each bin should not be fitted with least squares: the errors are
not Gaussian, and empty bins have no error at all. Minimize the Poisson likelihood with `lbfgs`,
and let `uncertainty` find the errors.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from scipy_gd import lbfgs, uncertainty

# %%
# A peak on a falling background, 60 bins:

edges = np.linspace(0, 12, 61)
centers = (edges[1:] + edges[:-1]) / 2
width = edges[1] - edges[0]


def expected(p):
    """The expected counts in each bin."""
    signal, position, sigma, background, slope = p
    peak = signal * norm.pdf(centers, position, sigma)
    return width * (peak + background * np.exp(-slope * centers))


truth = [60, 5.0, 0.4, 40, 0.2]
counts = np.random.default_rng(3).poisson(expected(truth))

# %%
# The likelihood
# --------------
#
# The negative log-likelihood of independent counts n with expectations mu is the sum of ``mu - n
# log(mu)``, up to a constant that does not matter.


def nll(p):
    mu = expected(p)
    return np.sum(mu - counts * np.log(mu))


# %%
# No gradient is needed. The bounds keep the logarithm defined.

bounds = [(0, None), (0, 12), (0.05, 3), (0.1, None), (0, None)]
res = minimize(nll, x0=[30, 6, 1, 20, 0.1], method=lbfgs, bounds=bounds)
print(res.message)

# %%
# The errors
# ----------

names = ["signal", "position", "sigma", "background", "slope"]
fit = uncertainty(nll, res, bounds=bounds, parameter_names=names)
print(fit)

# %%
# A standard error describes a symmetric interval. With few counts, the likelihood is not symmetric,
# and its profile gives better intervals. This is the 95 % interval of the signal:

print("from the standard error:", fit.interval(0.95)[0].round(1))
print("from the profile:       ", fit.profile(0.95, "signal")[0].round(1))

# %%
# `propagate` finds the error of anything that depends on the parameters, such as the ratio of
# signal to background within two standard deviations of the peak:


def purity(p):
    inside = abs(centers - p[1]) < 2 * p[2]
    background = width * p[3] * np.exp(-p[4] * centers[inside])
    return 0.954 * p[0] / background.sum()


value, error, _ = fit.propagate(purity)
print(f"signal to background: {value:.2f} +- {error:.2f}")

# %%
# The plot
# --------

curve, error, _ = fit.propagate(expected)
figure, ax = plt.subplots(layout="constrained")
ax.stairs(counts, edges, color="black", label="counts")
ax.plot(centers, curve, label="fit")
ax.fill_between(centers, curve - error, curve + error, alpha=0.3)
ax.set(xlabel="energy", ylabel="counts")
ax.legend()
plt.show()

# %%
# ``fit.plot()`` draws the profile of each parameter with the parabola that corresponds to its
# standard error, and ellipses of one and two standard errors for each pair.

fit.plot(parameters=["signal", "sigma"])
plt.show()

# %%
# See :doc:`/guides/uncertainty` for more.
