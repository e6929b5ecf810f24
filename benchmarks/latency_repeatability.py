"""Does a profile say the same thing twice, and the same as other tools?

    python benchmarks/latency_repeatability.py repeat     five profiles in a row of each of five 20-cell networks
    python benchmarks/latency_repeatability.py compare    beside torch.utils.benchmark and ONNX Runtime's perf protocol

`repeat` prints max / min - 1 over the repeats for the ranked statistic and, from the same samples,
for what other tools report: the wall clock's median, mean and minimum, and the CPU time's median.
`compare` runs all protocols in turn in one process on one session, so that they meet the same host,
and says whether their intervals overlap.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from hwnas.export.onnx_format import onnx_model
from hwnas.nets.network import Network
from hwnas.space.encoding import derive, to_genotype
from hwnas.space.encoding import sample as draw
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES
from profilers.measurement import Measurement
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.timing import Protocol, sample, timed

IMAGE = (3, 32, 32)
Interval = tuple[float, float, float]


def main() -> None:
    options = parser().parse_args()
    answer = answered(options)
    print(json.dumps(answer) if options.json else "\n".join(report(answer)))


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("question", choices=("repeat", "compare"))
    found.add_argument("--networks", type=int, default=5)
    found.add_argument("--repeats", type=int, default=5)
    found.add_argument(
        "--budget", type=float, default=Protocol().budget_s, help="seconds per profile"
    )
    found.add_argument("--channels", type=int, default=36)
    found.add_argument("--cells", type=int, default=20)
    found.add_argument("--json", action="store_true")
    return found


def asked(question: str) -> dict[str, Any]:
    """The answer to `repeat` or `compare` as `--json` prints it, with the usual options."""
    return answered(parser().parse_args([question]))


def answered(options: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = [write(g, options, Path(folder)) for g in genotypes(options.networks)]
        answer = repeat(files, options) if options.question == "repeat" else compare(files, options)
    return {**answer, "load": [round(value, 2) for value in os.getloadavg()]}


def genotypes(count: int) -> list[Genotype]:
    """The published DARTS cells, then random ones."""
    known = [PUBLISHED[name] for name in ("DARTS_V2", "PDARTS", "PC_DARTS_CIFAR", "TND_CIFAR10")]
    space, rng = SPACES["darts"], np.random.default_rng(0)
    while len(known) < count:
        drawn = draw(space, rng)
        known.append(
            to_genotype(space, drawn)
            if legal(space, drawn)
            else derive(space, rng.random(space.mask.shape))
        )
    return known[:count]


def legal(space: Any, choices: Any) -> bool:
    """Whether a sample keeps two edges per node, as a DARTS cell does."""
    genotype = to_genotype(space, choices)
    return all(len(node) == 2 for cell in (genotype.normal, genotype.reduce) for node in cell)


def write(genotype: Genotype, options: argparse.Namespace, folder: Path) -> Path:
    architecture = Architecture(genotype, channels=options.channels, cells=options.cells)
    torch.manual_seed(0)
    network = Network(architecture, 10, IMAGE)
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    path = folder / f"{genotype.key}.onnx"
    onnx.save(onnx_model(architecture, tensors, tuple("0123456789"), IMAGE), str(path))
    return path


def spread(values: list[float]) -> float:
    return max(values) / min(values) - 1


def repeat(files: list[Path], options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    for file in files:
        values: dict[str, list[float]] = {}
        for _ in range(options.repeats):
            start = time.perf_counter()
            (found,) = measure_latency(
                [file], OnnxOptions(protocol=Protocol(budget_s=options.budget))
            )
            assert isinstance(found, Measurement), found
            own = dict(found.series)["own"]
            for name, value in {
                "ranked": found.value,
                "interval": found.high / found.low - 1,
                "wall median": statistics.median(found.samples),
                "wall mean": statistics.mean(found.samples),
                "wall min": min(found.samples),
                "CPU median": statistics.median(own),
                "CPU min": min(own),
                "runs": len(found.samples),
                "seconds": time.perf_counter() - start,
            }.items():
                values.setdefault(name, []).append(value)
        rows.append({"network": file.stem, **values})
    names = ("ranked", "wall median", "wall mean", "wall min", "CPU median", "CPU min")
    spreads = {name: [spread(row[name]) for row in rows] for name in names}
    return {
        "question": "repeat",
        "rows": rows,
        "spread": spreads,
        "median_spread": {name: statistics.median(spreads[name]) for name in names},
        "seconds_per_profile": statistics.median(
            second for row in rows for second in row["seconds"]
        ),
    }


def compare(files: list[Path], options: argparse.Namespace) -> dict[str, Any]:
    import onnxruntime

    rows = []
    for file in files:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(
            str(file), settings, providers=["CPUExecutionProvider"]
        )
        feeds = {"image": np.random.default_rng(0).standard_normal((1, *IMAGE)).astype(np.float32)}
        found = three_protocols(partial(session.run, None, feeds), options)
        rows.append({"network": file.stem, **found, "ranked_ms": ranked(file, options)})
    return {
        "question": "compare",
        "rows": rows,
        "agree": {name: agreement(rows, name) for name in ("torch", "ort")},
    }


def three_protocols(
    run: Callable[[], object], options: argparse.Namespace
) -> dict[str, list[Interval]]:
    """(value, low, high) in seconds of each protocol, round by round, in turn."""
    from torch.utils.benchmark import Timer

    found: dict[str, list[Interval]] = {"ours": [], "torch": [], "ort": []}
    protocol = Protocol(budget_s=options.budget, min_s=options.budget, statistic="median")
    for _ in range(options.repeats):
        # The wall clock for both, since that is what the others read.
        ours = sample(timed(run, own=time.perf_counter), protocol).summary
        found["ours"].append((ours.value, ours.low, ours.high))
        timer = Timer("run()", globals={"run": run}, num_threads=1)
        theirs = timer.blocked_autorange(min_run_time=options.budget)
        low, high = np.quantile(theirs.times, [0.25, 0.75])
        found["torch"].append((theirs.median, float(low), float(high)))
        found["ort"].append(ort_perf(run, options.budget))
    return found


def ranked(file: Path, options: argparse.Namespace) -> float:
    (found,) = measure_latency([file], OnnxOptions(protocol=Protocol(budget_s=options.budget)))
    assert isinstance(found, Measurement), found
    return found.value


def ort_perf(run: Callable[[], object], seconds: float) -> Interval:
    """onnxruntime_perf_test's protocol: one warm-up run, then runs for a duration; P50 with P25
    and P75."""
    run()
    durations, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        durations.append(time.perf_counter() - before)
    low, middle, high = np.quantile(durations, [0.25, 0.5, 0.75])
    return float(middle), float(low), float(high)


def agreement(rows: list[dict[str, Any]], other: str) -> dict[str, float]:
    """How often our interval overlaps theirs, and the median ratio of the values, round by
    round."""
    pairs = [pair for row in rows for pair in zip(row["ours"], row[other], strict=True)]
    overlap = [max(ours[1], theirs[1]) <= min(ours[2], theirs[2]) for ours, theirs in pairs]
    ratios = [
        statistics.median(
            theirs[0] / ours[0] for ours, theirs in zip(row["ours"], row[other], strict=True)
        )
        for row in rows
    ]
    return {"overlap_share": sum(overlap) / len(overlap), "median_ratio": statistics.median(ratios)}


def report(answer: dict[str, Any]) -> list[str]:
    lines = [f"load {answer['load']}"]
    if answer["question"] == "repeat":
        for index, row in enumerate(answer["rows"]):
            values = " ".join(f"{value:.3f}" for value in row["ranked"])
            parts = ", ".join(
                f"{name} {100 * s[index]:.1f} %" for name, s in answer["spread"].items()
            )
            lines.append(f"{row['network']}: {values} ms | max/min - 1: {parts}")
        medians = ", ".join(
            f"{name} {100 * value:.2f} %" for name, value in answer["median_spread"].items()
        )
        lines.append(
            f"median over the networks: {medians}; {answer['seconds_per_profile']:.1f} s per profile"
        )
        return lines
    for row in answer["rows"]:
        medians = {
            name: 1000 * statistics.median(value[0] for value in row[name])
            for name in ("ours", "torch", "ort")
        }
        lines.append(
            f"{row['network']}: "
            + ", ".join(f"{name} {value:.3f} ms" for name, value in medians.items())
        )
    lines += [f"{name}: {value}" for name, value in answer["agree"].items()]
    return lines


if __name__ == "__main__":
    main()
