"""The step that would reach the lowest value if f were linear: (f - f*) / |g|^2.

f* is the option `target`. B. T. Polyak, "Introduction to optimization" (1987), in the formula's own
metric: g'd in place of |g|^2. On mini-batches it is SPS_max of N. Loizou, S. Vaswani, I. Laradji
and S. Lacoste-Julien, "Stochastic Polyak step-size for SGD" (2021), equation 2 with c = 1/2,
https://arxiv.org/abs/2002.10542; its bound is the option `max_learning_rate`.
"""

from __future__ import annotations

from ..jit import opened
from ..trials import descend, place


def first(memory, record):
    V, r = opened(memory, record)
    descend(V, r)
    c, alpha = 0.5 if r.sampled else 1.0, 0.0  # a batch may have no slope
    if r.slope > 0.0:
        alpha = min(max(r.f - r.target, 0.0) / (c * r.slope), r.alpha_max)
    place(V, r, alpha)
    return r.needs
