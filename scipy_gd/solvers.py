"""Solvers as users name them: ours, SciPy's and anyone else's, each with its options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .methods import GENERAL, METHODS

__all__ = ["SCIPY", "USUAL", "Solver", "as_solvers", "label_of"]

SCIPY: dict[str, tuple[str, ...]] = {
    "Nelder-Mead": ("maxiter", "maxfev", "xatol", "fatol"),
    "BFGS": ("maxiter", "gtol"),
    "Newton-CG": ("maxiter", "xtol"),
    "CG": ("maxiter", "gtol"),
    "L-BFGS-B": ("maxiter", "maxfun", "gtol", "ftol"),
    "TNC": ("maxfun", "gtol", "ftol", "xtol"),
    "SLSQP": ("maxiter", "ftol"),
    "Powell": ("maxiter", "maxfev", "ftol", "xtol"),
    "COBYLA": ("maxiter",),
    "COBYQA": ("maxiter", "maxfev"),
    "trust-constr": ("maxiter", "gtol", "xtol"),
    "dogleg": ("maxiter", "gtol"),
    "trust-ncg": ("maxiter", "gtol"),
    "trust-exact": ("maxiter", "gtol"),
    "trust-krylov": ("maxiter", "gtol"),
}
"""SciPy's methods, with their options for budgets, the gradient test and other stops."""
USUAL = ("Nelder-Mead", "BFGS", "Newton-CG", "CG", "L-BFGS-B")
"""The SciPy methods that a comparison includes by default."""
CONTRACT = ("fun", "x0", "args", "jac", "hess", "hessp", "bounds", "constraints", "callback")


@dataclass(frozen=True)
class Solver:
    """A method for `scipy.optimize.minimize`, with its label and options."""

    label: str
    method: str | Callable[..., Any]
    options: Mapping[str, Any]

    @property
    def preset(self) -> Mapping[str, Any]:
        """The options fixed by `functools.partial`."""
        return self.method.keywords if isinstance(self.method, partial) else {}

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        return {} if isinstance(self.method, str) else inspect.signature(self.method).parameters

    @property
    def second_order(self) -> bool:
        """Whether it may use a Hessian; our methods say so."""
        method = self.method.func if isinstance(self.method, partial) else self.method
        return "hess" in getattr(method, "supplied", ("hess",))

    def takes(self, option: str) -> bool:
        """Whether the solver knows an option that is not set yet."""
        if option in self.options or option in self.preset:
            return False
        if isinstance(self.method, str):  # SciPy warns about those it does not know
            return True
        anything = any(p.kind is p.VAR_KEYWORD for p in self.parameters.values())
        return option not in CONTRACT and (anything or option in self.parameters)

    def with_options(self, limits: Mapping[str, Any], common: Mapping[str, Any]) -> Solver:
        """Add the limits that the solver knows and the common options; its own take precedence."""
        if isinstance(self.method, str):
            known = set(SCIPY[self.method])
        else:
            known = {"maxiter", "gtol", "rng"} & self.parameters.keys()
        options = {k: v for k, v in limits.items() if k in known} | dict(common)
        still_open = {k: v for k, v in options.items() if k not in self.preset}
        return replace(self, options=still_open | dict(self.options))


def as_solvers(methods: Any) -> list[Solver]:
    """The solvers that `methods` stands for, each with its own label.

    Parameters
    ----------
    methods : method, iterable or dict from label to method, optional
        A method is a callable (ours, a `functools.partial` preset, or anyone's) or a name, ours or
        SciPy's; in a sequence, also a tuple ``(label, method)`` or ``(label, method, options)``.
        Default: all of ours and the `USUAL` ones of SciPy's.

    Raises
    ------
    TypeError, ValueError
        If `methods` is anything else, a name is unknown, or two labels are the same.

    Examples
    --------
    >>> from scipy_gd.solvers import as_solvers
    >>> [solver.label for solver in as_solvers(["adam", "bfgs", ("quick", "lbfgs")])]
    ['adam', 'BFGS', 'quick']
    """
    if methods is None:
        methods = [*GENERAL.values(), *USUAL]
    elif isinstance(methods, str) or callable(methods):
        methods = [methods]
    elif not isinstance(methods, Iterable):
        raise TypeError(f"`methods` must be a method or a sequence of methods, got {methods!r}")
    found: dict[str, Solver] = {}
    for entry in methods.items() if isinstance(methods, Mapping) else methods:
        parts = entry if isinstance(entry, tuple) else (None, entry)
        if len(parts) not in (2, 3) or not isinstance(parts[-1] if parts[2:] else {}, Mapping):
            raise TypeError(
                "a tuple in `methods` must be (label, method) or (label, method, dict of options), "
                f"got {entry!r}"
            )
        label, method, options = (*parts, {})[:3]
        method = _method(method)
        label = label or label_of(method)
        if label in found:
            raise ValueError(f"`methods` must have different labels, got {label!r} twice")
        found[label] = Solver(label, method, options)
    if not found:
        raise ValueError("`methods` must contain at least one method, got none")
    return list(found.values())


def _method(given: Any) -> str | Callable[..., Any]:
    if callable(given):
        return given  # type: ignore[no-any-return]
    if not isinstance(given, str):
        raise TypeError(f"a method must be a callable or a name, got {given!r}")
    known: dict[str, Any] = {name.lower(): name for name in SCIPY} | METHODS
    found = known.get(given) or known.get(given.lower())
    if found is None:
        raise ValueError(
            f"`methods` must be among those of scipy_gd ({', '.join(METHODS)}) or SciPy "
            f"({', '.join(SCIPY)}), got {given!r}"
        )
    return found  # type: ignore[no-any-return]


def label_of(method: Any) -> str:
    """The label of a method: its name, with the options fixed by `functools.partial`."""
    if isinstance(method, partial):
        options = ", ".join(f"{name}={value!r}" for name, value in method.keywords.items())
        return f"{label_of(method.func)}({options})"
    return method if isinstance(method, str) else getattr(method, "__name__", repr(method))
