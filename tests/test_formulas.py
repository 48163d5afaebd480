"""Formulas against independent references, step by step."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from scipy_gd import (
    METHODS,
    adabelief,
    adabound,
    adagrad,
    adam,
    adam_uncorrected,
    adamax,
    adamw,
    adan,
    ademamix,
    adopt,
    amsgrad,
    gd,
    laprop,
    lion,
    momentum,
    nadam,
    nesterov,
    prodigy,
    radam,
    rmsprop_nesterov,
    schedule_free_sgd,
    swats,
    yogi,
)
from scipy_gd._core.bits import POINTS
from scipy_gd._core.machine import tell
from scipy_gd._options import settings
from scipy_gd._run.layout import lay_out

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


def told(method, x0, gradient, steps, box=None, **options):
    """The state of a run that the machine is told these gradients, after 0, 1, ... steps."""
    V, s, _ = lay_out(method, x0, box, settings(method, {"maxiter": 1e9} | options, x0.size))
    s["gtol"], s["stall_after"] = -1.0, 2**62  # nothing is the end
    for t in range(steps + 1):
        row = s["trial"][0]
        V[row + POINTS] = gradient(V[row], t) if t < steps else 0.0
        assert tell(V.ctypes.data, s.ctypes.data, 0.0)
        yield V, s


def state(method, V, s, name):
    return V[s["states"][0] + method.states.index(name)].copy()


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


@pytest.mark.parametrize(
    "entry", [e for e in ENTRIES if "eval_key" in e], ids=lambda entry: entry["key"]
)
def test_averages_are_those_of_optax(entry):
    method, (x0, gradient) = METHODS[entry["method"]], gradients(entry["problem"])
    steps = max(entry["steps"])
    ours = [
        state(method, V, s, "average")
        for V, s in told(method, x0, gradient, steps, **entry["options"])
    ]
    theirs = STORED[entry["eval_key"]]
    error = np.linalg.norm(np.array(ours)[entry["steps"]] - theirs, axis=1)
    assert (error <= 1e-10 * np.linalg.norm(theirs, axis=1)).all()


def test_every_gradient_method_has_a_stored_trajectory(descent):
    # in neither library: their references are below, and in test_steps.py
    own = "adabound adam_uncorrected adgd cg_descent lbfgs nesterov_restart newton rmsprop_nesterov"
    known = {*own.split(), "sgd", "spg", "swats", *(entry["method"] for entry in ENTRIES)}
    assert descent.__name__ in known, "test it against a reference, and name it here"


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


def adabound_of_the_authors(
    x, gradient, steps, m, v, t, *, rate, final_lr, beta1, beta2, eps, gamma
):
    """Their implementation, with the base rate `rate(1)`."""
    for k in range(t, t + steps):
        yield x
        g = gradient(x, k - 1)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        step = rate(k) * np.sqrt(1 - beta2**k) / (1 - beta1**k) / (np.sqrt(v) + eps)
        final = final_lr * rate(k) / rate(1)
        step = np.clip(step, final * (1 - 1 / (gamma * k + 1)), final * (1 + 1 / (gamma * k)))
        x = x - step * m


@pytest.mark.parametrize("seed", range(3))
def test_adabound_is_the_authors(seed):
    rng = np.random.default_rng(seed)
    gradient, x = random_gradients(rng, 200), rng.normal(size=4)
    options = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-4, "gamma": rng.uniform(0.001, 0.1)}

    def rate(t):
        return 0.02 / (1 + 0.01 * (t - 1))

    theirs = adabound_of_the_authors(
        x, gradient, 200, np.zeros(4), np.zeros(4), 1, rate=rate, final_lr=0.05, **options
    )
    ours = trajectory(
        adabound, x, gradient, 199, learning_rate=rate, final_rate=0.05 / 0.02, **options
    )
    np.testing.assert_allclose(ours, list(theirs), rtol=1e-10, atol=1e-12)


def swats_of_the_paper(x, gradient, steps, *, rate, beta1, beta2, eps, tolerance):
    """Algorithm 1, and in which phase each step was."""
    m = a = v = np.zeros(x.size)
    lam, Lam, phase = 0.0, np.nan, "Adam"
    for k in range(1, steps + 1):
        yield x, phase
        g = gradient(x, k - 1)
        if phase == "SGD":
            v = beta1 * v + g
            x = x - (1 - beta1) * Lam * v
            continue
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g**2
        p = -rate * np.sqrt(1 - beta2**k) / (1 - beta1**k) * m / (np.sqrt(a) + eps)
        x = x + p
        if p @ g != 0:
            gamma = (p @ p) / -(p @ g)
            lam = beta2 * lam + (1 - beta2) * gamma
            Lam = lam / (1 - beta2**k)
            if k > 1 and abs(Lam - gamma) < tolerance and Lam > 0:
                phase, v = "SGD", np.zeros(x.size)


@pytest.mark.parametrize("seed", range(5))
def test_swats_is_algorithm_1_of_the_paper(seed):
    rng = np.random.default_rng(seed)
    gradient, x = random_gradients(rng, 300), rng.normal(size=4)
    options = {"beta1": 0.5, "beta2": 0.9, "eps": 1e-4}
    theirs, phases = zip(
        *swats_of_the_paper(x, gradient, 300, rate=0.02, tolerance=2e-4, **options), strict=True
    )
    ours = trajectory(swats, x, gradient, 299, learning_rate=0.02, switch=0.01, **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    assert 2 < phases.index("SGD") < 290


@pytest.mark.parametrize("seed", range(20))
def test_swats_in_mid_run(seed):
    """One step from any state, in both phases. A rate is negative where the steps lead uphill."""
    rng = np.random.default_rng(seed)
    g, m, v = rng.normal(size=(3, 5))
    mean, own_rate, t = rng.normal(), rng.uniform(0.1, 1), float(rng.integers(2, 50))
    v = v**2
    options = {"beta1": 0.9, "beta2": 0.99, "eps": 1e-3, "switch": np.inf}
    ones = np.ones(5)

    d, m_new, _, mean_new, rate = swats.formula(g, m, v, mean * ones, 0 * ones, t, **options)
    average = 0.9 * m + 0.1 * g
    p = average / (1 - 0.9**t) / (np.sqrt(0.99 * v + 0.01 * g**2) + 1e-3) * np.sqrt(1 - 0.99**t)
    lam = 0.99 * mean + 0.01 * (p @ p) / (p @ g)
    np.testing.assert_allclose(d, p, rtol=1e-12)
    np.testing.assert_allclose(mean_new, lam, rtol=1e-12)
    np.testing.assert_allclose(rate, max(lam / (1 - 0.99**t), 0), rtol=1e-12)
    np.testing.assert_allclose(m_new, 0 if lam > 0 else average, rtol=1e-12)

    d, m_new, *_, rate = swats.formula(g, 0.1 * m, v, mean * ones, own_rate * ones, t, **options)
    np.testing.assert_allclose(d, 0.1 * own_rate * (0.9 * m + g), rtol=1e-12)
    np.testing.assert_allclose(rate, own_rate)


def first_step(method, **options):
    """In units of the sign of the gradient, which is the same for gradients of any size."""
    g = np.array([3.0, -1e-3, 500.0])
    options = {"eps": 0.0, "learning_rate": 0.1} | options
    options = {name: v for name, v in options.items() if name in ("learning_rate", *method.hyper)}
    steps = trajectory(method, np.zeros(3), lambda x, t: g, 1, **options)[1] / np.sign(g) / -0.1
    np.testing.assert_allclose(steps, steps[0], rtol=1e-12)
    return steps[0]


@pytest.mark.parametrize(
    "variant", [adam, adamw, amsgrad, adamax, lion, adan, laprop], ids=lambda m: m.__name__
)
def test_first_step_is_the_sign_of_the_gradient(variant):
    assert first_step(variant) == pytest.approx(1, rel=1e-12)


def test_other_first_steps_by_hand():
    assert first_step(yogi, initial=0.0) == pytest.approx(1, rel=1e-12)
    # as documented, in units of the step of adam: (1 - beta1) / sqrt(1 - beta2)
    assert first_step(adam_uncorrected) == pytest.approx(0.1 / 0.001**0.5, rel=1e-12)
    assert first_step(adopt, beta1=0.8) == pytest.approx(0.2, rel=1e-12)
    assert first_step(ademamix, beta3=0.75, alpha=2.0) == pytest.approx(1.5, rel=1e-12)
    # the gradient is 1 - beta1 times as large as what was believed: of 4/5 nothing was known
    assert first_step(adabelief, beta1=0.8) == pytest.approx(1 / 0.8, rel=1e-12)
    # mu = (0.8 (1 - 0.48), 0.8 (1 - 0.4608)) for momentum_decay = 1
    mu, mu_next = 0.416, 0.43136
    expected = mu_next * 0.2 / (1 - mu * mu_next) + (1 - mu) / (1 - mu)
    assert first_step(nadam, beta1=0.8, momentum_decay=1.0) == pytest.approx(expected, rel=1e-12)


def test_radam_begins_with_five_steps_of_momentum_and_one_rectified():
    g = np.array([3.0, -1e-3, 500.0])
    x = trajectory(radam, np.zeros(3), lambda x, t: g, 6, learning_rate=0.1, eps=0.0)
    np.testing.assert_allclose(np.diff(x, axis=0)[:5], [-0.1 * g] * 5, rtol=1e-12)
    # q is 1999 - 12 b^6 / (1 - b^6) = 5.0038..., with b = 0.999
    q = 1999 - 12 * 0.999**6 / (1 - 0.999**6)
    r = np.sqrt((q - 4) * (q - 2) * 1999 / (1995 * 1997 * q))
    np.testing.assert_allclose(x[6] - x[5], -0.1 * r * np.sign(g), rtol=1e-8)
    assert 0.01 < r < 0.03


def test_amsgrad_solves_the_counter_example_that_adam_does_not():
    """Section 3 of the paper's experiments: the gradients add up to 10 in 101 steps, upwards."""

    def gradient(x, t):
        return seldom if t % 101 == 0 else often

    def last(method):
        options = {"learning_rate": 0.5, "beta1": 0.9, "beta2": 0.99}
        run = told(method, np.zeros(1), gradient, 600_000, (-np.ones(1), np.ones(1)), **options)
        for t, (V, s) in enumerate(run, start=2):
            s["alpha"], x = 0.5 / t**0.5, V[s["x"][0]]
        return x.item()

    seldom, often = np.array([1010.0]), np.array([-10.0])
    assert last(adam) == pytest.approx(0.998, abs=5e-4)
    assert last(amsgrad) == pytest.approx(-0.9986, abs=5e-5)


