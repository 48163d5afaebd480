"""Formulas against independent references, step by step."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from scipy_gd import METHODS, adagrad, adam, adamw, gd, momentum, nesterov, rmsprop_nesterov

REFERENCE = Path(__file__).parent / "reference"
STORED = np.load(REFERENCE / "trajectories.npz")
ENTRIES = [
    entry
    for entry in json.loads((REFERENCE / "trajectories.json").read_text())
    if entry["method"] in METHODS
]


def gradients(problem):
    """The start of a stored problem, and its gradient in step t."""
    if problem == "quadratic":
        A, c = STORED["quadratic/A"], STORED["quadratic/c"]
        return STORED["quadratic/x0"], lambda x, t: A @ (x - c)
    if problem == "noisy":
        noise = STORED["noisy/noise"]
        return np.full(5, 0.5), lambda x, t: (x - 1) * np.arange(1.0, 6.0) + noise[t]
    n = int(problem.removeprefix("rosenbrock"))
    return np.resize([-1.2, 1.0], n), lambda x, t: rosen_der(x)


def trajectory(method, x0, gradient, steps, **options):
    """The iterates of a method that is given these gradients; the value plays no part."""
    t = iter(range(steps + 1))

    def jac(x):
        k = next(t)
        return gradient(x, k) if k < steps else np.zeros_like(x)

    options |= {"maxiter": steps, "gtol": 0.0, "return_all": True}
    res = minimize(lambda x: 0.0, x0, jac=jac, method=method, options=options)
    return np.array(res.allvecs)


def in_our_terms(method, options):
    """The rate of torch's Rprop is its first step, and its limits are absolute."""
    if method != "rprop":
        return options
    factor = options["learning_rate"] / 0.01
    limits = {name: options[name] / factor for name in ("step_min", "step_max")}
    return options | limits | {"learning_rate": factor}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["key"])
def test_stored_trajectories_of_torch_and_optax(entry):
    x0, gradient = gradients(entry["problem"])
    steps = np.array(entry["steps"])
    options = in_our_terms(entry["method"], entry["options"])
    ours = trajectory(METHODS[entry["method"]], x0, gradient, int(steps.max()), **options)[steps]
    theirs = STORED[entry["key"]]
    error = np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)
    assert error.max() <= 1e-10


def test_every_gradient_method_has_a_stored_trajectory(descent):
    # in no library: their references are below, and in test_steps.py
    own = {"rmsprop_nesterov", "adgd", "spg", "nesterov_restart", "cg_descent", "lbfgs", "newton"}
    assert descent.__name__ in own | {entry["method"] for entry in ENTRIES}


def random_gradients(rng, steps=50, n=4):
    table = rng.normal(size=(steps, n))
    return lambda x, t: table[t] + 0.3 * x


@pytest.mark.parametrize("seed", range(3))
def test_nesterov_is_the_two_point_form_of_the_book(seed):
    rng = np.random.default_rng(seed)
    gradient, a, mu, x = random_gradients(rng), 0.05, 0.8, rng.normal(size=4)
    ours = trajectory(nesterov, x, gradient, 50, learning_rate=a, momentum=mu)
    v = np.zeros(4)
    theta = x
    for t in range(50):
        look_ahead = theta + mu * v
        np.testing.assert_allclose(ours[t], look_ahead, rtol=1e-11, atol=1e-13)
        v = mu * v - a * gradient(look_ahead, t)
        theta = theta + v


@pytest.mark.parametrize("seed", range(3))
def test_rmsprop_nesterov_is_the_two_point_form_of_the_book(seed):
    rng = np.random.default_rng(seed)
    gradient, a, mu, rho, eps = random_gradients(rng), 0.01, 0.8, 0.7, 1e-3
    theta = rng.normal(size=4)
    ours = trajectory(
        rmsprop_nesterov, theta, gradient, 50, learning_rate=a, momentum=mu, rho=rho, eps=eps
    )
    v = r = np.zeros(4)
    for t in range(50):
        look_ahead = theta + mu * v
        np.testing.assert_allclose(ours[t], look_ahead, rtol=1e-11, atol=1e-13)
        g = gradient(look_ahead, t)
        r = rho * r + (1 - rho) * g**2
        v = mu * v - a * g / (np.sqrt(r) + eps)
        theta = theta + v


