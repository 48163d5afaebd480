"""Learning from real data with mini-batches: tuned, untuned, and the optimum of L-BFGS-B.

There are five kinds of loss, all with an L2 penalty, on data that come with PyPI packages (see
bench/_learning.py). Batches have 64 rows, or 65 for breast cancer, whose 455 rows then make seven
of equal size (a last batch of seven rows would have the same weight as a full one). A figure is the
loss on all training data above the optimum, in percent of the optimum (for the network: of what
L-BFGS-B reaches in 1,000 evaluations, which other methods may undercut). "tuned" uses the best
learning rate from a grid of half decades, with a cosine decay to zero. The rate is chosen by the
final loss for one seed and then run with other seeds; the table shows their median and range.
"untuned" is the method with its defaults: the published constant for the textbook methods, and
their own learning rate for the tuning-free ones. "-" is a run that diverges.

The last table runs every first-order method on the two convex problems with 100 epochs, for ten
seeds. The picture shows medians of three seeds, with the range as a band: tuned and untuned against
epochs, and tuned against seconds (of a run on one thread, two at a time).
"""

import time

import numpy as np
from scipy.optimize import minimize

from bench import _learning as learning
from bench._recorder import work
from bench._report import RESULTS, Table, show
from scipy_gd import METHODS, schedules
from scipy_gd.plot import style

TEXTBOOK = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamw")
TUNING_FREE = ("prodigy", "dowg", "schedule_free_sgd", "schedule_free_adamw")
FIRST_ORDER = [
    m.__name__ for m in METHODS.values() if m.constant is not None and m.needs == 3 and not m.probes
]
FIRST_ORDER = [name for name in FIRST_ORDER if name not in ("gd", "rprop", "adgd", *TUNING_FREE)]
LONGER = {"rho": 0.99}  # torch's default for RMSProp; ours is Keras's 0.9
GRID = 10.0 ** np.arange(-4, 1.6, 0.5)
SEEDS = (1, 2, 3)
MORE_SEEDS = range(1, 11)
EPOCHS = {"MNIST": 20}
BATCH = {"breast cancer": 65}


def epochs_of(problem):
    return EPOCHS.get(problem.name.split(":")[0], 100)


def batch_of(problem):
    return BATCH.get(problem.name.split(":")[0], 64)


