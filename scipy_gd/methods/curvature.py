"""Directions that use curvature."""

from numpy import abs, diag, dot, empty, inf, isfinite, maximum, ones, outer, sqrt
from numpy.linalg import eigh, norm

from .._method import vector
from ..arguments import Option, count, flag


@vector(
    auto="wolfe",
    unit=True,
    memory=("S", "Y"),
    hyper={
        "maxcor": Option(
            "Number of past steps to store. 0: chosen from the number of parameters.",
            count(0, 10_000),
        ),
        "mincor": Option(
            "How many of them to use before the 500th step. 0: all if `maxcor` is given, "
            "otherwise 12.",
            count(0),
        ),
    },
)
def lbfgs(
    x, g, x_old, g_old, t, free, held, diagonal, pair_noise, S, Y, count, *, maxcor=0, mincor=0
):
    """L-BFGS: Newton's direction, estimated from recent steps and gradients.

    The two-loop recursion over `maxcor` pairs, each scaled to s'y = 1, with the usual initial
    scaling s'y/y'y. By default it uses the last 12 pairs and, from the 500th step on, when the
    problem has proved to be hard, all pairs stored: up to 2 n + 1, but at most 300 for n <= 150
    parameters, 15 for n <= 2000, and 10 beyond. A longer memory saves evaluations, but takes more
    time than cheap evaluations do. An uphill direction clears the memory. If bounds hold some
    parameters, the pairs are restricted to the free ones.

    References
    ----------
    J. Nocedal, "Updating quasi-Newton matrices with limited storage", Mathematics of Computation
    35, 773-782 (1980), https://doi.org/10.1090/S0025-5718-1980-0572855-7. D. C. Liu and J. Nocedal,
    "On the limited memory BFGS method for large scale optimization", Mathematical Programming 45,
    503-528 (1989), Algorithm 2.1, https://doi.org/10.1007/BF01589116.
    """
    m, k = int(maxcor), int(count[0])
    s, y = x - x_old, g - g_old
    sy, ss, yy = dot(s, y), dot(s, s), dot(y, y)
    if t > 1 and sy > max(2.2e-16 * sqrt(ss) * sqrt(yy), pair_noise):
        S[k % m], Y[k % m] = s / sqrt(sy), y / sqrt(sy)
        k += 1
    oldest = max(k - min(m, max(int(mincor), k - 500)), 0)
    d, a, rho = g * free, empty(k - oldest), ones(k - oldest)
    for j in range(k - 1, oldest - 1, -1):
        s, y = S[j % m], Y[j % m]
        if held:
            y = y * free
            sy = dot(s, y)
            rho[j - oldest] = sy if sy > 1e-10 else inf  # without that pair
        a[j - oldest] = dot(s, d) / rho[j - oldest]
        d -= a[j - oldest] * y
    if k > 0:
        s, y = S[(k - 1) % m], Y[(k - 1) % m]
        if held:
            y = y * free
        d = d * diagonal * max(dot(s, y), 1e-10) / dot(y, diagonal * y)
    for j in range(oldest, k):
        s, y = S[j % m], Y[j % m]
        b = dot(y, d) / rho[j - oldest]
        d += (a[j - oldest] - b) * s * free
    downhill = dot(g, d) > 0
    if k == 0 or not downhill:
        k = 0
        d = g * free * diagonal
        d = d * min(1.0, max(1.0, norm(x)) / norm(d))
    return d, k


@vector(auto="wolfe", c2=0.2)
def cg_descent(g, g_old, t, free, p):
    """CG_DESCENT: conjugate gradients with guaranteed descent.

    The direction of version 6, with its truncated beta, and a line search for the strong Wolfe
    conditions. The search starts from the step that promises the same decrease as the last one, and
    then moves to the minimum of the parabola through its value, unless that is close. If two
    successive gradients are far from orthogonal, the method restarts from the gradient (Powell's
    restart).

    References
    ----------
    W. W. Hager and H. Zhang, "A new conjugate gradient method with guaranteed descent and an
    efficient line search", SIAM Journal on Optimization 16(1), 170-192 (2005), equations 1.3 to
    1.5, https://doi.org/10.1137/030601880; "The limited memory conjugate gradient method", ibid.
    23(4), 2150-2168 (2013), for the truncation, https://doi.org/10.1137/120898097. M. J. D. Powell,
    "Restart procedures for the conjugate gradient method", Mathematical Programming 12, 241-254
    (1977), https://doi.org/10.1007/BF01593790.
    """
    beta, slope = 0.0, g * free
    if t > 1 and abs(dot(slope, g_old)) <= 0.2 * dot(slope, g):
        p = p * free
        size = norm(p)  # in units of the last direction, no product is too large for a float
        q, h, y = p / size, g / size, (g - g_old) * free / size
        qy = -dot(q, y)
        if qy > 0:
            beta = (dot(y, h) + 2 * dot(y, y) * dot(q, h) / qy) / qy
            beta = max(beta, -0.4 * dot(q, h))
    p = slope + beta * p
    return p, p


