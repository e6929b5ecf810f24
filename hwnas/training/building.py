"""The network that is trained: built from its seed, in the layout that trains fastest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hwnas.nets.network import Network
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Stem
from hwnas.training.data import Dataset
from hwnas.training.dataset import generator

_WEIGHTS = 0
"""The draw of the initial weights; those of training follow it (hwnas.training.loop)."""


def build(
    architecture: Architecture, data: Dataset, seed: int, stem: Stem, auxiliary: bool
) -> Network:
    """A network for ``data`` with weights drawn from ``seed``, channels last; torch's own
    generator stays as it is.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(seed, _WEIGHTS).initial_seed())
        network = Network(architecture, len(data.classes), data.image, stem, auxiliary)
    built: Any = network
    moved: Network = built.to(memory_format=torch.channels_last)
    return moved


def _layout(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
