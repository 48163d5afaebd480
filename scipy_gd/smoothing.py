"""Exponential smoothing of a recorded series, such as the losses of a run."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from .arguments import flag, number


def smooth(
    series: ArrayLike, beta: float = 0.9, *, correct: bool = True, axis: int = 0
) -> NDArray[np.float64]:
    """Smooth a series with an exponentially weighted average of the values up to each one.

    The average is ``v[t] = beta * v[t - 1] + (1 - beta) * series[t]``, from ``v[-1] = 0``. It looks
    back over about ``1 / (1 - beta)`` values. Its first values are too small, since their weights
    do not add up to 1 yet; `correct` divides by the sum of the weights, ``1 - beta**(t + 1)``.

    Parameters
    ----------
    series : array_like
        Real numbers: one series, or an array of series along `axis`.
    beta : float
        Weight of the previous average in the next one, in [0, 1); 0 changes nothing.
    correct : bool
        Correct the bias of the first values, as Adam does for its averages.
    axis : int
        The axis along which to smooth.

    Returns
    -------
    array of float64, of the shape of `series`
        The averages. Values that are not finite (NaN if nothing was recorded, or inf) are left as
        they are and enter no average: the others are what they would be without them.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR (2015), section 3,
    https://arxiv.org/abs/1412.6980.

    Examples
    --------
    >>> from scipy_gd import smooth
    >>> losses = [4.0, 2.0, 3.0, float("nan"), 1.0]
    >>> smooth(losses, 0.5).round(2)
    array([4.  , 2.67, 2.86,  nan, 1.87])
    >>> smooth(losses, 0.5, correct=False)
    array([2.   , 2.   , 2.5  ,   nan, 1.75])

    The noisy loss of a run, with most of its noise removed:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> loss = np.exp(-np.arange(200) / 50)
    >>> recorded = loss + 0.2 * rng.normal(size=200)
    >>> bool(np.std(smooth(recorded) - loss) < 0.5 * np.std(recorded - loss))
    True
    """
    values = np.asarray(series)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"`series` must be an array of real numbers, got dtype {values.dtype}")
    if values.ndim == 0:
        raise ValueError("`series` must have at least one axis, got a number")
    beta = number(0, 1, below=True)("beta", beta, 0)
    correct = flag("correct", correct, 0)
    try:
        axis = operator.index(axis)
    except TypeError:
        raise TypeError(f"`axis` must be a whole number, got {axis!r}") from None
    if not -values.ndim <= axis < values.ndim:
        raise ValueError(f"`axis` must be one of the {values.ndim} axes of `series`, got {axis}")

    values = np.moveaxis(values.astype(float), axis, 0)
    missing = ~np.isfinite(values)
    order = np.argsort(missing, axis=0, kind="stable")  # what is missing comes after all others
    averages = lfilter([1 - beta], [1, -beta], np.take_along_axis(values, order, 0), axis=0)
    if correct:
        averages = (averages.T / (1 - beta ** np.arange(1, len(values) + 1))).T
    smoothed = np.empty_like(values)
    np.put_along_axis(smoothed, order, averages, 0)
    return np.moveaxis(np.where(missing, values, smoothed), 0, axis)
