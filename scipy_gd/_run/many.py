"""Many problems of one kind: check, cut into blocks, run them on the `workers`, collect.

The members of a block go through one compiled loop (`members.py`) if possible; the others go
through `minimize`, one after the other.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numba.core.dispatcher import Dispatcher
from scipy.optimize import Bounds

from .. import _options
from .._core.bits import HESSIAN
from .._formula import Formula
from .._method import Method
from ..arguments import Vector, limits, real_numbers, shown
from ..methods import lbfgs
from ..workers import mapping
from .batches import check_known, check_lazy, is_dask, length
from .many_result import ManyResult
from .members import Collected, Members, run_block
from .minimize import warn
from .observers import progress_bar

BLOCK, BYTES = 2048, 2**23
"""The most problems, and bytes of data, in a block."""
SLOW = 64
"""The same for problems whose functions are not compiled."""
AT_A_TIME = 32
"""Blocks sent to each worker before waiting for results."""
OF_ONE_RUN = (
    *("callback", "checkpoint", "disp", "history", "progress", "reduce", "resume", "return_all"),
    "workers",
)
"""Options that make no sense for many runs at once."""


def minimize_many(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    in_axes: Any = None,
    *,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    method: Any = lbfgs,
    tol: float | None = None,
    options: dict[str, Any] | None = None,
    workers: Any = None,
    progress: bool = False,
) -> ManyResult:
    """Minimize one function for many starts, data sets or bounds, each problem on its own.

    Every problem gets exactly the result that `scipy.optimize.minimize` would find for it alone, to
    the last bit; one that fails or raises an error does not affect the others. Numba functions run
    in one compiled loop over the problems.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` for one problem: returns a number or, for methods and options that take
        them, residuals, shape (m,).
    x0 : array_like, shape (k, n) or (n,)
        One starting point per problem, or one for all.
    args : tuple
        Extra arguments of the functions. Arrays can be anything that can be sliced, such as
        `numpy.memmap`, h5py and zarr arrays; they are read block by block.
    in_axes : 0, None or sequence of them, optional
        For each argument, 0 if its first axis has one row per problem, None if it is the same for
        all problems. A single entry applies to all arguments. Default: None.
    jac, hess, hessp
        As in `scipy.optimize.minimize`; the name of a difference scheme works here, while SciPy
        does not pass it on to custom methods.
    bounds : Bounds, sequence of (low, high) pairs, or ndarray of shape (k, n, 2), optional
        The same for all problems, or separate ones for each. A `Bounds` may have arrays of shape
        (k, n).
    method : Method or functools.partial of one, optional
        Default: lbfgs.
    tol : float, optional
        As in `scipy.optimize.minimize`.
    options : dict, optional
        Options of the method, except those for a single run, such as `history`. `maxtime` applies
        to all problems together. If `rng` is a generator, each problem gets its own generator from
        it.
    workers : int or map-like callable, optional
        Number of problems to solve at the same time, in threads for Numba functions and in
        processes otherwise; -1 means one per core. Or the ``map(function, iterable)`` of another
        pool: joblib's, MPI's or a Dask client's. Default: 1.
    progress : bool, optional
        Show a bar with the number of problems solved (requires tqdm).

    Returns
    -------
    ManyResult
        An `OptimizeResult` of arrays: ``x``, shape (k, n), ``fun``, ``success``, ``status``,
        ``nit``, ``nfev``, shape (k,), ``jac``, shape (k, n), and for fits ``stderr`` and
        ``covariance``. ``res[i]`` is the result of one problem; ``res.summary()`` counts the
        endings.

        With Dask arrays in `x0` or `args`, nothing runs yet: the fields are Dask arrays in chunks
        of problems, and ``res.compute()`` returns the `ManyResult`. `maxtime` then applies to each
        chunk; `workers` and `progress` raise an error.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, before any work is done. An error raised by `fun` only affects
        its own problem (status -1), unless every problem raises one: then the first of them is
        raised.

    See Also
    --------
    multistart : many starts of one problem.

    Examples
    --------
    Two hundred decays, each with its own data:

    >>> import numpy as np
    >>> from scipy_gd import levenberg_marquardt, minimize_many
    >>> def residuals(p, t, y):
    ...     return p[0] * np.exp(-p[1] * t) - y
    >>> t = np.linspace(0, 3, 20)
    >>> rate = np.linspace(0.5, 2, 200)
    >>> y = 3 * np.exp(-rate[:, np.newaxis] * t)
    >>> res = minimize_many(residuals, [1, 1], (t, y), (None, 0), method=levenberg_marquardt)
    >>> res.x.shape, bool(res.success.all()), bool(np.allclose(res.x[:, 1], rate))
    ((200, 2), True, True)
    """
    members = _members(fun, x0, args, in_axes, jac, hess, hessp, bounds, method, tol, options)
    if any(map(is_dask, (members.starts, *members.args))):
        from .many_dask import lazily

        for name, given in (("workers", workers), ("progress", progress)):
            if given:
                raise ValueError(
                    f"`{name}` cannot be used with Dask arrays: Dask runs the problems"
                )
        return lazily(members, _solve)
    found = _solve(members, workers, progress)
    found.raise_if_all_have()
    return found.result(members.names)


def _solve(members: Members, workers: Any = None, progress: bool = False) -> Collected:
    deadline = perf_counter() + members.settings["maxtime"]
    with _pool(workers, members) as pool, _bar(members.k, progress) as done:
        return _run(members, pool, deadline, done)


class Pool(NamedTuple):
    """The pool in which blocks run."""

    map: Callable[..., Any]
    size: int  # blocks at the same time
    shared: bool  # whether the memory is that of this process


def _run(members: Members, pool: Pool, deadline: float, done: Callable[[int], Any]) -> Collected:
    total = Collected(members.k, members.n, members.fits)
    run = functools.partial(run_block, deadline=deadline)
    stopped = threading.Event()

    def run_here(rows: tuple[int, int]) -> Collected:
        part = total.part(*rows)
        run(members.rows(*rows), into=part, stopped=stopped)
        return part

    try:
        members = members._replace(m=run_here((0, 1)).m)
        done(1)
        blocks = _blocks(members, pool.size)
        while some := [*islice(blocks, AT_A_TIME * pool.size)]:
            work, sent = (
                (run_here, some) if pool.shared else (run, [members.rows(*r) for r in some])
            )
            for (low, high), part in zip(some, pool.map(work, sent), strict=True):
                if not pool.shared:
                    total.part(low, high).copy(part)
                done(high - low)
    except BaseException as error:
        stopped.set()
        error.optimize_result = total.result(members.names)  # type: ignore[attr-defined]
        raise
    return total


def _blocks(members: Members, count: int) -> Iterator[tuple[int, int]]:
    """First and last rows; the first problem has been before."""
    size = min(BLOCK, BYTES // max(members.bytes_of_one, 1), -(-members.k // (4 * count)))
    if not isinstance(members.fun, Dispatcher):
        size = min(size, SLOW)
    size = max(size, 1)
    return ((low, min(low + size, members.k)) for low in range(1, members.k, size))


@contextmanager
def _pool(workers: Any, members: Members) -> Iterator[Pool]:
    workers = 1 if workers is None else _options.COMMON["workers"].check("workers", workers, 1)
    if callable(workers):
        yield Pool(workers, os.cpu_count() or 1, False)
        return
    count = (os.cpu_count() or 1) if workers == -1 else workers
    if count == 1:
        yield Pool(map, 1, True)
    elif isinstance(members.fun, Dispatcher):
        with ThreadPoolExecutor(count) as threads:
            yield Pool(threads.map, count, True)
    else:
        with mapping(count) as map_:
            yield Pool(map_, count, False)


@contextmanager
def _bar(k: int, shown: bool) -> Iterator[Callable[[int], Any]]:
    if not shown:
        yield lambda count: None
        return
    with progress_bar(total=k, unit="fit") as bar:
        yield bar.update


# --- what is given


def _members(
    fun: Any,
    x0: Any,
    args: Any,
    in_axes: Any,
    jac: Any,
    hess: Any,
    hessp: Any,
    bounds: Any,
    method: Any,
    tol: Any,
    options: Any,
) -> Members:
    if not callable(fun):
        raise TypeError(f"`fun` must be callable, got {fun!r}")
    method, options = _method(method, tol, options)
    args = args if isinstance(args, tuple) else (args,)
    axes = _axes(in_axes, args)
    for name, given in (("x0", x0), *((f"args[{k}]", each) for k, each in enumerate(args))):
        check_lazy(name, given)
        check_known(name, given)
    args = tuple(
        _rows_of(k, a) if axis else a for k, (a, axis) in enumerate(zip(args, axes, strict=True))
    )
    starts = _starts(x0)
    n = starts.shape[-1]
    boxes = _boxes(bounds, n)
    k = _count(starts, args, axes, boxes)
    starts = starts[np.newaxis] if len(starts.shape) == 1 else starts
    for name, given in (("hess", hess), ("hessp", hessp)):
        if given is not None and not method.needs & HESSIAN:
            warn(f"{method.__name__} does not use Hessian information (`{name}`).", RuntimeWarning)
            hess = hessp = None
    if unknown := _options.unknown(method, options):
        warn(f"Unknown solver options: {unknown}")
    own = {*method.hyper, *_options.COMMON, "eps"}
    options = {name: value for name, value in options.items() if name in own}
    settings = _options.settings(method, options, n)
    given = method, fun, jac, hess, hessp, args, axes, starts, boxes
    members = Members(*given, k, k, 0, 0, options, settings)
    members.check()
    return members


def _method(method: Any, tol: Any, options: Any) -> tuple[Formula, dict[str, Any]]:
    given: dict[str, Any] = {}
    while isinstance(method, functools.partial):
        given = method.keywords | given
        method = method.func
    if not isinstance(method, Method):
        raise TypeError(
            f"`method` must be a method of scipy_gd, such as lbfgs, got {shown(method)}"
        )
    options = given | dict(options or {})
    if tol is not None:
        options.setdefault("tol", tol)
    for name in OF_ONE_RUN:
        if options.get(name):
            raise ValueError(f"`{name}` is an option for single runs only")
    return method, options


def _axes(in_axes: Any, args: tuple[Any, ...]) -> tuple[bool, ...]:
    """Which arguments have one row per problem."""
    if in_axes is None or isinstance(in_axes, int | np.integer):
        in_axes = (in_axes,) * len(args)
    try:
        axes = tuple(in_axes)
    except TypeError:
        raise TypeError(
            f"`in_axes` must be 0, None or a sequence of them, got {in_axes!r}"
        ) from None
    if len(axes) != len(args):
        raise ValueError(
            f"`in_axes` must have one entry for each of the {len(args)} arguments in `args`, got "
            f"{len(axes)}"
        )
    for k, axis in enumerate(axes):
        if axis is not None and (isinstance(axis, bool) or axis != 0):
            raise ValueError(f"`in_axes[{k}]` must be 0 or None, got {axis!r}")
    return tuple(axis is not None for axis in axes)


def _rows_of(k: int, given: Any) -> Any:
    """An argument with a row for each problem: something with a shape, or a sequence as it is."""
    if hasattr(given, "iloc"):
        given = given.to_numpy()
    if isinstance(given, list | tuple):
        array = real_numbers(given)
        given = given if array is None else array
    ragged = isinstance(given, list | tuple)
    if not (ragged or len(getattr(given, "shape", ()))):
        raise TypeError(
            f"`args[{k}]` must have one row per problem (`in_axes[{k}]` is 0), got {shown(given)}"
        )
    return given


def rows_in(given: Any) -> int:
    """The number of rows; zarr arrays have no `len`."""
    return length(given) if hasattr(given, "shape") else len(given)


def _starts(x0: Any) -> Any:
    """The starts, shape (n,) or (k, n)."""
    plain = hasattr(x0, "shape") and hasattr(x0, "dtype") and np.dtype(x0.dtype).kind != "O"
    if not (plain and (len(x0.shape) == 2 or is_dask(x0))):
        given = real_numbers(x0)
        if given is None:
            raise TypeError(f"`x0` must be real numbers, got {shown(x0)}")
        x0 = given
    if np.dtype(x0.dtype).kind not in "fiub":
        raise TypeError(f"`x0` must be real numbers, got dtype {x0.dtype}")
    if len(x0.shape) not in (1, 2):
        raise ValueError(f"`x0` must have shape (k, n) or (n,), got {tuple(x0.shape)}")
    if x0.shape[-1] == 0:
        raise ValueError("`x0` must have at least one parameter for each problem")
    return x0


def _boxes(bounds: Any, n: int) -> Vector | None:
    """Lower and upper bounds, shape (k, 2, n) or (1, 2, n)."""
    if isinstance(bounds, Bounds) and max(np.ndim(bounds.lb), np.ndim(bounds.ub)) == 2:
        sides = np.broadcast_arrays(bounds.lb, bounds.ub)
        boxes = np.stack([np.asarray(side, float) for side in sides], axis=1)
    elif len(getattr(bounds, "shape", ())) == 3:
        boxes = np.array(np.moveaxis(np.asarray(bounds, float), 2, 1))
    else:
        box = limits(bounds, n)
        return None if box is None else np.array([box])
    if boxes.shape[1:] != (2, n):
        shape = tuple(np.shape(getattr(bounds, "lb", bounds)))
        raise ValueError(f"`bounds` must have shape (k, {n}, 2), got {shape}")
    lower, upper = boxes[:, 0], boxes[:, 1]
    for wrong, what in (
        (np.isnan(boxes).any(axis=(1, 2)), "must not contain NaN"),
        ((lower > upper).any(axis=1), "has an upper bound below its lower bound"),
        ((lower == np.inf).any(axis=1) | (upper == -np.inf).any(axis=1), "leaves no room"),
    ):
        if wrong.any():
            raise ValueError(f"`bounds[{int(np.argmax(wrong))}]` {what}")
    return np.ascontiguousarray(boxes)


def _count(starts: Any, args: tuple[Any, ...], axes: tuple[bool, ...], boxes: Any) -> int:
    """The number of problems."""
    lengths = {"x0": rows_in(starts)} if len(starts.shape) == 2 else {}
    lengths |= {f"args[{k}]": rows_in(each) for k, each in enumerate(args) if axes[k]}
    if boxes is not None and len(boxes) != 1:
        lengths["bounds"] = len(boxes)
    if len({*lengths.values()}) > 1:
        found = ", ".join(f"`{name}` {length}" for name, length in lengths.items())
        raise ValueError(f"the first axes must all have one row per problem, got {found}")
    name, k = next(iter(lengths.items()), ("x0", 1))
    if k == 0:
        raise ValueError(f"`{name}` must have at least one row (one per problem), got none")
    return k
