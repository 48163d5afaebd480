"""An experiment with six knobs and a noisy reading, turned by SPSA: two readings a step.

The experiment hands out numbers when it likes, so that it is asked and told; and since the power
may fail, its state goes through a file on the way.
"""

import pickle
import tempfile
from pathlib import Path

import numpy as np

from scipy_gd import spsa, start

BEST = np.array([0.3, -0.6, 1.0, 0.1, -0.2, 0.5])


class Experiment:
    """Readings of a bowl, plus noise of 0.05."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.readings = 0

    def read(self, knobs):
        self.readings += 1
        return np.sum((knobs - BEST) ** 2) + 0.05 * self.rng.normal()


def main(steps=600):
    experiment = Experiment(seed=1)
    options = {"learning_rate": 1.0, "c": 0.2, "A": 60, "clip_norm": 5.0, "rng": 0}
    run = start(spsa, np.zeros(6), bounds=[(-2, 2)] * 6, maxiter=steps, **options)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.pickle"
        while not run.done:
            run.tell([experiment.read(knobs) for knobs in run.ask()])
            if run.nit == steps // 2 and not file.exists():
                file.write_bytes(pickle.dumps(run))
                run = pickle.loads(file.read_bytes())  # after the power failure
    res = run.result()
    print(f"{res.nit} steps, {experiment.readings} readings")
    print("knobs", res.x.round(2), "best", BEST)
    return res, experiment


if __name__ == "__main__":
    main()
