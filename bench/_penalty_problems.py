"""Problems with penalties: the objective, the distance of a point from a minimum, and the data.

Everything here is implemented independently of the solvers that it judges.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import entr

# --- smooth parts: functions of x, of a matrix (or a kernel), and of observations


@njit
def squares(x, A, b):
    """Half the mean square of A x - b, and its gradient."""
    r = A @ x - b
    return 0.5 * (r @ r) / b.size, A.T @ r / b.size


@njit
def logistic(x, A, b):
    """The mean of log(1 + exp(-b A x)), with labels b of 1 and -1."""
    z, f = A @ x, 0.0
    for i in range(b.size):
        margin = b[i] * z[i]
        small = np.exp(-abs(margin))
        f += max(-margin, 0.0) + np.log(1.0 + small)
        z[i] = -b[i] * (small if margin > 0 else 1.0) / (1.0 + small)
    return f / b.size, A.T @ z / b.size


@njit
def blurred(x, kernel):
    """The convolution with a symmetric kernel, zero beyond the ends."""
    half, n = kernel.size // 2, x.size
    padded = np.zeros(n + 2 * half)
    padded[half : half + n] = x
    y = kernel[half] * x
    for j in range(1, half + 1):
        for i in range(n):
            y[i] += kernel[half + j] * (padded[half + i + j] + padded[half + i - j])
    return y


@njit
def blur(x, kernel, b):
    """Half the sum of squares of the blurred x less b."""
    r = blurred(x, kernel) - b
    return 0.5 * (r @ r), blurred(r, kernel)


def squares_dual(z, b):
    """Of half the mean square of z - b: its gradient, and its conjugate there and nearer to 0."""
    u = (z - b) / b.size
    return u, lambda s: 0.5 * b.size * s**2 * (u @ u) + s * (u @ b)


def logistic_dual(z, b):
    p = 1 / (1 + np.exp(b * z))
    return -b * p / b.size, lambda s: -np.mean(entr(s * p) + entr(1 - s * p))


class Loss(NamedTuple):
    both: object  # value and gradient
    dual: object = None
    curvature: float = 1.0  # at most, for each observation


SQUARES = Loss(squares, squares_dual)
LOGISTIC = Loss(logistic, logistic_dual, 0.25)
BLUR = Loss(blur)


# --- penalties: their value, their prox, and how much of a dual vector is feasible


class L1(NamedTuple):
    weight: float

    def value(self, x):
        return self.weight * np.abs(x).sum()

    def prox(self, v, t=1.0):
        return np.sign(v) * np.maximum(np.abs(v) - t * self.weight, 0)

    def dual(self, v):
        """The least weight with its minimum at zero, if the gradient there is v."""
        return np.abs(v).max()

    def conjugate(self, v):
        """The largest s <= 1 with a finite conjugate at s v, and the conjugate there."""
        return min(1.0, self.weight / self.dual(v)), 0.0


class GroupL1(NamedTuple):
    """Of consecutive groups of one size."""

    weight: float
    size: int

    def norms(self, v):
        return np.linalg.norm(v.reshape(-1, self.size), axis=1)

    def value(self, x):
        return self.weight * self.norms(x).sum()

    def prox(self, v, t=1.0):
        shrunk = np.maximum(1 - t * self.weight / np.maximum(self.norms(v), 1e-300), 0)
        return v * np.repeat(shrunk, self.size)

    def dual(self, v):
        return self.norms(v).max()

    def conjugate(self, v):
        return min(1.0, self.weight / self.dual(v)), 0.0


class Nonnegative(NamedTuple):
    def value(self, x):
        return 0.0 if x.min() >= 0 else np.inf

    def prox(self, v, t=1.0):
        return np.maximum(v, 0)


class Simplex(NamedTuple):
    """Nonnegative, with a sum of one."""

    def value(self, x):
        return 0.0 if x.min() >= 0 and abs(x.sum() - 1) < 1e-8 else np.inf

    def prox(self, v, t=1.0):
        """By sorting: J. C. Duchi et al. (2008), https://doi.org/10.1145/1390156.1390191."""
        falling = np.sort(v)[::-1]
        levels = (np.cumsum(falling) - 1) / np.arange(1, v.size + 1)
        return np.maximum(v - levels[np.flatnonzero(falling > levels)[-1]], 0)

    def conjugate(self, v):
        return 1.0, v.max()


