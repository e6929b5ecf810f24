"""A slow, literal supernet: every operation of every edge on its own, nothing shared, plain torch
functions.

It reads the weights of a real supernet by name and nothing else of it, so that equality tests the
real one.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.nets.supernet import Supernet


def normal(x: Tensor) -> Tensor:
    """BatchNorm without scale and shift, by its definition."""
    mean, square = x.mean((0, 2, 3), keepdim=True), (x * x).mean((0, 2, 3), keepdim=True)
    return (x - mean) / (square - mean * mean + 1e-5).sqrt()


def conv(x: Tensor, weight: Tensor, stride: int | tuple[int, int] = 1, dilation: int = 1) -> Tensor:
    """Any "same" convolution; depthwise where the weight has one input channel and x several."""
    height, width = weight.shape[2:]
    padding = (dilation * (height - 1) // 2, dilation * (width - 1) // 2)
    groups = x.shape[1] // weight.shape[1]
    return F.conv2d(x.contiguous(), weight.contiguous(), None, stride, padding, dilation, groups)


def halve(x: Tensor, even: Tensor, odd: Tensor) -> Tensor:
    """DARTS's FactorizedReduce; a missing last row or column of the shifted map is zero."""
    shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
    small = -(-x.shape[2] // 2), -(-x.shape[3] // 2)
    right = F.conv2d(shifted.contiguous(), odd.contiguous(), stride=2)[:, :, : small[0], : small[1]]
    return normal(torch.cat([F.conv2d(x.contiguous(), even.contiguous(), stride=2), right], 1))


def primitive(op: str, x: Tensor, weights: list[Tensor], stride: int) -> Tensor:
    """One operation as a supernet runs it, from its definition in the papers."""
    if op == "skip_connect":
        return x if stride == 1 else halve(F.relu(x), *weights)
    kind, _, kernel = op.rpartition("_")
    if kind in {"max_pool", "avg_pool"}:
        size = int(kernel[0])
        if kind == "max_pool":
            return normal(F.max_pool2d(x, size, stride, size // 2))
        return normal(F.avg_pool2d(x, size, stride, size // 2, count_include_pad=False))
    if kind == "sep_conv":
        first = normal(conv(conv(F.relu(x), weights[0], stride), weights[1]))
        return normal(conv(conv(F.relu(first), weights[2]), weights[3]))
    if kind == "dil_conv":
        return normal(conv(conv(F.relu(x), weights[0], stride, dilation=2), weights[1]))
    if op == "conv_3x1_1x3":
        return normal(conv(conv(F.relu(x), weights[0], (1, stride)), weights[1], (stride, 1)))
    assert kind in {"conv", "nor_conv"}
    return normal(conv(F.relu(x), weights[0], stride))


def plain_mixture(net: Supernet, x: Tensor, weights: Tensor, cells: int) -> Tensor:
    """logits (n, classes) of ``net.mixture(x, weights)``."""
    parameters = dict(net.named_parameters())

    def take(prefix: str) -> list[Tensor]:
        return [value for name, value in parameters.items() if name.startswith(prefix + ".")]

    def cell(index: int, states: list[Tensor], kind: str) -> list[Tensor]:
        for node in range(net.space.inputs, net.space.inputs + net.space.nodes):
            total = torch.zeros(())
            for row, slot in enumerate(net.space.slots):
                if (slot.cell, slot.node) != (kind, node):
                    continue
                stride = 2 if kind == "reduce" and slot.source < net.space.inputs else 1
                for column in np.flatnonzero(net.mask[row]):
                    op = slot.ops[column]
                    drawn = take(f"options.cell{index}_edge_{slot.source}_{slot.node}_{op}")
                    if op == "none":
                        # Zeros of the output's size, so that a node of nothing but none is a map
                        # too.
                        total = total + 0 * states[slot.source][:, :, ::stride, ::stride]
                    else:
                        y = primitive(op, states[slot.source], drawn, stride)
                        total = total + weights[row, column] * y
            states = [*states, total]
        return states

    stem, scale, shift = take("stem.part0")
    now = normal(conv(x, stem)) * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
    if net.space.stacking == "residual_blocks":
        for index in range(cells):
            if index and index % (cells // 3) == 0:
                now = _residual(now, *take(f"reduction{index}"))
            now = cell(index, [now], "normal")[-1]
        scale, shift = take("head.last")
        now = F.relu(normal(now) * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1))
    else:
        before = now
        for index in range(cells):
            kind = "reduce" if index in (cells // 3, 2 * cells // 3) else "normal"
            after_reduction = index > 0 and index - 1 in (cells // 3, 2 * cells // 3)
            older, newer = take(f"cell{index}.input0"), take(f"cell{index}.input1")
            left = (
                halve(F.relu(before), *older)
                if after_reduction
                else normal(conv(F.relu(before), *older))
            )
            right = normal(conv(F.relu(now), *newer))
            before, now = now, torch.cat(cell(index, [left, right], kind)[2:], 1)
    weight, bias = take("head.classifier")
    return F.linear(now.mean((2, 3)), weight, bias)


def _residual(
    x: Tensor,
    w1: Tensor,
    a1: Tensor,
    b1: Tensor,
    w2: Tensor,
    a2: Tensor,
    b2: Tensor,
    shortcut: Tensor,
) -> Tensor:
    y = normal(conv(F.relu(x), w1, 2)) * a1.view(1, -1, 1, 1) + b1.view(1, -1, 1, 1)
    y = normal(conv(F.relu(y), w2)) * a2.view(1, -1, 1, 1) + b2.view(1, -1, 1, 1)
    return y + conv(F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False), shortcut)
