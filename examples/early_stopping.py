"""Logistic regression in mini-batches on real data, stopped when held-out data say so.

scikit-learn ships the data: 569 tumours, 30 features. The same function that L-BFGS-B would
minimise on all data is minimised by `adam` in batches of 32 rows.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.datasets import load_breast_cancer

from scipy_gd import adam, smooth


def loss(w, X, y):
    """Mean log loss of labels 1 and -1, and its gradient."""
    margin = y * (X @ w)
    return np.mean(np.logaddexp(0, -margin)), -X.T @ (y * expit(-margin)) / len(y)


def split(share=0.7):
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], np.where(y[order] == 1, 1.0, -1.0)
    m = round(share * len(X))
    X = (X - X[:m].mean(axis=0)) / X[:m].std(axis=0)
    X = np.column_stack([X, np.ones(len(X))])
    return X[:m], y[:m], X[m:], y[m:]


def main():
    X, y, X_valid, y_valid = split()
    batches = []
    res = minimize(
        loss,
        np.zeros(X.shape[1]),
        (X, y),
        jac=True,
        method=adam,
        callback=lambda intermediate_result: batches.append(intermediate_result.fun),
        options={
            "batch_size": 32,
            "epochs": 500,
            "learning_rate": 0.01,
            "rng": 0,
            "validation": (X_valid, y_valid),
            "patience": 10,
        },
    )
    right = np.mean(np.sign(X_valid @ res.x) == y_valid)
    losses = res.validation_losses
    print(res.message)
    print(f"epochs {len(losses) - 1}, best {np.argmin(losses)}: held-out loss {min(losses):.4f}")
    print(f"held-out rows classified correctly: {right:.1%}")
    print(f"batch loss, smoothed, at the end: {smooth(batches, 0.95)[-1]:.4f}")
    return res, right


if __name__ == "__main__":
    main()
