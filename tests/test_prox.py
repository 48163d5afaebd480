"""Proximal operators against their definition, and what the objects promise."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scipy_gd import prox
from scipy_gd._core.proximal import BLOCK

N = 6
RNG = np.random.default_rng(0)
A = RNG.normal(size=N)


def length(x):
    return float(np.linalg.norm(x))


def shorter(v, step):
    return v * max(1 - step / max(np.linalg.norm(v), 1e-300), 0)


FUNCTIONS = [
    prox.l1(0.7),
    prox.l1([0.0, 0.1, 1.0, 2.0, 0.5, 3.0]),
    prox.elastic_net(0.4, [0.0, 1.0, 2.0, 0.5, 1.0, 9.0]),
    prox.group_l1(0.8, 3),
    prox.group_l1([0.5, 2.0], [slice(0, 2), [5, 3]]),
    prox.total_variation(0.6),
    prox.nuclear_norm(0.9, (2, 3)),
    prox.groups((slice(0, 2), prox.l1(0.3)), ([5, 3, 4], prox.total_variation(0.4))),
    prox.custom(length, shorter),
]
SETS = [
    prox.nonnegative(),
    prox.box(-0.5, [1.0, 0.0, np.inf, 2.0, 0.1, 0.0]),
    prox.simplex(),
    prox.simplex(2.5),
    prox.l1_ball(1.2),
    prox.l2_ball(0.8),
    prox.half_space(A, 0.3),
    prox.groups((slice(3), prox.simplex()), (slice(3, None), prox.l2_ball(0.1))),
]
ALL = FUNCTIONS + SETS
named = pytest.mark.parametrize("penalty", ALL, ids=repr)
few = settings(max_examples=25)  # of each penalty
points = arrays(float, N, elements=st.floats(-1e3, 1e3, allow_subnormal=False))
ties = arrays(float, N, elements=st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]))
steps = st.floats(1e-3, 1e3)


def value(penalty, x):
    """By the definition, in NumPy."""
    match penalty:
        case prox.l1():
            return np.sum(penalty.weight * np.abs(x))
        case prox.elastic_net():
            return np.sum(penalty.l1 * np.abs(x) + penalty.l2 / 2 * x**2)
        case prox.group_l1(groups=int()):
            return sum(0.8 * np.linalg.norm(g) for g in x.reshape(2, 3))
        case prox.group_l1():
            return 0.5 * np.linalg.norm(x[:2]) + 2.0 * np.linalg.norm(x[[5, 3]])
        case prox.total_variation():
            return penalty.weight * np.sum(np.abs(np.diff(x)))
        case prox.nuclear_norm():
            return penalty.weight * np.linalg.norm(x.reshape(penalty.shape), "nuc")
        case prox.custom():
            return np.linalg.norm(x)
        case prox.groups():
            return sum(value(part, x[where]) for where, part in penalty.parts)
    return 0.0


@named
@few
@given(x=points)
def test_values_are_those_of_the_definition(penalty, x):
    np.testing.assert_allclose(penalty.value(x), value(penalty, x), rtol=1e-12, atol=1e-12)


@named
@few
@given(v=points | ties, step=steps)
def test_the_proximal_point_is_the_lowest(penalty, v, step):
    """By the inequality r(z) >= r(y) + (v - y)'(z - y) / step, which is no matter of rounding."""
    y = penalty.prox(v, step)
    scale = 1 + np.abs(v).max()
    rng = np.random.default_rng(1)
    others = [y + scale * 10.0**k * rng.normal(size=N) for k in (-8, -4, -2, 0)]
    for z in [v, 0 * v, penalty.prox(v, 2 * step), *others]:
        z = penalty.projected(z)
        rise = value(penalty, z) - value(penalty, y)
        assert rise >= (v - y) @ (z - y) / step - 1e-11 * scale * (1 + scale / step)


@named
@few
@given(v=points, w=points, step=steps)
def test_proximal_operators_are_firmly_nonexpansive(penalty, v, w, step):
    d = penalty.prox(v, step) - penalty.prox(w, step)
    assert d @ d <= d @ (v - w) + 1e-10 * (1 + (v - w) @ (v - w))


@pytest.mark.parametrize("penalty", SETS, ids=repr)
@few
@given(v=points)
def test_what_is_in_a_set_stays_where_it_is(penalty, v):
    inside = penalty.prox(v)
    np.testing.assert_allclose(penalty.prox(inside, 7.0), inside, rtol=1e-12, atol=1e-12)
    assert penalty.value(v) == 0.0
    assert penalty.projected(v).tolist() == inside.tolist()


@given(v=points)
def test_projections_are_inside(v):
    e = 1e-12 * (1 + np.abs(v).max())
    x = prox.simplex(2.5).prox(v)
    assert x.min() >= 0.0
    assert abs(x.sum() - 2.5) <= e
    assert np.abs(prox.l1_ball(1.2).prox(v)).sum() <= 1.2 + e
    assert np.linalg.norm(prox.l2_ball(0.8).prox(v)) <= 0.8 + e
    assert A @ prox.half_space(A, 0.3).prox(v) <= 0.3 + 10 * e


