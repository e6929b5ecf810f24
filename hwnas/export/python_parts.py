"""Pieces of the generated model.py: its header, its helper classes, and layers written as torch
calls."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.space.layers import Activation, Layer, unknown_layer

TORCHS_EPSILON = 1e-5
"""What torch's BatchNorm adds to the variance where the text does not say."""

HEADER = '''"""Network {key}: {shape_text}, {count} classes.

Written by hwnas; needs torch and nothing else.

{genotype}

    network = load("weights.safetensors")
    {output} = network(images)  # images: {shape} {fed}
{smaller}"""

from __future__ import annotations

import json
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = {classes}
MEAN = {mean}
STD = {std}
IMAGE = {image}  # {axes}
USAGE = {usage}  # from a photo to a class


def check_image(x: Tensor) -> None:
    """Raise ValueError unless x is a batch (n, {axes}) of the network's images."""
    if tuple(x.shape[1:]) != IMAGE:
        wanted = ", ".join(str(side) for side in IMAGE)
        raise ValueError(f"images: expected (n, {{wanted}}), not {{tuple(x.shape)}}")'''

_HALVE = '''class FactorizedReduce(nn.Module):
    """Two 1x1 convolutions of stride 2 side by side, the second on the map shifted by one pixel."""

    def __init__(self, cin: int, cout: int, bias: bool = False) -> None:
        super().__init__()
        self.even = nn.Conv2d(cin, cout // 2, 1, stride=2, bias=bias)
        self.odd = nn.Conv2d(cin, cout - cout // 2, 1, stride=2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        shifted = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))[:, :, 1:, 1:]
        return torch.cat([self.even(x), self.odd(shifted)], dim=1)'''

LOAD = '''def load(path: str = "weights.safetensors") -> Network:
    """The network with its trained weights, ready to classify."""
    network = Network()
    network.load_state_dict(read_safetensors(path))
    return network.eval()


def read_safetensors(path: str) -> dict[str, Tensor]:
    """Tensors by name: 8 bytes with the header's length, a JSON header, the tensors' bytes."""
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

_GLOBAL_POOL = '''class GlobalPool(nn.Module):
    """The mean of each channel: (n, c, h, w) -> (n, c)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))'''


_SQUEEZE_EXCITE = '''class SqueezeExcite(nn.Module):
    """Every channel times a gate: x * gate(expand(inner(reduce(mean of x))))."""

    def __init__(self, channels: int, hidden: int, inner: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.inner = inner
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.expand(self.inner(self.reduce(mean))))'''


_SAME = '''class SameConv2d(nn.Conv2d):
    """With TensorFlow's SAME padding: as few zeros as needed, the smaller half first."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for axis in (1, 0):
            reach = self.dilation[axis] * (self.kernel_size[axis] - 1)
            stride, size = self.stride[axis], x.shape[2 + axis]
            total = max(0, reach + 1 - (size % stride or stride))
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))'''


def helpers(text: str) -> list[str]:
    """The definitions of those helper classes that ``text`` calls."""
    known = {
        "FactorizedReduce(": _HALVE,
        "GlobalPool(": _GLOBAL_POOL,
        "SameConv2d(": _SAME,
        "SqueezeExcite(": _SQUEEZE_EXCITE,
    }
    return [definition for name, definition in known.items() if name in text]


def widths(layers: Sequence[Layer]) -> tuple[int, ...]:
    """The different numbers of channels of layers in a row, in the order in which they come."""
    found: dict[int, None] = {}
    for layer in layers:
        inside = (layer.hidden,) if layer.kind == "squeeze_excite" else ()
        found |= dict.fromkeys((layer.channels_in, *inside, layer.channels_out))
    return tuple(found)


def symbols(count: int) -> tuple[str, ...]:
    """What so many numbers of channels are called in the text: c, or c0, c1, ..."""
    return ("c",) if count == 1 else tuple(f"c{number}" for number in range(count))


def expression(layer: Layer, name: dict[int, str]) -> str:
    """One layer as a torch call; ``name`` says what each number of channels is called."""
    cin, cout = name[layer.channels_in], name[layer.channels_out]
    if layer.kind == "batch_norm":
        epsilon = "" if layer.epsilon == TORCHS_EPSILON else f", eps={layer.epsilon!r}"
        return f"nn.BatchNorm2d({cout}{epsilon})"
    if layer.kind == "factorized_reduce":
        return f"FactorizedReduce({cin}, {cout}{', bias=True' if layer.bias else ''})"
    if layer.kind == "squeeze_excite":
        parts = (cin, name[layer.hidden], _activation(layer.inner), _activation(layer.gate))
        return f"SqueezeExcite({', '.join(parts)})"
    if layer.kind == "global_pool":
        return "GlobalPool()"
    if layer.kind == "linear":
        return f"nn.Linear({cin}, {cout})"
    if layer.kind == "max_pool" or layer.kind == "avg_pool":
        return _pool(layer)
    if layer.kind == "conv":
        return _convolution(layer, cin, cout, name)
    return _activation(layer.kind)


def _activation(kind: Activation) -> str:
    if kind == "relu":
        return "nn.ReLU()"
    if kind == "relu6":
        return "nn.ReLU6()"
    if kind == "swish":
        return "nn.SiLU()"
    if kind == "hard_swish":
        return "nn.Hardswish()"
    if kind == "sigmoid":
        return "nn.Sigmoid()"
    if kind == "hard_sigmoid":
        return "nn.Hardsigmoid()"
    unknown_layer(kind)


def _pool(layer: Layer) -> str:
    kernel, stride = _pair(layer.kernel), _pair(layer.stride)
    padding = _pair((layer.kernel[0] // 2, layer.kernel[1] // 2))
    if layer.kind == "max_pool":
        return f"nn.MaxPool2d({kernel}, {stride}, padding={padding})"
    # A pool whose kernel is its stride tiles the map: no padding.
    tiled = layer.kernel == layer.stride
    more = "ceil_mode=True" if tiled else f"padding={padding}"
    return f"nn.AvgPool2d({kernel}, {stride}, {more}, count_include_pad=False)"


def _convolution(layer: Layer, cin: str, cout: str, name: dict[int, str]) -> str:
    parts = [cin, cout, _pair(layer.kernel)]
    padding = (0, 0) if layer.shifts else (layer.reach[0] // 2, layer.reach[1] // 2)
    parts += [f"stride={_pair(layer.stride)}"] if layer.stride != (1, 1) else []
    parts += [f"padding={_pair(padding)}"] if any(padding) else []
    parts += [f"dilation={layer.dilation}"] if layer.dilation > 1 else []
    # A depthwise convolution has as many groups as channels, whatever they are called.
    groups = name[layer.channels_in] if layer.groups == layer.channels_in else str(layer.groups)
    parts += [f"groups={groups}"] if layer.groups > 1 else []
    parts += [] if layer.bias else ["bias=False"]
    name_of_class = "SameConv2d" if layer.shifts else "nn.Conv2d"
    return f"{name_of_class}({', '.join(parts)})"


def _pair(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else str(pair)
