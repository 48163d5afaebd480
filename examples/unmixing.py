"""Which of sixty substances are in a mixture? A sparse fit, along a path of penalties.

The spectrum of a mixture is the sum of known spectra, in amounts that are not negative. Without a
penalty, traces of substances that are not there explain some of the noise. An l1 penalty removes
them. How strong it should be is decided by channels that the fit does not see: the largest weight
that predicts them about as well as any.
"""

import numpy as np
from scipy.optimize import minimize

from scipy_gd import prox, spg

rng = np.random.default_rng(3)
channels = np.linspace(400, 700, 301)
centers, widths = rng.uniform(400, 700, (60, 5)), rng.uniform(5, 12, (60, 5))
heights = rng.uniform(0.2, 1, (60, 5))
peaks = heights * np.exp(-0.5 * ((channels[:, None, None] - centers) / widths) ** 2)
library = peaks.sum(axis=2)  # a column for each substance
AMOUNTS = {3: 0.9, 17: 0.4, 41: 0.25, 42: 0.6}
mixture = library[:, [*AMOUNTS]] @ [*AMOUNTS.values()] + 0.03 * rng.standard_normal(channels.size)

seen, unseen = slice(0, None, 2), slice(1, None, 2)


def loss(x, A, b):
    r = A @ x - b
    return 0.5 * (r @ r) / b.size, A.T @ r / b.size


def path(A, b, weights):
    """A fit for each weight; each begins where the last one ended."""
    x = np.zeros(A.shape[1])
    for weight in weights:
        options = {"penalty": prox.l1(weight)}
        bounds = [(0, None)] * x.size
        res = minimize(loss, x, (A, b), jac=True, method=spg, bounds=bounds, options=options)
        x = res.x
        yield res


def main():
    A, b = library[seen], mixture[seen]
    none = (A.T @ b).max() / b.size  # from this weight on, all amounts are zero
    weights = none * np.geomspace(0.5, 1e-4, 15)
    fits = [*path(A, b, weights)]
    losses = [loss(fit.x, library[unseen], mixture[unseen])[0] for fit in fits]
    errors = np.sqrt(2 * np.array(losses))
    print(" weight  substances  error of the unseen channels")
    for weight, fit, error in zip(weights, fits, errors, strict=True):
        print(f"{weight:7.1g}  {np.count_nonzero(fit.x):10}  {error:.4f}")
    chosen = fits[int(np.argmax(errors <= 1.02 * errors.min()))]
    for k in np.flatnonzero(chosen.x):
        print(f"substance {k:2}: {chosen.x[k]:.2f}, in truth {AMOUNTS.get(k, 0)}")
    return chosen


if __name__ == "__main__":
    main()
