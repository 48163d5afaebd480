"""``python -m scipy_gd`` and the script ``scipy-gd``; the commands are in `_cli/`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 for success; 1 if a gradient failed its check, or no run converged; 130
        after Ctrl-C. Bad arguments raise SystemExit with code 2, as argparse does.
    """
    # Read when SciPy is loaded. On small problems BLAS threads wait more than they work, and at
    # times half a second at once: that would be L-BFGS-B's time, not the method's.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ._cli import execute

    return execute(argv)


if __name__ == "__main__":
    sys.exit(main())
