"""``hwnas profile --targets a,b --ray``: a farm of measurement hosts, one measurement at a time
on each device."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hwnas.cluster.job import Cluster, Job, Needs
from hwnas.cluster.ray_cluster import where
from hwnas.measuring.profile import measure_all
from hwnas.measuring.subjects import Named
from profilers.backends import Options
from profilers.device import Device, attached, match
from profilers.errors import InputError, nearest
from profilers.measurement import Outcome

DEVICE = "device:"
"""What nodes offer, each exactly 1 of it: ``ray start ... --resources '{"device:raspberry-pi-4":
1}'``."""


@dataclass(frozen=True, kw_only=True)
class MeasureJob:
    """One network to measure on one device.

    ``onnx``: the file's bytes, where the network is no genotype.
    """

    named: Named
    device: Device
    options: Options
    backends: tuple[str, ...]
    onnx: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class MeasuredThere:
    """A task's answer.

    ``began`` and ``ended``: seconds since 1970 by the node's clock, the task's own doing.
    """

    job: MeasureJob
    rows: tuple[Outcome, ...]
    node: str
    began: float
    ended: float


def measure_there(job: MeasureJob) -> MeasuredThere:
    """On a node that offers the device: build the network and measure it.

    Needs no shared file system.
    """
    began = time.time()
    options = replace(job.options, place=place_there(job.device, where()))
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        named = job.named
        if job.onnx is not None:
            named = replace(named, onnx=Path(folder) / "model.onnx")
            (Path(folder) / "model.onnx").write_bytes(job.onnx)
        rows = measure_all([named], job.device, options, job.backends or None, None)
    return MeasuredThere(
        job=job,
        rows=tuple(outcome for _, outcome in rows),
        node=where(),
        began=began,
        ended=time.time(),
    )


def place_there(device: Device, node: str) -> str:
    """Where on this node: by the device's own patterns where it has some, else on the node's word.

    Raises InputError for a node that offers what it does not have.
    """
    if not (device.cuda_name_regex or device.cpu_model_regex):
        return "cpu" if device.kind in ("cpu", "edge_cpu") else "cuda:0"
    here = attached()
    found = match(device, here)
    if found is None:
        has = ", ".join([here.host.cpu, *here.cuda])
        raise InputError(f"node {node} offers {DEVICE}{device.name}, but what it has is {has}")
    return found


def measure_on(
    cluster: Cluster,
    found: Sequence[Named],
    devices: Sequence[Device],
    options: Options,
    backends: Sequence[str],
    done: Callable[[MeasuredThere], None] = lambda there: None,
    failed: Callable[[str, Exception], None] = lambda name, error: None,
) -> dict[str, list[MeasuredThere]]:
    """Measure every network on every device, a task each; {device: answers in the order of
    ``found``}.

    Raises InputError, before anything is measured, for a device that no node offers, or that one
    offers twice.
    """
    needs = {device.name: needs_of(device, cluster.nodes) for device in devices}
    # Network by network, so that a farm of several devices is busy from the start.
    tasks = [
        Job(
            name=f"{named.key} on {device.name}",
            function=measure_there,
            argument=MeasureJob(
                named=named,
                device=device,
                options=options,
                backends=tuple(backends),
                onnx=named.onnx.read_bytes() if named.onnx else None,
            ),
            needs=needs[device.name],
        )
        for named in found
        for device in devices
    ]
    answers: dict[str, list[MeasuredThere]] = {device.name: [] for device in devices}
    for ended in cluster.run(tasks):
        if ended.error is not None:
            failed(ended.job.name, ended.error)
            continue
        answers[ended.result.job.device.name].append(ended.result)
        done(ended.result)
    order = [named.key for named in found]
    return {
        name: sorted(some, key=lambda one: order.index(one.job.named.key))
        for name, some in answers.items()
    }


def needs_of(device: Device, nodes: Mapping[str, Mapping[str, float]]) -> Needs:
    """All of the device, and where it is a GPU that Ray knows, all of that too; no CPU, which
    others may have."""
    name = DEVICE + device.name
    offering = {node: has[name] for node, has in nodes.items() if has.get(name)}
    if not offering:
        offered = sorted(
            {
                key.removeprefix(DEVICE)
                for has in nodes.values()
                for key in has
                if key.startswith(DEVICE)
            }
        )
        hint = (
            nearest(device.name, offered)
            or f"; none offers any: ray start ... --resources '{{\"{name}\": 1}}'"
        )
        raise InputError(f"--targets: no node offers {name}{hint}")
    for node, amount in offering.items():
        if amount != 1:
            raise InputError(
                f"--targets: node {node} offers {amount:g} of {name}, so would measure several"
                f" things at once: start it with --resources '{{\"{name}\": 1}}'"
            )
    on_gpu = device.kind in ("gpu", "edge_gpu") and all(
        nodes[node].get("GPU", 0) >= 1 for node in offering
    )
    return Needs(cpus=0, gpus=float(on_gpu), resources={name: 1})
