"""What ``hwnas profile`` measures on each of several targets: here, one after the other, or on a farm of hosts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.cli.outside import echo

if TYPE_CHECKING:
    from hwnas.cli.farm import MeasuredThere
    from hwnas.measuring.subjects import Named
    from profilers.backends import Options
    from profilers.device import Device
    from profilers.measurement import Outcome
    from profilers.onnx_operations import Operation


@dataclass(frozen=True)
class Profile:
    """All outcomes on one device. ``said``: per row, its node, begin and end; ``lost``: how many tasks gave none."""

    device: Device
    rows: list[tuple[str, Outcome]]
    said: list[Mapping[str, object]]
    operations: list[tuple[str, Operation]] = field(default_factory=list)
    lost: int = 0


def measure_here(
    found: Sequence[Named],
    device: Device,
    options: Options,
    ssh: str | None,
    run_with: str | None,
    backends: Sequence[str] | None,
    table: str | None,
    per_op: bool,
) -> Profile:
    """On this host, or on the one that ``ssh`` or ``run_with`` names. Raises InputError."""
    from hwnas.cli.profile import measure_all, per_operation, place

    options = replace(options, place=place(device, ssh, run_with))
    began = time.time()
    rows = measure_all(found, device, options, backends, table)
    if options.run is not None:
        rows = [(key, noted(device, outcome)) for key, outcome in rows]
    ended = time.time()
    operations = per_operation(found, device, options) if per_op else []
    said = {"node": "", "began": began, "ended": ended}
    return Profile(device, rows, [said] * len(rows), operations)


def noted(device: Device, outcome: Outcome) -> Outcome:
    """What another machine measured, with a note where that machine's CPU is not the one the device is known by."""
    from profilers.measurement import Measurement
    from profilers.pattern import found_in

    pattern, host = device.cpu_model_regex, outcome.receipt.host
    if not isinstance(outcome, Measurement) or outcome.origin != "measured" or not pattern:
        return outcome
    if found_in(pattern, host):
        return outcome
    note = f"the machine that answered is {host or 'unknown'}, which {device.name} is not known by"
    return replace(outcome, receipt=outcome.receipt.with_notes(note))


def measure_by_ray(
    found: Sequence[Named],
    devices: Sequence[Device],
    options: Options,
    backends: Sequence[str] | None,
    address: str,
) -> list[Profile]:
    """On the nodes of Ray that offer the devices; a failed measurement is warned of. Raises InputError."""
    from hwnas.cli.farm import measure_on
    from hwnas.cluster.ray_cluster import connected

    total, ended = len(found) * len(devices), 0

    def say(line: str) -> None:
        echo(line, err=True)

    def done(there: MeasuredThere) -> None:
        nonlocal ended
        ended += 1
        took = f"{there.ended - there.began:.1f} s on {there.node}"
        say(f"{there.job.named.key} on {there.job.device.name}: {took} ({ended} of {total})")

    def failed(name: str, error: Exception) -> None:
        say(f"warning: {name}: {' '.join(str(error).split()) or type(error).__name__}")

    with connected(address, say) as cluster:
        answers = measure_on(cluster, found, devices, options, backends or (), done, failed)
    return [_profile(device, answers[device.name], len(found)) for device in devices]


def _profile(device: Device, answers: Sequence[MeasuredThere], asked: int) -> Profile:
    rows, said = [], []
    for there in answers:
        for outcome in there.rows:
            rows.append((there.job.named.key, outcome))
            said.append({"node": there.node, "began": there.began, "ended": there.ended})
    return Profile(device, rows, list(said), lost=asked - len(answers))


def keep(path: Path, profiles: Sequence[Profile]) -> None:
    """Write profiles/TARGET.jsonl.gz of the run, with every raw sample; a target without outcomes is left as it was."""
    from hwnas.runs.directory import open_run
    from hwnas.runs.measurements import write_profile

    run = open_run(path)
    for one in profiles:
        if one.rows:
            lines = [
                ({"key": key, **said}, outcome)
                for (key, outcome), said in zip(one.rows, one.said, strict=True)
            ]
            echo(f"kept: {write_profile(run, one.device.name, lines)}", err=True)
