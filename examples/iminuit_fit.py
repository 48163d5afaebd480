"""A fit with iminuit: the minimum by a gradient descent method, the errors by iminuit.

`Minuit.scipy` takes the method as it is; `hesse` and `minos` go on from there.
"""

import numpy as np
from iminuit import Minuit
from iminuit.cost import UnbinnedNLL

from scipy_gd import lbfgs

sample = np.random.default_rng(0).exponential(2.0, 1000)


def density(x, lifetime):
    return np.exp(-x / lifetime) / lifetime


def main():
    fit = Minuit(UnbinnedNLL(sample, density), lifetime=1.0)
    fit.limits["lifetime"] = (0.01, None)
    fit.scipy(method=lbfgs)
    fit.hesse()
    value, error = fit.values["lifetime"], fit.errors["lifetime"]
    print(f"lifetime = {value:.4f} +- {error:.4f}   mean of the sample {sample.mean():.4f}")
    return fit, sample


if __name__ == "__main__":
    main()
