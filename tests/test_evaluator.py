"""The evaluator: differences, their steps and their count."""

import multiprocessing
import operator

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize

from scipy_gd import adam, gd
from scipy_gd._core.bits import GRADIENT, VALUE
from scipy_gd._evaluate.evaluator import Evaluator
from scipy_gd._evaluate.sources import source_of

NO_HESSIAN = np.empty((0, 0))


def smooth(x, a=1.0):
    return a * np.sum(np.sin(x) * np.exp(x / 7)) + np.prod(np.cos(x))


def gradient(x):
    p = np.prod(np.cos(x))
    return (np.cos(x) + np.sin(x) / 7) * np.exp(x / 7) - p * np.tan(x)


def differences(scheme, x, box=None, rel_step=None, fun=smooth):
    x = np.asarray(x, float)
    evaluator, g = (
        Evaluator(fun, (), source_of(fun, scheme, x.size, box, rel_step)),
        np.empty(x.size),
    )
    evaluator(x, VALUE | GRADIENT, g, NO_HESSIAN)
    return g, evaluator


POINTS = st.lists(st.floats(-5, 5), min_size=1, max_size=6)


@settings(max_examples=50)
@given(POINTS)
def test_differences_are_accurate(x):
    x = np.array(x)
    assume(np.abs(np.cos(x)).min() > 0.05)
    exact = gradient(x)
    scale = 1 + np.abs(exact).max()
    for scheme, tolerance in (("2-point", 2e-6), ("3-point", 2e-8), ("cs", 1e-12)):
        np.testing.assert_allclose(
            differences(scheme, x)[0], exact, atol=tolerance * scale, rtol=tolerance
        )


def test_forward_differences_are_scipys():
    x = np.array([0.0, 0.3, -4.0, 2.5e3])
    ours = differences("2-point", x, fun=lambda x: np.sum(x**3))[0]
    h = np.sqrt(np.finfo(float).eps) * np.maximum(1, abs(x)) * np.where(x >= 0, 1, -1)
    assert ours.tolist() == approx_fprime(x, lambda x: np.sum(x**3), h).tolist()


def test_relative_step_is_used():
    seen = []

    def fun(x):
        seen.append(x.copy())
        return float(x @ x)

    differences("2-point", [2.0, -4.0, 0.0], rel_step=1e-3, fun=fun)
    steps = [(p - seen[0]).sum() for p in seen[1:]]
    # a step relative to 0 would not move: there it is relative to 1, and not the default one
    np.testing.assert_allclose(steps, [2e-3, -4e-3, 1e-3], rtol=1e-9)


@settings(max_examples=200)
@given(
    st.sampled_from(["2-point", "3-point"]),
    st.lists(
        st.tuples(
            st.floats(-3, 3),
            st.sampled_from([0, 1e-17, 1e-13, 1e-9, 1e-6, 1e-3, 5.0]),
            st.sampled_from([0, 1e-17, 1e-13, 1e-9, 1e-6, 1e-3, 5.0]),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_differences_never_leave_the_box(scheme, spec):
    x = np.array([s[0] for s in spec])
    box = (x - [s[1] for s in spec], x + [s[2] for s in spec])
    seen = []

    def fun(x):
        seen.append(x)
        return float(np.sum(x**2))

    g, evaluator = differences(scheme, x, box=box, fun=fun)
    assert (np.array(seen) >= box[0]).all()
    assert (np.array(seen) <= box[1]).all()
    assert evaluator.nfev == len(seen)
    assert np.isfinite(g).all()
    roomy = box[1] - box[0] > 1e-3
    np.testing.assert_allclose(g[roomy], 2 * x[roomy], atol=1e-4)


def test_a_fixed_parameter_has_no_gradient_and_costs_nothing():
    x = np.array([1.0, 2.0])
    g, evaluator = differences("2-point", x, box=(x - [0, 1], x + [0, 1]), fun=lambda x: x @ x)
    assert g[0] == 0
    assert g[1] == pytest.approx(4)
    assert evaluator.nfev == 2


@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
def test_workers_change_nothing_but_the_processes(scheme):
    def run(**options):
        return minimize(
            smooth,
            np.array([0.3, 1.2, -0.4]),
            args=(2.0,),
            method=adam,
            options={"maxiter": 4, "finite_diff_scheme": scheme} | options,
        )

    serial = run()
    calls = []

    def counting_map(function, points):
        points = list(points)
        calls.append(len(points))
        return [function(p) for p in points]

    mapped = run(workers=counting_map)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        parallel = run(workers=pool.map)
    for other in (mapped, parallel, run(workers=2)):
        assert other.x.tolist() == serial.x.tolist()
        assert (other.nfev, other.njev) == (serial.nfev, serial.njev)
    assert len(calls) == 5
    assert operator.ge(min(calls), 3)


def test_a_pair_is_called_once_for_both():
    calls = []

    def both(x):
        calls.append(x.copy())
        return float(x @ x), 2 * x

    for rate in (0.1, "armijo"):
        calls.clear()
        res = minimize(both, [1.0, 2.0], jac=True, method=gd, options={"learning_rate": rate})
        assert res.success
        assert res.nfev == res.njev == len(calls)
        assert res.jac.tolist() == (2 * res.x).tolist()


@pytest.mark.parametrize("much", [slice(0), slice(-1), slice(None, None, 2)])
def test_workers_must_return_a_value_for_each_point(much):
    def workers(function, points):
        return [function(x) for x in list(points)][much]

    with pytest.raises(ValueError, match="`workers` must return a value for each of the 3 points"):
        minimize(lambda x: float(x @ x), [3.0, 4.0, 5.0], method=gd, options={"workers": workers})
