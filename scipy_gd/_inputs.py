"""What SciPy hands over, raw: the start, the bounds and the callback, checked and made uniform.

`minimize` passes everything to a callable method as the user wrote it (it standardises bounds and
callbacks for its own solvers only), so that this is ours to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, OptimizeResult

Vector = NDArray[np.float64]


def real_numbers(given: Any) -> NDArray[Any] | None:
    """As an array; None if it is not made of real numbers."""
    try:
        array = np.asarray(given)
    except ValueError:  # ragged
        return None
    return array if array.dtype.kind in "fiub" else None


def starting_point(x0: Any) -> Vector:
    """A fresh float64 vector.

    Raises
    ------
    TypeError
        If `x0` is not made of real numbers.
    ValueError
        If it is empty, not finite or has more than one dimension.
    """
    given = real_numbers(x0)
    if given is None:
        raise TypeError(f"`x0` must be real numbers, got {x0!r}")
    x = np.array(given, np.float64, ndmin=1)
    if x.ndim != 1:
        raise ValueError(f"`x0` must have one dimension, got shape {x.shape}")
    if x.size == 0:
        raise ValueError("`x0` must not be empty")
    if not np.isfinite(x).all():
        raise ValueError("`x0` must be finite, got inf or NaN")
    return x


def limits(bounds: Any, n: int) -> tuple[Vector, Vector] | None:
    """Lower and upper bounds as two vectors, None where nothing is bounded.

    Parameters
    ----------
    bounds : None, Bounds, sequence of (low, high) pairs with None, or (n, 2) array
        As SciPy's solvers take them.
    n : int
        The number of parameters.

    Raises
    ------
    TypeError
        If `bounds` is none of these.
    ValueError
        If the number is wrong, a bound is NaN or an interval is empty.
    """
    if bounds is None:
        return None
    mismatch = "The number of bounds is not compatible with the length of `x0`."
    try:
        if isinstance(bounds, Bounds):
            lower, upper = (np.array(side, float) for side in (bounds.lb, bounds.ub))
            lower, upper = (np.broadcast_to(side, (n,)).copy() for side in (lower, upper))
        else:
            pairs = [(low, high) for low, high in bounds]
            lower = np.array([-np.inf if low is None else low for low, _ in pairs], float)
            upper = np.array([np.inf if high is None else high for _, high in pairs], float)
    except TypeError:
        raise TypeError(
            "`bounds` must be a scipy.optimize.Bounds or a sequence of (low, high) pairs, "
            f"got {bounds!r}"
        ) from None
    except ValueError:
        raise ValueError(mismatch) from None
    if lower.shape != (n,):
        raise ValueError(mismatch)
    if np.isnan(lower).any() or np.isnan(upper).any():
        raise ValueError("`bounds` must not contain NaN")
    if (lower > upper).any():
        raise ValueError("An upper bound is less than the corresponding lower bound.")
    if (lower == np.inf).any() or (upper == -np.inf).any():
        raise ValueError("`bounds` leave no room: a lower bound is inf or an upper bound is -inf")
    if np.isinf(lower).all() and np.isinf(upper).all():
        return None
    return lower, upper


def listener(callback: Any) -> Callable[[OptimizeResult], Any] | None:
    """The user's callback, of either style, as a function of an intermediate result.

    SciPy's rule: a parameter list of exactly ``intermediate_result`` asks for the result, by
    keyword; any other callback gets the point.
    """
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"`callback` must be callable, got {callback!r}")
    try:
        names = set(inspect.signature(callback).parameters)
    except (TypeError, ValueError):  # a builtin without a signature
        names = set()
    if names == {"intermediate_result"}:
        return lambda result: callback(intermediate_result=result)
    return lambda result: callback(result.x)
