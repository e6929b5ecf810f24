"""Weights that were trained on photos with three channels, for photos with one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hwnas.nets.trained.value import Preprocessing

_STEM, _MEAN = "stem.conv.0.weight", "stem.conv.1.running_mean"


def grey_preprocessing(preprocessing: Preprocessing) -> tuple[float, float]:
    """Mean and standard deviation of grey pixels in 0..1: the means of the three channels'."""
    return sum(preprocessing.mean) / 3, sum(preprocessing.std) / 3


def grey_state(state: Mapping[str, Tensor], preprocessing: Preprocessing) -> dict[str, Tensor]:
    """The state of the network that gives a grey photo the logits of the photo with three equal
    channels.

    The stem's three kernels are added up, each for its own mean and standard deviation; the rest
    goes into the BatchNorm after it. Equal away from the zeros round the map, and everywhere where
    the three channels were prepared alike. ``state``: as of ``trained_state``.
    """
    mean, std = grey_preprocessing(preprocessing)
    means, stds = (torch.tensor(values) for values in (preprocessing.mean, preprocessing.std))
    weight = state[_STEM]
    scaled = weight * (std / stds).view(1, 3, 1, 1)
    offset = (weight * ((mean - means) / stds).view(1, 3, 1, 1)).sum((1, 2, 3))
    return {
        **state,
        _STEM: scaled.sum(1, keepdim=True),
        _MEAN: state[_MEAN] - offset,
    }
