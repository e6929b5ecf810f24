"""Networks made of searched cells, as graphs: the macro structures of DARTS and of NAS-Bench-201.

reduction_cells: a stem, cells that read the two maps before them, two of them of stride 2 (arXiv
1806.09055). residual_blocks: three groups of equal cells with a residual block of stride 2 between
them (arXiv 2001.00326).
"""

from __future__ import annotations

from hwnas.space.genotype import check_cells
from hwnas.space.graph import IMAGE, Builder, Graph, Option
from hwnas.space.layers import (
    PRIMITIVES,
    Layer,
    Size,
    Stem,
    conv_bn,
    factorized_reduce,
    half,
    relu_conv_bn,
)
from hwnas.space.size import CellSize, Task
from hwnas.space.space import NONE, CellKind, Space
from profilers.errors import FaultyPlugin, asking, kind_of, nearest


def cell_graph(space: Space, size: CellSize, task: Task) -> Graph:
    """The whole supernet of a cell space. Raises InputError where it can't have so many cells."""
    check_cells(space, size.cells)
    build = Builder(task.image)
    if space.stacking == "residual_blocks":
        last, head = _residual_blocks(build, space, size)
    else:
        last, head = _reduction_cells(build, space, size), ()
    _head(build, last, head, task)
    return build.graph()


def reduction_positions(cells: int) -> frozenset[int]:
    """Indices of the reduction cells: a third and two thirds of the depth."""
    return frozenset({cells // 3, 2 * cells // 3})


def _head(build: Builder, last: str, before: tuple[Layer, ...], task: Task) -> None:
    if before:
        last = build.layers("head.last", last, before)
    build.layers("head.classifier", last, task.head(*build.shape(last)))


def _reduction_cells(build: Builder, space: Space, size: CellSize) -> str:
    parts = [IMAGE, *_stem(build, size.channels, size.stem)]
    # Of an ImageNet stem, c_{k-2} is the map half way.
    older, newer = parts[1], parts[-1]
    channels = size.channels
    for index in range(size.cells):
        kind: CellKind = "reduce" if index in reduction_positions(size.cells) else "normal"
        channels = 2 * channels if kind == "reduce" else channels
        width_before, size_before = build.shape(older)
        width, now = build.shape(newer)
        if size_before != now:
            first = factorized_reduce(width_before, channels, size_before)
        else:
            first = relu_conv_bn(width_before, channels, now)
        states = [
            build.layers(f"cell{index}.input0", older, first),
            build.layers(f"cell{index}.input1", newer, relu_conv_bn(width, channels, now)),
        ]
        nodes = _edges(build, space, kind, f"cell{index}", states)
        auxiliary = index == 2 * size.cells // 3
        older, newer = newer, build.concat(f"cell{index}.output", nodes, auxiliary)
    return newer


def _stem(build: Builder, channels: int, stem: Stem) -> list[str]:
    image_channels, size = build.shape(IMAGE)
    if stem == "cifar":
        return [build.layers("stem.part0", IMAGE, conv_bn(image_channels, 3 * channels, size))]
    first = conv_bn(image_channels, channels // 2, size, 2)
    second = relu_conv_bn(channels // 2, channels, half(size), 3, 2)
    part = build.layers("stem.part0", IMAGE, first + second)
    return [
        part,
        build.layers("stem.part1", part, relu_conv_bn(channels, channels, half(half(size)), 3, 2)),
    ]


def _residual_blocks(build: Builder, space: Space, size: CellSize) -> tuple[str, tuple[Layer, ...]]:
    """The last cell's map, and what stands between it and the classifier."""
    image_channels, now = build.shape(IMAGE)
    channels = size.channels
    last = build.layers("stem.part0", IMAGE, conv_bn(image_channels, channels, now))
    for index in range(size.cells):
        if index and index % (size.cells // 3) == 0:
            last = _residual_block(build, index, last)
        last = _edges(build, space, "normal", f"cell{index}", [last])[-1]
    channels, now = build.shape(last)
    return last, (
        Layer("batch_norm", channels, channels, now),
        Layer("relu", channels, channels, now),
    )


def _residual_block(build: Builder, index: int, source: str) -> str:
    """Twice the channels on a quarter of the pixels: a main branch and a shortcut, added."""
    channels, size = build.shape(source)
    main = relu_conv_bn(channels, 2 * channels, size, 3, 2)
    main += relu_conv_bn(2 * channels, 2 * channels, half(size), 3)
    pool = Layer("avg_pool", channels, channels, size, kernel=(2, 2), stride=(2, 2))
    shortcut = (pool, Layer("conv", channels, 2 * channels, half(size)))
    block = f"reduction{index}"
    branches = [
        build.layers(f"{block}.main", source, main),
        build.layers(f"{block}.shortcut", source, shortcut),
    ]
    return build.sum(f"{block}.output", branches)


def _layers(space: Space, op: str, channels: int, stride: int, size: Size) -> tuple[Layer, ...]:
    """The layers of an operation. Raises FaultyPlugin where its function gives none."""
    if op not in PRIMITIVES:
        raise FaultyPlugin(
            f"space {space.name!r} (hwnas.spaces): unknown operation"
            f" {op!r}{nearest(op, [NONE, *PRIMITIVES])}"
        )
    plugin = f"operation {op!r} (hwnas.space.layers.PRIMITIVES) of space {space.name!r}"
    with asking(plugin, "its function (channels, stride, size)"):
        found: object = PRIMITIVES[op](channels, stride, size)
    if not isinstance(found, list | tuple) or not all(isinstance(one, Layer) for one in found):
        raise FaultyPlugin(
            f"{plugin}: its function gave {kind_of(found)}; it must give a tuple of"
            " hwnas.space.layers.Layer"
        )
    return tuple(found)


def _edges(build: Builder, space: Space, kind: CellKind, cell: str, states: list[str]) -> list[str]:
    """The computed nodes of one cell, each the sum of its edges."""
    states = list(states)
    # Equal options are one object: what is known of it (its shape, its cost) is found once.
    known: dict[tuple[str, int, int, Size], Option] = build.options
    for node in range(space.inputs, space.inputs + space.nodes):
        edges = []
        for row in space.rows(kind):
            slot = space.slots[row]
            if slot.node != node:
                continue
            channels, size = build.shape(states[slot.source])
            stride = 2 if kind == "reduce" and slot.source < space.inputs else 1
            options = []
            for op in slot.ops:
                key = (op, channels, stride, size)
                if key not in known:
                    known[key] = None if op == NONE else _layers(space, op, *key[1:])
                options.append(known[key])
            edges.append(
                build.open(f"{cell}.edge_{slot.source}_{node}", states[slot.source], options, row)
            )
        states.append(build.sum(f"{cell}.node{node}", edges))
    return states[space.inputs :]
