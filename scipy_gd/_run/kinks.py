"""What a stalled search has come to: a minimum at a kink, a point to go on from, or neither.

Every evaluated point y_i gives a cut f_i + g_i'(y - y_i), which is nowhere above a convex f. At x it
is too low by its error e_i >= 0, so that for convex weights w, v = sum w_i g_i and e = sum w_i e_i

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

RADII = 10.0 ** np.arange(-11, 0, 2)
"""Where the slope along the gradient is looked at first; like all lengths, relative to the reach."""
BISECTIONS = 10
"""The most gradients that tell a kink from a bend."""
IDLE = 20
"""For how many steps a cut without weight is kept."""
SHORTEST, NEAR = 1e-12, 1e-3
"""The least radius, and the largest at which a minimum is confirmed."""
ROUNDING = 1e-13


class Verdict(NamedTuple):
    """The lowest point: a `minimum` at a kink, or `better` than the given one, or neither.

    For the message: the length of the shortest vector, how far from x the farthest of its gradients
    is, and how many they are.
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
    """What is known of f: its values and gradients at the points Y, the lowest of which is x.

    Where f lies below a cut, it is not convex. Then the cuts are those of f + c |y - x|^2 / 2, with a c
    that raises it above them, and so large that only near cuts count.
    """

    def __init__(self, x: Vector, f: float, g: Vector, reach: float) -> None:
        self.x, self.f, self.g, self.reach = x, f, g, reach
        self.Y, self.F, self.G = x[None], np.array([f]), g[None]
        self.idle = np.zeros(1)
        self.concavity = 0.0

    def add(self, y: Vector, f: float, g: Vector) -> None:
        if not (np.isfinite(f) and np.isfinite(g).all()):
            return
        s, steepest = self.Y - y, norm(self.G, axis=1).max()
        error = np.minimum(f - self.F + np.sum(self.G * s, axis=1), self.F - f - s @ g)
        below = error < -ROUNDING * (abs(f) + abs(self.F) + steepest * self.reach)
        if below.any():
            c = (-2 * error[below] / np.sum(s[below] ** 2, axis=1)).max()
            self.concavity = max(self.concavity, c, 10 * steepest / self.reach)
        self.Y, self.F = np.vstack([self.Y, y]), np.append(self.F, f)
        self.G, self.idle = np.vstack([self.G, g]), np.append(self.idle, 0)

    def move(self, y: Vector, f: float, g: Vector) -> None:
        self.x, self.f, self.g = y, f, g

    def seen_from_x(self) -> tuple[Vector, Vector, Vector]:
        """Gradients, errors and distances."""
        s = self.Y - self.x
        distance = norm(s, axis=1)
        e = self.f - self.F + np.sum(self.G * s, axis=1) + self.concavity / 2 * distance**2
        return self.G + self.concavity * s, np.maximum(e, 0), distance

    def forget(self, w: Vector) -> None:
        self.idle = np.where(w > 0, 0, self.idle + 1)
        keep = self.idle < IDLE
        self.Y, self.F, self.G, self.idle = (a[keep] for a in (self.Y, self.F, self.G, self.idle))


def shortest(
    G: Vector, e: Vector, r: float, normals: Vector, slack: Vector
) -> tuple[Vector, float, Vector]:
    """The shortest vector (v, e / r) of the hull of all (g_i, e_i / r), and its weights.

    To the hull belongs the cone of the outward normals of bounds, with their slack as errors. But for
    a factor, the weights solve min |sum w_i (g_i, e_i / r)|^2 + (sum w_i - 1)^2 with w >= 0.
    """
    k, unit = len(G), norm(G, axis=1).max()
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
) -> Asking:
    """Yields lists of points, is sent (f, g) at each of them, and returns the verdict on x.

    `reach`, how far the run has come, is the length over which f is to be minimal within `gtol`; 0:
    the size of x, at least 1.
    """
    lower, upper = box if box is not None else (np.full(x.size, -np.inf), np.full(x.size, np.inf))
    reach = reach or max(1.0, float(norm(x)))
    cuts = Cuts(x, f, g, reach)
    kinked = yield from _along_gradient(cuts, lower, upper)
    verdict = Verdict(x, f, g)
    if kinked:
        verdict = yield from _descend(cuts, kinked, gtol, lower, upper)
    if cuts.f < f - 1e-10 * abs(f) and not verdict.minimum:
        return Verdict(cuts.x, cuts.f, cuts.g, better=True)
    return verdict


