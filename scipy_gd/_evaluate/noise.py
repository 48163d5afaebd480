"""The noise of a function, from its values: their last place, and tables of differences.

Moré and Wild, "Estimating computational noise", SIAM Journal on Scientific Computing 33, 1292-1314
(2011), https://doi.org/10.1137/100786125.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import floor, frexp, log10, sqrt

import numpy as np

EPS = float(np.finfo(float).eps)
BITS, DIGITS = 32, 9
"""Values of so many significant bits, or decimal digits, have been rounded."""
FEWEST = 4
"""Values that are needed to say so."""


def grain(values: Sequence[float], f: float) -> float:
    """Half a unit in the last place of rounded values, at a value of the size of f; else 0."""
    seen = [v for v in values if v != 0.0 and np.isfinite(v)]
    if len(set(seen)) < FEWEST or f == 0.0:
        return 0.0
    unit = 0.0
    bits = sorted(map(significant_bits, seen))[-2]
    if bits <= BITS:
        unit = 2.0 ** (frexp(abs(f))[1] - bits)
    digits = sorted(map(significant_digits, seen))[-2]
    if digits <= DIGITS:
        unit = max(unit, 10.0 ** (floor(log10(abs(f))) - digits + 1))
    return 0.5 * unit


def significant_bits(value: float) -> int:
    whole = int(frexp(abs(value))[0] * 2**53)
    return 54 - (whole & -whole).bit_length()


def significant_digits(value: float) -> int:
    """How many decimal digits write the value to the last bits; more than `DIGITS`: many."""
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
    """What a table of differences says."""

    NOISE = "noise"
    COARSE = "values that vary much"
    REPEATED = "repeated values"
    CURVED = "curvature"


def ecnoise(values: Sequence[float]) -> tuple[float, Verdict]:
    """The noise of values at points in a row, and whether the table shows it (ECnoise)."""
    table = np.array(values, float)
    count = len(table)
    span = float(np.ptp(table))
    coarse = span > 0.1 * np.abs(table).max()
    levels, signs, gamma = [], [], 1.0
    for k in range(1, count):
        table = np.diff(table)
        if k == 1 and np.count_nonzero(table == 0.0) >= count / 2:
            return span, Verdict.REPEATED
        gamma *= 0.5 * k / (2 * k - 1)
        levels.append(sqrt(gamma * np.mean(table**2)))
        signs.append(table.min() * table.max() < 0.0)
    for k in range(count - 3):
        few = levels[k : k + 3]
        if signs[k] and max(few) <= 4.0 * min(few):
            return levels[k], Verdict.COARSE if coarse else Verdict.NOISE
    return levels[-1], Verdict.CURVED
