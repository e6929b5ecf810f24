"""Accuracy of a trained network on a whole split, in evaluation mode."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwnas.nets.task import scores
from hwnas.training.data import Dataset, Split, batches


def logits(network: nn.Module, dataset: Dataset, split: Split, batch: int = 256) -> Tensor:
    """(images, classes) in the order of the data, on the CPU, in float32.

    The network's mode is left as found.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            parts = [
                network(x.contiguous(memory_format=torch.channels_last)).float().cpu()
                for x, *_ in batches(dataset, split, batch)
            ]
    finally:
        network.train(was_training)
    return torch.cat(parts)


def labels(dataset: Dataset, split: Split) -> Tensor:
    """(images,) int64 in the order of the data."""
    return dataset.test_labels if split == "test" else dataset.train_labels[dataset.split[split]]


def accuracy(
    network: nn.Module, dataset: Dataset, split: Split = "test", batch: int = 256
) -> float:
    """The share of images whose largest logit is the right class, in 0..1."""
    right = scores(
        dataset.task, logits(network, dataset, split, batch), labels(dataset, split).cpu()
    )
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
