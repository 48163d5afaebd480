"""Tables: aligned text for a terminal, HTML for a notebook, plain objects for JSON."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

R = TypeVar("R")
S = TypeVar("S", bound="Table[Any]")
Cells = Sequence[Sequence[str]]


def aligned(cells: Cells, left: Collection[int] = ()) -> list[str]:
    """The rows as lines of text with aligned columns; those in `left` are left-aligned."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def as_html(cells: Cells, left: Collection[int] = (), caption: str = "") -> str:
    """The rows as an HTML table; the first one is its head."""

    def line(tag: str, row: Sequence[str]) -> str:
        sides = ("left" if k in left else "right" for k in range(len(row)))
        parts = (
            f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
            for side, cell in zip(sides, row, strict=True)
        )
        return f"<tr>{''.join(parts)}</tr>"

    head, body = line("th", cells[0]), "".join(line("td", row) for row in cells[1:])
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead>{head}</thead><tbody>{body}</tbody></table>"


def one_line(text: str) -> str:
    return " ".join(text.split())


def json_ready(value: Any) -> Any:
    """A plain Python object; NaN and infinity, which JSON lacks, become None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    if isinstance(value, dict):
        return {name: json_ready(v) for name, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


class Column(NamedTuple):
    """A column: its head, the value for a row, its format, and its alignment."""

    head: str
    figure: Callable[[Any], Any]
    show: Callable[[Any], str] = str
    left: bool = False


class Table(Sequence[R]):
    """A sequence of rows, also indexed by label, that prints as a table.

    A subclass is a dataclass that has `rows`, a `title`, `columns`, and a `label` for each row.
    """

    rows: tuple[R, ...]

    @property
    def title(self) -> str:
        raise NotImplementedError

    @property
    def columns(self) -> Mapping[str, Column]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.rows)

    def label(self, row: R) -> str:
        """Name a row."""
        raise NotImplementedError

    @overload
    def __getitem__(self, which: int | str) -> R: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[R, ...]: ...
    def __getitem__(self, which: int | str | slice) -> R | tuple[R, ...]:
        if not isinstance(which, str):
            return self.rows[which]
        named = {self.label(row): row for row in self.rows}
        if which not in named:
            raise KeyError(f"no row {which!r}; available: {', '.join(named)}")
        return named[which]

    def _cells(self) -> tuple[list[list[str]], list[int]]:
        """The head and the rows as text, and which columns are left-aligned."""
        columns = self.columns.values()
        body = [[column.show(column.figure(row)) for column in columns] for row in self.rows]
        left = [k for k, column in enumerate(columns) if column.left]
        return [[column.head for column in columns], *body], left

    def __str__(self) -> str:
        cells, left = self._cells()
        before = aligned([row[:-1] for row in cells], left)
        room = max(12, shutil.get_terminal_size((120, 24)).columns - max(map(len, before)) - 2)
        for row in cells:
            row[-1] = row[-1] if len(row[-1]) <= room else row[-1][: room - 1] + "…"
        head, *body = aligned(cells, left)
        return "\n".join([self.title, head, "-" * max(map(len, [head, *body])), *body])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(*self._cells(), self.title)

    def sort(self: S, key: str | Callable[[R], Any] = "f", *, reverse: bool = False) -> S:
        """Return a new table with the rows in a different order.

        Parameters
        ----------
        key : str or callable, default: "f"
            The name of a column, or a function of a row. Rows without a value (NaN) come last.
        reverse : bool, default: False
            Sort in descending order.
        """
        if isinstance(key, str) and key not in self.columns:
            raise ValueError(f"`key` must be one of {', '.join(self.columns)}, got {key!r}")
        figure = self.columns[key].figure if isinstance(key, str) else key
        unknown = [row for row in self.rows if figure(row) != figure(row)]
        known = [row for row in self.rows if figure(row) == figure(row)]

        def place(row: R) -> tuple[bool, Any]:  # words, as "auto" among rates, after the numbers
            value = figure(row)
            return isinstance(value, str), value

        rows = (*sorted(known, key=place, reverse=reverse), *unknown)
        return replace(self, rows=rows)  # type: ignore[type-var]
