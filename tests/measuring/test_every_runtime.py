"""Every runtime that is installed: its process killed or stopped, and on another machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hwnas.measuring.bench import Bench, Item, bench_at
from hwnas.measuring.subjects import Shape, genotype
from hwnas.space import SPACES
from hwnas.space.family import family
from profilers.device import Device
from profilers.measurement import Failure, Measurement
from profilers.onnx_latency import Measure
from profilers.remote import Transport, remote
from profilers.timing import Protocol
from tests.profilers.installed import INSTALLED

pytestmark = pytest.mark.slow
QUICK = Protocol(budget_s=0.05, min_s=0.01, warmup_s=0.01)
LONG = Protocol(budget_s=1.5, min_s=1.0, warmup_s=1.0)
"""Takes at least two seconds, so a process is still at work when it is signalled."""
SMALL = Shape(channels=4, cells=2, image=(3, 8, 8))


def bench(
    name: str, limit_s: float = 60.0, run: Measure | None = None, protocol: Protocol = QUICK
) -> Bench:
    of = family(SPACES["darts"], channels=4, cells=2, classes=10, image=(3, 8, 8), stem="cifar")
    cpu = Device(name="cpu", kind="cpu", description="here")
    return bench_at("cpu", of, cpu, protocol, backend=name, limit_s=limit_s, run=run)


def networks() -> list[Item]:
    found = [genotype(text, SMALL).architecture for text in ("DARTS_V2", "PDARTS")]
    return [one for one in found if one is not None]


@contextmanager
def signalled(number: int, first: int) -> Iterator[list[int]]:
    """Send a signal to the first so many measuring processes that this one starts."""
    hit: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02) and len(hit) < first:
            for child in workers():
                if child not in hit and len(hit) < first:
                    time.sleep(0.3)  # into its work: importing, loading or running
                    with suppress(ProcessLookupError):
                        os.kill(child, number)
                    hit.append(child)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield hit
    finally:
        ended.set()
        thread.join()


def workers() -> list[int]:
    """The measuring processes that are children of this one, the oldest first."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
            if parent == os.getpid() and b"profilers.worker" in command:
                found.append(int(folder.name))
    return sorted(found)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("name", INSTALLED)
def test_a_process_that_is_killed_or_stopped_costs_one_measurement(name: str, number: int) -> None:
    # Both networks share the first process; the second one is the first network's own.
    limit_s = 60.0 if number == signal.SIGKILL else 15.0
    with signalled(number, first=2) as hit:
        lost, kept = bench(name, limit_s, protocol=LONG).latencies(networks())
    assert len(hit) == 2
    assert isinstance(lost, Failure)
    assert lost.reason == ("out of memory" if number == signal.SIGKILL else "timeout")
    assert lost.receipt.backend == name
    assert isinstance(kept, Measurement), kept
    assert not workers()


@pytest.mark.parametrize("name", INSTALLED)
def test_another_machine_is_sent_the_file_that_its_runtime_reads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = remote(Transport(command=("sh", "-c"), python=sys.executable))
    for found in (
        *bench(name, run=there).latencies(networks()),
        *bench(name, run=there).memories(networks()[:1]),
    ):
        assert isinstance(found, Measurement), found
        assert found.receipt.backend == name and dict(found.receipt.versions)[name]
    assert not list(tmp_path.iterdir())
