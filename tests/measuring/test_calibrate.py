from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from hwnas.costs.features import is_constant
from hwnas.costs.latency import TablePredictor
from hwnas.costs.tables import family_of
from hwnas.measuring.bench import BenchOperation, Item, RuntimeBench, TorchBench
from hwnas.measuring.calibrate import calibrate
from hwnas.measuring.calibration_runs import (
    CalibrationPlan,
    least_networks,
    least_seconds,
    measure_operations,
    random_networks,
)
from hwnas.measuring.heartbeat import heartbeat
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.graph import all_layers
from hwnas.space.layers import PRIMITIVES, Layer
from hwnas.space.size import Task
from profilers.errors import InputError
from profilers.measurement import LATENCY, Failure, Measurement, Outcome, Receipt
from profilers.onnx_latency import OnnxOptions
from profilers.table import NetworkSize
from profilers.timing import Protocol
from profilers.torch_latency import TorchOptions
from tests.space.swept import CELLS

NETWORK = NetworkSize(channels=4, cells=3, classes=10, image=(3, 8, 8))
QUICK = Protocol(
    warmup_s=0.0, warmup_runs=2, warmup_limit_s=0.02, min_s=0.0, min_cycles=2, budget_s=0.01
)


def cost(layer: Layer) -> float:
    """A made-up device: 10 us for a layer and 1 ms for a million MACs."""
    return 0.01 + layer.macs / 1e6


@dataclass(kw_only=True)
class Fake:
    """A device that knows what every layer costs, works for a second per item, and fails where
    it is told."""

    network: NetworkSize = NETWORK
    noise: float = 0.0
    seconds: float = 0.0
    fails: bool = False
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def latencies(self, items: Sequence[Item]) -> list[Outcome]:
        self.seconds += len(items)
        receipt = Receipt(backend="fake", host="moon")
        if self.fails:
            return [
                Failure(metric=LATENCY, reason="crash", detail="", receipt=receipt) for _ in items
            ]
        values = [self._one(item) * (1 + self.noise * self.rng.standard_normal()) for item in items]
        return [
            Measurement(
                metric=LATENCY,
                value=value,
                low=value,
                high=value,
                samples=(),
                origin="measured",
                receipt=receipt,
            )
            for value in values
        ]

    def _one(self, item: Item) -> float:
        if isinstance(item, BenchOperation):
            return sum(cost(layer) for layer in item.layers)
        task = Task(classes=self.network.classes, image=self.network.image)
        layers = all_layers(architecture_graph(item, task, unread=True))
        # The runtime fuses a quarter of the work away, which single operations do not show.
        return 0.5 + 0.75 * sum(map(cost, layers))


@pytest.mark.parametrize("name", CELLS)
def test_an_additive_device_is_calibrated_to_its_noise(name: str) -> None:
    plan = CalibrationPlan(family=family_of(SPACES[name], NETWORK), train=30, held_out=20)
    fake = Fake(noise=0.01)
    table = calibrate(plan, fake, "cpu", 1, clock=lambda: 0.0)
    assert table.agreement["held_out"]["networks"] == 20
    assert table.agreement["held_out"]["mape_percent"] < 2.5
    # Two measurements of 1 % each, and the mean of two anchors for either: |N(0, s)|, s^2 = 2 + 2 /
    # 2, in the mean.
    assert table.agreement["repeat"]["mape_percent"] == pytest.approx(1.4, rel=0.6)
    assert table.provenance["receipt"]["host"] == "moon"
    assert table.fitted.coefficients["operations_ms"] == pytest.approx(0.75, rel=0.1)
    one = random_networks(plan.space, 1, np.random.default_rng(5))[0]
    architecture = Architecture(
        to_genotype(plan.space, one), channels=NETWORK.channels, cells=NETWORK.cells
    )
    predicted = TablePredictor(table=table, source="").predict(one)[0]
    assert predicted == pytest.approx(Fake()._one(architecture), rel=0.06)


