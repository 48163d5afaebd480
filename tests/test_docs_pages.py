"""The pages of the site: their code runs, their commands work, and every method has its page."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import scipy_gd
from scipy_gd import METHODS, _options, schedules
from scipy_gd.__main__ import main
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


def test_every_method_has_advice(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import advice

    assert set(advice.ADVICE) == set(METHODS)
    for works, fails in advice.ADVICE.values():
        assert works.endswith(".") and fails.endswith(".")
    sys.modules.pop("advice")


def test_pages_name_only_options_methods_and_files_that_exist():
    known = {*dir(scipy_gd), *_options.COMMON, *_options.HYPER, *schedules.__all__}
    for name, text in PAGES.items():
        for word in re.findall(r"options=\{[^}]*\}", text):
            for option in re.findall(r'"(\w+)":', word):
                assert option in known, (name, option)
