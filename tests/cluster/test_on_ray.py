"""On three nodes of Ray: a node is killed, a driver is killed, devices are shared; nothing is lost or done twice."""

from __future__ import annotations

import hashlib
import json
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hwnas.results.measured import read_profile

from ..results.runs import finished_run
from ..search.tiny import images
from .nodes import begin, nodes, until

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

TRAIN = ["--all", "--channels", "4,6", "--epochs", "4", "--batch", "128", "--json"]


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    """SHA-256 by path of every file that is meant."""
    paths = [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)
    }


def test_six_networks_are_trained_once_each_while_a_node_is_killed(tmp_path: Path) -> None:
    alone, shared = finished_run(tmp_path / "alone").path, finished_run(tmp_path / "shared").path
    plain = begin(["train", str(alone), *TRAIN], tmp_path, tmp_path / "plain.json")
    assert plain.wait() == 0
    with nodes({}, {}) as three:
        words = ["train", str(shared), *TRAIN, "--ray", three.address]
        driver = begin(words, tmp_path, tmp_path / "ray.json")
        # Three tasks at once, one per node, so the one that dies has one.
        until(
            lambda: len(list(shared.glob("models/*/training.safetensors"))) == 3 or driver.poll() is not None
        )
        three.kill(1)
        assert driver.wait(timeout=300) == 0, (tmp_path / "ray.err").read_text()
    noted = (tmp_path / "ray.err").read_text()
    assert noted.count("is gone; its tasks begin again elsewhere") == 1
    assert "which went on after epoch" in noted
    records: list[dict[str, Any]] = json.loads((tmp_path / "ray.json").read_text())  # nothing but JSON
    names = [record["name"] for record in records]
    assert len(names) == len(set(names)) == 6
    trained = json.loads((shared / "trained.json").read_text())
    assert sorted(one["name"] for one in trained["front"] + trained["dominated"]) == sorted(names)
    # To the bit what one process trains without interruption, in the same places.
    files = ("models/*/weights.safetensors", "models/*/best.safetensors")
    assert digests(shared, *files) == digests(alone, *files)
    assert len(digests(shared, "models/*/training.json")) == 6


SWEEP = """
objectives = [{ metric = "params" }]
exponents = [0.0, -0.4]
channels = 2
stages = [{ cells = 3, epochs = 6 }]
finalists_per_policy = 2
checkpoint_minutes = 0.005
data.source = "set.npz"
evaluation = { channels = 4, cells = 3 }
weight_step.batch_size = 16
alpha_step = { samples = 2, every = 2, images = 16 }

[sweep]
seed = [0, 1, 2]
space = ["darts", "tnd"]
"""


def test_a_sweep_of_six_runs_goes_on_after_its_driver_was_killed(tmp_path: Path) -> None:
    images(tmp_path / "set.npz")
    (tmp_path / "six.toml").write_text(SWEEP)
    assert (
        begin(["sweep", "six.toml", "--out", "alone", "--json"], tmp_path, tmp_path / "alone.json").wait()
        == 0
    )
    out = tmp_path / "runs" / "six"
    with nodes({}) as two:
        words = ["sweep", "six.toml", "--ray", two.address, "--json"]
        driver = begin(words, tmp_path, tmp_path / "killed.json")
        # One or more have ended, another has a checkpoint.
        until(
            lambda: (
                (
                    len(list(out.glob("*/front.json"))) >= 1
                    and len(list(out.glob("*/checkpoint/state.safetensors"))) >= 2
                )
                or driver.poll() is not None
            )
        )
        driver.send_signal(signal.SIGKILL)
        assert driver.wait() == -signal.SIGKILL
        finished = {path.parent.name for path in out.glob("*/front.json")}
        before = {name: digests(out / name, "**/*") for name in finished}
        assert 1 <= len(finished) < 6
        again = begin(words, tmp_path, tmp_path / "again.json")
        assert again.wait(timeout=300) == 0, (tmp_path / "again.err").read_text()
        noted = (tmp_path / "again.err").read_text()
    assert f"{len(finished)} finished, " in noted and "gone on with and done" in noted
    assert {name: digests(out / name, "**/*") for name in finished} == before  # byte for byte
    found = json.loads((tmp_path / "again.json").read_text())
    assert [row["state"] for row in found["runs"]] == ["finished"] * 6
    assert (out / "report.html").is_file()
    # What was searched does not depend on who died: the trials of an undisturbed sweep in one process.
    assert digests(out, "*/trials.jsonl") == digests(tmp_path / "alone", "*/trials.jsonl")
    assert len(digests(out, "*/trials.jsonl")) == 6


def test_a_farm_never_measures_two_things_at_once_on_a_device(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run").path
    for name in ("board-a", "board-b"):
        text = f"name = '{name}'\nkind = 'cpu'\ndescription = 'pretended'\n[match]\ncpu_model_regex = '.*'\n"
        (tmp_path / f"{name}.toml").write_text(text)
    words = [
        "profile",
        str(run),
        "--targets",
        "board-a.toml,board-b.toml",
        "--budget",
        "0.1",
        "--json",
        "--ray",
    ]
    # Two hosts for the first device: its networks are shared between them.
    with nodes({"device:board-a": 1}, {"device:board-a": 1, "device:board-b": 1}) as three:
        driver = begin([*words, three.address], tmp_path, tmp_path / "farm.json")
        assert driver.wait(timeout=300) == 0, (tmp_path / "farm.err").read_text()
        refused = begin(
            ["profile", str(run), "--targets", "cpu", "--ray", three.address], tmp_path, tmp_path / "no.json"
        )
        assert refused.wait(timeout=120) == 2
    assert "no node offers device:cpu" in (tmp_path / "no.err").read_text()
    answers = json.loads((tmp_path / "farm.json").read_text())
    keys = {member["key"] for member in json.loads((run / "front.json").read_text())["front"]}
    assert [answer["target"] for answer in answers] == ["board-a", "board-b"]
    spans: dict[tuple[str, str], set[tuple[float, float]]] = {}
    for answer in answers:
        lines = read_profile(run / "profiles" / f"{answer['target']}.jsonl.gz")
        latencies = [line for line in lines if line["name"] == "latency"]
        assert sorted(line["key"] for line in latencies) == sorted(keys)  # each network once
        assert all(line["origin"] == "measured" for line in latencies)
        for line in lines:
            spans.setdefault((answer["target"], line["node"]), set()).add((line["began"], line["ended"]))
    assert sum(map(len, spans.values())) == 2 * len(keys)
    for one in spans.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(one)))
    # Different devices do work side by side, so that the line above could have failed.
    a, b = (
        [span for (name, _), some in spans.items() if name == wanted for span in some]
        for wanted in ("board-a", "board-b")
    )
    assert any(x[0] < y[1] and y[0] < x[1] for x in a for y in b)
