"""A candidate's latency without running it: from a device's table, else from its peaks.

Both answer in microseconds per candidate and neither measures; what they say is marked `table` or
`estimated`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from hwnas.costs import sized
from hwnas.costs.counts import Additive
from hwnas.costs.features import FeatureLayout, designs, layout, with_operations
from hwnas.costs.kernels import fixed_kernels, option_kernels
from hwnas.space.build import Key, by_size
from hwnas.space.family import Family
from hwnas.space.graph import Graph
from hwnas.space.space import SPACES, Choices, Space
from profilers.errors import InputError, nearest
from profilers.fit import Fitted
from profilers.roofline import COSTS, Kernel, Peaks, Runtime, device_us, issue_us, together
from profilers.table import Table

Floats = npt.NDArray[np.float64]


class Predictor(Protocol):
    """What the search asks: latencies in ms, where they come from, and a line that says so."""

    @property
    def origin(self) -> Literal["table", "estimated"]:
        """How the numbers were obtained."""

    @property
    def source(self) -> str:
        """What to print beside them."""

    def predict(self, choices: Choices) -> Floats:
        """Latencies in ms of samples, (count, edges) -> (count,)."""


@dataclass(frozen=True, kw_only=True)
class TablePredictor:
    """Latencies from a fitted table."""

    table: Table
    source: str
    origin: Literal["table", "estimated"] = "table"

    def __post_init__(self) -> None:
        """Refuse (InputError) a table whose space or features are not known here."""
        if self.table.space not in SPACES:
            where = f"{self.source}: unknown space {self.table.space!r}"
            raise InputError(f"{where}{nearest(self.table.space, SPACES.names())}")
        sample = np.zeros((1, len(self.space.decisions)), dtype=np.int64)
        try:
            self.predict(sample)
        except (StopIteration, ValueError, IndexError) as error:
            raise InputError(
                f"{self.source}: does not fit the space {self.table.space} ({error})"
            ) from None

    @property
    def space(self) -> Space:
        """The space that the table is about."""
        return SPACES[self.table.space]

    def predict(self, choices: Choices) -> Floats:
        """Latencies in ms of samples, (count, edges) -> (count,)."""
        return self._of(self.table.fitted, np.atleast_2d(choices))

    def interval(self, choices: Choices) -> tuple[Floats, Floats] | None:
        """The ends in ms of the 90 % intervals, (count,) each; None where the table says none."""
        if self.table.doubt is None:
            return None
        choices = np.atleast_2d(choices)
        latency, factor = self.predict(choices), np.exp(self._of(self.table.doubt, choices))
        return latency / factor, latency * factor

    def _of(self, fitted: Fitted, choices: Choices) -> Floats:
        if fitted.form.design == sized.NAME:
            return fitted.predict([sized.design(self._family, choices)])
        cells = {} if self.table.network is None else {"cells": self.table.network.cells}
        known = designs(self.space, choices, only=fitted.form.design, **cells)
        if self._operations is not None:
            known = tuple(with_operations(design, self._operations.of(choices)) for design in known)
        return fitted.predict(known)

    def shares(self, choices: Choices) -> Floats | None:
        """Which part of its latency each decision's block takes, (count, edges) -> (count, edges):
        by the model, or by the operations where they were measured alone; else None."""
        choices, fitted = np.atleast_2d(choices), self.table.fitted
        if fitted.form.design == sized.NAME:
            return sized.shares(self._family, choices, fitted.coefficients, fitted.constant)
        if self._operations is None:
            return None
        alone = self._operations.table[np.arange(choices.shape[1]), choices]
        return np.asarray(alone / self._operations.of(choices)[:, None], dtype=np.float64)

    @cached_property
    def _family(self) -> Family:
        network = self.table.network
        if network is None:
            raise ValueError("it does not say which networks were measured")
        return sized.family_of(self.space, network)

    @cached_property
    def _operations(self) -> Additive | None:
        measured = self.table.operations
        if measured is None:
            return None
        widths = [len(values) for values in measured.edges]
        if widths != [len(decision.operations) for decision in self.space.decisions]:
            raise ValueError("its operations are of another space")
        edges = np.zeros((len(self.space.decisions), self.space.width))
        for row, values in enumerate(measured.edges):
            edges[row, : widths[row]] = values
        return Additive(constant=measured.fixed, table=edges)


@dataclass(frozen=True, kw_only=True)
class LatencyTerms:
    """The networks of one graph: microseconds that the host and the device need, additive over
    decisions."""

    layout: FeatureLayout
    issue: Additive
    device: Additive


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Latencies estimated from a device's peaks; see ``profilers.roofline`` for what that is worth.

    ``parts``: one set of prices for each choice of the decisions about the size, ``rows``.
    """

    rows: tuple[int, ...]
    parts: Mapping[Key, LatencyTerms]
    runtime: Runtime
    source: str
    origin: Literal["table", "estimated"] = "estimated"

    def predict(self, choices: Choices) -> Floats:
        """Latencies in ms of samples, (count, edges) -> (count,)."""
        return by_size(self.rows, self.parts, choices, self._of)

    def _of(self, part: LatencyTerms, choices: Choices) -> Floats:
        # An eager runtime executes what is absent too; a compiler drops what the output does not
        # need.
        eager = self.runtime.startswith("eager")
        runs = np.ones(choices.shape) if eager else part.layout.by_decision(choices, "reached")
        decisions = np.arange(choices.shape[1])
        issue, device = (
            price.constant + (runs * price.table[decisions, choices]).sum(axis=1)
            for price in (part.issue, part.device)
        )
        return np.asarray(together(issue, device, COSTS[self.runtime]) / 1000)


def roofline(of: Family, peaks: Peaks, runtime: Runtime, source: str, batch: int = 1) -> Roofline:
    """The estimate of every network of a family."""
    space = of.space
    parts = {key: _priced(space, graph, peaks, runtime, batch) for key, graph in of.graphs.items()}
    return Roofline(rows=space.size_rows, parts=parts, runtime=runtime, source=source)


def _priced(space: Space, graph: Graph, peaks: Peaks, runtime: Runtime, batch: int) -> LatencyTerms:
    sizes = {node.name: node.size for node in graph}
    issue = np.zeros(space.mask.shape)
    device = np.zeros_like(issue)
    costs = COSTS[runtime]
    for node in graph:
        if node.row is None:
            continue
        for column, option in enumerate(node.options):
            kernels = option_kernels(node, option, sizes[node.inputs[0]], batch, space.none_runs)
            issue[node.row, column] += sum(issue_us(kernel, costs) for kernel in kernels)
            device[node.row, column] += _device_us(kernels, peaks, runtime)
    fixed = fixed_kernels(graph, batch)
    return LatencyTerms(
        layout=layout(graph, space),
        issue=Additive(constant=sum(issue_us(kernel, costs) for kernel in fixed), table=issue),
        device=Additive(constant=_device_us(fixed, peaks, runtime), table=device),
    )


def _device_us(kernels: Iterable[Kernel], peaks: Peaks, runtime: Runtime) -> float:
    return sum(device_us(kernel, peaks, COSTS[runtime]) for kernel in kernels)
