"""Penalties with kinks, and sets, for the `penalty` option of the proximal methods.

A penalty r is added to the function: the method minimizes ``f(x) + r(x)``. The penalty may have
kinks, or it may be a set, with the value 0 on the set and no other points allowed. Only its
proximal operator is used::

    prox(v, step) = argmin_x  r(x) + |x - v|^2 / (2 step)

which is the projection if r is a set::

    minimize(f, x0, jac=g, method=spg, options={"penalty": prox.l1(0.1)})

Penalties are small immutable objects; you can call their `value` and `prox` yourself.

References
----------
N. Parikh and S. Boyd, "Proximal algorithms", Foundations and Trends in Optimization 1(3), 127-239
(2014), https://doi.org/10.1561/2400000003, chapter 6, unless another source is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import count, number, per_parameter, real_numbers, shown, starting_point, vector

__all__ = [
    "Penalty",
    "box",
    "custom",
    "elastic_net",
    "group_l1",
    "groups",
    "half_space",
    "l1",
    "l1_ball",
    "l2_ball",
    "nonnegative",
    "nuclear_norm",
    "simplex",
    "total_variation",
]

Array = NDArray[np.float64]
Numbers = tuple[Sequence[float], Sequence[Any]]
"""What compiled code finds in memory: a few numbers, and rows as long as x."""

# --- what arguments may be: the annotation of a field holds its check


def _weights(name: str, value: Any) -> Any:
    return _frozen(per_parameter(number(0, math.inf, below=True))(name, *_sized(name, value)))


def _limits(name: str, value: Any) -> Any:
    return _frozen(per_parameter(number())(name, *_sized(name, value)))


def _sized(name: str, value: Any) -> tuple[Any, int]:
    """A number or an array of numbers, and its length."""
    if callable(value):
        raise TypeError(f"`{name}` must be a number or an array of numbers, got {shown(value)}")
    try:
        return value, max(np.size(value), 1)
    except ValueError:  # ragged
        raise TypeError(f"`{name}` must be an array of numbers, got {shown(value)}") from None


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    return value


def _weight(name: str, value: Any) -> float:
    return number(0, math.inf, below=True)(name, value, 1)  # type: ignore[no-any-return]


def _above_0(name: str, value: Any) -> float:
    return number(0, math.inf, above=True, below=True)(name, value, 1)  # type: ignore[no-any-return]


def _finite(name: str, value: Any) -> float:
    return number(above=True, below=True)(name, value, 1)  # type: ignore[no-any-return]


def _normal(name: str, value: Any) -> Array:
    a = starting_point(value, name)
    if not a.any():
        raise ValueError(f"`{name}` must not be 0")
    return _frozen(a)  # type: ignore[no-any-return]


def _shape(name: str, value: Any) -> tuple[int, int]:
    try:
        rows, columns = value
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be a pair (rows, columns), got {shown(value)}") from None
    return count(1)(name, rows, 1), count(1)(name, columns, 1)


def _groups(name: str, value: Any) -> Any:
    """The size of groups, or a tuple of slices and arrays of indices."""
    if isinstance(value, int | np.integer):
        return count(1)(name, value, 1)
    try:
        where = tuple(_index(name, each) for each in value)
    except TypeError:
        raise TypeError(
            f"`{name}` must be a number of parameters, or a sequence of slices and arrays of "
            f"indices, got {shown(value)}"
        ) from None
    if not where:
        raise ValueError(f"`{name}` must contain at least one group")
    return where


def _index(name: str, value: Any) -> Any:
    if isinstance(value, slice):
        return value
    index = np.array(value)
    if index.ndim != 1 or index.dtype.kind not in "iub" or index.size == 0:
        raise ValueError(f"`{name}` must be slices or arrays of indices, got {shown(value)}")
    return _frozen(index)


def _parts(name: str, value: Any) -> tuple[tuple[Any, Penalty], ...]:
    parts = []
    for each in value:
        try:
            where, penalty = each
        except (TypeError, ValueError):
            raise TypeError(
                f"`{name}` must be a sequence of (slice, penalty) pairs, got {shown(each)}"
            ) from None
        parts.append((_index(name, where), penalty_like(name, penalty)))
    if not parts:
        raise ValueError(f"`{name}` must contain at least one (slice, penalty) pair")
    return tuple(parts)


def penalty_like(name: str, value: Any, n: int | None = None) -> Penalty:
    """A penalty, for n parameters if n is known."""
    if not isinstance(value, Penalty):
        raise TypeError(
            f"`{name}` must be a penalty from scipy_gd.prox, such as prox.l1(0.1), got "
            f"{shown(value)}"
        )
    if n is not None:
        value.check(n)
    return value


Weights = Annotated[Any, _weights]
Limits = Annotated[Any, _limits]
Weight = Annotated[float, _weight]
Positive = Annotated[float, _above_0]


# --- what all have in common


@dataclass(frozen=True, eq=False, repr=False)
class Penalty:
    """A function r with a known proximal operator; the base class of all penalties.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> penalty = prox.l1(0.5)
    >>> penalty
    l1(weight=0.5)
    >>> penalty.value([3.0, -0.2])
    1.6
    >>> penalty.prox([3.0, -0.2], 1.0)
    array([2.5, 0. ])
    """

    kernel = ""  # the name of its compiled functions; without, it is computed in Python
    rows = 0  # of its memory, as long as x
    is_set = False
    separable = False  # whether each parameter has a term of its own
    parts = ()

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            checked = hint.__metadata__[0](name, getattr(self, name))
            object.__setattr__(self, name, checked)

    def value(self, x: ArrayLike) -> float:
        """The value at x, shape (n,); for a set, 0 everywhere.

        Raises
        ------
        TypeError, ValueError
            If x is not a vector of finite numbers, or does not have the length that the penalty is
            for.
        """
        point = starting_point(x, "x")
        value: float = _placed(self, point.size).value(point)
        return value

    def prox(self, v: ArrayLike, step: float = 1.0) -> Array:
        """The proximal point of v, shape (n,): the minimizer of ``r(x) + |x - v|^2 / (2 step)``.

        Raises
        ------
        TypeError, ValueError
            As for `value`, or if `step` is not above 0.
        """
        point = starting_point(v, "v")
        nearest: Array = _placed(self, point.size).apply(point, _above_0("step", step))
        return nearest

    def check(self, n: int) -> None:
        """Raise ValueError if this cannot be a penalty on n parameters."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray) and value.size != n:
                raise ValueError(
                    f"`{each.name}` of {type(self).__name__} must have one value for each of the "
                    f"{n} parameters, got {value.size}"
                )

    def projected(self, x: Array) -> Array:
        """The point of a set nearest to x; x itself if this is not a set."""
        nearest: Array = _placed(self, x.size).apply(x.copy(), 1.0) if self.is_set else x
        return nearest

    def numbers(self, n: int) -> Numbers:
        """What its compiled functions find in memory."""
        return (), ()

    def value_at(self, x: Array) -> float:
        """The value of a penalty computed in Python."""
        raise NotImplementedError

    def prox_at(self, v: Array, step: float) -> Array:
        """The proximal point of such a penalty."""
        raise NotImplementedError

    def _given(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={shown(_plain(value))}" for name, value in self._given().items())
        return f"{type(self).__name__}({said})"

    def __eq__(self, other: object) -> bool:
        if not (isinstance(other, Penalty) and type(self) is type(other)):
            return False
        return bool(_plain(self._given()) == _plain(other._given()))

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self._given().values())


