"""
Fit a decay, with standard errors
=================================

You have measured something that falls exponentially, and want to know its lifetime and how well
the data determine it. Return the residuals, and `levenberg_marquardt` finds the parameters with
their standard errors.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from scipy_gd import levenberg_marquardt, uncertainty

# %%
# The data
# --------
#
# Forty points of an exponential decay to a constant floor. Replace `t` and `y` with your own
# arrays, for example ``t, y = np.loadtxt("decay.txt", unpack=True)``.

rng = np.random.default_rng(1)
t = np.linspace(0, 10, 40)
y = 5.0 * np.exp(-t / 2.0) + 0.5 + 0.3 * rng.standard_normal(t.size)

# %%
# The fit
# -------
#
# `fun` returns the array of residuals, model minus data. Do not square or sum them. The start only
# has to be right to within a factor of ten or so.


def model(p, t):
    height, lifetime, floor = p
    return height * np.exp(-t / lifetime) + floor


def residuals(p, t, y):
    return model(p, t) - y


res = minimize(
    residuals,
    x0=[1, 1, 0],
    args=(t, y),
    method=levenberg_marquardt,
    options={"parameter_names": ["height", "lifetime", "floor"]},
)
print(res)

# %%
# The errors are standard deviations. They are in ``res.stderr``, and the covariance matrix is in
# ``res.covariance``:

print(f"lifetime = {res.x[1]:.3f} +- {res.stderr[1]:.3f}")

# %%
# In one line
# -----------
#
# For a quick look, a lambda is enough:

quick = minimize(
    lambda p: p[0] * np.exp(-t / p[1]) + p[2] - y, [1, 1, 0], method=levenberg_marquardt
)
print(quick.x, quick.stderr)

# %%
# Known errors of the data
# ------------------------
#
# Above, the scatter of the points is estimated from the residuals. If you know the standard
# deviation of each point, divide by it, and say so with `absolute_sigma`:

sigma = np.full(t.size, 0.3)
weighted = minimize(
    lambda p: residuals(p, t, y) / sigma,
    x0=[1, 1, 0],
    method=levenberg_marquardt,
    options={"absolute_sigma": True},
)
print(f"lifetime = {weighted.x[1]:.3f} +- {weighted.stderr[1]:.3f}")
print(f"chi-square {2 * weighted.fun:.1f} for {weighted.dof} degrees of freedom")

# %%
# The plot
# --------
#
# `uncertainty` carries the errors over to anything that depends on the parameters. Here it is the
# curve itself, with a band of two standard errors.

fit = uncertainty(residuals, res, args=(t, y), kind="least_squares")
line = np.linspace(0, 10, 200)
curve, error, _ = fit.propagate(lambda p: model(p, line))

figure, (above, below) = plt.subplots(2, sharex=True, height_ratios=[3, 1], layout="constrained")
above.plot(t, y, ".", color="black", label="data")
above.plot(line, curve, label="fit")
above.fill_between(line, curve - 2 * error, curve + 2 * error, alpha=0.3, label="2 standard errors")
above.set_ylabel("signal")
above.legend()
below.plot(t, -res.residuals, ".", color="black")
below.axhline(0)
below.set(xlabel="t", ylabel="data - fit")
plt.show()

# %%
# The residuals show no pattern, so the model describes the data. See :doc:`/guides/fits` for more,
# and :doc:`/guides/fits-howto` for limits, outliers, counts and slow models.
