"""The driver for Numba functions: the loop of `_core/loop.py` around parts built from them.

The parts come from the sources (`in_loop`). They are compiled for each kind of `args` and cached as
long as the user's function exists, without keeping it alive. The loop itself knows none of them.
"""

from __future__ import annotations

import functools
import weakref
from time import perf_counter
from typing import Any

import numpy as np
from numba import njit, typeof, types
from numba.core.errors import NumbaError
from numba.extending import is_jitted, overload

from .._core.addresses import pointers_of
from .._core.bits import BETTER, GRADIENT, VALUE
from .._core.jit import opened
from .._core.loop import Parts, loop, most_values
from .._core.machine import tell_at
from .._core.native import Memory, found, native, put, size_of
from .._core.state import V_type, g_type, s_type
from .._evaluate.evaluator import OutOfBudget
from .._evaluate.residuals import carried_in_loop
from ..arguments import Vector
from .interpreted import interpret
from .observers import Observers
from .run_state import RunState

CHUNK = 0.03
"""Seconds that a loop runs between checks of the clock and of Ctrl-C."""
CAUTIOUS = 200
"""The most evaluations in the first chunk of a run: its data may be larger than before."""
AHEAD = 10_000
"""The most steps for which schedules are evaluated in advance."""
NO_ROWS = np.empty(0, np.int64)
NO_TABLE = np.empty((0, 0))
NO_BATCHES = NO_ROWS, 0, 0


class Entry:
    """What the functions of a run have become, for `args` of one kind.

    Those of the run may be of another kind, if it takes only some of the data at a time.
    """

    def __init__(self, run: RunState, args: tuple[Any, ...]) -> None:
        source: Any = run.evaluator.source
        hessian: Any = run.evaluator.hessian
        fun, kinds = run.evaluator.fun, [typeof(each) for each in args]
        for name, function in functions_of(run).items():  # apart: they keep their own flags
            more = (g_type,) if name == "hessp" else ()
            function.get_call_template((g_type, *more, *kinds), {})
        self.args = types.BaseTuple.from_types(kinds)
        Memory(size_of(self.args), tuple(args))  # raises an error if they cannot be found in memory
        self.room = typeof((run.V[0], source.room))
        self._kept: list[Any] = []
        value, gradient = source.in_loop(fun, **source.functions)
        slope = bool(run.r.needs & GRADIENT)
        self.value, self.gradient = self._part(value), self._part(gradient) if slope else 0
        self.carried = self._part(carried_in_loop()) if run.r.accelerate else 0
        self.near, self.hessian = self.room, 0
        if hessian is not None:
            near = getattr(source, "near_in_loop", None)
            near = near and near(fun, **source.functions)
            self.near = typeof((run.V[0], hessian.room))
            self.hessian = self._part(hessian.in_loop(near, **hessian.functions), self.near)
        self.sizes = size_of(self.args), size_of(self.room), size_of(self.near)

    def placed(self, run: RunState, x: Vector, data: Data | None = None) -> tuple[Parts, Any]:
        """The parts for a run that finds everything in memory; what is to be kept meanwhile.

        Without `data` its arguments are those of the run.
        """
        evaluator = run.evaluator
        room = near = Memory(self.sizes[1], (x, evaluator.source.room))
        if self.hessian:
            near = Memory(self.sizes[2], (x, evaluator.hessian.room))  # type: ignore[union-attr]
        args = Memory(self.sizes[0], None if data else tuple(run.args))
        own = tell_at(), self.value, self.gradient, self.hessian, self.carried
        choose, source = (data.choose, data.memory.address) if data else (0, 0)
        places = args.address, room.address, near.address, source
        return Parts(*own, choose, *places), (args, room, near, data)

    def _part(self, function: Any, kind: Any = None) -> int:
        args_at, room_at = found(self.args), found(kind or self.room)

        def part(memory: int, record: int, args: int, room: int, budget: int) -> Any:
            at_memory, at_record = pointers_of(memory, record)
            V, r = opened(at_memory, at_record)
            x, own = room_at(room)
            return function(V, r, x, args_at(args), budget, own)

        address, kept = native(part, 5)
        self._kept.append(kept)
        return address


# --- data, of which some are the arguments of an evaluation


class Data:
    """All data in memory, and the part that chooses.

    Parameters
    ----------
    value : tuple
        The data, and what else `rule` needs.
    rule : callable
        Of some flags, a Numba function of `value`, a first row and a number of rows: arguments.
    flags : tuple of bool
        Which of the data are cut.
    """

    def __init__(self, value: tuple[Any, ...], rule: Any, flags: tuple[bool, ...]) -> None:
        kind = typeof(value)
        self.memory = Memory(size_of(kind), value)
        self.choose, _ = choosing(kind, rule, flags)


