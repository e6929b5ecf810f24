"""The weight-sharing supernet: every remaining option of every node, one path at a time or as a
mixture.

BatchNorm always uses the statistics of its batch, in training and in evaluation alike: a
sub-network's own statistics are never those of another (TND-NAS's alpha step, arXiv 2111.03892).
Two savings change nothing in the result: readers of one map share its ReLU, and pooling is computed
once per map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.elastic import BlockPart, Whole
from hwnas.nets.interpreter import (
    Addend,
    Built,
    Maps,
    fixed_modules,
    program_of,
    read,
    run,
    shared_module,
)
from hwnas.nets.operations import body, sequence
from hwnas.nets.precision import BatchNorm
from hwnas.space.build import key_of
from hwnas.space.family import Family
from hwnas.space.graph import Graph, Node, searched_groups, starts_with_relu
from hwnas.space.layers import Layer
from hwnas.space.sliced import is_sliced, largest_choices, whole_of
from hwnas.space.space import SKIP, Choices, Mask
from hwnas.space.spread import relative_costs
from profilers.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipDropout:
    """Dropout on skip_connect (P-DARTS, arXiv 1904.12760): its probability and the generator
    that decides. As in the authors' code, on identities alone: a skip that halves the map has
    weights, and is not dropped."""

    probability: float = 0.0
    generator: torch.Generator | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """x of any shape: elements dropped with probability p, the others divided by 1 - p."""
        keep = 1.0 - self.probability
        return x * torch.empty_like(x).bernoulli_(keep, generator=self.generator).div_(keep)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Candidate:
    """One remaining option of a node, and how it is computed.

    `module` is None for the identity. An option without weights is computed once per map, under
    `shared`. `carries`: it has weights and ends in a BatchNorm, which can carry the mixture weight.
    `is_skip`: the identity called skip_connect, which dropout falls on.
    """

    column: int
    module: Any
    relu_first: bool = False
    shared: str = ""
    is_skip: bool = False
    carries: bool = False


class Supernet(nn.Module):
    """Shared weights of all sub-networks that ``mask`` (decisions, operations) leaves.

    ``sampled(x, choices)`` executes only the drawn operations. ``mixture(x, weights)`` executes
    all, summed with ``weights`` (decisions, operations), differentiable in them. Both give logits
    (n, classes). alpha lives in the policy, not here.
    """

    def __init__(
        self,
        of: Family,
        mask: Mask | None = None,
    ) -> None:
        super().__init__()
        space, whole = of.space, of.graphs
        first = next(iter(whole))
        self.task = of.task
        self.space = space
        self._graphs = whole
        self.mask = space.mask if mask is None else mask
        self.dropout = SkipDropout()
        self._programs = {key: program_of(graph, of.task.image) for key, graph in whole.items()}
        built: Built = {}
        fixed = {key: _fixed(self, graph, built) for key, graph in whole.items()}
        operations = [decision.operations for decision in space.decisions]
        self._candidates = {
            key: _candidates(
                self, graph, fixed=fixed[key], built=built, operations=operations, mask=self.mask
            )
            for key, graph in whole.items()
        }
        self.largest = largest_choices(space, whole) if is_sliced(whole[first]) else None
        """Where options share weights, the sample (decisions,) of which all others are parts."""
        self.relative_costs = relative_costs(space, whole[first])
        self._classifiers = [
            one.module
            for key, graph in whole.items()
            for one in self._candidates[key][graph[-1].name].values()
        ]

    def graph_of(self, choices: Choices) -> Graph:
        """The supernet's graph at the size that a sample (decisions,) has."""
        return self._graphs[key_of(self.space, choices)]

    def classifier_weights(self) -> list[nn.Parameter]:
        """Those of the last node, which every path hands other features."""
        return list(
            dict.fromkeys(weight for module in self._classifiers for weight in module.parameters())
        )

    def sampled(self, x: Tensor, choices: Choices) -> Tensor:
        """One sub-network with inherited weights. x: (n, c, h, w), choices: (decisions,) -> (n,
        classes)."""
        drawn = [int(choice) for choice in choices]
        key = tuple(drawn[row] for row in self.space.size_rows)
        candidates = self._candidates[key]

        def addends(node: Node, maps: Maps) -> Sequence[Addend]:
            one = candidates[node.name].get(0 if node.row is None else drawn[node.row])
            return () if one is None else ((self._output(node, one, maps, None), None),)

        return run(self._programs[key], x, addends, self.training)

    def mixture(self, x: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of all. x: (n, c, h, w), weights: (decisions, operations) -> (n,
        classes)."""
        if self.space.size_rows:
            raise InputError(
                f"space {self.space.name}: networks of several sizes can't be mixed, only sampled"
            )
        candidates = self._candidates[()]

        def addends(node: Node, maps: Maps) -> Iterator[Addend]:
            for one in candidates[node.name].values():
                weight = None if node.row is None else weights[node.row, one.column]
                y = self._output(node, one, maps, weight if one.carries else None)
                yield y, None if one.carries else weight

        return run(self._programs[()], x, addends, self.training)

    def _output(self, node: Node, one: _Candidate, maps: Maps, scale: Tensor | None) -> Tensor:
        """The output of one option; ``scale`` () multiplies it through its last BatchNorm."""
        if one.shared:
            y = maps.once(node.inputs[0], one.shared, one.module)
        else:
            y = read(node, one.relu_first, maps)
            y = y if one.module is None else _scaled(one.module, y, scale)
        return self.dropout(y) if one.is_skip and self.dropout.probability > 0 else y


def _fixed(network: nn.Module, graph: Graph, built: Built) -> dict[str, nn.Module]:
    """What every path runs.

    BatchNorms beside what is searched have no scale and shift, as in DARTS; they have where options
    share weights, which are then those of a whole network.
    """
    searched = frozenset() if is_sliced(graph) else searched_groups(graph)
    return fixed_modules(network, graph, lambda node: node.group not in searched, False, built)


def _candidates(
    network: nn.Module,
    graph: Graph,
    fixed: Mapping[str, nn.Module],
    built: Built,
    operations: Sequence[tuple[str, ...]],
    mask: Mask,
) -> dict[str, dict[int, _Candidate]]:
    """The remaining options of each node by column of alpha; their modules are built in the
    graph's order."""
    alike: dict[tuple[str, tuple[Layer, ...]], _Candidate] = {}
    found: dict[str, dict[int, _Candidate]] = {}
    for node in graph[1:]:
        if node.join != "layers":
            continue
        if node.row is None:
            module, relu_first = fixed.get(node.name), starts_with_relu(node.layers)
            found[node.name] = {0: _Candidate(column=0, module=module, relu_first=relu_first)}
            continue
        columns = [column for column, option in enumerate(node.options) if option is not None]
        found[node.name] = {
            column: _open(
                network,
                node,
                column=column,
                name=operations[node.row][column],
                alike=alike,
                built=built,
            )
            for column in columns
            if mask[node.row, column]
        }
    return found


def _open(
    network: nn.Module,
    node: Node,
    column: int,
    name: str,
    alike: dict[tuple[str, tuple[Layer, ...]], _Candidate],
    built: Built,
) -> _Candidate:
    layers = node.options[column]
    assert layers is not None
    if not layers:
        return _Candidate(column=column, module=None, is_skip=name == SKIP)
    if node.weights == "sliced":
        largest = whole_of(node)
        whole = shared_module(
            network, built, _option_name(node, "whole"), largest, lambda: Whole(largest)
        )
        assert isinstance(whole, Whole)
        return _Candidate(column=column, module=BlockPart(whole, layers))
    if not any(layer.params for layer in layers if layer.kind != "batch_norm"):
        key = (node.inputs[0], layers)
        if key not in alike:
            module = shared_module(
                network,
                built,
                _option_name(node, name),
                layers,
                lambda: _weightless(layers, node.channels),
            )
            shared = f"{len(alike)} {name}"
            alike[key] = _Candidate(column=column, module=module, shared=shared)
        return replace(alike[key], column=column)
    relu_first = starts_with_relu(layers)
    module = shared_module(
        network,
        built,
        _option_name(node, name),
        layers,
        lambda: body(layers, affine=False, running=False)[1],
    )
    carries = layers[-1].kind == "batch_norm"
    return _Candidate(column=column, module=module, relu_first=relu_first, carries=carries)


def _weightless(layers: Sequence[Layer], channels: int) -> nn.Module:
    """A pooled map is normalised before it competes with convolutions (arXiv 1806.09055)."""
    modules = sequence(layers, affine=False, running=False)
    if not any(layer.kind in ("max_pool", "avg_pool") for layer in layers):
        return modules
    norm = BatchNorm(channels, affine=False, track_running_stats=False)
    return nn.Sequential(*modules, norm)


def _option_name(node: Node, operation: str) -> str:
    """Options stand behind all fixed modules, so that parameters come in the order in which they
    were drawn."""
    return f"options.{f'{node.name}_{operation}'.replace('.', '_')}"


def whole_prefix(node: Node) -> str:
    """What the names of the tensors begin with that all options of a sliced node share."""
    return f"{_option_name(node, 'whole')}."


def _scaled(module: Any, x: Tensor, scale: Tensor | None) -> Tensor:
    """``module(x) * scale`` for a Sequential that ends in a BatchNorm without scale of its own.

    The mixture weight becomes that BatchNorm's scale: the product costs no pass over the map, and
    its gradient falls out of BatchNorm's backward.
    """
    if scale is None:
        return module(x)  # type: ignore[no-any-return]
    *head, norm = module
    for layer in head:
        x = layer(x)
    # contiguous: torch's backward for channels_last maps reads the scale by address, as if not
    # expanded.
    return F.batch_norm(
        x, None, None, scale.expand(x.shape[1]).contiguous(), None, True, 0.0, norm.eps
    )


def build_supernet(of: Family, seed: int, mask: Mask | None = None) -> Supernet:
    """A supernet with weights drawn from ``seed``; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Supernet(of, mask)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
