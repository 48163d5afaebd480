"""The user's `constraints`, checked and converted to rows ``lower <= c(x) <= upper``.

Every form that SciPy accepts becomes a part: some rows, with their values and their Jacobian.
Invalid input raises TypeError or ValueError, with a message that names the constraint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import LinearConstraint, NonlinearConstraint

from .._evaluate import differences
from .._evaluate.undefined import Undefined, number
from ..arguments import Vector, matrix, real_numbers, shown
from .derivatives import Near, complex_steps, of_differences
from .objective import KEPT, same
from .products import times

Box = tuple[Vector, Vector]


class Linear:
    """The rows ``A x``."""

    nfev = njev = nhev = 0
    fun = jac = hess = None
    args: tuple[Any, ...] = ()

    def __init__(self, name: str, A: Any) -> None:
        self.name, self.A, self.size = name, A, A.shape[0]

    def value(self, x: Vector) -> Vector:
        return times(self.A, x)

    def jacobian(self, x: Vector, c: Vector) -> Any:
        return self.A

    def hessian(self, x: Vector, v: Vector) -> Any:
        return 0.0


class Nonlinear:
    """The rows that a user's function returns; without `jac`, by a difference scheme."""

    A = None

    def __init__(
        self, name: str, fun: Any, args: tuple[Any, ...], jac: Any, near: Near, hess: Any
    ) -> None:
        self.name, self.fun, self.args, self.jac = name, fun, args, jac
        self.near, self.hess = near, hess
        self.nfev = self.njev = self.nhev = 0
        self.size = -1  # known after the first call

    def value(self, x: Vector) -> Vector:
        self.nfev += 1
        found = self._checked(self.fun(x.copy(), *self.args))
        if self.size < 0:
            self.size = found.size
        if found.size == 1 < self.size and np.isnan(found).all():
            return np.full(self.size, np.nan)
        if found.size != self.size:
            raise ValueError(
                f"{self.name} must always return the same number of values, got {self.size}, then "
                f"{found.size}"
            )
        return found

    def _checked(self, found: Any) -> Vector:
        values = real_numbers(found)
        if values is None:
            raise TypeError(f"{self.name} must return real numbers, got {shown(found)}")
        if values.ndim > 1 and max(values.shape) != values.size:
            raise ValueError(
                f"{self.name} must return a number or a one-dimensional array, got shape "
                f"{values.shape}"
            )
        return np.array(values, np.float64).ravel()

    def jacobian(self, x: Vector, c: Vector) -> Any:
        self.njev += 1
        if not callable(self.jac):
            return self._differences(x, c)
        found = self.jac(x.copy(), *self.args)
        if sparse.issparse(found):
            return self._of_right_shape(found.tocsr(), found, x.size)
        J = real_numbers(found)
        if J is None:
            raise TypeError(f"the Jacobian of {self.name} must be real, got {shown(found)}")
        if J.ndim == 0 and np.isnan(J):
            return np.full((self.size, x.size), np.nan)
        flat = self.size == 1 and J.size == x.size
        J = J.reshape(1, -1) if flat else J.reshape(-1, 1) if J.ndim == 1 == x.size else J
        return self._of_right_shape(J.astype(np.float64, copy=False), found, x.size)

    def _of_right_shape(self, J: Any, found: Any, n: int) -> Any:
        shape = self.size, n
        if J.shape != shape:
            hint = " (transposed?)" if J.shape == shape[::-1] else ""
            raise ValueError(
                f"the Jacobian of {self.name} must have shape {shape}, got shape "
                f"{np.shape(found)}{hint}"
            )
        return J

    def hessian(self, x: Vector, v: Vector) -> Any:
        """Of ``v'c``; without `hess` by differences of the Jacobian."""
        n = x.size
        if self.hess is not None:
            self.nhev += 1
            return matrix(self.hess(x.copy(), v), n)
        steps, (lower, upper) = np.empty(n), self.near[-2:]
        differences.hessian_steps(x, lower, upper, 1, steps)
        slope, H = self._pulled(x, v), np.zeros((n, n))
        for j in np.flatnonzero(steps):
            near = x.copy()
            near[j] = min(near[j] + steps[j], upper[j])
            H[:, j] = (self._pulled(near, v) - slope) / (near[j] - x[j])
        return 0.5 * (H + H.T)

    def _pulled(self, x: Vector, v: Vector) -> Vector:
        return np.asarray(self.jacobian(x, self.value(x)).T @ v)

    def _differences(self, x: Vector, c: Vector) -> Any:
        def values(point: Any) -> Vector:
            self.nfev += 1
            return self._checked(self.fun(point, *self.args))

        if self.jac == "cs":
            self.nfev += x.size
            return complex_steps(lambda z: np.ravel(self.fun(z, *self.args)), x)
        return of_differences(values)(x, c, self.near)


Part = Linear | Nonlinear


class Limits(NamedTuple):
    """The limits of the rows of one constraint, and whether they must always hold."""

    lower: Vector
    upper: Vector
    kept: NDArray[np.bool_]


