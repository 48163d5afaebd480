"""The plot of an uncertainty: a corner plot of ellipses and profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import count
from ._style import COLORS, grid, pyplot

MOST = 6  # parameters, unless some are named
CIRCLE = np.array([f(np.linspace(0, 2 * np.pi, 121)) for f in (np.cos, np.sin)])
SIGMAS = {1: "-", 2: "--"}
PARABOLA = "0.4"
LINE = {"color": COLORS[0], "linewidth": 1.4}


def uncertainty(
    fit: Any,
    *,
    parameters: str | int | Sequence[str | int] | None = None,
    points: int = 9,
    axes: Any = None,
) -> Any:
    """Draw the errors of parameters and their correlations, pair by pair.

    The diagonal shows the profile likelihood (the rise in `fun` when one parameter moves and the
    others follow) next to the parabola implied by the standard error. If they differ, use the
    intervals of `Uncertainty.profile`. Below the diagonal are the ellipses whose extents along the
    axes are one and two standard errors.

    Parameters
    ----------
    fit : Uncertainty
        The result of `scipy_gd.uncertainty`.
    parameters : str, int, or sequence of them, optional
        Names or indices. Default: the first six that are not held and have finite errors.
    points : int, default: 9
        Number of points per profile, each of which takes a minimization. 0: only the parabola.
    axes : array of matplotlib Axes, shape (k, k), optional
        Axes to draw k parameters on. Default: a new figure.

    Returns
    -------
    matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from scipy_gd import plot, uncertainty
    >>> t, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.1, 2.9, 5.1, 6.9])
    >>> line = lambda p: (p[0] + p[1] * t - y) / 0.1
    >>> fit = uncertainty(line, [1.06, 1.96], kind="chi2", parameter_names=["a", "b"])
    >>> figure = plot.uncertainty(fit)
    >>> figure.axes[-1].get_xlabel()
    'b'
    """
    if not hasattr(fit, "profile_curve"):
        raise TypeError(f"`fit` must be an Uncertainty, got {fit!r:.60}")
    points = count(0)("points", points, 0)
    which = fit.indices(parameters)
    drawable = (fit.stderr > 0) & np.isfinite(fit.stderr)
    if parameters is None:
        which = [i for i in which if drawable[i]][:MOST]
    if not which or not drawable[which].all():
        raise ValueError("`parameters` must have finite, nonzero errors")
    axes = _panels(axes, len(which))
    for row, i in enumerate(which):
        for column, j in enumerate(which):
            ax = axes[row, column]
            if column > row:
                ax.set_axis_off()
            elif column == row:
                _profile(ax, fit, i, points)
            else:
                _ellipses(ax, fit, j, i)
            if row == len(which) - 1:
                ax.set_xlabel(fit.parameter_names[j])
            if column == 0 < row:
                ax.set_ylabel(fit.parameter_names[i])
    axes[0, 0].legend(fontsize="small", framealpha=0.8)
    return axes[0, 0].figure


def _panels(axes: Any, k: int) -> Any:
    plt = pyplot()
    if axes is None:
        size = 1.2 + 2.1 * k
        figure = plt.figure(figsize=(max(size, 4.0), max(size, 3.4)), layout="constrained")
        return figure.subplots(k, k, squeeze=False, sharex="col")
    axes = np.array(axes, dtype=object)
    if axes.size != k * k:
        raise ValueError(f"`axes` must contain {k} x {k} axes, got {axes.size}")
    return axes.reshape(k, k)


def _profile(ax: Any, fit: Any, i: int, points: int) -> None:
    middle, error = fit.x[i], fit.stderr[i]
    reach = np.linspace(-2.5, 2.5, 101)
    ax.plot(middle + reach * error, reach**2, color=PARABOLA, linewidth=1, label="parabola")
    if points:
        values = middle + error * np.linspace(-2.5, 2.5, points)
        heights = fit.profile_curve(i, values)
        values, heights = values[np.isfinite(heights)], heights[np.isfinite(heights)]
        between = np.linspace(values[0], values[-1], 101)
        # between the points the root is straight, as that of the parabola is
        root = np.copysign(np.sqrt(np.maximum(heights, 0)), values - middle)
        ax.plot(between, np.interp(between, values, root) ** 2, label="profile", **LINE)
        ax.plot(values, heights, "o", markersize=3, color=COLORS[0])
    for level in SIGMAS:
        ax.axhline(level**2, color=PARABOLA, linewidth=0.8, linestyle=":")
    grid(ax, ylim=(0, 6.5), ylabel="rise / up")


def _ellipses(ax: Any, fit: Any, i: int, j: int) -> None:
    """Those that ``covariance[[i, j]][:, [i, j]]`` turns a circle into."""
    r = fit.correlation[i, j]
    turned = np.array([CIRCLE[0], r * CIRCLE[0] + np.sqrt(1 - r**2) * CIRCLE[1]])
    for sigmas, line in SIGMAS.items():
        x, y = (
            fit.x[k] + sigmas * fit.stderr[k] * side for k, side in zip((i, j), turned, strict=True)
        )
        ax.plot(x, y, linestyle=line, **LINE)
    ax.plot(fit.x[i], fit.x[j], "+", color="black", markersize=7)
    grid(ax)
