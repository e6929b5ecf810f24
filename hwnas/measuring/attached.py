"""Finalists measured end to end on a target that is attached, and a first table for one that has
none.

The search itself asks a table or an estimate; what it hands back is run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hwnas.config import Config
from hwnas.costs.counts import count_table
from hwnas.costs.table_runtime import runtime_words
from hwnas.costs.tables import default_path, own_table, peaks_of
from hwnas.measuring.bench import Bench, bench_at
from hwnas.measuring.calibrate import calibrate
from hwnas.measuring.calibration_runs import CalibrationPlan
from hwnas.space.encoding import to_genotype
from hwnas.space.family import Family
from hwnas.space.genotype import Architecture
from hwnas.space.size import Task
from hwnas.space.space import SPACES, Choices
from profilers.device import Device
from profilers.measurement import LATENCY, MEMORY, Failure, Metric, Outcome, Receipt
from profilers.onnx_latency import utc_now
from profilers.table import save
from profilers.timing import Protocol

Say = Callable[[str], None]

BUDGET_S = 60.0
"""Sampling time for all networks of a search together, in the device's own time..."""
SHARE_S = (0.3, 0.75)
"""... of which each gets at least and at most so much."""


TOGETHER_MIB = 256.0
"""Weights that one measuring process loads: its networks are sampled in turn, the reference
beside all of them."""
FIRST_S = 150.0
"""Seconds for the table of a target that has none, if the host is not busy; `hwnas devices
calibrate` takes more."""


def sampling_s(count: int) -> float:
    """Seconds that each of so many networks is sampled for, in the device's own time."""
    return min(SHARE_S[1], max(SHARE_S[0], BUDGET_S / max(1, count)))


@dataclass(frozen=True, kw_only=True)
class AttachedTarget:
    """A target that is attached, and the networks that are to be measured on it: their size,
    classes and images."""

    config: Config
    device: Device
    place: str
    classes: int
    image: tuple[int, int, int]

    @property
    def family(self) -> Family:
        """The networks that are handed back."""
        return self.config.evaluation_family(Task(classes=self.classes, image=self.image))

    @property
    def runtime(self) -> str:
        """What its latencies are of; see hwnas.costs.table_runtime."""
        return runtime_words(self.config.backend, self.config.precision)

    def latencies(self, choices: Choices) -> list[Outcome]:
        """The latency of each network, (count, edges), in the order given; sampled in turn."""
        return self.latencies_of(self._architectures(choices), self._together(choices))

    def latencies_of(self, architectures: Sequence[Architecture], size: int) -> list[Outcome]:
        """The same of any networks for these images; ``size``: how many one process loads."""
        share = sampling_s(len(architectures))
        protocol = Protocol(budget_s=share, min_s=share / 2)
        bench = self._bench(protocol)
        # A process is given up after the sum of its networks' times: as long as they may take, and
        # loading.
        found = list[Outcome]()
        for first in range(0, len(architectures), size):
            part = list(architectures[first : first + size])
            found += _tried(bench.latencies, part, LATENCY)
        return found

    def memories(self, choices: Choices) -> list[Outcome]:
        """What a process needs beyond itself to load and run each network, or torch's allocator
        on CUDA."""
        bench = self._bench(Protocol())
        return _tried(bench.memories, self._architectures(choices), MEMORY)

    def _bench(self, protocol: Protocol) -> Bench:
        limit_s = 10.0 + protocol.patience * protocol.budget_s
        graph = self.config.cuda_graph
        return bench_at(
            self.place,
            self.family,
            self.device,
            protocol,
            backend=self.config.backend,
            precision=self.config.precision,
            limit_s=limit_s,
            cuda_graph=graph,
        )

    def _architectures(self, choices: Choices) -> list[Architecture]:
        at, space = self.config.evaluation, SPACES[self.config.space]
        return [
            Architecture(to_genotype(space, one), channels=at.channels, cells=at.cells)
            for one in choices
        ]

    def _together(self, choices: Choices) -> int:
        counts = count_table(self.family)
        largest_mib = float(counts.params.of(choices).max()) * 4 / 2**20
        return max(4, int(TOGETHER_MIB / max(largest_mib, 1e-3)))


def _tried(
    measure: Callable[[list[Architecture]], list[Outcome]],
    items: list[Architecture],
    metric: Metric,
) -> list[Outcome]:
    """What was measured, or a failure of each where the host gave no turn: a search is not lost
    for that."""
    try:
        return measure(items)
    except TimeoutError as error:
        return [
            Failure(metric=metric, reason="timeout", detail=str(error), receipt=Receipt(backend=""))
            for _ in items
        ]


def lacks_table(attached_target: AttachedTarget) -> bool:
    """Whether the search by latency has nothing to ask about this target, neither a table nor
    peaks."""
    config = attached_target.config
    if all(objective.metric != "latency" for objective in config.objectives) or peaks_of(
        attached_target.device
    ):
        return False
    # A table is of networks with the CIFAR stem; for others the search says so itself.
    return (
        config.evaluation.stem == "cifar"
        and own_table(
            attached_target.device, attached_target.family, runtime=attached_target.runtime
        )
        is None
    )


def first_table(
    attached_target: AttachedTarget, say: Say, clock: Callable[[], float] = time.monotonic
) -> None:
    """Measure a small table of a target that has none, and keep it where the next search finds
    it."""
    path = default_path(
        attached_target.device.name, attached_target.family, runtime=attached_target.runtime
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    say(
        f"{attached_target.device.name}: no latency table of these networks yet: measuring one, one"
        f" to three minutes, kept as {path.stem}"
    )
    protocol = Protocol(budget_s=0.35, min_s=0.15, patience=2.0)
    config = attached_target.config
    bench = bench_at(
        attached_target.place,
        attached_target.family,
        attached_target.device,
        protocol,
        backend=config.backend,
        precision=config.precision,
        cuda_graph=config.cuda_graph,
    )
    plan = CalibrationPlan(family=attached_target.family, train=60, held_out=20, budget_s=FIRST_S)
    table = calibrate(
        plan, bench, attached_target.device.name, 1, say=say, now=utc_now(), clock=clock
    )
    save(table, path)
    held, repeat = table.agreement["held_out"], table.agreement["repeat"]
    say(
        f"{path.stem}: {table.provenance['how']} in {table.provenance['seconds']:.0f} s; on"
        f" {held['networks']} others MAPE {held['mape_percent']:.1f} %, Kendall tau"
        f" {held['kendall_tau']:.2f} (measured twice: {repeat['mape_percent']:.1f} %,"
        f" {repeat['kendall_tau']:.2f})"
    )
