"""What the user reads: docstrings, their examples, the glossary, the example scripts."""

import doctest
import importlib
import inspect
import pkgutil
import pydoc
import re
import runpy
import textwrap
from pathlib import Path

import numpy as np
import pytest

import scipy_gd
from scipy_gd import METHODS, Method, adam, adamax, elementwise, gd, levenberg_marquardt
from scipy_gd._glossary import GLOSSARY
from scipy_gd._options import settings

ROOT = Path(scipy_gd.__file__).parent.parent
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(scipy_gd.__path__, "scipy_gd.")
    if not name.endswith("__main__")
]
PUBLIC = [name for name in scipy_gd.__all__ if name != "METHODS"]


def check_examples(text, name, scope=None):
    test = doctest.DocTestParser().get_doctest(text, scope or {}, name, None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    out = []
    runner.run(test, out=out.append)
    assert not runner.failures, "".join(out)
    return len(test.examples)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring_with_an_example_that_runs(name):
    thing = getattr(scipy_gd, name)
    if inspect.ismodule(thing):
        assert thing.__doc__
        return
    assert check_examples(inspect.getdoc(thing), name) > 0


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for key, thing in list(vars(module).items()):  # some warnings leave their mark in a module
        own = getattr(thing, "__module__", None) == name and not key.startswith("_")
        if own and key not in METHODS and isinstance(getattr(thing, "__doc__", None), str):
            check_examples(thing.__doc__, f"{name}.{key}")


def test_documentation_of_a_method_has_every_option_once(method):
    doc = method.__doc__
    for name in method.options:
        assert doc.count(f"\n{name} :") == 1, name
    for section in ("Parameters", "Returns", "Raises", "Notes", "References", "Examples"):
        assert doc.count(f"\n{section}\n---") == 1, section
    prose = doc.replace(textwrap.indent(method.source, "    "), "")  # code is as wide as its file
    assert prose != doc
    assert max(map(len, prose.splitlines())) <= 100


def test_the_documentation_is_made_of_data(method):
    """All of it is in the docstring; none of it has the markup of another part."""
    doc = method.__doc__
    assert doc.startswith(f"{method.summary}\n\n{method.notes}".rstrip())
    assert "\n" not in method.summary and method.summary.endswith(".")
    assert f"References\n----------\n{method.references}\n\n" in doc
    assert "---" not in method.notes + method.references
    assert textwrap.indent(method.source, "    ") in doc
    assert method.source.startswith(f"def {method.__name__}(")
    assert method.source.splitlines()[-1].startswith("    return ")
    assert '"""' not in method.source and "@" not in method.source.splitlines()[0]


def test_every_hyper_parameter_has_a_meaning_of_its_own_or_a_shared_one(method):
    own = {name: option for name, option in method.options.items() if option.own}
    assert [*own] == [*method.hyper]
    for name, option in own.items():
        assert name in method.meanings or name in GLOSSARY
        assert len(option.doc) > 20
        assert option.default == method.hyper[name] == option.check(name, option.default, 3)


def test_the_glossary_has_only_what_several_formulas_share():
    for name in GLOSSARY:
        users = [m for m in METHODS.values() if name in m.hyper and name not in m.meanings]
        assert len(users) > 1, name


def test_a_meaning_beside_the_formula_comes_before_the_shared_one():
    assert "maximum of the gradient" in adamax.options["beta2"].doc
    assert "squared" in adam.options["beta2"].doc
    with pytest.raises(ValueError, match=r"`beta2` must be at least 0 and below 1, got 1"):
        adamax(lambda x: x @ x, [1.0], beta2=1.0)


def test_signature_shows_every_option_with_its_default(method):
    parameters = inspect.signature(method).parameters
    assert list(parameters)[:4] == ["fun", "x0", "args", "jac"]
    assert parameters["learning_rate"].default == method.learning_rate
    assert [*parameters][9:] == [*method.options]
    for name, option in method.options.items():
        assert parameters[name].default == option.default


def test_a_limit_that_is_off_is_none_for_readers_and_a_number_for_the_machine():
    values = settings(gd, {}, 3)
    off = {"maxfev": 2**62, "maxtime": np.inf, "ftol": -1, "xtol": -1, "target": -np.inf}
    for name, value in (off | {"patience": 2**62}).items():
        assert gd.options[name].default is None
        assert f"\n{name} : optional\n" in gd.__doc__
        assert values[name] == value


def test_options_say_which_others_they_need():
    for name, needed in {"epochs": "batch_size", "patience": "validation"}.items():
        assert needed in gd.options[name].needs
        others = {other: 3 for other in gd.options[name].needs if other != needed}
        with pytest.raises(ValueError, match=f"`{name}` needs `{needed}`"):
            gd(lambda x, A: x @ x, [1.0], args=(np.ones((9, 1)),), **{name: 3}, **others)


def test_the_documentation_of_fits_is_about_residuals():
    told = arguments(levenberg_marquardt)
    assert "-> array, shape (m,)" in told["fun"]
    assert "shape (m, n)" in told["jac"]
    assert "Not needed" in told["hess"]
    for name in levenberg_marquardt.options:
        assert levenberg_marquardt.__doc__.count(f"\n{name} :") == 1, name
    assert "`learning_rate` is not" in levenberg_marquardt.__doc__
    assert levenberg_marquardt.options["gtol"].default == 0.0
    assert "\nftol : default 1e-14\n" in levenberg_marquardt.__doc__
    assert "`learning_rate` is not" not in adam.__doc__


def arguments(method):
    """The texts of the arguments in the docstring."""
    texts = re.split(r"\n(?=\S)", method.__doc__)
    return {name: text for text in texts for name in re.split(r" :|\n", text)[0].split(", ")}


def test_help_says_which_derivatives_a_method_uses(method):
    told = arguments(method)
    if "hess" in method.supplied:
        assert "``hess(x, *args) -> array, shape (n, n)``" in told["hess"]
        assert "sparse" in told["hess"]
        assert "``hessp(x, p, *args) -> array, shape (n,)``" in told["hessp"]
        assert "differences" in told["hessp"]
    else:
        assert told["hess"] == told["hessp"]
        assert "Not used" in told["hess"]
    steps = "g" in method.supplied and not method.probes
    assert ("Not used for the steps" in told["jac"]) == (not steps)
    assert ("finite_diff_scheme" in told["jac"]) == steps


def test_a_method_of_the_users_own_is_documented_too():
    @elementwise(learning_rate=0.1)
    def homemade(g, *, strength=2.0):
        """Mine."""
        return strength * g

    assert "Mine." in homemade.__doc__
    assert "strength : default 2.0" in homemade.__doc__
    assert homemade(lambda x: x @ x, [1.0], strength=1.0).success


def test_help_shows_the_documentation_of_the_method(method):
    page = pydoc.plain(pydoc.render_doc(method))
    assert "learning_rate :" in page
    assert "x <- x - learning_rate * d" in page


def test_docstrings_in_any_quotes():
    @elementwise(learning_rate=0.1)
    def single(g):
        'One "line".'
        return g

    assert single.summary == 'One "line".'
    assert single.source == "def single(g):\n    return g"


def test_exports_are_the_registry_and_there_is_no_second_list():
    from scipy_gd import methods

    defined = {
        name
        for _, family, _ in pkgutil.iter_modules(methods.__path__)
        for name, value in vars(importlib.import_module(f"scipy_gd.methods.{family}")).items()
        if isinstance(value, Method)
    }
    assert defined == {*METHODS}
    for name, method in METHODS.items():
        assert getattr(scipy_gd, name) is getattr(methods, name) is method
        assert name in scipy_gd.__all__
    assert scipy_gd.__all__ == dir(scipy_gd)
    for module in (Path(scipy_gd.__file__), Path(methods.__file__)):
        code = module.read_text().split('"""', 2)[2]
        words = re.findall(r"\w+", re.sub(r"as \w+", "", code))
        limit = 0 if module.parent.name == "scipy_gd" else 1
        assert max(map(words.count, METHODS)) <= limit


def test_lazy_names_exist_and_others_do_not():
    assert set(dir(scipy_gd)) >= set(scipy_gd.__all__)
    with pytest.raises(AttributeError, match="no attribute 'adamm'"):
        _ = scipy_gd.adamm


def run_example(name):
    return runpy.run_path(str(ROOT / "examples" / name))["main"]()


def test_example_fits_the_certified_values_and_errors(capsys):
    result = run_example("fit_nist.py")
    assert result.success
    np.testing.assert_allclose(result.x, [2.3894212918e02, 5.5015643181e-04], rtol=1e-9)
    np.testing.assert_allclose(result.stderr, [2.7070075241e00, 7.2668688436e-06], rtol=1e-9)
    assert 2 * result.fun == pytest.approx(1.2455138894e-01, rel=1e-9)
    said = capsys.readouterr().out
    assert "certified 238.94212918" in said
    assert "238.9  +-        2.7" in said


def test_example_of_a_calibration_curve_rises_and_is_the_best_that_does(capsys):
    free, rising = run_example("calibration_fit.py")
    assert rising.success
    assert rising.constr_violation < 1e-9
    assert 2 * free.fun == pytest.approx(1.0554, abs=1e-4)
    assert 2 * rising.fun == pytest.approx(1.295324493, rel=1e-8)  # SLSQP's, at tol=1e-14
    assert "level at the doses 7, 10" in capsys.readouterr().out


def test_example_of_a_mixture_finds_its_substances():
    chosen = run_example("unmixing.py")
    assert chosen.success
    assert np.count_nonzero(chosen.x) < 10
    found = {k: chosen.x[k] for k in np.flatnonzero(chosen.x > 0.02)}
    assert found == pytest.approx({3: 0.9, 17: 0.4, 41: 0.25, 42: 0.6}, abs=0.02)


def test_example_draws_every_schedule(tmp_path):
    import matplotlib

    matplotlib.use("agg")
    main = runpy.run_path(str(ROOT / "examples" / "plot_schedules.py"))["main"]
    figure = main(tmp_path / "schedules.png")
    labels = " ".join(text.get_text() for ax in figure.axes for text in ax.get_legend().texts)
    for name in ("step", "exponential", "inverse_time", "linear", "polynomial", "cosine"):
        assert name in labels
    assert (tmp_path / "schedules.png").stat().st_size > 10_000
    matplotlib.pyplot.close(figure)


def test_example_of_races(tmp_path):
    import matplotlib
    from PIL import Image

    matplotlib.use("agg")
    scope = runpy.run_path(str(ROOT / "examples" / "race.py"))
    assert set(scope["RACES"]) == {"ravine", "saddle", "rosenbrock", "beale", "himmelblau"}
    for name in scope["RACES"]:
        scope["main"](name, tmp_path / f"{name}.gif", "2d", frames=3)
        with Image.open(tmp_path / f"{name}.gif") as image:
            assert image.n_frames == 3
    assert (ROOT / "docs" / "race.gif").stat().st_size < 1_000_000


def test_example_of_basin_hopping_finds_the_global_minimum(capsys):
    result = run_example("basin_hopping.py")
    assert result.x[0] == pytest.approx(-0.1951, abs=1e-4)
    assert result.lowest_optimization_result.success
    assert "f = -1.0009" in capsys.readouterr().out


def test_example_of_dual_annealing_finds_the_global_minimum(capsys):
    result = run_example("dual_annealing.py")
    np.testing.assert_allclose(result.x, 0, atol=1e-6)
    assert result.fun < 1e-10
    assert "f = 0.0e+00" in capsys.readouterr().out


def test_example_of_a_noisy_experiment(capsys):
    res, experiment = run_example("noisy_experiment.py")
    assert experiment.readings == res.nfev == 2 * res.nit + 1
    assert abs(res.x - [0.3, -0.6, 1.0, 0.1, -0.2, 0.5]).max() < 0.1
    assert "1201 readings" in capsys.readouterr().out


def test_example_with_statsmodels():
    pytest.importorskip("statsmodels")
    ours, theirs = run_example("statsmodels_fit.py")
    assert ours.mle_retvals["converged"]
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-5)


def test_example_with_lmfit():
    pytest.importorskip("lmfit")
    ours, leastsq = run_example("lmfit_fit.py")
    assert ours.success
    for name, parameter in ours.params.items():
        assert parameter.value == pytest.approx(leastsq.params[name].value, rel=1e-4)


def test_example_with_joblib(capsys):
    pytest.importorskip("joblib")
    result = run_example("sweep_joblib.py")
    assert [row.success.all() for row in result].count(True) >= 2
    assert result.best.success.all()
    assert "rosenbrock, n = 2, best: adam, learning_rate=" in capsys.readouterr().out


def test_example_with_iminuit():
    pytest.importorskip("iminuit")
    fit, sample = run_example("iminuit_fit.py")
    assert fit.valid
    # the answers are known: the mean, and the mean over the root of the number
    assert fit.values["lifetime"] == pytest.approx(sample.mean(), rel=1e-5)
    assert fit.errors["lifetime"] == pytest.approx(sample.mean() / len(sample) ** 0.5, rel=1e-3)
