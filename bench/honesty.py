"""How often `success=True` is claimed, and how often it is false.

Every method at its default, with the published constants, and SciPy's solvers with their own
default tolerances, on all problems of `convergence`: "By solver" and "In all". A claim is false if
the (projected) gradient, computed anew at the returned point, has a component above 1e-5, which is
the tolerance of BFGS, CG and L-BFGS-B too; Nelder-Mead's claim is one about its simplex, Newton-
CG's and TNC's about the step or f. "not claimed" are runs that ended without success although there
is no such component. A run is cut off after 10,000 evaluations (100,000 for n >= 1000); then
nothing is claimed. (Ours that are counted as false have ended with "the noise of the function is
reached", on Meyer's function: f is its minimum in all ten digits that are known, and rounding hides
what a gradient of 1e-2 promises there.)

"Values only" are runs without gradients where f is exact, rounded, noisy or not defined everywhere,
or with kinks, also with gradients: the problems of `values` of odd index, for the methods that are
recommended and SciPy's fast solvers. A claim is false by the rules of that benchmark: the point is
not solved to a tolerance that suits the values, and no stationary point within their errors.
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
