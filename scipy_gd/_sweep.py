"""One method, or several, at every setting of a grid."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._evaluate.evaluator import mapping
from ._options import COMMON
from ._table import Column, Table, one_line, plain
from ._task import Array, Solver, Task, announce, contestants, label_of
from .methods import adam
from .problems import Problem

__all__ = ["Setting", "Sweep", "sweep"]

NEAR = 1e-6
"""Values that differ by less than this part of what the best run gained are equally good."""


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting of the grid and its runs, one for each seed.

    Attributes
    ----------
    method : str
        The method's label.
    options : dict
        All options of the setting, but for `rng`: ready for ``minimize(..., options=options)``.
    seeds : ndarray of int, shape (seeds,)
        What each run was given as `rng`.
    f, gnorm : ndarray, shape (seeds,)
        At each returned point: the value and the largest component of the (projected) gradient;
        nan where a run has raised an error.
    nit, nfev, njev : ndarray, shape (seeds,)
        Iterations and calls, as the method reports them.
    success : ndarray of bool, shape (seeds,)
        The method's own verdict.
    messages : tuple of str
        How each run ended, or the error that it has raised.
    x : ndarray, shape (seeds, n)
        The returned points.

    Examples
    --------
    >>> from scipy_gd import adam, sweep
    >>> from scipy_gd.problems import rosenbrock
    >>> setting = sweep(rosenbrock(), method=adam, learning_rate=[0.01, 0.1], maxiter=500)[1]
    >>> setting.options
    {'learning_rate': 0.1, 'maxiter': 500}
    >>> setting.x.shape, setting.nfev
    ((1, 2), array([501]))
    """

    method: str
    options: dict[str, Any]
    seeds: NDArray[np.int_]
    f: Array
    gnorm: Array
    nit: NDArray[np.int_]
    nfev: NDArray[np.int_]
    njev: NDArray[np.int_]
    success: NDArray[np.bool_]
    messages: tuple[str, ...]
    x: Array = field(repr=False)

    @property
    def message(self) -> str:
        """str : how the first run ended that was no success, or the first if all were."""
        return self.messages[int(np.argmin(self.success))]


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Table[Setting]):
    """The settings of a sweep; prints as a table, in a notebook as an HTML table.

    With several seeds the figures are medians, and the table has the range of `f` beside its
    median. A column for every option that is an axis of the grid.

    Attributes
    ----------
    name : str
        The objective's name.
    rows : tuple of Setting
        In the order of the grid, the last axis changing fastest.
    axes : dict
        The values of every axis.
    f_start : float
        The value at the start.
    n : int
        The number of parameters.

    Examples
    --------
    >>> from scipy_gd import adam, sweep
    >>> from scipy_gd.problems import rosenbrock
    >>> result = sweep(rosenbrock(), method=adam, learning_rate=[1e-3, 1e-2, 1e-1], maxiter=3000)
    >>> result.axes
    {'learning_rate': [0.001, 0.01, 0.1]}
    >>> result.best.options["learning_rate"], bool(result.best.success[0])
    (0.1, True)
    """

    name: str
    rows: tuple[Setting, ...]
    axes: dict[str, list[Any]]
    f_start: float
    n: int

    @property
    def title(self) -> str:
        """str : the objective, its size and the best setting."""
        return f"{self.name}, n = {self.n}, best: {self.label(self.best)}"

    @property
    def columns(self) -> Mapping[str, Column]:
        several = self.rows[0].seeds.size > 1
        columns = [("method", Column("method", lambda row: row.method, left=True))]
        columns += [(a, Column(a, partial(_chosen, a), partial(_shown, a))) for a in self.axes]
        columns += [
            (name, Column(name, partial(_median, name), "{:.0f}".format))
            for name in ("nit", "nfev", "njev")
        ]
        columns.append(("f", Column("f", partial(_median, "f"), "{:.2e}".format)))
        if several:
            columns.append(("range", Column("range of f", _range)))
        columns += [
            ("gnorm", Column("|g|", partial(_median, "gnorm"), "{:.1e}".format)),
            ("success", Column("ok", lambda row: np.mean(row.success), _share(self.rows[0]))),
            ("message", Column("message", lambda row: row.message, one_line, left=True)),
        ]
        return dict(columns)

    @property
    def best(self) -> Setting:
        """Setting : the one to take.

        Of the settings whose (median) value comes as near to the least one as Moré and Wild's test
        asks, ``f <= f_least + 1e-6 (f_start - f_least)``, it is the one with most successes, and of
        those the one with fewest evaluations. A setting with a run that raised an error comes last.

        Examples
        --------
        >>> from scipy_gd import sweep
        >>> sweep(lambda x: x @ x, [3.0, 4.0], learning_rate=[1e-4, 1.0], maxiter=50).best.method
        'adam'
        """
        values = [_median("f", row) for row in self.rows]
        least = min((f for f in values if not math.isnan(f)), default=math.nan)
        enough = least + NEAR * max(self.f_start - least, 0.0)

        def merit(row: Setting) -> tuple[Any, ...]:
            f = _median("f", row)
            failed = row.success.size - np.sum(row.success)
            if f <= enough:
                return 0, failed, _median("nfev", row) + _median("njev", row), f
            return (1, f) if f < math.inf else (2,)

        return min(self.rows, key=merit)

    def label(self, setting: Setting) -> str:
        """Name a setting: its method and its place on the axes.

        Parameters
        ----------
        setting : Setting

        Returns
        -------
        str

        Examples
        --------
        >>> from scipy_gd import gd, sweep
        >>> result = sweep(lambda x: x @ x, [3.0, 4.0], gd, learning_rate=[0.1, "auto"])
        >>> [result.label(setting) for setting in result]
        ['gd, learning_rate=0.1', 'gd, learning_rate=auto']
        """
        return _label(setting.method, setting.options, self.axes)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return every run as plain Python objects, ready for JSON or `pandas.DataFrame`.

        Returns
        -------
        list of dict
            One per run: method, every option, seed, f, gnorm, nit, nfev, njev, success, message, x.
            JSON knows neither nan nor infinity: such figures are None. What is no number, such as a
            schedule, is given by its `repr`.

        Examples
        --------
        >>> from scipy_gd import gd, sweep
        >>> result = sweep(lambda x: x @ x, [3.0, 4.0], gd, learning_rate=[0.1, 0.2])
        >>> [run["learning_rate"] for run in result.to_dicts()]
        [0.1, 0.2]
        """
        figures = ("f", "gnorm", "nit", "nfev", "njev", "success")
        return [
            {"method": row.method}
            | {name: plain(value) for name, value in row.options.items()}
            | {"seed": int(seed)}
            | {name: plain(getattr(row, name)[k]) for name in figures}
            | {"message": row.messages[k], "x": plain(row.x[k])}
            for row in self.rows
            for k, seed in enumerate(row.seeds)
        ]

    def plot(self, path: Any = None, ax: Any = None) -> Any:
        """Draw the final values against the learning rate (see `scipy_gd.plot.sensitivity`).

        One curve for each method and each setting of the other axes; runs that gained nothing are
        crosses. Learning rates that are no numbers, such as "auto", are left out.

        Parameters
        ----------
        path : str or path-like, optional
            Where to save the picture; the ending names the format.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ValueError
            If no learning rate is a number.
        """
        from .plot import sensitivity

        others = [name for name in self.axes if name != "learning_rate"]
        curves: dict[str, tuple[list[float], list[Array]]] = {}
        for row in self.rows:
            if isinstance(rate := row.options.get("learning_rate"), int | float):
                rates, values = curves.setdefault(_label(row.method, row.options, others), ([], []))
                rates.append(rate)
                values.append(row.f)
        if not curves:
            raise ValueError("no learning rate of the sweep is a number: nothing to draw")
        arrays = {name: tuple(map(np.array, curve)) for name, curve in curves.items()}
        # who gained nothing has diverged: the best point of the run is the start
        figure = sensitivity(arrays, worst=np.nextafter(self.f_start, -np.inf), ax=ax).figure
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def _median(name: str, row: Setting) -> float:
    return float(np.median(getattr(row, name)))


def _range(row: Setting) -> str:
    return f"{np.min(row.f):.1e} to {np.max(row.f):.1e}"


def _share(row: Setting) -> Callable[[float], str]:
    """How many runs were a success."""
    if row.seeds.size == 1:
        return lambda share: "yes" if share else "no"
    return lambda share: f"{share * row.seeds.size:.0f}/{row.seeds.size}"


def _chosen(axis: str, row: Setting) -> Any:
    return row.options.get(axis, math.nan)


def _shown(axis: str, value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:g}"
    return one_line(value if isinstance(value, str) else label_of(value))


def _label(method: str, options: Mapping[str, Any], axes: Any) -> str:
    places = [f"{name}={_shown(name, options[name])}" for name in axes if name in options]
    return ", ".join([method, *places])


class _Run(NamedTuple):
    """What comes back of one run, perhaps from another process."""

    f: float
    gnorm: float
    nit: int
    nfev: int
    njev: int
    success: bool
    message: str
    x: Array


def _run(task: Task, solver: Solver) -> _Run:
    """Run one setting with one seed; what it raises is its message."""
    try:
        with np.errstate(all="ignore"):
            result = task.minimize(solver)
            x = np.array(result.x, float).reshape(task.x0.shape)
            return _Run(
                f=task.value(x),
                gnorm=task.gnorm(x),
                nit=int(result.get("nit", 0)),
                nfev=int(result.get("nfev", 0)),
                njev=int(result.get("njev", 0)),
                success=bool(result.success),
                message=str(result.get("message", "")),
                x=x,
            )
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return _Run(math.nan, math.nan, 0, 0, 0, False, message, np.full(task.x0.shape, math.nan))


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
    **options: Any,
) -> Sweep:
    """Run a method at every setting of a grid, with every seed.

    An option that is given as a list or an array is an axis of the grid; any other value is the
    same for all.

    Parameters
    ----------
    fun : callable or Problem
        The objective, ``fun(x, *args)``, or one of `scipy_gd.problems`.
    x0 : array_like, shape (n,), optional
        The start; may be left out where the problem has one.
    method : callable, str or sequence, default: adam
        One method or several, in all the ways that `compare` takes them. Each is given the options
        that it knows.
    args, jac, hess, hessp, bounds : optional
        As in `scipy.optimize.minimize`; where not given, those of the problem.
    seeds : int or sequence of int, default: (0,)
        Every setting runs once with each of these as `rng`; a number k means 0, 1, ..., k - 1.
    workers : int or map-like callable, optional
        Where the runs are made: a number of processes (-1: all cores), or a callable
        ``map(function, items)`` that returns the results in order, such as that of a `Pool` or an
        executor. Whatever crosses to another process must be picklable, `fun` included.
    check : bool, default: True
        Check the gradient by `check_grad` first.
    progress : bool, default: False
        Show on stderr how far it is: a bar where there is a terminal and tqdm, else a line for each
        run.
    **options
        Options of the methods, `learning_rate`, `beta1`, `maxiter`, ...: a list or an array makes
        an axis. A tuple, a schedule, a string or a number is one value. A value that is an array
        itself (one rate for each parameter) goes into a list: ``learning_rate=[np.array([1, 2])]``.

    Returns
    -------
    Sweep
        A sequence of `Setting`; prints as a table, has `best` and `plot`.

    Raises
    ------
    GradientError
        If the check finds the gradient wrong.
    TypeError, ValueError
        If an argument is not what it should be, or no method takes an option; the message names it.

    Notes
    -----
    A run that raises an error is a row with the error as its message; Ctrl-C ends the sweep. The
    value and the gradient of every row are taken at the returned point, by calls of their own. A
    map of joblib or Dask is one line, ``Parallel(n_jobs=2)(delayed(f)(item) for item in items)`` or
    ``client.gather(client.map(f, items))`` as a function of f and items.

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
    task = Task.of(fun, x0, jac, hess, hessp, args, bounds)
    if "rng" in options:
        raise TypeError("rng: a sweep gives each run a seed of its own; use `seeds`")
    draws = _seeds(seeds)
    workers = None if workers is None else COMMON["workers"].check("workers", workers, task.x0.size)
    axes = {name: _axis(v) for name, v in options.items() if isinstance(v, list | np.ndarray)}
    grid = list(_grid(contestants(method), options, axes))
    jobs = [_seeded(solver, seed) for solver in grid for seed in draws.tolist()]
    if isinstance(workers, int) and workers != 1:
        _refuse_what_cannot_travel(task, jobs)
    if check:
        task.check()
    names = [_label(solver.label, solver.options, axes) for solver in grid]
    labels = [
        f"{name}, seed {seed}" if draws.size > 1 else name for name in names for seed in draws
    ]
    with mapping(workers) as map_:
        runs = map_(partial(_run, task), jobs)
        title = f"{task.name}, n = {task.x0.size}"
        if not isinstance(runs, Iterable):
            raise TypeError(f"workers: a map must return the results, got {runs!r}")
        done = list(announce(runs, labels, title, "run") if progress else runs)
    if len(done) != len(jobs):
        raise ValueError(f"workers: a map must return {len(jobs)} results, got {len(done)}")
    k = draws.size
    rows = [_setting(solver, draws, done[i * k : i * k + k]) for i, solver in enumerate(grid)]
    return Sweep(task.name, tuple(rows), axes, task.value(task.x0), task.x0.size)


