"""The order in which the layers of a network run, read off the names of its tensors.

A .safetensors file keeps tensors in an order of its own, so names must tell. Known are our own
names, those of torchvision, of timm, and of the PyTorch port of EfficientNet that the package of
EfficientNet-Lite0 comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hwnas.nets.foreign import COUNTER

TENSORS = ("weight", "bias", "running_mean", "running_var")
_OUTSIDE = {
    **dict.fromkeys(("stem", "conv_stem", "_conv_stem"), 0),
    **dict.fromkeys(("bn1", "_bn0"), 1),
    **dict.fromkeys(("stage", "features", "layers", "blocks", "_blocks"), 2),
    **dict.fromkeys(("conv_head", "_conv_head"), 3),
    **dict.fromkeys(("bn2", "_bn1"), 4),
    **dict.fromkeys(("head", "classifier", "fc", "_fc"), 5),
}
_INSIDE = {
    **dict.fromkeys(("block", "layers", "conv", "conv_pw", "_expand_conv"), 0),
    **dict.fromkeys(("bn1", "_bn0"), 1),
    **dict.fromkeys(("conv_dw", "_depthwise_conv"), 2),
    **dict.fromkeys(("bn2", "_bn1"), 3),
    **dict.fromkeys(("se", "_se_reduce", "fc1", "conv_reduce", "reduce"), 4),
    **dict.fromkeys(("_se_expand", "fc2", "conv_expand", "expand"), 5),
    **dict.fromkeys(("conv_pwl", "_project_conv"), 6),
    **dict.fromkeys(("bn3", "_bn2"), 7),
    "around": 8,
    "classifier": 9,
}
_NUMBERED = re.compile(r"(stage|block|around)([0-9]{1,4})")
"""Our own parts."""
_SEPARABLE = {"conv_dw": 0, "bn1": 1, "se": 4, "conv_pw": 6, "bn2": 7}
"""timm's blocks without an expansion call the same parts otherwise."""

Key = tuple[int, ...]


def in_order_of_running(names: Sequence[str]) -> tuple[str, ...] | None:
    """The names of tensors from the first layer to the last, without counters.

    None where a name is of none of the known layouts.
    """
    own = [name for name in names if name.rpartition(".")[2] != COUNTER]
    separable = _separable_blocks(own)
    keys: dict[str, Key] = {}
    for name in own:
        key = _key(name, separable)
        if key is None:
            return None
        keys[name] = key
    return tuple(sorted(own, key=keys.__getitem__))


def _separable_blocks(names: Iterable[str]) -> frozenset[str]:
    """Prefixes of timm's blocks that begin with the depthwise convolution."""
    parts: dict[str, set[str]] = {}
    for name in names:
        words = name.split(".")
        if words[0] == "blocks" and len(words) > 3:
            parts.setdefault(".".join(words[:3]), set()).add(words[3])
    return frozenset(
        block for block, found in parts.items() if "conv_dw" in found and "conv_pwl" not in found
    )


def _key(name: str, separable: frozenset[str]) -> Key | None:
    *words, tensor = name.split(".")
    if not words or tensor not in TENSORS:
        return None
    inside = _INSIDE | (_SEPARABLE if ".".join(words[:3]) in separable else {})
    key: list[int] = []
    for depth, word in enumerate(words):
        if word.isdecimal() and len(word) < 5:
            key.append(int(word))
            continue
        part = _NUMBERED.fullmatch(word)
        rank = (inside if depth else _OUTSIDE).get(part[1] if part else word)
        if rank is None:
            return None
        # The way round a block comes behind it, and before the next one.
        key += (
            [rank] if part is None else [rank, int(part[2])] if not depth else [int(part[2]), rank]
        )
    return (*key, -1, TENSORS.index(tensor))
