"""Linear rows that need no penalty: bounds in disguise, and equations without bounds.

A row with a single entry is a bound. Equations A x = b are satisfied by a change of variables,

    x = b' + P z,    P = I - Q Q',    with an orthonormal basis Q of the rows of A,

in which gradients are P g: every method stays in the plane, at the cost of two products with Q.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from scipy import sparse
from scipy.linalg import qr

from .._evaluate.wrapped import dense, wrapped
from ..arguments import Vector, pair, vector
from .point import SMALL, largest
from .rows import Box, Limits, Linear, Part, Rows

LARGEST = 2e7
"""Elements of Q."""


class Plane(NamedTuple):
    """The points ``shift + z - Q Q' z``."""

    Q: Vector
    shift: Vector

    def point(self, z: Vector) -> Vector:
        return np.asarray(onto(z, self))

    def along(self, g: Vector) -> Vector:
        """The part of a gradient within the plane."""
        return np.asarray(along(g, self))


@register_jitable  # type: ignore[untyped-decorator]
def onto(z: Any, plane: Any) -> Any:
    Q, shift = plane
    return z - Q @ (Q.T @ z) + shift


@register_jitable  # type: ignore[untyped-decorator]
def along(g: Any, plane: Any) -> Any:
    Q, _ = plane
    return g - Q @ (Q.T @ g)


@register_jitable  # type: ignore[untyped-decorator]
def rows_along(J: Any, plane: Any) -> Any:
    Q, _ = plane
    return J - (J @ Q) @ Q.T


class Simplified:
    """The remaining rows, within a box or on a plane, and the way back."""

    def __init__(self, rows: Rows, bounded: bool) -> None:
        self.all = rows
        self.box: Box = rows.box[0].copy(), rows.box[1].copy()
        self.A = _stacked(rows)
        self.single = np.zeros(rows.m, bool)
        self.column = np.zeros(rows.m, int)
        self._bounds()
        free = not bounded and np.isinf(self.box).all()
        equal = rows.equal & ~self.single & rows.linear
        worth = (equal | self.single).all() or rows.m + self.box[0].size > SMALL
        worth &= int(equal.sum()) * self.box[0].size <= LARGEST
        self.plane = None
        if free and equal.any() and worth:
            self.plane = _plane(self.A[equal], rows.lower[equal], rows)
        self.equal = equal if self.plane is not None else np.zeros(rows.m, bool)
        self.left = ~(self.single | self.equal)
        self.rows = rows if self.left.all() else self._rest()

    def _bounds(self) -> None:
        """Turn rows with a single entry into bounds; check the others against the bounds."""
        rows, (lower, upper) = self.all, self.box
        A = sparse.csr_array(self.A)
        A.eliminate_zeros()
        counts = np.diff(A.indptr)
        self.single = (counts == 1) & self.all.linear
        for k in np.flatnonzero(self.single):
            j, a = int(A.indices[A.indptr[k]]), float(A.data[A.indptr[k]])
            low, high = sorted((rows.lower[k] / a, rows.upper[k] / a))
            self.column[k] = j
            lower[j], upper[j] = max(lower[j], low), min(upper[j], high)
            if lower[j] > upper[j]:
                raise ValueError(
                    f"{rows.name_of(k)} contradicts other bounds: x[{j}] would have to be at "
                    f"least {lower[j]:g} and at most {upper[j]:g}"
                )
        self._reachable(A)

    def _reachable(self, A: Any) -> None:
        """Whether each row can be within its limits, if x is within its bounds."""
        rows, (lower, upper) = self.all, self.box
        if np.isinf(lower).any() and np.isinf(upper).any() and A.shape[0] > 10**5:
            return
        up, down = A.maximum(0.0), A.minimum(0.0)
        with np.errstate(invalid="ignore"):
            least = _times(up, lower) + _times(down, upper)
            most = _times(up, upper) + _times(down, lower)
        some = 1e-9 * np.maximum(1.0, np.abs(np.where(np.isfinite(least), least, 0.0)))
        bad = self.all.linear & ((least > rows.upper + some) | (most < rows.lower - some))
        if bad.any():
            k = int(np.argmax(bad))
            raise ValueError(
                f"{rows.name_of(k)} contradicts `bounds`: within them, row {rows.place_of(k)} "
                f"lies between {least[k]:g} and {most[k]:g}, but must be between "
                f"{rows.lower[k]:g} and {rows.upper[k]:g}"
            )

    def _rest(self) -> Rows:
        """The remaining rows."""
        rows, parts, limits = self.all, list[Part](), []
        columns = self.left, rows.lower, rows.upper, rows.kept
        for part, keep, low, high, kept in zip(rows.parts, *map(rows.split, columns), strict=True):
            if keep.all():
                parts.append(part)
            elif keep.any():
                parts.append(Linear(part.name, part.A[keep]))
            if keep.any():
                limits.append(Limits(low[keep], high[keep], kept[keep]))
        return Rows(parts, limits, self.box)

    def values(self, x: Vector, c: Vector) -> Vector:
        """The values of all rows, from those of the remaining ones."""
        every = np.asarray(self.A @ x)
        every[self.left] = c
        return every

    def multipliers(self, x: Vector, y: Vector, slope: Vector) -> Vector:
        """The multipliers of all rows, from the remaining ones and their Lagrangian gradient."""
        every = np.zeros(self.all.m)
        every[self.left] = y
        if self.equal.any():
            A = dense(self.A[self.equal])
            every[self.equal] = np.linalg.lstsq(A.T, -slope, rcond=None)[0]
        for k in np.flatnonzero(self.single):
            j, row = self.column[k], self.A[[k]]
            a = float(np.sum(row))
            at = self.all.lower[k] / a, self.all.upper[k] / a
            if slope[j] and np.isclose(x[j], at, rtol=1e-12, atol=0.0).any():
                own = -slope[j] / a
                toward = self.all.upper[k] if own > 0 else self.all.lower[k]
                if np.isclose(a * x[j], toward, rtol=1e-12, atol=0.0):
                    every[k] = own
                    slope = slope.copy()
                    slope[j] = 0.0
        return every


