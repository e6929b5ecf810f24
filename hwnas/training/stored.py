"""Images that are not held in memory, but read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from torch import Tensor


class Wanted(NamedTuple):
    """Images of one batch: `at` (n,) int64, and which rectangle of each picture.

    `cuts`: (4, n), as hwnas.training.augment.rectangles gives them; None for the middle square.
    """

    at: Tensor
    cuts: Tensor | None = None


class Stored(Protocol):
    """Images that are not held in memory, but read when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """`index`: (n,) int64. Returns uint8 (n, C, H, W)."""

    def ahead(self, batches: Iterable[Wanted], /) -> Iterator[Tensor]:
        """Yield the images of each batch, read while those before are used."""

    def only(self, index: Tensor, /) -> Stored:
        """Return the images at `index` (n,), in that order."""

    def disturbed(self, std: float, stream: int, /) -> Stored:
        """Return the same images with noise, a function of `stream` and the position of an image
        alone."""

    def contents(self) -> list[bytes]:
        """Return bytes per image that tell other contents apart, but not another name."""


Images = Tensor | Stored
"""Images by index: a uint8 tensor (N, C, H, W) in memory, or files."""
