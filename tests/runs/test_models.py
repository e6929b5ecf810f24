"""Which networks of a run are meant, where they belong, and the front by trained accuracy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.costs.counts import count
from hwnas.runs.directory import Run
from hwnas.runs.models import choose, choose_trained, knee_note, model_of, write_trained
from hwnas.runs.schema import to_json
from hwnas.runs.summary import read_front
from hwnas.runs.training_record import RECORD, TRAINED, read_records
from profilers.errors import InputError
from tests.runs.made import CELLS, CHANNELS, finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def keys(run: Run) -> list[str]:
    return [member.key for member in read_front(run).front]


def record(run: Run, position: int, accuracy: float, channels: int | None = None) -> str:
    """What a training leaves; returns the network's name."""
    model = model_of(run, read_front(run).front[position], channels)
    model.folder.mkdir(parents=True)
    content = {
        "name": model.name,
        "key": model.key,
        "channels": model.architecture.channels,
        "cells": model.architecture.cells,
        "genotype": model.architecture.genotype.to_dict(),
        "text": "",
        "data": "digits",
        "test_accuracy": accuracy,
        "costs": {name: to_json(cost) for name, cost in model.costs.items()},
    }
    (model.folder / RECORD).write_text(json.dumps(content))
    return model.name


def test_all_means_the_front_and_a_key_may_be_a_dominated_one(run: Run) -> None:
    dominated = read_front(run).dominated[0].key
    assert [member.key for member in choose(run, (), True)] == keys(run)
    wanted = [dominated, keys(run)[0], dominated]
    assert [member.key for member in choose(run, wanted, False)] == wanted[:2]


def test_all_takes_what_synflow_helped_to_choose_too(run: Run) -> None:
    found = json.loads(run.front_path.read_text())
    dominated = found["dominated"][0]["key"]
    run.front_path.write_text(json.dumps({**found, "believed": [keys(run)[0], dominated]}))
    assert [member.key for member in choose(run, (), True)] == [*keys(run), dominated]


def test_a_mistyped_key_is_answered_with_the_front_and_the_nearest_of_all(run: Run) -> None:
    dominated = [member.key for member in read_front(run).dominated]
    with pytest.raises(InputError) as error:
        choose(run, ("zzzzzz",), False)
    assert all(key in str(error.value) for key in keys(run)) and dominated[0] not in str(
        error.value
    )
    with pytest.raises(InputError, match=f"did you mean '{dominated[0]}'"):
        choose(run, (dominated[0][:-1],), False)


def test_nothing_said_means_the_knee(run: Run) -> None:
    """By hand: the middle one has nearly the best accuracy at nearly the lowest cost."""
    assert [member.key for member in choose(run, (), False)] == [keys(run)[1]]


def with_target(run: Run, limit: float) -> list[float]:
    """Give the run a target of its parameters; returns those of its members."""
    found = json.loads(run.front_path.read_text())
    costs = [member["costs"]["params"]["value"] for member in found["front"]]
    met = [
        member["key"] for member in found["front"] if member["costs"]["params"]["value"] <= limit
    ]
    found |= {"targets": {"params": limit}, "within_target": met[::-1]}
    run.front_path.write_text(json.dumps(found))
    return costs


def test_the_knee_respects_the_runs_target(run: Run) -> None:
    first, second, _ = with_target(run, 0)
    with_target(run, first)
    assert [member.key for member in choose(run, (), False)] == [keys(run)[0]]
    assert knee_note(run, is_trained=False) is None
    with_target(run, second)
    assert [member.key for member in choose(run, (), False)] == [keys(run)[1]]


def test_a_line_says_that_no_member_is_within(run: Run) -> None:
    first, *_ = with_target(run, 100)
    assert [member.key for member in choose(run, (), False)] == [keys(run)[0]]
    assert knee_note(run, is_trained=False) == (
        f"no network of the front is within the target params 100: the nearest is taken, {keys(run)[0]} with"
        f" params {first:,}"
    )


