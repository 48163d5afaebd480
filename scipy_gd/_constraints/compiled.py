"""Rows and differences for the compiled loop: one Numba function for all constraints.

The content of the rows is passed as `data`: the matrix or the `args` of each constraint, and where
its rows start and end, so that constraints of other sizes need no new code.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import is_jitted, overload

from ..arguments import scalar
from .derivatives import of_differences
from .products import add_times
from .rows import Linear, Rows


def compiled_rows(rows: Rows) -> tuple[Any, Any, Any] | None:
    """Values, derivatives and data; None unless all are Numba functions or dense."""
    functions: list[tuple[Any, Any]] = []
    data: list[tuple[Any, ...]] = []
    start = 0
    for part in rows.parts:
        where = start, start + part.size
        start += part.size
        if isinstance(part, Linear):
            if not isinstance(part.A, np.ndarray):
                return None
            functions.append((None, None))
            data.append((np.ascontiguousarray(part.A), *where))
        else:
            given = callable(part.jac)
            if not is_jitted(part.fun) or (given and not is_jitted(part.jac)) or part.jac == "cs":
                return None
            functions.append((part.fun, part.jac if given else None))
            data.append((part.args, *where, part.near))
    values, derivatives = stacked(tuple(functions))
    return values, derivatives, (tuple(data), rows.m)


@functools.lru_cache(32)
def stacked(functions: tuple[tuple[Any, Any], ...]) -> tuple[Any, Any]:
    """All rows, and their Jacobian, as functions of ``(x, data)``."""
    fill, fill_slopes = njit(lambda x, parts, c: None), njit(lambda x, parts, J: None)
    for fun, jac in reversed(functions):
        if fun is None:
            fill, fill_slopes = njit(linear(fill)), njit(linear_slopes(fill_slopes))
        else:
            fill = njit(nonlinear(fun, put, fill))
            given = nonlinear(jac, put_slopes, fill_slopes) if jac else None
            fill_slopes = njit(given or of_measured(fun, fill_slopes))

    @njit  # type: ignore[untyped-decorator]
    def values(x: Any, data: Any) -> Any:
        parts, m = data
        c = np.empty(m)
        fill(x, parts, c)
        return c

    @njit  # type: ignore[untyped-decorator]
    def derivatives(x: Any, data: Any) -> Any:
        parts, m = data
        J = np.empty((m, x.size))
        fill_slopes(x, parts, J)
        return J

    return values, derivatives


def linear(rest: Any) -> Any:
    def fill(x: Any, parts: Any, c: Any) -> Any:
        A, start, end = parts[0]
        for k in range(start, end):
            c[k] = 0.0
        add_times(A, x, c[start:end])
        rest(x, parts[1:], c)

    return fill


def linear_slopes(rest: Any) -> Any:
    def fill(x: Any, parts: Any, J: Any) -> Any:
        A, start, _ = parts[0]
        put_slopes(A, start, J)
        rest(x, parts[1:], J)

    return fill


def nonlinear(function: Any, put_there: Any, rest: Any) -> Any:
    """For values and `put`, or for Jacobians and `put_slopes`."""

    def fill(x: Any, parts: Any, out: Any) -> Any:
        args, start, _, _ = parts[0]
        put_there(function(x, *args), start, out)
        rest(x, parts[1:], out)

    return fill


def of_measured(fun: Any, rest: Any) -> Any:
    @njit  # type: ignore[untyped-decorator]
    def values(x: Any, m: int, *args: Any) -> Any:
        c = np.empty(m)
        put(fun(x, *args), 0, c)
        return c

    jacobian = njit(of_differences(values))

    def fill(x: Any, parts: Any, J: Any) -> Any:
        args, start, end, near = parts[0]
        m = end - start
        put_slopes(jacobian(x, values(x, m, *args), near, m, *args), start, J)
        rest(x, parts[1:], J)

    return fill


def put(found: Any, start: int, c: Any) -> Any:
    """One value or several into c."""


@overload(put)
def _put(found: Any, start: int, c: Any) -> Any:
    def number(found: Any, start: int, c: Any) -> Any:
        c[start] = found

    def vector(found: Any, start: int, c: Any) -> Any:
        if start + found.size > c.size:
            raise ValueError(
                "a constraint must always return the same number of values, got more than before"
            )
        for k in range(found.size):
            c[start + k] = found[k]

    return vector if isinstance(found, types.Array) else number


def put_slopes(found: Any, start: int, J: Any) -> Any:
    """One row or several into J."""


@overload(put_slopes)
def _put_slopes(found: Any, start: int, J: Any) -> Any:
    def row(found: Any, start: int, J: Any) -> Any:
        if found.size != J.shape[1]:
            raise ValueError("the Jacobian of a constraint must have one column per parameter")
        for j in range(J.shape[1]):
            J[start, j] = found[j]

    def rows(found: Any, start: int, J: Any) -> Any:
        if found.shape[1] != J.shape[1] or start + found.shape[0] > J.shape[0]:
            raise ValueError(
                "the Jacobian of a constraint must always have the same shape, got a different one"
            )
        for k in range(found.shape[0]):
            for j in range(J.shape[1]):
                J[start + k, j] = found[k, j]

    return row if found.ndim == 1 else rows


@functools.lru_cache(32)
def measured(fun: Any) -> Any:
    """The gradient of a Numba function by differences, of ``(x, near, *args)``."""

    @njit  # type: ignore[untyped-decorator]
    def values(x: Any, *args: Any) -> Any:
        return np.array([scalar(fun(x, *args))])

    jacobian = njit(of_differences(values))

    @njit  # type: ignore[untyped-decorator]
    def slope(x: Any, near: Any, *args: Any) -> Any:
        return jacobian(x, values(x, *args), near, *args)[0]

    return slope
