"""A network as a torch.export program (.pt2), which loads where hwnas is not installed."""

from __future__ import annotations

import copy
import io
from typing import Any

import torch
from torch import Tensor, nn


class Raw(nn.Module):
    """A network that takes uint8 pixels (n, c, h, w) and normalises them itself."""

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        mean_, std_ = (
            torch.tensor(mean, dtype=torch.float64),
            torch.tensor(std, dtype=torch.float64),
        )
        self.register_buffer("factor", (1 / (255 * std_)).float().view(-1, 1, 1))
        self.register_buffer("offset", (-mean_ / std_).float().view(-1, 1, 1))
        self.factor: Tensor
        self.offset: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(x / 255 - mean) / std, then the network."""
        y: Tensor = self.network(x.to(self.factor.dtype) * self.factor + self.offset)
        return y


def program(network: nn.Module, example: Tensor) -> bytes:
    """The bytes of a .pt2 with the batch size left open.

    ``network``: in evaluation mode, on the CPU.

    ``example``: a batch of at least two images; a single one would fix the batch size at 1.
    """
    # torch.export.save takes a channels-last weight for a part of a larger tensor, and warns.
    plain: Any = copy.deepcopy(network)
    plain = plain.to(memory_format=torch.contiguous_format)
    batch = torch.export.Dim("batch", min=1, max=2**16)
    exported = torch.export.export(plain, (example[:2],), dynamic_shapes=({0: batch},))
    content = io.BytesIO()
    torch.export.save(exported, content)
    return content.getvalue()


def run_program(content: bytes) -> nn.Module:
    """The module inside a .pt2."""
    return torch.export.load(io.BytesIO(content)).module()
