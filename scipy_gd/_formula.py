"""A formula as data: what it declares, its source and its docstring.

The signature is the declaration. Positional names are what the machine supplies (`SUPPLIED`); all
others are state vectors. Keyword-only names are hyper-parameters with their defaults. The formula
returns the direction d, followed by its states; the machine steps to ``x - learning_rate * d``.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from ._core.bits import GRADIENT, HESSIAN, HYPER, NOISE, VALUE
from ._core.steps import RULES
from ._glossary import GLOSSARY
from .arguments import Option

SUPPLIED = (
    *("x", "f", "g", "t", "x_old", "g_old", "free", "hess", "z"),
    *("held", "diagonal", "pair_noise"),
)
"""The parameters, the value, the gradient, the number of the step (1.0, 2.0, ...), the parameters
before the last step and the gradient there; for vector formulas 1 where a parameter may move and 0
where a bound holds it, and the Hessian, shape (n, n); standard normal noise; whether a bound holds
any parameter; the inverse curvatures along the axes, as far as they are known (else 1), and the
error that s'y has from the noise."""


@dataclass(frozen=True, eq=False, repr=False)
class Formula:
    """A formula with its declaration; see `elementwise` and `vector` for the fields."""

    formula: Callable[..., Any]
    elementwise: bool = False
    constant: float | None = None
    auto: str | None = None
    unit: bool = False
    c2: float = 0.9
    init: Mapping[str, float] = field(default_factory=dict)
    memory: tuple[str, ...] = ()
    preconditioner: str | None = None
    average: str | None = None
    penalty: str | None = None
    probes: bool = False
    residuals: bool = False
    proximal: bool = False
    velocity: str | None = None
    pace: str | None = None
    meanings: Mapping[str, Option] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # of the function, not of this class: pickle and pydoc go by them
        vars(self).update(__module__=self.formula.__module__, __qualname__=self.__name__)
        _check(self)

    # --- what the signature declares

    @property
    def __name__(self) -> str:
        return self.formula.__name__

    @property
    def learning_rate(self) -> Any:
        """The default: "auto", or the constant where there is no automatic step."""
        return "auto" if self.auto else self.constant

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        return [*inspect.signature(self.formula).parameters.values()]

    @cached_property
    def _positional(self) -> tuple[str, ...]:
        return tuple(p.name for p in self._parameters if p.kind is p.POSITIONAL_OR_KEYWORD)

    @cached_property
    def supplied(self) -> tuple[str, ...]:
        """What the machine gives it; see `SUPPLIED`."""
        return tuple(name for name in self._positional if name in SUPPLIED)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The state vectors that it keeps."""
        given = {*SUPPLIED, *self.memory}
        return tuple(name for name in self._positional if name not in given)

    @cached_property
    def hyper(self) -> Mapping[str, Any]:
        """The hyper-parameters and their defaults."""
        own = {p.name: p.default for p in self._parameters if p.kind is p.KEYWORD_ONLY}
        return MappingProxyType(own)

    @cached_property
    def own(self) -> Mapping[str, Option]:
        """The hyper-parameters as options: those declared with it, or else the common ones."""
        known = GLOSSARY | dict(self.meanings)
        return {
            name: known.get(name, Option("Hyper-parameter of the formula."))._replace(
                default=default, own=True
            )
            for name, default in self.hyper.items()
        }

    @cached_property
    def needs(self) -> int:
        """What a step requires, as bits: 1 value, 2 gradient, 4 Hessian, 8 random noise."""
        has = self.supplied.__contains__
        return VALUE | GRADIENT * has("g") | HESSIAN * has("hess") | NOISE * has("z")

    # --- its own docstring and source

    @cached_property
    def _doc(self) -> tuple[str, str]:
        """The text before the references, and the references."""
        head, _, references = (inspect.getdoc(self.formula) or "").partition("\n\nReferences\n")
        return head, references.partition("\n")[2]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self._doc[0].partition("\n\n")[0] or self.__name__

    @property
    def notes(self) -> str:
        """The rest of the docstring, before the references."""
        return self._doc[0].partition("\n\n")[2]

    @property
    def references(self) -> str:
        """The papers."""
        return self._doc[1]

    @cached_property
    def definition(self) -> ast.FunctionDef:
        """The syntax tree, on the line numbers of the file.

        Raises
        ------
        ValueError
            If the source is not available.
        """
        try:
            lines, first = inspect.getsourcelines(self.formula)
            (function,) = ast.parse(textwrap.dedent("".join(lines))).body
            if not isinstance(function, ast.FunctionDef) or function.name != self.__name__:
                raise OSError("these are the lines of something else")
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"the source of the formula {self.__name__!r} is not available: define it in a "
                "file or a notebook cell"
            ) from error
        ast.increment_lineno(function, first - 1)
        return function

    @property
    def body(self) -> tuple[list[ast.stmt], list[ast.expr]]:
        """The statements, and the returned expressions.

        Raises
        ------
        ValueError
            Unless there is a single return, on the last line, of the direction and the states.
        """
        *body, last = self.definition.body[bool(ast.get_docstring(self.definition)) :]
        if not isinstance(last, ast.Return) or any(
            isinstance(node, ast.Return) for statement in body for node in ast.walk(statement)
        ):
            raise ValueError(
                f"the formula {self.__name__!r} must have a single return, on its last line"
            )
        value = last.value
        returned = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(returned) != 1 + len(self.states) or None in returned:
            raise ValueError(
                f"the formula {self.__name__!r} must return the direction, followed by its "
                "states: " + ", ".join(("d", *self.states))
            )
        return body, returned  # type: ignore[return-value]

    @cached_property
    def source(self) -> str:
        """The source as text, without decorator and docstring."""
        function = self.definition
        lines, first = inspect.getsourcelines(self.formula)
        kept = {*range(function.lineno, function.end_lineno + 1)}  # type: ignore[operator]
        if ast.get_docstring(function):
            doc = function.body[0]
            kept -= {*range(doc.lineno, doc.end_lineno + 1)}  # type: ignore[operator]
        text = "".join(line for k, line in enumerate(lines, max(first, 1)) if k in kept)
        return textwrap.dedent(text).rstrip()


def _check(formula: Formula) -> None:
    """Raise if the declaration breaks the rules."""
    name, code = formula.__name__, formula.formula.__code__
    named = (*formula.supplied, *formula.states, *formula.memory, *formula.hyper)
    if len(named) != len(formula._parameters):
        raise TypeError(
            f"the formula {name!r} must not have *args, **kwargs or positional-only arguments"
        )
    if name == "<lambda>" or code.co_freevars:
        raise TypeError(
            f"the formula {name!r} must be a named function that uses no variables of an "
            f"enclosing function{', got ' * bool(code.co_freevars)}{', '.join(code.co_freevars)}"
        )
    hidden = [n for n in code.co_varnames if n.startswith("_") or n in ("carray", *dir(builtins))]
    if hidden:
        raise TypeError(
            f"{hidden} in the formula {name!r}: names must not start with an underscore or shadow "
            "a builtin"
        )
    if max(len(formula.hyper), len(formula.states)) > HYPER:
        raise TypeError(f"the formula {name!r} has more than {HYPER} hyper-parameters or states")
    if formula.auto not in (None, *RULES):
        raise ValueError(
            f"`auto` of {name!r} must be None or one of {tuple(RULES)}, got {formula.auto!r}"
        )
    if formula.auto in (None, "fixed") and formula.constant is None:
        raise TypeError(f"the formula {name!r} needs a `learning_rate`")
    for hyper, default in formula.hyper.items():
        switch = isinstance(default, bool) and hyper not in formula.meanings
        if switch or not isinstance(default, int | float):
            raise TypeError(
                f"hyper-parameter {hyper!r} of {name!r} must have a number as its default"
            )
    stored = _stored(formula.formula)
    declared: list[tuple[str, Iterable[str], Iterable[str], str]] = [
        ("init", formula.init, formula.states, "states"),
        ("average", filter(None, [formula.average]), formula.states, "states"),
        ("penalty", filter(None, [formula.penalty]), formula.hyper, "hyper-parameters"),
        ("velocity", filter(None, [formula.velocity]), formula.states, "states"),
        ("pace", filter(None, [formula.pace]), formula.states, "states"),
        ("preconditioner", filter(None, [formula.preconditioner]), stored, "local variables"),
        ("hyper", formula.meanings, formula.hyper, "hyper-parameters"),
    ]
    for argument, names, allowed, what in declared:
        if unknown := set(names) - set(allowed):
            raise TypeError(
                f"`{argument}` of {name!r} names {sorted(unknown)}, which are not {what}"
            )
    if taken := stored & {*formula.hyper, "t", "f"}:
        raise TypeError(f"the formula {name!r} must not assign to {min(taken)!r}")


def _stored(function: Callable[..., Any]) -> set[str]:
    """The names that are assigned to, from the bytecode, which is there even without a source."""
    found: set[str] = set()
    for line in dis.get_instructions(function):
        if line.opname.startswith("STORE_FAST"):
            names = line.argval if isinstance(line.argval, tuple) else (line.argval,)
            found.update(names[:1] if line.opname.endswith("LOAD_FAST") else names)
    return found
