"""
Fit 500 spectra in one call
===========================

Fit the same model to hundreds of spectra: `minimize_many` runs all fits in one compiled loop. Each
fit gives exactly the same result as `minimize`, and a fit that fails does not affect the others.
"""

import matplotlib.pyplot as plt
import numpy as np
from numba import njit

from scipy_gd import levenberg_marquardt, minimize_many

# %%
# The spectra
# -----------
#
# A peak on a sloping background drifts while the sample is heated. There are 500 spectra of 120
# channels, one per row.

rng = np.random.default_rng(0)
energy = np.linspace(0, 10, 120)
temperature = np.linspace(300, 800, 500)
true_position = 4 + 2 * np.tanh((temperature - 550) / 80)
height = 20 + 5 * rng.random(500)
spectra = height[:, None] * np.exp(-0.5 * ((energy - true_position[:, None]) / 0.5) ** 2)
spectra += 3 + 0.4 * energy + rng.standard_normal((500, 120))
spectra[123] = np.nan  # the shutter was closed

# %%
# The model
# ---------
#
# The function returns the residuals of one spectrum. Numba's decorator makes it fast; without it,
# everything works the same, but at the speed of Python.


@njit
def residuals(p, energy, y):
    height, position, width, offset, slope = p
    peak = height * np.exp(-0.5 * ((energy - position) / width) ** 2)
    return peak + offset + slope * energy - y


# %%
# The start
# ---------
#
# Take the start from the data, with one row per spectrum: the peak starts at the highest channel.

ground = np.median(spectra, axis=1)
top = np.nan_to_num(spectra).argmax(axis=1)
start = np.column_stack(
    [
        spectra.max(axis=1) - ground,
        energy[top],
        np.full(500, 1.0),
        ground,
        np.zeros(500),
    ]
)
start = np.nan_to_num(start, nan=1.0)  # a start must be finite, even where the data are not

# %%
# The fits
# --------
#
# `in_axes` says which arguments have one row per spectrum (0) and which are shared (None).

res = minimize_many(
    residuals,
    start,
    args=(energy, spectra),
    in_axes=(None, 0),
    method=levenberg_marquardt,
    options={"parameter_names": ["height", "position", "width", "offset", "slope"]},
)
print(res.summary())

# %%
# The result has one row per spectrum. Look at `success` first:

print("failed:", np.flatnonzero(~res.success))
print(res.x.shape, res.stderr.shape)

# %%
# Each row has its own errors. If they are right, about two thirds of the positions are within one
# standard error of the truth:

good = res.success
position, error = res.x[good, 1], res.stderr[good, 1]
print(f"{np.mean(abs(position - true_position[good]) < error):.0%}")

# %%
# The plot
# --------

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for k, color in zip([30, 250, 470], ["C0", "C1", "C2"], strict=True):
    left.plot(energy, spectra[k], ".", ms=3, color=color, label=f"{temperature[k]:.0f} K")
    left.plot(energy, spectra[k] + residuals(res.x[k], energy, spectra[k]), color=color)
left.set(xlabel="energy", ylabel="counts")
left.legend()
right.errorbar(temperature[good], position, error, fmt=".", ms=2, elinewidth=0.5, color="C0")
right.set(xlabel="temperature (K)", ylabel="position of the peak")
plt.show()

# %%
# ``res.to_pandas()`` returns a table of all fits, with a column for each parameter and, with the
# suffix ``_stderr``, for its error; save it with ``.to_csv("fits.csv")``. See
# :doc:`/guides/many-fits` for all cores, data on disk, Dask and xarray.
