"""Problems 6 to 119 of W. Hock, K. Schittkowski, "Test Examples for Nonlinear Programming Codes".

Lecture Notes in Economics and Mathematical Systems 187, Springer, 1981. Left out are those without
other constraints than bounds; 67 and 85 (procedures), 88 to 92 (integrals), 87 (f jumps), 54 (flat
at its start), 47 (its minimum is not the least) and 70 (the data do not give its minimum). The
minima are those of the book, or a comment says why not.
"""

from numpy import (
    arange,
    arcsin,
    array,
    cos,
    exp,
    eye,
    hstack,
    inf,
    log,
    pi,
    prod,
    repeat,
    sin,
    sqrt,
)
from scipy.special import ndtr

from bench._constrained.notation import eq, ineq, linear, nonlinear, problem


@problem([-1.2, 1], 0)
def hs6(x1, x2):
    return (1 - x1) ** 2, eq(10 * (x2 - x1**2))


@problem([2, 2], -sqrt(3))
def hs7(x1, x2):
    return log(1 + x1**2) - x2, eq((1 + x1**2) ** 2 + x2**2 - 4)


@problem([2, 1], -1)
def hs8(x1, x2):
    return -1, nonlinear(25, x1**2 + x2**2, 25), nonlinear(9, x1 * x2, 9)


@problem([0, 0], -0.5)
def hs9(x1, x2):
    return sin(pi * x1 / 12) * cos(pi * x2 / 16), linear(0, 4 * x1 - 3 * x2, 0)


@problem([-10, 10], -1)
def hs10(x1, x2):
    return x1 - x2, ineq(-3 * x1**2 + 2 * x1 * x2 - x2**2 + 1)


@problem([4.9, 0.1], -8.498464223)
def hs11(x1, x2):
    return (x1 - 5) ** 2 + x2**2 - 25, ineq(-(x1**2) + x2)


@problem([0, 0], -30)
def hs12(x1, x2):
    f = x1**2 / 2 + x2**2 - x1 * x2 - 7 * x1 - 7 * x2
    return f, nonlinear(-inf, 4 * x1**2 + x2**2, 25)


@problem([-2, -2], 1, box=(0, inf))
def hs13(x1, x2):  # no multipliers at the solution
    return (x1 - 2) ** 2 + x2**2, ineq((1 - x1) ** 3 - x2)


@problem([2, 2], 9 - 2.875 * sqrt(7))
def hs14(x1, x2):
    f = (x1 - 2) ** 2 + (x2 - 1) ** 2
    return f, ineq(-(x1**2) / 4 - x2**2 + 1), eq(x1 - 2 * x2 + 1)


def banana(x1, x2):
    return 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2


@problem([-2, 1], 306.5, box=(-inf, [0.5, inf]))
def hs15(x1, x2):
    return banana(x1, x2), nonlinear(1, x1 * x2), nonlinear(0, x1 + x2**2)


@problem([-2, 1], 0.25, box=([-0.5, -inf], [0.5, 1]))
def hs16(x1, x2):
    return banana(x1, x2), ineq(x1 + x2**2), ineq(x1**2 + x2)


@problem([-2, 1], 1, box=([-0.5, -inf], [0.5, 1]))
def hs17(x1, x2):
    return banana(x1, x2), ineq(x2**2 - x1), ineq(x1**2 - x2)


@problem([2, 2], 5, box=([2, 0], 50))
def hs18(x1, x2):
    return 0.01 * x1**2 + x2**2, nonlinear(25, x1 * x2), nonlinear(25, x1**2 + x2**2)


@problem([20.1, 5.84], -6961.81381, box=([13, 0], 100))
def hs19(x1, x2):
    f = (x1 - 10) ** 3 + (x2 - 20) ** 3
    return f, ineq((x1 - 5) ** 2 + (x2 - 5) ** 2 - 100), ineq(82.81 - (x2 - 5) ** 2 - (x1 - 6) ** 2)


@problem([-2, 1], 81.5 - 25 * sqrt(3), box=([-0.5, -inf], [0.5, inf]))
def hs20(x1, x2):
    return banana(x1, x2), ineq(x1 + x2**2), ineq(x1**2 + x2), nonlinear(1, x1**2 + x2**2)


@problem([-1, -1], -99.96, box=([2, -50], 50))
def hs21(x1, x2):
    return 0.01 * x1**2 + x2**2 - 100, linear(10, 10 * x1 - x2)


@problem([2, 2], 1)
def hs22(x1, x2):
    return (x1 - 2) ** 2 + (x2 - 1) ** 2, linear(-inf, x1 + x2, 2), nonlinear(0, x2 - x1**2)


@problem([3, 1], 2, box=(-50, 50))
def hs23(x1, x2):
    return (
        x1**2 + x2**2,
        linear(1, x1 + x2),
        ineq(x1**2 + x2**2 - 1),
        ineq(9 * x1**2 + x2**2 - 9),
        ineq(x1**2 - x2),
        ineq(x2**2 - x1),
    )


@problem([1, 0.5], -1, box=(0, inf))
def hs24(x1, x2):
    f = ((x1 - 3) ** 2 - 9) * x2**3 / (27 * sqrt(3))
    return f, linear(0, x1 / sqrt(3) - x2), linear(0, x1 + sqrt(3) * x2, 6)


@problem([-2.6, 2, 2], 0)
def hs26(x1, x2, x3):
    return (x1 - x2) ** 2 + (x2 - x3) ** 4, eq((1 + x2**2) * x1 + x3**4 - 3)


@problem([2, 2, 2], 0.04)
def hs27(x1, x2, x3):
    return 0.01 * (x1 - 1) ** 2 + (x2 - x1**2) ** 2, nonlinear(-1, x1 + x3**2, -1)


@problem([-4, 1, 1], 0)
def hs28(x1, x2, x3):
    return (x1 + x2) ** 2 + (x2 + x3) ** 2, linear(1, x1 + 2 * x2 + 3 * x3, 1)


@problem([1, 1, 1], -16 * sqrt(2))
def hs29(x1, x2, x3):
    return -x1 * x2 * x3, nonlinear(-inf, x1**2 + 2 * x2**2 + 4 * x3**2, 48)


