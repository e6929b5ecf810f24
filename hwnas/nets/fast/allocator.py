"""What happens to memory that a step frees.

It is kept for the next step by a setting of the process that `hwnas train`, `search`, `resume` and
`plan` make; the Python interface, in a process of the user's own, doesn't. It is given back where a
step found too little memory.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Any

import torch

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


def give_back_freed_memory() -> None:
    """Give freed memory back to the system and to the GPU: what is tried next may need it in
    another shape."""
    torch.cuda.empty_cache()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # no C library to be had, or another than glibc
            ctypes.CDLL(None).malloc_trim(0)


def go_on_without_onednn() -> None:
    """Compute convolutions by torch's own code from now on, in this process.

    Once oneDNN found no memory for the code of one convolution, it refused every new one, with 190
    MB free by then (torch 2.13). torch's own code is slower, and needs none per shape.
    """
    onednn: Any = torch.backends.mkldnn
    onednn.enabled = False
