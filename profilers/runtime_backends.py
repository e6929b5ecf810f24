"""Back ends that run a file: any of `runtimes.RUNTIMES`, for one network or for several in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import Outcome
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.parity import Expected, of_module, of_onnx
from profilers.providers import Provider
from profilers.runtimes import check_runtime
from profilers.subject import Backend, Options, Subject, cuda_index, needs_module, needs_onnx
from profilers.tflite_check import check_tflite

UNCOMPARED = "its outputs were compared with nothing: of a TFLite file alone, no network is known"


def runtime_backend(name: str) -> Backend:
    """latency and memory of the ONNX file, or of the module exported once, each in a process of
    its own."""

    def measure(subject: Subject, device: Device, options: Options) -> list[Outcome]:
        return together(name, [subject], device, options)[0]

    measure.__doc__ = runtime_backend.__doc__
    return measure


def together(
    name: str, subjects: Sequence[Subject], device: Device, options: Options
) -> list[list[Outcome]]:
    """latency and memory of several subjects in one runtime, the latencies sampled in turn.

    Raises InputError where the runtime is not installed, or lacks the precision.
    """
    from profilers.isolate import measure
    from profilers.memory import onnx_memory
    from profilers.onnx_latency import OnnxOptions, measure_latency

    if options.tensorrt and (options.place == "cpu" or name != "onnxruntime"):
        raise InputError("--tensorrt: of --backend onnxruntime on a CUDA device alone")
    check_runtime(name, options.dtype, options.place, elsewhere=options.run is not None)
    how = OnnxOptions(
        runtime=name,
        precision=options.dtype,
        threads=options.threads,
        provider=_provider(options),
        index=cuda_index(options.place),
        graph_level=options.graph_level,
        io_binding=options.io_binding,
        limit_s=options.limit_s,
        protocol=options.protocol,
    )
    run = options.run or measure
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        models = [
            _checked(subject, name, options, Path(folder) / f"{i}.onnx")
            for i, subject in enumerate(subjects)
        ]
        expected = [
            _expected(subject, options, model, Path(folder))
            for subject, model in zip(subjects, models, strict=True)
        ]
        latencies = measure_latency(models, how, device=device.name, run=run, expected=expected)
        memories = [onnx_memory(model, how, device=device.name, run=run) for model in models]
    latencies = [
        _uncompared(outcome) if one is None and subject.onnx is None else outcome
        for outcome, one, subject in zip(latencies, expected, subjects, strict=True)
    ]
    return [list(pair) for pair in zip(latencies, memories, strict=True)]


def _provider(options: Options) -> Provider:
    return "cpu" if options.place == "cpu" else "tensorrt" if options.tensorrt else "cuda"


def _checked(subject: Subject, runtime: str, options: Options, path: Path) -> OnnxModel:
    """The ONNX file of a subject, written to `path` where it is a module; or the TFLite file that
    is all there is."""
    if runtime == "litert" and subject.module is None and subject.onnx is None and subject.tflite:
        return check_tflite(subject.tflite)
    file = _onnx_file(subject, path)
    model = check_onnx(file, dict(options.shapes), options.batch)
    return replace(model, tflite=subject.tflite, tflite_s=subject.tflite_s)


def _uncompared(outcome: Outcome) -> Outcome:
    return replace(outcome, receipt=outcome.receipt.with_notes(UNCOMPARED))


def _expected(
    subject: Subject, options: Options, model: OnnxModel, folder: Path
) -> Expected | None:
    """What the outputs are compared with; None on CUDA, where TF32 makes them others, and for a
    file that ONNX Runtime can't run or that is none of ONNX."""
    if options.place != "cpu" or model.path == model.tflite:
        return None
    if subject.module is None:
        return of_onnx(model, folder, options.limit_s)
    return of_module(subject.module, subject.shape, options.dtype)


def _onnx_file(subject: Subject, path: Path) -> Path:
    if subject.onnx is not None or subject.module is None:
        return needs_onnx(subject)
    from profilers.onnx_export import export_onnx

    return export_onnx(needs_module(subject), subject.shape, path)
