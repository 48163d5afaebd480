"""Pictures of comparisons: the paths on the contours, and the error against the evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compare import Comparison, Row
from ._task import SCIPY
from .methods import METHODS

__all__ = ["comparison", "style"]

# Okabe and Ito's colours without the yellow, which white paper swallows, and some of Tol's. The
# lengths of the cycles share no divisor: what looks alike in grey differs in line or marker.
COLORS = (
    ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#332288")
    + ("#E69F00", "#56B4E9", "#882255", "#999933", "#44AA99")
)  # fmt: skip
GREYS = ("0.1", "0.35", "0.55")
LINES = ("-", (0, (7, 1.5)), (0, (7, 1.5, 1.5, 1.5)))
DASHES = ((0, (3, 1.5)), (0, (1, 1.2)), (0, (3, 1.2, 1, 1.2)), (0, (6, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "p")


def style(name: str) -> dict[str, Any]:
    """Return how a method is drawn: always the same colour, line and marker.

    Parameters
    ----------
    name : str
        One of `scipy_gd.METHODS`, in colour, or of SciPy's methods, grey and dashed with hollow
        markers. Any other name is drawn as the method next to join the registry would be.

    Returns
    -------
    dict
        Keyword arguments of `matplotlib.axes.Axes.plot`.

    Examples
    --------
    >>> from scipy_gd.plot import style
    >>> style("gd")["color"], style("BFGS")["color"]
    ('#0072B2', '0.35')
    """
    return _styles([name])[name]


def _styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the style of each name; those in no registry take the places after it, in turn."""
    ours = [*METHODS, *(name for name in names if name not in METHODS and name not in SCIPY)]
    theirs = list(SCIPY)
    return {
        name: _look(theirs.index(name), GREYS, DASHES, "white")
        if name in theirs
        else _look(ours.index(name), COLORS, LINES)
        for name in names
    }


def _look(place: int, colors: Any, lines: Any, face: str | None = None) -> dict[str, Any]:
    color = colors[place % len(colors)]
    return {
        "color": color,
        "linestyle": lines[place % len(lines)],
        "marker": MARKERS[place % len(MARKERS)],
        "markerfacecolor": face or color,
        "markeredgecolor": color,
        "markersize": 4.5,
        "linewidth": 1.4,
    }


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
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "pictures need matplotlib: pip install scipy_gd[plot]", name="matplotlib"
        ) from error

    every = [results] if isinstance(results, Comparison) else list(results)
    if not every:
        raise ValueError("results: at least one comparison needed")
    names = list(dict.fromkeys(row.method for c in every for row in _ran(c)))
    looks = _styles(names)
    flat = next((c for c in every if c.x0.size == 2), None)
    panels = len(every) + (flat is not None)
    legend: dict[str, Any] = {"frameon": False, "handlelength": 3.4}
    if axes is None:
        rows = 1 if panels <= 3 else 2
        columns, lists = math.ceil(panels / rows), math.ceil((len(names) + 2) / (18 * rows))
        wide = 4.6 * columns + lists * (0.8 + 0.08 * max(map(len, [*names, "minimum"])))
        figure = plt.figure(figsize=(wide, 4.0 * rows), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr]
        axes = [figure.add_subplot(rows, columns, i + 1) for i in range(panels)]
        show, legend = figure.legend, legend | {"loc": "outside right upper", "ncols": lists}
    else:
        axes = list(np.ravel(axes))
        if len(axes) != panels:
            raise ValueError(f"axes: {panels} needed, got {len(axes)}")
        figure = axes[0].figure
        show, legend = axes[-1].legend, legend | {"loc": "upper left", "bbox_to_anchor": (1.02, 1)}

    if flat is not None:
        _paths(axes[0], flat, looks)
    for ax, c in zip(axes[-len(every) :], every, strict=True):
        _curves(ax, c, looks)
    drawn = (zip(*ax.get_legend_handles_labels(), strict=True) for ax in reversed(axes))
    entries = {label: handle for handle, label in chain.from_iterable(drawn)}
    show(entries.values(), entries, **legend)
    return figure


