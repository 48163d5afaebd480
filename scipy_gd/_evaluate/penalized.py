"""The objective of a run with a `penalty`: what `fun` returns, plus the penalty.

The gradient is that of `fun` alone, and differences are taken from what `fun` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from .._core.bits import VALUE
from .._core.composite import penalty_at_trial
from .._core.endings import BROKEN
from .._core.proximal import Placed
from ..arguments import Vector
from .adaptive import Adaptive
from .gradients import Args, Around, Source, Values
from .loop_parts import part


class Penalized(Around):
    """A source of gradients whose values include the penalty."""

    def __init__(self, source: Source, placed: Placed) -> None:
        super().__init__(source, "penalized")
        self.placed = placed
        self.trials: list[Vector] = []

    def bind(self, trials: list[Vector], r: Any) -> None:
        """Bind the memory of the run, where the penalty at the trial may be known, or is stored."""
        self.trials, self.r = trials, r

    @property
    def room(self) -> Any:
        return self.source.room

    @property
    def asked(self) -> Sequence[Vector]:
        """Of an adaptive source: the points of the next round."""
        asked: Sequence[Vector] = self.source.asked  # type: ignore[attr-defined]
        return asked

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        if part == VALUE:
            self.x = x
            return self.source.points(x, part)
        with self._smooth(x):
            return self.source.points(x, part)

    def value(self, values: Values, g: Vector) -> float:
        f = self.source.value(values, g) + self._penalty(self.x)
        if isinstance(self.source, Adaptive):
            self.source.r.f_trial = f
        return f

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> Any:
        if self.given:
            return self.source.gradient(values, x, f, g, args)
        with self._smooth(x):
            return self.source.gradient(values, x, f - self._penalty(x), g, args)

    def _penalty(self, x: Vector) -> float:
        if not (self.trials and x is self.trials[self.r.trial]):
            return self.placed.value(x)
        if not self.r.placed:
            self.r.penalty_trial, self.r.placed = self.placed.value(x), 1
        return float(self.r.penalty_trial)

    @contextmanager
    def _smooth(self, x: Vector) -> Iterator[None]:
        """Put the value of `fun` alone into the record, for a source that looks there."""
        if not isinstance(self.source, Adaptive):
            yield
            return
        r, f = self.source.r, self.source.r.f_trial
        r.f_trial -= self._penalty(x)
        try:
            yield
        finally:
            r.f_trial = f
            if self.source.before is not None:
                self.source.before[0]["f_trial"] = f

    def in_loop(self, fun: Any, **functions: Any) -> tuple[Any, Any]:
        own_value, own_gradient = self.source.in_loop(fun, **functions)  # type: ignore[attr-defined]

        @part
        def value(V, r, x, args, budget, room):
            if own_value(V, r, x, args, budget, room):
                return True
            r.f_trial += penalty_at_trial(V, r)
            return r.ending == BROKEN

        @part
        def gradient(V, r, x, args, budget, room):
            f = r.f_trial
            r.f_trial -= r.penalty_trial
            spent = own_gradient(V, r, x, args, budget, room)
            r.f_trial = f
            return spent

        return value, own_gradient if self.given else gradient