def _along_gradient(
    cuts: Cuts, lower: Vector, upper: Vector
) -> Generator[list[Vector], Answers, float]:
    """The distance of a kink that turns the gradient, or 0."""
    x, f, g = cuts.x, cuts.f, cuts.g
    blocked = ((x <= lower) & (g > 0)) | ((x >= upper) & (g < 0))
    u = np.where(blocked, 0, g)
    if not norm(u) > 0:
        return 0.0
    u /= norm(u)
    slope = g @ u

    radii = cuts.reach * RADII
    points = [np.clip(x - r * u, lower, upper) for r in radii]
    (f_again, g_again), *answers = yield [x, *points]
    if not (abs(f_again - f) <= 1e-10 * abs(f) and norm(g_again - g) <= 1e-3 * norm(g)):
        return 0.0  # noise
    for y, answer in zip(points, answers, strict=True):
        cuts.add(y, *answer)
    low, g_low = 0.0, g
    for high, y, (f_y, g_high) in zip(radii, points, answers, strict=True):
        if not g_high @ u > 0.5 * slope:
            break
        if f_y < f - 0.1 * high * slope and f_y < cuts.f:
            cuts.move(y, f_y, g_high)
        low, g_low = high, g_high
    else:
        return 0.0

    # the change of a smooth gradient halves with the interval
    halved = 0
    for _ in range(BISECTIONS):
        halve = not 0 < low < high / 4
        middle = (low + high) / 2 if halve else np.sqrt(low * high)
        y = np.clip(x - middle * u, lower, upper)
        [(f_y, g_y)] = yield [y]
        cuts.add(y, f_y, g_y)
        even = norm(g_y - (g_low + g_high) / 2) < 0.1 * norm(g_high - g_low)
        halved = halved + 1 if halve and even else 0
        if halved == 2:
            return 0.0
        if g_y @ u > 0.5 * slope:
            low, g_low = middle, g_y
        else:
            high, g_high = middle, g_y
    return float(high)


def _descend(cuts: Cuts, r: float, gtol: float, lower: Vector, upper: Vector) -> Asking:
    """Collect cuts around x, and move it along their shortest vector, until that is within `gtol`."""
    n, reach = cuts.x.size, cuts.reach
    neither = Verdict(cuts.x, cuts.f, cuts.g)
    lowest = int(cuts.F.argmin())
    cuts.move(cuts.Y[lowest], float(cuts.F[lowest]), cuts.G[lowest])
    r = max(r, 1e-7 * reach)
    asked = 0
    while asked < 2 * min(n, 200) + 20 and r > SHORTEST * reach:
        x, f = cuts.x, cuts.f
        G, errors, distance = cuts.seen_from_x()
        below, above = x - lower < r, upper - x < r
        normals = np.vstack([-np.eye(n)[below], np.eye(n)[above]])
        slack = np.append((x - lower)[below], (upper - x)[above])
        try:
            v, e, w = shortest(G, errors, r, normals, slack)
        except RuntimeError:  # `nnls` has not come to an end
            break
        free = (x > lower) & (x < upper)
        tolerance = gtol * min(1.0, w @ norm(G[:, free], axis=1))
        if norm(v) <= tolerance and e <= 0.1 * tolerance * reach:
            active = w > 0
            found = Verdict(
                x, f, cuts.g, True, False, norm(v), distance[active].max(), int(active.sum())
            )
            heavy = np.argsort(-w)[: min(4, found.gradients)]
            rho = reach * min(max(found.radius / reach, 1e-6), NEAR)
            points = [np.clip(x + rho * g / max(norm(g), 1e-300), lower, upper) for g in G[heavy]]
            answers = yield points
            for i, y, (f_y, g_y) in zip(heavy, points, answers, strict=True):
                s = y - x
                if not G[i] @ s / 2 - errors[i] <= f_y - f <= 2 * g_y @ s + errors[i]:
                    return neither
            return found
        cuts.forget(w)
        t = min(r * r / e if e > 0 else np.inf, r / norm(v) if norm(v) > 0 else np.inf)
        promised = t * (norm(v) ** 2 + (e / r) ** 2)
        if t * norm(v) < 1e-3 * r or promised < 1e-15 * abs(f):
            r *= 0.1
            continue
        y = np.clip(x - t * v, lower, upper)
        [(f_y, g_y)] = yield [y]
        asked += 1
        cuts.add(y, f_y, g_y)
        if f_y <= f - 0.1 * promised and np.isfinite(g_y).all():
            if f_y <= f - 0.5 * promised and t * norm(v) > 0.9 * r:
                r *= 10
            cuts.move(y, f_y, g_y)
        elif not f - f_y + g_y @ (y - x) <= e + promised:
            r *= 0.3
    return neither
