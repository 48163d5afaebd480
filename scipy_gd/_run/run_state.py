"""The complete run: its memory, evaluator, schedules, data stream and random generator.

An evaluation takes place between `begin` and `commit`; after `rollback`, it can start again with
the same batch and the same random numbers. `save` and `load` use plain arrays, as in `result.state`
and the option `resume`.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import functools
import weakref
from collections import UserDict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LbfgsInvHessProduct

from .._core import noise as noise_of
from .._core.arrival import share
from .._core.bits import DONE, GRADIENT, NOISE, POINTS, VALUE
from .._core.endings import CONVERGED, MAXITER, OF_A_BUDGET
from .._core.machine import go_on
from .._core.proximal import Placed
from .._core.state import ADDRESSES, RECORD, named, record
from .._evaluate.adaptive import Adaptive, Before
from .._evaluate.decayed import Decayed
from .._evaluate.doubts import Dialogue, doubts
from .._evaluate.evaluator import Evaluator, OutOfBudget
from .._evaluate.gradients import Perturbed, Told
from .._evaluate.hessians import ValueDifferences
from .._evaluate.penalized import Penalized
from .._evaluate.residuals import Residuals
from .._evaluate.scale import Scale
from .._formula import Formula
from ..arguments import Vector
from .epochs import Epochs
from .layout import UNKNOWN
from .scheduled import Scheduled

# What belongs to the call or the process, not to the run.
GIVEN = (
    *("alpha_max", "gtol", "gtol_rel", "ftol", "xtol", "target", "stall_after", "stagnation"),
    *("clip_value", "clip_norm", "accelerate", "least_f", "least_x"),
)
OF_THE_CALL = (*ADDRESSES.split(), *GIVEN, "threads")
# What must be the same in a run that goes on.
SHAPE = (
    *("rows", "n", "rule", "states", "arrays", "array_rows"),
    *("bounds", "average", "clipped", "sampled", "scale", "penalized"),
)
MOST = 2**62
SAME = 1e-6
"""Values that differ by less, relatively, may be those of one function on two machines."""
SMALL = 200
"""The number of parameters up to which a dense inverse Hessian is cheap."""


class State(UserDict[str, Any]):
    """A dict that is not printed with the result."""

    def __repr__(self) -> str:
        return f"<state of {self.get('method')} after {self.get('nit')} iterations>"

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.data,)  # a pickle must not know where this class is

    def __deepcopy__(self, memo: Any) -> State:
        return State(copy.deepcopy(self.data, memo))


def check_value(f: float, before: float, start: float) -> None:
    """Compare the value at the end of a finished run with the one that it had `before`.

    Raises
    ------
    ValueError
        If they differ by more than rounding, in units of f or of its whole decrease.
    """
    if abs(f - before) > SAME * max(abs(before), abs(start - before)):
        raise ValueError(
            f"`resume` is the state of a run with a different `fun`: at its end the value was "
            f"{before:.9g}, now it is {f:.9g}"
        )


def team_of(V: Vector, r: Any) -> Any:
    """The threads of a run, as a context manager; empty for one thread."""
    if not r.divided:
        return contextlib.nullcontext()
    from .._core.team import Team  # compiles

    return Team(V, r)


class RunState:
    """A run between two evaluations, or in the middle of one.

    `V` and `s` are its memory, changed in place, and `r` has the fields of `s` as attributes (the
    reason for the end is ``r.ending``); `at` are their addresses. `points` and `gradients` are the
    rows of `V` that hold these, `H` those of the Hessian. `scheduled` is set before each step,
    `rng` draws random numbers, `epochs` is the data stream; without them a run is not `prepared`.
    `noise` is that of f if it is known. All of it is in units of the `scale`; what users see goes
    through `outside` or `gradient_outside`.
    """

    def __init__(
        self,
        method: Formula,
        V: Vector,
        s: Any,
        evaluator: Evaluator,
        scheduled: Sequence[Scheduled] = (),
        rng: np.random.Generator | None = None,
        epochs: Epochs | None = None,
        noise: float | None = None,
        scale: Scale | None = None,
    ) -> None:
        self.method, self.V, self.s, self.r = method, V, s, named(s)
        self.evaluator, self.scheduled = evaluator, scheduled
        self.rng, self.epochs, self.scale = rng, epochs, scale
        self.team = team_of(V, self.r)
        self.prepared = bool(scheduled) or bool(self.r.sampled or self.r.needs & NOISE)
        self.points = list(V[:POINTS])
        source = evaluator.source
        self.penalty: Placed | None = None
        if isinstance(source, Penalized):
            source.bind(self.points, self.r)
            self.penalty, source = source.placed, source.source
        self.perturbed = source if isinstance(source, Perturbed) else None
        self.adaptive = source if isinstance(source, Adaptive) else None
        if self.adaptive is not None:
            self.prepared |= self.r.hess >= 0  # a Hessian may fail where the gradient did not
            self.adaptive.bind(V, s, self.r, self.at)
            if isinstance(evaluator.hessian, ValueDifferences):
                evaluator.hessian.bind(V, self.r)
        elif self.r.error >= 0 and (source.given or not source.near):
            self.r.better = 1
            # no circle: the rows of a large run must not wait for the garbage collector
            evaluator.doubts = functools.partial(RunState._doubts, weakref.proxy(self), noise)
        self.decayed = source if isinstance(source, Decayed) else None
        own = evaluator.exact.source if isinstance(evaluator.exact, Decayed) else evaluator.exact
        self.fit = own if isinstance(own, Residuals) else None
        if self.fit is not None:
            self.fit.bind(self.r)
        self.whole = False  # whether a sampled run has come to see all data
        self.chosen: Vector | None = None  # the point to return, if it need not be the last one
        self.tried = np.nan  # the value at the trial, if the run was stopped before it was told
        self.fixed: dict[str, str] = {}  # options that cannot change, as text
        self.closing = 0  # the calls that the result took
        self.since = 0, 0  # the iterations and values that do not count against the budgets
        self._before: Before | None = None  # as it was when doubts arose
        self._pending = DONE  # what a run that was stopped from outside would have asked for
        self._kept: dict[str, Any] | None = None

    @cached_property
    def gradients(self) -> list[Vector]:
        return list(self.V[POINTS : 2 * POINTS])

    @cached_property
    def H(self) -> Vector:
        return self.V[self.r.hess : self.r.hess + self.r.n]

    @cached_property
    def at(self) -> tuple[int, int]:
        return self.V.ctypes.data, ctypes.addressof(self.r)

    @property
    def args(self) -> tuple[Any, ...]:
        """The user's arguments, with all data."""
        return self.evaluator.args if self.epochs is None else self.epochs.args

    @property
    def lowest(self) -> tuple[int, float]:
        """The row of the best point evaluated so far, and its value."""
        r, ask = self.r, self.r.ask or self._pending
        points = {r.best: r.f_best} if r.nit >= 0 else {}
        if r.f_seen < np.inf:
            points[r.seen] = r.f_seen
        points[r.trial] = self.tried if ask & VALUE else r.f_trial if ask & GRADIENT else np.nan
        known = {row: f for row, f in points.items() if row >= 0 and f == f}
        start = r.best if r.nit >= 0 else r.trial
        return min(known.items(), key=lambda point: point[1], default=(start, np.nan))

    @property
    def noise(self) -> float:
        """The size of the errors of f; 0 if it has not been measured."""
        return float(noise_of.noise.py_func(self.r, self.r.f))

    @property
    def uncertainty(self) -> Vector:
        """About how far each parameter can move before f rises by its noise.

        From what is known about the inverse Hessian: its diagonal, or the pairs of a limited
        memory, which let the other parameters follow.
        """
        V, r = self.V, self.r
        inverse = np.full(r.n, np.nan)
        if r.diagonal >= 0:
            inverse = np.where(V[r.diagonal] == UNKNOWN, np.nan, V[r.diagonal])
        if self.method.memory and r.n <= SMALL:
            S, Y = self._pairs
            if len(S):
                inverse = np.fmax(inverse, np.diag(LbfgsInvHessProduct(S, Y).todense()))
        return self.unit * np.sqrt(2.0 * self.noise * inverse)

    def free(self, x: Vector) -> NDArray[np.bool_]:
        """Which parameters no bound holds at x."""
        V, r = self.V, self.r
        if r.bounds < 0:
            return np.ones(r.n, bool)
        return np.asarray((V[r.bounds] < x) & (x < V[r.bounds + 1]))

    @property
    def pairs(self) -> tuple[Vector, Vector]:
        """Steps and differences of gradients in a limited memory, oldest first, for the user."""
        S, Y = self._pairs
        oldest = int(self.V[self.r.states, 0]) % max(len(S), 1)
        order = np.r_[oldest : len(S), :oldest]
        return S[order] * self.unit, Y[order] / self.unit

    @property
    def _pairs(self) -> tuple[Vector, Vector]:
        """The steps, and the differences of gradients, in a limited memory."""
        V, r = self.V, self.r
        most = max(int(r.h[0]), 1)
        count = min(int(V[r.states, 0]), most)
        return V[r.memory : r.memory + count], V[r.memory + most : r.memory + most + count]

    @property
    def last_is_next(self) -> bool:
        """Whether the run could not continue after the next evaluation.

        The step after it would need all data, or an unknown value of a schedule.
        """
        r = self.r
        ends = r.nit + 2 > r.maxiter
        return bool(r.ask) and (
            (ends and (r.sampled or bool(self.scheduled)))
            or (self.epochs is not None and self.epochs.stopped)
        )

    @property
    def x(self) -> Vector:
        """The current point, for the user."""
        return self.outside(self.points[self.r.x])

    @property
    def unit(self) -> Vector | float:
        """The scale, as a factor."""
        return 1.0 if self.scale is None else self.scale.D

    def outside(self, x: Vector) -> Vector:
        """A copy of a point in the user's units."""
        return x * self.unit

    def gradient_inside(self, g: Vector) -> Vector:
        return g * self.unit

    def gradient_outside(self, g: Vector) -> Vector:
        return g / self.unit

    def value(self, x: Vector, f: float) -> float:
        """What `fun` returns at `x` if the run's value is `f`: without the penalty."""
        return f if self.decayed is None else f - self.decayed.penalty(x)

    def ready(self) -> bool:
        """Do what follows an epoch; return whether another evaluation, not the last, comes next."""
        epochs = self.epochs
        if epochs is not None and epochs.exhausted and not epochs.closed:
            epochs.close(self.current(self.r.trial), self.evaluator)
        return not self.last_is_next

    def begin(self) -> None:
        """Draw what the evaluation needs: its batch, its noise."""
        r = self.r
        if self.last_is_next:
            self.keep()
        elif self.epochs is not None:
            self.evaluator.args = self.epochs.next()
        if r.ask & NOISE:
            assert self.rng is not None
            self.rng.standard_normal(out=self.V[r.z])
            r.ask &= ~NOISE  # drawn, should the evaluation fail

    def commit(self) -> None:
        """Complete the evaluation."""
        for each in (self.epochs, self.perturbed, self.adaptive):
            if each is not None:
                each.commit()

    def _doubts(self, noise: float | None) -> Dialogue:
        self._before = self.s.copy(), slice(None), self.V.copy()
        yield from doubts(self.V, self.r, noise, self.penalty)
        self._before = None
        V, r = self.V, self.r
        if r.noisy and self.method.memory and (V[r.diagonal] == UNKNOWN).all():
            _, Y = self._pairs  # they are about to be forgotten, and a new start needs their size
            if len(Y):
                V[r.diagonal] = 1.0 / np.median(np.sum(Y * Y, axis=1))

    def rollback(self) -> None:
        """The evaluation failed: get ready to start it again."""
        if self._before is not None:
            self.s[:], _, self.V[:] = self._before
            self._before = None
        for each in (self.epochs, self.perturbed, self.adaptive):
            if each is not None:
                each.rollback()

    def follow(self, f: float) -> None:
        """Set the scheduled values for the step after an evaluation with the value `f`."""
        t = self.r.nit + 2
        if t <= self.r.maxiter:
            for each in self.scheduled:
                each.set(t, f)

    def keep(self) -> None:
        """Save the run as it is: this is where it will continue."""
        self._kept = {"V": self.V.copy(), "s": record(self.s.base)}
        if self.rng is not None:
            self._kept["rng"] = copy.deepcopy(self.rng.bit_generator.state)

    def raise_error(self) -> None:
        """Raise an exception that the user's penalty raised inside compiled code."""
        if self.penalty is not None:
            self.penalty.raise_error()

    def end(self, ending: int) -> None:
        self._pending = self.r.ask
        self.r.ending, self.r.ask = ending, DONE

    def current(self, row: int) -> Vector:
        """A copy of the iterate in `row`, or of the average of the iterates up to it."""
        V, r = self.V, self.r
        averaged = r.average >= 0 and r.nit > 0
        point: Vector = V[r.average if averaged else row].copy()
        if averaged and r.averaging > 0.0 and row == r.trial:  # it has not arrived yet
            point += share.py_func(r) * (V[row] - point)
        return point

    def save(self, *, ended: bool = False) -> State:
        """The run as arrays and numbers, ready to be pickled.

        `V` is the run's own: either the run must not continue, or the state must be copied. If the
        call has `ended`, budgets will count from here, otherwise from where it started.
        """
        evaluator = self.evaluator
        s = record(self.s.base)
        if self._pending:
            s["ask"] = self._pending
        saved, V = State(), self.V
        before = self._before if self.adaptive is None else self.adaptive.begun
        if before is not None:  # in the middle of a dialogue, which will begin anew
            kept, rows, values = before
            s, V = record(kept.tobytes()), self.V.copy()
            V[rows] = values
        state = saved.data = self._kept or {"V": V, "s": s}
        state["method"], state["nit"] = self.method.__name__, max(self.r.nit, 0)
        state["counts"] = np.array([evaluator.nfev, evaluator.njev, evaluator.nhev])
        state["options"] = self.fixed
        state["ending"] = (int(self.r.ending),)
        state["closing"], state["tried"] = self.closing, float(self.tried)
        state["since"] = (state["nit"], evaluator.nfev) if ended else self.since
        if self.rng is not None:
            state.setdefault("rng", copy.deepcopy(self.rng.bit_generator.state))
        if self.perturbed is not None:
            state["perturbations"] = self.perturbed.t
            if self.perturbed.before:  # what was drawn is drawn again
                state["perturbations"] = self.perturbed.before["t"]
                state["rng"] = copy.deepcopy(self.perturbed.before["rng"])
        for each in self.scheduled:
            if each.follows_value:
                state["told"] = np.array([*each.told.items()])
        if self.epochs is not None:
            state |= self.epochs.save()
        if self.scale is not None:
            state["x_scale"] = self.scale.D
        if self.fit is not None:
            state["fit"] = self.fit.save()
        return saved

    def load(self, state: Any, rate_is_given: bool) -> None:
        """Put a run that has not started where another one stopped.

        A learning rate found by the method is kept; a given one comes from this call, as do limits
        and hyper-parameters. A run that ended on its own only continues if one of these has
        changed.

        Raises
        ------
        TypeError, ValueError
            If `state` is not a state, or belongs to another method, size or set of options.
        """
        V, r, evaluator = self.V, self.r, self.evaluator
        saved, kept, counts, self.since = self._checked(state)
        steps = r.maxiter
        arrays = slice(r.arrays, r.arrays + r.array_rows)
        fresh, h, alpha = V[arrays].copy(), list(r.h), r.alpha
        now = {field: getattr(r, field) for field in OF_THE_CALL}
        self.s[0] = saved
        V[:] = kept
        V[arrays] = fresh
        for field, value in now.items():
            setattr(r, field, value)
        r.h[:] = h
        if rate_is_given:
            r.alpha = alpha
        elif self.perturbed is not None:  # the limit that was found together with the rate
            r.clip_norm = min(r.clip_norm, saved["clip_norm"])
        r.maxiter = min(self.since[0] + steps, MOST)
        for each in self.scheduled:
            told = state.get("told", ()) if each.follows_value else ()
            for t, f in told:
                each.set(int(t), float(f))
            if not len(told):
                each.set(max(r.nit, 0) + 1, r.f)
        evaluator.nfev, evaluator.njev, evaluator.nhev = counts
        # the calls for an earlier result are needed again for this one
        evaluator.limit = min(evaluator.limit + self.since[1] + state["closing"], MOST)
        self.tried = state["tried"]
        evaluator.f = r.f_trial
        if "rng" in state and self.rng is not None:
            kind = getattr(np.random, state["rng"]["bit_generator"], None)
            if kind is not None and type(self.rng.bit_generator) is not kind:
                raise ValueError(
                    "`rng` must be the same kind of generator as at the start of the run"
                )
            self.rng.bit_generator.state = state["rng"]
        if self.perturbed is not None:
            self.perturbed.t = state["perturbations"]
        if self.epochs is not None:
            self.epochs.load(state)
        final = r.ending and r.ending not in OF_A_BUDGET
        if final:
            self._recognize()
        over = final and self._asked_the_same(saved)
        if self.fit is not None and "fit" in state:
            self.fit.load(state["fit"])
        if over:
            return
        if r.stagnation and not saved["stagnation"]:  # it counts from here
            r.f_first = r.f_lowest = r.f_mean = r.f if r.sampled else r.f_best
            r.nit_lowest = max(r.nit, 0)
        if r.nit >= r.maxiter:  # not one more iteration
            self.end(CONVERGED if r.gnorm <= r.gtol else MAXITER)
        elif not r.ask:
            go_on(*self.at, r)

    def _asked_the_same(self, saved: Any) -> bool:
        """Whether tolerances, rate and hyper-parameters are the same as in the saved record."""
        r = self.r
        tolerances = all(saved[name] == getattr(r, name) for name in GIVEN)
        steady = not self.scheduled and (saved["alpha"], *saved["h"]) == (r.alpha, *r.h)
        return tolerances and (steady or r.ending == CONVERGED)

    def _recognize(self) -> None:
        """Check that `fun` still has the value that the run ended with.

        Raises
        ------
        ValueError
            If the difference is more than rounding.
        """
        r, told = self.r, self.evaluator.exact.name.startswith(Told.name)
        if r.nit < 0 or r.sampled or r.noisy or told:
            return
        with contextlib.suppress(OutOfBudget):
            f = self.evaluator.elsewhere(self.points[r.x], VALUE, np.empty(r.n))
            check_value(f, r.f, r.f_start)

    def _checked(self, state: Any) -> tuple[Any, Vector, tuple[int, ...], tuple[int, int]]:
        """Record, rows, counts and the start of budgets of a saved run that matches this one."""
        V, r = self.V, self.r
        try:
            if state["s"].dtype != RECORD:
                raise ValueError
            saved = record(state["s"].tobytes())[0]
            kept = np.asarray(state["V"], float)
            nfev, njev, nhev = map(int, state["counts"])
            name, options = state["method"], dict(state["options"])
            nit, calls = map(int, state["since"])
            float(state["tried"]), int(state["closing"])
        except (AttributeError, TypeError, KeyError, ValueError, IndexError):
            raise TypeError(
                "`resume` must be the `state` of a result from this version of scipy_gd"
            ) from None
        if name != self.method.__name__:
            raise ValueError(f"`resume` is the state of {name}, not of {self.method.__name__}")
        for each in options.keys() | self.fixed.keys():
            if options.get(each) != self.fixed.get(each):
                then, now = options.get(each, "its default"), self.fixed.get(each, "its default")
                raise ValueError(
                    f"`resume` is the state of a run with `{each}` set to {then}, got {now}"
                )
        if kept.shape != V.shape or any(saved[field] != getattr(r, field) for field in SHAPE):
            raise ValueError(
                "`resume` is the state of a run with different options or a different number of "
                "parameters"
            )
        if r.scale >= 0 and not np.array_equal(kept[r.scale], V[r.scale]):
            raise ValueError("`resume` is the state of a run with a different `x_scale`")
        box = slice(r.bounds, r.bounds + 2) if r.bounds >= 0 else slice(0)
        if not np.array_equal(kept[box], V[box]):
            raise ValueError("`resume` is the state of a run with different `bounds`")
        return saved, kept, (nfev, njev, nhev), (nit, calls)
