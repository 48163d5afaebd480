"""``methods``: list the methods."""

from __future__ import annotations

import argparse
from typing import Any

from .. import Method
from ..methods import METHODS
from . import output


def add(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "methods",
        help="list the methods and their defaults",
        description="List the methods. The number in parentheses is the published learning rate.",
    )
    return parser


def data(method: Method) -> dict[str, Any]:
    return {
        "method": method.__name__,
        "summary": method.summary,
        "learning_rate": method.learning_rate,
        "published_learning_rate": method.constant,
        "options": dict(method.hyper),
    }


def execute(options: argparse.Namespace) -> int:
    if options.json:
        output.give_json(options, [data(method) for method in METHODS.values()])
        return 0
    width = max(map(len, METHODS)) + 2
    for name, method in METHODS.items():
        published = f" ({method.constant:g})" if method.constant else ""
        values = [f"learning_rate={method.learning_rate}{published}"]
        values += [f"{hyper}={value:g}" for hyper, value in method.hyper.items()]
        summary, defaults = (
            output.filled(text, width) for text in (method.summary, ", ".join(values))
        )
        output.say(f"{name:<{width}}{summary.lstrip()}\n{defaults}")
    return 0
