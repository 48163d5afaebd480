"""Is the gradient correct? An honest answer before the first step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from .arguments import count, limits, number, scalar, starting_point, vector
from .tables import aligned, as_html

__all__ = ["GradientCheck", "GradientError", "check_grad"]

Array = NDArray[np.float64]
Interval = tuple[Array, Array]

EPS, TINY = (float(v) for v in (np.finfo(float).eps, np.finfo(float).tiny))
RUNGS = 25  # steps from 1 + |x| down to 4**-24 of it, sixteen times the spacing of x
ARRAYS = ("x", "analytic", "numeric", "uncertainty", "rel_error", "verdict", "scipy")
SHOWN = 20  # rows of the table
AMPLE = 1000  # the first step lets noise err by about rtol / AMPLE
MINOR = 1e-3  # a slope below this part of the usual one need not be right to rtol of itself
ROUNDOFF = 64 * EPS  # nor one that changes f by fewer than 64 ulp over a step of 1 + |x|
COARSE = 2.0**-22  # resolution of a fun that works in single precision without saying so


class _User:
    """The user's functions: copies in, plain numbers out, every call counted."""

    def __init__(self, fun: Any, jac: Any, args: tuple[Any, ...], limits: Interval) -> None:
        self.fun, self.jac, self.args, self.limits = fun, jac, args, limits
        self.nfev = self.njev = 0

    def _call(self, x: Array) -> Any:
        self.nfev += 1
        return self.fun(x.copy(), *self.args)

    def _scalar(self, value: Any) -> float:
        if self.jac is True:
            if not (isinstance(value, tuple | list) and len(value) == 2):
                raise ValueError("`fun` must return (value, gradient) when `jac` is True")
            value = value[0]
        elif isinstance(value, tuple | list):
            raise ValueError(
                "`fun` must return a scalar: if it returns (value, gradient), pass `jac=True`"
            )
        return scalar(value)

    def both(self, x: Array) -> tuple[float, Array]:
        """The value and the gradient; exceptions from the user's functions propagate."""
        value = self._call(x)
        f = self._scalar(value)
        self.njev += 1
        gradient = value[1] if self.jac is True else self.jac(x.copy(), *self.args)
        return f, vector(gradient, x.size)

    def trial(self, x: Array) -> float:
        """The value at a point of our choosing; NaN if there is none."""
        if not np.all((self.limits[0] <= x) & (x <= self.limits[1])):
            return np.nan
        try:
            value = self._call(x)
        except (ArithmeticError, ValueError):  # the domain of math.log, an indefinite matrix
            return np.nan
        return self._scalar(value)


def _noise(user: _User, x: Array, f: float, g: Array) -> float:
    """The noise in f: Hamming's difference table (Moré and Wild's ECNoise) at three spacings.

    High-order differences of a smooth function vanish; those of noise do not. The finest spacing
    shows rounding, the coarsest a function that is piecewise constant on a finer scale. Medians,
    because a kink between the points is not noise.
    """
    below, above = x - user.limits[0], user.limits[1] - x
    size = 1 + np.abs(x)
    if f != 0:  # where f changes by its own size, if that is nearer
        size = np.fmin(size, np.abs(f / np.where(g == 0, EPS, g)))
    noise = EPS * abs(f)
    for spacing in 2.0 ** np.array([-36, -28, -20]):
        step = np.minimum(spacing * size, np.maximum(below, above) / 10)
        step = (x + np.where(above >= below, step, -step)) - x  # so that x + k step is exact
        table = np.array([f, *(user.trial(x + k * step) for k in range(1, 9))])
        levels = []
        for order, weight in ((3, 1 / 20), (4, 1 / 70), (5, 1 / 252)):  # (k!)**2 / (2k)!
            levels.append(1.48 * np.sqrt(weight) * np.median(np.abs(np.diff(table, order))))
        noise = max(noise, min(levels)) if np.isfinite(levels).all() else noise
    return noise


def _extrapolate(d: Array, first: int, second: int) -> tuple[float, float]:
    """Limit h -> 0 of values at h, 4h, 16h with error terms in h**first, h**second; its error."""
    p, q = 4.0**first, 4.0**second
    fine, coarse = (p * d[:-1] - d[1:]) / (p - 1)
    limit = (q * fine - coarse) / (q - 1)
    return limit, abs(limit - coarse) / np.sqrt(q)