@vector(auto="trust_region", unit=True)
def newton(x, g, hess, free):
    """Newton's method, by default with a trust region.

    A trust-region step solves ``(H + lambda D^2) p = -g`` with the smallest lambda for which the
    matrix is positive definite and ``|D p|`` is at most the radius. The radius adapts to how well
    the model predicts f; the first one is ``|D x0|``. D holds the largest square roots of the
    diagonal of H seen so far, so the units of the parameters do not matter. If a parameter hits a
    bound, it is placed there, and the step is solved again for the others.

    The formula below is used with other step sizes. It gives Newton's direction, with the
    eigenvalues of the Hessian made positive and bounded from below, in units in which its diagonal
    is 1. No parameter moves more than 1000 times its size along any eigenvector. If the Hessian is
    not finite, the direction is the gradient.

    The Hessian comes from `hess` or `hessp`, or from differences of the gradient; with `residuals`,
    it is the Gauss-Newton approximation.

    References
    ----------
    J. J. Moré and D. C. Sorensen, "Computing a trust region step", SIAM Journal on Scientific and
    Statistical Computing 4(3), 553-572 (1983), https://doi.org/10.1137/0904038. J. J. Moré, "The
    Levenberg-Marquardt algorithm: implementation and theory", Numerical Analysis, Lecture Notes in
    Mathematics 630, 105-116 (1978), for lambda and the radius, https://doi.org/10.1007/BFb0067700.
    J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed. (2006), section 3.4, eigenvalue
    modification, https://doi.org/10.1007/978-0-387-40065-5.
    """
    d = g * free
    if isfinite(hess).all():
        u = free / sqrt(maximum(abs(diag(hess)), 1e-200))
        w, Q = eigh(hess * outer(u, u))
        slope = Q.T @ (u * g)
        least = abs(slope) * (abs(Q.T) @ (u / (1 + abs(x)))) / 1000
        w = maximum(maximum(abs(w), least), max(1e-15 * max(-w[0], w[-1]), 1e-300))
        d = u * (Q @ (slope / w))
    return d


@vector(
    auto="trust_region",
    unit=True,
    residuals=True,
    hyper={
        "accelerate": Option(
            "Whether to bend steps along the geodesic of the model, at the cost of one extra "
            "value each. This saves evaluations if `fun` is far from linear.",
            flag,
        ),
    },
)
def levenberg_marquardt(g, hess, free, *, accelerate=False):
    """The Levenberg-Marquardt method for sums of squares, with a trust region.

    `fun` returns the residuals r, shape (m,), and `jac` their Jacobian J, shape (m, n); the
    objective is ``sum(r**2) / 2`` or, with a `loss`, that of `scipy.optimize.least_squares`. A step
    solves ``(J'J + lambda D^2) p = -J'r`` with the lambda for which ``|D p|`` equals the radius of
    the trust region (or 0 if the step is shorter), as in MINPACK, but from the scaled normal
    equations. D holds the largest norms of the columns of J seen so far, so the units of the
    parameters do not matter. The first radius is ``|D x0|``. If a parameter hits a bound, it is
    placed there, and the step is solved again for the others.

    A run ends with success when the predicted and the actual decrease in f are both below `ftol`,
    relative to f, or when a step is shorter than `xtol` times x, in the units of D. Both tolerances
    are 1e-14 by default, so that only rounding errors are left. `gtol` is 0, and `tol` sets the
    other two. The result also has `residuals`, `jacobian`, `hess_inv`, `covariance` and `stderr`.

    References
    ----------
    J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", Numerical Analysis,
    Lecture Notes in Mathematics 630, 105-116 (1978), https://doi.org/10.1007/BFb0067700. M. K.
    Transtrum and J. P. Sethna, "Improvements to the Levenberg-Marquardt algorithm for nonlinear
    least-squares minimization" (2012), equation 10, for `accelerate`,
    https://arxiv.org/abs/1201.5885.
    """
    return g * free
