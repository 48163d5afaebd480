"""The rate is known in advance, but the point only moves downhill."""

from __future__ import annotations

from ..bits import ACCEPT, STAY
from ..jit import opened


def judge(memory, record):
    _, r = opened(memory, record)
    return ACCEPT if r.f_trial < r.f else STAY
