"""A data set as a frozen value, and batches as a pure function of it, a seed and a position.

Nothing here holds the state of a random generator: batch k of an epoch depends on (data, split,
batch size, seed, k) alone, so a search that was stopped resumes with exactly the batches that it
would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hwnas.space.task import Task
from hwnas.training.augment import (
    Augment,
    augmented,
    cut_out,
    middle_window,
    random_window,
    rectangles,
)
from hwnas.training.stored import Images, Wanted

Split = Literal["weights", "policy", "train", "test"]


class Batch(NamedTuple):
    """`x`: (n, C, H, W) float32, normalised per channel. `y`: (n,) int64 class indices.

    `soft`: (n, classes) probabilities that a teacher gives, where the data set has them.
    """

    x: Tensor
    y: Tensor
    soft: Tensor | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Images, labels and the split of the training set.

    `split` holds the indices within `train` of "weights" and "policy" (disjoint halves, class by
    class) and of "train" (both). "test" is a set of its own, which a search never touches.
    `mean`, `std`: per channel, of pixel values in 0..1.
    `augment`: what suits these images; apply it by passing it to `batches`.
    `test_names`: where each test image was found: its file as seen from the data folder, or its
    row.
    `crop`: the share of the side of a picture's middle square that networks see: in training
    anywhere in it, else its middle. `train` and `test` hold the whole squares.
    `soft_labels`: what a teacher says of each image of `train`, (N, classes) probabilities.
    `notes`: lines about what was not read, or not as it is.
    """

    name: str
    classes: tuple[str, ...]
    image: tuple[int, int, int]
    train: Images
    train_labels: Tensor
    test: Images
    test_labels: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    split: Mapping[str, Tensor]
    augment: Augment = field(default_factory=Augment)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    test_names: tuple[str | int, ...] = ()
    notes: tuple[str, ...] = ()
    soft_labels: Tensor | None = None
    crop: float = 1.0

    @property
    def task(self) -> Task:
        """What a network on these images is for."""
        return Task(classes=len(self.classes), image=self.image)


def size(dataset: Dataset, split: Split) -> int:
    """Return the number of images of a split."""
    return len(dataset.test) if split == "test" else len(dataset.split[split])


def batch_count(dataset: Dataset, split: Split, batch_size: int, drop_last: bool = False) -> int:
    """Return how many batches one pass over `split` has."""
    full, rest = divmod(size(dataset, split), batch_size)
    return full + (rest > 0 and not drop_last)


def batches(
    dataset: Dataset,
    split: Split,
    batch_size: int,
    seed: tuple[int, ...] | None = None,
    *,
    augment: Augment | None = None,
    start: int = 0,
    stride: int = 1,
    drop_last: bool = False,
) -> Iterator[Batch]:
    """Yield one pass over `split`, from batch number `start`, every `stride`-th of them.

    `seed`, for example (run seed, stage, epoch), sets the order and the augmentation of every
    batch; None keeps the order of the data, as an evaluation does, and allows no augmentation. That
    order goes class by class: a network that normalises by the statistics of its batch is scored on
    `equal_batches`.
    """
    if augment is not None and seed is None:
        raise ValueError("augmentation needs a seed")
    order = _order(dataset, split, seed)
    numbers = range(start, batch_count(dataset, split, batch_size, drop_last), stride)
    indices = [order[number * batch_size : (number + 1) * batch_size] for number in numbers]
    words = [None if seed is None else (*seed, number) for number in numbers]
    read = _ahead(dataset, split, indices, augment, words)
    for index, of_batch, pixels in zip(indices, words, read, strict=True):
        yield _batch(dataset, split, index, pixels, augment, of_batch)


