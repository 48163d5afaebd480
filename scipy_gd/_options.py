"""The options of every method: meanings, limits and defaults.

The documentation, the validation and the warning about unknown names are all generated from these.
Hyper-parameters are declared with their formulas.
"""

from __future__ import annotations

import difflib
import functools
import math
import operator
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _checkpoint
from ._core.bits import GRADIENT
from ._core.endings import OF_A_BUDGET, RUNNING
from ._core.steps import RULES
from ._formula import Formula
from ._glossary import GLOSSARY
from .arguments import (
    Check,
    Option,
    budget,
    count,
    flag,
    generator,
    map_like,
    number,
    one_of,
    per_parameter,
    positive,
    shown,
)
from .prox import penalty_like

OFFERED = [rule for rule in RULES.values() if rule.offered]
UNLIMITED = 2**62
GTOL_REL = 1e-8


def rate(name: str, value: Any, n: int) -> Any:
    if isinstance(value, str):
        return one_of("auto", *(rule.name for rule in OFFERED))(name, value, n)
    return per_parameter(number(0, above=True), scheduled_rate)(name, value, n)


scheduled_rate = number(0)  # a schedule may end at 0, and an array may fix a parameter with a 0


def averages(name: str, value: Any, n: int) -> Any:
    if isinstance(value, str):
        return one_of("polyak")(name, value, n)
    return number(0, 1, above=True, below=True)(name, value, n)


def noise(name: str, value: Any, n: int) -> float | None:
    if isinstance(value, str):
        one_of("auto")(name, value, n)
        return None
    return number(0)(name, value, n)  # type: ignore[no-any-return]


def scales(name: str, value: Any, n: int) -> Any:
    if isinstance(value, str):
        return one_of("auto")(name, value, n)
    given = per_parameter(number(0, math.inf, above=True, below=True))(name, value, n)
    if callable(given):
        raise TypeError(f'`{name}` must be "auto", a number or an array, got {shown(value)}')
    return np.full(n, given) if np.ndim(given) == 0 else given


def exceptions(name: str, value: Any, n: int) -> tuple[type[Exception], ...]:
    given = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(each, type) and issubclass(each, Exception) for each in given):
        raise TypeError(
            f"`{name}` must be an exception type or a tuple of them, got {shown(value)}"
        )
    return given


def positions(name: str, value: Any, n: int) -> tuple[int, ...]:
    try:
        return tuple(operator.index(k) for k in value)
    except TypeError:
        raise TypeError(f"`{name}` must be positions in `args`, got {shown(value)}") from None


def anything(name: str, value: Any, n: int) -> Any:
    """Checked where it is used."""
    return value


def pairs(name: str, value: Any, n: int) -> list[Any]:
    try:
        return list(value)
    except TypeError:
        raise TypeError(
            f"`{name}` must be a sequence of (slice, dict) pairs, got {shown(value)}"
        ) from None


class Target(NamedTuple):
    """A file for checkpoints, and the run there that could continue, in words."""

    path: Path
    there: str


def file_to_write(name: str, value: Any, n: int) -> Target:
    path, there = writable_file(name, value)
    if there is None:
        return Target(path, "")
    if "study" in there:
        said = f"{path} contains finished runs of `{there['study']}`: it will not be overwritten"
        raise ValueError(f"`{name}`: {said}")
    unfinished = there["nit"] and there["ending"][0] in (RUNNING, *OF_A_BUDGET)
    return Target(path, f"{there['method']} after {there['nit']} iterations" * bool(unfinished))


def writable_file(name: str, value: Any) -> tuple[Path, _checkpoint.Saved | None]:
    """The path of a checkpoint that can be written, and the checkpoint that is there."""
    path = _path(name, value)
    try:
        return path, _checkpoint.writable(path)
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}, and will not be overwritten") from None
    except OSError as error:
        said = f"`{name}`: cannot be written ({error.strerror})"
        raise type(error)(error.errno, said, str(path)) from None


