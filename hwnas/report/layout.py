"""Where the boxes and wires of a cell go: a layered drawing (Sugiyama, Tagawa & Toda 1981),
computed without graphviz.

States and operations are boxes. A node stands one layer after its operations, an operation one
layer after the last of its node's sources. A state that is needed further on keeps a lane through
every layer between, one for all its users. Boxes and lanes of a layer are kept apart, and wires
bend only between layers: nothing can overlap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from hwnas.space.build import architecture_graph
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture, Cell, Genotype
from hwnas.space.size import Task
from hwnas.space.space import NONE, SPACES, Space

GAP = 38.0  # pixels between layers, where wires bend
LANE = 15.0  # pixels between two things above one another
MARGIN = 10.0
HEIGHT = {"state": 28.0, "op": 24.0, "lane": 0.0}
SWEEPS = 12

TIMES, MINUS = "\u00d7", "\u2212"

NETWORK = "network"
"""The picture of a genotype that has no cells."""
Kind = Literal["state", "op", "lane"]


@dataclass(frozen=True, kw_only=True)
class Box:
    """Something drawn in a layer, by its centre, in pixels.

    ``state``: the state a lane carries, or it is of.
    """

    kind: Kind
    label: str
    op: str
    state: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A curve through a gap from (x0, y0) to (x1, y1), carrying ``state``."""

    state: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A cell's boxes (lanes among them) and wires inside width x height pixels."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


@dataclass(eq=False, kw_only=True)
class _Item:
    kind: Kind
    label: str
    op: str
    state: int
    layer: int
    width: float
    before: list[_Item] = field(default_factory=list)
    after: list[_Item] = field(default_factory=list)
    y: float = 0.0

    @property
    def height(self) -> float:
        return HEIGHT[self.kind]


def pictures(space: Space) -> tuple[str, ...]:
    """What is drawn of each genotype: every kind of cell, or the whole network where the space
    has no cells."""
    return space.cells or (NETWORK,)


def title(picture: str) -> str:
    """What a picture is called: ``normal cell``, ``network``."""
    return picture if picture == NETWORK else f"{picture} cell"


def lay_out(genotype: Genotype, picture: str) -> Layout:
    """One picture of a genotype.

    What says ``none`` is left out; a node without input stands alone.
    """
    if picture == NETWORK:
        return lay_out_items(_network_items(genotype))
    cell = genotype.normal if picture == "normal" else genotype.reduce
    return lay_out_cell(SPACES[genotype.space], cell)


def lay_out_cell(space: Space, cell: Cell) -> Layout:
    """The drawing of the incoming edges per node of one cell of ``space``."""
    return lay_out_items(_items(space, cell))


def lay_out_items(items: Sequence[_Item]) -> Layout:
    """The drawing of boxes that know their layer and their neighbours."""
    layers = _layers(items)
    _order(layers)
    _place(layers)
    return _measured(layers)


def op_label(op: str) -> str:
    """What a box says: underscores become spaces, ``3x3`` gets its sign, ``skip_connect`` is
    short."""
    words = op.removeprefix("nor_").replace("_", " ").replace("skip connect", "skip")
    return re.sub(r"(?<=\d)x(?=\d)", TIMES, words)[:40]


def state_names(space: str) -> tuple[str, ...]:
    """The states of a cell in the order in which edges count them, output last."""
    found = SPACES[space]
    pair = (f"c k{MINUS}2", f"c k{MINUS}1")
    inputs = pair if found.inputs == 2 else ("in", *(f"in {i}" for i in range(1, found.inputs)))
    inner = tuple(str(node) for node in range(found.nodes))
    return (*inputs, *inner[:-1], "out") if found.last_node_is_output else (*inputs, *inner, "c k")


def _items(space: Space, cell: Cell) -> list[_Item]:
    names = state_names(space.name)
    states = [
        _Item(kind="state", label=names[i], op="", state=i, layer=0, width=_state_width(names[i]))
        for i in range(space.inputs)
    ]
    users: list[tuple[_Item, int]] = []
    for number, edges in enumerate(cell, start=space.inputs):
        real = [edge for edge in edges if edge.op != NONE]
        layer = 1 + max((states[edge.source].layer for edge in real), default=0)
        node = _Item(
            kind="state",
            label=names[number],
            op="",
            state=number,
            layer=layer + 1,
            width=_state_width(names[number]),
        )
        for edge in real:
            label = op_label(edge.op)
            op = _Item(
                kind="op",
                label=label,
                op=edge.op,
                state=edge.source,
                layer=layer,
                width=7.0 * len(label) + 18.0,
                after=[node],
            )
            node.before.append(op)
            users.append((op, edge.source))
        states.append(node)
    if len(names) > len(states):
        last = max(state.layer for state in states)
        output = _Item(
            kind="state",
            label=names[-1],
            op="",
            state=len(states),
            layer=last + 1,
            width=_state_width(names[-1]),
        )
        users += [(output, number) for number in range(space.inputs, len(states))]
        states.append(output)
    items = [*states, *(user for user, _ in users if user.kind == "op")]
    for number, state in enumerate(states):
        items += _lanes(state, [user for user, source in users if source == number])
    return items


