"""What tells the energy of a machine: counters of joules, and meters of watts.

- NVML: total energy of a GPU board since the driver was loaded, in mJ (Volta and newer).
- powercap (Intel and AMD RAPL): energy of each CPU package in uJ, which begins again at 0 after
  ``max_energy_range_uj``.
- INA3221 in sysfs: millivolts and milliamperes of a Jetson's rails.
- The Raspberry Pi 5's PMIC: volts and amperes of its rails, as text of `vcgencmd pmic_read_adc`.

A sensor that is absent or that may not be read gives one line with advice, never a number.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """``read`` gives joules since some moment (a counter) or watts (a meter); InputError where it
    can't any more. ``covers``: which part of the machine's energy it sees."""

    name: str
    covers: str
    counts: bool
    read: Callable[[], float]


class NoSensor(InputError):
    """No energy can be read; the message says what to do about it."""


def powercap(root: Path = Path("/sys/class/powercap")) -> Sensor:
    """The sum of all CPU packages. Raises NoSensor."""
    zones = [
        zone
        for zone in sorted(root.glob("intel-rapl:*"))
        if zone.name.count(":") == 1 and _text(zone / "name").startswith("package")
    ]
    if not zones:
        raise NoSensor(
            f"{root}: no RAPL counter of a CPU package; load the kernel module intel_rapl_msr, or"
            " measure on the machine itself: virtual machines have none"
        )
    ranges = [_number(zone / "max_energy_range_uj") for zone in zones]
    before: list[float] = []
    total = [0.0]

    def read() -> float:
        now = [_number(zone / "energy_uj") for zone in zones]
        if before:
            # A package at its limit wraps after minutes at the earliest: once between two reads.
            total[0] += sum(
                (new - old) % (most + 1) for new, old, most in zip(now, before, ranges, strict=True)
            )
        before[:] = now
        return total[0] / 1e6

    read()
    many = f"{len(zones)} CPU packages" if len(zones) > 1 else "the CPU package"
    return Sensor(
        name="powercap",
        covers=f"{many}, without fans, disks and power supply",
        counts=True,
        read=read,
    )


def nvml(index: int = 0, millijoules: Callable[[], int] | None = None) -> Sensor:
    """The board of CUDA device ``index``. ``millijoules``: what asks the driver. Raises
    NoSensor."""
    ask = _nvml_millijoules(index) if millijoules is None else millijoules
    return Sensor(
        name="nvml",
        covers="the GPU board, without the host",
        counts=True,
        read=lambda: ask() / 1e3,
    )


def _nvml_millijoules(index: int) -> Callable[[], int]:
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        raise NoSensor("NVML: there is no NVIDIA driver here (libnvidia-ml.so.1)") from None
    handle, value = ctypes.c_void_p(), ctypes.c_ulonglong()
    if library.nvmlInit_v2() != 0:
        raise NoSensor("NVML: the NVIDIA driver does not answer; does nvidia-smi?")
    if library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) != 0:
        raise NoSensor(f"NVML: there is no GPU {index}; nvidia-smi -L lists those there are")

    def ask() -> int:
        if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value)) != 0:
            raise NoSensor(
                f"NVML: GPU {index} has no energy counter; it takes Volta or newer, and no MIG part"
            )
        return int(value.value)

    ask()
    return ask


def ina3221(root: Path = Path("/sys/bus/i2c/drivers/ina3221")) -> Sensor:
    """The input of a Jetson module, else the sum of its rails. Raises NoSensor."""
    rails: dict[str, tuple[Path, Path]] = {}
    for label in sorted(root.glob("*/hwmon/hwmon*/in*_label")):
        number = label.name.removeprefix("in").removesuffix("_label")
        pair = (label.with_name(f"in{number}_input"), label.with_name(f"curr{number}_input"))
        name = _text(label)
        if all(path.exists() for path in pair) and not name.lower().startswith("sum"):
            rails[name] = pair
    if not rails:
        raise NoSensor(f"{root}: no INA3221 power monitor; Jetson boards have one")
    # The input holds all others: adding them would count energy twice.
    whole = next((name for name in ("VDD_IN", "POM_5V_IN") if name in rails), None)
    asked = {whole: rails[whole]} if whole else rails

    def read() -> float:
        return sum(_number(volt) * _number(ampere) / 1e6 for volt, ampere in asked.values())

    read()
    covers = f"the module's input {whole}" if whole else f"the rails {', '.join(asked)}"
    return Sensor(name="ina3221", covers=covers, counts=False, read=read)


_PMIC = re.compile(r"^\s*(\S+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]\s*$", re.MULTILINE)


def pmic_watts(text: str) -> float:
    """The power of all rails of which `vcgencmd pmic_read_adc` tells volts and amperes. Raises
    NoSensor where there is none."""
    found: dict[str, dict[str, float]] = {}
    for rail, kind, value in _PMIC.findall(text):
        found.setdefault(rail, {})[kind] = float(value)
    whole = [rail for rail in found.values() if len(rail) == 2]
    if not whole:
        raise NoSensor("vcgencmd pmic_read_adc tells no rail's volts and amperes: a Pi 5 does")
    return sum(rail["A"] * rail["V"] for rail in whole)


def pmic(ask: Callable[[], str] | None = None) -> Sensor:
    """The rails of a Raspberry Pi 5. ``ask``: what `vcgencmd pmic_read_adc` prints. Raises
    NoSensor."""
    asking = _vcgencmd if ask is None else ask

    def read() -> float:
        return pmic_watts(asking())

    read()
    covers = "the rails behind the PMIC, without USB devices and the losses before it"
    return Sensor(name="pmic", covers=covers, counts=False, read=read)


def _vcgencmd() -> str:
    command = ["vcgencmd", "pmic_read_adc"]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        raise NoSensor(
            "vcgencmd pmic_read_adc does not answer: it is there on a Raspberry Pi 5; your user"
            " must be in the group video"
        ) from None


def sensors(cuda: bool, index: int = 0) -> Iterator[Sensor | str]:
    """Every sensor of this machine, of CUDA device ``index``, or the line why it can't be read."""
    of_gpu = partial(nvml, index)
    openers: list[Callable[[], Sensor]] = [of_gpu] if cuda else [powercap, ina3221, pmic]
    for opener in openers:
        try:
            yield opener()
        except NoSensor as error:
            yield str(error)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> float:
    try:
        return float(path.read_text(encoding="ascii"))
    except PermissionError:
        raise NoSensor(
            f"{path}: only root may read it; allow it until the next start: sudo chmod a+r {path}"
        ) from None
    except (OSError, ValueError) as error:
        raise NoSensor(f"{path}: cannot be read ({str(error)[:60]})") from None
