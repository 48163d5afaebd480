"""A record of a run, iteration by iteration: a callback for our methods and SciPy's solvers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from os import PathLike
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arguments import count
from .tables import aligned

__all__ = ["History"]

Array = NDArray[Any]
NUMBERS = 10_000_000
"""The most numbers that the points of one history may hold: 80 MB."""
LEAST = 64
"""With so many items to keep, the strides of `Thinned` never outgrow the run."""


class Thinned(list[Any]):
    """Keep up to `size` of the items offered: first all, then every 2nd, every 4th, ...

    The stride doubles whenever the count does, so that the end of a run has the resolution of a
    logarithmic axis, and a short run is kept whole. The default of `size` is 1000, or less if items
    of `n` numbers take a lot of memory.
    """

    def __init__(self, size: int | None = None, n: int = 1) -> None:
        super().__init__()
        self.size = size or max(LEAST, min(1000, NUMBERS // n))
        self.full = self.size  # so many items at the start are kept without a gap
        self.offered = 0
        self.counts: list[int] = []

    def stride(self, count: int) -> int:
        return 1 << (count // self.full).bit_length()

    def offer(self, item: Any) -> bool:
        """Take the next item, and return whether it is kept."""
        count, self.offered = self.offered, self.offered + 1
        if count % self.stride(count):
            return False
        self.counts.append(count)
        self.append(item)
        while len(self) > self.size:  # the strides are powers of two: the new ones fit the old
            self.full //= 2
            kept = [k for k, c in enumerate(self.counts) if c % self.stride(c) == 0]
            self[:] = [self[k] for k in kept]
            self.counts = [self.counts[k] for k in kept]
        return True


class _Point(NamedTuple):
    """A row of a history."""

    nit: int
    x: Array
    fun: float
    gnorm: float
    learning_rate: float
    nfev: float
    njev: float
    seconds: float


class _Column:
    """One quantity at all points, as an array."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.place = _Point._fields.index(name)

    def __get__(self, history: History | None, owner: type) -> Array:
        if history is None:
            return self  # type: ignore[return-value]
        return np.array([point[self.place] for point in history])


