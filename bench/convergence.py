"""Evaluations until convergence: every method, and SciPy's solvers.

Each evaluation of f or of g counts 1, wherever it is made. A problem is solved at the first
evaluated point where no component of the (projected) gradient is above 1e-5. The budget is 10,000
evaluations, or 100,000 for n >= 1000 variables. Only the gradient ends a run: SciPy's other
criteria are switched off (`OFF` in bench/_recorder.py). Nelder-Mead, random_search and spsa use no
gradients; at their points, the gradient is evaluated for the test without counting. "adam, 0.001"
is adam with that learning rate, the published constant. All other options are at their defaults.

Each set is split into problems with even and odd index, so tuning on the first half can be checked
on the second. "-" means not solved. An empty cell means not run: dense matrices for n > 1000;
Nelder-Mead, random_search and the textbook methods for n >= 1000; bounds that the solver does not
support.
"""

import math
from functools import cached_property

import numpy as np

from bench import _problems as problems
from bench._recorder import (
    TEXTBOOK,
    budget,
    endless,
    evaluations,
    ours,
    published,
    scipys,
    suits,
    work,
)
from bench._report import RESULTS, Table
from scipy_gd import METHODS
from scipy_gd.plot import data_profile, performance_profile

SETS = {
    "Moré-Wild": problems.more_wild,
    "Rosenbrock": problems.rosenbrocks,
    "quadratic": problems.quadratics,
    "fit": problems.fits,
    "logistic": problems.logistics,
    "boxed": problems.boxed,
}
HALVES = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
RECOMMENDED = [name for name in ("lbfgs", "cg_descent", "spg") if name in METHODS]


class Counts:
    """Evaluations by solver and problem: inf if not solved, nan if not run."""

    def __init__(self, solvers, sets):
        self.solvers = {solver.name: endless(solver) for solver in solvers}
        self.problems = [p for problems in sets.values() for p in problems]
        self.rows = {name: k for k, name in enumerate(self.solvers)}
        self.index = {}
        for group, members in sets.items():
            first = sum(map(len, self.index.values()))
            self.index[group] = list(range(first, first + len(members)))

    @cached_property
    def table(self):
        cells = [
            (i, j)
            for j, problem in enumerate(self.problems)
            for i, solver in enumerate(self.solvers.values())
            if suits(solver, problem)
        ]
        cells.sort(key=lambda cell: -self.problems[cell[1]].x0.size)  # the longest first
        solvers = list(self.solvers.values())

        def run(cell):
            solver, problem = solvers[cell[0]], self.problems[cell[1]]
            return evaluations(solver, problem, budget(problem))

        table = np.full((len(solvers), len(self.problems)), np.nan)
        for cell, count in zip(cells, work(run, cells), strict=True):
            table[cell] = count
        return table

    def of(self, solver, groups, half="all", choose=lambda problem: True):
        """The counts of one solver on the chosen problems of some sets, or of half of each."""
        chosen = [
            j
            for group in groups
            for j in self.index[group][HALVES[half]]
            if choose(self.problems[j])
        ]
        return self.table[self.rows[solver], chosen]


def measure():
    solvers = [*ours(), *published(), *scipys()]
    counts = Counts(solvers, {name: make() for name, make in SETS.items()})
    draw(counts)
    return [
        *(solved(counts, half) for half in HALVES),
        against(counts),
        profile_at_two(counts),
        rosenbrock(counts),
        textbook(counts),
    ]


SMOOTH = ("Moré-Wild", "Rosenbrock")


def solved(counts, half):
    title = {"all": "Solved", "even": "Solved, even half", "odd": "Solved, odd half"}[half]
    sizes = {group: len(index[HALVES[half]]) for group, index in counts.index.items()}
    rows = []
    for name in counts.solvers:
        found = [counts.of(name, [group], half) for group in sizes]
        rows.append([name, *("" if np.isnan(c).all() else solutions(c) for c in found)])
    return Table(title, ["solver", *(f"{group} ({n})" for group, n in sizes.items())], rows)


def solutions(counts):
    return int(np.isfinite(counts).sum())


