"""The driver for Numba functions: a loop around them, compiled, with the machine behind an address.

A loop is made of the parts that the sources give (`in_loop`) and of flags, which are constants to
the compiler: what they turn off is not there. It is compiled for each kind of `args`, which are
passed at run time, and remembered as long as the user's function lives, without keeping it alive.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numba import njit, typeof, types
from numba.core.errors import NumbaError
from numba.extending import is_jitted, overload

from .._core.bits import BETTER, CARRIED, DONE, GRADIENT, HESSIAN, HYPER, NOISE, VALUE
from .._core.jit import INNER, call_for_number
from .._core.machine import tell_at
from .._core.state import V_type, g_type, s_type
from .._evaluate.evaluator import OutOfBudget
from .._evaluate.residuals import carried_in_loop
from .interpreted import interpret
from .observers import Observers
from .run_state import RunState
from .scheduled import RATE

CHUNK = 0.03
"""Seconds that a loop runs between two looks at the clock and at Ctrl-C."""
CAUTIOUS = 200
"""The most evaluations in the first chunk of a run: its data may be larger than those before."""
AHEAD = 10_000
"""The most steps for which schedules are evaluated beforehand."""
NO_ROWS = np.empty(0, np.int64)
NO_TABLE = np.empty((0, 0))


class Flags(NamedTuple):
    """What a loop does besides asking for values."""

    gradient: bool
    hessian: bool
    noise: bool
    scheduled: bool
    measured: bool  # its first gradient and its doubts belong to Python
    doubted: bool
    carried: bool
    cut: tuple[bool, ...]  # which arguments are cut into batches


def make_loop(flags: Flags, value: Any, gradient: Any, hessian: Any) -> Any:
    """The loop of these parts; it returns whether the budget is spent."""
    slope, curvature, noise, scheduled, measured, doubted, carried, cut = flags
    batches = bool(cut)
    ends = scheduled or batches
    batch = batch_of(cut)

    def loop(
        V, s, tell, args, steps, budget, pause, room, near, columns, table, start, rng,
        order, cursor, size, x,
    ):  # fmt: skip
        r = s[0]
        nit, most = r.nit, most_values(r.n)
        for _ in range(steps):
            if (doubted and r.ask & BETTER) or (measured and r.nit < 0):
                break
            if measured and r.nfev + most > budget:
                break  # Python knows how to stop in the middle of a gradient
            if ends and r.nit + 2 > r.maxiter:
                break  # Python sees to the end
            if batches and cursor[0] >= order.size:
                break  # and to the next epoch
            if noise and r.ask & NOISE:
                for i in range(r.n):
                    V[r.z, i] = rng.standard_normal()
                r.ask &= ~NOISE  # drawn, should the evaluation fail
            if batches:
                rows = order[cursor[0] : cursor[0] + size]
                cursor[0] += rows.size
                data = batch(args, rows)
            else:
                data = args
            if scheduled:
                k = r.nit + 2 - start
                if k >= len(table):
                    break
                set_columns(V, r, columns, table[k])
            if r.ask & VALUE and value(V, r, x, data, budget, room):
                return True
            if carried and r.ask & CARRIED:
                carried_in_loop(V, r, room)
            if slope and r.ask & GRADIENT and gradient(V, r, x, data, budget, room):
                return True
            if curvature and r.ask & HESSIAN and hessian(V, r, x, data, budget, near):
                return True
            r.ask = call_for_number(tell, (V.ctypes.data, s.ctypes.data, r.f_trial))
            if batches:
                cursor[1] = cursor[0]
            if r.ask == DONE or (pause and r.nit != nit):
                break
        return False

    return njit(nogil=True, error_model="numpy")(loop)


@njit
def most_values(n: int) -> int:
    """As many values as no measured gradient needs, with its Hessian."""
    return 1 + 50 * n + n * n


@njit(**INNER)
def set_columns(V: Any, r: Any, columns: Any, values: Any) -> None:
    """Put scheduled values where they belong, see `Scheduled.columns`."""
    for j in range(columns.size):
        column = columns[j]
        if column == RATE:
            r.alpha = values[j]
        elif column < HYPER:
            r.h[column] = values[j]
        else:
            V[(column - HYPER) // r.n, (column - HYPER) % r.n] = values[j]


def batch_of(cut: tuple[bool, ...]) -> Any:
    """A function that takes some rows of those arguments that are cut."""
    if not cut:
        return njit(lambda args, rows: ())
    first, rest = cut[0], batch_of(cut[1:])

    @njit
    def batch(args: Any, rows: Any) -> Any:
        if first:
            return (take(args[0], rows), *rest(args[1:], rows))
        return (args[0], *rest(args[1:], rows))

    return batch


def take(array: Any, rows: Any) -> Any:
    """A copy of some rows."""


@overload(take)
def _take(array: Any, rows: Any) -> Any:
    def of_vector(array: Any, rows: Any) -> Any:
        taken = np.empty(rows.size, array.dtype)
        for i in range(rows.size):
            taken[i] = array[rows[i]]
        return taken

    def of_matrix(array: Any, rows: Any) -> Any:
        taken = np.empty((rows.size, array.shape[1]), array.dtype)
        for i in range(rows.size):
            row = rows[i]
            for j in range(array.shape[1]):
                taken[i, j] = array[row, j]
        return taken

    return of_vector if array.ndim == 1 else of_matrix if array.ndim == 2 else None


class Loop:
    """The driver for one objective's Numba functions.

    Attributes
    ----------
    spent : float
        Seconds that the Python driver has run where this loop was not compiled yet.
    pace : int
        Evaluations in a chunk, as the last run has left it.
    """

    def __init__(self, flags: Flags) -> None:
        self.flags, self.tell = flags, tell_at()
        self.entries: dict[Any, Callable[..., bool]] = {}
        self.failures: dict[Any, str] = {}
        self.spent = 0.0
        self.pace = 1

    def ready(self, args: tuple[Any, ...]) -> bool:
        return kind(args) in self.entries

    def compile(self, run: RunState) -> Exception | None:
        """Compile for `args` like those of this run; return the error if Numba cannot."""
        try:
            self.entries[kind(run.args)] = self._entry(run)
        except (NumbaError, TypeError, ValueError, NotImplementedError) as error:
            self.failures[kind(run.args)] = str(error)
            return error
        return None

    def _entry(self, run: RunState) -> Callable[..., bool]:
        flags, args = self.flags, run.args
        source: Any = run.evaluator.source
        hessian: Any = run.evaluator.hessian
        fun = run.evaluator.fun
        types_ = [typeof(each) for each in args]
        for k in np.flatnonzero(flags.cut):
            types_[k] = types.Array(types_[k].dtype, types_[k].ndim, "C")
        for name, function in functions_of(run).items():  # apart: they keep their own flags
            more = (g_type,) if name == "hessp" else ()
            function.get_call_template((g_type, *more, *types_), {})
        value, gradient = source.in_loop(fun, **source.functions)
        curvature = None
        if hessian is not None:
            near = getattr(source, "near_in_loop", None)
            near = near and near(fun, **source.functions)
            curvature = hessian.in_loop(near, **hessian.functions)
        rows = types.Array(types.int64, 1, "C")
        signature = (
            *(V_type, s_type, types.int64, typeof(args), types.int64, types.int64, types.boolean),
            *(typeof(source.room), typeof(hessian.room if hessian else ())),
            *(rows, types.Array(types.float64, 2, "C"), types.int64),
            typeof(np.random.default_rng(0)) if flags.noise else types.none,
            *(rows, rows, types.int64, g_type),
        )
        return make_loop(flags, value, gradient, curvature).compile(signature)  # type: ignore[no-any-return]

    def run(self, run: RunState, observers: Observers, deadline: float) -> None:
        """Run the machine in chunks, to its end or to the deadline."""
        V, s, r, evaluator, epochs = run.V, run.s, run.r, run.evaluator, run.epochs
        scheduled, hessian = run.scheduled, evaluator.hessian
        args = run.args
        entry, tell = self.entries[kind(args)], self.tell
        pause, noise = bool(observers.each), run.rng if self.flags.noise else None
        columns, table, rows = NO_ROWS, NO_TABLE, (NO_ROWS, NO_ROWS, 0)
        x = np.empty(r.n)  # once: its pages cost as much as some of an iteration
        if scheduled:
            columns = np.concatenate([each.columns for each in scheduled])
        steps, seen, start = min(self.pace, CAUTIOUS), r.nit, 0
        while r.ask and (now := perf_counter()) < deadline and (not run.prepared or run.ready()):
            if epochs is not None:
                if epochs.exhausted:
                    interpret(run, observers, now)
                    seen = r.nit
                    continue
                rows = epochs.order, epochs.cursor, epochs.size
            if run.fit is not None and not run.fit.r.size:  # how many there are
                interpret(run, observers, now)
                seen = r.nit
                continue
            rooms = evaluator.source.room, hessian.room if hessian else ()
            left = evaluator.limit - evaluator.nfev
            if r.ask & BETTER or (self.flags.measured and (r.nit < 0 or left < most_values(r.n))):
                interpret(run, observers, now)
                seen = r.nit
                continue
            if scheduled:
                start = r.nit + 2
                count = 1 if pause else min(steps, AHEAD, r.maxiter + 1 - start)
                tables = [each.table(start, count) for each in scheduled]
                shortest = min(map(len, tables))
                table = np.hstack([each[:shortest] for each in tables])
            budget = left
            try:
                what = columns, table, start, noise
                if entry(V, s, tell, args, steps, budget, pause, *rooms, *what, *rows, x):
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


# --- which loop

_LOOPS: weakref.WeakKeyDictionary[Any, dict[Any, Loop]] = weakref.WeakKeyDictionary()


def loop_for(run: RunState) -> Loop:
    """The loop of an objective, made at its first use.

    Raises
    ------
    ValueError
        If there can be none; the message says why.
    """
    evaluator, needs, epochs = run.evaluator, run.r.needs, run.epochs
    cut: tuple[bool, ...] = ()
    source, hessian = evaluator.source, evaluator.hessian
    slope = bool(needs & GRADIENT)
    if run.perturbed is not None:
        raise ValueError("the method draws its perturbations in Python")
    if epochs is not None:
        cut = tuple(k in epochs.which for k in range(len(epochs.args)))
        if not all(type(epochs.args[k]) is np.ndarray for k in epochs.which):
            raise ValueError("the data are no plain arrays")
    if any(each.follows_value for each in run.scheduled):
        raise ValueError("a schedule follows the values of the function")
    if run.fit is not None and run.fit.varying:
        raise ValueError("the number of residuals changes from batch to batch")
    if source.parts == VALUE and not slope:
        raise ValueError("`fun` returns gradients as well, which the method has no use for")
    if evaluator.map is not map and slope and not source.given:
        raise ValueError("`workers` evaluate in Python")
    flags = Flags(
        slope,
        hessian is not None,
        bool(needs & NOISE),
        bool(run.scheduled),
        run.adaptive is not None,
        bool(run.r.better),
        bool(run.r.accelerate),
        cut,
    )
    functions = functions_of(run)
    try:
        others = (weakref.ref(f) for name, f in functions.items() if name != "fun")
        key = source.name, hessian and hessian.name, flags, *others
        loop = _LOOPS[evaluator.fun][key]
    except (KeyError, TypeError):  # there is none, or no reference to one of the functions
        for name, function in functions.items():
            if not is_jitted(function):
                raise ValueError(
                    f"`{name}` is not a Numba function (decorate it with numba.njit)"
                ) from None
        loop = _LOOPS.setdefault(evaluator.fun, {})[key] = Loop(flags)
    try:
        failure = loop.failures.get(kind(run.args))
    except (NumbaError, ValueError) as error:
        raise ValueError(f"`args`: {error}") from None
    if failure:
        raise ValueError(failure)
    return loop


def functions_of(run: RunState) -> dict[str, Any]:
    """The user's functions that the run calls, by their names in `minimize`."""
    functions = {"fun": run.evaluator.fun}
    if run.r.needs & GRADIENT:
        functions |= run.evaluator.source.functions
    if run.evaluator.hessian is not None:
        functions |= run.evaluator.hessian.functions
    return functions


PLAIN = frozenset((int, float, complex, bool, np.float64, np.int64))


def kind(value: Any) -> Any:
    """What tells apart the arguments that need a loop of their own: Numba's type, but quicker."""
    if type(value) is tuple:  # the names of a namedtuple matter
        return tuple(map(kind, value))
    if type(value) is np.ndarray:
        return value.dtype, value.ndim, value.flags.num & ~4  # but for who owns the memory
    return type(value) if type(value) in PLAIN else typeof(value)
