"""Error bars for the result of any solver: covariance, profiles, error propagation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeWarning
from scipy.special import ndtri, stdtrit

from ._covariance import INVOLVED, combination, distinct, rounded, spread
from .arguments import limits, number, one_of, real_numbers, shown, starting_point
from .curvature import (
    EPS,
    SHORT,
    Curvature,
    axes,
    by_factors,
    by_gradients,
    by_hessian,
    by_values,
    jacobian,
    near,
    slopes,
    stride,
)
from .likelihood import QUIET, Objective, Profile
from .tables import aligned, as_html

__all__ = ["Propagated", "Uncertainty", "uncertainty"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[Array, Array]

KINDS = {
    "nll": "negative log-likelihood",
    "chi2": "chi-square",
    "least_squares": "sum of squares",
}
ONE_SIGMA = 0.6827
FAR = 0.1  # so many standard errors from the minimum are worth a warning
UNSURE = 0.1  # and so large relative errors of the standard errors
SHOWN, MANY = 0.1, 20  # the least correlation in the table, and the most of them
AT_BOUND = 1e-9  # of its size: a parameter as near as this to a bound is at it
CLOSE = 100.0  # standard errors: a millionth of it is between values that show noise
STEP = 0.01  # standard errors: the first steps of `propagate`
TINY, LOUD = 1e-16, 1e-4  # noise, beside a rise by 1/2: none, and much
ROUGH = 1e-10  # the relative errors of differences of residuals


class Propagated(NamedTuple):
    """A function of the parameters, with its error; returned by `Uncertainty.propagate`.

    Attributes
    ----------
    value : float or ndarray, shape (k,)
        The function at the minimum.
    stderr : float or ndarray, shape (k,)
        Its standard error; infinite if it depends on something undetermined.
    covariance : float or ndarray, shape (k, k)
        Its covariance; for a single number, the square of `stderr`.
    """

    value: Any
    stderr: Any
    covariance: Any


class _Free(NamedTuple):
    """The parameters z that no bound holds, among all parameters x."""

    x: Array
    box: Box
    mask: Mask

    @property
    def z(self) -> Array:
        return np.asarray(self.x[self.mask])

    @property
    def limits(self) -> Box:
        return self.box[0][self.mask], self.box[1][self.mask]

    def lift(self, z: Array) -> Array:
        x = self.x.copy()
        x[self.mask] = z
        return x

    def rows(self, found: Array) -> Array:
        """One row per parameter: zeros for those that are held."""
        every = np.zeros((self.x.size, *found.shape[1:]))
        every[self.mask] = found
        return every


class _Fit(NamedTuple):
    """The data that the methods of an `Uncertainty` need."""

    objective: Objective
    free: _Free
    hessian: Array  # of c
    unit: Array  # the standard errors while the other parameters are held, or another length
    variance: float
    root: Array  # the covariance of what is determined is root @ root.T
    loose: Array  # columns along which c does not change


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty:
    """The result of `uncertainty`: errors, correlations, intervals.

    It prints as a table of values and errors, rounded to two digits of the error, with the
    correlations above 0.1 and any notes. All arrays are read-only.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The parameters.
    fun : float
        The function value; for a vector of residuals, the sum of their squares.
    covariance : ndarray, shape (n, n)
        The covariance of the parameters. Infinite for undetermined parameters, 0 in rows and
        columns of parameters at a bound.
    hessian : ndarray, shape (n, n)
        The second derivatives of `fun`, from which the covariance is computed; 0 in rows and
        columns of parameters at a bound. For ``kind="least_squares"`` it is ``2 J.T @ J``.
    edm : float
        The estimated distance to the minimum: how much further `fun` could decrease.
    stderr_error : ndarray, shape (n,)
        How wrong `stderr` may be because of noise and finite differences; 0 if second derivatives
        are not estimated from values of `fun`.
    at_bound : ndarray of bool, shape (n,)
        Which parameters are held at a bound (or between two equal ones).
    undetermined : ndarray, shape (k, n)
        Directions, as unit vectors, along which `fun` does not change.
    up : float
        The rise in `fun` at one standard error: 1/2, 1 or the variance of the residuals.
    dof : float
        Degrees of freedom of that variance; infinite if it is known.
    noise : float
        The size of the errors in `fun`.
    notes : tuple of str
        The warnings that were issued.
    kind : str
        The argument `kind`.
    parameter_names : tuple of str
        The argument `parameter_names`, or ``x[0]``, ``x[1]``, ...
    nfev, njev, nhev : int
        Numbers of calls to `fun`, `jac` and `hess`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy_gd import uncertainty
    >>> t, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.1, 2.9, 5.1, 6.9])
    >>> line = lambda p: (p[0] + p[1] * t - y) / 0.1
    >>> fit = uncertainty(line, [1.06, 1.96], kind="chi2", parameter_names=["a", "b"])
    >>> fit.stderr.round(4), round(float(fit.correlation[0, 1]), 3)
    (array([0.0837, 0.0447]), -0.802)
    >>> fit.interval(0.95).round(2)
    array([[0.9 , 1.22],
           [1.87, 2.05]])
    >>> value, error, variance = fit.propagate(lambda p: p[0] + 10 * p[1])
    >>> round(value, 2), round(error, 2)
    (20.66, 0.38)
    """

    x: Array
    fun: float
    covariance: Array
    hessian: Array
    edm: float
    stderr_error: Array
    at_bound: NDArray[np.bool_]
    undetermined: Array
    up: float
    dof: float
    noise: float
    notes: tuple[str, ...]
    kind: str
    parameter_names: tuple[str, ...]
    nfev: int
    njev: int
    nhev: int
    _fit: _Fit = field(repr=False)

    @property
    def stderr(self) -> Array:
        """ndarray, shape (n,) : the standard errors; 0 at a bound, inf if not determined."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> Array:
        """ndarray, shape (n, n) : the correlations; 0 for held parameters."""
        root, loose = self._fit.root, self._fit.loose
        finite = ~loose.any(axis=1, keepdims=True)  # beside an infinite error it is nothing
        parts = np.hstack([finite * root, loose])
        lengths = np.linalg.norm(parts, axis=1, keepdims=True)
        parts = np.divide(parts, lengths, out=np.zeros_like(parts), where=lengths > 0)
        found = np.clip(parts @ parts.T, -1.0, 1.0)
        np.fill_diagonal(found, 1.0)
        return np.asarray(found)

    def interval(self, level: float = ONE_SIGMA) -> Array:
        """Symmetric confidence intervals, from the standard errors.

        Parameters
        ----------
        level : float, default: 0.6827
            The probability that the interval of a parameter contains its true value.

        Returns
        -------
        ndarray, shape (n, 2)
            ``x - q * stderr`` and ``x + q * stderr``, with the quantile q of the normal
            distribution or, if the variance is estimated, of Student's t.

        Raises
        ------
        TypeError, ValueError
            If `level` is not a number between 0 and 1.
        """
        reach = self._quantile(level) * self.stderr
        return np.column_stack([self.x - reach, self.x + reach])

    def profile(
        self, level: float = ONE_SIGMA, parameters: str | int | Sequence[str | int] | None = None
    ) -> Array:
        """Confidence intervals from the profile likelihood.

        Each end is where the minimum of `fun` over all other parameters has risen by ``up * q**2``,
        with the quantile q as for `interval`. This is also correct if `fun` is not a parabola;
        intervals need not be symmetric then.

        Parameters
        ----------
        level : float, default: 0.6827
            The probability that the interval of a parameter contains its true value.
        parameters : str, int, or sequence of them, optional
            Names or indices. Default: all.

        Returns
        -------
        ndarray, shape (k, 2)
            The ends of the intervals. An end is infinite if `fun` does not rise that far, or not
            before a bound.

        Raises
        ------
        TypeError, ValueError
            If `level` is not a number between 0 and 1, or a parameter does not exist.

        Warns
        -----
        OptimizeWarning
            If a lower minimum is found on the way.

        Notes
        -----
        The other parameters are minimized over with `lbfgs`, or `scipy.optimize.least_squares` if
        `fun` returns residuals, starting from where they are expected. All of them stay within the
        bounds. MINOS in MINUIT and ``conf_interval`` in lmfit do the same.
        """
        q, profile = self._quantile(level), self._profile()
        first = q * self._lengths
        found = np.empty((len(which := self.indices(parameters)), 2))
        with np.errstate(all="ignore"):
            for row, i in zip(found, which, strict=True):
                if profile.variance == 0 or profile.box[0][i] == profile.box[1][i]:
                    row[:] = self.x[i]
                else:
                    row[:] = [profile.crossing(i, side, q, first[i]) for side in (-1, 1)]
        self._warn_of_lower(profile)
        return found

    def profile_curve(self, parameter: str | int, values: ArrayLike) -> Array:
        """The profile likelihood at values of a parameter.

        Parameters
        ----------
        parameter : str or int
            Name or index.
        values : array_like, shape (k,)
            The values of the parameter.

        Returns
        -------
        ndarray, shape (k,)
            The rise in the minimum of `fun` over the other parameters, in units of `up`: 1 at one
            standard error and 4 at two, if `fun` is a parabola. Infinite outside the bounds.
        """
        (i,) = self.indices(parameter)
        wanted = starting_point(values, "values")
        profile = self._profile()
        with np.errstate(all="ignore"):
            heights = 2 * profile.curve(i, wanted)
        self._warn_of_lower(profile)
        return heights

    def propagate(self, f: Callable[[Array], Any]) -> Propagated:
        """The error of a function of the parameters, to first order.

        Parameters
        ----------
        f : callable
            ``f(x)``, a number or an array of shape (k,). It receives copies.

        Returns
        -------
        Propagated
            Value, standard error and covariance ``J @ covariance @ J.T``. J comes from central
            differences, over a hundredth of a standard error to either side if f is linear there.

        Raises
        ------
        TypeError, ValueError
            If f does not return real, finite numbers.
        """
        if not callable(f):
            raise TypeError(f"`f` must be callable, got {shown(f)}")

        def numbers(x: Array) -> Array:
            given = real_numbers(f(x.copy()))
            if given is None or given.ndim > 1:
                raise TypeError(f"`f` must return a number or a vector, got {shown(f(x.copy()))}")
            return np.array(given, float)

        value = numbers(self.x)
        if not np.isfinite(value).all():
            raise ValueError(f"`f` must be finite at `x`, got {value}")
        fit = self._fit
        free = fit.free
        J = jacobian(
            lambda z: np.atleast_1d(numbers(free.lift(z))),
            free.z,
            self._lengths[free.mask],
            free.limits,
            STEP,
        )
        loose = fit.loose[free.mask]
        involved = np.abs(J @ loose) > INVOLVED * (np.abs(J) @ np.abs(loose))
        covariance = spread(J @ fit.root[free.mask], np.where(involved, J @ loose, 0.0))
        if value.ndim == 0:
            variance = float(covariance[0, 0])
            return Propagated(float(value), math.sqrt(variance), variance)
        return Propagated(value, np.sqrt(np.diag(covariance)), covariance)

    def plot(self, path: Any = None, **options: Any) -> Any:
        """Draw errors and correlations with `scipy_gd.plot.uncertainty`; returns the Figure.

        Parameters
        ----------
        path : str or path-like, optional
            Where to save the figure; the extension sets the format.
        **options
            Passed on to `scipy_gd.plot.uncertainty`.
        """
        from .plot import uncertainty

        figure = uncertainty(self, **options)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def indices(self, parameters: str | int | Sequence[str | int] | None = None) -> list[int]:
        """The indices of parameters in `x`.

        Parameters
        ----------
        parameters : str, int, or sequence of them, optional
            Names or indices. Default: all.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        if parameters is None:
            return list(range(self.x.size))
        names = {name: i for i, name in enumerate(self.parameter_names)}
        found = []
        for each in np.atleast_1d(np.array(parameters, dtype=object)):
            i = names.get(each) if isinstance(each, str) else each
            if not isinstance(i, int | np.integer) or not -self.x.size <= i < self.x.size:
                known = ", ".join(self.parameter_names)
                raise ValueError(f"a parameter must be an index or one of {known}, got {each!r}")
            found.append(int(i) % self.x.size)
        return found

    def to_dicts(self) -> list[dict[str, Any]]:
        """One dict of plain Python values per parameter, for a data frame or a log.

        The keys are name, x, stderr, stderr_error, at_bound.
        """
        columns = self.x, self.stderr, self.stderr_error, self.at_bound
        return [
            dict(zip(("name", "x", "stderr", "stderr_error", "at_bound"), row, strict=True))
            for row in zip(self.parameter_names, *(c.tolist() for c in columns), strict=True)
        ]

    @property
    def _lengths(self) -> Array:
        """The standard errors or, where these are 0 or infinite, another estimate of the size."""
        return np.where(np.isfinite(self.stderr) & (self.stderr > 0), self.stderr, self._fit.unit)

    def _quantile(self, level: float) -> float:
        number(0, 1, above=True, below=True)("level", level, 0)
        p = (1 + level) / 2
        return float(ndtri(p) if math.isinf(self.dof) else stdtrit(self.dof, p))

    def _profile(self) -> Profile:
        fit, noise = self._fit, self._fit.objective.half * self.noise
        box = fit.free.box
        return Profile(fit.objective, self.x, box, fit.hessian, fit.unit, fit.variance, noise)

    def _warn_of_lower(self, profile: Profile) -> None:
        if profile.where is not None:
            depth = -2 * profile.lowest * self.up
            warnings.warn(
                f"`fun` is lower by {depth:.2g} at {profile.where.tolist()}: minimize it again "
                "from there; the intervals are for the minimum in `res`",
                OptimizeWarning,
                stacklevel=3,
            )

    def _report(self) -> tuple[str, list[list[str]], list[str]]:
        """The heading, the table as text, and the lines below it."""
        calls = [(self.nfev, "fun"), (self.njev, "jac"), (self.nhev, "hess")]
        counts = ", ".join(f"{count} of {name}" for count, name in calls if count)
        head = (
            f"{KINDS[self.kind]} {self.fun:.8g}, errors at a rise of {self.up:.4g}; calls: {counts}"
        )
        table = [["parameter", "value", "error", ""]]
        for i, name in enumerate(self.parameter_names):
            low, high = (side[i] for side in self._fit.free.box)
            held = "fixed" if low == high else "at its bound" if self.at_bound[i] else ""
            loose = "not determined" if np.isinf(self.stderr[i]) else ""
            table.append([name, *rounded(self.x[i], self.stderr[i]), held or loose])
        if not any(row[-1] for row in table):
            table = [row[:-1] for row in table]
        size = np.abs(np.triu(self.correlation, 1))
        order = [divmod(int(k), self.x.size) for k in np.argsort(-size, axis=None, kind="stable")]
        pairs = [
            f"{self.parameter_names[i]}, {self.parameter_names[j]} {self.correlation[i, j]:+.2f}"
            for i, j in order
            if size[i, j] > SHOWN
        ]
        more = [f"and {len(pairs) - MANY} more"] * (len(pairs) > MANY)
        below = ["correlations: " + "; ".join(pairs[:MANY] + more)] * bool(pairs)
        return head, table, below + list(self.notes)

    def __str__(self) -> str:
        head, table, below = self._report()
        return "\n".join([head, *aligned(table, (0, 3)), *below])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, table, below = self._report()
        foot = "<br>".join(map(escape, below))
        return f"<p>{escape(head)}</p>\n{as_html(table, (0, 3))}\n<p>{foot}</p>"


def uncertainty(
    fun: Callable[..., Any],
    res: Any,
    *,
    args: tuple[Any, ...] = (),
    jac: Callable[..., Any] | bool | None = None,
    hess: Callable[..., Any] | None = None,
    bounds: Any = None,
    kind: str = "nll",
    parameter_names: Sequence[str] | None = None,
    noise: float | None = None,
) -> Uncertainty:
    """Error bars for the result of any solver.

    Parameters
    ----------
    fun : callable
        The function that was minimized, ``fun(x, *args)``; see `kind`. It receives copies of shape
        (n,).
    res : OptimizeResult or array_like, shape (n,)
        The minimum: the result of a solver from this package or SciPy, or the parameters.
    args : tuple, optional
        Extra arguments of `fun`, `jac` and `hess`.
    jac : callable or True, optional
        The gradient of `fun`, ``jac(x, *args) -> array, shape (n,)``; for residuals, their Jacobian
        of shape (m, n), dense or sparse. True: `fun` returns ``(value, derivative)``. Default:
        finite differences.
    hess : callable, optional
        The Hessian of `fun`, ``hess(x, *args) -> array, shape (n, n)``; for residuals, that of the
        sum of their squares. Not for ``kind="least_squares"``. Default: differences of `jac` if
        given, otherwise of `fun`.
    bounds : Bounds or sequence of n pairs (low, high), optional
        The bounds within which `fun` was minimized. No evaluation leaves them. A parameter at its
        bound is held there: its error is 0, and the errors of the others are computed with it
        fixed.
    kind : {"nll", "chi2", "least_squares"}, default: "nll"
        The meaning of `fun`.

        - ``"nll"``: a negative log-likelihood, up to an additive constant.
        - ``"chi2"``: a chi-square, or a vector of residuals (m,), each in units of its known
          standard deviation.
        - ``"least_squares"``: a vector of residuals (m,), m > n, with one unknown standard
          deviation, which is estimated. If you know how their standard deviations are related,
          include that in the residuals, as weights.
    parameter_names : sequence of n str, optional
        Names for tables and plots. Default: those in `res`, otherwise ``x[0]``, ``x[1]``, ...
    noise : float, optional
        The size of the errors in the values of `fun`. Default: `res.noise`, if `res` has the value
        of this `fun`; otherwise it is estimated. Only used if second derivatives are estimated from
        values.

    Returns
    -------
    Uncertainty
        Covariance, standard errors, correlations; intervals, profiles, propagation; a table.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, before any work is done; if what `fun` returns does not match
        `kind`, or is not finite at `res`.

    Warns
    -----
    OptimizeWarning
        If some parameters are not determined, if `res` is not at a minimum, or if noise makes the
        errors themselves uncertain by more than a tenth. `Uncertainty.notes` has the same messages.

    Notes
    -----
    With the Hessian H of `fun`, the covariance is ``2 up inv(H)``. If `fun` is a parabola, it then
    rises by `up` when a parameter moves by its standard error and the others follow:

    - ``"nll"``: `up` is 1/2; the covariance is the inverse of the observed information.
    - ``"chi2"``: `up` is 1. For residuals, H is the Hessian of the sum of squares, including their
      second derivatives; without these it would be ``2 J.T @ J``, as in `scipy.optimize.curve_fit`
      with ``absolute_sigma=True``. The two are equal for a linear model and close for a good fit.
    - ``"least_squares"``: `up` is ``s**2 = r @ r / dof``, where dof is m minus the number of fitted
      parameters, and the covariance is ``s**2 inv(J.T @ J)``, as in `curve_fit` by default and in
      NIST's certified values. Intervals use Student's t with dof degrees of freedom, and profiles
      end where the sum of squares has risen by ``s**2 t**2``, which is ``s**2 F(1, dof)`` [1]_.

    Second derivatives from values use steps along which `fun` rises by a fraction of `up` that
    balances noise against higher derivatives, found by trial; without noise, about a thousandth of
    a standard error. Combinations that the first Hessian leaves nearly undetermined are measured
    again, along their own directions. This costs about ``n (n + 1) + 2 n`` calls, or half as many
    for 9 or more parameters, and 6 or more to estimate the noise [2]_. HESSE [3]_ does the same
    with fewer digits. Differences of `jac` take 2 n calls, like the Jacobian of residuals.

    A combination of parameters is undetermined if its curvature, in units in which that of each
    parameter is 1, cannot be distinguished from zero. The errors of its parameters are then
    infinite; other combinations keep theirs (`Uncertainty.propagate`).

    At points chosen by this function, an ArithmeticError or a ValueError from `fun` counts as a
    non-finite value, and NumPy's floating-point warnings are off. Any other exception propagates.

    References
    ----------
    .. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley
       1988, chapter 6, https://doi.org/10.1002/9780470316757
    .. [2] J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM Journal on Scientific
       Computing 33 (2011), 1292-1314, https://doi.org/10.1137/100786125
    .. [3] F. James, M. Roos, "Minuit", Computer Physics Communications 10 (1975), 343-367,
       https://doi.org/10.1016/0010-4655(75)90039-9

    Examples
    --------
    The lifetime of an exponential decay. Its error is known: the mean divided by the square root of
    the number of decays:

    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> from scipy_gd import lbfgs, uncertainty
    >>> sample = np.random.default_rng(0).exponential(2.0, 100)
    >>> def nll(p):
    ...     return sample.size * np.log(p[0]) + sample.sum() / p[0]
    >>> res = minimize(nll, [1.0], method=lbfgs, bounds=[(0.01, None)])
    >>> fit = uncertainty(nll, res, bounds=[(0.01, None)], parameter_names=["lifetime"])
    >>> print(fit)
    negative log-likelihood 185.92058, errors at a rise of 0.5; calls: ... of fun
    parameter  value  error
    lifetime    2.36   0.24
    >>> fit.profile().round(2)  # the likelihood is not symmetric
    array([[2.14, 2.61]])
    """
    if not callable(fun):
        raise TypeError(f"`fun` must be callable, got {shown(fun)}")
    if not (jac is None or jac is True or callable(jac)):
        raise TypeError(f"`jac` must be callable, True or None, got {shown(jac)}")
    if not (hess is None or callable(hess)):
        raise TypeError(f"`hess` must be callable or None, got {shown(hess)}")
    one_of(*KINDS)("kind", kind, 0)
    if hess is not None and kind == "least_squares":
        raise ValueError(
            '`hess` is not used for kind="least_squares": the covariance comes from `jac`'
        )
    x = starting_point(getattr(res, "x", res), "res")
    unlimited = np.full(x.size, np.inf)
    box = limits(bounds, x.size) or (-unlimited, unlimited)
    if bad := np.flatnonzero((x < box[0]) | (x > box[1])).tolist():
        raise ValueError(f"`res` is outside the bounds at component(s) {bad[:10]}")
    if parameter_names is None and isinstance(res, dict):
        parameter_names = res.get("parameter_names")
    names = _names(parameter_names, x.size)
    if noise is not None:
        number(0, math.inf, below=True)("noise", noise, 0)
    args = args if isinstance(args, tuple) else (args,)

    objective = Objective(fun, jac, hess, args, kind, x)
    size = _sizes(x, box)
    if noise is None and np.array_equal(getattr(res, "fun", np.nan), objective.origin):
        noise = getattr(res, "noise", None)  # of the same function
    noise = None if noise is None else objective.half * noise
    free = _Free(x, box, np.minimum(x - box[0], box[1] - x) > AT_BOUND * size)
    with np.errstate(all="ignore"):
        curvature, e = _curvature(objective, free, size, noise)
    found = _concluded(objective, free, size, curvature, e / objective.half, names)
    for note in found.notes:
        warnings.warn(note, OptimizeWarning, stacklevel=2)
    return found


def _names(given: Any, n: int) -> tuple[str, ...]:
    if given is None:
        return tuple(f"x[{i}]" for i in range(n))
    names = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    if len({*names}) != n or len(names) != n or not all(isinstance(name, str) for name in names):
        raise ValueError(f"`parameter_names` must be {n} different strings, got {shown(given)}")
    return names


def _sizes(x: Array, box: Box) -> Array:
    """The sizes of the parameters; for one that is 0, the width of its bounds, or else 1."""
    width = box[1] - box[0]
    return np.where(x != 0, np.abs(x), np.where(np.isfinite(width), width, 1.0))


def _curvature(
    c: Objective, free: _Free, size: Array, noise: float | None
) -> tuple[Curvature, float]:
    """The second derivatives of c with respect to the free parameters, from what is available.

    And the noise of c, 0 if it does not matter.
    """
    z, mask, box = free.z, free.mask, free.limits

    def value(z: Array) -> float:
        return c(free.lift(z))

    if c.hess:
        H = c.hessian(free.x)[np.ix_(mask, mask)]
        if c.jac:
            return by_hessian(H, c.gradient(free.x)[mask]), 0.0
        steps = np.minimum(SHORT / np.sqrt(np.abs(np.diag(H))), np.minimum(z - box[0], box[1] - z))
        g = slopes(value, z, np.diag(steps)) / steps
        return by_hessian(H, np.nan_to_num(g, posinf=0.0, neginf=0.0)), 0.0
    if c.kind == "least_squares":
        if c.jac:
            J, error = c.jacobian(free.x)[:, mask], EPS
        else:
            J = jacobian(lambda z: c.value(free.lift(z)), z, size[mask], box)
            error = ROUGH
        return by_factors(J, J.T @ c.origin, error), 0.0
    if c.jac:
        return by_gradients(lambda z: c.gradient(free.lift(z))[mask], z, size[mask], box), 0.0
    sigma = stride(value, z, size[mask], box)
    if noise is None:
        noise = _noise(value, c.half * c.f, z, sigma, box)
    floor = max(2 * EPS * c.half * abs(c.f), TINY)
    return by_values(value, z, sigma, box, max(noise, floor)), noise


def _noise(c: Callable[[Array], float], f: float, z: Array, sigma: Array, box: Box) -> float:
    """The errors of c, whose value is f, from as few values on a line as possible."""
    from ._evaluate.noise import Verdict, ecnoise, estimate, grain, longest_run  # imports Numba

    unit = CLOSE * sigma
    around = (box[0] - z) / unit, (box[1] - z) / unit
    dialogue = estimate(np.zeros(z.size), f, [], seed=0, box=around)
    points, every, steps = next(dialogue), [f], -1.0
    while True:
        values = [f + c(np.clip(z + point * unit, *box)) for point in points]
        every += values
        row = longest_run([f, *values])
        level, verdict = ecnoise(row) if len(row) > 4 else (math.inf, None)
        if verdict is Verdict.REPEATED:
            steps = max(steps, level)
        elif steps >= 0 and (last := grain(every, f)):  # values of few digits
            return max(steps, last)
        elif level < QUIET:
            return level
        try:
            points = dialogue.send(values)
        except StopIteration as end:
            return float(end.value)


def _concluded(
    c: Objective,
    free: _Free,
    size: Array,
    curvature: Curvature,
    noise: float,
    names: tuple[str, ...],
) -> Uncertainty:
    """What follows from the second derivatives."""
    estimated = c.kind == "least_squares"
    dof, variance = math.inf, 1.0
    if estimated:
        variance = c.f / max(c.origin.size - free.z.size, 1)
    with np.errstate(all="ignore"):
        inside = ~near(curvature.hessian / variance, free.z, free.limits)
    turned = axes(curvature, inside)
    if estimated:
        dof = _degrees_of_freedom(c.origin.size, turned.root.shape[1])
        variance = c.f / dof
    up = variance / (2 * c.half)
    root, doubts = (free.rows(part) * math.sqrt(variance) for part in (turned.root, turned.error))
    hessian = free.rows(free.rows(curvature.hessian * np.outer(inside, inside)).T)
    known = np.diag(hessian)
    unit = np.sqrt(variance / np.where(known > 0, known, 1.0))
    unit = np.where((known > 0) & (unit > 0), unit, STEP * size)
    at = free.rows(inside.astype(float)) > 0

    loose, falling = (distinct(free.rows(part), unit) for part in (turned.loose, turned.falling))
    flat = np.hstack([loose, falling])
    covariance = spread(root, flat)
    edm = float(np.sum((curvature.gradient @ turned.root) ** 2) / 2)
    far = math.sqrt(2 * edm / variance) if variance else 0.0
    notes = [*_of_loose(loose, names, noise), *(_of_falling(d, names) for d in falling.T)]
    if far > max(FAR, 3 * curvature.doubt * math.sqrt(turned.root.shape[1])):
        notes.append(
            f"`res` is not at a minimum: `fun` can fall by about {edm / c.half:.2g}, where the "
            f"parameters are {far:.2g} standard errors from here"
        )
    notes += _of_doubts(doubts, np.sqrt(np.diag(covariance)), names, noise)
    arrays = free.x, covariance, hessian / c.half, doubts, ~at, flat.T
    for array in arrays:
        array.flags.writeable = False
    x, covariance, hessian_of_fun, doubts, held, undetermined = arrays
    return Uncertainty(
        x=x,
        fun=c.f,
        covariance=covariance,
        hessian=hessian_of_fun,
        edm=edm / c.half,
        stderr_error=doubts,
        at_bound=held,
        undetermined=undetermined,
        up=up,
        dof=dof,
        noise=noise,
        notes=tuple(notes),
        kind=c.kind,
        parameter_names=names,
        nfev=c.nfev,
        njev=c.njev,
        nhev=c.nhev,
        _fit=_Fit(c, free._replace(mask=at), hessian, unit, variance, root, flat),
    )


def _degrees_of_freedom(residuals: int, determined: int) -> int:
    if residuals <= determined:
        raise ValueError(
            f"`fun` must return more residuals than the {determined} parameters they determine "
            f'for kind="least_squares", got {residuals}'
        )
    return residuals - determined


def _of_loose(directions: Array, names: Sequence[str], noise: float) -> Iterator[str]:
    """Notes on what is not determined."""
    unseen = f", as far as can be seen through noise of {noise:.1e}" if noise > LOUD else ""
    for d in directions.T:
        which = [name for name, part in zip(names, d, strict=True) if part]
        if len(which) == 1:
            yield f"{which[0]} is not determined: `fun` does not change with it{unseen}"
        else:
            several = f"{', '.join(which[:-1])} and {which[-1]} are determined only in combination"
            yield f"{several}: {combination(d, names)} can take any value{unseen}"


def _of_doubts(
    doubts: Array, deviation: Array, names: Sequence[str], noise: float
) -> Iterator[str]:
    parts = np.divide(doubts, deviation, out=np.zeros_like(doubts), where=deviation > 0)
    if (worst := float(parts.max())) > UNSURE:
        yield (
            f"the noise of `fun`, {noise:.1e}, makes the error of {names[int(parts.argmax())]} "
            f"uncertain by {min(worst, 9.99):.0%}"
        )


def _of_falling(direction: Array, names: Sequence[str]) -> str:
    return f"`res` is not at a minimum: `fun` falls along {combination(direction, names)}"
