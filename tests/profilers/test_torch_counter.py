"""Our counts equal torch's on every golden network and on random networks of every space."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwnas.nets.network import Network
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES
from hwnas.space.text import parse
from profilers.counts import count
from profilers.torch_counter import count_with_torch
from tests.space.golden import GOLDEN
from tests.space.swept import KNOWN_CELLS, KNOWN_CHAINS, SWEPT, sized

IMAGE = (3, 32, 32)


def random_network(space: str, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    genotype = to_genotype(SPACES[space], sample(SPACES[space], rng))
    cells = 3 * int(rng.integers(1, 3))
    return Network(sized(genotype, int(rng.choice([4, 6, 8])), cells), 10, (3, 16, 16))


@pytest.mark.parametrize("name", [*KNOWN_CELLS, *KNOWN_CHAINS])
def test_macs_equal_torchs_on_published_networks(name):
    network = Network(sized(PUBLISHED[name], 8, 6), 10, IMAGE)
    ours = count(network, (1, *IMAGE))
    assert ours.macs == count_with_torch(network, (1, *IMAGE)).macs
    assert ours.uncounted == ()


@pytest.mark.parametrize("space", SWEPT)
def test_macs_equal_torchs_on_random_networks(space):
    for seed in range(8):
        network = random_network(space, seed)
        assert count(network, (1, 3, 16, 16)).macs == count_with_torch(network, (1, 3, 16, 16)).macs


@pytest.mark.slow
@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_macs_equal_torchs_on_every_golden_network(golden):
    architecture = Architecture(parse(golden.text), channels=golden.channels, cells=golden.cells)
    network = Network(architecture, golden.classes, golden.image, golden.stem)
    ours = count(network, (1, *golden.image))
    assert ours.macs == count_with_torch(network, (1, *golden.image)).macs
    assert ours.params == golden.params
    assert ours.uncounted == ()


@pytest.mark.slow
@pytest.mark.parametrize("space", SWEPT)
def test_macs_equal_torchs_on_200_random_networks(space):
    for seed in range(200):
        network = random_network(space, seed)
        assert count(network, (1, 3, 16, 16)).macs == count_with_torch(network, (1, 3, 16, 16)).macs


def test_the_counts_are_broken_down_by_operator_and_scale_with_the_batch():
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1), torch.nn.Flatten(), torch.nn.Linear(16, 2)
    )
    found = count_with_torch(module, (5, 3, 2, 2))
    assert found.macs == 5 * (4 * 4 * 3 + 16 * 2)
    assert dict(found.by_operator) == {"aten.convolution": 5 * 48, "aten.addmm": 5 * 32}
