"""Memory that a discrete network needs for inference: its weights, and the largest set of maps alive at once.

The network is run in its written order in fp32: a map lives from the operation that writes it to the last one that
reads it, BatchNorm is part of its convolution, a ReLU works in place where nothing else reads its map any more,
edges that share a source share its ReLU, and each edge is added to its node at once, in place. What a runtime takes
beside that (its own code, padded layouts, buffers that it never gives back) is not known here; docs/profilers.md
says how far measured figures lie above.

A peak does not add up over edges. But which maps are alive depends on one kind of cell alone, so it is found once
for all samples and all cells of the kind: microseconds per sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.space.counts import Additive, count_table
from hwnas.space.features import executed
from hwnas.space.layers import PRIMITIVES, CellSite, Layer, Size, Skeleton, Stem, skeleton
from hwnas.space.space import SKIP, CellKind, Choices, Space

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
FLOAT_BYTES = 4
MIB = 2.0**20


@dataclass(frozen=True)
class Place:
    """Where a cell stands: elements of an input's map and of a node's, of what lies beside, and of each edge's work.

    ``beside`` is the map that the next cell will read, too. ``work``: (2, rows of the cell, operations) elements that
    an operation has at the most beyond its source, its result included: in its first layer, which reads the
    source, and in those after it.
    """

    kind: CellKind
    input: int
    node: int
    beside: int
    work: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Memory:
    """Peak memory of every network of a space at one width, depth and batch size.

    ``least`` is the peak of what all of them share: stem, what prepares the cells' inputs, and concatenations.
    """

    space: Space
    params: Additive
    least: int
    places: tuple[Place, ...]
    batch: int = 1

    def of(self, choices: Choices) -> Floats:
        """MiB of samples, (count, edges) -> (count,): weights and live maps."""
        choices = np.atleast_2d(choices)
        numbers = self.params.of(choices) + self.batch * self.elements(choices)
        return np.asarray(numbers * FLOAT_BYTES / MIB)

    def elements(self, choices: Choices) -> Floats:
        """Numbers in the maps that are alive at once, at the most, for one image: (count, edges) -> (count,)."""
        choices = np.atleast_2d(choices)
        peak = np.full(len(choices), float(self.least))
        alive = {kind: _alive(self.space, choices, kind) for kind in self.space.cells}
        for place in self.places:
            peak = np.maximum(peak, _inside(self.space, place, alive[place.kind], choices))
        return peak


def memory_table(
    space: Space,
    channels: int,
    cells: int,
    classes: int,
    image: tuple[int, int, int],
    stem: Stem = "cifar",
    batch: int = 1,
) -> Memory:
    """The memory of the discrete network, no auxiliary head. ``image``: (channels, height, width)."""
    frame = skeleton(space, channels, cells, classes, image, stem)
    params = count_table(space, channels, cells, classes, image, stem).params
    numbers = range(len(frame.cells))
    # Cells that stand alike need memory alike.
    places = {_kept(frame, n) + _shape(frame.cells[n]): _place(space, frame, n) for n in numbers}
    shared = [_stem(frame), *(_before(frame, n) for n in numbers)]
    if space.stacking == "reduction_cells":
        shared += [place.beside + 2 * space.nodes * place.node for place in places.values()]
    return Memory(space, params, max(shared), tuple(places.values()), batch)


@dataclass(frozen=True)
class _Alive:
    """What is alive while each edge of one kind of cell is computed, for all samples.

    (2, count, rows): how many ``inputs`` and ``nodes``, rectified copies too, in the edge's first layer and after it.
    (count, rows): whether the node's sum has ``begun``; whether the edge ``runs`` at all.
    """

    inputs: npt.NDArray[np.int64]
    nodes: npt.NDArray[np.int64]
    begun: Bools
    runs: Bools


def _inside(space: Space, place: Place, alive: _Alive, choices: Choices) -> Floats:
    """The most that one cell has alive while its edges are computed, (count,)."""
    rows = list(space.rows(place.kind))
    drawn = choices[:, rows]
    work = place.work[:, np.arange(len(rows)), drawn]
    # An identity works on nothing: the first of a node is copied, another one is added.
    copied = (drawn == space.ops(place.kind).index(SKIP)) & (work[0] == 0) & ~alive.begun
    states = place.input * alive.inputs + place.node * (alive.nodes + alive.begun + copied)
    most = (place.beside + states + work).max(axis=0)
    return np.asarray(np.where(alive.runs, most, 0).max(axis=1), dtype=np.float64)


def _alive(space: Space, choices: Choices, kind: CellKind) -> _Alive:
    rows = list(space.rows(kind))
    runs, needed = executed(space, choices, kind, "reached")
    rectifies = _rectifies(space, kind)[np.arange(len(rows)), choices[:, rows]]
    sources, targets = (
        np.array([getattr(space.slots[row], end) for row in rows]) for end in ("source", "node")
    )
    moment = np.arange(len(rows))
    inputs, nodes = (np.zeros((2, *runs.shape), dtype=np.int64) for _ in range(2))
    begun = np.zeros(runs.shape, dtype=bool)
    for state in range(space.inputs + space.nodes):
        own = np.flatnonzero(targets == state)
        plain, rectified = (runs & (sources == state) & which for which in (~rectifies, rectifies))
        joined = state >= space.inputs and space.stacking == "reduction_cells"
        exists = (moment > own.max(initial=-1)) & needed[:, state, None]
        for after in (False, True):
            # A map stands until it is read as it is, or rectified, for the last time; joined nodes to the end.
            stands = _to_come(plain, after) | (_to_come(rectified) & ~_seen(rectified)) | joined
            held = (exists & stands).astype(np.int64) + (_seen(rectified) & _to_come(rectified, after))
            (inputs if state < space.inputs else nodes)[int(after)] += held
        if state >= space.inputs:
            begun[:, own[1:]] = _seen(runs[:, own])[:, :-1]
    return _Alive(inputs, nodes, begun, runs)


def _seen(reads: Bools) -> Bools:
    """(count, rows): whether one of ``reads`` has been, or is now."""
    return np.asarray(np.logical_or.accumulate(reads, axis=1))


def _to_come(reads: Bools, after: bool = False) -> Bools:
    """(count, rows): whether one of ``reads`` is still to come, or now unless only ``after`` counts."""
    found = np.flip(np.logical_or.accumulate(np.flip(reads, axis=1), axis=1), axis=1)
    return np.asarray(np.pad(found[:, 1:], ((0, 0), (0, 1))) if after else found)


def _rectifies(space: Space, kind: CellKind) -> Bools:
    """(rows, operations): whether an operation begins with a ReLU."""
    found = np.zeros((len(space.rows(kind)), space.width), dtype=bool)
    for number, row in enumerate(space.rows(kind)):
        slot = space.slots[row]
        stride = 2 if kind == "reduce" and slot.source < space.inputs else 1
        for column, op in enumerate(slot.ops):
            layers = PRIMITIVES[op](2, stride, (2, 2))
            found[number, column] = bool(layers) and layers[0].kind == "relu"
    return found


def _place(space: Space, frame: Skeleton, index: int) -> Place:
    site = frame.cells[index]
    rows = space.rows(site.kind)
    work = np.zeros((2, len(rows), space.width), dtype=np.int64)
    for number, row in enumerate(rows):
        slot = space.slots[row]
        for column, op in enumerate(slot.ops):
            layers = PRIMITIVES[op](site.channels, *site.edge(slot.source, space.inputs))
            needs = _needs(layers)
            work[:, number, column] = (max(needs[:1], default=0), max(needs[1:], default=0))
    wide, narrow = (_map(site.channels, size) for size in (site.size, site.size_out))
    return Place(site.kind, wide, narrow, _kept(frame, index)[0], work)


def _shape(site: CellSite) -> tuple[object, ...]:
    return (site.kind, site.channels, site.size, site.size_out)


def _kept(frame: Skeleton, index: int) -> tuple[int]:
    """Elements of the map before a cell, where the next but one cell reads it as well."""
    site = frame.cells[index]
    last = index + 1 == len(frame.cells)
    return (0 if last or not _paired(frame) else _source(site.before[1]),)


def _paired(frame: Skeleton) -> bool:
    """Whether cells read the two maps before them."""
    return len(frame.cells[0].before) == 2


def _stem(frame: Skeleton) -> int:
    """The stem's peak; the map of its first part stays beside the second one, because the first cell reads it."""
    first, *others = frame.stem
    return max([_work(first, _source(first)), *(_source(part) + _work(part) for part in others)])


