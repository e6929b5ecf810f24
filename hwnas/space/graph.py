"""A network as a value: nodes in an order in which they can be run.

Whatever knows a network reads this.

A space writes its whole supernet as one `Graph`; `discrete` takes the drawn operations out of it.
Counts, memory, kernels, table features, torch modules, ONNX, plain Python and drawings are
functions of nodes. So a chain of blocks, a cell and a user's own space differ only in the function
that builds the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hwnas.space.graph_check import check
from hwnas.space.layers import Layer, Size
from hwnas.space.node import IMAGE, Graph, Join, Node, Option, Sharing

__all__ = [
    "IMAGE",
    "Builder",
    "Graph",
    "Join",
    "Node",
    "Option",
    "all_layers",
    "check",
    "discrete",
    "image_of",
    "readers",
    "searched_groups",
    "starts_with_relu",
    "tensor_prefix",
    "terms",
]


class Builder:
    """Collects the nodes of one graph, and knows the maps that they give."""

    def __init__(self, image: tuple[int, int, int]) -> None:
        self._nodes = [Node(name=IMAGE, channels=image[0], size=(image[1], image[2]))]
        self._maps = {IMAGE: self._nodes[0]}
        self.options: dict[tuple[str, int, int, Size], Option] = {}
        """What a space has built so far, by operation, channels, stride and size: equal options
        are one object."""

    def layers(
        self, name: str, source: str, layers: Sequence[Layer], auxiliary: bool = False
    ) -> str:
        """Append fixed layers on the map `source`; returns `name`."""
        return self._open(name, source, (tuple(layers),), None, auxiliary)

    def open(
        self,
        name: str,
        source: str,
        options: Sequence[Option],
        row: int,
        weights: Sharing = "separate",
    ) -> str:
        """Append a node whose option the decision `row` picks; returns `name`."""
        return self._open(name, source, tuple(options), row, False, weights)

    def sum(self, name: str, sources: Sequence[str]) -> str:
        """Append the sum of maps of one shape, added from the left; returns `name`."""
        first = self._maps[sources[0]]
        return self._add(
            Node(
                name=name,
                inputs=tuple(sources),
                join="sum",
                channels=first.channels,
                size=first.size,
            )
        )

    def concat(self, name: str, sources: Sequence[str], auxiliary: bool = False) -> str:
        """Append maps of one size side by side; returns `name`."""
        maps = [self._maps[source] for source in sources]
        channels = sum(one.channels for one in maps)
        return self._add(
            Node(
                name=name,
                inputs=tuple(sources),
                join="concat",
                channels=channels,
                size=maps[0].size,
                auxiliary=auxiliary,
            )
        )

    def shape(self, name: str) -> tuple[int, Size]:
        """Channels and size of a map."""
        found = self._maps[name]
        return found.channels, found.size

    def graph(self) -> Graph:
        """The nodes so far, checked. Raises InputError where they do not fit together."""
        graph = tuple(self._nodes)
        check(graph)
        return graph

    def _open(
        self,
        name: str,
        source: str,
        options: tuple[Option, ...],
        row: int | None,
        auxiliary: bool,
        weights: Sharing = "separate",
    ) -> str:
        before = self._maps[source]
        last = next((option[-1] for option in options if option), None)
        channels = before.channels if last is None else last.channels_out
        size = before.size if last is None else last.size_out
        return self._add(
            Node(
                name=name,
                inputs=(source,),
                channels=channels,
                size=size,
                options=options,
                row=row,
                weights=weights,
                auxiliary=auxiliary,
            )
        )

    def _add(self, node: Node) -> str:
        self._nodes.append(node)
        self._maps[node.name] = node
        return node.name


def discrete(
    graph: Graph, choices: Sequence[int] | npt.NDArray[np.int64], *, unread: bool = False
) -> Graph:
    """The network of one sample, (decisions,): each node with its one option, without what is
    absent or unread.

    With `unread`, nodes that nothing reads stay: published counts hold their parameters. A sum
    whose every input is absent stays, without inputs: a map of zeros.
    """
    kept: list[Node] = []
    absent: set[str] = set()
    for node in graph:
        if node.row is not None:
            option = node.options[int(choices[node.row])]
            if option is None:
                absent.add(node.name)
                continue
            node = replace(node, options=(option,))
        inputs = tuple(source for source in node.inputs if source not in absent)
        kept.append(replace(node, inputs=inputs))
    return tuple(kept) if unread else _read(kept)


def _read(nodes: Sequence[Node]) -> Graph:
    """Without the nodes that nothing reads; the image stays."""
    wanted, kept = {IMAGE, nodes[-1].name}, []
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))


def image_of(graph: Graph) -> tuple[int, int, int]:
    """(channels, height, width) of the images that a graph reads; smaller than its task's where
    a side is decided."""
    return (graph[0].channels, *graph[0].size)


def readers(graph: Graph) -> dict[str, tuple[Node, ...]]:
    """Which nodes read each node's result."""
    found: dict[str, list[Node]] = {node.name: [] for node in graph}
    for node in graph:
        for source in dict.fromkeys(node.inputs):
            found[source].append(node)
    return {name: tuple(nodes) for name, nodes in found.items()}


def terms(graph: Graph) -> frozenset[str]:
    """Names of the nodes whose result only one sum reads: it is added at once, and never a map
    of its own."""
    found = readers(graph)
    return frozenset(
        node.name
        for node in graph
        if node.join == "layers"
        and node.name != IMAGE
        and len(found[node.name]) == 1
        and found[node.name][0].join == "sum"
    )


def starts_with_relu(option: Option) -> bool:
    """Whether an option begins with a ReLU, which all readers of one map share."""
    return bool(option) and option[0].kind == "relu"  # type: ignore[index]


def searched_groups(graph: Graph) -> frozenset[str]:
    """The groups in which something is decided."""
    return frozenset(node.group for node in graph if node.row is not None)


def tensor_prefix(node: Node, number: int, option: Option = None) -> str:
    """The prefix of the tensors of layer `number` of a fixed node, in the network's state_dict.

    A ReLU that comes first is computed once for all readers of its map and has no number.
    """
    layers = node.layers if option is None else option
    return f"{node.name}.{number - starts_with_relu(layers)}"


def all_layers(nodes: Iterable[Node]) -> list[Layer]:
    """Every layer of fixed nodes, in order."""
    return [layer for node in nodes for layer in node.layers]
