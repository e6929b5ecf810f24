"""What a training begins with, where that is not random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hwnas.nets.inherit import is_statistic
from hwnas.training.checkpoint import tensors_digest
from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Weights by name, as hwnas.nets.network names them; BatchNorm's statistics may be missing.

    ``origin``: where they come from, in words. ``of_search``: they are a search's, which trains on
    the images "weights" of its split and compares networks on "policy".
    """

    tensors: Mapping[str, Tensor]
    origin: str
    of_search: bool = False

    @property
    def digest(self) -> str:
        """A text that changes with any bit of the weights."""
        return tensors_digest(self.tensors)


def begin(network: nn.Module, start: Start) -> None:
    """Copy the weights into ``network``; statistics that are missing stay as they are.

    Raises InputError for another tensor that is missing or of another shape.
    """
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        found = start.tensors.get(name)
        if found is None and (is_statistic(name) or name.startswith("auxiliary.")):
            continue
        if found is None or found.shape != tensor.shape:
            what = "missing" if found is None else f"of shape {tuple(found.shape)}"
            raise InputError(f"{start.origin}: {name} of shape {tuple(tensor.shape)} is {what}")
        wanted[name] = found.to(tensor)
    with torch.no_grad():
        network.load_state_dict(wanted)
