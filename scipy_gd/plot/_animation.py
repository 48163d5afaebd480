"""Methods racing on a landscape, seen from above or in perspective."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult

from ..arguments import count, one_of
from ..history import History
from ..problems import Problem
from ..solvers import as_solvers
from ..task import Task
from ._landscape import (
    GRID,
    STAR,
    Landscape,
    Window,
    around,
    known_minima,
    landscape,
    objective,
    paint,
    spots,
    tracks_of,
)
from ._style import labelled, pyplot, styles

Array = NDArray[Any]
FORMATS = (".gif", ".html", ".mp4")


def animate(
    runs: Any,
    fun: Problem | Callable[[Array], float],
    x0: ArrayLike | None = None,
    *,
    path: str | PathLike[str] | None = None,
    view: str = "2d",
    clock: str = "nit",
    jac: Any = None,
    maxiter: int = 200,
    options: Mapping[str, Any] | None = None,
    minima: ArrayLike | None = None,
    window: Window | None = None,
    scale: str = "log",
    frames: int = 40,
    fps: int = 8,
    title: str = "",
) -> Any:
    """Animate a race of several methods on a function of two variables.

    Parameters
    ----------
    runs : list or dict
        Methods to run from `x0`, named as for `scipy_gd.compare`; or recorded runs, as for `path`.
    fun : callable or Problem
        The function, ``fun(x) -> float`` with x of shape (2,).
    x0 : array_like, shape (2,), optional
        The starting point of the methods. Default: that of the `Problem`.
    path : str or path-like, optional
        The file to write: .gif, .html (a self-contained page with buttons) or .mp4 (a RuntimeError
        without ffmpeg).
    view : {"2d", "3d"}, default: "2d"
        Contours or a surface.
    clock : {"nit", "evaluations"}, default: "nit"
        What all runs share in a frame: the number of iterations, or of evaluations of f and its
        gradient.
    jac : callable or True, optional
        The gradient, for the methods. Default: that of the `Problem`, or finite differences.
    maxiter : int, default: 200
        Maximum number of iterations of the methods.
    options : dict, optional
        Options for all methods; those given with a method take precedence.
    minima, window, scale : optional
        See `path`.
    frames : int, default: 40
        Maximum number of frames. The time between them grows, since a race is decided early on.
    fps : int, default: 8
        Frames per second. A GIF shows the last one for a second.
    title : str, optional
        Title of the figure. Default: the name of the `Problem`.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        In a notebook, display it with ``IPython.display.HTML(animation.to_jshtml())``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from scipy_gd import plot
    >>> from scipy_gd.problems import himmelblau
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     race = Path(folder, "race.gif")
    ...     animation = plot.animate(["gd", "adam"], himmelblau(), path=race, frames=3)
    ...     race.stat().st_size < 1_000_000
    True
    """
    one_of("2d", "3d")("view", view, 0)
    one_of("nit", "evaluations")("clock", clock, 0)
    frames = count(2)("frames", frames, 0)
    fps, maxiter = (count(1)(n, v, 0) for n, v in (("fps", fps), ("maxiter", maxiter)))
    plt = pyplot()
    target = None if path is None else _target(path)
    value, known = objective(fun), known_minima(fun, minima)
    if _are_methods(runs):
        runs = _race(Task.of(fun, x0, jac=jac), runs, {"maxiter": maxiter}, options or {})
    tracks = tracks_of(runs, 2)
    window = around(tracks.values(), known) if window is None else window
    land = landscape(value, window, known, scale)
    figure = plt.figure(figsize=(6.2, 4.4), dpi=100, layout="constrained")
    ax, place = (_from_above if view == "2d" else _in_perspective)(figure, land, value)
    spots(ax, place(np.array([track[0] for track in tracks.values()])), place(known))
    between = 1 if view == "2d" else 10  # points of a step, which is not straight on a surface
    looks, histories = styles(list(tracks)), labelled(runs)
    racers = [
        _Racer(ax, label, looks[label], place(_dense(track, between)), between, times)
        for label, track in tracks.items()
        for times in [_times(label, histories[label], clock, len(track))]
    ]
    figure.legend(loc="outside right upper", frameon=False)
    heading = f"{title or getattr(fun, 'name', '')}: ".removeprefix(": ")
    heading += "iteration" if clock == "nit" else "evaluation"

    def show(moment: int) -> list[Any]:
        ax.set_title(f"{heading} {moment}")
        return [artist for racer in racers for artist in racer.move(moment)]

    from matplotlib.animation import FuncAnimation

    most = int(max(racer.times[-1] for racer in racers))
    later = np.geomspace(1, max(1, most), frames - 1).round().astype(int)
    moments = [0, *np.unique(later).tolist()]
    _freeze(figure, ax, show(most))
    animation = FuncAnimation(figure, show, moments, interval=1000 / fps)
    if target is not None:
        _save(animation, target, fps, [racer.trail.get_color() for racer in racers])
        plt.close(figure)
    return animation


class _Racer:
    """A run in progress: its trail so far, and a head at its end."""

    def __init__(
        self, ax: Any, label: str, look: dict[str, Any], way: Array, between: int, times: Array
    ) -> None:
        self.way, self.between, self.times = way, between, times
        start = [[c] for c in way[0]]
        (self.trail,) = ax.plot(*start, zorder=4, **look | {"marker": "", "linewidth": 1.8})
        head = {"markersize": 9, "markeredgecolor": "black", "linestyle": "none", "zorder": 6}
        (self.head,) = ax.plot(*start, label=label, **look | head)

    def move(self, moment: int) -> tuple[Any, Any]:
        """Move to where the run was at that moment; returns the artists that moved."""
        last = int(np.searchsorted(self.times, moment, side="right")) - 1
        gone = self.way[: self.between * max(last, 0) + 1].T
        for artist, part in ((self.trail, gone), (self.head, gone[:, -1:])):
            getattr(artist, "set_data_3d", artist.set_data)(*part)
        return self.trail, self.head


def _are_methods(runs: Any) -> bool:
    named = isinstance(runs, Mapping) and not isinstance(runs, OptimizeResult)
    every = runs.values() if named else runs if isinstance(runs, list | tuple) else [runs]
    kinds = (isinstance(one, str | tuple) or callable(one) for one in every)
    return all(kinds) and not any(isinstance(one, History) for one in every)


def _race(
    task: Task, methods: Any, limits: dict[str, Any], options: Mapping[str, Any]
) -> dict[str, History]:
    """Run each method from the same start."""
    found = {}
    for solver in as_solvers(methods):
        history = found[solver.label] = History()
        history(OptimizeResult(x=task.x0, nit=0, nfev=1, njev=1))  # SciPy's solvers do not tell it
        with np.errstate(all="ignore"), warnings.catch_warnings():
            # a method may run away, and need not use all it is given
            warnings.simplefilter("ignore", RuntimeWarning)
            task.minimize(solver.with_options(limits, options), callback=history)
    return found


def _times(label: str, run: Any, clock: str, count: int) -> Array:
    """The time of each point."""
    if not isinstance(run, History):
        return np.arange(count)
    times = run.nit if clock == "nit" else run.nfev + run.njev
    if np.isnan(times).any():
        raise ValueError(f"`runs` must record {clock!r}, which the history of {label!r} does not")
    return times


def _from_above(figure: Any, land: Landscape, value: Any) -> tuple[Any, Callable[[Array], Array]]:
    """Axes with the landscape, and where to draw a track on it."""
    ax = figure.add_subplot(xlabel="x[0]", ylabel="x[1]")
    paint(ax, land)
    return ax, lambda track: track


def _in_perspective(
    figure: Any, land: Landscape, value: Callable[[Array], float]
) -> tuple[Any, Callable[[Array], Array]]:
    """The same for a surface: a track has a height."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MaxNLocator

    ax = figure.add_subplot(projection="3d", computed_zorder=False, xlabel="x[0]", ylabel="x[1]")
    ax.grid(False)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    x, y = np.meshgrid(land.x, land.y)
    heights = land.height(land.values + (land.lowest or 0.0))
    blues = ListedColormap(colormaps["Blues_r"](np.linspace(0.3, 1.0, 256)))  # trails are darker
    ax.plot_surface(x, y, heights.filled(np.nan), rcount=GRID, ccount=GRID, cmap=blues)
    ax.set_zlabel("$f$")
    if land.lowest is not None:
        decades = 10.0 ** np.arange(-12, 300)
        places = land.height(decades + land.lowest)
        apart = (0.1 * heights.max() < places) & (places < heights.max())
        ax.set_zticks(places[apart], [f"{f:g}" for f in decades[apart]])
        ax.set_zlabel("$f -$ min $f$")
    low, high = np.transpose([land.x[[0, -1]], land.y[[0, -1]]])

    def place(track: Array) -> Array:
        inside = np.all((low <= track) & (track <= high), axis=1)
        z = [
            land.height(value(x)) if there else np.nan
            for x, there in zip(track, inside, strict=True)
        ]
        return np.column_stack([np.where(inside[:, None], track, np.nan), z])

    return ax, place


