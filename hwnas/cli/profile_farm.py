"""``hwnas profile --ray``: each network on each target, measured on a farm of hosts; what a run
keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.cli.outside import echo

if TYPE_CHECKING:
    from hwnas.cluster.farm import MeasuredThere
    from hwnas.measuring.profile import Profile
    from hwnas.measuring.subjects import Named
    from profilers.backends import Options
    from profilers.device import Device


def measure_by_ray(
    found: Sequence[Named],
    devices: Sequence[Device],
    options: Options,
    backends: Sequence[str] | None,
    address: str,
) -> list[Profile]:
    """On the nodes of Ray that offer the devices; a failed measurement is warned of.

    Raises InputError.
    """
    from hwnas.cluster.farm import measure_on
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
        answers = measure_on(
            cluster,
            found,
            devices=devices,
            options=options,
            backends=backends or (),
            done=done,
            failed=failed,
        )
    return [_profile(device, answers[device.name], len(found)) for device in devices]


def _profile(device: Device, answers: Sequence[MeasuredThere], asked: int) -> Profile:
    from hwnas.measuring.profile import Profile

    rows, said = [], []
    for there in answers:
        for outcome in there.rows:
            rows.append((there.job.named.key, outcome))
            said.append({"node": there.node, "began": there.began, "ended": there.ended})
    return Profile(device=device, rows=rows, said=list(said), lost=asked - len(answers))


def keep(path: Path, profiles: Sequence[Profile]) -> None:
    """Write profiles/TARGET.jsonl.gz of the run, with every raw sample; a target without
    outcomes is left as it was."""
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
