"""Blocks of Dask arrays, summed where they are.

With a distributed client whose workers have enough memory, the blocks are kept on the workers. A
pass is then one or a few tasks per thread of a worker, on the blocks that it holds, and only the
sums travel. If workers die, Dask recreates their blocks, and the tasks follow them. Without a
client or enough memory, each task loads its block in every pass.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.delayed import delayed
from dask.sizeof import sizeof

from .blocks import Block, Task, added

try:
    import distributed
except ImportError:  # Dask alone
    distributed = None  # type: ignore[assignment]

ROOM = 0.5
"""The fraction of the workers' memory that kept blocks may take."""
GROUP = 0.1
"""The fraction of a worker's memory for the blocks of one task, which may be on its disk."""
PIECE = 12_288
"""Rows that a function sees at once. Workers return freed memory to the system, and NumPy's
temporary arrays cost as much as the arithmetic if they have more than 128 kB."""
LARGE = 2**17
"""The size in bytes from which a point is sent once instead of with every task."""


class DaskBlocks:
    """Arguments with Dask arrays among them, cut along the first axis like the first of these."""

    def __init__(self, args: tuple[Any, ...], which: tuple[int, ...]) -> None:
        self.which = which
        first = next(args[k] for k in which if isinstance(args[k], da.Array))
        self.rows = int(first.shape[0])
        chunks = tuple(size for size in first.chunks[0] if size)
        arrays = [as_dask(args[k], chunks) for k in which]
        self.bytes = sum(array.nbytes for array in arrays)
        # not optimized one by one: what they share is made once
        columns = [array.to_delayed(optimize_graph=False).ravel() for array in arrays]
        self.blocks = [list(block) for block in zip(*columns, strict=True)]

    def summed(self, task: Task) -> Callable[[Any], Any]:
        begun = functools.cache(lambda: (self.kept or self).summing(task))  # at its first pass
        return lambda asked: begun()(asked)

    def summing(self, task: Task) -> Callable[[Any], Any]:
        fixed = delayed(task, traverse=False)

        def total(asked: Any) -> Any:
            parts = [delayed(part)(fixed, asked, [block]) for block in self.blocks]
            return functools.reduce(added, compute(*parts))

        return total

    @functools.cached_property
    def kept(self) -> Kept | None:
        """The same blocks on the workers of the client, if they have enough memory."""
        client = default_client()
        if client is None or self.bytes > ROOM * sum(memory(client).values()):
            return None
        return Kept(client, [delayed(aligned)(block) for block in self.blocks], self.bytes)

    def release(self) -> None:
        if kept := self.__dict__.pop("kept", None):
            kept.release()


class Kept:
    """Blocks in the memory of workers.

    `groups` says which of them are summed by one task, and where; this is updated after a task had
    to go elsewhere.
    """

    def __init__(self, client: Any, blocks: Sequence[Any], size: int) -> None:
        self.client, self.size = client, size
        self.blocks = client.compute(blocks)
        self.groups: list[tuple[str, list[Any]]] = []

    def summing(self, task: Task) -> Callable[[Any], Any]:
        send = functools.partial(self.client.submit, pure=False)
        fixed = send(same, task)

        def total(asked: Any) -> Any:
            self.groups = self.groups or self.together()
            point = send(same, asked) if sizeof(asked) > LARGE else asked
            parts = self.client.gather(
                [
                    send(part_and_place, fixed, point, blocks, workers=at, allow_other_workers=True)
                    for at, blocks in self.groups
                ]
            )
            if any(there != at for (_, there), (at, _) in zip(parts, self.groups, strict=True)):
                self.groups = []
            return functools.reduce(added, (found for found, _ in parts))

        return total

    def together(self) -> list[tuple[str, list[Any]]]:
        """The blocks of each worker, in one group for a thread, or in more to save memory."""
        distributed.wait(self.blocks)
        where, threads = self.client.who_has(self.blocks), self.client.nthreads()
        anywhere, room = next(iter(threads)), memory(self.client)
        of_worker = defaultdict[str, list[Any]](list)
        for block in self.blocks:
            of_worker[next(iter(where[block.key]), anywhere)].append(block)
        groups = []
        for at, blocks in of_worker.items():
            share = self.size * len(blocks) / len(self.blocks)
            count = max(threads.get(at, 1), math.ceil(share / (GROUP * room.get(at, math.inf))))
            size = math.ceil(len(blocks) / count)
            groups += [(at, blocks[k : k + size]) for k in range(0, len(blocks), size)]
        return groups

    def release(self) -> None:
        self.blocks, self.groups = [], []


def part(task: Task, asked: Any, blocks: Sequence[Block]) -> Any:
    return task(asked, pieces(blocks))


def part_and_place(task: Task, asked: Any, blocks: Sequence[Block]) -> Any:
    return part(task, asked, blocks), distributed.get_worker().address


def pieces(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        for first in range(0, block[0].shape[0], PIECE):
            yield tuple(each[first : first + PIECE] for each in block)


def aligned(block: Sequence[Any]) -> Block:
    """Arrays from another worker may be unaligned, which would make BLAS copy them."""
    return tuple(np.require(a, None, ["C", "A"]) if type(a) is np.ndarray else a for a in block)


def same(given: Any) -> Any:
    return given


def as_dask(array: Any, chunks: tuple[int, ...]) -> Any:
    """The array with these blocks of rows, all of a row in one."""
    if not isinstance(array, da.Array):
        given = array if hasattr(array, "chunks") else np.asarray(array)
        return da.from_array(given, chunks=(chunks, *array.shape[1:]), name=False)
    return array.rechunk({0: chunks} | dict.fromkeys(range(1, array.ndim), -1))


def default_client() -> Any:
    """The client that Dask would use, if there is one."""
    try:
        return distributed.default_client()
    except (AttributeError, ValueError):
        return None


def memory(client: Any) -> dict[str, float]:
    """The memory available on each worker."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {at: each["memory_limit"] or math.inf for at, each in workers.items()}
