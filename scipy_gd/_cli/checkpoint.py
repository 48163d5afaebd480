"""--checkpoint: a file for the finished runs of `compare` and `sweep`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from ..study.finished import study_file


def add(parser: argparse.ArgumentParser, study: str) -> None:
    """Declare it; a problem with the file is reported before any work is done."""

    def writable(path: str) -> str:
        try:
            study_file(path, study)
        except (OSError, ValueError) as error:
            raise argparse.ArgumentTypeError(_said(error)) from error
        return path

    parser.add_argument("--checkpoint", type=writable, metavar="FILE", help="save finished "
        "runs in this file; they are not run again")  # fmt: skip


@contextlib.contextmanager
def blamed(options: argparse.Namespace) -> Iterator[None]:
    """Report errors about the file of a study as errors of the argument."""
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        if "checkpoint" not in str(error):
            raise
        options.parser.error(f"argument --checkpoint: {_said(error)}")


def _said(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}"
    return text.replace("`checkpoint`: ", "")