def _plain(value: Any) -> Any:
    """The same without arrays."""
    match value:
        case np.ndarray():
            return value.tolist()
        case tuple():
            return tuple(map(_plain, value))
        case dict():
            return {name: _plain(each) for name, each in value.items()}
    return value


def _placed(penalty: Penalty, n: int) -> Any:
    from ._core.proximal import Placed  # brings Numba

    penalty.check(n)
    return Placed(penalty, n)


# --- of each parameter by itself


@dataclass(frozen=True, eq=False, repr=False)
class l1(Penalty):
    """The sum of absolute values, ``weight |x|_1``: sparse solutions, as in the lasso.

    Parameters
    ----------
    weight : float or array_like, shape (n,)
        At least 0; an array gives each parameter its own weight, and those with 0 are not
        penalized.

    Raises
    ------
    TypeError, ValueError
        If the weight is invalid.

    References
    ----------
    Parikh and Boyd (2014), section 6.5.2.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.l1([0.0, 1.0, 1.0]).prox([0.5, 0.5, -3.0])
    array([ 0.5,  0. , -2. ])
    """

    weight: Weights
    kernel, separable = "l1", True
    rows = 1

    def numbers(self, n: int) -> Numbers:
        return (), (self.weight,)


@dataclass(frozen=True, eq=False, repr=False)
class elastic_net(Penalty):
    """Absolute values and squares, ``l1 |x|_1 + l2/2 |x|^2``.

    Parameters
    ----------
    l1, l2 : float or array_like, shape (n,)
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If a weight is invalid.

    References
    ----------
    Parikh and Boyd (2014), section 6.5.3.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.elastic_net(1.0, 3.0).prox([0.5, -3.0])
    array([ 0. , -0.5])
    """

    l1: Weights
    l2: Weights
    kernel, separable = "elastic_net", True
    rows = 2

    def numbers(self, n: int) -> Numbers:
        return (), (self.l1, self.l2)


