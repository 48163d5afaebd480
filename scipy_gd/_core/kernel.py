"""Lifting: turn a formula into one fused, compiled kernel, cached on disk.

`lift` reads a formula's source and puts its statements inside a loop over the parameters
(`elementwise`) or before one (`vector`): it fills them into `_kernel`. The same pass moves the
point and reduces what the stop tests need. The result is a native function of two pointers, the
rows `V` and the record `s` of `state.py`; the machine calls it by address, so that machine and
drivers are compiled once for all methods.

The generated function keeps the file and the line numbers of its formula, so that a traceback
points there and Numba puts its cache next to that file.
"""

from __future__ import annotations

import ast
import copy
import ctypes
import functools
import inspect
import math
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from .bits import POINTS
from .jit import (
    FAST,
    INNER,
    STAMP,
    alone,
    axpy,
    axpy_dot,
    cached,
    dot,
    maximum,
    minimum,
    norm,
    opened,
    square,
)
from .native import address_in
from .state import pointers
from .vectors import RESULT, Fused, fuse, only_factor

if TYPE_CHECKING:
    from .._formula import Formula

# What a name in a formula's signature stands for: a row of V, a scalar of the record.
ROWS = {
    "x": "_V[_r.x]",
    "g": f"_V[_r.x + {POINTS}]",
    "x_old": "_V[_r.old]",
    "g_old": f"_V[_r.old + {POINTS}]",
    "z": "_V[_r.z]",
    "free": "_V[_r.free]",
    "diagonal": "_V[_r.diagonal]",
    "hess": "_V[_r.hess : _r.hess + _n]",
}
SCALARS = {"f": "_r.f", "t": "_r.t", "pair_noise": "_r.pair_noise"}

# What a formula means by NumPy's names, where they are left as they are.
LOOPS = {np.dot: dot, np.linalg.norm: norm}


def _assign(row: Any, value: Any) -> None:
    """``row[:] = value``; NumPy's broadcasting takes seconds to compile."""


@overload(_assign)
def _assigned(row, value):
    def number(row, value):
        for i in range(row.size):
            row[i] = value

    def vector(row, value):
        if value.size != row.size:
            raise ValueError
        for i in range(row.size):
            row[i] = value[i]

    return vector if isinstance(value, types.Array) else number


# Under names that no formula has for its own.
_opened, _maximum, _minimum, _sqrt, _top, _total = opened, maximum, minimum, math.sqrt, alone, alone
PLUMBING = {
    "_assign": _assign,
    "_axpy": axpy,
    "_axpy_dot": axpy_dot,
    "_dot": dot,
    "_opened": _opened,
    "_maximum": _maximum,
    "_minimum": _minimum,
    "_sqrt": _sqrt,
    "_square": square,
    "_top": alone,
    "_total": alone,
    "_unsigned": types.uint64,
}


