"""The order of images, which is their own: not that of a file, of file names or of rows.

Images in memory are ordered by the name of their class and by a digest of their pixels. Of a folder
that is too large to be held, the sorted file names are permuted by a fixed seed. All that a search
and a training draw is a function of positions in this order: halves, held-out images, batches and
noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hwnas.training.dataset import generator, stratified_order
from hwnas.training.stored import Images

_SHUFFLE = 16
"""Seed of the permutation of file names: any number would do, as long as it never changes."""


class Labelled(NamedTuple):
    """`images`: uint8 (N, C, H, W), or files; `labels`: (N,) int64 class indices.

    `names`: where each image was found: its file, or its row (the default).
    """

    images: Images
    labels: Tensor
    names: tuple[str | int, ...] = ()


def in_order(part: Labelled, classes: Sequence[str]) -> Labelled:
    """Return the same images in the order that is their own, whatever order they came in."""
    names = part.names or tuple(range(len(part.labels)))
    if isinstance(part.images, Tensor):
        keys: list[tuple[str, bytes | str]] = [
            (classes[label], digest)
            for label, digest in zip(part.labels.tolist(), pixel_digests(part.images), strict=True)
        ]
        order = _sorted(keys)
    else:
        order = _sorted(
            [(classes[label], str(n)) for label, n in zip(part.labels, names, strict=True)]
        )
        order = order[torch.randperm(len(order), generator=generator(_SHUFFLE, len(order)))]
    return taken(part._replace(names=names), order)


def taken(part: Labelled, index: Tensor) -> Labelled:
    """Return the images at `index` (n,) with their labels and names."""
    images = part.images[index] if isinstance(part.images, Tensor) else part.images.only(index)
    return Labelled(images, part.labels[index], tuple(part.names[i] for i in index.tolist()))


def pixel_digests(images: Tensor) -> list[bytes]:
    """Return 16 bytes per image of uint8 (N, C, H, W) that tell different pixels apart."""
    rows = images.cpu().contiguous().view(len(images), -1).numpy()
    return [hashlib.blake2b(row, digest_size=16).digest() for row in rows]


def hold_out(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return sorted indices (training, test) with a fifth of each class held out.

    Always the same fifth of images in their order, whatever the seed of the run: a search must
    never have seen what a later training tests on.
    """
    order = stratified_order(labels, seed=0)
    held_out = torch.arange(len(labels)) % 5 == 4
    return order[~held_out].sort().values, order[held_out].sort().values


def _sorted(keys: Sequence[tuple[str, bytes | str]]) -> Tensor:
    # Equal keys are equal pixels of one class: which of them comes first makes no difference.
    return torch.tensor(sorted(range(len(keys)), key=keys.__getitem__), dtype=torch.int64)
