"""The user's objective outside the inner runs: values, gradients, counts and the budget."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from .._evaluate.evaluator import OutOfBudget
from ..arguments import Vector, complex_scalar, pair, scalar, vector
from .derivatives import complex_steps, of_differences
from .rows import KEPT, Near


class Remembered:
    """A function of x that remembers its last results; `hits` counts those that were known."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.hits = function, 0
        self._found: deque[tuple[Vector, Any]] = deque(maxlen=KEPT)

    def __call__(self, x: Vector, *args: Any) -> Any:
        found = self.known(x)
        if found is None:
            found = self.function(x, *args)
            self._found.append((x.copy(), found))
        else:
            self.hits += 1
        return found

    def known(self, x: Vector) -> Any:
        return next((found for at, found in self._found if np.array_equal(at, x)), None)

    def forget(self) -> None:
        self._found.clear()


class Objective:
    """f and its gradient; the counts are those of all runs.

    `fun` and `jac` are as a run has them; `jac` may be True, or the name of a scheme.
    """

    def __init__(self, fun: Any, jac: Any, args: tuple[Any, ...], near: Near, limit: int) -> None:
        self.fun, self.jac, self.args, self.near, self.limit = fun, jac, args, near, limit
        self.nfev = self.njev = self.nhev = 0
        self.given = callable(jac) or jac is True
        self.slope = Remembered(self._measured)

    @property
    def left(self) -> int:
        return self.limit - self.nfev

    def value(self, x: Vector) -> float:
        found = self._known(self.fun, x)
        if found is None:
            found = self._called(self.fun, x.copy())
            self.njev += self.jac is True
        return pair(found, x.size)[0] if self.jac is True else scalar(found)

    def gradient(self, x: Vector) -> Vector:
        if self.jac is True:
            self.value(x)
            return pair(self.fun(x, *self.args), x.size)[1]
        if not self.given:
            return self.slope(x)
        found = self._known(self.jac, x)
        if found is None:
            self.njev += 1
            found = self.jac(x.copy(), *self.args)
        return vector(found, x.size)

    def sharpen(self) -> None:
        """From now on take differences that cost twice as much, and are more exact."""
        if not self.given and self.near[0] == 1 and self.jac != "cs":
            self.near = (2, *self.near[1:])
            self.slope.forget()

    def _called(self, fun: Any, x: Any) -> Any:
        if self.left < 1:
            raise OutOfBudget
        self.nfev += 1
        return fun(x, *self.args)

    def _measured(self, x: Vector, *args: Any) -> Vector:
        """The gradient by differences."""
        fun = getattr(self.fun, "function", self.fun)  # what is at x must be remembered
        if self.jac == "cs":
            return complex_steps(lambda z: complex_scalar(self._called(fun, z)), x)
        values = of_differences(lambda point: np.array([scalar(self._called(fun, point))]))
        return np.asarray(values(x, np.array([self.value(x)]), self.near)[0])

    def _known(self, function: Any, x: Vector) -> Any:
        return function.known(x) if isinstance(function, Remembered) else None
