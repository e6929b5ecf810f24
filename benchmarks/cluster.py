"""Many tasks on three nodes of Ray on this host: a node is killed, a driver is killed, devices are
shared.

    python -m benchmarks.cluster                  all three, a JSON row each; exit code 1 where a law is broken
    python -m benchmarks.cluster train sweep      some of them

Needs the extra ray. Each node has one logical CPU, so on fewer cores it takes longer and shows the
same.

train   six networks of a run with `hwnas train --all --ray`; once all three nodes have a checkpoint one is killed.
        The weights must be, to the bit, those of one process that trains all in turn, and each in
        the results once.
farm    `hwnas profile RUN --targets a,b --ray`: two hosts for the first device, one of them for the second too.
        Tasks note when they began and ended: never two at once on a device, yet some at once on
        different ones.
sweep   `hwnas sweep FILE --ray`, six searches; its process is killed (SIGKILL) once one has ended and another has a
        checkpoint. Then the same command again: finished runs untouched byte for byte, trials as in
        one process.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from hwnas.runs.measurements import read_profile
from tests.cluster.nodes import begin, nodes, until
from tests.runs.made import finished_run
from tests.search.tiny import images

TRAIN = ["--all", "--channels", "4,6", "--epochs", "4", "--batch", "128", "--json"]
SWEEP = """
objectives = [{ metric = "params" }]
exponents = [0.0, -0.4]
channels = 2
stages = [{ cells = 3, epochs = 6 }]
finalists_per_policy = 2
checkpoint_minutes = 0.005
data.source = "set.npz"
evaluation = { channels = 4, cells = 3 }
weight_step.batch_size = 16
alpha_step = { samples = 2, every = 2, images = 16 }

