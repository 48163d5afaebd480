"""Calls of f if only values are known: exact, rounded, noisy, undefined, scaled, or with kinks.

The problems are the 54 of Moré and Wild and twelve fits of NIST's (bench/_values.py), eight fits of
simulations (bench/_simulations.py), and 29 functions with kinks (bench/_kinks.py). No solver gets a
gradient, except under "with jac". Finite differences count as calls of f. The budget is 1000 (n +
1) calls, at most 5,000. The kinds of values are:

exact: f. float32: f in float32, with data, parameters and all arithmetic. six digits: f rounded to
six significant digits. noise: Gaussian, with a standard deviation of 1e-6 or 1e-3 times |f|, or
("absolute") times the possible decrease f(x0) - f*; the same numbers for all solvers. holes: NaN at
every tenth point, by a hash of x. slabs: NaN in parallel slabs whose thickness is a tenth of their
spacing, three of them on the way to the solution. simulation: differential equations integrated
with a loose tolerance, and counts among draws with the same random numbers. f x, x x: exact, with f
or x in other units ("mixed": a different unit for each parameter, 1e-9 to 1e9); our methods use
`x_scale="auto"`. float32 with jac: value and gradient in float32. kinks: exact.

A problem is solved at tau at the first evaluated point where the exact f(x) <= f* + tau (f(x0) -
f*), with f* the best known value; with kinks, f* + tau max(1, |f*|). "calls" counts the calls to
the end of the run: the median over the problems solved at the level of the kind (1e-6 if f is
exact, 1e-3 otherwise; 1e-5 for kinks with jac). Ratios of calls in the short table are medians
(with quartiles) over the problems that both solve. "after" is the median of the calls made after
this level was first reached, divided by those made before. "not claimed" counts problems solved at
this level by a run that ended without success.

A claim (`success=True`) is false if two things hold. First, more of the possible decrease remains
at the returned point than a tolerance (1e-6 if f is exact, 1e-3 otherwise, 1e-2 for absolute noise
of 1e-3, 1e-4 for kinks with jac). Second, the point is not a stationary point below x0 either: the
exact gradient has a component above 1e-5, and a Newton step with the exact derivatives promises a
decrease of more than ten times the error of nearby values (1e-12 |f| if they are exact). So local
minima count as correct, and so does a point where noise hides everything that remains. With kinks,
a point is stationary if a convex combination of subgradients within 1e-4 of it has at most a
thousandth of their size. Everything is judged in the units of the original problem. "at x0" counts
false claims without a step.

SciPy's solvers use their own tolerances, without iteration limits (Nelder-Mead with its adaptive
parameters). Py-BOBYQA, NOMAD and noisyopt are told if there is noise. Solvers that take
milliseconds per call run on fewer kinds, and COBYQA does not run for n > 8, COBYLA and Py-BOBYQA
not for n > 3, NOMAD not for n > 2. lbfgs is compared with each solver on the problems that both
run. Problems with an even index are for tuning, those with an odd index for judging.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import rosen, rosen_der

from bench import _peers
from bench._judge import TAUS, judged
from bench._recorder import ENDLESS, Solver, work
from bench._report import RESULTS, Table
from bench._values import KINDS, SCALED, Case
from scipy_gd import METHODS

HALVES = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
LIFTED = {
    "BFGS": {"maxiter": ENDLESS},
    "L-BFGS-B": {"maxiter": ENDLESS, "maxfun": ENDLESS},
    "CG": {"maxiter": ENDLESS},
    "TNC": {"maxfun": ENDLESS},
    "Nelder-Mead": {"maxiter": ENDLESS, "maxfev": ENDLESS, "adaptive": True},
    "Powell": {"maxiter": ENDLESS, "maxfev": ENDLESS},
    "COBYQA": {"maxiter": 10**6, "maxfev": 10**6},
    "COBYLA": {"maxiter": 10**6},
}
GRADIENT = ("BFGS", "L-BFGS-B", "CG", "TNC")
SLOW = ("NOMAD", "COBYQA", "COBYLA", "Py-BOBYQA")  # milliseconds a call
LARGEST = {"NOMAD": 2, "COBYLA": 3, "Py-BOBYQA": 3, "COBYQA": 8, "newton": 20}
QUICK = tuple(name for name in LIFTED if name not in SLOW)
MAIN = ("lbfgs", "cg_descent", "spg")
OTHERS = ("newton", "gd", "adam", "nesterov_restart", "spsa", "random_search")


def contestants(kind):
    """The names of the solvers that are run on a kind."""
    if kind in SCALED:
        return "lbfgs", "cg_descent", "BFGS", "L-BFGS-B", "Powell"
    if kind.endswith("with jac"):
        return *MAIN, "gd", "adam", "nesterov_restart", *GRADIENT
    if kind in ("exact", "noise 1e-3"):
        return *MAIN, *OTHERS, *LIFTED, *_peers.PEERS
    if kind in ("float32", "six digits", "noise 1e-6", "holes", "simulation"):
        return *MAIN, *QUICK, "COBYQA"
    return *MAIN, *QUICK


def suits(name, n):
    return n <= LARGEST.get(name, math.inf)


# --- runs


def run(kind, solver, seed=0, half="all", workers=2):
    """One solver on one kind: a `Row` for each problem (see bench/_judge.py).

    `half="even"` are the problems to tune on. Printed, a row shows the calls until each share of
    the possible decrease was left.
    """
    cases = [c for c in KINDS[kind].cases()[HALVES[half]] if suits(solver, c.x0.size)]
    return run_all([Cell(kind, solver, case, seed) for case in cases], workers)


class Cell(NamedTuple):
    kind: str
    solver: str
    case: Case
    seed: int = 0


def run_all(cells, workers=2):
    for kind, solver in {(cell.kind, cell.solver): None for cell in cells}:
        if solver in METHODS:
            compiled(solver, KINDS[kind].make is KINDS["exact"].make)
    return work(run_one, cells, workers)


def run_one(cell):
    budget = min(1000 * (cell.case.x0.size + 1), 5000)
    solver = solver_of(cell.solver, cell.kind)
    return judged(solver, KINDS[cell.kind], cell.case, cell.seed, budget)


@functools.cache
def compiled(solver, _):
    """Before the workers are forked, so that they need not."""
    for kind in ("exact", "kinks with jac"):
        judged(solver_of(solver, kind), KINDS[kind], KINDS[kind].cases()[0], 0, 100)


def solver_of(name, kind):
    """A solver by its name, with the options that suit the kind."""
    if name in LIFTED:
        return Solver(name, name, LIFTED[name])
    if name not in METHODS:
        return Solver(name, _peers.PEERS[name], {"noise": KINDS[kind].noise})
    method = METHODS[name]
    options = {"maxiter": math.inf}
    if "z" in method.supplied or method.probes:
        options["rng"] = 0
    if kind in SCALED and "x_scale" in method.options:
        options["x_scale"] = "auto"
    return Solver(name, method, options)


class Runs:
    """All rows, by kind and solver; None where a solver is not run on a problem."""

    def __init__(self, kinds=KINDS, choose=contestants, half="all"):
        cells = [
            Cell(kind, solver, case)
            for kind in kinds
            for solver in choose(kind)
            for case in KINDS[kind].cases()[HALVES[half]]
            if suits(solver, case.x0.size)
        ]
        cells.sort(key=lambda cell: cell.solver not in SLOW)  # the longest first
        self.rows = {
            (kind, solver): dict.fromkeys(case.name for case in KINDS[kind].cases())
            for kind in kinds
            for solver in choose(kind)
        }
        for cell, row in zip(cells, run_all(cells), strict=True):
            self.rows[cell.kind, cell.solver][cell.case.name] = row

    def solvers(self, kind, among=None):
        ran = [solver for k, solver in self.rows if k == kind]
        return ran if among is None else [solver for solver in among if solver in ran]

    def of(self, kind, *solvers, half="all"):
        """The rows of some solvers, side by side, for the problems that all of them are run on."""
        columns = [list(self.rows[kind, solver].values())[HALVES[half]] for solver in solvers]
        return [rows for rows in zip(*columns, strict=True) if None not in rows]


def measure():
    runs, valleys = Runs(), Valleys()
    draw(runs)
    lines = [*lines_of(runs), *lines_of_valleys(valleys)]
    of_kinds = [by_solver(runs, kind) for kind in KINDS]
    return [at_a_glance(of_kinds), in_short(lines), valleys.table(), *of_kinds]


def short(kinds=KINDS, solvers=("lbfgs", *GRADIENT, "Powell")):
    """Print the short table and those of some kinds, with some of the solvers: in a minute or so.

    Lines that compare with solvers that are left out are left out too.
    """
    runs = Runs(kinds, lambda kind: [s for s in contestants(kind) if s in solvers])
    for table in (in_short(lines_of(runs)), *(by_solver(runs, kind) for kind in kinds)):
        print(table, end="\n\n", flush=True)
    return runs


# --- Rosenbrock's valley


class Valleys:
    """Rosenbrock's function from three starts, and from sixty at random."""

    starts = ([-1.2, 1], [1.5, 8], [1.3, 0.7, 0.8, 1.9, 1.2])
    solvers = (*MAIN, *QUICK)

    def __init__(self):
        points = [*self.starts, *np.random.default_rng(5).uniform(-3, 3, (60, 5))]
        cases = [Case(f"rosenbrock {k}", rosen, rosen_der, np.array(x, float), 0.0)
                 for k, x in enumerate(points)]  # fmt: skip
        cells = [Cell("exact", solver, case) for solver in self.solvers for case in cases]
        rows = run_all(cells)
        size = len(cases)
        self.rows = {s: rows[k * size : k * size + size] for k, s in enumerate(self.solvers)}

    def calls(self, solver, k):
        row = self.rows[solver][k]
        return row.calls if row.claimed and not row.false else math.inf

    def random(self, solver):
        """How many end with success, and the calls of all sixty."""
        rows = self.rows[solver][len(self.starts) :]
        return sum(r.claimed and not r.false for r in rows), [r.calls for r in rows]

    def table(self):
        rows = []
        for solver in self.solvers:
            calls = [self.calls(solver, k) for k in range(len(self.starts))]
            success, many = self.random(solver)
            quantiles = [float(np.quantile(many, q)) for q in (0.5, 0.9)]
            rows.append([solver, *(c if c < math.inf else "-" for c in calls), success, *quantiles])
        names = [", ".join(f"{v:g}" for v in start) for start in self.starts]
        columns = ["solver", *names, "60 at random: success", "median", "90 %"]
        return Table("Rosenbrock: calls to the end, with success", columns, rows)


