"""The rate is known beforehand, but the point moves only downhill."""

from __future__ import annotations

from ..bits import ACCEPT, STAY
from ..jit import opened


def judge(memory, record):
    _, r = opened(memory, record)
    return ACCEPT if r.f_trial < r.f else STAY
