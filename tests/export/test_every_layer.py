"""Every kind of layer in the files that hwnas writes: the same logits, the same counts, and close to them in INT8."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from hwnas.costs.counts import count
from hwnas.export.int8 import quantised
from hwnas.export.onnx_format import check, onnx_model
from hwnas.export.python_format import python_source
from hwnas.export.verify import compare, torch_logits
from hwnas.nets.network import Network
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.graph import all_layers
from hwnas.space.layers import Layer
from hwnas.space.size import Task
from hwnas.training.statistics import calibrate
from profilers.onnx_counts import count_onnx
from tests.space.every_layer import CLASSES, PICTURE, SAMPLES, SPACE, architecture

from .networks import arrays, images, lively

NAMES = tuple("abcde")
TASK = Task(classes=CLASSES, image=PICTURE)


@pytest.fixture(autouse=True)
def known(announced) -> None:
    announced(SPACES, SPACE)


def built(sample: str) -> tuple[Network, onnx.ModelProto]:
    drawn = architecture(SAMPLES[sample])
    net = lively(Network(drawn, CLASSES, PICTURE), PICTURE)
    assert isinstance(net, Network)
    return net, onnx_model(drawn, arrays(net), NAMES, PICTURE)


@pytest.fixture
def x() -> Tensor:
    """Values beyond both ends of the activations' middle pieces."""
    return 3 * images(16, PICTURE, 3)


def params_in_a_file(layers: list[Layer]) -> int:
    """Those of the layers, but that a BatchNorm after a convolution is one bias, the convolution's own or not."""
    total = sum(layer.params for layer in layers)
    for layer, norm in pairwise(layers):
        if norm.kind == "batch_norm" and layer.kind in ("conv", "halve"):
            total -= norm.channels_out * (2 if layer.bias else 1)
    return total


@pytest.mark.parametrize("sample", SAMPLES)
def test_an_onnx_file_holds_the_network_and_is_counted_exactly(
    sample: str, x: Tensor, tmp_path: Path
) -> None:
    net, model = built(sample)
    check(model)
    parity = compare(net, model.SerializeToString(), [x])
    assert parity.passed, parity
    path = tmp_path / "model.onnx"
    onnx.save_model(model, str(path))
    found = count_onnx(path)
    drawn = architecture(SAMPLES[sample])
    assert (found.uncounted, found.uncounted_params) == ((), ())
    assert found.macs == found.fewest_macs == count(drawn, CLASSES, PICTURE)[1]
    graph = architecture_graph(drawn, TASK)
    assert found.params == sum(params_in_a_file(all_layers([node])) for node in graph)


@pytest.mark.parametrize("sample", SAMPLES)
def test_model_py_is_the_network(sample: str, x: Tensor) -> None:
    net = built(sample)[0]
    module = ModuleType("model")
    source = python_source(architecture(SAMPLES[sample]), NAMES, PICTURE)
    exec(compile(source, "model.py", "exec"), module.__dict__)
    rebuilt: torch.nn.Module = module.Network()
    rebuilt.load_state_dict(net.state_dict())
    with torch.inference_mode():
        expected, found = net(x), rebuilt.eval()(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def without_kernels(model: bytes, x: Tensor) -> Tensor:
    """What the file says, in float: fused kernels of uint8 and int8 saturate on some processors."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    ready = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(ready.run(None, {"image": x.numpy()})[0])


@pytest.mark.parametrize("sample", SAMPLES)
def test_int8_stays_close(sample: str, caplog: pytest.LogCaptureFixture) -> None:
    """Near float, beside the largest logit and beside what logits of different images differ by."""
    drawn = architecture(SAMPLES[sample])
    net = Network(drawn, CLASSES, PICTURE)
    source = torch.Generator().manual_seed(5)
    x = images(32, PICTURE, 3) + 3 * torch.randn(32, PICTURE[0], 1, 1, generator=source)
    lively(net, PICTURE)
    calibrate(net, [x])
    file = quantised(onnx_model(drawn, arrays(net), NAMES, PICTURE), [x])
    assert onnx.TensorProto.INT8 in {
        tensor.data_type for tensor in onnx.load_from_string(file).graph.initializer
    }
    exact = torch_logits(net.eval(), [x])
    errors = without_kernels(file, x) - exact
    assert errors.abs().max() < 0.03 * exact.abs().max()
    assert errors.square().mean() < 0.5**2 * (exact - exact.mean(0)).square().mean()
    assert not caplog.records