# --- figures


def solved(rows, tau):
    return sum(row.solved[tau] < math.inf for row in rows)


def ratio_of_calls(pairs, level):
    """Median and quartiles of the ratio of the calls to the end, where both solve the problem."""
    ratios = [a.calls / b.calls for a, b in pairs if solved((a, b), level) == 2]
    middle, low, high = np.quantile(ratios or [math.nan], (0.5, 0.25, 0.75))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})", middle


def after(rows, level):
    shares = [row.calls / row.solved[level] - 1 for row in rows if row.solved[level] < math.inf]
    return float(np.median(shares)) if shares else math.nan


def claims(rows, level):
    """Claimed, false, false at x0; and solved but not claimed."""
    return (
        sum(row.claimed for row in rows),
        sum(row.false for row in rows),
        sum(row.at_start for row in rows),
        sum(row.solved[level] < math.inf and not row.claimed for row in rows),
    )


def by_solver(runs, kind):
    level, table = KINDS[kind].level, []
    for solver in runs.solvers(kind):
        halves = {half: [r for (r,) in runs.of(kind, solver, half=half)] for half in HALVES}
        rows = halves["all"]
        ends = [row.calls for row in rows if row.solved[level] < math.inf]
        table.append(
            [
                solver,
                len(rows),
                *(solved(rows, tau) for tau in TAUS),
                *(solved(halves[half], level) for half in ("even", "odd")),
                float(np.median(ends)) if ends else "-",
                *claims(rows, level),
                after(rows, level),
            ]
        )
    columns = [
        "solver", "runs", *(f"{tau:g}" for tau in TAUS), f"{level:g}, even", f"{level:g}, odd",
        "calls", "claimed", "false", "at x0", "not claimed", "after",
    ]  # fmt: skip
    return Table(kind, columns, table)


