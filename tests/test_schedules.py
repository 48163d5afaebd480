"""Schedules: their values against torch's, endpoints, joins, and use through `minimize`."""

import copy
import itertools
import math
import pickle
import re

import numpy as np
import pytest
from scipy.optimize import minimize

from scipy_gd import gd, momentum, schedules
from scipy_gd.schedules import (
    Schedule,
    constant,
    cosine,
    cosine_restarts,
    exponential,
    inverse_time,
    linear,
    milestones,
    one_cycle,
    polynomial,
    reduce_on_plateau,
    scaled,
    step,
    warmup,
)

PURE = [
    constant(0.1),
    step(0.1, 3, 0.5),
    milestones(0.1, (2, 5), 0.1),
    exponential(0.1, 0.9),
    inverse_time(0.1, 0.5, 0.75),
    linear(0.1, 0.02, 4),
    polynomial(0.1, 0.0, 5, 2),
    cosine(0.1, 0.01, 5),
    cosine_restarts(0.1, 0.01, 2, 2),
    one_cycle(0.1, 10),
    2 * cosine(0.1, 0.01, 5),
    linear(0.1, 0.02, 4).then(0.05, at=4),
    warmup(3, cosine(0.1, 0.01, 4), 0.25),
    linear([0.1, 0.2], 0.02, 4),
    np.array([1.0, 2.0]) * warmup(3, 0.1),
    constant(0.5).then([0.1, 0.2], at=2),
    one_cycle([0.1, 0.2], 10),
    cosine_restarts([0.1, 0.2], [0.0, 0.1], 2),
]
TOLD = [
    reduce_on_plateau(0.8, 0.5, 2),
    reduce_on_plateau([0.8, 0.4], 0.5, 2, threshold=0.0, cooldown=1, floor=0.1),
    warmup(3, reduce_on_plateau(0.8, 0.5, 2)),
    0.1 * constant(0.8).then(reduce_on_plateau(0.8, 0.5, 2), at=2),
]


def every(given):
    return pytest.mark.parametrize("schedule", given, ids=lambda s: repr(s)[:60])


# What torch 2.13's schedulers give before each step, from lr=0.1 (one_cycle's momentum: its own).
TORCH = [
    # StepLR(step_size=3, gamma=0.5)
    (step(0.1, 3, 0.5), [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025]),
    # MultiStepLR(milestones=[2, 5], gamma=0.1)
    (milestones(0.1, [2, 5], 0.1), [0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001]),
    # ExponentialLR(gamma=0.9)
    (exponential(0.1, 0.9), [0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049]),
    # LinearLR(start_factor=1.0, end_factor=0.2, total_iters=4)
    (linear(0.1, 0.02, 4), [0.1, 0.08, 0.06, 0.04, 0.02, 0.02, 0.02]),
    # PolynomialLR(total_iters=5, power=2.0)
    (polynomial(0.1, 0, 5, 2), [0.1, 0.064, 0.036, 0.016, 0.004, 0, 0, 0]),
    # CosineAnnealingLR(T_max=5, eta_min=0.01)
    (
        cosine(0.1, 0.01, 5),
        [0.1, 0.09140576474687263, 0.06890576474687263, 0.04109423525312736, 0.018594235253127367]
        + [0.01],
    ),
    # CosineAnnealingWarmRestarts(T_0=3, T_mult=1, eta_min=0.01)
    (
        cosine_restarts(0.1, 0.01, 3),
        [0.1, 0.0775, 0.0325, 0.1, 0.0775, 0.0325, 0.1, 0.0775],
    ),
    # CosineAnnealingWarmRestarts(T_0=2, T_mult=2, eta_min=0.01)
    (
        cosine_restarts(0.1, 0.01, 2, 2),
        [0.1, 0.055, 0.1, 0.08681980515339464, 0.055, 0.023180194846605363]
        + [0.1, 0.0965745789630079, 0.08681980515339464, 0.07222075445642905, 0.055]
        + [0.03777924554357097, 0.023180194846605363, 0.013425421036992097, 0.1],
    ),
    # OneCycleLR(max_lr=0.1, total_steps=10)
    (
        one_cycle(0.1, 10),
        [0.004, 0.052, 0.1, 0.09504846320134738, 0.0811745653949763, 0.06112620219362893]
        + [0.03887419780637107, 0.0188258346050237, 0.004951936798652629, 4e-07],
    ),
    # OneCycleLR(max_lr=0.1, total_steps=9, pct_start=0.5, div_factor=10.0, final_div_factor=100.0),
    # whose peak is between two steps
    (
        one_cycle(0.1, 9, 0.5, 10, 100),
        [0.01, 0.02694295891635698, 0.06501344202803415, 0.09554359905560886, 0.09698764640825613]
        + [0.075025, 0.041376273525536834, 0.011786080066207053, 0.0001],
    ),
    # the momentum of OneCycleLR(max_lr=0.1, total_steps=10)
    (
        one_cycle(0.85, 10, div_factor=0.85 / 0.95, final_div_factor=1),
        [0.95, 0.9, 0.85, 0.854951556604879, 0.8688255099070633, 0.8888739533021842]
        + [0.9111260466978157, 0.9311744900929366, 0.945048443395121, 0.95],
    ),
    # SequentialLR([LinearLR(0.25, 1.0, total_iters=3), CosineAnnealingLR(4, eta_min=0.01)], [3])
    (
        warmup(3, cosine(0.1, 0.01, 4), 0.25),
        [0.025, 0.05, 0.075, 0.1, 0.08681980515339464, 0.055, 0.023180194846605363, 0.01],
    ),
]


