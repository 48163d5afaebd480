"""Choose the source of gradients for a run."""

from __future__ import annotations

from typing import Any, NamedTuple

from .gradients import Box, Differences, Given, LowLevelPair, Pair, Source
from .low_level import pair_of
from .residual_differences import ResidualDifferences
from .residual_sums import ResidualDifferenceSums, ResidualPairSums, ResidualSums, SquaresSum
from .residuals import Residuals, ResidualsPair


class Squares(NamedTuple):
    """How residuals form an objective; see `Residuals`."""

    loss: str
    f_scale: float
    varying: bool


def source_of(
    fun: Any,
    jac: Any,
    n: int,
    box: Box = None,
    rel_step: Any = None,
    abs_step: Any = None,
    squares: Squares | None = None,
) -> Source:
    """The source that `jac` stands for: a function, True or the name of a scheme."""
    if isinstance(fun, SquaresSum) and squares is not None:
        if isinstance(jac, str):
            return ResidualDifferenceSums(fun, jac, n, box, rel_step, abs_step, *squares)
        return (ResidualPairSums if jac is True else ResidualSums)(fun, n, *squares)
    if squares is not None:
        if jac is True:
            return ResidualsPair(n, *squares)
        if isinstance(jac, str):
            return ResidualDifferences(jac, n, box, rel_step, abs_step, *squares)
        return Residuals(jac, n, *squares)
    if jac is True:
        return LowLevelPair() if fun is pair_of else Pair()
    if isinstance(jac, str):
        return Differences(jac, n, box, rel_step, abs_step)
    return Given(jac)
