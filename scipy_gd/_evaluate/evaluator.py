"""The evaluator: the only caller of the user's functions.

It binds `args`, hands out copies, checks what comes back, fills in missing gradients by finite
differences and counts the real calls. It knows nothing of methods, steps or endings.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.state import GRADIENT, VALUE
from ..arguments import Vector, complex_scalar, real_numbers, scalar, vector

FLOAT64 = np.dtype(np.float64)


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
    probe : Probe, optional
        Estimates the gradient, in the place of `jac`.

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
        probe: Probe | None = None,
    ) -> None:
        self.fun, self.jac, self.args = fun, jac, args
        self.hess, self.hessp = hess, hessp
        self.box, self.rel_step, self.map, self.maxfev = box, rel_step, map, maxfev
        self._reach: tuple[Vector, Vector, Vector] | None = None
        self.nfev = self.njev = self.nhev = 0
        self.reserve = 0  # calls that are kept for the last evaluation
        self.f = float("nan")  # the last value: what is asked for next is at the same point
        self.g: Vector | None = None  # the gradient that came with it
        self.probe = probe
        cls = type(self)  # bound methods would keep the user's data until the garbage is collected
        if jac is True:
            self.value, self.gradient = cls._value_of_pair, cls._gradient_of_pair
        elif isinstance(jac, str):
            self.value, self.gradient = cls._value, cls._difference
        else:
            self.value, self.gradient = cls._value, cls._gradient
        self._exact = self.value, self.gradient
        if probe is not None:
            self.value, self.gradient = cls._probed, cls._estimate

    def sample(self, args: tuple[Any, ...] | None, last: bool) -> None:
        """Evaluate with these arguments from now on; `last`: what follows is the end of the run."""
        if args is not None:
            self.args = args
        if last:
            self.reserve = 0
        if self.probe is not None:
            self.probe.last = last

    def __call__(self, x: Vector, ask: int) -> tuple[float, Vector]:
        """Value and gradient at `x`, as far as `ask` says; a gradient alone is asked for only at
        the point of the last value."""
        f = self.value(self, x) if ask & VALUE else self.f
        return f, self.gradient(self, x) if ask & GRADIENT else x

    def value_of(self, x: Vector, args: tuple[Any, ...]) -> float:
        """The value at any point with other arguments."""
        kept, self.args = self.args, args
        try:
            return self._exact[0](self, x)
        finally:
            self.args = kept

    def gradient_at(self, x: Vector) -> Vector:
        """The gradient at any point."""
        value, gradient = self._exact
        self.g = None
        if isinstance(self.jac, str):
            value(self, x)
        return gradient(self, x)

    def _value(self, x: Vector) -> float:
        if self.nfev >= self.maxfev - self.reserve:
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
        if self.nfev >= self.maxfev - self.reserve:
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

    def _probed(self, x: Vector) -> float:
        """The mean of two noisy values, with the gradient that they tell; at the end a value."""
        assert self.probe is not None
        value, _ = self._exact
        if self.probe.last:
            self.estimate = np.zeros(x.size)
            return value(self, x)
        if self.nfev + 2 > self.maxfev - self.reserve:
            raise OutOfBudget
        ahead, behind, quotient = self.probe(x, self.box)
        up, down = value(self, ahead), value(self, behind)
        self.probe.keep()
        self.f = 0.5 * (up + down)
        self.estimate = (up - down) * quotient
        return self.f

    def _estimate(self, x: Vector) -> Vector:
        return self.estimate

    def _gradient_of_pair(self, x: Vector) -> Vector:
        if self.g is None:
            self._value_of_pair(x)
        g, self.g = self.g, None
        assert g is not None
        return g

    def hessian(self, x: Vector, g: Vector) -> NDArray[np.float64]:
        """The Hessian at `x`, where the gradient is `g`, shape (n, n).

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
            scale = np.abs(H).max()
            if scale < np.inf and not np.allclose(H, H.T, rtol=1e-6, atol=1e-8 * scale):
                raise ValueError("`hess` must return a symmetric matrix")
            return np.asarray(H, dtype=np.float64)
        if self.hessp is not None:
            self.nhev += n
            rows = [self.hessp(x.copy(), e, *self.args) for e in np.eye(n)]
            H = np.array([vector(row, n, "hessp") for row in rows])
        else:
            f, g = self.f, g.copy()
            steps, H = np.empty(n), np.zeros((n, n))
            # differences of differences: a step that suits their larger error
            points = 2 if isinstance(self.jac, str) else 1
            _differences().hessian_steps(x, *self.reach(n)[1:], points, steps)
            for i in np.flatnonzero(steps):
                point = x.copy()
                point[i] = point[i] + steps[i]
                try:
                    with np.errstate(invalid="ignore"):
                        H[i] = (self.gradient_at(point) - g) / steps[i]
                finally:
                    self.f = f
        return np.asarray(0.5 * (H + H.T), dtype=np.float64)

    def reach(self, n: int) -> tuple[Vector, Vector, Vector]:
        """How far differences may go: relative step, lower and upper bounds, one per parameter."""
        if self._reach is None:
            reach = np.empty((3, n))
            reach[0] = np.nan if self.rel_step is None else self.rel_step
            reach[1], reach[2] = -np.inf, np.inf
            if self.box is not None and self.jac != "cs":
                reach[1:] = self.box
            self._reach = tuple(reach)  # type: ignore[assignment]
        return self._reach  # type: ignore[return-value]

    def _difference(self, x: Vector) -> Vector:
        d = _differences()
        n, each = x.size, d.POINTS_OF[self.jac]
        rel_step, lower, upper = self.reach(n)
        h, one_sided, g = np.empty(n), np.empty(n, bool), np.empty(n)
        d.difference_steps(x, rel_step, lower, upper, each, h, one_sided)
        calls = each * np.count_nonzero(h)
        if self.nfev + calls > self.maxfev - self.reserve:
            raise OutOfBudget
        self.njev += 1
        fun = Bound(self.fun, self.args)
        if self.jac == "cs":
            points = list(x + 1j * np.diag(h))
            return np.imag([complex_scalar(f) for f in self._counted(fun, points)]) / h
        at = np.empty((calls, n))
        d.difference_points(x, h, one_sided, lower, upper, each, at)
        values = np.array([scalar(f) for f in self._counted(fun, list(at))])
        d.difference_quotients(self.f, values, h, one_sided, each, g)
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


