"""A network as a value: nodes in an order in which they can be run.

Whatever knows a network reads this.

A space writes its whole supernet as one `Graph`; `discrete` takes the drawn operations out of it.
Counts, memory, kernels, table features, torch modules, ONNX, plain Python and drawings are
functions of nodes. So a chain of blocks, a cell and a user's own space differ only in the function
that builds the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from hwnas.space.layers import ACTIVATIONS, Layer, Size, check_layer
from profilers.errors import InputError

Option = tuple[Layer, ...] | None
"""Layers in a row; () is the identity, None is absent: nothing runs and nothing arrives."""
Join = Literal["layers", "sum", "concat"]
Bools = npt.NDArray[np.bool_]

IMAGE = "image"
"""The name of the first node, which every graph has: the images, (n, channels, height, width)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One step of a network: layers in a row on one map, or several maps joined.

    `name` is GROUP.PART, both Python identifiers, and also the prefix of the node's tensors;
    `inputs` are names of earlier nodes. `channels` and `size` (height, width, in pixels) are those
    of its result. `options`: what may stand here; a node that joins maps has none. `row` is the
    decision (row of alpha) that picks the option, None where nothing is to be decided; a graph out
    of `discrete` keeps it beside the one option that is left.

    `weights` says how options share their weights in a supernet: `separate`, or `sliced` (parts of
    one block's).
    `auxiliary`: training may put an auxiliary classifier on this result.
    """

    name: str
    inputs: tuple[str, ...] = ()
    join: Join = "layers"
    channels: int
    size: Size
    options: tuple[Option, ...] = ()
    row: int | None = None
    weights: Literal["separate", "sliced"] = "separate"
    auxiliary: bool = False

    @property
    def group(self) -> str:
        """What this node is drawn and named with: the first part of its name."""
        return self.name.partition(".")[0]

    @property
    def elements(self) -> int:
        """Numbers in the result, for one image."""
        return self.channels * self.size[0] * self.size[1]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a node whose option is fixed; empty for a join."""
        return (self.options[0] or ()) if self.options else ()


Graph = tuple[Node, ...]


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

    def open(self, name: str, source: str, options: Sequence[Option], row: int) -> str:
        """Append a node whose option the decision `row` picks; returns `name`."""
        return self._open(name, source, tuple(options), row, False)

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
        self, name: str, source: str, options: tuple[Option, ...], row: int | None, auxiliary: bool
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
                auxiliary=auxiliary,
            )
        )

    def _add(self, node: Node) -> str:
        self._nodes.append(node)
        self._maps[node.name] = node
        return node.name


def check(graph: Graph) -> None:
    """Raise InputError unless names are unique, inputs come first and all widths and sizes
    agree."""
    maps: dict[str, Node] = {}
    flat: set[str] = set()
    sound: dict[tuple[object, ...], bool] = {}
    for node in graph:
        where = f"node {node.name}"
        parts = node.name.split(".")
        if node.name in maps or not all(part.isidentifier() for part in parts) or len(parts) > 2:
            raise InputError(
                f"{where}: a name must be GROUP.PART, of Python identifiers, and stand once"
            )
        if len(parts) == 1 and node.name != IMAGE:
            raise InputError(f"{where}: a name must be GROUP.PART")
        for source in node.inputs:
            if source not in maps:
                raise InputError(f"{where}: its input {source!r} does not come before it")
        if _check_shapes(node, [maps[source] for source in node.inputs], where, flat, sound):
            flat.add(node.name)
        maps[node.name] = node
    if not graph or graph[0].name != IMAGE or graph[-1].join != "layers":
        raise InputError(
            "a graph begins with the node 'image' and ends in the layers of a classifier"
        )
    _check_absence(graph)


