"""Products with dense matrices, which have the same bits wherever they are made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

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


def times(A: Any, x: Vector) -> Vector:
    """``A x``, of a dense or a sparse matrix."""
    if not isinstance(A, np.ndarray):
        return np.asarray(A @ x, np.float64)
    out = np.zeros(A.shape[0])
    add_times(A, x, out)
    return out


def pulled(A: Any, y: Vector) -> Vector:
    """``A' y``."""
    if not isinstance(A, np.ndarray):
        return np.asarray(A.T @ y, np.float64)
    out = np.zeros(A.shape[1])
    add_pulled(A, y, out)
    return out


@overload(times)
def _times(A: Any, x: Any) -> Any:
    def product(A: Any, x: Any) -> Any:
        out = np.zeros(A.shape[0])
        add_times(A, x, out)
        return out

    return product


@overload(pulled)
def _pulled(A: Any, y: Any) -> Any:
    def product(A: Any, y: Any) -> Any:
        out = np.zeros(A.shape[1])
        add_pulled(A, y, out)
        return out

    return product
