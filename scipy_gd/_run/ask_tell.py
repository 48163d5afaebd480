"""The machine in the user's hands: ask for points, tell what was found there."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult

from .. import _options
from .._core.endings import BROKEN, ENDINGS, MAXFEV
from .._core.machine import tell
from .._core.state import GRADIENT, HESSIAN, VALUE
from .._evaluate.differences import (
    POINTS_OF,
    difference_points,
    difference_quotients,
    difference_steps,
)
from .._evaluate.evaluator import Objective, Probe
from ..arguments import Vector, limits, one_of, scalar, starting_point, vector
from .batches import Sampling
from .drive import Run
from .layout import lay_out
from .minimize import result_of, so_far
from .saved import State, restore, save

if TYPE_CHECKING:
    from .._formula import Formula

# They need `fun` in the course of a run, or time that does not pass between evaluations only.
NOT_HERE = (
    *("averaging", "batch_size", "epochs", "batch_args", "validation", "patience", "workers"),
    *("compiled", "check_grad", "maxtime", "return_all", "history", "progress", "disp"),
)


class AskTell:
    """A run that asks for points and is told the values there; see `start`.

    Attributes
    ----------
    done : bool
        Whether the run has ended.
    nit, nfev, njev : int
        Iterations, and the values and gradients that it has been told.
    x, fun : ndarray, float
        The best point so far and its value.
    state : dict
        Plain arrays, to be kept and given to `start` as `resume`. The object can be pickled, too.

    Examples
    --------
    >>> from scipy_gd import gd, start
    >>> run = start(gd, [1.0], learning_rate=0.25)
    >>> run
    <run of gd: nit 0, nfev 0, wants fun and jac>
    >>> x = run.ask()
    >>> run.tell(x @ x, 2 * x)
    >>> run.ask()
    array([0.5])
    """

    def __init__(
        self,
        method: Formula,
        x0: ArrayLike,
        bounds: Any,
        jac: Any,
        options: dict[str, Any],
    ) -> None:
        x = starting_point(x0)
        self._box = limits(bounds, x.size)
        pairs = None if self._box is None else np.transpose(self._box)
        self._made_of = (method, x.copy(), pairs, jac, dict(options))
        if self._box is not None:
            x = np.clip(x, *self._box)
        if method.needs & HESSIAN:
            raise ValueError(f"{method.__name__} needs Hessians, which cannot be told")
        if given := [name for name in NOT_HERE if options.get(name) is not None]:
            raise ValueError(f"`{given[0]}` has no meaning where the values are told")
        if unknown := _options.unknown(method, options):
            raise ValueError(f"unknown options: {', '.join(unknown)}")
        one_of(True, *POINTS_OF)("jac", jac, x.size)
        if jac == "cs":
            raise ValueError('`jac` must be True, "2-point" or "3-point": points are real here')
        opts = self._opts = _options.settings(method, options, x.size)
        sampling = Sampling(None) if method.probes else None
        if method.probes and isinstance(opts["learning_rate"], str):
            raise ValueError("`learning_rate` must be given where the values are told")
        rng = np.random.default_rng(opts["rng"])
        V, s, scheduled = lay_out(method, x, self._box, opts, sampling is not None)
        objective = Objective(
            _never,
            jac if isinstance(jac, str) else "2-point",
            (),
            box=self._box,
            rel_step=opts["finite_diff_rel_step"],
            maxfev=opts["maxfev"],
            probe=Probe(rng, opts["c"], opts["gamma"]) if method.probes else None,
        )
        self._run = Run(V, s, objective, scheduled, rng, sampling)
        self._differences = isinstance(jac, str) and bool(method.needs & GRADIENT)
        self._several = self._differences or method.probes
        self._points: NDArray[np.float64] | None = None
        self._before: dict[str, Any] = {}
        if opts["resume"] is not None:
            given_rate = not isinstance(opts["learning_rate"], str)
            restore(self._run, method, opts["resume"], given_rate)

    @property
    def done(self) -> bool:
        return not self._run.r.ask

    @property
    def nit(self) -> int:
        return int(max(self._run.r.nit, 0))

    @property
    def nfev(self) -> int:
        return self._run.objective.nfev

    @property
    def njev(self) -> int:
        return self._run.objective.njev

    @property
    def x(self) -> Vector:
        r = self._run.r
        x: Vector = self._run.V[r.best if r.nit >= 0 else r.trial]
        return x.copy()

    @property
    def fun(self) -> float:
        r = self._run.r
        return float(r.f_best) if r.nit >= 0 else float("nan")

    @property
    def wants(self) -> str:
        """What is wanted at the point: "fun", "jac" or "fun and jac"; always "fun" of several."""
        ask = self._run.r.ask
        if self._several:
            return "fun" if ask else ""
        names = [name for bit, name in ((VALUE, "fun"), (GRADIENT, "jac")) if ask & bit]
        return " and ".join(names)

    def ask(self) -> NDArray[np.float64]:
        """Return the point, shape (n,), or the points, shape (k, n), to evaluate next.

        There are several where gradients are made of differences, and for `spsa`. Asked again, it
        returns the same.

        Raises
        ------
        RuntimeError
            If the run has ended.
        """
        if self.done:
            raise RuntimeError("the run has ended: see `result()`")
        if self._points is None:
            self._points = self._prepare()
        points: NDArray[np.float64] = self._points if self._several else self._points[0]
        return points.copy()

    def _prepare(self) -> NDArray[np.float64]:
        """The points of the next evaluation; draws what is random in it."""
        run, r, objective = self._run, self._run.r, self._run.objective
        assert run.rng is not None
        self._before = {"rng": copy.deepcopy(run.rng.bit_generator.state)}
        if objective.probe is not None:
            self._before["probes"] = objective.probe.t
        ask = r.ask
        run.prepare()
        r.ask = ask  # what was drawn is drawn again from `_before`
        x: Vector = run.V[r.trial].copy()
        if (probe := objective.probe) is not None:
            if run.sampling is not None and run.sampling.last:
                return x[np.newaxis]
            ahead, behind, self._quotient = probe(x, self._box)
            return np.array([ahead, behind])
        points = [x[np.newaxis]] if r.ask & VALUE else []
        if self._differences and r.ask & GRADIENT:
            n, each = x.size, POINTS_OF[objective.jac]
            rel_step, lower, upper = objective.reach(n)
            self._steps = np.empty(n), np.empty(n, bool)
            difference_steps(x, rel_step, lower, upper, each, *self._steps)
            near = np.empty((each * np.count_nonzero(self._steps[0]), n))
            difference_points(x, *self._steps, lower, upper, each, near)
            points.append(near)
        return np.concatenate(points) if points else x[np.newaxis]

    def tell(self, fun: Any = None, jac: ArrayLike | None = None) -> None:
        """Tell what was found at the point or points of `ask`.

        Parameters
        ----------
        fun : float or sequence of float
            The value there, or one for each of the points. NaN and inf are only bad values to line
            searches, and the end of a run at a fixed rate.
        jac : array_like, shape (n,), optional
            The gradient there, at a single point. Without it, where it is wanted, `ask` returns the
            point again and `wants` "jac"; told beforehand, it is used when it is wanted.

        Raises
        ------
        RuntimeError
            If nothing was asked for.
        TypeError, ValueError
            If the values are not what was wanted. The run is then as before.
        """
        run, r, objective = self._run, self._run.r, self._run.objective
        if self.done or self._points is None:
            raise RuntimeError("nothing was asked for: call `ask` first")
        ask, g = r.ask, np.zeros(r.n)
        if self._several:
            values = np.array([scalar(value) for value in np.ravel(np.asarray(fun, dtype=object))])
            if values.shape != (len(self._points),):
                raise ValueError(
                    f"`fun` must be {len(self._points)} values, one for each point, "
                    f"got {values.size}"
                )
            f, count, slope = self._combined(values, g), values.size, True
        else:
            if ask & VALUE and fun is None:
                raise ValueError("`fun` must be the value at the point")
            if ask & GRADIENT and jac is None:
                raise ValueError("`jac` must be the gradient at the point")
            f, count = (scalar(fun), 1) if ask & VALUE else (objective.f, 0)
            slope = jac is not None
            if jac is not None:
                g = vector(jac, r.n)
        objective.nfev += count
        objective.njev += bool(ask & GRADIENT)
        self._points = None
        self._advance(f, g)
        if r.ask == GRADIENT and slope and not self._several:
            objective.njev += 1
            self._advance(f, g)  # it is at the same point
        if not self.done and objective.nfev + self._wanted() > objective.maxfev:
            run.end(MAXFEV)

    def _wanted(self) -> int:
        """How many values the next `ask` will want."""
        r, objective = self._run.r, self._run.objective
        if objective.probe is not None:
            return 2 - self._run.at_its_end  # the last point is evaluated, not probed
        _, lower, upper = objective.reach(r.n)
        near = POINTS_OF[objective.jac] * np.count_nonzero(lower < upper) * self._differences
        return bool(r.ask & VALUE) + bool(r.ask & GRADIENT) * int(near)

    def _combined(self, values: Vector, g: Vector) -> float:
        """The value at x of what was told at several points, and into `g` the gradient."""
        r, objective = self._run.r, self._run.objective
        if objective.probe is not None:
            if len(values) == 1:
                return float(values[0])
            g[:] = (values[0] - values[1]) * self._quotient
            return 0.5 * float(values[0] + values[1])
        f = float(values[0]) if r.ask & VALUE else r.f_trial
        if r.ask & GRADIENT:
            near = values[1:] if r.ask & VALUE else values
            difference_quotients(f, near, *self._steps, POINTS_OF[objective.jac], g)
        return f

    def _advance(self, f: float, g: Vector) -> None:
        run, r = self._run, self._run.r
        run.follow(f)
        run.objective.f = f
        tell(run.V, run.s, f, g)
        if r.ending == BROKEN:
            raise ValueError("the formula of the method has raised an error")

    def result(self) -> OptimizeResult:
        """Return what `minimize` returns; before the end, the best point so far without success."""
        sampling = self._run.sampling
        if self.done and (sampling is None or sampling.last):
            found = result_of(self._run, self._box, self._opts)
        else:
            ending = self._run.r.ending
            found = so_far(
                self._run, ENDINGS[ending].message if self.done else "The run has not ended."
            )
        found.state = self.state
        return found

    @property
    def state(self) -> State:
        state = copy.deepcopy(save(self._run, self._made_of[0]))
        if self._points is not None:  # what was drawn for them is drawn again
            state |= self._before
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        run, (method, x0, bounds, jac, options) = self._run, self._made_of
        if any(each.follows_value for each in run.scheduled):
            raise TypeError("a run with a schedule that follows the values cannot be pickled")
        made_of = method, x0, bounds, jac, options | {"resume": self.state}
        kept = {"maxiter": run.r.maxiter, "maxfev": run.objective.maxfev}
        if self.done:  # the state is where the run would go on
            kept |= {"V": run.V, "s": run.s, "last": run.sampling is not None and run.sampling.last}
        return AskTell, made_of, kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        run = self._run
        run.r.maxiter, run.objective.maxfev = kept["maxiter"], kept["maxfev"]
        if "V" in kept:
            kernel = run.r.kernel
            run.V[:], run.s[:] = kept["V"], kept["s"]
            run.r.kernel = kernel
            if run.sampling is not None:
                run.sampling.last = kept["last"]

    def __repr__(self) -> str:
        how = "done" if self.done else f"wants {self.wants}"
        return f"<run of {self._made_of[0].__name__}: nit {self.nit}, nfev {self.nfev}, {how}>"


def _never(x: Any) -> float:
    raise AssertionError("values are told")


def start(
    method: Formula,
    x0: ArrayLike,
    *,
    bounds: Any = None,
    jac: Any = True,
    **options: Any,
) -> AskTell:
    """Begin a run whose values come from elsewhere: an experiment, a simulation, a job queue.

    The iterates are those of `scipy.optimize.minimize` with the same method and options.

    Parameters
    ----------
    method : Method
        One of `scipy_gd.METHODS`, but for newton.
    x0 : array_like, shape (n,)
        Start.
    bounds : sequence of (low, high) or scipy.optimize.Bounds, optional
        No point outside is asked for.
    jac : True, "2-point" or "3-point"
        Gradients are told (True), or made of values at further points.
    **options
        As for the method, but for what concerns data or the calls of a function; unknown ones are
        errors. `resume` takes the `state` of another run.

    Returns
    -------
    AskTell
        With `ask`, `tell`, `done`, `result` and `state`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; the message names it.

    Examples
    --------
    >>> import scipy_gd
    >>> run = scipy_gd.start(scipy_gd.lbfgs, [3.0, -4.0])
    >>> while not run.done:
    ...     x = run.ask()
    ...     run.tell(x @ x, 2 * x)
    >>> run.result().success
    True

    Without gradients it asks for several points at once, which can be measured side by side:

    >>> run = scipy_gd.start(scipy_gd.adam, [3.0, -4.0], jac="2-point", learning_rate=0.1)
    >>> run.ask().shape
    (3, 2)
    """
    return AskTell(method, x0, bounds, jac, options)
