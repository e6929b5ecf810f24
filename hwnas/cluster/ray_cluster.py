"""Ray as the thing that carries out tasks: its placement and its retries, nothing of our own.

The only module that imports Ray, and only inside functions: ``hwnas --help`` and a hwnas without
the extra need none.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from hwnas import __version__
from hwnas.cluster.job import Cluster, Job, JobResult, check_room, total
from hwnas.cluster.lacking import changes, lacking
from hwnas.errors import Stopped, several
from profilers.children import working_in
from profilers.errors import InputError

AUTO, LOCAL = "auto", "local"
RETRIES = 10
"""How often Ray begins a task again whose worker or node died.

Each time it goes on from its own checkpoint.
"""
OBJECT_STORE_BYTES = 100 * 2**20
"""Of a Ray that is started here: jobs and results are small, so nothing near a third of the
memory is needed."""
LOOK_SECONDS = 5.0
CONNECT_SECONDS = 5.0

Say = Callable[[str], None]


@contextmanager
def connected(
    address: str, say: Say = lambda line: None, tick: Callable[[], None] = lambda: None
) -> Iterator[Cluster]:
    """A Ray cluster: that at ``address``; with "auto" the one running on this host, else a fresh
    one, ended after.

    ``tick`` is called every few seconds while tasks run. Ray's own words never reach standard
    output. Raises InputError where Ray isn't installed or can't be reached.
    """
    ray = _ray()
    # Ray's reports of lost nodes go to sys.stdout, twenty lines each; we say the same in one.
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        tempfile.TemporaryDirectory(prefix="hwnas-") as empty,
    ):
        # Ray puts the current folder of its driver on the path of its workers: one that holds no
        # modules.
        with working_in(empty):
            _start(ray, address)
        try:
            nodes = _nodes(ray)
            say(
                f"Ray: {several(len(nodes), 'node')}, {total(nodes, 'CPU'):g} CPUs,"
                f" {total(nodes, 'GPU'):g} GPUs"
            )
            yield Cluster(
                run=lambda jobs: _run(ray, jobs, say, tick),
                nodes=nodes,
                check=lambda path: _check_shared(ray, path),
            )
        finally:
            ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A Ray started here works at our own priority: at Ray's (nice 15) tasks on a busy host starved
    # (docs/log.md).
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError:
        raise InputError("--ray: Ray is not installed; pip install 'hwnas[ray]'") from None
    return ray


def _start(ray: Any, address: str) -> None:
    address = of_this_host() if address == AUTO else address
    check_reachable(address)
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    try:
        with _without_chatter():
            if address == LOCAL:
                ray.init(address=LOCAL, object_store_memory=OBJECT_STORE_BYTES, **quiet)
            else:
                ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        where = {AUTO: "the Ray of this host", LOCAL: "a new Ray on this host"}.get(
            address, address
        )
        # Ray sends its token to no address that was typed, unless it is told to.
        hint = (
            ""
            if os.environ.get("RAY_AUTH_MODE")
            else "; where it asks for a token, set RAY_AUTH_MODE=token"
        )
        raise InputError(f"--ray: {where} can't be reached: {line}{hint}") from None


def of_this_host() -> str:
    """$RAY_ADDRESS; "auto" where the Ray that `ray start` noted on this host still answers; else
    "local", a new one.

    Ray's own "auto" would go on trying a noted one that has died (docs/log.md).
    """
    if os.environ.get("RAY_ADDRESS"):
        return os.environ["RAY_ADDRESS"]
    place = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or tempfile.gettempdir()
    with suppress(OSError, InputError):
        check_reachable(_noted(Path(place) / "ray" / "ray_current_cluster"))
        return AUTO
    return LOCAL


def _noted(path: Path) -> str:
    """The address in a file of this user or of root.

    Raises OSError for another's: all users share the folder.

    Tasks travel as pickles, so a cluster that somebody else noted there could run code as this
    user.
    """
    handle = os.open(
        path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    )
    with open(handle, encoding="utf-8", errors="replace") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or (
            hasattr(os, "geteuid") and found.st_uid not in (0, os.geteuid())
        ):
            raise OSError(f"{path} is no file of this user")
        return file.read(300).strip()


def check_reachable(address: str) -> None:
    """Raise InputError where nobody listens at HOST:PORT: Ray itself would try for many minutes
    (docs/log.md)."""
    if address in (AUTO, LOCAL):
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise InputError(f"--ray: expected HOST:PORT as ray start prints it, not {address[:60]!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--ray: nobody answers at {address}: {getattr(error, 'strerror', None) or error}"
        ) from None


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Ray's C++ part writes its warnings to file descriptor 2, past Python."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _nodes(ray: Any) -> dict[str, dict[str, float]]:
    """{node: {resource: amount}} of those alive."""
    return {_called(node): node["Resources"] for node in ray.nodes() if node["Alive"]}


def _called(node: dict[str, Any]) -> str:
    """Several nodes can be on one host, so its name alone does not do."""
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})"


def _run(ray: Any, jobs: Sequence[Job], say: Say, tick: Callable[[], None]) -> Iterator[JobResult]:
    """Give all tasks to Ray and yield them as they end."""
    alive = _nodes(ray)
    for job in jobs:
        check_room(job, alive)
    waiting = {_submit(ray, job): job for job in jobs}
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=LOOK_SECONDS)
        tick()
        before, alive = alive, _nodes(ray)
        for line in changes(before, alive, waiting.values()):
            say(f"note: {line}")
        for reference in done:
            yield _ended(ray, waiting.pop(reference), reference)


def _submit(ray: Any, job: Job) -> Any:
    remote = ray.remote(_carry_out).options(
        name=job.name,
        num_cpus=job.needs.cpus,
        num_gpus=job.needs.gpus,
        resources=dict(job.needs.resources),
        max_retries=RETRIES,
    )
    return remote.remote(job.function, job.argument)


def _carry_out(function: Callable[[Any], Any], argument: Any) -> Any:
    """On a node: the task itself. What it prints belongs to the node's log."""
    return function(argument)


