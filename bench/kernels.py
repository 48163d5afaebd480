"""One Adam step on one thread: ours against NumPy, torch and optax.

`scipy_gd` is the lifted formula, called from Python through ctypes. It writes to another row, while
the others update in place, and it also measures the step and the gradient. `whole loop` is
everything between two evaluations (copying the gradient, best point, stopping tests), as the Python
driver calls it. NumPy is the update as it is usually written, with temporaries. torch updates a
parameter that holds its gradient. optax is jitted with donated buffers.
"""

import os

import numpy as np

from bench._inside import kernel, machine
from bench._report import Table, seconds_each
from scipy_gd import adam

SIZES = (2, 100, 10_000, 1_000_000)


def loop(n, g):
    return machine(adam, g, learning_rate=1e-3, maxiter=2**60, gtol=0.0)


def step(n, g):
    return kernel(adam, g, learning_rate=1e-3)


def numpy_adam(n, g):
    x, m, v, t = np.ones(n), np.zeros(n), np.zeros(n), 0

    def step():
        nonlocal x, m, v, t
        t += 1
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g**2
        m_hat = m / (1 - 0.9**t)
        v_hat = v / (1 - 0.999**t)
        x = x - 0.001 * m_hat / (np.sqrt(v_hat) + 1e-8)

    return step


def torch_adam(n, g, **options):
    import torch

    torch.set_num_threads(1)
    p = torch.nn.Parameter(torch.ones(n, dtype=torch.float64))
    p.grad = torch.from_numpy(g.copy())
    return torch.optim.Adam([p], **options).step


def optax_adam(n, g):
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    optimizer = optax.adam(1e-3)
    gradient = jnp.array(g)

    def update(x, state):
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(x, updates), state

    jitted = jax.jit(update, donate_argnums=(0, 1))
    x = jnp.ones(n)
    state = optimizer.init(x)

    def step():
        nonlocal x, state
        x, state = jitted(x, state)
        x.block_until_ready()

    return step


def measure():
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    contestants = {
        "scipy_gd": step,
        "whole loop": loop,
        "NumPy": numpy_adam,
        "torch foreach": lambda n, g: torch_adam(n, g, foreach=True),
        "torch fused": lambda n, g: torch_adam(n, g, fused=True),
        "optax": optax_adam,
    }
    times, ratios = [], []
    for n in SIZES:
        g = np.random.default_rng(0).normal(size=n)
        result = seconds_each({name: make(n, g) for name, make in contestants.items()})
        times.append([f"{n:,}", *(1e6 * t for t in result.values())])
        ratios.append([f"{n:,}", *(t / result["scipy_gd"] for t in result.values())])
    columns = ["n", *contestants]
    return [
        Table("Microseconds a step (median)", columns, times),
        Table("Times as long as scipy_gd", columns, ratios),
    ]
