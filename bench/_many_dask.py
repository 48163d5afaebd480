"""Fits of Dask arrays on local workers, and what a block and a fit cost there."""

import contextlib
import logging
import warnings
from typing import NamedTuple

import numpy as np

from bench._many_costs import MANY, fitted, tiled
from bench._many_fitters import timed
from bench._many_models import cases, peak

BLOCK = 5000


class There(NamedTuple):
    seconds: dict[str, list[float]]  # of many fits here, with one worker and with two, by case
    block: float  # seconds of a block beyond its fits
    moved: dict[str, tuple[int, float]]  # bytes that a fit takes and returns


def of_dask(k=MANY):
    seconds = {case.name: [timed_here(case, k)] for case in cases(2000)}
    for workers in (1, 2):
        with cluster(workers):
            for case in cases(2000):
                seconds[case.name].append(timed_there(case, k))
            block = of_blocks()
    few = cases(20)
    moved = {c.name: (c.Y[0].nbytes, size_of(fitted(c, c.Y)) / len(c.Y)) for c in few}
    return There(seconds, block, moved)


@contextlib.contextmanager
def cluster(workers):
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0,
            silence_logs=logging.ERROR,
        ) as local,
        Client(local) as client,
    ):  # fmt: skip
        yield client


def timed_here(case, k):
    Y = tiled(case.Y, k)
    return min(timed(lambda: fitted(case, Y))[0] for _ in range(2))


def timed_there(case, k):
    """Least seconds of three; the data are with the workers before."""
    Y = shared(tiled(case.Y, k), BLOCK)
    return min(timed(lambda: fitted(case, Y).compute())[0] for _ in range(4))


def shared(Y, rows):
    import dask.array as da
    from dask.distributed import wait

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is large
        blocks = da.from_array(Y, chunks=(rows, -1)).persist()
    wait(blocks)
    return blocks


def of_blocks(number=400, rows=10):
    """Seconds that a block takes beyond its fits."""
    case = peak(number * rows, np.random.default_rng(0))
    Y = shared(case.Y, rows)
    whole = min(timed(lambda: fitted(case, Y).compute())[0] for _ in range(3))
    return (whole - timed_here(case, len(case.Y))) / number


def size_of(res):
    return sum(value.nbytes for value in res.values() if isinstance(value, np.ndarray))
