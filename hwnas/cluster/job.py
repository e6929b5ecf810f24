"""Jobs that need nothing of one another, and what carries them out: this process, or
(ray_cluster.py) Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a job asks of a node: logical CPUs, GPUs, and custom resources by name
    (``device:NAME``)."""

    cpus: float = 1
    gpus: float = 0
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """``function(argument)``, wherever there is room.

    It may be begun again after its node died: it has to go on then.

    ``function`` is found by its module and name on the other side, ``argument`` and the result are
    pickled.
    """

    name: str
    function: Callable[[Any], Any] = field(repr=False)
    argument: Any = field(repr=False)
    needs: Needs = Needs()


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """How a job ended: with a result, or with the exception that it raised."""

    job: Job
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What jobs run on.

    ``run`` yields each job once, when it has ended, in no order that can be relied on.

    ``nodes``: how much each has of each resource (CPU, GPU, device:NAME), as they stand when the
    cluster is met. ``check`` raises InputError unless every node that could take a job shares this
    directory with us.
    """

    run: Callable[[Sequence[Job]], Iterator[JobResult]]
    nodes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    check: Callable[[Path], None] = lambda path: None


def here() -> Cluster:
    """This process: one job after the other, in the order given."""
    return Cluster(run=_in_turn)


def _in_turn(jobs: Sequence[Job]) -> Iterator[JobResult]:
    for job in jobs:
        try:
            result = job.function(job.argument)
        except Exception as error:
            yield JobResult(job=job, error=error)
        else:
            yield JobResult(job=job, result=result)


def gpus_for(cluster: Cluster, device: str, asked: float | None) -> float:
    """GPUs that one job takes: what was asked for, else one where ``device`` wants it or the
    cluster has some."""
    if device == "cpu":
        return 0.0
    return (
        asked if asked is not None else float(device == "cuda" or total(cluster.nodes, "GPU") > 0)
    )


def total(nodes: Mapping[str, Mapping[str, float]], resource: str) -> float:
    """How much of a resource all nodes have together."""
    return float(sum(has.get(resource, 0) for has in nodes.values()))


def check_room(job: Job, nodes: Mapping[str, Mapping[str, float]]) -> None:
    """Raise InputError for a job that fits on no node, so would wait for ever."""
    asked = {"CPU": job.needs.cpus, "GPU": job.needs.gpus, **job.needs.resources}
    if any(
        all(has.get(name, 0) >= amount for name, amount in asked.items()) for has in nodes.values()
    ):
        return
    lacking = [
        name
        for name, amount in asked.items()
        if not any(has.get(name, 0) >= amount for has in nodes.values())
    ]
    said = " and ".join(f"{asked[name]:g} {name}" for name in lacking or asked)
    most = ", ".join(
        f"{max((has.get(name, 0) for has in nodes.values()), default=0):g} {name}" for name in asked
    )
    raise InputError(f"{job.name}: no node has {said} (the most that one has: {most})")
