"""Solvers side by side on one problem, with calls counted and results checked from outside."""

from __future__ import annotations

import math
import operator
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import count, generator, number
from ..history import Thinned
from ..problems import Problem
from ..solvers import Solver, as_solvers
from ..tables import Column, Table, json_ready, one_line
from ..task import Array, Task, scalar
from .finished import Finished
from .progress import announce

__all__ = ["Comparison", "Row", "compare"]


@dataclass(frozen=True, eq=False)
class Row:
    """The run of one solver: its own verdict, and figures measured from outside.

    Attributes
    ----------
    method : str
        The solver's label.
    nit : int
        Iterations, as reported by the solver (or counted by its callback if it was cut off).
    nfev, njev, nhev : int
        Calls to `fun`, to `jac`, and to `hess` and `hessp` together, counted from outside.
    time : float
        Seconds inside `scipy.optimize.minimize`, excluding the recorder's own.
    f, gnorm, distance : float
        At the returned point: the value, the largest component of the gradient (projected if
        there are bounds; by finite differences if no gradient is given) and the distance to the
        nearest known minimum (nan if none is known).
    success, message : bool, str
        The solver's own verdict; "budget: ..." if it exhausted the budget.
    x : ndarray
        The returned point or, if the solver was cut off or failed, the best point it evaluated.
    evaluations, best, gradients : ndarray
        The course of the run: numbers of evaluations (`fun` and `jac` together) and, after that
        many, the best value so far and the largest component of the gradient (nan where no
        gradient was evaluated).
    path : ndarray, shape (points, n)
        The iterates from the start to `x` or, for a solver that calls no callback, the points
        that it evaluated. Long paths are thinned.
    """

    method: str
    nit: int
    nfev: int
    njev: int
    nhev: int
    time: float
    f: float
    gnorm: float
    distance: float
    success: bool
    message: str
    x: Array
    evaluations: Array = field(repr=False)
    best: Array = field(repr=False)
    gradients: Array = field(repr=False)
    path: Array = field(repr=False)


