"""Gradient descent and its family as plug-in methods for `scipy.optimize.minimize`.

Examples
--------
>>> from scipy.optimize import minimize
>>> from scipy_gd import adam
>>> res = minimize(lambda x: (x[0] - 1)**2 + (x[1] + 2)**2, [0.0, 0.0], method=adam,
...                options={"learning_rate": 0.1})
>>> res.success, res.x.round(3)
(True, array([ 1., -2.]))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._method import Method, elementwise, vector
from .methods import (
    METHODS,
    adabelief,
    adabound,
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    adgd,
    amsgrad,
    cg_descent,
    dowg,
    gd,
    lbfgs,
    lion,
    momentum,
    nadam,
    nesterov,
    nesterov_restart,
    newton,
    prodigy,
    radam,
    random_search,
    rmsprop,
    rmsprop_nesterov,
    rprop,
    schedule_free_adamw,
    schedule_free_sgd,
    sgd,
    spg,
    spsa,
    swats,
    yogi,
)

if TYPE_CHECKING:
    from . import plot, problems, schedules
    from ._run.ask_tell import AskTell, start
    from ._run.line_search import line_search
    from .gradient_check import GradientCheck, GradientError, check_grad
    from .history import History
    from .smoothing import smooth
    from .study.comparison import Comparison, compare
    from .study.sweep import Sweep, sweep

__version__ = "0.1.0"

# Loaded when they are first used: they import Numba or matplotlib, and most runs need neither.
_LAZY = {
    "check_grad": "gradient_check",
    "GradientCheck": "gradient_check",
    "GradientError": "gradient_check",
    "History": "history",
    "line_search": "_run.line_search",
    "start": "_run.ask_tell",
    "AskTell": "_run.ask_tell",
    "compare": "study.comparison",
    "Comparison": "study.comparison",
    "sweep": "study.sweep",
    "Sweep": "study.sweep",
    "plot": "",
    "problems": "",
    "schedules": "",
    "smooth": "smoothing",
}

__all__ = [
    "METHODS",
    "AskTell",
    "Comparison",
    "GradientCheck",
    "GradientError",
    "History",
    "Method",
    "Sweep",
    "adabelief",
    "adabound",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "adgd",
    "amsgrad",
    "cg_descent",
    "check_grad",
    "compare",
    "dowg",
    "elementwise",
    "gd",
    "lbfgs",
    "line_search",
    "lion",
    "momentum",
    "nadam",
    "nesterov",
    "nesterov_restart",
    "newton",
    "plot",
    "problems",
    "prodigy",
    "radam",
    "random_search",
    "rmsprop",
    "rmsprop_nesterov",
    "rprop",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "schedules",
    "sgd",
    "smooth",
    "spg",
    "spsa",
    "start",
    "swats",
    "sweep",
    "vector",
    "yogi",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_LAZY[name] or name}")
    return getattr(module, name) if _LAZY[name] else module


def __dir__() -> list[str]:
    return __all__
