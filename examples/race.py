"""Methods racing on the classic landscapes: python examples/race.py [name] [file] [2d | 3d]

Draws docs/race.gif, or any of the landscapes below to a .gif, .html or .mp4 file of your choice.
The learning rates are constants, as in the textbook; the default would find its own.
"""

import sys
from pathlib import Path

from scipy_gd import plot, problems

RACES = {
    "ravine": {
        "fun": problems.quadratic(2, condition=30),
        "rates": {"gd": 0.06, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.05, "adam": 0.1},
    },
    "saddle": {
        "fun": problems.saddle(),
        "x0": [1.5, -1e-3],
        "window": [(-2, 2), (-2, 2)],
        "scale": "linear",
        "rates": {"gd": 0.05, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.05, "adam": 0.1},
    },
    "rosenbrock": {
        "fun": problems.rosenbrock(),
        "window": [(-2, 2), (-1, 3)],
        "maxiter": 1000,
        "rates": {"gd": 2e-3, "momentum": 5e-4, "nesterov": 5e-4, "rmsprop": 0.02, "adam": 0.2},
    },
    "beale": {
        "fun": problems.beale(),
        "window": [(-1, 4), (-2, 2)],
        "rates": {"gd": 0.01, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.05, "adam": 0.1},
    },
    "himmelblau": {
        "fun": problems.himmelblau(),
        "x0": [-0.5, -1.0],
        "window": [(-5, 5), (-5, 5)],
        "rates": {"gd": 0.01, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.1, "adam": 0.3},
    },
}


PICTURE = Path(__file__).parent.parent / "docs" / "race.gif"


def main(name="saddle", path=PICTURE, view="3d", **options):
    race = RACES[name] | {"view": view} | options
    rates = race.pop("rates")
    methods = [(label, label, {"learning_rate": rate}) for label, rate in rates.items()]
    return plot.animate(methods, path=path, title=name, **race)


if __name__ == "__main__":
    main(*sys.argv[1:])
