"""Rows that print as a table: text on a terminal, HTML in a notebook, plain objects for JSON."""

from __future__ import annotations

import html
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

R = TypeVar("R")
S = TypeVar("S", bound="Table[Any]")


class Column(NamedTuple):
    """A column: its head, the figure of a row, how that is shown, and on which side."""

    head: str
    figure: Callable[[Any], Any]
    show: Callable[[Any], str] = str
    left: bool = False


class Table(Sequence[R]):
    """A sequence of rows; the subclass is a dataclass that has them, a title and columns."""

    rows: tuple[R, ...]

    @property
    def title(self) -> str:
        raise NotImplementedError

    @property
    def columns(self) -> Mapping[str, Column]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, which: int) -> R: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[R, ...]: ...
    def __getitem__(self, which: int | slice) -> R | tuple[R, ...]:
        return self.rows[which]

    def _cells(self) -> list[list[str]]:
        columns = self.columns.values()
        body = [[column.show(column.figure(row)) for column in columns] for row in self.rows]
        return [[column.head for column in columns], *body]

    def __str__(self) -> str:
        cells = self._cells()
        *widths, _ = (max(map(len, column)) for column in zip(*cells, strict=True))
        room = shutil.get_terminal_size((120, 24)).columns - sum(widths) - 2 * len(widths)
        widths.append(max(room, 12))
        lines = [
            "  ".join(
                f"{clip(cell, width):{'<' if column.left else '>'}{width}}"
                for column, cell, width in zip(self.columns.values(), line, widths, strict=True)
            ).rstrip()
            for line in cells
        ]
        return "\n".join([self.title, lines[0], "-" * max(map(len, lines)), *lines[1:]])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = (
            "".join(
                f'<{tag} style="text-align:{"left" if column.left else "right"}">'
                f"{html.escape(cell)}</{tag}>"
                for column, cell in zip(self.columns.values(), line, strict=True)
            )
            for tag, line in zip(["th"] + ["td"] * len(self), self._cells(), strict=True)
        )
        rows = "".join(f"<tr>{line}</tr>" for line in body)
        return (
            f"<table><caption>{html.escape(self.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def sort(self: S, key: str | Callable[[R], Any] = "f", *, reverse: bool = False) -> S:
        """Return the table with its rows in another order.

        Parameters
        ----------
        key : str or callable, default: "f"
            A column's name, or a function of a row. Rows without that figure (nan) come last.
        reverse : bool, default: False
            Largest first.

        Returns
        -------
        Comparison or Sweep
            A new one.

        Examples
        --------
        >>> from scipy_gd import compare
        >>> rows = compare(lambda x: x @ x, [3.0, 4.0], methods=["Powell", "BFGS"])
        >>> [row.method for row in rows.sort("method")]
        ['BFGS', 'Powell']
        """
        if isinstance(key, str) and key not in self.columns:
            raise ValueError(f"key: no column {key!r}; there are {', '.join(self.columns)}")
        figure = self.columns[key].figure if isinstance(key, str) else key
        unknown = [row for row in self.rows if figure(row) != figure(row)]
        known = [row for row in self.rows if figure(row) == figure(row)]

        def place(row: R) -> tuple[bool, Any]:  # words, as "auto" among rates, after the numbers
            value = figure(row)
            return isinstance(value, str), value

        rows = (*sorted(known, key=place, reverse=reverse), *unknown)
        return replace(self, rows=rows)  # type: ignore[type-var]


def clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def one_line(text: str) -> str:
    return " ".join(text.split())


def plain(value: Any) -> Any:
    """A plain Python object: JSON knows neither nan nor infinity, they become None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
