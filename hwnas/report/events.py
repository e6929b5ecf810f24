"""A search for TensorBoard: scalars of every epoch, cells at the end of stages, the front at the
end.

Written anew from history.jsonl each time, so that a search that was stopped and resumed has neither
gaps nor points twice. A step is an epoch; wall time counts epochs too, because the history knows no
clock.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np

from hwnas import files
from hwnas.report import charts, render
from hwnas.report.drawing import cell_svg
from hwnas.report.layout import pictures
from hwnas.report.load import load_run
from hwnas.runs.directory import Run, ended
from hwnas.runs.history import Epoch, read_history
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Genotype
from hwnas.space.space import SPACES

EVENTS = "events.out.tfevents.0.hwnas"
"""TensorBoard finds its files by the middle of this name."""
MOST_POLICIES = 8


def write_events(run: Run) -> None:
    """Replace the events of ``run`` by what its history says so far, and its front once it has
    one; without pictures where none can be drawn."""
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
    from tensorboard.summary.writer import record_writer  # type: ignore[import-untyped]

    history = read_history(run)
    content = io.BytesIO()
    writer = record_writer.RecordWriter(content)
    writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())

    def add(step: int, values: list[Any]) -> None:
        event = Event(wall_time=float(step), step=step, summary=Summary(value=values))
        writer.write(event.SerializeToString())

    def picture(tag: str, png: bytes) -> Any:
        width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
        image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=png)
        return Summary.Value(tag=tag, image=image)

    for number, epoch in enumerate(history, start=1):
        add(
            number,
            [Summary.Value(tag=tag, simple_value=value) for tag, value in _scalars(run, epoch)],
        )
        if epoch.epoch + 1 == run.config.stages[epoch.stage].epochs:
            with suppress(render.RendererEnded):
                add(number, [picture(tag, png) for tag, png in _cells(run, epoch)])
    if ended(run):
        with suppress(render.RendererEnded):
            add(len(history), [picture(tag, png) for tag, png in _fronts(run)])
    files.replace(run.path / EVENTS, run.path, content.getvalue())


def _scalars(run: Run, epoch: Epoch) -> Iterator[tuple[str, float]]:
    if epoch.loss is not None:
        yield "search/loss", epoch.loss
    if epoch.accuracy is not None:
        yield "search/accuracy_shared_weights", epoch.accuracy
    yield "search/evaluations", float(epoch.evaluations)
    for name, value in zip(_names(run, len(epoch.entropies)), epoch.entropies, strict=True):
        yield f"entropy/{name}", value


def _cells(run: Run, epoch: Epoch) -> Iterator[tuple[str, bytes]]:
    """The derived cells of the policies, of at most eight."""
    space, count = SPACES[run.config.space], len(epoch.derived)
    shown = sorted(
        set(np.linspace(0, count - 1, min(count, MOST_POLICIES)).round().astype(int).tolist())
    )
    channels = run.config.evaluation.channels
    for policy in shown:
        genotype = to_genotype(space, np.array(epoch.derived[policy]))
        for picture in pictures(space):
            yield (
                f"cells/{_names(run, count)[policy]}/{picture}",
                _drawn(genotype, picture, channels),
            )


def _names(run: Run, count: int) -> Sequence[str]:
    """What the policies are called in tags."""
    exponents = run.config.exponents
    return (
        [f"exponent_{x:g}" for x in exponents]
        if count == len(exponents) > 1
        else ["policy"] * count
    )


def _fronts(run: Run) -> Iterator[tuple[str, bytes]]:
    data = load_run(run.path)
    for cost in data.costs:
        spec = charts.front(data.fronts[0], cost, data.summary.baseline.random) | {"width": 560}
        yield f"front/{cost.name}", render.vegalite_to_png(spec)


@lru_cache(maxsize=512)
def _drawn(genotype: Genotype, picture: str, channels: int) -> bytes:
    return render.svg_to_png(cell_svg(genotype, picture, channels=channels))
