"""Standard test problems for optimizers, compiled with Numba.

Each factory returns a `Problem`: a function with its gradient, Hessian and Hessian product,
starting points, and the global minimizers that a method should find. Functions are compiled on
their first call and cached on disk for later sessions.

>>> from scipy_gd.problems import himmelblau
>>> p = himmelblau()
>>> p.n, len(p.minima), p.minima[0], p.fun(p.x0)
(2, 4, array([3., 2.]), 26.0)

Every function takes ``(x, *args)`` with ``x`` a C-contiguous 1-d float64 array, as
`scipy.optimize.minimize` calls it, and returns new arrays.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False
from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds

from .arguments import count, number, real_numbers

__all__ = [
    "PROBLEMS",
    "Problem",
    "beale",
    "himmelblau",
    "linear_regression",
    "logistic_regression",
    "quadratic",
    "rosenbrock",
    "saddle",
]

Array = NDArray[np.float64]
Function = Callable[..., Any]
FUNCTIONS = ("fun", "jac", "fun_and_jac", "hess", "hessp")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A function to minimize, with its derivatives and its known solution.

    Parameters
    ----------
    name : str
        Name of the factory in `PROBLEMS`.
    fun, jac, hess : callable
        ``fun(x, *args)``, the value at ``x`` of shape (n,); the gradient, of shape (n,); the
        Hessian, of shape (n, n).
    fun_and_jac : callable
        ``fun_and_jac(x, *args) -> (float, ndarray)``, both at once, for ``jac=True``.
    hessp : callable
        ``hessp(x, p, *args)``, the Hessian times ``p``, both of shape (n,).
    args : tuple
        The data of the problem, to pass to the five functions.
    starts : tuple of ndarray
        Usual starting points, each of shape (n,), read-only; at least one.
    minima : tuple of ndarray
        All global minimizers, each of shape (n,), read-only; empty if there are none.
    f_min : float
        The value at the minima; ``-inf`` if the function is unbounded below.
    bounds : scipy.optimize.Bounds or None
        The box within which ``minima`` and ``f_min`` hold; None for the whole space.
    title : str
        A one-line description of the problem.
    source : str
        The source of the problem, or of its data.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from scipy_gd.problems import rosenbrock
    >>> p = rosenbrock()
    >>> p.n, p.x0, float(p.plain.fun(p.minima[0]))
    (2, array([-1.2,  1. ]), 0.0)
    >>> result = minimize(p.fun_and_jac, p.x0, p.args, method="BFGS", jac=True)
    >>> p.distance(result.x) < 1e-5
    True
    """

    name: str
    fun: Callable[..., float]
    jac: Callable[..., Array]
    fun_and_jac: Callable[..., tuple[float, Array]]
    hess: Callable[..., Array]
    hessp: Callable[..., Array]
    args: tuple[Any, ...]
    starts: tuple[Array, ...]
    minima: tuple[Array, ...]
    f_min: float
    bounds: Bounds | None
    title: str
    source: str

    def __repr__(self) -> str:
        return f"<Problem {self.name}, n={self.n}: {self.title}>"

    @property
    def x0(self) -> Array:
        """The first starting point, of shape (n,), as a new writable array."""
        return self.starts[0].copy()

    @property
    def n(self) -> int:
        """The number of variables."""
        return self.starts[0].size

    @property
    def plain(self) -> Problem:
        """The same problem with its five functions in plain Python, not compiled."""
        functions = {name: getattr(self, name) for name in FUNCTIONS}
        python = {name: getattr(f, "py_func", f) for name, f in functions.items()}
        return dataclasses.replace(self, **python)

    def distance(self, x: ArrayLike) -> float:
        """The Euclidean distance from x to the nearest global minimizer; NaN if there is none."""
        distances = (float(np.linalg.norm(np.subtract(x, m))) for m in self.minima)
        return min(distances, default=math.nan)


_jit = functools.cache(njit(cache=True))
"""One compiled function for all problems of a kind, cached on disk."""


def _frozen(arrays: Iterable[ArrayLike]) -> tuple[Array, ...]:
    copies = tuple(np.array(a, dtype=float, order="C") for a in arrays)
    for a in copies:
        a.flags.writeable = False
    return copies


