"""
Stop and resume a slow, noisy simulation
========================================

Each value takes a long time and is a little different every time, and the machine may go down
before the run is finished. Limit the time, write checkpoints, and resume from the file.
"""

import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from scipy_gd import lbfgs

# %%
# The simulation
# --------------
#
# This one stands for your own: a number that depends on four settings, with random noise. So that
# the page can be built quickly, it sleeps for only two milliseconds.

BEST = np.array([1.0, -0.5, 2.0, 0.3])
noise = np.random.default_rng(0)
values = []


def simulate(x):
    time.sleep(0.002)
    u = x - BEST
    value = u @ u + 0.3 * np.sum(np.diff(u) ** 4) + 1e-3 * noise.standard_normal()
    values.append(value)
    return value


# %%
# The first session
# -----------------
#
# `lbfgs` needs no gradient: it measures the noise, and chooses finite differences that are long
# enough for it. `maxtime` ends the run after so many seconds. For two minutes, say ``"maxtime":
# 120``. The file is written every `checkpoint_every` seconds, and at the end.

Path("run.npz").unlink(missing_ok=True)  # of an earlier run of this script
first = minimize(
    simulate,
    x0=[0, 0, 0, 0],
    method=lbfgs,
    options={"maxtime": 0.15, "checkpoint": "run.npz", "checkpoint_every": 60},
)
print(first.message)
print(f"f = {first.fun:.3f} after {first.nfev} evaluations")

# %%
# The file would also be there after Ctrl-C, an error in the simulation, or a power failure. It is
# replaced in one step, so it is never half written.

# %%
# The second session
# ------------------
#
# This may be another process, on another day. Make the same call with `resume`. The run goes on
# from where it stopped, with everything that the method has learnt; `x0` is ignored. With the
# same name for `checkpoint`, the file is kept up to date.

second = minimize(
    simulate,
    x0=[0, 0, 0, 0],
    method=lbfgs,
    options={"resume": "run.npz", "checkpoint": "run.npz", "checkpoint_every": 60},
)
print(second.message)
print(f"f = {second.fun:.3f} after {second.nfev} evaluations in all")

# %%
# The counts go on from the first session. The result says how large the noise is, and how far the
# parameters may be from the minimum because of it:

print("success:", second.success)
print("x:      ", second.x.round(3))
print("x_error:", second.x_error.round(3))
print(f"noise:   {second.noise:.1e}")

# %%
# If the run has not come down from the start by ten thousand times the noise, it cannot be sure,
# and ends with status 2 and ``success=False`` instead. The point may be just as good: decide by
# `x_error` whether it is accurate enough.

# %%
# The picture
# -----------
#
# Many of the evaluations go into finite differences and into the measurement of the noise. If you
# know how large the noise is, say so: with ``"noise": 1e-3`` this run takes about a third fewer.

figure, ax = plt.subplots(layout="constrained")
ax.semilogy(np.abs(values), ".", label="values of the simulation")
ax.axvline(first.nfev, color="black", linestyle="--", label="stopped and resumed")
ax.set(xlabel="evaluation", ylabel="|f|")
ax.legend()
plt.show()

# %%
# One script for all sessions
# ---------------------------
#
# On a cluster, the job is usually the same script each time. Let it resume if there is a file:

options = {"maxtime": 60, "checkpoint": "run.npz"}
if Path("run.npz").exists():
    options["resume"] = "run.npz"
third = minimize(simulate, [0, 0, 0, 0], method=lbfgs, options=options)
print(third.message)
Path("run.npz").unlink()  # the run is finished

# %%
# The file holds the random numbers of the method, not those of your simulation. More in
# :doc:`/guides/resuming` and :doc:`/guides/noise`.
