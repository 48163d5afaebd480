"""Shared by all plots: matplotlib, the style of a method, labels, axes and legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ..history import History
from ..methods import METHODS
from ..solvers import SCIPY

# The most used methods come first, each with a colour of its own; the others follow in the order of
# the registry.
FAMILIAR = (
    ("gd", "momentum", "nesterov", "adam", "rmsprop", "lbfgs", "adagrad")
    + ("adamw", "newton", "cg_descent", "sgd", "spg")
)  # fmt: skip
# Okabe and Ito's colours without the yellow, which white paper swallows, and others of that kind.
# The lengths of the cycles share no divisor: what looks alike in grey differs in line or marker.
COLORS = (
    ("#0072B2", "#D55E00", "#009E73", "#882255", "#E69F00", "#332288", "#56B4E9")
    + ("#CC79A7", "#D81B60", "#999933", "#1B5E20", "#6A3D9A", "#AA4499")
)  # fmt: skip
GREYS = ("0.1", "0.35", "0.55")
LINES = ("-", (0, (7, 1.5)), (0, (7, 1.5, 1.5, 1.5)))
DASHES = ((0, (3, 1.5)), (0, (1, 1.2)), (0, (3, 1.2, 1, 1.2)), (0, (6, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "p", "h", "8", "d")

Looks = Mapping[str, dict[str, Any]]


def style(name: str) -> dict[str, Any]:
    """Return the style of a method: always the same color, line and marker.

    Parameters
    ----------
    name : str
        One of `scipy_gd.METHODS`, in color, or one of SciPy's methods, gray and dashed with hollow
        markers. Any other name gets the style of the next method to join the registry.

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
    return styles([name])[name]


def styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The style of each name; unregistered names take the next free styles, in turn."""
    theirs = list(SCIPY)
    ours = list(dict.fromkeys([*FAMILIAR, *METHODS, *(n for n in names if n not in SCIPY)]))
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


def pyplot() -> Any:
    """`matplotlib.pyplot`, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "`scipy_gd.plot` needs matplotlib: pip install matplotlib", name="matplotlib"
        ) from error
    return plt


def axes(ax: Any, size: tuple[float, float] = (6.4, 4.2)) -> Any:
    """The given axes, or those of a new figure."""
    plt = pyplot()
    return plt.subplots(layout="constrained", figsize=size)[1] if ax is None else ax


def labelled(given: Any) -> dict[str, Any]:
    """Histories (or arrays of points) by label, from one or several histories or results."""
    if isinstance(given, Mapping) and not isinstance(given, OptimizeResult):
        entries = list(given.items())
    else:
        entries = [("", one) for one in (given if isinstance(given, list | tuple) else [given])]
    found: dict[str, Any] = {}
    for k, (label, one) in enumerate(entries):
        if isinstance(one, OptimizeResult):
            if "history" not in one:
                raise ValueError(
                    "`histories` must have been recorded: use options={'history': True}"
                )
            one = one.history
        label = label or getattr(one, "label", "") or f"run {k}"
        if label in found:
            raise ValueError(
                f"`histories` must have different labels, got {label!r} twice: pass a dict"
            )
        if isinstance(one, History) and not len(one):
            raise ValueError(f"`histories` must not be empty, got {label!r} with no points")
        found[label] = one
    if not found:
        raise ValueError("`histories` must contain at least one history, got none")
    return found


def draw(
    ax: Any, curves: Mapping[str, tuple[Any, Any]], looks: Looks | None = None, **options: Any
) -> None:
    """Draw curves by label, with staggered markers that look evenly spaced."""
    looks = styles(list(curves)) if looks is None else looks
    for k, (label, curve) in enumerate(curves.items()):
        marks = (0.03 * (k % 5), 0.13) if np.isfinite(curve[1]).any() else None
        ax.plot(*curve, label=label, **{"markevery": marks} | looks[label] | options)


def grid(ax: Any, **properties: Any) -> None:
    """The background of a diagram: a pale grid, no box."""
    ax.grid(True, color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(**properties)


def legend(ax: Any) -> Any:
    """A legend beside axes that are alone in their figure, or else inside."""
    labels = ax.get_legend_handles_labels()[1]
    if len(labels) < 2:
        return ax
    alone = ax.figure.axes == [ax] and ax.figure.get_layout_engine() is not None
    alone &= max(map(len, labels)) <= 24
    beside = {"loc": "upper left", "bbox_to_anchor": (1.02, 1), "frameon": False}
    within = {"loc": "best", "fontsize": "small", "framealpha": 0.8}
    if len(labels) > 8:  # a crowd would hide what it explains
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18), "ncols": 3}
        within = below | {"fontsize": "x-small", "frameon": False}
    ax.legend(handlelength=3.4, **beside if alone else within)
    return ax


def array(name: str, given: Any, *shapes: tuple[int | None, ...]) -> Any:
    """As an array of numbers of one of these shapes (None: any length)."""
    try:
        a = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        a = None
    fits = a is not None and any(
        a.ndim == len(shape) and all(k in (None, n) for k, n in zip(shape, a.shape, strict=True))
        for shape in shapes
    )
    if not fits:
        wanted = " or ".join(str(shape).replace("None", "any") for shape in shapes)
        got = repr(given)[:60] if a is None else f"shape {a.shape}"
        raise ValueError(f"`{name}` must be numbers of shape {wanted}, got {got}")
    return a
