"""A separate rate for each parameter, from the size of its gradients."""

from numpy import abs, all, dot, sign, sqrt

from .._method import elementwise, vector
from ..arguments import Option, decay, fraction, nonnegative, positive


@elementwise(learning_rate=1e-2, preconditioner="P")
def adagrad(g, r, *, eps=1e-10):
    """AdaGrad: each parameter's rate falls as its gradients accumulate.

    `eps` is outside the root and the sum starts at 0, as in `torch.optim.Adagrad`.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12, 2121-2159 (2011), Figure 1 with a diagonal matrix,
    https://jmlr.org/papers/v12/duchi11a.html. Goodfellow et al., "Deep Learning" (2016),
    Algorithm 8.4.
    """
    r = r + g * g
    P = sqrt(r) + eps
    return g / P, r


@elementwise(learning_rate=1e-3, preconditioner="P")
def rmsprop(g, r, *, rho=0.9, eps=1e-8):
    """RMSProp: the gradient divided by the root of its recent mean square.

    `eps` is outside the root, as in `torch.optim.RMSprop`; in the book's Algorithm 8.5 it is inside
    (with 1e-6).

    References
    ----------
    G. Hinton, N. Srivastava and K. Swersky, "Neural Networks for Machine Learning", lecture 6e
    (2012), https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf. Goodfellow et
    al., "Deep Learning" (2016), Algorithm 8.5.
    """
    r = rho * r + (1 - rho) * g * g
    P = sqrt(r) + eps
    return g / P, r


@elementwise(learning_rate=1e-3, preconditioner="P")
def rmsprop_nesterov(g, r, v, *, rho=0.9, momentum=0.9, eps=1e-8):
    """RMSProp with Nesterov momentum on the scaled gradient.

    The iterate is the look-ahead point, where the gradient is evaluated, as for `nesterov`.
    Rewritten for the other point, this is Algorithm 8.6, except that `eps` is outside the root.

    References
    ----------
    Goodfellow et al., "Deep Learning" (2016), Algorithm 8.6, https://www.deeplearningbook.org.
    """
    r = rho * r + (1 - rho) * g * g
    P = sqrt(r) + eps
    v = momentum * v + g / P
    return g / P + momentum * v, r, v


@elementwise(learning_rate=1.0, preconditioner="P")
def adadelta(g, s, u, *, rho=0.9, eps=1e-6):
    """Adadelta: steps in the units of the parameters, scaled by the size of recent steps.

    As in `torch.optim.Adadelta`, the learning rate scales the step, but not the average of the
    steps.

    References
    ----------
    M. D. Zeiler, "ADADELTA: an adaptive learning rate method" (2012), Algorithm 1,
    https://arxiv.org/abs/1212.5701.
    """
    s = rho * s + (1 - rho) * g * g
    P = sqrt(s + eps) / sqrt(u + eps)
    d = g / P
    u = rho * u + (1 - rho) * d * d
    return d, s, u


