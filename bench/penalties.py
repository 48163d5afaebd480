"""Penalties and sets: lasso, sparse logistic, groups, non-negative, simplex, total variation.

Which solvers find the minimum of a smooth function plus a penalty, or on a set, and how long do
they take? The residual is max |x - prox(x - g)| with the gradient g, relative to its value at the
start. It is 0 only at a minimum. It is measured in the same way for all, outside the timing, by
code that is independent of the solvers (bench/_penalty_problems.py). Each solver runs with a ladder
of its own tolerances, in half decades (decades for scikit-learn). Its time to a residual is that of
the fastest run that ends there. Times are the minimum of several runs, made in turn after a first
run that compiles, all in a process with one core. "-" means that no run reaches the residual. Once
a run has taken a second, no tighter tolerance is tried.

Ours only get the options `penalty`, `gtol`, `maxiter` and `compiled`. They know nothing of the
curvature, and get value and gradient in one Numba function. jaxopt's ProximalGradient is
accelerated, compiled as a whole, and uses its line search or steps of 1 / L. PyProximal's solvers
call the same Numba function and use steps of 1 / L. They are told how many iterations they need (to
15 percent), because their own test costs values. L is computed outside the timing. Like ours, these
two accept any function and any prox; scikit-learn, skglm and SciPy's nnls are each made for one
kind of problem.

"above the least" is the lowest value of the solver's runs, divided by the lowest that any solver
has found, minus one. "successes" are runs that claim convergence. "false" are those whose residual
is more than ten times the tolerance, for solvers with a gradient tolerance. The optima compare the
best of our three methods with scikit-learn, skglm and SciPy at their tightest tolerances. The gap
is a duality bound on how much lower than ours a value can be.

Lasso: diabetes, with its ten columns or with all products of two; and 2000 x 1000 with 50 nonzeros
among correlated columns. Sparse logistic regression: breast cancer, and even or odd digits. Groups:
splines of diabetes. Weights are 1 % of the smallest weight that puts the minimum at zero, and 5 %
for the large lasso and the groups. Non-negative least squares: a random problem, and a sum of
decays with a condition number of 1e16. Simplex: a handwritten digit as a mean of others. Total
variation: 10,000 piecewise constant values, with noise, or blurred and with noise. jaxopt has no
prox for it. PyProximal's is iterative (100 steps here). It also runs with an exact one, Condat's
algorithm, which counts as a separate solver.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench import _penalty_problems as problems
from bench._alone import alone
from bench._penalty_solvers import LENT, OURS, RIVALS, contestants
from bench._report import RESULTS, Table, show

TARGETS = (1e-4, 1e-6, 1e-8)
LONGEST = 1.0  # seconds
RATIO = 0.5
SAME = 1e-8
MAKE = {
    "lasso": problems.lassos,
    "logistic": problems.logistics,
    "groups": problems.group_lassos,
    "nnls": problems.nonnegatives,
    "simplex": problems.mixtures,
    "tv": problems.signals,
}


class Part(NamedTuple):
    measure: Callable[[], Any]
    tables: Callable[[Any], list[Table]]


class Run(NamedTuple):
    setting: Any
    seconds: float
    residual: float  # relative to that at the start
    value: float
    success: bool | None  # None: nothing is said
    false: bool | None  # None: nothing is promised of gradients


class Found(NamedTuple):
    """All runs on a problem, by solver."""

    problem: str
    m: int
    n: int
    runs: dict[str, list[Run]]
    point: np.ndarray  # the best of ours
    gap: float  # there

    @property
    def least(self):
        return min(run.value for runs in self.runs.values() for run in runs)

    def value(self, name):
        return min(run.value for run in self.runs[name])

    def above(self, name):
        return self.value(name) / self.least - 1

    def seconds(self, name, target):
        """Until a residual; NaN if it is not reached."""
        return min((r.seconds for r in self.runs[name] if r.residual <= target), default=np.nan)

    def quickest(self, names, target):
        """Seconds, and the name of who takes them; NaN if none of these gets there."""
        times = [(self.seconds(name, target), name) for name in names]
        return min((pair for pair in times if pair[0] == pair[0]), default=(np.nan, ""))

    @property
    def ours(self):
        return [name for name in self.runs if name in OURS]

    @property
    def rivals(self):
        return [name for name in self.runs if name.startswith(RIVALS) and LENT not in name]

    @property
    def others(self):
        return [name for name in self.runs if name not in (*self.ours, *self.rivals)]


# --- runs


def of_part(part, seconds=10.0):
    """All problems of a part. To be called in a process with one core."""
    return [of_problem(f"{part}, {p.name}", p, seconds) for p in MAKE[part]()]


def of_problem(name, problem, seconds):
    everyone = contestants(problem)
    climbs = {solver: climb(problem, contestant) for solver, contestant in everyone.items()}
    runs = {solver: those for solver, (those, _) in climbs.items()}
    cells = {(solver, k) for solver, those in runs.items() for k in needed(those)}
    for solver, k, spent in in_turn(everyone, sorted(cells), seconds):
        run = runs[solver][k]
        runs[solver][k] = run._replace(seconds=min(run.seconds, spent))
    best = min((climbs[solver][1] for solver in OURS), key=problem.value)
    return Found(name, problem.b.size, problem.x0.size, runs, best, problem.gap(best))


def climb(problem, contestant):
    """The runs of the ladder, as far as it goes, and the point with the least value."""
    runs, points, start = [], [], problem.residual(problem.x0)
    contestant.run(contestant.ladder[0])  # compiles
    for setting in contestant.ladder:
        begun = time.perf_counter()
        x, success = contestant.run(setting)
        spent, residual = time.perf_counter() - begun, problem.residual(x)
        false = bool(success and residual > 10 * setting) if contestant.of_gradients else None
        runs.append(Run(setting, spent, residual / start, problem.value(x), success, false))
        points.append(x)
        if residual <= 0.01 * TARGETS[-1] * start or spent > LONGEST:
            break
    return runs, min(points, key=problem.value)


def needed(runs):
    """The loosest settings that suffice for the targets, and the quickest ones."""
    for target in TARGETS:
        reached = [k for k, r in enumerate(runs) if r.residual <= target]
        if reached:
            yield reached[0]
            yield min(reached, key=lambda k: runs[k].seconds)


def in_turn(everyone, cells, seconds):
    """More times of these runs, in as many rounds as there is time for."""
    begun, rounds = time.perf_counter(), 0
    while rounds < 1 or (rounds < 9 and time.perf_counter() - begun < seconds):
        for solver, k in cells:
            contestant = everyone[solver]
            started = time.perf_counter()
            contestant.run(contestant.ladder[k])
            yield solver, k, time.perf_counter() - started
        rounds += 1


def measured(part):
    return Part(lambda: alone(of_part, part), lambda found: [optima(found), *map(solvers, found)])


PARTS = {part: measured(part) for part in MAKE}


def measure():
    found = [one for part in PARTS.values() for one in part.measure()]
    draw({one.problem: one for one in found})
    return [in_short(found), methods(found), optima(found), *map(solvers, found)]


# --- tables


def in_short(found):
    rows = []
    for one in found:
        for target in TARGETS:
            ours, rival, other = (
                one.quickest(names, target) for names in (one.ours, one.rivals, one.others)
            )
            ratios = ours[0] / rival[0], ours[0] / other[0]
            enough = "yes" if ours[1] and not ratios[0] > RATIO else "no" if rival[1] else "-"
            row = one.problem, f"{target:.0e}", by(ours), by(rival), ratios[0], enough
            rows.append([*row, by(other), ratios[1]])
    columns = [
        "", "residual", "ours, ms", "jaxopt or PyProximal", "ratio", f"<= {RATIO}", "another",
        "ratio",
    ]  # fmt: skip
    return Table("In short", columns, rows)


def by(pair):
    seconds, name = pair
    return f"{show(1e3 * seconds)} ({name})" if name else "-"


def methods(found):
    """Each of ours on all problems."""
    rows = []
    for name in OURS:
        row = [name]
        for target in TARGETS:
            times = np.array([one.seconds(name, target) for one in found])
            best = np.array([one.quickest(one.rivals, target)[0] for one in found])
            ratios = (times / best)[np.isfinite(times / best)]
            mean = float(np.exp(np.mean(np.log(ratios)))) if ratios.size else np.nan
            row += [int(np.isfinite(times).sum()), mean]
        runs = [run for one in found for run in one.runs[name]]
        rows.append([*row, len(runs), *(sum(getattr(r, k) for r in runs) for k in CLAIMS)])
    columns = ["", *(c for t in TARGETS for c in (f"reach {t:.0e}", ": best of the two"))]
    title = f"Ours on {len(found)} problems: geometric means where both get there"
    return Table(title, [*columns, "runs", "successes", "false"], rows)


CLAIMS = ("success", "false")


def optima(found):
    """Values at the tightest tolerances: ours, and how much others are above or below."""
    rows = []
    for one in found:
        ours = min(map(one.value, one.ours))
        others = {name: one.value(name) / ours - 1 for name in one.others}
        lowest = min(others, key=others.get, default="")
        holds = ("yes" if others[lowest] >= -SAME else "no") if lowest else "-"
        difference = f"{others[lowest]:.0e} ({lowest})" if lowest else "-"
        gap = f"{one.gap / ours:.0e}" if one.gap == one.gap else "-"
        rows.append([one.problem, f"{ours:.12g}", gap, difference, holds])
    columns = ["", "ours", "gap : value", "lowest of the others, relative", f">= -{SAME:.0e}"]
    return Table("Optima", columns, rows)


def solvers(one):
    rows = []
    for name, runs in one.runs.items():
        claims = [
            sum(getattr(r, claim) for r in runs) if getattr(runs[0], claim) is not None else "-"
            for claim in CLAIMS
        ]
        times = [1e3 * one.seconds(name, target) for target in TARGETS]
        least = f"{min(r.residual for r in runs):.0e}"
        rows.append([name, *times, least, f"{one.above(name):.0e}", len(runs), *claims])
    columns = [
        "", *(f"ms to {target:.0e}" for target in TARGETS), "least residual", "above the least",
        "runs", "successes", "false",
    ]  # fmt: skip
    return Table(f"{one.problem}: {one.m:,} x {one.n:,}", columns, rows)


# --- picture


CURVES = ("lasso, 2000 x 1000", "logistic, breast cancer", "simplex, of 300 digits",
          "tv, deconvolution")  # fmt: skip
KINDS = ("scikit-learn", "skglm", "SciPy")
COLOURS = {kind: f"C{k}" for k, kind in enumerate((*OURS, *RIVALS, *KINDS))}


def draw(found):
    """How the value falls, on top; below, the coefficients and the signals that were found."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 7.5), layout="constrained", dpi=110)
    curves, below = figure.subfigures(2, 1)
    for ax, name in zip(curves.subplots(1, len(CURVES)), CURVES, strict=True):
        fall(ax, found[name])
    handles = {line.get_label(): line for ax in curves.axes for line in ax.get_lines()}
    curves.legend(handles.values(), handles, loc="outside right center", frameon=False)
    curves.axes[0].set_ylabel("value above the least, relative")
    coefficients(below.add_subplot(1, 3, 1), found["lasso, 2000 x 1000"].point)
    for k, problem in enumerate(problems.signals()):
        signal(below.add_subplot(1, 3, 2 + k), problem, found[f"tv, {problem.name}"].point)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "penalties.png")


