"""What the machine reaches by address: compiled where it is first used, cached by itself.

A run compiles the formula and the step rule that it has, and no others.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from numba import cfunc, types

from .jit import EXACT, cached, stamped
from .state import pointers
from .steps import RULES

number_of = types.int64(*pointers)
nothing_of = types.void(*pointers)


@functools.cache
def compiled_at(signature: Any, function: Callable[..., Any]) -> Any:
    """A function of addresses as a C function, with its `address`."""
    return cached(functools.partial(cfunc, signature), stamped(function), **EXACT)


def rule_at(name: str) -> tuple[int, int]:
    """The addresses of a step rule's `first` and `judge`; 0 for one that it does not have."""
    module = RULES[name].module
    functions = (getattr(module, part, None) for part in ("first", "judge"))
    first, judge = (compiled_at(number_of, f).address if f else 0 for f in functions)
    return first, judge


call_from_python = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
