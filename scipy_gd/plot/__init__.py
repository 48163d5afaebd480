"""Pictures of runs: paths, convergence, comparisons, schedules, profiles, races, errors, minima.

Every function takes results (of runs with ``options={"history": True}``) or histories, one or
several, draws on the `ax` that it is given or on a new figure, and returns the axes. A method
always looks the same: see `style`. The pictures need matplotlib, ``pip install matplotlib``;
without it they raise ImportError. An argument that cannot be drawn is a TypeError or ValueError
that names it.
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
