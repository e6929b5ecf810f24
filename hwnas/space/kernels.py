"""The layers of a space as the kernels that a device runs and a roofline prices."""

from __future__ import annotations

from hwnas.space.layers import PRIMITIVES, CellSite, Layer, Size, Skeleton
from hwnas.space.space import NONE, Slot, Space
from profilers.roofline import Kernel, Kind


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
        # Two convolutions, each reading every other pixel and giving half of the channels, then their
        # concatenation.
        half = Kernel("conv", macs // 2, read // 4, write // 2, outputs, layer.channels_out // 2)
        return (half, half, Kernel("concat", 0, write, write, outputs, layer.channels_out))
    if layer.kind in ("max_pool", "avg_pool"):
        window = layer.kernel[0] * layer.kernel[1]
        return (Kernel("pool", 0, read, write, outputs, layer.channels_out, window),)
    if layer.kind == "global_pool":
        return (Kernel("pool", 0, read, write, outputs, layer.channels_out),)
    if layer.kind == "linear":
        return (Kernel("linear", macs, read + layer.params, write, outputs, layer.channels_out),)
    kind: Kind = "batch_norm" if layer.kind == "batch_norm" else "elementwise"
    return (Kernel(kind, 0, read, write, outputs, layer.channels_out),)


def edge_kernels(space: Space, site: CellSite, slot: Slot, op: str, batch: int) -> tuple[Kernel, ...]:
    """An operation on one edge of one cell and the addition that brings its result into the node.

    Where the space writes ``none``, the published networks multiply by zero and add the product; elsewhere
    the edge is left out. n edges into a node are n additions here and n - 1 in truth: a cell's constant, not
    its edges'.
    """
    stride, size = site.edge(slot.source, space.inputs)
    add = _elementwise(2, site.channels, site.size_out, batch)
    if op == NONE:
        return (_elementwise(1, site.channels, size, batch), add) if space.none_is_written else ()
    layers = PRIMITIVES[op](site.channels, stride, size)
    return (*(k for layer in layers for k in layer_kernels(layer, batch)), add)


def fixed_kernels(space: Space, frame: Skeleton, batch: int) -> tuple[Kernel, ...]:
    """Stem, preprocessing, residual blocks and classifier, and the concatenations at the end of DARTS
    cells."""
    kernels = [kernel for layer in frame.fixed for kernel in layer_kernels(layer, batch)]
    if space.stacking == "reduction_cells":
        for site in frame.cells:
            outputs = batch * site.size_out[0] * site.size_out[1]
            joined = space.nodes * site.channels
            kernels.append(Kernel("concat", 0, outputs * joined, outputs * joined, outputs, joined))
    else:
        widths = sorted({(site.channels, site.size_out) for site in frame.cells})
        kernels += [_elementwise(2, channels, size, batch) for channels, size in widths[1:]]
    return tuple(kernels)


def _elementwise(inputs: int, channels: int, size: Size, batch: int) -> Kernel:
    outputs = batch * size[0] * size[1]
    return Kernel("elementwise", 0, inputs * outputs * channels, outputs * channels, outputs, channels)
