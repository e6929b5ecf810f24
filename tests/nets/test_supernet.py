"""The supernet equals a slow literal one: values, gradients, second derivatives; what it must
leave alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from hwnas.nets.supernet import SkipDropout, Supernet, build_supernet
from hwnas.space import SPACES, Choices, Mask, Slot
from hwnas.space.encoding import sample
from hwnas.space.family import family
from tests.nets.plain import plain_mixture
from tests.space.swept import CELLS

SEED = 7


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "cells", "alphas", "printed"),
    [
        ("darts", 8, 0, 1_930_618),
        ("darts", 5, 14 * 8 + 14 * 8, 1_276_058),
        ("tnd", 5, 14 * 10 + 14 * 6, 2_217_306),
    ],
)
def test_supernets_have_their_published_size(
    name: str, cells: int, alphas: int, printed: int
) -> None:
    with torch.device("meta"):
        net = Supernet(
            family(SPACES[name], channels=16, cells=cells, classes=10, image=(3, 32, 32))
        )
    assert parameters(net) + alphas == printed


@dataclass(frozen=True, kw_only=True)
class Case:
    """A small supernet: of a space, at a stage of shrinking, for a size of image."""

    space: str
    stage: int
    image: tuple[int, int, int] = (3, 8, 8)
    cells: int = 3

    @property
    def mask(self) -> Mask:
        """As many random survivors per edge as the space keeps at this stage."""
        space, rng = SPACES[self.space], np.random.default_rng(self.stage)
        keep = [space.survivors[slot.cell][self.stage] for slot in space.slots]
        rank = (
            np.where(space.mask, rng.random(space.mask.shape), 2.0).argsort(axis=1).argsort(axis=1)
        )
        return rank < np.array(keep)[:, None]

    def net(self, channels: int = 4) -> Supernet:
        """Double precision, so that equality is not a question of rounding."""
        net = build_supernet(
            family(
                SPACES[self.space], channels=channels, cells=self.cells, classes=5, image=self.image
            ),
            seed=SEED,
            mask=self.mask,
        )
        return net.double()

    def images(self, count: int = 3) -> Tensor:
        x = torch.randn(
            count, *self.image, generator=torch.Generator().manual_seed(1), dtype=torch.float64
        )
        return x.contiguous(memory_format=torch.channels_last)

    def weights(self) -> Tensor:
        alpha = torch.randn(
            self.mask.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
        )
        return alpha.masked_fill(~torch.from_numpy(self.mask), -torch.inf).softmax(1)

    def choices(self, seed: int = 0) -> np.ndarray:
        return sample(SPACES[self.space], np.random.default_rng(seed), self.mask)


CASES = [
    Case(space="darts", stage=0),
    Case(space="darts", stage=1, cells=4),
    Case(space="darts", stage=2, image=(1, 9, 13)),
    Case(space="tnd", stage=0),
    Case(space="tnd", stage=1, image=(1, 9, 13)),
    Case(space="tnd", stage=2, cells=5),
    Case(space="nasbench201", stage=0),
    Case(space="nasbench201", stage=0, image=(1, 9, 13), cells=6),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_space = pytest.mark.parametrize("name", CELLS)


def one_hot(case: Case, choices: np.ndarray) -> Tensor:
    return torch.from_numpy(np.eye(case.mask.shape[1])[choices])


def loss_of(logits: Tensor) -> Tensor:
    """A scalar with another slope at every logit."""
    return (
        logits * torch.linspace(-1, 2, logits.numel(), dtype=logits.dtype).view_as(logits)
    ).sum()


def same_gradients(net: Supernet, ours: Tensor, theirs: Tensor) -> None:
    names, leaves = zip(*net.named_parameters(), strict=True)
    got = torch.autograd.grad(loss_of(ours), leaves, allow_unused=True, materialize_grads=True)
    want = torch.autograd.grad(loss_of(theirs), leaves, allow_unused=True, materialize_grads=True)
    for name, a, b in zip(names, got, want, strict=True):
        torch.testing.assert_close(
            a, b, rtol=1e-6, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}"
        )


@every_case
def test_the_mixture_equals_the_literal_one(case: Case) -> None:
    net, weights = case.net(), case.weights().requires_grad_()
    ours, theirs = (
        net.mixture(case.images(), weights),
        plain_mixture(net, case.images(), weights, case.cells),
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)
    (along_ours,) = torch.autograd.grad(loss_of(ours), weights, retain_graph=True)
    (along_theirs,) = torch.autograd.grad(loss_of(theirs), weights, retain_graph=True)
    torch.testing.assert_close(along_ours, along_theirs, rtol=1e-6, atol=1e-8)
    same_gradients(net, ours, theirs)


@every_case
@pytest.mark.parametrize("seed", [0, 1])
def test_a_sample_equals_the_mixture_under_certainty(case: Case, seed: int) -> None:
    net, choices = case.net(), case.choices(seed)
    certain = one_hot(case, choices)
    drawn, mixed = net.sampled(case.images(), choices), net.mixture(case.images(), certain)
    theirs = plain_mixture(net, case.images(), certain, case.cells)
    torch.testing.assert_close(drawn, mixed, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(drawn, theirs, rtol=1e-8, atol=1e-10)
    same_gradients(net, drawn, theirs)


@every_space
def test_second_derivatives_equal_those_of_the_literal_mixture(name: str) -> None:
    case = Case(space=name, stage=0)
    net, weights = case.net(2), case.weights().requires_grad_()
    leaves = (*net.parameters(), weights)

    def product(logits: Tensor) -> tuple[Tensor, ...]:
        first = torch.autograd.grad(loss_of(logits.tanh()), leaves, create_graph=True)
        along = sum((g * torch.linspace(-1, 1, g.numel()).view_as(g)).sum() for g in first)
        assert isinstance(along, Tensor)
        return torch.autograd.grad(along, leaves, materialize_grads=True)

    images = case.images()
    ours = product(net.mixture(images, weights))
    theirs = product(plain_mixture(net, images, weights, case.cells))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@every_space
def test_only_drawn_operations_get_a_gradient(name: str) -> None:
    case = Case(space=name, stage=0)
    net, choices = case.net(), case.choices()
    loss_of(net.sampled(case.images(), choices)).backward()
    drawn = drawn_options(name, choices)
    for parameter_name, parameter in net.named_parameters():
        if parameter_name.startswith("options."):
            if parameter.grad is not None:
                assert parameter_name.split(".")[1].partition("_")[2] in drawn
        else:
            assert parameter.grad is not None
    assert any(p.grad is not None for n, p in net.named_parameters() if n.startswith("options."))


def drawn_options(name: str, choices: Choices) -> set[str]:
    """What the drawn options of a cell are called: edge_SOURCE_NODE_OPERATION."""
    slots = zip(SPACES[name].slots, choices, strict=True)
    return {f"edge_{slot.source}_{slot.node}_{slot.ops[choice]}" for slot, choice in slots}


def test_only_drawn_operations_are_executed() -> None:
    case = Case(space="darts", stage=0)
    net, choices = case.net(), case.choices()
    called: list[str] = []
    for name, module in net.named_modules():
        if name.startswith("options.") and name.count(".") == 1:
            module.register_forward_hook(
                lambda *_, name=name: called.append(name.partition("_")[2])
            )
    net.sampled(case.images(), choices)
    # A pool is shared by all edges from one map; the module stands at the first of them.
    shared = {
        f"{op}_{source}" for op, source in ((s.ops[c], s.source) for s, c in drawn_slots(choices))
    }
    called_of = {
        name if "pool" not in name else f"{name[9:]}_{name.split('_')[1]}" for name in called
    }
    assert called_of <= drawn_options("darts", choices) | shared


def drawn_slots(choices: Choices) -> list[tuple[Slot, int]]:
    return list(zip(SPACES["darts"].slots, choices, strict=True))


@every_space
def test_images_of_any_size_pass(name: str) -> None:
    for image in ((1, 28, 28), (3, 9, 13), (3, 5, 4)):
        case = Case(space=name, stage=0, image=image)
        assert case.net().sampled(case.images(), case.choices()).shape == (3, 5)


@every_space
def test_the_layout_in_memory_does_not_matter(name: str) -> None:
    case = Case(space=name, stage=0)
    images, choices = case.images(), case.choices()
    last = case.net().sampled(images, choices)
    first = (
        case.net().to(memory_format=torch.contiguous_format).sampled(images.contiguous(), choices)
    )
    torch.testing.assert_close(last, first, rtol=1e-9, atol=1e-11)


@every_space
@pytest.mark.parametrize("mode", ["sampled", "mixture"])
def test_single_precision_agrees_with_double(name: str, mode: str) -> None:
    # Single precision takes other kernels than double, those that a search runs.
    case = Case(space=name, stage=0, image=(3, 16, 16))

    def run(dtype: torch.dtype) -> list[Tensor]:
        net, weights = case.net(8).to(dtype), case.weights().to(dtype).requires_grad_()
        images = case.images(8).to(dtype)
        logits = (
            net.sampled(images, case.choices())
            if mode == "sampled"
            else net.mixture(images, weights)
        )
        leaves = (*net.parameters(), *([weights] if mode == "mixture" else []))
        grads = torch.autograd.grad(
            loss_of(logits), leaves, allow_unused=True, materialize_grads=True
        )
        return [logits.detach(), *grads]

    for single, double in zip(run(torch.float32), run(torch.float64), strict=True):
        # A value that rounds across a kink of ReLU changes a gradient by more than rounding: a
        # loose bound.
        assert float((single - double).norm()) < 0.03 * float(double.norm()) + 1e-3


@pytest.mark.parametrize("name", CELLS)
def test_training_and_evaluation_mode_are_the_same_and_leave_no_trace(name: str) -> None:
    case = Case(space=name, stage=0)
    net, images, choices = case.net(), case.images(), case.choices()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert torch.equal(net.train().sampled(images, choices), net.eval().sampled(images, choices))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not list(net.buffers())


def test_a_node_that_drew_only_none_is_zero() -> None:
    case = Case(space="darts", stage=0)
    net = case.net()
    logits = net.sampled(case.images(), np.zeros(28, dtype=np.int64))
    torch.testing.assert_close(logits, net.get_parameter("head.classifier.1.bias").expand(3, -1))


@pytest.mark.parametrize("mode", ["sampled", "mixture"])
def test_skip_dropout_follows_its_generator(mode: str) -> None:
    case = Case(space="darts", stage=0)
    net, skips = case.net(), np.full(28, 3)

    def run(seed: int, probability: float) -> Tensor:
        net.dropout = SkipDropout(
            probability=probability, generator=torch.Generator().manual_seed(seed)
        )
        argument = skips if mode == "sampled" else case.weights()
        return getattr(net, mode)(case.images(), argument)  # type: ignore[no-any-return]

    state = torch.get_rng_state()
    assert torch.equal(run(0, 0.5), run(0, 0.5))
    assert not torch.equal(run(0, 0.5), run(1, 0.5))
    assert torch.equal(run(0, 0.0), run(1, 0.0))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("mode", ["sampled", "mixture"])
def test_skip_dropout_falls_on_identities_alone(mode: str) -> None:
    """A normal cell has 14 of them; in a reduction cell 8 of 14 skips come from the inputs, and
    halve."""
    case = Case(space="darts", stage=0)
    net, dropped = case.net(), list[Tensor]()

    class Counted(SkipDropout):
        def __call__(self, x: Tensor) -> Tensor:
            dropped.append(x)
            return super().__call__(x)

    net.dropout = Counted(probability=0.5, generator=torch.Generator().manual_seed(0))
    argument = np.full(28, 3) if mode == "sampled" else case.weights()
    getattr(net, mode)(case.images(), argument)
    assert len(dropped) == 14 + 6 + 6


def test_skip_dropout_keeps_the_mean() -> None:
    x = torch.ones(4, 8, 32, 32)
    dropped = SkipDropout(probability=0.3, generator=torch.Generator().manual_seed(0))(x)
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]
    # 32,768 values with standard deviation sqrt(0.3 / 0.7): five standard errors of the mean.
    assert abs(float(dropped.mean()) - 1) < 5 * (0.3 / 0.7) ** 0.5 / 32_768**0.5


def test_a_seed_decides_the_weights_and_nothing_else_changes() -> None:
    space = SPACES["nasbench201"]
    state = torch.get_rng_state()
    a, b, c = (
        build_supernet(family(space, channels=4, cells=3, classes=5, image=(3, 8, 8)), seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not all(torch.equal(x, y) for x, y in zip(a.parameters(), c.parameters(), strict=True))


def test_a_shrunk_supernet_holds_only_the_survivors() -> None:
    case = Case(space="tnd", stage=2)
    sizes = [parameters(Case(space="tnd", stage=stage).net()) for stage in (0, 1, 2)]
    assert sizes[0] > sizes[1] > sizes[2]
    kept = {
        name.split(".")[1].partition("_")[2]
        for name, _ in case.net().named_parameters()
        if name.startswith("options.")
    }
    survivors = {
        f"edge_{slot.source}_{slot.node}_{op}"
        for slot, row in zip(SPACES["tnd"].slots, case.mask, strict=True)
        for op, remains in zip(slot.ops, row, strict=False)
        if remains
    }
    assert kept <= survivors
