"""What a training begins with, where that is not random weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Weights by name, as hwnas.nets.network names them; BatchNorm's statistics may be missing.

    ``origin``: where they come from, in words.
    """

    tensors: Mapping[str, Tensor]
    origin: str

    @property
    def digest(self) -> str:
        """A text that changes with any bit of the weights."""
        return tensors_digest(self.tensors)


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """A text that changes with any bit or name of some tensors."""
    total = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def begin(network: nn.Module, start: Start) -> None:
    """Copy the weights into ``network``; statistics that are missing stay as they are.

    Raises InputError for another tensor that is missing or of another shape.
    """
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        found = start.tensors.get(name)
        if found is None and (_is_statistic(name) or name.startswith("auxiliary.")):
            continue
        if found is None or found.shape != tensor.shape:
            what = "missing" if found is None else f"of shape {tuple(found.shape)}"
            raise InputError(f"{start.origin}: {name} of shape {tuple(tensor.shape)} is {what}")
        wanted[name] = found.to(tensor)
    with torch.no_grad():
        network.load_state_dict(wanted)


def _is_statistic(name: str) -> bool:
    return name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")
