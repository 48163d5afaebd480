"""Exponential smoothing, against a loop by hand."""

import numpy as np
import pytest

from scipy_gd import smooth


def by_hand(series, beta, correct):
    v, weight, out = 0.0, 0.0, []
    for value in series:
        if not np.isfinite(value):
            out.append(value)
            continue
        v = beta * v + (1 - beta) * value
        weight = beta * weight + (1 - beta)
        out.append(v / weight if correct else v)
    return out


@pytest.mark.parametrize("correct", [True, False])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999])
def test_one_series_and_many(beta, correct):
    series = np.random.default_rng(0).normal(size=(50, 3, 2))
    series[[0, 7, 8], 0, 1] = np.nan
    series[20, 2, 0], series[49, 2, 0] = np.inf, -np.inf
    before = series.copy()
    expected = np.apply_along_axis(by_hand, 0, series, beta, correct)
    for axis in (0, 1, 2, -1, -3):
        turned = np.moveaxis(series, 0, axis)
        smoothed = smooth(turned, beta, correct=correct, axis=axis)
        np.testing.assert_allclose(smoothed, np.moveaxis(expected, 0, axis), rtol=1e-11)
    assert np.array_equal(series, before, equal_nan=True)
    one = smooth(series[:, 0, 1].tolist(), beta, correct=correct)
    np.testing.assert_allclose(one, expected[:, 0, 1], rtol=1e-11)


def test_a_constant_stays_and_uncorrected_grows_towards_it():
    np.testing.assert_allclose(smooth([2, 2, 2], 0.9), 2, rtol=1e-14)
    np.testing.assert_allclose(smooth([2, 2], 0.9, correct=False), [0.2, 0.38], rtol=1e-14)
    assert smooth([1, 2]).dtype == float
    assert smooth([]).shape == (0,)
    assert smooth(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        (([1j],), {}, TypeError, "`series` must be an array of real numbers"),
        ((["a"],), {}, TypeError, "`series` must be an array of real numbers"),
        ((3.0,), {}, ValueError, "`series` must have at least one axis"),
        (([1.0], 1.0), {}, ValueError, "`beta` must be at least 0 and below 1"),
        (([1.0], -0.1), {}, ValueError, "`beta` must be"),
        (([1.0], "0.9"), {}, TypeError, "`beta` must be a number"),
        (([1.0],), {"correct": "no"}, TypeError, "`correct` must be True or False"),
        (([1.0],), {"axis": 1}, ValueError, "`axis` must be one of the 1 axes"),
        (([1.0],), {"axis": 0.5}, TypeError, "`axis` must be a whole number"),
    ],
)
def test_bad_input_is_named(args, options, error, message):
    with pytest.raises(error, match=message):
        smooth(*args, **options)
