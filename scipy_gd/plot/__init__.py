"""Plots of runs: paths, convergence, comparisons, schedules, profiles, races, errors, minima.

Every function takes one or several results (of runs with ``options={"history": True}``) or
histories, draws on the given `ax` or on a new figure, and returns the axes. A method always looks
the same; see `style`. Plots require matplotlib, ``pip install matplotlib``; without it, they raise
ImportError. An argument that cannot be drawn raises a TypeError or ValueError that names it.
"""

from ._animation import animate
from ._comparison import comparison
from ._curves import convergence, schedules, sensitivity
from ._gradient_check import gradient_check
from ._landscape import path, slice
from ._multistart import multistart
from ._profiles import data_profile, performance_profile
from ._style import style
from ._uncertainty import uncertainty

__all__ = [
    "animate",
    "comparison",
    "convergence",
    "data_profile",
    "gradient_check",
    "multistart",
    "path",
    "performance_profile",
    "schedules",
    "sensitivity",
    "slice",
    "style",
    "uncertainty",
]
