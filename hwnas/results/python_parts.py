"""Pieces of the generated model.py: its header, its helpers, and layers written as torch calls."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from hwnas.space.layers import PRIMITIVES, Layer, factorized_reduce, relu_conv_bn

HEADER = '''"""Network {key}: {cells} cells, {channels} initial channels, {count} classes.

Written by hwnas; needs torch and nothing else.

{genotype}

    network = load("weights.safetensors")
    logits = network(images)  # images: {shape} {fed}
"""

from __future__ import annotations

import json
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = {classes}
MEAN = {mean}
STD = {std}'''

HALVE = '''class Halve(nn.Module):
    """Two 1x1 convolutions of stride 2 side by side, the second on the map shifted by one pixel."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(cin, cout // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(cin, cout - cout // 2, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        shifted = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))[:, :, 1:, 1:]
        return torch.cat([self.even(x), self.odd(shifted)], dim=1)'''

RESIDUAL = '''class ResidualBlock(nn.Module):
    """Halves the map and doubles its channels between two groups of cells."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(cin, cout, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(),
            nn.Conv2d(cout, cout, 3, padding=1, bias=False),
            nn.BatchNorm2d(cout),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), nn.Conv2d(cin, cout, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x) + self.shortcut(x)'''

LOAD = '''def load(path: str = "weights.safetensors") -> Network:
    """The network with its trained weights, ready to classify."""
    network = Network()
    network.load_state_dict(read_safetensors(path))
    return network.eval()


def read_safetensors(path: str) -> dict[str, Tensor]:
    """Tensors by name. The format: 8 bytes with the header's length, a JSON header, the tensors' bytes."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    dtypes = {"F32": torch.float32, "I64": torch.int64}
    return {
        name: torch.frombuffer(
            data, dtype=dtypes[entry["dtype"]], count=math.prod(entry["shape"]),
            offset=entry["data_offsets"][0]
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }'''

_CONV_BN = '''def conv_bn(cin: int, cout: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution and BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(cin, cout, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(cout)
    )'''

_HALVE_BN = '''def halve_bn(cin: int, cout: int) -> nn.Sequential:
    """Halves a map that is twice as large as the one beside it."""
    return nn.Sequential(Halve(cin, cout), nn.BatchNorm2d(cout))'''


def helpers(text: str) -> list[str]:
    """The definitions of those helpers that ``text`` calls."""
    known = {"conv_bn(": _CONV_BN, "halve_bn(": _HALVE_BN}
    return [definition for name, definition in known.items() if name in text]


def call(layers: Sequence[Layer]) -> str:
    """Layers with numbers as one expression: a helper's call where one says the same, else a Sequential."""
    first, last = layers[0], layers[-1]
    cin, cout, size = first.channels_in, last.channels_out, first.size
    if tuple(layers) == factorized_reduce(cin, cout, size)[1:]:
        return f"halve_bn({cin}, {cout})"
    for kernel, stride in ((1, 1), (3, 1), (3, 2)):
        if tuple(layers) == relu_conv_bn(cin, cout, size, kernel, stride)[1:]:
            more = "" if kernel == 1 else f", kernel={kernel}" + (f", stride={stride}" if stride > 1 else "")
            return f"conv_bn({cin}, {cout}{more})"
    parts = [_expression(layer, None) for layer in layers]
    line = f"nn.Sequential({', '.join(parts)})"
    if len(line) < 90:
        return line
    return "nn.Sequential(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def primitive(op: str) -> str:
    """The function that makes one primitive for ``c`` channels, without the ReLU that its cell computes."""
    once, twice = (PRIMITIVES[op](_C, stride, (8, 8)) for stride in (1, 2))
    if [layer.kind for layer in once] == [layer.kind for layer in twice]:
        pairs = list(zip(once, twice, strict=True))
        note = ""
    else:
        # Stride 1 is the identity, which needs no function.
        pairs = [(layer, layer) for layer in twice]
        note = " at stride 2"
    rectified = pairs[0][0].kind == "relu"
    lines = [f"{_expression(layer, other)}," for layer, other in pairs[1 if rectified else 0 :]]
    after = "what follows a ReLU" if rectified else "its layers"
    return (
        f"def {op}(c: int, stride: int = 1) -> nn.Sequential:\n"
        f'    """Primitive {op}{note}: {after}."""\n'
        "    return nn.Sequential(\n" + indent("\n".join(lines), " " * 8) + "\n    )"
    )


_C = 64
"""Stands for ``c``: layers whose channels are not a simple multiple of it are written with numbers."""


def _expression(layer: Layer, other: Layer | None) -> str:
    """One layer as a torch call: with numbers, or, given the same layer at stride 2, with ``c`` and
    ``stride``.
    """
    width = _number if other is None else _symbol
    cin, cout = width(layer.channels_in), width(layer.channels_out)
    if layer.kind == "relu":
        return "nn.ReLU()"
    if layer.kind == "batch_norm":
        return f"nn.BatchNorm2d({cout})"
    if layer.kind == "halve":
        return f"Halve({cin}, {cout})"
    stride = _stride(layer, other)
    if layer.kind in ("max_pool", "avg_pool"):
        name = "MaxPool2d" if layer.kind == "max_pool" else "AvgPool2d"
        more = ", count_include_pad=False" if layer.kind == "avg_pool" else ""
        return f"nn.{name}({layer.kernel[0]}, {stride}, padding={layer.kernel[0] // 2}{more})"
    parts = [cin, cout, _size(layer.kernel)]
    padding = (
        layer.dilation * (layer.kernel[0] - 1) // 2,
        layer.dilation * (layer.kernel[1] - 1) // 2,
    )
    parts += [f"stride={stride}"] if stride != "1" else []
    parts += [f"padding={_size(padding)}"] if any(padding) else []
    parts += [f"dilation={layer.dilation}"] if layer.dilation > 1 else []
    parts += [f"groups={width(layer.groups)}"] if layer.groups > 1 else []
    return f"nn.Conv2d({', '.join(parts)}, bias=False)"


def _stride(layer: Layer, other: Layer | None) -> str:
    if other is None or layer.stride == other.stride:
        return _size(layer.stride)
    pairs = zip(layer.stride, other.stride, strict=True)
    names = ["stride" if one != two else str(one) for one, two in pairs]
    return names[0] if names[0] == names[1] else f"({names[0]}, {names[1]})"


def _size(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else str(pair)


def _number(channels: int) -> str:
    return str(channels)


def _symbol(channels: int) -> str:
    if channels % _C == 0:
        return "c" if channels == _C else f"{channels // _C} * c"
    return f"c // {_C // channels}" if _C % channels == 0 and channels > 1 else str(channels)
