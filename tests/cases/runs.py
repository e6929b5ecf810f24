"""Cases of run directories, configs and texts from files."""

from __future__ import annotations

from .case import Case

CASES: tuple[Case, ...] = ()