@given(v=points, step=steps)
def test_moreau_s_identity(v, step):
    """Norms and the balls of their duals: v = prox(v) + the projection on the ball."""
    scale = 1 + np.abs(v).max()
    for one, other in [
        (prox.l1(1.0).prox(v, step), prox.box(-step, step).prox(v)),
        (prox.group_l1(1.0, N).prox(v, step), prox.l2_ball(step).prox(v)),
    ]:
        np.testing.assert_allclose(one + other, v, atol=1e-12 * scale)
    highest = v - prox.l1_ball(step).prox(v)  # the prox of step max |x|
    np.testing.assert_allclose(
        np.abs(highest)[np.abs(v) > np.abs(highest)], np.abs(highest).max(), atol=1e-11 * scale
    )


@given(
    v=arrays(float, st.integers(1, 12), elements=st.floats(-9, 9) | st.sampled_from([0.0, 1.0])),
    step=st.sampled_from([0.0625, 0.5, 3.0, 1e9]),
)
def test_total_variation_by_the_dual(v, step):
    """What is left of v adds up to a sum that is +-step where x steps, and less elsewhere."""
    x = prox.total_variation(1.0).prox(v, step)
    *u, last = np.cumsum(v - x)
    jump = np.diff(x)
    assert abs(last) <= 1e-13
    assert (np.abs(u) <= step + 1e-13).all()
    np.testing.assert_allclose(np.array(u)[jump != 0], -step * np.sign(jump[jump != 0]), atol=1e-13)


def test_the_simplex_of_many_by_sorting():
    """Duchi et al. (2008), in three lines of NumPy."""
    for scale in (1e-8, 1e-3, 1.0, 1e3):
        v = scale * RNG.normal(size=100_000) + RNG.normal()
        u = np.sort(v)[::-1]
        t = (np.cumsum(u) - 3.0) / np.arange(1, v.size + 1)
        expected = np.maximum(v - t[np.flatnonzero(u > t)[-1]], 0)
        np.testing.assert_allclose(prox.simplex(3.0).prox(v), expected, atol=1e-11)


@pytest.mark.parametrize(
    "penalty", [prox.l1(0.5), prox.elastic_net(0.5, 0.25), prox.box(-0.5, 1.0)], ids=repr
)
@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, 2 * BLOCK + 1])
def test_blocks_of_parameters(penalty, n):
    v = RNG.normal(size=n)
    np.testing.assert_allclose(penalty.value(v), value(penalty, v), rtol=1e-12)
    parts = [penalty.prox(v[k : k + 100], 0.3) for k in range(0, n, 100)]
    assert penalty.prox(v, 0.3).tolist() == np.concatenate(parts).tolist()


def test_large_and_small_numbers():
    assert prox.group_l1(1.0, 2).prox([3e200, 4e200]).tolist() == [3e200, 4e200]
    np.testing.assert_allclose(
        prox.group_l1(1e-200, 2).prox([3e-200, 4e-200]), [2.4e-200, 3.2e-200]
    )
    np.testing.assert_allclose(prox.total_variation(1e300).prox([0.0, 0.5, 1.0]), 0.5)
    v = np.arange(5.0) + 1e8
    np.testing.assert_allclose(prox.simplex().prox(v), [0, 0, 0, 0, 1])


def test_parameters_in_no_group_stay_as_they_are():
    penalty = prox.groups((slice(0, 4, 2), prox.l1(1.0)))
    assert penalty.prox([3.0, 3.0, -0.5, -0.5, 0.1]).tolist() == [2.0, 3.0, 0.0, -0.5, 0.1]
    assert penalty.value([3.0, 3.0, -0.5, -0.5, 0.1]) == 3.5
    assert prox.group_l1(1.0, [[1]]).prox([0.5, 0.5]).tolist() == [0.5, 0.0]
    nested = prox.groups((slice(1, None), prox.groups((slice(1, None), prox.l1(1.0)))))
    assert nested.prox([0.5, 0.5, 0.5]).tolist() == [0.5, 0.5, 0.0]


@named
def test_penalties_are_pickled_compared_and_never_changed(penalty):
    assert "0x" not in repr(penalty)
    for other in (pickle.loads(pickle.dumps(penalty)), copy.deepcopy(penalty)):
        assert other == penalty
        assert hash(other) == hash(penalty)
        v = RNG.normal(size=N)
        assert other.prox(v, 0.3).tolist() == penalty.prox(v, 0.3).tolist()
    assert sum(penalty == other for other in ALL) == 1
    with pytest.raises(AttributeError):
        penalty.weight = 2.0
    v = RNG.normal(size=N)
    before = v.copy()
    penalty.prox(v)
    penalty.value(v)
    assert v.tolist() == before.tolist()


