"""What exported files reach: each run in its own runtime, on test and on validation images."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hwnas.export.exporting import Exporting
from hwnas.export.formats import Format, files_of
from hwnas.export.images import CheckImages
from hwnas.export.runtime_formats import Files
from hwnas.export.tflite.interpreter import tflite_logits
from hwnas.export.verify import onnx_logits
from hwnas.nets.task import scores
from hwnas.runs.right_images import Bools
from hwnas.space.graph import IMAGE
from hwnas.space.task import Task

Content = bytes | Files
"""What a format wrote."""


def accuracy_of(
    one: Format, content: Content, exporting: Exporting, images: CheckImages, task: Task
) -> float | None:
    """The accuracy of a file on the test images, in 0..1; None on random images."""
    if images.labels is None:
        return None
    logits = _logits(one, content, exporting, images.test)
    return float(scores(task, logits, images.labels.cpu()).double().mean())


def validated(
    kept: Mapping[Format, Content], exporting: Exporting, images: CheckImages, task: Task
) -> dict[str, Bools]:
    """Which validation images each file gets right, (images,), by format; of formats that are
    run by a runtime, and where there are validation images."""
    labels = images.validation_labels
    if labels is None:
        return {}
    return {
        one.name: scores(task, _logits(one, content, exporting, images.validation), labels.cpu())
        .numpy()
        .astype(bool)
        for one, content in kept.items()
        if one.runtime
    }


def _logits(
    one: Format, content: Content, exporting: Exporting, batches: Sequence[Tensor]
) -> Tensor:
    """The logits of all batches, (images, classes), by the format's runtime.

    ``batches``: as the exporting takes them.
    """
    if one.runtime == "onnxruntime" and isinstance(content, bytes):
        return onnx_logits(content, batches)
    if one.runtime == "litert" and isinstance(content, bytes):
        last = exporting.interface.channels_last
        first = [batch.permute(0, 3, 1, 2) if last else batch for batch in batches]
        return tflite_logits(content, first)
    return _session_logits(one, files_of(one, content), batches)


def _session_logits(one: Format, files: Files, batches: Sequence[Tensor]) -> Tensor:
    """The same in OpenVINO or ncnn, one image at a time, as they are measured."""
    session = import_module(f"profilers.session_{one.runtime}")
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        paths = [Path(folder) / name for name in (one.file, *one.beside)]
        for path in paths:
            path.write_bytes(files[path.name])
        model = {
            "path": str(paths[0]),
            "weights": str(paths[-1]),
            "shapes": {IMAGE: [1, *batches[0].shape[1:]]},
        }
        ready = session.opened(model, {"precision": one.computes_in, "threads": 1})
        rows = [
            np.reshape(ready.infer([image.numpy()[None]])[0], -1)
            for batch in batches
            for image in batch
        ]
    return torch.from_numpy(np.stack(rows))
