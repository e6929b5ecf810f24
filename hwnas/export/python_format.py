"""A network as one readable Python file that needs torch and nothing else.

Written from a graph's nodes: a class per group (a cell, a block), a function per operation. Tensors
have the names that hwnas.nets gives them, so that one weights file serves both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from hwnas.export.images import averaged_down
from hwnas.export.interface import Interface
from hwnas.export.python_header import Pixels, header_text
from hwnas.export.python_parts import LOAD, expression, helpers, symbols, widths
from hwnas.space.build import architecture_graph
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture
from hwnas.space.graph import IMAGE, Graph, Node, image_of, readers, starts_with_relu
from hwnas.space.layers import Layer, Stem
from hwnas.space.size import Task
from hwnas.space.space import SPACES


def python_source(
    architecture: Architecture,
    classes: tuple[str, ...],
    image: tuple[int, int, int],
    stem: Stem = "cifar",
    *,
    normalise: Pixels | None = None,
    interface: Interface | None = None,
    usage: Mapping[str, Any] | None = None,
) -> str:
    """The text of model.py.

    ``normalise`` = (mean, std) of pixel values in 0..1. ``usage``: what hwnas.export.usage says
    of it.
    """
    interface = interface or Interface()
    genotype = architecture.genotype
    # Nodes that nothing reads stay: their tensors are in the weights file.
    graph = architecture_graph(
        architecture, Task(classes=len(classes), image=image), stem, unread=True
    )
    choices = to_choices(genotype)
    decisions = SPACES[genotype.space].decisions
    operations = {
        node.name: decisions[node.row].operations[int(choices[node.row])]
        for node in graph
        if node.row is not None
    }
    text = module_text(graph, operations, interface)
    own = image_of(graph)
    header = header_text(
        architecture,
        classes,
        image=own,
        normalise=normalise,
        smaller=averaged_down(image, own, raw=interface.raw),
        interface=interface,
        usage=usage or {},
    )
    return "\n\n\n".join([header, *helpers(text), text, LOAD]) + "\n"


@dataclass(frozen=True, kw_only=True)
class Group:
    """The nodes of one group, the maps that it takes from outside, and those that it hands on."""

    name: str
    nodes: tuple[Node, ...]
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    widths: tuple[int, ...]


def module_text(graph: Graph, operations: Mapping[str, str], interface: Interface) -> str:
    """Functions, classes and the network of a discrete graph.

    ``operations``: what stands on each decided node.
    """
    functions: dict[str, str] = {}
    called = {
        node.name: _function(functions, operations.get(node.name), node)
        for node in graph
        if _built(node)
    }
    classes: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    lines, attributes = [], []
    maps: dict[str, str] = {IMAGE: "x"}
    for group in _groups(graph):
        body = _class_body(group, graph, called)
        name = _class_name(classes, group.name, body)
        members.setdefault(name, []).append(group.name)
        attributes.append(f"self.{group.name} = {name}({', '.join(map(str, group.widths))})")
        if not group.gives:
            continue  # nothing reads this group; its tensors are in the weights file all the same
        results = [_variable(given) for given in group.gives]
        given = ", ".join(maps[source] for source in group.takes)
        lines.append(f"{', '.join(results)} = self.{group.name}({given})")
        maps |= dict(zip(group.gives, results, strict=True))
    texts = [
        f'class {name}(nn.Module):\n    """{_listed(members[name])}"""\n\n{body}'
        for body, name in classes.items()
    ]
    return "\n\n\n".join([*functions.values(), *texts, _network(attributes, lines, interface)])


def _listed(names: Sequence[str]) -> str:
    text = f"What stands at {', '.join(names)}."
    return (
        text if len(text) < 90 else f"What stands at {names[0]} and {len(names) - 1} other places."
    )


def _variable(name: str) -> str:
    return name.replace(".", "_")


def _groups(graph: Graph) -> list[Group]:
    read = readers(graph)
    found: dict[str, list[Node]] = {}
    for node in graph[1:]:
        found.setdefault(node.group, []).append(node)
    groups = []
    for name, nodes in found.items():
        own = {node.name for node in nodes}
        takes = dict.fromkeys(
            source for node in nodes for source in node.inputs if source not in own
        )
        gives = [
            node.name
            for node in nodes
            if node is graph[-1] or any(reader.group != name for reader in read[node.name])
        ]
        seen = [width for node in nodes for width in widths(node.layers)]
        groups.append(
            Group(
                name=name,
                nodes=tuple(nodes),
                # Zeros need to know how many images there are.
                takes=tuple(takes) or (IMAGE,),
                gives=tuple(gives),
                widths=tuple(dict.fromkeys(seen)),
            )
        )
    return groups


def _built(node: Node) -> tuple[Layer, ...]:
    """The layers that a node has a module for: all but a ReLU that comes first, which readers of
    one map share."""
    return node.layers[1:] if starts_with_relu(node.layers) else node.layers


def _function(functions: dict[str, str], operation: str | None, node: Node) -> str:
    """The name of the function that makes a node's modules, written where it is new."""
    layers = _built(node)
    used = widths(layers)
    name = dict(zip(used, symbols(len(used)), strict=True))
    calls = [expression(layer, name) for layer in layers]
    arguments = ", ".join(f"{symbol}: int" for symbol in name.values())
    inside = ", ".join(calls)
    if len(inside) > 70:
        inside = "\n" + indent("".join(f"{call},\n" for call in calls), " " * 8) + "    "
    text = f"({arguments}) -> nn.Sequential:\n    return nn.Sequential({inside})"
    wanted = _identifier(operation) if operation else _described(layers)
    for number in range(1, len(functions) + 2):
        key = wanted if number == 1 else f"{wanted}_{number}"
        if functions.setdefault(key, f"def {key}{text}") == f"def {key}{text}":
            return key
    raise AssertionError("a new name is always free")