_COLUMNS = {
    name: Column(head, operator.attrgetter(name), show, name in ("method", "message"), spare=spare)
    for name, head, show, spare in (
        ("method", "method", str, 0),
        ("nit", "nit", str, 4),
        ("nfev", "nfev", str, 0),
        ("njev", "njev", str, 0),
        ("nhev", "nhev", str, 3),
        ("time", "time/s", "{:.3f}".format, 5),
        ("f", "f", "{:.2e}".format, 0),
        ("gnorm", "|g|", "{:.1e}".format, 6),
        ("distance", "|x-x*|", lambda d: "-" if math.isnan(d) else f"{d:.1e}", 2),
        ("success", "ok", str, 0),
        ("message", "message", one_line, 1),
    )
}
NEAR = 1e-6
"""Values count as equal if they differ by less than this fraction of the best run's decrease."""
ELSEWHERE = (
    "* found another minimum: f is higher there than where the best run ended, and |g| is too "
    "small to lead from one to the other"
)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Table[Row]):
    """The rows of a comparison; prints as a table, or as an HTML table in a notebook.

    A run that succeeded, but at a different minimum from the best run, is marked "yes*". In a
    narrow terminal, the messages of unsuccessful runs appear below the table.

    Attributes
    ----------
    name : str
        The problem's name.
    rows : tuple of Row
    fun : callable
        The objective with its `args` bound; calls to it are not counted.
    x0 : ndarray
        Where every solver started.
    f_min : float
        The known minimum value (nan if unknown).
    minima : tuple of ndarray
        The known minima.

    Examples
    --------
    >>> from scipy_gd import compare
    >>> both = compare(
    ...     lambda x: x @ x, [3.0, 4.0], jac=lambda x: 2 * x, methods=["BFGS", "Nelder-Mead"]
    ... )
    >>> len(both), both[0].method, both["Nelder-Mead"].njev
    (2, 'BFGS', 0)
    >>> both["BFGS"].success, both["BFGS"].path[0]
    (True, array([3., 4.]))
    >>> [row["method"] for row in both.sort("nfev", reverse=True).to_dicts()]
    ['Nelder-Mead', 'BFGS']
    """

    name: str
    rows: tuple[Row, ...]
    fun: Callable[[Array], float]
    x0: Array
    f_min: float
    minima: tuple[Array, ...]

    @property
    def title(self) -> str:
        """str : the problem, its size and its minimum value."""
        known = "" if math.isnan(self.f_min) else f", min f = {self.f_min:.6g}"
        return f"{self.name}, n = {self.x0.size}{known}"

    @property
    def columns(self) -> Mapping[str, Column]:
        return _COLUMNS | {"success": _COLUMNS["success"]._replace(figure=self._verdict)}

    def _verdict(self, row: Row) -> str:
        return "no" if not row.success else "yes*" if self.another_minimum(row) else "yes"

    def _notes(self, columns: Collection[str]) -> list[str]:
        """Explain the mark and, if no column has it, how unsuccessful runs ended."""
        said = [ELSEWHERE] if any(map(self.another_minimum, self.rows)) else []
        endings: dict[str, list[str]] = {}
        for row in self.rows if "message" not in columns else ():
            if not row.success:
                endings.setdefault(one_line(row.message), []).append(row.method)
        return said + [f"no: {text} ({', '.join(names)})" for text, names in endings.items()]

    def another_minimum(self, row: Row) -> bool:
        """Tell whether a run succeeded, but at a different minimum from the best run.

        Parameters
        ----------
        row : Row
            One of the rows of this comparison.

        Returns
        -------
        bool

        Notes
        -----
        The value is higher there by more than the largest gradient component times the distance
        (the sum of the absolute differences in x) to the best point. This is impossible for a
        convex function: there is a hill or a plateau between the two.
        """
        if not row.success:
            return False
        best = min(self.rows, key=lambda row: math.inf if math.isnan(row.f) else row.f)
        start = max((row.best[0] for row in self.rows if np.isfinite(row.best[0])), default=best.f)
        by_gradient = row.gnorm * np.abs(row.x - best.x).sum()
        return bool(row.f - best.f > max(by_gradient, NEAR * (start - best.f)))

    def ranked(self) -> Comparison:
        """Return a new table with successful runs first, and those with the fewest calls on top.

        Calls are those to `fun` and `jac` together; ties are broken by the lowest f.
        """
        return self.sort(
            lambda row: (not row.success, row.nfev + row.njev, math.isnan(row.f), row.f)
        )

    def label(self, row: Row) -> str:
        """The name of a row: the solver's label."""
        return row.method

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the table as plain Python objects, ready for JSON or `pandas.DataFrame`.

        There is one dict per row, with the columns, `x` and `another_minimum`, but without the
        arrays of the run. JSON has neither nan nor infinity: such figures become None.
        """
        names = [*_COLUMNS, "x"]
        return [
            {name: json_ready(getattr(row, name)) for name in names}
            | {"another_minimum": self.another_minimum(row)}
            for row in self.rows
        ]

    def plot(self, path: Any = None, axes: Any = None) -> Any:
        """Plot the comparison with `scipy_gd.plot.comparison`; returns the matplotlib Figure.

        Parameters
        ----------
        path : str or path-like, optional
            Where to save the plot; the extension sets the format.
        axes : sequence of matplotlib Axes, optional
            Where to draw.
        """
        from ..plot import comparison

        figure = comparison(self, axes)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


class _Budget(BaseException):
    """The budget is spent. Not an `Exception`, so that no solver can swallow it."""


@dataclass(slots=True)
class _Point:
    evaluations: int
    x: Array
    f: float = math.nan
    gnorm: float = math.nan
    best: float = math.inf


class _Recorder:
    """Stands between a solver and the task: counts, remembers, and stops it."""

    def __init__(self, task: Task, maxfev: float = math.inf, maxtime: float = math.inf) -> None:
        self.task, self.maxfev, self.maxtime = task, maxfev, maxtime
        self.nit = self.nfev = self.njev = self.nhev = 0
        self.points, self.iterates = (Thinned(n=task.x0.size) for _ in range(2))
        self.f_best, self.x_best, self.last = math.inf, task.x0, _Point(0, task.x0)
        self.last_bytes, self.kept = b"", False
        self.failed = False
        self.own = 0.0
        self.start = time.perf_counter()

    def arguments(self) -> dict[str, Any]:
        """Return the arguments for `minimize` that replace the task's own functions."""
        task = self.task
        return {
            "fun": self.watched(task.fun, value=True, gradient=task.jac is True),
            "jac": self.watched(task.jac, gradient=True),
            "hess": self.watched(task.hess),
            "hessp": self.watched(task.hessp),
            "callback": self.iterated,
        }

    def watched(self, call: Any, value: bool = False, gradient: bool = False) -> Any:
        """Wrap a user's function: each call is counted, or refused if over budget, and recorded."""
        cost = value + gradient  # a Hessian is counted, but free

        def watched(x: Array, *args: Any) -> Any:
            if cost and self.nfev + self.njev + cost > self.maxfev:
                raise _Budget(f"budget: {self.maxfev} evaluations")
            if self.seconds() > self.maxtime:
                raise _Budget(f"budget: {self.maxtime:g} s")
            self.nfev += value
            self.njev += gradient
            self.nhev += not cost
            found = call(x, *args)
            if cost:
                f, g = found if cost == 2 else (found, None) if value else (None, found)
                self.note(x, args, f, g)
            return found

        return watched if value or callable(call) else call

    def iterated(self, xk: Any, *_: Any) -> None:
        self.nit += 1
        self.iterates.offer(np.array(xk, float))

    def seconds(self) -> float:
        return time.perf_counter() - self.start - self.own

    def note(self, x: Array, args: tuple[Any, ...], f: Any, g: Any) -> None:
        """Record a point and what was found there; cheaply, as this is done at every call."""
        began = time.perf_counter()
        here = np.asarray(x, float).tobytes()
        if here != self.last_bytes:
            self.last_bytes = here
            self.last = _Point(self.nfev + self.njev, np.frombuffer(here))
            self.kept = self.points.offer(self.last)
        point = self.last
        # A mini-batch has other args: its value and gradient are not those of the objective.
        whole = len(args) == len(self.task.args) and all(map(operator.is_, args, self.task.args))
        if whole and f is not None:
            point.f = scalar(f) if self.task.inside(point.x) else math.inf
            if point.f < self.f_best:
                self.f_best, self.x_best = point.f, point.x
        if whole and g is not None and self.kept:
            point.gnorm = self.task.gnorm(point.x, g)
        point.best = self.f_best
        self.own += time.perf_counter() - began

    def complete(self) -> None:
        """Evaluate, without counting, the points where the solver only asked for the gradient."""
        for point in [*self.points, self.last]:
            if math.isnan(point.f):
                point.f = self.task.value(point.x) if self.task.inside(point.x) else math.inf
            if point.f < self.f_best:
                self.f_best, self.x_best = point.f, point.x


