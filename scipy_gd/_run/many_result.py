"""The result of many runs, in arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from ..tables import aligned

COUNTS = ("nit", "nfev", "njev", "nhev")


class ManyResult(OptimizeResult):  # type: ignore[misc]
    """The results of `minimize_many`, an `OptimizeResult` of arrays.

    ``res[i]`` is the result of problem i, ``res[i:j]`` the results of several.

    Attributes
    ----------
    x : ndarray, shape (k, n)
        The solutions.
    fun : ndarray, shape (k,)
        The function values.
    jac : ndarray, shape (k, n)
        The gradients; NaN if there is none.
    success, status : ndarray, shape (k,)
        As for a single run; the status is -1 if `fun` raised an error or the run was interrupted.
    nit, nfev, njev, nhev : ndarray, shape (k,)
        Iterations, and evaluations of `fun`, the gradient and the Hessian.
    messages : sequence of str
        How each run ended.
    stderr : ndarray, shape (k, n)
        For fits: standard errors of the parameters.
    covariance : ndarray, shape (k, n, n)
        For fits: covariances of the parameters, computed on access.
    dof : ndarray, shape (k,)
        For fits: degrees of freedom.
    parameter_names : tuple of str
        As given, or ``x[0]``, ``x[1]``, ...

    Examples
    --------
    >>> import numpy as np
    >>> from scipy_gd import minimize_many
    >>> res = minimize_many(lambda x, a: (x[0] - a)**2, [0.0], (np.arange(3.0),), in_axes=0)
    >>> res
    3 problems with 1 parameters: 3 solved, 0 not
    problems  success  message
           3     True  Optimization terminated successfully.
    >>> res.x.round(6).tolist(), bool(res[2].success)
    ([[0.0], [1.0], [2.0]], True)
    """

    def __getattr__(self, name: str) -> Any:
        if name == "stderr" and "upper" in self:
            return np.sqrt(self["upper"][:, diagonal(self.x.shape[1])])
        if name == "covariance" and "upper" in self:
            return unpacked(self["upper"], self.x.shape[1])
        return super().__getattr__(name)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            derived = key in ("stderr", "covariance") and "upper" in self
            return getattr(self, key) if derived else super().__getitem__(key)
        if isinstance(key, slice):
            return self._rows(np.arange(self.fun.size)[key])
        i = range(self.fun.size)[key]
        one = {name: value[i] for name, value in self._arrays().items() if name != "upper"}
        one = {name: v if isinstance(v, np.ndarray) else v.item() for name, v in one.items()}
        if "upper" in self:
            covariance = unpacked(self["upper"][i : i + 1], self.x.shape[1])[0]
            one |= {"stderr": np.sqrt(np.diag(covariance)), "covariance": covariance}
            one["parameter_names"] = self.parameter_names
        return OptimizeResult(message=self.messages[i], **one)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: value for name, value in self.items() if isinstance(value, np.ndarray)}

    def _rows(self, rows: NDArray[np.intp]) -> ManyResult:
        arrays = {name: value[rows] for name, value in self._arrays().items()}
        messages = self.messages.chosen(rows)
        return ManyResult(**arrays, messages=messages, parameter_names=self.parameter_names)

    def summary(self) -> str:
        """The number of problems for each ending, as a table."""
        counts = Counter(zip(self.success.tolist(), self.messages, strict=True))
        rows = [["problems", "success", "message"]]
        for (success, message), count in counts.most_common():
            rows.append([f"{count:,}", str(success), message])
        return "\n".join(aligned(rows, (2,)))

    def to_pandas(self) -> Any:
        """A data frame with one row per problem.

        It has a column for each parameter and, for fits, one for its error, ``NAME_stderr``, as
        well as fun, success, status, the counts and the messages.

        Raises
        ------
        ImportError
            If pandas is missing.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "`to_pandas` needs pandas: pip install pandas", name="pandas"
            ) from error
        names = self.parameter_names
        columns = dict(zip(names, self.x.T, strict=True))
        if "upper" in self:
            columns |= {f"{name}_stderr": e for name, e in zip(names, self.stderr.T, strict=True)}
            columns["dof"] = self.dof
        columns |= {name: self[name] for name in ("fun", "success", "status", *COUNTS)}
        return pd.DataFrame(columns | {"message": list(self.messages)})

    def __repr__(self) -> str:
        k, n = self.x.shape
        done = int(self.success.sum())
        head = f"{k:,} problems with {n} parameters: {done:,} solved, {k - done:,} not"
        return f"{head}\n{self.summary()}"

    __str__ = __repr__


class Messages(Sequence[str]):
    """One message per problem; most of them are one of a few.

    Parameters
    ----------
    endings : ndarray of int
        By problem.
    texts : dict
        By ending.
    special : dict
        By problem, if there is more to say.
    """

    def __init__(
        self, endings: NDArray[Any], texts: dict[int, str], special: dict[int, str]
    ) -> None:
        self.endings, self.texts, self.special = endings, texts, special

    def __len__(self) -> int:
        return len(self.endings)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        i = range(len(self))[i]
        return self.special[i] if i in self.special else self.texts[int(self.endings[i])]

    def __repr__(self) -> str:
        return f"<{len(self)} messages>"

    def chosen(self, rows: NDArray[np.intp]) -> Messages:
        special = {
            i: self.special[row] for i, row in enumerate(rows.tolist()) if row in self.special
        }
        return Messages(self.endings[rows], self.texts, special)


# --- symmetric matrices, as the elements of their upper triangles


def packed(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    return matrices[(..., *np.triu_indices(matrices.shape[-1]))]


def unpacked(upper: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    matrices = np.empty((len(upper), n, n))
    rows, columns = np.triu_indices(n)
    matrices[:, rows, columns] = upper
    matrices[:, columns, rows] = upper
    return matrices


def diagonal(n: int) -> NDArray[np.intp]:
    rows, columns = np.triu_indices(n)
    return np.flatnonzero(rows == columns)
