"""ONNX files against torch and float64: every primitive, random and published genotypes, odd
sizes, both inputs."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from hwnas.export.interface import Raw
from hwnas.export.onnx_format import OPSET, check, onnx_model, written
from hwnas.export.verify import compare
from hwnas.nets.operations import sequence
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph, own_image
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.graph import IMAGE, Builder, all_layers, starts_with_relu
from hwnas.space.layers import ACTIVATIONS, PRIMITIVES, Layer, Stem, conv_bn
from hwnas.space.published import PUBLISHED
from hwnas.space.size import Task
from hwnas.space.text import parse
from profilers.errors import InputError
from tests.export.networks import arrays, images, lively, network
from tests.space.swept import SWEPT, sized

NAMES = tuple("abcdefghij")


def assert_exports(
    architecture: Architecture,
    classes: int = 10,
    image: tuple[int, int, int] = (3, 16, 16),
    stem: Stem = "cifar",
) -> onnx.ModelProto:
    net = network(architecture, classes, image, stem)
    model = onnx_model(architecture, arrays(net), NAMES[:classes], image, stem)
    check(model)
    own = own_image(architecture, Task(classes=classes, image=image))
    parity = compare(net, model.SerializeToString(), [images(8, own, 3)])
    assert parity.passed, parity
    assert (
        parity.torch_rms > 0 or parity.largest_logit < 10
    )  # a constant network would prove nothing
    return model


class Headed(nn.Module):
    """One primitive with a pool and a classifier behind it."""

    def __init__(self, layers: tuple[Layer, ...], channels: int) -> None:
        super().__init__()
        self.op = sequence(layers)
        self.classifier = nn.Linear(channels, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.op(x).mean((2, 3)))


def _renamed(tensors: dict[str, np.ndarray], layers: tuple[Layer, ...]) -> dict[str, np.ndarray]:
    """Tensors under the names of a graph's nodes: a ReLU that comes first has no number."""
    shift = starts_with_relu(layers)
    found = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        number, _, last = rest.partition(".")
        found[f"op.it.{int(number) - shift}.{last}" if part == "op" else f"head.it.1.{rest}"] = (
            tensor
        )
    return found


