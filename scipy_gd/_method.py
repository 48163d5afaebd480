"""From a formula to a method: `@elementwise` and `@vector` turn one into a SciPy `method=`.

The signature is the declaration. Positional names are what the machine supplies (`SUPPLIED`) or,
all others, state vectors; keyword-only names are hyper-parameters with their defaults. The formula
returns the direction d and then its states; the machine steps to ``x - learning_rate * d``.
"""

from __future__ import annotations

import ast
import builtins
import dis
import functools
import inspect
import textwrap
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import _options
from ._core.bits import GRADIENT, HESSIAN, HYPER, NOISE, VALUE

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

SUPPLIED = {
    "x": "the parameters",
    "f": "the value of the function",
    "g": "the gradient",
    "t": "the number of the step: 1.0, 2.0, ...",
    "x_old": "the parameters before the last step",
    "g_old": "the gradient there",
    "free": "1 where the parameter may move, 0 where a bound holds it, for vector formulas",
    "hess": "the Hessian, shape (n, n), for vector formulas",
    "z": "standard normal noise",
}
AUTO = ("fixed", "fifth", "armijo", "wolfe", "spectral", "bold", "restart")


class Method:
    """A gradient descent method: ``scipy.optimize.minimize(fun, x0, method=this)``.

    Made by the decorators `elementwise` and `vector`. Immutable, without any state of a run: it may
    be shared between threads and pickled (by name).

    Parameters
    ----------
    formula : callable
        The update rule.
    elementwise : bool
        Whether the formula is written on scalars, or on vectors.
    learning_rate, auto, unit, c2, init, memory, probes, example
        As for `elementwise` and `vector`.

    Attributes
    ----------
    formula : callable
        As given; it can be called and read.
    supplied, states : tuple of str
        What the formula is given, and the state vectors it keeps.
    hyper : dict
        The hyper-parameters and their defaults.
    needs : int
        What the machine must be told for a step, as bits.

    Raises
    ------
    TypeError
        If the signature does not follow the rules, or a hyper-parameter is assigned to.

    Examples
    --------
    >>> from scipy_gd import adam
    >>> adam
    <method adam(learning_rate='auto', beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0)>
    >>> adam.states
    ('m', 'v')
    """

    def __init__(
        self,
        formula: Callable[..., Any],
        *,
        elementwise: bool,
        learning_rate: float | None = None,
        auto: str | None = None,
        unit: bool = False,
        c2: float = 0.9,
        init: Mapping[str, float] | None = None,
        memory: tuple[str, ...] = (),
        probes: bool = False,
        example: Mapping[str, Any] | None = None,
    ) -> None:
        parameters = inspect.signature(formula).parameters.values()
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.formula = formula
        self.elementwise = elementwise
        self.learning_rate: Any = "auto" if auto else learning_rate
        self.constant = learning_rate
        self.auto, self.unit, self.c2 = auto, unit, c2
        self.supplied = tuple(name for name in positional if name in SUPPLIED)
        self.memory, self.probes = memory, probes
        self.states = tuple(n for n in positional if n not in SUPPLIED and n not in memory)
        self.preconditioned = "P" in formula.__code__.co_varnames
        hyper = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        self.hyper = MappingProxyType(hyper)
        self.init = dict(init or {})
        has = self.supplied.__contains__
        self.needs = VALUE | GRADIENT * has("g") | HESSIAN * has("hess") | NOISE * has("z")
        self.example = dict(example or {})
        self.__name__ = self.__qualname__ = formula.__name__
        self.__module__ = formula.__module__
        _check_declaration(self, len(parameters))
        self.__signature__ = _signature(self)

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
        return _run()(self, fun, x0, args, jac, hess, hessp, bounds, constraints, callback, options)

    def __get__(self, instance: Any, owner: Any = None) -> Method:
        return self  # a routine, to `help`; and no bound method, as an attribute of a class

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self, "__signature__"):
            raise AttributeError(f"{self!r} is immutable")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        values = {"learning_rate": self.learning_rate} | self.hyper
        return f"<method {self.__name__}({', '.join(f'{k}={v!r}' for k, v in values.items())})>"

    def __reduce__(self) -> str:
        return self.__qualname__


@functools.cache
def _run() -> Callable[..., OptimizeResult]:
    from ._run.minimize import (
        run,  # Numba comes with it: importing the package must not wait for that
    )

    return run


class _Documentation:
    """The docstring: the class has its own, and every method one that is made when it is read."""

    def __init__(self, own: str | None) -> None:
        self.own = own

    def __get__(self, method: Method | None, owner: Any = None) -> str | None:
        return self.own if method is None else documentation(method)


Method.__doc__ = _Documentation(Method.__doc__)  # type: ignore[assignment]


