"""BatchNorm statistics of the last weights, and accuracies that leave the network as found."""

from __future__ import annotations

import torch
from torch import nn

from hwnas.training.data import load
from hwnas.training.evaluate import accuracy, labels, logits
from hwnas.training.statistics import calibrate


def test_statistics_are_the_plain_average_over_the_batches() -> None:
    norm = nn.BatchNorm2d(3, momentum=0.1)
    batches = [torch.randn(8, 3, 4, 4) * scale + scale for scale in (1.0, 2.0, 5.0)]
    calibrate(norm, batches)
    means = torch.stack([x.mean((0, 2, 3)) for x in batches]).mean(0)
    variances = torch.stack([x.var((0, 2, 3)) for x in batches]).mean(0)
    assert torch.allclose(norm.running_mean, means, atol=1e-5)
    assert torch.allclose(norm.running_var, variances, rtol=1e-4)


def test_calibration_leaves_modes_momenta_and_weights_as_found() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, momentum=0.3), nn.Dropout())
    network[2].eval()
    before = {name: value.clone() for name, value in network.named_parameters()}
    calibrate(network, [torch.randn(4, 1, 3, 3)])
    assert [module.training for module in network] == [True, True, False]
    assert network[1].momentum == 0.3
    assert all(torch.equal(before[name], value) for name, value in network.named_parameters())


class Constant(nn.Module):
    """Always answers the same class."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.eye(10)[self.answer].repeat(len(x), 1)


def test_accuracy_is_the_share_of_right_answers_in_the_order_of_the_data() -> None:
    digits = load("digits")
    network = Constant(3).train()
    expected = float((digits.test_labels == 3).float().mean())
    assert abs(accuracy(network, digits) - expected) < 1e-6
    assert network.training
    assert logits(network, digits, "policy").shape == (len(digits.split["policy"]), 10)
    assert torch.equal(labels(digits, "policy"), digits.train_labels[digits.split["policy"]])
