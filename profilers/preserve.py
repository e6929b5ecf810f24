"""Leave the argument as found: what a profiler may disturb, in the module and the process, is
put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def left_as_found(module: nn.Module) -> Iterator[nn.Module]:
    """Lend out `module` in inference mode (eval, no gradients) and give it back bit-identical.

    Put back, also after an exception: the training flag of every submodule, every buffer, and the
    random states of torch (CPU and CUDA), numpy and Python. Parameters and their gradients cannot
    change without autograd; hooks are their adder's to remove.
    """
    flags = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    try:
        for part, _ in flags:
            # The attribute, not eval(): a user's train() may do more than set it.
            part.training = False
        # The fused attention path would run whole layers without calling their submodules.
        torch.backends.mha.set_fastpath_enabled(False)
        with random_states_kept(), torch.no_grad():
            yield module
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for part, flag in flags:
            part.training = flag
        for buffer, kept in buffers:
            if not same_bits(buffer, kept):
                with torch.no_grad():
                    buffer.copy_(kept)


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Put back the random states of torch (CPU and CUDA), numpy and Python, also after an
    exception."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    cuda = list(range(torch.cuda.device_count())) if _cuda_in_use() else []
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same values, NaN equal to NaN; without data only the shape
    counts."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.is_meta or b.is_meta:
        return True
    return bool(torch.equal(a, b)) or bool(((a == b) | ((a != a) & (b != b))).all())


def example_input(module: nn.Module, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """A fixed random tensor of `shape` with the device and floating type of the module's first
    parameter."""
    first = next((p for p in module.parameters() if p.is_floating_point()), None)
    dtype = first.dtype if first is not None else torch.float32
    device = first.device if first is not None else torch.device("cpu")
    if device.type == "meta":
        return torch.empty(shape, dtype=dtype, device=device)
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return values.to(device=device, dtype=dtype)


def _cuda_in_use() -> bool:
    """Whether CUDA has a random state at all: asking for one would start the driver."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