def elementwise(
    *,
    learning_rate: float | None = None,
    auto: str | None = "spectral",
    init: Mapping[str, float] | None = None,
    probes: bool = False,
    example: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Method]:
    """Declare a formula that is written on scalars: the same for every parameter.

    A formula that divides by a preconditioner names it `P`: automatic step sizes measure in its
    metric.

    Parameters
    ----------
    learning_rate : float, optional
        The published learning rate, used where the objective is sampled, or if `auto` is None.
    auto : {"spectral", "bold", "armijo", "wolfe", "fixed", "fifth", "restart"} or None
        The step rule behind ``learning_rate="auto"``, which is then the default. "spectral" suits
        directions in proportion to the gradient, "bold" those of about unit length.
    init : mapping, optional
        Start values of state vectors that do not start at 0.
    probes : bool
        Whether the gradient is estimated from two values on both sides of x, by simultaneous
        perturbation; hyper-parameters `c` and `gamma` say how far away they are.
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
        learning_rate=learning_rate,
        auto=auto,
        init=init,
        probes=probes,
        example=example,
    )


def vector(
    *,
    learning_rate: float | None = None,
    auto: str | None = "spectral",
    unit: bool = False,
    c2: float = 0.9,
    init: Mapping[str, float] | None = None,
    memory: tuple[str, ...] = (),
    example: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], Method]:
    """Declare a formula that is written on vectors: it needs norms, dot products or matrices.

    A state that is one number is returned as a number, and found in every element of its vector.

    Parameters
    ----------
    learning_rate, auto, init, example
        As for `elementwise`.
    unit : bool
        Whether the direction comes with its length, as Newton's: line searches first try 1.
    c2 : float
        What "wolfe" wants of the slope; below 1/2, of its absolute value.
    memory : tuple of str
        State matrices of `maxcor` rows (a hyper-parameter), which the formula changes in place and
        does not return.

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
        elementwise=False,
        learning_rate=learning_rate,
        auto=auto,
        unit=unit,
        c2=c2,
        init=init,
        memory=memory,
        example=example,
    )


def _check_declaration(method: Method, parameters: int) -> None:
    name = method.__name__
    names = (*method.supplied, *method.states, *method.memory, *method.hyper)
    if len(names) != parameters:
        raise TypeError(f"the formula {name!r} must not have *args, ** or positional-only names")
    code = method.formula.__code__
    if name == "<lambda>" or code.co_freevars:
        raise TypeError(
            f"the formula {name!r} must be a function with a name that refers to no variable of an "
            f"enclosing function{', but to ' * bool(code.co_freevars)}{', '.join(code.co_freevars)}"
        )
    hidden = [n for n in code.co_varnames if n.startswith("_") or n in ("carray", *dir(builtins))]
    if hidden:
        raise TypeError(
            f"{hidden} in the formula {name!r}: names must not start with an underscore or hide a "
            "builtin"
        )
    if max(len(method.hyper), len(method.states)) > HYPER:
        raise TypeError(f"the formula {name!r} has more than {HYPER} hyper-parameters or states")
    if method.auto not in (None, *AUTO):
        raise ValueError(f"`auto` of {name!r} must be None or one of {AUTO}, got {method.auto!r}")
    if method.auto in (None, "fixed") and method.constant is None:
        raise TypeError(f"the formula {name!r} needs a `learning_rate`")
    taken = set(method.hyper) & {*_options.COMMON, *inspect.signature(Method.__call__).parameters}
    if taken:
        raise TypeError(f"{sorted(taken)} of the formula {name!r} are options of every method")
    for hyper, default in method.hyper.items():
        if isinstance(default, bool) or not isinstance(default, int | float):
            raise TypeError(f"hyper-parameter {hyper!r} of {name!r} must have a number as default")
    if unknown := set(method.init) - set(method.states):
        raise TypeError(f"`init` of {name!r} names {sorted(unknown)}, which are no states")
    for line in dis.get_instructions(method.formula):
        if line.opname.startswith("STORE_FAST"):
            stored = line.argval if isinstance(line.argval, tuple) else (line.argval,)
            stored = stored[:1] if line.opname.endswith("LOAD_FAST") else stored
            if taken := set(stored) & {*method.hyper, "t", "f"}:
                raise TypeError(f"{taken.pop()!r} of the formula {name!r} is assigned to")


def _signature(method: Method) -> inspect.Signature:
    """SciPy's arguments, then every option with its default."""
    call = list(inspect.signature(Method.__call__).parameters.values())[1:-1]
    own = {"learning_rate": method.learning_rate} | method.hyper
    common = {k: o.default for k, o in _options.COMMON.items() if k not in own}
    kind = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(k, kind, default=v) for k, v in (own | common).items()]
    return inspect.Signature([*call, *options])