GLANCE = ("exact", "float32", "six digits", "noise 1e-6", "noise 1e-3", "holes", "kinks")


def at_a_glance(tables):
    """Problems solved at the level of the kind, and false claims, of those that were run on all."""
    known = {table.title: table.shown() for table in tables}
    rows = []
    for solver in (*MAIN, *QUICK):
        row = [solver]
        for kind in GLANCE:
            columns, found = known[kind].columns, known[kind].rows
            (own,) = [dict(zip(columns, each, strict=True)) for each in found if each[0] == solver]
            row += [own[f"{KINDS[kind].level:g}"], own["false"]]
        rows.append(row)
    sizes = [known[kind].rows[0][1] for kind in GLANCE]
    heads = [f"{kind} ({size})" for kind, size in zip(GLANCE, sizes, strict=True)]
    columns = [column for head in heads for column in (head, "false")]
    return Table("At a glance: solved, claimed wrongly", ["solver", *columns], rows)


class Line(NamedTuple):
    """A line of the short table: `figure(half)` gives what is shown and whether it is enough."""

    what: str
    wanted: str
    figure: Callable[[str], tuple[str, bool]]


def in_short(lines):
    rows = []
    for line in lines:
        found = [line.figure(half) for half in HALVES]
        rows.append(
            [line.what, line.wanted, *(text for text, _ in found), "yes" if found[-1][1] else "no"]
        )
    columns = ["lbfgs", "wanted", *HALVES, "holds, odd half"]
    return Table("In short", columns, rows)