def _problem(
    functions: tuple[Function, Function, Function, Function, Function],
    *,
    starts: Iterable[ArrayLike],
    minima: Iterable[ArrayLike],
    args: Iterable[ArrayLike] = (),
    **others: Any,
) -> Problem:
    given: dict[str, Any] = {"f_min": 0.0, "bounds": None} | others
    given |= zip(FUNCTIONS, map(_jit, functions), strict=True)
    return Problem(args=_frozen(args), starts=_frozen(starts), minima=_frozen(minima), **given)


# The functions below are plain Python. `_jit` compiles them; `register_jitable` marks those that
# others call, so that compiled code calls them compiled and plain code calls them plain.

# --------------------------------------------------------------------------------- rosenbrock


@register_jitable
def _rosenbrock(x):
    f = 0.0
    for i in range(x.size - 1):
        f += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return f


@register_jitable
def _rosenbrock_jac(x):
    g = np.zeros(x.size)
    for i in range(x.size - 1):
        t = x[i + 1] - x[i] ** 2
        g[i] -= 400 * x[i] * t + 2 * (1 - x[i])
        g[i + 1] += 200 * t
    return g


def _rosenbrock_both(x):
    return _rosenbrock(x), _rosenbrock_jac(x)


def _rosenbrock_hess(x):
    h = np.zeros((x.size, x.size))
    for i in range(x.size - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i, i + 1] = h[i + 1, i] = -400 * x[i]
        h[i + 1, i + 1] += 200
    return h


def _rosenbrock_hessp(x, p):
    hp = np.zeros(x.size)
    for i in range(x.size - 1):
        hp[i] += (1200 * x[i] ** 2 - 400 * x[i + 1] + 2) * p[i] - 400 * x[i] * p[i + 1]
        hp[i + 1] += 200 * p[i + 1] - 400 * x[i] * p[i]
    return hp


def rosenbrock(n: int = 2) -> Problem:
    """Rosenbrock's banana valley, chained through n variables.

    ::

        f(x) = sum(100 * (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)

    Methods find the curved valley at once, but follow it slowly. The minimum is 0 at (1, ..., 1);
    for n >= 4 there is a second, local minimum near (-1, 1, ..., 1). The starting point is (-1.2,
    1, -1.2, 1,
    ...) or, farther off, at (4, -4.1, 4, -4.1, ...).

    Parameters
    ----------
    n : int, default 2
        Number of variables, at least 2.

    References
    ----------
    .. [1] H. H. Rosenbrock, "An automatic method for finding the greatest or least value of a
       function", The Computer Journal 3 (1960), 175-184.
    .. [2] S. Kok and C. Sandrock, "Locating and characterizing the stationary points of the
       extended Rosenbrock function", Evolutionary Computation 17 (2009), 437-453.
    """
    n = count(2)("n", n, 0)
    return _problem(
        (_rosenbrock, _rosenbrock_jac, _rosenbrock_both, _rosenbrock_hess, _rosenbrock_hessp),
        starts=[np.resize([-1.2, 1.0], n), np.resize([4.0, -4.1], n)],
        minima=[np.ones(n)],
        name="rosenbrock",
        title="a narrow curved valley",
        source="H. H. Rosenbrock, The Computer Journal 3 (1960), 175-184",
    )


# ---------------------------------------------------------------------------------- quadratic


@register_jitable
def _quadratic_jac(x, A, c):
    return A @ (x - c)


@register_jitable
def _quadratic_both(x, A, c):
    g = _quadratic_jac(x, A, c)
    return 0.5 * ((x - c) @ g), g


def _quadratic(x, A, c):
    return _quadratic_both(x, A, c)[0]


def _quadratic_hess(x, A, c):
    return A.copy()


def _quadratic_hessp(x, p, A, c):
    return A @ p


