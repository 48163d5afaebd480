"""Run a method from many starts: the distinct minima, and what is known about unseen ones.

`minimize_many` runs rounds of starts. What a round finds decides whether there is another one, and
how its starts are drawn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numba.extending import is_jitted
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, OptimizeResult
from scipy.stats import qmc

from ._run.many import minimize_many
from .arguments import count, flag, generator, limits, number, positive, real_numbers, shown
from .methods import lbfgs
from .study.progress import announce
from .tables import Column, Table, one_line
from .workers import mapping

__all__ = ["Minima", "Minimum", "MultistartResult", "multistart"]

Array = NDArray[np.float64]
Box = tuple[Array, Array]
SAMPLES = 5
"""Values per start drawn: runs start from the lowest of them. Without a gradient, when runs take
more values, at least twice the number of parameters."""
LEAPS = 0.9
"""The largest fraction of starts that are built from earlier results."""
FACTOR = 0.5
"""The fraction of the difference between two end points that is added to the best one."""
ANY = 0.2
"""How often these two are arbitrary ones, since the good ones may have become too similar."""
ROUGH = 1e-3
"""The `ftol` of runs from such starts: only those that get below the best one continue."""
NOWHERE = -1
"""The index of no minimum."""
SHOWN = 8


class Minimum(NamedTuple):
    """A minimum found by `multistart`.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The lowest of the points that count as this minimum.
    fun : float
        The function value.
    found : int
        The number of runs that ended there.
    """

    x: Array
    fun: float
    found: int


def _point(x: Array) -> str:
    return one_line(np.array2string(x, precision=5))


@dataclass(frozen=True, eq=False, repr=False)
class Minima(Table[Minimum]):
    """The distinct minima, lowest first; prints as a table.

    Attributes
    ----------
    rows : tuple of Minimum
        The minima; also available by index, as in ``minima[0].x``.
    """

    rows: tuple[Minimum, ...]

    @property
    def x(self) -> Array:
        """ndarray, shape (w, n) : the points."""
        return np.array([row.x for row in self.rows])

    @property
    def fun(self) -> Array:
        """ndarray, shape (w,) : their values, in ascending order."""
        return np.array([row.fun for row in self.rows])

    @property
    def found(self) -> NDArray[np.int64]:
        """ndarray, shape (w,) : how many runs found each of them."""
        return np.array([row.found for row in self.rows], int)

    @property
    def title(self) -> str:
        """str : the number of minima."""
        return f"{len(self)} {'minimum' if len(self) == 1 else 'minima'}"

    @property
    def columns(self) -> Mapping[str, Column]:
        return {
            "fun": Column("f", lambda row: row.fun, "{:.8g}".format),
            "found": Column("found", lambda row: row.found),
            "x": Column("x", lambda row: row.x, _point, left=True),
        }

    def label(self, row: Minimum) -> str:
        """Name a row by its value."""
        return f"{row.fun:.8g}"


class MultistartResult(OptimizeResult):  # type: ignore[misc]
    """The result of `multistart`: that of the best run, with a summary of the others.

    Attributes
    ----------
    x, fun, jac, ... :
        The results of the lowest run, including anything else that its method returns, such as
        `stderr`.
    success : bool
        Whether that run reached a minimum and no further minima are expected. For given starts:
        whether the best run reached a minimum.
    status : int
        0: success. 1: the starts, or `maxfev`, are used up. 2: the best run did not reach a
        minimum. 3: no run ended at a finite value.
    message : str
        Why the search ended, and what is known about unseen minima.
    minima : Minima
        The distinct minima, sorted by value, with the number of times each was found.
    nfev, njev, nhev, nit : int
        Totals over all runs; `nfev` includes the values used to choose starts.
    n_starts : int
        The number of runs.
    n_uniform : int
        The number of runs from starts spread over the bounds that reached a minimum.
    expected : float
        The expected number of minima, estimated from those found by `n_uniform` starts; infinite if
        too many of these starts found new ones.
    unseen : float
        The probability that another such start leads to a new minimum.
    endings : dict
        The number of runs for each message.
    runs : OptimizeResult
        All runs, as arrays of length k: `x0`, `x`, `fun`, `success`, `status`, and `minimum`, the
        index in `minima` (-1: none).

    Examples
    --------
    >>> from scipy_gd import multistart
    >>> res = multistart(lambda x: (x[0] ** 2 - 1) ** 2 + 0.1 * x[0], [(-2, 2)], rng=0)
    >>> res.minima.x.round(2).tolist(), round(res.minima[0].fun, 2)
    ([[-1.01], [0.99]], -0.1)
    >>> res.runs.minimum.shape == (res.n_starts,)
    True
    """

    def __repr__(self) -> str:
        lines = [f"{name:>8}: {self[name]}" for name in ("message", "success", "fun", "x")]
        lines.append(f"    runs: {self.n_starts:,}, nfev: {self.nfev:,}, njev: {self.njev:,}")
        lines.append(self.minima.title)
        if self.minima:
            lines += str(Minima(self.minima.rows[:SHOWN])).splitlines()[1:]
        if len(self.minima) > SHOWN:
            lines.append(f"... {len(self.minima) - SHOWN} more")
        return "\n".join(lines)

    def plot(self, path: Any = None, **options: Any) -> Any:
        """Draw the minima with `scipy_gd.plot.multistart`; returns the Figure.

        Parameters
        ----------
        path : str or path-like, optional
            Where to save the figure; the extension sets the format.
        **options
            Passed on to `scipy_gd.plot.multistart`.
        """
        from .plot import multistart

        figure = multistart(self, **options).figure
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


class _Distinct:
    """Distinct points, in the order in which they were found."""

    def __init__(self, reach: Array) -> None:
        self.reach = reach
        self.x = np.empty((0, reach.size))
        self.fun, self.count = np.empty(0), np.empty(0, int)

    def __len__(self) -> int:
        return len(self.fun)

    def place(self, x: Array, f: float, new: bool = True) -> int:
        """The index of the point that x counts as; NOWHERE if it is far from all and not new."""
        near = np.flatnonzero((np.abs(self.x - x) <= self.reach).all(axis=1))
        if near.size:
            i = int(near[np.argmin(self.fun[near])])
            self.count[i] += 1
            if new and f < self.fun[i]:
                self.x[i], self.fun[i] = x, f
            return i
        if not new:
            return NOWHERE
        self.x, self.fun = np.vstack([self.x, x]), np.append(self.fun, f)
        self.count = np.append(self.count, 1)
        return len(self) - 1


def _expected(w: int, k: int) -> float:
    """The expected number of minima if k runs found w."""
    return w * (k - 1) / (k - w - 2) if k > w + 2 else math.inf


def _unseen(w: int, k: int) -> float:
    """The expected fraction of starts that lead to other ones."""
    return min(w * (w + 1) / (k * (k - 1)), 1.0) if k > 1 else 1.0


class _Objective:
    """The criterion for starts: the value, or half the sum of the squared residuals."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...], both: bool) -> None:
        self.fun, self.args, self.both = fun, args, both

    def __call__(self, x: Array) -> float:
        try:
            found = self.fun(x.copy(), *self.args)
        except (ArithmeticError, ValueError):  # the domain of math.log, an indefinite matrix
            return math.inf
        r = real_numbers(found[0] if self.both else found)
        if r is None or r.size == 0:
            raise TypeError(f"`fun` must return real numbers, got {shown(found)}")
        f = float(r.item() if r.size == 1 else np.sum(np.square(r, dtype=float)) / 2)
        return f if math.isfinite(f) else math.inf


