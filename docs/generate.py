"""Writes what the site shows of the registry: a page and a picture of each method, and tables."""

import re
import shutil
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from advice import ADVICE
from formula import mathml
from scipy.optimize import minimize

from bench._report import RESULTS, saved
from scipy_gd import METHODS, compare, plot
from scipy_gd._core import endings as kinds
from scipy_gd._docs import example
from scipy_gd.endings import ENDINGS
from scipy_gd.problems import beale, himmelblau, logistic_regression, quadratic, rosenbrock

SURFACES = (rosenbrock(), beale())
PROBLEMS = (
    rosenbrock(2),
    rosenbrock(10),
    beale(),
    himmelblau(),
    quadratic(10, condition=1e4, rng=0),
    logistic_regression(),
)
RESIDUALS = {
    "rosenbrock": lambda x: 2**0.5 * np.concatenate((10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1])),
    "beale": lambda x: 2**0.5 * ((1.5, 2.25, 2.625) - x[0] * (1 - x[1] ** np.arange(1, 4))),
    "himmelblau": lambda x: 2**0.5 * np.array([x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7]),
}
"""What the sums of squares among the problems are made of, such that half of the sum is f."""
BUDGET = 10_000
NAMES = {number: name for name, number in vars(kinds).items() if isinstance(number, int)}
"""What the endings are called in the code."""


def everything(folder):
    """Write all of it."""
    (folder / "methods").mkdir(parents=True, exist_ok=True)
    counts = [(p, compare(p, maxfev=BUDGET, check=False)) for p in PROBLEMS]
    for method in METHODS.values():
        picture(method, folder / "methods" / f"{method.__name__}.png")
        text = page(method, counts)
        (folder / "methods" / f"{method.__name__}.rst").write_text(text)
    (folder / "methods" / "index.rst").write_text(index())
    shutil.copytree(RESULTS, folder / "bench", dirs_exist_ok=True)
    (folder / "benchmarks.rst").write_text(benchmarks())
    (folder / "options.rst").write_text(definitions(common()))
    (folder / "endings.rst").write_text(endings())
    (folder / "citation.rst").write_text(citation())


def table(head, rows, style=""):
    """A table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :class: {style}" * bool(style), ""]
    for row in [head, *rows]:
        lines += [f"   {'*' if k == 0 else ' '} - {cell}" for k, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def definitions(options, of=""):
    """A list of options: their names, their defaults if they say something, and what they mean."""
    return "\n".join(
        f".. setting:: {of}{name}{f' = {o.default!r}' * (o.default is not None)}\n\n   {o.doc}\n"
        for name, o in options.items()
    )


def own(method):
    """The options that are a method's own."""
    options = method.options
    return {name: o for name, o in options.items() if o.own or name == "learning_rate"}


def common():
    """The options of every method."""
    return {name: o for name, o in METHODS["gd"].options.items() if not o.own}


def page(method, counts):
    """The page of a method."""
    name, says = method.__name__, method
    works, fails = ADVICE.get(name, ("", ""))
    signature = ", ".join(f"{key}={option.default!r}" for key, option in own(method).items())
    parts = [
        f"{name}\n{'=' * len(name)}",
        f".. py:currentmodule:: scipy_gd\n\n"
        f".. py:function:: {name}(fun, x0, args=(), jac=None, ..., {signature}, **options)\n\n"
        f"   For ``scipy.optimize.minimize(fun, x0, jac=jac, method={name}, options={{...}})``.",
        says.summary,
        says.notes,
        "Example\n-------",
        example(method),
        "Update\n------",
        symbols(method),
        f'.. raw:: html\n\n   <div class="formula">{mathml(method)}</div>',
        "As it is in the source, which is what runs; the direction is returned first, then the "
        "states:",
        f".. code-block:: python\n\n{indent(says.source, '   ')}",
        *(["When it works\n-------------", works] if works else []),
        *(["When it fails\n-------------", fails] if fails else []),
        "What it does\n------------",
        ran(method),
        f".. image:: {name}.png\n   :alt: Paths and convergence of {name} on two functions",
        results(method, counts),
        "Options\n-------",
        definitions(own(method), f"{name}."),
        "And :ref:`those of every method <options>`.",
        "Source\n------",
        says.references,
    ]
    return "\n\n".join(parts) + "\n"


def symbols(method):
    """What stands for what in the formula."""
    given = "the gradient g at the point x" if "g" in method.supplied else "normal numbers z"
    if method.auto == "trust_region":
        return (
            f"With {given}. By default the trust region makes the step, from g and the Hessian, as "
            "described above. With a rate η or another rule (:doc:`/guides/step-sizes`) the step is"
        )
    rule = f", by default that of the rule ``{method.auto}`` (:doc:`/guides/step-sizes`)"
    return f"With {given}, in step t; η is the learning rate{rule if method.auto else ''}."


def rates(method):
    """The learning rates that are drawn, and what they are called."""
    found = {"auto": method.learning_rate} if method.auto else {}
    if method.constant and method.auto != "fixed":  # where "auto" is that constant
        found[f"{method.constant:g}"] = method.constant
    return found


def ran(method):
    said = {"auto": "the automatic step"}
    names = [said.get(name, f"the published rate, {name}") for name in rates(method)]
    return f"On Rosenbrock's and on Beale's function, with {' and with '.join(names)}."


def functions(method, problem):
    """What the method is given: the function and its derivatives, or residuals."""
    if not method.residuals:
        hess = problem.hess if "hess" in method.supplied else None
        return {"fun": problem.fun, "jac": problem.jac, "hess": hess}
    residuals = RESIDUALS[problem.name]

    def jacobian(x):
        columns = [residuals(x + 1e-30j * axis).imag / 1e-30 for axis in np.eye(x.size)]
        return np.array(columns).T

    return {"fun": residuals, "jac": jacobian}


