"""The output of the commands: text or JSON, a plot, and what only a terminal shows."""

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
    add("--output", type=Path, metavar="PATH", help=f"file or folder for the plot; default: "
        f"{name}, with a number added if it exists")  # fmt: skip
    add("--overwrite", action="store_true", help="replace an existing plot")
    add("--no-plot", action="store_true", help="do not draw a plot")


def say(text: Any) -> None:
    """Print for people; if stdout is reserved for JSON, this goes to stderr."""
    print(text, flush=True)


def watched() -> bool:
    """Whether stderr is a terminal: progress is shown only then."""
    return sys.stderr.isatty()


def tell(text: Any) -> None:
    """Print progress if stderr is a terminal."""
    if watched():
        print(text, file=sys.stderr, flush=True)


def filled(text: str, indent: int = 0, hanging: int = 0) -> str:
    """Paragraphs that fill the terminal, up to a readable width."""
    wrapper = TextWrapper(
        width=min(terminal_width(), 100),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_on_hyphens=False,
    )
    return "\n\n".join(wrapper.fill(one_line(paragraph)) for paragraph in text.split("\n\n"))


def lines(text: str) -> str:
    """The lines of a text, with those too long for the terminal wrapped."""
    return "\n".join(
        line if len(line) <= terminal_width() else filled(line, hanging=2)
        for line in text.splitlines()
    )


def give_json(options: argparse.Namespace, data: Any) -> None:
    """Print the result as JSON."""
    text = json.dumps(json_ready(data), indent=2, allow_nan=False)
    print(text, file=options.stdout, flush=True)


def canvas(options: argparse.Namespace) -> Path | None:
    """Return the file to draw into, or None if nothing can be drawn; the reason is printed."""
    if options.no_plot:
        return None
    try:
        import matplotlib
    except ImportError:
        print("no plot without matplotlib: pip install matplotlib", file=sys.stderr)
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
            f"argument --output: unknown format {output.suffix}; known: {', '.join(formats)}"
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
    """Write a file, with a number added to its name if it would replace another."""
    for k in count(1):
        place = path.with_stem(f"{path.stem}-{k}") if k > 1 else path
        try:
            with open(place, "wb" if overwrite else "xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return place
    raise AssertionError
