"""A search from Python in three lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.api import search
from profilers.errors import InputError
from tests.search import tiny


def test_python_and_the_run_directory_say_the_same(tmp_path: Path) -> None:
    settings = tiny.config(Path("unused")).model_dump(exclude={"data", "objectives", "target"})
    data = str(tiny.images(tmp_path / "tiny.npz"))
    found = search("params", target="1080ti", data=data, out=tmp_path / "run", **settings)
    assert found.pop("run") == str(tmp_path / "run")
    assert found == json.loads((tmp_path / "run/front.json").read_text())


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(InputError, match="unknown key 'seeds'; did you mean 'seed'"):
        search("params", seeds=3)
