"""Penalties as native functions: their values, and their proximal operators in place.

Both are called with the address and the number of the parameters, the first and the end of those to
process, and the address of a memory: its first word receives the value, the next seven are numbers
of the penalty, and rows as long as x follow. They return whether they failed, which only user
functions do. A new penalty takes two functions here and a row of `KERNELS`; its public part is in
``scipy_gd/prox.py``.

Only `ELEMENTWISE` penalties are called for less than all parameters: block by block, in the order
of the parameters, and the value is that of all blocks so far.
"""

from __future__ import annotations

import ctypes
import inspect
import weakref
import zlib
from collections import deque
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from numba import cfunc, njit, types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from .addresses import c_address
from .jit import (
    EXACT,
    call_for_number,
    dot,
    inlined,
    keep_within,
    local,
    maximum,
    minimum,
    norm,
    rows_of,
    summing,
    vector_at,
)

HEAD = 8
"""Words before the rows."""
ROWS = 8
"""More rows than any penalty has."""
BLOCK = 4096
"""The number of parameters that fit in the cache, with their elements in other rows."""
PROX = types.int64(*[types.int64] * 4, types.float64, types.int64)
VALUE = types.int64(*[types.int64] * 5)
C_PROX = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 5, ctypes.c_double, ctypes.c_int64)
C_VALUE = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 6)

Vector = NDArray[np.float64]
inlined_there = njit(inline="always", **EXACT)


@inlined_there
def head(at):
    return vector_at(at, HEAD)


@inlined_there
def rows(at, n):
    return rows_of(at + 8 * HEAD, ROWS, n)


@local
def answer(at, value):
    head(at)[0] = value
    return 0


def nothing(x, n, first, end, at):
    """The value of the indicator of a set, inside it."""
    return answer(at, 0.0)


# --- of each parameter by itself


@summing
def absolute(x, weight):
    total = 0.0
    for i in range(x.size):
        total += weight[i] * abs(x[i])
    return total


@summing
def absolute_and_square(x, l1, l2):
    total = 0.0
    for i in range(x.size):
        total += l1[i] * abs(x[i]) + 0.5 * l2[i] * x[i] * x[i]
    return total


@local
def add(at, first, value):
    return answer(at, value if first == 0 else head(at)[0] + value)


def l1_value(x, n, first, end, at):
    x, weight = vector_at(x, n), rows(at, n)[0]
    return add(at, first, absolute(x[first:end], weight[first:end]))


@inlined
def shrunk(x, threshold):
    """Nearer to 0 by that much, and at most there; NaN stays."""
    return maximum(x - threshold, 0.0) + minimum(x + threshold, 0.0)


def l1_prox(x, n, first, end, step, at):
    x, weight = vector_at(x, n)[first:end], rows(at, n)[0][first:end]
    for i in range(x.size):
        x[i] = shrunk(x[i], step * weight[i])
    return 0


def elastic_net_value(x, n, first, end, at):
    x, l1, l2 = vector_at(x, n), rows(at, n)[0], rows(at, n)[1]
    return add(at, first, absolute_and_square(x[first:end], l1[first:end], l2[first:end]))


def elastic_net_prox(x, n, first, end, step, at):
    x, l1, l2 = vector_at(x, n)[first:end], rows(at, n)[0][first:end], rows(at, n)[1][first:end]
    for i in range(x.size):
        x[i] = shrunk(x[i], step * l1[i]) / (1.0 + step * l2[i])
    return 0


def box_prox(x, n, first, end, step, at):
    limits = rows(at, n)
    keep_within(vector_at(x, n)[first:end], limits[0][first:end], limits[1][first:end])
    return 0


# --- groups of parameters: rows with their indices one after the other, where each group ends, and
# its weight; how many groups there are


