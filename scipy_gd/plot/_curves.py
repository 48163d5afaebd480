"""Curves: convergence, sensitivity to the learning rate, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import count, one_of
from ..history import History
from ..schedules import Schedule
from ._style import array, axes, draw, grid, labelled, legend, styles

Array = NDArray[np.float64]
X = {"nit": "iteration", "evaluations": "evaluations of $f$ and $\\nabla f$", "seconds": "seconds"}
Y = {"fun": "$f$", "gnorm": "largest component of $\\nabla f$"}


def convergence(
    histories: Any,
    *,
    x: str = "nit",
    y: str = "fun",
    minimum: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw the convergence of the value or the gradient.

    Parameters
    ----------
    histories : History, OptimizeResult, list or dict of them
        The recorded runs. A dict gives their labels; otherwise they are labeled by method. Those
        of SciPy's solvers have neither counts nor gradients.
    x : {"nit", "evaluations", "seconds"}, default: "nit"
        The horizontal axis; evaluations include those of f and of its gradient.
    y : {"fun", "gnorm"}, default: "fun"
        The value above the minimum, or the largest component of the (projected) gradient.
    minimum : float, optional
        The minimum of f. Default: the smallest value in the histories.
    ax : matplotlib Axes, optional
        Axes to draw on; also returned. Default: those of a new figure.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from scipy_gd import History, lbfgs, plot
    >>> from scipy_gd.problems import rosenbrock
    >>> p = rosenbrock(10)
    >>> ours, theirs = History(), History()
    >>> for method, history in ((lbfgs, ours), ("BFGS", theirs)):
    ...     result = minimize(p.fun, p.x0, jac=p.jac, method=method, callback=history)
    >>> ax = plot.convergence({"lbfgs": ours, "BFGS": theirs}, minimum=0)
    >>> ax.get_yscale(), len(ax.get_lines())
    ('log', 2)
    """
    one_of(*X)("x", x, 0)
    one_of(*Y)("y", y, 0)
    curves = {}
    for label, history in labelled(histories).items():
        if not isinstance(history, History):
            raise TypeError(f"`histories` must be histories or results, got {history!r:.60}")
        across = history.nfev + history.njev if x == "evaluations" else getattr(history, x)
        curve = across, getattr(history, y)
        for name, values in zip((x, y), curve, strict=True):
            if np.isnan(values).all():
                raise ValueError(
                    f"`histories` must record {name!r}, which that of {label!r} does not"
                )
        curves[label] = curve
    ax = axes(ax)
    if y == "fun":
        descent(ax, curves, minimum)
    else:
        draw(ax, curves)
        grid(ax, yscale="log", ylabel=Y[y])
    ax.set_xlabel(X[x])
    return legend(ax)


def descent(
    ax: Any, curves: Mapping[str, Any], minimum: float | None, looks: Any = None, f: str = "$f$"
) -> None:
    """Draw values above the minimum, or above the lowest one, which is then left out."""
    known = minimum is not None
    finite = [v[np.isfinite(v)] for _, v in curves.values()]
    lowest: Any = min((v.min() for v in finite if v.size), default=0.0)
    if known:
        level = float(array("minimum", minimum, ()))
        if not level <= lowest + 1e-9 * max(1.0, abs(lowest)):
            raise ValueError(f"`minimum` must be at most {lowest}, the lowest value, got {minimum}")
        lowest = level
    floor = 1e-16 * max(1.0, abs(lowest))  # what rounding leaves of zero
    above = {}
    for label, (x, v) in curves.items():
        gap = v - lowest
        above[label] = x, np.maximum(gap, floor) if known else np.where(gap > 0, gap, np.nan)
    draw(ax, above, looks)
    grid(ax, yscale="log", ylabel=f"{f} $-$ " + ("min $f$" if known else "smallest $f$ found"))


