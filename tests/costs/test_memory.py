"""Peak memory: equal to a network run buffer by buffer, and near what a runtime's own graph needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from hwnas.costs.memory import memory_table
from hwnas.space import SPACES
from hwnas.space.cells import cell_graph
from hwnas.space.encoding import project, sample
from hwnas.space.family import family
from hwnas.space.graph import IMAGE, discrete
from hwnas.space.layers import Layer, Stem
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Choices, Space


@dataclass
class Buffers:
    """Steps as they are written down: (result, what it reads, elements, extra elements, whether it may be in place)."""

    steps: list[tuple[str, tuple[str, ...], int, int, bool]] = field(default_factory=list)
    rectified: dict[str, str] = field(default_factory=dict)

    def step(
        self, result: str, reads: Sequence[str], elements: int, extra: int = 0, place: bool = False
    ) -> str:
        self.steps.append((result, tuple(reads), elements, extra, place))
        return result

    def layers(self, layers: Sequence[Layer], source: str, name: str) -> str:
        for number, layer in enumerate(layers):
            out = layer.channels_out * layer.size_out[0] * layer.size_out[1]
            if layer.kind == "batch_norm":
                continue
            result = f"{name}/{number}"
            if layer.kind == "relu":
                if source not in self.rectified:
                    self.rectified[source] = self.step(result, [source], out, place=True)
                source = self.rectified[source]
            elif layer.kind == "halve":
                shifted = layer.channels_in * layer.size[0] * layer.size[1]
                halves = self.step(f"{result}/halves", [source], out, shifted)
                source = self.step(result, [halves], out)
            else:
                source = self.step(result, [source], out)
        return source

    def peak(self) -> int:
        """Run the steps: a buffer is freed after its last reader, and handed on to a step that works in place."""
        last = {name: number for number, step in enumerate(self.steps) for name in step[1]}
        live: dict[str, int] = {}
        most = 0
        for number, (result, reads, elements, extra, place) in enumerate(self.steps):
            if place and last[reads[0]] == number and reads[0] in live:
                del live[reads[0]]
            live[result] = elements
            most = max(most, sum(live.values()) + extra)
            for name in [
                name for name in live if last.get(name, number) <= number and name != self.steps[-1][0]
            ]:
                del live[name]
        return most


def simulated(
    space: Space, choices: Choices, channels: int, cells: int, image: tuple[int, int, int], stem: Stem
) -> int:
    """The peak of one network by walking through it, node by node."""
    size = CellSize(channels=channels, cells=cells, stem=stem)
    whole = cell_graph(space, size, Task(classes=10, image=image))
    buffers = Buffers()
    maps = {IMAGE: buffers.step("pixels", [], int(np.prod(image)))}
    graph = discrete(whole, choices)
    sums = {source: node for node in graph if node.join == "sum" for source in node.inputs}
    totals: dict[str, str] = {}
    for node in graph[1:]:
        if node.join == "layers":
            out = buffers.layers(node.layers, maps[node.inputs[0]], node.name)
            if node.name in sums and (total := sums[node.name].name) not in totals:
                copied = not node.layers
                totals[total] = buffers.step(f"{node.name}/copy", [out], node.elements) if copied else out
            elif node.name in sums:
                parts = [totals[total], out]
                totals[total] = buffers.step(f"{node.name}/sum", parts, node.elements, place=True)
            maps[node.name] = out
        elif node.join == "sum":
            zeros = node.name not in totals
            maps[node.name] = buffers.step(node.name, [], node.elements) if zeros else totals[node.name]
        else:
            maps[node.name] = buffers.step(node.name, [maps[source] for source in node.inputs], node.elements)
    return buffers.peak()


@pytest.mark.parametrize("derived", [False, True])
@pytest.mark.parametrize(
    ("name", "cells", "image", "stem"),
    [
        ("darts", 3, (3, 16, 16), "cifar"),
        ("darts", 8, (1, 9, 9), "cifar"),
        ("darts", 6, (3, 32, 32), "imagenet"),
        ("tnd", 5, (3, 16, 16), "cifar"),
        ("nasbench201", 3, (3, 16, 16), "cifar"),
        ("nasbench201", 9, (3, 9, 9), "cifar"),
    ],
)
def test_the_peak_is_that_of_running_the_network_buffer_by_buffer(
    name: str, cells: int, image: tuple[int, int, int], stem: Stem, derived: bool
) -> None:
    space, rng = SPACES[name], np.random.default_rng(0)
    drawn = [sample(space, rng) for _ in range(25)]
    if derived:
        drawn = [project(space, one, rng.random(space.mask.shape)) for one in drawn]
    table = memory_table(family(space, channels=8, cells=cells, classes=10, image=image, stem=stem))
    expected = [simulated(space, one, 8, cells, image, stem) for one in drawn]
    assert table.elements(np.stack(drawn)).tolist() == expected


def test_weights_count_once_and_maps_for_every_image_of_a_batch() -> None:
    space = SPACES["darts"]
    one = sample(space, np.random.default_rng(0))
    single, four = (
        memory_table(family(space, channels=8, cells=3, classes=10, image=(3, 16, 16)), batch=batch)
        for batch in (1, 4)
    )
    params, maps = float(single.params.of(one)), float(single.elements(one)[0])
    assert single.of(one)[0] == pytest.approx(4 * (params + maps) / 2**20)
    assert four.of(one)[0] == pytest.approx(4 * (params + 4 * maps) / 2**20)


def test_a_peak_by_hand() -> None:
    # Three NAS-Bench-201 cells of one 3x3 convolution from the input to the output, 8 channels on 16 x 16 pixels, then
    # 16 on 8 x 8 and 32 on 4 x 4. The input's ReLU works in place, and the convolution needs its result beside it: two
    # maps. The residual blocks need as much: their input, its rectified copy, and a result of half the size make
    # 2.5 maps, which is the peak. The stem reads 3 channels and writes 8.
    space, map_ = SPACES["nasbench201"], 8 * 16 * 16
    ops = space.ops("normal")
    choices = np.full(6, ops.index("none"))
    edge = next(row for row, slot in enumerate(space.slots) if (slot.source, slot.node) == (0, 3))
    choices[edge] = ops.index("nor_conv_3x3")
    assert memory_table(family(space, channels=8, cells=3, classes=10, image=(3, 16, 16))).elements(
        choices
    ).tolist() == [2.5 * map_]
    # Edges that lead nowhere need nothing.
    dead = next(row for row, slot in enumerate(space.slots) if (slot.source, slot.node) == (0, 1))
    choices[dead] = ops.index("nor_conv_3x3")
    assert memory_table(family(space, channels=8, cells=3, classes=10, image=(3, 16, 16))).elements(
        choices
    ).tolist() == [2.5 * map_]


def test_a_thousand_samples_take_a_fraction_of_a_second() -> None:
    space, rng = SPACES["tnd"], np.random.default_rng(0)
    many = np.stack([sample(space, rng) for _ in range(1000)])
    table = memory_table(family(space, channels=16, cells=20, classes=10, image=(3, 32, 32)))
    start = time.process_time()
    table.of(many)
    assert time.process_time() - start < 0.5