@local
def group_norm(x, order, first, end):
    """The 2-norm of a group, even if squares are too large or too small for a float."""
    top = 0.0
    for k in range(first, end):
        size = abs(x[int(order[k])])
        if not size <= top:
            top = size
    if not 0.0 < top < np.inf:
        return top
    square = 0.0
    for k in range(first, end):
        square += (x[int(order[k])] / top) ** 2
    return top * np.sqrt(square)


def group_l1_value(x, n, first, end, at):
    x, groups, total, begin = vector_at(x, n), rows(at, n), 0.0, 0
    order, ends, weight = groups[0], groups[1], groups[2]
    for j in range(int(head(at)[1])):
        stop = int(ends[j])
        total += weight[j] * group_norm(x, order, begin, stop)
        begin = stop
    return answer(at, total)


def group_l1_prox(x, n, first, end, step, at):
    x, groups, begin = vector_at(x, n), rows(at, n), 0
    order, ends, weight = groups[0], groups[1], groups[2]
    for j in range(int(head(at)[1])):
        stop = int(ends[j])
        size, threshold = group_norm(x, order, begin, stop), step * weight[j]
        for k in range(begin, stop):
            i = int(order[k])
            x[i] = 0.0 if size <= threshold else x[i] * (1.0 - threshold / size)
        begin = stop
    return 0


# --- balls, half-spaces, the simplex


def l2_ball_prox(x, n, first, end, step, at):
    x, radius = vector_at(x, n), head(at)[1]
    size = norm(x)
    if size > radius:
        for i in range(n):
            x[i] *= radius / size
    return 0


def half_space_prox(x, n, first, end, step, at):
    x, a, b = vector_at(x, n), rows(at, n)[0], head(at)[1]
    excess = dot(a, x) - b
    if excess > 0.0:
        excess /= dot(a, a)
        for i in range(n):
            x[i] -= excess * a[i]
    return 0


@local
def threshold_for(y, total, kept, later):
    """The t for which the positive parts of y - t add up to `total` (Condat 2016, figure 2).

    Those that may be positive are gathered in `kept`; what a better lower bound of t has put aside,
    in `later`, is looked through once more.
    """
    t, count, aside = y[0] - total, 1, 0
    kept[0] = y[0]
    for i in range(1, y.size):
        if y[i] > t:
            t += (y[i] - t) / (count + 1.0)
            if t > y[i] - total:
                kept[count] = y[i]
                count += 1
            else:
                for k in range(count):
                    later[aside + k] = kept[k]
                aside += count
                kept[0], count, t = y[i], 1, y[i] - total
    for k in range(aside):
        if later[k] > t:
            kept[count] = later[k]
            count += 1
            t += (later[k] - t) / count
    before = count + 1
    while count < before:
        before, count, rest = count, 0, 0.0
        for k in range(before):
            if kept[k] > t:
                kept[count] = kept[k]
                rest += kept[k]
                count += 1
        t = (rest - total) / count if count > 0 else t
    return t


def simplex_prox(x, n, first, end, step, at):
    x, room = vector_at(x, n), rows(at, n)
    t = threshold_for(x, head(at)[1], room[0], room[1])
    for i in range(n):
        x[i] = max(x[i] - t, 0.0)
    return 0


def l1_ball_prox(x, n, first, end, step, at):
    x, room, radius, size = vector_at(x, n), rows(at, n), head(at)[1], 0.0
    for i in range(n):
        room[2, i] = abs(x[i])
        size += room[2, i]
    if size > radius:
        t = threshold_for(room[2], radius, room[0], room[1])
        for i in range(n):
            x[i] = shrunk(x[i], t)
    return 0


# --- differences of neighbours


def total_variation_value(x, n, first, end, at):
    x, weight, total = vector_at(x, n), head(at)[1], 0.0
    for i in range(1, n):
        total += abs(x[i] - x[i - 1])
    return answer(at, weight * total)


