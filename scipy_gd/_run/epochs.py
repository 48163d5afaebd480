"""The data stream: every row once per epoch, in batches, and what happens between epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.bits import VALUE
from .._core.endings import EARLY, NO_LOSS, RUNNING, UNIMPROVED
from .._evaluate.evaluator import Evaluator
from ..arguments import Vector
from .batches import length, sampled_arguments, take


class Epochs:
    """Rows of the data, in a new order for each epoch; the last batch may be short.

    `args` is never modified, and only the rows of a batch are copied from its arrays (those at the
    positions `which`). `order` holds the rows of this epoch; `cursor` counts how many of them have
    been handed out, and how many evaluated. Before the first epoch and after each one, `fun` is
    evaluated on the arguments `held_out`: `losses` has all of these values, `x_best` is the point
    with the lowest, and the stream is `stopped` after `patience` epochs without a lower loss, or
    when the loss is NaN. `planned` is the number of steps requested.
    """

    def __init__(
        self,
        args: tuple[Any, ...],
        size: int,
        rng: np.random.Generator,
        shuffle: bool = True,
        which: Sequence[int] | None = None,
    ) -> None:
        self.args, self.rng, self.shuffle = args, rng, shuffle
        self.which = sampled_arguments(args, which)
        self.rows = length(args[self.which[0]])
        self.size = min(size, self.rows)
        self.order = np.arange(self.rows)
        self.cursor = np.array([self.rows, self.rows])
        self.closed = True
        self.held_out: tuple[Any, ...] | None = None
        self.patience = 2**62
        self.losses: list[float] = []
        self.lowest = 0  # which of them
        self.x_best: Vector | None = None
        self.planned = 2**62

    @property
    def steps(self) -> int:
        """The number of batches per epoch."""
        return -(-self.rows // self.size)

    def hold_out(self, held_out: tuple[Any, ...], patience: int) -> None:
        self.held_out, self.patience = held_out, patience
        self.closed = False  # the start has a loss as well

    @property
    def stopped(self) -> bool:
        if not self.losses:
            return False
        loss = self.losses[-1]
        return loss != loss or len(self.losses) - 1 - self.lowest >= self.patience

    @property
    def ending(self) -> int:
        """The ending that the held-out loss decides; RUNNING if it decides none."""
        if not self.losses:
            return RUNNING
        if np.isnan(self.losses[-1]):
            return NO_LOSS
        if self.lowest == 0 and len(self.losses) > 1:
            return UNIMPROVED
        return EARLY if self.stopped else RUNNING

    @property
    def exhausted(self) -> bool:
        return bool(self.cursor[0] >= self.rows)

    def next(self) -> tuple[Any, ...]:
        """`args` with the rows of the next batch."""
        if self.exhausted:
            if self.shuffle:
                self.order[:] = self.rng.permutation(self.rows)
            self.closed = False
            self.cursor[:] = 0
        begin = int(self.cursor[0])
        end = min(begin + self.size, self.rows)
        self.cursor[0] = end
        rows: Any = self.order[begin:end] if self.shuffle else slice(begin, end)
        return tuple(
            take(each, rows) if k in self.which else each for k, each in enumerate(self.args)
        )

    def commit(self) -> None:
        """The last batch has been evaluated."""
        self.cursor[1] = self.cursor[0]

    def rollback(self) -> None:
        """Use the last batch again as the next one."""
        self.cursor[0] = self.cursor[1]

    def close(self, x: Vector, evaluator: Evaluator) -> None:
        """Evaluate the held-out loss after an epoch that ends at `x`, and before the first one."""
        if self.held_out is not None:
            kept, evaluator.args = evaluator.args, self.held_out
            try:
                loss = evaluator.elsewhere(x, VALUE, np.empty(x.size))
            finally:
                evaluator.args = kept
            if not self.losses or loss < self.losses[self.lowest]:
                self.lowest, self.x_best = len(self.losses), x
            self.losses.append(loss)
        self.closed = True

    def save(self) -> dict[str, Any]:
        return {
            "losses": list(self.losses),
            "x_best": self.x_best,
            "order": self.order.copy(),
            "cursor": self.cursor.copy(),
            "closed": self.closed,
        }

    def load(self, state: Any) -> None:
        order = np.asarray(state["order"])
        if not np.array_equal(np.sort(order), np.arange(self.rows)):
            raise ValueError("`resume` is the state of a run with a different number of rows")
        self.losses, self.x_best = list(state["losses"]), state["x_best"]
        self.lowest = int(np.nanargmin([*self.losses, np.inf]))
        self.order[:], self.closed = order, state["closed"]
        self.cursor[:] = state["cursor"]