class Rows:
    """All constraints, one below the other.

    Attributes
    ----------
    parts : list
        The user's constraints, in order.
    lower, upper : ndarray, shape (m,)
    kept : ndarray of bool, shape (m,)
        Rows beyond whose limits f must not be called.
    box : pair of ndarray, shape (n,)
        The bounds, including those from linear rows with a single entry.
    """

    def __init__(self, parts: list[Part], limits: list[Limits], box: Box) -> None:
        self.parts, self.box = parts, box
        none = np.empty(0)
        self.lower = np.concatenate([none, *(each.lower for each in limits)])
        self.upper = np.concatenate([none, *(each.upper for each in limits)])
        sizes = [part.size for part in parts]
        self.ends = np.cumsum(sizes)
        self.equal = self.lower == self.upper
        self.linear = np.repeat(np.array([part.A is not None for part in parts], bool), sizes)
        kept = np.concatenate([none, *(each.kept for each in limits)]).astype(bool)
        self.kept = kept & ~self.equal
        self._values: deque[tuple[Vector, Vector]] = deque(maxlen=KEPT)
        self._jacobian: tuple[Vector, Any] | None = None

    @property
    def m(self) -> int:
        return int(self.lower.size)

    def value(self, x: Vector) -> Vector:
        """All c(x), shape (m,)."""
        for at, c in self._values:
            if same(at, x):
                return c
        c = np.concatenate([np.empty(0), *(part.value(x) for part in self.parts)])
        self._values.append((x.copy(), c))
        return c

    def jacobian(self, x: Vector) -> Any:
        """The derivatives, shape (m, n); sparse if one of them is."""
        if self._jacobian is None or not same(self._jacobian[0], x):
            c = self.split(self.value(x))
            found = [part.jacobian(x, own) for part, own in zip(self.parts, c, strict=True)]
            if not found:
                found = [np.zeros((0, x.size))]
            if len(found) > 1:
                thin = any(map(sparse.issparse, found))
                found = [sparse.vstack(found, "csr") if thin else np.vstack(found)]
            self._jacobian = x.copy(), found[0]
        return self._jacobian[1]

    def hessian(self, x: Vector, y: Vector) -> Any:
        """Of ``y'c``, shape (n, n)."""
        pieces = zip(self.parts, self.split(y), strict=True)
        return sum(part.hessian(x, v) for part, v in pieces if v.any())

    def sharpen(self) -> None:
        """From now on, use differences that cost twice as much and are more accurate."""
        for part in self.parts:
            if isinstance(part, Nonlinear) and part.jac in (None, "2-point"):
                part.near = (2, *part.near[1:])
                self._jacobian = None

    def split(self, y: Vector) -> list[Vector]:
        """Split by the user's constraints."""
        return np.split(y, self.ends[:-1]) if self.parts else []

    def violation(self, c: Vector) -> Vector:
        return np.asarray(np.maximum(np.maximum(self.lower - c, c - self.upper), 0.0))

    def beyond(self, c: Vector) -> NDArray[np.bool_]:
        """The rows that must stay feasible but are not strictly within their limits."""
        return np.asarray(self.kept & ~((self.lower < c) & (c < self.upper)))

    def place_of(self, row: int) -> int:
        """The number of a row within its constraint."""
        return row - max((end for end in self.ends.tolist() if end <= row), default=0)

    def name_of(self, row: Any) -> str:
        return self.parts[int(np.searchsorted(self.ends, row, "right"))].name


def listed(constraints: Any) -> list[Any]:
    """The user's constraints as a list."""
    if constraints is None:
        return []
    if isinstance(constraints, dict | LinearConstraint | NonlinearConstraint):
        return [constraints]
    try:
        return [*constraints]
    except TypeError:
        raise TypeError(
            "`constraints` must be a LinearConstraint, a NonlinearConstraint, a dict, or a "
            f"sequence of them, got {shown(constraints)}"
        ) from None


def read(
    constraints: Sequence[Any],
    x: Vector,
    box: Box | None,
    exceptions: tuple[type[Exception], ...] = (),
) -> Rows:
    """The rows of `listed` constraints, whose functions are called at x.

    Raises
    ------
    TypeError, ValueError
        If one of them is invalid.
    """
    sole = len(constraints) == 1
    names = ["`constraints`" if sole else f"`constraints[{k}]`" for k in range(len(constraints))]
    lower, upper = box or (np.full(x.size, -np.inf), np.full(x.size, np.inf))
    forms = [
        _form(given, name, x.size, (lower, upper))
        for given, name in zip(constraints, names, strict=True)
    ]
    parts, limits = [], []
    for part, low, high, keep in forms:
        if isinstance(part, Nonlinear):
            if exceptions:
                part.fun = Undefined(part.fun, exceptions, number)
                if callable(part.jac):
                    part.jac = Undefined(part.jac, exceptions, number)
            if np.isnan(c := part.value(x)).all() and c.size == 1:
                part.size = max(np.size(low), np.size(high))  # a NaN in the place of all
        parts.append(part)
        limits.append(_limits(part, low, high, keep))
    rows = Rows(parts, limits, (lower, upper))
    if rows.kept.any() and (out := rows.beyond(rows.value(x))).any():
        raise ValueError(
            f"`x0` must be strictly feasible for {rows.name_of(np.argmax(out))}, which has "
            "`keep_feasible` set"
        )
    return rows


