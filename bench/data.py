"""Learning from real data by mini-batches: tuned, untuned, and the optimum of L-BFGS-B.

Five kinds of loss, all with an L2 penalty, on data that PyPI packages ship (see
bench/_learning.py), in batches of 64 rows. A figure is the loss on all training data above the
optimum, in percent of the optimum (of the network: what L-BFGS-B reaches in 1,000 evaluations,
which others may undercut). "tuned" is the best learning rate of a grid of half decades, falling to
nothing like a cosine, chosen by the final loss of one seed and then run with three others: their
median, and from the least to the largest. "untuned" is the method at its defaults: the published
constant for the textbook's methods, a rate of its own for the tuning-free ones. A run that diverges
is "-".

The last table asks every first-order method for the two convex problems of 100 epochs. (The last
batch of breast cancer has 7 of its 455 rows, with the weight of 64.) The picture has
tuned runs of one seed against epochs and against seconds (of the run alone, on one thread).
"""

import time

import numpy as np
from scipy.optimize import minimize

from bench import _learning as learning
from bench._recorder import work
from bench._report import RESULTS, Table
from scipy_gd import METHODS, schedules
from scipy_gd.plot import style

TEXTBOOK = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamw")
TUNING_FREE = ("prodigy", "dowg", "schedule_free_sgd", "schedule_free_adamw")
FIRST_ORDER = [
    m.__name__ for m in METHODS.values() if m.constant is not None and m.needs == 3 and not m.probes
]
FIRST_ORDER = [name for name in FIRST_ORDER if name not in ("gd", "rprop", "adgd", *TUNING_FREE)]
GRID = 10.0 ** np.arange(-4, 1.6, 0.5)
SEEDS = (1, 2, 3)
EPOCHS = {"MNIST": 20}


def epochs_of(problem):
    return EPOCHS.get(problem.name.split(":")[0], 100)


def train(problem, name, seed, rate=None, callback=None):
    """A run; with a rate it falls to a thousandth."""
    X, y = problem.data.X, problem.data.y
    epochs = epochs_of(problem)
    options = {"batch_size": 64, "epochs": epochs, "rng": seed}
    if rate is not None:
        steps = epochs * -(-len(X) // 64)
        options["learning_rate"] = schedules.cosine(rate, 1e-3 * rate, steps=steps)
    method = METHODS[name]
    with np.errstate(all="ignore"):
        return minimize(
            problem.fun, problem.x0, (X, y), method, jac=True, callback=callback, options=options
        )


def loss(res):
    return res.fun if res.success else np.inf


def tuned(cell):
    """The best rate of the grid, and the losses of three seeds there."""
    problem, name = cell
    rates = GRID * (10 if name == "adadelta" else 1)
    first = [loss(train(problem, name, 0, rate)) for rate in rates]
    rate = rates[int(np.argmin(first))]
    return rate, [loss(train(problem, name, seed, rate)) for seed in SEEDS]


def untuned(cell):
    problem, name = cell
    return [loss(train(problem, name, seed)) for seed in SEEDS]


def percent(losses, optimum):
    excess = 100 * (np.asarray(losses) / optimum - 1)
    if not np.isfinite(excess).all():
        return np.nan, "-"
    return float(np.median(excess)), f"{excess.min():.2g} to {excess.max():.2g}"


def run():
    problems = learning.problems()
    optima = dict(zip([p.name for p in problems], work(learning.optimum, problems), strict=True))
    names = [*TEXTBOOK, *TUNING_FREE]
    cells = [(p, name) for p in problems for name in names]
    best = dict(zip([(p.name, n) for p, n in cells], work(tuned, cells), strict=True))
    plain = dict(zip([(p.name, n) for p, n in cells], work(untuned, cells), strict=True))
    draw(problems, names, best, optima)
    tables = [of_problem(p, names, best, plain, optima[p.name]) for p in problems]
    return [*tables, every_method(problems, optima)]


def of_problem(problem, names, best, plain, optimum):
    rows = []
    for name in names:
        rate, losses = best[problem.name, name]
        median, spread = percent(losses, optimum)
        untuned_median, untuned_spread = percent(plain[problem.name, name], optimum)
        rows.append([name, float(rate), median, spread, untuned_median, untuned_spread])
    title = f"{problem.name}, {epochs_of(problem)} epochs: percent above {optimum:.6g}"
    return Table(title, ["method", "rate", "tuned", "", "untuned", ""], rows)


def every_method(problems, optima):
    """All first-order methods on the two convex problems where a bound is promised."""
    chosen = [p for p in problems if p.name in ("digits: softmax", "breast cancer: logistic")]
    cells = [(p, name) for name in FIRST_ORDER for p in chosen]
    best = dict(zip([(p.name, n) for p, n in cells], work(tuned, cells), strict=True))
    rows = []
    for name in FIRST_ORDER:
        row = [name]
        for p in chosen:
            rate, losses = best[p.name, name]
            row += [float(rate), percent(losses, optima[p.name])[0]]
        rows.append([*row, all(x <= 0.5 for x in row[2::2])])
    for name in TUNING_FREE:
        row = [f"{name}, untuned"]
        for p in chosen:
            row += ["own", percent(untuned((p, name)), optima[p.name])[0]]
        rows.append([*row, all(x <= 2.0 for x in row[2::2])])
    columns = ["method", *(c for p in chosen for c in ("rate", p.name)), "within 0.5 % (2 %)"]
    return Table("Every first-order method, percent above the optimum", columns, rows)


def curve(problem, name, rate, optimum):
    """Epochs, seconds and percent above the optimum, evaluated off the clock."""
    steps = -(-len(problem.data.X) // 64)
    points, seconds = [problem.x0], [0.0]
    begun = time.perf_counter()

    def keep(intermediate_result):
        if intermediate_result.nit % steps == 0:
            points.append(intermediate_result.x)
            seconds.append(time.perf_counter() - begun)

    train(problem, name, SEEDS[0], rate, keep)
    values = [problem.fun(x, problem.data.X, problem.data.y)[0] for x in points]
    return np.arange(len(points)), np.array(seconds), 100 * (np.array(values) / optimum - 1)


def draw(problems, names, best, optima):
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    smallest, *shown = problems
    for name in names:  # what is loaded once is not in the seconds
        train(smallest, name, 0)
    figure = Figure(figsize=(3.1 * len(shown), 6.6), layout="constrained", dpi=110)
    axes = figure.subplots(2, len(shown), sharey="col")
    for column, p in zip(axes.T, shown, strict=True):
        for name in names:
            rate = best[p.name, name][0]
            epochs, seconds, excess = curve(p, name, rate, optima[p.name])
            look = style(name) | {"markevery": 0.2, "label": name}
            for ax, x in zip(column, (epochs, seconds), strict=True):
                ax.plot(x[1:], np.maximum(excess[1:], 1e-4), **look)
        column[0].set(title=p.name, xlabel="epochs")
        column[1].set(xlabel="seconds")
        for ax in column:
            ax.set(xscale="log", yscale="log")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.grid(True, color="0.92")
            ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel("% above the optimum")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=6, frameon=False)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "data.png")
