"""The command line, one module per command: `add` declares it, and `execute` runs it."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from . import check_grad, compare, methods, show, sweep

DESCRIPTION = "Gradient descent and its family as methods for scipy.optimize.minimize."
EPILOG = """\
A PROBLEM is one of scipy_gd.problems, such as rosenbrock, or module:function,
importable from the current directory: a function of an array that returns a
number.

exit codes: 0 success; 1 a gradient is wrong, or no run converged;
2 bad arguments; 130 interrupted
"""


def execute(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and execute a command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="scipy-gd" if Path(sys.argv[0]).stem == "scipy-gd" else "python -m scipy_gd",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (compare, sweep, check_grad, methods, show):
        own = command.add(commands)
        own.add_argument("--json", action="store_true", help="print JSON instead of text")
        own.set_defaults(execute=command.execute, parser=own)
    given = sys.argv[1:] if argv is None else argv
    options = parser.parse_args([*map(_no_option, given)])
    options.stdout = sys.stdout
    # keep what a user's function prints out of the JSON
    apart = contextlib.redirect_stdout(sys.stderr) if options.json else contextlib.nullcontext()
    try:
        with apart:
            return int(options.execute(options))
    except BrokenPipeError:  # `| head` has seen enough; nothing more may be flushed to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), options.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        file = getattr(options, "checkpoint", None)
        kept = f"; the same command continues from the finished runs in {file}" if file else ""
        print(f"interrupted{kept}", file=sys.stderr)
        return 130


def _no_option(text: str) -> str:
    """Keep argparse from taking -inf or -1e-3 for an option: nothing with a space is one."""
    try:
        return f" {text}" if float(text) < 0 else text
    except ValueError:
        return text
