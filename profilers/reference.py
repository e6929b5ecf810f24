"""The reference workload that runs beside every CPU measurement, and how fast it is on a quiet
host.

A small network of the same kinds of work as a cell-based one: pointwise, depthwise and strided
convolutions, max pooling, additions, concatenations; about 2.5 ms on one server core. Its weights
are constants made when it is loaded, so the file has 4 KB. On a shared host the same network takes
30 % more or less from one minute to the next; its ratio to this one moves by 1 to 2 %
(benchmarks/latency_repeatability.py).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper

from profilers.robust import in_blocks

# A faster reference than this share of the remembered speed shows that the host was not quiet then.
FASTER = 0.95
SIDE, WIDTH, STAGES = 32, 108, 3


def reference_model() -> bytes:
    """The reference network as ONNX: input x (1, 3, 32, 32) float32, output y (1, 432, 1, 1)."""
    graph = _Graph()
    value, width = graph.conv("x", 3, WIDTH, kernel=3), WIDTH
    for stage in range(STAGES):
        if stage:
            value, width = (
                graph.conv(graph.op("Relu", value), width, 2 * width, stride=2),
                2 * width,
            )
        branches = []
        for kernel, beside in (
            (3, graph.op("MaxPool", value, kernel_shape=[3, 3], pads=[1] * 4)),
            (5, value),
        ):
            depthwise = graph.conv(
                graph.op("Relu", value), width, width, kernel=kernel, groups=width
            )
            branches.append(graph.op("Add", graph.conv(depthwise, width, width), beside))
        value = graph.conv(
            graph.op("Relu", graph.op("Concat", *branches, axis=1)), 2 * width, width
        )
    graph.nodes.append(helper.make_node("GlobalAveragePool", [value], ["y"]))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "reference",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, width, 1, 1])],
            graph.shapes,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and weight shapes as they are added; values are named by their number."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.shapes: list[TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def conv(
        self, x: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> str:
        shape = [outputs, inputs // groups, kernel, kernel]
        name = f"s{len(self.shapes)}"
        self.shapes.append(helper.make_tensor(name, TensorProto.INT64, [4], shape))
        # A mean, so that values keep their size and never become denormal, which would be slow.
        mean = 1.0 / float(np.prod(shape[1:]))
        fill = helper.make_tensor("fill", TensorProto.FLOAT, [1], [mean])
        weight = self.op("ConstantOfShape", name, value=fill)
        pads = [kernel // 2] * 4
        return self.op(
            "Conv",
            x,
            weight,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=pads,
            group=groups,
        )


def quiet_level(durations: Sequence[float]) -> float:
    """What the reference takes when little disturbs it: the median of the fastest quarter of
    blocks."""
    medians = np.sort(np.median(in_blocks(durations), axis=-1))
    return float(np.median(medians[: max(1, len(medians) // 4)]))


@dataclass(frozen=True, kw_only=True)
class NominalSpeed:
    """What stands for the reference on a host: `seconds`, and those that stood for it until now,
    where the host has just proved faster (`before`)."""

    seconds: float
    before: float | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of other latencies of this host has to know."""
        if self.before is None:
            return ()
        times = self.before / self.seconds
        return (
            f"the host was not quiet until now: its earlier latencies are {times:.2f} times too"
            " long; compare networks that were measured in one command",
        )


def nominal_speed(store: Path | None, key: str, durations: Sequence[float]) -> NominalSpeed:
    """What stands for the reference on this host: what is remembered under `key`, else what was
    just seen.

    A host that proves more than 5 % faster than remembered was not quiet when it was first met;
    then, and when it is new, what was just seen is remembered. Without a `store` nothing is
    remembered, and values of different calls are not brought to the same speed.
    """
    seen = quiet_level(durations)
    remembered = _read(store).get(key)
    if remembered is not None and seen >= FASTER * remembered:
        return NominalSpeed(seconds=remembered)
    if store is not None:
        _write(store, {**_read(store), key: seen})
    return NominalSpeed(seconds=seen, before=remembered)


def default_store() -> Path:
    """The file in the user's cache folder where this host's reference speeds are remembered."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "hwnas" / "reference-speed.json"


def _read(store: Path | None) -> dict[str, float]:
    if store is not None:
        with suppress(OSError, ValueError, AttributeError, TypeError):
            data = json.loads(store.read_text(encoding="utf-8"))
            return {
                str(key): float(value) for key, value in data.items() if 1e-7 < float(value) < 1e3
            }
    return {}


def _write(store: Path, speeds: dict[str, float]) -> None:
    # A cache that cannot be written is none: the measurement stands, and the next one starts
    # afresh.
    with suppress(OSError):
        store.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=store.parent, delete=False, encoding="utf-8"
        ) as file:
            json.dump(speeds, file, indent=1, sort_keys=True)
        os.replace(file.name, store)
