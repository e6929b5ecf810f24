from __future__ import annotations

import sys

import pytest
from torch import nn

from profilers.backends import BACKENDS, Options, Subject, backend, plugins
from profilers.device import Device
from profilers.errors import InputError
from profilers.timing import Protocol
from tests.profilers.onnx_files import saved, small

DEVICE = Device(name="cpu", kind="cpu", description="here")
OPTIONS = Options(protocol=Protocol(budget_s=0.05, min_s=0.01, warmup_s=0.0), time="now")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package of somebody else with two back ends, one of them broken."""
    info = tmp_path / "my_board-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-board\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hwnas.profilers]\nwattmeter = my_board:energy\nbroken = my_board:none\n"
    )
    (tmp_path / "my_board.py").write_text(
        "from profilers.measurement import Measurement, Metric, Receipt\n"
        "ENERGY = Metric(name='energy', unit='mJ')\n"
        "def energy(subject, device, options):\n"
        "    receipt = Receipt(backend='my-board', device=device.name, batch=options.batch)\n"
        "    return [Measurement(metric=ENERGY, value=2.0, low=1.5, high=2.5, samples=(2.0,),\n"
        "                        origin='measured', receipt=receipt)]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_board", None)


def test_another_package_plugs_in_through_an_entry_point(plugin):
    assert set(plugins()) >= {"wattmeter", "broken"}
    (found,) = backend("wattmeter")(Subject(name="x"), DEVICE, OPTIONS)
    assert (found.metric.name, found.value, found.receipt.device) == ("energy", 2.0, "cpu")


def test_a_broken_plug_in_is_named(plugin):
    with pytest.raises(InputError, match=r"back end 'broken' \(my_board:none\): AttributeError"):
        backend("broken")


def test_an_unknown_back_end_is_named_with_the_nearest():
    with pytest.raises(
        InputError, match="unknown back end 'onnx-runtime'; did you mean 'onnxruntime'"
    ):
        backend("onnx-runtime")


def test_the_counting_back_ends_agree_and_say_who_they_are():
    subject = Subject(
        name="x", module=nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), shape=(1, 3, 8, 8)
    )
    ours = {o.metric.name: o.value for o in backend("counts")(subject, DEVICE, OPTIONS)}
    torchs = {o.metric.name: o.value for o in backend("torch-counter")(subject, DEVICE, OPTIONS)}
    thops = {o.metric.name: o for o in backend("thop")(subject, DEVICE, OPTIONS)}
    assert ours == {"params": 4 * 27 + 4 + 8, "macs": 36 * 4 * 27, "flops": 2 * 36 * 4 * 27}
    assert torchs.items() <= ours.items()
    assert thops["macs"].receipt.notes[0].startswith("thop")
    assert "BatchNorm2d" in thops["macs"].receipt.notes[0]


@pytest.mark.parametrize("name", ["torch", "torch-counter", "thop"])
def test_a_back_end_that_needs_a_module_says_so(tmp_path, name):
    with pytest.raises(InputError, match="needs a torch network, not an ONNX file"):
        BACKENDS[name](Subject(name="m", onnx=saved(tmp_path, small())), DEVICE, OPTIONS)


def test_onnx_runtime_measures_a_module_by_exporting_it_once():
    latency, memory = backend("onnxruntime")(
        Subject(name="x", module=nn.Conv2d(3, 4, 3), shape=(1, 3, 8, 8)), DEVICE, OPTIONS
    )
    assert (latency.metric.name, memory.metric.name) == ("latency", "memory")
    assert latency.receipt.device == "cpu"
