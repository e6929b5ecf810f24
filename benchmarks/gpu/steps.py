"""Part "steps": 30 steps of every kind at the full sizes of the named configs; epochs and
searches extrapolated."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.gpu import kinds
from benchmarks.gpu.book import Book, Record, Skip, read, work
from benchmarks.gpu.kinds import Build
from benchmarks.gpu.place import Place, timed, traced
from benchmarks.gpu.sizes import read as read_size

DAY = 86_400.0
SAID_DAYS = {"tnd-cifar10": 1.3}
"""GPU-days that the paper prints for its search."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of step: of which config and stage, and how it is counted: as ``role`` says."""

    name: str
    config: str
    build: Build
    stage: int = 0
    role: str = "weight"

    @property
    def title(self) -> str:
        """What the record is called."""
        return f"{self.config} stage {self.stage + 1}: {self.name}"


KINDS = (
    Kind(name="weight step", config="tnd-cifar10", build=kinds.weight_step),
    Kind(name="alpha step", config="tnd-cifar10", build=kinds.evaluation, role="alpha"),
    Kind(name="weight step", config="ndarts-cifar10", build=kinds.bilevel_weight_step),
    Kind(name="alpha step", config="ndarts-cifar10", build=kinds.bilevel_alpha_step, role="alpha"),
    Kind(
        name="training step, cifar recipe",
        config="ndarts-cifar10",
        build=kinds.training_step("cifar", "DARTS_V2", 36, 20),
        role="cifar",
    ),
    Kind(name="weight step", config="tnd-nasbench201", build=kinds.weight_step),
    Kind(name="alpha step", config="tnd-nasbench201", build=kinds.evaluation, role="alpha"),
    Kind(name="weight step", config="ndarts-nasbench201", build=kinds.bilevel_weight_step),
    Kind(
        name="alpha step", config="ndarts-nasbench201", build=kinds.bilevel_alpha_step, role="alpha"
    ),
    Kind(name="weight step", config="tnd-cifar10", stage=2, build=kinds.weight_step),
    Kind(name="alpha step", config="tnd-cifar10", stage=2, build=kinds.evaluation, role="alpha"),
    Kind(name="weight step", config="tnd-cifar10", stage=1, build=kinds.weight_step),
    Kind(name="alpha step", config="tnd-cifar10", stage=1, build=kinds.evaluation, role="alpha"),
    Kind(name="weight step", config="ndarts-imagenet", build=kinds.bilevel_weight_step),
    Kind(name="alpha step", config="ndarts-imagenet", build=kinds.bilevel_alpha_step, role="alpha"),
    Kind(
        name="training step, imagenet recipe at batch 256",
        config="ndarts-imagenet",
        build=kinds.training_step("imagenet", "DARTS_V2", 48, 14, batch=256),
        role="imagenet",
    ),
    Kind(
        name="weight step by evolution",
        config="ndarts-cifar10",
        build=kinds.evolution_step,
        role="other",
    ),
    Kind(name="watch", config="ndarts-cifar10", build=kinds.watch, role="watch"),
    Kind(name="test batch", config="ndarts-cifar10", build=kinds.testing, role="other"),
)


def run(book: Book, place: Place) -> None:
    """All kinds, the most important first, then the sums."""
    for kind in KINDS:
        work(book, kind.title, lambda kind=kind: _measured(kind, place))  # type: ignore[misc]
    records = {one["name"]: one for one in read(book.path)["records"] if one["state"] == "done"}
    for config in dict.fromkeys(kind.config for kind in KINDS):
        mine = [
            kind for kind in KINDS if kind.config == config and kind.role in ("weight", "alpha")
        ]
        if all(kind.title in records for kind in mine):
            work(book, f"{config}: whole search", lambda c=config: _extrapolated(c, records, place))  # type: ignore[misc]


def _measured(kind: Kind, place: Place) -> Record:
    size = read_size(kind.config, place)
    step = kind.build(size, kind.stage, place)
    try:
        found = {"role": kind.role, **timed(step, place), **traced(step, place)}
        if kind.role == "weight" and not place.tiny:
            found |= {
                "epoch_s": size.steps() * found["ms"] / 1000,
                "origin": "extrapolated from these steps",
            }
        return found
    finally:
        del step
        gc.collect()
        if place.kind == "cuda":
            torch.cuda.empty_cache()


def _extrapolated(config: str, records: dict[str, Record], place: Place) -> Record:
    """Steps of every stage times their milliseconds: scoring, checkpoints and reading of files
    are not in it."""
    size = read_size(config, place)
    settings: Any = size.settings
    bilevel = settings.algorithm == "ndarts"
    every = settings.ndarts.weight_steps if bilevel else settings.alpha_step.every
    seconds = 0.0
    for number, stage in enumerate(settings.stages):
        where = f"{config} stage {number + 1}"
        weight, alpha = (
            records[f"{where}: {name}"]["ms"] / 1000 for name in ("weight step", "alpha step")
        )
        steps, learning = size.steps(), stage.epochs - stage.frozen_epochs
        seconds += stage.epochs * steps * weight + learning * (steps // every) * alpha
    if place.tiny:
        raise Skip(
            "worked out and left out: tiny steps without a GPU say nothing of a search on one"
        )
    found: Record = {
        "search_s": seconds,
        "gpu_days": seconds / DAY,
        "origin": "extrapolated from steps",
    }
    if config in SAID_DAYS:
        found["paper_gpu_days"] = SAID_DAYS[config]
    return found
