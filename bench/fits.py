"""Curve fits: correct digits, evaluations, bounds, outliers, errors and time.

The data are NIST's 27 sets for nonlinear regression (bench/_nist.py). The number of evaluations is
r + n J: a residual evaluation counts 1 and a Jacobian n; with finite differences, each evaluation
counts 1. A run is cut off after 3,000 (n + 1). A task is solved at the first evaluated point whose
cost is at most 1.0001 times the least cost. Evaluations are counted up to that point, except "to
the end", which counts whole runs with the defaults. Ratios are medians (with quartiles), geometric
means, or ratios of totals, over the tasks that both solve.

NIST's 54: each set from both starts, with the Jacobian and with finite differences. "tight":
tolerances of 1e-15, and 6 certified digits must be correct in all parameters and in the sum of
squares. "defaults": the solver's own tolerances, and 4 digits. "claimed, not right": with J and the
defaults.

All groups below are tight, with the Jacobian. Fresh starts: eight for each set, the certified
parameters times exp(N(0, 1/4)). In a box, NIST's starts are moved inside. Either every other
parameter has bounds on both sides of the solution, or every third has bounds that exclude the
solution. Losses: a tenth of the observations is shifted by 10 to 30 times f_scale. The least cost
is the certified one; in a box or with a loss, it is the lowest that any solver has found. For
Lanczos1, whose residuals are 1e-13, it is the sum of squares at the certified parameters, as
rounded there; this set is left out of comparisons of deviations.

Deviations, as reported: correct digits of the certified deviations, which are the square roots of
the diagonal of s^2 inv(J'J), from the second starts. Deviations at a minimum: computed from values
of half the sum of squares over the certified variance, or from residuals. "Hessian" counts digits
of the exact deviations from all second derivatives, which HESSE and `uncertainty` of values aim at;
"NIST" counts digits of those from J'J. A call is a call of this function or of the residuals.
HESSE's calls are those after MIGRAD. BFGS runs from the second start. iminuit gets the certified
variance. Intervals: 1,000 simulated fits of b0 exp(-b1 x) + b2 to 20 points with normal noise of
unknown size (Student's quantiles), or to counts; the shares are over all parameters.

A million observations: three peaks and a constant, with 10 parameters, compiled by Numba for all
solvers; an iteration is a Jacobian. Time of a fit: NIST's sets, from the second start, with the
defaults, with functions in NumPy or compiled by Numba. Compilation is not included, and optimistix
uses JAX.

Other solvers have their best settings: x_scale="jac", and relative finite-difference steps for
tight runs. curve_fit uses lm, but trf with "3-point". lmfit uses lm, with transformed parameters in
boxes. iminuit uses MIGRAD with the Jacobian or with its own finite differences (in the 3-point
column). optimistix differentiates automatically.
"""

import functools
import zlib

import numpy as np

from bench import _fit_errors, _fit_times, _fitters, _nist
from bench._fitters import LOSSES, SOLVERS, Task, run
from bench._recorder import work
from bench._report import RESULTS, Table, show
from scipy_gd.plot import performance_profile

LEVEL = 1 + 1e-4  # times the least cost
OURS = "levenberg_marquardt"
MINE = (*_fitters.OURS, "uncertainty")


# --- the tasks


def starts():
    """All of NIST's."""
    return [(fit, start) for fit in _nist.fits().values() for start in fit.starts]


def from_nist(jac, tight):
    return [Task(fit, start, jac, tight) for fit, start in starts()]


def fresh(number=8):
    """Starts at random: each parameter is the certified one times exp(N(0, 1/4))."""
    rng = np.random.default_rng(27)
    return [
        Task(fit, fit.certified * np.exp(0.5 * rng.standard_normal(fit.certified.size)))
        for fit in _nist.fits().values()
        for _ in range(number)
    ]


