"""What the files of an export take and give, and the network that does the same in torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hwnas.nets.network import Network
from hwnas.training.weights import Weights, fill


@dataclass(frozen=True, kw_only=True)
class Interface:
    """`raw`: uint8 pixels go in, normalised inside; else normalised float32 images.

    `channels_last`: images are (n, height, width, channels), else (n, channels, height, width).
    `softmax`: probabilities come out, else logits.
    """

    raw: bool = False
    channels_last: bool = False
    softmax: bool = False

    @property
    def output(self) -> str:
        """The name of what comes out."""
        return "probabilities" if self.softmax else "logits"


class ChannelsLast(nn.Module):
    """A network that takes images (n, height, width, channels)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """The network on (n, channels, height, width)."""
        y: Tensor = self.network(x.permute(0, 3, 1, 2))
        return y


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


def network_of(weights: Weights) -> Network:
    """The network that ``weights`` belong to, filled, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        network = Network(weights.architecture, len(weights.classes), weights.image, weights.stem)
    fill(network, weights, "weights")
    return network.eval()


def wrapped(network: nn.Module, weights: Weights, interface: Interface) -> nn.Module:
    """The network with everything around it that its files hold; in evaluation mode."""
    if interface.raw:
        network = Raw(network, weights.mean, weights.std)
    if interface.channels_last:
        network = ChannelsLast(network)
    if interface.softmax:
        network = nn.Sequential(network, nn.Softmax(dim=1))
    return network.eval()
