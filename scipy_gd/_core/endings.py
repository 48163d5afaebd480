"""How a run can end: one table, from the ending to SciPy's status, the flag and the message."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

RUNNING, CONVERGED, TARGET, FTOL, XTOL = range(5)
MAXITER, MAXFEV, MAXTIME, PRECISION, NONFINITE, DIVERGED, STALLED = range(5, 12)
EPOCHS, EARLY = 13, 14
NOISE_REACHED, KINK = 15, 16
BROKEN = 12  # the formula has raised an error; so does the run
UNDEFINED = 17  # not finite, and the run is still at its start
INFEASIBLE, MULTIPLIERS, UNBOUNDED = 18, 19, 20  # of constrained problems
STAGNATED = 21
UNIMPROVED, NO_LOSS = 22, 23  # of runs with held-out data
CALLBACK = 99
OF_A_BUDGET = MAXITER, MAXFEV, MAXTIME, CALLBACK
"""Endings of runs that could go on."""

# What is known of a run, for the advice: where its gradients come from, and who chose its rate.
WITH_JAC, DIFFERENCES = "with `jac`", "with differences"
PENALTY = "with the penalty of `weight_decay`"
PULL = "with a `weight_decay` separate from the gradient"
GIVEN_RATE, POLYAK, SEARCH = "at a given rate", "with Polyak's step", "with automatic steps"


class Ending(NamedTuple):
    """What the user reads in the result; `advice` has sentences for the runs they apply to."""

    status: int
    success: bool
    message: str
    advice: Mapping[str, str] = MappingProxyType({})

    def text(self, known: Collection[str]) -> str:
        """The message, with the advice that applies to what is known of the run."""
        applies = (say for fact, say in self.advice.items() if fact in known)
        return " ".join([self.message, *applies])


NOISY = "If the function is noisy, use adam with a schedule for `learning_rate`."
HELD = "It may be `weight_decay` that stops the run: it holds the parameters in a box around 0."
DECAYED = {PENALTY: "The objective is `fun` + `weight_decay`/2 |x|^2."}
ENDINGS = {
    CONVERGED: Ending(0, True, "Optimization terminated successfully.", DECAYED),
    TARGET: Ending(0, True, "The function value has reached `target`.", DECAYED),
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
        "direction lowers the function.",
        {
            WITH_JAC: "Check the gradient (`check_grad=True`), look after the scaling of the "
            f"parameters (`x_scale`), or accept a larger `gtol`. {NOISY}",
            DIFFERENCES: "Give the gradient (`jac`), look after the scaling of the parameters "
            "(`x_scale`), or accept a larger `gtol`. If the function is noisy, tell how much "
            "(`noise`), average several of its values, or use spsa.",
            PULL: HELD,
        },
    ),
    UNDEFINED: Ending(
        3,
        False,
        "The function or its gradient is not finite (inf or NaN) at the start x0: begin where both "
        "are.",
    ),
    NONFINITE: Ending(
        3,
        False,
        "The function or its gradient is not finite (inf or NaN). Keep the parameters where both "
        "are, with `bounds`.",
        {
            GIVEN_RATE: "Or make shorter steps: lower `learning_rate`.",
            POLYAK: "Or make shorter steps: lower `max_learning_rate`.",
        },
    ),
    DIVERGED: Ending(
        4,
        False,
        "The iterates diverge.",
        {
            GIVEN_RATE: "The steps are too long: lower `learning_rate`.",
            POLYAK: "The steps are too long: lower `max_learning_rate`, and check `target`.",
            SEARCH: "The function seems to fall without end: check it, or set `bounds`.",
        },
    ),
    STALLED: Ending(
        5,
        False,
        "No progress: neither the best function value (1e-8 relative) nor the best gradient norm "
        "(1 %) improved over the last 1000 iterations.",
        {
            GIVEN_RATE: "Where the iterates oscillate, lower `learning_rate`, or let it fall with "
            "a schedule; where they hardly move, raise it.",
            POLYAK: "Check `target`, or lower `max_learning_rate`.",
            SEARCH: f"Accept a larger `gtol`, or use another method, such as lbfgs. {NOISY}",
            PULL: HELD,
        },
    ),
    NOISE_REACHED: Ending(
        6,
        True,
        "The noise of the function is reached: the gradient cannot be told from zero any more.",
    ),
    KINK: Ending(
        7,
        True,
        "A minimum at a kink is reached: a convex combination of gradients around it vanishes.",
    ),
    INFEASIBLE: Ending(
        8,
        False,
        "No feasible point was found: wherever the search for one came to rest, `constraints` were "
        "violated. Check that they do not contradict each other, or start elsewhere.",
    ),
    MULTIPLIERS: Ending(
        9,
        False,
        "The multipliers grow without bound. The returned point may be the solution, but the "
        "gradients of the active `constraints` are linearly dependent there, or vanish. Check "
        "whether one constraint repeats others, or is the square of what is to be zero.",
    ),
    UNBOUNDED: Ending(
        10,
        False,
        "The function seems to fall without end where `constraints` hold: check their signs, or "
        "set `bounds`.",
    ),
    UNIMPROVED: Ending(
        12,
        False,
        "No epoch has lowered the held-out loss below that at the start, which is returned. Check "
        "`validation`, or lower `learning_rate`.",
    ),
    NO_LOSS: Ending(
        3,
        False,
        "The held-out loss is not a number (NaN): check `validation`, or lower `learning_rate`.",
    ),
    STAGNATED: Ending(
        11, False, "No progress worth the name has been made for `stagnation` iterations."
    ),
    CALLBACK: Ending(99, False, "`callback` raised `StopIteration`."),
}
