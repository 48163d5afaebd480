"""The memory of the machine: vectors in the rows of `V`, named scalars in the record `s`.

Two plain arrays hold everything that the machine, the step rules and the lifted formulas know.
Compiled code accesses them directly, and the drivers by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype, types
from numpy.typing import NDArray

from . import noise, trials
from .bits import HYPER, RECENT, fields
from .steps import RULES

ADDRESSES = "kernel first judge clip follow whole divided team prox penalty settings"
"""Fields of this process: the addresses of compiled code (0: there is none). The lifted formula,
the step rule's two functions, the handling of a new gradient and a new point; with threads, the
formula for one and for several, and what they share; a penalty's functions, and their memory."""
ROWS = (
    "z d p hess free bounds arrays states memory clipped average seen start diagonal error measure "
    "scale own work residual velocity pace"
)
"""The first row of each optional part (-1: the run does not have it)."""

MEASURED = fields("i8", "paired known forward estimates") + [("steepest", "f8", (5,))]
"""For differences with adaptive intervals: whether there are two points per component, whether the
curvatures are known, how many gradients in a row were forward ones, how often the noise was
estimated; the largest curvatures along the last steps."""

RECORD = np.dtype(
    [
        *fields("i8", f"n rows x trial best old {ROWS} array_rows state_rows {ADDRESSES}"),
        # what the run is made of: the number of its step rule, what the formula is given
        *fields("i8", "rule searches needs sampled unit one_rate"),
        # how many threads; how long the rows are, of which one has n elements; which one it is; a
        # checksum of the penalty
        *fields("i8", "threads row_size part penalized"),
        *fields("f8", "rounding averaging clip_value clip_norm alpha_max c2"),
        ("h", "f8", (HYPER,)),
        ("init", "f8", (HYPER,)),
        # when to stop
        *fields("i8", "maxiter stall_after idle stagnation"),
        *fields("f8", "gtol gtol_rel ftol xtol target"),
        # how far it has come; the last progress worth the name; a bound on max |x|; f when the run
        # was between an eighth and a quarter as long, and what will be that; max |g| in units of z
        *fields("i8", "ask ending closing nit nfev njev nhev nit_mark"),
        *fields("f8", "t f f_start f_old f_best gnorm f_mark g_mark extent far"),
        *fields("f8", "f_early f_then f_later gnorm_scaled"),
        # of values, or of their running mean on samples: the first, the lowest and when that was,
        # and how far above it the last one is
        *fields("i8", "nit_lowest"),
        *fields("f8", "f_mean f_first f_lowest risen"),
        ("recent", "f8", (RECENT,)),
        # the step under way: x - alpha d, its length, what the slope promises of it; the rate it is
        # made with, which alpha no longer is once a schedule has set the next, and the last one's
        *fields("f8", "alpha rate rate_old f_trial slope dnorm snorm promised"),
        *fields("i8", "trials fresh"),
        # of a penalty: how many parameters it is asked for at a time; its values at the current
        # point and at the trial, and whether this is known before the trial is evaluated
        *fields("i8", "block placed"),
        *fields("f8", "penalty_here penalty_trial"),
        # the best trial that was not kept; the noise of f; how the gradient is measured
        *trials.SCRATCH,
        *noise.SCRATCH,
        *MEASURED,
        # what the step rules remember
        *(field for rule in RULES.values() for field in getattr(rule.module, "SCRATCH", ())),
    ],
    align=True,
)

record_type = from_dtype(RECORD)
V_type = types.Array(types.float64, 2, "C")
s_type = types.Array(record_type, 1, "C")
g_type = types.Array(types.float64, 1, "C")
pointers = types.CPointer(types.float64), types.CPointer(record_type)
"""How compiled code called by address receives `V` and `s`."""


def _blank() -> bytes:
    s = np.zeros(1, RECORD)
    for name in ROWS.split():
        s[name] = -1
    s["nit"], s["alpha_max"] = -1, np.inf
    for name in ("f", "f_old", "f_trial", "rate"):
        s[name] = np.nan
    for name in ("f_start", "f_best", "f_seen", "f_visible", "f_mark", "g_mark", "gnorm"):
        s[name] = np.inf
    return s.tobytes()


_BLANK = _blank()


def blank() -> NDArray[Any]:
    """The record before anything is laid out, shape (1,)."""
    return record(_BLANK)


def record(content: Any) -> NDArray[Any]:
    """A record from its bytes (or those of another one), in its own memory."""
    return np.frombuffer(bytearray(content), RECORD)


_Named: Any = np.ctypeslib.as_ctypes_type(RECORD)  # type: ignore[arg-type]


def named(s: NDArray[Any]) -> Any:
    """The fields of a record as attributes, which Python reads as plain numbers: a view."""
    return _Named.from_buffer(s.base)
