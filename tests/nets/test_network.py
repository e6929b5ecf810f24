"""Discrete networks: golden parameter and MAC counts as built, auxiliary head, drop-path, odd
sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hwnas.costs.counts import count_table
from hwnas.nets.network import AuxiliaryHead, Network, drop_path
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.space import SPACES
from hwnas.space.build import own_image
from hwnas.space.cells import reduction_positions
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.size import Task
from hwnas.space.text import parse
from profilers.counts import count
from tests.space.golden import GOLDEN, Golden, everywhere
from tests.space.swept import CELLS, SWEPT, depth

every_space = pytest.mark.parametrize("name", SWEPT)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def macs(net: nn.Module, image: tuple[int, int, int]) -> int:
    """By torch's own counter."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        net.eval()(torch.zeros(1, *image))
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: f"{g.text[:16]}-{g.channels}-{g.classes}")
def test_built_networks_have_their_published_counts(golden: Golden) -> None:
    architecture = Architecture(parse(golden.text), channels=golden.channels, cells=golden.cells)
    net = Network(architecture, golden.classes, golden.image, golden.stem)
    assert parameters(net) == golden.params
    if golden.macs is not None:
        assert macs(net, golden.image) == golden.macs
    if golden.macs_m is not None:
        assert f"{macs(net, golden.image) / 1e6:.1f}" == f"{golden.macs_m:.1f}"


@pytest.mark.parametrize(("text", "printed"), [("DARTS_V2", 3_825_768), ("PDARTS", 3_910_224)])
def test_auxiliary_heads_have_their_published_size(text: str, printed: int) -> None:
    with torch.device("meta"):
        net = Network(
            Architecture(PUBLISHED[text], channels=36, cells=20), 10, (3, 32, 32), auxiliary=True
        )
    assert parameters(net) == printed


@every_space
@pytest.mark.parametrize("share", [0.3, pytest.param(1.0, marks=pytest.mark.slow)])
def test_table_network_and_profiler_agree_on_a_hundred_random_genotypes(
    name: str, share: float
) -> None:
    space, rng, image = SPACES[name], np.random.default_rng(11), (3, 9, 12)
    cells = depth(name, 3)
    table = count_table(family(space, channels=4, cells=cells, classes=7, image=image))
    for _ in range(round(share * (100 if space.slots else 20))):
        choices = sample(space, rng)
        net = Network(Architecture(to_genotype(space, choices), channels=4, cells=cells), 7, image)
        own = own_image(
            Architecture(to_genotype(space, choices), channels=4, cells=cells),
            Task(classes=7, image=image),
        )
        profiled = count(net, (1, *own))
        assert table.params.of(choices) == parameters(net) == profiled.params
        assert table.macs.of(choices) == profiled.macs
        assert not profiled.uncounted
        if rng.random() < 0.1:
            assert macs(net, own) == profiled.macs


@pytest.mark.parametrize("image", [(1, 28, 28), (3, 9, 13), (2, 5, 4)])
@pytest.mark.parametrize("text", ["PDARTS", "TND_CIFAR10", GOLDEN[-3].text])
def test_images_of_any_size_pass_forward_and_backward(
    text: str, image: tuple[int, int, int]
) -> None:
    net = Network(Architecture(parse(text), channels=4, cells=6), 7, image, auxiliary=True).train()
    out = net(torch.randn(4, *image))
    logits, extra = out if isinstance(out, tuple) else (out, out)
    assert logits.shape == extra.shape == (4, 7)
    (logits.sum() + extra.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_the_imagenet_network_gives_a_logit_per_class() -> None:
    net = Network(
        Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=6),
        11,
        (3, 64, 64),
        "imagenet",
        auxiliary=True,
    )
    assert net.eval()(torch.randn(2, 3, 64, 64)).shape == (2, 11)
    assert [y.shape for y in net.train()(torch.randn(2, 3, 64, 64))] == [(2, 11), (2, 11)]


def test_the_auxiliary_head_speaks_in_training_only() -> None:
    net = Network(
        Architecture(PUBLISHED["DARTS_V1"], channels=4, cells=3), 5, (3, 16, 16), auxiliary=True
    )
    x = torch.randn(2, 3, 16, 16)
    assert isinstance(net.train()(x), tuple)
    assert net.eval()(x).shape == (2, 5)


