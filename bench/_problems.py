"""The problems of the benchmarks: smooth functions with exact gradients.

Sums of squares get their gradient by complex step: the residuals are analytic formulas, written
for a matrix whose columns are points, and all n directions go through them in one call. There is
no difference in it, so it is exact to rounding.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, rosen, rosen_der

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


# --- curve fits: NIST's Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/
# Public domain. A line: name, the certified sum of squares, the certified parameters, two starts.

NIST = """
Misra1a  1.2455138894e-01 | 2.3894212918e+02 5.5015643181e-04 | 500 .0001 | 250 .0005
Misra1b  7.5464681533e-02 | 3.3799746163e+02 3.9039091287e-04 | 500 .0001 | 300 .0002
Misra1c  4.0966836971e-02 | 6.3642725809e+02 2.0813627256e-04 | 500 .0001 | 600 .0002
Misra1d  5.6419295283e-02 | 4.3736970754e+02 3.0227324449e-04 | 500 .0001 | 450 .0003
Chwirut2 5.1304802941e+02 | 1.6657666537e-01 5.1653291286e-03 1.2150007096e-02 | .1 .01 .02
    | .15 .008 .010
Lanczos3 1.6117193594e-08 | 8.6816414977e-02 9.5498101505e-01 8.4400777463e-01 2.9515951832e+00
    1.5825685901e+00 4.9863565084e+00 | 1.2 .3 5.6 5.5 6.5 7.6 | .5 .7 3.6 4.2 4 6.3
DanWood  4.3173084083e-03 | 7.6886226176e-01 3.8604055871e+00 | 1 5 | .7 4
MGH09    3.0750560385e-04 | 1.9280693458e-01 1.9128232873e-01 1.2305650693e-01 1.3606233068e-01
    | 25 39 41.5 39 | .25 .39 .415 .39
MGH10    8.7945855171e+01 | 5.6096364710e-03 6.1813463463e+03 3.4522363462e+02
    | 2 400000 25000 | .02 4000 250
MGH17    5.4648946975e-05 | 3.7541005211e-01 1.9358469127e+00 -1.4646871366e+00 1.2867534640e-02
    2.2122699662e-02 | 50 150 -100 1 2 | .5 1.5 -1 .01 .02
Thurber  5.6427082397e+03 | 1.2881396800e+03 1.4910792535e+03 5.8323836877e+02 7.5416644291e+01
    9.6629502864e-01 3.9797285797e-01 4.9727297349e-02 | 1000 1000 400 40 .7 .3 .03
    | 1300 1500 500 75 1 .4 .05
BoxBOD   1.1680088766e+03 | 2.1380940889e+02 5.4723748542e-01 | 1 1 | 100 .75
Rat42    8.0565229338e+00 | 7.2462237576e+01 2.6180768402e+00 6.7359200066e-02 | 100 1 .1
    | 75 2.5 .07
Rat43    8.7864049080e+03 | 6.9964151270e+02 5.2771253025e+00 7.5962938329e-01 1.2792483859e+00
    | 100 10 1 1 | 700 5 .75 1.3
Eckerle4 1.4635887487e-03 | 1.5543827178e+00 4.0888321754e+00 4.5154121844e+02 | 1 10 500
    | 1.5 5 450
Roszman1 4.9484847331e-04 | 2.0196866396e-01 -6.1953516256e-06 1.2044556708e+03 -1.8134269537e+02
    | .1 -.00001 1000 -100 | .2 -.000005 1200 -150
