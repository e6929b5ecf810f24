"""Where a calibration measures: operations and networks in a runtime, or as torch modules."""

from __future__ import annotations

import tempfile
import typing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import onnx
from torch import nn

from hwnas.export.onnx_format import onnx_model
from hwnas.measuring.built import built
from hwnas.measuring.tflite_files import network_file, operation_file
from hwnas.nets.operations import sequence
from hwnas.space.build import own_image
from hwnas.space.family import Family
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Layer, Size
from profilers.backends import Options, Subject, cuda_index
from profilers.backends import backend as named_backend
from profilers.device import Device
from profilers.elsewhere import measured_there
from profilers.errors import InputError
from profilers.host import host
from profilers.isolate import measure
from profilers.measurement import LATENCY, MEMORY, Failure, Metric, Outcome, Receipt
from profilers.memory import cuda_memory, onnx_memory
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.onnx_export import export_onnx
from profilers.onnx_latency import Measure, OnnxOptions, Precision, measure_latency
from profilers.parity import Expected, of_module
from profilers.runtimes import RUNTIMES, check_runtime
from profilers.timing import Protocol
from profilers.torch_latency import TorchOptions, measure_torch


@dataclass(frozen=True, kw_only=True)
class BenchOperation:
    """The layers of one operation on a map of so many channels and such a size."""

    layers: tuple[Layer, ...]
    channels: int
    size: Size


Item = BenchOperation | Architecture


class Bench(typing.Protocol):
    """Measures items in turn, so that the host's drift falls on all of them alike."""

    def latencies(self, items: Sequence[Item]) -> list[Outcome]:
        """The latency of each item, in ms and in the order given."""

    def memories(self, items: Sequence[Item]) -> list[Outcome]:
        """The peak memory of each item, in MiB and in the order given."""


@dataclass(frozen=True, kw_only=True)
class RuntimeBench:
    """ONNX Runtime, OpenVINO or ncnn, here or on another machine (`run`)."""

    family: Family
    device: str
    options: OnnxOptions
    batch: int = 1
    run: Measure = measure

    def latencies(self, items: Sequence[Item]) -> list[Outcome]:
        """See Bench. Each item is written to an ONNX file once."""
        with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
            modules = [_module(item, self.family) for item in items]
            models = [
                self._checked(item, module, Path(folder) / f"{number}.onnx")
                for number, (item, module) in enumerate(zip(items, modules, strict=True))
            ]
            return measure_latency(
                models,
                self.options,
                device=self.device,
                run=self.run,
                expected=[
                    self._expected(item, module)
                    for item, module in zip(items, modules, strict=True)
                ],
            )

    def memories(self, items: Sequence[Item]) -> list[Outcome]:
        """What loading and running each item adds to a process of its own."""
        found: list[Outcome] = []
        for item in items:
            with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
                path = Path(folder) / "item.onnx"
                model = self._checked(item, _module(item, self.family), path)
                found.append(onnx_memory(model, self.options, device=self.device, run=self.run))
        return found

    def _expected(self, item: Item, module: nn.Module) -> Expected | None:
        """What its outputs are compared with; on CUDA TF32 makes them others."""
        if self.options.provider != "cpu":
            return None
        shape = (self.batch, *_image(item, self.family))
        return of_module(module, shape, self.options.precision)

    def _checked(self, item: Item, module: nn.Module, path: Path) -> OnnxModel:
        if isinstance(item, BenchOperation):
            export_onnx(module, (self.batch, item.channels, *item.size), path)
        else:
            task, stem = self.family.task, self.family.size.stem
            tensors = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
            classes = tuple(map(str, range(task.classes)))
            onnx.save_model(onnx_model(item, tensors, classes, task.image, stem), str(path))
        model = check_onnx(path, batch=self.batch)
        return replace(model, tflite=self._tflite(item, module, path.with_suffix(".tflite")))

    def _tflite(self, item: Item, module: nn.Module, path: Path) -> Path | None:
        """What LiteRT reads."""
        if self.options.runtime != "litert":
            return None
        if isinstance(item, BenchOperation):
            return operation_file(item.layers, module, self.options.precision, path)
        family, precision = self.family, self.options.precision
        return network_file(item, module, family.task, family.size.stem, precision, path)