@elementwise(learning_rate=1e-3, auto="bold", preconditioner="P", penalty="weight_decay")
def adam(g, x, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """Adam: bias-corrected averages of the gradient and of its square.

    `weight_decay` is an L2 penalty: it enters the moments, so the method minimizes
    ``f(x) + weight_decay/2 |x|^2``. The convergence tests, `target` and automatic steps use this
    objective; `fun` and `jac` of the result are those of f. (With mini-batches, or with a schedule
    for `weight_decay`, only the formula sees the penalty.) Equivalent to `torch.optim.Adam`.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015), Algorithm 1,
    https://arxiv.org/abs/1412.6980.
    """
    g = g + weight_decay * x
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    return m / (1 - beta1**t) / P, m, v


@elementwise(learning_rate=1e-3, auto="bold", preconditioner="P")
def adam_uncorrected(g, m, v, *, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam as in many lecture notes: no bias correction, and `eps` inside the root.

    Both averages start at 0 and are used uncorrected. The first step is
    ``(1 - beta1) / sqrt(1 - beta2)`` times as long as that of `adam`, 3.2 times with the defaults.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015), Algorithm 1
    without its bias-corrected estimates, https://arxiv.org/abs/1412.6980.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v + eps)
    return m / P, m, v


@elementwise(learning_rate=1e-3, auto="bold", preconditioner="P")
def adamw(g, x, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """AdamW: Adam with weight decay separate from the moments.

    The decay per step is ``learning_rate * weight_decay``, as in `torch.optim.AdamW` and optax; the
    paper's lambda is this product (its Algorithm 2 multiplies only by the schedule, not by the
    rate). The decay keeps each parameter below ``1 / weight_decay`` in size. Within that box, it
    does not change where the method converges to on an exact objective, since the rest of the step
    has the same size for any gradient; with the noise of mini-batches, it pulls towards zero. The
    default is no decay. For a penalty, use `adam`.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR (2019), Algorithm 2,
    https://arxiv.org/abs/1711.05101.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    return m / (1 - beta1**t) / P + weight_decay * x, m, v


@elementwise(learning_rate=1e-3, auto="bold", preconditioner="P")
def amsgrad(g, m, v, w, t, *, beta1=0.9, beta2=0.999, eps=1e-8):
    """AMSGrad: Adam with the largest mean square so far, so that the rates never grow.

    As in `torch.optim.Adam(amsgrad=True)`, the maximum is taken before the bias correction. (The
    paper has no bias correction; optax takes the maximum of the corrected values.)

    References
    ----------
    S. J. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR (2018),
    Algorithm 2, https://arxiv.org/abs/1904.09237.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    w = max(w, v)
    P = sqrt(w / (1 - beta2**t)) + eps
    return m / (1 - beta1**t) / P, m, v, w


@elementwise(
    learning_rate=2e-3,
    preconditioner="P",
    init={"p": 1.0},
    hyper={
        "momentum_decay": Option(
            "The momentum of step t is ``beta1 * (1 - 0.96**(t * momentum_decay) / 2)``; at least "
            "0.",
            nonnegative,
        )
    },
)
def nadam(g, m, v, p, t, *, beta1=0.9, beta2=0.999, eps=1e-8, momentum_decay=4e-3):
    """NAdam: Adam with Nesterov momentum, which looks one step ahead.

    The momentum grows from about ``beta1 / 2`` to `beta1`, faster for a larger `momentum_decay`; p
    is its product over all steps. Equivalent to `torch.optim.NAdam`; optax uses constant momentum,
    the limit of a large `momentum_decay`.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop (2016), Algorithm 2, and
    the schedule of its section 3, https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.
    """
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
    p = p * mu
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    return (mu_next * m / (1 - p * mu_next) + (1 - mu) * g / (1 - p)) / P, m, v, p


@elementwise(
    learning_rate=1e-3,
    auto="bold",
    preconditioner="P",
    hyper={
        "beta2": Option(
            "Decay rate of the running average of the changes in the gradient, in [0, 1).", decay
        ),
        "beta3": Option(
            "Decay rate of the running average of the squared, extrapolated gradients, in [0, 1).",
            decay,
        ),
    },
)
def adan(
    g, x, m, v, n, g_last, t, *, beta1=0.98, beta2=0.92, beta3=0.99, eps=1e-8, weight_decay=0.0
):
    """Adan: Adam with Nesterov momentum, estimated from changes in the gradient.

    As in the authors' implementation with ``no_prox=True``, the decay rates are 1 minus the
    paper's, and the weight decay per step is ``learning_rate * weight_decay``, where the paper
    divides by ``1 + learning_rate * weight_decay``. (`optax.adan` extrapolates by ``1 - beta2``
    instead of `beta2`.)

    References
    ----------
    X. Xie, P. Zhou, H. Li, Z. Lin and S. Yan, "Adan: adaptive Nesterov momentum algorithm for
    faster optimizing deep models", IEEE TPAMI 46(12), 9508-9520 (2024), Algorithm 1,
    https://arxiv.org/abs/2208.06677; https://github.com/sail-sg/Adan.
    """
    y = 0.0 if t == 1 else g - g_last
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * y
    n = beta3 * n + (1 - beta3) * (g + beta2 * y) ** 2
    P = sqrt(n / (1 - beta3**t)) + eps
    d = (m / (1 - beta1**t) + beta2 * v / (1 - beta2**t)) / P
    return d + weight_decay * x, m, v, n, g


@elementwise(learning_rate=1e-3, auto="bold", preconditioner="P")
def radam(g, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-8):
    """RAdam: Adam with rectified first steps, whose mean squares are still uncertain.

    Until the length q of the average of the squares exceeds 5, the method takes momentum steps (the
    first five, with the usual `beta2`). As in `torch.optim.RAdam`, `eps` is added to the root of
    the mean square before the bias correction; the paper has no `eps`, and a limit of 4.

    References
    ----------
    L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR (2020),
    Algorithm 2, https://arxiv.org/abs/1908.03265.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    R = 2 / (1 - beta2) - 1
    q = R - 2 * t * beta2**t / (1 - beta2**t)
    if q > 5:
        r = sqrt((q - 4) * (q - 2) * R / ((R - 4) * (R - 2) * q))
        P = (sqrt(v) + eps) / sqrt(1 - beta2**t) / r
    else:
        P = 1.0
    return m / (1 - beta1**t) / P, m, v


@elementwise(
    learning_rate=2e-3,
    auto="bold",
    preconditioner="P",
    hyper={"beta2": Option("Decay rate of the maximum of the gradient, in [0, 1).", decay)},
)
def adamax(g, m, u, t, *, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adamax: Adam with a decaying maximum of the gradient in place of the mean square.

    `eps` is added to the gradient, inside the maximum, as in `torch.optim.Adamax` and optax; the
    paper has none.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015), Algorithm 2,
    https://arxiv.org/abs/1412.6980.
    """
    m = beta1 * m + (1 - beta1) * g
    u = max(beta2 * u, abs(g) + eps)
    P = u
    return m / (1 - beta1**t) / P, m, u


@elementwise(learning_rate=1e-3, auto="bold", preconditioner="P")
def adabelief(g, m, s, t, *, beta1=0.9, beta2=0.999, eps=1e-16):
    """AdaBelief: Adam with the mean squared deviation of the gradient from its average.

    As in `optax.adabelief` with ``eps_root = eps`` and in the paper's Algorithm 2, `eps` is added
    to the mean square in every step, and to its root.

    References
    ----------
    J. Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients",
    NeurIPS (2020), Algorithm 2, https://arxiv.org/abs/2010.07468.
    """
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * (g - m) * (g - m) + eps
    P = sqrt(s / (1 - beta2**t)) + eps
    return m / (1 - beta1**t) / P, m, s


@elementwise(
    learning_rate=1e-2,
    auto="bold",
    preconditioner="P",
    hyper={"initial": Option("Initial value of both running averages, at least 0.", nonnegative)},
)
def yogi(g, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-3, initial=1e-6):
    """Yogi: Adam with additive changes to the mean square, so that it cannot fall quickly.

    As in `optax.yogi`, both averages start at `initial`, and their biases are corrected as in Adam.
    (The paper corrects neither, and starts only the mean square at `initial`.)

    References
    ----------
    M. Zaheer, S. Reddi, D. Sachan, S. Kale and S. Kumar, "Adaptive methods for nonconvex
    optimization", NeurIPS (2018), Algorithm 2,
    https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization.
    """
    m = beta1 * (initial if t == 1 else m) + (1 - beta1) * g
    v = initial if t == 1 else v
    v = v - (1 - beta2) * sign(v - g * g) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    return m / (1 - beta1**t) / P, m, v


@elementwise(learning_rate=4e-4, auto="bold", preconditioner="P")
def laprop(g, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-15):
    """LaProp: Adam with momentum after scaling, an average of scaled gradients.

    No gradient in the average is divided by the size of later ones. Equivalent to the authors'
    implementation at a constant rate; there, the rates of a schedule enter the average.

    References
    ----------
    L. Ziyin, Z. T. Wang and M. Ueda, "LaProp: separating momentum and adaptivity in Adam" (2020),
    Algorithm 1, https://arxiv.org/abs/2002.04839; https://github.com/Z-T-WANG/LaProp-Optimizer.
    """
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    m = beta1 * m + (1 - beta1) * g / P
    return m / (1 - beta1**t), m, v


@elementwise(learning_rate=1e-3, auto="bold", preconditioner="P")
def adopt(g, m, v, t, *, beta1=0.9, beta2=0.9999, eps=1e-6):
    """ADOPT: Adam that scales each gradient by the mean square of earlier ones, for any `beta2`.

    The scaled gradients are clipped at ``t**0.25`` before they enter the average, and there is no
    bias correction, as in the paper's clipped version and `optax.contrib.adopt`. There, the first
    gradient only initializes the mean square; here, it also produces a step.

    References
    ----------
    S. Taniguchi et al., "ADOPT: modified Adam can converge with any beta2 with the optimal rate",
    NeurIPS (2024), Algorithm 2 and its clipped version, https://arxiv.org/abs/2411.02853.
    """
    v = g * g if t == 1 else v
    P = max(sqrt(v), eps)
    m = beta1 * m + (1 - beta1) * min(max(g / P, -(t**0.25)), t**0.25)
    return m, m, beta2 * v + (1 - beta2) * g * g


@elementwise(
    learning_rate=1e-3,
    auto="bold",
    preconditioner="P",
    hyper={
        "beta3": Option(
            "Decay rate of the slow running average of the gradients, in [0, 1).", decay
        ),
        "alpha": Option("Weight of the slow average, at least 0.", nonnegative),
    },
)
def ademamix(
    g, x, m, slow, v, t, *, beta1=0.9, beta2=0.999, beta3=0.9999, alpha=5.0, eps=1e-8,
    weight_decay=0.0,
):  # fmt: skip
    """AdEMAMix: AdamW with a second, slow average that spans thousands of gradients.

    The bias of the slow average is not corrected, as in the authors' implementation and
    `optax.contrib.ademamix`. For the paper's warm-up of `alpha` and `beta3`, use schedules. Meant
    for runs of many thousands of steps; for shorter runs, lower `beta3`, say to 0.999.

    References
    ----------
    M. Pagliardini, P. Ablin and D. Grangier, "The AdEMAMix optimizer: better, faster, older", ICLR
    (2025), Algorithm 1, https://arxiv.org/abs/2409.03137; https://github.com/apple/ml-ademamix.
    """
    m = beta1 * m + (1 - beta1) * g
    slow = beta3 * slow + (1 - beta3) * g
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    return (m / (1 - beta1**t) + alpha * slow) / P + weight_decay * x, m, slow, v


@elementwise(
    learning_rate=1e-3,
    auto="bold",
    preconditioner="P",
    hyper={
        "final_rate": Option(
            "The final rate of gradient descent, as a multiple of the learning rate, above 0.",
            positive,
        ),
        "gamma": Option(
            "How fast the bounds on the rates converge, above 0 and below 1.", fraction
        ),
    },
)
def adabound(g, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-8, final_rate=100.0, gamma=1e-3):
    """AdaBound: Adam with bounds on the rates that converge to one common rate.

    The rates converge to ``final_rate * learning_rate``, where the steps are those of `momentum`
    with ``dampening=beta1``. As in the authors' implementation, the bias is corrected before the
    rates are bounded, and nothing is divided by the root of t, unlike in the paper's Algorithm 2.
    Their `final_lr` of 0.1 at a rate of 0.001 is a `final_rate` of 100 here, and follows a schedule
    as theirs does.

    References
    ----------
    L. Luo, Y. Xiong, Y. Liu and X. Sun, "Adaptive gradient methods with dynamic bound of learning
    rate", ICLR (2019), Algorithm 2, https://arxiv.org/abs/1902.09843;
    https://github.com/Luolc/AdaBound.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    rate = sqrt(1 - beta2**t) / (1 - beta1**t) / (sqrt(v) + eps)
    low = final_rate * (1 - 1 / (gamma * t + 1))
    high = final_rate * (1 + 1 / (gamma * t))
    P = 1 / min(max(rate, low), high)
    return m / P, m, v


@vector(
    learning_rate=1e-3,
    auto="bold",
    hyper={
        "switch": Option(
            "Switch when two rates differ by less than this, as a multiple of the learning rate; "
            "0: never.",
            nonnegative,
        )
    },
)
def swats(g, m, v, mean, rate, t, *, beta1=0.9, beta2=0.999, eps=1e-9, switch=1e-6):
    """SWATS: first Adam, then gradient descent with momentum at a rate learned from Adam.

    Every step of Adam corresponds to a rate of gradient descent: the one whose step has the same
    projection onto the gradient. These rates are averaged; the first time one of them is within
    `switch` of the average, the method switches for good. All rates are multiples of the learning
    rate: the paper's tolerance of 1e-9 at a rate of 0.001 is a `switch` of 1e-6 here. (The method
    only switches to a positive rate; the paper does not mention negative ones.)

    References
    ----------
    N. S. Keskar and R. Socher, "Improving generalization performance by switching from Adam to SGD"
    (2017), Algorithm 1, https://arxiv.org/abs/1712.07628.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    d = rate * m
    if rate[0] == 0:
        d = sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + eps)
        if dot(d, g) != 0:
            own = dot(d, d) / dot(d, g)
            mean = beta2 * mean + (1 - beta2) * own
            corrected = mean / (1 - beta2**t)
            if t > 1 and all(abs(corrected - own) < switch) and all(corrected > 0):
                rate, m = corrected, 0 * m
    return d, m, v, mean, rate


