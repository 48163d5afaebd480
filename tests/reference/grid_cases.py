"""The cases of the grid (see grid.py): what is run, and what each block of runs is for.

A block is a generator of ``(name, case)``; its docstring is its purpose. A case is called with a
`Log` and returns a result of SciPy's kind. Only the public API is used, for the inside will move.
Every run is deterministic: seeds everywhere, no `maxtime`, and `compiled` always True or False.
"""

from __future__ import annotations

import ctypes
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import blake2b
from itertools import count, product
from multiprocessing.pool import ThreadPool
from typing import Any, NamedTuple

import numpy as np
from numba import carray, cfunc, njit
from numpy.typing import NDArray
from scipy import LowLevelCallable
from scipy.optimize import (
    Bounds,
    OptimizeResult,
    minimize,
    rosen,
    rosen_der,
    rosen_hess,
    rosen_hess_prod,
)

from scipy_gd import METHODS, line_search, problems, start
from scipy_gd import schedules as s

Array = NDArray[Any]
Case = Callable[["Log"], OptimizeResult]
Cases = Iterator[tuple[str, Case]]
BLOCKS: dict[str, Callable[[], Cases]] = {}


def block(function: Callable[[], Cases]) -> Callable[[], Cases]:
    BLOCKS[function.__name__] = function
    return function


# --- what a run does on its way


def bits(value: Any) -> bytes:
    """The bytes of numbers; all NaN are one."""
    array = np.array(value, complex if np.iscomplexobj(value) else float)
    array[np.isnan(array)] = np.nan
    return array.tobytes()


class Log:
    """Hashes of what is seen while a case runs.

    trace   the iterates and their values, as a callback sees them
    told    what else a callback is told: gradient norm, learning rate, counts
    calls   all calls of the user's Python functions with all that they are given, in their order
    """

    def __init__(self) -> None:
        self.hashes = {name: blake2b(digest_size=6) for name in ("trace", "told", "calls")}

    def note(self, name: str, *values: Any) -> None:
        for value in values:
            self.hashes[name].update(value.encode() if isinstance(value, str) else bits(value))

    def watcher(self, stop: int | None) -> Callable[[OptimizeResult], None]:
        def callback(intermediate_result: OptimizeResult) -> None:
            seen = intermediate_result
            self.note("trace", seen.x, seen.fun)
            self.note("told", seen.nit, seen.gnorm, seen.learning_rate, seen.nfev, seen.njev)
            if seen.nit == stop:
                raise StopIteration

        return callback

    def recorded(self, function: Any, name: str, spoilt: Any = ((), None)) -> Any:
        """The function, noting its calls; those of the numbers `spoilt` return, or raise, that."""
        numbers, instead = spoilt
        calls = count(1)

        def wrapped(x: Array, *args: Any) -> Any:
            self.note("calls", name, x, *args)
            if next(calls) not in numbers:
                return function(x, *args)
            if isinstance(instead, Exception):
                raise instead
            return instead

        return wrapped


class Interrupted(ArithmeticError):
    """What a user's function raises."""


# --- problems: sums and products of elements, whose bits no alignment of memory changes


class Problem(NamedTuple):
    f: Any
    g: Any
    x0: Any
    args: tuple[Any, ...] = ()
    hess: Any = None
    hessp: Any = None
    pair: Any = None
    python: bool = True  # Numba's and C functions are given as they are


def fit(p: Array, t: Array, y: Array) -> Any:
    return np.sum((p[0] * np.exp(-p[1] * t) + p[2] - y) ** 2)


def fit_slope(p: Array, t: Array, y: Array) -> Array:
    e = np.exp(-p[1] * t)
    r = 2 * (p[0] * e + p[2] - y)
    return np.array([np.sum(r * e), np.sum(-p[0] * t * r * e), np.sum(r)])


def loss(w: Array, X: Array, y: Array) -> Any:
    return np.sum((np.sum(X * w, axis=1) - y) ** 2) / len(y)


def loss_slope(w: Array, X: Array, y: Array) -> Array:
    r = np.sum(X * w, axis=1) - y
    return 2 * np.sum(X * r[:, np.newaxis], axis=0) / len(y)


RNG = np.random.default_rng(0)
T = np.linspace(0, 4, 20)
Y = 3 * np.exp(-1.3 * T) + 0.5 + 0.05 * RNG.standard_normal(20)
ROWS = RNG.standard_normal((50, 3))
DATA = ROWS, ROWS @ [1.0, -2.0, 0.5] + 0.1 * RNG.standard_normal(50)
HELD_OUT = DATA[0][:12] + 0.1, DATA[1][:12]
WEIGHTS = np.geomspace(1, 100, 100)

ROSEN = Problem(rosen, rosen_der, [-1.2, 1.0, -0.5], (), rosen_hess, rosen_hess_prod)
FIT = Problem(fit, fit_slope, [1.0, 0.5, 0.0], (T, Y))
LOSS = Problem(loss, loss_slope, [0.0, 0.0, 0.0], DATA)
BARRIER = Problem(lambda x: np.sum(x - np.log(x)), lambda x: 1 - 1 / x, [20.0, 0.1])
BOWL = Problem(
    lambda x: np.sum(WEIGHTS * (x - 1) ** 2) / 2,
    lambda x: WEIGHTS * (x - 1),
    np.linspace(-1, 2, 100),
)
SADDLE = Problem(
    lambda x: x[0] ** 2 - x[1] ** 2, lambda x: np.array([2 * x[0], -2 * x[1]]), [1, 1e-3]
)
KINK = Problem(lambda x: np.sum(np.abs(x)), np.sign, [1.0, -0.7, 0.3])
STEEP = Problem(
    lambda x: 1e4 * x[0] ** 4 + np.exp(4 * x[1]) - 4 * x[1],
    lambda x: np.array([4e4 * x[0] ** 3, 4 * np.exp(4 * x[1]) - 4]),
    [3.0, 2.0],
)
PROBLEMS = {
    "cosh, n=1": Problem(lambda x: np.sum(np.cosh(x - 1)), lambda x: np.sinh(x - 1), [3.0]),
    "rosen, n=2": ROSEN._replace(x0=[-1.2, 1.0]),
    "rosen, n=3": ROSEN,
    "rosen, n=10": ROSEN._replace(x0=np.tile([-1.2, 1.0], 5)),
    "bowl, n=100": BOWL,
    "fit, n=3": FIT,
    "steep, n=2": STEEP,
    "barrier, n=2": BARRIER,
}


