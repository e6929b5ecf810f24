"""The reference workload for torch on the CPU: what `reference.py` is for ONNX Runtime."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor, nn

from profilers.preserve import random_states_kept
from profilers.reference import WIDTH
from profilers.timing import Clock, Sampler, timed


def reference_sampler(own: Clock = time.thread_time) -> Sampler:
    """The reference network as a torch module, fp32 on the CPU; `own` is the clock of what runs
    beside it."""
    with random_states_kept():
        module = ReferenceNetwork().eval()
    x = torch.randn((1, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return timed(lambda: module(x), own=own)


class ReferenceNetwork(nn.Module):
    """A small network of convolutions, depthwise convolutions, pooling, additions and
    concatenations."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.deep = nn.ModuleList(
            nn.Conv2d(width, width, k, padding=k // 2, groups=width) for k in (3, 5)
        )
        self.point = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(2))
        self.join = nn.Conv2d(2 * width, width, 1)
        for parameter in self.parameters():
            # A mean, so that values keep their size and never become denormal, which would be slow.
            nn.init.constant_(parameter, 1.0 / max(1, math.prod(parameter.shape[1:])))

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, 3, h, w) -> (n, width, h, w)."""
        x = self.stem(x)
        besides = (nn.functional.max_pool2d(x, 3, 1, 1), x)
        ways = zip(self.deep, self.point, besides, strict=True)
        y: Tensor = self.join(
            torch.cat([point(deep(x.relu())) + b for deep, point, b in ways], dim=1).relu()
        )
        return y
