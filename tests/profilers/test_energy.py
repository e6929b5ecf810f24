from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from profilers import energy_backend
from profilers.backends import Options, Subject
from profilers.device import load
from profilers.elsewhere import refuse_elsewhere
from profilers.energy import LEAST_S, LEAST_UPDATES, Clock, Energy, measure_energy, window
from profilers.energy_sensors import NoSensor, Sensor, ina3221, nvml, pmic_watts, powercap
from profilers.errors import InputError
from profilers.measurement import Failure, Measurement
from profilers.reference import reference_model

PMIC = """     3V7_WL_SW_A current(0)=0.10000000A
      3V3_SYS_A current(1)=0.50000000A
     3V7_WL_SW_V volt(8)=3.70000000V
       3V3_SYS_V volt(9)=3.30000000V
         EXT5V_V volt(24)=5.15000000V
          BATT_V volt(25)=0.00000000V
"""
"""As a Pi 5 prints it; of the last two rails there are no amperes."""


@dataclass(kw_only=True)
class World:
    """A machine of which time passes only where it is let pass: idle watts, and those of work."""

    idle: float = 5.0
    time: float = 0.0
    joules: float = 0.0

    def passing(self, seconds: float, watts: float) -> None:
        self.time += seconds
        self.joules += seconds * watts

    def work(self, seconds: float, more: float) -> Callable[[], None]:
        return lambda: self.passing(seconds, self.idle + more)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=lambda s: self.passing(s, self.idle))


def counted(world: World) -> Sensor:
    return Sensor(name="pretended", covers="all", counts=True, read=lambda: world.joules)


def test_gross_is_all_energy_of_a_run_and_net_what_is_above_idle() -> None:
    world = World(idle=5.0)
    energy = measure_energy(
        world.work(0.05, 20.0), world.work(0.1, 10.0), counted(world), world.clock
    )
    assert energy.gross_mj == pytest.approx(1e3 * 0.05 * 25)
    assert energy.net_mj == pytest.approx(1e3 * 0.05 * 20)
    assert energy.reference_mj == pytest.approx(1e3 * 0.1 * 15)
    assert energy.idle_watts == pytest.approx(5.0)


def test_a_meter_of_watts_is_integrated() -> None:
    world = World()
    meter = Sensor(name="meter", covers="all", counts=False, read=lambda: 25.0)
    found = window(world.work(0.05, 20.0), meter, world.clock)
    assert found.joules / found.runs == pytest.approx(0.05 * 25, rel=1e-4)


def test_a_window_is_long_enough_and_holds_enough_updates() -> None:
    world = World()
    found = window(world.work(0.001, 1.0), counted(world), world.clock)
    assert found.seconds >= LEAST_S and found.updates >= LEAST_UPDATES
    slow = World()
    stepping = Sensor(
        name="slow", covers="all", counts=True, read=lambda: float(int(slow.time)) * 6.0
    )
    found = window(slow.work(0.1, 1.0), stepping, slow.clock)
    # One update a second: twenty of them take longer than two seconds.
    assert found.seconds == pytest.approx(20.0, abs=0.2)
    assert found.joules / found.runs == pytest.approx(0.6, rel=0.02)


def test_a_counter_that_stands_still_is_refused_and_is_never_zero() -> None:
    world = World()
    still = Sensor(name="still", covers="all", counts=True, read=lambda: 7.0)
    with pytest.raises(NoSensor, match="still: 0 updates in 60 s, at least 20"):
        window(world.work(0.1, 1.0), still, world.clock)


def package(root: Path, number: int, energy_uj: int, most_uj: int = 1_000_000) -> Path:
    zone = root / f"intel-rapl:{number}"
    zone.mkdir(parents=True)
    (zone / "name").write_text(f"package-{number}\n")
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    (zone / "max_energy_range_uj").write_text(f"{most_uj}\n")
    return zone


def test_a_powercap_counter_that_begins_again_goes_on_counting(tmp_path: Path) -> None:
    first, second = package(tmp_path, 0, 900_000), package(tmp_path, 1, 5)
    part = tmp_path / "intel-rapl:0:0"  # cores, which the package counts already
    part.mkdir()
    (part / "name").write_text("core\n")
    sensor = powercap(tmp_path)
    start = sensor.read()
    (first / "energy_uj").write_text("100000\n")
    (second / "energy_uj").write_text("1005\n")
    # 100,001 uJ up to the end of the range and 0, 100,000 after it; 1,000 of the other package.
    assert sensor.read() - start == pytest.approx((200_001 + 1_000) / 1e6)
    assert "2 CPU packages" in sensor.covers


