"""A block of problems: their data, how they are run, and their results."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from scipy.optimize import OptimizeResult

from .._core.bits import GRADIENT
from .._core.endings import ENDINGS, MAXITER, MAXTIME
from .._core.many import COMPLETE, FACTOR, FOR_PYTHON, Beginning, Found, Room, many
from .._evaluate.gradients import Differences, Given, Pair
from .._evaluate.hessians import GradientDifferences
from .._evaluate.residuals import Residuals
from .._evaluate.squares import errors_at
from .._formula import Formula
from ..arguments import Vector, starting_point
from .begin import begin, problem_of
from .compiled import CHUNK, NO_BATCHES, NO_ROWS, NO_TABLE, Data, kind, loop_for
from .drive import WAIT
from .fit import errors_of
from .layout import rule_for
from .many_result import COUNTS, ManyResult, Messages, packed
from .minimize import minimize
from .outcome import message_of
from .run_state import RunState

STOPPED, NOT_BEGUN, OTHER = -1, -2, -3
"""In place of an ending: an error was raised; the run was interrupted before it started; see
`special`."""
FAILED = {STOPPED: "Stopped by an error.", NOT_BEGUN: "Not started: the run was interrupted."}


class Members(NamedTuple):
    """Some problems, identical except for arguments with one row per problem."""

    method: Formula
    fun: Any
    jac: Any
    hess: Any
    hessp: Any
    args: tuple[Any, ...]
    axes: tuple[bool, ...]
    starts: Any  # shape (k, n) or (1, n)
    boxes: Any  # shape (k, 2, n), (1, 2, n), or None
    k: int
    total: int  # of the problems of which these are some
    first: int  # which of them is the first here
    m: int  # residuals of each, if that is known
    options: dict[str, Any]  # as given
    settings: dict[str, Any]  # all of them, checked

    @property
    def n(self) -> int:
        return int(self.starts.shape[-1])

    @property
    def fits(self) -> bool:
        """Whether the results include errors of the parameters."""
        return bool(self.method.residuals or self.settings["residuals"])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters."""
        given = self.settings["parameter_names"]
        return tuple(given or [f"x[{i}]" for i in range(self.n)])

    @property
    def may_be_compiled(self) -> bool:
        settings = self.settings
        sampled = settings["batch_size"] is not None or settings["check_grad"]
        return (
            isinstance(self.fun, Dispatcher) and settings["compiled"] is not False and not sampled
        )

    @property
    def bytes_of_one(self) -> int:
        """The approximate size of the data of one problem."""
        sizes = [int(np.prod(a.shape[1:])) for a, axis in zip(self.args, self.axes, strict=True)
                 if axis and hasattr(a, "shape")]  # fmt: skip
        return 8 * (sum(sizes) + self.n)

    def rows(self, low: int, high: int) -> Members:
        """The problems from `low` to `high`, in their own arrays."""
        args = tuple(
            in_memory(a[low:high]) if axis else a
            for a, axis in zip(self.args, self.axes, strict=True)
        )
        starts = self.starts if len(self.starts) == 1 else self.starts[low:high]
        boxes = self.boxes
        if boxes is not None and len(boxes) > 1:
            boxes = boxes[low:high]
        return self._replace(
            args=args,
            starts=np.ascontiguousarray(starts, float),
            boxes=boxes,
            k=high - low,
            first=self.first + low,
        )

    def check(self) -> None:
        """Raise errors about the functions, before calling any of them."""
        given = self.fun, (), self.jac, self.hess, self.hessp
        problem_of(self.method, self.settings, *given)

    def start(self, i: int) -> Vector:
        return np.asarray(self.starts[i % len(self.starts)])

    def box(self, i: int) -> Vector | None:
        """Bounds in pairs."""
        return None if self.boxes is None else np.asarray(self.boxes[i % len(self.boxes)]).T

    def arguments(self, i: int) -> tuple[Any, ...]:
        return tuple(a[i] if axis else a for a, axis in zip(self.args, self.axes, strict=True))

    def rng(self, i: int) -> Any:
        """A given generator spawns one for each problem."""
        given = self.options.get("rng")
        if not isinstance(given, np.random.Generator):
            return given
        seed: Any = given.bit_generator.seed_seq
        child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, self.first + i))
        return np.random.Generator(type(given.bit_generator)(child))

    def alone(self, i: int, deadline: float) -> OptimizeResult:
        """The result of one problem; raises the exceptions of its functions."""
        left = max(deadline - perf_counter(), 0.0)
        own = {"maxtime": left, "rng": self.rng(i)}
        functions = self.jac, self.hess, self.hessp
        given = self.fun, self.start(i), self.arguments(i), *functions, self.box(i), (), None
        return minimize(self.method, *given, self.options | own)