def state_or_file(name: str, value: Any, n: int) -> Any:
    if not isinstance(value, str | os.PathLike):
        return value
    try:
        saved = _checkpoint.read(_path(name, value))
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None
    if "study" in saved:
        raise ValueError(
            f"`{name}`: {value} contains finished runs of `{saved['study']}`, not a run"
        )
    return saved


def _path(name: str, value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"`{name}` must be a file name, got {shown(value)}")
    return Path(os.fsdecode(value))


def names(name: str, value: Any, n: int) -> tuple[str, ...]:
    given = () if isinstance(value, str) else tuple(value)
    if len(given) != n or len({*given}) != n or not all(isinstance(each, str) for each in given):
        raise ValueError(f"`{name}` must be {n} different strings, got {shown(value)}")
    return given


PROXIMAL = "gd, momentum, spg, adgd or nesterov_restart"
"""Methods that take a `penalty`."""
LOSSES = ("linear", "soft_l1", "huber", "cauchy", "arctan")

COMMON = {
    "learning_rate": Option(
        "The step size: a number, an array with one rate per parameter, a schedule ``t -> rate`` "
        'that is called with the step number (1, 2, ...), or the name of a rule: ``"auto"``, the '
        "rule that suits the method; "
        + "; ".join(f'``"{rule.name}"``, {rule.offered}' for rule in OFFERED)
        + ".",
        rate,
    ),
    "max_learning_rate": Option(
        'Largest step size of ``learning_rate="polyak"``. Default: no limit.',
        number(0, above=True),
        off=math.inf,
    ),
    "maxiter": Option(
        "Maximum number of iterations; a float is rounded down. A run that ends here is not a "
        "success.",
        budget(0),
        20_000,
    ),
    "maxfev": Option(
        "Maximum number of calls to `fun`, including those for finite differences. Default: no "
        "limit.",
        budget(1),
        off=UNLIMITED,
    ),
    "maxtime": Option("Maximum time in seconds. Default: no limit.", number(0), off=math.inf),
    "gtol": Option(
        "Tolerance on the gradient: the run has converged when no component of the gradient (with "
        "bounds, of the projected gradient) is larger than this.",
        number(0),
        1e-5,
    ),
    "gtol_rel": Option(
        "Relative tolerance on the gradient: the run has converged when no component of the "
        "gradient, times the scale of its parameter (`x_scale`, or 1), is larger than this "
        "fraction of the decrease in f. The decrease is the geometric mean of the total decrease "
        "and the decrease since the run was between an eighth and a quarter as long. Unlike "
        "`gtol`, this test does not depend on the units of f or, with `x_scale`, of x. Default: "
        'off; for ``x_scale="auto"`` without `gtol` or `tol`, 1e-8 with a `gtol` of 0.',
        number(0),
        off=-1.0,
    ),
    "x_scale": Option(
        "The typical sizes of the parameters, a number or one per parameter. They are rounded to "
        "powers of two, so that scaling adds no rounding errors. The method works on ``z = x / "
        "x_scale``, whose components are all about 1: steps, differences, `learning_rate`, "
        "clipping, the perturbations of spsa and `xtol` are in units of z. Results, `gtol` and "
        'what callbacks see are in your units. "auto" takes the size of x0, or else of the '
        "bounds, or else the size that the other parameters have in common, or else the distance "
        "over which f visibly changes. Default: 1.",
        scales,
    ),
    "ctol": Option(
        "How far a solution may violate `constraints`, in the units of each constraint. It is "
        "multiplied by the size of x if that is above 1, and by the slope of the constraint if "
        "that is below 1.",
        number(0, above=True),
        1e-6,
    ),
    "ftol": Option(
        "Stop with success when an iteration after the first changes f by at most ``ftol * "
        "max(|f|, 1)``. Default: off.",
        number(0),
        off=-1.0,
    ),
    "xtol": Option(
        "Stop with success when a step after the first is at most ``xtol * (xtol + |x|)`` long "
        "(2-norms). Default: off.",
        number(0),
        off=-1.0,
    ),
    "stagnation": Option(
        "Stop when, over this many iterations, the best value of f has not fallen by more than "
        "1e-4 of itself, or of its decrease so far if that is smaller. (With mini-batches and "
        "spsa, f is the running mean of its values over the same number of iterations.) This is "
        "not a success, since it does not imply that a minimum is near. Default: off.",
        count(1),
        off=0,
    ),
    "target": Option(
        "Stop with success when f is at most this value. Default: off.", number(), off=-math.inf
    ),
    "tol": Option("SciPy's general tolerance: sets `gtol` unless that is given too.", number(0)),
    "disp": Option("Print SciPy's summary at the end.", flag, False),
    "progress": Option(
        "Show a progress bar (requires tqdm) with the iterations, f, the gradient norm and the "
        "rate.",
        flag,
        False,
    ),
    "return_all": Option("Return all iterates, including x0, in ``result.allvecs``.", flag, False),
    "history": Option(
        "Record iterates, values, gradient norms, rates and counts in ``result.history``, a "
        "`scipy_gd.History`.",
        flag,
        False,
    ),
    "rng": Option(
        "Seed or `numpy.random.Generator` for all random numbers. NumPy's global state is never "
        "used.",
        generator,
    ),
    "batch_size": Option(
        "Rows of data per step. The arrays in `args` that have the same number of rows are cut "
        "into mini-batches, without copying, and `fun` and `jac` are called with one batch at a "
        "time. Every row is used once per epoch; the last batch may be shorter, and a size above "
        'the number of rows means all of them. ``learning_rate="auto"`` is then the published '
        "constant, `nit` counts steps, and the result is evaluated on all data. Default: every "
        "evaluation uses all data.",
        count(1),
    ),
    "epochs": Option(
        "Number of passes over the data. Completing the last epoch is a success; the gradient is "
        "tested at its end, on all data. Default: 100, or no limit if `maxiter` is given.",
        count(1),
        needs=("batch_size",),
    ),
    "shuffle": Option(
        "Whether to shuffle the rows, using `rng`, before every epoch.",
        flag,
        True,
        needs=("batch_size",),
    ),
    "batch_args": Option(
        "Positions in `args` of the arrays to cut into batches or, with `reduce`, into blocks. "
        "Default: those arrays that share their number of rows with another one.",
        positions,
    ),
    "validation": Option(
        "Held-out data: a tuple of arrays that replace those cut into batches. `fun` is evaluated "
        "on them after every epoch (``result.validation_losses``), and the point with the lowest "
        "loss is returned.",
        anything,
        needs=("batch_size",),
    ),
    "patience": Option(
        "Stop after this many epochs without a lower loss on `validation`. Default: never.",
        count(1),
        off=UNLIMITED,
        needs=("batch_size", "validation"),
    ),
    "reduce": Option(
        "For data larger than memory: how to combine the values and derivatives of blocks of "
        'rows, "sum" or "mean" (weighted by the number of rows). The arrays in `args` that have '
        "the same number of rows are cut along their first axis. Dask workers evaluate the blocks "
        "of Dask arrays; blocks of other arrays (memory maps, h5py, zarr) are evaluated one after "
        "the other.",
        one_of("sum", "mean"),
    ),
    "penalty": Option(
        "A penalty r or a set from `scipy_gd.prox`: the method minimizes f + r with proximal "
        "steps. In the result, `fun` is the sum, `penalty` the value of r, and `jac` the gradient "
        "of f alone. The run has converged when no component of ``x - prox(x - gradient, 1)`` is "
        f"larger than `gtol`. Requires {PROXIMAL}. Default: none.",
        penalty_like,
    ),
    "averaging": Option(
        'Return an average of the iterates: ``"polyak"`` for their mean, or a decay rate in (0, '
        "1) for an exponentially weighted average (bias-corrected). On a deterministic objective, "
        "the average is only returned if it is better than the best iterate.",
        averages,
    ),
    "clip_value": Option(
        "Clip every component of the gradient to this size. The formula uses the clipped "
        "gradient, the gradient test the full one. Default: off.",
        number(0, above=True),
    ),
    "clip_norm": Option(
        "Rescale the gradient to this 2-norm if its norm is larger, for the formula only. "
        "Default: off.",
        number(0, above=True),
    ),
    "groups": Option(
        "Hyper-parameters for groups of parameters: a sequence of pairs ``(slice, {name: "
        "value})``, where the values are numbers or schedules.",
        pairs,
    ),
    "checkpoint": Option(
        "A file for the state of the run, written every `checkpoint_every` seconds, at the end, "
        "on Ctrl-C and on any other exception, so that `resume` can continue the run after a "
        "crash. The file is replaced atomically, so it always holds a complete state. Default: "
        "none.",
        file_to_write,
    ),
    "checkpoint_every": Option(
        "Seconds between checkpoints; longer if writing one takes more than 1 % of that time.",
        number(0),
        60.0,
    ),
    "resume": Option(
        "The `state` of an earlier result, or a `checkpoint` file: continue that run exactly as "
        "if it had not stopped. Pass the same options; `x0` is ignored. Budgets (`maxiter`, "
        "`maxfev`, `epochs`) start afresh, unless a crash or an exception interrupted the earlier "
        "call: the run then continues with what was left of them.",
        state_or_file,
    ),
    "check_grad": Option(
        "Check `jac` against finite differences before the first step, and raise `GradientError` "
        "with a table if it is wrong.",
        flag,
        False,
    ),
    "finite_diff_scheme": Option(
        "Finite differences to use without `jac`. By default, their steps adapt to the curvature "
        'and the noise of `fun` (see the page on gradients); "2-point", "3-point" and "cs" '
        "(complex step) select a plain scheme.",
        one_of("adaptive", "2-point", "3-point", "cs"),
        "adaptive",
    ),
    "noise": Option(
        "The size of the errors in the values of `fun`, in the same units; 0 if there are none. "
        '"auto" measures it, with one extra value at the start and some more where no step '
        "decreases f.",
        noise,
    ),
    "noise_is_success": Option(
        "Whether a run that ends because of the noise of `fun` (status 6) is a success.", flag, True
    ),
    "undefined": Option(
        "An exception, or a tuple of exceptions, that `fun` and `jac` raise where they are "
        "undefined; it is treated like NaN. Default: every exception ends the run.",
        exceptions,
        off=(),
    ),
    "finite_diff_rel_step": Option(
        "Relative step of the differences, in units of ``|x|``: a number, or one per parameter. "
        'Setting it selects a plain scheme, "2-point" unless you choose another.',
        positive,
    ),
    "finite_diff_abs_step": Option(
        "Absolute step of the differences, in units of x: a number, or one per parameter. "
        "(SciPy's solvers call it `eps`. Methods without an `eps` of their own accept that name "
        "too.)",
        positive,
    ),
    "workers": Option(
        "Evaluate the differences in parallel: the number of processes (-1: all cores) or a "
        "map-like callable such as ``Pool.map``.",
        map_like,
    ),
    "threads": Option(
        "Threads that share the method's own work, for 100,000 parameters or more; `fun` is still "
        "called from one thread. For formulas made of elementwise operations, dot products and "
        "norms. Results differ only in the rounding of sums, and are reproducible for a given "
        "number of threads.",
        count(1),
        1,
    ),
    "residuals": Option(
        "Whether `fun` returns residuals, shape (m,), and `jac` their Jacobian, shape (m, n): the "
        "objective is half the sum of their squares. Always the case for levenberg_marquardt.",
        flag,
        False,
    ),
    "loss": Option(
        "Loss function that replaces the squares of the residuals, to reduce the influence of "
        'outliers: "linear" (the squares), "soft_l1", "huber", "cauchy" or "arctan", as in '
        "`scipy.optimize.least_squares`.",
        one_of(*LOSSES),
        "linear",
    ),
    "f_scale": Option(
        'Size above which a residual counts as an outlier, for a `loss` other than "linear".',
        number(0, math.inf, above=True, below=True),
        1.0,
    ),
    "absolute_sigma": Option(
        "Whether residuals are in units of their standard deviations. If False, `covariance` and "
        "`stderr` are scaled by an estimate of these from the residuals, as in "
        "`scipy.optimize.curve_fit`.",
        flag,
        False,
    ),
    "parameter_names": Option(
        "Parameter names for reports, histories and error bars. Default: x[0], x[1], ...",
        names,
    ),
    "maxiter_is_success": Option(
        "Report success when `maxiter` ends the run. For callers that discard anything else, such "
        "as `basinhopping`, and for methods meant to run a fixed number of steps.",
        flag,
        False,
    ),
    "compiled": Option(
        "Whether to compile the loop, if `fun`, `jac` and so on are Numba or C functions. "
        "Default: once the runs of these functions have spent 0.1 s in Python, about as long as "
        "compiling takes; the compiled loop is kept as long as the functions exist. False: never. "
        "True: from the first step, with an error that gives the reason if that is not possible.",
        one_of(None, True, False),
    ),
}