# --- how a run is made


def minimized(
    log: Log,
    method: str,
    problem: Problem = ROSEN,
    *,
    jac: Any = "given",
    bounds: Any = None,
    watched: bool = True,
    stop: int | None = None,
    fun_at: Any = ((), None),
    jac_at: Any = ((), None),
    hess: Any = None,
    hessp: Any = None,
    constraints: Any = (),
    **options: Any,
) -> OptimizeResult:
    """`minimize` with a log; `jac` is "given", "pair", None or the name of a scheme."""
    fun, slope, pair = problem.f, problem.g, problem.pair
    if problem.python:
        pair = log.recorded(lambda x, *args: (problem.f(x, *args), problem.g(x, *args)), "pair")
        fun, slope = log.recorded(fun, "fun", fun_at), log.recorded(slope, "jac", jac_at)
        hess = hess and log.recorded(hess, "hess")
        hessp = hessp and log.recorded(hessp, "hessp")
    return minimize(
        pair if jac == "pair" else fun,
        problem.x0,
        problem.args,
        METHODS[method],
        {"given": slope, "pair": True}.get(jac, jac),
        hess,
        hessp,
        bounds,
        constraints,
        callback=log.watcher(stop) if watched else None,
        options={"maxiter": 60, "rng": 0, "compiled": False} | options,
    )


def run(*given: Any, **more: Any) -> Case:
    return lambda log: minimized(log, *given, **more)


def resumed(
    log: Log,
    method: str,
    *,
    first: dict[str, Any] | None = None,
    then: dict[str, Any] | None = None,
    **how: Any,
) -> OptimizeResult:
    """A run that stops as `first` says, and goes on with its state from a pickle."""
    try:
        half = minimized(log, method, **how | (first or {}))
    except Interrupted as error:
        half = error.optimize_result
    log.note("trace", half.x, half.fun)
    state = pickle.loads(pickle.dumps(half.state))
    return minimized(log, method, **how | (then or {}), resume=state)


def told(
    log: Log,
    method: str,
    problem: Problem = ROSEN,
    *,
    pickled: int | None = None,
    asked: bool = True,
    lazily: bool = False,
    **options: Any,
) -> OptimizeResult:
    """A run by `start`, pickled in step `pickled` before or after it has asked.

    `lazily`, it is only told what it wants.
    """
    this = start(METHODS[method], problem.x0, **{"maxiter": 30, "rng": 0} | options)
    for k in count():
        if this.done:
            return this.result()
        if asked:
            this.ask()
        if k == pickled:
            this = pickle.loads(pickle.dumps(this))
        points = this.ask()
        log.note("calls", points, this.wants)
        if points.ndim == 2:
            this.tell([problem.f(x, *problem.args) for x in points])
        else:
            wants = this.wants if lazily else "fun and jac"
            f = problem.f(points, *problem.args) if "fun" in wants else None
            g = problem.g(points, *problem.args) if "jac" in wants else None
            this.tell(f, g)
        log.note("trace", this.x, this.fun)
    raise AssertionError


def ask_and_tell(*given: Any, **more: Any) -> Case:
    return lambda log: told(log, *given, **more)


def resume(*given: Any, **more: Any) -> Case:
    return lambda log: resumed(log, *given, **more)


# --- which methods

WITHOUT_GRADIENT = ("random_search", "spsa")
DESCENT = [name for name in METHODS if name not in WITHOUT_GRADIENT]
# one of each kind: step rules, formulas with and without states, what else they are given
FAMILIES = (
    *("gd", "momentum", "adam", "swats", "rprop", "spg", "adgd", "dowg", "schedule_free_adamw"),
    *("nesterov_restart", "cg_descent", "lbfgs", "newton", *WITHOUT_GRADIENT),
)
COMPILABLE = [name for name in FAMILIES if name != "spsa"]
SAMPLED = ("sgd", "momentum", "adam", "lion", "prodigy", "swats", "schedule_free_sgd")
RATES = {"newton": 0.5, "lbfgs": 0.05, "random_search": 0.1} | dict.fromkeys(
    ("adadelta", "adgd", "dowg", "prodigy", "rprop"), 1.0
)


def rate(method: str) -> float:
    return RATES.get(method, 2e-3)


# --- the grid


@block
def methods() -> Cases:
    """Every method on every problem, with its gradient."""
    for method, problem in product(METHODS, PROBLEMS):
        yield f"{method} | {problem}", run(method, PROBLEMS[problem], maxiter=80)


@block
def pairs() -> Cases:
    """Every method on `jac=True`, without a callback."""
    for method, problem in product(METHODS, ("rosen, n=2", "fit, n=3", "barrier, n=2")):
        yield f"{method} | {problem}", run(method, PROBLEMS[problem], jac="pair", watched=False)


@block
def differences() -> Cases:
    """Every method without a gradient: schemes, steps, bounds, workers."""
    box = [(-1.5, 0.7), (None, 0.8), (-0.5, None)]
    steps = np.array([1e-6, 1e-5, 1e-4])
    ways: dict[str, dict[str, Any]] = {
        "2-point": {"jac": None},
        "3-point": {"jac": "3-point"},
        "cs": {"finite_diff_scheme": "cs", "jac": None},
        "2-point, step": {"jac": "2-point", "finite_diff_rel_step": 1e-5},
        "3-point, steps": {"jac": "3-point", "finite_diff_rel_step": steps},
        "cs, step": {"jac": "cs", "finite_diff_rel_step": 1e-10},
        "2-point, bounds": {"jac": "2-point", "bounds": box},
        "3-point, bounds": {"jac": "3-point", "bounds": box},
        "cs, bounds": {"jac": "cs", "bounds": box},
        "2-point, fit": {"jac": "2-point", "problem": FIT},
        "3-point, fixed": {"jac": "3-point", "bounds": [(-2, 2), (0.5, 0.5), (None, None)]},
        "2-point, map": {"jac": None, "workers": lambda f, points: [f(x) for x in points]},
    }
    for method, way in product(DESCENT, ways):
        yield f"{method} | {way}", run(method, **{"maxiter": 40} | ways[way])

    for method in ("gd", "adam", "lbfgs"):
        yield f"{method} | 2-point, n=100", run(method, BOWL, jac="2-point", maxiter=5)

    def in_threads(log: Log, method: str, scheme: str) -> OptimizeResult:
        problem = ROSEN._replace(python=False)  # the order of the calls is left to chance
        with ThreadPool(2) as pool:
            return minimized(log, method, problem, jac=scheme, maxiter=20, workers=pool.map)

    for method, scheme in product(("adam", "lbfgs", "newton"), ("2-point", "3-point", "cs")):
        yield f"{method} | {scheme}, threads", partial(in_threads, method=method, scheme=scheme)


