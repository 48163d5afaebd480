"""The option `progress`: a bar with the iterations, f, the gradient norm and the rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._core.state import GRADIENT

if TYPE_CHECKING:
    from .drive import Run


@contextmanager
def shown(run: Run, title: str) -> Iterator[None]:
    """Show a bar, in a terminal or a notebook, while the run goes on.

    It is told of the run now and then, between two evaluations, not in every iteration.

    Raises
    ------
    ImportError
        If tqdm is missing.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            "`progress` needs tqdm: pip install scipy_gd[plot]", name="tqdm"
        ) from error

    r = run.r
    with tqdm(total=r.maxiter if r.maxiter < 2**62 else None, desc=title, unit="it") as bar:

        def report() -> None:
            slope = f", |g| {r.gnorm:.2e}" if r.needs & GRADIENT else ""
            bar.set_postfix_str(f"f {r.f:.6g}{slope}, rate {r.rate_old:.2e}", refresh=False)
            bar.update(max(r.nit, 0) - bar.n)

        run.report = report
        try:
            yield
        finally:
            report()
            run.report = None