@functools.cache
def choosing(kind: Any, rule: Any, flags: tuple[bool, ...]) -> tuple[int, Any]:
    """The part that puts the chosen data in the place of the arguments."""
    at, chosen = found(kind), rule(flags)

    def choose(data: int, args: int, first: int, count: int) -> int:
        put(args, chosen(at(data), first, count))
        return 0

    return native(choose, 4)


def in_batches(run: RunState) -> Data | None:
    """The data of a run with mini-batches."""
    epochs = run.epochs
    if epochs is None:
        return None
    cut = tuple(k in epochs.which for k in range(len(epochs.args)))
    room = tuple(
        np.empty((epochs.size, *each.shape[1:]), each.dtype) if rows else ()
        for each, rows in zip(epochs.args, cut, strict=True)
    )
    return Data((tuple(epochs.args), epochs.order, room), next_batch, cut)


def sample(run: RunState) -> tuple[Any, ...]:
    """Arguments of the same kind as in evaluations."""
    epochs = run.epochs
    if epochs is None:
        return run.args
    return tuple(
        np.empty((0, *each.shape[1:]), each.dtype) if k in epochs.which else each
        for k, each in enumerate(epochs.args)
    )


def next_batch(cut: tuple[bool, ...]) -> Any:
    batch = batch_of(cut)

    @njit
    def chosen(data: Any, first: int, count: int) -> Any:
        args, order, room = data
        return batch(args, room, order[first : first + count])

    return chosen


def batch_of(cut: tuple[bool, ...]) -> Any:
    """A function that copies some rows of the arguments that are cut into their buffers."""
    if not cut:
        return njit(lambda args, room, rows: ())
    first, rest = cut[0], batch_of(cut[1:])

    @njit
    def batch(args: Any, room: Any, rows: Any) -> Any:
        if first:
            return (take(args[0], room[0], rows), *rest(args[1:], room[1:], rows))
        return (args[0], *rest(args[1:], room[1:], rows))

    return batch


def take(array: Any, room: Any, rows: Any) -> Any:
    """A copy of some rows."""


@overload(take)
def _take(array: Any, room: Any, rows: Any) -> Any:
    def of_vector(array: Any, room: Any, rows: Any) -> Any:
        for i in range(rows.size):
            room[i] = array[rows[i]]
        return room[: rows.size]

    def of_matrix(array: Any, room: Any, rows: Any) -> Any:
        for i in range(rows.size):
            row = rows[i]
            for j in range(array.shape[1]):
                room[i, j] = array[row, j]
        return room[: rows.size]

    return of_vector if array.ndim == 1 else of_matrix if array.ndim == 2 else None


class Loop:
    """The driver for one objective's Numba functions.

    Attributes
    ----------
    spent : float
        Seconds that the Python driver has run while this loop was not compiled yet.
    pace : int
        Evaluations per chunk, as left by the last run.
    """

    def __init__(self) -> None:
        self.entries: dict[Any, Entry] = {}
        self.failures: dict[Any, str] = {}
        self.spent = 0.0
        self.pace = 1

    def ready(self, args: tuple[Any, ...]) -> bool:
        return kind(args) in self.entries

    def compile(self, run: RunState, args: tuple[Any, ...]) -> Exception | None:
        """Compile for such `args`; return the error if Numba cannot."""
        try:
            self.entries[kind(args)] = Entry(run, args)
        except (NumbaError, TypeError, ValueError, NotImplementedError) as error:
            self.failures[kind(args)] = str(error)
            return error
        return None

    def run(self, run: RunState, observers: Observers, deadline: float) -> None:
        """Run the machine in chunks, to its end or to the deadline."""
        V, s, r, evaluator, scheduled = run.V, run.s, run.r, run.evaluator, run.scheduled
        run_loop = loop_with(run.rng)
        entry, measured = self.entries[kind(sample(run))], run.adaptive is not None
        data, batches, epochs = in_batches(run), NO_BATCHES, run.epochs
        pause, x = bool(observers.each), np.empty(r.n)  # whose pages cost as much as an iteration
        columns = np.concatenate([each.columns for each in scheduled]) if scheduled else NO_ROWS
        steps, seen = min(self.pace, CAUTIOUS), r.nit
        while r.ask and (now := perf_counter()) < deadline and (not run.prepared or run.ready()):
            budget = evaluator.limit - evaluator.nfev
            if self._belongs_to_python(run, measured, budget):
                interpret(run, observers, now)
                seen = r.nit
                continue
            start = r.nit + 2
            table = _table(run, 1 if pause else steps, start) if scheduled else NO_TABLE
            parts, _keeping = entry.placed(run, x, data)
            if epochs is not None:
                batches = epochs.cursor, epochs.order.size, epochs.size
            what = pause, measured, columns, table, start, run.rng, batches
            try:
                if run_loop(V, s, parts, steps, budget, *what) < 0:
                    run.tried = r.f_trial
                    raise OutOfBudget
            except BaseException:
                run.rollback()
                raise
            finally:
                made = r.njev or r.nfev or 1
                evaluator.nfev += r.nfev
                evaluator.njev += r.njev
                evaluator.nhev += r.nhev
                r.nfev = r.njev = r.nhev = 0
                evaluator.f = r.f_trial
            if observers.now_and_then:
                observers.report(run)
            if pause:
                if r.nit != seen:
                    seen = r.nit
                    observers.iteration(run)
            else:
                taken = max(perf_counter() - now, 1e-6)
                steps = min(max(int(made * CHUNK / taken), 1), 8 * steps)
                self.pace = steps

    def _belongs_to_python(self, run: RunState, measured: bool, budget: int) -> bool:
        """Whether the loop leaves the next evaluation to the Python driver."""
        r = run.r
        if run.epochs is not None and run.epochs.exhausted:
            return True
        if run.fit is not None and not run.fit.begun:
            return True
        return bool(
            r.ask & BETTER or (measured and (r.nit < 0 or budget < most_values.py_func(r.n)))
        )


