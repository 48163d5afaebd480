"""From options to memory: the rows of `V`, the record `s`, and what schedules change in them."""

from __future__ import annotations

import functools
import math
import zlib
from typing import Any, NamedTuple

import numpy as np
from numba import types

from .. import _options
from .._core.addresses import address_of, rule_at
from .._core.arrival import average, clip
from .._core.bits import GRADIENT, HESSIAN, HYPER, NOISE, POINTS, RATE
from .._core.kernel import Kernel, divisible, fused, lift
from .._core.proximal import Placed
from .._core.state import blank, named, record
from .._core.steps import RULES, StepRule
from .._evaluate.adaptive import ROWS as MEASURE
from .._formula import Formula
from ..arguments import Vector, per_parameter, shown
from .penalties import refuse_rates
from .scheduled import Scheduled

Box = tuple[Vector, Vector] | None
SMALLEST = 100_000
"""The number of parameters from which threads are worth their handshakes."""
UNKNOWN = 2.0**100
"""The inverse of an unknown curvature, if x has a scale and f may have any unit: the size of x
limits the step."""


def lay_out(
    method: Formula,
    x: Vector,
    box: Box,
    opts: dict[str, Any],
    sampled: bool = False,
    measured: bool = False,
    scale: Vector | None = None,
    penalty: Placed | None = None,
) -> tuple[Vector, Any, list[Scheduled]]:
    """The memory before the first evaluation, and what schedules change in it.

    Gradients may be `measured` from values, which takes extra memory. `x` and `box` are in units of
    the `scale`. On a sampled objective, values cannot be compared: no line search, no best point.
    """
    _refuse(method, opts, sampled)
    opts = ungrouped(method, opts, x.size)
    if scale is not None and method.penalty:
        opts = opts | {method.penalty: _times(opts[method.penalty], scale * scale)}
    rule = rule_for(method, opts, sampled, measured)
    values, scheduled = _hyper_parameters(method, rule, x, opts)
    arrays = tuple([name for name, value in values.items() if type(value) is np.ndarray])
    if penalty is not None:
        refuse_rates(method, rule, arrays, opts)
    shape = Shape(
        method,
        rule.name,
        x.size,
        bounded=box is not None,
        arrays=arrays,
        sampled=sampled,
        clipped=_clipped(method, opts),
        averaged=opts["averaging"] is not None,
        maxcor=int(values["maxcor"]) if method.memory else 0,
        measured=measured,
        scaled=scale is not None,
        divided=_divided(method, opts, x.size),
        penalized=penalty is not None,
    )
    s = record(_frame(shape))
    r = named(s)
    V = _before_the_start(r, x, box, scale)
    if penalty is not None:
        r.prox, r.penalty, r.settings = penalty.prox, penalty.penalty, penalty.settings
        r.penalized, r.block = penalty.mark, penalty.block
    for name, value in method.init.items():
        V[r.states + method.states.index(name)] = value
    for k, name in enumerate(arrays):
        V[r.arrays + k] = values[name]
    for k, name in enumerate(method.hyper):
        if name not in arrays:
            r.h[k] = values[name]
    r.alpha = values["learning_rate"] if r.one_rate else 1.0
    for each in scheduled:
        _place(each, method, arrays, V, s)
    if scheduled or sampled or not r.needs & GRADIENT:
        r.stall_after = 2**62
    _settle(r, method, opts)
    if settle := getattr(rule.module, "settle", None):
        settle(r, method, opts)
    return V, s, scheduled


def _before_the_start(r: Any, x: Vector, box: Box, scale: Vector | None) -> Vector:
    """The rows, with what is known without the method's options."""
    V = _rows(r.rows, x.size)
    V[:POINTS], V[POINTS : 2 * POINTS] = x, np.nan
    if r.start >= 0:
        V[r.start] = x
    if box is not None:
        V[r.bounds : r.bounds + 2] = box
    for row in (r.p, r.free, r.diagonal):
        if row >= 0:
            V[row] = 1.0
    if scale is not None:
        V[r.scale] = scale
        if r.diagonal >= 0:
            V[r.diagonal] = UNKNOWN
    return V


