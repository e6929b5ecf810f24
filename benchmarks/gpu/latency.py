"""Part "latency": 20 networks by torch eager, CUDA graph and ONNX Runtime on CUDA, against that
card's roofline."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import nn

from benchmarks.gpu.book import Book, Record, Skip, needs, read, work
from benchmarks.gpu.place import Place
from hwnas.catalog import devices
from hwnas.costs.latency import roofline
from hwnas.nets.network import Network
from hwnas.space.encoding import to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.space import SPACES
from profilers.agreement import kendall_tau
from profilers.device import attached, load, match
from profilers.measurement import Measurement, Outcome
from profilers.roofline import Peaks
from profilers.timing import Protocol

NETWORKS, CLASSES = 20, 10


def run(book: Book, place: Place) -> None:
    """Each way on the same networks, each a record with all values and one receipt."""
    count, channels, cells, side = (3, 4, 3, 16) if place.tiny else (NETWORKS, 16, 8, 32)
    space, rng = SPACES["darts"], np.random.default_rng(0)
    choices = np.stack([space.rule(space, rng.random(space.mask.shape)) for _ in range(count)])
    plans = [
        Architecture(to_genotype(space, one), channels=channels, cells=cells) for one in choices
    ]
    image = (3, side, side)
    nets = [Network(one, CLASSES, image).eval() for one in plans]
    work(book, "torch eager, fp32", lambda: _torch(nets, image, place, "fp32", False))
    work(book, "torch CUDA graph, fp32", lambda: _torch(nets, image, place, "fp32", True))
    work(
        book,
        "torch eager, fp32, the L2 cache flushed",
        lambda: _torch(nets, image, place, "fp32", False, True),
    )
    work(book, "torch CUDA graph, fp16", lambda: _torch(nets, image, place, "fp16", True))
    work(book, "ONNX Runtime", lambda: _onnx(plans, nets, image, place))
    for runtime in ("eager_gpu", "graph_gpu"):
        work(
            book,
            f"roofline, {runtime}",
            lambda r=runtime: _roofline(choices, channels, cells, image, r),
        )  # type: ignore[misc]
    work(book, "agreement", lambda: _agreement(book))


def _protocol(place: Place) -> Protocol:
    return Protocol(budget_s=0.05 if place.tiny else 0.5)


def _torch(
    nets: Sequence[nn.Module],
    image: tuple[int, int, int],
    place: Place,
    dtype: Literal["fp32", "fp16"],
    graph: bool,
    flush: bool = False,
) -> Record:
    from profilers.torch_latency import TorchOptions, measure_torch

    if place.kind != "cuda" and (graph or flush or dtype != "fp32"):
        raise Skip("needs CUDA")
    options = TorchOptions(
        place="cuda:0" if place.kind == "cuda" else "cpu",
        dtype=dtype,
        cuda_graph=graph,
        flush_l2=flush,
        reference=False,
        store=None,
        protocol=_protocol(place),
    )
    return _record(measure_torch(nets, (1, *image), options))


def _onnx(
    plans: Sequence[Architecture],
    nets: Sequence[nn.Module],
    image: tuple[int, int, int],
    place: Place,
) -> Record:
    needs("onnx", "onnxruntime")
    import onnxruntime

    from hwnas.export.onnx_format import onnx_model
    from profilers.onnx_latency import OnnxOptions, measure_latency

    if (
        place.kind == "cuda"
        and "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
    ):
        raise Skip("this onnxruntime has no CUDAExecutionProvider: pip install onnxruntime-gpu")
    provider: Literal["cpu", "cuda"] = "cuda" if place.kind == "cuda" else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, (plan, net) in enumerate(zip(plans, nets, strict=True)):
            tensors = {name: value.numpy() for name, value in net.state_dict().items()}
            model = onnx_model(plan, tensors, tuple(map(str, range(CLASSES))), image)
            model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
            files.append(Path(folder) / f"{number}.onnx")
            files[-1].write_bytes(model.SerializeToString())
        options = OnnxOptions(
            provider=provider,
            io_binding=provider == "cuda",
            reference=False,
            store=None,
            protocol=_protocol(place),
        )
        return _record(measure_latency(files, options))


def _record(outcomes: Sequence[Outcome]) -> Record:
    good = [one for one in outcomes if isinstance(one, Measurement)]
    if not good:
        first: Any = outcomes[0]
        raise RuntimeError(f"{first.reason}: {first.detail}")
    return {
        "median_ms": float(np.median([one.value for one in good])),
        "ms": [one.value if isinstance(one, Measurement) else None for one in outcomes],
        "low": [one.low if isinstance(one, Measurement) else None for one in outcomes],
        "high": [one.high if isinstance(one, Measurement) else None for one in outcomes],
        "receipt": good[0].receipt.to_dict(),
    }


def _roofline(
    choices: Any, channels: int, cells: int, image: tuple[int, int, int], runtime: Any
) -> Record:
    here = attached()
    known = [load(entry.path) for entry in devices()]
    ours = [one for one in known if match(one, here) not in (None, "cpu")]
    if not ours:
        raise Skip(f"no file of devices/ is this card: {', '.join(here.cuda) or 'no CUDA device'}")
    device = ours[0]
    if device.fp32_gmacs_per_s is None or device.memory_gb_per_s is None:
        raise Skip(f"{device.path} states no peaks")
    peaks = Peaks(gmacs_per_s=device.fp32_gmacs_per_s, gb_per_s=device.memory_gb_per_s)
    of = family(SPACES["darts"], channels=channels, cells=cells, classes=CLASSES, image=image)
    estimate = roofline(of, peaks, runtime, "data sheet")
    return {"target": device.name, "ms": [float(value) for value in estimate.predict(choices)]}


def _agreement(book: Book) -> Record:
    """Kendall's tau between all ways that gave values for all networks, and the ratio of their
    medians."""
    ways = {
        one["name"]: one["ms"]
        for one in read(book.path)["records"]
        if one["state"] == "done" and isinstance(one.get("ms"), list) and None not in one["ms"]
    }
    found: Record = {}
    for name, values in ways.items():
        for other, theirs in ways.items():
            if name < other:
                tau = kendall_tau(np.array(values), np.array(theirs))
                ratio = float(np.median(np.array(values) / np.array(theirs)))
                found[f"{name} / {other}"] = {"tau": tau, "ratio": ratio}
    return found
