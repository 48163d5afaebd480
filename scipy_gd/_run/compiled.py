"""The compiled driver: a loop around Numba functions, with the machine behind an address.

A `Loop` is made for the functions of one objective and compiled for each kind of `args`, which are
passed at run time. It is written down in text, since what it evaluates differs: values and
gradients by themselves or in pairs, finite differences, Hessians. It is remembered as long as the
user's function lives, and does not keep it alive.
"""

from __future__ import annotations

import textwrap
import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numba import njit, typeof, types
from numba.core.errors import NumbaError
from numba.extending import is_jitted, overload
from numpy.typing import NDArray

from .._core.kernel import V_type, g_type, s_type
from .._core.machine import call_tell, tell_by_address
from .._core.state import DONE, GRADIENT, HESSIAN, NOISE, POINTS, VALUE
from .._evaluate.differences import (
    POINTS_OF,
    difference_point,
    difference_quotient,
    difference_step,
    hessian_step,
)
from .._evaluate.evaluator import OutOfBudget
from .._evaluate.low_level import call_pair, pair_of
from ..arguments import Vector
from .drive import Run, interpret

CHUNK = 0.03
"""Seconds that a loop runs between two looks at the clock and at Ctrl-C."""
CAUTIOUS = 200
"""The most evaluations in the first chunk of a run: its data may be larger than those before."""
NO_ROWS = np.empty(0, np.int64)
AHEAD = 10_000
"""The most steps for which schedules are evaluated beforehand."""

# --- the text of a loop

_LOOP = """
def loop(V, s, tell, args, steps, budget, pause, reach, start, tables, rng, order, cursor, size):
    r = s[0]
    n, nit, f = r.n, r.nit, r.f_trial
    x = np.empty(n)
    data = args
    for _ in range(steps):
        ask, row = r.ask, r.trial
        at = row + POINTS
        if {at_its_end}:
            break  # the Python driver sees to the end
{body}
        r.ask = call_tell(tell, V.ctypes.data, s.ctypes.data, f, V.ctypes.data + 8 * n * at)
{afterwards}
        if r.ask == DONE or (pause and r.nit != nit):
            break
    return False
"""
_NOISE = """
if ask & NOISE:
    for i in range(n):
        V[r.z, i] = rng.standard_normal()
    r.ask = ask & ~NOISE  # drawn, should the evaluation fail
"""
_SCHEDULES = """
k = r.nit + 2 - start
if k >= len(tables[0]):
    break
"""
_BATCH = """
rows = order[cursor[0] : cursor[0] + size]
cursor[0] += rows.size
data = ({data})
"""
_VALUE = """
if ask & VALUE:
    if r.nfev >= budget:
        return True
    r.nfev += 1
    read(V, row, x)
    f = fun(x, *data)
"""
_GRADIENT = """
if ask & GRADIENT:
    r.njev += 1
    read(V, row, x)
    store(V, at, jac(x, *data))
"""
_PAIR = """
if ask & VALUE:  # a gradient asked for by itself is already here
    if r.nfev >= budget:
        return True
    r.nfev += 1
    r.njev += 1
    read(V, row, x)
    f, gradient = fun(x, *data)
    store(V, at, gradient)
"""
_LOW_LEVEL_PAIR = """
if ask & VALUE:
    if r.nfev >= budget:
        return True
    r.nfev += 1
    r.njev += 1
    read(V, row, x)
    f = call_pair(data[0], n, x.ctypes.data, V.ctypes.data + 8 * n * at, data[1])
"""
_DIFFERENCES = """
if ask & GRADIENT:
    rel_step, lower, upper = reach
    calls = 0
    for i in range(n):
        h, _ = difference_step(V[row, i], rel_step[i], lower[i], upper[i], {points})
        calls += {points} * (h != 0.0)
    if r.nfev + calls > budget:
        r.f_trial = f
        return True
    r.njev += 1
    for i in range(n):
        V[at, i] = 0.0
        low, high = lower[i], upper[i]
        h, one_sided = difference_step(V[row, i], rel_step[i], low, high, {points})
        if h != 0.0:
{quotient}
"""
_REAL_QUOTIENT = """
first = second = 0.0
for k in range({points}):
    read(V, row, x)
    x[i] = difference_point(x[i], h, one_sided, k, low, high, {points})
    r.nfev += 1
    first, second = second, fun(x, *data)
if {points} == 1:
    first = second
V[at, i] = difference_quotient(f, first, second, h, one_sided, {points})
"""
_COMPLEX_QUOTIENT = """
read(V, row, x)
z = x + 0j
z[i] = complex(x[i], h)
r.nfev += 1
V[at, i] = fun(z, *data).imag / h
"""
_HESSIAN = """
if ask & HESSIAN:
    r.nhev += 1
    read(V, row, x)
    store_hessian(V, r.hess, hess(x, *data))
"""
_HESSIAN_ROWS = """
if ask & HESSIAN:
    _, lower, upper = reach
    for i in range(n):
        read(V, row, x)
        H = V[r.hess + i]
        H[:] = 0.0
{row}
    symmetrize(V, r.hess)
"""
_HESSP = """
H[i] = 1.0
r.nhev += 1
store(V, r.hess + i, hessp(x, H.copy(), *data))
"""
_GRADIENT_DIFFERENCES = """
h = hessian_step(x[i], lower[i], upper[i], 1)
if h != 0.0:
    x[i] = x[i] + h
    {gradient}
    store(V, r.hess + i, gradient)
    for j in range(n):
        H[j] = (H[j] - V[at, j]) / h
"""
_NEAR = {
    "jac": "r.njev += 1; gradient = jac(x, *data)",
    "pair": "if r.nfev >= budget: return True\n    r.nfev += 1; r.njev += 1\n"
    "    _, gradient = fun(x, *data)",
}


