"""Thousands of small fits in one call: time per fit, growth, Dask, first call, memory.

There are 2,000 fits of each model: two decays (4 parameters, 30 points), a peak on a background (4,
30), and a spot in an image of 13 x 13 counts (6 parameters). All solvers run in one process
restricted to one core, so that XLA, BLAS and our code use one thread each. They run in turn, and
the time is the minimum of several runs after one that compiles. All functions are compiled: ours,
SciPy's and xarray's by Numba, the others' by XLA. The tolerance is 1e-8 for all: `ftol` and `xtol`,
`rtol` and `atol`, or `gtol`. "own tolerances" are our default tolerances, 1e-14. "arrived" counts
the fits whose sum of squares is within 1e-6 of the lowest that any solver found for these data.
"floor" is the time to evaluate what our fits evaluate, in a compiled loop without any fits, at
points between start and end: residuals and Jacobians, residuals alone with finite differences, or
values with gradients for lbfgs.

JAX's solvers solve the normal equations by Cholesky, which is fastest here. They differentiate the
model automatically and are compiled as a whole: under `vmap`, where all fits continue until the
last one has ended, or one after the other with `lax.map`. jaxopt's loops are not unrolled and take
at most 30 iterations, its default; both make it faster. "In short" compares with the fastest JAX
solver with which 95 % of the fits arrive.

lbfgs: 2,000 runs on Rosenbrock's function, each with a random start and a valley of its own width.
"same bits" counts the runs that end exactly where a single call ends.

Growth: the peak with increasing k or m; n / 2 peaks and 100 points with increasing n; residuals and
Jacobian in one function. Threads: 100,000 fits on two cores. Dask: the same fits in blocks of 5,000
rows, timed until the whole result is here. The blocks are already on the workers, each a process
with one thread. Both clusters are warm. The cost of a block is the time of 400 blocks of 10 fits
beyond that of the fits themselves.

A first call, with 2,000 fits: of a newly defined function, beyond the time to compile the function
itself (measured on an equal one); of a function that was called before but not minimized; and of
the first function again, with other data. In a fresh process with a warm disk cache: its first
call, and the minimum of three more.

A file: a million peaks as doubles in a memory map, 240 MB, on one core. Memory is private to the
process (anonymous and shared pages, without those of files), beyond its size before the call.

The estimate for 1e8 fits on 100 cores adds up a worker's time per fit, as above; one scheduler,
which hands out blocks one after the other; and the bytes of data and results over one link of 10
Gbit/s Ethernet, 1.25 GB/s. In reality these overlap.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench import _many_costs, _many_dask, _many_fitters
from bench._alone import alone, watched
from bench._many_costs import KINDS, MANY
from bench._many_fitters import JAXS, OURS
from bench._report import Table, show

DIFFERENCES = "levenberg_marquardt, differences"
CURVE_FIT = "curve_fit, jitted model"
NETWORK = 10e9 / 8  # bytes a second: 10 Gbit/s Ethernet
FIRST = ("first of a process", "next ones")


class Part(NamedTuple):
    measure: Callable[[], Any]
    tables: Callable[[Any], list[Table]]


def measure():
    found = {name: part.measure() for name, part in PARTS.items()}
    tables = [table for name, part in PARTS.items() for table in part.tables(found[name])]
    return [in_short(found), *tables]


# --- tables


def of_fits(found):
    columns = ["", "us a fit", ": ours", "arrived", "floor", ": floor", "first call, s"]
    tables = []
    for case in found:
        ours = case.rows[OURS].seconds
        rows = []
        for name, row in case.rows.items():
            floor = case.floors.get(name, float("nan"))
            us = 1e6 * row.seconds, row.seconds / ours, row.arrived
            rows.append([name, *us, 1e6 * floor, row.seconds / floor, row.first])
        tables.append(Table(f"2,000 fits of {case.name}", columns, rows))
    return tables


def of_lbfgs(found):
    rows = []
    for name, (us, same) in found.items():
        one, loop, scipys = us["one call"], us["loop"], us["L-BFGS-B"]
        rows.append([name, one, loop, loop / one, scipys, scipys / one, same])
    columns = ["2,000 runs", "one call", "loop", "ratio", "L-BFGS-B, loop", "ratio", "same bits"]
    return [Table("Microseconds a run of lbfgs", columns, rows)]


def of_growth(found):
    rows = [
        [name, us, iterations, floor, us / floor] for name, (us, iterations, floor) in found.items()
    ]
    columns = ["", "us a fit", "iterations", "floor", ": floor"]
    return [Table("Growth", columns, rows)]


def of_workers(found):
    rows = [[name, one, two, one / two] for name, (one, two) in found.items()]
    columns = ["100,000 fits", "one thread", "two", "ratio"]
    return [Table("Seconds with threads", columns, rows)]


def of_first_calls(found):
    rows = [
        [f"{kind}: {which}", *row]
        for kind, both in found.items()
        for which, row in zip(FIRST, both, strict=True)
    ]
    columns = ["", "first call", "compiling it", "beyond", "called before", "other data"]
    return [Table("Seconds of a first call", columns, rows)]


def of_memmap(found):
    (seconds, ended, returned), (private, of_file) = found
    row = ["a peak on a ground", seconds, ended, *(b / 1e6 for b in (private, returned, of_file))]
    columns = [
        "1,000,000 fits", "seconds", "success", "MB above the start", "of these the result",
        "MB of the file",
    ]  # fmt: skip
    return [Table("From a memory map", columns, [row])]


def of_dask(found):
    rows = [[name, *s, s[1] / s[2]] for name, s in found.seconds.items()]
    columns = ["100,000 fits", "here", "one worker", "two workers", "ratio"]
    costs = [
        [name, 1e3 * found.block, *map(float, moved), 1e9 * sum(moved) / NETWORK]
        for name, moved in found.moved.items()
    ]
    others = ["", "ms a block", "bytes a fit takes", "returns", "ns at 10 Gbit/s"]
    return [
        Table("Seconds with Dask", columns, rows),
        Table("What else there is to pay", others, costs),
        Table("Seconds of 1e8 fits on 100 cores, on paper", ESTIMATE, [*estimates(found)]),
    ]


ESTIMATE = [
    "", "fits", "scheduler", "results", "sum, data at the workers", "data", "sum with data",
    "of it fits",
]  # fmt: skip


def estimates(found, fits=1e8, cores=100):
    """Seconds of the fits, of the scheduler, and of the network."""
    for name, (_, one, _) in found.seconds.items():
        computing = fits * one / MANY / cores
        taken, returned = (fits * b / NETWORK for b in found.moved[name])
        for size in (10_000, 100_000):
            scheduling = fits / size * found.block
            near = computing + scheduling + returned
            yield [
                f"{name}, blocks of {size:,}", computing, scheduling, returned, near,
                taken, near + taken, computing / (near + taken),
            ]  # fmt: skip


def mapped_file():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peaks"
        return watched(_many_costs.of_memmap, path, *_many_costs.write(path, 1_000_000))


def first_calls():
    alone(_many_costs.warm)
    return {kind: alone(_many_costs.of_first_calls, kind) for kind in KINDS}


PARTS = {
    "fits": Part(lambda: alone(_many_fitters.measured), of_fits),
    "lbfgs": Part(lambda: alone(_many_costs.of_lbfgs), of_lbfgs),
    "growth": Part(lambda: alone(_many_costs.of_growth), of_growth),
    "workers": Part(lambda: alone(_many_costs.of_workers, cores=2), of_workers),
    "first_calls": Part(first_calls, of_first_calls),
    "memory_map": Part(mapped_file, of_memmap),
    "dask": Part(lambda: alone(_many_dask.of_dask, cores=2), of_dask),
}


# --- the short table


def in_short(found):
    rows = [
        *lines_of_fits(found["fits"]),
        *(at_least(f"lbfgs, one call : a loop, {name}", 1.5, us["loop"] / us["one call"])
          for name, (us, _) in found["lbfgs"].items()),
        *(at_least(f"two threads, {name}", 1.7, one / two)
          for name, (one, two) in found["workers"].items()),
        *(at_least(f"two Dask workers, {name}", 1.6, one / two)
          for name, (_, one, two) in found["dask"].seconds.items()),
        *(at_most(f"first call, seconds beyond compiling: {kind}", 0.6, first[2])
          for kind, (first, _) in found["first_calls"].items()),
        at_most("1e6 fits from a memory map: MB", 300, found["memory_map"][1][0] / 1e6),
    ]  # fmt: skip
    return Table("In short", ["", "wanted", "measured", "holds"], rows)


def lines_of_fits(found):
    """By case: faster than curve_fit and than JAX's, and not much slower than the floor."""
    for case, given, differences in zip(found, (15, 15, 8), (8, 8, 4), strict=True):
        us = {name: row.seconds for name, row in case.rows.items()}
        arrive = [name for name, row in case.rows.items() if row.arrived >= 0.95 * case.fits]
        for way in (", vmap", ", lax.map"):
            jaxs = [name for name in arrive if name.startswith(JAXS) and name.endswith(way)]
            best = min(jaxs, key=us.get)
            yield at_least(f"{case.name}: {best} : ours", 3, us[best] / us[OURS])
        yield at_least(f"{case.name}: curve_fit : ours", given, us[CURVE_FIT] / us[OURS])
        what = f"{case.name}: curve_fit : ours by differences"
        yield at_least(what, differences, us[CURVE_FIT] / us[DIFFERENCES])
        for name, most in ((OURS, 3), (DIFFERENCES, 1.8)):
            yield at_most(f"{case.name}: {name} : floor", most, us[name] / case.floors[name])


def at_least(what, wanted, measured):
    return [what, f">= {show(wanted)}", measured, "yes" if measured >= wanted else "no"]


def at_most(what, wanted, measured):
    return [what, f"<= {show(wanted)}", measured, "yes" if measured <= wanted else "no"]
