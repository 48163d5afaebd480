"""Functions built from the user's, for Python and for Numba.

``wrapped(make, *functions)`` is ``make(*functions)``, a Numba function if all of these are. The
checks on the values of Python functions have compiled forms here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.extending import is_jitted, overload

from ..arguments import matrix, pair, scalar, vector


class Wrapped:
    """``make(*functions)``, in a form that can be sent to another process."""

    def __init__(self, make: Callable[..., Any], *functions: Any) -> None:
        self.made_of, self.call = (make, *functions), make(*functions)

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)

    def __reduce__(self) -> Any:
        return Wrapped, self.made_of


def wrapped(make: Callable[..., Any], *functions: Any) -> Any:
    """``make(*functions)``; if the first is not a function, it is returned as it is."""
    if not callable(functions[0]):
        return functions[0]
    return (compiled if all(map(is_jitted, functions)) else Wrapped)(make, *functions)


@functools.lru_cache(32)
def compiled(make: Callable[..., Any], *functions: Any) -> Any:
    """The same Numba function each time, so that recently compiled loops are found again.

    (It cannot live as long as the functions, since a closure keeps its functions alive.)
    """
    return njit(make(*functions))


def dense(J: Any) -> Any:
    return J.toarray() if hasattr(J, "toarray") else np.asarray(J)


@overload(dense)
def _dense(J: Any) -> Any:
    def array(J: Any) -> Any:
        return np.asarray(J)

    return array


@overload(scalar)
def _scalar(f: Any) -> Any:
    def number(f: Any) -> Any:
        return float(f)

    return number


@overload(vector)
def _vector(g: Any, n: int, name: str = "jac") -> Any:
    def flat(g: Any, n: int, name: str = "jac") -> Any:
        found = np.asarray(g).ravel()
        if found.size != n:
            raise ValueError("the gradient must have as many elements as x")
        return found

    return flat


@overload(pair)
def _pair(found: Any, n: int) -> Any:
    def unpacked(found: Any, n: int) -> Any:
        f, g = found
        return float(f), vector(g, n)

    return unpacked


@overload(matrix)
def _matrix(found: Any, n: int) -> Any:
    def square(found: Any, n: int) -> Any:
        H = np.asarray(found)
        if H.shape != (n, n):
            raise ValueError("`hess` must return a real matrix of shape (n, n)")
        return H

    return square
