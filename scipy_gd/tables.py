"""Tables: aligned text for a terminal, HTML for a notebook, plain objects for JSON."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from html import escape
from textwrap import fill
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

R = TypeVar("R")
S = TypeVar("S", bound="Table[Any]")
Cells = Sequence[Sequence[str]]
READABLE = 18
"""Text is not cut to fewer characters than this."""


def terminal_width() -> int:
    """The columns of the terminal; 80 if there is none."""
    return shutil.get_terminal_size((80, 24)).columns


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
    """The rows as an HTML table; the first one is the heading."""

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
    """A column: its heading, the value for a row, its format, and its alignment.

    Long text may be cut. If there is no room, columns with a nonzero `spare` are left out,
    starting with 1; those with 0 always stay.
    """

    head: str
    figure: Callable[[Any], Any]
    show: Callable[[Any], str] = str
    left: bool = False
    text: bool = False
    spare: int = 0


def _fitting(
    natural: Mapping[str, int], columns: Mapping[str, Column], room: int
) -> dict[str, int]:
    """The columns that fit into a table of at most `room` characters, and their widths."""
    texts = {name for name, column in columns.items() if column.text or column.left}
    kept = {name for name, column in columns.items() if not column.spare}

    def wide(widths: Mapping[str, int]) -> int:
        return sum(widths.values()) + 2 * (len(widths) - 1)

    least = {k: min(w, READABLE) if k in texts else w for k, w in natural.items()}
    for name in sorted(columns.keys() - kept, key=lambda name: -columns[name].spare):
        if wide({k: w for k, w in least.items() if k in kept | {name}}) <= room:
            kept.add(name)
    widths = {k: w for k, w in natural.items() if k in kept}
    last = [*columns][-1]
    for name in sorted(texts & kept, key=lambda name: (name != last, -natural[name])):
        over = max(wide(widths) - room, 0)
        widths[name] = max(widths[name] - over, least[name])
    return widths


def cut(text: str, width: int, middle: bool = True) -> str:
    """The text cut to `width` characters, in the middle, as names often differ at the end."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2 if middle else 0
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


class Table(Sequence[R]):
    """A sequence of rows, also indexed by label, that prints as a table.

    A subclass is a dataclass with `rows`, a `title`, `columns`, and a `label` for each row.
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
        """The heading and the rows as text, and which columns are left-aligned."""
        columns = self.columns.values()
        body = [[column.show(column.figure(row)) for column in columns] for row in self.rows]
        left = [k for k, column in enumerate(columns) if column.left]
        return [[column.head for column in columns], *body], left

    def _notes(self, columns: Collection[str]) -> list[str]:
        """What these columns do not show, to be said below the table."""
        return []

    def __str__(self) -> str:
        room, columns = terminal_width(), self.columns
        cells, _ = self._cells()
        by_name = dict(zip(columns, zip(*cells, strict=True), strict=True))
        natural = {name: max(map(len, column)) for name, column in by_name.items()}
        widths = _fitting(natural, columns, room)
        last = [*columns][-1]
        shown = [
            [cut(cell, width, name != last) for cell in by_name[name]]
            for name, width in widths.items()
        ]
        left = [k for k, name in enumerate(widths) if columns[name].left]
        lines = aligned([*zip(*shown, strict=True)], left)
        head, *body = (cut(line, room, False) for line in lines)
        rule = "-" * max(map(len, [head, *body]))
        said = [fill(note, room, subsequent_indent="  ") for note in self._notes(widths)]
        return "\n".join([fill(self.title, room), head, rule, *body, *said])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in self._notes(self.columns))
        return as_html(*self._cells(), self.title) + notes

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
