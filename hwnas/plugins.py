"""Values that other installed packages announce by an entry point, beside those that ship: spaces and metrics.

A package is asked only for a name that is not known here, so that ours win and nothing is imported unasked. A config
never names code: it names a space or a metric, and what is installed decides.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Generic, TypeVar

from profilers.errors import InputError

T = TypeVar("T")


class Announced(dict[str, T], Generic[T]):
    """A table by name that grows by the entry points of `group` when a name is asked for that it does not hold.

    Each entry point leads to a value of `kind` that has a `name`. Raises InputError for one that does not.
    """

    def __init__(self, group: str, kind: type[T]) -> None:
        super().__init__()
        self.group, self.kind, self.loaded = group, kind, False

    def __contains__(self, name: object) -> bool:
        """Whether a name is known, here or in an installed package."""
        if super().__contains__(name):
            return True
        self._load()
        return super().__contains__(name)

    def __missing__(self, name: str) -> T:
        """A value that is asked for first."""
        if name in self:
            return self[name]
        raise KeyError(name)

    def _load(self) -> None:
        if self.loaded:
            return
        self.loaded = True
        for entry in entry_points(group=self.group):
            where = f"plug-in {entry.name} ({self.group}): {entry.value}"
            try:
                found = entry.load()
            except Exception as error:  # whatever a stranger's package raises
                raise InputError(f"{where} can't be loaded ({error})") from error
            if not isinstance(found, self.kind):
                raise InputError(f"{where} is no {self.kind.__module__}.{self.kind.__qualname__}")
            self.setdefault(str(found.name), found)  # type: ignore[attr-defined]