def steps_of(problem):
    """Steps in an epoch."""
    return -(-len(problem.data.X) // batch_of(problem))


def train(problem, name, seed, rate=None, callback=None, **options):
    """A run; with a rate it falls to a thousandth."""
    X, y = problem.data.X, problem.data.y
    epochs = epochs_of(problem)
    options |= {"batch_size": batch_of(problem), "epochs": epochs, "rng": seed}
    if rate is not None:
        steps = epochs * steps_of(problem)
        options["learning_rate"] = schedules.cosine(rate, 1e-3 * rate, steps=steps)
    method = METHODS[name]
    with np.errstate(all="ignore"):
        return minimize(
            problem.fun, problem.x0, (X, y), method, jac=True, callback=callback, options=options
        )


def loss(res):
    return res.fun if res.success else np.inf


def tuned(cell):
    """The best rate of the grid, and the losses of other seeds there."""
    problem, name, seeds, *options = cell
    options = options[0] if options else {}
    rates = GRID * (10 if name == "adadelta" else 1)
    first = [loss(train(problem, name, 0, rate, **options)) for rate in rates]
    rate = rates[int(np.argmin(first))]
    return float(rate), [loss(train(problem, name, seed, rate, **options)) for seed in seeds]


def untuned(cell):
    """The same for a method at its defaults, or at a given rate."""
    problem, name, seeds, *rate = cell
    return "own", [loss(train(problem, name, seed, *rate)) for seed in seeds]


def percent(losses, optimum):
    excess = 100 * (np.asarray(losses) / optimum - 1)
    if not np.isfinite(excess).all():
        return np.nan, "-"
    return float(np.median(excess)), f"{show(excess.min())} to {show(excess.max())}"


def measure():
    problems = learning.problems()
    optima = dict(zip([p.name for p in problems], work(learning.optimum, problems), strict=True))
    names = [*TEXTBOOK, *TUNING_FREE]
    cells = [(p, name, SEEDS) for p in problems for name in names]
    keys = [(p.name, name) for p, name, _ in cells]
    best = dict(zip(keys, work(tuned, cells), strict=True))
    plain = dict(zip(keys, work(untuned, cells), strict=True))
    draw(problems, names, best, optima)
    tables = [of_problem(p, names, best, plain, optima[p.name]) for p in problems]
    return [*tables, every_method(problems, optima)]


def of_problem(problem, names, best, plain, optimum):
    rows = []
    for name in names:
        rate, losses = best[problem.name, name]
        median, spread = percent(losses, optimum)
        _, defaults = plain[problem.name, name]
        rows.append([name, rate, median, spread, *percent(defaults, optimum)])
    title = f"{problem.name}, {epochs_of(problem)} epochs: percent above {optimum:.6g}"
    return Table(title, ["method", "rate", "tuned", "", "untuned", ""], rows)


def every_method(problems, optima):
    """All first-order methods on the two convex problems where a bound is promised."""
    chosen = [p for p in problems if p.name in ("digits: softmax", "breast cancer: logistic")]
    entries = [(name, 0.5, tuned, (name, MORE_SEEDS)) for name in FIRST_ORDER]
    entries += [
        (f"{name}, rho 0.99", 0.5, tuned, (name, MORE_SEEDS, LONGER))
        for name in ("rmsprop", "rmsprop_nesterov", "adadelta")
    ]
    entries += [(f"{name}, untuned", 2.0, untuned, (name, MORE_SEEDS)) for name in TUNING_FREE]
    entries += [
        (f"{n}, a cosine from its own rate", 2.0, untuned, (n, MORE_SEEDS, METHODS[n].constant))
        for n in ("prodigy", "dowg")
    ]
    cells = [(how, (p, *rest)) for _, _, how, rest in entries for p in chosen]
    found = iter(work(lambda cell: cell[0](cell[1]), cells))
    rows = []
    for label, limit, *_ in entries:
        row = [label]
        for p in chosen:
            rate, losses = next(found)
            row += [rate, *percent(losses, optima[p.name])]
        rows.append([*row, "yes" if all(x <= limit for x in row[2::3]) else "no"])
    columns = ["method", *(c for p in chosen for c in ("rate", p.name, "")), "within 0.5 % (2 %)"]
    return Table("Every first-order method, percent above the optimum", columns, rows)


def curve(cell):
    """Seconds, and percent above the optimum (evaluated off the clock), after some epochs."""
    problem, name, rate, seed, optimum = cell
    steps, marks, points, seconds = steps_of(problem), marks_of(problem), [], []
    begun = time.perf_counter()

    def keep(intermediate_result):
        epoch, rest = divmod(intermediate_result.nit, steps)
        if rest == 0 and epoch in marks:
            points.append(intermediate_result.x)
            seconds.append(time.perf_counter() - begun)

    train(problem, name, seed, rate, keep)
    values = [problem.fun(x, problem.data.X, problem.data.y)[0] for x in points]
    left = len(marks) - len(points)  # of a run that diverged
    excess = 100 * (np.array(values) / optimum - 1)
    return np.pad([seconds, excess], [(0, 0), (0, left)], constant_values=np.nan)


def marks_of(problem):
    return np.unique(np.geomspace(1, epochs_of(problem), 18).round()).astype(int)


def draw(problems, names, best, optima):
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    smallest, *shown = problems
    rates = {(p.name, n): (best[p.name, n][0], None) for p in shown for n in names}
    cells = [
        (p, name, rate, seed, optima[p.name])
        for p in shown
        for name in names
        for rate in rates[p.name, name]
        for seed in SEEDS
    ]
    for name in names:  # what is loaded once is not in the seconds
        curve((smallest, name, 0.1, 0, optima[smallest.name]))
    curves = iter(work(curve, cells))
    figure = Figure(figsize=(3.1 * len(shown), 9.6), layout="constrained", dpi=110)
    figure.get_layout_engine().set(hspace=0.05)
    axes = figure.subplots(3, len(shown), sharey="col")
    for column, p in zip(axes.T, shown, strict=True):
        marks = marks_of(p)
        for name in names:
            look = style(name) | {"markevery": (0.05, 0.2), "label": name}
            tuned_, plain = (
                np.array([next(curves) for _ in SEEDS]) for _ in rates[p.name, name]
            )  # seeds, (seconds, excess), marks
            seconds = np.median(tuned_[:, 0], axis=0)
            for ax, x, found in zip(
                column, (marks, marks, seconds), (tuned_, plain, tuned_), strict=True
            ):
                excess = np.maximum(found[:, 1], 1e-3)
                ax.plot(x, np.median(excess, axis=0), **look)
                band = excess.min(axis=0), excess.max(axis=0)
                ax.fill_between(x, *band, color=look["color"], alpha=0.12, linewidth=0)
        column[0].set(title=p.name)
        column[1].set(xlabel="epochs")
        column[2].set(xlabel="seconds")
        for ax in column:
            ax.set(xscale="log", yscale="log")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.yaxis.set_minor_formatter(NullFormatter())
            ax.grid(True, color="0.92")
            ax.spines[["top", "right"]].set_visible(False)
    for ax, how in zip(axes[:, 0], ("tuned", "untuned", "tuned"), strict=True):
        ax.set_ylabel(f"{how}: % above the optimum")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=6, frameon=False)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "data.png")