@block
def rates() -> Cases:
    """Every method at every kind of learning rate."""
    for method in METHODS:
        a = rate(method)
        groups = [
            (slice(0, 1), {"learning_rate": a / 2}),
            ([1, 2], {"learning_rate": s.linear(a, a / 4, 20)}),
        ]
        kinds: dict[str, dict[str, Any]] = {
            "auto": {"learning_rate": "auto", "problem": FIT},
            "armijo": {"learning_rate": "armijo"},
            "wolfe": {"learning_rate": "wolfe"},
            "number": {"learning_rate": a},
            "array": {"learning_rate": a * np.array([1.0, 0.5, 0.0])},
            "schedule": {"learning_rate": s.exponential(a, 0.95)},
            "schedule of arrays": {"learning_rate": [1.0, 2.0, 0.5] * s.cosine(a, a / 9, 30)},
            "groups": {"groups": groups},
            "number, bounds": {"learning_rate": a, "bounds": Bounds(-1.3, 0.6)},
            "armijo, bounds": {"learning_rate": "armijo", "bounds": Bounds(-1.3, 0.6)},
            "wolfe, bounds": {"learning_rate": "wolfe", "bounds": Bounds(-1.3, 0.6)},
        }
        for kind, how in kinds.items():
            yield f"{method} | {kind}", run(method, **how)


SCHEDULES: dict[str, Any] = {
    "constant": s.constant(1e-3),
    "step": s.step(2e-3, every=10, factor=0.5),
    "milestones": s.milestones(2e-3, at=(5, 20), factor=0.3),
    "exponential": s.exponential(2e-3, 0.97),
    "inverse_time": s.inverse_time(2e-3, 0.1, power=0.7),
    "linear": s.linear(2e-3, 1e-4, 40),
    "to zero": s.linear(2e-3, 0.0, 25),
    "polynomial": s.polynomial(2e-3, 1e-4, 40, power=2.0),
    "cosine": s.cosine(2e-3, 1e-4, 40),
    "cosine_restarts": s.cosine_restarts(2e-3, 1e-4, 10, factor=2),
    "one_cycle": s.one_cycle(2e-3, 40),
    "scaled": 0.5 * s.exponential(2e-3, 0.97),
    "of arrays": np.array([1.0, 2.0, 0.5]) * s.exponential(1e-3, 0.97),
    "sequence": s.constant(1e-3).then(s.exponential(2e-3, 0.9), at=15),
    "warmup": s.warmup(10, s.cosine(2e-3, 1e-4, 30)),
    "reduce_on_plateau": s.reduce_on_plateau(4e-3, factor=0.5, patience=2, cooldown=1),
    "warmup of a plateau": s.warmup(5, s.reduce_on_plateau(4e-3, factor=0.5, patience=1)),
    "function": lambda t: 4e-3 / (1 + t),
    "function that fails": lambda t: 1e-3 if t < 20 else -1.0,
}


@block
def schedules() -> Cases:
    """Every kind of schedule of the learning rate."""
    for method, kind in product(("gd", "adam", "lbfgs", "random_search", "spsa"), SCHEDULES):
        yield f"{method} | {kind}", run(method, learning_rate=SCHEDULES[kind])


HYPER = {
    "momentum": 0.7,
    "dampening": 0.3,
    "beta": 0.7,
    "beta1": 0.7,
    "beta2": 0.95,
    "beta3": 0.9,
    "rho": 0.7,
    "eps": 1e-6,
    "eta_minus": 0.4,
    "eta_plus": 1.1,
    "step_min": 1e-6,
    "step_max": 0.1,
    "maxcor": 3,
    "mincor": 2,
    "momentum_decay": 0.01,
    "initial": 1e-3,
    "final_rate": 10.0,
    "gamma": 0.2,
    "switch": 0.1,
    "d0": 1e-3,
    "d0_squared": 1e-2,
    "d_coef": 0.5,
    "weight_decay": 0.01,
    "c": 0.2,
    "alpha": 0.5,
    "A": 5.0,
}


@block
def hyper_parameters() -> Cases:
    """Every hyper-parameter of every method: a number, a schedule, arrays, groups."""
    for method, formula in METHODS.items():
        names = [name for name in formula.hyper if name in HYPER]
        for name in names:
            value = HYPER[name]
            yield f"{method} | {name}", run(method, **{name: value})
            falling = {name: s.linear(value, value / 2, 30), "learning_rate": rate(method)}
            yield f"{method} | {name}, schedule", run(method, **falling)
        if names:
            some = names[:2]
            arrays = {name: HYPER[name] * np.array([1.0, 0.9, 0.8]) for name in some}
            yield f"{method} | arrays", run(method, **arrays)
            group = {name: s.linear(HYPER[name], HYPER[name] / 2, 30) for name in some}
            groups = [(slice(1, None), group)]
            yield (
                f"{method} | groups",
                run(method, groups=groups, learning_rate=rate(method), maxiter=40),
            )


BOUNDS = {
    "one-sided": [(None, 0.8), (0.2, None), (None, None)],
    "active": Bounds(-1.5, 0.7),
    "fixed": [(-2, 2), (0.5, 0.5), (-2, 2)],
    "start outside": ((0, 2), (2, 3), (0.1, None)),
    "inactive": np.array([[-3.0, 3.0]] * 3),
}


@block
def bounds() -> Cases:
    """Every method within bounds of every form."""
    for method, kind in product(METHODS, BOUNDS):
        yield f"{method} | {kind}", run(method, bounds=BOUNDS[kind])
    for method in FAMILIES:
        yield f"{method} | all fixed", run(method, bounds=[(1.0, 1.0)] * 3, maxiter=5)
        yield f"{method} | fit", run(method, FIT, bounds=[(0, None), (0.1, 1), (0, 0.3)])
    for method in ("gd", "spg", "adam", "cg_descent", "lbfgs"):
        yield f"{method} | n=100", run(method, BOWL, bounds=Bounds(-0.5, np.linspace(0.5, 2, 100)))


