"""How far the scoring of finalists is, in a line now and then: it may take minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from hwnas.measuring.attached import Say
from hwnas.training.data import Batch

EVERY_S = 20.0


def told(
    images: Iterable[Batch],
    total: int,
    networks: int,
    say: Say,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Batch]:
    """The same batches; said before the first, and every twenty seconds after one. ``total``: how
    many images there are."""
    said, done = clock(), 0
    say(f"scoring {networks} networks on {total:,} images (finalists, and random ones to compare)")
    for batch in images:
        yield batch
        done += len(batch.y)
        if clock() - said >= EVERY_S and done < total:
            said = clock()
            say(f"scored on {done:,} of {total:,} images")
