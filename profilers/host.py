"""What machine this is: facts about the host that go into every receipt.

Standard library only: this file travels to remote hosts.
"""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine: its CPU's model name, usable cores, memory in MiB (0: unknown), operating
    system."""

    cpu: str
    cores: int
    memory_mib: int
    system: str

    @property
    def fingerprint(self) -> str:
        """One line that names the machine's kind, with a short hash; no host name, no address."""
        text = f"{self.cpu}, {self.cores} cores, {self.memory_mib} MiB, {self.system}"
        return f"{text} [{hashlib.sha256(text.encode()).hexdigest()[:8]}]"


def host() -> Host:
    """The machine that this process runs on."""
    return Host(
        cpu=cpu_model(),
        cores=usable_cores(),
        memory_mib=memory_mib(),
        system=f"{platform.system()} {platform.machine()}",
    )


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's model name as the system tells it; on small boards the board's name."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine() or "unknown CPU"
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    return (
        facts.get("model name") or facts.get("Model") or facts.get("Hardware") or platform.machine()
    )


def usable_cores() -> int:
    """Cores that this process may use, which in a container is less than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_mib(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Total memory of the machine in MiB, 0 where the system does not tell."""
    try:
        first = meminfo.read_text(encoding="utf-8").splitlines()[0]
        return int(first.split()[1]) // 1024
    except (OSError, IndexError, ValueError):
        return 0


def available_mib(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Memory in MiB that programs can still be given without swapping, 0 where the system does
    not tell."""
    try:
        lines = meminfo.read_text(encoding="utf-8").splitlines()
        return next(
            int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable:")
        )
    except (OSError, IndexError, ValueError, StopIteration):
        return 0


def process_memory_mib(peak: bool, status: Path = Path("/proc/self/status")) -> float | None:
    """Resident memory of this process in MiB, now or at its highest; None where the system does not
    tell.

    Not `ru_maxrss`: on Linux that starts at the size of the parent which forked this process.
    """
    wanted = "VmHWM:" if peak else "VmRSS:"
    try:
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith(wanted):
                return int(line.split()[1]) / 1024
    except (OSError, IndexError, ValueError):
        pass
    return None
