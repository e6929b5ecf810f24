"""A short form of benchmarks/fuzz.py: every parser deals with mutated input as promised."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import attack, fuzz, parsers
from profilers.errors import InputError


def test_mutated_inputs_are_taken_or_refused_in_one_line(tmp_path: Path) -> None:
    outcomes, failures = fuzz(1_500, 1, tmp_path)
    assert failures == []
    assert all(
        counter["refused"] > 0 for name, counter in outcomes.items() if name != "environment"
    )


def test_a_parser_that_breaks_its_promise_is_caught(tmp_path: Path) -> None:
    parser = parsers(tmp_path)[0]
    for error in (KeyError("x"), RuntimeError("two\nlines"), MemoryError()):

        def fail(data: bytes, error: Exception = error) -> object:
            raise error

        parser.read = fail
        assert attack(parser, b"x")[1] is not None


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain é ü 漢", "plain é ü 漢"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred\x00", r"\x1b[31mred\x00"),
        ("\u202eturned", r"\u202eturned"),
        ("x" * 3_000, "x" * 2_000 + " ..."),
    ],
)
def test_an_error_is_one_line_that_no_terminal_obeys(line: str, shown: str) -> None:
    assert str(InputError(line)) == shown
