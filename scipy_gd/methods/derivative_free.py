"""Methods that only compare values."""

from .._method import elementwise


@elementwise(learning_rate=1.0, auto="fifth", example={"rng": 0, "target": 1e-9})
def random_search(z):
    """Random search: try a normally distributed step, keep the better point.

    `learning_rate` is the standard deviation of the steps, for all or for each parameter; "auto"
    makes it longer after a success and shorter after a failure, so that one trial of five is a
    success. `rng` draws the steps, and `bounds` are kept by projection. It never converges by
    itself: use `target`, `maxiter` or `maxfev`. Where `jac` is given, it is called once, at the
    end, to decide about success.

    References
    ----------
    F. J. Solis and R. J.-B. Wets, "Minimization by random search techniques", Mathematics of
    Operations Research 6(1), 19-30 (1981), conceptual algorithm with the local search of its
    section 3, https://doi.org/10.1287/moor.6.1.19. I. Rechenberg, "Evolutionsstrategie" (1973),
    for the rule of one fifth.
    """
    return -z