@problem([1, 1, 1], 1, box=([1, -10, -10], 10))
def hs30(x1, x2, x3):
    return x1**2 + x2**2 + x3**2, ineq(x1**2 + x2**2 - 1)


@problem([1, 1, 1], 6, box=([-10, 1, -10], [10, 10, 1]))
def hs31(x1, x2, x3):
    return 9 * x1**2 + x2**2 + 9 * x3**2, nonlinear(1, x1 * x2)


@problem([0.1, 0.7, 0.2], 1, box=(0, inf))
def hs32(x1, x2, x3):
    f = (x1 + 3 * x2 + x3) ** 2 + 4 * (x1 - x2) ** 2
    return f, ineq(6 * x2 + 4 * x3 - x1**3 - 3), linear(1, x1 + x2 + x3, 1)


@problem([0, 0, 3], sqrt(2) - 6, box=(0, [inf, inf, 5]))
def hs33(x1, x2, x3):
    f = (x1 - 1) * (x1 - 2) * (x1 - 3) + x3
    return f, ineq(x3**2 - x2**2 - x1**2), ineq(x1**2 + x2**2 + x3**2 - 4)


@problem([0, 1.05, 2.9], -log(log(10)), box=(0, [100, 100, 10]))
def hs34(x1, x2, x3):
    return -x1, nonlinear(0, x2 - exp(x1)), nonlinear(0, x3 - exp(x2))


@problem([0.5, 0.5, 0.5], 1 / 9, box=(0, inf))
def hs35(x1, x2, x3):
    squares = 2 * x1**2 + 2 * x2**2 + x3**2 + 2 * x1 * x2 + 2 * x1 * x3
    return 9 - 8 * x1 - 6 * x2 - 4 * x3 + squares, linear(-inf, x1 + x2 + 2 * x3, 3)


@problem([10, 10, 10], -3300, box=(0, [20, 11, 42]))
def hs36(x1, x2, x3):
    return -x1 * x2 * x3, ineq(72 - x1 - 2 * x2 - 2 * x3)


@problem([10, 10, 10], -3456, box=(0, 42))
def hs37(x1, x2, x3):
    return -x1 * x2 * x3, linear(0, x1 + 2 * x2 + 2 * x3, 72)


@problem([2, 2, 2, 2], -1)
def hs39(x1, x2, x3, x4):
    return -x1, eq(x2 - x1**3 - x3**2), eq(x1**2 - x2 - x4**2)


@problem([0.8, 0.8, 0.8, 0.8], -0.25)
def hs40(x1, x2, x3, x4):
    return -x1 * x2 * x3 * x4, eq(x1**3 + x2**2 - 1), eq(x1**2 * x4 - x3), eq(x4**2 - x2)


@problem([2, 2, 2, 2], 52 / 27, box=(0, [1, 1, 1, 2]))
def hs41(x1, x2, x3, x4):
    return 2 - x1 * x2 * x3, linear(0, x1 + 2 * x2 + 2 * x3 - x4, 0)


@problem([1, 1, 1, 1], 28 - 10 * sqrt(2))
def hs42(x1, x2, x3, x4):
    f = (x1 - 1) ** 2 + (x2 - 2) ** 2 + (x3 - 3) ** 2 + (x4 - 4) ** 2
    return f, linear(2, x1, 2), nonlinear(2, x3**2 + x4**2, 2)


@problem([0, 0, 0, 0], -44)
def hs43(x1, x2, x3, x4):  # Rosen and Suzuki
    return (
        x1**2 + x2**2 + 2 * x3**2 + x4**2 - 5 * x1 - 5 * x2 - 21 * x3 + 7 * x4,
        ineq(8 - x1**2 - x2**2 - x3**2 - x4**2 - x1 + x2 - x3 + x4),
        ineq(10 - x1**2 - 2 * x2**2 - x3**2 - 2 * x4**2 + x1 + x4),
        ineq(5 - 2 * x1**2 - x2**2 - x3**2 - 2 * x1 + x2 + x4),
    )


@problem([0, 0, 0, 0], -15, box=(0, inf))
def hs44(x1, x2, x3, x4):
    return (
        x1 - x2 - x3 - x1 * x3 + x1 * x4 + x2 * x3 - x2 * x4,
        linear(-inf, x1 + 2 * x2, 8),
        linear(-inf, 4 * x1 + x2, 12),
        linear(-inf, 3 * x1 + 4 * x2, 12),
        linear(-inf, 2 * x3 + x4, 8),
        linear(-inf, x3 + 2 * x4, 8),
        linear(-inf, x3 + x4, 5),
    )


