"""Objectives f + r with a penalty r whose proximal operator is known.

The user's f has the gradients; r is reached by its addresses in the record (`prox`, `penalty`, and
`settings`, the memory in which both find what they need, see `proximal.py`). A step goes to
``y = prox(x - alpha d)``, which is the point with the lowest
``r(y) + |y - x + alpha d|^2 / (2 alpha)``; with the gradient as d that point promises a decrease of
f + r. All work on a block of parameters is done while it is in the cache.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .bits import POINTS
from .endings import BROKEN
from .jit import call_for_number, inlined, keep_within, local, maximum, summing, vector_at


@intrinsic
def address_of_row(typing, vector):
    """Where the numbers of a vector are; `ctypes` would count references."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(vector), codegen


@local
def prox(V, r, row, step, first, end):
    """Replace part of a row by its proximal point, within the bounds."""
    at = address_of_row(V[row]), r.n, first, end, step, r.settings
    if step > 0.0 and call_for_number(r.prox, at):
        r.ending = BROKEN
    if r.bounds >= 0:
        keep_within(V[row][first:end], V[r.bounds][first:end], V[r.bounds + 1][first:end])


@local
def penalty_up_to(V, r, row, first, end):
    """The value of the penalty at a row, up to a parameter; those before `first` were asked for."""
    if call_for_number(r.penalty, (address_of_row(V[row]), r.n, first, end, r.settings)):
        r.ending = BROKEN
    return vector_at(r.settings, 1)[0]


@local
def penalty(V, r, row):
    """The value of the penalty at a row."""
    value = 0.0
    for first in range(0, r.n, r.block):
        value = penalty_up_to(V, r, row, first, min(first + r.block, r.n))
    return value


@local
def penalty_at_trial(V, r):
    """The same at the trial, unless it came with the trial."""
    if not r.placed:
        r.penalty_trial, r.placed = penalty(V, r, r.trial), 1
    return r.penalty_trial


@inlined
def go(x, alpha, d, y):
    """y = x - alpha d"""
    for i in range(x.size):
        y[i] = x[i] - alpha * d[i]


@summing
def way(x, y, g):
    """Of the way from x to y: its square, and what the gradient promises of it."""
    square = promised = 0.0
    for i in range(x.size):
        s = x[i] - y[i]
        square += s * s
        promised += g[i] * s
    return square, promised


@local
def proximal_step(V, r, row, direction, alpha):
    """Put prox(x - alpha d) into a row; the step's length, its promise, and the penalty there."""
    x, y, d, g = V[r.x], V[row], V[direction], V[r.x + POINTS]
    square = promised = there = 0.0
    for first in range(0, r.n, r.block):
        end = min(first + r.block, r.n)
        go(x[first:end], alpha, d[first:end], y[first:end])
        prox(V, r, row, alpha, first, end)
        there = penalty_up_to(V, r, row, first, end)
        length, slope = way(x[first:end], y[first:end], g[first:end])
        square += length
        promised += slope
    r.snorm, r.promised = np.sqrt(square), promised + r.penalty_here - there
    return there


@summing
def turn(x, p, alpha):
    """Replace p by (x - p) / alpha; the square of that, and its largest component."""
    square, top, inverse = 0.0, 0.0, 1.0 / alpha
    for i in range(x.size):
        p[i] = (x[i] - p[i]) * inverse
        square += p[i] * p[i]
        top = maximum(top, abs(p[i]))
    return square, top


@local
def residual(V, r, row):
    """x - prox(x - g), a row of its own: its largest component, and its length.

    It is 0 where x is stationary.
    """
    return residual_of_step(V, r, row, 1.0)


@local
def residual_of_step(V, r, row, alpha):
    """The same for steps of another length, in units of g: (x - prox(x - alpha g)) / alpha."""
    x, g, p, square, top = V[row], V[row + POINTS], V[r.residual], 0.0, 0.0
    for first in range(0, r.n, r.block):
        end = min(first + r.block, r.n)
        go(x[first:end], alpha, g[first:end], p[first:end])
        prox(V, r, r.residual, alpha, first, end)
        length, most = turn(x[first:end], p[first:end], alpha)
        square, top = square + length, maximum(top, most)
    return top, np.sqrt(square)


@local
def remember_step(V, r, rate):
    """Make the step to the trial the velocity, in units of the rate."""
    if r.velocity >= 0 and rate > 0.0:
        for i in range(r.n):
            V[r.velocity, i] = (V[r.x, i] - V[r.trial, i]) / rate


@local
def finish_step(V, r):
    """Finish a step of the formula alone: so far, the trial is x - rate g."""
    rate = r.alpha if r.pace < 0 else r.alpha * V[r.pace, 0]
    x, y, square = V[r.x], V[r.trial], 0.0
    for first in range(0, r.n, r.block):
        end = min(first + r.block, r.n)
        prox(V, r, r.trial, rate, first, end)
        length, _ = way(x[first:end], y[first:end], x[first:end])
        square += length
    remember_step(V, r, rate)
    r.snorm = np.sqrt(square)
