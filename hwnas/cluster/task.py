"""Tasks that need nothing of one another, and what carries them out: this process, or (ray_cluster.py) Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from profilers.errors import InputError


@dataclass(frozen=True)
class Needs:
    """What a task asks of a node: logical CPUs, GPUs, and custom resources by name (``device:NAME``)."""

    cpus: float = 1
    gpus: float = 0
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """``function(job)``, wherever there is room. It may be begun again after its node died: it has to go on then.

    ``function`` is found by its module and name on the other side, ``job`` and the result are pickled.
    """

    name: str
    function: Callable[[Any], Any] = field(repr=False)
    job: Any = field(repr=False)
    needs: Needs = Needs()


@dataclass(frozen=True)
class TaskResult:
    """How a task ended: with a result, or with the exception that it raised."""

    task: Task
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class Cluster:
    """What tasks run on. ``run`` yields each task once, when it has ended, in no order that can be relied on.

    ``nodes``: how much each has of each resource (CPU, GPU, device:NAME), as they stand when the cluster is met.
    ``check`` raises InputError unless every node that could take a task shares this directory with us.
    """

    run: Callable[[Sequence[Task]], Iterator[TaskResult]]
    nodes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    check: Callable[[Path], None] = lambda path: None


def here() -> Cluster:
    """This process: one task after the other, in the order given."""
    return Cluster(_in_turn)


def _in_turn(tasks: Sequence[Task]) -> Iterator[TaskResult]:
    for task in tasks:
        try:
            result = task.function(task.job)
        except Exception as error:
            yield TaskResult(task, error=error)
        else:
            yield TaskResult(task, result)


def gpus_for(cluster: Cluster, device: str, asked: float | None) -> float:
    """GPUs that one task takes: what was asked for, else one where ``device`` wants it or the cluster has some."""
    if device == "cpu":
        return 0.0
    return asked if asked is not None else float(device == "cuda" or total(cluster.nodes, "GPU") > 0)


def total(nodes: Mapping[str, Mapping[str, float]], resource: str) -> float:
    """How much of a resource all nodes have together."""
    return float(sum(has.get(resource, 0) for has in nodes.values()))


def check_room(task: Task, nodes: Mapping[str, Mapping[str, float]]) -> None:
    """Raise InputError for a task that fits on no node, so would wait for ever."""
    asked = {"CPU": task.needs.cpus, "GPU": task.needs.gpus, **task.needs.resources}
    if any(all(has.get(name, 0) >= amount for name, amount in asked.items()) for has in nodes.values()):
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
    raise InputError(f"{task.name}: no node has {said} (the most that one has: {most})")
