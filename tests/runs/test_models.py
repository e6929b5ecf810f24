"""Where networks of a run belong, and the front by trained accuracy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.costs.counts import count
from hwnas.runs import models
from hwnas.runs.directory import Run
from hwnas.runs.models import model_of, models_at, write_trained
from hwnas.runs.schema import to_json
from hwnas.runs.summary import SearchSummary, read_front
from hwnas.runs.training_record import RECORD, TRAINED, read_records
from profilers.errors import InputError
from tests.runs.made import CELLS, CHANNELS, finished_run, trained_record


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def keys(run: Run) -> list[str]:
    return [member.key for member in read_front(run).front]


def test_another_width_or_depth_is_another_folder_with_its_own_counts(run: Run) -> None:
    member = read_front(run).front[0]
    own, wide = model_of(run, member), model_of(run, member, 8)
    assert own.name == member.key and wide.name == f"{member.key}-c8-n{CELLS}"
    assert own.folder == run.path / "models" / own.name
    assert wide.costs["params"].value == count(wide.architecture, 10, (1, 8, 8))[0]
    assert own.costs["latency"].value == 1.5 and "latency" not in wide.costs
    assert model_of(run, member, CHANNELS, CELLS).name == own.name


def test_the_front_is_read_once_for_all_its_networks(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, looks = read_front(run).front, list[Run]()

    def counted(run: Run) -> SearchSummary:
        looks.append(run)
        return read_front(run)

    monkeypatch.setattr(models, "read_front", counted)
    found = models_at(run, members, [(None, None), (8, None)])
    assert [one.name for one in found[:2]] == [members[0].key, f"{members[0].key}-c8-n{CELLS}"]
    assert len(found) == 2 * len(members) and len(looks) == 1


def test_the_trained_front_mixes_cells_and_widths(run: Run) -> None:
    small, large = trained_record(run, 0, 0.70), trained_record(run, 0, 0.95, 8)
    between, worse = trained_record(run, 1, 0.90), trained_record(run, 2, 0.60)
    trained = write_trained(run)
    assert [member.name for member in trained.front] == [small, between, large]
    assert [member.name for member in trained.dominated] == [worse]
    assert to_json(trained.front[0].accuracy) == {"value": 0.70, "origin": TRAINED}
    assert json.loads((run.path / "trained.json").read_text()) == to_json(trained)


def test_an_objective_unknown_at_some_width_gives_way_to_parameters(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", ("latency",))
    trained_record(run, 0, 0.7)
    assert write_trained(run).objectives == ["latency"]
    trained_record(run, 0, 0.9, 8)
    assert write_trained(run).objectives == ["params"]


def test_a_damaged_record_is_named(run: Run) -> None:
    name = trained_record(run, 0, 0.7)
    (run.path / "models" / name / RECORD).write_text("{")
    with pytest.raises(InputError, match=f"{name}.*not the record of a training"):
        read_records(run)
