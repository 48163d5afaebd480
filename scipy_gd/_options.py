"""The glossary: every option's meaning, limits and default, once.

Documentation, validation and the warning about unknown names are all made from it. A formula's
hyper-parameters have their defaults in its signature; their meaning and limits are here too.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ._core.steps import RULES
from .arguments import Check, count, flag, generator, map_like, number, one_of, per_parameter, shown

if TYPE_CHECKING:
    from ._method import Method

STEP_RULES = ("auto", *(rule.name for rule in RULES.values() if rule.offered))


class Option(NamedTuple):
    """What an option means, how its value is checked, and its default."""

    doc: str
    check: Check
    default: Any = None


def rate(name: str, value: Any, n: int) -> Any:
    if isinstance(value, str):
        return one_of(*STEP_RULES)(name, value, n)
    return per_parameter(number(0, above=True), scheduled_rate)(name, value, n)


# a schedule may come to rest, an array may hold a parameter fast
scheduled_rate = number(0)


def averages(name: str, value: Any, n: int) -> Any:
    if isinstance(value, str):
        return one_of("polyak")(name, value, n)
    return number(0, 1, above=True, below=True)(name, value, n)


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


def _positive(name: str, value: Any, n: int) -> Any:
    return per_parameter(number(0, above=True))(name, value, n)


_decay = per_parameter(number(0, 1, below=True))
_fraction = per_parameter(number(0, 1, above=True, below=True))
_finite = number(0, math.inf, below=True)
_nonnegative = per_parameter(_finite)

HYPER = {
    "c": Option(
        "Size of the first perturbation, in units of the parameters.", number(0, above=True)
    ),
    "alpha": Option("The rate falls like ``(A + t)**-alpha``, at least 0.", _finite),
    "A": Option("Steps before which the rate hardly falls, at least 0.", _finite),
    "momentum": Option("Share of the velocity that is kept in a step, in [0, 1).", _decay),
    "dampening": Option(
        "The gradient enters the velocity times ``1 - dampening``, in [0, 1). 0 gives the "
        "classical velocity; `dampening` = `momentum` the running average, whose effective rate "
        "is smaller by the factor ``1 - momentum``.",
        _decay,
    ),
    "beta1": Option(
        "Decay of the running average of the gradients, in [0, 1). (Of `schedule_free_adamw`: what "
        "`beta` is of `schedule_free_sgd`.)",
        _decay,
    ),
    "beta2": Option(
        "Decay of the running average of the squared gradients, in [0, 1). (Of `adamax`: of the "
        "largest gradient; of `lion`: of the average gradient that is kept for the next step.)",
        _decay,
    ),
    "beta3": Option("Decay of the sums that the distance is estimated from, in [0, 1).", _decay),
    "beta": Option(
        "Share of the average, not of the base point, in the point where the gradient is taken, in "
        "[0, 1).",
        _decay,
    ),
    "rho": Option("Decay of the running average of the squared gradients, in [0, 1).", _decay),
    "eps": Option(
        "Guard against division by zero, at least 0. (The step of finite differences, which SciPy "
        "calls `eps`, is `finite_diff_rel_step`.)",
        _nonnegative,
    ),
    "eta_minus": Option("Factor of a step whose gradient has changed its sign.", _decay),
    "eta_plus": Option("Factor of a step whose gradient has kept its sign.", _positive),
    "step_min": Option("Shortest step of a parameter, times the learning rate.", _nonnegative),
    "step_max": Option("Longest step of a parameter, times the learning rate.", _nonnegative),
    "maxcor": Option(
        "The number of steps that are remembered. 0 chooses by the number of parameters.",
        count(0, 10_000),
    ),
    "mincor": Option(
        "How many of them count before the 500th step. 0: all, if `maxcor` is given; else 12.",
        count(0),
    ),
    "momentum_decay": Option(
        "The momentum of step t is ``beta1 * (1 - 0.96**(t * momentum_decay) / 2)``; at least 0.",
        _nonnegative,
    ),
    "initial": Option("Where both running averages start, at least 0.", _nonnegative),
    "final_rate": Option(
        "The rate of gradient descent at the end, as a multiple of the learning rate, above 0.",
        _positive,
    ),
    "gamma": Option(
        "How fast the bounds of the rates close (adabound), or the perturbation shrinks, like "
        "``t**-gamma`` (spsa); above 0 and below 1.",
        _fraction,
    ),
    "switch": Option(
        "The method changes over when two rates differ by less than this, as a multiple of the "
        "learning rate; 0: never.",
        _nonnegative,
    ),
    "d0": Option(
        "First estimate of the distance to the minimum, above 0; rather too small.", _positive
    ),
    "d0_squared": Option(
        "First estimate of the squared distance to the minimum, above 0; rather too small.",
        _positive,
    ),
    "d_coef": Option("Factor of the estimates of the distance, above 0.", _positive),
    "weight_decay": Option("Strength of the pull towards zero, at least 0.", _nonnegative),
}

COMMON = {
    "learning_rate": Option(
        "The step size: a number, an array with one rate for each parameter, a schedule ``t -> "
        'rate`` called with the number of the step (1, 2, ...), ``"armijo"`` or ``"wolfe"`` for a '
        'line search, or ``"auto"`` for the rule that suits the method.',
        rate,
    ),
    "max_learning_rate": Option(
        'The longest step of ``learning_rate="polyak"``. Default: no limit.',
        number(0, above=True),
        math.inf,
    ),
    "maxiter": Option(
        "Most iterations; a float is accepted. A run that ends here is no success.",
        count(0),
        20_000,
    ),
    "maxfev": Option(
        "Most calls of `fun`, those for finite differences included. Default: no limit.",
        count(1),
        2**62,
    ),
    "maxtime": Option("Most seconds. Default: no limit.", number(0), math.inf),
    "gtol": Option(
        "Converged when no component of the gradient (with bounds: of the projected gradient) is "
        "larger than this.",
        number(0),
        1e-5,
    ),
    "ftol": Option(
        "Stop, as a success, when an iteration changes f by at most ``ftol * max(|f|, 1)``. "
        "Default: off.",
        number(0),
        -1.0,
    ),
    "xtol": Option(
        "Stop, as a success, when a step is at most ``xtol * (xtol + |x|)`` long (2-norms). "
        "Default: off.",
        number(0),
        -1.0,
    ),
    "target": Option(
        "Stop, as a success, when f is at most this. Default: off.", number(), -math.inf
    ),
    "tol": Option("SciPy's general tolerance: `gtol`, where that is not given.", number(0), None),
    "disp": Option("Print SciPy's summary at the end.", flag, False),
    "progress": Option(
        "Show a bar (needs tqdm) with the iterations, f, the gradient norm and the rate.",
        flag,
        False,
    ),
    "return_all": Option("Keep all iterates, x0 included, in ``result.allvecs``.", flag, False),
    "history": Option(
        "Keep the iterates, values, gradient norms, rates and counts in ``result.history``, a "
        "`scipy_gd.History`.",
        flag,
        False,
    ),
    "rng": Option(
        "Seed or `numpy.random.Generator` for all randomness; the global state is never touched.",
        generator,
    ),
    "batch_size": Option(
        "Rows of the data in a step: the arrays in `args` that have as many rows are cut into "
        "mini-batches, without being copied, and `fun` and `jac` see the rows of one batch; every "
        "row once an epoch, the last batch may be short; more than there are means all. "
        '``learning_rate="auto"`` is then the published constant; `nit` counts steps, and the '
        "result is evaluated on all data. Default: all data in every evaluation.",
        count(1),
    ),
    "epochs": Option(
        "How often every row is seen. The end of the last one is a success of its own kind; the "
        "gradient test is made there, on all data. Default: 100, or no limit where `maxiter` is "
        "given.",
        count(1),
    ),
    "shuffle": Option("Whether every epoch has an order of its own, from `rng`.", flag, True),
    "batch_args": Option(
        "Positions in `args` of the arrays that are cut into batches. Default: those whose first "
        "axis has the length that more than one of them has.",
        positions,
    ),
    "validation": Option(
        "Held-out data, a tuple in the place of the arrays that are cut into batches: `fun` is "
        "evaluated on them after every epoch (``result.validation_losses``), and the point with "
        "the lowest loss is returned.",
        anything,
    ),
    "patience": Option(
        "Stop after so many epochs without a lower loss on `validation`. Default: never.",
        count(1),
        2**62,
    ),
    "averaging": Option(
        'Return an average of the iterates: ``"polyak"`` for the mean, or the decay, in (0, 1), of '
        "an exponentially weighted one (bias-corrected). On a deterministic objective only if it "
        "is the better point.",
        averages,
    ),
    "clip_value": Option(
        "The formula sees no component of the gradient above this; the gradient test sees all. "
        "Default: off.",
        number(0, above=True),
    ),
    "clip_norm": Option(
        "The formula sees the gradient scaled down to this 2-norm where it is longer. Default: "
        "off.",
        number(0, above=True),
    ),
    "groups": Option(
        "Hyper-parameters of groups of parameters: a sequence of ``(slice, {name: value})``, with "
        "numbers or schedules as values.",
        pairs,
    ),
    "resume": Option(
        "The `state` of an earlier result: go on from there, exactly as if that run had not "
        "stopped. Give the same options; `x0` is not used, and budgets count from here.",
        anything,
    ),
    "check_grad": Option(
        "Check `jac` against finite differences before the first step; raise `GradientError` with "
        "the table if it is wrong.",
        flag,
        False,
    ),
    "finite_diff_scheme": Option(
        'Differences for a missing `jac`: "2-point", "3-point" or "cs" (complex step).',
        one_of("2-point", "3-point", "cs"),
        "2-point",
    ),
    "finite_diff_rel_step": Option(
        "Relative step of the differences, a number or one for each parameter. Default: the root "
        "(2-point, cs) or cube root (3-point) of the machine precision.",
        _positive,
    ),
    "workers": Option(
        "Evaluate the differences in parallel: a number of processes (-1: all cores) or a map-like "
        "callable such as ``Pool.map``.",
        map_like,
    ),
    "maxiter_is_success": Option(
        "Report success when `maxiter` ends the run: for callers that discard anything else, such "
        "as `basinhopping`, with a method that is meant to run a fixed number of steps.",
        flag,
        False,
    ),
    "compiled": Option(
        "Whether the loop runs compiled, when `fun`, `jac` and the like are Numba functions or C "
        "functions. Default: as soon as all runs of these functions have spent 0.1 s in Python, "
        "about what the compilation takes; it is kept as long as the functions live. False: never; "
        "True: from the first step, or an error says why not.",
        one_of(None, True, False),
    ),
}


DEFAULTS = {name: option.default for name, option in COMMON.items()}


def settings(method: Method, options: Mapping[str, Any], n: int) -> dict[str, Any]:
    """All options of a run, checked; unknown names are left out (`unknown` finds them)."""
    known = DEFAULTS | {"learning_rate": method.learning_rate, **method.hyper}
    for name, value in options.items():
        if value is not None and name in known:
            known[name] = check(method, name)(name, value, n)
    if options.get("gtol") is None and known["tol"] is not None:
        known["gtol"] = known["tol"]
    return known


def check(method: Method, name: str) -> Check:
    """How a value of this option is checked; hyper-parameters of a user's own are numbers."""
    if name in method.hyper:
        return HYPER[name].check if name in HYPER else per_parameter(number())
    return COMMON[name].check


def unknown(method: Method, options: Mapping[str, Any]) -> list[str]:
    """The names that mean nothing to this method."""
    return [name for name in options if name not in COMMON and name not in method.hyper]