def quadratic(
    n: int = 10, condition: float = 100.0, rng: int | np.random.Generator | None = 0
) -> Problem:
    """A convex quadratic with a given condition number.

    ::

        f(x) = 1/2 (x - c) @ A @ (x - c),  A = Q @ diag(eigenvalues) @ Q.T

    The eigenvalues go from 1 to ``condition`` in equal ratios (for n = 1, there is only the first);
    the orthogonal Q, the minimizer c and the starting point are random. The minimum is 0. ``args``
    is ``(A, c)``, of shapes (n, n) and (n,).

    Parameters
    ----------
    n : int, default 10
        Number of variables, at least 1.
    condition : float, default 100.0
        Ratio of the largest to the smallest eigenvalue of A, at least 1.
    rng : int, numpy.random.Generator or None, default 0
        Seed or generator, as for `numpy.random.default_rng`; None draws a new problem each time.

    References
    ----------
    .. [1] J. Nocedal and S. J. Wright, "Numerical Optimization", 2nd ed., Springer, 2006,
       section 3.3: steepest descent gains a factor ((k - 1) / (k + 1))^2 per step, where k is the
       condition number.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy_gd.problems import quadratic
    >>> A, c = quadratic(n=3, condition=1e4).args
    >>> bool(np.isclose(np.linalg.cond(A), 1e4))
    True
    """
    n = count(1)("n", n, 0)
    condition = number(1, below=True)("condition", condition, 0)
    rng = np.random.default_rng(rng)
    Q = np.linalg.qr(rng.standard_normal((n, n))).Q
    A = (Q * np.geomspace(1, condition, n)) @ Q.T
    c, start = rng.standard_normal((2, n))
    return _problem(
        (_quadratic, _quadratic_jac, _quadratic_both, _quadratic_hess, _quadratic_hessp),
        args=((A + A.T) / 2, c),
        starts=[start],
        minima=[c],
        name="quadratic",
        title=f"a convex quadratic with condition number {condition:g}",
        source="J. Nocedal and S. J. Wright, Numerical Optimization, 2nd ed., 2006, section 3.3",
    )


# ------------------------------------------------------------------------------------- saddle


@register_jitable
def _saddle(x):
    return x[0] ** 2 - x[1] ** 2


@register_jitable
def _saddle_jac(x):
    return np.array([2 * x[0], -2 * x[1]])


def _saddle_both(x):
    return _saddle(x), _saddle_jac(x)


def _saddle_hess(x):
    return np.array([[2.0, 0.0], [0.0, -2.0]])


def _saddle_hessp(x, p):
    return np.array([2 * p[0], -2 * p[1]])


def saddle() -> Problem:
    """The saddle, in a box.

    ::

        f(x, y) = x**2 - y**2,  |x|, |y| <= 2

    Within ``bounds``, the minima are -4 at (0, -2) and (0, 2); without them, the function is
    unbounded below, and a method should say so rather than stop at the saddle point. The starting
    points are (1, 0.001), beside the ridge, and (1, 0), on it, where the gradient leads straight to
    the saddle point (0, 0).

    References
    ----------
    .. [1] J. D. Lee, M. Simchowitz, M. I. Jordan and B. Recht, "Gradient descent only converges
       to minimizers", Conference on Learning Theory, PMLR 49 (2016), 1246-1257.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from scipy_gd.problems import saddle
    >>> p = saddle()
    >>> result = minimize(p.fun, p.x0, jac=p.jac, method="L-BFGS-B", bounds=p.bounds)
    >>> abs(result.x).round(4)
    array([0., 2.])
    """
    return _problem(
        (_saddle, _saddle_jac, _saddle_both, _saddle_hess, _saddle_hessp),
        starts=[[1.0, 1e-3], [1.0, 0.0]],
        minima=[[0.0, -2.0], [0.0, 2.0]],
        f_min=-4.0,
        bounds=Bounds([-2.0, -2.0], [2.0, 2.0]),
        name="saddle",
        title="a saddle point that attracts along one axis and repels along the other",
        source="J. D. Lee et al., Conference on Learning Theory, PMLR 49 (2016), 1246-1257",
    )


# -------------------------------------------------------------------------------------- beale


@register_jitable
def _beale_residuals(x):
    a, b = x[0], x[1]
    return np.array([1.5 - a * (1 - b), 2.25 - a * (1 - b**2), 2.625 - a * (1 - b**3)])


@register_jitable
def _beale_residuals_jac(x):
    a, b = x[0], x[1]
    return np.array([[b - 1, a], [b**2 - 1, 2 * a * b], [b**3 - 1, 3 * a * b**2]])


@register_jitable
def _beale(x):
    return np.sum(_beale_residuals(x) ** 2)


@register_jitable
def _beale_jac(x):
    return 2 * (_beale_residuals(x) @ _beale_residuals_jac(x))


def _beale_both(x):
    return _beale(x), _beale_jac(x)


@register_jitable
def _beale_hess(x):
    r, J = _beale_residuals(x), _beale_residuals_jac(x)
    ab = r @ np.array([1, 2 * x[1], 3 * x[1] ** 2])
    bb = r @ np.array([0, 2 * x[0], 6 * x[0] * x[1]])
    return 2 * (J.T @ J + np.array([[0, ab], [ab, bb]]))


