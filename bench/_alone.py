"""Run functions in separate processes with a limited number of cores."""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

FRESH = multiprocessing.get_context("spawn")


def alone(function, *args, cores=1):
    """What a function returns in a fresh process that may use so many cores.

    Threads of all libraries share these, whatever they think of their number: XLA's, BLAS's, ours.
    """
    with ProcessPoolExecutor(1, FRESH, pin, (cores,)) as pool:
        return pool.submit(function, *args).result()


def pin(cores):
    if hasattr(os, "sched_setaffinity"):  # on Linux
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])


def watched(function, *args):
    """What a function returns in a fresh process with one core, and the memory it has taken.

    `function` gets a further argument to call when it is ready to begin. The memory is the most
    that it has then had, beyond that moment, in bytes: private, and mapped from files.
    """
    ours, theirs = FRESH.Pipe()
    child = FRESH.Process(target=_report, args=(theirs, function, args))
    child.start()
    ours.recv()
    base = peak = _memory(child.pid)
    ours.send("go")
    while not ours.poll(0.002):
        peak = [max(*pair) for pair in zip(peak, _memory(child.pid), strict=True)]
    value = ours.recv()
    child.join()
    return value, [p - b for p, b in zip(peak, base, strict=True)]


def _report(connection, function, args):
    pin(1)

    def ready():
        connection.send("ready")
        connection.recv()
        return time.perf_counter()

    connection.send(function(*args, ready))


def _memory(pid):
    """Anonymous and shared pages, and those of files, in bytes; NaN where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return [float("nan")] * 2
    kilobytes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    sizes = {name: 1024 * int(size) for name, size in kilobytes.items()}
    return [sizes["RssAnon"] + sizes["RssShmem"], sizes["RssFile"]]
