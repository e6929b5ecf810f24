"""MACs as torch itself counts them: `torch.utils.flop_counter.FlopCounterMode`, halved.

It watches the operators that run, so it sees functional calls that a structural counter cannot, and
it is the truth for convolutions and matrix products. Operators without a formula count as 0 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from profilers.preserve import example_input, left_as_found


@dataclass(frozen=True, kw_only=True)
class TorchCounts:
    """MACs of one forward pass over a whole batch, in total and by operator, the largest first."""

    macs: int
    by_operator: tuple[tuple[str, int], ...]


def count_with_torch(
    module: nn.Module, input_shape: Sequence[int], *, inputs: tuple[Tensor, ...] | None = None
) -> TorchCounts:
    """Count `module` on an input of `input_shape` (batch included) or on `inputs`; it is left as
    found."""
    shape = tuple(int(size) for size in input_shape)
    # No module names are asked for: following them would put hooks on every module.
    counter = FlopCounterMode(display=False, depth=0)
    with left_as_found(module), counter:
        module(*(inputs if inputs is not None else (example_input(module, shape),)))
    by_operator = {
        str(operator): flops // 2 for operator, flops in counter.get_flop_counts()["Global"].items()
    }
    return TorchCounts(
        macs=counter.get_total_flops() // 2,
        by_operator=tuple(sorted(by_operator.items(), key=lambda item: (-item[1], item[0]))),
    )