def sensitivity(
    sweeps: Any, *, minimum: float | None = None, worst: float | None = None, ax: Any = None
) -> Any:
    """Draw the final value against the learning rate, with a large marker at the best rate.

    The value axis is logarithmic, unless the values are less than a decade apart or some are below
    the minimum.

    Parameters
    ----------
    sweeps : pair (rates, values), or dict from label to such pairs
        Learning rates, shape (k,), and final values, shape (k,), or (k, runs) for repeated runs:
        the line is then their median, in a band from the smallest to the largest.
    minimum : float, optional
        The minimum of f, which is subtracted. Default: 0.
    worst : float, optional
        Final values above this, such as the value at the start, count as diverged, as do all
        non-finite values. They are crosses at the top of the plot.
    ax : matplotlib Axes, optional
        Axes to draw on; also returned. Default: those of a new figure.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> from scipy_gd import METHODS, plot
    >>> from scipy_gd.problems import rosenbrock
    >>> p, rates = rosenbrock(), np.geomspace(1e-4, 1, 9)
    >>> def final(name, rate):
    ...     options = {"learning_rate": rate, "maxiter": 200}
    ...     return minimize(p.fun, p.x0, jac=p.jac, method=METHODS[name], options=options).fun
    >>> sweeps = {name: (rates, [final(name, rate) for rate in rates]) for name in ("gd", "adam")}
    >>> ax = plot.sensitivity(sweeps)
    >>> ax.get_xlabel()
    'learning rate'
    """
    given = sweeps if isinstance(sweeps, Mapping) else {"": sweeps}
    if not given:
        raise ValueError("`sweeps` must contain at least one pair (rates, values), got none")
    answers = {label: _answers(pair, minimum or 0.0, worst) for label, pair in given.items()}
    middles = {
        label: (rates, np.where(np.isfinite(middle), middle, np.nan))
        for label, (rates, values) in answers.items()
        for middle in [np.median(values, axis=1)]
    }
    looks = styles(list(answers))
    ax = axes(ax)
    draw(ax, middles, looks, markevery=1)
    for k, (label, (rates, values)) in enumerate(answers.items()):
        look, middle = looks[label], middles[label][1]
        there = np.isfinite(middle)
        if values.shape[1] > 1:
            low, high = values.min(axis=1), values.max(axis=1)
            high = np.where(np.isfinite(high), high, middle)
            options = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
            ax.fill_between(rates, low, high, where=there, **options)
        if there.any():
            best = np.nanargmin(middle)
            ax.plot(rates[best], middle[best], **look | {"markersize": 10})
        lost, across = rates[~there], ax.get_xaxis_transform()
        top = np.full(lost.size, 0.98 - 0.03 * (k % 5))
        ax.plot(lost, top, "x", color=look["color"], transform=across, zorder=3)
    finite = np.concatenate([values[np.isfinite(values)] for _, values in answers.values()])
    drawn = any(np.isfinite(middle).any() for _, middle in middles.values())
    wide = drawn and 0.0 < 10.0 * finite.min() <= finite.max()
    scale = "log" if wide else "linear"
    ylabel = "final $f$" + (" $-$ min $f$" if minimum else "")
    grid(ax, xscale="log", yscale=scale, xlabel="learning rate", ylabel=ylabel)
    return legend(ax)


def _answers(pair: Any, minimum: float, worst: float | None) -> tuple[Array, Array]:
    """The sorted rates, and the values above the minimum, shape (k, runs); inf means diverged."""
    if not hasattr(pair, "__len__") or len(pair) != 2:
        raise ValueError(f"`sweeps` must be pairs (rates, values), got {pair!r:.60}")
    rates = array("sweeps", pair[0], (None,))
    if not rates.size or not np.all((rates > 0) & (rates < np.inf)):
        raise ValueError(f"`sweeps` must have learning rates above 0, got {rates}")
    values = array("sweeps", pair[1], rates.shape, (rates.size, None)).reshape(rates.size, -1)
    order = np.argsort(rates)
    gained = values <= (np.inf if worst is None else worst)  # NaN has not
    return rates[order], np.where(gained, values - minimum, np.inf)[order]


def schedules(rates: Any, *, steps: Any = 200, ax: Any = None) -> Any:
    """Draw schedules.

    Parameters
    ----------
    rates : callable ``t -> rate``, list or dict of them
        Schedules from `scipy_gd.schedules` or any functions. A dict gives their labels; otherwise
        these are their names, or their `repr` if the names are not distinct.
    steps : int or array_like, default: 200
        The number of steps, or the steps themselves.
    ax : matplotlib Axes, optional
        Axes to draw on; also returned. Default: those of a new figure.

    Examples
    --------
    >>> from scipy_gd import plot
    >>> from scipy_gd.schedules import cosine, exponential
    >>> ax = plot.schedules({"falls": exponential(0.1, 0.98), "ends": cosine(0.1, 0, steps=100)})
    >>> [line.get_label() for line in ax.get_lines()]
    ['falls', 'ends']
    """
    if not isinstance(rates, Mapping):
        every = rates if isinstance(rates, list | tuple) else [rates]
        names = [_name(one) for one in every]
        names = names if len(set(names)) == len(names) else [*map(repr, every)]
        if len(set(names)) < len(names):
            raise ValueError("`rates` must have different labels: pass a dict {label: schedule}")
        rates = dict(zip(names, every, strict=True))
    if not rates:
        raise ValueError("`rates` must contain at least one schedule, got none")
    if np.ndim(steps) == 0:
        t = np.arange(1, count(1)("steps", steps, 0) + 1)
    else:
        array("steps", steps, (None,))
        t = np.asarray(steps)
    curves: dict[str, Any] = {}
    for label, schedule in rates.items():
        if not callable(schedule):
            raise TypeError(f"`rates` must be callables t -> rate, got {schedule!r}")
        values = np.array([schedule(k) for k in t.tolist()])
        if values.ndim == 1:
            curves[label] = t, values
        else:  # one for each parameter
            curves |= {f"{label}[{i}]": (t, column) for i, column in enumerate(values.T)}
    ax = axes(ax)
    draw(ax, curves)
    grid(ax, xlabel="step")
    return legend(ax)


def _name(schedule: Any) -> str:
    named = type(schedule) if isinstance(schedule, Schedule) else schedule
    return getattr(named, "__name__", repr(named))
