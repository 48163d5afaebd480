"""``check-grad``: is a gradient right?"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from . import output, problem


def add(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "check-grad",
        help="check a gradient against accurate finite differences",
        description="Check a gradient at the start and at points around it; the exit code is 1 if "
        "a component is wrong or nothing could be checked.",
    )
    problem.add(parser)
    problem.add_number(parser, "--points", int, 5, "number of points to check, including the start")
    return parser


def execute(options: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = options.parser
    found = []
    for one in problem.given(options):
        check = one.task.check(rng=options.seed, points=options.points)
        if check is None:
            parser.error("argument --jac: there is no gradient to check without it")
        found.append(
            {"problem": one.task.name, "n": one.task.x0.size, "ok": check.ok}
            | {"pattern": check.pattern, "components": check.to_dicts()}
        )
        if not options.json:
            output.say(output.lines(f"{one.task.title}: {check}"))
    if options.json:
        output.give_json(options, found)
    return 0 if all(one["ok"] for one in found) else 1


def passes(options: argparse.Namespace, one: problem.Given) -> bool:
    """Whether the gradient, if there is one, is right; prints a line, or a table if it is wrong."""
    check = one.task.check(rng=options.seed)
    if check is not None and check.ok:
        output.tell(output.lines(f"{one.task.title}: {str(check).splitlines()[0]}"))
    elif check is not None:
        print(output.lines(f"{one.task.title}: {check}"), file=sys.stderr)
    return check is None or check.ok
