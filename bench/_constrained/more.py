"""More small problems: other collections, designs of machines, minimax, poolings, electrons.

The names tell where they are from. "s": K. Schittkowski, "More Test Examples for Nonlinear
Programming Codes", Springer, 1987. "g": J. J. Liang et al., "Problem Definitions and Evaluation
Criteria for the CEC 2006 Special Session on Constrained Real-Parameter Optimization". The designs
are those of C. A. Coello Coello, Computers in Industry 41 (2000), of J. Golinski (speed reducer)
and of S. S. Rao's book (column), with continuous parameters. In minimax problems, all f <= t.
"""

from numpy import array, cos, exp, inf, log, pi, prod, sin, sqrt, triu_indices

from bench._constrained.notation import eq, ineq, linear, nonlinear, problem


def banana(x1, x2):
    return 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2


# --- Schittkowski


@problem([1.3, 0.2], -1.5, box=(0, inf))
def s222(x1, x2):
    return -x1, ineq(0.125 - (x1 - 1) ** 3 - x2)


@problem([0.1, 3.3], -log(log(10)), box=(0, 10))
def s223(x1, x2):
    return -x1, ineq(exp(exp(x1))), ineq(x2 - exp(exp(x1)))


@problem([0.1, 0.1], -304, box=(0, 6))
def s224(x1, x2):
    f = 2 * x1**2 + x2**2 - 48 * x1 - 40 * x2
    return f, linear(0, x1 + 3 * x2, 18), linear(0, x1 + x2, 8)


@problem([0.8, 0.05], -0.5, box=(0, inf))
def s226(x1, x2):
    return -x1 * x2, nonlinear(0, x1**2 + x2**2, 1)


@problem([0.5, 0.5], 1)
def s227(x1, x2):
    return (x1 - 2) ** 2 + (x2 - 1) ** 2, ineq(x2 - x1**2), ineq(x1 - x2**2)


@problem([0, 0], -3)
def s228(x1, x2):
    return x1**2 + x2, linear(-inf, x1 + x2, 1), nonlinear(-inf, x1**2 + x2**2, 9)


@problem([0, 0], 0.375)
def s230(x1, x2):
    y1 = 1 - x1
    return x2, ineq(-2 * x1**2 + x1**3 + x2), ineq(-2 * y1**2 + y1**3 + x2)


@problem([-1.2, 1], 0)
def s231(x1, x2):
    return banana(x1, x2), linear(-0.1, x1 / 3 + x2), linear(-0.1, -x1 / 3 + x2)


@problem([1.2, 1], 0)
def s233(x1, x2):
    return banana(x1, x2), nonlinear(0.25, x1**2 + x2**2)


@problem([1, 1], -0.8, box=(0.2, 2))
def s234(x1, x2):
    return (x2 - x1) ** 4 - (1 - x1), ineq(1 - x1**2 - x2**2)


@problem([-0.1, -1, 0.1], -0.8)
def s248(x1, x2, x3):
    return -x2, linear(-inf, -x1 + 2 * x2, 1), nonlinear(1, x1**2 + x2**2 + x3**2, 1)


@problem([1, 1, 1], -sqrt(3), box=([-inf, -inf, 1], inf))
def s254(x1, x2, x3):
    return log(x3) - x2, eq(x2**2 + x3**2 - 4), eq(x3 - 1 - x1**2)


@problem([1, 1, 1, 1], -10, box=(0, inf))
def s262(x1, x2, x3, x4):
    return (
        -x1 / 2 - x2 - x3 / 2 - x4,
        linear(-inf, x1 + x2 + x3 + x4, 10),
        linear(-inf, 0.2 * x1 + 0.5 * x2 + x3 + 2 * x4, 10),
        linear(-inf, 2 * x1 + x2 + 0.5 * x3 + 0.2 * x4, 10),
        linear(6, x1 + x2 + x3 - 2 * x4, 6),
    )