@njit(forceinline=True)  # type: ignore[untyped-decorator]
def read(V: Any, row: int, x: Any) -> None:
    for i in range(x.size):
        x[i] = V[row, i]


def store(V: Any, row: int, gradient: Any) -> None:
    """Keep a gradient; (n, 1) and (1, n) are taken as one."""


@overload(store, jit_options={"forceinline": True})  # type: ignore[untyped-decorator]
def _store(V: Any, row: Any, gradient: Any) -> Any:
    flat = isinstance(gradient, types.Array) and gradient.ndim == 1

    def of_vector(V: Any, row: Any, gradient: Any) -> None:
        if gradient.size != V.shape[1]:
            raise ValueError("`jac` must return an array with as many elements as x")
        for i in range(V.shape[1]):
            V[row, i] = gradient[i]

    def of_another(V: Any, row: Any, gradient: Any) -> None:
        store(V, row, np.asarray(gradient).ravel())

    return of_vector if flat else of_another


def take(array: Any, rows: Any) -> Any:
    """A copy of some rows."""


@overload(take)  # type: ignore[untyped-decorator]
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


@njit  # type: ignore[untyped-decorator]
def store_hessian(V: Any, row: int, hessian: Any) -> None:
    n = V.shape[1]
    H = np.asarray(hessian)
    if H.shape != (n, n):
        raise ValueError("`hess` must return a real matrix of shape (n, n)")
    scale = np.abs(H).max()
    for i in range(n):
        for j in range(n):
            a, b = H[i, j], H[j, i]
            if abs(a - b) > 1e-8 * scale + 1e-6 * abs(b):
                raise ValueError("`hess` must return a symmetric matrix")
            V[row + i, j] = a


@njit  # type: ignore[untyped-decorator]
def symmetrize(V: Any, row: int) -> None:
    for i in range(V.shape[1]):
        for j in range(i):
            V[row + i, j] = V[row + j, i] = 0.5 * (V[row + i, j] + V[row + j, i])


PLUMBING = {
    "np": np,
    "DONE": DONE,
    "VALUE": VALUE,
    "GRADIENT": GRADIENT,
    "HESSIAN": HESSIAN,
    "NOISE": NOISE,
    "POINTS": POINTS,
    "call_tell": call_tell,
    "call_pair": call_pair,
    "read": read,
    "store": store,
    "take": take,
    "store_hessian": store_hessian,
    "symmetrize": symmetrize,
    "difference_step": difference_step,
    "difference_point": difference_point,
    "difference_quotient": difference_quotient,
    "hessian_step": hessian_step,
}


