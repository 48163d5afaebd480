"""Products with dense matrices that give the same bits everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from .._core.jit import FAST, compiled
from ..arguments import Vector


@compiled(**FAST)
def add_times(A: Any, x: Any, out: Any) -> None:
    """``out += A x``."""
    for i in range(A.shape[0]):
        total = 0.0
        for j in range(A.shape[1]):
            total += A[i, j] * x[j]
        out[i] += total


@compiled(**FAST)
def add_pulled(A: Any, y: Any, out: Any) -> None:
    """``out += A' y``."""
    for i in range(A.shape[0]):
        if y[i] != 0.0:
            for j in range(A.shape[1]):
                out[j] += y[i] * A[i, j]


@register_jitable  # type: ignore[untyped-decorator]
def dense_times(A: Any, x: Any) -> Any:
    out = np.zeros(A.shape[0])
    add_times(A, x, out)
    return out


@register_jitable  # type: ignore[untyped-decorator]
def dense_pulled(A: Any, y: Any) -> Any:
    out = np.zeros(A.shape[1])
    add_pulled(A, y, out)
    return out


def times(A: Any, x: Vector) -> Vector:
    """``A x``, of a dense or a sparse matrix."""
    dense = isinstance(A, np.ndarray)
    return np.asarray(dense_times(A, x) if dense else A @ x, np.float64)


def pulled(A: Any, y: Vector) -> Vector:
    """``A' y``."""
    dense = isinstance(A, np.ndarray)
    return np.asarray(dense_pulled(A, y) if dense else A.T @ y, np.float64)


@overload(times)
def _times(A: Any, x: Any) -> Any:
    return dense_times


@overload(pulled)
def _pulled(A: Any, y: Any) -> Any:
    return dense_pulled
