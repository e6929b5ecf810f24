"""Weights of known networks with random numbers, under the names of others."""

from __future__ import annotations

import torch
from torch import Tensor

from hwnas.nets.trained.match import tensor_shapes
from hwnas.space.known import KNOWN


def own_state(network: str, classes: int = 10, seed: int = 0) -> dict[str, Tensor]:
    """Under our names, in the order of running, without counters."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(shape, generator=generator)
        for name, shape in tensor_shapes(KNOWN[network], classes).items()
    }


def port(gated: bool = False, classes: int = 10) -> dict[str, Tensor]:
    """EfficientNet-Lite0, or with its gates B0, under the names of the port from TensorFlow."""
    names: list[str] = ["_conv_stem.weight", *_norm("_bn0")]
    for block in range(16):
        prefix = f"_blocks.{block}."
        if block:
            names += [f"{prefix}_expand_conv.weight", *_norm(f"{prefix}_bn0")]
        names += [f"{prefix}_depthwise_conv.weight", *_norm(f"{prefix}_bn1")]
        if gated:
            parts = ("_se_reduce.weight", "_se_reduce.bias", "_se_expand.weight", "_se_expand.bias")
            names += [prefix + one for one in parts]
        names += [f"{prefix}_project_conv.weight", *_norm(f"{prefix}_bn2")]
    names += ["_conv_head.weight", *_norm("_bn1"), "_fc.weight", "_fc.bias"]
    state = own_state("EFFICIENTNET_B0" if gated else "EFFICIENTNET_LITE0", classes)
    return dict(zip(names, state.values(), strict=True))


def _norm(name: str) -> list[str]:
    return [f"{name}.{one}" for one in ("weight", "bias", "running_mean", "running_var")]
