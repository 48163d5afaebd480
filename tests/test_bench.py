"""The benchmarks' problems and their recorder: what the published figures rest on."""

import math

import numpy as np
import pytest

pytest.importorskip("optimagic")

from bench import _problems as problems
from bench._recorder import OFF, Recorder, Solver, evaluate, evaluations, norm, solve
from scipy_gd import METHODS

SIZES = {
    problems.more_wild: 54,
    problems.rosenbrocks: 6,
    problems.quadratics: 8,
    problems.fits: 32,
    problems.logistics: 2,
    problems.boxed: 45,
}


@pytest.fixture(scope="module")
def sets():
    pytest.importorskip("sklearn")
    return {make: make() for make in SIZES}


def test_sizes(sets):
    assert {make: len(members) for make, members in sets.items()} == SIZES
    for members in sets.values():
        assert len({p.name for p in members}) == len(members)


def test_values_are_optimagics():
    from optimagic.benchmarking.more_wild import MORE_WILD_PROBLEMS

    rng = np.random.default_rng(0)
    for p in problems.more_wild():
        for x in (p.x0, p.x0 * rng.uniform(0.8, 1.2, p.x0.size)):
            r = MORE_WILD_PROBLEMS[p.name]["fun"](x)
            assert p.fun(x) == pytest.approx(r @ r, rel=1e-12)


def test_gradients(sets):
    """Against differences of order six, along a random line near the start."""
    rng = np.random.default_rng(1)
    weights = np.array([-1, 9, -45, 45, -9, 1]) / 60
    for p in (p for members in sets.values() for p in members):
        unit = np.where(p.x0 == 0, 0.1, p.x0)
        x, d = p.x0 + 0.01 * unit * rng.uniform(size=p.x0.size), unit * rng.uniform(size=p.x0.size)
        h = 1e-4
        slope = weights @ [p.fun(x + k * h * d) for k in (-3, -2, -1, 1, 2, 3)] / h
        scale = np.abs(p.jac(x) * d).sum() + 1e-4 * abs(p.fun(x))
        assert abs(p.jac(x) @ d - slope) < 1e-6 * scale, p


def test_fits_reproduce_the_certified_sums():
    for name, total, certified, _ in problems.nist():
        t, y = problems.DATA[name]
        r = problems.MODELS[name](certified[:, None], t) - y
        assert np.sum(r * r) == pytest.approx(total, rel=1e-6), name


def test_starts_are_feasible_and_not_solved(sets):
    for p in sets[problems.boxed]:
        assert np.all((p.bounds.lb <= p.x0) & (p.x0 <= p.bounds.ub))
        assert norm(p, p.x0) > 1e-5


def bowl(bounds=None):
    x0 = np.array([3.0, -4.0])
    return problems.Problem("bowl", "test", lambda x: x @ x, lambda x: 2 * x, x0, bounds)


def test_recorder_counts_both_kinds_up_to_the_solution():
    p, calls = bowl(), []

    def counted(kind, function):
        return lambda x: calls.append(kind) or function(x)

    spied = p._replace(fun=counted("f", p.fun), jac=counted("g", p.jac))
    recorder = Recorder(spied)
    assert solve(Solver("BFGS", "BFGS", OFF["BFGS"]), spied, recorder) is None
    assert recorder.solved == recorder.count == len(calls)
    assert {"f", "g"} == set(calls) and calls[-1] == "g"


@pytest.mark.parametrize("solver", [METHODS["gd"], *OFF], ids=str)
def test_budget_ends_a_run(solver):
    p = problems.rosenbrocks()[0]
    recorder = Recorder(p, budget=7, gradients=solver != "Nelder-Mead", until=-math.inf)
    assert solve(Solver("", solver), p, recorder) is None
    assert recorder.count == 7 and recorder.solved == math.inf


def test_evaluate():
    p = bowl()
    assert evaluate("Nelder-Mead", [p], workers=1)[0] < 300
    assert evaluate("BFGS", [p, p]) == [evaluations(Solver("", "BFGS"), p)] * 2
    assert evaluate("BFGS", problems.rosenbrocks()[:1], budget=20) == [math.inf]
    assert evaluate(METHODS["gd"], [p], options={"learning_rate": 0.5}, workers=1)[0] <= 6


def test_projected_gradient():
    from scipy.optimize import Bounds

    p = bowl(Bounds([1, -np.inf], [np.inf, np.inf]))
    assert norm(p, np.array([1.0, 0.0])) == 0
    assert norm(p, np.array([1.5, 0.0])) == 0.5


def test_profiles_are_drawn_of_every_contestant(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    from bench import convergence

    figures = []
    monkeypatch.setattr(convergence, "RESULTS", tmp_path)
    monkeypatch.setattr(Figure, "savefig", lambda self, path: figures.append(self))
    rng = np.random.default_rng(0)
    names = convergence.contestants()
    table = {name: rng.integers(10, 9000, 8).astype(float) for name in names}
    table["TNC"][:] = [math.inf] * 4 + [math.nan] * 4

    class Counts:
        def of(self, name, groups, half="all"):
            return table[name]

    convergence.draw(Counts())
    (figure,) = figures
    for axes in figure.axes:
        assert {line.get_label() for line in axes.get_lines()} == set(names)
    data = {line.get_label(): line.get_ydata()[-1] for line in figure.axes[1].get_lines()}
    assert data == {name: float(name != "TNC") for name in names}
    assert len(figure.legends[0].get_texts()) == len(names)
