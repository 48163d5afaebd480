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

from typing import TYPE_CHECKING, Any

from ._method import Method as Method
from ._method import elementwise as elementwise
from ._method import vector as vector
from .arguments import Option as Option
from .methods import METHODS as METHODS

__version__ = "0.1.0"

if TYPE_CHECKING:  # what is exported, for type checkers
    from . import plot as plot
    from . import problems as problems
    from . import prox as prox
    from . import schedules as schedules
    from ._run.ask_tell import AskTell as AskTell
    from ._run.ask_tell import start as start
    from ._run.line_search import line_search as line_search
    from ._run.many import minimize_many as minimize_many
    from ._run.many_result import ManyResult as ManyResult
    from .error_bars import Uncertainty as Uncertainty
    from .error_bars import uncertainty as uncertainty
    from .gradient_check import GradientCheck as GradientCheck
    from .gradient_check import GradientError as GradientError
    from .gradient_check import check_grad as check_grad
    from .history import History as History
    from .many_starts import MultistartResult as MultistartResult
    from .many_starts import multistart as multistart
    from .methods import *
    from .smoothing import smooth as smooth
    from .study.comparison import Comparison as Comparison
    from .study.comparison import compare as compare
    from .study.sweep import Sweep as Sweep
    from .study.sweep import sweep as sweep
else:  # and at run time: methods by the registry, and when they are first used, since they import
    # Numba or matplotlib and most runs need neither, the rest
    from importlib import import_module

    _LAZY = {
        "check_grad": "gradient_check",
        "GradientCheck": "gradient_check",
        "GradientError": "gradient_check",
        "History": "history",
        "line_search": "_run.line_search",
        "minimize_many": "_run.many",
        "ManyResult": "_run.many_result",
        "start": "_run.ask_tell",
        "AskTell": "_run.ask_tell",
        "compare": "study.comparison",
        "Comparison": "study.comparison",
        "sweep": "study.sweep",
        "Sweep": "study.sweep",
        "multistart": "many_starts",
        "MultistartResult": "many_starts",
        "plot": "",
        "problems": "",
        "prox": "",
        "schedules": "",
        "smooth": "smoothing",
        "uncertainty": "error_bars",
        "Uncertainty": "error_bars",
    }
    globals().update(METHODS)
    __all__ = sorted(["METHODS", "Method", "Option", "elementwise", "vector", *METHODS, *_LAZY])

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_LAZY[name] or name}")
        return getattr(module, name) if _LAZY[name] else module

    def __dir__() -> list[str]:
        return __all__
