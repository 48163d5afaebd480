"""The problems of the benchmarks: smooth functions with exact gradients.

The gradients of sums of squares use the complex step. The residuals are analytic formulas, written
for a matrix whose columns are points, and one call evaluates all n directions. There is no
subtraction, so the gradient is exact to rounding.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, rosen, rosen_der

from bench import _nist as nist
from scipy_gd import problems as ours

STEP = 1e-30


class Problem(NamedTuple):
    name: str
    group: str
    fun: Callable[[Any], float]
    jac: Callable[[Any], Any]
    x0: Any
    bounds: Bounds | None = None
    residuals: Callable[[Any], Any] | None = None

    def __repr__(self):
        return f"<{self.group}: {self.name}, n={self.x0.size}>"

    def projected(self, x, g):
        """The gradient, or in a box the step that it asks for: zero at a solution."""
        if self.bounds is None:
            return g
        return x - np.clip(x - g, self.bounds.lb, self.bounds.ub)


def least_squares(residuals):
    """The sum of squares and its gradient; `residuals` maps points to columns, (n, k) -> (m, k)."""

    def fun(x):
        r = residuals(np.asarray(x, float)[:, None])
        return float(np.vdot(r, r))

    def jac(x):
        r = residuals(np.asarray(x, float)[:, None] + 1j * STEP * np.eye(len(x)))
        return 2 * (r.real[:, 0] @ r.imag) / STEP

    return fun, jac


# --- Moré-Wild


def linear_full_rank(x, m):
    r = np.broadcast_to(-2 * x.sum(0) / m - 1, (m, x.shape[1])).copy()
    r[: len(x)] += x
    return r


def linear_rank_one(x, m):
    return column(1, m) * (column(1, len(x)) * x).sum(0) - 1


def linear_rank_one_zeros(x, m):
    weights = column(0, m - 1)
    weights[-1] = 0
    return weights * (column(2, len(x) - 1) * x[1:-1]).sum(0) - 1


def rosenbrock(x):
    return np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def helical_valley(x):
    a, b, c = x
    if a[0].real == 0:
        turn = 0.25 * np.sign(b.real) - np.arctan(a / b) / (2 * np.pi)
    else:
        turn = np.arctan(b / a) / (2 * np.pi) + 0.5 * (a[0].real < 0)
    return np.stack([10 * (c - 10 * turn), 10 * (np.sqrt(a * a + b * b) - 1), c])


def powell_singular(x):
    a, b, c, d = x
    return np.stack(
        [a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2],
    )


def freudenstein_roth(x):
    a, b = x
    return np.stack([-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((1 + b) * b - 14) * b])


def bard(x, y):
    up = column(1, len(y))
    down = up[::-1]
    return y - (x[0] + up / (x[1] * down + x[2] * np.minimum(up, down)))


def kowalik_osborne(x, u, y):
    return y - x[0] * u * (u + x[1]) / (u * (u + x[2]) + x[3])


def meyer(x, y):
    return x[0] * np.exp(x[1] / (5 * column(1, len(y)) + 45 + x[2])) - y


def watson(x):
    t, j = column(1, 29) / 29, np.arange(len(x))
    powers = t**j
    slopes = j[1:] * powers[:, :-1]
    return np.concatenate(
        [slopes @ x[1:] - (powers @ x) ** 2 - 1, x[:1], x[1:2] - x[:1] ** 2 - 1],
    )


def box_3d(x, m):
    i = column(1, m)
    t = -i / 10
    return np.exp(t * x[0]) - np.exp(t * x[1]) + (np.exp(-i) - np.exp(t)) * x[2]


def jennrich_sampson(x, m):
    i = column(1, m)
    return 2 * (1 + i) - np.exp(i * x[0]) - np.exp(i * x[1])


def brown_dennis(x, m):
    t = column(1, m) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + np.sin(t) * x[3] - np.cos(t)) ** 2


def chebyquad(x, m):
    before, now, r = np.ones_like(x), 2 * x - 1, []
    for i in range(1, m + 1):
        r.append(now.mean(0) + (1 / (i**2 - 1) if i % 2 == 0 else 0))
        before, now = now, 2 * (2 * x - 1) * now - before
    return np.stack(r)


def brown_almost_linear(x):
    r = x + x.sum(0) - (len(x) + 1)
    r[-1] = x.prod(0) - 1
    return r


def osborne_one(x, y):
    t = 10 * column(0, len(y) - 1)
    return y - (x[0] + x[1] * np.exp(-x[3] * t) + x[2] * np.exp(-x[4] * t))


def osborne_two(x, y):
    t = column(0, len(y) - 1) / 10
    r = y - x[0] * np.exp(-x[4] * t)
    for k in range(1, 4):
        r = r - x[k] * np.exp(-x[4 + k] * (t - x[7 + k]) ** 2)
    return r


def bdqrtic(x):
    s = x * x
    fours = s[:-4] + 2 * s[1:-3] + 3 * s[2:-2] + 4 * s[3:-1] + 5 * s[-1]
    return np.concatenate([3 - 4 * x[:-4], fours])


def cube(x):
    r = 10 * (x - np.roll(x, 1, axis=0) ** 3)
    r[0] = x[0] - 1
    return r


def mancino(x):
    i = column(1, len(x))
    v = np.sqrt(x[:, None] ** 2 + (i / i.T)[..., None])
    s, c = np.sin(np.log(v)), np.cos(np.log(v))
    return 1400 * x + (i - 50) ** 3 + (v * (s * s * s * s * s + c * c * c * c * c)).sum(1)


def heart_eight(x, y):
    a, b, c, d, t, u, v, w = x
    r = [
        a + b,
        c + d,
        t * a + u * b - v * c - w * d,
        v * a + w * b + t * c + u * d,
        a * (t * t - v * v) - 2 * c * t * v + b * (u * u - w * w) - 2 * d * u * w,
        c * (t * t - v * v) + 2 * a * t * v + d * (u * u - w * w) + 2 * b * u * w,
        a * t * (t * t - 3 * v * v)
        + c * v * (v * v - 3 * t * t)
        + b * u * (u * u - 3 * w * w)
        + d * w * (w * w - 3 * u * u),
        c * t * (t * t - 3 * v * v)
        - a * v * (v * v - 3 * t * t)
        + d * u * (u * u - 3 * w * w)
        - b * w * (w * w - 3 * u * u),
    ]
    return np.stack(r) - y


def column(first, last):
    return np.arange(first, last + 1.0)[:, None]


@functools.cache
def _more_wild_set():
    """Starts and known solutions of optimagic's set, with the residuals above, by name."""
    from optimagic.benchmarking import more_wild as theirs

    data = {
        "bard": [theirs.y_vec],
        "kowalik_osborne": [theirs.v_vec, theirs.y2_vec],
        "meyer": [theirs.y3_vec],
        "osborne_one": [theirs.y4_vec],
        "osborne_two": [theirs.y5_vec],
        "heart_eight": [np.array([-0.69, -0.044, -1.57, -1.31, -2.65, 2, -12.6, 9.48])],
    }
    sizes = {
        "linear_full_rank": 45,
        "linear_rank_one": 35,
        "linear_rank_one_zero_columns_rows": 35,
        "box_3d": 10,
        "jennrich_sampson": 10,
        "brown_dennis": 20,
        "chebyquad": None,  # as many as variables
    }
    special = {"linear_rank_one_zero_columns_rows": linear_rank_one_zeros}
    functions = special | {f.__name__: f for f in (
        linear_full_rank, linear_rank_one, rosenbrock, helical_valley, powell_singular,
        freudenstein_roth, bard, kowalik_osborne, meyer, watson, box_3d, jennrich_sampson,
        brown_dennis, chebyquad, brown_almost_linear, osborne_one, osborne_two, bdqrtic, cube,
        mancino, heart_eight,
    )}  # fmt: skip
    found = {}
    for name, problem in theirs.MORE_WILD_PROBLEMS.items():
        x0 = np.array(problem["start_x"], float)
        family = max((f for f in functions if name.startswith(f)), key=len)
        if family in sizes:
            args = [sizes[family] or x0.size]
        else:
            args = [v[:, None] for v in data.get(family, [])]
        found[name] = x0, problem["solution_x"], lambda x, r=functions[family], a=args: r(x, *a)
    return found


