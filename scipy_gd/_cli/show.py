"""``show METHOD``: formula, options and source of a method."""

from __future__ import annotations

import argparse
from textwrap import fill, indent
from typing import Any

from ..methods import METHODS
from ..tables import terminal_width
from . import methods, output


def add(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "show",
        help="show a method: formula, options, source",
        description="Show the formula, the options and the source of a method.",
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
        f"    {key}, default {option.default!r}\n{output.filled(option.doc, 8)}"
        for key, option in own.items()
    ]
    text = "\n\n".join([
        f"{name}\n{'=' * len(name)}",
        *map(output.filled, filter(None, [method.summary, method.notes])),
        "Update, with x <- x - learning_rate * d, where d is returned first:",
        code(method.source, terminal_width() - 4),
        output.filled(f"Options; for the common ones see `python -m pydoc scipy_gd.{name}`:"),
        "\n".join(listed),
        "Source:",
        output.filled(method.references, 4),
    ])  # fmt: skip
    output.say(text)
    return 0


def code(source: str, room: int) -> str:
    """The lines of a formula, indented; lines that are too long are broken within brackets."""
    done: list[str] = []
    depth = 0
    for line in source.splitlines():
        before = " " * (len(line) - len(line.lstrip()))
        statement, mark, comment = line.partition("  # ")
        if len(line) > room and mark:
            done.append(fill(comment, room, initial_indent=f"{before}# ",
                             subsequent_indent=f"{before}# "))  # fmt: skip
            line = statement
        while len(line) > room:
            at = _break(line, depth, room)
            depth += _opened(line[:at])
            done.append(line[:at])
            line = f"{before}        {line[at + 1 :]}"
        depth += _opened(line)
        done.append(line)
    return indent("\n".join(done), "    ")


def _opened(text: str) -> int:
    """How many more brackets a text opens than it closes."""
    return sum(text.count(c) for c in "([{") - sum(text.count(c) for c in ")]}")


def _break(line: str, depth: int, room: int) -> int:
    """The last space within as few brackets as possible; without brackets, the last space."""
    start = len(line) - len(line.lstrip())
    spaces = {k: depth + _opened(line[:k]) for k in range(start, room + 1) if line[k] == " "}
    spaces = {k: within for k, within in spaces.items() if k > start}
    least = min((within for within in spaces.values() if within), default=0)
    return max((k for k, within in spaces.items() if within == least), default=room)