@pytest.mark.parametrize(("schedule", "values"), TORCH, ids=[repr(s) for s, _ in TORCH])
def test_values_are_torchs(schedule, values):
    steps = np.arange(1, len(values) + 1)
    np.testing.assert_allclose(schedule(steps), values, rtol=1e-12, atol=1e-17)


# f before each step, f(x0) first; then what torch's ReduceLROnPlateau(eps=0) has from lr=0.8
F = [5, 4, 4, 4, 4, 3.9997, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, math.nan, 3.8]
PLATEAUS = [
    ({"patience": 2}, [0.8] * 4 + [0.4] * 5 + [0.2] * 3 + [0.1] * 4),
    (
        {"patience": 1, "cooldown": 2, "floor": 0.15},
        [0.8] * 3 + [0.4] * 5 + [0.2] * 4 + [0.15] * 4,
    ),
    (
        {"patience": 0, "threshold": 0.01},
        [0.8 / 2**i for i in [0, 0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12]],
    ),
]


def told(schedule, values=F):
    run = schedule.start()
    return [run(t, f) for t, f in enumerate(values, start=1)]


@pytest.mark.parametrize(("options", "values"), PLATEAUS)
def test_plateaus_are_torchs(options, values):
    given = told(reduce_on_plateau(0.8, 0.5, **options))
    assert given == values
    assert {type(v) for v in given} == {float}


def test_plateau_of_an_array():
    schedule = reduce_on_plateau([0.8, 0.08], 0.5, 0, floor=0.05)
    np.testing.assert_array_equal(
        told(schedule, [3, 3, 3, 3]), [[0.8, 0.08], [0.4, 0.05], [0.2, 0.05], [0.1, 0.05]]
    )
    assert [v.shape for v in told(reduce_on_plateau(0.8, 0.5, 0, floor=[0.1, 0.2]), [1, 1])] == [
        (2,),
        (2,),
    ]


def test_standing_still_below_zero_is_a_plateau():
    # torch's best * (1 - threshold) is above a negative best: any value there is an improvement
    assert told(reduce_on_plateau(0.8, 0.5, 1), [-5.0] * 4) == [0.8, 0.8, 0.4, 0.4]
    assert told(reduce_on_plateau(0.8, 0.5, 1), [-5.0, -6, -7, -8]) == [0.8] * 4


def test_every_start_has_a_memory_of_its_own():
    schedule = reduce_on_plateau(0.8, 0.5, 0)
    one, other = schedule.start(), schedule.start()
    assert [one(t, 1.0) for t in (1, 2, 3)] == [0.8, 0.4, 0.2]
    assert other(1, 1.0) == 0.8
    assert schedule == reduce_on_plateau(0.8, 0.5, 0)


def test_the_last_call_for_a_step_counts():
    # a line search tries points; NaN stands for the value that nobody knows yet
    run = reduce_on_plateau(0.8, 0.5, 0).start()
    assert [run(1, math.nan), run(1, 3.0)] == [0.4, 0.8]
    assert [run(2, 9.0), run(2, 8.0), run(2, 2.0)] == [0.4, 0.4, 0.8]
    assert [run(3, 1.0), run(3, 2.0)] == [0.8, 0.4]
    assert run(4, 1.5) == 0.4