@block
def budgets() -> Cases:
    """Stops: budgets down to nothing, tolerances, `target`, callbacks."""
    kinds: dict[str, dict[str, Any]] = {
        **{f"maxiter={k}": {"maxiter": k} for k in (0, 1, 7)},
        **{f"maxfev={k}": {"maxfev": k} for k in (1, 2, 3, 8)},
        "target": {"target": 5.0},
        "ftol": {"ftol": 1e-2},
        "xtol": {"xtol": 1e-2},
        "gtol": {"gtol": 5.0},
        "gtol=0": {"gtol": 0, "maxiter": 150},
        "tol": {"tol": 3.0},
        "maxiter_is_success": {"maxiter": 3, "maxiter_is_success": True},
        "callback": {"stop": 4},
        "return_all": {"return_all": True, "maxiter": 20, "watched": False},
        "history": {"history": True, "maxiter": 20, "watched": False},
        "maxiter=1e1": {"maxiter": 1e1, "maxfev": 1e3},
    }
    for method, kind in product(FAMILIES, kinds):
        yield f"{method} | {kind}", run(method, **kinds[kind])
    some = ("gd", "lbfgs", "adam", "newton", "spsa")
    for method, scheme, k in product(some, ("2-point", "3-point"), range(1, 12)):
        yield f"{method} | {scheme}, maxfev={k}", run(method, jac=scheme, maxfev=k)
    for method, k in product(("adam", "lbfgs"), (1, 2, 5, 9)):
        yield f"{method} | pair, maxfev={k}", run(method, jac="pair", maxfev=k)


@block
def hessians() -> Cases:
    """newton with every source of the Hessian, at every kind of rate."""
    sources: dict[str, dict[str, Any]] = {
        "hess": {"hess": rosen_hess},
        "hessp": {"hessp": rosen_hess_prod},
        "both": {"hess": rosen_hess, "hessp": rosen_hess_prod},
        "of jac": {},
        "of pairs": {"jac": "pair"},
        "of 2-point": {"jac": "2-point"},
        "of 3-point": {"jac": "3-point"},
        "of cs": {"jac": "cs"},
    }
    ways: dict[str, dict[str, Any]] = {
        "alone": {},
        "bounds": {"bounds": Bounds(-1.5, 0.7)},
        "fixed": {"bounds": BOUNDS["fixed"]},
        "wolfe": {"learning_rate": "wolfe"},
        "number": {"learning_rate": 0.5},
        "schedule": {"learning_rate": s.linear(0.1, 1.0, 20)},
        "maxfev": {"maxfev": 9},
        "n=10": {"problem": PROBLEMS["rosen, n=10"]},
    }
    for source, way in product(sources, ways):
        yield f"{source} | {way}", run("newton", **sources[source] | ways[way])
    for method in ("lbfgs", "adam"):
        yield f"{method} | unused", run(method, hess=rosen_hess, maxiter=5)
    yield "nan", run("newton", hess=lambda x: np.full((3, 3), np.nan), maxiter=10)
    yield "asymmetric", run("newton", hess=lambda x: np.triu(np.ones((3, 3))))


def fitted(*given: Any, **more: Any) -> Case:
    return run(*given, **{"problem": LOSS, "batch_size": 8, "epochs": 3, "maxiter": None} | more)


@block
def batches() -> Cases:
    """Mini-batches: what is cut, in which order, held-out data, averages, clipping, stops."""
    for method in METHODS:
        yield f"{method} | auto", fitted(method)
        yield f"{method} | number", fitted(method, learning_rate=10 * rate(method), jac="pair")
    ways: dict[str, dict[str, Any]] = {
        "in order": {"shuffle": False},
        "size divides": {"batch_size": 10},
        "size 1": {"batch_size": 1, "epochs": 1},
        "all rows": {"batch_size": 100, "epochs": 20},
        "maxiter": {"maxiter": 17, "epochs": None},
        "maxiter and epochs": {"maxiter": 11, "epochs": 2},
        "maxiter=0": {"maxiter": 0},
        "validation": {"validation": HELD_OUT},
        "patience": {"validation": HELD_OUT, "patience": 1, "epochs": 15, "learning_rate": 0.3},
        "polyak": {"averaging": "polyak"},
        "average": {"averaging": 0.9, "validation": HELD_OUT},
        "clip_norm": {"clip_norm": 0.5},
        "clip_value": {"clip_value": 0.2},
        "2-point": {"jac": "2-point", "epochs": 1},
        "3-point": {"jac": "3-point", "epochs": 1, "finite_diff_rel_step": 1e-4},
        "cs": {"jac": "cs", "epochs": 1},
        "bounds": {"bounds": [(None, 0.5), (-1, 1), (0.2, 0.2)]},
        "schedule": {"learning_rate": s.cosine(0.1, 0.01, 21)},
        "plateau": {"learning_rate": s.reduce_on_plateau(0.1, factor=0.5, patience=2)},
        "groups": {"groups": [([0, 2], {"learning_rate": 0.05})], "learning_rate": 0.01},
        "batch_args": {"batch_args": (0, 1)},
        "callback": {"stop": 9},
        "maxfev": {"maxfev": 10},
        "maxfev of differences": {"maxfev": 30, "jac": "2-point"},
        "target": {"target": 2.0, "epochs": 10},
        "loose gtol": {"gtol": 1.0, "epochs": 20},
        "return_all": {"return_all": True},
        "raises": {"fun_at": ([6], Interrupted())},
        "nan": {"fun_at": ([6], np.nan)},
        "nan gradient": {"jac_at": ([6], [np.nan] * 3)},
    }
    for method, way in product((*SAMPLED, "spsa"), ways):
        yield f"{method} | {way}", fitted(method, **ways[way])
    for seed in range(1, 5):
        yield f"sgd | seed {seed}", fitted("sgd", rng=seed)


@block
def averages_and_clipping() -> Cases:
    """The same of functions that are not sampled."""
    ways: dict[str, dict[str, Any]] = {
        "polyak": {"averaging": "polyak"},
        "average": {"averaging": 0.8},
        "average, bounds": {"averaging": 0.8, "bounds": BOUNDS["active"]},
        "clip_norm": {"clip_norm": 1.0},
        "clip_value": {"clip_value": 0.5},
        "both, bounds": {"clip_value": 0.5, "clip_norm": 0.6, "bounds": BOUNDS["one-sided"]},
    }
    for method, way in product(METHODS, ways):
        yield f"{method} | {way}", run(method, learning_rate=rate(method), **ways[way])
    for method, way in product(("gd", "adam", "spsa", "lion"), ways):
        yield f"{method} | {way}, auto", run(method, **ways[way])


