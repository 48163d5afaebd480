"""One method, or several, at every setting of a grid."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import map_like
from ..methods import adam
from ..problems import Problem
from ..solvers import Solver, as_solvers, label_of
from ..tables import Column, Table, cut, json_ready, one_line
from ..task import Array, Task
from ..workers import mapping
from .finished import Finished, Run
from .progress import announce

__all__ = ["Setting", "Sweep", "sweep"]

COUNTS = ("nit", "nfev", "njev")
FIGURES = ("f", "held_out", "gnorm", *COUNTS, "success")
NEAR = 1e-6
"""Values count as equal if they differ by less than this fraction of the best run's decrease."""


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting of the grid and its runs, one for each seed.

    Attributes
    ----------
    method : str
        The method's label.
    options : dict
        All options of the setting except `rng`, ready for ``minimize(..., options=options)``.
    seeds : ndarray of int, shape (seeds,)
        The `rng` of each run.
    f, gnorm : ndarray, shape (seeds,)
        The value and the largest component of the (projected) gradient at each returned point;
        nan for runs that raised an error.
    held_out : ndarray, shape (seeds,)
        The lowest loss on the held-out data (option `validation`); nan if there are none.
    nit, nfev, njev : ndarray, shape (seeds,)
        Iterations and calls, as reported by the method.
    success : ndarray of bool, shape (seeds,)
        The method's own verdict.
    messages : tuple of str
        How each run ended, or the error that it raised.
    x : ndarray, shape (seeds, n)
        The returned points.
    """

    method: str
    options: dict[str, Any]
    seeds: NDArray[np.int_]
    f: Array
    gnorm: Array
    held_out: Array
    nit: NDArray[np.int_]
    nfev: NDArray[np.int_]
    njev: NDArray[np.int_]
    success: NDArray[np.bool_]
    messages: tuple[str, ...]
    x: Array = field(repr=False)

    @property
    def message(self) -> str:
        """str : how the first unsuccessful run ended, or the first run if all succeeded."""
        return self.messages[int(np.argmin(self.success))]


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Table[Setting]):
    """The settings of a sweep; prints as a table, or as an HTML table in a notebook.

    There is a column for every option that is an axis of the grid. With several seeds, the figures
    are medians, and the range of `f` is next to its median. With held-out data, their loss is next
    to `f`, which is the value on the training data.

    Attributes
    ----------
    name : str
        The objective's name.
    rows : tuple of Setting
        In the order of the grid, the last axis changing fastest.
    axes : dict
        The values of every axis.
    f_start, held_out_start : float
        The value at the start, and the loss there on held-out data (nan if there are none).
    n : int
        The number of parameters.

    Examples
    --------
    >>> from scipy_gd import adam, sweep
    >>> from scipy_gd.problems import rosenbrock
    >>> result = sweep(rosenbrock(), method=adam, learning_rate=[1e-3, 1e-2, 1e-1], maxiter=3000)
    >>> result.axes
    {'learning_rate': [0.001, 0.01, 0.1]}
    >>> result[0].options, result[0].x.shape
    ({'learning_rate': 0.001, 'maxiter': 3000}, (1, 2))
    >>> result.label(result.best), bool(result.best.success[0])
    ('adam, learning_rate=0.1', True)
    >>> [run["learning_rate"] for run in result.to_dicts()]
    [0.001, 0.01, 0.1]
    """

    name: str
    rows: tuple[Setting, ...]
    axes: dict[str, list[Any]]
    f_start: float
    held_out_start: float
    n: int

    @property
    def title(self) -> str:
        """str : the objective, its size and the best setting."""
        return f"{self.name}, n = {self.n}, best: {self.label(self.best)}"

    @property
    def columns(self) -> Mapping[str, Column]:
        seeds = self.rows[0].seeds.size

        def ok(share: float) -> str:
            return f"{share * seeds:.0f}/{seeds}" if seeds > 1 else "yes" if share else "no"

        def spread(row: Setting) -> str:
            return f"{row.f.min():.1e} to {row.f.max():.1e}"

        def figure(name: str, head: str, show: str = "{:.2e}", spare: int = 0) -> Column:
            return Column(head, partial(_median, name), show.format, spare=spare)

        columns = {"method": Column("method", attrgetter("method"), left=True)}
        columns |= {a: Column(a, partial(_chosen, a), _shown, text=True) for a in self.axes}
        spare = zip(COUNTS, (1, 6, 4), strict=True)
        columns |= {name: figure(name, name, "{:.0f}", place) for name, place in spare}
        columns["f"] = figure("f", "f")
        columns |= {"range": Column("range of f", spread, spare=3)} if seeds > 1 else {}
        columns |= {"held_out": figure("held_out", "held-out", "{:.5g}")} if self._held_out else {}
        return columns | {
            "gnorm": figure("gnorm", "|g|", "{:.1e}", 2),
            "success": Column("ok", lambda r: np.mean(r.success), ok),
            "message": Column("message", attrgetter("message"), one_line, left=True, spare=5),
        }

    @property
    def _held_out(self) -> bool:
        return any(np.any(row.held_out == row.held_out) for row in self.rows)

    @property
    def _judged(self) -> tuple[str, float]:
        """The figure that the settings are judged by, and what it is at the start."""
        return ("held_out", self.held_out_start) if self._held_out else ("f", self.f_start)

    @property
    def best(self) -> Setting:
        """Setting : the one to use.

        Among the settings whose (median) value is as close to the lowest one as Moré and Wild's
        test requires, ``f <= f_least + 1e-6 (f_start - f_least)``, it is the one with the most
        successes, and among those the one with the fewest evaluations. With held-out data, f stands
        for their loss. A setting with a run that raised an error or has no such loss comes last.
        """
        name, start = self._judged
        values = [_median(name, row) for row in self.rows]
        least = min((f for f in values if not math.isnan(f)), default=math.nan)
        enough = least + NEAR * max(start - least, 0.0)

        def merit(row: Setting) -> tuple[Any, ...]:
            f = _median(name, row)
            failed = row.success.size - np.sum(row.success)
            if f <= enough:
                return 0, failed, _median("nfev", row) + _median("njev", row), f
            return (1, f) if f < math.inf else (2,)

        return min(self.rows, key=merit)

    def label(self, setting: Setting) -> str:
        """The name of a setting: its method and its values on the axes."""
        return _label(setting.method, setting.options, self.axes)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return every run as plain Python objects, ready for JSON or `pandas.DataFrame`.

        There is one dict per run: method, every option except `validation`, seed, f, held_out,
        gnorm, nit, nfev, njev, success, message, x. JSON has neither nan nor infinity: such figures
        become None. Other objects, such as schedules, are given by their `repr`.
        """
        return [
            {"method": row.method}
            | {k: json_ready(value) for k, value in row.options.items() if k != "validation"}
            | {"seed": int(seed)}
            | {name: json_ready(getattr(row, name)[k]) for name in FIGURES}
            | {"message": row.messages[k], "x": json_ready(row.x[k])}
            for row in self.rows
            for k, seed in enumerate(row.seeds)
        ]

    def plot(self, path: Any = None, ax: Any = None) -> Any:
        """Plot the final values against the learning rate; returns the matplotlib Figure.

        As in `scipy_gd.plot.sensitivity`, there is a curve for each method and each setting of the
        other axes, and runs without any improvement are crosses. With held-out data, their lowest
        loss replaces the value. Learning rates that are not numbers, such as "auto", are left out.

        Parameters
        ----------
        path : str or path-like, optional
            Where to save the plot; the extension sets the format.
        ax : matplotlib Axes, optional
            Where to draw.
        """
        from ..plot import sensitivity

        name, start = self._judged
        others = [axis for axis in self.axes if axis != "learning_rate"]
        curves: dict[str, tuple[list[float], list[Array]]] = {}
        for row in self.rows:
            if isinstance(rate := row.options.get("learning_rate"), int | float):
                rates, values = curves.setdefault(_label(row.method, row.options, others), ([], []))
                rates.append(rate)
                values.append(getattr(row, name))
        if not curves:
            raise ValueError(
                "`learning_rate` must be a number in some setting, for a curve to draw"
            )
        arrays = {label: tuple(map(np.array, curve)) for label, curve in curves.items()}
        # a run without any improvement has diverged: its best point is the start
        drawn = sensitivity(arrays, worst=np.nextafter(start, -np.inf), ax=ax)
        if self._held_out:
            drawn.set_ylabel("lowest held-out loss")
        figure = drawn.figure
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def _median(name: str, row: Setting) -> float:
    return float(np.median(getattr(row, name)))


