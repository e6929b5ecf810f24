"""How well do ten measurements place a device that nobody has calibrated?

    python -m benchmarks.fewshot --table F.csv --sources COL,COL --target COL --n 10 --draws 30 \
        [--method ridge] [--json]
    python -m benchmarks.fewshot --table F.csv --every --n 10,20 --draws 30 [--method ridge]

Reads the layouts of nasbench201.csv.gz (`arch_str`) and of fbnet_latency.csv.gz (`op_00` ..
`op_21`). A draw (numpy default_rng([SEED, draw])) is a pool of 1,000 candidates: of them the design
chooses what is measured on the target, and they are all that the known devices are known by. All
other networks are scored. `--every` takes each complete column as the target in turn, all other
complete columns that are not of the same device as sources.

spearman, mape (%): over all scored networks. mape leaves out those that take less than a twentieth
of the median: a compiler has folded them. coverage: the part of scored networks that lie in their
90 % intervals. `--method ridge`: a ridge over the known devices' relative latencies, the counts of
operations and one operation per edge, fitted to the first n of the pool; its intervals are of its
own residuals, and it reads the known devices' latencies of every network.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwnas.costs.likeness import likeness
from hwnas.costs.tables import BENCHMARK, family_of
from hwnas.space import SPACES
from hwnas.space.encoding import to_choices
from hwnas.space.family import Family, family
from hwnas.space.space import Choices
from hwnas.space.text import parse
from profilers.covariance import Part
from profilers.placing import choose, widened
from profilers.posterior import place
from profilers.prior import KnownDevice, learn_prior

POOL = 1000
FOLDED = 0.05
BATCHES = re.compile(r"_(1|2|4|8|16|32|64|128|256|512)$")
PREFIX = "latency_ms_"
RIDGE = 10.0
Floats = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--sources", default="", help="columns, separated by commas; may be none")
    parser.add_argument("--target", help="the column that is new")
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--only", default="", help="with --every: these targets only")
    parser.add_argument("--n", default="10", help="networks measured; 10,20 with --every")
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", choices=["placing", "ridge"], default="placing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    data = read(given.table)
    counts = [int(n) for n in given.n.split(",")]
    if not given.every:
        sources = [column(data, name) for name in given.sources.split(",") if name]
        if given.target is None:
            parser.error("--target COL, or --every")
        (scored,) = score(data, sources, column(data, given.target), given, counts[:1])
        print(json.dumps(scored.as_dict()) if given.json else scored.line(given.target))
        return
    complete = [name for name, values in data.latency_ms.items() if np.isfinite(values).all()]
    found: dict[int, list[Scored]] = {n: [] for n in counts}
    for target in [column(data, name) for name in given.only.split(",") if name] or complete:
        sources = [name for name in complete if device_of(name) != device_of(target)]
        for n, scored in zip(counts, score(data, sources, target, given, counts), strict=True):
            found[n].append(scored)
            print(f"{n:3d} {scored.line(target)}", flush=True)
    for n in counts:
        each = np.array([scored.mean() for scored in found[n]])
        geometric = float(np.exp(np.log(each[:, 0]).mean()))
        print(
            f"{n:3d} mean of {len(each)}: spearman {each[:, 0].mean():.4f} (geometric"
            f" {geometric:.4f}), MAPE {each[:, 1].mean():.1f} %, coverage {each[:, 2].mean():.3f}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """A table: networks (count, decisions) of a family, and latencies (count,) by column, NaN
    where blank."""

    family: Family
    choices: Choices
    latency_ms: dict[str, Floats]
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One figure per draw."""

    spearman: list[float]
    mape: list[float]
    coverage: list[float]

    def mean(self) -> tuple[float, float, float]:
        own = (self.spearman, self.mape, self.coverage)
        spearman, mape, coverage = (float(np.mean(each)) for each in own)
        return spearman, mape, coverage

    def as_dict(self) -> dict[str, object]:
        spearman, mape, coverage = self.mean()
        return {
            "spearman": {"mean": spearman, "each": self.spearman},
            "mape": {"mean": mape, "each": self.mape},
            "coverage": coverage,
        }

    def line(self, name: str) -> str:
        spearman, mape, coverage = self.mean()
        return f"{name:28s} {spearman:.4f}  {mape:6.1f} %  {coverage:.3f}"


