"""``compare``: the methods and SciPy's solvers on one problem, a table and a picture."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import compare
from ..methods import GENERAL
from ..solvers import SCIPY
from ..workers import mapping
from . import check_grad, output, problem

SIZES = (2, 10, 100)
COLD = 2.0
"""So many seconds for a first evaluation mean that nothing has been compiled on this machine."""


def add(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="run the methods and SciPy's solvers on a problem: a table and a picture",
        description="Run the methods and SciPy's solvers on a problem through one recorder, print "
        "a table for each size and draw a picture.",
    )
    problem.add(parser, default="rosenbrock")
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=[*GENERAL, *SCIPY],
        metavar="METHOD",
        help=f"of {', '.join(GENERAL)}; or SciPy's {', '.join(SCIPY)}; "
        "default: all of the former, and the most used of the latter",
    )
    problem.add_number(parser, "--maxfev", int, 10_000, "evaluations for each solver")
    problem.add_number(parser, "--maxtime", float, 10.0, "seconds for each solver")
    problem.add_number(parser, "--gtol", float, 1e-5, "gradient test")
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
    if cold:
        _compile(every[0], options.methods or [*GENERAL])
    results = []
    for one in every:
        result = compare(
            one.fun,
            **one.arguments,
            methods=options.methods and list(dict.fromkeys(options.methods)),
            maxfev=options.maxfev,
            maxtime=options.maxtime,
            gtol=options.gtol,
            rng=options.seed,
            check=False,
            progress=True,
        )
        results.append(result)
        if not options.json:
            output.say(f"\n{result}")
    if options.json:
        output.give_json(
            options, [{"problem": r.name, "n": r.x0.size, "rows": r.to_dicts()} for r in results]
        )
    if picture is not None:
        from ..plot import comparison

        output.draw(options, picture, lambda: comparison(results))
    return 0 if any(row.success for result in results for row in result) else 1


def _compile(one: problem.Given, methods: Sequence[str]) -> None:
    """Let all cores fill the cache on disk, where one would compile method after method."""
    cores = os.cpu_count() or 1
    shares = [share for k in range(cores) if (share := methods[k::cores])]
    # what goes wrong here does so again below, where it is reported
    with contextlib.suppress(Exception), mapping(cores) as map_:
        list(map_(partial(_briefly, one), shares))


def _briefly(one: problem.Given, methods: Sequence[str]) -> None:
    compare(one.fun, **one.arguments, methods=methods, maxfev=10, check=False)
