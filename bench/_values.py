"""What users pass instead of an exact function: the kinds of `python -m bench values`.

A `Case` is the original problem, with its exact function and the best known value. A kind turns it
into a `Task`: the values that a solver sees, each with the exact value for the judge.
"""

import functools
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import least_squares

from bench import _nist as nist
from bench import _problems as problems
from bench._kinks import kinks
from bench._simulations import simulations


class Case(NamedTuple):
    name: str
    fun: Callable[[Any], float]
    jac: Callable[[Any], Any]
    x0: Any
    best: float
    solution: Any = None
    residuals: Callable[[Any], Any] | None = None  # of columns; of a simulation, the rough ones
    kinked: bool = False

    def left(self, f):
        """What is left of the possible decrease; with kinks, of max(1, |f*|)."""
        whole = max(1, abs(self.best)) if self.kinked else self.fun(self.x0) - self.best
        return (f - self.best) / whole


class Task(NamedTuple):
    """A case as a solver sees it: its x times `unit` is the case's, its f over `factor`."""

    case: Case
    values: Callable[[Any], tuple[float, float]]
    jac: Callable[[Any], Any] | None = None
    unit: Any = 1.0
    factor: float = 1.0


# --- the cases


@functools.cache
def smooth():
    """The 54 problems of Moré and Wild, and twelve fits to data of NIST's, half from each start."""
    known = problems.solutions()
    found = [solved(p, known[p.name]) for p in problems.more_wild()]
    fits = {p.name: p for p in problems.fits()}
    for k, name in enumerate(FITS):
        start, fit = k // 2 % 2, nist.fits()[name]
        found.append(solved(fits[f"{name} {start + 1}"], fit.certified / fit.starts[start]))
    return found


FITS = (
    "Misra1a", "Chwirut2", "Lanczos3", "DanWood", "MGH09", "MGH17",
    "Thurber", "BoxBOD", "Rat42", "Rat43", "Eckerle4", "Roszman1",
)  # fmt: skip


def solved(problem, known=None):
    """With the best value that is known, improved from there and from the start."""
    residuals = problem.residuals

    def column(x):
        return residuals(x[:, None])[:, 0]

    def jacobian(x):
        return residuals(x[:, None] + 1j * problems.STEP * np.eye(x.size)).imag / problems.STEP

    ends = []
    with np.errstate(all="ignore"):
        for x in (problem.x0, known):
            if x is None:
                continue
            x = np.array(x, float)
            ends.append(x)
            try:
                ends.append(least_squares(column, x, jacobian, xtol=1e-15, ftol=1e-15).x)
            except ValueError:  # from a start so far off that a residual is not finite
                continue
        best = min(ends, key=lambda x: ordered(problem.fun(x)))
    return Case(
        problem.name, problem.fun, problem.jac, problem.x0, problem.fun(best), best, residuals
    )


def ordered(value):
    return value if np.isfinite(value) else np.inf


@functools.cache
def simulated():
    found = []
    for simulation in simulations():

        def fun(x, exact=simulation.exact):
            r = exact(x)
            return float(r @ r)

        def jac(x, fun=fun):
            steps = 1e-5 * np.maximum(1, abs(x)) * np.eye(x.size)
            return np.array([(fun(x + h) - fun(x - h)) / (2 * h.sum()) for h in steps])

        end = least_squares(simulation.exact, simulation.x0, "3-point", xtol=1e-12, ftol=1e-12).x
        found.append(
            Case(simulation.name, fun, jac, simulation.x0, fun(end), end, simulation.rough)
        )
    return found


@functools.cache
def kinked():
    return [Case(k.name, k.fun, k.jac, k.x0, k.best, kinked=True) for k in kinks()]


# --- the kinds


NARROW = {np.dtype(float): "f4", np.dtype(complex): "c8", np.dtype(int): "f4"}


