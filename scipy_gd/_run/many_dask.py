"""Many problems whose data are Dask arrays: one task per block of rows, and a lazy result."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import dask.array as da
import numpy as np
from dask.base import DaskMethodsMixin
from dask.delayed import delayed
from dask.highlevelgraph import HighLevelGraph

from .._evaluate.dask_blocks import as_dask
from .batches import is_dask
from .many_result import ManyResult
from .members import Collected, Members

ASIDE = {"messages", "parameter_names", "summary", "to_pandas"}
"""What only the computed result has."""


class LazyManyResult(DaskMethodsMixin):  # type: ignore[misc]
    """The results of `minimize_many` for Dask arrays in `x0` or `args`: nothing has run yet.

    It is a Dask collection, for `dask.compute`, `dask.persist` and the methods of a client.

    Attributes
    ----------
    x, fun, jac, success, status, nit, nfev, njev, nhev : dask.array.Array
        As in `ManyResult`, with one chunk per block of problems.
    stderr, covariance, dof : dask.array.Array
        For fits.

    Methods
    -------
    compute()
        The `ManyResult`, in memory.
    persist()
        The same lazy result after running it (with a client: while it runs), kept where it ran.
    """

    __dask_scheduler__ = staticmethod(da.Array.__dask_scheduler__)
    __dask_optimize__ = staticmethod(da.Array.__dask_optimize__)

    def __init__(self, graph: Any, name: str, sizes: tuple[int, ...], like: ManyResult) -> None:
        self._graph, self._name, self._sizes, self._like = graph, name, sizes, like

    def __dask_graph__(self) -> Any:
        return self._graph

    def __dask_layers__(self) -> tuple[str, ...]:
        return (self._name,)

    def __dask_keys__(self) -> list[tuple[str, int]]:
        return [(self._name, i) for i in range(len(self._sizes))]

    def __dask_tokenize__(self) -> str:
        return self._name

    def __dask_postcompute__(self) -> tuple[Callable[..., ManyResult], tuple[Any, ...]]:
        return joined, (self._like,)

    def __dask_postpersist__(self) -> tuple[Callable[..., LazyManyResult], tuple[Any, ...]]:
        return kept, (self._name, self._sizes, self._like)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in ASIDE:
            raise AttributeError(f"a lazy result has no `{name}`: call `.compute()` first")
        like = getattr(self._like, name)
        field, sizes = f"{name}-{self._name}", self._sizes
        zeros = (0,) * (like.ndim - 1)
        layer = {(field, i, *zeros): (array_of, (self._name, i), name) for i in range(len(sizes))}
        graph = HighLevelGraph.from_collections(field, layer, dependencies=[self])
        return da.Array(graph, field, (sizes, *((n,) for n in like.shape[1:])), meta=like)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            raise TypeError("a lazy result has no single results: call `.compute()` first")
        return getattr(self, key)

    def __dir__(self) -> list[str]:
        fit = ["stderr", "covariance"] if "upper" in self._like else []
        arrays = {name for name, v in self._like.items() if isinstance(v, np.ndarray)} - {"upper"}
        return sorted({*super().__dir__(), *arrays, *fit})

    def __repr__(self) -> str:
        n, k = self._like.x.shape[1], sum(self._sizes)
        return f"<{k:,} problems with {n} parameters, lazy, in {len(self._sizes):,} blocks>"


def lazily(members: Members, solve: Callable[[Members], Collected]) -> LazyManyResult:
    """The result of problems that are solved on demand.

    The blocks are the chunks of the first Dask array with one row per problem, if there is one.
    """
    parts: dict[Any, Any] = {"starts": members.starts, **dict(enumerate(members.args))}
    cut: set[Any] = {k for k, axis in enumerate(members.axes) if axis}
    cut |= {"starts"} if len(members.starts) > 1 else set()
    if members.boxes is not None and len(members.boxes) > 1:
        parts["boxes"], cut = members.boxes, cut | {"boxes"}
    rows = {place: each for place, each in parts.items() if place in cut}
    whole = {place: a.rechunk(-1) for place, a in parts.items() if place not in cut and is_dask(a)}
    chunks = next((a.chunks[0] for a in rows.values() if is_dask(a)), (members.k,))
    sizes = tuple(size for size in chunks if size)
    rows = {place: as_dask(as_array(each), sizes) for place, each in rows.items()}
    arrays = {**rows, **whole}
    problems = Problems(solve, members, tuple(arrays), len(rows))
    common = delayed(problems, pure=False, traverse=False)
    name = f"minimize_many-{uuid.uuid4().hex}"
    layer = {}
    for i, (size, first) in enumerate(zip(sizes, accumulate(sizes, initial=0), strict=False)):
        keys = [(a.name, i, *(0,) * (a.ndim - 1)) for a in rows.values()]
        keys += [(a.name, *(0,) * a.ndim) for a in whole.values()]
        layer[name, i] = solved, common.key, first, size, keys
    graph = HighLevelGraph.from_collections(name, layer, [common, *arrays.values()])
    like = Collected(0, members.n, members.fits).result(members.names)
    return LazyManyResult(graph, name, sizes, like)


class Problems:
    """What the blocks have in common, and where in `Members` their arrays belong.

    The first of these, as many as are cut, are those of a block; the others come as a whole.
    """

    def __init__(self, solve: Any, members: Members, places: tuple[Any, ...], cut: int) -> None:
        args = tuple(None if k in places else a for k, a in enumerate(members.args))
        own: dict[str, Any] = {each: None for each in places if isinstance(each, str)}
        self.solve, self.places, self.cut = solve, places, cut
        self.members = members._replace(args=args, **own)

    def block(self, first: int, size: int, arrays: Sequence[Any]) -> Members:
        rows = [plain(each) for each in arrays[: self.cut]]
        given = dict(zip(self.places, [*rows, *arrays[self.cut :]], strict=True))
        args = tuple(given.pop(k, a) for k, a in enumerate(self.members.args))
        return self.members._replace(args=args, k=size, first=first, **given)


# --- what is run by Dask


def solved(problems: Problems, first: int, size: int, arrays: Sequence[Any]) -> Collected:
    found: Collected = problems.solve(problems.block(first, size, arrays))
    found.errors = [portable(error) for error in found.errors[:1]]
    return found


def plain(rows: Any) -> Any:
    """Data from another worker may be read-only or unaligned, which would compile separate code."""
    return np.require(rows, None, ["C", "A", "W"]) if type(rows) is np.ndarray else rows


def portable(error: BaseException) -> BaseException:
    """An error that arrives wherever it is sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def array_of(found: Collected, name: str) -> Any:
    return found.result(())[name]


def joined(blocks: Sequence[Collected], like: ManyResult) -> ManyResult:
    """The result of all problems; raises an error if all of them raised one."""
    total = Collected(sum(len(each.fun) for each in blocks), like.x.shape[1], "upper" in like)
    low = 0
    for each in blocks:
        total.part(low, low + len(each.fun)).copy(each)
        low += len(each.fun)
    total.raise_if_all_have()
    return total.result(like.parameter_names)


def kept(graph: Any, name: str, *state: Any, rename: Any = None) -> LazyManyResult:
    name = (rename or {}).get(name, name)
    return LazyManyResult(HighLevelGraph.from_collections(name, graph), name, *state)


def as_array(rows: Any) -> Any:
    """A sequence of objects other than arrays, as an array of objects."""
    if isinstance(rows, list | tuple):
        return np.fromiter(rows, object, len(rows))
    return rows
