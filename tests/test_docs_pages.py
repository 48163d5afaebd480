"""The pages of the site: their code runs, their commands work, and every method has its page."""

import ast
import importlib
import re
import shlex
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from fontTools.ttLib import TTFont

import scipy_gd
from scipy_gd import METHODS, schedules
from scipy_gd.__main__ import main
from scipy_gd._core import endings
from tests.test_docs import check_examples

mpl.use("agg")
ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {
    str(page.relative_to(DOCS)): page.read_text()
    for page in sorted(DOCS.rglob("*.rst"))
    if "generated" not in page.parts
}
SHELL = re.compile(r"^\.\. code-block:: sh\n\n((?:   .*\n|\n)+)", re.MULTILINE)


@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if ">>>" in text])
def test_code_of_a_page_runs(name):
    assert check_examples(PAGES[name], name) > 0
    plt.close("all")


def test_all_python_of_the_pages_is_run_or_read_from_a_file():
    for name, text in PAGES.items():
        assert "code-block:: python" not in text, name


def commands():
    lines = [
        line.strip()
        for text in PAGES.values()
        for b in SHELL.findall(text)
        for line in b.split("\n")
    ]
    return [line for line in lines if line.startswith("python -m scipy_gd")]


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_pages_work(command, tmp_path, monkeypatch, capsys):
    shutil.copy(ROOT / "examples" / "fit.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(shlex.split(command)[3:]) == 0
    assert len(capsys.readouterr().out) > 100
    sys.modules.pop("fit", None)


def test_there_are_commands():
    assert len(commands()) >= 8


def test_the_reference_has_every_public_name():
    """Those of modules by `automodule`, methods on pages of their own."""
    listed = set(re.findall(r":: (?:scipy_gd\.)?(\w+)$", PAGES["api.rst"], re.MULTILINE))
    assert set(scipy_gd.__all__) - set(METHODS) == listed & set(scipy_gd.__all__)


def test_files_that_pages_include_exist():
    for name, text in PAGES.items():
        for path in re.findall(r"(?:include|image):: (\S+)", text):
            if "generated" not in path:
                assert ((DOCS / name).parent / path).exists(), (name, path)


def test_every_ending_has_one_place_where_its_cure_is_told():
    names = re.findall(r"^\.\. ending:: (.+)$", PAGES["guides/when-it-fails.rst"], re.MULTILINE)
    told = [getattr(endings, name) for line in names for name in line.split()]
    assert sorted(told) == sorted(endings.ENDINGS)


def test_nothing_says_that_the_package_can_be_installed_from_pypi():
    """It is not there yet: then this test goes, and the pages may say so."""
    sources = {path: path.read_text() for path in Path(scipy_gd.__file__).parent.rglob("*.py")}
    for name, text in [*PAGES.items(), *sources.items()]:
        assert not re.search(r"pip install \"?scipy_gd", text), name


@pytest.mark.parametrize("path", sorted((DOCS / "inventories").iterdir()), ids=lambda p: p.stem)
def test_what_the_pages_refer_to_exists(path):
    lines = path.read_text().splitlines()
    assert lines[0] == "# Sphinx inventory version 1"
    for name, _, location in map(str.split, lines[3:]):
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
        assert location.endswith(".html")


def test_every_method_has_advice(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import advice

    assert set(advice.ADVICE) == set(METHODS)
    for works, fails in advice.ADVICE.values():
        assert works.endswith(".") and fails.endswith(".")
    sys.modules.pop("advice")


def test_pages_name_only_options_methods_and_files_that_exist():
    own = {name for method in METHODS.values() for name in method.options}
    known = {*dir(scipy_gd), *own, *schedules.__all__}
    for name, text in PAGES.items():
        for word in re.findall(r"options=\{[^}]*\}", text):
            for option in re.findall(r'"(\w+)":', word):
                assert option in known, (name, option)


def italic(letter):
    """The character that browsers show for a variable of one letter."""
    if letter == "h":
        return 0x210E
    first, italics = ("a", 0x1D44E) if letter.islower() else ("A", 0x1D434)
    if not letter.isascii():
        first, italics = "\N{GREEK SMALL LETTER ALPHA}", 0x1D6FC
    return italics + ord(letter) - ord(first)


def test_the_font_of_the_site_has_all_characters_of_a_formula(formula, method):
    font = TTFont(DOCS / "static" / "formulas.woff")
    assert "MATH" in font  # or roots do not grow with what is under them
    read = formula.mathml(method)
    variables = re.findall(r"<mi>(\w)</mi>", re.sub(r"<mi>\d</mi>", "", read))
    plain = "".join(ElementTree.fromstring(read).itertext())
    assert {*map(ord, plain), *map(italic, variables)} <= font.getBestCmap().keys()


@pytest.fixture
def formula(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module("formula")
    sys.modules.pop("formula")


def flat(mathml):
    """What is read, with the fractions, powers and indices written out."""
    tree = ElementTree.fromstring(mathml)

    def read(node):
        parts = [read(child) for child in node]
        inside = (node.text or "") + "".join(parts)
        match node.tag:
            case "mfrac":
                return f"({parts[0]})/({parts[1]})"
            case "msup" | "msub":
                return f"{parts[0]}{'^' if node.tag == 'msup' else '_'}{parts[1]}"
            case "msubsup":
                return f"{parts[0]}_{parts[1]}^{parts[2]}"
            case "msqrt":
                return f"sqrt({inside})"
            case "mspace":
                return " "
            case "mtr":
                return inside + "; "
        return inside

    return read(tree).translate({0xA0: " ", ord("\N{MINUS SIGN}"): "-"})


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("a - (b - c)", "a-(b-c)"),
        ("(a + b) * c", "(a+b) c"),
        ("a / b / c * d", "(a d)/(b c)"),
        ("a / (b / c)", "(a c)/(b)"),
        ("beta2**t * g * g", "β_2^t g^2"),
        ("-2 * a / b", "-(2 a)/(b)"),
        ("(a * b) ** 2", "(a b)^2"),
        ("A @ (b / c)", "A ((b)/(c))"),
        ("dot(a - b, g) / dot(g, g)", "((a-b)^Tg)/(‖g‖^2)"),
        ("sqrt(v) + eps", "sqrt(v)+ε"),
        ("1e-8 * a", "10^-8 a"),
        ("max(a, 1 - b) * c", "max(a,1-b)·c"),
        ("a if t == 1 else b", "{aif t = 1; botherwise; "),
        ("S[k % m]", "S_k mod m"),
        ("not a > 0 or b", "not a>0 or b"),
    ],
)
def test_expressions_are_printed_as_they_are_meant(formula, code, read):
    tree = ast.parse(code, mode="eval").body
    assert flat(f"<math>{formula.math(tree)}</math>").replace("t=1", "t = 1") == read


def test_loops_are_printed(formula):
    (loop,) = ast.parse("for j in range(k - 1, m - 1, -1):\n    d -= a").body
    rows = formula.lines(loop, 0)
    assert [(depth, flat(f"<m>{row}</m>")) for depth, row in rows] == [
        (0, "for j=k-1,…,m:"),
        (1, "d←d-a"),
    ]


def test_the_formula_of_a_page_is_the_one_that_runs(formula, method):
    read = flat(formula.mathml(method))
    for name in method.states:
        assert f"{flat('<m>' + formula.symbol(name) + '</m>')}←" in read, name
    assert read.endswith("x←x-η d; ")
    if method.__name__ == "adam":
        assert read == (
            "g←g+weight decay·x; m←β_1 m+(1-β_1) g; v←β_2 v+(1-β_2) g^2; "
            "P←sqrt((v)/(1-β_2^t))+ε; d←(m)/((1-β_1^t) P); x←x-η d; "
        )
