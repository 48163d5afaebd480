"""The noise of functions: what values tell of it, against independent references."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scipy_gd._evaluate.doubts import level, levels
from scipy_gd._evaluate.noise import EPS, Verdict, ecnoise, estimate, grain, longest_run

ROUNDED = {
    "float32": np.float32,
    "float16": np.float16,
    "six digits": lambda v: float(f"{v:.5e}"),
    "nine digits": lambda v: float(f"{v:.8e}"),
    "three digits": lambda v: float(f"{v:.2e}"),
    "a grid": lambda v: round(v * 64) / 64,
    "cents": lambda v: round(v, 2),
}


def half_a_unit(kind, f):
    """Half the last place at f."""
    if kind.startswith("float"):
        return np.spacing(getattr(np, kind)(abs(f))) / 2
    if kind in ("a grid", "cents"):
        return {"a grid": 1 / 128, "cents": 0.005}[kind]
    digits = {"three": 3, "six": 6, "nine": 9}[kind.split()[0]]
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(f))) - digits + 1)


def asked(fun, x, **options):
    """The estimate at x, and the points it has asked for, in their rounds."""
    x = np.array(x, float)
    rounds, talk = [], estimate(x, fun(x), [], **({"seed": 1} | options))
    try:
        points = next(talk)
        while True:
            rounds.append(np.array(points))
            points = talk.send([fun(y) for y in points])
    except StopIteration as end:
        return end.value, rounds


# --- the last place


@pytest.mark.parametrize("kind", ROUNDED)
@pytest.mark.parametrize("size", [1.7, 40.0, 900.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_last_place_of_rounded_values_is_found_and_not_a_finer_or_coarser_one(kind, size, sign):
    values = sign * size * (1 + np.random.default_rng(3).uniform(-0.1, 0.1, 20))
    rounded = [float(ROUNDED[kind](v)) for v in values]
    f = rounded[0]
    assert grain(rounded, f) == pytest.approx(half_a_unit(kind, f), rel=1e-12)
    longer = [*rounded, size * math.pi]  # one of them may be anything
    assert grain(longer, f) == grain(rounded, f)
    assert grain([*longer, size * math.e, math.nan, math.inf], f) == 0.0


@pytest.mark.parametrize("kind", ["float32", "six digits"])
def test_a_last_place_goes_with_the_size_of_the_value(kind):
    values = [float(ROUNDED[kind](v)) for v in np.geomspace(1e5, 1e-5, 12) * math.pi]
    for f in values:
        assert grain(values, f) == pytest.approx(half_a_unit(kind, f), rel=1e-12)


def test_few_values_prove_rounding_only_where_exact_ones_would_be_long():
    short = [1.5, 2.25]
    assert grain(short, 1.5) == 0.0
    assert grain([*short, 1.75], 1.5) == 0.0  # three iterates of a run may be short by chance
    assert grain(short, 1.5, 2) > 0
    assert grain([*short, math.pi], 1.5, 2) == 0.0  # f(x0) of an exact function is often short
    assert grain([1.5, 1.5], 1.5, 2) == 0.0


@given(st.floats(-1e6, 1e6).filter(lambda f: abs(f) > 1e-3), st.lists(st.integers(1, 9)))
def test_rounding_of_the_last_bits_is_not_taken_for_few_digits(f, steps):
    """Values that differ by their last bits all look like the short number between them."""
    f = float(f"{f:.3g}")
    assert grain([f, *(f + k * np.spacing(f) for k in steps)], f, 2) == 0.0


# --- tables of differences


def plain_table(values):
    """ECnoise by factorials and binomial coefficients: all levels, and the one that is chosen."""
    m, levels, changes = len(values) - 1, [], []
    for k in range(1, m + 1):
        weights = [(-1) ** (k - j) * math.comb(k, j) for j in range(k + 1)]
        differences = [
            math.fsum(w * v for w, v in zip(weights, values[i:], strict=False))
            for i in range(m + 1 - k)
        ]
        gamma = math.factorial(k) ** 2 / math.factorial(2 * k)
        levels.append(math.sqrt(gamma * math.fsum(d * d for d in differences) / len(differences)))
        changes.append(min(differences) < 0 < max(differences))
    for k in range(m - 2):
        if changes[k] and max(levels[k : k + 3]) <= 4 * min(levels[k : k + 3]):
            return levels, levels[k]
    return levels, None


PAPER = np.array([1.003, 7.54e-3, 2.15e-3, 1.87e-4, -5.87e-3, 1.46e-2, -2.49e-2])
"""The first row of the table in the paper, cos t + sin t with noise of 1e-3: differences."""
LEVELS = [6.65e-3, 8.69e-4, 7.39e-4, 7.34e-4, 7.97e-4, 8.20e-4]
"""Its last row."""


def test_the_table_of_the_paper():
    values = [sum(math.comb(k, j) * PAPER[j] for j in range(k + 1)) for k in range(7)]
    np.testing.assert_allclose(plain_table(values)[0], LEVELS, rtol=0.01)
    found, verdict = ecnoise(values)
    assert verdict is Verdict.NOISE
    assert found == pytest.approx(LEVELS[1], rel=0.01)  # the first one is curvature


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=9), st.sampled_from([0.0, 3.0, 100.0]))
def test_levels_are_those_of_binomial_differences(noise, base):
    values = [base + 1e-3 * v for v in noise]
    found, verdict = ecnoise(values)
    if verdict is Verdict.REPEATED:
        assert 2 * sum(a == b for a, b in pairwise(values)) >= len(values)
        assert found == max(values) - min(values)
        return
    levels, chosen = plain_table(values)
    rounding = 1e-13 * max(map(abs, values))  # a sign or a ratio may hang by it
    if chosen is None:
        assert verdict is Verdict.CURVED or any(level < rounding for level in levels)
    elif verdict is not Verdict.CURVED and all(level > 1e-9 * base for level in levels):
        assert min(abs(found - level) for level in levels) <= rounding + 1e-9 * found
        assert found == pytest.approx(chosen, rel=1e-9)


@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("count", [7, 12])
def test_gaussian_noise_on_a_smooth_function_is_measured_as_its_standard_deviation(size, count):
    rng = np.random.default_rng(count)
    found = []
    for _ in range(300):
        t = 3.0 + 1e-5 * np.arange(count) * size**0.3
        e, verdict = ecnoise(np.cos(t) + t**2 + size * rng.normal(size=count))
        found += [e / size] * (verdict is Verdict.NOISE)
    assert len(found) > 200
    assert 0.8 < np.median(found) < 1.25
    assert np.mean([0.25 < ratio < 4 for ratio in found]) > 0.97


def test_curvature_is_not_taken_for_noise():
    t = np.linspace(0, 0.1, 7)
    for values in (1 + t, 1 + t**2, np.exp(t), 2 + np.sin(5 * t)):
        found, verdict = ecnoise(values)
        assert verdict is Verdict.CURVED or found < 1e-14  # of a line only rounding is left


def test_the_noise_of_a_component_with_holes_or_none():
    rng = np.random.default_rng(0)
    values = 5 + 1e-4 * rng.normal(size=9)
    assert 3e-5 < level(values) < 3e-4
    assert level(np.array([1.0, 2.0, np.nan, 3.0, 4.0, np.inf, 5.0])) == np.inf
    values[1] = np.nan
    assert level(values) == level(values[2:])
    assert level(np.arange(7.0) + 1) == 7 * EPS  # a slope has no noise but rounding
    assert longest_run([1.0, np.inf, 2.0, 3.0, np.nan, 4.0]) == [2.0, 3.0]


# --- the dialogue


def rough(kind, size):
    """A smooth function with errors that are the same whenever it is called there."""

    def fun(x):
        f = float(np.sum((x - 0.3) ** 2) + np.sum(np.sin(x))) + 5.0
        ripple = np.sin(1e9 * np.sum(np.cos(1e4 * x)))
        return f * (1 + size * ripple) if kind == "relative" else f + size * ripple

    return fun


@pytest.mark.parametrize("n", [1, 2, 5, 20])
@pytest.mark.parametrize("kind", ["relative", "absolute"])
@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("unit", [1.0, 1e4])
def test_noise_is_estimated_within_a_factor_at_few_points(n, kind, size, unit):
    fun = rough(kind, size)
    x = np.linspace(-1, 1, n) * unit + 0.1
    found, rounds = asked(lambda y: fun(y / unit), x)
    f = fun(x / unit)
    true = size * (abs(f) if kind == "relative" else 1.0) / math.sqrt(2)
    assert true / 6 < found < 6 * true
    assert sum(map(len, rounds)) <= 24


@pytest.mark.parametrize("kind", [k for k in ROUNDED if k != "three digits"])
@pytest.mark.parametrize("n", [1, 3, 12])
def test_the_estimate_for_rounded_values_is_their_last_place(kind, n):
    fun = rough("absolute", 0.0)
    x = np.linspace(-1, 1, n) + 0.1
    found, _ = asked(lambda y: float(ROUNDED[kind](fun(y))), x)
    half = half_a_unit(kind, fun(x))
    assert half / 6 < found < 6 * half


@pytest.mark.parametrize("n", [1, 4, 20])
def test_the_estimate_for_an_exact_function_is_rounding(n):
    for fun in (rough("absolute", 0.0), lambda x: 1 + x @ x, lambda x: float(np.exp(x.sum() / 9))):
        x = np.linspace(-1, 1, n) + 0.1
        found, _ = asked(fun, x)
        assert 2 * EPS * fun(x) <= found < 1e-13 * fun(x)


@pytest.mark.parametrize("width", [0.0, 1e-9, 1e-3, 1.0])
def test_no_point_of_an_estimate_is_outside_the_box(width):
    x = np.array([1.0, -2.0, 3.0])
    box = x - [0.0, width, width], x + [width, 0.0, width]
    _, rounds = asked(rough("relative", 1e-6), x, box=box)
    points = np.concatenate(rounds)
    assert ((points >= box[0]) & (points <= box[1])).all()


def test_where_most_values_are_missing_the_noise_is_the_default():
    hole = lambda x: 5.0 if x[0] == 1.0 else math.nan  # noqa: E731
    assert asked(hole, [1.0])[0] == 2 * EPS * 5.0
    assert asked(hole, [1.0], default=0.1)[0] == 0.1


def test_estimates_look_in_other_directions_with_another_seed():
    fun = rough("relative", 1e-6)
    first, again, other = (asked(fun, [1.0, 2.0, 3.0], seed=k)[1][0] for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_levels_of_all_components_are_those_of_each():
    rng = np.random.default_rng(0)
    for k in (3, 4, 7):
        table = rng.normal(size=(k, 40)) * 10.0 ** rng.integers(-200, 200, 40)
        table[:, :5] = np.linspace(0, 1, k)[:, None] + 1e-9 * rng.normal(size=(k, 5))
        table[:, 5:10] = rng.integers(0, 2, (k, 5))
        table[rng.random(table.shape) < 0.01] = np.nan
        np.testing.assert_array_equal(levels(table), [level(column) for column in table.T])
