"""Tables by name of what ships and of what other installed packages announce by an entry point.

A name that is asked for is looked up here first, so that ours win; then the one entry point of that
name is loaded, and no other, so that a broken package hides nothing but itself. Listing names loads
nothing. A config never names code: it names a space, a metric or an algorithm, and what is
installed decides.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from profilers.errors import InputError

T = TypeVar("T")


class Announced(dict[str, T], Generic[T]):
    """A table by name that grows by the entry point of `group` when a name is asked for that it
    does not hold.

    An entry point leads to a value of `kind` whose `name` is that of the entry point. Raises
    InputError for one that does not. `kind` may be written as "module:name", and `shipped` says so
    where our own values are: both for a table that is asked for names by rooms that must not import
    what stands in it. `check` raises InputError for a value that can't stand beside the others.
    """

    def __init__(
        self,
        group: str,
        kind: type[T] | str,
        shipped: Mapping[str, str] | None = None,
        check: Callable[[T, Mapping[str, T]], None] = lambda value, others: None,
    ) -> None:
        super().__init__()
        self.check = check
        self._loading: set[str] = set()
        self.group, self.kind = group, kind
        self.shipped = [EntryPoint(name, where, group) for name, where in (shipped or {}).items()]

    def __contains__(self, name: object) -> bool:
        """Whether a name is known, here or in an installed package; loads nothing."""
        if super().__contains__(name):
            return True
        # A package that is being loaded may ask for the name that it is about to give.
        return name not in self._loading and self.announces(name)

    def __missing__(self, name: str) -> T:
        """A value that is asked for first. Raises KeyError for an unknown name, InputError for no
        such value.
        """
        for entry in self._entries():
            if entry.name == name and name not in self._loading:
                self._loading.add(name)
                try:
                    self[name] = self._load(entry)
                finally:
                    self._loading.discard(name)
                return self[name]
        raise KeyError(name)

    def __setitem__(self, name: str, value: T) -> None:
        """One more value, checked against the others."""
        self.check(value, {other: one for other, one in self.items() if other != name})
        super().__setitem__(name, value)

    def usable(self, name: object) -> bool:
        """Whether a value of this name can be had here: its package is installed, and not
        broken."""
        try:
            return isinstance(name, str) and name in self and self[name] is not None
        except InputError:
            return False

    def names(self) -> list[str]:
        """Every name that may be asked for, those of installed packages last; loads nothing."""
        return list(dict.fromkeys([*self, *(entry.name for entry in self._entries())]))

    def announces(self, name: object) -> bool:
        """Whether an installed package announces this name; loads nothing."""
        return any(entry.name == name for entry in self._entries())

    def _entries(self) -> Iterator[EntryPoint]:
        yield from self.shipped
        yield from entry_points(group=self.group)

    def _load(self, entry: EntryPoint) -> T:
        where = f"plug-in {entry.name} ({self.group}): {entry.value}"
        try:
            found: Any = entry.load()
        except Exception as error:  # whatever a stranger's package raises
            raise InputError(f"{where} can't be loaded ({error})") from error
        kind = self.kind if isinstance(self.kind, type) else _named(self.kind)
        if not isinstance(found, kind):
            raise InputError(f"{where} is no {kind.__module__}.{kind.__qualname__}")
        value: T = found
        name = getattr(value, "name", None)
        if name != entry.name:
            raise InputError(f"{where} is called {name!r}; its entry point must have the same name")
        return value


def _named(where: str) -> type[Any]:
    """The class at "module:name"."""
    module, _, name = where.partition(":")
    kind: type[Any] = getattr(importlib.import_module(module), name)
    return kind