@functools.cache
def _differences() -> Any:
    from . import differences as module  # compiled, or loaded, where

    return module


class Probe:
    """Simultaneous perturbation: two points on both sides of x tell a gradient.

    Parameters
    ----------
    rng : Generator
        Draws the signs of the perturbation.
    c, gamma : float
        In its t-th use the perturbation is ``c / t**gamma`` in each component.
    """

    def __init__(self, rng: np.random.Generator, c: float, gamma: float) -> None:
        self.rng, self.c, self.gamma = rng, c, gamma
        self.t = 0
        self.last = False
        self._before: tuple[int, Any] | None = None

    def __call__(
        self, x: Vector, box: tuple[Vector, Vector] | None
    ) -> tuple[Vector, Vector, Vector]:
        """The two points, and by what the difference of their values is multiplied."""
        self._before = self.t, self.rng.bit_generator.state
        self.t += 1
        delta = self.c / self.t**self.gamma * self.rng.choice([-1.0, 1.0], x.size)
        ahead, behind = x + delta, x - delta
        if box is not None:
            ahead, behind = np.clip(ahead, *box), np.clip(behind, *box)
        way = ahead - behind
        return ahead, behind, np.divide(1.0, way, out=np.zeros(x.size), where=way != 0.0)

    def keep(self) -> None:
        """The values at the last two points are known."""
        self._before = None

    def undo(self) -> None:
        """If they are not, the same points will be the next ones."""
        if self._before is not None:
            self.t, self.rng.bit_generator.state = self._before


class Bound:
    """``fun(x, *args)`` as a function of x that can be sent to another process."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.fun, self.args = fun, args

    def __call__(self, x: NDArray[Any]) -> Any:
        return self.fun(x, *self.args)


# --- in parallel


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