def boxed(active):
    """Boxes that reach from the solution twice as far as NIST's second start, to both sides.

    With the solution inside, every other parameter is bounded; else every third, and kept from
    reaching the solution by a fifth of the way to the start. Starts are put inside.
    """
    found = []
    for fit, start in starts():
        way = fit.starts[1] - fit.certified
        near, far = (0.2 if active else -2) * way, 2 * way
        bounded = np.arange(way.size) % (3 if active else 2) == 0
        ends = np.sort([fit.certified + near, fit.certified + far], axis=0)
        low, high = np.where(bounded, ends, [[-np.inf], [np.inf]])
        margin = np.where(bounded, 0.05 * (ends[1] - ends[0]), 0)
        start = np.clip(start, low + margin, high - margin)
        found.append(Task(fit, start, bounds=(low, high)))
    return found


def outliers(loss):
    """A tenth of the observations is moved by ten to thirty times the scale of the loss."""
    found = []
    for fit, start in starts():
        rng = np.random.default_rng(zlib.crc32(fit.name.encode()))
        scale = max(fit.deviation, 0.01 * fit.y.std())
        few = rng.choice(fit.y.size, -(-fit.y.size // 10), replace=False)
        y = fit.y.copy()
        y[few] += scale * rng.uniform(10, 30, few.size) * rng.choice([-1, 1], few.size)
        found.append(Task(fit._replace(y=y), start, loss=loss, scale=scale))
    return found


NIST = {
    f"{name}, {'tight' if tight else 'defaults'}": functools.partial(from_nist, jac, tight)
    for jac, name in (("given", "J"), ("3-point", "3-point"), ("2-point", "2-point"))
    for tight in (True, False)
}
OTHERS = {
    "fresh starts": fresh,
    "solution in the box": functools.partial(boxed, False),
    "bounds are active": functools.partial(boxed, True),
    **{loss: functools.partial(outliers, loss) for loss in LOSSES if loss != "linear"},
}
GROUPS = NIST | OTHERS


# --- runs


class Runs:
    """All rows, by group and solver: a list as long as the group's tasks."""

    def __init__(self, groups=tuple(GROUPS), solvers=tuple(SOLVERS)):
        self.names = [name for name in solvers if name in SOLVERS]
        self.tasks = {group: GROUPS[group]() for group in groups}
        cells = [
            (name, group, task)
            for group, tasks in self.tasks.items()
            for name in self.names
            for task in tasks
            if SOLVERS[name].suits(task)
        ]
        self.rows = {}
        for forks in (True, False):
            some = [cell for cell in cells if SOLVERS[cell[0]].forks == forks]
            rows = work(lambda cell: run(cell[0], cell[2]), some, 2 if forks else 1)
            for (name, group, _), row in zip(some, rows, strict=True):
                self.rows.setdefault((group, name), []).append(row)
        self.targets = {group: LEVEL * self.least(group) for group in groups}

    def solvers(self, group):
        return [name for g, name in self.rows if g == group]

    def least(self, group):
        """The certified cost; in a box or with a loss, the least that any has found.

        From any start, and from the certified parameters.
        """
        tasks = self.tasks[group]
        if not (tasks[0].bounded or tasks[0].loss != "linear"):
            return np.array([0.5 * task.fit.least for task in tasks])
        near = [t._replace(start=np.clip(t.fit.certified, *t.bounds)) for t in tasks]
        found = [[run("trf", task) for task in near]]
        found += [self.rows[group, name] for name in self.solvers(group)]
        least = {}
        for task, *rows in zip(tasks, *found, strict=True):
            floor = 0.5 * task.fit.least if task.loss == "linear" else 0
            best = max(floor, min(row.path[-1][1] for row in rows))
            least[task.fit.name] = min(best, least.get(task.fit.name, np.inf))
        return np.array([least[task.fit.name] for task in tasks])

    def evaluations(self, group, name):
        """Until a run has solved its task; inf where it has not."""
        pairs = zip(self.rows[group, name], self.targets[group], strict=True)
        return np.array([row.until(cost) for row, cost in pairs])

    def solved(self, group):
        return {
            name: int(np.isfinite(self.evaluations(group, name)).sum())
            for name in self.solvers(group)
        }

    def right(self, group):
        """How many end with so many digits of every parameter, and of the sum of squares."""
        tasks = self.tasks[group]
        return {
            name: sum(map(right, tasks, self.rows[group, name])) for name in self.solvers(group)
        }

    def missed(self, group, name):
        """What is not right, or not solved: sets, and the numbers of their starts."""
        tasks = self.tasks[group]
        if group in NIST:
            fine = list(map(right, tasks, self.rows[group, name]))
        else:
            fine = np.isfinite(self.evaluations(group, name))
        each = len(tasks) // len(_nist.fits())
        return [f"{tasks[k].fit.name} {1 + k % each}" for k in np.flatnonzero(np.invert(fine))]

    def pairs(self, group, reference):
        """Evaluations, and those of a reference, where both solve: arrays by solver."""
        theirs = self.evaluations(group, reference)
        found = {}
        for name in self.solvers(group):
            mine = self.evaluations(group, name)
            both = np.isfinite(mine + theirs)
            found[name] = mine[both], theirs[both]
        return found


def right(task, row):
    digits = 6 if task.tight else 4
    least = 0.5 * task.fit.least
    return (
        _nist.digits(row.x, task.fit.certified) >= digits
        and task.cost(row.x) <= (1 + 10.0**-digits) * least
    )


def measure():
    coverage, deviations = _fit_errors.coverage(), _fit_errors.deviations()
    runs = Runs()  # after which nothing is forked: JAX has threads
    draw(runs)
    many, times = _fit_times.of_many(), _fit_times.of_nist()
    return [
        in_short(runs, coverage, deviations, many, times),
        nist(runs),
        solved(runs),
        evaluations(runs),
        compared(runs),
        reported(runs),
        from_values(deviations),
        covered(coverage),
        per_iteration(many),
        per_fit(times),
    ]


def short(groups=tuple(GROUPS), solvers=(OURS, "accelerate", "lm", "trf")):
    """Print how some solvers do on some groups, with what is not right: in a minute or two."""
    runs = Runs(["J, defaults", *groups], solvers)
    for table in (nist(runs), solved(runs), evaluations(runs)):
        print(table, end="\n\n")
    for group, name in runs.rows:
        print(f"{group}, {name}: {', '.join(runs.missed(group, name))}")
    return runs


# --- tables


def nist(runs):
    groups = [group for group in NIST if group in runs.tasks]
    counts = [runs.right(group) for group in groups]
    rows = []
    for name in runs.names:
        ends, tasks = runs.rows["J, defaults", name], runs.tasks["J, defaults"]
        wrong = sum(r.claimed and not right(t, r) for t, r in zip(tasks, ends, strict=True))
        calls = float(np.median([row.count for row in ends]))
        rows.append([name, *(count.get(name, "") for count in counts), wrong, calls])
    columns = ["solver", *groups, "claimed, not right", "evaluations to the end"]
    return Table("NIST's 54: tight with 6 digits, defaults with 4", columns, rows)


def solved(runs):
    groups = [group for group in OTHERS if group in runs.tasks]
    counts = [runs.solved(group) for group in groups]
    rows = [[name, *(count.get(name, "") for count in counts)] for name in runs.names]
    columns = ["solver", *(f"{group} ({len(runs.tasks[group])})" for group in groups)]
    return Table("Solved", columns, rows)


def evaluations(runs):
    groups = [group for group in runs.tasks if not group.endswith("defaults")]
    pairs = [runs.pairs(group, "trf") for group in groups]
    rows = [
        [name, *(quartiles(np.divide(*pair[name])) if name in pair else "" for pair in pairs)]
        for name in runs.names
    ]
    return Table("Evaluations : trf", ["solver", *groups], rows)


STATISTICS = {
    "median": lambda mine, theirs: float(np.median(mine / theirs)),
    "mean": lambda mine, theirs: float(np.exp(np.mean(np.log(mine / theirs)))),
    "total": lambda mine, theirs: float(mine.sum() / theirs.sum()),
}


def compared(runs):
    """Three ways to see it: with J, most runs take as many steps with any solver."""
    rows = []
    for name in runs.names:
        row = [name]
        for group in ("J, tight", "fresh starts"):
            pair = runs.pairs(group, "trf")[name]
            row += [statistic(*pair) for statistic in STATISTICS.values()]
        rows.append(row)
    columns = [f"{group}: {name}" for group in ("NIST", "fresh starts") for name in STATISTICS]
    return Table("Evaluations : trf: median, geometric mean, total", ["solver", *columns], rows)


def quartiles(values):
    middle, low, high = np.quantile(values, (0.5, 0.25, 0.75)) if len(values) else [np.nan] * 3
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def digits_reported(runs):
    """Of the standard deviations, from the second starts: by solver, for each set but Lanczos1."""
    group = "J, tight"
    return {
        name: [
            0.0 if row.deviations is None else _nist.digits(row.deviations, task.fit.deviations)
            for row, task in list(zip(runs.rows[group, name], runs.tasks[group], strict=True))[1::2]
            if task.fit.name != "Lanczos1"
        ]
        for name in runs.solvers(group)
        if SOLVERS[name].deviations
    }


def reported(runs):
    rows = [
        [name, *(sum(d >= k for d in digits) for k in (3, 4, 6)), float(np.median(digits))]
        for name, digits in digits_reported(runs).items()
    ]
    columns = ["solver", "3 digits", "4 digits", "6 digits", "median digits"]
    return Table("NIST's deviations, as reported with J: of 26 sets", columns, rows)


def from_values(deviations):
    rows = []
    for name, found in deviations.items():
        exact, certified, calls = np.transpose(found)
        rows.append(
            [
                name,
                *(int((of >= 3).sum()) for of in (exact, certified)),
                *(float(np.median(of)) for of in (exact, certified, calls)),
            ]
        )
    columns = [
        "", "Hessian: 3 digits", "NIST: 3 digits", "Hessian: median digits", "NIST: median digits",
        "median calls",
    ]  # fmt: skip
    return Table("Deviations at a minimum: of 26 sets", columns, rows)


def covered(coverage):
    levels = [f"{level:.0%}" for level in _fit_errors.LEVELS]
    rows = [
        [kind, name, *(f"{100 * share:.1f} %" for share in shares)]
        for (kind, name), shares in coverage.items()
    ]
    return Table("Intervals with the truth inside", ["noise", "", *levels], rows)


def per_iteration(many):
    rows = [
        [name, 1e3 * seconds, iterations, seconds / many["lm"][0]]
        for name, (seconds, iterations) in many.items()
    ]
    columns = ["", "ms", "iterations", ": lm"]
    return Table("An iteration with m = 1,000,000, n = 10", columns, rows)


def per_fit(times):
    rows = [
        [
            name,
            1e3 * float(np.median([t[name] for t in times])),
            quartiles([t[name] / t["lm"] for t in times]),
        ]
        for name in times[0]
    ]
    return Table("A fit of NIST's: time", ["", "median ms", ": lm"], rows)


# --- the short table


def in_short(runs, coverage, deviations, many, times):
    lines = [*lines_of(runs), *lines_of_errors(coverage, deviations), *lines_of_times(many, times)]
    columns = ["", "wanted", "ours", "best of the others", "ratio", "holds"]
    return Table("In short", columns, lines)


def line(what, wanted, figures, holds, best=max, mine=OURS):
    """Ours and the best of the others; `holds(ours, others)` says whether it is enough."""
    others = {name: value for name, value in figures.items() if not name.startswith(MINE)}
    name = best(others, key=others.get)
    theirs = f"{show(others[name])} ({name})"
    if mine not in figures:
        return [what, wanted, "-", theirs, "-", "-"]
    own = figures[mine]
    ratio = own / others[name] if others[name] else "-"
    verdict = ("yes" if holds(own, others) else "no") if wanted else ""
    return [what, wanted, own, theirs, ratio, verdict]


def lines_of(runs):
    for group, digits, least in (
        ("J, tight", 6, 54), ("J, defaults", 4, 53), ("3-point, tight", 6, 54),
        ("2-point, tight", 6, 50),
    ):  # fmt: skip
        yield line(
            f"NIST, {group}: {digits} digits", f">= {least}", runs.right(group),
            lambda own, _, least=least: own >= least,
        )  # fmt: skip
    four = {name: sum(d >= 4 for d in found) for name, found in digits_reported(runs).items()}
    yield line("NIST: deviations with 4 digits", "26", four, lambda own, _: own == 26)
    for group in ("J, tight", "fresh starts"):
        yield from lines_of_evaluations(runs, group, "trf", 0.9)
    for group in OTHERS:
        yield line(
            f"{group}: solved of {len(runs.tasks[group])}", ">= trf, lm", runs.solved(group),
            lambda own, others: own >= max(others["trf"], others.get("lm", 0)),
        )  # fmt: skip
    if OURS in runs.names:
        yield from lines_of_evaluations(runs, "fresh starts", OURS, 0.65, "accelerate")


def lines_of_evaluations(runs, group, reference, most, mine=OURS):
    pairs = runs.pairs(group, reference)
    for name, statistic in STATISTICS.items():
        figures = {solver: statistic(*pair) for solver, pair in pairs.items()}
        what = f"{group}: evaluations of {mine} : {reference}, {name}"
        yield line(what, f"<= {most}", figures, lambda own, _: own <= most, min, mine)


def lines_of_errors(coverage, deviations):
    for kind, mine in (("Gaussian", OURS), ("Poisson", "uncertainty")):
        off = {
            name: 100 * float(abs(shares - _fit_errors.LEVELS).max())
            for (k, name), shares in coverage.items()
            if k == kind
        }
        what = f"{kind} noise: coverage off by percent"
        yield line(what, "<= 3", off, lambda own, _: own <= 3, min, mine)
    exact = {name: sum(e >= 3 for e, *_ in found) for name, found in deviations.items()}
    what = "deviations from values: 3 digits"
    yield line(what, "26", exact, lambda own, _: own == 26, max, "uncertainty")
    calls = {name: float(np.median(found, axis=0)[2]) for name, found in deviations.items()}
    calls = {name: calls[name] for name in ("uncertainty", "iminuit HESSE") if name in calls}
    if calls.keys() - {"uncertainty"}:
        yield line("deviations from values: calls", "", calls, lambda *_: True, min, "uncertainty")


def lines_of_times(many, times):
    iteration = {name: 1e3 * many[name][0] for name in many if name in SOLVERS}
    yield line(
        "m = 1,000,000: ms an iteration", "<= 0.4 x lm", iteration,
        lambda own, others: own <= 0.4 * others["lm"], min,
    )  # fmt: skip
    medians = {name: 1e3 * float(np.median([t[name] for t in times])) for name in times[0]}
    python = {name: ms for name, ms in medians.items() if name in SOLVERS}
    yield line("NIST: ms a fit", "", python, lambda *_: True, min)
    compiled = {name: ms for name, ms in medians.items() if name not in SOLVERS}
    yield line("NIST: ms a fit, compiled", "", compiled, lambda *_: True, min, f"{OURS}, Numba")


# --- picture


def draw(runs):
    from matplotlib.figure import Figure

    panels = {
        "NIST's starts": ["J, tight"],
        "Fresh starts": ["fresh starts"],
        "In boxes": ["solution in the box", "bounds are active"],
        "Outliers": [loss for loss in LOSSES if loss != "linear"],
    }
    figure = Figure(figsize=(12, 8.4), layout="constrained", dpi=130)
    axes = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for ax, (title, groups) in zip(axes, panels.items(), strict=True):
        shown = runs.solvers(groups[0])
        never = np.full(sum(len(runs.tasks[group]) for group in groups), np.inf)
        costs = {  # a place for each, so that all have the same colours everywhere
            name: np.concatenate([runs.evaluations(group, name) for group in groups])
            if name in shown
            else never
            for name in runs.names
        }
        performance_profile(costs, limit=20, ax=ax)
        for curve in ax.get_lines():
            curve.set_visible(curve.get_label() in shown)
        ax.get_legend().remove()
        ax.set(title=title, xlim=(1, 20), xlabel="", ylabel="")
        ax.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        ax.minorticks_off()
    figure.supxlabel("within this multiple of the fewest evaluations")
    figure.supylabel("share of runs that are solved")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "fits.png")
