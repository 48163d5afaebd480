"""A fit with lmfit: named parameters with limits, minimised by a gradient descent method.

`scalar_minimize` takes the method as it is. lmfit drops the gradient, so that it comes from
differences, and maps limits to unbounded parameters itself.
"""

import lmfit
import numpy as np

from scipy_gd import lbfgs

t = np.linspace(0, 10, 60)
y = 5.0 * np.exp(-t / 3.0) + 0.5 + 0.02 * np.random.default_rng(0).standard_normal(t.size)


def residual(p):
    return (p["height"] * np.exp(-t / p["lifetime"]) + p["floor"] - y) / 0.02


def parameters():
    p = lmfit.Parameters()
    p.add("height", value=1.0, min=0.0)
    p.add("lifetime", value=1.0, min=0.1, max=20.0)
    p.add("floor", value=0.0)
    return p


def main():
    fit = lmfit.Minimizer(residual, parameters()).scalar_minimize(method=lbfgs)
    leastsq = lmfit.minimize(residual, parameters())
    for name in fit.params:
        print(f"{name:<8} {fit.params[name].value:.5f}, leastsq {leastsq.params[name].value:.5f}")
    print(f"chi-square {fit.chisqr:.4f}, {fit.nfev} evaluations")
    return fit, leastsq


if __name__ == "__main__":
    main()