def _beale_hessp(x, p):
    return _beale_hess(x) @ p


def beale() -> Problem:
    """Beale's function: flat corners, steep walls.

    ::

        f(x, y) = (1.5 - x (1 - y))**2 + (2.25 - x (1 - y**2))**2 + (2.625 - x (1 - y**3))**2

    The minimum is 0 at (3, 0.5); the starting point is (1, 1). A method that strays to x < 0, y > 1
    may follow another valley forever, where f falls to 0.452 as x goes to minus infinity and y to
    1.

    References
    ----------
    .. [1] E. M. L. Beale, "On an iterative method for finding a local minimum of a function of
       more than one variable", Technical Report 25, Princeton University, 1958.
    .. [2] J. J. Moré, B. S. Garbow and K. E. Hillstrom, "Testing unconstrained optimization
       software", ACM Transactions on Mathematical Software 7 (1981), 17-41, problem 5.
    """
    return _problem(
        (_beale, _beale_jac, _beale_both, _beale_hess, _beale_hessp),
        starts=[[1.0, 1.0]],
        minima=[[3.0, 0.5]],
        name="beale",
        title="flat corners between steep walls",
        source="E. M. L. Beale, Technical Report 25, Princeton University, 1958",
    )


# --------------------------------------------------------------------------------- himmelblau


@register_jitable
def _himmelblau(x):
    a, b = x[0], x[1]
    return (a**2 + b - 11) ** 2 + (a + b**2 - 7) ** 2


@register_jitable
def _himmelblau_jac(x):
    a, b = x[0], x[1]
    u, v = a**2 + b - 11, a + b**2 - 7
    return np.array([4 * a * u + 2 * v, 2 * u + 4 * b * v])


def _himmelblau_both(x):
    return _himmelblau(x), _himmelblau_jac(x)


@register_jitable
def _himmelblau_hess(x):
    a, b = x[0], x[1]
    ab = 4 * (a + b)
    return np.array([[12 * a**2 + 4 * b - 42, ab], [ab, 12 * b**2 + 4 * a - 26]])


def _himmelblau_hessp(x, p):
    return _himmelblau_hess(x) @ p


def himmelblau() -> Problem:
    """Himmelblau's function, with four equal minima.

    ::

        f(x, y) = (x**2 + y - 11)**2 + (x + y**2 - 7)**2

    The minima are 0, one in each quadrant, listed in the order of the quadrants, like the starting
    points: (2, 2), (-2, 2), (-2, -2), (2, -2).

    References
    ----------
    .. [1] D. M. Himmelblau, "Applied Nonlinear Programming", McGraw-Hill, 1972.
    """
    return _problem(
        (_himmelblau, _himmelblau_jac, _himmelblau_both, _himmelblau_hess, _himmelblau_hessp),
        starts=[[2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0], [2.0, -2.0]],
        # The roots of x^2 + y = 11, x + y^2 = 7, correctly rounded.
        minima=[
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.2831859912861696],
            [3.5844283403304917, -1.8481265269644036],
        ],
        name="himmelblau",
        title="four equal minima",
        source="D. M. Himmelblau, Applied Nonlinear Programming, McGraw-Hill, 1972",
    )


# ---------------------------------------------------------------------------- linear regression


@register_jitable
def _half_mean_square(r):
    return 0.5 * (r @ r) / r.size


def _linear(w, A, y):
    return _half_mean_square(A @ w - y)


@register_jitable
def _linear_both(w, A, y):
    r = A @ w - y
    return _half_mean_square(r), A.T @ r / y.size


def _linear_jac(w, A, y):
    return _linear_both(w, A, y)[1]


def _linear_hess(w, A, y):
    return A.T @ A / y.size


def _linear_hessp(w, p, A, y):
    return A.T @ (A @ p) / y.size


def _table(text: str) -> tuple[Array, Array]:
    x, y = np.array(text.split(), dtype=float).reshape(-1, 2).T
    return x[:, None], y


_NORRIS = _table("""
      0.2   0.1    337.4 338.8    118.2 118.1    884.6 888.0     10.1   9.2    226.5 228.1
    666.3 668.5    996.3 998.5    448.6 449.1    777.0 778.9    558.2 559.2      0.4   0.3
      0.6   0.1    775.5 778.1    666.9 668.8    338.0 339.3    447.5 448.9     11.6  10.8
    556.0 557.7    228.1 228.3    995.8 998.0    887.6 888.8    120.2 119.6      0.3   0.3
      0.3   0.6    556.8 557.6    339.1 339.3    887.2 888.0    999.0 998.5    779.0 778.9
     11.1  10.2    118.3 117.6    229.2 228.9    669.1 668.4    448.9 449.2      0.5   0.2
""")


