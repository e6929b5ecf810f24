"""What is asked of the pretended GPU, counted by operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was asked of the device, by operator.

    A multi-tensor (foreach) operator counts as one kernel.

    ``synchronisations``: the host waits for the device, since it needs a value or the size of a
    result.
    ``copies``: from the host's memory to the device.
    """

    kernels: Counter[str] = field(default_factory=Counter)
    synchronisations: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)

    def totals(self) -> dict[str, int]:
        """{"kernels": n, "synchronisations": n, "copies": n}."""
        return {name: one.total() for name, one in vars(self).items()}


_counting: list[Counts] = []


@contextmanager
def counted() -> Iterator[Counts]:
    """Count inside; blocks may be nested."""
    counts = Counts()
    _counting.append(counts)
    try:
        yield counts
    finally:
        _counting.remove(counts)


def noted(what: str, name: str) -> None:
    for counts in _counting:
        getattr(counts, what)[name] += 1