def _settle(r: Any, method: Formula, opts: dict[str, Any]) -> None:
    """Set the stopping tests, clipping and averaging from the options."""
    for name in ("maxiter", "gtol", "gtol_rel", "ftol", "xtol", "target", "stagnation"):
        setattr(r, name, opts[name])
    r.alpha_max, r.threads = opts["max_learning_rate"], opts["threads"]
    if method.probes:  # an estimate of the gradient proves nothing
        r.gtol = r.gtol_rel = -1.0
    if r.clip:
        r.clip_value = math.inf if opts["clip_value"] is None else opts["clip_value"]
        r.clip_norm = math.inf if opts["clip_norm"] is None else opts["clip_norm"]
    if opts["averaging"] is not None:
        r.averaging = 1.0 if opts["averaging"] == "polyak" else opts["averaging"]


def _refuse(method: Formula, opts: dict[str, Any], sampled: bool) -> None:
    """Reject options that cannot be combined."""
    if sampled and not method.needs & GRADIENT:
        raise ValueError(
            f"{method.__name__} compares function values, so it cannot be used on a sampled "
            "objective (mini-batches)"
        )
    for name, what in (("gtol_rel", "values"), ("ftol", "values"), ("xtol", "steps")):
        if sampled and opts[name] >= 0.0:
            raise ValueError(
                f"`{name}` compares {what}, so it cannot be used on a sampled objective "
                "(mini-batches)"
            )
    if opts["averaging"] is not None and method.average:
        raise ValueError(
            f"`averaging` cannot be used with {method.__name__}, which averages its iterates itself"
        )
    if _clipped(method, opts) and "g_old" in method.supplied:
        raise ValueError(
            f"`clip_value` and `clip_norm` cannot be used with {method.__name__}, which compares "
            "gradients"
        )


def _divided(method: Formula, opts: dict[str, Any], n: int) -> bool:
    """Whether threads share the work; this does not pay off in few dimensions."""
    if opts["threads"] == 1:
        return False
    if not divisible(method):
        raise ValueError(
            f"`threads` must be 1 for {method.__name__}: its formula uses more than elementwise "
            "operations, `dot` and `norm`"
        )
    return n >= SMALLEST


def _clipped(method: Formula, opts: dict[str, Any]) -> bool:
    return opts["clip_value"] is not None or opts["clip_norm"] is not None or method.probes


class Shape(NamedTuple):
    """What determines the rows and the code of a run."""

    method: Formula
    rule: str
    n: int
    bounded: bool
    arrays: tuple[str, ...]
    sampled: bool
    clipped: bool
    averaged: bool
    maxcor: int
    measured: bool
    scaled: bool
    divided: bool
    penalized: bool


@functools.lru_cache(1024)
def _frame(shape: Shape) -> bytes:
    """A record with all rows and code assigned, but no values yet."""
    s, rule, method = blank(), RULES[shape.rule], shape.method
    r = named(s)
    r.n = r.row_size = shape.n
    _reserve(r, shape)
    if shape.clipped:
        r.clip = address_of(clip, types.void)
    if shape.averaged and not method.average:
        r.follow = address_of(average, types.void)
    for name, value in method.init.items():
        r.init[method.states.index(name)] = value
    r.rule = zlib.crc32(rule.name.encode())  # saved runs know it by its name
    r.searches, r.rounding = rule.searches, rule.rounding
    r.first, r.judge = rule_at(rule.name)
    # with a penalty the bounds come after its proximal operator
    code = method, rule.searches, shape.bounded and not shape.penalized, shape.arrays, shape.clipped
    r.kernel = lift(*code).address
    if shape.divided:
        r.whole, r.divided, r.kernel = r.kernel, lift(*code, True).address, _conductor().address
    r.unit, r.c2, r.one_rate = method.unit, method.c2, "learning_rate" not in shape.arrays
    r.needs = r.ask = method.needs
    r.sampled, r.stall_after = shape.sampled, 1000
    return s.tobytes()


@functools.cache
def _conductor() -> Kernel:
    """What runs the kernel in several threads."""
    from .._core.team import together  # compiles

    return Kernel(together)


