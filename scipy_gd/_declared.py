"""What a method declares, as attributes; until `Method` has them itself."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any, NamedTuple

from . import _options
from ._core.kernel import body_of
from ._method import Method, update


class Option(NamedTuple):
    doc: str
    check: Any
    default: Any
    own: bool


class Declared:
    def __init__(self, method: Method) -> None:
        self.method = method

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)

    @cached_property
    def _doc(self) -> tuple[str, str]:
        doc = inspect.getdoc(self.method.formula) or self.method.__name__
        head, _, references = doc.partition("\n\nReferences\n")
        return head, references.partition("\n")[2]

    @property
    def summary(self) -> str:
        return self._doc[0].partition("\n\n")[0]

    @property
    def notes(self) -> str:
        return self._doc[0].partition("\n\n")[2]

    @property
    def references(self) -> str:
        return self._doc[1]

    @property
    def source(self) -> str:
        return update(self.method)

    @property
    def body(self) -> Any:
        return body_of(self.method)

    @property
    def options(self) -> dict[str, Option]:
        given = {"learning_rate": self.method.learning_rate} | dict(self.method.hyper)
        known = _options.COMMON | {k: v for k, v in _options.HYPER.items() if k in given}
        return {
            name: Option(
                known[name].doc,
                known[name].check,
                given.get(name, known[name].default),
                name in self.method.hyper,
            )
            for name in dict.fromkeys([*given, *_options.COMMON])
        }


declared = Declared