def test_a_missing_right_is_one_line_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = package(tmp_path, 0, 5)
    read = Path.read_text

    def refused(self: Path, *args: str, **keys: str) -> str:
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(self, *args, **keys)

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(NoSensor, match=r"only root may read it.*sudo chmod a\+r") as error:
        powercap(tmp_path)
    assert str(zone / "energy_uj") in str(error.value) and "\n" not in str(error.value)


def test_a_machine_without_a_sensor_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoSensor, match="no RAPL counter"):
        powercap(tmp_path)
    with pytest.raises(NoSensor, match="no INA3221"):
        ina3221(tmp_path)


def test_nvml_counts_millijoules() -> None:
    values = iter((1_500, 4_500))
    sensor = nvml(millijoules=lambda: next(values))
    assert [sensor.read(), sensor.read()] == [1.5, 4.5]
    assert "without the host" in sensor.covers


@pytest.mark.parametrize(("whole", "watts"), [("VDD_IN", 10.0), ("VDD_OTHER", 14.0)])
def test_a_jetson_is_read_at_its_input_or_else_at_all_rails(
    tmp_path: Path, whole: str, watts: float
) -> None:
    folder = tmp_path / "1-0040" / "hwmon" / "hwmon3"
    folder.mkdir(parents=True)
    for number, label, millivolts, milliamperes in (
        (1, whole, 5000, 2000),
        (2, "VDD_CPU_GPU_CV", 4000, 1000),
    ):
        (folder / f"in{number}_label").write_text(label)
        (folder / f"in{number}_input").write_text(str(millivolts))
        (folder / f"curr{number}_input").write_text(str(milliamperes))
    assert ina3221(tmp_path).read() == pytest.approx(watts)


def test_the_pmic_of_a_pi_is_the_sum_of_rails_with_volts_and_amperes() -> None:
    assert pmic_watts(PMIC) == pytest.approx(0.1 * 3.7 + 0.5 * 3.3)
    with pytest.raises(NoSensor, match="a Pi 5 does"):
        pmic_watts('error=1 error_msg="Command not registered"')


CPU = load(Path("devices/cpu.toml"))


def files_of_the_reference(folder: Path) -> Subject:
    path = folder / "reference.onnx"
    path.write_bytes(reference_model())
    return Subject(name="reference", onnx=path)


def test_the_back_end_measures_a_file_in_turn_with_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(idle=5.0)
    sensor = counted(world)

    def pretended(run: Callable[[], object], reference: Callable[[], object], _: Sensor) -> Energy:
        """Both are really run, on a clock and a sensor of ours; the file takes twice as long."""

        def each(real: Callable[[], object], seconds: float) -> Callable[[], None]:
            def once() -> None:
                real()
                world.passing(seconds, 15.0)

            return once

        return measure_energy(each(run, 0.2), each(reference, 0.1), sensor, world.clock)

    monkeypatch.setattr(energy_backend, "measure_energy", pretended)
    monkeypatch.setattr(energy_backend, "sensors", lambda *_: iter(["no RAPL here", sensor]))
    (found,) = energy_backend.energy(files_of_the_reference(tmp_path), CPU, Options(time="now"))
    assert isinstance(found, Measurement)
    assert (found.metric.name, found.metric.unit, found.origin) == ("energy", "mJ", "measured")
    assert found.value == pytest.approx(1e3 * 0.2 * 15)
    notes = " ".join(found.receipt.notes)
    assert "2000 mJ above the machine at rest" in notes and "takes 1500 mJ" in notes
    assert "pretended: all" in notes


def test_the_back_end_without_a_sensor_gives_advice_and_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = files_of_the_reference(tmp_path)
    monkeypatch.setattr(energy_backend, "sensors", lambda *_: iter(["load the module", "no board"]))
    (found,) = energy_backend.energy(subject, CPU, Options(time="now"))
    assert isinstance(found, Failure) and not found.went_wrong
    assert found.detail == "no sensor of energy can be read: load the module; no board"
    (found,) = energy_backend.energy(subject, CPU, Options(place="", time="now"))
    assert isinstance(found, Failure) and "not attached here" in found.detail


def test_energy_is_never_read_here_for_another_machine() -> None:
    elsewhere = Options(run=lambda request, limit_s: ({}, []), time="now")
    with pytest.raises(InputError, match="'energy' measures on this machine only"):
        refuse_elsewhere(["energy"], elsewhere)