def _chosen(axis: str, row: Setting) -> Any:
    return row.options.get(axis, math.nan)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:g}"
    return cut(one_line(label_of(value)), 60)


def _label(method: str, options: Mapping[str, Any], axes: Any) -> str:
    places = [f"{name}={_shown(options[name])}" for name in axes if name in options]
    return ", ".join([method, *places])


def _outcome(task: Task, job: tuple[int, Solver]) -> tuple[int, Run]:
    """Run one setting with one seed; return its number, and its figures, message and point."""
    k, solver = job
    try:
        with np.errstate(all="ignore"):
            result = task.minimize(solver)
            x = np.array(result.x, float).reshape(task.x0.shape)
            losses = [loss for loss in result.get("validation_losses", ()) if loss == loss]
            return k, {
                "f": task.value(x),
                "held_out": min(losses, default=math.nan),
                "held_out_start": losses[0] if losses else math.nan,
                "gnorm": task.gnorm(x),
                **{name: int(result.get(name, 0)) for name in COUNTS},
                "success": bool(result.success),
                "message": str(result.get("message", "")),
                "x": x,
                "failed": False,
            }
    except Exception as error:
        unknown = dict.fromkeys(("f", "held_out", "held_out_start", "gnorm"), math.nan)
        said = {"success": False, "message": f"{type(error).__name__}: {error}", "failed": True}
        return k, unknown | dict.fromkeys(COUNTS, 0) | said | {"x": np.full_like(task.x0, math.nan)}


