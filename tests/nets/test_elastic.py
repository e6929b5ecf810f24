"""Sliced weights: a part of the supernet is the network that is cut out of it, to rounding."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hwnas.nets.importance import channels_sorted
from hwnas.nets.inherit import hand_back, inherited, into_supernet
from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space.build import architecture_graph
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.family import Family
from hwnas.space.genotype import Architecture
from hwnas.space.space import SPACES, Choices
from tests.space.elastic_macros import CLASSES, IMAGE, tiny_family


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    space = tiny_family().space
    monkeypatch.setitem(SPACES, space.name, space)


def supernet() -> tuple[Family, Supernet]:
    of = tiny_family()
    net = build_supernet(of, 3).double()
    with torch.no_grad():  # scale and shift of their own, so that a mix-up shows
        for name, weight in net.named_parameters():
            if weight.dim() == 1:
                weight.copy_(
                    torch.rand(len(weight), generator=torch.Generator().manual_seed(len(name)))
                    + 0.5
                )
    return of, net


def cut_out(of: Family, net: Supernet, choices: Choices) -> Network:
    """The network of a sample, with the weights that it inherits."""
    architecture = Architecture(to_genotype(of.space, choices), channels=8, cells=5)
    network = Network(architecture, CLASSES, IMAGE).double()
    part = architecture_graph(architecture, of.task)
    state = inherited(net.state_dict(), net.graph_of(choices), part)
    missing = network.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys
    assert all("running_" in key or "num_batches" in key for key in missing.missing_keys)
    return network


def images(count: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, *IMAGE, generator=generator, dtype=torch.float64)


def samples(of: Family, count: int) -> list[Choices]:
    rng = np.random.default_rng(5)
    return [sample(of.space, rng, of.space.mask) for _ in range(count)]


def test_a_sample_gives_what_the_network_cut_out_of_it_gives() -> None:
    of, net = supernet()
    x = images()
    assert net.largest is not None
    for choices in (net.largest, *samples(of, 12)):
        network = cut_out(of, net, choices)
        network.train()  # by the statistics of the batch, as a supernet does
        torch.testing.assert_close(net.sampled(x, choices), network(x), rtol=1e-9, atol=1e-9)


def test_gradients_of_a_part_are_those_of_the_network_and_nothing_outside_it_has_any() -> None:
    of, net = supernet()
    x = images()
    for choices in samples(of, 4):
        network = cut_out(of, net, choices)
        network.train()
        net.zero_grad()
        net.sampled(x, choices).square().sum().backward()
        network(x).square().sum().backward()
        ours = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
        part = architecture_graph(
            Architecture(to_genotype(of.space, choices), channels=8, cells=5), of.task
        )
        cut = inherited(ours, net.graph_of(choices), part)
        theirs = {name: p.grad for name, p in network.named_parameters()}
        assert set(theirs) == set(cut)
        for name, gradient in theirs.items():
            torch.testing.assert_close(cut[name], gradient, rtol=1e-7, atol=1e-9)
        total = sum(float(grad.abs().sum()) for grad in ours.values())
        inside = sum(float(grad.abs().sum()) for grad in cut.values())
        assert total == pytest.approx(inside, rel=1e-9)


def test_what_a_part_hands_back_is_found_again_and_nothing_else_changes() -> None:
    of, net = supernet()
    for choices in samples(of, 4):
        graph = net.graph_of(choices)
        part = architecture_graph(
            Architecture(to_genotype(of.space, choices), channels=8, cells=5), of.task
        )
        state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        cut = {name: tensor + 1 for name, tensor in inherited(state, graph, part).items()}
        hand_back(state, graph, part, cut)
        found = inherited(state, graph, part)
        assert all(torch.equal(found[name], tensor) for name, tensor in cut.items())
        changed = sum(float((state[n] - t).sum()) for n, t in net.state_dict().items())
        assert changed == pytest.approx(sum(tensor.numel() for tensor in cut.values()))


def test_a_network_goes_into_a_supernet_and_comes_out_again() -> None:
    of, net = supernet()
    assert net.largest is not None
    network = cut_out(of, net, net.largest)
    graph = net.graph_of(net.largest)
    state = into_supernet(network.state_dict(), graph)
    assert set(state) == set(net.state_dict())
    for name, tensor in net.state_dict().items():
        assert torch.equal(state[name], tensor)


def test_sorted_channels_change_nothing_but_the_order_of_sums() -> None:
    of, net = supernet()
    assert net.largest is not None
    network = cut_out(of, net, net.largest).eval()
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    other = copy.deepcopy(network)
    other.load_state_dict(channels_sorted(network.state_dict(), net.graph_of(net.largest)))
    moved = [
        name
        for name, tensor in network.state_dict().items()
        if not torch.equal(tensor, other.state_dict()[name])
    ]
    assert any("block" in name for name in moved)
    assert not any(name.startswith(("stem", "head", "stage0")) for name in moved)
    torch.testing.assert_close(other(images()), network(images()), rtol=1e-9, atol=1e-9)


def test_a_channel_that_nobody_reads_and_one_that_never_changes_come_last() -> None:
    of, net = supernet()
    assert net.largest is not None
    state = cut_out(of, net, net.largest).state_dict()
    block = "stage1.block0"
    channels = len(state[f"{block}.0.weight"])
    state[f"{block}.6.weight"][:, 3] = 0.0  # read by nothing
    state[f"{block}.4.weight"][5] = 0.0  # scaled to a constant
    state[f"{block}.0.weight"][:, 0, 0, 0] = torch.arange(channels).double()
    found = channels_sorted(state, net.graph_of(net.largest))
    order = found[f"{block}.0.weight"][:, 0, 0, 0].long().tolist()
    assert sorted(order) == list(range(channels)) and set(order[-2:]) == {3, 5}


def test_a_supernet_of_parts_is_built_again_with_the_same_tensors_whatever_remains() -> None:
    of = tiny_family()
    mask = of.space.mask.copy()
    mask[1:, 0] = False
    whole, fewer = build_supernet(of, 1), build_supernet(of, 1, mask)
    assert whole.state_dict().keys() == fewer.state_dict().keys()
