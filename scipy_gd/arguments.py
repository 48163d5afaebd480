"""User input, checked and converted: arguments, options, and what functions return.

`minimize` passes everything to a callable method as the user wrote it (it only standardizes bounds
and callbacks for its own solvers), so this is our job. Invalid input raises TypeError or
ValueError, with a message that names the argument.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

Vector = NDArray[np.float64]
Check = Callable[[str, Any, int], Any]
"""``check(name, value, n)`` returns the value to use for n parameters, or raises."""


def real_numbers(given: Any) -> NDArray[Any] | None:
    """As an array, or None if these are not real numbers."""
    try:
        array = np.asarray(given)
        if array.dtype.kind == "O":  # fractions, decimals, SymPy's numbers
            array = np.array([real(each) for each in array.flat]).reshape(array.shape)
    except (AttributeError, OverflowError, TypeError, ValueError):  # or ragged
        return None
    return array if array.dtype.kind in "fiub" else None


def real(number: Any) -> float:
    """A number of any kind as a float; strings, arrays and complex numbers raise TypeError."""
    if isinstance(number, np.ndarray | np.complexfloating):
        raise TypeError
    return float(number.__float__())


def starting_point(x0: Any, name: str = "x0") -> Vector:
    """A fresh float64 vector."""
    given = real_numbers(x0)
    if given is None:
        raise TypeError(f"`{name}` must be real numbers, got {shown(x0)}")
    x = np.array(given, np.float64, ndmin=1)
    if x.ndim != 1:
        raise ValueError(f"`{name}` must be one-dimensional, got shape {x.shape}")
    if x.size == 0:
        raise ValueError(f"`{name}` must not be empty")
    if not np.isfinite(x).all():
        raise ValueError(f"`{name}` must be finite, got inf or NaN")
    return x


def limits(bounds: Any, n: int) -> tuple[Vector, Vector] | None:
    """Lower and upper bounds as two vectors; None if nothing is bounded.

    Parameters
    ----------
    bounds : None, Bounds, sequence of (low, high) pairs with None, or (n, 2) array
        As SciPy's solvers take them.
    n : int
        The number of parameters.
    """
    if bounds is None:
        return None
    from scipy.optimize import Bounds  # at first use: `import scipy_gd` loads no SciPy

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
        raise ValueError("`bounds` must leave room: a lower bound is inf or an upper bound is -inf")
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


# --- what comes back from the user


def scalar(f: Any) -> float:
    """A float from whatever `fun` returned."""
    value = real_numbers(f)
    if value is None:
        raise TypeError(
            "The user-provided objective function `fun` must return a scalar value (a real "
            f"number), got {type(f).__name__}{_hint(f)}"
        )
    if value.size != 1:
        raise ValueError(
            "The user-provided objective function `fun` must return a scalar value, "
            f"got shape {value.shape}{_hint(f)}"
        )
    return float(value.item())


def _hint(f: Any) -> str:
    if isinstance(f, tuple) and len(f) == 2:
        return ": to return the value and the gradient, pass `jac=True`"
    if isinstance(f, np.ndarray) and f.ndim == 1 and f.size > 1:
        return ": if these are residuals, use levenberg_marquardt or the option `residuals`"
    return ""


def complex_scalar(f: Any) -> complex:
    value = np.asarray(f)
    if value.size != 1 or value.dtype.kind != "c":
        raise TypeError(
            '`fun` must return a complex number for a complex x with finite_diff_scheme="cs", '
            f"got {f!r}"
        )
    return complex(value.item())


def vector(g: Any, n: int, name: str = "jac") -> Vector:
    """A float64 vector from whatever `jac` returned; (n, 1) and (1, n) are taken as vectors."""
    given = real_numbers(g)
    if given is None:
        raise TypeError(f"`{name}` must return {n} real numbers, got {g!r:.60}")
    if given.size != n or given.ndim > 2:
        raise ValueError(f"`{name}` must return an array of shape ({n},), got shape {given.shape}")
    return np.array(given, dtype=np.float64).reshape(n)


def pair(found: Any, n: int) -> tuple[float, Vector]:
    """Value and gradient from whatever `fun` returned."""
    try:
        f, g = found
    except (TypeError, ValueError):
        raise TypeError(
            f"`fun` must return (value, gradient) when `jac` is True, got {found!r}"
        ) from None
    return scalar(f), vector(g, n)


def residuals(found: Any) -> Vector | None:
    """A vector from whatever `fun` returned; None for a single NaN, where it is undefined."""
    r = real_numbers(found)
    if r is None:
        got = f"got {type(found).__name__}{_hint(found)}"
        raise TypeError(f"`fun` must return residuals, an array of real numbers, {got}")
    if r.ndim == 0 and np.isnan(r):
        return None
    if r.ndim != 1 or r.size == 0:
        raise ValueError(
            "`fun` must return residuals, a one-dimensional array (the method minimizes half the "
            f"sum of their squares), got shape {r.shape}"
        )
    return r.astype(np.float64, copy=False)


def complex_residuals(found: Any) -> NDArray[np.complex128]:
    r = np.asarray(found)
    if r.ndim != 1 or r.dtype.kind != "c":
        raise TypeError(
            '`fun` must return complex residuals for a complex x with finite_diff_scheme="cs", '
            f"got {found!r:.60}"
        )
    return r.astype(np.complex128, copy=False)


def jacobian(found: Any, m: int, n: int) -> NDArray[np.float64]:
    """The derivatives of m residuals from whatever `jac` returned; a single NaN stands for all."""
    J = real_numbers(found.toarray() if hasattr(found, "toarray") else found)
    if J is None:
        raise TypeError(f"`jac` must return the Jacobian of the residuals, got {found!r:.60}")
    if J.ndim == 0 and np.isnan(J):
        return np.full((m, n), np.nan)
    if J.shape != (m, n):
        hint = " (transposed?)" if J.shape == (n, m) else ""
        raise ValueError(
            f"`jac` must return the Jacobian of the residuals, shape ({m}, {n}), got shape "
            f"{J.shape}{hint}"
        )
    return J.astype(np.float64, copy=False)


def residuals_and_jacobian(found: Any) -> tuple[Any, Any]:
    try:
        r, J = found
    except (TypeError, ValueError):
        raise TypeError(
            f"`fun` must return (residuals, Jacobian) when `jac` is True, got {found!r:.60}"
        ) from None
    return r, J


def matrix(found: Any, n: int) -> NDArray[Any]:
    """A symmetric matrix from whatever `hess` returned."""
    if hasattr(found, "matmat"):  # a LinearOperator
        found = found.matmat(np.eye(found.shape[1]))
    H = real_numbers(found.toarray() if hasattr(found, "toarray") else found)
    if H is None or H.shape != (n, n):
        got = "something else" if H is None else f"shape {H.shape}"
        raise ValueError(f"`hess` must return a real matrix of shape ({n}, {n}), got {got}")
    scale = np.abs(H).max()
    if scale < np.inf and not np.allclose(H, H.T, rtol=1e-6, atol=1e-8 * scale):
        raise ValueError("`hess` must return a symmetric matrix")
    return H


# --- options and their values


def number(
    low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False
) -> Check:
    """A number from `low` to `high`; `above` and `below` exclude the limit itself."""
    limits = f"{'above' if above else 'at least'} {low:g}" if low > -math.inf else "a finite number"
    if high < math.inf:
        limits += f" and {'below' if below else 'at most'} {high:g}"
    elif below and low > -math.inf:
        limits += " and finite"

    def check(name: str, value: Any, n: int) -> float:
        try:
            if isinstance(value, bool | np.bool_ | str | bytes):
                raise TypeError
            real = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"`{name}` must be a number, got {shown(value)}") from None
        if not (low <= real <= high) or (above and real == low) or (below and real == high):
            raise ValueError(f"`{name}` must be {limits}, got {shown(value)}")
        return real

    return check


def per_parameter(scalar: Check, each: Check | None = None) -> Check:
    """A number, an array with one for each parameter, or a callable ``t -> number or array``."""

    def check(name: str, value: Any, n: int) -> Any:
        if callable(value):
            return value
        if np.ndim(value) == 0:
            return scalar(name, value, n)
        try:
            array = np.array(value, dtype=float)
        except (TypeError, ValueError):
            raise TypeError(f"`{name}` must be an array of numbers, got {shown(value)}") from None
        if array.shape != (n,):
            raise ValueError(
                f"`{name}` must be a number or an array with one for each of the {n} parameters, "
                f"got shape {array.shape}"
            )
        for extreme in (array.min(), array.max()):  # NaN is both
            (each or scalar)(name, float(extreme), n)
        return array

    return check


def count(low: int, most: int = 2**62) -> Check:
    """A whole number, possibly as a float; `inf` means no limit, unless there is one."""

    def check(name: str, value: Any, n: int) -> int:
        try:
            if isinstance(value, bool | str | bytes):
                raise TypeError
            if isinstance(value, float | np.floating):
                whole = (
                    int(min(value, 2.0**62)) if value == math.inf or value.is_integer() else None
                )
            else:
                whole = operator.index(value)
        except TypeError:
            raise TypeError(f"`{name}` must be a whole number, got {shown(value)}") from None
        if whole is None or whole < low or whole > most < 2**62:
            limit = f", at most {most}" if most < 2**62 else ""
            raise ValueError(
                f"`{name}` must be a whole number, at least {low}{limit}, got {shown(value)}"
            )
        return min(whole, 2**62)

    return check


def budget(low: int) -> Check:
    """A `count` that drops fractions, like SciPy's solvers."""
    whole = count(low)

    def check(name: str, value: Any, n: int) -> int:
        fraction = isinstance(value, float | np.floating) and math.isfinite(value)
        return int(whole(name, math.floor(value) if fraction else value, n))

    return check


