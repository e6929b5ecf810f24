"""Time and memory of one search step: one path against the mixture, ours against a plain one, interleaved.

    OMP_NUM_THREADS=1 python -m benchmarks.step --json benchmarks/results/step.json
    OMP_NUM_THREADS=1 python -m benchmarks.step --space tnd --stage 2 --rounds 4

One round runs every kind of step once (short ones ``--repeat`` times, with other paths each time) in an order that is
drawn anew, so that a busy host slows all alike; a ratio is taken within each round. ``--clock cpu`` counts the
process's own seconds where the host is not ours alone. Memory is the peak of resident memory above the built model
and its optimiser, each kind of step in a process of its own.

Steps: ``sampled weight`` and ``sampled evaluation`` run one path with an operation other than none on all edges;
``mixture weight`` and ``mixture alpha`` run all operations, and alpha's gradient comes as in first-order DARTS and
P-DARTS, from one backward pass through everything; ``mixture alpha only`` leaves the gradients of the weights out,
as hwnas.search does; ``plain ...`` are those of benchmarks/plain_supernet.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.plain_supernet import PlainSteps
from hwnas.nets.allocator import keep_freed_memory
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space import SPACES
from hwnas.space.encoding import sample

CELLS = {"darts": (5, 11, 17), "tnd": (5, 11, 17), "nasbench201": (15,)}
CHANNELS, CLASSES, IMAGE = 16, 10, (3, 32, 32)
SHORT = ("sampled weight", "sampled evaluation")


def mask_of(space: str, stage: int) -> np.ndarray:
    """As many random survivors per edge as the space keeps at a stage."""
    slots, rng = SPACES[space], np.random.default_rng(stage)
    keep = np.array([slots.survivors[slot.cell][stage] for slot in slots.slots])
    rank = np.where(slots.mask, rng.random(slots.mask.shape), 2.0).argsort(axis=1).argsort(axis=1)
    return rank < keep[:, None]


class Steps:
    """Our four steps on one supernet, each callable without arguments."""

    def __init__(self, space: str, stage: int, batch: int) -> None:
        self.space, self.mask = SPACES[space], mask_of(space, stage)
        cells = CELLS[space][stage]
        self.net: Supernet = build_supernet(self.space, CHANNELS, cells, CLASSES, IMAGE, 0, self.mask)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
        self.alpha = torch.zeros(self.mask.shape).masked_fill_(torch.from_numpy(~self.mask), -torch.inf)
        self.alpha.requires_grad_()
        self.optimizer_a = torch.optim.Adam([self.alpha], lr=6e-4, betas=(0.5, 0.999))
        self.x = torch.randn(batch, *IMAGE, generator=torch.Generator().manual_seed(0))
        self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.y = torch.randint(0, CLASSES, (batch,), generator=torch.Generator().manual_seed(1))
        self.rng = np.random.default_rng(0)

    def path(self) -> np.ndarray:
        """A path with an operation other than none on every edge that has another."""
        real = self.mask.copy()
        real[:, 0] &= self.mask.sum(axis=1) == 1
        return sample(self.space, self.rng, real)

    def sampled_weight(self) -> None:
        self._descend(self.net.sampled(self.x, self.path()))

    def mixture_weight(self) -> None:
        self._descend(self.net.mixture(self.x, self.alpha.detach().softmax(1)))

    def _descend(self, logits: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        F.cross_entropy(logits, self.y).backward()
        touched = [p for p in self.net.parameters() if p.grad is not None]
        nn.utils.clip_grad_norm_(touched, 5)
        self.optimizer.step()

    def sampled_evaluation(self) -> None:
        with torch.no_grad():
            (self.net.sampled(self.x, self.path()).argmax(1) == self.y).sum().item()

    def mixture_alpha(self) -> None:
        self.optimizer_a.zero_grad()
        F.cross_entropy(self.net.mixture(self.x, self.alpha.softmax(1)), self.y).backward()
        self.optimizer_a.step()

    def mixture_alpha_only(self) -> None:
        self.optimizer_a.zero_grad()
        self.net.requires_grad_(False)
        F.cross_entropy(self.net.mixture(self.x, self.alpha.softmax(1)), self.y).backward()
        self.net.requires_grad_(True)
        self.optimizer_a.step()


def kinds(space: str, stage: int, batch: int) -> dict[str, Callable[[], None]]:
    ours = Steps(space, stage, batch)
    found = {
        "sampled weight": ours.sampled_weight,
        "sampled evaluation": ours.sampled_evaluation,
        "mixture weight": ours.mixture_weight,
        "mixture alpha": ours.mixture_alpha,
        "mixture alpha only": ours.mixture_alpha_only,
    }
    if (space, stage) == ("darts", 0):
        plain = PlainSteps(CHANNELS, CELLS[space][stage], CLASSES)
        x = ours.x.contiguous()
        found["plain weight"] = lambda: plain.weight(x, ours.y)
        found["plain alpha"] = lambda: plain.alpha(x, ours.y)
    return found


def measure(
    steps: dict[str, Callable[[], None]], rounds: int, repeat: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Seconds of each kind per round; of a short one the mean over its paths in that round."""
    order = random.Random(0)
    for step in steps.values():
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        spent: dict[str, list[float]] = {name: [] for name in steps}
        turns = [name for name in steps for _ in range(repeat if name in SHORT else 1)]
        order.shuffle(turns)
        for name in turns:
            began = clock()
            steps[name]()
            spent[name].append(clock() - began)
        for name, some in spent.items():
            seconds[name].append(float(np.mean(some)))
    return seconds


