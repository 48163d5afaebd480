"""The state of a run: vectors in the rows of `V`, named scalars in the record `s`.

Two plain arrays hold all that a run is. The machine (`_machine.py`), the step rules (`_steps.py`)
and the lifted formulas (`_kernel.py`) read and write them compiled, the drivers by name; saving
them saves the run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

POINTS = 3
"""The first rows of `V` are the current point, the trial and the best point, which take turns; as
many rows after them hold the gradients there, in the same order."""
HYPER = 16
"""The most hyper-parameters, and the most states, that a formula may have."""
RECENT = 32
"""How many function values are remembered."""

# What the next `tell` must bring, as bits; nothing means that the run has ended.
DONE, VALUE, GRADIENT, HESSIAN, NOISE = 0, 1, 2, 4, 8

# Step rules: who chooses the rate, see `_steps.py`.
FIXED, KEEP_BEST, FIFTH, ARMIJO, WOLFE, SPECTRAL, BOLD, RESTART = range(8)

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
        # what the run is made of: address of the lifted formula, step rule, hyper-parameters
        ("kernel", "i8"),
        ("rule", "i8"),
        ("needs", "i8"),
        ("sampled", "i8"),
        ("averaging", "f8"),
        ("clip_value", "f8"),
        ("clip_norm", "f8"),
        ("h", "f8", (HYPER,)),
        ("init", "f8", (HYPER,)),
        # when to stop
        ("maxiter", "i8"),
        ("patience", "i8"),
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
        ("rate_old", "f8"),
        ("f_trial", "f8"),
        ("slope", "f8"),
        ("slope_last", "f8"),
        ("dnorm", "f8"),
        ("snorm", "f8"),
        ("promised", "f8"),
        ("trials", "i8"),
        ("fresh", "i8"),
        # line searches: the bracket, and what is wanted of the slope at its end
        ("unit", "i8"),
        ("probe", "i8"),
        ("c2", "f8"),
        ("low", "f8"),
        ("f_low", "f8"),
        ("slope_low", "f8"),
        ("high", "f8"),
        ("f_high", "f8"),
        ("width", "f8"),
        # spectral steps and restarts
        ("tau", "f8"),
        ("short", "f8", (6,)),
        ("pairs", "i8"),
        ("theta", "f8"),
        ("f_kept", "f8"),
        # the last progress worth the name, and a bound on max |x|
        ("f_mark", "f8"),
        ("g_mark", "f8"),
        ("nit_mark", "i8"),
        ("reach", "f8"),
        ("far", "f8"),
    ],
    align=True,
)


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
    s["nit"] = -1
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
