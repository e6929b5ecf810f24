"""What other packages announce is found by name; only what is asked for is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from hwnas import plugins
from hwnas.plugins import Announced
from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Thing:
    name: str


@pytest.fixture
def table(monkeypatch):
    """A table with one value of our own; a good package, a broken one and two wrong ones
    announce more."""
    values = {
        "good": Thing(name="good"),
        "text": "no thing",
        "misnamed": Thing(name="other"),
        "ours": Thing(name="theirs"),
    }
    loaded = []

    def load(self):
        loaded.append(self.name)
        if self.name == "broken":
            raise ImportError("no module named nothing")
        return values[self.name]

    monkeypatch.setattr(EntryPoint, "load", load)
    points = [
        EntryPoint(name, f"{name}:VALUE", "things")
        for name in ("broken", "text", "good", "misnamed", "ours")
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points if group == "things" else [])
    table = Announced("things", Thing)
    table["ours"] = Thing(name="ours")
    return table, loaded


def test_listing_names_and_asking_for_one_loads_nothing(table) -> None:
    things, loaded = table
    assert things.names() == ["ours", "broken", "text", "good", "misnamed"]
    assert "good" in things and "ours" in things and "nothing" not in things
    assert loaded == []


def test_only_what_is_asked_for_is_loaded_and_once(table) -> None:
    things, loaded = table
    assert things["good"] == things["good"] == Thing(name="good")
    assert loaded == ["good"]


def test_ours_win(table) -> None:
    things, loaded = table
    assert things["ours"] == Thing(name="ours")
    assert loaded == []


@pytest.mark.parametrize(
    "name, words",
    [
        (
            "broken",
            r"plug-in broken \(things\): broken:VALUE can't be loaded \(no module named nothing\)",
        ),
        ("text", r"text:VALUE is no tests\.test_plugins\.Thing"),
        ("misnamed", "is called 'other'; its entry point must have the same name"),
    ],
)
def test_what_is_no_such_value_is_refused_and_hides_no_other(table, name, words) -> None:
    things, _ = table
    with pytest.raises(InputError, match=words):
        things[name]
    assert not things.usable(name)
    assert things.usable("good") and not things.usable("nothing")


def test_an_unknown_name_is_a_key_error(table) -> None:
    with pytest.raises(KeyError):
        table[0]["nothing"]


def test_a_table_may_say_where_its_own_values_are_and_load_them_late() -> None:
    known = Announced(
        "hwnas.spaces.late", "hwnas.space.space:Space", {"darts": "hwnas.space.darts:SPACE"}
    )
    assert not dict(known) and known.names() == ["darts"]
    assert known["darts"].name == "darts"
