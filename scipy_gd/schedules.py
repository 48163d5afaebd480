"""Schedules: hyper-parameters that change during a run.

A schedule is a small immutable object, called with the step number, t = 1, 2, 3, ...::

    minimize(f, x0, jac=g, method=momentum, options={
        "learning_rate": warmup(100, cosine(0.1, 1e-4, 2000)),
        "momentum": linear(0.5, 0.99, 500),
    })

In all formulas, ``k = t - 1`` is the number of steps taken so far, which is what torch, optax and
Keras count: the first step has exactly the start value, and a schedule over `steps` steps ends at
``t = steps + 1``. (The exception is `one_cycle`, which ends with step `steps`, as in torch.)

torch's schedulers, such as StepLR, are in `torch.optim.lr_scheduler`:
https://docs.pytorch.org/docs/stable/optim.html.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import count, number, per_parameter

__all__ = [
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "exponential",
    "inverse_time",
    "linear",
    "milestones",
    "one_cycle",
    "polynomial",
    "reduce_on_plateau",
    "scaled",
    "sequence",
    "step",
    "warmup",
]

Array = NDArray[np.float64]
Told = Callable[[int, float], float | Array]
"""What `Schedule.start` returns: a function of t and f."""
Part = Callable[[Any], Any]
"""A schedule inside another one, as a function of k."""

# --- what arguments may be: the annotation of a field holds its check

_finite = number(above=True, below=True)
_above_0 = number(0, above=True, below=True)


def _value(name: str, value: Any, n: int) -> Any:
    """A number, or a read-only array."""
    if callable(value):
        raise TypeError(f"`{name}` must be a number or an array of numbers, got {value!r}")
    try:
        size = np.size(value)
    except ValueError:  # ragged
        raise TypeError(f"`{name}` must be an array of numbers, got {value!r}") from None
    checked = per_parameter(_finite)(name, value, max(size, 1))
    if isinstance(checked, np.ndarray):
        checked.flags.writeable = False
    return checked


def _schedule(name: str, value: Any, n: int) -> Schedule:
    return value if isinstance(value, Schedule) else constant(_value(name, value, n))


def _fraction(name: str, value: Any, n: int) -> Any:
    return None if value is None else number(0, 1)(name, value, n)


def _increasing(name: str, value: Any, n: int) -> tuple[int, ...]:
    try:
        counts = tuple(count(1)(name, one, n) for one in value)
    except TypeError:
        raise TypeError(f"`{name}` must be whole numbers, got {value!r}") from None
    if not counts or any(a >= b for a, b in pairwise(counts)):
        raise ValueError(f"`{name}` must be an increasing sequence of step numbers, got {value!r}")
    return counts


Value = Annotated[float | Array, _value]
Positive = Annotated[float, _above_0]
Steps = Annotated[int, count(1)]

# --- what all have in common


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """A hyper-parameter as a function of the step number; the base class of all schedules.

    Calling a schedule with t = 1, 2, 3, ... gives the value for step t: a float or, if the schedule
    was made from arrays, an array with one value per parameter. An array of t gives the values
    along a new first axis, for example for ``plt.plot(t, schedule(t))``.

    Schedules are immutable. They compare by value, can be hashed and pickled, and
    ``eval(repr(schedule))`` recreates them. ``0.5 * schedule`` is a `scaled` schedule,
    ``a.then(b, at=100)`` a `sequence`.

    Examples
    --------
    >>> from scipy_gd.schedules import exponential, linear
    >>> schedule = linear(0.1, 0.02, 4)
    >>> schedule(1)
    0.1
    >>> schedule([1, 2, 3, 4, 5, 6]).round(2)
    array([0.1 , 0.08, 0.06, 0.04, 0.02, 0.02])
    >>> 2 * schedule.then(exponential(0.02, 0.5), at=4)  # doctest: +NORMALIZE_WHITESPACE
    scaled(factor=2.0, schedule=sequence(first=linear(start=0.1, end=0.02, steps=4),
                                         second=exponential(value=0.02, decay=0.5), at=4))
    """

    __array_ufunc__ = None  # NumPy then leaves `array * schedule` to `__rmul__`

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            object.__setattr__(self, name, hint.__metadata__[0](name, getattr(self, name), 0))
        sizes = {name: shape[0] for name, shape in self._shapes().items()}
        if len(set(sizes.values())) > 1:
            names, lengths = " and ".join(map("`{}`".format, sizes)), [*sizes.values()]
            raise ValueError(f"{names} must have the same length, got {lengths}")

    def _at(self, k: Array) -> Any:
        """The formula, elementwise in k."""
        raise NotImplementedError

    def __call__(self, t: ArrayLike) -> float | Array:
        """The value for step t, or the values for an array of steps."""
        t = np.asarray(t, dtype=float)
        shape = self.shape
        # Always an array of steps, also for one: NumPy's arithmetic for scalars may differ from its
        # loops in the last bit.
        k = t.reshape((-1, 1) if shape else -1) - 1
        if not k.min(initial=0) >= 0:
            raise ValueError(f"`t` must be at least 1 (it counts the steps), got {t}")
        values = np.empty((t.size, *shape))
        values[...] = self._at(k)
        return _unwrapped(values.reshape(t.shape + shape))

    def table(self, first: int, count: int) -> Array:
        """The values of `count` steps from step `first` on, as rows; the same bits as calls."""
        return np.asarray(self(np.arange(first, first + count)))

    def then(self, other: Schedule | float | Array, at: int) -> sequence:
        """This schedule for `at` steps, then the other from its start."""
        return sequence(self, other, at)

    def __mul__(self, factor: float | Array) -> scaled:
        return scaled(factor, self)

    __rmul__ = __mul__

    @property
    def needs_value(self) -> bool:
        """Whether the values depend on the function values.

        Such a schedule cannot be called. Its `start()` returns a function of t and f, with a fresh
        memory, for one run. That function returns the value for step t, where f is the function
        value at the point where the step starts, f(x0) for t = 1. If it is called again with the
        same t, the last call counts.
        """
        return False

    @property
    def shape(self) -> tuple[int, ...]:
        """``()`` if the values are numbers, ``(n,)`` if they are arrays."""
        return next(iter(self._shapes().values()), ())

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        given = {k: v.shape for k, v in vars(self).items() if isinstance(v, np.ndarray | Schedule)}
        return {name: shape for name, shape in given.items() if shape}

    def __repr__(self) -> str:
        given = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(vars(self).values())


def _unwrapped(value: Any) -> float | Array:
    unwrapped: float | Array = value if np.ndim(value) else float(value)
    return unwrapped


# --- from a value


@dataclass(frozen=True, eq=False, repr=False)
class constant(Schedule):
    """A constant ``value``.

    Parameters
    ----------
    value : float or array
        The value, or one per parameter.

    Examples
    --------
    >>> from scipy_gd.schedules import constant
    >>> constant(0.1)(7)
    0.1
    >>> constant([0.1, 0.2])(7)
    array([0.1, 0.2])
    """

    value: Value

    def _at(self, k: Array) -> Any:
        return self.value


@dataclass(frozen=True, eq=False, repr=False)
class step(Schedule):
    """A staircase: ``value * factor**(k // every)``, with k = t - 1.

    Equivalent to torch's StepLR. It has no last step.

    Parameters
    ----------
    value : float or array
        The value of the first `every` steps.
    every : int
        The number of steps on each stair.
    factor : float
        Ratio of each stair to the one before, above 0.

    References
    ----------
    R. Ge, S. M. Kakade, R. Kidambi and P. Netrapalli, "The step decay schedule: a near optimal,
    geometrically decaying learning rate procedure for least squares", NeurIPS (2019),
    https://arxiv.org/abs/1904.12838.

    Examples
    --------
    >>> from scipy_gd.schedules import step
    >>> step(0.8, every=2, factor=0.5)([1, 2, 3, 4, 5])
    array([0.8, 0.8, 0.4, 0.4, 0.2])
    """

    value: Value
    every: Steps
    factor: Positive

    def _at(self, k: Array) -> Any:
        return self.value * self.factor ** (k // self.every)


@dataclass(frozen=True, eq=False, repr=False)
class milestones(Schedule):
    """A staircase with stairs of any length: ``value * factor**(number of `at` <= k)``.

    Here k = t - 1: with ``at=[30, 80]``, step 31 is the first with ``value * factor``, and step 81
    the first with ``value * factor**2``, which is also the final value. Equivalent to torch's
    MultiStepLR.

    Parameters
    ----------
    value : float or array
        The value of the first steps.
    at : sequence of int
        The numbers of steps after which the value changes; increasing.
    factor : float
        Ratio of each stair to the one before, above 0.

    Examples
    --------
    >>> from scipy_gd.schedules import milestones
    >>> milestones(0.8, at=[1, 3], factor=0.5)([1, 2, 3, 4, 5])
    array([0.8, 0.4, 0.4, 0.2, 0.2])
    """

    value: Value
    at: Annotated[tuple[int, ...], _increasing]
    factor: Positive

    def _at(self, k: Array) -> Any:
        return self.value * self.factor ** np.searchsorted(self.at, k, side="right")


@dataclass(frozen=True, eq=False, repr=False)
class exponential(Schedule):
    """Exponential decay: ``value * decay**k``, with k = t - 1.

    Equivalent to torch's ExponentialLR. It has no last step: it tends to 0.

    Parameters
    ----------
    value : float or array
        The value of step 1.
    decay : float
        Ratio of each value to the one before, above 0; above 1 for growth.

    References
    ----------
    X. Li, Z. Zhuang and F. Orabona, "A second look at exponential and cosine step sizes:
    simplicity, adaptivity, and performance", ICML (2021), https://arxiv.org/abs/2002.05273.

    Examples
    --------
    >>> from scipy_gd.schedules import exponential
    >>> exponential(0.8, 0.5)([1, 2, 3, 4])
    array([0.8, 0.4, 0.2, 0.1])
    """

    value: Value
    decay: Positive

    def _at(self, k: Array) -> Any:
        return self.value * self.decay**k


@dataclass(frozen=True, eq=False, repr=False)
class inverse_time(Schedule):
    """Inverse-time decay: ``value / (1 + decay * k)**power``, with k = t - 1.

    With ``power=1``, this is Keras's InverseTimeDecay, whose ``decay_rate / decay_steps`` is
    `decay`. It has no last step: it tends to 0.

    Parameters
    ----------
    value : float or array
        The value of step 1.
    decay : float
        At least 0; after ``1 / decay`` steps, the value has decreased to ``value / 2**power``.
    power : float
        Above 0. With noisy gradients, the sum of the rates must be infinite and the sum of their
        squares finite (Robbins and Monro; Goodfellow et al., equations 8.12 and 8.13). This holds
        for a `power` above 1/2 and up to 1.

    References
    ----------
    H. Robbins and S. Monro, "A stochastic approximation method", Annals of Mathematical Statistics
    22(3), 400-407 (1951), https://doi.org/10.1214/aoms/1177729586. L. Bottou, "Stochastic gradient
    descent tricks" (2012), section 5.2, https://doi.org/10.1007/978-3-642-35289-8_25.

    Examples
    --------
    >>> from scipy_gd.schedules import inverse_time
    >>> inverse_time(0.8, decay=1)([1, 2, 4, 8])
    array([0.8, 0.4, 0.2, 0.1])
    """

    value: Value
    decay: Annotated[float, number(0, below=True)]
    power: Positive = 1.0

    def _at(self, k: Array) -> Any:
        return self.value / (1 + self.decay * k) ** self.power


# --- from a start to an end


def _mix(share: Any, a: Any, b: Any) -> Any:
    """From b to a as the fraction goes from 0 to 1; exact at both ends."""
    return share * a + (1 - share) * b


def _half_wave(u: Any) -> Any:
    """From 1 to 0 as u goes from 0 to 1."""
    return (1 + np.cos(np.pi * u)) / 2


@dataclass(frozen=True, eq=False, repr=False)
class _Ramp(Schedule):
    start: Value
    end: Value
    steps: Steps

    def _at(self, k: Array) -> Any:
        return _mix(self._left(np.minimum(k / self.steps, 1)), self.start, self.end)

    def _left(self, u: Array) -> Array:
        """The fraction of the way that is left after the fraction u of the steps."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, repr=False)
class linear(_Ramp):
    """Linear, then constant: ``(1 - u) * start + u * end``, with u = min((t - 1) / steps, 1).

    Equivalent to torch's LinearLR and optax's linear_schedule. The book writes k for t - 1,
    epsilon_0 for `start`, epsilon_tau for `end` and tau for `steps`; in its algorithm 8.1, where
    the first step is k = 1, the line would be one step ahead of this one.

    Parameters
    ----------
    start : float or array
        The value of step 1.
    end : float or array
        The value after `steps` steps, for step ``steps + 1`` and all later ones.
    steps : int
        The number of steps from `start` to `end`.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning" (2016), equation 8.14, and section
    8.3.2 for a momentum that rises, for example from 0.5 to 0.99; https://www.deeplearningbook.org.

    Examples
    --------
    >>> from scipy_gd.schedules import linear
    >>> linear(0.5, 0.9, steps=4)([1, 2, 3, 4, 5, 6]).round(2)
    array([0.5, 0.6, 0.7, 0.8, 0.9, 0.9])
    """

    def _left(self, u: Array) -> Array:
        return 1 - u


@dataclass(frozen=True, eq=False, repr=False)
class polynomial(_Ramp):
    """Power law, then constant: ``end + (start - end) * (1 - u)**power``, u = min((t-1)/steps, 1).

    Equivalent to optax's polynomial_schedule and Keras's PolynomialDecay; torch's PolynomialLR is
    the case ``end=0``.

    Parameters
    ----------
    start, end, steps
        As for `linear`.
    power : float
        Above 0; 1 gives `linear`.

    References
    ----------
    L.-C. Chen, G. Papandreou, I. Kokkinos, K. Murphy and A. L. Yuille, "DeepLab" (2016),
    https://arxiv.org/abs/1606.00915: the policy "poly", with power 0.9.

    Examples
    --------
    >>> from scipy_gd.schedules import polynomial
    >>> polynomial(1.0, 0.0, steps=4, power=2)([1, 2, 3, 4, 5, 6])
    array([1.    , 0.5625, 0.25  , 0.0625, 0.    , 0.    ])
    """

    power: Positive = 1.0

    def _left(self, u: Array) -> Array:
        return (1 - u) ** self.power


@dataclass(frozen=True, eq=False, repr=False)
class cosine(_Ramp):
    """Half a cosine wave: ``end + (start - end) * (1 + cos(pi u)) / 2``, u = min((t-1)/steps, 1).

    Up to step ``steps + 1``, this is torch's CosineAnnealingLR, which rises again afterwards;
    Keras's CosineDecay and optax's cosine_decay_schedule stay at `end`, like this one.

    Parameters
    ----------
    start, end, steps
        As for `linear`.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    (2017), equation 5 without restarts, https://arxiv.org/abs/1608.03983.

    Examples
    --------
    >>> from scipy_gd.schedules import cosine
    >>> cosine(0.1, 0.0, steps=2)([1, 2, 3, 4])
    array([0.1 , 0.05, 0.  , 0.  ])
    """

    def _left(self, u: Array) -> Array:
        return np.asarray(_half_wave(u))


@dataclass(frozen=True, eq=False, repr=False)
class cosine_restarts(Schedule):
    """Half cosine waves with warm restarts: ``end + (start - end) * (1 + cos(pi u)) / 2``.

    Period i = 0, 1, ... has ``period * factor**i`` steps; u is the completed fraction of the
    period. The first step of each period has the value `start`; the last one does not quite reach
    `end`, which would be the value of the first step after the period.

    Equivalent to torch's CosineAnnealingWarmRestarts, where `period` is T_0 and `factor` is T_mult.
    It has no last step.

    Parameters
    ----------
    start : float or array
        The value of step 1 and after each restart.
    end : float or array
        The lower end of the wave.
    period : int
        The number of steps before the first restart.
    factor : int
        Ratio of the length of each period to that of the one before: 1 for equal periods, 2 for
        doubling.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    (2017), equation 5, https://arxiv.org/abs/1608.03983.

    Examples
    --------
    >>> from scipy_gd.schedules import cosine_restarts
    >>> cosine_restarts(1.0, 0.0, period=2, factor=2)([1, 2, 3, 4, 5, 6, 7]).round(2)
    array([1.  , 0.5 , 1.  , 0.85, 0.5 , 0.15, 1.  ])
    """

    start: Value
    end: Value
    period: Steps
    factor: Steps = 1

    def _at(self, k: Array) -> Any:
        if self.factor == 1:
            u = k % self.period / self.period
        else:
            # one period more than k can need, counted in doubles without a logarithm's rounding
            last = np.log2(k.max(initial=0) + 1) / np.log2(self.factor) + 1
            lengths = self.period * float(self.factor) ** np.arange(int(last) + 1)
            begins = np.cumsum(lengths) - lengths
            i = np.searchsorted(begins, k, side="right") - 1
            u = (k - begins[i]) / lengths[i]
        return _mix(_half_wave(u), self.start, self.end)


@dataclass(frozen=True, eq=False, repr=False)
class one_cycle(Schedule):
    """Up to a peak and down to almost 0, in two half cosine waves.

    With k = t - 1, it rises from ``peak / div_factor`` at k = 0 to `peak` at
    ``k = pct_start * steps - 1``, then falls to ``peak / div_factor / final_div_factor`` at
    ``k = steps - 1``, that is, in step `steps`, and stays there.

    Equivalent to torch's OneCycleLR with its defaults: fastai's variant, with two phases and
    cosines. (In the paper, two lines of the same length, one up and one down, are followed by a
    third phase.) After step `steps`, torch raises an error. The momentum that torch cycles at the
    same time, from 0.95 to 0.85 and back, is
    ``one_cycle(0.85, steps, div_factor=0.85 / 0.95, final_div_factor=1)``.

    Parameters
    ----------
    peak : float or array
        The largest value.
    steps : int
        The number of steps in the whole cycle.
    pct_start : float
        The fraction of the steps that rise; above ``1 / steps`` and below 1.
    div_factor : float
        The first value is the peak divided by this.
    final_div_factor : float
        The last value is the first divided by this.

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates" (2018), https://arxiv.org/abs/1708.07120.

    Examples
    --------
    >>> from scipy_gd.schedules import one_cycle
    >>> one_cycle(1.0, steps=10)([1, 2, 3, 4, 6, 8, 10]).round(3)
    array([0.04 , 0.52 , 1.   , 0.95 , 0.611, 0.188, 0.   ])
    """

    peak: Value
    steps: Steps
    pct_start: Annotated[float, number(0, 1, above=True, below=True)] = 0.3
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pct_start * self.steps <= 1:
            raise ValueError(
                f"`pct_start` must be above 1 / `steps`, got {self.pct_start} for {self.steps}"
            )

    def _at(self, k: Array) -> Any:
        up = self.pct_start * self.steps - 1
        down = self.steps - 1 - up
        rising = k <= up
        u = np.where(rising, 1 - k / up, np.minimum((k - up) / down, 1))
        low = np.where(rising, 1, 1 / self.final_div_factor) / self.div_factor
        return self.peak * _mix(_half_wave(u), 1, low)


# --- from other schedules

SomeSchedule = Annotated[Schedule | float | Array, _schedule]


@dataclass(frozen=True, eq=False, repr=False)
class _Composite(Schedule):
    def _of(self, *args: Any) -> Any:
        """The formula: of k, and of each part as a function of k."""
        raise NotImplementedError

    @property
    def _parts(self) -> list[Schedule]:
        return [part for part in vars(self).values() if isinstance(part, Schedule)]

    def _at(self, k: Array) -> Any:
        return self._of(k, *(part._at for part in self._parts))

    @property
    def needs_value(self) -> bool:
        return any(part.needs_value for part in self._parts)

    def start(self) -> Told:
        parts = [_told(part) for part in self._parts]

        def told(t: int, f: float) -> float | Array:
            at = (lambda k, part=part: part(k + 1, f) for part in parts)
            return _unwrapped(self._of(t - 1, *at))

        return told


def _told(schedule: Any) -> Told:
    return schedule.start() if schedule.needs_value else lambda t, f: schedule(t)


@dataclass(frozen=True, eq=False, repr=False)
class scaled(_Composite):
    """A schedule times a number or an array; written as ``factor * schedule``.

    Parameters
    ----------
    factor : float or array
        One number, or one per parameter.
    schedule : Schedule, float or array
        The schedule to multiply.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy_gd.schedules import exponential
    >>> schedule = np.array([1.0, 10.0]) * exponential(0.8, 0.5)
    >>> schedule([1, 2, 3])
    array([[0.8, 8. ],
           [0.4, 4. ],
           [0.2, 2. ]])
    """

    factor: Value
    schedule: SomeSchedule

    def _of(self, k: Array, part: Part) -> Any:
        return self.factor * part(k)


@dataclass(frozen=True, eq=False, repr=False)
class sequence(_Composite):
    """One schedule for some steps, then another from its start; ``first.then(second, at)``.

    Step t has the value ``first(t)`` for t up to `at`, and ``second(t - at)`` afterwards.
    Equivalent to torch's SequentialLR with ``milestones=[at]``, and optax's join_schedules.

    Parameters
    ----------
    first, second : Schedule, float or array
        The schedules. For more than two, use ``a.then(b, at=100).then(c, at=300)``, where both
        numbers count from the first step.
    at : int
        The number of steps for `first`.

    Examples
    --------
    >>> from scipy_gd.schedules import constant, exponential
    >>> constant(0.8).then(exponential(0.4, 0.5), at=2)([1, 2, 3, 4, 5])
    array([0.8, 0.8, 0.4, 0.2, 0.1])
    """

    first: SomeSchedule
    second: SomeSchedule
    at: Steps

    def _of(self, k: Array, first: Part, second: Part) -> Any:
        at = self.at
        return np.where(k < at, first(np.minimum(k, at)), second(np.maximum(k - at, 0)))


@dataclass(frozen=True, eq=False, repr=False)
class warmup(_Composite):
    """A linear rise to the first value of a schedule, which then starts.

    With k = t - 1 and k < steps, step t has the value
    ``(fraction + (1 - fraction) * k / steps) * schedule(1)``; later ones ``schedule(t - steps)``.

    Equivalent to torch's SequentialLR of LinearLR, whose start_factor is `fraction`, and the
    schedule. The untuned warm-up of Ma and Yarats for Adam, ``min(1, t * (1 - beta2) / 2)``, has
    ``steps = 2 / (1 - beta2) - 1`` (1999 for the usual beta2) and the default fraction.

    Parameters
    ----------
    steps : int
        The number of steps before the schedule starts.
    schedule : Schedule, float or array
        The schedule that follows.
    fraction : float, optional
        The first value as a fraction of the schedule's first value, from 0 to 1. Default:
        ``1 / (steps + 1)``, for equal increments: step t has the fraction ``t / (steps + 1)``.

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour" (2017), section
    2.2, https://arxiv.org/abs/1706.02677. J. Ma and D. Yarats, "On the adequacy of untuned warmup
    for adaptive optimization", AAAI (2021), https://arxiv.org/abs/1910.04209.

    Examples
    --------
    >>> from scipy_gd.schedules import exponential, warmup
    >>> warmup(3, exponential(0.8, 0.5))([1, 2, 3, 4, 5, 6])
    array([0.2, 0.4, 0.6, 0.8, 0.4, 0.2])
    """

    steps: Steps
    schedule: SomeSchedule
    fraction: Annotated[float | None, _fraction] = None

    def _of(self, k: Array, part: Part) -> Any:
        first = 1 / (self.steps + 1) if self.fraction is None else self.fraction
        return _mix(np.minimum(k / self.steps, 1), 1, first) * part(np.maximum(k - self.steps, 0))


# --- from the function's values


@dataclass(frozen=True, eq=False, repr=False)
class reduce_on_plateau(Schedule):
    """Reduced by a factor whenever the function has not decreased for some steps.

    A step is bad if its f is not below ``best - threshold * abs(best)``, where best is the last f
    that was, initially f(x0). After more than `patience` bad steps in a row, the value is
    multiplied by `factor`; the next `cooldown` steps are not counted, and then the count starts
    again. The first step has `value`; there is no last step.

    Equivalent to torch's ReduceLROnPlateau in mode "min" with ``eps=0``, called with f(x0) before
    the first step and with the current f before every other step. For a negative f, however,
    torch's ``best * (1 - threshold)`` lies above best, so that no change counts as progress; here
    it does not.

    This schedule is not a function of t alone: its attribute `needs_value` is True, calling it
    raises an error, and a run uses the function of t and f that `start` returns.

    Parameters
    ----------
    value : float or array
        The value of step 1.
    factor : float
        Above 0 and below 1.
    patience : int
        The number of bad steps in a row to accept.
    threshold : float
        The relative decrease of f that counts, at least 0.
    cooldown : int
        The number of steps after a reduction that are not counted.
    floor : float or array
        Lower limit of the value.

    Examples
    --------
    >>> from scipy_gd.schedules import reduce_on_plateau
    >>> rate = reduce_on_plateau(0.8, factor=0.5, patience=1).start()
    >>> [rate(t, f) for t, f in enumerate([5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0], start=1)]
    [0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """

    value: Value
    factor: Annotated[float, number(0, 1, above=True, below=True)]
    patience: Annotated[int, count(0)]
    threshold: Annotated[float, number(0, below=True)] = 1e-4
    cooldown: Annotated[int, count(0)] = 0
    floor: Value = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if np.any(self.floor > self.value):
            raise ValueError(f"`floor` must not be above `value`, got {self!r}")

    @property
    def needs_value(self) -> bool:
        return True

    def _at(self, k: Array) -> Any:
        raise TypeError(f"the values of {self!r} depend on f: call its `start()`")

    def start(self) -> Told:
        last = 0
        before = now = _Plateau(np.maximum(self.value, self.floor))

        def told(t: int, f: float) -> float | Array:
            nonlocal last, before, now
            if t != last:
                last, before = t, now
            now = self._after(f, *before)
            return _unwrapped(now.value)

        return told

    def _after(self, f: float, value: Any, best: float, bad: int, rest: int) -> _Plateau:
        if f < best - self.threshold * abs(best):
            best, bad = f, 0
        else:
            bad += 1
        if rest:
            rest, bad = rest - 1, 0
        if bad > self.patience:
            value, bad, rest = np.maximum(value * self.factor, self.floor), 0, self.cooldown
        return _Plateau(value, best, bad, rest)


class _Plateau(NamedTuple):
    """What `reduce_on_plateau` remembers about a run."""

    value: Any
    best: float = sys.float_info.max  # finite, for `threshold` times it
    bad: int = 0
    rest: int = 0
