"""The option `workers`: how parallel work is done."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["mapping"]


@contextmanager
def mapping(
    workers: int | Callable[..., Iterable[Any]] | None, ordered: bool = True
) -> Iterator[Callable[..., Any]]:
    """The ``map(function, items)`` that `workers` stands for; its results come in order.

    `workers` is a number of processes (-1: one per core), a map-like callable, or None for Python's
    map. Unless they must be `ordered`, the results of processes come as soon as they are ready.
    """
    if callable(workers):
        yield workers
    elif workers is None or workers == 1:
        yield map
    else:
        with multiprocessing.Pool(os.cpu_count() if workers == -1 else workers) as pool:
            yield pool.imap if ordered else pool.imap_unordered
