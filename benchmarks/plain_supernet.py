"""The other side of step.py: a P-DARTS search network and its two steps as public code usually has
them.

Written for this comparison from the papers' description (arXiv 1806.09055, 1904.12760),
deliberately plain: default layout, every operation of every edge on its own with its own ReLU, a
BatchNorm after each pool, and an alpha step whose loss is propagated back to everything. Only the
first stage: all operations on all edges, no dropout on skips.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PRIMITIVES = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NODES = 4


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, affine=False)


def relu_conv_bn(cin: int, cout: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(cin, cout, 1, bias=False), norm(cout))


def separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        norm(channels),
    ]


class FactorizedReduce(nn.Module):
    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(cin, cout // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(cin, cout // 2, 1, stride=2, bias=False)
        self.bn = norm(cout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1))


class Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


def operation(name: str, channels: int, stride: int) -> nn.Module:
    if name == "none":
        return Zero(stride)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    if name == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(channels))
    if name == "avg_pool_3x3":
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels))
    kernel = int(name[-1])
    if name.startswith("dil"):
        return nn.Sequential(*separable(channels, kernel, stride, dilation=2))
    return nn.Sequential(*separable(channels, kernel, stride), *separable(channels, kernel, 1))


class MixedOp(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.ops = nn.ModuleList(operation(name, channels, stride) for name in PRIMITIVES)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return sum(w * op(x) for w, op in zip(weights, self.ops, strict=True))  # type: ignore[return-value]


class Cell(nn.Module):
    def __init__(
        self, before: int, now: int, channels: int, reduction: bool, after_reduction: bool
    ) -> None:
        super().__init__()
        self.reduction = reduction
        prepare = FactorizedReduce if after_reduction else relu_conv_bn
        self.preprocess0 = prepare(before, channels)
        self.preprocess1 = relu_conv_bn(now, channels)
        self.edges = nn.ModuleList(
            MixedOp(channels, 2 if reduction and source < 2 else 1)
            for node in range(NODES)
            for source in range(2 + node)
        )

    def forward(self, s0: Tensor, s1: Tensor, weights: Tensor) -> Tensor:
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        edge = 0
        for _ in range(NODES):
            total = sum(self.edges[edge + j](s, weights[edge + j]) for j, s in enumerate(states))
            edge += len(states)
            states.append(total)
        return torch.cat(states[2:], dim=1)


class PlainSupernet(nn.Module):
    def __init__(self, channels: int, cells: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels)
        )
        before = now = 3 * channels
        self.cells = nn.ModuleList()
        after_reduction = False
        for index in range(cells):
            reduction = index in (cells // 3, 2 * cells // 3)
            channels = 2 * channels if reduction else channels
            self.cells.append(Cell(before, now, channels, reduction, after_reduction))
            before, now, after_reduction = now, NODES * channels, reduction
        self.classifier = nn.Linear(now, classes)
        self.alphas = nn.ParameterList(
            nn.Parameter(1e-3 * torch.randn(len(self.cells[0].edges), len(PRIMITIVES)))
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = [F.softmax(alpha, dim=1) for alpha in self.alphas]
        s0 = s1 = self.stem(x)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1, weights[int(cell.reduction)])
        return self.classifier(F.adaptive_avg_pool2d(s1, 1).flatten(1))


class PlainSteps:
    """The steps of the first-order and of the second-order search."""

    def __init__(self, channels: int, cells: int, classes: int) -> None:
        self.net = PlainSupernet(channels, cells, classes)
        self.alphas = list(self.net.alphas)
        own = {id(alpha) for alpha in self.alphas}
        self.weights = [p for p in self.net.parameters() if id(p) not in own]
        self.optimizer = torch.optim.SGD(self.weights, lr=0.025, momentum=0.9, weight_decay=3e-4)
        self.optimizer_a = torch.optim.Adam(
            self.alphas, lr=6e-4, betas=(0.5, 0.999), weight_decay=1e-3
        )

    def alpha(self, x: Tensor, y: Tensor) -> None:
        self.optimizer_a.zero_grad()
        F.cross_entropy(self.net(x), y).backward()
        nn.utils.clip_grad_norm_(self.alphas, 5)
        self.optimizer_a.step()

    def weight(self, x: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad()
        F.cross_entropy(self.net(x), y).backward()
        nn.utils.clip_grad_norm_(self.weights, 5)
        self.optimizer.step()

    def alpha_second_order(self, x: Tensor, y: Tensor) -> None:
        """DARTS (arXiv 1806.09055, eq. 6 to 8): alpha's gradient a weight step ahead, by
        differences."""
        lr = self.optimizer.param_groups[0]["lr"]
        before = [p.detach().clone() for p in self.weights]
        ahead = torch.autograd.grad(
            F.cross_entropy(self.net(x), y), self.weights, allow_unused=True
        )
        with torch.no_grad():
            for p, g in zip(self.weights, ahead, strict=True):
                p.sub_(lr * (torch.zeros_like(p) if g is None else g))
        found = torch.autograd.grad(
            F.cross_entropy(self.net(x), y), [*self.alphas, *self.weights], allow_unused=True
        )
        alone, towards = found[: len(self.alphas)], found[len(self.alphas) :]
        filled = [
            torch.zeros_like(p) if g is None else g
            for p, g in zip(self.weights, towards, strict=True)
        ]
        epsilon = 0.01 / float(torch.cat([g.flatten() for g in filled]).norm())
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for p, b, g in zip(self.weights, before, filled, strict=True):
                    p.copy_(b + sign * epsilon * g)
            sides.append(torch.autograd.grad(F.cross_entropy(self.net(x), y), self.alphas))
        with torch.no_grad():
            for p, b in zip(self.weights, before, strict=True):
                p.copy_(b)
        for alpha, direct, plus, minus in zip(self.alphas, alone, *sides, strict=True):
            alpha.grad = direct - lr * (plus - minus) / (2 * epsilon)
        nn.utils.clip_grad_norm_(self.alphas, 5)
        self.optimizer_a.step()
