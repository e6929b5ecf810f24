"""What ``hwnas doctor`` finds: the installation, the hardware, the back ends, and the health of a run directory.

Every check is a function that returns findings and raises nothing: what breaks a check is what it reports.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from profilers.errors import InputError

Level = Literal["ok", "note", "problem"]
NEEDED = (
    "torch",
    "torchvision",
    "onnx",
    "onnxruntime",
    "pymoo",
    "thop",
    "sklearn",
    "safetensors",
)
LEAST_FREE_MIB = 500
LEAST_MEMORY_MIB = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis; ``advice`` is empty where all is well."""

    area: str
    level: Level
    text: str
    advice: str = ""
    files: tuple[str, ...] = ()
    """Each file that it holds for."""


def examine_data(source: str, root: Path | None = None, test: Path | None = None) -> Iterator[Finding]:
    """What a data set holds, and every file in it that is unreadable, odd, turned, twice there or hidden."""
    from hwnas.training.data import load
    from hwnas.training.describe import described
    from hwnas.training.survey import survey_folder, survey_npz

    path = Path(source).expanduser()
    try:
        if path.is_dir():
            remarks = survey_folder(path.resolve(), test and test.expanduser().resolve())
        elif path.suffix.lower() == ".npz" and path.is_file():
            remarks = survey_npz(path)
        else:
            remarks = []
        for remark in remarks:
            text = f"{remark.text} ({len(remark.files):,})"
            level: Level = "problem" if remark.broken else "note"
            yield Finding("images", level, text, remark.advice, remark.files)
        lines = described(load(source, root=root, test=test, skip_broken=True))
    except InputError as error:
        yield Finding("images", "problem", str(error))
        return
    yield Finding("images", "ok", lines[0], files=tuple(line.strip() for line in lines[1:]))


def examine(run: Path | None = None) -> Iterator[Finding]:
    """All checks in turn, those of a run directory at the end where one is named."""
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("installation", _installation),
        ("hardware", _hardware),
        ("back ends", _back_ends),
    ]
    if run is not None:
        checks += [
            ("run", lambda: _files(run)),
            ("search", lambda: _search(run)),
            ("ranking", lambda: _ranking(run)),
        ]
    for area, check in checks:
        try:
            yield from check()
        except InputError as error:
            yield Finding(area, "problem", str(error), "")
        except Exception as error:  # a check that breaks is itself a finding
            yield Finding(area, "problem", f"{type(error).__name__}: {error}", "please report this")


def _installation() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    from hwnas.training.torchvision_shim import datasets

    yield Finding("installation", "ok", f"Python {sys.version.split()[0]}, {sys.executable}")
    found = []
    for name in NEEDED:
        try:
            if name == "torchvision":
                datasets()  # beside a torch of another build it needs help
            found.append(f"{name} {getattr(importlib.import_module(name), '__version__', '')}".strip())
        except Exception as error:
            advice = f"pip install --force-reinstall {name}, within the ranges of hwnas"
            yield Finding("installation", "problem", f"{name} cannot be imported: {str(error)[:200]}", advice)
    try:
        found.insert(0, f"hwnas {version('hwnas')}")
    except PackageNotFoundError:
        yield Finding(
            "installation", "note", "hwnas runs from a checkout that is not installed", "pip install -e ."
        )
    yield Finding("installation", "ok", ", ".join(found))
    yield from _mixed_builds()


def _mixed_builds() -> Iterator[Finding]:
    """Wheels that don't go together: torch and torchvision of two kinds, and two of ONNX Runtime in one folder."""
    from importlib.metadata import packages_distributions

    import torch

    vision = str(getattr(sys.modules.get("torchvision"), "__version__", ""))
    if vision and ("+cu" in vision) != (torch.version.cuda is not None):
        text = f"torchvision {vision} is a build for another kind of device than torch {torch.__version__}"
        advice = "pictures are read all the same; install both of one kind where torchvision.ops is wanted"
        yield Finding("installation", "note", text, advice)
    runtimes = sorted(set(packages_distributions().get("onnxruntime", [])))
    if len(runtimes) > 1:
        text = f"{' and '.join(runtimes)} are both installed, in one folder: the later one has overwritten the other"
        advice = f"pip uninstall {' '.join(runtimes)}, then install the one that is wanted"
        yield Finding("installation", "problem", text, advice)