def test_a_space_of_several_sizes_is_calibrated_on_whole_networks_alone() -> None:
    """Side and widths change what every operation costs: up to thirty times here."""
    space = SPACES["mobile"]
    network = replace(NETWORK, channels=16, cells=space.depth or 0, image=(3, 32, 32))
    plan = CalibrationPlan(family=family_of(space, network), train=80, held_out=30)
    table = calibrate(plan, Fake(network=network, noise=0.01), "cpu", 1, clock=lambda: 0.0)
    assert table.operations is None and not table.measured
    assert table.provenance["set_aside"] == 0
    assert table.agreement["held_out"]["mape_percent"] < 4.0
    one = random_networks(space, 1, np.random.default_rng(5))[0]
    known = replace(table, network=None)
    with pytest.raises(InputError, match="does not say which networks"):
        TablePredictor(table=known, source="mine.json").predict(one)


def test_what_slows_the_host_for_a_while_is_taken_out() -> None:
    """Every second chunk is half as fast again; the anchors say so."""

    @dataclass(kw_only=True)
    class Moody(Fake):
        calls: int = 0

        def latencies(self, items: Sequence[Item]) -> list[Outcome]:
            self.calls += 1
            factor = 1.5 if self.calls % 2 else 1.0
            found = super().latencies(items)
            return [
                replace(o, value=factor * o.value, low=factor * o.low, high=factor * o.high)
                for o in found
            ]  # type: ignore[union-attr]

    table = calibrate(
        CalibrationPlan(family=family_of(SPACES["darts"], NETWORK), train=30, held_out=20),
        Moody(),
        "cpu",
        1,
        clock=lambda: 0.0,
    )
    assert table.agreement["repeat"]["mape_percent"] < 1e-6
    assert table.agreement["held_out"]["mape_percent"] < 1.0
    # Half of the chunks at 1 and half at 1.5 of the anchors' own time: from the middle it is a
    # fifth to each side.
    assert table.provenance["anchor_spread_percent"] == pytest.approx(20.0, abs=6.0)


def test_one_disturbed_network_does_not_spoil_the_table() -> None:
    @dataclass(kw_only=True)
    class Hiccup(Fake):
        calls: int = 0

        def latencies(self, items: Sequence[Item]) -> list[Outcome]:
            self.calls += 1
            found = super().latencies(items)
            if (
                self.calls == 2
            ):  # the first networks, after the operations: the last but the anchors is one to fit
                found[-3] = replace(found[-3], value=1e-3, low=1e-3, high=1e-3)  # type: ignore[arg-type]
            return found

    table = calibrate(
        CalibrationPlan(family=family_of(SPACES["darts"], NETWORK), train=30, held_out=20),
        Hiccup(),
        "cpu",
        1,
        clock=lambda: 0.0,
    )
    assert table.provenance["set_aside"] == 1
    assert table.agreement["held_out"]["mape_percent"] < 1.0


def test_every_operation_is_measured_once_at_each_shape_and_stride() -> None:
    fake = Fake()
    operations, records = measure_operations(
        CalibrationPlan(family=family_of(SPACES["darts"], NETWORK)), fake
    )
    keys = [
        (record["op"], record["channels"], record["stride"], tuple(record["size"]))
        for record in records
    ]
    assert len(set(keys)) == len(keys) == fake.seconds
    # 3 cells: a normal one (4 channels, 8x8) and two reduction cells (8 on 8x8, then 16 on 4x4),
    # whose first edges have stride 2. At stride 1 skip_connect is nothing to measure: 6 + 2 x (6 +
    # 7) operations.
    assert len(keys) == 6 + 2 * (6 + 7)
    expected = sum(cost(layer) for layer in PRIMITIVES["sep_conv_3x3"](4, 1, (8, 8)))
    assert operations.edges[0][4] == pytest.approx(expected)


def test_a_slow_device_gets_fewer_networks_and_ends_in_time() -> None:
    for budget_s, held_out in ((180, 40), (110, 20)):
        fake = Fake()
        plan = CalibrationPlan(
            family=family_of(SPACES["nasbench201"], NETWORK),
            train=100,
            held_out=40,
            budget_s=budget_s,
        )
        table = calibrate(plan, fake, "cpu", 1, clock=lambda fake=fake: fake.seconds)  # type: ignore[misc]
        assert table.agreement["held_out"]["networks"] >= held_out
        assert 20 <= table.agreement["cross_validation"]["networks"] < 100
        assert fake.seconds <= budget_s


