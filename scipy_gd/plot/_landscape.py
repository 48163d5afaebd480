"""Functions of two variables, or of many on a plane, with paths on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import one_of
from ..problems import Problem
from ._style import Looks, array, axes, draw, labelled, legend, pyplot, styles

Array = NDArray[np.float64]
Tracks = Mapping[str, Array]
Window = Sequence[tuple[float, float]]
GRID = 121
STAR = "#F0E442"


class Landscape(NamedTuple):
    """Values on a grid as painted: minus `lowest` if the levels are logarithmic."""

    x: Array
    y: Array
    values: Any
    levels: Any = ()
    norm: Any = None
    lowest: float | None = None

    def height(self, f: Any) -> Any:
        """The height of a value in perspective: logarithmic, but rounded at the bottom."""
        if self.lowest is None:
            return f
        return np.log10(1.0 + np.maximum(np.subtract(f, self.lowest), 0.0) / self.levels[3])


def path(
    histories: Any,
    fun: Problem | Callable[[Array], float],
    *,
    minima: ArrayLike | None = None,
    window: Window | None = None,
    scale: str = "log",
    ax: Any = None,
) -> Any:
    """Draw the paths of runs on the filled contours of a function of two variables.

    For more variables, see `slice`.

    Parameters
    ----------
    histories : History, OptimizeResult, array of shape (k, 2), list or dict of them
        The recorded runs. A dict gives their labels; otherwise they are labeled by method.
    fun : callable or Problem
        The function, ``fun(x) -> float`` with x of shape (2,).
    minima : array_like, shape (2,) or (k, 2), optional
        The minima, marked with stars. Default: those of the `Problem`.
    window : pair of (low, high), optional
        The limits of both axes. Default: around the start, the end and the minima, and the paths
        near them.
    scale : {"log", "linear"}, default: "log"
        Whether the levels of f, minus its minimum, are spaced by a constant factor or a constant
        difference.
    ax : matplotlib Axes, optional
        Axes to draw on; also returned. Default: those of a new figure.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from scipy_gd import adam, lbfgs, plot
    >>> from scipy_gd.problems import rosenbrock
    >>> p = rosenbrock()
    >>> results = [
    ...     minimize(p.fun, p.x0, jac=p.jac, method=m, options={"history": True})
    ...     for m in (adam, lbfgs)
    ... ]
    >>> ax = plot.path(results, p)
    >>> [line.get_label() for line in ax.get_lines()][:2]
    ['adam', 'lbfgs']
    """
    tracks = tracks_of(histories, 2, "; `slice` draws planes through more")
    known = known_minima(fun, minima)
    window = around(tracks.values(), known) if window is None else window
    ax = _map(ax, landscape(objective(fun), window, known, scale), tracks, known)
    ax.set(xlabel="x[0]", ylabel="x[1]")
    return legend(ax)


def slice(
    fun: Problem | Callable[[Array], float],
    points: ArrayLike,
    *,
    parameters: tuple[int, int] | None = None,
    direction: ArrayLike | None = None,
    histories: Any = None,
    window: Window | None = None,
    scale: str = "log",
    ax: Any = None,
) -> Any:
    """Draw a function of many variables on a plane.

    The plane goes through one point along two of the parameters, through two points along a
    direction, or through three points. Histories are projected onto it. Along parameters, the axes
    show their values. Any other plane has orthogonal axes in units of x: one from the first point
    to the second, and one across.

    Parameters
    ----------
    fun : callable or Problem
        The function, ``fun(x) -> float`` with x of shape (n,).
    points : array_like, shape (n,), (2, n) or (3, n)
        One, two or three points in the plane.
    parameters : pair of int, optional
        With one point: the parameters to vary. Default: the first two.
    direction : array_like, shape (n,), optional
        With two points: another direction in the plane.
    histories : History, OptimizeResult, array of shape (k, n), list or dict of them, optional
        Runs to project onto the plane.
    window, scale, ax : optional
        See `path`. Default of `window`: the points and the paths; around a single point x,
        ``x[i] ± (1 + |x[i]|)``.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy_gd import plot
    >>> from scipy_gd.problems import rosenbrock
    >>> p = rosenbrock(10)
    >>> ax = plot.slice(p, p.x0, parameters=(3, 4))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('x[3]', 'x[4]')
    >>> ax = plot.slice(p, [p.x0, np.ones(10), np.zeros(10)])
    >>> ax.get_xlabel()
    'distance along point 0 → point 1'
    """
    given = np.atleast_2d(array("points", points, (None,), (1, None), (2, None), (3, None)))
    if not np.isfinite(given).all():
        raise ValueError(f"`points` must be finite, got {points!r:.60}")
    plane = _plane(given, parameters, direction)
    tracks = {} if histories is None else tracks_of(histories, given.shape[1])
    flat = {label: plane.project(track) for label, track in tracks.items()}
    marks = plane.project(given)
    if window is None and len(given) == 1 and not flat:
        window = [(c - 1 - abs(c), c + 1 + abs(c)) for c in marks[0]]
    full = objective(fun)
    window = around(flat.values(), (), *marks) if window is None else window
    ax = _map(ax, landscape(lambda c: full(plane.lift(c)), window, (), scale), flat)
    label = "point" if len(given) == 1 else "points"
    ax.plot(*marks.T, "+", color="black", markersize=9, markeredgewidth=1.8, label=label)
    if len(given) > 1:
        for k, mark in enumerate(marks):
            ax.annotate(str(k), mark, (5, 5), textcoords="offset points")
    ax.set(xlabel=plane.labels[0], ylabel=plane.labels[1])
    return legend(ax)


class _Plane(NamedTuple):
    """``x = origin + c[0] along[0] + c[1] along[1]``, with orthonormal rows of `along`."""

    origin: Array
    along: Array
    labels: tuple[str, str]

    def project(self, x: Array) -> Array:
        return (x - self.origin) @ self.along.T

    def lift(self, c: Array) -> Array:
        return self.origin + c @ self.along


def _map(ax: Any, land: Landscape, tracks: Tracks, minima: Any = ()) -> Any:
    """The landscape with the paths on it, the end of each marked; returns the axes."""
    ax = axes(ax, (6.4, 4.8))
    paint(ax, land)
    trails(ax, tracks, minima)
    for label, look in styles(list(tracks)).items():
        ax.plot(*tracks[label][-1], **look | {"markersize": 8, "markeredgecolor": "black"})
    return ax


def _plane(points: Array, parameters: Any, direction: Any) -> _Plane:
    count, n = points.shape
    if parameters is not None and count > 1:
        raise ValueError(f"`parameters` must come with one point, got {count}")
    if (direction is not None) != (count == 2):
        raise ValueError(f"`direction` and two points must be given together, got {count}")
    if count == 1:
        chosen = (0, 1) if parameters is None else parameters
        if np.shape(chosen) != (2,) or len({*chosen} & {*range(n)}) != 2:
            raise ValueError(f"`parameters` must be two different indices below {n}, got {chosen}")
        i, j = chosen
        origin = points[0].copy()
        origin[[i, j]] = 0.0
        return _Plane(origin, np.eye(n)[[i, j]], (f"x[{i}]", f"x[{j}]"))
    across, end = (
        (points[2] - points[0], "towards point 2")
        if direction is None
        else (array("direction", direction, (n,)), "along the direction")
    )
    # both at right angles; R is singular if they are parallel or one is zero
    Q, R = np.linalg.qr(np.transpose([points[1] - points[0], across]))
    if not abs(R[1, 1]) > 1e-10 * math.hypot(*R[:, 1]) or R[0, 0] == 0:
        raise ValueError("`points` (and `direction`) must not lie on one line")
    along = (Q * np.sign(np.diag(R))).T
    return _Plane(points[0], along, ("distance along point 0 → point 1", f"distance across, {end}"))


# --- the parts, for all pictures of landscapes


def tracks_of(histories: Any, n: int, hint: str = "") -> dict[str, Array]:
    """The points of each history, shape (k, n)."""
    tracks = {
        label: array("histories", getattr(one, "x", one), (None, None))
        for label, one in labelled(histories).items()
    }
    for label, track in tracks.items():
        if track.shape[1] != n:
            got = f"{track.shape[1]} in {label!r}{hint}"
            raise ValueError(f"`histories` must have {n} parameters, got {got}")
        if not np.isfinite(track).all(axis=1).any():
            raise ValueError(f"`histories` must have finite points, got none in {label!r}")
    return tracks


def objective(fun: Any) -> Callable[[Array], float]:
    """The function of x alone; NaN where it has no value."""
    call, args = (fun.fun, fun.args) if isinstance(fun, Problem) else (fun, ())
    if not callable(call):
        raise TypeError(f"`fun` must be callable or a Problem, got {fun!r}")

    def value(x: Array) -> float:
        try:
            return float(call(np.array(x, dtype=float), *args))
        except (ArithmeticError, ValueError):  # outside the domain
            return math.nan

    return value


def known_minima(fun: Any, given: Any) -> Array:
    """The given minima, or those of the problem, shape (k, 2)."""
    if given is None and isinstance(fun, Problem):
        if fun.n != 2:
            raise ValueError(f"`fun` must have 2 parameters, got {fun.n}")
        given = fun.minima
    if given is None:
        given = ()
    return np.reshape(array("minima", given, (2,), (None, 2), (0,)), (-1, 2))


def around(tracks: Iterable[Array], minima: Any, *others: Array) -> Window:
    """The window around the start, the end and the minima reached, and the paths near them."""
    paths = [track[np.isfinite(track).all(axis=1)] for track in tracks]
    last = [
        min(minima, key=lambda m: math.dist(m, track[-1])) if len(minima) else track[-1]
        for track in paths
    ]
    fixed = np.array([*others, *(track[0] for track in paths), *(last or minima)])
    size = max(1e-3, float(np.max(np.ptp(fixed, axis=0))))
    seen = np.concatenate([fixed, *paths])
    seen = np.clip(seen, fixed.min(axis=0) - 0.6 * size, fixed.max(axis=0) + 0.6 * size)
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    half = 0.58 * np.maximum(high - low, 0.6 * max(size, np.max(high - low)))
    return list(zip((low + high) / 2 - half, (low + high) / 2 + half, strict=True))


def landscape(
    fun: Callable[[Array], float],
    window: Window,
    minima: Any = (),
    scale: str = "log",
    grid: int = GRID,
) -> Landscape:
    """Evaluate on a grid, and choose the levels."""
    one_of("log", "linear")("scale", scale, 0)
    limits = array("window", window, (2, 2))
    if not np.all((limits[:, 0] < limits[:, 1]) & np.isfinite(limits).all(axis=1)):
        raise ValueError(f"`window` must be two pairs (low, high), got {window!r}")
    pyplot()
    from matplotlib.colors import LogNorm, Normalize

    x, y = (np.linspace(low, high, grid) for low, high in limits)
    with np.errstate(all="ignore"):
        values = np.ma.masked_invalid([[fun(np.array([u, v])) for u in x] for v in y])
        known = [f for f in map(fun, minima) if math.isfinite(f)]
    lowest = float(min(known, default=values.min() if values.count() else 0.0))
    top = (values - lowest).max() if values.count() else 0.0
    if not top > 0:  # nothing to see
        return Landscape(x, y, values)
    if scale == "linear":
        levels = np.linspace(values.min(), values.max(), 15)
        return Landscape(x, y, values, levels, Normalize(levels[0], levels[-1]))
    # below the minimum: outside the bounds
    values = np.ma.masked_less(values - lowest, -1e-9 * top)
    bottom = max(np.quantile(values.compressed(), 0.003), 1e-6 * top)
    values, levels = np.ma.maximum(values, bottom / 2), np.geomspace(bottom, top, 13)
    return Landscape(x, y, values, levels, LogNorm(bottom, top), lowest)


def paint(ax: Any, land: Landscape) -> None:
    """Fill between the levels, within the window: darker downhill, but pale beneath the curves."""
    from matplotlib.colors import LinearSegmentedColormap

    ax.set(xlim=land.x[[0, -1]], ylim=land.y[[0, -1]])
    if land.norm is None:
        return
    pale = LinearSegmentedColormap.from_list("pale", ["#9db6d0", "#dbe5ef", "#fbfcfd"])
    what = land.x, land.y, land.values, land.levels
    ax.contourf(*what, cmap=pale, norm=land.norm, extend="both")
    ax.contour(*what, colors="white", linewidths=0.6, linestyles="solid")


def trails(ax: Any, tracks: Tracks, minima: Any = (), looks: Looks | None = None) -> None:
    """Draw the paths with their starts, and the minima."""
    draw(ax, {label: (track[:, 0], track[:, 1]) for label, track in tracks.items()}, looks)
    spots(ax, [track[0] for track in tracks.values()], minima)


def spots(ax: Any, starts: Any, minima: Any) -> None:
    """Mark the starts, each once, and the minima."""
    point = {"linestyle": "none", "markeredgecolor": "black", "zorder": 5}
    if len(starts):
        start = np.unique(starts, axis=0).T
        ax.plot(*start, marker="o", markersize=9, color="white", label="start", **point)
    if len(minima):
        star = {"marker": "*", "markersize": 15, "color": STAR, "label": "minimum"}
        ax.plot(*np.transpose(minima), **star, **point)