class Plan(NamedTuple):
    """What the text of a loop depends on."""

    gradient: str  # "jac", "pair", "low-level pair", or the scheme of differences
    hessian: str  # "", "hess", "hessp" or "differences"
    places: tuple[str, ...]  # of scheduled hyper-parameters, as text
    noise: bool
    cut: tuple[bool, ...] | None  # which arguments are cut into batches

    def text(self) -> str:
        ends = ["r.nit + 2 > r.maxiter"] * bool(self.places or self.cut)
        parts = [_NOISE] * self.noise
        if self.cut:
            ends += ["cursor[0] >= order.size"]
            data = (
                f"take(args[{k}], rows)," if cut else f"args[{k}],"
                for k, cut in enumerate(self.cut)
            )
            parts += [_BATCH.format(data=" ".join(data))]
        if self.places:
            slots = [place.format(table=f"tables[{i}]") for i, place in enumerate(self.places)]
            parts += [_SCHEDULES + "\n".join(slots) + "\n"]
        if self.gradient == "pair":
            parts += [_PAIR]
        elif self.gradient == "low-level pair":
            parts += [_LOW_LEVEL_PAIR]
        else:
            parts += [_VALUE]
        if self.gradient == "jac":
            parts += [_GRADIENT]
        elif self.gradient in POINTS_OF:
            points = POINTS_OF[self.gradient]
            quotient = _COMPLEX_QUOTIENT if self.gradient == "cs" else _REAL_QUOTIENT
            quotient = textwrap.indent(quotient.format(points=points), " " * 12)
            parts += [_DIFFERENCES.format(points=points, quotient=quotient)]
        if self.hessian == "hess":
            parts += [_HESSIAN]
        elif self.hessian:
            row = _HESSP
            if self.hessian == "differences":
                row = _GRADIENT_DIFFERENCES.format(gradient=_NEAR[self.gradient])
            parts += [_HESSIAN_ROWS.format(row=textwrap.indent(row, " " * 8))]
        return _LOOP.format(
            at_its_end=" or ".join(ends) or "False",
            body=textwrap.indent("".join(parts), " " * 8),
            afterwards=" " * 8 + "cursor[1] = cursor[0]" * bool(self.cut),
        )


class Loop:
    """The driver for one objective's Numba functions.

    Attributes
    ----------
    spent : float
        Seconds that the Python driver has run where this loop was not compiled yet.
    pace : int
        Evaluations in a chunk, as the last run has left it.
    """

    def __init__(self, functions: dict[str, Any], plan: Plan) -> None:
        self.functions = {name: weakref.ref(f) for name, f in functions.items()}
        self.plan = plan
        self.entries: dict[Any, Callable[..., bool]] = {}
        self.failures: dict[Any, str] = {}
        self.spent = 0.0
        self.pace = 1

    def ready(self, args: tuple[Any, ...]) -> bool:
        return kind(args) in self.entries

    def compile(self, args: tuple[Any, ...]) -> Exception | None:
        """Compile for `args` like these; return the error if Numba cannot."""
        try:
            self.entries[kind(args)] = self._entry(args)
        except (NumbaError, TypeError, ValueError, NotImplementedError) as error:
            self.failures[kind(args)] = str(error)
            return error
        return None

    def _entry(self, args: tuple[Any, ...]) -> Callable[..., bool]:
        functions: dict[str, Any] = {name: f() for name, f in self.functions.items()}
        types_ = [typeof(each) for each in args]
        for k in np.flatnonzero(self.plan.cut or ()):
            types_[k] = types.Array(types_[k].dtype, types_[k].ndim, "C")
        for name, function in functions.items():  # by themselves: they keep their own flags
            more = (g_type,) if name == "hessp" else ()
            function.get_call_template((g_type, *more, *types_), {})
        scope = PLUMBING | functions
        exec(self.plan.text(), scope)
        differences = self.plan.gradient in POINTS_OF or self.plan.hessian
        tables = [types.Array(types.float64, 1 + ("[k, i]" in p), "C") for p in self.plan.places]
        signature = (
            *(V_type, s_type, types.int64, typeof(args), types.int64, types.int64, types.boolean),
            types.UniTuple(g_type, 3) if differences else typeof(()),
            *(types.int64, types.Tuple(tables)),
            typeof(np.random.default_rng(0)) if self.plan.noise else types.none,
            *(types.Array(types.int64, 1, "C"),) * 2,
            types.int64,
        )
        entry = njit(nogil=True, error_model="numpy")(scope["loop"]).compile(signature)
        for name in functions:  # what is kept must not keep them alive
            del scope[name]
        return entry  # type: ignore[no-any-return]

    def run(self, run: Run, deadline: float) -> None:
        """Run the machine to its end, or to the deadline, in chunks."""
        V, s, r, objective, scheduled = run.V, run.s, run.r, run.objective, run.scheduled
        batches = run.sampling.batches if run.sampling else None
        args = objective.args if batches is None else batches.args
        entry, tell = self.entries[kind(args)], tell_by_address().address
        pause, noise = run.watch is not None, run.rng if self.plan.noise else None
        reach: tuple[Vector, ...] = ()
        if self.plan.gradient in POINTS_OF or self.plan.hessian:
            reach = objective.reach(V.shape[1])
        tables: tuple[NDArray[np.float64], ...] = ()
        rows = NO_ROWS, NO_ROWS, 0
        steps, seen, start = min(self.pace, CAUTIOUS), r.nit, 0
        while r.ask and (now := perf_counter()) < deadline:
            if run.at_its_end or (batches and batches.exhausted):
                interpret(run, now)
                seen = r.nit
                continue
            if scheduled:
                start = r.nit + 2
                count = 1 if pause else min(steps, AHEAD, r.maxiter + 1 - start)
                tables = tuple(each.table(start, count) for each in scheduled)
                shortest = min(map(len, tables))
                tables = tuple(table[:shortest] for table in tables)
            if batches:
                rows = batches.order, batches.cursor, batches.size
            budget = objective.maxfev - objective.reserve - objective.nfev
            try:
                spent = entry(
                    *(V, s, tell, args, steps, budget, pause, reach, start, tables, noise), *rows
                )
                if spent:
                    raise OutOfBudget
            except BaseException:
                run.undo()
                raise
            finally:
                made = r.njev or r.nfev or 1
                objective.nfev += r.nfev
                objective.njev += r.njev
                objective.nhev += r.nhev
                r.nfev = r.njev = r.nhev = 0
                objective.f = r.f_trial
            if run.report is not None:
                run.report()
            if run.watch is not None:
                if r.nit != seen:
                    seen = r.nit
                    run.watch()
            else:
                taken = max(perf_counter() - now, 1e-6)
                steps = min(max(int(made * CHUNK / taken), 1), 8 * steps)
                self.pace = steps