@problem([10, 10, 10, 10], -1)
def s263(x1, x2, x3, x4):
    return (
        -x1,
        ineq(x2 - x1**3),
        ineq(x1**2 - x2),
        eq(x2 - x1**3 - x3**2),
        eq(x1**2 - x2 - x4**2),
    )


def nearest_on_ellipse(axis):
    def model(x1, x2):
        return (x1 - 20) ** 2 + (x2 + 20) ** 2, nonlinear(1, x1**2 / 100 + x2**2 / axis, 1)

    return model


s316 = problem([0, 0], 334.31458, name="s316")(nearest_on_ellipse(100))
s319 = problem([0, 0], 452.40440, name="s319")(nearest_on_ellipse(16))
s321 = problem([0, 0], 496.11237, name="s321")(nearest_on_ellipse(1))


@problem([1, 1, 1], 3.36168, box=(0, inf))
def s339(x1, x2, x3):
    return 0.2 / (x1 * x2 * x3) + 4 / x1 + 3 / x3, nonlinear(-inf, 2 * x1 * x3 + x1 * x2, 10)


# --- CEC 2006


@problem([0.5] * 13, -15, box=(0, [*[1] * 9, 100, 100, 100, 1]))
def g01(x):
    return (
        5 * x[:4].sum(0) - 5 * (x[:4] ** 2).sum(0) - x[4:].sum(0),
        linear(-inf, 2 * x[0] + 2 * x[1] + x[9] + x[10], 10),
        linear(-inf, 2 * x[0] + 2 * x[2] + x[9] + x[11], 10),
        linear(-inf, 2 * x[1] + 2 * x[2] + x[10] + x[11], 10),
        linear(-inf, x[9:12] - 8 * x[:3], 0),
        linear(-inf, x[9:12] - 2 * x[3:9:2] - x[4:9:2], 0),
    )


@problem([0.1, 0.2, 0.3, 0.4] * 2 + [0.5, 0.5], -1, box=(0, 1))
def g03(x):
    return -(sqrt(10) ** 10) * prod(x, axis=0), nonlinear(1, (x**2).sum(0), 1)


@problem([0.5, 0.5], 0.75, box=(-1, 1))
def g11(x1, x2):
    return x1**2 + (x2 - 1) ** 2, eq(x2 - x1**2)


@problem([2, 2], -5.508013, box=(0, [3, 4]))
def g24(x1, x2):
    return (
        -x1 - x2,
        ineq(2 * x1**4 - 8 * x1**3 + 8 * x1**2 + 2 - x2),
        ineq(4 * x1**4 - 32 * x1**3 + 88 * x1**2 - 96 * x1 + 36 - x2),
    )


# --- designs


@problem([0.4, 6, 9, 0.5], 1.7248523, box=(0.1, [2, 10, 10, 2]))
def welded_beam(h, length, t, b):
    load, reach, young, shear = 6000, 14, 30e6, 12e6
    radius = sqrt(length**2 / 4 + ((h + t) / 2) ** 2)
    inertia = 2 * sqrt(2) * h * length * (length**2 / 12 + ((h + t) / 2) ** 2)
    direct = load / (sqrt(2) * h * length)
    torsion = load * (reach + length / 2) * radius / inertia
    stress = sqrt(direct**2 + direct * torsion * length / radius + torsion**2)
    slender = 1 - t / (2 * reach) * sqrt(young / (4 * shear))
    buckling = 4.013 * young * t * b**3 / 6 / reach**2 * slender
    return (
        1.10471 * h**2 * length + 0.04811 * t * b * (14 + length),
        nonlinear(-inf, stress, 13600),
        nonlinear(-inf, 6 * load * reach / (t**2 * b), 30000),
        linear(-inf, h - b, 0),
        nonlinear(-inf, 4 * load * reach**3 / (young * t**3 * b), 0.25),
        nonlinear(6000, buckling),
    )


