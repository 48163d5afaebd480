"""Tables, timing and where the figures come from."""

import importlib.metadata
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "scipy_gd",
    "numpy",
    "scipy",
    "numba",
    "scikit-learn",
    "torch",
    "jax",
    "optax",
    "optimagic",
    "Py-BOBYQA",
    "PyNomadBBO",
    "noisyopt",
    "nlopt",
    "lmfit",
    "iminuit",
    "optimistix",
    "jaxopt",
    "pyproximal",
    "skglm",
    "xarray",
    "dask",
    "distributed",
    "dask-glm",
)


class Table(NamedTuple):
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def shown(self) -> "Table":
        """The same, its figures as they are shown."""
        return self._replace(rows=[list(map(show, row)) for row in self.rows])

    def __str__(self) -> str:
        cells = [self.columns, *self.shown().rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = []
        for row in cells:
            padded = (
                c.ljust(w) if k == 0 else c.rjust(w)
                for k, (c, w) in enumerate(zip(row, widths, strict=True))
            )
            lines.append(f"| {' | '.join(padded)} |")
        rule = [("-" * w if k == 0 else "-" * (w - 1) + ":") for k, w in enumerate(widths)]
        lines.insert(1, f"| {' | '.join(rule)} |")
        return "\n".join(([f"### {self.title}", ""] if self.title else []) + lines)


def show(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def save(name: str, about: str, tables: Sequence[Table]) -> None:
    """Print the tables and write them down, with the versions and the machine; and as data."""
    text = "\n\n".join(map(str, tables))
    print(text)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    picture = f"![{name}]({name}.png)\n\n" if path.with_suffix(".png").exists() else ""
    path.write_text(
        f"# {name}\n\n{about.strip()}\n\n`python -m bench {name}`, {time.strftime('%Y-%m-%d')}\n\n"
        f"{machine()}\n\n{picture}{text}\n"
    )
    data = {"about": about.strip(), "tables": [table.shown()._asdict() for table in tables]}
    path.with_suffix(".json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    print(f"\nwritten to {path}")


def saved(name: str) -> tuple[str, dict[str, Table]]:
    """What a benchmark has said about itself, and its tables by their titles."""
    data = json.loads((RESULTS / f"{name}.json").read_text())
    return data["about"], {table["title"]: Table(**table) for table in data["tables"]}


def machine() -> str:
    """One line: processor, system, versions."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    try:
        info = Path("/proc/cpuinfo").read_text()
        cpu = next(line.split(":")[1].strip() for line in info.splitlines() if "model name" in line)
    except (OSError, StopIteration):
        cpu = platform.processor()
    return f"{cpu}, {platform.system()}, Python {platform.python_version()}, {', '.join(versions)}"


def seconds_each(
    contestants: dict[str, Callable[[], Any]], rounds: int = 7, least: float = 0.02
) -> dict[str, float]:
    """Median seconds of a call of each, in turn: a drift of the machine hits all alike."""
    repeats = {}
    for name, call in contestants.items():
        call()
        number, spent = 1, 0.0
        while spent < least:
            number *= 2
            spent = timed(call, number) * number
        repeats[name] = number
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            time.sleep(0.05)  # threads of the one before come to rest
            call()
            times[name].append(timed(call, repeats[name]))
    return {name: statistics.median(ts) for name, ts in times.items()}


def timed(call: Callable[[], Any], number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number
