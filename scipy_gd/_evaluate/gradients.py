"""Where gradients come from: one class per source.

A source says where `fun` must be called for the value, or for the gradient, at a point, and
combines what comes back:

    points(x, part)                  part is VALUE or GRADIENT; there are calls(part) of them
    value(values, g)                 the value, from those at its points; perhaps g as well
    gradient(values, x, f, g, args)  the gradient into g, from those at its points; True: it must be
                                     asked for its next points first

Whoever evaluates goes this way: the evaluator, in this process or with `workers`, and ask/tell,
which passes the points on. `in_loop` gives the same to the compiled loop, as two Numba functions
that return whether the budget is spent. A new source is a class; `sources.py` chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.bits import GRADIENT, POINTS, VALUE
from ..arguments import Vector, complex_scalar, pair, scalar, vector
from . import differences
from .loop_parts import part, read, store
from .low_level import call_number

Args = tuple[Any, ...]
Box = tuple[Vector, Vector] | None
Values = Sequence[Any]
FLOAT64 = np.dtype(np.float64)
NO_FUNCTIONS: Mapping[str, Any] = MappingProxyType({})


class Source(Protocol):
    """The interface of a source of gradients.

    A source that can be compiled has `in_loop`; one that can be differentiated again has
    `near_in_loop`, the gradient at any x.
    """

    name: str  # tells the compiled loops apart
    parts: int  # what to ask for, to have the gradient at a point where nothing is known
    gradients: int  # how many come with a value
    counts: bool  # whether a gradient that is asked for is one more
    near: bool  # whether it may take more calls of `fun`
    given: bool  # whether it is the user who gives them
    functions: Any  # what the compiled loop calls besides `fun`, by name

    @property
    def room(self) -> Any:
        """Arrays for the compiled loop: steps and bounds, if there are points around x."""

    def calls(self, part: int) -> int: ...

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]: ...

    def value(self, values: Values, g: Vector) -> float: ...

    def gradient(
        self, values: Values, x: Vector, f: float, g: Vector, args: Args
    ) -> bool | None: ...


class Around:
    """A source that wraps another one."""

    def __init__(self, source: Source, what: str) -> None:
        self.source = source
        self.name = f"{source.name}, {what}"
        self.parts, self.gradients, self.counts = source.parts, source.gradients, source.counts
        self.near, self.given, self.functions = source.near, source.given, source.functions

    def calls(self, part: int) -> int:
        return self.source.calls(part)


class Given:
    """The user's function `jac`."""

    name, parts, given, room = "jac", GRADIENT, True, ()
    gradients, counts, near = 0, True, False

    def __init__(self, jac: Callable[..., Any]) -> None:
        self.jac = jac
        self.functions: Mapping[str, Any] = {"jac": jac}

    def calls(self, part: int) -> int:
        return int(part == VALUE)

    def points(self, x: Vector, part: int) -> Sequence[Vector]:
        return (x.copy(),) if part == VALUE else ()

    def value(self, values: Values, g: Vector) -> float:
        f = values[0]
        return float(f) if isinstance(f, float) else scalar(f)

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> None:
        found = self.jac(x.copy(), *args)
        as_it_is = type(found) is np.ndarray and found.dtype is FLOAT64 and found.shape == g.shape
        g[:] = found if as_it_is else vector(found, g.size)

    def in_loop(self, fun: Any, jac: Any) -> tuple[Any, Any]:
        @part
        def gradient(V, r, x, args, budget, room):
            r.njev += 1
            read(V, r.trial, x)
            store(V, r.trial + POINTS, jac(x, *args))
            return False

        return alone_in_loop(fun), gradient

    def near_in_loop(self, fun: Any, jac: Any) -> Any:
        @part
        def near(V, r, row, x, args, budget):
            r.njev += 1
            store(V, row, jac(x, *args))
            return False

        return near


