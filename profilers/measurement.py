"""What a profiler hands back: a number with its unit, its interval, its samples and where it came
from.

Everything here is a frozen value that survives JSON unchanged. A number never travels without its
`origin` and its `Receipt`; a measurement that went wrong is a `Failure`, a value too, so that it
costs one trial and never a search.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

Better = Literal["lower", "higher"]
Origin = Literal["counted", "measured", "table", "estimated"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True)
class Metric:
    """A quantity: its name, its unit and which way is better."""

    name: str
    unit: str
    better: Better = "lower"


PARAMS = Metric(name="params", unit="parameters")
MACS = Metric(name="macs", unit="MAC")
FLOPS = Metric(name="flops", unit="FLOP")
LATENCY = Metric(name="latency", unit="ms")
MEMORY = Metric(name="memory", unit="MiB")
ENERGY = Metric(name="energy", unit="mJ")
NOT_MEASURED = "not measured"
METRICS: dict[str, Metric] = {m.name: m for m in (PARAMS, MACS, FLOPS, LATENCY, MEMORY, ENERGY)}


@dataclass(frozen=True)
class Receipt:
    """How a number was obtained, in enough detail to obtain it again.

    `versions` and `settings` are sorted (key, value) pairs; `host` is a fingerprint of the machine
    that measured (or counted); `time` is ISO 8601 in UTC and is given by the caller; `noisy` marks
    a host that was too busy to trust the last digits; `statistic` is the one that `value` is
    (median, p10, min), empty for counts.
    """

    backend: str
    device: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    threads: int | None = None
    batch: int | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    host: str = ""
    time: str = ""
    statistic: str = ""
    noisy: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form; `from_dict` is its inverse."""
        return {
            "backend": self.backend,
            "device": self.device,
            "versions": dict(self.versions),
            "threads": self.threads,
            "batch": self.batch,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "host": self.host,
            "time": self.time,
            "statistic": self.statistic,
            "noisy": self.noisy,
            "settings": dict(self.settings),
            "notes": list(self.notes),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Receipt:
        """Read `to_dict`'s form; absent keys take their defaults, a ValueError names an unknown
        one."""
        unknown = sorted(set(data) - set(Receipt.__dataclass_fields__))
        if unknown:
            raise ValueError(f"receipt: unknown key '{unknown[0]}'")
        return Receipt(
            backend=str(data["backend"]),
            device=str(data.get("device", "")),
            versions=pairs(data.get("versions", {})),
            threads=_optional_int(data.get("threads")),
            batch=_optional_int(data.get("batch")),
            shape=tuple(int(size) for size in data.get("shape", ())),
            dtype=str(data.get("dtype", "")),
            host=str(data.get("host", "")),
            time=str(data.get("time", "")),
            statistic=str(data.get("statistic", "")),
            noisy=bool(data.get("noisy", False)),
            settings=pairs(data.get("settings", {})),
            notes=tuple(str(note) for note in data.get("notes", ())),
        )

    def with_notes(self, *notes: str) -> Receipt:
        """The same receipt with more notes."""
        return replace(self, notes=self.notes + notes)


@dataclass(frozen=True)
class Measurement:
    """One value of one metric with its interval [low, high], in the metric's unit.

    `samples` are all raw samples, in the metric's unit and in order; empty for what was not
    sampled. `series` holds raw series beside them by name (the device's own time, the reference's),
    in the same unit. `origin` says how the value was obtained. `at_least`: a count that leaves
    something out, which the receipt's notes name.
    """

    metric: Metric
    value: float
    low: float
    high: float
    samples: tuple[float, ...] = field(repr=False)
    origin: Origin
    receipt: Receipt
    series: tuple[tuple[str, tuple[float, ...]], ...] = field(default=(), repr=False)
    at_least: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether this is a count of everything, known to the last digit."""
        return self.origin == "counted" and self.low == self.high and not self.at_least

    def __post_init__(self) -> None:
        """Refuse what cannot be a measurement (ValueError)."""
        if not (math.isfinite(self.value) and self.low <= self.value <= self.high):
            raise ValueError(
                f"{self.metric.name}: {self.value} is not inside [{self.low}, {self.high}]"
            )
        if self.origin not in ORIGINS:
            raise ValueError(f"origin '{self.origin}' is none of {', '.join(ORIGINS)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form: name, value, unit, low, high, origin, backend, receipt, better,
        samples."""
        number = int if self.origin == "counted" else float
        return {
            "name": self.metric.name,
            "value": number(self.value),
            "unit": self.metric.unit,
            "low": number(self.low),
            "high": number(self.high),
            "origin": self.origin,
            "backend": self.receipt.backend,
            "receipt": self.receipt.to_dict(),
            "better": self.metric.better,
            "samples": list(self.samples),
            "series": {name: list(values) for name, values in self.series},
            **({"at_least": True} if self.at_least else {}),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Measurement:
        """Read `to_dict`'s form. Raises ValueError (or KeyError) for what is not one."""
        better: Better = "higher" if data.get("better") == "higher" else "lower"
        return Measurement(
            metric=Metric(name=str(data["name"]), unit=str(data["unit"]), better=better),
            value=float(data["value"]),
            low=float(data["low"]),
            high=float(data["high"]),
            samples=tuple(float(sample) for sample in data.get("samples", ())),
            origin=data["origin"],
            receipt=Receipt.from_dict(data["receipt"]),
            series=tuple(
                (str(k), tuple(float(v) for v in vs)) for k, vs in data.get("series", {}).items()
            ),
            at_least=bool(data.get("at_least", False)),
        )


@dataclass(frozen=True)
class Failure:
    """A measurement that gave no number: what was asked, the reason in a word, the details in a
    line."""

    metric: Metric
    reason: str
    detail: str
    receipt: Receipt

    @property
    def went_wrong(self) -> bool:
        """Whether something went wrong; false where there was nothing to measure, or nothing to
        measure it with."""
        return self.reason not in ("not attached", NOT_MEASURED)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form, as a measurement's with null in place of the numbers."""
        return {
            "name": self.metric.name,
            "value": None,
            "unit": self.metric.unit,
            "low": None,
            "high": None,
            "origin": "failed",
            "backend": self.receipt.backend,
            "receipt": self.receipt.to_dict(),
            "better": self.metric.better,
            "failure": {"reason": self.reason, "detail": self.detail},
        }


Outcome = Measurement | Failure


def counted(
    metric: Metric, value: int, receipt: Receipt, fewest: int | None = None, at_least: bool = False
) -> Measurement:
    """A count.

    It is exact unless branches of a model differ (from `fewest` to `value`) or something is left
    out.
    """
    low = float(value if fewest is None else fewest)
    return Measurement(
        metric=metric,
        value=float(value),
        low=low,
        high=float(value),
        samples=(),
        origin="counted",
        receipt=receipt,
        at_least=at_least,
    )


def measurements(outcomes: Iterable[Outcome]) -> list[Measurement]:
    """Only the outcomes that are numbers."""
    return [outcome for outcome in outcomes if isinstance(outcome, Measurement)]


def pairs(mapping: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Sorted (key, value) pairs of strings: a mapping that is hashable and frozen."""
    return tuple(sorted((str(key), str(value)) for key, value in mapping.items()))


def _optional_int(value: object) -> int | None:
    return None if value is None else int(str(value))