def _kernel(
    _memory, _record,
    *, vector, searching, bounded, freed, preconditioned, rated, steep,  # constants
    declared, formula, results,  # statements
    _g, _row_free, _row_learning_rate, _P, _new_d,  # and names that they bring
):  # fmt: skip
    """What is around a formula: a template, with what follows the * to be put in."""
    _V, _r = _opened(_memory, _record)
    _n = _r.n
    _at = _V[_r.x]
    _to = _V[_r.trial]
    _alpha = _r.alpha
    _gnorm = _snorm = _dnorm = _slope = _held = 0.0
    if bounded:
        _lower = _V[_r.bounds]
        _upper = _V[_r.bounds + 1]
    if searching:
        _kept = _V[_r.d]
    if preconditioned:
        _metric = _V[_r.p]
    declared()
    if freed:
        for _i in range(_n):
            _row_free[_i] = 1.0
            _outwards = (_at[_i] <= _lower[_i] and _g[_i] > 0.0) or (
                _at[_i] >= _upper[_i] and _g[_i] < 0.0
            )
            if _outwards or _lower[_i] == _upper[_i]:  # of one that is fixed, g may be unknown: 0
                _row_free[_i] = 0.0
                _held = 1.0
        _held = _top(_r, _held)
    if vector:
        formula()
        if _new_d.size != _n:
            raise ValueError
        results()
    for _i in range(_n):
        if vector:
            _d = _new_d[_i]
        else:
            formula()
            results()
            _d = _new_d
        if searching:
            # the direction is kept, for a step rule to choose the rate; a bound that holds a
            # parameter takes it out
            if preconditioned:
                _metric[_i] = _P[_i] if vector else _P
            if bounded:  # noqa: SIM102
                if (_at[_i] <= _lower[_i] and _d > 0.0) or (_at[_i] >= _upper[_i] and _d < 0.0):
                    _d = 0.0
            _kept[_i] = _d
            _slope += _g[_i] * _d
            _dnorm += _d * _d
        else:
            # the step is taken as soon as its direction is known: the rate was known beforehand
            _y = _at[_i] - (_alpha * _row_learning_rate[_i] if rated else _alpha) * _d
            if bounded:
                _y = _minimum(_maximum(_y, _lower[_i]), _upper[_i])
            _to[_i] = _y
            _snorm += (_y - _at[_i]) * (_y - _at[_i])
        if steep:
            _p = _g[_i]
            if bounded:  # P(x - g) - x, but without the rounding of a large x
                _p = _maximum(_minimum(_p, _at[_i] - _lower[_i]), _at[_i] - _upper[_i])
            _gnorm = _maximum(_gnorm, abs(_p))
    if searching:
        _r.slope = _total(_r, _slope)
        _r.dnorm = _sqrt(_total(_r, _dnorm))
    else:
        _r.snorm = _sqrt(_total(_r, _snorm))
    if steep:
        _r.gnorm = _top(_r, _gnorm)


class _Filled(ast.NodeTransformer):
    """The template with its constants and statements put in."""

    def __init__(self, constants: dict[str, bool], statements: dict[str, list[ast.stmt]]) -> None:
        self.constants, self.statements = constants, statements

    def visit_If(self, node: Any) -> Any:
        if not (isinstance(node.test, ast.Name) and node.test.id in self.constants):
            return self.generic_visit(node)
        kept = node.body if self.constants[node.test.id] else node.orelse
        if isinstance(node, ast.IfExp):
            return self.visit(kept)
        return self.generic_visit(ast.Module(kept, [])).body  # type: ignore[attr-defined]

    visit_IfExp = visit_If

    def visit_Expr(self, node: Any) -> Any:
        called = isinstance(node.value, ast.Call)
        return self.statements[node.value.func.id] if called else []  # the docstring


class _RowsAssigned(ast.NodeTransformer):
    """``S[k] = s`` on a matrix of the memory as an `_assign` of its row."""

    def __init__(self, memory: tuple[str, ...]) -> None:
        self.memory = memory

    def visit_Assign(self, node: ast.Assign) -> Any:
        match node.targets:
            case [ast.Subscript(ast.Name(name)) as row] if name in self.memory:
                if not isinstance(row.slice, ast.Tuple):
                    row.ctx = ast.Load()
                    call = ast.Call(ast.Name("_assign", ast.Load()), [row, node.value], [])
                    return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))
        return node