@block
def random() -> Cases:
    """spsa and random_search: seeds, rates, bounds, gradients that they have no use for."""
    ways: dict[str, dict[str, Any]] = {
        "auto": {"jac": None},
        "number": {"learning_rate": 0.01, "jac": None},
        "array": {"learning_rate": [0.01, 0.02, 0.005], "jac": None},
        "bounds": {"bounds": BOUNDS["active"], "jac": None},
        "fixed": {"bounds": BOUNDS["fixed"], "jac": None},
        "fit": {"problem": FIT, "jac": None},
        "jac": {},
        "loose gtol": {"gtol": 50.0},
        "target": {"target": 4.0, "jac": None},
    }
    for method, way, seed in product(WITHOUT_GRADIENT, ways, range(3)):
        yield f"{method} | {way}, {seed}", run(method, rng=seed, maxiter=100, **ways[way])
    for method, k in product(WITHOUT_GRADIENT, (2, 3, 8, 9, 10, 11, 20)):
        yield f"{method} | maxfev={k}", run(method, jac=None, maxfev=k)
    for method in WITHOUT_GRADIENT:
        rng = np.random.PCG64(7)
        yield f"{method} | generator", run(method, rng=np.random.Generator(rng), jac=None)
        yield f"{method} | long", run(method, maxiter=1500, jac=None, watched=False)


@block
def resuming() -> Cases:
    """Runs that stop, in every way, and go on with a pickled state."""

    def stops(k: int) -> dict[str, dict[str, Any]]:
        return {
            f"maxiter={k}": {"maxiter": k},
            f"maxfev={k}": {"maxfev": k},
            f"callback at {k}": {"stop": k},
            f"error in value {k + 1}": {"fun_at": ([k + 1], Interrupted())},
            f"error in gradient {k + 1}": {"jac_at": ([k + 1], Interrupted())},
        }

    for method, k in product(FAMILIES, (1, 6, 17)):
        for stop, first in stops(k).items():
            yield f"{method} | {stop}", resume(method, first=first, maxiter=30)
    for method in METHODS:
        yield f"{method} | fit", resume(method, problem=FIT, first={"maxiter": 13}, maxiter=30)
    ways: dict[str, dict[str, Any]] = {
        "number": {"learning_rate": 1e-3},
        "new rate": {"first": {"maxiter": 9, "learning_rate": 1e-3}, "learning_rate": 5e-4},
        "array": {"learning_rate": [1e-3, 2e-3, 0.0]},
        "schedule": {"learning_rate": s.cosine(2e-3, 1e-4, 30)},
        "plateau": {"learning_rate": SCHEDULES["reduce_on_plateau"]},
        "groups": {"groups": [([0], {"learning_rate": 1e-3})], "learning_rate": 2e-3},
        "armijo": {"learning_rate": "armijo"},
        "wolfe": {"learning_rate": "wolfe"},
        "bounds": {"bounds": BOUNDS["active"]},
        "polyak": {"averaging": "polyak"},
        "average": {"averaging": 0.8, "learning_rate": 1e-3},
        "clip_norm": {"clip_norm": 0.5},
        "2-point": {"jac": "2-point"},
        "2-point, error": {"jac": "2-point", "first": {"fun_at": ([15], Interrupted())}},
        "3-point, maxfev": {"jac": "3-point", "first": {"maxfev": 17}},
        "pair": {"jac": "pair"},
        "after the end": {"first": {"gtol": 100.0}},
        "after nan": {"first": {"fun_at": (range(5, 99), np.nan)}},
    }
    for method, way in product(("gd", "adam", "spg", "lbfgs", "newton", "spsa"), ways):
        how = {"first": {"maxiter": 9}, "maxiter": 20} | ways[way]
        yield f"{method} | {way}", resume(method, **how)
    sampled: dict[str, dict[str, Any]] = {
        "": {},
        ", in order": {"shuffle": False},
        ", validation": {"validation": HELD_OUT, "averaging": 0.9},
        ", schedule": {"learning_rate": s.linear(0.1, 0.01, 20)},
        ", differences": {"jac": "2-point"},
    }
    for (method, stop), (way, how) in product(
        product(("sgd", "adam", "prodigy"), (5, 7, 8)), sampled.items()
    ):
        more = {"problem": LOSS, "batch_size": 8, "epochs": 3, "maxiter": 13} | how
        yield f"{method} | batch {stop}{way}", resume(method, first={"maxiter": stop}, **more)
        yield (
            f"{method} | callback in batch {stop}{way}",
            resume(method, first={"stop": stop}, **more),
        )
        error = {"fun_at": ([stop], Interrupted())}
        yield f"{method} | error in batch {stop}{way}", resume(method, first=error, **more)


@block
def asking_and_telling() -> Cases:
    """`start`: gradients told or made of values, pickled on the way, and to and from `minimize`."""
    ways: dict[str, dict[str, Any]] = {
        "told": {},
        "lazily": {"lazily": True},
        "pickled before asking": {"pickled": 4, "asked": False},
        "pickled after asking": {"pickled": 5},
        "lazily, pickled": {"pickled": 6, "lazily": True},
        "2-point": {"jac": "2-point"},
        "3-point, pickled": {"jac": "3-point", "pickled": 3},
        "bounds": {"bounds": BOUNDS["active"]},
        "2-point, fixed": {"bounds": BOUNDS["fixed"], "jac": "2-point"},
        "2-point, steps": {"jac": "2-point", "finite_diff_rel_step": [1e-5, 1e-4, 1e-3]},
        "barrier": {"problem": BARRIER},
        "schedule": {"learning_rate": s.cosine(2e-3, 1e-4, 25)},
        "schedule, pickled": {"learning_rate": s.exponential(2e-3, 0.9), "pickled": 4},
        "plateau": {"learning_rate": SCHEDULES["reduce_on_plateau"]},
        "maxfev": {"maxfev": 9},
        "2-point, maxfev": {"maxfev": 9, "jac": "2-point"},
    }
    several = [method for method in FAMILIES if method != "newton"]
    yield "newton | refused", ask_and_tell("newton")
    for method, way in product(several, ways):
        how = ways[way]
        if method == "spsa":
            how = {"learning_rate": 2e-3} | how
        yield f"{method} | {way}", ask_and_tell(method, **how)

    def there_and_back(log: Log, method: str) -> OptimizeResult:
        more = {"learning_rate": 2e-3} if method == "spsa" else {}
        first = minimized(log, method, maxiter=7, **more)
        second = told(log, method, maxiter=6, resume=first.state, **more)
        return minimized(log, method, maxiter=10, resume=second.state, **more)

    for method in several:
        yield f"{method} | there and back", partial(there_and_back, method=method)


