"""A front that was drawn for another target is a run of its own: train, export and report take
it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TINY = """
space = "tnd"
target = "cpu"
channels = 4
objectives = [{ metric = "params" }]
finalists_by = "seen"
finalists_per_policy = 1
exponents = [0.0, -0.1]
stages = [{ cells = 3, epochs = 1 }]
evaluation = { channels = 4, cells = 3 }
alpha_step = { every = 8, samples = 4, images = 32 }
"""


@pytest.mark.slow
def test_it_is_shown_trained_exported_and_derived_from(typed: Any, tmp_path: Path) -> None:
    Path("tiny.toml").write_text(TINY)
    typed("search", "--config", "tiny.toml", "--out", "run", "--quiet")
    words = ("derive", "run", "--target", "1080ti", "--out", "derived", "--quiet")
    out, _ = typed(*words)
    assert out.rstrip().endswith("hwnas train derived/1080ti --all")
    said = json.loads(typed("derive", "run", "--target", "1080ti", "--json", "--quiet")[0])
    shown = json.loads(typed("show", "derived/1080ti", "--json")[0])
    members = [member["key"] for member in shown["front"]]
    assert members == [member["key"] for member in said["fronts"]["1080ti"]["front"]]
    assert shown["target"] == "1080ti" and "latency" in shown["front"][0]["costs"]

    typed("train", "derived/1080ti", members[0], "--epochs", "1", "--quiet")
    typed("export", "derived/1080ti", members[0], "--formats", "onnx")
    typed("report", "derived/1080ti")
    assert "PROBLEM" not in typed("doctor", "derived/1080ti")[0]
    again = typed("derive", "derived/1080ti", "--target", "1080ti", "--json", "--quiet")[0]
    # The same weights and the same trials: the same front.
    assert [one["key"] for one in json.loads(again)["fronts"]["1080ti"]["front"]] == members
    assert "already exists" in typed(*words, code=2)[1]
