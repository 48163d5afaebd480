"""Investigate why a search failed although the gradient is given.

Is f noisy, and the gradient? Is there a kink? A dialogue yields points, is sent (f, g) at each of
them, and stores its findings in the memory of the run.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from .._core.bits import POINTS
from .._core.noise import TELLING, fallen, noise, within
from .._core.proximal import Placed
from ..arguments import Vector
from . import kinks
from .noise import (
    EPS,
    FEWEST,
    WORTH_IT,
    Verdict,
    box_of,
    ecnoise,
    estimate,
    grain,
    keep_noise,
    longest_run,
    recent,
)

Dialogue = Generator[list[Vector], list[tuple[float, Vector]], None]


def doubts(V: Vector, r: Any, known: float | None, penalty: Placed | None = None) -> Dialogue:
    """Measure the noise, or find the kink; `r.better` becomes 0 if nothing can be done.

    `known` is the noise if the user gave it. With a penalty, only its kinks are expected.
    """
    r.failures += 1
    here, g = V[r.trial], V[r.trial + POINTS]
    g[:] = V[r.x + POINTS]
    if r.failures > 2 or (
        r.noisy and r.failures > 1 and (r.fresh or within.py_func(V, r, r.x, TELLING))
    ):
        r.better = 0
        return
    if r.noisy and r.failures > 1:
        r.forget = 1
        return
    rounded = known is None and grain(recent(r)[-4:], r.f) > 0.0
    if not (r.noisy or r.asked or rounded or penalty):
        found = yield from kinks.settle(
            here.copy(), r.f, g.copy(), box=box_of(V, r), **goal(V, r, here - V[r.start])
        )
        if found.minimum or found.better:
            here[:], r.f_trial, g[:] = found.x, found.f, found.g
            r.kink, r.better = int(found.minimum), int(found.better)
            r.forget, r.failures = 1, 0
            return
    if known != 0.0:
        yield from measure(V, r, known, penalty)
    r.noisy = int(noise.py_func(r, r.f) > WORTH_IT * abs(r.f))
    r.better = r.noisy
    r.forget = 1


def goal(V: Vector, r: Any, way: Vector) -> dict[str, Any]:
    """When the gradient is small, after all the `way` from the start: the wider one of two tests.

    `gtol` is in the user's units, `gtol_rel` in those of the run.
    """
    D = V[r.scale] if r.scale >= 0 else np.ones(r.n)
    reach, fall = float(np.linalg.norm(way)), fallen.py_func(r, r.f)
    if r.gtol_rel >= 0.0 and r.gtol_rel * fall >= r.gtol * np.exp(np.log(D).mean()):
        return {"gtol": r.gtol_rel, "unit": fall, "reach": reach}
    return {"gtol": r.gtol, "D": D, "reach": reach, "span": float(np.linalg.norm(D * way))}


def measure(V: Vector, r: Any, known: float | None, penalty: Placed | None) -> Dialogue:
    """The noise of f, and of every component of the gradient, along one line."""
    r.estimates += 1
    x, here = V[r.trial].copy(), V[r.trial + POINTS].copy()
    errors = np.full(x.size, np.nan)
    f = r.f - r.penalty_here
    talk = estimate(x, f, recent(r), seed=r.estimates, box=box_of(V, r))
    points = next(talk)
    while True:
        answers = yield points
        if penalty:
            answers = [(f - penalty.value(y), g) for y, (f, g) in zip(points, answers, strict=True)]
        found = levels(np.array([here, *(g for _, g in answers)]))
        errors = np.where(np.isnan(found), errors, found)
        try:
            points = talk.send([f for f, _ in answers])
        except StopIteration as end:
            keep_noise(r, known or end.value)
            break
    V[r.error] = np.where(np.isnan(errors), EPS * abs(here), errors)


def levels(gradients: Vector) -> Vector:
    """The noise of every component of gradients at points in a row, shape (k, n)."""
    found = np.empty(gradients.shape[1])
    whole = np.isfinite(gradients).all(axis=0) & (len(gradients) >= FEWEST)
    for i in np.flatnonzero(~whole):
        found[i] = level(gradients[:, i])
    top = np.abs(gradients[:, whole]).max(axis=0)
    found[whole] = np.maximum(columns(gradients[:, whole]), EPS * top)
    return found


def columns(table: Vector) -> Vector:
    """`ecnoise` of every column; NaN of repeated values."""
    _, exponents = np.frexp(np.abs(table).max(axis=0))
    table, count, gamma = np.ldexp(table, -exponents), len(table), 1.0
    sizes, signs = [], []
    for k in range(1, count):
        table = np.diff(table, axis=0)
        if k == 1:
            repeated = np.count_nonzero(table == 0.0, axis=0) >= count / 2
        gamma *= 0.5 * k / (2 * k - 1)
        sizes.append(np.sqrt(gamma * np.mean(table**2, axis=0)))
        signs.append(table.min(axis=0) * table.max(axis=0) < 0.0)
    found = sizes[-1]
    for k in reversed(range(count - 3)):
        few = sizes[k : k + 3]
        shown = signs[k] & (np.max(few, axis=0) <= 4.0 * np.min(few, axis=0))
        found = np.where(shown, sizes[k], found)
    return np.where(repeated, np.nan, np.ldexp(found, exponents))


def level(values: Vector) -> float:
    """The noise of a component of the gradient: inf of too few values, NaN of repeated ones."""
    finite = longest_run(values.tolist())
    if len(finite) < FEWEST:
        return np.inf
    e, verdict = ecnoise(finite)
    if verdict is Verdict.REPEATED:
        return np.nan
    return max(e, EPS * max(map(abs, finite)))
