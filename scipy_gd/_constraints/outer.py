"""The outer loop: which augmented Lagrangian comes next, and whether its minimum is final.

`request` returns what an inner run should minimize, and `take` processes its outcome, until there
is an `ending`. The state between inner runs consists of numbers and arrays (`save`, `load`).

After A. R. Conn, N. I. M. Gould and P. L. Toint, "A globally convergent augmented Lagrangian
algorithm for optimization with general constraints and simple bounds", SIAM Journal on Numerical
Analysis 28, 545-572 (1991), https://doi.org/10.1137/0728030, with the safeguards of E. G. Birgin
and J. M. Martinez, "Practical Augmented Lagrangian Methods for Constrained Optimization" (SIAM,
2014).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._core import endings
from ..arguments import Vector
from .finish import finish, polish
from .lagrangian import Terms, following
from .point import Point, Problem, largest, on_the_way

FACTOR = 10.0
"""The factor by which rho grows if the violation was not halved."""
FIRST = 10
"""Iterations of the first inner run, which estimates the multipliers."""
MOST = 60
"""Maximum number of inner runs."""
RESTARTS = 2
UNKNOWN = 2, np.inf
"""The key of a point that is not better than any other."""
TINY = 0.01
"""A gradient at the start below which f is in small units."""
SURE = 0.02
"""The error of a gradient of L (of size 1 at the start) that counts as negligible."""
NEAR = 0.1
"""Residuals, in scaled units, below which Newton's method may finish."""


class Request(NamedTuple):
    """An inner run: minimize L, within the box, until its projected gradient is below gtol."""

    terms: Terms
    x: Vector
    box: tuple[Vector, Vector]
    gtol: float
    maxiter: int
    target: float


class Found(NamedTuple):
    """Where an inner run ended, the gradient of L there, and its ending.

    For noisy functions, also the noise of L and the error of the gradient.
    """

    x: Vector
    slope: Vector | None
    ending: int
    noise: float = 0.0
    error: float = 0.0


@dataclass
class Progress:
    """The state between inner runs; y and rho are those of the scaled problem."""

    x: Vector
    y: Vector
    rho: float
    radius: float
    gtol: float
    flat: NDArray[np.bool_]  # rows whose size is not to be seen at the start
    mu: float = 0.1  # of the barriers
    sigma: float = np.inf  # how far rows and multipliers were from fitting together
    nouter: int = 0
    rejected: int = 0
    stuck: int = 0
    restarts: int = 0
    failed: int = 0
    blocked: int = 0
    tried: float = np.inf
    restoring: bool = False


