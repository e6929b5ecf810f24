"""The nodes of a graph as the kernels that a device runs and a roofline prices."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwnas.space.graph import Graph, Node, Option
from hwnas.space.layers import Activation, Layer, Size, unknown_layer
from profilers.roofline import Kernel


def layer_kernels(layer: Layer, batch: int) -> tuple[Kernel, ...]:
    """The kernels of one layer at a batch size."""
    outputs = batch * layer.size_out[0] * layer.size_out[1]
    plain = Kernel(
        kind="pool",
        macs=0,
        reads=batch * layer.channels_in * layer.size[0] * layer.size[1],
        writes=outputs * layer.channels_out,
        outputs=outputs,
        channels=layer.channels_out,
    )
    if layer.kind == "conv":
        return (_convolution(layer, batch, plain),)
    if layer.kind == "factorized_reduce":
        # Two convolutions, each reading every other pixel and giving half of the channels, then
        # their concatenation.
        left = layer.channels_out // 2
        halves = tuple(
            replace(
                plain,
                kind="conv",
                macs=outputs * layer.channels_in * part,
                reads=plain.reads // 4,
                writes=outputs * part,
                channels=part,
            )
            for part in (left, layer.channels_out - left)
        )
        return (*halves, replace(plain, kind="concat", reads=plain.writes))
    if layer.kind == "max_pool" or layer.kind == "avg_pool":
        return (replace(plain, window=layer.kernel[0] * layer.kernel[1]),)
    if layer.kind == "global_pool":
        return (plain,)
    if layer.kind == "linear":
        reads = plain.reads + layer.params
        return (replace(plain, kind="linear", macs=batch * layer.macs, reads=reads),)
    if layer.kind == "batch_norm":
        return (replace(plain, kind="batch_norm"),)
    if layer.kind == "squeeze_excite":
        return _squeeze_excite(layer, batch, plain.reads)
    return (_activation(layer.kind, outputs, layer.channels_out),)


def _convolution(layer: Layer, batch: int, plain: Kernel) -> Kernel:
    """Depthwise where an output reads one channel; else dense, each group a convolution of its
    own in one launch. `plain`: what the layer reads and writes."""
    macs = batch * layer.macs
    if layer.groups == layer.channels_in > 1:
        window = layer.kernel[0] * layer.kernel[1]
        return replace(plain, kind="depthwise", macs=macs, window=window)
    reads = plain.reads + layer.params
    return replace(plain, kind="conv", macs=macs, reads=reads, groups=layer.groups)


def _squeeze_excite(layer: Layer, batch: int, read: int) -> tuple[Kernel, ...]:
    """A mean, two convolutions on one pixel with their activations, and a product that reads the
    map once more."""
    channels, hidden = layer.channels_in, layer.hidden
    kernels = [
        Kernel(
            kind="pool",
            macs=0,
            reads=read,
            writes=batch * channels,
            outputs=batch,
            channels=channels,
        )
    ]
    for kind, cin, cout in ((layer.inner, channels, hidden), (layer.gate, hidden, channels)):
        weights = (cin + 1) * cout
        kernels.append(
            Kernel(
                kind="conv",
                macs=batch * cin * cout,
                reads=batch * cin + weights,
                writes=batch * cout,
                outputs=batch,
                channels=cout,
            )
        )
        kernels.append(_activation(kind, batch, cout))
    outputs = batch * layer.size[0] * layer.size[1]
    return (
        *kernels,
        Kernel(
            kind="elementwise",
            macs=0,
            reads=read + batch * channels,
            writes=read,
            outputs=outputs,
            channels=channels,
        ),
    )


def _activation(kind: Activation, outputs: int, channels: int) -> Kernel:
    """One pass over a map, whatever is computed of an element: it is reading and writing that
    take the time."""
    if (
        kind == "relu"
        or kind == "relu6"
        or kind == "swish"
        or kind == "hard_swish"
        or kind == "sigmoid"
        or kind == "hard_sigmoid"
    ):
        return Kernel(
            kind="elementwise",
            macs=0,
            reads=outputs * channels,
            writes=outputs * channels,
            outputs=outputs,
            channels=channels,
        )
    unknown_layer(kind)


def option_kernels(
    node: Node, option: Option, source_size: Size, batch: int, computes_none: bool
) -> tuple[Kernel, ...]:
    """An option of an open node, and the addition that brings its result into a sum.

    `computes_none`: the published networks multiply by zero where nothing stands, and add the
    product; elsewhere an absent option costs nothing. n terms of a sum are n additions here and n -
    1 in truth: a constant of the sum.
    """
    add = _elementwise(2, node.channels, node.size, batch)
    if option is None:
        return (_elementwise(1, node.channels, source_size, batch), add) if computes_none else ()
    return (*(kernel for layer in option for kernel in layer_kernels(layer, batch)), add)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepKernels:
    """One step of a discrete network: what it is called, its kind, and the kernels that it runs."""

    name: str
    kind: str
    kernels: tuple[Kernel, ...]


def steps_of(graph: Graph, batch: int) -> tuple[StepKernels, ...]:
    """The layers and joins of a discrete graph in order; equal ReLUs and pools of one map run
    once."""
    found: list[StepKernels] = []
    met: set[tuple[str, Layer]] = set()
    for node in graph[1:]:
        if node.join == "sum" and len(node.inputs) > 1:
            add = _elementwise(2, node.channels, node.size, batch)
            found.append(
                StepKernels(name=node.name, kind="add", kernels=(add,) * (len(node.inputs) - 1))
            )
        if node.join == "concat":
            found.append(
                StepKernels(name=node.name, kind="concat", kernels=(_concat(node, batch),))
            )
        for number, layer in enumerate(node.layers):
            key = (node.inputs[0], layer)
            if number == 0 and layer.kind in ("relu", "max_pool", "avg_pool"):
                if key in met:
                    continue
                met.add(key)
            name = f"{node.name}/{number}_{layer.kind}"
            found.append(
                StepKernels(name=name, kind=layer.kind, kernels=layer_kernels(layer, batch))
            )
    return tuple(found)


def fixed_kernels(graph: Graph, batch: int) -> tuple[Kernel, ...]:
    """What every network runs: fixed layers, concatenations, and the additions of sums that are
    not an option's."""
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
    return Kernel(
        kind="concat",
        macs=0,
        reads=numbers,
        writes=numbers,
        outputs=batch * node.size[0] * node.size[1],
        channels=node.channels,
    )


def _elementwise(inputs: int, channels: int, size: Size, batch: int) -> Kernel:
    outputs = batch * size[0] * size[1]
    return Kernel(
        kind="elementwise",
        macs=0,
        reads=inputs * outputs * channels,
        writes=outputs * channels,
        outputs=outputs,
        channels=channels,
    )
