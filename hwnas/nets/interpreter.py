"""A graph's nodes run one after the other on torch tensors: what a discrete network and a supernet
share.

Each step is prepared once. A term that only one sum reads is added at once, so that it is never a
map of its own. A ReLU that several readers of one map begin with is computed once, and a map is
dropped after its last reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.fast.maps import joined
from hwnas.nets.operations import body
from hwnas.space.graph import IMAGE, Graph, Node, readers, starts_with_relu, terms
from hwnas.space.layers import Layer, Size


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One node that gives a map: what is added up or joined, and which maps nobody reads after
    it."""

    node: Node
    terms: tuple[Node | str, ...]
    """Nodes that are run and added here, and names of maps that are there already."""
    unread: tuple[str, ...]
    in_place: bool
    """A ReLU of this step's map may work in place: all its readers begin with one."""


class Maps:
    """The maps of one pass, and what readers of one map share."""

    def __init__(self, x: Tensor, in_place: bool) -> None:
        self.found: dict[str, Tensor] = {IMAGE: x}
        self.after_relu: dict[str, Tensor] = {}
        self.shared: dict[str, dict[str, Tensor]] = {}
        self.rectify_in_place: set[str] = set()
        self.in_place = in_place

    def relu(self, source: str) -> Tensor:
        """The map `source` after ReLU."""
        y = self.after_relu.get(source)
        if y is None:
            in_place = self.in_place and source in self.rectify_in_place
            y = self.after_relu[source] = F.relu(self.found[source], inplace=in_place)
        return y

    def once(self, source: str, key: str, module: nn.Module) -> Tensor:
        """What `module` makes of the map `source`, for all readers that ask with one `key`."""
        known = self.shared.setdefault(source, {})
        if key not in known:
            known[key] = module(self.found[source])
        return known[key]

    def drop(self, names: Iterable[str]) -> None:
        """Forget maps that nobody reads any more."""
        for name in names:
            del self.found[name]
            self.after_relu.pop(name, None)
            self.shared.pop(name, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """The steps of a graph, and the size of its images where they are smaller than those of its
    task.

    Larger images are then averaged down first; an exported file takes them as small as they are.
    """

    steps: tuple[Step, ...]
    shrinks_to: Size | None = None


Addend = tuple[Tensor, Tensor | None]
"""A map, and the factor that it is multiplied by; None for 1."""
Addends = Callable[[Node, Maps], Iterable[Addend]]
"""What a node gives from its input: nothing, one map, or several that are added up."""


def program_of(graph: Graph, image: tuple[int, int, int]) -> Program:
    """The program of a graph for a task's images (channels, height, width), made once for all
    passes."""
    size = graph[0].size
    return Program(steps=steps(graph), shrinks_to=None if size == image[1:] else size)


def steps(graph: Graph) -> tuple[Step, ...]:
    """The steps of a graph."""
    added, read = terms(graph), readers(graph)
    by_name = {node.name: node for node in graph}
    own = [node for node in graph[1:] if node.name not in added]
    last: dict[str, str] = {}
    for node in own:
        for source in _sources(node, by_name, added):
            last[source] = node.name
    unread: dict[str, list[str]] = {node.name: [node.name] for node in own if not read[node.name]}
    for source, name in last.items():
        unread.setdefault(name, []).append(source)
    return tuple(
        Step(
            node=node,
            terms=_terms(node, by_name, added),
            unread=tuple(unread.get(node.name, ())),
            in_place=_only_rectified(node, read[node.name]),
        )
        for node in own
    )


def _terms(node: Node, by_name: dict[str, Node], added: frozenset[str]) -> tuple[Node | str, ...]:
    if node.join == "layers":
        return (node,)
    return tuple(by_name[source] if source in added else source for source in node.inputs)


def _sources(node: Node, by_name: dict[str, Node], added: frozenset[str]) -> list[str]:
    """The maps that a step reads, its terms' inputs included."""
    found: list[str] = []
    for source in node.inputs:
        found += by_name[source].inputs if source in added else (source,)
    return found


def _only_rectified(node: Node, read: tuple[Node, ...]) -> bool:
    """Whether nothing is lost if a ReLU overwrites this map: all read it through one, and no
    gradient needs it.

    The backward passes of a concatenation and of BatchNorm do not look at their results.
    """
    ends = node.join == "concat" or (
        node.row is None and node.layers and node.layers[-1].kind == "batch_norm"
    )
    return bool(ends) and all(
        reader.join == "layers" and all(starts_with_relu(option) for option in reader.options)
        for reader in read
    )


def run(
    program: Program,
    x: Tensor,
    addends: Addends,
    training: bool,
    watch: Callable[[Node, Tensor], None] | None = None,
) -> Tensor:
    """Images (n, c, h, w) -> the last node's result. `addends` computes each node's layers.

    `watch` sees the maps on which an auxiliary classifier may stand, before anything overwrites
    them.
    """
    if program.shrinks_to is not None and x.shape[2:] != program.shrinks_to:
        x = F.adaptive_avg_pool2d(x, program.shrinks_to)
    maps = Maps(x, training)
    result = x
    for step in program.steps:
        node = step.node
        if node.join == "concat":
            parts = [maps.found[source] for source in node.inputs]
            result = joined(parts) if training else torch.cat(parts, dim=1)
        else:
            total: Tensor | None = None
            for term in step.terms:
                found = (
                    ((maps.found[term], None),) if isinstance(term, str) else addends(term, maps)
                )
                for y, factor in found:
                    if factor is None:
                        total = y if total is None else total + y
                    else:
                        total = y * factor if total is None else torch.addcmul(total, y, factor)
            result = x.new_zeros(x.shape[0], node.channels, *node.size) if total is None else total
        maps.found[node.name] = result
        if step.in_place:
            maps.rectify_in_place.add(node.name)
        if watch is not None and node.auxiliary:
            watch(node, result)
        maps.drop(step.unread)
    return result


def read(node: Node, relu_first: bool, maps: Maps) -> Tensor:
    """The map that a node's layers start from: after the ReLU that all its readers share, where
    they begin with one."""
    (source,) = node.inputs
    return maps.relu(source) if relu_first else maps.found[source]


def register(network: nn.Module, name: str, module: nn.Module) -> None:
    """Hang a module into `network` under the dotted name GROUP.PART, so that its tensors are
    called so."""
    group, _, part = name.partition(".")
    if group not in network._modules:
        network.add_module(group, nn.Module())
    network.get_submodule(group).add_module(part, module)


Built = dict[tuple[str, tuple[Layer, ...]], nn.Module]
"""Modules by name and layers, whatever the size of their maps: graphs of several sizes share
those that agree."""


def shared_module(
    network: nn.Module,
    built: Built,
    name: str,
    layers: Sequence[Layer],
    make: Callable[[], nn.Module],
) -> nn.Module:
    """The module of some layers under a name: registered where it is new, else the one that is
    there already."""
    key = name, tuple(replace(layer, size=(1, 1)) for layer in layers)
    if key not in built:
        others = sum(other == name for other, _ in built)
        built[key] = make()
        register(network, name if not others else f"{name}_{others + 1}", built[key])
    return built[key]


def fixed_modules(
    network: nn.Module, graph: Graph, affine: Callable[[Node], bool], running: bool, built: Built
) -> dict[str, nn.Module]:
    """The modules of all nodes about which nothing is decided, in the graph's order."""
    return {
        node.name: shared_module(
            network,
            built,
            node.name,
            node.layers,
            lambda node=node: body(node.layers, affine(node), running)[1],  # type: ignore[misc]
        )
        for node in graph[1:]
        if node.row is None and node.layers
    }
