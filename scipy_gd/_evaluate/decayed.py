"""The objective of a run with an L2 penalty: what `fun` returns, plus half of sum(weights x^2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from .._core.bits import POINTS, VALUE
from .._core.jit import compiled, local
from ..arguments import Vector
from .gradients import Args, Around, Source, Values
from .loop_parts import part


@local
def half_square(x, weights):
    total = 0.0
    for i in range(x.size):
        total += weights[i] * x[i] * x[i]
    return 0.5 * total


@compiled()
def penalty_at(x, weights):
    return half_square(x, weights)


class Decayed(Around):
    """A source of gradients plus the penalty's; the points are those of the source."""

    def __init__(self, source: Source, weights: Vector) -> None:
        super().__init__(source, "decayed")
        self.weights = weights

    @property
    def room(self) -> Any:
        return self.source.room, self.weights

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        if part == VALUE:
            self.x = x
        return self.source.points(x, part)

    def value(self, values: Values, g: Vector) -> float:
        return self.source.value(values, g) + self.penalty(self.x)

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> None:
        self.source.gradient(values, x, f - self.penalty(x), g, args)
        g += self.weights * x

    def penalty(self, x: Vector) -> float:
        return float(penalty_at(x, self.weights))

    def in_loop(self, fun: Any, **functions: Any) -> tuple[Any, Any]:
        own_value, own_gradient = self.source.in_loop(fun, **functions)  # type: ignore[attr-defined]

        @part
        def value(V, r, x, args, budget, room):
            own, weights = room
            if own_value(V, r, x, args, budget, own):
                return True
            r.f_trial += half_square(V[r.trial], weights)
            return False

        @part
        def gradient(V, r, x, args, budget, room):
            own, weights = room
            decayed = r.f_trial  # differences are taken from what `fun` returns
            r.f_trial -= half_square(V[r.trial], weights)
            spent = own_gradient(V, r, x, args, budget, own)
            r.f_trial = decayed
            if not spent:
                for i in range(r.n):
                    V[r.trial + POINTS, i] += weights[i] * V[r.trial, i]
            return spent

        return value, gradient
