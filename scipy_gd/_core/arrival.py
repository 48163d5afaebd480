"""What may happen to a new gradient and a new point: clipping and averaging."""

from __future__ import annotations

import numpy as np

from .bits import POINTS
from .jit import largest, local, norm, opened


@local
def length(a):
    """The 2-norm, even if squares are too large for a float."""
    size = norm(a)
    if size == np.inf:
        top, square = largest(a), 0.0
        for i in range(a.size):
            square += (a[i] / top) ** 2
        size = top * np.sqrt(square)
    return size


def clip(memory, record):
    """The gradient for the formula: no component, and no norm, above its limit."""
    V, r = opened(memory, record)
    row = r.x + POINTS
    for i in range(r.n):
        V[r.clipped, i] = min(max(V[row, i], -r.clip_value), r.clip_value)
    size = length(V[r.clipped])
    if size > r.clip_norm:
        for i in range(r.n):
            V[r.clipped, i] *= r.clip_norm / size


@local
def share(r):
    """The next point's weight in the average: uniform (1), or exponential, bias-corrected."""
    k = r.nit + 1.0
    return 1.0 / k if r.averaging == 1.0 else (1.0 - r.averaging) / (1.0 - r.averaging**k)


def average(memory, record):
    """The running average of the points after x0."""
    V, r = opened(memory, record)
    if r.nit >= 0:
        weight = share(r)
        for i in range(r.n):
            V[r.average, i] += weight * (V[r.x, i] - V[r.average, i])
