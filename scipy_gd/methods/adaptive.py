"""A rate for each parameter, from the size of its gradients."""

from numpy import sign, sqrt

from .._method import elementwise


@elementwise(learning_rate=1e-2)
def adagrad(g, r, *, eps=1e-10):
    """AdaGrad: each parameter's rate falls with the gradients it has seen.

    The guard is outside the root and the sum starts at 0, as in `torch.optim.Adagrad`.

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


@elementwise(learning_rate=1e-3)
def rmsprop(g, r, *, rho=0.9, eps=1e-8):
    """RMSProp: the gradient over the root of its recent mean square.

    The guard is outside the root, as in `torch.optim.RMSprop`; the book's Algorithm 8.5 has it
    inside (1e-6 there).

    References
    ----------
    G. Hinton, N. Srivastava and K. Swersky, "Neural Networks for Machine Learning", lecture 6e
    (2012), https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf. Goodfellow et
    al., "Deep Learning" (2016), Algorithm 8.5.
    """
    r = rho * r + (1 - rho) * g * g
    P = sqrt(r) + eps
    return g / P, r


@elementwise(learning_rate=1e-3)
def rmsprop_nesterov(g, r, v, *, rho=0.9, momentum=0.9, eps=1e-8):
    """RMSProp with Nesterov momentum on the scaled gradient.

    The iterate is the look-ahead point, where the gradient is taken, as for `nesterov`; written for
    the other point this is Algorithm 8.6, but for the guard outside the root.

    References
    ----------
    Goodfellow et al., "Deep Learning" (2016), Algorithm 8.6, https://www.deeplearningbook.org.
    """
    r = rho * r + (1 - rho) * g * g
    P = sqrt(r) + eps
    v = momentum * v + g / P
    return g / P + momentum * v, r, v


@elementwise(learning_rate=1.0)
def adadelta(g, s, u, *, rho=0.9, eps=1e-6):
    """Adadelta: steps in the units of the parameters, from the size of the last steps.

    As `torch.optim.Adadelta`: the learning rate scales the step, but not the average of the steps.

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


@elementwise(learning_rate=1e-3, auto="bold")
def adam(g, x, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """Adam: bias-corrected averages of the gradient and of its square.

    `weight_decay` is the L2 penalty: it enters the moments, and the method then minimises
    ``f(x) + weight_decay/2 |x|^2``, whereas `fun` and the gradient test remain those of f. As
    `torch.optim.Adam`.

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


@elementwise(learning_rate=1e-3, auto="bold")
def adamw(g, x, m, v, t, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """AdamW: Adam with weight decay apart from the moments.

    The decay of a step is ``learning_rate * weight_decay``, as in `torch.optim.AdamW` and optax;
    the paper's lambda is this product (its Algorithm 2 does not multiply by the rate, only by the
    schedule). The default is no decay, since a decay moves the point where the method comes to
    rest away from the minimum of f.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR (2019), Algorithm 2,
    https://arxiv.org/abs/1711.05101.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    P = sqrt(v / (1 - beta2**t)) + eps
    return m / (1 - beta1**t) / P + weight_decay * x, m, v


@elementwise(learning_rate=1.0, auto="fixed", init={"size": 0.01})
def rprop(g, g_last, size, *, eta_minus=0.5, eta_plus=1.2, step_min=1e-12, step_max=50.0):
    """Rprop: a step for each parameter, longer while its gradient keeps the sign, else shorter.

    The variant iRprop- of Igel and Huesken, in which a gradient that has changed its sign counts as
    zero for one step. The steps begin with 0.01, times the learning rate, and so do their limits;
    in `torch.optim.Rprop` the rate is the first step itself, and the limits are absolute.

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