class TotalVariation(NamedTuple):
    weight: float

    def value(self, x):
        return self.weight * np.abs(np.diff(x)).sum()

    def prox(self, v, t=1.0):
        return denoised(v, t * self.weight)


@njit
def denoised(y, weight):
    """The prox of weight sum |x_{i+1} - x_i|: L. Condat, "A direct algorithm for 1-D total
    variation denoising" (2013), https://doi.org/10.1109/LSP.2013.2278339.
    """
    last, x = y.size - 1, np.empty(y.size)
    k = begin = low_end = high_end = 0
    low, high, below, above = y[0] - weight, y[0] + weight, weight, -weight
    while True:
        if k < last:
            below += y[k + 1] - low
            above += y[k + 1] - high
            if below < -weight:  # a jump down
                x[begin : low_end + 1] = low
                k = begin = high_end = low_end = low_end + 1
                low, high, below, above = y[k], y[k] + 2 * weight, weight, -weight
            elif above > weight:  # a jump up
                x[begin : high_end + 1] = high
                k = begin = low_end = high_end = high_end + 1
                low, high, below, above = y[k] - 2 * weight, y[k], weight, -weight
            else:
                k += 1
                if below >= weight:
                    low += (below - weight) / (k - begin + 1)
                    below, low_end = weight, k
                if above <= -weight:
                    high += (above + weight) / (k - begin + 1)
                    above, high_end = -weight, k
        elif below < 0:
            x[begin : low_end + 1] = low
            k = begin = low_end = low_end + 1
            low, below = y[k], weight
            above = low + below - high
        elif above > 0:
            x[begin : high_end + 1] = high
            k = begin = high_end = high_end + 1
            high, above = y[k], -weight
            below = high + above - low
        else:
            x[begin:] = low + below / (k - begin + 1)
            return x


# --- problems


class Problem(NamedTuple):
    name: str
    loss: Loss
    A: np.ndarray  # or a kernel
    b: np.ndarray
    penalty: object
    x0: np.ndarray

    def smooth(self, x):
        return self.loss.both(x, self.A, self.b)

    def value(self, x):
        return self.smooth(x)[0] + self.penalty.value(x)

    def residual(self, x):
        """max |x - prox(x - g)|: 0 at a minimum only."""
        return float(np.abs(x - self.penalty.prox(x - self.smooth(x)[1])).max())

    def gap(self, x):
        """How much smaller the minimum can be, by duality; NaN where no dual point is at hand."""
        if self.loss.dual is None or not hasattr(self.penalty, "conjugate"):
            return np.nan
        u, conjugate = self.loss.dual(self.A @ x, self.b)
        s, rest = self.penalty.conjugate(-self.A.T @ u)
        return float(self.value(x) + conjugate(s) + rest)

    @property
    def lipschitz(self):
        """Of the gradient."""
        if self.A.ndim == 1:
            return float(np.abs(self.A).sum() ** 2)
        return self.loss.curvature * float(np.linalg.norm(self.A, 2)) ** 2 / self.b.size


def scaled(X):
    """Columns of mean 0 and deviation 1; without those that are constant."""
    X = np.asarray(X, float)
    X = X[:, X.std(axis=0) > 1e-12]
    return (X - X.mean(axis=0)) / X.std(axis=0)


def sparse(name, loss, A, b, share, make=L1):
    """With a weight that is this share of the least one whose minimum is at zero."""
    x0 = np.zeros(A.shape[1])
    largest = float(make(1.0).dual(loss.both(x0, A, b)[1]))
    return Problem(name, loss, A, b, make(share * largest), x0)


def diabetes():
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return X, (y - y.mean()) / y.std()


