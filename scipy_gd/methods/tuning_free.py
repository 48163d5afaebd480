"""Methods that find their rate while they run, or need no schedule for it."""

from numpy import abs, dot, maximum, sqrt, sum

from .._method import elementwise, vector
from ..arguments import Option, decay, positive


@vector(
    learning_rate=1.0,
    auto="fixed",
    hyper={
        "d0_squared": Option(
            "First estimate of the squared distance to the minimum, above 0; rather too small.",
            positive,
        )
    },
)
def dowg(x, g, x0, r, w, t, *, d0_squared=1e-4, eps=1e-4):
    """DoWG: gradient descent at a rate of distance over weighted gradients.

    The rate is r over the root of the sum of ``r |g|^2``, where r is the largest squared distance
    from the start so far, at first `d0_squared`. As `optax.contrib.dowg`; the paper has no guard.

    References
    ----------
    A. Khaled, K. Mishchenko and C. Jin, "DoWG unleashed: an efficient universal parameter-free
    gradient descent method", NeurIPS (2023), Algorithm 1, https://arxiv.org/abs/2305.16284.
    """
    x0 = x if t == 1 else x0
    r = maximum(maximum(r, d0_squared), dot(x - x0, x - x0))
    w = w + r * dot(g, g)
    return r / (sqrt(w) + eps) * g, x0, r, w


@vector(
    learning_rate=1.0,
    auto="fixed",
    hyper={
        "beta3": Option(
            "Decay rate of the sums that the distance is estimated from, in [0, 1).", decay
        ),
        "d0": Option(
            "First estimate of the distance to the minimum, above 0; rather too small.", positive
        ),
        "d_coef": Option("Factor of the estimates of the distance, above 0.", positive),
    },
)
def prodigy(
    x, g, x0, m, v, r, s, D, t,
    *, beta1=0.9, beta2=0.999, beta3=0.999**0.5, eps=1e-8, d0=1e-6, d_coef=1.0, weight_decay=0.0
):  # fmt: skip
    """Prodigy: AdamW at a rate of D, an estimate of the distance to the minimum that only grows.

    The default of `beta3` is the root of that of `beta2`. As `optax.contrib.prodigy`, for a rate
    that does not change: there a schedule also weighs the terms of the estimate.

    References
    ----------
    K. Mishchenko and A. Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", ICML
    (2024), Algorithm 4, https://arxiv.org/abs/2306.06101.
    """
    x0 = x if t == 1 else x0
    D = maximum(D, d0)
    L = D * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = beta1 * m + (1 - beta1) * D * g
    v = beta2 * v + (1 - beta2) * (D * g) ** 2
    r = beta3 * r + D / d0 * dot(L * g, x0 - x)
    s = beta3 * s + D / d0 * L * g
    D = maximum(D, d_coef * r / sum(abs(s)))
    return L * (m / (sqrt(v) + D * eps) + weight_decay * x), x0, m, v, r, s, D


@elementwise(
    learning_rate=1.0,
    average="average",
    penalty="weight_decay",
    hyper={
        "beta": Option(
            "Share of the average, not of the base point, in the point where the gradient is "
            "taken, in [0, 1).",
            decay,
        )
    },
)
def schedule_free_sgd(g, x, w, average, t, *, beta=0.9, weight_decay=0.0):
    """Schedule-free gradient descent: an average of the points does the work of a falling rate.

    The iterate is the point y where the gradient is taken, between the base point z, which makes
    the steps u, and the average of all z. The state w is the way from z to the average in units of
    the learning rate. `weight_decay` is a penalty, as of `adam`. As
    `optax.contrib.schedule_free_sgd`, for a rate that does not change.

    References
    ----------
    A. Defazio et al., "The road less scheduled", NeurIPS (2024), equations 3 to 5,
    https://arxiv.org/abs/2405.15682.
    """
    average = average + (x - average) / (beta + (1 - beta) * max(t - 1, 1))
    u = g + weight_decay * x
    w = w + u
    d = (1 - beta) * u + beta * w / t
    return d, w - w / t, average


@elementwise(
    learning_rate=2.5e-3,
    preconditioner="P",
    average="average",
    hyper={"beta1": Option("What `beta` is of `schedule_free_sgd`, in [0, 1).", decay)},
)
def schedule_free_adamw(
    g, x, v, w, average, t, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0
):
    """Schedule-free AdamW: AdamW with an average of the points instead of the gradients.

    Like `schedule_free_sgd`, with the gradient over the root of its mean square in the steps u, and
    with `beta1` as its `beta`. As `optax.contrib.schedule_free_adamw`, for a rate that does not
    change; its warm-up is left to schedules.

    References
    ----------
    A. Defazio et al., "The road less scheduled", NeurIPS (2024), Algorithm 1,
    https://arxiv.org/abs/2405.15682.
    """
    average = average + (x - average) / (beta1 + (1 - beta1) * max(t - 1, 1))
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    u = g / P + weight_decay * x
    w = w + u
    d = (1 - beta1) * u + beta1 * w / t
    return d, v, w - w / t, average
