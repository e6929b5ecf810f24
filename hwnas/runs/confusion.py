"""What a trained network takes for what: a matrix of counts, rows the true class, columns the
predicted one.

Both in the order of the classes of the run's data. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profilers.errors import visible

MOST_CLASSES = 200
"""A matrix of more classes is not kept: a million numbers that nobody reads."""

Matrix = Sequence[Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Confused:
    """How often one class was taken for another: `count` of `images` test images of class `true`
    were said to be `predicted`. Classes by number."""

    true: int
    predicted: int
    count: int
    images: int


def class_accuracy(confusion: Matrix) -> list[float | None]:
    """The share of each class's images that were right, in 0..1; None where it has no image."""
    return [row[label] / sum(row) if sum(row) else None for label, row in enumerate(confusion)]


def most_confused(confusion: Matrix) -> Confused | None:
    """The pair of classes with the largest share of the first taken for the second; None where
    nothing was wrong."""
    pairs = [
        Confused(true=true, predicted=predicted, count=count, images=sum(row))
        for true, row in enumerate(confusion)
        for predicted, count in enumerate(row)
        if count and predicted != true
    ]
    return max(pairs, key=lambda pair: pair.count / pair.images, default=None)


def worst_class(accuracies: Sequence[float | None]) -> int | None:
    """The number of the class that is right least often; None where no class has an image."""
    known = [label for label, share in enumerate(accuracies) if share is not None]
    return min(known, key=lambda label: accuracies[label] or 0.0, default=None)


def confusion_line(
    name: str,
    classes: Sequence[str],
    accuracies: Sequence[float | None],
    confusion: Matrix | None,
) -> str | None:
    """The worst class of the network `name` and its most confused pair, in a line of text for a
    terminal; None where nothing is known."""
    worst = worst_class(accuracies)
    if worst is None:
        return None
    share = f"{100 * (accuracies[worst] or 0.0):.0f} %"
    images = f"of {sum(confusion[worst]):,} test images" if confusion else "of its test images"
    line = f"{name}: worst class '{visible(classes[worst])}', {share} {images} right"
    pair = most_confused(confusion) if confusion else None
    if pair is None:
        return line
    return (
        f"{line}; most often confused: {pair.count:,} of {pair.images:,}"
        f" '{visible(classes[pair.true])}' taken for '{visible(classes[pair.predicted])}'"
    )
