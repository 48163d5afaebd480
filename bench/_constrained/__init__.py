"""Small problems with constraints from the literature, and solvers that are judged on them."""

import json
from pathlib import Path

import numpy as np

from bench._constrained import hock_schittkowski, more
from bench._constrained.notation import Problem

# Problems of even index are for tuning, the odd half is for judging.
PROBLEMS = [
    problem
    for module in (hock_schittkowski, more)
    for problem in vars(module).values()
    if isinstance(problem, Problem)
]


def minima():
    """A solution of each, by its name: best of several solvers from many starts."""
    text = Path(__file__).with_name("minima.json").read_text()
    return {name: np.array(x) for name, x in json.loads(text).items()}
