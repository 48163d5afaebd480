"""A point with its multipliers, and how far it is from being a solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arguments import Vector
from .objective import Objective
from .rows import Box, Rows

SMALL = 300
"""The number of parameters and rows up to which a dense system is cheap."""


def largest(v: Any) -> float:
    return float(np.max(np.abs(v), initial=0.0))


def projected(x: Vector, slope: Vector, box: tuple[Vector, Vector]) -> Vector:
    """P(x - slope) - x, without the rounding of a large x."""
    return np.clip(-slope, box[0] - x, box[1] - x)


class Residuals(NamedTuple):
    """Residuals of the Karush-Kuhn-Tucker conditions; each should be below its tolerance."""

    violation: float
    slope: float
    complementarity: float
    gap: float

    def within(self, ctol: float, gtol: float, share: float = 1.0) -> bool:
        limits = ctol, gtol, 10.0 * ctol, 10.0 * ctol
        return all(r <= share * limit for r, limit in zip(self, limits, strict=True))


@dataclass
class Point:
    """x, with f, c and multipliers y there, and the gradient of f + y'c; all in the user's units.

    The sign of y is such that this gradient vanishes at a solution, except at the bounds.
    """

    x: Vector
    f: float
    c: Vector
    y: Vector
    slope: Vector


def on_the_way(x: Vector, f: float, c: Vector) -> Point:
    """A point without known multipliers."""
    return Point(x, f, c, np.zeros(c.size), np.full(x.size, np.nan))


class Problem:
    """The problem: the objective, the rows, and the bounds that always hold."""

    def __init__(self, objective: Objective, rows: Rows, box: Box) -> None:
        self.objective, self.rows, self.box = objective, rows, box
        ends = np.concatenate(box)
        self.steepest, self.farthest = 0.0, largest(ends[np.isfinite(ends)])
        self.sizes = np.ones(rows.m)
        self.sharp = False

    def begin(self, x: Vector) -> None:
        """Learn what the start reveals."""
        self.objective.listen(x)
        self.see(x)
        self.sizes, _ = self.row_sizes(x)

    def see(self, x: Vector) -> None:
        """Update the usual sizes from a point: how steep f is, how large x."""
        self.farthest = max(self.farthest, largest(x))
        top = largest(self.objective.gradient(x))
        if np.isfinite(top):
            self.steepest = max(self.steepest, top)

    @property
    def slope_unit(self) -> float:
        """The size of gradients if they are small, or else 1."""
        return min(self.steepest, 1.0) if self.steepest > 1e-30 else 1.0

    def length(self, x: Vector) -> float:
        """The size of x; 1 if it is smaller, unless all points have been small."""
        unit = min(self.farthest, 1.0) if self.farthest > 1e-30 else 1.0
        return max(unit, largest(x))

    def row_sizes(self, x: Vector) -> tuple[Vector, NDArray[np.bool_]]:
        """The slope of each row; at least so steep that x could reach its limits.

        (At x0 its gradient may vanish, or be the rounding of a difference.) And which of them are
        flatter than that.
        """
        rows = self.rows
        c, J = rows.value(x), rows.jacobian(x)
        squares = J.multiply(J) if hasattr(J, "multiply") else np.square(J)
        steep = np.sqrt(np.asarray(squares.sum(axis=1), float).ravel())
        room = np.minimum(np.abs(c - rows.lower), np.abs(rows.upper - c))
        sizes = np.fmax(steep, room / (1e2 * self.length(x)))
        known = np.isfinite(sizes) & (sizes > 0.0)
        return np.where(known, sizes, 1.0), known & (sizes > steep)

    def sharpen(self) -> None:
        """From now on, use differences that cost twice as much and are more accurate."""
        self.sharp = True
        self.objective.sharpen()
        self.rows.sharpen()

    def violation(self, x: Vector, c: Vector) -> float:
        """The violation in units of x, relative to x; steeper rows count in their own units."""
        v = self.rows.violation(c) / np.minimum(self.sizes, 1.0)
        found = largest(v) / self.length(x)
        return found if np.isfinite(c).all() else np.inf

    def residuals(self, p: Point, g: Vector | None = None) -> Residuals:
        """Without the gradient g of f, which relative tolerances need, the slope as it is."""
        rows, unit = self.rows, self.slope_unit
        size = unit if g is None else max(unit, largest(g))
        end = np.where(p.y > 0, rows.upper, rows.lower)
        room = np.where(p.y == 0.0, 0.0, end - p.c)
        return Residuals(
            self.violation(p.x, p.c),
            self.projected(p.x, p.slope / size),
            largest(np.minimum(np.abs(room), np.abs(p.y) / size)) / self.length(p.x),
            float(np.sum(np.abs(p.y * room))) / max(unit, abs(p.f)),
        )

    def projected(self, x: Vector, slope: Vector) -> float:
        """The largest component of a gradient, projected onto the box, in units of the size of x.

        (In small units of x, a step as long as the gradient would always end at the bounds.)
        """
        size = self.length(x)
        return largest(projected(x, slope * size, self.box)) / size

    def at(self, x: Vector, y: Vector) -> tuple[Point, Vector, Any]:
        """The point there, with the gradient of f and the Jacobian."""
        f, c = self.objective.value(x), self.rows.value(x)
        g, J = self.objective.gradient(x), self.rows.jacobian(x)
        return Point(x, f, c, y, g + J.T @ y), g, J
