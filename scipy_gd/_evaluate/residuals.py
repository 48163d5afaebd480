"""Sums of squares: gradients from residuals and their Jacobian.

The objective is ``1/2 sum C^2 rho((r / C)^2)`` with a loss rho, as in SciPy's `least_squares`; its
gradient is J'(w r) with the weights w = rho', and J'(w J) replaces the Hessian (Gauss-Newton; the
term with rho'' is left out, so that the matrix has no negative eigenvalues).

`Residuals` is a source of gradients, with one class for each way to get Jacobians. It keeps the
residuals of the last value, and the residuals and the Jacobian of the last gradient. `GaussNewton`
is the matching source of Hessians.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.addresses import from_python, value_from_python
from .._core.bits import GRADIENT, POINTS, VALUE
from .._core.jit import call, call_for_value
from .._core.native import Memory, size_of
from .._options import LOSSES
from ..arguments import (
    Vector,
    jacobian,
    residuals,
    residuals_and_jacobian,
)
from .evaluator import Evaluator, Matrix
from .gradients import Args, Values, value_in_loop
from .loop_parts import part, read
from .squares import KEPT, ROWS, Kept, errors_at, functions


class Residuals:
    """The user's residual function, with its Jacobian from `jac`.

    `f_scale` is the C of the loss. If the data change from one evaluation to the next (`varying`),
    so may the number of residuals.

    Attributes
    ----------
    memory : ndarray
        Everything that depends on the run, except arrays with m elements; `at` and `x` are its
        first rows.
    at, r, w : ndarray
        The point of the last value, the residuals there, shape (m,), and their weights.
    x, residuals, weights, J : ndarray
        The same for the last gradient, and the Jacobian, transposed, shape (n, m).
    """

    parts, given = VALUE | GRADIENT, True
    gradients, counts, near = 0, True, True
    name, rows, bounds_at, order = "jacobian", 2, -1, 0
    whole = True  # whether residuals and J are those of all data

    def errors(self, run: Any, x: Vector) -> tuple[int, Matrix]:
        """The result of `_errors` at x, and which of its matrices that is."""
        found = np.empty((x.size + 1, x.size))
        given = self.kept.address, x.ctypes.data, found.ctypes.data
        return from_python(errors_at(), *run.at, *given), found

    def __init__(
        self, jac: Any, n: int, loss: str = "linear", f_scale: float = 1.0, varying: bool = False
    ) -> None:
        self.jac, self.functions = jac, {} if jac is None else {"jac": jac}
        self.settings, self.varying = np.array([LOSSES.index(loss), f_scale, self.order]), varying
        self.memory = np.full((self.rows, n), np.nan)
        self.at, self.x = self.memory[:2]
        self.steps = self.memory[2:]
        self.walk, self.shift = np.zeros(3, np.int64), np.zeros(1)
        self.resize(0)

    def resize(self, m: int) -> None:
        self.r, self.w, self.residuals, self.weights = (np.empty(m) for _ in range(4))
        self.latest, self.earlier = np.empty(m), np.empty(m)
        self.J = np.empty((self.x.size, m))
        told: Any = self.settings, self.at, self.r, self.w
        last: Any = self.x, self.residuals, self.weights, self.J
        n = self.x.size
        way: Any = self.steps, self.latest, self.earlier, self.walk, self.shift
        factors: Any = np.empty((n, n)), np.empty((n, ROWS)), np.empty(n)
        self.kept = Memory(size_of(KEPT), Kept(*told, *last, *way, *factors))

    @property
    def room(self) -> Any:
        """The arrays that the user's functions fill in the compiled loop, and their addresses."""
        way = self.latest, self.kept.address, self.walk, self.shift
        return self.r, self.J, *way, self.at

    @property
    def begun(self) -> bool:
        """Whether the number of residuals is known."""
        return bool(self.r.size)

    def calls(self, part: int) -> int:
        return int(part == VALUE)

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        if part == VALUE:
            self.at[:] = x
            return (x.copy(),)
        return () if np.array_equal(self.at, x) else self.points(x, VALUE)

    def value(self, values: Values, g: Vector) -> float:
        told = residuals(values[0])
        if told is None:  # undefined as a whole
            return float("nan")
        if self.varying or not self.begun:
            self.resize(told.size)
        self._same(told.size)
        self.r[:] = told
        return value_from_python(functions().weighed, self.kept.address)

    def _same(self, m: int) -> None:
        same_number(m, self.r.size)

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool | None:
        if values:
            self.value(values[:1], g)
        self._keep(x, jacobian(self.jac(x.copy(), *args), self.r.size, x.size), g)
        return None

    def _keep(self, x: Vector, J: Matrix | float, g: Vector) -> None:
        """The Jacobian, with all that belongs to it; the gradient into `g`."""
        self.at[:], self.J.T[:] = x, J
        from_python(functions().finished, self.kept.address, g.ctypes.data)

    def bind(self, record: Any) -> None:
        """The record of the run."""
        self.record = record

    @property
    def count(self) -> int:
        """How many residuals there are."""
        return self.residuals.size

    def complete(self, evaluator: Evaluator, x: Vector) -> None:
        """Evaluate the residuals and the Jacobian at x, unless they are known."""
        if not np.array_equal(self.x, x):
            evaluator.elsewhere(x, VALUE | GRADIENT, np.empty(x.size))

    def curvature(self, H: Matrix) -> None:
        """J'(w J), into H."""
        from_python(functions().curved, self.kept.address, H.ctypes.data)

    def carried(self, g: Vector) -> None:
        """J'(w r) with the last residuals and the last Jacobian, which is of another point."""
        from_python(functions().carried, self.kept.address, g.ctypes.data)

    def save(self) -> dict[str, Vector]:
        """What the next step needs: for an acceleration, the last Jacobian and its residuals."""
        names = ("x", "residuals", "weights", "J") if self.record.accelerate else ()
        return {name: getattr(self, name).copy() for name in names}

    def load(self, kept: Any) -> None:
        if "J" in kept:
            self.resize(kept["J"].shape[1])
        for name, value in kept.items():
            getattr(self, name)[:] = value

    def in_loop(self, fun: Any, jac: Any) -> tuple[Any, Any]:
        finished = functions().finished

        @part
        def gradient(V, r, x, args, budget, room):
            r.njev += 1
            read(V, r.trial, x)
            store_jacobian(room[1], jac(x, *args))
            finish_in_loop(V, r, room, finished)
            return False

        return residuals_in_loop(fun), gradient


