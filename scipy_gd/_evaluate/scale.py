"""A change of variables at the border: the run works in z, the user's functions in x = D z.

D has one power of two for each parameter. Multiplying by it does not round: points, bounds and
gradients are the same numbers in both units, but for their exponents. What calls the user's
functions calls them through a wrapper, which finds D behind their `args`; the compiled loop does
the same, and one loop serves every D.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit
from numba.extending import is_jitted, overload
from numpy.typing import NDArray

from ..arguments import Vector, matrix, pair, vector

EXTREME = 400
"""The largest exponent: the square of D is a number."""


class Scale:
    """The units of the parameters; of those that are `unknown`, 1 was taken."""

    def __init__(self, sizes: Vector, unknown: Sequence[int] = ()) -> None:
        fraction, exponent = np.frexp(sizes)
        exponent = np.clip(exponent - (fraction < np.sqrt(0.5)), -EXTREME, EXTREME)
        self.D: Vector = np.ldexp(1.0, exponent)
        self.unknown = [*unknown]

    def inside(self, x: Any) -> Any:
        """A point, steps, or a pair of bounds in units of the scale; None stays None."""
        if isinstance(x, tuple):
            return tuple(map(self.inside, x))
        return None if x is None else x / self.D

    def outside(self, z: Vector) -> Vector:
        return z * self.D

    def gradient_outside(self, g: Vector) -> Vector:
        return g / self.D

    def known_by(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """`args` with D behind them, as the wrappers expect it."""
        return (*args, (self.D,))

    @property
    def note(self) -> str:
        """What the user should know."""
        if not self.unknown:
            return ""
        which = ", ".join(map(str, self.unknown[:5])) + ", ..." * (len(self.unknown) > 5)
        return (
            f' `x_scale="auto"` has found no scale for parameter {which}, and taken 1: give an '
            "array if you know better."
        )


def functions(fun: Any, jac: Any, hess: Any, hessp: Any) -> tuple[Any, Any, Any, Any]:
    """The user's functions as functions of z; what is none stays as it is."""
    return (
        wrapped(pair_at if jac is True else value_at, fun),
        wrapped(gradient_at, jac),
        wrapped(hessian_at, hess),
        wrapped(product_at, hessp),
    )


def wrapped(at: Callable[..., Any], function: Any) -> Any:
    """``at(function, z, ..., *args)`` as a function of z: a Numba function, if it is one."""
    if not callable(function):
        return function
    if not is_jitted(function):
        return functools.partial(at, function)
    made = vars(function).setdefault("_in_scipy_gds_units", {})  # lives as long as the function
    if at not in made:
        made[at] = _compiled(_njit(at), function, at is product_at)
    return made[at]


_njit = functools.cache(njit)


def _compiled(at: Any, function: Any, of_product: bool) -> Any:
    if of_product:
        return njit(lambda z, p, *args: at(function, z, p, *args))
    return njit(lambda z, *args: at(function, z, *args))


# --- the wrappers, for Python and Numba


def value_at(fun: Any, z: NDArray[Any], *args: Any) -> Any:
    return fun(args[-1][0] * z, *args[:-1])


def pair_at(fun: Any, z: Vector, *args: Any) -> Any:
    f, g = pair(fun(args[-1][0] * z, *args[:-1]), z.size)
    return f, args[-1][0] * g


def gradient_at(jac: Any, z: Vector, *args: Any) -> Any:
    return args[-1][0] * vector(jac(args[-1][0] * z, *args[:-1]), z.size)


def hessian_at(hess: Any, z: Vector, *args: Any) -> Any:
    D = args[-1][0]
    return D * (matrix(hess(D * z, *args[:-1]), z.size) * D).T


def product_at(hessp: Any, z: Vector, p: Vector, *args: Any) -> Any:
    D = args[-1][0]
    return D * vector(hessp(D * z, D * p, *args[:-1]), z.size, "hessp")


@overload(vector)
def _vector(g: Any, n: int, name: str = "jac") -> Any:
    def flat(g: Any, n: int, name: str = "jac") -> Any:
        found = np.asarray(g).ravel()
        if found.size != n:
            raise ValueError("a gradient must be an array with as many elements as x")
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