@problem([sqrt(2) / 2, 1.75, 0.5, 2, 2], 0)
def hs46(x1, x2, x3, x4, x5):
    f = (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6
    return f, eq(x1**2 * x4 + sin(x4 - x5) - 1), eq(x2 + x3**4 * x4**2 - 2)


@problem([3, 5, -3, 2, -2], 0)
def hs48(x1, x2, x3, x4, x5):
    f = (x1 - 1) ** 2 + (x2 - x3) ** 2 + (x4 - x5) ** 2
    return f, linear(5, x1 + x2 + x3 + x4 + x5, 5), linear(-3, x3 - 2 * (x4 + x5), -3)


@problem([10, 7, 2, -3, 0.8], 0)
def hs49(x1, x2, x3, x4, x5):
    f = (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6
    return f, linear(7, x1 + x2 + x3 + 4 * x4, 7), linear(6, x3 + 5 * x5, 6)


@problem([35, -31, 11, 5, -5], 0)
def hs50(x1, x2, x3, x4, x5):
    return (
        (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 2,
        linear(6, x1 + 2 * x2 + 3 * x3, 6),
        linear(6, x2 + 2 * x3 + 3 * x4, 6),
        linear(6, x3 + 2 * x4 + 3 * x5, 6),
    )


def of_51(x1, x2, x3, x4, x5):
    return (x2 + x3 - 2) ** 2 + (x4 - 1) ** 2 + (x5 - 1) ** 2


@problem([2.5, 0.5, 2, -1, 0.5], 0)
def hs51(x1, x2, x3, x4, x5):
    f = (x1 - x2) ** 2 + of_51(x1, x2, x3, x4, x5)
    return f, eq(x1 + 3 * x2 - 4), eq(x3 + x4 - 2 * x5), eq(x2 - x5)


@problem([2, 2, 2, 2, 2], 1859 / 349)
def hs52(x1, x2, x3, x4, x5):
    f = (4 * x1 - x2) ** 2 + of_51(x1, x2, x3, x4, x5)
    return f, linear(0, x1 + 3 * x2, 0), linear(0, x3 + x4 - 2 * x5, 0), linear(0, x2 - x5, 0)


@problem([2, 2, 2, 2, 2], 176 / 43, box=(-10, 10))
def hs53(x1, x2, x3, x4, x5):
    f = (x1 - x2) ** 2 + of_51(x1, x2, x3, x4, x5)
    return f, linear(0, x1 + 3 * x2, 0), linear(0, x3 + x4 - 2 * x5, 0), linear(0, x2 - x5, 0)


@problem([1, 2, 0, 0, 0, 2], 19 / 3, box=(0, [1, inf, inf, 1, inf, inf]))
def hs55(x1, x2, x3, x4, x5, x6):
    return (
        x1 + 2 * x2 + 4 * x5 + exp(x1 * x4),
        linear(6, x1 + 2 * x2 + 5 * x5, 6),
        linear(3, x1 + x2 + x3, 3),
        linear(2, x4 + x5 + x6, 2),
        linear(1, x1 + x4, 1),
        linear(2, x2 + x5, 2),
        linear(2, x3 + x6, 2),
    )


@problem([1, 1, 1, *repeat(arcsin(sqrt(1 / 4.2)), 3), arcsin(sqrt(5 / 7.2))], -3.456)
def hs56(x1, x2, x3, x4, x5, x6, x7):
    return (
        -x1 * x2 * x3,
        eq(x1 - 4.2 * sin(x4) ** 2),
        eq(x2 - 4.2 * sin(x5) ** 2),
        eq(x3 - 4.2 * sin(x6) ** 2),
        eq(x1 + 2 * x2 + 2 * x3 - 7.2 * sin(x7) ** 2),
    )


AGES = repeat(arange(8.0, 43, 2), [2, 4, 4, 3, 3, 2, 3, 3, 3, 3, 2, 3, 2, 1, 2, 2, 1, 1])
CHLORINE = (
    array(
        """49 49 48 47 48 47 46 46 45 43 45 43 43 44 43 43 46 45 42 42 43 41 41 40 42 40 40 41 40 41
        41 40 40 40 38 41 40 40 41 38 40 40 39 39""".split(),
        float,
    )
    / 100
)


@problem([0.42, 5], 0.02845966972, box=([0.4, -4], inf))
def hs57(x1, x2):
    residuals = CHLORINE[:, None] - x1 - (0.49 - x1) * exp(-x2 * (AGES[:, None] - 8))
    return (residuals**2).sum(0), nonlinear(0.09, 0.49 * x2 - x1 * x2)


@problem([90, 10], -7.802789, box=(0, [75, 65]))  # -7.804226 in the book, with other digits
def hs59(x1, x2):
    f = (
        -75.196 + 3.8112 * x1 + 0.0020567 * x1**3 - 1.0345e-5 * x1**4 + 6.8306 * x2
        - 0.030234 * x1 * x2 + 1.28134e-3 * x2 * x1**2 + 2.266e-7 * x1**4 * x2 - 0.25645 * x2**2
        + 0.0034604 * x2**3 - 1.3514e-5 * x2**4 + 28.106 / (x2 + 1) + 5.2375e-6 * x1**2 * x2**2
        + 6.3e-8 * x1**3 * x2**2 - 7e-10 * x1**3 * x2**3 - 3.405e-4 * x1 * x2**2
        + 1.6638e-6 * x1 * x2**3 + 2.8673 * exp(0.0005 * x1 * x2) - 3.5256e-5 * x1**3 * x2
        - 0.12694 * x1**2
    )  # fmt: skip
    return f, ineq(x1 * x2 - 700), ineq(x2 - x1**2 / 125), ineq((x2 - 50) ** 2 - 5 * (x1 - 55))


@problem([2, 2, 2], 0.03256820025, box=(-10, 10))
def hs60(x1, x2, x3):
    f = (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 4
    return f, eq(x1 * (1 + x2**2) + x3**4 - 4 - 3 * sqrt(2))


@problem([0, 0, 0], -143.6461422)
def hs61(x1, x2, x3):
    f = 4 * x1**2 + 2 * x2**2 + 2 * x3**2 - 33 * x1 + 16 * x2 - 24 * x3
    return f, eq(3 * x1 - 2 * x2**2 - 7), eq(4 * x1 - x3**2 - 11)


@problem([0.7, 0.2, 0.1], -26272.51448, box=(0, 1))
def hs62(x1, x2, x3):
    f = -32.174 * (
        255 * log((x1 + x2 + x3 + 0.03) / (0.09 * x1 + x2 + x3 + 0.03))
        + 280 * log((x2 + x3 + 0.03) / (0.07 * x2 + x3 + 0.03))
        + 290 * log((x3 + 0.03) / (0.13 * x3 + 0.03))
    )
    return f, linear(1, x1 + x2 + x3, 1)


@problem([2, 2, 2], 961.7151721, box=(0, inf))
def hs63(x1, x2, x3):
    f = 1000 - x1**2 - 2 * x2**2 - x3**2 - x1 * x2 - x1 * x3
    return f, linear(56, 8 * x1 + 14 * x2 + 7 * x3, 56), nonlinear(25, x1**2 + x2**2 + x3**2, 25)


@problem([1, 1, 1], 6299.842428, box=(1e-5, inf))
def hs64(x1, x2, x3):
    f = 5 * x1 + 50000 / x1 + 20 * x2 + 72000 / x2 + 10 * x3 + 144000 / x3
    return f, ineq(1 - 4 / x1 - 32 / x2 - 120 / x3)


@problem([-5, 5, 0], 0.9535288567, box=([-4.5, -4.5, -5], [4.5, 4.5, 5]))
def hs65(x1, x2, x3):
    f = (x1 - x2) ** 2 + (x1 + x2 - 10) ** 2 / 9 + (x3 - 5) ** 2
    return f, nonlinear(-inf, x1**2 + x2**2 + x3**2, 48)


@problem([0, 1.05, 2.9], 0.5181632741, box=(0, [100, 100, 10]))
def hs66(x1, x2, x3):
    return 0.2 * x3 - 0.8 * x1, ineq(x2 - exp(x1)), ineq(x3 - exp(x2))


def cost_of_control(a, b, d, n):
    def model(x1, x2, x3, x4):
        f = (a * n - (b * (exp(x1) - 1) - x3) * x4 / (exp(x1) - 1 + x4)) / x1
        power = ndtr(-x2 + d * sqrt(n)) + ndtr(-x2 - d * sqrt(n))
        return f, eq(x3 - 2 * ndtr(-x2)), eq(x4 - power)

    return model


BOX_OF_68 = [1e-4, 0, 0, 0], [100, 100, 2, 2]
hs68 = problem([1] * 4, -0.9204250026, BOX_OF_68, "hs68")(cost_of_control(1e-4, 1, 1, 24))
hs69 = problem([1] * 4, -956.71288, BOX_OF_68, "hs69")(cost_of_control(0.1, 1000, 1, 4))


@problem([1, 5, 5, 1], 17.0140173, box=(1, 5))
def hs71(x1, x2, x3, x4):
    f = x1 * x4 * (x1 + x2 + x3) + x3
    return f, nonlinear(25, x1 * x2 * x3 * x4), nonlinear(40, x1**2 + x2**2 + x3**2 + x4**2, 40)


@problem([1, 1, 1, 1], 727.67937, box=(0.001, [4e5, 3e5, 2e5, 1e5]))
def hs72(x1, x2, x3, x4):
    return (
        1 + x1 + x2 + x3 + x4,
        ineq(0.0401 - 4 / x1 - 2.25 / x2 - 1 / x3 - 0.25 / x4),
        ineq(0.010085 - 0.16 / x1 - 0.36 / x2 - 0.64 / x3 - 0.64 / x4),
    )


@problem([1, 1, 1, 1], 29.89437816, box=(0, inf))
def hs73(x1, x2, x3, x4):  # cattle feed
    spread = sqrt(0.28 * x1**2 + 0.19 * x2**2 + 20.5 * x3**2 + 0.62 * x4**2)
    return (
        24.55 * x1 + 26.75 * x2 + 39 * x3 + 40.5 * x4,
        linear(5, 2.3 * x1 + 5.6 * x2 + 11.1 * x3 + 1.3 * x4),
        nonlinear(21, 12 * x1 + 11.9 * x2 + 41.8 * x3 + 52.1 * x4 - 1.645 * spread),
        linear(1, x1 + x2 + x3 + x4, 1),
    )


def two_generators(angle):
    def model(x1, x2, x3, x4):
        return (
            3 * x1 + 1e-6 * x1**3 + 2 * x2 + 2e-6 / 3 * x2**3,
            linear(-angle, x4 - x3, angle),
            eq(1000 * sin(-x3 - 0.25) + 1000 * sin(-x4 - 0.25) + 894.8 - x1),
            eq(1000 * sin(x3 - 0.25) + 1000 * sin(x3 - x4 - 0.25) + 894.8 - x2),
            eq(1000 * sin(x4 - 0.25) + 1000 * sin(x4 - x3 - 0.25) + 1294.8),
        )

    return model


hs74 = problem([0] * 4, 5126.4981, ([0, 0, -0.55, -0.55], [1200, 1200, 0.55, 0.55]), "hs74")(
    two_generators(0.55)
)
hs75 = problem([0] * 4, 5174.4129, ([0, 0, -0.48, -0.48], [1200, 1200, 0.48, 0.48]), "hs75")(
    two_generators(0.48)
)


@problem([0.5] * 4, -4.681818181, box=(0, inf))
def hs76(x1, x2, x3, x4):
    squares = x1**2 + x2**2 / 2 + x3**2 + x4**2 / 2 - x1 * x3 + x3 * x4
    return (
        squares - x1 - 3 * x2 + x3 - x4,
        linear(-inf, x1 + 2 * x2 + x3 + x4, 5),
        linear(-inf, 3 * x1 + x2 + 2 * x3 - x4, 4),
        linear(1.5, x2 + 4 * x3),
    )


@problem([2] * 5, 0.24150513)
def hs77(x1, x2, x3, x4, x5):
    f = (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6
    first = x1**2 * x4 + sin(x4 - x5)
    return f, nonlinear(2 * sqrt(2), first, 2 * sqrt(2)), eq(x2 + x3**4 * x4**2 - 8 - sqrt(2))


def rows_of_78(x1, x2, x3, x4, x5):
    return (
        eq(x1**2 + x2**2 + x3**2 + x4**2 + x5**2 - 10),
        eq(x2 * x3 - 5 * x4 * x5),
        eq(x1**3 + x2**3 + 1),
    )


@problem([-2, 1.5, 2, -1, -1], -2.91970041)
def hs78(x):
    return prod(x, axis=0), *rows_of_78(*x)


@problem([2] * 5, 0.0787768209)
def hs79(x1, x2, x3, x4, x5):
    f = (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 4
    first = x1 + x2**2 + x3**3
    return (
        f,
        nonlinear(2 + 3 * sqrt(2), first, 2 + 3 * sqrt(2)),
        nonlinear(2 * sqrt(2) - 2, x2 - x3**2 + x4, 2 * sqrt(2) - 2),
        nonlinear(2, x1 * x5, 2),
    )


BOX_OF_80 = [-2.3, -2.3, -3.2, -3.2, -3.2], [2.3, 2.3, 3.2, 3.2, 3.2]


@problem([-2, 2, 2, -1, -1], 0.0539498478, box=BOX_OF_80)
def hs80(x):
    return exp(prod(x, axis=0)), *rows_of_78(*x)


@problem([-2, 2, 2, -1, -1], 0.0539498478, box=BOX_OF_80)
def hs81(x):
    return exp(prod(x, axis=0)) - (x[0] ** 3 + x[1] ** 3 + 1) ** 2 / 2, *rows_of_78(*x)


@problem([78, 33, 27, 27, 27], -30665.53867, box=([78, 33, 27, 27, 27], [102, 45, 45, 45, 45]))
def hs83(x1, x2, x3, x4, x5):  # Himmelblau
    f = 5.3578547 * x3**2 + 0.8356891 * x1 * x5 + 37.293239 * x1 - 40792.141
    first = 85.334407 + 0.0056858 * x2 * x5 + 0.0006262 * x1 * x4 - 0.0022053 * x3 * x5
    second = 80.51249 + 0.0071317 * x2 * x5 + 0.0029955 * x1 * x2 + 0.0021813 * x3**2
    third = 9.300961 + 0.0047026 * x3 * x5 + 0.0012547 * x1 * x3 + 0.0019085 * x3 * x4
    return f, nonlinear(0, first, 92), nonlinear(90, second, 110), nonlinear(20, third, 25)


@problem(
    [2.52, 2, 37.5, 9.25, 6.8], -5280335.133, box=([0, 1.2, 20, 9, 6.5], [1e3, 2.4, 60, 9.3, 7])
)
def hs84(x1, x2, x3, x4, x5):
    def times(a, b, c, d, e):
        return x1 * (a + b * x2 + c * x3 + d * x4 + e * x5)

    return (
        24345 - times(-8720288.849, 150512.5253, -156.6950325, 476470.3222, 729482.8271),
        nonlinear(0, times(-145421.402, 2931.1506, -40.427932, 5106.192, 15711.36), 294000),
        nonlinear(0, times(-155011.1084, 4360.53352, 12.9492344, 10236.884, 13176.786), 294000),
        nonlinear(0, times(-326669.5104, 7390.68412, -27.8986976, 16643.076, 30988.146), 277200),
    )


A = array(
    """-16 2 0 1 0  0 -2 0 4 2  -3.5 0 2 0 0  0 -2 0 -4 -1  0 -9 -2 1 -2.8  2 0 -4 0 0
    -1 -1 -1 -1 -1  -1 -2 -3 -2 -1  1 2 3 4 5  1 1 1 1 1""".split(),
    float,
).reshape(10, 5)
B = array([-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1])
C = array(
    """30 -20 -10 32 -10  -20 39 -6 -31 32  -10 -6 10 -6 -10  32 -31 -6 39 -20
    -10 32 -10 -20 30""".split(),
    float,
).reshape(5, 5)
D = array([4, 8, 10, 6, 2])
E = array([-15, -27, -36, -18, -12])


@problem([0, 0, 0, 0, 1], -32.34867897, box=(0, inf))
def hs86(x):  # Colville 1
    return E @ x + (x * (C @ x)).sum(0) + D @ x**3, linear(B, A @ x)


@problem([5.54, 4.4, 12.02, 11.82, 0.702, 0.852], 135.075961, box=(0, inf))
def hs93(x1, x2, x3, x4, x5, x6):  # transformer
    p, q = x1 * x4 * (x1 + x2 + x3), x2 * x3 * (x1 + 1.57 * x2 + x4)
    return (
        0.0204 * p + 0.0187 * q + 0.0607 * p * x5**2 + 0.0437 * q * x6**2,
        nonlinear(2.07, 0.001 * x1 * x2 * x3 * x4 * x5 * x6),
        nonlinear(-inf, 0.00062 * p * x5**2 + 0.00058 * q * x6**2, 1),
    )


def insulin(*least):
    def model(x1, x2, x3, x4, x5, x6):
        first = (
            17.1 * x1 + 38.2 * x2 + 204.2 * x3 + 212.3 * x4 + 623.4 * x5 + 1495.5 * x6
            - 169 * x1 * x3 - 3580 * x3 * x5 - 3810 * x4 * x5 - 18500 * x4 * x6 - 24300 * x5 * x6
        )  # fmt: skip
        second = (
            17.9 * x1 + 36.8 * x2 + 113.9 * x3 + 169.7 * x4 + 337.8 * x5 + 1385.2 * x6
            - 139 * x1 * x3 - 2450 * x4 * x5 - 16600 * x4 * x6 - 17200 * x5 * x6
        )  # fmt: skip
        third = -273 * x2 - 70 * x4 - 819 * x5 + 26000 * x4 * x5
        fourth = 159.9 * x1 - 311 * x2 + 587 * x4 + 391 * x5 + 2198 * x6 - 14000 * x1 * x6
        rows = zip(least, (first, second, third, fourth), strict=True)
        f = 4.3 * x1 + 31.8 * x2 + 63.3 * x3 + 15.8 * x4 + 68.5 * x5 + 4.7 * x6
        return f, *(nonlinear(*row) for row in rows)

    return model


BOX_OF_95 = 0, [0.31, 0.046, 0.068, 0.042, 0.028, 0.0134]
hs95 = problem([0] * 6, 0.01561952524, BOX_OF_95, "hs95")(insulin(4.97, -1.88, -29.08, -78.02))
hs96 = problem([0] * 6, 0.01561952524, BOX_OF_95, "hs96")(insulin(4.97, -1.88, -69.08, -118.02))
hs97 = problem([0] * 6, 3.135809123, BOX_OF_95, "hs97")(insulin(32.97, 25.12, -29.08, -78.02))
hs98 = problem([0] * 6, 3.135809123, BOX_OF_95, "hs98")(insulin(32.97, 25.12, -124.08, -173.02))


@problem([0.5] * 7, -831079892, box=(0, 1.58))
def hs99(x):  # the angles of a rocket
    thrust = array([50, 50, 75, 75, 75, 100, 100])[:, None]
    step = array([25, 25, 50, 50, 50, 90, 90])
    left = step.sum() - step.cumsum() + step / 2
    rise = thrust * sin(x) - 32
    return -((step @ (thrust * cos(x))) ** 2), eq((step * left) @ rise - 1e5), eq(step @ rise - 1e3)


@problem([1, 2, 0, 4, 0, 1, 1], 680.6300573)
def hs100(x1, x2, x3, x4, x5, x6, x7):
    return (
        (x1 - 10) ** 2 + 5 * (x2 - 12) ** 2 + x3**4 + 3 * (x4 - 11) ** 2 + 10 * x5**6 + 7 * x6**2
        + x7**4 - 4 * x6 * x7 - 10 * x6 - 8 * x7,
        ineq(127 - 2 * x1**2 - 3 * x2**4 - x3 - 4 * x4**2 - 5 * x5),
        ineq(282 - 7 * x1 - 3 * x2 - 10 * x3**2 - x4 + x5),
        ineq(196 - 23 * x1 - x2**2 - 6 * x6**2 + 8 * x7),
        ineq(-4 * x1**2 - x2**2 + 3 * x1 * x2 - 2 * x3**2 - 5 * x6 + 11 * x7),
    )  # fmt: skip


def geometric(a):
    exponents = array(
        [
            [1, -1, 0, 2, 0, -3, a],
            [-1, -2, 1, 1, -1, 0, -1 / 2],
            [-2, 1, 0, -1, -2, 1, 0],
            [2, 2, -1, 0, 1 / 2, -2, 1],
            [1 / 2, 0, -1, 0, 0, -2, 1],
            [3, 1, -2, 0, 0, 1, 1 / 2],
            [0, -1, 1, -1 / 2, 0, 2 / 3, 1 / 4],
            [-1 / 2, 1, -1, 0, -1, 1, 0],
            [0, 0, 1, -1, -1, 2, 0],
            [-1, 1 / 2, 0, -2, -1, 1 / 3, 0],
            [1, 0, -3 / 2, 0, 1, -1, 1 / 3],
            [0, 1, -1 / 2, 0, 1, -1, -1 / 2],
            [-1, 1, 1 / 2, 0, 1, 0, 0],
            [0, -2, 1, 0, 1, -1, 1],
            [-2, 1, 0, -1, 1 / 2, 0, 1 / 3],
            [1 / 2, 2, 1, 1 / 3, -2 / 3, 0, 1 / 4],
            [-3, -2, 1, 0, 1, 0, 3 / 4],
            [0, 0, -2, 1, 0, 0, 1 / 2],
        ]
    )

    def model(x):
        terms = exp(exponents @ log(x))
        f = array([10, 15, 20, 25]) @ terms[:4]
        return (
            f,
            ineq(1 - array([0.5, 0.7, 0.2]) @ terms[4:7]),
            ineq(1 - array([1.3, 0.8, 3.1]) @ terms[7:10]),
            ineq(1 - array([2, 0.1, 1, 0.65]) @ terms[10:14]),
            ineq(1 - array([0.2, 0.3, 0.4, 0.5]) @ terms[14:]),
            nonlinear(100, f, 3000),
        )

    return model


BOX_OF_101 = [0.1] * 6 + [0.01], 10
hs101 = problem([6] * 7, 1809.76476, BOX_OF_101, "hs101")(geometric(-1 / 4))
hs102 = problem([6] * 7, 911.880571, BOX_OF_101, "hs102")(geometric(1 / 8))
hs103 = problem([6] * 7, 543.667958, BOX_OF_101, "hs103")(geometric(1 / 2))


@problem([6, 3, 0.4, 0.2, 6, 6, 1, 0.5], 3.9511634396, box=(0.1, 10))
def hs104(x1, x2, x3, x4, x5, x6, x7, x8):
    f = 0.4 * x1**0.67 * x7**-0.67 + 0.4 * x2**0.67 * x8**-0.67 + 10 - x1 - x2
    return (
        f,
        ineq(1 - 0.0588 * x5 * x7 - 0.1 * x1),
        ineq(1 - 0.0588 * x6 * x8 - 0.1 * x1 - 0.1 * x2),
        ineq(1 - 4 * x3 / x5 - 2 * x3**-0.71 / x5 - 0.0588 * x3**-1.3 * x7),
        ineq(1 - 4 * x4 / x6 - 2 * x4**-0.71 / x6 - 0.0588 * x4**-1.3 * x8),
        nonlinear(1, f, 4.2),
    )


WEIGHTS = repeat(
    [95.0, 105, *range(110, 225, 5), 230, 235, 240, 245, 250],
    [
        1,
        1,
        4,
        4,
        15,
        15,
        15,
        13,
        21,
        12,
        17,
        4,
        20,
        8,
        17,
        8,
        6,
        6,
        7,
        4,
        3,
        3,
        8,
        1,
        6,
        5,
        1,
        7,
        1,
        2,
    ],
)


@problem(
    [0.1, 0.2, 100, 125, 175, 11.2, 13.2, 15.8],
    1136.307304,  # 1138.416240 in the book
    box=([0.001, 0.001, 100, 130, 170, 5, 5, 5], [0.499, 0.499, 180, 210, 240, 25, 25, 25]),
)
def hs105(x1, x2, x3, x4, x5, x6, x7, x8):
    def normal(weight, mean, sd):
        return weight / sd * exp(-((WEIGHTS[:, None] - mean) ** 2) / (2 * sd**2))

    density = normal(x1, x3, x6) + normal(x2, x4, x7) + normal(1 - x2 - x1, x5, x8)
    return -log(density / sqrt(2 * pi)).sum(0), linear(-inf, x1 + x2, 1)


@problem(
    [5000, 5000, 5000, 200, 350, 150, 225, 425],
    7049.248,  # 7049.330923 in the book
    box=([100, 1000, 1000, 10, 10, 10, 10, 10], [1e4, 1e4, 1e4, 1e3, 1e3, 1e3, 1e3, 1e3]),
)
def hs106(x1, x2, x3, x4, x5, x6, x7, x8):  # heat exchangers
    return (
        x1 + x2 + x3,
        linear(-inf, 0.0025 * (x4 + x6), 1),
        linear(-inf, 0.0025 * (x5 + x7 - x4), 1),
        linear(-inf, 0.01 * (x8 - x5), 1),
        ineq(x1 * x6 - 833.33252 * x4 - 100 * x1 + 83333.333),
        ineq(x2 * x7 - 1250 * x5 - x2 * x4 + 1250 * x4),
        ineq(x3 * x8 - 1250000 - x3 * x5 + 2500 * x5),
    )


@problem(
    [0.8, 0.8, 0.2, 0.2, 1.0454, 1.0454, 1.0454, 0, 0],
    5055.011803,
    box=(
        [0, 0, -inf, -inf, 0.90909, 0.90909, 0.90909, -inf, -inf],
        [inf, inf, inf, inf, 1.0909, 1.0909, 1.0909, inf, inf],
    ),
)
def hs107(x1, x2, x3, x4, x5, x6, x7, x8, x9):  # power flow
    c, d = 48.4 / 50.176 * sin(0.25), 48.4 / 50.176 * cos(0.25)
    y1, y2, y3, y4, y5, y6 = sin(x8), cos(x8), sin(x9), cos(x9), sin(x8 - x9), cos(x8 - x9)
    p, q, r = x5 * x6, x5 * x7, x6 * x7
    return (
        3000 * x1 + 1000 * x1**3 + 2000 * x2 + 666.667 * x2**3,
        eq(0.4 - x1 + 2 * c * x5**2 - p * (d * y1 + c * y2) - q * (d * y3 + c * y4)),
        eq(0.4 - x2 + 2 * c * x6**2 + p * (d * y1 - c * y2) + r * (d * y5 - c * y6)),
        eq(0.8 + 2 * c * x7**2 + q * (d * y3 - c * y4) - r * (d * y5 + c * y6)),
        eq(0.2 - x3 + 2 * d * x5**2 + p * (c * y1 - d * y2) + q * (c * y3 - d * y4)),
        eq(0.2 - x4 + 2 * d * x6**2 - p * (c * y1 + d * y2) + r * (-c * y5 - d * y6)),
        eq(-0.337 + 2 * d * x7**2 - q * (c * y3 + d * y4) + r * (c * y5 - d * y6)),
    )


@problem([1] * 9, -sqrt(3) / 2, box=([-inf] * 8 + [0], inf))
def hs108(x1, x2, x3, x4, x5, x6, x7, x8, x9):  # a hexagon of diameter 1
    return (
        -0.5 * (x1 * x4 - x2 * x3 + x3 * x9 - x5 * x9 + x5 * x8 - x6 * x7),
        nonlinear(-inf, x3**2 + x4**2, 1),
        nonlinear(-inf, x9**2, 1),
        nonlinear(-inf, x5**2 + x6**2, 1),
        nonlinear(-inf, x1**2 + (x2 - x9) ** 2, 1),
        nonlinear(-inf, (x1 - x5) ** 2 + (x2 - x6) ** 2, 1),
        nonlinear(-inf, (x1 - x7) ** 2 + (x2 - x8) ** 2, 1),
        nonlinear(-inf, (x3 - x5) ** 2 + (x4 - x6) ** 2, 1),
        nonlinear(-inf, (x3 - x7) ** 2 + (x4 - x8) ** 2, 1),
        nonlinear(-inf, x7**2 + (x8 - x9) ** 2, 1),
        nonlinear(0, x1 * x4 - x2 * x3),
        nonlinear(0, x3 * x9),
        nonlinear(-inf, x5 * x9, 0),
        nonlinear(0, x5 * x8 - x6 * x7),
    )


@problem(
    [0] * 9,
    5362.06928,
    box=(
        [0, 0, -0.55, -0.55, 196, 196, 196, -400, -400],
        [inf, inf, 0.55, 0.55, 252, 252, 252, 800, 800],
    ),
)
def hs109(x1, x2, x3, x4, x5, x6, x7, x8, x9):
    a, b, c = 50.176, sin(0.25), cos(0.25)
    p, q, r = x5 * x6, x5 * x7, x6 * x7
    s = 0.7533e-3 * a - 2 * c
    return (
        3 * x1 + 1e-6 * x1**3 + 2 * x2 + 0.522074e-6 * x2**3,
        linear(-0.55, x4 - x3, 0.55),
        nonlinear(-inf, x1**2 + x8**2, 2250000),
        nonlinear(-inf, x2**2 + x9**2, 2250000),
        eq(p * sin(-x3 - 0.25) + q * sin(-x4 - 0.25) + 2 * b * x5**2 - a * x1 + 400 * a),
        eq(p * sin(x3 - 0.25) + r * sin(x3 - x4 - 0.25) + 2 * b * x6**2 - a * x2 + 400 * a),
        eq(q * sin(x4 - 0.25) + r * sin(x4 - x3 - 0.25) + 2 * b * x7**2 + 881.779 * a),
        eq(a * x8 + p * cos(-x3 - 0.25) + q * cos(-x4 - 0.25) - 200 * a + s * x5**2),
        eq(a * x9 + p * cos(x3 - 0.25) + r * cos(x3 - x4 - 0.25) - 200 * a + s * x6**2),
        eq(q * cos(x4 - 0.25) + r * cos(x4 - x3 - 0.25) - 22.938 * a + s * x7**2),  # as at x*
    )


ENERGIES = -array([6.089, 17.164, 34.054, 5.914, 24.721, 14.986, 24.1, 10.708, 26.662, 22.179])
ATOMS = array(
    [[1, 2, 2, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 1, 2, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 1, 1, 2, 1]]
)


@problem([-2.3] * 10, -47.76109026, box=(-100, 100))
def hs111(x):
    moles = exp(x)
    f = (moles * (ENERGIES[:, None] + x - log(moles.sum(0)))).sum(0)
    return f, nonlinear([2, 1, 1], ATOMS @ moles, [2, 1, 1])


@problem([0.1] * 10, -47.76109026, box=(1e-6, inf))  # -47.707579 in the book
def hs112(x):  # chemical equilibrium
    f = (x * (ENERGIES[:, None] + log(x / x.sum(0)))).sum(0)
    return f, linear([2, 1, 1], ATOMS @ x, [2, 1, 1])


@problem([2, 3, 5, 5, 1, 2, 7, 3, 6, 10], 24.3062091)
def hs113(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10):  # Wong 2
    return (
        x1**2 + x2**2 + x1 * x2 - 14 * x1 - 16 * x2 + (x3 - 10) ** 2 + 4 * (x4 - 5) ** 2
        + (x5 - 3) ** 2 + 2 * (x6 - 1) ** 2 + 5 * x7**2 + 7 * (x8 - 11) ** 2 + 2 * (x9 - 10) ** 2
        + (x10 - 7) ** 2 + 45,
        linear(-inf, 4 * x1 + 5 * x2 - 3 * x7 + 9 * x8, 105),
        linear(-inf, 10 * x1 - 8 * x2 - 17 * x7 + 2 * x8, 0),
        linear(-inf, -8 * x1 + 2 * x2 + 5 * x9 - 2 * x10, 12),
        ineq(-3 * (x1 - 2) ** 2 - 4 * (x2 - 3) ** 2 - 2 * x3**2 + 7 * x4 + 120),
        ineq(-5 * x1**2 - 8 * x2 - (x3 - 6) ** 2 + 2 * x4 + 40),
        ineq(-0.5 * (x1 - 8) ** 2 - 2 * (x2 - 4) ** 2 - 3 * x5**2 + x6 + 30),
        ineq(-(x1**2) - 2 * (x2 - 2) ** 2 + 2 * x1 * x2 - 14 * x5 + 6 * x6),
        ineq(3 * x1 - 6 * x2 - 12 * (x9 - 8) ** 2 + 7 * x10),
    )  # fmt: skip


@problem(
    [1745, 12000, 110, 3048, 1974, 89.2, 92.8, 8, 3.6, 145],
    -1768.80696,
    box=([1e-5] * 5 + [85, 90, 3, 1.2, 145], [2000, 16000, 120, 5000, 2000, 93, 95, 12, 4, 162]),
)
def hs114(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10):  # alkylation
    a, b = 0.99, 0.9
    dilution, performance = 0.222 * x10 + b * x9, 3 * x7 - a * x10
    yields = 1.12 * x1 + 0.13167 * x1 * x8 - 0.00667 * x1 * x8**2
    octane = 57.425 + 1.098 * x8 - 0.038 * x8**2 + 0.325 * x6
    return (
        5.04 * x1 + 0.035 * x2 + 10 * x3 + 3.36 * x5 - 0.063 * x4 * x7,
        linear(-inf, dilution, 35.82),
        linear(133, performance),
        linear(35.82, dilution + (1 / b - b) * x9),
        linear(-inf, performance - (1 / a - a) * x10, 133),
        nonlinear(0, yields - a * x4),
        nonlinear(0, octane - a * x7),
        nonlinear(-inf, yields - x4 / a, 0),
        nonlinear(-inf, octane - x7 / a, 0),
        linear(0, 1.22 * x4 - x1 - x5, 0),
        nonlinear(0, 98000 * x3 / (x4 * x9 + 1000 * x3) - x6, 0),
        nonlinear(0, (x2 + x5) / x1 - x8, 0),
    )


@problem(
    [0.5, 0.8, 0.9, 0.1, 0.14, 0.5, 489, 80, 650, 450, 150, 150, 150],
    97.5875096,  # 97.588409 in the book
    box=(
        [0.1, 0.1, 0.1, 1e-4, 0.1, 0.1, 0.1, 0.1, 500, 0.1, 1, 1e-4, 1e-4],
        [1, 1, 1, 0.1, 0.9, 0.9, 1000, 1000, 1000, 500, 150, 150, 150],
    ),
)
def hs116(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13):  # membranes
    a, b, c, d, e, f = 0.002, 1.262626, 1.231059, 0.03475, 0.975, 0.00975
    total = x11 + x12 + x13
    return (
        total,
        linear(0, x3 - x2),
        linear(0, x2 - x1),
        linear(-inf, a * x7 - a * x8, 1),
        linear(50, total, 250),
        ineq(x13 - b * x10 + c * x3 * x10),
        ineq(x5 - d * x2 - e * x2 * x5 + f * x2**2),
        ineq(x6 - d * x3 - e * x3 * x6 + f * x3**2),
        ineq(x4 - d * x1 - e * x1 * x4 + f * x1**2),
        ineq(x12 - b * x9 + c * x2 * x9),
        ineq(x11 - b * x8 + c * x1 * x8),
        ineq(x5 * x7 - x1 * x8 - x4 * x7 + x4 * x8),
        ineq(1 - a * (x2 * x9 + x5 * x8 - x1 * x8 - x6 * x9) - x5 - x6),
        ineq(x2 * x9 - x3 * x10 - x6 * x9 - 500 * x2 + 500 * x6 + x2 * x10),
        ineq(x2 - 0.9 - a * (x2 * x10 - x3 * x10)),
    )


@problem([0.001] * 6 + [60] + [0.001] * 8, 32.34867897, box=(0, inf))
def hs117(x):  # Colville 2, the dual of the first
    y, z = x[:10], x[10:]
    f = -B @ y + (z * (C @ z)).sum(0) + 2 * D @ z**3
    return f, nonlinear(-E, 2 * C @ z + 3 * D[:, None] * z**2 - A.T @ y)


@problem(
    [20, 55, 15, *[20, 60, 20] * 4],
    664.82045,
    box=([8, 43, 3] + [0] * 12, [21, 57, 16, *[90, 120, 60] * 4]),
)
def hs118(x):
    each = x.reshape(5, 3, -1)
    f = array([2.3, 1.7, 2.2]) @ each.sum(0) + array([1, 1, 1.5]) @ (each**2).sum(0) / 1e4
    change = x[3:] - x[:-3]
    return f, linear(-7, change, [6, 7, 6] * 4), linear([60, 50, 70, 85, 100], each.sum(1))


PAIRS = """1:1 4 7 8 16  2:2 3 7 10  3:7 9 10 14  4:7 11 15  5:6 10 12 16  6:8 15  7:11 13  8:10 15
9:12 16  10:14  11:13  12:14  13:14"""
Q = eye(16)
for line in PAIRS.replace("\n", "  ").split("  "):
    row, columns = line.split(":")
    Q[int(row) - 1, [int(column) - 1 for column in columns.split()]] = 1
F = array(
    """.22 .2 .19 .25 .15 .11 .12 .13 1  -1.46 0 -1.3 1.82 -1.15 0 .8 0 0
    1.29 -.89 0 0 -1.16 -.96 0 -.49 0  -1.1 -1.06 .95 -.54 0 -1.78 -.41 0 0
    0 0 0 -1.43 1.51 .59 -.33 -.43 0  0 -1.72 -.33 0 1.62 1.24 .21 -.26 0
    1.12 0 0 .31 0 0 1.12 0 -.36  0 .45 .26 -1.1 .58 0 -1.03 .1 0""".split(),
    float,
).reshape(8, 9)
F = hstack([F, eye(8)[:, 1:]])


@problem([10] * 16, 244.899698, box=(0, 5))
def hs119(x):  # Colville 7
    y = x**2 + x + 1
    right = [2.5, 1.1, -3.1, -3.5, 1.3, 2.1, 2.3, -1.5]
    return (y * (Q @ y)).sum(0), linear(right, F @ x, right)
