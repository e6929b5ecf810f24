"""Chains in torch: paths of the supernet are its networks, and smaller images are averaged down
in one place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph, own_image
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import sized
from hwnas.space.size import Task

IMAGE = (3, 16, 16)


def inherit(net: Network, supernet: Supernet, operations: dict[str, str]) -> None:
    """Copy the shared weights of every node, at the first size; BatchNorms stay at scale 1,
    shift 0."""
    shared = dict(supernet.named_parameters())
    with torch.no_grad():
        for name, value in net.named_parameters():
            group, part, rest = name.split(".", 2)
            op = operations.get(f"{group}.{part}", "").replace(".", "_")
            theirs = f"options.{group}_{part}_{op}.{rest}" if op else name
            if theirs in shared:
                value.copy_(shared[theirs])


@pytest.mark.parametrize("name", ["fbnet", "resnet", "mobilenet-v3-large"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_path_of_the_supernet_is_the_network_with_the_same_weights(name: str, seed: int) -> None:
    space = SPACES[name]
    choices = sample(space, np.random.default_rng(seed))
    choices[list(space.size_rows)] = 0
    genotype = to_genotype(space, choices)
    of = family(space, channels=8, cells=space.published_size[1], classes=5, image=IMAGE)
    supernet = build_supernet(of, seed=0)
    net = Network(sized(genotype, 8), 5, IMAGE).train()
    operations = dict(zip((one.name for one in space.decisions), genotype.operations, strict=True))
    inherit(net, supernet, operations)
    x = torch.randn(4, *IMAGE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = supernet.sampled(x, choices), net(x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_sample_of_a_chain_equals_the_mixture_under_certainty() -> None:
    space = SPACES["resnet"]
    of = family(space, channels=8, cells=9, classes=5, image=IMAGE)
    net = build_supernet(of, seed=0).double()
    choices = sample(space, np.random.default_rng(3))
    x = torch.randn(3, *IMAGE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    certain = torch.from_numpy(np.eye(space.width)[choices])
    torch.testing.assert_close(
        net.sampled(x, choices), net.mixture(x, certain), rtol=1e-9, atol=1e-11
    )


@pytest.mark.parametrize("size", [(16, 16), (15, 9)])
def test_a_network_of_a_smaller_side_sees_the_average_of_larger_images(
    size: tuple[int, int],
) -> None:
    space, image = SPACES["mobile"], (3, *size)
    choices = sample(space, np.random.default_rng(0))
    choices[0] = 2
    architecture = sized(to_genotype(space, choices), 8)
    own = own_image(architecture, Task(classes=5, image=image))
    assert own == (3, round(size[0] / 2), round(size[1] / 2))
    net = Network(architecture, 5, image).eval()
    x = torch.randn(2, *image, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(x), net(F.adaptive_avg_pool2d(x, own[1:])))
    of = family(space, channels=8, cells=17, classes=5, image=image)
    supernet = build_supernet(of, seed=0)
    torch.testing.assert_close(
        supernet.sampled(x, choices), supernet.sampled(F.adaptive_avg_pool2d(x, own[1:]), choices)
    )


def test_widths_whose_layers_agree_share_their_weights_across_sides() -> None:
    space = SPACES["mobile"]
    net = build_supernet(family(space, channels=8, cells=17, classes=5, image=IMAGE), seed=0)
    choices = sample(space, np.random.default_rng(0))

    def touched(side: int, width: int) -> set[str]:
        choices[:2] = side, width
        net.zero_grad()
        net.sampled(torch.randn(2, *IMAGE), choices).sum().backward()
        return {name for name, weight in net.named_parameters() if weight.grad is not None}

    assert touched(0, 0) == touched(2, 0)
    assert not {name for name in touched(0, 0) & touched(0, 2) if "stage5" in name}


def test_drop_path_may_drop_what_a_sum_adds_and_nothing_else() -> None:
    architecture = sized(to_genotype(SPACES["resnet"], np.zeros(6, dtype=np.int64)), 8)
    net = Network(architecture, 5, IMAGE)
    graph = architecture_graph(architecture, Task(classes=5, image=IMAGE))
    decided = [node for node in graph if node.row is not None]
    assert net.droppable == len(decided) == 6
