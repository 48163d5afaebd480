"""Methods that find their learning rate as they run, or need no schedule for it."""

from numpy import abs, dot, maximum, sqrt, sum

from .._method import elementwise, vector
from ..arguments import Option, decay, positive


@vector(
    learning_rate=1.0,
    auto="fixed",
    hyper={
        "d0_squared": Option(
            "Initial estimate of the squared distance to the minimum, above 0. Err on the small "
            "side.",
            positive,
        )
    },
)
def dowg(x, g, x0, r, w, t, *, d0_squared=1e-4, eps=1e-4):
    """DoWG: gradient descent at a rate of "distance over weighted gradients".

    The rate is r divided by the root of the sum of ``r |g|^2``, where r is the largest squared
    distance from the start so far, initially `d0_squared`. Equivalent to `optax.contrib.dowg`; the
    paper has no `eps`.

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
        "beta3": Option("Decay rate of the sums used to estimate the distance, in [0, 1).", decay),
        "d0": Option(
            "Initial estimate of the distance to the minimum, above 0. Err on the small side.",
            positive,
        ),
        "d_coef": Option("Factor applied to the estimates of the distance, above 0.", positive),
    },
)
def prodigy(
    x, g, x0, m, v, r, s, D, t,
    *, beta1=0.9, beta2=0.999, beta3=0.999**0.5, eps=1e-8, d0=1e-6, d_coef=1.0, weight_decay=0.0
):  # fmt: skip
    """Prodigy: AdamW at a rate of D, a growing estimate of the distance to the minimum.

    The default of `beta3` is the square root of that of `beta2`. Equivalent to
    `optax.contrib.prodigy` at a constant rate; there, a schedule also weights the terms of the
    estimate.

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
            "Weight of the average, relative to the base point, in the point where the gradient "
            "is evaluated, in [0, 1).",
            decay,
        )
    },
)
def schedule_free_sgd(g, x, w, average, t, *, beta=0.9, weight_decay=0.0):
    """Schedule-free gradient descent: averaging the points replaces a decreasing rate.

    The iterate is the point y where the gradient is evaluated; it lies between the base point z,
    which takes the steps u, and the average of all z. The state w is the vector from z to the
    average, in units of the learning rate. `weight_decay` is a penalty, as in `adam`. Equivalent to
    `optax.contrib.schedule_free_sgd` at a constant rate.

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
    hyper={"beta1": Option("The `beta` of `schedule_free_sgd`, in [0, 1).", decay)},
)
def schedule_free_adamw(
    g, x, v, w, average, t, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0
):
    """Schedule-free AdamW: AdamW with an average of the points instead of the gradients.

    Like `schedule_free_sgd`, but the steps u use the gradient divided by the root of its mean
    square, and `beta` is called `beta1`. Equivalent to `optax.contrib.schedule_free_adamw` at a
    constant rate; for its warm-up, use a schedule.

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