RELATIVE = {"gtol": 0.0, "ftol": 1e-14, "xtol": 1e-14}
"""Defaults of methods for residuals: relative, since residuals can be in any unit."""

DEFAULTS = {name: o.off if o.default is None else o.default for name, o in COMMON.items()}


def of(formula: Formula) -> dict[str, Option]:
    """Every option of a method: its rate, its own options, and the common ones."""
    rate = COMMON["learning_rate"]._replace(default=formula.learning_rate)
    common = {k: COMMON[k] for k in [*COMMON][1:]}
    if formula.residuals:
        common |= {k: COMMON[k]._replace(default=default) for k, default in RELATIVE.items()}
    return {"learning_rate": rate, **formula.own} | common


@functools.lru_cache(1024)
def _defaults(formula: Formula) -> dict[str, Any]:
    return DEFAULTS | {"learning_rate": formula.learning_rate, **formula.hyper}


def settings(formula: Formula, options: Mapping[str, Any], n: int) -> dict[str, Any]:
    """All options of a run, checked; unknown names are left out (`unknown` finds them)."""
    known = _defaults(formula).copy()
    if "eps" in options and "eps" not in known:  # as SciPy's solvers call it
        options = {"finite_diff_abs_step": options["eps"], **options}
    for name, value in options.items():
        if value is not None and name in known:
            known[name] = check(formula, name)(name, value, n)
    if options.get("gtol") is None and known["tol"] is not None:
        known["gtol"] = known["tol"]
    absolute = any(options.get(name) is not None for name in ("gtol", "tol", "gtol_rel"))
    if formula.residuals:
        tol = known["tol"]
        relative = RELATIVE if tol is None else RELATIVE | {"ftol": tol, "xtol": tol}
        known |= {k: value for k, value in relative.items() if options.get(k) is None}
        absolute = True
    comparable = formula.needs & GRADIENT and not formula.probes and known["batch_size"] is None
    if isinstance(known["x_scale"], str) and comparable and not absolute:
        known["gtol"], known["gtol_rel"] = 0.0, GTOL_REL
    return known


