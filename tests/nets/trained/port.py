"""EfficientNet-Lite0 from its published definition and the names of the package's tensors: plain
torch functions, nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

BLOCKS = (
    (1, 3, 1, 1),
    (6, 3, 2, 2),
    (6, 5, 2, 2),
    (6, 3, 3, 2),
    (6, 5, 3, 1),
    (6, 5, 4, 2),
    (6, 3, 1, 1),
)
"""Expansion, kernel, depth and stride of each stage."""


def convolution(x: Tensor, weight: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    """TensorFlow's SAME padding, by its definition, each side for itself."""
    kernel, pads = weight.shape[-1], []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, None, stride, 0, 1, groups)


def logits(x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """Images (n, 3, h, w), prepared -> (n, 1000)."""

    def norm(y: Tensor, name: str) -> Tensor:
        stored = (
            tensors[f"{name}.{one}"] for one in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(y, *stored, training=False, eps=1e-3)

    x = F.relu6(norm(convolution(x, tensors["_conv_stem.weight"], 2), "_bn0"))
    number = 0
    for expansion, _, depth, stride in BLOCKS:
        for block in range(depth):
            name, y = f"_blocks.{number}", x
            if expansion > 1:
                y = F.relu6(
                    norm(convolution(y, tensors[f"{name}._expand_conv.weight"]), f"{name}._bn0")
                )
            depthwise = tensors[f"{name}._depthwise_conv.weight"]
            y = convolution(y, depthwise, 1 if block else stride, y.shape[1])
            y = F.relu6(norm(y, f"{name}._bn1"))
            y = norm(convolution(y, tensors[f"{name}._project_conv.weight"]), f"{name}._bn2")
            x = x + y if block else y
            number += 1
    x = F.relu6(norm(convolution(x, tensors["_conv_head.weight"]), "_bn1"))
    return F.linear(x.mean((2, 3)), tensors["_fc.weight"], tensors["_fc.bias"])
