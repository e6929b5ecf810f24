"""A cluster that loses nodes and gives results back in another order, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hwnas.cluster.task import Cluster, Task, TaskResult, check_room


def pretended(
    begun: list[str],
    nodes: Mapping[str, Mapping[str, float]] | None = None,
    dies: Callable[[str, int], bool] = lambda name, attempt: False,
    check: Callable[[Path], None] = lambda path: None,
) -> Cluster:
    """Runs the last task first; ``dies(name, attempt)`` loses what a task returned, so that it is begun again."""
    has = nodes or {"a": {"CPU": 1}}

    def run(tasks: Sequence[Task]) -> Iterator[TaskResult]:
        for task in tasks:
            check_room(task, has)
        for task in reversed(tasks):
            yield one(task)

    def one(task: Task) -> TaskResult:
        attempt = 0
        while True:
            attempt += 1
            begun.append(task.name)
            try:
                result: Any = task.function(task.job)
            except Exception as error:
                return TaskResult(task, error=error)
            if not dies(task.name, attempt):
                return TaskResult(task, result)

    return Cluster(run, has, check)
