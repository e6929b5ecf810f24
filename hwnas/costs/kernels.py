"""The nodes of a graph as the kernels that a device runs and a roofline prices."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.graph import Graph, Node, Option
from hwnas.space.layers import Layer, Size, unknown_layer
from profilers.roofline import Kernel


def layer_kernels(layer: Layer, batch: int) -> tuple[Kernel, ...]:
    """The kernels of one layer at a batch size."""
    read = batch * layer.channels_in * layer.size[0] * layer.size[1]
    outputs = batch * layer.size_out[0] * layer.size_out[1]
    write = outputs * layer.channels_out
    macs = batch * layer.macs
    if layer.kind == "conv" and layer.groups > 1:
        window = layer.kernel[0] * layer.kernel[1]
        return (Kernel("depthwise", macs, read, write, outputs, layer.channels_out, window),)
    if layer.kind == "conv":
        return (Kernel("conv", macs, read + layer.params, write, outputs, layer.channels_out),)
    if layer.kind == "halve":
        # Two convolutions, each reading every other pixel and giving half of the channels, then their concatenation.
        half = Kernel("conv", macs // 2, read // 4, write // 2, outputs, layer.channels_out // 2)
        return (half, half, Kernel("concat", 0, write, write, outputs, layer.channels_out))
    if layer.kind == "max_pool" or layer.kind == "avg_pool":
        window = layer.kernel[0] * layer.kernel[1]
        return (Kernel("pool", 0, read, write, outputs, layer.channels_out, window),)
    if layer.kind == "global_pool":
        return (Kernel("pool", 0, read, write, outputs, layer.channels_out),)
    if layer.kind == "linear":
        return (Kernel("linear", macs, read + layer.params, write, outputs, layer.channels_out),)
    if layer.kind == "batch_norm":
        return (Kernel("batch_norm", 0, read, write, outputs, layer.channels_out),)
    if layer.kind == "relu" or layer.kind == "relu6" or layer.kind == "hard_swish":
        return (Kernel("elementwise", 0, read, write, outputs, layer.channels_out),)
    unknown_layer(layer.kind)


def option_kernels(
    node: Node, option: Option, source_size: Size, batch: int, computes_none: bool
) -> tuple[Kernel, ...]:
    """An option of an open node, and the addition that brings its result into a sum.

    `computes_none`: the published networks multiply by zero where nothing stands, and add the product; elsewhere an
    absent option costs nothing. n terms of a sum are n additions here and n - 1 in truth: a constant of the sum.
    """
    add = _elementwise(2, node.channels, node.size, batch)
    if option is None:
        return (_elementwise(1, node.channels, source_size, batch), add) if computes_none else ()
    return (*(kernel for layer in option for kernel in layer_kernels(layer, batch)), add)


@dataclass(frozen=True, kw_only=True, slots=True)
class Priced:
    """One step of a discrete network: what it is called, its kind, and the kernels that it runs."""

    name: str
    kind: str
    kernels: tuple[Kernel, ...]


def steps_of(graph: Graph, batch: int) -> tuple[Priced, ...]:
    """The layers and joins of a discrete graph in order; equal ReLUs and pools of one map run once."""
    found: list[Priced] = []
    met: set[tuple[str, Layer]] = set()
    for node in graph[1:]:
        if node.join == "sum" and len(node.inputs) > 1:
            add = _elementwise(2, node.channels, node.size, batch)
            found.append(Priced(name=node.name, kind="add", kernels=(add,) * (len(node.inputs) - 1)))
        if node.join == "concat":
            found.append(Priced(name=node.name, kind="concat", kernels=(_concat(node, batch),)))
        for number, layer in enumerate(node.layers):
            key = (node.inputs[0], layer)
            if number == 0 and layer.kind in ("relu", "max_pool", "avg_pool"):
                if key in met:
                    continue
                met.add(key)
            name = f"{node.name}/{number}_{layer.kind}"
            found.append(Priced(name=name, kind=layer.kind, kernels=layer_kernels(layer, batch)))
    return tuple(found)


def fixed_kernels(graph: Graph, batch: int) -> tuple[Kernel, ...]:
    """What every network runs: fixed layers, concatenations, and the additions of sums that are not an option's."""
    is_open = {node.name for node in graph if node.row is not None}
    kernels: list[Kernel] = []
    for node in graph:
        if node.row is None:
            kernels += [kernel for layer in node.layers for kernel in layer_kernels(layer, batch)]
        if node.join == "concat":
            kernels.append(_concat(node, batch))
        if node.join == "sum":
            fixed = sum(source not in is_open for source in node.inputs)
            kernels += [_elementwise(2, node.channels, node.size, batch)] * max(0, fixed - 1)
    return tuple(kernels)


def _concat(node: Node, batch: int) -> Kernel:
    numbers = batch * node.elements
    return Kernel("concat", 0, numbers, numbers, batch * node.size[0] * node.size[1], node.channels)


def _elementwise(inputs: int, channels: int, size: Size, batch: int) -> Kernel:
    outputs = batch * size[0] * size[1]
    return Kernel("elementwise", 0, inputs * outputs * channels, outputs * channels, outputs, channels)
