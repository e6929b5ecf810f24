"""Tests measure for show: they neither wait for the host's lock nor remember a reference speed
of their own."""

from __future__ import annotations

import tempfile

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("host")
    patch.setattr(tempfile, "tempdir", str(folder))
    patch.setenv("TMPDIR", str(folder))
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    yield
    patch.undo()
