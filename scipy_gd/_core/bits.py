"""The numbers by which the parts of a run communicate; needs no Numba."""

POINTS = 3
"""The first rows of `V` are the current point, the trial and the best point, which take turns; as
many rows after them hold the gradients there, in the same order."""
HYPER = 16
"""The most hyper-parameters, and the most states, that a formula may have."""
RATE = -1
"""The number of the learning rate among the hyper-parameters."""
RECENT = 32
"""The number of function values stored."""

# What is wanted at the next point, as bits; nothing means that the run has ended.
# BETTER: at the current point again, but to be known better. CARRIED: the gradient as it would be
# with the Jacobian of the current point.
DONE, VALUE, GRADIENT, HESSIAN, NOISE, BETTER, CARRIED = 0, 1, 2, 4, 8, 16, 32

# What a step rule says of a trial. STAY: count the iteration, but keep the point. ANEW: keep the
# point, and let the formula begin again without its states.
ACCEPT, STAY, RETRY, ANEW = range(4)


def fields(kind: str, names: str) -> list[tuple[str, str]]:
    """Scalars of the record: "i8" are whole numbers and flags, "f8" numbers."""
    return [(name, kind) for name in names.split()]
