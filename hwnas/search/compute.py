"""Where the supernet runs."""

from __future__ import annotations

import torch

from hwnas.config import Config
from hwnas.search.distributed.ranks import ALONE, Ranks
from profilers.bfloat16 import bfloat16_problem, slow_bfloat16
from profilers.cuda import compute_place
from profilers.errors import InputError


def compute_device(config: Config, ranks: Ranks = ALONE) -> torch.device:
    """Where the supernet runs: a GPU when there is one, unless the config names a place; one per
    process.
    """
    if compute_place(config.device)[0] == "cpu":
        return torch.device("cpu")
    if ranks.size == 1:
        return torch.device("cuda")
    return torch.device("cuda", ranks.local % torch.cuda.device_count())


def check_precision(config: Config, ranks: Ranks = ALONE) -> str:
    """What is to be said of the precision of weight steps, or "". Raises InputError where the
    device does not have it."""
    if config.weight_step.precision == "float32":
        return ""
    device = compute_device(config, ranks)
    problem = bfloat16_problem(device.type, device.index or 0)
    if problem:
        raise InputError(f"weight_step.precision: {problem}")
    note = slow_bfloat16(device.type)
    return f"weight_step.precision: {note}" if note else ""
