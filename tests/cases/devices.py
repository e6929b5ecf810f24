"""Cases of device files, remote commands and what a current folder holds."""

from __future__ import annotations

from .case import Case

CASES: tuple[Case, ...] = ()