# --- compiled: functions of Numba and of C


@njit
def n_loss(w, X, y):
    f = 0.0
    for i in range(y.size):
        r = -y[i]
        for j in range(w.size):
            r += X[i, j] * w[j]
        f += r * r
    return f / y.size


@njit
def n_slope(w, X, y):
    g = np.zeros(w.size)
    for i in range(y.size):
        r = -y[i]
        for j in range(w.size):
            r += X[i, j] * w[j]
        for j in range(w.size):
            g[j] += 2 * r * X[i, j] / y.size
    return g


@njit
def n_pair(w, X, y):
    return n_loss(w, X, y), n_slope(w, X, y)


n_value = problems.rosenbrock(3).fun


@njit
def n_fragile(x):
    if x[0] > -1.0:
        raise Interrupted
    return n_value(x)


@cfunc("float64(intc, CPointer(float64))")
def c_value(n, x):
    f = 0.0
    for v in carray(x, n):
        f += (v - 1.0) ** 4 + v * v
    return f


@cfunc("void(intc, CPointer(float64), CPointer(float64))")
def c_slope(n, x, g):
    x, g = carray(x, n), carray(g, n)
    for i in range(n):
        g[i] = 4.0 * (x[i] - 1.0) ** 3 + 2.0 * x[i]


@cfunc("float64(intc, CPointer(float64), CPointer(float64), voidptr)")
def c_pair(n, x, g, user_data):
    x, g, center = carray(x, n), carray(g, n), carray(user_data, n, np.float64)
    f = 0.0
    for i in range(n):
        g[i] = 2.0 * (x[i] - center[i])
        f += (x[i] - center[i]) ** 2
    return f


def of_numba(problem: problems.Problem) -> Problem:
    p = problem
    return Problem(p.fun, p.jac, p.x0, p.args, p.hess, p.hessp, p.fun_and_jac, python=False)


CENTER = np.array([1.0, 2.0, -1.0])
N_ROSEN = of_numba(problems.rosenbrock(3))
N_LOSS = Problem(n_loss, n_slope, [0.0, 0.0, 0.0], DATA, pair=n_pair, python=False)
C_ROOT = Problem(c_value, c_slope, [3.0, -2.0, 0.5], python=False)
C_PAIR = Problem(
    c_value,
    c_slope,
    [3.0, -2.0, 0.5],
    pair=LowLevelCallable(c_pair.ctypes, CENTER.ctypes.data_as(ctypes.c_void_p)),
    python=False,
)


def compiled_run(*given: Any, **more: Any) -> Case:
    return run(*given, **{"problem": N_ROSEN, "compiled": True} | more)


@block
def compiled() -> Cases:
    """The compiled loop: every source of gradients, bounds, and with a callback in each step."""
    ways: dict[str, dict[str, Any]] = {
        "jac": {"maxiter": 200},
        "jac, bounds": {"bounds": BOUNDS["active"]},
        "jac, watched": {"watched": True},
        "pair": {"jac": "pair"},
        "2-point": {"jac": "2-point"},
        "3-point": {"jac": "3-point", "finite_diff_rel_step": 1e-5},
        "cs": {"jac": "cs"},
        "2-point, fixed": {"jac": "2-point", "bounds": BOUNDS["fixed"]},
        "3-point, maxfev": {"jac": "3-point", "maxfev": 25, "bounds": BOUNDS["one-sided"]},
        "in Python": {"compiled": False, "watched": True},
    }
    yield "spsa | refused", compiled_run("spsa")
    for method, way in product((name for name in METHODS if name != "spsa"), ways):
        yield f"{method} | {way}", compiled_run(method, **{"watched": False} | ways[way])
    more: dict[str, dict[str, Any]] = {
        "maxiter=0": {"maxiter": 0},
        "maxiter=1": {"maxiter": 1},
        "maxfev": {"maxfev": 8},
        "callback": {"stop": 5},
        "ftol": {"ftol": 1e-3},
        "number": {"learning_rate": 1e-3},
        "array": {"learning_rate": [1e-3, 2e-3, 0.0]},
        "polyak": {"averaging": "polyak"},
        "clip_value": {"clip_value": 0.5},
        "diverges": {"learning_rate": 10.0},
        "c": {"problem": C_ROOT},
        "c, pair": {"problem": C_PAIR, "jac": "pair"},
        "c, differences": {"problem": C_ROOT, "jac": "2-point"},
        "n=100": {"problem": of_numba(problems.rosenbrock(100))},
        "quadratic, n=6": {"problem": of_numba(problems.quadratic(6))},
        "raises": {"problem": N_ROSEN._replace(f=n_fragile), "jac": "2-point", "watched": True},
    }
    for method, way in product(COMPILABLE, more):
        yield f"{method} | {way}", compiled_run(method, **{"watched": False} | more[way])
    for name, factory in problems.PROBLEMS.items():
        problem = of_numba(factory())
        for method in ("adam", "lbfgs", "newton"):
            yield f"{method} | {name}", compiled_run(method, problem=problem, watched=False)


@block
def compiled_hessians() -> Cases:
    """newton in the compiled loop."""
    sources: dict[str, dict[str, Any]] = {
        "hess": {"hess": N_ROSEN.hess},
        "hessp": {"hessp": N_ROSEN.hessp},
        "of jac": {},
        "of pairs": {"jac": "pair"},
        "of 2-point": {"jac": "2-point"},
    }
    for source, rule in product(sources, ("auto", "wolfe", 0.5)):
        how = sources[source] | {"learning_rate": rule}
        yield f"{source} | {rule}", compiled_run("newton", **how)
        yield f"{source} | {rule}, bounds", compiled_run("newton", bounds=Bounds(-1.5, 0.7), **how)
        yield f"{source} | {rule}, maxfev", compiled_run("newton", maxfev=12, watched=False, **how)


