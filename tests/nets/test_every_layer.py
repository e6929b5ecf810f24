"""Every kind of layer in torch: as plain numpy computes it, as it is counted, in networks and in
supernets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from hwnas.costs.counts import count
from hwnas.nets.fast.double_backward import cheap_double_backward
from hwnas.nets.interpreter import shared_module
from hwnas.nets.network import Network
from hwnas.nets.operations import module_of, sequence
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.family import family
from hwnas.space.graph import IMAGE, Builder, Graph, Node
from hwnas.space.layers import Layer, check_layer
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Decision, Space, strongest
from profilers.counts import count as counted
from profilers.errors import InputError
from tests.export.networks import images, lively
from tests.nets.numpy_layers import Array, layer_of, row_of, run
from tests.space.every_layer import CLASSES, NAMES, PICTURE, SAMPLES, SPACE, architecture, chain
from tests.space.strategies import sliding_layers

FAMILY = family(SPACE, channels=4, cells=3, classes=CLASSES, image=PICTURE)


@pytest.fixture
def known(announced) -> None:
    announced(SPACES, SPACE)


@pytest.fixture
def x() -> Tensor:
    """Values beyond both ends of the activations' middle pieces."""
    return 3 * images(4, PICTURE).double()


def arrays(module: torch.nn.Module) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_network_is_what_numpy_computes_and_as_large_as_counted(
    known, sample: str, x: Tensor
) -> None:
    drawn = architecture(SAMPLES[sample])
    net = lively(Network(drawn, CLASSES, PICTURE), PICTURE).double()
    with torch.inference_mode(), FlopCounterMode(display=False) as flops:
        y = net(x)
    tensors = arrays(net)
    expected = run(
        architecture_graph(drawn, FAMILY.task),
        x.numpy(),
        lambda node, given: row_of(given, node.layers, tensors, node.name, batch=False),
    )
    assert np.abs(y.numpy() - expected).max() <= 1e-9 * np.abs(expected).max()
    params, macs = count(drawn, CLASSES, PICTURE)
    assert sum(weight.numel() for weight in net.parameters()) == params
    assert flops.get_total_flops() == 2 * len(x) * macs
    ours = counted(net, (1, *PICTURE))
    assert (ours.params, ours.macs, ours.uncounted) == (params, macs, ())


def supernet() -> Supernet:
    net = build_supernet(FAMILY, seed=0).double()
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.dim() == 1:
                weight.copy_(0.5 + torch.rand(weight.shape, generator=source))
    return net


def mixed(net: Supernet, images: Array, weights: Array) -> Array:
    """The supernet's logits (n, classes) with every option times its weight (decisions,
    operations)."""
    tensors = arrays(net)

    def layers(node: Node, x: Array) -> Array:
        if node.row is None:
            return row_of(x, node.layers, tensors, node.name, batch=True)
        total = np.zeros(1)
        for name, option, weight in zip(
            NAMES[node.row], node.options, weights[node.row], strict=False
        ):
            assert option is not None
            if weight:
                y = row_of(
                    x, option, tensors, f"options.{node.name.replace('.', '_')}_{name}", batch=True
                )
                # A pool alone is normalised before it competes with convolutions.
                alone = [layer.kind for layer in option] in (["max_pool"], ["avg_pool"])
                norm = Layer("batch_norm", y.shape[1], y.shape[1], node.size)
                total = total + weight * (layer_of(y, norm, {}, batch=True) if alone else y)
        return total

    return run(FAMILY.graphs[()], images, layers)


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
    net, weights = (
        supernet().train(),
        np.random.default_rng(0).random(SPACE.mask.shape) * SPACE.mask,
    )
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


@settings(max_examples=300, deadline=None)
@given(sliding_layers(), st.booleans())
def test_a_layer_is_refused_or_built_as_counted_whatever_its_geometry(
    layer: Layer, running: bool
) -> None:
    try:
        check_layer(layer, "here")
        refused = False
    except InputError:
        refused = True
    x = images(2, (layer.channels_in, *layer.size)).double().to(memory_format=torch.channels_last)
    try:
        module = module_of(layer, affine=False, running=running).double()
        y = module(x)
    except (RuntimeError, ValueError):
        assert refused, layer
        return
    assert refused == (tuple(y.shape[2:]) != layer.size_out)
    if not refused:
        assert sum(weight.numel() for weight in module.parameters()) == layer.params
        expected = layer_of(x.numpy(), layer, arrays(module), batch=False)
        assert np.allclose(y.detach().numpy(), expected, rtol=1e-9, atol=1e-9)


def test_modules_are_shared_where_only_the_size_of_the_map_differs() -> None:
    network, built = torch.nn.Module(), {}
    gate = Layer("squeeze_excite", 6, 6, (8, 8), hidden=2)

    def module(layer: Layer) -> torch.nn.Module:
        return shared_module(network, built, "body.it", [layer], lambda: sequence([layer]))

    assert module(replace(gate, size=(4, 4))) is module(gate)
    for other in ({"hidden": 3}, {"inner": "swish"}, {"gate": "hard_sigmoid"}):
        assert module(replace(gate, **other)) is not module(gate)
    norm = Layer("batch_norm", 6, 6, (8, 8))
    assert module(replace(norm, epsilon=0.1)) is not module(norm)


def test_options_without_weights_are_shared_where_map_and_layers_agree_and_not_by_name_alone() -> (
    None
):
    image = (3, 9, 9)

    def pools(space: Space, size: CellSize, task: Task, options: tuple[str, ...]) -> Graph:
        draft = Builder(task.image)
        rows = {
            name: Layer("max_pool", 3, 3, image[1:], kernel=(side, side))
            for name, side in (("a", 3), ("b", 3), ("c", 5))
        }
        parts = [draft.open(f"{name}.pool", IMAGE, [(row,)], 0) for name, row in rows.items()]
        last = draft.concat("all.pools", parts)
        head = chain(image[1:], ("global_pool", {}), ("linear", {"out": 2}), channels=9)
        draft.layers("head.it", last, head)
        return draft.graph()

    pool = Decision(name="pool", operations=("pool",), remaining=(1, 1), group="pools")
    space = Space(name="pools", rule=strongest, build=pools, decisions=(pool,))
    net = build_supernet(family(space, channels=3, cells=3, classes=2, image=image), seed=0)
    net.classifier_weights()[0].data.copy_(torch.eye(9)[[0, 6]])
    net.classifier_weights()[1].data.zero_()
    x = images(4, image)
    normal = [
        F.batch_norm(F.max_pool2d(x, k, 1, k // 2), None, None, training=True) for k in (3, 5)
    ]
    expected = torch.stack([m.mean((2, 3))[:, 0] for m in normal], dim=1)
    torch.testing.assert_close(net.sampled(x, np.zeros(1, dtype=np.int64)), expected)
