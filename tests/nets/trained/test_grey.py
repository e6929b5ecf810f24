"""A grey photo gets the logits that it would get with three equal channels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.nets.trained.grey import grey_preprocessing, grey_state
from hwnas.nets.trained.value import IMAGENET, TENSORFLOW, Preprocessing

from .files import own_state

STATE = own_state("MOBILENET_V2_0.35")


def stem(x: Tensor, state: dict[str, Tensor], padding: int) -> Tensor:
    y = F.conv2d(x, state["stem.conv.0.weight"], stride=2, padding=padding)
    stored = (
        state[f"stem.conv.1.{one}"] for one in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(y, *stored, training=False)


def both(preprocessing: Preprocessing, padding: int) -> tuple[Tensor, Tensor]:
    grey = torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    mean, std = grey_preprocessing(preprocessing)
    means, stds = (
        torch.tensor(values).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std)
    )
    ours = stem((grey - mean) / std, grey_state(STATE, preprocessing), padding)
    return ours, stem((grey.expand(2, 3, 9, 9) - means) / stds, STATE, padding)


@pytest.mark.parametrize("preprocessing", [IMAGENET, TENSORFLOW])
def test_the_stem_gives_the_same_map_where_no_zeros_are_seen(preprocessing: Preprocessing) -> None:
    ours, expected = both(preprocessing, padding=0)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_it_gives_the_same_map_everywhere_where_channels_are_prepared_alike() -> None:
    ours, expected = both(TENSORFLOW, padding=1)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_other_tensors_stay_as_they_are() -> None:
    found = grey_state(STATE, IMAGENET)
    assert found["stem.conv.0.weight"].shape == (16, 1, 3, 3)
    changed = {name for name in STATE if found[name] is not STATE[name]}
    assert changed == {"stem.conv.0.weight", "stem.conv.1.running_mean"}
