"""How long exported files take on this host, each in its own runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwnas.export.formats import FORMATS, Format
from hwnas.export.network_files import Exported
from hwnas.space.graph import IMAGE
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.onnx_latency import OnnxOptions, measure_latency

Wanted = tuple[int, Format, Path]
"""A file by the number of its network, its format and path."""


def latencies(
    exported: Sequence[Exported], threads: int | None, channels_last: bool = False
) -> list[dict[str, Any]]:
    """{"onnx": measurement, "int8": ...} of each; those of one runtime are sampled in turn in one
    process. ``threads``: None measures nothing. ``channels_last``: of the files' input."""
    found: list[dict[str, Any]] = [{} for _ in exported]
    wanted = [
        (number, FORMATS[name], path)
        for number, one in enumerate(exported)
        for name, path in one.files.items()
        if FORMATS[name].runtime
    ]
    if threads is None:
        return found
    for runtime, precision in dict.fromkeys((one.runtime, one.computes_in) for _, one, _ in wanted):
        group = [
            row for row in wanted if (row[1].runtime, row[1].computes_in) == (runtime, precision)
        ]
        models = [
            _model(one, path, exported[number].image, channels_last) for number, one, path in group
        ]
        options = OnnxOptions(runtime=runtime, precision=precision, threads=threads)
        for (number, one, _), outcome in zip(group, measure_latency(models, options), strict=True):
            data = outcome.to_dict()
            # The raw samples of a table's figure would be a hundred times longer than all the rest.
            found[number][one.name] = {
                key: value for key, value in data.items() if key not in ("samples", "series")
            }
    return found


def _model(one: Format, path: Path, image: tuple[int, int, int], channels_last: bool) -> OnnxModel:
    """A file as its runtime reads it, one image at a time; ``image``: (channels, height, width)."""
    if one.runtime == "onnxruntime":
        return check_onnx(path)
    if channels_last and one.runtime != "litert":  # LiteRT's session turns channels around itself
        image = (image[1], image[2], image[0])
    return OnnxModel(
        path=path,
        inputs=((IMAGE, (1, *image)),),
        nodes=0,
        params=0,
        opset=0,
        dtype="float32",
        tflite=path if one.runtime == "litert" else None,
    )