def _times(A: Any, x: Vector) -> Vector:
    """A x, where 0 times infinity is 0."""
    total = np.zeros(A.shape[0])
    A = sparse.coo_array(A)
    np.add.at(total, A.row, A.data * x[A.col])
    return total


def _stacked(rows: Rows) -> Any:
    """The matrix of the linear rows; zeros for the others."""
    n = rows.box[0].size
    blocks = [
        part.A if part.A is not None else sparse.csr_array((part.size, n)) for part in rows.parts
    ]
    if all(isinstance(block, np.ndarray) for block in blocks):
        return np.vstack(blocks)
    return sparse.vstack(blocks, "csr") if blocks else np.zeros((0, n))


def _plane(A: Any, b: Vector, rows: Rows) -> Plane:
    A = dense(A)
    size = np.linalg.norm(A, axis=1)
    size = np.where(size > 0.0, size, 1.0)
    A, b = A / size[:, np.newaxis], b / size
    Q, R, order = qr(A.T, mode="economic", pivoting=True)
    rank = int(np.sum(np.abs(np.diag(R)) > 1e-12))
    Q, R = np.ascontiguousarray(Q[:, :rank]), R[:rank, :rank]
    shift = Q @ np.linalg.solve(R.T, b[order[:rank]])
    if largest(A @ shift - b) > 1e-10 * largest(b):
        names = ", ".join(dict.fromkeys(part.name for part in rows.parts if part.A is not None))
        raise ValueError(f"the equations of {names} contradict each other")
    return Plane(Q, shift)


# --- functions of z, for Python and Numba; the plane is the last of args


def of_value(fun: Any) -> Any:
    def value(z: Any, *args: Any) -> Any:
        return fun(onto(z, args[-1]), *args[:-1])

    return value


def of_gradient(jac: Any) -> Any:
    def gradient(z: Any, *args: Any) -> Any:
        g = vector(jac(onto(z, args[-1]), *args[:-1]), z.size)
        return along(g, args[-1])

    return gradient


def of_pair(fun: Any) -> Any:
    def value_and_gradient(z: Any, *args: Any) -> Any:
        f, g = pair(fun(onto(z, args[-1]), *args[:-1]), z.size)
        return f, along(g, args[-1])

    return value_and_gradient


def of_jacobian(jac: Any) -> Any:
    def jacobian(z: Any, *args: Any) -> Any:
        return rows_along(jac(onto(z, args[-1]), *args[:-1]), args[-1])

    return jacobian


def of_residuals_pair(fun: Any) -> Any:
    def residuals_and_jacobian(z: Any, *args: Any) -> Any:
        r, J = fun(onto(z, args[-1]), *args[:-1])
        return r, rows_along(J, args[-1])

    return residuals_and_jacobian


def functions(fun: Any, jac: Any, residuals: bool) -> tuple[Any, Any]:
    """The same functions of z, with the plane as the last of their arguments."""
    both, slope = (of_residuals_pair, of_jacobian) if residuals else (of_pair, of_gradient)
    return wrapped(both if jac is True else of_value, fun), wrapped(slope, jac)
