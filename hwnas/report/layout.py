"""Where the boxes and wires of a cell go: a layered drawing (Sugiyama, Tagawa & Toda 1981),
computed without graphviz.

States and operations are boxes. A node stands one layer after its operations, an operation one
layer after the last of its node's sources. A state that is needed further on keeps a lane through
every layer between, one for all its users. Boxes and lanes of a layer are kept apart, and wires
bend only between layers: nothing can overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from hwnas.report.layout_items import NETWORK, Item, Kind, cell_items, network_items
from hwnas.space.genotype import Cell, Genotype
from hwnas.space.space import SPACES, Space

GAP = 38.0  # pixels between layers, where wires bend
LANE = 15.0  # pixels between two things above one another
MARGIN = 10.0
SWEEPS = 12


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
        return lay_out_items(network_items(genotype))
    cell = genotype.normal if picture == "normal" else genotype.reduce
    return lay_out_cell(SPACES[genotype.space], cell)


def lay_out_cell(space: Space, cell: Cell) -> Layout:
    """The drawing of the incoming edges per node of one cell of ``space``."""
    return lay_out_items(cell_items(space, cell))


def lay_out_items(items: Sequence[Item]) -> Layout:
    """The drawing of boxes that know their layer and their neighbours."""
    number = {item: index for index, item in enumerate(items)}
    structure = tuple(
        (
            item.layer,
            item.kind,
            tuple(number[one] for one in item.before),
            tuple(number[one] for one in item.after),
        )
        for item in items
    )
    layers, heights = _arranged(structure)
    for item, y in zip(items, heights, strict=True):
        item.y = y
    return _measured([[items[index] for index in layer] for layer in layers])


Structure = tuple[tuple[int, Kind, tuple[int, ...], tuple[int, ...]], ...]
"""Of each item: its layer, its kind, and the items before and after it, by number."""


@lru_cache(maxsize=4096)
def _arranged(structure: Structure) -> tuple[tuple[tuple[int, ...], ...], tuple[float, ...]]:
    """The items of each layer in order, and the y of each item: a front has many cells of one
    structure, whatever their operations."""
    items = [
        Item(kind=kind, label="", op="", state=0, layer=layer, width=0.0)
        for layer, kind, _, _ in structure
    ]
    for item, (_, _, before, after) in zip(items, structure, strict=True):
        item.before = [items[index] for index in before]
        item.after = [items[index] for index in after]
    layers: list[list[Item]] = [[] for _ in range(1 + max(item.layer for item in items))]
    for item in items:
        layers[item.layer].append(item)
    layers = [layer for layer in layers if layer]
    _order(layers)
    _place(layers)
    number = {item: index for index, item in enumerate(items)}
    ordered = tuple(tuple(number[item] for item in layer) for layer in layers)
    return ordered, tuple(item.y for item in items)


def _order(layers: list[list[Item]]) -> None:
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


def _mean_place(item: Item, place: dict[Item, int], rightwards: bool) -> float:
    near = item.before if rightwards else item.after
    return sum(place[one] for one in near) / len(near) if near else float(place[item])


def _crossings(layers: Sequence[Sequence[Item]]) -> int:
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


def _place(layers: Sequence[Sequence[Item]]) -> None:
    """Give every item its y: as near to its neighbours as the distances within a layer allow."""
    for layer in layers:
        _spread(layer, [0.0] * len(layer))
    for sweep in range(2 * SWEEPS):
        ordered = layers if sweep % 2 == 0 else list(reversed(layers))
        for layer in ordered:
            _spread(layer, [_pull(item) for item in layer])


def _pull(item: Item) -> float:
    """Where neighbours would have it; along a lane the pull is stronger, so that lanes are
    straight."""
    near = [*item.before, *item.after]
    weights = [6.0 if item.kind == one.kind == "lane" else 1.0 for one in near]
    return (
        sum(w * one.y for w, one in zip(weights, near, strict=True)) / sum(weights)
        if near
        else item.y
    )


def _spread(layer: Sequence[Item], wanted: Sequence[float]) -> None:
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


def _measured(layers: Sequence[Sequence[Item]]) -> Layout:
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