def test_plateau_within_others():
    plateau = reduce_on_plateau(0.8, 0.5, 0)
    # the count begins with the value before the plateau's own first step
    np.testing.assert_allclose(
        told(warmup(3, plateau), [1, 2, 3, 4, 3.5, 4, 3]), [0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4]
    )
    np.testing.assert_allclose(
        told(2 * constant(0.1).then(plateau, at=2), [1, 1, 5, 4, 4]), [0.2, 0.2, 1.6, 1.6, 0.8]
    )
    np.testing.assert_allclose(
        told(plateau.then(linear(0.1, 0.0, 2), at=2), [1, 1, 1, 1, 1]), [0.8, 0.4, 0.1, 0.05, 0]
    )


@every(TOLD)
def test_without_f_there_are_no_values(schedule):
    assert schedule.needs_value
    for call in (lambda: schedule(1), lambda: schedule.table(1, 3)):
        with pytest.raises(TypeError, match=r"depend on f: call its `start\(\)`"):
            call()


def test_inverse_time_is_its_formula():
    t = np.array([1, 2, 11, 101])
    np.testing.assert_allclose(inverse_time(0.8, 0.1)(t), [0.8, 0.8 / 1.1, 0.4, 0.8 / 11])
    np.testing.assert_allclose(inverse_time(0.8, 3, 0.5)(2), 0.4)


@pytest.mark.parametrize("kind", [linear, polynomial, cosine])
@pytest.mark.parametrize(("start", "end"), [(0.1, 0.01), (0.5, 0.99), (0.3, 0.0)])
def test_ramps_have_both_ends_exactly_and_no_turn(kind, start, end):
    values = kind(start, end, 7).table(1, 12)
    assert values[0] == start
    assert values[7:].tolist() == [end] * 5
    assert (np.diff(values[:8]) * (end - start) > 0).all()


def test_one_cycle_has_one_peak_and_stays_at_its_end():
    values = one_cycle(0.3, 100, pct_start=0.4).table(1, 120)
    assert values.argmax() == 39
    assert values[39] == 0.3
    assert (np.diff(values[:40]) > 0).all()
    assert (np.diff(values[39:100]) < 0).all()
    assert set(values[99:]) == {0.3 / 25 / 1e4}


@pytest.mark.parametrize(("period", "factor"), [(1, 2), (3, 2), (5, 3), (7, 1), (1, 10)])
def test_restarts_are_at_the_sums_of_the_periods(period, factor):
    lengths = [
        period * factor**i for i in range(200 if factor == 1 else int(math.log(1e5, factor)))
    ]
    begins = np.cumsum([0, *lengths])[:-1]
    values = cosine_restarts(1.0, 0.0, period, factor).table(1, begins[-1] + 1)
    assert np.flatnonzero(values == 1.0).tolist() == begins.tolist()
    for begin, end in itertools.pairwise(begins):
        assert (np.diff(values[begin:end]) < 0).all()


def test_sequence_changes_after_at_steps_and_begins_anew():
    a, b, c = linear(0.8, 0.4, 3), exponential(0.4, 0.5), step(0.1, 2, 0.1)
    schedule = a.then(b, at=3).then(c, at=5)
    assert schedule.table(1, 8).tolist() == [
        *a.table(1, 3),
        *b.table(1, 2),
        *c.table(1, 3),
    ]
    assert schedule(4) == a(4) == 0.4  # no jump at this join
    nested = a.then(b.then(c, at=2), at=3)
    assert nested.table(1, 8).tolist() == schedule.table(1, 8).tolist()


def test_sequence_asks_no_piece_for_steps_of_the_other():
    with np.errstate(over="raise"):
        schedule = exponential(1.0, 2.0).then(exponential(1.0, 0.5), at=1000)
        assert schedule.table(999, 4).tolist() == [2.0**998, 2.0**999, 1.0, 0.5]
        schedule(10_000)


def test_warmup_is_linear_and_joins_its_schedule():
    after = cosine(0.5, 0.1, 50)
    for fraction, first in [(None, 0.5 / 11), (0.2, 0.1), (0, 0.0), (1, 0.5)]:
        values = warmup(10, after, fraction).table(1, 61)
        np.testing.assert_allclose(values[:11], np.linspace(first, 0.5, 11), rtol=1e-14)
        assert values[10:].tolist() == after.table(1, 51).tolist()


def test_scaling_from_both_sides_by_numbers_and_arrays():
    s, rates = exponential(0.8, 0.5), np.array([1.0, 10.0])
    assert 2 * s == s * 2 == np.float64(2) * s == scaled(2, s)
    assert rates * s == s * rates == scaled([1, 10], s)
    np.testing.assert_array_equal((rates * s)(2), [0.4, 4.0])
    assert (0.5 * (0.5 * s))(1) == 0.2