class Single(np.ndarray):
    """An array that makes all arithmetic with it 32 bits wide."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if "out" in kwargs:
            kwargs["out"] = tuple(map(plain, kwargs["out"]))
        return single(getattr(ufunc, method)(*map(plain, inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        return single(super().__array_function__(function, types, args, kwargs))


def plain(value):
    if type(value) is Single:
        return value.view(np.ndarray)
    if isinstance(value, np.ndarray | np.generic) and value.dtype in NARROW:
        return value.astype(NARROW[value.dtype])
    return value


def single(value):
    return value.view(Single) if type(value) is np.ndarray else value


def exact(case, seed):
    def values(x):
        f = case.fun(x)
        return f, f

    return Task(case, values)


def float32(case, seed):
    """Data, parameters and all arithmetic in float32."""

    def values(x):
        r = np.asarray(case.residuals(x.astype(np.float32)[:, None].view(Single)))
        return float(np.vdot(r, r)), case.fun(x)

    return Task(case, values)


def float32_gradient(case, seed):
    """The gradient too, by differentiation in float32 (the complex step, of 64 bits)."""
    step = 1e-20

    def jac(x):
        points = x.astype(np.float32)[:, None] + np.complex64(1j * step) * np.eye(x.size)
        r = np.asarray(case.residuals(points.astype(np.complex64).view(Single)))
        return (2 * (r.real[:, 0] @ (r.imag / np.float32(step)))).astype(float)

    return float32(case, seed)._replace(jac=jac)


def six_digits(case, seed):
    def values(x):
        f = case.fun(x)
        return float(f"{f:.5e}"), f

    return Task(case, values)


def noisy(case, seed, level, relative):
    """Gaussian noise with a standard deviation of `level` times |f|, or the possible decrease."""
    normal = np.random.default_rng([seed, zlib.crc32(case.name.encode())]).standard_normal
    decrease = case.fun(case.x0) - case.best

    def values(x):
        f = case.fun(x)
        return f + level * (abs(f) if relative else decrease) * normal(), f

    return Task(case, values)


def holes(case, seed):
    """Every tenth point has no value: it depends on all bits of x."""
    start = case.x0.tobytes()

    def values(x):
        f, key = case.fun(x), x.tobytes()
        if key != start and zlib.crc32(key, 12345 + seed) < 0.1 * 2**32:
            return np.nan, f
        return f, f

    return Task(case, values)


def slabs(case, seed):
    """No value in parallel slabs a tenth of their distance thick; three on the way to x*."""
    rng = np.random.default_rng([seed, zlib.crc32(case.name.encode())])
    normal = rng.standard_normal(case.x0.size)
    way = abs(normal @ (case.solution - case.x0))
    normal *= 3 / way if way > 0 else 1
    shifts = rng.uniform(size=100)
    free = [
        shift
        for shift in shifts
        if all(0.15 < (normal @ x + shift) % 1 < 0.95 for x in (case.x0, case.solution))
    ]

    def values(x):
        f = case.fun(x)
        return (np.nan if (normal @ x + free[0]) % 1 < 0.1 else f), f

    return Task(case, values)


def simulation(case, seed):
    def values(x):
        r = case.residuals(x)
        return float(r @ r), case.fun(x)

    return Task(case, values)


def scaled(case, seed, f=1.0, x=1.0):
    """f times a factor, and the unit of x; `x="mixed"`: each parameter its own, 1e-9 to 1e9."""
    if x == "mixed":
        x = 10.0 ** np.resize([-9, 9, 0, -4, 5, -6, 3], case.x0.size)

    def values(y):
        value = case.fun(y * x)
        return f * value, value

    return Task(case, values, unit=x, factor=f)


def with_jac(case, seed):
    return exact(case, seed)._replace(jac=case.jac)


class Kind(NamedTuple):
    cases: Callable[[], list[Case]]
    make: Callable[..., Task]
    level: float  # a problem is solved, for the short table, with less of the decrease left
    tolerance: float  # and a claim is right
    noise: bool = False


part = functools.partial
SCALED = {
    "f x 1e-9": part(scaled, f=1e-9),
    "f x 1e9": part(scaled, f=1e9),
    "x x 1e-9": part(scaled, x=1e9),
    "x x 1e9": part(scaled, x=1e-9),
    "x mixed": part(scaled, x="mixed"),
}
KINDS = {
    "exact": Kind(smooth, exact, 1e-6, 1e-6),
    "float32": Kind(smooth, float32, 1e-3, 1e-3),
    "six digits": Kind(smooth, six_digits, 1e-3, 1e-3),
    "noise 1e-6": Kind(smooth, part(noisy, level=1e-6, relative=True), 1e-3, 1e-3, True),
    "noise 1e-6 absolute": Kind(smooth, part(noisy, level=1e-6, relative=False), 1e-3, 1e-3, True),
    "noise 1e-3": Kind(smooth, part(noisy, level=1e-3, relative=True), 1e-3, 1e-3, True),
    "noise 1e-3 absolute": Kind(smooth, part(noisy, level=1e-3, relative=False), 1e-3, 1e-2, True),
    "holes": Kind(smooth, holes, 1e-6, 1e-6),
    "slabs": Kind(smooth, slabs, 1e-6, 1e-6),
    "simulation": Kind(simulated, simulation, 1e-3, 1e-3),
    **{name: Kind(smooth, make, 1e-6, 1e-6) for name, make in SCALED.items()},
    "float32 with jac": Kind(smooth, float32_gradient, 1e-3, 1e-3),
    "kinks with jac": Kind(kinked, with_jac, 1e-5, 1e-4),
    "kinks": Kind(kinked, exact, 1e-3, 1e-3),
}
