"""
Logistic regression on a DataFrame, with early stopping
=======================================================

Train in mini-batches, watch the loss on held-out rows, and stop when it no longer improves. You
need no data loader and no training loop: the data frame goes into `args`, and the rest is options.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.datasets import load_breast_cancer

from scipy_gd import adam

# %%
# The data
# --------
#
# There are 569 tumours with 30 measurements each. Hold out 30 % of the rows, and scale all columns
# by the mean and the standard deviation of the other rows. A column of ones is the intercept. If
# your table has columns of text, turn them into numbers first, with
# ``pd.get_dummies(frame, dtype=float)``.

frame = load_breast_cancer(as_frame=True).frame
train = frame.sample(frac=0.7, random_state=0)
held_out = frame.drop(train.index)


def features(rows):
    X, reference = rows.drop(columns="target"), train.drop(columns="target")
    return ((X - reference.mean()) / reference.std()).assign(intercept=1.0)


X, y = features(train), train["target"]
X_held, y_held = features(held_out), held_out["target"]

# %%
# The loss
# --------
#
# This is the mean log loss and its gradient. Write the loss as a mean over the rows it is given:
# during the run, these are the rows of a batch, as a data frame.


def loss(w, X, y):
    z = X @ w
    return np.mean(np.logaddexp(0, z) - y * z), X.T @ (expit(z) - y) / len(y)


# %%
# The training
# ------------
#
# `validation` takes the held-out data in the order of `args`. The loss on them is evaluated after
# every epoch. The run stops after `patience` epochs without a lower one, and returns the best
# point, not the last.

res = minimize(
    loss,
    x0=np.zeros(X.shape[1]),
    args=(X, y),
    jac=True,
    method=adam,
    options={
        "batch_size": 32,
        "epochs": 500,
        "learning_rate": 0.01,
        "validation": (X_held, y_held),
        "patience": 10,
        "rng": 0,
        "history": True,
    },
)
best = np.argmin(res.validation_losses)  # the first of these losses is that of the start
print(res.message)
print(f"best after {best} epochs: held-out loss {res.validation_losses[best]:.4f}")

# %%
# The result
# ----------
#
# The parameters are in the order of the columns.

correct = (X_held @ res.x > 0) == (y_held == 1)
print(f"held-out rows classified correctly: {correct.mean():.1%}")

weights = pd.Series(res.x, index=X.columns)
print(weights.sort_values(key=abs, ascending=False).head())

# %%
# The held-out rows also decided when to stop, so this accuracy is slightly optimistic. If that
# matters, set aside a third part of the data to measure it.

# %%
# The plot
# --------

batches = -(-len(X) // 32)  # of an epoch
figure, ax = plt.subplots(layout="constrained")
ax.semilogy(res.history.nit / batches, res.history.fun, ".", ms=2, alpha=0.4, label="batches")
ax.semilogy(res.validation_losses, label="held-out rows")
ax.axvline(best, color="black", linestyle="--", label="returned")
ax.set(xlabel="epoch", ylabel="log loss")
ax.legend(markerscale=4)
plt.show()

# %%
# With so few rows, you do not need batches: leave them out, and use `lbfgs`. Batches pay off when
# one pass over the data is slow. See :doc:`/guides/mini-batches` for schedules, averages and
# methods without a learning rate.
