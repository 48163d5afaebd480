"""
Fit every pixel of an image
===========================

A camera has taken a movie of a fluorescent sample after a flash of light. Each pixel decays with
its own lifetime. `minimize_many` fits all pixels at once. The result is an image of the lifetimes,
with an image of their errors.
"""

import matplotlib.pyplot as plt
import numpy as np
from numba import njit

from scipy_gd import levenberg_marquardt, minimize_many

# %%
# The movie
# ---------
#
# 40 frames of 64 x 64 pixels. The sample has a ring with a longer lifetime. Some pixels are dead.

rng = np.random.default_rng(0)
t = np.linspace(0, 10, 40)
row, column = np.mgrid[-1:1:64j, -1:1:64j]
radius = np.hypot(row, column)
true_lifetime = 1.5 + 1.5 * np.exp(-(((radius - 0.6) / 0.15) ** 2))
brightness = 40 + 60 * np.exp(-(radius**2) / 0.5)
movie = brightness[..., None] * np.exp(-t / true_lifetime[..., None]) + 10
movie += 2 * rng.standard_normal(movie.shape)
movie[rng.integers(64, size=20), rng.integers(64, size=20)] = np.nan
print(movie.shape)

# %%
# The fits
# --------
#
# `minimize_many` takes one problem per row, so the two axes of the image become one.

pixels = movie.reshape(-1, t.size)


@njit
def residuals(p, t, y):
    height, lifetime, floor = p
    return height * np.exp(-t / lifetime) + floor - y


res = minimize_many(
    residuals,
    x0=[50, 2, 10],
    args=(t, pixels),
    in_axes=(None, 0),
    method=levenberg_marquardt,
    bounds=[(0, None), (0.1, 20), (0, None)],
)
print(res.summary())

# %%
# The images
# ----------
#
# Restore the two axes. Fits that failed become NaN, which is drawn in white.

lifetime = np.where(res.success, res.x[:, 1], np.nan).reshape(64, 64)
error = np.where(res.success, res.stderr[:, 1], np.nan).reshape(64, 64)

figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
images = {"first frame": movie[..., 0], "lifetime": lifetime, "standard error": error}
for ax, (title, image) in zip(axes, images.items(), strict=True):
    figure.colorbar(ax.imshow(image), ax=ax, shrink=0.8)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %%
# Where the sample is dark, the errors are larger. To use all cores, add ``workers=-1``. If the
# movie does not fit in memory, pass a memory map or a Dask array: :doc:`/guides/many-fits`.