@problem([1, 1, 50, 100], 5885.3327736, box=([0, 0, 10, 10], [99, 99, 200, 200]))
def pressure_vessel(x1, x2, x3, x4):
    volume = pi * x3**2 * x4 + 4 / 3 * pi * x3**3
    cylinder = 0.6224 * x1 * x3 * x4 + 3.1661 * x1**2 * x4 + 19.84 * x1**2 * x3
    return (
        cylinder + 1.7781 * x2 * x3**2,
        linear(0, x1 - 0.0193 * x3),
        linear(0, x2 - 0.00954 * x3),
        nonlinear(1296000, volume),
    )


@problem([0.1, 0.5, 10], 0.01266523, box=([0.05, 0.25, 2], [2, 1.3, 15]))
def spring(d, D, N):
    return (
        (N + 2) * D * d**2,
        ineq(D**3 * N / (71785 * d**4) - 1),
        ineq(1 - (4 * D**2 - d * D) / (12566 * (D * d**3 - d**4)) - 1 / (5108 * d**2)),
        ineq(140.45 * d / (D**2 * N) - 1),
        linear(-inf, D + d, 1.5),
    )


@problem([0.5, 0.5], 263.895843, box=(0, 1))
def three_bars(x1, x2):
    shared = 2 / (sqrt(2) * x1**2 + 2 * x1 * x2)
    return (
        100 * (2 * sqrt(2) * x1 + x2),
        nonlinear(-inf, (sqrt(2) * x1 + x2) * shared, 2),
        nonlinear(-inf, x2 * shared, 2),
        nonlinear(-inf, 2 / (x1 + sqrt(2) * x2), 2),
    )


@problem(
    [3, 0.75, 20, 8, 8, 3.5, 5.2],
    2994.471066,
    box=([2.6, 0.7, 17, 7.3, 7.3, 2.9, 5], [3.6, 0.8, 28, 8.3, 8.3, 3.9, 5.5]),
)
def speed_reducer(x1, x2, x3, x4, x5, x6, x7):
    return (
        0.7854 * x1 * x2**2 * (3.3333 * x3**2 + 14.9334 * x3 - 43.0934)
        - 1.508 * x1 * (x6**2 + x7**2) + 7.4777 * (x6**3 + x7**3)
        + 0.7854 * (x4 * x6**2 + x5 * x7**2),
        ineq(1 - 27 / (x1 * x2**2 * x3)),
        ineq(1 - 397.5 / (x1 * x2**2 * x3**2)),
        ineq(1 - 1.93 * x4**3 / (x2 * x3 * x6**4)),
        ineq(1 - 1.93 * x5**3 / (x2 * x3 * x7**4)),
        ineq(1 - sqrt((745 * x4 / (x2 * x3)) ** 2 + 16.9e6) / (110 * x6**3)),
        ineq(1 - sqrt((745 * x5 / (x2 * x3)) ** 2 + 157.5e6) / (85 * x7**3)),
        nonlinear(-inf, x2 * x3, 40),
        linear(0, x1 - 5 * x2),
        linear(-inf, x1 - 12 * x2, 0),
        linear(1.9, x4 - 1.5 * x6),
        linear(1.9, x5 - 1.1 * x7),
    )  # fmt: skip


@problem([5] * 5, 1.339957, box=(0.01, 100))
def cantilever(x):
    return 0.0624 * x.sum(0), nonlinear(-inf, array([61, 37, 19, 7, 1]) @ x**-3.0, 1)


@problem([8, 0.5], 26.499497, box=([2, 0.2], [14, 0.8]))
def column(d, t):
    return (
        9.8 * d * t + 2 * d,
        nonlinear(2500 / 500, pi * d * t),
        nonlinear(2500 * 8 * 250**2 / 0.85e6, pi**3 * d * t * (d**2 + t**2)),
    )