class _Divided(ast.NodeTransformer):
    """The rows of a matrix of the memory as those of one thread; sizes as those of all."""

    def __init__(self, memory: tuple[str, ...]) -> None:
        self.memory = memory

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        self.generic_visit(node)
        if not (isinstance(node.value, ast.Name) and node.value.id in self.memory):
            return node
        return ast.Subscript(node, ast.Slice(None, ast.Name("_n", ast.Load())), ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        return ast.parse("_r.row_size", mode="eval").body if node.attr == "size" else node


def _bound(body: list[ast.stmt]) -> set[str]:
    """The names that a formula assigns to."""
    names = (node for line in body for node in ast.walk(line) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


def _changed(body: list[ast.stmt]) -> set[str]:
    """The names whose arrays a formula changes in place."""
    changed = set()
    for node in (node for line in body for node in ast.walk(line)):
        target = node.target if isinstance(node, ast.AugAssign) else node
        stored = isinstance(node, ast.AugAssign)
        while isinstance(target, ast.Subscript):
            stored |= isinstance(target.ctx, ast.Store)
            target = target.value
        if stored and isinstance(target, ast.Name):
            changed.add(target.id)
    return changed


def _rows(formula: Formula, arrays: tuple[str, ...], clipped: bool) -> dict[str, str]:
    """The vectors that a formula is given, and their rows."""
    rows = {name: row for name, row in ROWS.items() if name in formula.supplied}
    if clipped and "g" in rows:
        rows["g"] = "_V[_r.clipped]"
    rows |= {name: f"_V[_r.states + {k}]" for k, name in enumerate(formula.states)}
    return rows | {name: f"_V[_r.arrays + {k}]" for k, name in enumerate(arrays)}


@functools.cache
def fused(formula: Formula, bounded: bool, arrays: tuple[str, ...]) -> Fused:
    """The statements of a formula, with names for its results."""
    body, returned = copy.deepcopy(formula.body)
    # all right-hand sides first: an expression may use the old value of another state
    rows = {*_rows(formula, arrays, False)}
    # a row that is handed on as it is: a copy
    kept = rows - _bound(body) if not formula.elementwise else set()
    values = ["+" * (ast.unparse(each) in kept) + ast.unparse(each) for each in returned]
    named = zip(("d", *formula.states), values, strict=True)
    new = [f"{RESULT}{name} = {value}" for name, value in named]
    new += [f"_P = {formula.preconditioner}"] * (formula.preconditioner is not None)
    body += ast.parse("\n".join(new)).body
    if formula.elementwise:
        return Fused(body, (), True)
    numbers = {"held", *SCALARS, *formula.hyper} - {*arrays}
    if "free" in rows and not bounded and only_factor("free", body):
        rows, numbers = rows - {"free"}, numbers | {"free"}
        body = [*ast.parse("free = 1.0").body, *body]
    return fuse(body, rows - {"hess"}, formula.memory, numbers, formula.formula.__globals__)


def divisible(formula: Formula) -> bool:
    """Whether threads can share the work."""
    return "hess" not in formula.supplied and fused(formula, True, ()).divisible


def _statements(
    formula: Formula,
    searching: bool,
    bounded: bool,
    arrays: tuple[str, ...],
    clipped: bool,
    divided: bool,
) -> dict[str, list[ast.stmt]]:
    """The content of the template: names for the inputs, the formula, its results."""
    rows, written = _rows(formula, arrays, clipped), fused(formula, bounded, arrays)
    body = copy.deepcopy(written.body)
    declared = [f"{name} = {SCALARS[name]}" for name in formula.supplied if name in SCALARS]
    declared += [f"{h} = _r.h[{k}]" for k, h in enumerate(formula.hyper) if h not in arrays]
    part = "[:_n]" * divided
    declared += [f"_row_{name} = {row}{part}" for name, row in rows.items()]
    declared += [f"_g = {ROWS['g']}"] * ("g" in rows)
    for k, name in enumerate(formula.memory):
        first, end = (f"_r.memory + {j} * int(maxcor)" for j in (k, k + 1))
        declared += [f"{name} = _V[{first} : {end}]"]
    declared += [f"_own_{name} = _V[_r.work + {k}]{part}" for k, name in enumerate(written.rows)]
    direction = formula.body[1][0]
    if searching and isinstance(direction, ast.Name) and direction.id in written.rows:
        declared += [f"_own_{direction.id} = _kept{part}"]

    at, kept = "", "_assign(_row_{0}, _new_{0})"
    copied = {*ROWS} & _changed(formula.body[0])  # what it changes in place must be its own
    if formula.elementwise:
        at, kept, copied = "[_i]", "_row_{0}[_i] = _new_{0}", set()
    loads = [f"{name} = _row_{name}{at}" + ".copy()" * (name in copied) for name in rows]
    loads += ["held = _held > 0.0"] * ("held" in formula.supplied)

    def parsed(lines: list[str]) -> list[ast.stmt]:
        return _placed(ast.parse("\n".join(lines)), formula).body

    if divided:
        body = [_Divided(formula.memory).visit(statement) for statement in body]
    body = [_RowsAssigned(formula.memory).visit(statement) for statement in body]
    return {
        "declared": parsed(declared),
        "formula": [*parsed(loads), *_placed(ast.Module(body, []), formula).body],
        "results": parsed([kept.format(name) for name in formula.states]),
    }


def _placed(tree: ast.Module, formula: Formula) -> ast.Module:
    """Place all nodes on one line, the first of the formula."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr | ast.arg):
            node.lineno = node.end_lineno = formula.formula.__code__.co_firstlineno
            node.col_offset = node.end_col_offset = 0
    return tree


def _tree(
    formula: Formula,
    searching: bool,
    bounded: bool,
    arrays: tuple[str, ...],
    clipped: bool,
    divided: bool,
) -> ast.Module:
    """The kernel's syntax tree: plumbing from the template, arithmetic from the formula."""
    constants = {
        "vector": not formula.elementwise,
        "searching": searching,
        "bounded": bounded,
        "freed": bounded and "free" in formula.supplied,
        "preconditioned": searching and formula.preconditioner is not None,
        "rated": "learning_rate" in arrays,
        "steep": "g" in formula.supplied,
    }
    tree = _placed(ast.parse(inspect.getsource(_kernel)), formula)
    args = tree.body[0].args  # type: ignore[attr-defined]
    args.kwonlyargs, args.kw_defaults = [], []
    _Filled(constants, _statements(formula, searching, bounded, arrays, clipped, divided)).visit(
        tree
    )
    return tree


class Kernel:
    """A compiled formula, kept alive for its `address`: a native function of Numba's.

    It returns whether it raised an exception, using Numba's internal convention, so that no wrapper
    has to be compiled. `jit.call_native` calls it.
    """

    def __init__(self, dispatcher: Any) -> None:
        self.address, self._code = address_in(dispatcher)

    def bound(self, V: Any, s: Any) -> Callable[[], int]:
        """A function that runs it from Python: 0, or the code of an error."""
        function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 4)(self.address)
        out = (ctypes.byref(ctypes.c_void_p()) for _ in range(2))
        memory = (array.ctypes.data_as(ctypes.c_void_p) for array in (V, s))
        return functools.partial(function, *out, *memory)


@functools.cache
def lift(
    formula: Formula,
    searching: bool,
    bounded: bool,
    arrays: tuple[str, ...],
    clipped: bool = False,
    divided: bool = False,
) -> Any:
    """Compile a formula into a kernel.

    Parameters
    ----------
    formula : Formula
        The formula and what its signature declares.
    searching : bool
        Keep the direction for a step rule, instead of stepping along it at the rate `s.alpha`.
    bounded : bool
        Project the new point onto the box, and measure the projected gradient.
    arrays : tuple of str
        The hyper-parameters (and perhaps ``"learning_rate"``) that are rows of `V`, one value per
        parameter, in the order of their rows.
    clipped : bool
        Give the formula the clipped gradient; the stopping tests still use the true one.
    divided : bool
        For one of several threads, see `team.py`.

    Returns
    -------
    Kernel
        Its ``address`` goes into the record.

    Raises
    ------
    ValueError
        If the source cannot be read, or does not return what its signature declares.
    """
    tree = _tree(formula, searching, bounded, arrays, clipped, divided)
    (definition,) = tree.body
    assert isinstance(definition, ast.FunctionDef)
    function = formula.formula
    names = function.__code__.co_names
    used = {n: function.__globals__[n] for n in names if n in function.__globals__}
    faster = {name: LOOPS[f] for name, f in used.items() if f is np.dot or f is np.linalg.norm}
    constants = {name: value for name, value in used.items() if isinstance(value, int | float)}
    named = {name: getattr(value, "__name__", "") for name, value in used.items()}
    text = ast.unparse(tree) + repr((constants, named, divided))
    definition.name = f"{function.__name__}_{zlib.crc32(text.encode(), STAMP):08x}"
    scope = function.__globals__ | faster | PLUMBING
    if divided:
        from . import team  # compiles

        scope |= {"_opened": team.opened_part, "_total": team.total, "_top": team.top}
    exec(compile(tree, inspect.getfile(function), "exec"), scope)
    kernel = scope[definition.name]
    kernel.__module__ = function.__module__
    build = functools.partial(njit, [types.void(*pointers)], nogil=True)
    # Numba would not notice a change of anything else that the formula refers to
    known = all(
        name in constants or isinstance(value, np.ufunc) or _is_numpys(value)
        for name, value in used.items()
    )
    options = FAST | INNER
    return Kernel(cached(build, kernel, **options) if known else build(**options)(kernel))


def _is_numpys(value: Any) -> bool:
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return str(module).split(".")[0] in ("numpy", "math", "builtins")
