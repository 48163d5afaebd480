"""The option `checkpoint` of a study: finished runs are kept in a file and not repeated."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import _checkpoint
from .._options import writable_file
from ..solvers import Solver
from ..task import Task
from .identity import Identity

PAUSE = 4.0
"""The pause after a write, in multiples of the time it took: only short runs can be lost."""
SAME = 1e-6
"""Two machines agree on f and its gradient at the start to this relative accuracy."""

Run = dict[str, Any]


class Finished:
    """The finished runs of a study of `task`, by their keys; none without a path.

    The file is replaced atomically when a run has finished, and once more at the end. It belongs
    to one kind of study (such as "compare") and one problem, in any size and from any start.

    Raises
    ------
    OSError
        If the file cannot be read or written.
    TypeError, ValueError
        If the file does not belong to this study.
    """

    def __init__(self, path: Any, study: str, task: Task) -> None:
        self.path: Path | None = None
        self.written, self.took, self.pending = -np.inf, 0.0, False
        if path is None:
            return
        self.path, there = study_file(path, study)
        self.state = {"study": study, "problem": task.name, "starts": {}, "runs": {}} | there
        if self.state["problem"] != task.name:
            raise ValueError(
                f"`checkpoint`: {self.path} belongs to another problem, {self.state['problem']}, "
                f"not to {task.name}"
            )
        self.digest = Identity()
        self.start = self.digest(
            [task.x0, task.box, *map(_kind, (task.jac, task.hess, task.hessp))]
        )
        self._recognize(task)

    def _recognize(self, task: Task) -> None:
        """Check by its value at the start that the objective is still that of the file."""
        here, starts = _at_start(task), self.state["starts"]
        if self.start not in starts:  # where two calls differ, the values identify nothing
            again = _at_start(task)
            starts[self.start] = np.where(here == again, here, np.nan)
        there = np.asarray(starts[self.start])
        known = ~np.isnan(there)
        if not np.allclose(here[known], there[known], rtol=SAME, atol=0.0):
            raise ValueError(
                f"`checkpoint`: {self.path} has runs of {task.title}, with another objective, "
                f"gradient or data: f and |g| at and near the start were {_pair(there)}, and are "
                f"now {_pair(here)}"
            )

    def key(self, solver: Solver, *limits: Any) -> str:
        """What identifies a run: problem, start, method, options with the seed, and limits."""
        if self.path is None:
            return ""
        given = [self.start, solver.label, solver.method, dict(solver.options), limits]
        try:
            return self.digest(given)
        except (TypeError, AttributeError, RecursionError, pickle.PicklingError) as error:
            raise TypeError(
                f"`checkpoint`: {solver.label} has an option that another process could not "
                f"recognize ({error})"
            ) from error

    def get(self, key: str) -> Run | None:
        return None if self.path is None else self.state["runs"].get(key)

    def put(self, key: str, run: Run) -> None:
        if self.path is None:
            return
        self.state["runs"][key] = run
        self.pending = True
        if time.perf_counter() - self.written >= PAUSE * self.took:
            self._write(self.path)

    def _write(self, path: Path) -> None:
        began, self.pending = time.perf_counter(), False
        _checkpoint.write(path, self.state)
        self.written = time.perf_counter()
        self.took = self.written - began

    def __enter__(self) -> Finished:
        return self

    def __exit__(self, *_: Any) -> None:
        if self.path is not None and self.pending:
            self._write(self.path)


def study_file(path: Any, study: str) -> tuple[Path, dict[str, Any]]:
    """The path of the checkpoint of a study, and its contents; see `Finished` for the errors."""
    path, there = writable_file("checkpoint", path)
    if there is not None and there.get("study") != study:
        kind = f"`{there['study']}`" if "study" in there else "a run"
        raise ValueError(f"`checkpoint`: {path} is a checkpoint of {kind}, not of `{study}`")
    return path, there or {}


def _at_start(task: Task) -> np.ndarray[Any, Any]:
    """The value and, if given, the norm of the gradient (else nan), at and near the start.

    Different objectives may agree at the start alone, such as at 0.
    """
    given = task.jac is True or callable(task.jac)
    x = task.x0
    near = x + 0.1 * (1.0 + np.abs(x)) * np.cos(np.arange(x.size))
    points = x, near if task.box is None else np.clip(near, *task.box)
    found = [(task.value(y), task.gnorm(y) if given else np.nan) for y in points]
    return np.array(found).ravel()


def _pair(figures: Any) -> str:
    """Value and gradient at the start; those near it if they tell."""
    return ", ".join("-" if np.isnan(figure) else f"{figure:.9g}" for figure in figures)


def _kind(derivative: Any) -> Any:
    """Whether a derivative is given, or which differences replace it."""
    return True if callable(derivative) else derivative