def _before(frame: Skeleton, index: int) -> int:
    """The peak of what stands before a cell: both inputs' preparation, or a residual block."""
    before = frame.cells[index].before
    if not before:
        return 0
    first, second = before
    older, newer = _source(first), _source(second)
    if not _paired(frame):
        # Both branches read one map, so the first one's ReLU is a copy; its result waits for the second's.
        return max(older + _work(first, copies=True), _result(first) + _work(second, newer))
    same, last = index == 0 and len(frame.stem) == 1, index + 1 == len(frame.cells)
    into_second = _work(second, newer) if last else newer + _work(second)
    return max(newer + _work(first, 0 if same else older), _result(first) + into_second)


def _work(layers: Sequence[Layer], held: int = 0, copies: bool = False) -> int:
    return max(_needs(layers, held, copies))


def _needs(layers: Sequence[Layer], held: int = 0, copies: bool = False) -> list[int]:
    """Elements alive during each of several layers in a row, ``held`` of them a source that only they read.

    A first ReLU is a layer only if it ``copies``; the others work in place, and BatchNorm is part of its convolution.
    """
    needs = []
    for number, layer in enumerate(layers):
        if layer.kind == "batch_norm" or (layer.kind == "relu" and (number > 0 or not copies)):
            continue
        result = _map(layer.channels_out, layer.size_out)
        if layer.kind == "halve":
            # The map shifted by a pixel beside both halves; then, the source gone, the halves beside their join.
            needs += [held + result + _map(layer.channels_in, layer.size), 2 * result]
        else:
            needs.append(held + result)
        held = result
    return needs


def _source(layers: Sequence[Layer]) -> int:
    return _map(layers[0].channels_in, layers[0].size)


def _result(layers: Sequence[Layer]) -> int:
    return _map(layers[-1].channels_out, layers[-1].size_out)


def _map(channels: int, size: Size) -> int:
    return channels * size[0] * size[1]