@elementwise(
    learning_rate=1e-4,
    auto="bold",
    hyper={
        "beta1": Option(
            "Weight of the average, relative to the gradient, in the direction of a step, in [0, "
            "1).",
            decay,
        ),
        "beta2": Option("Decay rate of the running average of the gradients, in [0, 1).", decay),
    },
)
def lion(g, x, m, *, beta1=0.9, beta2=0.99, weight_decay=0.0):
    """Lion: steps of equal size in all parameters, along the sign of an average gradient.

    As in `optax.lion` and the paper, the sign is that of the average weighted with `beta1`, the
    stored average is weighted with `beta2`, and the decay is separate from both. At a constant
    rate, the iterates get no closer to a minimum than the length of a step.

    References
    ----------
    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS (2023), Algorithm 2,
    https://arxiv.org/abs/2302.06675.
    """
    d = sign(beta1 * m + (1 - beta1) * g) + weight_decay * x
    m = beta2 * m + (1 - beta2) * g
    return d, m


@elementwise(
    learning_rate=1.0,
    auto="fixed",
    init={"size": 0.01},
    hyper={
        "eta_minus": Option("Factor for a step whose gradient changed sign.", decay),
        "eta_plus": Option("Factor for a step whose gradient kept its sign.", positive),
        "step_min": Option(
            "Smallest step of a parameter, as a multiple of the learning rate.", nonnegative
        ),
        "step_max": Option(
            "Largest step of a parameter, as a multiple of the learning rate.", nonnegative
        ),
    },
)
def rprop(g, g_last, size, *, eta_minus=0.5, eta_plus=1.2, step_min=1e-12, step_max=50.0):
    """Rprop: a step size per parameter that grows until its gradient changes sign.

    This is the variant iRprop- of Igel and Huesken, in which a gradient that changed sign counts as
    zero for one step. The first steps are 0.01 times the learning rate, and the limits are
    multiples of it too; in `torch.optim.Rprop`, the rate is the first step itself, and the limits
    are absolute.

    References
    ----------
    M. Riedmiller and H. Braun, "A direct adaptive method for faster backpropagation learning: the
    RPROP algorithm", ICNN (1993), https://doi.org/10.1109/ICNN.1993.298623. C. Igel and M. Huesken,
    "Empirical evaluation of the improved Rprop learning algorithms", Neurocomputing 50, 105-123
    (2003), https://doi.org/10.1016/S0925-2312(01)00700-7.
    """
    turn = g * g_last
    factor = eta_plus if turn > 0 else eta_minus if turn < 0 else 1.0
    size = min(max(size * factor, step_min), step_max)
    g = 0.0 if turn < 0 else g
    return sign(g) * size, g, size