def sweep(
    fun: Problem | Callable[..., Any],
    x0: ArrayLike | None = None,
    method: Any = adam,
    *,
    args: tuple[Any, ...] = (),
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    seeds: int | Sequence[int] = (0,),
    workers: Any = None,
    check: bool = True,
    progress: bool = False,
    checkpoint: Any = None,
    **options: Any,
) -> Sweep:
    """Run a method at every setting of a grid, with every seed.

    An option given as a list or an array is an axis of the grid; any other value is the same for
    all runs. The result is a `Sweep`: a sequence of `Setting` that prints as a table, knows the
    best setting and can be plotted.

    Parameters
    ----------
    fun : callable or Problem
        The objective, ``fun(x, *args)``, or one of `scipy_gd.problems`.
    x0 : array_like, shape (n,), optional
        The starting point; optional if the problem has one.
    method : callable, str or sequence, default: adam
        One method or several, in any form that `compare` accepts. Each method gets the options that
        it has.
    args, jac, hess, hessp, bounds : optional
        As in `scipy.optimize.minimize`; by default, those of the problem.
    seeds : int or sequence of int, default: (0,)
        Every setting is run once with each of these as `rng`; a number k means 0, 1, ..., k - 1.
    workers : int or map-like callable, optional
        Run in parallel: the number of processes (-1: all cores), or a callable ``map(function,
        items)`` that returns the results in order, such as that of a `Pool` or an executor.
        Everything passed to another process must be picklable, including `fun`.
    check : bool, default: True
        Check the gradient with `check_grad` first, and raise `GradientError` if it is wrong.
    progress : bool, default: False
        Show the progress on stderr: as a bar on a terminal if tqdm is installed, else as one line
        per run.
    checkpoint : str or path-like, optional
        A file for the finished runs, updated as they finish. Runs that are already in the file
        are not repeated: after a crash, or with a larger grid or more seeds, only the missing ones
        are run. Runs that raised an error are tried again. The file belongs to one problem, in any
        size and from any start.
    **options
        Options of the methods, such as `learning_rate`, `beta1` or `maxiter`. A list or an array
        makes an axis. A tuple, a schedule, a string or a number is one value. To pass an array as
        one value (one rate per parameter), put it into a list:
        ``learning_rate=[np.array([1, 2])]``.

    Raises
    ------
    GradientError
        If the gradient is wrong.
    OSError
        If `checkpoint` cannot be written.
    TypeError, ValueError
        If an argument is invalid, or `checkpoint` is a file for another problem or not such a file
        at all.

    Notes
    -----
    A run that raises an error becomes a row with the error as its message; Ctrl-C ends the sweep.
    The value and the gradient of every row are evaluated at the returned point by separate calls. A
    map for joblib or Dask is one line: ``Parallel(n_jobs=2)(delayed(f)(item) for item in items)``
    or ``client.gather(client.map(f, items))`` as a function of f and items.

    A run in `checkpoint` is identified by its start, bounds, method, options and seed, with
    functions compared by their code. The objective is identified by its name and by its value and
    gradient at and near the start, which takes a few extra calls. Results from a map of your own
    are written as they arrive: if they arrive all at once, nothing is written before.

    Examples
    --------
    >>> from scipy_gd import adam, momentum, sweep
    >>> from scipy_gd.problems import rosenbrock
    >>> result = sweep(
    ...     rosenbrock(),
    ...     method=[adam, momentum],
    ...     learning_rate=[1e-3, 1e-2],
    ...     momentum=[0.5, 0.9],
    ...     maxiter=100,
    ... )
    >>> [result.label(setting) for setting in result][:3]
    ['adam, learning_rate=0.001', 'adam, learning_rate=0.01',
     'momentum, learning_rate=0.001, momentum=0.5']
    """
    task = Task.of(fun, x0, jac=jac, hess=hess, hessp=hessp, args=args, bounds=bounds)
    if "rng" in options:
        raise TypeError(
            "`rng` is not an option of a sweep, where each run has its own: use `seeds`"
        )
    draws = _seeds(seeds)
    workers = None if workers is None else map_like("workers", workers, 0)
    axes = {name: _axis(v) for name, v in options.items() if isinstance(v, list | np.ndarray)}
    grid = list(_grid(as_solvers(method), options, axes))
    jobs = [_seeded(solver, seed) for solver in grid for seed in draws.tolist()]
    if isinstance(workers, int) and workers != 1:
        _refuse_what_cannot_travel(task, jobs)
    labels = [_label(solver.label, solver.options, axes) for solver in grid]
    if draws.size > 1:
        labels = [f"{label}, seed {seed}" for label in labels for seed in draws]
    with Finished(checkpoint, "sweep", task) as finished:
        if check and (report := task.check(rng=0)):
            report.raise_if_wrong()
        runs = _run_all(task, jobs, labels, workers, progress, finished)
    k = draws.size
    rows = [_setting(solver, draws, runs[i * k : i * k + k]) for i, solver in enumerate(grid)]
    starts = [run["held_out_start"] for run in runs]
    return Sweep(
        name=task.name,
        rows=tuple(rows),
        axes=axes,
        f_start=task.value(task.x0),
        held_out_start=next((loss for loss in starts if loss == loss), math.nan),
        n=task.x0.size,
    )