def test_the_knee_of_the_trained_front_respects_the_target_too(run: Run) -> None:
    small, middle, large = record(run, 0, 0.6), record(run, 1, 0.9), record(run, 0, 0.95, 8)
    assert [one.name for one in choose_trained(run, (), False)] == [middle]
    costs = with_target(run, 0)
    with_target(run, costs[0])
    assert [one.name for one in choose_trained(run, (), False)] == [small]
    assert knee_note(run, is_trained=True) is None
    marks = {member.name: member.within_target for member in write_trained(run).front}
    assert marks == {small: True, middle: False, large: False}
    with_target(run, 100)
    assert "no network of the front is within the target" in str(knee_note(run, is_trained=True))


def test_a_target_of_what_is_not_known_at_every_width_is_said_not_to_be_looked_at(
    tmp_path: Path,
) -> None:
    run = finished_run(tmp_path / "run", ("latency",))
    record(run, 0, 0.9, 8)
    found = json.loads(run.front_path.read_text())
    run.front_path.write_text(
        json.dumps(found | {"targets": {"latency": 1.0}, "within_target": []})
    )
    assert len(choose_trained(run, (), False)) == 1
    assert knee_note(run, is_trained=True) == (
        "latency is not known of every trained network, so its target is not looked at"
    )


def test_without_a_cost_the_knee_is_the_best(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", ())
    assert [member.key for member in choose(run, (), False)] == [keys(run)[0]]


def test_an_unknown_key_is_refused_with_the_nearest(run: Run) -> None:
    wrong = keys(run)[0][:-1] + "x"
    with pytest.raises(InputError, match=f"did you mean '{keys(run)[0]}'"):
        choose(run, [wrong], False)


def test_another_width_or_depth_is_another_folder_with_its_own_counts(run: Run) -> None:
    member = read_front(run).front[0]
    own, wide = model_of(run, member), model_of(run, member, 8)
    assert own.name == member.key and wide.name == f"{member.key}-c8-n{CELLS}"
    assert own.folder == run.path / "models" / own.name
    assert wide.costs["params"].value == count(wide.architecture, 10, (1, 8, 8))[0]
    assert own.costs["latency"].value == 1.5 and "latency" not in wide.costs
    assert model_of(run, member, CHANNELS, CELLS).name == own.name


def test_the_trained_front_mixes_cells_and_widths(run: Run) -> None:
    small, large = record(run, 0, 0.70), record(run, 0, 0.95, 8)
    between, worse = record(run, 1, 0.90), record(run, 2, 0.60)
    trained = write_trained(run)
    assert [member.name for member in trained.front] == [small, between, large]
    assert [member.name for member in trained.dominated] == [worse]
    assert to_json(trained.front[0].accuracy) == {"value": 0.70, "origin": TRAINED}
    assert json.loads((run.path / "trained.json").read_text()) == to_json(trained)


def test_an_objective_unknown_at_some_width_gives_way_to_parameters(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", ("latency",))
    record(run, 0, 0.7)
    assert write_trained(run).objectives == ["latency"]
    record(run, 0, 0.9, 8)
    assert write_trained(run).objectives == ["params"]


def test_trained_networks_are_found_by_key_or_name(run: Run) -> None:
    small, large = record(run, 0, 0.70), record(run, 0, 0.95, 8)
    names = [one.name for one in choose_trained(run, [keys(run)[0]], False)]
    assert names == [small, large]
    assert [one.name for one in choose_trained(run, [large], False)] == [large]
    assert len(choose_trained(run, (), True)) == 2
    assert len(choose_trained(run, (), False)) == 1


def test_what_is_not_trained_is_told_apart_from_what_is_unknown(run: Run) -> None:
    with pytest.raises(InputError, match="no network is trained yet: hwnas train"):
        choose_trained(run, (), True)
    with pytest.raises(InputError, match=f"{keys(run)[1]} is not trained yet"):
        choose_trained(run, [keys(run)[1]], False)
    record(run, 0, 0.7)
    with pytest.raises(InputError, match="no trained network is called 'nonsense'"):
        choose_trained(run, ["nonsense"], False)


def test_a_damaged_record_is_named(run: Run) -> None:
    name = record(run, 0, 0.7)
    (run.path / "models" / name / RECORD).write_text("{")
    with pytest.raises(InputError, match=f"{name}.*not the record of a training"):
        read_records(run)
