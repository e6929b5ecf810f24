"""Every operation of a space apart, for a short time each, and what they add up to in a network.

An operation that is measured alone takes longer than the same one in a network: the runtime starts
and changes the layout of the map before and after it. So each stands behind a 1x1 convolution here,
and what that convolution takes by itself is taken off. What is left adds up to a network's latency
within one or two percent where the runtime runs one operation after the other; alone, ten
(docs/evidence/fewshot.md). Networks measured as a whole tell the rest (profilers.posterior).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwnas.costs.features import Execution, layout
from hwnas.measuring.bench import Bench, BenchOperation
from hwnas.measuring.calibration_runs import operation_sites
from hwnas.space.family import Family
from hwnas.space.layers import Layer, Size
from hwnas.space.space import Choices, Space
from profilers.covariance import Array, Rows
from profilers.measurement import Measurement
from profilers.prior import Apart, apart
from profilers.table import Operations
from profilers.timing import Protocol

SHORT = Protocol(min_s=0.1, budget_s=0.2, patience=2.0)
"""Enough for one percent: an operation takes microseconds."""
TOGETHER = 40
"""Operations that one process loads."""
_LEAST_MS = 1e-4
"""Of an operation that seems to take no time at all: its convolution took as long without it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OperationsApart:
    """What each operation adds to a network, ``added_ms`` (decisions, operations) in ms, summed
    over the places where it stands; ``measured``: how many distinct ones. ``execution``: what a
    network of them runs."""

    added_ms: Array
    measured: int
    execution: Execution

    def sums(self, choices: Choices) -> Array:
        """What all operations of networks (n, decisions) take together, in ms, (n,), those that
        nothing reads too: as a table adds them up."""
        return np.asarray(self.added_ms[np.arange(choices.shape[1]), choices].sum(axis=1))

    def of_table(self, space: Space) -> Operations:
        """The same as a table keeps it."""
        edges = tuple(
            tuple(float(value) for value in self.added_ms[row, : len(decision.operations)])
            for row, decision in enumerate(space.decisions)
        )
        return Operations(fixed=0.0, edges=edges)

    def prior(self, of: Family, choices: Choices, seen: Rows) -> Apart:
        """What they say of networks (n, decisions); ``seen``: those whose median counts as
        usual."""
        (graph,) = of.graphs.values()
        known = layout(graph, of.space)
        runs = known.by_decision(choices, self.execution)
        sums = (runs * self.added_ms[np.arange(choices.shape[1]), choices]).sum(axis=1)
        fed = known.by_decision(choices, "live")
        amounts = (
            np.ones(len(choices)),  # the stem and the head
            known.states(choices, self.execution),
            # What reads a map of zeros: it comes in a layout of its own.
            np.maximum(runs - fed, 0.0).sum(axis=1),
        )
        return apart(sums, amounts, seen)


def measure_apart(of: Family, bench: Bench, execution: Execution) -> OperationsApart | None:
    """Every operation at each shape and stride once; None where one can't be measured, or where
    the space has several sizes: an operation then has as many latencies."""
    sites = {} if of.space.size_rows else operation_sites(of)
    if not sites:
        return None
    behind = {_shape(layers): _lead_in(*_shape(layers)) for _, layers in sites}
    items = [*behind.values(), *(behind[_shape(layers)] + layers for _, layers in sites)]
    found: list[float] = []
    for first in range(0, len(items), TOGETHER):
        outcomes = bench.latencies([_item(one) for one in items[first : first + TOGETHER]])
        found += [one.value for one in outcomes if isinstance(one, Measurement)]
    if len(found) < len(items):
        return None
    before = dict(zip(behind, found, strict=False))
    added = np.zeros(of.space.mask.shape)
    for ((_, layers), places), whole in zip(sites.items(), found[len(behind) :], strict=True):
        for place in places:
            added[place] += max(whole - before[_shape(layers)], _LEAST_MS)
    return OperationsApart(added_ms=added, measured=len(sites), execution=execution)


def _shape(layers: tuple[Layer, ...]) -> tuple[int, Size]:
    return layers[0].channels_in, layers[0].size


def _lead_in(channels: int, size: Size) -> tuple[Layer, ...]:
    """What an operation stands behind: a 1x1 convolution that keeps the map's shape."""
    return tuple(Layer(kind, channels, channels, size) for kind in ("conv", "batch_norm", "relu"))


def _item(layers: tuple[Layer, ...]) -> BenchOperation:
    return BenchOperation(layers=layers, channels=layers[0].channels_in, size=layers[0].size)
