"""The step rules: how far to go along a direction.

A rule is a file with two functions of a run's memory: `first` places the first trial along a new
direction and returns what to ask there; `judge` decides whether an evaluated trial is accepted, and
otherwise places the next one. A line search is therefore not a loop, and never calls anything.
Trials are projected onto the bounds; a non-finite value is just a bad one. `SCRATCH`, if a file has
it, names the scalars that the rule stores, `rows(n)` is the number of rows it needs, `initial_rate`
is the rate before anything is known, and `settle` processes its own options.

To add a rule, add a file here and a row to `RULES`.
"""

from __future__ import annotations

import functools
from importlib import import_module
from types import ModuleType
from typing import NamedTuple


class StepRule(NamedTuple):
    """A row of the table of step rules."""

    name: str
    """The name in `learning_rate` or a method's `auto`, and of the rule's file."""
    searches: bool = True
    """Whether it chooses the rate along a stored direction; otherwise the kernel takes the step."""
    offered: str = ""
    """The description, if users can select the rule with any method that has a gradient."""
    on_samples: bool = False
    """Whether it compares no values, and so suits mini-batches."""
    proximal: bool = False
    """Whether it suits steps that end with the proximal operator of a penalty."""
    needs: tuple[str, ...] = ()
    """Options that it requires."""
    on_values: str = ""
    """The rule that replaces it if a gradient costs many values."""
    extrapolates: bool = False
    """Whether its points differ from what its steps reached."""
    penalized: str = ""
    """The rule that replaces it with a penalty."""
    rounding: float = 1e-14
    """The relative change in f up to which f counts as unchanged; below 0: any change counts."""

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