decay = per_parameter(number(0, 1, below=True))
fraction = per_parameter(number(0, 1, above=True, below=True))
positive = per_parameter(number(0, above=True))
nonnegative = per_parameter(number(0, math.inf, below=True))


class Option(NamedTuple):
    """An option: what it means, how its value is checked, and its default.

    Attributes
    ----------
    doc : str
        What it means, a sentence or more.
    check : callable
        ``check(name, value, n)`` returns the value to use for n parameters, or raises. By default,
        any number, an array with one per parameter, or a schedule.
    default
        The default. None: off, or chosen by the run.
    off
        The value that a run uses in place of None.
    needs : tuple of str
        The options that this one requires.
    own : bool
        Whether this is a hyper-parameter of the formula.

    Examples
    --------
    The meaning of a hyper-parameter, declared beside the formula:

    >>> from scipy_gd import Option, elementwise
    >>> @elementwise(learning_rate=0.1, hyper={"p": Option("The exponent of the gradient.")})
    ... def power(g, *, p=3.0):
    ...     return g**p
    >>> power.options["p"].doc, power.options["p"].default
    ('The exponent of the gradient.', 3.0)
    """

    doc: str
    check: Check = per_parameter(number())
    default: Any = None
    off: Any = None
    needs: tuple[str, ...] = ()
    own: bool = False


def one_of(*choices: Any) -> Check:
    def check(name: str, value: Any, n: int) -> Any:
        if not any(value is c or (isinstance(c, str) and value == c) for c in choices):
            raise ValueError(
                f"`{name}` must be one of {', '.join(map(repr, choices))}, got {shown(value)}"
            )
        return value

    return check


def flag(name: str, value: Any, n: int) -> bool:
    if not isinstance(value, bool | np.bool_ | int):
        raise TypeError(f"`{name}` must be True or False, got {shown(value)}")
    return bool(value)


def generator(name: str, value: Any, n: int) -> np.random.Generator:
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"`{name}` must be None, a seed or a `numpy.random.Generator`, got {shown(value)}"
        ) from None


def map_like(name: str, value: Any, n: int) -> Any:
    if callable(value):
        return value
    try:
        whole = operator.index(value)
    except TypeError:
        raise TypeError(
            f"`{name}` must be an int or a map-like callable, got {shown(value)}"
        ) from None
    if whole < -1 or whole == 0:
        raise ValueError(f"`{name}` must be a positive int, or -1 for all cores, got {whole}")
    return whole


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
