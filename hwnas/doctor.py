"""What ``hwnas doctor`` finds: the installation, the hardware, the back ends, and the health of a
run directory.

Every check is a function that returns findings and raises nothing: what breaks a check is what it
reports.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from hwnas.finding import Check, Finding, Level
from hwnas.run_doctor import examine_run
from profilers.errors import InputError

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
LEAST_MEMORY_MIB = 2_000


def examine_data(
    source: str, root: Path | None = None, test: Path | None = None
) -> Iterator[Finding]:
    """What a data set holds, and every file in it that is unreadable, odd, turned, twice there
    or hidden."""
    from hwnas.training.data import load
    from hwnas.training.describe import described
    from hwnas.training.survey import survey_folder, survey_npz

    path = Path(source).expanduser()
    try:
        if os.path.isdir(path):
            remarks = survey_folder(path.resolve(), test and test.expanduser().resolve())
        elif path.suffix.lower() == ".npz" and os.path.isfile(path):
            remarks = survey_npz(path)
        else:
            remarks = []
        for remark in remarks:
            text = f"{remark.text} ({len(remark.files):,})"
            level: Level = "problem" if remark.broken else "note"
            yield Finding(
                area="images", level=level, text=text, advice=remark.advice, files=remark.files
            )
        lines = described(load(source, root=root, test=test, skip_broken=True))
    except InputError as error:
        yield Finding(area="images", level="problem", text=str(error))
        return
    yield Finding(
        area="images", level="ok", text=lines[0], files=tuple(line.strip() for line in lines[1:])
    )


def examine(run: Path | None = None) -> Iterator[Finding]:
    """All checks in turn, those of a run directory at the end where one is named."""
    checks: list[Check] = [
        ("installation", _installation),
        ("hardware", _hardware),
        ("back ends", _back_ends),
    ]
    if run is not None:
        checks += examine_run(run)
    told = set[str]()
    for area, check in checks:
        try:
            yield from check()
        except InputError as error:
            # What is no run directory is none to each of its checks.
            if str(error) not in told:
                yield Finding(area=area, level="problem", text=str(error), advice="")
            told.add(str(error))
        except Exception as error:  # a check that breaks is itself a finding
            yield Finding(
                area=area,
                level="problem",
                text=f"{type(error).__name__}: {error}",
                advice="please report this",
            )


def _installation() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    from hwnas.training.torchvision_shim import datasets

    yield Finding(
        area="installation", level="ok", text=f"Python {sys.version.split()[0]}, {sys.executable}"
    )
    found = []
    for name in NEEDED:
        try:
            if name == "torchvision":
                datasets()  # beside a torch of another build it needs help
            found.append(
                f"{name} {getattr(importlib.import_module(name), '__version__', '')}".strip()
            )
        except Exception as error:
            advice = f"pip install --force-reinstall {name}, within the ranges of hwnas"
            yield Finding(
                area="installation",
                level="problem",
                text=f"{name} cannot be imported: {str(error)[:200]}",
                advice=advice,
            )
    try:
        found.insert(0, f"hwnas {version('hwnas')}")
    except PackageNotFoundError:
        yield Finding(
            area="installation",
            level="note",
            text="hwnas runs from a checkout that is not installed",
            advice="pip install -e .",
        )
    yield Finding(area="installation", level="ok", text=", ".join(found))
    yield from _mixed_builds()


def _mixed_builds() -> Iterator[Finding]:
    """Wheels that don't go together: torch and torchvision of two kinds, and two of ONNX Runtime
    in one folder."""
    from importlib.metadata import packages_distributions

    import torch

    vision = str(getattr(sys.modules.get("torchvision"), "__version__", ""))
    if vision and ("+cu" in vision) != (torch.version.cuda is not None):
        text = (
            f"torchvision {vision} is a build for another kind of device than torch"
            f" {torch.__version__}"
        )
        advice = (
            "pictures are read all the same; install both of one kind where torchvision.ops is"
            " wanted"
        )
        yield Finding(area="installation", level="note", text=text, advice=advice)
    runtimes = sorted(set(packages_distributions().get("onnxruntime", [])))
    if len(runtimes) > 1:
        text = (
            f"{' and '.join(runtimes)} are both installed, in one folder: the later one has"
            " overwritten the other"
        )
        advice = f"pip uninstall {' '.join(runtimes)}, then install the one that is wanted"
        yield Finding(area="installation", level="problem", text=text, advice=advice)


def _hardware() -> Iterator[Finding]:
    import torch

    from profilers.cuda import cuda_problem
    from profilers.device import has_cuda_driver
    from profilers.host import available_mib, host, usable_cores

    yield Finding(
        area="hardware", level="ok", text=f"{host().fingerprint}, {usable_cores()} usable cores"
    )
    free = available_mib()
    level: Level = "ok" if free >= LEAST_MEMORY_MIB else "problem"
    advice = (
        ""
        if level == "ok"
        else "close other programs, or search with fewer channels and a smaller batch"
    )
    yield Finding(
        area="hardware", level=level, text=f"{free:,} MiB of memory are free", advice=advice
    )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > usable_cores():
        advice = "latencies measured now will be marked noisy, and a search will take longer"
        yield Finding(
            area="hardware",
            level="note",
            text=f"the machine is busy (load {load:.1f})",
            advice=advice,
        )
    for index in range(torch.cuda.device_count()):
        problem, advice = _parted(cuda_problem(index))
        name = torch.cuda.get_device_name(index)
        text = problem or f"CUDA {torch.version.cuda}: {name} computes"
        yield Finding(
            area="hardware", level="problem" if problem else "ok", text=text, advice=advice
        )
    if not torch.cuda.device_count() and has_cuda_driver():
        problem, advice = _parted(cuda_problem())
        yield Finding(area="hardware", level="problem", text=problem, advice=advice)
    elif not torch.cuda.device_count():
        yield Finding(
            area="hardware",
            level="note",
            text="no CUDA device",
            advice="searches run on the CPU; GPUs as targets are estimated",
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

    device, options = (
        load(find_device("cpu")),
        Options(limit_s=60.0, protocol=Protocol(budget_s=0.5)),
    )
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    subject = Subject(name="a tiny network", module=module, shape=(1, 3, 8, 8))
    for name, backend in BACKENDS.items():
        if name == "energy":  # half a minute a network; its sensor is looked for alone
            continue
        try:
            found = measurements(backend(subject, device, options))
            said = ", ".join(
                f"{one.metric.name} {one.value:.4g} {one.metric.unit}" for one in found[:3]
            )
            yield Finding(area="back ends", level="ok", text=f"{name}: {said}")
        except Exception as error:
            yield Finding(
                area="back ends",
                level="note",
                text=f"{name}: not to be had here ({str(error)[:160]})",
                advice="",
            )
    for name in plugins():
        yield Finding(area="back ends", level="ok", text=f"{name}: a plug-in")
    yield from _providers()
    yield _energy()


def _providers() -> Iterator[Finding]:
    import onnxruntime

    from profilers.cuda import usable_cuda

    there = onnxruntime.get_available_providers()
    text = f"ONNX Runtime's providers: {', '.join(there)}"
    lacks = usable_cuda() and "CUDAExecutionProvider" not in there
    advice = (
        "pip uninstall onnxruntime, then pip install onnxruntime-gpu, to measure on the GPU"
        if lacks
        else ""
    )
    yield Finding(area="back ends", level="note" if lacks else "ok", text=text, advice=advice)


def _energy() -> Finding:
    from profilers.cuda import usable_cuda
    from profilers.energy_backend import first_sensor
    from profilers.energy_sensors import NoSensor, sensors

    places = (True, False) if usable_cuda() else (False,)
    try:
        sensor = first_sensor(one for cuda in places for one in sensors(cuda))
    except NoSensor as error:
        return Finding(
            area="back ends", level="note", text="energy: not to be had here", advice=str(error)
        )
    return Finding(area="back ends", level="ok", text=f"energy: {sensor.name}, {sensor.covers}")
