"""Finalists on a target that is attached: measured, with intervals, and nothing lost where that
fails."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hwnas.catalog import find_device
from hwnas.costs.tables import size_of, tables
from hwnas.measuring import attached as measure
from hwnas.measuring.attached import AttachedTarget, first_table
from hwnas.measuring.bench import Item
from hwnas.measuring.calibration_runs import CalibrationPlan
from hwnas.runs.directory import open_run
from hwnas.runs.measurements import kept_table
from hwnas.search.progress import SearchProgress
from hwnas.search.search import resume, search, summary
from profilers.device import load as load_device
from profilers.measurement import LATENCY, MEMORY, Failure, Measurement, Outcome, Receipt
from tests.measuring.test_calibrate import Fake
from tests.search import tiny

# A search that asks for no runtime finds the tables of what its target measures in by default.
RECEIPT = Receipt(backend="onnxruntime", host="moon", statistic="median")


class Device(Fake):
    """The made-up device of the calibration's tests, with intervals of one percent; it fails
    where it is told."""

    failing: ClassVar[set[int]] = set()
    asked: ClassVar[list[int]] = []

    def latencies(self, items: Sequence[Item]) -> list[Outcome]:
        Device.asked.append(len(items))
        return [self._outcome(row, item) for row, item in enumerate(items)]

    def memories(self, items: Sequence[Item]) -> list[Outcome]:
        return [
            Measurement(
                metric=MEMORY,
                value=14.0,
                low=14.0,
                high=14.0,
                samples=(14.0,),
                origin="measured",
                receipt=RECEIPT,
            )
            for _ in items
        ]

    def _outcome(self, row: int, item: Item) -> Outcome:
        if row in self.failing:
            return Failure(metric=LATENCY, reason="crash", detail="SIGSEGV", receipt=RECEIPT)
        value = self._one(item)
        return Measurement(
            metric=LATENCY,
            value=value,
            low=0.99 * value,
            high=1.01 * value,
            samples=(value,),
            origin="measured",
            receipt=RECEIPT,
        )


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Device]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(Device, "failing", set())
    monkeypatch.setattr(Device, "asked", [])

    def bench_at(place: str, family: Any, *rest: Any, **others: Any) -> Device:
        assert place == "cpu"
        return Device(network=size_of(family))

    monkeypatch.setattr(measure, "bench_at", bench_at)
    # As many networks as the fit needs at least.
    monkeypatch.setattr(
        measure,
        "CalibrationPlan",
        lambda **more: CalibrationPlan(**{**more, "train": 20, "held_out": 5}),
    )
    # A table that is about "this host" even though the made-up device is on the moon.
    monkeypatch.setattr(
        "hwnas.costs.tables.is_about", lambda device, table: table.device == device.name
    )
    return Device


def config(folder: Path, *metrics: str) -> Any:
    images = tiny.images(folder / "tiny.npz")
    return tiny.config(images, target="cpu", objectives=[{"metric": metric} for metric in metrics])


def calibrated(config: Any) -> None:
    """The table that a first search makes, without the search."""
    cpu = load_device(find_device("cpu"))
    target = AttachedTarget(config=config, device=cpu, place="cpu", classes=3, image=(1, 8, 8))
    first_table(target, say=lambda line: None)


def test_finalists_are_measured_and_the_front_is_drawn_with_their_intervals(tmp_path: Path) -> None:
    said: list[str] = []
    run = search(config(tmp_path, "latency", "memory"), tmp_path / "run", say=said.append)
    found = summary(run)
    assert "no latency table of these networks yet" in said[0]
    assert any("measuring" in line and "end to end on cpu" in line for line in said)
    everyone = [*found["front"], *found["dominated"]]
    for member in everyone:
        latency = member["costs"]["latency"]
        assert latency["origin"] == "measured"
        assert latency["low"] < latency["value"] < latency["high"]
        assert latency["predicted"]["origin"] == "table"
        assert latency["predicted"]["value"] == pytest.approx(latency["value"], rel=0.2)
    for loser in found["dominated"]:
        assert any(
            winner["accuracy"]["value"] >= loser["accuracy"]["value"]
            and winner["costs"]["latency"]["high"] <= loser["costs"]["latency"]["low"]
            and winner["costs"]["memory"]["value"] <= loser["costs"]["memory"]["value"]
            for winner in found["front"]
        )
    memory = found["front"][0]["costs"]["memory"]
    assert (memory["origin"], memory["process"]["origin"]) == ("estimated", "measured")
    assert memory["value"] < memory["process"]["value"] == 14.0
    assert found["measured"]["latency"]["receipt"]["host"] == "moon"
    assert Device.asked[-1] == 2 * len(
        everyone
    )  # the uniform genotypes to compare with, too, all in turn
    low, high = found["bounds"]["latency"]
    assert all(low <= member["costs"]["latency"]["value"] <= high for member in everyone)
    lines = gzip.decompress((run.path / "measurements.jsonl.gz").read_bytes()).decode().splitlines()
    kept = [json.loads(line) for line in lines]
    assert {one["key"] for one in kept if one["name"] == "latency"} == {
        one["key"] for one in everyone
    }
    assert all(one["samples"] for one in kept)


def test_a_network_that_fails_costs_itself_only(tmp_path: Path, device: type[Device]) -> None:
    calibrated(config(tmp_path, "latency"))
    device.failing = {0}
    found = summary(search(config(tmp_path, "latency"), tmp_path / "run"))
    (failed,) = found["failed"]
    assert failed["costs"]["latency"]["failure"] == {"reason": "crash", "detail": "SIGSEGV"}
    assert failed["costs"]["latency"]["origin"] == "table"
    assert failed["key"] not in {member["key"] for member in (*found["front"], *found["dominated"])}
    assert found["measured"]["latency"]["failed"] == 1


def test_where_nothing_can_be_measured_the_predictions_stand(
    tmp_path: Path, device: type[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated(config(tmp_path, "latency"))

    def busy(self: Device, items: Sequence[Item]) -> list[Outcome]:
        raise TimeoutError("another measurement holds the host for 600 s")

    monkeypatch.setattr(device, "latencies", busy)
    said: list[str] = []
    found = summary(search(config(tmp_path, "latency"), tmp_path / "run", say=said.append))
    assert found["front"] and not found["failed"]
    assert {member["costs"]["latency"]["origin"] for member in found["front"]} == {"table"}
    assert "another measurement holds the host" in said[-1]


@pytest.mark.slow
def test_a_resumed_search_asks_the_table_that_it_began_with(tmp_path: Path) -> None:
    def interrupt(progress: SearchProgress) -> None:
        raise KeyboardInterrupt

    whole = search(config(tmp_path, "latency"), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(config(tmp_path, "latency"), tmp_path / "stopped", interrupt)
    kept = kept_table(open_run(tmp_path / "stopped"))
    (own,) = tables("cpu")
    assert kept is not None and kept.read_bytes() == own.read_bytes()
    own.write_text("{}")  # a later calibration, say
    resume(tmp_path / "stopped")
    assert (tmp_path / "stopped/trials.jsonl").read_bytes() == whole.trials_path.read_bytes()


def test_counted_costs_need_no_measurement(tmp_path: Path, device: type[Device]) -> None:
    found = summary(search(config(tmp_path, "params"), tmp_path / "run"))
    assert found["measured"] == {} and found["failed"] == [] and device.asked == []
    assert "low" not in found["front"][0]["costs"]["params"]
