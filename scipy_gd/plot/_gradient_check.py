"""The plot of a gradient check."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from ..gradient_check import GradientCheck
from ._style import axes, grid, legend

VERDICTS = {
    "ok": {"marker": "o", "color": "#009E73", "markersize": 4.5},
    "unsure": {"marker": "^", "color": "#E69F00", "markersize": 7, "markeredgecolor": "black"},
    "wrong": {"marker": "X", "color": "#D55E00", "markersize": 9, "markeredgecolor": "black"},
}
EXACT, INFINITE = 1e-17, 1e2  # where errors that a logarithm has no place for are drawn


def gradient_check(report: GradientCheck, *, ax: Any = None) -> Any:
    """Draw the error of every component of a gradient at all points checked.

    The errors are relative, with the tolerance as a line. If the uncertainty of the numeric
    derivative is larger than the error, a bar reaches up to it.

    Parameters
    ----------
    report : GradientCheck
        The result of `scipy_gd.check_grad`.
    ax : matplotlib Axes, optional
        Axes to draw on; also returned. Default: those of a new figure.

    Examples
    --------
    >>> from scipy.optimize import rosen, rosen_der
    >>> from scipy_gd import check_grad, plot
    >>> ax = plot.gradient_check(check_grad(rosen, rosen_der, [-1.2, 1.0], rng=0))
    >>> ax.get_title()
    'gradient check: ok'
    """
    if not isinstance(report, GradientCheck):
        raise TypeError(f"`report` must be a GradientCheck, got {report!r:.60}")
    component = np.broadcast_to(np.arange(report.x.shape[1]), report.x.shape)
    error = np.clip(report.rel_error, EXACT, INFINITE)
    size = np.fmax(np.abs(report.analytic), np.abs(report.numeric))
    with np.errstate(all="ignore"):
        uncertain = np.clip(report.uncertainty / size, error, INFINITE)
    ax = axes(ax)
    bars = component.ravel(), error.ravel(), uncertain.ravel()
    ax.vlines(*bars, color="0.75", linewidth=1, label="uncertainty")
    for verdict, look in VERDICTS.items():
        chosen = report.verdict == verdict
        if chosen.any():
            label = f"{verdict} ({chosen.sum()})"
            ax.plot(component[chosen], error[chosen], linestyle="none", label=label, **look)
    ax.axhline(report.rtol, color="black", linestyle="--", linewidth=1, label="tolerance")
    ax.xaxis.get_major_locator().set_params(integer=True)
    title = f"gradient check: {report.conclusion}\n{textwrap.fill(report.pattern, 48)}"
    ax.set_title(title.strip(), fontsize="medium")
    grid(ax, yscale="log", xlabel="component", ylabel="relative error")
    return legend(ax)