def _real_array(name: str, given: ArrayLike, ndim: int) -> Array:
    a = real_numbers(given)
    if a is None:
        raise TypeError(f"`{name}` must be an array of real numbers, got {given!r:.60}")
    if a.ndim != ndim or a.size == 0 or not np.isfinite(a).all():
        raise ValueError(
            f"`{name}` must be {ndim}-dimensional, non-empty and finite, got shape {a.shape}"
        )
    return a.astype(float)


def _data(
    X: ArrayLike | None, y: ArrayLike | None, default: tuple[Array, Array], source: str
) -> tuple[Array, Array, str]:
    """Return the design matrix ``[X 1]``, the responses and their source."""
    if X is None and y is None:
        X, y = default
    elif X is None or y is None:
        raise ValueError("`X` and `y` must be given together")
    else:
        source = "data given by the caller"
    X, y = _real_array("X", X, 2), _real_array("y", y, 1)
    if len(y) != len(X):
        raise ValueError(f"`y` must have one entry per row of `X`, got {len(y)} for {len(X)} rows")
    return np.column_stack([X, np.ones(len(X))]), y, source


def linear_regression(X: ArrayLike | None = None, y: ArrayLike | None = None) -> Problem:
    """Linear regression by least squares, with an intercept.

    ::

        f(w) = 1/2 mean((A @ w - y)**2),  A = (X, 1)

    The default data are the 36 calibrations of an ozone monitor in NIST's reference data set
    Norris, not rescaled, so that the condition number is about 10^6. NIST certifies the slope
    1.00211681802045 and the intercept -0.262323073774029.

    There are n = k + 1 variables, the last of which is the intercept, and the starting point is 0.
    ``args`` is ``(A, y)``, with A of shape (m, n). If the columns of A are linearly dependent,
    there are many minimizers, and ``minima`` holds the shortest.

    Parameters
    ----------
    X : array_like, shape (m, k), optional
        Predictors, without a column of ones.
    y : array_like, shape (m,), optional
        Responses.

    References
    ----------
    .. [1] NIST/ITL Statistical Reference Datasets, linear regression, Norris,
       https://www.itl.nist.gov/div898/strd/lls/data/Norris.shtml

    Examples
    --------
    >>> from scipy_gd.problems import linear_regression
    >>> slope, intercept = linear_regression().minima[0]
    >>> print(f"{slope:.10f} {intercept:.10f}")
    1.0021168180 -0.2623230738
    """
    A, y, source = _data(X, y, _NORRIS, "NIST Statistical Reference Datasets, Norris")
    minimum = np.linalg.lstsq(A, y, rcond=None)[0]
    return _problem(
        (_linear, _linear_jac, _linear_both, _linear_hess, _linear_hessp),
        args=(A, y),
        starts=[np.zeros_like(minimum)],
        minima=[minimum],
        f_min=float(_linear(minimum, A, y)),
        name="linear_regression",
        title=f"least squares on {A.shape[0]} x {A.shape[1]} data",
        source=source,
    )


# -------------------------------------------------------------------------- logistic regression


@register_jitable
def _log_loss(z):
    """log(1 + exp(-z)), without overflow."""
    return np.logaddexp(0.0, -z)


@register_jitable
def _penalised_mean(loss, w, penalty):
    return loss.mean() + 0.5 * (penalty @ w**2)


@register_jitable
def _logistic(w, A, y, penalty):
    return _penalised_mean(_log_loss(y * (A @ w)), w, penalty)


@register_jitable
def _logistic_both(w, A, y, penalty):
    z = y * (A @ w)
    loss = _log_loss(z)
    wrong = np.exp(-z - loss)  # 1 / (1 + exp(z)), the probability of the other label
    return _penalised_mean(loss, w, penalty), penalty * w - A.T @ (y * wrong) / y.size


@register_jitable
def _logistic_jac(w, A, y, penalty):
    return _logistic_both(w, A, y, penalty)[1]


@register_jitable
def _logistic_weights(w, A, y):
    z = A @ w
    return np.exp(-z - 2 * _log_loss(z)) / y.size  # the variance of each label, over m


