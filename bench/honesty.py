"""How often a solver claims `success=True`, and how often the claim is false.

"By solver" and "In all" run every method with its default and with its published constant, and
SciPy's solvers with their default tolerances, on all problems of `convergence`. A claim is false if
the (projected) gradient, recomputed at the returned point, has a component above 1e-5. BFGS, CG and
L-BFGS-B have the same tolerance. Nelder-Mead's claim is about its simplex, and those of Newton-CG
and TNC are about the step or f. "not claimed" counts runs that ended without success although no
component is above 1e-5. A run is cut off after 10,000 evaluations (100,000 for n >= 1000); it then
claims nothing. (Our runs that count as false ended with "the noise of the function is reached" on
Meyer's function. There, f equals its minimum in all ten known digits, and rounding hides the
decrease that a gradient of 1e-2 promises.)

"Values only" runs without gradients. f is exact, rounded, noisy or undefined in places, or has
kinks (these also with gradients). The problems are those of `values` with an odd index, for the
recommended methods and SciPy's fast solvers. The rules of that benchmark decide whether a claim is
false: the point is not solved to a tolerance that suits the values, and not stationary within their
errors.
"""

import math

from bench._problems import boxed, fits, logistics, more_wild, quadratics, rosenbrocks
from bench._recorder import (
    GTOL,
    Recorder,
    budget,
    norm,
    ours,
    published,
    scipys,
    solve,
    suits,
    work,
)
from bench._report import Table
from bench._values import KINDS, SCALED
from bench.values import MAIN, QUICK, Runs, claims, contestants

COLUMNS = ("runs", "claimed", "false", "not claimed", "cut off")


def verdict(solver, problem):
    """One run, counted in the columns that it belongs to."""
    recorder = Recorder(problem, budget(problem), solver.takes_gradients, until=-math.inf)
    result = solve(solver, problem, recorder)
    if result is None:
        return {"runs", "cut off"}
    reached = norm(problem, result.x) <= GTOL
    if result.success:
        return {"runs", "claimed"} if reached else {"runs", "claimed", "false"}
    return {"runs", "not claimed"} if reached else {"runs"}


def measure():
    sets = (more_wild, rosenbrocks, quadratics, fits, logistics, boxed)
    problems = [problem for make in sets for problem in make()]
    problems.sort(key=lambda problem: -problem.x0.size)
    groups = {"scipy_gd": ours(), "published constants": published(), "SciPy": scipys()}
    cells = [
        (solver, problem)
        for problem in problems
        for solvers in groups.values()
        for solver in solvers
        if suits(solver, problem)
    ]
    rows = {solver.name: [0] * len(COLUMNS) for solvers in groups.values() for solver in solvers}
    for (solver, _), found in zip(cells, work(lambda cell: verdict(*cell), cells), strict=True):
        for k, column in enumerate(COLUMNS):
            rows[solver.name][k] += column in found

    summed = [
        [f"all of {group}", *(sum(rows[s.name][k] for s in solvers) for k in range(len(COLUMNS)))]
        for group, solvers in groups.items()
    ]
    return [
        Table("By solver", ["solver", *COLUMNS], [[name, *row] for name, row in rows.items()]),
        Table("In all", ["solvers", *COLUMNS], summed),
        values_only(),
    ]


def values_only():
    kinds = [kind for kind in KINDS if kind not in SCALED]
    runs = Runs(
        kinds, lambda kind: [s for s in (*MAIN, *QUICK) if s in contestants(kind)], half="odd"
    )
    table = []
    for solver in (*MAIN, *QUICK):
        totals = [0] * (len(COLUMNS) + 1)
        for kind in kinds:
            if solver in runs.solvers(kind):
                rows = [row for (row,) in runs.of(kind, solver)]
                claimed, false, at_start, unclaimed = claims(rows, KINDS[kind].level)
                cut = sum(row.status == "cut off" for row in rows)
                for k, count in enumerate((len(rows), claimed, false, at_start, unclaimed, cut)):
                    totals[k] += count
        table.append([solver, *totals])
    columns = ["solver", *COLUMNS[:3], "at x0", *COLUMNS[3:]]
    return Table("Values only", columns, table)
