"""From a formula to a method, by `@elementwise` or `@vector`: what SciPy takes as `method=`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _options
from ._docs import documentation
from ._formula import Formula
from .arguments import Option

if TYPE_CHECKING:
    from scipy.optimize._minimize import OptimizeResult  # the one that `minimize` returns

NOTHING: Mapping[str, Any] = MappingProxyType({})
Call = TypeVar("Call", bound=Callable[..., Any])


def _no_class(call: Call) -> Call:
    """A method called like a class, with options alone, says how that is done."""

    @functools.wraps(call)
    def checked(method: Method, *args: Any, **named: Any) -> Any:
        if not (len(args) > 1 or "x0" in named):
            name = method.__name__
            preset = "".join(f", {k}={v!r}" for k, v in named.items() if k not in _CALL)
            raise TypeError(
                f"{name} needs `fun` and `x0`; to set options beforehand, make a "
                f"functools.partial({name}{preset})"
            )
        return call(method, *args, **named)

    return checked  # type: ignore[return-value]


@dataclass(frozen=True, eq=False, repr=False)
class Method(Formula):
    """A gradient descent method: ``scipy.optimize.minimize(fun, x0, method=this)``.

    Made by the decorators `elementwise` and `vector`. Immutable, and without the state of any run:
    it may be shared between threads, and pickled (by name).

    Attributes
    ----------
    formula : callable
        The update rule, as given; it can be called and read.
    elementwise : bool
        Whether it is written on scalars, or on vectors.
    summary, notes, references : str
        The formula's docstring: the first line, what follows, and the papers.
    source : str
        The formula as text, without decorator and docstring.
    supplied, states, memory : tuple of str
        What the formula is given; the state vectors, and the matrices of past steps, that it keeps.
    learning_rate : "auto" or float
        The default.
    constant : float or None
        The published learning rate.
    auto : str or None
        The step rule behind ``learning_rate="auto"``.
    hyper : mapping
        The hyper-parameters and their defaults.
    options : mapping
        Every option by its name, hyper-parameters included: an `Option` with `doc`, `default` and
        more; `own` is True for the hyper-parameters.
    needs : int
        What the machine must be told for a step, as bits: 1 the value, 2 the gradient, 4 the
        Hessian; 8 stands for noise.
    unit, c2, init, preconditioner, average, penalty, probes, residuals, proximal, velocity, pace, \
example
        As declared; see `elementwise` and `vector`.

    Raises
    ------
    TypeError
        If the signature does not follow the rules, or a hyper-parameter is assigned to.

    Examples
    --------
    >>> from scipy_gd import adam
    >>> adam
    <method adam(learning_rate='auto', beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0)>
    >>> adam.states, adam.constant, adam.options["beta1"].doc
    (('m', 'v'), 0.001, 'Decay rate of the running average of the gradients, in [0, 1).')
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if taken := {*self.hyper} & {*_options.COMMON, *_CALL}:
            raise TypeError(
                f"{sorted(taken)} of the formula {self.__name__!r} are options of every method"
            )

    @_no_class
    def __call__(
        self,
        fun: Callable[..., Any],
        x0: Any,
        args: Any = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Callable[..., Any] | None = None,
        **options: Any,
    ) -> OptimizeResult:
        given = fun, x0, args, jac, hess, hessp, bounds, constraints, callback, options
        return _minimize()(self, *given)

    @functools.cached_property
    def options(self) -> Mapping[str, Option]:
        return _options.of(self)

    def __get__(self, instance: Any, owner: Any = None) -> Method:
        return self  # a routine, to `help`; and no bound method, as an attribute of a class

    def __repr__(self) -> str:
        values = {"learning_rate": self.learning_rate} | dict(self.hyper)
        return f"<method {self.__name__}({', '.join(f'{k}={v!r}' for k, v in values.items())})>"

    def __reduce__(self) -> str:
        return self.__name__


@functools.cache
def _minimize() -> Callable[..., OptimizeResult]:
    from ._run.minimize import minimize  # it brings Numba, which an import must not wait for

    return minimize


_CALL = dict([*inspect.signature(Method.__call__).parameters.items()][:-1])


def _signature(method: Method) -> inspect.Signature:
    """SciPy's arguments, then every option with its default."""
    call = [*_CALL.values()][1:]
    kind = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(k, kind, default=o.default) for k, o in method.options.items()]
    return inspect.Signature([*call, *options])


class _Made:
    """What is made of a method when it is read; the class has its own, or none."""

    def __init__(self, make: Callable[[Method], Any], own: Any = None) -> None:
        self.make, self.own = make, own

    def __get__(self, method: Method | None, owner: Any = None) -> Any:
        if method is not None:
            return self.make(method)
        if self.own is None:
            raise AttributeError
        return self.own


Method.__doc__ = _Made(documentation, Method.__doc__)  # type: ignore[assignment]
Method.__signature__ = _Made(_signature)  # type: ignore[attr-defined]


