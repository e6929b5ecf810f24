"""The same networks in several runtimes: which is fastest where, and how far the runtimes agree.

How well the halves of one runtime's own samples agree is the ceiling: no two runtimes can agree
better than a runtime with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from profilers.agreement import kendall_tau
from profilers.measurement import Measurement, Outcome, Receipt

Floats = npt.NDArray[np.float64]
FEWEST = 3
"""Networks, for a rank correlation."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Latencies in ms of ``networks`` in ``runtimes``, (networks, runtimes); NaN where there is
    none.

    ``low``, ``high``: their intervals. ``halves``: the latencies of both halves of the samples,
    (2, networks, runtimes), at the speed of the reference where it ran.
    """

    networks: tuple[str, ...]
    runtimes: tuple[str, ...]
    latency_ms: Floats
    low: Floats
    high: Floats
    halves: Floats

    def agreement(self) -> Floats:
        """Kendall's tau-b of each pair of runtimes over the networks that both measured, and on the
        diagonal that of a runtime's halves; NaN below three networks."""
        count = len(self.runtimes)
        found = np.full((count, count), np.nan)
        for row in range(count):
            found[row, row] = _tau(self.halves[0, :, row], self.halves[1, :, row])
        for row, column in combinations(range(count), 2):
            tau = _tau(self.latency_ms[:, row], self.latency_ms[:, column])
            found[row, column] = found[column, row] = tau
        return found

    def fastest(self) -> dict[str, str]:
        """Per runtime, the network that is fastest in it."""
        return {
            runtime: self.networks[int(np.nanargmin(self.latency_ms[:, column]))]
            for column, runtime in enumerate(self.runtimes)
            if np.isfinite(self.latency_ms[:, column]).any()
        }

    def reversals(self, first: int, second: int) -> tuple[int, int]:
        """How many pairs of networks are in another order in the second runtime, both orders
        beyond the intervals; and how many pairs there are."""
        known = np.flatnonzero(np.isfinite(self.latency_ms[:, [first, second]]).all(axis=1))
        pairs = list(combinations(known.tolist(), 2))
        turned = sum(
            (self._before(a, b, first) and self._before(b, a, second))
            or (self._before(b, a, first) and self._before(a, b, second))
            for a, b in pairs
        )
        return turned, len(pairs)

    def _before(self, a: int, b: int, runtime: int) -> bool:
        return bool(self.high[a, runtime] < self.low[b, runtime])

    def lines(self) -> list[str]:
        """What it comes to, as sentences: the fastest networks, and orders that change."""
        fastest = self.fastest()
        if len(self.networks) < 2 or len(fastest) < 2:
            return []
        by_network: dict[str, list[str]] = {}
        for runtime, network in fastest.items():
            by_network.setdefault(network, []).append(runtime)
        if len(by_network) == 1:
            text = f"the fastest network is {next(iter(by_network))} in every runtime"
        else:
            places = "; ".join(f"{key} in {', '.join(names)}" for key, names in by_network.items())
            text = f"the fastest network changes with the runtime: {places}"
        found = [text]
        for first, second in combinations(range(len(self.runtimes)), 2):
            turned, pairs = self.reversals(first, second)
            if turned:
                found.append(
                    f"{turned} of {pairs} pairs of networks change their order from"
                    f" {self.runtimes[first]} to {self.runtimes[second]}, beyond their intervals"
                )
        return found


def compared(rows: Sequence[tuple[str, Outcome]]) -> Comparison:
    """The measured latencies among ``rows``, (network, outcome), in the order in which networks
    and runtimes come."""
    cells: dict[tuple[str, str], Measurement] = {}
    for key, outcome in rows:
        measured = isinstance(outcome, Measurement) and outcome.origin == "measured"
        if measured and outcome.metric.name == "latency":
            assert isinstance(outcome, Measurement)
            cells[key, runtime_name(outcome.receipt)] = outcome
    networks = tuple(dict.fromkeys(key for key, _ in cells))
    runtimes = tuple(dict.fromkeys(name for _, name in cells))
    shape = (len(networks), len(runtimes))
    values, low, high = (np.full(shape, np.nan) for _ in range(3))
    halves = np.full((2, *shape), np.nan)
    for (key, name), one in cells.items():
        at = networks.index(key), runtimes.index(name)
        values[at], low[at], high[at] = one.value, one.low, one.high
        halves[0][at], halves[1][at] = _halves(one)
    return Comparison(
        networks=networks, runtimes=runtimes, latency_ms=values, low=low, high=high, halves=halves
    )


def runtime_name(receipt: Receipt) -> str:
    """The runtime, and its precision where that is not float32: "openvino", "ncnn fp16"."""
    plain = receipt.dtype in ("", "fp32", "float32")
    return receipt.backend if plain else f"{receipt.backend} {receipt.dtype}"


def _halves(one: Measurement) -> tuple[float, float]:
    """The latency of the first and of the second half of the samples."""
    series = dict(one.series)
    own = series.get("own") or one.samples
    reference = series.get("reference") or ()
    if len(own) < 2:
        return float("nan"), float("nan")
    found = [float(np.median(part)) for part in _split(own)]
    if len(reference) >= 2:
        found = [
            value / float(np.median(part))
            for value, part in zip(found, _split(reference), strict=True)
        ]
    return found[0], found[1]


def _split(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    middle = len(values) // 2
    return values[:middle], values[middle:]


def _tau(first: Floats, second: Floats) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    return kendall_tau(first[known], second[known]) if known.sum() >= FEWEST else float("nan")
