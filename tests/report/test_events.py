"""TensorBoard's events say what the history says, whole after every resume."""

from __future__ import annotations

from pathlib import Path

from hwnas.report.events import EVENTS, write_events
from hwnas.runs.directory import open_run
from hwnas.runs.history import read_history


def read(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], dict[str, bytes]]:
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    scalars: dict[str, list[tuple[int, float]]] = {}
    images: dict[str, bytes] = {}
    for raw in RawEventFileLoader(str(folder / EVENTS)).Load():
        event = Event.FromString(raw)
        for value in event.summary.value:
            if value.HasField("image"):
                images[value.tag] = value.image.encoded_image_string
            else:
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars, images


def test_the_events_hold_every_epoch_the_cells_and_the_front(run: Path) -> None:
    opened = open_run(run)
    write_events(opened)
    scalars, images = read(run)
    losses = [epoch.loss for epoch in read_history(opened)]
    assert [step for step, _ in scalars["search/loss"]] == [1, 2, 3, 4]
    assert [round(value, 4) for _, value in scalars["search/loss"]] == [
        round(loss or 0, 4) for loss in losses
    ]
    assert {"entropy/exponent_0", "entropy/exponent_-0.2", "entropy/exponent_-0.8"} <= set(scalars)
    assert {"cells/exponent_0/normal", "cells/exponent_-0.8/reduce", "front/params"} <= set(images)
    assert all(png.startswith(b"\x89PNG") for png in images.values())


def test_events_of_an_unfinished_search_have_no_front(run: Path) -> None:
    (run / "front.json").unlink()
    lines = (run / "history.jsonl").read_bytes().splitlines(keepends=True)
    (run / "history.jsonl").write_bytes(lines[0])
    write_events(open_run(run))
    scalars, images = read(run)
    assert len(scalars["search/loss"]) == 1 and images == {}
