"""The formulas, by family, and the registry of all methods."""

from .._method import Method
from .adaptive import (
    adabelief,
    adabound,
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    amsgrad,
    lion,
    nadam,
    radam,
    rmsprop,
    rmsprop_nesterov,
    rprop,
    swats,
    yogi,
)
from .classic import adgd, gd, momentum, nesterov, nesterov_restart, spg
from .curvature import cg_descent, lbfgs, newton
from .derivative_free import random_search
from .tuning_free import dowg, prodigy, schedule_free_adamw, schedule_free_sgd

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
        amsgrad,
        nadam,
        radam,
        adamax,
        adabelief,
        yogi,
        adabound,
        swats,
        lion,
        rprop,
        spg,
        adgd,
        dowg,
        prodigy,
        schedule_free_sgd,
        schedule_free_adamw,
        nesterov_restart,
        cg_descent,
        lbfgs,
        newton,
        random_search,
    )
}
"""Every method by its name; documentation, tests, comparison and benchmarks follow it."""
