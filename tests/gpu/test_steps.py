"""Every kind of step does on a GPU what it does on the CPU; the same checks that benchmarks/gpu
makes on a card."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu.agree import checks
from benchmarks.gpu.place import Place
from hwnas.nets.fast.double_backward import cheap_double_backward
from hwnas.training.dataset import generator

SMALL = [name for name in checks() if not name.startswith(("darts", "tnd"))]


@pytest.mark.parametrize("name", SMALL)
def test_a_step_gives_what_it_gives_on_the_cpu(device: torch.device, name: str) -> None:
    kind = "cuda" if device.type == "cuda" else "pretended"
    checks()[name](Place(kind=kind, device=device, name=str(device)))


def test_batch_norm_without_a_scale_is_differentiated_twice(device: torch.device) -> None:
    # CUDA's kernels hand back sums of no elements where there is no scale; the second derivative
    # needs them.
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    found = []
    for place in (device, torch.device("cpu")):
        at = x.to(place).contiguous(memory_format=torch.channels_last).requires_grad_()
        with cheap_double_backward():
            y = torch.nn.functional.batch_norm(at, None, None, None, None, True, 0.0, 1e-5)
        (first,) = torch.autograd.grad(y.pow(3).sum(), at, create_graph=True)
        (second,) = torch.autograd.grad(first.pow(2).sum(), at)
        found.append(second.cpu())
    torch.testing.assert_close(found[0], found[1])


def test_a_generator_of_the_cpu_draws_what_it_always_drew(device: torch.device) -> None:
    words = (3, 1, 4)
    assert torch.equal(
        torch.rand(5, generator=generator(*words)),
        torch.rand(5, generator=generator(*words, device="cpu")),
    )
    assert generator(*words).initial_seed() == generator(*words, device=device).initial_seed()
    drawn = [
        torch.rand(5, device=device, generator=generator(*words, device=device)).tolist()
        for _ in "ab"
    ]
    assert drawn[0] == drawn[1]