@block
def compiled_schedules() -> Cases:
    """Schedules in the compiled loop: of the rate, of hyper-parameters, of arrays."""
    ways: dict[str, dict[str, Any]] = {
        "rate": {"learning_rate": s.cosine(1e-2, 1e-3, 50)},
        "function": {"learning_rate": lambda t: 1e-2 / t},
        "fails": {"learning_rate": SCHEDULES["function that fails"]},
        "rates": {"learning_rate": [1.0, 2.0, 0.5] * s.cosine(1e-3, 1e-4, 50)},
        "plateau": {"learning_rate": SCHEDULES["reduce_on_plateau"]},
        "groups": {
            "groups": [([0], {"learning_rate": 1e-3})],
            "learning_rate": s.step(1e-2, 9, 0.5),
        },
    }
    for (method, way), watched in product(
        product(("gd", "adam", "random_search"), ways), (True, False)
    ):
        name = f"{method} | {way}{', watched' * watched}"
        yield name, compiled_run(method, watched=watched, **ways[way])
    for method, name in (("momentum", "momentum"), ("adam", "beta1"), ("adam", "weight_decay")):
        value = HYPER[name]
        for kind, schedule in {
            "number": s.linear(value, value / 2, 30),
            "array": np.array([1.0, 0.9, 0.8]) * s.linear(value, value / 2, 30),
        }.items():
            how = {"learning_rate": 1e-3, name: schedule, "watched": False}
            yield f"{method} | {name}, {kind}", compiled_run(method, **how)
            yield f"{method} | {name}, {kind}, auto", compiled_run(method, **{name: schedule})


@block
def compiled_batches() -> Cases:
    """Mini-batches in the compiled loop."""
    ways: dict[str, dict[str, Any]] = {
        "": {},
        "in order": {"shuffle": False},
        "watched": {"watched": True},
        "pair": {"jac": "pair"},
        "2-point": {"jac": "2-point"},
        "validation": {"validation": HELD_OUT, "patience": 2, "epochs": 9},
        "average": {"averaging": 0.9},
        "clip_norm": {"clip_norm": 0.3},
        "schedule": {"learning_rate": s.cosine(0.1, 0.01, 21)},
        "maxfev": {"maxfev": 10},
        "maxiter": {"maxiter": 10},
        "bounds": {"bounds": BOUNDS["one-sided"]},
        "in Python": {"compiled": False},
    }
    for method, way in product((*SAMPLED, "gd", "yogi"), ways):
        how = {"problem": N_LOSS, "compiled": True, "watched": False} | ways[way]
        yield f"{method} | {way}", fitted(method, **how)


@block
def compiled_resuming() -> Cases:
    """Runs that stop in the compiled loop, or in Python, and go on in the other."""
    drivers = {"compiled": True, "Python": False}
    stops: dict[str, dict[str, Any]] = {
        "maxiter": {"maxiter": 11},
        "maxfev": {"maxfev": 9},
        "callback": {"stop": 6},
        "error": {"problem": N_ROSEN._replace(f=n_fragile)},
    }
    for method, a, b in product(COMPILABLE, drivers, drivers):
        how = {"then": {"compiled": drivers[b]}, "watched": False, "maxiter": 25}
        for stop in stops:
            first = {"compiled": drivers[a], "watched": stop == "callback"} | stops[stop]
            name = f"{method} | {stop}, {a} to {b}"
            yield name, resume(method, problem=N_ROSEN, first=first, **how)
        if method in SAMPLED:
            how |= {"first": {"compiled": drivers[a], "maxiter": 11}, "batch_size": 8}
            yield f"{method} | batches, {a} to {b}", resume(method, problem=N_LOSS, **how)


# --- what is left


@block
def line_searches() -> Cases:
    """`line_search` by itself."""

    def searched(log: Log, problem: Problem, scale: Any, jac: Any, **how: Any) -> OptimizeResult:
        p, x = problem, np.array(problem.x0, float)
        fun = log.recorded(p.f, "fun")
        slope = log.recorded(p.g, "jac") if jac == "given" else jac
        if jac == "pair":
            fun, slope = log.recorded(lambda x, *a: (p.f(x, *a), p.g(x, *a)), "pair"), True
        direction = -scale * p.g(x, *p.args)
        return line_search(fun, slope, x, direction, args=p.args, **how)

    ways: dict[str, dict[str, Any]] = {
        "wolfe": {},
        "armijo": {"rule": "armijo"},
        "strong": {"c2": 0.1},
        "bounds": {"bounds": [(-1.3, 0.9), (None, 1.1), (-0.6, None)]},
        "maxfev=2": {"maxfev": 2},
        "maxfev=4": {"maxfev": 4, "c2": 0.05},
    }
    for way, scale in product(ways, (1e-6, 1e-3, 1.0, 1e4, np.array([1.0, 1e-3, 0.1]), -1.0)):
        kinds = ("given", "pair", "2-point", "3-point", "cs") if np.ndim(scale) == 0 else ("given",)
        for jac in kinds:
            how = {"problem": ROSEN, "scale": scale, "jac": jac} | ways[way]
            yield f"rosen | {way}, {scale}, {jac}", partial(searched, **how)
        if way != "bounds":
            for name in ("barrier, n=2", "fit, n=3", "cosh, n=1"):
                how = {"problem": PROBLEMS[name], "scale": scale, "jac": "given"} | ways[way]
                if np.ndim(scale) == 0:
                    yield f"{name} | {way}, {scale}", partial(searched, **how)


