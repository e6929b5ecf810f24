"""What trainings begin with, where that is not random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from hwnas.nets.inherit import is_statistic
from hwnas.training.checkpoint import tensors_digest
from profilers.errors import InputError

if TYPE_CHECKING:  # a run's records need packages that a bare machine with torch lacks
    from hwnas.runs.models import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Weights by name, as hwnas.nets.network names them; BatchNorm's statistics may be missing.

    ``origin``: where they come from, in words. ``of_search``: they are a search's, which trains on
    the images "weights" of its split and compares networks on "policy". ``after``: names of the
    networks that have changed them since; ``before``: the digest of what they were then.
    """

    tensors: Mapping[str, Tensor]
    origin: str
    of_search: bool = False
    after: tuple[str, ...] = ()
    before: str = ""

    @property
    def digest(self) -> str:
        """A text that changes with any bit of the weights, those that ``after`` changed as they
        were before."""
        return self.before or tensors_digest(self.tensors)


@dataclass(frozen=True, kw_only=True)
class Starts:
    """What the networks of one call begin with. ``of``: each of them, when its turn comes; random
    weights where that is None. ``order``: how they take turns. ``learn`` hears of each that is
    trained."""

    of: Callable[[Model], Start | None] = lambda model: None
    order: Callable[[Sequence[Model]], list[Model]] = list
    learn: Callable[[Model, nn.Module], None] = lambda model, network: None


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
