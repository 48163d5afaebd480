"""How a run can end: one table of SciPy's status, the success flag and the message."""

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
"""Endings of runs that could be continued."""

# What is known of a run, for the advice: where its gradients come from, and who chose its rate.
WITH_JAC, DIFFERENCES = "with `jac`", "with differences"
PENALTY = "with the penalty of `weight_decay`"
PULL = "with a `weight_decay` separate from the gradient"
GIVEN_RATE, POLYAK, SEARCH = "at a given rate", "with Polyak's step", "with automatic steps"


class Ending(NamedTuple):
    """What the user sees in the result; `advice` maps facts about a run to sentences."""

    status: int
    success: bool
    message: str
    advice: Mapping[str, str] = MappingProxyType({})

    def text(self, known: Collection[str]) -> str:
        """The message, with the advice that applies to what is known about the run."""
        applies = (say for fact, say in self.advice.items() if fact in known)
        return " ".join([self.message, *applies])


NOISY = "If the function is noisy, use adam with a `learning_rate` schedule."
HELD = "The cause may be `weight_decay`, which keeps the parameters in a box around 0."
DECAYED = {PENALTY: "The objective is `fun` + `weight_decay`/2 |x|^2."}
ENDINGS = {
    CONVERGED: Ending(0, True, "Optimization terminated successfully.", DECAYED),
    TARGET: Ending(0, True, "The function value has reached `target`.", DECAYED),
    FTOL: Ending(0, True, "The relative change in the function value is below `ftol`."),
    XTOL: Ending(0, True, "The relative step length is below `xtol`."),
    EPOCHS: Ending(0, True, "The requested `epochs` are complete."),
    EARLY: Ending(0, True, "The held-out loss has not improved for `patience` epochs."),
    MAXITER: Ending(
        1, False, "Maximum number of iterations has been exceeded: increase `maxiter`."
    ),
    MAXFEV: Ending(
        1,
        False,
        "Maximum number of function evaluations has been exceeded: increase `maxfev`.",
    ),
    MAXTIME: Ending(1, False, "Maximum time has been exceeded: increase `maxtime` (in seconds)."),
    PRECISION: Ending(
        2,
        False,
        "Desired error not necessarily achieved due to precision loss: no step along the descent "
        "direction decreases the function value.",
        {
            WITH_JAC: (
                "Check the gradient (`check_grad=True`) and the scaling of the parameters "
                f"(`x_scale`), or accept a larger `gtol`. {NOISY}"
            ),
            DIFFERENCES: (
                "Provide the gradient (`jac`), check the scaling of the parameters (`x_scale`), "
                "or accept a larger `gtol`. If the function is noisy, specify the noise level "
                "(`noise`), average several evaluations, or use spsa."
            ),
            PULL: HELD,
        },
    ),
    UNDEFINED: Ending(
        3,
        False,
        "The function or its gradient is not finite (inf or NaN) at the starting point x0: start "
        "where both are finite.",
    ),
    NONFINITE: Ending(
        3,
        False,
        "The function or its gradient is not finite (inf or NaN). Use `bounds` to keep the "
        "parameters where both are finite.",
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
            SEARCH: "The function appears to be unbounded below: check it, or set `bounds`.",
        },
    ),
    STALLED: Ending(
        5,
        False,
        "No progress in the last 1000 iterations: neither the best function value (by 1e-8, "
        "relative) nor the best gradient norm (by 1 %) has improved.",
        {
            GIVEN_RATE: (
                "If the iterates oscillate, lower `learning_rate` or decrease it with a schedule; "
                "if they hardly move, raise it."
            ),
            POLYAK: "Check `target`, or lower `max_learning_rate`.",
            SEARCH: f"Accept a larger `gtol`, or use another method, such as lbfgs. {NOISY}",
            PULL: HELD,
        },
    ),
    NOISE_REACHED: Ending(
        6,
        True,
        "The noise level of the function has been reached: the gradient can no longer be "
        "distinguished from zero.",
    ),
    KINK: Ending(
        7,
        True,
        "A minimum at a kink has been reached: a convex combination of nearby gradients vanishes.",
    ),
    INFEASIBLE: Ending(
        8,
        False,
        "No feasible point was found: every point the search converged to violates `constraints`. "
        "Check that they do not contradict each other, or start elsewhere.",
    ),
    MULTIPLIERS: Ending(
        9,
        False,
        "The multipliers grow without bound. The returned point may be the solution, but the "
        "gradients of the active `constraints` are linearly dependent there, or vanish. Check "
        "whether one constraint duplicates others, or is the square of a quantity that must be "
        "zero.",
    ),
    UNBOUNDED: Ending(
        10,
        False,
        "The function appears to be unbounded below where `constraints` hold: check their signs, "
        "or set `bounds`.",
    ),
    UNIMPROVED: Ending(
        12,
        False,
        "No epoch lowered the held-out loss below its value at the starting point, which is "
        "returned. Check `validation`, or lower `learning_rate`.",
    ),
    NO_LOSS: Ending(
        3,
        False,
        "The held-out loss is NaN: check `validation`, or lower `learning_rate`.",
    ),
    STAGNATED: Ending(
        11, False, "No significant progress has been made in `stagnation` iterations."
    ),
    CALLBACK: Ending(99, False, "`callback` raised `StopIteration`."),
}
