"""How ``x_scale="auto"`` finds the sizes of the parameters.

The size of a parameter is that of its starting value; if this is 0, the width of its bounds, or the
distance to one; otherwise that of the other parameters, if they have one in common. Uncertain sizes
are tested: how much does f change along the parameter? A size is rejected if a step of that size is
not visible in f (a start of 1e-20 for a parameter about 1); if it was not given, also if it is far
too long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.bits import VALUE
from ..arguments import Vector
from .evaluator import Evaluator, OutOfBudget
from .gradients import Box
from .scale import Scale

ALIKE = 1e3
"""The largest ratio of sizes that count as one."""
TINY = 1e-6
"""A size below this fraction of the largest one is tested."""
SHOWS = 1e-6
"""The relative change in f that confirms a size."""
AIM, LEAST, MOST = 0.3, 0.03, 0.9
"""The relative change in f that a step should produce."""
LOOKS = 12
"""Maximum number of values to find a step."""
ONE_BY_ONE = 30
"""If there are more than this, parameters without a size share one."""


def scale_for(opts: Mapping[str, Any], x: Vector, box: Box, looks: Evaluator | None) -> Scale:
    """The scale that the options ask for; a resumed run keeps its own."""
    given, resumed = opts["x_scale"], opts["resume"]
    if not isinstance(given, str):
        return Scale(given)
    if isinstance(resumed, Mapping) and resumed.get("x_scale") is not None:
        return Scale(np.asarray(resumed["x_scale"], float))
    if looks is not None:
        with suppress(OutOfBudget), np.errstate(all="ignore"):
            return Scale(*sizes_of(x, box, functools.partial(_value, looks)))
    return Scale(*sizes_of(x, box, None))


def _value(looks: Evaluator, x: Vector) -> float:
    """f far from the start, where the function may be undefined in any way."""
    try:
        return looks.elsewhere(x, VALUE, np.empty(x.size))
    except (ArithmeticError, ValueError):
        return np.inf


def sizes_of(
    x: Vector, box: Box, value: Callable[[Vector], float] | None
) -> tuple[Vector, list[int]]:
    """Sizes of the parameters, and the indices of the unknown ones, which get 1.

    `value` is f at a point, inf where it is undefined, or None if it cannot be called.
    """
    given = x != 0.0
    size = np.where(given, np.abs(x), np.nan)
    if box is not None:
        size = np.where(given, size, _room(x, *box))
    known = size[~np.isnan(size)]
    if known.size and known.max() <= ALIKE * known.min():
        size[np.isnan(size)] = np.exp(np.log(known).mean())
    if value is not None:
        size = Looked(x, box, value).at(size, given)
    unknown = np.isnan(size)
    return np.where(unknown, 1.0, size), np.flatnonzero(unknown).tolist()


def _room(x: Vector, lower: Vector, upper: Vector) -> Vector:
    """The width of the box, or else the distance from x to its only side; NaN if 0 or undefined."""
    width = upper - lower
    nearest = np.minimum(x - lower, upper - x)
    room = np.where(np.isfinite(width), width, nearest)
    return np.where(np.isfinite(room) & (room > 0.0), room, np.nan)


class Looked:
    """Sizes that f has confirmed."""

    def __init__(self, x: Vector, box: Box, value: Callable[[Vector], float]) -> None:
        self.x, self.box, self.value = x, box, value
        self.f = value(x)

    def at(self, size: Vector, given: NDArray[np.bool_]) -> Vector:
        """The sizes that f confirms; NaN if nothing is visible and nothing was given."""
        if not np.isfinite(self.f) or self.f == 0.0:  # nothing to compare with
            return size
        size = size.copy()
        doubted = ~given
        if given.any():
            doubted |= size < TINY * size[given].max()
            sure = given & ~doubted
            if not self.change(np.where(sure, size, 0.0)) >= SHOWS:
                doubted |= sure
        groups = [np.flatnonzero(doubted)]
        if groups[0].size <= ONE_BY_ONE:
            groups = list(groups[0][:, np.newaxis])
        for group in groups:
            if group.size:
                self.look(size, given, group)
        return size

    def look(self, size: Vector, given: NDArray[np.bool_], group: NDArray[np.int64]) -> None:
        """Find a step for a group of parameters, of some length for each of them."""
        step = np.zeros(self.x.size)
        step[group] = np.where(np.isnan(size[group]), 1.0, size[group])
        factor = self.factor(step, bool(given[group].all()))
        if factor is not None:
            size[group] = factor * step[group]

    def factor(self, step: Vector, given: bool) -> float | None:
        """The multiple of `step` that changes f visibly, but not too much, or None."""
        short, long, h, found = 0.0, np.inf, 1.0, None
        for _ in range(LOOKS):
            change = self.change(h * step)
            if h == 1.0 and change >= SHOWS and (given or change <= MOST):
                return h
            if change > MOST:
                long = h
                h = h * 1e-4 if short == 0.0 else np.sqrt(short * h)
                continue
            short = h
            if change >= SHOWS:
                found = h
            if change >= LEAST:
                break
            grown = h * (min(max(AIM / change, 10.0), 1e6) if change > 1e-12 else 1e4)
            h = grown if grown < long else np.sqrt(h * long)
            if long < 2.0 * short:
                break
        return found

    def change(self, step: Vector) -> float:
        """The relative change in f over this step; inf if f rises a lot."""
        y, z = self.inside(self.x + step), self.inside(self.x - step)
        ahead = abs(y - self.x).max() >= abs(z - self.x).max()
        f = self.value(y if ahead else z)
        if not np.isfinite(f):
            return np.inf
        size = max(abs(f), abs(self.f))
        change = abs(f - self.f) / size if size > 0.0 else 0.0
        return np.inf if change > MOST and f > self.f else min(change, MOST)

    def inside(self, y: Vector) -> Vector:
        return y if self.box is None else np.clip(y, *self.box)
