"""
Let optimizers race: a GIF and a figure for a paper
===================================================

How do six optimizers get to the minimum? Show it with an animation in a talk, or with a figure in
a paper.
"""

import matplotlib.pyplot as plt
from scipy.optimize import minimize

from scipy_gd import adam, gd, lbfgs, momentum, nesterov, plot, rmsprop
from scipy_gd.problems import beale

# %%
# The race
# --------
#
# The landscape is Beale's function, which has a flat, curved valley. The learning rates are
# constant, as in textbooks; by default, each method finds its own.
#
# The file extension sets the format: ``.gif``, ``.html`` (a page with buttons) or
# ``.mp4``.

problem = beale()
window = [(-1, 4), (-2, 2)]
racers = [
    ("gd", gd, {"learning_rate": 0.01}),
    ("momentum", momentum, {"learning_rate": 0.01}),
    ("nesterov", nesterov, {"learning_rate": 0.01}),
    ("rmsprop", rmsprop, {"learning_rate": 0.05}),
    ("adam", adam, {"learning_rate": 0.1}),
    ("lbfgs", lbfgs, {}),
]
animation = plot.animate(racers, problem, path="race.gif", window=window, maxiter=200)

# %%
# For a function of your own, pass the function, its gradient as `jac`, and the start as `x0`. It
# must have two parameters.

# %%
# The figure
# ----------
#
# The functions of `scipy_gd.plot` draw into any axes, so you control size, fonts and panels with
# matplotlib. Run the methods with ``"history": True``; a dict gives the runs their names.

runs = {
    name: minimize(
        problem.fun,
        problem.x0,
        jac=problem.jac,
        method=method,
        options=options | {"history": True, "maxiter": 200},
    )
    for name, method, options in racers
}

style = {"font.size": 8, "axes.titlesize": 8, "lines.linewidth": 1, "pdf.fonttype": 42}
with plt.rc_context(style):
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.9, 2.8), layout="constrained")
    plot.path(runs, problem, window=window, ax=left)
    plot.convergence(runs, minimum=problem.f_min, ax=right)
    left.set_title("(a) paths")
    right.set_title("(b) convergence")
    left.get_legend().remove()
    figure.savefig("race.pdf")  # or .png with dpi=300
plt.show()

# %%
# A method has the same colour and line style in all figures. See :doc:`/guides/watching` for more.
