"""The formulas, by family, and the registry of methods.

To add a method, write its formula and one line here, in the order of the documentation and tables;
exports, tests, comparisons and benchmarks follow. ("as" marks a name as exported for type
checkers.)
"""

# ruff: isort: off
from .._method import Method
from .classic import gd as gd
from .classic import sgd as sgd
from .classic import momentum as momentum
from .classic import nesterov as nesterov
from .adaptive import adagrad as adagrad
from .adaptive import rmsprop as rmsprop
from .adaptive import rmsprop_nesterov as rmsprop_nesterov
from .adaptive import adadelta as adadelta
from .adaptive import adam as adam
from .adaptive import adam_uncorrected as adam_uncorrected
from .adaptive import adamw as adamw
from .adaptive import amsgrad as amsgrad
from .adaptive import nadam as nadam
from .adaptive import adan as adan
from .adaptive import radam as radam
from .adaptive import adamax as adamax
from .adaptive import adabelief as adabelief
from .adaptive import yogi as yogi
from .adaptive import laprop as laprop
from .adaptive import adopt as adopt
from .adaptive import ademamix as ademamix
from .adaptive import adabound as adabound
from .adaptive import swats as swats
from .adaptive import lion as lion
from .adaptive import rprop as rprop
from .classic import spg as spg
from .classic import adgd as adgd
from .tuning_free import dowg as dowg
from .tuning_free import prodigy as prodigy
from .tuning_free import schedule_free_sgd as schedule_free_sgd
from .tuning_free import schedule_free_adamw as schedule_free_adamw
from .classic import nesterov_restart as nesterov_restart
from .curvature import cg_descent as cg_descent
from .curvature import lbfgs as lbfgs
from .curvature import newton as newton
from .curvature import levenberg_marquardt as levenberg_marquardt
from .derivative_free import random_search as random_search
from .derivative_free import spsa as spsa

METHODS: dict[str, Method] = {
    method.__name__: method for method in [*vars().values()] if isinstance(method, Method)
}
"""Every method by name."""
GENERAL: dict[str, Method] = {name: m for name, m in METHODS.items() if not m.residuals}
"""The methods for any function, not only for residuals."""
