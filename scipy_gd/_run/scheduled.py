"""Scheduled hyper-parameters of one run: their values, and their place in the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import Vector


class Scheduled:
    """A hyper-parameter that follows a schedule.

    Parameters
    ----------
    name : str
        The option.
    schedule : callable
        ``t -> number or array``. One with `needs_value` (reduce_on_plateau) also receives the
        function value, and has a separate memory in every run.
    check : callable
        Checks a value against the limits of the option: ``check(value)``.

    Attributes
    ----------
    slot : ndarray
        The place of the value, one number or a row.
    columns : ndarray
        The same for a compiled loop: `RATE`, the number of a hyper-parameter, or `HYPER` and more,
        counting the elements of `V`.
    told : dict
        The function values passed to a schedule with `needs_value`, by step. Passing them again
        restores its state.
    """

    slot: Vector
    columns: NDArray[np.int64]

    def __init__(self, name: str, schedule: Any, check: Callable[[Any], Any]) -> None:
        self.name, self.schedule, self.check = name, schedule, check
        self.follows_value = bool(getattr(schedule, "needs_value", False))
        self._evaluate = schedule.start() if self.follows_value else lambda t, f: schedule(t)
        self._last: tuple[int, Any] = (0, None)
        self.told: dict[int, float] = {}

    def value(self, t: int, f: float = np.nan) -> Any:
        """The value for step `t`, which starts from a point with the function value `f`.

        Raises
        ------
        TypeError, ValueError
            If the value is invalid for the option; the message names the step.
        """
        if t == self._last[0] and not self.follows_value:
            return self._last[1]  # a line search has several trials in one step
        if self.follows_value:
            self.told[t] = f
        try:
            value = self._evaluate(t, f)
            if isinstance(value, str) or callable(value):
                raise TypeError(f"`{self.name}` must be a number or an array, got {value!r}")
            value = self.check(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{error} (in the schedule, at step {t})") from error
        self._last = t, value
        return value

    def set(self, t: int, f: float) -> None:
        self.slot[:] = self.value(t, f)

    def table(self, first: int, count: int) -> NDArray[np.float64]:
        """The values from step `first` on, shape (count, 1) or (count, n).

        There are fewer if the schedule fails later on; it is called again when that step comes.
        """
        values = np.empty((count, self.columns.size))
        if hasattr(self.schedule, "table"):
            given = self.schedule.table(first, count)
            try:
                self.check(given.min(axis=0))
                self.check(given.max(axis=0))
            except (TypeError, ValueError):
                pass  # which step it is will be found below
            else:
                values[:] = given if given.ndim == 2 else given[:, np.newaxis]
                return values
        for k in range(count):
            try:
                values[k] = self.value(first + k)
            except (TypeError, ValueError):
                if k == 0:
                    raise
                return values[:k]
        return values
