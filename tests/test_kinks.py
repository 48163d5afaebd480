"""Whether a stalled search has come to a minimum at a kink."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from scipy_gd import lbfgs
from scipy_gd._evaluate.kinks import SHARE, Cuts, settle, shortest

NONE = np.zeros((0, 2)), np.zeros(0)
GTOL = 1e-5


def verdict_on(fun, x, **options):
    """The verdict, and how many points were asked for."""
    x, asked = np.array(x, dtype=float), []
    generator = settle(x, *fun(x), gtol=GTOL, **options)
    try:
        points = next(generator)
        while True:
            asked += points
            points = generator.send([fun(y) for y in points])
    except StopIteration as stop:
        return stop.value, asked


def highest(*pieces):
    """The maximum of functions that return value and gradient."""

    def fun(x):
        f, g = max((piece(x) for piece in pieces), key=lambda piece: piece[0])
        return float(f), np.array(g, dtype=float)

    return fun


def deviations(A, b):
    return lambda x: (abs(A @ x - b).sum(), A.T @ np.sign(A @ x - b))


def l1(x):
    return abs(x).sum(), np.sign(x)


CB2 = highest(  # Charalambous and Bandler
    lambda x: (x[0] ** 2 + x[1] ** 4, [2 * x[0], 4 * x[1] ** 3]),
    lambda x: ((2 - x[0]) ** 2 + (2 - x[1]) ** 2, [2 * x[0] - 4, 2 * x[1] - 4]),
    lambda x: (2 * np.exp(x[1] - x[0]), [-2 * np.exp(x[1] - x[0]), 2 * np.exp(x[1] - x[0])]),
)


# the hull


def test_shortest_vector_of_a_segment():
    """From (3, 0) to (0, 4): the foot of the height, at 16 to 9."""
    v, e, w = shortest(np.array([[3.0, 0], [0, 4]]), np.zeros(2), 1.0, *NONE)
    assert v == pytest.approx([48 / 25, 36 / 25])
    assert w == pytest.approx([16 / 25, 9 / 25])
    assert e == 0


def test_shortest_vector_is_a_vertex_where_the_foot_lies_outside():
    v, _, w = shortest(np.array([[1.0, 0], [2, 3]]), np.zeros(2), 1.0, *NONE)
    assert v == pytest.approx([1, 0])
    assert w == pytest.approx([1, 0])


def test_zero_within_the_hull():
    G = np.array([[1.0, 0], [-1, 1], [-1, -1], [5, 5]])
    v, _, w = shortest(G, np.zeros(4), 1.0, *NONE)
    assert abs(v).max() < 1e-14
    assert w.sum() == pytest.approx(1)
    assert (w >= 0).all()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_weights_do_not_depend_on_the_scale(scale):
    G, e = np.array([[3.0, 0], [0, 4]]), np.array([0.0, 0.5])
    w = shortest(G, e, 0.1, *NONE)[2]
    assert shortest(scale * G, scale * e, 0.1, *NONE)[2] == pytest.approx(w)


def test_errors_weigh_the_more_the_smaller_the_radius():
    """(1, 0) and (-1, e / r): w1 - w2 = (e / r)^2 / (4 + (e / r)^2)."""
    G, e = np.array([[1.0, 0], [-1, 0]]), np.array([0.0, 1.0])
    for r in (0.1, 1.0, 10.0):
        v, error, w = shortest(G, e, r, *NONE)
        assert v[0] == pytest.approx(1 / (1 + 4 * r * r))
        assert error == pytest.approx(w[1])


def test_an_active_bound_takes_what_points_outwards():
    """x[0] >= 0 holds back g = (2, 1) but for its second component; and not g = (-2, 1)."""
    bound = np.array([[-1.0, 0]]), np.zeros(1)
    assert shortest(np.array([[2.0, 1]]), np.zeros(1), 1.0, *bound)[0] == pytest.approx([0, 1])
    assert shortest(np.array([[-2.0, 1]]), np.zeros(1), 1.0, *bound)[0] == pytest.approx([-2, 1])


# the cuts


def cuts_of(fun, points, reach):
    x = points[0]
    everywhere = np.full(x.size, np.inf)
    cuts = Cuts(x, *fun(x), reach, -everywhere, everywhere)
    for y in points[1:]:
        cuts.add(y, *fun(y))
    return cuts


def test_errors_of_a_convex_function():
    """x^2: the tangent at y is (x - y)^2 too low."""
    cuts = cuts_of(lambda x: (x @ x, 2 * x), [np.array([y]) for y in (1.0, 3.0, 0.5)], reach=1e3)
    G, e, distance = cuts.seen_from_x()
    assert cuts.concavity == 0
    assert e == pytest.approx([0, 4, 0.25])
    assert G[:, 0] == pytest.approx([2, 6, 1])
    assert distance == pytest.approx([0, 2, 0.5])


def test_cuts_of_a_concave_function_are_bent():
    """-x^2 / 2 has to be bent by x^2 / 2; then it is flat."""
    cuts = cuts_of(lambda x: (-x @ x / 2, -x), [np.zeros(1), np.ones(1)], reach=1e9)
    G, e, _ = cuts.seen_from_x()
    assert cuts.concavity == pytest.approx(1)
    assert G[:, 0] == pytest.approx([0, 0])
    assert e == pytest.approx([0, 0])


def test_rounding_is_not_concavity():
    points = 1 + 1e-9 * np.random.default_rng(0).standard_normal((50, 3))
    assert cuts_of(lambda x: (1e3 + abs(x).sum(), np.sign(x)), points, reach=1.0).concavity == 0


# minima


@pytest.mark.parametrize("n", [1, 2, 10, 40])
@pytest.mark.parametrize("scale", [1e-2, 1, 1e4])
def test_absolute_values(n, scale):
    x = 1e-9 * np.random.default_rng(n).uniform(0.1, 1, n)
    verdict, asked = verdict_on(lambda x: (scale * abs(x).sum(), scale * np.sign(x)), x)
    assert verdict.minimum
    assert verdict.shortest <= GTOL
    assert verdict.f <= scale * abs(x).sum()
    assert len(asked) <= 2 * n + 45


def test_the_kink_may_be_further_off():
    for x in (3e-2, 3e-4, 3e-6):
        verdict, _ = verdict_on(l1, [x])
        assert verdict.minimum
        assert verdict.f < SHARE * GTOL


def test_curved_pieces():
    verdict, _ = verdict_on(CB2, [1.139, 0.8995])
    assert verdict.minimum
    assert verdict.shortest <= GTOL
    assert verdict.f == pytest.approx(1.9522244939, rel=1e-6)
    assert verdict.gradients == 3
    assert verdict.f == CB2(verdict.x)[0]


def test_least_absolute_deviations():
    """In two parameters, the line goes through two of the points."""
    rng = np.random.default_rng(3)
    A = np.column_stack([np.ones(51), rng.standard_normal(51)])
    b = A @ [1, 2] + rng.standard_t(1.5, 51)
    fun = deviations(A, b)
    lines = [
        np.linalg.solve(A[[i, j]], b[[i, j]])
        for i in range(51)
        for j in range(i)
        if A[i, 1] != A[j, 1]
    ]
    best = min(fun(x)[0] for x in lines)
    x = minimize(fun, [0.0, 0.0], jac=True, method=lbfgs).x
    verdict, _ = verdict_on(fun, x)
    assert verdict.minimum
    assert verdict.f == pytest.approx(best, rel=1e-9)


def test_a_narrow_valley_along_a_kink_is_descended():
    """100 |x - y| + |x + y - 2| from where only the first is at its kink."""
    fun = deviations(np.array([[100.0, -100], [1, 1]]), np.array([0.0, 2]))
    verdict, _ = verdict_on(fun, [1e-9, 0])
    assert verdict.better or verdict.minimum
    assert verdict.f < (1e-4 if verdict.minimum else 2)


def test_bounds():
    """max(-x - 2 y, -x + 3 y), x <= 1: the bound holds x, the kink y."""
    slopes = np.array([[-1.0, -2], [-1, 3]])
    fun = highest(*(lambda x, s=s: (s @ x, s) for s in slopes))
    box = np.array([0.0, -1]), np.array([1.0, 1])
    verdict, asked = verdict_on(fun, [1, 1e-9], box=box)
    assert verdict.minimum
    assert verdict.f == pytest.approx(-1)
    assert all((y >= box[0]).all() and (y <= box[1]).all() for y in asked)
    away, _ = verdict_on(fun, [0.5, 1e-9], box=box)
    assert not away.minimum or away.f == pytest.approx(-1)


def test_a_point_whose_own_gradient_vanishes_is_left_to_the_gradient_test():
    """A bowl with a flat bottom, from a point beside it."""
    verdict, _ = verdict_on(
        lambda x: (max(abs(x[0]) - 1, 0), np.sign(x) * (abs(x) > 1)), [1 + 1e-9]
    )
    assert verdict.better
    assert not verdict.minimum
    assert verdict.g == 0


def test_not_defined_beyond():
    def fun(x):
        if x[0] < 0.9:
            return np.nan, np.full(1, np.nan)
        return abs(x[0] - 1), np.where(x < 1, -1.0, 1.0)

    verdict, _ = verdict_on(fun, [1 + 1e-9])
    assert verdict.minimum
    assert np.isfinite(verdict.f)


def crescents(x):
    """Chained Crescent II (Haarala, Miettinen and Makela): not convex, and 0 at its minimum."""
    a, b = x[:-1], x[1:]
    bow = a**2 + (b - 1) ** 2 - 1
    side, g = np.where(bow >= 0, 1, -1), np.zeros(x.size)
    g[:-1] += 2 * a * side
    g[1:] += 2 * (b - 1) * side + 1
    return (b + abs(bow)).sum(), g


def chained_lq(x):
    a, b = x[:-1], x[1:]
    outside, g = a**2 + b**2 > 1, np.zeros(x.size)
    g[:-1] += 2 * a * outside - 1
    g[1:] += 2 * b * outside - 1
    return (np.maximum(a**2 + b**2 - 1, 0) - a - b).sum(), g


@pytest.mark.parametrize(
    ("fun", "x", "best"),
    [
        (crescents, np.tile([-1.5, 2.0], 10), 0),
        (chained_lq, np.full(20, -0.5), -19 * 2**0.5),
        (CB2, np.array([1, -0.1]), 1.9522244939),
    ],
    ids=["crescents", "LQ", "CB2"],
)
def test_with_lbfgs_in_turn(fun, x, best):
    start, drop = x, fun(x)[0] - best
    for _ in range(20):
        res = minimize(fun, x, jac=True, method=lbfgs)
        verdict, _ = verdict_on(fun, res.x, reach=np.linalg.norm(res.x - start))
        if not verdict.better:
            break
        x = verdict.x
    assert verdict.minimum
    assert verdict.shortest <= GTOL
    assert verdict.f - best < 1e-6 * drop


# no minima


def test_a_kink_that_is_no_minimum():
    """|x| + y at x = 0, and the saddle |x| - |y|: convex and not, but downhill."""
    for fun in (
        lambda x: (abs(x[0]) + x[1], np.array([np.sign(x[0]), 1])),
        lambda x: (abs(x[0]) - abs(x[1]), np.sign(x) * [1, -1]),
        lambda x: (-abs(x).sum(), -np.sign(x)),
    ):
        x = np.array([1e-9, 1e-10])
        verdict, _ = verdict_on(fun, x)
        assert not verdict.minimum
        assert not verdict.better or verdict.f < fun(x)[0] - 0.01


def test_the_error_is_held_against_a_far_kink():
    """max(|x| / 10, |x| - 1) has slopes 1 and -1 all around; but they are not those of 0.5."""
    fun = highest(
        *(
            lambda x, a=a, b=b: (a * x[0] - b, [a])
            for a, b in [(0.1, 0), (-0.1, 0), (1, 1), (-1, 1)]
        )
    )
    verdict, _ = verdict_on(fun, [0.5])
    assert verdict.f < SHARE * GTOL if verdict.minimum else verdict.f <= fun([0.5])[0]


@pytest.mark.parametrize(
    ("fun", "x"),
    [
        (lambda x: (rosen(x), rosen_der(x)), [-0.5, 0.26]),
        (lambda x: (rosen(x), rosen_der(x)), [0.7, 0.49]),
        (lambda x: (1e8 + 1e8 * rosen(x), 1e8 * rosen_der(x)), [1 + 1e-7, 1 + 2e-7]),
        (lambda x: (np.exp(-x[0]), -np.exp(-x)), [7]),
        (lambda x: (np.sum(x**4), 4 * x**3), [0.1, 0.05]),
        (lambda x: (1e3 + np.logspace(0, 8, 9) @ x**2 / 2, np.logspace(0, 8, 9) * x), [1e-9] * 9),
        (lambda x: (x[0] + 5.0 * (x[0] < 0), np.ones(1)), [1e-9]),
        (lambda x: (np.floor(1e6 * x @ x) / 1e6, 2 * x), [1e-3, 2e-3]),
    ],
    ids=["valley", "floor", "rounded", "tail", "quartic", "ill-conditioned", "jump", "staircase"],
)
def test_smooth_functions_are_recognized_with_few_evaluations(fun, x):
    verdict, asked = verdict_on(fun, x)
    assert not verdict.minimum
    assert not verdict.better
    assert verdict.x.tolist() == x
    assert len(asked) <= 17


@pytest.mark.parametrize("noise", [1e-6, 1e-2])
def test_noise_is_no_kink(noise):
    rng = np.random.default_rng(0)

    def fun(x):
        return x @ x + noise * rng.standard_normal(), 2 * x + 10 * noise * rng.standard_normal(2)

    verdict, asked = verdict_on(fun, [0.01, 0.02])
    assert not verdict.minimum
    assert not verdict.better
    assert len(asked) <= 17


def test_single_precision_is_no_kink():
    rng = np.random.default_rng(1)
    A, b = rng.standard_normal((50, 5)).astype("f4"), rng.standard_normal(50).astype("f4")

    def fun(x):
        r = A @ x.astype("f4") - b
        return float(r @ r), (2 * A.T @ r).astype(float)

    x = np.linalg.lstsq(A.astype(float), b.astype(float))[0]
    for _ in range(10):
        verdict, _ = verdict_on(fun, x + 1e-6 * rng.standard_normal(5))
        assert not verdict.minimum


def test_it_is_deterministic():
    first, again = (verdict_on(CB2, [1.139, 0.8995]) for _ in range(2))
    assert np.array_equal(first[1], again[1])
    assert np.array_equal(first[0].x, again[0].x)
