"""Discrete networks: one genotype at a width and a depth, with auxiliary head and drop-path.

Structures: DARTS CIFAR and ImageNet networks (arXiv 1806.09055), NAS-Bench-201 networks (arXiv 2001.00326).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.maps import joined
from hwnas.nets.operations import body, sequence
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.layers import PRIMITIVES, CellSite, Layer, Size, Skeleton, Stem, skeleton
from hwnas.space.space import SPACES


def drop_path(probability: float, edges: int, images: int, generator: torch.Generator) -> Tensor:
    """Factors (edges, images, 1, 1, 1) on the outputs of edges: 0 with ``probability``, else 1 / (1 - probability).

    One drawing per edge and image (arXiv 1605.07648); all of a step at once, so that a compiled network draws none.
    """
    keep = 1.0 - probability
    return torch.empty(edges, images, 1, 1, 1).bernoulli_(keep, generator=generator).div_(keep)


class Cell(nn.Module):
    """The edges of one cell: states in, (n, nodes * channels, h, w) out, or the last node in nasbench201."""

    def __init__(self, genotype: Genotype, site: CellSite) -> None:
        super().__init__()
        space = SPACES[genotype.space]
        self.site = site
        self.joined = space.stacking == "reduction_cells"
        self.inputs = space.inputs
        self.edges = nn.ModuleList()
        self.plan: list[list[tuple[int, bool, bool]]] = []
        for node in genotype.cell(site.kind):
            steps = []
            for edge in node:
                layers = PRIMITIVES[edge.op](site.channels, *site.edge(edge.source, space.inputs))
                if edge.op == "none":
                    continue
                rectified, module = body(layers)
                self.edges.append(module)
                steps.append((edge.source, rectified, not layers))
            self.plan.append(steps)
        self.droppable = sum(not identity for steps in self.plan for _, _, identity in steps)

    def forward(self, states: list[Tensor], keep: Tensor | None = None) -> Tensor:
        """states: the preprocessed inputs, (n, channels, h, w) each. keep: (droppable, n, 1, 1, 1) factors."""
        states = list(states)
        rectified: dict[int, Tensor] = {}
        edges, factors = iter(self.edges), iter(() if keep is None else keep)
        for steps in self.plan:
            total: Tensor | None = None
            for source, relu_first, identity in steps:
                if relu_first and source not in rectified:
                    rectified[source] = F.relu(states[source])
                y = next(edges)(rectified[source] if relu_first else states[source])
                if keep is not None and not identity:
                    factor = next(factors).to(y.dtype)
                    total = y * factor if total is None else torch.addcmul(total, y, factor)
                else:
                    total = y if total is None else total + y
            states.append(self._empty(states[0]) if total is None else total)
        if not self.joined:
            return states[-1]
        return joined(states[self.inputs :]) if self.training else torch.cat(states[self.inputs :], dim=1)

    def _empty(self, like: Tensor) -> Tensor:
        return like.new_zeros(like.shape[0], self.site.channels, *self.site.size_out)


class AuxiliaryHead(nn.Module):
    """The classifier on the map after the second reduction: (n, width, h, w) -> (n, classes).

    CIFAR windows are 5x5 at stride 3 on an 8x8 map, ImageNet's 5x5 at stride 2 on 7x7 (and, as published,
    without the second BatchNorm); other maps are averaged to 2x2.
    """

    def __init__(self, width: int, classes: int, size: Size, stem: Stem) -> None:
        super().__init__()
        published = {("cifar", (8, 8)): 3, ("imagenet", (7, 7)): 2}
        stride = published.get((stem, size))
        pool = (
            nn.AvgPool2d(5, stride, count_include_pad=False)
            if stride
            else nn.AdaptiveAvgPool2d((min(2, size[0]), min(2, size[1])))
        )
        kernel = (min(2, size[0]), min(2, size[1]))
        self.features = nn.Sequential(
            nn.ReLU(),
            pool,
            nn.Conv2d(width, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 768, kernel, bias=False),
            nn.BatchNorm2d(768) if stem == "cifar" else nn.Identity(),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.classifier(self.features(x).flatten(1))  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """NAS-Bench-201's step between groups: (n, c, h, w) -> (n, 2c, ceil(h/2), ceil(w/2))."""

    def __init__(self, main: tuple[Layer, ...], shortcut: tuple[Layer, ...], running: bool) -> None:
        super().__init__()
        self.main = sequence(main, running=running)
        self.shortcut = sequence(shortcut, running=running)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.main(x) + self.shortcut(x)  # type: ignore[no-any-return]


