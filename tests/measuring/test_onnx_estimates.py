"""An ONNX file on a device that is not here is estimated as the network would be that it was
written from, by another way: from the file's nodes in place of the network's layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwnas.costs.kernels import steps_of
from hwnas.costs.latency import roofline
from hwnas.costs.memory import memory_table
from hwnas.costs.tables import family_of as family_of_table
from hwnas.costs.tables import user_folder
from hwnas.measuring import onnx_estimates
from hwnas.measuring.onnx_estimates import UNSCALED, Scale, onnx_latency_estimate, scale_of
from hwnas.measuring.subjects import Named, Shape, build, family_of, resolve
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.encoding import sample, to_choices
from hwnas.space.size import Task
from profilers import device as devices
from profilers.backends import Options
from profilers.fit import Fitted, Form
from profilers.measurement import Failure, Measurement
from profilers.onnx_kernels import onnx_kernels
from profilers.onnx_memory import onnx_memory_bytes
from profilers.roofline import Peaks, latency_ms
from profilers.table import NetworkSize, Table, save

PEAKS = Peaks(gmacs_per_s=24, gb_per_s=12.8)
PI = devices.load(Path("devices/raspberry-pi-4.toml"))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("DARTS_V2", Shape(channels=4, cells=3)),
        ("RESNET8", Shape()),
        ("MOBILENET_V3_SMALL", Shape(image=(3, 64, 64))),
    ],
)
def test_a_file_is_estimated_as_its_network(name: str, shape: Shape, tmp_path: Path) -> None:
    (named,) = resolve(name, shape)
    file = build(named, 1, tmp_path, with_module=False).onnx
    assert file is not None and named.architecture is not None
    found = onnx_kernels(file)
    task = Task(classes=named.shape.classes, image=named.shape.image)
    layers = [
        kernel
        for step in steps_of(architecture_graph(named.architecture, task, named.shape.stem), 1)
        for kernel in step.kernels
    ]
    nodes = [one.kernel for one in found.nodes]
    assert not found.unpriced and not found.is_quantised
    assert sum(kernel.macs for kernel in nodes) == sum(kernel.macs for kernel in layers)
    # The file has the bias of each convolution, and cuts its maps where pixels are left out.
    for runtime in ("graph_cpu", "graph_gpu"):
        assert latency_ms(nodes, PEAKS, runtime) == pytest.approx(
            latency_ms(layers, PEAKS, runtime), rel=0.05
        )
    table = memory_table(family_of(named.architecture, named.shape), 1)
    (mib,) = table.of(to_choices(named.architecture.genotype)[None])
    assert onnx_memory_bytes(file) / 2**20 == pytest.approx(float(mib), rel=0.05)


def small(path: Path, kind: str = "Relu", to: int = TensorProto.FLOAT) -> Path:
    """A file of one node on a map of 2 x 3 x 4 x 5."""
    graph = helper.make_graph(
        [helper.make_node(kind, ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4, 5])],
        [helper.make_tensor_value_info("y", to, None)],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return path


def test_one_node_is_one_pass_over_its_map_and_its_memory_is_reused(tmp_path: Path) -> None:
    file = small(tmp_path / "relu.onnx")
    (one,) = onnx_kernels(file).nodes
    assert (one.kind, one.kernel.kind, one.kernel.reads, one.kernel.writes) == (
        "Relu",
        "elementwise",
        120,
        120,
    )
    assert onnx_memory_bytes(file) == 4 * 120  # the activation writes where it read


def test_what_has_no_known_size_is_named_and_nothing_is_guessed(tmp_path: Path) -> None:
    file = small(tmp_path / "where.onnx", "NonZero", TensorProto.INT64)
    assert onnx_kernels(file).unpriced == ("NonZero",)
    named = Named(key="where", onnx=file)
    found = onnx_latency_estimate(named, PI, Options(place="", time="now"))
    assert isinstance(found, Failure) and "NonZero" in found.detail


def test_a_table_of_the_device_scales_the_roofline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Named(key="relu", onnx=small(tmp_path / "relu.onnx"))
    options = Options(place="", time="now")
    plain = onnx_latency_estimate(named, PI, options)
    assert isinstance(plain, Measurement) and plain.origin == "estimated"
    assert (plain.low, plain.high) == (plain.value / 5, plain.value * 5)
    scale = Scale(factor=3.0, low=2.0, high=4.0, words="times 3")
    monkeypatch.setattr(onnx_estimates, "scale_of", lambda *_: scale)
    scaled = onnx_latency_estimate(named, PI, options)
    assert isinstance(scaled, Measurement)
    assert np.allclose((scaled.low, scaled.value, scaled.high), np.array([2, 3, 4]) * plain.value)
    assert any("times 3" in note for note in scaled.receipt.notes)


def test_the_scale_is_what_the_networks_of_a_table_are_off_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert scale_of(PI, PEAKS, batch=1) == UNSCALED
    user_folder().mkdir(parents=True)
    size = NetworkSize(channels=8, cells=3, classes=10, image=(3, 16, 16))
    of_seven_ms = Fitted(
        form=Form(design="eager", loss="squares", ridge=0.1, nodes=False),
        constant=7.0,
        coefficients={},
        smallest=0.1,
    )
    table = Table(
        device=PI.name,
        space="darts",
        batch=1,
        network=size,
        fitted=of_seven_ms,
        agreement={},
        provenance={},
    )
    save(table, user_folder() / f"{PI.name}.darts.json")
    found = scale_of(PI, PEAKS, batch=1)
    assert found.low < found.factor < found.high
    assert scale_of(PI, PEAKS, batch=2) == UNSCALED
    of, rng = family_of_table(SPACES["darts"], size), np.random.default_rng(9)
    others = np.stack([sample(of.space, rng, of.space.mask) for _ in range(200)])
    ratios = 7 / roofline(of, PEAKS, "graph_cpu", "").predict(others)
    assert found.factor == pytest.approx(float(np.median(ratios)), rel=0.1)
    inside = (found.low <= ratios) & (ratios <= found.high)
    assert 0.8 < inside.mean() < 1
