"""The evaluator: the only caller of the user's functions.

It binds `args`, hands out copies, checks what comes back, fills in missing gradients by finite
differences and counts the real calls. It knows nothing of methods, steps or endings.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._inputs import Vector, real_numbers
from ._state import GRADIENT, VALUE

FLOAT64 = np.dtype(np.float64)
EPS = float(np.finfo(float).eps)


class OutOfBudget(Exception):
    """The next evaluation would take more calls of `fun` than `maxfev` allows."""


class Objective:
    """The user's `fun` and `jac` at one point after the other.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, or ``-> (float, gradient)`` when `jac` is True.
    jac : callable, True, or "2-point", "3-point", "cs"
        ``jac(x, *args) -> gradient``; a name means finite differences.
    hess, hessp : callable, optional
        ``hess(x, *args) -> matrix``, ``hessp(x, p, *args) -> matrix times p``. If both are missing,
        the Hessian is made of differences of `jac`.
    args : tuple
        Passed on to both.
    box : (lower, upper) or None
        Finite differences stay inside.
    rel_step : float or array, optional
        Relative step of the finite differences.
    map : callable
        Evaluates the points of the finite differences: ``map(function, points)``.
    maxfev : int
        Calls of `fun` that are allowed.

    Attributes
    ----------
    nfev, njev, nhev : int
        Calls of `fun`, gradients obtained, calls of `hess` or `hessp`.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        jac: Any,
        args: tuple[Any, ...],
        *,
        box: tuple[Vector, Vector] | None = None,
        hess: Any = None,
        hessp: Any = None,
        rel_step: Any = None,
        map: Callable[..., Iterable[Any]] = map,
        maxfev: int = 2**62,
    ) -> None:
        self.fun, self.jac, self.args = fun, jac, args
        self.hess, self.hessp = hess, hessp
        self.box, self.rel_step, self.map, self.maxfev = box, rel_step, map, maxfev
        self.nfev = self.njev = self.nhev = 0
        self.f = float("nan")  # the last value: what is asked for next is at the same point
        self.g: Vector | None = None  # the gradient that came with it
        if jac is True:
            self.value, self.gradient = self._value_of_pair, self._gradient_of_pair
        elif isinstance(jac, str):
            self.value, self.gradient = self._value, self._difference
        else:
            self.value, self.gradient = self._value, self._gradient

    def __call__(self, x: Vector, ask: int) -> tuple[float, Vector]:
        """Value and gradient at `x`, as far as `ask` says; a gradient alone is asked for only at
        the point of the last value."""
        f = self.value(x) if ask & VALUE else self.f
        return f, self.gradient(x) if ask & GRADIENT else x

    def gradient_at(self, x: Vector) -> Vector:
        """The gradient at any point."""
        self.g = None
        if isinstance(self.jac, str):
            self.value(x)
        return self.gradient(x)

    def _value(self, x: Vector) -> float:
        if self.nfev >= self.maxfev:
            raise OutOfBudget
        self.nfev += 1
        f = self.fun(x.copy(), *self.args)
        self.f = float(f) if isinstance(f, float) else scalar(f)
        return self.f

    def _gradient(self, x: Vector) -> Vector:
        self.njev += 1
        g = self.jac(x.copy(), *self.args)
        if type(g) is np.ndarray and g.dtype is FLOAT64 and g.shape == x.shape and g.flags.carray:
            return g
        return vector(g, x.size)

    def _value_of_pair(self, x: Vector) -> float:
        if self.nfev >= self.maxfev:
            raise OutOfBudget
        self.nfev += 1
        self.njev += 1
        pair = self.fun(x.copy(), *self.args)
        try:
            f, g = pair
        except (TypeError, ValueError):
            raise TypeError(
                f"`fun` must return (value, gradient) when `jac` is True, got {pair!r}"
            ) from None
        self.f, self.g = scalar(f), vector(g, x.size)
        return self.f

    def _gradient_of_pair(self, x: Vector) -> Vector:
        if self.g is None:
            self._value_of_pair(x)
        g, self.g = self.g, None
        assert g is not None
        return g

    def hessian(self, x: Vector) -> NDArray[np.float64]:
        """The Hessian, shape (n, n).

        Raises
        ------
        TypeError, ValueError
            If `hess` or `hessp` does not return real numbers of the right shape, or a matrix that
            is not symmetric.
        """
        n = x.size
        if self.hess is not None:
            self.nhev += 1
            H = self.hess(x.copy(), *self.args)
            H = real_numbers(H.toarray() if hasattr(H, "toarray") else H)
            if H is None or H.shape != (n, n):
                got = "no real numbers" if H is None else f"shape {H.shape}"
                raise ValueError(f"`hess` must return a real matrix of shape ({n}, {n}), got {got}")
            if not np.allclose(H, H.T, rtol=1e-6, atol=1e-8 * np.abs(H).max(), equal_nan=True):
                raise ValueError("`hess` must return a symmetric matrix")
            return np.asarray(H, dtype=np.float64)
        if self.hessp is not None:
            self.nhev += n
            rows = [self.hessp(x.copy(), e, *self.args) for e in np.eye(n)]
            H = np.array([vector(row, n, "hessp") for row in rows])
        else:
            f, g = self.f, self.gradient_at(x).copy()
            # differences of differences: a step that suits their larger error
            scheme = "3-point" if isinstance(self.jac, str) else "2-point"
            steps = 2.0 * abs(difference_steps(x, scheme, None, None)[0])
            if self.box is not None:
                up = self.box[1] - x >= x - self.box[0]
                room = np.where(up, self.box[1] - x, x - self.box[0])
                steps = np.minimum(steps, room) * np.where(up, 1.0, -1.0)
            H = np.zeros((n, n))
            for i in np.flatnonzero(steps):
                point = x.copy()
                point[i] = point[i] + steps[i]
                try:
                    with np.errstate(invalid="ignore"):
                        H[i] = (self.gradient_at(point) - g) / steps[i]
                finally:
                    self.f = f
        return np.asarray(0.5 * (H + H.T), dtype=np.float64)

    def _difference(self, x: Vector) -> Vector:
        steps, sides = difference_steps(x, self.jac, self.rel_step, self.box)
        moving = np.flatnonzero(steps)
        calls = moving.size * (1 if self.jac in ("2-point", "cs") else 2)
        if self.nfev + calls > self.maxfev:
            raise OutOfBudget
        self.njev += 1
        points = list(difference_points(x, self.jac, steps, sides, self.box))
        fun = Bound(self.fun, self.args)
        if self.jac == "cs":
            values = np.array([complex_scalar(f) for f in self._counted(fun, points)])
        else:
            values = np.array([scalar(f) for f in self._counted(fun, points)])
        g = np.zeros(x.size)
        g[moving] = difference_quotients(self.f, values, self.jac, steps[moving], sides[moving])
        return g

    def _counted(self, fun: Callable[..., Any], points: list[NDArray[Any]]) -> list[Any]:
        if self.map is map:
            values = []
            for point in points:
                self.nfev += 1
                values.append(fun(point))
            return values
        self.nfev += len(points)
        return list(self.map(fun, points))