def test_arrays_are_copies():
    weights = np.ones(3)
    penalty = prox.l1(weights)
    weights[:] = 5.0
    assert penalty.value([1.0, 1.0, 1.0]) == 3.0
    with pytest.raises(ValueError, match="read-only"):
        penalty.weight[0] = 2.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: prox.l1(-1.0), "`weight` must be at least 0"),
        (lambda: prox.l1([1.0, -1.0]), "`weight` must be at least 0"),
        (lambda: prox.l1([[1.0]]), "`weight` must be a number or an array with one"),
        (lambda: prox.l1("a"), "`weight` must be a number"),
        (lambda: prox.l1(np.nan), "`weight` must be at least 0"),
        (lambda: prox.l1([0.0, np.inf]), "`weight` must be at least 0 and finite, got inf"),
        (lambda: prox.elastic_net(1.0, -1.0), "`l2` must be at least 0"),
        (lambda: prox.simplex(0.0), "`total` must be above 0"),
        (lambda: prox.l1_ball(-1.0), "`radius` must be above 0"),
        (lambda: prox.l2_ball(np.inf), "`radius` must be above 0"),
        (lambda: prox.half_space([0.0, 0.0], 1.0), "`a` must not be 0"),
        (lambda: prox.half_space([1.0, 0.0], np.inf), "`b` must be"),
        (lambda: prox.box(1.0, 0.0), "`lower` must not be above `upper`"),
        (lambda: prox.box([0.0, 0.0], [1.0, 1.0, 1.0]), "`lower` and `upper` must have the same"),
        (lambda: prox.box(np.nan, 0.0), "`lower` must be"),
        (lambda: prox.total_variation([1.0, 2.0]), "`weight` must be a number"),
        (lambda: prox.nuclear_norm(1.0, 6), "`shape` must be"),
        (lambda: prox.group_l1(1.0, 0), "`groups` must be a whole number, at least 1"),
        (lambda: prox.group_l1(1.0, 1.5), "`groups` must be a number of parameters, or"),
        (lambda: prox.group_l1([1.0, 2.0], [[0], [1], [2]]), "`weight` must have one value for"),
        (lambda: prox.group_l1(1.0, [[0.5]]), "`groups` must be slices or arrays of indices"),
        (lambda: prox.group_l1(1.0, []), "`groups` must contain at least one"),
        (lambda: prox.groups(), "`parts` must contain at least one"),
        (lambda: prox.groups((slice(2), 3.0)), "`parts` must be a penalty from scipy_gd.prox"),
        (lambda: prox.groups(prox.l1(1.0)), "`parts` must be a sequence of .slice, penalty. pairs"),
        (lambda: prox.custom(3, shorter), "`value` must be callable"),
        (lambda: prox.custom(length, None), "`prox` must be callable"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (
            prox.l1([1.0, 1.0]),
            "`weight` of l1 must have one value for each of the 6 parameters, got 2",
        ),
        (
            prox.elastic_net(1.0, [1.0]),
            "`l2` of elastic_net must have one value for each of the 6 parameters, got 1",
        ),
        (
            prox.box([0.0] * 5, 1.0),
            "`lower` of box must have one value for each of the 6 parameters, got 5",
        ),
        (
            prox.half_space([1.0], 0.0),
            "`a` of half_space must have one value for each of the 6 parameters, got 1",
        ),
        (prox.group_l1(1.0, 4), "`groups` of 4 parameters must divide .*, got 6"),
        (prox.group_l1([1.0, 2.0, 3.0], 3), "`weight` must have one value for each of the 2"),
        (prox.group_l1(1.0, [[0, 6]]), "`groups`: array.* is out of range for 6 parameters"),
        (prox.group_l1(1.0, [[0, 1], [1]]), "`groups` must be disjoint"),
        (prox.group_l1(1.0, [slice(6, None)]), "`groups`: slice.* selects none"),
        (
            prox.groups((slice(4), prox.l1([1.0]))),
            "`weight` of l1 must have one value for each of the 4 parameters, got 1",
        ),
        (prox.groups((slice(4), prox.l1(1.0)), ([3], prox.l1(1.0))), "`parts` must be disjoint"),
        (
            prox.nuclear_norm(1.0, (2, 2)),
            r"`shape` of nuclear_norm must multiply to the 6 parameters, got \(2, 2\)",
        ),
    ],
    ids=repr,
)
def test_sizes_are_checked(penalty, message):
    with pytest.raises(ValueError, match=message):
        penalty.prox(np.zeros(N))
    with pytest.raises(ValueError, match=message):
        penalty.value(np.zeros(N))


def test_points_and_steps_are_checked():
    with pytest.raises(TypeError, match="`v` must be real numbers"):
        prox.l1(1.0).prox("a")
    with pytest.raises(ValueError, match="`x` must be finite"):
        prox.l1(1.0).value([np.nan])
    with pytest.raises(ValueError, match="`step` must be above 0"):
        prox.l1(1.0).prox([1.0], 0.0)
    with pytest.raises(TypeError, match=r"`value` of prox\.custom must"):
        prox.custom(lambda x: "a", shorter).value([1.0])
    with pytest.raises(ValueError, match="`prox` must return an array of shape"):
        prox.custom(length, lambda v, step: v[:1]).prox([1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        prox.custom(length, lambda v, step: 1 / 0).prox([1.0, 2.0])
