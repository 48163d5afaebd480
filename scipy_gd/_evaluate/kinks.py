"""Where a stalled search ended: a minimum at a kink, a point to continue from, or neither.

Every evaluated point y_i gives a cut f_i + g_i'(y - y_i), which is nowhere above a convex f. At x
it is too low by its error e_i >= 0, so that for convex weights w, v = sum w_i g_i, e = sum w_i e_i,

    f(y) >= f(x) - e - |v| |y - x|    for all y:

x is a minimum where v and e are small enough. The weights are those of the shortest vector in the
hull of all (g_i, e_i / r): the smaller the radius r, the nearer the cuts that count. If v is not
small, a step along -v leads to a lower point, or to a cut that was missing.

References
----------
P. Wolfe, "A method of conjugate subgradients for minimizing nondifferentiable functions",
Mathematical Programming Study 3, 145-173 (1975). C. Lemarechal, "An extension of Davidon methods to
non differentiable problems", ibid., 95-109. A. S. Lewis and M. L. Overton, "Nonsmooth optimization
via quasi-Newton methods", Mathematical Programming 141, 135-163 (2013), for such a test after a
quasi-Newton method. W. Hare and C. Sagastizabal, "A redistributed proximal bundle method for
nonconvex optimization", SIAM Journal on Optimization 20(5), 2442-2473 (2010), for `concavity`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np
from numpy.linalg import norm
from scipy.optimize import nnls

from ..arguments import Vector

Answers = list[tuple[float, Vector]]
Asking = Generator[list[Vector], Answers, "Verdict"]

# lengths are relative to the reach
RADII = 10.0 ** np.arange(-11, 0, 2)
"""Where to look at the slope along the gradient first."""
BISECTIONS = 10
"""The most gradients used to distinguish a kink from a bend."""
SMALLEST = 1e-12
"""The radius at which rounding takes over."""
IDLE = 20
"""The number of steps for which a cut without weight is kept."""
SHARE = 0.01
"""The fraction of `gtol` allowed for the error, which is closer to f(x) - f* than |v| is."""


class Goal(NamedTuple):
    """How small v and e must be: v is measured in the units of D x, and e against their `span`.

    A gradient of the size `unit` is not small.
    """

    gtol: float
    unit: float
    D: Vector | float
    span: float

    def length(self, v: Vector) -> Vector:
        found: Vector = norm(v / self.D, axis=-1)
        return found

    @property
    def limit(self) -> float:
        return self.gtol * self.unit


class Verdict(NamedTuple):
    """The lowest point: a `minimum` at a kink, or `better` than the given one, or neither.

    For the message: the length of the shortest vector, the distance from x to the farthest of its
    gradients, and their number.
    """

    x: Vector
    f: float
    g: Vector
    minimum: bool = False
    better: bool = False
    shortest: float = np.nan
    radius: float = np.nan
    gradients: int = 0


class Cuts:
    """What is known about f: its values and gradients at the points Y, and x, the lowest of them.

    If f is below one of the cuts, it is not convex. The cuts are then those of f + c |y - x|^2 / 2,
    with c large enough to raise it above them, and so large that only nearby cuts count.
    """

    def __init__(
        self, x: Vector, f: float, g: Vector, reach: float, lower: Vector, upper: Vector
    ) -> None:
        self.x, self.f, self.g, self.reach = x, f, g, reach
        self.lower, self.upper = lower, upper
        self.Y, self.F, self.G = x[None], np.array([f]), g[None]
        self.idle = np.zeros(1)
        self.concavity = 0.0

    def point(self, s: Vector) -> Vector:
        """x + s, within the bounds."""
        return np.clip(self.x + s, self.lower, self.upper)

    def add(self, y: Vector, f: float, g: Vector) -> None:
        if not (np.isfinite(f) and np.isfinite(g).all()):
            return
        s, steepest = self.Y - y, norm(self.G, axis=1).max()
        error = np.minimum(f - self.F + np.sum(self.G * s, axis=1), self.F - f - s @ g)
        below = error < -1e-13 * (abs(f) + abs(self.F) + steepest * self.reach)
        if below.any():
            c = (-2 * error[below] / np.sum(s[below] ** 2, axis=1)).max()
            self.concavity = max(self.concavity, c, 10 * steepest / self.reach)
        self.Y, self.F = np.vstack([self.Y, y]), np.append(self.F, f)
        self.G, self.idle = np.vstack([self.G, g]), np.append(self.idle, 0)

    def move(self, y: Vector, f: float, g: Vector) -> None:
        self.x, self.f, self.g = y, f, g

    def to_lowest(self) -> None:
        k = int(self.F.argmin())
        self.move(self.Y[k], float(self.F[k]), self.G[k])

    def seen_from_x(self) -> tuple[Vector, Vector, Vector]:
        """Gradients, errors and distances."""
        s = self.Y - self.x
        distance = norm(s, axis=1)
        e = self.f - self.F + np.sum(self.G * s, axis=1) + self.concavity / 2 * distance**2
        return self.G + self.concavity * s, np.maximum(e, 0), distance

    def normals(self, r: float) -> tuple[Vector, Vector]:
        """Outward normals of the bounds closer than r, and their distances."""
        below, above, E = self.x - self.lower, self.upper - self.x, np.eye(self.x.size)
        N = np.vstack([-E[below < r], E[above < r]])
        return N, np.append(below[below < r], above[above < r])

    def forget(self, w: Vector) -> None:
        """Drop cuts that have had no weight for a long time."""
        self.idle = np.where(w > 0, 0, self.idle + 1)
        keep = self.idle < IDLE
        self.Y, self.F, self.G, self.idle = (a[keep] for a in (self.Y, self.F, self.G, self.idle))


def shortest(
    G: Vector, e: Vector, r: float, normals: Vector, slack: Vector
) -> tuple[Vector, float, Vector]:
    """The shortest (v, e / r) in the hull of all (g_i, e_i / r) plus a cone, and its weights.

    The cone is that of the normals, with the slack as error. But for a factor, the weights solve
    min |sum w_i (g_i, e_i / r)|^2 + (sum w_i - 1)^2 with w >= 0.
    """
    k, unit = len(G), norm(G, axis=1).max() or 1.0
    hull = np.column_stack([G / unit, e / unit / r, np.ones(k)])
    cone = np.column_stack([normals, slack / r, np.zeros(len(slack))])
    A = np.vstack([hull, cone]).T
    size = norm(A, axis=0)
    w = nnls(A / size, np.eye(len(A))[-1], maxiter=100 * len(size))[0] / size
    w /= w[:k].sum()
    *v, e_r, _ = unit * (A @ w)
    return np.array(v), e_r * r, w[:k]


def settle(
    x: Vector,
    f: float,
    g: Vector,
    *,
    gtol: float,
    reach: float = 0.0,
    box: tuple[Vector, Vector] | None = None,
    unit: float = 1.0,
    D: Vector | float = 1.0,
    span: float = 0.0,
) -> Asking:
    """Yield lists of points, receive (f, g) at each of them, and return the verdict on x.

    `reach` is the length over which x is to be a minimum, such as the distance from where the
    run began, also if it has gone on from here since. 0: the size of x, at least 1. The test with
    `gtol` holds for the units of D x, where the reach is the `span`, and 1 means `unit`.
    """
    lower, upper = box if box is not None else (np.full(x.size, -np.inf), np.full(x.size, np.inf))
    cuts = Cuts(x, f, g, reach or max(1.0, float(norm(x))), lower, upper)
    distance = yield from kink_along_gradient(cuts)
    if distance > 0:
        goal = Goal(gtol, unit, D, span or cuts.reach)
        minimum = yield from minimum_at_kink(cuts, distance, goal)
        if minimum:
            return minimum
        if cuts.f < f - 1e-10 * abs(f):
            return Verdict(cuts.x, cuts.f, cuts.g, better=True)
    return Verdict(x, f, g)


def kink_along_gradient(cuts: Cuts) -> Generator[list[Vector], Answers, float]:
    """How far downhill a kink turns the gradient; 0 if there is none, or if f is noisy."""
    x, f, g = cuts.x, cuts.f, cuts.g
    u = x - cuts.point(-g * cuts.reach / norm(g))
    if not g @ u > 0:
        return 0.0
    u /= norm(u)

    radii = cuts.reach * RADII
    points = [cuts.point(-r * u) for r in radii]
    (f_again, g_again), *answers = yield [x, *points]
    if not (abs(f_again - f) <= 1e-10 * abs(f) and norm(g_again - g) <= 1e-3 * norm(g)):
        return 0.0
    for y, answer in zip(points, answers, strict=True):
        cuts.add(y, *answer)
    low, g_low = 0.0, g
    for high, (_, g_high) in zip(radii, answers, strict=True):
        if not g_high @ u > g @ u / 2:
            break
        low, g_low = high, g_high
    else:
        return 0.0

    # the change of a smooth gradient halves with the interval
    halved = 0
    for _ in range(BISECTIONS):
        halve = not 0 < low < high / 4
        middle = (low + high) / 2 if halve else np.sqrt(low * high)
        y = cuts.point(-middle * u)
        [(f_y, g_y)] = yield [y]
        cuts.add(y, f_y, g_y)
        even = norm(g_y - (g_low + g_high) / 2) < 0.1 * norm(g_high - g_low)
        halved = halved + 1 if halve and even else 0
        if halved == 2:
            return 0.0
        if g_y @ u > g @ u / 2:
            low, g_low = middle, g_y
        else:
            high, g_high = middle, g_y
    return float(high)


def minimum_at_kink(
    cuts: Cuts, r: float, goal: Goal
) -> Generator[list[Vector], Answers, Verdict | None]:
    """Move x along the shortest vector of the cuts, or collect more, until it is short enough."""
    reach, asked = cuts.reach, 0
    cuts.to_lowest()
    r = max(r, 1e-7 * reach)
    while asked < 2 * min(cuts.x.size, 200) + 20 and r > SMALLEST * reach:
        x, f = cuts.x, cuts.f
        G, errors, _ = cuts.seen_from_x()
        try:
            v, e, w = shortest(G, errors, r, *cuts.normals(r))
            if e <= SHARE * goal.limit * goal.span:
                wide = SHARE * reach
                found = verdict(cuts, *shortest(G, errors, wide, *cuts.normals(wide)), goal)
                if found.better:
                    return found
                if found.minimum:
                    concavity = cuts.concavity
                    asked += 4
                    rises = yield from rises_as_promised(cuts, w, found.radius)
                    if cuts.concavity == concavity:
                        return found if rises else None
                    continue  # the cuts were not true
        except RuntimeError:  # `nnls` has found no end
            return None
        cuts.forget(w)
        # the longest step for which the cuts promise a decrease of at least |(v, e / r)|^2 per unit
        length = float(norm(v))
        step = min(r * r / (e + 1e-300), r / (length + 1e-300))
        promised = step * (length**2 + (e / r) ** 2)
        if step * length < 1e-3 * r or promised < 1e-15 * abs(f):
            r *= 0.1
            continue
        y = cuts.point(-step * v)
        [(f_y, g_y)] = yield [y]
        asked += 1
        cuts.add(y, f_y, g_y)
        if f_y <= f - 0.1 * promised and np.isfinite(g_y).all():
            cuts.move(y, f_y, g_y)
            if f_y <= f - 0.5 * promised and step * length > 0.9 * r:
                r *= 10
        elif not f - f_y + g_y @ (y - x) <= e + promised:  # a cut from too far
            r *= 0.3
    return None


def verdict(cuts: Cuts, v: Vector, e: float, w: Vector, goal: Goal) -> Verdict:
    """Whether v and e are small enough."""
    x, f, g = cuts.x, cuts.f, cuts.g
    G, _, distance = cuts.seen_from_x()
    free, active = (x > cuts.lower) & (x < cuts.upper), w > 0
    length, radius = float(goal.length(v)), float(distance[active].max())
    count = int(active.sum())
    tolerance = goal.gtol * min(goal.unit, float(w @ goal.length(G * free)))
    minimum = length <= tolerance and e <= SHARE * tolerance * goal.span
    smooth = length <= goal.limit and radius == 0  # by its own gradient
    return Verdict(x, f, g, minimum and not smooth, smooth, length, radius, count)


def rises_as_promised(cuts: Cuts, w: Vector, r: float) -> Generator[list[Vector], Answers, bool]:
    """Whether f rises from x as the heaviest cuts and the new gradients predict; noise does not."""
    x, f = cuts.x, cuts.f
    G, errors, _ = cuts.seen_from_x()
    heaviest = np.argsort(-w)[: min(4, np.sum(w > 0))]
    r = max(r, 1e-6 * cuts.reach)
    points = [cuts.point(r * g / (norm(g) or 1.0)) for g in G[heaviest]]
    answers = yield points
    for y, answer in zip(points, answers, strict=True):
        cuts.add(y, *answer)
    return all(
        G[i] @ (y - x) / 2 - errors[i] <= f_y - f <= 2 * g_y @ (y - x) + errors[i]
        for i, y, (f_y, g_y) in zip(heaviest, points, answers, strict=True)
    )
