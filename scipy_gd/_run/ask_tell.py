"""Ask and tell: the same machine, with the user's code in charge of the evaluations."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult

from .. import _options
from .._checkpoint import blamed
from .._core.bits import BETTER, GRADIENT, HESSIAN, VALUE
from .._core.endings import BROKEN, ENDINGS, MAXFEV
from .._core.machine import tell
from .._core.proximal import Placed
from .._core.state import ADDRESSES
from .._evaluate.adaptive import Adaptive
from .._evaluate.doubts import Dialogue
from .._evaluate.evaluator import Evaluator
from .._evaluate.gradients import Differences, Perturbed, Source, Told
from .._evaluate.penalized import Penalized
from .._evaluate.sizes import scale_for
from .._formula import Formula
from ..arguments import Vector, limits, one_of, scalar, starting_point, vector
from .layout import lay_out
from .outcome import outcome, so_far
from .penalties import admitted
from .run_state import RunState, State

# They need `fun` in the course of a run, or time that does not pass between evaluations only.
NOT_HERE = (
    *("averaging", "batch_size", "epochs", "batch_args", "validation", "patience"),
    *("reduce", "workers", "threads"),
    *("residuals", "loss", "f_scale", "absolute_sigma", "parameter_names"),
    *("compiled", "check_grad", "maxtime", "return_all", "history", "progress", "disp"),
    "checkpoint",
)


class AskTell:
    """A run that asks for points and is told their values; see `start`.

    Attributes
    ----------
    done : bool
        Whether the run has ended.
    nit, nfev, njev : int
        Numbers of iterations, and of the values and gradients received.
    x, fun : ndarray, float
        The best point so far and its value.
    state : dict
        Plain arrays that you can store and pass to `start` as `resume`. The object itself can also
        be pickled.

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
        if method.needs & HESSIAN:
            raise ValueError(f"{method.__name__} needs Hessians, which `tell` does not accept")
        if given := [name for name in NOT_HERE if options.get(name) is not None]:
            raise ValueError(f"`{given[0]}` cannot be used without `fun`")
        if unknown := _options.unknown(method, options):
            raise ValueError(f"unknown options: {unknown}")
        one_of(True, "adaptive", "2-point", "3-point")("jac", jac, x.size)  # points are real here
        opts = self._opts = _options.settings(method, options, x.size)
        x = admitted(method, opts, self._box, x)
        if method.probes and isinstance(opts["learning_rate"], str):
            raise ValueError("`learning_rate` must be given without `fun`")
        rng = np.random.default_rng(opts["rng"])
        measured = jac == "adaptive" and not method.probes and bool(method.needs & GRADIENT)
        steps, box, scale = opts["finite_diff_abs_step"], self._box, None
        if opts["x_scale"] is not None:
            scale = scale_for(opts, x, box, None)
            x, box, steps = scale.inside(x), scale.inside(box), scale.inside(steps)
        D = None if scale is None else scale.D
        placed = None if opts["penalty"] is None else Placed(opts["penalty"], x.size)
        V, s, scheduled = lay_out(method, x, box, opts, method.probes, measured, D, placed)
        source: Source = Told()
        exact: Source = Told()
        if method.probes:
            source = Perturbed(rng, opts["c"], opts["gamma"], source, box)
        elif measured:
            source = Adaptive(opts["noise"])
        elif isinstance(jac, str) and method.needs & GRADIENT:
            source = Differences(jac, x.size, box, opts["finite_diff_rel_step"], steps)
        self._several = not isinstance(source, Told)
        if placed is not None:
            source, exact = Penalized(source, placed), Penalized(exact, placed)
        evaluator = Evaluator(_never, (), source, exact, maxfev=opts["maxfev"])
        self._run = RunState(
            method, V, s, evaluator, scheduled, rng, noise=opts["noise"], scale=scale
        )
        self._run.fixed = _options.fixed(opts)
        self._points: list[Vector] = []
        self._doubts: Dialogue | None = None
        self._answers: list[tuple[float, Vector]] = []
        self._since: list[tuple[Any, Any]] = []  # what has been told of this evaluation so far
        self._counts = (0, 0)  # before that
        if opts["resume"] is not None:
            with blamed(opts["resume"]):
                self._run.load(opts["resume"], not isinstance(opts["learning_rate"], str))
            self._doubt()

    @property
    def done(self) -> bool:
        return not self._run.r.ask

    @property
    def nit(self) -> int:
        return int(max(self._run.r.nit, 0))

    @property
    def nfev(self) -> int:
        return self._run.evaluator.nfev

    @property
    def njev(self) -> int:
        return self._run.evaluator.njev

    @property
    def x(self) -> Vector:
        row, _ = self._run.lowest
        return self._run.outside(self._run.V[row])

    @property
    def fun(self) -> float:
        return float(self._run.lowest[1])

    @property
    def wants(self) -> str:
        """What to evaluate at the point: "fun", "jac" or "fun and jac"; for several, "fun"."""
        ask = self._run.r.ask
        if self._several:
            return "fun" if ask else ""
        if self._doubts is not None:
            ask |= VALUE
        names = [name for bit, name in ((VALUE, "fun"), (GRADIENT, "jac")) if ask & bit]
        return " and ".join(names)

    def ask(self) -> NDArray[np.float64]:
        """Return the point, shape (n,), or the points, shape (k, n), to evaluate next.

        There are several points if gradients are estimated by differences, and for `spsa`. Calling
        it again returns the same points.

        Raises
        ------
        RuntimeError
            If the run has ended.
        """
        if self.done:
            raise RuntimeError("the run has ended: call `result()`")
        if not self._points:
            self._begin()
        points = [self._run.outside(point) for point in self._points]
        return np.array(points) if self._several else points[0]

    def _begin(self) -> None:
        """Draw and store the points of the next evaluation."""
        run, r = self._run, self._run.r
        run.begin()
        if r.sampled and run.last_is_next:  # this one is evaluated as it is
            run.evaluator.source, run.whole = run.evaluator.exact, True
            r.maxiter = r.nit + 1
        x, source = run.points[r.trial], run.evaluator.source
        # one at a time where the value tells where to look for the gradient
        wanted = VALUE if r.ask & VALUE and run.adaptive is not None else r.ask
        self._parts = [
            source.points(x, part) if wanted & part else () for part in (VALUE, GRADIENT)
        ]
        self._points = [*self._parts[0], *self._parts[1]] or [x.copy()]

    def tell(self, fun: Any = None, jac: ArrayLike | None = None) -> None:
        """Pass on the results at the point or points of `ask`.

        Parameters
        ----------
        fun : float or sequence of float
            The value at the point, or one value per point. To line searches, NaN and inf are just
            bad values; at a fixed rate, they end the run.
        jac : array_like, shape (n,), optional
            The gradient at a single point. If it is wanted but not given, `ask` returns the point
            again, and `wants` is "jac"; if it is given early, it is used once it is wanted.

        Raises
        ------
        RuntimeError
            If no evaluation is pending.
        TypeError, ValueError
            If the values are not what was wanted. The run is then unchanged.
        """
        run, r, evaluator = self._run, self._run.r, self._run.evaluator
        if self.done or not self._points:
            raise RuntimeError("no evaluation is pending: call `ask` first")
        ask, f, x, g = r.ask, r.f_trial, run.points[r.trial], run.gradients[r.trial]
        values, told = self._checked(fun, jac)
        if not self._since:
            self._counts = evaluator.nfev, evaluator.njev
        self._since.append((fun, jac))
        if self._doubts is not None:
            assert told is not None
            self._answer(values[0], told)
            return
        if run.adaptive is not None:
            self._measure(values, x, g)
            return
        count = len(self._parts[0])
        if ask & VALUE:
            f = evaluator.source.value(values[:count], g)
        if told is not None:
            g[:] = told
        elif ask & GRADIENT:
            evaluator.source.gradient(values[count:], x, f, g, ())
        evaluator.nfev += len(values)
        evaluator.njev += bool(ask & GRADIENT)
        self._points = []
        self._advance(f)
        if r.ask == GRADIENT and told is not None:
            evaluator.njev += 1
            self._advance(f)  # it is at the same point
        wanted = sum(evaluator.source.calls(part) for part in (VALUE, GRADIENT) if r.ask & part)
        if run.perturbed is not None and run.last_is_next:
            wanted = 1
        self._keep_to_budget(wanted)

    def _measure(self, values: list[float], x: Vector, g: Vector) -> None:
        """Take the value, or one round of the gradient; go on to the next round, if any."""
        r, evaluator = self._run.r, self._run.evaluator
        source: Any = evaluator.source
        evaluator.nfev += len(values)
        if self._parts[0]:
            source.value(values, g)
            self._parts = [(), source.points(x, GRADIENT)] if r.ask & GRADIENT else [(), ()]
        else:
            more = source.gradient(values, x, r.f_trial, g, ())
            self._parts = [(), source.asked if more else ()]
        self._points = list(self._parts[1])
        if not self._points:
            evaluator.njev += bool(r.ask & GRADIENT)
            self._advance(r.f_trial)
        self._keep_to_budget(len(self._points) or 1)

    def _answer(self, f: float, g: Vector) -> None:
        """Tell the doubts about one of their points."""
        assert self._doubts is not None
        evaluator = self._run.evaluator
        evaluator.nfev += 1
        evaluator.njev += 1
        penalty = self._run.penalty
        self._answers.append((f if penalty is None else f + penalty.value(self._points[0]), g))
        self._points = self._points[1:]
        if not self._points:
            try:
                self._points = self._doubts.send(self._answers)
            except StopIteration:
                self._doubts = None
                self._advance(self._run.r.f_trial)
            self._answers = []
        self._keep_to_budget(1)

    def _keep_to_budget(self, wanted: int) -> None:
        run = self._run
        left = run.evaluator.limit - run.evaluator.nfev
        if left < 3 * wanted or run.r.nit + 2 >= run.r.maxiter:
            run.r.land = 1  # with the last evaluation but one
        if not self.done and left < wanted:
            run.rollback()
            run.end(MAXFEV)

    def _checked(self, fun: Any, jac: Any) -> tuple[list[float], Vector | None]:
        """What is told, before anything is done with it."""
        r = self._run.r
        if self._several:
            values = [scalar(value) for value in np.ravel(np.asarray(fun, dtype=object))]
            if len(values) != len(self._points):
                raise ValueError(
                    f"`fun` must be {len(self._points)} values, one per point, got {len(values)}"
                )
            return values, None
        with_value = r.ask & VALUE or self._doubts is not None
        if with_value and fun is None:
            raise ValueError("`fun` must be the value at the point")
        if r.ask & GRADIENT and jac is None:
            raise ValueError("`jac` must be the gradient at the point")
        values = [scalar(fun)] if with_value else []
        return values, None if jac is None else self._run.gradient_inside(vector(jac, r.n))

    def _advance(self, f: float) -> None:
        run = self._run
        self._since = []
        run.follow(f)
        run.evaluator.f = f
        tell(*run.at, f)
        run.commit()
        run.raise_error()
        if run.r.ending == BROKEN:
            raise ValueError("the method's formula raised an error")
        self._doubt()

    def _doubt(self) -> None:
        """Start the dialogue that the machine wants instead of a better gradient."""
        run = self._run
        if run.r.ask & BETTER and run.evaluator.doubts is not None:
            self._doubts = run.evaluator.doubts()
            self._points = next(self._doubts, [])
            if not self._points:
                self._doubts = None
                self._advance(run.r.f_trial)

    def result(self) -> OptimizeResult:
        """Return what `minimize` returns; before the end, the best point, without success."""
        run = self._run
        if self.done and (run.whole or not run.r.sampled):
            found = outcome(run, self._opts)
        else:
            message = ENDINGS[run.r.ending].message if self.done else "The run has not ended."
            found = so_far(run, message)
        found.state = self.state
        return found

    @property
    def state(self) -> State:
        return copy.deepcopy(self._run.save(ended=True))

    def __reduce__(self) -> tuple[Any, ...]:
        run, (method, x0, bounds, jac, options) = self._run, self._made_of
        state = self.state
        if self._since:
            state["counts"] = np.array([*self._counts, 0])
        made_of = method, x0, bounds, jac, options | {"resume": state}
        kept = {"maxiter": run.r.maxiter, "limit": run.evaluator.limit, "since": self._since}
        if self.done:  # the state is where the run would go on
            kept |= {"V": run.V, "s": run.s, "whole": run.whole}
        return AskTell, made_of, kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        run = self._run
        run.r.maxiter, run.evaluator.limit = kept["maxiter"], kept["limit"]
        if "V" in kept:
            addresses = {field: getattr(run.r, field) for field in ADDRESSES.split()}
            run.V[:], run.s[:], run.whole = kept["V"], kept["s"], kept["whole"]
            for field, address in addresses.items():
                setattr(run.r, field, address)
        for told in kept["since"]:
            self.ask()
            self.tell(*told)

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
    """Start a run whose values come from elsewhere: an experiment, a simulation, a job queue.

    The iterates are those of `scipy.optimize.minimize` with the same method and options.

    Parameters
    ----------
    method : Formula
        One of `scipy_gd.METHODS`, except newton.
    x0 : array_like, shape (n,)
        Starting point.
    bounds : sequence of (low, high) or scipy.optimize.Bounds, optional
        All points asked for lie within the bounds.
    jac : True, "adaptive", "2-point" or "3-point"
        Whether you supply gradients (True), or they are estimated from values at additional points:
        "adaptive" as in `minimize` without `jac`, the others by a plain scheme.
    **options
        The options of the method, except those about data or calls to a function; unknown options
        raise an error. `resume` takes the `state` of another run.

    Returns
    -------
    AskTell
        With `ask`, `tell`, `done`, `result` and `state`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it.

    Examples
    --------
    >>> import scipy_gd
    >>> run = scipy_gd.start(scipy_gd.lbfgs, [3.0, -4.0])
    >>> while not run.done:
    ...     x = run.ask()
    ...     run.tell(x @ x, 2 * x)
    >>> run.result().success
    True

    Without gradients, it asks for several points at once, which you can evaluate in parallel:

    >>> run = scipy_gd.start(scipy_gd.adam, [3.0, -4.0], jac="2-point", learning_rate=0.1)
    >>> run.ask().shape
    (3, 2)
    """
    return AskTell(method, x0, bounds, jac, options)