def fall(ax, one):
    """The least value that a run of a kind of solver has reached, within so many ms."""
    kinds = {}
    for name, runs in one.runs.items():
        kind = next((k for k in COLOURS if name.startswith(k) and LENT not in name), "")
        kinds.setdefault(kind or name.split(",")[1].strip(), []).extend(runs)
    for kind, runs in kinds.items():
        runs.sort(key=lambda r: r.seconds)
        least = np.minimum.accumulate([r.value for r in runs]) / one.least - 1
        ax.plot(
            [1e3 * r.seconds for r in runs], np.maximum(least, 1e-14),
            "-" if kind in OURS else "--" if kind in RIVALS else ":",
            color=COLOURS.get(kind, "0.5"), label=kind, drawstyle="steps-post",
        )  # fmt: skip
    ax.set(title=one.problem, xscale="log", yscale="log", xlabel="ms", ylim=(1e-14, 10))
    clean(ax)


def coefficients(ax, x):
    *_, truth = problems.correlated()
    (where,), (true,) = np.nonzero(x), np.nonzero(truth)
    ax.vlines(where, 0, x[where], color="C0", linewidth=1)
    ax.plot(where, x[where], ".", color="C0", label=f"lasso: {where.size} of {x.size:,}")
    ax.plot(true, truth[true], "o", mfc="none", color="0.4", label=f"the truth: {true.size}")
    ax.set(title="lasso, 2000 x 1000: coefficients", ylim=(-1.5, 1.9))
    ax.legend(frameon=False, ncols=2, loc="upper center")
    clean(ax)


def signal(ax, problem, x):
    ax.plot(problem.b, color="0.8", linewidth=0.5, label="data")
    ax.plot(problems.steps(), color="black", linewidth=0.8, label="the truth")
    ax.plot(x, color="C0", linewidth=1.2, label="total variation")
    ax.set(title=f"tv, {problem.name}", xlim=(0, x.size // 2), ylim=(-2, 2.6))
    ax.legend(frameon=False, ncols=3, loc="upper center")
    clean(ax)


def clean(ax):
    ax.grid(True, color="0.92")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
