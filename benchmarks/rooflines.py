"""How far estimates from data sheets are from what others measured.

    python -m benchmarks.rooflines

Every published latency column (devices/known-*.json) of a device whose peaks are known: measured
over estimated, the median of 1,000 networks and the ends of nine in ten of them, and the rank
correlation.
"""

from __future__ import annotations

import numpy as np

from benchmarks.fewshot import fbnet, spearman
from hwnas.catalog import find_device
from hwnas.costs.known_devices import known_devices
from hwnas.costs.latency import roofline
from hwnas.costs.tables import BENCHMARK, RUNTIMES, family_of, peaks_of
from hwnas.space.family import Family
from hwnas.space.space import SPACES
from profilers import device as devices
from profilers.errors import InputError


def main() -> None:
    families: dict[str, Family] = {
        "nasbench201": family_of(SPACES["nasbench201"], BENCHMARK),
        "fbnet": fbnet(),
    }
    print("| networks | column | measured / estimated, median | 5 % | 95 % | Spearman |")
    print("|---|---|---|---|---|---|")
    for space, of in families.items():
        known = known_devices(SPACES[space])
        assert known is not None
        for column, measured in known.latency_ms.items():
            try:
                device = devices.load(find_device(known.device[column]))
            except InputError:
                continue
            peaks = peaks_of(device)
            if peaks is None:
                continue
            end = column.removeprefix(known.device[column]).lstrip("_")
            estimated = roofline(
                of, peaks, RUNTIMES[device.kind], "", int(end) if end else 1
            ).predict(known.choices)
            there = np.isfinite(measured)
            ratio = measured[there] / estimated[there]
            low, middle, high = np.percentile(ratio, [5, 50, 95])
            rho = spearman(measured[there], estimated[there])
            print(f"| {space} | {column} | {middle:.2f} | {low:.2f} | {high:.2f} | {rho:.3f} |")


if __name__ == "__main__":
    main()
