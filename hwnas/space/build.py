"""From a space to its graphs: one for each way in which the decisions about the size can fall."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from hwnas.space.cells import cell_graph
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture
from hwnas.space.graph import Graph, check, discrete, image_of
from hwnas.space.layers import Layer, Stem
from hwnas.space.node import Node
from hwnas.space.size import CellSize, Task
from hwnas.space.space import SPACES, Choices, Space
from profilers.errors import FaultyPlugin, InputError, asking, kind_of

Key = tuple[int, ...]
"""One choice for each decision that belongs to the size; () where there is none."""
MOST_SIZES = 64
T = TypeVar("T")


def graphs(space: Space, size: CellSize, task: Task) -> dict[Key, Graph]:
    """The whole supernet for every choice of sizes; a single one, under (), where nothing is
    decided about the size.

    Raises InputError where a space's own function gives nodes that do not fit together.
    """
    offered = [len(space.decisions[row].operations) for row in space.size_rows]
    if math.prod(offered) > MOST_SIZES:
        raise InputError(
            f"space {space.name}: {math.prod(offered)} sizes, at most {MOST_SIZES} are built"
        )
    keys = itertools.product(*(range(count) for count in offered))
    return {key: graph_at(space, size, task, key) for key in keys}


def graph_at(space: Space, size: CellSize, task: Task, key: Key) -> Graph:
    """The supernet for one choice of sizes, checked. Raises InputError as `graphs`."""
    plugin = f"space {space.name!r} (hwnas.spaces)"
    if space.build is None:
        with asking(plugin, "building its cells"):
            return cell_graph(space, size, task)
    chosen = zip(space.size_rows, key, strict=True)
    options = tuple(space.decisions[row].operations[choice] for row, choice in chosen)
    with asking(plugin, "build"):
        found: object = space.build(space, size, task, options)
    with asking(plugin, "looking at what build gave"):
        graph = _nodes(plugin, found)
        check(graph)
        _check_rows(space, graph)
    return graph


def _nodes(plugin: str, found: object) -> Graph:
    """What `build` gave as a graph. Raises FaultyPlugin where it is none."""
    wanted = "build must give a tuple of hwnas.space.node.Node, such as Builder.graph()"
    if not isinstance(found, list | tuple):
        raise FaultyPlugin(f"{plugin}: build gave {kind_of(found)}; {wanted}")
    for node in found:
        if not isinstance(node, Node):
            raise FaultyPlugin(f"{plugin}: build gave {kind_of(node)} as a node; {wanted}")
        for option in node.options:
            for layer in () if option is None else option:
                if not isinstance(layer, Layer):
                    raise FaultyPlugin(
                        f"{plugin}: build gave {kind_of(layer)} as a layer of {node.name}; an"
                        " option is a tuple of hwnas.space.layers.Layer, or None"
                    )
    return tuple(found)


def _check_rows(space: Space, graph: Graph) -> None:
    """Every open node has as many options as its decision has operations."""
    for node in graph:
        if node.row is None:
            continue
        if not 0 <= node.row < len(space.decisions) or len(node.options) != len(
            space.decisions[node.row].operations
        ):
            raise InputError(
                f"space {space.name}, node {node.name}: {len(node.options)} options do not fit"
                f" decision {node.row}"
            )


def key_of(space: Space, choices: Choices) -> Key:
    """The choice of sizes in one sample, (decisions,)."""
    return tuple(int(choices[row]) for row in space.size_rows)


def by_size(
    rows: tuple[int, ...],
    parts: Mapping[Key, T],
    choices: Choices,
    ask: Callable[[T, Choices], npt.NDArray[np.float64]],
) -> npt.NDArray[np.float64]:
    """What ``ask`` says of samples (count, decisions), each asked of the part for its own size,
    (count, ...)."""
    choices = np.atleast_2d(choices)
    if not rows:
        return ask(parts[()], choices)
    result: npt.NDArray[np.float64] | None = None
    for key, part in parts.items():
        own = (choices[:, list(rows)] == np.array(key)).all(axis=1)
        if own.any():
            found = ask(part, choices[own])
            if result is None:
                result = np.zeros((len(choices), *found.shape[1:]))
            result[own] = found
    if result is None:
        raise InputError("a sample has a size that its space does not offer")
    return result


class OfSamples(Protocol):
    """A cost of samples, (count, decisions) -> (count,)."""

    def of(self, choices: Choices) -> npt.NDArray[np.float64]:
        """See the class."""


@dataclass(frozen=True, kw_only=True)
class BySize:
    """A cost whose table depends on the decisions about the size: one table for each way they
    can fall."""

    rows: tuple[int, ...]
    parts: Mapping[Key, OfSamples]

    def of(self, choices: Choices) -> npt.NDArray[np.float64]:
        """The cost of one sample (decisions,) or of many (count, decisions): a scalar array or
        shape (count,)."""
        found = by_size(self.rows, self.parts, choices, lambda part, own: part.of(own))
        return found if choices.ndim > 1 else np.asarray(found[0])


def architecture_graph(
    architecture: Architecture, task: Task, stem: Stem = "cifar", *, unread: bool = False
) -> Graph:
    """The discrete network of one architecture, without auxiliary head; `unread` as in
    `discrete`."""
    genotype = architecture.genotype
    space, choices = SPACES[genotype.space], to_choices(genotype)
    size = CellSize(channels=architecture.channels, cells=architecture.cells, stem=stem)
    whole = graph_at(space, size, task, key_of(space, choices))
    return discrete(whole, choices, unread=unread)


def own_image(architecture: Architecture, task: Task) -> tuple[int, int, int]:
    """(channels, height, width) of the images that a network's files take: smaller where it has
    chosen a side."""
    return image_of(architecture_graph(architecture, task))
