"""A network of DARTS cells as a module tree with the names that such code gives to its parts,
written from the description in arXiv 1806.09055 (and its appendix for ImageNet)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Pairs = list[tuple[str, int]]


class Named(nn.Module):
    """Layers in a part called ``op``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)  # type: ignore[no-any-return]


class Halved(nn.Module):
    """Every second pixel, and every second from the next on, side by side."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(before, after // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(before, after // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(x)
        shifted = self.conv_2(x[:, :, 1:, 1:])
        return self.bn(torch.cat([self.conv_1(x), shifted], 1))  # type: ignore[no-any-return]


def pointwise(before: int, after: int) -> nn.Module:
    """ReLU, convolution, normalisation."""
    return Named(nn.ReLU(), nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))


def operation(name: str, width: int, stride: int) -> nn.Module:
    """One edge, by the paper's names."""
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else Halved(width, width)
    if name == "max_pool_3x3":
        return nn.MaxPool2d(3, stride, 1)
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    side, dilation = int(name[-1]), 1 + name.startswith("dil")
    layers: list[nn.Module] = []
    for step in (stride,) if dilation == 2 else (stride, 1):
        pad = dilation * (side // 2)
        deep = nn.Conv2d(width, width, side, step, pad, dilation, groups=width, bias=False)
        flat = nn.Conv2d(width, width, 1, bias=False)
        layers += [nn.ReLU(), deep, flat, nn.BatchNorm2d(width)]
    return Named(*layers)


class Cell(nn.Module):
    """Four sums of two edges each, joined."""

    def __init__(
        self, pairs: Pairs, older: int, newer: int, width: int, halves: bool, after_halving: bool
    ) -> None:
        super().__init__()
        self.preprocess0 = Halved(older, width) if after_halving else pointwise(older, width)
        self.preprocess1 = pointwise(newer, width)
        self._ops = nn.ModuleList(
            operation(name, width, 2 if halves and source < 2 else 1) for name, source in pairs
        )
        self.sources = [source for _, source in pairs]

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        maps = [self.preprocess0(older), self.preprocess1(newer)]
        for node in range(4):
            edges = (2 * node, 2 * node + 1)
            first, second = (self._ops[edge](maps[self.sources[edge]]) for edge in edges)
            maps.append(first + second)
        return torch.cat(maps[2:], 1)


class DartsNetwork(nn.Module):
    """The whole network; ``imagenet`` has two stems, each of which the first cell reads."""

    def __init__(
        self, normal: Pairs, reduce: Pairs, width: int, cells: int, classes: int, imagenet: bool
    ) -> None:
        super().__init__()
        if imagenet:
            self.stem0 = nn.Sequential(
                nn.Conv2d(3, width // 2, 3, 2, 1, bias=False),
                nn.BatchNorm2d(width // 2),
                nn.ReLU(),
                nn.Conv2d(width // 2, width, 3, 2, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.stem1 = nn.Sequential(
                nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)
            )
            older = newer = width
        else:
            self.stem = nn.Sequential(
                nn.Conv2d(3, 3 * width, 3, 1, 1, bias=False), nn.BatchNorm2d(3 * width)
            )
            older = newer = 3 * width
        self.imagenet, halved, found = imagenet, imagenet, []
        for index in range(cells):
            halves = index in (cells // 3, 2 * cells // 3)
            width *= 2 if halves else 1
            pairs = reduce if halves else normal
            found.append(Cell(pairs, older, newer, width, halves, halved))
            older, newer, halved = newer, 4 * width, halves
        self.cells = nn.ModuleList(found)
        self.classifier = nn.Linear(newer, classes)

    def forward(self, x: Tensor) -> Tensor:
        older = self.stem0(x) if self.imagenet else self.stem(x)
        newer = self.stem1(older) if self.imagenet else older
        for cell in self.cells:
            older, newer = newer, cell(older, newer)
        return self.classifier(newer.mean((2, 3)))  # type: ignore[no-any-return]


def at_random(network: nn.Module) -> nn.Module:
    """Every number drawn, statistics included, so that no two tensors can be exchanged."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(0.0, 0.4).abs_() if "var" in name else tensor.normal_(0.0, 0.4)
                tensor += 0.5 if "var" in name else 0.0
    return network.eval()