def _reserve(r: Any, shape: Shape) -> None:
    """Assign rows to everything."""
    method, rule = shape.method, RULES[shape.rule]
    r.rows = 2 * POINTS

    def reserve(count: int) -> int:
        first = r.rows
        r.rows += count
        return int(first)

    if method.needs & NOISE:
        r.z = reserve(1)
    if rule.searches:
        r.d = reserve(2)
        r.p = reserve(1) if method.preconditioner else -1
    if method.needs & HESSIAN:
        r.hess = reserve(shape.n)
    if shape.bounded:
        r.bounds = reserve(2)
    if "free" in method.supplied:
        r.free = reserve(1)
    if shape.arrays:
        r.arrays, r.array_rows = reserve(len(shape.arrays)), len(shape.arrays)
    if method.states:
        r.states, r.state_rows = reserve(len(method.states)), len(method.states)
    if shape.clipped:
        r.clipped = reserve(1)
    if method.average:
        r.average = r.states + method.states.index(method.average)
    elif shape.averaged:
        r.average = reserve(1)
    if rule.searches:
        r.seen, r.start = reserve(1), reserve(1)
    if rule.searches or shape.measured:
        r.error = reserve(1)
    if shape.measured or "diagonal" in method.supplied:
        r.diagonal = reserve(1)
    if shape.measured:
        r.measure = reserve(MEASURE)
    if rows := getattr(rule.module, "rows", None):
        r.own = reserve(rows(shape.n))
    if shape.scaled:
        r.scale = reserve(1)
    if shape.penalized:
        r.residual = reserve(1)
        for name in ("velocity", "pace"):
            if state := getattr(method, name):
                setattr(r, name, r.states + method.states.index(state))
    if rows := fused(method, shape.bounded and not shape.penalized, shape.arrays).rows:
        r.work = reserve(len(rows))
    if method.memory:
        r.memory = reserve(len(method.memory) * shape.maxcor)


def _rows(rows: int, n: int) -> Vector:
    """Zeros, aligned to a cache line if that matters."""
    if n < 64:
        return np.zeros((rows, n))
    memory = np.zeros(rows * n + 8)
    first = -memory.ctypes.data % 64 // 8
    return memory[first : first + rows * n].reshape(rows, n)


def rule_for(
    method: Formula, opts: dict[str, Any], sampled: bool, measured: bool = False
) -> StepRule:
    """The step rule behind `learning_rate`."""
    rate = opts["learning_rate"]
    slope = method.needs & GRADIENT
    if method.residuals and not (isinstance(rate, str) and rate == "auto"):
        raise ValueError(
            f"`learning_rate` must be 'auto' for {method.__name__}, which chooses its own steps, "
            f"got {shown(rate)}"
        )
    if not isinstance(rate, str):
        return RULES["fixed" if slope else "keep_best"]
    if rate == "auto" and sampled and method.constant is not None:
        return RULES["fixed"]
    name = method.auto if rate == "auto" else rate
    if name is None:
        raise ValueError(f"`learning_rate` must be a number for {method!r}, which has no 'auto'")
    rule = RULES[name]
    if opts["penalty"] is not None and rule.penalized:
        rule = RULES[rule.penalized]
    if measured and rule.on_values:
        rule = RULES[rule.on_values]
    if sampled and not rule.on_samples:
        raise ValueError(
            f"`learning_rate` must be a number, an array or a schedule for {method!r} on a "
            "sampled objective (mini-batches), whose values cannot be compared"
        )
    if rule.searches and (method.probes or not slope):
        raise ValueError(f"`learning_rate` must be a number or 'auto' for {method!r}, got {rate!r}")
    for option in rule.needs:
        if opts[option] == _options.DEFAULTS[option]:
            raise ValueError(f"`learning_rate={name!r}` needs the option `{option}`")
    return rule


def _first_rate(method: Formula, rule: StepRule, x: Vector) -> float:
    """The rate before the first step; 0 if the rule derives it from the direction."""
    if initial_rate := getattr(rule.module, "initial_rate", None):
        return float(initial_rate(x))
    return 0.0 if rule.searches else method.constant  # type: ignore[return-value]


def _hyper_parameters(
    method: Formula, rule: StepRule, x: Vector, opts: dict[str, Any]
) -> tuple[dict[str, Any], list[Scheduled]]:
    """Learning rate and hyper-parameters before the first step, and those that will change."""
    values = {name: opts[name] for name in ("learning_rate", *method.hyper)}
    if values.get("mincor") == 0:
        # a pair that is left out costs more than it saves where gradients are dear
        values["mincor"] = values["maxcor"] or (2**31 if rule.name == "values" else 12)
    if values.get("maxcor") == 0:
        values["maxcor"] = memory_for(x.size)
    if isinstance(values["learning_rate"], str):
        values["learning_rate"] = _first_rate(method, rule, x)
    scheduled = []
    for name, value in values.items():
        if callable(value):
            check = _options.check(method, name)
            if name == "learning_rate":
                check = per_parameter(_options.scheduled_rate)
            each = Scheduled(name, value, functools.partial(_held, check, name, x.size))
            values[name] = each.value(1)
            scheduled.append(each)
    return values, scheduled


