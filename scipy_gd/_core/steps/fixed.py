"""The rate is known in advance, and every trial is the next point: nothing to judge."""

from __future__ import annotations