def against(counts):
    """Ours against SciPy's, problem by problem."""
    pairs = [("lbfgs", name) for name in ("L-BFGS-B", "BFGS", "CG", "Newton-CG", "TNC")]
    pairs += [("lbfgs", "Nelder-Mead"), ("cg_descent", "CG")]
    rows = []
    for mine, theirs in pairs:
        if mine not in METHODS:
            continue
        row = [f"{mine} : {theirs}"]
        for half in HALVES:
            a, b = (counts.of(name, SMOOTH, half) for name in (mine, theirs))
            both = np.isfinite(a + b)
            if half == "all":
                row += [solutions(c) for c in (a[both], a[~both], b[~both])]
            row.append(float(np.median(a[both] / b[both])))
        rows.append(row)
    columns = ["pair", "both solve", "only ours", "only theirs", "median ratio", "even", "odd"]
    return Table("Evaluations, ours : SciPy's, Moré-Wild and Rosenbrock", columns, rows)


def contestants():
    return [*RECOMMENDED, *(solver.name for solver in scipys())]


def profile_at_two(counts):
    """The share of problems that a solver solves within a multiple of the best one's count.

    The best of lbfgs and SciPy's solvers; problems that none of them solves are left out.
    """
    rows = []
    for name in contestants():
        row = [name]
        for half, factors in {"all": (1, 2, 5, math.inf), "even": (2,), "odd": (2,)}.items():
            ratios = to_the_best(counts, half)[name]
            row += [percent(within(ratios, factor)) for factor in factors]
        rows.append(row)
    columns = ["solver", "best", "within 2 x", "within 5 x", "solved", "2 x, even", "2 x, odd"]
    return Table(
        "Within a multiple of the best of lbfgs and SciPy's, Moré-Wild and Rosenbrock, where one "
        "of these succeeds",
        columns,
        rows,
    )


def to_the_best(counts, half="all"):
    """Each count over the best one of lbfgs and SciPy's solvers, where any of these has one."""
    found = {name: counts.of(name, SMOOTH, half) for name in contestants()}
    best = np.fmin.reduce([found["lbfgs"], *(found[solver.name] for solver in scipys())])
    some = np.isfinite(best)
    return {
        name: np.where(np.isfinite(c), c, np.nan)[some] / best[some] for name, c in found.items()
    }


def within(values, limit):
    return np.mean(values <= limit) if limit < math.inf else np.mean(np.isfinite(values))


def percent(share):
    return f"{100 * share:.0f} %"


def rosenbrock(counts):
    members = [counts.problems[j] for j in counts.index["Rosenbrock"]]
    constants = {solver.name for solver in published()}
    rows = [
        [name, *("" if np.isnan(c) else "-" if np.isinf(c) else int(c) for c in row)]
        for name in counts.solvers
        if name not in constants
        for row in [counts.of(name, ["Rosenbrock"])]
    ]
    columns = ["solver", *(p.name.replace("rosenbrock", "n =") for p in members)]
    return Table("Rosenbrock: evaluations", columns, rows)


def textbook(counts):
    """The old methods at their defaults, and with the published constants."""
    groups = ("Moré-Wild", "Rosenbrock", "quadratic")

    def choose(problem):
        return problem.x0.size <= 100 and not problem.name.endswith("1e+08")

    constants = {solver.name.split(",")[0]: solver.name for solver in published()}
    rows = []
    for name in filter(METHODS.__contains__, TEXTBOOK):
        row = [name]
        for solver in (name, constants.get(name)):
            for half in HALVES:
                share = solver and within(counts.of(solver, groups, half, choose), math.inf)
                row.append(percent(share) if solver else "")
        rows.append(row)
    size = counts.of("L-BFGS-B", groups, choose=choose).size
    columns = ["method", "default", "even", "odd", "constant", "even", "odd"]
    return Table(f"The textbook's methods: solved of {size}", columns, rows)


def draw(counts):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), layout="constrained", dpi=150)
    figure.get_layout_engine().set(wspace=0.04)
    left, right = figure.subplots(1, 2, sharey=True)
    ratios = to_the_best(counts)
    names = sorted(ratios, key=lambda name: -within(ratios[name], 2))
    reference = ["lbfgs", *(solver.name for solver in scipys())]
    ratios = {name: ratios[name] for name in names}
    performance_profile(ratios, reference=reference, limit=100, ax=left)
    left.set(xlim=(1, 100), title="Performance profile")
    left.set_xlabel("within this multiple of the best solver's evaluations")
    data_profile({name: counts.of(name, SMOOTH) for name in names}, limit=10_000, ax=right)
    right.set(xlim=(10, 10_000), title="Data profile", xlabel="within this many evaluations")
    right.set_ylabel("")
    for axes in (left, right):
        axes.get_legend().remove()
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    left.set_xticks([1, 2, 5, 10, 20, 50, 100])
    left.minorticks_off()
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", frameon=False)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "convergence.png")