def _ran(result: Comparison) -> list[Row]:
    """Return the rows with something to draw."""
    return [row for row in result if row.nfev + row.njev and math.isfinite(row.best[-1])]


def _curves(ax: Any, result: Comparison, looks: dict[str, dict[str, Any]]) -> None:
    """Draw the best value so far, less the smallest known, against the evaluations."""
    known = math.isfinite(result.f_min)
    lowest = result.f_min if known else min((row.best[-1] for row in _ran(result)), default=0.0)
    floor = 1e-16 * max(1.0, abs(lowest))  # what rounding leaves of zero
    for i, row in enumerate(_ran(result)):
        error = np.maximum(row.best - lowest, floor)
        ax.plot(
            row.evaluations,
            error,
            label=row.method,
            markevery=(0.05 + 0.031 * (i % 5), 0.16),  # staggered, evenly spaced to the eye
            **looks[row.method],
        )
    most = max(row.nfev + row.njev for row in result)
    ax.set(xscale="log", yscale="log", xlim=(1, max(10, 1.5 * most)))
    ax.set_xlabel("evaluations of $f$ and $\\nabla f$")
    ax.set_ylabel("best $f$ so far $-$ " + ("min $f$" if known else "smallest $f$ found"))
    ax.set_title(f"{result.name}, n = {result.x0.size}")
    ax.grid(True, color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _paths(ax: Any, result: Comparison, looks: dict[str, dict[str, Any]]) -> None:
    """Draw the iterates of each method on the contours of f."""
    low, high = _window(result)
    _contours(ax, result, np.linspace(low, high, 121).T)
    for i, row in enumerate(_ran(result)):
        marks = (0.03 * (i % 5), 0.12)
        ax.plot(*row.path.T, label=row.method, markevery=marks, **looks[row.method])
    point = {"linestyle": "none", "markeredgecolor": "black", "zorder": 5}
    ax.plot(*result.x0, marker="o", markersize=9, color="white", label="start", **point)
    if result.minima:
        ax.plot(
            *np.transpose(result.minima),
            marker="*", markersize=15, color="#F0E442", label="minimum", **point,
        )  # fmt: skip
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="$x_1$", ylabel="$x_2$")
    ax.set_title(f"{result.name}, n = 2: paths")


def _contours(ax: Any, result: Comparison, grid: NDArray[np.float64]) -> None:
    """Fill between levels of f less its minimum that follow each other by a constant factor."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    values: Any = [[result.fun(np.array([u, v])) for u in grid[0]] for v in grid[1]]
    values = np.ma.masked_invalid(values)
    values -= result.f_min if math.isfinite(result.f_min) else values.min()
    top = values.max()
    if not top > 0:
        return
    values = np.ma.masked_less(values, -1e-9 * top)  # below the minimum: outside the bounds
    bottom = max(np.quantile(values.compressed(), 0.003), 1e-6 * top)
    levels = np.geomspace(bottom, top, 13)
    values = np.ma.maximum(values, bottom / 2)
    pale = LinearSegmentedColormap.from_list("pale", ["#9db6d0", "#dbe5ef", "#fbfcfd"])
    ax.contourf(*grid, values, levels, cmap=pale, norm=LogNorm(), extend="both")
    ax.contour(*grid, values, levels, colors="white", linewidths=0.6)


def _window(result: Comparison) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the picture: start, minima reached, and the paths near them."""
    ends = [min(result.minima or [row.x], key=lambda m: math.dist(m, row.x)) for row in result]
    fixed = np.array([result.x0, *ends])
    size = max(1e-3, float(np.max(np.ptp(fixed, axis=0))))
    seen = np.concatenate([fixed, *(row.path for row in result)])
    seen = np.clip(seen, fixed.min(axis=0) - 0.6 * size, fixed.max(axis=0) + 0.6 * size)
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    half = 0.58 * np.maximum(high - low, 0.6 * max(size, np.max(high - low)))
    return (low + high) / 2 - half, (low + high) / 2 + half