def elementwise(
    *,
    learning_rate: float | None = None,
    auto: str | None = "spectral",
    hyper: Mapping[str, Option] = NOTHING,
    init: Mapping[str, float] = NOTHING,
    preconditioner: str | None = None,
    average: str | None = None,
    penalty: str | None = None,
    probes: bool = False,
    proximal: bool = False,
    velocity: str | None = None,
    example: Mapping[str, Any] = NOTHING,
) -> Callable[[Callable[..., Any]], Method]:
    """Declare a formula that is written on scalars: the same for every parameter.

    Parameters
    ----------
    learning_rate : float, optional
        The published learning rate, used where the objective is sampled, or if `auto` is None.
    auto : str or None
        The step rule behind ``learning_rate="auto"``, which is then the default. "spectral" suits
        directions in proportion to the gradient, "bold" those of about unit length; the others are
        in ``_core/steps``.
    hyper : mapping, optional
        What the hyper-parameters mean, and their limits: an `Option` for each. Not needed for those
        with a common meaning (`momentum`, `beta1`, `beta2`, `rho`, `eps`, `weight_decay`).
    init : mapping, optional
        Start values of state vectors that do not start at 0.
    preconditioner : str, optional
        The local variable that the formula divides the gradient by: automatic step sizes measure
        in its metric.
    average : str, optional
        The state that is the formula's own average of the iterates: what a run on mini-batches
        returns, in place of the last iterate.
    penalty : str, optional
        The hyper-parameter w with which the formula minimises ``f(x) + w/2 |x|^2``, by adding ``w *
        x`` to the gradient. Where f is not sampled, its value and gradient come with the penalty,
        so that step rules and tests see what is minimised; the formula is given 0 for w.
    probes : bool
        Whether the gradient is estimated from two values on both sides of x, by simultaneous
        perturbation. The hyper-parameters `c` and `gamma` say how far away they are.
    proximal : bool
        Whether the method takes a `penalty`: its direction is the gradient, but for a momentum.
    velocity : str, optional
        The state that is the last step in units of the learning rate. With a `penalty` it becomes
        the step that was made.
    example : mapping, optional
        Options for the example in the documentation.

    Returns
    -------
    callable
        A decorator that makes a `Method` of a formula.

    Examples
    --------
    Gradient descent by the sign of the gradient, in full:

    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> from scipy_gd import elementwise
    >>> @elementwise(learning_rate=0.5, auto=None)
    ... def sign_descent(g):
    ...     return np.sign(g)
    >>> sign_descent
    <method sign_descent(learning_rate=0.5)>
    """
    return lambda formula: Method(
        formula,
        elementwise=True,
        constant=learning_rate,
        auto=auto,
        meanings=hyper,
        init=init,
        preconditioner=preconditioner,
        average=average,
        penalty=penalty,
        probes=probes,
        proximal=proximal,
        velocity=velocity,
        example=example,
    )


def vector(
    *,
    learning_rate: float | None = None,
    auto: str | None = "spectral",
    unit: bool = False,
    c2: float = 0.9,
    memory: tuple[str, ...] = (),
    hyper: Mapping[str, Option] = NOTHING,
    init: Mapping[str, float] = NOTHING,
    preconditioner: str | None = None,
    average: str | None = None,
    residuals: bool = False,
    proximal: bool = False,
    pace: str | None = None,
    example: Mapping[str, Any] = NOTHING,
) -> Callable[[Callable[..., Any]], Method]:
    """Declare a formula that is written on vectors: it needs norms, dot products or matrices.

    A state that is one number is returned as a number, and found in every element of its vector.

    Parameters
    ----------
    learning_rate, auto, hyper, init, preconditioner, average, example
        As for `elementwise`.
    unit : bool
        Whether the direction comes with its length, as Newton's: line searches first try 1.
    c2 : float
        What "wolfe" wants of the slope; below 1/2, of its absolute value.
    memory : tuple of str
        State matrices of `maxcor` rows (a hyper-parameter), which the formula changes in place and
        does not return.
    residuals : bool
        Whether its objective is half of a sum of squares, and `fun` returns the residuals.
    proximal : bool
        As for `elementwise`.
    pace : str, optional
        The state that is one number, by which the direction is longer than the gradient.

    Returns
    -------
    callable
        A decorator that makes a `Method` of a formula.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy_gd import vector
    >>> @vector(learning_rate=0.5)
    ... def normalized(g):
    ...     return g / np.sqrt(np.sum(g * g))
    >>> normalized
    <method normalized(learning_rate='auto')>
    """
    return lambda formula: Method(
        formula,
        constant=learning_rate,
        auto=auto,
        unit=unit,
        c2=c2,
        memory=memory,
        meanings=hyper,
        init=init,
        preconditioner=preconditioner,
        average=average,
        residuals=residuals,
        proximal=proximal,
        pace=pace,
        example=example,
    )
