"""The time of a mini-batch epoch: ours, PyTorch, optax and scikit-learn.

The task is logistic regression with an L2 penalty on 100,000 rows of 50 features in double
precision. All solvers except scikit-learn run Adam with a learning rate of 1e-3 and batches of 64
rows, reshuffled in each epoch, on one thread. The figure is the time of a run divided by its number
of epochs. Compilation (Numba, XLA) and copies into tensors are not included. In PyTorch, Adam
applies the penalty itself (`weight_decay`), which is faster, and the data loader fetches the rows
of a batch at once (`BatchSampler`). optax runs an epoch as one compiled `scan`. SGDClassifier of
scikit-learn takes a step for every single row, with its own learning rate. The last column is the
loss on all data minus its minimum (from L-BFGS-B): it shows that all have learned the same.
"""

import functools

import numba
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from bench._learning import PENALTY, logistic
from bench._report import Table, seconds_each
from scipy_gd import adam

ROWS, FEATURES, SIZE, RATE, EPOCHS = 100_000, 50, 64, 1e-3, 5


@functools.cache
def data():
    """Rows, and labels 1 and -1 drawn from a model that is true."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, FEATURES))
    up = rng.uniform(size=ROWS) < expit(X @ rng.normal(size=FEATURES))
    return X, np.where(up, 1.0, -1.0)


@numba.njit
def compiled_logistic(w, X, y):
    """What `logistic` is, for Numba."""
    margin = y * (X @ w)
    small = np.exp(-np.abs(margin))
    value = np.mean(np.maximum(-margin, 0.0) + np.log1p(small))
    weights = np.where(margin > 0, small, 1.0) / (1.0 + small)
    return value + 0.5 * PENALTY * (w @ w), (-y * weights) @ X / y.size + PENALTY * w


def ours(fun):
    options = {"batch_size": SIZE, "epochs": EPOCHS, "learning_rate": RATE, "rng": 0}
    x0 = np.zeros(FEATURES)
    return lambda: minimize(fun, x0, data(), method=adam, jac=True, options=options).x


def torchs(dtype="float64", loader=False, by_hand=False, **how):
    import torch
    from torch.nn.functional import softplus
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

    torch.set_num_threads(1)
    X, y = (torch.tensor(each, dtype=getattr(torch, dtype)) for each in data())
    together = TensorDataset(X, y)
    loaded = DataLoader(
        together, sampler=BatchSampler(RandomSampler(together), SIZE, False), batch_size=None
    )

    def batches():
        return ((X[rows], y[rows]) for rows in torch.randperm(ROWS).split(SIZE))

    def run():
        torch.manual_seed(0)
        w = torch.zeros(FEATURES, dtype=X.dtype, requires_grad=not by_hand)
        optimizer = torch.optim.Adam([w], lr=RATE, weight_decay=PENALTY, **how)
        for _ in range(EPOCHS):
            for rows, labels in loaded if loader else batches():
                if by_hand:
                    w.grad = (-labels * torch.sigmoid(-labels * (rows @ w))) @ rows / len(labels)
                else:
                    optimizer.zero_grad()
                    softplus(-labels * (rows @ w)).mean().backward()
                optimizer.step()
        return w.detach().double().numpy()

    return run


def optaxs():
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    X, y = map(jnp.asarray, data())
    optimizer = optax.adam(RATE)

    def loss(w, rows):
        return jnp.mean(jax.nn.softplus(-y[rows] * (X[rows] @ w))) + 0.5 * PENALTY * (w @ w)

    def step(carry, rows):
        w, state = carry
        updates, state = optimizer.update(jax.grad(loss)(w, rows), state)
        return (optax.apply_updates(w, updates), state), None

    @jax.jit
    def epoch(carry, key):
        order = jax.random.permutation(key, ROWS)
        full = ROWS // SIZE * SIZE
        carry, _ = jax.lax.scan(step, carry, order[:full].reshape(-1, SIZE))
        return step(carry, order[full:])[0]

    def run():
        w = jnp.zeros(FEATURES)
        carry = w, optimizer.init(w)
        for key in jax.random.split(jax.random.key(0), EPOCHS):
            carry = epoch(carry, key)
        return np.asarray(carry[0])

    return run


def scikit_learns():
    from sklearn.linear_model import SGDClassifier

    X, y = data()
    how = {"loss": "log_loss", "alpha": PENALTY, "fit_intercept": False, "random_state": 0}
    return lambda: SGDClassifier(max_iter=EPOCHS, tol=None, **how).fit(X, y).coef_[0]


def measure():
    contestants = {
        "scipy_gd, Numba functions": ours(compiled_logistic),
        "scipy_gd, NumPy functions": ours(logistic),
        "torch, plain loop, fused": torchs(fused=True),
        "torch, plain loop, foreach": torchs(foreach=True),
        "torch, plain loop, fused, gradient by hand": torchs(by_hand=True, fused=True),
        "torch, DataLoader, fused": torchs(loader=True, fused=True),
        "torch, plain loop, fused, float32": torchs("float32", fused=True),
        "torch, DataLoader, fused, float32": torchs("float32", loader=True, fused=True),
        "optax, compiled epoch": optaxs(),
        "scikit-learn SGDClassifier, single rows": scikit_learns(),
    }
    seconds = seconds_each(contestants, rounds=5, least=0)
    least = minimize(logistic, np.zeros(FEATURES), data(), "L-BFGS-B", jac=True).fun
    compiled, plain = list(seconds.values())[:2]
    rows = [
        [
            name,
            1e3 * seconds[name] / EPOCHS,
            seconds[name] / compiled,
            seconds[name] / plain,
            logistic(solve(), *data())[0] - least,
        ]
        for name, solve in contestants.items()
    ]
    columns = ["solver", "ms an epoch", ": ours, Numba", ": ours, NumPy", "loss - minimum"]
    title = f"After {EPOCHS} epochs (median of 5 runs); the minimum is {least:.4f}"
    return [Table(title, columns, rows)]