# --- which loop

_LOOPS: weakref.WeakKeyDictionary[Any, dict[Any, Loop]] = weakref.WeakKeyDictionary()


def loop_for(run: Run) -> Loop:
    """The loop of an objective, made at its first use.

    Raises
    ------
    ValueError
        If there can be none; the message says why.
    """
    objective, needs = run.objective, run.r.needs
    fun, jac, hess, hessp = objective.fun, objective.jac, objective.hess, objective.hessp
    batches, cut = run.sampling.batches if run.sampling else None, None
    if objective.probe is not None:
        raise ValueError("the method draws its perturbations in Python")
    if batches is not None:
        cut = tuple(k in batches.which for k in range(len(batches.args)))
        if not all(type(batches.args[k]) is np.ndarray for k in batches.which):
            raise ValueError("the data are no plain arrays")
    if any(each.follows_value for each in run.scheduled):
        raise ValueError("a schedule follows the values of the function")
    if jac is True and not needs & GRADIENT:
        raise ValueError("`fun` returns gradients as well, which the method has no use for")
    if objective.map is not map and isinstance(jac, str) and needs & GRADIENT:
        raise ValueError("`workers` evaluate in Python")
    places = tuple(each.place for each in run.scheduled)
    key = (*map(_weakly, (jac, hess, hessp)), places, needs, cut)
    try:
        loop = _LOOPS[fun][key]
    except (KeyError, TypeError):
        functions, gradient, hessian = {"fun": fun}, "none", ""
        if needs & GRADIENT:
            gradient = jac if isinstance(jac, str) else "pair" if jac is True else "jac"
            if gradient == "jac":
                functions["jac"] = jac
            elif fun is pair_of:
                gradient = "low-level pair"
        if needs & HESSIAN:
            if hess is not None or hessp is not None:
                hessian = "hessp" if hess is None else "hess"
                functions[hessian] = hessp if hess is None else hess
            elif gradient not in _NEAR:
                raise ValueError("the Hessian is made of differences of differences") from None
            else:
                hessian = "differences"
        for name, function in functions.items():
            if not is_jitted(function):
                raise ValueError(
                    f"`{name}` is not a Numba function (decorate it with numba.njit)"
                ) from None
        loop = Loop(functions, Plan(gradient, hessian, places, bool(needs & NOISE), cut))
        _LOOPS.setdefault(fun, {})[key] = loop
    if loop.failures and (failure := loop.failures.get(kind(objective.args))):
        raise ValueError(failure)
    return loop


def _weakly(given: Any) -> Any:
    return weakref.ref(given) if callable(given) else given


PLAIN = frozenset((int, float, complex, bool, np.float64, np.int64))


def kind(value: Any) -> Any:
    """What tells apart the arguments that need a loop of their own: Numba's type, but quicker."""
    if type(value) is tuple:  # the names of a namedtuple matter
        return tuple(map(kind, value))
    if type(value) is np.ndarray:
        return value.dtype, value.ndim, value.flags.num & ~4  # but for who owns the memory
    return type(value) if type(value) in PLAIN else typeof(value)
