"""A long look at many files says how far it is, to whoever listens; a short one says nothing."""

from __future__ import annotations

from itertools import count

import pytest

from hwnas.cli import progress
from hwnas.heard import FIRST_S, NEXT_S, counted, heard


def test_a_line_comes_after_some_seconds_and_then_now_and_again() -> None:
    lines: list[str] = []
    seconds = count()
    with heard(lines.append):
        items = [*counted(range(20), "files read", 20, clock=lambda: float(next(seconds)))]
    assert items == [*range(20)]
    # The clock is read once at the start, after each item, and after each line.
    second = int(FIRST_S) + int(NEXT_S) + 1
    assert lines == [f"files read: {number} of 20" for number in (int(FIRST_S), second - 1)]


def test_nothing_is_said_where_nobody_listens_or_all_is_done_at_once() -> None:
    lines: list[str] = []
    assert [*counted("ab", "files")] == ["a", "b"]
    with heard(lines.append):
        assert [*counted("ab", "files")] == ["a", "b"]
    assert lines == []


def test_lines_go_to_standard_error_piped_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    progress.reading("image files read: 7 of 9")
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == "image files read: 7 of 9\n"
