"""Three nodes of Ray on this host, one of which can be killed; the hwnas of a test is a process
of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[2]
STORE = 80 * 2**20
HWNAS = [sys.executable, "-m", "hwnas"]
# Ray's workers are nice 15 by default: on a busy host importing torch then takes minutes.
ENVIRONMENT = {
    "RAY_worker_niceness": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),  # as if hwnas were installed on every node
}


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """``address`` for --ray; the first node is the one that drivers hang on, so it is the others
    that die."""

    address: str
    kill: Callable[[int], None]


@contextmanager
def nodes(*resources: Mapping[str, float], cpus: int = 1) -> Iterator[Nodes]:
    """A head without devices and one more node per mapping of custom resources, each with
    ``cpus`` logical CPUs."""
    from ray.cluster_utils import Cluster

    same: dict[str, Any] = {
        "num_cpus": cpus,
        "object_store_memory": STORE,
        "include_dashboard": False,
    }
    with patch.dict(os.environ, ENVIRONMENT):
        cluster = Cluster(initialize_head=True, head_node_args=same)
    try:
        with patch.dict(os.environ, ENVIRONMENT):
            more = [
                cluster.add_node(num_cpus=cpus, object_store_memory=STORE, resources=dict(one))
                for one in resources
            ]
        yield Nodes(
            address=cluster.address,
            kill=lambda number: cluster.remove_node(more[number], allow_graceful=False),
        )
    finally:
        cluster.shutdown()


def begin(words: list[str], cwd: Path, out: Path) -> subprocess.Popen[bytes]:
    """hwnas as a process: its standard output in ``out``, all else beside it."""
    environment = {**os.environ, **ENVIRONMENT}
    with open(out, "wb") as printed, open(out.with_suffix(".err"), "wb") as noted:
        return subprocess.Popen(
            [*HWNAS, *words], cwd=cwd, env=environment, stdout=printed, stderr=noted
        )


def until(true: Callable[[], bool], limit_s: float = 300.0) -> None:
    """Wait for something; TimeoutError after ``limit_s``."""
    end = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)