@pytest.mark.parametrize("size", [(8, 8), (9, 7)], ids=["even", "odd"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("op", sorted(set(PRIMITIVES) - {"none"}))
def test_every_primitive_exports_at_both_strides(
    op: str, stride: int, size: tuple[int, int]
) -> None:
    image = (6, *size)
    layers = PRIMITIVES[op](6, stride, size)
    module = lively(Headed(layers, 6), image)
    build = Builder(image)
    last = build.layers("op.it", IMAGE, layers)
    width, now = build.shape(last)
    build.layers(
        "head.it", last, (Layer("global_pool", width, width, now), Layer("linear", 6, 5, (1, 1)))
    )
    model = written(build.graph(), _renamed(arrays(module), layers))
    check(model)
    parity = compare(module, model.SerializeToString(), [images(8, image, 3)])
    assert parity.passed, parity
    assert parity.largest_logit > 0.1


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_exports_after_a_folded_norm(kind: str) -> None:
    image = (6, 8, 8)
    act = Layer(kind, 6, 6, (8, 8))  # type: ignore[arg-type]
    layers = (*conv_bn(6, 6, (8, 8)), act, *conv_bn(6, 6, (8, 8)), act)
    module = lively(Headed(layers, 6), image)
    build = Builder(image)
    last = build.layers("op.it", IMAGE, layers)
    build.layers(
        "head.it", last, (Layer("global_pool", 6, 6, (8, 8)), Layer("linear", 6, 5, (1, 1)))
    )
    model = written(build.graph(), _renamed(arrays(module), layers))
    check(model)
    # Values beyond both ends of the activations' middle pieces.
    given = 6 * images(8, image, 3)
    parity = compare(module, model.SerializeToString(), [given])
    assert parity.passed, parity
    assert parity.largest_logit > 0.1


def test_a_layer_that_the_file_has_no_rule_for_is_refused() -> None:
    build = Builder((6, 8, 8))
    last = build.layers("op.it", IMAGE, (Layer("softmax", 6, 6, (8, 8)),))  # type: ignore[arg-type]
    build.layers(
        "head.it", last, (Layer("global_pool", 6, 6, (8, 8)), Layer("linear", 6, 5, (1, 1)))
    )
    with pytest.raises(InputError, match="layer kind 'softmax': not known here"):
        written(build.graph(), {})


@pytest.mark.parametrize("name", SWEPT)
def test_random_genotypes_export(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(5)
    for number in range(6):
        genotype = to_genotype(space, sample(space, rng))
        assert_exports(sized(genotype, 4, 3), image=(3, 9 + number % 2, 8))


@pytest.mark.slow
@pytest.mark.parametrize("name", (*SWEPT, "mobile-small", "fbnet"))
def test_fifty_random_genotypes_export(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(6)
    for _ in range(50):
        assert_exports(sized(to_genotype(space, sample(space, rng)), 6, 6))


@pytest.mark.parametrize(
    "text", ["DARTS_V1", "DARTS_V2", "PDARTS", "PC_DARTS_CIFAR", "TND_CIFAR10"]
)
def test_published_genotypes_export(text: str) -> None:
    assert_exports(Architecture(PUBLISHED[text], channels=8, cells=5))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["DARTS_V1", "DARTS_V2", "PDARTS", "PC_DARTS_CIFAR", "TND_CIFAR10"]
)
def test_published_genotypes_export_at_full_size(text: str) -> None:
    assert_exports(Architecture(PUBLISHED[text], channels=36, cells=20), image=(3, 32, 32))


def test_imagenet_networks_export() -> None:
    assert_exports(
        Architecture(PUBLISHED["PDARTS"], channels=8, cells=4), image=(3, 64, 64), stem="imagenet"
    )


def test_a_node_without_edges_is_zeros_for_any_batch() -> None:
    nothing = parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert_exports(Architecture(nothing, channels=4, cells=3))
    darts = PUBLISHED["DARTS_V2"]
    gap = Genotype("darts", ((), *darts.normal[1:3], ()), ((), *darts.reduce[1:3], ()))
    assert_exports(Architecture(gap, channels=4, cells=3), image=(3, 9, 9))


def test_a_model_of_uint8_pixels_normalises_them_itself() -> None:
    architecture, mean, std = (
        Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3),
        (0.1, 0.2, 0.3),
        (0.2, 0.3, 0.4),
    )
    net = network(architecture)
    model = onnx_model(architecture, arrays(net), NAMES, (3, 16, 16), pixels=(mean, std))
    check(model)
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    pixels = torch.randint(
        0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    parity = compare(Raw(net, mean, std).eval(), model.SerializeToString(), [pixels])
    assert parity.passed, parity
    # Raw itself against the definition.
    by_hand = (pixels.double() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
        3, 1, 1
    )
    assert torch.allclose(Raw(net, mean, std).eval()(pixels), net(by_hand.float()), atol=1e-4)


def test_a_file_says_what_it_is() -> None:
    architecture = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3)
    net = network(architecture)
    notes = {"run": "mine", "accuracy": {"value": 0.9, "origin": "trained (test)"}}
    model = onnx_model(architecture, arrays(net), NAMES, (3, 16, 16), notes=notes)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert parse(said["genotype"]) == architecture.genotype
    assert json.loads(said["classes"]) == list(NAMES)
    assert json.loads(said["accuracy"])["origin"] == "trained (test)"
    assert (said["run"], said["channels"], said["cells"]) == ("mine", "4", "3")
    assert model.opset_import[0].version == OPSET
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == [
        "image",
        "logits",
    ]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_norms_are_folded_and_relus_shared() -> None:
    model = assert_exports(Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3))
    kinds = [node.op_type for node in model.graph.node]
    assert "BatchNormalization" not in kinds
    after_relu = [node.input[0] for node in model.graph.node if node.op_type == "Relu"]
    assert len(after_relu) == len(set(after_relu))


def test_a_graph_holds_every_parameter_of_the_network_once() -> None:
    architecture = Architecture(PUBLISHED["TND_CIFAR10"], channels=4, cells=5)
    net = network(architecture)
    graph = architecture_graph(architecture, Task(classes=10, image=(3, 16, 16)))
    counted = sum(layer.params for layer in all_layers(graph))
    assert counted == sum(parameter.numel() for parameter in net.parameters())


def test_a_wrong_weight_is_noticed() -> None:
    """The comparison itself: the file of a network that differs in one filter does not pass."""
    architecture = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3)
    net = network(architecture)
    tensors = arrays(net)
    tensors["stem.part0.0.weight"] = tensors["stem.part0.0.weight"] * np.float32(1.01)
    model = onnx_model(architecture, tensors, NAMES, (3, 16, 16))
    assert not compare(net, model.SerializeToString(), [images(8, (3, 16, 16), 3)]).passed
