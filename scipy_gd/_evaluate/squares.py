"""Sums of squares in memory: computations with residuals and Jacobian that need no user calls.

Each function is compiled separately and called by its address, by both drivers: the order of its
additions, and so the last bit, is the same everywhere. J has one row per parameter, so that the
numbers to add are adjacent in memory.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from .._core.addresses import address_of, c_address
from .._core.jit import FAST, INNER, compiled, local, opened, rows_of, vector_at
from .._core.many import COMPLETE, ELSEWHERE, FACTOR, FOR_PYTHON
from .._core.native import found
from ..arguments import Vector
from .differences import EPS

Matrix = NDArray[np.float64]
TINY = 1e-280
"""A square whose inverse would overflow: not part of the column."""
ROWS = 256
"""The number of residuals processed at a time, so that they stay in the cache."""


class Kept(NamedTuple):
    """What a fit keeps, in memory; see `Residuals`."""

    settings: Vector  # which loss, its C, and the order of differences (0: there are none)
    at: Vector
    r: Vector
    w: Vector
    x: Vector
    residuals: Vector
    weights: Vector
    J: Matrix
    steps: Matrix  # of differences, with bounds and sizes
    latest: Vector  # residuals at the latest of their points, and at the one before
    earlier: Vector
    walk: NDArray[np.int64]  # where on their way they are
    shift: Vector  # an imaginary step
    R: Matrix
    block: Matrix  # and units: room for making R
    unit: Vector


vector, matrix = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")
whole = types.Array(types.int64, 1, "C")
KINDS = (*[vector] * 7, *[matrix] * 2, *[vector] * 2, whole, vector, *[matrix] * 2, vector)
KEPT = types.NamedTuple(KINDS, Kept)
kept_at = found(KEPT)
fast = njit(_nrt=False, **INNER, **FAST)


@local
def rho(loss, z):
    """The loss of a square, and its derivative."""
    if loss == 1:
        root = np.sqrt(1.0 + z)
        return 2.0 * (root - 1.0), 1.0 / root
    if loss == 2 and z > 1.0:
        root = np.sqrt(z)
        return 2.0 * root - 1.0, 1.0 / root
    if loss == 3:
        return np.log1p(z), 1.0 / (1.0 + z)
    if loss == 4:
        return np.arctan(z), 1.0 / (1.0 + z * z)
    return z, 1.0


@fast
def weigh(settings, r, w):
    """The objective; the weights of the residuals into `w`.

    A loop that sums must not write: otherwise the order of its additions would depend on the
    distance between the arrays.
    """
    loss, scale, total = settings[0], settings[1], 0.0
    if loss == 0.0:
        for k in range(r.size):
            w[k] = 1.0
        for k in range(r.size):
            total += r[k] * r[k]
        return 0.5 * total
    for k in range(r.size):
        w[k] = rho(loss, (r[k] / scale) ** 2)[1]
    for k in range(r.size):
        total += rho(loss, (r[k] / scale) ** 2)[0]
    return 0.5 * scale * scale * total


@fast
def product(a, w, b):
    """a'(w b)."""
    total = 0.0
    for k in range(a.size):
        total += a[k] * (w[k] * b[k])
    return total


@fast
def slope(J, w, r, g):
    """J'(w r)."""
    for i in range(J.shape[0]):
        g[i] = product(J[i], w, r)


@fast
def curvature(J, w, H):
    """J'(w J)."""
    n, m = J.shape
    for i in range(n):
        for j in range(i + 1):
            H[i, j] = 0.0
    for first in range(0, m, ROWS):
        some = slice(first, min(first + ROWS, m))
        for i in range(n):
            for j in range(i + 1):
                H[i, j] += product(J[i, some], w[some], J[j, some])
    for i in range(n):
        for j in range(i):
            H[j, i] = H[i, j]


@njit(**INNER, **FAST)
def triangle(J, w, R, block, unit, root):
    """R of the QR factors of J, its rows times sqrt(w): Householder's, block after block.

    (LAPACK's copies a large J several times.)
    """
    n, m = J.shape
    for i in range(n):
        unit[i] = 0.0
        for j in range(n):
            R[i, j] = 0.0
        for k in range(m):
            unit[i] = max(unit[i], abs(J[i, k]))
    for k in range(m):
        root[k] = np.sqrt(w[k])
    for first in range(0, m, ROWS):
        count = min(ROWS, m - first)
        for i in range(n):
            shrink = 1.0 / unit[i] if unit[i] > 0.0 else 0.0
            roots, column = root[first : first + count], J[i, first : first + count]
            for k in range(count):
                block[i, k] = roots[k] * column[k] * shrink
        for i in range(n):
            square = 0.0
            for k in range(count):
                square += block[i, k] ** 2
            if square < TINY:
                continue
            length = np.sqrt(R[i, i] ** 2 + square)
            length = -length if R[i, i] > 0.0 else length
            top, factor = R[i, i] - length, 1.0 / (length * (length - R[i, i]))
            R[i, i] = length
            for j in range(i + 1, n):
                along = top * R[i, j]
                for k in range(count):
                    along += block[i, k] * block[j, k]
                along *= factor
                R[i, j] -= along * top
                for k in range(count):
                    block[j, k] -= along * block[i, k]
    for i in range(n):
        for j in range(i, n):
            R[i, j] *= unit[j]


