"""The noise of a function, from its values: their last place, and tables of differences.

Moré and Wild, "Estimating computational noise", SIAM Journal on Scientific Computing 33, 1292-1314
(2011), https://doi.org/10.1137/100786125.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from enum import Enum
from math import floor, frexp, log10, sqrt
from typing import Any

import numpy as np

from .._core.bits import RECENT
from ..arguments import Vector
from .differences import EPS

Box = tuple[Vector, Vector] | None
BITS, DIGITS = 32, 9
"""Values with at most this many significant bits, or decimal digits, count as rounded."""
FEWEST = 4
"""The number of values needed to decide this, if one of them may be longer."""
WORTH_IT = 1e-13
"""Noise below this, relative to f, is rounding."""


def grain(values: Sequence[float], f: float, fewest: int = FEWEST) -> float:
    """Half a unit in the last place of rounded values, at a value of the size of f; else 0.

    Two different values are enough (`fewest`) where those of an exact function have all digits.
    """
    seen = [v for v in values if v != 0.0 and np.isfinite(v)]
    count = len(set(seen))
    if count < fewest or f == 0.0 or max(seen) - min(seen) <= 1e-13 * abs(f):
        return 0.0
    longest, unit = -2 if count >= FEWEST else -1, 0.0
    bits = sorted(map(significant_bits, seen))[longest]
    if bits <= BITS:
        unit = 2.0 ** (frexp(abs(f))[1] - bits)
    digits = sorted(map(significant_digits, seen))[longest]
    if digits <= DIGITS:
        unit = max(unit, 10.0 ** (floor(log10(abs(f))) - digits + 1))
    return 0.5 * unit


def significant_bits(value: float) -> int:
    whole = int(frexp(abs(value))[0] * 2**53)
    return 54 - (whole & -whole).bit_length()


def significant_digits(value: float) -> int:
    """The number of decimal digits that represent the value, if at most `DIGITS`."""
    value = abs(value)
    lead = floor(log10(value))
    for digits in range(1, DIGITS + 1):
        shift = digits - 1 - lead
        if abs(shift) > 300:
            break
        scaled = value * 10.0**shift
        if abs(scaled - round(scaled)) <= 4e-15 * scaled:
            return digits
    return 99


class Verdict(Enum):
    """The verdict of a table of differences."""

    NOISE = "noise"
    COARSE = "values that vary much"
    REPEATED = "repeated values"
    CURVED = "curvature"


def ecnoise(values: Sequence[float]) -> tuple[float, Verdict]:
    """The noise of values at points in a row, and whether the table shows it (ECnoise)."""
    _, exponent = np.frexp(np.abs(values).max())  # squares of large and small values are numbers
    table = np.ldexp(np.array(values, float), -exponent)
    count = len(table)
    span = float(np.ptp(table))
    coarse = span > 0.1 * np.abs(table).max()
    levels, signs, gamma = [], [], 1.0
    for k in range(1, count):
        table = np.diff(table)
        if k == 1 and np.count_nonzero(table == 0.0) >= count / 2:
            return float(np.ldexp(span, exponent)), Verdict.REPEATED
        gamma *= 0.5 * k / (2 * k - 1)
        levels.append(sqrt(gamma * np.mean(table**2)))
        signs.append(table.min() * table.max() < 0.0)
    for k in range(count - 3):
        few = levels[k : k + 3]
        if signs[k] and max(few) <= 4.0 * min(few):
            verdict = Verdict.COARSE if coarse else Verdict.NOISE
            return float(np.ldexp(levels[k], exponent)), verdict
    return float(np.ldexp(levels[-1], exponent)), Verdict.CURVED


def estimate(
    x: Vector,
    f: float,
    recent: Sequence[float],
    *,
    seed: int,
    default: float = 0.0,
    flat: bool = False,
    box: Box = None,
) -> Generator[list[Vector], Sequence[float], float]:
    """The noise of a function at x, where its value is f: yield points, receive the values.

    The points lie on a line, first close together. Where that shows no noise of the size of some
    differences, they are moved apart if the values repeat, and together if they are curved.
    `recent` values show in which place they are rounded. `default` is the noise if there is no end
    to it; on a `flat` function all steps between values are taken for noise.
    """
    rng = np.random.default_rng(seed)
    p = rng.choice([-1.0, 1.0], x.size) * rng.uniform(0.5, 1.0, x.size)
    p *= np.maximum(1.0, np.abs(x)) / np.sqrt(x.size)
    if box is not None:  # where a bound is near, the other way
        far = x + 1e-3 * p
        inside = np.where(box[1] - x >= x - box[0], 1.0, -1.0)
        p = np.where(np.clip(far, *box) == far, p, np.abs(p) * inside)
    delta, found, unit, repeated, curved, turned = 1e-6, 0.0, 0.0, 0.0, False, False
    levels: list[float] = []
    every: list[float] = []
    for _ in range(4):
        points = [x + k * delta * p for k in range(1, 7)]
        if box is not None:
            points = [np.clip(y, *box) for y in points]
        values = longest_run([f, *(yield points)])
        every += values
        if len(values) < FEWEST and not turned:
            p, turned = -p, True
            continue
        if len(values) < FEWEST:
            break
        e, verdict = ecnoise(values)
        unit = grain([*recent, *every], f) or grain(every, f, 2)
        if verdict is Verdict.NOISE:
            found = e
        elif verdict is Verdict.REPEATED:
            if not (unit or curved):
                delta, repeated = 100.0 * delta, max(repeated, e, 1e-300)
                continue
            found = unit or e
        elif repeated:  # repeated values there, others here
            found = max(repeated, e if e < 1e-3 * abs(f) else 0.0)
        else:
            if verdict is Verdict.COARSE:  # large against f: is it the same closer by?
                if levels and max(e, levels[-1]) < 5.0 * min(e, levels[-1]):
                    found = max(e, levels[-1])
                    break
                levels.append(e)
            delta, curved = delta / 100.0, True
            continue
        break
    found = max(found or default, 2.0 * EPS * abs(f))
    gaps = np.diff(np.sort(every))
    on_grid = np.count_nonzero(gaps == 0.0) >= 3 or (flat and unit == 0.0)
    if on_grid and gaps.any():
        found = max(found, 0.5 * float(gaps[gaps > 0.0].min()))
    return found


def longest_run(values: Sequence[float]) -> list[float]:
    """The longest run of finite values."""
    parts: list[list[float]] = [[]]
    for value in values:
        if np.isfinite(value):
            parts[-1].append(value)
        else:
            parts.append([])
    return max(parts, key=len)


# --- in the memory of a run


def recent(r: Any) -> list[float]:
    """The last values of the run."""
    return list(r.recent)[: min(max(r.nit + 1, 0), RECENT)]


def box_of(V: Vector, r: Any) -> Box:
    return (V[r.bounds], V[r.bounds + 1]) if r.bounds >= 0 else None


def keep_noise(r: Any, e: float) -> None:
    """Treat noise as relative, until it turns out not to have fallen with f."""
    f = abs(r.f_trial)
    again = r.estimates > 1 and r.noise_rel > WORTH_IT
    if f == 0.0 or (again and e > 10.0 * r.noise_rel * f):
        r.noise_abs = e
    else:
        r.noise_rel, r.noise_abs = max(e / f, 2.0 * EPS), 0.0
