"""Every kind of layer in torch: as plain numpy computes it, as it is counted, in networks and in supernets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from hwnas.costs.counts import count
from hwnas.nets.fast.double_backward import cheap_double_backward
from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph, graphs
from hwnas.space.size import CellSize, Task
from profilers.counts import count as counted
from tests.export.networks import images, lively
from tests.nets.numpy_layers import Array, row_of
from tests.space.every_layer import CLASSES, NAMES, PICTURE, SAMPLES, SPACE, architecture

TASK = Task(classes=CLASSES, image=PICTURE)


@pytest.fixture(autouse=True)
def known(announced) -> None:
    announced(SPACES, SPACE)


@pytest.fixture
def x() -> Tensor:
    """Values beyond both ends of the activations' middle pieces."""
    return 3 * images(4, PICTURE).double()


def arrays(module: torch.nn.Module) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_network_is_what_numpy_computes_and_as_large_as_counted(sample: str, x: Tensor) -> None:
    drawn = architecture(SAMPLES[sample])
    net = lively(Network(drawn, CLASSES, PICTURE), PICTURE).double()
    with torch.inference_mode(), FlopCounterMode(display=False) as flops:
        y = net(x)
    expected, tensors = x.numpy(), arrays(net)
    for node in architecture_graph(drawn, TASK)[1:]:
        expected = row_of(expected, node.layers, tensors, node.name, batch=False)
    assert np.abs(y.numpy() - expected).max() <= 1e-9 * np.abs(expected).max()
    params, macs = count(drawn, CLASSES, PICTURE)
    assert sum(weight.numel() for weight in net.parameters()) == params
    assert flops.get_total_flops() == 2 * len(x) * macs
    ours = counted(net, (1, *PICTURE))
    assert (ours.params, ours.macs, ours.uncounted) == (params, macs, ())


def supernet() -> Supernet:
    net = build_supernet(SPACE, 4, 3, CLASSES, PICTURE, seed=0).double()
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.dim() == 1:
                weight.copy_(0.5 + torch.rand(weight.shape, generator=source))
    return net


def mixed(net: Supernet, x: Array, weights: Array) -> Array:
    """The supernet's logits (n, classes) with every option times its weight (decisions, operations)."""
    tensors = arrays(net)
    for node in graphs(SPACE, CellSize(channels=4, cells=3), TASK)[()][1:]:
        if node.row is None:
            x = row_of(x, node.layers, tensors, node.name, batch=True)
            continue
        parts = []
        for name, option, weight in zip(NAMES[node.row], node.options, weights[node.row], strict=False):
            assert option is not None
            if weight:
                y = row_of(x, option, tensors, f"options.{node.name.replace('.', '_')}_{name}", batch=True)
                if any("pool" in layer.kind for layer in option) and len(option) == 1:
                    y = (y - y.mean((0, 2, 3), keepdims=True)) / np.sqrt(
                        y.var((0, 2, 3), keepdims=True) + 1e-5
                    )
                parts.append(weight * y)
        x = sum(parts)
    return x


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_paths_of_a_supernet_are_what_numpy_computes(
    layout: torch.memory_format, training: bool, x: Tensor
) -> None:
    net = supernet().train(training).to(memory_format=layout)
    for name, choices in SAMPLES.items():
        expected = mixed(net, x.numpy(), np.eye(SPACE.width)[choices])
        y = net.sampled(x.contiguous(memory_format=layout), choices).detach().numpy()
        assert np.abs(y - expected).max() <= 1e-9 * np.abs(expected).max(), name


def test_a_mixture_is_what_numpy_computes(x: Tensor) -> None:
    net, weights = supernet().train(), np.random.default_rng(0).random(SPACE.mask.shape) * SPACE.mask
    y = net.mixture(x.contiguous(memory_format=torch.channels_last), torch.from_numpy(weights))
    expected = mixed(net, x.numpy(), weights)
    assert np.abs(y.detach().numpy() - expected).max() <= 1e-9 * np.abs(expected).max()


def test_second_derivatives_are_torchs_own(x: Tensor, monkeypatch) -> None:
    net = supernet().train()
    alpha = torch.from_numpy(np.random.default_rng(0).random(SPACE.mask.shape)).requires_grad_()
    leaves = [alpha, *net.parameters()]
    source = torch.Generator().manual_seed(2)
    along = [torch.randn(leaf.shape, generator=source, dtype=torch.float64) for leaf in leaves]

    def product() -> tuple[Tensor, ...]:
        loss = F.cross_entropy(net.mixture(x, alpha.softmax(1)), torch.arange(len(x)))
        first = torch.autograd.grad(loss, leaves, create_graph=True)
        return torch.autograd.grad(first, leaves, along)

    with cheap_double_backward():
        cheap = product()
    # torch does not differentiate its hard-sigmoid twice, so this is the definition.
    monkeypatch.setattr(F, "hardsigmoid", lambda x, inplace: (x + 3).clamp(0, 6) / 6)
    for ours, theirs in zip(cheap, product(), strict=True):
        assert torch.isfinite(theirs).all()
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-12)
