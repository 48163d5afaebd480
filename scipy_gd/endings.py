"""How a run can end: SciPy's status, whether it is a success, and the message."""

from ._core.endings import ENDINGS, Ending

__all__ = ["ENDINGS", "Ending"]