def equal_batches(
    dataset: Dataset,
    split: Split,
    batch_size: int,
    seed: tuple[int, ...],
    count: int | None = None,
    start: int = 0,
) -> Iterator[Batch]:
    """Yield every image of `split` from number `start` on, or `count` different ones, once, in a
    shuffled order that `seed` sets.

    The fewest batches that are no larger than `batch_size`; their sizes differ by one image at
    most, so that none of several is under half of it: to score by the statistics of a batch, which
    have to mean the same.
    """
    order = _order(dataset, split, seed)[start:][:count]
    indices = torch.tensor_split(order, max(1, -(-len(order) // batch_size)))
    read = _ahead(dataset, split, indices, None, [None] * len(indices))
    for index, pixels in zip(indices, read, strict=True):
        yield _batch(dataset, split, index, pixels, None, None)


def sample(
    dataset: Dataset,
    split: Split,
    count: int,
    seed: tuple[int, ...],
    *,
    augment: Augment | None = None,
) -> Batch:
    """Draw `count` different images of `split`, all where there are fewer; a function of `seed`
    alone."""
    index, words = _order(dataset, split, seed)[:count], (*seed, 0)
    (pixels,) = _ahead(dataset, split, [index], augment, [words])
    return _batch(dataset, split, index, pixels, augment, words)


def to_device(dataset: Dataset, device: torch.device | str) -> Dataset:
    """Return the data set with its batches, and where they are in memory its images, on
    `device`."""
    device = torch.device(device)
    train, test = (
        images.to(device) if isinstance(images, Tensor) else images
        for images in (dataset.train, dataset.test)
    )
    return replace(dataset, train=train, test=test, device=device)


def generator(*words: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator seeded by a tuple of integers, without the collisions of adding them up.

    On `device`: CUDA draws from a CPU's generator for tensors of the CPU only. The same words draw
    the same numbers on one kind of device, others on another.
    """
    # SeedSequence reads (0, 1) and (0, 1, 0) alike, and a long integer like two short ones: state
    # the length, and give every word two places.
    places = [half for word in words for half in (word & 0xFFFFFFFF, word >> 32 & 0xFFFFFFFF)]
    state = np.random.SeedSequence([len(words), *places]).generate_state(2, np.uint32)
    return torch.Generator(device).manual_seed(int(state[0]) << 32 | int(state[1]))


def halves(labels: Tensor, seed: int, share: float = 0.5) -> tuple[Tensor, Tensor]:
    """Split indices into two disjoint parts, of which the second has about `share` of each class.

    As halves, they differ by one image of each class at the most, and the first is larger by one
    where the number is odd. `labels`: (N,) int64. Both results are sorted.
    """
    by_class = stratified_order(labels, seed)
    # Whole multiples of the share fall into the second part: of 1/2 every other image.
    places = torch.arange(len(labels) + 1, dtype=torch.float64) * share + 1e-9
    second = places.floor().diff() > 0
    return by_class[~second].sort().values, by_class[second].sort().values


def stratified_order(labels: Tensor, seed: int) -> Tensor:
    """Return a permutation of the indices that goes class by class, shuffled within each."""
    shuffled = torch.randperm(len(labels), generator=generator(seed, len(labels)))
    return shuffled[labels[shuffled].argsort(stable=True)]


def _order(dataset: Dataset, split: Split, seed: tuple[int, ...] | None) -> Tensor:
    members = torch.arange(len(dataset.test)) if split == "test" else dataset.split[split]
    return (
        members
        if seed is None
        else members[torch.randperm(len(members), generator=generator(*seed))]
    )


def _ahead(
    dataset: Dataset,
    split: Split,
    indices: Sequence[Tensor],
    augment: Augment | None,
    words: Sequence[tuple[int, ...] | None],
) -> Iterator[Tensor | None]:
    """The pixels of each batch, read ahead; None of images that are in memory."""
    images = dataset.test if split == "test" else dataset.train
    if isinstance(images, Tensor):
        return (None for _ in indices)
    return images.ahead(
        Wanted(
            at=index,
            # Of the whole picture in its file, not of the square that is kept of it.
            cuts=rectangles(len(index), augment.smallest_area, _draws(seed))
            if augment is not None and seed is not None and augment.smallest_area < 1
            else None,
        )
        for index, seed in zip(indices, words, strict=True)
    )


def _batch(
    dataset: Dataset,
    split: Split,
    index: Tensor,
    read: Tensor | None,
    augment: Augment | None,
    seed: tuple[int, ...] | None,
) -> Batch:
    """The images at ``index``, whose pixels are those ``read``, or in memory."""
    images, labels = (
        (dataset.test, dataset.test_labels)
        if split == "test"
        else (dataset.train, dataset.train_labels)
    )
    both = torch.stack([index, labels[index]]).to(dataset.device)  # one copy to a GPU, not two
    y = both[1]
    if read is None:
        assert isinstance(images, Tensor)
        read = images[both[0] if images.device == both.device else index]
    pixels = read.to(dataset.device)
    soft = None
    if dataset.soft_labels is not None and split != "test":
        soft = dataset.soft_labels[index].to(dataset.device)
    if augment is None or seed is None:
        return Batch(_normalised(dataset, middle_window(pixels, dataset.image[1:])), y, soft)
    draws = _draws(seed)
    if not isinstance(images, Tensor) and augment.smallest_area < 1:
        rectangles(len(index), augment.smallest_area, draws)  # the files were cut by these
        augment = replace(augment, smallest_area=1.0)
    pixels = random_window(pixels, dataset.image[1:], draws)
    x = _normalised(dataset, augmented(pixels, augment, draws))
    return Batch(cut_out(x, augment.cutout, draws) if augment.cutout else x, y, soft)


def _draws(seed: tuple[int, ...]) -> torch.Generator:
    """What augments a batch: one more word than the seed of the order, so that the two draws have
    nothing in common."""
    return generator(*seed, 1)


def _normalised(dataset: Dataset, pixels: Tensor) -> Tensor:
    """(x / 255 - mean) / std as one multiplication and one addition."""
    shift, scale = _constants(dataset.mean, dataset.std, pixels.device)
    return torch.addcmul(shift, pixels.float(), scale)


@lru_cache(maxsize=8)
def _constants(
    means: tuple[float, ...], deviations: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """-mean / std and 1 / (255 std), (C, 1, 1) each, worked out and copied to the device once."""
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (means, deviations))
        return (-mean / std).to(device), (1 / (255 * std)).to(device)
