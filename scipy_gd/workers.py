"""The option `workers`: where work that can be done in parallel is done."""

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

    It is a number of processes (-1: as many as there are cores), a map-like callable, or None for
    the map of Python. Those of processes come as they are finished, if they need not be `ordered`.
    """
    if callable(workers):
        yield workers
    elif workers is None or workers == 1:
        yield map
    else:
        with multiprocessing.Pool(os.cpu_count() if workers == -1 else workers) as pool:
            yield pool.imap if ordered else pool.imap_unordered
