"""The picture of a comparison: the paths on the contours, the error against the evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from .._compare import Comparison, Row
from ..methods import METHODS
from ._curves import X, descent
from ._landscape import around, landscape, paint, trails
from ._style import FAMILIAR, Looks, pyplot, styles

CROWD = 16
PALE = {"color": "0.85", "linewidth": 0.9, "zorder": 1}


def comparison(results: Comparison | Sequence[Comparison], axes: Any = None) -> Any:
    """Draw one comparison, or several of the same methods side by side.

    Parameters
    ----------
    results : Comparison or sequence of Comparison
        What `scipy_gd.compare` returned. The first one in two variables also gives the picture
        of the paths.
    axes : matplotlib Axes or sequence of them, optional
        Where to draw: first the paths, if there is a picture of them, then one panel for each
        comparison. Default: a new figure.

    Returns
    -------
    matplotlib Figure
        In a crowd of more than 16 the less familiar methods are pale, and their paths left out.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there is nothing to draw, or the number of axes is not that of the panels.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from scipy_gd import compare
    >>> from scipy_gd.plot import comparison
    >>> from scipy_gd.problems import rosenbrock
    >>> methods = ["gd", "adam", "BFGS"]
    >>> results = [compare(rosenbrock(n), methods=methods, maxfev=500) for n in (2, 10)]
    >>> [ax.get_title() for ax in comparison(results).axes]
    ['rosenbrock, n = 2: paths', 'rosenbrock, n = 2', 'rosenbrock, n = 10']
    """
    plt = pyplot()
    every = [results] if isinstance(results, Comparison) else list(results)
    if not every:
        raise ValueError("results: at least one comparison needed")
    names = list(dict.fromkeys(row.method for c in every for row in _ran(c)))
    looks = styles(names)
    behind = [name for name in names if name in METHODS and name not in FAMILIAR[:10]]
    behind = behind if len(names) > CROWD else []
    others = f"{len(behind)} others"
    looks |= dict.fromkeys(behind, PALE)
    names = [name for name in names if name not in behind] + [others] * bool(behind)
    flat = next((c for c in every if c.x0.size == 2), None)
    panels = len(every) + (flat is not None)
    legend: dict[str, Any] = {"frameon": False, "handlelength": 3.4}
    if axes is None:
        rows = 1 if panels <= 3 else 2
        columns, lists = math.ceil(panels / rows), math.ceil((len(names) + 2) / (18 * rows))
        wide = 4.6 * columns + lists * (0.8 + 0.08 * max(map(len, [*names, "minimum"])))
        figure = plt.figure(figsize=(wide, 4.0 * rows), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
        axes = [figure.add_subplot(rows, columns, i + 1) for i in range(panels)]
        show, legend = figure.legend, legend | {"loc": "outside right upper", "ncols": lists}
    else:
        axes = list(np.ravel(axes))
        if len(axes) != panels:
            raise ValueError(f"axes: {panels} needed, got {len(axes)}")
        figure = axes[0].figure
        show, legend = axes[-1].legend, legend | {"loc": "upper left", "bbox_to_anchor": (1.02, 1)}

    if flat is not None:
        _paths(axes[0], flat, looks, behind)
    for ax, c in zip(axes[-len(every) :], every, strict=True):
        _curves(ax, c, looks)
        for line in ax.get_lines():
            if line.get_label() in behind:
                line.set_label(others)
    drawn = (zip(*ax.get_legend_handles_labels(), strict=True) for ax in reversed(axes))
    entries = {label: handle for handle, label in chain.from_iterable(drawn)}
    if behind:
        entries[others] = entries.pop(others)
    show(entries.values(), entries, **legend)
    return figure


def _ran(result: Comparison) -> list[Row]:
    """The rows with something to draw."""
    return [row for row in result if row.nfev + row.njev and math.isfinite(row.best[-1])]


def _curves(ax: Any, result: Comparison, looks: Looks) -> None:
    curves = {row.method: (row.evaluations, row.best) for row in _ran(result)}
    minimum = result.f_min if math.isfinite(result.f_min) else None
    descent(ax, curves, minimum, looks, "best $f$ so far")
    most = max(row.nfev + row.njev for row in result)
    ax.set(xscale="log", xlim=(1, max(10, 1.5 * most)), xlabel=X["evaluations"])
    ax.set_title(f"{result.name}, n = {result.x0.size}")


def _paths(ax: Any, result: Comparison, looks: Looks, behind: Sequence[str]) -> None:
    tracks = {row.method: row.path for row in _ran(result) if row.method not in behind}
    minima = np.array(result.minima)
    window = around(tracks.values(), minima, result.x0)
    paint(ax, landscape(result.fun, window, minima))
    trails(ax, tracks, minima, looks)
    ax.set(xlabel="x[0]", ylabel="x[1]", title=f"{result.name}, n = 2: paths")
