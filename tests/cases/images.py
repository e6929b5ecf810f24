"""Cases of image files and folders of them."""

from __future__ import annotations

from .case import Case

CASES: tuple[Case, ...] = ()
