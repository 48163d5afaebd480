"""``show METHOD``: its formula, its options and its source."""

from __future__ import annotations

import argparse
import re
import textwrap
from typing import Any

from ..methods import METHODS
from . import methods, output


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "show",
        help="show a method: formula, options, source",
        description="Show a method: its formula, its options and where it comes from.",
    )
    parser.add_argument(
        "method", choices=METHODS, metavar="METHOD", help=f"one of {', '.join(METHODS)}"
    )
    output.add(parser)
    parser.set_defaults(run=_run)


def sections(doc: str) -> dict[str, str]:
    """The sections of a numpydoc docstring by their names; what comes before them is ''."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", doc, flags=re.MULTILINE)
    texts = zip(["", *parts[1::2]], parts[0::2], strict=True)
    return {name: text.strip("\n") for name, text in texts}


def entries(section: str) -> dict[str, str]:
    """The entries of a Parameters section: their texts, as one line, by their names."""
    parts = re.split(r"^(\w+).*\n(?= )", section + "\n", flags=re.MULTILINE)
    return {
        name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def _run(options: argparse.Namespace) -> int:
    method = METHODS[options.method]
    parts = sections(method.__doc__ or "")
    formula = textwrap.dedent(parts["Notes"].split("::\n", 1)[1]).strip("\n")
    texts = entries(parts["Parameters"])
    defaults = {"learning_rate": method.learning_rate} | dict(method.hyper)
    if options.json:
        meaning = {name: texts[name] for name in defaults}
        details = {"meaning": meaning, "formula": formula, "references": parts["References"]}
        output.give_json(options, methods.data(method) | details)
        return 0
    listed = [
        f"{name}, default {default!r}\n{textwrap.indent(textwrap.fill(texts[name], 88), '    ')}"
        for name, default in defaults.items()
    ]
    text = "\n\n".join([
        f"{method.__name__}\n{'=' * len(method.__name__)}",
        parts[""],
        "Update, with x <- x - learning_rate * d, where d is returned first:",
        textwrap.indent(formula, "    "),
        f"Options, beside those of every method (`python -m pydoc scipy_gd.{method.__name__}`):",
        textwrap.indent("\n".join(listed), "    "),
        "Source:",
        textwrap.indent(parts["References"], "    "),
    ])  # fmt: skip
    output.say(text)
    return 0
