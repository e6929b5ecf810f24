"""What a task is told means the same on another node."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.cluster.place import located
from hwnas.config import resolve


def test_every_folder_of_images_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    given = {"source": "photos", "test": "others", "root": "sets"}
    found = located(resolve({"data": given})).data
    assert (found.source, found.test, found.root) == tuple(
        str(tmp_path / one) for one in given.values()
    )
    assert located(resolve({})).data == resolve({}).data
