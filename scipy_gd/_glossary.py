"""The hyper-parameters that several formulas share, with their meanings and limits.

Those of a single formula are declared beside it.
"""

from .arguments import Option, decay, nonnegative

GLOSSARY = {
    "momentum": Option(
        "Fraction of the velocity kept from one step to the next, in [0, 1).", decay
    ),
    "beta1": Option("Decay rate of the running average of the gradients, in [0, 1).", decay),
    "beta2": Option(
        "Decay rate of the running average of the squared gradients, in [0, 1).", decay
    ),
    "rho": Option("Decay rate of the running average of the squared gradients, in [0, 1).", decay),
    "eps": Option(
        "Guard against division by zero, at least 0. (The finite-difference step that SciPy calls "
        "`eps` is `finite_diff_abs_step` here.)",
        nonnegative,
    ),
    "weight_decay": Option("Strength of the pull towards zero, at least 0.", nonnegative),
}
