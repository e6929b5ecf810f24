"""The help of every command, as a terminal of 80 columns shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hwnas.cli import app


def every_command(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words that are typed, command), groups in depth."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, (*words, word))
        else:
            yield (*words, word), command


COMMANDS = dict(every_command(get_command(app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nothing_is_cut_off_on_80_columns(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "\N{HORIZONTAL ELLIPSIS}" in line]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_is_described_and_readable_by_its_whole_name(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, [*words, "--help"]).output
    for parameter in COMMANDS[words].params:
        if getattr(parameter, "hidden", False):
            continue
        assert parameter.help, f"{parameter.name} has no description"
        if parameter.param_type_name == "option":
            assert all(name in shown for name in parameter.opts), parameter.opts


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_sentence_is_broken_where_its_source_is(words: tuple[str, ...]) -> None:
    """The first paragraph is filled; in the others a line's end is printed as one. A line may be
    a command."""
    _, *others = (COMMANDS[words].help or "").strip().split("\n\n")
    for lines in (part.strip().splitlines() for part in others):
        assert len(lines) == 1 or all(line.startswith("hwnas ") for line in lines)


def test_both_names_of_the_column_of_values_are_taken() -> None:
    for name in ("--value-column", "--latency-column"):
        done = CliRunner().invoke(
            app, ["devices", "fit", "--csv", "none.csv", "--device", "x", name, "y"]
        )
        assert "none.csv: cannot be read" in str(done.exception)
