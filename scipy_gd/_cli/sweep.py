"""``sweep``: one method, or several, at every setting of a grid."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from .. import sweep
from ..methods import GENERAL, gd
from ..solvers import as_solvers
from . import check_grad, checkpoint, output, problem

RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, "auto")


def add(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "sweep",
        help="run a method at every setting of a grid; print a table and save a plot",
        description="Run one method, or several, at every setting of a grid, with every seed.",
    )
    problem.add(parser)
    add = parser.add_argument
    add("--methods", nargs="+", choices=GENERAL, default=["adam"], metavar="METHOD",
        help=f"any of {', '.join(GENERAL)}; default: adam")  # fmt: skip
    add("--learning-rate", nargs="+", type=_rate, default=[*RATES], metavar="RATE", help="numbers, "
        f"or rules such as auto or wolfe; default: {' '.join(map(str, RATES))}")  # fmt: skip
    add("--set", nargs="+", action="append", default=[], metavar=("OPTION", "VALUE"),
        help="another option and its values: --set beta1 0.9 0.99; may be repeated")  # fmt: skip
    add(
        "--workers",
        type=int,
        default=1,
        help="number of processes; -1: all cores; default: %(default)s",
    )
    problem.add_number(parser, "--seeds", int, 1, "number of seeds per setting, starting at --seed")
    problem.add_number(parser, "--maxiter", int, 10_000, "maximum number of iterations of each run")
    problem.add_number(parser, "--maxtime", float, 10.0, "maximum time for each run, in seconds")
    problem.add_number(parser, "--gtol", float, 1e-5, "tolerance on the gradient")
    checkpoint.add(parser, "sweep")
    output.add_picture(parser, "sweep.png")
    return parser


def _rate(text: str) -> Any:
    try:
        return gd.options["learning_rate"].check("RATE", _value(text), 1)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def execute(options: argparse.Namespace) -> int:
    every = problem.given(options)
    if len(every) > 1:
        options.parser.error("argument -n: only one size at a time")
    methods = list(dict.fromkeys(options.methods))
    limits = {name: getattr(options, name) for name in ("maxiter", "maxtime", "gtol")}
    grid = {"learning_rate": options.learning_rate}
    solvers, own = as_solvers(methods), inspect.signature(sweep)
    for name, *values in options.set:
        if name in own.parameters or not any(solver.takes(name) for solver in solvers):
            options.parser.error(f"argument --set: {name} is not an option of {', '.join(methods)}")
        grid[name] = [_value(value) for value in values]
    picture = output.canvas(options)
    (one,) = every
    if not check_grad.passes(options, one):
        return 1
    single = {name: values[0] for name, values in grid.items() if len(values) == 1}
    try:
        with checkpoint.blamed(options):
            result = sweep(
                one.fun,
                method=methods,
                seeds=range(options.seed, options.seed + options.seeds),
                workers=options.workers,
                check=False,
                progress=output.watched(),
                checkpoint=options.checkpoint,
                **(one.arguments | limits | grid | single),
            )
    except (TypeError, ValueError) as error:
        options.parser.error(str(error))
    if options.json:
        best = {"method": result.best.method, "options": result.best.options}
        data = {"problem": result.name, "n": result.n, "best": best, "runs": result.to_dicts()}
        output.give_json(options, data)
    else:
        output.say(result)
    if picture is not None and not all(isinstance(rate, str) for rate in options.learning_rate):
        output.draw(options, picture, result.plot)
    return 0 if any(row.success.any() for row in result) else 1
