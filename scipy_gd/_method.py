"""Turn a formula into a method for SciPy's `method=`, with `@elementwise` or `@vector`."""

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
    """Explain how to preset options when a method is called with options alone, like a class."""

    @functools.wraps(call)
    def checked(method: Method, *args: Any, **named: Any) -> Any:
        if not (len(args) > 1 or "x0" in named):
            name = method.__name__
            preset = "".join(f", {k}={v!r}" for k, v in named.items() if k not in _CALL)
            raise TypeError(
                f"{name} needs `fun` and `x0`; to set options beforehand, use "
                f"functools.partial({name}{preset})"
            )
        return call(method, *args, **named)

    return checked  # type: ignore[return-value]


@dataclass(frozen=True, eq=False, repr=False)
class Method(Formula):
    """A gradient descent method, for ``scipy.optimize.minimize(fun, x0, method=...)``.

    Created by the decorators `elementwise` and `vector`. A method is immutable and holds no state
    of any run, so it can be shared between threads, and pickled (by name).

    Attributes
    ----------
    formula : callable
        The update rule, as written; you can call and read it.
    elementwise : bool
        Whether the formula is written for scalars rather than vectors.
    summary, notes, references : str
        The formula's docstring: its first line, the rest, and the papers.
    source : str
        The formula as text, without decorator and docstring.
    supplied, states, memory : tuple of str
        The arguments that the formula is given; the state vectors, and the matrices of past steps,
        that it keeps.
    learning_rate : "auto" or float
        The default.
    constant : float or None
        The published learning rate.
    auto : str or None
        The step rule behind ``learning_rate="auto"``.
    hyper : mapping
        The hyper-parameters and their defaults.
    options : mapping
        Every option by name, including the hyper-parameters: an `Option` with `doc`, `default` and
        more; `own` is True for hyper-parameters.
    needs : int
        What a step requires, as bits: 1 the value, 2 the gradient, 4 the Hessian, 8 random noise.
    unit, c2, init, preconditioner, average, penalty, probes, residuals, proximal, velocity, pace, \
example
        As declared; see `elementwise` and `vector`.

    Raises
    ------
    TypeError
        If the signature breaks the rules, or the formula assigns to a hyper-parameter.

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
                f"{sorted(taken)} in the formula {self.__name__!r} are options of every method"
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
    """An attribute computed from a method when it is read; the class has its own, or none."""

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
    """Declare a formula written for scalars: the same for every parameter.

    Parameters
    ----------
    learning_rate : float, optional
        The published learning rate, used if the objective is sampled or `auto` is None.
    auto : str or None
        The step rule behind ``learning_rate="auto"``, which is then the default. "spectral" suits
        directions proportional to the gradient, "bold" those of about unit length; see
        ``_core/steps`` for the others.
    hyper : mapping, optional
        The meanings and limits of the hyper-parameters: an `Option` for each. Not needed for those
        with a common meaning (`momentum`, `beta1`, `beta2`, `rho`, `eps`, `weight_decay`).
    init : mapping, optional
        Initial values of state vectors that do not start at 0.
    preconditioner : str, optional
        The local variable by which the formula divides the gradient; it defines the metric of
        automatic step sizes.
    average : str, optional
        The state that is the formula's own average of the iterates. A run on mini-batches returns
        it instead of the last iterate.
    penalty : str, optional
        The hyper-parameter w with which the formula minimizes ``f(x) + w/2 |x|^2``, by adding
        ``w * x`` to the gradient. If f is not sampled, its value and gradient include the penalty,
        so that step rules and convergence tests see what is minimized, and the formula is given w =
        0.
    probes : bool
        Whether the gradient is estimated from two values on either side of x, by simultaneous
        perturbation. The hyper-parameters `c` and `gamma` set the distance.
    proximal : bool
        Whether the method accepts a `penalty`: its direction is the gradient, apart from momentum.
    velocity : str, optional
        The state that is the last step in units of the learning rate. With a `penalty`, it is set
        to the step actually taken.
    example : mapping, optional
        Options for the example in the documentation.

    Returns
    -------
    callable
        A decorator that turns a formula into a `Method`.

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
    """Declare a formula written for vectors, with norms, dot products or matrices.

    A scalar state is returned as a number, and is found in every element of its vector.

    Parameters
    ----------
    learning_rate, auto, hyper, init, preconditioner, average, example
        As for `elementwise`.
    unit : bool
        Whether the direction comes with a length, like Newton's, so that line searches try 1 first.
    c2 : float
        The slope condition of "wolfe"; below 1/2, for the absolute value (strong Wolfe).
    memory : tuple of str
        State matrices with `maxcor` rows (a hyper-parameter), which the formula modifies in place
        and does not return.
    residuals : bool
        Whether the objective is half a sum of squares, and `fun` returns the residuals.
    proximal : bool
        As for `elementwise`.
    pace : str, optional
        The scalar state by which the formula multiplies the gradient.

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
