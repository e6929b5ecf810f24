"""What a node of a cluster lacks for a job, and what its version changes, in one line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hwnas.cluster.job import Job, total
from profilers.errors import InputError


def lacking(name: str, error: Exception) -> InputError | None:
    """What to say where a node lacks a package, which Ray tells in a page that ends with
    Python's own line."""
    if "failed to import on the worker" not in str(error) and not isinstance(
        error, ModuleNotFoundError
    ):
        return None
    last = str(error).strip().splitlines()[-1].removeprefix("ModuleNotFoundError: ")
    return InputError(
        f"{name}: {last} there; every node needs the same hwnas (pip install 'hwnas[ray]')"
    )


def changes(
    before: Mapping[str, Mapping[str, float]],
    now: Mapping[str, Mapping[str, float]],
    left: Iterable[Job],
) -> list[str]:
    """Which nodes have come and gone, in words, and what nobody offers any more though tasks
    that are left need it."""
    gone, new = sorted(before.keys() - now.keys()), sorted(now.keys() - before.keys())
    lines = [
        f"node {name} is gone; its tasks begin again elsewhere, from their checkpoints"
        for name in gone
    ]
    lines += [f"node {name} has joined" for name in new]
    for name in sorted({name for job in left for name in job.needs.resources}):
        if total(before, name) and not total(now, name):
            lines.append(f"no node offers {name} any more; its tasks wait for one")
    return lines