class Pair:
    """`fun` returns the value and the gradient."""

    name, parts, given, room = "pair", VALUE, True, ()
    gradients, counts, near = 1, False, True
    functions = NO_FUNCTIONS

    def __init__(self) -> None:
        self.told = False  # of a run that goes on between a value and its gradient

    def calls(self, part: int) -> int:
        return int(part == VALUE)

    def points(self, x: Vector, part: int) -> Sequence[Vector]:
        return () if part == GRADIENT and self.told else (x.copy(),)

    def value(self, values: Values, g: Vector) -> float:
        f, g[:] = pair(values[0], g.size)
        self.told = True
        return f

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> None:
        if values:
            self.value(values, g)

    def in_loop(self, fun: Any) -> tuple[Any, Any]:
        @part
        def evaluate(V, r, x, args, room):
            f, gradient = fun(x, *args)
            r.f_trial = float(f)  # no array
            store(V, r.trial + POINTS, gradient)

        return value_in_loop(evaluate, 1), nothing_in_loop

    def near_in_loop(self, fun: Any) -> Any:
        @part
        def near(V, r, row, x, args, budget):
            if r.nfev >= budget:
                return True
            r.nfev += 1
            r.njev += 1
            _, gradient = fun(x, *args)
            store(V, row, gradient)
            return False

        return near


class LowLevelPair(Pair):
    """The same of a C function, which writes where the gradient belongs."""

    name = "low-level pair"

    def in_loop(self, fun: Any) -> tuple[Any, Any]:
        @part
        def evaluate(V, r, x, args, room):
            g = V[r.trial + POINTS]
            r.f_trial = call_number(args[0], (x.size, x.ctypes.data, g.ctypes.data, args[1]))

        return value_in_loop(evaluate, 1), nothing_in_loop


class Differences:
    """Finite differences of `fun`, in the box except for complex steps; see `differences.py`."""

    parts, given = VALUE | GRADIENT, False
    gradients, counts, near = 0, True, True
    functions = NO_FUNCTIONS

    def __init__(
        self, scheme: str, n: int, box: Box = None, rel_step: Any = None, abs_step: Any = None
    ) -> None:
        self.name, self.each = scheme, differences.POINTS_OF[scheme]
        self.memory = room = np.empty((4, n))
        room[0] = np.nan if rel_step is None else rel_step
        room[1] = np.nan if abs_step is None else abs_step
        room[2:] = (-np.inf,), (np.inf,)
        self.bounds_at = 2 if scheme != "cs" else -1
        if box is not None and scheme != "cs":
            room[2:] = box
        self.room = tuple(room)

    def calls(self, part: int) -> int:
        *_, lower, upper = self.room
        return 1 if part == VALUE else self.each * int(np.count_nonzero(lower < upper))

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        if part == VALUE:
            return (x.copy(),)
        h, one_sided = self.steps = np.empty(x.size), np.empty(x.size, bool)
        near = np.empty((self.each * x.size, x.size))
        count = differences.difference_points(x, *self.room, self.each, h, one_sided, near)
        return list(x + 1j * np.diag(h) if self.name == "cs" else near[:count])

    def value(self, values: Values, g: Vector) -> float:
        return scalar(values[0])

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> None:
        h, one_sided = self.steps
        if self.name == "cs":
            g[:] = np.imag([complex_scalar(each) for each in values]) / h
        else:
            told = np.array([scalar(each) for each in values])
            differences.difference_quotients(f, told, h, one_sided, self.each, g)

    def in_loop(self, fun: Any) -> tuple[Any, Any]:
        of_scheme = complex_quotient_in_loop if self.name == "cs" else quotient_in_loop
        quotient = of_scheme(fun, self.each)

        @part
        def component(V, r, x, i, h, one_sided, lower, upper, args):
            g = V[r.trial + POINTS]
            g[i] = 0.0
            if h != 0.0:
                g[i] = quotient(V, r, x, i, h, one_sided, lower, upper, args)

        return alone_in_loop(fun), differences_in_loop(component, self.each)