def _dense(track: Array, between: int) -> Array:
    """The track with extra points, `between` per step."""
    k = np.arange(len(track))
    steps = np.linspace(0, k[-1], between * k[-1] + 1)
    return np.column_stack([np.interp(steps, k, column) for column in track.T])


def _freeze(figure: Any, ax: Any, moving: list[Any]) -> None:
    """Turn everything that does not move into an image, drawn once instead of in every frame."""
    from PIL import Image

    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    ax.set_title("")
    for artist in moving:
        artist.set_visible(False)
    with io.BytesIO() as file:
        figure.savefig(file, dpi=figure.dpi)
        still = Image.open(file).convert("RGB")
    for artist in moving:
        artist.set_visible(True)
    ax.set(**{f"{name}lim": getattr(ax, f"get_{name}lim")() for name in ax._axis_names})
    for artist in (*ax.collections, *ax.lines, *figure.legends):
        if artist not in moving:
            artist.remove()
    ax.set_axis_off()
    ax.patch.set_visible(False)
    behind = figure.add_axes((0, 0, 1, 1), zorder=-1)
    behind.imshow(still, aspect="auto", interpolation="nearest")
    behind.set_axis_off()


def _target(path: str | PathLike[str]) -> Path:
    """The path to write to, if it is writable."""
    target = Path(path)
    ending = target.suffix.lower()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"`path` must be in an existing folder, got {str(path)!r}")
    if ending not in FORMATS:
        raise ValueError(f"`path` must end in {', '.join(FORMATS)}, got {str(path)!r}")
    if ending == ".mp4":
        from matplotlib.animation import writers

        if not writers.is_available("ffmpeg"):
            raise RuntimeError(".mp4 needs the ffmpeg program; .gif and .html do not")
    return target


