"""The docstring of a method: its formula's own, its source, and its options."""

from __future__ import annotations

import textwrap

from . import _options
from ._formula import Formula

_CALL = """\
{fun}
x0 : array_like, shape (n,)
    Starting point.
args : tuple, optional
    Extra arguments of `fun`, `jac`{hessians}.
{jac}
{hess}
bounds : sequence of (low, high) or scipy.optimize.Bounds, optional
    Every iterate is projected onto the bounds.
constraints : LinearConstraint, NonlinearConstraint, dict or sequence of these, optional
    Any form that SciPy's solvers accept, with m rows each. They hold at the solution to within
    `ctol`; earlier iterates satisfy only those with `keep_feasible`.
callback : callable, optional
    ``callback(intermediate_result=OptimizeResult)`` or ``callback(x)``, called after every
    iteration. Raise `StopIteration` to stop."""
_FUN = """\
fun : callable, scipy.LowLevelCallable or numba.cfunc
    ``fun(x, *args) -> float``, or ``-> (float, gradient)`` with ``jac=True``. In C,
    ``double fun(int n, double *x)``, or ``double fun(int n, double *x, double *g)`` with
    ``jac=True``, optionally followed by ``void *user_data``."""
_FUN_OF_RESIDUALS = """\
fun : callable
    ``fun(x, *args) -> array, shape (m,)``, the residuals, or ``-> (residuals, Jacobian)`` with
    ``jac=True``."""
_JAC = """\
jac : callable, numba.cfunc, True, None or "2-point", "3-point", "cs"
    ``jac(x, *args) -> array, shape (n,)``; in C, ``void jac(int n, double *x, double *g)``. None:
    finite differences with steps that adapt to the curvature and the noise of `fun`, or a plain
    scheme; see `finite_diff_scheme`. (SciPy passes the name of a scheme on as None, so it is an
    option here.)"""
_JAC_OF_RESIDUALS = """\
jac : callable, True, None or "2-point", "3-point", "cs"
    ``jac(x, *args) -> array, shape (m, n)``, the Jacobian, dense or sparse. None: finite
    differences with steps relative to ``|x|``; see `finite_diff_scheme`."""
_JAC_AT_THE_END = """\
jac : callable, numba.cfunc, True or None
    Not used for the steps. If given, ``jac(x, *args) -> array, shape (n,)`` is called once, at the
    end, and the run is a success if the gradient test passes there."""
_HESS = """\
hess : callable or None
    ``hess(x, *args) -> array, shape (n, n)``, symmetric; sparse matrices and LinearOperators are
    converted to dense arrays. None, or the name of a difference scheme: see `hessp`.
hessp : callable or None
    ``hessp(x, p, *args) -> array, shape (n,)``, the Hessian times p; called n times per iteration,
    and only without `hess`. Without either, the Hessian is estimated by differences of the
    gradient."""
_HESS_OF_SQUARES = """\
hess, hessp
    Not needed. If given, the Hessian of the objective, which replaces J'J."""
_NO_HESS = """\
hess, hessp
    Not used; passing one issues a `RuntimeWarning`."""
