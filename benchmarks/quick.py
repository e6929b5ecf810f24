"""A small form of the evidence within a quarter of an hour: exit code 1 where a figure falls under
its floor.

    python -m benchmarks.quick                  everything (make evidence-quick)
    python -m benchmarks.quick tabular step     some of it

Each part runs a benchmark's own command in a process of one thread, reads its figures and holds
them against floors. The floors are well under what docs/evidence/ reports: a busy host must not
miss them, a broken part must. Times are processor times or ratios of them. What needs data that is
not beside the checkout is left out, and said so. The full bars are those of the benchmarks
themselves; `nasbench201` here shows that its parts still work, a supernet that was trained for
seconds ranks nothing by itself. Not here, for want of a form that is small enough: hypergradients
(their laws are in the test suite), fronts after training from scratch, kills, measured latencies.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 600  # the most that one part may take
DATA = ROOT / "../shared/data"
TABLE, IMAGES = DATA / "nasbench201.csv.gz", DATA / "cifar10_jpeg.npz"
PAIRS = (
    ("cifar100_valid_acc_200ep", "latency_ms_1080ti_1"),
    ("cifar10_test_acc_200ep", "cifar10_params_M"),
)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number and the floor that it must not fall under; a ceiling where `most`."""

    name: str
    value: float
    floor: float
    most: bool = False

    @property
    def met(self) -> bool:
        """Whether it holds; what is not a number does not."""
        return self.value <= self.floor if self.most else self.value >= self.floor

    def line(self) -> str:
        """For people."""
        word = "at most" if self.most else "at least"
        return f"{'ok' if self.met else 'MISSED':7}{self.name}: {self.value:.4g} ({word} {self.floor:g})"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One benchmark in its small form: the words of its command, the files it needs, and what is
    read off."""

    command: tuple[str, ...]
    needs: tuple[Path, ...]
    read: Callable[[str], list[Figure]]


def tabular(pair: int) -> Part:
    """Three seeds of the tabular self-test: near the exact front, and ahead of chance."""
    accuracy, cost = PAIRS[pair]
    words = (
        "--table",
        str(TABLE),
        "--accuracy",
        accuracy,
        "--cost",
        cost,
        "--seeds",
        "3",
        "--json",
    )
    return Part(
        command=("-m", "benchmarks.tabular", *words, "--methods", "hwnas,nsga2,random"),
        needs=(TABLE,),
        read=_read_tabular,
    )


def _read_tabular(text: str) -> list[Figure]:
    result = json.loads(text)
    means = {
        name: dict(zip(result["budgets"], m["mean"], strict=True))
        for name, m in result["methods"].items()
    }
    ours, chance, peer = means["hwnas"], means["random"], means["nsga2"]
    return [
        Figure(name="share of the exact front after 200 evaluations", value=ours[200], floor=0.94),
        Figure(name="after 1,000", value=ours[1000], floor=0.99),
        Figure(name="ahead of random search after 200", value=ours[200] - chance[200], floor=0.005),
        Figure(name="NSGA-II after 1,000", value=peer[1000], floor=0.985),
    ]


def _read_single(text: str) -> list[Figure]:
    return [
        Figure(
            name=f"{row['form']} REINFORCE, {column} in %", value=row[column]["mean"], floor=floor
        )
        for row in json.loads(text)["single"]
        for column, floor in (("cifar10_test_acc_200ep", 93.0), ("cifar100_test_acc_200ep", 69.5))
    ]


def _read_step(text: str) -> list[Figure]:
    faster = json.loads(text)["times_faster"]
    return [
        Figure(
            name="a sampled step over a plain mixture step",
            value=faster["sampled over plain"]["median"],
            floor=10.0,
        ),
        Figure(
            name="our mixture step over a plain one",
            value=faster["mixture over plain"]["median"],
            floor=1.8,
        ),
        Figure(
            name="a sampled step over our mixture step",
            value=faster["sampled over mixture"]["median"],
            floor=4.0,
        ),
    ]


def _read_policies(text: str) -> list[Figure]:
    return [
        Figure(
            name="an epoch of eight policies over one of one",
            value=json.loads(text)["ratio_median"],
            floor=1.5,
            most=True,
        )
    ]


def _read_latency(text: str) -> list[Figure]:
    return [
        Figure(name=one["name"], value=one["value"], floor=one["bar"], most=one["at_most"])
        for one in json.loads(text)
    ]


def _read_nasbench201(text: str) -> list[Figure]:
    row = json.loads(text)
    return [
        Figure(name="cells handed back", value=len(row["cells"]["params"]), floor=5),
        Figure(
            name="their share of the exact front (params)", value=row["share"]["params"], floor=0.85
        ),
        Figure(name="rank correlations followed", value=len(row["tau"]), floor=2),
    ]


def _read_fuzz(text: str) -> list[Figure]:
    return [
        Figure(
            name="inputs not dealt with",
            value=json.JSONDecoder().raw_decode(text)[0]["failures"],
            floor=0,
            most=True,
        )
    ]


LATENCY = (
    "-m",
    "benchmarks.latency",
    "roofline",
    "--json",
)  # the others time something, or take minutes
SUPERNET = ("-m", "benchmarks.nasbench201", str(DATA), "--size", "quick")
PARTS: dict[str, Part] = {
    "tabular-1080ti": tabular(0),
    "tabular-params": tabular(1),
    "single": Part(
        command=(
            "-m",
            "benchmarks.tabular",
            "--table",
            str(TABLE),
            "--single",
            "--seeds",
            "5",
            "--json",
        ),
        needs=(TABLE,),
        read=_read_single,
    ),
    "latency": Part(command=LATENCY, needs=(TABLE,), read=_read_latency),
    "fuzz": Part(command=("-m", "benchmarks.fuzz", "--inputs", "2000"), needs=(), read=_read_fuzz),
    "policies": Part(
        command=("-m", "benchmarks.policies_cost", "--epochs", "3"), needs=(), read=_read_policies
    ),
    "nasbench201": Part(command=SUPERNET, needs=(TABLE, IMAGES), read=_read_nasbench201),
    "step": Part(
        command=(
            "-m",
            "benchmarks.step",
            "--rounds",
            "2",
            "--repeat",
            "4",
            "--clock",
            "cpu",
            "--no-memory",
        ),
        needs=(),
        read=_read_step,
    ),
}


def held(name: str, part: Part) -> list[Figure] | None:
    """Run one part and read its figures; None where its data is absent.

    A part that fails misses.
    """
    if not all(path.is_file() for path in part.needs):
        return None
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *part.command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return [Figure(name=f"{name} (no end after {SECONDS} s)", value=float("nan"), floor=0.0)]
    try:
        return part.read(done.stdout)
    except (ValueError, KeyError, TypeError, IndexError):
        print((done.stderr or done.stdout)[-2000:], file=sys.stderr)
        return [Figure(name=f"{name} (exit code {done.returncode})", value=float("nan"), floor=0.0)]


def main() -> int:
    """Run from the command line; the exit code is 1 where a figure fell under its floor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", help=f"beginnings of {', '.join(PARTS)}; all by default"
    )
    wanted = tuple(parser.parse_args().parts)
    chosen: dict[str, Any] = {
        name: one for name, one in PARTS.items() if not wanted or name.startswith(wanted)
    }
    missed = 0 if chosen else 1
    for name, part in chosen.items():
        began = time.monotonic()
        figures = held(name, part)
        print(f"{name} ({time.monotonic() - began:.0f} s)")
        lines = ["left out: its data is not beside this checkout"] if figures is None else []
        lines += [figure.line() for figure in figures or ()]
        missed += sum(not figure.met for figure in figures or ())
        print("\n".join(f"  {line}" for line in lines), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
