"""The code in docs/profilers.md does what the page says."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from profilers.measurement import Measurement

PAGE = Path(__file__).parents[2] / "docs" / "profilers.md"
if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def block(title: str) -> str:
    found = re.search(
        rf'```\w+ title="{re.escape(title)}"\n(.*?)```', PAGE.read_text(encoding="utf-8"), re.S
    )
    assert found, f"{title} is not in {PAGE.name}"
    return found.group(1)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The page's package, laid out as pip would install it."""
    project = tomllib.loads(block("pyproject.toml"))["project"]
    ((group, points),) = project["entry-points"].items()
    info = tmp_path / f"my_board-{project['version']}.dist-info"
    info.mkdir()
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (tmp_path / "my_board.py").write_text(block("my_board.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_board", None)


def test_the_plug_in_example_works_on_the_command_line(installed, monkeypatch, capsys):
    from hwnas.cli import main

    words = "profile DARTS_V2 --channels 4 --cells 3 --backend counts --backend wattmeter --json"
    monkeypatch.setattr(sys, "argv", ["hwnas", *words.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    metrics = {m["name"]: m for m in json.loads(capsys.readouterr().out)["metrics"]}
    assert metrics["energy"]["value"] == pytest.approx(2.1)
    assert (metrics["energy"]["unit"], metrics["energy"]["origin"]) == ("mJ", "measured")
    assert metrics["params"]["value"] > 0


def test_the_python_example_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.py").write_text(block("example.py"))
    names = runpy.run_path(str(tmp_path / "example.py"))
    assert names["counts"].macs == 16 * 27 * 30 * 30
    assert isinstance(names["latency"], Measurement)