def total_variation_prox(x, n, first, end, step, at):
    x, y, weight = vector_at(x, n), rows(at, n)[0], step * head(at)[1]
    mean = copied(x, y) / n
    if stays_within(y, mean, weight):  # a weight that is much larger would leave it no digits
        for i in range(n):
            x[i] = mean
    else:
        denoise(y, x, weight)
    return 0


@summing
def copied(x, y):
    """Copy x to y; its sum."""
    total = 0.0
    for i in range(x.size):
        y[i] = x[i]
        total += x[i]
    return total


@local
def stays_within(y, mean, weight):
    """Whether no partial sum of y - mean exceeds the weight, so that all of it is one piece."""
    total = 0.0
    for i in range(y.size):
        total += y[i] - mean
        if not abs(total) <= weight:
            return False
    return True


@local
def level(x, first, last, value):
    """Give a piece its value; return where the next one starts."""
    for i in range(first, last + 1):
        x[i] = value
    return last + 1


@local
def denoise(y, x, weight):
    """The total-variation denoised signal x for y (Condat 2013).

    A piece has begun at `first`; it may have any value from `low` to `high` as far as is known, and
    `below` and `above` say how far its sum could still be from that of y. It ends where one of
    these values is ruled out, at the last place where the sum could have been just that.
    """
    n = y.size
    k, first, at_low, at_high = 0, 0, 0, 0
    low, high = y[0] - weight, y[0] + weight
    below, above = weight, -weight
    while True:
        if k == n - 1:
            if below < 0.0:  # the low value was too high
                first = level(x, first, at_low, low)
                k, at_low = first, first
                low, below = y[first], weight
                above = y[first] + weight - high
            elif above > 0.0:
                first = level(x, first, at_high, high)
                k, at_high = first, first
                high, above = y[first], -weight
                below = y[first] - weight - low
            else:
                level(x, first, k, low + below / (k - first + 1))
                return
            continue
        below += y[k + 1] - low
        above += y[k + 1] - high
        if below < -weight:  # a step down
            first = level(x, first, at_low, low)
            low, high = y[first], y[first] + 2.0 * weight
        elif above > weight:  # a step up
            first = level(x, first, at_high, high)
            low, high = y[first] - 2.0 * weight, y[first]
        else:
            k += 1
            if below >= weight:
                at_low = k
                low += (below - weight) / (k - first + 1)
                below = weight
            if above <= -weight:
                at_high = k
                high += (above + weight) / (k - first + 1)
                above = -weight
            continue
        k, at_low, at_high = first, first, first
        below, above = weight, -weight


# --- parts of x: as for groups; the rows from 2 on are addresses of each part's prox, value and
# memory, and room for its parameters


@local
def gather(x, parts, first, end):
    for k in range(first, end):
        parts[5, k] = x[int(parts[0, k])]


def groups_value(x, n, first, end, at):
    x, parts, total, begin = vector_at(x, n), rows(at, n), 0.0, 0
    room = at + 8 * (HEAD + 5 * n)
    for j in range(int(head(at)[1])):
        stop, own = int(parts[1, j]), int(parts[4, j])
        size = stop - begin
        gather(x, parts, begin, stop)
        if call_for_number(int(parts[3, j]), (room + 8 * begin, size, 0, size, own)):
            return 1
        total += head(own)[0]
        begin = stop
    return answer(at, total)


def groups_prox(x, n, first, end, step, at):
    x, parts, begin = vector_at(x, n), rows(at, n), 0
    room = at + 8 * (HEAD + 5 * n)
    for j in range(int(head(at)[1])):
        stop, own = int(parts[1, j]), int(parts[4, j])
        size = stop - begin
        gather(x, parts, begin, stop)
        if call_for_number(int(parts[2, j]), (room + 8 * begin, size, 0, size, step, own)):
            return 1
        for k in range(begin, stop):
            x[int(parts[0, k])] = parts[5, k]
        begin = stop
    return 0