def test_auxiliary_heads_read_the_published_maps() -> None:
    cifar, imagenet = (
        AuxiliaryHead(8, 10, (8, 8), "cifar"),
        AuxiliaryHead(8, 10, (7, 7), "imagenet"),
    )
    assert cifar.features[:2](torch.randn(1, 8, 8, 8)).shape[2:] == (2, 2)
    assert imagenet.features[:2](torch.randn(1, 8, 7, 7)).shape[2:] == (2, 2)
    assert isinstance(imagenet.features[6], nn.Identity)
    assert AuxiliaryHead(8, 10, (1, 3), "cifar").eval()(torch.randn(2, 8, 1, 3)).shape == (2, 10)


@pytest.mark.parametrize("name", CELLS)
def test_a_discrete_network_equals_the_supernets_path_with_the_same_weights(name: str) -> None:
    space, rng, image = SPACES[name], np.random.default_rng(5), (3, 8, 8)
    # The supernet normalises pooled maps and a discrete network does not: draw no pools.
    mask = space.mask.copy()
    for row, slot in enumerate(space.slots):
        mask[row, [column for column, op in enumerate(slot.ops) if "pool" in op]] = False
    choices = sample(space, rng, mask)
    supernet = build_supernet(
        family(space, channels=4, cells=3, classes=5, image=image), seed=0, mask=mask
    )
    net = Network(Architecture(to_genotype(space, choices), channels=4, cells=3), 5, image).train()
    _inherit(net, supernet, choices)
    x = torch.randn(4, *image, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(net(x), supernet.sampled(x, choices), rtol=1e-4, atol=1e-5)


def _inherit(net: Network, supernet: Supernet, choices: np.ndarray) -> None:
    """Copy the shared weights of the drawn operations, edge by edge; BatchNorms stay at scale 1,
    shift 0."""
    shared = dict(supernet.named_parameters())
    space = supernet.space
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name in shared:
                value.copy_(shared[name])
        for cell in range(3):
            kind = (
                "reduce" if "reduce" in space.cells and cell in reduction_positions(3) else "normal"
            )
            for row in space.rows(kind):
                slot = space.slots[row]
                edge = f"cell{cell}.edge_{slot.source}_{slot.node}"
                prefix = f"options.{edge.replace('.', '_')}_{slot.ops[choices[row]]}."
                values = [value for name, value in shared.items() if name.startswith(prefix)]
                if values:
                    modules = net.get_submodule(edge).parameters()
                    for mine, theirs in zip(
                        (p for p in modules if p.dim() == 4), values, strict=True
                    ):
                        mine.copy_(theirs)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_drop_path_drops_whole_images_and_keeps_the_mean() -> None:
    factors = drop_path(0.3, 2, 4000, seeded(0))
    assert factors.shape == (2, 4000, 1, 1, 1)
    kept = float((factors > 0).float().mean())
    assert abs(kept - 0.7) < 5 * (0.3 * 0.7 / 8000) ** 0.5
    assert factors.max() == pytest.approx(1 / 0.7)
    assert not torch.equal(factors[0], factors[1])


def test_drop_path_follows_its_generator_alone() -> None:
    state = torch.get_rng_state()
    assert torch.equal(drop_path(0.5, 3, 6, seeded(0)), drop_path(0.5, 3, 6, seeded(0)))
    assert not torch.equal(drop_path(0.5, 3, 6, seeded(0)), drop_path(0.5, 3, 6, seeded(1)))
    assert torch.equal(state, torch.get_rng_state())


def test_each_edge_is_dropped_by_its_own_factor() -> None:
    """One factor at a time is set to 0: each changes the result, and only for its image."""
    net = Network(Architecture(PUBLISHED["DARTS_V1"], channels=4, cells=3), 5, (3, 8, 8)).eval()
    x, edges = torch.randn(2, 3, 8, 8), net.droppable
    with torch.no_grad():
        whole = net(x)
        assert torch.allclose(net(x, torch.ones(edges, 2, 1, 1, 1)), whole, atol=1e-6)
        for edge in range(edges):
            keep = torch.ones(edges, 2, 1, 1, 1)
            keep[edge, 0] = 0
            changed = net(x, keep)
            assert not torch.allclose(changed[0], whole[0]) and torch.allclose(
                changed[1], whole[1], atol=1e-6
            )


def test_drop_path_spares_the_identity() -> None:
    skips = parse(everywhere("skip_connect"))
    convs = parse(everywhere("nor_conv_1x1"))
    for genotype, droppable in ((skips, 0), (convs, 18)):
        net = Network(Architecture(genotype, channels=4, cells=3), 5, (3, 8, 8))
        assert net.droppable == droppable