def _network_items(genotype: Genotype) -> list[_Item]:
    """All nodes of a discrete network; how wide it is does not change the drawing."""
    space = SPACES[genotype.space]
    choices = to_choices(genotype)
    graph = architecture_graph(
        Architecture(genotype, channels=8, cells=space.depth or 3),
        Task(classes=2, image=(3, 64, 64)),
    )
    items: dict[str, _Item] = {}
    users: dict[str, list[_Item]] = {}
    for number, node in enumerate(graph):
        layer = 1 + max((items[source].layer for source in node.inputs), default=-1)
        if node.row is None:
            label = {"sum": "+", "concat": "join"}.get(node.join, node.name.replace(".", " "))
            item = _Item(
                kind="state",
                label=label,
                op="",
                state=number,
                layer=layer,
                width=_state_width(label),
            )
        else:
            op = space.decisions[node.row].operations[choices[node.row]]
            label = op_label(op)
            item = _Item(
                kind="op",
                label=label,
                op=op,
                state=number,
                layer=layer,
                width=7.0 * len(label) + 18.0,
            )
        items[node.name] = item
        for source in node.inputs:
            users.setdefault(source, []).append(item)
    lanes = [lane for name, item in items.items() for lane in _lanes(item, users.get(name, []))]
    return [*items.values(), *lanes]


def _lanes(state: _Item, users: Sequence[_Item]) -> list[_Item]:
    """Join ``state`` to its users, by one lane that goes as far as the farthest of them needs."""
    chain = [state]
    for layer in range(state.layer + 1, max((user.layer for user in users), default=0)):
        lane = _Item(kind="lane", label="", op="", state=state.state, layer=layer, width=0.0)
        _join(chain[-1], lane)
        chain.append(lane)
    for user in users:
        _join(chain[user.layer - state.layer - 1], user)
    return chain[1:]


def _join(first: _Item, second: _Item) -> None:
    first.after.append(second)
    second.before.append(first)


def _layers(items: Sequence[_Item]) -> list[list[_Item]]:
    layers: list[list[_Item]] = [[] for _ in range(1 + max(item.layer for item in items))]
    for item in items:
        layers[item.layer].append(item)
    return [layer for layer in layers if layer]


def _order(layers: list[list[_Item]]) -> None:
    """Sort each layer by the mean place of its neighbours, to and fro; the order with fewest
    crossings stays."""
    best, kept = _crossings(layers), [list(layer) for layer in layers]
    for sweep in range(SWEEPS):
        rightwards = sweep % 2 == 0
        for number in range(len(layers)) if rightwards else reversed(range(len(layers))):
            place = {item: i for layer in layers for i, item in enumerate(layer)}
            layers[number].sort(key=lambda item: _mean_place(item, place, rightwards))
        found = _crossings(layers)
        if found < best:
            best, kept = found, [list(layer) for layer in layers]
    layers[:] = kept


def _mean_place(item: _Item, place: dict[_Item, int], rightwards: bool) -> float:
    near = item.before if rightwards else item.after
    return sum(place[one] for one in near) / len(near) if near else float(place[item])


def _crossings(layers: Sequence[Sequence[_Item]]) -> int:
    total = 0
    for layer, following in pairwise(layers):
        place = {item: i for i, item in enumerate(following)}
        ends = [sorted(place[one] for one in item.after) for item in layer]
        total += sum(
            b < a
            for i, mine in enumerate(ends)
            for theirs in ends[i + 1 :]
            for a in mine
            for b in theirs
        )
    return total


def _place(layers: Sequence[Sequence[_Item]]) -> None:
    """Give every item its y: as near to its neighbours as the distances within a layer allow."""
    for layer in layers:
        _spread(layer, [0.0] * len(layer))
    for sweep in range(2 * SWEEPS):
        ordered = layers if sweep % 2 == 0 else list(reversed(layers))
        for layer in ordered:
            _spread(layer, [_pull(item) for item in layer])


def _pull(item: _Item) -> float:
    """Where neighbours would have it; along a lane the pull is stronger, so that lanes are
    straight."""
    near = [*item.before, *item.after]
    weights = [6.0 if item.kind == one.kind == "lane" else 1.0 for one in near]
    return (
        sum(w * one.y for w, one in zip(weights, near, strict=True)) / sum(weights)
        if near
        else item.y
    )


def _spread(layer: Sequence[_Item], wanted: Sequence[float]) -> None:
    """Least squares of y to ``wanted`` with the layer's order and distances kept: pool adjacent
    violators."""
    offsets = [0.0]
    for above, below in pairwise(layer):
        offsets.append(offsets[-1] + (above.height + below.height) / 2 + LANE)
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        block = (want - offset, 1)
        while blocks and blocks[-1][0] >= block[0]:
            mean, count = blocks.pop()
            block = ((mean * count + block[0] * block[1]) / (count + block[1]), count + block[1])
        blocks.append(block)
    means = [mean for mean, count in blocks for _ in range(count)]
    for item, mean, offset in zip(layer, means, offsets, strict=True):
        item.y = mean + offset


def _measured(layers: Sequence[Sequence[_Item]]) -> Layout:
    """From y to boxes and wires, shifted to begin at the margin."""
    everything = [item for layer in layers for item in layer]
    top = min(item.y - item.height / 2 for item in everything) - MARGIN
    bottom = max(item.y + item.height / 2 for item in everything) + MARGIN
    left, boxes = MARGIN, {}
    for layer in layers:
        width = max(item.width for item in layer)
        for item in layer:
            boxes[item] = Box(
                kind=item.kind,
                label=item.label,
                op=item.op,
                state=item.state,
                x=left + width / 2,
                y=item.y - top,
                width=width,
                height=item.height,
            )
        left += width + GAP
    wires = [
        Wire(
            state=item.state,
            x0=boxes[item].x + boxes[item].width / 2,
            y0=boxes[item].y,
            x1=boxes[one].x - boxes[one].width / 2,
            y1=boxes[one].y,
        )
        for item in everything
        for one in item.after
    ]
    return Layout(
        width=left - GAP + MARGIN,
        height=bottom - top,
        boxes=tuple(boxes.values()),
        wires=tuple(wires),
    )


def _state_width(label: str) -> float:
    return 28.0 if len(label) <= 2 else 8.0 * len(label) + 8.0