class _Slope(NamedTuple):
    """A derivative, its uncertainty, and how much the slope changes within the steps."""

    value: float = np.nan
    error: float = np.inf
    spread: float = 0.0
    flat: bool = False  # fun is constant within the steps
    raw: float = np.inf  # the part of the error that is not noise


@dataclass
class _Line:
    """The derivative of ``line`` at x, where it is f; ``guess`` is what it should be."""

    line: Callable[[float], float]
    x: float
    f: float
    guess: float
    scale: float
    noise: float
    rtol: float
    quantum: float | None = None  # least change of f, once f was seen not to change

    def tolerance(self, slope: _Slope) -> float:
        return self.rtol * max(abs(slope.value), self.scale, MINOR * slope.spread)

    def slope(self, h: Array, central: bool) -> _Slope:
        """The derivative extrapolated from steps h, 4h, 16h (Ridders 1982)."""
        x, f = self.x, self.f
        ahead = np.array([self.line(t) for t in x + h])
        behind = np.array([self.line(t) for t in x - h]) if central else ahead
        forward = (ahead - f) / ((x + h) - x)
        if central:
            backward = (f - behind) / (x - (x - h))
            value, error = _extrapolate((ahead - behind) / ((x + h) - (x - h)), 2, 4)
            jump = abs(_extrapolate(forward - backward, 1, 3)[0])  # not 0 at a kink
            spread = abs(forward[-1] - backward[-1])
        else:
            value, error = _extrapolate(forward, 1, 2)
            jump, spread = 0.0, abs(forward[-1] - forward[0])
        values = np.abs([ahead, behind])
        moves = np.abs([ahead - f, behind - f])
        level = max(self.noise, EPS * np.max(values))
        if flat := not moves.any():
            if self.guess == 0:
                spread = abs(f) / (1 + abs(x))
            elif abs(self.guess) > self.rtol * self.scale:
                level = max(level, COARSE * abs(f))
            self.quantum = self.quantum or np.inf
        elif self.quantum:
            self.quantum = min(self.quantum, np.min(moves[moves > 0]))
            level = max(level, self.quantum)
        raw = error + jump / 2
        error = raw + (2 if central else 4) * level / abs(h[0])
        return _Slope(value, error, spread, flat, raw) if np.isfinite(error) else _Slope()

    def search(self, below: float, above: float) -> _Slope:
        """The best derivative from steps of at most ``below`` and ``above``.

        First h is as small as noise allows if the guess is right: the nearer to x, the less can go
        wrong. If the slope is uncertain or not the guess, h climbs the ladder from its foot until
        the slope is certain to a third of the tolerance and does not contradict smaller h.
        """
        top = 2.0 ** np.floor(np.log2(1 + abs(self.x)))
        steps = top * 4.0 ** np.arange(1 - RUNGS, 1)
        wide = 1.0 if above >= below else -1.0
        need = AMPLE * self.noise / (self.rtol * max(abs(self.guess), self.scale, TINY))
        best, best_rank = _Slope(), (np.inf, np.inf)
        for central in (True, False):
            room = min(below, above) if central else max(below, above)
            h = wide * steps[steps <= room]
            first = _Slope()
            if len(h) > 2:
                k = int(np.searchsorted(np.abs(h[:-3]), need))
                first = self.slope(h[k : k + 3], central)
                tolerance = self.tolerance(first)
                if 3 * first.error <= tolerance and abs(first.value - self.guess) <= tolerance:
                    return first
            smaller: list[_Slope] = []
            for k in range(len(h) - 2):
                found = self.slope(h[k : k + 3], central)
                conflict = [abs(found.value - s.value) - 3 * s.error for s in smaller]
                found = found._replace(error=max([found.error, *conflict]))
                tolerance = self.tolerance(found)
                if 3 * found.error <= tolerance and not (found.flat and self.guess):
                    same = abs(first.value - found.value) <= 3 * found.error
                    finer = same and first.error < found.error
                    return self.doubt(first if finer else found, smaller)
                rank = min(found.error / max(tolerance / self.rtol, TINY), 0.5), found.error
                if rank < best_rank:
                    best, best_rank = found, rank
                if np.isfinite(found.error):
                    smaller.append(found)
            best = self.doubt(best, smaller, best.flat and self.overall(h, central))
            if room >= top:
                break
        return best

    def doubt(self, slope: _Slope, others: list[_Slope], doubtful: bool = False) -> _Slope:
        """The slope, so uncertain that it covers the guess if another step agreed with that."""
        off = abs(slope.value - self.guess)
        close = 0.01 * min(off, abs(self.guess))
        near = (abs(s.value - self.guess) + s.raw < close for s in others if not s.flat)
        return slope._replace(error=max(slope.error, off)) if doubtful or any(near) else slope

    def overall(self, h: Array, central: bool) -> bool:
        """Whether the guess is the overall slope, as of a staircase that is flat at x."""
        back = h if central else 0 * h
        rise = [self.line(a) - self.line(b) for a, b in zip(self.x + h, self.x - back, strict=True)]
        return bool(np.any(np.abs(rise / (h + back) - self.guess) <= 0.3 * abs(self.guess)))


