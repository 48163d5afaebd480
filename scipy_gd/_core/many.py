"""Many runs of one kind, one by one in the same memory: each starts from the same state.

A run with an unusual ending is left to Python, which starts it again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import endings
from .bits import DONE, GRADIENT, POINTS, VALUE
from .jit import call_for_number, compiled, local
from .loop import loop
from .native import call_part

FOR_PYTHON, COMPLETE, FACTOR, ELSEWHERE = range(4)
"""The state of a member: to be started again; complete; complete except for the errors of its
parameters; or its last Jacobian is from another point."""


class Beginning(NamedTuple):
    """A run before its first evaluation."""

    V: Any
    words: Any  # the record as whole numbers
    rows: Any  # what a source keeps of a run


class Room(NamedTuple):
    """The memory of a run besides `V` and `s`."""

    rows: Any
    bounds: int  # the first of two rows for the bounds; -1: there are none
    given: bool  # whether gradients are the user's
    again: int  # what to ask for at a point whose gradient is not known
    errors: int  # of a fit: the address of what finds the errors, and what it needs
    kept: int


class Found(NamedTuple):
    """The results, with one row per member."""

    x: Any
    g: Any
    f: Any
    matrix: Any  # the inverse of J'(w J), or its factor; one row more
    what: Any  # see `COMPLETE`
    counts: Any  # ending, nit, nfev, njev, nhev


@local
def begin(V, r, words, start, box, first, room):
    """Return to the state before the first evaluation, at another start and in another box."""
    for k in range(words.size):
        words[k] = first.words[k]
    for k in range(V.shape[0]):
        for i in range(r.n):
            V[k, i] = first.V[k, i]
    for k in range(room.rows.shape[0]):
        for i in range(r.n):
            room.rows[k, i] = first.rows[k, i]
    for i in range(r.n):
        x = start[i]
        if r.bounds >= 0:
            x = min(max(x, box[0, i]), box[1, i])
            for k in range(2):
                V[r.bounds + k, i] = box[k, i]
                if room.bounds >= 0:
                    room.rows[room.bounds + k, i] = box[k, i]
        for k in range(POINTS):
            V[k, i] = x
        if r.start >= 0:
            V[r.start, i] = x


@local
def row_of_result(r):
    """The row of the point of a plain result; -1 if the result needs more work."""
    undecided = r.ask != DONE or r.nit <= 0 or r.noisy or not np.isfinite(r.f_best)
    if undecided or r.ending == endings.NONFINITE or r.ending == endings.BROKEN:
        return -1
    if r.ending == endings.CONVERGED:
        return r.x
    return r.seen if r.f_seen < r.f_best else r.best


@local
def look_again(V, r, row, memory, record, parts, room, budget):
    """Evaluate again a point that was only partly kept; whether the budget allows it."""
    for k in range(r.n):
        V[r.trial, k] = V[row, k]
        V[r.trial + POINTS, k] = np.nan
    at = memory, record, parts.args, parts.room, budget
    if room.again & VALUE and call_part(parts.value, at):
        return False
    return not (room.again & GRADIENT and call_part(parts.gradient, at))


@local
def settle(V, r, memory, record, parts, room, budget, found, i):
    """Store the outcome of member i."""
    row, what = row_of_result(r), FOR_PYTHON
    seen = row >= 0 and row == r.seen
    if seen:
        row = r.trial if look_again(V, r, row, memory, record, parts, room, budget) else -1
    if row >= 0:
        what = COMPLETE
        for k in range(r.n):
            found.x[i, k] = V[row, k]
            found.g[i, k] = V[row + POINTS, k] if room.given or not seen else np.nan
        found.f[i] = r.f_seen if seen else r.f if row == r.x else r.f_best
        if room.errors:
            x, matrix = found.x[i].ctypes.data, found.matrix[i].ctypes.data
            what = call_for_number(room.errors, (memory, record, room.kept, x, matrix))
            if what == ELSEWHERE:
                what = FOR_PYTHON
                if look_again(V, r, row, memory, record, parts, room, budget):
                    what = call_for_number(room.errors, (memory, record, room.kept, x, matrix))
        found.counts[i, 0], found.counts[i, 1] = r.ending, r.nit
        found.counts[i, 2], found.counts[i, 3], found.counts[i, 4] = r.nfev, r.njev, r.nhev
    found.what[i] = what


@compiled(_nrt=True)
def many(
    V, s, words, first, parts, room, steps, budget, starts, boxes, cursor, end, found, nothing
):
    """Continue with the members from ``cursor[0]`` to `end`, for some `steps`.

    ``cursor[1]`` says whether that member has started. `starts`, shape (k, n), and `boxes`, shape
    (k, 2, n), have one row per member, or one for all. `nothing` stands for schedules and batches.
    """
    r = s[0]
    memory, record = V.ctypes.data, s.ctypes.data
    one = (
        parts.tell, parts.value, parts.gradient, parts.hessian, parts.carried,
        0, parts.args, parts.room, parts.near, 0,
    )  # fmt: skip
    columns, table, batches = nothing
    while cursor[0] < end and steps > 0:
        i = cursor[0]
        if not cursor[1]:
            start, box = starts[i % len(starts)], boxes[i % len(boxes)]
            begin(V, r, words, start, box, first, room)
            if parts.choose:
                call_part(parts.choose, (parts.data, parts.args, i, 1))
            cursor[1] = 1
        left = loop(V, s, one, steps, budget, False, False, columns, table, 0, None, batches)
        if left == 0 and r.ask != DONE:
            return
        settle(V, r, memory, record, parts, room, budget, found, i)
        steps = left if left >= 0 else steps - r.nfev
        cursor[0] += 1
        cursor[1] = 0
