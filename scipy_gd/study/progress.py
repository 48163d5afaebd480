"""The option `progress` of a study: how far it is."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def announce(items: Iterable[T], labels: Sequence[str], title: str, unit: str) -> Iterator[T]:
    """Pass the items on, each label on stderr: as a bar on a terminal, else line by line."""
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        with tqdm(zip(labels, items, strict=True), title, len(labels), False, unit=unit) as bar:
            for label, item in bar:
                bar.set_postfix_str(label)
                yield item
    else:
        for i, (label, item) in enumerate(zip(labels, items, strict=True), 1):
            sys.stderr.write(f"{title}: {i}/{len(labels)} {label}\n")
            yield item
