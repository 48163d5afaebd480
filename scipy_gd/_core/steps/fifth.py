"""The point only moves downhill, and the rate adapts so that one trial in five succeeds."""

from __future__ import annotations

import numpy as np

from ..bits import ACCEPT, STAY
from ..jit import opened


def initial_rate(x):
    """A tenth of the size of x, in all components together."""
    return float(0.1 * (1.0 + np.linalg.norm(x)) / np.sqrt(x.size))


def judge(memory, record):
    _, r = opened(memory, record)
    better = r.f_trial < r.f
    r.alpha *= 1.5 if better else 1.5**-0.25
    return ACCEPT if better else STAY
