"""The names that code in the manner of DARTS (arXiv 1806.09055) gives to the tensors of a network,
beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from hwnas.space.cells import reduction_positions
from hwnas.space.genotype import Architecture
from hwnas.space.graph import Graph, tensor_prefix
from hwnas.space.node import Node
from hwnas.space.space import SPACES


def prefixes(
    graph: Graph, architecture: Architecture, theirs: Mapping[str, Tensor]
) -> Iterator[tuple[str, str]]:
    """Of every layer with tensors: what stands before their names with us, and with them."""
    edges = _edges(architecture)
    for node in graph[1:]:
        base = edges.get(node.name) or _fixed(node, graph)
        if base is None:
            continue
        halves = any(layer.kind == "factorized_reduce" for layer in node.layers)
        for number, layer in enumerate(node.layers):
            our = tensor_prefix(node, number)
            if layer.kind == "factorized_reduce":
                yield f"{our}.even", f"{base}.conv_1"
                yield f"{our}.odd", f"{base}.conv_2"
            elif halves:
                yield our, f"{base}.bn"
            elif base == "classifier":
                yield our, base
            else:
                # Layers stand in a part `op` of a class, or in a bare sequence, as in the stem.
                plain = base.startswith("stem") or f"{base}.{number}.weight" in theirs
                yield our, f"{base}.{number}" if plain else f"{base}.op.{number}"


def _edges(architecture: Architecture) -> dict[str, str]:
    """Our name of each edge -> theirs, which counts all edges of a cell as they were written."""
    genotype, space = architecture.genotype, SPACES[architecture.genotype.space]
    found: dict[str, str] = {}
    for index in range(architecture.cells):
        reduces = index in reduction_positions(architecture.cells)
        cell = genotype.as_written[1 if reduces else 0]
        flat = [(node, edge) for node, edges in enumerate(cell) for edge in edges]
        for number, (node, edge) in enumerate(flat):
            name = f"cell{index}.edge_{edge.source}_{space.inputs + node}"
            found[name] = f"cells.{index}._ops.{number}"
    return found


def _fixed(node: Node, graph: Graph) -> str | None:
    """Their name of a node about which nothing is decided; None for one without layers."""
    group, _, part = node.name.partition(".")
    if node.join != "layers":
        return None
    if group == "stem":
        parts = sum(one.name.startswith("stem.") for one in graph)
        return "stem" if parts == 1 else f"stem{part.removeprefix('part')}"
    if group == "head":
        return "classifier"
    return f"cells.{group.removeprefix('cell')}.preprocess{part.removeprefix('input')}"
