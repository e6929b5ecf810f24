"""Every kind of layer in the files that hwnas writes: the same logits, the same counts, and
close to them in INT8."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from torch import Tensor, nn

from hwnas.costs.counts import count
from hwnas.export.int8 import quantised
from hwnas.export.onnx_format import check, onnx_model, written
from hwnas.export.python_format import python_source
from hwnas.export.python_parts import expression, helpers, widths
from hwnas.export.torch_format import program, run_program
from hwnas.export.verify import compare, torch_logits
from hwnas.nets.network import Network
from hwnas.nets.operations import sequence
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.graph import IMAGE, Builder, all_layers
from hwnas.space.layers import ACTIVATIONS, Layer
from hwnas.space.size import Task
from hwnas.training.statistics import calibrate
from profilers.errors import InputError
from profilers.onnx_counts import count_onnx
from profilers.onnx_export import export_onnx
from tests.space.every_layer import CLASSES, PICTURE, SAMPLES, SPACE, architecture
from tests.space.strategies import sliding_layers

from .networks import arrays, images, lively

NAMES = tuple("abcde")
TASK = Task(classes=CLASSES, image=PICTURE)


@pytest.fixture
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
    """Those of the layers, but that a BatchNorm after a convolution is one bias, the
    convolution's own or not."""
    total = sum(layer.params for layer in layers)
    for layer, norm in pairwise(layers):
        if norm.kind == "batch_norm" and layer.kind in ("conv", "factorized_reduce"):
            total -= norm.channels_out * (2 if layer.bias else 1)
    return total


@pytest.mark.parametrize("sample", SAMPLES)
def test_an_onnx_file_holds_the_network_and_is_counted_exactly(
    known, sample: str, x: Tensor, tmp_path: Path
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


@pytest.mark.parametrize(
    "sample", ["inverted_residual max_pool conv", "epsilon same_depthwise linear_relu6"]
)
def test_a_torch_program_is_the_network(known, sample: str, x: Tensor) -> None:
    net = built(sample)[0]
    with torch.inference_mode():
        torch.testing.assert_close(run_program(program(net, x))(x), net(x))


@pytest.mark.parametrize("kind", ["squeeze_excite", *ACTIVATIONS])
def test_the_file_that_a_calibration_measures_has_the_same_operators(
    kind: str, tmp_path: Path
) -> None:
    layer = Layer(kind, 6, 6, (8, 8), hidden=3)  # type: ignore[arg-type]
    build = Builder((6, 8, 8))
    last = build.layers("body.it", IMAGE, [layer])
    build.layers(
        "head.it", last, (Layer("global_pool", 6, 6, (8, 8)), Layer("linear", 6, 2, (1, 1)))
    )
    module, linear = sequence([layer]).eval(), nn.Linear(6, 2)
    tensors = {f"body.it.{name}": one for name, one in arrays(module).items()}
    ours = written(
        build.graph(), tensors | {f"head.it.1.{name}": one for name, one in arrays(linear).items()}
    )
    torchs = onnx.load(str(export_onnx(module, (1, 6, 8, 8), tmp_path / "torch.onnx")))
    found = Counter(node.op_type for node in torchs.graph.node if node.op_type != "Constant")
    expected = Counter(node.op_type for node in ours.graph.node)
    assert found == expected - Counter(["GlobalAveragePool", "Flatten", "Gemm"])


@pytest.mark.parametrize("sample", SAMPLES)
def test_model_py_is_the_network(known, sample: str, x: Tensor) -> None:
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
def test_int8_stays_close_and_is_counted_alike(
    known, sample: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Near float, beside the largest logit and beside what logits of different images differ by."""
    drawn = architecture(SAMPLES[sample])
    net = Network(drawn, CLASSES, PICTURE)
    source = torch.Generator().manual_seed(5)
    x = images(32, PICTURE, 3) + 3 * torch.randn(32, PICTURE[0], 1, 1, generator=source)
    lively(net, PICTURE)
    calibrate(net, [x])
    model = onnx_model(drawn, arrays(net), NAMES, PICTURE)
    file = quantised(model, [x])
    assert onnx.TensorProto.INT8 in {
        tensor.data_type for tensor in onnx.load_from_string(file).graph.initializer
    }
    exact = torch_logits(net.eval(), [x])
    errors = without_kernels(file, x) - exact
    assert errors.abs().max() < 0.03 * exact.abs().max()
    assert errors.square().mean() < 0.5**2 * (exact - exact.mean(0)).square().mean()
    assert not caplog.records
    counts = []
    for number, content in enumerate((model.SerializeToString(), file)):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(content)
        found = count_onnx(path)
        counts.append((found.params, found.macs, found.uncounted, found.uncounted_params))
    assert counts[0] == counts[1]


@settings(max_examples=150, deadline=None)
@given(sliding_layers())
def test_files_hold_convolutions_and_pools_of_any_geometry(layer: Layer) -> None:
    build = Builder((layer.channels_in, *layer.size))
    last = build.layers("body.it", IMAGE, [layer])
    width, size = build.shape(last)
    head = (Layer("global_pool", width, width, size), Layer("linear", width, 3, (1, 1)))
    build.layers("head.it", last, head)
    try:
        graph = build.graph()
    except InputError:
        assume(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(sequence([layer]), sequence(head)).eval()
    tensors = arrays(module)
    renamed = {
        f"{'body' if name[0] == '0' else 'head'}.it.{name[2:]}": one
        for name, one in tensors.items()
    }
    model = written(graph, renamed)
    check(model)
    x = images(3, (layer.channels_in, *layer.size))
    parity = compare(module, model.SerializeToString(), [x])
    assert parity.passed, parity
    names = {width: f"c{number}" for number, width in enumerate(widths([layer]))}
    numbers = {symbol: width for width, symbol in names.items()}
    said = expression(layer, names)
    scope = {"nn": nn, "F": F, "Tensor": Tensor, **numbers}
    for definition in helpers(said):
        exec(definition, scope)
    text: nn.Module = eval(said, scope)
    text.load_state_dict(module[0][0].state_dict())
    with torch.inference_mode():
        if layer.shifts:  # torch adds up in another order where it pads less
            torch.testing.assert_close(text(x), module[0](x), rtol=1e-5, atol=1e-5)
        else:
            assert torch.equal(text(x), module[0](x))