@local
def inverse(R, error, unit, W):
    """Put (R'R)^-1 into W; False if a direction is lost in the error of R.

    With columns of unit length, the norm of the inverse of R bounds its condition.
    """
    n = R.shape[0]  # W may have more rows
    square = 0.0
    for j in range(n):
        size = 0.0
        for i in range(j + 1):
            size += R[i, j] * R[i, j]
        unit[j] = np.sqrt(size)
    for j in range(n):  # the columns of the inverse
        for i in range(j, -1, -1):
            total = 1.0 if i == j else 0.0
            for k in range(i + 1, j + 1):
                total -= R[i, k] / unit[k] * W[k, j]
            W[i, j] = total / (R[i, i] / unit[i])
            square += W[i, j] * W[i, j]
    if not 10.0 * error * np.sqrt(n * square) < 1.0:
        return False
    for i in range(n):
        for j in range(i, n):
            total = 0.0
            for k in range(j, n):
                total += W[i, k] * W[j, k]
            W[i, j] = total / (unit[i] * unit[j])
    for i in range(n):
        for j in range(i):
            W[i, j] = W[j, i]
    return True


@local
def error_of(kept):
    """The approximate errors of the Jacobian, relative to its columns."""
    n, m = kept.J.shape
    error, order = EPS * max(m, n), kept.settings[2]
    if order > 0.0:
        step = 0.0
        for i in range(n):
            step = max(step, kept.steps[0, i])
        error = max(step**order, error)
    return error


# --- for Python, where there is nothing that is kept


@compiled()
def weighed(settings, r, w):
    return weigh(settings, r, w)


@compiled(_nrt=True)
def triangle_of(J, w):
    n, m = J.shape
    R, block, unit, root = np.empty((n, n)), np.empty((n, ROWS)), np.empty(n), np.empty(m)
    triangle(J, w, R, block, unit, root)
    return R


# --- by their addresses


def _weighed(address):
    """The objective, from residuals that have been stored."""
    kept = kept_at(address)
    kept.walk[0] = 0  # whatever was interrupted
    return weigh(kept.settings, kept.r, kept.w)


@local
def finish(kept, g):
    """The gradient of a new Jacobian, with all that belongs to it."""
    for i in range(kept.x.size):
        kept.x[i] = kept.at[i]
    for k in range(kept.r.size):
        kept.residuals[k], kept.weights[k] = kept.r[k], kept.w[k]
    slope(kept.J, kept.weights, kept.residuals, g)


def _finished(address, g):
    kept = kept_at(address)
    finish(kept, vector_at(g, kept.x.size))


def _carried(address, g):
    """The gradient from the last residuals and the last Jacobian, which is from another point."""
    kept = kept_at(address)
    slope(kept.J, kept.weights, kept.r, vector_at(g, kept.x.size))


def _curved(address, H):
    kept = kept_at(address)
    n = kept.x.size
    curvature(kept.J, kept.weights, rows_of(H, n, n))


def _errors(memory, record, address, x, out):
    """The basis for the errors of the parameters at x; `ELSEWHERE` if J is from another point.

    This is the inverse of J'(w J) if it exists and no bound holds a parameter, or else R. An extra
    row below has the error of J.
    """
    V, r = opened(memory, record)
    kept, n = kept_at(address), r.n
    x, matrix = vector_at(x, n), rows_of(out, n + 1, n)
    for i in range(n):
        if kept.x[i] != x[i]:
            return ELSEWHERE
    for i in range(n):
        for k in range(kept.J.shape[1]):
            if not np.isfinite(kept.J[i, k]):
                return FOR_PYTHON
    triangle(kept.J, kept.weights, kept.R, kept.block, kept.unit, kept.latest)
    error, held = error_of(kept), False
    matrix[n, 0] = error
    for i in range(n if r.bounds >= 0 else 0):
        held = held or not V[r.bounds, i] < x[i] < V[r.bounds + 1, i]
    if not held and inverse(kept.R, error, kept.unit, matrix):
        return COMPLETE
    for i in range(n):
        for j in range(n):
            matrix[i, j] = kept.R[i, j]
    return FACTOR


def errors_at() -> int:
    """The address of what finds the errors of a fit."""
    return address_of(_errors, types.int64, *[types.int64] * 3)


class Functions(NamedTuple):
    """Addresses."""

    weighed: int
    finished: int
    carried: int
    curved: int


@functools.cache
def functions() -> Functions:
    """Those that take the address of what a fit keeps, and that of a result."""
    number = types.int64
    others = (
        c_address(each, types.void(number, number)) for each in (_finished, _carried, _curved)
    )
    return Functions(c_address(_weighed, types.float64(number)), *others)
