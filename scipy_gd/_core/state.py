"""The memory of the machine: vectors in the rows of `V`, named scalars in the record `s`.

Two plain arrays hold all that the machine, the step rules and the lifted formulas know. They read
and write them compiled, the drivers by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype, types
from numpy.typing import NDArray

from .bits import HYPER, RECENT
from .steps import RULES

RECORD = np.dtype(
    [
        # where things are: the shape of V and the first row of each kind (-1: there is none)
        ("n", "i8"),
        ("rows", "i8"),
        ("x", "i8"),
        ("trial", "i8"),
        ("best", "i8"),
        ("old", "i8"),
        ("z", "i8"),
        ("d", "i8"),
        ("p", "i8"),
        ("hess", "i8"),
        ("free", "i8"),
        ("bounds", "i8"),
        ("arrays", "i8"),
        ("array_rows", "i8"),
        ("states", "i8"),
        ("state_rows", "i8"),
        ("memory", "i8"),
        ("clipped", "i8"),
        ("average", "i8"),
        # addresses of compiled code (0: there is none): the lifted formula, the step rule's two
        # functions, what happens to a gradient and to a point that have arrived
        ("kernel", "i8"),
        ("first", "i8"),
        ("judge", "i8"),
        ("clip", "i8"),
        ("follow", "i8"),
        # what the run is made of: the number of its step rule, hyper-parameters
        ("rule", "i8"),
        ("searches", "i8"),
        ("needs", "i8"),
        ("sampled", "i8"),
        ("rounding", "f8"),
        ("averaging", "f8"),
        ("clip_value", "f8"),
        ("clip_norm", "f8"),
        ("alpha_max", "f8"),
        ("h", "f8", (HYPER,)),
        ("init", "f8", (HYPER,)),
        # when to stop
        ("maxiter", "i8"),
        ("stall_after", "i8"),
        ("idle", "i8"),
        ("gtol", "f8"),
        ("ftol", "f8"),
        ("xtol", "f8"),
        ("target", "f8"),
        # how far it has come
        ("ask", "i8"),
        ("ending", "i8"),
        ("nit", "i8"),
        ("nfev", "i8"),
        ("njev", "i8"),
        ("nhev", "i8"),
        ("t", "f8"),
        ("f", "f8"),
        ("f_start", "f8"),
        ("f_old", "f8"),
        ("f_best", "f8"),
        ("gnorm", "f8"),
        ("recent", "f8", (RECENT,)),
        # the step under way: x - alpha d, its length, what the slope promises of it; the rate it is
        # made with, which alpha no longer is once a schedule has set the next, and the last one's
        ("alpha", "f8"),
        ("rate", "f8"),
        ("one_rate", "i8"),
        ("rate_old", "f8"),
        ("f_trial", "f8"),
        ("slope", "f8"),
        ("dnorm", "f8"),
        ("snorm", "f8"),
        ("promised", "f8"),
        ("trials", "i8"),
        ("fresh", "i8"),
        # whether the direction comes with its length; what "wolfe" wants of the slope
        ("unit", "i8"),
        ("c2", "f8"),
        # the last progress worth the name, and a bound on max |x|
        ("f_mark", "f8"),
        ("g_mark", "f8"),
        ("nit_mark", "i8"),
        ("extent", "f8"),
        ("far", "f8"),
        # what the step rules remember
        *(field for rule in RULES.values() for field in getattr(rule.module, "SCRATCH", ())),
    ],
    align=True,
)

ADDRESSES = ("kernel", "first", "judge", "clip", "follow")
"""The fields that belong to this process."""

record_type = from_dtype(RECORD)
V_type = types.Array(types.float64, 2, "C")
s_type = types.Array(record_type, 1, "C")
g_type = types.Array(types.float64, 1, "C")
pointers = types.CPointer(types.float64), types.CPointer(record_type)
"""How compiled code that is reached by its address is given `V` and `s`."""


MISSING = (
    "z",
    "d",
    "p",
    "hess",
    "free",
    "bounds",
    "arrays",
    "states",
    "memory",
    "clipped",
    "average",
)


def _blank() -> bytes:
    s = np.zeros(1, RECORD)
    for name in MISSING:
        s[name] = -1
    s["nit"], s["alpha_max"] = -1, np.inf
    for name in ("f", "f_old", "f_trial", "rate"):
        s[name] = np.nan
    for name in ("f_start", "f_best", "f_mark", "g_mark", "gnorm"):
        s[name] = np.inf
    return s.tobytes()


_BLANK = _blank()


def blank() -> NDArray[Any]:
    """The record before anything is laid out, shape (1,)."""
    return record(_BLANK)


def record(content: Any) -> NDArray[Any]:
    """A record from its bytes (or those of another one), in memory of its own."""
    return np.frombuffer(bytearray(content), RECORD)


_Named: Any = np.ctypeslib.as_ctypes_type(RECORD)  # type: ignore[arg-type]


def named(s: NDArray[Any]) -> Any:
    """The fields of a record as attributes, which Python reads as plain numbers: a view."""
    return _Named.from_buffer(s.base)
