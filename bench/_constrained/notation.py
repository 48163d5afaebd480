"""How problems with constraints are written down.

A model returns f and its rows. Their formulas stand there once, as in the books; derivatives are
complex steps, which are exact to rounding. All forms are there that SciPy takes: `linear` and
`nonlinear` rows are ``low <= c <= high``; `eq` and `ineq` become dictionaries, c = 0 and c >= 0.
Neighbours of the same kind become one constraint with several rows.

In a model, each parameter is an array of its values at several points. A model with one argument
gets all of them, as a table whose columns are the points.
"""

import functools
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

STEP = 2.0**-100


class Rows(NamedTuple):
    kind: str
    low: Any
    value: Any
    high: Any

    def limits(self):
        count = len(_lines(self.value, 1))
        return np.column_stack([np.broadcast_to(v, count) for v in (self.low, self.high)])


def linear(low, value, high=np.inf):
    return Rows("linear", low, value, high)


def nonlinear(low, value, high=np.inf):
    return Rows("nonlinear", low, value, high)


def eq(value):
    return Rows("eq", 0.0, value, 0.0)


def ineq(value):
    return Rows("ineq", 0.0, value, np.inf)


class Group(NamedTuple):
    kind: str
    where: slice  # lines of `values` and `slopes`
    low: Any
    high: Any


@dataclass(frozen=True)
class Problem:
    name: str
    model: Callable[..., Any]
    x0: Any
    best: float
    bounds: Bounds | None

    def values(self, x):
        """f, and then all rows."""
        return self._table(np.asarray(x, float)[:, None])[:, 0]

    def slopes(self, x):
        """The gradient of f, and then the Jacobian."""
        points = np.asarray(x, float)[:, None] + 1j * STEP * np.eye(len(x))
        return self._table(points).imag / STEP

    def _table(self, points):
        f, *rows = self._model(points)
        values = [f, *(row.value for row in rows)]
        return np.concatenate([_lines(value, points.shape[1]) for value in values])

    def _model(self, points):
        several = len(inspect.signature(self.model).parameters) > 1
        return self.model(*points) if several else self.model(points)

    def fun(self, x):
        return float(self.values(x)[0])

    def jac(self, x):
        return self.slopes(x)[0]

    @functools.cached_property
    def groups(self):
        """One for each constraint that SciPy sees."""
        _, *rows = self._model(self.x0[:, None])
        groups, start = [], 1
        for kind, members in itertools.groupby(rows, lambda row: row.kind):
            limits = np.concatenate([row.limits() for row in members])
            groups.append(Group(kind, slice(start, start + len(limits)), *limits.T))
            start += len(limits)
        return groups

    @functools.cached_property
    def limits(self):
        """Of all rows: low, high."""
        none = np.empty(0)
        lows, highs = ([getattr(g, name) for g in self.groups] for name in ("low", "high"))
        return np.concatenate([none, *lows]), np.concatenate([none, *highs])

    def constraints(self, values=None, slopes=None, jac=True):
        """As SciPy takes them, made of other functions than the problem's own if they are given."""
        values, slopes = values or self.values, slopes or self.slopes
        found = [self._constraint(group, values, slopes, jac) for group in self.groups]
        return found[0] if len(found) == 1 else found

    def _constraint(self, group, values, slopes, jac):
        def fun(x):
            return values(x)[group.where]

        def of_rows(x):
            return slopes(x)[group.where]

        if group.kind == "linear":
            return LinearConstraint(self.slopes(self.x0)[group.where], group.low, group.high)
        given = {"jac": of_rows} if jac else {}
        if group.kind == "nonlinear":
            return NonlinearConstraint(fun, group.low, group.high, **given)
        return {"type": group.kind, "fun": fun, **given}


def _lines(value, count):
    """One row or several, as lines of a table with so many columns."""
    value = np.asarray(value)
    lines = value if value.ndim == 2 else value[None]
    return np.broadcast_to(lines, (len(lines), count))


def problem(x0, best, box=None, name=None):
    """Make a `Problem` of a model; `best` is the published minimum, `box` low and high."""
    x0 = np.array(x0, float)
    bounds = box and Bounds(*(np.broadcast_to(np.array(side, float), x0.size) for side in box))

    def of(model):
        return Problem(name or model.__name__, model, x0, best, bounds)

    return of