def _save(animation: Any, target: Path, fps: int, colors: list[str]) -> None:
    if target.suffix.lower() == ".html":
        import matplotlib as mpl

        with mpl.rc_context({"animation.frame_format": "jpeg"}):  # a third of PNG's size
            target.write_text(animation.to_jshtml(fps=fps), encoding="utf-8")
    elif target.suffix.lower() == ".mp4":
        animation.save(target, writer="ffmpeg", fps=fps)
    else:
        animation.save(target, writer=_gif(fps, colors))


def _gif(fps: int, colors: list[str]) -> Any:
    """Frames with one palette, so that static parts do not flicker and take no space."""
    from matplotlib.animation import PillowWriter
    from matplotlib.colors import to_rgba_array
    from PIL import Image

    exact = (255 * to_rgba_array([*colors, STAR, "black"])[:, :3]).round().astype(int)

    class Writer(PillowWriter):
        def finish(self) -> None:
            images: list[Any] = vars(self)["_frames"]
            common = images[-1].quantize(256 - len(exact), kmeans=3)
            palette = np.reshape(common.getpalette(), (-1, 3))[: 256 - len(exact)]
            palette[palette.min(axis=1) > 247] = 255  # paper stays white
            common.putpalette([*palette.ravel().tolist(), *exact.ravel().tolist()])
            images = [image.quantize(palette=common, dither=Image.Dither.NONE) for image in images]
            self._frames = images + images[-1:] * fps  # a second to look at the end
            super().finish()

    return Writer(fps)
