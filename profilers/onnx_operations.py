"""Where a model's time goes: the median time of each node, by ONNX Runtime's own profiler, in its
own process.

The profiler costs a few microseconds per node, so the sum is more than the latency; shares are what
to read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from profilers.answers import read_answers
from profilers.isolate import measure
from profilers.measurement import LATENCY, Failure, Origin
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.onnx_latency import (
    Measure,
    OnnxOptions,
    failed,
    latency_request,
    make_receipt,
    utc_now,
)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One node of the graph as ONNX Runtime runs it (after fusion): its name, kind,
    microseconds, share."""

    name: str
    kind: str
    us: float
    share: float
    origin: Origin = "measured"


def onnx_operations(
    model: OnnxModel | Path | str,
    options: OnnxOptions | None = None,
    *,
    now: Callable[[], str] = utc_now,
    run: Measure = measure,
) -> list[Operation] | Failure:
    """All operations of one model, the slowest first, or the failure that its worker had."""
    options = options or OnnxOptions()
    checked = model if isinstance(model, OnnxModel) else check_onnx(model)
    asked = {"path": str(checked.path.resolve()), "shapes": checked.shapes}
    request = {**latency_request([asked], options, None), "measure": "operations"}
    facts, answers = read_answers(*run(request, options.limit_s), 1, "operations")
    if "operations" not in answers[0]:
        return failed(LATENCY, answers[0], make_receipt(checked, facts, options, "", now()))
    nodes = sorted(answers[0]["operations"], key=lambda node: -float(node[2]))
    total = sum(float(node[2]) for node in nodes) or 1.0
    return [
        Operation(name=str(name), kind=str(kind), us=1e6 * float(s), share=float(s) / total)
        for name, kind, s in nodes
    ]
