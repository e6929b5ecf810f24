"""SynFlow (Tanaka et al., NeurIPS 2020, arXiv 2006.05467) of whole networks: what their shape promises before training.

Every weight is made positive and every normalisation left out, an image of ones is sent through, and the score is the
sum over all weights of weight times gradient: the flow from input to output, counted once per layer that it passes. It
needs no image, no label and no training, and ranked NAS-Bench-201 best of the six such scores that Abdelfattah et al.
compared (ICLR 2021, arXiv 2101.08134). It sees what shared weights of few steps and few cells don't: that a path beside
another carries more than either alone. Weights stand at the mean magnitude of their layer, so that two genotypes differ
by their operations and not by a draw.
"""

from __future__ import annotations

import math
from copy import deepcopy

import torch
from torch import nn

from hwnas.nets.supernet import Supernet
from hwnas.space.space import Choices


def probe(net: Supernet) -> Supernet:
    """A copy of a supernet for ``log_flow``, in float64 on the CPU; ``net`` stays as it is."""
    copy = deepcopy(net).to("cpu", torch.float64)
    for module in list(copy.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        for weight in copy.parameters():
            # A bias is no connection between two units, so nothing flows through it.
            weight.fill_(0.0 if weight.dim() == 1 else float(weight.abs().mean()))
    return copy


def log_flow(probe: Supernet, choices: Choices, image: tuple[int, int, int]) -> float:
    """ln of SynFlow of one sub-network, -inf where nothing gets through. choices: (edges,), image: (c, h, w)."""
    weights = list(probe.parameters())
    out = probe.sampled(torch.ones(1, *image, dtype=torch.float64), choices).sum()
    gradients = torch.autograd.grad(out, weights, allow_unused=True)
    flow = sum(
        float((weight.detach() * gradient).sum())
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is not None
    )
    return math.log(flow) if flow > 0 else -math.inf
