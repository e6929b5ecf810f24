"""Weights that were written before networks were graphs give the same logits as then."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hwnas.nets.network import Network
from hwnas.training.weights import fill, load_weights

DATA = Path(__file__).with_name("data")


@pytest.mark.parametrize("name", ["tnd", "nasbench201"])
def test_weights_of_before_are_read_under_the_names_of_today(name: str) -> None:
    weights = load_weights(DATA / f"{name}_before_graphs.safetensors")
    net = Network(weights.architecture, 3, weights.image, weights.stem)
    fill(net, weights, name)
    image = torch.linspace(-1, 1, 256).view(1, 1, 16, 16)
    # What the network gave when the file was written, rounded to six digits.
    assert net.eval()(image)[0].tolist() == pytest.approx(weights.notes["logits"], abs=2e-6)