@block
def endings() -> Cases:
    """Runs that go wrong, each in a way of its own."""
    nan = np.nan
    for method in METHODS:
        yield f"{method} | diverges", run(method, learning_rate=10.0, maxiter=200)
        yield f"{method} | steep, too fast", run(method, STEEP, learning_rate=1.0)
        yield f"{method} | leaves the domain", run(method, BARRIER, learning_rate=3.0)
    ways: dict[str, dict[str, Any]] = {
        "nan at the start": {"fun_at": ([1], nan)},
        "inf at the start": {"fun_at": ([1], np.inf)},
        "nan gradient at the start": {"jac_at": ([1], [nan] * 3)},
        "one nan": {"fun_at": ([6], nan)},
        "nan from there": {"fun_at": (range(6, 999), nan)},
        "-inf": {"fun_at": ([6], -np.inf)},
        "one nan gradient": {"jac_at": ([5], [nan, 1.0, 1.0])},
        "nan gradients from there": {"jac_at": (range(5, 999), [nan, 1.0, 1.0])},
        "raises at the start": {"fun_at": ([1], Interrupted())},
        "raises": {"fun_at": ([7], Interrupted())},
        "gradient raises": {"jac_at": ([4], Interrupted())},
        "wrong sign": {"problem": ROSEN._replace(g=lambda x: -rosen_der(x))},
        "unbounded": {"problem": SADDLE, "maxiter": 300},
        "at the minimum": {"problem": ROSEN._replace(x0=[1.0, 1.0, 1.0])},
        "constant": {"problem": ROSEN._replace(f=lambda x: 1.0, g=lambda x: 0 * x)},
        "constant, but for its slope": {"problem": ROSEN._replace(f=lambda x: 1.0)},
        "kink": {"problem": KINK, "maxiter": 150},
        "to the last digit": {"problem": PROBLEMS["cosh, n=1"], "gtol": 0.0, "maxiter": 300},
        "far from zero": {"problem": ROSEN._replace(f=lambda x: 1e10 + rosen(x)), "maxiter": 150},
        "tiny": {"problem": ROSEN._replace(f=lambda x: 1e-300 * rosen(x))},
    }
    for method, way in product(FAMILIES, ways):
        yield f"{method} | {way}", run(method, **ways[way])
    # for 1000 iterations nothing has become better
    for method in ("gd", "momentum", "adam", "lion", "rprop", "schedule_free_sgd"):
        yield f"{method} | oscillates", run(method, KINK, learning_rate=0.05, maxiter=1500)
        yield f"{method} | hardly moves", run(method, learning_rate=1e-12, maxiter=1500)


@block
def long_runs() -> Cases:
    """What only shows after many iterations: full memories, small rates."""
    for method in FAMILIES:
        how = {"problem": PROBLEMS["rosen, n=10"], "watched": False, "maxiter": 1200, "gtol": 1e-9}
        yield f"{method} | auto", run(method, **how)
        yield f"{method} | number", run(method, learning_rate=rate(method) / 5, **how)


@block
def inputs() -> Cases:
    """What users give, in forms that are accepted and in forms that are refused."""
    p = ROSEN._replace
    ways: dict[str, dict[str, Any]] = {
        "x0 of integers": {"problem": p(x0=[2, -1, 3])},
        "x0 a number": {"problem": PROBLEMS["cosh, n=1"]._replace(x0=3)},
        "x0 of nan": {"problem": p(x0=[np.nan, 1.0, 1.0])},
        "x0 of strings": {"problem": p(x0=["a"])},
        "x0 empty": {"problem": p(x0=[])},
        "x0 a matrix": {"problem": p(x0=np.ones((2, 2)))},
        "f an array": {"problem": p(f=lambda x: np.array([rosen(x)]))},
        "f a vector": {"problem": p(f=lambda x: x)},
        "f None": {"problem": p(f=lambda x: None)},
        "f complex": {"problem": p(f=lambda x: rosen(x) + 1j)},
        "g a list": {"problem": p(g=lambda x: rosen_der(x).tolist())},
        "g a row": {"problem": p(g=lambda x: rosen_der(x)[np.newaxis])},
        "g too long": {"problem": p(g=lambda x: np.ones(4))},
        "g None": {"problem": p(g=lambda x: None)},
        "g of float32": {"problem": p(g=lambda x: rosen_der(x).astype("f4"))},
        "g not contiguous": {"problem": p(g=lambda x: np.repeat(rosen_der(x), 2)[::2])},
        "fun overwrites x": {"problem": p(f=lambda x: (rosen(x), x.fill(9.0))[0])},
        "args not a tuple": {
            "problem": Problem(
                lambda x, a: a * rosen(x), lambda x, a: a * rosen_der(x), ROSEN.x0, 2.0
            )
        },
        "jac a word": {"jac": "4-point"},
        "bounds crossed": {"bounds": [(1, 0)] * 3},
        "bounds of two": {"bounds": [(0, 1)] * 2},
        "bounds of nan": {"bounds": [(np.nan, 1)] * 3},
        "constraints": {"constraints": {"type": "le", "fun": rosen}},
        "unknown option": {"learning_rat": 1.0, "maxiter": 5},
        "rate of zero": {"learning_rate": 0.0},
        "rate a word": {"learning_rate": "exact"},
        "rate of two": {"learning_rate": [1.0, 1.0]},
        "rate of nan": {"learning_rate": np.nan},
        "maxiter negative": {"maxiter": -1},
        "maxiter broken": {"maxiter": 1.5},
        "maxfev=0": {"maxfev": 0},
        "gtol negative": {"gtol": -1.0},
        "averaging": {"averaging": 1.0},
        "clip_norm": {"clip_norm": 0.0},
        "groups of nobody": {"groups": [(slice(5, 9), {"learning_rate": 1.0})]},
        "groups of nothing": {"groups": [(slice(0, 1), {"gtol": 1.0})]},
        "groups no pairs": {"groups": [1.0]},
        "epochs alone": {"epochs": 3},
        "batches without data": {"batch_size": 3},
        "batches and ftol": {"problem": LOSS, "batch_size": 8, "ftol": 1e-3},
        "batches and wolfe": {"problem": LOSS, "batch_size": 8, "learning_rate": "wolfe"},
        "patience alone": {"problem": LOSS, "batch_size": 8, "patience": 2},
        "validation of another shape": {
            "problem": LOSS,
            "batch_size": 8,
            "validation": (np.ones((3, 2)), np.ones(3)),
        },
        "resume of nothing": {"resume": {}},
        "compiled in Python": {"compiled": True},
        "rng a word": {"rng": "a", "batch_size": 8, "problem": LOSS},
        "check_grad": {"check_grad": True},
        "check_grad, wrong": {"check_grad": True, "problem": p(g=lambda x: 2 * rosen_der(x))},
    }
    for method, way in product(("adam", "lbfgs", "spsa"), ways):
        yield f"{method} | {way}", run(method, **ways[way])

    def of_another(log: Log, **change: Any) -> OptimizeResult:
        state = minimized(log, "adam", maxiter=5).state
        return minimized(log, **{"method": "adam", "resume": state} | change)

    for name, change in {
        "method": {"method": "gd"},
        "size": {"problem": PROBLEMS["rosen, n=10"]},
        "bounds": {"bounds": BOUNDS["active"]},
        "rule": {"learning_rate": 1e-3},
        "average": {"averaging": "polyak"},
    }.items():
        yield f"adam | resume with another {name}", partial(of_another, **change)