class _Draw:
    """The starting points of runs."""

    def __init__(self, box: Box, samples: int, rng: np.random.Generator) -> None:
        self.low, self.high, self.samples, self.rng = *box, samples, rng
        self.points = self._sobol()

    def _sobol(self) -> Iterator[Array]:
        sobol = qmc.Sobol(self.low.size, rng=self.rng)
        while True:
            yield from self.low + sobol.random(256) * (self.high - self.low)

    def uniform(self, k: int, value: _Objective, map_: Any) -> list[Array]:
        """The k lowest of the next points of a Sobol sequence."""
        points = list(islice(self.points, k * self.samples))
        values = list(map_(value, points))
        return [points[i] for i in np.argsort(values, kind="stable")[:k]]

    def leap(self, ends: _Distinct) -> Array:
        """The best end point, moved along part of the difference of two others."""
        rng, n = self.rng, self.low.size
        order = np.argsort(ends.fun, kind="stable")
        some = order if rng.random() < ANY else order[: max(4, 2 * n)]
        best, (a, b) = ends.x[order[0]], ends.x[rng.choice(some, 2, replace=False)]
        moved = rng.random(n) < rng.random()
        moved[rng.integers(n)] = True
        x = best + moved * FACTOR * (a - b)
        outside = (x < self.low) | (x > self.high)
        return np.where(outside, rng.uniform(self.low, self.high), x)


