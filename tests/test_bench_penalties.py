"""What `bench penalties` judges by: gradients, proxes, residuals, gaps, and who is the quickest."""

import numpy as np
import pytest

from bench import penalties
from bench._penalty_problems import (
    BLUR,
    L1,
    LOGISTIC,
    SQUARES,
    GroupL1,
    Nonnegative,
    Problem,
    Simplex,
    TotalVariation,
    blurred,
    sparse,
)  # fmt: skip
from bench._penalty_solvers import Contestant
from bench.penalties import Found, Run

PENALTIES = (L1(0.3), GroupL1(0.5, 4), Nonnegative(), Simplex(), TotalVariation(0.4))
KERNEL = np.array([0.1, 0.2, 0.4, 0.2, 0.1])


def data(loss, n=12, m=30):
    rng = np.random.default_rng(0)
    A = KERNEL if loss is BLUR else rng.standard_normal((m, n))
    b = rng.standard_normal(n if loss is BLUR else m)
    return A, np.sign(b) if loss is LOGISTIC else b


@pytest.mark.parametrize("loss", [SQUARES, LOGISTIC, BLUR])
def test_gradients_and_their_curvature(loss):
    """Against differences of fourth order; and no secant is steeper than L says."""
    rng = np.random.default_rng(1)
    problem = Problem("", loss, *data(loss), L1(0.1), np.zeros(12))
    x, d = rng.standard_normal((2, 12))
    at = {k: problem.smooth(x + 1e-3 * k * d)[0] for k in (-2, -1, 1, 2)}
    slope = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / 12e-3
    assert problem.smooth(x)[1] @ d == pytest.approx(slope, rel=1e-8)
    for y in rng.standard_normal((50, 12)):
        steep = np.linalg.norm(problem.smooth(x)[1] - problem.smooth(y)[1])
        assert steep <= problem.lipschitz * np.linalg.norm(x - y)


def test_blurred():
    x = np.random.default_rng(0).standard_normal(20)
    np.testing.assert_allclose(blurred(x, KERNEL), np.convolve(x, KERNEL, "same"), atol=1e-15)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("t", [0.2, 1.0, 5.0])
def test_proxes(penalty, t):
    """(v - p) / t is a subgradient at p: h(z) >= h(p) + (z - p) (v - p) / t for all z."""
    rng = np.random.default_rng(2)
    for v in rng.standard_normal((20, 12)):
        p = penalty.prox(v, t)
        assert np.isfinite(penalty.value(p))
        far = [penalty.prox(z, 0.1) for z in 3 * rng.standard_normal((30, 12))]
        near = [penalty.prox(p + 0.01 * z, 1e-3) for z in rng.standard_normal((30, 12))]
        for z in (*far, *near, *(p + np.diag(np.full(12, 1e-3)))):
            slope = (z - p) @ (v - p) / t
            assert penalty.value(z) >= penalty.value(p) + slope - 1e-12


def minimum(problem):
    """By proximal gradients."""
    x, L = problem.x0, problem.lipschitz
    for _ in range(5000):
        x = problem.penalty.prox(x - problem.smooth(x)[1] / L, 1 / L)
    return x


@pytest.mark.parametrize(
    ("loss", "penalty"),
    [(SQUARES, L1(0.1)), (LOGISTIC, L1(0.05)), (SQUARES, GroupL1(0.1, 4)), (SQUARES, Simplex())],
    ids=["lasso", "logistic", "groups", "simplex"],
)
def test_gaps_bound_how_far_the_minimum_is_below(loss, penalty):
    problem = Problem("", loss, *data(loss), penalty, np.full(12, 1 / 12))
    best = minimum(problem)
    assert problem.residual(best) < 1e-12
    assert abs(problem.gap(best)) < 1e-12
    for z in np.random.default_rng(3).standard_normal((50, 12)):
        x = penalty.prox(best + z, 0.1)
        assert problem.gap(x) >= problem.value(x) - problem.value(best) - 1e-14
        assert problem.residual(x) > 1e-3


def test_weights_are_shares_of_the_least_one_with_the_minimum_at_zero():
    for make in (L1, lambda weight: GroupL1(weight, 4)):
        inside, outside = (
            sparse("", LOGISTIC, *data(LOGISTIC), share, make) for share in (1.001, 0.999)
        )
        assert inside.residual(inside.x0) == 0 < outside.residual(outside.x0)


def test_a_climb_ends_at_the_target_and_finds_what_is_false():
    """A solver that goes as near to the minimum 0.3 as it says, but for once."""
    problem = Problem("", BLUR, np.ones(1), np.array([0.3]), Nonnegative(), np.zeros(1))
    ladder = 10.0 ** -np.arange(1, 16)

    def run(tol):
        return np.array([0.3 + (1e-2 if tol == ladder[3] else tol)]), True

    runs, best = penalties.climb(problem, Contestant(ladder, run, True))
    assert [r.false for r in runs] == [k == 3 for k in range(len(runs))]
    assert runs[-1].residual * 0.3 == pytest.approx(best[0] - 0.3, rel=1e-3)
    assert runs[-1].residual <= 0.01 * penalties.TARGETS[-1] < runs[-2].residual
    assert set(penalties.needed(runs)) >= {4, 6, 8}
    assert penalties.climb(problem, Contestant(ladder, run))[0][3].false is None


def test_the_quickest():
    def run(seconds, residual):
        return Run(None, seconds, residual, 1.0 + residual, True, False)

    runs = {
        "spg": [run(2.0, 1e-3), run(5.0, 1e-7), run(4.0, 1e-9)],
        "jaxopt": [run(1.0, 1e-2)],
        "PyProximal accelerated": [run(8.0, 1e-7)],
        "PyProximal accelerated, lent an exact prox": [run(3.0, 1e-7)],
        "skglm": [run(1.0, 1e-9)],
    }
    found = Found("", 1, 1, runs, np.zeros(1), 0.0)
    assert found.quickest(found.ours, 1e-6) == (4.0, "spg")
    assert found.quickest(found.rivals, 1e-6) == (8.0, "PyProximal accelerated")
    assert found.quickest(found.rivals, 1e-8)[1] == ""
    rows = penalties.in_short([found]).rows
    assert [row[4:6] for row in rows[:2]] == [[0.5, "yes"], [0.5, "yes"]]