def _ended(ray: Any, job: Job, reference: Any) -> JobResult:
    try:
        return JobResult(job=job, result=ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, Exception) else error
        return JobResult(job=job, error=lacking(job.name, cause) or cause)
    except ray.exceptions.RayError as error:
        line = str(error).strip().splitlines()[0]
        return JobResult(
            job=job, error=Stopped(f"{job.name}: given up after {RETRIES} retries: {line}")
        )


def _check_shared(ray: Any, path: Path) -> None:
    """Every node with a CPU to give has to see ``path`` as we do, with our version of hwnas."""
    word = secrets.token_hex(8)
    probe = path / f".shared-{word}"
    try:
        probe.write_text(word)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror or error}") from None
    try:
        nodes = [
            node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        ]
        asked = {_called(node): _ask(ray, node["NodeID"], probe) for node in nodes}
        seen = {
            name: _ended(ray, Job(name=f"node {name}", function=_see, argument=probe), reference)
            for name, reference in asked.items()
        }
    finally:
        probe.unlink(missing_ok=True)
    for name, ended in seen.items():
        if ended.error is not None:
            raise InputError(f"--ray: {ended.error}")
        version, found = ended.result
        if version != __version__:
            raise InputError(f"--ray: node {name} has hwnas {version}, this is {__version__}")
        if found != word:
            raise InputError(
                f"--ray: node {name} does not see {path} (or may not write there): put it on a file"
                " system that all nodes share under the same path, or start that node with"
                " --num-cpus 0"
            )


def _ask(ray: Any, node: str, probe: Path) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    return (
        ray.remote(_see)
        .options(num_cpus=0, scheduling_strategy=place, max_retries=RETRIES)
        .remote(probe)
    )


def _see(probe: Path) -> tuple[str, str]:
    """On a node: its version of hwnas, and what stands in the file; nothing where it can't write
    beside it."""
    try:
        found = probe.read_text()
    except OSError:
        found = ""
    return __version__, found if os.access(probe.parent, os.W_OK) else ""


def where() -> str:
    """The node that this task runs on, by host name; empty outside of Ray."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return ""
    return f"{os.uname().nodename} ({ray.get_runtime_context().get_node_id()[:8]})"
