"""From a finished search to files that run: train, export, verify and measure some networks of its
front, timed.

    hwnas search --objective params --out runs/digits
    python -m benchmarks.end_to_end runs/digits --models 4 --out end_to_end.json

Runs the commands that a user would type, each in its own process. ``cpu_s`` is the processors' time
of the commands, which a busy host leaves alone; ``wall_s`` is what a clock on the wall says.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hwnas.runs.directory import open_run
from hwnas.runs.summary import read_front


def command(*words: str) -> tuple[Any, dict[str, float]]:
    """A hwnas command's JSON and what it took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    line = [sys.executable, "-c", "from hwnas.cli import main; main()", *words, "--json"]
    ran = subprocess.run(line, stdout=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return json.loads(ran.stdout), {
        "wall_s": round(time.monotonic() - start, 1),
        "cpu_s": round(cpu, 1),
    }


def spread(run: Path, count: int) -> list[str]:
    """Keys of ``count`` members of the front, from its cheapest to its best."""
    front = read_front(open_run(run)).front
    steps = max(1, count - 1)
    positions = sorted({round(number * (len(front) - 1) / steps) for number in range(count)})
    return [front[position].key for position in positions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    keys = spread(arguments.run, arguments.models)
    epochs = ["--epochs", str(arguments.epochs)] if arguments.epochs else []
    trained, training = command("train", str(arguments.run), *keys, *epochs)
    exported, exporting = command("export", str(arguments.run), *keys)
    result = {
        "host": {"cores": os.cpu_count(), "load": os.getloadavg()},
        "train": training,
        "export": exporting,
        "wall_s": training["wall_s"] + exporting["wall_s"],
        "cpu_s": training["cpu_s"] + exporting["cpu_s"],
        "models": [
            {
                "key": files["key"],
                "epochs": model["epochs"],
                "train_s": model["seconds"],
                "test_accuracy": model["test_accuracy"],
                "onnx_accuracy": files["accuracy"],
                "int8_accuracy": files["int8_accuracy"],
                "params": files["params"],
                "macs": files["macs"],
                "bytes": files["bytes"],
                "latency_ms": {
                    name: [one["value"], one["low"], one["high"]]
                    for name, one in files["latency"].items()
                },
                "parity": files["parity"],
            }
            for model, files in zip(trained, exported, strict=True)
        ],
    }
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