_RETURNS = """\
scipy.optimize.OptimizeResult
    With `x`, `fun`, `jac`, `nit`, `nfev`, `njev`, `nhev`, `success`, `status`, `message`. `x` is
    the point where the gradient test passed, or otherwise the best one seen. `success` is True if
    the gradient test passed, or if a stopping rule you set was met (`target`, `ftol`, `xtol`,
    `epochs`, `patience`). Pass `state` as the option `resume` to continue the run. Two successful
    endings have their own status: 6, the noise of `fun` hides any further progress (see
    `noise_is_success`), and 7, a minimum at a kink. If the errors of `fun` are known: `noise`,
    their size, in units of f; `jac_error`, the errors of the gradient, shape (n,); `x_error`, about
    how far each parameter can move before f rises by `noise`, shape (n,). With a `penalty`:
    `penalty`, its value, which `fun` includes. With `constraints`: `multipliers`, a list with an
    array of shape (m,) for each, such that ``jac + sum J'y`` vanishes, except at the bounds;
    `constr_violation`, the largest violation; `nouter`, the number of inner runs; `constr_nfev`,
    `constr_njev` and `constr_nhev`, lists with the number of calls for each; and three more
    endings: 8, no feasible point; 9, multipliers that grow; 10, a function that is unbounded below.
    If `fun` returns residuals: `residuals`, shape (m,), and `jacobian`, shape (m, n); `covariance`,
    shape (n, n), and `stderr`, shape (n,), of the parameters; `hess_inv`, the inverse of J'J;
    `dof`, the degrees of freedom; `at_bound`, shape (n,); `parameter_names`. Such a result prints
    as a table of values and errors."""
_RAISES = """\
TypeError, ValueError
    If an argument is invalid; the message names it. Exceptions from `fun`, `jac` or `callback`
    propagate unchanged; their attribute ``optimize_result`` has the best point and the `state` for
    resuming the run."""
_IMPORTS = """\
>>> import numpy as np
>>> from scipy.optimize import minimize
>>> from scipy_gd import """
_EXAMPLES = {
    "gradient": """\
>>> from scipy.optimize import minimize, rosen, rosen_der
>>> from scipy_gd import {name}
>>> res = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method={name}{options})
>>> res.success, res.x.round(2)
(True, array([1., 1.]))""",
    "hessian": """\
>>> from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
>>> from scipy_gd import {name}
>>> res = minimize(rosen, [-1.2, 1.0], jac=rosen_der, hess=rosen_hess, method={name}{options})
>>> res.success, res.x.round(2)
(True, array([1., 1.]))""",
    "values": """\
>>> from scipy.optimize import minimize, rosen
>>> from scipy_gd import {name}
>>> res = minimize(rosen, [-1.2, 1.0], method={name}{options})
>>> res.success, res.x.round(2)
(True, array([1., 1.]))""",
    "noise": _IMPORTS
    + """{name}
>>> noise = np.random.default_rng(0)
>>> def measure(x):
...     return (x[0] - 2)**2 + (x[1] + 1)**2 + 0.1 * noise.standard_normal()
>>> res = minimize(measure, [3.0, -4.0], method={name}{options})
>>> res.nfev, bool(abs(res.x - [2, -1]).max() < 0.1)
(2009, True)""",
    "batches": _IMPORTS
    + """{name}
>>> rng = np.random.default_rng(0)
>>> X = rng.standard_normal((2000, 3))
>>> y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(2000)
>>> def loss(w, X, y):  # a mean over the rows, and its gradient
...     r = X @ w - y
...     return r @ r / len(y) / 2, X.T @ r / len(y)
>>> res = minimize(loss, np.zeros(3), args=(X, y), jac=True, method={name}{options})
>>> res.success, res.x.round(1)
(True, array([1., 2., 3.]))""",
    "penalty": _IMPORTS
    + """prox, {name}
>>> A = np.random.default_rng(0).standard_normal((50, 6))
>>> b = A @ [3.0, 0.0, 0.0, -2.0, 0.0, 0.0]
>>> def loss(x):
...     return (A @ x - b) @ (A @ x - b) / 2, A.T @ (A @ x - b)
>>> res = minimize(loss, np.zeros(6), jac=True, method={name},
...                options={{"penalty": prox.l1(5.0)}})
>>> res.success, np.flatnonzero(res.x)  # the others are exactly 0
(True, array([0, 3]))""",
    "residuals": _IMPORTS
    + """{name}
>>> t = np.arange(8.0)
>>> y = np.array([9.8, 6.3, 3.5, 2.4, 1.3, 0.8, 0.6, 0.3])
>>> def residuals(p, t, y):
...     return p[0] * np.exp(-t / p[1]) - y
>>> res = minimize(residuals, [5.0, 1.0], args=(t, y), method={name}{options})
>>> print(res)
sum of squares: 0.14446536   degrees of freedom: 6
parameter  value      error
height      9.88  +-   0.14
lifetime   2.048  +-  0.054
...""",
}
"""A call on a problem of the kind that a method is for."""
_FOR_BATCHES = {
    name: options
    for names, options in (
        ("sgd adam adamw ademamix adopt adan swats", {"learning_rate": 0.1}),
        ("schedule_free_sgd schedule_free_adamw", {"learning_rate": 0.1}),
        ("adabound lion", {"learning_rate": 0.01}),
        ("dowg prodigy", {"averaging": 0.99}),
    )
    for name in names.split()
}
"""Methods that are shown on mini-batches, with the options they need there."""
_TRUST_REGION = """

The trust region computes the step from the gradient and the Hessian: d only matters if
`learning_rate` is not "auto"."""