@dataclass(frozen=True, eq=False, repr=False)
class nonnegative(Penalty):
    """The set of points with no negative parameters.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.nonnegative().prox([-1.0, 2.0])
    array([0., 2.])
    """

    kernel, is_set, separable = "box", True, True
    rows = 2

    def numbers(self, n: int) -> Numbers:
        return (), (0.0, np.inf)


@dataclass(frozen=True, eq=False, repr=False)
class box(Penalty):
    """The set of points between two bounds: like `bounds`, but as a part of `groups`.

    Parameters
    ----------
    lower, upper : float or array_like, shape (n,)
        May be infinite.

    Raises
    ------
    TypeError, ValueError
        If a bound is not a number, or a lower bound is above an upper one.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.box(-1.0, [0.5, 2.0]).prox([3.0, -3.0])
    array([ 0.5, -1. ])
    """

    lower: Limits
    upper: Limits
    kernel, is_set, separable = "box", True, True
    rows = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            sides = np.broadcast_arrays(self.lower, self.upper)
        except ValueError:
            raise ValueError("`lower` and `upper` must have the same length") from None
        if (sides[0] > sides[1]).any() or (sides[0] == np.inf).any() or (sides[1] == -np.inf).any():
            raise ValueError("`lower` must not be above `upper`, and must leave room")

    def numbers(self, n: int) -> Numbers:
        return (), (self.lower, self.upper)


# --- groups of parameters


