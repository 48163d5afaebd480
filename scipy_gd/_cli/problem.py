"""PROBLEM, --jac, --start, --bounds, -n and --seed: what is solved, checked before any work."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds

from ..arguments import limits
from ..methods import gd
from ..problems import PROBLEMS, Problem
from ..solvers import Solver
from ..task import Task


class Given(NamedTuple):
    """A problem in one size, as `compare` and `sweep` take it, and the task they make of it."""

    fun: Problem | Callable[..., Any]
    arguments: dict[str, Any]
    task: Task


def add(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Declare the arguments that say what is solved."""
    add = parser.add_argument
    add(
        "problem",
        metavar="PROBLEM",
        type=_problem,
        help=f"{', '.join(PROBLEMS)}; or module:function" + f"; default: {default}" * bool(default),
        **({"nargs": "?", "default": default} if default else {}),  # type: ignore[arg-type]
    )
    add("--jac", metavar="J", type=_gradient, help="the gradient, as module:function, or true "
        "if the function returns both; default: finite differences")  # fmt: skip
    add(
        "--start",
        nargs="+",
        type=float,
        metavar="X",
        help="the start; default: that of the problem",
    )
    add("--bounds", nargs="+", type=float, metavar=("LOW", "HIGH"), help="a pair for each "
        "parameter, or one pair for all; inf and -inf mean none")  # fmt: skip
    add("-n", nargs="+", type=above_zero(int), metavar="N", help="the size of the problem")
    add("--seed", type=_seed, default=0, help="for random problems and methods; default: 0")


def add_number(
    parser: argparse.ArgumentParser, name: str, kind: Callable[[str], Any], default: Any, text: str
) -> None:
    """Declare an argument that is a number above 0."""
    kind = above_zero(kind)
    parser.add_argument(name, type=kind, default=default, help=f"{text}; default: %(default)s")


def above_zero(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if not (value := kind(text)) > 0:
            raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
        return value

    parse.__name__ = kind.__name__  # what argparse calls it: "invalid int value"
    return parse


def _seed(text: str) -> int:
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {value}")
    return value


def _problem(text: str) -> Any:
    if ":" in text:
        return _import(text)
    if text not in PROBLEMS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither one of {', '.join(PROBLEMS)} nor a module:function"
        )
    return PROBLEMS[text]


def _gradient(text: str) -> Any:
    if text.lower() == "true":
        return True
    if ":" not in text:
        raise argparse.ArgumentTypeError(f"must be module:function or true, got {text!r}")
    return _import(text)


def _import(text: str) -> Any:
    """The object that ``module:name`` names, importable from the current directory too."""
    module, _, name = text.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name is not None
        if missing and f"{module}.".startswith(f"{error.name}."):  # type: ignore[attr-defined]
            hint = f": name the module {module[:-3]!r}, not the file" * module.endswith(".py")
            said = f"there is no module {module!r} in {os.getcwd()}, nor is it installed{hint}"
        else:
            said = f"the import of {module!r} failed with {type(error).__name__}: {error}"
        raise argparse.ArgumentTypeError(said) from error
    try:
        thing = attrgetter(name)(found)
    except AttributeError:
        own = (k for k, v in vars(found).items() if getattr(v, "__module__", "") == module)
        names = ", ".join(k for k in own if not k.startswith("_"))
        raise argparse.ArgumentTypeError(
            f"the module {module!r} has no {name!r}; its functions are {names or 'none'}"
        ) from None
    if not callable(thing) and not isinstance(thing, Problem):
        raise argparse.ArgumentTypeError(f"{text} must be a function, got {thing!r:.60}")
    return thing


def given(options: argparse.Namespace, sizes: Sequence[int] = ()) -> list[Given]:
    """The problem in each size, by default in `sizes`, with its start; errors end the command."""
    parser, start = options.parser, options.start
    bounds = options.bounds and _bounds(parser, options.bounds)
    every = []
    for fun in _of_sizes(options, sizes):
        if start is None and not isinstance(fun, Problem):
            parser.error("argument --start: a function of your own needs one")
        if isinstance(fun, Problem) and start is not None and len(start) != fun.n:
            parser.error(f"argument --start: {len(start)} numbers for n = {fun.n}")
        x0 = fun.x0 if start is None else start
        arguments = {"x0": x0, "jac": options.jac, "bounds": bounds}
        every.append(Given(fun, arguments, _tried(parser, fun, arguments)))
    return every


def _bounds(parser: argparse.ArgumentParser, numbers: list[float]) -> Bounds | list[Any]:
    pairs = [*zip(numbers[0::2], numbers[1::2], strict=False)]
    if len(numbers) % 2:
        parser.error(f"argument --bounds: must be pairs LOW HIGH, got {len(numbers)} numbers")
    return Bounds(*pairs[0]) if len(pairs) == 1 else pairs


def _of_sizes(options: argparse.Namespace, sizes: Sequence[int]) -> list[Any]:
    """The problem in each size."""
    parser, factory = options.parser, options.problem
    if factory not in PROBLEMS.values():
        if options.n is not None:
            parser.error("argument -n: the size of this problem is that of its start")
        return [factory]
    accepted = inspect.signature(factory).parameters
    seed = {"rng": options.seed} if "rng" in accepted else {}
    if "n" in accepted:
        sizes = options.n or ([len(options.start)] if options.start else sizes)
        calls = [seed | {"n": n} for n in dict.fromkeys(sizes)] or [seed]
    else:
        calls = [seed]
    try:
        problems = [factory(**call) for call in calls]
    except ValueError as error:
        parser.error(f"argument -n: {error}")
    if "n" not in accepted and options.n not in (None, [problems[0].n]):
        parser.error(f"argument -n: {problems[0].name} has n = {problems[0].n} only")
    return problems


def _tried(parser: argparse.ArgumentParser, fun: Any, arguments: dict[str, Any]) -> Task:
    """The task; its functions are evaluated at the start, where `minimize` checks them."""
    try:
        limits(arguments["bounds"], len(arguments["x0"]))
    except ValueError as error:
        parser.error(f"argument --bounds: {error}")
    try:
        task = Task.of(fun, **arguments)
    except ValueError as error:
        parser.error(f"argument --start: {error}")
    box = task.box
    if box is not None and not task.inside(task.x0):
        parser.error(f"argument --start: outside the bounds {box[0]} to {box[1]}")
    try:
        with np.errstate(all="ignore"):
            task.minimize(Solver("", gd, {"maxiter": 0}))
    except Exception as error:
        parser.error(
            f"argument PROBLEM: {task.name} fails at the start, an array of {task.x0.size} "
            f"numbers: {type(error).__name__}: {error}"
        )
    return task