def _numeric(user: _User, x: Array, f: float, a: Array, scale: Array, rtol: float) -> Array:
    """The numeric gradient at x, its uncertainty and the change of slope: shape (3, n)."""

    def line(i: int, t: float) -> float:
        moved = x.copy()
        moved[i] = t
        return user.trial(moved)

    noise = _noise(user, x, f, a)
    lower, upper = user.limits
    columns = []
    for i in range(x.size):
        along = _Line(cache(partial(line, i)), x[i], f, a[i], scale[i], noise, rtol)
        columns.append(along.search(x[i] - lower[i], upper[i] - x[i])[:3])
    return np.array(columns).T


@dataclass(frozen=True, eq=False, repr=False)
class GradientCheck:
    """The result of `check_grad`, point by point and component by component.

    It prints as a table of the worst point (its worst 20 components), a line on the other points,
    the worst component next to SciPy's figure, and the pattern of the errors, if there is a
    recognizable one. In a notebook, it displays as a table. All arrays are read-only.

    Attributes
    ----------
    x : ndarray, shape (points, n)
        The points; the first is ``x0``.
    analytic, numeric : ndarray, shape (points, n)
        The gradient from ``jac`` and the one from differences of ``fun`` (NaN where ``fun`` has no
        finite values for differences).
    uncertainty : ndarray, shape (points, n)
        Estimated error of ``numeric``: noise, truncation, and half the jump of the slope at a kink.
    rel_error : ndarray, shape (points, n)
        ``|analytic - numeric| / max(|analytic|, |numeric|, scale)``, see `check_grad`.
    verdict : ndarray of str, shape (points, n)
        ``'ok'``, ``'wrong'`` or ``'unsure'``.
    scipy : ndarray, shape (points,)
        The result of `scipy.optimize.check_grad`: the norm of the difference between ``jac`` and
        one-sided differences. NaN if that would leave the bounds.
    nfev, njev : int
        Calls to ``fun`` (including SciPy's) and to ``jac`` (with ``jac=True``, gradients used).
    rtol : float
        The tolerance of the check.

    Examples
    --------
    >>> from scipy_gd import check_grad
    >>> check = check_grad(lambda x: x @ x, lambda x: x, [1.0, -2.0], rng=0)
    >>> check.ok, check.pattern
    (False, 'analytic = 0.5 * numeric on every component: a missing or extra constant factor')
    >>> [(row["component"], row["analytic"], row["verdict"]) for row in check.to_dicts()[:2]]
    [(0, 1.0, 'wrong'), (1, -2.0, 'wrong')]
    """

    x: Array
    analytic: Array
    numeric: Array
    uncertainty: Array
    rel_error: Array
    verdict: NDArray[np.str_]
    scipy: Array
    nfev: int
    njev: int
    rtol: float

    def _factor(self, u: Array, v: Array, clear: NDArray[np.bool_]) -> float | None:
        """The k with u = k v where clear; a single pair shows it only if k is telling."""
        u, v, slack = u[clear], v[clear], self.uncertainty[clear]
        if not u.size or np.any(v == 0):
            return None
        k = float(np.median(u / v))
        telling = u.size > 1 or np.any(np.isclose(k, [-1, 0.5, 2], rtol=10 * self.rtol))
        alike = np.abs(u - k * v) <= slack + 10 * self.rtol * np.abs(u)
        return k if telling and alike.all() else None

    def _permutation(self, columns: NDArray[np.intp]) -> dict[int, int]:
        """Which numeric component each of the wrong analytic ones equals, at all points."""
        found: dict[int, int] = {}
        numeric, slack = self.numeric[:, columns], self.uncertainty[:, columns]
        for i in map(int, columns):
            a = self.analytic[:, i, None]
            near = np.abs(a - numeric) <= slack + 10 * self.rtol * np.abs(numeric)
            free = [int(j) for j in columns[near.all(axis=0)] if j != i and j not in found.values()]
            if not free:
                return {}
            found[i] = free[0]
        return found

    @property
    def conclusion(self) -> str:
        """str : ``'wrong'`` if a component is, else ``'ok'`` if one is, else ``'unsure'``."""
        return next((v for v in ("wrong", "ok") if np.any(self.verdict == v)), "unsure")

    @property
    def ok(self) -> bool:
        """bool : no component is wrong, and at least one is ok (all unsure is not ok)."""
        return self.conclusion == "ok"

    @property
    def _badness(self) -> Array:
        """Orders wrong before unsure before ok, and each by its error."""
        rank = 4.0 * (self.verdict == "wrong") + 2.0 * (self.verdict == "unsure")
        return np.asarray(rank + np.arctan(self.rel_error))

    @property
    def worst(self) -> tuple[int, int]:
        """tuple of int : (point, component) of the largest ``rel_error``.

        Among the wrong ones if there are any, else among the unsure, else among all.
        """
        p, i = np.unravel_index(np.argmax(self._badness), self.x.shape)
        return int(p), int(i)

    @property
    def pattern(self) -> str:
        """str : what the errors have in common; empty if nothing is wrong or recognized.

        Recognized patterns: a wrong sign, a common factor, a term proportional to x, permuted
        components, a single wrong component, several with the same factor, and errors that do not
        show at ``x0``.
        """
        with np.errstate(all="ignore"):
            return "; ".join(self._said()) if self.conclusion == "wrong" else ""

    def _said(self) -> list[str]:
        wrong = self.verdict == "wrong"
        columns = np.flatnonzero(wrong.any(axis=0))
        a, n, count = self.analytic, self.numeric, self.x.shape[1]
        size = np.maximum(np.abs(a), np.abs(n))
        clear = np.isfinite(size) & (self.uncertainty <= self.rtol * size) & (size > 0)
        if columns.size == count and (k := self._factor(a, n, clear)) is not None:
            if np.isclose(k, -1, rtol=10 * self.rtol):
                return ["analytic = -numeric: the sign is wrong"]
            if k == 0:
                return ["analytic = 0 where fun has a slope"]
            constant = "a missing or extra constant factor"
            return [f"analytic = {k:.6g} * numeric on every component: {constant}"]
        clear &= wrong.any(axis=0)
        said = []
        if moved := self._permutation(columns):
            some = [f"analytic[{i}] = numeric[{j}]" for i, j in moved.items()]
            some[4:] = ["..."] * (len(some) > 4)
            said.append(f"components are permuted: {', '.join(some)}")
        elif (k := self._factor(a - n, self.x, clear)) is not None:
            said.append(f"analytic = numeric {'+' if k > 0 else '-'} {abs(k):.6g} * x")
        elif columns.size < count:
            several = f"{columns.size} of {count} components are"
            which = several if columns.size > 1 else f"component {columns[0]} is"
            k = self._factor(a, n, clear)
            said.append(f"only {which} wrong" + ("" if k is None else f", by a factor of {k:.6g}"))
        if len(wrong) > 1 and np.all(self.verdict[0, columns] == "ok"):
            said.append("nothing is wrong at x0: does a term vanish there?")
        return said

    def _report(self) -> tuple[str, list[list[str]], list[str]]:
        """The heading, the table of the worst point as text, and the lines below it."""
        points, n = self.x.shape
        p, i = self.worst
        times = {v: np.sum(self.verdict == v) for v in ("wrong", "unsure", "ok")}
        numbers = ", ".join(f"{m} {v}" for v, m in times.items() if m)
        head = (
            f"gradient check: {self.conclusion} ({numbers}; points x components: {points} x {n})\n"
            f"point {p}{' (x0)' * (p == 0)}:"
        )
        table = [["index", "x", "analytic", "numeric", "rel. error", "verdict"]]
        formats = ("{:.6g}", "{:.8g}", "{:.8g}", "{:.1e}", "{}")
        columns = self.x, self.analytic, self.numeric, self.rel_error, self.verdict
        for k in np.sort(np.argsort(-self._badness[p], kind="stable")[:SHOWN]):
            cells = (f.format(c[p, k]) for f, c in zip(formats, columns, strict=True))
            table.append([str(k), *cells])
        below = []
        if n > SHOWN:
            below.append(f"({n - SHOWN} components with smaller errors not shown)")
        if points > 1:
            verdict, error = np.delete(self.verdict, p, 0), np.delete(self.rel_error, p, 0)
            below.append(
                f"other points: {np.sum(verdict == 'wrong')} wrong, "
                f"{np.sum(verdict == 'unsure')} unsure, largest rel. error {np.max(error):.1e}"
            )
        below.append(
            f"worst: component {i} at point {p}, analytic {self.analytic[p, i]:.8g}, "
            f"numeric {self.numeric[p, i]:.8g} +- {self.uncertainty[p, i]:.1e}; "
            f"scipy.optimize.check_grad there: {self.scipy[p]:.2e}"
        )
        return head, table, below + [f"pattern: {self.pattern}"] * bool(self.pattern)

    def __str__(self) -> str:
        head, table, below = self._report()
        return "\n".join([head, *aligned(table), *below])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, table, below = self._report()
        foot = "<br>".join(map(escape, below))
        return f"<p>{escape(head)}</p>\n{as_html(table)}\n<p>{foot}</p>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """One dict of plain Python values per point and component, for a data frame or a log.

        The keys are point, component, x, analytic, numeric, uncertainty, rel_error, verdict.
        """
        return [
            {"point": p, "component": i}
            | {name: getattr(self, name)[p, i].item() for name in ARRAYS[:-1]}
            for p, i in np.ndindex(self.x.shape)
        ]

    def raise_if_wrong(self, of: str = "") -> GradientCheck:
        """Return the check itself, or raise `GradientError` if a component is wrong.

        Unsure does not count as wrong; ``assert check.ok`` is stricter and also fails if all are
        unsure. `of` says what was checked, for the message.
        """
        if self.conclusion == "wrong":
            raise GradientError(self, of)
        return self


class GradientError(ValueError):
    """The gradient is wrong: the message is the table, and ``check`` the failed `GradientCheck`.

    Examples
    --------
    >>> from scipy_gd import GradientError, check_grad
    >>> try:
    ...     check_grad(lambda x: x @ x, lambda x: -2 * x, [1.0, -2.0]).raise_if_wrong()
    ... except GradientError as error:
    ...     print(error.check.pattern)
    analytic = -numeric: the sign is wrong
    """

    def __init__(self, check: GradientCheck, of: str = "") -> None:
        super().__init__(f"{of}:\n{check}" if of else check)
        self.check = check


def check_grad(
    fun: Callable[..., Any],
    jac: Callable[..., Any] | bool,
    x0: Any,
    *,
    args: tuple[Any, ...] = (),
    bounds: Any = None,
    points: int = 5,
    radius: float = 0.1,
    rtol: float = 1e-5,
    atol: float = 0.0,
    rng: Any = None,
) -> GradientCheck:
    """Compare a gradient with accurate numeric derivatives, at x0 and at points around it.

    `scipy.optimize.check_grad` returns a single number, from one-sided differences with one step
    size, and leaves its interpretation to you. This function gives a verdict for every component,
    and tells you when the differences are too inaccurate for a verdict.

    Parameters
    ----------
    fun : callable
        The objective, ``fun(x, *args) -> float``. It receives copies of shape (n,).
    jac : callable or True
        The gradient to check, ``jac(x, *args) -> array, shape (n,)``; True if ``fun`` returns
        ``(f, g)``.
    x0 : array_like, shape (n,)
        The first point.
    args : tuple, optional
        Extra arguments of ``fun`` and ``jac``.
    bounds : Bounds or sequence of n pairs (low, high), optional
        Bounds (None: no bound) that no evaluation leaves, including SciPy's.
    points : int, optional
        Number of points: ``x0`` and ``points - 1`` random ones, default 5. A wrong term may happen
        to vanish at ``x0``.
    radius : float, optional
        The random points differ from ``x0`` by at most ``radius * (1 + |x0|)`` in every component,
        default 0.1. A point where ``fun`` is not finite moves towards ``x0`` until it is.
    rtol : float, optional
        The relative error allowed in a component, default 1e-5.
    atol : float, optional
        The absolute error allowed in a component, if that is larger, default 0.
    rng : None, int or numpy.random.Generator, optional
        Source of the random points, as in `numpy.random.default_rng`.

    Returns
    -------
    GradientCheck
        Verdicts, both gradients, errors; prints as a table.

    Notes
    -----
    The numeric derivative d is extrapolated from central differences at three steps h, 4h, 16h [1]_
    [2]_, or from one-sided ones if a bound is too close. Its uncertainty u is the sum of the
    extrapolation error, the noise of ``fun`` over h, and half the jump between the slopes from the
    right and from the left, so that a kink is recognized. The noise is measured from difference
    tables [3]_ and is at least the rounding error of f. h is as small as the noise permits. If that
    leaves u too large or contradicts the analytic component, h climbs from 4e-15 to 1 times
    ``1 + |x|`` until u is small; u also covers any disagreement with smaller steps.

    With the error ``e = |a - d|`` of the analytic component a, and the tolerance
    ``t = rtol * max(|a|, |d|, scale)``, the verdict is

    - ``'ok'`` if ``e <= t`` and ``u <= t``,
    - ``'wrong'`` if ``e > t + 3 u``, or if a is not finite while ``u <= t``,
    - ``'unsure'`` otherwise: ``fun`` is noisy, in single precision or a staircase, has a kink or is
      not finite near the point, or is so large that rounding hides the component, or the variable
      is fixed by its bounds.

    ``scale`` is for components that are nearly zero: a thousandth of the median of ``|a|`` over the
    points or of the change of slope seen within the steps, the slope that changes f by 64 of its
    rounding errors over a step of ``1 + |x|``, and ``atol / rtol``, whichever is largest. Structure
    in ``fun`` that is finer than its noise cannot be distinguished from an error.

    ``fun`` is called about ``7 n + 27`` times per point (6 n differences, n + 1 by SciPy, 26 for
    the noise and the value), with up to 50 calls instead of 6 for a component that is wrong or
    unsure; ``jac`` is called once per point. At points chosen by this function, an ArithmeticError
    or ValueError from ``fun`` counts as a non-finite value, and NumPy's floating-point warnings are
    off; any other exception from ``fun`` and ``jac`` propagates.

    References
    ----------
    .. [1] C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in
       Engineering Software 4 (1982), 75-76.
    .. [2] W. H. Press et al., Numerical Recipes, 3rd ed., section 5.7, Cambridge 2007.
    .. [3] J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM Journal on Scientific
       Computing 33 (2011), 1292-1314.

    Examples
    --------
    >>> from scipy.optimize import rosen, rosen_der
    >>> from scipy_gd import check_grad
    >>> check_grad(rosen, rosen_der, [-1.2, 1.0], rng=0).ok
    True

    A gradient with an error in the last component:

    >>> def jac(x):
    ...     g = rosen_der(x)
    ...     g[-1] *= 2
    ...     return g
    >>> check = check_grad(rosen, jac, [-1.2, 1.0], points=1)
    >>> check.verdict
    array([['ok', 'wrong']], dtype='<U6')
    >>> print(check)  # doctest: +ELLIPSIS
    gradient check: wrong (1 wrong, 1 ok; points x components: 1 x 2)
    point 0 (x0):
    index     x  analytic  numeric  rel. error  verdict
        0  -1.2    -215.6   -215.6     ...       ok
        1     1      -176      -88     5.0e-01    wrong
    worst: component 1 at point 0, analytic -176, numeric -88 +- ...
    pattern: only component 1 is wrong, by a factor of 2
    """
    if not callable(fun):
        raise TypeError(f"`fun` must be callable, got {fun!r}")
    if not (callable(jac) or jac is True):
        raise TypeError(
            f"`jac` must be callable, or True if `fun` returns (value, gradient), got {jac!r}"
        )
    points = count(1)("points", points, 0)
    positive = number(0, above=True, below=True)
    rtol, radius = positive("rtol", rtol, 0), positive("radius", radius, 0)
    atol = number(0, below=True)("atol", atol, 0)
    start = starting_point(x0)
    free = np.full(start.size, np.inf)
    box = limits(bounds, start.size) or (-free, free)
    if bad := np.flatnonzero((start < box[0]) | (start > box[1])).tolist():
        raise ValueError(f"`x0` is outside the bounds at component(s) {bad[:10]}")
    user = _User(fun, jac, args if isinstance(args, tuple) else (args,), box)
    x, f, a = _sample(user, start, points, radius, np.random.default_rng(rng))
    found = (x, a, *_judge(user, x, f, a, rtol, atol))
    for array in found:
        array.flags.writeable = False
    arrays: dict[str, Any] = dict(zip(ARRAYS, found, strict=True))
    return GradientCheck(**arrays, nfev=user.nfev, njev=user.njev, rtol=rtol)


def _sample(
    user: _User, start: Array, points: int, radius: float, generator: np.random.Generator
) -> tuple[Array, Array, Array]:
    """The starting point and points around it, with the value and the gradient at each."""
    lower, upper = user.limits
    most = radius * (1 + np.abs(start))
    low, high = np.maximum(lower, start - most), np.minimum(upper, start + most)
    around = generator.uniform(low, high, (points - 1, start.size))
    x = np.vstack([start, np.clip(around, lower, upper)])
    f, a = np.empty(points), np.empty_like(x)
    f[0], a[0] = user.both(start)
    with np.errstate(all="ignore"):
        for p in range(1, points):
            for _ in range(20):
                if np.isfinite(user.trial(x[p])):
                    break
                x[p] = np.clip(start + (x[p] - start) / 4, lower, upper)
            f[p], a[p] = user.both(x[p])
    return x, f, a


@np.errstate(all="ignore")
def _judge(
    user: _User, x: Array, f: Array, a: Array, rtol: float, atol: float
) -> tuple[NDArray[Any], ...]:
    """The other arrays of a `GradientCheck`, from the values and the gradients at the points."""
    found, figure = np.full((3, *x.shape), np.nan), np.full(len(x), np.nan)
    height, steep = (np.where(np.isfinite(v), np.abs(v), 0.0) for v in (f, a))
    height = np.maximum(height, np.median(height))[:, None]
    visible = np.maximum(atol, ROUNDOFF * height / (1 + np.abs(x))) / rtol
    scale = np.maximum(visible, MINOR * np.median(steep, axis=0))
    for p in np.flatnonzero(np.isfinite(f)):
        found[:, p] = _numeric(user, x[p], f[p], a[p], scale[p], rtol)
        figure[p] = optimize.check_grad(user.trial, lambda _, p=p: a[p], x[p])
    numeric, uncertainty, spread = found
    uncertainty[np.isnan(numeric)] = np.inf
    size = np.fmax(np.fmax(steep, np.abs(numeric)), np.fmax(scale, MINOR * spread))
    error = np.abs(a - numeric)
    relative = np.where(error == 0, 0.0, error / size)
    relative[~np.isfinite(error)] = np.inf
    certain = np.isfinite(numeric) & (uncertainty <= rtol * size)
    wrong = np.where(np.isfinite(a), error > rtol * size + 3 * uncertainty, certain)
    verdict = np.where(wrong, "wrong", np.where(certain & (relative <= rtol), "ok", "unsure"))
    return numeric, uncertainty, relative, verdict, figure
