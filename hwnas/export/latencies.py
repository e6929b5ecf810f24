"""How long exported ONNX files take on this host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwnas.export.network_files import Exported
from profilers.onnx_latency import OnnxOptions, measure_latency


def latencies(exported: Sequence[Exported], threads: int | None) -> list[dict[str, Any]]:
    """{"onnx": measurement, "int8": ...} of each, all sampled in turn in one process."""
    found: list[dict[str, Any]] = [{} for _ in exported]
    wanted = [
        (number, name, path)
        for number, one in enumerate(exported)
        for name, path in one.files.items()
        if name in ("onnx", "int8")
    ]
    if threads is None or not wanted:
        return found
    outcomes = measure_latency([path for _, _, path in wanted], OnnxOptions(threads=threads))
    for (number, name, _), outcome in zip(wanted, outcomes, strict=True):
        data = outcome.to_dict()
        # The raw samples of a table's figure would be a hundred times longer than all the rest.
        found[number][name] = {
            key: value for key, value in data.items() if key not in ("samples", "series")
        }
    return found