FIXED = (
    *("batch_size", "shuffle", "batch_args", "validation", "averaging", "reduce"),
    *("residuals", "loss", "f_scale"),
    *("finite_diff_scheme", "finite_diff_rel_step", "finite_diff_abs_step"),
)
"""Options that a resumed run must share with the original one."""


def fixed(options: Mapping[str, Any]) -> dict[str, str]:
    """The `FIXED` options that are not at their defaults, as text."""
    given = {name: options[name] for name in FIXED if options[name] is not DEFAULTS[name]}
    texts = {name: _text(value) for name, value in given.items()}
    return {name: text for name, text in texts.items() if text != _text(DEFAULTS[name])}


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    text: Any = repr(value).encode()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        text = np.ascontiguousarray(value).reshape(-1).view(np.uint8)  # read where it is
    return shown(value) if len(text) <= 60 else f"{shown(value)} ({zlib.crc32(text):08x})"


def scheme(options: Mapping[str, Any]) -> str:
    """The differences to use without `jac`: steps given by the user select a plain scheme."""
    steps = options["finite_diff_rel_step"], options["finite_diff_abs_step"]
    plain = any(step is not None for step in steps)
    given: str = options["finite_diff_scheme"]
    return "2-point" if plain and given == "adaptive" else given


def check(formula: Formula, name: str) -> Check:
    """How a value of this option is checked."""
    return (formula.own if name in formula.own else COMMON)[name].check


