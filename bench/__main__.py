"""``python -m bench NAME``: run one benchmark, print its tables, write bench/results/NAME.md.

``python -m bench many.fits`` only prints one part, for benchmarks that define `PARTS`.
"""

import importlib
import os
import pkgutil
import sys

# One thread for everybody; read when the libraries are loaded.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import bench  # noqa: E402
from bench._report import save  # noqa: E402


def main(arguments: list[str]) -> int:
    names = [m.name for m in pkgutil.iter_modules(bench.__path__) if not m.name.startswith("_")]
    if not arguments:
        for name in names:
            doc = importlib.import_module(f"bench.{name}").__doc__ or ""
            print(f"{name:12} {doc.splitlines()[0]}")
        return 0
    unknown = [name for name in arguments if name.split(".")[0] not in names]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(names)}")
        return 2
    for name, _, part in (argument.partition(".") for argument in arguments):
        module = importlib.import_module(f"bench.{name}")
        if part:
            found = module.PARTS[part].measure()
            print(*module.PARTS[part].tables(found), sep="\n\n")
        else:
            save(name, module.__doc__ or "", module.measure())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
