"""The step rules: how far to go along a direction.

A rule is a file with two functions of a run's memory: `first` places the first trial along a new
direction and returns what to ask there; `judge` says of an evaluated trial whether it is accepted,
and if not, has placed the next one. A line search is therefore no loop, and never calls anything.
Trials are projected on the bounds; a value that is not finite is only a bad one. `SCRATCH`, if a
file has it, names the scalars that the rule remembers, `rows(n)` says how many rows it needs,
`initial_rate` is the rate before anything is known, and `settle` takes options of its own.

A new rule is a file here and a row of `RULES`.
"""

from __future__ import annotations

import functools
from importlib import import_module
from types import ModuleType
from typing import NamedTuple


class StepRule(NamedTuple):
    """A row of the table of step rules."""

    name: str
    """What `learning_rate` or a method's `auto` says; the rule's file is named after it."""
    searches: bool = True
    """It chooses the rate along a direction that the formula keeps; else the kernel steps."""
    offered: str = ""
    """What the user is told who may ask for it, with any method that has a gradient."""
    on_samples: bool = False
    """It compares no values, and so suits mini-batches."""
    proximal: bool = False
    """It suits steps that end with the proximal operator of a penalty."""
    needs: tuple[str, ...] = ()
    """Options that it cannot do without."""
    on_values: str = ""
    """The rule that takes its place where a gradient costs many values."""
    extrapolates: bool = False
    """Its points are not what its steps have reached."""
    penalized: str = ""
    """The rule that takes its place with a penalty."""
    rounding: float = 1e-14
    """The relative change of f that does not count as a change; below 0: any is one."""

    @property
    def module(self) -> ModuleType:
        return _module(self.name)


@functools.cache
def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")


RULES = {
    rule.name: rule
    for rule in (
        StepRule("fixed", searches=False, on_samples=True, proximal=True),
        StepRule("keep_best", searches=False),
        StepRule("fifth", searches=False),
        StepRule("armijo", offered="backtracking until f decreases enough", proximal=True),
        StepRule(
            "wolfe",
            offered="a line search that also requires a flatter slope",
            on_values="values",
            rounding=1e-10,
        ),
        StepRule("values"),
        StepRule("trust_region"),
        StepRule("spectral", proximal=True),
        StepRule("bold", proximal=True),
        StepRule("restart", penalized="fista"),
        StepRule("fista", proximal=True, extrapolates=True, rounding=-1.0),
        StepRule(
            "polyak",
            offered="the step that would reach the lowest value of f, given as `target`",
            on_samples=True,
            needs=("target",),
        ),
    )
}
