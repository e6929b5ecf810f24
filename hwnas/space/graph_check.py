"""Whether the nodes of a graph fit together."""

from __future__ import annotations

from hwnas.space.layers import ACTIVATIONS, Layer, check_layer
from hwnas.space.node import IMAGE, Graph, Node
from hwnas.space.node import Join as Join
from hwnas.space.sliced import shares_weights, whole_of
from profilers.errors import InputError


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
        if shares_weights(node):
            whole_of(node)
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
