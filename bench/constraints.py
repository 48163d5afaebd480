"""Problems with constraints, small and large: solved, evaluations, false claims, time.

The small problems are 135 problems from the literature (bench/_constrained/), with their published
starts. A problem is solved if the returned point has f <= f* + 1e-4 max(1, |f*|), with the
published f*, and violates no row or bound by more than 1e-5 of its size. The size is the maximum of
1, the limit and the terms J_ij x_j. "another" counts other stationary points with no such
violation. There, the nearly active rows balance the gradient to within 1e-3 of its size, with
multipliers from non-negative least squares. These are usually local minima. A claim
(`success=True`) is false if the point is neither. Evaluations are all calls of f and of its
gradient, counted by the same wrappers for all solvers; finite differences of f count as calls of f.
"c" and "J" are calls of constraints. Medians are over the solved problems. Ratios to SLSQP (with
quartiles) are over the problems that both solve. Problems with an even index are for tuning, those
with an odd index for judging.

A run is cut off after 100,000 evaluations or five seconds of processor time (ten for COBYQA and
COBYLA). SciPy's solvers and ours use their own tolerances, without iteration limits (trust-constr:
at most 3,000). "tight" means ftol=1e-12 for SLSQP, and gtol=1e-12 and xtol=1e-12 for trust-constr.
COBYQA and COBYLA use no gradients, so they appear in both tables. NLopt's AUGLAG runs L-BFGS inside
(BOBYQA without gradients), with relative tolerances of 1e-10 for f and 1e-8 for x, and 1e-8 for
constraints. Without jac, neither f nor the constraints have derivatives. "Inner methods" runs the
same problems, with gradients, with our other methods.

The large problems compute f and its gradient in one NumPy function, and a call counts as one
evaluation. The time is the minimum of three runs if they take less than two seconds, after a run
that compiles ours. trust-constr gets second derivatives. All solvers get the same Jacobians, which
may be sparse. Runs are cut off after 20 seconds, those of SLSQP after 60 ("cut off", with this
time). SLSQP only runs for the smallest n. The gap is an upper bound on how far a point is above the
optimum, relative to max(1, |f*|). It comes from duality, with multipliers computed from the point
alone. For optimal control, it is relative to the optimum that L-BFGS-B finds by shooting, with the
controls as the only variables.

Portfolio: a covariance of 20 factors, sum x = 1, 0 <= x <= 0.1. Rows: quartics within bounds and
ten dense ellipsoids. Equalities: 200 random rows, n = 2,000, no bounds, compared with lbfgs on the
same function in an orthonormal basis of the null space (`scipy.linalg.null_space`). Control: van
der Pol's oscillator with bounded controls, discretized by Euler's method; states and controls are
variables.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench._constrained import large
from bench._constrained.small import CONTESTANTS, HALVES, WITH, WITHOUT, rows_of, runs
from bench._constrained.solvers import FROM_VALUES, INNER, TIGHT
from bench._report import RESULTS, Table, show

__all__ = ["measure", "runs"]
OURS = "lbfgs"
BEST_OF = ("SLSQP", "trust-constr", *TIGHT, "COBYQA")


class Part(NamedTuple):
    measure: Callable[[], Any]
    tables: Callable[[Any], list[Table]]


def measure():
    found = {name: part.measure() for name, part in PARTS.items()}
    draw(found["small"] | found["inner"])
    tables = [table for name, part in PARTS.items() for table in part.tables(found[name])]
    return [in_short(found), *tables]


def small():
    """COBYQA and COBYLA are the same without gradients."""
    found = rows_of([pair for pair in CONTESTANTS if pair[0] not in INNER])
    for solver, given in list(found):
        if solver in FROM_VALUES:
            found[solver, WITHOUT] = found[solver, given]
    return found


def inner():
    return rows_of([(solver, WITH) for solver in INNER])


# --- tables


def of_small(found):
    return [by_solver(found, given) for given in (WITH, WITHOUT)]


def of_inner(found):
    return [by_solver(found, WITH, "Inner methods")]


def by_solver(found, given, title=""):
    table = []
    for (solver, which), rows in found.items():
        if which == given:
            solved = [row for row in rows if row.solved]
            calls = [[row.calls[kind] for row in solved] for kind in "cJ"]
            table.append(
                [
                    solver,
                    *(sum(row.solved for row in rows[half]) for half in HALVES.values()),
                    sum(row.other for row in rows),
                    sum(row.claimed for row in rows),
                    sum(row.false for row in rows),
                    sum(row.solved and not row.claimed for row in rows),
                    float(np.median([row.evaluations for row in solved] or [math.nan])),
                    ratio(found, solver, given)[0],
                    *(float(np.median(c or [math.nan])) for c in calls),
                    sum(row.seconds for row in rows),
                ]
            )
    heads = [f"solved, {half}" if half != "all" else f"solved of {len(rows)}" for half in HALVES]
    columns = [
        "solver", *heads, "another", "claimed", "false", "not claimed", "evaluations", ": SLSQP",
        "c", "J", "seconds",
    ]  # fmt: skip
    return Table(title or f"Small problems, {given}", columns, table)


def ratio(found, solver, given, half="all"):
    """Of the evaluations to SLSQP's, where both solve: median (quartiles), and the median."""
    theirs = found.get(("SLSQP", given))
    if theirs is None:
        return "", math.nan
    pairs = zip(found[solver, given][HALVES[half]], theirs[HALVES[half]], strict=True)
    ratios = [a.evaluations / b.evaluations for a, b in pairs if a.solved and b.solved]
    middle, low, high = np.quantile(ratios or [math.nan], (0.5, 0.25, 0.75))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})", float(middle)


