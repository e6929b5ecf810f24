"""Part "layouts": memory layout x precision, in turn, on a mixture's weight step and on a
network's training step."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.gpu.book import Book, Record, work
from benchmarks.gpu.place import MS, Place, Step, wait
from benchmarks.gpu.sizes import SHAPES
from hwnas.nets.network import Network
from hwnas.nets.supernet import build_supernet
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
PRECISIONS = ("fp32", "tf32", "bf16 autocast")
BENCHMARKS = (False, True)


def run(book: Book, place: Place) -> None:
    """One record per kind of step; variants take turns, so that a changing clock slows all
    alike."""
    work(book, "mixture weight step, darts space", lambda: _compared(_mixture(place), place))
    work(book, "training step, DARTS_V2", lambda: _compared(_network(place), place))


def _mixture(place: Place) -> Any:
    classes, image, _ = SHAPES["cifar10"]
    channels, cells, batch = (4, 3, 4) if place.tiny else (16, 8, 64)
    space = SPACES["darts"]
    net = build_supernet(
        family(space, channels=channels, cells=cells, classes=classes, image=image), seed=0
    ).to(place.device)
    shares = torch.full(space.mask.shape, 1 / space.mask.shape[1]).to(place.device)
    return SimpleNamespace(net=net, run=lambda x: net.mixture(x, shares), batch=batch, image=image)


def _network(place: Place) -> Any:
    classes, image, _ = SHAPES["cifar10"]
    channels, cells, batch = (4, 3, 4) if place.tiny else (36, 20, 96)
    net = (
        Network(Architecture(PUBLISHED["DARTS_V2"], channels=channels, cells=cells), classes, image)
        .to(place.device)
        .train()
    )
    return SimpleNamespace(net=net, run=net, batch=batch, image=image)


def _compared(subject: Any, place: Place) -> Record:
    """Median ms of each variant; ratios to fp32 in channels_last, which hwnas uses, over the
    rounds."""
    variants = [
        one
        for one in itertools.product(LAYOUTS, PRECISIONS, BENCHMARKS)
        if place.kind == "cuda" or (one[1] == "fp32" and not one[2])
    ]
    taken: dict[str, list[float]] = {}
    order = random.Random(0)
    for number in range(2 if place.tiny else 5):
        for variant in order.sample(variants, len(variants)):
            step = _step(subject, variant[0], place)
            with _precision(variant[1], variant[2], place):
                step()
                wait(place)
                began = time.perf_counter()
                for _ in range(1 if place.tiny else 4):
                    step()
                wait(place)
                ms = MS * (time.perf_counter() - began) / (1 if place.tiny else 4)
            if number:  # the first round tries kernels out
                taken.setdefault(_name(*variant), []).append(ms)
    ours = taken[_name("channels_last", "fp32", False)]
    return {
        "ms": {name: statistics.median(values) for name, values in taken.items()},
        "ratio_to_ours": {
            name: statistics.median(a / b for a, b in zip(values, ours, strict=True))
            for name, values in taken.items()
        },
    }


def _name(layout: str, precision: str, benchmark: bool) -> str:
    return f"{layout}, {precision}" + (", cudnn.benchmark" if benchmark else "")


def _step(subject: Any, layout: str, place: Place) -> Step:
    net: nn.Module = subject.net.to(memory_format=LAYOUTS[layout])
    x = (
        torch.randn(subject.batch, *subject.image)
        .contiguous(memory_format=LAYOUTS[layout])
        .to(place.device)
    )
    y = (torch.arange(subject.batch) % 10).to(place.device)

    def step() -> object:
        for weight in net.parameters():
            weight.grad = None
        return F.cross_entropy(subject.run(x), y).backward()  # type: ignore[no-untyped-call]

    return step


@contextmanager
def _precision(name: str, benchmark: bool, place: Place) -> Iterator[None]:
    if place.kind != "cuda":
        yield
        return
    before = (
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.benchmark,
    )
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
    torch.backends.cudnn.benchmark = benchmark
    try:
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=name == "bf16 autocast"):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before[:2]
        torch.backends.cudnn.benchmark = before[2]
