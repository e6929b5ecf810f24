"""What a training begins with, where that is not random weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Weights by name, as hwnas.nets.network names them; BatchNorm's statistics may be missing.

    ``origin``: where they come from, in words. ``soft_labels``: what the teacher says of each
    training image, (images, classes), probabilities; None without a teacher.
    """

    tensors: Mapping[str, Tensor]
    origin: str
    soft_labels: Tensor | None = None

    @property
    def digest(self) -> str:
        """A text that changes with any bit of the weights and soft labels."""
        total = hashlib.blake2b(digest_size=16)
        extra = {} if self.soft_labels is None else {"": self.soft_labels}
        for name, tensor in sorted({**self.tensors, **extra}.items()):
            total.update(name.encode())
            total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()


def begin(network: nn.Module, start: Start) -> None:
    """Copy the weights into ``network``; statistics that are missing stay as they are.

    Raises KeyError for another tensor that is missing, RuntimeError for another shape.
    """
    wanted = network.state_dict()
    filled = {
        name: tensor if _is_statistic(name) and name not in start.tensors else start.tensors[name]
        for name, tensor in wanted.items()
        if not name.startswith("auxiliary.")
    }
    with torch.no_grad():
        network.load_state_dict({**wanted, **filled})


def _is_statistic(name: str) -> bool:
    return name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")
