"""Names of tensors in weights files that were written before networks were graphs, as those of
today.

Before, a network of cells had the parts `frame` (stem, what prepares each cell's inputs,
classifier) and `cells`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from hwnas.space.graph import Graph, starts_with_relu

T = TypeVar("T")


def are_old(names: Mapping[str, T]) -> bool:
    """Whether tensors carry the names of before."""
    return "frame.classifier.weight" in names


def renamed(tensors: Mapping[str, T], graph: Graph) -> dict[str, T]:
    """The tensors of a discrete network (`graph` with its unread nodes) under the names of
    today."""
    prefixes = _prefixes(graph)
    found: dict[str, T] = {}
    for name, tensor in tensors.items():
        old = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        found[name if old is None else prefixes[old] + name.removeprefix(old)] = tensor
    return found


def _prefixes(graph: Graph) -> dict[str, str]:
    found: dict[str, str] = {}
    edges: dict[str, int] = {}
    for node in graph[1:]:
        group, _, part = node.name.partition(".")
        index = "".join(letter for letter in group if letter.isdigit())
        if node.row is not None:
            number = edges.setdefault(index, 0)
            edges[index] += 1
            found[f"cells.{index}.edges.{number}."] = f"{node.name}."
        elif node.join != "layers":
            continue
        elif group == "stem":
            shift = int(starts_with_relu(node.layers))
            old = f"frame.stem.{part.removeprefix('part')}"
            found |= _numbered(old, node.name, len(node.layers), shift)
        elif group == "head":
            old = "frame.last." if part == "last" else "frame.classifier."
            found[old] = f"{node.name}." if part == "last" else f"{node.name}.1."
        elif part.startswith("input"):
            found[f"frame.before.{index}.{part.removeprefix('input')}."] = f"{node.name}."
        else:
            # The two branches of a residual block had their first ReLU among their numbered layers.
            shift = int(starts_with_relu(node.layers))
            found |= _numbered(f"frame.before.{index}.{part}", node.name, len(node.layers), shift)
    return found


def _numbered(old: str, new: str, count: int, shift: int) -> dict[str, str]:
    """Prefixes of layers one by one, where the numbers of before began at the ReLU."""
    return {f"{old}.{number}.": f"{new}.{number - shift}." for number in range(shift, count)}
