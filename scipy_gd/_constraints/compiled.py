"""Rows and differences for the compiled loop: one Numba function for all constraints.

What the rows are made of comes as `data`: the matrix or the `args` of each constraint, and where
its rows begin and end, so that constraints of other sizes need no other code.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit
from numba.extending import is_jitted

from ..arguments import scalar
from .derivatives import of_differences
from .rows import Linear, Rows


def compiled_rows(rows: Rows) -> tuple[Any, Any, Any] | None:
    """Values, derivatives and data; None if they are not all Numba functions or dense."""
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
            one = njit(flat(fun))
            fill = njit(nonlinear(one, fill))
            how = of_jacobian(jac, fill_slopes) if jac else of_measured(one, fill_slopes)
            fill_slopes = njit(how)

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
        c[start:end] = A @ x
        rest(x, parts[1:], c)

    return fill


def linear_slopes(rest: Any) -> Any:
    def fill(x: Any, parts: Any, J: Any) -> Any:
        A, start, end = parts[0]
        J[start:end] = A
        rest(x, parts[1:], J)

    return fill


def flat(fun: Any) -> Any:
    def values(x: Any, *args: Any) -> Any:
        return np.atleast_1d(np.asarray(fun(x, *args)))

    return values


def nonlinear(values: Any, rest: Any) -> Any:
    def fill(x: Any, parts: Any, c: Any) -> Any:
        args, start, end, _ = parts[0]
        c[start:end] = values(x, *args)
        rest(x, parts[1:], c)

    return fill


def of_jacobian(jac: Any, rest: Any) -> Any:
    def fill(x: Any, parts: Any, J: Any) -> Any:
        args, start, end, _ = parts[0]
        J[start:end] = jac(x, *args)
        rest(x, parts[1:], J)

    return fill


def of_measured(values: Any, rest: Any) -> Any:
    jacobian = njit(of_differences(values))

    def fill(x: Any, parts: Any, J: Any) -> Any:
        args, start, end, near = parts[0]
        J[start:end] = jacobian(x, values(x, *args), near, *args)
        rest(x, parts[1:], J)

    return fill


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
