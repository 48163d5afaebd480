"""A method's formula as it would be printed: MathML, which browsers draw without any script."""

import ast
import re
from html import escape

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "eps": "ε", "eta": "η", "theta": "θ", "mu": "μ",
    "nu": "ν", "rho": "ρ",
}  # fmt: skip
NAMES = {"learning_rate": "η", "plus": "+", "minus": "−", "inf": "∞"}
COMPARED = {
    ast.Gt: "&gt;", ast.Lt: "&lt;", ast.GtE: "≥", ast.LtE: "≤", ast.Eq: "=", ast.NotEq: "≠",
}  # fmt: skip
AROUND = {"abs": "|", "norm": "‖"}
SUM, PRODUCT, POWER, ATOM = range(4)
"""How tightly an expression holds together: a looser one within a tighter one gets brackets."""


def mathml(method):
    """The formula of a method, a line for each statement, and the step."""
    body, results = method.body
    rows = [row for statement in body for row in lines(statement, 0)]
    for name, value in zip(("d", *method.states), results, strict=True):
        if not (isinstance(value, ast.Name) and value.id == name):
            rows.append((0, gets(ast.Name(name), value)))
    rows.append((0, gets(ast.Name("x"), ast.parse("x - learning_rate * d").body[0].value)))
    table = "".join(
        f'<mtr><mtd style="text-align: left; padding: 0.25em {2 * depth}em">{row}</mtd></mtr>'
        for depth, row in rows
    )
    return f'<math display="block"><mtable displaystyle="true">{table}</mtable></math>'


def lines(node, depth):
    """What a statement becomes: depths and contents of lines."""
    if isinstance(node, ast.Assign):
        (target,) = node.targets[-1:]
        chain = "".join(math(t) + "<mo>←</mo>" for t in node.targets[:-1])
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = zip(target.elts, node.value.elts, strict=True)
            parts = [gets(*pair) for pair in pairs if ast.unparse(pair[1]) != "x.size"]  # n is n
            return [(depth, f"<mo>,</mo>{text('  ')}".join(parts))]
        return [(depth, chain + gets(target, node.value))]
    if isinstance(node, ast.AugAssign):
        return [(depth, gets(node.target, ast.BinOp(node.target, node.op, node.value)))]
    if isinstance(node, ast.If):
        rows = [(depth, text("if ") + math(node.test) + text(":"))]
        rows += [row for child in node.body for row in lines(child, depth + 1)]
        if node.orelse:
            rows.append((depth, text("otherwise:")))
            rows += [row for child in node.orelse for row in lines(child, depth + 1)]
        return rows
    if isinstance(node, ast.For):
        rows = [(depth, text("for ") + math(node.target) + "<mo>=</mo>" + span(node.iter))]
        return rows + [row for child in node.body for row in lines(child, depth + 1)]
    raise NotImplementedError(ast.unparse(node))


def gets(target, value):
    return math(target) + "<mo>←</mo>" + math(value)


def span(call):
    """The values of a loop over a `range`, upwards or downwards to a limit less 1."""
    one = ast.Constant(1)
    match call.args:
        case [stop]:
            first, last = ast.Constant(0), ast.BinOp(stop, ast.Sub(), one)
        case [first, stop]:
            last = ast.BinOp(stop, ast.Sub(), one)
        case [first, ast.BinOp(left=last, op=ast.Sub(), right=ast.Constant(value=1)), _]:
            pass
    return math(first) + "<mo>,</mo><mo>…</mo><mo>,</mo>" + math(last) + text(":")


def text(words):
    return f"<mtext>{escape(words).replace(' ', chr(160))}</mtext>"


def row(*parts):
    return f"<mrow>{''.join(parts)}</mrow>"


def bracketed(inner, left="(", right=")"):
    return row(f"<mo>{left}</mo>", inner, f"<mo>{right}</mo>")


def symbol(name):
    """A name: Greek where it is, with what follows a _ or is a number as an index."""
    if name in NAMES:
        return f"<mi>{NAMES[name]}</mi>"
    if name.endswith("_squared"):
        return raised(symbol(name.removesuffix("_squared")), "<mn>2</mn>")
    parts = re.match(r"([A-Za-z]+?)(\d*)$", name)
    stem, index = parts.groups() if parts else name.split("_", 1)
    if stem in GREEK or len(stem) == 1:
        base = f"<mi>{GREEK.get(stem, stem)}</mi>"
        index = NAMES.get(index, index.replace("_", " "))
        return f"<msub>{base}<mi>{index}</mi></msub>" if index else base
    return text(name.replace("_", " "))


def math(node, within=SUM):
    """An expression, in brackets if it is looser than what is around it."""
    holds, inner = expression(node)
    return bracketed(inner) if holds < within else inner


