"""The two drivers: they fetch the evaluations that the machine asks for.

`interpret` calls Python functions, `Loop` runs compiled with Numba functions. Both do nothing else:
the algorithm is in `_machine.py`. A run may change from one to the other between two evaluations,
since all it remembers is in `V` and `s`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numba import njit, typeof, types
from numba.core.errors import NumbaError
from numba.extending import is_jitted

from ._endings import BROKEN, CALLBACK, MAXFEV, MAXTIME
from ._inputs import Vector
from ._kernel import EXACT, V_type, g_type, s_type
from ._machine import call_tell, tell, tell_by_address
from ._objective import Objective, OutOfBudget
from ._state import DONE, GRADIENT, HESSIAN, NOISE, POINTS, VALUE

TIER_UP = 0.1
"""Seconds that a run spends in Python before a loop is compiled for its functions."""
WORTHWHILE = 1.0
"""Seconds that must be left for a compilation to be begun."""
CHUNK = 0.03
"""Seconds that a compiled loop runs between two looks at the clock and at Ctrl-C."""


class Halt(Exception):
    """Raised by a watch to end the run: the user's callback has raised `StopIteration`."""


Watch = Callable[[], None]
Schedules = Sequence[tuple[Vector, Callable[[int, float], Any]]]


def drive(
    V: Vector,
    s: Any,
    objective: Objective,
    *,
    schedules: Schedules = (),
    rng: np.random.Generator | None = None,
    watch: Watch | None = None,
    maxtime: float = float("inf"),
    compiled: bool | None = None,
) -> None:
    """Run the machine to its end.

    Parameters
    ----------
    V, s : arrays
        The state; it is changed in place, and holds the reason for the end in ``s["ending"]``.
    objective : Objective
        Evaluates.
    schedules : sequence of (slot, function)
        Before step t each slot of the state is given ``function(t, f)``.
    rng : Generator
        Draws the noise, where the method needs some.
    watch : callable, optional
        Called at the start and after every iteration; may raise `Halt`.
    maxtime : float
        Seconds.
    compiled : bool, optional
        Whether a compiled loop may (None), must (True) or must not (False) be used.

    Raises
    ------
    ValueError
        If `compiled` is True and the run cannot be compiled; the message says why.
    """
    start = perf_counter()
    deadline = start + maxtime
    reason = not_compiled_because(objective, schedules, s)
    if compiled and reason:
        raise ValueError(f"`compiled=True` is not possible: {reason}")
    try:
        if compiled is not False and not reason:
            loop = loop_for(objective.fun, objective.jac)
            ready = compiled or loop.ready(objective.args)
            if not ready:
                interpret(V, s, objective, schedules, rng, watch, start)
            if not ready and s["ask"][0]:  # the first call has perhaps compiled the functions
                until = min(perf_counter() + TIER_UP, deadline)
                interpret(V, s, objective, schedules, rng, watch, until)
            if s["ask"][0] and deadline - perf_counter() > (0.0 if ready else WORTHWHILE):
                loop.run(V, s, objective, watch, deadline, must=bool(compiled))
        if s["ask"][0] and (perf_counter() < deadline or s["nit"][0] < 0):
            interpret(V, s, objective, schedules, rng, watch, deadline)
        if s["ask"][0]:
            end(s, MAXTIME)
        if s["ending"][0] == BROKEN:
            raise ValueError(
                "the formula of the method has raised an error, or returned a direction or a state "
                "of the wrong shape"
            )
    except OutOfBudget:
        end(s, MAXFEV)
    except Halt:
        end(s, CALLBACK)


def end(s: Any, ending: int) -> None:
    s["ending"], s["ask"] = ending, DONE


def interpret(
    V: Vector,
    s: Any,
    objective: Objective,
    schedules: Schedules,
    rng: np.random.Generator | None,
    watch: Watch | None,
    until: float,
) -> None:
    """The driver for Python functions: to the end, or `until` a time of `perf_counter`.

    At least one evaluation is made.
    """
    rows, trial, nit = list(V[:POINTS]), s["trial"], s["nit"]
    ask, seen, maxiter = s["ask"].item(), nit.item(), s["maxiter"].item()
    hess = V[s["hess"][0] : s["hess"][0] + V.shape[1]]
    while ask:
        if ask & NOISE:
            assert rng is not None
            rng.standard_normal(out=V[s["z"][0]])
        f, g = objective(x := rows[trial.item()], ask)
        if ask & HESSIAN:
            hess[:] = objective.hessian(x)
        if seen + 2 <= maxiter:
            for slot, schedule in schedules:
                slot[:] = schedule(seen + 2, f)
        ask = tell(V, s, f, g)
        if nit.item() != seen:
            seen += 1
            if watch is not None:
                watch()
        if ask & VALUE and perf_counter() >= until:
            break


