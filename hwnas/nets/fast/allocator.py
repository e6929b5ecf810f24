"""Memory that a step frees is kept for the next one: a setting of the process that `hwnas train`
makes, and `hwnas search` does not."""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = 2**31 - 1
_GROWTH_BYTES = 64 * 2**20


def keep_freed_memory() -> bool:
    """Make glibc keep what is freed instead of giving it back to the system; True where that took
    effect.

    Every feature map is one block of a megabyte or more. By default glibc gives such blocks back
    when they are freed and asks for them again in the next operation, and the system fills each
    page with zeros at its first touch; after some of them glibc keeps larger blocks by itself, so
    what the setting saves differs between machines (docs/log.md, 2026-11-28). Freed memory stays
    with the process until it ends. Call it once, before the first step, in a process that does
    nothing else; elsewhere than on Linux with glibc nothing happens.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no C library to be had, or another than glibc
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _GROWTH_BYTES))
    return all([bool(mallopt(name, value)) for name, value in settings])
