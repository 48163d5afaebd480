"""The formulas, by family, and the registry of all methods."""

from .._method import Method
from .adaptive import adadelta, adagrad, adam, adamw, rmsprop, rmsprop_nesterov, rprop
from .classic import adgd, gd, momentum, nesterov, nesterov_restart, spg
from .curvature import cg_descent, lbfgs, newton
from .derivative_free import random_search

METHODS: dict[str, Method] = {
    method.__name__: method
    for method in (
        gd,
        momentum,
        nesterov,
        adagrad,
        rmsprop,
        rmsprop_nesterov,
        adadelta,
        adam,
        adamw,
        rprop,
        spg,
        adgd,
        nesterov_restart,
        cg_descent,
        lbfgs,
        newton,
        random_search,
    )
}
"""Every method by its name; documentation, tests, comparison and benchmarks follow it."""