def _seeds(seeds: Any) -> NDArray[np.int_]:
    if isinstance(seeds, bool) or not isinstance(seeds, int | np.integer | Iterable):
        raise TypeError(f"seeds: a number of seeds, or these themselves, expected, got {seeds!r}")
    draws = np.array([*seeds]) if isinstance(seeds, Iterable) else np.arange(seeds)
    if not draws.size or draws.dtype.kind not in "iu" or draws.min() < 0:
        raise ValueError(f"seeds: whole numbers from 0, at least one, expected, got {seeds!r}")
    return draws


def _axis(values: Any) -> list[Any]:
    """The values as a list; the rows of a matrix are arrays, its numbers are Python's."""
    if isinstance(values, np.ndarray) and values.ndim < 2:
        return [*values.tolist()]
    return [each.item() if isinstance(each, np.generic) else each for each in values]


def _grid(
    every: Sequence[Solver], options: Mapping[str, Any], axes: Mapping[str, Sequence[Any]]
) -> Iterator[Solver]:
    """The methods at every setting of the options that they take."""
    for name in options:
        if not any(solver.takes(name) for solver in every):
            raise TypeError(f"{name}: no method of {', '.join(s.label for s in every)} takes it")
        if name in axes and not axes[name]:
            raise ValueError(f"{name}: an axis of the grid without a value")
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
            f"workers: the objective and the options must be picklable ({error}): define functions "
            "at the top of a module, or pass a map that stays in this process"
        ) from error


def _setting(solver: Solver, seeds: NDArray[np.int_], runs: Sequence[_Run]) -> Setting:
    f, gnorm, nit, nfev, njev, success, messages, x = zip(*runs, strict=True)
    return Setting(
        method=solver.label,
        options=dict(solver.options),
        seeds=seeds,
        f=np.array(f),
        gnorm=np.array(gnorm),
        nit=np.array(nit),
        nfev=np.array(nfev),
        njev=np.array(njev),
        success=np.array(success),
        messages=messages,
        x=np.array(x),
    )