# --- documentation: the formula's own docstring, its source, and the glossary

_CALL = """
Parameters
----------
fun : callable, scipy.LowLevelCallable or numba.cfunc
    ``fun(x, *args) -> float``; with ``jac=True`` ``-> (float, gradient)``. In C it is
    ``double fun(int n, double *x)``, with ``jac=True`` ``double fun(int n, double *x, double *g)``;
    ``void *user_data`` may follow.
x0 : array_like, shape (n,)
    Start.
args : tuple, optional
    Passed on to `fun` and `jac`.
jac : callable, numba.cfunc, True, None or "2-point", "3-point", "cs"
    ``jac(x, *args) -> array, shape (n,)``; in C ``void jac(int n, double *x, double *g)``. None:
    finite differences, see `finite_diff_scheme`.
hess, hessp
    Not used.
bounds : sequence of (low, high) or scipy.optimize.Bounds, optional
    Every iterate is projected on the box.
constraints
    Not supported.
callback : callable, optional
    ``callback(intermediate_result=OptimizeResult)`` or ``callback(x)``, after every iteration;
    raise `StopIteration` to stop.
"""
_RETURNS = """
Returns
-------
scipy.optimize.OptimizeResult
    With `x`, `fun`, `jac`, `nit`, `nfev`, `njev`, `nhev`, `success`, `status`, `message`. The
    point is the one where the gradient test holds, else the best one seen. `success` means that
    the gradient test holds there, or a stop that was asked for (`target`, `ftol`, `xtol`,
    `epochs`, `patience`). `state` is for the option `resume`.

Raises
------
TypeError, ValueError
    If an argument is not what it should be; the message names it. What `fun`, `jac` or `callback`
    raise comes out unchanged, with the best point and, once the run has begun, the `state` in its
    attribute ``optimize_result``.
"""
_EXAMPLES = """
Examples
--------
>>> from scipy.optimize import minimize
>>> from scipy_gd import {name}
>>> res = minimize(lambda x: x @ x, [3.0, -4.0], jac=lambda x: 2 * x, method={name},
...                options={options})
>>> res.success, bool(abs(res.x).max() < 0.1)
(True, True)
"""


def documentation(method: Method) -> str:
    """The docstring of a method."""
    formula = method.formula
    own = {"learning_rate": method.learning_rate} | method.hyper
    lines = []
    for name, default in (own | {k: o.default for k, o in _options.COMMON.items()}).items():
        default = own.get(name, default)
        option = _options.HYPER[name] if name in _options.HYPER else _options.COMMON.get(name)
        text = option.doc if option else "Hyper-parameter of the formula."
        shown = f", default {default!r}" if name in own or _worth_showing(default) else ", optional"
        lines += [
            f"{name}{' :' + shown[1:]}",
            textwrap.indent("\n".join(textwrap.wrap(text, 92)), "    "),
        ]
    body = inspect.getdoc(formula) or method.__name__
    head, _, references = body.partition("\n\nReferences\n")
    parts = [
        head,
        _CALL.strip() + "\n" + "\n".join(lines),
        _RETURNS.strip(),
        "Notes\n-----\nUpdate, with ``x <- x - learning_rate * d``::\n\n"
        + textwrap.indent(update(method), "    "),
        *(["References\n" + references] if references else []),
        _EXAMPLES.strip().format(name=method.__name__, options=method.example),
    ]
    return "\n\n".join(parts) + "\n"


def _worth_showing(default: Any) -> bool:
    return default is not None and default not in (2**62, float("inf"), -float("inf"), -1.0)


def definition(method: Method) -> ast.FunctionDef:
    """The formula's syntax tree, on the line numbers of its file.

    Raises
    ------
    ValueError
        If the source is not available.
    """
    try:
        lines, first = inspect.getsourcelines(method.formula)
        (function,) = ast.parse(textwrap.dedent("".join(lines))).body
        if not isinstance(function, ast.FunctionDef) or function.name != method.__name__:
            raise OSError("these are the lines of something else")
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"the source of the formula {method.__name__!r} is not available: define it in a file "
            "or a notebook cell"
        ) from error
    ast.increment_lineno(function, first - 1)
    return function


def update(method: Method) -> str:
    """The source of the formula, without decorator and docstring."""
    try:
        function = definition(method)
    except ValueError:
        return "(source not available)"
    lines, first = inspect.getsourcelines(method.formula)
    first = max(first, 1)
    kept = list(range(function.lineno, function.end_lineno + 1))  # type: ignore[operator]
    if ast.get_docstring(function):
        doc = function.body[0]
        kept = [k for k in kept if not doc.lineno <= k <= doc.end_lineno]  # type: ignore[operator]
    return textwrap.dedent("".join(lines[k - first] for k in kept)).rstrip()
