"""The Cholesky factor of a symmetric matrix, in units in which its diagonal is 1, without LAPACK.

A block of n rows holds the matrix below its diagonal and the upper factor U on and above it; the
diagonal, the units 1 / sqrt(diagonal) and which parameters may move are in rows of their own.
"""

from __future__ import annotations

import numpy as np

from .jit import local

LEAST = 4e-16
"""The smallest pivot, relative to the diagonal element it comes from."""


@local
def keep(V, matrix, diagonal, H):
    """Copy the matrix in the rows at `H` to below the diagonal of the block; whether it is finite.

    One that is not is replaced by the unit matrix.
    """
    finite = True
    for i in range(V.shape[1]):
        for j in range(i + 1):
            finite = finite and np.isfinite(V[H + i, j])
    for i in range(V.shape[1]):
        V[diagonal, i] = V[H + i, i] if finite else 1.0
        for j in range(i):
            V[matrix + i, j] = V[H + i, j] if finite else 0.0
    return finite


@local
def entry(V, matrix, diagonal, i, j):
    if i == j:
        return V[diagonal, i]
    return V[matrix + i, j] if i > j else V[matrix + j, i]


@local
def factorize(V, matrix, diagonal, units, free, D, shift):
    """U'U = (matrix + shift D^2) in the units, for the free parameters; whether there is one."""
    n = V.shape[1]
    for i in range(n):
        pivot = 1.0
        if V[free, i] != 0.0:
            pivot = (V[diagonal, i] + shift * V[D, i] ** 2) * V[units, i] ** 2
        for j in range(i, n):
            v = 0.0
            if i == j:
                v = pivot
            elif V[free, i] != 0.0 and V[free, j] != 0.0:
                v = V[matrix + j, i] * V[units, i] * V[units, j]
            for k in range(i):
                v -= V[matrix + k, i] * V[matrix + k, j]
            if i < j:
                V[matrix + i, j] = v / V[matrix + i, i]
            elif not v > LEAST * pivot or not v > 0.0:
                return False
            else:
                V[matrix + i, i] = np.sqrt(v)
    return True


@local
def solve_lower(V, matrix, units, free, b, to):
    """U' y = b in the units; the square of |y|."""
    square = 0.0
    for i in range(V.shape[1]):
        v = V[b, i] * V[units, i] * V[free, i]
        for k in range(i):
            v -= V[matrix + k, i] * V[to, k]
        V[to, i] = v / V[matrix + i, i]
        square += V[to, i] ** 2
    return square


@local
def solve(V, matrix, units, free, b, to):
    """The solution for the right-hand side in row `b`; 0 for what is not free."""
    n = V.shape[1]
    solve_lower(V, matrix, units, free, b, to)
    for i in range(n - 1, -1, -1):
        v = V[to, i]
        for k in range(i + 1, n):
            v -= V[matrix + i, k] * V[to, k]
        V[to, i] = v / V[matrix + i, i]
    for i in range(n):
        V[to, i] *= V[units, i] * V[free, i]


@local
def least_pivot(V, matrix):
    least = np.inf
    for i in range(V.shape[1]):
        least = min(least, V[matrix + i, i])
    return least
