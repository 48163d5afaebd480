"""How everything is compiled: one policy for the machine, the step rules and the formulas."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

if config.DISABLE_JIT:
    raise RuntimeError("scipy_gd needs Numba's compiler: unset NUMBA_DISABLE_JIT")

# NaN must survive (no "nnan"): the endings are decided by it.
FAST: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "arcp", "reassoc"}}
# Without memory management: nothing of the machine allocates, and counting references to V is what
# an iteration in few dimensions would mostly do.
EXACT: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
# Neither Python nor C calls these, and a wrapper takes as long to compile as a short function.
INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

local = njit(**INNER, **EXACT)
"""Options for functions that are compiled into others."""
inlined = njit(forceinline=True, **INNER, **EXACT)
"""The same, for code that every step at a fixed rate goes through."""

# Numba's cache sees edits of the function's own file only: those of the rest change its name.
FOLDERS = Path(__file__).parent, Path(__file__).parents[1] / "_evaluate"
STAMP = zlib.crc32(b"".join(p.read_bytes() for f in FOLDERS for p in sorted(f.rglob("*.py"))))


def cached(build: Callable[..., Any], function: Callable[..., Any], **options: Any) -> Any:
    """Compile with the disk cache, or without it if no cache directory is writable."""
    try:
        return build(cache=True, **options)(function)
    except (RuntimeError, OSError):
        return build(**options)(function)


def stamped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under a name that changes with any file of the machine."""
    function.__qualname__ += f"_{STAMP:08x}"
    return function


def compiled(signature: Any = None, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`njit`, cached on disk: at once for a given signature, or otherwise on the first call."""

    def decorate(function: Callable[..., Any]) -> Any:
        build = functools.partial(njit, [signature] if signature else None, nogil=True)
        return cached(build, stamped(function), **(EXACT | options))

    return decorate


def caller(result: Any) -> Any:
    """A function that calls C code: ``call(address, arguments)``, with a tuple of numbers.

    Code called by address is compiled separately: it is neither linked into the code that calls it
    nor optimized again there.
    """

    @intrinsic
    def call(typing: Any, address: Any, arguments: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            values = cgutils.unpack_tuple(builder, given[1])
            returned = context.get_value_type(result) if result != types.void else ir.VoidType()
            function = ir.FunctionType(returned, [value.type for value in values]).as_pointer()
            value = builder.call(builder.inttoptr(given[0], function), values)
            return context.get_dummy_value() if result == types.void else value

        return result(types.int64, arguments), codegen

    return call


call = caller(types.void)
call_for_number = caller(types.int64)
call_for_value = caller(types.float64)


@intrinsic
def call_native(typing: Any, address: Any, memory: Any, record: Any) -> Any:
    """Call a native function of Numba's on the memory of a run: 0, or the code of an error."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        out = [cgutils.alloca_once_value(builder, ir.Constant(byte, None)) for _ in range(2)]
        values = [*out, *args[1:]]
        function = ir.FunctionType(ir.IntType(32), [value.type for value in values]).as_pointer()
        return builder.call(builder.inttoptr(args[0], function), values)

    return types.int32(types.int64, memory, record), codegen


@intrinsic
def record_at(typing: Any, pointer: Any) -> Any:
    """The record at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return pointer.dtype(pointer), codegen


@intrinsic
def rows_at(typing: Any, pointer: Any, rows: Any, n: Any) -> Any:
    """The matrix at an address; `carray` would count references."""
    matrix = types.Array(types.float64, 2, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, rows, n = args
        array = context.make_array(matrix)(context, builder)
        size = context.get_constant(types.intp, 8)
        populate_array(array, data, (rows, n), (builder.mul(size, n), size), size, meminfo=None)
        return array._getvalue()

    return matrix(types.CPointer(types.float64), types.int64, types.int64), codegen


@intrinsic
def pointer_to(typing: Any, address: Any) -> Any:
    """A pointer to numbers, from an address."""
    kind = types.CPointer(types.float64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(kind))

    return kind(types.int64), codegen


@njit(inline="always", **EXACT)
def rows_of(address, rows, n):
    """The matrix at an address given as a number."""
    return rows_at(pointer_to(address), rows, n)


@njit(inline="always", **EXACT)
def vector_at(address, n):
    return rows_of(address, 1, n)[0]


@njit(inline="always", **EXACT)
def opened(memory, record):
    """The rows and the record of a run, from their addresses."""
    r = record_at(record)
    return rows_at(memory, r.rows, r.n), r


# --- what is faster as a loop of our own


def _nan_propagating(name: str) -> Any:
    """`llvm.maximum` and `llvm.minimum`: unlike `max` and `np.maximum` they vectorise."""

    @intrinsic
    def extremum(typing: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            double = ir.DoubleType()
            function = builder.module.declare_intrinsic(
                f"llvm.{name}", [double], ir.FunctionType(double, [double, double])
            )
            return builder.call(function, args, fastmath=("nsz", "reassoc"))

        return types.float64(types.float64, types.float64), codegen

    return extremum


maximum = _nan_propagating("maximum")
minimum = _nan_propagating("minimum")


summing = njit(forceinline=True, _nrt=False, **INNER, **FAST)
"""Options for loops that sum in any order."""


@summing
def dot(a, b):
    """Of vectors: a loop, which is faster than a call of BLAS where they are short."""
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@summing
def norm(a):
    return math.sqrt(dot(a, a))


@summing
def square(a):
    return dot(a, a)


@summing
def alone(r, part):
    """The sum, or the largest, of what all threads have, where there is one."""
    return part


@njit(_nrt=False, **INNER, **FAST)
def axpy(y, alpha, x):
    """y += alpha x"""
    for i in range(y.size):
        y[i] += alpha * x[i]


@summing
def axpy_dot(y, alpha, x, z):
    """The same, and y'z, in one pass over memory."""
    total = 0.0
    for i in range(y.size):
        new = y[i] + alpha * x[i]
        y[i] = new
        total += new * z[i]
    return total


@inlined
def keep_within(x, lower, upper):
    """Put x within bounds; NaN stays."""
    for i in range(x.size):
        x[i] = minimum(maximum(x[i], lower[i]), upper[i])


@local
def copy(V, to, row):
    for i in range(V.shape[1]):
        V[to, i] = V[row, i]


@local
def largest(a):
    """The inf-norm; NaN if any element is."""
    top = 0.0
    for i in range(a.size):
        size = abs(a[i])
        if not size <= top:
            top = size
            if size != size:
                break
    return top
