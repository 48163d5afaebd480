"""What the commands give out: text or JSON, and a picture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..tables import json_ready


def add_picture(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare --output and --no-plot."""
    parser.set_defaults(picture=name)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(name),
        metavar="PATH",
        help="the picture or its folder; default: %(default)s",
    )
    parser.add_argument("--no-plot", action="store_true", help="draw no picture")


def say(text: Any) -> None:
    """Print for people; where stdout is for JSON, it goes to stderr."""
    print(text, flush=True)


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

    output: Path = options.output
    if output.is_dir() or not output.suffix:
        output = output / options.picture
    formats = FigureCanvasBase.get_supported_filetypes()
    if output.suffix[1:].lower() not in formats:
        options.parser.error(
            f"argument --output: no format {output.suffix}; there are {', '.join(formats)}"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        options.parser.error(f"argument --output: {error}")
    return output


def draw(options: argparse.Namespace, path: Path, plot: Callable[[], Any]) -> None:
    """Save the figure that `plot` draws."""
    from matplotlib.pyplot import close

    figure = plot()
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        options.parser.error(f"argument --output: {error}")
    close(figure)
    say(f"\nsaved {path}")
