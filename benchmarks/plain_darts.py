"""The other side of train_speed.py: a DARTS network and its training loop as public code usually
has them.

Written for this comparison from the papers' description (arXiv 1806.09055), deliberately plain:
every operation is a Sequential with its own ReLU, tensors are in torch's default layout, images are
augmented one by one by torchvision, drop-path draws per edge, and the loss is read in every step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.space.genotype import Genotype


def conv_bn(
    cin: int, cout: int, kernel: int, stride: int, padding: int, groups: int = 1, dilation: int = 1
) -> Any:
    return nn.Conv2d(cin, cout, kernel, stride, padding, dilation, groups, bias=False)


class ReLUConvBN(nn.Module):
    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False), conv_bn(cin, cout, 1, 1, 0), nn.BatchNorm2d(cout)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class FactorizedReduce(nn.Module):
    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=False)
        self.conv_1 = conv_bn(cin, cout // 2, 1, 2, 0)
        self.conv_2 = conv_bn(cin, cout // 2, 1, 2, 0)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1))


class SepConv(nn.Module):
    def __init__(self, c: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            conv_bn(c, c, kernel, stride, kernel // 2, groups=c),
            conv_bn(c, c, 1, 1, 0),
            nn.BatchNorm2d(c),
            nn.ReLU(inplace=False),
            conv_bn(c, c, kernel, 1, kernel // 2, groups=c),
            conv_bn(c, c, 1, 1, 0),
            nn.BatchNorm2d(c),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class DilConv(nn.Module):
    def __init__(self, c: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            conv_bn(c, c, kernel, stride, kernel - 1, groups=c, dilation=2),
            conv_bn(c, c, 1, 1, 0),
            nn.BatchNorm2d(c),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


OPERATIONS: dict[str, Any] = {
    "skip_connect": lambda c, stride: nn.Identity() if stride == 1 else FactorizedReduce(c, c),
    "max_pool_3x3": lambda c, stride: nn.MaxPool2d(3, stride, 1),
    "avg_pool_3x3": lambda c, stride: nn.AvgPool2d(3, stride, 1, count_include_pad=False),
    "sep_conv_3x3": lambda c, stride: SepConv(c, 3, stride),
    "sep_conv_5x5": lambda c, stride: SepConv(c, 5, stride),
    "dil_conv_3x3": lambda c, stride: DilConv(c, 3, stride),
    "dil_conv_5x5": lambda c, stride: DilConv(c, 5, stride),
}


def drop_path(x: Tensor, probability: float) -> Tensor:
    if probability > 0:
        keep = 1.0 - probability
        mask = torch.empty(x.size(0), 1, 1, 1).bernoulli_(keep)
        x = x.div(keep)
        x = x.mul(mask)
    return x


class Cell(nn.Module):
    def __init__(
        self, genotype: Genotype, before: int, now: int, c: int, reduction: bool, reduced: bool
    ) -> None:
        super().__init__()
        self.preprocess0 = FactorizedReduce(before, c) if reduced else ReLUConvBN(before, c)
        self.preprocess1 = ReLUConvBN(now, c)
        nodes = genotype.reduce if reduction else genotype.normal
        pairs = [edge for node in nodes for edge in node]
        self.sources = [edge.source for edge in pairs]
        self.ops = nn.ModuleList(
            OPERATIONS[edge.op](c, 2 if reduction and edge.source < 2 else 1) for edge in pairs
        )

    def forward(self, s0: Tensor, s1: Tensor, probability: float) -> Tensor:
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        for node in range(4):
            parts = []
            for position in (2 * node, 2 * node + 1):
                op = self.ops[position]
                h = op(states[self.sources[position]])
                if self.training and probability > 0 and not isinstance(op, nn.Identity):
                    h = drop_path(h, probability)
                parts.append(h)
            states.append(parts[0] + parts[1])
        return torch.cat(states[2:], dim=1)


class Auxiliary(nn.Module):
    def __init__(self, c: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.AvgPool2d(5, stride=3, padding=0, count_include_pad=False),
            nn.Conv2d(c, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        return self.classifier(x.view(x.size(0), -1))


class PlainNetwork(nn.Module):
    def __init__(self, genotype: Genotype, c: int, layers: int, classes: int) -> None:
        super().__init__()
        self.layers, self.drop_path_prob = layers, 0.0
        self.stem = nn.Sequential(
            nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), nn.BatchNorm2d(3 * c)
        )
        before, now, reduced = 3 * c, 3 * c, False
        self.cells = nn.ModuleList()
        for index in range(layers):
            reduction = index in (layers // 3, 2 * layers // 3)
            c = 2 * c if reduction else c
            self.cells.append(Cell(genotype, before, now, c, reduction, reduced))
            reduced, before, now = reduction, now, 4 * c
            if index == 2 * layers // 3:
                self.auxiliary_head = Auxiliary(now, classes)
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(now, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        extra = None
        s0 = s1 = self.stem(x)
        for index, cell in enumerate(self.cells):
            s0, s1 = s1, cell(s0, s1, self.drop_path_prob)
            if index == 2 * self.layers // 3 and self.training:
                extra = self.auxiliary_head(s1)
        out = self.global_pooling(s1)
        return self.classifier(out.view(out.size(0), -1)), extra


class Cutout:
    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, image: Tensor) -> Tensor:
        h, w = image.size(1), image.size(2)
        mask = np.ones((h, w), np.float32)
        y, x = np.random.randint(h), np.random.randint(w)
        half = self.length // 2
        mask[max(0, y - half) : min(h, y + half), max(0, x - half) : min(w, x + half)] = 0.0
        return image * torch.from_numpy(mask).expand_as(image)


class Meter:
    def __init__(self) -> None:
        self.sum, self.count = 0.0, 0

    def update(self, value: float, n: int) -> None:
        self.sum += value * n
        self.count += n


def topk(output: Tensor, target: Tensor, ks: tuple[int, ...] = (1, 5)) -> list[Tensor]:
    _, ranked = output.topk(max(ks), 1, True, True)
    correct = ranked.t().eq(target.view(1, -1).expand_as(ranked.t()))
    return [correct[:k].reshape(-1).float().sum(0).mul_(100.0 / target.size(0)) for k in ks]