class _Run(NamedTuple):
    """One run: row `i` of what `minimize_many` returned."""

    x0: Array
    many: Any
    i: int
    whole: bool

    @property
    def x(self) -> Array:
        return np.asarray(self.many.x[self.i])

    @property
    def fun(self) -> float:
        return float(self.many.fun[self.i])

    @property
    def success(self) -> bool:
        return bool(self.many.success[self.i])

    @property
    def arrived(self) -> bool:
        """Whether it ended at a minimum."""
        return self.whole and self.success and math.isfinite(self.fun)


class _Search:
    """Rounds of runs, and what they found."""

    def __init__(
        self,
        value: _Objective,
        how: dict[str, Any],
        options: dict[str, Any],
        reach: Array,
        draw: _Draw | None,
    ) -> None:
        self.value, self.how, self.options, self.draw = value, how, options, draw
        self.minima, self.ends = _Distinct(reach), _Distinct(reach)
        self.runs: list[_Run] = []
        self.minimum: list[int] = []
        self.uniform = 0
        self.counts: Counter[str] = Counter()

    @property
    def unseen(self) -> float:
        return _unseen(len(self.minima), self.uniform)

    @property
    def expected(self) -> float:
        return _expected(len(self.minima), self.uniform)

    @property
    def complete(self) -> bool:
        """Whether the expected number of minima, rounded, equals the number known."""
        return len(self.minima) > 0 and self.expected < len(self.minima) + 0.5

    @property
    def calls(self) -> int:
        """Evaluations of `fun` and of `jac`."""
        return self.counts["nfev"] + self.counts["njev"] * callable(self.how["jac"])

    def given(self, x0: Array, workers: Any) -> None:
        """Run from these starts."""
        self._note(self._run(x0, workers), uniform=True)

    def round(self, k: int, map_: Any, workers: Any) -> None:
        """Draw k starts and run from them."""
        draw, value = self.draw, self.value
        assert draw is not None
        leaps = int(k * min(LEAPS, self.unseen)) if len(self.ends) > 2 else 0
        x0 = draw.uniform(k - leaps, value, map_)
        self.counts["nfev"] += draw.samples * len(x0)
        self.counts["njev"] += draw.samples * len(x0) * value.both
        leapt = [draw.leap(self.ends) for _ in range(leaps)]
        self._note(self._run(x0, workers), uniform=True)
        if leapt:
            self._note(self._improved(self._run(leapt, workers, ftol=ROUGH), workers))

    def _run(self, x0: Any, workers: Any, **rough: float) -> list[_Run]:
        """Run from each of these points; `rough` has options that the user may override."""
        if not len(x0):
            return []
        known = getattr(self.how["method"], "options", ())
        rough = {name: v for name, v in rough.items() if name in known and name not in self.options}
        options = self.options | rough
        many = minimize_many(
            self.value.fun, np.array(x0), self.value.args, options=options, workers=workers,
            **self.how,
        )  # fmt: skip
        for name in ("nfev", "njev", "nhev", "nit"):
            self.counts[name] += int(np.sum(many.get(name, 0)))
        return [_Run(x, many, i, whole=not rough) for i, x in enumerate(x0)]

    def _improved(self, runs: list[_Run], workers: Any) -> list[_Run]:
        """The same runs; those below the best minimum continue to their end."""
        best = self.minima.fun.min(initial=math.inf)
        lower = [run for run in runs if run.fun < best and not run.whole]
        ends = self._run([run.x for run in lower], workers)
        whole = {id(run): end._replace(x0=run.x0) for run, end in zip(lower, ends, strict=True)}
        return [whole.get(id(run), run) for run in runs]

    def _note(self, runs: list[_Run], uniform: bool = False) -> None:
        """Record which minima they found."""
        self.runs += runs
        self.minimum += [self.minima.place(run.x, run.fun, run.arrived) for run in runs]
        self.uniform += uniform * sum(run.arrived for run in runs)
        for run in runs:
            if math.isfinite(run.fun):
                self.ends.place(run.x, run.fun)

    def result(self) -> MultistartResult:
        """What is known at the end."""
        minima, runs = self.minima, self.runs
        order = np.argsort(minima.fun, kind="stable")
        places = [  # a run that has not arrived may have ended where a later one has
            minima.place(run.x, run.fun, False) if place == NOWHERE else place
            for run, place in zip(runs, self.minimum, strict=True)
        ]
        rank = np.append(np.argsort(order), NOWHERE)  # the last one is that of NOWHERE
        arrays = OptimizeResult(minimum=rank[places])
        for name in ("x0", "x", "fun", "success"):
            arrays[name] = np.array([getattr(run, name) for run in runs])
        arrays.status = np.array([run.many.status[run.i] for run in runs])
        lowest = _best(runs, places)
        best = lowest.many[lowest.i]
        status, message = self._ending(best)
        result = MultistartResult(best)
        result.update(self.counts)
        result.update(
            success=status == 0,
            status=status,
            message=message,
            minima=Minima(
                tuple(
                    Minimum(minima.x[i], float(minima.fun[i]), int(minima.count[i])) for i in order
                )
            ),
            n_starts=len(runs),
            n_uniform=self.uniform,
            expected=self.expected,
            unseen=self.unseen,
            endings=self._endings(),
            runs=arrays,
        )
        return result

    def _endings(self) -> dict[str, int]:
        """The number of runs for each ending; a message may contain figures specific to its run."""
        messages: dict[int, str] = {}
        counts: Counter[str] = Counter()
        for run in self.runs:
            status = int(run.many.status[run.i])
            if status not in messages:
                messages[status] = str(run.many.messages[run.i])
            counts[messages[status]] += 1
        return dict(counts.most_common())

    def _ending(self, best: OptimizeResult) -> tuple[int, str]:
        """The status and the message."""
        w, k = len(self.minima), len(self.runs)
        minima = f"{w} {'minimum' if w == 1 else 'minima'}"
        if not np.isfinite(best.fun):
            return 3, f"None of the {k} runs ended at a finite function value."
        if not best.success:
            return 2, f"The lowest run did not reach a minimum: {best.message}"
        if self.draw is None:
            return 0, f"All {k} given starts have been used; they lead to {minima}."
        chance = (
            "the probability that another uniform start leads to a new minimum is "
            f"{self.unseen:.2g}"
        )
        if self.complete:
            return 0, (
                f"No more minima are expected: {k} runs lead to {minima}, their estimated number "
                f"is {self.expected:.3g}, and {chance}."
            )
        return 1, (
            f"More minima are expected: {k} runs lead to {minima}, and {chance}. A lower one may "
            "be among them: increase `n_starts` or `maxfev`."
        )