def test_random_networks_are_of_both_kinds_and_never_constant() -> None:
    darts = SPACES["darts"]
    drawn = random_networks(darts, 10, np.random.default_rng(0))
    none = darts.ops("normal").index("none")
    assert all(
        (one != none).sum() == 16 for one in drawn[1::2]
    )  # two inputs to each of 2 x 4 nodes
    nb201 = random_networks(SPACES["nasbench201"], 100, np.random.default_rng(0))
    assert not is_constant(SPACES["nasbench201"], np.stack(nb201)).any()


def test_a_device_that_measures_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match="cpu: only 0 networks could be measured"):
        calibrate(
            CalibrationPlan(family=family_of(SPACES["darts"], NETWORK)),
            Fake(fails=True),
            "cpu",
            1,
            clock=lambda: 0.0,
        )


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_a_bench_measures_operations_and_networks_in_the_order_given(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tempfile, "tempdir", str(tmp_path)
    )  # a lock of its own: it waits for nobody
    darts = SPACES["darts"]
    layers = PRIMITIVES["sep_conv_3x3"](4, 1, (8, 8))
    one = random_networks(darts, 1, np.random.default_rng(0))[0]
    items: list[Item] = [
        Architecture(to_genotype(darts, one), channels=4, cells=3),
        BenchOperation(layers=layers, channels=4, size=(8, 8)),
        Architecture(to_genotype(darts, one), channels=4, cells=3),
    ]
    onnx = RuntimeBench(
        family=family_of(darts, NETWORK),
        device="cpu",
        options=OnnxOptions(protocol=QUICK, reference=False),
        batch=2,
    )
    torch = TorchBench(
        family=family_of(darts, NETWORK),
        device="cpu",
        options=TorchOptions(protocol=QUICK, reference=False),
        batch=2,
    )
    outcomes = (onnx if kind == "onnx" else torch).latencies(items)
    values = [outcome.value for outcome in outcomes if isinstance(outcome, Measurement)]
    assert len(values) == 3
    assert values[1] < min(values[0], values[2])
    assert outcomes[0].receipt.batch == 2


@pytest.mark.parametrize(("budget", "is_said"), [(10.0, True), (1000.0, False)])
def test_a_budget_that_can_not_be_kept_is_answered_before_anything_is_measured(
    budget: float, is_said: bool
) -> None:
    of, fake, lines = family_of(SPACES["darts"], NETWORK), Fake(), []
    plan = CalibrationPlan(family=of, train=40, held_out=20, budget_s=budget)
    assert (least_seconds(plan) > budget) == is_said
    calibrate(
        plan,
        fake,
        "moon",
        batch=1,
        say=lambda line: lines.append((fake.seconds, line)),
        clock=lambda: fake.seconds,
    )
    first = [line for seconds, line in lines if seconds == 0.0]
    assert any("the least is about" in line for line in first) == is_said
    if is_said:  # and no more than the least is measured
        operations = next(seconds for seconds, line in lines if "operations measured" in line)
        assert fake.seconds == operations + least_networks(plan)


def test_the_least_of_a_space_of_several_sizes_is_whole_networks_alone() -> None:
    space = SPACES["mobile"]
    network = replace(NETWORK, channels=16, cells=space.depth or 0, image=(3, 32, 32))
    plan = CalibrationPlan(family=family_of(space, network), train=100, held_out=40, budget_s=20.0)
    # 20 to fit, 20 held out, ten of them again, two anchors beside each of five chunks.
    assert least_networks(plan) == 60
    assert least_seconds(plan) == pytest.approx(60 * 0.9)
    lines: list[str] = []
    fake = Fake(network=network)
    calibrate(plan, fake, "moon", 1, say=lines.append, clock=lambda: fake.seconds)
    assert fake.seconds >= 60
    assert lines[0] == (
        "note: the least is about 54 s, more than the budget of 20 s: 60 measurements of whole"
        " networks"
    )


def test_what_says_nothing_is_spoken_for() -> None:
    said: list[str] = []
    with heartbeat(said.append, "measuring", lambda: 12.0, start=2.0, every_s=0.01):
        while not said:
            time.sleep(0.005)
    assert said[0] == "measuring, 10 s"
    count = len(said)
    time.sleep(0.05)
    assert len(said) == count
