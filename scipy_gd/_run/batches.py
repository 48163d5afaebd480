"""Mini-batches: which rows of the data an evaluation sees, and what happens between epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.machine import share
from ..arguments import Vector

if TYPE_CHECKING:
    from .drive import Run


class Batches:
    """Rows of the data, in a new order in each epoch, every row once; the last batch may be short.

    Parameters
    ----------
    args : tuple
        What `fun` is given; it is never modified, and of its arrays only the rows of a batch are
        copied.
    size : int
        Rows in a batch; more than there are means all of them.
    rng : Generator
        Shuffles.
    shuffle : bool
        Otherwise the rows come as they are stored.
    which : sequence of int, optional
        The positions of the arrays in `args` that are cut. Default: see `sampled_arguments`.

    Attributes
    ----------
    order, cursor : ndarray
        The rows of this epoch; how many of them have been given out, and how many evaluated.
    closed : bool
        Whether what follows an epoch has been done.
    """

    def __init__(
        self,
        args: tuple[Any, ...],
        size: int,
        rng: np.random.Generator,
        shuffle: bool = True,
        which: Sequence[int] | None = None,
    ) -> None:
        self.args, self.rng, self.shuffle = args, rng, shuffle
        self.which = sampled_arguments(args, which)
        self.rows = _length(args[self.which[0]])
        self.size = min(size, self.rows)
        self.order = np.arange(self.rows)
        self.cursor = np.array([self.rows, self.rows])
        self.closed = True

    @property
    def in_an_epoch(self) -> int:
        return -(-self.rows // self.size)

    @property
    def exhausted(self) -> bool:
        return bool(self.cursor[0] >= self.rows)

    def begin_epoch(self) -> None:
        if self.shuffle:
            self.order = self.rng.permutation(self.rows)
        self.closed = False
        self.cursor[:] = 0

    def next(self) -> tuple[Any, ...]:
        """`args` with the rows of the next batch."""
        begin = int(self.cursor[0])
        end = min(begin + self.size, self.rows)
        self.cursor[0] = end
        rows: Any = self.order[begin:end] if self.shuffle else slice(begin, end)
        return tuple(
            take(each, rows) if k in self.which else each for k, each in enumerate(self.args)
        )

    def keep(self) -> None:
        """The last batch has been evaluated."""
        self.cursor[1] = self.cursor[0]

    def give_back(self) -> None:
        """If the last batch has not been evaluated, it will be the next one as well."""
        self.cursor[0] = self.cursor[1]


def _length(array: Any) -> int:
    return int(array.shape[0])


def take(array: Any, rows: Any) -> Any:
    """Some rows of an array, a sparse matrix or a data frame."""
    if hasattr(array, "iloc"):
        return array.iloc[rows]
    if type(array) is np.ndarray and not isinstance(rows, slice):
        return array.take(rows, axis=0)
    return array[rows]


def sampled_arguments(args: tuple[Any, ...], which: Sequence[int] | None) -> tuple[int, ...]:
    """The positions of the arguments that are cut into batches.

    Without `which` these are the arrays whose first axis has the one length that more than one of
    them has, or the only array there is.

    Raises
    ------
    ValueError
        If that is ambiguous, or there is none; or if those of `which` have no rows, or not equally
        many.
    """
    lengths = {k: _length(a) for k, a in enumerate(args) if len(getattr(a, "shape", ())) > 0}
    if which is not None:
        chosen = tuple(which)
        if not chosen or any(k not in lengths for k in chosen):
            raise ValueError(
                f"`batch_args` must name arrays by their positions in `args`, of {[*lengths]}, "
                f"got {which!r}"
            )
        if len({lengths[k] for k in chosen}) > 1:
            raise ValueError(
                "the arrays that `batch_args` names must have equally many rows, got "
                f"{[lengths[k] for k in chosen]}"
            )
    else:
        counts = Counter(lengths.values())
        shared = [length for length, count in counts.items() if count > 1] or [*counts]
        if len(shared) != 1:
            found = (
                "there is no array" if not counts else f"found first axes of {[*lengths.values()]}"
            )
            raise ValueError(
                "`batch_size` needs arrays in `args` whose first axis has a length in common; "
                f"{found}: say with `batch_args` which arguments (by position) are cut into batches"
            )
        for k, each in enumerate(args):
            if isinstance(each, list | tuple) and len(each) == shared[0]:
                raise ValueError(
                    f"`args[{k}]` is a {type(each).__name__} as long as the arrays have rows: make "
                    "it an array, or say with `batch_args` which arguments are cut into batches"
                )
        chosen = tuple(k for k, length in lengths.items() if length == shared[0])
    for k in chosen:
        if lengths[k] == 0:
            raise ValueError(f"`args[{k}]` has no rows")
        try:
            take(args[k], np.arange(1))
        except (TypeError, NotImplementedError):
            raise ValueError(
                f"`args[{k}]` ({type(args[k]).__name__}) cannot be indexed by rows: convert it, "
                "for instance a sparse matrix by `.tocsr()`"
            ) from None
    return chosen


def held_out_arguments(
    args: tuple[Any, ...], which: tuple[int, ...], given: Any
) -> tuple[Any, ...]:
    """The arguments of `fun` on data that are held out.

    Raises
    ------
    ValueError
        If `given` has neither as many members as `args` nor as many as are cut into batches, or
        these are no rows like those of `args`.
    """
    given = tuple(given) if isinstance(given, tuple | list) else (given,)
    held_out: tuple[Any, ...]
    if len(given) == len(args):
        held_out = given
    elif len(given) == len(which):
        replaced = dict(zip(which, given, strict=True))
        held_out = tuple(replaced.get(k, each) for k, each in enumerate(args))
    else:
        raise ValueError(
            f"`validation` must be a tuple of the {len(which)} arrays that are cut into batches "
            f"(or of all of `args`) for other data, got {len(given)}"
        )
    shapes = [tuple(getattr(held_out[k], "shape", ())) for k in which]
    rows = shapes[0][:1]
    if rows in ((), (0,)) or shapes != [(*rows, *args[k].shape[1:]) for k in which]:
        like = ", ".join(str(("m", *args[k].shape[1:])) for k in which).replace("'m'", "m")
        raise ValueError(
            f"`validation` must be arrays like those that are cut into batches, of shape {like} "
            f"with m > 0, got {', '.join(map(str, shapes))}"
        )
    return held_out


class Sampling:
    """What is particular to a run whose values are noisy: batches, or an experiment.

    Parameters
    ----------
    batches : Batches, optional
        Where the noise comes from; without it from the function itself.
    held_out : tuple, optional
        The arguments for a value on other data after every epoch.
    patience : int
        After so many epochs without a lower loss the run stops.

    Attributes
    ----------
    losses : list of float
        Held-out losses by epoch.
    stopped : bool
        Whether patience has run out.
    last : bool
        Whether the evaluation under way is the last one, which is made with all data.
    """

    def __init__(
        self,
        batches: Batches | None,
        held_out: tuple[Any, ...] | None = None,
        patience: int = 2**62,
    ) -> None:
        self.batches, self.held_out, self.patience = batches, held_out, patience
        self.losses: list[float] = []
        self.x_best: Vector | None = None
        self.stopped = self.last = False

    def arguments(self, run: Run) -> tuple[Any, ...] | None:
        """The arguments of the next evaluation; all data for the last one, at the chosen point."""
        V, r, batches = run.V, run.r, self.batches
        if batches is not None and batches.exhausted and not batches.closed:
            if self.held_out is not None:
                x = current(V, r, r.trial)
                self._end_epoch(x, run.objective.value_of(x, self.held_out))
            batches.closed = True
        self.last = r.nit + 2 > r.maxiter or self.stopped
        if self.last:
            run.save()  # before a point is put in the place of the last iterate
            r.maxiter = r.nit + 1
            V[r.trial] = self.chosen(V, r, r.trial)
            return None if batches is None else batches.args
        if batches is None:
            return None
        if batches.exhausted:
            batches.begin_epoch()
        return batches.next()

    def _end_epoch(self, x: Vector, loss: float) -> None:
        self.losses.append(loss)
        lowest = int(np.argmin(np.where(np.isnan(self.losses), np.inf, self.losses)))
        since = len(self.losses) - 1 - lowest
        if since == 0 and loss < np.inf:
            self.x_best = x
        self.stopped = since >= self.patience

    def chosen(self, V: Vector, r: Any, row: int) -> Vector:
        """The point to return: the best on held-out data, an average, or the iterate in `row`."""
        return current(V, r, row) if self.x_best is None else self.x_best.copy()


def current(V: Vector, r: Any, row: int) -> Vector:
    """A copy of the iterate in `row`, or of the average of the iterates up to it."""
    averaged = r.average >= 0 and r.nit > 0
    point: Vector = V[r.average if averaged else row].copy()
    if averaged and r.averaging > 0.0 and row == r.trial:  # it has not arrived yet
        point += share.py_func(r) * (V[row] - point)
    return point
