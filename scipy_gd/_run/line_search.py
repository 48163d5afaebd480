"""The line searches of the methods, for use on their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult

from .. import _options
from .._core.bits import DONE, GRADIENT, VALUE
from .._core.endings import ENDINGS, MAXFEV, MAXITER, PRECISION
from .._core.machine import tell
from .._evaluate.evaluator import Evaluator, OutOfBudget
from .._evaluate.sources import source_of
from .._formula import Formula
from ..arguments import limits, number, one_of, starting_point
from .interpreted import interpret
from .layout import lay_out
from .observers import Observers
from .run_state import RunState


def along(g, p):  # type: ignore[no-untyped-def]
    return -p, p


ALONG = Formula(along, auto="wolfe", unit=True)  # the direction that was given


def line_search(
    fun: Callable[..., Any],
    jac: Callable[..., Any] | bool | str,
    x: ArrayLike,
    direction: ArrayLike,
    *,
    rule: str = "wolfe",
    c2: float = 0.9,
    args: Any = (),
    bounds: Any = None,
    maxfev: int = 60,
) -> OptimizeResult:
    """Find a good step from `x` along `direction`.

    The first trial is the full direction. Trials are projected onto the bounds; if the function is
    not finite, the step counts as too long.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``.
    jac : callable, True, or "2-point", "3-point", "cs"
        ``jac(x, *args) -> array, shape (n,)``, as for `minimize`.
    x : array_like, shape (n,)
        Starting point.
    direction : array_like, shape (n,)
        A descent direction, in units of x.
    rule : {"wolfe", "armijo"}
        Both require a decrease of at least 1e-4 times what the slope promises, up to rounding
        errors in f; "wolfe" also requires the slope to flatten to `c2` times its initial value.
    c2 : float
        In (1e-4, 1); below 1/2, the condition is on the absolute value of the slope.
    args : tuple, optional
        Extra arguments of both functions.
    bounds : sequence of (low, high) or scipy.optimize.Bounds, optional
        Nothing is evaluated outside the bounds.
    maxfev : int
        Maximum number of calls to `fun`.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With `x`, `fun`, `jac` at the end of the step, `alpha` (its length in units of the
        direction), `success`, `message`, `nfev`, `njev`. Without success, `x` is the starting point
        and `alpha` is 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it.

    References
    ----------
    A. S. Lewis and M. L. Overton, "Nonsmooth optimization via quasi-Newton methods", Mathematical
    Programming 141, 135-163 (2013), for the bracketing, https://doi.org/10.1007/s10107-012-0514-2.
    J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed. (2006), section 3.5.

    Examples
    --------
    >>> from scipy_gd import line_search
    >>> res = line_search(lambda x: x @ x, lambda x: 2 * x, [1.0, 2.0], [-8.0, -16.0])
    >>> res.success, round(res.alpha, 3), res.x
    (True, 0.125, array([0., 0.]))
    """
    start = starting_point(x)
    box = limits(bounds, start.size)
    if box is not None:
        start = np.clip(start, *box)
    p = starting_point(direction)
    if p.shape != start.shape:
        raise ValueError(f"`direction` must have shape {start.shape}, got {p.shape}")
    one_of("wolfe", "armijo")("rule", rule, 1)
    number(1e-4, 1, above=True, below=True)("c2", c2, 1)
    given = {"learning_rate": rule, "maxiter": 1, "gtol": 0.0, "maxfev": maxfev}
    V, s, _ = lay_out(ALONG, start, box, _options.settings(ALONG, given, start.size))
    s["c2"], V[s["states"][0]] = c2, p
    args = args if isinstance(args, tuple) else (args,)
    evaluator = Evaluator(fun, args, source_of(fun, jac, start.size, box), maxfev=maxfev)
    run = RunState(ALONG, V, s, evaluator)
    r, g = run.r, run.gradients[0]
    ending = MAXFEV
    try:
        f = evaluator(start, VALUE | GRADIENT, g, run.H)
        if not g @ p < 0:
            return _result(run, PRECISION, "`direction` is not a descent direction.")
        r.ask = tell(*run.at, f)
        interpret(run, Observers())
        ending = PRECISION
    except OutOfBudget:
        r.ask = DONE
    if r.nit == 1 and r.f <= r.f_start:
        return _result(run, MAXITER, "The step satisfies the conditions.")
    return _result(run, ending, ENDINGS[ending].message)


def _result(run: RunState, ending: int, message: str) -> OptimizeResult:
    r, evaluator = run.r, run.evaluator
    found = ending == MAXITER
    row = r.x if found or r.nit < 1 else r.old
    return OptimizeResult(
        x=run.points[row].copy(),
        fun=evaluator.f if r.nit < 0 else r.f if found else r.f_start,
        jac=run.gradients[row].copy(),
        alpha=r.alpha if found else 0.0,
        success=found,
        message=message,
        nfev=evaluator.nfev,
        njev=evaluator.njev,
    )
