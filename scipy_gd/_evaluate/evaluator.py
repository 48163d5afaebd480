"""The evaluator: the only caller of the user's functions.

It binds `args`, counts the actual calls and stays within the budget. It knows nothing about
methods, steps or endings; its source decides where a gradient comes from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.bits import BETTER, CARRIED, GRADIENT, HESSIAN, VALUE
from ..arguments import Vector, scalar
from .doubts import Dialogue
from .gradients import Source

Matrix = NDArray[np.float64]


class Hessian(Protocol):
    """The interface of a source of Hessians, like `Source` for gradients."""

    name: str
    functions: Any

    @property
    def room(self) -> Any: ...

    def at(self, evaluator: Evaluator, x: Vector, g: Vector, H: Matrix) -> None: ...


class OutOfBudget(Exception):
    """The next evaluation would take more calls to `fun` than `maxfev` allows."""


class Evaluator:
    """The user's `fun` at one point after another, and what its sources derive from it.

    `exact` is the source of gradients that are not estimates, by default that of the run. `map`
    evaluates several points. `nfev`, `njev` and `nhev` count the calls to `fun`, the gradients, and
    the calls to `hess` or `hessp`. `f` is the last value of the run: a gradient alone is only asked
    for at the same point. `limit` calls to `fun` are allowed, plus the `reserve` for the last
    evaluation. `doubts` starts the dialogue that replaces a request for a better gradient.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        source: Source,
        exact: Source | None = None,
        hessian: Hessian | None = None,
        *,
        map: Callable[..., Iterable[Any]] = map,
        maxfev: int = 2**62,
    ) -> None:
        self.fun, self.args, self.source, self.exact = fun, args, source, exact or source
        self.hessian = hessian
        self.map, self.limit, self.reserve = map, maxfev, 0
        self.nfev = self.njev = self.nhev = 0
        self.f = float("nan")
        self.doubts: Callable[[], Dialogue] | None = None

    def __call__(self, x: Vector, ask: int, g: Vector, H: Matrix) -> float:
        """The value at `x`, the gradient into `g` and the Hessian into `H`, as `ask` says."""
        source = self.source
        if ask & VALUE:
            self.f = float("nan")  # as long as it is not known
            self.f = source.value(self._values(source.points(x, VALUE), source.gradients), g)
        if ask & CARRIED:
            source.carried(g)  # type: ignore[attr-defined]
        if ask & BETTER and self.doubts is not None:
            self._answer(self.doubts())
        elif ask & GRADIENT:
            if source.near:
                self._gradient(source, x, self.f, g)
            else:
                self.njev += source.counts
                source.gradient((), x, self.f, g, self.args)
        if ask & HESSIAN:
            assert self.hessian is not None
            self.hessian.at(self, x, g, H)
        return self.f

    def elsewhere(self, x: Vector, ask: int, g: Vector) -> float:
        """The same at any point, by the exact source, without storing the result."""
        source, f = self.exact, float("nan")
        if ask & VALUE:
            f = source.value(self._values(source.points(x, VALUE), source.gradients), g)
        if ask & GRADIENT:
            self._gradient(source, x, f, g)
        return f

    def _answer(self, dialogue: Dialogue) -> None:
        """Evaluate until everything asked for is known."""
        with contextlib.suppress(StopIteration):
            points = next(dialogue)
            while True:
                answers = []
                for y in points:
                    g = np.empty(y.size)
                    answers.append((self.elsewhere(y, VALUE | GRADIENT, g), g))
                points = dialogue.send(answers)

    def values(self, points: Sequence[Vector]) -> list[float]:
        """The values at some points, without any gradient."""
        return [scalar(f) for f in self._values(points, 0)] if len(points) else []

    def keep(self, calls: int) -> None:
        """Reserve some calls for the last evaluation; none once it comes."""
        self.limit += self.reserve - calls
        self.reserve = calls

    def _gradient(self, source: Source, x: Vector, f: float, g: Vector) -> None:
        first = wanted = True
        while wanted:
            points = source.points(x, GRADIENT)
            gradients = len(points) if not source.counts else int(first)
            if len(points):
                points = self._values(points, gradients)
            else:
                self.njev += gradients
            wanted = bool(source.gradient(points, x, f, g, self.args))
            first = False

    def _values(self, points: Sequence[NDArray[Any]], gradients: int) -> Sequence[Any]:
        """What `fun` returns at these points, including this many gradients."""
        count = len(points)
        if self.nfev + count > self.limit:
            raise OutOfBudget
        self.njev += gradients
        if count == 1:
            self.nfev += 1
            return (self.fun(points[0], *self.args),)
        if self.map is not map:
            self.nfev += count
            values = list(self.map(Bound(self.fun, self.args), list(points)))
            if len(values) != count:
                got = f"the {count} points, got {len(values)}"
                raise ValueError(f"`workers` must return a value for each of {got}")
            return values
        values = []
        for point in points:
            self.nfev += 1
            values.append(self.fun(point, *self.args))
        return values


class Bound:
    """``fun(x, *args)`` as a function of x that can be sent to another process."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.fun, self.args = fun, args

    def __call__(self, x: NDArray[Any]) -> Any:
        return self.fun(x, *self.args)
