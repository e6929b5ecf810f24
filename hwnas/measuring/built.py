"""Networks that are built to be measured: fixed random weights, with statistics that belong to
them."""

from __future__ import annotations

import torch

from hwnas.nets.network import Network
from hwnas.space.build import own_image
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Stem
from hwnas.space.size import Task
from hwnas.training.statistics import calibrate

IMAGES = 4


def built(
    architecture: Architecture, classes: int, image: tuple[int, int, int], stem: Stem
) -> Network:
    """The discrete network in inference mode; torch's own draws are left alone.

    Latency does not depend on the weights' values, but a comparison of outputs does: without
    BatchNorm statistics of some images an untrained network answers with its classifier's bias
    alone, and every comparison would pass.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(architecture, classes, image, stem)
        side = own_image(architecture, Task(classes=classes, image=image))
        calibrate(network, [torch.randn(IMAGES, *side)])
    return network.eval()
