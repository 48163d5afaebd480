"""What the commands give out: text or JSON, a picture, and what is only for a terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from io import BytesIO
from itertools import count
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from ..tables import json_ready, one_line, terminal_width


def add_picture(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare --output, --overwrite and --no-plot."""
    parser.set_defaults(picture=Path(name))
    add = parser.add_argument
    add("--output", type=Path, metavar="PATH", help=f"the picture or its folder; default: {name}, "
        "with a number if there is one already")  # fmt: skip
    add("--overwrite", action="store_true", help="replace a picture that exists")
    add("--no-plot", action="store_true", help="draw no picture")


def say(text: Any) -> None:
    """Print for people; where stdout is for JSON, it goes to stderr."""
    print(text, flush=True)


def watched() -> bool:
    """Whether somebody sees stderr: what happens on the way is told only then."""
    return sys.stderr.isatty()


def tell(text: Any) -> None:
    """Tell those who watch how it goes."""
    if watched():
        print(text, file=sys.stderr, flush=True)


def filled(text: str, indent: int = 0, hanging: int = 0) -> str:
    """Paragraphs that fill the terminal, up to a width that can be read."""
    wrapper = TextWrapper(
        width=min(terminal_width(), 100),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_on_hyphens=False,
    )
    return "\n\n".join(wrapper.fill(one_line(paragraph)) for paragraph in text.split("\n\n"))


def lines(text: str) -> str:
    """The lines of a text, those that are too long for the terminal folded."""
    return "\n".join(
        line if len(line) <= terminal_width() else filled(line, hanging=2)
        for line in text.splitlines()
    )


def give_json(options: argparse.Namespace, data: Any) -> None:
    """Print the result as JSON."""
    text = json.dumps(json_ready(data), indent=2, allow_nan=False)
    print(text, file=options.stdout, flush=True)


def canvas(options: argparse.Namespace) -> Path | None:
    """Return the file to draw into; None, and say why, where nothing can be drawn."""
    if options.no_plot:
        return None
    try:
        import matplotlib
    except ImportError:
        print("no picture without matplotlib: pip install matplotlib", file=sys.stderr)
        return None
    matplotlib.use("agg")
    from matplotlib.backend_bases import FigureCanvasBase

    output: Path = options.output or options.picture
    named = options.output is not None
    if output.is_dir() or not output.suffix:
        output, named = output / options.picture, False
    formats = FigureCanvasBase.get_supported_filetypes()
    if _format(output) not in formats:
        options.parser.error(
            f"argument --output: no format {output.suffix}; there are {', '.join(formats)}"
        )
    if named and output.exists() and not options.overwrite:
        options.parser.error(
            f"argument --output: {output} exists; choose another name, or add --overwrite"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        options.parser.error(f"argument --output: {error}")
    return output


def draw(options: argparse.Namespace, path: Path, plot: Callable[[], Any]) -> None:
    """Save the figure that `plot` draws."""
    from matplotlib.pyplot import close

    figure, picture = plot(), BytesIO()
    figure.savefig(picture, format=_format(path), dpi=150)
    close(figure)
    try:
        path = _save(picture.getvalue(), path, options.overwrite)
    except OSError as error:
        options.parser.error(f"argument --output: {error}")
    say(f"\nsaved {path}")


def _format(path: Path) -> str:
    return path.suffix[1:].lower()


def _save(content: bytes, path: Path, overwrite: bool) -> Path:
    """Write a file; with a number in its name where it would replace another."""
    for k in count(1):
        place = path.with_stem(f"{path.stem}-{k}") if k > 1 else path
        try:
            with open(place, "wb" if overwrite else "xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return place
    raise AssertionError
