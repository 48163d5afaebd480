"""
Objectives in PyTorch
=====================

PyTorch computes the gradients, and `minimize` does the rest. A function of a few lines connects the
two: a float64 vector goes in, and the value and the gradient come out.

*PyTorch is a large package, so this recipe is not run when the page is built, and no output is
shown.*
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import minimize
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from scipy_gd import adam, lbfgs

# %%
# A function of one tensor
# ------------------------
#
# Use float64 throughout. In float32, PyTorch's default, values and gradients have only seven
# digits, and the run ends far from the minimum.


def value_and_grad(fun):
    """Make a function for ``jac=True`` out of a function of a tensor."""

    def both(x, *args):
        z = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        value = fun(z, *args)
        (gradient,) = torch.autograd.grad(value, z)
        return value.item(), gradient.numpy()

    return both


def rosenbrock(x):
    return torch.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


res = minimize(value_and_grad(rosenbrock), np.zeros(100), jac=True, method=lbfgs)
print(res.message)
print(abs(res.x - 1).max())

# %%
# A module
# --------
#
# The parameters of a module are several tensors. `parameters_to_vector` joins them into one vector,
# and ``split`` cuts it into pieces again, which `functional_call` uses in place of the parameters.

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(1, 20), torch.nn.Tanh(), torch.nn.Linear(20, 1)
).double()
shapes = {name: p.shape for name, p in model.named_parameters()}
x0 = parameters_to_vector(model.parameters()).detach().numpy()


def parameters(z):
    pieces = z.split([shape.numel() for shape in shapes.values()])
    views = [piece.view(shape) for piece, shape in zip(pieces, shapes.values(), strict=True)]
    return dict(zip(shapes, views, strict=True))


def loss(z, t, y):
    return torch.mean((functional_call(model, parameters(z), (t,)) - y) ** 2)


t = torch.linspace(-3, 3, 2000, dtype=torch.float64)[:, None]
y = torch.sin(2 * t) + 0.1 * torch.randn(t.shape, dtype=torch.float64)
res = minimize(
    value_and_grad(loss), x0, args=(t, y), jac=True, method=lbfgs, options={"gtol": 1e-4}
)
print(res.message)
print(f"mean square {res.fun:.4f}, of the noise alone {0.1**2:.4f}")

# %%
# `vector_to_parameters` puts the result into the module:

vector_to_parameters(torch.from_numpy(res.x), model.parameters())

# %%
# Mini-batches
# ------------
#
# The batches are cut from NumPy arrays in `args`. Turn them into tensors in the function:


def batch_loss(z, t, y):
    return loss(z, torch.from_numpy(t), torch.from_numpy(y))


trained = minimize(
    value_and_grad(batch_loss),
    x0,
    args=(t.numpy(), y.numpy()),
    jac=True,
    method=adam,
    options={"batch_size": 100, "epochs": 100, "learning_rate": 0.03, "rng": 0},
)
print(trained.message)
print(f"mean square {trained.fun:.4f}")

# %%
# The plot
# --------

figure, ax = plt.subplots(layout="constrained")
ax.plot(t, y, ".", ms=2, color="black")
ax.plot(t, model(t).detach())
ax.set(xlabel="t", ylabel="y")
plt.show()
