"""The outcome of a fit besides its minimum: residuals, covariance, and how it is printed."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import LbfgsInvHessProduct, OptimizeResult

from .._core.many import COMPLETE, ELSEWHERE, FOR_PYTHON
from .._covariance import axes_of, combination, distinct, rounded, spread
from .._evaluate.evaluator import OutOfBudget
from ..arguments import Vector
from ..tables import aligned
from .run_state import RunState


class FitResult(OptimizeResult):  # type: ignore[misc]
    """An `OptimizeResult` that prints with a table of the parameters and their errors."""

    def __repr__(self) -> str:
        total, r = 2.0 * self.fun, self.get("residuals")
        squares = r is not None and np.isclose(total, float(r @ r))
        what = "sum of squares" if squares else "twice the loss"
        head = f"{what}: {total:.8g}   degrees of freedom: {max(self.dof, 0)}"
        rows = [["parameter", "value", "", "error", ""]]
        for name, x, error, held in zip(
            self.parameter_names, self.x, self.stderr, self.at_bound, strict=True
        ):
            unknown = "not determined" if self.dof > 0 else "no degrees of freedom"
            note = "at its bound" if held else unknown if np.isinf(error) else ""
            value, text = rounded(x, error)
            rows.append([name, value, "+-", text, note])
        shown = ("message", "success", "status", "nit", "nfev", "njev")
        rest = OptimizeResult({key: self[key] for key in shown})
        return "\n".join([head, *aligned(rows, (0, 4)), repr(rest)])

    __str__ = __repr__


def fitted(run: RunState, x: Vector, f: float, opts: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The outcome of a fit at x (in the run's units), and additions to its message.

    Empty if the run is not a fit.
    """
    fit, evaluator = run.fit, run.evaluator
    if fit is None:
        return {}, ""
    with contextlib.suppress(OutOfBudget):
        fit.complete(evaluator, x)
    what, matrix = fit.errors(run, x)
    if what in (FOR_PYTHON, ELSEWHERE):
        return {}, ""
    unit = np.broadcast_to(run.unit, x.shape)
    known, said = errors_of(what, matrix, unit, run.free(x), f, fit.count, opts)
    if not fit.whole:
        return known, said
    jacobian = run.gradient_outside(fit.J.T)
    return {"residuals": fit.residuals, "jacobian": jacobian, **known}, said


def errors_of(
    what: int,
    matrix: Vector,
    unit: Vector,
    free: NDArray[np.bool_],
    f: float,
    m: int,
    opts: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    """The errors of the parameters, from `Residuals.errors`, and additions to the message."""
    matrix, error = matrix[:-1], float(matrix[-1, 0])
    loose = np.zeros((free.size, 0))
    rank = free.size
    if what == COMPLETE:
        inverse = matrix * np.outer(unit, unit)
    else:
        root = loose
        if free.any():
            axes = axes_of(matrix[:, free] / unit[free], error)
            root, loose = (lifted(part, free) for part in axes)
        inverse, rank = spread(root, loose), root.shape[1]
    return _described(inverse, rank, loose, free, f, m, opts)


def errors_along(
    J: Vector, C: Vector, free: NDArray[np.bool_], f: float, opts: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """The same if x can only change in ways that leave C x unchanged.

    J is the Jacobian of the residuals, shape (m, n).
    """
    size = np.linalg.norm(J[:, free], axis=0)
    unit = np.where(size > 0.0, 1.0 / np.where(size > 0.0, size, 1.0), 1.0)
    ways = null_space(C[:, free] * unit) if len(C) else np.eye(unit.size)
    ways = lifted(unit[:, np.newaxis] * ways, free)
    root, loose = (ways @ part for part in axes_of(J @ ways, np.finfo(float).eps * len(J)))
    loose = distinct(loose, 1.0 / np.abs(ways).max(axis=1, initial=1e-300)) if loose.size else loose
    return _described(spread(root, loose), root.shape[1], loose, free, f, len(J), opts)


def _described(
    inverse: Vector,
    rank: int,
    loose: Vector,
    free: NDArray[np.bool_],
    f: float,
    m: int,
    opts: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    names = opts["parameter_names"] or tuple(f"x[{i}]" for i in range(free.size))
    dof = m - rank
    variance = 1.0 if opts["absolute_sigma"] else 2.0 * f / dof if dof > 0 else np.inf
    covariance = np.where(np.isfinite(inverse) & (inverse != 0.0), variance, 1.0) * inverse
    known = {
        "hess_inv": inverse,
        "covariance": covariance,
        "stderr": np.sqrt(np.diag(covariance)),
        "dof": dof,
        "at_bound": ~free,
        "parameter_names": names,
    }
    said = ""
    if not free.all():
        held = ", ".join(name for name, moves in zip(names, free, strict=True) if not moves)
        said += f" The errors are computed with {held} held at the bound."
    if loose.size:
        words = ", ".join(combination(direction, names) for direction in loose.T)
        said += f" The data do not determine {words}."
    return known, said


def lifted(columns: Vector, free: NDArray[np.bool_]) -> Vector:
    """Columns for all parameters, with 0 for those that do not move."""
    every = np.zeros((free.size, columns.shape[1]))
    every[free] = columns
    return every


class LazyInverse(LbfgsInvHessProduct):  # type: ignore[misc]
    """SciPy's limited-memory inverse Hessian, created on first use."""

    def __init__(self, run: RunState) -> None:
        self._run = run

    def __getattr__(self, name: str) -> Any:
        if "_run" not in self.__dict__:
            raise AttributeError(name)
        super().__init__(*self.__dict__.pop("_run").pairs)
        return getattr(self, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return LbfgsInvHessProduct, (self.sk, self.yk)


def inverse_hessian(run: RunState, x: Vector) -> dict[str, Any]:
    """`hess_inv`, of methods that have an approximation or the Hessian itself at x."""
    if run.method.memory and run.r.nit >= 0:
        return {"hess_inv": LazyInverse(run)}
    r = run.r
    if r.hess < 0 or r.nit < 0 or not np.array_equal(run.V[r.x], x) or not np.isfinite(run.H).all():
        return {}
    H = run.gradient_outside(run.gradient_outside(run.H).T)
    size = np.sqrt(np.abs(np.diag(H)))
    size[size == 0.0] = 1.0
    height, axes = np.linalg.eigh(H / np.outer(size, size))
    sure = height > 10 * x.size * np.finfo(float).eps * np.abs(height).max()
    axes /= size[:, np.newaxis]
    return {"hess_inv": spread(axes[:, sure] / np.sqrt(height[sure]), axes[:, ~sure])}
