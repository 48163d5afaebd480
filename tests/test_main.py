"""The command line: what it prints, what it draws, how it ends."""

import ast
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import textwrap

import pytest

from scipy_gd import METHODS, compare, problems
from scipy_gd.__main__ import main
from scipy_gd.methods import GENERAL
from scipy_gd.solvers import SCIPY, USUAL
from scipy_gd.study import comparison

QUICK = ["compare", "--methods", "gd", "BFGS", "--maxfev", "90"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "taken").touch()


def test_tables_checks_and_picture(capsys, tmp_path):
    assert main([*QUICK, "-n", "2", "5"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("rosenbrock, n = 2, min f = 0\nmethod  nit")
    assert out.count("method  nit  nfev") == 2
    assert out.endswith("saved comparison.png\n")
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
    assert err == ""


def test_a_terminal_is_told_how_it_goes(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # without tqdm
    assert main([*QUICK, "-n", "2", "5", "--no-plot"]) == 0
    out, err = capsys.readouterr()
    assert "rosenbrock, n = 5: gradient check: ok" in err
    assert "rosenbrock, n = 5: 2/2 BFGS" in err
    assert "check" not in out and "2/2" not in out


def test_json_alone_on_stdout(capsys):
    assert main([*QUICK, "--json", "--no-plot"]) == 0
    out, err = capsys.readouterr()
    tables = json.loads(out)
    assert [table["n"] for table in tables] == [2, 10, 100]
    assert [row["method"] for row in tables[0]["rows"]] == ["BFGS", "gd"]
    row = tables[0]["rows"][1]
    assert row["nfev"] + row["njev"] == 90
    assert err == ""


def test_a_dozen_of_ours_by_default_and_all_if_asked_for(capsys):
    command = ["compare", "-n", "2", "--maxfev", "90", "--no-plot", "--json"]
    assert main(command) == 0
    (table,) = json.loads(capsys.readouterr().out)
    names = {row["method"] for row in table["rows"]}
    assert set(USUAL) < names
    ours = names - set(USUAL)
    assert {"gd", "momentum", "adam", "lbfgs", "newton"} < ours < set(GENERAL)
    assert len(ours) == 12
    assert main([*command, "--all"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert {row["method"] for row in table["rows"]} == {*GENERAL, *SCIPY}


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_success_comes_first_and_then_the_fewest_evaluations(json_, capsys):
    """The methods are given in the wrong order, and the cheapest has failed."""
    methods = ["random_search", "gd", "adgd", "BFGS", "lbfgs"]
    command = ["compare", "-n", "10", "--methods", *methods, "--maxfev", "1500", "--no-plot"]
    assert main([*command, *json_]) == 0
    out = capsys.readouterr().out
    if not json_:
        names = [line.split()[0] for line in out.splitlines()[3:8]]
        assert names == ["lbfgs", "BFGS", "gd", "adgd", "random_search"]
        assert "* found another minimum" in out and " yes*" in out.splitlines()[4]
        return
    rows = json.loads(out)[0]["rows"]
    places = [(not r["success"], r["nfev"] + r["njev"], r["f"]) for r in rows]
    assert places == sorted(places)
    assert [r["method"] for r in rows if r["another_minimum"]] == ["BFGS"]


@pytest.mark.parametrize("processes", [False, True])
def test_on_a_new_machine_all_cores_compile_first(processes, capsys, monkeypatch):
    shared = []

    def in_this_one(call, shares):
        shared.extend(shares)
        return map(call, shares)

    monkeypatch.setattr("scipy_gd._cli.compare.COLD", 0.0)
    if not processes:
        here = contextlib.nullcontext(in_this_one)
        monkeypatch.setattr("scipy_gd._cli.compare.mapping", lambda workers: here)
    assert main([*QUICK, "-n", "2", "--no-plot"]) == 0
    assert capsys.readouterr().out.count("method  nit  nfev") == 1
    assert processes or sorted(name for share in shared for name in share) == ["BFGS", "gd"]


def test_picture_goes_where_it_is_told(tmp_path):
    assert main([*QUICK, "-n", "2", "--output", "new/folder"]) == 0
    assert main([*QUICK, "-n", "2", "--output", "other/a.svg"]) == 0
    assert main([*QUICK, "-n", "2", "--no-plot"]) == 0
    files = {str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*.*")}
    assert files == {"new/folder/comparison.png", "other/a.svg"}
    assert "<svg" in (tmp_path / "other/a.svg").read_text()


def test_a_picture_of_the_default_name_gets_a_number_if_there_is_one(capsys, tmp_path):
    (tmp_path / "comparison.png").write_text("a year of work")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "comparison.png").write_text("the same")
    for k in 2, 3:
        assert main([*QUICK, "-n", "2"]) == 0
        assert capsys.readouterr().out.endswith(f"saved comparison-{k}.png\n")
        assert (tmp_path / f"comparison-{k}.png").stat().st_size > 10_000
    assert main([*QUICK, "-n", "2", "--output", "new"]) == 0
    assert (tmp_path / "comparison.png").read_text() == "a year of work"
    assert (tmp_path / "new" / "comparison.png").read_text() == "the same"
    assert main([*QUICK, "-n", "2", "--overwrite"]) == 0
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
    assert not (tmp_path / "comparison-4.png").exists()


def test_a_picture_of_a_name_of_yours_is_refused_before_any_work(capsys, tmp_path, monkeypatch):
    taken = tmp_path / "mine.png"
    taken.write_text("a year of work")
    with monkeypatch.context() as m:
        m.setattr("scipy_gd._cli.compare.compare", None)
        with pytest.raises(SystemExit) as caught:
            main([*QUICK, "--output", "mine.png"])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and "--output: mine.png exists; choose another name, or add --overwrite" in err
    assert taken.read_text() == "a year of work"
    assert main([*QUICK, "-n", "2", "--output", "mine.png", "--overwrite"]) == 0
    assert taken.stat().st_size > 10_000


def test_a_picture_that_has_come_in_the_meantime_is_kept(capsys, tmp_path, monkeypatch):
    def meanwhile(*args, **options):
        (tmp_path / "mine.png").write_text("of somebody else")
        return compare(*args, **options)

    monkeypatch.setattr("scipy_gd._cli.compare.compare", meanwhile)
    assert main([*QUICK, "-n", "2", "--output", "mine.png"]) == 0
    assert capsys.readouterr().out.endswith("saved mine-2.png\n")
    assert (tmp_path / "mine.png").read_text() == "of somebody else"


def test_start_and_seed(capsys):
    main([*QUICK, "--no-plot", "--json", "--start", "-1e-1", "1", "0"])
    (table,) = json.loads(capsys.readouterr().out)
    assert table["n"] == 3
    figures = []
    for seed in "0", "0", "1":
        args = ["-n", "4", "--seed", seed, "--no-plot", "--json"]
        main(["compare", "quadratic", *QUICK[1:], *args])
        figures.append(json.loads(capsys.readouterr().out)[0]["rows"][0]["f"])
    assert figures[0] == figures[1] != figures[2]


@pytest.mark.parametrize("name", problems.PROBLEMS)
def test_every_problem_runs(name, capsys):
    size = ["-n", "2"] if name in ("rosenbrock", "quadratic") else []
    assert main(["compare", name, *QUICK[1:], *size, "--no-plot"]) == 0
    assert name in capsys.readouterr().out


def test_wrong_gradient_ends_before_the_runs(capsys, monkeypatch):
    good = problems.beale()
    wrong = dataclasses.replace(good, jac=lambda x: 2 * good.jac(x))
    monkeypatch.setitem(problems.PROBLEMS, "beale", lambda: wrong)
    assert main(["compare", "beale", *QUICK[1:]]) == 1
    out, err = capsys.readouterr()
    assert "analytic = 2 * numeric" in err
    assert out == ""


# --- functions of the user's


MINE = """
import numpy as np
from scipy_gd.problems import beale

RATE = 3.0
valley = beale()

def chi2(p):
    a, b = p
    return (a - 1)**2 + 10 * (b - a * a)**2

def slope(p):
    a, b = p
    return np.array([2 * (a - 1) - 40 * a * (b - a * a), 20 * (b - a * a)])

def twice(p):
    return 2 * slope(p)

def both(p):
    return chi2(p), slope(p)

def short(p):
    return slope(p)[:1]

def model(p, data):
    return 0.0

class fits:
    chi2 = staticmethod(chi2)
"""
START = ["--start", "-1", "2e0"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module in the current directory, forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("import scipy.nothing")
    (tmp_path / "other.py").write_text("import nothing_of_this_name")
    yield
    for name in "mine", "broken", "other":
        sys.modules.pop(name, None)


def test_what_a_function_prints_is_not_among_the_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = "def f(x):\n    print('simulating')\n    return x @ x\n"
    (tmp_path / "loud.py").write_text(text)
    command = ["compare", "loud:f", *START, "--methods", "lbfgs", "--no-plot", "--json"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert "simulating" in err
    sys.modules.pop("loud")


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("jac", [[], ["--jac", "mine:slope"]])
@pytest.mark.parametrize("name", ["mine:chi2", "mine:fits.chi2"])
def test_functions_of_a_module_are_compared(jac, name, capsys):
    command = ["compare", name, *START, *jac, "--methods", "lbfgs", "L-BFGS-B", "--no-plot"]
    assert main([*command, "--json", "--bounds", "-inf", "0.5", "-1e3", "inf"]) == 0
    out, err = capsys.readouterr()
    (table,) = json.loads(out)
    assert (table["problem"], table["n"]) == ("chi2", 2)
    for row in table["rows"]:
        assert row["x"] == pytest.approx([0.5, 0.25], abs=1e-4)
        assert (row["njev"] > 0) == bool(jac)
    assert err == ""


@pytest.mark.usefixtures("mine")
def test_a_problem_of_a_module_brings_all_along(capsys):
    assert main(["compare", "mine:valley", "--methods", "lbfgs", "--no-plot", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["problem"] == "beale" and table["rows"][0]["distance"] < 1e-4


@pytest.mark.usefixtures("mine")
def test_value_and_gradient_in_one(capsys):
    command = ["compare", "mine:both", "--jac", "true", *START, "--methods", "lbfgs", "--no-plot"]
    assert main([*command, "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["rows"][0]["nfev"] == table["rows"][0]["njev"] > 5


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere:f"], "PROBLEM: there is no module 'nowhere' in .*, nor is it installed"),
        (["mine.py:chi2"], "no module 'mine.py' .*: name the module 'mine', not the file"),
        (["broken:f"], "the import of 'broken' failed with ModuleNotFoundError: .*scipy.nothing"),
        (["other:f"], "the import of 'other' failed with ModuleNotFoundError"),
        (["mine:chi"], "'mine' has no 'chi'; its functions are chi2, slope, .*fits"),
        (["mine:RATE"], "PROBLEM: mine:RATE must be a function, got 3.0"),
        (["mine:chi2"], "--start: a function of your own needs one"),
        (["mine:chi2", *START, "-n", "2"], "-n: the size of this problem is that of its start"),
        (["mine:chi2", "--start", "1"], "chi2 fails at the start, an array of 1 .*not enough"),
        (["mine:chi2", "--start", "1", "2", "3"], "an array of 3 numbers: ValueError: too many"),
        (["mine:model", *START], "missing 1 required positional argument: 'data'"),
        (["mine:both", *START], "must return a scalar value .*, got tuple"),
        (["mine:chi2", *START, "--jac", "mine:short"], r"shape \(2,\), got shape \(1,\)"),
        (["mine:chi2", *START, "--jac", "true"], r"must return \(value, gradient\)"),
        (["mine:chi2", *START, "--jac", "slope"], "--jac: must be module:function or true"),
        (["mine:chi2", *START, "--jac", "mine:no"], "--jac: the module 'mine' has no 'no'"),
        (["mine:chi2", *START, "--bounds", "0", "1", "2"], "--bounds: must be pairs LOW HIGH"),
        (["mine:chi2", *START, "--bounds", "2", "1"], "--bounds: An upper bound is less"),
        (["mine:chi2", *START, "--bounds", *"010101"], "--bounds: The number of bounds"),
        (["mine:chi2", *START, "--bounds", "0", "9"], "--start: outside the bounds"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "sweep", "check-grad"])
def test_what_is_wrong_with_a_function_is_said(command, arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, *arguments])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(message, err), err


# --- the other commands


@pytest.mark.usefixtures("mine")
def test_check_grad_tells_right_from_wrong(capsys):
    good = ["check-grad", "mine:chi2", *START, "--jac", "mine:slope"]
    bad = [*good[:-1], "mine:twice"]
    assert main(good) == 0
    assert capsys.readouterr().out.startswith("chi2, n = 2: gradient check: ok (10 ok")
    assert main([*good, "--points", "2", "--json"]) == 0
    (check,) = json.loads(capsys.readouterr().out)
    assert check["ok"] and len(check["components"]) == 4
    assert main(bad) == 1
    assert "analytic = 2 * numeric" in capsys.readouterr().out
    assert main([*bad, "--json"]) == 1
    (check,) = json.loads(capsys.readouterr().out)
    assert not check["ok"] and check["components"][0]["verdict"] == "wrong"
    assert main(["check-grad", "himmelblau"]) == 0
    with pytest.raises(SystemExit):
        main(["check-grad", "mine:chi2", *START])
    assert "--jac: there is no gradient to check" in capsys.readouterr().err


@pytest.mark.usefixtures("mine")
def test_sweep(capsys):
    command = ["sweep", "mine:chi2", "--jac", "mine:slope", *START, "--no-plot"]
    grid = [
        "--learning-rate",
        "1e-3",
        "0.1",
        "auto",
        "--set",
        "beta1",
        "0.5",
        "0.9",
        "--seeds",
        "2",
    ]
    assert main([*command, *grid, "--methods", "adam", "gd", "--json", "--workers", "2"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["problem"], data["n"]) == ("chi2", 2)
    assert [(r["method"], r["learning_rate"], r.get("beta1"), r["seed"]) for r in data["runs"]] == [
        *(("adam", a, b, s) for a in (1e-3, 0.1, "auto") for b in (0.5, 0.9) for s in (0, 1)),
        *(("gd", a, None, s) for a in (1e-3, 0.1, "auto") for s in (0, 1)),
    ]
    best = min((r for r in data["runs"] if r["success"]), key=lambda r: r["nfev"] + r["njev"])
    assert data["best"]["method"] == best["method"]
    assert data["best"]["options"]["learning_rate"] == best["learning_rate"]
    assert main([*command, "--learning-rate", "0.1", "--maxiter", "3"]) == 1
    out = capsys.readouterr().out
    assert "chi2, n = 2, best: adam" in out and "increase `maxiter`" in out


@pytest.mark.usefixtures("mine")
def test_options_of_a_sweep_have_their_types(capsys):
    command = ["sweep", "mine:chi2", "--jac", "mine:slope", *START, "--no-plot", "--json"]
    flags = ["--set", "maxiter_is_success", "true", "--set", "eps", "1e-8", "--set", "maxfev", "4"]
    assert main([*command, "--learning-rate", "0.1", *flags, "--maxiter", "2"]) == 0
    options = json.loads(capsys.readouterr().out)["best"]["options"]
    assert (options["maxiter_is_success"], options["eps"], options["maxfev"]) == (True, 1e-8, 4)


def test_nothing_converged():
    assert main(["compare", "-n", "2", "--methods", "gd", "--maxfev", "10", "--no-plot"]) == 1


def test_methods_lists_every_one(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == [*METHODS]
    adam = lines.index(next(line for line in lines if line.startswith("adam ")))
    assert lines[adam].endswith("Adam: bias-corrected averages of the gradient and of its square.")
    assert lines[adam + 1].split(maxsplit=1)[0] == "learning_rate=auto"
    assert "(0.001), beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0" in lines[adam + 1]
    assert main(["methods", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    for one, (name, method) in zip(data, METHODS.items(), strict=True):
        assert (one["method"], one["options"]) == (name, dict(method.hyper))
        assert one["published_learning_rate"] == method.constant


def test_show_has_formula_options_and_source(method, capsys):
    assert main(["show", method.__name__]) == 0
    out = capsys.readouterr().out
    assert textwrap.indent(method.source, "    ") in out
    assert main(["show", method.__name__, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["formula"] == method.source
    assert [*data["meaning"]] == ["learning_rate", *method.hyper]
    for name in data["meaning"]:
        assert f"    {name}, default " in out
        assert len(data["meaning"][name]) > 20
    assert data["references"].replace("\n", " ") in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["compare", "x"], "PROBLEM: 'x' is neither one of rosenbrock, .* nor a module:function"),
        (["compare", "--methods", "adamm"], "--methods: invalid choice: 'adamm' .*adam.*BFGS"),
        (["compare", "-n", "0"], "-n: must be above 0, got 0"),
        (["compare", "-n", "1"], "-n: `n` must be .* at least 2, got 1"),
        (["compare", "-n", "two"], "-n: invalid int value: 'two'"),
        (["compare", "beale", "-n", "3"], "-n: beale has n = 2 only"),
        (["compare", "--start", "1", "2", "-n", "2", "3"], "--start: 2 numbers for n = 3"),
        (["compare", "saddle", "--start", "3", "0"], "--start: outside the bounds"),
        (["compare", "--maxtime", "nan"], "--maxtime: must be above 0, got nan"),
        (["compare", "--output", "a.xyz"], "--output: unknown format .xyz; known: .*png"),
        (["compare", "--output", "taken/a.png"], "--output: .*taken"),
        (["sweep"], "required: PROBLEM"),
        (["sweep", "rosenbrock", "-n", "2", "3"], "-n: only one size at a time"),
        (
            ["sweep", "rosenbrock", "--learning-rate", "-1"],
            "--learning-rate: `RATE` must be above 0",
        ),
        (["sweep", "rosenbrock", "--set", "beta3", "1"], "beta3 is not an option of adam"),
        (["sweep", "rosenbrock", "--set", "beta1"], "`beta1` must have at least one value"),
        (["sweep", "rosenbrock", "--set", "workers", "2"], "workers is not an option of adam"),
        (["sweep", "rosenbrock", "--set", "callback", "x"], "callback is not an option of adam"),
        (["sweep", "rosenbrock", "--set", "method", "gd"], "method is not an option of adam"),
        (["compare", "--seed", "-1"], "--seed: must be at least 0, got -1"),
        (["check-grad", "rosenbrock", "--seed", "-1"], "--seed: must be at least 0, got -1"),
        (["sweep", "rosenbrock", "--workers", "-2"], "`workers` must be a positive int"),
        (["sweep", "rosenbrock", "--methods", "BFGS"], "--methods: invalid choice: 'BFGS'"),
        (["show", "adamm"], "METHOD: invalid choice: 'adamm' .*adam"),
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

    monkeypatch.setattr("scipy_gd._cli.compare.compare", interrupted)
    assert main([*QUICK, "--no-plot"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_without_matplotlib_there_are_tables_and_a_word(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*QUICK, "-n", "2"]) == 0
    out, err = capsys.readouterr()
    assert "nfev" in out
    assert "pip install matplotlib" in err


# --- eighty columns, pipes


WIDE = [
    ["--help"],
    *([name, "--help"] for name in ("compare", "sweep", "check-grad", "methods", "show")),
    ["methods"],
    ["compare", "--all", "-n", "10", "--maxfev", "40", "--maxtime", "0.2", "--no-plot"],
    ["compare", "logistic_regression", "--methods", "schedule_free_adamw", "L-BFGS-B", "--no-plot"],
    ["sweep", "rosenbrock", "--maxiter", "9", "--seeds", "3", "--no-plot", "--methods", "adam",
     "schedule_free_adamw", "--set", "beta1", "0.123456789", "--set", "eps", "1.23456e-8", "1e-9",
     "--set", "weight_decay", "0", "1.5"],
    ["sweep", "rosenbrock", "--maxiter", "9", "--no-plot"],
    ["check-grad", "wide:a_function_with_quite_a_long_name", "--jac", "wide:wrong", "--start"]
    + ["123456.7"] * 12,
]  # fmt: skip


@pytest.mark.parametrize("command", WIDE, ids=" ".join)
def test_nothing_is_wider_than_80_columns(command, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = "a_function_with_quite_a_long_name"
    text = f"def {name}(x):\n    return x @ x\ndef wrong(x):\n    return 4 * x\n"
    (tmp_path / "wide.py").write_text(text)
    with contextlib.suppress(SystemExit):
        main(command)
    sys.modules.pop("wide", None)
    out, _ = capsys.readouterr()
    assert out.count("\n") > 3
    assert max(map(len, out.splitlines())) <= 80
    head = next((line for line in out.splitlines() if " nfev" in line), "nfev f ok")
    assert {"nfev", "f", "ok"} <= set(head.split())


def test_a_method_is_shown_in_80_columns(method, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    assert main(["show", method.__name__]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    _, _, below = out.partition("is returned first:\n\n")
    formula = below[: below.index("\n\nOptions")]
    shown, given = (ast.dump(ast.parse(textwrap.dedent(s))) for s in (formula, method.source))
    assert shown == given


def test_in_a_narrow_terminal_the_messages_are_below(capsys, monkeypatch):
    command = [*QUICK, "-n", "2", "--no-plot"]
    assert main(command) == 0
    assert "message" in capsys.readouterr().out
    monkeypatch.delenv("COLUMNS")
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "message" not in out
    assert out.splitlines()[-1] == "no: budget: 90 evaluations (gd)"


def test_a_pipe_gets_the_table_alone():
    command = [sys.executable, "-m", "scipy_gd", *QUICK, "-n", "2", "--no-plot"]
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.stderr == ""
    assert done.stdout.startswith("rosenbrock, n = 2, min f = 0\nmethod")
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of a POSIX shell")
def test_a_pipe_that_is_closed_early_is_no_traceback():
    command = f"{sys.executable} -m scipy_gd methods | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("gd ")
    assert done.stderr == ""


# --- a file for finished runs


KEPT = [*QUICK, "-n", "2", "3", "--no-plot", "--checkpoint", "kept.npz"]


def test_finished_runs_are_not_run_again(capsys, monkeypatch):
    assert main(KEPT) == 0
    first = capsys.readouterr().out
    with monkeypatch.context() as m:
        m.setattr("scipy_gd.study.comparison._solve", lambda *_: pytest.fail("run again"))
        assert main(KEPT) == 0
    assert capsys.readouterr().out == first  # the times too
    solved = []

    def watched(task, solver, *rest):
        solved.append((task.x0.size, solver.label))
        return solve(task, solver, *rest)

    solve = comparison._solve
    monkeypatch.setattr("scipy_gd.study.comparison._solve", watched)
    assert main([*KEPT, "--methods", "gd", "CG", "BFGS"]) == 0
    assert set(solved) == {(2, "CG"), (3, "CG")}


def test_finished_runs_of_a_sweep_are_not_run_again(capsys, monkeypatch):
    command = ["sweep", "rosenbrock", "--maxiter", "9", "--no-plot", "--checkpoint", "kept.npz"]
    assert main([*command, "--learning-rate", "0.1", "0.2"]) == 1
    assert main([*command, "--learning-rate", "0.1", "0.2", "0.3", "--seeds", "2", "--json"]) == 1
    again = capsys.readouterr().out
    with monkeypatch.context() as m:
        m.setattr("scipy_gd.study.sweep._outcome", lambda *_: pytest.fail("run again"))
        command = [*command, "--learning-rate", "0.1", "0.2", "0.3", "--seeds", "2", "--json"]
        assert main(command) == 1
    assert again.endswith(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["compare", "beale"], "kept.npz belongs to another problem, rosenbrock, not to beale"),
        (["sweep", "rosenbrock"], "kept.npz is a checkpoint of `compare`, not of `sweep`"),
    ],
)  # fmt: skip
def test_a_file_of_something_else_is_refused_by_name(command, message, capsys, tmp_path):
    assert main(KEPT) == 0
    before = (tmp_path / "kept.npz").read_bytes()
    with pytest.raises(SystemExit) as caught:
        main([*command, "--no-plot", "--checkpoint", "kept.npz"])
    assert caught.value.code == 2
    assert f"argument --checkpoint: {message}" in capsys.readouterr().err
    assert (tmp_path / "kept.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text.npz", "--checkpoint: text.npz is not a scipy_gd checkpoint, or is damaged"),
        ("nowhere/kept.npz", "--checkpoint: nowhere/kept.npz: cannot be written (No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_found_before_any_work(
    name, message, capsys, tmp_path, monkeypatch
):
    (tmp_path / "text.npz").write_text("my notes")
    monkeypatch.setattr("scipy_gd._cli.problem.given", None)
    with pytest.raises(SystemExit) as caught:
        main(["compare", "--no-plot", "--checkpoint", name])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "text.npz").read_text() == "my notes"


def test_interrupt_says_where_the_finished_runs_are(monkeypatch, capsys):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("scipy_gd._cli.compare.compare", interrupted)
    assert main(KEPT) == 130
    assert "continues from the finished runs in kept.npz" in capsys.readouterr().err


def test_as_a_module():
    command = [sys.executable, "-W", "error", "-m", "scipy_gd", *QUICK, "-n", "2", "--no-plot"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "BFGS" in done.stdout


def test_the_package_leaves_scipy_to_its_user():
    """`main` sets the number of BLAS threads, which SciPy reads when it is loaded."""
    program = "import scipy_gd, sys; assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
