"""Write the reference trajectories of torch.optim, pytorch_optimizer and optax (see README.md).

Run ``python make_trajectories.py``; no arguments.  A case names one of our methods and our options,
a peer turns these options into an optimizer of torch or optax.  All optimizers are fed the same
gradients, explicit NumPy formulas, in float64.

A trajectory is only accepted if rounding cannot grow along it: a second run, whose starting point
and gradients carry relative errors of 1e-15, has to stay within 1e-11 of the first at every step.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytorch_optimizer
import torch
from numpy.typing import NDArray
from optax import contrib
from scipy.optimize import rosen_der

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)

HERE = Path(__file__).parent
STEPS = [*range(1, 21), *range(40, 1001, 20)]
NUDGE, TOLERANCE = 1e-15, 1e-11

Array = NDArray[np.float64]
Step = Callable[[Array], Array]  # gradient -> points (1 or 2, n); the next gradient is due at [0]
Start = Callable[[Array], Step]  # from the starting point


# --- problems -------------------------------------------------------------------------------------


class Problem(NamedTuple):
    x0: Array
    gradient: Callable[[Array, int], Array]  # at (x, t) with t = 0 in the first step


def make_problems() -> tuple[dict[str, Problem], dict[str, Array]]:
    """The problems and the arrays that define them."""
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.standard_normal((10, 10)))
    a = (q * np.geomspace(1, 100, 10)) @ q.T
    a, c = (a + a.T) / 2, rng.standard_normal(10)
    noise, scale = rng.standard_normal((STEPS[-1], 5)), np.arange(1.0, 6.0)
    problems = {
        "quadratic": Problem(c + rng.standard_normal(10), lambda x, t: a @ (x - c)),
        "rosenbrock2": Problem(np.array([-1.2, 1.0]), lambda x, t: rosen_der(x)),
        "rosenbrock10": Problem(np.tile([-1.2, 1.0], 5), lambda x, t: rosen_der(x)),
        "noisy": Problem(np.full(5, 0.5), lambda x, t: (x - 1) * scale + noise[t]),
    }
    arrays = {f"{name}/x0": problem.x0 for name, problem in problems.items()}
    return problems, arrays | {"quadratic/A": a, "quadratic/c": c, "noisy/noise": noise}


# --- peers ----------------------------------------------------------------------------------------


class Peer(NamedTuple):
    optimizer: str  # its name below torch.optim, pytorch_optimizer or optax
    start: Callable[..., Start]  # from our options


PAIRS = {
    "betas": ("beta1", "beta2", "beta3"),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("step_min", "step_max"),
}


def pair(options: dict) -> dict:
    """Join the options which the peer takes as a tuple."""
    pairs = {name: names for name, names in PAIRS.items() if names[0] in options}
    rest = {key: value for key, value in options.items() if key not in sum(pairs.values(), ())}
    joined = {k: tuple(options[n] for n in names if n in options) for k, names in pairs.items()}
    return rest | joined


def rename(options: dict, names: dict[str, str]) -> dict:
    return {names.get(key, key): value for key, value in options.items()}


def torch_peer(name: str, names: dict[str, str] | None = None, among=torch.optim, **fixed) -> Peer:
    """A peer of torch with some names of options other than ours and some options fixed."""
    names = {"learning_rate": "lr"} | (names or {})

    def start(x0: Array, options: dict) -> Step:
        x = torch.tensor(x0, requires_grad=True)
        optimizer = getattr(among, name)([x], **options)

        def step(gradient: Array) -> Array:
            x.grad = torch.from_numpy(gradient)
            optimizer.step()
            return x.detach().numpy()[None].copy()

        return step

    return Peer(name, lambda **ours: lambda x0: start(x0, rename(pair(ours), names) | fixed))


def optax_peer(name: str, make=None, names: dict[str, str] | None = None, **fixed) -> Peer:
    """The same for optax; `make` replaces the optimizer of that name.

    The point of a schedule-free method is followed by that of schedule_free_eval_params.
    """
    make = make or attrgetter(name)(optax)
    names = {"beta1": "b1", "beta2": "b2"} | (names or {})

    def start(**ours) -> Start:
        optimizer = make(**rename(ours, names), **fixed)

        @jax.jit
        def update(gradient, state, x):
            change, state = optimizer.update(gradient, state, x)
            return state, optax.apply_updates(x, change)

        def begin(x0: Array) -> Step:
            x = jnp.asarray(x0)
            state = optimizer.init(x)

            def step(gradient: Array) -> Array:
                nonlocal state, x
                state, x = update(gradient, state, x)
                if "schedule_free" in name:
                    return np.array([x, contrib.schedule_free_eval_params(state, x)])
                return np.array([x])

            return step

        return begin

    return Peer(name, start)


def damped_sgd(learning_rate: float, momentum: float, dampening: float):
    return optax.chain(optax.scale(1 - dampening), optax.sgd(learning_rate, momentum))


def l2_adam(weight_decay: float, **options):
    return optax.chain(optax.add_decayed_weights(weight_decay), optax.adam(**options))


def nadam(momentum_decay: float, **options):
    assert momentum_decay >= 1e4, "optax has no momentum decay, which is the limit for torch"
    return optax.nadam(**options)


def adabelief(eps: float, **options):
    return optax.adabelief(eps=eps, eps_root=eps, **options)


def yogi(learning_rate: float, initial: float, **options):
    transform = optax.scale_by_yogi(**options, initial_accumulator_value=initial)
    return optax.chain(transform, optax.scale_by_learning_rate(learning_rate))


def prodigy(beta1: float, beta2: float, **options):
    return contrib.prodigy(betas=(beta1, beta2), **options)


def laprop(learning_rate: float, b1: float, b2: float, eps: float):
    """Not in optax, but its parts are: the scaled gradients, and then their average."""
    scaled = optax.scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True)
    average = optax.ema(b1, debias=True)
    return optax.chain(scaled, average, optax.scale_by_learning_rate(learning_rate))


def adopt(**options):
    """Without the step that goes nowhere: the first gradient is given twice."""
    peer = contrib.adopt(**options)

    def update(gradient, state, x):
        first = state[0].count == 0
        _, measured = peer.update(gradient, state, x)
        state = jax.tree.map(lambda a, b: jnp.where(first, a, b), measured, state)
        return peer.update(gradient, state, x)

    return optax.GradientTransformation(peer.init, update)


PEERS = {
    ("gd", "torch"): torch_peer("SGD"),
    ("gd", "optax"): optax_peer("sgd"),
    ("momentum", "torch"): torch_peer("SGD"),
    ("momentum", "optax"): optax_peer("sgd", damped_sgd),
    ("nesterov", "torch"): torch_peer("SGD", nesterov=True),
    ("nesterov", "optax"): optax_peer("sgd", nesterov=True),
    ("adagrad", "torch"): torch_peer("Adagrad"),
    ("adagrad", "optax"): optax_peer("adagrad", initial_accumulator_value=0.0),
    ("rmsprop", "torch"): torch_peer("RMSprop", names={"rho": "alpha"}),
    ("rmsprop", "optax"): optax_peer("rmsprop", names={"rho": "decay"}, eps_in_sqrt=False),
    ("adadelta", "torch"): torch_peer("Adadelta"),
    ("adadelta", "optax"): optax_peer("adadelta"),
    ("adam", "torch"): torch_peer("Adam"),
    ("adam", "optax"): optax_peer("adam", l2_adam),
    ("adamw", "torch"): torch_peer("AdamW"),
    ("adamw", "optax"): optax_peer("adamw"),
    ("amsgrad", "torch"): torch_peer("Adam", amsgrad=True),
    ("nadam", "torch"): torch_peer("NAdam"),
    ("nadam", "optax"): optax_peer("nadam", nadam),
    ("radam", "torch"): torch_peer("RAdam"),
    ("radam", "optax"): optax_peer("radam"),
    ("adamax", "torch"): torch_peer("Adamax"),
    ("adamax", "optax"): optax_peer("adamax"),
    ("rprop", "torch"): torch_peer("Rprop"),
    ("adabelief", "optax"): optax_peer("adabelief", adabelief),
    ("yogi", "optax"): optax_peer("yogi", yogi),
    ("adan", "pytorch_optimizer"): torch_peer(
        "Adan", among=pytorch_optimizer, weight_decouple=True, foreach=False
    ),
    ("laprop", "optax"): optax_peer("scale_by_rms, ema", laprop),
    ("adopt", "optax"): optax_peer("contrib.adopt", adopt),
    ("ademamix", "optax"): optax_peer("contrib.ademamix", names={"beta3": "b3"}),
    ("lion", "optax"): optax_peer("lion"),
    ("prodigy", "optax"): optax_peer(
        "contrib.prodigy",
        prodigy,
        names={"beta1": "beta1", "beta2": "beta2", "d0": "estim_lr0", "d_coef": "estim_lr_coef"},
    ),
    ("dowg", "optax"): optax_peer("contrib.dowg", names={"d0_squared": "init_estim_sq_dist"}),
    ("schedule_free_sgd", "optax"): optax_peer("contrib.schedule_free_sgd", names={"beta": "b1"}),
    ("schedule_free_adamw", "optax"): optax_peer("contrib.schedule_free_adamw"),
}


# --- cases ----------------------------------------------------------------------------------------


class Case(NamedTuple):
    method: str
    libraries: str
    rates: tuple[float, ...]  # the learning rate for each problem, in their order
    options: dict[str, float]
    last: tuple[int, ...] = (1000,) * 4  # the last step for each problem


def adam(eps: float = 1e-8, beta1: float = 0.9, beta2: float = 0.999, **more: float):
    return {"beta1": beta1, "beta2": beta2, "eps": eps} | more


OTHER = {"eps": 1e-6, "beta1": 0.8, "beta2": 0.95}
ADAN = {"beta1": 0.98, "beta2": 0.92, "beta3": 0.99, "eps": 1e-8}
BOTH = "torch optax"
SHORT = (100, 100, 100, 1000)  # for methods that turn chaotic once their gradients have shrunk

CASES = [
    Case("gd", BOTH, (0.015, 8e-4, 5e-4, 0.02), {}),
    Case("gd", BOTH, (0.002, 2e-4, 1e-4, 0.2), {}),
    Case("momentum", BOTH, (0.005, 1e-4, 1e-4, 0.02), {"momentum": 0.9, "dampening": 0.0}),
    Case("momentum", BOTH, (0.01, 8e-4, 3e-4, 0.1), {"momentum": 0.5, "dampening": 0.0}),
    Case("momentum", "optax", (0.02, 1e-3, 1e-3, 0.1), {"momentum": 0.9, "dampening": 0.9}),
    Case("momentum", "optax", (0.01, 8e-4, 3e-4, 0.1), {"momentum": 0.8, "dampening": 0.3}),
    Case("nesterov", BOTH, (0.005, 2e-4, 1e-4, 0.02), {"momentum": 0.9}),
    Case("nesterov", BOTH, (0.01, 3e-4, 2e-4, 0.1), {"momentum": 0.5}),
    Case("adagrad", "torch", (0.5, 0.1, 0.3, 0.5), {"eps": 1e-10}),
    Case("adagrad", "torch", (0.2, 0.1, 0.1, 0.1), {"eps": 1e-3}),
    Case("adagrad", "optax", (0.5, 0.1, 0.3, 0.5), {"eps": 0.0}),
    Case("rmsprop", BOTH, (1e-3, 1e-3, 1e-3, 0.01), {"rho": 0.99, "eps": 1e-8}),
    Case("rmsprop", BOTH, (5e-4, 5e-4, 5e-4, 0.02), {"rho": 0.8, "eps": 1e-6}, SHORT),
    Case("adadelta", BOTH, (1.0, 1.0, 1.0, 1.0), {"rho": 0.9, "eps": 1e-6}, SHORT),
    Case("adadelta", BOTH, (0.1, 0.05, 0.1, 2.0), {"rho": 0.8, "eps": 1e-4}, SHORT),
    Case("adam", BOTH, (0.02, 0.01, 0.01, 0.05), adam(weight_decay=0.0)),
    Case("adam", BOTH, (0.01, 0.005, 0.005, 0.02), adam(**OTHER, weight_decay=0.0), SHORT),
    Case("adam", BOTH, (0.02, 0.01, 0.01, 0.05), adam(weight_decay=0.1)),
    Case("adam", BOTH, (0.005, 0.005, 0.005, 0.02), adam(**OTHER, weight_decay=0.01), SHORT),
    Case("adamw", BOTH, (0.02, 0.01, 0.01, 0.05), adam(weight_decay=0.01)),
    Case("adamw", BOTH, (0.005, 0.005, 0.005, 0.02), adam(**OTHER, weight_decay=0.1), SHORT),
    Case("amsgrad", "torch", (0.05, 0.01, 0.01, 0.05), adam()),
    Case("amsgrad", "torch", (0.02, 0.01, 0.01, 0.02), adam(**OTHER)),
    Case("nadam", "torch", (0.005, 0.01, 0.01, 0.05), adam(momentum_decay=0.004)),
    Case("nadam", "torch", (0.005, 0.005, 0.005, 0.02), adam(**OTHER, momentum_decay=0.05), SHORT),
    Case("nadam", BOTH, (0.01, 0.01, 0.01, 0.02), adam(momentum_decay=1e4)),
    Case("radam", "torch", (0.01, 5e-4, 5e-4, 0.02), adam()),
    Case("radam", "torch", (0.01, 5e-4, 5e-4, 0.02), adam(**OTHER), SHORT),
    Case("radam", "optax", (0.01, 5e-4, 5e-4, 0.02), adam(eps=0.0)),
    Case("adamax", BOTH, (0.05, 0.02, 0.02, 0.05), adam()),
    Case("adamax", BOTH, (0.01, 0.01, 0.01, 0.02), adam(**OTHER), SHORT),
    Case(
        "rprop",
        "torch",
        (0.01, 0.01, 0.01, 0.01),
        {"eta_minus": 0.5, "eta_plus": 1.2, "step_min": 1e-6, "step_max": 50.0},
    ),
    Case(
        "rprop",
        "torch",
        (0.1, 0.05, 0.05, 0.1),
        {"eta_minus": 0.7, "eta_plus": 1.1, "step_min": 1e-3, "step_max": 0.2},
    ),
    Case("adabelief", "optax", (0.02, 0.005, 0.01, 0.05), adam(eps=1e-16)),
    Case("adabelief", "optax", (0.01, 0.005, 0.005, 0.02), adam(**OTHER), SHORT),
    Case("yogi", "optax", (0.05, 0.01, 0.02, 0.05), adam(eps=1e-3, initial=1e-6)),
    Case("yogi", "optax", (0.02, 0.01, 0.01, 0.02), adam(**OTHER, initial=0.0)),
    Case(
        "adan", "pytorch_optimizer", (0.01, 0.01, 0.01, 0.05), ADAN | {"weight_decay": 0.0}, SHORT
    ),
    Case(
        "adan",
        "pytorch_optimizer",
        (0.01, 0.005, 0.005, 0.02),
        {"beta1": 0.9, "beta2": 0.7, "beta3": 0.95, "eps": 1e-4, "weight_decay": 0.1},
        SHORT,
    ),
    Case("laprop", "optax", (0.01, 0.005, 0.005, 0.05), adam(eps=1e-15), SHORT),
    Case("laprop", "optax", (0.005, 0.005, 0.005, 0.02), adam(**OTHER), SHORT),
    Case("adopt", "optax", (0.02, 0.01, 0.01, 0.05), adam(eps=1e-6, beta2=0.9999)),
    Case("adopt", "optax", (0.01, 0.005, 0.005, 0.02), adam(**OTHER), SHORT),
    Case(
        "ademamix",
        "optax",
        (0.005, 0.005, 0.005, 0.02),
        adam(beta3=0.9999, alpha=5.0, weight_decay=0.0),
        SHORT,
    ),
    Case(
        "ademamix",
        "optax",
        (0.005, 0.005, 0.005, 0.02),
        adam(**OTHER, beta3=0.99, alpha=2.0, weight_decay=0.1),
        SHORT,
    ),
    Case(
        "lion",
        "optax",
        (0.003, 0.001, 0.001, 0.01),
        {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0},
    ),
    Case(
        "lion",
        "optax",
        (0.003, 0.001, 0.001, 0.01),
        {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1},
    ),
    Case(
        "prodigy",
        "optax",
        (1.0, 1.0, 1.0, 0.25),
        adam(beta3=0.999**0.5, d0=1e-6, d_coef=1.0, weight_decay=0.0),
        SHORT,
    ),
    Case(
        "prodigy",
        "optax",
        (0.25, 0.25, 0.25, 0.5),
        adam(**OTHER, beta3=0.9, d0=1e-4, d_coef=0.5, weight_decay=0.01),
        SHORT,
    ),
    Case("dowg", "optax", (1.0, 0.1, 0.25, 1.0), {"d0_squared": 1e-4, "eps": 1e-4}),
    Case("dowg", "optax", (0.25, 0.1, 0.1, 0.5), {"d0_squared": 1e-2, "eps": 1e-6}),
    Case("schedule_free_sgd", "optax", (0.02, 1e-3, 5e-4, 0.1), {"beta": 0.9, "weight_decay": 0.0}),
    Case("schedule_free_sgd", "optax", (0.01, 1e-3, 5e-4, 0.1), {"beta": 0.7, "weight_decay": 0.1}),
    Case("schedule_free_adamw", "optax", (0.02, 0.02, 0.02, 0.05), adam(weight_decay=0.0)),
    Case(
        "schedule_free_adamw",
        "optax",
        (0.01, 0.01, 0.01, 0.05),
        adam(**OTHER, weight_decay=0.1),
        SHORT,
    ),
]


# --- trajectories ---------------------------------------------------------------------------------


def run(start: Start, problem: Problem, last: int, nudge: float = 0.0) -> Array:
    """All points, shape (last, 1 or 2, n); starting point and gradients are off by `nudge`."""
    rng = np.random.default_rng(1)

    def off(values: Array) -> Array:
        return values * (1 + nudge * rng.choice([-1.0, 1.0], values.shape))

    x, points = off(problem.x0), []
    step = start(x)
    for t in range(last):
        points.append(step(off(problem.gradient(x, t))))
        x = points[-1][0]
    return np.array(points)


def deviation(points: Array, nudged: Array) -> float:
    """The largest one over all steps, relative to the largest component of the point."""
    return float(np.max(abs(points - nudged).max(axis=-1) / abs(points).max(axis=-1)))


def main() -> None:
    problems, arrays = make_problems()
    versions = {name: version(name) for name in ("torch", "optax", "pytorch_optimizer")}
    entries: list[dict] = []
    unstable: list[str] = []
    numbers: Counter[str] = Counter()
    for case in CASES:
        number = numbers[case.method]
        numbers[case.method] += 1
        settings = list(zip(problems, case.rates, case.last, strict=True))
        for library, (name, rate, last) in product(case.libraries.split(), settings):
            peer, problem = PEERS[case.method, library], problems[name]
            options = {"learning_rate": rate} | case.options
            key = f"{library}/{case.method}/{number}/{name}"
            start = peer.start(**options)
            points = run(start, problem, last)
            error = deviation(points, run(start, problem, last, NUDGE))
            if not error < TOLERANCE:
                unstable.append(f"{key}: {error:.1e}")
            steps = [step for step in STEPS if step <= last]
            kept = points[np.array(steps) - 1]
            entry = {
                "key": key,
                "library": library,
                "version": versions[library],
                "optimizer": peer.optimizer,
                "method": case.method,
                "options": options,
                "problem": name,
                "steps": steps,
            }
            arrays[key] = kept[:, 0]
            if kept.shape[1] == 2:
                entry["eval_key"] = f"{key}/eval"
                arrays[f"{key}/eval"] = kept[:, 1]
            entries.append(entry)
    if unstable:
        raise SystemExit("rounding grows along\n" + "\n".join(unstable))
    np.savez_compressed(HERE / "trajectories.npz", **arrays)
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (HERE / "trajectories.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
