"""Newton's method on the Karush-Kuhn-Tucker conditions, for the last digits.

Near a solution, the active rows and bounds are known: those with multipliers. The Hessian of the
Lagrangian is estimated by differences of its gradient, and kept as long as the steps contract.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._evaluate.wrapped import dense
from ..arguments import Vector
from .point import SMALL, Point, Problem, largest

STEPS = 8


def polish(problem: Problem, p: Point, ctol: float, gtol: float) -> Point:
    """Take some Gauss-Newton steps to the active rows; kept if everything else still holds.

    If f is noisy, its gradient is not evaluated again.
    """
    rows, (lower, upper), noisy = problem.rows, problem.box, problem.objective.noisy
    if rows.m > SMALL or p.x.size > 50 * SMALL:
        return p
    for _ in range(5 if noisy else 2):
        was = problem.violation(p.x, p.c)
        if was <= 1e-3 * ctol:
            break
        held = ((p.x <= lower) & (p.slope > 0)) | ((p.x >= upper) & (p.slope < 0))
        active = rows.equal | ((p.y != 0) & ~rows.kept) | (rows.violation(p.c) > 0)
        J = dense(rows.jacobian(p.x))[np.ix_(active, ~held)]
        end = np.where(p.y > 0, rows.upper, np.where(p.y < 0, rows.lower, p.c))
        end = np.where(p.y == 0.0, np.clip(p.c, rows.lower, rows.upper), end)
        x = p.x.copy()
        x[~held] += np.linalg.lstsq(J, (end - p.c)[active], rcond=1e-12)[0]
        x = np.clip(x, lower, upper)
        if noisy:
            f, c = problem.objective.value(x), rows.value(x)
            q = Point(x, f, c, p.y, p.slope)
            kept = problem.violation(x, c) < was
        else:
            q, g, _ = problem.at(x, p.y)
            r = problem.residuals(q, g)
            kept = r.within(ctol, gtol) and r.violation < was
        if not kept:
            break
        p = q
    return p


def finish(problem: Problem, p: Point, ctol: float, gtol: float) -> Point | None:
    """A solution near p, or None if Newton's method finds none."""
    if p.x.size + problem.rows.m > SMALL:
        return None
    try:
        return _Newton(problem, p).run(ctol, gtol)
    except np.linalg.LinAlgError:
        return None


