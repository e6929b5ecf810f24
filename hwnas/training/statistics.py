"""BatchNorm statistics that belong to the weights: re-estimated over training images, after
training."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def calibrate(network: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Set running mean and variance of every BatchNorm to the plain average over ``inputs`` (n, c,
    h, w) each.

    A running average with momentum 0.1 still remembers weights of tens of steps ago, which after a
    short training were other ones. Drop-path and the auxiliary head stay off. Modes and momenta are
    left as found.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    modes = {module: module.training for module in network.modules()}
    momenta = [norm.momentum for norm in norms]
    try:
        network.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for a cumulative average
            norm.train()
        with torch.no_grad():
            for x in inputs:
                network(x)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
