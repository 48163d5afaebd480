"""Objectives f + r with a penalty r whose proximal operator is known.

The user's f has the gradients; r is reached by its addresses in the record (`prox`, `penalty`, and
`settings`, the memory in which both find what they need, see `proximal.py`). A step goes to
``y = prox(x - alpha d)``, which is the point with the lowest ``r(y) + |y - x + alpha d|^2 / (2
alpha)``; with the gradient as d that point promises a decrease of f + r.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .bits import POINTS
from .endings import BROKEN
from .jit import call_for_number, local, vector_at


@intrinsic
def address_of_row(typing, vector):
    """Where the numbers of a vector are; `ctypes` would count references."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(vector), codegen


@local
def prox(V, r, row, step):
    """Replace a row by its proximal point, within the bounds."""
    if step > 0.0 and call_for_number(r.prox, (address_of_row(V[row]), r.n, step, r.settings)):
        r.ending = BROKEN
    if r.bounds >= 0:
        for i in range(r.n):
            V[row, i] = min(max(V[row, i], V[r.bounds, i]), V[r.bounds + 1, i])


@local
def penalty(V, r, row):
    """The value of the penalty at a row."""
    if call_for_number(r.penalty, (address_of_row(V[row]), r.n, r.settings)):
        r.ending = BROKEN
    return vector_at(r.settings, 1)[0]


@local
def residual(V, r, row):
    """The largest component of x - prox(x - g), a row of its own; 0 where x is stationary."""
    x, g, p, top = V[row], V[row + POINTS], V[r.residual], 0.0
    for i in range(r.n):
        p[i] = x[i] - g[i]
    prox(V, r, r.residual, 1.0)
    for i in range(r.n):
        p[i] = x[i] - p[i]
        if not abs(p[i]) <= top:  # NaN stays
            top = abs(p[i])
    return top


@local
def remember_step(V, r, rate):
    """Make the step to the trial the velocity, in units of the rate."""
    if r.velocity >= 0 and rate > 0.0:
        for i in range(r.n):
            V[r.velocity, i] = (V[r.x, i] - V[r.trial, i]) / rate


@local
def finish_step(V, r):
    """What a step of the formula alone has left to do: the trial is x - rate g so far."""
    rate = r.alpha if r.pace < 0 else r.alpha * V[r.pace, 0]
    prox(V, r, r.trial, rate)
    remember_step(V, r, rate)
    square = 0.0
    for i in range(r.n):
        square += (V[r.trial, i] - V[r.x, i]) ** 2
    r.snorm = np.sqrt(square)
