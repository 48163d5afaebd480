"""Sums over blocks of rows, for data that need not fit in memory or on one machine.

`Blocks` turns the user's functions into functions of x alone. Each call is a pass over the data
that adds up the results of the blocks; sources and the evaluator see ordinary functions. Only
`Data` knows where the blocks are: `Rows` reads them one after the other in this process; Dask
blocks (`dask_blocks.py`) are summed where they are.

A pass can serve several points, and the gradient along with the value: `at` evaluates the points of
differences together, and `Together` computes the gradient along with the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arguments import Vector, complex_scalar, matrix, pair, scalar, vector

BYTES = 2**24
"""The approximate number of bytes to read at once."""

Points = Sequence[NDArray[Any]]
Block = tuple[Any, ...]


class Data(Protocol):
    """Arguments of which some, at the positions `which`, are cut into blocks of their rows."""

    which: tuple[int, ...]
    rows: int

    def summed(self, task: Task) -> Callable[[Any], Any]:
        """The task for all blocks, as a function of what is asked."""

    def release(self) -> None:
        """Keep nothing more."""


class Task:
    """``function(asked, *args)`` for the arguments of one block after the other, added up.

    At the positions `which`, blocks replace `args`. The result is a mean if the total number of
    `rows` is given, and a sum if it is 0. `function` returns a tuple of things that can be added.
    """

    def __init__(
        self,
        function: Callable[..., tuple[Any, ...]],
        args: tuple[Any, ...],
        which: tuple[int, ...],
        rows: int,
    ) -> None:
        self.function, self.which, self.rows = function, which, rows
        self.args = tuple(None if k in which else each for k, each in enumerate(args))

    def __call__(self, asked: Any, blocks: Iterable[Block]) -> tuple[Any, ...]:
        args, total = list(self.args), None
        for block in blocks:
            for k, rows in zip(self.which, block, strict=True):
                args[k] = rows
            found = self.function(asked, *args)
            if self.rows:
                share = block[0].shape[0] / self.rows
                found = tuple(share * each for each in found)
            total = found if total is None else added(total, found)
        assert total is not None
        return total


def added(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):  # what is not finite is told by the sum
        return tuple(a + b for a, b in zip(first, second, strict=True))


class Rows:
    """Blocks of anything whose rows `take(array, slice)` returns, in this process."""

    def __init__(
        self, args: tuple[Any, ...], which: tuple[int, ...], take: Callable[[Any, slice], Any]
    ) -> None:
        self.which, self.take = which, take
        self.arrays = [args[k] for k in which]
        self.rows = int(self.arrays[0].shape[0])
        self.step = max(1, int(BYTES / sum(map(bytes_of_row, self.arrays))))
        for stored in map(rows_of_chunk, self.arrays):
            if stored <= self.step:  # each chunk is read once
                self.step -= self.step % stored
                break

    def __iter__(self) -> Iterator[Block]:
        for first in range(0, self.rows, self.step):
            rows = slice(first, min(first + self.step, self.rows))
            parts = (self.take(array, rows) for array in self.arrays)
            yield tuple(np.asarray(p) if isinstance(p, np.ndarray) else p for p in parts)

    def summed(self, task: Task) -> Callable[[Any], Any]:
        return lambda asked: task(asked, self)

    def release(self) -> None:
        """Nothing is kept."""


def bytes_of_row(array: Any) -> float:
    if hasattr(array, "nnz"):  # a sparse matrix: values and column indices
        return 12.0 * float(array.nnz) / float(array.shape[0]) + 1.0
    each = getattr(getattr(array, "dtype", None), "itemsize", 8)
    return float(each * max(math.prod(array.shape[1:]), 1))


def rows_of_chunk(array: Any) -> int:
    """The number of rows stored together by h5py or zarr; BYTES if unknown."""
    chunks = getattr(array, "chunks", None)
    return chunks[0] if chunks and isinstance(chunks[0], int) else BYTES


class Blocks:
    """The data of a run, and the user's functions as sums, or means, over its blocks."""

    def __init__(self, data: Data, mean: bool) -> None:
        self.data, self.mean = data, mean

    def summed(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[Any], Any]:
        data = self.data
        return data.summed(Task(function, args, data.which, data.rows if self.mean else 0))

    def objective(self, fun: Any, jac: Any, args: tuple[Any, ...], along: bool) -> tuple[Any, Any]:
        """`fun` and `jac` as functions of x; the gradient comes `along` with each value."""
        if jac is True:
            return Pairs(self.summed(PairsOf(fun), args)), True
        value = Values(self.summed(ValuesOf(fun), args))
        if not callable(jac):
            return value, jac
        slope = self.summed(Each(jac, vector), args)
        if along:
            both = Together(self.summed(PairsOf(fun, jac), args), slope)
            return both, both.gradient
        return value, Single(slope)

    def hessian(self, hess: Any, hessp: Any, args: tuple[Any, ...]) -> tuple[Any, Any]:
        """`hess` and `hessp`, as far as they are given, as functions of x."""
        return (
            hess and Single(self.summed(Each(hess, matrix), args)),
            hessp and Single(self.summed(Each(hessp, product), args)),
        )


