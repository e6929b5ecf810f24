"""A command line typed in this process: importing torch once is enough."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest


class Done(NamedTuple):
    """What came: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def type_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> Done:
    """Type ``hwnas`` and ``words`` in the current folder."""
    from hwnas.cli import main

    monkeypatch.setattr(sys, "argv", ["hwnas", *words])
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    printed = capsys.readouterr()
    return Done(int(str(code)), printed.out, printed.err)
