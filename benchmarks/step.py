"""Time and memory of one search step: one path against the mixture, ours against a plain one,
interleaved.

    OMP_NUM_THREADS=1 python -m benchmarks.step --json benchmarks/results/step.json
    OMP_NUM_THREADS=1 python -m benchmarks.step --space tnd --stage 2 --rounds 4

Paths, mixture and the plain network each live in a process of their own, as they would in a search:
in one process the paths would run on the mixture's gigabyte of freed memory, none of it in a cache.
One round gives each process its turn, in an order that is drawn anew, so that a busy host slows all
alike; a ratio is taken within each round. ``--clock cpu`` counts a process's own seconds where the
host is not ours alone. Memory is the peak of resident memory above the built model, again each kind
of step in a process of its own; before it is taken, one step on a single small image has brought in
the libraries' code.

Steps: ``sampled weight`` and ``sampled evaluation`` run one path with an operation other than none
on all edges; ``mixture weight`` and ``mixture alpha`` run all operations, and alpha's gradient
comes as in first-order DARTS and P-DARTS, from one backward pass through everything; ``mixture
alpha only`` leaves the gradients of the weights out, as hwnas.search does; ``plain ...`` are those
of benchmarks/plain_supernet.py, first order and second (step_scaling.py).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.plain_supernet import PlainSteps
from hwnas.nets.fast.allocator import keep_freed_memory
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space import SPACES
from hwnas.space.encoding import sample
from hwnas.space.family import family

CELLS = {"darts": (5, 11, 17), "tnd": (5, 11, 17), "nasbench201": (15,)}
CHANNELS, CLASSES, IMAGE = 16, 10, (3, 32, 32)
GROUPS = {
    "sampled": ("sampled weight", "sampled evaluation"),
    "mixture": ("mixture weight", "mixture alpha", "mixture alpha only"),
    "plain": ("plain weight", "plain alpha"),
}
Step = Callable[[Tensor, Tensor], None]


def mask_of(space: str, stage: int) -> np.ndarray:
    """As many random survivors per edge as the space keeps at a stage."""
    slots, rng = SPACES[space], np.random.default_rng(stage)
    keep = np.array([slots.survivors[slot.cell][stage] for slot in slots.slots])
    rank = np.where(slots.mask, rng.random(slots.mask.shape), 2.0).argsort(axis=1).argsort(axis=1)
    return rank < keep[:, None]


class Steps:
    """Our steps on one supernet."""

    def __init__(
        self, space: str, stage: int, channels: int = CHANNELS, cells: int | None = None
    ) -> None:
        self.space, self.mask = SPACES[space], mask_of(space, stage)
        cells = cells or CELLS[space][stage]
        self.net: Supernet = build_supernet(
            family(self.space, channels=channels, cells=cells, classes=CLASSES, image=IMAGE),
            seed=0,
            mask=self.mask,
        )
        self.weights = list(self.net.parameters())  # walking all modules takes milliseconds
        self.optimizer = torch.optim.SGD(self.weights, lr=0.025, momentum=0.9, weight_decay=3e-4)
        self.alpha = torch.zeros(self.mask.shape).masked_fill_(
            torch.from_numpy(~self.mask), -torch.inf
        )
        self.alpha.requires_grad_()
        self.optimizer_a = torch.optim.Adam([self.alpha], lr=6e-4, betas=(0.5, 0.999))
        self.rng = np.random.default_rng(0)

    def path(self) -> np.ndarray:
        """A path with an operation other than none on every edge that has another."""
        real = self.mask.copy()
        real[:, 0] &= self.mask.sum(axis=1) == 1
        return sample(self.space, self.rng, real)

    def sampled_weight(self, x: Tensor, y: Tensor) -> None:
        self._descend(self.net.sampled(x, self.path()), y)

    def mixture_weight(self, x: Tensor, y: Tensor) -> None:
        self._descend(self.net.mixture(x, self.alpha.detach().softmax(1)), y)

    def _descend(self, logits: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad()
        F.cross_entropy(logits, y).backward()
        touched = [weight for weight in self.weights if weight.grad is not None]
        nn.utils.clip_grad_norm_(touched, 5)
        self.optimizer.step()

    def sampled_evaluation(self, x: Tensor, y: Tensor) -> None:
        with torch.no_grad():
            (self.net.sampled(x, self.path()).argmax(1) == y).sum().item()

    def mixture_alpha(self, x: Tensor, y: Tensor) -> None:
        self.optimizer_a.zero_grad()
        F.cross_entropy(self.net.mixture(x, self.alpha.softmax(1)), y).backward()
        self.optimizer_a.step()

    def mixture_alpha_only(self, x: Tensor, y: Tensor) -> None:
        self.net.requires_grad_(False)
        self.mixture_alpha(x, y)
        self.net.requires_grad_(True)


def steps_of(group: str, space: str, stage: int) -> dict[str, Step]:
    """The steps of one group, on a model that only they use."""
    if group.startswith("plain"):
        plain = PlainSteps(CHANNELS, CELLS[space][stage], CLASSES)
        return {
            name: getattr(plain, name.partition(" ")[2].replace(" ", "_")) for name in GROUPS[group]
        }
    ours = Steps(space, stage)
    return {name: getattr(ours, name.replace(" ", "_")) for name in GROUPS[group]}


def images(group: str, batch: int, size: int = IMAGE[1]) -> tuple[Tensor, Tensor]:
    """Random images in the layout that the group works in, and labels."""
    x = torch.randn(batch, IMAGE[0], size, size, generator=torch.Generator().manual_seed(0))
    y = torch.randint(0, CLASSES, (batch,), generator=torch.Generator().manual_seed(1))
    return x if group == "plain" else x.contiguous(memory_format=torch.channels_last), y


def work(connection: Connection, group: str, options: argparse.Namespace) -> None:
    """In a process of its own: run the group's steps when told how often, answer with the
    seconds of each."""
    prepare(options)
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    steps, batch = steps_of(group, options.space, options.stage), images(group, options.batch)
    for repeat in iter(connection.recv, 0):
        spent: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(repeat):
            for name, step in steps.items():
                began = clock()
                step(*batch)
                spent[name].append(clock() - began)
        connection.send({name: float(np.mean(some)) for name, some in spent.items()})


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each kind per round; of sampled steps the mean over the paths of that round."""
    order, seconds = random.Random(0), dict[str, list[float]]()
    groups = groups_of(options)
    pipes = {group: started(work, group, options) for group in groups}
    for number in range(-1, options.rounds):
        order.shuffle(groups)
        for group in groups:
            pipes[group].send(options.repeat if group == "sampled" else 1)
            for name, value in pipes[group].recv().items():
                seconds.setdefault(name, []).extend(
                    [value] if number >= 0 else []
                )  # round -1 warms up
    for pipe in pipes.values():
        pipe.send(0)
    return seconds