def _form(given: Any, name: str, n: int, box: Box) -> tuple[Part, Any, Any, Any]:
    """A part with its limits, of any size so far."""
    if isinstance(given, LinearConstraint):
        A = given.A.tocsr() if sparse.issparse(given.A) else real_numbers(given.A)
        if A is None or A.ndim != 2 or A.shape[1] != n:
            raise ValueError(
                f"{name}: `A` must have {n} columns, one per parameter, got shape "
                f"{np.shape(given.A)}"
            )
        if not np.isfinite(A.data if sparse.issparse(A) else A).all():
            raise ValueError(f"{name}: `A` must be finite, got inf or NaN")
        return Linear(name, A.astype(np.float64)), given.lb, given.ub, given.keep_feasible
    if isinstance(given, NonlinearConstraint):
        _function(given.fun, name, "fun")
        jac = _scheme(given.jac, name)
        hess = given.hess if callable(given.hess) else None
        near = _near(jac, given.finite_diff_rel_step, name, box)
        part = Nonlinear(name, given.fun, (), jac, near, hess)
        return part, given.lb, given.ub, given.keep_feasible
    if isinstance(given, dict):
        kind = given.get("type")
        if not isinstance(kind, str) or kind.lower() not in ("eq", "ineq"):
            raise ValueError(f"{name}: 'type' must be 'eq' or 'ineq', got {shown(kind)}")
        _function(given.get("fun"), name, "fun")
        args = given.get("args", ())
        args = args if isinstance(args, tuple) else (args,)
        jac = _scheme(given.get("jac"), name)
        part = Nonlinear(name, given["fun"], args, jac, _near(jac, None, name, box), None)
        return part, 0.0, 0.0 if kind.lower() == "eq" else np.inf, False
    raise TypeError(
        f"{name} must be a LinearConstraint, a NonlinearConstraint or a dict, got {shown(given)}"
    )


def _near(jac: Any, rel_step: Any, name: str, box: Box) -> Near:
    steps = real_numbers(np.nan if rel_step is None else rel_step)
    try:
        if steps is None:
            raise ValueError
        steps = np.broadcast_to(steps, box[0].shape).astype(float)
    except ValueError:
        raise ValueError(
            f"{name}: `finite_diff_rel_step` must be a number or an array with one per parameter, "
            f"got {shown(rel_step)}"
        ) from None
    each = differences.POINTS_OF.get(jac, 1) if isinstance(jac, str) else 1
    return each, steps, np.full(steps.shape, np.nan), *box


def _function(given: Any, name: str, role: str) -> None:
    if not callable(given):
        raise TypeError(f"{name}: `{role}` must be callable, got {shown(given)}")


def _scheme(jac: Any, name: str) -> Any:
    if callable(jac):
        return jac
    if jac is None or jac is False:
        return "2-point"
    if isinstance(jac, str) and jac in differences.POINTS_OF:
        return jac
    raise ValueError(
        f"{name}: `jac` must be callable or one of '2-point', '3-point', 'cs', got {shown(jac)}"
    )


def _limits(part: Part, low: Any, high: Any, keep: Any) -> Limits:
    """Both, one for each row."""
    sides = []
    for side, given in (("lb", low), ("ub", high)):
        values = real_numbers(given)
        if values is None:
            raise TypeError(f"{part.name}: `{side}` must be real numbers, got {shown(given)}")
        try:
            sides.append(np.broadcast_to(values, (part.size,)).astype(float))
        except ValueError:
            raise ValueError(
                f"{part.name}: `{side}` must be a number or an array with one for each of the "
                f"{part.size} values, got shape {values.shape}"
            ) from None
        if np.isnan(sides[-1]).any():
            raise ValueError(f"{part.name}: `{side}` must not contain NaN")
    lower, upper = sides
    if (lower > upper).any():
        k = int(np.argmax(lower > upper))
        raise ValueError(
            f"{part.name}: `lb` must not be above `ub`, got {lower[k]:g} and {upper[k]:g} for row "
            f"{k}"
        )
    if (lower == np.inf).any() or (upper == -np.inf).any():
        raise ValueError(f"{part.name} cannot be satisfied: `lb` is inf or `ub` is -inf")
    try:
        kept = np.broadcast_to(keep, (part.size,)).astype(bool)
    except ValueError:
        raise ValueError(
            f"{part.name}: `keep_feasible` must be True or False, or an array with one for each "
            f"of the {part.size} values, got {shown(keep)}"
        ) from None
    return Limits(lower, upper, kept)
