"""
Fit parameters of 1e-9 and 1e6
==============================

A time constant of a nanosecond, an amplitude of a million: there is no need to rescale the
parameters by hand.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from scipy_gd import lbfgs, levenberg_marquardt

t = np.linspace(0, 5e-9, 40)  # seconds
y = 3e6 * np.exp(-t / 1e-9) + 5e4 * np.random.default_rng(0).standard_normal(40)  # photons

# %%
# Residuals
# ---------
#
# `levenberg_marquardt` does not depend on units. Only the start must be of the right size, to
# within a factor of ten or so.


def residuals(p, t, y):
    lifetime, amplitude = p
    return amplitude * np.exp(-t / lifetime) - y


res = minimize(
    residuals,
    x0=[3e-9, 1e6],
    args=(t, y),
    method=levenberg_marquardt,
    options={"parameter_names": ["lifetime", "amplitude"]},
)
print(res)

# %%
# Any other function
# ------------------
#
# Other methods have ``x_scale="auto"``, which takes the sizes from the start. Here is the
# likelihood of the same data, with the scatter of the points as a third parameter.


def nll(p, t, y):
    lifetime, amplitude, sigma = p
    r = (amplitude * np.exp(-t / lifetime) - y) / sigma
    return 0.5 * r @ r + t.size * np.log(sigma)


most = minimize(
    nll,
    x0=[3e-9, 1e6, 1e5],
    args=(t, y),
    method=lbfgs,
    bounds=[(1e-12, None), (0, None), (1, None)],
    options={"x_scale": "auto"},
)
print(most.message)
print("lifetime {:.3e}, amplitude {:.3e}, sigma {:.1e}".format(*most.x))

# %%
# The plot
# --------
#
# Both methods find the same curve.

figure, ax = plt.subplots(layout="constrained")
line = np.linspace(0, 5e-9, 200)
ax.plot(t, y, ".", color="black")
ax.plot(line, residuals(res.x, line, 0), label="levenberg_marquardt")
ax.plot(line, residuals(most.x[:2], line, 0), "--", label="lbfgs")
ax.set(xlabel="t (s)", ylabel="photons")
ax.legend()
plt.show()

# %%
# See :doc:`/guides/scale` for more.