def _run_all(
    task: Task,
    jobs: Sequence[Solver],
    labels: Sequence[str],
    workers: Any,
    progress: bool,
    finished: Finished,
) -> list[Run]:
    """The results of all jobs; those that are finished are not run again."""
    keys = [*map(finished.key, jobs)]
    done = {k: run for k, key in enumerate(keys) if (run := finished.get(key))}
    left = [(k, job) for k, job in enumerate(jobs) if k not in done]
    with mapping(workers if left else None, ordered=False) as map_:
        outcomes = map_(partial(_outcome, task), left)
        if not isinstance(outcomes, Iterable):
            raise TypeError(f"a map in `workers` must return the results, got {outcomes!r}")
        if progress:
            told = ((labels[outcome[0]], outcome) for outcome in outcomes)
            outcomes = announce(told, len(left), task.title, "run")
        for k, run in outcomes:
            done[k] = run
            if not run["failed"]:
                finished.put(keys[k], run)
    if len(done) != len(jobs):
        known = len(jobs) - len(left)
        raise ValueError(
            f"a map in `workers` must return {len(left)} results, got {len(done) - known}"
        )
    return [done[k] for k in range(len(jobs))]


def _seeds(seeds: Any) -> NDArray[np.int_]:
    said = f"`seeds` must be a number of seeds, or whole numbers from 0, got {seeds!r}"
    if isinstance(seeds, bool) or not isinstance(seeds, int | np.integer | Iterable):
        raise TypeError(said)
    draws = np.array([*seeds]) if isinstance(seeds, Iterable) else np.arange(seeds)
    if not draws.size or draws.dtype.kind not in "iu" or draws.min() < 0:
        raise ValueError(said)
    return draws


def _axis(values: Any) -> list[Any]:
    """The values as a list: the rows of a matrix are arrays, and numbers are Python's own."""
    if isinstance(values, np.ndarray) and values.ndim < 2:
        return [*values.tolist()]
    return [each.item() if isinstance(each, np.generic) else each for each in values]


def _grid(
    every: Sequence[Solver], options: Mapping[str, Any], axes: Mapping[str, Sequence[Any]]
) -> Iterator[Solver]:
    """The methods at every setting of the options that they take."""
    for name in options:
        if not any(solver.takes(name) for solver in every):
            labels = ", ".join(solver.label for solver in every)
            raise TypeError(f"`{name}` is not an option of {labels}")
        if name in axes and not axes[name]:
            raise ValueError(f"`{name}` must have at least one value, got none")
    for solver in every:
        taken = [name for name in options if solver.takes(name)]
        for values in product(*(axes.get(name, [options[name]]) for name in taken)):
            yield replace(solver, options=dict(zip(taken, values, strict=True), **solver.options))


def _seeded(solver: Solver, seed: int) -> Solver:
    known = not isinstance(solver.method, str) and solver.takes("rng")
    return replace(solver, options={**solver.options, "rng": seed}) if known else solver


def _refuse_what_cannot_travel(task: Task, jobs: Sequence[Solver]) -> None:
    try:
        pickle.dumps((task, jobs))
    except Exception as error:
        raise TypeError(
            f"with `workers` the objective and the options must be picklable ({error}): define "
            "functions at the top of a module, or pass a map that stays in this process"
        ) from error


def _setting(solver: Solver, seeds: NDArray[np.int_], runs: Sequence[Run]) -> Setting:
    return Setting(
        method=solver.label,
        options=dict(solver.options),
        seeds=seeds,
        messages=tuple(run["message"] for run in runs),
        x=np.array([run["x"] for run in runs]),
        **{name: np.array([run[name] for run in runs]) for name in FIGURES},
    )