def test_schedule_free_without_its_share_of_the_average_is_gd_with_polyaks_mean():
    x0, gradient = gradients("noisy")
    rows = told(schedule_free_sgd, x0, gradient, 50, learning_rate=0.1, beta=0.0)
    averages = np.array([state(schedule_free_sgd, V, s, "average") for V, s in rows])
    plain = trajectory(gd, x0, gradient, 50, learning_rate=0.1)
    means = np.cumsum(plain[1:], axis=0) / np.arange(1, 51)[:, None]
    np.testing.assert_allclose(averages[1:], means, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_prodigys_estimate_grows_and_stays_below_the_distance(seed):
    """Of convex functions; the distance is the greatest that a parameter has to go."""
    rng = np.random.default_rng(seed)
    center, x0 = 3 * rng.normal(size=(2, 6))
    rows = told(prodigy, x0, lambda x, t: np.arange(1, 7) * (x - center), 500)
    D = np.array([state(prodigy, V, s, "D") for V, s in rows])
    distance = abs(center - x0).max()
    assert (np.diff(D, axis=0) >= 0).all()
    assert 0.1 * distance < D.max() <= distance
    assert (D[:, :1] == D).all()


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


def test_adam_uncorrected_by_hand():
    """Three steps, computed on paper: g = 2, 1, -3, beta1 = 1/2, beta2 = 3/4, eps = 5/4."""
    x = trajectory(
        adam_uncorrected,
        np.array([0.0]),
        lambda x, t: np.array([2.0, 1.0, -3.0])[t : t + 1],
        3,
        learning_rate=1.0,
        beta1=0.5,
        beta2=0.75,
        eps=1.25,
    )
    # m = 1, 1, -1.  v = 1, 1, 3; with the guard 9/4, 9/4, 17/4, whose roots are 3/2, 3/2, 2.06.
    steps = [2 / 3, 2 / 3, -1 / np.sqrt(17 / 4)]
    np.testing.assert_allclose(x[:, 0], [0.0, *-np.cumsum(steps)], rtol=1e-14)


def test_adopt_scales_by_the_gradients_before_and_clips():
    """Two steps, computed on paper: the second gradient is 100 times the first."""
    x = trajectory(
        adopt,
        np.array([0.0]),
        lambda x, t: np.array([0.5, 50.0])[t : t + 1],
        2,
        learning_rate=1.0,
        beta1=0.5,
        beta2=0.75,
    )
    # scaled 1 and 100, of which 2**(1/4) is left; m = 1/2, 1/4 + 2**(1/4) / 2
    np.testing.assert_allclose(x[:, 0], -np.cumsum([0.0, 0.5, 0.25 + 2**0.25 / 2]), rtol=1e-14)


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
