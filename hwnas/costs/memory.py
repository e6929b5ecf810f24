"""Memory that a discrete network needs for inference: its weights, and the largest set of maps
alive at once.

The network is run in its written order in fp32. A map lives from the node that writes it to the
last one that reads it. BatchNorm is part of its convolution, and activations and the product of a
squeeze-and-excitation work in place. A node that begins with one of these needs a map of its own
for it, since others may read the same map; but all readers of a map share its ReLU, which works in
place where nothing else reads the map any more. Each term of a sum is added at once, in place. What
a runtime takes beside that (its own code, padded layouts, buffers that it never gives back) is not
known here; docs/profilers.md says how far measured figures lie above.

A peak does not add up over decisions. But which maps there can be, and who can read them, depends
on the graph alone, so it is found once for all samples: what is left is a few operations on arrays
of (samples, reads).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.costs.counts import Additive, counts_of
from hwnas.space.build import BySize, Key, by_size
from hwnas.space.family import Family
from hwnas.space.graph import Graph, Node, starts_with_relu, terms
from hwnas.space.layers import ACTIVATIONS, Layer, Size
from hwnas.space.space import Choices
from hwnas.space.wiring import Wiring, wiring

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FLOAT_BYTES = 4
MIB = 2.0**20


@dataclass(frozen=True, kw_only=True, eq=False)
class Reads:
    """Every read of a map by a node, ordered by map: which node reads it, and how.

    All arrays are (reads,) but `relu`, (reads, operations): whether the option reads the map
    through the shared ReLU.
    """

    reader: Ints
    row: Ints
    """The decision of the reader, 0 where it has none (all columns of `relu` are then alike)."""
    relu: Bools
    starts: Ints
    """Where the reads of each map that is read begin, and `maps`, which map that is."""
    maps: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """Peak memory of every network of a graph at one batch size.

    `work`: (2, nodes, operations) elements that a node has at the most beyond the maps it reads,
    its result included: while its first layer runs, which reads the map, and after that.
    """

    wiring: Wiring
    params: Additive | BySize
    reads: Reads
    work: Ints
    elements_of: Ints
    """(nodes,) elements of each result, for one image."""
    row: Ints
    """(nodes,) the decision of each node, 0 where it has none."""
    identity: Bools
    """(nodes, operations): the option does nothing."""
    sum_of: Ints
    """(nodes,): the sum that this node's result is added to at once; -1 where it is a map of its
    own."""
    batch: int = 1

    def of(self, choices: Choices) -> Floats:
        """MiB of samples, (count, decisions) -> (count,): weights and live maps."""
        choices = np.atleast_2d(choices)
        numbers = self.params.of(choices) + self.batch * self.elements(choices)
        return np.asarray(numbers * FLOAT_BYTES / MIB)

    def elements(self, choices: Choices) -> Floats:
        """Numbers in the maps that are alive at once, at the most, for one image: (count,
        decisions) -> (count,)."""
        choices = np.atleast_2d(choices)
        _, runs, _ = self.wiring.executed(choices)
        nodes = np.arange(runs.shape[1])
        drawn = choices[:, self.row]
        first_term = self._first_terms(runs)
        work = self.work[:, nodes, drawn]
        # An identity works on nothing: the first term of a sum is copied, another one is added.
        copied = self.identity[nodes, drawn] & (first_term == nodes) & (self.sum_of >= 0)
        work[0] += np.where(copied, self.elements_of, 0)
        # Two moments per node: 2 t while its first layer runs, 2 t + 1 after that.
        change = np.zeros((len(choices), 2 * runs.shape[1] + 2))
        for start, end, size in (*self._maps(runs, choices, first_term),):
            lives = end > start
            rows = np.broadcast_to(np.arange(len(choices))[:, None], start.shape)[lives]
            np.add.at(change, (rows, start[lives]), np.broadcast_to(size, start.shape)[lives])
            np.add.at(change, (rows, end[lives]), -np.broadcast_to(size, start.shape)[lives])
        alive = change.cumsum(axis=1)[:, :-2].reshape(len(choices), -1, 2)
        most = np.maximum(alive[:, :, 0] + work[0], alive[:, :, 1] + work[1])
        return np.asarray(np.where(runs, most, 0.0).max(axis=1), dtype=np.float64)

    def _first_terms(self, runs: Bools) -> Ints:
        """(count, nodes): of a sum and of its terms, the node that is the first running term;
        else -1."""
        nodes = runs.shape[1]
        first = np.full((len(runs), nodes + 1), nodes, dtype=np.int64)
        for index in np.flatnonzero(self.sum_of >= 0)[::-1]:
            where = self.sum_of[index]
            first[:, where] = np.where(runs[:, index], index, first[:, where])
        own = np.where(self.sum_of >= 0, self.sum_of, np.arange(nodes))
        return np.where(first[:, own] < nodes, first[:, own], -1)

    def _maps(
        self, runs: Bools, choices: Choices, first_term: Ints
    ) -> list[tuple[Ints, Ints, Ints]]:
        """(first moment, first moment after the last, elements) of maps and of their copies
        after ReLU."""
        reads, never = self.reads, 2 * runs.shape[1]
        happens = runs[:, reads.reader]
        relu = reads.relu[np.arange(len(reads.row)), choices[:, reads.row]] & happens
        plain = happens & ~relu
        last_plain = np.maximum.reduceat(np.where(plain, reads.reader, -1), reads.starts, axis=1)
        first_relu = np.minimum.reduceat(np.where(relu, reads.reader, never), reads.starts, axis=1)
        last_relu = np.maximum.reduceat(np.where(relu, reads.reader, -1), reads.starts, axis=1)
        writer, size = reads.maps, self.elements_of[reads.maps]
        begins = np.where(writer > 0, 2 * writer + 2, 0)
        # A sum stands from its first term on; without any, it is zeros that its own moment makes.
        sums = np.isin(writer, self.sum_of)
        with_terms = np.where(first_term[:, writer] >= 0, 2 * first_term[:, writer] + 2, 2 * writer)
        start = np.where(sums, with_terms, begins)
        # The first ReLU takes the map's place where nobody reads the map itself any more.
        end = np.maximum(2 * last_plain + 1, np.where(first_relu < never, 2 * first_relu, 0))
        end = np.where(runs[:, writer], end, 0)
        return [(start, end, size), (2 * first_relu, 2 * last_relu + 1, size)]


@dataclass(frozen=True, kw_only=True, eq=False)
class SizedMemory:
    """The memory of a space some of whose decisions belong to the size: one table for each way
    they can fall."""

    rows: tuple[int, ...]
    parts: Mapping[Key, Memory]

    def of(self, choices: Choices) -> Floats:
        """MiB of samples, (count, decisions) -> (count,): weights and live maps."""
        return by_size(self.rows, self.parts, choices, lambda part, own: part.of(own))

    def elements(self, choices: Choices) -> Floats:
        """As in Memory."""
        return by_size(self.rows, self.parts, choices, lambda part, own: part.elements(own))


def memory_table(of: Family, batch: int = 1) -> Memory | SizedMemory:
    """The memory of the discrete networks of a family, no auxiliary head."""
    space = of.space
    parts = {key: memory_of(graph, space.mask.shape, batch) for key, graph in of.graphs.items()}
    return SizedMemory(rows=space.size_rows, parts=parts) if space.size_rows else parts[()]


def memory_of(graph: Graph, shape: tuple[int, int], batch: int = 1) -> Memory:
    """The memory of every network in a graph. ``shape``: (decisions, operations) of alpha."""
    place = {node.name: index for index, node in enumerate(graph)}
    added = terms(graph)
    sum_of = np.full(len(graph), -1, dtype=np.int64)
    for index, node in enumerate(graph):
        if node.join == "sum":
            for source in node.inputs:
                if source in added:
                    sum_of[place[source]] = index
    work = np.zeros((2, len(graph), shape[1]), dtype=np.int64)
    identity = np.zeros((len(graph), shape[1]), dtype=bool)
    for index, node in enumerate(graph):
        _work_of(node, node.name in added, index=index, sum_of=sum_of, work=work, identity=identity)
    return Memory(
        wiring=wiring(graph, shape[1]),
        params=counts_of(graph, shape).params,
        reads=_reads(graph, shape[1]),
        work=work,
        elements_of=np.array([node.elements for node in graph]),
        row=np.array([node.row or 0 for node in graph]),
        identity=identity,
        sum_of=sum_of,
        batch=batch,
    )


def _work_of(
    node: Node, added: bool, index: int, sum_of: Ints, work: Ints, identity: Bools
) -> None:
    """Fill in what one node works on, per operation."""
    if node.join == "concat" or (node.join == "sum" and index not in sum_of):
        work[0, index] = node.elements
    for column, option in enumerate(node.options):
        columns = slice(None) if node.row is None else slice(column, column + 1)
        if option is None:
            continue
        needs = _needs(option)
        identity[index, columns] = not needs
        work[0, index, columns] = needs[0] if needs else (0 if added else node.elements)
        work[1, index, columns] = max(needs[1:], default=0)


def _reads(graph: Graph, operations: int) -> Reads:
    place = {node.name: index for index, node in enumerate(graph)}
    added = terms(graph)
    found: list[tuple[int, int, int, Sequence[bool]]] = []
    for index, node in enumerate(graph):
        relu = [starts_with_relu(option) for option in node.options] or [False]
        relu = relu * operations if node.row is None else relu + [False] * (operations - len(relu))
        found += [
            (place[source], index, node.row or 0, relu)
            for source in node.inputs
            if source not in added
        ]
    found.sort(key=lambda read: read[:2])
    maps, starts = np.unique([read[0] for read in found], return_index=True)
    return Reads(
        reader=np.array([read[1] for read in found]),
        row=np.array([read[2] for read in found]),
        relu=np.array([read[3] for read in found]),
        starts=starts,
        maps=maps,
    )


def _needs(layers: Sequence[Layer]) -> list[int]:
    """Elements that each of several layers in a row has alive, without the map that the first one
    reads.

    What works in place is no layer here, nor is a ReLU that comes first: it is shared.
    """
    needs: list[int] = []
    held = 0  # nothing: the next layer reads the node's input
    for number, layer in enumerate(layers):
        shared = number == 0 and layer.kind == "relu"
        if shared or (held and (layer.kind == "batch_norm" or layer.kind in ACTIVATIONS)):
            continue
        result = _map(layer.channels_out, layer.size_out)
        if layer.kind == "squeeze_excite":
            # The map beside its means and what is made of them; then beside the gates, and the
            # product in its place.
            vectors, gates = layer.channels_in + layer.hidden, layer.channels_out
            needs.append(held + vectors if held else max(vectors, gates + result))
        elif layer.kind == "factorized_reduce":
            # The map shifted by a pixel beside both halves; then, the source gone, the halves
            # beside their join.
            needs += [held + result + _map(layer.channels_in, layer.size), 2 * result]
        else:
            needs.append(held + result)
        held = result
    return needs


def _map(channels: int, size: Size) -> int:
    return channels * size[0] * size[1]
