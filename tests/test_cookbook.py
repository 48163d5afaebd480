"""The recipes of the cookbook, run as a reader would, with warnings as errors: are they right?

That of the race is left to the build of the site: `plot.animate` has its own tests.
"""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

plt = pytest.importorskip("matplotlib.pyplot")
COOKBOOK = Path(__file__).parent.parent / "examples" / "cookbook"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a recipe in an empty folder, and returns its variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    return lambda name: runpy.run_path(str(COOKBOOK / f"{name}.py"))


def errors_away(x, truth, stderr):
    return np.max(np.abs(np.subtract(x, truth)) / stderr)


def test_recipe_of_a_decay(run):
    scope = run("decay")
    assert errors_away(scope["res"].x, [5, 2, 0.5], scope["res"].stderr) < 3
    np.testing.assert_allclose(scope["quick"].x, scope["res"].x, rtol=1e-6)
    np.testing.assert_allclose(scope["weighted"].x, scope["res"].x, rtol=1e-6)


def test_recipe_of_counts(run):
    scope = run("poisson")
    assert scope["res"].success
    assert errors_away(scope["fit"].x, scope["truth"], scope["fit"].stderr) < 3


def test_recipe_of_spectra_with_one_that_fails(run):
    scope = run("spectra")
    assert np.flatnonzero(~scope["res"].success).tolist() == [123]
    distance = scope["position"] - scope["true_position"][scope["good"]]
    assert 0.6 < np.mean(abs(distance) < scope["error"]) < 0.76


def test_recipe_of_an_image_with_dead_pixels(run):
    scope = run("lifetime_image")
    assert np.array_equal(np.isnan(scope["lifetime"]), np.isnan(scope["movie"][..., 0]))
    distance = abs(scope["lifetime"] - scope["true_lifetime"]) / scope["error"]
    assert 0.6 < np.nanmean(distance < 1) < 0.76


def test_recipe_of_units(run):
    scope = run("units")
    assert scope["res"].success and scope["most"].success
    np.testing.assert_allclose(scope["res"].x, [1e-9, 3e6], rtol=0.05)
    np.testing.assert_allclose(scope["most"].x[:2], scope["res"].x, rtol=1e-5)


def test_recipe_of_named_parameters(run):
    scope = run("named_parameters")
    assert scope["named"](scope["res"].x)["lifetime"] == pytest.approx(2, abs=0.15)
    assert scope["fixed"].at_bound.tolist() == [False, False, True]
    np.testing.assert_allclose(scope["best"]["heights"], [5, 3, 2, 1], atol=0.15)


def test_recipe_of_a_simulation_resumes_and_leaves_no_file(run, tmp_path):
    scope = run("slow_simulation")
    first, second, third = scope["first"], scope["second"], scope["third"]
    assert "`resume='run.npz'`" in first.message
    assert second.success and second.nfev > first.nfev
    assert abs(second.x - scope["BEST"]).max() < 0.05
    assert np.array_equal(third.x, second.x)
    assert not [*tmp_path.iterdir()]


def test_recipe_with_a_data_frame(run):
    pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    scope = run("logistic_dataframe")
    assert "`patience`" in scope["res"].message
    assert scope["best"] == len(scope["res"].validation_losses) - 11
    assert scope["correct"].mean() > 0.95


def test_recipe_of_a_sweep(run):
    scope = run("learning_rate")
    assert scope["res"].fun < 1.02 * scope["least"]


def test_recipe_with_a_gaussian_process(run):
    pytest.importorskip("sklearn")
    scope = run("gaussian_process")
    assert scope["res"].success
    theirs = -scope["process"].log_marginal_likelihood_value_
    assert theirs == pytest.approx(scope["res"].fun, abs=1e-6)
    np.testing.assert_allclose(scope["noise"], 0.2, atol=0.1)


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_recipe_with_gradients_of_a_library(library, tmp_path):
    """In a process of its own: the settings of these libraries hold for all of it."""
    pytest.importorskip(library)
    command = [sys.executable, "-W", "ignore:FigureCanvasAgg", COOKBOOK / f"{library}_objective.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("terminated successfully") == 2


def test_every_recipe_is_in_the_order_of_the_gallery():
    order = runpy.run_path(str(COOKBOOK.parent.parent / "docs" / "gallery.py"))["ORDER"]
    assert sorted(order) == sorted(path.stem for path in COOKBOOK.glob("*.py"))