class Bound:
    """``fun(x, *args)`` as a function of x that can be sent to another process."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.fun, self.args = fun, args

    def __call__(self, x: NDArray[Any]) -> Any:
        return self.fun(x, *self.args)


# --- what comes back from the user


def scalar(f: Any) -> float:
    """A float from whatever `fun` returned.

    Raises
    ------
    TypeError, ValueError
        If it is not one real number.
    """
    value = real_numbers(f)
    if value is None:
        raise TypeError(
            "The user-provided objective function `fun` must return a scalar value (a real "
            f"number), got {type(f).__name__}"
        )
    if value.size != 1:
        raise ValueError(
            "The user-provided objective function `fun` must return a scalar value, "
            f"got shape {value.shape}"
        )
    return float(value.item())


def complex_scalar(f: Any) -> complex:
    value = np.asarray(f)
    if value.size != 1 or value.dtype.kind != "c":
        raise TypeError(
            '`fun` must return a complex number for a complex x with finite_diff_scheme="cs", '
            f"got {f!r}"
        )
    return complex(value.item())


def vector(g: Any, n: int, name: str = "jac") -> Vector:
    """A float64 vector from whatever `jac` returned; (n, 1) and (1, n) are taken as vectors.

    Raises
    ------
    TypeError, ValueError
        If it is not n real numbers.
    """
    given = real_numbers(g)
    if given is None:
        raise TypeError(f"`{name}` must return {n} real numbers, got {g!r:.60}")
    if given.size != n or given.ndim > 2:
        raise ValueError(f"`{name}` must return an array of shape ({n},), got shape {given.shape}")
    return np.array(given, dtype=np.float64).reshape(n)


# --- finite differences, with SciPy's steps


def difference_steps(
    x: Vector, scheme: str, rel_step: Any, box: tuple[Vector, Vector] | None
) -> tuple[Vector, NDArray[np.bool_]]:
    """The step of each component, and where differences must be one-sided to stay in the box.

    The step is relative to ``max(1, |x|)``, or to ``|x|`` when `rel_step` is given, away from zero.
    A component that cannot move at all gets 0.
    """
    sign = np.where(x >= 0, 1.0, -1.0)
    default = sign * EPS ** (1 / 3 if scheme == "3-point" else 1 / 2) * np.maximum(1.0, abs(x))
    h = default if rel_step is None else rel_step * sign * abs(x)
    h = np.where((x + h) - x == 0, default, h)
    if scheme != "cs":
        h = (x + h) - x  # as it will be in floating point
    one_sided = np.full(x.size, scheme == "2-point")
    if scheme == "cs" or box is None:
        return h, one_sided
    below, above = x - box[0], box[1] - x
    if scheme == "3-point":
        h = abs(h)
        one_sided = (h > below) | (h > above)
    reach = h * (2 if scheme == "3-point" else 1)
    room = np.where(reach > 0, above, below)
    blocked = one_sided & (abs(reach) > room)
    # the other way, if there is more room; never further than the room there is
    h = np.where(blocked & (np.where(reach > 0, below, above) > room), -h, h)
    room = np.where(h > 0, above, below) / (2 if scheme == "3-point" else 1)
    return np.where(one_sided, np.sign(h) * np.minimum(abs(h), room), h), one_sided


def difference_points(
    x: Vector,
    scheme: str,
    steps: Vector,
    one_sided: NDArray[np.bool_],
    box: tuple[Vector, Vector] | None,
) -> Iterator[NDArray[Any]]:
    """The points to evaluate: one for each component, two in the 3-point scheme."""
    for i in np.flatnonzero(steps):
        h = steps[i]
        if scheme == "cs":
            offsets: tuple[Any, ...] = (1j * h,)
        elif scheme == "2-point":
            offsets = (h,)
        else:
            offsets = (h, 2 * h) if one_sided[i] else (-h, h)
        for offset in offsets:
            point = x.astype(complex) if scheme == "cs" else x.copy()
            point[i] += offset
            if box is not None and scheme != "cs":  # rounding may lead just outside
                point[i] = min(max(point[i], box[0][i]), box[1][i])
            yield point


def difference_quotients(
    f: float, values: NDArray[Any], scheme: str, steps: Vector, one_sided: NDArray[np.bool_]
) -> Vector:
    """The gradient from the value at x and the values at `difference_points`."""
    if scheme == "cs":
        return np.asarray(values.imag / steps)
    if scheme == "2-point":
        return np.asarray((values - f) / steps, dtype=np.float64)
    first, second = values[0::2], values[1::2]
    return np.where(  # type: ignore[no-any-return]
        one_sided, (-3.0 * f + 4.0 * first - second) / (2 * steps), (second - first) / (2 * steps)
    )


@contextmanager
def mapping(workers: Any) -> Iterator[Callable[..., Iterable[Any]]]:
    """The map of `workers`: a pool of processes for a number, else the callable itself.

    The results come one by one, in order.
    """
    if workers is None or workers == 1:
        yield map
    elif callable(workers):
        yield workers
    else:
        with multiprocessing.Pool(os.cpu_count() if workers == -1 else workers) as pool:
            yield pool.imap
