"""Work on a batch that is done in smaller pieces where the memory is too small for all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hwnas.errors import NO_CODE, Stopped, is_memory
from hwnas.nets.fast.allocator import give_back_freed_memory, go_on_without_onednn

T = TypeVar("T")


def in_pieces(work: Callable[[int], T], pieces: int, most: int) -> tuple[T, int]:
    """What ``work(pieces)`` gives, and in how many pieces it was done: twice as many each time
    that the memory was too small.

    Raises the library's own error where even ``most`` pieces, or nearly as many, are too large.
    """
    while True:
        try:
            return work(pieces), pieces
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, Stopped) or not is_memory(error) or 2 * pieces > most:
                raise
            if NO_CODE in str(error):
                go_on_without_onednn()
        # Outside of the handler, whose traceback would keep the maps of the failed piece alive.
        pieces *= 2
        give_back_freed_memory()