def lines_of(runs):
    """Of the kinds that have been run."""
    found = []
    for kind in dict.fromkeys(kind for kind, _ in runs.rows):
        found += lines_of_kind(runs, kind)
    return found


def lines_of_kind(runs, kind):
    exact = kind in ("exact", "kinks with jac", "float32 with jac")
    if kind == "exact":
        yield from best_solved(runs, kind, 1e-6, LIFTED)
        yield from calls_against(runs, kind, "L-BFGS-B", 0.9)
        yield unclaimed(runs, kind, 0.03)
        yield calls_after(runs, kind, 0.5)
    elif kind in ("float32", "six digits", "noise 1e-6", "noise 1e-6 absolute", "simulation"):
        yield from best_solved(runs, kind, 1e-3, ("Powell", "COBYQA"), less=1)
        yield from calls_against(runs, kind, "Powell", 0.5)
        yield from calls_against(runs, kind, "COBYQA", 0.9)
        yield calls_after(runs, kind, 2)
    elif kind.startswith("noise 1e-3"):
        yield from best_solved(runs, kind, 1e-3, ("Powell",))
        yield calls_after(runs, kind, 2)
    elif kind in ("holes", "slabs"):
        for tau in (1e-3, 1e-6):
            yield from best_solved(runs, kind, tau, ("COBYQA",), times=1.3)
    elif kind in SCALED and ("exact", "lbfgs") in runs.rows:
        yield scaled_solved(runs, kind, 0.95)
        yield scaled_calls(runs, kind, 1.3)
    elif kind == "float32 with jac":
        for tau in (1e-3, 1e-6):
            yield from best_solved(runs, kind, tau, GRADIENT)
        yield share_claimed(runs, kind, 1e-3, 0.9)
        yield from calls_against(runs, kind, "L-BFGS-B", 1.2)
    elif kind == "kinks with jac":
        yield share_solved(runs, kind, 1e-5, 0.85)
        yield share_claimed(runs, kind, 1e-5, 0.8)
    elif kind == "kinks":
        yield share_solved(runs, kind, 1e-3, 0.75)
    yield false_claims(runs, kind, 0.0 if exact else 0.03)


def best_solved(runs, kind, tau, theirs, less=0, times=1.0):
    """As many problems solved as by the best of some others, on those that both are run on."""
    theirs = runs.solvers(kind, theirs)
    if not theirs:
        return

    def figure(half):
        pairs = {name: runs.of(kind, "lbfgs", name, half=half) for name in theirs}
        counts = {
            name: [solved([pair[k] for pair in both], tau) for k in (0, 1)]
            for name, both in pairs.items()
        }
        name = max(counts, key=lambda name: counts[name][1] - counts[name][0])
        mine, best = counts[name]
        return f"{mine} : {best} ({name})", mine >= times * best - less

    wanted = "not below the best" if len(theirs) > 1 else f"not below {theirs[0]}"
    if times > 1:
        wanted = f">= {times} x {theirs[0]}"
    yield Line(f"{kind}: solved at {tau:g}", wanted + f" - {less}" * (less > 0), figure)


def calls_against(runs, kind, theirs, most):
    if not runs.solvers(kind, [theirs]):
        return

    def figure(half):
        pairs = runs.of(kind, "lbfgs", theirs, half=half)
        text, ratio = ratio_of_calls(pairs, KINDS[kind].level)
        return text, ratio <= most

    yield Line(f"{kind}: calls to the end : {theirs}", f"<= {most}", figure)


def mine(runs, kind, half):
    return [row for (row,) in runs.of(kind, "lbfgs", half=half)]


def share_line(what, rows_of, count, least=None, most=None):
    """`count` of the rows, as a share of them."""

    def figure(half):
        rows = rows_of(half)
        share = count(rows) / max(1, len(rows))
        return f"{count(rows)} of {len(rows)}", share >= least if most is None else share <= most

    wanted = f">= {least:.0%}" if most is None else f"<= {most:.0%}" if most else "0"
    return Line(what, wanted, figure)


def unclaimed(runs, kind, most):
    level = KINDS[kind].level

    def rows_of(half):
        return [row for row in mine(runs, kind, half) if row.solved[level] < math.inf]

    return share_line(
        f"{kind}: solved but not claimed",
        rows_of,
        lambda rows: sum(not row.claimed for row in rows),
        most=most,
    )


