"""Where the supernet runs."""

from __future__ import annotations

import torch

from hwnas.config import Config
from hwnas.search.distributed.ranks import ALONE, Ranks
from profilers.cuda import compute_place


def compute_device(config: Config, ranks: Ranks = ALONE) -> torch.device:
    """Where the supernet runs: a GPU when there is one, unless the config names a place; one per
    process.
    """
    if compute_place(config.device)[0] == "cpu":
        return torch.device("cpu")
    if ranks.size == 1:
        return torch.device("cuda")
    return torch.device("cuda", ranks.local % torch.cuda.device_count())
