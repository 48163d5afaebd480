"""``show METHOD``: its formula, its options and its source."""

from __future__ import annotations

import argparse
from textwrap import fill, indent
from typing import Any

from ..methods import METHODS
from . import methods, output


def add(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "show",
        help="show a method: formula, options, source",
        description="Show a method: its formula, its options and where it comes from.",
    )
    parser.add_argument(
        "method", choices=METHODS, metavar="METHOD", help=f"one of {', '.join(METHODS)}"
    )
    return parser


def execute(options: argparse.Namespace) -> int:
    name = options.method
    method = METHODS[name]
    own = {k: o for k, o in method.options.items() if o.own or k == "learning_rate"}
    if options.json:
        details = {
            "meaning": {key: option.doc for key, option in own.items()},
            "formula": method.source,
            "references": method.references,
        }
        output.give_json(options, methods.data(METHODS[name]) | details)
        return 0
    listed = [
        f"{key}, default {option.default!r}\n{indent(fill(option.doc, 88), '    ')}"
        for key, option in own.items()
    ]
    text = "\n\n".join([
        f"{name}\n{'=' * len(name)}",
        *filter(None, [method.summary, method.notes]),
        "Update, with x <- x - learning_rate * d, where d is returned first:",
        indent(method.source, "    "),
        f"Options, beside those of every method (`python -m pydoc scipy_gd.{name}`):",
        indent("\n".join(listed), "    "),
        "Source:",
        indent(method.references, "    "),
    ])  # fmt: skip
    output.say(text)
    return 0
