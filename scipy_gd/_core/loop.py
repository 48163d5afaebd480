"""The loop of the compiled driver, shared by all functions, which it calls by address.

A part takes the addresses of `V`, `s`, the arguments and its workspace, and the number of
evaluations left; it returns whether these were too few.
"""

from __future__ import annotations

from typing import NamedTuple

from .bits import BETTER, CARRIED, DONE, GRADIENT, HESSIAN, HYPER, NOISE, RATE, VALUE
from .jit import call_for_number, compiled, local
from .native import call_part


class Parts(NamedTuple):
    """Addresses of `tell`, of the compiled user functions (0: none), and of their data."""

    tell: int
    value: int
    gradient: int
    hessian: int
    carried: int
    choose: int  # puts some of the data where the arguments are
    args: int
    room: int
    near: int  # the room of the Hessian
    data: int


@local
def most_values(n):
    """More values than any measured gradient needs, with its Hessian."""
    return 1 + 50 * n + n * n


@local
def set_columns(V, r, columns, values):
    """Put scheduled values where they belong, see `Scheduled.columns`."""
    for j in range(columns.size):
        column = columns[j]
        if column == RATE:
            r.alpha = values[j]
        elif column < HYPER:
            r.h[column] = values[j]
        else:
            V[(column - HYPER) // r.n, (column - HYPER) % r.n] = values[j]


@local
def draw(V, r, rng):
    if rng is not None:
        for i in range(r.n):
            V[r.z, i] = rng.standard_normal()
    r.ask &= ~NOISE  # drawn, should the evaluation fail


@compiled(_nrt=True)
def loop(V, s, parts, steps, budget, pause, measured, columns, table, start, rng, batches):
    """Continue for some `steps`; return how many are left, or -1 if the budget is spent.

    It returns to Python earlier for work that belongs there: the end of an epoch and of a sampled
    run, the first of `measured` gradients, doubts; with `pause`, after every iteration.
    """
    tell, value, gradient, hessian, carried, choose, args, room, near, data = parts
    cursor, rows, size = batches
    r = s[0]
    memory, record = V.ctypes.data, s.ctypes.data
    nit, most, scheduled = r.nit, most_values(r.n), columns.size > 0
    for step in range(steps):  # noqa: B007
        if r.ask & BETTER or (measured and (r.nit < 0 or r.nfev + most > budget)):
            break  # Python knows how to stop in the middle of a gradient
        if (scheduled or choose) and r.nit + 2 > r.maxiter:
            break
        if choose and cursor[0] >= rows:
            break
        if r.ask & NOISE:
            draw(V, r, rng)
        if choose:
            count = min(size, rows - cursor[0])
            call_part(choose, (data, args, cursor[0], count))
            cursor[0] += count
        if scheduled:
            k = r.nit + 2 - start
            if k >= len(table):
                break
            set_columns(V, r, columns, table[k])
        if r.ask & VALUE and call_part(value, (memory, record, args, room, budget)):
            return -1
        if r.ask & CARRIED:
            call_part(carried, (memory, record, args, room, budget))
        if r.ask & GRADIENT and call_part(gradient, (memory, record, args, room, budget)):
            return -1
        if r.ask & HESSIAN and call_part(hessian, (memory, record, args, near, budget)):
            return -1
        r.ask = call_for_number(tell, (memory, record, r.f_trial))
        if choose:
            cursor[1] = cursor[0]
        if r.ask == DONE or (pause and r.nit != nit):
            break
    else:
        return 0
    return steps - step
