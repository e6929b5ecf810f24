"""From exported files to what their run keeps of them: each network in each precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.export.formats import FORMATS
from hwnas.export.network_files import Exported
from hwnas.export.selection import NetworkToExport
from hwnas.runs.precision_record import VALIDATION, PrecisionPoint
from hwnas.runs.right_images import packed
from hwnas.runs.training_record import training_mark
from hwnas.runs.values import Accuracy, Cost, MeasurementFailure


def points_of(network: NetworkToExport, result: Exported, began: str) -> list[PrecisionPoint]:
    """A point for each file that a runtime runs; none of a network without a training or without
    images. ``began``: when the export did, in UTC."""
    if network.record is None:
        return []
    mark = training_mark(network.record)
    tested = {
        "onnx": result.accuracy,
        "int8": result.int8_accuracy,
        **result.tflite_accuracy,
    }
    points = []
    for name, right in result.validated.items():
        one = FORMATS[name]
        if one.precision is None:
            continue
        points.append(
            PrecisionPoint(
                network=network.name,
                format=name,
                precision=one.precision,
                runtime=one.runtime,
                accuracy=Accuracy(value=float(right.mean()), provenance=VALIDATION),
                images=len(right),
                right=packed(right),
                trained_on=network.trained_on,
                test_accuracy=tested.get(name),
                **_measured(result.latency.get(name, {})),
                size=result.sizes[name],
                measured=began,
                training=mark,
            )
        )
    return points


def _measured(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a point that `Measurement.to_dict` or `Failure.to_dict` says."""
    if outcome.get("value") is not None:
        latency = Cost(
            value=outcome["value"],
            unit=outcome["unit"],
            provenance=outcome["origin"],
            low=outcome["low"],
            high=outcome["high"],
            noisy=bool((outcome.get("receipt") or {}).get("noisy")),
        )
        return {"latency": latency, "metadata": outcome.get("receipt")}
    failure = outcome.get("failure")
    if not failure:
        return {}
    return {
        "failure": MeasurementFailure(reason=failure["reason"], detail=failure["detail"]),
        "metadata": outcome.get("receipt"),
    }