@every(PURE)
def test_one_step_many_steps_and_the_table_agree_to_the_last_bit(schedule):
    one_by_one = np.array([schedule(t) for t in range(1, 40)])
    assert one_by_one.shape == (39, *schedule.shape)
    np.testing.assert_array_equal(schedule(np.arange(1, 40)), one_by_one)
    np.testing.assert_array_equal(schedule.table(8, 5), one_by_one[7:12])
    grid = schedule(np.arange(1, 7).reshape(2, 3))
    np.testing.assert_array_equal(grid, one_by_one[:6].reshape(2, 3, *schedule.shape))
    assert schedule([]).shape == (0, *schedule.shape)
    assert type(schedule(np.int64(3))) is (np.ndarray if schedule.shape else float)


@every([s for s in PURE if s.shape == (2,)])
def test_an_array_is_one_schedule_for_each_parameter(schedule):
    def entry(value, i):
        if isinstance(value, Schedule):
            return part(value, i)
        return value[i] if isinstance(value, np.ndarray) else value

    def part(schedule, i):
        return type(schedule)(*[entry(value, i) for value in vars(schedule).values()])

    for i in range(2):
        np.testing.assert_array_equal(schedule.table(1, 20)[:, i], part(schedule, i).table(1, 20))


@every(PURE + TOLD)
def test_repr_pickle_and_copies_give_the_same_schedule(schedule):
    for again in (
        eval(repr(schedule), vars(schedules)),
        pickle.loads(pickle.dumps(schedule)),
        copy.deepcopy(schedule),
    ):
        assert again == schedule
        assert hash(again) == hash(schedule)
        assert type(again) is type(schedule)
        for value in vars(again).values():
            assert not (isinstance(value, np.ndarray) and value.flags.writeable)


def test_all_schedules_differ():
    assert len(set(PURE + TOLD)) == len(PURE + TOLD)
    assert linear(0.1, 0.2, 3) != polynomial(0.1, 0.2, 3)
    assert linear(0.1, 0.2, 3) != linear(0.1, 0.2, 4)
    assert {type(s) for s in PURE + TOLD} == {
        getattr(schedules, name) for name in schedules.__all__ if name != "Schedule"
    }


def test_schedules_are_immutable():
    given = np.array([0.1, 0.2])
    schedule = constant(given)
    given[:] = 7
    schedule(1)[:] = 7
    assert schedule(1).tolist() == [0.1, 0.2]
    with pytest.raises(AttributeError):
        schedule.value = 1.0
    with pytest.raises(ValueError, match="read-only"):
        schedule.value[0] = 1.0