def in_memory(some: Any) -> Any:
    """Rows as an array in this process, if they are numbers."""
    if isinstance(some, list | tuple):
        return some
    return np.ascontiguousarray(some) if np.asarray(some).dtype.kind != "O" else np.asarray(some)


class Collected:
    """The results of some problems, in arrays with one row per problem."""

    def __init__(self, k: int, n: int, fits: bool) -> None:
        self.x, self.jac = np.full((k, n), np.nan), np.full((k, n), np.nan)
        self.fun = np.full(k, np.nan)
        self.endings, self.status = np.full(k, NOT_BEGUN, np.int8), np.full(k, -1, np.int8)
        self.success = np.zeros(k, bool)
        self.counts = np.zeros((k, len(COUNTS)), np.int32)
        self.upper = np.full((k if fits else 0, n * (n + 1) // 2), np.nan)
        self.dof = np.zeros(k if fits else 0, np.int32)
        self.fits = fits
        self.special: dict[int, str] = {}
        self.texts = dict(FAILED)
        self.errors: list[BaseException] = []
        self.low, self.m = 0, 0

    def part(self, low: int, high: int) -> Collected:
        """Some rows, as views; anything that is not an array is shared."""
        part = object.__new__(Collected)
        part.__dict__ |= self.__dict__
        for name, value in self.__dict__.items():
            if isinstance(value, np.ndarray):
                setattr(part, name, value[low:high])
        part.low = self.low + low
        return part

    def copy(self, other: Collected) -> None:
        """Copy the rows from another one."""
        for name, value in other.__dict__.items():
            if isinstance(value, np.ndarray):
                getattr(self, name)[...] = value
        self.special |= {self.low + i: text for i, text in other.special.items()}
        self.texts |= other.texts
        self.errors += other.errors

    def put(self, i: int, result: OptimizeResult, ending: int) -> None:
        """One result."""
        for name in ("x", "fun", "jac", "status", "success"):
            if name in result:
                getattr(self, name)[i] = result[name]
        self.counts[i] = [min(result.get(name, 0), 2**31 - 1) for name in COUNTS]
        if "covariance" in result:
            self.upper[i], self.dof[i] = packed(result.covariance), result.dof
        self.endings[i] = ending
        self.m = len(result.get("residuals", ()))
        if "message" in result:
            self.special[self.low + i] = result.message

    def raise_if_all_have(self) -> None:
        """Raise an error that every problem has, since it cannot depend on the data."""
        if self.errors and (self.endings == STOPPED).all():
            raise self.errors[0]

    def result(self, names: tuple[str, ...]) -> ManyResult:
        """The `ManyResult`, with these parameter names."""
        fit = {"upper": self.upper, "dof": self.dof} if self.fits else {}
        return ManyResult(
            x=self.x,
            fun=self.fun,
            jac=self.jac,
            success=self.success,
            status=self.status,
            **dict(zip(COUNTS, self.counts.T, strict=True)),
            **fit,
            messages=Messages(self.endings, self.texts, self.special),
            parameter_names=names,
        )


def run_block(
    members: Members,
    deadline: float,
    into: Collected | None = None,
    stopped: threading.Event | None = None,
) -> Collected:
    """Run some problems, until time is up."""
    found = Collected(members.k, members.n, members.fits) if into is None else into
    stopped = stopped or threading.Event()
    left: Sequence[int] = range(members.k)
    together, begun = None, perf_counter()
    while members.fits and not members.m and left and members.may_be_compiled:
        run_alone(members, left[0], found, deadline)  # tells how many residuals there are
        members, left = members._replace(m=found.m), left[1:]
    if members.may_be_compiled:
        together = Together.of(members)
    if together is not None and not together.ready:
        for i in left[:1]:
            run_alone(members, i, found, deadline)
        left = left[1:]
        seconds = (perf_counter() - begun) * members.total
        if seconds < WAIT or not together.compiled():
            together = None
    if together is not None:
        left = together.run(left[0] if left else members.k, found, deadline, stopped)
    for i in left:
        if stopped.is_set():
            break
        run_alone(members, i, found, deadline)
    return found


def run_alone(members: Members, i: int, found: Collected, deadline: float) -> None:
    """Run one problem through `minimize`; an error affects only itself."""
    if perf_counter() >= deadline:
        found.put(i, OptimizeResult(x=members.start(i), status=1), MAXTIME)
        found.texts[MAXTIME] = ENDINGS[MAXTIME].message
        return
    try:
        found.put(i, members.alone(i, deadline), OTHER)
    except Exception as error:
        result = error.__dict__.pop("optimize_result", OptimizeResult(x=members.start(i)))
        result.update(
            status=-1, success=False, message=f"Stopped by {type(error).__name__}: {error}"
        )
        found.put(i, result, STOPPED)
        if not found.errors:
            found.errors.append(error)


class Together:
    """Some problems in one compiled loop."""

    @classmethod
    def of(cls, members: Members) -> Together | None:
        """The problems in one loop; None if that is not possible."""
        try:
            return cls(members)
        except (ValueError, TypeError):  # a run by itself will tell
            return None

    def __init__(self, members: Members) -> None:
        opts, box = members.settings, members.box(0)
        self.members, self.args = members, members.arguments(0)
        some = int(np.argmax(np.isfinite(members.starts).all(axis=1)))
        x, sides = starting_point(members.start(some)), None
        if box is not None:
            sides = np.array(box[:, 0]), np.array(box[:, 1])
            x = np.clip(x, *sides)
        given = members.fun, self.args, members.jac, members.hess, members.hessp
        if not all(
            of_numbers(a) for a, axis in zip(members.args, members.axes, strict=True) if axis
        ):
            raise ValueError
        problem = problem_of(members.method, opts, *given)
        self.run_ = run = begin(members.method, problem, x, sides, opts)
        if not is_plain(run, opts, len(members.boxes) if members.boxes is not None else 1):
            raise ValueError
        self.loop = loop_for(run)
        if run.fit is not None:
            if not members.m:
                raise ValueError
            run.fit.resize(members.m)

    @property
    def ready(self) -> bool:
        return self.loop.ready(self.args)

    def compiled(self) -> bool:
        """Whether they are compiled by now."""
        return self.loop.compile(self.run_, self.args) is None

    def run(
        self, low: int, found: Collected, deadline: float, stopped: threading.Event
    ) -> list[int]:
        """Run the problems from `low` on; return those that are left."""
        members, run = self.members, self.run_
        k, n = members.k, members.n
        entry, x = self.loop.entries[kind(self.args)], np.empty(n)
        data = Data(members.args, one_of, members.axes)
        parts, _keeping = entry.placed(run, x, data)
        source: Any = run.evaluator.source
        memory = getattr(source, "memory", np.empty((0, n)))
        words = run.s.view(np.int64)
        first = Beginning(run.V.copy(), words.copy(), memory.copy())
        fit = (errors_at(), run.fit.kept.address) if run.fit is not None else (0, 0)
        again = source.parts | GRADIENT if source.given or run.fit is not None else 0
        room = Room(memory, getattr(source, "bounds_at", -1), source.given, again, *fit)
        matrix = np.empty((k if run.fit is not None else 0, n + 1, n))
        what, counts = np.zeros(k, np.int64), np.zeros((k, 5), np.int64)
        into = Found(found.x, found.jac, found.fun, matrix, what, counts)
        boxes = members.boxes if members.boxes is not None else np.zeros((1, 2, n))
        limit, nothing = run.evaluator.limit, (NO_ROWS, NO_TABLE, NO_BATCHES)
        odd = ~np.isfinite(members.starts).all(axis=1)
        if members.boxes is not None:
            odd = odd | np.isinf(members.boxes).all(axis=(1, 2))
        cursor, steps = np.array([low, 0]), FEW
        try:
            while cursor[0] < k and (now := perf_counter()) < deadline and not stopped.is_set():
                try:
                    many(run.V, run.s, words, first, parts, room, steps, limit, members.starts,
                         boxes, cursor, k, into, nothing)  # fmt: skip
                except Exception:  # which will be raised again
                    what[cursor[0]] = FOR_PYTHON
                    cursor[:] = cursor[0] + 1, 0
                taken = max(perf_counter() - now, 1e-6)
                steps = max(int(min(steps * CHUNK / taken, 8 * steps, MANY)), 1)
        finally:  # also where the run is interrupted
            what[cursor[0] :] = FOR_PYTHON
            what[np.broadcast_to(odd, k)] = FOR_PYTHON
            self._settle(slice(low, k), what, counts, matrix, found)
        what[:low] = COMPLETE
        return np.flatnonzero(what == FOR_PYTHON).tolist()

    def _settle(
        self, rows: slice, what: Any, counts: Any, matrix: Vector, found: Collected
    ) -> None:
        """Collect endings, and errors of the parameters."""
        run, opts = self.run_, self.members.settings
        done = np.zeros(len(what), bool)
        done[rows] = what[rows] != FOR_PYTHON
        found.endings[done], found.counts[done] = counts[done, 0], counts[done, 1:]
        for ending in np.unique(counts[done, 0]).tolist():
            members = done & (counts[:, 0] == ending)
            status, success, *_ = ENDINGS[ending]
            found.status[members] = status
            found.success[members] = opts["maxiter_is_success"] if ending == MAXITER else success
            found.texts[ending] = message_of(run, opts, ending)
        if run.fit is None:
            return
        m, n = run.fit.r.size, self.members.n
        plain = done & (what == COMPLETE)
        variance = np.ones(int(plain.sum()))
        if not opts["absolute_sigma"]:
            variance = (
                2.0 * found.fun[plain] / (m - n) if m > n else np.full(variance.shape, np.inf)
            )
        upper = packed(matrix[plain, :n])
        known = np.isfinite(upper) & (upper != 0.0)
        found.upper[plain] = np.where(known, variance[:, np.newaxis], 1.0) * upper
        found.dof[plain] = m - n
        for i in np.flatnonzero(done & (what == FACTOR)).tolist():
            x, box = found.x[i], self.members.box(i)
            free = np.ones(n, bool) if box is None else (box[:, 0] < x) & (x < box[:, 1])
            known, said = errors_of(FACTOR, matrix[i], np.ones(n), free, found.fun[i], m, opts)
            found.upper[i], found.dof[i] = packed(known["covariance"]), known["dof"]
            if said:
                ending = int(counts[i, 0])
                found.special[found.low + i] = found.texts[ending] + said


FEW, MANY = 200, 10**9
"""The steps of the machine before the first check of the clock, and the most between two checks."""


def one_of(axes: tuple[bool, ...]) -> Any:
    """A function that takes one row of the arguments with one row per problem."""
    each = rows_of(axes)
    return njit(lambda args, first, count: each(args, first))


def rows_of(axes: tuple[bool, ...]) -> Any:
    if not axes:
        return njit(lambda args, i: ())
    first, rest = axes[0], rows_of(axes[1:])

    @njit  # type: ignore[untyped-decorator]
    def row(args: Any, i: int) -> Any:
        if first:
            return (args[0][i], *rest(args[1:], i))
        return (args[0], *rest(args[1:], i))

    return row


def of_numbers(given: Any) -> bool:
    """Whether Numba sees the same type for a row taken in Python or in compiled code."""
    return isinstance(given, np.ndarray) and given.dtype.kind in "biufcV" and given.dtype.isnative


def is_plain(run: RunState, opts: dict[str, Any], boxes: int) -> bool:
    """Whether its state follows from the start and the bounds, and its result from its state."""
    source, hessian = run.evaluator.source, run.evaluator.hessian
    rule = rule_for(run.method, opts, sampled=False)
    return (
        isinstance(source, Given | Pair | Differences | Residuals)
        and not (isinstance(hessian, GradientDifferences) and boxes > 1)
        and run.scale is None
        and not run.prepared
        and bool(run.r.needs & GRADIENT)
        and opts["averaging"] is None
        and opts["noise"] is None
        and opts["threads"] == 1
        and not hasattr(rule.module, "initial_rate")
    )