def read(path: Path) -> Data:
    """Both layouts, plain or gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if "arch_str" in rows[0]:
        of = family_of(SPACES["nasbench201"], BENCHMARK)
        choices = np.stack([to_choices(parse(row["arch_str"])) for row in rows])
    else:
        of = fbnet()
        choices = np.array(
            [[block(of, at, row[f"op_{at:02d}"]) for at in range(22)] for row in rows]
        )
    latency = {
        name: np.array([float(row[name] or "nan") for row in rows])
        for name in rows[0]
        if name.startswith(PREFIX)
    }
    return Data(family=of, choices=choices, latency_ms=latency, parts=likeness(of, choices))


def fbnet() -> Family:
    return family(SPACES["fbnet"], channels=16, cells=22, classes=1000, image=(3, 224, 224))


def block(of: Family, at: int, name: str) -> int:
    """The column of a block; `skip` where a stage begins is none of ours, and has the last."""
    operations = of.space.decisions[at].operations
    if name == "skip":
        return of.space.width - 1
    return operations.index(name)


def column(data: Data, name: str) -> str:
    """A column as the file names it, with or without `latency_ms_`."""
    full = name if name in data.latency_ms else PREFIX + name
    if full not in data.latency_ms:
        raise SystemExit(f"no column {name!r}; there are {', '.join(data.latency_ms)}")
    return full


def device_of(name: str) -> str:
    """The device of a column: `latency_ms_1080ti_32` and `latency_ms_1080ti_1` are one."""
    bare = name.removeprefix(PREFIX)
    return bare if bare == "essential_ph_1" else BATCHES.sub("", bare)


def score(
    data: Data, sources: list[str], target: str, given: argparse.Namespace, counts: list[int]
) -> list[Scored]:
    """For each count of measured networks, over the same draws."""
    found = [Scored(spearman=[], mape=[], coverage=[]) for _ in counts]
    truth = data.latency_ms[target]
    there = np.flatnonzero(np.isfinite(truth))
    method = ridge if given.method == "ridge" else placing
    for draw in range(given.draws):
        pool = np.random.default_rng([given.seed, draw]).permutation(there)[:POOL]
        predicted = method(data, sources, truth, pool, counts)
        for scored, (measured, latency, low, high) in zip(found, predicted, strict=True):
            rest = np.setdiff1d(there, measured)
            own = truth[rest]
            whole = own > FOLDED * np.median(own)
            off = np.abs(latency[rest] / own - 1)[whole]
            scored.spearman.append(spearman(latency[rest], own))
            scored.mape.append(float(100 * off.mean()))
            scored.coverage.append(float(((low[rest] <= own) & (own <= high[rest])).mean()))
    return found


Predicted = tuple[npt.NDArray[np.int64], Floats, Floats, Floats]
"""Which were measured; latency in ms, low and high of every network."""


def placing(
    data: Data, sources: list[str], truth: Floats, pool: npt.NDArray[np.int64], counts: list[int]
) -> Iterator[Predicted]:
    known = [
        KnownDevice(device=device_of(name), latency_ms=data.latency_ms[name]) for name in sources
    ]
    learned, pretended = learn_prior(data.parts, known, pool)
    every = choose(learned, pool, max(counts))
    for n in counts:
        of = replace(learned, widened=widened(pretended, pool, n))
        placed = place(of, every[:n], truth[every[:n]], np.arange(len(truth)))
        yield every[:n], placed.latency_ms, placed.low_ms, placed.high_ms


def ridge(
    data: Data, sources: list[str], truth: Floats, pool: npt.NDArray[np.int64], counts: list[int]
) -> Iterator[Predicted]:
    width = data.family.space.width
    of_each = np.stack([(data.choices == at).sum(axis=1) for at in range(width)], axis=1)
    edges = np.concatenate([data.choices == at for at in range(width)], axis=1).astype(float)
    known = [data.latency_ms[name] for name in sources]
    known = [np.where(np.isfinite(each), each, np.nanmean(each)) for each in known]
    features = np.column_stack(
        [*map(standard, known), *map(standard, of_each.T), edges - edges.mean(axis=0)]
    )
    for n in counts:
        measured = pool[:n]
        mean, own = truth[measured].mean(), features[measured]
        inverse = np.linalg.inv(own @ own.T + RIDGE * np.eye(n))
        weights = inverse @ (truth[measured] / mean - 1)
        latency = mean * (1 + features @ (own.T @ weights))
        left_out = mean * weights / np.diag(inverse)  # residuals when each is left out
        half = 1.645 * float(np.sqrt(np.mean(left_out**2)))
        yield measured, latency, latency - half, latency + half


def standard(values: npt.ArrayLike) -> Floats:
    own = np.asarray(values, dtype=np.float64)
    return np.asarray((own - own.mean()) / max(float(own.std()), 1e-9))


def spearman(a: Floats, b: Floats) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


if __name__ == "__main__":
    main()