class History:
    """A callback that records a run: ``minimize(..., callback=History())``.

    It works with SciPy's solvers and ours. With ``options={"history": True}``, ours record one
    themselves and return it as ``result.history``. Recording costs no evaluations.

    Parameters
    ----------
    every : int, default: 1
        Keep every `every`-th iteration only.
    size : int, optional
        Maximum number of points to keep, at least 64. In a longer run, the first iterations are
        kept in full, later ones more and more sparsely (every 2nd, 4th, 8th, ...), and the last one
        always. Default: 1000, or fewer if the points have more than 10,000 parameters.
    label : str, optional
        Name of the run in plots. Default: the name of the method, if it is ours.
    parameter_names : sequence of str, optional
        Names of the parameter columns in tables. Default: x[0], x[1], ...

    Attributes
    ----------
    nit : ndarray of int, shape (k,)
        The iterations kept; 0 is the starting point.
    x : ndarray, shape (k, n)
        The points.
    fun : ndarray, shape (k,)
        The function values.
    gnorm : ndarray, shape (k,)
        The largest component of the gradient or, with bounds, of the projected gradient.
    learning_rate : ndarray, shape (k,)
        The rate of the step to each point; NaN at the starting point, and if it is an array.
    nfev, njev : ndarray, shape (k,)
        Evaluations up to each point.
    seconds : ndarray, shape (k,)
        Time since the first point.
    thinned : bool
        Whether points were dropped because there were more than `size`.

    Notes
    -----
    Iterating over a history yields the points as named tuples, and ``len`` gives their number.
    Anything a solver does not report is NaN: SciPy's solvers report the point and, except for TNC,
    the value, but neither the starting point nor counts. A point with ``nit=0`` resets the history.
    Our methods start with one; for SciPy's solvers, you can pass it yourself, as below. Otherwise,
    two runs in a row are recorded as one.

    Examples
    --------
    >>> from scipy.optimize import OptimizeResult, minimize, rosen, rosen_der
    >>> from scipy_gd import History, adam
    >>> options = {"learning_rate": 0.1, "maxiter": 100, "history": True}
    >>> result = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=adam, options=options)
    >>> result.history.x.shape, bool(result.history.nfev[-1] == result.nfev)
    ((101, 2), True)

    >>> history = History()
    >>> history(OptimizeResult(x=[-1.2, 1.0], fun=rosen([-1.2, 1.0]), nit=0))
    >>> result = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method="BFGS", callback=history)
    >>> history.nit[[0, -1]], result.nit
    (array([ 0, 32]), 32)
    >>> [*history.to_pandas()]
    ['nit', 'fun', 'gnorm', 'learning_rate', 'nfev', 'njev', 'seconds', 'x[0]', 'x[1]']
    """

    nit, x, fun, gnorm = _Column(), _Column(), _Column(), _Column()
    learning_rate, nfev, njev, seconds = _Column(), _Column(), _Column(), _Column()

    def __init__(
        self,
        every: int = 1,
        size: int | None = None,
        label: str = "",
        parameter_names: Sequence[str] = (),
    ) -> None:
        self.every = count(1)("every", every, 1)
        self.size = None if size is None else count(LEAST)("size", size, 1)
        self.label, self.parameter_names = label, tuple(parameter_names)
        self._points = Thinned(self.size)
        self._last: _Point | None = None

    def __scipy_gd_start__(self, label: str) -> None:
        """Receive the name of the method before its run; its starting point will be passed too."""
        self.label = self.label or label

    def __call__(self, intermediate_result: Any) -> None:
        """Record the next point: an `OptimizeResult`, or just the point."""
        told = intermediate_result if isinstance(intermediate_result, dict) else {}
        x = np.array(told.get("x", intermediate_result), dtype=np.float64, ndmin=1)
        nit = told.get("nit", 1 if self._last is None else self._last.nit + 1)
        now = perf_counter()
        if nit == 0 or self._last is None:
            self._points, self._began, self._calls = Thinned(self.size, x.size), now, 0
        figures = {name: told.get(name, math.nan) for name in _Point._fields[3:-1]}
        value = float(told.get("fun", math.nan))
        self._last = _Point(int(nit), x, value, **figures, seconds=now - self._began)
        if self._calls % self.every == 0:
            self._points.offer(self._last)
        self._calls += 1

    def __iter__(self) -> Iterator[_Point]:
        yield from self._points
        if self._last is not None and self._points[-1] is not self._last:
            yield self._last

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def thinned(self) -> bool:
        return self._points.offered > len(self._points)

    def __repr__(self) -> str:
        points = list(self)
        title = "History" + f" of {self.label}" * bool(self.label)
        if not points:
            return f"{title}: empty"
        title += f": iterations {points[0].nit} to {points[-1].nit}, {len(points)} kept"
        if self.thinned:
            stride = self.every * self._points.stride(self._points.offered)
            title += f", thinned (at the end to every {stride} iterations)"
        names = [name for name in _Point._fields if name != "x"]
        shown = points if len(points) <= 7 else [*points[:3], None, *points[-3:]]
        table = [names] + [
            [f"{getattr(p, name):.6g}" if p else "..." for name in names] for p in shown
        ]
        return "\n".join([title, *aligned(table)])

    def to_dict(self) -> dict[str, Array]:
        """Return a dict of arrays: nit, x, fun, gnorm, learning_rate, nfev, njev, seconds."""
        return {name: getattr(self, name) for name in _Point._fields}

    def _columns(self) -> dict[str, Array]:
        """One column per parameter."""
        columns = self.to_dict()
        x = columns.pop("x").T
        names = self.parameter_names or [f"x[{i}]" for i in range(len(x))]
        return columns | dict(zip(names, x, strict=True))

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the points to a file of comma-separated values.

        The first line contains the names: nit, fun, gnorm, learning_rate, nfev, njev, seconds,
        x[0], x[1], ... Numbers are written with all digits.
        """
        columns = self._columns()
        rows = np.column_stack(list(columns.values()))
        np.savetxt(path, rows, "%.17g", ",", header=",".join(columns), comments="")

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` with one row per point and the same columns as `to_csv`."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "`to_pandas` needs pandas: pip install pandas", name="pandas"
            ) from error
        return pandas.DataFrame(self._columns())