KERNELS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "l1": (l1_value, l1_prox),
    "elastic_net": (elastic_net_value, elastic_net_prox),
    "box": (nothing, box_prox),
    "group_l1": (group_l1_value, group_l1_prox),
    "l2_ball": (nothing, l2_ball_prox),
    "half_space": (nothing, half_space_prox),
    "simplex": (nothing, simplex_prox),
    "l1_ball": (nothing, l1_ball_prox),
    "total_variation": (total_variation_value, total_variation_prox),
    "groups": (groups_value, groups_prox),
}
ELEMENTWISE = frozenset(("l1", "elastic_net", "box"))


# --- Numba functions of the user's

FAILED, STEP = 6, 7  # words of the memory: whether one has raised an error, and where; its step
_IN_NUMBA: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def in_numba(value: Any, prox: Any) -> Any:
    """The native functions, and what is to be kept of each, of two of Numba's; None: impossible."""
    try:
        made = _IN_NUMBA.setdefault(prox, weakref.WeakKeyDictionary())
        if value not in made:
            made[value] = _compiled(value, prox)
    except (NumbaError, TypeError):
        return None
    return made[value]


def _compiled(value: Any, prox: Any) -> Any:
    def value_at(x, n, first, end, at):
        v = vector_at(x, n)
        try:
            answer(at, float(value(v.copy())))
        except Exception:
            return fail(v, 1.0, 0.0, at)
        return 0

    def prox_at(x, n, first, end, step, at):
        v = vector_at(x, n)
        try:
            found = prox(v.copy(), step)
        except Exception:
            return fail(v, 2.0, step, at)
        if found.size != n:
            return fail(v, 2.0, step, at)
        for i in range(n):
            v[i] = found[i]
        return 0

    made = cfunc(VALUE)(value_at), cfunc(PROX)(prox_at)
    return [(each.address, each._library) for each in made]  # the user's functions may go


@local
def fail(v, which, step, at):
    """Store where, so that Python can raise the error."""
    place, memory = rows(at, v.size)[0], head(at)
    for i in range(v.size):
        place[i] = v[i]
    memory[FAILED], memory[STEP] = which, step
    return 1


