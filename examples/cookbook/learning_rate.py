"""
Find a learning rate
====================

With mini-batches there is no line search, so you have to choose the learning rate. `sweep` tries a
grid of rates, with several seeds for each, and a plot shows how much the choice matters.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from scipy_gd import METHODS, adam, momentum, sgd, sweep

# %%
# The problem
# -----------
#
# A linear regression with 2000 rows and 10 features: the mean squared residual and its gradient.

rng = np.random.default_rng(0)
X = rng.standard_normal((2000, 10)) * np.linspace(0.5, 2, 10)
y = X @ rng.standard_normal(10) + rng.standard_normal(2000)


def loss(w, X, y):
    r = X @ w - y
    return r @ r / (2 * len(y)), X.T @ r / len(y)


least = loss(np.linalg.lstsq(X, y, rcond=None)[0], X, y)[0]

# %%
# The sweep
# ---------
#
# An option given as a list is an axis of the grid. All other options are the same for all runs.
# Each method is tried with each rate and three seeds, for five epochs of 40 batches.

found = sweep(
    loss,
    np.zeros(10),
    [sgd, momentum, adam],
    args=(X, y),
    jac=True,
    learning_rate=[1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1],
    batch_size=50,
    maxiter=200,
    seeds=3,
)
print(found.title)

# %%
# The plot
# --------
#
# ``print(found)`` shows a table of all runs; a plot says more. Each line is the median over the
# seeds, with a band from the lowest to the highest value. A cross at the top stands for a run that
# diverged or ended higher than it began.

found.plot()
plt.show()

# %%
# The best setting
# ----------------
#
# Its options go straight into `minimize`. Each method has a range of rates, about a factor of ten
# wide, in which the exact value hardly matters; for long runs, choose one at the lower end.

res = minimize(
    loss,
    np.zeros(10),
    args=(X, y),
    jac=True,
    method=METHODS[found.best.method],
    options=found.best.options,
)
print(found.best.method, found.best.options)
print(f"loss {res.fun:.4f}, at the minimum {least:.4f}")

# %%
# A rate that decreases during the run gets closer to the minimum: see the schedules in
# :doc:`/guides/mini-batches`. For more on `sweep`, such as using all cores, see
# :doc:`/guides/comparing`.