class _Newton:
    """The iteration, with the active set of rows and of bounds."""

    def __init__(self, problem: Problem, p: Point) -> None:
        self.problem, rows = problem, problem.rows
        self.p, self.g, J = problem.at(p.x, p.y)
        self.J = dense(J)
        self.width = problem.length(p.x)
        lower, upper = problem.box
        close = 1e-8 * self.width
        self.low = (p.x <= lower + close) & (self.p.slope >= 0)
        self.high = (p.x >= upper - close) & (self.p.slope <= 0) & ~self.low
        end = np.where(p.y > 0, rows.upper, rows.lower)
        idle = rows.kept & (np.abs(p.y) < np.abs(end - p.c))  # a barrier is never without a slope
        self.active = rows.equal | ((p.y != 0) & ~idle)
        self.side = np.where(rows.equal | (p.y <= 0), rows.lower, rows.upper)
        self.H = np.zeros((0, 0))
        self.known = np.zeros(p.x.size, bool)

    def run(self, ctol: float, gtol: float) -> Point | None:
        slow, last = True, np.inf
        for k in range(STEPS):
            free = ~(self.low | self.high)
            if slow or not (self.known | ~free).all():
                self._hessian(free)
            if not self._step(free):
                return None
            rows, p = self.problem.rows, self.p
            wrong = self.active & ~rows.equal
            wrong &= ((self.side == rows.upper) & (p.y < 0)) | (
                (self.side == rows.lower) & (p.y > 0)
            )
            p.y = np.where(wrong, 0.0, p.y)
            p.slope = self.g + self.J.T @ p.y
            r = self.problem.residuals(p, self.g)
            done = k >= 2 and max(r) >= 0.5 * last and r.within(ctol, gtol)
            if r.within(ctol, gtol, 1e-2) or done:
                return p if largest(p.y) <= 1e10 and self._convex(free) else None
            slow, last = not max(r) <= 0.1 * last, max(r)
            self._next_set(wrong)
        return None

    def _hessian(self, free: Any) -> None:
        """The Hessian of the Lagrangian, by differences of its gradient, or of values."""
        objective, rows = self.problem.objective, self.problem.rows
        self.known = free.copy()
        if not objective.given:
            self.H = self._second_differences(np.flatnonzero(free))
            return
        p = self.p
        H, h = np.zeros((p.x.size,) * 2), self._steps(6e-6, 1)
        base = self.g + self.J.T @ p.y
        for j in np.flatnonzero(free):
            x = p.x.copy()
            x[j] += h[j]
            slope = objective.gradient(x) + rows.jacobian(x).T @ p.y
            H[:, j] = (slope - base) / (x[j] - p.x[j])
        both = np.outer(free, free)
        self.H = np.where(both, 0.5 * (H + H.T), H + H.T)

    def _steps(self, size: float, most: int) -> Vector:
        """The lengths of differences, within the bounds."""
        x, (lower, upper) = self.p.x, self.problem.box
        h = size * np.maximum(min(1.0, self.width), np.abs(x))
        up, down = (upper - x) / most, (x - lower) / most
        return np.where((h <= up) | (down <= up), np.minimum(h, up), -np.minimum(h, down))

    def _second_differences(self, free: Any) -> Vector:
        p, h = self.p, self._steps(1.5e-4, 2)

        def lagrangian(*moved: int) -> float:
            x = p.x.copy()
            for i in moved:
                x[i] += h[i]
            return float(self.problem.objective.value(x) + self.problem.rows.value(x) @ p.y)

        here, once = lagrangian(), {i: lagrangian(i) for i in free}
        H = np.zeros((p.x.size,) * 2)
        for a, i in enumerate(free):
            for j in free[: a + 1]:
                bend = lagrangian(i, j) - once[i] - once[j] + here
                H[i, j] = H[j, i] = bend / (h[i] * h[j])
        return H

    def _step(self, free: Any) -> bool:
        """A step of Newton's method; return whether everything is known at its end."""
        p, problem, (lower, upper) = self.p, self.problem, self.problem.box
        move = np.where(self.low, lower - p.x, np.where(self.high, upper - p.x, 0.0))
        F, A = np.flatnonzero(free), np.flatnonzero(self.active)
        H, J = self.H[np.ix_(F, F)], self.J[np.ix_(A, F)]
        K = np.block([[H, J.T], [J, np.zeros((A.size, A.size))]])
        right = np.concatenate(
            [-(self.g[F] + self.H[F] @ move), self.side[A] - p.c[A] - self.J[A] @ move]
        )
        if not (np.isfinite(K).all() and np.isfinite(right).all()):
            return False
        size = np.maximum(np.abs(K).max(axis=1, initial=0.0), 1e-300) ** -0.5
        solved = np.linalg.lstsq(K * np.outer(size, size), size * right, rcond=1e-13)[0] * size
        if not np.isfinite(solved).all():
            return False
        step, y = move, np.zeros(p.y.size)
        step[F], y[A] = solved[: F.size], solved[F.size :]
        top = largest(step)
        x = np.clip(p.x + step * min(1.0, self.width / top if top else 1.0), lower, upper)
        if problem.rows.beyond(problem.rows.value(x)).any():
            return False
        self.p, self.g, J = problem.at(x, y)
        self.J = dense(J)
        return bool(np.isfinite(self.p.slope).all() and np.isfinite(self.p.f))

    def _convex(self, free: Any) -> bool:
        """Whether f + y'c has no negative curvature along the active rows."""
        F, A = np.flatnonzero(free), np.flatnonzero(self.active)
        if not F.size > A.size:
            return True
        J = self.J[np.ix_(A, F)]
        Z = np.linalg.svd(J)[2][np.linalg.matrix_rank(J) :].T if A.size else np.eye(F.size)
        heights = np.linalg.eigvalsh(Z.T @ self.H[np.ix_(F, F)] @ Z)
        return not heights.size or heights[0] >= -1e-4 * max(1.0, np.abs(heights).max())

    def _next_set(self, wrong: Any) -> None:
        rows, p, (lower, upper) = self.problem.rows, self.p, self.problem.box
        close = 1e-9 * self.width
        self.active &= ~wrong
        above, below = p.c - rows.upper > close, rows.lower - p.c > close
        new = (above | below) & ~self.active
        self.side = np.where(new, np.where(above, rows.upper, rows.lower), self.side)
        self.active |= new
        slope, some = p.slope, 1e-9 * max(1.0, largest(self.g))
        self.low = (self.low & ~(slope < -some)) | ((p.x <= lower) & (slope > 0))
        self.high = (self.high & ~(slope > some)) | ((p.x >= upper) & (slope < 0) & ~self.low)
