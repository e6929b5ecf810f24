"""Every cost that can be an objective: its unit, and who says what a network costs before it is
built.

A metric is one value in one table. Another package's metric announces itself by an entry point
`hwnas.metrics`; then it is an objective like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from hwnas.costs.counts import CountTables, count_table
from hwnas.costs.energy import energy_table
from hwnas.costs.memory import memory_table
from hwnas.costs.tables import own_table, predictor
from hwnas.plugins import Announced
from hwnas.space.build import Key, by_size
from hwnas.space.family import Family
from hwnas.space.graph import Graph
from hwnas.space.space import Choices, Space
from profilers.device import Device
from profilers.errors import FaultyPlugin, asking, kind_of
from profilers.table import load

Floats = npt.NDArray[np.float64]
Origin = Literal["counted", "table", "estimated"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which networks are asked about: all of a space at one size, on a device.

    `table`: the latency table to ask, where it is not the device's own. `runtime`: what latencies
    are of, in the words of hwnas.costs.table_runtime; empty for the device's usual one.
    """

    family: Family
    device: Device
    table: Path | None = None
    runtime: str = ""

    @cached_property
    def counts(self) -> CountTables:
        """Parameters and MACs: one table for every metric that asks."""
        return count_table(self.family)

    @property
    def space(self) -> Space:
        """The space of the networks."""
        return self.family.space

    def graphs(self) -> dict[Key, Graph]:
        """The supernet's graph for each way in which the decisions about the size can fall."""
        return self.family.graphs

    def by_size(self, parts: dict[Key, Callable[[Choices], Floats]], choices: Choices) -> Floats:
        """What functions of samples (count, decisions) say, each for the samples of its own
        size."""
        return by_size(self.space.size_rows, parts, choices, lambda part, own: part(own))

    @property
    def words(self) -> str:
        """The networks in words."""
        size, space = self.family.size, self.space
        return f"{space.name} network of {size.cells} {space.parts}, {size.channels} channels"


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What is known of a cost before measuring: samples (count, decisions) -> (count,), and
    where that comes from."""

    of: Callable[[Choices], Floats]
    origin: Origin
    source: str
    table: Path | None = None
    """The file that a latency comes from, where it comes from one."""


@dataclass(frozen=True, kw_only=True)
class CostMetric:
    """A cost by name. `predict` raises InputError where it can't be said for a device."""

    name: str
    unit: str
    predict: Callable[[Asked], Predicted]


def predicted(metric: CostMetric, asked: Asked) -> Predicted:
    """What a metric says of networks, looked at: every cost is a finite number, 0 or more.

    Raises FaultyPlugin, also later, where a cost is asked for.
    """
    plugin = f"metric {metric.name!r} (hwnas.metrics)"
    with asking(plugin, "predict"):
        found: object = metric.predict(asked)
    if not isinstance(found, Predicted) or not callable(found.of):
        raise FaultyPlugin(
            f"{plugin}: predict gave {kind_of(found)}; it must give a"
            " hwnas.costs.metrics.Predicted with a function `of`"
        )
    if found.origin not in get_args(Origin):
        raise FaultyPlugin(
            f"{plugin}: origin {found.origin!r}; it must be one of {', '.join(get_args(Origin))}"
        )
    return replace(found, of=partial(_costs, plugin, found.of))


def _costs(plugin: str, of: Callable[[Choices], Floats], choices: Choices) -> Floats:
    """The costs of samples, (..., decisions) -> (...,)."""
    with asking(plugin, "predict's `of`"):
        found: Any = of(choices)
    shape = choices.shape[:-1]
    good = isinstance(found, np.ndarray | np.floating)
    if not good or found.shape != shape or found.dtype.kind not in "fiu":
        raise FaultyPlugin(
            f"{plugin}: predict's `of` gave {kind_of(found)}; it must give an array of numbers of"
            f" shape {shape}, one for each sample"
        )
    values = np.asarray(found, dtype=np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        wrong = values[~(np.isfinite(values) & (values >= 0))].flat[0]
        raise FaultyPlugin(
            f"{plugin}: predict's `of` gave {wrong:g}; a cost must be a finite number, 0 or more"
        )
    return values


def _params(asked: Asked) -> Predicted:
    return Predicted(of=asked.counts.params.of, origin="counted", source=asked.words)


def _macs(asked: Asked) -> Predicted:
    return Predicted(of=asked.counts.macs.of, origin="counted", source=asked.words)


def _flops(asked: Asked) -> Predicted:
    macs = asked.counts.macs
    words = f"2 x MACs of the {asked.words}"
    return Predicted(of=lambda choices: 2.0 * macs.of(choices), origin="counted", source=words)


def _memory(asked: Asked) -> Predicted:
    words = f"weights and live maps of the {asked.words}"
    return Predicted(of=memory_table(asked.family).of, origin="estimated", source=words)


def _latency(asked: Asked) -> Predicted:
    """Of one image: from a table, else from the device's peaks."""
    table = _table_about(asked, "latency")
    name = None if table is None else str(table)
    found = predictor(asked.device, asked.family, table=name, runtime=asked.runtime)
    if found.origin == "table" and table is None:
        table = own_table(asked.device, asked.family, runtime=asked.runtime)
    return Predicted(of=found.predict, origin=found.origin, source=found.source, table=table)


def _table_about(asked: Asked, metric: str) -> Path | None:
    """The named table where it is about a metric; with two objectives it is about one of them."""
    if asked.table is None or load(asked.table).metric != metric:
        return None
    return asked.table


def _energy(asked: Asked) -> Predicted:
    """Of one image, in mJ: from a table."""
    found, path = energy_table(asked.device, asked.family, _table_about(asked, "energy"))
    return Predicted(of=found.predict, origin="table", source=found.source, table=path)


METRICS: Announced[CostMetric] = Announced("hwnas.metrics", CostMetric)
"""The one table of costs.

A metric of your own is one more entry, or an entry point of an installed package.
"""
for _metric in (
    CostMetric(name="params", unit="parameters", predict=_params),
    CostMetric(name="macs", unit="MAC", predict=_macs),
    CostMetric(name="flops", unit="FLOP", predict=_flops),
    CostMetric(name="latency", unit="ms", predict=_latency),
    CostMetric(name="memory", unit="MiB", predict=_memory),
    CostMetric(name="energy", unit="mJ", predict=_energy),
):
    METRICS[_metric.name] = _metric
