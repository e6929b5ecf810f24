"""What a back end is asked: which network, and how to measure it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from profilers.device import Device
from profilers.errors import InputError
from profilers.limits import check_numbers
from profilers.measurement import Outcome
from profilers.timing import Protocol

if TYPE_CHECKING:
    from torch import nn

    from profilers.onnx_latency import Measure


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: a torch module with its input shape (batch included), or an ONNX file,
    or both.

    `tflite`: the same network as LiteRT reads it, in the precision that is measured; or all that
    there is. `tflite_s`: the seconds that writing it took.
    """

    name: str
    module: nn.Module | None = None
    shape: tuple[int, ...] = ()
    onnx: Path | None = None
    tflite: Path | None = None
    tflite_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to measure. `place` is cpu or cuda:N; `run` is where a runtime runs (None: here); `dtype`
    is the precision that the back end is asked for. `tensorrt`: ONNX Runtime hands to TensorRT what
    that takes, on CUDA.

    Where `run` is given, no measured figure may come from this machine: a back end goes through it
    or refuses. Raises InputError for numbers out of range.
    """

    place: str = "cpu"
    batch: int = 1
    threads: int = 1
    dtype: Literal["fp32", "fp16", "bf16", "int8"] = "fp32"
    channels_last: bool = False
    cuda_graph: bool = False
    flush_l2: bool = False
    graph_level: Literal["disabled", "basic", "extended", "all"] = "all"
    io_binding: bool = False
    tensorrt: bool = False
    limit_s: float = 60.0
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    protocol: Protocol = field(default_factory=Protocol)
    run: Measure | None = None
    time: str = ""

    def __post_init__(self) -> None:
        """Refuse numbers out of range (InputError)."""
        check_numbers(
            batch=self.batch,
            threads=self.threads,
            limit=self.limit_s,
            budget=self.protocol.budget_s,
        )


Backend = Callable[[Subject, Device, Options], list[Outcome]]


def needs_module(subject: Subject) -> nn.Module:
    """The torch module, or InputError: this back end cannot measure a file."""
    if subject.module is None:
        kind = "an ONNX file" if subject.onnx else "a TFLite file"
        raise InputError(f"{subject.name}: this back end needs a torch network, not {kind}")
    return subject.module


def needs_onnx(subject: Subject) -> Path:
    """The ONNX file, or InputError."""
    if subject.onnx is None and subject.tflite is not None:
        raise InputError(
            f"{subject.name}: a TFLite file, which --backend litert alone reads; give the ONNX file"
        )
    if subject.onnx is None:
        raise InputError(f"{subject.name}: neither a torch network nor an ONNX file")
    return subject.onnx


def cuda_index(place: str) -> int:
    """The N of "cuda:N"; 0 for "cuda" and "cpu"."""
    return int(place.partition(":")[2] or 0)
