"""Errors of parameters: covariances, undetermined directions, and formatting."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

INVOLVED = 1e-3
"""Parameters with a smaller part in a combination are left out."""


def axes_of(R: Array, error: float) -> tuple[Array, Array]:
    """The inverse of R'R, as ``root @ root.T``, and the directions that R does not determine.

    Both in columns. `error` is the error of R, relative to its columns; the units of the parameters
    do not matter.
    """
    n = R.shape[1]
    size = np.linalg.norm(R, axis=0)
    seen = np.flatnonzero(size)
    _, s, Vt = np.linalg.svd(R[:, seen] / size[seen])
    s = np.pad(s, (0, len(Vt) - len(s)))
    sure = s > 10.0 * error * s.max(initial=0.0)
    along = np.zeros((n, seen.size))
    along[seen] = (Vt / size[seen]).T
    loose = np.hstack([along[:, ~sure], np.eye(n)[:, size == 0]])
    size[size == 0] = 1.0
    return along[:, sure] / s[sure], distinct(loose, 1.0 / size)


def distinct(columns: Array, unit: Array) -> Array:
    """Directions as unit vectors, without the parameters that hardly contribute.

    Contributions are
    compared in a unit of each parameter.
    """
    if not columns.size:
        return columns
    parts = np.abs(columns / unit[:, np.newaxis])
    kept = np.where(parts > INVOLVED * parts.max(axis=0, initial=0.0), columns, 0.0)
    first = kept[np.argmax(kept != 0, axis=0), np.arange(kept.shape[1])]
    return np.asarray(kept * np.sign(first) / np.linalg.norm(kept, axis=0))


def spread(root: Array, loose: Array) -> Array:
    """A covariance, infinite where two parameters share a loose direction."""
    common = loose @ loose.T
    with np.errstate(invalid="ignore"):
        return np.asarray(root @ root.T + np.where(common != 0, np.copysign(np.inf, common), 0.0))


def combination(direction: Array, names: Sequence[str]) -> str:
    """A direction in words: ``0.71 a - 0.71 b``."""
    parts = [(d, name) for d, name in zip(direction, names, strict=True) if d != 0]
    if len(parts) == 1:
        return parts[0][1]
    words = " ".join(f"{'-' if d < 0 else '+'} {abs(d):.2g} {name}" for d, name in parts)
    return words.removeprefix("+ ")


def rounded(value: float, error: float) -> tuple[str, str]:
    """A value and its error as text, both rounded to the second digit of the error."""
    if not 0 < error < math.inf:
        return f"{value:.6g}", f"{error:g}"
    error = float(f"{error:.1e}")
    last = math.floor(math.log10(error)) - 1
    first = math.floor(math.log10(max(abs(value), error)))
    power = first if last > 0 or first < -3 else 0
    suffix = f"e{power:+03d}" if power else ""

    def show(number: float) -> str:
        return f"{number / 10.0**power:.{power - last}f}{suffix}"

    return show(value), show(error)
