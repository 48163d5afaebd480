"""All calls to the user's objective: values, gradients, counts and the budget."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .._evaluate.differences import difference_points, difference_quotients
from .._evaluate.evaluator import Bound, OutOfBudget
from .._evaluate.noise import grain
from ..arguments import Vector, complex_scalar, pair, scalar, vector
from .derivatives import Near, complex_steps

STEP = 1.7e-8
"""The step of a test of f, relative to x: not a power of two, which could give round values."""
NOISY = 1e-2
"""The relative change in a difference from which it counts as noise."""
LONG = 1e-4
"""The step, in units of x, of differences that only estimate the size of a gradient."""
KEPT = 3
"""The number of points whose values are stored, as many as a run keeps."""


def same(x: Vector, y: Vector) -> bool:
    """Whether two points are equal; if not, this usually shows in a few elements."""
    few = slice(None, None, max(x.size // 32, 1))
    return np.array_equal(x[few], y[few]) and np.array_equal(x, y)


class Remembered:
    """A function of x that counts its calls and stores the last results."""

    def __init__(
        self, function: Callable[..., Any], limit: float = np.inf, kept: int = KEPT
    ) -> None:
        self.function, self.limit, self.calls = function, limit, 0
        self._found: deque[tuple[Vector, Any]] = deque(maxlen=kept)

    def __call__(self, x: Vector, *args: Any) -> Any:
        for at, found in self._found:
            if same(at, x):
                return found
        self.count(1)
        found = self.function(x.copy(), *args)
        self._found.append((x.copy(), found))
        return found

    def count(self, calls: int) -> None:
        """Count calls that are about to be made.

        Raises
        ------
        OutOfBudget
            If there are too many.
        """
        if self.calls + calls > self.limit:
            raise OutOfBudget
        self.calls += calls

    def knows(self, x: Vector) -> bool:
        return any(same(at, x) for at, _ in self._found)

    def forget(self) -> None:
        self._found.clear()


class Objective:
    """f and its gradient.

    `fun` is f, made of the user's function, which is `called`; `alone` is the same without memory,
    for points around another one. `jac` may be a function, True or the name of a scheme of
    differences, which are those that `near` says.
    """

    def __init__(
        self,
        called: Remembered,
        fun: Any,
        alone: Any,
        jac: Any,
        args: tuple[Any, ...],
        near: Near,
        map_: Callable[..., Iterable[Any]],
        noise: float | None,
    ) -> None:
        self.called, self.fun, self.alone, self.jac = called, fun, alone, jac
        self.args, self.near, self.map, self.noise = args, near, map_, noise
        self.given = callable(jac) or jac is True
        self.noisy = False
        self.slope = Remembered(self._measured)

    def listen(self, x: Vector) -> None:
        """Check whether differences would measure noise; if so, leave them to the adaptive ones.

        (Not if the user chose a scheme, or gave the noise.)
        """
        if self.jac != "adaptive" or self.noise == 0.0:
            return
        h = STEP * np.maximum(1.0, np.abs(x))
        lower, upper = self.near[-2:]
        up, down = upper - x, x - lower
        h = np.where(up >= down, np.minimum(h, 0.5 * up), -np.minimum(h, 0.5 * down))
        noisy = self.noise is not None
        if not noisy:
            f, near, far = (self.value(np.clip(x + k * h, lower, upper)) for k in (0, 1, 2))
            bend, change = abs(far - 2.0 * near + f), abs(far - f)
            noisy = bool(np.isfinite(bend) and (bend > NOISY * change or change == 0.0))
            noisy |= grain([f, near, far], f, 2) > 0.0
        if noisy:
            self.noisy = True
            self.near = (1, self.near[1], LONG * np.maximum(1.0, np.abs(x)), lower, upper)

    def value(self, x: Vector) -> float:
        found = self.fun(x, *self.args)
        return pair(found, x.size)[0] if self.jac is True else scalar(found)

    def gradient(self, x: Vector) -> Vector:
        if self.jac is True:
            return pair(self.fun(x, *self.args), x.size)[1]
        if not self.given:
            return np.asarray(self.slope(x))
        return vector(self.jac(x, *self.args), x.size)

    def sharpen(self) -> None:
        """From now on, use differences that cost twice as much and are more accurate."""
        if not self.given and self.jac != "cs":
            self.near = (2, *self.near[1:])
            self.slope.forget()

    def widen(self, noise: float) -> None:
        """Use differences that balance the errors from noise and from curvature."""
        h = max(LONG, float(np.cbrt(noise)))
        _, rel_step, abs_step, lower, upper = self.near
        self.near = (2, rel_step, np.maximum(abs_step, h), lower, upper)
        self.slope.forget()

    def _measured(self, x: Vector, *args: Any) -> Vector:
        """The gradient by differences."""
        fun, n = Bound(self.alone, self.args), x.size
        if self.jac == "cs":
            self.called.count(n)
            return complex_steps(lambda z: complex_scalar(fun(z)), x)
        each, *steps = self.near
        h, one_sided, points = np.empty(n), np.empty(n, bool), np.empty((each * n, n))
        f = self.value(x)
        count = difference_points(x, *steps, each, h, one_sided, points)
        self.called.count(count)
        values = np.array([scalar(found) for found in self.map(fun, [*points[:count]])])
        g = np.empty(n)
        difference_quotients(f, np.append(values, 0.0), h, one_sided, each, g)
        return g
