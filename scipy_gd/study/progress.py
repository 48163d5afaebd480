"""The option `progress` of a study."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def announce(items: Iterable[tuple[str, T]], total: int, title: str, unit: str) -> Iterator[T]:
    """Pass on the items and show their labels on stderr: as a bar on a terminal, else as lines."""
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        with tqdm(items, title, total, False, unit=unit) as bar:
            for label, item in bar:
                bar.set_postfix_str(label)
                yield item
    else:
        for i, (label, item) in enumerate(items, 1):
            sys.stderr.write(f"{title}: {i}/{total} {label}\n")
            yield item
