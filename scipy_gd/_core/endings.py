"""How a run can end: one table, from the ending to SciPy's status, the flag and the message."""

from __future__ import annotations

from typing import NamedTuple

RUNNING, CONVERGED, TARGET, FTOL, XTOL = range(5)
MAXITER, MAXFEV, MAXTIME, PRECISION, NONFINITE, DIVERGED, STALLED = range(5, 12)
EPOCHS, EARLY = 13, 14
NOISE_REACHED = 15
BROKEN = 12  # the formula has raised an error; so does the run
CALLBACK = 99


class Ending(NamedTuple):
    """What the user reads in the result."""

    status: int
    success: bool
    message: str


ENDINGS = {
    CONVERGED: Ending(0, True, "Optimization terminated successfully."),
    TARGET: Ending(0, True, "The function value has reached `target`."),
    FTOL: Ending(0, True, "The relative change of the function value is below `ftol`."),
    XTOL: Ending(0, True, "The relative length of the step is below `xtol`."),
    EPOCHS: Ending(0, True, "The requested `epochs` are complete."),
    EARLY: Ending(0, True, "The held-out loss has not improved for `patience` epochs."),
    MAXITER: Ending(
        1, False, "Maximum number of iterations has been exceeded (`maxiter`): allow more of them."
    ),
    MAXFEV: Ending(
        1,
        False,
        "Maximum number of function evaluations has been exceeded (`maxfev`): allow more of them.",
    ),
    MAXTIME: Ending(
        1, False, "Maximum time has been exceeded (`maxtime`, in seconds): allow more of it."
    ),
    PRECISION: Ending(
        2,
        False,
        "Desired error not necessarily achieved due to precision loss: no step along the descent "
        "direction lowers the function. Check the gradient (`check_grad=True`) and the units "
        "(`x_scale`), or accept a larger `gtol`; if the objective is noisy, use a fixed "
        "`learning_rate` with a schedule.",
    ),
    NONFINITE: Ending(
        3,
        False,
        "The function or its gradient is not finite (inf or NaN). Lower `learning_rate`, or keep "
        "the parameters where the function is defined with `bounds`.",
    ),
    DIVERGED: Ending(
        4, False, "The iterates diverge: the steps are too long. Lower `learning_rate`."
    ),
    STALLED: Ending(
        5,
        False,
        "No progress: neither the best function value (1e-8 relative) nor the best gradient norm "
        "(1 %) improved over the last 1000 iterations. The iterates oscillate, or the steps are "
        "too short: lower `learning_rate`, or let it fall with a schedule.",
    ),
    NOISE_REACHED: Ending(
        6,
        True,
        "The noise of the function is reached: the gradient cannot be told from zero any more.",
    ),
    CALLBACK: Ending(99, False, "`callback` raised `StopIteration`."),
}
