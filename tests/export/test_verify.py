"""Whether a file is held against what float32 may do to a network, and not against one rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwnas.export.verify import (
    FACTOR,
    ROUNDINGS,
    compare_logits,
    exact_logits,
    rounded_again,
    torch_logits,
)


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 3)).eval()


def off_by(inputs: Tensor, net: nn.Module, errors: float) -> Tensor:
    """Logits that are so many times as far from float64 as torch's own."""
    exact = exact_logits(net, [inputs], 32)
    own = (torch_logits(net, [inputs]).double() - exact).square().mean().sqrt()
    signs = torch.where(torch.arange(exact.numel()) % 2 == 0, 1.0, -1.0).reshape(exact.shape)
    return exact + errors * own * signs


def magnified(seed: int) -> tuple[nn.Module, Tensor]:
    """A network whose logits all magnify one small difference, as after an epoch on few photos."""
    net = network(seed)
    with torch.no_grad():
        net.get_parameter("2.weight").copy_(1e3 * torch.randn(3, 1) * torch.randn(1, 64))
    return net, torch.randn(2, 192)


def test_other_roundings_of_a_network_pass_where_it_magnifies_them() -> None:
    roundings, beyond = range(ROUNDINGS, 2 * ROUNDINGS), 0
    for seed in range(20):
        net, inputs = magnified(seed)
        exact = exact_logits(net, [inputs], 32)
        own = (torch_logits(net, [inputs]).double() - exact).square().mean().sqrt()
        for draw in roundings:
            theirs = torch_logits(rounded_again(net, draw), [inputs])
            beyond += int((theirs.double() - exact).square().mean().sqrt() > FACTOR * own)
            parity = compare_logits(net, theirs, [inputs])
            assert parity.passed, (seed, draw, parity.problem)
    assert beyond > 0  # twice one rounding would refuse some of them


def test_an_error_that_no_rounding_makes_is_refused_and_told() -> None:
    for seed in range(5):
        net, inputs = magnified(seed)
        parity = compare_logits(net, off_by(inputs, net, 100.0), [inputs])
        assert "its logits are off by" in parity.problem and not parity.passed


def test_an_answer_that_is_no_number_is_refused() -> None:
    net, inputs = magnified(0)
    wrong = torch_logits(net, [inputs]).clone()
    wrong[0, 0] = torch.nan
    assert not compare_logits(net, wrong, [inputs]).passed


def test_rounding_again_moves_a_twelfth_of_the_weights_by_one_unit() -> None:
    net = network(0)
    other = rounded_again(net, 0)
    was, now = (one.state_dict()["0.weight"] for one in (net, other))
    moved = was != now
    assert 0.07 < float(moved.double().mean()) < 0.1
    up = torch.nextafter(was, torch.full_like(was, torch.inf))
    down = torch.nextafter(was, torch.full_like(was, -torch.inf))
    assert torch.equal(torch.where(now > was, up, torch.where(now < was, down, was)), now)
    assert torch.equal(rounded_again(net, 0).state_dict()["0.weight"], now)
    assert not torch.equal(rounded_again(net, 1).state_dict()["0.weight"], now)