def _solve(
    task: Task, solver: Solver, tol: float | None, recorder: _Recorder
) -> tuple[Array | None, int | None, bool, str]:
    """Run a solver; return its x and nit (None if it was cut off or failed), success, message."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # The row shows what overflows or stalls; a solver that ignores bounds does not compete.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.filterwarnings("error", "Method .* cannot handle", RuntimeWarning)
        try:
            result = task.minimize(solver, tol=tol, **recorder.arguments())
            x = np.array(result.x, float).reshape(task.x0.shape)
            return x, result.get("nit"), bool(result.success), str(result.get("message", ""))
        except _Budget as budget:
            return None, None, False, str(budget)
        except Exception as error:
            recorder.failed = True
            return None, None, False, f"{type(error).__name__}: {error}"


def _warm_up(task: Task, solver: Solver, tol: float | None) -> None:
    """Let a solver compile and load what it needs, on a problem of the same shape."""
    toy = replace(
        task,
        fun=lambda x, *_: x @ x,
        jac=None if task.jac is None else lambda x, *_: 2 * x,
        hess=None,
        hessp=lambda x, p, *_: 2 * p,
    )
    _solve(toy, solver, tol, _Recorder(toy, maxfev=4))


def _row(
    task: Task, solver: Solver, tol: Any, recorder: _Recorder, distance: Callable[[Array], float]
) -> Row:
    found, nit, success, message = _solve(task, solver, tol, recorder)
    seconds = recorder.seconds()
    recorder.complete()
    x = np.array(recorder.x_best) if found is None else found
    f, gnorm = task.value(x), task.gnorm(x)
    evaluations, final = recorder.nfev + recorder.njev, f if task.inside(x) else math.inf
    points = [*recorder.points, _Point(evaluations, x, final, gnorm, recorder.f_best)]
    curve = np.array([(p.evaluations, np.fmin(p.f, p.best), p.gnorm) for p in points], float)
    return Row(
        method=solver.label,
        nit=int(recorder.nit if nit is None else nit),
        nfev=recorder.nfev,
        njev=recorder.njev,
        nhev=recorder.nhev,
        time=seconds,
        f=f,
        gnorm=gnorm,
        distance=distance(x),
        success=success,
        message=message,
        x=x,
        evaluations=curve[:, 0],
        best=np.fmin.accumulate(curve[:, 1]),
        gradients=curve[:, 2],
        path=np.array([task.x0, *recorder.iterates, x] if recorder.nit else [p.x for p in points]),
    )


def compare(
    problem: Problem | Callable[..., Any],
    x0: ArrayLike | None = None,
    *,
    methods: Any = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    args: tuple[Any, ...] = (),
    bounds: Any = None,
    options: Mapping[str, Any] | None = None,
    maxfev: int | None = 10_000,
    maxtime: float | None = None,
    gtol: float = 1e-5,
    tol: float | None = None,
    gtol_only: bool = False,
    rng: Any = 0,
    check: bool = True,
    progress: bool = False,
    checkpoint: Any = None,
) -> Comparison:
    """Run several solvers on one problem and tabulate what they actually did.

    Every solver runs through `scipy.optimize.minimize` against the same recorder, which counts the
    calls, records the path and ends the run when the budget is spent. The figures at the returned
    point are evaluated afterwards by separate calls, whatever the solver reports. The result is a
    `Comparison`: a sequence of `Row`, in the order of `methods`, that prints as a table.

    Parameters
    ----------
    problem : Problem or callable
        One of `scipy_gd.problems`, or an objective ``fun(x, *args)``.
    x0 : array_like, optional
        The starting point; optional if the problem has one.
    methods : sequence or dict, optional
        What to compare: callables (ours, `functools.partial` presets of them, or any other), names
        ("adam", "BFGS"), tuples ``(label, method)`` or ``(label, method, options)``; or a dict
        from label to method. Default: all of `scipy_gd.methods.GENERAL` and SciPy's Nelder-Mead,
        BFGS, Newton-CG, CG and L-BFGS-B.
    jac, hess, hessp, args, bounds : optional
        As in `scipy.optimize.minimize`; by default, those of the problem. A solver that does
        not use one of the derivatives runs without it; one that cannot handle the bounds
        becomes a failed row.
    options : dict, optional
        Options for every solver. Options in a tuple take precedence over these, and these over
        the defaults.
    maxfev : int or None, default: 10_000
        Maximum number of evaluations (calls to `fun` and `jac` together) for each solver. It
        replaces the solvers' own limits. None means no limit.
    maxtime : float, optional
        Maximum time for each solver, in seconds.
    gtol : float, default: 1e-5
        Tolerance on the gradient for every solver that has one. SciPy's solvers keep their other
        stopping rules.
    tol : float, optional
        As in `scipy.optimize.minimize`, which uses it to set several tolerances of its methods.
    gtol_only : bool, default: False
        Switch off the other tolerances of SciPy's solvers.
    rng : int, Generator or None, default: 0
        Passed to the methods that use random numbers.
    check : bool, default: True
        Check the gradient with `check_grad` first, which takes about 35 n evaluations, and raise
        `GradientError` if it is wrong.
    progress : bool, default: False
        Show on stderr which solver is running.
    checkpoint : str or path-like, optional
        A file for the finished runs, updated as they finish. Runs that are already in the file
        are not repeated: after a crash, or with more methods or a different budget, only the
        missing ones are run. Runs that raised an error are tried again. The file belongs to one
        problem, in any size and from any start.

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
    A run in `checkpoint` is identified by its start, bounds, method, options and limits, with
    functions compared by their code. The objective is identified by its name and by its value and
    gradient at and near the start, which takes a few extra calls.

    A solver that raises an error becomes a row with ``success=False`` and the error as its message;
    Ctrl-C ends the comparison. The time excludes that of the recorder and that of compilation: each
    solver warms up on a trivial problem first. On small problems, times vary less without BLAS
    threads: set OPENBLAS_NUM_THREADS=1 before Python starts.

    Examples
    --------
    >>> from functools import partial
    >>> from scipy_gd import compare
    >>> from scipy_gd.methods import adam
    >>> from scipy_gd.problems import rosenbrock
    >>> solvers = ["BFGS", adam, partial(adam, learning_rate=0.01), ("newton", "Newton-CG")]
    >>> table = compare(rosenbrock(), methods=solvers, maxfev=2000)
    >>> [row.method for row in table]
    ['BFGS', 'adam', 'adam(learning_rate=0.01)', 'newton']
    >>> table["BFGS"].success, table["BFGS"].gnorm < 1e-5
    (True, True)
    >>> compare(lambda x: x @ x, [1.0, 2.0], jac=lambda x: x, methods=["BFGS"])
    Traceback (most recent call last):
    ...
    scipy_gd.gradient_check.GradientError: ...
    """
    task = Task.of(problem, x0, jac=jac, hess=hess, hessp=hessp, args=args, bounds=bounds)
    for name, check_, value in (
        ("maxfev", count(1), maxfev),
        ("maxtime", number(0, above=True), maxtime),
        ("gtol", number(0), gtol),
        ("tol", number(0), tol),
        ("rng", generator, rng),
    ):
        if value is not None:
            check_(name, value, 0)
    calls, seconds = maxfev or math.inf, maxtime or math.inf
    beyond = 2**31 - 1 if calls == math.inf else calls + task.x0.size + 2  # so that ours decides
    limits: dict[str, Any] = dict.fromkeys(("maxiter", "maxfev", "maxfun"), beyond)
    limits |= {"gtol": gtol, "rng": rng}
    if gtol_only:
        limits |= dict.fromkeys(("ftol", "xtol", "fatol", "xatol"), 0.0)
    every = [solver.with_options(limits, options or {}) for solver in as_solvers(methods)]
    known = problem if isinstance(problem, Problem) else None
    distance = known.distance if known else lambda x: math.nan
    with Finished(checkpoint, "compare", task) as finished:
        if check and (report := task.check(rng=0)):
            report.raise_if_wrong()
        keys = {solver.label: finished.key(solver, calls, seconds, tol) for solver in every}
        rows = {label: Row(**run) for label, key in keys.items() if (run := finished.get(key))}
        left = [(solver.label, solver) for solver in every if solver.label not in rows]
        told = announce(left, len(left), task.title, "solver") if progress else dict(left).values()
        for solver in told:
            _warm_up(task, solver, tol)
            recorder = _Recorder(task, calls, seconds)
            rows[solver.label] = row = _row(task, solver, tol, recorder, distance)
            if not recorder.failed:
                finished.put(keys[solver.label], vars(row))
    return Comparison(
        name=task.name,
        rows=tuple(rows[solver.label] for solver in every),
        fun=task.value,
        x0=task.x0,
        f_min=known.f_min if known and math.isfinite(known.f_min) else math.nan,
        minima=known.minima if known else (),
    )
