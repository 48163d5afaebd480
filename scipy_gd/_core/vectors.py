"""The vectors of a formula without temporaries: how `vector` formulas are fused.

In large problems, the time goes into passes over memory and into pages for temporary arrays. So

- ``s = x - x_old`` becomes a loop into a row of the run's memory reserved for the name `s`;
- ``S[k] = s / c`` becomes a loop into that row;
- ``d -= b * y`` waits until d is read. If that is ``dot(s, d)``, as in the two-loop recursion, both
  are done in one pass, which BLAS calls AXPY_DOT.

A formula with anything other than elementwise operations, ``dot`` and ``norm`` stays as it is.
Whether a name is a vector, a number or something else follows from what is assigned to it.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

VECTOR, MATRIX, NUMBER, LIST, OTHER = "vector", "matrix", "number", "list", "other"
ARITHMETIC = ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow
UNDERSTOOD = ast.Assign | ast.AugAssign | ast.If | ast.For
NUMBERS = (max, min, int, float, abs)
SUMS = {np.dot: "_dot", np.linalg.norm: "_square"}
BLOCK = 10_000
"""Parameters per block; fewer are summed as one."""
RESULT = "_new_"
"""How the names of what a formula returns begin."""
Body = list[ast.stmt]


class Fused(NamedTuple):
    """The statements of a formula, rewritten."""

    body: Body
    rows: tuple[str, ...]
    """Names that need a row of memory for their own."""
    divisible: bool
    """Whether it can be run on a part of the parameters, if sums are those of all parts."""


def fuse(
    body: Body,
    given: Collection[str],
    memory: Collection[str],
    numbers: Collection[str],
    names: Mapping[str, Any],
) -> Fused:
    """Rewrite the statements of a vector formula.

    Parameters
    ----------
    body : list of ast.stmt
        Statements, which are changed.
    given, memory, numbers : collection of str
        Names that are vectors, matrices of remembered vectors, and numbers from the beginning.
    names : mapping
        The globals of the formula.
    """
    kinds = Kinds(body, given, memory, numbers, names)
    known = all(isinstance(node, UNDERSTOOD) for node in _statements(body))
    if not known or kinds.opaque(body) or kinds.elements(body):
        return Fused(body, (), False)
    writer = _Writer(kinds, body)
    fused = writer.statements(body)
    return Fused([*writer.prologue(), *fused], tuple(writer.rows), True)


def only_factor(name: str, body: Body) -> bool:
    """Whether a vector is used for nothing but ``vector * name``, so that it may be a number."""
    nodes = [node for top in body for node in ast.walk(top)]
    uses = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    factors = (
        (node.left, node.right)
        for node in nodes
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
    )
    as_factor = sum(
        isinstance(b, ast.Name) and b.id == name and name not in _names(a) for a, b in factors
    )
    return uses == as_factor


def _statements(body: Body) -> Iterator[ast.stmt]:
    return (node for top in body for node in ast.walk(top) if isinstance(node, ast.stmt))


def _expressions(node: ast.stmt) -> Iterator[ast.expr]:
    """Those of a statement itself, not of others in it."""
    return (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _is_first(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Constant) and node.slice.value == 0


def _assigned(node: ast.stmt) -> list[tuple[ast.expr, ast.expr | None]]:
    """Pairs of a target and what it gets; None: something else."""
    match node:
        case ast.Assign(targets, value):
            pairs: list[tuple[ast.expr, ast.expr | None]] = []
            for target in targets:
                if not isinstance(target, ast.Tuple):
                    pairs.append((target, value))
                elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
                    pairs += zip(target.elts, value.elts, strict=True)
                else:
                    pairs += [(each, None) for each in target.elts]
            return pairs
        case ast.AugAssign(target, op, value):
            return [(target, ast.BinOp(target, op, value))]
        case ast.For(target, ast.Call(ast.Name("range"))):
            return [(target, ast.Constant(0))]
        case ast.For(target):
            return [(target, None)]
    return []


class Kinds:
    """What the names and expressions of a formula are."""

    def __init__(
        self,
        body: Body,
        given: Collection[str],
        memory: Collection[str],
        numbers: Collection[str],
        names: Mapping[str, Any],
    ) -> None:
        self.memory, self.names = memory, names
        self.known = dict.fromkeys(given, VECTOR) | dict.fromkeys(numbers, NUMBER)
        before = None
        while before != self.known:
            before = self.known.copy()
            for node in _statements(body):
                for target, value in _assigned(node):
                    if isinstance(target, ast.Name):
                        self._learn(target.id, OTHER if value is None else self.of(value))

    def _learn(self, name: str, kind: str | None) -> None:
        if kind is not None:
            known = self.known.get(name, kind)
            self.known[name] = kind if kind == known else OTHER

    def function(self, name: str) -> Any:
        return self.names.get(name, getattr(builtins, name, None))

    def of(self, node: ast.expr) -> str | None:
        """The kind of an expression; None as long as a name in it is unknown."""
        match node:
            case ast.Constant(int() | float()):
                return NUMBER
            case ast.Name(name):
                constant = isinstance(self.names.get(name), int | float)
                return self.known.get(name, NUMBER if constant else None)
            case ast.Attribute(value, "size"):
                return NUMBER if self.of(value) == VECTOR else OTHER
            case ast.Subscript(value, index):
                return self._item(value, index)
            case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
                return self.of(operand)
            case ast.UnaryOp(ast.Not(), operand):
                return self._all_numbers(operand)
            case ast.BinOp(left, op, right):
                kind = self._joined(left, right)
                return kind if kind != VECTOR or isinstance(op, ARITHMETIC) else OTHER
            case ast.Compare(left, _, others):
                return self._all_numbers(left, *others)
            case ast.BoolOp(_, values):
                return self._all_numbers(*values)
            case ast.IfExp(test, body, orelse):
                return self._all_numbers(test, body, orelse)
            case ast.Call(ast.Name("range"), args, []):
                return self._all_numbers(*args)
            case ast.Call(ast.Name(name), args, []):
                return self._called(self.function(name), args)
        return OTHER

    def _item(self, value: ast.expr, index: ast.expr) -> str | None:
        of_memory = isinstance(value, ast.Name) and value.id in self.memory
        kinds = MATRIX if of_memory else self.of(value), self.of(index)
        if None in kinds:
            return None
        items = {(MATRIX, NUMBER): VECTOR, (VECTOR, NUMBER): NUMBER, (LIST, NUMBER): NUMBER}
        return items.get(kinds, OTHER)  # type: ignore[arg-type]

    def _called(self, function: Any, args: list[ast.expr]) -> str | None:
        kinds = {self.of(each) for each in args}
        if None in kinds:
            return None
        if function in (np.dot, np.linalg.norm):
            return NUMBER if kinds == {VECTOR} else OTHER
        if isinstance(function, np.ufunc):
            floats = "d" * function.nin + "->d" in function.types
            return self._joined(*args) if floats else OTHER
        if function in (np.empty, np.zeros, np.ones):
            return LIST if kinds == {NUMBER} else OTHER
        known = function in NUMBERS or getattr(function, "__module__", "") == "math"
        return NUMBER if known and kinds == {NUMBER} else OTHER

    def _joined(self, *nodes: ast.expr) -> str | None:
        kinds = {self.of(node) for node in nodes}
        if None in kinds:
            return None
        if kinds - {VECTOR, NUMBER}:
            return OTHER
        return VECTOR if VECTOR in kinds else NUMBER

    def _all_numbers(self, *nodes: ast.expr) -> str | None:
        kind = self._joined(*nodes)
        return OTHER if kind == VECTOR else kind

    def view(self, node: ast.expr) -> bool:
        """Whether it is a vector that is there already: a name, or a row of the memory."""
        return isinstance(node, ast.Name | ast.Subscript) and self.of(node) == VECTOR

    def reduction(self, node: ast.AST) -> str:
        """What computes it, if it is a sum over vectors; else an empty name."""
        if isinstance(node, ast.Call) and self.of(node) == NUMBER:
            assert isinstance(node.func, ast.Name)
            return SUMS.get(self.function(node.func.id), "")
        return ""

    def opaque(self, body: Body) -> set[str]:
        """Vectors that go into something which is not understood."""
        expressions = (each for node in _statements(body) for each in _expressions(node))
        return set().union(*map(self._into_other, expressions))

    def _into_other(self, node: ast.expr) -> set[str]:
        if isinstance(node, ast.Tuple):
            return set().union(*map(self._into_other, node.elts))
        if isinstance(node, ast.Name) or self.of(node) in (VECTOR, NUMBER, LIST):
            return set()
        vectors = {name for name in _names(node) if self.known.get(name) == VECTOR}
        return vectors | _names(node) & {*self.memory}

    def shared(self, body: Body) -> set[str]:
        """Vectors with a second name."""
        return {
            value.id
            for node in _statements(body)
            for target, value in _assigned(node)
            if isinstance(value, ast.Name) and self.known.get(value.id) == VECTOR
            if not (isinstance(target, ast.Name) and target.id.startswith(RESULT))
        }

    def elements(self, body: Body) -> set[str]:
        """Vectors of which single elements are used, but for numbers kept as a state."""
        parts = (part for node in body for part in ast.walk(node))
        return {
            part.value.id
            for part in parts
            if isinstance(part, ast.Subscript)
            and isinstance(part.value, ast.Name)
            and self.known.get(part.value.id) == VECTOR
            and not (self.known.get(RESULT + part.value.id) == NUMBER and _is_first(part))
        }


class _Writer:
    """Writes the statements anew."""

    def __init__(self, kinds: Kinds, body: Body) -> None:
        self.kinds, self.count = kinds, 0
        self.shared = kinds.shared(body)
        self.rows: list[str] = []
        self.waiting = self._updated(body)
        self.late: set[str] = set()  # those that may have to wait where we are

    def _updated(self, body: Body) -> set[str]:
        """Vectors with updates that may wait."""
        return {
            node.target.id
            for node in _statements(body)
            if isinstance(node, ast.AugAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id not in self.shared
            and self._axpy(node)
        }

    def prologue(self) -> Body:
        lines = (f"_late_{d}, _step_{d}, _along_{d} = False, 0.0, _at" for d in self.waiting)
        return ast.parse("\n".join(lines)).body

    # --- statements

    def statements(self, body: Body) -> Body:
        apart = [each for node in body for each in self._apart(node)]
        return blocked([new for each in apart for new in self._statement(each)])

    def _apart(self, node: ast.stmt) -> Body:
        """``s, y = a, b`` as two statements, if neither value needs the other name."""
        match node:
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                bound = {target.id for target in targets if isinstance(target, ast.Name)}
                vectors = any(self.kinds.of(value) == VECTOR for value in values)
                if vectors and not bound & set().union(*map(_names, values)):
                    pairs = zip(targets, values, strict=True)
                    return [ast.Assign([target], value) for target, value in pairs]
        return [node]

    def _statement(self, node: ast.stmt) -> Body:
        of = self.kinds.of
        match node:
            case ast.Assign([ast.Name(name)], value) if of(value) == VECTOR:
                if not (self.kinds.view(value) or name in self.shared):
                    return [*self._loop(self._own(name), value), *_simple(f"{name} = _own_{name}")]
            case ast.Assign([ast.Subscript() as row], value) if of(row) == of(value) == VECTOR:
                before: Body = []
                to = self._row(row, before)
                return [*before, *self._loop(to, value)]
            case ast.AugAssign(ast.Name(name), op, value) if self.kinds.known.get(name) == VECTOR:
                if name in self.waiting and (found := self._axpy(node)):
                    return self._wait(name, *found)
                if of(value) in (VECTOR, NUMBER):
                    return self._loop(name, ast.BinOp(_load(name), op, value))
            case ast.If():
                plain = self._plain(node)
                late = self.late
                node.body = self.statements(node.body)
                late, self.late = self.late, late
                node.orelse = self.statements(node.orelse)
                self.late = self.late | late
                return plain
            case ast.For():
                plain = self._plain(node)
                late = self.late = self.late | self._updated(node.body)
                node.body = self.statements(node.body)
                self.late = self.late | late
                node.orelse = self.statements(node.orelse)
                return plain
        return self._plain(node)

    def _plain(self, node: ast.stmt) -> Body:
        """A statement as it is, but for its sums."""
        before: Body = []
        view = isinstance(node, ast.Assign) and self.kinds.view(node.value)
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, field, self._summed(value, before))
        used = set().union(*map(_names, _expressions(node)))
        if any(isinstance(t, ast.Subscript) and self._of_vectors(t) for t, _ in _assigned(node)):
            used = self.waiting  # what waits may wait for the row that is written
        if isinstance(node, ast.Assign):
            names = all(isinstance(target, ast.Name) for target in node.targets)
            node.plain = names and (view or _of_numbers(node.value))  # type: ignore[attr-defined]
        return [*before, *self._settled(used), node]

    def _of_vectors(self, target: ast.Subscript) -> bool:
        return self.kinds.of(target.value) != LIST

    def _own(self, name: str) -> str:
        """A row for the values that a name gets."""
        if name not in self.rows:
            self.rows.append(name)
        return f"_own_{name}"

    def _loop(self, to: str, value: ast.expr) -> Body:
        """``to[:] = value``"""
        before: Body = []
        element = ast.unparse(self._element(value, before))
        loop = _code(f"for _i in range(_n):\n {to}[_i] = {element}")
        return [*before, *self._settled(self.waiting), *loop]

    # --- updates that wait

    def _axpy(self, node: ast.AugAssign) -> tuple[ast.expr, ast.expr] | None:
        """The number and the vector of ``d += number * vector``."""
        along, node_ = node.value, node.value
        while not self.kinds.view(along):
            match along:
                case ast.BinOp(left, ast.Mult(), right):
                    along = left if self.kinds.of(left) == VECTOR else right
                    other = right if along is left else left
                case ast.BinOp(left, ast.Div(), other):
                    along = left
                case _:
                    return None
            if self.kinds.of(other) != NUMBER or self.kinds.of(along) != VECTOR:
                return None
        if not isinstance(node.op, ast.Add | ast.Sub) or _names(node.target) & _names(along):
            return None
        step: ast.expr = _Replaced(along).visit(copy.deepcopy(node_, {id(along): along}))
        return ast.UnaryOp(ast.USub(), step) if isinstance(node.op, ast.Sub) else step, along

    def _wait(self, d: str, step: ast.expr, along: ast.expr) -> Body:
        before: Body = []
        number = ast.unparse(self._summed(step, before))
        before += self._settled(self.waiting)
        self.late = self.late | {d}
        row = self._row(along, before)
        return [*before, *_code(f"_late_{d}, _step_{d}, _along_{d} = True, {number}, {row}")]

    def _settled(self, names: Collection[str]) -> Body:
        """Make the updates of these vectors that wait."""
        late = sorted(self.late & {*names})
        self.late = self.late - {*names}
        return _code(
            "\n".join(
                f"if _late_{d}:\n _axpy({d}, _step_{d}, _along_{d})\n _late_{d} = False"
                for d in late
            )
        )

    # --- expressions

    def _element(self, node: ast.expr, before: Body) -> ast.expr:
        """Element i of an expression of vectors; what is the same for all is computed before."""
        if self.kinds.of(node) == NUMBER:
            if isinstance(node, ast.Name | ast.Constant):
                return node
            return self._before(self._summed(node, before), before)
        if self.kinds.view(node):
            return ast.Subscript(_load(self._row(node, before)), _load("_i"), ast.Load())
        match node:
            case ast.BinOp(left, op, right):
                return ast.BinOp(self._element(left, before), op, self._element(right, before))
            case ast.UnaryOp(op, operand):
                return ast.UnaryOp(op, self._element(operand, before))
            case ast.Call(function, args):
                return ast.Call(function, [self._element(each, before) for each in args], [])
        raise AssertionError(ast.dump(node))

    def _row(self, view: ast.expr, before: Body) -> str:
        """The name of a vector that is there already."""
        if isinstance(view, ast.Name):
            return view.id
        return self._before(view, before).id

    def _before(self, value: ast.expr, before: Body) -> ast.Name:
        """Give a value a name."""
        self.count += 1
        before += _simple(f"_value{self.count} = {ast.unparse(value)}")
        return _load(f"_value{self.count}")

    def _summed(self, node: Any, before: Body, once: bool = True) -> Any:
        """An expression with its sums over vectors computed before, where that is as often."""
        if sum_ := self.kinds.reduction(node):
            return self._sum(sum_, node, before) if once else _now(sum_, node.args)
        for field, value in ast.iter_fields(node):
            unsure = isinstance(node, ast.Lambda | ast.GeneratorExp | ast.ListComp)
            unsure = unsure or (isinstance(node, ast.IfExp) and field != "test")
            if isinstance(value, list):
                for k, each in enumerate(value):
                    if isinstance(each, ast.AST):
                        may_be_left_out = isinstance(node, ast.BoolOp) and k > 0
                        value[k] = self._summed(each, before, once and not may_be_left_out)
            elif isinstance(value, ast.expr):
                setattr(node, field, self._summed(value, before, once and not unsure))
        return node

    def _sum(self, name: str, node: Any, before: Body) -> ast.Name:
        late = self.late & {each.id for each in node.args if isinstance(each, ast.Name)}
        views = [each for each in node.args if self.kinds.view(each)]
        rows = [self._row(each, before) for each in views]
        if len(late) == 1 and len({*rows}) == 2:
            (d,), (other,) = late, {*rows} - late
            plain = ast.unparse(_call(name, map(_load, rows)))
            at_once = f"_axpy_dot({d}, _step_{d}, _along_{d}, {other}) if _late_{d} else {plain}"
            self.count += 1
            value = f"_value{self.count}"
            before += _code(f"{value} = _total(_r, {at_once})\n_late_{d} = False")
            self.late = self.late - late
            return _load(value)
        terms = [ast.unparse(self._element(each, before)) for each in node.args]
        before += self._settled(set().union(*map(_names, node.args)))
        self.count += 1
        value = f"_value{self.count}"
        before += _simple(f"{value} = 0.0")
        before += _code(f"for _i in range(_n):\n {value} += ({terms[0]}) * ({terms[-1]})")
        before += _simple(f"{value} = _total(_r, {value})")
        return self._before(_sqrt(value), before) if name == "_square" else _load(value)


class _Replaced(ast.NodeTransformer):
    """One node by the number 1."""

    def __init__(self, node: ast.AST) -> None:
        self.node = node

    def visit(self, node: ast.AST) -> Any:
        return ast.Constant(1.0) if node is self.node else self.generic_visit(node)


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _call(name: str, args: Iterable[ast.expr]) -> ast.Call:
    return ast.Call(_load(name), [*args], [])


def _of_numbers(node: ast.expr) -> bool:
    """Whether the value depends on numbers only, not on memory."""
    reads = isinstance(node, ast.Subscript | ast.Attribute) or _names(node) & {*SUMS.values()}
    return not reads and all(map(_of_numbers, ast.iter_child_nodes(node)))  # type: ignore[arg-type]


def _now(name: str, args: Iterable[ast.expr]) -> ast.expr:
    """A sum that may be left out."""
    total = ast.Call(_load("_total"), [_load("_r"), _call(name, args)], [])
    return total if name == "_dot" else ast.Call(_load("_sqrt"), [total], [])


def _total(text: str) -> ast.expr:
    return ast.parse(f"_total(_r, {text})", mode="eval").body


def _sqrt(name: str) -> ast.expr:
    return ast.parse(f"_sqrt({name})", mode="eval").body


def _code(text: str) -> Body:
    return ast.parse(text).body


def _simple(text: str) -> Body:
    """A statement that only gives a name to a value."""
    (node,) = ast.parse(text).body
    node.plain = True  # type: ignore[attr-defined]
    return [node]


# --- loops that follow each other


def blocked(body: Body) -> Body:
    """Loops in a row as one, over blocks that stay in the cache."""
    done: Body = []
    run = _Run()
    for node in body:
        if not run.takes(node):
            done += run.written()
            run = _Run()
            if not run.takes(node):
                done.append(node)
    return done + run.written()


class _Run:
    """Loops, and what is to be computed before and after them."""

    def __init__(self) -> None:
        self.nodes: Body = []
        self.loops: list[ast.For] = []
        self.before: Body = []
        self.after: Body = []
        self.used: set[str] = set()  # by the loops
        self.later: set[str] = set()  # known after the loops

    def takes(self, node: ast.stmt) -> bool:
        """Whether a statement can be a part of it, which it is then."""
        bound = {
            n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        } - {"_i"}
        read = _names(node) - bound
        if isinstance(node, ast.For) and ast.unparse(node.iter) == "range(_n)":
            if read & self.later or bound & self.later:
                return False
            self.loops.append(node)
            self.used |= read
            self.later |= bound  # a sum
        elif getattr(node, "plain", False):
            if _names(node) & self.later:
                if bound & self.used:
                    return False
                self.after.append(node)
                self.later |= bound
            elif bound & self.used:
                return False
            else:
                self.before.append(node)
        else:
            return False
        self.nodes.append(node)
        return True

    def written(self) -> Body:
        if len(self.loops) < 2:
            return self.nodes
        for loop in self.loops:
            loop.iter = ast.parse("range(_begin, _end)", mode="eval").body
        block: Any = _code(
            f"for _first in range(0, _n, {BLOCK}):\n"
            " _begin = _unsigned(_first)\n"  # an index that need not be tested for its sign
            f" _end = _unsigned(min(_first + {BLOCK}, _n))"
        )
        block[0].body += self.loops
        return [*self.before, *block, *self.after]
