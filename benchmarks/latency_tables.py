"""How well do tables and rooflines predict latencies that others measured?

    python -m benchmarks.latency_tables fit [--rows 100] [--draws 5] [--column raspi4_1 ...]
    python -m benchmarks.latency_tables roofline

Both read NAS-Bench-201's measured latencies (`--csv`, by default
../shared/data/nasbench201.csv.gz). `fit` does what `hwnas devices fit` and `predict` do: fit to so
many random rows above 0.2 ms (numpy default_rng(0), (1), ...), predict all others. Networks whose
output does not depend on their image are counted apart: a compiler folds them to almost nothing.
`roofline` sees no latency at all, only devices/*.toml. The calibration of the machine at hand
prints its own evidence: `hwnas devices calibrate --target cpu --space darts`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwnas.catalog import find_device
from hwnas.costs.features import is_constant
from hwnas.costs.latency import TablePredictor, roofline
from hwnas.costs.latency_csv import Measured
from hwnas.costs.latency_fit import fit_measured
from hwnas.costs.tables import BENCHMARK, RUNTIMES, family_of, peaks_of
from hwnas.space import SPACES, Choices
from hwnas.space.encoding import to_choices
from hwnas.space.text import parse
from profilers.agreement import kendall_tau, mape_percent, seven_digits
from profilers.device import load

SPACE = SPACES["nasbench201"]
SMALLEST_MS = 0.2
BARS = {  # MAPE at most, tau at least
    "1080ti_1": (1.85, 0.915),
    "1080ti_32": (2.55, 0.905),
    "1080ti_256": (0.35, 0.985),
    "raspi4_1": (17.0, 0.80),
}
ROOFLINES = {  # column: device, tau at least
    "1080ti_1": ("1080ti", 0.90),
    "1080ti_32": ("1080ti", 0.84),
    "1080ti_256": ("1080ti", 0.70),
    "raspi4_1": ("raspberry-pi-4", None),
    "pixel3_1": ("pixel-3", None),
    "edgegpu_1": ("jetson-tx2", None),
}
Floats = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["fit", "roofline"])
    parser.add_argument("--csv", type=Path, default=Path("../shared/data/nasbench201.csv.gz"))
    parser.add_argument(
        "--column", action="append", help="such as raspi4_1; all of them by default"
    )
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--draws", type=int, default=5)
    given = parser.parse_args()
    rows, choices = read(given.csv)
    columns = given.column or [name[11:] for name in rows[0] if name.startswith("latency_ms_")]
    if given.what == "roofline":
        print("| column | tau | bar | tau of MACs | estimated / measured |\n|---|---|---|---|---|")
        macs = np.array([float(row["cifar10_macs_M"]) for row in rows])
        for column in [name for name in columns if name in ROOFLINES]:
            measured = latencies(rows, column)
            tau, ratio = rated(column, choices, measured)
            kept = measured > SMALLEST_MS
            of_macs, bar = kendall_tau(macs[kept], measured[kept]), ROOFLINES[column][1]
            print(f"| {column} | {tau:.3f} | {bar or ''} | {of_macs:.3f} | {ratio:.2f} |")
        return
    print(f"{given.rows} rows to fit, mean of {given.draws} draws; MAPE in % / Kendall tau")
    print(
        "| column | all others | bar | not constant | constant (rows) | cross-validated | executes | forms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for column in columns:
        print(
            fitted(column, choices, latencies(rows, column), given.rows, given.draws).line(column)
        )


def read(path: Path) -> tuple[list[dict[str, str]], Choices]:
    """The rows of the table and their architectures, (15625, 6)."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return rows, np.stack([to_choices(parse(row["arch_str"])) for row in rows])


def latencies(rows: list[dict[str, str]], column: str) -> Floats:
    """(15625,) in ms, NaN where blank."""
    return np.array([float(row[f"latency_ms_{column}"] or "nan") for row in rows])


@dataclass(frozen=True, kw_only=True)
class Rated:
    """MAPE in % and tau, of all others, those not constant, constant ones, and by
    cross-validation; what was chosen."""

    mean: tuple[float, ...]
    constant: int
    designs: Counter[str]
    forms: Counter[str]

    def line(self, column: str) -> str:
        bar = "" if column not in BARS else "{:.2f} / {:.3f}".format(*BARS[column])
        pairs = [f"{self.mean[i]:.2f} / {self.mean[i + 1]:.3f}" for i in (0, 2, 4, 6)]
        pairs[2] += f" ({self.constant})"
        chosen = f"{said(self.designs)} | {said(self.forms)}"
        return f"| {column} | {pairs[0]} | {bar} | {' | '.join(pairs[1:])} | {chosen} |"


def fitted(column: str, choices: Choices, measured: Floats, rows: int, draws: int) -> Rated:
    """The mean over draws of how well a table, fitted to so many rows, predicts the others."""
    usable = np.flatnonzero(measured > SMALLEST_MS)
    constant = is_constant(SPACE, choices)
    results, designs, forms = [], Counter[str](), Counter[str]()
    for seed in range(draws):
        train = np.random.default_rng(seed).choice(usable, rows, replace=False)
        rest = np.setdiff1d(usable, train)
        given = Measured(
            texts=("",) * rows, choices=choices[train], latency_ms=measured[train], blank=0
        )
        table = fit_measured(SPACE, given, column, None, {})
        predicted = seven_digits(TablePredictor(table=table, source=column).predict(choices[rest]))
        alive = ~constant[rest]
        cross = table.agreement["cross_validation"]
        results.append(
            [
                *agreement(predicted, measured[rest]),
                *agreement(predicted[alive], measured[rest][alive]),
                *agreement(predicted[~alive], measured[rest][~alive]),
                cross["mape_percent"],
                cross["kendall_tau"],
            ]
        )
        form = table.fitted.form
        designs[form.design] += 1
        forms["linear" if form.view == "none" else f"+ process ({form.view})"] += 1
    mean = tuple(float(value) for value in np.mean(results, axis=0))
    return Rated(
        mean=mean, constant=np.count_nonzero(constant[usable]), designs=designs, forms=forms
    )


def rated(column: str, choices: Choices, measured: Floats) -> tuple[float, float]:
    """How the roofline ranks, and the median of estimated / measured."""
    name = ROOFLINES[column][0]
    device = load(find_device(name))
    peaks = peaks_of(device)
    assert peaks is not None
    batch = int(column.split("_")[-1])
    predicted = roofline(
        family_of(SPACE, BENCHMARK), peaks, RUNTIMES[device.kind], name, batch
    ).predict(choices)
    kept = measured > SMALLEST_MS
    tau = kendall_tau(seven_digits(predicted[kept]), measured[kept])
    return tau, float(np.median(predicted[kept] / measured[kept]))


def agreement(predicted: Floats, measured: Floats) -> tuple[float, float]:
    return mape_percent(predicted, measured), kendall_tau(predicted, measured)


def said(counted: Counter[str]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in counted.most_common())


if __name__ == "__main__":
    main()
