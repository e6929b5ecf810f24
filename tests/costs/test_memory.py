"""Peak memory: equal to a network run buffer by buffer, and near what a runtime's own graph
needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from hwnas.costs.memory import memory_of, memory_table
from hwnas.space import SPACES
from hwnas.space.build import graphs
from hwnas.space.encoding import project, sample
from hwnas.space.family import family
from hwnas.space.graph import IMAGE, Builder, discrete, terms
from hwnas.space.layers import ACTIVATIONS, Layer, Stem
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Choices, Space
from tests.space.every_layer import SAMPLES, SPACE


@dataclass(kw_only=True)
class Buffers:
    """Steps as they are written down: (result, what it reads, elements, extra elements, whether
    it may be in place)."""

    steps: list[tuple[str, tuple[str, ...], int, int, bool]] = field(default_factory=list)
    after_relu: dict[str, str] = field(default_factory=dict)

    def step(
        self, result: str, reads: Sequence[str], elements: int, extra: int = 0, place: bool = False
    ) -> str:
        self.steps.append((result, tuple(reads), elements, extra, place))
        return result

    def layers(self, layers: Sequence[Layer], source: str, name: str) -> str:
        for number, layer in enumerate(layers):
            out = layer.channels_out * layer.size_out[0] * layer.size_out[1]
            # In place, but on a map that others may read.
            first = number == 0 or (number == 1 and layers[0].kind == "relu")
            result = f"{name}/{number}"
            if layer.kind == "batch_norm" and not first:
                continue
            if layer.kind == "relu" and number == 0:
                if source not in self.after_relu:
                    self.after_relu[source] = self.step(result, [source], out, place=True)
                source = self.after_relu[source]
            elif layer.kind == "factorized_reduce":
                shifted = layer.channels_in * layer.size[0] * layer.size[1]
                halves = self.step(f"{result}/halves", [source], out, shifted)
                source = self.step(result, [halves], out)
            elif layer.kind == "squeeze_excite":
                y = self.step(f"{result}/mean", [source], layer.channels_in)
                y = self.step(f"{result}/reduced", [y, source], layer.hidden)
                y = self.step(f"{result}/gates", [y, source], layer.channels_out)
                source = self.step(result, [source, y], out, place=not first)
            elif layer.kind in ACTIVATIONS:
                source = self.step(result, [source], out, place=not first)
            else:
                source = self.step(result, [source], out)
        return source

    def peak(self) -> int:
        """Run the steps: a buffer is freed after its last reader, and handed on to a step that
        works in place."""
        last = {name: number for number, step in enumerate(self.steps) for name in step[1]}
        live: dict[str, int] = {}
        most = 0
        for number, (result, reads, elements, extra, place) in enumerate(self.steps):
            if place and last[reads[0]] == number and reads[0] in live:
                del live[reads[0]]
            live[result] = elements
            most = max(most, sum(live.values()) + extra)
            for name in [
                name
                for name in live
                if last.get(name, number) <= number and name != self.steps[-1][0]
            ]:
                del live[name]
        return most


def simulated(
    space: Space,
    choices: Choices,
    channels: int,
    cells: int,
    image: tuple[int, int, int],
    stem: Stem,
) -> int:
    """The peak of one network by walking through it, node by node."""
    size = CellSize(channels=channels, cells=cells, stem=stem)
    (whole,) = graphs(space, size, Task(classes=10, image=image)).values()
    buffers = Buffers()
    maps = {IMAGE: buffers.step("pixels", [], int(np.prod(image)))}
    graph = discrete(whole, choices)
    added = terms(graph)
    sums = {
        source: node
        for node in graph
        if node.join == "sum"
        for source in node.inputs
        if source in added
    }
    totals: dict[str, str] = {}
    for node in graph[1:]:
        if node.join == "layers":
            out = buffers.layers(node.layers, maps[node.inputs[0]], node.name)
            if node.name in sums and (total := sums[node.name].name) not in totals:
                # What others may read as well: the input itself, or after the ReLU that its readers
                # share.
                copied = [layer.kind for layer in node.layers] in ([], ["relu"])
                totals[total] = (
                    buffers.step(f"{node.name}/copy", [out], node.elements) if copied else out
                )
            elif node.name in sums:
                parts = [totals[total], out]
                totals[total] = buffers.step(f"{node.name}/sum", parts, node.elements, place=True)
            maps[node.name] = out
        elif node.join == "sum":
            others = [maps[source] for source in node.inputs if source not in added]
            if node.name not in totals:
                maps[node.name] = buffers.step(node.name, others, node.elements)
            elif others:
                parts = [totals[node.name], *others]
                maps[node.name] = buffers.step(node.name, parts, node.elements, place=True)
            else:
                maps[node.name] = totals[node.name]
        else:
            maps[node.name] = buffers.step(
                node.name, [maps[source] for source in node.inputs], node.elements
            )
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
        ("every-layer", 3, (3, 9, 8), "cifar"),
    ],
)
def test_the_peak_is_that_of_running_the_network_buffer_by_buffer(
    name: str, cells: int, image: tuple[int, int, int], stem: Stem, derived: bool
) -> None:
    space, rng = SPACES.get(name, SPACE), np.random.default_rng(0)
    drawn = list(SAMPLES.values()) if space is SPACE else [sample(space, rng) for _ in range(25)]
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
    # Three NAS-Bench-201 cells of one 3x3 convolution from the input to the output, 8 channels on
    # 16 x 16 pixels, then 16 on 8 x 8 and 32 on 4 x 4. The input's ReLU works in place, and the
    # convolution needs its result beside it: two maps. The residual blocks need as much: their
    # input, its after_relu copy, and a result of half the size make 2.5 maps, which is the peak.
    # The stem reads 3 channels and writes 8.
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


@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside a reader"])
def test_the_peak_of_a_squeeze_and_excitation_by_hand(others: bool) -> None:
    # A map of 6 x 72 stays while 6 means become 500 numbers; the product takes its place, unless
    # others read it.
    map_, means, hidden = 6 * 72, 6, 500
    draft = Builder((3, 9, 8))
    conv = Layer("conv", 3, 6, (9, 8))
    gate = Layer("squeeze_excite", 6, 6, (9, 8), hidden=hidden)
    if others:
        last = draft.layers("stem.conv", IMAGE, (conv,))
        last = draft.sum("body.sum", [last, draft.layers("body.gate", last, (gate,))])
    else:
        last = draft.layers("stem.conv", IMAGE, (conv, gate))
    draft.layers(
        "head.it", last, (Layer("global_pool", 6, 6, (9, 8)), Layer("linear", 6, 2, (1, 1)))
    )
    peak = memory_of(draft.graph(), (1, 1)).elements(np.zeros((1, 1), dtype=np.int64))
    assert peak.tolist() == [map_ + max(means + hidden, means + map_ if others else 0)]


def test_a_thousand_samples_take_a_fraction_of_a_second() -> None:
    space, rng = SPACES["tnd"], np.random.default_rng(0)
    many = np.stack([sample(space, rng) for _ in range(1000)])
    table = memory_table(family(space, channels=16, cells=20, classes=10, image=(3, 32, 32)))
    start = time.process_time()
    table.of(many)
    assert time.process_time() - start < 0.5
