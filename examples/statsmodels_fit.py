"""A logistic regression of statsmodels, fitted by a method of this package.

`fit(method="minimize", min_method=...)` hands over value, gradient and Hessian, so that `newton` is
at home here (the others say that they do not use the Hessian), and all other arguments as options.
"""

import numpy as np
import statsmodels.api as sm

from scipy_gd import newton


def model():
    """Did a machine part fail, by its temperature and its load?"""
    rng = np.random.default_rng(0)
    temperature, load = rng.normal(70, 10, 400), rng.normal(0, 1, 400)
    odds = -7 + 0.1 * temperature + 0.8 * load
    failed = rng.random(400) < 1 / (1 + np.exp(-odds))
    return sm.Logit(failed, sm.add_constant(np.column_stack([temperature - 70, load])))


def main():
    ours = model().fit(method="minimize", min_method=newton, gtol=1e-8, disp=False)
    theirs = model().fit(disp=False)
    for name, fit in (("scipy_gd", ours), ("statsmodels", theirs)):
        print(f"{name:<12} {fit.params.round(6)}, log likelihood {fit.llf:.6f}")
    print(f"standard errors {ours.bse.round(3)}")
    return ours, theirs


if __name__ == "__main__":
    main()
