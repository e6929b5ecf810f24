"""Accuracy of a trained network on a whole split, in evaluation mode."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from hwnas.nets.fitting import in_pieces
from hwnas.nets.task import scores
from hwnas.training.data import Dataset, Split, batches

MOST_IMAGES, MOST_PIXELS = 256, 2**19
"""Of one batch: maps of more pixels leave the caches of a CPU, and each image then takes twice as
long."""


def logits(network: nn.Module, dataset: Dataset, split: Split, batch: int | None = None) -> Tensor:
    """(images, classes) in the order of the data, on the CPU, in float32.

    ``batch``: images at once, default as many as are quick; half of them each time that the memory
    is too small. The network's mode is left as found.
    """
    if batch is None:
        pixels = dataset.image[1] * dataset.image[2]
        batch = max(8, min(MOST_IMAGES, MOST_PIXELS // pixels))
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            parts: list[Tensor] = []
            pieces = 1
            for x, *_ in batches(dataset, split, batch):
                found, pieces = in_pieces(partial(_logits, network, x), pieces, len(x))
                parts.append(found)
    finally:
        network.train(was_training)
    return torch.cat(parts)


def _logits(network: nn.Module, x: Tensor, pieces: int) -> Tensor:
    """Each image counts alone here, so pieces change nothing."""
    parts = x.tensor_split(min(pieces, len(x)))
    each = [network(one.contiguous(memory_format=torch.channels_last)) for one in parts]
    return torch.cat([one.float().cpu() for one in each])


def labels(dataset: Dataset, split: Split) -> Tensor:
    """(images,) int64 in the order of the data."""
    return dataset.test_labels if split == "test" else dataset.train_labels[dataset.split[split]]


def accuracy(
    network: nn.Module, dataset: Dataset, split: Split = "test", batch: int | None = None
) -> float:
    """The share of images whose largest logit is the right class, in 0..1."""
    return accuracy_of(logits(network, dataset, split, batch), dataset, split)


def accuracy_of(outputs: Tensor, dataset: Dataset, split: Split = "test") -> float:
    """The same, of logits (images, classes) in the order of the data."""
    right = scores(dataset.task, outputs, labels(dataset, split).cpu())
    return float(right.double().mean())


def confusion_of(outputs: Tensor, dataset: Dataset, split: Split = "test") -> list[list[int]]:
    """Counts of images, rows the true class, columns that of the largest of logits (images,
    classes)."""
    classes = len(dataset.classes)
    cells = labels(dataset, split).cpu() * classes + outputs.argmax(1)
    counts: list[list[int]] = (
        torch.bincount(cells, minlength=classes**2).view(classes, classes).tolist()
    )
    return counts


def right_of(outputs: Tensor, dataset: Dataset, split: Split = "test") -> Tensor:
    """(images,) bool, whether the largest of logits (images, classes) is the right class."""
    return outputs.argmax(1) == labels(dataset, split).cpu()
