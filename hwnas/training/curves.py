"""Learning curves as one TensorBoard events file.

Written anew from the whole curve after every epoch: a training that was killed and resumed has
neither gaps nor points twice. TensorBoard's own record writer does it, without the seconds that
importing torch's wrapper takes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from hwnas import files
from hwnas.training.checkpoint import TrainingEpoch

EVENTS = "events.out.tfevents.0.hwnas"
"""TensorBoard finds its files by the middle of this name."""

_TAGS = {
    "loss/train": "train_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/held_out": "held_out_accuracy",
    "accuracy/test": "test_accuracy",
    "learning_rate": "learning_rate",
}


def write_curves(folder: Path, curve: Sequence[TrainingEpoch]) -> None:
    """Replace the events in ``folder``: a step per epoch; wall time counts the seconds of
    training."""
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
    from tensorboard.summary.writer import record_writer  # type: ignore[import-untyped]

    content = io.BytesIO()
    writer = record_writer.RecordWriter(content)
    writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
    elapsed = 0.0
    for epoch in curve:
        elapsed += epoch.seconds
        named = {tag: getattr(epoch, name) for tag, name in _TAGS.items()}
        values = [
            Summary.Value(tag=tag, simple_value=y) for tag, y in named.items() if y is not None
        ]
        event = Event(wall_time=elapsed, step=epoch.number, summary=Summary(value=values))
        writer.write(event.SerializeToString())
    files.replace(folder / EVENTS, folder, content.getvalue())