def of_large(title):
    def tables(found):
        rows = []
        for name, solvers in found.items():
            ours = solvers[OURS].seconds
            for solver, m in solvers.items():
                end = ("yes" if m.claimed else "no") if m.ended else "cut off"
                figures = m.seconds, m.seconds / ours, m.evaluations, float(m.gap)
                rows.append([name, solver, *figures, float(m.violation), end])
        columns = [
            "", "solver", "seconds", ": lbfgs", "evaluations", "gap", "violation", "claimed",
        ]  # fmt: skip
        return [Table(title, columns, rows)]

    return tables


def of_equalities(found):
    rows = []
    for name, each in found.items():
        rows_, free, theirs = (each[which] for which in ("lbfgs", "null space", "trust-constr"))
        off = abs(rows_.fun - free.fun) / max(1, abs(free.fun))
        counts = [e.evaluations for e in (rows_, free)]
        rows.append(
            [
                name, *counts, counts[0] / counts[1], off, rows_.claimed, rows_.seconds,
                free.seconds, theirs.evaluations, theirs.seconds,
            ]
        )  # fmt: skip
    columns = [
        "n = 2,000, 200 rows", "evaluations", "in the null space", "ratio", "difference of f",
        "claimed", "seconds", "in the null space", "trust-constr", "seconds",
    ]  # fmt: skip
    return [Table("Linear equalities", columns, rows)]


PARTS = {
    "small": Part(small, of_small),
    "inner": Part(inner, of_inner),
    "portfolio": Part(large.portfolios, of_large("Portfolio")),
    "rows": Part(large.nonlinear_rows, of_large("Ten nonlinear rows")),
    "equalities": Part(large.equalities, of_equalities),
    "control": Part(large.control, of_large("Optimal control")),
}


# --- the short table


def in_short(found):
    rows = [*lines_of_small(found["small"], found["inner"])]
    for part in ("portfolio", "rows"):
        rows += lines_of_times(part, found[part])
    for name, each in found["equalities"].items():
        measured = each["lbfgs"].evaluations / each["null space"].evaluations
        rows.append(line(f"equalities, {name}: evaluations : null space", "<= 1.5", measured <= 1.5,
                         f"{measured:.2f}"))  # fmt: skip
    rows.append(line_of_false(found))
    return Table("In short", ["lbfgs", "wanted", "all", "odd half", "holds"], rows)


def line(what, wanted, holds, measured, odd=""):
    return [what, wanted, measured, odd, "yes" if holds else "no"]


def count(rows, half):
    return sum(row.solved for row in rows[HALVES[half]])