def _best(runs: list[_Run], places: list[int]) -> _Run:
    """The lowest run or, if it stopped at a minimum that others reached, the lowest of these."""
    finite = [i for i, run in enumerate(runs) if math.isfinite(run.fun)]
    if not finite:
        return runs[0]
    best = min(finite, key=lambda i: runs[i].fun)
    alike = [i for i in finite if runs[i].arrived and places[i] == places[best] != NOWHERE]
    return runs[min(alike, key=lambda i: runs[i].fun, default=best)]


def multistart(
    fun: Callable[..., Any],
    bounds: Any,
    *,
    args: Any = (),
    jac: Any = None,
    hess: Any = None,
    n_starts: int = 100,
    starts: str | ArrayLike = "sobol",
    method: Any = lbfgs,
    options: Mapping[str, Any] | None = None,
    xtol: float = 1e-3,
    maxfev: int | None = None,
    round_size: int = 10,
    rng: Any = None,
    workers: Any = None,
    progress: bool = False,
) -> MultistartResult:
    """Run a method from many starts, and list the distinct minima.

    The starts come in rounds. After each round, the number of minima is estimated from how often
    the known ones were found; if no more are expected, the search ends. If there are too many
    minima to find them all, most further starts are built from the best ones.

    Parameters
    ----------
    fun : callable
        The objective, ``fun(x, *args) -> float``, or the residuals for `levenberg_marquardt` or
        with the option `residuals`.
    bounds : Bounds or sequence of (low, high) pairs
        The region in which starts are drawn and all runs stay. The bounds must be finite, unless
        `starts` is an array, when None means no bounds.
    args, jac, hess : optional
        As in `scipy.optimize.minimize`.
    n_starts : int, default: 100
        The maximum number of runs. There are fewer if no more minima are expected.
    starts : "sobol" or array_like, shape (k, n), default: "sobol"
        Points of a scrambled Sobol sequence, or the starts themselves: one run from each of them,
        and no others.
    method : Method, default: lbfgs
        Any method that `minimize_many` accepts.
    options : dict, optional
        Options of the method, used for every run.
    xtol : float, default: 1e-3
        Two runs have found the same minimum if they end no farther apart than this in any
        parameter, in units of the option `x_scale` if that is a number or an array, or otherwise of
        the widths of the bounds.
    maxfev : int, optional
        Start no further round after this many evaluations (`nfev` and `njev` together). Default: no
        limit.
    round_size : int, default: 10
        The number of runs per round. The runs of a round can run at the same time; choose a
        multiple of the number of `workers`.
    rng : int, Generator or None, optional
        The same seed gives the same result, whatever `workers` is.
    workers : int or map-like callable, optional
        As for `minimize_many`.
    progress : bool, default: False
        Show the progress on stderr.

    Returns
    -------
    MultistartResult
        The result of the best run, with `minima`, `expected`, `unseen`, the totals of all counts,
        and a `message` that sums up what is known.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, before anything runs.

    Notes
    -----
    A run starts from the lowest of five points of the Sobol sequence (without `jac`, of 2 n points
    if that is more); such starts are called uniform here. Let w be the number of known minima, and
    k the number of runs from uniform starts that reached one. With no prior knowledge of the number
    and sizes of the regions of attraction, the expected number of minima is, following Boender and
    Rinnooy Kan [1]_,

    .. math:: \\frac{w (k - 1)}{k - w - 2},

    and the expected fraction of starts that lead to none of the known ones is

    .. math:: \\frac{w (w + 1)}{k (k - 1)}.

    The search ends when the former, rounded, equals w. This takes 8 starts if there is one minimum,
    17 for two, 47 for four, and 167 for eight. The estimate only covers minima that such starts
    lead to: it says nothing about a minimum whose region is hardly ever hit.

    The latter, at most 0.9, is also the fraction of starts in a round that are not uniform. These
    are ``x + (a - b) / 2`` in a random subset of the parameters, where x is the best point found so
    far, and a and b are two of the best 2 n points where runs ended or, in one case out of five,
    any two. Differential evolution [2]_ takes such steps; here they lead from minimum to minimum,
    as in basin hopping [3]_, and their lengths come from the landscape itself. A run from such a
    start stops at an `ftol` of 1e-3, unless you set one. If it is then below the best minimum, it
    continues to its end; otherwise it counts only if it reached a known minimum.

    On functions whose minima lie on a common slope, this finds the lowest one when uniform starts
    do not: ``python -m bench multistart``.

    References
    ----------
    .. [1] C. G. E. Boender, A. H. G. Rinnooy Kan, "Bayesian stopping rules for multistart global
       optimization methods", Mathematical Programming 37 (1987), 59-80,
       https://doi.org/10.1007/BF02591684
    .. [2] R. Storn, K. Price, "Differential evolution", Journal of Global Optimization 11 (1997),
       341-359, https://doi.org/10.1023/A:1008202821328
    .. [3] D. J. Wales, J. P. K. Doye, "Global optimization by basin-hopping", Journal of Physical
       Chemistry A 101 (1997), 5111-5116, https://doi.org/10.1021/jp970984n

    Examples
    --------
    >>> from scipy_gd import multistart
    >>> himmelblau = lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2
    >>> res = multistart(himmelblau, [(-5, 5), (-5, 5)], rng=1)
    >>> res.success, len(res.minima), res.n_starts < 100
    (True, 4, True)
    >>> sorted(minimum.x.round(2).tolist() for minimum in res.minima)
    [[-3.78, -3.28], [-2.81, 3.13], [3.0, 2.0], [3.58, -1.85]]
    """
    if not callable(fun):
        raise TypeError(f"`fun` must be callable, got {shown(fun)}")
    args = args if isinstance(args, tuple) else (args,)
    options = dict(options or {})
    given, box = _where(starts, bounds)
    n = box[0].size
    most, size = (
        count(1)(name, value, n)
        for name, value in (("n_starts", n_starts), ("round_size", round_size))
    )
    budget = math.inf if maxfev is None else count(1)("maxfev", maxfev, n)
    reach = number(0)("xtol", xtol, n) * _unit(options.get("x_scale"), box, given)
    flag("progress", progress, n)
    random = generator("rng", rng, n)
    if "rng" in getattr(method, "options", ()):
        options.setdefault("rng", int(random.integers(2**31)))
    samples = SAMPLES if callable(jac) or jac is True else max(SAMPLES, 2 * n)
    how = {"jac": jac, "hess": hess, "bounds": bounds, "method": method}
    draw = _Draw(box, samples, random) if given is None else None
    search = _Search(_Objective(fun, args, jac is True), how, options, reach, draw)
    if given is not None:
        search.given(given, workers)
        return search.result()
    firsts: Any = range(0, most, size)
    if progress:
        named = ((f"start {i + 1}", i) for i in firsts)
        firsts = announce(named, len(firsts), "multistart", "round")
    with mapping(None if is_jitted(fun) else workers) as map_:
        for first in firsts:
            search.round(min(size, most - first), map_, workers if map_ is map else map_)
            if search.complete or search.calls >= budget:
                break
    return search.result()


