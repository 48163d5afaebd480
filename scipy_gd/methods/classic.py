"""Steps along the gradient, with or without memory of earlier steps."""

from numpy import sqrt
from numpy.linalg import norm

from .._method import elementwise, vector
from ..arguments import Option, decay


@elementwise(learning_rate=1e-3, proximal=True)
def gd(g):
    """Gradient descent: straight down the slope.

    With a `penalty` it is the proximal gradient method (ISTA).

    References
    ----------
    A. Cauchy, "Methode generale pour la resolution des systemes d'equations simultanees",
    Comptes Rendus 25, 536-538 (1847).
    """
    return g


@elementwise(learning_rate=1e-2)
def sgd(g):
    """Stochastic gradient descent: a step along the gradient on every mini-batch.

    This is `gd` with a larger constant; `batch_size`, `epochs` and `rng` determine which rows each
    step uses. A constant rate leaves noise in proportion to it: use a schedule or averaging.

    References
    ----------
    H. Robbins and S. Monro, "A stochastic approximation method", Annals of Mathematical Statistics
    22(3), 400-407 (1951), https://doi.org/10.1214/aoms/1177729586. Goodfellow et al., "Deep
    Learning" (2016), Algorithm 8.1.
    """
    return g


@elementwise(
    learning_rate=1e-3,
    proximal=True,
    velocity="v",
    hyper={
        "dampening": Option(
            "The gradient enters the velocity multiplied by ``1 - dampening``, in [0, 1). 0 gives "
            "the classical velocity; ``dampening = momentum`` gives the running average, whose "
            "effective rate is smaller by a factor of ``1 - momentum``.",
            decay,
        )
    },
)
def momentum(g, v, *, momentum=0.9, dampening=0.0):
    """Gradient descent with momentum (the heavy ball): steps along a velocity.

    The velocity is in units of the gradient. At a constant rate, this is equivalent to
    ``v <- momentum v - learning_rate g; x <- x + v``. With ``dampening = momentum``, it is
    the running average of the gradients, and the steps are those of ``dampening = 0`` at the rate
    ``(1 - momentum) learning_rate``; the schedule ``t -> a / (1 - momentum**t)`` corrects its bias.
    (torch.optim.SGD omits the dampening in the first step.) With a `penalty`, this is iPiano: the
    velocity is the last step actually taken, after the proximal operator.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Computational Mathematics and Mathematical Physics 4(5), 1-17 (1964),
    https://doi.org/10.1016/0041-5553(64)90137-5. I. Goodfellow, Y. Bengio and A. Courville, "Deep
    Learning" (2016), Algorithm 8.2, https://www.deeplearningbook.org. P. Ochs, Y. Chen, T. Brox and
    T. Pock, "iPiano: inertial proximal algorithm for nonconvex optimization", SIAM Journal on
    Imaging Sciences 7(2), 1388-1419 (2014), https://doi.org/10.1137/130942954.
    """
    v = momentum * v + (1 - dampening) * g
    return v, v


@elementwise(learning_rate=1e-3)
def nesterov(g, v, *, momentum=0.9):
    """Nesterov's accelerated gradient with constant momentum.

    The iterate is the look-ahead point ``x + momentum v``, where the gradient is evaluated, so the
    gradient at the result is known. Rewritten for the other point, this is the two-point form of
    the book, equations 3 and 4 of Sutskever et al., and `torch.optim.SGD(nesterov=True)`.

    References
    ----------
    Y. Nesterov, "A method for solving the convex programming problem with convergence rate
    O(1/k^2)", Soviet Mathematics Doklady 27, 372-376 (1983). I. Sutskever, J. Martens, G. Dahl and
    G. Hinton, "On the importance of initialization and momentum in deep learning", ICML (2013),
    https://proceedings.mlr.press/v28/sutskever13.html. Goodfellow et al. (2016), Algorithm 8.3.
    """
    v = momentum * v + g
    return g + momentum * v, v


