"""How the sources handle rows and gradients inside the compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from .._core.jit import INNER

part = njit(inline="always", error_model="numpy")
"""For the parts of a loop: they differ in what they close over, and are not worth compiling
separately."""


@njit(forceinline=True, **INNER)
def read(V: Any, row: int, x: Any) -> None:
    for i in range(x.size):
        x[i] = V[row, i]


def _storing(name: str) -> Any:
    """``store(V, row, vector)`` keeps what the user's function returns; (n, 1) and (1, n) too."""
    message = f"`{name}` must return as many elements as x has"

    def store(V: Any, row: int, vector: Any) -> None:
        """Compiled only."""

    @overload(store, jit_options={"forceinline": True, **INNER})
    def _store(V: Any, row: Any, vector: Any) -> Any:
        flat = isinstance(vector, types.Array) and vector.ndim == 1

        def of_vector(V: Any, row: Any, vector: Any) -> None:
            if vector.size != V.shape[1]:
                raise ValueError(message)
            for i in range(V.shape[1]):
                V[row, i] = vector[i]

        def of_another(V: Any, row: Any, vector: Any) -> None:
            store(V, row, np.asarray(vector).ravel())

        return of_vector if flat else of_another

    return store


store, store_product = _storing("jac"), _storing("hessp")


@njit(**INNER)
def store_hessian(V: Any, row: int, hessian: Any) -> None:
    n = V.shape[1]
    H = np.asarray(hessian)
    if H.shape != (n, n):
        raise ValueError("`hess` must return a real matrix of shape (n, n)")
    scale = np.abs(H).max()
    for i in range(n):
        for j in range(n):
            a, b = H[i, j], H[j, i]
            if abs(a - b) > 1e-8 * scale + 1e-6 * abs(b):
                raise ValueError("`hess` must return a symmetric matrix")
            V[row + i, j] = a


@njit(**INNER)
def symmetrize(V: Any, row: int) -> None:
    for i in range(V.shape[1]):
        for j in range(i):
            V[row + i, j] = V[row + j, i] = 0.5 * (V[row + i, j] + V[row + j, i])
