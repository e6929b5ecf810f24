"""The layers of a node as files hold them: each with the name of its tensors, and the BatchNorm
that is folded into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space.graph import Node, tensor_prefix
from hwnas.space.layers import Layer

Arrays = Mapping[str, NDArray[Any]]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A layer and where it stands: the name of its output, and the prefix of its tensors."""

    layer: Layer
    name: str
    weights: str


def folded_layers(node: Node, name: str, last: str = "") -> list[tuple[Placed, Placed | None]]:
    """The layers of one node in order, each with the BatchNorm that is folded into it or None.

    Outputs are called `name`/NUMBER_KIND; `last` is another name for the last one.
    """
    placed = [
        Placed(
            layer=layer,
            name=last
            if last and number == len(node.layers) - 1
            else f"{name}/{number}_{layer.kind}",
            weights=tensor_prefix(node, number),
        )
        for number, layer in enumerate(node.layers)
    ]
    found: list[tuple[Placed, Placed | None]] = []
    for step in placed:
        before = found[-1] if found else None
        if (
            step.layer.kind == "batch_norm"
            and before is not None
            and before[1] is None
            and before[0].layer.kind in ("conv", "factorized_reduce")
        ):
            found[-1] = (before[0], step)
        else:
            found.append((step, None))
    return found


def scale_and_bias(
    tensors: Arrays, norm: Placed | None, stored: str | None, part: slice = slice(None)
) -> tuple[Doubles | None, Doubles | None]:
    """Scale and bias (channels,), in float64, of a convolution with its `stored` bias and `norm`
    after it; None where there is none.

    `part`: the channels of `norm` that are this convolution's.
    """
    own = None if stored is None else tensors[stored].astype(np.float64)
    if norm is None:
        return None, own
    weight, bias, mean, variance = (
        tensors[f"{norm.weights}.{name}"].astype(np.float64)[part]
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / np.sqrt(variance + norm.layer.epsilon)
    return scale, bias + ((0.0 if own is None else own) - mean) * scale


def scaled(weight: NDArray[Any], scale: Doubles | None) -> NDArray[Any]:
    """A stored weight (out, in, height, width), each output channel multiplied by its scale."""
    if scale is None:
        return weight
    product: NDArray[Any] = (weight.astype(np.float64) * scale[:, None, None, None]).astype(
        np.float32
    )
    return product
