"""How much the learning rate matters: the final loss against a constant rate, for every method.

The task is softmax regression with an L2 penalty on the digits (see `data`): 30 epochs with batches
of 64 rows, three seeds, and constant learning rates in half decades. The table shows the best rate,
the loss there in percent above the optimum, how many decades of rates lead to within 10 % of the
optimum, and the loss with the method's own default.
"""

import numpy as np
from scipy.optimize import minimize

from bench import _learning as learning
from bench._recorder import work
from bench._report import RESULTS, Table
from bench.data import FIRST_ORDER, TUNING_FREE
from scipy_gd import METHODS
from scipy_gd.plot import sensitivity

RATES = 10.0 ** np.arange(-5, 2.1, 0.5)
SEEDS = (0, 1, 2)
EPOCHS = 30
FAMILIES = {
    "along the gradient": ["sgd", "momentum", "nesterov", "dowg", "schedule_free_sgd"],
    "adaptive": ["adagrad", "rmsprop", "rmsprop_nesterov", "adadelta", "lion", "prodigy"],
    "adam and its like": ["adam", "amsgrad", "nadam", "adamax", "yogi", "adabelief"],
    "other variants of adam": ["adamw", "radam", "adabound", "swats", "schedule_free_adamw"],
}


def measure():
    data = learning.digits()
    problem = learning.linear_problem("digits: softmax", learning.multinomial, data, 10)
    optimum = learning.optimum(problem)
    X, y = data.X, data.y

    def final(cell):
        name, rate, seed = cell
        options = {"batch_size": 64, "epochs": EPOCHS, "rng": seed}
        options |= {} if rate is None else {"learning_rate": rate}
        with np.errstate(all="ignore"):
            res = minimize(
                problem.fun, problem.x0, (X, y), METHODS[name], jac=True, options=options
            )
        return res.fun if res.success else np.inf

    names = [*FIRST_ORDER, *TUNING_FREE]
    cells = [(n, rate, seed) for n in names for rate in (*RATES, None) for seed in SEEDS]
    found = np.reshape(work(final, cells), (len(names), len(RATES) + 1, len(SEEDS)))
    losses = dict(zip(names, found, strict=True))
    start = problem.fun(problem.x0, X, y)[0]
    draw({n: values[:-1] for n, values in losses.items()}, optimum, start)
    rows = []
    for name in names:
        excess = 100 * (np.median(losses[name], axis=1) / optimum - 1)
        best = int(np.argmin(excess[:-1]))
        wide = 0.5 * np.count_nonzero(excess[:-1] <= 10)
        rows.append([name, float(RATES[best]), excess[best], wide, excess[-1]])
    columns = ["method", "best rate", "there", "decades within 10 %", "at the default"]
    title = f"Percent above the optimum ({optimum:.6g}), medians of three seeds"
    return [Table(title, columns, rows)]


def draw(losses, optimum, start):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8.4), layout="constrained", dpi=110)
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    for ax, (title, names) in zip(axes.flat, FAMILIES.items(), strict=True):
        sweeps = {name: (RATES, losses[name]) for name in names}
        sensitivity(sweeps, minimum=optimum, worst=start, ax=ax)
        ax.set_title(title)
    for ax in axes[:, 0]:
        ax.set_ylabel("loss above the optimum")
    for ax in axes[:, 1]:
        ax.set_ylabel("")
    for ax in axes[0]:
        ax.set_xlabel("")
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "sensitivity.png")
