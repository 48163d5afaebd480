"""The plot of many starts: which minima were found, how often, and from where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import one_of
from ..problems import Problem
from ._landscape import landscape, objective, paint, spots
from ._style import COLORS, axes, grid, legend

NAMED = 7  # minima
OTHERS = "0.55"
ROUNDING = 1e-9


def multistart(
    result: Any,
    fun: Problem | Callable[[Any], float] | None = None,
    *,
    scale: str = "log",
    ax: Any = None,
) -> Any:
    """Draw the minima that many starts led to, and how often.

    The runs are sorted by their final value: each step is a minimum, and its width the number of
    runs that found it. Runs that did not reach a minimum are crosses. With `fun`, a function of two
    variables, the starts are drawn on its contours, each in the color of its minimum.

    Parameters
    ----------
    result : MultistartResult
        The result of `scipy_gd.multistart`.
    fun : callable or Problem, optional
        The function, ``fun(x) -> float`` with x of shape (2,).
    scale : {"log", "linear"}, default: "log"
        Whether values, minus the lowest, are drawn on a logarithmic axis; the axis of the steps is
        linear below the second minimum.
    ax : matplotlib Axes, optional
        Axes to draw on; also returned. Default: those of a new figure.

    Examples
    --------
    >>> from scipy_gd import multistart, plot
    >>> from scipy_gd.problems import himmelblau
    >>> p = himmelblau()
    >>> res = multistart(p.fun, [(-5, 5), (-5, 5)], jac=p.jac, rng=1)
    >>> ax = plot.multistart(res)
    >>> ax.get_xlabel()
    'runs by value'
    >>> ax = plot.multistart(res, p)
    >>> ax.get_xlabel()
    'x[0]'
    """
    if not (hasattr(result, "minima") and hasattr(result, "runs")):
        raise TypeError(f"`result` must be a result of multistart, got {result!r:.60}")
    one_of("log", "linear")("scale", scale, 0)
    ax = _steps(result, scale, ax) if fun is None else _map(result, fun, scale, ax)
    return legend(ax)


def _kinds(result: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Which runs found which minimum, and how to draw them."""
    found = result.runs.minimum
    dot: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.5}
    kinds = []
    for i, minimum in enumerate(result.minima[:NAMED]):
        label = f"{minimum.fun:.4g}, found {minimum.found} x"
        kinds.append((found == i, dot | {"color": COLORS[i], "label": label}))
    rest = len(result.minima) - NAMED
    if rest > 0:
        kinds.append((found >= NAMED, dot | {"color": OTHERS, "label": f"{rest} more"}))
    cross: dict[str, Any] = {
        "linestyle": "none",
        "marker": "x",
        "color": OTHERS,
        "label": "not at a minimum",
    }
    kinds.append((found < 0, cross))
    return [(which, look) for which, look in kinds if which.any()]


def _steps(result: Any, scale: str, ax: Any) -> Any:
    ax = axes(ax)
    values = result.runs.fun
    place = np.empty(values.size)
    place[np.argsort(values, kind="stable")] = np.arange(1, values.size + 1)
    for which, look in _kinds(result):
        ax.plot(place[which], values[which] - result.fun, **look)
    above = result.minima.fun - result.fun
    above = above[above > ROUNDING * max(1.0, abs(result.fun))]
    if scale == "log" and above.size:
        ax.set_yscale("symlog", linthresh=above[0])
    grid(ax, xlabel="runs by value", ylabel="f above the lowest")
    return ax


def _map(result: Any, fun: Any, scale: str, ax: Any) -> Any:
    if result.x.size != 2:
        raise ValueError(f"`fun` can only be drawn for 2 parameters, got {result.x.size}")
    starts, minima = result.runs.x0, result.minima.x
    seen = np.concatenate([starts, *([minima] if len(minima) else [])])
    low, high = seen.min(axis=0), seen.max(axis=0)
    room = 0.04 * np.where(high > low, high - low, 1.0)
    window = list(zip(low - room, high + room, strict=True))
    land = landscape(objective(fun), window, minima, scale)
    ax = axes(ax)
    paint(ax, land)
    for which, look in _kinds(result):
        ax.plot(*starts[which].T, **look)
    spots(ax, (), minima)
    ax.set(xlabel="x[0]", ylabel="x[1]")
    return ax
