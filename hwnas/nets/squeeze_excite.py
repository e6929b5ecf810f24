"""Squeeze-and-excitation (arXiv 1709.01507): every channel of a map times a gate that its mean
decides."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.activations import activation
from hwnas.space.layers import Activation


class SqueezeExcite(nn.Module):
    """x (n, c, h, w) -> x * gate(expand(inner(reduce(mean of x)))), of the same shape.

    ``reduce`` and ``expand`` are 1x1 convolutions with bias, c -> hidden -> c channels.
    """

    def __init__(self, channels: int, hidden: int, inner: Activation, gate: Activation) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.inner = activation(inner)
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.gate = activation(gate)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        # The same as x.mean((2, 3), keepdim=True), but torch's exporter writes the pool that
        # hwnas.export writes, too.
        mean = F.adaptive_avg_pool2d(x, 1)
        gate: Tensor = self.gate(self.expand(self.inner(self.reduce(mean))))
        return x * gate
