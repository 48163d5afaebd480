"""The option `reduce`: what it can be combined with, which data it cuts, and the functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._core.bits import GRADIENT, HESSIAN
from .._evaluate.blocks import Blocks, Data, Rows, at_once
from .._evaluate.low_level import is_low_level
from .._evaluate.residual_sums import SquaresOf, SquaresSum
from .._evaluate.sources import Squares
from .._formula import Formula
from ..workers import mapping
from .batches import check_lazy, is_dask, sampled_arguments, take

APART = {
    "batch_size": "an evaluation uses either all rows or those of one batch",
    "workers": "the points of differences are evaluated together, in one pass over the data",
    "compiled": "a compiled loop needs all data in memory",
    "accelerate": "it needs the Jacobian of all data in memory",
}
"""Options that cannot be combined with `reduce`, and why."""


def blocks_of(
    opts: dict[str, Any], fun: Any, jac: Any, args: tuple[Any, ...], squares: Squares | None
) -> Blocks | None:
    """The data of `args` in blocks, if the options say so; nothing is loaded.

    Raises
    ------
    TypeError, ValueError
        If another option, or the content of `args`, cannot be combined with `reduce`.
    """
    reduce = opts["reduce"]
    if reduce is None:
        if opts["batch_size"] is not None and any(map(is_dask, args)):
            raise ValueError(
                "`batch_size` needs arrays in memory or on disk in `args`, got a Dask array: use "
                '`reduce` ("sum" or "mean") instead'
            )
        return None
    for name, why in APART.items():
        if opts.get(name):
            raise ValueError(f"`reduce` cannot be combined with `{name}`: {why}")
    if is_low_level(fun) or is_low_level(jac):
        raise TypeError("`reduce` needs Python or Numba functions: C functions have no `args`")
    if squares is not None and reduce == "mean":
        raise ValueError(
            '`reduce` must be "sum" for residuals, since half the sum of their squares is minimized'
        )
    for k, each in enumerate(args):
        check_lazy(f"args[{k}]", each)
    which = sampled_arguments(args, opts["batch_args"], "reduce")
    return Blocks(_data(args, which), reduce == "mean")


def _data(args: tuple[Any, ...], which: tuple[int, ...]) -> Data:
    if not any(is_dask(args[k]) for k in which):
        return Rows(args, which, take)
    from .._evaluate.dask_blocks import DaskBlocks

    return DaskBlocks(args, which)


def functions(
    blocks: Blocks | None,
    method: Formula,
    fun: Any,
    jac: Any,
    hess: Any,
    hessp: Any,
    args: tuple[Any, ...],
    squares: Squares | None,
) -> tuple[Any, Any, Any, Any, tuple[Any, ...]]:
    """The functions that a run evaluates, and their arguments; without blocks, the user's."""
    if blocks is None:
        return fun, jac, hess, hessp, args
    hess, hessp = blocks.hessian(hess, hessp, args)
    along = bool(method.needs & GRADIENT) and not method.probes
    if squares is None:
        return *blocks.objective(fun, jac, args, along), hess, hessp, ()
    passes = blocks.summed(SquaresOf(fun, jac, squares.loss, squares.f_scale), args)
    along = along and not isinstance(jac, str)
    return SquaresSum(passes, along, bool(method.needs & HESSIAN)), jac, hess, hessp, ()


@contextmanager
def evaluating(blocks: Blocks | None, workers: Any) -> Iterator[Any]:
    """The map of an evaluator; blocks that it kept are released afterwards."""
    if blocks is None:
        with mapping(workers) as map_:
            yield map_
        return
    try:
        yield at_once
    finally:
        blocks.data.release()
