"""Solvers that take constraints, each at its documented best, and one run of one of them."""

import importlib.util
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, minimize

from bench._recorder import ENDLESS, Ended
from scipy_gd import METHODS


class Task(NamedTuple):
    """What `minimize` takes; `jac` may be True. `more` are second derivatives, for trust-constr."""

    fun: Callable[[Any], Any]
    x0: Any
    jac: Any = None
    bounds: Bounds | None = None
    constraints: Any = ()
    more: Mapping[str, Any] = MappingProxyType({})


class End(NamedTuple):
    x: Any  # None where a limit has ended the run
    claimed: bool
    message: str
    seconds: float


class Watch:
    """Counts the calls of functions, whoever makes them, and ends the run at its limits."""

    def __init__(self, budget=math.inf, seconds=math.inf):
        self.calls = Counter()
        self.budget, self.seconds = budget, seconds
        self.begin()

    def begin(self):
        self.start, self.cpu = time.perf_counter(), time.process_time()

    @property
    def evaluations(self):
        return self.calls["f"] + self.calls["g"]

    def of(self, kind, function):
        def watched(x):
            if self.evaluations >= self.budget or time.process_time() - self.cpu > self.seconds:
                raise Ended
            self.calls[kind] += 1
            return function(np.array(x, float))

        return watched

    def spent(self):
        return time.perf_counter() - self.start


def run(name, task, watch):
    """An `End`; what a solver raises is a message too."""
    watch.begin()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = SOLVERS[name](task)
        except Ended:
            return End(None, False, "cut off", watch.spent())
        except Exception as error:
            return End(None, False, f"{type(error).__name__}: {error}", watch.spent())
    return End(np.array(result[0], float), bool(result[1]), str(result[2]), watch.spent())


# --- through minimize


def through_minimize(method, second=False, **options):
    def solve(task):
        result = minimize(
            task.fun, task.x0.copy(), jac=task.jac, method=method, bounds=task.bounds,
            constraints=task.constraints, options=options, **(task.more if second else {}),
        )  # fmt: skip
        return result.x, result.success, result.message

    return solve


# --- NLopt's


class Side(NamedTuple):
    """Rows of one constraint for NLopt: `sign` (c - limit) is 0 or at most 0."""

    equal: bool
    count: int
    fun: Callable[[Any], Any]
    jac: Callable[[Any], Any] | None


def sides(task):
    given = task.constraints if isinstance(task.constraints, Sequence) else [task.constraints]
    for constraint in given:
        fun, jac, low, high = functions_of(constraint, task.x0)
        equal = low == high
        for which, sign, limit in (
            (equal, 1, high), (~equal & np.isfinite(high), 1, high),
            (~equal & np.isfinite(low), -1, low),
        ):  # fmt: skip
            if which.any():
                yield Side(
                    which is equal,
                    int(which.sum()),
                    lambda x, w=which, s=sign, b=limit, f=fun: s * (f(x)[w] - b[w]),
                    jac and (lambda x, w=which, s=sign, j=jac: s * dense(j(x))[w]),
                )


def functions_of(constraint, x0):
    """fun, jac or None, low, high."""
    if isinstance(constraint, LinearConstraint):
        A = constraint.A
        fun, jac = (lambda x: A @ x), (lambda x: A)
        low, high = constraint.lb, constraint.ub
    elif isinstance(constraint, NonlinearConstraint):
        fun, jac = constraint.fun, constraint.jac if callable(constraint.jac) else None
        low, high = constraint.lb, constraint.ub
    else:
        fun, jac = constraint["fun"], constraint.get("jac")
        low, high = 0, {"eq": 0, "ineq": np.inf}[constraint["type"]]
    count = len(fun(x0))
    return fun, jac, *(np.broadcast_to(np.asarray(v, float), count) for v in (low, high))


def dense(J):
    return J.toarray() if hasattr(J, "toarray") else np.asarray(J)


def nlopt_solver(inner):
    """AUGLAG around an inner solver: by name with gradients, and without."""

    def solve(task):
        import nlopt

        n, ended, last = task.x0.size, [], task.x0
        outer = nlopt.opt(nlopt.AUGLAG, n)
        local = nlopt.opt(getattr(nlopt, inner[task.jac is None]), n)
        for opt in (outer, local):
            opt.set_xtol_rel(1e-8)
            opt.set_ftol_rel(1e-10)
        outer.set_local_optimizer(local)

        def guarded(function):
            """Nothing is raised through the C code, but it can be told to stop."""

            def called(*args):
                try:
                    return function(*args)
                except Ended as end:
                    ended.append(end)
                    raise nlopt.ForcedStop from None

            return called

        def objective(x, grad):
            nonlocal last
            last = np.array(x)
            f = task.fun(x)
            if task.jac is True:
                f, g = f
            if grad.size:
                grad[:] = g if task.jac is True else task.jac(x)
            return float(f)

        outer.set_min_objective(guarded(objective))
        for side in sides(task):

            def rows(result, x, grad, side=side):
                result[:] = side.fun(x)
                if grad.size:
                    grad[:] = side.jac(x)

            add = outer.add_equality_mconstraint if side.equal else outer.add_inequality_mconstraint
            add(guarded(rows), np.full(side.count, 1e-8))
        x0 = task.x0
        if task.bounds is not None:
            outer.set_lower_bounds(task.bounds.lb)
            outer.set_upper_bounds(task.bounds.ub)
            x0 = np.clip(x0, task.bounds.lb, task.bounds.ub)
        try:
            x = outer.optimize(x0)
        except nlopt.ForcedStop:
            raise (ended or [Ended()])[0] from None
        except RuntimeError:  # in general, the inner solver can go no further
            return last, False, "failure"
        code = outer.last_optimize_result()
        return x, code in (nlopt.SUCCESS, nlopt.FTOL_REACHED, nlopt.XTOL_REACHED), code

    return solve


INNER = ("gd", "momentum", "nesterov", "spg", "cg_descent", "adam")
OURS = ("lbfgs", *INNER)
TIGHT = ("SLSQP, tight", "trust-constr, tight")
SCIPYS = ("SLSQP", "trust-constr", *TIGHT, "COBYQA", "COBYLA")
FROM_VALUES = ("COBYQA", "COBYLA")  # take no gradients
NLOPT = ("NLopt AUGLAG",) if importlib.util.find_spec("nlopt") else ()
SOLVERS = {
    **{name: through_minimize(METHODS[name], maxiter=math.inf) for name in OURS},
    "SLSQP": through_minimize("SLSQP", maxiter=ENDLESS),
    "SLSQP, tight": through_minimize("SLSQP", maxiter=ENDLESS, ftol=1e-12),
    "trust-constr": through_minimize("trust-constr", second=True, maxiter=3000),
    "trust-constr, tight": through_minimize(
        "trust-constr", second=True, maxiter=3000, gtol=1e-12, xtol=1e-12
    ),
    "COBYQA": through_minimize("COBYQA", maxiter=10**6, maxfev=10**6),
    "COBYLA": through_minimize("COBYLA", maxiter=10**6),
    **dict.fromkeys(NLOPT, nlopt_solver(("LD_LBFGS", "LN_BOBYQA"))),
}
