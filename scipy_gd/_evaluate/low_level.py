"""Objectives in C, or in Numba's `cfunc`: called by address, wrapped as Numba functions.

The wrappers take the addresses in `args`, so that one loop serves all C functions.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numba import njit, types
from numba.core.ccallback import CFunc
from scipy import LowLevelCallable

from .._core.jit import caller

SIGNATURES = {
    "fun": "double (int, double *)",
    "jac": "void (int, double *, double *)",
    "fun with jac=True": "double (int, double *, double *)",
}
"""The signatures of C functions; each may take ``void *user_data`` as its last argument."""


call_number = caller(types.float64)
call_gradient = caller(types.void)


@njit  # type: ignore[untyped-decorator]
def value_of(x: Any, fun: int, fun_data: int, jac: int, jac_data: int) -> Any:
    return call_number(fun, (x.size, x.ctypes.data, fun_data))


@njit  # type: ignore[untyped-decorator]
def gradient_of(x: Any, fun: int, fun_data: int, jac: int, jac_data: int) -> Any:
    g = np.empty(x.size)
    call_gradient(jac, (x.size, x.ctypes.data, g.ctypes.data, jac_data))
    return g


@njit  # type: ignore[untyped-decorator]
def pair_of(x: Any, fun: int, fun_data: int) -> Any:
    g = np.empty(x.size)
    f = call_number(fun, (x.size, x.ctypes.data, g.ctypes.data, fun_data))
    return f, g


def is_low_level(given: Any) -> bool:
    return isinstance(given, CFunc | LowLevelCallable)


def as_functions(fun: Any, jac: Any, args: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
    """`fun`, `jac` and `args` with C functions wrapped; others come back as they are.

    Raises
    ------
    TypeError
        If only one of two functions is a C function, or its signature is different.
    ValueError
        If there are `args`, which a C function gets as ``user_data`` of its LowLevelCallable.
    """
    both = callable(jac) or is_low_level(jac)
    if not is_low_level(fun) and not is_low_level(jac):
        return fun, jac, args
    if both and is_low_level(fun) != is_low_level(jac):
        raise TypeError("`fun` and `jac` must both be C functions, or neither")
    if args:
        raise ValueError(
            "C functions cannot take `args`: pass `user_data` to scipy.LowLevelCallable"
        )
    if jac is True:
        return pair_of, True, _address("fun with jac=True", fun)
    value = _address("fun", fun)
    return (
        value_of,
        gradient_of if both else jac,
        value + (_address("jac", jac) if both else (0, 0)),
    )


def _address(role: str, function: Any) -> tuple[int, int]:
    """The addresses of a C function and of its user data."""
    data = 0
    if isinstance(function, CFunc):
        address: int = function.address or 0
        signature = _signature(function)
    else:
        signature = function.signature
        address = _pointer(function.function)
        data = 0 if function.user_data is None else _pointer(function.user_data)
    plain = signature.replace(" ", "").replace("long", "int")
    wanted = SIGNATURES[role].replace(" ", "")
    if plain not in (wanted, f"{wanted[:-1]},void*)"):
        raise TypeError(
            f"the C function for `{role}` must be `{SIGNATURES[role]}`, with an optional last "
            f"argument `void *` for user data, got `{signature}`"
        )
    return address, data


C_NAMES = {
    "float64": "double",
    "float64*": "double *",
    "int32": "int",
    "int64": "int",
    "none": "void",
    "void*": "void *",
}


def _signature(function: CFunc) -> str:
    """The signature of a Numba cfunc, as C writes it."""
    signature: Any = function._sig  # type: ignore[attr-defined]
    types_ = (signature.return_type, *signature.args)
    result, *arguments = (C_NAMES.get(str(t), str(t)) for t in types_)
    return f"{result} ({', '.join(arguments)})"


def _pointer(given: Any) -> int:
    """The address in a ctypes object, a PyCapsule or a cffi pointer."""
    if type(given).__name__ == "PyCapsule":
        api = ctypes.pythonapi
        api.PyCapsule_GetName.restype = ctypes.c_char_p
        api.PyCapsule_GetPointer.restype = ctypes.c_void_p
        name = api.PyCapsule_GetName(ctypes.py_object(given))
        return api.PyCapsule_GetPointer(ctypes.py_object(given), ctypes.c_char_p(name)) or 0
    if type(given).__module__ == "_cffi_backend":
        import cffi

        return int(cffi.FFI().cast("intptr_t", given))
    return ctypes.cast(given, ctypes.c_void_p).value or 0