@elementwise(auto="spectral", proximal=True)
def spg(g):
    """Spectral projected gradient: gradient steps with the Barzilai-Borwein step size.

    ABBmin chooses between the long and the short Barzilai-Borwein step size, within a nonmonotone
    line search over the last 30 values along the path projected onto the bounds. (The first paper
    uses only the long step size and 10 values, and searches along the segment.) With a `penalty`,
    its proximal operator replaces the projection, as in SpaRSA, and the step sizes are computed
    from the parameters that move (Crisci, Ruggiero and Zanni).

    References
    ----------
    E. G. Birgin, J. M. Martinez and M. Raydan, "Nonmonotone spectral projected gradient methods on
    convex sets", SIAM Journal on Optimization 10(4), 1196-1211 (2000), Algorithm SPG1,
    https://doi.org/10.1137/S1052623497330963. G. Frassoldati, L. Zanni and G. Zanghirati, "New
    adaptive stepsize selections in gradient methods", Journal of Industrial and Management
    Optimization 4(2), 299-312 (2008), rule ABBmin1, https://doi.org/10.3934/jimo.2008.4.299. S. J.
    Wright, R. D. Nowak and M. A. T. Figueiredo, "Sparse reconstruction by separable approximation",
    IEEE Transactions on Signal Processing 57(7), 2479-2493 (2009),
    https://doi.org/10.1109/TSP.2009.2016892. S. Crisci, V. Ruggiero and L. Zanni, "Steplength
    selection in gradient projection methods for box-constrained quadratic programs", Applied
    Mathematics and Computation 356, 312-327 (2019).
    """
    return g


@elementwise(auto="restart", proximal=True)
def nesterov_restart(g):
    """Nesterov's accelerated gradient with growing momentum, restarted when f increases.

    The rate is 1/L with a backtracking estimate of L, which decreases by a factor of 0.9 in each
    iteration. The iterates are the extrapolated points, where the gradients are evaluated. With a
    `penalty` this is FISTA, and the returned point is the end of a proximal step. In that case the
    estimate of L is halved until it is too low for the first time, and f is not evaluated at the
    ends of steps: the curvature along a step and the change in f follow from the gradients before
    and after it.

    References
    ----------
    A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm", SIAM Journal on
    Imaging Sciences 2(1), 183-202 (2009), FISTA with backtracking,
    https://doi.org/10.1137/080716542. B. O'Donoghue and E. Candes, "Adaptive restart for
    accelerated gradient schemes", Foundations of Computational Mathematics 15, 715-732 (2015),
    function scheme, https://doi.org/10.1007/s10208-013-9150-3.
    """
    return g


@vector(learning_rate=1.0, auto="fixed", proximal=True, pace="rate")
def adgd(x, g, x_old, g_old, t, rate, theta):
    """Adaptive gradient descent: a rate from the local curvature, without function values.

    The first step is a probe, a millionth of the size of x. The next one, which starts the
    recursion, is as long as the curvature along the probe suggests, but at most a tenth of the size
    of x. With a `penalty` this is AdProxGD, Algorithm 3 of the paper, which has the same rates.

    References
    ----------
    Y. Malitsky and K. Mishchenko, "Adaptive proximal gradient method for convex optimization",
    NeurIPS (2024), Algorithm 1, https://arxiv.org/abs/2308.02261.
    """
    last, ratio = rate[0], theta[0]
    longest = 0.1 * (1 + norm(x)) / max(norm(g), 1e-300)
    if t == 1:
        a, ratio = 1e-5 * longest, 1 / 3
    else:
        s = norm(x - x_old)
        L = norm(g - g_old) / s if s > 0 else 0.0
        if t == 2:
            last = min(longest, sqrt(1 / 2) / max(L, 1e-300))
        growth = sqrt(2 / 3 + ratio) * last
        excess = 2 * (last * L) ** 2 - 1
        a = min(growth, last / sqrt(excess)) if excess > 0 else growth
        ratio = a / last
    return a * g, a, ratio
