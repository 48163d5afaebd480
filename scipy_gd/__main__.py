"""The command line: ``python -m scipy_gd compare`` sets the methods side by side."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Read when SciPy is loaded. On small problems BLAS threads wait more than they work, and at
    # times half a second at once: that would be L-BFGS-B's time, not the method's.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from . import METHODS, __version__, check_grad
from ._compare import Comparison, compare
from ._task import SCIPY
from .problems import PROBLEMS, Problem

SIZES = (2, 10, 100)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 if all is well, 1 if a gradient failed its check, 130 after Ctrl-C. Bad
        arguments raise SystemExit with code 2, as argparse does.

    Examples
    --------
    >>> import contextlib, io
    >>> from scipy_gd.__main__ import main
    >>> with contextlib.redirect_stderr(io.StringIO()):
    ...     main(["compare", "-n", "2", "--methods", "BFGS", "--no-plot"])  # doctest: +ELLIPSIS
    rosenbrock, n = 2: gradient check: ok ...
    method  nit  nfev  njev  nhev  time/s ...
    0
    """
    parser = argparse.ArgumentParser(prog="python -m scipy_gd", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_compare(commands)
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _add_compare(commands: Any) -> None:
    """Declare the command that compares."""
    parser = commands.add_parser(
        "compare",
        help="run the methods and SciPy's solvers on a test problem: a table and a picture",
        description="Run the methods and SciPy's solvers on a test problem through one recorder, "
        "print a table for each size and draw a picture.",
    )
    add = parser.add_argument
    add("--problem", choices=PROBLEMS, default="rosenbrock", help="default: %(default)s")
    add("-n", nargs="+", type=_above_zero(int), metavar="N", help="sizes; default: 2 10 100")
    add("--start", nargs="+", type=float, metavar="X", help="default: the problem's own")
    add(
        "--methods",
        nargs="+",
        choices=[*METHODS, *SCIPY],
        metavar="METHOD",
        help=f"of {', '.join(METHODS)}; or SciPy's {', '.join(SCIPY)}; "
        "default: all of the former, and the most used of the latter",
    )
    for name, kind, default, text in [
        ("--maxfev", int, 10_000, "evaluations for each solver"),
        ("--maxtime", float, 10.0, "seconds for each solver"),
        ("--gtol", float, 1e-5, "gradient test"),
    ]:
        add(name, type=_above_zero(kind), default=default, help=f"{text}; default: %(default)s")
    add("--seed", type=int, default=0, help="for random problems and methods; default: %(default)s")
    add(
        "--output",
        type=Path,
        default=Path("comparison.png"),
        metavar="PATH",
        help="the picture or its folder; default: %(default)s",
    )
    add("--no-plot", action="store_true", help="draw no picture")
    add("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=partial(_compare, parser))


def _above_zero(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
        return value

    parse.__name__ = kind.__name__  # what argparse calls it: "invalid int value"
    return parse


def _compare(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    say = partial(print, file=sys.stderr if options.json else sys.stdout, flush=True)
    problems = _problems(parser, options)
    picture = None if options.no_plot else _picture(parser, options.output)

    good = True
    for problem, x0 in problems:
        check = check_grad(
            problem.fun, problem.jac, x0, args=problem.args, bounds=problem.bounds, rng=options.seed
        )
        good &= check.ok
        report = str(check)
        say(f"{problem.name}, n = {problem.n}: {report.splitlines()[0] if check.ok else report}")
    if not good:
        return 1

    results = []
    for problem, x0 in problems:
        result = compare(
            problem,
            x0,
            methods=options.methods and list(dict.fromkeys(options.methods)),
            maxfev=options.maxfev,
            maxtime=options.maxtime,
            gtol=options.gtol,
            rng=options.seed,
            check=False,
            progress=True,
        )
        results.append(result)
        if not options.json:
            say(f"\n{result}")
    if options.json:
        print(json.dumps([_summary(result) for result in results], indent=2, allow_nan=False))
    if picture is not None:
        _draw(parser, results, picture)
        say(f"\nsaved {picture}")
    return 0


def _problems(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> list[tuple[Problem, Any]]:
    """Return the problem in each size with its start."""
    factory = PROBLEMS[options.problem]
    accepted = inspect.signature(factory).parameters
    given = {"rng": options.seed} if "rng" in accepted else {}
    if "n" in accepted:
        sizes = options.n or ([len(options.start)] if options.start else SIZES)
        calls = [given | {"n": n} for n in dict.fromkeys(sizes)]
    else:
        calls = [given]
    try:
        problems = [factory(**call) for call in calls]
    except ValueError as error:
        parser.error(f"argument -n: {error}")
    start = options.start
    for problem in problems:
        if "n" not in accepted and options.n not in (None, [problem.n]):
            parser.error(f"argument -n: {problem.name} has n = {problem.n} only")
        if start is None:
            continue
        if len(start) != problem.n:
            parser.error(f"argument --start: {len(start)} numbers for n = {problem.n}")
        box = problem.bounds
        if box is not None and not all((box.lb <= start) & (start <= box.ub)):
            parser.error(f"argument --start: outside the bounds {box.lb} to {box.ub}")
    return [(p, p.x0 if start is None else start) for p in problems]


def _picture(parser: argparse.ArgumentParser, output: Path) -> Path | None:
    """Return the file to draw into; None, with a word on it, where nothing can be drawn."""
    try:
        import matplotlib
    except ImportError:
        print("no picture without matplotlib: pip install scipy_gd[plot]", file=sys.stderr)
        return None
    matplotlib.use("agg")
    from matplotlib.backend_bases import FigureCanvasBase

    if output.is_dir() or not output.suffix:
        output = output / "comparison.png"
    formats = FigureCanvasBase.get_supported_filetypes()
    if output.suffix[1:].lower() not in formats:
        parser.error(
            f"argument --output: no format {output.suffix}; there are {', '.join(formats)}"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --output: {error}")
    return output


def _draw(parser: argparse.ArgumentParser, results: list[Comparison], picture: Path) -> None:
    from matplotlib.pyplot import close

    from .plot import comparison

    figure = comparison(results)
    try:
        figure.savefig(picture, dpi=150)
    except OSError as error:
        parser.error(f"argument --output: {error}")
    close(figure)


def _summary(result: Comparison) -> dict[str, Any]:
    return {"problem": result.name, "n": result.x0.size, "rows": result.to_dicts()}


if __name__ == "__main__":
    sys.exit(main())
