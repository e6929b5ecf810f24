"""Image files that are read when they are asked for, and what tells files apart whatever their
names are."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from hwnas.heard import counted
from hwnas.training.arrays import noisy
from hwnas.training.dataset import generator
from hwnas.training.picture import read_image
from hwnas.training.stored import Wanted
from profilers.errors import InputError
from profilers.host import usable_cores

# Files of more than this in all are told apart by their first and last bytes and their size.
WHOLE_BYTES = 4 << 30
_END_BYTES = 4096
_MOST_COMPARED = 100_000
READERS, MOST_READERS = 4, 16
AHEAD = 2
"""Batches that are read while a device trains on the one before."""
MANY = 2000
"""Images that are more than a batch: how many of them are read is told."""


@dataclass(frozen=True, repr=False, kw_only=True)
class Files:
    """Images that are read when they are asked for: the shorter side resized to `side`, the centre
    cut out.

    `noise`: standard deviation of Gaussian noise, in the range 0..1, a function of `stream` and the
    index alone.
    """

    paths: tuple[str, ...]
    image: tuple[int, int, int]
    noise: float = 0.0
    stream: int = 0

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.paths)

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """Return uint8 (n, C, H, W); raises `InputError` that names an unreadable file."""
        # Decoding releases Python's lock; `map` keeps the order, so threads change nothing but the
        # time.
        with ThreadPoolExecutor(READERS) as pool:
            found = pool.map(self._read, index.tolist())
            if len(index) >= MANY:
                return torch.stack([*counted(found, "image files read", len(index))])
            return torch.stack([*found])

    def ahead(self, batches: Iterable[Wanted], /) -> Iterator[Tensor]:
        """uint8 (n, C, H, W) of each batch, read while the one before is used.

        At most ``AHEAD`` of them wait to be used. Who asks for one alone has one read alone. A file
        that cannot be read raises InputError where its turn comes.
        """
        waiting: deque[list[Future[Tensor]]] = deque()
        pool = ThreadPoolExecutor(max(READERS, min(MOST_READERS, usable_cores())))
        try:
            for number, (index, cuts) in enumerate(batches):
                columns = [None] * len(index) if cuts is None else cuts.T.tolist()
                pairs = zip(index.tolist(), columns, strict=True)
                waiting.append([pool.submit(self._read, *pair) for pair in pairs])
                if number == 0 or len(waiting) > AHEAD:
                    yield _stacked(waiting.popleft())
            while waiting:
                yield _stacked(waiting.popleft())
        finally:
            # Who stops early, or meets an error, waits for no file that is not wanted any more.
            pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, index: int, cut: tuple[float, float, float, float] | None = None) -> Tensor:
        pixels = read_image(self.paths[index], self.image, cut)
        return noisy(pixels, self.noise, generator(self.stream, index)) if self.noise else pixels

    def only(self, index: Tensor, /) -> Files:
        """Return the files at `index` (n,), in that order."""
        return replace(self, paths=tuple(self.paths[i] for i in index.tolist()))

    def disturbed(self, std: float, stream: int, /) -> Files:
        """Return the same files with noise of `std`, another for each `stream`."""
        return replace(self, noise=std, stream=stream)

    def contents(self) -> list[bytes]:
        """Return 16 bytes per file that tell other contents, or another noise, apart.

        Of more than `WHOLE_BYTES` in all, first and last bytes and the size of each file stand for
        it. Raises `InputError` that names a file that cannot be read.
        """
        whole = sum(map(_size, self.paths)) <= WHOLE_BYTES
        salt = repr(self.noise).encode()
        with ThreadPoolExecutor(READERS) as pool:
            found = pool.map(partial(_file_digest, whole=whole, salt=salt), self.paths)
            return [*counted(found, "image files compared", len(self.paths))]


def _stacked(read: list[Future[Tensor]]) -> Tensor:
    return torch.stack([one.result() for one in read])


def spread(names: Sequence[str]) -> list[str]:
    """Sort files by size and contents, so that which of them are looked at does not depend on
    their names."""
    sizes = {name: _size(name) for name in counted(names, "image files listed", len(names))}
    alike = Counter(sizes.values())

    def key(name: str) -> tuple[int, bytes]:
        size = sizes[name]
        known = alike[size] == 1 or len(names) > _MOST_COMPARED
        return size, b"" if known else _file_digest(name, whole=False)

    return sorted(names, key=key)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise InputError(f"image {path}: cannot be read ({error.strerror or error})") from error


def _file_digest(path: str, *, whole: bool, salt: bytes = b"") -> bytes:
    """Return 16 bytes that change with the file: with all of it, or with its size, first and
    last bytes."""
    total = hashlib.blake2b(salt, digest_size=16)
    try:
        with open(path, "rb") as file:
            if whole:
                while chunk := file.read(1 << 20):
                    total.update(chunk)
            else:
                length = file.seek(0, os.SEEK_END)
                total.update(length.to_bytes(8, "little"))
                for place in (0, max(0, length - _END_BYTES)):
                    file.seek(place)
                    total.update(file.read(_END_BYTES))
    except OSError as error:
        raise InputError(f"image {path}: cannot be read ({error.strerror or error})") from error
    return total.digest()
