"""Functions with kinks, each with a subgradient and its optimum.

The classical functions are from A. Bagirov, N. Karmitsa, M. M. Mäkelä, "Introduction to Nonsmooth
Optimization" (Springer, 2014), chapter 9, with the published starts and optima. The functions of
data are linear programs, whose optimum `scipy.optimize.linprog` finds. The optimum of the lasso is
certified by its duality gap.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog


class Kink(NamedTuple):
    name: str
    fun: Callable[[Any], float]
    jac: Callable[[Any], Any]
    x0: Any
    best: float


def greatest(name, pieces, slopes, x0, best):
    """The greatest of some functions: `pieces` gives the values, `slopes` one row for each."""

    def jac(x):
        return np.asarray(slopes(x), float)[np.argmax(pieces(x))]

    return Kink(name, lambda x: float(np.max(pieces(x))), jac, np.array(x0, float), best)


def chained(name, pieces, slopes, x0, best, within=True):
    """A sum over neighbours of the greatest piece, or (not `within`) the greatest of the sums.

    `pieces` and `slopes` are for x and y, all pairs at once; a slope is the pair of derivatives.
    """

    def fun(x):
        values = np.stack(np.broadcast_arrays(*pieces(x[:-1], x[1:])))
        return float(values.max(0).sum() if within else values.sum(1).max())

    def jac(x):
        a, b = x[:-1], x[1:]
        values = np.stack(np.broadcast_arrays(*pieces(a, b)))
        each = np.stack([np.broadcast_arrays(*pair, a)[:2] for pair in slopes(a, b)])
        if within:
            first, second = each[values.argmax(0), :, np.arange(a.size)].T
        else:
            first, second = each[values.sum(1).argmax()]
        return np.append(first, 0) + np.insert(second, 0, 0)

    return Kink(name, fun, jac, np.array(x0, float), best)


# --- the classical ones


def pair(name, pieces, slopes, x0, best):
    """Of two variables."""
    return greatest(name, lambda x: pieces(*x), lambda x: slopes(*x), x0, best)


def cb3_pieces(a, b):
    return a**4 + b**2, (2 - a) ** 2 + (2 - b) ** 2, 2 * np.exp(b - a)


def cb3_slopes(a, b):
    e = 2 * np.exp(b - a)
    return (4 * a**3, 2 * b), (2 * a - 4, 2 * b - 4), (-e, e)


def lq_pieces(a, b):
    return -a - b, -a - b + a**2 + b**2 - 1


def lq_slopes(a, b):
    return (-1, -1), (2 * a - 1, 2 * b - 1)


def mifflin_two_pieces(a, b):
    circle = a**2 + b**2 - 1
    return -a + 3.75 * circle, -a + 0.25 * circle


def mifflin_two_slopes(a, b):
    return (7.5 * a - 1, 7.5 * b), (0.5 * a - 1, 0.5 * b)


def crescent_pieces(a, b):
    circle = a**2 + (b - 1) ** 2
    return circle + b - 1, -circle + b + 1


def crescent_slopes(a, b):
    return (2 * a, 2 * b - 1), (-2 * a, 3 - 2 * b)


def of_two_variables():
    def cb2(a, b):
        return a**2 + b**4, (2 - a) ** 2 + (2 - b) ** 2, 2 * np.exp(b - a)

    def cb2_slopes(a, b):
        e = 2 * np.exp(b - a)
        return (2 * a, 4 * b**3), (2 * a - 4, 2 * b - 4), (-e, e)

    def dem(a, b):
        return 5 * a + b, -5 * a + b, a**2 + b**2 + 4 * b

    def dem_slopes(a, b):
        return (5, 1), (-5, 1), (2 * a, 2 * b + 4)

    def ql(a, b):
        s = a**2 + b**2
        return s, s + 10 * (-4 * a - b + 4), s + 10 * (-a - 2 * b + 6)

    def ql_slopes(a, b):
        return (2 * a, 2 * b), (2 * a - 40, 2 * b - 10), (2 * a - 10, 2 * b - 20)

    def mifflin_one(a, b):
        return -a, -a + 20 * (a**2 + b**2 - 1)

    def mifflin_one_slopes(a, b):
        return (-1, 0), (40 * a - 1, 40 * b)

    return [
        pair("CB2", cb2, cb2_slopes, [1, -0.1], 1.9522244939),
        pair("CB3", cb3_pieces, cb3_slopes, [2, 2], 2),
        pair("DEM", dem, dem_slopes, [1, 1], -3),
        pair("QL", ql, ql_slopes, [-1, 5], 7.2),
        pair("LQ", lq_pieces, lq_slopes, [-0.5, -0.5], -math.sqrt(2)),
        pair("Mifflin 1", mifflin_one, mifflin_one_slopes, [0.8, 0.6], -1),
        pair("Mifflin 2", mifflin_two_pieces, mifflin_two_slopes, [-1, -1], -1),
        pair("crescent", crescent_pieces, crescent_slopes, [-1.5, 2], 0),
        Kink("Wolfe", wolfe, wolfe_slope, np.array([3.0, 2.0]), -8),
        spiral(),
    ]


def wolfe(x):
    a, b = x[0], abs(x[1])
    if a >= b:
        return 5 * math.hypot(3 * a, 4 * b)
    return float(9 * a + 16 * b - (a**9 if a <= 0 else 0))


def wolfe_slope(x):
    a, b = x[0], abs(x[1])
    sign = 1 if x[1] >= 0 else -1
    if a >= b > 0 or a > b:
        return 5 * np.array([9 * a, 16 * x[1]]) / math.hypot(3 * a, 4 * b)
    return np.array([9 - (9 * a**8 if a <= 0 else 0), 16 * sign])


def spiral():
    def parts(x):
        r = math.hypot(*x)
        c, s = math.cos(r), math.sin(r)
        return r, c, s, x[0] - r * c, x[1] - r * s

    def pieces(x):
        r, _, _, u, v = parts(x)
        return u**2 + 0.005 * r**2, v**2 + 0.005 * r**2

    def slopes(x):
        r, c, s, u, v = parts(x)
        outward = x / r if r > 0 else np.zeros(2)
        return (
            2 * u * (np.array([1, 0]) - (c - r * s) * outward) + 0.01 * x,
            2 * v * (np.array([0, 1]) - (s + r * c) * outward) + 0.01 * x,
        )

    return greatest("spiral", pieces, slopes, [1.411831, -4.79462], 0)


def rosen_suzuki():
    squares = np.array([[1, 1, 2, 1], [1, 1, 1, 1], [1, 2, 1, 2], [2, 1, 1, 0]])
    linear = np.array([[-5, -5, -21, 7], [1, -1, 1, -1], [-1, 0, 0, -1], [2, -1, 0, -1]])
    constant, weight = np.array([0, -8, -10, -5]), np.array([0, 10, 10, 10])

    def pieces(x):
        f = squares @ x**2 + linear @ x + constant
        return f[0] + weight * f

    def slopes(x):
        g = 2 * squares * x + linear
        return g[0] + weight[:, None] * g

    return greatest("Rosen-Suzuki", pieces, slopes, np.zeros(4), -44)


def evd52():
    def pieces(x):
        a, b, c = x
        last = 2 * a**3 + 6 * b**2 + 2 * (5 * c - a + 1) ** 2
        ball = a**2 + b**2
        return (
            ball + c**2 - 1, ball + (c - 2) ** 2, a + b + c - 1, a + b - c + 1, last, a**2 - 9 * c,
        )  # fmt: skip

    def slopes(x):
        a, b, c = x
        inner = 4 * (5 * c - a + 1)
        return (
            (2 * a, 2 * b, 2 * c), (2 * a, 2 * b, 2 * c - 4), (1, 1, 1), (1, 1, -1),
            (6 * a**2 - inner, 12 * b, 5 * inner), (2 * a, 0, -9),
        )  # fmt: skip

    return greatest("EVD52", pieces, slopes, np.ones(3), 3.5997193)


SHOR = np.array(
    """0 0 0 0 0  2 1 1 1 3  1 2 1 1 2  1 4 1 2 2  3 2 1 0 1  0 2 1 0 1  1 1 1 1 1  1 0 1 2 1
    0 0 2 1 0  1 1 2 0 0""".split(),
    float,
).reshape(10, 5)
SHOR_WEIGHTS = np.array([1, 5, 10, 2, 4, 3, 1.7, 2.5, 6, 3.5])


def shor():
    def pieces(x):
        return SHOR_WEIGHTS * ((x - SHOR) ** 2).sum(1)

    def slopes(x):
        return 2 * SHOR_WEIGHTS[:, None] * (x - SHOR)

    return greatest("Shor", pieces, slopes, [0, 0, 0, 0, 1], 22.600162)


def maxquad():
    i = np.arange(1, 11)
    row, column = np.minimum.outer(i, i), np.maximum.outer(i, i)
    k = np.arange(1, 6)
    A = np.exp(row / column) * np.cos(row * column) * np.sin(k)[:, None, None]
    A[:, i - 1, i - 1] = 0
    A[:, i - 1, i - 1] = i / 10 * abs(np.sin(k))[:, None] + abs(A).sum(2)
    b = np.exp(i / k[:, None]) * np.sin(np.outer(k, i))
    return greatest(
        "maxquad", lambda x: A @ x @ x - b @ x, lambda x: 2 * A @ x - b, np.ones(10), -0.8414083
    )


def gill():
    t = (np.arange(1, 30) / 29)[:, None]
    j = np.arange(10)
    powers = t**j
    steep = j[1:] * powers[:, :-1]

    def parts(x):
        inner = powers @ x
        return inner, steep @ x[1:] - inner**2 - 1, x[1] - x[0] ** 2 - 1

    def pieces(x):
        _, r, last = parts(x)
        return (
            ((x - 1) ** 2).sum() + 1e-3 * (x @ x - 0.25) ** 2,
            (r**2).sum() + x[0] ** 2 + last**2,
            (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[1:]) ** 2).sum(),
        )

    def slopes(x):
        inner, r, last = parts(x)
        second = -4 * powers.T @ (inner * r)
        second[1:] += 2 * steep.T @ r
        second[:2] += 2 * x[0] - 4 * last * x[0], 2 * last
        bend = 200 * (x[1:] - x[:-1] ** 2)
        third = np.insert(bend - 2 * (1 - x[1:]), 0, 0) - np.append(2 * bend * x[:-1], 0)
        return 2 * (x - 1) + 4e-3 * x * (x @ x - 0.25), second, third

    return greatest("Gill", pieces, slopes, np.full(10, -0.1), 9.7857721)


def many_variables():
    twenty = np.arange(1.0, 21) * np.where(np.arange(20) < 10, 1, -1)

    def sides(x):
        return np.append(x, -x)

    def active_faces(x):
        return np.log(abs(np.append(x, -x.sum())) + 1)

    def active_slopes(x):
        y = np.append(x, -x.sum())
        rate = np.where(y >= 0, 1, -1) / (abs(y) + 1)
        return np.vstack([np.diag(rate[:-1]), np.full(x.size, -rate[-1])])

    return [
        greatest("maxq", lambda x: x**2, lambda x: np.diag(2 * x), twenty, 0),
        greatest("maxl", sides, lambda x: np.vstack([np.eye(20), -np.eye(20)]), twenty, 0),
        greatest(
            "Goffin",
            lambda x: 50 * x - x.sum(),
            lambda x: 50 * np.eye(50) - 1,
            np.arange(1, 51) - 25.5,
            0,
        ),
        chained("chained LQ", lq_pieces, lq_slopes, np.full(10, -0.5), -9 * math.sqrt(2)),
        chained("chained CB3 I", cb3_pieces, cb3_slopes, np.full(10, 2), 18),
        chained("chained CB3 II", cb3_pieces, cb3_slopes, np.full(10, 2), 18, within=False),
        chained(
            "chained Mifflin 2", mifflin_two_pieces, mifflin_two_slopes, -np.ones(10), -6.5146142
        ),
        greatest("active faces", active_faces, active_slopes, np.ones(10), 0),
        Kink("Brown 2", brown, brown_slope, np.where(np.arange(10) % 2, 1.0, -1.0), 0),
    ]


def brown(x):
    a, b = abs(x[:-1]), abs(x[1:])
    return float((a ** (b**2 + 1) + b ** (a**2 + 1)).sum())


def brown_slope(x):
    a, b = abs(x[:-1]), abs(x[1:])

    def rates(a, b):
        """How a ** (b**2 + 1) changes with a and b."""
        power = a ** (b**2 + 1)
        return (b**2 + 1) * a ** (b**2), 2 * b * power * np.log(np.where(a > 0, a, 1))

    (one, two), (three, four) = rates(a, b), rates(b, a)
    slope = np.append(one + four, 0) + np.insert(two + three, 0, 0)
    return slope * np.where(x >= 0, 1, -1)


def classics():
    others = [rosen_suzuki(), evd52(), shor(), maxquad(), gill()]
    return [*of_two_variables(), *others, *many_variables()]


# --- of data


def residual_sum(name, A, b, weights, best):
    """The sum of w+ max(r, 0) + w- max(-r, 0) of the residuals r = A x - b."""
    above, below = weights

    def fun(x):
        r = A @ x - b
        return float((above * np.maximum(r, 0) - below * np.minimum(r, 0)).sum())

    def jac(x):
        return np.where(A @ x - b >= 0, above, -below) @ A

    return Kink(name, fun, jac, np.zeros(A.shape[1]), best)


def program(A, b, weights):
    """The least such sum, as a linear program: A x - u + v = b with u, v >= 0."""
    m, n = A.shape
    above, below = (np.broadcast_to(w, m) for w in weights)
    cost = np.concatenate([np.zeros(n), above, below])
    bounds = [(None, None)] * n + [(0, None)] * (2 * m)
    found = linprog(cost, A_eq=np.hstack([A, -np.eye(m), np.eye(m)]), b_eq=b, bounds=bounds)
    return found.fun


@functools.cache
def of_data():
    rng = np.random.default_rng(11)

    A = np.column_stack([np.ones(60), rng.standard_normal((60, 4))])
    b = A @ [1, 2, -1, 0.5, 0] + rng.standard_t(2, 60) / 2
    both, high = (1, 1), (0.1, 0.9)  # r = A x - b: below the data costs nine times as much

    t = np.linspace(-1, 1, 41)
    V = np.polynomial.chebyshev.chebvander(t, 4)
    y = np.exp(t)

    D = rng.standard_normal((80, 4))
    label = np.where(D @ [1, -1, 0.5, 0] + 0.7 * rng.standard_normal(80) >= 0, 1, -1)
    margin = np.column_stack([D, np.ones(80)]) * label[:, None]
    penalty = np.eye(5)[:4]  # hinge: max(0, 1 - margin x); and |x|, but for the intercept
    H, ones = np.vstack([margin, penalty]), np.append(np.ones(80), np.zeros(4))
    hinge = np.append(np.zeros(80), np.ones(4)), np.ones(84)

    return [
        residual_sum("least absolute deviations", A, b, both, program(A, b, both)),
        residual_sum("quantile regression", A, b, high, program(A, b, high)),
        residual_sum("hinge loss", H, ones, hinge, program(H, ones, hinge)),
        greatest(
            "Chebyshev fit",
            lambda x: np.append(V @ x - y, y - V @ x),
            lambda x: np.vstack([V, -V]),
            np.zeros(5),
            chebyshev(V, y),
        ),
        lasso(rng.standard_normal((50, 8)), rng),
    ]


def chebyshev(V, y):
    m, n = V.shape
    cost = np.append(np.zeros(n), 1)
    sides = np.vstack([np.c_[V, -np.ones(m)], np.c_[-V, -np.ones(m)]])
    return linprog(cost, sides, np.append(y, -y), bounds=[(None, None)] * (n + 1)).fun


def lasso(A, rng, weight=8.0):
    """|A x - b|^2 / 2 + weight |x|_1."""
    b = A @ [3, -2, 1, 0, 0, 0, 0, 0] + rng.standard_normal(len(A))

    def fun(x):
        r = A @ x - b
        return float(r @ r / 2 + weight * abs(x).sum())

    def jac(x):
        return A.T @ (A @ x - b) + weight * np.where(x >= 0, 1, -1)

    x, squares = np.zeros(A.shape[1]), (A**2).sum(0)
    for _ in range(200):
        for j in range(x.size):
            slope = A[:, j] @ (b - A @ x) + squares[j] * x[j]
            x[j] = np.sign(slope) * max(abs(slope) - weight, 0) / squares[j]
    r = b - A @ x
    dual = r * min(1, weight / abs(A.T @ r).max())
    gap = fun(x) - (b @ b - (b - dual) @ (b - dual)) / 2
    if not gap <= 1e-9 * fun(x):
        raise ArithmeticError(f"the lasso is solved to {gap} only")
    return Kink("lasso", fun, jac, np.zeros(x.size), fun(x))


def kinks():
    return [*classics(), *of_data()]
