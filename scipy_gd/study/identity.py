"""Identify values across processes: methods, options, users' functions."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping, Set
from functools import partial
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._method import Method


class Identity:
    """Makes a text from a value: the same text in every process, and only for equal values.

    Functions are identified by their names, their code, and their defaults and closures. An array
    is read only once: it must not change.

    Raises
    ------
    AttributeError, TypeError, RecursionError, PicklingError
        If that is not possible.
    """

    def __init__(self) -> None:
        self.arrays: dict[int, tuple[NDArray[Any], str]] = {}

    def __call__(self, value: Any) -> str:
        return _hash(json.dumps(self._plain(value)).encode())

    def _plain(self, value: Any) -> Any:
        """What distinguishes the value from others, in JSON's types."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, list | tuple):
            return [*map(self._plain, value)]
        if isinstance(value, Mapping):
            items = sorted((str(name), self._plain(each)) for name, each in value.items())
            return {"items": items}
        if isinstance(value, np.ndarray) and value.dtype != object:
            return {"array": [str(value.dtype), list(value.shape), self._content(value)]}
        if isinstance(value, partial):
            return {"partial": self._plain([value.func, value.args, value.keywords])}
        function = getattr(value, "py_func", value)  # what Numba has compiled
        if isinstance(code := getattr(function, "__code__", None), CodeType):
            return {"function": [_name(function), _code(code), *self._beside(function)]}
        if isinstance(value, Method):
            return {"method": [_name(value), value.source, self._plain(value.hyper)]}
        return {"object": [_name(value), self._within(value)]}

    def _within(self, value: Any) -> Any:
        """The contents of an object, and its code if it can be called."""
        if not hasattr(value, "__dict__"):
            return _hash(pickle.dumps(value))
        call = type(value).__call__ if callable(value) else None
        return [self._plain(vars(value)), self._plain(call) if hasattr(call, "__code__") else None]

    def _content(self, array: NDArray[Any]) -> str:
        if id(array) not in self.arrays:
            self.arrays[id(array)] = array, _hash(np.ascontiguousarray(array).tobytes())
        return self.arrays[id(array)][1]

    def _beside(self, function: Any) -> list[Any]:
        """What a function has besides its code: its object, defaults and closure."""
        around = [cell.cell_contents for cell in function.__closure__ or ()]
        others = [each for each in around if each is not function]
        own = getattr(function, "__self__", None)
        return [*map(self._plain, (own, function.__defaults__, others))]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _name(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _code(code: CodeType) -> list[Any]:
    """What a function does, independent of its place in the file."""
    return [code.co_code.hex(), [*map(_constant, code.co_consts)], code.co_names]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _code(value)
    return sorted(map(repr, value)) if isinstance(value, Set) else repr(value)
