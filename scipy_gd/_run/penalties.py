"""What can be combined with a penalty (see ``scipy_gd/prox.py``), and what cannot."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.steps import RULES, StepRule
from .._evaluate.gradients import Box
from .._formula import Formula
from .._options import PROXIMAL
from ..arguments import Vector, shown
from ..prox import Penalty

APART = ("x_scale", "clip_value", "clip_norm", "residuals")
"""Options that would change what is minimized."""


def admitted(method: Formula, opts: dict[str, Any], box: Box, x: Vector) -> Vector:
    """The starting point for these options: within the sets of the penalty and the bounds.

    Raises
    ------
    ValueError
        If the penalty does not suit the method, an option or the bounds.
    """
    penalty: Penalty | None = opts["penalty"]
    if penalty is not None:
        _refuse(method, opts, box, penalty)
        x = penalty.projected(x)
    if box is None:
        return x
    x = np.clip(x, *box)
    if penalty is not None and not np.array_equal(penalty.projected(x), x):
        raise ValueError("`bounds` and the sets of `penalty` have no point in common")
    return x


def _refuse(method: Formula, opts: dict[str, Any], box: Box, penalty: Penalty) -> None:
    if not method.proximal:
        raise ValueError(
            f"`penalty` cannot be used with {method.__name__}, which takes no proximal steps: use "
            f"{PROXIMAL}"
        )
    for name in APART:
        if not (opts[name] is None or opts[name] is False):
            raise ValueError(f"`penalty` cannot be combined with `{name}`")
    if opts.get("dampening"):
        raise ValueError("`penalty` cannot be combined with `dampening`")
    if box is not None and not penalty.separable:
        raise ValueError(
            "`bounds` need a `penalty` that is separable (one term per parameter), got "
            f"{shown(penalty)}"
        )


def refuse_rates(
    method: Formula, rule: StepRule, arrays: tuple[str, ...], opts: dict[str, Any]
) -> None:
    """Reject rates per parameter: a step has one length, that of the proximal operator."""
    if "learning_rate" in arrays:
        raise ValueError("`penalty` needs a single `learning_rate` for all parameters")
    if not rule.proximal or (method.velocity and rule is RULES["armijo"]):
        raise ValueError(
            f"`learning_rate={opts['learning_rate']!r}` cannot be combined with a `penalty` for "
            f"{method.__name__}: use a number or a schedule, or leave it out"
        )
