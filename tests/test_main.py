"""The command line: what it prints, what it draws, how it ends."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest

from scipy_gd import METHODS, problems
from scipy_gd.__main__ import main
from scipy_gd._compare import DEFAULT

QUICK = ["compare", "--methods", "gd", "BFGS", "--maxfev", "60"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_tables_checks_and_picture(capsys, tmp_path):
    assert main([*QUICK, "-n", "2", "5"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("rosenbrock, n = 2: gradient check: ok")
    assert "rosenbrock, n = 5: gradient check: ok" in out
    assert out.count("method  nit  nfev") == 2
    assert out.endswith("saved comparison.png\n")
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
    assert "rosenbrock, n = 5: 2/2 BFGS" in err


def test_json_alone_on_stdout(capsys):
    assert main([*QUICK, "--json", "--no-plot"]) == 0
    out, err = capsys.readouterr()
    tables = json.loads(out)
    assert [table["n"] for table in tables] == [2, 10, 100]
    assert [row["method"] for row in tables[0]["rows"]] == ["gd", "BFGS"]
    row = tables[0]["rows"][0]
    assert row["nfev"] + row["njev"] == 60
    assert "gradient check: ok" in err


def test_all_methods_by_default(capsys):
    assert main(["compare", "-n", "2", "--maxfev", "20", "--no-plot", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in table["rows"]] == [*METHODS, *DEFAULT]


def test_picture_goes_where_it_is_told(tmp_path):
    assert main([*QUICK, "-n", "2", "--output", "new/folder"]) == 0
    assert main([*QUICK, "-n", "2", "--output", "other/a.svg"]) == 0
    assert main([*QUICK, "-n", "2", "--no-plot"]) == 0
    files = {str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*.*")}
    assert files == {"new/folder/comparison.png", "other/a.svg"}


def test_start_and_seed(capsys):
    assert main([*QUICK, "--no-plot", "--json", "--start", "-1.2", "1", "0"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["n"] == 3
    figures = []
    for seed in "0", "0", "1":
        args = ["--problem", "quadratic", "-n", "4", "--seed", seed, "--no-plot", "--json"]
        main([*QUICK, *args])
        figures.append(json.loads(capsys.readouterr().out)[0]["rows"][0]["f"])
    assert figures[0] == figures[1] != figures[2]


@pytest.mark.parametrize("name", problems.PROBLEMS)
def test_every_problem_runs(name, capsys):
    size = ["-n", "3"] if name in ("rosenbrock", "quadratic") else []
    assert main([*QUICK, "--problem", name, *size, "--no-plot"]) == 0
    assert name in capsys.readouterr().out


def test_wrong_gradient_ends_before_the_runs(capsys, monkeypatch):
    good = problems.beale()
    wrong = dataclasses.replace(good, jac=lambda x: 2 * good.jac(x))
    monkeypatch.setitem(problems.PROBLEMS, "beale", lambda: wrong)
    assert main([*QUICK, "--problem", "beale"]) == 1
    out, err = capsys.readouterr()
    assert "analytic = 2 * numeric" in out
    assert "nfev" not in out
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["compare", "--problem", "x"], "--problem: invalid choice: 'x' .*rosenbrock"),
        (["compare", "--methods", "adamm"], "--methods: invalid choice: 'adamm' .*adam.*BFGS"),
        (["compare", "-n", "0"], "-n: must be above 0, got 0"),
        (["compare", "-n", "1"], "-n: n must be .* at least 2, got 1"),
        (["compare", "-n", "two"], "-n: invalid int value: 'two'"),
        (["compare", "--problem", "beale", "-n", "3"], "-n: beale has n = 2 only"),
        (["compare", "--start", "1", "2", "-n", "2", "3"], "--start: 2 numbers for n = 3"),
        (["compare", "--problem", "saddle", "--start", "3", "0"], "--start: outside the bounds"),
        (["compare", "--maxtime", "nan"], "--maxtime: must be above 0, got nan"),
        (["compare", "--output", "a.xyz"], "--output: no format .xyz; there are .*png"),
        (["compare", "--output", "/dev/null/a.png"], "--output: .*/dev/null"),
    ],
)
def test_bad_arguments_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_interrupt_is_no_traceback(monkeypatch, capsys):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("scipy_gd.__main__.compare", interrupted)
    assert main([*QUICK, "--no-plot"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_without_matplotlib_there_are_tables_and_a_word(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*QUICK, "-n", "2"]) == 0
    out, err = capsys.readouterr()
    assert "nfev" in out
    assert "pip install scipy_gd[plot]" in err


def test_as_a_module():
    command = [sys.executable, "-W", "error", "-m", "scipy_gd", *QUICK, "-n", "2", "--no-plot"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "BFGS" in done.stdout
