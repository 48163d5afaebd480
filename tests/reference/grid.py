"""Prove to the bit that a change of the inside changes no run.

    python tests/reference/grid.py store    # keep the results of this version in grid.json.gz
    python tests/reference/grid.py check    # run everything again and compare

grid_cases.py says what is run. Of each run are kept: the point, the value and the gradient to the
bit; counts, status and success; the held-out losses; hashes of the iterates, of all else that a
callback is told, and of all calls of the user's functions in their order. If it raises, the type of
the error. Messages are not kept: they may be edited.

Bits are those of one machine: another CPU, BLAS, NumPy, SciPy or Numba may round differently. What
the runs were stored with is kept as well, and `check` says so if it differs; with ``--tolerance
1e-6`` numbers may differ by as much, and hashes are not compared.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # this tree, whatever is installed
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import llvmlite
import numba
import numpy as np
import scipy
from grid_cases import BLOCKS, Case, Log, bits

ROOT = Path(__file__).parents[2]
STORE = Path(__file__).with_name("grid.json.gz")
EXPECTED: dict[str, str] = {}
"""Differences that are meant: a pattern of runs, as of `--only`, and the reason."""

NUMBERS = ("x", "fun", "jac", "alpha", "validation_losses")
COUNTS = ("nit", "nfev", "njev", "nhev", "status", "success")
HASHES = ("trace", "told", "calls")
LONGEST = 16  # of more numbers the first ones are kept, and all are hashed
HISTORY = ("nit", "x", "fun", "gnorm", "learning_rate", "nfev", "njev")
FIELDS = ("raised", *COUNTS, *NUMBERS, *HASHES)

Outcome = dict[str, Any]


def outcome(case: Case) -> Outcome:
    """What is kept of a run."""
    log, kept = Log(), {}
    try:
        found = case(log)
    except Exception as error:
        kept["raised"] = type(error).__name__
        found = getattr(error, "optimize_result", {})
    log.note("trace", *found.get("allvecs", ()))
    if history := found.get("history"):
        log.note("told", *(getattr(history, name) for name in HISTORY))
    kept |= {name: int(found[name]) for name in COUNTS if name in found}
    values = {name: found[name] for name in NUMBERS if name in found}
    log.note("trace", *values.values())
    kept |= {name: bits(value)[: 8 * LONGEST].hex() for name, value in values.items()}
    return kept | {name: hashed.hexdigest() for name, hashed in log.hashes.items()}


def runs(pattern: str) -> Iterator[tuple[str, Case]]:
    """All cases by their names, block/case, as far as these match."""
    for block, cases in BLOCKS.items():
        for name, case in cases():
            if fnmatch(f"{block}/{name}", pattern):
                yield f"{block}/{name}", case


def made_with() -> dict[str, str]:
    """The machine and the versions, on which bits may depend."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "CPU": llvmlite.binding.get_host_cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
    }


def commit() -> str:
    """The last one that has changed the package, and whether there are changes since."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments, "--", "scipy_gd"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()

    return git("log", "-1", "--format=%h") + " and changes" * bool(git("status", "--porcelain"))


def load() -> dict[str, Any]:
    return json.loads(gzip.decompress(STORE.read_bytes()))


def store(pattern: str) -> int:
    """Keep the results of this version; of a part of the runs, the others stay as they are."""
    kept: dict[str, Outcome] = {} if pattern == "*" else load()["runs"]
    counts: Counter[str] = Counter()
    for name, case in runs(pattern):
        kept[name] = outcome(case)
        counts[name.split("/")[0]] += 1
    for block, number in counts.items():
        print(f"{block:24}{number:6}")
    content = {"commit": commit(), "made with": made_with(), "runs": kept}
    text = json.dumps(content, separators=(",", ":"))
    STORE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{'':24}{counts.total():6} runs in {STORE.name}, {STORE.stat().st_size / 1000:.0f} kB")
    return 0


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text))


def apart(before: Any, now: Any) -> float:
    """The largest difference of two arrays, relative to the largest number of the first."""
    a, b = numbers(before), numbers(now)
    if a.shape != b.shape or (np.isfinite(a) != np.isfinite(b)).any():
        return np.inf
    usual = np.isfinite(a)
    if not np.array_equal(a[~usual], b[~usual], equal_nan=True):
        return np.inf
    a, b = a[usual], b[usual]
    return float(abs(a - b).max(initial=0.0) / max(abs(a).max(initial=0.0), 1e-300))


def difference(before: Outcome, now: Outcome, tolerance: float | None) -> str:
    """The first field that differs, in words; nothing if none does."""
    for name in FIELDS:
        a, b = before.get(name), now.get(name)
        if a == b or (tolerance is not None and name in HASHES):
            continue
        if a is None or b is None or name not in NUMBERS:
            return name if name in HASHES else f"{name}: {a}, now {b}"
        if tolerance is None or not apart(a, b) <= tolerance:
            return f"{name}: differs by {apart(a, b):.1e}"
    return ""


def check(pattern: str, tolerance: float | None) -> int:
    """Compare with what is stored; 1 if anything differs that is not expected."""
    stored, here = load(), made_with()
    print(f"Stored by {stored['commit']}; this is {commit()}.")
    for name, value in stored["made with"].items():
        if here[name] != value:
            print(f"Bits may differ: stored with {name} {value}, this is {here[name]}.")
    before = {name: kept for name, kept in stored["runs"].items() if fnmatch(name, pattern)}
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    lines = []

    def count(name: str, verdict: str, line: str = "") -> None:
        table[name.split("/")[0]].update((verdict, "runs"))
        if line:
            lines.append(f"{verdict:10}{name:60} {line}")

    for name, case in runs(pattern):
        if name not in before:
            count(name, "new")
            continue
        line = difference(before.pop(name), outcome(case), tolerance)
        reason = next((why for those, why in EXPECTED.items() if fnmatch(name, those)), "")
        verdict = "equal" if not line else "expected" if reason else "different"
        count(name, verdict, f"{line} ({reason})" if line and reason else line)
    for name in before:
        count(name, "gone", "is stored, but no longer run")

    columns = ("runs", "equal", "different", "expected", "new", "gone")
    print(f"{'':24}" + "".join(f"{column:>10}" for column in columns))
    total = Counter[str]()
    for block, counts in table.items():
        print(f"{block:24}" + "".join(f"{counts[column]:10}" for column in columns))
        total += counts
    print(f"{'':24}" + "".join(f"{total[column]:10}" for column in columns))
    for line in lines:
        print(line)
    return int(total["different"] + total["gone"] > 0)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("store", "check"))
    parser.add_argument(
        "--only", metavar="PATTERN", default="*", help="only these runs, such as 'compiled/lbfgs*'"
    )
    parser.add_argument(
        "--tolerance", type=float, metavar="RTOL", help="compare numbers to this, and no hashes"
    )
    given = parser.parse_args()
    if next(runs(given.only), None) is None:
        parser.error(f"no run is called {given.only}")
    warnings.simplefilter("ignore")
    with np.errstate(all="ignore"):
        if given.action == "store":
            return store(given.only)
        return check(given.only, given.tolerance)


if __name__ == "__main__":
    sys.exit(main())
