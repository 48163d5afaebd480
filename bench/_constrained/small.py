"""All small problems with all solvers."""

from typing import Any, NamedTuple

import numpy as np

from bench._constrained import PROBLEMS
from bench._constrained.judge import Verdict, judged
from bench._constrained.solvers import FROM_VALUES, NLOPT, OURS, SCIPYS, Task, Watch, run
from bench._recorder import work

HALVES = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
BUDGET, SECONDS, LONGER = 100_000, 5, 10  # longer for those that take milliseconds a call
WITH, WITHOUT = "with jac", "without jac"


class Row(NamedTuple):
    name: str
    n: int
    calls: dict[str, int]
    claimed: bool
    message: str
    seconds: float
    verdict: Verdict

    @property
    def evaluations(self):
        return self.calls["f"] + self.calls["g"]

    @property
    def solved(self):
        return self.verdict.solved

    @property
    def other(self):
        """Another stationary point: a local minimum, in general."""
        return self.verdict.stationary and not self.verdict.solved

    @property
    def false(self):
        return self.claimed and not (self.verdict.solved or self.verdict.stationary)

    def __repr__(self):
        words = [w for w in ("solved", "other", "claimed", "false") if getattr(self, w)]
        calls = " ".join(f"{kind} {count}" for kind, count in sorted(self.calls.items()))
        return (
            f"{self.name:16} n={self.n:<3} f {self.verdict.fun:<14.8g} "
            f"violation {self.verdict.violation:8.1e} {' '.join(words):22} {calls:36} "
            f"{self.seconds:5.2f} s  {self.message[:60]}"
        )


class Cell(NamedTuple):
    solver: str
    given: str
    problem: Any


def run_one(cell):
    problem = cell.problem
    watch = Watch(BUDGET, LONGER if cell.solver in FROM_VALUES else SECONDS)
    jac = cell.given == WITH
    task = Task(
        fun=watch.of("f", problem.fun),
        x0=problem.x0,
        jac=watch.of("g", problem.jac) if jac and cell.solver not in FROM_VALUES else None,
        bounds=problem.bounds,
        constraints=problem.constraints(
            watch.of("c", problem.values), watch.of("J", problem.slopes), jac
        ),
    )
    end = run(cell.solver, task, watch)
    with np.errstate(all="ignore"):
        verdict = judged(problem, np.full(problem.x0.size, np.nan) if end.x is None else end.x)
    calls = {kind: watch.calls[kind] for kind in "fgcJ"}
    return Row(problem.name, problem.x0.size, calls, end.claimed, end.message, end.seconds, verdict)


def runs(solver, given=WITH, half="all", workers=2):
    """One solver: a `Row` for each problem. `half="even"` are the problems to tune on."""
    return rows_of([(solver, given)], PROBLEMS[HALVES[half]], workers)[solver, given]


CONTESTANTS = [
    *((solver, WITH) for solver in (*OURS, *SCIPYS, *NLOPT)),
    *((solver, WITHOUT) for solver in ("lbfgs", "SLSQP", "SLSQP, tight", "trust-constr", *NLOPT)),
]


def rows_of(contestants=CONTESTANTS, problems=PROBLEMS, workers=2):
    """The rows of each solver, by its name and what it is given."""
    for solver in {solver for solver, _ in contestants if solver in OURS}:
        run_one(Cell(solver, WITH, problems[0]))  # compiled before the workers are forked
    cells = [Cell(*pair, problem) for pair in contestants for problem in problems]
    rows = iter(work(run_one, cells, workers))
    return {pair: [next(rows) for _ in problems] for pair in contestants}