def test_velocity_and_averaged_momentum_are_related_as_documented():
    x = np.array([-1.2, 1.0])
    a, beta = 1e-3, 0.9

    def run(steps=200, **options):
        return trajectory(momentum, x, lambda x, t: rosen_der(x), steps, **options)

    averaged = run(learning_rate=a, dampening=beta)
    np.testing.assert_allclose(averaged, run(learning_rate=(1 - beta) * a), rtol=1e-12)

    # the documented schedule corrects the bias of the average
    corrected = run(learning_rate=lambda t: a / (1 - beta**t), dampening=beta)
    v = np.zeros(2)
    for t in range(1, 201):
        np.testing.assert_allclose(corrected[t - 1], x, rtol=1e-12)
        v = beta * v + (1 - beta) * rosen_der(x)
        x = x - a * v / (1 - beta**t)


def test_velocity_form_with_the_rate_inside_is_the_same():
    x = np.array([-1.2, 1.0])
    ours = trajectory(momentum, x, lambda x, t: rosen_der(x), 100, learning_rate=1e-4)
    v = np.zeros(2)
    for point in ours:
        np.testing.assert_allclose(point, x, rtol=1e-12)
        v = 0.9 * v - 1e-4 * rosen_der(x)
        x = x + v


@pytest.mark.parametrize("variant", [adam, adamw], ids=lambda m: m.__name__)
def test_first_step_of_adam_is_the_sign_of_the_gradient(variant):
    g = np.array([3.0, -1e-3, 500.0])
    x = trajectory(variant, np.zeros(3), lambda x, t: g, 1, learning_rate=0.1, eps=0.0)[1]
    np.testing.assert_allclose(x, -0.1 * np.sign(g), rtol=1e-12)


def test_adam_by_hand():
    """Two steps, computed on paper: g = 2 then 1, beta1 = 1/2, beta2 = 3/4, eps = 0."""
    x = trajectory(
        adam,
        np.array([0.0]),
        lambda x, t: np.array([2.0, 1.0])[t : t + 1],
        2,
        learning_rate=1.0,
        beta1=0.5,
        beta2=0.75,
        eps=0.0,
    )
    # m = 1, 1; corrected 2, 4/3.  v = 1, 1; corrected 4, 16/7.
    np.testing.assert_allclose(x[:, 0], [0.0, -1.0, -1.0 - (4 / 3) / np.sqrt(16 / 7)], rtol=1e-14)


def test_adagrad_by_hand():
    x = trajectory(
        adagrad,
        np.array([0.0]),
        lambda x, t: np.array([3.0, 4.0])[t : t + 1],
        2,
        learning_rate=1.0,
        eps=1.0,
    )
    np.testing.assert_allclose(x[:, 0], [0.0, -3 / 4, -3 / 4 - 4 / 6], rtol=1e-15)


def test_l2_and_decoupled_decay_differ_for_adam():
    def run(method, decay):
        return trajectory(
            method,
            np.ones(3),
            lambda x, t: np.array([1.0, 2.0, 30.0]) * x,
            30,
            learning_rate=0.01,
            weight_decay=decay,
        )

    np.testing.assert_allclose(run(adam, 0.0), run(adamw, 0.0), rtol=1e-12)
    assert abs(run(adam, 0.5)[-1] - run(adamw, 0.5)[-1]).max() > 1e-3


def test_textbook_figure_of_gd_on_rosenbrock():
    """Quadratic termination it is not: 100,000 steps at 2e-4 from (4, -4.1)."""
    res = minimize(
        rosen,
        [4, -4.1],
        jac=rosen_der,
        method=gd,
        options={"learning_rate": 2e-4, "maxiter": 100_000, "gtol": 1e-12},
    )
    assert res.fun == pytest.approx(1.060466e-08, rel=1e-6)
    np.testing.assert_allclose(res.x, [0.9998971, 0.99979381], rtol=1e-7)


@pytest.mark.parametrize("k", [10, 100, 1000])
def test_gd_obeys_its_bound_on_convex_quadratics(k):
    rng = np.random.default_rng(0)
    L = 10.0
    eigenvalues = np.geomspace(1e-4, L, 20)
    x0 = rng.normal(size=20)
    xs = trajectory(gd, x0, lambda x, t: eigenvalues * x, k, learning_rate=1 / L)
    assert 0.5 * eigenvalues @ xs[k] ** 2 <= L * (x0 @ x0) / (2 * k)


def test_adaptive_methods_leave_the_saddle_before_gd_and_momentum():
    def steps_to_leave(method):
        xs = trajectory(
            method,
            np.array([1.0, 1e-4]),
            lambda x, t: np.array([2 * x[0], -2 * x[1]]),
            600,
            learning_rate=1e-2,
        )
        return int(np.argmax(abs(xs[:, 1]) > 0.5))

    first = {m: steps_to_leave(METHODS[m]) for m in ("gd", "momentum", "adam", "rmsprop")}
    assert 0 < max(first["adam"], first["rmsprop"]) < first["momentum"] < first["gd"]