def at_once(bound: Any, points: Points) -> Any:
    """A `map` for an evaluator: all points of a `Bound` function in one pass."""
    return bound.fun.at(points)


# --- what is found in a block; each call gets a point of its own


class ValuesOf:
    """The values at some points."""

    def __init__(self, fun: Callable[..., Any]) -> None:
        self.fun = fun

    def __call__(self, points: Points, *args: Any) -> tuple[Any, ...]:
        return (np.array([number(x, self.fun(x.copy(), *args)) for x in points]),)


class PairsOf:
    """The values and gradients; without `jac` it is `fun` that returns both."""

    def __init__(self, fun: Callable[..., Any], jac: Callable[..., Any] | None = None) -> None:
        self.fun, self.jac = fun, jac

    def __call__(self, points: Points, *args: Any) -> tuple[Any, ...]:
        f, g = zip(*(self.pair(x, args) for x in points), strict=True)
        return np.array(f), np.array(g)

    def pair(self, x: Vector, args: tuple[Any, ...]) -> tuple[float, Vector]:
        if self.jac is None:
            return pair(self.fun(x.copy(), *args), x.size)
        f = scalar(self.fun(x.copy(), *args))
        if not np.isfinite(f):  # nobody asks for the gradient of a point that is refused
            return f, np.full(x.size, np.nan)
        return f, vector(self.jac(x.copy(), *args), x.size)


class Each:
    """The results of another function, checked by `like`."""

    def __init__(self, function: Callable[..., Any], like: Callable[[Any, int], Any]) -> None:
        self.function, self.like = function, like

    def __call__(self, given: Points, *args: Any) -> tuple[Any, ...]:
        return (self.like(self.function(*(x.copy() for x in given), *args), given[0].size),)


def number(x: NDArray[Any], f: Any) -> complex:
    return complex_scalar(f) if np.iscomplexobj(x) else scalar(f)


def product(Hp: Any, n: int) -> Vector:
    return vector(Hp, n, "hessp")


# --- the functions that sources and evaluator know


class Values:
    """`fun`."""

    def __init__(self, summed: Callable[[Points], Any]) -> None:
        self.summed = summed

    def __call__(self, x: NDArray[Any]) -> Any:
        return self.at([x])[0]

    def at(self, points: Points) -> Sequence[Any]:
        (f,) = self.summed(points)
        return list(f)


class Pairs(Values):
    """`fun` with its gradient."""

    def at(self, points: Points) -> Sequence[Any]:
        return list(zip(*self.summed(points), strict=True))


class Together(Values):
    """`fun`, and `gradient` from the same pass if both are wanted at the same point."""

    def __init__(self, summed: Callable[[Points], Any], slope: Callable[[Points], Any]) -> None:
        super().__init__(summed)
        self.slope, self.x, self.g = Single(slope), np.empty(0), np.empty(0)

    def at(self, points: Points) -> Sequence[Any]:
        f, g = self.summed(points)
        self.x, self.g = points[-1], g[-1]
        return list(f)

    def gradient(self, x: Vector) -> Vector:
        known = np.array_equal(x, self.x) and not np.isnan(self.g).any()
        return self.g.copy() if known else self.slope(x)


class Single:
    """`jac`, `hess` or `hessp`."""

    def __init__(self, summed: Callable[[Points], Any]) -> None:
        self.summed = summed

    def __call__(self, *given: Vector) -> Any:
        (found,) = self.summed(given)
        return found
