"""Freed memory is kept where glibc allows it, and nothing breaks elsewhere."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from hwnas.nets.fast.allocator import keep_freed_memory

FAULTS = """
import resource, sys
from hwnas.nets.fast.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
import torch
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
# Written to, since the system gives a page at its first touch.
for _ in range(20):
    [torch.zeros(2**18).add_(1) for _ in range(8)]
before = faults()
for _ in range(10):
    [torch.zeros(2**18).add_(1) for _ in range(8)]
print(faults() - before)
"""


def glibc() -> bool:
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


@pytest.mark.skipif(not glibc(), reason="the setting is one of glibc's")
# Slow, so outside the gate: it counts the page faults of a process, which a busy host adds to.
@pytest.mark.slow
def test_maps_of_a_megabyte_are_reused_without_new_pages() -> None:
    # In processes of their own: the setting stays with a process until it ends.
    found = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, how],
                # glibc's own threshold, but fixed: it grows by itself, and whether pages then go
                # back depends on what happens to lie at the end of the heap.
                env={"PYTHONPATH": ":".join(sys.path), "MALLOC_MMAP_THRESHOLD_": "131072"},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for how in ("kept", "given back")
    }
    assert found["kept"] < found["given back"] / 4


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