class Outer:
    """One problem in progress."""

    def __init__(
        self,
        problem: Problem,
        x0: Vector,
        ctol: float,
        gtol: float,
        target: float,
        plane: Any = None,
    ) -> None:
        self.problem, self.x0, self.ctol, self.gtol = problem, x0, ctol, gtol
        self.target, self.plane = target, plane
        self.ending = endings.RUNNING
        self.best: tuple[tuple[int, float], Point] | None = None
        self.passing: Point | None = None
        m = problem.rows.m
        self.start = on_the_way(x0, np.nan, np.full(m, np.nan))
        self.now = Progress(
            x0, np.zeros(m), FACTOR, FACTOR, float(np.sqrt(gtol)), np.zeros(m, bool)
        )
        self.weight, self.scales, self.f0 = 1.0, np.ones(m), np.nan

    def begin(self) -> int:
        """Evaluate the start; return the ending if f or the rows are undefined there."""
        problem, start, x = self.problem, self.start, self.x0
        start.f, start.c = problem.objective.value(x), problem.rows.value(x)
        self.f0 = start.f
        if np.isfinite(start.f) and np.isfinite(start.c).all():
            problem.begin(x)
            g, J = problem.objective.gradient(x), problem.rows.jacobian(x)
            if np.isfinite(g).all() and np.isfinite(J.data if sparse.issparse(J) else J).all():
                self._scale(x)
                self.now.rho = self._penalty(start.f, start.c)
                self.now.radius = FACTOR * max(1.0, problem.length(x))
                self._consider(start)
                return endings.RUNNING
        self.ending = endings.UNDEFINED
        return self.ending

    @property
    def best_point(self) -> Point:
        passing = None if self.ending else self.passing
        if passing is not None and self._improves(self._key(passing)):
            return passing
        return self.start if self.best is None else self.best[1]

    @property
    def _feasible(self) -> bool:
        return self.best is not None and self.best[0][0] == 0

    def _scale(self, x: Vector) -> None:
        """Scale so that gradients of f and of the rows are at most 1, and not tiny."""
        top = largest(self.problem.objective.gradient(x))
        top = max(top, self.problem.slope_unit)
        usual = TINY <= top <= 1.0 or not np.isfinite(top)
        self.weight = 1.0 if usual else max(1.0 / top, 1e-8)
        self.scales, self.now.flat = self._scales(x)

    def _scales(self, x: Vector) -> tuple[Vector, NDArray[np.bool_]]:
        sizes, flat = self.problem.row_sizes(x)
        return 1.0 / np.clip(sizes, 1e-10, 1e8), flat

    def _penalty(self, f: float, c: Vector) -> float:
        """Choose rho so that violation and objective are of similar size."""
        v = self.scales * self.problem.rows.violation(c)
        rho = FACTOR * max(1.0, abs(self.weight * f)) / max(1.0, 0.5 * float(v @ v))
        return float(np.clip(rho, 1e-6, 100.0)) if np.isfinite(rho) else FACTOR

    @property
    def _rows(self) -> tuple[Vector, Vector, Vector, Vector, Vector]:
        rows, now = self.problem.rows, self.now
        y = np.zeros_like(now.y) if now.restoring else now.y
        rho = (1.0 if now.restoring else now.rho) * self.scales**2
        return y, rho, np.where(rows.kept, now.mu, 0.0), rows.lower, rows.upper

    def request(self, data: Any = ()) -> Request:
        """The next inner run."""
        now, (lower, upper) = self.now, self.problem.box
        n = now.x.size
        if now.restoring:
            terms = Terms(self._rows, 0.0, self.problem.objective.near, data)
            return Request(terms, self._restart(), (lower, upper), 1e-10, 2000, 1e-16)
        terms = Terms(self._rows, self.weight, self.problem.objective.near, data)
        if not now.y.size:
            goal = 0.99 * self.weight * self.gtol * self.problem.slope_unit
            return Request(terms, now.x, (lower, upper), goal, 2**62, -np.inf)
        near = np.maximum(lower, now.x - now.radius), np.minimum(upper, now.x + now.radius)
        most = FIRST if now.nouter == 0 else min(5000, max(300, 10 * n))
        return Request(terms, now.x, near, now.gtol, most, -np.inf)

    def take(self, found: Found) -> int:
        """Process the end of the inner run; return the ending, or RUNNING."""
        if self.now.restoring:
            self._restored(found)
            return self.ending
        request, now, problem = self.request(), self.now, self.problem
        x = np.clip(found.x, *problem.box)
        now.nouter += 1
        f, c = problem.objective.value(x), problem.rows.value(x)
        held = self._held(x, request)
        v, before = (
            largest(self.scales * problem.rows.violation(c)) for c in (c, problem.rows.value(now.x))
        )
        known = np.isfinite(f) and np.isfinite(c).all()
        if not known or (held and v > max(before, 1.0) and now.rejected < 12):
            now.rejected += 1
            now.rho = min(FACTOR * now.rho, 1e15)
            now.radius = max(0.5 * now.radius, 1e-2 * self.problem.length(now.x))
            return self._until_tired()
        step, now.x = largest(x - now.x), x
        if self._unbounded(x, f):
            self._consider(Point(x, f, c, now.y / self.weight, np.full(x.size, np.nan)))
            self.ending = endings.UNBOUNDED
            return self.ending
        now.radius = FACTOR * (
            now.radius if held else max(0.1 * now.radius, self.problem.length(x))
        )
        _, y = following(c, request.terms.rows)
        p = self._point(x, f, c, y, found)
        if self._ended(p, y, found):
            return self.ending
        self._update(p, y, found, held, step)
        return self._until_tired()

    def _held(self, x: Vector, request: Request) -> bool:
        """Whether the box around the last point stops the new one."""
        (lower, upper), (low, high) = self.problem.box, request.box
        return bool((((x <= low) & (low > lower)) | ((x >= high) & (high < upper))).any())

    def _unbounded(self, x: Vector, f: float) -> bool:
        w = self.weight
        far = largest(x) > 1e10 * max(1.0, largest(self.x0))
        return far or w * f < -1e12 * max(1.0, w * abs(self.f0))

    def _point(self, x: Vector, f: float, c: Vector, y: Vector, found: Found) -> Point:
        weight = self.weight
        slope = None if found.slope is None else found.slope / weight
        if self.weight > 1.0:
            self._steeper(x)
        p = Point(x, f, c, y / weight, slope)  # type: ignore[arg-type]
        if slope is None:
            p.slope = self._along(self.problem.at(x, p.y)[0].slope)
        self._consider(p)
        return p

    def _along(self, slope: Vector) -> Vector:
        """The rest of a gradient if x cannot leave a plane."""
        return slope if self.plane is None else self.plane.along(slope)

    def _steeper(self, x: Vector) -> None:
        """If f was flat at the start but no longer is, give it less weight."""
        self.problem.see(x)
        top = self.problem.slope_unit
        if top * self.weight > FACTOR:
            self.now.y = self.now.y * (1.0 / (top * self.weight))  # the old one may be saved
            self.weight = 1.0 / top

    def _consider(self, p: Point) -> None:
        """Store the best point: the lowest feasible one, or else the least infeasible."""
        key = self._key(p)
        if self._improves(key):
            self.best = key, p

    def _key(self, p: Point) -> tuple[int, float]:
        """The key for comparing points: lower is better."""
        v = self.problem.violation(p.x, p.c)
        if not (np.isfinite(v) and np.isfinite(p.f)):
            return UNKNOWN
        return (0, p.f) if v <= self.ctol else (1, v * self.problem.length(p.x))

    def _improves(self, key: tuple[int, float]) -> bool:
        return key < (UNKNOWN if self.best is None else self.best[0])

    def pass_by(self, x: Vector, f: float, c: Vector) -> None:
        """Consider an iterate without multipliers."""
        if not self.now.restoring:
            self._consider(on_the_way(x, f, c))

    def consider(self, x: Vector, f: float, c: Vector) -> None:
        """Consider a point at which the run may stop, in case it is the best."""
        self.passing = on_the_way(x, f, c)

    def _passes(self, p: Point) -> bool:
        """Whether p is a solution; the gradient of f is only evaluated if it matters."""
        r = self.problem.residuals(p)
        if r.within(self.ctol, self.gtol):
            return True
        if not r.within(self.ctol, np.inf):
            return False
        g = self.problem.objective.gradient(p.x)
        return self.problem.residuals(p, g).within(self.ctol, self.gtol)

    def _ended(self, p: Point, y: Vector, found: Found) -> bool:
        """Whether p is a solution, or leads to one by Newton's method."""
        now, problem = self.now, self.problem
        if self._passes(p):
            self.best = (0, p.f), polish(problem, p, self.ctol, self.gtol)
            self.ending = endings.CONVERGED
            return True
        if p.f <= self.target and problem.violation(p.x, p.c) <= self.ctol:
            self.best, self.ending = ((0, p.f), p), endings.TARGET
            return True
        if problem.objective.noisy:
            return self._noise_reached(p, found)
        rest = max(self._sigma(p.c), self._slope(p))
        if self.plane is None and rest <= NEAR and rest <= NEAR * now.tried:
            now.tried = rest
            q = finish(problem, p, self.ctol, self.gtol)
            if q is not None and self._better(q, p, y):
                self.best, self.ending = ((0, q.f), q), endings.CONVERGED
                return True
        return False

    def _noise_reached(self, p: Point, found: Found) -> bool:
        """Whether the remaining violation is hidden by noise in the penalty."""
        now, blocked = self.now, found.ending in (endings.NOISE_REACHED, endings.PRECISION)
        hidden = 3.0 * np.sqrt(2.0 * found.noise / now.rho)
        if not blocked or self._sigma(p.c) > max(self.ctol, hidden):
            return False
        now.blocked += 1
        if found.ending == endings.PRECISION and now.blocked < 3:
            return False
        q = polish(self.problem, p, self.ctol, self.gtol)
        if self.problem.violation(q.x, q.c) > self.ctol:
            return False
        # penalties make differences short, and then noise may hide a gradient that matters
        sure = found.error <= SURE * max(1.0, self.weight * largest(p.slope))
        self.best, self.ending = ((0, q.f), q), found.ending if sure else endings.PRECISION
        return True

    def _sigma(self, c: Vector) -> float:
        y, rho, mu, lower, upper = self._rows
        y = np.where(mu > 0.0, 0.0, y)
        return largest(self.scales * (c - np.clip(c + y / rho, lower, upper)))

    def _slope(self, p: Point) -> float:
        return self.problem.projected(p.x, self.weight * p.slope)

    def _better(self, q: Point, p: Point, y: Vector) -> bool:
        """Whether Newton's method stayed close and did not increase the merit."""
        price = 2.0 * largest(y / self.scales)

        def merit(at: Point) -> float:
            v = self.scales * self.problem.rows.violation(at.c)
            return self.weight * at.f + price * float(v.sum())

        near = largest(q.x - p.x) <= self.problem.length(p.x)
        return near and merit(q) <= merit(p) + 1e-6 * max(1.0, abs(self.weight * p.f))

    def _update(self, p: Point, y: Vector, found: Found, held: bool, step: float) -> None:
        now, problem = self.now, self.problem
        violation = problem.violation(p.x, p.c)
        if violation > self.ctol and self._stationary(p):
            now.stuck += 1
            if now.stuck >= 2:
                now.stuck, now.restarts = 0, now.restarts + 1
                now.restoring = now.restarts <= RESTARTS
                self.ending = endings.RUNNING if now.restoring else endings.INFEASIBLE
                return
        else:
            now.stuck = 0
        blocked = found.ending in (endings.PRECISION, endings.STALLED)
        if blocked:
            problem.sharpen()
        now.failed = now.failed + 1 if blocked and step <= 1e-9 * problem.length(p.x) else 0
        if now.failed >= (5 if violation <= self.ctol else 15):
            self.ending = self._grown(endings.PRECISION)
            return
        if held:
            return
        sigma = self._sigma(p.c)
        if now.nouter == 1:
            if now.flat.any():
                self.scales = np.where(now.flat, self._scales(p.x)[0], self.scales)
            now.rho = self._penalty(p.f, p.c)
        elif sigma > 0.25 * now.sigma and max(sigma, violation) > 0.1 * self.ctol:
            now.rho = min(FACTOR * now.rho, 1e16)
        now.mu *= 0.1
        now.sigma, now.y = sigma, np.clip(y, -1e20, 1e20)
        if now.nouter > 1:
            rest = self._slope(p)
            floor = 0.1 * self.gtol * min(1.0, max(self.weight * self.problem.slope_unit, 1e-4))
            now.gtol = max(min(0.1 * now.gtol, 0.5 * rest if rest else np.inf), floor)

    def _stationary(self, p: Point) -> bool:
        """Whether the violation has no downhill slope."""
        rows, J, now = self.problem.rows, self.problem.rows.jacobian(p.x), self.now
        v = self.scales * (p.c - np.clip(p.c, rows.lower, rows.upper))
        rest = self.problem.projected(p.x, self._along(J.T @ (self.scales * v)))
        top = largest(v)
        return (rest <= 1e-5 * max(top, 1e-12) and now.rho * top > 1e3) or now.rho >= 1e12

    def _restart(self) -> Vector:
        """x0, and then a point beside it."""
        lower, upper = self.problem.box
        x = self.x0
        if self.now.restarts > 1:
            x = x + 0.1 * np.maximum(1.0, np.abs(x)) * np.cos(1.0 + np.arange(x.size))
        return np.clip(x, lower, upper) if self.plane is None else self.plane.point(x)

    def _restored(self, found: Found) -> None:
        """Restart from a feasible point, if there is one."""
        now, problem = self.now, self.problem
        now.restoring = False
        x = np.clip(found.x, *problem.box)
        f, c = problem.objective.value(x), problem.rows.value(x)
        self._consider(on_the_way(x, f, c))
        if np.isfinite(f) and problem.violation(x, c) <= 1e-4:
            self._scale(x)
            now.x, now.y, now.sigma = x, np.zeros(c.size), np.inf
            now.rho = 100.0**now.restarts * self._penalty(f, c)
            now.radius, now.gtol = 0.5 * max(1.0, problem.length(x)), float(np.sqrt(self.gtol))
        elif now.restarts < RESTARTS:
            now.restarts, now.restoring = now.restarts + 1, True
        else:
            self.ending = endings.INFEASIBLE

    def _until_tired(self) -> int:
        if not self.ending and self.now.nouter >= MOST:
            self.ending = self._grown(endings.PRECISION if self._feasible else endings.INFEASIBLE)
        return self.ending

    def _grown(self, ending: int) -> int:
        """The ending of a run without bounded multipliers, or another one."""
        grown = largest(self.now.y / self.scales) > 1e2  # where gradients are about 1
        return endings.MULTIPLIERS if self._feasible and grown else ending

    def save(self) -> dict[str, Any]:
        """The state between inner runs, as numbers and arrays."""
        key, p = self.best or (UNKNOWN, self.start)
        units = self.problem.steepest, self.problem.farthest, self.problem.sizes
        objective = self.problem.objective
        return {
            "now": {each.name: getattr(self.now, each.name) for each in fields(Progress)},
            "best": (*key, p.x, p.f, p.c, p.y, p.slope),
            "scales": (self.weight, self.scales, self.f0, self.x0, *units),
            "differences": (objective.noisy, objective.near[:3], self.problem.sharp),
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Restore a saved state."""
        self.now = Progress(**{name: _own(value) for name, value in saved["now"].items()})
        group, value, *point = map(_own, saved["best"])
        self.best = (group, value), Point(*point)
        self.weight, self.scales, self.f0, self.x0, *units = map(_own, saved["scales"])
        self.problem.steepest, self.problem.farthest, self.problem.sizes = units
        objective = self.problem.objective
        objective.noisy, near, sharp = saved["differences"]
        objective.near = *near, *objective.near[-2:]
        if sharp and not self.problem.sharp:
            self.problem.sharpen()


def _own(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
