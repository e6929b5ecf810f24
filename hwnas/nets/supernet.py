"""The weight-sharing supernet: every surviving operation of every edge, one path at a time or as a mixture.

BatchNorm always uses the statistics of its batch, in training and in evaluation alike: a sub-network's own
statistics are never those of another (TND-NAS's alpha step, arXiv 2111.03892). Two savings change nothing in
the result: edges that leave one state share its ReLU, and pooling is computed once per state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.maps import joined
from hwnas.nets.network import Frame
from hwnas.nets.operations import body
from hwnas.space.layers import PRIMITIVES, CellSite, Stem, skeleton
from hwnas.space.space import NONE, SKIP, Choices, Mask, Space


@dataclass(frozen=True, slots=True)
class SkipDropout:
    """Dropout on skip_connect (P-DARTS, arXiv 1904.12760): its probability and the generator that decides."""

    probability: float = 0.0
    generator: torch.Generator | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """x of any shape: elements dropped with probability p, the others divided by 1 - p."""
        keep = 1.0 - self.probability
        return x * torch.empty_like(x).bernoulli_(keep, generator=self.generator).div_(keep)


@dataclass(frozen=True, slots=True)
class _Edge:
    """One row of alpha inside a cell: its source state, and per surviving operation how it is computed."""

    row: int
    source: int
    ops: tuple[tuple[int, str, bool, bool, bool], ...]
    """(column of alpha, primitive, ReLU first, has weights, ends in a BatchNorm that can carry its weight)"""


class SuperCell(nn.Module):
    """One cell with all surviving operations."""

    def __init__(self, space: Space, site: CellSite, mask: Mask) -> None:
        super().__init__()
        self.site = site
        self.inputs = space.inputs
        self.joined = space.stacking == "reduction_cells"
        self.ops = nn.ModuleDict()
        self.nodes: list[list[_Edge]] = [[] for _ in range(space.nodes)]
        for row in space.rows(site.kind):
            slot = space.slots[row]
            stride, size = site.edge(slot.source, space.inputs)
            found = []
            for column, op in enumerate(slot.ops):
                layers = PRIMITIVES[op](site.channels, stride, size)
                if not mask[row, column] or op == NONE:
                    continue
                rectified, module = body(layers, affine=False, running=False)
                weighted = any(layer.params for layer in layers if layer.kind != "batch_norm")
                name = f"{row}_{column}" if weighted else f"{op}_{slot.source}"
                if layers and name not in self.ops:
                    self.ops[name] = module if weighted else nn.Sequential(*module, _pool_norm(site.channels))
                carries = weighted and layers[-1].kind == "batch_norm"
                found.append((column, op, rectified, weighted, carries))
            self.nodes[slot.node - space.inputs].append(_Edge(row, slot.source, tuple(found)))

    def forward(
        self,
        states: list[Tensor],
        choices: Sequence[int] | None,
        weights: Tensor | None,
        dropout: SkipDropout,
    ) -> Tensor:
        """states: the prepared inputs (n, channels, h, w). One of ``choices`` and ``weights`` is given."""
        run = _Run(self.ops, list(states), dropout)
        for edges in self.nodes:
            total: Tensor | None = None
            for edge in edges:
                for column, op, rectified, weighted, carries in edge.ops:
                    if choices is not None and choices[edge.row] != column:
                        continue
                    name = f"{edge.row}_{column}" if weighted else f"{op}_{edge.source}"
                    weight = None if weights is None else weights[edge.row, column]
                    y = run.operation(name, op, edge.source, rectified, weighted, weight if carries else None)
                    if weight is None or carries:
                        total = y if total is None else total + y
                    else:
                        total = y * weight if total is None else torch.addcmul(total, y, weight)
            run.states.append(self._empty(states[0]) if total is None else total)
        return joined(run.states[self.inputs :]) if self.joined else run.states[-1]

    def _empty(self, like: Tensor) -> Tensor:
        return like.new_zeros(like.shape[0], self.site.channels, *self.site.size_out)


class _Run:
    """The tensors of one pass through one cell: states, and what edges share."""

    def __init__(self, ops: nn.ModuleDict, states: list[Tensor], dropout: SkipDropout) -> None:
        self.ops, self.states, self.dropout = ops, states, dropout
        self.shared: dict[str, Tensor] = {}

    def operation(
        self, name: str, op: str, source: int, rectified: bool, weighted: bool, scale: Tensor | None
    ) -> Tensor:
        """The output of one operation; ``scale`` () multiplies it through its last BatchNorm."""
        x = self._rectified(source) if rectified else self.states[source]
        if weighted:
            y = _scaled(self.ops[name], x, scale)
        elif name in self.ops:
            y = self._once(name, x)
        else:
            y = x
        return self.dropout(y) if op == SKIP and self.dropout.probability > 0 else y

    def _rectified(self, source: int) -> Tensor:
        name = f"relu_{source}"
        if name not in self.shared:
            self.shared[name] = F.relu(self.states[source])
        return self.shared[name]

    def _once(self, name: str, x: Tensor) -> Tensor:
        if name not in self.shared:
            self.shared[name] = self.ops[name](x)
        return self.shared[name]


def _pool_norm(channels: int) -> nn.Module:
    """A pooled map is normalised before it competes with convolutions (arXiv 1806.09055)."""
    return nn.BatchNorm2d(channels, affine=False, track_running_stats=False)


def _scaled(module: Any, x: Tensor, scale: Tensor | None) -> Tensor:
    """``module(x) * scale`` for a Sequential that ends in a BatchNorm without scale of its own.

    The mixture weight becomes that BatchNorm's scale: the product costs no pass over the map, and its
    gradient falls out of BatchNorm's backward.
    """
    if scale is None:
        return module(x)  # type: ignore[no-any-return]
    *head, norm = module
    for layer in head:
        x = layer(x)
    # contiguous: torch's backward for channels_last maps reads the scale by address, as if not expanded.
    return F.batch_norm(x, None, None, scale.expand(x.shape[1]).contiguous(), None, True, 0.0, norm.eps)


class Supernet(nn.Module):
    """Shared weights of all sub-networks that ``mask`` (edges, operations) leaves.

    ``sampled(x, choices)`` executes only the drawn operations. ``mixture(x, weights)`` executes all, summed
    with ``weights`` (edges, operations), differentiable in them. Both give logits (n, classes). alpha lives
    in the policy, not here.
    """

    def __init__(
        self,
        space: Space,
        channels: int,
        cells: int,
        classes: int,
        image: tuple[int, int, int],
        mask: Mask | None = None,
        stem: Stem = "cifar",
    ) -> None:
        super().__init__()
        frame = skeleton(space, channels, cells, classes, image, stem)
        self.space = space
        self.mask = space.mask if mask is None else mask
        self.frame = Frame(frame, affine=False, running=False)
        self.cells = nn.ModuleList(SuperCell(space, site, self.mask) for site in frame.cells)
        self.dropout = SkipDropout()

    def sampled(self, x: Tensor, choices: Choices) -> Tensor:
        """One sub-network with inherited weights. x: (n, c, h, w), choices: (edges,) -> (n, classes)."""
        drawn = [int(choice) for choice in choices]
        return self._run(x, drawn, None)

    def mixture(self, x: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of all. x: (n, c, h, w), weights: (edges, operations) -> (n, classes)."""
        return self._run(x, None, weights)

    def _run(self, x: Tensor, choices: Sequence[int] | None, weights: Tensor | None) -> Tensor:
        def run(index: int, states: list[Tensor]) -> Tensor:
            y: Tensor = self.cells[index](states, choices, weights, self.dropout)
            return y

        return self.frame.classify(self.frame.features(x, run))


def build_supernet(
    space: Space,
    channels: int,
    cells: int,
    classes: int,
    image: tuple[int, int, int],
    seed: int,
    mask: Mask | None = None,
    stem: Stem = "cifar",
) -> Supernet:
    """A supernet with weights drawn from ``seed``; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Supernet(space, channels, cells, classes, image, mask, stem)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
