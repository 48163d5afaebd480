"""Derivatives of one or several values by plain differences, for Python and Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._evaluate.differences import difference_column, difference_points
from ..arguments import Vector

Near = tuple[int, Vector, Vector, Vector, Vector]
"""The number of points per component, relative and absolute steps (NaN: the usual ones), lower and
upper bounds."""
STEP = 1e-30
"""The length of complex steps, which are exact however short they are."""


def of_differences(values: Any) -> Any:
    """The Jacobian of ``values(x, *args)``, an array that is c at x."""

    def jacobian(x: Any, c: Any, near: Any, *args: Any) -> Any:
        each, rel_step, abs_step, lower, upper = near
        n = x.size
        h, one_sided, points = np.empty(n), np.empty(n, np.bool_), np.empty((each * n, n))
        difference_points(x, rel_step, abs_step, lower, upper, each, h, one_sided, points)
        J = np.zeros((c.size, n))
        row = 0
        for i in range(n):
            if h[i] != 0.0:
                first = values(points[row], *args)
                second = values(points[row + each - 1], *args) if each > 1 else first
                difference_column(c, first, second, h[i], one_sided[i], each, J[:, i])
                row += each
        return J

    return jacobian


def complex_steps(values: Callable[[Any], Any], x: Vector) -> Vector:
    """The derivatives of a function that takes complex x, shape (..., n)."""
    steps = 1j * STEP * np.eye(x.size)
    return np.stack([np.imag(values(x + step)) / STEP for step in steps], -1)
