"""
Give the parameters names
=========================

`minimize` works on a vector, but the parameters of your model have names. Three lines convert a
dict to a vector and back, and keep the model readable.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from scipy_gd import levenberg_marquardt

# %%
# Numbers
# -------
#
# The start is a dict. The vector contains its values in the same order.

start = {"height": 1.0, "lifetime": 1.0, "floor": 0.0}


def named(x):
    return dict(zip(start, x, strict=True))


x0 = list(start.values())

# %%
# The model takes keyword arguments, and the residuals unpack the vector into them:

t = np.linspace(0, 10, 40)
y = 5 * np.exp(-t / 2) + 0.5 + 0.1 * np.random.default_rng(0).standard_normal(40)


def model(t, height, lifetime, floor):
    return height * np.exp(-t / lifetime) + floor


def residuals(x):
    return model(t, **named(x)) - y


res = minimize(residuals, x0, method=levenberg_marquardt, options={"parameter_names": list(start)})
print(res)
print(named(res.x)["lifetime"])

# %%
# Bounds and fixed parameters
# ---------------------------
#
# Limits can have names, too. Two equal limits fix a parameter.

limits = {"lifetime": (0.1, 20), "floor": (0.5, 0.5)}
fixed = minimize(
    residuals,
    x0=[1, 1, 0.5],
    method=levenberg_marquardt,
    bounds=[limits.get(name, (None, None)) for name in start],
    options={"parameter_names": list(start)},
)
print(fixed)

# %%
# Arrays
# ------
#
# If some of the parameters are arrays, split the vector into pieces of their sizes. Here four
# curves share a lifetime, and each has its own height.

first = {"heights": np.ones(4), "lifetime": np.array(1.0)}
cuts = np.cumsum([p.size for p in first.values()])[:-1]


def unflatten(x):
    pieces = zip(first, np.split(x, cuts), strict=True)
    return {name: piece.reshape(first[name].shape) for name, piece in pieces}


x0 = np.concatenate([p.ravel() for p in first.values()])

# %%
# These lines work for any number of arrays of any shape. With JAX, a single call of
# ``jax.flatten_util.ravel_pytree`` replaces them: see :doc:`jax_objective`.

curves = np.array([[5], [3], [2], [1]]) * np.exp(-t / 2)
curves = curves + 0.1 * np.random.default_rng(1).standard_normal(curves.shape)


def misfits(x):
    p = unflatten(x)
    return (p["heights"][:, None] * np.exp(-t / p["lifetime"]) - curves).ravel()


shared = minimize(misfits, x0, method=levenberg_marquardt)
best, errors = unflatten(shared.x), unflatten(shared.stderr)
for name in first:
    print(name, best[name].round(3), "+-", errors[name].round(3))

# %%
# The plot
# --------

figure, ax = plt.subplots(layout="constrained")
for k, height in enumerate(best["heights"]):
    ax.plot(t, curves[k], ".", color=f"C{k}")
    ax.plot(t, height * np.exp(-t / best["lifetime"]), color=f"C{k}")
ax.set(xlabel="t", ylabel="signal")
plt.show()
