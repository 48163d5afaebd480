"""``compare``: the methods and SciPy's solvers on one problem, as a table and a plot."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import Comparison, compare
from ..methods import GENERAL
from ..solvers import SCIPY, USUAL
from ..workers import mapping
from . import check_grad, checkpoint, output, problem

TELLING = (
    ("gd", "momentum", "nesterov", "nesterov_restart", "adagrad", "rmsprop", "adam", "adgd")
    + ("cg_descent", "lbfgs", "newton", "random_search")
)  # fmt: skip
"""Our methods that take part by default: the well-known ones, and the best of each kind."""
SIZES = (2, 10, 100)
COLD = 2.0
"""If a first evaluation takes this many seconds, nothing has been compiled on this machine yet."""


def add(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="run methods and SciPy's solvers on a problem; print a table and save a plot",
        description="Run methods and SciPy's solvers on a problem through one recorder, print a "
        "table for each size and save a plot. In the tables, successful runs come first, "
        "those with the fewest evaluations on top.",
    )
    problem.add(parser, default="rosenbrock")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--methods",
        nargs="+",
        choices=[*GENERAL, *SCIPY],
        metavar="METHOD",
        help=f"any of {', '.join(GENERAL)}; or SciPy's {', '.join(SCIPY)}; "
        f"default: {', '.join([*TELLING, *USUAL])}",
    )
    who.add_argument("--all", action="store_true", help="all of these methods")
    problem.add_number(
        parser, "--maxfev", int, 10_000, "maximum number of evaluations for each solver"
    )
    problem.add_number(parser, "--maxtime", float, 10.0, "maximum time for each solver, in seconds")
    problem.add_number(parser, "--gtol", float, 1e-5, "tolerance on the gradient")
    checkpoint.add(parser, "compare")
    output.add_picture(parser, "comparison.png")
    return parser


def execute(options: argparse.Namespace) -> int:
    began = time.perf_counter()
    every = problem.given(options, SIZES)
    cold = time.perf_counter() - began > COLD
    picture = output.canvas(options)
    passed = [check_grad.passes(options, one) for one in every]
    if not all(passed):
        return 1
    default = [*GENERAL, *SCIPY] if options.all else [*TELLING, *USUAL]
    methods = list(dict.fromkeys(options.methods or default))
    if cold:
        output.tell("compiling (only once on this machine) ...")
        _compile(every[0], methods)
    results = []
    for one in every:
        results.append(_compared(options, one, methods))
        if not options.json:
            output.say("\n" * (len(results) > 1) + str(results[-1]))
    if options.json:
        output.give_json(
            options, [{"problem": r.name, "n": r.x0.size, "rows": r.to_dicts()} for r in results]
        )
    if picture is not None:
        from ..plot import comparison

        output.draw(options, picture, lambda: comparison(results))
    return 0 if any(row.success for result in results for row in result) else 1


def _compared(options: argparse.Namespace, one: problem.Given, methods: list[str]) -> Comparison:
    with checkpoint.blamed(options):
        return compare(
            one.fun,
            **one.arguments,
            methods=methods,
            maxfev=options.maxfev,
            maxtime=options.maxtime,
            gtol=options.gtol,
            rng=options.seed,
            check=False,
            progress=output.watched(),
            checkpoint=options.checkpoint,
        ).ranked()


def _compile(one: problem.Given, methods: Sequence[str]) -> None:
    """Fill the cache on disk with all cores; one core would compile one method after the other."""
    cores = os.cpu_count() or 1
    shares = [share for k in range(cores) if (share := methods[k::cores])]
    # what goes wrong here goes wrong again below, where it is reported
    with contextlib.suppress(Exception), mapping(cores) as map_:
        list(map_(partial(_briefly, one), shares))


def _briefly(one: problem.Given, methods: Sequence[str]) -> None:
    compare(one.fun, **one.arguments, methods=methods, maxfev=10, check=False)