class ResidualsPair(Residuals):
    """`fun` returns the residuals and their Jacobian."""

    name, parts, gradients, counts = "residuals, jacobian", VALUE, 1, False

    def __init__(self, n: int, *more: Any) -> None:
        super().__init__(None, n, *more)

    def resize(self, m: int) -> None:
        super().resize(m)
        self.found = np.empty_like(self.J)

    @property
    def room(self) -> Any:
        return (*super().room, self.found)

    def value(self, values: Values, g: Vector) -> float:
        r, J = residuals_and_jacobian(values[0])
        f = super().value((r,), g)
        self.found.T[:] = jacobian(J, self.r.size, self.x.size)
        return f

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool | None:
        if values:
            self.value(values, g)
        self._keep(x, self.found.T, g)
        return None

    def in_loop(self, fun: Any) -> tuple[Any, Any]:  # type: ignore[override]
        weighed, finished, *_ = functions()

        @part
        def evaluate(V, r, x, args, room):
            found, jacobian = fun(x, *args)
            store(room[0], found)
            store_jacobian(room[-1], jacobian)
            weigh_in_loop(V, r, room, weighed)

        @part
        def gradient(V, r, x, args, budget, room):
            copy(room[1], room[-1])
            finish_in_loop(V, r, room, finished)
            return False

        return value_in_loop(evaluate, 1), gradient


def same_number(m: int, first: int) -> None:
    if m != first:
        raise ValueError(
            f"`fun` must return the same number of residuals at every point, got {first}, then {m}"
        )


class GaussNewton:
    """J'(w J), from the arrays left by the gradient."""

    name = "Gauss-Newton"

    def __init__(self, source: Residuals) -> None:
        self.source = source
        self.functions: dict[str, Any] = {}

    @property
    def room(self) -> Any:
        return self.source.kept.address

    def at(self, evaluator: Evaluator, x: Vector, g: Vector, H: Matrix) -> None:
        self.source.curvature(H)

    def in_loop(self, near: Any) -> Any:
        curved = functions().curved

        @part
        def hessian(V, r, x, args, budget, room):
            call(curved, (room, V[r.hess].ctypes.data))
            return False

        return hessian


def as_sum(fun: Any, jac: Any) -> tuple[Any, Any]:
    """Half the sum of squares as `fun`, and its gradient as `jac`."""

    def value(x: Vector, *args: Any) -> float:
        r = np.asarray(fun(x, *args)[0] if jac is True else fun(x, *args))
        return 0.5 * float(r @ r)

    def gradient(x: Vector, *args: Any) -> Vector:
        r, J = fun(x, *args) if jac is True else (fun(x, *args), jac(x, *args))
        return np.asarray(J.T @ np.asarray(r))

    return value, gradient


# --- in the compiled loop


@part
def weigh_in_loop(V, r, room, weighed):
    """The objective, from residuals that have been stored."""
    for i in range(r.n):
        room[6][i] = V[r.trial, i]
    r.f_trial = call_for_value(weighed, (room[3],))


@part
def finish_in_loop(V, r, room, finished):
    call(finished, (room[3], V[r.trial + POINTS].ctypes.data))


def carried_in_loop() -> Any:
    carry = functions().carried

    @part
    def carried(V, r, x, args, budget, room):
        call(carry, (room[3], V[r.trial + POINTS].ctypes.data))
        return False

    return carried


def residuals_in_loop(fun: Any) -> Any:
    weighed = functions().weighed

    @part
    def evaluate(V, r, x, args, room):
        store(room[0], fun(x, *args))
        weigh_in_loop(V, r, room, weighed)

    return value_in_loop(evaluate)


@part
def store(told, found):
    if found.size != told.size:
        raise ValueError("`fun` must return the same number of residuals at every point")
    for k in range(told.size):
        told[k] = found[k]


@part
def store_jacobian(J, found):
    if found.shape != (J.shape[1], J.shape[0]):
        raise ValueError("`jac` must return an array of shape (m, n), for m residuals")
    for k in range(J.shape[1]):
        for i in range(J.shape[0]):
            J[i, k] = found[k, i]


@part
def copy(to, array):
    """``to[:] = array``; NumPy's broadcasting takes seconds to compile."""
    for i in range(to.shape[0]):
        for k in range(to.shape[1]):
            to[i, k] = array[i, k]