def solutions():
    """The known solutions of the 54 problems, by name; None where there is none."""
    return {name: solution for name, (_, solution, _) in _more_wild_set().items()}


def more_wild():
    """The 54 problems of Moré and Wild, as optimagic has them."""
    return [
        Problem(name, "Moré-Wild", *least_squares(residuals), x0, residuals=residuals)
        for name, (x0, _, residuals) in _more_wild_set().items()
    ]


# --- Rosenbrock, quadratics, logistic regressions


def rosenbrocks():
    """The chained Rosenbrock function, from two starts for n = 2."""
    return [
        Problem(f"rosenbrock {n}{' far' * k}", "Rosenbrock", rosen, rosen_der, start.copy())
        for n in (2, 10, 100, 1000, 10_000)
        for k, start in enumerate(ours.rosenbrock(n).starts[: 2 if n == 2 else 1])
    ]


def quadratics():
    """Convex quadratics with condition 1e2 to 1e8."""
    return [
        library(ours.quadratic(n, condition), f"quadratic {n} {condition:.0e}", "quadratic")
        for condition in (1e2, 1e4, 1e6, 1e8)
        for n in (10, 100)
    ]


def logistics():
    """Breast cancer, and the digit 0 against the others; standardised, or scaled to [0, 1]."""
    from sklearn.datasets import load_breast_cancer, load_digits

    X, y = load_breast_cancer(return_X_y=True)
    D, digit = load_digits(return_X_y=True)
    return [
        library(ours.logistic_regression(A, labels, l2=1e-4), name, "logistic")
        for name, A, labels in [
            ("breast cancer", (X - X.mean(0)) / X.std(0), y),
            ("digit 0", D / 16, digit == 0),
        ]
    ]