def loop_with(rng: Any) -> Any:
    """The bare loop: Numba's inspection of argument types can take longer than a whole run."""
    return _loop_of(types.none if rng is None else typeof(rng))


@functools.cache
def _loop_of(rng: Any) -> Any:
    rows, table = types.Array(types.int64, 1, "C"), types.Array(types.float64, 2, "C")
    parts, batches = types.UniTuple(types.int64, 10), types.Tuple((rows, types.int64, types.int64))
    count, flag = types.int64, types.boolean
    return loop.compile(
        (V_type, s_type, parts, count, count, flag, flag, rows, table, count, rng, batches)
    )


def _table(run: RunState, steps: int, start: int) -> Any:
    """The values of the schedules for the next steps."""
    count = min(steps, AHEAD, run.r.maxiter + 1 - start)
    tables = [each.table(start, count) for each in run.scheduled]
    shortest = min(map(len, tables))
    return np.hstack([each[:shortest] for each in tables])


# --- which loop

_LOOPS: weakref.WeakKeyDictionary[Any, dict[Any, Loop]] = weakref.WeakKeyDictionary()


def loop_for(run: RunState) -> Loop:
    """The loop for an objective, created on first use.

    Raises
    ------
    ValueError
        If it cannot be compiled; the message says why.
    """
    evaluator, needs, epochs = run.evaluator, run.r.needs, run.epochs
    source, hessian = evaluator.source, evaluator.hessian
    slope = bool(needs & GRADIENT)
    if run.perturbed is not None:
        raise ValueError("the method draws its perturbations in Python")
    if epochs and not all(type(epochs.args[k]) is np.ndarray for k in epochs.which):
        raise ValueError("the data are not plain arrays")
    if any(each.follows_value for each in run.scheduled):
        raise ValueError("a schedule depends on the function values")
    if run.fit is not None and run.fit.varying:
        raise ValueError("the number of residuals changes from batch to batch")
    if source.parts == VALUE and not slope:
        raise ValueError("`fun` also returns gradients, which the method does not use")
    if evaluator.map is not map and slope and not source.given:
        raise ValueError("`workers` run in Python")
    functions = functions_of(run)
    try:
        others = (weakref.ref(f) for name, f in functions.items() if name != "fun")
        key = source.name, hessian and hessian.name, slope, bool(run.r.accelerate), *others
        return _checked(_LOOPS[evaluator.fun][key], run)
    except (KeyError, TypeError):  # there is none, or no reference to one of the functions
        for name, function in functions.items():
            if not is_jitted(function):
                raise ValueError(
                    f"`{name}` is not a Numba function (decorate it with numba.njit)"
                ) from None
        return _checked(_LOOPS.setdefault(evaluator.fun, {}).setdefault(key, Loop()), run)


def _checked(loop: Loop, run: RunState) -> Loop:
    """The loop, unless compilation failed before for arguments of this kind."""
    try:
        failure = loop.failures.get(kind(sample(run)))
    except (NumbaError, ValueError) as error:
        raise ValueError(f"`args`: {error}") from None
    if failure:
        raise ValueError(failure)
    return loop


def functions_of(run: RunState) -> dict[str, Any]:
    """The user's functions that the run calls, by argument name in `minimize`."""
    functions = {"fun": run.evaluator.fun}
    if run.r.needs & GRADIENT:
        functions |= run.evaluator.source.functions
    if run.evaluator.hessian is not None:
        functions |= run.evaluator.hessian.functions
    return functions


PLAIN = frozenset((int, float, complex, bool, np.float64, np.int64))


def kind(value: Any) -> Any:
    """A key for the arguments that need their own loop: like Numba's type, but faster."""
    if type(value) is tuple:  # the names of a namedtuple matter
        return tuple(map(kind, value))
    if type(value) is np.ndarray:
        return value.dtype, value.ndim, value.flags.num & ~4  # but for who owns the memory
    return type(value) if type(value) in PLAIN else typeof(value)
