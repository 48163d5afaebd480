"""
Objectives in JAX
=================

JAX computes the gradient of your function, and compiles both. ``jax.value_and_grad`` makes a
function that returns the value and the gradient, which is what ``jac=True`` expects.

*JAX is a large package, so this recipe is not run when the page is built, and no output is
shown.*
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from scipy_gd import lbfgs

jax.config.update("jax_enable_x64", True)  # JAX computes in single precision otherwise

# %%
# Value and gradient
# ------------------
#
# Any function written with `jax.numpy` will do. Pass the data as `args`.


@jax.jit
@jax.value_and_grad
def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


res = minimize(rosenbrock, np.zeros(100), jac=True, method=lbfgs)
print(res.message)
print(abs(res.x - 1).max())

# %%
# Do not forget ``jax_enable_x64``. In single precision, values and gradients have only seven
# digits, and the run ends far from the minimum.

# %%
# Parameters in a dict, a list, a tree
# ------------------------------------
#
# ``ravel_pytree`` flattens any nested dicts, lists and arrays, and returns a function that reverses
# this. The example is a small network.

rng = np.random.default_rng(0)
start = {
    "hidden": {"w": rng.standard_normal((1, 20)), "b": np.zeros(20)},
    "output": {"w": rng.standard_normal((20, 1)) / 20, "b": np.zeros(1)},
}
x0, unravel = ravel_pytree(start)


def predict(p, t):
    h = jnp.tanh(t[:, None] @ p["hidden"]["w"] + p["hidden"]["b"])
    return (h @ p["output"]["w"] + p["output"]["b"])[:, 0]


@jax.jit
@jax.value_and_grad
def loss(x, t, y):
    return jnp.mean((predict(unravel(x), t) - y) ** 2)


t = np.linspace(-3, 3, 200)
y = np.sin(2 * t) + 0.1 * rng.standard_normal(t.size)
res = minimize(loss, x0, args=(t, y), jac=True, method=lbfgs, options={"gtol": 1e-4})
best = unravel(res.x)
print(res.message)
print(f"mean square {res.fun:.4f}, of the noise alone {0.1**2:.4f}")

# %%
# The plot
# --------

figure, ax = plt.subplots(layout="constrained")
ax.plot(t, y, ".", ms=3, color="black")
ax.plot(t, predict(best, t))
ax.set(xlabel="t", ylabel="y")
plt.show()
