"""TFLite files against torch and float64: every layer kind, any geometry, random genotypes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from torch import Tensor

from hwnas.export.interface import Raw
from hwnas.export.tflite.file import tflite_bytes
from hwnas.export.tflite.format import written
from hwnas.export.tflite.interpreter import tflite_logits
from hwnas.export.tflite.values import TfliteModel
from hwnas.export.verify import compare_logits
from hwnas.nets.network import Network
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph, own_image
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.graph import IMAGE, Builder
from hwnas.space.layers import PRIMITIVES, Layer, Stem
from hwnas.space.published import PUBLISHED
from hwnas.space.task import Task
from hwnas.space.text import parse
from profilers.errors import InputError
from tests.export.networks import arrays, images, lively, network
from tests.space.every_layer import CLASSES, PICTURE, SAMPLES, SPACE, architecture
from tests.space.strategies import sliding_layers
from tests.space.swept import sized

from .small import headed, needs_litert, tensors_of

KERNELS = ("default", "reference")


def assert_same(model: TfliteModel, module: torch.nn.Module, x: Tensor) -> None:
    """By the kernels that users get, and by the plain ones."""
    content = tflite_bytes(model)
    for kernels in KERNELS:
        parity = compare_logits(module, tflite_logits(content, [x], kernels), [x])  # type: ignore[arg-type]
        assert parity.passed, (kernels, parity)
        assert parity.largest_logit > 0


def of_architecture(
    drawn: Architecture, image: tuple[int, int, int] = (3, 16, 16), stem: Stem = "cifar"
) -> TfliteModel:
    net = network(drawn, 10, image, stem)
    task = Task(classes=10, image=image)
    model = written(architecture_graph(drawn, task, stem), arrays(net))
    assert_same(model, net, images(8, own_image(drawn, task), 3))
    return model


@needs_litert
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_file_holds_every_kind_of_layer(announced, sample: str) -> None:
    announced(SPACES, SPACE)
    drawn = architecture(SAMPLES[sample])
    net = lively(Network(drawn, CLASSES, PICTURE), PICTURE)
    graph = architecture_graph(drawn, Task(classes=CLASSES, image=PICTURE))
    # Values beyond both ends of the activations' middle pieces.
    assert_same(written(graph, arrays(net)), net, 3 * images(8, PICTURE, 3))


@needs_litert
@pytest.mark.parametrize("size", [(8, 8), (9, 7), (1, 1)], ids=["even", "odd", "one"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("op", sorted(set(PRIMITIVES) - {"none"}))
def test_every_primitive_at_both_strides(op: str, stride: int, size: tuple[int, int]) -> None:
    layers = PRIMITIVES[op](6, stride, size)
    if not layers:
        return
    graph, module = headed(layers)
    lively(module, (6, *size))
    assert_same(written(graph, tensors_of(module, layers)), module, images(4, (6, *size), 3))


@needs_litert
@settings(max_examples=50, deadline=None)
@given(sliding_layers())
def test_convolutions_and_pools_of_any_geometry(layer: Layer) -> None:
    try:
        graph, module = headed([layer], 3)
    except InputError:
        assume(False)
    model = written(graph, tensors_of(module, [layer]))
    assert_same(model, module, images(3, (layer.channels_in, *layer.size)))


@needs_litert
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SPACES))
def test_twenty_random_genotypes_of_each_space(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(5)
    for number in range(20):
        of_architecture(
            sized(to_genotype(space, sample(space, rng)), 4, 3), (3, 16 + number % 2, 16)
        )


@needs_litert
@pytest.mark.parametrize("text", ["DARTS_V2", "MOBILENET_V3_SMALL_0.75", "RESNET8"])
def test_published_networks(text: str) -> None:
    of_architecture(sized(PUBLISHED[text], 8, 5))


@needs_litert
def test_networks_with_the_imagenet_stem() -> None:
    drawn = Architecture(PUBLISHED["PDARTS"], channels=4, cells=3)
    of_architecture(drawn, (3, 64, 64), "imagenet")


@needs_litert
@pytest.mark.parametrize("gap", ["cell", "nodes"])
def test_a_node_without_edges_is_zeros_for_any_batch(gap: str) -> None:
    nothing = parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    darts = PUBLISHED["DARTS_V2"]
    nodes = Genotype("darts", ((), *darts.normal[1:3], ()), ((), *darts.reduce[1:3], ()))
    of_architecture(Architecture(nothing if gap == "cell" else nodes, channels=4, cells=3))


@needs_litert
def test_a_file_of_uint8_pixels_normalises_them_itself() -> None:
    drawn, image = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3), (3, 16, 16)
    net, mean, std = network(drawn), (0.1, 0.2, 0.3), (0.2, 0.3, 0.4)
    graph = architecture_graph(drawn, Task(classes=10, image=image))
    model = written(graph, arrays(net), (mean, std))
    source = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (8, *image), dtype=torch.uint8, generator=source)
    assert_same(model, Raw(net, mean, std).eval(), pixels)


def test_a_layer_that_the_file_has_no_rule_for_is_refused() -> None:
    build = Builder((6, 8, 8))
    last = build.layers("op.it", IMAGE, (Layer("softmax", 6, 6, (8, 8)),))  # type: ignore[arg-type]
    build.layers(
        "head.it", last, (Layer("global_pool", 6, 6, (8, 8)), Layer("linear", 6, 5, (1, 1)))
    )
    with pytest.raises(InputError, match="layer kind 'softmax': not known here"):
        written(
            build.graph(), {"head.it.1.weight": np.zeros((5, 6)), "head.it.1.bias": np.zeros(5)}
        )


@pytest.mark.parametrize("text", ["DARTS_V2", "MOBILENET_V3_SMALL_0.75", "RESNET8"])
def test_nothing_is_transposed_and_no_relu_stands_after_an_operator_that_can_end_in_it(
    text: str,
) -> None:
    drawn = sized(PUBLISHED[text], 4, 3)
    net = network(drawn)
    graph = architecture_graph(drawn, Task(classes=10, image=(3, 16, 16)))
    model = written(graph, arrays(net))
    assert not [step for step in model.operators if step.kind in ("TRANSPOSE", "RESHAPE")]
    made_by = {step.output: step for step in model.operators}
    read_by: dict[str, list[str]] = {}
    for step in model.operators:
        for name in step.inputs:
            read_by.setdefault(name, []).append(step.kind)
    for step in model.operators:
        before = made_by.get(step.inputs[0])
        if step.kind == "RELU" and before is not None and read_by[before.output] == ["RELU"]:
            assert before.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD")


def test_a_wrong_weight_is_noticed() -> None:
    """The comparison itself: the file of a network that differs in one filter does not pass."""
    pytest.importorskip("ai_edge_litert")
    drawn = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3)
    net, x = network(drawn), images(8, (3, 16, 16), 3)
    tensors = arrays(net)
    tensors["stem.part0.0.weight"] = tensors["stem.part0.0.weight"] * np.float32(1.01)
    graph = architecture_graph(drawn, Task(classes=10, image=(3, 16, 16)))
    logits = tflite_logits(tflite_bytes(written(graph, tensors)), [x])
    assert not compare_logits(net, logits, [x]).passed
