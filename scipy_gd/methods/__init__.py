"""The formulas, by family, and the registry of all methods."""

from .._method import Method
from .adaptive import adadelta, adagrad, adam, adamw, rmsprop, rmsprop_nesterov
from .classic import gd, momentum, nesterov
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
        random_search,
    )
}
"""Every method by its name; documentation, tests, comparison and benchmarks follow it."""