def _hardware() -> Iterator[Finding]:
    import torch

    from profilers.cuda import cuda_problem
    from profilers.device import has_cuda_driver
    from profilers.host import available_mib, host, usable_cores

    yield Finding("hardware", "ok", f"{host().fingerprint}, {usable_cores()} usable cores")
    free = available_mib()
    level: Level = "ok" if free >= LEAST_MEMORY_MIB else "problem"
    advice = (
        "" if level == "ok" else "close other programs, or search with fewer channels and a smaller batch"
    )
    yield Finding("hardware", level, f"{free:,} MiB of memory are free", advice)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > usable_cores():
        advice = "latencies measured now will be marked noisy, and a search will take longer"
        yield Finding("hardware", "note", f"the machine is busy (load {load:.1f})", advice)
    for index in range(torch.cuda.device_count()):
        problem, advice = _parted(cuda_problem(index))
        name = torch.cuda.get_device_name(index)
        text = problem or f"CUDA {torch.version.cuda}: {name} computes"
        yield Finding("hardware", "problem" if problem else "ok", text, advice)
    if not torch.cuda.device_count() and has_cuda_driver():
        yield Finding("hardware", "problem", *_parted(cuda_problem()))
    elif not torch.cuda.device_count():
        yield Finding(
            "hardware", "note", "no CUDA device", "searches run on the CPU; GPUs as targets are estimated"
        )


def _parted(problem: str) -> tuple[str, str]:
    """What is wrong, and the advice after the last colon."""
    text, colon, advice = problem.rpartition(": ")
    return (text, advice) if colon else (problem, "")


def _back_ends() -> Iterator[Finding]:
    from torch import nn

    from hwnas.catalog import find_device
    from profilers.backends import BACKENDS, Options, Subject, plugins
    from profilers.device import load
    from profilers.measurement import measurements
    from profilers.timing import Protocol

    device, options = load(find_device("cpu")), Options(limit_s=60.0, protocol=Protocol(budget_s=0.5))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    subject = Subject("a tiny network", module, (1, 3, 8, 8))
    for name, backend in BACKENDS.items():
        try:
            found = measurements(backend(subject, device, options))
            said = ", ".join(f"{one.metric.name} {one.value:.4g} {one.metric.unit}" for one in found[:3])
            yield Finding("back ends", "ok", f"{name}: {said}")
        except Exception as error:
            yield Finding("back ends", "note", f"{name}: not to be had here ({str(error)[:160]})", "")
    for name in plugins():
        yield Finding("back ends", "ok", f"{name}: a plug-in")
    yield from _providers()


def _providers() -> Iterator[Finding]:
    import onnxruntime

    from profilers.cuda import usable_cuda

    there = onnxruntime.get_available_providers()
    text = f"ONNX Runtime's providers: {', '.join(there)}"
    lacks = usable_cuda() and "CUDAExecutionProvider" not in there
    advice = (
        "pip uninstall onnxruntime, then pip install onnxruntime-gpu, to measure on the GPU" if lacks else ""
    )
    yield Finding("back ends", "note" if lacks else "ok", text, advice)


