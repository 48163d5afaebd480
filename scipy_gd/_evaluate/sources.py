"""Which source of gradients a run has."""

from __future__ import annotations

from typing import Any

from .gradients import Box, Differences, Given, LowLevelPair, Pair, Source
from .low_level import pair_of


def source_of(
    fun: Any, jac: Any, n: int, box: Box = None, rel_step: Any = None, abs_step: Any = None
) -> Source:
    """The source that `jac` stands for: a function, True or the name of a scheme."""
    if jac is True:
        return LowLevelPair() if fun is pair_of else Pair()
    if isinstance(jac, str):
        return Differences(jac, n, box, rel_step, abs_step)
    return Given(jac)
