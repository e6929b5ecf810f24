"""Lines about tasks elsewhere: what their files say, once a minute, not twice the same."""

from __future__ import annotations

from pathlib import Path

import torch

from hwnas.cluster.progress import once_a_minute, searches, trainings
from hwnas.config import resolve
from hwnas.runs.directory import create
from hwnas.runs.history import append_epoch, epoch_of
from hwnas.runs.models import Model
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training.checkpoint import STATE, Progress, epochs_done, save_progress


def test_a_line_a_minute_and_none_that_says_the_same_again() -> None:
    now, said, seen = [0.0], list[str](), list[str]()
    tick = once_a_minute(lambda: seen, said.append, lambda: now[0])
    for second in range(0, 301, 10):
        now[0] = float(second)
        if second == 200:
            seen.append("a epoch 1/3")
        tick()
    assert said == ["a epoch 1/3"]  # nothing to say at first, and nothing new at the end
    seen[:] = [str(number) for number in range(11)]
    now[0] = 400
    tick()
    assert said[-1] == "0, 1, 2, 3, 4, 5, 6, 7, 3 more"


def test_a_training_under_way_tells_its_epoch(tmp_path: Path) -> None:
    models = [
        Model(
            name=name,
            architecture=Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3),
            folder=tmp_path / name,
            costs={},
        )
        for name in ("none", "two", "all")
    ]
    for model, epoch in zip(models[1:], (2, 5), strict=True):
        model.folder.mkdir()
        save_progress(model.folder, {}, Progress(epoch=epoch), {"w": torch.zeros(1)})
    assert [epochs_done(model.folder) for model in models] == [0, 2, 5]
    assert trainings(models, 5) == ["two epoch 2/5"]
    (tmp_path / "two" / STATE).write_bytes(b"torn")
    assert trainings(models, 5) == []


def test_a_search_under_way_tells_its_stage_and_epoch(tmp_path: Path) -> None:
    config = resolve({"objectives": [{"metric": "params"}]})
    runs = {
        name: create(tmp_path / name, config, [], "0" * 16) for name in ("new", "going", "ended")
    }
    for name in ("going", "ended"):
        for place in ((0, 0, 10), (1, 4, 50)):
            append_epoch(
                runs[name],
                epoch_of(
                    place,
                    [1.0],
                    accuracies=[0.5],
                    entropies=[],
                    tables=torch.zeros(0, 1, 1).numpy(),
                    derived=[],
                ),
            )
    (tmp_path / "ended" / "front.json").write_text("{}")
    assert searches(tmp_path / name for name in ("new", "going", "ended", "missing")) == [
        "going stage 2/3 epoch 5"
    ]