def _identifier(operation: str) -> str:
    """The name of an operation as one of a function: k3_e2.5 has a point."""
    return re.sub(r"\W", "_", operation if operation[:1].isalpha() else f"_{operation}")


def _described(layers: Sequence[Layer]) -> str:
    """A name for fixed layers: what they are, such as conv_batch_norm."""
    return "_".join(dict.fromkeys(layer.kind for layer in layers)) or "identity"


def _class_name(classes: dict[str, str], group: str, body: str) -> str:
    """The class of a group: one that says the same, or a new one, called after the first group
    that needs it."""
    if body not in classes:
        stem = (
            "".join(part.capitalize() for part in group.rstrip("0123456789").split("_")) or "Part"
        )
        taken = sum(name.rstrip("0123456789") == stem for name in classes.values())
        classes[body] = stem if not taken else f"{stem}{taken + 1}"
    return classes[body]


def _class_body(group: Group, graph: Graph, called: Mapping[str, str]) -> str:
    """Everything after the class line: modules by node, and how their maps are joined."""
    name = dict(zip(group.widths, symbols(len(group.widths)), strict=True))
    modules = []
    maps = {source: f"x{number}" for number, source in enumerate(group.takes)}
    lines: list[str] = []
    by_name = {node.name: node for node in graph}
    for node in group.nodes:
        part = node.name.partition(".")[2]
        if layers := _built(node):
            given = ", ".join(name[width] for width in widths(layers))
            modules.append(f"self.{part} = {called[node.name]}({given})")
        text = _node_text(node, part, maps, lines, by_name)
        # What only hands a map on needs no name of its own.
        maps[node.name] = text if text.isidentifier() else part
        if not text.isidentifier():
            lines.append(f"{part} = {text}")
    arguments = "".join(f", {symbol}: int" for symbol in name.values())
    takes = "".join(f", x{number}: Tensor" for number in range(len(group.takes)))
    gives = ", ".join(maps[given] for given in group.gives or [group.nodes[-1].name])
    several = len(group.gives) > 1
    result = f"tuple[{', '.join(['Tensor'] * len(group.gives))}]" if several else "Tensor"
    return (
        f"    def __init__(self{arguments}) -> None:\n        super().__init__()\n"
        + indent("\n".join(modules), " " * 8)
        + f"\n\n    def forward(self{takes}) -> {result}:\n"
        + indent("\n".join([*lines, f"return {gives}"]), " " * 8)
    )


def _node_text(
    node: Node,
    part: str,
    maps: dict[str, str],
    lines: list[str],
    by_name: Mapping[str, Node],
) -> str:
    """The expression of one node's map; ReLUs that several nodes share are written before it."""
    sources = [maps[source] for source in node.inputs]
    if node.join == "concat":
        return f"torch.cat([{', '.join(sources)}], dim=1)"
    if node.join == "sum":
        return " + ".join(sources) if sources else _zeros(node, maps, by_name)
    if not node.layers:
        return sources[0]
    source = sources[0]
    if starts_with_relu(node.layers):
        after_relu = f"relu_{source}"
        if f"{after_relu} = F.relu({source})" not in lines:
            lines.append(f"{after_relu} = F.relu({source})")
        source = after_relu
        if not _built(node):
            return source
    return f"self.{part}({source})"


def _zeros(node: Node, maps: Mapping[str, str], by_name: Mapping[str, Node]) -> str:
    """Zeros of a node's shape: like a map of that shape, where there is one."""
    for name, variable in maps.items():
        if (by_name[name].channels, by_name[name].size) == (node.channels, node.size):
            return f"torch.zeros_like({variable})"
    first = next(iter(maps.values()))
    return f"{first}.new_zeros({first}.shape[0], {node.channels}, {node.size[0]}, {node.size[1]})"


def _network(attributes: Sequence[str], lines: Sequence[str], interface: Interface) -> str:
    """The class that joins the groups."""
    body = ["check_image(x)"]
    body += ["x = x.permute(0, 3, 1, 2)"] if interface.channels_last else []
    body += ["x = (x.float() / 255 - self.mean) / self.std"] if interface.raw else []
    last = lines[-1].partition(" = ")[2]
    last = f"F.softmax({last}, dim=1)" if interface.softmax else last
    buffers = (
        '        self.register_buffer("mean", torch.tensor(MEAN).view(-1, 1, 1),'
        ' persistent=False)\n        self.register_buffer("std", torch.tensor(STD).view(-1, 1, 1),'
        " persistent=False)\n"
    )
    return (
        "class Network(nn.Module):\n"
        f'    """Images -> {interface.output} (n, classes)."""\n\n'
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        f"{buffers if interface.raw else ''}"
        + indent("\n".join(attributes), " " * 8)
        + "\n\n    def forward(self, x: Tensor) -> Tensor:\n"
        + indent("\n".join([*body, *lines[:-1], f"return {last}"]), " " * 8)
    )
