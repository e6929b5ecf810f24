"""Every bar of the profilers in one command: what is asked for, what came out, and exit code 1
where one is missed.

    python -m benchmarks.latency                            all of them: 25 minutes or so on two quiet cores
    python -m benchmarks.latency fit roofline predict       those that measure nothing: two minutes
    python -m benchmarks.latency repeat compare calibrate   those of the machine at hand

A thin frame around benchmarks.latency_tables, benchmarks.latency_repeatability and `hwnas devices
calibrate`, which print more. The load average stands beside each figure: on a busy host the last
three may miss.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hwnas.space.family import family

DATA = Path("../shared/data/nasbench201.csv.gz")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: at most or at least so much, and the figure."""

    name: str
    value: float
    bar: float
    at_most: bool
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure passes. One that is not a number does not."""
        return self.value <= self.bar if self.at_most else self.value >= self.bar

    def line(self) -> str:
        """For people."""
        word = "at most" if self.at_most else "at least"
        verdict = "met" if self.met else "MISSED"
        return (
            f"{verdict:<7}{self.name}: {self.value:.4g}{self.unit} ({word} {self.bar:g}{self.unit})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", nargs="*", help=f"of {', '.join(QUESTIONS)}; all by default")
    parser.add_argument(
        "--csv", type=Path, default=DATA, help="measured latencies of NAS-Bench-201"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for question in given.questions:
        if question not in QUESTIONS:
            parser.error(f"{question}: not one of {', '.join(QUESTIONS)}")
    found: list[dict[str, object]] = []
    missed = 0
    for question in given.questions or QUESTIONS:
        start, load = time.perf_counter(), os.getloadavg()[0]
        bars = QUESTIONS[question](given.csv)
        missed += sum(not bar.met for bar in bars)
        seconds = time.perf_counter() - start
        found += [
            {"question": question, "load": round(load, 2), **asdict(bar), "met": bar.met}
            for bar in bars
        ]
        if not given.json:
            print(f"{question} (load {load:.1f}, {seconds:.0f} s)")
            print("\n".join(f"  {bar.line()}" for bar in bars), flush=True)
    if given.json:
        print(json.dumps(found))
    sys.exit(1 if missed else 0)


def fit(path: Path) -> list[Bar]:
    """Tables fitted to 100 networks that others measured; all the others predicted, mean of five
    draws."""
    from benchmarks.latency_tables import BARS, fitted, latencies, read

    rows, choices = read(path)
    bars = []
    for column, (mape, tau) in BARS.items():
        found = fitted(column, choices, latencies(rows, column), 100, 5).mean
        bars += [
            Bar(name=f"{column} MAPE", value=found[0], bar=mape, at_most=True, unit=" %"),
            Bar(name=f"{column} tau", value=found[1], bar=tau, at_most=False),
        ]
    return bars


def roofline(path: Path) -> list[Bar]:
    """Ranks by data sheet alone."""
    from benchmarks.latency_tables import ROOFLINES, latencies, rated, read

    rows, choices = read(path)
    return [
        Bar(
            name=f"{column} tau",
            value=rated(column, choices, latencies(rows, column))[0],
            bar=bar,
            at_most=False,
        )
        for column, (_, bar) in ROOFLINES.items()
        if bar is not None
    ]


def predict(path: Path) -> list[Bar]:
    """`hwnas devices fit` and `predict` on all 15,625 networks, their start included."""
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        table, out, some = (Path(folder) / name for name in ("table.json", "out.csv", "some.csv"))
        with (
            gzip.open(path, "rt", encoding="utf-8") as file,
            open(some, "w", encoding="utf-8") as short,
        ):
            rows = [(row["arch_str"], row["latency_ms_1080ti_1"]) for row in csv.DictReader(file)]
            writer = csv.writer(short)
            writer.writerow(("arch", "latency"))
            writer.writerows(
                rows[number] for number in np.random.default_rng(0).choice(len(rows), 100, False)
            )
        hwnas = [sys.executable, "-c", "from hwnas.cli import main; main()", "devices"]
        subprocess.run([*hwnas, "fit", "--csv", some, "--device", "1080ti", "--out", table, "--json"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        start = time.perf_counter()
        words = [
            "predict",
            table,
            "--csv",
            path,
            "--arch-column",
            "arch_str",
            "--out",
            out,
            "--json",
        ]
        subprocess.run([*hwnas, *words], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        written = len(out.read_text(encoding="utf-8").splitlines()) - 1
    return [
        Bar(name=f"{written:,} predictions", value=seconds, bar=10.0, at_most=True, unit=" s"),
        Bar(name="rows", value=written, bar=15625, at_most=False),
    ]


def repeat(path: Path) -> list[Bar]:
    """Five profiles in a row of each of five 20-cell networks."""
    from benchmarks.latency_repeatability import asked

    found = asked("repeat")
    return [
        Bar(
            name="ranked max / min - 1, median",
            value=100 * found["median_spread"]["ranked"],
            bar=3.0,
            at_most=True,
            unit=" %",
        )
    ]


def compare(path: Path) -> list[Bar]:
    """Beside torch.utils.benchmark and ONNX Runtime's own protocol: intervals that overlap,
    round by round."""
    from benchmarks.latency_repeatability import asked

    bars = []
    for name, agreement in asked("compare")["agree"].items():
        off = 100 * abs(agreement["median_ratio"] - 1)
        bars.append(
            Bar(
                name=f"{name}: intervals that overlap",
                value=agreement["overlap_share"],
                bar=0.5,
                at_most=False,
            )
        )
        bars.append(Bar(name=f"{name}: medians apart", value=off, bar=5.0, at_most=True, unit=" %"))
    return bars


def calibrate(path: Path) -> list[Bar]:
    """`hwnas devices calibrate --target cpu --space darts`, judged on networks that it never
    saw."""
    from hwnas.catalog import find_device
    from hwnas.cli.devices_bench import make_bench
    from hwnas.measuring.calibrate import calibrate as measured
    from hwnas.measuring.calibration_runs import USUAL, CalibrationPlan
    from hwnas.space import SPACES
    from profilers.device import load

    of = family(SPACES["darts"], channels=16, cells=8, classes=10, image=(3, 32, 32))
    bench = make_bench(
        load(find_device("cpu")), of, batch=1, threads=1, backend=None, ssh=None, run_with=None
    )(USUAL)
    start = time.perf_counter()
    plan = CalibrationPlan(family=of, train=100, held_out=40)
    table = measured(plan, bench, "cpu", 1, lambda line: print(line, file=sys.stderr))
    seconds = time.perf_counter() - start
    held, again = table.agreement["held_out"], table.agreement["repeat"]
    under = again["kendall_tau"] - held["kendall_tau"]
    return [
        Bar(name="held-out networks", value=held["networks"], bar=40, at_most=False),
        Bar(name="MAPE", value=held["mape_percent"], bar=5.0, at_most=True, unit=" %"),
        Bar(
            name=f"tau {held['kendall_tau']:.3f}, under that of measuring twice",
            value=under,
            bar=0.05,
            at_most=True,
        ),
        Bar(name="seconds", value=seconds, bar=300.0, at_most=True, unit=" s"),
    ]


QUESTIONS: dict[str, Callable[[Path], list[Bar]]] = {
    "fit": fit,
    "roofline": roofline,
    "predict": predict,
    "repeat": repeat,
    "compare": compare,
    "calibrate": calibrate,
}

if __name__ == "__main__":
    main()
