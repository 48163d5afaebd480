"""A run as plain arrays, and back: what `result.state` holds and the option `resume` takes."""

from __future__ import annotations

import copy
from collections import UserDict
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.machine import go_on
from .._core.state import RECORD, record
from .drive import Run

if TYPE_CHECKING:
    from .._formula import Formula

# What belongs to the process or the call, not to the run.
OF_THE_CALL = ("kernel", "gtol", "ftol", "xtol", "target", "patience", "clip_value", "clip_norm")


class State(UserDict[str, Any]):
    """A dict that is not printed with its result."""

    def __repr__(self) -> str:
        return f"<state of {self['method']} after {self['nit']} iterations>"


def save(run: Run, method: Formula) -> State:
    """The state of a run, ready to be pickled: arrays, numbers and the state of its generator.

    `V` is the run's own: it must not go on, or the state must be copied.
    """
    objective, sampling = run.objective, run.sampling
    s = record(run.s.base)
    if run.pending:
        s["ask"] = run.pending
    state = State(run.saved or {"V": run.V, "s": s})
    state |= {
        "method": method.__name__,
        "nit": max(run.r.nit, 0),
        "counts": np.array([objective.nfev, objective.njev, objective.nhev]),
    }
    if run.rng is not None:
        state.setdefault("rng", copy.deepcopy(run.rng.bit_generator.state))
    if objective.probe is not None:
        state["probes"] = objective.probe.t
    if sampling is not None:
        state["losses"] = list(sampling.losses)
        state["x_best"] = sampling.x_best
    if sampling is not None and sampling.batches is not None:
        batches = sampling.batches
        state["order"], state["cursor"] = batches.order.copy(), batches.cursor.copy()
        state["closed"] = batches.closed
    return state


def restore(run: Run, method: Formula, state: Any, rate_is_given: bool) -> None:
    """Put a run that has not begun where another one has stopped.

    A learning rate that the method has found goes on; one that is given is the one of this call.

    Raises
    ------
    TypeError, ValueError
        If `state` is none, or one of another method, size or set of options.
    """
    V, r = run.V, run.r
    try:
        saved = record(np.asarray(state["s"], RECORD).tobytes())[0]
        kept = np.asarray(state["V"], float)
        nfev, njev, nhev = map(int, state["counts"])
        name, nit = state["method"], int(state["nit"])
    except (TypeError, KeyError, ValueError, IndexError):
        raise TypeError("`resume` must be the `state` of a result of this version") from None
    if name != method.__name__:
        raise ValueError(f"`resume` is the state of {name}, not of {method.__name__}")
    shape = (
        "rows",
        "n",
        "rule",
        "states",
        "arrays",
        "array_rows",
        "bounds",
        "average",
        "clipped",
        "sampled",
    )
    if kept.shape != V.shape or any(saved[field] != getattr(r, field) for field in shape):
        raise ValueError(
            "`resume` is the state of a run with other options or another number of parameters"
        )
    if not np.array_equal(kept[_bounds(r)], V[_bounds(r)]):
        raise ValueError("`resume` is the state of a run with other bounds")
    if any(each.follows_value for each in run.scheduled):
        raise ValueError("`resume` cannot continue a schedule that follows the values of `fun`")
    steps = r.maxiter
    # limits and hyper-parameters may be new ones
    given = slice(r.arrays, r.arrays + r.array_rows)
    fresh = V[given].copy()
    now = {field: getattr(r, field) for field in OF_THE_CALL}
    h, alpha = list(r.h), r.alpha
    run.s[0] = saved
    V[:] = kept
    V[given] = fresh
    for field, value in now.items():
        setattr(r, field, value)
    for k, value in enumerate(h):
        r.h[k] = value
    if rate_is_given:
        r.alpha = alpha
    elif run.objective.probe is not None:  # the limit that was found together with the rate
        r.clip_norm = min(r.clip_norm, saved["clip_norm"])
    r.maxiter = min(nit + steps, 2**62)
    for each in run.scheduled:
        each.set(max(r.nit, 0) + 1, r.f)
    objective, sampling = run.objective, run.sampling
    objective.nfev, objective.njev, objective.nhev = nfev, njev, nhev
    objective.maxfev = min(objective.maxfev + objective.nfev, 2**62)
    objective.f = r.f_trial
    if "rng" in state and run.rng is not None:
        kind = getattr(np.random, state["rng"]["bit_generator"], None)
        if kind is not None and type(run.rng.bit_generator) is not kind:
            raise ValueError("`rng` must be of the kind that the run began with")
        run.rng.bit_generator.state = state["rng"]
    if objective.probe is not None:
        objective.probe.t = state["probes"]
    if sampling is not None:
        sampling.losses, sampling.x_best = list(state["losses"]), state["x_best"]
        if sampling.batches is not None:
            order = np.asarray(state["order"])
            if not np.array_equal(np.sort(order), np.arange(sampling.batches.rows)):
                raise ValueError("`resume` is the state of a run with another number of rows")
            sampling.batches.order = order.copy()
            sampling.batches.cursor[:] = state["cursor"]
            sampling.batches.closed = state["closed"]
    if not r.ask:
        go_on(run.V, run.s)


def _bounds(r: Any) -> slice:
    """Their rows of V, if there are any."""
    return slice(r.bounds, r.bounds + 2) if r.bounds >= 0 else slice(0)
