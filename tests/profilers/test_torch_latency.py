from __future__ import annotations

import pytest
import torch
from torch import nn

from profilers.cuda_timing import cuda_sampler
from profilers.measurement import Failure, Measurement
from profilers.memory import cuda_memory
from profilers.timing import Protocol
from profilers.torch_latency import TorchOptions, measure_torch

QUICK = Protocol(budget_s=0.1, min_s=0.02, warmup_s=0.01)
OPTIONS = TorchOptions(protocol=QUICK, store=None)
SHAPE = (2, 3, 16, 16)


def network(width: int = 8) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU())


def test_modules_are_measured_in_the_order_given_with_receipts():
    small, large = measure_torch(
        [network(4), network(256)], SHAPE, OPTIONS, device="cpu", now=lambda: "now"
    )
    assert isinstance(small, Measurement)
    assert isinstance(large, Measurement)
    assert small.value < large.value
    receipt = small.receipt
    assert (receipt.backend, receipt.device, receipt.batch, receipt.time) == (
        "torch",
        "cpu",
        2,
        "now",
    )
    assert dict(receipt.versions)["torch"] == torch.__version__
    assert dict(receipt.settings)["own_time"] == "cpu"


@pytest.mark.parametrize("options", [{"channels_last": True}, {"dtype": "bf16"}])
def test_memory_format_and_type_can_be_chosen(options):
    (found,) = measure_torch(
        [network()], SHAPE, TorchOptions(protocol=QUICK, store=None, **options)
    )
    assert isinstance(found, Measurement)


def test_several_threads_are_timed_by_the_wall_and_put_back():
    before = torch.get_num_threads()
    protocol = Protocol(budget_s=0.05, min_s=0.01, warmup_s=0.0, statistic="median")
    (found,) = measure_torch([nn.ReLU()], (1, 8), TorchOptions(threads=2, protocol=protocol))
    assert isinstance(found, Measurement)
    assert dict(found.receipt.settings)["own_time"] == "wall"
    assert torch.get_num_threads() == before


def test_a_module_that_cannot_run_costs_its_own_measurement():
    bad, good = measure_torch([nn.Conv2d(5, 5, 1), network()], SHAPE, OPTIONS)
    assert isinstance(bad, Failure)
    assert "channels" in bad.detail
    assert isinstance(good, Measurement)


def test_outputs_that_are_not_finite_are_a_failure():
    class Bad(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 0

    (found,) = measure_torch([Bad()], SHAPE, OPTIONS)
    assert isinstance(found, Failure)
    assert found.reason == "not finite"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_cuda_device_the_measurement_fails_and_says_so():
    (latency,) = measure_torch([network()], SHAPE, TorchOptions(place="cuda:0", protocol=QUICK))
    memory = cuda_memory(network(), SHAPE, TorchOptions(place="cuda:0"))
    assert isinstance(latency, Failure)
    assert isinstance(memory, Failure)
    assert "CUDA" in latency.detail


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(
    "options", [{}, {"cuda_graph": True}, {"channels_last": True, "dtype": "fp16"}]
)
def test_on_a_cuda_device_event_time_is_below_wall_time(options):
    (found,) = measure_torch(
        [network()], SHAPE, TorchOptions(place="cuda:0", protocol=QUICK, **options)
    )
    assert isinstance(found, Measurement)
    assert found.value <= float(dict(found.receipt.settings)["wall_median_ms"])
    assert isinstance(cuda_memory(network(), SHAPE, TorchOptions(place="cuda:0")), Measurement)


class FakeDevice:
    """A device whose runs take 2 ms in its queue, with 1 ms of launching on the host."""

    def __init__(self) -> None:
        self.host = 0.0
        self.queue = 0.0
        self.log: list[str] = []

    def event(self):
        device = self

        class Event:
            at = 0.0

            def record(self) -> None:
                device.log.append("event")
                self.at = max(device.queue, device.host)

            def elapsed_time(self, end) -> float:
                return 1000 * (end.at - self.at)

        return Event()

    def run(self) -> None:
        self.log.append("run")
        self.host += 0.001
        self.queue = max(self.queue, self.host) + 0.002

    def synchronize(self) -> None:
        self.log.append("sync")
        self.host = max(self.host, self.queue)


def test_events_stand_around_every_run_and_the_device_is_waited_for_once_per_pass():
    device = FakeDevice()
    durations = cuda_sampler(device.run, device.event, device.synchronize, lambda: device.host)(3)
    assert device.log == ["sync", *["event", "run", "event"] * 3, "sync", *["run", "sync"] * 3]
    # Queued runs take the device's 2 ms; one that is waited for takes launching too.
    assert [d.own for d in durations][1:] == pytest.approx([0.002, 0.002])
    assert [d.wall for d in durations] == pytest.approx([0.003] * 3)


def test_the_cache_is_flushed_outside_of_what_is_timed():
    device = FakeDevice()
    flushes = []
    cuda_sampler(
        device.run, device.event, device.synchronize, lambda: device.host, lambda: flushes.append(1)
    )(2)
    assert len(flushes) == 4
