"""Lifting: a formula becomes one fused, compiled kernel, cached on disk.

`lift` reads a formula's source and puts its body inside a loop over the parameters (`elementwise`)
or before one (`vector`). The same pass moves the point and reduces what the stop tests need. The
result is a C function of two pointers, the rows `V` and the record `s` of `_state.py`; the machine
calls it by address, so that machine and drivers are compiled once for all methods.

The generated function keeps the file and the line numbers of its formula: a traceback points there,
and Numba puts its cache beside that file.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import textwrap
import zlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import carray, cfunc, njit

from .addresses import kernel_type
from .bits import POINTS
from .endings import BROKEN
from .jit import FAST, STAMP, cached, dot, maximum, minimum, norm

if TYPE_CHECKING:
    from .._formula import Formula

# What a formula means by NumPy's names.
LOOPS = {np.dot: dot, np.linalg.norm: norm}

# What a name in a formula's signature stands for: a row of V, a scalar of the record.
ROWS = {
    "x": "_V[_r.x]",
    "g": "_V[_r.x + POINTS]",
    "x_old": "_V[_r.old]",
    "g_old": "_V[_r.old + POINTS]",
    "z": "_V[_r.z]",
    "free": "_V[_r.free]",
    "hess": "_V[_r.hess : _r.hess + _n]",
}
SCALARS = {"f": "_r.f", "t": "_r.t"}

_OPEN = """
def {name}(_memory, _record):
    _r = carray(_record, 1)[0]
    _n = _r.n
    _V = carray(_memory, (_r.rows, _n))
    _at = _V[_r.x]
    _to = _V[_r.trial]
    _alpha = _r.alpha
    _gnorm = 0.0
    _snorm = 0.0
    _dnorm = 0.0
    _slope = 0.0
"""
_FREE = """
for _i in range(_n):
    _row_free[_i] = 0.0 if {held} else 1.0
"""
_HELD = "((_at[_i] <= _lower[_i] and {0} > 0.0) or (_at[_i] >= _upper[_i] and {0} < 0.0))"
_CLIP = "_minimum(_maximum({}, _lower[_i]), _upper[_i])"
# The step is taken as soon as its direction is known (a rate known beforehand) ...
_STEP = """
_y = {moved}
_to[_i] = _y
_snorm += (_y - _at[_i]) * (_y - _at[_i])
"""
# ... or the direction is kept, for a step rule to choose the rate; a bound that holds a parameter
# takes it out.
_DIRECTION = """
_kept[_i] = _d
_slope += {g}[_i] * _d
_dnorm += _d * _d
"""
# P(x - g) - x, but without the rounding of a large x
_PROJECTED = "_maximum(_minimum({g}[_i], _at[_i] - _lower[_i]), _at[_i] - _upper[_i])"
_GNORM = "_gnorm = _maximum(_gnorm, abs({gradient}))"


def _assigned(body: list[ast.stmt]) -> set[str]:
    """The names that are bound in a formula."""
    nodes = (node for line in body for node in ast.walk(line))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _written(body: list[ast.stmt]) -> set[str]:
    """The names whose arrays a formula changes in place."""
    names = set()
    for node in (node for line in body for node in ast.walk(line)):
        target = node.target if isinstance(node, ast.AugAssign) else node
        while isinstance(target, ast.Subscript):
            stored = isinstance(target.ctx, ast.Store)
            target = target.value
            if stored and isinstance(target, ast.Name):
                names.add(target.id)
        if isinstance(node, ast.AugAssign) and isinstance(target, ast.Name):
            names.add(target.id)
    return names


def _source(
    method: Formula, searching: bool, bounded: bool, arrays: tuple[str, ...], clipped: bool
) -> ast.Module:
    """The kernel's syntax tree: plumbing from the templates, arithmetic from the formula."""
    body, returned = method.body
    rows = {name: row for name, row in ROWS.items() if name in method.supplied}
    true_g = "_row_g"
    if clipped and "g" in rows:
        rows |= {"g": "_V[_r.clipped]"}
        true_g = "_true_g"
    rows |= {name: f"_V[_r.states + {k}]" for k, name in enumerate(method.states)}
    rows |= {name: f"_V[_r.arrays + {k}]" for k, name in enumerate(arrays)}
    for k, name in enumerate(method.memory):
        rows[name] = f"_V[_r.memory + {k} * _m : _r.memory + {k + 1} * _m]"
    scalars = {name: value for name, value in SCALARS.items() if name in method.supplied}
    scalars |= {name: f"_r.h[{k}]" for k, name in enumerate(method.hyper) if name not in arrays}

    names = [name for name in rows if name != "learning_rate"]

    head = [f"{name} = {value}" for name, value in scalars.items()]
    head += ["_m = int(maxcor)"] if method.memory else []
    head += [f"_row_{name} = {row}" for name, row in rows.items()]
    if true_g != "_row_g":
        head += [f"{true_g} = {ROWS['g']}"]
    if bounded:
        head += ["_lower = _V[_r.bounds]", "_upper = _V[_r.bounds + 1]"]
    if bounded and "free" in method.supplied:
        head += _FREE.format(held=_HELD.format(f"{true_g}[_i]")).splitlines()
    if searching:
        head += ["_kept = _V[_r.d]"]
    if searching and method.preconditioner:
        head += ["_metric = _V[_r.p]"]

    # what the formula changes in place, or hands on as it is, must be its own
    written = _written(body)
    bare = {node.id for node in returned if isinstance(node, ast.Name)} - _assigned(body)

    # all right-hand sides first: an expression may use the old value of another state
    results = dict(zip(("d", *method.states), map(ast.unparse, returned), strict=True))
    stores = [
        f"_new_{name} = {value}{'.copy()' * (value in bare & set(rows) and not method.elementwise)}"
        for name, value in results.items()
    ]
    if method.elementwise:
        loop = [f"{name} = _row_{name}[_i]" for name in names] + ["BODY"] + stores
        loop += [f"_row_{name}[_i] = _new_{name}" for name in method.states]
        loop += ["_d = _new_d"]
    else:
        inputs = set(ROWS) & written
        head += [f"{name} = _row_{name}{'.copy()' * (name in inputs)}" for name in names]
        head += ["BODY", *stores]
        head += ["if _new_d.size != _n: raise ValueError"]
        head += [f"_row_{name}[:] = _new_{name}" for name in method.states]
        loop = ["_d = _new_d[_i]"]

    def clip(y: str) -> str:
        return _CLIP.format(y) if bounded else y

    rate = "_alpha * _row_learning_rate[_i]" if "learning_rate" in arrays else "_alpha"
    if searching:
        if method.preconditioner:
            loop += [f"_metric[_i] = {method.preconditioner}{'[_i]' * (not method.elementwise)}"]
        loop += [f"if {_HELD.format('_d')}: _d = 0.0"] * bounded
        loop += _DIRECTION.format(g=true_g).splitlines()
        tail = ["_r.slope = _slope", "_r.dnorm = _sqrt(_dnorm)"]
    else:
        loop += _STEP.format(moved=clip(f"_at[_i] - {rate} * _d")).splitlines()
        tail = ["_r.snorm = _sqrt(_snorm)"]
    if "g" in rows:
        gradient = (_PROJECTED if bounded else "{g}[_i]").format(g=true_g)
        loop += [_GNORM.format(gradient=gradient)]
        tail += ["_r.gnorm = _gnorm"]

    text = _OPEN.format(name=method.__name__)
    text += textwrap.indent("\n".join(head), "    ")
    text += "\n    for _i in range(_n):\n" + textwrap.indent("\n".join(loop), " " * 8)
    text += "\n" + textwrap.indent("\n".join(tail), "    ")

    tree = ast.parse(text)
    first = method.formula.__code__.co_firstlineno
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr | ast.arg):
            node.lineno = node.end_lineno = first
    for block in ast.walk(tree):
        if isinstance(block, ast.For | ast.FunctionDef):
            marks = [k for k, line in enumerate(block.body) if ast.unparse(line) == "BODY"]
            for k in marks:
                block.body[k : k + 1] = body
    return tree


