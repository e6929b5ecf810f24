"""A run directory may come from somebody else: its files are believed only as far as their form
goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import Run, inside
from hwnas.runs.models import model_of
from hwnas.runs.schema import to_json
from hwnas.runs.summary import read_front
from profilers.errors import InputError
from tests.runs.made import finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def changed(run: Run, keys: list[str | int], value: Any) -> None:
    """Put ``value`` at the place in front.json that ``keys`` lead to."""
    data: Any = json.loads(run.front_path.read_text())
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    run.front_path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (["front"], {}, "front: Input should be a valid list"),
        (["front", 0, "key"], "../../etc", "front.0.key"),
        (["front", 0, "key"], "/etc/passwd", "front.0.key"),
        (
            ["front", 0, "genotype"],
            {"space": "darts", "normal": [], "reduce": []},
            "front.0.genotype",
        ),
        (["front", 0, "accuracy", "value"], "0.5", "front.0.accuracy.value"),
        (["front", 0, "accuracy", "value"], float("nan"), "front.0.accuracy.value"),
        (["front", 0, "costs", "params"], 3, "front.0.costs.params"),
        (["front", 0, "channels"], 10**9, "front.0.channels"),
        (
            ["dominated", 0, "costs"],
            {"../x": {"value": 1, "unit": "", "origin": ""}},
            "dominated.0.costs",
        ),
        (["bounds", "params"], [1], "bounds.params"),
        (["image"], [1, 8], "image"),
        (["hypervolume"], None, "hypervolume"),
    ],
)
def test_a_summary_of_another_form_is_refused_with_the_key(
    run: Run, keys: list[str | int], value: Any, words: str
) -> None:
    changed(run, keys, value)
    with pytest.raises(InputError) as error:
        read_front(run)
    assert str(run.front_path) in str(error.value) and words in str(error.value)


def test_what_a_newer_version_adds_is_kept(run: Run) -> None:
    changed(run, ["front", 0, "more"], {"x": [1]})
    assert to_json(read_front(run))["front"][0]["more"] == {"x": [1]}


def test_a_link_out_of_the_run_directory_is_not_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    member = choose(run, Choice(every=True)).members[0]
    folder = model_of(run, member).folder
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        InputError, match="a link, not a folder of its own; nothing is read or written through it"
    ):
        model_of(run, member)
    with pytest.raises(InputError, match="leads out"):
        inside(run, "..", "elsewhere")
    assert inside(run, "models", "0123456789") == run.path / "models" / "0123456789"
