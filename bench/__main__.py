"""``python -m bench NAME``: run one benchmark, print its tables, write bench/results/NAME.md."""

import importlib
import pkgutil
import sys

import bench
from bench._report import save


def main(arguments: list[str]) -> int:
    names = [m.name for m in pkgutil.iter_modules(bench.__path__) if not m.name.startswith("_")]
    if not arguments:
        for name in names:
            doc = importlib.import_module(f"bench.{name}").__doc__ or ""
            print(f"{name:12} {doc.splitlines()[0]}")
        return 0
    unknown = [name for name in arguments if name not in names]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(names)}")
        return 2
    for name in arguments:
        module = importlib.import_module(f"bench.{name}")
        save(name, module.__doc__ or "", module.run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