class Placed:
    """A penalty of n parameters in memory: the addresses of its functions and of their data.

    A failing user function leaves its error in `errors`.

    Attributes
    ----------
    prox, penalty, settings : int
        Addresses: of the functions, and of the memory.
    block : int
        The number of parameters processed at a time.
    mark : int
        A checksum of the penalty; functions of the user's count by their code, and the numbers and
        arrays that it refers to.
    errors : list of BaseException
        Those that have been raised where nobody could catch them.
    """

    def __init__(self, penalty: Any, n: int, errors: list[BaseException] | None = None) -> None:
        self.of, self.n = penalty, n
        self.block = BLOCK if penalty.kernel in ELEMENTWISE else n
        self.errors: list[BaseException] = [] if errors is None else errors
        self.memory = np.zeros(HEAD + penalty.rows * n)
        self.settings = self.memory.ctypes.data
        numbers, given = penalty.numbers(n)
        self.memory[1 : 1 + len(numbers)] = numbers
        self.rows = self.memory[HEAD:].reshape(penalty.rows, n)
        for row, values in zip(self.rows, given, strict=False):
            row[: len(values) if isinstance(values, np.ndarray) else n] = values
        self.mark = zlib.crc32(self.memory.data, zlib.crc32(type(penalty).__name__.encode()))
        self.parts = self._placed_parts()
        self.known: deque[tuple[Vector, float]] = deque(maxlen=4)
        if penalty.kernel:
            value, prox = KERNELS[penalty.kernel]
            self.penalty, self.prox = c_address(value, VALUE), c_address(prox, PROX)
        else:
            self._place_functions()
            self.mark = zlib.crc32(repr(penalty).encode(), self.mark)
            for function in getattr(penalty, "functions", ()):
                self.mark = zlib.crc32(_written(function), self.mark)

    def _place_functions(self) -> None:
        """Those of a penalty without a kernel: Numba functions, or Python is called back."""
        functions = getattr(self.of, "functions", ())
        native = all(isinstance(f, Dispatcher) for f in functions) and functions
        self.kept: Any = in_numba(*functions) if native else None
        if self.kept is not None:
            (self.penalty, _), (self.prox, _) = self.kept
        else:
            self.kept = C_PROX(self._prox_at), C_VALUE(self._value_at)
            self.prox, self.penalty = map(_address, self.kept)

    def _placed_parts(self) -> list[Placed]:
        """The parts in memories of their own; an address is a whole number that a float can be."""
        penalties = [part for _, part in self.of.parts]
        if not penalties:
            return []
        sizes = np.diff(self.rows[1, : len(penalties)], prepend=0)
        parts = [Placed(p, int(n), self.errors) for p, n in zip(penalties, sizes, strict=True)]
        for j, part in enumerate(parts):
            self.rows[2:5, j] = part.prox, part.penalty, part.settings
            self.mark = zlib.crc32(str(part.mark).encode(), self.mark)
        return parts

    # --- of penalties that are computed in Python; what is raised must not get into compiled code

    def _prox_at(self, x: int, n: int, first: int, end: int, step: float, at: int) -> int:
        def replace(v: Vector) -> None:
            v[:] = self.of.prox_at(v.copy(), step)

        return self._done(replace, x)

    def _value_at(self, x: int, n: int, first: int, end: int, at: int) -> int:
        def answer(v: Vector) -> None:
            known = (value for x, value in self.known if np.array_equal(v, x))
            value = next(known, None)
            if value is None:
                value = self.of.value_at(v.copy())
                self.known.append((v.copy(), value))
            self.memory[0] = value

        return self._done(answer, x)

    def _done(self, function: Callable[[Vector], None], x: int) -> int:
        try:
            function(np.ctypeslib.as_array((ctypes.c_double * self.n).from_address(x)))
        except BaseException as error:
            self.errors.append(error)
            return 1
        return 0

    # --- for Python

    def value(self, x: Vector) -> float:
        """The value at x; raises the exceptions of user functions."""
        value, n = C_VALUE(self.penalty), self.n
        for first in range(0, n, self.block):
            value(x.ctypes.data, n, first, min(first + self.block, n), self.settings)
        self.raise_error()
        return float(self.memory[0])

    def apply(self, v: Vector, step: float) -> Vector:
        """Replace v by its proximal point; raises the exceptions of user functions."""
        C_PROX(self.prox)(v.ctypes.data, self.n, 0, self.n, step, self.settings)
        self.raise_error()
        return v

    def raise_error(self) -> None:
        """Raise an exception that could not be raised where it happened."""
        for part in self.parts:
            part.raise_error()
        if not self.of.kernel and self.memory[FAILED]:
            again, point, step = self.memory[FAILED], self.rows[0].copy(), self.memory[STEP]
            self.memory[FAILED] = 0.0
            self.of.value_at(point) if again == 1.0 else self.of.prox_at(point, step)
            raise ValueError(f"a function of {self.of!r} has failed")
        if self.errors:
            error = self.errors[0]
            self.errors.clear()
            raise error


def _written(function: Any) -> bytes:
    """What a function does, as far as that can be read."""
    function = getattr(function, "py_func", function)
    if not isinstance(function, FunctionType):
        return b""
    names = inspect.getclosurevars(function)
    given = *names.nonlocals.values(), *names.globals.values(), *(function.__defaults__ or ())
    arrays = [each.tobytes() for each in given if isinstance(each, np.ndarray)]
    constants = [each for each in (*function.__code__.co_consts, *given) if isinstance(each, PLAIN)]
    return function.__code__.co_code + repr((constants, arrays)).encode()


PLAIN = bool | int | float | str | np.number


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
