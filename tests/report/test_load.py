"""What is read of a run directory for its report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from hwnas.report.commands import commands
from hwnas.report.load import load_run, metadata_text, metrics
from profilers.errors import InputError


def test_a_run_is_read_with_its_front_and_intervals(searched: Path) -> None:
    data, summary = load_run(searched), json.loads((searched / "front.json").read_text())
    (front,) = data.fronts
    assert front.front == {member["key"] for member in summary["front"]}
    assert len(front.members) == len(summary["front"]) + len(summary["dominated"])
    for member in front.members:
        low, high = front.intervals[member.label]
        assert low <= member.accuracy.value <= high
    assert data.objectives == ("params",) and data.costs[0].provenance == "counted"


def test_the_hypervolume_never_falls_within_a_stage(searched: Path) -> None:
    data = load_run(searched)
    assert data.curve[-1]["evaluations"] == data.summary.evaluations
    for one, following in zip(data.curve, data.curve[1:], strict=False):
        assert one["stage"] < following["stage"] or one["hypervolume"] <= following["hypervolume"]


def test_a_run_of_an_older_version_is_read_without_intervals_and_history(run: Path) -> None:
    summary = json.loads((run / "front.json").read_text())
    del summary["scored_images"], summary["baseline"]["random"]
    (run / "front.json").write_text(json.dumps(summary))
    (run / "history.jsonl").unlink()
    data = load_run(run)
    assert data.history == () and not data.fronts[0].intervals


def test_an_unfinished_run_is_refused_with_what_to_type(run: Path) -> None:
    (run / "front.json").unlink()
    with pytest.raises(InputError, match="hwnas resume"):
        load_run(run)


@pytest.mark.parametrize("key", ["bounds", "front", "dominated", "baseline"])
def test_a_damaged_summary_is_refused_in_one_line(run: Path, key: str) -> None:
    summary = json.loads((run / "front.json").read_text())
    summary[key] = 7
    (run / "front.json").write_text(json.dumps(summary))
    with pytest.raises(InputError, match="not the summary of a search"):
        load_run(run)


def test_commands_can_be_pasted_whatever_the_run_is_called(run: Path) -> None:
    renamed = run.rename(run.with_name("a b; rm -rf $HOME"))
    data = load_run(renamed)
    found = commands(data, data.fronts[0].members[0])
    assert found[0].startswith(f"hwnas train '{renamed}' ")
    assert found[1] == f"{found[0]} && {found[0].replace('train', 'export', 1)}"
    assert "--untrained" not in " ".join(found)


def test_a_target_of_the_search_is_kept_with_what_is_within(run: Path) -> None:
    summary = json.loads((run / "front.json").read_text())
    costs = sorted(member["costs"]["params"]["value"] for member in summary["front"])
    for limit, met in ((costs[0], 1), (costs[-1], len(costs)), (costs[0] - 1, 0)):
        (run / "front.json").write_text(json.dumps(summary | {"targets": {"params": limit}}))
        (front,) = load_run(run).fronts
        assert len(front.front & front.within) == met
        assert front.is_met == bool(met) and front.targets == {"params": limit}
        knee = next(member for member in front.members if member.label == front.knee)
        assert knee.costs["params"].value <= max(limit, costs[0])
    assert load_run(run).fronts[0].knee is not None


def test_measured_latencies_of_exported_files_are_shown_with_their_receipts(run: Path) -> None:
    data = load_run(run)
    member = data.fronts[0].members[0]
    folder = run / "models" / member.label
    folder.mkdir(parents=True)
    receipt = {"backend": "onnxruntime", "threads": 1, "host": "here", "notes": [], "noisy": False}
    measured = {
        "value": 1.5,
        "unit": "ms",
        "low": 1.4,
        "high": 1.6,
        "origin": "measured",
        "receipt": receipt,
    }
    (folder / "export.json").write_text(json.dumps({"latency": {"onnx": measured}}))
    row = metrics(data, member)[-1]
    assert (row["name"], row["value"], row["receipt"]) == (
        "latency, onnx",
        1.5,
        "backend onnxruntime; threads 1; host here",
    )
    (folder / "export.json").write_text("{")
    assert metrics(data, member)[-1]["name"] != "latency, onnx"


def test_a_receipt_leaves_out_what_is_empty() -> None:
    assert metadata_text({"backend": "b", "shape": [1, 3], "dtype": "", "versions": {"x": 1}}) == (
        "backend b; shape 1, 3; versions x 1"
    )


def test_a_trained_network_has_both_accuracies_each_with_its_origin(run: Path) -> None:
    member = json.loads((run / "front.json").read_text())["front"][0]
    record = {
        **member,
        "name": member["key"],
        "test_accuracy": 0.75,
        "epochs": 3,
        "recipe": {"name": "quick"},
    }
    record |= {"data": "tiny", "seed": 0}
    folder = run / "models" / member["key"]
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps(record))
    data = load_run(run)
    assert [front.provenance for front in data.fronts] == [
        "shared weights (validation)",
        "trained (test)",
    ]
    shared, trained = metrics(data, data.fronts[1].members[0])[:2]
    assert shared["origin"] == "shared weights (validation)"
    assert (trained["origin"], trained["value"]) == ("trained (test)", 0.75)
    assert trained["receipt"] == "recipe quick, 3 epochs, seed 0"
    assert not commands(data, data.fronts[1].members[0])[1].endswith("--untrained")


Typed = Callable[..., tuple[str, str]]


def profiled(command: str, typed: Typed) -> dict[str, float]:
    """Counts that the pasted command prints, by "KEY NAME" for a run and by name for one
    network."""
    program, *words = shlex.split(command)
    assert program == "hwnas"
    metrics = json.loads(typed(*words, "--backend", "counts", "--json")[0])["metrics"]
    return {f"{one.get('key', '')} {one['name']}".strip(): one["value"] for one in metrics}


def test_the_profile_command_gives_the_numbers_of_the_report(run: Path, typed: Typed) -> None:
    data = load_run(run)
    for member in data.fronts[0].members:
        found = profiled(commands(data, member)[2], typed)
        for name in ("params", "macs"):
            assert found[name] == member.costs[name].value


def test_a_run_with_a_table_of_its_own_is_profiled_as_a_run(chain_run: Path, typed: Typed) -> None:
    data = load_run(chain_run)
    profile = f"hwnas profile {shlex.quote(str(chain_run))} --target cpu"
    on_front = {member.key for member in data.summary.front}
    for member in data.fronts[0].members:
        command = commands(data, member)[2]
        if member.key in on_front:
            assert command == profile
        else:  # profile RUN measures the front alone: this one is exported first
            assert command.startswith(f"hwnas train {chain_run} {member.key} && hwnas export ")
            assert command.endswith(f"models/{member.key}/model.onnx --target cpu")
    found = profiled(profile, typed)
    several = len(on_front) > 1
    for member in data.summary.front:
        name = f"{member.key} params" if several else "params"
        assert found[name] == member.costs["params"].value