def expression(node):
    """How tightly an expression holds together, and its MathML."""
    match node:
        case ast.Name(id=name):
            return ATOM, symbol(name)
        case ast.Constant(value=value):
            return number(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return SUM, row("<mo>−</mo>", math(operand, PRODUCT))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return SUM, text("not ") + math(operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            sign = "+" if isinstance(op, ast.Add) else "−"
            return SUM, row(math(left), f"<mo>{sign}</mo>", math(right, PRODUCT))
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return product(node)
        case ast.BinOp(left=left, op=ast.MatMult(), right=right):
            return POWER, row(math(left, POWER), '<mspace width="0.17em"/>', math(right, POWER))
        case ast.BinOp(left=left, op=ast.Mod(), right=right):
            return PRODUCT, row(math(left, POWER), text(" mod "), math(right, POWER))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            if ast.unparse(right) == "0.5":
                return ATOM, f"<msqrt>{math(left)}</msqrt>"
            return POWER, raised(math(left, ATOM), row(math(right)))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return SUM, row(math(left), f"<mo>{COMPARED[type(op)]}</mo>", math(right))
        case ast.BoolOp(op=op, values=values):
            word = text(" and " if isinstance(op, ast.And) else " or ")
            return SUM, word.join(map(math, values))
        case ast.IfExp():
            return SUM, cases(node)
        case ast.Attribute(value=ast.Name(), attr="size"):
            return ATOM, symbol("n")
        case ast.Attribute(value=value, attr="T"):
            return POWER, f"<msup>{math(value, ATOM)}<mi>T</mi></msup>"
        case ast.Subscript(value=value, slice=ast.Constant(value=0)):
            return ATOM, math(value, ATOM)  # a state that is a number
        case ast.Subscript(value=value, slice=index):
            return ATOM, f"<msub>{math(value, ATOM)}{row(math(index))}</msub>"
        case ast.Call(func=ast.Attribute(value=value, attr="all"), args=[]):
            return SUM, text("all of ") + math(value)
        case ast.Call(func=ast.Attribute(value=value, attr="max"), args=[]):
            return POWER, row(text("max"), bracketed(math(value)))
        case ast.Tuple(elts=elements):
            return ATOM, "<mo>,</mo>".join(map(math, elements))
        case ast.Call(func=ast.Name(id=name), args=args):
            return called(name, args)
    raise NotImplementedError(ast.unparse(node))


def raised(base, exponent):
    """A power; of a name with an index, above the index."""
    if base.startswith("<msub>") and base.count("<msub>") == 1:
        inner = base.removeprefix("<msub>").removesuffix("</msub>")
        return f"<msubsup>{inner}{exponent}</msubsup>"
    return f"<msup>{base}{exponent}</msup>"


def called(name, args):
    """A function of NumPy, or of Python."""
    if name == "sqrt":
        return ATOM, f"<msqrt>{math(args[0])}</msqrt>"
    if name in AROUND:
        mark = f'<mo stretchy="true">{AROUND[name]}</mo>'
        return ATOM, row(mark, math(args[0]), mark)
    if name == "dot":
        first, second = args
        if ast.dump(first) == ast.dump(second):
            return POWER, raised(called("norm", [first])[1], "<mn>2</mn>")
        return PRODUCT, row(f"<msup>{math(first, ATOM)}<mi>T</mi></msup>", math(second, POWER))
    if name == "int":
        return expression(args[0])
    if name == "all":
        return SUM, text("all of ") + math(args[0])
    name = {"maximum": "max", "minimum": "min", "sum": "Σ"}.get(name, name)
    inside = "<mo>,</mo>".join(map(math, args))
    return POWER, row(text(name), bracketed(inside))


def number(value):
    """Powers of ten as such."""
    digits, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        return ATOM, f"<mn>{digits.removesuffix('.0')}</mn>"
    power = f"<msup><mn>10</mn><mn>{str(int(exponent)).replace('-', '−')}</mn></msup>"
    return (
        (POWER, power) if digits == "1" else (PRODUCT, row(f"<mn>{digits}</mn><mo>·</mo>", power))
    )


def product(node):
    """Factors, one beside the other, over those that divide."""
    over, under = factors(node)
    if isinstance(over[0], ast.UnaryOp):
        over[0] = over[0].operand
        return SUM, row("<mo>−</mo>", quotient(over, under))
    return PRODUCT, quotient(over, under)


def quotient(over, under):
    if not under:
        return beside(over)
    return f"<mfrac>{row(beside(over))}{row(beside(under))}</mfrac>"


def factors(node):
    """Those that multiply, and those that divide: a * b / c / d."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult | ast.Div):
        return [node], []
    over, under = factors(node.left)
    more, less = factors(node.right)
    if isinstance(node.op, ast.Div):
        more, less = less, more
    return over + more, under + less


def beside(nodes):
    """A product: equal neighbours as powers, a dot before numbers, no factor 1."""
    groups = []
    for node in nodes:
        if groups and ast.dump(groups[-1][0]) == ast.dump(node):
            groups[-1].append(node)
        else:
            groups.append([node])
    if len(groups) > 1:
        groups = [g for g in groups if not (isinstance(g[0], ast.Constant) and g[0].value == 1)]
    alone = len(groups) == 1 and len(groups[0]) == 1
    found = before = ""
    for group in groups:
        factor = math(group[0], SUM if alone else PRODUCT if len(group) == 1 else ATOM)
        if len(group) > 1:
            factor = raised(factor, f"<mn>{len(group)}</mn>")
        if before:
            dotted = isinstance(group[0], ast.Constant) or "<mtext" in before + factor
            found += "<mo>·</mo>" if dotted else '<mspace width="0.17em"/>'
        found += factor
        before = factor
    return found


def cases(node):
    """A value that depends: by rows, with the conditions beside them."""
    found = []
    while isinstance(node, ast.IfExp):
        found.append((math(node.body), text("if ") + math(node.test)))
        node = node.orelse
    found.append((math(node), text("otherwise")))
    cell = '<mtd style="text-align: left">{}</mtd>'
    body = "".join(f"<mtr>{cell.format(a)}{cell.format(b)}</mtr>" for a, b in found)
    return row('<mo stretchy="true">{</mo>', f"<mtable>{body}</mtable>")