def ratios(seconds: dict[str, list[float]], samples: int, every: int) -> dict[str, list[float]]:
    """Per round, how many times faster the second of two is."""
    s = {name: np.array(values) for name, values in seconds.items()}
    sampled = s["sampled weight"] + s["sampled evaluation"]
    mixture = s["mixture weight"] + s["mixture alpha"]
    epoch = s["sampled weight"] + samples / every * s["sampled evaluation"]
    found = {
        "sampled over mixture": mixture / sampled,
        "sampled over mixture, alpha only": (s["mixture weight"] + s["mixture alpha only"]) / sampled,
        f"epoch of {samples} samples every {every} steps over first-order mixture": mixture / epoch,
    }
    if "plain weight" in s:
        plain = s["plain weight"] + s["plain alpha"]
        found["mixture over plain"] = plain / mixture
        found["sampled over plain"] = plain / sampled
    return {name: values.tolist() for name, values in found.items()}


def peak_mib(space: str, stage: int, batch: int, kind: str) -> float:
    """Peak of resident memory over the built model while ``kind`` runs three times, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.step", "--space", space, "--stage", str(stage)]
    command += ["--batch", str(batch), "--peak-of", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def own_peak_mib(step: Callable[[], None]) -> float:
    """Linux: resets the process's peak first. The first step also brings torch's own code and buffers in."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(3):
        step()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def summary(values: list[float], unit: float = 1.0) -> dict[str, float]:
    scaled = np.array(values) * unit
    return {
        "median": round(float(np.median(scaled)), 4),
        "min": round(float(scaled.min()), 4),
        "max": round(float(scaled.max()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", choices=sorted(CELLS), default="darts")
    parser.add_argument("--stage", type=int, default=0, help="0, 1 or 2")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeat", type=int, default=6, help="paths per round")
    parser.add_argument("--samples", type=int, default=10, help="evaluations per alpha step")
    parser.add_argument("--every", type=int, default=4, help="weight steps per alpha step")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--allocator", choices=("kept", "default"), default="kept")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept = options.allocator == "kept" and keep_freed_memory()
    if options.peak_of:
        sys.stdout.write(
            str(own_peak_mib(kinds(options.space, options.stage, options.batch)[options.peak_of]))
        )
        return
    steps = kinds(options.space, options.stage, options.batch)
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    load = os.getloadavg()[0]
    seconds = measure(steps, options.rounds, options.repeat, clock)
    found = ratios(seconds, options.samples, options.every)
    result = {
        "space": options.space,
        "stage": options.stage,
        "batch": options.batch,
        "clock": options.clock,
        "rounds": options.rounds,
        "load_before": round(load, 1),
        "freed_memory_kept": kept,
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
        "milliseconds": {name: summary(values, 1e3) for name, values in seconds.items()},
        "times_faster": {name: summary(values) for name, values in found.items()},
        "ratio_of_minima": {
            name: round(value[0], 3)
            for name, value in ratios(
                {name: [min(values)] for name, values in seconds.items()}, options.samples, options.every
            ).items()
        },
    }
    if not options.no_memory:
        result["peak_mib_over_the_built_model"] = {
            name: round(peak_mib(options.space, options.stage, options.batch, name), 1) for name in steps
        }
    text = json.dumps(result, indent=1)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