def false_claims(runs, kind, most):
    def figure(half):
        claimed, false, at_start, _ = claims(mine(runs, kind, half), KINDS[kind].level)
        text = f"{false} of {claimed}" + f", {at_start} at x0" * bool(at_start)
        return text, false <= most * claimed and not at_start

    wanted = f"<= {most:.0%}, none at x0" if most else "0"
    return Line(f"{kind}: false claims", wanted, figure)


def calls_after(runs, kind, most):
    def figure(half):
        share = after(mine(runs, kind, half), KINDS[kind].level)
        return f"{share:.2f}", share <= most

    return Line(f"{kind}: calls after the solution : before", f"<= {most}", figure)


def scaled_solved(runs, kind, least):
    def figure(half):
        now, unscaled = (solved(mine(runs, k, half), 1e-6) for k in (kind, "exact"))
        return f"{now} : {unscaled}", now >= least * unscaled

    return Line(f"{kind}: solved at 1e-6 : unscaled", f">= {least}", figure)


def scaled_calls(runs, kind, most):
    def figure(half):
        pairs = zip(*(mine(runs, k, half) for k in (kind, "exact")), strict=True)
        text, ratio = ratio_of_calls(pairs, 1e-6)
        return text, ratio <= most

    return Line(f"{kind}: calls to the end : unscaled", f"<= {most}", figure)


def share_solved(runs, kind, tau, least):
    return share_line(
        f"{kind}: solved at {tau:g}",
        lambda half: mine(runs, kind, half),
        lambda rows: solved(rows, tau),
        least=least,
    )


def share_claimed(runs, kind, tau, least):
    def rows_of(half):
        return [row for row in mine(runs, kind, half) if row.solved[tau] < math.inf]

    return share_line(
        f"{kind}: claimed of those solved at {tau:g}",
        rows_of,
        lambda rows: sum(row.claimed for row in rows),
        least=least,
    )


def lines_of_valleys(valleys):
    for k, start in enumerate(valleys.starts):

        def figure(half, k=k):
            ours = valleys.calls("lbfgs", k)
            best = min(valleys.calls(name, k) for name in ("BFGS", "L-BFGS-B"))
            return f"{ours} : {best}", ours <= 1.35 * best

        name = ", ".join(f"{v:g}" for v in start)
        yield Line(f"Rosenbrock from {name}: calls", "<= 1.35 x BFGS, L-BFGS-B", figure)

    def success(half):
        count, _ = valleys.random("lbfgs")
        return f"{count} of 60", count == 60

    def quantile(half):
        ours, theirs = (np.quantile(valleys.random(s)[1], 0.9) for s in ("lbfgs", "L-BFGS-B"))
        return f"{ours:.0f} : {theirs:.0f}", ours <= theirs

    yield Line("Rosenbrock, 60 starts: success", "60", success)
    yield Line("Rosenbrock, 60 starts: 90 % of calls", "<= L-BFGS-B", quantile)


# --- picture

DRAWN = (
    "lbfgs", "cg_descent", "spg", "BFGS", "L-BFGS-B", "Nelder-Mead", "Powell", "COBYQA",
    "Py-BOBYQA",
)  # fmt: skip
PANELS = [kind for kind in KINDS if kind not in SCALED]


def draw(runs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 9), layout="constrained", dpi=130)
    axes = figure.subplots(3, 5, sharex=True, sharey=True).ravel()
    labels: dict[str, Any] = {}
    for kind, ax in zip([*PANELS, "scaled"], axes, strict=False):
        kinds = list(SCALED) if kind == "scaled" else [kind]
        level = KINDS[kinds[0]].level
        for number, name in enumerate(DRAWN):
            rows = [row for k in kinds if name in runs.solvers(k) for (row,) in runs.of(k, name)]
            if not rows:
                continue
            costs = [row.solved[level] / (row.n + 1) for row in rows]
            costs = np.sort(costs)[: solved(rows, level)]
            shares = np.arange(costs.size + 1) / len(rows)
            (labels[name],) = ax.step(
                [0.1, *costs, 1000], [*shares, shares[-1]],
                where="post", color=f"C{number}", linewidth=2.5 if name == "lbfgs" else 1.2,
                linestyle="-" if name in METHODS else "--",
            )  # fmt: skip
        ax.set(title=f"{kind}, {level:g}", xscale="log", xlim=(0.5, 1000), ylim=(0, 1))
        ax.grid(alpha=0.3)
    axes[-1].axis("off")
    axes[-1].legend(labels.values(), labels, loc="center", frameon=False)
    figure.supxlabel("calls of f / (n + 1)")
    figure.supylabel("share of problems solved")
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "values.png")