def groups_of(options: argparse.Namespace) -> list[str]:
    return [
        group
        for group in GROUPS
        if group != "plain" or (options.space, options.stage) == ("darts", 0)
    ]


def started(what: Callable[..., None], name: str, options: argparse.Namespace) -> Connection:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(target=what, args=(theirs, name, options), daemon=True).start()
    theirs.close()
    return ours


def prepare(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    if options.allocator == "kept" and not keep_freed_memory():
        raise SystemExit("freed memory cannot be kept here: use --allocator default")


def peak_mib(connection: Connection, name: str, options: argparse.Namespace) -> None:
    """In a process of its own (Linux): answer with the peak of resident memory while a step runs
    three times."""
    prepare(options)
    group = name.split()[0]
    step = steps_of(group, options.space, options.stage)[name]
    step(*images(group, 2, 8))
    batch, before = images(group, options.batch), status_kib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    for _ in range(3):
        step(*batch)
    connection.send((status_kib("VmHWM") - before) / 1024)


def status_kib(key: str) -> int:
    """A figure of /proc/self/status in KiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def ratios(seconds: dict[str, list[float]], samples: int, every: int) -> dict[str, list[float]]:
    """Per round, how many times faster the first of two is."""
    s = {name: np.array(values) for name, values in seconds.items()}
    sampled = s["sampled weight"] + s["sampled evaluation"]
    mixture = s["mixture weight"] + s["mixture alpha"]
    epoch = s["sampled weight"] + samples / every * s["sampled evaluation"]
    found = {
        "sampled over mixture": mixture / sampled,
        "sampled over mixture, alpha only": (s["mixture weight"] + s["mixture alpha only"])
        / sampled,
        f"epoch, {samples} samples every {every} steps, over first-order mixture": mixture / epoch,
    }
    if "plain weight" in s:
        plain = s["plain weight"] + s["plain alpha"]
        found |= {"mixture over plain": plain / mixture, "sampled over plain": plain / sampled}
        found |= {"epoch over plain": plain / epoch}
    return {name: values.tolist() for name, values in found.items()}


def summary(values: list[float], unit: float = 1.0) -> dict[str, float]:
    scaled = np.array(values) * unit
    named = {"median": np.median(scaled), "min": scaled.min(), "max": scaled.max()}
    return {name: round(float(value), 3) for name, value in named.items()}


def report(options: argparse.Namespace) -> dict[str, object]:
    load = os.getloadavg()[0]
    seconds = measure(options)
    least = {name: [min(values)] for name, values in seconds.items()}
    found: dict[str, object] = {
        **{
            key: getattr(options, key)
            for key in ("space", "stage", "batch", "rounds", "clock", "allocator")
        },
        "load_before": round(load, 1),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "milliseconds": {name: summary(values, 1e3) for name, values in seconds.items()},
        "times_faster": {
            name: summary(values)
            for name, values in ratios(seconds, options.samples, options.every).items()
        },
        "times_faster_by_minima": {
            name: round(value[0], 3)
            for name, value in ratios(least, options.samples, options.every).items()
        },
    }
    if not options.no_memory:
        found["peak_mib"] = {
            name: round(started(peak_mib, name, options).recv(), 1) for name in seconds
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", choices=sorted(CELLS), default="darts")
    parser.add_argument("--stage", type=int, default=0, help="0, 1 or 2")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeat", type=int, default=6, help="paths per round")
    parser.add_argument("--samples", type=int, default=10, help="evaluations per alpha step")
    parser.add_argument("--every", type=int, default=4, help="weight steps per alpha step")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument(
        "--allocator",
        choices=("kept", "default"),
        default="kept",
        help="keep freed memory, as hwnas train does, or not (default), as hwnas search",
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    text = json.dumps(report(options), indent=1) + "\n"
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