def _files(path: Path) -> Iterator[Finding]:
    from hwnas.runs import directory as runs
    from hwnas.runs.history import read_history
    from hwnas.search.checkpoint import checkpoint as read_checkpoint
    from hwnas.search.checkpoint import place

    found = runs.open_run(path)
    trials, lines = runs.read_trials(found), read_history(found)
    text = f"{found.config.algorithm} in the {found.config.space} space: {len(trials):,} trials, {len(lines)} epochs"
    yield Finding("run", "ok", text)
    held = runs.held(found)
    if held:
        yield Finding("run", "ok", "a process is working on it now")
    free_mib = shutil.disk_usage(path).free / 2**20
    if free_mib < LEAST_FREE_MIB:
        yield Finding("run", "problem", f"{free_mib:,.0f} MiB of disk are free", "a checkpoint may not fit")
    if not os.access(path, os.W_OK):
        yield Finding("run", "problem", "this user may not write to it", "it can be shown, not resumed")
    checkpoint = read_checkpoint(found)
    if checkpoint is None and not runs.ended(found):
        yield Finding("run", "note", "no checkpoint yet", "a search that is stopped now begins anew")
    elif checkpoint is not None:
        at = checkpoint[1]["position"]
        where = place(found.config, at)
        whole = f"checkpoint whole, {at['trials']:,} trials and {at['seconds']:.0f} s in, "
        whole += "all stages done" if where is None else f"next: {where}"
        yield Finding("run", "ok", whole)
        if len(trials) > at["trials"]:
            more = len(trials) - at["trials"]
            yield Finding(
                "run", "ok", f"{more} trials after the checkpoint will be made again, the same ones"
            )
    if not runs.ended(found) and not held:
        yield Finding("run", "note", "the search has not ended", f"hwnas resume {path}")


def _search(path: Path) -> Iterator[Finding]:
    from hwnas.runs import directory as runs
    from hwnas.runs.history import read_history
    from hwnas.search.checkpoint import checkpoint as read_checkpoint
    from hwnas.search.checkpoint import rollbacks_of
    from hwnas.search.health import diagnose

    found = runs.open_run(path)
    if runs.ended(found):
        summary = runs.read_front(found)
        notes = [(one["stage"], one["text"], one["advice"]) for one in summary.get("health", [])]
        better = summary["hypervolume"] - summary["baseline"]["random_hypervolume"]
        count = len(summary["front"])
        text = f"{count} members on the front, hypervolume {better:+.3f} against random ones"
        advice = (
            ""
            if better > 0
            else "the search found no more than chance: more epochs, or weights that rank better"
        )
        yield Finding("search", "ok" if better > 0 else "note", text, advice)
    else:
        checkpoint = read_checkpoint(found)
        rollbacks = rollbacks_of(checkpoint[1]) if checkpoint else []
        lines, trials = read_history(found), runs.read_trials(found)
        notes = [
            (one.stage, one.text, one.advice)
            for one in diagnose(found.config, None, lines, trials, rollbacks)
        ]
    for stage, text, advice in notes:
        yield Finding("search", "note", f"stage {stage + 1}: {text}", advice)
    if not notes:
        yield Finding("search", "ok", "nothing unusual in its history")


def _ranking(path: Path) -> Iterator[Finding]:
    from hwnas.runs import directory as runs
    from hwnas.runs.models import trained
    from hwnas.search.health import ranking

    found = runs.open_run(path)
    if not runs.ended(found):
        return
    summary = runs.read_front(found)
    shared = {
        one["key"]: one["accuracy"]["value"] for one in [*summary["front"], *summary.get("dominated", [])]
    }
    both = [(shared[one["name"]], one["test_accuracy"]) for one in trained(found) if one["name"] in shared]
    if len(both) < 5:
        text = f"{len(both)} of its networks are trained: too few to say whether shared weights rank them"
        yield Finding("ranking", "ok", text, f"hwnas train {path} --all" if len(shared) >= 5 else "")
        return
    tau, notes = ranking(*zip(*both, strict=True))
    yield Finding(
        "ranking", "ok", f"Kendall tau of shared and trained accuracy: {tau:.2f} on {len(both)} networks"
    )
    for note in notes:
        yield Finding("ranking", "note", note.text, note.advice)
