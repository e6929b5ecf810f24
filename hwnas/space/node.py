"""The nodes that a graph is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwnas.space.layers import Layer, Size

Option = tuple[Layer, ...] | None
"""Layers in a row; () is the identity, None is absent: nothing runs and nothing arrives."""


Join = Literal["layers", "sum", "concat"]
Sharing = Literal["separate", "sliced"]
"""How the options of a node share weights in a supernet: not at all, or as parts of the largest
one (hwnas.space.sliced)."""


IMAGE = "image"
"""The name of the first node, which every graph has: the images, (n, channels, height, width)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One step of a network: layers in a row on one map, or several maps joined.

    `name` is GROUP.PART, both Python identifiers, and also the prefix of the node's tensors;
    `inputs` are names of earlier nodes. `channels` and `size` (height, width, in pixels) are those
    of its result. `options`: what may stand here; a node that joins maps has none. `row` is the
    decision (row of alpha) that picks the option, None where nothing is to be decided; a graph out
    of `discrete` keeps it beside the one option that is left.

    `weights`: how the options share them in a supernet.
    `auxiliary`: training may put an auxiliary classifier on this result.
    """

    name: str
    inputs: tuple[str, ...] = ()
    join: Join = "layers"
    channels: int
    size: Size
    options: tuple[Option, ...] = ()
    row: int | None = None
    weights: Sharing = "separate"
    auxiliary: bool = False

    @property
    def group(self) -> str:
        """What this node is drawn and named with: the first part of its name."""
        return self.name.partition(".")[0]

    @property
    def elements(self) -> int:
        """Numbers in the result, for one image."""
        return self.channels * self.size[0] * self.size[1]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a node whose option is fixed; empty for a join."""
        return (self.options[0] or ()) if self.options else ()


Graph = tuple[Node, ...]
