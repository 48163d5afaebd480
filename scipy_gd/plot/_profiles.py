"""Profiles: how many problems each solver solves at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._style import array, axes, draw, grid, legend

Array = NDArray[Any]
Costs = Mapping[str, ArrayLike]


def performance_profile(
    costs: Any,
    *,
    reference: Sequence[str] | None = None,
    limit: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw the fraction of problems that a solver solves within a multiple of the best cost.

    Parameters
    ----------
    costs : dict from solver to array of shape (problems,), or pandas.DataFrame
        The cost of each problem for each solver, such as evaluations or seconds, above 0; inf or
        NaN if it is not solved.
    reference : sequence of str, optional
        The solvers that define the best cost. Default: all.
    limit : float, optional
        The largest multiple to show. Default: the largest in the data.
    ax : matplotlib Axes, optional
        Axes to draw on; also returned. Default: those of a new figure.

    References
    ----------
    E. D. Dolan, J. J. Moré, "Benchmarking optimization software with performance profiles",
    Mathematical Programming 91 (2002), 201-213, eq. (2.1).

    Examples
    --------
    >>> from scipy_gd import plot
    >>> ax = plot.performance_profile({"lbfgs": [10, 20, 30], "BFGS": [20, 10, float("inf")]})
    >>> [line.get_ydata()[-1].round(2).item() for line in ax.get_lines()]
    [1.0, 0.67]
    """
    table = _table(costs)
    limit = _limit(limit, 1.0)
    if unknown := [name for name in reference or () if name not in table]:
        raise ValueError(f"`reference` must be solvers in `costs`, got {', '.join(unknown)}")
    best = np.min([table[name] for name in reference or table], axis=0)
    # what no reference solves, nobody solves within a multiple
    with np.errstate(invalid="ignore"):
        ratios = {name: np.where(best < np.inf, c / best, np.inf) for name, c in table.items()}
    least = min(1.0, *(r.min() for r in ratios.values()))
    return _staircases(ax, ratios, least, limit, "within this multiple of the best solver's cost")


def data_profile(
    costs: Any, *, sizes: ArrayLike | None = None, limit: float | None = None, ax: Any = None
) -> Any:
    """Draw the fraction of problems that a solver solves within a given cost.

    Parameters
    ----------
    costs, ax
        As for `performance_profile`.
    sizes : array_like, shape (problems,), optional
        The number of parameters n of each problem: the cost is divided by n + 1, so it counts
        difference gradients (simplex gradients, in the paper). Default: costs are not divided.
    limit : float, optional
        The largest cost to show. Default: the largest in the data.

    References
    ----------
    J. J. Moré, S. M. Wild, "Benchmarking derivative-free optimization algorithms", SIAM Journal
    on Optimization 20 (2009), 172-191, eq. (2.8).

    Examples
    --------
    >>> from scipy_gd import plot
    >>> ax = plot.data_profile({"lbfgs": [30, 50], "BFGS": [40, 80]}, sizes=[2, 4])
    >>> ax.get_lines()[0].get_xdata()
    array([10., 10., 10., 16.])
    """
    table = _table(costs)
    limit = _limit(limit, 0.0)
    if sizes is not None:
        n = array("sizes", sizes, next(iter(table.values())).shape)
        if not np.all(n > 0):
            raise ValueError(f"`sizes` must be above 0, got {np.min(n)}")
        table = {name: c / (n + 1) for name, c in table.items()}
    least = min(c.min() for c in table.values())
    label = "within this cost" + " / (n + 1)" * (sizes is not None)
    return _staircases(ax, table, least, limit, label)


def _limit(limit: Any, least: float) -> float | None:
    """The largest cost to show, if given."""
    if limit is None:
        return None
    value = float(array("limit", limit, ()))
    if not least < value < np.inf:
        raise ValueError(f"`limit` must be above {least:g}, got {limit}")
    return value


def _table(costs: Any) -> dict[str, Array]:
    if not hasattr(costs, "items"):
        raise TypeError(f"`costs` must be a dict {{solver: array}}, got {costs!r:.60}")
    table: dict[str, Array] = {}
    for name, given in costs.items():
        shape = next(iter(table.values())).shape if table else (None,)
        cost = array("costs", given, shape)
        if np.any(cost <= 0):
            raise ValueError(f"`costs` must be above 0, got {np.min(cost)} for {name!r}")
        table[str(name)] = np.where(np.isnan(cost), np.inf, cost)
    if not table or not next(iter(table.values())).size:
        raise ValueError("`costs` must contain at least one solver and one problem")
    return table


def _staircases(
    ax: Any, costs: dict[str, Array], start: float, limit: float | None, label: str
) -> Any:
    """Draw the fraction of costs that are at most x."""
    ax = axes(ax)
    finite = np.concatenate([c[np.isfinite(c)] for c in costs.values()])
    end = limit or max(finite, default=1.0)
    start = min(start, end)
    curves = {}
    for name, cost in costs.items():
        below = np.sort(cost[cost <= end])
        share = np.arange(below.size + 1) / cost.size
        curves[name] = np.array([start, *below, end]), np.array([*share, share[-1]])
    draw(ax, curves, drawstyle="steps-post")
    grid(ax, xscale="log", xlim=(start, end), ylim=(0, 1.02))
    ax.set(xlabel=label, ylabel="fraction of problems solved")
    return legend(ax)
