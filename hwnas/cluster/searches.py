"""Whole searches as tasks: those that have ended are left, begun ones go on, the rest begin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.catalog import find_device
from hwnas.cluster.job import Cluster, Job, Needs, gpus_for
from hwnas.cluster.place import until_free
from hwnas.cluster.ray_cluster import where
from hwnas.cluster.sweep_file import Planned, State, check_same, state_of
from hwnas.config import Config
from hwnas.costs.tables import tables, user_folder
from hwnas.runs.atomic import atomic_write
from hwnas.runs.directory import lock_in, open_run
from hwnas.staged import forget_left_folders
from profilers.device import load as load_device
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.search.progress import SearchProgress

Watching = Callable[[Path], AbstractContextManager[Callable[["SearchProgress"], None]]]


@dataclass(frozen=True, kw_only=True)
class SearchJob:
    """One search: where its run directory is or will be (absolute), and its settings.

    ``tables``: latency tables of its target that were calibrated here, by file name: a node without
    them would search by a rougher estimate.
    """

    path: Path
    config: Config
    tables: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SearchedThere:
    """A task's answer: the node it ended on, and how far the run was when that node took it."""

    node: str
    found: State


@contextmanager
def _recording(path: Path) -> Iterator[Callable[[SearchProgress], None]]:
    """Nobody watches; TensorBoard's events are written at the end, as ``hwnas search`` does."""
    from hwnas.report.events import write_events

    yield lambda progress: None
    with suppress(OSError, ValueError):
        write_events(open_run(path))


def search_there(job: SearchJob, watching: Watching = _recording) -> SearchedThere:
    """On a node: go on with the search in ``job.path`` from its checkpoint, or begin it."""
    from hwnas.search.search import resume, search

    state = state_of(job.path)
    if state == "started":
        until_free(
            open_run(job.path)
        )  # a process whose node has just died may hold it for a moment
        state = state_of(job.path)
    if state == "finished":
        return SearchedThere(node=where(), found=state)
    with watching(job.path) as watch:
        if state == "started":
            resume(job.path, watch)
        else:
            forget_left_folders(job.path)
            take_tables(job.tables)
            with _said(["hwnas", "search", "--config", str(job.path / "config.toml")]):
                search(job.config, job.path, watch)
    return SearchedThere(node=where(), found=state)


def sweep_on(
    cluster: Cluster,
    runs: Sequence[Planned],
    out: Path,
    *,
    gpus: float | None = None,
    watching: Watching | None = None,
    done: Callable[[Planned, SearchedThere], None] = lambda run, found: None,
    failed: Callable[[Planned, Exception], None] = lambda run, error: None,
) -> None:
    """Bring every run of the sweep in ``out`` to its end; ``failed`` hears of those that could not
    be.

    ``watching``: only for this process (a function that can't travel). Raises InputError where a
    run was begun with other settings, a node does not share ``out``, or another process is at it.
    """
    out = out.absolute()
    for run in runs:
        if state_of(out / run.name) != "missing":
            check_same(run, out / run.name)
    with _alone(out):
        cluster.check(out)
        left = [run for run in runs if state_of(out / run.name) != "finished"]
        _fetch([run.config for run in left])
        function = search_there if watching is None else partial(search_there, watching=watching)
        tasks = [
            Job(
                name=run.name,
                function=function,
                argument=SearchJob(
                    path=out / run.name, config=run.config, tables=tables_for(run.config)
                ),
                needs=Needs(
                    cpus=run.config.threads, gpus=gpus_for(cluster, run.config.device, gpus)
                ),
            )
            for run in left
        ]
        by_name = {run.name: run for run in left}
        for ended in cluster.run(tasks):
            if ended.error is None:
                done(by_name[ended.job.name], ended.result)
            else:
                failed(by_name[ended.job.name], ended.error)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One driver per sweep. The lock of one that was killed is free."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = lock_in(out, f"sweep {out}")
    except OSError as error:
        raise InputError(f"sweep {out} can't be written: {error.strerror or error}") from None
    try:
        yield
    finally:
        held.release()


def _fetch(configs: Sequence[Config]) -> None:
    """Public data sets are downloaded here, once, not by every task."""
    from hwnas.training.data import load

    wanted: dict[tuple[Any, ...], Config] = {}
    for config in configs:
        if config.data.download:
            wanted.setdefault((config.data.source, config.data.root), config)
    for config in wanted.values():
        root = Path(config.data.root) if config.data.root else None
        load(config.data.source, root=root, download=True, image_size=config.data.image_size)


def tables_for(config: Config) -> tuple[tuple[str, bytes], ...]:
    """This user's own tables of the target, where the search asks for a latency."""
    if "latency" not in {objective.metric for objective in config.objectives}:
        return ()
    name = load_device(find_device(config.target)).name
    return tuple(
        (path.name, path.read_bytes()) for path in tables(name) if path.parent == user_folder()
    )


def take_tables(found: Sequence[tuple[str, bytes]]) -> None:
    """On a node: keep the tables that it does not have; its own are never replaced."""
    for name, content in found:
        path = user_folder() / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, content)


@contextmanager
def _said(words: list[str]) -> Iterator[None]:
    """The run directory keeps the command that would repeat it, not that of a worker."""
    before = sys.argv
    sys.argv = words
    try:
        yield
    finally:
        sys.argv = before
