"""Batches and blocks: which arguments to cut, and how to take some of their rows."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np


def length(array: Any) -> int:
    """The number of rows; raises ValueError for a Dask array that does not know it."""
    try:
        return int(array.shape[0])
    except ValueError:
        raise ValueError(
            "a Dask array in `args` must know its number of rows: use `.compute_chunk_sizes()`, "
            "or `.to_dask_array(lengths=True)` for a data frame"
        ) from None


def is_dask(array: Any) -> bool:
    dask = sys.modules.get("dask.array")  # who has such an array has it
    return dask is not None and isinstance(array, dask.Array)


def check_lazy(name: str, given: Any) -> None:
    """Raise TypeError for a Dask collection that is not an array; a DataArray may be one."""
    graph = getattr(given, "__dask_graph__", None)
    if graph is None or graph() is None or is_dask(given):
        return
    inside = is_dask(getattr(given, "data", None))
    how = "`.data`" if inside else "`.to_dask_array(lengths=True)`"
    raise TypeError(f"`{name}` must be an array (try {how}), got a Dask {type(given).__name__}")


def check_known(name: str, given: Any) -> None:
    """Raise ValueError for a Dask array of unknown shape."""
    if is_dask(given) and np.isnan(given.shape).any():
        raise ValueError(
            f"`{name}` is a Dask array of unknown shape: use `.compute_chunk_sizes()`, or "
            "`.to_dask_array(lengths=True)` for a data frame"
        )


def take(array: Any, rows: Any) -> Any:
    """Some rows of an array, a sparse matrix or a data frame."""
    if hasattr(array, "iloc"):
        return array.iloc[rows]
    if type(array) is np.ndarray:  # C-contiguous, as in the compiled loop
        whole = isinstance(rows, slice)
        return np.ascontiguousarray(array[rows]) if whole else array.take(rows, axis=0)
    return array[rows]


def sampled_arguments(
    args: tuple[Any, ...], which: Sequence[int] | None, option: str = "batch_size"
) -> tuple[int, ...]:
    """The positions of the arguments to cut into batches, or blocks, for this option.

    With Dask arrays among the arguments, these are the arrays with as many rows. Otherwise, without
    `which`, these are the arrays that share their number of rows, or the only array there is.

    Raises
    ------
    ValueError
        If that is ambiguous, or there is none; or if those in `which` have no rows or different
        numbers of rows.
    """
    lengths = {k: length(a) for k, a in enumerate(args) if len(getattr(a, "shape", ())) > 0}
    lazy = {k: n for k, n in lengths.items() if is_dask(args[k])}
    if which is not None:
        chosen = tuple(which)
        if not chosen or any(k not in lengths for k in chosen):
            raise ValueError(
                f"`batch_args` must be positions of arrays in `args`, among {[*lengths]}, got "
                f"{which!r}"
            )
        if len({lengths[k] for k in chosen}) > 1:
            raise ValueError(
                "the arrays at `batch_args` must have the same number of rows, got "
                f"{[lengths[k] for k in chosen]}"
            )
    else:
        counts = Counter(lengths.values())
        shared = [length for length, count in counts.items() if count > 1] or [*counts]
        shared = [*{*lazy.values()}] or shared
        if len(shared) != 1:
            found = (
                "there is no array"
                if not counts
                else f"found first axes of {[*(lazy or lengths).values()]}"
            )
            raise ValueError(
                f"`{option}` needs arrays in `args` with the same number of rows; {found}: use "
                "`batch_args` to give the positions of the arguments to cut"
            )
        for k, each in enumerate(args):
            if isinstance(each, list | tuple) and len(each) == shared[0]:
                raise ValueError(
                    f"`args[{k}]` is a {type(each).__name__} with one item per row of the arrays: "
                    "convert it to an array, or use `batch_args` to give the positions of the "
                    "arguments to cut"
                )
        chosen = tuple(k for k, length in lengths.items() if length == shared[0])
    for k in chosen:
        if lengths[k] == 0:
            raise ValueError(f"`args[{k}]` has no rows")
        try:
            take(args[k], slice(0, 1) if option == "reduce" else np.arange(1))
        except (TypeError, NotImplementedError):
            raise ValueError(
                f"`args[{k}]` ({type(args[k]).__name__}) cannot be indexed by rows: convert it "
                "(for a sparse matrix, use `.tocsr()`)"
            ) from None
    return chosen


def held_out_arguments(
    args: tuple[Any, ...], which: tuple[int, ...], given: Any
) -> tuple[Any, ...]:
    """The arguments of `fun` for held-out data.

    Raises
    ------
    ValueError
        If `given` has neither as many members as `args` nor as many as are cut into batches, or its
        rows do not match those of `args`.
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
            f"`validation` must be a tuple of held-out data for the {len(which)} arrays that are "
            f"cut into batches (or for all of `args`), got {len(given)}"
        )
    shapes = [tuple(getattr(held_out[k], "shape", ())) for k in which]
    rows = shapes[0][:1]
    if rows in ((), (0,)) or shapes != [(*rows, *args[k].shape[1:]) for k in which]:
        like = ", ".join(str(("m", *args[k].shape[1:])) for k in which).replace("'m'", "m")
        raise ValueError(
            "`validation` must be arrays like those that are cut into batches, with shapes "
            f"{like} and m > 0, got {', '.join(map(str, shapes))}"
        )
    return held_out
