"""What the schedules look like: draws docs/schedules.png."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

from scipy_gd import plot
from scipy_gd import schedules as s

PANELS = {
    "falling": {
        "step": s.step(1.0, every=50, factor=0.5),
        "exponential": s.exponential(1.0, 0.98),
        "inverse_time": s.inverse_time(1.0, 0.02),
    },
    "to an end": {
        "linear": s.linear(1.0, 0.1, steps=150),
        "polynomial, power 2": s.polynomial(1.0, 0.1, steps=150, power=2),
        "cosine": s.cosine(1.0, 0.1, steps=150),
    },
    "up and down": {
        "cosine_restarts": s.cosine_restarts(1.0, 0.0, period=50),
        "one_cycle": s.one_cycle(1.0, steps=200),
        "warmup, then cosine": s.warmup(40, s.cosine(1.0, 0.0, steps=160)),
    },
    "momentum": {
        "linear(0.5, 0.99)": s.linear(0.5, 0.99, steps=150),
        "constant": s.constant(0.9),
    },
}


def main(path=Path(__file__).parent.parent / "docs" / "schedules.png"):
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), layout="constrained")
    for ax, (title, curves) in zip(axes, PANELS.items(), strict=True):
        plot.schedules(curves, ax=ax)
        ax.set(title=title, ylim=(-0.03, 1.4))
    figure.savefig(path, dpi=110)
    return figure


if __name__ == "__main__":
    main()
