"""A chain block by block, as rows that two networks are compared by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwnas.space.blocks import block_of
from hwnas.space.build import key_of
from hwnas.space.encoding import to_choices
from hwnas.space.family import Family
from hwnas.space.genotype import Genotype
from hwnas.space.layers import Layer
from hwnas.space.node import Node
from hwnas.space.space import NONE


@dataclass(frozen=True, kw_only=True)
class BlockRow:
    """One block of a chain, or a part of its stem or head.

    ``option``: what was chosen, empty where nothing is decided, ``none`` where it is absent.
    ``kind``: what it is where it is no plain inverted residual, such as ``fused`` or ``gated``.
    ``kernel``: the side of its largest kernel, in pixels. ``inside``: its channels inside;
    ``share``: those as a share of the widest option that is offered here. ``macs``: of one image.
    ``latency``: its share of the network's latency in 0..1, None where no table says it.
    """

    name: str
    option: str = ""
    kind: str = ""
    kernel: int = 0
    inside: int = 0
    share: float = 0.0
    macs: int = 0
    latency: float | None = None


def block_rows(
    genotype: Genotype, of: Family, latency: Sequence[float] | None = None
) -> tuple[BlockRow, ...]:
    """The rows of one chain, from its stem to its head.

    ``of``: the networks of its space, at their size and for their task. ``latency``: of each
    decision, its share of the network's latency.
    """
    space, choices = of.space, to_choices(genotype)
    found = []
    for node in of.graphs[key_of(space, choices)]:
        if node.row is None:
            if any(layer.macs for layer in node.layers):
                found.append(_row(node, "", node.layers))
            continue
        option = space.decisions[node.row].operations[int(choices[node.row])]
        share = None if latency is None else float(latency[node.row])
        found.append(_row(node, option, node.options[int(choices[node.row])], share))
    return tuple(found)


def _row(
    node: Node, option: str, layers: tuple[Layer, ...] | None, latency: float | None = None
) -> BlockRow:
    if not layers or option == NONE:
        return BlockRow(name=node.name, option=NONE, latency=None if latency is None else 0.0)
    inside = _inside(layers)
    widest = max(_inside(one) for one in node.options if one)
    return BlockRow(
        name=node.name,
        option=option,
        kind=_kind(option),
        kernel=max(max(layer.kernel) for layer in layers),
        inside=inside,
        share=inside / widest,
        macs=sum(layer.macs for layer in layers),
        latency=latency,
    )


def _kind(option: str) -> str:
    if not option:
        return ""
    block = block_of(option)
    words: dict[str, bool] = {
        block.kind: block.kind != "inverted",
        f"{block.groups} groups": block.groups > 1,
        "gated": block.gated,
    }
    return " ".join(word for word, said in words.items() if said)


def _inside(layers: tuple[Layer, ...]) -> int:
    return max(layer.channels_out for layer in layers)