class Frame(nn.Module):
    """Stem, what stands between the cells, and head: the part that a discrete network and a supernet share.

    ``cell(index, states)`` is given by the caller: it computes cell ``index`` from its prepared inputs.
    """

    def __init__(self, frame: Skeleton, affine: bool = True, running: bool = True) -> None:
        super().__init__()
        self.stem = nn.ModuleList(sequence(part, running=running) for part in frame.stem)
        self.paired = any(len(site.before) == 2 for site in frame.cells[:1])
        if self.paired:
            # All start with a ReLU; a map is rectified once, for the cell after it and the one after that.
            self.before = nn.ModuleList(
                nn.ModuleList(body(part, affine, running)[1] for part in site.before) for site in frame.cells
            )
        else:
            self.before = nn.ModuleList(
                ResidualBlock(site.before[0], site.before[1], running) if site.before else nn.Identity()
                for site in frame.cells
            )
        # The classifier is the head's last layer; global pooling is a mean: fewer nodes when exported.
        self.last = sequence(frame.head[:-2], running=running)
        self.classifier = sequence(frame.head[-1:])[0]

    def features(self, x: Tensor, cell: Callable[[int, list[Tensor]], Tensor]) -> Tensor:
        """Images (n, c, h, w) -> the last cell's map (n, width, h', w')."""
        maps: list[Tensor] = [self.stem[0](x)]
        for part in self.stem[1:]:
            maps.append(part(maps[-1]))
        now = maps[-1]
        prepare: Any  # two modules per cell where they come in pairs, else one
        if not self.paired:
            for index, prepare in enumerate(self.before):
                now = cell(index, [prepare(now)])
            return now
        rectified = [F.relu(part) for part in maps[:-1]]
        for index, prepare in enumerate(self.before):
            # In place for training, not where the network may be traced for export. Nobody else reads the map any
            # more: an auxiliary head that stands on it has run, and rectified a copy.
            rectified = [*rectified[-1:], F.relu(now, inplace=self.training)]
            for_older, for_newer = prepare
            now = cell(index, [for_older(rectified[0]), for_newer(rectified[-1])])
        return now

    def classify(self, x: Tensor) -> Tensor:
        """The last cell's map (n, width, h, w) -> logits (n, classes)."""
        return self.classifier(self.last(x).mean((2, 3)))  # type: ignore[no-any-return]


class Network(nn.Module):
    """A discrete network: images (n, c, h, w) -> logits (n, classes).

    With ``auxiliary`` and in training mode the result is (logits, auxiliary logits).
    """

    def __init__(
        self,
        architecture: Architecture,
        classes: int,
        image: tuple[int, int, int],
        stem: Stem = "cifar",
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        genotype = architecture.genotype
        space = SPACES[genotype.space]
        frame = skeleton(space, architecture.channels, architecture.cells, classes, image, stem)
        self.frame = Frame(frame)
        self.cells = nn.ModuleList(Cell(genotype, site) for site in frame.cells)
        self.droppable = [cell.droppable for cell in self.cells if isinstance(cell, Cell)]
        """How many edges of each cell drop-path may drop: all but identities."""
        self.auxiliary_after = 2 * len(frame.cells) // 3 if auxiliary and self.frame.paired else None
        if self.auxiliary_after is not None:
            site = frame.cells[self.auxiliary_after]
            self.auxiliary = AuxiliaryHead(space.nodes * site.channels, classes, site.size_out, stem)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """See the class. keep: the factors of ``drop_path`` for all edges that may be dropped; None keeps all."""
        extra: list[Tensor] = []
        none: Sequence[Tensor | None] = [None] * len(self.cells)
        parts = none if keep is None else torch.split(keep, self.droppable)

        def run(index: int, states: list[Tensor]) -> Tensor:
            y: Tensor = self.cells[index](states, parts[index])
            if self.training and index == self.auxiliary_after:
                extra.append(self.auxiliary(y))
            return y

        logits = self.frame.classify(self.frame.features(x, run))
        return (logits, extra[0]) if extra else logits
