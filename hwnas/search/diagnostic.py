"""What is noticed about a search while it runs: a diagnostic with advice, and a rollback after a
divergence.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnostic:
    """Something that a person should know about a search: where, what kind, what was seen, what to
    do.
    """

    stage: int
    kind: str
    text: str
    advice: str

    def __str__(self) -> str:
        return f"stage {self.stage + 1}: {self.text}; {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """As front.json holds it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollback:
    """A loss that was no number or far too large: the search went back to a checkpoint and slowed
    down.

    ``loss``: None where it was no number. ``rate``: the scale of the learning rate from then on. A
    checkpoint holds these fields by name.
    """

    stage: int
    epoch: int
    step: int
    loss: float | None
    rate: float