def _held(check: Any, name: str, n: int, value: Any) -> Any:
    return check(name, value, n)


def _place(each: Scheduled, method: Formula, arrays: tuple[str, ...], V: Vector, s: Any) -> None:
    """Where a scheduled value belongs."""
    if each.name in arrays:
        row = int(s[0]["arrays"]) + arrays.index(each.name)
        each.slot, each.columns = V[row], HYPER + row * V.shape[1] + np.arange(V.shape[1])
    elif each.name == "learning_rate":
        each.slot, each.columns = s["alpha"], np.array([RATE])
    else:
        k = [*method.hyper].index(each.name)
        each.slot, each.columns = s["h"][0, k : k + 1], np.array([k])


class _Times:
    """A schedule times an array."""

    def __init__(self, schedule: Any, factor: Vector) -> None:
        self.schedule, self.factor = schedule, factor
        self.needs_value = bool(getattr(schedule, "needs_value", False))

    def __call__(self, t: int) -> Any:
        return self.schedule(t) * self.factor

    def start(self) -> Any:
        evaluate = self.schedule.start()
        return lambda t, f: evaluate(t, f) * self.factor


def _times(value: Any, factor: Vector) -> Any:
    """A hyper-parameter times an array; 0 stays 0."""
    if callable(value):
        return _Times(value, factor)
    return value * factor if np.any(value) else value


def memory_for(n: int) -> int:
    """The number of steps that a limited-memory method stores, from the number of parameters."""
    return min(2 * n + 1, 300 if n <= 150 else 15 if n <= 2000 else 10)


def ungrouped(method: Formula, opts: dict[str, Any], n: int) -> dict[str, Any]:
    """The options with the settings of `groups` spread over the parameters, and without groups.

    A group's rate counts as a given rate.
    """
    if opts["groups"] is None:
        return opts
    own = (name for name in method.hyper if name not in ("maxcor", "mincor"))
    values = {name: opts[name] for name in ("learning_rate", *own)}
    return opts | grouped(opts["groups"], values, method, n) | {"groups": None}


def grouped(groups: Any, values: dict[str, Any], method: Formula, n: int) -> dict[str, Any]:
    """The hyper-parameters that `groups` sets, as arrays or as schedules of arrays.

    Raises
    ------
    TypeError, ValueError
        If a group is not a pair of an index and a dict of this method's hyper-parameters.
    """
    parts: dict[str, list[tuple[Any, Any]]] = {}
    for group in groups:
        try:
            where, hyper = group
            members = np.arange(n)[where].size
            items = dict(hyper).items()
        except (TypeError, ValueError, IndexError):
            raise ValueError(
                "`groups` must be pairs (slice or other index, dict of hyper-parameters), got "
                f"{group!r:.80}"
            ) from None
        if members == 0:
            raise ValueError(f"`groups`: {where!r} selects none of the {n} parameters")
        for name, value in items:
            if name not in values:
                raise ValueError(
                    f"`groups` can only set {', '.join(values)} for {method.__name__}, got {name!r}"
                )
            parts.setdefault(name, []).append((where, value))
    whole = {}
    for name, given in parts.items():
        base = values[name]
        if isinstance(base, str):
            base = method.constant if base == "auto" else None
        covered = np.zeros(n, bool)
        for where, _ in given:
            covered[where] = True
        if base is None and not covered.all():
            raise ValueError(f"`{name}` must be a number where no group sets it")
        spread = functools.partial(_spread, np.nan if base is None else base, given, n)
        changing = callable(base) or any(callable(value) for _, value in given)
        check = per_parameter(_options.scheduled_rate)
        if name != "learning_rate":
            check = _options.check(method, name)
        whole[name] = spread if changing else check(name, spread(1), n)
    return whole


def _spread(base: Any, given: list[tuple[Any, Any]], n: int, t: int) -> Vector:
    values = np.empty(n)
    for where, value in [(slice(None), base), *given]:
        values[where] = value(t) if callable(value) else value
    return values
