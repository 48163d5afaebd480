"""What the machine calls by address: compiled on first use, and cached separately.

A run only compiles its own formula and step rule.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from numba import cfunc, types
from numba.extending import intrinsic

from .jit import EXACT, cached, stamped
from .state import pointers
from .steps import RULES

_COMPILED: dict[Callable[..., Any], Any] = {}


def address_of(function: Callable[..., Any] | None, result: Any, *more: Any) -> int:
    """The address of a function of a run's memory, compiled for C on first use; 0 if there is none.

    It is called with the addresses of `V` and `s`, and with `more` numbers.
    """
    return 0 if function is None else c_address(function, result(*pointers, *more))


def c_address(function: Callable[..., Any], signature: Any) -> int:
    """The address of a function, compiled for C on first use."""
    if function not in _COMPILED:  # keeping it keeps what is at the address
        build = functools.partial(cfunc, signature)
        _COMPILED[function] = cached(build, stamped(function), **EXACT)
    return _COMPILED[function].address  # type: ignore[no-any-return]


@functools.cache
def rule_at(name: str) -> tuple[int, int]:
    """The addresses of a step rule's `first` and `judge`; 0 for one that it does not have."""
    module = RULES[name].module
    first, judge = (getattr(module, part, None) for part in ("first", "judge"))
    return address_of(first, types.int64), address_of(judge, types.int64)


@intrinsic
def pointers_of(typing: Any, memory: Any, record: Any) -> Any:
    """Addresses as the pointers that they are."""
    both = types.Tuple(pointers)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = map(context.get_value_type, pointers)
        values = [builder.inttoptr(each, kind) for each, kind in zip(args, kinds, strict=True)]
        return context.make_tuple(builder, both, values)

    return both(types.int64, types.int64), codegen


def from_python(address: int, *given: int) -> int:
    """Call what is at an address, with numbers."""
    return int(ctypes.CFUNCTYPE(*[ctypes.c_int64] * (1 + len(given)))(address)(*given))


def value_from_python(address: int, *given: int) -> float:
    """The same, where it returns a float."""
    return float(ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_int64] * len(given))(address)(*given))
