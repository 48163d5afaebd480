"""The benchmark's problems with constraints: formulas, derivatives, forms and minima."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, NonlinearConstraint

from bench._constrained import PROBLEMS, minima, small, solvers
from bench._constrained.judge import judged, residual, violation

each = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
NO_MULTIPLIERS = {"hs13"}


def test_there_are_many_of_every_form():
    names = [p.name for p in PROBLEMS]
    assert len(set(names)) == len(names) >= 120
    kinds = [{group.kind for group in p.groups} for p in PROBLEMS]
    for kind in ("linear", "nonlinear", "eq", "ineq"):
        for half in (kinds[::2], kinds[1::2]):
            assert sum(kind in each for each in half) >= 10
    two_sided = [
        np.isfinite(p.limits[1] - p.limits[0]) & (p.limits[0] < p.limits[1]) for p in PROBLEMS
    ]
    assert sum(any(rows) for rows in two_sided) >= 10
    assert set(minima()) == set(names)


@each
def test_derivatives(problem):
    """Against differences of order six, at the start and about it."""
    rng = np.random.default_rng(1)
    weights = np.array([-1, 9, -45, 45, -9, 1]) / 60
    low, high = (
        (-np.inf, np.inf) if problem.bounds is None else (problem.bounds.lb, problem.bounds.ub)
    )
    for size in (0, 0.05):
        x = np.clip(problem.x0, low, high)
        x = np.clip(x + size * np.maximum(1e-2, abs(x)) * rng.uniform(-1, 1, x.size), low, high)
        h = 2e-3 * np.maximum(1e-2, abs(x))
        for j, unit in enumerate(np.eye(x.size)):
            sides = [problem.values(x + k * h[j] * unit) for k in (-3, -2, -1, 1, 2, 3)]
            if np.isfinite(sides).all():
                found, size_of = weights @ sides / h[j], 1e-9 * abs(np.array(sides)).max(0) / h[j]
                slopes = problem.slopes(x)[:, j]
                assert (abs(found - slopes) <= 1e-6 * abs(slopes) + size_of + 1e-12).all()


@each
def test_linear_rows_are_linear(problem):
    rng = np.random.default_rng(2)
    for group in problem.groups:
        if group.kind == "linear":
            A = problem.slopes(problem.x0)[group.where]
            for x in (problem.x0, problem.x0 * rng.uniform(0.9, 1.1, problem.x0.size)):
                found = problem.values(x)[group.where]
                np.testing.assert_allclose(A @ x, found, atol=1e-12 * abs(A * x).max())


@each
def test_published_minimum_is_reached(problem):
    """By a feasible point, to the digits that are published; and first-order conditions hold."""
    x = minima()[problem.name]
    values, slopes = problem.values(x), problem.slopes(x)
    assert violation(problem, x, values, slopes) < 1e-8
    assert values[0] == pytest.approx(problem.best, rel=2e-6, abs=2e-6)
    assert judged(problem, x).solved
    if problem.name not in NO_MULTIPLIERS:
        assert residual(problem, x, values, slopes) < 1e-4


@each
def test_starts_are_no_solutions(problem):
    if problem.name != "hs8":
        assert not judged(problem, problem.x0).solved


@each
def test_constraints_are_scipys(problem):
    """Every row once, with its limits and its slopes, in whichever form."""
    x = problem.x0 * 1.01 + 0.01
    given = problem.constraints()
    rows = []
    for constraint in given if isinstance(given, list) else [given]:
        if isinstance(constraint, LinearConstraint):
            rows.append((constraint.A @ x, constraint.A, constraint.lb, constraint.ub))
        elif isinstance(constraint, NonlinearConstraint):
            rows.append((constraint.fun(x), constraint.jac(x), constraint.lb, constraint.ub))
        else:
            c = constraint["fun"](x)
            high = {"eq": 0, "ineq": np.inf}[constraint["type"]]
            rows.append((c, constraint["jac"](x), np.zeros(c.size), np.full(c.size, high)))
    c, J, low, high = (np.concatenate(part) for part in zip(*rows, strict=True))
    np.testing.assert_allclose(c, problem.values(x)[1:], rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(J, problem.slopes(x)[1:], rtol=1e-12)
    np.testing.assert_array_equal([low, high], problem.limits)


# --- judge and solvers


def problem_of(name):
    return next(p for p in PROBLEMS if p.name == name)


def test_judge():
    """hs71 has a bound, a lower limit and an equality at its solution."""
    p, x = problem_of("hs71"), minima()["hs71"]
    assert judged(p, x) == (pytest.approx(p.best), pytest.approx(0, abs=1e-9), True, True)
    for off in (np.array([0, 1e-3, 0, 0]), np.array([-1e-3, 0, 0, 0])):  # a row, a bound
        found = judged(p, x + off)
        assert found.violation > 1e-5 and not found.solved and not found.stationary
    found = judged(p, [1.5, 4, 4, np.sqrt(40 - 32 - 1.5**2)])  # feasible, but no more than that
    assert found.violation < 1e-5 and not found.solved and not found.stationary
    assert not judged(p, np.full(4, np.nan)).solved


def test_a_local_minimum_is_another_one():
    found = judged(problem_of("hs20"), [-0.5, np.sqrt(0.75)])
    assert found.stationary and not found.solved


def test_multipliers_need_the_right_sign():
    """The greatest value on the disc balances the gradient too, but from the wrong side."""
    p = problem_of("hs22")
    x = np.array([-2.0, 4.0])  # where both rows are active
    assert violation(p, x, p.values(x), p.slopes(x)) < 1e-12
    assert residual(p, x, p.values(x), p.slopes(x)) > 0.1


@pytest.mark.parametrize("given", [small.WITH, small.WITHOUT])
@pytest.mark.parametrize("name", [*solvers.TIGHT, *solvers.NLOPT])
def test_solvers_solve(name, given):
    """Of all forms of rows and both sides, so that none is given the wrong way round."""
    for of in ("hs22", "hs43", "hs71", "hs42", "hs79"):
        row = small.run_one(small.Cell(name, given, problem_of(of)))
        assert row.solved, row
        assert (row.calls["g"] > 0) == (row.calls["J"] > 0) == (given == small.WITH)


def test_budget_ends_a_run(monkeypatch):
    monkeypatch.setattr(small, "BUDGET", 7)
    row = small.run_one(small.Cell("SLSQP", small.WITH, problem_of("hs71")))
    assert row.evaluations == 7 and not row.claimed and not row.solved
