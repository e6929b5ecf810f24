"""Does a search fit? The memory of the machine that trains the supernet, and of the target that
runs the result.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from hwnas.config import Config
from hwnas.costs.step_memory import Footprint, footprint
from hwnas.search import compute
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.costs import CostRange
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.training.data import Dataset
from profilers.device import Device
from profilers.errors import InputError
from profilers.host import available_mib


def weights_mib(params: float) -> float:
    """Memory of so many float32 weights, in MiB."""
    return params * 4 / 2**20


def check_target(device: Device, params: CostRange) -> None:
    """The target's memory is a budget: its smallest network's weights have to fit."""
    need, budget = weights_mib(params.bounds[0]), device.memory_mib
    if budget is not None and need > budget:
        raise InputError(
            f"target {device.name}: the smallest network needs {need:,.1f} MiB for its weights,"
            f" of {budget:,.0f} MiB; choose fewer channels or cells"
        )


def free_mib(config: Config, ranks: Ranks = ALONE) -> float:
    """Memory that is free where the supernet will be trained, in MiB; infinite where nobody can
    say.

    Processes that share it get equal parts.
    """
    device = compute.compute_device(config, ranks)
    if device.type == "cuda":
        sharing = math.ceil(ranks.neighbours / torch.cuda.device_count())
        return torch.cuda.mem_get_info(device)[0] / 2**20 / sharing
    return (available_mib() or math.inf) / ranks.neighbours


SMALL_MIB = 64.0
"""A step whose maps take less keeps no GPU busy; a bound by reasoning, not measured
(docs/evidence/gpu.md).
"""


def small_step(config: Config, dataset: Dataset) -> bool:
    """Whether a step is too small to keep a GPU busy."""
    return step_memory(config, dataset).mib(config.weight_step.batch_size) < SMALL_MIB


def room_mib(config: Config, dataset: Dataset, ranks: Ranks = ALONE) -> float:
    """What a step may take of it, in MiB: on a GPU the images go there first."""
    free = free_mib(config, ranks)
    if compute.compute_device(config, ranks).type == "cpu":
        return free  # they are there already
    tensors = (
        images for images in (dataset.train, dataset.test) if isinstance(images, torch.Tensor)
    )
    return free - sum(images.numel() * images.element_size() for images in tensors) / 2**20


def step_memory(config: Config, dataset: Dataset) -> Footprint:
    """What a training step of the largest stage needs."""
    training = algorithm_of(config).training
    mixture = training is not None or config.weights == "mixture"
    steps = [
        footprint(config.stage_family(stage, dataset.task), "mixture" if mixture else "sampled")
        for stage in range(len(config.stages))
    ]
    maps = training.maps(config) if training else 1
    steps = [replace(step, per_image=maps * step.per_image) for step in steps]
    return max(steps, key=lambda step: step.mib(config.weight_step.batch_size))


def check_step(config: Config, dataset: Dataset, free: float) -> None:
    """Raise InputError where a training step does not fit into ``free`` MiB, with a batch that
    does.
    """
    step, batch = step_memory(config, dataset), config.weight_step.batch_size
    if step.mib(batch) <= free:
        return
    fitting = step.largest_batch(free)
    advice = f"at most {fitting} fit" if fitting else "fewer channels or cells are needed"
    raise InputError(
        f"weight_step.batch_size: a step on {batch} images takes about {step.mib(batch):,.0f} MiB"
        f" of memory, of {free:,.0f} MiB free; {advice}"
    )
