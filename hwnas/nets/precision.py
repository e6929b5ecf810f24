"""Steps whose convolutions compute in numbers of 16 bits (torch.autocast).

Weights, their gradients and momentum, the statistics of every BatchNorm and the loss stay in
float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KINDS = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""By name, all but float32, with which nothing is switched on."""


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """Inside, networks on ``device`` compute in this precision: float32, bfloat16 or float16.

    Losses and backward passes belong outside.
    """
    kind = KINDS.get(precision)
    if kind is None:
        yield
    else:
        with torch.autocast(device.type, dtype=kind):
            yield


def lowered(x: Tensor) -> Tensor:
    """``x`` as autocast hands it to a convolution; as it is where autocast is off.

    For functions with derivatives of their own: autocast reaches what they call forward alone.
    """
    place = x.device.type
    return x.to(torch.get_autocast_dtype(place)) if torch.is_autocast_enabled(place) else x


class BatchNorm(nn.BatchNorm2d):
    """Of a supernet: without running statistics, and perhaps without scale and shift."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> the same, normalised per channel by this batch."""
        if not self.affine and x.dtype.itemsize < 4:
            # Without a scale a CPU keeps mean and deviation in 16 bits; CUDA never does.
            ones = torch.ones(x.shape[1], device=x.device)
            return F.batch_norm(x, None, None, ones, None, True, 0.0, self.eps)
        return super().forward(x)