# --- the largest of several functions


@problem([1, -0.1, 10], 1.9522244939)
def cb2(x1, x2, t):
    return (
        t,
        ineq(t - x1**2 - x2**4),
        ineq(t - (2 - x1) ** 2 - (2 - x2) ** 2),
        ineq(t - 2 * exp(x2 - x1)),
    )


@problem([2, 2, 20], 2)
def cb3(x1, x2, t):
    return (
        t,
        ineq(t - x1**4 - x2**2),
        ineq(t - (2 - x1) ** 2 - (2 - x2) ** 2),
        ineq(t - 2 * exp(x2 - x1)),
    )


@problem([3, 1, 10], 0.6164324)
def madsen(x1, x2, t):
    pieces = x1**2 + x2**2 + x1 * x2, sin(x1), cos(x2)
    return (
        t,
        *(ineq(t - piece) for piece in pieces),
        *(ineq(t + piece) for piece in pieces),
    )


# --- others


@problem([1, 0.1], -1)
def maratos(x1, x2):
    circle = x1**2 + x2**2
    return -x1 + 10 * (circle - 1), nonlinear(1, circle, 1)


@problem([-2, 3, 1], 1, box=([-inf, 0, 0], inf))
def waechter_biegler(x1, x2, x3):
    return x1, eq(x1**2 - x2 - 1), eq(x1 - x3 - 0.5)


@problem([1 / 6] * 6, -1.6135811, box=(1e-9, 1))
def die(p):  # E. T. Jaynes: the most likely die with a mean of 4.5
    return (
        (p * log(p)).sum(0),
        linear(1, p.sum(0), 1),
        linear(4.5, array([1, 2, 3, 4, 5, 6]) @ p, 4.5),
    )


@problem(
    [50, 50, 50, 50, 50, 50, 50, 50, 2], -400, box=(0, [300] * 4 + [200] * 2 + [200, 200] + [3])
)
def haverly(a, b, px, py, cx, cy, x, y, q):  # a pool of a and b, with sulphur q
    return (
        6 * a + 16 * b + 10 * (cx + cy) - 9 * x - 15 * y,
        linear(0, px + py - a - b, 0),
        linear(0, x - px - cx, 0),
        linear(0, y - py - cy, 0),
        nonlinear(0, q * (px + py) - 3 * a - b, 0),
        nonlinear(-inf, q * px + 2 * cx - 2.5 * x, 0),
        nonlinear(-inf, q * py + 2 * cy - 1.5 * y, 0),
    )


def electrons(count):
    def model(x):
        points = x.reshape(count, 3, -1)
        one, two = triu_indices(count, 1)
        distances = sqrt(((points[one] - points[two]) ** 2).sum(1))
        return (1 / distances).sum(0), nonlinear(1, (points**2).sum(1), 1)

    return model


def scattered(count):
    turn = array([[1.0 + k, 2.0 - 1.5 * k, (-1) ** k * (1 + k % 3)] for k in range(count)])
    return (turn / sqrt((turn**2).sum(1))[:, None]).ravel()


thomson_4 = problem(scattered(4), 3.674234614, name="thomson_4")(electrons(4))
thomson_6 = problem(scattered(6), 9.985281374, name="thomson_6")(electrons(6))


def chained_banana(x):  # Lukšan and Vlček 5.1
    a, b, c = x[:-2], x[1:-1], x[2:]
    f = (100 * (x[:-1] ** 2 - x[1:]) ** 2 + (x[:-1] - 1) ** 2).sum(0)
    rows = 3 * b**3 + 2 * c - 5 + sin(b - c) * sin(b + c) + 4 * b - a * exp(a - b) - 3
    return f, eq(rows)


chained_8 = problem([-1.2, 1] * 4, 0, name="chained_8")(chained_banana)
chained_20 = problem([-1.2, 1] * 10, 0, name="chained_20")(chained_banana)