class Perturbed:
    """Simultaneous perturbation: two noisy values on both sides of x tell an estimate.

    In its t-th use the perturbation is ``c / t**gamma`` in each component, with signs from `rng`;
    no point is outside the box. `exact` knows what `fun` returns.
    """

    name, parts, given, room, near = "perturbed", VALUE, False, (), False
    functions = NO_FUNCTIONS

    def __init__(
        self, rng: np.random.Generator, c: float, gamma: float, exact: Source, box: Box = None
    ) -> None:
        self.rng, self.c, self.gamma, self.exact, self.box = rng, c, gamma, exact, box
        self.gradients, self.counts = 2 * exact.gradients, False
        self.t = 0
        self.before: dict[str, Any] = {}  # the last draw, until its values are known

    def calls(self, part: int) -> int:
        return 2 * (part == VALUE)

    def points(self, x: Vector, part: int) -> Sequence[Vector]:
        if part == GRADIENT:
            return ()
        self.before = {"t": self.t, "rng": self.rng.bit_generator.state}
        self.t += 1
        delta = self.c / self.t**self.gamma * self.rng.choice([-1.0, 1.0], x.size)
        ahead, behind = x + delta, x - delta
        if self.box is not None:
            ahead, behind = np.clip(ahead, *self.box), np.clip(behind, *self.box)
        way = ahead - behind
        self.quotient = np.divide(1.0, way, out=np.zeros(x.size), where=way != 0.0)
        return ahead, behind

    def value(self, values: Values, g: Vector) -> float:
        up, down = (self.exact.value((each,), g) for each in values)
        g[:] = (up - down) * self.quotient
        return 0.5 * (up + down)

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> None:
        """It came with the value."""

    def commit(self) -> None:
        self.before = {}

    def rollback(self) -> None:
        """Use the same points next."""
        if self.before:
            self.t, self.rng.bit_generator.state = self.before["t"], self.before["rng"]
            self.before = {}


class Told(Given):
    """Values and gradients come from outside."""

    name, parts, given = "told", 0, False
    functions = NO_FUNCTIONS

    def __init__(self) -> None:
        """There is no function."""

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> None:
        """It has been told."""


# --- in the compiled loop


def value_in_loop(evaluate: Any, gradients: int = 0) -> Any:
    """The evaluation at the trial, counted, with this many gradients."""

    @part
    def value(V, r, x, args, budget, room):
        if r.nfev >= budget:
            r.f_trial = np.nan
            return True
        r.nfev += 1
        r.njev += gradients
        read(V, r.trial, x)
        evaluate(V, r, x, args, room)
        return False

    return value


def alone_in_loop(fun: Any) -> Any:
    """An evaluation that brings the value alone."""

    @part
    def evaluate(V, r, x, args, room):
        r.f_trial = float(fun(x, *args))  # no array

    return value_in_loop(evaluate)


@part
def nothing_in_loop(V, r, x, args, budget, room):
    return False


def differences_in_loop(component: Any, each: int) -> Any:
    """All components by differences, within the budget; the step is 0 if there is no room."""

    @part
    def measure(V, r, x, args, budget, steps):
        rel_step, abs_step, lower, upper = steps
        row, calls = r.trial, 0
        for i in range(r.n):
            h, _ = differences.difference_step(
                V[row, i], rel_step[i], abs_step[i], lower[i], upper[i], each
            )
            calls += each * (h != 0.0)
        if r.nfev + calls > budget:
            return True
        r.njev += 1
        for i in range(r.n):
            h, one_sided = differences.difference_step(
                V[row, i], rel_step[i], abs_step[i], lower[i], upper[i], each
            )
            component(V, r, x, i, h, one_sided, lower[i], upper[i], args)
        return False

    return measure


def quotient_in_loop(fun: Any, each: int) -> Any:
    """A component of the gradient at the trial, by real differences."""

    @part
    def quotient(V, r, x, i, h, one_sided, lower, upper, args):
        first = second = 0.0
        for k in range(each):
            read(V, r.trial, x)
            x[i] = differences.difference_point(x[i], h, one_sided, k, lower, upper, each)
            r.nfev += 1
            first, second = second, fun(x, *args)
        if each == 1:
            first = second
        return differences.difference_quotient(r.f_trial, first, second, h, one_sided, each)

    return quotient


def complex_quotient_in_loop(fun: Any, each: int) -> Any:
    """The same by a complex step."""

    @part
    def quotient(V, r, x, i, h, one_sided, lower, upper, args):
        read(V, r.trial, x)
        z = x + 0j
        z[i] = complex(x[i], h)
        r.nfev += 1
        return fun(z, *args).imag / h

    return quotient
