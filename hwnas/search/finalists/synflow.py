"""SynFlow (Tanaka et al., NeurIPS 2020, arXiv 2006.05467) of whole networks: what their shape
promises before training.

Every weight is made positive and every normalisation left out, an image of ones is sent through,
and the score is the sum over all weights of weight times gradient: the flow from input to output,
counted once per layer that it passes. Activations are left out too: on positive maps ReLU does
nothing, and the others would stop what grows large. So are the gates of squeeze-and-excitation,
which scale channels and carry nothing from one to another. The score needs no image, no label and
no training, and ranked NAS-Bench-201 best of the six such scores that Abdelfattah et al. compared
(ICLR 2021, arXiv 2101.08134). It sees what shared weights of few steps and few cells don't: that a
path beside another carries more than either alone. Weights stand at the mean magnitude of their
layer, so that two genotypes differ by their operations and not by a draw.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hwnas.nets.activations import MODULES
from hwnas.nets.squeeze_excite import SqueezeExcite
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space.family import Family
from hwnas.space.space import Choices, Mask

SIDE = 16
"""Pixels per side that SynFlow is taken on at the most: larger maps cost more and rank alike."""


def log_flows(of: Family, choices: Choices, mask: Mask | None = None) -> NDArray[np.float64]:
    """ln of SynFlow (N,) of choices (N, edges), in a supernet of a family on at most SIDE x SIDE
    pixels."""
    image = of.task.image
    small = (image[0], min(SIDE, image[1]), min(SIDE, image[2]))
    shrunk = replace(of, task=replace(of.task, image=small))
    empty = probe(build_supernet(shrunk, seed=0, mask=mask))
    return np.array([log_flow(empty, one, small) for one in choices])


def probe(net: Supernet) -> Supernet:
    """A copy of a supernet for ``log_flow``, in float64 on the CPU; ``net`` stays as it is."""
    left_out = (nn.BatchNorm2d, SqueezeExcite, *MODULES)
    copy = deepcopy(net).to("cpu", torch.float64)
    for module in list(copy.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, left_out):
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        for weight in copy.parameters():
            # A bias is no connection between two units, so nothing flows through it.
            weight.fill_(0.0 if weight.dim() == 1 else float(weight.abs().mean()))
    return copy


def log_flow(probe: Supernet, choices: Choices, image: tuple[int, int, int]) -> float:
    """ln of SynFlow of one sub-network, -inf where nothing gets through. choices: (edges,),
    image: (c, h, w)."""
    weights = list(probe.parameters())
    out = probe.sampled(torch.ones(1, *image, dtype=torch.float64), choices).sum()
    gradients = torch.autograd.grad(out, weights, allow_unused=True)
    flow = sum(
        float((weight.detach() * gradient).sum())
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is not None
    )
    return math.log(flow) if flow > 0 else -math.inf
