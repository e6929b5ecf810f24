"""One finished search, as small as they come, for every test of the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwnas.search.search import search
from tests.search import tiny


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory; leave it as it is."""
    folder = tmp_path_factory.mktemp("report")
    return search(tiny.config(tiny.images(folder / "tiny.npz")), folder / "run").path


@pytest.fixture
def run(searched: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(searched, tmp_path / "run"))
