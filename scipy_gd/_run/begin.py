"""A run before its first evaluation: the user's functions, adapted to the run, and its state."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from scipy import LowLevelCallable

from .. import _options
from .._core.bits import GRADIENT, HESSIAN, VALUE
from .._core.proximal import Placed
from .._evaluate import scale as scales
from .._evaluate import undefined
from .._evaluate.adaptive import Adaptive
from .._evaluate.blocks import Blocks
from .._evaluate.decayed import Decayed
from .._evaluate.evaluator import Evaluator, OutOfBudget
from .._evaluate.gradients import Box, Perturbed, Source
from .._evaluate.hessians import hessian_of
from .._evaluate.low_level import as_functions
from .._evaluate.penalized import Penalized
from .._evaluate.residuals import as_sum
from .._evaluate.sizes import scale_for
from .._evaluate.sources import Squares, source_of
from .._formula import Formula
from ..arguments import Vector
from .epochs import Epochs
from .layout import lay_out, rule_for, ungrouped
from .reduction import blocks_of, functions
from .run_state import RunState


class Problem(NamedTuple):
    """The user's functions; `jac` may be True or the name of a scheme, the Hessian's None."""

    fun: Any
    jac: Any
    hess: Any
    hessp: Any
    args: tuple[Any, ...]
    squares: Squares | None
    blocks: Blocks | None


def problem_of(
    method: Formula, opts: dict[str, Any], fun: Any, args: Any, jac: Any, hess: Any, hessp: Any
) -> Problem:
    squares = _squares(method, opts)
    fun, jac = _gradient(fun, jac, _options.scheme(opts))
    if squares is not None and isinstance(fun, LowLevelCallable):
        raise TypeError("`fun` must be a Python function if it returns residuals")
    hess, hessp = _hessian(hess, hessp) if method.needs & HESSIAN else (None, None)
    args = args if isinstance(args, tuple) else (args,)
    blocks = blocks_of(opts, fun, jac, args, squares)
    fun, jac = _defined(fun, jac, opts["undefined"], squares)
    fun, jac, args = as_functions(fun, jac, args)
    return Problem(fun, jac, hess, hessp, args, squares, blocks)


def _squares(method: Formula, opts: dict[str, Any]) -> Squares | None:
    """How to turn residuals into an objective, if `fun` returns them."""
    if not (method.residuals or opts["residuals"]):
        return None
    return Squares(opts["loss"], opts["f_scale"], opts["batch_size"] is not None)


def begin(
    method: Formula,
    problem: Problem,
    x: Vector,
    box: Box,
    opts: dict[str, Any],
    epochs: Epochs | None = None,
    rng: np.random.Generator | None = None,
    map_: Any = map,
) -> RunState:
    """A run before its first evaluation."""
    fun, jac, hess, hessp, args, squares, blocks = problem
    n, sampled = x.size, epochs is not None or method.probes
    laid_out = ungrouped(method, opts, n)
    decay = _penalty(method, laid_out, n)
    if decay is not None:
        laid_out = laid_out | {str(method.penalty): 0.0}
    with_gradient = bool(method.needs & GRADIENT)
    measured = jac == "adaptive" and with_gradient and not sampled and decay is None
    measured = measured and squares is None
    plain = "2-point" if jac == "adaptive" and squares is None else jac
    steps = opts["finite_diff_rel_step"], opts["finite_diff_abs_step"]
    scale, nfev, njev = None, 0, 0
    if opts["x_scale"] is not None:
        f, j, _, _, known = functions(blocks, method, fun, plain, None, None, args, squares)
        looks = Evaluator(f, known, source_of(f, j, n, squares=squares), maxfev=opts["maxfev"])
        scale = scale_for(opts, x, box, None if sampled else looks)
        nfev, njev = looks.nfev, looks.njev
        x, box, steps = scale.inside(x), scale.inside(box), (steps[0], scale.inside(steps[1]))
        fun, plain, hess, hessp = scales.functions(fun, plain, hess, hessp, squares is not None)
        args = scale.known_by(args)
        if epochs is not None:
            epochs.args = args
            epochs.held_out = epochs.held_out and scale.known_by(epochs.held_out)
    fun, plain, hess, hessp, args = functions(
        blocks, method, fun, plain, hess, hessp, args, squares
    )
    D = None if scale is None else scale.D
    placed = None if opts["penalty"] is None else Placed(opts["penalty"], n)
    V, s, scheduled = lay_out(method, x, box, laid_out, sampled, measured, D, placed)
    exact = source_of(fun, plain, n, box, *steps, squares)
    source: Source = Adaptive(opts["noise"]) if measured else exact
    if placed is not None:
        source, exact = Penalized(source, placed), Penalized(exact, placed)
    if decay is not None:
        exact = source = Decayed(exact, decay if D is None else decay * D * D)
    if method.probes and rng is not None:
        source = Perturbed(rng, opts["c"], opts["gamma"], exact, box)
    hessian = None
    if method.needs & HESSIAN:
        hessian = hessian_of(hess, hessp, n, box, exact, measured)
    evaluator = Evaluator(fun, args, source, exact, hessian, map=map_, maxfev=opts["maxfev"])
    evaluator.nfev, evaluator.njev = nfev, njev
    run = RunState(
        method, V, s, evaluator, scheduled, rng, epochs, noise=opts["noise"], scale=scale
    )
    run.fixed = _options.fixed(opts)
    beyond = placed is not None and rule_for(method, laid_out, sampled, measured).extrapolates
    evaluator.keep(_calls_at_the_end(run, opts, beyond))
    return run


def _calls_at_the_end(run: RunState, opts: dict[str, Any], beyond: bool) -> int:
    """What a run needs for its result: the value, and perhaps the gradient, at the point returned.

    On samples these are evaluations on all data, there and at the last iterate. A run may also end
    `beyond` what it has reached.
    """
    exact = run.evaluator.exact
    if run.r.sampled:
        calls = 1 if run.perturbed else exact.calls(VALUE) + exact.calls(GRADIENT)
        held_out = run.epochs is not None and run.epochs.held_out is not None
        return 2 * calls if held_out or opts["averaging"] is not None else calls
    calls = exact.calls(VALUE) + (exact.calls(GRADIENT) if exact.given else 0)
    return calls if beyond and calls < opts["maxfev"] else 0


def _penalty(method: Formula, opts: dict[str, Any], n: int) -> Vector | None:
    """The weights of the penalty that is part of the objective, if there is one.

    On mini-batches, or if its weight changes, only the formula handles the penalty.
    """
    weight = opts[method.penalty] if method.penalty else 0.0
    if callable(weight) or opts["batch_size"] is not None or not np.any(weight):
        return None
    return np.broadcast_to(weight, (n,)).copy()


def _gradient(fun: Any, jac: Any, scheme: str) -> tuple[Any, Any]:
    """The function and the source of its gradient: a callable, True or a difference scheme."""
    inner = getattr(fun, "fun", None)
    if inner and type(fun).__name__ == "MemoizeJac" and getattr(jac, "__self__", None) is fun:
        # minimize(jac=True): its memo compares x only; the user's own function returns both
        return inner, True
    if jac is None or jac is False:
        return fun, scheme
    if callable(jac) or jac is True or isinstance(jac, LowLevelCallable):
        return fun, jac
    if jac in ("2-point", "3-point", "cs"):
        return fun, jac
    raise ValueError(
        f"`jac` must be callable, True, None or one of '2-point', '3-point', 'cs', got {jac!r}"
    )


def _defined(
    fun: Any, jac: Any, exceptions: tuple[type[Exception], ...], squares: Squares | None
) -> tuple[Any, Any]:
    """The same functions, with NaN in place of some exceptions."""
    if exceptions:
        like = undefined.pair if jac is True else undefined.number
        slope = undefined.gradient if squares is None else undefined.number
        fun = undefined.Undefined(fun, exceptions, like)
        jac = undefined.Undefined(jac, exceptions, slope) if callable(jac) else jac
    return fun, jac


def _hessian(hess: Any, hessp: Any) -> tuple[Any, Any]:
    """The functions that provide the Hessian; the name of a difference scheme counts as none."""
    if isinstance(hess, str):
        hess = None
    if hasattr(hess, "get_matrix"):
        raise TypeError(
            f"`hess` must be callable, got the update strategy {type(hess).__name__}: use lbfgs, "
            "which updates its own Hessian, or leave `hess` out to use finite differences"
        )
    for name, given in {"hess": hess, "hessp": hessp}.items():
        if given is not None and not callable(given):
            raise TypeError(f"`{name}` must be callable, got {given!r}")
    return hess, hessp


def calibrate(run: RunState, opts: dict[str, Any]) -> None:
    """A rate that makes the first step of spsa a fifth of |x| + 10 c, from four estimates.

    No later step is longer: much larger estimates are a sign that the rate is too high.
    """
    perturbed, r = run.perturbed, run.r
    assert perturbed is not None
    x, g = run.points[r.trial], run.gradients[r.trial]
    sizes = []
    try:
        for _ in range(4):
            run.evaluator(x, VALUE, g, run.H)
            sizes.append(np.linalg.norm(g))
            perturbed.commit()
            perturbed.t = 0
    except OutOfBudget:
        perturbed.rollback()
    size = np.mean(sizes) if sizes else np.nan
    if size > 0 and np.isfinite(size):
        slowed = (opts["A"] + 1.0) ** opts["alpha"]
        r.clip_norm = min(r.clip_norm, size)
        r.alpha = 0.2 * (10.0 * opts["c"] + np.linalg.norm(x)) * slowed / size


def check_gradient(problem: Problem, x: Vector, box: Box, rng: np.random.Generator | None) -> None:
    """The option `check_grad`; the run must not depend on it."""
    from ..gradient_check import check_grad

    fun, jac, *_, args, squares, blocks = problem
    if squares is not None:
        fun, jac = as_sum(fun, jac)
    if blocks is not None:
        fun, jac, args = *blocks.objective(fun, jac, args, False), ()
    bounds = None if box is None else np.transpose(box)
    check_grad(fun, jac, x, args=args, bounds=bounds, rng=copy.deepcopy(rng)).raise_if_wrong()