MEANT = {
    "learning_rate": "lr alpha eta gamma rate step stepsize step_size init_lr learning_rate_init",
    "beta1": "b1 betas momentum",
    "beta2": "b2 betas rho",
    "rho": "beta2 decay_rate",
    "momentum": "beta beta1 mu",
    "eps": "epsilon",
    "weight_decay": "alpha decay l2 lambda lambda_ lmbda reg wd",
    "maxcor": "m memory history_size",
    "finite_diff_abs_step": "epsilon",
    "maxiter": "iterations max_iter max_iters max_steps n_iter niter num_steps steps",
    "maxfev": "maxfun maxfevs max_evals max_nfev n_calls",
    "maxtime": "timeout time_limit",
    "gtol": "tolerance pgtol",
    "ftol": "fatol f_tol",
    "xtol": "xatol xrtol x_tol",
    "batch_size": "batch bs minibatch",
    "epochs": "n_epochs num_epochs max_epochs",
    "patience": "n_iter_no_change early_stopping",
    "clip_norm": "max_norm grad_clip",
    "rng": "seed random_state",
    "threads": "n_threads num_threads nthreads n_jobs",
    "disp": "verbose iprint",
    "progress": "verbose",
    "stagnation": "n_iter_no_change early_stopping tolstagnation stall_iterations",
    "checkpoint": "save save_path checkpoint_path checkpoint_file filename",
}
"""What other libraries call these options."""
OTHERWISE = {
    "amsgrad": "use the method `amsgrad`",
    "nesterov": "use the method `nesterov`",
    "decay": "give `learning_rate` a schedule",
    "lr_scheduler": "give `learning_rate` a schedule",
    "scheduler": "give `learning_rate` a schedule",
    "line_search": "give `learning_rate` the name of one, such as 'wolfe'",
    "line_search_fn": "give `learning_rate` the name of one, such as 'wolfe'",
    "maxls": "a line search here needs no limit",
}
"""What to use instead of options that only other libraries have."""


def unknown(formula: Formula, options: Mapping[str, Any]) -> str:
    """The names that this method does not know, each with a guess at what was meant."""
    known = [*formula.hyper, *COMMON]
    names = [name for name in options if name not in (*known, "eps")]
    return ", ".join(f"{name}{_suggestion(name, known, formula.__name__)}" for name in names)


def _suggestion(name: str, known: Sequence[str], method: str) -> str:
    meant = [each for each in known if name.lower() in MEANT.get(each, "").split()]
    meant = meant or difflib.get_close_matches(name.lower(), known, 1, 0.7)
    if meant:
        return f" (did you mean `{'` or `'.join(meant)}`?)"
    if name in OTHERWISE:
        return f" ({OTHERWISE[name]})"
    return f" ({method} has none)" if name in GLOSSARY or name in MEANT else ""
