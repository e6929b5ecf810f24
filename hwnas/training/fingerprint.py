"""What a run keeps of its images: digests that tell other images apart, not other names or another
order.

A digest begins with the number of the way in which it was made. Those of earlier versions have
none: they followed the order of files and rows, and of large folders stated names and sizes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from torch import Tensor

from hwnas.training.dataset import Dataset
from hwnas.training.order import pixel_digests
from hwnas.training.stored import Images

VERSION = "2:"


@dataclass(frozen=True, kw_only=True)
class PartPrint:
    """The training or the test images: how many, and 16 hex digits that change with any of them
    or its class."""

    count: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """`whole` changes with images, labels, their order and the split; `train` and `test` not
    with the last two."""

    whole: str
    train: PartPrint
    test: PartPrint


_KNOWN: WeakKeyDictionary[Dataset, Fingerprint] = WeakKeyDictionary()


def fingerprint(dataset: Dataset) -> Fingerprint:
    """Return the digests of a data set; large folders are read once for it, from their files."""
    if dataset not in _KNOWN:
        _KNOWN[dataset] = _fingerprint(dataset)
    return _KNOWN[dataset]


def digest(dataset: Dataset) -> str:
    """Return what a resumed run or training compares: it changes with images, labels, order or
    split."""
    return fingerprint(dataset).whole


def _fingerprint(dataset: Dataset) -> Fingerprint:
    head = repr((dataset.classes, dataset.image)).encode()
    whole, parts = hashlib.blake2b(head, digest_size=8), []
    for images, labels in (
        (dataset.train, dataset.train_labels),
        (dataset.test, dataset.test_labels),
    ):
        records = [
            label.to_bytes(8, "little") + content
            for label, content in zip(labels.tolist(), _contents(images), strict=True)
        ]
        one = hashlib.blake2b(head, digest_size=8)
        for record in records:
            whole.update(record)
        for record in sorted(records):
            one.update(record)
        parts.append(PartPrint(count=len(records), digest=one.hexdigest()))
    for name in sorted(dataset.split):
        whole.update(dataset.split[name].cpu().numpy().tobytes())
    return Fingerprint(whole=VERSION + whole.hexdigest(), train=parts[0], test=parts[1])


def _contents(images: Images) -> list[bytes]:
    return pixel_digests(images) if isinstance(images, Tensor) else images.contents()