def documentation(formula: Formula) -> str:
    """The docstring, in the order of numpydoc."""
    trust = _TRUST_REGION * (formula.auto == "trust_region")
    sections = {
        "Parameters": f"{_call(formula)}\n{_listed(formula)}",
        "Returns": _RETURNS,
        "Raises": _RAISES,
        "Notes": f"Update, with ``x <- x - learning_rate * d``::\n\n{_update(formula)}{trust}",
        "References": formula.references,
        "Examples": example(formula),
    }
    titled = [f"{title}\n{'-' * len(title)}\n{text}" for title, text in sections.items() if text]
    return "\n\n".join([*filter(None, [formula.summary, formula.notes]), *titled]) + "\n"


def example(formula: Formula) -> str:
    """A call that runs, on a problem that suits the method."""
    name, options = formula.__name__, dict(formula.example)
    kind = "gradient" if "g" in formula.supplied else "values"
    if formula.residuals:
        kind, options = "residuals", {"parameter_names": ["height", "lifetime"], **options}
    elif formula.probes:
        kind, options = "noise", {"c": 0.3, "maxiter": 1000, "rng": 0}
    elif "hess" in formula.supplied:
        kind = "hessian"
    elif name in _FOR_BATCHES:
        kind, options = "batches", {"batch_size": 50, "epochs": 20, **_FOR_BATCHES[name], "rng": 0}
    elif formula.proximal and formula.constant is None:
        kind = "penalty"
    items = ", ".join(f'"{key}": {value!r}'.replace("'", '"') for key, value in options.items())
    given = f",\n...                options={{{items}}}" if items else ""
    return _EXAMPLES[kind].format(name=name, options=given)


def _call(formula: Formula) -> str:
    """SciPy's arguments, as this method uses them."""
    steep = "g" in formula.supplied and not formula.probes
    curved = "hess" in formula.supplied
    fun, jac, hess = (
        _FUN,
        _JAC if steep else _JAC_AT_THE_END,
        _HESS if curved else _NO_HESS,
    )
    if formula.residuals:
        fun, jac, hess = _FUN_OF_RESIDUALS, _JAC_OF_RESIDUALS, _HESS_OF_SQUARES
    return _CALL.format(
        fun=fun,
        jac=jac,
        hess=hess,
        hessians=", `hess` and `hessp`" * curved,
    ).replace("`fun`, `jac`.", "`fun` and `jac`.")


def _listed(formula: Formula) -> str:
    """Every option, with its default unless that is None."""
    lines = []
    for name, option in _options.of(formula).items():
        default = "optional" if option.default is None else f"default {option.default!r}"
        lines += [f"{name} : {default}", textwrap.indent(textwrap.fill(option.doc, 92), "    ")]
    return "\n".join(lines)


def _update(formula: Formula) -> str:
    try:
        text = formula.source
    except ValueError:
        text = "(source not available)"
    return textwrap.indent(text, "    ")
