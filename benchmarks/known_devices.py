"""Write devices/known-SPACE.json: what others measured, of one named set of 1,000 networks.

    python -m benchmarks.known_devices

The set: numpy default_rng(2024).permutation(rows)[:1000], in the order of the file that was read.
Nothing is scored on it: it is the prior of `hwnas devices calibrate --networks`.
"""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np

from benchmarks.fewshot import PREFIX, device_of, read
from hwnas.costs.known_devices import FORMAT

ROWS, SEED = 1000, 2024
ENERGY = "energy_mj_"
SOURCES = {
    "nasbench201": (
        "nasbench201.csv.gz",
        "GPU and Xeon: HELP, NeurIPS 2021 (MIT); others: HW-NAS-Bench, ICLR 2021 (MIT)",
    ),
    "fbnet": ("fbnet_latency.csv.gz", "HELP, NeurIPS 2021 (MIT)"),
}


def main() -> None:
    for space, (name, source) in SOURCES.items():
        write(space, Path("../shared/data") / name, source)


def named_rows(count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(SEED).permutation(count)[:ROWS])


def write(space: str, path: Path, source: str) -> None:
    data = read(path)
    rows = named_rows(len(data.choices))
    with gzip.open(path, "rt", encoding="utf-8") as file:
        every = list(csv.DictReader(file))
    energy = {name: [every[row][name] for row in rows] for name in every[0] if ENERGY in name}
    content = {
        "format": FORMAT,
        "space": space,
        "source": source,
        "rows": f"numpy default_rng({SEED}).permutation({len(data.choices)})[:{ROWS}], sorted",
        "device": {name.removeprefix(PREFIX): device_of(name) for name in data.latency_ms}
        | {name.removeprefix(ENERGY): device_of(name.removeprefix(ENERGY)) for name in energy},
        "networks": ["".join(map(str, row)) for row in data.choices[rows]],
        "latency_ms": {
            name.removeprefix(PREFIX): [rounded(value) for value in values[rows]]
            for name, values in data.latency_ms.items()
        },
        "energy_mj": {
            name.removeprefix(ENERGY): [rounded(float(one or "nan")) for one in values]
            for name, values in energy.items()
        },
    }
    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}"
        for key, value in content.items()
    )
    out = Path("devices") / f"known-{space}.json"
    out.write_text("{" + lines + "}\n", encoding="utf-8")
    print(f"{out}: {out.stat().st_size / 1e3:.0f} kB")


def rounded(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.4g}")


if __name__ == "__main__":
    main()
