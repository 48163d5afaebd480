"""``check-grad``: is a gradient right?"""

from __future__ import annotations

import argparse
from typing import Any

from .. import check_grad
from ..check import GradientCheck
from . import output, problem


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "check-grad",
        help="check a gradient against accurate differences",
        description="Check a gradient at the start and at points around it; the exit code is 1 if "
        "a component is wrong, or nothing could be checked.",
    )
    problem.add(parser)
    problem.add_number(parser, "--points", int, 5, "where to check, the start included")
    output.add(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    checks = []
    for one in problem.given(options):
        task = one.task
        if not (callable(task.jac) or task.jac is True):
            options.parser.error("argument --jac: there is no gradient to check without it")
        check = _check(options, one, points=options.points)
        checks.append((task, check))
        if not options.json:
            output.say(f"{task.name}, n = {task.x0.size}: {check}")
    if options.json:
        output.give_json(
            options,
            [
                {"problem": task.name, "n": task.x0.size, "ok": check.ok, "pattern": check.pattern}
                | {"components": check.to_dicts()}
                for task, check in checks
            ],
        )
    return 0 if all(check.ok for _, check in checks) else 1


def passes(options: argparse.Namespace, one: problem.Given) -> bool:
    """Whether the gradient, if there is one, is right; a line says so, or the table why not."""
    task = one.task
    if not (callable(task.jac) or task.jac is True):
        return True
    check = _check(options, one)
    report = str(check).splitlines()[0] if check.ok else check
    output.say(f"{task.name}, n = {task.x0.size}: {report}")
    return check.ok


def _check(options: argparse.Namespace, one: problem.Given, **more: Any) -> GradientCheck:
    task = one.task
    return check_grad(
        task.fun,
        task.jac,
        task.x0,
        args=task.args,
        bounds=task.bounds,
        rng=options.seed,
        **more,
    )
