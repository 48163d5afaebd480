"""Methods that only need function values."""

from math import inf

from .._method import elementwise
from ..arguments import Option, fraction, number

finite = number(0, inf, below=True)


@elementwise(learning_rate=1.0, auto="fifth", example={"rng": 0, "target": 1e-9})
def random_search(z):
    """Random search: try a normally distributed step and keep the better point.

    `learning_rate` is the standard deviation of the steps, one for all parameters or one for each;
    "auto" increases it after a success and decreases it after a failure, so that one trial in five
    succeeds. `rng` draws the steps, and points are projected onto `bounds`. The method never
    converges by itself: use `target`, `maxiter` or `maxfev`. If you pass `jac`, it is called once,
    at the end, to test for convergence.

    References
    ----------
    F. J. Solis and R. J.-B. Wets, "Minimization by random search techniques", Mathematics of
    Operations Research 6(1), 19-30 (1981), conceptual algorithm with the local search of its
    section 3, https://doi.org/10.1287/moor.6.1.19. I. Rechenberg, "Evolutionsstrategie" (1973), for
    the one-fifth rule.
    """
    return -z


@elementwise(
    learning_rate=0.16,
    auto="fixed",
    probes=True,
    hyper={
        "c": Option(
            "Size of the first perturbation, in the units of the parameters.", number(0, above=True)
        ),
        "alpha": Option(
            "Exponent of the rate, which falls like ``(A + t)**-alpha``; at least 0.", finite
        ),
        "gamma": Option(
            "Exponent of the perturbation, which shrinks like ``t**-gamma``; above 0 and below 1.",
            fraction,
        ),
        "A": Option("Number of steps before the rate falls noticeably, at least 0.", finite),
    },
    example={"rng": 0, "maxiter": 10_000, "target": 1e-2},
)
def spsa(g, t, *, c=0.1, alpha=0.602, gamma=0.101, A=10.0):
    """SPSA: gradient descent with a gradient estimated from two noisy values.

    A method for simulations and experiments. For any number of parameters, step t evaluates f at
    two points, ``x + c / t**gamma * s`` and ``x - c / t**gamma * s``, with random signs s. The rate
    falls like ``(A + t)**-alpha``; "auto" sets it from four estimates at the start, so that the
    first step is a fifth of ``|x| + 10 c``, in any units. Choose `c` to be about the noise of f
    divided by its slope, and `A` to be a tenth of `maxiter`; `clip_norm` limits the steps. In a
    callback, `fun` is the mean of the two values. The last point is evaluated once more. The method
    never converges by itself.

    References
    ----------
    J. C. Spall, "Implementation of the simultaneous perturbation algorithm for stochastic
    optimization", IEEE Transactions on Aerospace and Electronic Systems 34(3), 817-823 (1998),
    section III, https://doi.org/10.1109/7.705889.
    """
    return g / (A + t) ** alpha