@dataclass(frozen=True, eq=False, repr=False)
class group_l1(Penalty):
    """The sum of the norms of groups, ``sum of weight_j |x_j|_2``: whole groups become 0.

    Parameters
    ----------
    weight : float or array_like, one for each group
        At least 0. The group lasso uses the square roots of the group sizes.
    groups : int or sequence of slices and arrays of indices
        The number of consecutive parameters in each group, or the groups themselves, which must be
        disjoint. Parameters in no group are not penalized.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    References
    ----------
    Parikh and Boyd (2014), section 6.5.4. M. Yuan and Y. Lin, "Model selection and estimation in
    regression with grouped variables", Journal of the Royal Statistical Society B 68(1), 49-67
    (2006), https://doi.org/10.1111/j.1467-9868.2005.00532.x.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.group_l1(1.0, 2).prox([3.0, 4.0, 0.1, -0.2])
    array([2.4, 3.2, 0. , 0. ])
    """

    weight: Weights
    groups: Annotated[Any, _groups]
    kernel = "group_l1"
    rows = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.groups, int):
            self._check_weights(len(self.groups))

    def _check_weights(self, most: int) -> None:
        if np.ndim(self.weight) and np.size(self.weight) != most:
            raise ValueError(
                f"`weight` must have one value for each of the {most} `groups`, got "
                f"{np.size(self.weight)}"
            )

    def check(self, n: int) -> None:
        if isinstance(self.groups, int):
            if n % self.groups:
                raise ValueError(
                    f"`groups` of {self.groups} parameters must divide the number of parameters, "
                    f"got {n}"
                )
            self._check_weights(n // self.groups)
        else:
            _laid_out("groups", self.groups, n)

    def numbers(self, n: int) -> Numbers:
        if isinstance(self.groups, int):
            order, ends = np.arange(n), np.arange(self.groups, n + 1, self.groups)
        else:
            order, ends = _laid_out("groups", self.groups, n)
        return (len(ends),), (order, ends, np.broadcast_to(self.weight, ends.shape))


def _laid_out(name: str, where: Iterable[Any], n: int) -> tuple[Any, Any]:
    """The indices of all groups, one after the other, and the end of each."""
    members = []
    for each in where:
        try:
            members.append(np.arange(n)[each])
        except IndexError:
            raise ValueError(
                f"`{name}`: {shown(each)} is out of range for {n} parameters"
            ) from None
        if members[-1].size == 0:
            raise ValueError(f"`{name}`: {each!r} selects none of the {n} parameters")
    order = np.concatenate(members)
    if np.unique(order).size < order.size:
        raise ValueError(f"`{name}` must be disjoint")
    return order, np.cumsum([each.size for each in members])


@dataclass(frozen=True, eq=False, repr=False, init=False)
class groups(Penalty):
    """Different penalties for different parts of the parameters.

    Parameters
    ----------
    *parts : (slice, Penalty)
        Disjoint slices, or arrays of indices, with their penalties. Parameters in none of them are
        not penalized.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Examples
    --------
    An intercept that is not penalized:

    >>> from scipy_gd import prox
    >>> prox.groups((slice(1, None), prox.l1(1.0))).prox([0.5, 0.5, 3.0])
    array([0.5, 0. , 2. ])
    """

    parts: Annotated[Any, _parts]
    kernel = "groups"
    rows = 6

    def __init__(self, *parts: tuple[Any, Penalty]) -> None:
        object.__setattr__(self, "parts", _parts("parts", parts))

    @property
    def separable(self) -> bool:  # type: ignore[override]
        return all(part.separable for _, part in self.parts)

    def check(self, n: int) -> None:
        _, ends = _laid_out("parts", [where for where, _ in self.parts], n)
        for (_, part), size in zip(self.parts, np.diff(ends, prepend=0), strict=True):
            part.check(int(size))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.parts

    def projected(self, x: Array) -> Array:
        y = x.copy()
        for where, part in self.parts:
            y[where] = part.projected(x[where])
        return y

    def numbers(self, n: int) -> Numbers:
        order, ends = _laid_out("parts", [where for where, _ in self.parts], n)
        return (len(ends),), (order, ends)

    def __repr__(self) -> str:
        return f"groups({', '.join(f'({where!r}, {part!r})' for where, part in self.parts)})"


# --- balls, half-spaces, the simplex


@dataclass(frozen=True, eq=False, repr=False)
class simplex(Penalty):
    """The set of nonnegative points whose sum is `total`: fractions, probabilities.

    The projection takes O(n) operations in practice.

    Parameters
    ----------
    total : float
        Above 0.

    Raises
    ------
    TypeError, ValueError
        If the total is invalid.

    References
    ----------
    J. Duchi, S. Shalev-Shwartz, Y. Singer and T. Chandra, "Efficient projections onto the l1-ball
    for learning in high dimensions", ICML (2008), https://doi.org/10.1145/1390156.1390191. L.
    Condat, "Fast projection onto the simplex and the l1 ball", Mathematical Programming 158,
    575-585 (2016), figure 2, https://doi.org/10.1007/s10107-015-0946-6.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.simplex().prox([0.5, 1.0, -3.0])
    array([0.25, 0.75, 0.  ])
    """

    total: Positive = 1.0
    kernel, is_set = "simplex", True
    rows = 2

    def numbers(self, n: int) -> Numbers:
        return (self.total,), ()


@dataclass(frozen=True, eq=False, repr=False)
class l1_ball(Penalty):
    """The set of points with ``|x|_1 <= radius``.

    Parameters
    ----------
    radius : float
        Above 0.

    Raises
    ------
    TypeError, ValueError
        If the radius is invalid.

    References
    ----------
    See `simplex`.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.l1_ball(1.0).prox([1.0, -0.5])
    array([ 0.75, -0.25])
    """

    radius: Positive
    kernel, is_set = "l1_ball", True
    rows = 3

    def numbers(self, n: int) -> Numbers:
        return (self.radius,), ()


@dataclass(frozen=True, eq=False, repr=False)
class l2_ball(Penalty):
    """The set of points with ``|x|_2 <= radius``.

    Parameters
    ----------
    radius : float
        Above 0.

    Raises
    ------
    TypeError, ValueError
        If the radius is invalid.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.l2_ball(1.0).prox([3.0, 4.0])
    array([0.6, 0.8])
    """

    radius: Positive
    kernel, is_set = "l2_ball", True

    def numbers(self, n: int) -> Numbers:
        return (self.radius,), ()


@dataclass(frozen=True, eq=False, repr=False)
class half_space(Penalty):
    """The set of points with ``a @ x <= b``.

    Parameters
    ----------
    a : array_like, shape (n,)
        Not 0.
    b : float

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.half_space([1.0, 1.0], 1.0).prox([2.0, 0.0])
    array([ 1.5, -0.5])
    """

    a: Annotated[Any, _normal]
    b: Annotated[float, _finite]
    kernel, is_set = "half_space", True
    rows = 1

    def numbers(self, n: int) -> Numbers:
        return (self.b,), (self.a,)


# --- differences, matrices


@dataclass(frozen=True, eq=False, repr=False)
class total_variation(Penalty):
    """The sum of the jumps of a signal, ``weight sum of |x[i+1] - x[i]|``: x is piecewise constant.

    Exact, and in O(n) operations in practice.

    Parameters
    ----------
    weight : float
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If the weight is invalid.

    References
    ----------
    L. Condat, "A direct algorithm for 1-D total variation denoising", IEEE Signal Processing
    Letters 20(11), 1054-1057 (2013), https://doi.org/10.1109/LSP.2013.2278339.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.total_variation(0.5).prox([0.0, 0.2, 5.0, 5.2])
    array([0.35, 0.35, 4.85, 4.85])
    """

    weight: Weight
    kernel = "total_variation"
    rows = 1

    def numbers(self, n: int) -> Numbers:
        return (self.weight,), ()


@dataclass(frozen=True, eq=False, repr=False)
class nuclear_norm(Penalty):
    """The sum of the singular values of a matrix, times `weight`: low-rank matrices.

    Parameters
    ----------
    weight : float
        At least 0.
    shape : (int, int)
        Shape of the matrix whose rows, one after the other, form x.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    References
    ----------
    J.-F. Cai, E. J. Candes and Z. Shen, "A singular value thresholding algorithm for matrix
    completion", SIAM Journal on Optimization 20(4), 1956-1982 (2010),
    https://doi.org/10.1137/080738970.

    Examples
    --------
    >>> from scipy_gd import prox
    >>> prox.nuclear_norm(1.0, (2, 2)).prox([3.0, 0.0, 0.0, 0.5])
    array([2., 0., 0., 0.])
    """

    weight: Weight
    shape: Annotated[tuple[int, int], _shape]

    def check(self, n: int) -> None:
        rows, columns = self.shape
        if rows * columns != n:
            raise ValueError(
                f"`shape` of nuclear_norm must multiply to the {n} parameters, got {self.shape}"
            )

    def numbers(self, n: int) -> Numbers:
        return (self.weight, *self.shape), ()

    def value_at(self, x: Array) -> float:
        singular = np.linalg.svd(x.reshape(self.shape), compute_uv=False)
        return self.weight * float(singular.sum())

    def prox_at(self, v: Array, step: float) -> Array:
        U, singular, V = np.linalg.svd(v.reshape(self.shape), full_matrices=False)
        lower: Array = (U * np.maximum(singular - step * self.weight, 0.0)) @ V
        return lower.ravel()


# --- the user's own


@dataclass(frozen=True, eq=False, repr=False, init=False)
class custom(Penalty):
    """A penalty of your own, from Python or Numba functions.

    Parameters
    ----------
    value : callable
        ``value(x) -> float``; for a set, 0 everywhere. Both functions get copies of the points.
    prox : callable
        ``prox(v, step) -> array, shape (n,)``, the point with the lowest
        ``value(x) + |x - v|^2 / (2 step)``.

    Raises
    ------
    TypeError
        If either is not callable.

    Examples
    --------
    A norm that is not squared:

    >>> import numpy as np
    >>> from scipy_gd import prox
    >>> def shorter(v, step):
    ...     return v * max(1 - step / np.linalg.norm(v), 0)
    >>> prox.custom(np.linalg.norm, shorter).prox([3.0, 4.0], 1.0)
    array([2.4, 3.2])
    """

    functions: tuple[Callable[..., Any], Callable[..., Any]]
    rows = 1

    def __init__(self, value: Callable[..., Any], prox: Callable[..., Any]) -> None:
        for name, given in (("value", value), ("prox", prox)):
            if not callable(given):
                raise TypeError(f"`{name}` must be callable, got {shown(given)}")
        object.__setattr__(self, "functions", (value, prox))

    def value_at(self, x: Array) -> float:
        found = real_numbers(self.functions[0](x))
        if found is None or found.size != 1:
            raise TypeError("`value` of prox.custom must return a number")
        return float(found.item())

    def prox_at(self, v: Array, step: float) -> Array:
        return vector(self.functions[1](v, step), v.size, "prox")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.functions

    def __repr__(self) -> str:
        return "custom({}, {})".format(
            *(getattr(each, "__name__", None) or shown(each) for each in self.functions)
        )