# --- compiled


@njit(**EXACT)  # type: ignore[untyped-decorator]
def flat(gradient: Any, n: int) -> Any:
    """The gradient as a vector; (n, 1) and (1, n) are taken as one."""
    g = np.asarray(gradient)
    if g.size != n:
        raise ValueError("`jac` must return an array with as many elements as x")
    return g.ravel()


_LOOP = """
def loop(V, s, g, args, tell, calls, pause):
    r = s[0]
    nit = r.nit
    f = np.nan
    x = np.empty(r.n)
    for _ in range(calls):
        {evaluate}
        r.ask = call_tell(tell, V.ctypes.data, s.ctypes.data, f, g.ctypes.data)
        if r.ask == DONE or (pause and r.nit != nit):
            break
"""
_TWO = """
        if r.ask & VALUE:
            r.nfev += 1
            x[:] = V[r.trial]
            f = fun(x, *args)
        if r.ask & GRADIENT:
            r.njev += 1
            x[:] = V[r.trial]
            g[:] = flat(jac(x, *args), r.n)
"""
_PAIR = """
        if r.ask & VALUE:  # a gradient asked for by itself is already here
            r.nfev += 1
            r.njev += 1
            x[:] = V[r.trial]
            f, gradient = fun(x, *args)
            g[:] = flat(gradient, r.n)
"""


class Loop:
    """The driver for one pair of Numba functions, compiled around them for each type of `args`."""

    def __init__(self, fun: Any, jac: Any) -> None:
        self.functions = (fun,) if jac is True else (fun, jac)
        scope = {"fun": fun, "jac": jac, "np": np, "call_tell": call_tell, "flat": flat}
        scope |= {"DONE": DONE, "VALUE": VALUE, "GRADIENT": GRADIENT}
        exec(_LOOP.format(evaluate=_PAIR if jac is True else _TWO), scope)
        self.loop = njit(nogil=True, **EXACT)(scope["loop"])

    def signature(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (V_type, s_type, g_type, typeof(args), types.int64, types.int64, types.boolean)

    def ready(self, args: tuple[Any, ...]) -> bool:
        return self.signature(args) in self.loop.overloads

    def run(
        self,
        V: Vector,
        s: Any,
        objective: Objective,
        watch: Watch | None,
        deadline: float,
        must: bool,
    ) -> None:
        """Run the machine to its end; hand back to Python where Numba cannot compile the call."""
        args = objective.args
        try:
            for function in self.functions:  # by themselves: they must not take over our flags
                function.get_call_template((g_type, *map(typeof, args)), {})
            self.loop.compile(self.signature(args))
        except (NumbaError, ValueError) as error:
            if must:
                raise ValueError(f"`compiled=True` is not possible: {error}") from error
            return
        address = tell_by_address().address
        g = np.empty(V.shape[1])
        calls, nit = 1, s["nit"].item()
        while s["ask"][0] and (now := perf_counter()) < deadline:
            left = objective.maxfev - objective.nfev
            if left <= 0 and s["ask"][0] & VALUE:
                raise OutOfBudget
            allowed = min(calls, max(left, 1))
            try:
                self.loop(V, s, g, args, address, allowed, watch is not None)
            finally:
                objective.nfev += s["nfev"].item()
                objective.njev += s["njev"].item()
                s["nfev"] = s["njev"] = 0
            if watch is not None and s["nit"].item() != nit:
                nit = s["nit"].item()
                watch()
            elif watch is None:
                spent = max(perf_counter() - now, 1e-6)
                calls = min(max(int(calls * CHUNK / spent), calls // 2, 1), 4 * calls)


loop_for = functools.lru_cache(maxsize=32)(Loop)
"""The loops of the last functions that were used."""


def not_compiled_because(objective: Objective, schedules: Schedules, s: Any) -> str:
    """Why a run cannot be compiled; empty if it can."""
    if not is_jitted(objective.fun):
        return "`fun` is not a Numba function (decorate it with numba.njit)"
    if objective.jac is not True and not is_jitted(objective.jac):
        return "`jac` is not a Numba function (decorate it with numba.njit)"
    if schedules:
        return "a schedule is a Python function"
    if s["needs"][0] & NOISE:
        return "the method draws random numbers"
    if s["needs"][0] & HESSIAN:
        return "the method needs a Hessian"
    return ""
