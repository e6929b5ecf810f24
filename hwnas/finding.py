"""What ``hwnas doctor`` says: one finding a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the diagnosis; ``advice`` is empty where all is well.

    ``files``: each that it holds for.
    """

    area: str
    level: Level
    text: str
    advice: str = ""
    files: tuple[str, ...] = ()


Check = tuple[str, Callable[[], Iterator[Finding]]]
"""An area, and what looks at it."""
