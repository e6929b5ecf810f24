"""Full-integer INT8: close to float64, the same by XNNPACK's and by the reference kernels, and
bounded where an integer kernel needs it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hwnas.export.interface import Raw
from hwnas.export.tflite.file import tflite_bytes
from hwnas.export.tflite.format import written
from hwnas.export.tflite.int8 import quantised
from hwnas.export.tflite.interpreter import tflite_logits
from hwnas.export.tflite.scales import LARGEST_BIAS, SAME, constant_scale
from hwnas.export.tflite.values import TfliteModel
from hwnas.export.verify import torch_logits
from hwnas.nets.network import Network
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph, own_image
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Layer, conv_bn
from hwnas.space.published import PUBLISHED
from hwnas.space.task import Task
from hwnas.training.statistics import calibrate
from tests.export.networks import arrays, images, lively, network
from tests.space.every_layer import CLASSES, PICTURE, SAMPLES, SPACE, architecture
from tests.space.swept import sized

from .small import headed, needs_litert, rms, share, spread, tensors_of

pytestmark = needs_litert
STEP = 1 / 255
"""One step of an output, of its whole range: kernels round differently."""


def of_colours(image: tuple[int, int, int], count: int = 32) -> Tensor:
    """Images that differ in their means, so that logits differ too."""
    source = torch.Generator().manual_seed(5)
    return images(count, image, 3) + 3 * torch.randn(count, image[0], 1, 1, generator=source)


def assert_close(model: TfliteModel, module: nn.Module, x: Tensor, most: float) -> None:
    """Near float64 beside what logits of different images differ by; the kernels agree to `most`
    of the largest logit."""
    content, exact = tflite_bytes(model), torch_logits(module, [x])
    by_xnnpack, plain = (
        tflite_logits(content, [x], kernels) for kernels in ("default", "reference")
    )  # type: ignore[arg-type]
    assert rms(plain, exact) < 0.5 * spread(exact)
    assert share(plain, exact) < most
    assert share(by_xnnpack, exact) < most
    assert share(by_xnnpack, plain) < most


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_kind_of_layer_is_close_to_float64(announced, sample: str) -> None:
    announced(SPACES, SPACE)
    drawn, x = architecture(SAMPLES[sample]), of_colours(PICTURE)
    net = Network(drawn, CLASSES, PICTURE)
    lively(net, PICTURE)
    calibrate(net, [x])
    graph = architecture_graph(drawn, Task(classes=CLASSES, image=PICTURE))
    model = quantised(written(graph, arrays(net)), [x])
    assert_close(model, net.eval(), x, 0.03)
    assert_whole_numbers(model)


def assert_whole_numbers(model: TfliteModel) -> None:
    """No float anywhere; operators that keep a scale keep it; a bias has its product's scale."""
    for value in model.values.values():
        assert value.dtype in ("int8", "int32", "uint8"), value.name
    for step in model.operators:
        given, taken = (model.values[name].quantisation for name in (step.inputs[0], step.output))
        assert given is not None and taken is not None
        if step.kind in SAME:
            for name in step.inputs:
                one = model.values[name].quantisation
                assert one is None or (one.scale == taken.scale and one.zero == taken.zero)
        if step.kind == "LOGISTIC":
            assert (taken.scale, taken.zero) == (1 / 256, -128)
        if step.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weight, bias = (model.values[name] for name in step.inputs[1:])
            assert weight.quantisation is not None and bias.quantisation is not None
            assert weight.data is not None and bias.data is not None
            assert weight.data.min() >= -127 and not weight.quantisation.zero.any()
            assert np.abs(bias.data.astype(np.int64)).max() <= LARGEST_BIAS
            np.testing.assert_allclose(
                bias.quantisation.scale, given.scale * weight.quantisation.scale, rtol=1e-6
            )
            if step.kind != "FULLY_CONNECTED":
                channels = weight.data.shape[weight.quantisation.axis]
                assert len(weight.quantisation.scale) == channels == len(bias.data)


def dead(norm: nn.BatchNorm2d) -> None:
    """A channel that gives its bias alone."""
    norm.weight.data[0], norm.bias.data[0] = 1e-12, 100.0


def all_dead(norm: nn.BatchNorm2d) -> None:
    norm.weight.data[:], norm.bias.data[:] = 1e-12, 100.0


def all_cut(norm: nn.BatchNorm2d) -> None:
    """After ReLU nothing is left."""
    norm.bias.data[:] = -1000.0


def large(norm: nn.BatchNorm2d) -> None:
    norm.weight.data[:] = 1e8


@pytest.mark.parametrize("change", [dead, all_dead, all_cut, large])
def test_scales_are_bounded_where_a_bias_would_not_fit(
    change: Callable[[nn.BatchNorm2d], None],
) -> None:
    relu = Layer("relu", 6, 6, (8, 8))
    layers = (*conv_bn(3, 6, (8, 8)), relu, *conv_bn(6, 6, (8, 8)), relu)
    graph, module = headed(layers)
    norm = module[0][1]
    assert isinstance(norm, nn.BatchNorm2d)
    change(norm)
    x = images(8, (3, 8, 8), 3)
    content = tflite_bytes(quantised(written(graph, tensors_of(module, layers)), [x]))
    exact = torch_logits(module, [x])
    for kernels in ("default", "reference"):
        assert share(tflite_logits(content, [x], kernels), exact) < 0.03  # type: ignore[arg-type]


def test_a_file_of_uint8_pixels_takes_them_as_they_are() -> None:
    drawn, image = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3), (3, 16, 16)
    mean, std = (0.1, 0.2, 0.3), (0.2, 0.3, 0.4)
    net = Raw(network(drawn), mean, std).eval()
    source = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (16, *image), dtype=torch.uint8, generator=source)
    pixels = (pixels * torch.rand(16, 3, 1, 1, generator=source)).to(torch.uint8)
    graph = architecture_graph(drawn, Task(classes=10, image=image))
    model = quantised(written(graph, arrays(net.network), (mean, std)), [pixels])
    assert model.values[model.input].dtype == "uint8"
    assert_whole_numbers(model)
    assert_close(model, net, pixels, 0.06)


@pytest.mark.parametrize("numbers", [[3.0], [1 / 6], [1.0, 1.5, 2.25], [0.0], [1.0, 5 / 3]])
def test_constants_are_exact_where_few_digits_can_be(numbers: list[float]) -> None:
    array = np.array(numbers, np.float32)
    how = constant_scale(array)
    np.testing.assert_allclose(how.real(how.stored(array, "int8")), array, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SPACES))
def test_twenty_random_genotypes_of_each_space(name: str) -> None:
    """The kernels agree as well as either does with float64: weights are random, ranges wide."""
    space, rng = SPACES[name], np.random.default_rng(5)
    for number in range(20):
        drawn = sized(to_genotype(space, sample(space, rng)), 4, 3)
        image = (3, 16 + number % 2, 16)
        task = Task(classes=10, image=image)
        net, x = network(drawn, 10, image), of_colours(own_image(drawn, task))
        calibrate(net, [x])
        model = written(architecture_graph(drawn, task), arrays(net.eval()))
        assert_close(quantised(model, [x]), net, x, 0.2)