@dataclass(frozen=True, kw_only=True)
class TorchBench:
    """Eager torch on the CPU or on a CUDA device."""

    family: Family
    device: str
    options: TorchOptions
    batch: int = 1

    def latencies(self, items: Sequence[Item]) -> list[Outcome]:
        """See Bench. Items of one input shape are measured in turn."""
        shapes = [self._shape(item) for item in items]
        found: dict[int, Outcome] = {}
        for shape in dict.fromkeys(shapes):
            rows = [row for row, other in enumerate(shapes) if other == shape]
            modules = [_module(items[row], self.family) for row in rows]
            found |= zip(
                rows, measure_torch(modules, shape, self.options, device=self.device), strict=True
            )
        return [found[row] for row in range(len(items))]

    def memories(self, items: Sequence[Item]) -> list[Outcome]:
        """What torch's allocator holds on CUDA; on a CPU it does not tell, and every item is a
        Failure."""
        return [
            cuda_memory(
                _module(item, self.family), self._shape(item), self.options, device=self.device
            )
            for item in items
        ]

    def _shape(self, item: Item) -> tuple[int, ...]:
        return (self.batch, *_image(item, self.family))


@dataclass(frozen=True, kw_only=True)
class NamedBench:
    """Any other back end by its name (profilers.backends), an installed package's too: one item
    at a time."""

    family: Family
    device: Device
    backend: str
    options: Options

    def latencies(self, items: Sequence[Item]) -> list[Outcome]:
        """See Bench."""
        return [self._ask(item, LATENCY) for item in items]

    def memories(self, items: Sequence[Item]) -> list[Outcome]:
        """See Bench."""
        return [self._ask(item, MEMORY) for item in items]

    def _ask(self, item: Item, metric: Metric) -> Outcome:
        """What the back end says of one metric; a Failure where it says nothing of it."""
        module = _module(item, self.family)
        shape = (self.options.batch, *_image(item, self.family))
        subject = Subject(name="item", module=module, shape=shape)
        ask = measured_there(self.backend, named_backend(self.backend))
        outcomes = ask(subject, self.device, self.options)
        found = [outcome for outcome in outcomes if outcome.metric == metric]
        if found and self.options.run is None and not found[0].receipt.host:
            # It ran in this process, so it was this machine: a table of `cpu` is one of a certain
            # host.
            return replace(found[0], receipt=replace(found[0].receipt, host=host().fingerprint))
        if found:
            return found[0]
        detail = f"back end {self.backend} gives no {metric.name}"
        return Failure(
            metric=metric,
            reason="not measured",
            detail=detail,
            receipt=Receipt(backend=self.backend),
        )


def _image(item: Item, of: Family) -> tuple[int, int, int]:
    """(channels, height, width) of what an item reads."""
    if isinstance(item, BenchOperation):
        return (item.channels, *item.size)
    return own_image(item, of.task)


def _module(item: Item, of: Family) -> nn.Module:
    """An operation, or a whole network, in inference mode with fixed random weights."""
    if isinstance(item, BenchOperation):
        return sequence(item.layers).eval()
    return built(item, of.task.classes, of.task.image, of.size.stem)


def bench_at(
    place: str,
    of: Family,
    device: Device,
    protocol: Protocol,
    batch: int = 1,
    threads: int = 1,
    backend: str | None = None,
    run: Measure | None = None,
    limit_s: float = 60.0,
    cuda_graph: bool = False,
    precision: Precision = "fp32",
) -> Bench:
    """What measures on a target that is attached at ``place`` (cpu, cuda:N) or reached through
    ``run``.

    ``backend`` by default: ONNX Runtime on CPUs and elsewhere, eager torch on CUDA, or with
    ``cuda_graph`` a captured graph: eager at a batch of 1 is the time of the host's Python. Any
    other name is a runtime of profilers.runtimes, or a back end of profilers.backends or of an
    installed package. Raises InputError for torch elsewhere, for an unknown back end and for a
    ``precision`` that it lacks.
    """
    if backend is not None and backend not in ("torch", *RUNTIMES):
        named = Options(
            place=place,
            batch=batch,
            threads=threads,
            dtype=precision,
            limit_s=limit_s,
            protocol=protocol,
            run=run,
        )
        named_backend(backend)
        return NamedBench(family=of, device=device, backend=backend, options=named)
    name = backend or ("onnxruntime" if run or place == "cpu" else "torch")
    if name == "torch":
        if run:
            raise InputError("--backend torch measures here only; elsewhere it is onnxruntime")
        if precision == "int8":
            raise InputError("back end 'torch' has no precision 'int8' (choices: fp32, fp16, bf16)")
        graph = cuda_graph and place != "cpu"
        own = TorchOptions(
            place=place, dtype=precision, threads=threads, cuda_graph=graph, protocol=protocol
        )
        return TorchBench(family=of, device=device.name, options=own, batch=batch)
    check_runtime(name, precision, place, elsewhere=run is not None)
    provider: Literal["cpu", "cuda"] = "cpu" if place == "cpu" else "cuda"
    options = OnnxOptions(
        runtime=name,
        precision=precision,
        threads=threads,
        provider=provider,
        index=cuda_index(place),
        io_binding=provider == "cuda",
        limit_s=limit_s,
        protocol=protocol,
    )
    return RuntimeBench(
        family=of, device=device.name, options=options, batch=batch, run=run or measure
    )