def _check_shapes(
    node: Node,
    sources: list[Node],
    where: str,
    flat: set[str],
    sound: dict[tuple[object, ...], bool],
) -> bool:
    """Whether the node's result is flat, one vector for an image, as those of the nodes `flat` are.

    `sound` remembers options, by identity, that have been found to lead from one shape to another,
    and to what.
    """
    is_flat = {source.name in flat for source in sources}
    if node.join == "concat":
        if sum(source.channels for source in sources) != node.channels or any(
            source.size != node.size for source in sources
        ):
            raise InputError(f"{where}: its inputs are not of one size")
    elif node.join == "sum":
        if any((source.channels, source.size) != (node.channels, node.size) for source in sources):
            raise InputError(f"{where}: its inputs are not of one shape")
    elif node.name != IMAGE:
        (source,) = sources
        found = set()
        for option in node.options:
            if option is None:
                continue
            key = (id(option), source.channels, source.size, node.channels, node.size, *is_flat)
            if key not in sound:
                sound[key] = _check_option(node, source, option, where, *is_flat)
            found.add(sound[key])
        is_flat = found
    if len(is_flat) > 1:
        raise InputError(
            f"{where}: a global_pool stands before some of its maps and not before others"
        )
    return True in is_flat


def _check_option(
    node: Node, source: Node, option: tuple[Layer, ...], where: str, flat: bool
) -> bool:
    """Whether the option's result is flat, as that of a global_pool is; `flat`: what it reads
    is."""
    channels, size = source.channels, source.size
    for layer in option:
        check_layer(layer, where)
        if flat and layer.kind != "linear" and layer.kind not in ACTIVATIONS:
            raise InputError(
                f"{where}: a {layer.kind} needs a map, and a global_pool before it leaves none"
            )
        if layer.kind == "linear" and not flat:
            raise InputError(
                f"{where}: a linear takes one vector for an image; put a global_pool before it"
            )
        flat = flat or layer.kind == "global_pool"
        if (layer.channels_in, layer.size) != (channels, size):
            raise InputError(
                f"{where}: a {layer.kind} for {layer.channels_in} channels of {layer.size} pixels"
                f" stands on {channels} channels of {size}"
            )
        channels, size = layer.channels_out, layer.size_out
    if (channels, size) != (node.channels, node.size):
        raise InputError(f"{where}: its options give maps of different shapes")
    return flat


def _check_absence(graph: Graph) -> None:
    """Only a sum can do without one of its inputs."""
    optional = {node.name for node in graph if None in node.options}
    for node in graph:
        for source in node.inputs:
            if source in optional and node.join != "sum":
                raise InputError(
                    f"node {source} may be absent, but {node.name} that reads it is no sum"
                )


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Wiring:
    """Which nodes of a graph run in which samples: indices made once, then whole arrays at a
    time."""

    graph: Graph
    sources: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]
    absent: tuple[Bools, ...]
    """Per open node: where its option is absent, (operations,)."""
    open: tuple[int, ...]
    """The indices of the open nodes, in the order of `rows` and `absent`."""

    def executed(self, choices: npt.NDArray[np.int64]) -> tuple[Bools, Bools, Bools]:
        """(present, needed, fed) of samples (count, decisions), each (count, nodes).

        present: the node is not absent. needed: the network's output reads it through nodes that
        are present. fed: its result depends on the image.
        """
        count = len(choices)
        present = np.ones((count, len(self.graph)), dtype=bool)
        for index, row, absent in zip(self.open, self.rows, self.absent, strict=True):
            present[:, index] = ~absent[choices[:, row]]
        fed, needed = np.zeros_like(present), np.zeros_like(present)
        fed[:, 0] = True
        for index, sources in enumerate(self.sources[1:], start=1):
            for source in sources:
                fed[:, index] |= fed[:, source]
            fed[:, index] &= present[:, index]
        needed[:, -1] = True
        for index in range(len(self.graph) - 1, 0, -1):
            needed[:, index] &= present[:, index]
            for source in self.sources[index]:
                needed[:, source] |= needed[:, index]
        return present, needed, fed


def wiring(graph: Graph, operations: int) -> Wiring:
    """The indices of one graph; `operations` is the largest number of options."""
    place = {node.name: index for index, node in enumerate(graph)}
    open_nodes = [index for index, node in enumerate(graph) if node.row is not None]
    return Wiring(
        graph=graph,
        sources=tuple(tuple(place[source] for source in node.inputs) for node in graph),
        rows=tuple(row for node in graph if (row := node.row) is not None),
        absent=tuple(
            np.array(
                [column < len(options) and options[column] is None for column in range(operations)]
            )
            for options in (graph[index].options for index in open_nodes)
        ),
        open=tuple(open_nodes),
    )


def all_layers(nodes: Iterable[Node]) -> list[Layer]:
    """Every layer of fixed nodes, in order."""
    return [layer for node in nodes for layer in node.layers]
