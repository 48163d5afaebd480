"""The plot of a comparison: paths on contours, and the error against the evaluations."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import chain
from typing import Any

import numpy as np

from ..methods import METHODS
from ._curves import X, descent
from ._landscape import around, landscape, paint, trails
from ._style import FAMILIAR, Looks, pyplot, styles

CROWD = 18
PALE = {"color": "0.85", "linewidth": 0.9, "zorder": 1}


def comparison(results: Any, axes: Any = None) -> Any:
    """Draw one comparison, or several of the same methods side by side.

    Parameters
    ----------
    results : Comparison or sequence of Comparison
        Results of `scipy_gd.compare`. The first one in two variables also provides the plot of the
        paths.
    axes : matplotlib Axes or sequence of them, optional
        Axes to draw on: first the paths, if there is a plot of them, then one panel per comparison.
        Default: a new figure.

    Returns
    -------
    matplotlib Figure
        With more than 18 methods, the less familiar ones are pale, and their paths are left out.

    Examples
    --------
    >>> from scipy_gd import compare
    >>> from scipy_gd.plot import comparison
    >>> from scipy_gd.problems import rosenbrock
    >>> methods = ["gd", "adam", "BFGS"]
    >>> results = [compare(rosenbrock(n), methods=methods, maxfev=500) for n in (2, 10)]
    >>> [ax.get_title() for ax in comparison(results).axes]
    ['rosenbrock, n = 2: paths', 'rosenbrock, n = 2', 'rosenbrock, n = 10']
    """
    every = [results] if hasattr(results, "rows") else list(results)
    if not every:
        raise ValueError("`results` must contain at least one comparison, got none")
    names = list(dict.fromkeys(row.method for one in every for row in _ran(one)))
    unfamiliar = [name for name in names if name in METHODS and name not in FAMILIAR[:10]]
    behind = unfamiliar if len(names) > CROWD else []
    others = f"{len(behind)} others"
    looks = styles(names) | dict.fromkeys(behind, PALE)
    flat = next((one for one in every if one.x0.size == 2), None)
    labels = [name for name in names if name not in behind] + [others] * bool(behind)
    axes, show, options = _panels(axes, len(every) + (flat is not None), labels)

    if flat is not None:
        _paths(axes[0], flat, looks, behind)
    for ax, one in zip(axes[-len(every) :], every, strict=True):
        _curves(ax, one, looks)
        for line in ax.get_lines():
            if line.get_label() in behind:
                line.set_label(others)
    drawn = (zip(*ax.get_legend_handles_labels(), strict=True) for ax in reversed(axes))
    entries = {label: handle for handle, label in chain.from_iterable(drawn)}
    if behind:
        entries[others] = entries.pop(others)
    show(entries.values(), entries, frameon=False, handlelength=3.4, **options)
    return axes[0].figure


def _panels(axes: Any, count: int, labels: list[str]) -> tuple[list[Any], Any, dict[str, Any]]:
    """The given axes, or those of a new figure; where the legend goes, and how."""
    plt = pyplot()
    if axes is not None:
        axes = list(np.ravel(axes))
        if len(axes) != count:
            raise ValueError(f"`axes` must contain {count} axes, got {len(axes)}")
        return axes, axes[-1].legend, {"loc": "upper left", "bbox_to_anchor": (1.02, 1)}
    rows = 1 if count <= 3 else 2
    columns, lists = math.ceil(count / rows), math.ceil((len(labels) + 2) / (18 * rows))
    wide = 4.6 * columns + lists * (0.8 + 0.08 * max(map(len, [*labels, "minimum"])))
    figure = plt.figure(figsize=(wide, 4.0 * rows), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
    return axes, figure.legend, {"loc": "outside right upper", "ncols": lists}


def _ran(result: Any) -> list[Any]:
    """The rows with something to draw."""
    return [row for row in result if row.nfev + row.njev and math.isfinite(row.best[-1])]


def _curves(ax: Any, result: Any, looks: Looks) -> None:
    curves = {row.method: (row.evaluations, row.best) for row in _ran(result)}
    minimum = result.f_min if math.isfinite(result.f_min) else None
    descent(ax, curves, minimum, looks, "best $f$ so far")
    most = max(row.nfev + row.njev for row in result)
    ax.set(xscale="log", xlim=(1, max(10, 1.5 * most)), xlabel=X["evaluations"])
    ax.set_title(f"{result.name}, n = {result.x0.size}")


def _paths(ax: Any, result: Any, looks: Looks, behind: Collection[str]) -> None:
    tracks = {row.method: row.path for row in _ran(result) if row.method not in behind}
    minima = np.array(result.minima)
    window = around(tracks.values(), minima, result.x0)
    paint(ax, landscape(result.fun, window, minima))
    trails(ax, tracks, minima, looks)
    ax.set(xlabel="x[0]", ylabel="x[1]", title=f"{result.name}, n = 2: paths")
