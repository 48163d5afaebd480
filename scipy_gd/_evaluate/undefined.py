"""Functions that raise an exception where they are undefined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Undefined:
    """A function of x whose exceptions of some types stand for NaN.

    `like` makes the NaN that replaces its result: `number`, `gradient` or `pair`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        exceptions: tuple[type[Exception], ...],
        like: Callable[[NDArray[Any]], Any],
    ) -> None:
        self.function, self.exceptions, self.like = function, exceptions, like

    def __call__(self, x: NDArray[Any], *args: Any) -> Any:
        try:
            return self.function(x, *args)
        except self.exceptions:
            return self.like(x)


def number(x: NDArray[Any]) -> float:
    return float("nan")


def gradient(x: NDArray[Any]) -> NDArray[np.float64]:
    return np.full(x.size, np.nan)


def pair(x: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
    return number(x), gradient(x)