def runs(method, problem):
    """What is drawn: histories by their labels."""
    return {
        f"{method.__name__}, {name}": minimize(
            x0=problem.x0,
            **functions(method, problem),
            method=method,
            options={"learning_rate": rate, "maxfev": 2000, "rng": 0, "history": True},
        )
        for name, rate in rates(method).items()
    }


def picture(method, path):
    """Two paths, two curves."""
    figure, axes = plt.subplots(2, 2, figsize=(9.2, 7.4), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.1)
    for row, problem in zip(axes, SURFACES, strict=True):
        found = runs(method, problem)
        plot.path(found, problem, ax=row[0])
        plot.convergence(found, x="evaluations", minimum=problem.f_min, ax=row[1])
        row[0].set_title(problem.name)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def fitted(method, problem):
    """What `compare` would say of a method for residuals."""
    res = minimize(
        x0=problem.x0,
        **functions(method, problem),
        method=method,
        options={"maxfev": BUDGET},
    )
    return SimpleNamespace(**res, f=res.fun, distance=problem.distance(res.x))


def results(method, counts):
    """Evaluations on some problems, and the measured row of the benchmark."""
    rows = []
    claims = "g" in method.supplied and not method.probes
    missed = "not solved" if claims else "it cannot tell"
    for problem, comparison in counts:
        if method.residuals and problem.name not in RESIDUALS:
            continue
        title = f"{problem.name}, n = {problem.n}"
        row = fitted(method, problem) if method.residuals else comparison[method.__name__]
        others = (r for r in comparison if r.success and not r.nhev)
        best = min(others, key=lambda r: r.nfev + r.njev)
        count = f"{row.nfev + row.njev:,}" + f", {row.nhev} Hessians" * bool(row.nhev)
        count += " (another minimum)" * (row.distance > 0.1)
        rows.append(
            (
                title,
                count if row.success else missed,
                f"{row.f:.1e}",
                f"{best.nfev + best.njev:,} ({best.method})",
            )
        )
    head = (
        "problem",
        f"evaluations of f and of its gradient, of {BUDGET:,}",
        "f",
        "fewest, without Hessians",
    )
    return "\n".join([table(head, rows, "figures"), "", bench(method)])


def bench(method):
    """The rows of this method in the benchmark, which may not know a new one yet."""
    _, tables = saved("convergence")
    head, body = tables["Solved"].columns, tables["Solved"].rows
    rows = [row for row in body if row[0].split(",")[0] == method.__name__]
    if not rows:
        return ""
    note = "Problems solved, of how many, in the :doc:`benchmark </benchmarks>`:"
    return f"{note}\n\n{table(head, rows, 'figures')}"


def benchmarks():
    """What each of the benchmarks measures, in the first line that it says of itself."""
    rows = []
    for path in sorted(RESULTS.glob("*.json")):
        first = saved(path.stem)[0].split("\n\n")[0].replace("`", "``")
        rows.append((f":doc:`{path.stem} <generated/bench/{path.stem}>`", first))
    return table(("benchmark", "what it measures"), rows)


def index():
    """The list of all methods."""
    rows = [(f":doc:`{name} <{name}>`", m.summary) for name, m in METHODS.items()]
    toc = "\n".join(f"   {name}" for name in METHODS)
    parts = [
        "Methods\n=======",
        "One page each, made from the formula itself; ``python -m scipy_gd show adam`` prints it "
        "in a terminal.",
        table(("method", "what it is"), rows),
        f".. toctree::\n   :hidden:\n\n{toc}",
        ".. _options:",
        "Options of every method\n-----------------------",
        ".. include:: ../options.rst",
    ]
    return "\n\n".join(parts) + "\n"


def advice(ending):
    """What is added to the message of some runs, and of which."""
    facts = ((fact.replace("`", ""), say) for fact, say in ending.advice.items())
    return [f"*{fact[0].upper()}{fact[1:]}:* {say}" for fact, say in facts]


def endings():
    """How a run can end."""
    rows = [
        (
            ending.status,
            "yes" if ending.success else "no",
            " ".join([ending.message, *(f"({say})" for say in advice(ending))]),
            f":ref:`{NAMES[number].lower().replace('_', ' ')} <{target(NAMES[number])}>`",
        )
        for number, ending in ENDINGS.items()
    ]
    return table(("status", "success", "message", "more"), rows).replace("|", r"\|")


def ended(name):
    """An ending by its name in the code, as it is shown beside its cure."""
    ending = ENDINGS[getattr(kinds, name)]
    says = "".join(f"- {say}\n" for say in advice(ending))
    return f"**Status {ending.status}:** {ending.message}\n\n{says}".replace("|", r"\|")


def target(name):
    """The label of the place that an ending leads to."""
    return f"ending-{name.lower().replace('_', '-')}"


def citation():
    """CITATION.cff as BibTeX."""
    text = (Path(__file__).parent.parent / "CITATION.cff").read_text()
    title, author, version = (
        re.search(rf'^[ -]*{key}: "?(.*?)"?$', text, re.MULTILINE)[1]
        for key in ("title", "name", "version")
    )
    entry = {"title": title, "author": f"{{{author}}}", "version": version}
    lines = "".join(f"     {key} = {{{value}}},\n" for key, value in entry.items())
    return f".. code-block:: bibtex\n\n   @software{{scipy_gd,\n{lines}   }}\n"
