"""
Stop and resume a slow, noisy simulation
========================================

Each value takes a long time and differs slightly from call to call, and the machine may go down
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
# This function stands in for your own: a number that depends on four settings, with random noise.
# To keep this page quick to build, it sleeps for only two milliseconds.

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
# `lbfgs` needs no gradient: it measures the noise, and chooses steps for the finite differences
# that are long enough. `maxtime` ends the run after the given number of seconds; for two minutes,
# set ``"maxtime": 120``. The file is written every `checkpoint_every` seconds, and at the end.

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
# replaced atomically, so it is never half written.

# %%
# The second session
# ------------------
#
# This may be another process, on another day. Make the same call with `resume`. The run continues
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
# The counts continue from the first session. The result contains the size of the noise, and how far
# the parameters may be from the minimum because of it:

print("success:", second.success)
print("x:      ", second.x.round(3))
print("x_error:", second.x_error.round(3))
print(f"noise:   {second.noise:.1e}")

# %%
# If f has not decreased by ten thousand times the noise since the start, the run cannot be sure
# that it has converged, and ends with status 2 and ``success=False`` instead. The point may be just
# as good: use `x_error` to decide whether it is accurate enough.

# %%
# The plot
# --------
#
# Many of the evaluations go into finite differences and into the measurement of the noise. If you
# know how large the noise is, and it is the same everywhere, specify it in the units of the values:
# with ``"noise": 1e-3``, this run takes about a third fewer evaluations.

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
# On a cluster, each job usually runs the same script. Let it resume if there is a file:

options = {"maxtime": 60, "checkpoint": "run.npz"}
if Path("run.npz").exists():
    options["resume"] = "run.npz"
third = minimize(simulate, [0, 0, 0, 0], method=lbfgs, options=options)
print(third.message)
Path("run.npz").unlink()  # the run is finished

# %%
# The file stores the random number generator of the method, not that of your simulation. See
# :doc:`/guides/resuming` and :doc:`/guides/noise` for more.
