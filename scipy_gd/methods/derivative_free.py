"""Methods that need values only."""

from math import inf

from .._method import elementwise
from ..arguments import Option, fraction, number

finite = number(0, inf, below=True)


@elementwise(learning_rate=1.0, auto="fifth", example={"rng": 0, "target": 1e-9})
def random_search(z):
    """Random search: try a normally distributed step, keep the better point.

    `learning_rate` is the standard deviation of the steps, for all parameters or for each; "auto"
    makes it larger after a success and smaller after a failure, so that one trial in five is a
    success. `rng` draws the steps, and `bounds` are kept by projection. It never converges by
    itself: use `target`, `maxiter` or `maxfev`. If `jac` is given, it is called once, at the end,
    to decide about success.

    References
    ----------
    F. J. Solis and R. J.-B. Wets, "Minimization by random search techniques", Mathematics of
    Operations Research 6(1), 19-30 (1981), conceptual algorithm with the local search of its
    section 3, https://doi.org/10.1287/moor.6.1.19. I. Rechenberg, "Evolutionsstrategie" (1973),
    for the rule of one fifth.
    """
    return -z


@elementwise(
    learning_rate=0.16,
    auto="fixed",
    probes=True,
    hyper={
        "c": Option(
            "Size of the first perturbation, in units of the parameters.", number(0, above=True)
        ),
        "alpha": Option("The rate falls like ``(A + t)**-alpha``, at least 0.", finite),
        "gamma": Option(
            "The perturbation shrinks like ``t**-gamma``; above 0 and below 1.", fraction
        ),
        "A": Option("Number of steps in which the rate hardly falls, at least 0.", finite),
    },
    example={"rng": 0, "maxiter": 10_000, "target": 1e-2},
)
def spsa(g, t, *, c=0.1, alpha=0.602, gamma=0.101, A=10.0):
    """SPSA: gradient descent on an estimate of the gradient from two noisy values.

    In step t the two points are ``x + c / t**gamma * s`` and ``x - c / t**gamma * s`` with random
    signs s, for any number of parameters: a method for simulations and experiments. The rate falls
    like ``(A + t)**-alpha``; "auto" finds it from four estimates at the start, such that the first
    step is a fifth of ``|x| + 10 c``, in any units. Choose `c` about as large as the noise of f
    divided by its slope, and `A` a tenth of `maxiter`; `clip_norm` bounds the steps. `fun` in a
    callback is the mean of the two values. The last point is evaluated once more. It never
    converges by itself.

    References
    ----------
    J. C. Spall, "Implementation of the simultaneous perturbation algorithm for stochastic
    optimization", IEEE Transactions on Aerospace and Electronic Systems 34(3), 817-823 (1998),
    section III, https://doi.org/10.1109/7.705889.
    """
    return g / (A + t) ** alpha