def lassos():
    from sklearn.preprocessing import PolynomialFeatures

    X, y = diabetes()
    pairs = scaled(PolynomialFeatures(2, include_bias=False).fit_transform(scaled(X)))
    A, b, _ = correlated()
    return [
        sparse("diabetes", SQUARES, scaled(X), y, 0.01),
        sparse("diabetes, pairs", SQUARES, pairs, y, 0.01),
        sparse("2000 x 1000", SQUARES, A, b, 0.05),
    ]


def correlated(m=2000, n=1000, nonzeros=50):
    """Matrix, observations, and the truth behind them."""
    rng = np.random.default_rng(0)
    A, truth = rng.standard_normal((m, n)), np.zeros(n)
    for j in range(1, n):  # neighbours are correlated
        A[:, j] = 0.6 * A[:, j - 1] + 0.8 * A[:, j]
    truth[rng.choice(n, nonzeros, replace=False)] = rng.choice([-1, 1], nonzeros)
    return A, A @ truth + rng.standard_normal(m), truth


def logistics():
    from sklearn.datasets import load_breast_cancer, load_digits

    X, y = load_breast_cancer(return_X_y=True)
    D, digit = load_digits(return_X_y=True)
    return [
        sparse("breast cancer", LOGISTIC, scaled(X), 2.0 * y - 1, 0.01),
        sparse("digits, even or odd", LOGISTIC, scaled(D), 1.0 - 2 * (digit % 2), 0.01),
    ]


def group_lassos():
    """Cubic splines with five coefficients of each of nine measurements."""
    from sklearn.preprocessing import SplineTransformer

    X, y = diabetes()
    splines = SplineTransformer(include_bias=False).fit_transform(np.delete(X, 1, axis=1))
    size = splines.shape[1] // 9
    return [
        sparse("diabetes, splines", SQUARES, scaled(splines), y, 0.05, lambda w: GroupL1(w, size))
    ]


def nonnegatives():
    """At random, and a sum of decays: what relaxation times has a sample?"""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((1000, 500))
    truth = np.maximum(rng.standard_normal(500), 0)
    b = A @ truth + 5 * rng.standard_normal(1000)
    times, rates = np.geomspace(0.01, 10, 300), 1 / np.geomspace(0.01, 10, 100)
    decays = np.exp(-np.outer(times, rates))
    shares = np.exp(-0.5 * ((np.log(rates) - [[1.5], [-1]]) / 0.3) ** 2).sum(axis=0)
    signal = decays @ shares
    signal += 1e-3 * signal.max() * rng.standard_normal(300)
    return [
        Problem("1000 x 500", SQUARES, A, b, Nonnegative(), np.zeros(500)),
        Problem("relaxation times", SQUARES, decays, signal, Nonnegative(), np.zeros(100)),
    ]


def mixtures():
    """A handwritten digit as a mean of others."""
    from sklearn.datasets import load_digits

    images = load_digits().data / 16
    found = []
    for name, count in (("of 300 digits", 300), ("of 1,796 digits", 1796)):
        A = np.ascontiguousarray(images[1 : count + 1].T)
        found.append(Problem(name, SQUARES, A, images[0], Simplex(), np.full(count, 1 / count)))
    return found


def steps(n=10_000, jumps=30):
    """A signal that is constant in pieces."""
    rng = np.random.default_rng(0)
    places = np.sort(rng.choice(n, jumps, replace=False))
    levels = rng.uniform(-1, 1, jumps + 1)
    return levels[np.searchsorted(places, np.arange(n))]


def signals():
    truth, rng = steps(), np.random.default_rng(1)
    distance = np.arange(-25, 26)
    kernel = np.exp(-0.5 * (distance / 8) ** 2)
    kernel /= kernel.sum()
    found = []
    for name, k, noise, weight in (
        ("denoising", np.ones(1), 0.3, 3.0),
        ("deconvolution", kernel, 0.05, 0.05),
    ):
        b = blurred(truth, k) + noise * rng.standard_normal(truth.size)
        found.append(Problem(name, BLUR, k, b, TotalVariation(weight), np.zeros(truth.size)))
    return found
