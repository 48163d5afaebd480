"""A change of variables at the boundary: the run works in z, the user's functions in x = D z.

D has one power of two per parameter, so multiplying by it does not round: points, bounds and
gradients are the same numbers in both units, except for their exponents. The user's functions are
called through wrappers, which find D after their `args`; the compiled loop does the same, so one
loop serves every D.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import Vector, matrix, pair, vector
from .wrapped import dense, wrapped

EXTREME = 400
"""The largest exponent: the square of D must not overflow."""


class Scale:
    """The units of the parameters; 1 for those that are `unknown`."""

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

    def known_by(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """`args` followed by D, as the wrappers expect."""
        return (*args, (self.D,))

    @property
    def note(self) -> str:
        """A note for the user."""
        if not self.unknown:
            return ""
        which = ", ".join(map(str, self.unknown[:5])) + ", ..." * (len(self.unknown) > 5)
        return (
            f' `x_scale="auto"` found no scale for parameter {which} and used 1: pass an array '
            "if you know the scale."
        )


def functions(
    fun: Any, jac: Any, hess: Any, hessp: Any, residuals: bool = False
) -> tuple[Any, Any, Any, Any]:
    """The user's functions as functions of z; anything else stays as it is."""
    both, slope = (of_residuals_pair, of_jacobian) if residuals else (of_pair, of_gradient)
    return (
        wrapped(both if jac is True else of_value, fun),
        wrapped(slope, jac),
        wrapped(of_hessian, hess),
        wrapped(of_product, hessp),
    )


# --- the wrappers, for Python and Numba


def of_value(fun: Any) -> Any:
    def value(z: Any, *args: Any) -> Any:
        return fun(args[-1][0] * z, *args[:-1])

    return value


def of_pair(fun: Any) -> Any:
    def value_and_gradient(z: Any, *args: Any) -> Any:
        D = args[-1][0]
        f, g = pair(fun(D * z, *args[:-1]), z.size)
        return f, D * g

    return value_and_gradient


def of_gradient(jac: Any) -> Any:
    def gradient(z: Any, *args: Any) -> Any:
        D = args[-1][0]
        return D * vector(jac(D * z, *args[:-1]), z.size)

    return gradient


def of_jacobian(jac: Any) -> Any:
    def jacobian(z: Any, *args: Any) -> Any:
        D = args[-1][0]
        return dense(jac(D * z, *args[:-1])) * D

    return jacobian


def of_residuals_pair(fun: Any) -> Any:
    def residuals_and_jacobian(z: Any, *args: Any) -> Any:
        D = args[-1][0]
        r, J = fun(D * z, *args[:-1])
        return r, dense(J) * D

    return residuals_and_jacobian


def of_hessian(hess: Any) -> Any:
    def hessian(z: Any, *args: Any) -> Any:
        D = args[-1][0]
        return D * (matrix(hess(D * z, *args[:-1]), z.size) * D).T

    return hessian


def of_product(hessp: Any) -> Any:
    def product(z: Any, p: Any, *args: Any) -> Any:
        D = args[-1][0]
        return D * vector(hessp(D * z, D * p, *args[:-1]), z.size, "hessp")

    return product
