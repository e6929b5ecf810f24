"""Every case of the tables beside this file is right, or is refused with a true, helpful line."""

from __future__ import annotations

import os
import sys
import tempfile

import pytest

from hwnas.cli import main
from tests.cases import archives, devices, forms, images, models, runs, tables
from tests.cases.case import Case

CASES: tuple[Case, ...] = (
    *images.CASES,
    *archives.CASES,
    *models.CASES,
    *tables.CASES,
    *devices.CASES,
    *runs.CASES,
    *forms.CASES,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_right_or_refused_with_a_true_line(case: Case, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "here"
    folder.mkdir()
    case.make(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["hwnas", *case.command])
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        os.chdir(tmp_path)
    printed = "".join(capsys.readouterr())
    assert code == case.code, printed
    for words in case.says:
        assert words in printed
    for words in case.never:
        assert words not in printed
    case.check(folder)


def test_each_case_has_a_name_of_its_own():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