def _where(starts: Any, bounds: Any) -> tuple[Array | None, Box]:
    """The starts, if given, and the bounds, infinite if there are none."""
    given = None
    if not isinstance(starts, str):
        given = real_numbers(starts)
        if given is None or given.ndim != 2 or given.size == 0:
            raise ValueError(
                f'`starts` must be "sobol" or an array of shape (k, n), got {shown(starts)}'
            )
        given = given.astype(float)
        if not np.isfinite(given).all():
            raise ValueError("`starts` must be finite, got inf or NaN")
    elif starts != "sobol":
        raise ValueError(f'`starts` must be "sobol" or an array of shape (k, n), got {starts!r}')
    elif bounds is None:
        raise ValueError("`bounds` must be given to draw starts")
    n = _size(bounds) if given is None else given.shape[1]
    box = limits(bounds, n) or (np.full(n, -np.inf), np.full(n, np.inf))
    endless = np.flatnonzero(~np.isfinite(box).all(axis=0))
    if given is None and endless.size:
        i = endless[0]
        raise ValueError(
            f"`bounds` must be finite to draw starts, got ({box[0][i]:g}, {box[1][i]:g}) for "
            f"parameter {i}: narrow them, or give `starts`"
        )
    return given, box


def _size(bounds: Any) -> int:
    """The number of parameters."""
    if isinstance(bounds, Bounds):
        return int(np.broadcast(bounds.lb, bounds.ub).size)
    try:
        return len(bounds)
    except TypeError:
        raise TypeError(
            "`bounds` must be a scipy.optimize.Bounds or a sequence of (low, high) pairs, "
            f"got {shown(bounds)}"
        ) from None


def _unit(x_scale: Any, box: Box, given: Array | None) -> Array:
    """The unit of distances."""
    if x_scale is not None and not isinstance(x_scale, str):
        return np.broadcast_to(positive("x_scale", x_scale, box[0].size), box[0].shape)
    unit = box[1] - box[0]
    if given is not None:
        unit = np.where(np.isfinite(unit), unit, np.ptp(given, axis=0))
    return np.where(unit > 0, unit, 1.0)