"""

MODELS = {
    "Misra1a": lambda b, t: b[0] * (1 - np.exp(-b[1] * t)),
    "Misra1b": lambda b, t: b[0] * (1 - (1 + b[1] * t / 2) ** -2),
    "Misra1c": lambda b, t: b[0] * (1 - (1 + 2 * b[1] * t) ** -0.5),
    "Misra1d": lambda b, t: b[0] * b[1] * t / (1 + b[1] * t),
    "Chwirut2": lambda b, t: np.exp(-b[0] * t) / (b[1] + b[2] * t),
    "Lanczos3": lambda b, t: sum(b[k] * np.exp(-b[k + 1] * t) for k in (0, 2, 4)),
    "DanWood": lambda b, t: b[0] * t ** b[1],
    "MGH09": lambda b, t: b[0] * (t * t + b[1] * t) / (t * t + b[2] * t + b[3]),
    "MGH10": lambda b, t: b[0] * np.exp(b[1] / (t + b[2])),
    "MGH17": lambda b, t: b[0] + b[1] * np.exp(-b[3] * t) + b[2] * np.exp(-b[4] * t),
    "Thurber": lambda b, t: (
        (b[0] + t * (b[1] + t * (b[2] + t * b[3]))) / (1 + t * (b[4] + t * (b[5] + t * b[6])))
    ),
    "BoxBOD": lambda b, t: b[0] * (1 - np.exp(-b[1] * t)),
    "Rat42": lambda b, t: b[0] / (1 + np.exp(b[1] - b[2] * t)),
    "Rat43": lambda b, t: b[0] / (1 + np.exp(b[1] - b[2] * t)) ** (1 / b[3]),
    "Eckerle4": lambda b, t: b[0] / b[1] * np.exp(-(((t - b[2]) / b[1]) ** 2) / 2),
    "Roszman1": lambda b, t: b[0] - b[1] * t - np.arctan(b[2] / (t - b[3])) / np.pi,
}

MISRA = """77.6 114.9 141.1 190.8 239.9 289 332.8 378.4 434.8 477.3 536.8 593.1 689.1 760
    | 10.07 14.73 17.94 23.93 29.61 35.18 40.02 44.82 50.76 55.05 61.01 66.40 75.47 81.78"""
OBSERVED = {
    **dict.fromkeys(("Misra1a", "Misra1b", "Misra1c", "Misra1d"), MISRA),
    "Chwirut2": """.5 1 1.75 3.75 5.75 .875 2.25 3.25 5.25 .75 1.75 2.75 4.75 .625 1.25 2.25 4.25
        .5 3 .75 3 1.5 6 3 6 1.5 3 .5 2 4 .75 2 5 .75 2.25 3.75 5.75 3 .75 2.5 4 .75 2.5 4 .75 2.5
        4 .5 6 3 .5 2.75 .5 1.75
        | 92.9 57.1 31.05 11.5875 8.025 63.6 21.4 14.25 8.475 63.8 26.8 16.4625 7.125 67.3 41 21.15
        8.175 81.5 13.12 59.9 14.62 32.9 5.44 12.56 5.44 32 13.95 75.8 20 10.42 59.5 21.67 8.55 62
        20.2 7.76 3.75 11.81 54.7 23.7 11.55 61.3 17.7 8.74 59.2 16.3 8.62 81 4.87 14.62 81.7 17.17
        81.3 28.9""",
    "Lanczos3": """0 .05 .1 .15 .2 .25 .3 .35 .4 .45 .5 .55 .6 .65 .7 .75 .8 .85 .9 .95 1 1.05 1.1
        1.15 | 2.5134 2.0443 1.6684 1.3664 1.1232 .9269 .7679 .6389 .5338 .4479 .3776 .3197 .2720
        .2325 .1997 .1723 .1493 .1301 .1138 .1000 .0883 .0783 .0698 .0624""",
    "DanWood": "1.309 1.471 1.490 1.565 1.611 1.680 | 2.138 3.421 3.597 4.340 4.882 5.660",
    "MGH09": """4 2 1 .5 .25 .167 .125 .1 .0833 .0714 .0625
        | .1957 .1947 .1735 .16 .0844 .0627 .0456 .0342 .0323 .0235 .0246""",
    "MGH10": """50 55 60 65 70 75 80 85 90 95 100 105 110 115 120 125
        | 34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872""",
    "MGH17": """0 10 20 30 40 50 60 70 80 90 100 110 120 130 140 150 160 170 180 190 200 210 220
        230 240 250 260 270 280 290 300 310 320
        | .844 .908 .932 .936 .925 .908 .881 .85 .818 .784 .751 .718 .685 .658 .628 .603 .58 .558
        .538 .522 .506 .49 .478 .467 .457 .448 .438 .431 .424 .42 .414 .411 .406""",
    "Thurber": """-3.067 -2.981 -2.921 -2.912 -2.840 -2.797 -2.702 -2.699 -2.633 -2.481 -2.363
        -2.322 -1.501 -1.460 -1.274 -1.212 -1.100 -1.046 -.915 -.714 -.566 -.545 -.400 -.309 -.109
        -.103 .010 .119 .377 .790 .963 1.006 1.115 1.572 1.841 2.047 2.200
        | 80.574 84.248 87.264 87.195 89.076 89.608 89.868 90.101 92.405 95.854 100.696 101.060
        401.672 390.724 567.534 635.316 733.054 759.087 894.206 990.785 1090.109 1080.914 1122.643
        1178.351 1260.531 1273.514 1288.339 1327.543 1353.863 1414.509 1425.208 1421.384 1442.962
        1464.350 1468.705 1447.894 1457.628""",
    "BoxBOD": "1 2 3 5 7 10 | 109 149 149 191 213 224",
    "Rat42": "9 14 21 28 42 57 63 70 79 | 8.93 10.8 18.59 22.33 39.35 56.11 61.73 64.62 67.08",
    "Rat43": """1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 | 16.08 33.83 65.80 97.20 191.55 326.20 386.87
        520.53 590.03 651.92 724.93 699.56 689.96 637.56 717.41""",
    "Eckerle4": """400 405 410 415 420 425 430 435 436.5 438 439.5 441 442.5 444 445.5 447 448.5 450
        451.5 453 454.5 456 457.5 459 460.5 462 463.5 465 470 475 480 485 490 495 500
        | .0001575 .0001699 .0002350 .0003102 .0004917 .0008710 .0017418 .0046400 .0065895 .0097302
        .0149002 .0237310 .0401683 .0712559 .1264458 .2073413 .2902366 .3445623 .3698049 .3668534
        .3106727 .2078154 .1164354 .0616764 .0337200 .0194023 .0117831 .0074357 .0022732 .0008800
        .0004579 .0002345 .0001586 .0001143 .0000710""",
    "Roszman1": """-4868.68 -4868.09 -4867.41 -3375.19 -3373.14 -3372.03 -2473.74 -2472.35 -2469.45
        -1894.65 -1893.40 -1497.24 -1495.85 -1493.41 -1208.68 -1206.18 -1206.04 -997.92 -996.61
        -996.31 -834.94 -834.66 -710.03 -530.16 -464.17
        | .252429 .252141 .251809 .297989 .296257 .295319 .339603 .337731 .333820 .389510 .386998
        .438864 .434887 .427893 .471568 .461699 .461144 .513532 .506641 .505062 .535648 .533726
        .568064 .612886 .624169""",
}
DATA = {
    name: tuple(np.array(side.split(), float)[:, None] for side in text.split("|"))
    for name, text in OBSERVED.items()
}


def nist():
    """Name, certified sum of squares, certified parameters, starts; a line may be continued."""
    for line in NIST.replace("\n    ", " ").strip().splitlines():
        head, *vectors = line.split("|")
        name, total = head.split()
        certified, *starts = (np.array(v.split(), float) for v in vectors)
        yield name, float(total), certified, starts


def fits():
    """Certified curve fits, from both of NIST's starts, in units in which the start is 1."""
    found = []
    for name, _, _, starts in nist():
        (t, y), model = DATA[name], MODELS[name]
        for k, start in enumerate(starts, 1):

            def residuals(u, model=model, unit=start[:, None], t=t, y=y):
                return model(unit * u, t) - y

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