def library(problem, name, group):
    """One of the library's own problems, in plain NumPy."""
    p = problem.plain
    return Problem(
        name, group, lambda x: float(p.fun(x, *p.args)), lambda x: p.jac(x, *p.args), p.x0
    )


# --- curve fits: some of NIST's (bench/_nist.py)

FITS = (
    "Misra1a", "Misra1b", "Misra1c", "Misra1d", "Chwirut2", "Lanczos3", "DanWood", "MGH09",
    "MGH10", "MGH17", "Thurber", "BoxBOD", "Rat42", "Rat43", "Eckerle4", "Roszman1",
)  # fmt: skip


def fits():
    """Certified curve fits, from both of NIST's starts, in units in which the start is 1."""
    found = []
    for name in FITS:
        fit = nist.fits()[name]
        columns = fit.x[:, None], fit.y[:, None]
        for k, start in enumerate(fit.starts, 1):

            def residuals(u, fit=fit, unit=start[:, None], columns=columns):
                return fit.residuals(unit * u, *columns)

            functions, x0 = least_squares(residuals), np.ones(len(start))
            found.append(Problem(f"{name} {k}", "fit", *functions, x0, residuals=residuals))
    return found


# --- in boxes


def boxed():
    """Problems with some bounds active at the solution.

    The Moré-Wild problems with a known solution, once each: every third coordinate is kept from
    reaching the solution x*, by a bound 0.1 max(|x*|, |x0|) before it, seen from the start x0.
    Rosenbrock with upper bounds of 0.8 on the odd coordinates, quadratics with all |x| <= 0.5.
    """
    found = []
    for name, (x0, solution, residuals) in _more_wild_set().items():
        if solution is None or name.endswith("bad_start"):
            continue
        low, high = np.full(x0.size, -np.inf), np.full(x0.size, np.inf)
        for i in range(0, x0.size, 3):
            gap = 0.1 * max(abs(solution[i]), abs(x0[i]))
            if x0[i] > solution[i]:
                low[i] = solution[i] + gap
            else:
                high[i] = solution[i] - gap
        found.append(Problem(name, "boxed", *least_squares(residuals), x0, Bounds(low, high)))
    for n in (2, 10, 100):
        high = np.where(np.arange(n) % 2 == 0, 0.8, np.inf)
        x0 = ours.rosenbrock(n).x0
        found.append(
            Problem(f"rosenbrock {n}", "boxed", rosen, rosen_der, x0, Bounds(-np.inf, high))
        )
    for problem in quadratics()[:6]:
        half = np.full(problem.x0.size, 0.5)
        found.append(problem._replace(group="boxed", bounds=Bounds(-half, half)))
    return [p._replace(x0=np.clip(p.x0, p.bounds.lb, p.bounds.ub)) for p in found]
