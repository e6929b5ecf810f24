"""What a data set holds, in lines to be read before a search is started on it."""

from __future__ import annotations

import torch

from hwnas.training.dataset import Dataset, size

# A class of fewer images in a part: one image more or less moves its accuracy by more than a tenth.
FEW = 10
# Lines of a longer list of classes, shortened.
LISTED = 12


def described(dataset: Dataset) -> list[str]:
    """Return lines: classes, images per class and part, side and channels, what was not read, what
    is too few.

    The parts are those of a search: images that train the shared weights, images that networks are
    compared on, and test images.
    """
    channels, height, width = dataset.image
    colour = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    total = size(dataset, "train") + size(dataset, "test")
    counts = _counts(dataset)
    lines = [
        f"data {dataset.name}: {total:,} images in {len(dataset.classes):,} classes, {width} x"
        f" {height} pixels, {colour}"
        f" ({', '.join(f'{sum(counts[part]):,} {part}' for part in counts)})"
    ]
    return [*lines, *dataset.notes, *_classes(dataset.classes, counts), *_too_few(dataset, counts)]


def _classes(names: tuple[str, ...], counts: dict[str, list[int]]) -> list[str]:
    """A line for each class, or for the first and the last of many."""
    lines = [
        f"  {name}: {', '.join(f'{counts[part][label]:,} {part}' for part in counts)}"
        for label, name in enumerate(names)
    ]
    if len(lines) <= LISTED:
        return lines
    return [*lines[: LISTED - 2], f"  ... {len(lines) - LISTED + 1:,} more classes", lines[-1]]


def _counts(dataset: Dataset) -> dict[str, list[int]]:
    """Images of each class, by part."""
    labels = {
        "to train": dataset.train_labels[dataset.split["weights"]],
        "to compare": dataset.train_labels[dataset.split["policy"]],
        "to test": dataset.test_labels,
    }
    return {
        part: torch.bincount(values, minlength=len(dataset.classes)).tolist()
        for part, values in labels.items()
    }


def _too_few(dataset: Dataset, counts: dict[str, list[int]]) -> list[str]:
    """A line where classes have few images in a part, with the fewest of all."""
    count, part, label = min(
        (count, part, label) for part, row in counts.items() for label, count in enumerate(row)
    )
    if count >= FEW:
        return []
    classes = sum(min(row) < FEW for row in zip(*counts.values(), strict=True))
    return [
        f"few images: {classes:,} of {len(dataset.classes):,} classes have fewer than {FEW} in a"
        f" part; the fewest: {dataset.classes[label]}, {count:,} {part};"
        f" {_what_follows(part, count)}"
    ]


def _what_follows(part: str, count: int) -> str:
    """What so few images of a class in a part mean."""
    if not count:
        return "no accuracy says anything about it"
    if part == "to train":
        return "a class can hardly be learnt from so few"
    moves = f"{100 / count:.0f} %"
    return f"its accuracy is uncertain: one image more or less that is right moves it by {moves}"