def lines_of_small(found, others):
    for given in (WITH, WITHOUT):
        texts = []
        for half in ("all", "odd"):
            counts = {
                name: count(found[name, given], half) for name in BEST_OF if (name, given) in found
            }
            best = max(counts, key=counts.get)
            own = count(found[OURS, given], half)
            texts.append(f"{own} : {counts[best]} ({best})")
        yield line(f"{given}: solved", "above each", own > counts[best], *texts)
        figures = [ratio(found, OURS, given, half) for half in ("all", "odd")]
        what = f"{given}: evaluations : SLSQP"
        yield line(what, "<= 4", figures[1][1] <= 4, *(text for text, _ in figures))
    pairs = zip(found[OURS, WITH], found[OURS, WITHOUT], strict=True)
    lost = [a.solved and not b.solved for a, b in pairs]
    losses = [sum(lost[HALVES[half]]) for half in ("all", "odd")]
    yield line("solved with jac, but not without", "0", not losses[1], *losses)
    for solver in INNER:
        least = 0.8 if solver == "adam" else 0.9
        counts = [
            [count(rows, half) for rows in (others[solver, WITH], found[OURS, WITH])]
            for half in ("all", "odd")
        ]
        texts = [f"{mine} of {lbfgs}" for mine, lbfgs in counts]
        mine, lbfgs = counts[1]
        yield line(f"solved by {solver} inside", f">= {least:.0%}", mine >= least * lbfgs, *texts)


def lines_of_times(part, found):
    for name, solvers in found.items():
        ours = solvers[OURS]
        holds = ours.seconds <= 1 and ours.claimed and ours.gap <= 1e-4
        yield line(f"{part}, {name}: seconds", "<= 1", holds, show(ours.seconds))
        if "SLSQP" in solvers:
            theirs = solvers["SLSQP"]
            more = ">= " * (not theirs.ended)
            times = theirs.seconds / ours.seconds
            what = f"{part}, {name}: SLSQP : lbfgs"
            yield line(what, ">= 100", times >= 100, f"{more}{show(times)}")


def line_of_false(found):
    """Of all our methods, small and large problems."""
    claims = [
        row.false
        for (solver, _), rows in (found["small"] | found["inner"]).items()
        if solver in (OURS, *INNER)
        for row in rows
        if row.claimed
    ]
    claims += [
        not (m.gap <= 1e-4 and m.violation <= 1e-5)
        for part in ("portfolio", "rows", "control") for solvers in found[part].values()
        if (m := solvers[OURS]).claimed
    ]  # fmt: skip
    return line("false claims, all parts and methods", "0", not any(claims),
                f"{sum(claims)} of {len(claims)}")  # fmt: skip


# --- picture


def draw(found):
    """Shares solved against evaluations to the end of the runs."""
    from matplotlib.figure import Figure

    panels = {
        WITH: [pair for pair in found if pair[1] == WITH and pair[0] not in INNER],
        WITHOUT: [pair for pair in found if pair[1] == WITHOUT],
        "inner methods": [(solver, WITH) for solver in (OURS, *INNER)],
    }
    colours = {  # the same in the panels of SciPy's
        solver: f"C{number}"
        for solvers in ((OURS, *INNER), dict.fromkeys([OURS, *(s for s, _ in panels[WITH])]))
        for number, solver in enumerate(solvers)
    }
    figure = Figure(figsize=(15, 5.2), layout="constrained", dpi=130)
    for ax, (title, pairs) in zip(figure.subplots(1, 3, sharey=True), panels.items(), strict=True):
        for pair in pairs:
            rows = found[pair]
            costs = np.sort([row.evaluations for row in rows if row.solved])
            shares = np.arange(costs.size + 1) / len(rows)
            ours = pair[0] in (OURS, *INNER)
            ax.step([1, *costs, 1e5], [*shares, shares[-1]], where="post", color=colours[pair[0]],
                    label=pair[0], linewidth=2.5 if pair[0] == OURS else 1.3,
                    linestyle="-" if ours else "--")  # fmt: skip
        ax.set(title=title, xscale="log", xlim=(3, 1e5), ylim=(0, 1))
        ax.grid(alpha=0.3)
        ax.legend(loc="lower right", frameon=False)
    figure.supxlabel("evaluations of f and its gradient")
    figure.supylabel("share of problems solved")
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "constraints.png")
