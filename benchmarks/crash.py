"""Kill searches and trainings with SIGKILL at random times: does what they end with depend on it?

    OMP_NUM_THREADS=1 python -m benchmarks.crash --kills 50 --out benchmarks/results/crash.jsonl

Per subject (four search algorithms, and training from scratch) one process runs undisturbed. Then
others run the same, each killed at a moment drawn evenly from the undisturbed duration since its
start, and are called again until they end; a moment that comes too late kills nothing and is drawn
again for the next one. What must be equal, byte for byte: trials.jsonl, history.jsonl, the front
but for its seconds, and every array of the last checkpoint; for training the weights. Searches
write checkpoints in the middle of epochs too, every 0.6 s.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas import config as configs
from hwnas.config import resolve

SEARCH: dict[str, Any] = {
    "space": "darts",
    "objectives": [{"metric": "params"}],
    "channels": 4,
    "stages": [
        {"cells": 3, "epochs": 3, "frozen_epochs": 1, "skip_dropout": 0.3},
        {"cells": 3, "epochs": 3},
    ],
    "evaluation": {"channels": 4, "cells": 3},
    "finalists_per_policy": 2,
    "checkpoint_minutes": 0.01,
    "data": {"source": "digits"},
}
ALGORITHMS: dict[str, dict[str, Any]] = {
    "tndnas": {},
    "random": {},
    "nsga2": {},
    "ndarts": {
        "objectives": [],
        "space": "nasbench201",
        "stages": [{"cells": 3, "epochs": 2}],
        "evaluation": {"channels": 4, "cells": 3},
    },
}
SUBJECTS = (*ALGORITHMS, "training")
HWNAS = [sys.executable, "-m", "hwnas"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is run: the commands that begin and go on, and the digest of what they end with."""

    begin: list[str]
    go_on: list[str]
    place: Path

    def ended(self) -> str:
        """One digest of all that must not depend on how often the process died."""
        if (self.place / "front.json").exists() and not (self.place / "models").exists():
            return _search_digest(self.place)
        total = hashlib.sha256()
        for path in sorted(self.place.rglob("*weights.safetensors")):
            total.update(path.relative_to(self.place).as_posix().encode() + path.read_bytes())
        return total.hexdigest()


def _search_digest(run: Path) -> str:
    from hwnas.runs.checkpoint import load_checkpoint
    from hwnas.runs.directory import open_run

    front = json.loads((run / "front.json").read_text())
    front.pop("seconds")
    total = hashlib.sha256(json.dumps(front, sort_keys=True).encode())
    for name in ("trials.jsonl", "history.jsonl"):
        total.update((run / name).read_bytes())
    found = load_checkpoint(open_run(run))
    assert found is not None
    for name, array in sorted(found[0].items()):
        total.update(name.encode() + array.tobytes())
    return total.hexdigest()


def subject(name: str, folder: Path, searched: Path | None) -> Subject:
    """A fresh one in ``folder``; training goes on from a copy of the finished search
    ``searched``."""
    place = folder / "run"
    if name == "training":
        assert searched is not None
        subprocess.run(["cp", "-r", str(searched), str(place)], check=True)
        command = [*HWNAS, "train", str(place), "--knee", "--epochs", "3", "--quiet", "--json"]
        return Subject(begin=command, go_on=command, place=place)
    settings = {**SEARCH, **ALGORITHMS[name], "algorithm": name, "seed": 1}
    file = folder / "search.toml"
    file.write_bytes(configs.dump(resolve(settings)))
    begin = [*HWNAS, "search", "--config", str(file), "--out", str(place), "--quiet", "--json"]
    return Subject(
        begin=begin, go_on=[*HWNAS, "resume", str(place), "--quiet", "--json"], place=place
    )


def call(command: list[str], kill_after_s: float | None) -> tuple[bool, float]:
    """Run a command, killed after some seconds where that is said: (whether it was killed,
    seconds)."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, error = process.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True, time.monotonic() - began
    if process.returncode:
        raise SystemExit(
            f"{' '.join(command)}: exit code {process.returncode}\n{error.decode()[-2000:]}"
        )
    return False, time.monotonic() - began


def disturbed(one: Subject, duration_s: float, draw: random.Random, most: int) -> int:
    """Run to the end, killed at random moments at most ``most`` times; returns how many kills
    there were."""
    kills = 0
    while True:
        command = one.go_on if (one.place / "config.toml").exists() else one.begin
        killed, _ = call(command, draw.uniform(0, duration_s) if kills < most else None)
        if not killed:
            return kills
        kills += 1


def measure(name: str, kills: int, seed: int, searched: Path | None, home: Path) -> dict[str, Any]:
    """Kill one subject ``kills`` times in all, over as many runs as it takes."""
    draw = random.Random(f"{name} {seed}")
    whole = subject(name, _folder(home, name, 0), searched)
    _, duration_s = call(whole.begin, None)
    expected, done, runs, equal = whole.ended(), 0, 0, 0
    while done < kills:
        runs += 1
        one = subject(name, _folder(home, name, runs), searched)
        done += disturbed(one, duration_s, draw, min(4, kills - done))
        equal += one.ended() == expected
    return {
        "subject": name,
        "kills": done,
        "runs": runs,
        "equal_runs": equal,
        "seconds": round(duration_s, 1),
    }


def _folder(home: Path, name: str, number: int) -> Path:
    folder = home / f"{name}-{number}"
    folder.mkdir()
    return folder


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="in all, shared out evenly")
    parser.add_argument("--subjects", default=",".join(SUBJECTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    options = parser.parse_args()
    names = options.subjects.split(",")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        searched = home / "tndnas-0" / "run"
        if "training" in names and "tndnas" not in names:
            call(subject("tndnas", _folder(home, "tndnas", 0), None).begin, None)
        for number, name in enumerate(names):
            share = options.kills // len(names) + (number < options.kills % len(names))
            row = measure(name, share, options.seed, searched, home)
            failed += row["runs"] - row["equal_runs"]
            print(json.dumps(row), flush=True)
            if options.out:
                with open(options.out, "a") as file:
                    file.write(json.dumps(row) + "\n")
    if failed:
        raise SystemExit(f"{failed} runs ended differently")


if __name__ == "__main__":
    main()