[sweep]
seed = [0, 1, 2]
space = ["darts", "tnd"]
"""
LIMIT_S = 600.0
Span = tuple[float, float]


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    """SHA-256 by path of every file that is meant."""
    paths = [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
    }


def ended(process: Any, notes: Path, code: int = 0) -> str:
    """What a hwnas wrote to its standard error, once it has ended as it should."""
    found = process.wait(timeout=LIMIT_S)
    text = notes.with_suffix(".err").read_text()
    if found != code:
        raise SystemExit(f"exit code {found}, not {code}:\n{text[-2000:]}")
    return text


def train(folder: Path) -> dict[str, Any]:
    """Six trainings while a node is killed."""
    alone, shared = finished_run(folder / "alone").path, finished_run(folder / "shared").path
    ended(
        begin(["train", str(alone), *TRAIN], folder, folder / "plain.json"), folder / "plain.json"
    )
    with nodes({}, {}) as three:
        began = time.monotonic()
        driver = begin(
            ["train", str(shared), *TRAIN, "--ray", three.address], folder, folder / "ray.json"
        )
        # Three tasks at once, one per node, so the one that dies has one.
        states = "models/*/training.safetensors"
        until(lambda: len(list(shared.glob(states))) == 3 or driver.poll() is not None, LIMIT_S)
        three.kill(1)
        noted = ended(driver, folder / "ray.json")
        seconds = time.monotonic() - began
    names = [record["name"] for record in json.loads((folder / "ray.json").read_text())]
    trained = json.loads((shared / "trained.json").read_text())
    listed = [one["name"] for one in trained["front"] + trained["dominated"]]
    weights = ("models/*/weights.safetensors", "models/*/best.safetensors")
    return {
        "scenario": "train",
        "printed": len(names),
        "networks": len(set(names)),
        "in_results": len(listed),
        "once_each": sorted(listed) == sorted(set(names)),
        "nodes_lost": noted.count("is gone; its tasks begin again elsewhere"),
        "went_on_from_a_checkpoint": noted.count("which went on after epoch"),
        "same_weights_as_alone": digests(shared, *weights) == digests(alone, *weights),
        "seconds": round(seconds, 1),
    }


def overlaps(spans: Iterable[Span]) -> int:
    """How many of these began before the one before had ended."""
    return sum(after[0] < before[1] for before, after in pairwise(sorted(spans)))


def farm(folder: Path) -> dict[str, Any]:
    """Three networks on two devices, of which the first has two hosts."""
    run = finished_run(folder / "run").path
    for name in ("board-a", "board-b"):
        text = f"name = '{name}'\nkind = 'cpu'\ndescription = 'pretended'\n[match]\ncpu_model_regex = '.*'\n"
        (folder / f"{name}.toml").write_text(text)
    words = [
        "profile",
        str(run),
        "--targets",
        "board-a.toml,board-b.toml",
        "--budget",
        "0.1",
        "--json",
        "--ray",
    ]
    with nodes({"device:board-a": 1}, {"device:board-a": 1, "device:board-b": 1}) as three:
        began = time.monotonic()
        ended(begin([*words, three.address], folder, folder / "farm.json"), folder / "farm.json")
        seconds = time.monotonic() - began
        stranger = ["profile", str(run), "--targets", "cpu", "--ray", three.address]
        refused = ended(begin(stranger, folder, folder / "no.json"), folder / "no.json", code=2)
    spans: dict[tuple[str, str], set[Span]] = {}
    keys = []
    for answer in json.loads((folder / "farm.json").read_text()):
        lines = read_profile(run / "profiles" / f"{answer['target']}.jsonl.gz")
        keys += [(answer["target"], line["key"]) for line in lines if line["name"] == "latency"]
        for line in lines:
            spans.setdefault((answer["target"], line["node"]), set()).add(
                (line["began"], line["ended"])
            )
    different = [
        (x, y)
        for (a, _), some in spans.items()
        for (b, _), others in spans.items()
        if a < b
        for x in some
        for y in others
    ]
    return {
        "scenario": "farm",
        "measurements": sum(map(len, spans.values())),
        "once_each": len(keys) == len(set(keys)),
        "at_once_on_one_device": sum(map(overlaps, spans.values())),
        "at_once_on_different_devices": sum(x[0] < y[1] and y[0] < x[1] for x, y in different),
        "refused": next(line for line in refused.splitlines() if line.startswith("error: ")),
        "seconds": round(seconds, 1),
    }


def sweep(folder: Path) -> dict[str, Any]:
    """Six searches whose driver is killed."""
    images(folder / "set.npz")
    (folder / "six.toml").write_text(SWEEP)
    plain = begin(["sweep", "six.toml", "--out", "alone", "--json"], folder, folder / "alone.json")
    ended(plain, folder / "alone.json")
    out = folder / "runs" / "six"
    with nodes({}) as two:
        words = ["sweep", "six.toml", "--ray", two.address, "--json"]
        driver = begin(words, folder, folder / "killed.json")
        until(lambda: _under_way(out) or driver.poll() is not None, LIMIT_S)
        driver.send_signal(signal.SIGKILL)
        killed = driver.wait() == -signal.SIGKILL
        finished = sorted(path.parent.name for path in out.glob("*/front.json"))
        before = {name: digests(out / name, "**/*") for name in finished}
        began = time.monotonic()
        noted = ended(begin(words, folder, folder / "again.json"), folder / "again.json")
        seconds = time.monotonic() - began
    found = json.loads((folder / "again.json").read_text())
    return {
        "scenario": "sweep",
        "killed": killed,
        "finished_before": len(finished),
        "gone_on_with": noted.count("gone on with and done"),
        "finished_after": [row["state"] for row in found["runs"]].count("finished"),
        "finished_ones_untouched": {name: digests(out / name, "**/*") for name in finished}
        == before,
        "same_trials_as_alone": digests(out, "*/trials.jsonl")
        == digests(folder / "alone", "*/trials.jsonl"),
        "report": (out / "report.html").is_file(),
        "seconds": round(seconds, 1),
    }


def _under_way(out: Path) -> bool:
    """Whether one has ended and another has a checkpoint."""
    states = len(list(out.glob("*/checkpoint/state.safetensors")))
    return 1 <= len(list(out.glob("*/front.json"))) < states


SCENARIOS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "train": train,
    "farm": farm,
    "sweep": sweep,
}
LAWS: dict[str, dict[str, Any]] = {
    "train": {
        "printed": 6,
        "networks": 6,
        "in_results": 6,
        "once_each": True,
        "nodes_lost": 1,
        "same_weights_as_alone": True,
    },
    "farm": {"measurements": 6, "once_each": True, "at_once_on_one_device": 0},
    "sweep": {
        "killed": True,
        "finished_after": 6,
        "finished_ones_untouched": True,
        "same_trials_as_alone": True,
        "report": True,
    },
}


def broken(row: dict[str, Any]) -> list[str]:
    """Which laws a row breaks; also where nothing was put to the test."""
    found = [
        f"{name}: {row[name]}, not {law}"
        for name, law in LAWS[row["scenario"]].items()
        if row[name] != law
    ]
    for name in (
        "went_on_from_a_checkpoint",
        "at_once_on_different_devices",
        "finished_before",
        "gone_on_with",
    ):
        if row.get(name) == 0:
            found.append(f"{name}: 0, so nothing was shown")
    return found


def main() -> None:
    """See the module."""
    faults = 0
    for name in sys.argv[1:] or SCENARIOS:
        with tempfile.TemporaryDirectory() as folder:
            row = SCENARIOS[name](Path(folder))
        print(json.dumps(row), flush=True)
        for fault in broken(row):
            faults += 1
            print(f"BROKEN {name}: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
