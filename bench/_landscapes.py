"""Functions with many minima and a known global minimum.

They use the customary formulas at ``z = Q (x - c)``. The minimum lies at c, which is not the centre
of the bounds, because some solvers start there. Q rotates the axes, because some solvers move along
them.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False
from math import pi
from typing import Any, NamedTuple

import numpy as np
from numba import njit


class Landscape(NamedTuple):
    name: str
    fun: Any
    jac: Any
    bounds: np.ndarray
    args: tuple[Any, ...]
    f_min: float

    @property
    def n(self):
        return len(self.bounds)


@njit(cache=True)
def rastrigin(x, Q, c):
    z = Q @ (x - c)
    return 10.0 * z.size + np.sum(z * z - 10 * np.cos(2 * pi * z))


@njit(cache=True)
def rastrigin_jac(x, Q, c):
    z = Q @ (x - c)
    return Q.T @ (2 * z + 20 * pi * np.sin(2 * pi * z))


@njit(cache=True)
def ackley(x, Q, c):
    z = Q @ (x - c)
    bowl = 20 * np.exp(-0.2 * np.sqrt(np.mean(z * z)))
    return 20 - bowl + np.exp(1.0) - np.exp(np.mean(np.cos(2 * pi * z)))


@njit(cache=True)
def ackley_jac(x, Q, c):
    z = Q @ (x - c)
    n, size = z.size, np.sqrt(np.mean(z * z))
    slope = np.zeros(n)
    if size > 0:
        slope = 4 * np.exp(-0.2 * size) * z / (n * size)
    waves = np.exp(np.mean(np.cos(2 * pi * z)))
    return Q.T @ (slope + waves * 2 * pi / n * np.sin(2 * pi * z))


@njit(cache=True)
def griewank(x, Q, c):
    z = Q @ (x - c)
    return 1 + np.sum(z * z) / 4000 - np.prod(np.cos(z / np.sqrt(np.arange(1, z.size + 1))))


@njit(cache=True)
def griewank_jac(x, Q, c):
    z = Q @ (x - c)
    roots = np.sqrt(np.arange(1, z.size + 1))
    waves, slope = np.cos(z / roots), z / 2000
    for i in range(z.size):
        others = 1.0
        for j in range(z.size):
            others *= waves[j] if j != i else 1.0
        slope[i] += others * np.sin(z[i] / roots[i]) / roots[i]
    return Q.T @ slope


@njit(cache=True)
def levy(x, Q, c):
    w = 1 + Q @ (x - c) / 4
    inner, last = w[:-1], w[-1] - 1
    f = np.sin(pi * w[0]) ** 2 + last**2 * (1 + np.sin(2 * pi * w[-1]) ** 2)
    return f + np.sum((inner - 1) ** 2 * (1 + 10 * np.sin(pi * inner + 1) ** 2))


@njit(cache=True)
def levy_jac(x, Q, c):
    w = 1 + Q @ (x - c) / 4
    inner, last, slope = w[:-1], w[-1] - 1, np.zeros(w.size)
    bends = pi * inner + 1
    slope[:-1] = 2 * (inner - 1) * (1 + 10 * np.sin(bends) ** 2)
    slope[:-1] += (inner - 1) ** 2 * 10 * pi * np.sin(2 * bends)
    slope[0] += pi * np.sin(2 * pi * w[0])
    slope[-1] += 2 * last * (1 + np.sin(2 * pi * w[-1]) ** 2)
    slope[-1] += last**2 * 2 * pi * np.sin(4 * pi * w[-1])
    return Q.T @ slope / 4


@njit(cache=True)
def schwefel(x):
    return 418.9828872724338 * x.size - np.sum(x * np.sin(np.sqrt(np.abs(x))))


@njit(cache=True)
def schwefel_jac(x):
    root = np.sqrt(np.abs(x))
    return -np.sin(root) - root * np.cos(root) / 2


@njit(cache=True)
def michalewicz(x):
    i = np.arange(1, x.size + 1)
    return -np.sum(np.sin(x) * np.sin(i * x * x / pi) ** 20)


@njit(cache=True)
def michalewicz_jac(x):
    i = np.arange(1, x.size + 1)
    wave, angle = np.sin(i * x * x / pi), i * x * x / pi
    return -np.cos(x) * wave**20 - np.sin(x) * 20 * wave**19 * np.cos(angle) * 2 * i * x / pi


MOVED = {
    "Rastrigin": (rastrigin, rastrigin_jac, 5.12),
    "Ackley": (ackley, ackley_jac, 32.768),
    "Griewank": (griewank, griewank_jac, 600.0),
    "Levy": (levy, levy_jac, 10.0),
}
FIXED = {
    "Schwefel": (schwefel, schwefel_jac, (-500.0, 500.0), dict.fromkeys(range(1, 101), 0.0)),
    "Michalewicz": (
        michalewicz,
        michalewicz_jac,
        (0.0, pi),
        {2: -1.8013034, 5: -4.6876582, 10: -9.6601517},
    ),
}


def landscape(name: str, n: int, seed: int = 0) -> Landscape:
    """A function of n variables, its minimum at a random place; "rotated NAME": axes turned."""
    rng = np.random.default_rng([n, seed])
    if name in FIXED:
        fun, jac, box, f_min = FIXED[name]
        return Landscape(name, fun, jac, np.tile(box, (n, 1)), (), f_min[n])
    fun, jac, half = MOVED[name.removeprefix("rotated ")]
    c = rng.uniform(-half / 2, half / 2, n)
    Q = np.eye(n)
    if name.startswith("rotated"):
        Q = np.ascontiguousarray(np.linalg.qr(rng.normal(size=(n, n)))[0])
    return Landscape(name, fun, jac, np.tile([-half, half], (n, 1)), (Q, c), 0.0)