@functools.cache
def lift(
    method: Formula,
    searching: bool,
    bounded: bool,
    arrays: tuple[str, ...],
    clipped: bool = False,
) -> Any:
    """Compile a method's formula into a kernel.

    Parameters
    ----------
    method : Formula
        The formula and what its signature declares.
    searching : bool
        Keep the direction for a step rule, instead of stepping along it at the rate `s.alpha`.
    bounded : bool
        Project the new point on the box, and measure the projected gradient.
    arrays : tuple of str
        The hyper-parameters (and perhaps ``"learning_rate"``) that are rows of `V`, one value per
        parameter, in the order of their rows.
    clipped : bool
        Give the formula the clipped gradient; the stop tests have the true one all the same.

    Returns
    -------
    numba.core.ccallback.CFunc
        Called as ``kernel(address of V, address of s)``; its ``address`` goes into the record.

    Raises
    ------
    ValueError
        If the source cannot be read, or does not return what its signature declares.
    """
    tree = _source(method, searching, bounded, arrays, clipped)
    function = method.formula
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    used = {
        n: function.__globals__[n] for n in function.__code__.co_names if n in function.__globals__
    }
    faster = {name: LOOPS[f] for name, f in used.items() if f is np.dot or f is np.linalg.norm}
    constants = {name: value for name, value in used.items() if isinstance(value, int | float)}
    text = ast.unparse(tree) + repr(constants)
    definition.name += f"_{zlib.crc32(text.encode(), STAMP):08x}"
    plumbing = {"carray": carray, "POINTS": POINTS, "_sqrt": math.sqrt}
    scope = function.__globals__ | faster | plumbing | {"_maximum": maximum, "_minimum": minimum}
    exec(compile(tree, inspect.getfile(function), "exec"), scope)
    kernel = scope[definition.name]
    kernel.__module__ = function.__module__
    if not method.elementwise:
        kernel = _guarded(kernel, scope)
    build = functools.partial(cfunc, kernel_type)
    # Numba would not notice a change of anything else that the formula refers to
    known = all(
        name in constants or isinstance(value, np.ufunc | ModuleType) or _is_numpys(value)
        for name, value in used.items()
    )
    return cached(build, kernel, **FAST) if known else build(**FAST)(kernel)


_GUARD = """
def guarded(_memory, _record):
    try:
        _formula(_memory, _record)
    except Exception:
        carray(_record, 1)[0].ending = _BROKEN
"""


def _guarded(kernel: Any, scope: dict[str, Any]) -> Any:
    """The kernel, with a mark in the record if the formula raises: C knows no exceptions."""
    scope |= {"_formula": njit(**FAST)(kernel), "_BROKEN": BROKEN}
    exec(compile(_GUARD, kernel.__code__.co_filename, "exec"), scope)
    guarded = scope["guarded"]
    guarded.__module__, guarded.__qualname__ = kernel.__module__, f"{kernel.__qualname__}_guarded"
    return guarded


def _is_numpys(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).split(".")[0] in ("numpy", "math", "builtins")
