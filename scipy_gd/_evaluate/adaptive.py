"""A gradient with known errors: differences whose intervals adapt to the noise of f.

On an exact function, they are forward differences, and central ones once the gradient has become
small. On a noisy one, the interval of each component balances the noise against the curvature. In
between, a few extra values decide whether f is noisy, and how much.

Points come in rounds: one or two per component (rows `OFFSET` and `VALUE`, on both sides), and
another round for components where a value is not finite or the interval is unsuitable. This part is
compiled, and is the same for Python and the loop. Rare events are handled by a dialogue: a Python
generator that yields points and is sent their values.

Moré and Wild, "Estimating derivatives of noisy simulations", ACM Transactions on Mathematical
Software 38, 19 (2012), https://doi.org/10.1145/2168773.2168777. Shi, Xie, Xuan and Nocedal,
"Adaptive finite-difference interval estimation for noisy derivative-free optimization", SIAM
Journal on Scientific Computing 44, A2302-A2321 (2022), https://doi.org/10.1137/21M1452470.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.addresses import pointers_of
from .._core.bits import BETTER, POINTS, VALUE
from .._core.jit import compiled, local, opened
from .._core.noise import TELLING, noise, within
from ..arguments import Vector, scalar
from .differences import EPS
from .gradients import NO_FUNCTIONS, Args, Box, Values, alone_in_loop
from .loop_parts import part, read
from .noise import WORTH_IT, box_of, estimate, grain, keep_noise, recent

Before = tuple[Any, Any, Vector]
"""A copy of the record, and of some rows."""
Dialogue = Generator[Sequence[Vector], Sequence[float], None]

FORWARD, CENTRAL = 1.0066 * EPS ** (1 / 2), EPS ** (1 / 3)
"""Intervals on exact functions, in units of max(1, |x|). Neither has a short binary or decimal
form, which would make values look rounded."""
LONGEST = 0.5
"""The longest interval, in the same units."""
BALANCE, BALANCE_FORWARD = 100.0, 25.0
"""The target for the second difference over an interval, in units of the noise."""
SEEN = 8.0
"""Differences of this many times the noise are visible."""
LATER = 5
"""Iterations before an extra value per component measures the curvatures: easy runs end earlier."""
IN_A_ROW = 8
"""The most forward gradients on a noisy function between two central ones."""
OFFSET, VALUE_AT, TRIES, WANTED, ATTEMPTS, CURVATURE, SECOND = 0, 2, 4, 6, 7, 8, 9
ROWS = 10
"""Of each component, from row `measure` on: how far its two points are from x, and the values there
(two rows each); how often a point has been moved because it has no value; which values are wanted
(1, 2 or 3); how often the interval was changed; the size of the second derivative (NaN: unknown)
and, as far as it is seen, that with its sign."""


# --- one component


@local
def reach(V, r, i, h):
    """How far x[i] can move if it should move by h, staying within the box."""
    x = V[r.trial, i]
    y = x + h
    if r.bounds >= 0:
        y = min(max(y, V[r.bounds, i]), V[r.bounds + 1, i])
    return y - x


@local
def point_at(V, r, i, side):
    """The component at one of its two points."""
    y = V[r.trial, i] + V[r.measure + OFFSET + side, i]
    if r.bounds >= 0:
        y = min(max(y, V[r.bounds, i]), V[r.bounds + 1, i])
    return y


@local
def size_of(x):
    return max(1.0, abs(x))


@local
def want_one(V, r, i, h):
    """Ask for a point at distance h, on the side with room."""
    m = r.measure
    offset = reach(V, r, i, h)
    other = reach(V, r, i, -h)
    if abs(offset) < 0.9 * abs(h) and abs(other) > abs(offset):
        offset = other
    V[m + OFFSET, i] = offset
    V[m + TRIES, i] = 0.0
    V[m + OFFSET + 1, i] = V[m + TRIES + 1, i] = 0.0
    V[m + WANTED, i] = 1.0 if offset != 0.0 else 0.0


@local
def want_both(V, r, i, h):
    """Ask for points on both sides, or two on one side near a bound."""
    m = r.measure
    ahead, behind = reach(V, r, i, h), reach(V, r, i, -h)
    if ahead < 0.99 * h or behind > -0.99 * h:
        further = ahead if ahead >= -behind else behind
        far = reach(V, r, i, 2.0 * h if further > 0.0 else -2.0 * h)
        ahead, behind = 0.5 * far, far
    V[m + OFFSET, i], V[m + OFFSET + 1, i] = ahead, behind
    V[m + TRIES, i] = V[m + TRIES + 1, i] = 0.0
    V[m + WANTED, i] = 3.0 if ahead != 0.0 else 0.0


@local
def interval(V, r, i, e, balance, longest):
    """The interval whose second difference is `balance` times the noise (Moré and Wild, 2012)."""
    size = size_of(V[r.trial, i])
    curvature = V[r.measure + CURVATURE, i]
    if np.isnan(curvature):
        relative = min(max(e / max(abs(r.f_trial), 1e-300), EPS), 1e-2)
        return relative ** (1.0 / 3.0) * size
    h = np.sqrt(balance * e / curvature) if curvature > 0.0 else np.inf
    return min(max(h, FORWARD * size), longest * size)


@local
def moved(V, r, i, side):
    """Move a point that has no value; return False if it has been moved too often."""
    m = r.measure
    tries = int(V[m + TRIES + side, i])
    factor = 0.0
    if r.paired:
        factor = 0.7 if tries == 0 else 5.0 / 7.0 if tries == 1 else 0.0
    elif tries < 4:
        factor = -1.0 if tries % 2 == 0 else -0.5 if tries == 1 else -0.2
    V[m + TRIES + side, i] += 1.0
    V[m + OFFSET + side, i] = reach(V, r, i, factor * V[m + OFFSET + side, i])
    return V[m + OFFSET + side, i] != 0.0


@local
def halved(V, r, i, side):
    """For a side without a value, use half the distance on the other side, once."""
    m = r.measure
    if V[m + TRIES + side, i] >= 9.0:
        return False
    V[m + TRIES + side, i] = 9.0
    V[m + OFFSET + side, i] = 0.5 * V[m + OFFSET + 1 - side, i]
    return V[m + OFFSET + side, i] != 0.0


@local
def judge_component(V, r, i, e):
    """Evaluate the values of a component; determine which others are wanted."""
    m, wanted = r.measure, int(V[r.measure + WANTED, i])
    again = 0.0
    for side in range(2):
        if wanted & (1 + side) and not np.isfinite(V[m + VALUE_AT + side, i]):
            if moved(V, r, i, side):
                again += 1.0 + side
            else:
                V[m + VALUE_AT + side, i] = np.nan
    if again > 0.0:
        V[m + WANTED, i] = again
        return
    V[m + WANTED, i] = 0.0
    if r.paired:
        for side in range(2):
            here, there = V[m + VALUE_AT + side, i], V[m + VALUE_AT + 1 - side, i]
            if np.isnan(here) and not np.isnan(there) and halved(V, r, i, side):
                V[m + WANTED, i] = 1.0 + side
                return
    conclude(V, r, i, e)


@local
def conclude(V, r, i, e):
    """Derivative, error and curvature of a component, unless its interval must change."""
    m, row = r.measure, r.trial + POINTS
    a, b = V[m + OFFSET, i], V[m + OFFSET + 1, i]
    f_a, f_b = V[m + VALUE_AT, i], V[m + VALUE_AT + 1, i]
    known = not np.isnan(V[m + CURVATURE, i])
    if np.isnan(f_a) and (np.isnan(f_b) or not r.paired):  # as it was
        V[row, i] = V[r.x + POINTS, i] if r.nit >= 0 else 0.0
        V[r.error, i] = np.inf
        return
    if not r.paired:
        V[row, i] = (f_a - r.f_trial) / a
        V[r.error, i] = 1.4 * e / abs(a)
        if known:
            if r.noisy:
                V[row, i] -= 0.5 * V[m + SECOND, i] * a
            V[r.error, i] += (0.25 if r.noisy else 0.5) * abs(a) * V[m + CURVATURE, i]
        return
    if np.isnan(f_a) or np.isnan(f_b):
        h = b if np.isnan(f_a) else a
        V[row, i] = ((f_b if np.isnan(f_a) else f_a) - r.f_trial) / h
        V[r.error, i] = 3.0 * e / abs(h)
        return
    ahead, behind = (f_a - r.f_trial) / a, (f_b - r.f_trial) / b
    half = (ahead - behind) / (a - b)
    slope = ahead - half * a
    h, attempts = max(abs(a), abs(b)), V[m + ATTEMPTS, i]
    area = abs(a * b) if not r.noisy else h * h
    if r.noisy:
        size = size_of(V[r.trial, i])
        second, first = abs(2.0 * half) * h * h, abs(slope) * 2.0 * h
        longer = second < SEEN * e and first < SEEN * e and h < 0.1 * size
        shorter = second > 100.0 * BALANCE * e and second > first
        if longer and attempts < (2 if known else 4):
            V[m + ATTEMPTS, i] += 1.0
            want_both(V, r, i, 10.0 * h)
            return
        if shorter and attempts < (4 if second < 1e6 * abs(r.f_trial) else 8):
            V[m + ATTEMPTS, i] += 1.0
            want_both(V, r, i, max(np.sqrt(BALANCE * e / abs(2.0 * half)), 0.01 * h))
            return
    least = (SEEN if r.noisy else 0.5 * SEEN) * e / area
    V[row, i] = slope
    if a * b > 0.0:  # on one side
        V[r.error, i] = 2.5 * e / min(abs(a), abs(b))
    else:
        V[r.error, i] = e / h if r.noisy or r.central else 1.4 * e / min(abs(a), abs(b))
    V[m + CURVATURE, i] = max(abs(2.0 * half), least)
    if not r.noisy:  # if the third derivative is of the size of the second
        V[r.error, i] += a * b * a * b / h**2 * V[m + CURVATURE, i] / size_of(V[r.trial, i])
    V[m + SECOND, i] = 2.0 * half if abs(2.0 * half) > least else 0.0


# --- all components


@local
def begin(V, r):
    """Place the first points of a gradient at the trial; return how many there are."""
    e = noise(r, r.f_trial)
    m = r.measure
    far = 0.5 * r.promised >= 20.0 * r.n * e
    r.paired = 1
    if r.noisy:
        if far and r.forward < IN_A_ROW and r.known and r.nit >= 0 and r.searches and r.hess < 0:
            r.paired = 0
    elif not r.central:
        r.paired = 1 if not r.known and r.nit >= LATER and r.searches else 0
    for i in range(r.n):
        x = V[r.trial, i]
        size, sign = size_of(x), 1.0 if x >= 0.0 else -1.0
        V[m + ATTEMPTS, i] = 0.0
        V[r.trial + POINTS, i] = V[r.error, i] = 0.0
        if r.noisy and r.paired:
            want_both(V, r, i, interval(V, r, i, e, BALANCE, LONGEST))
        elif r.noisy:
            want_one(V, r, i, sign * interval(V, r, i, e, BALANCE_FORWARD, 0.3))
        elif r.central:
            h = CENTRAL * size
            if r.hess >= 0 and V[m + CURVATURE, i] > 0.0:  # second differences need longer ones
                h = min(max(h, np.sqrt(1e4 * e / V[m + CURVATURE, i])), 0.1 * size)
            want_both(V, r, i, h)
        else:
            want_one(V, r, i, sign * FORWARD * size)
            if r.paired and V[m + WANTED, i] > 0.0:  # one value more tells the curvature
                side = -1.0 if V[m + OFFSET, i] > 0.0 else 1.0
                V[m + OFFSET + 1, i] = reach(V, r, i, side * CENTRAL * size)
                if V[m + OFFSET + 1, i] == 0.0:
                    V[m + OFFSET + 1, i] = reach(V, r, i, -side * CENTRAL * size)
                V[m + WANTED, i] = 3.0
    return wanted(V, r)


@local
def wanted(V, r):
    """The number of values wanted."""
    count = 0
    for i in range(r.n):
        bits = int(V[r.measure + WANTED, i])
        count += (bits & 1) + (bits >> 1)
    return count


@local
def settle(V, r):
    """Process the values of a round; return how many are wanted in the next one."""
    e = noise(r, r.f_trial)
    for i in range(r.n):
        if V[r.measure + WANTED, i] > 0.0:
            judge_component(V, r, i, e)
    count = wanted(V, r)
    if count == 0:
        steepest = steep(V, r)
        exact = r.noisy == 0 and r.central == 0 and r.nit >= 0
        if exact and largest_projected(V, r) < 4.0 * FORWARD * steepest:
            r.central = 1
            return begin(V, r)
        finish(V, r)
    return count


@local
def largest_projected(V, r):
    x, g, top = V[r.trial], V[r.trial + POINTS], 0.0
    for i in range(r.n):
        p = g[i]
        if r.bounds >= 0:
            p = max(min(p, x[i] - V[r.bounds, i]), x[i] - V[r.bounds + 1, i])
        top = max(top, abs(p))
    return top


@local
def steep(V, r):
    """The largest curvature y'y / s'y along this and the last four steps."""
    sy = yy = 0.0
    if r.nit >= 0:
        for i in range(r.n):
            s = V[r.trial, i] - V[r.x, i]
            y = V[r.trial + POINTS, i] - V[r.x + POINTS, i]
            sy += s * y
            yy += y * y
    k = (r.nit + 1) % 5
    r.steepest[k] = yy / sy if sy > 0.0 else 0.0
    top = 0.0
    for k in range(5):
        top = max(top, r.steepest[k])
    return top


@local
def on_a_step(V, r):
    """Whether all values around x are equal, perhaps because f is a step function."""
    moved = False
    for i in range(r.n):
        if V[r.measure + OFFSET, i] != 0.0:
            moved = True
            for side in range(1 + r.paired):
                if V[r.measure + VALUE_AT + side, i] != r.f_trial:
                    return False
    return moved


@local
def finish(V, r):
    """Process a complete gradient."""
    m = r.measure
    if r.noisy and on_a_step(V, r):
        for i in range(r.n):
            if V[m + OFFSET, i] != 0.0:
                V[r.error, i] = np.inf
    if r.paired:
        total, count = 0.0, 0
        for i in range(r.n):
            if V[m + CURVATURE, i] > 0.0:
                total += np.log(V[m + CURVATURE, i])
                count += 1
        if count > 0:
            r.known = 1
            mean, top = np.exp(total / count), 0.0
            for i in range(r.n):
                if not V[m + CURVATURE, i] > 0.0:
                    V[m + CURVATURE, i] = mean
                top = max(top, V[m + CURVATURE, i])
            for i in range(r.n):
                V[r.diagonal, i] = 1.0 / max(V[m + CURVATURE, i], 1e-8 * top)
    r.forward = 0 if r.paired else r.forward + 1


@compiled()
def begin_at(memory, record):
    at_memory, at_record = pointers_of(memory, record)
    V, r = opened(at_memory, at_record)
    return begin(V, r)


@compiled()
def settle_at(memory, record):
    at_memory, at_record = pointers_of(memory, record)
    V, r = opened(at_memory, at_record)
    return settle(V, r)


class Adaptive:
    """Differences of `fun` with intervals that adapt to its noise; see the module docstring.

    `known` is the noise given by the user, or None to measure it.
    """

    name, parts, given = "adaptive", VALUE, False
    gradients, counts, near = 0, True, True
    functions, room = NO_FUNCTIONS, ()

    def __init__(self, known: float | None = None) -> None:
        self.known = known
        self.dialogue: Dialogue | None = None
        # what an evaluation changes before it is told
        self.before: Before | None = None

    def bind(self, V: Vector, s: Any, r: Any, at: tuple[int, int]) -> None:
        """The memory of the run."""
        self.V, self.s, self.r, self.at = V, s, r, at
        if not r.nit >= 0 and r.noise_rel == 0.0:
            r.noise_rel, r.better = 2.0 * EPS, 1
            V[r.measure + CURVATURE] = np.nan
            r.central = int(r.hess >= 0)
            if self.known:
                r.noise_abs, r.noisy, r.central = self.known, 1, 1

    # --- the protocol of a source

    def calls(self, part: int) -> int:
        return 1

    def points(self, x: Vector, part: int) -> Sequence[NDArray[Any]]:
        if part == VALUE:
            self.before = None
            return (x.copy(),)
        if self.dialogue is None:
            r = self.r
            rows: Any = slice(None)
            if not self.rare:
                rows = [r.diagonal, *range(r.measure, r.measure + ROWS)]
            self.before = self.s.copy(), rows, self.V[rows].copy()
            self.dialogue = self.first() if self.r.nit < 0 else self.next()
            self.asked = next(self.dialogue, ())
        return self.asked

    @property
    def begun(self) -> Before | None:
        """The memory as it was when the current gradient was started."""
        return None if self.dialogue is None else self.before

    @property
    def rare(self) -> bool:
        """Whether a dialogue is needed beyond the gradient."""
        return self.r.nit < 0 or bool(self.r.ask & BETTER)

    def value(self, values: Values, g: Vector) -> float:
        self.r.f_trial = f = scalar(values[0])
        return f

    def gradient(self, values: Values, x: Vector, f: float, g: Vector, args: Args) -> bool:
        """Whether more values are wanted."""
        assert self.dialogue is not None
        try:
            self.asked = self.dialogue.send([scalar(each) for each in values])
        except StopIteration:
            self.dialogue = None
            if self.r.hess < 0:
                self.before = None
            return False
        return True

    def commit(self) -> None:
        self.before = None

    def rollback(self) -> None:
        """Start the gradient again, even if it was complete and a Hessian was not."""
        if self.before is not None:
            s, rows, values = self.before
            self.s[:], self.V[rows] = s, values
        self.dialogue = self.before = None

    # --- dialogues

    @property
    def x(self) -> Vector:
        x: Vector = self.V[self.r.trial]
        return x

    @property
    def g(self) -> Vector:
        g: Vector = self.V[self.r.trial + POINTS]
        return g

    @property
    def noise(self) -> float:
        return float(noise.py_func(self.r, self.r.f_trial))

    def next(self) -> Dialogue:
        yield from self.better() if self.r.ask & BETTER else self.measured()

    def measured(self) -> Dialogue:
        """The gradient, round by round."""
        V, m = self.V, self.r.measure
        count = begin_at(*self.at)
        while count:
            places = [
                (i, side)
                for i in np.flatnonzero(V[m + WANTED]).tolist()
                for side in (0, 1)
                if int(V[m + WANTED, i]) & (1 + side)
            ]
            points = []
            for i, side in places:
                point = self.x.copy()
                point[i] = point_at.py_func(V, self.r, i, side)
                points.append(point)
            values = yield points
            for (i, side), value in zip(places, values, strict=True):
                V[m + VALUE_AT + side, i] = value
            count = settle_at(*self.at)

    def first(self) -> Dialogue:
        """The gradient at the start, and whether f is noisy."""
        r = self.r
        yield from self.measured()
        if self.known is not None or not np.isfinite(r.f_trial):
            return
        suspected, *more = yield from self.suspicious()
        if suspected:
            unit = grain([r.f_trial, *more, *self.seen()], r.f_trial, 2)
            if unit:
                keep_noise(r, unit)
            else:
                yield from self.estimate()
            if self.noise > WORTH_IT * abs(r.f_trial) or not self.g.any():
                self.turn_noisy()
                yield from self.measured()

    def seen(self) -> list[float]:
        """The known values around x."""
        V, r = self.V, self.r
        return [v for v in V[r.measure + VALUE_AT].tolist() if np.isfinite(v)]

    def suspicious(self) -> Generator[Sequence[Vector], Sequence[float], tuple[Any, ...]]:
        """Whether the value at all steps together contradicts the differences; and that value.

        Steps other than powers of two give values with all their digits.
        """
        V, r = self.V, self.r
        h = V[r.measure + OFFSET]
        if not h.any():
            return (True,)
        h = np.sign(h) * np.minimum(np.abs(h), FORWARD * np.maximum(1.0, np.abs(self.x)))
        alone = np.count_nonzero(h) == 1  # a point that is not known yet
        y = self.x + (-h if alone else h)
        if self.box is not None:
            y = np.clip(y, *self.box)
            if alone and not (y != self.x).any():
                y = self.x + 0.6 * h
        (f,) = yield [y]
        if not np.isfinite(f):
            return (False,)
        if grain([r.f_trial, f, *self.seen()], r.f_trial, 2):
            return True, f
        if not self.g.any() and f == r.f_trial:
            return True, f
        promised = self.g @ (y - self.x)
        off = abs(f - r.f_trial - promised)
        return off > 1e5 * EPS * max(abs(r.f_trial), abs(f)), f

    def turn_noisy(self) -> None:
        self.r.noisy = self.r.central = 1

    def recent(self) -> list[float]:
        return [*self.seen(), *recent(self.r)]

    def estimate(self) -> Dialogue:
        """The noise of f at x."""
        r, before = self.r, self.noise
        r.estimates += 1
        found = yield from estimate(
            self.x.copy(),
            r.f_trial,
            self.recent(),
            seed=r.estimates,
            default=self.noise if r.estimates > 1 else 0.0,
            flat=not self.g.any(),
            box=self.box,
        )
        keep_noise(r, found)
        if r.noisy and self.noise > 10.0 * before:  # what looked like curvature was noise
            self.V[r.measure + CURVATURE] = np.nan

    def better(self) -> Dialogue:
        """A better gradient when no way down was found; `r.better` becomes 0 if there is none."""
        r = self.r
        if r.noisy and r.forward:
            r.forward = IN_A_ROW
            yield from self.measured()
            return
        r.failures += 1
        if r.noisy:
            if r.failures == 1:
                before = self.noise
                if self.known is None:
                    yield from self.estimate()
                if before / 3.0 <= self.noise <= 3.0 * before:
                    self.keep()
                else:
                    yield from self.measured()
                r.forget = int(not self.unseen or not self.zero)
                r.better = int(not self.zero)
            elif r.failures == 2 and not r.fresh and not self.zero:
                r.forget = 1
                self.keep()
            else:
                r.better = 0
        elif r.failures > 2:
            r.better = 0
        else:
            if self.known is None and not (r.central and r.estimates):
                yield from self.estimate()
            noisy = self.noise > 1e-12 * abs(r.f_trial)
            r.forget = int(noisy or r.central)
            hidden = within.py_func(self.V, r, r.x, TELLING)
            if noisy or (r.central and (r.fresh or hidden)):
                self.turn_noisy()
            elif r.central:
                self.keep()
                return
            r.central = 1
            yield from self.measured()
        if not r.better:
            self.keep()

    def keep(self) -> None:
        """Keep the gradient as it is."""
        self.g[:] = self.V[self.r.x + POINTS]

    @property
    def zero(self) -> bool:
        """Whether the gradient at the trial cannot be distinguished from zero."""
        return bool(within.py_func(self.V, self.r, self.r.trial, TELLING))

    @property
    def box(self) -> Box:
        return box_of(self.V, self.r)

    @property
    def unseen(self) -> bool:
        """Whether the failed step promised less than the noise hides."""
        return bool(0.5 * self.r.promised <= self.noise)

    # --- in the compiled loop

    def near_in_loop(self, fun: Any) -> Any:
        """The value at x + a e_i + b e_j, for a Hessian."""

        @part
        def value(V, r, x, i, j, args):
            read(V, r.trial, x)
            x[i], x[j] = point_at(V, r, i, 0), point_at(V, r, j, 0)
            r.nfev += 1
            return fun(x, *args)

        return value

    def in_loop(self, fun: Any) -> tuple[Any, Any]:
        @part
        def gradient(V, r, x, args, budget, room):
            count, gradients = begin(V, r), 1
            while count > 0:
                if r.nfev + count > budget:
                    return True
                r.njev += gradients
                gradients = 0
                for i in range(r.n):
                    bits = int(V[r.measure + WANTED, i])
                    for side in range(2):
                        if bits & (1 + side):
                            read(V, r.trial, x)
                            x[i] = point_at(V, r, i, side)
                            r.nfev += 1
                            V[r.measure + VALUE_AT + side, i] = fun(x, *args)
                count = settle(V, r)
            return False

        return alone_in_loop(fun), gradient
