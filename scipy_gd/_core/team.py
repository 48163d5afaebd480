"""Threads: each runs the kernel on its part of the parameters, and they exchange sums.

A `divided` kernel has its own record, which says where its part starts and how long it is. All
numbers are the same in all threads, since each sum is over all parts (`total`), added in the same
order; so all threads take the same path through the formula. The helpers sleep in `serve` while the
machine or the user's functions run.

What the threads share is an array of whole numbers, a cache line for each of them:

    0  the number of the job, which begins when it changes (0: no helpers, negative: an end)
    1  threads    2  divided kernel    3  kernel    4  memory    5, 6  what yields, what sleeps
    8 (p + 1)  part p: job done    + 1  its record    + 2  where it begins    + 3  sums so far
                                   + 4, + 5  its share of an even and of an odd sum
"""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import raw_memcpy
from numba.extending import intrinsic

from .addresses import pointers_of
from .jit import EXACT, INNER, call, call_native, compiled, local, maximum, record_at, rows_at
from .state import RECORD, pointers

PATIENT = 2000
"""The number of checks before a thread yields to others."""
FIELDS = 8
NAP = 50  # microseconds


def _access(kind: Any, store: bool) -> Any:
    """A number in memory that other threads see at once, with everything written before it."""

    def typed(value: Any) -> Any:
        return ir.DoubleType() if value == types.float64 else ir.IntType(64)

    @intrinsic
    def load(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], typed(kind).as_pointer())
            return builder.load_atomic(pointer, "acquire", 8)

        return kind(types.int64), codegen

    @intrinsic
    def keep(typing: Any, address: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], typed(kind).as_pointer())
            builder.store_atomic(args[1], pointer, "release", 8)
            return context.get_dummy_value()

        return types.void(types.int64, kind), codegen

    return keep if store else load


load, keep = _access(types.int64, False), _access(types.int64, True)
load_number, keep_number = _access(types.float64, False), _access(types.float64, True)


@local
def field(team, p, k):
    """The address of a field of part p; those of the team are p = -1."""
    return team + 64 * (p + 1) + 8 * k


@local
def wait(team, at, least):
    """Wait until the number at an address is large enough."""
    looks = 0
    while load(at) < least:
        looks += 1
        if looks > PATIENT:
            call(load(field(team, -1, 5)), (0,))


@local
def shared(r, part, largest):
    """The sum, or the largest, of what all threads have."""
    team, p = r.team, r.part
    turn = load(field(team, p, 3)) + 1
    slot = 4 + turn % 2  # who is ahead writes to the other one
    keep_number(field(team, p, slot), part)
    keep(field(team, p, 3), turn)
    whole = 0.0
    for q in range(load(field(team, -1, 1))):
        wait(team, field(team, q, 3), turn)
        share = load_number(field(team, q, slot))
        whole = maximum(whole, share) if largest else whole + share
    return whole


@local
def total(r, part):
    return shared(r, part, False)


@local
def top(r, part):
    return shared(r, part, True)


@njit(inline="always", **EXACT)
def opened_part(memory, record):
    """The rows of all threads, from where a part begins, and the record of that part."""
    r = record_at(record)
    return rows_at(memory, r.rows, r.row_size), r


@intrinsic
def copy_record(typing: Any, to: Any, of: Any) -> Any:
    """All fields of a record."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = context.get_constant(types.intp, RECORD.itemsize)
        raw_memcpy(builder, args[0], args[1], size, 1)
        return context.get_dummy_value()

    return types.void(to, of), codegen


@njit(inline="always", **EXACT)
def own_record(team, p):
    _, record = pointers_of(0, load(field(team, p, 1)))
    return record_at(record)


@local
def work(team, p, kernel):
    """Run the kernel on a part."""
    first = load(field(team, p, 2))
    memory, record = pointers_of(load(field(team, -1, 4)) + 8 * first, load(field(team, p, 1)))
    return call_native(kernel, memory, record)


@compiled(types.void(*pointers), **INNER)
def together(memory, record):
    """The kernel of a run with threads, for the machine."""
    r = record_at(record)
    team, failed = r.team, 0
    job = load(field(team, -1, 0))
    if job == 0:
        failed = call_native(load(field(team, -1, 3)), memory, record)
    else:
        threads = load(field(team, -1, 1))
        for p in range(threads):
            own = own_record(team, p)
            n = own.n
            copy_record(own, r)
            own.n, own.part = n, p
        job += 1
        keep(field(team, -1, 0), job)
        failed = work(team, 0, load(field(team, -1, 2)))
        for p in range(1, threads):
            wait(team, field(team, p, 0), job)
        own = own_record(team, 0)
        r.slope, r.dnorm, r.snorm, r.gnorm = own.slope, own.dnorm, own.snorm, own.gnorm
    if failed:
        raise ValueError


@compiled(types.void(types.int64, types.int64))
def serve(team, p):
    """The work of a helper thread."""
    job = load(field(team, p, 0))
    while True:
        job += 1
        looks = 0
        while 0 < load(field(team, -1, 0)) < job:
            looks += 1
            if looks > PATIENT:
                call(load(field(team, -1, 6)), (NAP,))
        if load(field(team, -1, 0)) < 0:
            break
        work(team, p, load(field(team, -1, 2)))
        keep(field(team, p, 0), job)


@functools.cache
def _of_the_system() -> tuple[int, int]:
    """The addresses of functions of one number that let other threads run, and that sleep."""
    if sys.platform == "win32":
        sleep = ctypes.WinDLL("kernel32").Sleep  # a number that is too long, but of milliseconds
        return (ctypes.cast(sleep, ctypes.c_void_p).value or 0,) * 2
    library = ctypes.CDLL(None)
    found = library.sched_yield, library.usleep
    return tuple(ctypes.cast(each, ctypes.c_void_p).value or 0 for each in found)  # type: ignore[return-value]


class Team:
    """Threads for a run, as long as the context lasts; without them its kernel runs undivided."""

    def __init__(self, V: Any, r: Any) -> None:
        n, threads = r.n, r.threads
        self.memory = np.zeros(FIELDS * (threads + 2), np.int64)
        self.at = self.memory.ctypes.data + -self.memory.ctypes.data % 64
        lines = self.memory[(self.at - self.memory.ctypes.data) // 8 :][: FIELDS * (threads + 1)]
        self.lines = lines.reshape(threads + 1, FIELDS)
        self.lines[0, 1:7] = threads, r.divided, r.whole, V.ctypes.data, *_of_the_system()
        ends = [p * n // threads // 8 * 8 for p in range(threads)] + [n]
        self.records = np.zeros(threads, RECORD)
        self.records["n"] = np.diff(ends)
        for p, own in enumerate(self.lines[1:]):
            own[1:3] = self.records[p : p + 1].ctypes.data, ends[p]
        self.helpers: list[threading.Thread] = []
        r.team = self.at

    def __enter__(self) -> Team:
        self.lines[1:, 0] = self.lines[1:, 3] = 0
        self.lines[0, 0] = 1
        self.lines[1:, 0] = 1
        for p in range(1, len(self.lines) - 1):
            helper = threading.Thread(target=serve, args=(self.at, p), daemon=True)
            helper.start()
            self.helpers.append(helper)
        return self

    def __exit__(self, *error: Any) -> None:
        self.lines[0, 0] = -1
        for helper in self.helpers:
            helper.join()
        self.helpers, self.lines[0, 0] = [], 0