def _logistic_hess(w, A, y, penalty):
    return A.T @ (_logistic_weights(w, A, y)[:, None] * A) + np.diag(penalty)


def _logistic_hessp(w, p, A, y, penalty):
    return A.T @ (_logistic_weights(w, A, y) * (A @ p)) + penalty * p


# Temperature in degrees Fahrenheit, and 1 for thermal distress of any O-ring, by flight.
_temperature, _distress = _table("""
    66 0    70 1    69 0    68 0    67 0    72 0    73 0    70 0    57 1    63 1    70 1    78 0
    67 0    53 1    67 0    75 0    70 0    81 0    76 0    79 0    75 1    76 0    58 1
""")
_CHALLENGER = (_temperature - _temperature.mean()) / _temperature.std(), _distress


def _newton(fun, jac, hess, x, args):
    """Minimize a positive convex function by Newton's method, halving uphill steps."""
    for _ in range(100):
        step = -np.linalg.solve(hess(x, *args), jac(x, *args))
        while fun(x + step, *args) > fun(x, *args) * (1 + 1e-12):
            step /= 2
        x = x + step
        if np.linalg.norm(step) <= 1e-8 * (1 + np.linalg.norm(x)):  # the error is its square
            return x
    raise np.linalg.LinAlgError("Newton's method did not converge")


def logistic_regression(
    X: ArrayLike | None = None, y: ArrayLike | None = None, l2: float = 1e-2
) -> Problem:
    """Logistic regression with an intercept and an L2 penalty.

    ::

        f(w) = mean(log(1 + exp(-y * (A @ w)))) + l2/2 sum(w[:-1]**2),  A = (X, 1),  y = -1 or 1

    The default data are the 23 flights of the space shuttle before the loss of Challenger: the
    temperature at launch, standardized, and whether any O-ring showed thermal distress.

    There are n = k + 1 variables, the last of which is the intercept, and the starting point is 0.
    ``args`` is ``(A, y, penalty)``, of shapes (m, n), (m,) and (n,), with labels -1 and 1.

    Parameters
    ----------
    X : array_like, shape (m, k), optional
        Predictors, without a column of ones.
    y : array_like, shape (m,), optional
        Labels, 0 and 1 or -1 and 1; both must occur.
    l2 : float, default 0.01
        The penalty on all variables except the intercept, at least 0, and large enough for a unique
        minimum.

    References
    ----------
    .. [1] S. R. Dalal, E. B. Fowlkes and B. Hoadley, "Risk analysis of the space shuttle:
       pre-Challenger prediction of failure", Journal of the American Statistical Association 84
       (1989), 945-957.

    Examples
    --------
    The colder the launch, the more likely the distress:

    >>> from scipy_gd.problems import logistic_regression
    >>> print(logistic_regression().minima[0].round(3))
    [-1.434 -1.069]
    """
    A, y, source = _data(
        X, y, _CHALLENGER, "S. R. Dalal et al., J. Amer. Statist. Assoc. 84 (1989), 945-957"
    )
    if set(y) not in ({0.0, 1.0}, {-1.0, 1.0}):
        raise ValueError(f"`y` must contain the labels 0 and 1, or -1 and 1, got {np.unique(y)}")
    y = np.where(y > 0, 1.0, -1.0)
    l2 = number(0, below=True)("l2", l2, 0)
    penalty = np.full(A.shape[1], float(l2))
    penalty[-1] = 0
    args, start = (A, y, penalty), np.zeros(A.shape[1])
    try:
        minimum = _newton(_logistic, _logistic_jac, _logistic_hess, start, args)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "`l2` must be larger for the minimum to be unique (the labels are separable or the "
            f"columns of `X` are linearly dependent), got {l2}"
        ) from error
    return _problem(
        (_logistic, _logistic_jac, _logistic_both, _logistic_hess, _logistic_hessp),
        args=args,
        starts=[start],
        minima=[minimum],
        f_min=float(_logistic(minimum, *args)),
        name="logistic_regression",
        title=f"log-loss on {A.shape[0]} x {A.shape[1]} data, with L2 penalty {l2:g}",
        source=source,
    )


PROBLEMS: dict[str, Callable[..., Problem]] = {
    "rosenbrock": rosenbrock,
    "quadratic": quadratic,
    "saddle": saddle,
    "beale": beale,
    "himmelblau": himmelblau,
    "linear_regression": linear_regression,
    "logistic_regression": logistic_regression,
}
