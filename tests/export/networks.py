"""Small networks with statistics and scales that are not the initial ones: only such can show a
wrong export."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.nets.network import Network
from hwnas.space import SPACES
from hwnas.space.genotype import Architecture, Genotype, sized
from hwnas.space.layers import Stem
from hwnas.training.statistics import calibrate


def images(count: int, image: tuple[int, int, int], seed: int = 0) -> Tensor:
    return torch.randn(count, *image, generator=torch.Generator().manual_seed(seed))


def lively(module: nn.Module, image: tuple[int, int, int]) -> nn.Module:
    """Random scales and shifts, then statistics of random images, in evaluation mode."""
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter.copy_(0.5 + torch.rand(parameter.shape, generator=source))
    calibrate(module, [images(16, image, 2)])
    return module.eval()


def network(
    architecture: Architecture,
    classes: int = 10,
    image: tuple[int, int, int] = (3, 16, 16),
    stem: Stem = "cifar",
) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = Network(architecture, classes, image, stem)
    lively(built, image)
    return built


def arrays(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.contiguous().numpy() for name, tensor in module.state_dict().items()}


def halved(side: str) -> Architecture:
    """A network of the mobile space that has chosen a side."""
    space = SPACES["mobile"]
    chosen = {one.name: one.operations[0] for one in space.decisions} | {"side": side}
    genotype = Genotype("mobile", operations=tuple(chosen[one.name] for one in space.decisions))
    return sized(genotype, 8)
