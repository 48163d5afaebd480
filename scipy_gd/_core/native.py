"""Compiled functions called by address, and values that they find in memory.

Code that calls a function by address need not be compiled again for another function. So the user's
functions become parts of a loop with a signature of plain numbers, and find their arguments where
`put` left them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from .jit import INNER, compiled

Kind = Any
"""A type of Numba's."""
COPIES = types.List, types.Set
"""Kinds that Numba copies for a call, and which are not in memory afterwards."""
BORROWED = types.Array, types.UnicodeType
"""Kinds whose owner, a Python object, lives as long as they may be used."""


@functools.cache
def size_of(kind: Kind) -> int:
    """The bytes that a value takes in memory."""
    context = cpu_target.target_context
    return max(int(context.get_abi_sizeof(context.get_value_type(kind))), 1)


def borrowed(context: Any, builder: Any, kind: Kind, value: Any) -> Any:
    """The same value, except for its reference counters."""
    if isinstance(kind, COPIES):
        raise TypeError(f"a {kind} stays in Python: use an array or a tuple")
    if isinstance(kind, types.BaseTuple):
        for k, each in enumerate(kind):
            part = borrowed(context, builder, each, builder.extract_value(value, k))
            value = builder.insert_value(value, part, k)
    if isinstance(kind, BORROWED):
        struct = cgutils.create_struct_proxy(kind)(context, builder, value)
        for name in ("meminfo", "parent"):
            setattr(struct, name, cgutils.get_null_value(getattr(struct, name).type))
        value = struct._getvalue()
    return value


def count(context: Any, builder: Any, kind: Kind, value: Any) -> None:
    """Add one reference to everything that is not borrowed."""
    if isinstance(kind, types.BaseTuple):
        for k, each in enumerate(kind):
            count(context, builder, each, builder.extract_value(value, k))
    elif not isinstance(kind, BORROWED) and context.enable_nrt:
        context.nrt.incref(builder, kind, value)


@intrinsic
def put(typing: Any, address: Any, value: Any) -> Any:
    """Store a value in memory; its owner must be kept alive elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bare = borrowed(context, builder, signature.args[1], args[1])
        builder.store(bare, builder.inttoptr(args[0], bare.type.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, value), codegen


@compiled(_nrt=True)
def _write(address, value):
    put(address, value)


class Memory:
    """A place of some bytes, see `size_of`, where compiled code finds a value of one kind.

    Attributes
    ----------
    address : int
    value : object
        What was put there last.
    """

    def __init__(self, size: int, value: Any = None) -> None:
        self._bytes = np.empty(size, np.uint8)
        self.address: int = self._bytes.ctypes.data
        if value is not None:
            self(value)

    def __call__(self, value: Any) -> None:
        """Put the value there, and keep it alive."""
        _write(self.address, value)
        self.value = value


def found(kind: Kind) -> Any:
    """A function of an address: the value of this kind that has been put there."""

    @intrinsic
    def at(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], context.get_value_type(kind).as_pointer())
            value = builder.load(pointer)
            count(context, builder, kind, value)
            return value

        return kind(types.int64), codegen

    return at


def native(function: Callable[..., Any], count: int) -> tuple[int, Any]:
    """The address of a function of integers that returns an integer, and what to keep alive.

    Only its code is kept: the function and what it refers to may go.
    """
    signature = types.int64(*[types.int64] * count)
    dispatcher = njit([signature], error_model="numpy", **INNER)(function)
    return address_in(dispatcher)


def address_in(dispatcher: Any) -> tuple[int, Any]:
    """Where the native function is that was compiled for the one signature; its library."""
    (compiled,) = dispatcher.overloads.values()
    name = compiled.fndesc.llvm_func_name
    return compiled.library.get_pointer_to_function(name), compiled.library


@intrinsic
def address_of_record(typing: Any, record: Any) -> Any:
    """Where a record is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], ir.IntType(64))

    return types.int64(record), codegen


@intrinsic
def call_part(typing: Any, address: Any, arguments: Any) -> Any:
    """Call a `native` function with a tuple of integers; an exception in it goes on here."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.IntType(64)
        excinfo = context.call_conv._get_excinfo_argument(builder.function).type.pointee
        result = cgutils.alloca_once(builder, number)
        raised = cgutils.alloca_once(builder, excinfo)
        given = cgutils.unpack_tuple(builder, args[1])
        values = [result, raised, *given]
        kind = ir.FunctionType(ir.IntType(32), [value.type for value in values])
        code = builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
        status = context.call_conv._get_return_status(builder, code, builder.load(raised))
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return builder.load(result)

    return types.int64(types.int64, arguments), codegen