BAD = [
    (lambda: constant("0.1"), TypeError, "`value` must be a number"),
    (lambda: constant(True), TypeError, "`value` must be a number"),
    (lambda: constant(math.nan), ValueError, "`value` must be a finite number"),
    (lambda: constant([0.1, math.inf]), ValueError, "`value` must be a finite number"),
    (lambda: constant([]), ValueError, "`value` must be a number or an array with one for each"),
    (
        lambda: constant([[0.1]]),
        ValueError,
        "`value` must be a number or an array with one for each",
    ),
    (lambda: constant([[1], [1, 2]]), TypeError, "`value` must be an array of numbers"),
    (lambda: constant(math.sin), TypeError, "`value` must be a number or an array of numbers"),
    (lambda: step(0.1, 0, 0.5), ValueError, "`every` must be a whole number, at least 1"),
    (lambda: step(0.1, 2.5, 0.5), ValueError, "`every` must be a whole number"),
    (lambda: step(0.1, 2, 0), ValueError, "`factor` must be above 0"),
    (
        lambda: milestones(0.1, [5, 2], 0.5),
        ValueError,
        "`at` must be an increasing sequence of step numbers",
    ),
    (
        lambda: milestones(0.1, [2, 2], 0.5),
        ValueError,
        "`at` must be an increasing sequence of step numbers",
    ),
    (
        lambda: milestones(0.1, [], 0.5),
        ValueError,
        "`at` must be an increasing sequence of step numbers",
    ),
    (lambda: milestones(0.1, 5, 0.5), TypeError, "`at` must be whole numbers, got 5"),
    (lambda: exponential(0.1, -0.5), ValueError, "`decay` must be above 0"),
    (lambda: inverse_time(0.1, -1), ValueError, "`decay` must be at least 0"),
    (lambda: inverse_time(0.1, 1, 0), ValueError, "`power` must be above 0"),
    (lambda: linear(0.1, None, 5), TypeError, "`end` must be a number"),
    (lambda: linear(0.1, 0.01, 0), ValueError, "`steps` must be a whole number, at least 1"),
    (lambda: linear([1, 2], [1, 2, 3], 5), ValueError, "`start` and `end` must have the same len"),
    (lambda: cosine_restarts(1, 0, 5, 0.5), ValueError, "`factor` must be a whole number"),
    (lambda: one_cycle(0.1, 10, 1.0), ValueError, "`pct_start` must be above 0 and below 1"),
    (lambda: one_cycle(0.1, 10, 0.1), ValueError, "`pct_start` must be above 1 / `steps`"),
    (lambda: one_cycle(0.1, 10, div_factor=0), ValueError, "`div_factor` must be above 0"),
    (lambda: reduce_on_plateau(0.1, 1, 5), ValueError, "`factor` must be above 0 and below 1"),
    (lambda: reduce_on_plateau(0.1, 0.5, -1), ValueError, "`patience` must be a whole number"),
    (lambda: reduce_on_plateau(0.1, 0.5, 1, floor=1), ValueError, "`floor` must not be above"),
    (lambda: warmup(5, lambda t: 0.1), TypeError, "`schedule` must be a number or an array"),
    (lambda: warmup(5, 0.1, 2), ValueError, "`fraction` must be at least 0 and at most 1"),
    (lambda: constant(0.1).then("x", 5), TypeError, "`second` must be a number"),
    (lambda: constant(0.1).then(0.2, at=0), ValueError, "`at` must be a whole number"),
    (lambda: constant([1, 2]).then([1, 2, 3], 4), ValueError, "`first` and `second` must have"),
    (lambda: constant(1) * constant(2), TypeError, "`factor` must be a number"),
    (lambda: constant(1)(0), ValueError, "`t` must be at least 1 (it counts the steps), got 0"),
    (lambda: constant(1)([1, 2, 0]), ValueError, "`t` must be at least 1"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


# --- through minimize


def halves(x):
    return 0.5 * float(x @ x)


def iterates(x0, method, **options):
    """All points of a run on x @ x / 2, whose gradient is x."""
    options = {"maxiter": 8, "gtol": 0.0, "return_all": True} | options
    return minimize(halves, x0, jac=np.copy, method=method, options=options).allvecs


def test_gd_takes_the_steps_of_a_linear_schedule():
    # x <- (1 - rate) x with rates 0.8, 0.6, 0.4, 0.2, 0.2, ...
    points = iterates([1000.0], gd, learning_rate=linear(0.8, 0.2, 3), maxiter=5)
    np.testing.assert_allclose(np.ravel(points), [1000, 200, 80, 48, 38.4, 30.72], rtol=1e-14)


def test_gd_takes_a_rate_for_each_parameter():
    schedule = step([0.5, 0.25], every=1, factor=0.5)
    points = iterates([1024.0, 1024.0], gd, learning_rate=schedule, maxiter=3)
    assert np.array(points).tolist() == [[1024, 1024], [512, 768], [384, 672], [336, 630]]


def test_momentum_that_rises():
    # momentum 0.5, 0.625, 0.75 at rate 0.5: v = 8, then 0.625 * 8 + 4 = 9, then 0.75 * 9 - 0.5
    points = iterates([8.0], momentum, learning_rate=0.5, momentum=linear(0.5, 0.75, 2), maxiter=3)
    assert np.ravel(points).tolist() == [8, 4, -0.5, -3.625]


def test_two_schedules_at_once():
    rate, share = warmup(3, cosine(0.3, 0.1, 4)), linear(0.5, 0.9, 5)
    x, v, expected = 10.0, 0.0, [10.0]
    for t in range(1, 9):
        v = share(t) * v + x
        x -= rate(t) * v
        expected.append(x)
    points = iterates([10.0], momentum, learning_rate=rate, momentum=share)
    np.testing.assert_allclose(np.ravel(points), expected, rtol=1e-13)


def test_a_plateau_ends_the_swinging_of_gd_in_every_run():
    # at rate 2 x only changes its sign; at rate 1 the next point is the minimum
    schedule = reduce_on_plateau(2.0, 0.5, patience=3)
    for _ in range(2):
        points = iterates([4.0], gd, learning_rate=schedule)
        assert np.ravel(points).tolist() == [4, -4, 4, -4, 4, 0]
